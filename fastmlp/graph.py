"""The computational graph of the lectures: scalars that know what they were computed from, and their gradients.

A `Value` is a node, each of its inputs an edge. The forward pass is the arithmetic that makes the nodes, `backward`
the chain rule from the last node to the first. `of_net` writes a net and one sample out as such a graph.

Not here: speed. A node is a Python object of some hundred bytes, made for graphs that a person reads, and for judging
the compiled core: it shares no formula with the core, formulas.py or reference.py, and computes with `math` alone, so
that a mistake in one of them cannot be hidden by the same mistake here. Only what has no row here yet comes from
formulas.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from fastmlp import checks, formulas
from fastmlp.mlp import MLP

# Of the graph of a net: beyond it are minutes and gigabytes, and nobody looks at one of a thousandth of that.
MOST_EDGES = 1_000_000
# A sum or a softmax of more inputs than this is shortened in texts.
_MOST_OPERANDS = 8
# Every double below it that is whole has a predecessor: x^(p - 1) is the power that is meant.
_MOST_EXPONENT = 2.0**53


class Value:
    """A node of a computational graph: a number, and what it was computed from.

    +, -, ·, / and ** between values and plain numbers, unary -, abs(), `exp`, `log` and `activate` make new nodes. A
    plain number becomes a constant of its own; as an exponent it belongs to the operation.

    Parameters
    ----------
    value : float
        A finite number.
    name : str
        What the node is called in texts and pictures; it can be set later, for nodes that were computed.

    Attributes
    ----------
    value : float
        The number.
    grad : float
        The derivative by this node of the node whose `backward` was called last; 0 before.
    name : str
        The name, "" for none.
    operation : str
        What made it: leaf, constant (a plain number), +, -, ·, /, ^ (^2 with a number as exponent), abs, exp, log, an
        activation, log_cosh or softmax_i. A - with one input is the sign.
    inputs : tuple of Value
        What it was computed from, in order; one that enters twice stands here twice. Empty for a leaf and a constant.

    Raises
    ------
    TypeError, ValueError
        If value is no finite number, or name no str. So do all operations for operands that they are not defined for.
    ZeroDivisionError
        By operations, for a division by zero or a negative power of it.
    OverflowError
        By operations, if the result or one of its derivatives leaves the range of float64.

    Notes
    -----
    Script 003, "Backpropagation: a simple example"; script 002, gradients with respect to every value. Where a
    function has a kink, the derivative is the one the rest of fastmlp takes: 0 at 0 for relu and abs.

    Examples
    --------
    f = (x + y) z of script 003:

    >>> from fastmlp.graph import Value
    >>> x, y, z = Value(-2, "x"), Value(5, "y"), Value(-4, "z")
    >>> q = x + y
    >>> f = q * z
    >>> q.name, f.name = "q", "f"
    >>> f.backward()
    >>> print(f.table())
    node  formula  value  gradient
    x                 -2        -4
    y                  5        -4
    q     x + y        3        -4
    z                 -4         3
    f     q·z        -12         1
    >>> for edge in f.edges():
    ...     print(edge)
    x → q: ∂q/∂x = 1, gradient -4
    y → q: ∂q/∂y = 1, gradient -4
    q → f: ∂f/∂q = -4, gradient -4
    z → f: ∂f/∂z = 3, gradient 3
    """

    __slots__ = ("_grad", "_inputs", "_locals", "_name", "_operation", "_value")
    # An array or a NumPy number on the left leaves the operation to this class, which refuses the array.
    __array_ufunc__: ClassVar[None] = None

    _value: float
    _grad: float
    _operation: str
    _inputs: tuple[Value, ...]
    _locals: tuple[float, ...]  # for each input the derivative of this node by it
    _name: str

    def __init__(self, value: float, name: str = "") -> None:
        self._value = checks.number("value", value)
        self.name = name
        self._operation, self._inputs, self._locals, self._grad = "leaf", (), (), 0.0

    value = property(lambda self: self._value, doc="float: the number.")
    grad = property(lambda self: self._grad, doc="float: the derivative by this node; 0 before `backward`.")
    operation = property(lambda self: self._operation, doc='str: what made it; "leaf" for a given value.')
    inputs = property(lambda self: self._inputs, doc="tuple of Value: what it was computed from.")

    @property
    def name(self) -> str:
        """What the node is called, "" for no name."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"name is {name!r}; expected a str")
        self._name = name

    # arithmetic

    def __add__(self, other: Value | float) -> Value:
        return _sum([self, _operand("+", other)])

    def __radd__(self, other: float) -> Value:
        return _operand("+", other) + self

    def __sub__(self, other: Value | float) -> Value:
        b = _operand("-", other)
        difference = _complement(b) if self._value == 1 else self._value - b._value
        return _node("-", difference, (self, b), (1.0, -1.0))

    def __rsub__(self, other: float) -> Value:
        return _operand("-", other) - self

    def __mul__(self, other: Value | float) -> Value:
        b = _operand("·", other)
        return _node("·", self._value * b._value, (self, b), (b._value, self._value))

    def __rmul__(self, other: float) -> Value:
        return _operand("·", other) * self

    def __truediv__(self, other: Value | float) -> Value:
        b = _operand("/", other)
        if b._value == 0:
            raise ZeroDivisionError(f"{_in_words('/', (self, b))}: division by zero; expected another divisor")
        ratio = self._value / b._value
        return _node("/", ratio, (self, b), (1 / b._value, -ratio / b._value))

    def __rtruediv__(self, other: float) -> Value:
        return _operand("/", other) / self

    def __pow__(self, exponent: Value | float) -> Value:
        """x^p; for a number p wherever it has a finite derivative, for a value p with x > 0."""
        x = self._value
        if isinstance(exponent, Value):
            if x <= 0:
                raise ValueError(
                    f"{_in_words('^', (self, exponent))}: a power with a Value as exponent is defined for a base > 0 "
                    "(others take a plain number as exponent)"
                )
            p = exponent._value
            power = _power(x, p)
            return _node("^", power, (self, exponent), (p * _power(x, p - 1), power * math.log(x)))
        p = checks.number("the exponent", exponent, least=-_MOST_EXPONENT, most=_MOST_EXPONENT)
        operation = f"^{p:g}"
        if x == 0 and p < 0:
            raise ZeroDivisionError(f"{_in_words(operation, (self,))}: division by zero; expected another base")
        if x == 0 and 0 < p < 1:
            raise ValueError(f"{_in_words(operation, (self,))}: the derivative is infinite at 0; expected a base > 0")
        if x < 0 and not p.is_integer():
            raise ValueError(
                f"{_in_words(operation, (self,))}: not a real number; expected a base >= 0 or a whole exponent"
            )
        return _node(operation, _power(x, p), (self,), (p * _power(x, p - 1) if p else 0.0,))

    def __rpow__(self, base: float) -> Value:
        return _operand("^", base) ** self

    def __neg__(self) -> Value:
        return _node("-", -self._value, (self,), (-1.0,))

    def __abs__(self) -> Value:
        """|x|, with the derivative 0 at 0."""
        x = self._value
        return _node("abs", abs(x), (self,), (float((x > 0) - (x < 0)),))

    def exp(self) -> Value:
        """e^x.

        Returns
        -------
        Value

        Raises
        ------
        OverflowError
            If x is above 709.78.
        """
        power = _exp(self._value)
        return _node("exp", power, (self,), (power,))

    def log(self) -> Value:
        """The natural logarithm.

        Returns
        -------
        Value

        Raises
        ------
        ValueError
            If x <= 0.
        """
        if self._value <= 0:
            raise ValueError(f"{_in_words('log', (self,))}: a logarithm is defined for values > 0")
        return _node("log", math.log(self._value), (self,), (1 / self._value,))

    def activate(self, name: str, negative_slope: float | None = None) -> Value:
        """g(z), an activation of this node.

        Parameters
        ----------
        name : str
            identity, sigmoid, tanh, relu, leaky_relu, elu, selu, softplus, gelu, silu, mish or exponential. For
            softmax, which is a function of several values, there is `graph.softmax`.
        negative_slope : float, optional
            Of leaky_relu, 0 to 1; 0.01 unless given.

        Returns
        -------
        Value

        Raises
        ------
        ValueError, TypeError
            If the name is unknown, or negative_slope is given for another activation or is out of bounds.
        OverflowError
            If exponential leaves the range of float64.

        Examples
        --------
        >>> from fastmlp.graph import Value
        >>> z = Value(0.3775, "net_h1")
        >>> a = z.activate("sigmoid")
        >>> a.backward()
        >>> round(a.value, 9), round(z.grad, 9)
        (0.593269992, 0.241300709)
        """
        if name == "softmax":
            raise ValueError("name is 'softmax', which takes several values: graph.softmax([z_1, z_2, ...])")
        checks.choice("name", name, formulas.ACTIVATIONS)
        if negative_slope is not None and name != "leaky_relu":
            raise ValueError(f"negative_slope is {negative_slope!r} for {name}; it is a parameter of leaky_relu only")
        slope = 0.01 if negative_slope is None else checks.number("negative_slope", negative_slope, least=0, most=1)
        value, derivative = _activation(name, self._value, slope)
        return _node(name, value, (self,), (derivative,))

    # the graph below this node

    def nodes(self) -> list[Value]:
        """All nodes that this one depends on, itself included.

        Returns
        -------
        list of Value
            In topological order: each after its inputs, this one last.
        """
        order, seen = [], {self}
        path = [(self, iter(self._inputs))]  # a stack of its own: a deep graph would exhaust that of Python
        while path:
            below = next((one for one in path[-1][1] if one not in seen), None)
            if below is None:
                order.append(path.pop()[0])
            else:
                seen.add(below)
                path.append((below, iter(below._inputs)))
        return order

    def backward(self) -> None:
        """Backpropagation: `grad` of every node becomes the derivative of this node by it, over all paths.

        It starts afresh at each call. Nodes that this one does not depend on keep their `grad`.

        Raises
        ------
        OverflowError
            If a gradient leaves the range of float64; every `grad` is then as it was.
        """
        order = self.nodes()
        gradients = dict.fromkeys(order, 0.0)
        gradients[self] = 1.0
        for target in reversed(order):
            gradient = gradients[target]
            for source, local in zip(target._inputs, target._locals, strict=True):
                gradients[source] += local * gradient
        for node in reversed(order):
            if not math.isfinite(gradients[node]):
                raise OverflowError(
                    f"the gradient with respect to {node._label()} leaves the range of float64; scale the inputs"
                )
        for node, gradient in gradients.items():
            node._grad = gradient

    def edges(self) -> list[Edge]:
        """All edges of the graph, with what `backward` sends along them.

        Returns
        -------
        list of Edge
            By target in the order of `nodes`, for each in the order of its `inputs`. A value that enters a node twice
            has two edges. The gradients are 0 before `backward`.
        """
        return [
            Edge(source, target, local, local * target._grad)
            for target in self.nodes()
            for source, local in zip(target._inputs, target._locals, strict=True)
        ]

    # texts and pictures

    def _label(self) -> str:
        """The name, or for want of one the number."""
        return self._name or f"{self._value:.6g}"

    def __str__(self) -> str:
        """One line: the formula over its inputs, the value and the gradient."""
        formula = "" if not self._inputs else _formula(self._operation, [one._label() for one in self._inputs])
        told = " = ".join(part for part in (self._name, formula, f"{self._value:.6g}") if part)
        return f"{told}, gradient {self._grad:.6g}"

    def __repr__(self) -> str:
        return f"Value({self._value!r}, {self._name!r})" if self._name else f"Value({self._value!r})"

    def table(self, digits: int = 6) -> str:
        """The graph as a text: a line for each node with its formula, value and gradient.

        Parameters
        ----------
        digits : int
            Significant digits, 1 to 17.

        Returns
        -------
        str
            In the order of `nodes`. A node without a name is called v1, v2, ... here; a constant stands in the
            formulas and has no line.

        Raises
        ------
        ValueError, TypeError
            If digits is no such number.
        """
        digits = checks.integer("digits", digits, 1)
        if digits > 17:
            raise ValueError(f"digits is {digits}; expected at most 17, which is all that a float64 has")
        labels: dict[Value, str] = {}
        rows = [("node", "formula", "value", "gradient")]
        unnamed = 0
        for node in self.nodes():
            number = f"{node._value:.{digits}g}"
            if node._operation == "constant" and not node._name:
                labels[node] = number
                continue
            unnamed += not node._name
            labels[node] = node._name or f"v{unnamed}"
            formula = _formula(node._operation, [labels[one] for one in node._inputs]) if node._inputs else ""
            rows.append((labels[node], formula, number, f"{node._grad:.{digits}g}"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            f"{name:<{widths[0]}}  {formula:<{widths[1]}}  {value:>{widths[2]}}  {gradient:>{widths[3]}}"
            for name, formula, value, gradient in rows
        )

    def plot(self, ax: Any = None) -> Any:
        """The graph as a picture, by `fastmlp.plot.graph`; it needs matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from fastmlp import plot  # an optional extra: only who draws needs it

        return plot.graph(self, ax=ax)


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge of a computational graph.

    Attributes
    ----------
    source, target : Value
        It leads from an input to what is computed from it.
    local : float
        d target / d source along this edge alone.
    gradient : float
        What flows back along it: local times the gradient of the target. `source.grad` is the sum over its edges.
    """

    source: Value
    target: Value
    local: float
    gradient: float

    def __str__(self) -> str:
        source, target = self.source._label(), self.target._label()
        return f"{source} → {target}: ∂{target}/∂{source} = {self.local:.6g}, gradient {self.gradient:.6g}"


def softmax(values: Sequence[Value]) -> list[Value]:
    """e^{z_i} / Σ_j e^{z_j}: a node for each value, with an edge from all of them.

    Parameters
    ----------
    values : sequence of Value
        z, at least one.

    Returns
    -------
    list of Value
        a, with ∂a_i/∂z_j = a_i (δ_ij - a_j), of the same length. They sum to 1.

    Raises
    ------
    ValueError, TypeError
        If it is empty, or holds something else.

    Examples
    --------
    Script 004:

    >>> from fastmlp import graph
    >>> answers = graph.softmax([graph.Value(z) for z in (7, 5, 2, -1, 3)])
    >>> [round(a.value, 4) for a in answers]
    [0.8615, 0.1166, 0.0058, 0.0003, 0.0158]
    """
    z = tuple(values) if isinstance(values, Iterable) else (None,)
    if not all(isinstance(one, Value) for one in z):
        raise TypeError(f"values is {values!r}; expected a list of graph.Value")
    if not z:
        raise ValueError("values is empty; expected at least one Value")
    largest = max(one._value for one in z)
    powers = [math.exp(one._value - largest) for one in z]
    total = math.fsum(powers)
    a = [power / total for power in powers]
    # 1 - a_i as the sum of the others: where a_i is nearly 1, the difference would have no digits left.
    others = [math.fsum(powers[:i] + powers[i + 1 :]) / total for i in range(len(z))]
    return [
        _node(
            f"softmax_{i + 1}",
            a[i],
            z,
            tuple(a[i] * others[i] if i == j else -a[i] * a[j] for j in range(len(z))),
        )
        for i in range(len(z))
    ]


# What operations are made of.


def _operand(operation: str, given: Value | float) -> Value:
    """A value as it is, a plain number as a constant."""
    if isinstance(given, Value):
        return given
    return _node("constant", checks.number(f"the operand of {operation}", given), (), ())


def _node(operation: str, value: float, inputs: tuple[Value, ...], local: tuple[float, ...]) -> Value:
    """The node of an operation, with its derivative by each input."""
    for what, numbers in (("the result", (value,)), ("its derivative", local)):
        if not all(map(math.isfinite, numbers)):
            raise OverflowError(
                f"{_in_words(operation, inputs)}: {what} leaves the range of float64; expected smaller numbers"
            )
    node = Value.__new__(Value)
    node._value, node._inputs, node._locals = value, inputs, local
    node._operation, node._name, node._grad = operation, "", 0.0
    return node


def _complement(a: Value) -> float:
    """1 - a; of a sigmoid or softmax near 1 without the cancellation, so that its logarithm keeps its digits."""
    if a._operation == "sigmoid":
        return _sigmoid(-a._inputs[0]._value)[0]
    if a._operation.startswith("softmax") and a._value > 0.5:
        return a._locals[int(a._operation.removeprefix("softmax_")) - 1] / a._value  # a (1 - a) / a
    return 1 - a._value


def _sum(values: Sequence[Value]) -> Value:
    """All of them as one node; a single one as it is."""
    if len(values) == 1:
        return values[0]
    try:
        total = math.fsum(one._value for one in values)
    except OverflowError:
        total = math.inf
    return _node("+", total, tuple(values), (1.0,) * len(values))


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _power(x: float, p: float) -> float:
    """x^p where it is real, infinite where it is too large."""
    try:
        return float(x**p)
    except OverflowError:
        return math.inf


def _formula(operation: str, operands: Sequence[str]) -> str:
    """The operation over the names or numbers of its inputs."""
    if len(operands) > _MOST_OPERANDS:
        operands = [*operands[: _MOST_OPERANDS - 1], f"… {len(operands) - _MOST_OPERANDS + 1} more"]
    first, *others = operands
    if operation.startswith("^"):
        base = f"({first})" if "^" in first or first.startswith("-") else first
        return base + operation + "".join(others)
    others = [f"({one})" if one.startswith("-") else one for one in others]
    if operation in ("+", "-", "/") and others:
        return f" {operation} ".join((first, *others))
    if operation == "·":
        return "·".join((first, *others))
    if operation == "-":
        return f"-({first})" if first.startswith("-") else f"-{first}"
    if operation == "abs":
        return f"|{first}|"
    return f"{operation}({', '.join(operands)})"


def _in_words(operation: str, inputs: Sequence[Value]) -> str:
    """An operation as errors tell it: the formula, and the value of each name in it."""
    names = {one._name: f"{one._name} = {one._value!r}" for one in inputs if one._name}
    given = " with " + ", ".join(list(names.values())[:_MOST_OPERANDS]) if names else ""
    return _formula(operation, [one._name or repr(one._value) for one in inputs]) + given


# Each g and g' at once. e is e^-|z|, which cannot overflow.


def _sigmoid(z: float) -> tuple[float, float]:
    e = math.exp(-abs(z))
    return (1 if z >= 0 else e) / (1 + e), e / (1 + e) ** 2


def _tanh(z: float) -> tuple[float, float]:
    e = math.exp(-2 * abs(z))
    return math.tanh(z), 4 * e / (1 + e) ** 2


def _exponential_below(z: float, scale: float, alpha: float) -> tuple[float, float]:
    """The line scale z above 0, scale alpha (e^z - 1) below."""
    return (scale * z, scale) if z > 0 else (scale * alpha * math.expm1(z), scale * alpha * math.exp(z))


def _softplus(z: float) -> tuple[float, float]:
    return max(z, 0.0) + math.log1p(math.exp(-abs(z))), _sigmoid(z)[0]


def _gelu(z: float) -> tuple[float, float]:
    """The distribution function of the normal distribution, whose derivative is its density, times z."""
    below = math.erfc(-z / math.sqrt(2)) / 2
    return z * below, below + z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def _silu(z: float) -> tuple[float, float]:
    sigma, slope = _sigmoid(z)
    return z * sigma, sigma + z * slope


def _mish(z: float) -> tuple[float, float]:
    """tanh(log(1 + e^z)) times z, where the tanh is n / (n + 2) with n = e^z (e^z + 2)."""
    e = math.exp(-abs(z))
    n, two = (1 + 2 * e, 2 * e * e) if z > 0 else (e * (e + 2), 2.0)  # above 0 both times e^-2z
    ratio = n / (n + two)
    return z * ratio, ratio + z * _sigmoid(z)[0] * (1 + ratio) * two / (n + two)


# (z, negative slope) -> (g(z), g'(z)), with the names of the net's activations.
ACTIVATIONS: dict[str, Callable[[float, float], tuple[float, float]]] = {
    "identity": lambda z, s: (z, 1.0),
    "sigmoid": lambda z, s: _sigmoid(z),
    "tanh": lambda z, s: _tanh(z),
    "relu": lambda z, s: (z, 1.0) if z > 0 else (0.0, 0.0),
    "leaky_relu": lambda z, s: (z, 1.0) if z > 0 else (s * z, s),
    # Clevert et al. 2016, alpha = 1
    "elu": lambda z, s: _exponential_below(z, 1.0, 1.0),
    # Klambauer et al. 2017
    "selu": lambda z, s: _exponential_below(z, 1.0507009873554805, 1.6732632423543772),
    # Dugas et al. 2001
    "softplus": lambda z, s: _softplus(z),
    # Hendrycks and Gimpel 2016, in its exact form
    "gelu": lambda z, s: _gelu(z),
    # Elfwing et al. 2018
    "silu": lambda z, s: _silu(z),
    # Misra 2019
    "mish": lambda z, s: _mish(z),
    "exponential": lambda z, s: (_exp(z), _exp(z)),
}


def _activation(name: str, z: float, slope: float) -> tuple[float, float]:
    """g(z) and g'(z); by formulas.py where there is no row above, and then the graph is no oracle for it."""
    if name in ACTIVATIONS:
        return ACTIVATIONS[name](z, slope)
    row, number = formulas.ACTIVATIONS[name], np.array([z])
    a = row.value(number, slope)
    return float(a[0]), float(row.derivative(number, a, slope)[0])


# The losses, each of one output: c of the output a, the target y and the parameter p of the loss.


def _binary_cross_entropy(a: Value, y: Value, p: float) -> Value:
    """-(y log a + (1 - y) log(1 - a)), without a term that is zero whatever a is."""
    terms = [y * a.log()] if y.value != 0 else []
    if y.value != 1:
        terms.append((1 - y) * (1 - a).log())
    return -_sum(terms)


def _huber(a: Value, y: Value, p: float) -> Value:
    d = a - y
    return 0.5 * d**2 if abs(d.value) <= p else p * (abs(d) - 0.5 * p)


def _log_cosh(a: Value, y: Value, p: float) -> Value:
    """Log of cosh d, by cosh d = 1 + 2 sinh²(d / 2) or by cosh d = e^|d| (1 + e^-2|d|) / 2, d = a - y."""
    d = a - y
    size = abs(d.value)
    value = (
        math.log1p(2 * math.sinh(size / 2) ** 2) if size < 1 else size + math.log1p(math.exp(-2 * size)) - math.log(2)
    )
    return _node("log_cosh", value, (d,), (math.tanh(d.value),))


def _quantile(a: Value, y: Value, p: float) -> Value:
    """The error d = y - a, times p above 0, p - 1 below and 0 at 0, where the derivative is taken as 0."""
    d = y - a
    return (p if d.value > 0 else p - 1 if d.value < 0 else 0) * d


def _poisson(a: Value, y: Value, p: float) -> Value:
    """The terms y log(y / a) - y + a, which are a for y = 0. The quotient itself might overflow."""
    return y * (y.log() - a.log()) + (a - y) if y.value > 0 else a - y


_LOSSES: dict[str, Callable[[Value, Value, float], Value]] = {
    "half_squared_error": lambda a, y, p: 0.5 * (a - y) ** 2,
    "squared_error": lambda a, y, p: (a - y) ** 2,
    "binary_cross_entropy": _binary_cross_entropy,
    "cross_entropy": lambda a, y, p: -(y * a.log()),
    "absolute_error": lambda a, y, p: abs(a - y),
    # Huber 1964; p is the threshold
    "huber": _huber,
    # Green 1990
    "log_cosh": _log_cosh,
    # Koenker and Bassett 1978; p is the level
    "quantile": _quantile,
    # Half the deviance of Poisson regression, Nelder and Wedderburn 1972
    "poisson": _poisson,
}


@dataclass(frozen=True, repr=False)
class NetGraph:
    """A net and one sample as a computational graph.

    Layers are numbered from 1: layer l is element l - 1 of the lists.

    Attributes
    ----------
    loss : Value
        C, the loss of the sample: `loss.backward()` computes the gradients of everything below.
    inputs : list of Value
        x_1 .. x_n, (n_in,).
    weights : list of list of list of Value
        For each layer W^l, (n_in, n_out): w^l_ij leads from i to j.
    biases : list of list of Value
        For each layer b^l, (n_out,); empty for a net without biases.
    z, a : list of list of Value
        For each layer Z^l and A^l, (n_out,).
    input_scale : list of Value
        The factors s of the inputs, (n_in,); empty for a net without.
    """

    loss: Value
    inputs: list[Value]
    weights: list[list[list[Value]]]
    biases: list[list[Value]]
    z: list[list[Value]]
    a: list[list[Value]]
    input_scale: list[Value] = field(default_factory=list)

    def __repr__(self) -> str:
        sizes = "-".join(str(len(layer)) for layer in (self.inputs, *self.a))
        return f"NetGraph({sizes}, loss {self.loss.value:.6g})"


def of_net(net: MLP, x: ArrayLike, y: ArrayLike) -> NetGraph:
    """The forward pass of one sample through a net, written out number by number, up to the loss.

    Parameters
    ----------
    net : MLP
        Its numbers are copied; the graph computes in float64, whatever the net does. It may have 1,000,000 edges at
        most: three for a weight, and the square of n_out for softmax.
    x : array_like of shape (n_in,)
        The sample.
    y : array_like
        Its target: for softmax a class label or a row (n_out,), for one output a number or (1,), else (n_out,).

    Returns
    -------
    NetGraph
        All values are named: x_1, w^1_12 (of layer 1, from 1 to 2; w^1_1,12 where a layer has ten neurons or more),
        b^1_2, z^1_2, a^1_2, y_1, the loss C and, if it is the sum of several, its terms c_1, c_2, ... Those of
        cross_entropy with y = 0 are left out.

    Raises
    ------
    ValueError, TypeError
        If x or y is not of the form above, or the net is none, too large, or has a parameter that is not finite.
        So does a loss whose logarithm has no finite value, as the one of a sigmoid output for z beyond about 700.
    OverflowError
        If a number leaves the range of float64.

    Notes
    -----
    Script 002, "Gradients with respect to values generated in the forward propagation", for every net and loss.

    Examples
    --------
    The 2-2-2 net of script 003:

    >>> import fastmlp
    >>> from fastmlp import graph
    >>> net = fastmlp.MLP.from_parameters(
    ...     [[[0.15, 0.25], [0.20, 0.30]], [[0.40, 0.50], [0.45, 0.55]]], [[0.35, 0.35], [0.60, 0.60]],
    ...     activation="sigmoid", output="sigmoid", loss="half_squared_error", dtype="float64",
    ... )
    >>> step = graph.of_net(net, [0.05, 0.10], [0.01, 0.99])
    >>> step.loss.backward()
    >>> print(step.weights[1][0][0])
    w^2_11 = 0.4, gradient 0.082167
    """
    if not isinstance(net, MLP):
        raise TypeError(f"net is {net!r}; expected a fastmlp.MLP")
    edges = 3 * net.n_parameters + (net.sizes[-1] ** 2 if net.output == "softmax" else 0)
    if edges > MOST_EDGES:
        raise ValueError(
            f"the net would become a graph of about {edges:,} edges; expected at most {MOST_EDGES:,}. "
            "net.gradient takes nets of any size"
        )
    numbers, targets = _sample(net, x, y)
    separator = "," if max(net.sizes) > 9 else ""
    inputs = [Value(number, f"x_{i}") for i, number in enumerate(numbers, start=1)]
    scaled, scale = inputs, []
    if net.input_scale is not None:
        factors = checks.finite("input_scale", net.input_scale, np.dtype(np.float64)).tolist()
        scale = [Value(factor, f"s_{i}") for i, factor in enumerate(factors, start=1)]
        scaled = [s * x for s, x in zip(scale, inputs, strict=True)]
    weights: list[list[list[Value]]] = []
    biases: list[list[Value]] = []
    zs: list[list[Value]] = []
    activations: list[list[Value]] = []
    for l, name in enumerate((*net.activation, net.output), start=1):
        W = checks.finite(f"weights[{l - 1}]", net.weights[l - 1], np.dtype(np.float64)).tolist()
        weights.append(
            [
                [Value(w, f"w^{l}_{i}{separator}{j}") for j, w in enumerate(row, start=1)]
                for i, row in enumerate(W, start=1)
            ]
        )
        if net.bias:
            b = checks.finite(f"biases[{l - 1}]", net.biases[l - 1], np.dtype(np.float64)).tolist()
            biases.append([Value(number, f"b^{l}_{j}") for j, number in enumerate(b, start=1)])
        below = activations[-1] if activations else scaled
        z = []
        for j, column in enumerate(zip(*weights[-1], strict=True)):
            products = [w * a for w, a in zip(column, below, strict=True)]
            z.append(_named(_sum([*products, biases[-1][j]] if net.bias else products), f"z^{l}_{j + 1}"))
        slope = net.negative_slope if name == "leaky_relu" else None
        answers = softmax(z) if name == "softmax" else [one.activate(name, slope) for one in z]
        zs.append(z)
        activations.append([_named(a, f"a^{l}_{j}") for j, a in enumerate(answers, start=1)])
    loss = _loss(net, activations[-1], targets)
    return NetGraph(loss, inputs, weights, biases, zs, activations, scale)


def _named(value: Value, name: str) -> Value:
    value.name = name
    return value


def _loss_term(net: MLP, a: Value, y: Value) -> Value:
    """C of one output; by formulas.py where there is no row above."""
    parameters = [getattr(net, name) for name in formulas.LOSS_PARAMETERS.get(net.loss, ())]
    if net.loss in _LOSSES:
        return _LOSSES[net.loss](a, y, *(parameters or [1.0]))  # label smoothing was done
    row, numbers = formulas.LOSSES[net.loss], (np.array([[a.value]]), np.array([[y.value]]))
    c, derivative = row.value(*numbers, *parameters), row.gradient(*numbers, *parameters)
    return _node(net.loss, float(c[0, 0]), (a,), (float(derivative[0, 0]),))


def _loss(net: MLP, outputs: list[Value], targets: Sequence[float]) -> Value:
    """C, the sum of c over the outputs."""
    e = net.label_smoothing
    shared = e / (2 if net.loss == "binary_cross_entropy" else len(targets))
    terms = []
    for i, (a, number) in enumerate(zip(outputs, targets, strict=True), start=1):
        y = Value(number, f"y_{i}")
        if e > 0:
            y = (1 - e) * y + shared
        if net.loss != "cross_entropy" or y.value != 0:
            terms.append(_named(_loss_term(net, a, y), f"c_{i}"))
    return _named(_sum(terms) if terms else Value(0.0), "C")


def _sample(net: MLP, x: Any, y: Any) -> tuple[list[float], list[float]]:
    """The numbers of the sample (n_in,) and of its target (n_out,)."""
    n_in, n_out = net.sizes[0], net.sizes[-1]
    given = checks.numeric("x", x)
    if given.shape != (n_in,):
        hint = "; give one row of it, x[0]" if given.ndim == 2 and given.shape[-1] == n_in else ""
        raise ValueError(f"x has shape {given.shape}; expected one sample, ({n_in},){hint}")
    numbers = checks.finite("x", given, np.dtype(np.float64))
    target = checks.numeric("y", y)
    alone = net.output == "softmax" or n_out == 1
    if target.shape != (n_out,) and not (alone and target.shape == ()):
        one = "a class label or " if net.output == "softmax" else "a number or " if n_out == 1 else ""
        raise ValueError(f"y has shape {target.shape}; expected the target of one sample: {one}({n_out},)")
    rows = checks.targets(target[None, ...], 1, n_out, net.output, net.loss, np.dtype(np.float64))
    if rows.ndim == 1:  # a label
        return numbers.tolist(), [float(j == rows[0]) for j in range(n_out)]
    return numbers.tolist(), rows[0].tolist()
