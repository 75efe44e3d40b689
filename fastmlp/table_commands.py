"""What the commands of the shell do with tables and with the nets that learned from them.

A file of a net that was trained here has a description of its table beside the net (`table_columns.Description`), so
that it is used on other tables by the names of their columns. What is asked for goes to standard output, notes go to
standard error. Not here: what the words on a command line mean (__main__.py).
"""

import csv
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastmlp import __version__
from fastmlp import table_files as files
from fastmlp.files import LoadError, replace_file
from fastmlp.formulas import Array
from fastmlp.messages import not_installed
from fastmlp.mlp import MLP
from fastmlp.saving import FIT_KEY, metadata_table, named, opened, save
from fastmlp.table_columns import KINDS, Description, Feature, description, encoded, feature, target, target_like
from fastmlp.table_files import Table, TableError, listed

_KEY = "fastmlp.table"  # of the metadata
_LEAST_ROWS = 10
_HELD_OUT = 0.2  # of all rows, for the score
_WATCHED = 0.15  # of the rest, for the end of training
_LEAST_WATCHED = 40  # rows to train with; of fewer, all are trained with, to the last epoch
_BEYOND_CHANCE = 2.0  # standard errors


class Format(NamedTuple):
    """How CSV is written."""

    separator: str
    encoding: str


def train(
    source: str, out: str, target_name: str, task: str | None, hidden: Sequence[int], epochs: int, seed: int,
    ignored: Sequence[str], csv_format: Format,
) -> None:  # fmt: skip
    """Learn to tell a column of a table by the others; write the net, and say how good it is."""
    _check_writable(out)
    table = _read(source, csv_format)
    if table.rows < _LEAST_ROWS:
        raise table.problem(f"has {table.rows} rows; expected at least {_LEAST_ROWS}")
    for name in ignored:
        table.column(name)
    if target_name in ignored:
        raise TableError(f"--target and --ignore both name {target_name!r}; expected it in one of them")
    goal = target(table, target_name, task)
    names = [name for name in table.columns if name not in {target_name, *ignored}]
    if not names:
        raise table.problem(f"has no column besides {target_name!r} to learn from")
    features = tuple(feature(table, name) for name in names)
    X = encoded(table, features)
    print(f"{table.source}: {table.rows:,} rows")
    print(f"inputs    {X.shape[1]} from {len(names)} columns: {_by_kind(features)}")
    print(f"task      {goal.task}, {goal.reason}", flush=True)
    _note_row_numbers(table, names)

    y, is_classification = goal.values, goal.task == "classification"
    model = _new_model(goal.task, table.rows, hidden, epochs, seed)
    kept, held_out = _split(np.arange(table.rows), _HELD_OUT, y if is_classification else None, seed)
    _fit(model, X[kept], y[kept], np.unique(y) if is_classification else None, seed)
    baseline = _baseline(y[kept], is_classification)
    scores, report = _scored(model, X[held_out], y[held_out], baseline)
    said = Description(
        target_name, goal.task, features, baseline, len(kept), len(held_out), seed, model.n_iter_, float(model.loss_),
        scores, __version__,
    )  # fmt: skip
    save(model, out, False, {_KEY: said.as_json()})
    others = f"{len(held_out):,} others are held out (seed {seed})"
    print(f"training  {model.n_iter_} epochs on {len(kept):,} rows; {others}")
    print(report)
    print(f"written   {out}")


def predict(model_file: str, source: str, out: str, probabilities: bool, csv_format: Format) -> None:
    """Write a prediction for each row of a table."""
    model, said = _loaded(model_file)
    if probabilities and said.task != "classification":
        raise TableError(f"{model_file} predicts numbers; --proba is for classes")
    if out != "-":
        _check_writable(out)
    table = _read(source, csv_format)
    known = {one.name for one in said.features}
    if said.target in table.columns:
        _note(f"{table.source}: column {said.target!r} is what is predicted; it is not looked at")
    if extra := [name for name in table.columns if name not in {*known, said.target}]:
        _note(f"{table.source}: not used, as the net was not trained with: {listed(map(repr, extra))}")
    X = encoded(table, said.features)
    columns = [(said.target, model.predict(X).tolist())]
    if probabilities:
        names = [f"P({label})" for label in model.classes_]
        columns += zip(names, model.predict_proba(X).T.tolist(), strict=True)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=csv_format.separator, lineterminator="\n")
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*(column for _, column in columns), strict=True))
    if out == "-":
        sys.stdout.write(text.getvalue())
    else:
        replace_file(out, [text.getvalue().encode()])


def evaluate(model_file: str, source: str, csv_format: Format) -> None:
    """Print how good a net is on a table that has the target."""
    model, said = _loaded(model_file)
    table = _read(source, csv_format)
    y = target_like(table, said, model.classes_ if said.task == "classification" else None)
    print(f"{table.source}: {table.rows:,} rows")
    print(_scored(model, encoded(table, said.features), y, said.baseline)[1])


def export(model_file: str, to: str, out: str) -> None:
    """Write a net for another program, and print in which order its inputs are."""
    _check_writable(out)
    model, metadata = opened(model_file)
    said = _described(model_file, metadata)
    if said is not None:
        model.feature_names_in_ = np.array(said.inputs, object)  # which go along, where there is a place for them
    if to == "torch":
        try:
            import torch
        except ModuleNotFoundError as missing:
            raise not_installed("--to torch", "torch", "torch", missing) from None
        held = io.BytesIO()
        torch.save(model.to_torch().state_dict(), held)
        replace_file(out, [held.getbuffer()])
    else:
        getattr(model, f"to_{to}")(out)
    forward = model._forward()
    names = forward.names or [f"x[{i}]" for i in range(len(forward.weights[0]))]
    print(f"written  {out}; its inputs, in their order:")
    for at, name in enumerate(names):
        print(f"{at:5}  {name}")


def info(model_file: str) -> None:
    """Print what a file says of its net."""
    model, metadata = opened(model_file)
    said = _described(model_file, metadata)
    forward = model._forward()
    sizes = [len(forward.weights[0]), *map(len, forward.biases)]
    numbers = sum(W.size + b.size for W, b in zip(forward.weights, forward.biases, strict=True))
    print(f"{model_file}: {type(model).__name__}, {Path(model_file).stat().st_size:,} bytes")
    for l, ((n_in, n_out), activation) in enumerate(zip(pairwise(sizes), forward.activations, strict=True), 1):
        print(f"layer {l:<3} {n_in:,} → {n_out:,}  {activation}")
    print(f"weights   {numbers:,} of {forward.dtype}, {numbers * forward.dtype.itemsize:,} bytes")
    print(f"loss      {model.loss}")
    for what, scaling in (("inputs", forward.of_inputs), ("outputs", forward.of_outputs)):
        if scaling is not None:
            print(f"scaled    {what}: {type(scaling).__name__.lower()}")
    if forward.classes is not None:
        print(f"classes   {listed(map(str, forward.classes))}")
    fit = metadata_table(metadata, FIT_KEY)
    if fit is not None and fit.get("over") is not True:
        print("fit       not over: fastmlp.resume, from Python, goes on with it")
    if said is None:
        print("columns   not known: it was not trained by fastmlp train")
        print(f"trained   {_record(model)}")
        return
    print(f"predicts  {said.target!r}, a {said.task}")
    for one in said.features:
        print(f"column    {one.name!r}: {one.kind}{' of ' * bool(one.categories)}{listed(one.categories)}")
    print(f"trained   by fastmlp {said.version}: {said.epochs} epochs, {said.rows:,} rows, last loss {said.loss:.4g}")
    scores = ", ".join(f"{name} {number:.4g}" for name, number in said.score.items())
    print(f"held out  {said.held_out:,} rows, seed {said.seed}: {scores}")
    print(f"baseline  always answering {said.baseline!r}")


def _record(model: Any) -> str:
    """What a net or an estimator knows of its last fit, in words."""
    if isinstance(model, MLP):
        history = model.history
        if history is None:
            return "not by fit, or not at all"
        losses = {"last loss": history.loss, "last validation loss": history.validation_loss}
        facts = [f"{history.epochs} epochs in {history.seconds:.3g} s, ended by {history.stop_reason!r}"]
    else:
        losses = {"last loss": model.loss_curve_, "last validation loss": model.validation_curve_}
        facts = [f"{model.n_iter_} epochs"]
    return ", ".join([*facts, *(f"{name} {curve[-1]:.4g}" for name, curve in losses.items() if curve)])


# Training


def _new_model(task: str, rows: int, hidden: Sequence[int], epochs: int, seed: int) -> Any:
    """The estimator that learns; of nothing so far."""
    from fastmlp import MLPClassifier, MLPRegressor

    kind = MLPClassifier if task == "classification" else MLPRegressor
    return kind(
        hidden_layer_sizes=hidden, scale="standard", batch_size=min(200, max(8, rows // 25)), max_iter=epochs,
        n_iter_no_change=20, random_state=seed, progress=_has_terminal(),
    )  # fmt: skip


def _fit(model: Any, X: Array, y: Array, classes: Array | None, seed: int) -> None:
    """Train, and end when some of the rows, apart from the others, have not been told better for a while."""
    arguments: dict[str, Any] = {} if classes is None else {"classes": classes}
    if len(X) >= _LEAST_WATCHED:
        trained, watched = _split(np.arange(len(X)), _WATCHED, None if classes is None else y, seed)
        model.set_params(early_stopping=True)
        if classes is not None and len(np.unique(y[watched])) == len(classes):  # which that metric wants
            model.set_params(eval_metric="neg_log_loss")
        arguments["eval_set"] = X[watched], y[watched]
        X, y = X[trained], y[trained]
    with _warnings_as_notes():
        model.fit(X, y, **arguments)
    model.set_params(progress=False)


def _split(rows: Array, share: float, labels: Array | None, seed: int) -> tuple[Array, Array]:
    """Two parts of the rows, the second of this share; of each class in proportion, where there are enough of it."""
    from sklearn.model_selection import train_test_split

    second = int(np.ceil(share * len(rows)))
    if labels is not None:
        counts = np.unique(labels, return_counts=True)[1]
        if counts.min() < 2 or len(counts) > min(second, len(rows) - second):
            labels = None
    first, other = train_test_split(rows, test_size=second, random_state=seed, stratify=labels)
    return first, other


def _by_kind(features: Sequence[Feature]) -> str:
    """The columns, those of a kind together."""
    parts = []
    for kind in KINDS:
        several = [one for one in features if one.kind == kind]
        names = [f"{one.name} ({len(one.categories)})" if one.categories else one.name for one in several]
        if names:
            parts.append(f"{kind} {listed(names, 8)}")
    return "; ".join(parts)


def _note_row_numbers(table: Table, names: list[str]) -> None:
    for name in names:
        numbers = table.columns[name].numbers
        if numbers is not None and (np.diff(numbers) == 1).all():
            _note(f"column {name!r} counts the rows; if it says nothing else, leave it out by --ignore {name}")


# Scores


def _baseline(y: Array, is_classification: bool) -> Any:
    """The one answer that is best: the most frequent label, or the mean."""
    if not is_classification:
        return float(y.mean())
    labels, counts = np.unique(y, return_counts=True)
    return labels[counts.argmax()].item()


def _scored(model: Any, X: Array, y: Array, baseline: Any) -> tuple[dict[str, float], str]:
    """Scores by name, and lines that compare them with always answering the baseline."""
    predicted = model.predict(X)
    if hasattr(model, "classes_"):
        from sklearn.metrics import log_loss

        right, by_baseline = predicted == y, y == baseline
        loss = float(log_loss(y, model.predict_proba(X), labels=model.classes_))
        scores = {"accuracy": float(right.mean()), "log loss": loss}
        reached = f"{right.mean():.2f} right ({right.sum():,} of {len(y):,})"
        trivial = f"has {by_baseline.mean():.2f}"
        gain, what = right.astype(float) - by_baseline, repr(baseline)
    else:
        errors, by_mean = predicted - y, baseline - y
        scores = _scores_of_numbers(errors, y)
        of_mean = _scores_of_numbers(by_mean, y)
        reached, trivial = f"typically off by {scores['RMSE']:.4g}", f"is by {of_mean['RMSE']:.4g}"
        gain, what = by_mean**2 - errors**2, f"the mean of training, {baseline:.4g},"
    line = ", ".join(f"{name} {number:.4g}" for name, number in scores.items())
    return scores, (
        f"score     {line} on {len(y):,} rows\n"
        f"verdict   {reached}, where always answering {what} {trivial}: {_verdict(gain)}"
    )


def _scores_of_numbers(errors: Array, y: Array) -> dict[str, float]:
    squares = float(np.mean(errors**2))
    scores = {"RMSE": squares**0.5, "MAE": float(np.abs(errors).mean())}
    return {"R²": 1 - squares / float(y.var())} | scores if y.var() > 0 else scores


def _verdict(gain: Array) -> str:
    """In words, whether the mean of these gains over a baseline, one a row, is there or may be chance."""
    mean, error = float(gain.mean()), float(gain.std()) / len(gain) ** 0.5
    if mean <= 0:
        return "no better than that; other columns, more rows or more --epochs may help"
    if len(gain) < _LEAST_ROWS or mean < _BEYOND_CHANCE * error:
        return f"better, but on {len(gain)} rows that may be chance"
    return "it learned"


# Files


def _read(source: str, csv_format: Format) -> Table:
    table = files.read(source, *csv_format)
    for note in table.notes:
        _note(note)
    return table


def _loaded(model_file: str) -> tuple[Any, Description]:
    """The estimator of a file and its table, which go together."""
    model, metadata = opened(model_file)
    said = _described(model_file, metadata)
    if said is None:
        raise LoadError(
            f"{model_file}: it says nothing of the columns of a table, as fastmlp train would have; use it from "
            "Python, by fastmlp.load"
        )
    is_classification = hasattr(model, "classes_")
    inputs = getattr(model, "n_features_in_", -1)
    if inputs != len(said.inputs) or is_classification != (said.task == "classification"):
        raise LoadError(
            f"{model_file}: its net, a {type(model).__name__}, does not go with what it says of its table, a "
            f"{said.task} of {len(said.inputs)} inputs; it is damaged"
        )
    return model, said


def _described(model_file: str, metadata: dict[str, str]) -> Description | None:
    with named(model_file):
        said = metadata_table(metadata, _KEY)
        return None if said is None else description(said)


def _check_writable(out: str) -> None:
    """That a file can be written there: better said before an hour of training than after it."""
    folder = Path(out).parent
    if Path(out).is_dir():
        raise TableError(f"--out {out} is a folder; expected the name of a file")
    if not folder.is_dir():
        raise TableError(f"--out {out}: there is no folder {folder}; make it, or give another name")
    if not os.access(folder, os.W_OK):
        raise TableError(f"--out {out}: nothing may be written into {folder}; give another name")


# What is said aside


def _has_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _note(text: str) -> None:
    print(f"fastmlp: note: {text}", file=sys.stderr)


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for one in caught:
        if issubclass(one.category, ConvergenceWarning):
            _note("it was still learning after the last epoch; more --epochs may help")
        else:
            _note(" ".join(str(one.message).split()))
