"""Checkpoints: files from which a fit goes on after the process was killed, to the same bits as if it had not been.

A checkpoint is a file of the net or the estimator as it is at the end of an epoch (saving.py), and beside it what the
rest of the fit depends on: its arguments, how far it is, and the fingerprints of its data, which the file does not
hold. It is written when the fit begins, then as often as asked for, and when the fit is over.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from numbers import Integral
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from fastmlp import builds, checks
from fastmlp.files import Contents, LoadError, as_path, read, write
from fastmlp.history import History
from fastmlp.messages import warn
from fastmlp.mlp import MLP
from fastmlp.progress import progress as as_progress
from fastmlp.saving import (
    FIT_KEY,
    Description,
    Tensors,
    believed,
    describe_net,
    described_optimizer,
    made,
    made_optimizer,
    metadata_table,
    named,
    taken,
    write_model,
)  # fmt: skip
from fastmlp.threads import threads as as_threads
from fastmlp.training import Data, Run
from fastmlp.training import callbacks as as_callbacks
from fastmlp.values import NoValue, decoded, encoded

_SECONDS = 60.0  # between two checkpoints, if nobody says


class Checkpoints:
    """The checkpoints of one fit: where they are written, and when.

    Parameters
    ----------
    path : path-like
    every : int, float or None
        Epochs or seconds from one to the next.
    kind : type
        Of the net or the estimator.
    fit : dict
        What the rest of the fit depends on and does not change: arguments and fingerprints.
    describe : callable
        From how far the fit is, a value of its own, to what there is to say of the net, and of the rest of the fit,
        and the tensors of both.
    written : int, optional
        After how many epochs the one was written that is there.
    is_new : bool, optional
        Whether there was no such file when the fit began; if there is one when the first is written, it is another's.
    """

    def __init__(
        self,
        path: Any,
        every: Any,
        kind: type,
        fit: Description,
        describe: Callable[[Any], tuple[Description, Description, Tensors]],
        written: int | None = None,
        is_new: bool = False,
    ) -> None:
        self._path, self._kind, self._fit, self._describe = path, kind, fit, describe
        self._is_new = is_new
        self._epochs, self._seconds = _period(every)
        self._last = None if written is None else (written, perf_counter())
        self._fails = False  # the last one

    def epochs_at_once(self, epochs: int) -> int:
        """How many epochs may be made after so many before somebody has to look."""
        if self._epochs is None or self._last is None:
            return 2**62
        return max(1, self._last[0] + self._epochs - epochs)

    def is_due(self, epochs: int) -> bool:
        """Whether it is time to write one, after so many epochs."""
        if self._last is None:
            return True
        if self._epochs is None:
            return perf_counter() - self._last[1] >= self._seconds
        return epochs - self._last[0] >= self._epochs

    def write(self, epochs: int, so_far: Any, over: bool = False) -> None:
        """Write one after so many epochs; the last when the fit is `over`.

        A disk that fills up after the first one is no reason to lose what was trained: there is a warning, then.
        """
        said, rest, tensors = self._describe(so_far)
        metadata = {FIT_KEY: json.dumps(self._fit | rest | {"over": over}, allow_nan=False)}
        try:
            write_model(self._path, self._kind, said, tensors, metadata, self._is_new)
            self._fails = self._is_new = False
        except OSError as problem:
            if self._last is None:
                if self._is_new and isinstance(problem, FileExistsError):
                    raise _why_taken(self._path) from None
                raise
            if not self._fails:
                self._fails = True
                what = f"no checkpoint could be written after epoch {epochs}, and the fit goes on"
                warn(f"{what}: {problem}", RuntimeWarning)
        self._last = epochs, perf_counter()

    def write_failure(self, failure: str) -> None:
        """Note in the last one why the fit has ended without a result: to go on from there would end so again."""
        if self._last is None:  # and what is there is another's
            return
        with suppress(OSError, LoadError):  # as there is an error already that says more
            tensors, metadata = read(self._path)
            fit = metadata_table(metadata, FIT_KEY)
            if fit is not None:
                metadata[FIT_KEY] = json.dumps(fit | {"over": True, "failure": failure}, allow_nan=False)
                write(self._path, Contents(tensors, metadata))


def _period(every: Any) -> tuple[int | None, float]:
    """Epochs, or None and seconds."""
    if every is None:
        return None, _SECONDS
    if isinstance(every, (bool, np.bool_)):
        raise TypeError(f"checkpoint_every is {every!r}; expected epochs, an int, or seconds, a float")
    if isinstance(every, Integral):
        return checks.integer("checkpoint_every", every, 1), 0.0
    return None, checks.number("checkpoint_every", every, above=0)


def made_period(fit: Description) -> Any:
    """What `fit` was given as checkpoint_every."""
    every = decoded(fit["every"], {})
    _period(every)
    return every


def checked_path(path: Any, every: Any) -> tuple[Path, bool]:
    """The file that a fit may write its checkpoints to, none that holds another fit; and whether it is a new one."""
    if path is None:
        raise ValueError(f"checkpoint_every is {every!r} without checkpoint; expected the name of a file there")
    target = as_path(path).absolute()  # the same file, wherever the process goes meanwhile
    is_new = not target.exists()
    if not is_new:
        _check_over(target)
    return target, is_new


def _check_over(target: Path) -> None:
    """That a file that is there holds a fit which has ended."""
    if not target.is_file():
        raise FileExistsError(f"checkpoint is {str(target)!r}, which is no file; expected the name of one")
    try:
        fit = metadata_table(read(target).metadata, FIT_KEY)
    except LoadError:
        raise FileExistsError(
            f"checkpoint is {str(target)!r}, which is no file of fastmlp's; expected another"
        ) from None
    if fit is None:
        raise FileExistsError(f"checkpoint is {str(target)!r}, which holds no fit; expected another name")
    if fit.get("over") is not True:
        raise FileExistsError(
            f"checkpoint is {str(target)!r}, where a fit has not ended: fastmlp.resume goes on with it; expected "
            "another name, or delete the file"
        )


def _why_taken(target: Path) -> OSError:
    """The error of a fit that finds another file where none was when it began."""
    try:
        _check_over(target)
    except OSError as problem:
        return problem
    return FileExistsError(f"checkpoint is {str(target)!r}, where another fit has ended meanwhile; expected another")


def fingerprint(**arrays: Any) -> dict[str, list[str]]:
    """What arrays are, dense or of compressed rows, and a digest of their numbers; nothing of those that are None."""
    found = {}
    for name, array in arrays.items():
        if array is None:
            continue
        parts = [array] if isinstance(array, np.ndarray) else [array.data, array.indices, array.indptr]  # of scipy
        digest = blake2b(digest_size=16)
        for part in parts:
            digest.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        found[name] = [f"of shape {tuple(map(int, array.shape))} and {parts[0].dtype}", digest.hexdigest()]
    return found


def check_fingerprints(expected: Any, found: dict[str, list[str]]) -> None:
    """That the data are those with which the fit began."""
    entries = expected.values() if isinstance(expected, dict) else [None]
    if not all(isinstance(one, list) and [str, str] == [*map(type, one)] for one in entries):
        raise LoadError(f"its fingerprints are {expected!r}; it is damaged")
    for name in sorted({*expected, *found}):
        now, before = found.get(name, ["not given", ""]), expected.get(name, ["not given", ""])
        if now[0] != before[0]:
            raise ValueError(f"{name} is {now[0]}; when the fit began it was {before[0]}: expected the same data")
        if now[1] != before[1]:
            raise ValueError(f"{name}, {now[0]}, has other values than when the fit began; expected the same data")


# nets

# What the steps of `MLP.fit` depend on, besides the data.
ARGUMENTS = (
    "epochs", "batch_size", "optimizer", "shuffle", "validation", "patience", "tol", "schedule", "max_time",
    "average", "dropout_schedule", "weight_decay_schedule", "metric",
)  # fmt: skip
_LATER = ARGUMENTS[9:]  # those that the checkpoints of an older version have not; they are None there


def of_net(
    net: MLP, data: Data, validation: Data | None, path: Any, every: Any, arguments: Sequence[Any]
) -> Checkpoints:
    """The checkpoints of `MLP.fit` with these ARGUMENTS, on data of which nothing is split off yet."""
    target, is_new = checked_path(path, every)
    if type(net) is not MLP:
        raise TypeError(f"checkpoint is given, and the net is a {type(net).__name__}; files keep MLP")
    said: Description = {}
    for name, value in zip(ARGUMENTS, arguments, strict=True):
        if name == "validation" and isinstance(value, (tuple, list)):
            value = "data"
        try:
            said[name] = described_optimizer(value) if name == "optimizer" else encoded(value, {}, name)
        except NoValue:
            raise TypeError(f"{name} is {value!r}, which a checkpoint cannot hold; expected another kind") from None
    fit = {"arguments": said, "fingerprints": _fingerprints_of(data, validation), "build": builds.current()}
    fit["every"] = encoded(every, {}, "every")
    return Checkpoints(target, every, MLP, fit, partial(_describe_net_in_training, net), is_new=is_new)


def _describe_net_in_training(net: MLP, so_far: tuple[Run, History]) -> tuple[Description, Description, Tensors]:
    run, history = so_far
    net._show(run)
    said, tensors = describe_net(net, True, history)
    rest: Description = {"waited": run.waited, "best_loss": encoded(run.best_loss, tensors, "")}
    if np.isfinite(run.best_loss):
        assert run.best is not None
        tensors["fit.best"] = run.best
    if run.averaged is not None:
        rest["average_power"], tensors["fit.average"] = run.average_power, run.averaged
    return said, rest, tensors


def _fingerprints_of(data: Data, validation: Data | None) -> dict[str, list[str]]:
    """Of the data, and of those to validate on where they were given, and are no share of the others."""
    (X, y, w), (X_validation, y_validation, _) = data, validation or (None, None, None)
    return fingerprint(X=X, y=y, sample_weight=w, X_validation=X_validation, y_validation=y_validation)


def resume(
    path: str | os.PathLike[str],
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    validation: Any = None,
    callbacks: Any = (),
    batch_callbacks: Any = (),
    progress: bool | str | None = None,
    threads: int | None = None,
) -> Any:
    """Go on with a fit that was stopped, from its last checkpoint.

    Parameters
    ----------
    path : path-like
        What `fit` was given as `checkpoint`; it goes on writing there.
    X, y, sample_weight
        The same data: what the file says of them is compared.
    validation : (X, y), optional
        The same, if `fit` was given data to validate on; of an estimator its eval_set, or, for X_val, y_val and
        sample_weight_val, (X, y, sample_weight).
    callbacks, batch_callbacks
        As for `MLP.fit`; no file holds them.
    progress, threads : optional
        As for `MLP.fit`, for the rest of this fit. An estimator has them as parameters; None is what these say.

    Returns
    -------
    MLP, MLPClassifier or MLPRegressor
        Trained to the end: the same bits as if nothing had stopped it, with the same build. Its `history` has all
        epochs. If the fit was over already, the net that it ended with.

    Raises
    ------
    LoadError
        If the file is damaged, or holds no fit.
    ValueError
        If the data are not those of the fit; the message says which. If the fit of an estimator has diverged.
    OSError
        If it cannot be opened.

    Warns
    -----
    RuntimeWarning
        If it goes on in another build, whose last bits are others.

    Examples
    --------
    >>> import fastmlp, os, tempfile
    >>> net, X, y = fastmlp.MLP([1, 4, 1], seed=0), [[0.0], [1.0], [2.0]], [0.0, 1.0, 4.0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "run.safetensors")
    ...     history = net.fit(X, y, epochs=20, checkpoint=path, checkpoint_every=5)
    ...     again = fastmlp.resume(path, X, y)
    >>> bool((again.parameters == net.parameters).all())
    True
    """
    path = as_path(path).absolute()
    contents = read(path)
    with named(path):
        fit = metadata_table(contents.metadata, FIT_KEY)
        if fit is None:
            raise LoadError("it holds no fit to go on with: `fit` writes one where it is given checkpoint")
        mine = {name: contents.tensors.pop(name) for name in list(contents.tensors) if name.startswith("fit.")}
        model = made(contents)
        failure = fit.get("failure")
        if failure is not None and not isinstance(failure, str):
            raise LoadError(f"it says that the fit ended by {failure!r}; expected a text")
    if failure is not None:
        raise ValueError(
            f"{path}: the fit has diverged, and would again ({failure}); fastmlp.load gives the net as it was at the "
            "last checkpoint before"
        )
    again = {"callbacks": callbacks, "batch_callbacks": batch_callbacks}
    if isinstance(model, MLP):
        again |= {"progress": progress is not None and progress, "threads": threads}
        return _resume_net(path, model, fit, mine, X, y, sample_weight, validation, again)
    from fastmlp.estimator_checkpoints import resume_estimator

    for_now = {"progress": progress, "n_threads": threads}
    return resume_estimator(path, model, fit, mine, X, y, sample_weight, validation, again, for_now)


def warn_of_build(fit: Description) -> None:
    """Say so if the rest of a fit will be made by another build."""
    if fit.get("build") != builds.current():
        warn(
            f"the fit began in build {fit.get('build')} and goes on in {builds.current()}, with other last bits",
            RuntimeWarning,
        )


def _resume_net(
    path: Any, net: MLP, fit: Description, mine: Tensors, X: Any, y: Any, sample_weight: Any, validation: Any,
    again: dict[str, Any],
) -> MLP:  # fmt: skip
    with named(path), believed("fit"):
        arguments: Description = dict.fromkeys(_LATER)
        arguments |= {name: decoded(value, {}) for name, value in fit["arguments"].items() if name != "optimizer"}
        arguments["optimizer"] = made_optimizer(fit["arguments"]["optimizer"])
        if set(arguments) != set(ARGUMENTS):
            raise LoadError(f"it has the arguments {sorted(arguments)}; expected {sorted(ARGUMENTS)}")
        if arguments["validation"] not in (None, "data"):
            checks.number("validation", arguments["validation"], above=0, below=1)
        history = net.history
        best_loss, waited = decoded(fit["best_loss"], {}), fit["waited"]
        every = made_period(fit)
        if history is None or type(best_loss) is not float or type(waited) is not int or not 0 <= waited < 2**62:
            raise LoadError(f"it has waited {waited!r} epochs for less than a loss of {best_loss!r}; it is damaged")
        best = taken(mine, "fit.best", net.parameters.shape, net.dtype) if np.isfinite(best_loss) else None
        averaged, power = None, 1.0
        if arguments["average"] is not None:
            averaged, power = taken(mine, "fit.average", net.parameters.shape, net.dtype), fit["average_power"]
            if type(power) is not float or not 0 <= power <= 1:
                raise LoadError(f"the power of its average is {power!r}; expected a number from 0 to 1")
        if mine:
            raise LoadError(f"it has the tensor {next(iter(mine))!r}, which is none of this fit's")
    if arguments["validation"] == "data":
        if validation is None:
            raise ValueError("validation is None; the fit was given data to validate on: expected the same (X, y)")
        arguments["validation"] = validation
    elif validation is not None:
        raise ValueError("validation is given; the fit had none, or a share of the rows: expected None")
    _check_caller(net, fit, path, (X, y, sample_weight), validation, again)
    with named(path), believed("fit"):  # as it is not the caller's arguments that may be wrong now
        plan = net._plan(X, y, sample_weight=sample_weight, **arguments, **again)
    if fit.get("over") is True:
        return net
    warn_of_build(fit)
    run = plan.run
    if best is not None:
        if run.best is None:
            raise LoadError(f"{as_path(path)}: it has parameters of a best epoch, and waits for none; it is damaged")
        run.best[...] = best
    run.best_loss, run.waited = best_loss, waited
    if averaged is not None:
        run.averaged, run.average_power = averaged, power
    plan.callbacks.go_on(history)
    describe = partial(_describe_net_in_training, net)
    checkpoints = Checkpoints(path, every, MLP, fit, describe, history.epochs)
    net._train(plan._replace(checkpoints=checkpoints), goes_on=True)
    return net


def _check_caller(net: MLP, fit: Description, path: Any, data: Any, validation: Any, again: dict[str, Any]) -> None:
    """That the data are those of the fit, and that what else is given again can be used."""
    validated = None
    if validation is not None:
        if not isinstance(validation, (tuple, list)) or len(validation) != 2:
            raise TypeError(f"validation is {validation!r:.100}; expected (X, y)")
        validated = net._data(validation[0], validation[1], None, " of validation")
    found = _fingerprints_of(net._data(*data), validated)
    with named(path):
        check_fingerprints(fit.get("fingerprints"), found)
    for name in ("callbacks", "batch_callbacks"):
        as_callbacks(name, again[name])
    as_threads(again["threads"])
    if again["progress"] != "tqdm":  # whose bar would show at once
        as_progress(again["progress"], 1)
