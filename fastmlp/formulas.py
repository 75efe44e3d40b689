"""Every formula in plain NumPy: the tables of layers, activations, losses, optimizers, and what dropout leaves out.

The tables say what exists and what each row computes; the core has the same rows, the facade knows the names of
activations and losses from here, and the tests are parametrised over these. The formulas are those of the lecture
scripts where the scripts have them, else of the paper named beside the row.

Not here: the network that calls them, layer after layer and batch after batch (reference.py). The two change for
different reasons: a new activation is a row here, and nothing there. This file imports NumPy and nothing else.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_erfc = np.vectorize(math.erfc, otypes=[np.float64])

SELU_SCALE = 1.0507009873554804934
SELU_ALPHA = 1.6732632423543772848


class Kind(NamedTuple):
    """What a kind of layer does with rows x (m, n_in) and delta (m, n_out); b is None where a net has no biases."""

    forward: Callable[[Array, Array, Array | None], Array]  # (x, W, b) -> z
    backward_input: Callable[[Array, Array], Array]  # (delta, W) -> dx
    backward_parameters: Callable[[Array, Array, Array, Array | None], object]  # (x, delta, into dW, into db)
    decayed: bool  # whether weight decay counts for W


def _dense_forward(x: Array, W: Array, b: Array | None) -> Array:
    z: Array = x @ W
    if b is not None:
        z += b
    return z


def _dense_backward_parameters(x: Array, delta: Array, dW: Array, db: Array | None) -> None:
    np.matmul(x.T, delta, out=dW)
    if db is not None:
        np.sum(delta, axis=0, out=db)


# A dense layer has W (n_in, n_out); a scale layer, a factor of its own for each input, has W (1, n) and no biases.
KINDS = {
    "dense": Kind(_dense_forward, lambda delta, W: delta @ W.T, _dense_backward_parameters, decayed=True),
    "scale": Kind(
        lambda x, W, b: x * W[0],
        lambda delta, W: delta * W[0],
        lambda x, delta, dW, db: np.sum(x * delta, axis=0, out=dW[0]),
        decayed=False,
    ),
}


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

# The same names as types, for a type checker; a test compares them with the rows.
ActivationName = Literal[
    "identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", "gelu", "silu", "mish",
    "exponential",
]  # fmt: skip

# What an output layer may have: softmax is no elementwise function, so it is no row above.
OUTPUTS = (*ACTIVATIONS, "softmax")
OutputName = Literal[ActivationName, "softmax"]


def softmax(z: Array) -> Array:
    """e^{z_i} / sum_j e^{z_j} along the last axis, computed without overflow."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    a: Array = e / e.sum(axis=-1, keepdims=True)
    return a


def softmax_jacobian(a: Array) -> Array:
    """da_i/dz_j = a_i (delta_ij - a_j) of softmax, (..., n, n), from its outputs a (..., n)."""
    jacobian: Array = a[..., :, None] * (np.eye(a.shape[-1]) - a[..., None, :])
    return jacobian


class Loss(NamedTuple):
    """c, term by term, and dc/da; both (m, K) of outputs a and targets y, both (m, K), and the loss's parameters."""

    value: Callable[..., Array]  # (a, y, *parameters)
    gradient: Callable[..., Array]


def _clipped(a: Array) -> Array:
    epsilon = np.finfo(a.dtype).eps
    return np.clip(a, epsilon, 1 - epsilon)


def smoothed(loss: str, y: Array, label_smoothing: float) -> Array:
    """(1 - e) y + e / K: the targets y (..., n) of a cross entropy, with e of them on all K classes alike.

    Szegedy et al. 2016. K is n, or 2 for binary_cross_entropy.
    """
    if label_smoothing == 0:
        return y
    classes = 2 if loss == "binary_cross_entropy" else y.shape[-1]
    targets: Array = (1 - label_smoothing) * y + label_smoothing / classes
    return targets


def _binary_cross_entropy(a: Array, y: Array, label_smoothing: float) -> Array:
    y, p = smoothed("binary_cross_entropy", y, label_smoothing), _clipped(a)
    terms: Array = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    return terms


def _binary_cross_entropy_gradient(a: Array, y: Array, label_smoothing: float) -> Array:
    y, p = smoothed("binary_cross_entropy", y, label_smoothing), _clipped(a)
    gradient: Array = (p - y) / (p * (1 - p))
    return gradient


def _huber(a: Array, y: Array, delta: float) -> Array:
    """d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2), d = a - y."""
    size = np.abs(a - y)
    inside = np.minimum(size, delta)
    terms: Array = inside * (size - 0.5 * inside)
    return terms


def _log_cosh(a: Array, y: Array) -> Array:
    """|d| + log((1 + e^(-2|d|)) / 2), d = a - y: finite for a large d, 0 for 0."""
    size = np.abs(a - y)
    terms: Array = size + np.log1p(0.5 * np.expm1(-2 * size))
    return terms


def _quantile_gradient(a: Array, y: Array, level: float) -> Array:
    """-level where y > a, 1 - level where y < a, and 0 where they are equal."""
    gradient: Array = np.where(y > a, -level, 1 - level).astype(a.dtype) * (y != a)
    return gradient


def _poisson(a: Array, log_a: Array, y: Array) -> Array:
    """The terms y log(y / a) - y + a, which are a for y = 0."""
    terms: Array = y * (np.log(np.maximum(y, np.finfo(y.dtype).tiny)) - log_a) + (a - y)
    return terms


def _positive(a: Array) -> Array:
    b: Array = np.maximum(a, np.finfo(a.dtype).eps)
    return b


LOSSES = {
    "half_squared_error": Loss(lambda a, y: 0.5 * np.square(a - y), lambda a, y: a - y),
    "squared_error": Loss(lambda a, y: np.square(a - y), lambda a, y: 2 * (a - y)),
    "binary_cross_entropy": Loss(_binary_cross_entropy, _binary_cross_entropy_gradient),
    "cross_entropy": Loss(
        lambda a, y, e: -smoothed("cross_entropy", y, e) * np.log(_clipped(a)),
        lambda a, y, e: -smoothed("cross_entropy", y, e) / _clipped(a),
    ),
    "absolute_error": Loss(lambda a, y: np.abs(a - y), lambda a, y: np.sign(a - y)),
    # Huber 1964; delta is the threshold
    "huber": Loss(_huber, lambda a, y, delta: np.clip(a - y, -delta, delta)),
    # Green 1990
    "log_cosh": Loss(_log_cosh, lambda a, y: np.tanh(a - y)),
    # Koenker and Bassett 1978, the pinball loss
    "quantile": Loss(lambda a, y, level: np.maximum(level * (y - a), (level - 1) * (y - a)), _quantile_gradient),
    # Half the deviance of Poisson regression, Nelder and Wedderburn 1972
    "poisson": Loss(lambda a, y: _poisson(a, np.log(_positive(a)), y), lambda a, y: 1 - y / _positive(a)),
}

LossName = Literal[
    "half_squared_error", "squared_error", "binary_cross_entropy", "cross_entropy", "absolute_error", "huber",
    "log_cosh", "quantile", "poisson",
]  # fmt: skip

# The parameters of a loss, as arguments of MLP, with their defaults; the others have none.
LOSS_PARAMETERS = {
    "binary_cross_entropy": {"label_smoothing": 0.0},
    "cross_entropy": {"label_smoothing": 0.0},
    "huber": {"huber_delta": 1.0},
    "quantile": {"quantile": 0.5},
}


class Canonical(NamedTuple):
    """The stable form of a loss with its own output activation: c from z and y, and delta = dc/dz from a and y.

    y are those that a cross entropy has smoothed.
    """

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


Rate = float | Array  # of all parameters, or (n,) one for each


class Stepped(Protocol):
    """The parts of a network that a step of an optimizer reads or moves; n is the number of parameters."""

    parameters: Array  # (n,)
    decayed: Array  # (n,), whether weight decay counts
    first: Array  # (n,), the velocity or the first moments
    second: Array  # (n,), the second moments
    beta_1_power: float  # beta_1^t
    beta_2_power: float


def _sgd(network: Stepped, optimizer: Any, rate: Rate, gradient: Array) -> None:
    velocity = network.first
    if optimizer.momentum == 0:
        network.parameters -= rate * gradient
        return
    velocity *= optimizer.momentum
    velocity += gradient
    step = gradient + optimizer.momentum * velocity if optimizer.nesterov else velocity
    network.parameters -= rate * step


def _adam(network: Stepped, optimizer: Any, rate: Rate, gradient: Array) -> None:
    first, second = network.first, network.second
    correction_1 = 1 - network.beta_1_power if optimizer.bias_correction else 1
    correction_2 = 1 - network.beta_2_power if optimizer.bias_correction else 1
    first *= optimizer.beta_1
    first += (1 - optimizer.beta_1) * gradient
    second *= optimizer.beta_2
    second += (1 - optimizer.beta_2) * np.square(gradient)
    denominator = np.sqrt(second)
    if optimizer.epsilon_hat:
        denominator += optimizer.epsilon
    denominator /= math.sqrt(correction_2)
    if not optimizer.epsilon_hat:
        denominator += optimizer.epsilon
    np.divide(first, denominator, out=denominator)
    denominator *= rate / correction_1
    network.parameters -= denominator


def _adamw(network: Stepped, optimizer: Any, rate: Rate, gradient: Array) -> None:
    network.parameters -= rate * optimizer.weight_decay * (network.decayed * network.parameters)
    _adam(network, optimizer, rate, gradient)


def _rmsprop(network: Stepped, optimizer: Any, rate: Rate, gradient: Array) -> None:
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


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def seed_of_epoch(seed: int, number: int) -> int:
    """The seed of an epoch of a net: splitmix64's number + 1 of its sequence that begins with the net's seed."""
    with np.errstate(over="ignore"):
        return int(_mixed(np.array([seed], np.uint64) + np.array([number + 1], np.uint64) * _GOLDEN)[0])


def numbers_below(bounds: Array, hashes: Array) -> Array:
    """A number below each bound, up to 2^32, all equally likely, from random hashes: Lemire 2019.

    A hash whose product with the bound is one of those that would come once too often is drawn again.
    """
    low_bits, half, hashes = np.uint64(0xFFFFFFFF), np.uint64(32), hashes.copy()
    while True:
        products = (hashes >> half) * bounds
        again = (products & low_bits) < np.uint64(1 << 32) % bounds
        if not again.any():
            numbers: Array = products >> half
            return numbers
        hashes[again] = _mixed(hashes[again] + _GOLDEN)


def shuffled(rows: Array, seed: int) -> Array:
    """The rows in a random order, all orders equally likely (Fisher and Yates 1938, Durstenfeld 1964).

    Element i changes places with one of 0 .. i, by a hash of seed and i.
    """
    order, bounds = rows.copy(), np.arange(1, len(rows) + 1, dtype=np.uint64)
    hashes = _mixed(_mixed(np.array([seed], np.uint64)) + (bounds - np.uint64(1)) * _GOLDEN)
    places = numbers_below(bounds, hashes).tolist()
    for i in range(len(rows) - 1, 0, -1):
        order[i], order[places[i]] = order[places[i]], order[i]
    return order


def dropped_units(seed: int, start: int, rows: int, layer: int, units: int, p: float) -> Array:
    """Which units of a hidden layer dropout leaves out: bool (rows, units).

    A pure function of the seed of the epoch, of the position of the sample in the epoch, the first of which is
    `start`, of the layer (0, 1, ...) and of the unit: 24 bits of a hash of these, compared with p 2^24. The hash is
    splitmix64's finaliser of seed, layer and position, then murmur3's (Appleby 2011) of its two halves and the unit.
    """
    of_layer = _mixed(np.array([seed], np.uint64) + np.array([layer + 1], np.uint64) * _GOLDEN)
    key = _mixed(of_layer + np.arange(start + 1, start + 1 + rows, dtype=np.uint64) * _GOLDEN)[:, None]
    low, high = key.astype(np.uint32), (key >> np.uint64(32)).astype(np.uint32)
    h = low ^ (np.arange(units, dtype=np.uint32) * np.uint32(0x9E3779B9))
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = ((h ^ (h >> np.uint32(13))) + high) * np.uint32(0xC2B2AE35)
    dropped: Array = (h ^ (h >> np.uint32(16))) >> np.uint32(8) < int(p * 2**24)
    return dropped
