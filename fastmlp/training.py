"""Training above the core: the loop over epochs of `MLP.fit`, and what the estimators' own loop is made of, too.

That is an epoch (`run_epoch`), what it leaves behind (History) and who looks on (Observer). Not here: the rules of
scikit-learn for the learning rate and for the end, which are the estimators' (estimator_training.py).
"""

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastmlp import checks, schedules
from fastmlp.formulas import Array
from fastmlp.optimizers import Optimizer
from fastmlp.progress import Bar, Progress
from fastmlp.schedules import Schedule

if TYPE_CHECKING:
    from fastmlp.mlp import MLP

# (X, targets, sample_weight); X is an array or a `sparse.CSR`.
Data = tuple[Any, Array, Array | None]

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


class Observer:
    """Who looks on while a net trains: callbacks, the clock and the progress line; and the History that they see.

    `settle` is called after callbacks, for they may have changed the net. Time is up `seconds` after `began`.
    """

    def __init__(
        self,
        net: Any,
        settle: Callable[[], None],
        began: float,
        seconds: float | None,
        calls: list[Callback],
        batch_calls: list[Callback],
        line: Progress | Bar | None,
    ) -> None:
        self._net, self._settle, self._began = net, settle, began
        self._batch_calls, self._line = batch_calls, line
        self.calls = calls
        self.deadline = math.inf if seconds is None else began + seconds
        self.after_batch = self._after_batch if batch_calls else None
        self.history = History()

    def _after_batch(self, loss: float) -> bool:
        self.history.batch_loss = loss
        return self.ask(self._batch_calls)

    def ask(self, calls: list[Callback]) -> bool:
        """Whether any of these callbacks answers true; all of them are called."""
        answers = [bool(call(self._net, self.history)) for call in calls]
        self._settle()
        return any(answers)

    def show(self, samples: int) -> None:
        """Let an epoch over so many samples be seen."""
        self.history.seconds = perf_counter() - self._began
        if self._line is not None:
            self._line.show(self.history, samples)

    def close(self) -> None:
        """Leave the last state standing."""
        self.history.seconds = perf_counter() - self._began
        if self._line is not None:
            self._line.close()


class Monitor:
    """Keeps the best loss and its weights, and counts epochs without improvement."""

    def __init__(self, patience: int | None, tol: float | None) -> None:
        self._patience = 1 if patience is None else checks.integer("patience", patience, 1)
        self._tol = 0.0 if tol is None else checks.number("tol", tol, least=0)
        self._active = patience is not None or tol is not None
        self._loss = math.inf
        self._waited = 0
        self.best: Array | None = None
        self.stop_reason = "tol" if patience is None else "patience"

    def is_over(self, loss: float, parameters: Array) -> bool:
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
    data: Data,
    order: Array | None,
    batch_size: int,
    optimizer: Any,
    threads: int,
    *,
    l2: float = 0.0,
    factors: Array | None = None,
    seed: int = 0,
    deadline: float = math.inf,
    after_batch: Callable[[float], object] | None = None,
) -> Epoch:
    """One epoch of `network.train`, in one call; in several, if somebody wants to look in between.

    The learning rate of each step is multiplied by its factor. `after_batch` gets the loss of each batch, and a true
    answer ends the epoch; so does the end of time (`perf_counter` beyond deadline).
    """
    x, targets, w = data
    rates = None if factors is None else optimizer.learning_rate * factors
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


def hold_back(data: Data, held: int, shuffle: bool, rng: "np.random.Generator") -> tuple[Data, tuple[Array, Array]]:
    """The data without so many rows, drawn by rng or else the last ones; and (X, targets) of those."""
    x, targets, w = data
    state = rng.bit_generator.state
    order = rng.permutation(len(x)) if shuffle else np.arange(len(x))
    kept, taken = np.sort(order[:-held]), np.sort(order[-held:])
    if w is not None and not w[kept].any():
        rng.bit_generator.state = state
        raise ValueError("sample_weight is zero for every row that validation leaves to train on")
    return (x[kept], targets[kept], None if w is None else w[kept] / w[kept].max()), (x[taken], targets[taken])


def train(
    net: "MLP",
    data: Data,
    held: tuple[Array, Array] | None,
    observer: Observer,
    monitor: Monitor,
    *,
    epochs: int,
    batch_size: int,
    optimizer: Optimizer,
    shuffle: bool,
    schedule: str | Schedule | None,
    threads: int,
) -> History:
    """The epochs of `MLP.fit`; `held` is (X, targets) to validate on."""
    network, history, rows = net._network, observer.history, len(data[0])
    order = np.arange(rows) if shuffle and batch_size < rows else None
    try:
        for epoch in range(epochs):
            before = net.parameters.copy()
            factors = schedules.factors(schedule, epoch, epochs, -(-rows // batch_size))
            if order is not None:
                net._generator().shuffle(order)
            loss, *_, ended = run_epoch(
                network, data, order, batch_size, optimizer, threads, factors=factors,
                seed=int(net._generator().integers(2**63)) if any(net.dropout) else 0,
                deadline=observer.deadline, after_batch=observer.after_batch,
            )  # fmt: skip
            seen = loss
            if held is not None and math.isfinite(loss):
                seen = network.evaluate(*held, None, threads)
            if not (math.isfinite(seen) and np.isfinite(net.parameters).all()):
                net.parameters[...] = before
                network.reset_optimizer()
                history.stop_reason = "diverged"
                break
            history.loss.append(loss)
            if held is not None:
                history.validation_loss.append(seen)
                if net.output == "softmax" or (net.output == "sigmoid" and net.sizes[-1] == 1):
                    history.validation_accuracy.append(_accuracy(net, *held, threads))
            observer.show(rows)
            over = monitor.is_over(seen, net.parameters)
            stop = observer.calls and observer.ask(observer.calls)
            if stop or ended is not None:
                history.stop_reason = ended or "callback"
                break
            if over:
                history.stop_reason = monitor.stop_reason
                break
    finally:
        observer.close()
    if monitor.best is not None:
        net.parameters[...] = monitor.best
    if history.stop_reason == "diverged":
        kept_weights = "the last finite weights" if monitor.best is None else "its best weights so far"
        warnings.warn(
            f"training diverged at epoch {history.epochs + 1} (loss {seen}): the net keeps {kept_weights}; "
            "a smaller learning rate or scaled inputs may help",
            RuntimeWarning,
            stacklevel=3,
        )
    return history


def _accuracy(net: "MLP", x: Array, targets: Array, threads: int) -> float:
    """Share of rows classified rightly, for a softmax or one sigmoid."""
    labels = targets
    if targets.ndim == 2:
        labels = targets.argmax(axis=1) if net.output == "softmax" else targets[:, 0] >= 0.5
    return float(np.mean(net._labels(net._forward(x, threads)) == labels))
