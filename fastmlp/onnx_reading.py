"""Nets from files of ONNX, whoever wrote them: what an MLP can express, and a list of what it cannot.

From the output back to the input, each node is part of a layer, of an activation or of a scaling, or stands in the
way. An activation may be an operator, or several: they are recognised by the rows from which `to_onnx` writes them
(onnx_operators.py), and by others in the same form. Whatever a file says is looked at before it is believed: nothing
in it is executed, no other file is opened, and no array is made that its bytes do not fill.

Not here: what becomes of the steps of a prediction (onnx_layers.py), and files that `save` has written (saving.py).
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.files import LoadError, as_path
from fastmlp.formulas import Array
from fastmlp.messages import listed
from fastmlp.mlp import MLP
from fastmlp.onnx_layers import Activated, Columns, Dense, Diagonal, Step, TwoClasses, assembled
from fastmlp.onnx_operators import LABEL, PROBABILITIES
from fastmlp.onnx_package import DecodeError, onnx
from fastmlp.onnx_patterns import OPERATORS, PATTERNS, TWO_CLASSES, is_row, matched
from fastmlp.onnx_tensors import FLOATS, INTEGERS, FileNode, read_array, read_node, text

# Since which operands are broadcast as NumPy does; until which the attributes of operators are known to be these.
_OLDEST_OPSET, _NEWEST_OPSET = 7, 28
_LABELS = LABEL, "output_label"  # as skl2onnx names them


def load_onnx(path: str | os.PathLike[str]) -> MLP:
    """The net of a file of ONNX: of `to_onnx`, of PyTorch's exporter, or of whoever writes a multilayer perceptron.

    Layers are Gemm, or MatMul and Add; activations are operators of ONNX, or composed as `to_onnx` and PyTorch
    compose gelu, silu, mish and others; Softmax is the last. Factors and summands of single columns, as of
    scale="standard", become part of a layer. Identity, Dropout, Flatten, casts among floating types and the output
    "label" or "output_label" beside "probabilities" are passed over, names of classes with them. Two probabilities
    1 - p and p come back as the one output p. The file is of opset 7 to 28.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    MLP
        Of float64 if a weight or bias is, or if factors and summands other than biases became part of a layer: in
        float32 that would lose what they are for. Else of float32. With the loss that belongs to its output.

    Raises
    ------
    LoadError
        If the file is damaged, or computes what an MLP cannot: with a list of what stands in the way. A ValueError.
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
        net = assembled(steps, reader.columns, obstacles)
    if obstacles or net is None:
        raise LoadError(listed(f"{source} has what an MLP cannot express:", obstacles))
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
        self._tensors = {text(tensor.name): tensor for tensor in graph.initializer if tensor.name}
        self._input = self._one("input", [one for one in graph.input if text(one.name) not in self._tensors])
        self._output = self._one("output", self._wanted(list(graph.output)))
        if graph.sparse_initializer:
            self.obstacles.append("it has sparse tensors")
        self._constants: dict[str, Array | None] = {}  # None where the tensor was found to be of no use
        self._same: dict[str, str] = {self._input: self._input}
        self._makers: dict[str, FileNode] = {}
        needed = self._needed([read_node(one) for one in graph.node])
        for node in needed:
            self._take(node)
        of_input = [node.operator for node in needed if self._input in node.inputs]
        self.columns = self._columns(graph, bool(of_input) and set(of_input) <= {"Flatten", "Reshape"})
        self._declared = [one.type.tensor_type.shape.dim for one in graph.output if text(one.name) == self._output]

    def _check_opset(self, model: Any) -> None:
        versions = [one.version for one in model.opset_import if one.domain in ("", "ai.onnx")]
        if not versions or min(versions) < _OLDEST_OPSET or max(versions) > _NEWEST_OPSET:
            found = f"opset {', '.join(map(str, versions[:9]))}" if versions else "no opset"
            self.obstacles.append(f"it is of {found}; expected {_OLDEST_OPSET} to {_NEWEST_OPSET}")

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
        others = [one for one in outputs if one.name not in _LABELS]
        return others if len(outputs) == 2 and [one.name for one in others] == [PROBABILITIES] else outputs

    def _one(self, kind: str, values: list[Any]) -> str:
        if len(values) != 1:
            names = ", ".join(repr(text(one.name)) for one in values[:9])
            self.obstacles.append(f"it has {len(values)} {kind}s{': ' if names else ''}{names}; expected one")
        elif not values[0].name:
            self.obstacles.append(f"its {kind} has no name")
        return text(values[0].name) if values else ""

    def _needed(self, nodes: list[FileNode]) -> list[FileNode]:
        """The nodes that the output depends on, in their order."""
        wanted, needed = {self._output} - {""}, []
        for node in reversed(nodes):
            if not wanted.isdisjoint(node.outputs):
                needed.append(node)
                wanted.update(filter(None, node.inputs))
        return needed[::-1]

    def _take(self, node: FileNode) -> None:
        """Make a node's output known, as a constant, as another name for its input, or as what it makes."""
        output = node.outputs[0]
        if not output:
            return
        unknown = [name for name in node.inputs if name and not self._is_known(name)]
        if unknown:
            self.obstacles.append(f"{node}, and reads {unknown[0]!r}, which nothing before it makes")
            node = node._replace(inputs=tuple("" if name in unknown else name for name in node.inputs))
        if self._is_known(output):
            self.obstacles.append(f"{node}, and makes {output!r}, which is there already")
            return
        self._makers[output] = node
        self._same[output] = output
        if not _is_operator(node):
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

    def _pass_over(self, node: FileNode) -> None:
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
            array = read_array(tensor)
        except LoadError as problem:
            self.obstacles.append(f"{what} {problem}")
            return None
        if not np.isfinite(array).all():
            self.obstacles.append(f"{what} contains NaN or infinity; expected finite numbers")
        return array

    def _value(self, node: FileNode) -> Array | None:
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

    def maker(self, name: str) -> FileNode | None:
        """The node that makes a tensor, if there is one."""
        return self._makers.get(name)

    # what the nodes compute

    def steps(self) -> list[Step]:
        """The steps from the input to the output."""
        found: list[Step] = []
        name = self._same.get(self._output, self._output)
        while name in self._makers:
            step, before = self._step(self._makers[name], name, not found)
            del self._makers[name]  # a step leads to nodes before, and so to an end
            name = before
            if step is not None:
                found.append(step)
        if name != self._input and (name or not self.obstacles):
            self.obstacles.append(f"{name!r} is made of constants, or of nothing; expected what depends on X")
        found.reverse()
        for axes in self._declared:
            if axes and axes[-1].dim_value:
                found.append(Columns(f"its output {self._output!r}", axes[-1].dim_value))
        return found

    def _step(self, node: FileNode, name: str, is_last: bool) -> tuple[Step | None, str]:
        """What ends with this node, and what it is made of; an obstacle, and the first thing that it reads, else."""
        if is_last and (z := matched(self, TWO_CLASSES, name)):
            return TwoClasses(str(node)), z[0]
        for activation, pattern in PATTERNS:
            if z := matched(self, pattern, name):
                return Activated(str(node), activation, *z[1:]), z[0]
        data = [self._same[one] for one in node.inputs if one in self._same and self.constant(one) is None]
        before = data[0] if data else ""
        make = _STEPS.get(node.operator) if any(node.inputs) else None
        made = make(self, node) if make else None
        if made is None and _is_operator(node):
            given = ", ".join(f"{key}={value!r}" for key, value in node.attributes.items())
            said = f" with {given}" if given else ""
            why = "no part of a layer or of an activation there" if data else "made of constants, or of nothing"
            self.obstacles.append(f"{node}{said}, which is {why}")
        return made, before

    def _gemm(self, node: FileNode) -> Step | None:
        given = OPERATORS["Gemm"] | node.attributes
        W = self.constant(node.inputs[1]) if len(node.inputs) > 1 else None
        if not self._is_data(node.inputs[0]) or W is None or W.ndim != 2 or given["transA"]:
            return None
        W = _multiplied(W.T if given["transB"] else W, given["alpha"])
        if len(node.inputs) < 3 or not node.inputs[2]:
            return Dense(str(node), W, None)
        b = _row(self.constant(node.inputs[2]))
        if b is None or len(b) not in (1, W.shape[1]):
            return None
        return Dense(str(node), W, np.broadcast_to(_multiplied(b, given["beta"]), W.shape[1:]))

    def _matmul(self, node: FileNode) -> Step | None:
        W = self.constant(node.inputs[-1])
        if len(node.inputs) != 2 or not self._is_data(node.inputs[0]) or W is None or W.ndim != 2:
            return None
        return Dense(str(node), W, None)

    def _elementwise(self, node: FileNode) -> Step | None:
        if len(node.inputs) != 2:
            return None
        first, second = (_row(self.constant(name)) for name in node.inputs)
        c = first if first is not None else second
        data = node.inputs[1 if first is not None else 0]
        if c is None or not self._is_data(data) or (node.operator == "Div" and second is None):
            return None
        one, zero = np.ones(1), np.zeros(1)
        with np.errstate(all="ignore"):  # whatever is not finite in the end is refused there
            rows = {
                "Add": (one, c),
                "Sub": (one, -c) if second is not None else (-one, c),
                "Mul": (c.astype(np.float64), zero),
                "Div": (1 / c.astype(np.float64), zero),
            }
        return Diagonal(str(node), *rows[node.operator])

    def _reshape(self, node: FileNode) -> Step | None:
        shape = self.constant(node.inputs[-1])
        if len(node.inputs) != 2 or not self._is_data(node.inputs[0]) or shape is None:
            return None
        if shape.shape != (2,) or shape.dtype.kind != "i":
            return None
        rows, columns = shape.tolist()
        is_rows = rows == -1 or (rows == 0 and not node.attributes.get("allowzero"))
        is_shape = is_rows and (columns > 0 or (rows == 0 and columns == -1))
        return Columns(str(node), columns) if is_shape else None

    def _is_data(self, name: str) -> bool:
        return name in self._same and self.constant(name) is None

    # what is passed over: each says what is wrong with a node of it

    def _same_type(self, node: FileNode) -> str:
        to, constant = node.attributes.get("to"), self.constant(node.inputs[0])
        is_integer = constant is not None and constant.dtype.kind == "i" and to in INTEGERS
        return "" if to in FLOATS or is_integer else f" to the type {to}"

    def _flat(self, node: FileNode) -> str:
        axis = node.attributes.get("axis", 1)
        return "" if axis == 1 else f" with axis={axis}"

    def _inference(self, node: FileNode) -> str:
        if len(node.inputs) < 3 or not node.inputs[2]:
            return ""
        training = self.constant(node.inputs[2])
        return "" if training is not None and not training.any() else " that drops in prediction, too"

    def _turned(self, node: FileNode) -> str:
        constant = self.constant(node.inputs[0])
        is_one = constant is not None and node.attributes.get("perm", [1, 0]) == [1, 0] and constant.ndim == 2
        return "" if is_one else " of what is no matrix of constants"


_PASSED_OVER: dict[str, Callable[[_Reader, FileNode], str]] = {
    "Identity": lambda reader, node: "",
    "Cast": _Reader._same_type,
    "Flatten": _Reader._flat,
    "Dropout": _Reader._inference,
    "Transpose": _Reader._turned,
}
_STEPS: dict[str, Callable[[_Reader, FileNode], Step | None]] = {
    "Gemm": _Reader._gemm,
    "MatMul": _Reader._matmul,
    "Reshape": _Reader._reshape,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _Reader._elementwise),
}


def _row(constant: Array | None) -> Array | None:
    """A constant (n,) that goes to each row alike, or None."""
    return None if constant is None or not is_row(constant) else _like(constant, constant.reshape(-1))


def _like(array: Array, result: Array) -> Array:
    """A result, as precise as the array."""
    return result.astype(array.dtype if array.dtype == np.float64 else np.float32)


def _multiplied(array: Array, by: float) -> Array:
    """An array as it is, or multiplied in float64."""
    return array if by == 1 else array.astype(np.float64) * by


def _is_operator(node: FileNode) -> bool:
    """Whether a node is of an operator that is known here."""
    return node.domain in ("", "ai.onnx") and node.operator in OPERATORS
