"""Chooses the compiled Network for this processor: the best build that is here and can run, or the one asked for.

FASTMLP_BUILD=v2|v3|v4 (or plain, where the processor is not x86-64) forces a build, FASTMLP_BUILD=reference the NumPy
reference. A forced build that is unknown or cannot run here is an error at import, never a silent fallback.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Literal

from fastmlp import _cpu, reference

DTYPES = tuple(reference.NETWORKS)
DType = Literal["float32", "float64"]


def available() -> tuple[str, ...]:
    """Names of the compiled builds that this machine can run, best first.

    Returns
    -------
    tuple of str
        Of "v4" (AVX-512), "v3" (AVX2 and FMA), "v2" (SSE 4.2); ("plain",) on another processor than x86-64.
    """
    return tuple(
        name for name in (*_cpu.instruction_sets(), "plain") if find_spec(f"fastmlp._network_{name}_float32")
    )


def _checked(name: str, source: str) -> str:
    known = (*available(), "reference")
    if name not in known:
        raise ImportError(f"{source} is {name!r}; what can run here: {', '.join(known)}")
    return name


def network(dtype: str, build: str | None = None) -> type[reference.Network]:
    """The Network class for a precision.

    Parameters
    ----------
    dtype : {"float32", "float64"}
    build : str, optional
        A name of `available()`, or "reference"; the current build if omitted.

    Raises
    ------
    ImportError
        If the build cannot run here.
    """
    name = _current if build is None else _checked(build, "build")
    if name == "reference":
        return reference.NETWORKS[dtype]
    compiled: type[reference.Network] = importlib.import_module(f"fastmlp._network_{name}_{dtype}").Network
    return compiled


def current() -> str:
    """The name of the build that new nets use."""
    return _current


@contextmanager
def forced(name: str) -> Iterator[None]:
    """Nets made inside this context use the build `name`, as with FASTMLP_BUILD."""
    global _current
    before, _current = _current, _checked(name, "build")
    try:
        yield
    finally:
        _current = before


if not available() and os.environ.get("FASTMLP_BUILD") != "reference":
    raise ImportError(
        "no compiled build of fastmlp runs on this processor; FASTMLP_BUILD=reference runs NumPy instead"
    )
_current = _checked(os.environ.get("FASTMLP_BUILD") or available()[0], "FASTMLP_BUILD")
