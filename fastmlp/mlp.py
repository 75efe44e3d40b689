"""MLP: the public face of the network. It checks, chooses and records; the core computes.

Layers are numbered 1..L as in docs/architecture.md: A^0 = X, Z^l = A^(l-1) W^l + b^l, A^l = g^l(Z^l).
"""

from __future__ import annotations  # numpy.random is first imported when it is used: it takes 15 ms

import math
import os
from collections.abc import Iterable, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastmlp import builds, checks, formulas
from fastmlp import threads as threads_now
from fastmlp.architecture import Architecture
from fastmlp.carried import Carried
from fastmlp.formulas import ActivationName, Array, LossName, OutputName
from fastmlp.forward import Forward
from fastmlp.history import Callback, History
from fastmlp.initializers import DEFAULTS, INITIALIZERS, InitializerName
from fastmlp.messages import not_installed, warn
from fastmlp.optimizers import Optimizer, OptimizerName, Steps
from fastmlp.optimizers import optimizer as as_optimizer
from fastmlp.progress import progress as as_progress
from fastmlp.schedules import Schedule, ScheduleName
from fastmlp.threads import get_num_threads
from fastmlp.threads import threads as as_threads
from fastmlp.trace import Trace
from fastmlp.trace import trace as _trace
from fastmlp.training import (
    EPOCHS_BEFORE_A_HINT,
    Data,
    FitCallbacks,
    Metric,
    Plan,
    Run,
    hint_at_the_scale,
    scheduled_steps,
    split_rows,
    train,
)
from fastmlp.training import callbacks as as_callbacks

if TYPE_CHECKING:
    import torch

    from fastmlp.diagnosis import Diagnosis
    from fastmlp.explanation import Explanation


MAX_SHUFFLED = 2**32 - 1  # rows, whose numbers the core draws


def _draw_seed(rng: np.random.Generator) -> int:
    """64 bits, from which a net draws the order of its samples, those held out, and dropout."""
    return int(rng.integers(2**64, dtype=np.uint64))


_check_hyperparameters = lru_cache(checks.hyperparameters)  # an optimizer does not change


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


class MLP(Carried):
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
    label_smoothing : float
        Of the losses cross_entropy and binary_cross_entropy, in [0, 1): e in targets (1 - e) y + e / K (Szegedy et
        al. 2016), in place of y, in `fit`, `evaluate`, `gradient` and all others. K are the outputs, or for
        binary_cross_entropy the two classes of each.
    dropout : float or sequence of float
        Of the hidden layers, one number for all or one for each, in [0, 1): the probability with which a step of
        `fit` leaves a unit out (Srivastava et al. 2014). The others are multiplied by 1 / (1 - dropout) there, and
        elsewhere all of them answer.
    input_scale : bool
        Whether each input is multiplied by a factor of its own before the first layer, at first 1, which is trained
        like the weights, but without penalties and weight decay: X diag(s) W^1. What the net leaves for other
        languages has diag(s) W^1 in one. See `MLP.input_scale` and `MLP.input_scale_rate`.
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
        label_smoothing: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        input_scale: bool = False,
        dtype: builds.DType | np.dtype[Any] | type[np.floating[Any] | float] = "float32",
        init: InitializerName | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        if init is not None:
            checks.choice("init", init, INITIALIZERS)
        architecture = Architecture.of(
            sizes, activations=activation, output=output, loss=loss, bias=bias, negative_slope=negative_slope,
            huber_delta=huber_delta, quantile=quantile, label_smoothing=label_smoothing, dropout=dropout,
            input_scale=input_scale, dtype=dtype,
        )  # fmt: skip
        rng = self._start(architecture, seed)
        for W, name in zip(self.weights, architecture.layer_activations, strict=True):
            W[...] = INITIALIZERS[init or DEFAULTS.get(name, "glorot_uniform")](rng, *W.shape)
        if architecture.input_scale:
            self.input_scale = np.ones(self.sizes[0])
        self._seed = _draw_seed(rng)

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
        label_smoothing: float = 0.0,
        dropout: float | Sequence[float] = 0.0,
        input_scale: ArrayLike | None = None,
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
        input_scale : array_like of shape (n_in,), optional
            The factor of each input; None for a net without.
        activation, output, loss, negative_slope, huber_delta, quantile, label_smoothing, dropout, dtype, seed
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
            label_smoothing=label_smoothing, dropout=dropout, input_scale=input_scale is not None, dtype=dtype,
        )  # fmt: skip
        net = cls.__new__(cls)
        net._seed = _draw_seed(net._start(architecture, seed))
        if input_scale is not None:
            net.input_scale = input_scale
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

    @classmethod
    def from_torch(
        cls,
        module: torch.nn.Module,
        *,
        loss: LossName | None = None,
        huber_delta: float = 1.0,
        quantile: float = 0.5,
        label_smoothing: float = 0.0,
        dtype: builds.DType | np.dtype[Any] | type[np.floating[Any] | float] | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> MLP:
        """The net that a module of PyTorch is, with copies of its parameters.

        Parameters
        ----------
        module : torch.nn.Sequential or torch.nn.Linear
            Of Linear, of ReLU, Sigmoid, Tanh, LeakyReLU, ELU, SELU, Softplus, GELU, SiLU, Mish, Identity, of Dropout,
            of Flatten as it is by default, which changes no rows, and of Softmax at the end; Sequentials may be in
            it. One that ends in logits, as for CrossEntropyLoss, is a net whose outputs are logits: give
            Sequential(module, Softmax(dim=-1)) for probabilities, or with Sigmoid() for those of BCEWithLogitsLoss.
        loss, huber_delta, quantile, label_smoothing, seed
            As for `MLP`.
        dtype : {"float32", "float64"}, optional
            By default that of the module; float32 for float16 and bfloat16.

        Returns
        -------
        MLP
            The identity is between two Linears in a row. If some of them have biases, the others have zeros. All
            layers are trainable, and weights that two of them share are two from here on.

        Raises
        ------
        ValueError
            If the module has what no net has, all of which is listed with its place: another module, whose forward
            is not known, another form of an activation, a LogSoftmax, dropout of inputs or outputs, sizes that do
            not follow each other, values that are not finite.
        TypeError
            If it is no module.
        ImportError
            If torch is not installed.

        Examples
        --------
        >>> import fastmlp, torch
        >>> module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.GELU(), torch.nn.Linear(8, 2))
        >>> net = fastmlp.MLP.from_torch(module, loss="huber")
        >>> net.sizes, net.activation
        ((4, 8, 2), ('gelu',))
        """
        from fastmlp.torch_modules import from_torch

        return from_torch(
            cls, module, dtype, loss=loss, huber_delta=huber_delta, quantile=quantile,
            label_smoothing=label_smoothing, seed=seed,
        )  # fmt: skip

    @classmethod
    def from_sklearn(cls, model: Any) -> MLP:
        """The net of a fitted estimator, with copies of its parameters.

        Parameters
        ----------
        model : MLPClassifier or MLPRegressor
            Of `sklearn.neural_network`, or of fastmlp, whose `to_mlp` it is.

        Returns
        -------
        MLP
            In the dtype of `coefs_`. Its outputs are the numbers of a regression, or probabilities: of the second of
            two classes, of each class or label else. Its loss is the one of the estimator.

        Raises
        ------
        ValueError
            If a weight or a bias is not finite, or `coefs_` and `intercepts_` are not of the inputs and outputs of
            the model; an estimator of fastmlp as `to_mlp` says.
        sklearn.exceptions.NotFittedError
            If the model is not fitted.
        TypeError
            If the model is of another class.
        ImportError
            If scikit-learn is not installed.

        Examples
        --------
        >>> import fastmlp
        >>> from sklearn.neural_network import MLPClassifier
        >>> model = MLPClassifier((3,), solver="lbfgs", random_state=0).fit([[0.0], [1.0], [2.0]], ["a", "b", "c"])
        >>> net = fastmlp.MLP.from_sklearn(model)
        >>> net.sizes, net.output, net.loss
        ((1, 3, 3), 'softmax', 'cross_entropy')
        """
        try:
            from fastmlp.sklearn_models import from_sklearn
        except ModuleNotFoundError as missing:
            raise not_installed("MLP.from_sklearn", "scikit-learn", "sklearn", missing) from missing
        return from_sklearn(cls, model)

    def _start(self, architecture: Architecture, seed: Any) -> np.random.Generator:
        """Begin as a net of that architecture, all parameters zero; the generator of the seed."""
        self._architecture = architecture
        self._epochs = 0  # how often the order of samples, or dropout, was drawn
        try:
            rng = np.random.default_rng(seed)
        except (TypeError, ValueError) as problem:
            raise type(problem)(f"seed is {seed!r}; expected an integer >= 0, a Generator or None") from None
        self._build()
        return rng

    def _build(self) -> None:
        """Make the network of the architecture, all parameters zero."""
        self._network = self._architecture.network(builds.network(self.dtype.type.__name__))
        self._build_name = builds.current()
        self._optimizer: Optimizer | None = None
        self._drops = any(self._architecture.dropout)

    # what the net is

    sizes = property(lambda self: self._architecture.sizes, doc="tuple of int: neurons of each layer, inputs first.")
    activation = property(
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
    label_smoothing = property(
        lambda self: self._architecture.label_smoothing, doc="float: share of a target that all classes have alike."
    )
    dropout = property(
        lambda self: self._architecture.dropout,
        doc="tuple of float: for each hidden layer, how likely a step leaves a unit out.",
    )
    dtype = property(lambda self: self._architecture.dtype, doc="numpy.dtype: of parameters and results.")

    _history: History | None = None  # of a net that was never trained, and of older pickles
    history = property(lambda self: self._history, doc="History or None: what the last `fit` saw.")

    # parameters

    @property
    def parameters(self) -> Array:
        """The flat, live view (n_parameters,) of all parameters: W^1 by rows, b^1, W^2, ... Assigning copies in.

        Those of a net with an input_scale begin with it.
        What `fit` computes is in it when a callback is called, and at the end.
        """
        return self._network.parameters[:]

    @parameters.setter
    def parameters(self, flat: ArrayLike) -> None:
        self.parameters[...] = checks.shaped("parameters", flat, self.parameters.shape, self.dtype)

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases, and of the factors of an input_scale."""
        return self._network.parameters.size

    @property
    def weights(self) -> list[Array]:
        """Live views of W^1..W^L, each (n_in, n_out). Assigning a list, or an element, copies values in.

        What is written through a view is not checked; `fit`, `evaluate` and `gradient` refuse NaN and infinity.
        """
        return _Views("weights", self._layer_views(self._network.parameters)[0])

    @weights.setter
    def weights(self, given: Sequence[ArrayLike]) -> None:
        self._assign("weights", given)

    @property
    def biases(self) -> list[Array]:
        """Live views of b^1..b^L, each (n_out,); empty without biases. Assigning copies values in."""
        return _Views("biases", self._layer_views(self._network.parameters)[1])

    @biases.setter
    def biases(self, given: Sequence[ArrayLike]) -> None:
        self._assign("biases", given)

    @property
    def input_scale(self) -> Array | None:
        """Live view (n_in,) of the factors of the inputs; None without. Assigning copies values in."""
        return self.parameters[: self.sizes[0]] if self._architecture.input_scale else None

    @input_scale.setter
    def input_scale(self, given: ArrayLike) -> None:
        view = self.input_scale
        if view is None:
            raise ValueError("the net has no input_scale to assign to; expected one made with input_scale=True")
        view[...] = checks.shaped("input_scale", given, view.shape, self.dtype)

    def _layer_views(self, flat: Array) -> tuple[list[Array], list[Array]]:
        """Views (weights, biases) of the dense layers into an array that is laid out as `parameters`."""
        weights, biases = self._network.views(flat)
        first = int(self._architecture.input_scale)
        return weights[first:], biases[first:]

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
        if not self._network.is_finite():
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
        warn(f"{what} left the range of {self.dtype}; scaled inputs or dtype='float64' may help", RuntimeWarning)

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
        data = self._data(X, y, sample_weight, single=True)
        self._check_parameters()
        return self._gradient(self._network.gradient, *data, np.ndim(X) == 1)

    def _gradient(self, of: Any, x: Array, targets: Array, w: Array | None, single: bool) -> Gradient:
        """What `Network.gradient` or `Network.vjp` gives."""
        flat, inputs = np.empty(self.n_parameters, self.dtype), np.empty(x.shape, self.dtype)
        loss = of(x, targets, w, flat, inputs, get_num_threads())
        if not (math.isfinite(loss) and self._network.is_finite(flat) and self._network.is_finite(inputs)):
            self._warn_of_overflow("the loss or its gradient")
        weights, biases = self._layer_views(flat)
        return Gradient(loss, weights, biases, inputs[0] if single else inputs, flat)

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
        metric: Literal["accuracy"] | Metric | None = None,
        schedule: ScheduleName | Schedule | None = None,
        dropout_schedule: ScheduleName | Schedule | None = None,
        weight_decay_schedule: ScheduleName | Schedule | None = None,
        average: float | None = None,
        max_time: float | None = None,
        callbacks: Callback | Iterable[Callback] = (),
        batch_callbacks: Callback | Iterable[Callback] = (),
        progress: bool | str = False,
        threads: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: float | None = None,
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
        metric : "accuracy" or callable, optional
            What says which epoch was the best, in place of the loss: the accuracy of the validation rows, of a net
            that classifies (softmax, or one sigmoid), or metric(y, outputs) of them, a float that is greater for
            better: y are labels (m,) or rows (m, n_out) as the net takes them, outputs (m, n_out) what it predicts.
            The net ends with the weights of its best epoch, the last of several; patience counts the epochs in a row
            without a better metric. A callable is called after each epoch. Needs validation.
        schedule : {"constant", "cosine", "step", "one_cycle", "coslog4", "flat_cosine"} or callable, optional
            By what factor the learning rate of each step is multiplied: a name, an instance as
            `schedules.Cosine(warm_up=0.1)`, or any callable from the progress of steps (an array, 0 to 1) to factors.
        dropout_schedule, weight_decay_schedule : optional
            The same for the probabilities of dropout, and for the weight_decay of the optimizer. Where there is
            neither to multiply, they are refused.
        average : float, optional
            Keep an exponential moving average of the parameters beside them (Polyak and Juditsky 1992), of which so
            much stays in each step, above 0 and below 1: 0.99, say, is a mean over the last 100 steps. It begins with
            the first step, and has no bias towards the initial weights: those after step s of t count
            d^(t - s) (1 - d) / (1 - d^t), d = average. Validation, patience and the net that `fit` leaves are those
            of the average; callbacks and checkpoints see the weights that the steps move, and so does an exception.
        max_time : float, optional
            Seconds after which training ends, within an epoch if need be; > 0.
        callbacks : callable or iterable of callables
            Called as callback(net, history) after each epoch; a true answer stops. They may use the net, copy it, and
            train it.
        batch_callbacks : callable or iterable of callables
            The same after each step, whose loss is `history.batch_loss`; a true answer stops at once. A step in
            Python costs more than a small one of the core.
        progress : bool or "tqdm"
            Whether to show a line with epoch, loss, validation and samples/s on standard error; "tqdm" for a bar of
            that package, where it is installed.
        threads : int, optional
            At most so many threads, instead of `fastmlp.get_num_threads()`. The results are the same.
        checkpoint : path-like, optional
            A file to which the net and all that the rest of the fit depends on are written, when the fit begins, at
            the end of some epochs, and when it ends: `fastmlp.resume` goes on from there if the process is stopped.
        checkpoint_every : int or float, optional
            How often: an int is epochs, a float seconds, after which the end of an epoch is waited for: 10 is ten
            epochs, 10.0 ten seconds. A minute by default.

        Returns
        -------
        History

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above; the net is as it was. A schedule is asked for each epoch when it
            begins: one that fails later ends the fit there.
        OSError
            If the first checkpoint cannot be written; as a FileExistsError, before anything has changed, if the file
            is none of fastmlp's, or has a fit that has not ended.

        Warns
        -----
        RuntimeWarning
            If the loss or a parameter stops being finite: the net keeps the weights from the start of that epoch, or
            with patience or tol its best ones, and the optimizer starts afresh next time. If a regression of 10
            epochs or more ends hardly better than a constant, on targets that are large or small. If a later
            checkpoint cannot be written.

        Notes
        -----
        Ctrl-C raises KeyboardInterrupt between two steps and leaves the weights of the last one. Rows that are drawn
        for validation are the same in the next call with as many rows.
        """
        plan = self._plan(
            X, y, epochs, batch_size, optimizer, shuffle, sample_weight, validation, patience, tol, metric, schedule,
            dropout_schedule, weight_decay_schedule, average, max_time, callbacks, batch_callbacks, progress, threads,
            checkpoint, checkpoint_every,
        )  # fmt: skip
        return self._train(plan)

    def _plan(
        self, X: Any, y: Any, epochs: Any, batch_size: Any, optimizer: Any, shuffle: Any, sample_weight: Any,
        validation: Any, patience: Any, tol: Any, metric: Any, schedule: Any, dropout_schedule: Any,
        weight_decay_schedule: Any, average: Any, max_time: Any, callbacks: Any, batch_callbacks: Any, progress: Any,
        threads: Any, checkpoint: Any = None, checkpoint_every: Any = None,
    ) -> Plan:  # fmt: skip
        """What `fit` is asked for, checked; nothing has changed yet."""
        began = perf_counter()
        data = self._data(X, y, sample_weight)
        whole, validated, n_rows, rows = data, None, len(data[0]), None
        epochs = checks.integer("epochs", epochs, 1)
        size = None if batch_size is None else checks.integer("batch_size", batch_size, 1)
        method = self._checked_optimizer(optimizer)
        n_patience = 0 if patience is None else checks.integer("patience", patience, 1)
        least = 0.0 if tol is None else checks.number("tol", tol, least=0)
        shuffle = checks.boolean("shuffle", shuffle)
        seconds = None if max_time is None else checks.number("max_time", max_time, above=0)
        calls, batch_calls = as_callbacks("callbacks", callbacks), as_callbacks("batch_callbacks", batch_callbacks)
        n_threads = as_threads(threads)
        self._check_parameters()
        run = Run(self._seed, self._epochs, np.empty(self.n_parameters, self.dtype), tol=least)
        if isinstance(validation, (tuple, list)):
            if len(validation) != 2:
                raise ValueError(f"validation has {len(validation)} elements; expected (X, y)")
            validated = self._data(validation[0], validation[1], None, " of validation")
            run.validation, run.validation_rows = validated, len(validated[0])
        elif validation is not None:
            run.validation_rows = checks.validation_rows(validation, n_rows)
            n_rows -= run.validation_rows
            data, rows, run.validation = self._split(data, run.validation_rows, shuffle)
        steps = Steps(min(size or n_rows, n_rows), method)
        if shuffle and steps.batch_size < n_rows:
            if n_rows > MAX_SHUFFLED:
                raise ValueError(f"X has {n_rows} rows; expected at most {MAX_SHUFFLED} to shuffle, or shuffle=False")
            run.order = np.empty(n_rows, np.int64)
        if n_patience or tol is not None:
            run.patience = max(1, n_patience)
        if metric is not None:
            run.criterion = self._criterion(metric, run)
        if run.patience or metric is not None:
            run.best = np.empty_like(run.before)
        if average is not None:
            run.average = checks.number("average", average, above=0, below=1)
            run.averaged = self.parameters.copy()
            run.average_room = np.empty((2, self.n_parameters), self.dtype)
        run.wants_accuracy = run.validation is not None and self._architecture.classifies
        if dropout_schedule is not None and not self._drops:
            raise ValueError(f"dropout_schedule is {dropout_schedule!r} for a net without dropout; expected None")
        if weight_decay_schedule is not None and method.weight_decay == 0:
            raise ValueError(
                f"weight_decay_schedule is {weight_decay_schedule!r} for an optimizer whose weight_decay is 0; "
                "expected None, or one with a weight_decay"
            )
        scheduled = {"schedule": schedule, "dropout_schedule": dropout_schedule}
        scheduled |= {"weight_decay_schedule": weight_decay_schedule}
        scheduled = {name: given for name, given in scheduled.items() if given is not None}
        scheduled_steps(steps, scheduled, (0, 1, epochs, steps.per_epoch(n_rows)), self.dropout)  # whether they are
        line = None if progress is False else as_progress(progress, epochs)
        before, after = partial(self._show, run), partial(self._look_at, run)
        watch = FitCallbacks(self, before, after, began, seconds, calls, batch_calls, line)
        plan = Plan(
            data, rows, steps, run, epochs, n_threads, scheduled, watch, patience is None, self.dropout,
            metric if callable(metric) else None,
        )  # fmt: skip
        if checkpoint is None and checkpoint_every is None:
            return plan
        from fastmlp import checkpoints

        arguments = (
            epochs, size, method, shuffle, validation, patience, tol, schedule, max_time, average, dropout_schedule,
            weight_decay_schedule, metric,
        )  # fmt: skip
        written = checkpoints.of_net(self, whole, validated, checkpoint, checkpoint_every, arguments)
        return plan._replace(checkpoints=written)

    def _criterion(self, metric: Any, run: Run) -> str:
        """What `Run.criterion` is, of a metric of `fit`."""
        if not callable(metric) and not (isinstance(metric, str) and metric == "accuracy"):
            kind = ValueError if isinstance(metric, str) else TypeError
            raise kind(f"metric is {metric!r}; expected 'accuracy', a callable taking (y, outputs), or None")
        if run.validation is None:
            raise ValueError(f"metric is {metric!r} without validation; expected validation, too, or None")
        if callable(metric):
            return "metric"
        if not self._architecture.classifies:
            raise ValueError(
                f"metric is 'accuracy' with {self.sizes[-1]} {self.output} outputs; expected softmax or one sigmoid, "
                "or a callable"
            )
        return "accuracy"

    def _train(self, plan: Plan, goes_on: bool = False) -> History:
        """Do what was planned, or the rest of it, with the optimizer's state as it is."""
        run, history = plan.run, plan.callbacks.history
        if not goes_on:
            self._use_optimizer(plan.steps.optimizer)
        try:
            train(self._network, plan)
        finally:
            self._epochs = run.number
            if history.epochs > 0:  # else nothing has happened
                self._history = history
        if run.stop == "diverged":
            kept_weights = "its best weights so far" if run.best_loss < math.inf else "the last finite weights"
            warn(
                f"training diverged at epoch {history.epochs + 1} (loss {run.diverged_loss}): the net keeps "
                f"{kept_weights}; a smaller learning rate or scaled inputs may help",
                RuntimeWarning,
            )
        elif history.epochs >= EPOCHS_BEFORE_A_HINT and self.output == "identity":
            _, targets, w = plan.data
            rows = slice(None) if plan.rows is None else plan.rows
            reached, parameters = min(history.loss), list(self._architecture.loss_parameters.values())
            advice = "divide it by that, or use MLPRegressor with scale='standard'"
            weights = None if w is None else w[rows]
            hint_at_the_scale(self.loss, parameters, reached, targets[rows], weights, advice, RuntimeWarning)
        if plan.checkpoints is not None:
            plan.checkpoints.write(history.epochs, (run, history), over=True)
        return history

    def _show(self, run: Run) -> None:
        """Be what a copy goes on from in the middle of a fit."""
        self._epochs = run.number

    def _look_at(self, run: Run) -> None:
        """Look at what callbacks have left, which may have trained the net."""
        self._check_parameters()
        run.number = self._epochs

    def _split(self, data: Data, n_validation: int, shuffle: bool) -> tuple[Data, Array | None, Any]:
        """The data with the weights of those that are trained with, their rows, and what `Run.validation` takes."""
        x, targets, w = data
        rows: Array | None = None
        at = len(x) - n_validation
        validation: Any = (x[at:], targets[at:], None)
        if shuffle:
            rows, held_out = split_rows(len(x), n_validation, self._seed)
            validation = x, targets, held_out
        else:
            x, targets, w = x[:at], targets[:at], None if w is None else w[:at]
        if w is not None:
            largest = w.max() if rows is None else w[rows].max()
            if largest == 0:
                raise ValueError("sample_weight is zero for every row that validation leaves to train on")
            with np.errstate(over="ignore"):  # of rows that are not trained with
                w = w / largest
        return (x, targets, w), rows, validation

    # loops of one's own

    def step(
        self,
        X: ArrayLike,
        y: ArrayLike,
        optimizer: OptimizerName | Optimizer = "adam",
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """One step of an optimizer, from the mean loss over all of X.

        Parameters
        ----------
        X, y, sample_weight
            As for `evaluate`, but X of two dimensions.
        optimizer : {"adam", "adamw", "rmsprop", "sgd"}, Adam, AdamW, RMSprop or SGD
            A name takes the default hyperparameters. The state of an equal optimizer is continued, also of one that
            `fit` or `update` was given; that of another is forgotten.

        Returns
        -------
        float
            The mean loss before the step.

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above; the net is as it was.

        Warns
        -----
        RuntimeWarning
            If the loss is not finite, and no step is made; or if the step leaves parameters that are not.

        Examples
        --------
        >>> import fastmlp
        >>> net = fastmlp.MLP([1, 1], seed=0)
        >>> losses = [net.step([[0.0], [1.0]], [1.0, 3.0], fastmlp.SGD(0.5)) for _ in range(100)]
        >>> net.predict([[2.0]]).round(2).tolist()
        [[5.0]]
        """
        x, targets, w = self._data(X, y, sample_weight)
        method = self._checked_optimizer(optimizer)
        self._check_parameters()
        self._use_optimizer(method)
        seed = 0
        if self._drops:
            seed, self._epochs = formulas.seed_of_epoch(self._seed, self._epochs), self._epochs + 1
        steps = Steps(len(x), method, 0.0, None, seed)
        loss = self._network.train(x, targets, w, None, steps, get_num_threads())
        assert loss is not None  # as it is without a Run
        if not math.isfinite(loss):
            self._warn_of_overflow("no step was made: the loss")
        elif not self._network.is_finite():
            self._warn_of_overflow("the step was too large: parameters")
        return loss

    def update(self, flat_gradient: ArrayLike, optimizer: OptimizerName | Optimizer = "adam") -> None:
        """One step of an optimizer, from a gradient that came from anywhere.

        Parameters
        ----------
        flat_gradient : array_like of shape (n_parameters,)
            The derivative of what is to fall by each of `parameters`, as `Gradient.flat`. Penalties, weight decay and
            clip_norm of the optimizer come on top.
        optimizer : {"adam", "adamw", "rmsprop", "sgd"}, Adam, AdamW, RMSprop or SGD
            As for `step`.

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above, or the gradient not finite; the net is as it was.

        Warns
        -----
        RuntimeWarning
            If the step leaves parameters that are not finite.
        """
        gradient: Any = flat_gradient
        shape = self._network.parameters.shape
        ready = type(gradient) is np.ndarray and gradient.dtype == self.dtype and gradient.shape == shape
        if not (ready and gradient.flags.carray and self._network.is_finite(gradient)):
            gradient = checks.shaped("flat_gradient", gradient, shape, self.dtype)
        method = self._checked_optimizer(optimizer)
        self._check_parameters()
        self._use_optimizer(method)
        self._network.update(gradient, method, get_num_threads())
        if not self._network.is_finite():
            self._warn_of_overflow("the step was too large: parameters")

    def vjp(self, X: ArrayLike, dY: ArrayLike, sample_weight: ArrayLike | None = None) -> Gradient:
        """The gradient of any loss whose derivative by the outputs is known: a vector-Jacobian product.

        Parameters
        ----------
        X : array_like of shape (m, n_in) or (n_in,)
            Samples in rows, or one sample.
        dY : array_like of shape (m, n_out), or (m,) for one output; without the m for one sample
            The derivative of the loss by each of the outputs that `predict` gives; of a mean over the rows, with its
            1 / m in it.
        sample_weight : array_like of shape (m,), optional
            Factors of the rows of dY, of any sign: the advantages of a policy gradient, say.

        Returns
        -------
        Gradient
            Of the sum of dY * outputs, which is its `loss`.

        Raises
        ------
        ValueError, TypeError
            If an argument is not of the form above.

        Examples
        --------
        The gradient of the mean squared error, which is the sum of its error times 2 / m:

        >>> import numpy as np, fastmlp
        >>> net, X, y = fastmlp.MLP([2, 1], seed=0, dtype="float64"), np.eye(2), np.ones((2, 1))
        >>> one = net.vjp(X, 2 * (net.predict(X) - y) / len(X))
        >>> other = fastmlp.MLP.from_parameters(net.weights, net.biases, loss="squared_error", dtype="float64")
        >>> np.allclose(one.flat, other.gradient(X, y).flat)
        True
        """
        ready = self._network.ready(X, dY, True)
        if ready is None:
            x = checks.inputs(X, self.sizes[0], self.dtype, single=True)
            given = checks.finite("dY", dY, self.dtype)
            rows = 1 if x.ndim == 1 else len(x)
            shapes = [(rows, self.sizes[-1]), *([(rows,)] if self.sizes[-1] == 1 else [])]
            if x.ndim == 1:
                x, shapes = x[None], [shape[1:] for shape in shapes]
            if given.shape not in shapes:
                expected = " or ".join(map(str, shapes))
                raise ValueError(f"dY has shape {given.shape} for X of shape {np.shape(X)}; expected {expected}")
            x, given = (self._apart(a) for a in (x, given.reshape(rows, self.sizes[-1])))
        else:
            x, given = ready
        w = sample_weight
        if w is not None:
            w = checks.shaped("sample_weight", w, (len(x),), self.dtype)
        self._check_parameters()
        return self._gradient(self._network.vjp, x, given, w, np.ndim(X) == 1)

    def activations(self, X: ArrayLike) -> list[Array]:
        """A^1..A^L, the outputs of every layer.

        Parameters
        ----------
        X : array_like of shape (m, n_in) or (n_in,)
            Samples in rows, or one sample.

        Returns
        -------
        list of ndarray
            (m, n_l) for each layer, without the m for one sample; the last is what `predict` gives.

        Raises
        ------
        ValueError, TypeError
            If X is not of the form above.
        """
        return self._activations(X, 0, len(self.sizes) - 1)

    def transform(self, X: ArrayLike, layer: int = -1) -> Array:
        """Activations of a hidden layer.

        Parameters
        ----------
        X : array_like of shape (m, n_in) or (n_in,)
            Samples in rows, or one sample.
        layer : int
            Which hidden layer, the first being 0; -1 is the last.

        Returns
        -------
        ndarray of shape (m, neurons of that layer), without the m for one sample

        Raises
        ------
        ValueError, TypeError
            If X is not of the form above, or there is no such layer.
        """
        at = checks.layer(layer, len(self.sizes) - 2)
        return self._activations(X, at, at + 1)[0]

    def _activations(self, X: ArrayLike, first: int, end: int) -> list[Array]:
        x, below = self._inputs(X), int(self._architecture.input_scale)
        arrays = self._network.activations_of(x, below + first, below + end, get_num_threads())
        if not all(map(self._network.is_finite, arrays)):
            self._check_parameters()
            self._warn_of_overflow("activations")
        return arrays if np.ndim(X) == 2 else [array[0] for array in arrays]

    def jacobian(self, X: ArrayLike) -> Array:
        """The derivative of every output by every input.

        Parameters
        ----------
        X : array_like of shape (m, n_in) or (n_in,)
            Samples in rows, or one sample.

        Returns
        -------
        ndarray of shape (m, n_out, n_in), without the m for one sample
            Of what `predict` gives: of probabilities, for softmax.

        Raises
        ------
        ValueError, TypeError
            If X is not of the form above.
        """
        x = self._inputs(X)
        self._check_parameters()
        jacobian = np.empty((len(x), self.sizes[-1], self.sizes[0]), self.dtype)
        self._network.jacobian(x, jacobian, get_num_threads())
        if not self._network.is_finite(jacobian):
            self._warn_of_overflow("the Jacobian matrix")
        return jacobian if np.ndim(X) == 2 else jacobian[0]

    def input_gradient(self, X: ArrayLike) -> Array:
        """How the outputs change with each input: `jacobian`, without the axis of outputs where there is one.

        Parameters
        ----------
        X : array_like of shape (m, n_in) or (n_in,)
            Samples in rows, or one sample.

        Returns
        -------
        ndarray of shape (m, n_in), or (m, n_out, n_in) for several outputs; without the m for one sample

        Raises
        ------
        ValueError, TypeError
            If X is not of the form above.
        """
        jacobian = self.jacobian(X)
        return jacobian if self.sizes[-1] > 1 else jacobian[..., 0, :]

    # what is trained

    @property
    def trainable(self) -> tuple[bool, ...]:
        """For each layer, whether steps move its weights and biases; assign a list to freeze layers.

        A frozen layer is skipped on the way back, with all below it if these are frozen, too. `gradient` and `vjp`
        have its derivatives none the less. Not all layers can be frozen.
        """
        return tuple(one for *_, one in self._layer_groups()[:: 1 + self.bias])

    @trainable.setter
    def trainable(self, given: Sequence[bool]) -> None:
        each = [checks.boolean(f"trainable[{i}]", one) for i, one in enumerate(self._one_a_layer("trainable", given))]
        if not any(each):
            raise ValueError(f"trainable is {each}, so that nothing would be trained; expected a True")
        self._set_groups(each, self.rate_factors)

    @property
    def rate_factors(self) -> tuple[tuple[float, float], ...]:
        """For each layer, what the learning rate of its weights and that of its biases are multiplied by.

        Assign a list of pairs of numbers >= 0. AdamW's decay follows the rate.
        """
        factors = [factor for *_, factor, _ in self._layer_groups()]
        return tuple(zip(factors[::2], factors[1::2], strict=True)) if self.bias else tuple((f, 1.0) for f in factors)

    @rate_factors.setter
    def rate_factors(self, given: Sequence[tuple[float, float]]) -> None:
        each = []
        for i, pair in enumerate(self._one_a_layer("rate_factors", given)):
            factors = list(pair) if isinstance(pair, Sequence) and not isinstance(pair, str) else []
            if len(factors) != 2:
                raise ValueError(f"rate_factors[{i}] is {pair!r}; expected two numbers, for weights and biases")
            both = [checks.number(f"rate_factors[{i}][{j}]", factor, least=0) for j, factor in enumerate(factors)]
            if not self.bias and both[1] != 1:
                raise ValueError(f"rate_factors[{i}][1] is {both[1]}; expected 1, for the net has no biases")
            for j, factor in enumerate(both):
                checks.rounded(f"rate_factors[{i}][{j}]", factor, self.dtype)
            each.append((both[0], both[1]))
        self._set_groups(self.trainable, each)

    @property
    def input_scale_rate(self) -> float:
        """What the learning rate of the input_scale is multiplied by; 1 at first, and for a net without.

        Assign a number >= 0; 0 leaves the factors as they are.
        """
        return float(self._network.groups[0][3]) if self._architecture.input_scale else 1.0

    @input_scale_rate.setter
    def input_scale_rate(self, given: float) -> None:
        factor = checks.number("input_scale_rate", given, least=0)
        checks.rounded("input_scale_rate", factor, self.dtype)
        if self._architecture.input_scale:
            self._network.set_group(0, factor, True)
        elif factor != 1:
            raise ValueError(f"input_scale_rate is {given!r} for a net without an input_scale; expected 1")

    def _layer_groups(self) -> tuple[tuple[Any, ...], ...]:
        """The parameter groups of the dense layers: see `Network.groups`."""
        groups: tuple[tuple[Any, ...], ...] = self._network.groups[int(self._architecture.input_scale) :]
        return groups

    def _one_a_layer(self, name: str, given: Any) -> list[Any]:
        each, n = checks.sequence(name, given), len(self.sizes) - 1
        if len(each) != n:
            raise ValueError(f"{name} has {len(each)} elements; expected {n}, one for each layer")
        return each

    def _set_groups(self, trainable: Sequence[bool], rate_factors: Sequence[tuple[float, float]]) -> None:
        """Which layers steps move, and at what rates."""
        groups, first = 1 + self.bias, int(self._architecture.input_scale)
        for layer, (moves, factors) in enumerate(zip(trainable, rate_factors, strict=True)):
            for group in range(groups):
                self._network.set_group(first + groups * layer + group, factors[group], moves)

    def _checked_optimizer(self, given: Any) -> Optimizer:
        """The optimizer of an argument."""
        method = as_optimizer(given)
        if method is not self._optimizer:
            _check_hyperparameters(method, self.dtype)
        return method

    def _use_optimizer(self, method: Optimizer) -> None:
        """Go on with the state of an equal optimizer, or begin with that of a new one."""
        if method is not self._optimizer and method != self._optimizer:
            self._network.reset_optimizer()
        self._optimizer = method

    def _data(
        self, X: Any, y: Any, sample_weight: Any, of: str = "", single: bool = False
    ) -> tuple[Array, Array, Array | None]:
        """X, y and sample_weight as the core takes them; with `single` X may be one sample."""
        ready = self._network.ready(X, y)
        if ready is None:
            x = checks.inputs(X, self.sizes[0], self.dtype, "X" + of, single)
            if x.ndim == 1:
                x, y = x[None], checks.one_target(y, self.sizes[-1])
            targets = checks.targets(y, len(x), self.sizes[-1], self.output, self.loss, self.dtype, "y" + of)
            x, targets = self._apart(x), self._apart(targets)
        else:
            x, targets = ready
        return x, targets, checks.sample_weights(sample_weight, len(x), self.dtype)

    def _inputs(self, X: Any) -> Array:
        """X of one or two axes as the core takes it."""
        x: Array | None = self._network.ready_inputs(X)
        if x is None:
            x = self._apart(np.atleast_2d(checks.inputs(X, self.sizes[0], self.dtype, single=True)))
        return x

    def _apart(self, array: Array) -> Array:
        """The array, or a copy where it shares memory with the parameters."""
        return array.copy() if np.may_share_memory(array, self._network.parameters) else array

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

    def save(self, path: str | os.PathLike[str], *, training: bool = False) -> None:
        """Write the net to a file, in the safetensors format, as a whole or not at all.

        Parameters
        ----------
        path : path-like
            Such as "net.safetensors". A file that is there is replaced; whatever stops it leaves that one or the new
            one.
        training : bool
            Whether to keep what `fit` goes on with: the state of the optimizer, two thirds of the file, and the order
            of the samples to come. Not by default; an estimator's `save` does, for partial_fit.

        Raises
        ------
        ValueError
            If a parameter is not finite.
        OSError
            If it cannot be written.

        See Also
        --------
        fastmlp.load : the net of a file.
        """
        from fastmlp.saving import save

        keep = checks.boolean("training", training)
        self._check_parameters()
        save(self, path, keep)

    def to_torch(self) -> torch.nn.Sequential:
        """The net as a module of PyTorch, with copies of its parameters.

        Returns
        -------
        torch.nn.Sequential
            A Linear for each layer and the module of its activation, if it is not the identity, whose outputs are
            those of `predict`. It is in eval mode, as `predict` is: its Dropout, if the net has dropout, begins with
            `module.train()`. Every parameter requires its gradient, of frozen layers, too; the loss and the optimizer
            stay here. exponential is `fastmlp.torch_modules.Exponential`, for torch has none.

        Raises
        ------
        ValueError
            If a parameter is not finite, NaN or infinity.
        ImportError
            If torch is not installed.

        Examples
        --------
        >>> import fastmlp
        >>> fastmlp.MLP([4, 8, 2], activation="gelu", output="softmax", seed=0).to_torch()
        Sequential(
          (0): Linear(in_features=4, out_features=8, bias=True)
          (1): GELU(approximate='none')
          (2): Linear(in_features=8, out_features=2, bias=True)
          (3): Softmax(dim=-1)
        )
        """
        from fastmlp.torch_modules import to_torch

        return to_torch(self)

    def _forward(self) -> Forward:
        """What `predict` computes."""
        self._check_parameters()
        what, weights = self._architecture, [W.copy() for W in self.weights]
        if self.input_scale is not None:
            with np.errstate(over="ignore"):
                weights[0] *= self.input_scale[:, None]
            if not self._network.is_finite(weights[0]):
                raise ValueError("input_scale times the weights of the first layer is beyond the range of the dtype")
        biases = tuple(b.copy() for b in self.biases) or tuple(np.zeros(n, self.dtype) for n in self.sizes[1:])
        several = what.output == "sigmoid" and self.sizes[-1] > 1
        return Forward(
            tuple(weights), biases, what.layer_activations, what.negative_slope, self.dtype, several=several
        )  # fmt: skip

    def summary(self) -> str:
        """A table of the layers: inputs, outputs, activation and number of parameters.

        Returns
        -------
        str
        """
        line = "{:>5}  {:>9}  {:>9}  {:<11}  {:>12}".format
        rows = [line("layer", "inputs", "outputs", "activation", "parameters")]
        what = self._architecture
        if what.input_scale:
            rows.append(line("scale", f"{self.sizes[0]:,}", f"{self.sizes[0]:,}", "", f"{self.sizes[0]:,}"))
        layers = zip(pairwise(self.sizes), what.layer_activations, strict=True)
        for number, ((n_in, n_out), name) in enumerate(layers, start=1):
            rows.append(line(number, f"{n_in:,}", f"{n_out:,}", name, f"{(n_in + self.bias) * n_out:,}"))
        rows.append(line("", "", "", "total", f"{self.n_parameters:,}"))
        size = f"{self.parameters.nbytes:,} bytes"
        facts = [f"loss {what.loss_in_words()}", *what.dropout_in_words(), f"{self.dtype}", size]
        return "\n".join([*rows, ", ".join([*facts, f"build {self._build_name}"])])

    # copies and pickles

    def __getstate__(self) -> dict[str, Any]:
        made_again = ("_architecture", "_network", "_build_name", "_drops")
        state = {key: value for key, value in self.__dict__.items() if key not in made_again}
        moments = None if self._optimizer is None else self._network.optimizer_state
        state |= {"parameters": self.parameters.copy(), "optimizer_state": moments}
        state |= {"trainable": self.trainable, "rate_factors": self.rate_factors}
        state |= {"input_scale_rate": self.input_scale_rate}
        return self._architecture.state() | state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        parameters, optimizer_state, optimizer = (
            state.pop(key) for key in ("parameters", "optimizer_state", "_optimizer")
        )
        trainable, rate_factors = state.pop("trainable", None), state.pop("rate_factors", None)
        input_scale_rate = state.pop("input_scale_rate", 1.0)
        self._architecture = Architecture.taken_from(state)
        if "_rng" in state:  # version 0.1.0 kept the generator
            state.pop("_process")
            state |= {"_seed": _draw_seed(state.pop("_rng")), "_epochs": 0}
        self.__dict__.update(state)
        self._build()
        self._optimizer = optimizer
        self.parameters[...] = parameters
        if optimizer is not None:
            self._network.optimizer_state = optimizer_state
        if trainable is not None:
            self._set_groups(trainable, rate_factors)
        self.input_scale_rate = input_scale_rate

    def copy(self) -> MLP:
        """A net like this one, with parameters of its own, optimizer and random state included.

        Returns
        -------
        MLP
        """
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._build()
        other.parameters[...] = self.parameters
        if self._optimizer is not None:
            other._optimizer = self._optimizer
            other._network.optimizer_state = self._network.optimizer_state
        other._set_groups(self.trainable, self.rate_factors)
        other.input_scale_rate = self.input_scale_rate
        return other
