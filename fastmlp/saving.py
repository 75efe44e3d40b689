"""Nets and estimators in files and back: what a file says of a net, and how it is believed only after a look.

The format of the file is in files.py, that of single values in values.py, what an estimator says of itself in
estimator_saving.py. What a net is made of again goes through the checks that arguments go through, so that a file can
describe no net that could not be made by hand.
"""

import dataclasses
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from fastmlp.architecture import Architecture
from fastmlp.files import Contents, LoadError, as_path, no_number, read, write
from fastmlp.formulas import Array
from fastmlp.history import History
from fastmlp.layout import layer_shapes
from fastmlp.mlp import MLP
from fastmlp.optimizers import OPTIMIZERS
from fastmlp.values import decoded, encoded

VERSION = 1  # of what stands in a file; raised when an older fastmlp could not read it
_KEY = "fastmlp"  # of the metadata
FIT_KEY = "fastmlp.fit"  # of the metadata of a checkpoint, with tensors that begin with "fit.": see checkpoints.py
# The estimators, and the module that describes them; it is imported when one comes, and scikit-learn with it.
_ESTIMATORS = {
    "MLPClassifier": "estimator_saving", "MLPRegressor": "estimator_saving", "TabularClassifier": "tabular_saving",
    "TabularRegressor": "tabular_saving",
}  # fmt: skip

Description = dict[str, Any]
Tensors = dict[str, Array]


def save(model: Any, path: str | os.PathLike[str], training: bool, extra: dict[str, str] | None = None) -> None:
    """Write a net or an estimator, and strings that stand beside it in the metadata; see `MLP.save`."""
    if isinstance(model, MLP):
        if type(model) is not MLP:
            raise TypeError(f"the net is a {type(model).__name__}; files keep MLP")
        described = describe_net(model, training, model.history)
    else:
        kind = type(model).__name__
        if kind not in _ESTIMATORS:  # a class of the user's
            raise TypeError(f"the estimator is a {kind}; files keep {', '.join(_ESTIMATORS)}")
        room = import_module(f"fastmlp.{_ESTIMATORS[kind]}")
        described = room.describe_estimator(model, training)
    write_model(path, type(model), *described, extra or {})


def write_model(
    path: str | os.PathLike[str], kind: type, said: Description, tensors: Tensors, extra: dict[str, str],
    only_new: bool = False,
) -> None:  # fmt: skip
    """Write a file of a net or an estimator that has described itself; see `files.write`."""
    text = json.dumps({"version": VERSION, "kind": kind.__name__} | said, allow_nan=False)
    write(path, Contents(tensors, {_KEY: text} | extra), only_new)


def load(path: str | os.PathLike[str]) -> Any:
    """A net or an estimator from a file of its `save`. Nothing in it is executed, and all of it is looked at.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    MLP, MLPClassifier, MLPRegressor, TabularClassifier or TabularRegressor
        With the state of its optimizer, if that was saved: `fit` and `partial_fit` go on as if nothing had been.

    Raises
    ------
    LoadError
        If the file is damaged, contradicts itself, holds no net, or is of a later version of fastmlp; a ValueError.
    OSError
        If it cannot be opened.
    ImportError
        If it holds an estimator, and scikit-learn is not installed.

    Examples
    --------
    >>> import fastmlp, os, tempfile
    >>> net = fastmlp.MLP([2, 3, 1], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.safetensors")
    ...     net.save(path)
    ...     again = fastmlp.load(path)
    >>> bool((again.parameters == net.parameters).all())
    True
    """
    return opened(path)[0]


def opened(path: str | os.PathLike[str]) -> tuple[Any, dict[str, str]]:
    """The net or the estimator of a file, and the strings of its metadata; see `load`."""
    contents = read(path)
    with named(path):
        return made(contents), contents.metadata


@contextmanager
def named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Say of which file a LoadError is."""
    try:
        yield
    except LoadError as problem:
        raise LoadError(f"{as_path(path)}: {problem}") from None


@contextmanager
def believed(what: str) -> Iterator[None]:
    """Make a LoadError of whatever comes of taking a file at its word."""
    try:
        yield
    except LoadError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as problem:
        reason = f"it has no {problem}" if isinstance(problem, KeyError) else str(problem)
        raise LoadError(f"what it says of the {what} makes none: {reason}; it is damaged") from None


def made(contents: Contents) -> Any:
    """The net or the estimator that a file holds; its tensors are taken out one by one."""
    said = metadata_table(contents.metadata, _KEY)
    if said is None:
        raise LoadError("it is a file of tensors, but no net of fastmlp's: its metadata has no entry 'fastmlp'")
    if type(said.get("version")) is not int:
        raise LoadError("what it says of the net has no version; it is damaged")
    version, kind = said["version"], said.get("kind")
    if version > VERSION:
        raise LoadError(f"it is of version {version}; this fastmlp reads up to {VERSION}: use a later one")
    if version < 1 or kind not in ("MLP", *_ESTIMATORS):
        raise LoadError(f"it says that it is a {kind!r} of version {version}; expected an MLP or an estimator")
    if kind == "MLP":
        with believed("net"):
            model = made_net(said, contents.tensors)
    else:
        import fastmlp  # whose lazy import of an estimator says what is missing

        estimator = getattr(fastmlp, kind)
        room = import_module(f"fastmlp.{_ESTIMATORS[kind]}")
        with believed("estimator"):
            model = room.made_estimator(estimator, said, contents.tensors)
    for name in contents.tensors:
        if not (name.startswith("fit.") and FIT_KEY in contents.metadata):
            raise LoadError(f"it has the tensor {name!r}, which is none of this net's")
    return model


def metadata_table(metadata: dict[str, str], key: str) -> Description | None:
    """What the metadata says under a key, a table in JSON; None if nothing."""
    text = metadata.get(key)
    if text is None:
        return None
    try:
        said = json.loads(text, parse_constant=no_number)
    except (ValueError, RecursionError) as problem:
        raise LoadError(f"what it says of the net cannot be read: {problem}") from None
    if not isinstance(said, dict):
        raise LoadError(f"what it says under {key!r} is no table; it is damaged")
    return said


def layer_tensors(weights: list[Array], biases: list[Array]) -> Tensors:
    """W1, b1, W2, ..., in the order of the flat parameters; no b without biases."""
    tensors = {}
    for l, W in enumerate(weights, 1):
        tensors[f"W{l}"] = W
        if biases:
            tensors[f"b{l}"] = biases[l - 1]
    return tensors


def taken(
    tensors: Tensors, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], may_overflow: bool = False
) -> Array:
    """A tensor of finite numbers, of this shape and type, out of those of a file."""
    check_tensor(tensors, name, shape, dtype)
    tensor = tensors.pop(name)
    bad = np.isnan(tensor) if may_overflow else ~np.isfinite(tensor)
    if bad.any():
        at = np.argwhere(bad)[0].tolist()
        raise LoadError(f"its tensor {name!r} has the value {tensor[tuple(at)]} at {at}; expected finite numbers")
    return tensor


def check_tensor(tensors: Tensors, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """That a file has a tensor of this shape and type."""
    if name not in tensors:
        raise LoadError(f"it has no tensor {name!r}, which the net that it describes has")
    tensor = tensors[name]
    if tensor.shape != shape or tensor.dtype != dtype:
        came, expected = f"shape {tensor.shape} and dtype {tensor.dtype}", f"{shape} and {dtype}"
        raise LoadError(f"its tensor {name!r} has {came}; expected {expected}")


# nets


def describe_net(net: MLP, training: bool, history: History | None) -> tuple[Description, Tensors]:
    """What a file says of a net, and its tensors."""
    architecture, state = net._architecture, net.__dict__
    parameters = net.parameters.copy()  # which another thread may be training
    tensors = layer_tensors(*net._layer_views(parameters))
    if architecture.input_scale:
        tensors["input_scale"] = parameters[: net.sizes[0]]
    said: Description = {
        "architecture": {f.name: getattr(architecture, f.name) for f in dataclasses.fields(Architecture)}
        | {"dtype": net.dtype.name},
        "trainable": net.trainable,
        "rate_factors": net.rate_factors,
        "input_scale_rate": net.input_scale_rate,
        "history": None if history is None else described_history(history, tensors, "history"),
    }
    if training:
        said["training"] = {"seed": int(state["_seed"]), "epochs": int(state["_epochs"]), "optimizer": None}
        if net._optimizer is not None:
            moments = net._network.optimizer_state
            said["training"] |= {"optimizer": described_optimizer(net._optimizer), "powers": list(moments[:2])}
            tensors |= {"first_moments": moments[2], "second_moments": moments[3]}
    try:
        made_history(said["history"], dict(tensors))
    except (LoadError, TypeError) as problem:
        raise ValueError(f"the net could not be read again: {problem}") from None
    return said, tensors


def described_optimizer(optimizer: Any) -> Description:
    """An optimizer by its name and its hyperparameters."""
    name = next(name for name, kind in OPTIMIZERS.items() if type(optimizer) is kind)
    return {"name": name} | {what: encoded(value, {}, what) for what, value in dataclasses.asdict(optimizer).items()}


def made_optimizer(said: Any) -> Any:
    """The optimizer that is described so."""
    numbers = dict(said)
    return OPTIMIZERS[numbers.pop("name")](**numbers)


def described_history(history: History, tensors: Tensors, name: str) -> Any:
    """The record of a fit, whose curves become tensors."""
    values = dataclasses.asdict(history)
    curves = {what: np.array(value, np.float64) for what, value in values.items() if isinstance(value, list)}
    return encoded(values | curves, tensors, name)


def made_history(said: Any, tensors: Tensors) -> History | None:
    """The record of a fit that is described so; None if there is none."""
    values = decoded(said, tensors)
    if values is None:
        return None
    history = History(
        **{name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}
    )
    for name, value in dataclasses.asdict(history).items():
        expected = type(getattr(History(), name))
        if type(value) is not expected or (expected is list and not all(type(number) is float for number in value)):
            raise LoadError(f"{name} of its history is {str(value)[:100]}; expected a {expected.__name__}")
    lengths = {len(history.validation_loss), len(history.validation_accuracy), len(history.metric)} - {0}
    if lengths - {history.epochs}:
        raise LoadError(f"its history has {history.epochs} losses, and {sorted(lengths)} of the validation")
    return history


def made_net(said: Description, tensors: Tensors) -> MLP:
    """The net that is described so, all of it looked at before; its memory is that of the file once more."""
    architecture = Architecture(**said["architecture"])
    for l, shapes in enumerate(layer_shapes(architecture.sizes, architecture.bias), 1):
        for letter, shape in zip("Wb" if architecture.bias else "W", shapes, strict=False):
            check_tensor(tensors, f"{letter}{l}", tuple(shape), architecture.dtype)
    if architecture.input_scale:
        check_tensor(tensors, "input_scale", architecture.sizes[:1], architecture.dtype)
    training = said.get("training")
    seed: Any = np.random.default_rng().integers(2**64, dtype=np.uint64)
    epochs: Any = 0
    if training is not None:
        seed, epochs = training["seed"], training["epochs"]
        if type(seed) is not int or not 0 <= seed < 2**64 or type(epochs) is not int or not 0 <= epochs < 2**63:
            raise LoadError(f"its seed is {seed!r} and its epochs {epochs!r}; expected whole numbers >= 0")
    net = MLP.__new__(MLP)
    net._architecture, net._seed, net._epochs = architecture, int(seed), epochs
    net._build()
    for name, view in layer_tensors(net.weights, net.biases).items():
        view[...] = taken(tensors, name, view.shape, architecture.dtype)
    if architecture.input_scale:
        net.input_scale = taken(tensors, "input_scale", architecture.sizes[:1], architecture.dtype)
    net.trainable, net.rate_factors = said["trainable"], said["rate_factors"]
    net.input_scale_rate = said.get("input_scale_rate", 1.0)  # older files have none
    net._history = made_history(said.get("history"), tensors)
    if training is not None and training["optimizer"] is not None:
        optimizer = net._checked_optimizer(made_optimizer(training["optimizer"]))
        net._network.optimizer_state = taken_moments(training["powers"], tensors, net.parameters)
        net._optimizer = optimizer
    return net


def taken_moments(powers: Any, tensors: Tensors, parameters: Array) -> tuple[float, float, Array, Array]:
    """The state of an optimizer, as `Network.optimizer_state` has it."""
    both = [float(power) for power in powers]
    if len(both) != 2 or not all(0 <= power <= 1 for power in both):
        raise LoadError(f"the powers of its optimizer are {both}; expected two numbers from 0 to 1")
    first = taken(tensors, "first_moments", parameters.shape, parameters.dtype)
    second = taken(tensors, "second_moments", parameters.shape, parameters.dtype, may_overflow=True)  # being squares
    return both[0], both[1], first, second
