"""How many threads the core may use. Results are the same bits for any number."""

import os
from pathlib import Path

from fastmlp.checks import integer


def _from_environment() -> int | None:
    given = os.environ.get("FASTMLP_NUM_THREADS")
    if not given:
        return None
    try:
        return integer("FASTMLP_NUM_THREADS", int(given), 1)
    except ValueError:
        raise ImportError(f"FASTMLP_NUM_THREADS is {given!r}; expected an integer >= 1") from None


def _processors() -> int:
    """Processors that this process may run on, by its affinity and, in a container, by its quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(count, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or no quota: "max"
        return count


_chosen = _from_environment()
_number = _chosen or _processors()


def _count_again() -> None:
    """Let a forked child see the processors that it was bound to."""
    global _number
    _number = _chosen or _processors()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_again)


def set_num_threads(n: int) -> None:
    """Set how many threads training and prediction may use at most.

    Parameters
    ----------
    n : int
        At least 1. Work too small to gain from it uses fewer. At import it is FASTMLP_NUM_THREADS, or else the
        number of processors this process may run on.

    Raises
    ------
    TypeError, ValueError
        If n is not an integer >= 1.
    """
    global _chosen, _number
    _chosen = _number = integer("n", n, 1)


def get_num_threads() -> int:
    """The number of threads that training and prediction may use at most."""
    return _number


def threads(given: int | None) -> int:
    """The value of a `threads` argument; None for the current setting."""
    return get_num_threads() if given is None else integer("threads", given, 1)
