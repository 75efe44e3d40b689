"""What training is made of above the core: an epoch, what it leaves behind (History), and the best loss so far."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp import checks
from fastmlp.formulas import Array

_WORK = 3e7  # products between two looks at the time, or as much work beside them: some hundredths of a second


@dataclass
class History:
    """What a call of `MLP.fit` saw.

    Attributes
    ----------
    loss : list of float
        The mean training loss of each epoch, as seen batch by batch while the weights changed. The last epoch may be
        cut short, by a callback after a batch or by max_time.
    validation_loss : list of float
        The loss on the validation rows after each epoch; empty without validation.
    validation_accuracy : list of float
        The share of validation rows classified rightly after each epoch; for classifiers (softmax, or one sigmoid
        output) with validation, else empty.
    seconds : float
        Wall-clock time of the call.
    stop_reason : str
        "epochs" (all done), "patience", "tol", "time", "callback" or "diverged".
    batch_loss : float
        The mean loss of the last batch, before its step, where there are callbacks for batches; else NaN.
    """

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0
    stop_reason: str = "epochs"
    batch_loss: float = math.nan

    @property
    def epochs(self) -> int:
        """Epochs, the last perhaps cut short."""
        return len(self.loss)


Callback = Callable[[Any, History], object]


def callbacks(name: str, given: Any) -> list[Callback]:
    """The callables of an argument that is one, or several."""
    if callable(given):
        return [given]
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{name} is {given!r}; expected a callable taking (net, history), or a list of such")
    calls = list(given)
    for i, call in enumerate(calls):
        if not callable(call):
            raise TypeError(f"{name}[{i}] is {call!r}; expected a callable taking (net, history)")
    return calls


def ask(calls: list[Callback], net: Any, history: History) -> bool:
    """Whether any callback answers true; all of them are called."""
    answers = [bool(call(net, history)) for call in calls]
    return any(answers)


class Monitor:
    """Keeps the best loss and its weights, and counts epochs without improvement."""

    def __init__(self, patience: int | None, tol: float | None) -> None:
        self._patience = 1 if patience is None else checks.integer("patience", patience, 1)
        self._tol = 0.0 if tol is None else checks.number("tol", tol, least=0)
        self._active = patience is not None or tol is not None
        self._loss = math.inf
        self._waited = 0
        self.best: NDArray[Any] | None = None

    def is_over(self, loss: float, parameters: NDArray[Any]) -> bool:
        """Take the loss of an epoch; whether patience is at its end."""
        if not self._active:
            return False
        if loss < self._loss - self._tol:
            self._loss, self._waited, self.best = loss, 0, parameters.copy()
        else:
            self._waited += 1
        return self._waited >= self._patience


class Epoch(NamedTuple):
    """What an epoch gave: mean losses, as `Network` says, and whether it was ended before its last step."""

    loss: float
    loss_by_rows: float
    penalty_by_rows: float
    stop_reason: str | None


def run_epoch(
    network: Any,
    data: tuple[Any, Array, Array | None],
    order: Array | None,
    batch_size: int,
    optimizer: Any,
    threads: int,
    *,
    l2: float = 0.0,
    rates: Array | None = None,
    seed: int = 0,
    deadline: float = math.inf,
    after_batch: Callable[[float], object] | None = None,
) -> Epoch:
    """One epoch of `network.train`, in one call; in several, if somebody wants to look in between.

    data is (X, targets, sample_weight), X an array or a `sparse.CSR`. `after_batch` gets the loss of each batch, and
    a true answer ends the epoch; so does the end of time (`perf_counter` beyond deadline).
    """
    x, targets, w = data
    rows, n_steps = len(x), -(-len(x) // batch_size)
    at_once = n_steps
    if after_batch is not None:
        at_once = 1
    elif deadline < math.inf:
        at_once = 1 + int(_WORK / (network.parameters.size * (batch_size + 8.0) + 1e4))
    sums, weights, reason = np.zeros(3), np.zeros(3), None
    for first in range(0, n_steps, at_once):
        samples = slice(first * batch_size, min((first + at_once) * batch_size, rows))
        weight = count = float(samples.stop - samples.start)
        if w is not None:
            weight = float(w[samples if order is None else order[samples]].sum(dtype=np.float64))
        if weight == 0:
            continue
        last = first + at_once
        loss = network.train(x, targets, w, order, batch_size, optimizer, threads, l2, rates, seed, first, last)
        sums += (weight * loss, count * network.loss_by_rows, count * network.penalty_by_rows)
        weights += (weight, count, count)
        if not math.isfinite(loss):
            break
        if after_batch is not None and after_batch(loss):
            reason = "callback"
            break
        if perf_counter() > deadline:
            reason = "time"
            break
    loss, loss_by_rows, penalty_by_rows = sums / weights
    return Epoch(float(loss), float(loss_by_rows), float(penalty_by_rows), reason)
