"""Files of nets, in the safetensors format: read by that package, too, and nothing in them is ever executed.

A file has the length of a header (8 bytes, little-endian), the header (JSON: name, dtype, shape and place of every
tensor, and a table of strings), and the tensors, one after the other. Whatever reads one here trusts nothing of it.
Not here: what a net says of itself and is made of again (saving.py).

The format: https://github.com/huggingface/safetensors, version 0.4.
"""

import errno
import io
import json
import math
import os
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastmlp.formulas import Array

# The numbers that NumPy has as well; the format's others, of 8 and 16 bits, are those of larger nets than these.
DTYPES: dict[str, np.dtype[Any]] = {
    f"{letter}{8 * size}": np.dtype(f"<{kind}{size}")
    for letter, kind, sizes in (("F", "f", (2, 4, 8)), ("I", "i", (1, 2, 4, 8)), ("U", "u", (1, 2, 4, 8)))
    for size in sizes
} | {"BOOL": np.dtype(bool)}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_LONGEST_HEADER = 100_000_000  # bytes, as of the format
# Elements of tables and lists of a header, each of which takes some 64 bytes when it is read: so many, and more where
# the file is so large that they make no difference.
_MOST_ELEMENTS, _BYTES_OF_AN_ELEMENT = 100_000, 64
_MOST_AXES = 8
_METADATA = "__metadata__"
_DIGEST = "fastmlp.digest"  # of the metadata: that nothing has changed since it was written


class LoadError(ValueError):
    """A file that cannot be read as a net: the message says what is wrong with it, and where."""


class Contents(NamedTuple):
    """Tensors by name, and a table of strings."""

    tensors: dict[str, Array]
    metadata: dict[str, str]


def write(path: str | os.PathLike[str], contents: Contents, only_new: bool = False) -> None:
    """Write a file as a whole or not at all: whatever stops it, the path has the old file or the new one.

    Parameters
    ----------
    path : path-like
        A file that is there is replaced, and keeps its mode.
    contents : Contents
        Arrays of numbers, or of booleans.
    only_new : bool, optional
        Whether a file that is there is an error, also one that somebody else writes meanwhile.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left of it.
    """
    little = {
        name: np.asarray(tensor, tensor.dtype.newbyteorder("<"), order="C") for name, tensor in _in_order(contents)
    }
    header: dict[str, Any] = {_METADATA: contents.metadata | {_DIGEST: _digest(little, contents.metadata)}}
    end = 0
    for name, tensor in little.items():
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode("ascii")
    text += b" " * (-len(text) % 8)
    if len(text) > _LONGEST_HEADER or _has_too_many(text, len(text) + end):
        raise ValueError(f"beside its numbers, {as_path(path)} would have {len(text):,} bytes of text: too much")
    parts = (tensor.reshape(-1).view(np.uint8).data for tensor in little.values())
    replace_file(path, chain((len(text).to_bytes(8, "little"), text), parts), only_new)


def replace_file(path: str | os.PathLike[str], parts: Iterable[bytes | memoryview], only_new: bool = False) -> None:
    """Write bytes, one part after the other, as a whole or not at all.

    What is there and is no file of a disk, as /dev/null or a pipe, is written into as it is.

    Parameters
    ----------
    path : path-like
        A file that is there is replaced, and keeps its mode; of a link, the file that it points to.
    parts : iterable of bytes-like
    only_new : bool, optional
        As for `write`.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left of it.
    """
    given = as_path(path)
    if given.exists() and not given.is_file():
        with given.open("wb") as file:  # which of a folder is an error
            file.writelines(parts)
        return
    target = Path(os.path.realpath(given))
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is there, and may not be written", str(given))
    # A name may have 255 bytes, and a character of it up to 4.
    temporary = target.with_name(f".{target.name[:50]}.{os.urandom(8).hex()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # less what the process masks
    except OSError as problem:
        problem.filename = str(given)  # and not a name that nobody has given
        raise
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            if target.exists():
                os.fchmod(file.fileno(), target.stat().st_mode & 0o777)
            os.fsync(file.fileno())
        (_give_new_name if only_new else os.replace)(temporary, target)
    except BaseException as problem:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(problem, OSError):
            problem.filename, problem.filename2 = str(given), None
        raise
    with suppress(PermissionError):  # of a folder that may be written, and not read
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # so that the new name, too, outlives a loss of power
        finally:
            os.close(folder)


def _give_new_name(temporary: Path, target: Path) -> None:
    """Rename a file, unless there is one of that name: of several processes that do so at once, one succeeds."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # of a file system without hard links, where who comes between these two lines is not seen
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.replace(temporary, target)
    else:
        os.unlink(temporary)


def _in_order(contents: Contents) -> list[tuple[str, Array]]:
    """Tensors with the largest elements first, so that each begins at a multiple of its own."""
    return sorted(contents.tensors.items(), key=lambda entry: -entry[1].dtype.itemsize)


def _digest(tensors: dict[str, Array], metadata: dict[str, str]) -> str:
    """A number that the same tensors, little-endian, and the same strings have, and, in practice, no others."""
    digest = blake2b(digest_size=16)
    for key, text in sorted(metadata.items()):
        digest.update(json.dumps([key, text]).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, _NAMES[tensor.dtype], tensor.shape]).encode())
        digest.update(tensor.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def as_path(given: str | os.PathLike[str]) -> Path:
    """The name of a file."""
    try:
        name = os.fsdecode(given)
    except TypeError:
        raise TypeError(f"path is {given!r}; expected the name of a file, a str or path-like") from None
    if "\0" in name:
        raise ValueError(f"path is {given!r}; expected the name of a file, which has no NUL")
    return Path(name)


def read(path: str | os.PathLike[str]) -> Contents:
    """Read a file, all of it looked at.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Contents
        Arrays of their own memory.

    Raises
    ------
    LoadError
        If it is damaged, or no such file.
    OSError
        If it cannot be opened.
    """
    source = as_path(path)
    with source.open("rb") as opened:
        # Of a pipe the size is known at its end only.
        file = opened if source.is_file() else io.BytesIO(opened.read())
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        length = file.read(8)
        if len(length) < 8:
            raise LoadError(f"{source} has {size} bytes; expected at least the 8 of the length of its header")
        n = int.from_bytes(length, "little")
        if n > min(_LONGEST_HEADER, size - 8):
            says = f"says that its header has {n} bytes, of {size - 8} that follow"
            raise LoadError(f"{source} is no file of a net, or damaged: it {says}")
        text = file.read(n)
        if _has_too_many(text, size):
            raise LoadError(f"the header of {source} has more elements than a net of {size} bytes; it is damaged")
        entries, metadata = _header(source, text)
        _check_places(source, entries, size - 8 - n)
        tensors: dict[str, Array] = {}
        for name, (dtype, shape, _, _) in sorted(entries.items(), key=lambda entry: entry[1][2]):
            array = np.empty(shape, dtype)
            if file.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:  # it was cut meanwhile
                raise LoadError(f"{source} ends within {name}; it is damaged")
            if dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
                raise LoadError(f"tensor {name!r} of {source} has booleans that are neither 0 nor 1; it is damaged")
            tensors[name] = array
    written = metadata.pop(_DIGEST, None)  # which another writer leaves out
    if written is not None and written != _digest(tensors, metadata):
        raise LoadError(f"{source} has been changed since it was written: its digest is another; it is damaged")
    for name, array in tensors.items():
        tensors[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
    return Contents(tensors, metadata)


def _has_too_many(header: bytes, size: int) -> bool:
    """Whether a header would take more memory than the file that it describes."""
    elements = sum(map(header.count, (b",", b"[", b"{")))
    return elements > _MOST_ELEMENTS + size // _BYTES_OF_AN_ELEMENT


_Entry = tuple[np.dtype[Any], tuple[int, ...], int, int]  # dtype, shape, first byte, the one after the last


def _header(source: Path, text: bytes) -> tuple[dict[str, _Entry], dict[str, str]]:
    try:
        table = json.loads(text.decode("ascii"), object_pairs_hook=_once_each, parse_constant=no_number)
    except (UnicodeDecodeError, ValueError, RecursionError) as problem:
        raise LoadError(f"the header of {source} cannot be read: {problem}") from None
    if not isinstance(table, dict):
        raise LoadError(f"the header of {source} is no table of tensors; it is damaged")
    metadata = table.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise LoadError(f"{_METADATA} in the header of {source} is no table of strings; it is damaged")
    return {name: _entry(source, name, given) for name, given in table.items()}, metadata


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a name stands there twice")
    return table


def no_number(name: str) -> Any:
    """What to make of NaN and Infinity, which Python takes for JSON: an error."""
    raise ValueError(f"{name} is no number of JSON")


def _entry(source: Path, name: str, given: Any) -> _Entry:
    where = f"tensor {name!r} of {source}"
    if not isinstance(given, dict) or set(given) != {"dtype", "shape", "data_offsets"}:
        raise LoadError(f"{where} is described otherwise than by dtype, shape and data_offsets; it is damaged")
    dtype, shape, offsets = given["dtype"], given["shape"], given["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise LoadError(f"{where} has dtype {dtype!r}; expected one of {', '.join(DTYPES)}")
    for what, numbers in (("shape", shape), ("data_offsets", offsets)):
        if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n < 2**62 for n in numbers):
            raise LoadError(f"{where} has {what} {str(numbers)[:100]}; expected whole numbers >= 0")
    if len(shape) > _MOST_AXES or math.prod(max(n, 1) for n in shape) >= 2**60:
        raise LoadError(f"{where} has shape {str(shape)[:100]}, which no array has")
    if len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * DTYPES[dtype].itemsize:
        raise LoadError(f"{where} has shape {shape} and data_offsets {offsets}, which contradict each other")
    return DTYPES[dtype], tuple(shape), offsets[0], offsets[1]


def _check_places(source: Path, entries: dict[str, _Entry], size: int) -> None:
    """That the tensors follow each other, without overlap or hole, to the end of the file."""
    at = 0
    for name, (_, _, begin, end) in sorted(entries.items(), key=lambda entry: entry[1][2:]):
        if begin != at:
            raise LoadError(f"tensor {name!r} of {source} begins at byte {begin} of the data; expected {at}")
        at = end
    if at != size:
        raise LoadError(f"the tensors of {source} have {at} bytes, and the file has {size} for them; it is damaged")
