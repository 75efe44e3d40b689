"""Initial weights: a random matrix (n_in, n_out) from a seeded generator. Biases start at zero."""

from __future__ import annotations  # numpy.random is first imported when weights are drawn: it takes 15 ms

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np

Initializer: TypeAlias = "Callable[[np.random.Generator, int, int], np.ndarray]"


def glorot_uniform(rng: np.random.Generator, n_in: int, n_out: int) -> np.ndarray:
    """Uniform with variance 2 / (n_in + n_out) (Glorot and Bengio 2010): for sigmoid, tanh and linear layers."""
    limit = np.sqrt(6 / (n_in + n_out))
    return rng.uniform(-limit, limit, (n_in, n_out))


def glorot_normal(rng: np.random.Generator, n_in: int, n_out: int) -> np.ndarray:
    """Normal with variance 2 / (n_in + n_out)."""
    return rng.normal(0, np.sqrt(2 / (n_in + n_out)), (n_in, n_out))


def he_uniform(rng: np.random.Generator, n_in: int, n_out: int) -> np.ndarray:
    """Uniform with variance 2 / n_in (He et al. 2015): for relu and its relatives."""
    limit = np.sqrt(6 / n_in)
    return rng.uniform(-limit, limit, (n_in, n_out))


def he_normal(rng: np.random.Generator, n_in: int, n_out: int) -> np.ndarray:
    """Normal with variance 2 / n_in."""
    return rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out))


def lecun_normal(rng: np.random.Generator, n_in: int, n_out: int) -> np.ndarray:
    """Normal with variance 1 / n_in (LeCun et al. 1998): for selu."""
    return rng.normal(0, np.sqrt(1 / n_in), (n_in, n_out))


INITIALIZERS: dict[str, Initializer] = {
    row.__name__: row for row in (glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_normal)
}
InitializerName = Literal["glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_normal"]

# The initializer of a layer by its activation; for the others glorot_uniform.
DEFAULTS = {
    **dict.fromkeys(("relu", "leaky_relu", "elu", "gelu", "silu", "mish"), "he_uniform"),
    "selu": "lecun_normal",
}
