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
    """Processors that this process may run on: by its affinity, by a container's quota, by OMP_NUM_THREADS.

    The last is what joblib gives its workers, so that n_jobs of them have no more threads than there are processors.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if share.isdecimal() and int(share) > 0:
        count = min(count, int(share))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(count, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or no quota: "max"
        return count


_chosen = _from_environment()
number = _chosen or _processors()  # what get_num_threads answers, for a prediction to which a call is a long way


def _count_again() -> None:
    """Let a forked child see the processors that it was bound to."""
    global number
    number = _chosen or _processors()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_again)


def set_num_threads(n: int) -> None:
    """Set how many threads training and prediction may use at most.

    Parameters
    ----------
    n : int
        At least 1. Work too small to gain from it uses fewer. At import it is FASTMLP_NUM_THREADS, or else the
        number of processors this process may run on, and not more than OMP_NUM_THREADS.

    Raises
    ------
    TypeError, ValueError
        If n is not an integer >= 1.
    """
    global _chosen, number
    _chosen = number = integer("n", n, 1)


def get_num_threads() -> int:
    """The number of threads that training and prediction may use at most."""
    return number


def threads(given: int | None, name: str = "threads") -> int:
    """The value of an argument; None for the current setting."""
    return get_num_threads() if given is None else integer(name, given, 1)
