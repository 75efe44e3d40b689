"""Checkpoints of the estimators: what their loop goes on with, beside what the estimator says of itself.

When and where they are written is in checkpoints.py, the loop in estimator_training.py.
"""

import copy
from functools import partial
from typing import Any

import numpy as np

from fastmlp import builds
from fastmlp.checkpoints import Checkpoints, check_fingerprints, checked_path, fingerprint, made_period, warn_of_build
from fastmlp.estimator_saving import describe_estimator
from fastmlp.estimator_training import Stopped, Task
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


def _check_rows(stopped: Stopped, rows: int) -> None:
    """That order and held-out rows are some of the data, each once."""
    parts = [part for part in (stopped.order, stopped.held_out) if part is not None]
    for part in parts:
        if not (isinstance(part, np.ndarray) and part.ndim == 1 and part.dtype == np.int64 and len(part)):
            raise LoadError(f"its rows are {str(part)[:100]}; expected numbers of rows")
    together = np.concatenate(parts) if parts else np.arange(rows)
    if not np.array_equal(np.sort(together), np.arange(rows)):
        raise LoadError("its rows are not each one of the data once; it is damaged")
