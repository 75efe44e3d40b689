"""What the commands of the shell do with tables and with the ensembles and nets that learned from them.

A file that was trained here has a description of its table beside the model (`table_descriptions.Description`), so
that it is used on other tables by the names of their columns. What is asked for goes to standard output, notes go to
standard error. Not here: what the words on a command line mean (__main__.py).
"""

import csv
import gzip
import io
import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastmlp import __version__
from fastmlp import table_files as files
from fastmlp.c_templates import OF_A_HEADER, TAKEN
from fastmlp.files import LoadError, replace_file
from fastmlp.formulas import Array
from fastmlp.messages import not_installed, note
from fastmlp.saving import FIT_KEY, metadata_table, named, opened, save
from fastmlp.table_columns import KINDS, Feature, check_header, feature, ignoring
from fastmlp.table_descriptions import Description, description
from fastmlp.table_models import epochs_and_loss, inputs, is_ensemble, of_training, print_model, record
from fastmlp.table_scores import scored, written
from fastmlp.table_targets import target, target_like
from fastmlp.table_training import baseline, fit, make_keepable, new_model, split
from fastmlp.tables import Table, TableError, counted, listed, shown

_KEY = "fastmlp.table"  # of the metadata
_LEAST_ROWS = 10
_HELD_OUT = 0.2  # of all rows, for the score


class Format(NamedTuple):
    """How CSV is written."""

    separator: str
    encoding: str


def train(
    source: str, out: str, target_name: str, task: str | None, hidden: Sequence[int] | None, epochs: int | None,
    seed: int, ignored: Sequence[str], csv_format: Format,
) -> None:  # fmt: skip
    """Learn to tell a column of a table by the others; write what has learned, and say how good it is.

    That is one net, if its `hidden` layers are given, and an ensemble otherwise; without `epochs`, as many as it has.
    """
    _check_writable(out, table=source)
    table = files.read(source, *csv_format)
    if table.rows < _LEAST_ROWS:
        raise table.problem(f"has {counted(table.rows, 'row')}; expected at least {_LEAST_ROWS}")
    check_header(table)
    left_out = _left_out(table, ignored)
    if target_name in left_out:
        raise TableError(f"--target and --ignore both name {target_name!r}; expected it in one of them")
    goal = target(table, target_name, task)
    names = [name for name in table.columns if name not in {target_name, *left_out}]
    if not names:
        raise table.problem(f"has no column besides {target_name!r} to learn from")
    features = tuple(feature(table, name, may_miss=hidden is None) for name in names)
    model = new_model(goal.task, table.rows, hidden, epochs, seed)
    X, y, is_classification = inputs(model, table, features), goal.values, goal.task == "classification"
    kept, held_out = split(np.arange(table.rows), _HELD_OUT, y if is_classification else None, seed)
    if is_ensemble(model) and not _varies(X[kept]):
        raise table.problem("each column has one value in all rows to train with, so that there is nothing to learn")
    _note_row_numbers(table, names)
    _say_notes(table)
    print(f"{table.source}: {counted(table.rows, 'row')}")
    if is_ensemble(model):
        print(f"columns   {len(names):,}: {_by_kind(features)}")
        _print_empty(table, features)
    else:
        print(f"inputs    {X.shape[1]:,} from {counted(len(names), 'column')}: {_by_kind(features)}")
    print(f"task      {goal.task}, {goal.reason}", flush=True)

    fit(model, X[kept], y[kept], np.unique(y) if is_classification else None, seed)
    answer = baseline(y[kept], is_classification)
    scores, report = scored(model, X[held_out], y[held_out], answer)
    said = Description(
        target_name, goal.task, features, answer, len(kept), len(held_out), seed, *epochs_and_loss(model), scores,
        __version__,
    )  # fmt: skip
    if is_ensemble(model):
        make_keepable(model, names)
    save(model, out, False, {_KEY: said.as_json()})
    others = f"{len(held_out):,} others are held out (seed {seed})"
    print(f"training  {of_training(model, len(kept))}; {others}")
    print(report)
    print(f"written   {out}")


def _left_out(table: Table, ignored: Sequence[str]) -> set[str]:
    """The columns that are named: each text is one, or several with commas between them."""
    names = {name for text in ignored for name in ([text] if text in table.columns else text.split(","))}
    names = {name if name in table.columns else name.strip() for name in names}
    for name in sorted(names - set(table.columns)):
        table.column(name)  # which there is not
    return names


def predict(model_file: str, source: str, out: str, probabilities: bool, csv_format: Format) -> None:
    """Write a prediction for each row of a table."""
    if out != "-":
        _check_writable(out, table=source, net=model_file)
        if out.removesuffix(".gz").endswith((".parquet", ".pq")):
            raise TableError(f"--out {out}: predictions are written as CSV; give a name such as predictions.csv")
    model, said = _loaded(model_file)
    if probabilities and said.task != "classification":
        raise TableError(f"{model_file} predicts numbers; --proba is for classes")
    table = files.read(source, *csv_format)
    X = inputs(model, table, said.features)
    columns = [(said.target, model.predict(X).tolist())]
    if probabilities:
        names = [f"P({label})" for label in model.classes_]
        columns += zip(names, model.predict_proba(X).T.tolist(), strict=True)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=csv_format.separator, lineterminator="\n")
    writer.writerow([name for name, _ in columns])
    writer.writerows(zip(*(column for _, column in columns), strict=True))
    data = text.getvalue().encode()
    if out == "-":
        sys.stdout.buffer.write(data)  # UTF-8, as in a file, whatever a terminal has
    else:
        replace_file(out, [gzip.compress(data, mtime=0) if out.endswith(".gz") else data])
    if said.target in table.columns:
        table.note(f"column {said.target!r} is what is predicted; it is not looked at")
    if extra := set(table.columns) - {said.target, *(one.name for one in said.features)}:
        extra_names = listed(repr(name) for name in table.columns if name in extra)
        table.note(f"not used, as the model was not trained with: {extra_names}")
    _say_notes(table)


def evaluate(model_file: str, source: str, csv_format: Format) -> None:
    """Print how good a model is on a table that has the target."""
    model, said = _loaded(model_file)
    table = files.read(source, *csv_format)
    X = inputs(model, table, said.features)
    y = target_like(table, said.target, model.classes_ if said.task == "classification" else None)
    report = scored(model, X, y, said.baseline)[1]
    _say_notes(table)
    print(f"{table.source}: {counted(table.rows, 'row')}")
    print(report)


def export(model_file: str, to: str, out: str, name: str | None = None) -> None:
    """Write a net for another program, and print in which order its inputs and its classes are.

    The `name` is that of a function of C; the file's where it is None.
    """
    if name is not None and to != "c":
        raise TableError(f"--name {name} is for --to c, whose function it names; expected none with --to {to}")
    _check_writable(out, net=model_file)
    model, _, said = _opened(model_file)
    if is_ensemble(model):
        raise TableError(
            f"{model_file} holds an ensemble of {counted(len(model.members_), 'net')}, and a file for another "
            "program holds one; train with --hidden, such as --hidden 128,64, to have one net to export"
        )
    if said is not None:
        model.feature_names_in_ = np.array(said.inputs, object)  # which go along, where there is a place for them
    forward = model._forward()
    what, more = out, []
    if to == "torch":
        try:
            import torch
        except ModuleNotFoundError as missing:
            raise not_installed("--to torch", "torch", "torch", missing) from None
        module = model.to_torch()
        held = io.BytesIO()
        torch.save(module.state_dict(), held)
        replace_file(out, [held.getbuffer()])
        more = ["it is the state_dict of", str(module)]
    elif to == "c":
        name = _c_name(out) if name is None else name
        model.to_c(out, name=name)
        what = f"{out}, the function {name}"
    else:
        model.to_onnx(out)
    print(f"written  {what}; its inputs, in their order:")
    _print_numbered(forward.names or [f"x[{i}]" for i in range(len(forward.weights[0]))])
    if forward.classes is not None:
        labels = [str(label) for label in forward.classes]
        if to == "torch" and len(forward.biases[-1]) == 1 < len(labels):
            print(f"its output is the probability of {shown(labels[1])}, and not of {shown(labels[0])}")
        else:
            print("its classes, in the order of their probabilities:")
            _print_numbered(labels)
    print(*more, sep="\n", end="\n" * bool(more))


def _c_name(out: str) -> str:
    """What to call a function of C in this file: as that is called, where C has no other use for the name."""
    name = re.sub(r"(_own)+_", "_", re.sub(r"\W", "_", Path(out).stem, flags=re.ASCII))
    if OF_A_HEADER.fullmatch(name):
        name += "_net"
    return name if name[:1].isalpha() and not TAKEN.fullmatch(name) else f"net_{name}"


def _print_numbered(names: Sequence[str]) -> None:
    for at, name in enumerate(names):
        print(f"{at:5}  {shown(name)}")


def info(model_file: str) -> None:
    """Print what a file says of its model."""
    model, metadata, said = _opened(model_file)
    print(f"{model_file}: {type(model).__name__}")
    print_model(model)
    checkpoint = metadata_table(metadata, FIT_KEY)
    is_over = checkpoint is None or checkpoint.get("over") is True
    if not is_over:
        print("fit       not over: fastmlp.resume, from Python, goes on with it")
    elif checkpoint is not None and "failure" in checkpoint:
        print(f"fit       has diverged: {shown(str(checkpoint['failure']))}")
    if said is None:
        print("columns   not known: it was not trained by fastmlp train")
        print(f"trained   {record(model, is_over)}")
        return
    print(f"predicts  {said.target!r}, a {said.task}")
    for one in said.features:
        of = f" of {listed(one.categories)}" if one.categories else ""
        print(f"column    {one.name!r}: {one.kind}{of}{', some of it empty' * one.holes}")
    made = f"{counted(said.epochs, 'epoch')}, {counted(said.rows, 'row')}, last loss {written(said.loss)}"
    print(f"trained   by fastmlp {said.version}: {made}")
    scores = ", ".join(f"{name} {written(number)}" for name, number in said.score.items())
    print(f"held out  {counted(said.held_out, 'row')}, seed {said.seed}: {scores}")
    baseline = written(said.baseline) if isinstance(said.baseline, float) else repr(said.baseline)
    print(f"baseline  always answering {baseline}")


# Columns


def _by_kind(features: Sequence[Feature]) -> str:
    """The columns, those of a kind together."""
    parts = []
    for kind in KINDS:
        several = [one for one in features if one.kind == kind]
        names = [f"{one.name} ({len(one.categories)})" if one.categories else one.name for one in several]
        if names:
            parts.append(f"{kind} {listed(names, 8)}")
    return "; ".join(parts)


def _print_empty(table: Table, features: Sequence[Feature]) -> None:
    """Print how many cells of each column are empty, if any are."""
    names = [one.name for one in features if one.holes]
    if names:
        counts = [f"{name} ({np.count_nonzero(table.column(name).empty()):,})" for name in names]
        print(f"empty     {listed(counts, 8)}")


def _varies(X: Array) -> bool:
    """Whether there is a column with two values; NaN is NaN."""
    first = X[0]
    same = (first == X) | ((first != first) & (X != X))
    return not same.all()


def _note_row_numbers(table: Table, names: list[str]) -> None:
    for name in names:
        numbers = table.columns[name].numbers
        if numbers is not None and (np.diff(numbers) == 1).all():
            table.note(f"column {name!r} counts the rows; if it says nothing else, leave it out by {ignoring(name)}")


# Files


def _loaded(model_file: str) -> tuple[Any, Description]:
    """The estimator of a file and its table."""
    model, _, said = _opened(model_file)
    if said is None:
        raise LoadError(
            f"{model_file}: it says nothing of the columns of a table, as fastmlp train would have; use it from "
            "Python, by fastmlp.load"
        )
    model.__dict__.pop("feature_names_in_", None)  # the columns are given by their places, as they were in training
    return model, said


def _opened(model_file: str) -> tuple[Any, dict[str, str], Description | None]:
    """The model of a file, its metadata, and what that says of a table, if anything, which goes with the model."""
    model, metadata = opened(model_file)
    with named(model_file):
        table = metadata_table(metadata, _KEY)
        if table is None:
            return model, metadata, None
        said = description(table)
        classes = getattr(model, "classes_", None)
        has: Any = model.encoder_.names_in if is_ensemble(model) else getattr(model, "n_features_in_", 0)
        says: Any = [one.name for one in said.features] if is_ensemble(model) else len(said.inputs)
        if has != says or (classes is not None) != (said.task == "classification"):
            raise LoadError(
                f"its {type(model).__name__}, whose inputs are {str(has)[:200]}, does not go with what it says of "
                f"its table, a {said.task} by {str(says)[:200]}; it is damaged"
            )
        if classes is not None and said.baseline not in classes.tolist():
            raise LoadError(
                f"the baseline of its table is {said.baseline!r}, which is none of its classes; it is damaged"
            )
    return model, metadata, said


def _check_writable(out: str, **read: str) -> None:
    """That a file can be written there, and none that is read: better said before training than after it."""
    folder = Path(os.path.realpath(out)).parent
    if not out:
        raise TableError("--out '' is no name of a file; expected one")
    if out == "-":
        raise TableError("--out -: only predict writes to standard output; expected the name of a file")
    if out.endswith(os.sep) or Path(out).is_dir():
        raise TableError(f"--out {out} is a folder; expected the name of a file")
    for what, source in read.items():
        with suppress(OSError):
            if os.path.samefile("/dev/stdin" if source == "-" else source, out) and Path(out).is_file():
                raise TableError(f"--out {out} is the {what} that is read; give another name")
    if not folder.is_dir():
        raise TableError(f"--out {out}: there is no folder {folder}; make it, or give another name")
    is_replaced = Path(out).is_file() or not Path(out).exists()
    if not os.access(folder if is_replaced else out, os.W_OK):
        where = f"nothing may be written into {folder}" if is_replaced else "it may not be written into"
        raise TableError(f"--out {out}: {where}; give another name")


def _say_notes(table: Table) -> None:
    for text in table.notes:
        note(text)
