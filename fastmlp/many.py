"""fit_many: several nets at once, one a thread. For one large net the core has threads of its own."""

from collections.abc import Iterable
from inspect import signature
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp import checks
from fastmlp.history import History
from fastmlp.mlp import MLP
from fastmlp.threads import threads as as_threads
from fastmlp.training import Plan
from fastmlp.training import callbacks as as_callbacks

_fit = signature(MLP.fit)


def fit_many(
    nets: Iterable[MLP],
    X: ArrayLike | Iterable[ArrayLike],
    y: ArrayLike | Iterable[ArrayLike],
    *,
    threads: int | None = None,
    **arguments: Any,
) -> list[History]:
    """Train several nets at the same time, one a thread: the same bits as a fit of each alone.

    Parameters
    ----------
    nets : iterable of MLP
        Each of them once.
    X, y
        As for `MLP.fit`, for all nets; or one for each: a list or tuple of as many arrays as there are nets, or an
        array of three axes, the first of which counts the nets.
    threads : int, optional
        Nets in training at a time, at most; `fastmlp.get_num_threads()` by default.
    **arguments
        As for `MLP.fit`, for all nets, but sample_weight may be one for each, as X; `progress` and `checkpoint` are
        not among them.

    Returns
    -------
    list of History
        One for each net.

    Raises
    ------
    ValueError, TypeError
        If an argument is not of the form above; all nets are as they were.

    Notes
    -----
    Callbacks are called in the thread of their net. Ctrl-C ends all fits after the steps in work.

    Examples
    --------
    >>> import fastmlp
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> nets = [fastmlp.MLP([2, 8, 1], activation="tanh", output="sigmoid", seed=seed) for seed in range(5)]
    >>> histories = fastmlp.fit_many(nets, X, y, epochs=300, batch_size=None, optimizer=fastmlp.Adam(0.05))
    >>> [net.classify(X).tolist() for net in nets] == [[0, 1, 1, 0]] * 5
    True
    """
    each: list[MLP] = checks.sequence("nets", nets)
    for i, net in enumerate(each):
        if not isinstance(net, MLP):
            raise TypeError(f"nets[{i}] is {net!r}; expected an MLP")
    if len(set(map(id, each))) != len(each):
        raise ValueError("nets has one net twice; expected nets that share nothing")
    for name, off in (("progress", False), ("checkpoint", None), ("checkpoint_every", None)):
        if (given := arguments.pop(name, off)) is not off:
            raise ValueError(f"{name} is {given!r}, which is not for nets that train side by side; expected {off}")
    most = as_threads(threads)
    for name in ("callbacks", "batch_callbacks"):
        arguments[name] = as_callbacks(name, arguments.get(name, ()))
    inputs = _one_for_each("X", X, len(each))
    weights = _one_for_each("sample_weight", arguments.pop("sample_weight", None), len(each))
    data = list(zip(inputs, _one_for_each("y", y, len(each)), weights, strict=True))
    ready: dict[tuple[int, Any], Any] = {}  # an X for all, once for each type of net

    def plan(i: int) -> Plan:
        x, targets, w = data[i]
        if x is X:
            key = each[i].sizes[0], each[i].dtype
            if key not in ready:
                ready[key] = checks.inputs(X, *key)
            x = ready[key]
        bound = _fit.bind(each[i], x, targets, sample_weight=w, threads=1, **arguments)
        bound.apply_defaults()
        return each[i]._plan(*bound.args[1:], *bound.kwargs.values())

    for i in range(len(each)):
        try:
            plan(i)
        except TypeError as problem:
            raise TypeError(f"nets[{i}]: {problem}") from None
        except ValueError as problem:
            raise ValueError(f"nets[{i}]: {problem}") from None
    if min(most, len(each)) <= 1:
        return [each[i]._train(plan(i)) for i in range(len(each))]
    in_work: set[int] = set()
    over, looking = False, Lock()  # held to look at the two, or to change them

    def end_all() -> None:
        nonlocal over
        with looking:
            over = True
            for i in in_work:
                each[i]._network.interrupt()

    def fit(i: int) -> History | None:
        with looking:
            if over:
                return None
            in_work.add(i)
        try:
            return each[i]._train(plan(i))
        except BaseException:
            end_all()
            raise
        finally:
            with looking:
                in_work.remove(i)
                each[i]._network.interrupt(False)

    from concurrent.futures import ThreadPoolExecutor  # slow to import

    with ThreadPoolExecutor(most) as pool:
        try:
            fits = [pool.submit(fit, i) for i in range(len(each))]
            histories = [one.result() for one in fits]
        except BaseException:  # of a fit, or Ctrl-C
            end_all()
            raise
    return [history for history in histories if history is not None]


def _one_for_each(name: str, given: Any, n: int) -> list[Any]:
    """An argument for each of n nets."""
    several = isinstance(given, (list, tuple)) and bool(given) and all(isinstance(one, np.ndarray) for one in given)
    if not (several or (isinstance(given, np.ndarray) and given.ndim == 3)):
        return [given] * n
    if len(given) != n:
        raise ValueError(f"{name} has {len(given)} arrays for {n} nets; expected one for each, or one for all")
    return list(given)
