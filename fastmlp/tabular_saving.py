"""What a file says of a TabularClassifier or TabularRegressor: parameters, encoder, members; and the way back.

A member is described as a net alone is (saving.py), its tensors named "0.W1" and so on; the values of the encoder go
through values.py. What comes back is looked at: a file can put nothing into an estimator that training could not.
"""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastmlp.estimator_saving import with_parameters
from fastmlp.files import LoadError
from fastmlp.frame_encoding import FrameEncoder
from fastmlp.saving import Description, Tensors, describe_net, described_history, made_history, made_net
from fastmlp.tabular import TabularClassifier, TabularRegressor
from fastmlp.values import NoValue, decoded, encoded

_LEARNED: dict[Any, tuple[str, ...]] = {
    TabularClassifier: ("classes_", "temperature_", "log_loss_", "best_epoch_", "feature_importances_"),
    TabularRegressor: ("y_mean_", "y_scale_", "y_range_", "errors_", "best_epoch_", "feature_importances_"),
}


def describe_estimator(model: Any, training: bool) -> tuple[Description, Tensors]:
    """What a file says of it, and its tensors. There is no training to go on with.

    Raises
    ------
    TypeError, ValueError
        If it is of another class, has labels that a file cannot hold, or could not be read again.
    """
    if type(model) not in _LEARNED:
        raise TypeError(f"the estimator is a {type(model).__name__}; files keep those of fastmlp")
    check_is_fitted(model)
    tensors: Tensors = {}
    said: Description = {
        "parameters": {name: _said(name, value, tensors) for name, value in model.get_params(deep=False).items()},
        "encoder": encoded(model.encoder_.state(), tensors, "encoder"),
        "learned": {name: _said(name, getattr(model, name), tensors) for name in _LEARNED[type(model)]},
        "history": described_history(model.history_, tensors, "history"),
        "members": [],
    }
    for k, net in enumerate(model.members_):
        described, of_net = describe_net(net, False, None)
        said["members"].append(described)
        tensors |= {f"{k}.{name}": tensor for name, tensor in of_net.items()}
    try:
        made_estimator(type(model), said, dict(tensors))
    except (LoadError, ValueError, TypeError, KeyError, AttributeError) as problem:
        raise ValueError(f"the estimator could not be read again: {problem}") from None
    return said, tensors


def _said(name: str, value: Any, tensors: Tensors) -> Any:
    """What a file says of an attribute."""
    try:
        return encoded(value, tensors, name)
    except NoValue as problem:
        raise ValueError(f"{name} is {problem}") from None


def made_estimator(estimator: type, said: Description, tensors: Tensors) -> Any:
    """The estimator that a file describes."""
    model = with_parameters(estimator, said, tensors)
    model.encoder_ = FrameEncoder.restored(decoded(said["encoder"], tensors))
    model.n_features_in_ = model.encoder_.n_features_in
    if model.encoder_.named:
        model.feature_names_in_ = np.array(model.encoder_.names_in, object)
    for name in _LEARNED[estimator]:
        setattr(model, name, decoded(said["learned"][name], tensors))
    model.history_ = made_history(said["history"], tensors)
    model.members_ = []
    for k, described in enumerate(said["members"]):
        of_net = {name.removeprefix(f"{k}."): tensors.pop(name) for name in list(tensors) if name.startswith(f"{k}.")}
        model.members_.append(made_net(described, of_net))
        if of_net:
            raise LoadError(f"its member {k} has the tensor {next(iter(of_net))!r}, which is none of a net's")
    _check(model)
    return model


def _check(model: Any) -> None:
    """That what it has learned fits together."""
    n_in, classifies = len(model.encoder_.names_out), isinstance(model, TabularClassifier)
    outputs = len(model.classes_) if classifies else 1
    for k, net in enumerate(model.members_):
        if (net.sizes[0], net.sizes[-1]) != (n_in, outputs) or net.output != (
            "softmax" if classifies else "identity"
        ):
            raise LoadError(
                f"its member {k} is {net!r}; expected {n_in} inputs and {outputs} outputs, as its columns and classes"
            )
    if not model.members_ or model.history_ is None:
        raise LoadError("it has no members, or no history of their training")
    if type(model.best_epoch_) is not int or not 1 <= model.best_epoch_ <= model.history_.epochs:
        raise LoadError(f"its best epoch is {model.best_epoch_!r}; expected one of {model.history_.epochs}")
    _expect_numbers("feature_importances_", model.feature_importances_, (model.n_features_in_,))
    if classifies:
        classes = model.classes_
        if not isinstance(classes, np.ndarray) or not np.array_equal(np.unique(classes), classes) or outputs < 2:
            raise LoadError(f"its classes are {str(classes)[:100]}; expected two or more, each once, in order")
        _expect_above_zero("temperature_", model.temperature_)
        if type(model.log_loss_) is not float:
            raise LoadError(f"its log_loss_ is {model.log_loss_!r}; expected a number")
    else:
        _expect_numbers("errors_", model.errors_, model.errors_.shape[:1])
        if not (np.diff(model.errors_) >= 0).all() or (len(model.errors_) and model.errors_[0] < 0):
            raise LoadError("its errors_ are not in order, from 0 on")
        _expect_above_zero("y_scale_", model.y_scale_)
        numbers = (model.y_mean_, *model.y_range_)
        good = all(type(number) is float and abs(number) < np.inf for number in numbers)
        if not good or len(numbers) != 3 or numbers[1] > numbers[2]:
            raise LoadError(f"its y_mean_ and y_range_ are {numbers}; expected a number, and two in order")


def _expect_numbers(name: str, value: Any, shape: tuple[int, ...]) -> None:
    if not isinstance(value, np.ndarray) or value.shape != shape or value.dtype != np.float64:
        raise LoadError(f"its {name} are {str(value)[:100]}; expected {shape} of float64")
    if not np.isfinite(value).all():
        raise LoadError(f"its {name} have NaN or infinity; expected finite numbers")


def _expect_above_zero(name: str, value: Any) -> None:
    if type(value) is not float or not 0 < value < np.inf:
        raise LoadError(f"its {name} is {value!r}; expected a number above 0")
