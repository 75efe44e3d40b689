"""Nets in files and back: what a file says of a net, and how it is believed only after a look.

The format of the file is in files.py. What a net is made of again goes through the checks that arguments go through,
so that a file can describe no net that could not be made by hand.
"""

import dataclasses
import json
import os
from typing import Any

import numpy as np

from fastmlp.architecture import Architecture
from fastmlp.files import Contents, LoadError, as_path, read, write
from fastmlp.layout import layer_shapes
from fastmlp.mlp import MLP
from fastmlp.optimizers import OPTIMIZERS

VERSION = 1  # of what stands in a file; raised when an older fastmlp could not read it
_KEY = "fastmlp"  # of the metadata


def save(net: MLP, path: str | os.PathLike[str], training: bool) -> None:
    """Write a net; see `MLP.save`."""
    state = net.__getstate__()
    description: dict[str, Any] = {
        "version": VERSION,
        "kind": "MLP",
        "architecture": {f.name: state[f"_{f.name}"] for f in dataclasses.fields(Architecture) if f.name != "dtype"}
        | {"dtype": net.dtype.name},
        "trainable": state["trainable"],
        "rate_factors": state["rate_factors"],
    }
    tensors = {f"W{l}": W for l, W in enumerate(net.weights, 1)} | {f"b{l}": b for l, b in enumerate(net.biases, 1)}
    if training:
        optimizer, moments = state["_optimizer"], state["optimizer_state"]
        description["training"] = {"seed": int(state["_seed"]), "epochs": int(state["_epochs"]), "optimizer": None}
        if optimizer is not None:
            name = next(name for name, kind in OPTIMIZERS.items() if type(optimizer) is kind)
            description["training"] |= {"optimizer": {"name": name, **dataclasses.asdict(optimizer)}}
            description["training"] |= {"powers": list(moments[:2])}
            tensors |= {"first_moments": moments[2], "second_moments": moments[3]}
    write(path, Contents(tensors, {_KEY: json.dumps(description, allow_nan=False)}))


def load(path: str | os.PathLike[str]) -> MLP:
    """A net from a file of `MLP.save`. Nothing in the file is executed, and all of it is looked at.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    MLP
        With the state of its optimizer and the order of its samples, if they were saved: `fit` goes on as if nothing
        had been.

    Raises
    ------
    LoadError
        If the file is damaged, contradicts itself, holds no net, or is of a later version of fastmlp; a ValueError.
    OSError
        If it cannot be opened.

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
    contents = read(path)
    try:
        return _made(contents)
    except LoadError as problem:
        raise LoadError(f"{as_path(path)}: {problem}") from None


def _made(contents: Contents) -> MLP:
    text = contents.metadata.get(_KEY)
    if text is None:
        raise LoadError("it is a file of tensors, but no net of fastmlp's: its metadata has no entry 'fastmlp'")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise LoadError(f"what it says of the net cannot be read: {problem}") from None
    if not isinstance(said, dict) or type(said.get("version")) is not int:
        raise LoadError("what it says of the net has no version; it is damaged")
    if said["version"] > VERSION:
        raise LoadError(f"it is of version {said['version']}; this fastmlp reads up to {VERSION}: use a later one")
    if said["version"] < 1 or said.get("kind") != "MLP":
        raise LoadError(f"it says that it is a {said.get('kind')!r} of version {said['version']}; expected an 'MLP'")
    try:
        architecture = Architecture(**said["architecture"])
        state = architecture.state() | _parameters(architecture, dict(contents.tensors), said.get("training"))
        net = MLP.__new__(MLP)
        net.__setstate__(state)
        net.trainable, net.rate_factors = said["trainable"], said["rate_factors"]
    except LoadError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise LoadError(f"what it says of the net makes none: {type(problem).__name__}: {problem}") from None
    return net


def _parameters(architecture: Architecture, tensors: dict[str, Any], training: Any) -> dict[str, Any]:
    """What a pickle keeps besides the architecture, from tensors of the right shapes and types, and no others."""
    flat = []
    for l, shapes in enumerate(layer_shapes(architecture.sizes, architecture.bias), 1):
        for name, shape in zip((f"W{l}", f"b{l}"), shapes, strict=True):
            if 0 not in shape or name[0] == "W":
                flat.append(_tensor(tensors, name, shape, architecture.dtype).reshape(-1))
    parameters = np.concatenate(flat)
    state: dict[str, Any] = {"parameters": parameters, "optimizer_state": None, "_optimizer": None}
    seed: Any = np.random.default_rng().integers(2**64, dtype=np.uint64)
    epochs = 0
    if training is not None:
        seed, epochs, optimizer = training["seed"], training["epochs"], training["optimizer"]
        if type(seed) is not int or not 0 <= seed < 2**64 or type(epochs) is not int or not 0 <= epochs < 2**63:
            raise LoadError(f"its seed is {seed!r} and its epochs {epochs!r}; expected whole numbers >= 0")
        if optimizer is not None:
            kind = OPTIMIZERS[optimizer.pop("name")]
            powers = [float(power) for power in training["powers"]]
            if len(powers) != 2 or not all(0 <= power <= 1 for power in powers):
                raise LoadError(f"the powers of its optimizer are {powers}; expected two numbers from 0 to 1")
            moments = [
                _tensor(tensors, name, parameters.shape, architecture.dtype)
                for name in ("first_moments", "second_moments")
            ]
            state |= {"_optimizer": kind(**optimizer), "optimizer_state": (*powers, *moments)}
    if tensors:
        raise LoadError(f"it has the tensor {next(iter(tensors))!r}, which is none of this net's")
    return state | {"_seed": int(seed), "_epochs": epochs}


def _tensor(tensors: dict[str, Any], name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    if name not in tensors:
        raise LoadError(f"it has no tensor {name!r}, which the net that it describes has")
    tensor = tensors.pop(name)
    if tensor.shape != tuple(shape) or tensor.dtype != dtype:
        came, expected = f"shape {tensor.shape} and dtype {tensor.dtype}", f"{tuple(shape)} and {dtype}"
        raise LoadError(f"its tensor {name!r} has {came}; expected {expected}")
    if not np.isfinite(tensor).all():
        at = np.argwhere(~np.isfinite(tensor))[0].tolist()
        raise LoadError(f"its tensor {name!r} has the value {tensor[tuple(at)]} at {at}; expected finite numbers")
    return tensor
