"""What a net computes as operators of ONNX: a row per activation, scaling in steps, labels; a graph as data.

A row is a function of a builder, which makes of each operator what it likes: `Graph` writes nodes down, and the
reader (onnx_reading.py) keeps expressions to recognise them by. ONNX Runtime has no kernels in float64 for Elu, Selu,
Softplus and Erf; those rows are written a second time, of operators that have some.

Not here: the package onnx, which files need (onnx_files.py).
"""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from fastmlp.formulas import SELU_ALPHA, SELU_SCALE, Array
from fastmlp.forward import (
    EDGE,
    FIRST_LEVEL,
    IN_THE_MIDDLE,
    IN_THE_TAILS,
    MIDDLE,
    TAIL,
    Forward,
    Normalized,
    Standardized,
)  # fmt: skip

INPUT, ROWS = "X", "n_samples"  # the names of the input, and of its first dimension
VALUES, LABEL, PROBABILITIES = "variable", "label", "probabilities"  # of the outputs, as skl2onnx has them
_INTEGERS = np.dtype(np.int64)
_DOUBLE = np.dtype(np.float64)


class Node(NamedTuple):
    """An operator, what it reads, what it makes."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


class Output(NamedTuple):
    """A result of a graph: its name, type and columns, None for one number a row."""

    name: str
    dtype: np.dtype[Any]
    columns: int | None


class Graph:
    """Nodes and constants, in the order in which they were asked for.

    Attributes
    ----------
    dtype : numpy.dtype
        Of the numbers that stand among the inputs of an operator.
    nodes : list of Node
    constants : dict of str to ndarray
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self._numbers: dict[tuple[str, float], str] = {}  # so that each is written once

    def __call__(self, operator: str, *inputs: Any, output: str | None = None, **attributes: Any) -> str:
        """The name of what an operator makes of these: names, numbers and arrays."""
        name = output or f"{operator}_{len(self.nodes)}"
        read = tuple(one if isinstance(one, str) else self.constant(one) for one in inputs)
        self.nodes.append(Node(operator, read, name, attributes))
        return name

    def constant(self, value: Any) -> str:
        """The name of a number, or of an array as it is."""
        if isinstance(value, np.ndarray):
            name = f"constant_{len(self.constants)}"
            self.constants[name] = value
            return name
        key = self.dtype.name, float(value)
        if key not in self._numbers:
            self._numbers[key] = self.constant(np.array(value, self.dtype))
        return self._numbers[key]

    def cast(self, x: str, dtype: np.dtype[Any]) -> str:
        """x, and from here on numbers, of another type."""
        if dtype == self.dtype:
            return x
        self.dtype = dtype
        return self("Cast", x, to=dtype)


Row = Callable[[Any, Any, Any], Any]  # (builder, z, negative slope) -> a


def _polynomial(g: Any, x: Any, coefficients: Sequence[float]) -> Any:
    """Of the highest power first, by Horner's rule."""
    value = g("Mul", x, coefficients[0])
    for c in coefficients[1:-1]:
        value = g("Mul", g("Add", value, c), x)
    return g("Add", value, coefficients[-1])


# Hart et al. 1968, algorithm 5666: the integral of the normal density from z on is exp(-z²/2) P(z) / Q(z) for z >= 0,
# with an absolute error of 2e-16.
_HART_P = (
    0.0352624965998911, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871, 221.213596169931,
    220.206867912376,
)  # fmt: skip
_HART_Q = (
    0.0883883476483184, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674, 637.333633378831,
    793.826512519948, 440.413735824752,
)  # fmt: skip
_FAR = 40.0  # where the density is 0 in float64, and a polynomial is not yet infinite


def _normal_cdf(g: Any, z: Any) -> Any:
    """The distribution function of the normal distribution, in float64."""
    a = g("Min", g("Abs", z), _FAR)
    density = g("Exp", g("Mul", g("Mul", a, a), -0.5))
    tail = g("Mul", density, g("Div", _polynomial(g, a, _HART_P), _polynomial(g, a, _HART_Q)))
    return g("Where", g("Less", z, 0.0), tail, g("Sub", 1.0, tail))


def _normal_quantile(g: Any, p: Any) -> Any:
    """By algorithm AS 241, see forward.py."""
    q = g("Sub", p, 0.5)
    r = g("Sub", MIDDLE**2, g("Mul", q, q))
    middle = g("Mul", q, g("Div", *(_polynomial(g, r, row) for row in IN_THE_MIDDLE)))
    s = g("Sub", g("Sqrt", g("Neg", g("Log", g("Min", p, g("Sub", 1.0, p))))), TAIL)
    tail = g("Mul", g("Sign", q), g("Div", *(_polynomial(g, s, row) for row in IN_THE_TAILS)))
    return g("Where", g("LessOrEqual", g("Abs", q), MIDDLE), middle, tail)


def _softplus(g: Any, z: Any) -> Any:
    return g("Add", g("Max", z, 0.0), g("Log", g("Add", g("Exp", g("Neg", g("Abs", z))), 1.0)))


def _below(g: Any, z: Any) -> Any:
    """exp(z) - 1 where z < 0, else 0: near 0 it is exact to an epsilon of 1, not of itself."""
    return g("Sub", g("Exp", g("Min", z, 0.0)), 1.0)


ACTIVATIONS: dict[str, Row] = {
    "identity": lambda g, z, s: z,
    "sigmoid": lambda g, z, s: g("Sigmoid", z),
    "tanh": lambda g, z, s: g("Tanh", z),
    "relu": lambda g, z, s: g("Relu", z),
    "leaky_relu": lambda g, z, s: g("LeakyRelu", z, alpha=s),
    "elu": lambda g, z, s: g("Elu", z),
    "selu": lambda g, z, s: g("Selu", z),
    "softplus": lambda g, z, s: g("Softplus", z),
    # Written as PyTorch's exporter does.
    "gelu": lambda g, z, s: g("Mul", g("Mul", z, g("Add", g("Erf", g("Div", z, sqrt(2))), 1.0)), 0.5),
    "silu": lambda g, z, s: g("Mul", z, g("Sigmoid", z)),
    "mish": lambda g, z, s: g("Mul", z, g("Tanh", g("Softplus", z))),
    "exponential": lambda g, z, s: g("Exp", z),
    "softmax": lambda g, z, s: g("Softmax", z, axis=-1),
}
# The attribute of LeakyRelu, too, is of float32 only.
IN_DOUBLE: dict[str, Row] = {
    "leaky_relu": lambda g, z, s: g("Max", g("Mul", z, s), z),
    "elu": lambda g, z, s: g("Add", g("Max", z, 0.0), _below(g, z)),
    "selu": lambda g, z, s: g(
        "Add", g("Mul", g("Max", z, 0.0), SELU_SCALE), g("Mul", _below(g, z), SELU_SCALE * SELU_ALPHA)
    ),
    "softplus": lambda g, z, s: _softplus(g, z),
    "gelu": lambda g, z, s: g("Mul", z, _normal_cdf(g, z)),
    "mish": lambda g, z, s: g("Mul", z, g("Tanh", _softplus(g, z))),
}


def _interpolated(g: Graph, x: str, known: Array, values: Array, hit: Array) -> str:
    """X (m, n) by straight lines through the points (known, values), both (n, q), each column through its own.

    Between known[k] and known[k + 1], the last k of equal ones, the line starts at values[k]; on a known one, `hit`
    counts; beyond the ends, the first and the last value. k is found by bisection, in tables padded to a power of 2:
    a comparison with all would take q times the memory of x.
    """
    columns, q = known.shape
    bits = (q - 1).bit_length()
    first = np.arange(columns, dtype=np.int64)[None] << bits

    def table(rows: Array, pad: float) -> Array:
        padded = np.full((columns, 1 << bits), pad, np.float64)
        padded[:, : rows.shape[1]] = rows
        return padded.reshape(-1)

    points, k = g.constant(table(known, np.inf)), g.constant(first)
    for bit in reversed(range(bits)):
        further = g("Add", k, np.array(1 << bit, np.int64))
        k = g("Where", g("LessOrEqual", g("Gather", points, further), x), further, k)
    gaps, rises = np.diff(known), np.diff(values)
    start = g("Gather", points, k)
    share = g("Div", g("Sub", x, start), g("Gather", table(np.where(gaps > 0, gaps, 1), 1), k))
    share = g("Min", g("Max", share, 0.0), 1.0)
    line = g("Add", g("Gather", table(values, 0), k), g("Mul", share, g("Gather", table(rises, 0), k)))
    if np.array_equal(values, hit):
        return line
    return g("Where", g("Equal", x, start), g("Gather", table(hit, 0), k), line)


def _mean_levels(levels: Array, known: Array) -> Array:
    """Of each known value (n, q), the mean of the first and the last level of those that are equal to it."""
    means = np.empty(known.shape)
    for row, mean in zip(known, means, strict=True):
        below = np.searchsorted(row, row, "left")
        above = np.searchsorted(row, row, "right") - 1
        mean[:] = 0.5 * (levels[below] + levels[above])
    return means


def _scaled(g: Graph, x: str, by: Standardized | Normalized) -> str:
    """X (m, n), scaled, in float64."""
    if isinstance(by, Standardized):
        return g("Div", g("Sub", x, by.mean), by.scale)
    level = _interpolated(
        g, x, by.known, np.broadcast_to(by.levels, by.known.shape), _mean_levels(by.levels, by.known)
    )
    level = g("Where", g("Less", by.known[:, -1], g("Add", x, EDGE)), 1.0, level)
    level = g("Where", g("Greater", by.known[:, 0], g("Sub", x, EDGE)), 0.0, level)
    least = FIRST_LEVEL
    quantile: str = _normal_quantile(g, g("Min", g("Max", level, least), 1 - least))
    return quantile


def _unscaled(g: Graph, y: str, by: Standardized | Normalized) -> str:
    """What was scaled to y (m, n), in float64."""
    if isinstance(by, Standardized):
        return g("Add", g("Mul", y, by.scale), by.mean)
    level = _normal_cdf(g, y)
    value = _interpolated(g, level, np.broadcast_to(by.levels, by.known.shape), by.known, by.known)
    value = g("Where", g("Greater", level, 1 - EDGE), by.known[:, -1], value)
    return g("Where", g("Less", level, EDGE), by.known[:, 0], value)


def activated(g: Any, name: str, z: Any, s: Any) -> Any:
    """What an activation makes of z, in the type of the builder."""
    rows = ACTIVATIONS | IN_DOUBLE if g.dtype == _DOUBLE else ACTIVATIONS
    return rows[name](g, z, s)


def _answer(g: Graph, steps: Forward, a: str) -> list[Output]:
    """The results: numbers, or a label and probabilities, made of the outputs a (m, n_out) of the last layer."""
    n = steps.weights[-1].shape[1]
    output = steps.activations[-1]
    is_estimator = steps.classes is not None
    if not is_estimator and output not in ("softmax", "sigmoid"):
        g("Identity", a, output=VALUES)
        return [Output(VALUES, steps.dtype, n)]
    # An MLP says 1 at exactly one half, the estimators say 0, as scikit-learn's do.
    above = "Greater" if is_estimator else "GreaterOrEqual"
    if output == "softmax":
        place, columns = g("ArgMax", a, axis=1, keepdims=0), None
    elif steps.several:
        place, columns = g("Cast", g(above, a, 0.5), to=_INTEGERS), n
    else:
        place, columns = g("Squeeze", g("Cast", g(above, a, 0.5), to=_INTEGERS), np.array([1])), None
    if steps.classes is None or steps.several:
        labels, dtype = place, _INTEGERS
    else:
        known = label_array(steps.classes)
        if n == 1:
            known = known[[0, -1]]  # the one label, where there is no other
            a = g("Concat", g("Sub", 1.0, a), a, axis=1) if len(steps.classes) == 2 else _ones(g, a, steps.dtype)
            n = len(steps.classes)
        labels, dtype = g("Gather", known, place), known.dtype
    g("Identity", labels, output=LABEL)
    g("Identity", a, output=PROBABILITIES)
    return [Output(LABEL, dtype, columns), Output(PROBABILITIES, steps.dtype, n)]


def _ones(g: Graph, a: str, dtype: np.dtype[Any]) -> str:
    return g("ConstantOfShape", g("Shape", a), value=np.ones(1, dtype))


def label_array(classes: Array) -> Array:
    """Labels in a type that ONNX has: int64, bool, float32, float64 or strings, which are an array of objects."""
    kind = classes.dtype.kind
    if kind in "OU" and all(isinstance(label, str) for label in classes.tolist()):
        for label in classes.tolist():
            if not label.isascii() and any("\ud800" <= sign <= "\udfff" for sign in label):
                raise ValueError(
                    f"classes_ has {label!r}, of half a surrogate pair; expected text, as UTF-8 can hold"
                )
        return classes.astype(object)
    if kind in "iu" and (not classes.size or int(classes.max()) < 2**63):
        return classes.astype(np.int64)
    if kind == "b" or (kind == "f" and classes.dtype.itemsize <= 8):
        return classes.astype(np.float32) if classes.dtype == np.float16 else classes
    raise ValueError(
        f"classes_ has dtype {classes.dtype} and labels such as {classes[-1]!r}, which ONNX has no type for; "
        "expected strings, booleans, or numbers of 64 bits at most"
    )


def graph_of(steps: Forward) -> tuple[Graph, list[Output]]:
    """The graph of a prediction, of the input `INPUT` (m, n_in), and its outputs in the dtype of the net.

    Scaling is computed in float64, as the estimators do.
    """
    g = Graph(steps.dtype)
    a = INPUT
    if steps.of_inputs is not None:
        a = g.cast(_scaled(g, g.cast(a, _DOUBLE), steps.of_inputs), steps.dtype)
    for W, b, name in zip(steps.weights, steps.biases, steps.activations, strict=True):
        a = activated(g, name, g("Gemm", a, W, b), steps.negative_slope)
    if steps.of_outputs is not None:
        a = g.cast(_unscaled(g, g.cast(a, _DOUBLE), steps.of_outputs), steps.dtype)
    return g, _answer(g, steps, a)
