"""The network in plain NumPy: the specification of the compiled core, its test oracle and its benchmark baseline.

`Network` here and `Network` in src/network.pyx have the same constructor, methods and meaning. The tables below say
what exists and what each row computes; the core has the same rows, and the tests are parametrised over these.
The formulas are those of the lecture scripts where the scripts have them, else of the paper named beside the row.

It is written as a careful NumPy user would write it: matrix products over the whole batch, in-place updates of flat
buffers, no Python loop over rows. It imports NumPy and nothing else.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_erfc = np.vectorize(math.erfc, otypes=[np.float64])

SELU_SCALE = 1.0507009873554804934
SELU_ALPHA = 1.6732632423543772848


class Activation(NamedTuple):
    """g and g', both elementwise; s is the negative slope of leaky_relu."""

    value: Callable[[Array, float], Array]  # (z, s) -> a
    derivative: Callable[[Array, Array, float], Array]  # (z, a, s) -> g'(z)


def _sigmoid(z: Array) -> Array:
    e = np.exp(-np.abs(z))
    a: Array = np.where(z < 0, e, 1) / (1 + e)
    return a


def _softplus(z: Array) -> Array:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _normal_cdf(z: Array) -> Array:
    probability: Array = 0.5 * _erfc(-z / math.sqrt(2))
    return probability.astype(z.dtype)


def _normal_density(z: Array) -> Array:
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def _mish_ratio(z: Array) -> Array:
    return np.tanh(_softplus(z))


def _silu_derivative(z: Array, a: Array, s: float) -> Array:
    sigma = _sigmoid(z)
    slope: Array = sigma * (1 + z * (1 - sigma))
    return slope


def _mish_derivative(z: Array, a: Array, s: float) -> Array:
    ratio = _mish_ratio(z)
    slope: Array = ratio + z * _sigmoid(z) * (1 - ratio * ratio)
    return slope


ACTIVATIONS = {
    "identity": Activation(lambda z, s: z.copy(), lambda z, a, s: np.ones_like(z)),
    "sigmoid": Activation(lambda z, s: _sigmoid(z), lambda z, a, s: a * (1 - a)),
    "tanh": Activation(lambda z, s: np.tanh(z), lambda z, a, s: 1 - a * a),
    "relu": Activation(lambda z, s: np.maximum(z, 0), lambda z, a, s: (z > 0).astype(z.dtype)),
    "leaky_relu": Activation(
        lambda z, s: np.maximum(s * z, z), lambda z, a, s: np.where(z > 0, 1, s).astype(z.dtype)
    ),
    # Clevert et al. 2016, alpha = 1
    "elu": Activation(
        lambda z, s: np.where(z < 0, np.expm1(np.minimum(z, 0)), z), lambda z, a, s: np.where(z > 0, 1, 1 + a)
    ),
    # Klambauer et al. 2017
    "selu": Activation(
        lambda z, s: SELU_SCALE * np.where(z < 0, SELU_ALPHA * np.expm1(np.minimum(z, 0)), z),
        lambda z, a, s: np.where(z > 0, SELU_SCALE, a + SELU_SCALE * SELU_ALPHA).astype(z.dtype),
    ),
    # Dugas et al. 2001
    "softplus": Activation(lambda z, s: _softplus(z), lambda z, a, s: _sigmoid(z)),
    # Hendrycks and Gimpel 2016, in its exact form
    "gelu": Activation(lambda z, s: z * _normal_cdf(z), lambda z, a, s: _normal_cdf(z) + z * _normal_density(z)),
    # Elfwing et al. 2018; Ramachandran et al. 2017 as swish
    "silu": Activation(lambda z, s: z * _sigmoid(z), _silu_derivative),
    # Misra 2019
    "mish": Activation(lambda z, s: z * _mish_ratio(z), _mish_derivative),
    # The inverse link of Poisson regression, McCullagh and Nelder 1989
    "exponential": Activation(lambda z, s: np.exp(z), lambda z, a, s: a),
}

# What an output layer may have: softmax is no elementwise function, so it is no row above.
OUTPUTS = (*ACTIVATIONS, "softmax")


def softmax(z: Array) -> Array:
    """e^{z_i} / sum_j e^{z_j} along the last axis, computed without overflow."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    a: Array = e / e.sum(axis=-1, keepdims=True)
    return a


class Loss(NamedTuple):
    """c, term by term, and dc/da; both (m, K) of outputs a and targets y, both (m, K), and the loss's parameter p."""

    value: Callable[[Array, Array, float], Array]
    gradient: Callable[[Array, Array, float], Array]


def _clipped(a: Array) -> Array:
    epsilon = np.finfo(a.dtype).eps
    return np.clip(a, epsilon, 1 - epsilon)


def _binary_cross_entropy_gradient(a: Array, y: Array) -> Array:
    p = _clipped(a)
    gradient: Array = (p - y) / (p * (1 - p))
    return gradient


def _huber(a: Array, y: Array, p: float) -> Array:
    """d^2 / 2 where |d| <= p, else p (|d| - p / 2), d = a - y."""
    size = np.abs(a - y)
    inside = np.minimum(size, p)
    terms: Array = inside * (size - 0.5 * inside)
    return terms


def _log_cosh(a: Array, y: Array, p: float) -> Array:
    """|d| + log((1 + e^(-2|d|)) / 2), d = a - y: finite for a large d, 0 for 0."""
    size = np.abs(a - y)
    terms: Array = size + np.log1p(0.5 * np.expm1(-2 * size))
    return terms


def _quantile_gradient(a: Array, y: Array, p: float) -> Array:
    """-p where y > a, 1 - p where y < a, and 0 where they are equal."""
    gradient: Array = np.where(y > a, -p, 1 - p).astype(a.dtype) * (y != a)
    return gradient


def _poisson(a: Array, log_a: Array, y: Array) -> Array:
    """The terms y log(y / a) - y + a, which are a for y = 0."""
    terms: Array = y * (np.log(np.maximum(y, np.finfo(y.dtype).tiny)) - log_a) + (a - y)
    return terms


def _positive(a: Array) -> Array:
    b: Array = np.maximum(a, np.finfo(a.dtype).eps)
    return b


LOSSES = {
    "half_squared_error": Loss(lambda a, y, p: 0.5 * np.square(a - y), lambda a, y, p: a - y),
    "squared_error": Loss(lambda a, y, p: np.square(a - y), lambda a, y, p: 2 * (a - y)),
    "binary_cross_entropy": Loss(
        lambda a, y, p: -(y * np.log(_clipped(a)) + (1 - y) * np.log(1 - _clipped(a))),
        lambda a, y, p: _binary_cross_entropy_gradient(a, y),
    ),
    "cross_entropy": Loss(lambda a, y, p: -y * np.log(_clipped(a)), lambda a, y, p: -y / _clipped(a)),
    "absolute_error": Loss(lambda a, y, p: np.abs(a - y), lambda a, y, p: np.sign(a - y)),
    # Huber 1964; p is the threshold
    "huber": Loss(_huber, lambda a, y, p: np.clip(a - y, -p, p)),
    # Green 1990
    "log_cosh": Loss(_log_cosh, lambda a, y, p: np.tanh(a - y)),
    # Koenker and Bassett 1978, the pinball loss; p is the level
    "quantile": Loss(lambda a, y, p: np.maximum(p * (y - a), (p - 1) * (y - a)), _quantile_gradient),
    # Half the deviance of Poisson regression, Nelder and Wedderburn 1972
    "poisson": Loss(lambda a, y, p: _poisson(a, np.log(_positive(a)), y), lambda a, y, p: 1 - y / _positive(a)),
}

# The argument of MLP that a loss takes as its parameter; the others have none.
LOSS_PARAMETERS = {"huber": "huber_delta", "quantile": "quantile"}


class Canonical(NamedTuple):
    """The stable form of a loss with its own output activation: c from z and y, and delta = dc/dz from a and y."""

    value: Callable[[Array, Array], Array]
    delta: Callable[[Array, Array], Array]


def _binary_cross_entropy_of_logits(z: Array, y: Array) -> Array:
    """softplus(z) - y z, without the cancellation where y is 1 and z large."""
    result: Array = (np.maximum(z, 0) - y * z) + np.log1p(np.exp(-np.abs(z)))
    return result


CANONICAL = {
    ("sigmoid", "binary_cross_entropy"): Canonical(_binary_cross_entropy_of_logits, lambda a, y: a - y),
    ("softmax", "cross_entropy"): Canonical(
        lambda z, y: -y * _log_softmax(z), lambda a, y: y.sum(axis=1, keepdims=True) * a - y
    ),
    ("exponential", "poisson"): Canonical(lambda z, y: _poisson(np.exp(z), z, y), lambda a, y: a - y),
}

# The loss of an output activation where none is named.
DEFAULT_LOSS = {
    **dict.fromkeys(OUTPUTS, "half_squared_error"),
    "sigmoid": "binary_cross_entropy",
    "softmax": "cross_entropy",
    "exponential": "poisson",
}


def _log_softmax(z: Array) -> Array:
    z = z - z.max(axis=1, keepdims=True)
    result: Array = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return result


# The output activations that a loss is defined for, as it has a logarithm of the output: between 0 and 1, or above 0.
NEEDED_OUTPUTS = {
    "binary_cross_entropy": ("sigmoid", "softmax"),
    "cross_entropy": ("sigmoid", "softmax"),
    "poisson": ("exponential", "softplus", "sigmoid", "softmax"),
}


def is_defined(output: str, loss: str) -> bool:
    """Whether a loss makes sense for an output activation."""
    return output in NEEDED_OUTPUTS.get(loss, OUTPUTS)


def _sgd(network: "Network", optimizer: Any, rate: float, gradient: Array) -> None:
    velocity = network.first
    if optimizer.momentum == 0:
        network.parameters -= rate * gradient
        return
    velocity *= optimizer.momentum
    velocity += gradient
    step = gradient + optimizer.momentum * velocity if optimizer.nesterov else velocity
    network.parameters -= rate * step


def _adam(network: "Network", optimizer: Any, rate: float, gradient: Array) -> None:
    first, second = network.first, network.second
    first *= optimizer.beta_1
    first += (1 - optimizer.beta_1) * gradient
    second *= optimizer.beta_2
    second += (1 - optimizer.beta_2) * np.square(gradient)
    denominator = np.sqrt(second)
    if optimizer.epsilon_hat:
        denominator += optimizer.epsilon
    denominator /= math.sqrt(1 - network.beta_2_power)
    if not optimizer.epsilon_hat:
        denominator += optimizer.epsilon
    np.divide(first, denominator, out=denominator)
    denominator *= rate / (1 - network.beta_1_power)
    network.parameters -= denominator


def _adamw(network: "Network", optimizer: Any, rate: float, gradient: Array) -> None:
    for W in network.weights:
        W -= rate * optimizer.weight_decay * W
    _adam(network, optimizer, rate, gradient)


def _rmsprop(network: "Network", optimizer: Any, rate: float, gradient: Array) -> None:
    velocity, square = network.first, network.second
    square *= optimizer.rho
    square += (1 - optimizer.rho) * np.square(gradient)
    velocity *= optimizer.momentum
    velocity += gradient / (np.sqrt(square) + optimizer.epsilon)
    network.parameters -= rate * velocity


# By class name of fastmlp/optimizers.py. SGD with momentum: Polyak 1964, Nesterov as in Sutskever et al. 2013;
# Adam: Kingma and Ba 2015; AdamW: Loshchilov and Hutter 2019; RMSprop: Tieleman and Hinton 2012, lecture 6.5.
OPTIMIZERS = {"SGD": _sgd, "Adam": _adam, "AdamW": _adamw, "RMSprop": _rmsprop}


def _mixed(x: Array) -> Array:
    """The finaliser of splitmix64 (Steele et al. 2014), of uint64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Array = x ^ (x >> np.uint64(31))
    return mixed


def dropped_units(seed: int, start: int, rows: int, layer: int, units: int, p: float) -> Array:
    """Which units of a hidden layer dropout leaves out: bool (rows, units).

    A pure function of the seed of the epoch, of the position of the sample in the epoch, the first of which is
    `start`, of the layer (0, 1, ...) and of the unit: 24 bits of a hash of these, compared with p 2^24. The hash is
    splitmix64's finaliser of seed, layer and position, then murmur3's (Appleby 2011) of its two halves and the unit.
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    of_layer = _mixed(np.array([seed], np.uint64) + np.array([layer + 1], np.uint64) * golden)
    key = _mixed(of_layer + np.arange(start + 1, start + 1 + rows, dtype=np.uint64) * golden)[:, None]
    low, high = key.astype(np.uint32), (key >> np.uint64(32)).astype(np.uint32)
    h = low ^ (np.arange(units, dtype=np.uint32) * np.uint32(0x9E3779B9))
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = ((h ^ (h >> np.uint32(13))) + high) * np.uint32(0xC2B2AE35)
    dropped: Array = (h ^ (h >> np.uint32(16))) >> np.uint32(8) < int(p * 2**24)
    return dropped


def layer_views(flat: Array, sizes: Sequence[int], bias: bool) -> tuple[list[Array], list[Array]]:
    """Views (weights, biases) into a flat buffer: for each layer W (n_in, n_out) by rows, then b (n_out,)."""
    weights, biases, at = [], [], 0
    for n_in, n_out in pairwise(sizes):
        weights.append(flat[at : at + n_in * n_out].reshape(n_in, n_out))
        at += n_in * n_out
        if bias:
            biases.append(flat[at : at + n_out])
            at += n_out
    return weights, biases


def _masked(activations: Sequence[Array], factors: dict[int, Array] | None, layer: int) -> Array:
    return activations[layer] * factors[layer] if factors and layer in factors else activations[layer]


# A loss that overflows is an answer here, not a warning: fit looks at it.
_quietly = np.errstate(over="ignore", invalid="ignore", divide="ignore")


def _dense(X: Any) -> Array:
    """X as an array; it may be a sparse.CSR."""
    x: Array = X if isinstance(X, np.ndarray) else X.dense()
    return x


class Network:
    """A multilayer perceptron over one flat buffer of parameters.

    Arguments are trusted: mlp.py has checked them. Arrays are C-contiguous and of `dtype`.

    Parameters
    ----------
    sizes : tuple of int
        n_0, ..., n_L: inputs, hidden layers, outputs.
    activations : tuple of str
        One name a layer, the last from OUTPUTS, the others from ACTIVATIONS.
    loss : str
        A name from LOSSES.
    bias : bool
        Whether layers have biases.
    negative_slope : float
        The slope of leaky_relu below zero.
    loss_parameter : float
        The threshold of huber, the level of quantile.
    dropout : tuple of float
        For each hidden layer, the probability that a unit is left out of a step of `train` (Srivastava et al. 2014);
        the others are multiplied by 1 / (1 - p). Empty for none.
    """

    dtype: np.dtype[Any] = np.dtype(np.float64)

    def __init__(
        self,
        sizes: Sequence[int],
        activations: Sequence[str],
        loss: str,
        bias: bool = True,
        negative_slope: float = 0.01,
        loss_parameter: float = 1.0,
        dropout: Sequence[float] = (),
    ) -> None:
        self.sizes = tuple(sizes)
        self.activations = tuple(activations)
        self.loss = loss
        self.negative_slope = negative_slope
        self.loss_parameter = loss_parameter
        self.dropout = tuple(dropout)
        self.bias = bias
        n = sum(n_in * n_out + n_out * bias for n_in, n_out in pairwise(sizes))
        self.parameters = np.zeros(n, self.dtype)
        self.weights, self.biases = layer_views(self.parameters, sizes, bias)
        self._gradient = np.zeros_like(self.parameters)
        # The mean loss of the last epoch in which a batch counts by its rows, not by their weights; and its penalty.
        self.loss_by_rows = self.penalty_by_rows = 0.0
        self.reset_optimizer()

    def _activate(self, name: str, z: Array) -> Array:
        return softmax(z) if name == "softmax" else ACTIVATIONS[name].value(z, self.negative_slope)

    def _dropout_factors(self, seed: int, start: int, rows: int) -> dict[int, Array]:
        """What dropout multiplies A of hidden layers by, 0 or 1 / (1 - p), (rows, n): by number, from 1."""
        return {
            layer: np.where(dropped_units(seed, start, rows, layer - 1, self.sizes[layer], p), 0, 1 / (1 - p)).astype(
                self.dtype
            )
            for layer, p in enumerate(self.dropout, start=1)
            if int(p * 2**24) > 0
        }

    def _pass_forward(self, x: Array, factors: dict[int, Array] | None = None) -> tuple[list[Array], list[Array]]:
        """Z and A of every layer; the next layer reads A times its factors, if it has any."""
        zs, activations = [], [x]
        for layer, name in enumerate(self.activations):
            z = _masked(activations, factors, layer) @ self.weights[layer]
            if self.bias:
                z += self.biases[layer]
            zs.append(z)
            activations.append(self._activate(name, z))
        return zs, activations

    def _targets(self, targets: Array, rows: slice | Array = slice(None)) -> Array:
        """Target rows; class labels become one-hot rows."""
        if targets.ndim == 2:
            return targets[rows]
        labels = targets[rows]
        one_hot = np.zeros((len(labels), self.sizes[-1]), self.dtype)
        one_hot[np.arange(len(labels)), labels] = 1
        return one_hot

    def _loss_sum(self, z: Array, a: Array, y: Array, w: Array | None) -> float:
        pair = (self.activations[-1], self.loss)
        if pair in CANONICAL:
            terms = CANONICAL[pair].value(z, y)
        else:
            terms = LOSSES[self.loss].value(a, y, self.loss_parameter)
        costs = terms.sum(axis=1)
        return float((costs if w is None else costs * w).sum(dtype=np.float64))

    def _output_delta(self, z: Array, a: Array, y: Array) -> Array:
        name = self.activations[-1]
        if (name, self.loss) in CANONICAL:
            return CANONICAL[name, self.loss].delta(a, y)
        delta = LOSSES[self.loss].gradient(a, y, self.loss_parameter)
        if name == "softmax":
            delta = a * (delta - (a * delta).sum(axis=1, keepdims=True))
        else:
            delta = delta * ACTIVATIONS[name].derivative(z, a, self.negative_slope)
        return delta

    def _backpropagate(
        self,
        x: Array,
        y: Array,
        w: Array | None,
        flat: Array,
        inputs: Array | None = None,
        factors: dict[int, Array] | None = None,
    ) -> float:
        """The loss summed over the weighted rows; the gradient of their mean into flat."""
        zs, activations = self._pass_forward(x, factors)
        total = self._loss_sum(zs[-1], activations[-1], y, w)
        delta = self._output_delta(zs[-1], activations[-1], y)
        if w is None:
            delta /= len(x)
        else:
            delta *= (w / w.sum())[:, None]
        weights, biases = layer_views(flat, self.sizes, self.bias)
        for layer in reversed(range(len(weights))):
            np.matmul(_masked(activations, factors, layer).T, delta, out=weights[layer])
            if self.bias:
                np.sum(delta, axis=0, out=biases[layer])
            if layer > 0:
                derivative = ACTIVATIONS[self.activations[layer - 1]].derivative
                delta = delta @ self.weights[layer].T
                if factors and layer in factors:
                    delta *= factors[layer]
                delta *= derivative(zs[layer - 1], activations[layer], self.negative_slope)
        if inputs is not None:
            np.matmul(delta, self.weights[0].T, out=inputs)
        return total

    @_quietly
    def forward(self, X: Any, out: Any = None, threads: int = 1, checked: bool = False) -> Array | None:
        """Outputs (m, n_L) of X (m, n_0), or (n_L,) of (n_0,), into `out` if given.

        X and out are looked at: None says that one of them cannot be used as it stands, or, unless they were
        `checked` before, that X or the outputs are not finite.
        """
        if checked:
            X = _dense(X)
        if not self._usable(X, self.sizes[0]) or len(X) == 0 or not (checked or np.isfinite(X).all()):
            return None
        x: Array = X
        for layer, name in enumerate(self.activations):
            x = x @ self.weights[layer]
            if self.bias:
                x += self.biases[layer]
            x = self._activate(name, x)
        if not (checked or np.isfinite(x).all()):
            return None
        if out is None:
            return x
        if not self._usable(out, self.sizes[-1]) or out.shape != x.shape or not out.flags.writeable:
            return None
        if np.may_share_memory(out, self.parameters):
            return None
        out[...] = x
        y: Array = out
        return y

    def _usable(self, x: Any, columns: int) -> bool:
        return (
            type(x) is np.ndarray
            and x.ndim in (1, 2)
            and x.shape[-1] == columns
            and x.dtype == self.dtype
            and x.flags.c_contiguous
            and x.flags.aligned
        )

    @_quietly
    def evaluate(self, X: Array, targets: Array, sample_weight: Array | None = None, threads: int = 1) -> float:
        """The mean loss over the weighted rows."""
        zs, activations = self._pass_forward(_dense(X))
        total = self._loss_sum(zs[-1], activations[-1], self._targets(targets), sample_weight)
        return total / (len(X) if sample_weight is None else float(sample_weight.sum(dtype=np.float64)))

    @_quietly
    def gradient(
        self,
        X: Array,
        targets: Array,
        sample_weight: Array | None,
        flat: Array,
        inputs: Array | None = None,
        threads: int = 1,
    ) -> float:
        """The mean loss; its gradient into flat (n_parameters,), and into inputs (m, n_0) unless None."""
        total = self._backpropagate(_dense(X), self._targets(targets), sample_weight, flat, inputs)
        return total / (len(X) if sample_weight is None else float(sample_weight.sum(dtype=np.float64)))

    @_quietly
    def train(
        self,
        X: Array,
        targets: Array,
        sample_weight: Array | None,
        order: Array | None,
        batch_size: int,
        optimizer: Any,
        threads: int = 1,
        l2: float = 0.0,
        rates: Array | None = None,
        seed: int = 0,
        first: int = 0,
        last: int | None = None,
    ) -> float:
        """One epoch: a step for every batch_size samples, taken in `order` (m,), or as they stand if it is None.

        Or some of an epoch: its steps first .. last. With l2, a batch's loss summed over its weighted samples has the
        penalty l2 / 2 sum W^2 added. With rates (steps of an epoch,) of float64, each step has its own learning rate.
        `seed` decides which units dropout leaves out. Returns the mean of the losses seen on the way, over the
        weighted samples. At a loss that is not finite it stops, and returns that loss. A batch whose weights are all
        zero makes no step.
        """
        total = total_weight = total_rows = by_rows = penalty_by_rows = 0.0
        step, X = OPTIMIZERS[type(optimizer).__name__], _dense(X)
        for number, start in list(enumerate(range(0, len(X), batch_size)))[first:last]:
            rows = slice(start, start + batch_size) if order is None else order[start : start + batch_size]
            x, w = X[rows], None if sample_weight is None else sample_weight[rows]
            weight = len(x) if w is None else float(w.sum(dtype=np.float64))
            if weight == 0:
                continue
            factors = self._dropout_factors(seed, start, len(x))
            loss = self._backpropagate(x, self._targets(targets, rows), w, self._gradient, factors=factors)
            penalty = 0.5 * l2 * sum(float(np.square(W, dtype=np.float64).sum()) for W in self.weights) if l2 else 0.0
            total += loss + penalty
            total_weight += weight
            by_rows += len(x) * (loss + penalty) / weight
            penalty_by_rows += len(x) * penalty / weight
            total_rows += len(x)
            if not math.isfinite(loss):
                break
            if optimizer.clip_norm is not None:
                norm = math.sqrt(float(np.square(self._gradient, dtype=np.float64).sum()))
                self._gradient *= min(1.0, optimizer.clip_norm / norm) if norm > 0 else 1.0
            decay = (0 if optimizer.decoupled else optimizer.weight_decay) + l2 / weight
            if decay or optimizer.l1:
                for g, theta in zip(layer_views(self._gradient, self.sizes, self.bias)[0], self.weights, strict=True):
                    g += decay * theta + optimizer.l1 * np.sign(theta)
            self.beta_1_power *= getattr(optimizer, "beta_1", 0)
            self.beta_2_power *= getattr(optimizer, "beta_2", 0)
            step(self, optimizer, optimizer.learning_rate if rates is None else float(rates[number]), self._gradient)
        self.loss_by_rows, self.penalty_by_rows = by_rows / total_rows, penalty_by_rows / total_rows
        return total / total_weight

    @property
    def optimizer_state(self) -> tuple[float, float, Array, Array]:
        """(beta_1^t, beta_2^t, first moments, second moments): what a later step needs of the earlier ones."""
        return self.beta_1_power, self.beta_2_power, self.first.copy(), self.second.copy()

    @optimizer_state.setter
    def optimizer_state(self, state: tuple[float, float, Array, Array]) -> None:
        self.beta_1_power, self.beta_2_power = state[:2]
        self.first[...], self.second[...] = state[2:]

    def reset_optimizer(self) -> None:
        """Forget the steps taken so far."""
        self.beta_1_power = self.beta_2_power = 1.0
        self.first, self.second = np.zeros_like(self.parameters), np.zeros_like(self.parameters)


class SinglePrecisionNetwork(Network):
    """The same in float32."""

    dtype = np.dtype(np.float32)


NETWORKS: dict[str, type[Network]] = {network.dtype.name: network for network in (SinglePrecisionNetwork, Network)}
