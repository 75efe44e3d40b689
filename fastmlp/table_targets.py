"""The target: which column a net is to tell by the others, whether it holds classes or numbers, and its labels.

A label is what it means: 1.0 is 1, 0.50 is 0.5 and TRUE is true. Not here: the columns that it is told by
(table_columns.py).
"""

import re
from dataclasses import dataclass

import numpy as np

from fastmlp.formulas import Array
from fastmlp.table_columns import (
    CATEGORIES,
    ONE_BY_ONE,
    TRUTH,
    check_numbers,
    check_there,
    mapped,
    numbers,
    refuse_slips,
)  # fmt: skip
from fastmlp.tables import Table, is_number, listed

TASKS = ("classification", "regression")
_CLASSES_OF_NUMBERS = 10  # at most, of a target of whole numbers that is taken for classes
_ROWS_OF_A_CLASS = 5  # at least, on average, for that
_WHOLE = re.compile(r"[-+]?\d{1,100}")
_INT64 = np.iinfo(np.int64)


@dataclass(frozen=True)
class Target:
    """What is to be learned: its task, why it is that, and the labels (rows,) or numbers (rows,)."""

    task: str
    reason: str
    values: Array


def target(table: Table, name: str, task: str | None) -> Target:
    """The target column, by the task that is given, or else by what it holds.

    Raises
    ------
    TableError
        If it is not there, a cell is empty, or there is nothing to learn.
    """
    column = table.column(name, "target column")
    if task == "regression":
        numbers(table, name, "--task regression wants numbers; correct it or take out the row")
    elif column.numbers is not None:
        check_numbers(table, name, ONE_BY_ONE)
    else:
        texts = column.as_texts()
        if not (texts != "").any():
            raise table.problem("is empty in every row; expected the target", name)
        if task is None:
            refuse_slips(table, name, "pass --task classification if each text is a class")
        check_there(table, name, ONE_BY_ONE)
    if task is None:
        task, reason = _task(table, name)
    else:
        reason = "as --task says"
    values = column.numbers if task == "regression" else _labels(table, name)
    assert values is not None
    if (values == values[0]).all():
        what = "the number" if task == "regression" else "the class"
        raise table.problem(f"has {what} {values[0].item()!r} in every row, so that there is nothing to learn", name)
    if task == "classification":
        _check_classes(table, name, len(np.unique(values)))
    return Target(task, reason, values)


def _task(table: Table, name: str) -> tuple[str, str]:
    column = table.column(name)
    if column.numbers is None:
        known = np.unique(_labels(table, name)).tolist()
        return "classification", f"as {name!r} holds text of {len(known)} kinds: {listed(known, 5)}"
    distinct: Array = np.unique(column.numbers)
    whole = np.array_equal(distinct, np.rint(distinct))
    most = min(_CLASSES_OF_NUMBERS, table.rows // _ROWS_OF_A_CLASS)
    if whole and len(distinct) <= most and len(labels := np.unique(_labels(table, name))) <= most:
        reason = f"as {name!r} holds {len(labels)} whole numbers: {listed(map(str, labels))}"
        return "classification", f"{reason}; --task regression changes it"
    return "regression", f"as {name!r} holds {len(distinct):,} different {'whole ' if whole else ''}numbers"


def _check_classes(table: Table, name: str, n: int) -> None:
    is_of_numbers = table.column(name).numbers is not None
    advice = "pass --task regression" if is_of_numbers else "expected another target"
    if n > CATEGORIES:
        raise table.problem(f"has {n:,} classes, and at most {CATEGORIES} can be learned; {advice}", name)
    if n > table.rows // 2:
        raise table.problem(f"has {n} classes in {table.rows} rows, too few of each to learn from; {advice}", name)


def _label(text: str) -> str:
    """What a label is, however it is written."""
    if _WHOLE.fullmatch(text):
        return str(int(text))
    if is_number(text):
        number = float(text)
        return str(int(number)) if number.is_integer() else repr(number)
    return text.lower() if text.lower() in TRUTH else text


def _labels(table: Table, name: str) -> Array:
    """Labels (rows,): int64 where all of them are whole numbers of that range, else text."""
    distinct, codes = np.unique(table.column(name).as_texts(), return_inverse=True)
    labels = [_label(str(text)) for text in distinct]
    if all(_WHOLE.fullmatch(label) and _INT64.min <= int(label) <= _INT64.max for label in labels):
        return np.array([int(label) for label in labels], np.int64)[codes]
    return np.array(labels)[codes]


def target_like(table: Table, name: str, classes: Array | None) -> Array:
    """The target column of another table: numbers, or labels, all of which are known.

    Raises
    ------
    TableError
        If it is not there, or a cell is empty, no number, or no known label.
    """
    table.column(name, "target column")
    if classes is None:
        return numbers(table, name)
    place = {_label(str(label)): float(k) for k, label in enumerate(classes)}
    return classes[mapped(table, name, lambda text: place.get(_label(text)), place).astype(np.intp)]
