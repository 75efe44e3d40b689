"""Files of ONNX: the graph of a prediction (onnx_operators.py) in the messages of that format, written at once.

Not here: the way back (onnx_reading.py).

The format: https://onnx.ai/onnx/repo-docs/IR.html.
"""

import json
import os
from typing import Any

import numpy as np

from fastmlp.files import as_path, replace_file
from fastmlp.formulas import Array
from fastmlp.forward import Forward
from fastmlp.onnx_operators import INPUT, ROWS, Graph, Output, graph_of
from fastmlp.onnx_package import onnx

OPSET = 17  # of 2022, which every runtime since then has
IR_VERSION = 8  # as ONNX had it when it had that opset, in 2022: older runtimes refuse a file of a later one
MOST_BYTES = 2**31 - 2**20  # of parameters: a message has less than 2 GiB, with all that surrounds them


def tensor_type(dtype: np.dtype[Any]) -> int:
    """The number that ONNX has for a type; an array of objects is one of strings."""
    if dtype.kind == "O":
        return int(onnx.TensorProto.STRING)
    return int(onnx.helper.np_dtype_to_tensor_dtype(dtype))


def attributes_of(given: dict[str, Any]) -> dict[str, Any]:
    """Attributes of a node with types and arrays as ONNX has them."""

    def converted(value: Any) -> Any:
        if isinstance(value, np.dtype):
            return tensor_type(value)
        return onnx.numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value

    return {name: converted(value) for name, value in given.items()}


def tensor(name: str, array: Array) -> Any:
    """A constant."""
    if array.dtype.kind == "O":
        return onnx.helper.make_tensor(name, onnx.TensorProto.STRING, array.shape, array.tolist())
    return onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)


def write(steps: Forward, path: str | os.PathLike[str]) -> None:
    """Write what a net or an estimator predicts to a file.

    Parameters
    ----------
    steps : Forward
    path : path-like

    Raises
    ------
    ValueError
        If the parameters are too many for a file, or a label has no type there.
    OSError
        If it cannot be written.
    """
    target = as_path(path)
    size = sum(array.nbytes for array in (*steps.weights, *steps.biases))
    if size > MOST_BYTES:
        raise ValueError(f"the parameters have {size:,} bytes; a file of ONNX holds at most {MOST_BYTES:,}: use save")
    replace_file(target, [_model(steps).SerializeToString(deterministic=True)])


def _model(steps: Forward) -> Any:
    from fastmlp import __version__

    graph, outputs = graph_of(steps)
    model = onnx.helper.make_model(
        _graph(graph, outputs, steps),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fastmlp",
        producer_version=__version__,
        doc_string=f"{_in_words(steps)}; opset {OPSET}",
    )
    facts = {"classes": steps.classes, "feature_names": steps.names}
    onnx.helper.set_model_props(
        model, {key: json.dumps(np.asarray(fact).tolist()) for key, fact in facts.items() if fact is not None}
    )
    return model


def _graph(graph: Graph, outputs: list[Output], steps: Forward) -> Any:
    def value(name: str, dtype: np.dtype[Any], columns: int | None) -> Any:
        shape = [ROWS] if columns is None else [ROWS, columns]
        return onnx.helper.make_tensor_value_info(name, tensor_type(dtype), shape)

    return onnx.helper.make_graph(
        [
            onnx.helper.make_node(
                node.operator, node.inputs, [node.output], name=node.output, **attributes_of(node.attributes)
            )
            for node in graph.nodes
        ],
        "MLP",
        [value(INPUT, steps.dtype, len(steps.weights[0]))],
        [value(*output) for output in outputs],
        initializer=[tensor(name, array) for name, array in graph.constants.items()],
    )


def _in_words(steps: Forward) -> str:
    """The layers, and how X and y are scaled."""
    layers = [f"{len(b)} {name}" for b, name in zip(steps.biases, steps.activations, strict=True)]
    scales = [
        f"{what} {type(by).__name__.lower()}"
        for what, by in (("inputs", steps.of_inputs), ("outputs", steps.of_outputs))
        if by is not None
    ]
    return ", ".join([" -> ".join([str(len(steps.weights[0])), *layers]), *scales, str(steps.dtype)])
