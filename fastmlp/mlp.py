"""MLP: the public face of the network. It checks, chooses and records; the core computes.

Layers are numbered 1..L as in docs/architecture.md: A^0 = X, Z^l = A^(l-1) W^l + b^l, A^l = g^l(Z^l).
"""

from __future__ import annotations  # numpy.random is first imported when it is used: it takes 15 ms

import math
import os
import warnings
from collections.abc import Iterable, Sequence
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastmlp import builds, checks, schedules
from fastmlp import threads as threads_now
from fastmlp.architecture import Architecture
from fastmlp.formulas import ActivationName, Array, LossName, OutputName
from fastmlp.history import Callback, History
from fastmlp.initializers import DEFAULTS, INITIALIZERS, InitializerName
from fastmlp.layout import layer_views
from fastmlp.optimizers import Optimizer, OptimizerName, Steps
from fastmlp.optimizers import optimizer as as_optimizer
from fastmlp.progress import progress as as_progress
from fastmlp.schedules import Schedule, ScheduleName
from fastmlp.threads import get_num_threads
from fastmlp.threads import threads as as_threads
from fastmlp.trace import Trace
from fastmlp.trace import trace as _trace
from fastmlp.training import EarlyStopping, FitCallbacks, Run, Split, split_rows, train
from fastmlp.training import callbacks as as_callbacks

if TYPE_CHECKING:
    from fastmlp.diagnosis import Diagnosis
    from fastmlp.explanation import Explanation


class Gradient(NamedTuple):
    """The mean loss and its derivatives.

    Attributes
    ----------
    loss : float
        C, the mean of c over the (weighted) rows.
    weights, biases : list of ndarray
        dC/dW^l (n_in, n_out) and dC/db^l (n_out,), views of `flat`.
    inputs : ndarray of shape (m, n_in)
        dC/dX; (n_in,) for one sample.
    flat : ndarray of shape (n_parameters,)
        All of them, in the order of `MLP.parameters`.
    """

    loss: float
    weights: list[Array]
    biases: list[Array]
    inputs: Array
    flat: Array


class _Views(list[Array]):
    """Live views of a net's layers; `views[i] = array` copies the values in."""

    def __init__(self, name: str, views: Iterable[Array]) -> None:
        super().__init__(views)
        self._name = name

    def __setitem__(self, index: Any, value: Any) -> None:
        at = checks.integer("index", index, -len(self))
        view = self[at]
        view[...] = checks.shaped(f"{self._name}[{at}]", value, view.shape, view.dtype)


class MLP:
    """A multilayer perceptron.

    Parameters
    ----------
    sizes : sequence of int
        Neurons of each layer: n_in, hidden layers, n_out; at least two numbers >= 1.
    activation : str or sequence of str
        Of the hidden layers: one name for all, or one for each. identity, sigmoid, tanh, relu, leaky_relu, elu, selu,
        softplus, gelu, silu, mish or exponential.
    output : str
        Activation of the output layer: any of the above, or softmax.
    loss : str, optional
        half_squared_error, squared_error, binary_cross_entropy, cross_entropy, absolute_error, huber, log_cosh,
        quantile or poisson (half the deviance of counts, y log(y / a) - y + a). By default what belongs to the
        output: sigmoid binary_cross_entropy, softmax cross_entropy, exponential poisson, else half_squared_error. The
        cross entropies need an output between 0 and 1: sigmoid or softmax; poisson one above 0: exponential,
        softplus, sigmoid or softmax.
    bias : bool
        Whether layers have biases.
    negative_slope : float
        Slope of leaky_relu below zero, 0 to 1.
    huber_delta : float
        Of the loss huber, > 0: d^2 / 2 where the error d = a - y is at most so large, beyond it
        huber_delta (abs(d) - huber_delta / 2).
    quantile : float
        Of the loss quantile, above 0 and below 1: max(quantile d, (quantile - 1) d) with d = y - a, whose mean is
        least where a is that quantile of y. Its derivative, like that of absolute_error, is taken as 0 at d = 0.
    dropout : float or sequence of float
        Of the hidden layers, one number for all or one for each, in [0, 1): the probability with which a step of
        `fit` leaves a unit out (Srivastava et al. 2014). The others are multiplied by 1 / (1 - dropout) there, and
        elsewhere all of them answer.
    dtype : {"float32", "float64"}
        Of parameters and results.
    init : str, optional
        Initial weights: glorot_uniform, glorot_normal, he_uniform, he_normal or lecun_normal. By default he_uniform
        for relu and its relatives, lecun_normal for selu, glorot_uniform else. Biases start at zero.
    seed : int or numpy.random.Generator, optional
        Of the initial weights, of the order of samples in `fit` and of dropout. Same seed, data and build: same bits.

    Raises
    ------
    ValueError, TypeError
        If an argument is not of the form above; the message says what was expected.

    Notes
    -----
    The formulas are those of five lecture scripts (see docs/architecture.md for the notation): forward
    propagation Z^l = A^(l-1) W^l + b^l, backpropagation delta^l = g'(Z^l) * (delta^(l+1) W^(l+1)^T).

    Examples
    --------
    >>> import fastmlp
    >>> net = fastmlp.MLP([2, 4, 1], activation="tanh", output="sigmoid", seed=0)
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> history = net.fit(X, y, epochs=500, batch_size=None, optimizer=fastmlp.Adam(0.05))
    >>> net.classify(X).tolist()
    [0, 1, 1, 0]
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: ActivationName | Sequence[ActivationName] = "relu",
        output: OutputName = "identity",
        loss: LossName | None = None,
        bias: bool = True,
        negative_slope: float = 0.01,
        huber_delta: float = 1.0,
        quantile: float = 0.5,
        dropout: float | Sequence[float] = 0.0,
        dtype: builds.DType | np.dtype[Any] | type[np.floating[Any] | float] = "float32",
        init: InitializerName | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        if init is not None:
            checks.choice("init", init, INITIALIZERS)
        architecture = Architecture.of(
            sizes, activations=activation, output=output, loss=loss, bias=bias, negative_slope=negative_slope,
            huber_delta=huber_delta, quantile=quantile, dropout=dropout, dtype=dtype,
        )  # fmt: skip
        self._start(architecture, seed)
        for W, name in zip(self.weights, architecture.layer_activations, strict=True):
            W[...] = INITIALIZERS[init or DEFAULTS.get(name, "glorot_uniform")](self._rng, *W.shape)

    @classmethod
    def from_parameters(
        cls,
        weights: Sequence[ArrayLike],
        biases: Sequence[ArrayLike] | None = None,
        *,
        activation: ActivationName | Sequence[ActivationName] = "relu",
        output: OutputName = "identity",
        loss: LossName | None = None,
        negative_slope: float = 0.01,
        huber_delta: float = 1.0,
        quantile: float = 0.5,
        dropout: float | Sequence[float] = 0.0,
        dtype: builds.DType | np.dtype[Any] | type[np.floating[Any] | float] = "float32",
        seed: int | np.random.Generator | None = None,
    ) -> MLP:
        """A net with given parameters, which are copied.

        Parameters
        ----------
        weights : sequence of array_like
            W^l of shape (n_in, n_out) for each layer. A script that writes z = W a, a row per neuron, gives W.T.
        biases : sequence of array_like, optional
            b^l of shape (n_out,) for each layer; None for a net without biases.
        activation, output, loss, negative_slope, huber_delta, quantile, dropout, dtype, seed
            As for `MLP`.

        Returns
        -------
        MLP

        Raises
        ------
        ValueError, TypeError
            If shapes do not follow each other, a value is not finite, or the numbers of layers differ.
        """
        matrices = [checks.numeric(f"weights[{i}]", W) for i, W in enumerate(checks.sequence("weights", weights))]
        shapes = [W.shape for W in matrices]
        if not shapes:
            raise ValueError("weights is empty; expected a matrix (n_in, n_out) for each layer")
        for i, shape in enumerate(shapes):
            rows = shapes[i - 1][-1] if i else "n_in"
            if len(shape) != 2 or 0 in shape or (i and shape[0] != rows):
                hint = ""
                if all(len(one) == 2 for one in shapes):
                    if all(above[1] == below[0] for below, above in pairwise(shapes)):
                        hint = "; transposed? give W.T of each"
                    elif shape[1] == rows:
                        hint = f"; transposed? give weights[{i}].T"
                raise ValueError(f"weights[{i}] has shape {shape}; expected ({rows}, n_out){hint}")
        architecture = Architecture.of(
            [shapes[0][0], *(shape[1] for shape in shapes)], activations=activation, output=output, loss=loss,
            bias=biases is not None, negative_slope=negative_slope, huber_delta=huber_delta, quantile=quantile,
            dropout=dropout, dtype=dtype,
        )  # fmt: skip
        net = cls.__new__(cls)
        net._start(architecture, seed)
        net._assign("weights", matrices)
        if biases is not None:
            vectors = checks.sequence("biases", biases)
            for i, ((n_in, n_out), b) in enumerate(zip(shapes, vectors, strict=False)):
                if np.shape(b) == (n_in,) != (n_out,):
                    raise ValueError(
                        f"biases[{i}] has shape ({n_in},); expected ({n_out},), for weights[{i}] is (n_in, n_out) = "
                        f"({n_in}, {n_out}); transposed? give W.T"
                    )
            net._assign("biases", vectors)
        return net

    def _start(self, architecture: Architecture, seed: Any) -> None:
        """Begin as a net of that architecture, all parameters zero."""
        self._architecture = architecture
        try:
            self._rng = np.random.default_rng(seed)
        except (TypeError, ValueError) as problem:
            raise type(problem)(f"seed is {seed!r}; expected an integer >= 0, a Generator or None") from None
        self._build()

    def _build(self) -> None:
        """Make the network of the architecture, all parameters zero."""
        self._process = os.getpid()
        self._network = self._architecture.network(builds.network(self.dtype.name))
        self._build_name = builds.current()
        self._optimizer: Optimizer | None = None

    # what the net is

    sizes = property(lambda self: self._architecture.sizes, doc="tuple of int: neurons of each layer, inputs first.")
    activations = property(
        lambda self: self._architecture.activations, doc="tuple of str: activation of each hidden layer."
    )
    output = property(lambda self: self._architecture.output, doc="str: activation of the output layer.")
    loss = property(lambda self: self._architecture.loss, doc="str: name of the loss.")
    bias = property(lambda self: self._architecture.bias, doc="bool: whether layers have biases.")
    negative_slope = property(
        lambda self: self._architecture.negative_slope, doc="float: slope of leaky_relu below zero."
    )
    huber_delta = property(lambda self: self._architecture.huber_delta, doc="float: threshold of the loss huber.")
    quantile = property(lambda self: self._architecture.quantile, doc="float: level of the loss quantile.")
    dropout = property(
        lambda self: self._architecture.dropout,
        doc="tuple of float: for each hidden layer, how likely a step leaves a unit out.",
    )
    dtype = property(lambda self: self._architecture.dtype, doc="numpy.dtype: of parameters and results.")

    # parameters

    @property
    def parameters(self) -> Array:
        """The flat, live view (n_parameters,) of all parameters: W^1 by rows, b^1, W^2, ... Assigning copies in.

        An epoch of `fit` reads it at its beginning and writes it at its end.
        """
        return self._network.parameters[:]

    @parameters.setter
    def parameters(self, flat: ArrayLike) -> None:
        self.parameters[...] = checks.shaped("parameters", flat, self.parameters.shape, self.dtype)

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return self.parameters.size

    @property
    def weights(self) -> list[Array]:
        """Live views of W^1..W^L, each (n_in, n_out). Assigning a list, or an element, copies values in.

        What is written through a view is not checked; `fit`, `evaluate` and `gradient` refuse NaN and infinity.
        """
        return _Views("weights", layer_views(self.parameters, self.sizes, self.bias)[0])

    @weights.setter
    def weights(self, given: Sequence[ArrayLike]) -> None:
        self._assign("weights", given)

    @property
    def biases(self) -> list[Array]:
        """Live views of b^1..b^L, each (n_out,); empty without biases. Assigning copies values in."""
        return _Views("biases", layer_views(self.parameters, self.sizes, self.bias)[1])

    @biases.setter
    def biases(self, given: Sequence[ArrayLike]) -> None:
        self._assign("biases", given)

    def _assign(self, name: str, given: Any) -> None:
        """Copy arrays into the views of that name: all of them, or none if one does not fit."""
        views = getattr(self, name)
        arrays = checks.sequence(name, given)
        if len(arrays) != len(views):
            raise ValueError(f"{name} has {len(arrays)} arrays; expected {len(views)}, one for each layer")
        checked = [
            checks.shaped(f"{name}[{i}]", array, view.shape, self.dtype).copy()  # it may be another of the views
            for i, (array, view) in enumerate(zip(arrays, views, strict=True))
        ]
        for view, array in zip(views, checked, strict=True):
            view[...] = array

    def _check_parameters(self) -> None:
        """Views can be written past every check: look before they are used."""
        if not np.isfinite(self.parameters).all():
            raise ValueError("the net's parameters contain NaN or infinity; expected finite weights and biases")

    # use

    def predict(self, X: ArrayLike, out: Array | None = None) -> Array:
        """Outputs of the net.

        Parameters
        ----------
        X : array_like of shape (m, n_in) or (n_in,)
            Samples in rows, or one sample: the path with the least latency. A C-contiguous array of the net's dtype
            is read in place, anything else is converted.
        out : ndarray of shape (m, n_out) or (n_out,), optional
            Where the outputs go: C-contiguous, writable, of the net's dtype.

        Returns
        -------
        ndarray of shape (m, n_out) or (n_out,)
            `out` if given.

        Raises
        ------
        ValueError, TypeError
            If X or out has another shape or type, or a value is not finite.

        Warns
        -----
        RuntimeWarning
            If finite inputs and parameters give outputs beyond the range of the dtype.
        """
        outputs = self._network.forward(X, out, threads_now.number)
        if outputs is None:  # something needs a closer look
            x = checks.inputs(X, self.sizes[0], self.dtype, single=True)
            if out is not None:
                checks.buffer("out", out, (*x.shape[:-1], self.sizes[-1]), self.dtype)
                if np.may_share_memory(out, self.parameters):
                    raise ValueError("out shares memory with the net's parameters; expected an array of its own")
            outputs = self._network.forward(x, None, get_num_threads(), True)
            assert outputs is not None  # what checks.inputs returns is used as it is
            if not np.isfinite(outputs).all():
                self._check_parameters()
                self._warn_of_overflow("outputs")
            if out is not None:
                out[...] = outputs
                outputs = out
        return outputs

    def _warn_of_overflow(self, what: str) -> None:
        warnings.warn(
            f"{what} left the range of {self.dtype}; scaled inputs or dtype='float64' may help",
            RuntimeWarning,
            stacklevel=3,
        )

    def classify(self, X: ArrayLike, threshold: float = 0.5) -> Array:
        """Class labels.

        Parameters
        ----------
        X : array_like of shape (m, n_in) or (n_in,)
            Samples.
        threshold : float
            For sigmoid outputs: label 1 where the output is >= threshold, 0 to 1. A higher one raises precision, a
            lower one recall (script 003).

        Returns
        -------
        ndarray of shape (m,), int64
            The index of the largest softmax output; or 0 and 1 for one sigmoid output; for several sigmoid outputs,
            which are so many labels of one sample, (m, n_out) of 0 and 1. Without the m for one sample.

        Raises
        ------
        ValueError, TypeError
            As `predict`; for outputs that are neither softmax nor sigmoid; for a threshold where none is used.
        """
        limit = checks.number("threshold", threshold, least=0, most=1)
        if self.output not in ("sigmoid", "softmax"):
            raise ValueError(
                f"classify needs a softmax or sigmoid output; this net has {self.sizes[-1]} {self.output}: predict "
                "gives the values, and predict(X).argmax(axis=-1) which is largest"
            )
        if self.output != "sigmoid" and limit != 0.5:
            raise ValueError(f"threshold is {threshold} for {self.output} outputs; it is used with sigmoid only")
        return self._architecture.labels(self.predict(X), limit)

    def evaluate(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The mean loss.

        Parameters
        ----------
        X : array_like of shape (m, n_in) or (n_in,)
            Samples in rows, or one sample.
        y : array_like
            Targets: class labels (m,) or rows (m, n_out) for softmax; (m,) or (m, n_out) for one output, else
            (m, n_out). Without the m for one sample.
        sample_weight : array_like of shape (m,), optional
            Weights >= 0 of the rows, not all 0.

        Returns
        -------
        float
            Mean over the (weighted) rows of the loss, which is a sum over outputs.

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above.
        """
        data = self._data(X, y, sample_weight, single=True)
        self._check_parameters()
        loss = self._network.evaluate(*data, get_num_threads())
        if not math.isfinite(loss):
            self._warn_of_overflow("the loss")
        return loss

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """How good the answers are: accuracy of a classifier, R² of a regression.

        Parameters
        ----------
        X, y, sample_weight
            As for `evaluate`. A net is a classifier if its output is softmax or its loss binary_cross_entropy.

        Returns
        -------
        float
            The (weighted) share of rows that `classify` gets right, all labels of a row for several sigmoids. Else
            the coefficient of determination 1 - sum (y - a)² / sum (y - mean y)², averaged over the outputs.

        Raises
        ------
        ValueError, TypeError
            As `evaluate`; for targets of a classifier that name no class; for a y without spread, of which R² is not
            defined.
        """
        x, targets, w = self._data(X, y, sample_weight, single=True)
        outputs = self.predict(x)
        weight = np.ones(len(x)) if w is None else w.astype(np.float64)
        if self.output == "softmax" or self.loss == "binary_cross_entropy":
            if targets.ndim == 2:
                softmax = self.output == "softmax"
                if not np.isin(targets, (0, 1)).all() or (softmax and (targets.sum(axis=1) != 1).any()):
                    raise ValueError("y has rows that name no class; score expects labels, one-hot rows or 0 and 1")
                if softmax:
                    targets = targets.argmax(axis=1)
                elif self.sizes[-1] == 1:
                    targets = targets[:, 0]
            right = self._architecture.labels(outputs) == targets
            return float(np.average(right if right.ndim == 1 else right.all(axis=1), weights=weight))
        y64: Array = targets.astype(np.float64)
        spread = np.average((y64 - np.average(y64, axis=0, weights=weight)) ** 2, axis=0, weights=weight)
        if not spread.all():
            raise ValueError("y has an output without spread; R² needs targets that differ")
        error = np.average((y64 - outputs) ** 2, axis=0, weights=weight)
        return float(np.mean(1 - error / spread))

    def gradient(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Gradient:
        """The mean loss and its gradient, by backpropagation.

        Parameters
        ----------
        X, y, sample_weight
            As for `evaluate`.

        Returns
        -------
        Gradient
            loss, weights, biases, inputs, flat.

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above.
        """
        x, targets, w = self._data(X, y, sample_weight, single=True)
        self._check_parameters()
        flat, inputs = np.empty_like(self.parameters), np.empty_like(x)
        loss = self._network.gradient(x, targets, w, flat, inputs, get_num_threads())
        if not (math.isfinite(loss) and np.isfinite(flat).all() and np.isfinite(inputs).all()):
            self._warn_of_overflow("the loss or its gradient")
        if np.ndim(X) == 1:
            inputs = inputs[0]
        return Gradient(loss, *layer_views(flat, self.sizes, self.bias), inputs, flat)

    # a look inside

    def trace(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        optimizer: OptimizerName | Optimizer | None = None,
    ) -> Trace:
        """A training step as data: every value, and the gradient of the loss by each of them (script 002).

        Computed by `fastmlp.reference` in float64, without dropout, for one sample or a small batch: it keeps all it
        computes.

        Parameters
        ----------
        X, y, sample_weight
            As for `evaluate`.
        optimizer : {"adam", "adamw", "rmsprop", "sgd"} or optimizer, optional
            Whose step to show; it is not made. The moments of an equal optimizer of `fit` are continued.

        Returns
        -------
        Trace

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above, or a value is not finite.

        Examples
        --------
        >>> import fastmlp
        >>> example = fastmlp.examples.load("003")
        >>> step = example.net.trace(example.x, example.y)
        >>> step.layers[0].z.round(4).tolist()
        [0.3775, 0.3925]
        """
        return _trace(self, X, y, sample_weight, optimizer)

    def explain(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        optimizer: OptimizerName | Optimizer | None = None,
        notation: str = "fastmlp",
    ) -> Explanation:
        """A training step in words and numbers, as the lecture scripts do it by hand.

        Parameters
        ----------
        X : array_like of shape (n_in,)
            One sample.
        y : array_like
            Its target: a label or (n_out,) for softmax, else (n_out,) or, for one output, a number.
        optimizer : {"adam", "adamw", "rmsprop", "sgd"} or optimizer, optional
            Whose step to show; it is not made.
        notation : {"fastmlp", "000", "001", "002", "003", "004"}
            How the values are named: as in docs/architecture.md, or as in one of the scripts.

        Returns
        -------
        Explanation
            Its str is text, `print` colours it on a terminal, a notebook shows it as a page.

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above, or a value is not finite.
        """
        from fastmlp.explanation import explain  # for lectures: not loaded by who trains

        return explain(self, X, y, optimizer=optimizer, notation=notation)

    def diagnose(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        optimizer: OptimizerName | Optimizer = "adam",
        batch_size: int | None = 32,
        sample_weight: ArrayLike | None = None,
    ) -> Diagnosis:
        """Look for what keeps a net from learning: dead units, data without scale, a rate too high or low, ...

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`: samples and targets, two-dimensional X.
        optimizer : {"adam", "adamw", "rmsprop", "sgd"} or optimizer
            Whose learning rate to try, on copies of the net.
        batch_size : int or None
            Samples a step of that trial; None takes all.

        Returns
        -------
        Diagnosis
            What was found, with a line of advice each; its str is the report.

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above.

        Notes
        -----
        Ranges and classes are those of all rows, the rest of at most 2,000, drawn always alike. The thresholds are
        where trouble is usual; `fastmlp.diagnosis` has them, each with its reason.
        """
        from fastmlp.diagnosis import diagnose

        return diagnose(self, X, y, optimizer=optimizer, batch_size=batch_size, sample_weight=sample_weight)

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        epochs: int = 100,
        batch_size: int | None = 32,
        optimizer: OptimizerName | Optimizer = "adam",
        shuffle: bool = True,
        sample_weight: ArrayLike | None = None,
        validation: float | tuple[ArrayLike, ArrayLike] | None = None,
        patience: int | None = None,
        tol: float | None = None,
        schedule: ScheduleName | Schedule | None = None,
        max_time: float | None = None,
        callbacks: Callback | Iterable[Callback] = (),
        batch_callbacks: Callback | Iterable[Callback] = (),
        progress: bool | str = False,
        threads: int | None = None,
    ) -> History:
        """Train by gradient descent on the mean loss.

        Calling `fit` again continues: the weights stay, and so does the state of an equal optimizer.

        Parameters
        ----------
        X, y, sample_weight
            As for `evaluate`.
        epochs : int
            Passes over the data, >= 1.
        batch_size : int or None
            Samples a step: 1 is online learning, None takes the whole set. The last batch may be smaller.
        optimizer : {"adam", "adamw", "rmsprop", "sgd"}, Adam, AdamW, RMSprop or SGD
            A name takes the default hyperparameters.
        shuffle : bool
            Whether each epoch takes the samples in a new order.
        validation : float or (X, y), optional
            Data to measure after each epoch, or the fraction of the rows to hold back for it: chosen at random with
            the net's seed, or the last rows without `shuffle`.
        patience : int, optional
            Stop after this many epochs in a row without an improvement of the validation loss (of the training loss
            without validation); the net ends with its best weights.
        tol : float, optional
            An improvement counts if it is larger than this, >= 0. Given alone, patience is 1.
        schedule : {"constant", "cosine", "step", "one_cycle"} or callable, optional
            By what factor the learning rate of each step is multiplied: a name, an instance as
            `schedules.Cosine(warm_up=0.1)`, or any callable from the progress of steps (an array, 0 to 1) to factors.
        max_time : float, optional
            Seconds after which training ends, within an epoch if need be; > 0.
        callbacks : callable or iterable of callables
            Called as callback(net, history) after each epoch; a true answer stops.
        batch_callbacks : callable or iterable of callables
            The same after each step, whose loss is `history.batch_loss`; a true answer stops at once. A step in
            Python costs more than a small one of the core.
        progress : bool or "tqdm"
            Whether to show a line with epoch, loss, validation and samples/s on standard error; "tqdm" for a bar of
            that package, where it is installed.
        threads : int, optional
            At most so many threads, instead of `fastmlp.get_num_threads()`. The results are the same.

        Returns
        -------
        History

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above; the net is as it was. A schedule is asked for each epoch when it
            begins: one that fails later ends the fit there.

        Warns
        -----
        RuntimeWarning
            If the loss or a parameter stops being finite: the net keeps the weights from the start of that epoch, or
            with patience or tol its best ones, and the optimizer starts afresh next time.

        Notes
        -----
        Ctrl-C raises KeyboardInterrupt between two steps and leaves the weights of the last one.
        """
        began = perf_counter()
        data = self._data(X, y, sample_weight)
        rows = len(data[0])
        epochs = checks.integer("epochs", epochs, 1)
        size = None if batch_size is None else checks.integer("batch_size", batch_size, 1)
        method = as_optimizer(optimizer)
        checks.hyperparameters(method, self.dtype)
        early_stopping = EarlyStopping(patience, tol)
        shuffle = checks.boolean("shuffle", shuffle)
        seconds = None if max_time is None else checks.number("max_time", max_time, above=0)
        calls, batch_calls = as_callbacks("callbacks", callbacks), as_callbacks("batch_callbacks", batch_callbacks)
        n_threads = as_threads(threads)
        self._check_parameters()
        split, n_validation = Split(data, None), 0
        if isinstance(validation, (tuple, list)):
            if len(validation) != 2:
                raise ValueError(f"validation has {len(validation)} elements; expected (X, y)")
            split = Split(data, self._data(*validation, None, " of validation")[:2])
        elif validation is not None:
            n_validation = checks.validation_rows(validation, rows)
        steps = Steps(min(size or rows, rows - n_validation), method)
        schedules.factors(schedule, 0, epochs, steps.per_epoch(rows - n_validation))  # whether it is one
        line = as_progress(progress, epochs)
        watch = FitCallbacks(self, self._check_parameters, began, seconds, calls, batch_calls, line)
        if n_validation:
            split = split_rows(data, n_validation, shuffle, self._generator())
        if method != self._optimizer:
            self._network.reset_optimizer()
            self._optimizer = method
        run = Run(epochs, steps, n_threads, shuffle, schedule, early_stopping, watch)
        return train(self._network, self._architecture, split, run, self._generator())

    def _data(
        self, X: Any, y: Any, sample_weight: Any, of: str = "", single: bool = False
    ) -> tuple[Array, Array, Array | None]:
        """X, y and sample_weight as the core takes them; with `single` X may be one sample."""
        x = checks.inputs(X, self.sizes[0], self.dtype, "X" + of, single)
        if x.ndim == 1:
            x, y = x[None], checks.one_target(y, self.sizes[-1])
        targets = checks.targets(y, len(x), self.sizes[-1], self.output, self.loss, self.dtype, "y" + of)
        x, targets = (a.copy() if np.may_share_memory(a, self.parameters) else a for a in (x, targets))
        return x, targets, checks.sample_weights(sample_weight, len(x), self.dtype)

    def _generator(self) -> np.random.Generator:
        """The random generator; in a forked child a new one, for a thread of the parent may have held its lock."""
        if self._process != os.getpid():
            inherited = self._rng.bit_generator
            own = type(inherited)()
            own.state = inherited.state
            self._rng, self._process = np.random.Generator(own), os.getpid()
        return self._rng

    # description

    def __repr__(self) -> str:
        what = self._architecture
        facts = [
            what.loss_in_words(),
            *what.dropout_in_words(),
            f"{self.n_parameters:,} parameters" + ("" if self.bias else " without biases"),
            f"{self.dtype}",
            f"build {self._build_name}",
        ]
        return f"MLP({what.layers_in_words()}; {', '.join(facts)})"

    def summary(self) -> str:
        """A table of the layers: inputs, outputs, activation and number of parameters.

        Returns
        -------
        str
        """
        line = "{:>5}  {:>9}  {:>9}  {:<11}  {:>12}".format
        rows = [line("layer", "inputs", "outputs", "activation", "parameters")]
        what = self._architecture
        layers = zip(pairwise(self.sizes), what.layer_activations, strict=True)
        for number, ((n_in, n_out), name) in enumerate(layers, start=1):
            rows.append(line(number, f"{n_in:,}", f"{n_out:,}", name, f"{(n_in + self.bias) * n_out:,}"))
        rows.append(line("", "", "", "total", f"{self.n_parameters:,}"))
        size = f"{self.parameters.nbytes:,} bytes"
        facts = [f"loss {what.loss_in_words()}", *what.dropout_in_words(), f"{self.dtype}", size]
        return "\n".join([*rows, ", ".join([*facts, f"build {self._build_name}"])])

    # copies and pickles

    def __getstate__(self) -> dict[str, Any]:
        made_again = ("_architecture", "_network", "_build_name")
        state = {key: value for key, value in self.__dict__.items() if key not in made_again}
        moments = None if self._optimizer is None else self._network.optimizer_state
        state |= {"parameters": self.parameters.copy(), "optimizer_state": moments}
        return self._architecture.state() | state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        parameters, optimizer_state, optimizer = (
            state.pop(key) for key in ("parameters", "optimizer_state", "_optimizer")
        )
        self._architecture = Architecture.taken_from(state)
        self.__dict__.update(state)
        self._build()
        self._optimizer = optimizer
        self.parameters[...] = parameters
        if optimizer is not None:
            self._network.optimizer_state = optimizer_state
