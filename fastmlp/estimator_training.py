"""How the estimators train: scikit-learn's rules for the learning rate and for the end, around the core's epochs.

Weights are drawn and samples shuffled by the same generator in the same order as there, so with equal parameters both
walk the same way. Here too is what is noted and shown after an epoch, and who may stop.
"""

import math
import warnings
from functools import partial
from numbers import Real
from time import perf_counter
from typing import Any

import numpy as np
import scipy.optimize
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.utils.optimize import _check_optimize_result

from fastmlp import schedules as rate_schedules
from fastmlp.formulas import Array
from fastmlp.history import Callback
from fastmlp.layout import layer_views
from fastmlp.optimizers import SGD, Adam, AdamW, RMSprop, Steps
from fastmlp.progress import progress as as_progress
from fastmlp.sparse import by_rows
from fastmlp.threads import threads as as_threads
from fastmlp.training import FitCallbacks, run_epoch
from fastmlp.training import callbacks as as_callbacks

# Targets from which on a regression that has not learned is told to scale them.
LARGE = 100
# What lbfgs cannot take, by its value for "off".
STOCHASTIC_ONLY = {"dropout": 0.0, "clip_norm": None, "l1": 0.0, "schedule": None, "batch_callbacks": None}


def fit_by_batches(mlp: Any, X: Any, y: Array, sample_weight: Array | None, incremental: bool, eval_set: Any) -> None:
    """Epochs of gradient descent, with scikit-learn's rules for the learning rate and for the end."""
    if mlp.early_stopping and incremental:
        raise ValueError("early_stopping is True, which partial_fit cannot do: it makes one pass and never stops")
    if mlp.schedule is not None and incremental:
        raise ValueError("schedule is given, which partial_fit cannot follow: it does not know the end of the run")
    network = mlp._network(train=True)
    going_on = hasattr(mlp, "_optimizer") and mlp._state_of == mlp.solver and (incremental or mlp.warm_start)
    if not going_on:
        network.reset_optimizer()
        mlp._state_of = mlp.solver
    if not (incremental and going_on):
        mlp._optimizer = _learning_rate(mlp)
    order, validation = None, None
    if mlp.early_stopping and eval_set is None:
        order, validation = _split(mlp, X, y, sample_weight)
    x = by_rows(X, network)
    w = None if sample_weight is None else np.ascontiguousarray(sample_weight, network.dtype)
    data = x, mlp._targets(y, network.dtype), w
    _check_that_it_fits(network, *data[:2])
    rows = len(x if order is None else order)
    size = min(200, rows) if mlp.batch_size == "auto" else mlp.batch_size
    if size > rows:
        warnings.warn(f"batch_size is {size}, more than the {rows} samples: it is clipped to them", stacklevel=5)
        size = rows
    epochs, steps = 1 if incremental else mlp.max_iter, -(-rows // size)
    n_threads = as_threads(mlp.n_threads)
    if order is None and mlp.shuffle:
        order = np.arange(rows)
    drops = bool(np.any(mlp.dropout))
    callbacks = _EstimatorCallbacks(mlp, network, validation, eval_set, n_threads, incremental)
    watched = mlp.schedule is None or mlp.early_stopping  # a schedule needs all of its epochs
    mlp.n_iter_, method, rate = 0, None, 0.0
    try:
        for epoch_number in range(epochs):
            factors = None
            if mlp.schedule is not None:
                factors = rate_schedules.factors(mlp.schedule, epoch_number, 1, epochs, steps)
            if mlp.shuffle and order is not None:
                places = np.arange(rows)  # what sklearn.utils.shuffle does, without a fifth of the time of a fit
                mlp._random_state.shuffle(places)
                order = order[places]
            if method is None or mlp._optimizer.learning_rate != rate:
                method = _step(mlp)
            epoch_steps = Steps(
                size,
                method,
                mlp.alpha,
                None if factors is None else method.learning_rate * factors,
                int(mlp._random_state.randint(2**31 - 1)) if drops else 0,
            )
            epoch = run_epoch(network, data, order, epoch_steps, n_threads, callbacks)
            if not (math.isfinite(epoch.loss) and math.isfinite(epoch.loss_by_rows)):
                raise ValueError(
                    f"Solver produced non-finite loss {epoch.loss} in iteration {mlp.n_iter_ + 1}. X or y may "
                    "have large values and need scaling, or learning_rate_init is too large."
                )
            mlp.n_iter_ += 1
            mlp.t_ += rows
            loss = _as_scikit_learn_counts(mlp, epoch.loss_by_rows, epoch.penalty_by_rows)
            callbacks.after_epoch(loss, rows)
            rate = mlp._optimizer.learning_rate
            mlp._optimizer.iteration_ends(mlp.t_)
            waited = watched and mlp._no_improvement_count > mlp.n_iter_no_change
            over = waited and _is_over(mlp)
            _change_rate(mlp, network, rate)
            callbacks.history.stop_reason = "tol" if over else epoch.stop_reason or "epochs"
            if callbacks.is_over() or incremental:
                break
            if mlp.n_iter_ == mlp.max_iter and watched:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({mlp.max_iter}) reached and the optimization "
                    "hasn't converged yet.",
                    ConvergenceWarning,
                    stacklevel=5,
                )
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=5)
    finally:
        callbacks.close()
    if mlp.early_stopping or eval_set is not None:
        mlp._set_weights(mlp._best_coefs, mlp._best_intercepts)
    if mlp.n_iter_ > 0 and not incremental:
        _look_at_the_result(mlp, y if validation is None else y[order])


def _check_that_it_fits(network: Any, x: Any, targets: Array) -> None:
    """The core trusts these shapes, and another thread, or a callback, may have changed the estimator meanwhile."""
    n_out = network.sizes[-1] if targets.ndim == 1 else targets.shape[1]
    if (x.shape[1], n_out) != (network.sizes[0], network.sizes[-1]) or len(targets) != len(x):
        raise RuntimeError("the estimator was changed while it was fitted; two threads cannot fit one estimator")


def _learning_rate(mlp: Any) -> AdamOptimizer | SGDOptimizer:
    """scikit-learn's own optimizer, for its schedule of the learning rate; it gets no parameters to change."""
    if mlp.solver == "sgd":
        return SGDOptimizer(
            [],
            mlp.learning_rate_init,
            mlp.learning_rate,
            mlp.momentum,
            mlp.nesterovs_momentum,
            mlp.power_t,
        )
    return AdamOptimizer([], mlp.learning_rate_init, mlp.beta_1, mlp.beta_2, mlp.epsilon)


def _step(mlp: Any) -> Any:
    """The optimizer of the core, with the present learning rate."""
    rate = mlp._optimizer.learning_rate if mlp.solver == "sgd" else mlp._optimizer.learning_rate_init
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
    """Whether to stop, as nothing has improved; an adaptive learning rate shrinks instead."""
    what = "Validation score" if mlp.early_stopping else "Training loss"
    message = f"{what} did not improve more than tol={mlp.tol:f} for {mlp.n_iter_no_change} consecutive epochs."
    if mlp._optimizer.trigger_stopping(message, mlp.verbose):
        return True
    mlp._no_improvement_count = 0
    return False


def _split(mlp: Any, X: Any, y: Array, sample_weight: Array | None) -> tuple[Array, tuple[Any, ...]]:
    """The rows to train on, and (X, y, sample_weight) to validate on with the labels that a score takes."""
    rows, held_out = train_test_split(
        np.arange(X.shape[0]),
        random_state=mlp._random_state,
        test_size=mlp.validation_fraction,
        stratify=y if is_classifier(mlp) and mlp.n_outputs_ == 1 else None,
    )
    if len(held_out) < 2:
        raise ValueError(
            f"validation_fraction is {mlp.validation_fraction} of {X.shape[0]} samples: the validation set has "
            "fewer than 2; give a larger fraction or more data"
        )
    return rows, (X[held_out], y[held_out], None if sample_weight is None else sample_weight[held_out])


def _as_scikit_learn_counts(mlp: Any, loss: float, penalty: float) -> float:
    """The squared error of several outputs is their mean there, and their sum here; the penalty counts whole."""
    if mlp.out_activation_ != "identity":
        return loss
    return float((loss - penalty) / mlp.n_outputs_ + penalty)


def _look_at_the_result(mlp: Any, y: Array) -> None:
    """Say so if a regression ends worse than the mean of y, as one on large targets does."""
    if mlp.loss != "squared_error" or np.abs(y).max() < LARGE:
        return
    if mlp.loss_ > 0.5 * np.var(y, axis=0).mean() > 0:
        warnings.warn(
            f"the loss of {mlp.loss_:.3g} is worse than that of the mean of y. y lies between {y.min():.3g} and "
            f"{y.max():.3g}: scale it, with scale='standard' or sklearn.compose.TransformedTargetRegressor",
            ConvergenceWarning,
            stacklevel=6,
        )


def fit_by_lbfgs(mlp: Any, X: Any, y: Array, sample_weight: Array | None, eval_set: Any) -> None:
    """The L-BFGS-B of scipy on the compiled loss and gradient, in float64 whatever X is, as scipy's steps are."""
    for name, off in STOCHASTIC_ONLY.items():
        if getattr(mlp, name) != off:
            raise ValueError(
                f"{name} is {getattr(mlp, name)!r}, which solver='lbfgs' has not; it goes with sgd, adam ..."
            )
    dtype = mlp.coefs_[0].dtype
    mlp.coefs_ = [W.astype(np.float64) for W in mlp.coefs_]
    mlp.intercepts_ = [b.astype(np.float64) for b in mlp.intercepts_]
    network = mlp._network(train=True)
    x, targets = by_rows(X, network), mlp._targets(y, network.dtype)
    w = None if sample_weight is None else np.ascontiguousarray(sample_weight, network.dtype)
    _check_that_it_fits(network, x, targets)
    total = len(x) if w is None else float(w.sum())
    n_threads = as_threads(mlp.n_threads)
    callbacks = _EstimatorCallbacks(mlp, network, None, eval_set, n_threads)

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
        network.parameters[...] = intermediate_result.x
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
        if callbacks.history.stop_reason == "epochs":
            _check_optimize_result("lbfgs", found, mlp.max_iter)
        mlp.n_iter_ = min(found.nit, mlp.max_iter)
        mlp.loss_ = found.fun
        network.parameters[...] = found.x
        if eval_set is not None:
            mlp._set_weights(mlp._best_coefs, mlp._best_intercepts)
    finally:
        callbacks.close()
        if dtype != network.dtype:
            mlp.coefs_ = [W.astype(dtype) for W in mlp.coefs_]
            mlp.intercepts_ = [b.astype(dtype) for b in mlp.intercepts_]
            mlp._network()
    _look_at_the_result(mlp, y)


class _EstimatorCallbacks(FitCallbacks):
    """What is noted after an epoch besides: curves, scores, the best weights."""

    def __init__(
        self, mlp: Any, network: Any, validation: Any, eval_set: Any, n_threads: int, incremental: bool = False
    ) -> None:
        self._mlp, self._network, self._n_threads = mlp, network, n_threads
        self._cache = mlp._network_cache
        calls, batch_calls = _callbacks(mlp, "callbacks"), _callbacks(mlp, "batch_callbacks")
        began = perf_counter()
        self._scorer = None
        if mlp.eval_metric is not None and not incremental:
            self._scorer = check_scoring(mlp, scoring=mlp.eval_metric)
            if eval_set is None:
                raise ValueError(f"eval_metric is {mlp.eval_metric!r} without eval_set=(X, y) in fit")
        self._validation_rows: Any = None
        self._validation: Any = None
        self._eval_set: Any = None
        if validation is not None:
            labels = validation[1]
            if is_classifier(mlp):
                labels = mlp._label_binarizer.inverse_transform(labels)
            self._validation_rows = validation[0], labels, validation[2]
            self._validation = self._as_the_net_sees(*validation)
        if eval_set is not None:
            self._eval_set = eval_set[:2]
            self._validation = self._as_the_net_sees(*eval_set[2:])
            self._best: float | None = None
            if self._scorer is None:
                mlp.validation_scores_ = mlp.best_validation_score_ = None
        line = as_progress(mlp.progress, mlp.max_iter)  # after all that may fail, as a bar shows at once
        go_on = partial(mlp._go_on_with, self._cache)
        super().__init__(mlp, lambda: None, go_on, began, mlp.max_time, calls, batch_calls, line)

    def _as_the_net_sees(self, X: Any, y: Array, weight: Array | None = None) -> tuple[Any, Array, Array | None]:
        dtype = self._network.dtype
        w = None if weight is None else np.ascontiguousarray(weight, dtype)
        return by_rows(X, self._network), self._mlp._targets(y, dtype), w

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
        if self._eval_set is not None:
            self._compare()
        elif mlp.solver != "lbfgs":
            mlp._update_no_improvement_count(mlp.early_stopping, *(self._validation_rows or (None, None, None)))
        self.show(samples)

    def _compare(self) -> None:
        """Whether the weights are the best so far by the metric, or else by the loss, on eval_set."""
        mlp = self._mlp
        score, what = -self.history.validation_loss[-1], "the loss on eval_set"
        if self._scorer is not None:
            score, what = self._scorer(mlp, *self._eval_set), f"eval_metric {mlp.eval_metric!r}"
            self._mlp._go_on_with(self._cache)
            if mlp.validation_scores_ is None:
                mlp.validation_scores_ = []
            if not isinstance(score, Real):
                raise TypeError(f"eval_metric gave {score!r}; expected a number")
            mlp.validation_scores_.append(score)
        if not math.isfinite(score):
            raise ValueError(f"{what} is {score} after iteration {mlp.n_iter_}: it cannot say which weights are best")
        if mlp.early_stopping:
            waits = self._best is not None and score < self._best + mlp.tol
            mlp._no_improvement_count = mlp._no_improvement_count + 1 if waits else 0
        elif mlp.solver != "lbfgs":
            mlp._update_no_improvement_count(False, None, None, None)
        if self._best is None or score > self._best:
            self._best = score
            if self._scorer is not None:
                mlp.best_validation_score_ = score
            mlp._best_coefs, mlp._best_intercepts = mlp._weights()

    def is_over(self) -> bool:
        """Whether a callback or the clock ends the fit."""
        if self.ask(self.calls):
            self.history.stop_reason = "callback"
        elif perf_counter() > self.deadline:
            self.history.stop_reason = "time"
        return self.history.stop_reason != "epochs"


def _callbacks(mlp: Any, name: str) -> list[Callback]:
    given = getattr(mlp, name)
    return [] if given is None else as_callbacks(name, given)
