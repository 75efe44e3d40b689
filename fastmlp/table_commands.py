"""What the commands of the shell do with tables and with the nets that learned from them.

A file of a net that was trained here has a description of its table beside the net (`table_columns.Description`), so
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
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastmlp import __version__
from fastmlp import table_files as files
from fastmlp.c_templates import OF_A_HEADER, TAKEN
from fastmlp.files import LoadError, replace_file
from fastmlp.messages import not_installed, note
from fastmlp.mlp import MLP
from fastmlp.saving import FIT_KEY, metadata_table, named, opened, save
from fastmlp.table_columns import KINDS, Feature, check_header, encoded, feature, ignoring
from fastmlp.table_descriptions import Description, description
from fastmlp.table_scores import scored, written
from fastmlp.table_targets import target, target_like
from fastmlp.table_training import baseline, fit, new_model, split
from fastmlp.tables import Table, TableError, counted, listed, shown

_KEY = "fastmlp.table"  # of the metadata
_LEAST_ROWS = 10
_HELD_OUT = 0.2  # of all rows, for the score


class Format(NamedTuple):
    """How CSV is written."""

    separator: str
    encoding: str


def train(
    source: str, out: str, target_name: str, task: str | None, hidden: Sequence[int], epochs: int, seed: int,
    ignored: Sequence[str], csv_format: Format,
) -> None:  # fmt: skip
    """Learn to tell a column of a table by the others; write the net, and say how good it is."""
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
    features = tuple(feature(table, name) for name in names)
    X = encoded(table, features)
    _note_row_numbers(table, names)
    _say_notes(table)
    print(f"{table.source}: {counted(table.rows, 'row')}")
    print(f"inputs    {X.shape[1]} from {counted(len(names), 'column')}: {_by_kind(features)}")
    print(f"task      {goal.task}, {goal.reason}", flush=True)

    y, is_classification = goal.values, goal.task == "classification"
    model = new_model(goal.task, table.rows, hidden, epochs, seed)
    kept, held_out = split(np.arange(table.rows), _HELD_OUT, y if is_classification else None, seed)
    fit(model, X[kept], y[kept], np.unique(y) if is_classification else None, seed)
    answer = baseline(y[kept], is_classification)
    scores, report = scored(model, X[held_out], y[held_out], answer)
    said = Description(
        target_name, goal.task, features, answer, len(kept), len(held_out), seed, model.n_iter_, float(model.loss_),
        scores, __version__,
    )  # fmt: skip
    save(model, out, False, {_KEY: said.as_json()})
    others = f"{len(held_out):,} others are held out (seed {seed})"
    print(f"training  {counted(model.n_iter_, 'epoch')} on {counted(len(kept), 'row')}; {others}")
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
    X = encoded(table, said.features)
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
        table.note(f"not used, as the net was not trained with: {extra_names}")
    _say_notes(table)


def evaluate(model_file: str, source: str, csv_format: Format) -> None:
    """Print how good a net is on a table that has the target."""
    model, said = _loaded(model_file)
    table = files.read(source, *csv_format)
    X = encoded(table, said.features)
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
    """Print what a file says of its net."""
    model, metadata, said = _opened(model_file)
    forward = model._forward()
    sizes = [len(forward.weights[0]), *map(len, forward.biases)]
    numbers = sum(W.size + b.size for W, b in zip(forward.weights, forward.biases, strict=True))
    print(f"{model_file}: {type(model).__name__}")
    for l, ((n_in, n_out), activation) in enumerate(zip(pairwise(sizes), forward.activations, strict=True), 1):
        print(f"layer {l:<3} {n_in:,} → {n_out:,}  {activation}")
    print(f"weights   {numbers:,} of {forward.dtype}, {numbers * forward.dtype.itemsize:,} bytes")
    print(f"loss      {model.loss}")
    for what, scaling in (("inputs", forward.of_inputs), ("outputs", forward.of_outputs)):
        if scaling is not None:
            print(f"scaled    {what}: {type(scaling).__name__.lower()}")
    if forward.classes is not None:
        print(f"classes   {listed(map(str, forward.classes))}")
    checkpoint = metadata_table(metadata, FIT_KEY)
    is_over = checkpoint is None or checkpoint.get("over") is True
    if not is_over:
        print("fit       not over: fastmlp.resume, from Python, goes on with it")
    elif checkpoint is not None and "failure" in checkpoint:
        print(f"fit       has diverged: {shown(str(checkpoint['failure']))}")
    if said is None:
        print("columns   not known: it was not trained by fastmlp train")
        print(f"trained   {_record(model, is_over)}")
        return
    print(f"predicts  {said.target!r}, a {said.task}")
    for one in said.features:
        print(f"column    {one.name!r}: {one.kind}{' of ' * bool(one.categories)}{listed(one.categories)}")
    made = f"{counted(said.epochs, 'epoch')}, {counted(said.rows, 'row')}, last loss {written(said.loss)}"
    print(f"trained   by fastmlp {said.version}: {made}")
    scores = ", ".join(f"{name} {written(number)}" for name, number in said.score.items())
    print(f"held out  {counted(said.held_out, 'row')}, seed {said.seed}: {scores}")
    baseline = written(said.baseline) if isinstance(said.baseline, float) else repr(said.baseline)
    print(f"baseline  always answering {baseline}")


def _record(model: Any, is_over: bool) -> str:
    """What a net or an estimator knows of its last fit, in words."""
    if isinstance(model, MLP):
        history = model.history
        if history is None:
            return "not by fit, or not at all"
        losses = {"last loss": history.loss, "last validation loss": history.validation_loss}
        ended = f", ended by {history.stop_reason!r}" if is_over else ""
        facts = [f"{counted(history.epochs, 'epoch')} in {history.seconds:.3g} s{ended}"]
    else:
        losses = {"last loss": model.loss_curve_, "last validation loss": model.validation_curve_}
        facts = [counted(model.n_iter_, "epoch")]
    return ", ".join([*facts, *(f"{name} {written(curve[-1])}" for name, curve in losses.items() if curve)])


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
    return model, said


def _opened(model_file: str) -> tuple[Any, dict[str, str], Description | None]:
    """The net of a file, its metadata, and what that says of a table, if anything, which goes with the net."""
    model, metadata = opened(model_file)
    with named(model_file):
        table = metadata_table(metadata, _KEY)
        if table is None:
            return model, metadata, None
        said = description(table)
        classes = getattr(model, "classes_", None)
        inputs = getattr(model, "n_features_in_", -1)
        if inputs != len(said.inputs) or (classes is not None) != (said.task == "classification"):
            raise LoadError(
                f"its net of {counted(inputs, 'input')}, of class {type(model).__name__}, does not go with what it "
                f"says of its table, a {said.task} of {counted(len(said.inputs), 'input')}; it is damaged"
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
