"""Values of Python as JSON and tensors, for files: `encoded` takes them apart, `decoded` puts them together again.

What JSON has stands for itself, and a table with one key for the rest: {"tensor": name} for an array of numbers,
{"float": "nan"}, {"tuple": [...]}, {"dict": [[key, value], ...]}, {"array": [...], "dtype": "object"}, {"schedule":
[name, {...}]} and {"random_state": [...]}. Nothing is looked up by a name that a file has, but in the tables here.
"""

import dataclasses
import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from fastmlp import schedules
from fastmlp.files import DTYPES, LoadError

_SCHEDULES = {cls.__name__: cls for cls in schedules.CLASSES}
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_WORDS = "U", "O", "T"  # kinds of arrays that are no tensors


class NoValue(TypeError):
    """A value that a file cannot hold."""


def encoded(value: Any, tensors: dict[str, Any], name: str) -> Any:
    """What JSON can say of a value; arrays of numbers go to `tensors`, under names that begin with `name`.

    Raises
    ------
    NoValue
        If it is none of the above; the message says what it is.
    """
    if value is None or isinstance(value, (bool, str)):
        return value if value is None or type(value) is bool else str.__str__(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else {"float": str(float(value))}
    if isinstance(value, np.ndarray):
        return _encoded_array(value, tensors, name)
    if isinstance(value, (list, tuple)):
        each = [encoded(item, tensors, f"{name}.{i}") for i, item in enumerate(value)]
        return each if isinstance(value, list) else {"tuple": each}
    if isinstance(value, Sequence):  # a range, say
        return encoded(list(value), tensors, name)
    if isinstance(value, dict):
        return {"dict": [[encoded(k, tensors, name), encoded(v, tensors, f"{name}.{k}")] for k, v in value.items()]}
    if type(value).__name__ in _SCHEDULES and type(value) is _SCHEDULES[type(value).__name__]:
        numbers = {key: encoded(number, tensors, key) for key, number in dataclasses.asdict(value).items()}
        return {"schedule": [type(value).__name__, numbers]}
    if isinstance(value, np.random.RandomState) and value.get_state(legacy=False)["bit_generator"] == "MT19937":
        _, key, *rest = value.get_state()
        return {"random_state": [encoded(part, tensors, name) for part in (key, *rest)]}
    raise NoValue(f"{value!r}, which a file cannot hold")


def _encoded_array(array: Any, tensors: dict[str, Any], name: str) -> Any:
    if array.dtype.kind in _WORDS:
        dtype = "object" if array.dtype.kind == "O" else str(array.dtype)
        items = [encoded(item, tensors, f"{name}.{i}") for i, item in enumerate(array.ravel().tolist())]
        return {"array": items, "dtype": dtype, "shape": list(array.shape)}
    if array.dtype.newbyteorder("<") not in DTYPES.values():
        raise NoValue(f"an array of {array.dtype}, which a file cannot hold")
    tensors[name] = array
    return {"tensor": name}


def decoded(given: Any, tensors: dict[str, Any]) -> Any:
    """The value of which `encoded` has said this; its tensors are taken out of `tensors`.

    Raises
    ------
    LoadError
        If it is of another form.
    """
    if given is None or isinstance(given, (bool, str, int, float)):
        return given
    if isinstance(given, list):
        return [decoded(item, tensors) for item in given]
    kind = "array" if set(given) == {"array", "dtype", "shape"} else "".join(given)
    try:
        if kind == "tensor":
            return tensors.pop(given["tensor"])
        if kind == "float":
            return _FLOATS[given["float"]]
        if kind == "tuple":
            return tuple(decoded(item, tensors) for item in given["tuple"])
        if kind == "dict":
            return {decoded(key, tensors): decoded(value, tensors) for key, value in given["dict"]}
        if kind == "array":
            return _decoded_words(given, tensors)
        if kind == "schedule":
            name, numbers = given["schedule"]
            return _SCHEDULES[name](**numbers)
        if kind == "random_state":
            key, *rest = (decoded(part, tensors) for part in given["random_state"])
            generator = np.random.RandomState()
            generator.set_state(("MT19937", key, *rest))
            if not 0 <= rest[0] <= len(key):  # which NumPy believes
                raise ValueError(f"its place is {rest[0]}")
            return generator
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as problem:
        raise LoadError(f"{kind!r} of {str(given)[:100]} makes no value: {problem}") from None
    raise LoadError(f"{str(given)[:100]} is no value that a file has")


def _decoded_words(given: dict[str, Any], tensors: dict[str, Any]) -> Any:
    items, name = decoded(given["array"], tensors), given["dtype"]
    if name == "object":
        array = np.empty(len(items), object)
        array[:] = items
    elif not all(isinstance(item, str) for item in items):
        raise ValueError("not all elements are strings")
    elif name == "StringDType()":
        array = np.array(items, np.dtypes.StringDType())
    else:
        array = np.array(items, str)
        if str(array.dtype) != name and items:
            array = array.astype(f"<U{max(len(max(items, key=len)), int(name.removeprefix('<U')))}")
    return array.reshape(given["shape"])
