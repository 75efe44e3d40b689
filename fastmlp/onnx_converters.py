"""Converters of skl2onnx for the estimators: its own for scikit-learn's MLP, handed a net that they can express.

skl2onnx finds a converter by the class of a model, so that ours must be registered; importing it takes a second,
so that this happens when somebody else imports it. Where a net has what the converters cannot express, the error
says what; scaling is folded into the first and the last layer.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.preprocessing import QuantileTransformer

# Those of ours that skl2onnx's converters write, by their names there.
_ACTIVATIONS = {
    "identity": "identity",
    "logistic": "logistic",
    "sigmoid": "logistic",
    "relu": "relu",
    "softmax": "softmax",
    "tanh": "tanh",
}


def _expressible(model: Any) -> SimpleNamespace:
    """A net with the attributes that skl2onnx's converters read, which predicts what the model does."""
    activations = {model.activation} if isinstance(model.activation, str) else set(model.activation) or {"identity"}
    obstacles = [name for name in sorted({*activations, model.out_activation_}) if name not in _ACTIVATIONS]
    if len(activations) > 1:
        obstacles.append(f"different activations {sorted(activations)}")
    x_scaler, y_scaler = getattr(model, "x_scaler_", None), getattr(model, "y_scaler_", None)
    if isinstance(x_scaler, QuantileTransformer):
        obstacles.append("scale='quantile'")
    if not is_classifier(model) and model.n_outputs_ > 1:
        obstacles.append(f"{model.n_outputs_} outputs of a regression")
    if obstacles:
        raise NotImplementedError(f"skl2onnx's converter of an MLP has no {', no '.join(obstacles)}")
    coefs = [np.asarray(W, np.float64) for W in model.coefs_]
    intercepts = [np.asarray(b, np.float64) for b in model.intercepts_]
    if x_scaler is not None:
        coefs[0] = coefs[0] / x_scaler.scale_[:, None]
        intercepts[0] = intercepts[0] - x_scaler.mean_ @ coefs[0]
    if y_scaler is not None:
        coefs[-1] = coefs[-1] * y_scaler.scale_
        intercepts[-1] = intercepts[-1] * y_scaler.scale_ + y_scaler.mean_
    net = SimpleNamespace(
        coefs_=coefs,
        intercepts_=intercepts,
        n_layers_=len(coefs) + 1,
        activation=_ACTIVATIONS[activations.pop()],
        out_activation_=_ACTIVATIONS[model.out_activation_],
    )
    if is_classifier(model):
        several = model.out_activation_ == "logistic" and model.n_outputs_ > 1
        net.classes_ = model.classes_
        kind = "multilabel-indicator" if several else "multiclass"
        net._label_binarizer = SimpleNamespace(y_type_=kind)  # where skl2onnx reads what the labels are
    return net


def _converter(theirs: Any) -> Any:
    """Their converter, for the expressible net of a model."""

    def convert(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        operator.raw_operator = _expressible(model)
        try:
            theirs(scope, operator, container)
        finally:
            operator.raw_operator = model

    return convert


def _register() -> None:
    from skl2onnx import update_registered_converter
    from skl2onnx.common.shape_calculator import (
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )
    from skl2onnx.operator_converters.multilayer_perceptron import (
        convert_sklearn_mlp_classifier,
        convert_sklearn_mlp_regressor,
    )

    from fastmlp import estimators

    update_registered_converter(
        estimators.MLPClassifier,
        "FastmlpMLPClassifier",
        calculate_linear_classifier_output_shapes,
        _converter(convert_sklearn_mlp_classifier),
        options={"zipmap": [True, False, "columns"], "output_class_labels": [False, True], "nocl": [True, False]},
    )
    update_registered_converter(
        estimators.MLPRegressor,
        "FastmlpMLPRegressor",
        calculate_linear_regressor_output_shapes,
        _converter(convert_sklearn_mlp_regressor),
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
