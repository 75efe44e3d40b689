"""Nets from files of ONNX, whoever wrote them: what an MLP can express, and a list of what it cannot.

From the output back to the input, each node is part of a layer, of an activation or of a scaling, or stands in the
way. An activation may be an operator, or several: they are recognised by the rows from which `to_onnx` writes them
(onnx_operators.py), and by others in the same form. Whatever a file says is looked at before it is believed: nothing
in it is executed, no other file is opened, and no array is made that its bytes do not fill.

Not here: files that `save` has written (saving.py).
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastmlp.files import LoadError, as_path
from fastmlp.formulas import Array
from fastmlp.mlp import MLP
from fastmlp.onnx_operators import PROBABILITIES
from fastmlp.onnx_package import DecodeError, onnx
from fastmlp.onnx_patterns import OPERATORS, PATTERNS, TWO_CLASSES, matched
from fastmlp.onnx_tensors import FLOATS, INTEGERS, Node, read_array, read_node, text

_OLDEST_OPSET = 7  # since which operands are broadcast as NumPy does

# The steps of a net, from the output back.


class _Dense(NamedTuple):
    """x W + b."""

    where: str
    weights: Array
    biases: Array | None


class _Diagonal(NamedTuple):
    """x * factor + summand, of shape (1,) or (n,)."""

    where: str
    factor: Array
    summand: Array


class _Activated(NamedTuple):
    """g(x), with the slope of leaky_relu."""

    where: str
    name: str
    slope: float | None


class _Columns(NamedTuple):
    """x, with so many columns; with -1, with as many as it takes."""

    where: str
    number: int


class _TwoClasses(NamedTuple):
    """1 - x and x, side by side."""

    where: str


_Step = _Dense | _Diagonal | _Activated | _Columns | _TwoClasses


def load_onnx(path: str | os.PathLike[str]) -> MLP:
    """The net of a file of ONNX: of `to_onnx`, of PyTorch's exporter, or of whoever writes a multilayer perceptron.

    Layers are Gemm, or MatMul and Add; activations are operators of ONNX, or composed as `to_onnx` and PyTorch
    compose gelu, silu, mish and others; Softmax is the last. Factors and summands of single columns, as of
    scale="standard", become part of a layer. Identity, Dropout, Flatten, casts among floating types and the labels
    beside "probabilities" are passed over, names of classes with them. Two probabilities 1 - p and p come back as the
    one output p.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    MLP
        Of float64 if a weight, bias or factor is, else of float32, with the loss that belongs to its output.

    Raises
    ------
    LoadError
        If the file is damaged, or computes what an MLP cannot: with a list of all that stands in the way. A
        ValueError.
    ImportError
        If the package onnx is not there: pip install 'fastmlp[onnx]'.
    OSError
        If it cannot be opened.

    See Also
    --------
    MLP.to_onnx : the way there.

    Examples
    --------
    >>> import fastmlp, os, tempfile
    >>> net = fastmlp.MLP([2, 3, 1], activation="mish", output="sigmoid", seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.onnx")
    ...     net.to_onnx(path)
    ...     again = fastmlp.load_onnx(path)
    >>> again.activation, again.output
    (('mish',), 'sigmoid')
    """
    source = as_path(path)
    data = source.read_bytes()
    try:
        model = onnx.ModelProto.FromString(data)
        reader = _Reader(model)
        steps = reader.steps()
    except (DecodeError, UnicodeDecodeError) as problem:
        raise LoadError(f"{source} is no file of ONNX, or damaged: {problem}") from None
    obstacles = reader.obstacles
    net: dict[str, Any] | None = None
    if not obstacles:
        net = _assembled(steps, reader.columns, obstacles)
    if obstacles or net is None:
        raise LoadError("\n- ".join([f"{source} has what an MLP cannot express:", *dict.fromkeys(obstacles)]))
    try:
        return MLP.from_parameters(**net)
    except (ValueError, TypeError) as problem:
        raise LoadError(f"the numbers of {source} make no net: {problem}") from None


class _Reader:
    """A graph: what makes each tensor that the output needs, constants, other names for the same, and obstacles."""

    def __init__(self, model: Any) -> None:
        self.obstacles: list[str] = []
        graph = model.graph
        self._check_opset(model)
        self._tensors = {text(tensor.name): tensor for tensor in graph.initializer}
        self._input = self._one("input", [one for one in graph.input if text(one.name) not in self._tensors])
        self._output = self._one("output", self._wanted(list(graph.output)))
        if graph.sparse_initializer:
            self.obstacles.append("it has sparse tensors")
        self._constants: dict[str, Array | None] = {}  # None where the tensor was found to be of no use
        self._same: dict[str, str] = {self._input: self._input}
        self._makers: dict[str, Node] = {}
        needed = self._needed([read_node(one) for one in graph.node])
        for node in needed:
            self._take(node)
        of_input = [node.operator for node in needed if self._input in node.inputs]
        self.columns = self._columns(graph, bool(of_input) and set(of_input) <= {"Flatten", "Reshape"})

    def _check_opset(self, model: Any) -> None:
        versions = [one.version for one in model.opset_import if one.domain in ("", "ai.onnx")]
        if not versions or versions[0] < _OLDEST_OPSET:
            found = f"opset {versions[0]}" if versions else "no opset"
            self.obstacles.append(f"it is of {found}; expected {_OLDEST_OPSET} or later")

    def _columns(self, graph: Any, becomes_rows: bool) -> int | None:
        """The columns that the input says it has; an obstacle if it has more axes: MatMul would go over them, too."""
        kinds = [one.type.tensor_type for one in graph.input if text(one.name) == self._input]
        axes = [kind.shape.dim for kind in kinds if kind.HasField("shape")]
        if axes and len(axes[0]) == 2:
            return int(axes[0][1].dim_value) or None
        if axes and not becomes_rows:
            self.obstacles.append(f"its input {self._input!r} has {len(axes[0])} axes; expected 2")
        return None

    def _wanted(self, outputs: list[Any]) -> list[Any]:
        """The outputs, without the labels beside probabilities."""
        of_probabilities = [one for one in outputs if one.name == PROBABILITIES]
        return of_probabilities if len(outputs) == 2 and of_probabilities else outputs

    def _one(self, kind: str, values: list[Any]) -> str:
        if len(values) != 1:
            names = ", ".join(repr(text(one.name)) for one in values[:9])
            self.obstacles.append(f"it has {len(values)} {kind}s{': ' if names else ''}{names}; expected one")
        return text(values[0].name) if values else ""

    def _needed(self, nodes: list[Node]) -> list[Node]:
        """The nodes that the output depends on, in their order."""
        wanted, needed = {self._output}, []
        for node in reversed(nodes):
            if not wanted.isdisjoint(node.outputs):
                needed.append(node)
                wanted.update(filter(None, node.inputs))
        return needed[::-1]

    def _take(self, node: Node) -> None:
        """Make a node's output known, as a constant, as another name for its input, or as what it makes."""
        output = node.outputs[0]
        unknown = [name for name in node.inputs if name and not self._is_known(name)]
        if unknown:
            self.obstacles.append(f"{node}, and reads {unknown[0]!r}, which nothing before it makes")
            node = node._replace(inputs=tuple("" if name in unknown else name for name in node.inputs))
        if self._is_known(output):
            self.obstacles.append(f"{node}, and makes {output!r}, which is there already")
            return
        self._makers[output] = node
        self._same[output] = output
        if node.domain not in ("", "ai.onnx") or node.operator not in OPERATORS:
            self.obstacles.append(str(node))
            return
        known = OPERATORS[node.operator]
        strange = [
            name
            for name, value in node.attributes.items()
            if name not in known or (known[name] is not None and type(value) is not type(known[name]))
        ]
        if strange:
            self.obstacles.append(f"{node} with an attribute {strange[0]!r} that is unknown, or of a strange type")
            self._makers[output] = node._replace(operator="", attributes={})
        elif node.operator == "Constant":
            self._constants[output] = self._value(node)
        elif not any(node.inputs):
            self.obstacles.append(f"{node} of nothing")
        elif node.operator in _PASSED_OVER:
            self._pass_over(node)

    def _is_known(self, name: str) -> bool:
        return name in self._same or name in self._tensors

    def _pass_over(self, node: Node) -> None:
        """Take what a node makes for what it reads."""
        problem = _PASSED_OVER[node.operator](self, node)
        if problem:
            self.obstacles.append(f"{node}{problem}")
        constant = self.constant(node.inputs[0])
        if constant is not None:
            self._constants[node.outputs[0]] = constant.T if node.operator == "Transpose" else constant
        else:
            self._same[node.outputs[0]] = self._same.get(node.inputs[0], node.inputs[0])

    def constant(self, name: str) -> Array | None:
        """The numbers of a constant; None if it is none."""
        if name not in self._constants and name in self._tensors:
            self._constants[name] = self._array(f"tensor {name!r}", self._tensors[name])
        return self._constants.get(name)

    def _array(self, what: str, tensor: Any) -> Array | None:
        try:
            return read_array(tensor)
        except LoadError as problem:
            self.obstacles.append(f"{what} {problem}")
            return None

    def _value(self, node: Node) -> Array | None:
        for name, value in node.attributes.items():
            if name == "value" and isinstance(value, onnx.TensorProto):
                return self._array(str(node), value)
            if name != "value" and isinstance(value, (int, float, list)):
                return np.array(value, np.float32 if "float" in name else np.int64)
        self.obstacles.append(f"{node} without a value")
        return None

    def same(self, name: str) -> str:
        """The name under which a tensor was made."""
        return self._same.get(name, name)

    def maker(self, name: str) -> Node | None:
        """The node that makes a tensor, if there is one."""
        return self._makers.get(name)

    # what the nodes compute

    def steps(self) -> list[_Step]:
        """The steps from the input to the output."""
        found: list[_Step] = []
        name = self._same.get(self._output, self._output)
        while name != self._input:
            node = self._makers.get(name)
            if node is None:
                self.obstacles.append(f"{name!r} is made of constants, or of nothing; expected what depends on X")
                break
            step, name = self._step(node, name, not found)
            if step is not None:
                found.append(step)
        return found[::-1]

    def _step(self, node: Node, name: str, is_last: bool) -> tuple[_Step | None, str]:
        """What ends with this node, and what it is made of; an obstacle, and the first thing that it reads, else."""
        if is_last and (z := matched(self, TWO_CLASSES, name)):
            return _TwoClasses(str(node)), z[0]
        for activation, pattern in PATTERNS:
            if z := matched(self, pattern, name):
                return _Activated(str(node), activation, z[1]), z[0]
        data = [self._same[one] for one in node.inputs if one in self._same and self.constant(one) is None]
        before = data[0] if data else ""
        make = _STEPS.get(node.operator) if any(node.inputs) else None
        made = make(self, node) if make else None
        if made is None and str(node) not in self.obstacles:
            given = ", ".join(f"{key}={value!r}" for key, value in node.attributes.items())
            said = f" with {given}" if given else ""
            self.obstacles.append(f"{node}{said}, which is no part of a layer or of an activation there")
        return made, before

    def _gemm(self, node: Node) -> _Step | None:
        given = OPERATORS["Gemm"] | node.attributes
        W = self.constant(node.inputs[1]) if len(node.inputs) > 1 else None
        if not self._is_data(node.inputs[0]) or W is None or W.ndim != 2 or given["transA"]:
            return None
        weights = (W.T if given["transB"] else W).astype(np.float64) * given["alpha"]
        if len(node.inputs) < 3 or not node.inputs[2]:
            return _Dense(str(node), _like(W, weights), None)
        b = _row(self.constant(node.inputs[2]))
        if b is None or len(b) not in (1, weights.shape[1]):
            return None
        biases = np.broadcast_to(b.astype(np.float64) * given["beta"], weights.shape[1:])
        return _Dense(str(node), _like(W, weights), _like(b, biases))

    def _matmul(self, node: Node) -> _Step | None:
        W = self.constant(node.inputs[-1])
        if len(node.inputs) != 2 or not self._is_data(node.inputs[0]) or W is None or W.ndim != 2:
            return None
        return _Dense(str(node), W, None)

    def _elementwise(self, node: Node) -> _Step | None:
        if len(node.inputs) != 2:
            return None
        first, second = (_row(self.constant(name)) for name in node.inputs)
        c = first if first is not None else second
        data = node.inputs[1 if first is not None else 0]
        if c is None or not self._is_data(data) or (node.operator == "Div" and second is None):
            return None
        one, zero = np.ones(1, c.dtype), np.zeros(1, c.dtype)
        with np.errstate(all="ignore"):  # whatever is not finite in the end is refused there
            rows = {
                "Add": (one, c),
                "Sub": (one, -c) if second is not None else (-one, c),
                "Mul": (c, zero),
                "Div": (one / c, zero),
            }
        return _Diagonal(str(node), *rows[node.operator])

    def _reshape(self, node: Node) -> _Step | None:
        shape = self.constant(node.inputs[-1])
        if len(node.inputs) != 2 or shape is None or shape.shape != (2,) or shape.dtype.kind != "i":
            return None
        rows, columns = shape.tolist()
        is_rows = rows == -1 or (rows == 0 and not node.attributes.get("allowzero"))
        is_shape = is_rows and (columns > 0 or (rows == 0 and columns == -1))
        return _Columns(str(node), columns) if is_shape else None

    def _is_data(self, name: str) -> bool:
        return name in self._same and self.constant(name) is None

    # what is passed over: each says what is wrong with a node of it

    def _same_type(self, node: Node) -> str:
        to, constant = node.attributes.get("to"), self.constant(node.inputs[0])
        is_integer = constant is not None and constant.dtype.kind == "i" and to in INTEGERS
        return "" if to in FLOATS or is_integer else f" to the type {to}"

    def _flat(self, node: Node) -> str:
        axis = node.attributes.get("axis", 1)
        return "" if axis == 1 else f" with axis={axis}"

    def _inference(self, node: Node) -> str:
        if len(node.inputs) < 3 or not node.inputs[2]:
            return ""
        training = self.constant(node.inputs[2])
        return "" if training is not None and not training.any() else " that drops in prediction, too"

    def _turned(self, node: Node) -> str:
        constant = self.constant(node.inputs[0])
        is_one = constant is not None and node.attributes.get("perm", [1, 0]) == [1, 0] and constant.ndim == 2
        return "" if is_one else " of what is no matrix of constants"


_PASSED_OVER: dict[str, Callable[[_Reader, Node], str]] = {
    "Identity": lambda reader, node: "",
    "Cast": _Reader._same_type,
    "Flatten": _Reader._flat,
    "Dropout": _Reader._inference,
    "Transpose": _Reader._turned,
}
_STEPS: dict[str, Callable[[_Reader, Node], _Step | None]] = {
    "Gemm": _Reader._gemm,
    "MatMul": _Reader._matmul,
    "Reshape": _Reader._reshape,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _Reader._elementwise),
}


def _row(constant: Array | None) -> Array | None:
    """A constant (n,) that goes to each row alike, or None."""
    if constant is None or constant.dtype.kind != "f" or constant.size == 0:
        return None
    is_row = constant.size in (1, *constant.shape[-1:]) and constant.ndim <= 2
    return _like(constant, constant.reshape(-1)) if is_row else None


def _like(array: Array, result: Array) -> Array:
    """A result that was computed in float64, as precise as the array."""
    return result.astype(array.dtype if array.dtype == np.float64 else np.float32)


# From steps to layers.


class _Layer:
    """A layer in the making: x W + b, and its activation once there is one."""

    def __init__(self, step: _Dense, before: _Diagonal | None) -> None:
        self.weights = step.weights.astype(np.float64)
        n_in, n_out = self.weights.shape
        self.biases = np.zeros(n_out) if step.biases is None else step.biases.astype(np.float64)
        self.has_biases = step.biases is not None
        self.activation: str | None = None
        if before is not None:
            self.biases = self.biases + np.broadcast_to(before.summand, n_in) @ self.weights
            self.weights = np.broadcast_to(before.factor, n_in)[:, None] * self.weights
            self.has_biases = self.has_biases or bool(before.summand.any())

    @property
    def is_one_sigmoid(self) -> bool:
        return len(self.biases) == 1 and self.activation == "sigmoid"

    def then(self, step: _Diagonal) -> None:
        """Take a factor and a summand that follow into the layer."""
        self.weights = self.weights * step.factor
        self.biases = self.biases * step.factor + step.summand
        self.has_biases = self.has_biases or bool(step.summand.any())


def _assembled(steps: list[_Step], columns: int | None, obstacles: list[str]) -> dict[str, Any] | None:
    """The arguments of MLP.from_parameters; None, and obstacles, if the steps make no layers."""
    with np.errstate(all="ignore"):  # whatever is not finite in the end is refused there
        layers = _layers(steps, columns, obstacles)
    slopes = {step.slope for step in steps if isinstance(step, _Activated) and step.slope is not None}
    if len(slopes) > 1:
        obstacles.append(f"its layers have different slopes of leaky_relu: {', '.join(map(str, sorted(slopes)))}")
    if not layers and not obstacles:
        obstacles.append("it has no layer")
    if obstacles:
        return None
    arrays = [one for step in steps for one in step if isinstance(one, np.ndarray)]
    *hidden, output = [layer.activation or "identity" for layer in layers]
    return {
        "weights": [layer.weights for layer in layers],
        "biases": [layer.biases for layer in layers] if any(layer.has_biases for layer in layers) else None,
        "activation": hidden,
        "output": output,
        "negative_slope": slopes.pop() if slopes else 0.01,
        "dtype": "float64" if any(array.dtype == np.float64 for array in arrays) else "float32",
    }


def _layers(steps: list[_Step], width: int | None, obstacles: list[str]) -> list[_Layer]:
    """The layers that the steps make, of an input of that width; `width` is that of what is computed so far."""
    layers: list[_Layer] = []
    waiting: _Diagonal | None = None  # for the layer that it precedes
    for at, step in enumerate(steps):
        is_open = bool(layers) and layers[-1].activation is None
        fitting = _width(step, width)
        if fitting is None:
            obstacles.append(f"{step.where}, whose shape does not fit the {width} columns before it")
            return []
        width = fitting or width
        if isinstance(step, _Dense):
            if is_open:
                layers[-1].activation = "identity"
            layers.append(_Layer(step, waiting))
            waiting = None
        elif isinstance(step, _Diagonal) and is_open:
            layers[-1].then(step)
        elif isinstance(step, _Diagonal):
            waiting = step if waiting is None else _composed(waiting, step)
        elif isinstance(step, _Activated) and is_open and (step.name != "softmax" or _ends(steps, at)):
            layers[-1].activation = step.name
        elif isinstance(step, _Activated):
            obstacles.append(f"{step.where}, which does not follow a layer, or not the last as Softmax does")
        elif isinstance(step, _TwoClasses) and (not layers or not layers[-1].is_one_sigmoid):
            obstacles.append(f"{step.where} of something else than the one output of a sigmoid")
    if waiting is not None:
        obstacles.append(f"{waiting.where}, after the last layer and its activation")
    return layers


def _ends(steps: list[_Step], at: int) -> bool:
    """Whether nothing is computed after this step."""
    return all(isinstance(step, _Columns) for step in steps[at + 1 :])


def _width(step: _Step, width: int | None) -> int | None:
    """The number of columns after a step, 0 if that stays unknown; None if the step does not go with those before."""
    if isinstance(step, _Dense):
        return step.weights.shape[1] if width in (None, len(step.weights)) else None
    if isinstance(step, _TwoClasses):
        return 2
    if isinstance(step, _Diagonal):
        n = max(len(step.factor), len(step.summand))
        n = 0 if n == 1 else n  # a number goes with any
    else:
        n = max(step.number, 0) if isinstance(step, _Columns) else 0
    if n and width not in (None, n):
        return None
    return n or width or 0


def _composed(first: _Diagonal, second: _Diagonal) -> _Diagonal:
    return _Diagonal(first.where, first.factor * second.factor, first.summand * second.factor + second.summand)
