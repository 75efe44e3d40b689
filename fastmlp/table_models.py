"""The two kinds of models that learn from a table, an ensemble and one net: where they differ for who uses them.

An ensemble is a TabularClassifier or TabularRegressor, which takes the columns as they are; one net is an
MLPClassifier or MLPRegressor, or a net of other origin. Not here: how they are trained (table_training.py).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from fastmlp.formulas import Array
from fastmlp.mlp import MLP
from fastmlp.table_columns import Feature, as_they_are, encoded
from fastmlp.table_scores import written
from fastmlp.tables import Table, counted, listed, shown

_MOST_IMPORTANT = 8  # columns that are named


def is_ensemble(model: Any) -> bool:
    """Whether a model is one of many nets."""
    return hasattr(model, "n_members")


def inputs(model: Any, table: Table, features: Sequence[Feature]) -> Array:
    """What a model is given of a table, (rows, columns) or (rows, inputs)."""
    return (as_they_are if is_ensemble(model) else encoded)(table, features)


def epochs_and_loss(model: Any) -> tuple[int, float]:
    """The epochs that training made, and the loss of the last one."""
    if is_ensemble(model):
        return model.history_.epochs, model.history_.loss[-1]
    return model.n_iter_, float(model.loss_)


# In words


def of_training(model: Any, rows: int) -> str:
    """What training on so many rows has made."""
    if not is_ensemble(model):
        return f"{counted(model.n_iter_, 'epoch')} on {counted(rows, 'row')}"
    sizes = "-".join(map(str, model.members_[0].sizes[1:-1]))
    return f"{counted(len(model.members_), 'net')} of {sizes}, {_best_epoch(model)}, on {counted(rows, 'row')}"


def _best_epoch(ensemble: Any) -> str:
    return f"best epoch {ensemble.best_epoch_} of {ensemble.history_.epochs}"


def print_model(model: Any) -> None:
    """Print of what it consists."""
    if is_ensemble(model):
        _print_ensemble(model)
    else:
        _print_net(model)


def _print_net(model: Any) -> None:
    forward = model._forward()
    sizes = [len(forward.weights[0]), *map(len, forward.biases)]
    numbers = sum(W.size + b.size for W, b in zip(forward.weights, forward.biases, strict=True))
    for l, ((n_in, n_out), activation) in enumerate(zip(pairwise(sizes), forward.activations, strict=True), 1):
        print(f"layer {l:<3} {n_in:,} → {n_out:,}  {activation}")
    _print_weights(numbers, forward.dtype)
    print(f"loss      {model.loss}")
    for what, scaling in (("inputs", forward.of_inputs), ("outputs", forward.of_outputs)):
        if scaling is not None:
            print(f"scaled    {what}: {type(scaling).__name__.lower()}")
    if forward.classes is not None:
        print(f"classes   {listed(map(str, forward.classes))}")


def _print_ensemble(model: Any) -> None:
    first, names = model.members_[0], model.encoder_.names_in
    sizes = " → ".join(f"{size:,}" for size in first.sizes)
    print(f"nets      {len(model.members_)}, each {'  '.join([sizes, *first.activation[:1]])}")
    _print_weights(sum(net.parameters.size for net in model.members_), first.dtype)
    print(f"inputs    {counted(first.sizes[0], 'number')} made of {counted(len(names), 'column')}")
    print(f"kept      {_best_epoch(model)}")
    of_columns = model.feature_importances_
    largest = [j for j in np.argsort(-of_columns, kind="stable")[:_MOST_IMPORTANT] if of_columns[j] > 0]
    parts = [f"{shown(names[j])} {written(of_columns[j])}" for j in largest]
    print(f"important {', '.join(parts) or 'no column by itself'}")
    if hasattr(model, "classes_"):
        print(f"classes   {listed(map(str, model.classes_))}")
        print(f"calibrated by the temperature {written(model.temperature_)}")


def _print_weights(numbers: int, dtype: Any) -> None:
    print(f"weights   {numbers:,} of {dtype}, {numbers * dtype.itemsize:,} bytes")


def record(model: Any, is_over: bool) -> str:
    """What a net or an estimator knows of its last fit, in words."""
    if is_ensemble(model):
        return f"{counted(model.history_.epochs, 'epoch')} in {model.history_.seconds:.3g} s"
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
