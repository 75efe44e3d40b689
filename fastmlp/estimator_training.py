"""How the estimators train: scikit-learn's rules for the learning rate and for the end, around the core's epochs.

Weights are drawn and samples shuffled by the same generator in the same order as there, so with equal parameters both
walk the same way. Here too is what is noted and shown after an epoch, and who may stop.
"""

import math
from dataclasses import dataclass
from functools import partial
from numbers import Real
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from fastmlp import schedules as rate_schedules
from fastmlp.estimator_data import as_the_core_reads
from fastmlp.estimator_parameters import LOSSES
from fastmlp.formulas import LOSS_PARAMETERS, Array
from fastmlp.history import Callback, History
from fastmlp.layout import layer_views
from fastmlp.messages import warn
from fastmlp.optimizers import SGD, Adam, AdamW, RMSprop, Steps
from fastmlp.progress import progress as as_progress
from fastmlp.threads import threads as as_threads
from fastmlp.training import FitCallbacks, hint_at_the_scale, run_epoch
from fastmlp.training import callbacks as as_callbacks

_BY_BATCHES = "sgd", "adam", "adamw", "rmsprop"
# What not every solver has: the value for "off", and the solvers that have it.
_OPTIONS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "dropout": (0.0, _BY_BATCHES),
    "clip_norm": (None, _BY_BATCHES),
    "l1": (0.0, _BY_BATCHES),
    "schedule": (None, _BY_BATCHES),
    "batch_callbacks": (None, _BY_BATCHES),
    "weight_decay": (None, ("adamw", "rmsprop")),
}


class Validation(NamedTuple):
    """Data to measure on after each epoch."""

    X: Any  # scaled
    y: Array  # scaled; numbers of labels for softmax
    w: Array | None
    given: tuple[Any, Any, Array | None] | None  # (X, y, sample_weight) as the user has them, for a metric


class Task(NamedTuple):
    """What an estimator is to train with; X and y are scaled, and an eval_set is given or not."""

    X: Any
    y: Array  # (n,) or (n, n_outputs); numbers of labels (n,)
    w: Array | None
    incremental: bool
    eval_set: Validation | None
    checkpoints: Any = None  # checkpoints.Checkpoints, where these are asked for
    stopped: "Stopped | None" = None  # the fit to go on with


class Stopped(NamedTuple):
    """How far a fit by batches was at the end of an epoch, besides what the estimator knows itself.

    Attributes
    ----------
    history : History
    random_state : RandomState
        As it was there.
    order : ndarray (rows,) of int64, or None
        The rows that are trained with, as they were shuffled last; None where they are all and in order.
    held_out : ndarray of int64, or None
        The rows that early stopping holds back.
    best : float or None
        The best score on eval_set.
    """

    history: History
    random_state: Any
    order: Array | None
    held_out: Array | None
    best: float | None


@dataclass
class LearningRate:
    """The learning rate of the next epoch, by scikit-learn's rules."""

    learning_rate: float
    start: float
    how: str  # the parameter learning_rate; "constant" but for sgd
    power_t: float

    def iteration_ends(self, samples: int) -> None:
        """After an epoch, and so many samples since the first one."""
        if self.how == "invscaling":
            self.learning_rate = float(self.start) / (samples + 1) ** self.power_t

    def is_over(self, message: str, verbose: Any) -> bool:
        """Whether to stop, as nothing has improved; an adaptive learning rate shrinks instead."""
        shrinks = self.how == "adaptive" and self.learning_rate > 1e-6
        what = "Stopping."
        if shrinks:
            self.learning_rate /= 5.0
            what = f"Setting learning rate to {self.learning_rate:f}"
        elif self.how == "adaptive":
            what = "Learning rate too small. Stopping."
        if verbose:
            print(message, what)
        return not shrinks


class Divergence(ValueError):
    """A fit that has come to numbers that are not finite, and has no good weights to end with."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
            f"preprocessed. {what} X or y may need scaling, or learning_rate_init is too large."
        )


def fit_by_batches(mlp: Any, task: Task) -> None:
    """Epochs of gradient descent, with scikit-learn's rules for the learning rate and for the end."""
    incremental = task.incremental
    if mlp.early_stopping and incremental:
        raise ValueError("partial_fit does not support early_stopping=True: it makes one pass and never stops")
    if mlp.schedule is not None and incremental:
        raise ValueError("schedule is given, which partial_fit cannot follow: it does not know the end of the run")
    check_options(mlp)
    if task.w is not None and not task.w.any():  # as of a part in which classes of weight 0 are alone
        return
    network = mlp._network(train=True)
    order, held_out, stopped = None, None, task.stopped
    if stopped is not None:
        order, held_out = stopped.order, stopped.held_out
    elif mlp.early_stopping and task.eval_set is None:
        order, held_out = _split(mlp, task)
    x = as_the_core_reads(task.X, network, mlp._name_of_X())
    w = None if task.w is None else np.ascontiguousarray(task.w, network.dtype)
    data = x, mlp._targets(task.y, network.dtype), w
    rows = len(x if order is None else order)
    size = min(200, rows) if mlp.batch_size == "auto" else mlp.batch_size
    if size > rows:
        warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped. "
            f"batch_size is {size}, and there are {rows} samples"
        )
        size = rows
    epochs, steps = 1 if incremental else mlp.max_iter, -(-rows // size)
    n_threads = as_threads(mlp.n_threads, "n_threads")
    if order is None and mlp.shuffle:
        order = np.arange(rows)
    drops = _drops(mlp)
    watched = None if held_out is None else _rows_of(task, held_out)
    callbacks = _EstimatorCallbacks(mlp, network, watched, task.eval_set, n_threads, incremental, stopped)
    if stopped is not None and not isinstance(mlp.random_state, np.random.RandomState):  # which is as it was
        mlp._random_state = stopped.random_state
    going_on = stopped is not None or (
        "_optimizer" in mlp.__dict__
        and mlp.__dict__.get("_state_of") == mlp.solver
        and (incremental or mlp.warm_start)
    )
    if stopped is None and not (incremental and going_on):
        how = mlp.learning_rate if mlp.solver == "sgd" else "constant"
        mlp._optimizer = LearningRate(mlp.learning_rate_init, mlp.learning_rate_init, how, mlp.power_t)
    may_stop = mlp.schedule is None or mlp.early_stopping  # a schedule needs all of its epochs
    mlp.n_iter_, method, rate = callbacks.history.epochs, None, 0.0
    try:
        for epoch_number in range(mlp.n_iter_, epochs):
            factors = None
            if mlp.schedule is not None:
                factors = rate_schedules.factors(mlp.schedule, epoch_number, 1, epochs, steps)
            if method is None and not going_on:  # after all that may fail
                network.reset_optimizer()
                mlp._state_of = mlp.solver
            if task.checkpoints is not None and task.checkpoints.is_due(mlp.n_iter_):
                so_far = Stopped(callbacks.history, mlp._random_state, order, held_out, callbacks.best)
                task.checkpoints.write(mlp.n_iter_, so_far)
            if mlp.shuffle and order is not None:
                places = np.arange(rows)  # what sklearn.utils.shuffle does, without a fifth of the time of a fit
                mlp._random_state.shuffle(places)
                order = order[places]
            if method is None or mlp._optimizer.learning_rate != rate:
                method = step_of(mlp)
            epoch_steps = Steps(
                size,
                method,
                mlp.alpha,
                None if factors is None else method.learning_rate * factors,
                int(mlp._random_state.randint(2**31 - 1)) if drops else 0,
            )
            epoch = run_epoch(network, data, order, epoch_steps, n_threads, callbacks)
            mlp.n_iter_ += 1
            if not (math.isfinite(epoch.loss) and math.isfinite(epoch.loss_by_rows)):
                lost = epoch.loss_by_rows if math.isfinite(epoch.loss) else epoch.loss
                callbacks.take_divergence(lost)
                break
            mlp.t_ += rows
            loss = _as_scikit_learn_counts(mlp, epoch.loss_by_rows, epoch.penalty_by_rows)
            callbacks.after_epoch(loss, rows)
            rate = mlp._optimizer.learning_rate
            mlp._optimizer.iteration_ends(mlp.t_)
            waited = may_stop and mlp._no_improvement_count > mlp.n_iter_no_change
            over = waited and _is_over(mlp)
            _change_rate(mlp, network, rate)
            if callbacks.history.stop_reason == "epochs":
                callbacks.history.stop_reason = "tol" if over else epoch.stop_reason or "epochs"
            if callbacks.is_over() or incremental:
                break
            if mlp.n_iter_ == mlp.max_iter and may_stop:
                warn(
                    f"Stochastic Optimizer: Maximum iterations ({mlp.max_iter}) reached and the optimization "
                    "hasn't converged yet.",
                    ConvergenceWarning,
                )
    finally:
        callbacks.close()
    callbacks.take_best()
    if not incremental:
        _hint(mlp, task, callbacks.history.loss)


def check_options(mlp: Any) -> None:
    """Refuse an option that the solver has not, and would ignore."""
    for name, (off, solvers) in _OPTIONS.items():
        if mlp.solver in solvers:
            continue
        given = getattr(mlp, name)
        if _drops(mlp) if name == "dropout" else given is not off and given != off:
            *most, last = solvers
            rest = f"{', '.join(most)} and {last}"
            raise ValueError(f"{name} is {given!r}, which solver={mlp.solver!r} has not; it goes with {rest}")


def _drops(mlp: Any) -> bool:
    return bool(mlp.dropout != 0 if isinstance(mlp.dropout, float) else np.any(mlp.dropout))


def step_of(mlp: Any) -> Any:
    """The optimizer of the core, with the present learning rate."""
    rate = mlp._optimizer.learning_rate
    betas = {"beta_1": mlp.beta_1, "beta_2": mlp.beta_2, "epsilon": mlp.epsilon}
    both = {"l1": mlp.l1, "clip_norm": mlp.clip_norm}
    if mlp.solver == "sgd":
        return SGD(rate, mlp.momentum, mlp.nesterovs_momentum and mlp.momentum > 0, **both)
    if mlp.solver == "adam":
        return Adam(rate, **betas, epsilon_hat=True, **both)
    if mlp.weight_decay is not None:
        both["weight_decay"] = mlp.weight_decay
    if mlp.solver == "adamw":
        return AdamW(rate, **betas, **both)
    return RMSprop(rate, epsilon=mlp.epsilon, **both)


def _change_rate(mlp: Any, network: Any, before: float) -> None:
    """scikit-learn's velocity has the learning rate in it, the core's has not: keep its step the same."""
    now = mlp._optimizer.learning_rate
    if mlp.solver == "sgd" and now != before:
        *powers, velocity, unused = network.optimizer_state
        network.optimizer_state = *powers, velocity * (before / now), unused


def _is_over(mlp: Any) -> bool:
    what = "Validation score" if mlp.early_stopping else "Training loss"
    message = f"{what} did not improve more than tol={mlp.tol:f} for {mlp.n_iter_no_change} consecutive epochs."
    if mlp._optimizer.is_over(message, mlp.verbose):
        return True
    mlp._no_improvement_count = 0
    return False


def _split(mlp: Any, task: Task) -> tuple[Array, Array]:
    """The rows to train on, and the others to validate on."""
    X, y, w = task.X, task.y, task.w
    too_small = "The validation set is too small. Increase 'validation_fraction' or the size of your dataset. "
    if mlp.validation_fraction == 0:
        raise ValueError(f"{too_small}validation_fraction is 0; expected more with early_stopping")
    rows, held_out = train_test_split(
        np.arange(X.shape[0]),
        random_state=mlp._random_state,
        test_size=mlp.validation_fraction,
        stratify=mlp._strata(y),
    )
    if len(held_out) < 2:
        raise ValueError(
            f"{too_small}validation_fraction is {mlp.validation_fraction} of {X.shape[0]} samples; expected 2 or more"
        )
    if y.dtype.kind == "f" and np.isnan(y[held_out]).all():
        raise ValueError("y contains NaN and nothing else in the rows that early_stopping holds back")
    for name, part in (("train on", rows), ("validate on", held_out)):
        if w is not None and not w[part].any():
            raise ValueError(f"sample_weight is zero for every row to {name}; expected at least one weight > 0")
    return rows, held_out


def _rows_of(task: Task, rows: Array) -> Validation:
    """Some rows, to validate on."""
    return Validation(task.X[rows], task.y[rows], None if task.w is None else task.w[rows], None)


def _as_scikit_learn_counts(mlp: Any, loss: float, penalty: float) -> float:
    """The squared error of several outputs is their mean there, and their sum here; the penalty counts whole."""
    if mlp.out_activation_ != "identity":
        return loss
    return float((loss - penalty) / mlp.n_outputs_ + penalty)


def _hint(mlp: Any, task: Task, losses: list[float]) -> None:
    """Say so if a regression ends no better than a constant, because of what scale y has."""
    if is_classifier(mlp) or mlp.__dict__.get("y_scaler_") is not None:
        return
    loss = LOSSES.get(mlp.loss, mlp.loss)
    assert loss is not None
    parameters = [getattr(mlp, name) for name in LOSS_PARAMETERS.get(loss, ())]
    advice = "scale it, with scale='standard' or sklearn.compose.TransformedTargetRegressor"
    if loss == "poisson":
        advice = "divide it by a constant"
    reached = min(losses, default=mlp.loss_) * (mlp.n_outputs_ if mlp.out_activation_ == "identity" else 1)
    hint_at_the_scale(loss, parameters, reached, task.y, task.w, advice, ConvergenceWarning)


def fit_by_lbfgs(mlp: Any, task: Task) -> None:
    """The L-BFGS-B of scipy on the compiled loss and gradient, in float64 whatever X is, as scipy's steps are."""
    check_options(mlp)
    dtype = mlp._network(train=True).dtype
    if dtype != np.float64:
        mlp.coefs_ = [W.astype(np.float64) for W in mlp.coefs_]
        mlp.intercepts_ = [b.astype(np.float64) for b in mlp.intercepts_]
    network = mlp._network(train=True)
    x = as_the_core_reads(task.X, network, mlp._name_of_X())
    targets = mlp._targets(task.y, network.dtype)
    w = None if task.w is None else np.ascontiguousarray(task.w, network.dtype)
    total = len(x) if w is None else float(w.sum())
    n_threads = as_threads(mlp.n_threads, "n_threads")
    callbacks = _EstimatorCallbacks(mlp, network, None, task.eval_set, n_threads)
    accepted = network.parameters.copy()  # those of the last iteration

    def loss_and_gradient(theta: Array) -> tuple[float, Array]:
        network.parameters[...] = theta
        gradient = np.empty_like(theta)
        loss = network.gradient(x, targets, w, gradient, None, n_threads)
        penalty = 0.0
        weights, _ = layer_views(theta, network.sizes, True)
        for W, dW in zip(weights, layer_views(gradient, network.sizes, True)[0], strict=True):
            penalty += 0.5 * mlp.alpha * float(np.vdot(W, W)) / total
            dW += (mlp.alpha / total) * W
        return _as_scikit_learn_counts(mlp, loss + penalty, penalty), gradient

    def after_iteration(intermediate_result: Any) -> None:
        network.parameters[...] = accepted[...] = intermediate_result.x
        mlp.n_iter_ += 1
        callbacks.after_epoch(float(intermediate_result.fun), len(x))
        if mlp._no_improvement_count > mlp.n_iter_no_change:
            callbacks.history.stop_reason = "tol"
        if callbacks.is_over():
            raise StopIteration

    mlp.n_iter_ = mlp._no_improvement_count = 0
    try:
        found = scipy.optimize.minimize(
            loss_and_gradient,
            network.parameters.copy(),
            method="L-BFGS-B",
            jac=True,
            options={"maxfun": mlp.max_fun, "maxiter": mlp.max_iter, "gtol": mlp.tol},
            callback=after_iteration,
        )
        mlp.n_iter_ = min(found.nit, mlp.max_iter)
        accepted[...] = found.x
        if math.isfinite(found.fun):
            mlp.loss_ = found.fun
        else:
            callbacks.take_divergence(found.fun)
        if callbacks.history.stop_reason == "epochs" and found.status != 0:
            _warn_of_lbfgs(mlp, found)
    finally:
        network.parameters[...] = accepted
        callbacks.close()
        if dtype != network.dtype:
            mlp.coefs_ = [W.astype(dtype) for W in mlp.coefs_]
            mlp.intercepts_ = [b.astype(dtype) for b in mlp.intercepts_]
            mlp._network()
    callbacks.take_best()
    _hint(mlp, task, callbacks.history.loss)


def _warn_of_lbfgs(mlp: Any, found: Any) -> None:
    rest = "\nYou might also want to scale the data, with scale='standard'"
    more = f"\nIncrease the number of iterations to improve the convergence (max_iter={mlp.max_iter})."
    warn(
        f"lbfgs failed to converge after {mlp.n_iter_} iteration(s) (status={found.status}):\n{found.message}\n"
        f"{more if mlp.n_iter_ == mlp.max_iter else ''}{rest}",
        ConvergenceWarning,
    )


class _EstimatorCallbacks(FitCallbacks):
    """What is noted after an epoch besides: curves, scores, the best weights."""

    def __init__(
        self,
        mlp: Any,
        network: Any,
        held_out: Validation | None,
        eval_set: Validation | None,
        n_threads: int,
        incremental: bool = False,
        stopped: Stopped | None = None,
    ) -> None:
        self._mlp, self._network, self._n_threads = mlp, network, n_threads
        self._cache = mlp._network_cache
        calls, batch_calls = _callbacks(mlp, "callbacks"), _callbacks(mlp, "batch_callbacks")
        began = perf_counter()
        self._scorer = None
        if mlp.eval_metric is not None and not incremental:
            try:
                self._scorer = check_scoring(mlp, scoring=mlp.eval_metric)
            except (ValueError, TypeError) as problem:
                raise type(problem)(f"eval_metric is {mlp.eval_metric!r}, which is no scorer: {problem}") from None
            if eval_set is None:
                raise ValueError(f"eval_metric is {mlp.eval_metric!r} without eval_set=(X, y) in fit")
        self._held_out, self._given = held_out, None if eval_set is None else eval_set.given
        self._validation: tuple[Any, Array, Array | None] | None = None
        self.best: float | None = None  # of this fit, on eval_set
        watched = held_out if eval_set is None else eval_set
        if watched is not None:
            of = "" if eval_set is None else " of eval_set"
            w = None if watched.w is None else np.ascontiguousarray(watched.w, network.dtype)
            x = as_the_core_reads(watched.X, network, mlp._name_of_X(of))
            self._validation = x, mlp._targets(watched.y, network.dtype, "y" + of), w
        if self._scorer is not None:
            self._ask_scorer()  # so that one that cannot answer is known before anything is trained
        self._begin_scores()
        line = as_progress(mlp.progress, mlp.max_iter)  # after all that may fail, as a bar shows at once
        go_on = partial(mlp._go_on_with, self._cache)
        super().__init__(mlp, lambda: None, go_on, began, mlp.max_time, calls, batch_calls, line)
        if stopped is not None:
            self.go_on(stopped.history)
            self.best = stopped.best

    def ask(self, calls: list[Callback]) -> bool:
        """Whether any of these callbacks answers true; what they raise ends the fit, and what was trained stays."""
        try:
            return super().ask(calls)
        except Exception:
            self._mlp._callback_raised = True
            raise

    def _begin_scores(self) -> None:
        """Go on with the records of the last fit, or begin anew where there were none, or other scores."""
        mlp = self._mlp
        if mlp.best_loss_ is None and not mlp.early_stopping and mlp.solver != "lbfgs":
            mlp.best_loss_ = math.inf
        if self._validation is None:
            return
        scores_of = what_scores(mlp, self._held_out is not None, self._scorer is not None)
        if mlp.__dict__.get("_scores_of") != scores_of:
            mlp.validation_scores_ = mlp.best_validation_score_ = None
            mlp.__dict__.pop("_best_parameters", None)
        mlp._scores_of = scores_of
        if scores_of is not None and mlp.validation_scores_ is None:
            mlp.validation_scores_, mlp.best_validation_score_ = [], -math.inf

    def _ask_scorer(self) -> float:
        assert self._scorer is not None
        assert self._given is not None
        X, y, w = self._given
        try:
            score = self._scorer(self._mlp, X, y) if w is None else self._scorer(self._mlp, X, y, sample_weight=w)
        except (ValueError, TypeError) as problem:
            metric = self._mlp.eval_metric
            raise type(problem)(
                f"eval_metric {metric!r} cannot be computed on the validation data: {problem}"
            ) from None
        self._mlp._go_on_with(self._cache)
        if not isinstance(score, Real):
            raise TypeError(f"eval_metric gave {score!r}; expected a number")
        return float(score)

    def after_epoch(self, loss: float, samples: int) -> None:
        """Take the loss of an epoch, or of an iteration of lbfgs."""
        mlp = self._mlp
        mlp.loss_ = loss
        for curve in (mlp.loss_curve_, self.history.loss):
            curve.append(loss)
        if mlp.verbose:
            print(f"Iteration {mlp.n_iter_}, loss = {loss:.8f}")
        if self._validation is not None:
            loss = _as_scikit_learn_counts(mlp, self._network.evaluate(*self._validation, self._n_threads), 0.0)
            for curve in (mlp.validation_curve_, self.history.validation_loss):
                curve.append(loss)
        if self._given is not None:
            self._compare()
        elif self._held_out is not None:
            self._score()
        elif mlp.solver != "lbfgs":
            self._watch_the_loss()
        self.show(samples)

    def _watch_the_loss(self) -> None:
        mlp, loss = self._mlp, self.history.loss[-1]
        waits = loss > mlp.best_loss_ - mlp.tol
        mlp._no_improvement_count = mlp._no_improvement_count + 1 if waits else 0
        mlp.best_loss_ = min(mlp.best_loss_, loss)

    def _score(self) -> None:
        """Whether the weights are the best so far on the rows that were held back."""
        mlp = self._mlp
        assert self._validation is not None
        assert self._held_out is not None
        if mlp._stops_by_loss():
            score = -self.history.validation_loss[-1]
        else:
            outputs = self._network.forward(self._validation[0], None, self._n_threads, True)
            score = math.nan
            if np.isfinite(outputs).all():
                with np.errstate(over="ignore"):
                    score = mlp._score_of(outputs, self._held_out.y, self._held_out.w)
        self._take_score(score)
        if mlp.verbose:
            print(f"Validation score: {score:f}")

    def _take_score(self, score: float) -> None:
        mlp = self._mlp
        mlp.validation_scores_.append(score)
        waits = score < mlp.best_validation_score_ + mlp.tol
        mlp._no_improvement_count = mlp._no_improvement_count + 1 if waits else 0
        if score > mlp.best_validation_score_:
            mlp.best_validation_score_ = score
            mlp._best_parameters = self._network.parameters.copy()

    def _compare(self) -> None:
        """Whether the weights are the best so far by the metric, or else by the loss, on eval_set."""
        mlp = self._mlp
        loss = self.history.validation_loss[-1]
        if not math.isfinite(loss):
            self.take_divergence(loss, "loss on eval_set")
            return
        score = -loss
        if self._scorer is not None:
            score = self._ask_scorer()
            mlp.validation_scores_.append(score)
            if not math.isfinite(score):
                raise ValueError(
                    f"eval_metric {mlp.eval_metric!r} is {score} after iteration {mlp.n_iter_}: it cannot say which "
                    "weights are best"
                )
        if mlp.early_stopping:
            waits = self.best is not None and score < self.best + mlp.tol
            mlp._no_improvement_count = mlp._no_improvement_count + 1 if waits else 0
        elif mlp.solver != "lbfgs":
            self._watch_the_loss()
        if self.best is None or score > self.best:
            self.best = score
            if self._scorer is not None:
                mlp.best_validation_score_ = score
            mlp._best_parameters = self._network.parameters.copy()

    def take_divergence(self, loss: float, what: str = "loss") -> None:
        """A loss that is not finite: an error, or a warning where there are good weights to end with."""
        mlp = self._mlp
        said = f"The {what} was {loss} in iteration {mlp.n_iter_}."
        if self.best is None and not (self._held_out is not None and "_best_parameters" in mlp.__dict__):
            raise Divergence(said)
        curves = [mlp.loss_curve_, self.history.loss] if what == "loss" else []
        if self._validation is not None and what == "loss":
            curves += [mlp.validation_curve_, self.history.validation_loss]
        if self._held_out is not None or self._scorer is not None:
            curves.append(mlp.validation_scores_)
        for curve in curves:
            curve.append(math.nan)
        self.history.stop_reason = "diverged"
        self._network.reset_optimizer()
        warn(
            f"training diverged. {said} The estimator ends with the weights that were best; X or y may need scaling, "
            "or learning_rate_init is too large",
            ConvergenceWarning,
        )

    def take_best(self) -> None:
        """End with the weights that were best on data to validate on."""
        mlp = self._mlp
        if self.best is not None or (self._held_out is not None and "_best_parameters" in mlp.__dict__):
            mlp._network().parameters[...] = mlp._best_parameters

    def is_over(self) -> bool:
        """Whether a callback or the clock ends the fit."""
        if self.ask(self.calls):
            self.history.stop_reason = "callback"
        elif perf_counter() > self.deadline:
            self.history.stop_reason = "time"
        return self.history.stop_reason != "epochs"


def what_scores(mlp: Any, holds_out: bool, has_metric: bool) -> Any:
    """Of what the scores after each epoch are: of a metric, of rows that are held out, or None."""
    if holds_out:
        return f"minus {mlp.loss}" if mlp._stops_by_loss() else "score"
    return mlp.eval_metric if has_metric else None


def _callbacks(mlp: Any, name: str) -> list[Callback]:
    given = getattr(mlp, name)
    return [] if given is None else as_callbacks(name, given)
