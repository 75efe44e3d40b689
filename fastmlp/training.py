"""Training above the core: the loop over epochs of `MLP.fit`, and what the estimators' own loop is made of, too.

That is an epoch (`run_epoch`), and the callbacks and deadline of a fit (`FitCallbacks`). It is given a network and
what to do with it, and knows no MLP. Not here: the rules of scikit-learn for the learning rate and for the end, which
are the estimators' (estimator_training.py).
"""

import math
import warnings
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from fastmlp import checks, schedules
from fastmlp.architecture import Architecture
from fastmlp.formulas import Array
from fastmlp.history import Callback, History
from fastmlp.optimizers import Steps
from fastmlp.progress import Bar, Progress
from fastmlp.schedules import Schedule, ScheduleName

# (X, targets, sample_weight); X is an array or a `sparse.CSR`.
Data = tuple[Any, Array, Array | None]

_WORK = 3e7  # products between two looks at the time, or as much work beside them: some hundredths of a second


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


class FitCallbacks:
    """Callbacks and deadline of a fit, its progress line, and the History that they are shown.

    Callbacks get `model`, and may change it: `after_callbacks` is called when they have answered. Time is up
    `seconds` after `began`.
    """

    def __init__(
        self,
        model: Any,
        after_callbacks: Callable[[], None],
        began: float,
        seconds: float | None,
        calls: list[Callback],
        batch_calls: list[Callback],
        progress: Progress | Bar | None,
    ) -> None:
        self._model, self._after_callbacks, self._began = model, after_callbacks, began
        self._batch_calls, self._progress = batch_calls, progress
        self.calls = calls
        self.deadline = math.inf if seconds is None else began + seconds
        self.after_batch = self._after_batch if batch_calls else None
        self.history = History()

    def _after_batch(self, loss: float) -> bool:
        self.history.batch_loss = loss
        return self.ask(self._batch_calls)

    def ask(self, calls: list[Callback]) -> bool:
        """Whether any of these callbacks answers true; all of them are called."""
        answers = [bool(call(self._model, self.history)) for call in calls]
        self._after_callbacks()
        return any(answers)

    def show(self, samples: int) -> None:
        """Show the progress after an epoch over so many samples."""
        self.history.seconds = perf_counter() - self._began
        if self._progress is not None:
            self._progress.show(self.history, samples)

    def close(self) -> None:
        """Note the time of the whole fit, and leave the last progress standing."""
        self.history.seconds = perf_counter() - self._began
        if self._progress is not None:
            self._progress.close()


class EarlyStopping:
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


class Split(NamedTuple):
    """The train/validation split of a fit."""

    training: Data
    validation: tuple[Array, Array] | None  # (X, targets)


def split_rows(data: Data, n_validation: int, shuffle: bool, rng: "np.random.Generator") -> Split:
    """Split off so many rows for validation: drawn by rng, or else the last ones."""
    x, targets, w = data
    state = rng.bit_generator.state
    order = rng.permutation(len(x)) if shuffle else np.arange(len(x))
    kept, taken = np.sort(order[:-n_validation]), np.sort(order[-n_validation:])
    if w is not None and not w[kept].any():
        rng.bit_generator.state = state
        raise ValueError("sample_weight is zero for every row that validation leaves to train on")
    training = x[kept], targets[kept], None if w is None else w[kept] / w[kept].max()
    return Split(training, (x[taken], targets[taken]))


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
    steps: Steps,
    threads: int,
    callbacks: FitCallbacks,
) -> Epoch:
    """One epoch of `network.train`, in one call; in several, if there is a deadline or a callback for batches.

    A true answer of a callback ends the epoch, and so does the deadline.
    """
    x, targets, w = data
    deadline, after_batch, batch_size = callbacks.deadline, callbacks.after_batch, steps.batch_size
    rows, n_steps = len(x), steps.per_epoch(len(x))
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
        some = steps if at_once == n_steps else steps._replace(first=first, last=first + at_once)
        loss = network.train(x, targets, w, order, some, threads)
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


class Run(NamedTuple):
    """The epochs of a fit: how many, in what order of samples, at what rates, and what may end them early."""

    epochs: int
    steps: Steps
    threads: int
    shuffle: bool
    schedule: ScheduleName | Schedule | None
    early_stopping: EarlyStopping
    callbacks: FitCallbacks


def train(network: Any, architecture: Architecture, split: Split, run: Run, rng: "np.random.Generator") -> History:
    """The epochs of `MLP.fit` with the network of an architecture; rng shuffles and draws the seeds of dropout."""
    data, validation = split
    steps, callbacks, early_stopping = run.steps, run.callbacks, run.early_stopping
    parameters, history, rows = network.parameters, callbacks.history, len(data[0])
    order = np.arange(rows) if run.shuffle and steps.batch_size < rows else None
    try:
        for epoch in range(run.epochs):
            before = parameters.copy()
            factors = schedules.factors(run.schedule, epoch, run.epochs, steps.per_epoch(rows))
            rates = None if factors is None else steps.optimizer.learning_rate * factors
            if order is not None:
                rng.shuffle(order)
            seed = int(rng.integers(2**63)) if any(architecture.dropout) else 0
            loss, *_, ended = run_epoch(
                network, data, order, steps._replace(rates=rates, seed=seed), run.threads, callbacks
            )
            monitored = loss
            if validation is not None and math.isfinite(loss):
                monitored = network.evaluate(*validation, None, run.threads)
            if not (math.isfinite(monitored) and np.isfinite(parameters).all()):
                parameters[...] = before
                network.reset_optimizer()
                history.stop_reason = "diverged"
                break
            history.loss.append(loss)
            if validation is not None:
                history.validation_loss.append(monitored)
                if architecture.classifies:
                    history.validation_accuracy.append(_accuracy(network, architecture, validation, run.threads))
            callbacks.show(rows)
            over = early_stopping.is_over(monitored, parameters)
            stop = callbacks.calls and callbacks.ask(callbacks.calls)
            if stop or ended is not None:
                history.stop_reason = ended or "callback"
                break
            if over:
                history.stop_reason = early_stopping.stop_reason
                break
    finally:
        callbacks.close()
    if early_stopping.best is not None:
        parameters[...] = early_stopping.best
    if history.stop_reason == "diverged":
        kept_weights = "the last finite weights" if early_stopping.best is None else "its best weights so far"
        warnings.warn(
            f"training diverged at epoch {history.epochs + 1} (loss {monitored}): the net keeps {kept_weights}; "
            "a smaller learning rate or scaled inputs may help",
            RuntimeWarning,
            stacklevel=3,
        )
    return history


def _accuracy(network: Any, architecture: Architecture, data: tuple[Array, Array], threads: int) -> float:
    """Share of rows classified rightly, for a softmax or one sigmoid."""
    x, targets = data
    labels = targets
    if targets.ndim == 2:
        labels = targets.argmax(axis=1) if architecture.output == "softmax" else targets[:, 0] >= 0.5
    return float(np.mean(architecture.labels(network.forward(x, None, threads, True)) == labels))
