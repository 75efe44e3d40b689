"""What a file says of an estimator: its parameters, what it has learned, its scalers; and the way back.

Each attribute that is kept is a row with what it may be, so that a file can put nothing else into an estimator. The
arrays of numbers become tensors (values.py), W1, b1, ... those of the net, as for `MLP` (saving.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.utils.validation import check_is_fitted

from fastmlp.estimator_parameters import check_parameters
from fastmlp.estimator_scaling import new_scaler, scaling
from fastmlp.estimator_training import LearningRate
from fastmlp.estimators import MLPClassifier, MLPRegressor
from fastmlp.files import LoadError
from fastmlp.formulas import Array
from fastmlp.layout import layer_views
from fastmlp.messages import warn
from fastmlp.saving import Description, Tensors, layer_tensors, taken, taken_moments
from fastmlp.values import NoValue, decoded, encoded


class _Kind(NamedTuple):
    accepts: Callable[[Any], bool]
    words: str


def _whole(least: int) -> _Kind:
    return _Kind(lambda v: type(v) is int and least <= v < 2**62, f"a whole number >= {least}")


def _is_labels(value: Any) -> bool:
    if not (isinstance(value, np.ndarray) and value.ndim == 1 and len(value)):
        return False
    are_labels = all(isinstance(label, (str, bool, int, float)) for label in value.tolist())
    return are_labels and (value.dtype.kind != "f" or bool(np.isfinite(value).all()))


def _is_names(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 1 and all(isinstance(name, str) for name in value.tolist())


def _is_curve(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype == np.float64


_NUMBER = _Kind(lambda v: v is None or type(v) in (int, float), "a number or None")
_TEXT = _Kind(lambda v: v is None or isinstance(v, str), "a string or None")
_CURVE = _Kind(lambda v: v is None or _is_curve(v), "numbers in a row, or None")
_LABELS = _Kind(_is_labels, "labels in a row")

# What is learned, beside the net and its scalers.
_ATTRIBUTES: dict[str, _Kind] = {
    "n_features_in_": _whole(1),
    "n_outputs_": _whole(1),
    "n_layers_": _whole(2),
    "n_iter_": _whole(0),
    "t_": _whole(0),
    "feature_names_in_": _Kind(_is_names, "strings in a row"),
    "classes_": _LABELS,
    "out_activation_": _Kind(lambda v: isinstance(v, str), "a string"),
    "loss_": _NUMBER,
    "best_loss_": _NUMBER,
    "best_validation_score_": _NUMBER,
    "loss_curve_": _CURVE,
    "validation_curve_": _CURVE,
    "validation_scores_": _CURVE,
    "_no_improvement_count": _whole(0),
    "_scores_of": _TEXT,
    "_sparse_labels": _Kind(lambda v: type(v) is bool, "True or False"),
    "_columns_of_y": _Kind(lambda v: v is None or _is_labels(v), "labels in a row, or None"),
    "_sklearn_output_config": _Kind(
        lambda v: v in [{}, *({"transform": kind} for kind in ("default", "pandas", "polars"))], "a kind of output"
    ),
}
_CURVES = [name for name, kind in _ATTRIBUTES.items() if kind is _CURVE]
# What training goes on with: kept where it is asked for.
_STATE = "_optimizer", "_state_of", "_moments", "_best_parameters"
# What is made again, or has no meaning elsewhere.
_MADE_AGAIN = "coefs_", "intercepts_", "x_scaler_", "y_scaler_", "_random_state", "_transformed_layer", *_STATE
_SCALERS: dict[type, tuple[str, ...]] = {
    StandardScaler: ("mean_", "var_", "scale_", "n_samples_seen_"),
    QuantileTransformer: ("quantiles_", "references_"),
}


def describe_estimator(model: Any, training: bool, given_again: Sequence[str] = ()) -> tuple[Description, Tensors]:
    """What a file says of an estimator, and its tensors; without the parameters that will be `given_again`.

    Raises
    ------
    ValueError, TypeError
        If it has something that a file cannot hold, or that could not be read again.
    """
    if type(model) not in (MLPClassifier, MLPRegressor):
        raise TypeError(f"the estimator is a {type(model).__name__}; files keep MLPClassifier and MLPRegressor")
    check_is_fitted(model)
    network, state = model._network(), model.__getstate__()
    if not network.is_finite():
        raise ValueError("coefs_ or intercepts_ contain NaN or infinity; expected finite weights and biases")
    copied = network.parameters.copy()  # which another thread may be training
    tensors = layer_tensors(*layer_views(copied, network.sizes, True))
    said: Description = {"parameters": {}, "attributes": {}, "scalers": {}}
    defaults = type(model)()
    for name, value in model.get_params(deep=False).items():
        if name in given_again:
            continue
        try:
            said["parameters"][name] = encoded(value, tensors, name)
        except NoValue:
            warn(
                f"{name} is {value!r}, which a file cannot hold: the loaded estimator has {getattr(defaults, name)!r}"
            )
    for name in ("x_scaler_", "y_scaler_"):
        if name in state:
            said["scalers"][name] = _described_scaler(state[name], tensors, name)
    for name, value in state.items():
        if name in _ATTRIBUTES:
            said["attributes"][name] = _described(name, value, tensors)
        elif name not in (*said["parameters"], *_MADE_AGAIN, "_sklearn_version") and not hasattr(defaults, name):
            warn(f"the attribute {name} is not kept in a file")
    if training and state.get("_optimizer") is not None:
        *powers, first, second = state["_moments"]
        said["training"] = {
            "powers": powers,
            "solver": state["_state_of"],
            "rate": _described_rate(state["_optimizer"]),
        }
        tensors |= {"first_moments": first, "second_moments": second}
    if training and "_best_parameters" in state:
        said["best"] = "present" if state["_best_parameters"] is None else "another"
        if state["_best_parameters"] is not None:
            tensors["best_parameters"] = state["_best_parameters"]
    try:
        made_estimator(type(model), said, dict(tensors))
    except (LoadError, ValueError, TypeError, KeyError, AttributeError) as problem:
        raise ValueError(f"the estimator could not be read again: {problem}") from None
    return said, tensors


def _described_rate(rate: LearningRate) -> Description:
    """With floats, of whatever type the numbers are."""
    return {name: value if isinstance(value, str) else float(value) for name, value in asdict(rate).items()}


def _described(name: str, value: Any, tensors: Tensors) -> Any:
    if name in _CURVES and value is not None:
        value = np.array(value, np.float64)
    elif name == "feature_names_in_":
        value = np.asarray(value, object)
    try:
        return encoded(value, tensors, name)
    except NoValue as problem:
        if name != "_scores_of":
            raise ValueError(f"{name} is {problem}") from None
        return str(value)  # a callable that is not the next fit's, whatever that is


def _described_scaler(scaler: Any, tensors: Tensors, name: str) -> Description | None:
    if scaler is None:
        return None
    kind = getattr(scaling(scaler), "kind", None)
    if kind is None:
        raise ValueError(f"{name} is {scaler!r}; a file holds those of scale='standard' and 'quantile' only")
    arrays = {what: np.asarray(getattr(scaler, what)) for what in _SCALERS[type(scaler)]}
    values = {what: encoded(array, tensors, f"{name}{what}") for what, array in arrays.items()}
    return {"kind": kind, **values}


def with_parameters(estimator: type, said: Description, tensors: Tensors) -> Any:
    """An estimator with the parameters that a file says, not fitted."""
    model = estimator()
    known = {row.name for row in fields(estimator)}
    for name, given in said["parameters"].items():
        if name not in known:
            raise LoadError(f"it has the parameter {name!r}, which {estimator.__name__} has not")
        setattr(model, name, decoded(given, tensors))
    check_parameters(model)
    return model


def made_estimator(estimator: type, said: Description, tensors: Tensors) -> Any:
    """The estimator that a file describes."""
    model = with_parameters(estimator, said, tensors)
    for name, given in said["attributes"].items():
        if name not in _ATTRIBUTES:
            raise LoadError(f"it has the attribute {name!r}, which {estimator.__name__} has not")
        value = decoded(given, tensors)
        if not _ATTRIBUTES[name].accepts(value):
            raise LoadError(f"its attribute {name!r} is {str(value)[:100]}; expected {_ATTRIBUTES[name].words}")
        setattr(model, name, value.tolist() if name in _CURVES and value is not None else value)
    _take_weights(model, tensors)
    network = model._network()
    _check_labels(model, network.sizes[-1])
    for name, of, n in (("x_scaler_", "X", network.sizes[0]), ("y_scaler_", "y", network.sizes[-1])):
        if name in said["scalers"]:
            if of == "y" and is_classifier(model) and said["scalers"][name] is not None:
                raise LoadError("it classifies, and has a scaler of y")
            setattr(model, name, _made_scaler(said["scalers"][name], tensors, of, n))
    names = model.__dict__.get("feature_names_in_")
    if names is not None and len(names) != network.sizes[0]:
        raise LoadError(f"it has {len(names)} names of features, and {network.sizes[0]} of these")
    training = said.get("training")
    if training is not None:
        network.optimizer_state = taken_moments(training["powers"], tensors, network.parameters)
        model._optimizer = LearningRate(**training["rate"])
        model._state_of = training["solver"]
        numbers = asdict(model._optimizer)
        good = numbers.pop("how") in ("constant", "invscaling", "adaptive")
        if not good or not all(type(v) in (int, float) and 0 <= v < np.inf for v in numbers.values()):
            raise LoadError(f"its learning rate is {model._optimizer}; expected numbers >= 0")
    if said.get("best") == "present":
        model._best_parameters = network.parameters.copy()
    elif "best" in said:
        model._best_parameters = taken(tensors, "best_parameters", network.parameters.shape, network.dtype)
    return model


def _take_weights(model: Any, tensors: Tensors) -> None:
    """The weights as arrays that somebody has put there: a net is made of them when it is first asked for."""
    model.coefs_, model.intercepts_ = [], []
    while f"W{len(model.coefs_) + 1}" in tensors:
        for letter, arrays in (("W", model.coefs_), ("b", model.intercepts_)):
            name = f"{letter}{len(arrays) + 1}"
            if name not in tensors:
                raise LoadError(f"it has no tensor {name!r}, which the net that it describes has")
            arrays.append(taken(tensors, name, tensors[name].shape, tensors[name].dtype))
    dtypes = {array.dtype.name for array in (*model.coefs_, *model.intercepts_)}
    if dtypes not in ({"float32"}, {"float64"}):
        raise LoadError(f"its weights and biases are of {sorted(dtypes)}; expected float32 or float64")


def _check_labels(model: Any, outputs: int) -> None:
    """That each output, or two for a sigmoid alone, has its class."""
    if not is_classifier(model):
        expected = ("identity", "exp")
    else:
        expected = ("softmax", "logistic")
        classes = len(model.classes_)
        if not np.array_equal(np.unique(model.classes_), model.classes_):
            raise LoadError(f"its classes are {str(model.classes_)[:100]}; expected each once, in order")
        if classes != outputs and not (model.out_activation_ == "logistic" and outputs == 1 and classes in (1, 2)):
            raise LoadError(f"it has {classes} classes, and its net {outputs} outputs")
        columns = model.__dict__.get("_columns_of_y")
        if columns is not None and not np.array_equal(np.sort(columns), model.classes_):
            raise LoadError(f"its columns of probabilities are of {columns}; its classes are {model.classes_}")
    if model.out_activation_ not in expected:
        raise LoadError(f"its out_activation_ is {model.out_activation_!r}; expected one of {expected}")


def _made_scaler(said: Description | None, tensors: Tensors, of: str, columns: int) -> Any:
    if said is None:
        return None
    scaler = new_scaler(said["kind"], 2, np.random.RandomState(0))
    for name in _SCALERS[type(scaler)]:
        setattr(scaler, name, decoded(said[name], tensors)[()])  # a number of NumPy where it is one
    scaler.n_features_in_ = columns
    if isinstance(scaler, StandardScaler):
        arrays: dict[str, Array] = {name: getattr(scaler, name) for name in ("mean_", "var_", "scale_")}
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(arrays, (columns,))
        seen = np.asarray(scaler.n_samples_seen_)
        good = seen.dtype.kind in "iuf" and seen.shape in ((), (columns,)) and bool((seen > 0).all())
        good = good and bool((scaler.scale_ > 0).all() and (scaler.var_ >= 0).all())
    else:
        quantiles = np.asarray(scaler.quantiles_)
        arrays = {"quantiles_": quantiles, "references_": np.asarray(scaler.references_)}
        shapes = {"quantiles_": (len(quantiles), columns), "references_": (len(quantiles),)}
        good = len(quantiles) > 0 and bool((np.diff(quantiles, axis=0) >= 0).all())
        good = good and np.array_equal(scaler.references_, np.linspace(0, 1, len(quantiles)))
        scaler.n_quantiles = scaler.n_quantiles_ = len(quantiles)
    for name, array in arrays.items():
        if array.dtype != np.float64 or array.shape != shapes[name] or not np.isfinite(array).all():
            raise LoadError(f"{name} of its scaler of {of} has shape {array.shape}; expected finite {shapes[name]}")
    if not good:
        raise LoadError(f"its scaler of {of} has numbers that no fit gives")
    return scaler
