"""Published formulas, written once more for the tests: what the reference and every compiled build are held to.

A new activation or loss has its rows here, and no other test of its own. FORMULAS has value and derivative. EXACT has
the value again, evaluated twice: by NumPy in float64 for float32 arguments, and by mpmath with 60 digits for float64
arguments.
"""

import math
from types import SimpleNamespace

import mpmath
import numpy as np

from cases import LOSS_PARAMETER

SLOPE = 0.25
# Klambauer et al. 2017, appendix
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

erfc = np.vectorize(math.erfc, otypes=[np.float64])


def logistic(z):
    return np.where(z >= 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def normal_cdf(z):
    return (0.5 * erfc(-(z.astype(np.float64)) / math.sqrt(2))).astype(z.dtype)


def normal_pdf(z):
    return np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


def exp_below_zero(z):
    return np.exp(np.minimum(z, 0))


def expm1_below_zero(z):
    return np.expm1(np.minimum(z, 0))


def sech_squared(z):
    return 1 / np.cosh(np.minimum(np.abs(z), 5000)) ** 2


FORMULAS = {
    "identity": (lambda z: z, np.ones_like),
    "sigmoid": (logistic, lambda z: logistic(z) * logistic(-z)),
    "tanh": (np.tanh, sech_squared),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "leaky_relu": (lambda z: np.where(z > 0, z, SLOPE * z), lambda z: np.where(z > 0, 1.0, SLOPE)),
    "elu": (
        lambda z: np.where(z > 0, z, expm1_below_zero(z)),
        lambda z: np.where(z > 0, 1.0, exp_below_zero(z)),
    ),
    "selu": (
        lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * expm1_below_zero(z)),
        lambda z: SELU_SCALE * np.where(z > 0, 1.0, SELU_ALPHA * exp_below_zero(z)),
    ),
    "softplus": (softplus, logistic),
    "gelu": (lambda z: z * normal_cdf(z), lambda z: normal_cdf(z) + z * normal_pdf(z)),
    "silu": (lambda z: z * logistic(z), lambda z: logistic(z) * (1 + z * logistic(-z))),
    "mish": (
        lambda z: z * np.tanh(softplus(z)),
        lambda z: np.tanh(softplus(z)) + z * sech_squared(softplus(z)) * logistic(z),
    ),
    "exponential": (np.exp, np.exp),
}

# What an activation is, within a millionth, for z from -1e6 down and from 1e6 up; None where it goes on as z does.
LIMITS = {
    "sigmoid": (0, 1),
    "tanh": (-1, 1),
    "relu": (0, None),
    "elu": (-1, None),
    "selu": (-SELU_SCALE * SELU_ALPHA, None),
    "softplus": (0, None),
    "gelu": (0, None),
    "silu": (0, None),
    "mish": (0, None),
    "exponential": (0, math.inf),
}

# The limits at minus and at plus infinity. gelu, silu and mish multiply z by a factor that vanishes: at minus
# infinity IEEE 754 has no other answer to infinity times 0 than NaN.
AT_INFINITY = {
    "identity": (-np.inf, np.inf),
    "sigmoid": (0, 1),
    "tanh": (-1, 1),
    "relu": (0, np.inf),
    "leaky_relu": (-np.inf, np.inf),
    "elu": (-1, np.inf),
    "selu": (-SELU_SCALE * SELU_ALPHA, np.inf),
    "softplus": (0, np.inf),
    "gelu": (np.nan, np.inf),
    "silu": (np.nan, np.inf),
    "mish": (np.nan, np.inf),
    "exponential": (0, np.inf),
}

DIGITS = mpmath.MPContext()
DIGITS.dps = 60
IN_FLOAT64 = SimpleNamespace(
    exp=np.exp,
    expm1=np.expm1,
    log1p=np.log1p,
    tanh=np.tanh,
    erfc=np.vectorize(math.erfc, otypes=[np.float64]),
    least=np.minimum,
    most=np.maximum,
    number=float,
)
EXACTLY = SimpleNamespace(
    exp=DIGITS.exp,
    expm1=DIGITS.expm1,
    log1p=DIGITS.log1p,
    tanh=DIGITS.tanh,
    # Beyond 60 both ends of erfc are far outside float64, and mpmath would sum a series of a million terms.
    erfc=lambda x: DIGITS.erfc(max(min(x, 60), -60)),
    least=min,
    most=max,
    number=DIGITS.mpf,
)

EXACT_SELU_SCALE, EXACT_SELU_ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"


def exact_normal_cdf(m, z):
    return m.erfc(-z / m.number("1.41421356237309504880168872420969807856967187537694807")) / 2


EXACT = {
    "identity": lambda m, z: z,
    "sigmoid": lambda m, z: 1 / (1 + m.exp(-z)),
    "tanh": lambda m, z: m.tanh(z),
    "relu": lambda m, z: m.most(z, 0),
    "leaky_relu": lambda m, z: m.most(z, 0) + SLOPE * m.least(z, 0),
    "elu": lambda m, z: m.most(z, 0) + m.expm1(m.least(z, 0)),
    "selu": lambda m, z: (
        m.number(EXACT_SELU_SCALE) * (m.most(z, 0) + m.number(EXACT_SELU_ALPHA) * m.expm1(m.least(z, 0)))
    ),
    "softplus": lambda m, z: m.most(z, 0) + m.log1p(m.exp(-abs(z))),
    "gelu": lambda m, z: z * exact_normal_cdf(m, z),
    "silu": lambda m, z: z / (1 + m.exp(-z)),
    "mish": lambda m, z: z * m.tanh(m.most(z, 0) + m.log1p(m.exp(-abs(z)))),
    "exponential": lambda m, z: m.exp(z),
}


def loss_by_formula(loss, output, target):
    """c of MATH.md for one row, from the outputs, in float64."""
    if loss == "half_squared_error":
        return 0.5 * sum((o - t) ** 2 for o, t in zip(output, target, strict=True))
    if loss == "squared_error":
        return sum((o - t) ** 2 for o, t in zip(output, target, strict=True))
    if loss == "binary_cross_entropy":
        return -sum(t * math.log(o) + (1 - t) * math.log(1 - o) for o, t in zip(output, target, strict=True))
    if loss == "cross_entropy":
        return -sum(t * math.log(o) for o, t in zip(output, target, strict=True))
    p = LOSS_PARAMETER
    term = {
        "absolute_error": lambda o, t: abs(o - t),
        "huber": lambda o, t: 0.5 * (o - t) ** 2 if abs(o - t) <= p else p * (abs(o - t) - 0.5 * p),
        "log_cosh": lambda o, t: math.log(math.cosh(o - t)),
        "quantile": lambda o, t: max(p * (t - o), (p - 1) * (t - o)),
        "poisson": lambda o, t: (t * math.log(t / o) if t > 0 else 0) - t + o,
    }[loss]
    return sum(term(o, t) for o, t in zip(output, target, strict=True))
