"""Nodes and tensors of a file of ONNX as data of Python: believed after a look, and no larger than their bytes.

Not here: what they compute (onnx_reading.py).
"""

from math import prod
from typing import Any, NamedTuple

import numpy as np

from fastmlp.files import LoadError
from fastmlp.formulas import Array
from fastmlp.onnx_package import onnx

# The types of tensors, by their numbers: where their elements stand if not in raw_data, and what they are.
_BFLOAT16 = 16
_TENSORS = {
    1: ("float_data", "<f4"),
    6: ("int32_data", "<i4"),
    7: ("int64_data", "<i8"),
    9: ("int32_data", "?"),
    10: ("int32_data", "<f2"),
    11: ("double_data", "<f8"),
    _BFLOAT16: ("int32_data", "<u2"),
}
FLOATS, INTEGERS = (1, 10, 11, _BFLOAT16), (6, 7)


class FileNode(NamedTuple):
    """An operator, what it reads, what it makes; its string says what stands in the way."""

    operator: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    def __str__(self) -> str:
        kind = f"{self.domain}.{self.operator}" if self.domain else self.operator
        article = "an" if kind[:1] in "AEIOUaeiou" else "a"
        return f"node {self.name or ''.join(self.outputs[:1])!r} is {article} {kind}"


def read_node(given: Any) -> FileNode:
    """A node of a message."""
    operator, domain, name = map(text, (given.op_type, given.domain, given.name))
    inputs, outputs = tuple(map(text, given.input)), tuple(map(text, given.output))
    return FileNode(
        operator, domain, name, inputs, outputs, {text(one.name): _attribute(one) for one in given.attribute}
    )


def text(given: str | bytes) -> str:
    """A name, which the package gives back as bytes where it is no UTF-8."""
    return given if isinstance(given, str) else given.decode(errors="backslashreplace")


def _attribute(given: Any) -> Any:
    """The value of an attribute; None of a kind that no operator here has."""
    kinds = onnx.AttributeProto
    fields = {kinds.FLOAT: "f", kinds.INT: "i", kinds.STRING: "s", kinds.TENSOR: "t"}
    lists = {kinds.FLOATS: "floats", kinds.INTS: "ints"}
    if given.type in fields:
        return getattr(given, fields[given.type])
    return list(getattr(given, lists[given.type])) if given.type in lists else None


def read_array(tensor: Any) -> Array:
    """The elements of a tensor, which are as many as its shape says."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise LoadError("is kept in another file, which is not opened")
    if tensor.data_type not in _TENSORS:
        raise LoadError(f"has elements of type {tensor.data_type}; expected floating-point numbers")
    field, code = _TENSORS[tensor.data_type]
    dtype, shape = np.dtype(code), tuple(tensor.dims)
    many = prod(shape)
    if any(n < 0 for n in shape) or len(shape) > 8:
        raise LoadError(f"has shape {shape[:9]}; expected at most 8 whole numbers >= 0")
    there = len(tensor.raw_data) / dtype.itemsize if tensor.raw_data else len(getattr(tensor, field))
    if there != many:
        raise LoadError(f"has shape {shape}, and {there:g} elements; it is damaged")
    if not many:
        return np.zeros(0, dtype)
    if tensor.raw_data:
        numbers = np.frombuffer(tensor.raw_data, dtype)
    elif code == "<f2" or code == "<u2":  # bits, in a wider type
        numbers = np.array(getattr(tensor, field), np.int64).astype(np.uint16).view(dtype)
    else:
        numbers = np.array(getattr(tensor, field), dtype)
    if tensor.data_type == _BFLOAT16:  # the upper half of a float32
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    return numbers.reshape(shape).astype(numbers.dtype.newbyteorder("="))
