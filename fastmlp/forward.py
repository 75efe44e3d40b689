"""Forward: what a prediction computes, step by step, for whoever writes it down in another language.

`MLP` and the estimators describe themselves so. Nothing is computed here.
"""

from typing import Any, NamedTuple

import numpy as np

from fastmlp.formulas import Array

EDGE = 1e-7  # what QuantileTransformer takes for the edge of its quantiles
FIRST_LEVEL = EDGE - float(np.spacing(1))  # levels below it, and above 1 less it, count as it
# The quantile of a normal distribution at a level p, by quotients of two polynomials each, highest power first: in
# the middle, where q = p - 0.5 and |q| <= MIDDLE, it is q times that of MIDDLE^2 - q^2; in the tails that of
# s - TAIL, with s = sqrt(-log(min(p, 1 - p))). Wichura 1988, algorithm AS 241, PPND16, whose third part is for levels
# below 1e-11.
MIDDLE, TAIL = 0.425, 1.6
IN_THE_MIDDLE = (
    (
        2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
        13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
    ),
    (
        5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
        5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0,
    ),
)  # fmt: skip
IN_THE_TAILS = (
    (
        7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
        3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734,
    ),
    (
        1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
        0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0,
    ),
)  # fmt: skip


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
