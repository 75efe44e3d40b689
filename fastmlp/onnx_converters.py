"""Converters of skl2onnx for the estimators, which write the graph of `to_onnx` into that of a pipeline.

skl2onnx finds a converter by the class of a model, so that ours must be registered; importing it takes a second,
so that this happens when somebody else imports it. Its own converters of scikit-learn's MLP read `coefs_` and know
nothing of scaling: whoever registers these for the estimators by hand gets ours, or an error.
"""

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_OLDEST_OPSET = 13  # in which Squeeze has axes as an input


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a model's prediction to a container."""
    from skl2onnx.common.data_types import guess_proto_type

    from fastmlp.onnx_files import attributes_of, tensor, tensor_type
    from fastmlp.onnx_operators import INPUT, LABEL, graph_of
    from fastmlp.onnx_package import onnx

    if container.target_opset < _OLDEST_OPSET:
        raise NotImplementedError(f"target_opset is {container.target_opset}; expected {_OLDEST_OPSET} or later")
    steps = operator.raw_operator._forward()
    _refuse_fractions(steps.classes)
    graph, outputs = graph_of(steps)
    names = {name: scope.get_unique_variable_name(name) for name in (INPUT, *graph.constants)}
    names |= {node.output: scope.get_unique_variable_name(node.output) for node in graph.nodes}

    def add(kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        container.add_node(kind, inputs, [output], name=scope.get_unique_operator_name(kind), **attributes)

    for name, array in graph.constants.items():
        content = array.tolist() if array.dtype.kind == "O" else tensor(name, array)
        container.add_initializer(names[name], tensor_type(array.dtype), list(array.shape), content)
    add("Cast", [operator.inputs[0].full_name], names[INPUT], to=tensor_type(steps.dtype))
    for node in graph.nodes:
        add(
            node.operator,
            [names[name] for name in node.inputs],
            names[node.output],
            **attributes_of(node.attributes),
        )
    given = guess_proto_type(operator.inputs[0].type)
    number = given if given == onnx.TensorProto.DOUBLE else onnx.TensorProto.FLOAT
    for output, variable in zip(outputs, operator.outputs, strict=True):
        if output.dtype.kind == "O":
            add("Identity", [names[output.name]], variable.full_name)
        else:
            to = onnx.TensorProto.INT64 if output.name == LABEL else number
            add("Cast", [names[output.name]], variable.full_name, to=int(to))


def _refuse_fractions(classes: Any) -> None:
    """skl2onnx declares integers for all labels that are no strings."""
    if classes is not None and classes.dtype.kind == "f" and (classes % 1 != 0).any():
        raise NotImplementedError(f"classes_ is {classes}; skl2onnx has no numbers but whole ones: use model.to_onnx")


def _with_columns(theirs: Callable[[Any], None]) -> Callable[[Any], None]:
    """Their calculator of shapes, for several outputs and labels, too."""

    def calculate(operator: Any) -> None:
        from fastmlp.onnx_operators import graph_of

        theirs(operator)
        rows = operator.inputs[0].get_first_dimension()
        _, outputs = graph_of(operator.raw_operator._forward())
        for output, variable in zip(outputs, operator.outputs, strict=True):
            variable.type.shape = [rows] if output.columns is None else [rows, output.columns]

    return calculate


def _guard(module: Any) -> None:
    """See to it that their converters give our estimators to ours; and where they were taken before, to none.

    What is taken out of the module now is a function that looks at the model. What somebody has taken out before
    calls `_predict` of the module: there our models are refused.
    """
    from fastmlp.estimator_base import CompiledMLP
    from fastmlp.messages import warn

    def looking(theirs: Any) -> Any:
        @wraps(theirs)
        def convert(scope: Any, operator: Any, container: Any) -> None:
            ours = isinstance(operator.raw_operator, CompiledMLP)
            (_convert if ours else theirs)(scope, operator, container)

        return convert

    def refusing(theirs: Any) -> Any:
        @wraps(theirs)
        def predict(scope: Any, input_name: Any, container: Any, model: Any, *rest: Any, **named: Any) -> Any:
            if isinstance(model, CompiledMLP):
                raise NotImplementedError(
                    f"this converter is of scikit-learn's MLP, and knows nothing of the scaling of "
                    f"fastmlp.{type(model).__name__}; fastmlp registers one of its own: leave out "
                    "update_registered_converter"
                )
            return theirs(scope, input_name, container, model, *rest, **named)

        return predict

    for name in ("convert_sklearn_mlp_classifier", "convert_sklearn_mlp_regressor"):
        setattr(module, name, looking(getattr(module, name)))
    if hasattr(module, "_predict"):  # a private name, which a later release need not have
        module._predict = refusing(module._predict)
    else:
        warn(
            "this skl2onnx is not one that fastmlp knows: where convert_sklearn_mlp_classifier or _regressor was "
            "taken out of it before and is registered for an estimator of fastmlp, it leaves out its scaling"
        )


def _register() -> None:
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )
    from skl2onnx.operator_converters import multilayer_perceptron

    from fastmlp import estimators

    _guard(multilayer_perceptron)
    update_registered_converter(
        estimators.MLPClassifier,
        "FastmlpMLPClassifier",
        _with_columns(calculate_linear_classifier_output_shapes),
        _convert,
        options={"zipmap": [True, False, "columns"], "output_class_labels": [False, True], "nocl": [True, False]},
    )
    update_registered_converter(
        estimators.MLPRegressor,
        "FastmlpMLPRegressor",
        _with_columns(calculate_linear_regressor_output_shapes),
        _convert,
    )


class _Registering(Loader):
    """A loader that registers the converters when the module is there."""

    def __init__(self, loader: Loader, finder: "_Finder") -> None:
        self._loader, self._finder = loader, finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
            _register()


class _Finder(MetaPathFinder):
    """Finds skl2onnx as others do, and sees to it that the converters are registered when it is imported."""

    _asks = False  # whether the others are being asked

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "skl2onnx" or self._asks:
            return None
        self._asks = True
        try:
            spec = find_spec(fullname)
        finally:
            self._asks = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Registering(spec.loader, self)
        return spec


def register_with_skl2onnx() -> None:
    """Register the converters, now or when skl2onnx is imported."""
    if "skl2onnx" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _Finder())
