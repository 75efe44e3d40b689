"""The activations of files of ONNX: expressions of operators, and whether a tensor is what one of them says.

They come from the rows from which `to_onnx` writes activations (onnx_operators.py), and from others in the same form
for what others write.
"""

from collections.abc import Iterator
from math import isclose, sqrt
from typing import Any, NamedTuple, Protocol

import numpy as np

from fastmlp.formulas import Array
from fastmlp.onnx_operators import ACTIVATIONS, IN_DOUBLE, Row
from fastmlp.onnx_tensors import FileNode

_NEAR = 1e-6  # how far a number may be from the one that a formula has, as a share of it: rounding to float32

# Every operator that is known, with its attributes and what they are if nothing is said.
OPERATORS: dict[str, dict[str, Any]] = {
    **{
        name: {}
        for name in (
            "Abs", "Add", "Div", "Erf", "Exp", "Identity", "Less", "Log", "MatMul", "Max", "Min", "Mish", "Mul",
            "Neg", "PRelu", "Relu", "Sigmoid", "Softplus", "Sub", "Tanh", "Where",
        )
    },
    "Cast": {"to": None, "saturate": 1, "round_mode": b"up"},
    "Concat": {"axis": None},
    "Constant": dict.fromkeys(("value", "value_float", "value_floats", "value_int", "value_ints")),
    "Dropout": {"ratio": 0.5, "seed": None},
    "Elu": {"alpha": 1.0},
    "Flatten": {"axis": 1},
    "Gelu": {"approximate": b"none"},
    "Gemm": {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0},
    "LeakyRelu": {"alpha": 0.01},
    "Reshape": {"allowzero": 0},
    "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    "Softmax": {"axis": -1},
    "Swish": {"alpha": 1.0},
    "Transpose": {"perm": None},
}  # fmt: skip


class ReadGraph(Protocol):
    """What is asked of a graph: what a tensor is, by its name."""

    def same(self, name: str) -> str:
        """The name under which it was made."""

    def constant(self, name: str) -> Array | None:
        """Its numbers, if it is a constant."""

    def maker(self, name: str) -> FileNode | None:
        """The node that makes it, if there is one."""


class Expression(NamedTuple):
    """An operator of expressions."""

    operator: str
    inputs: tuple[Any, ...]  # expressions, numbers, _Z and _SLOPE
    attributes: dict[str, Any]


class Expressions:
    """A builder for the rows: what they make of it is recognised again."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)

    def __call__(self, operator: str, *inputs: Any, **attributes: Any) -> Expression:
        """An operator of these, with all its attributes."""
        return Expression(operator, inputs, OPERATORS[operator] | attributes)


_Z, _SLOPE, _COLUMNS = object(), object(), object()
_COMMUTATIVE = ("Add", "Mul", "Max", "Min")

# As others write them.
_OTHER_ROWS: list[tuple[str, Row]] = [
    ("relu", lambda g, z, s: g("Max", z, 0.0)),
    ("leaky_relu", lambda g, z, s: g("PRelu", z, s)),
    ("gelu", lambda g, z, s: g("Gelu", z)),
    ("gelu", lambda g, z, s: g("Mul", g("Mul", z, 0.5), g("Add", g("Erf", g("Div", z, sqrt(2))), 1.0))),
    ("gelu", lambda g, z, s: g("Mul", g("Mul", z, 0.5), g("Add", g("Erf", g("Mul", z, sqrt(0.5))), 1.0))),
    ("gelu", lambda g, z, s: g("Mul", g("Mul", z, g("Add", g("Erf", g("Mul", z, sqrt(0.5))), 1.0)), 0.5)),
    ("silu", lambda g, z, s: g("Swish", z)),
    ("mish", lambda g, z, s: g("Mish", z)),
]
_ROWS = [
    *((name, np.float32, row) for name, row in ACTIVATIONS.items() if name != "identity"),
    *((name, np.float64, row) for name, row in IN_DOUBLE.items()),
    *((name, np.float32, row) for name, row in _OTHER_ROWS),
]
PATTERNS = [(name, row(Expressions(dtype), _Z, _SLOPE)) for name, dtype, row in _ROWS]
# The probabilities of two classes, made of that of the second.
_g = Expressions(np.float32)
TWO_CLASSES = _g("Concat", _g("Sub", 1.0, _Z), _Z, axis=-1)


def matched(graph: ReadGraph, pattern: Expression, name: str) -> tuple[str, float | None, int] | None:
    """z, the slope if there is one, and its columns, where a tensor is what the pattern makes of z."""
    for found in _matches(graph, pattern, name, {}):
        return found[_Z], found.get(_SLOPE), found.get(_COLUMNS, 1)
    return None


def _matches(graph: ReadGraph, pattern: Any, name: str, found: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
    """What z and the slope may be, so that a tensor is what the pattern says, beside what was found before."""
    name = graph.same(name)
    constant = graph.constant(name)
    if pattern is _Z:
        if constant is None and found.get(_Z, name) == name:
            yield found | {_Z: name}
    elif not isinstance(pattern, Expression):
        if constant is not None:
            yield from _number_matches(pattern, constant, found)
    elif constant is None and (node := graph.maker(name)) is not None:
        yield from _node_matches(graph, pattern, node, found)


def _node_matches(
    graph: ReadGraph, pattern: Expression, node: FileNode, found: dict[Any, Any]
) -> Iterator[dict[Any, Any]]:
    inputs = node.inputs
    if node.operator != pattern.operator or node.domain not in ("", "ai.onnx"):
        return
    if len(inputs) != len(pattern.inputs):
        return
    for one in _attributes_match(pattern.attributes, OPERATORS[node.operator] | node.attributes, found):
        orders = [inputs, inputs[::-1]] if node.operator in _COMMUTATIVE else [inputs]
        for order in orders:
            yield from _all_match(graph, pattern.inputs, order, one)


def _all_match(
    graph: ReadGraph, patterns: tuple[Any, ...], names: tuple[str, ...], found: dict[Any, Any]
) -> Iterator[dict[Any, Any]]:
    if not patterns:
        yield found
        return
    for one in _matches(graph, patterns[0], names[0], found):
        yield from _all_match(graph, patterns[1:], names[1:], one)


def _number_matches(pattern: Any, constant: Array, found: dict[Any, Any]) -> Iterator[dict[Any, Any]]:
    """Whether a constant is a number, or may be the slope, which may be written once for each column."""
    if not is_row(constant) or not (constant == constant.flat[0]).all():
        return
    if pattern is _SLOPE:
        yield found | {_SLOPE: _shortest(constant.flat[0]), _COLUMNS: constant.size}
        return
    share = max(_NEAR, float(np.finfo(constant.dtype).eps))
    if constant.size == 1 and isclose(float(constant.flat[0]), pattern, rel_tol=share):
        yield found


def _attributes_match(
    expected: dict[str, Any], given: dict[str, Any], found: dict[Any, Any]
) -> Iterator[dict[Any, Any]]:
    """Whether attributes are those of the pattern, and what the slope is if it is one of them."""
    for name, value in expected.items():
        came = given[name]
        if name == "axis" and came == 1:  # of two
            came = -1
        if value is _SLOPE and isinstance(came, float):
            found = found | {_SLOPE: _shortest(np.float32(came))}
        elif isinstance(value, float) and isinstance(came, float):
            if not isclose(came, value, rel_tol=_NEAR):
                return
        elif came != value:
            return
    yield found


def is_row(constant: Array) -> bool:
    """Whether a constant is floating-point numbers that go to each row alike, and leave it a row."""
    fits = constant.ndim <= 2 and constant.size in (1, *constant.shape[-1:])
    return fits and constant.dtype.kind == "f" and constant.size > 0


def _shortest(value: Any) -> float:
    """The number of the fewest digits that is rounded to this one: 0.3, of which a file may have the float32."""
    return float(str(value))
