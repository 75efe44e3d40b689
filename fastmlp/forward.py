"""Forward: what a prediction computes, step by step, for whoever writes it down in another language.

`MLP` and the estimators describe themselves so. Nothing is computed here.
"""

from typing import Any, NamedTuple

import numpy as np

from fastmlp.formulas import Array

EDGE = 1e-7  # what QuantileTransformer takes for the edge of its quantiles


class Standardized(NamedTuple):
    """Columns of mean 0 and standard deviation 1: (x - mean) / scale, and back.

    Attributes
    ----------
    mean, scale : ndarray of shape (n,), float64
    """

    mean: Array
    scale: Array


class Normalized(NamedTuple):
    """Columns of a normal distribution: its quantile at the level that a value has among the known ones, and back.

    Attributes
    ----------
    levels : ndarray of shape (q,), float64
        Ascending from 0 to 1.
    known : ndarray of shape (n, q), float64
        The values of these levels in each column, ascending, with repetitions.
    """

    levels: Array
    known: Array


class Forward(NamedTuple):
    """The steps of a prediction: scale X, go through the layers, scale back, name the class.

    Attributes
    ----------
    weights : tuple of ndarray
        W^l (n_in, n_out) of each layer, as they are now: copies.
    biases : tuple of ndarray
        b^l (n_out,); zeros for a net without.
    activations : tuple of str
        Of every layer, that of the outputs last; names of `fastmlp.activations`.
    negative_slope : float
        Of leaky_relu.
    dtype : numpy.dtype
        In which the net computes.
    of_inputs, of_outputs : Standardized, Normalized or None
        How X is scaled before the first layer, and from what the outputs are scaled back.
    classes : ndarray of shape (n_classes,), or None
        Labels of an estimator that classifies. With one output, a sigmoid, it is the probability of the last of them.
    several : bool
        Whether each output is the probability of a label of its own.
    names : tuple of str, or None
        Of the columns of X.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    activations: tuple[str, ...]
    negative_slope: float
    dtype: np.dtype[Any]
    of_inputs: Standardized | Normalized | None = None
    of_outputs: Standardized | Normalized | None = None
    classes: Array | None = None
    several: bool = False
    names: tuple[str, ...] | None = None
