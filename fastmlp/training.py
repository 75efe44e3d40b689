"""Training above the core: the epochs of `MLP.fit`, and what the estimators' own loop is made of, too.

The loop over epochs, steps and samples is the core's (src/epochs.pxd). It comes back when somebody has to look: a
callback, the progress line, every tenth of a second. `train` is the loop over such calls, and `Run` says what each of
them goes on with. The estimators make one epoch a call (`run_epoch`), for scikit-learn's rules come in between; with
`train` they share callbacks and deadline (`FitCallbacks`). Not here: those rules (estimator_training.py).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from numbers import Real
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from fastmlp import formulas, schedules
from fastmlp.formulas import Array
from fastmlp.history import Callback, History
from fastmlp.messages import warn
from fastmlp.optimizers import Steps
from fastmlp.progress import Bar, Progress
from fastmlp.schedules import Schedule, ScheduleName

# (X, targets, sample_weight); X is an array or a `sparse.CSR`.
Data = tuple[Any, Array, Array | None]

_MOST_EPOCHS = 4096  # in one call of the core, which has 24 bytes for the losses of each
_MOST_RATES = 1 << 16  # learning rates that are made for one call, half a megabyte, if an epoch has not more steps

_WORK = 3e7  # products between two looks at the time, or as much work beside them: some hundredths of a second


def callbacks(name: str, given: Any) -> list[Callback]:
    """The callables of an argument that is one, or several."""
    if type(given) is tuple and not given:
        return []
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

    Callbacks get `model`, and may change it: `before_callbacks` is called before they are asked, `after_callbacks`
    when they have answered. Time is up `seconds` after `began`.
    """

    def __init__(
        self,
        model: Any,
        before_callbacks: Callable[[], None],
        after_callbacks: Callable[[], None],
        began: float,
        seconds: float | None,
        calls: list[Callback],
        batch_calls: list[Callback],
        progress: Progress | Bar | None,
    ) -> None:
        self._model, self._began = model, began
        self._before_callbacks, self._after_callbacks = before_callbacks, after_callbacks
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
        if not calls:
            return False
        self._before_callbacks()
        answers = [bool(call(self._model, self.history)) for call in calls]
        self._after_callbacks()
        return any(answers)

    def go_on(self, history: History) -> None:
        """Go on with the record of a fit that was stopped, and with the rest of its time."""
        self.history = history
        self._began -= history.seconds
        self.deadline -= history.seconds

    def epochs_at_once(self, epochs: int) -> int:
        """How many of the epochs that are left the core may make before one of these has to look."""
        done = self.history.epochs
        if self.calls or self.after_batch is not None:
            return 1
        most = min(epochs - done, _MOST_EPOCHS)
        return most if self._progress is None else min(most, self._progress.epochs_until_shown(done))

    def show(self, samples: int) -> None:
        """Show the progress after epochs over so many samples each."""
        self.history.seconds = perf_counter() - self._began
        if self._progress is not None:
            self._progress.show(self.history, samples)

    def close(self) -> None:
        """Note the time of the whole fit, and leave the last progress standing."""
        self.history.seconds = perf_counter() - self._began
        if self._progress is not None:
            self._progress.close()


@dataclass(slots=True)
class Run:
    """Epochs, as `Network.train` makes them in one call or in many: what is asked, and how far they are.

    The results are the same bits wherever the calls end.

    Attributes
    ----------
    seed, number : int
        They decide on the order of the samples and on dropout: seed is the net's, 64 bits; number is that of the
        epoch in work, counted since the net was made.
    order : ndarray (rows,) of int64, or None
        Room for the order of an epoch that is shuffled.
    validation : (X, targets, rows), or None
        What to measure after each epoch: rows (validation_rows,) of X, or None for all.
    wants_accuracy : bool
        Whether to count the validation rows that are classified rightly.
    patience, tol
        As for `MLP.fit`; 0 for no patience.
    criterion : str
        What says which epoch is the best: "loss", the first of several; "accuracy", the last of several; or "metric",
        which `Network.train` leaves to its caller, and which is as accuracy is.
    before, best : ndarray (n_parameters,) of the net's dtype, or None
        Parameters from before the epoch in work, in the core's own order, and of the best one, in that of
        `MLP.parameters`; None where nobody asks for it.
    average : float
        How much of the average of the parameters is kept in a step, in (0, 1); or 0 for no average. It is the
        exponential moving one, in which the parameters after step s of t have the weight d^(t - s) (1 - d) /
        (1 - d^t), d = average. With it, the average is what is validated, and what is kept as the best.
    averaged : ndarray (n_parameters,) of the net's dtype, or None
        The average, in the order of `MLP.parameters`; at first the parameters.
    average_room : ndarray (2, n_parameters), or None
        Room for the same in the core's own order, now and from before the epoch in work.
    average_power : float
        average^t after t steps.
    losses : ndarray (epochs, 3) of float64
        As many epochs as the next call may make; of those that it `ended`, it fills in the mean training loss, the
        validation loss and the validation accuracy, NaN where nobody asks for these.
    one_step : bool
        Whether a call ends after a step, too; then `batch_loss` is that step's.
    seconds : float
        When the epoch in work is to be the last, from the call on.
    cut : str
        What ended the epoch in work before its last step: "callback", "time" or "".
    stop : str
        Why there are no more epochs: "patience", "diverged", "time", "callback", or "" if there may be.
    best_loss : float
        The loss of the best epoch, or minus its accuracy or metric.
    step, sums, waited, diverged_loss
        How far it is: see Epochs in src/epochs.pxd.
    """

    seed: int
    number: int
    before: Array
    order: Array | None = None
    validation: tuple[Array, Array, Array | None] | None = None
    validation_rows: int = 0
    wants_accuracy: bool = False
    patience: int = 0
    tol: float = 0.0
    criterion: str = "loss"
    best: Array | None = None
    average: float = 0.0
    averaged: Array | None = None
    average_room: Array | None = None
    average_power: float = 1.0
    losses: Any = None
    ended: int = 0
    one_step: bool = False
    batch_loss: float = math.nan
    seconds: float = math.inf
    cut: str = ""
    stop: str = ""
    step: int = 0
    sums: Array = field(default_factory=lambda: np.zeros(5))
    best_loss: float = math.inf
    waited: int = 0
    diverged_loss: float = math.nan

    def judge(self, loss: float, parameters: Array) -> None:
        """Keep the parameters of an epoch with this loss, if it is the best one; end the run if it waits no more."""
        assert self.best is not None
        self.waited = 0 if loss < self.best_loss - self.tol else self.waited + 1
        if self.waited == 0 or (self.criterion != "loss" and loss <= self.best_loss):
            self.best_loss = loss
            self.best[...] = parameters if self.averaged is None else self.averaged
        if 0 < self.patience <= self.waited and not self.stop:
            self.stop = "patience"


def split_rows(rows: int, n_validation: int, seed: int) -> tuple[Array, Array]:
    """The rows to train with and so many to validate with, in ascending order: the same for the same seed."""
    held_out = np.zeros(rows, bool)
    held_out[np.random.default_rng((seed, rows)).permutation(rows)[:n_validation]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


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
    rows = len(x if order is None else order)
    n_steps = steps.per_epoch(rows)
    at_once = n_steps
    if after_batch is not None:
        at_once = 1
    elif deadline < math.inf:
        at_once = 1 + int(_WORK / (network.parameters.size * (batch_size + 8.0) + 1e4))
    total = total_by_rows = total_penalty = total_weight = total_rows = 0.0
    reason = None
    for first in range(0, n_steps, at_once):
        samples = slice(first * batch_size, min((first + at_once) * batch_size, rows))
        weight = count = float(samples.stop - samples.start)
        if w is not None:
            weight = float(w[samples if order is None else order[samples]].sum(dtype=np.float64))
        if weight == 0:
            continue
        some = steps if at_once == n_steps else steps._replace(first=first, last=first + at_once)
        loss = network.train(x, targets, w, order, some, threads)
        total += weight * loss
        total_by_rows += count * network.loss_by_rows
        total_penalty += count * network.penalty_by_rows
        total_weight += weight
        total_rows += count
        if not math.isfinite(loss):
            break
        if after_batch is not None and after_batch(loss):
            reason = "callback"
            break
        if perf_counter() > deadline:
            reason = "time"
            break
    return Epoch(total / total_weight, total_by_rows / total_rows, total_penalty / total_rows, reason)


EPOCHS_BEFORE_A_HINT = 10  # of `MLP.fit`; a shorter one is a part of a loop of one's own, where microseconds count
_SMALL, _LARGE = 0.1, 100  # the standard deviation of targets, and their size, which the usual rates are not made for
# Of the loss of the best constant; above it, a fit has hardly learned. A y of standard deviation 0.037, with which a
# fit by the defaults stops after 22 epochs for tol is absolute, ends at 0.88.
_HARDLY = 0.8


def hint_at_the_scale(
    loss: str,
    parameters: Sequence[float],
    reached: float,
    y: Array,
    w: Array | None,
    advice: str,
    category: type[Warning],
) -> None:
    """Warn if a regression reached hardly less than the loss of a constant, as one does on large or small targets."""
    y = np.asarray(y, np.float64).reshape(len(y), -1)
    spread, largest = y.std(axis=0), np.abs(y).max()
    is_small = 0 < spread.min() < _SMALL and loss != "poisson"  # rare counts are what that is for
    if not (largest > _LARGE or is_small):  # NaN, of targets that are missing, is neither
        return
    if loss in ("quantile", "absolute_error"):
        constant = np.quantile(y, parameters[0] if loss == "quantile" else 0.5, axis=0)
    else:
        constant = np.average(y, axis=0, weights=w)
    constants = np.broadcast_to(constant, y.shape)
    of_constant = np.average(formulas.LOSSES[loss].value(constants, y, *parameters).sum(axis=1), weights=w)
    if reached > _HARDLY * of_constant and (of_constant > 0 or reached > 1e-3 * largest):
        warn(
            f"the fit ends with a loss of {reached:.3g}, and the best constant has {of_constant:.3g}. y lies between "
            f"{y.min():.3g} and {y.max():.3g}, with a standard deviation of {spread.mean():.3g}: {advice}",
            category,
        )


def scheduled_steps(
    steps: Steps,
    scheduled: dict[str, ScheduleName | Schedule],
    of_steps: tuple[int, int, int, int],
    dropout: Sequence[float],
) -> Steps:
    """The steps as the schedules of some epochs have them; which those are, as for `schedules.factors`."""
    made = {name: schedules.factors(given, *of_steps, name) for name, given in scheduled.items()}
    optimizer = steps.optimizer
    if "schedule" in made:
        steps = steps._replace(rates=optimizer.learning_rate * made["schedule"])
    if "weight_decay_schedule" in made:
        steps = steps._replace(weight_decays=optimizer.weight_decay * made["weight_decay_schedule"])
    if "dropout_schedule" in made:
        factors = made["dropout_schedule"]
        if factors.max() * max(dropout) >= 1:
            raise ValueError(
                f"dropout_schedule gave a factor of {factors.max()} where dropout is {max(dropout)}; expected their "
                "product to be a probability below 1"
            )
        steps = steps._replace(dropout_factors=factors)
    return steps


Metric = Callable[[Array, Array], float]  # of targets and outputs; greater is better


def measure(network: Any, run: Run, metric: Metric, threads: int) -> float:
    """A metric of the validation rows: of the average of the parameters, if the run makes one."""
    assert run.validation is not None
    x, targets, rows = run.validation
    if rows is not None:
        x, targets = x[rows], targets[rows]
    own = network.parameters.copy()
    try:
        if run.averaged is not None:
            network.parameters[...] = run.averaged
        outputs = network.forward(x, None, threads, True)
    finally:
        network.parameters[...] = own
    came = metric(targets, outputs)
    if not isinstance(came, Real) or not math.isfinite(came):
        raise ValueError(f"metric gave {came!r}; expected a finite number")
    return float(came)


class Plan(NamedTuple):
    """What a fit is to do, all of it checked.

    Attributes
    ----------
    data : (X, targets, sample_weight)
    rows : ndarray of int64, or None
        Those of the data to train with, in ascending order; None for all.
    steps : Steps
    run : Run
    epochs : int
        In all, at most.
    threads : int
    scheduled : dict
        By the names of the arguments of `MLP.fit` the schedules that there are, each a str or callable.
    callbacks : FitCallbacks
    only_tol : bool
        Whether tol was given without patience, and so is what ends the fit.
    dropout : tuple of float
        The net's.
    metric : callable, or None
        What `Run.criterion` "metric" is.
    checkpoints : checkpoints.Checkpoints, or None
    """

    data: Data
    rows: Array | None
    steps: Steps
    run: Run
    epochs: int
    threads: int
    scheduled: dict[str, ScheduleName | Schedule]
    callbacks: FitCallbacks
    only_tol: bool
    dropout: tuple[float, ...]
    metric: Metric | None
    checkpoints: Any = None


def train(network: Any, plan: Plan) -> None:
    """The epochs of `MLP.fit`, until `run` has a reason to stop; callbacks are told of them.

    The net ends with its best parameters, where patience or a metric asks for them, else with their average, if there
    is one. An exception leaves those of the last step.
    """
    data, rows, steps, run, epochs, threads, scheduled, callbacks, only_tol, dropout, metric, checkpoints = plan
    history = callbacks.history
    samples = len(data[0] if rows is None else rows)
    steps_per_epoch = steps.per_epoch(samples)
    run.one_step = callbacks.after_batch is not None
    try:
        while history.epochs < epochs:
            if run.step == 0:
                at_once = callbacks.epochs_at_once(epochs) if metric is None else 1
                if checkpoints is not None:
                    if checkpoints.is_due(history.epochs):
                        checkpoints.write(history.epochs, (run, history))
                    at_once = min(at_once, checkpoints.epochs_at_once(history.epochs))
                if scheduled:
                    elementwise = all(map(schedules.is_elementwise, scheduled.values()))
                    at_once = max(1, min(at_once, _MOST_RATES // steps_per_epoch if elementwise else 1))
                    of_steps = history.epochs, at_once, epochs, steps_per_epoch
                    steps = scheduled_steps(steps, scheduled, of_steps, dropout)
                run.losses = np.empty((at_once, 3))
            run.seconds = callbacks.deadline - perf_counter()
            network.train(*data, rows, steps, threads, run)
            if run.ended > 0:
                if metric is not None:
                    value = measure(network, run, metric, threads)
                    run.judge(-value, network.parameters)
                    history.metric.append(value)
                elif run.criterion == "accuracy":
                    history.metric.extend(run.losses[: run.ended, 2].tolist())
                history.take(run.losses[: run.ended], run.validation is not None, run.wants_accuracy)
                callbacks.show(samples)
                if callbacks.ask(callbacks.calls) and run.stop != "diverged":
                    run.stop = run.cut or "callback"
            elif not run.stop and callbacks.after_batch is not None and callbacks.after_batch(run.batch_loss):
                run.cut = "callback"
            if run.stop:
                break
    finally:
        callbacks.close()
    history.stop_reason = run.stop or "epochs"
    if run.stop == "patience" and only_tol:
        history.stop_reason = "tol"
    if run.best_loss < math.inf:
        network.parameters[...] = run.best
    elif run.averaged is not None:
        network.parameters[...] = run.averaged
