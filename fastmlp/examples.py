"""The nets of the lecture scripts, each with its sample, ready for `trace`, `explain` and `plot`.

Where a script gives numbers they are the script's. Scripts 000, 002 and 004 derive their gradients in symbols: the
weights of those three nets are chosen here, small and different from each other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp import checks
from fastmlp.formulas import Array
from fastmlp.mlp import MLP
from fastmlp.optimizers import SGD, Optimizer


@dataclass(frozen=True, eq=False)
class Example:
    """A net of a script with one sample.

    Attributes
    ----------
    name, title : str
    net : MLP
        In float64.
    x : ndarray of shape (n_in,)
    y : ndarray of shape (n_out,)
    optimizer : Optimizer
        For the step that follows.
    notation : str
        Of `MLP.explain`, as the script writes.
    """

    name: str
    title: str
    net: MLP
    x: Array
    y: Array
    optimizer: Optimizer
    notation: str


# name: title, weights (n_in, n_out), biases, arguments of MLP, x, y, learning rate, notation
_ROWS: dict[str, tuple[str, list[Any], list[Any] | None, dict[str, Any], list[float], list[float], float, str]] = {
    "000": (
        "A 2-2-1 net of sigmoids with binary cross-entropy learns XNOR (weights chosen here)",
        [[[0.2, 0.3], [0.4, -0.2]], [[0.5], [-0.3]]],
        [[0.1, -0.1], [0.2]],
        {"activation": "sigmoid", "output": "sigmoid"},
        [1, 0],
        [0],
        0.5,
        "000",
    ),
    "001": (
        "The exercise: a layer of ReLU, a layer of softmax, cross-entropy",
        [[[1, -1, 1], [1, 1, -1]], [[0, 1, 0], [1, -1, 0], [0, 0, 1]]],
        [[0, 0, 0], [0, 0, 0]],
        {"activation": "relu", "output": "softmax"},
        [1, 2],
        [0, 1, 0],
        0.1,
        "001",
    ),
    "002": (
        "A 2-2-1 net without biases: the gradients of all values (weights chosen here)",
        [[[0.5, -0.4], [0.3, 0.2]], [[0.6], [-0.7]]],
        None,
        {"activation": "sigmoid", "output": "sigmoid", "loss": "half_squared_error"},
        [1, 2],
        [1],
        0.5,
        "002",
    ),
    "003": (
        "A 2-2-2 net of sigmoids, step by step",
        [[[0.15, 0.25], [0.20, 0.30]], [[0.40, 0.50], [0.45, 0.55]]],
        [[0.35, 0.35], [0.60, 0.60]],
        {"activation": "sigmoid", "output": "sigmoid", "loss": "half_squared_error"},
        [0.05, 0.10],
        [0.01, 0.99],
        0.5,
        "003",
    ),
    "004": (
        "A 2-3-1 net of sigmoids with the log-likelihood as loss (weights chosen here)",
        [[[0.3, -0.2, 0.5], [0.1, 0.4, -0.6]], [[0.7], [-0.5], [0.2]]],
        [[0.1, 0.2, -0.1], [0.3]],
        {"activation": "sigmoid", "output": "sigmoid"},
        [1, 2],
        [1],
        0.1,
        "004",
    ),
    "and": (
        "AND by one neuron, z = -1.5 + x1 + x2 (script 002)",
        [[[1], [1]]],
        [[-1.5]],
        {"output": "sigmoid"},
        [1, 1],
        [1],
        0.1,
        "002",
    ),
    "or": (
        "OR by one neuron, z = -0.5 + x1 + x2 (script 002)",
        [[[1], [1]]],
        [[-0.5]],
        {"output": "sigmoid"},
        [0, 1],
        [1],
        0.1,
        "002",
    ),
    "xnor": (
        "XNOR by two learned features, z = -0.5 + a1 + a2 (script 002)",
        [[[4, -4], [4, -4]], [[1], [1]]],
        [[-6, 2], [-0.5]],
        {"activation": "sigmoid", "output": "sigmoid"},
        [1, 1],
        [1],
        0.1,
        "002",
    ),
}

NAMES = tuple(_ROWS)


def title(name: str) -> str:
    """What an example shows, in a line.

    Parameters
    ----------
    name : str
        One of `NAMES`.

    Returns
    -------
    str
    """
    return _ROWS[checks.choice("name", name, NAMES)][0]


def load(name: str) -> Example:
    """The net of a script, made anew, and its sample.

    Parameters
    ----------
    name : {"000", "001", "002", "003", "004", "and", "or", "xnor"}
        The script, or the gate of script 002.

    Returns
    -------
    Example

    Raises
    ------
    ValueError, TypeError
        If there is no example of that name.

    Examples
    --------
    >>> import fastmlp
    >>> example = fastmlp.examples.load("003")
    >>> example.net.predict(example.x).round(6).tolist()
    [0.751365, 0.772928]
    """
    title, weights, biases, arguments, x, y, rate, notation = _ROWS[checks.choice("name", name, NAMES)]
    net = MLP.from_parameters(weights, biases, dtype="float64", **arguments)
    return Example(name, title, net, np.array(x, float), np.array(y, float), SGD(rate), notation)
