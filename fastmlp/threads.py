"""How many threads the core may use. Results are the same bits for any number."""

import os

from fastmlp.checks import integer


def _processors() -> int:
    """Processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _from_environment() -> int | None:
    given = os.environ.get("FASTMLP_NUM_THREADS")
    if not given:
        return None
    if not given.isascii() or not given.isdigit() or int(given) < 1:
        raise ImportError(f"FASTMLP_NUM_THREADS is {given!r}; expected an integer >= 1")
    return int(given)


_chosen = _from_environment()


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
    global _chosen
    _chosen = integer("n", n, 1)


def get_num_threads() -> int:
    """The number of threads that training and prediction may use at most."""
    return _processors() if _chosen is None else _chosen


def threads(given: int | None) -> int:
    """The value of a `threads` argument; None for the current setting."""
    return get_num_threads() if given is None else integer("threads", given, 1)
