"""Checkpoints of the estimators: what their loop goes on with, beside what the estimator says of itself.

When and where they are written is in checkpoints.py, the loop in estimator_training.py.
"""

import copy
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring

from fastmlp import builds
from fastmlp.checkpoints import Checkpoints, check_fingerprints, checked_path, fingerprint, made_period, warn_of_build
from fastmlp.estimator_saving import describe_estimator
from fastmlp.estimator_training import Stopped, Task, check_options, step_of, what_scores
from fastmlp.files import LoadError
from fastmlp.history import History
from fastmlp.saving import Description, Tensors, believed, described_history, made_history, named
from fastmlp.values import NoValue, decoded, encoded

_GIVEN_AGAIN = "callbacks", "batch_callbacks"  # which no file can hold


def of_estimator(model: Any, task: Task, path: Any, every: Any) -> Checkpoints:
    """The checkpoints of a fit."""
    target, is_new = checked_path(path, every)
    if model.solver == "lbfgs":
        raise ValueError("checkpoint is given, and solver is 'lbfgs', which can only start anew; expected another")
    for name, value in model.get_params(deep=False).items():
        try:
            encoded(None if name in _GIVEN_AGAIN else value, {}, name)
        except NoValue:
            raise TypeError(f"{name} is {value!r}, which a checkpoint cannot hold; expected a name there") from None
    fit = {"fingerprints": _fingerprints_of(task), "build": builds.current(), "every": encoded(every, {}, "every")}
    return Checkpoints(target, every, type(model), fit, partial(_describe_in_training, model, {}), is_new=is_new)


def _fingerprints_of(task: Task) -> dict[str, list[str]]:
    arrays = {"X": task.X, "y": task.y, "sample_weight": task.w}
    if task.eval_set is not None:
        arrays |= {"X_val": task.eval_set.X, "y_val": task.eval_set.y, "sample_weight_val": task.eval_set.w}
    return fingerprint(**arrays)


def _describe_in_training(
    model: Any, parameters: dict[str, Any], so_far: Stopped | None
) -> tuple[Description, Description, Tensors]:
    """What a checkpoint says of the estimator and of its loop, if that is not over, and the tensors of both.

    The estimator has these `parameters` instead of those that are only for now.
    """
    said, tensors = describe_estimator(model, True, _GIVEN_AGAIN)
    said["parameters"] |= {name: encoded(value, tensors, name) for name, value in parameters.items()}
    rest: Description = {}
    if so_far is not None:
        history, *others = so_far
        rest = {"history": described_history(history, tensors, "fit.history")}
        for name, value in zip(Stopped._fields[1:], others, strict=True):
            rest[name] = encoded(value, tensors, f"fit.{name}")
    return said, rest, tensors


def resume_estimator(
    path: Any, model: Any, fit: Description, mine: Tensors, X: Any, y: Any, sample_weight: Any, validation: Any,
    again: dict[str, Any], for_now: dict[str, Any],
) -> Any:  # fmt: skip
    """The estimator, trained to the end; see `fastmlp.resume`."""
    stopped, every = None, None
    if fit.get("over") is not True:
        with named(path), believed("fit"):
            stopped, every = _made_stopped(fit, mine), made_period(fit)
            _check_going_on(copy.copy(model), stopped)
    model.set_params(**{name: value if callable(value) or list(value) else None for name, value in again.items()})
    saved = {name: getattr(model, name) for name, value in for_now.items() if value is not None}
    if validation is not None and not (isinstance(validation, (tuple, list)) and len(validation) in (2, 3)):
        raise TypeError(f"validation is {validation!r:.100}; expected (X, y) or (X, y, sample_weight)")
    *pair, w = (None, None, None) if validation is None else (*validation, None)[:3]
    # Of rows of probabilities the estimator knows whose they are, of labels that not all need be there.
    classes = None if model.__dict__.get("_columns_of_y") is not None else model.__dict__.get("classes_")

    def resumed(task: Task) -> Task:
        with named(path):
            check_fingerprints(fit.get("fingerprints"), _fingerprints_of(task))
            assert stopped is not None  # where it is over, nothing is trained
            _check_rows(stopped, task.X.shape[0])
            _check_watching(model, stopped, task)
        warn_of_build(fit)
        describe = partial(_describe_in_training, model, saved)
        checkpoints = Checkpoints(path, every, type(model), fit, describe, stopped.history.epochs)
        return task._replace(checkpoints=checkpoints, stopped=stopped)

    data = X, y, sample_weight, (None, *pair, w)
    if stopped is None:
        task = copy.copy(model)._task(*data, False, True, classes)
        check_fingerprints(fit.get("fingerprints"), _fingerprints_of(task))
        return model
    model.set_params(**{name: for_now[name] for name in saved})
    try:
        return model._fit(*data, classes=classes, resumed=resumed)
    finally:
        model.set_params(**saved)


def _made_stopped(fit: Description, mine: Tensors) -> Stopped:
    values = {name: decoded(fit[name], mine) for name in Stopped._fields[1:]}
    history = made_history(fit["history"], mine)
    best, generator = values["best"], values["random_state"]
    if not isinstance(history, History) or not isinstance(generator, np.random.RandomState):
        raise LoadError("it has no history or no random state; it is damaged")
    if best is not None and type(best) is not float:
        raise LoadError(f"its best score is {best!r}; expected a number")
    if mine:
        raise LoadError(f"it has the tensor {next(iter(mine))!r}, which is none of this fit's")
    return Stopped(history=history, **values)


def _check_going_on(model: Any, stopped: Stopped) -> None:
    """That the estimator of a file, made here for no other use, is one that such a fit stops with."""
    sizes, hidden = [np.size(b) for b in model.intercepts_], model._hidden()
    if sizes[:-1] != hidden:
        raise LoadError(f"its layers have {sizes[:-1]} neurons, and its parameters say {hidden}")
    of_x = model._scalings()[0]
    if (None if of_x is None else of_x.kind) != model.scale:
        raise LoadError(f"its scale is {model.scale!r}, and its scaler of X is another")
    if model.solver == "lbfgs":
        raise LoadError("its solver is 'lbfgs', which has no checkpoints")
    check_options(model)
    if model.eval_metric is not None:
        check_scoring(model, scoring=model.eval_metric)
    model._network(train=True)
    missing = [
        name for name in ("_optimizer", "_state_of", "loss_curve_", "validation_curve_") if not hasattr(model, name)
    ]
    missing += [name for name in ("loss_curve_", "validation_curve_") if getattr(model, name, ()) is None]
    if missing:
        raise LoadError(f"it has no {missing[0]}, with which a fit goes on")
    step_of(model)
    scores, best = (model.__dict__.get(f"{what}_") for what in ("validation_scores", "best_validation_score"))
    if scores is not None and best is None:
        raise LoadError(f"it has {len(scores)} scores of the validation, and no best one")
    if stopped.best is not None and "_best_parameters" not in model.__dict__:
        raise LoadError(f"its best score is {stopped.best}, and it has no weights of that")


def _check_watching(model: Any, stopped: Stopped, task: Task) -> None:
    """That what is measured after an epoch goes on as it began."""
    held_out = model.early_stopping and task.eval_set is None
    if held_out != (stopped.held_out is not None):
        raise LoadError(f"its early_stopping is {model.early_stopping}, and its held-out rows say otherwise")
    if stopped.best is not None and task.eval_set is None:
        raise LoadError(f"its best score is {stopped.best}, and it has no data to measure that")
    if model.eval_metric is not None and task.eval_set is None:
        raise LoadError(f"its eval_metric is {model.eval_metric!r}, and it has no data to measure that")
    scores_of = what_scores(model, held_out, model.eval_metric is not None)
    if (held_out or task.eval_set is not None) and model.__dict__.get("_scores_of") != scores_of:
        raise LoadError(f"its scores are of {model.__dict__.get('_scores_of')!r}; expected {scores_of!r}")


def _check_rows(stopped: Stopped, rows: int) -> None:
    """That order and held-out rows are some of the data, each once."""
    parts = [part for part in (stopped.order, stopped.held_out) if part is not None]
    for part in parts:
        if not (isinstance(part, np.ndarray) and part.ndim == 1 and part.dtype == np.int64 and len(part)):
            raise LoadError(f"its rows are {str(part)[:100]}; expected numbers of rows")
    together = np.concatenate(parts) if parts else np.arange(rows)
    if not np.array_equal(np.sort(together), np.arange(rows)):
        raise LoadError("its rows are not each one of the data once; it is damaged")
