"""What the columns of a table mean to a net: numbers as they are, texts as a column of 0 and 1 for each; the target.

It is found out once, in training, kept with the net as a `Description`, and holds for every table after it. Columns
are found by name. Not here: how a table is read (table_files.py).
"""

import json
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np

from fastmlp.files import LoadError
from fastmlp.formulas import Array
from fastmlp.table_files import MOST, Table, listed

VERSION = 1  # of what is kept with a net; raised when an older fastmlp could not read it
CATEGORIES = 100  # at most, of a column; one of more names its rows, and there is nothing to learn from it
CLASSES_OF_NUMBERS = 10  # at most, of a target of whole numbers that is taken for classes
ROWS_OF_A_CLASS = 5  # at least, on average, for that
TASKS = ("classification", "regression")
KINDS = ("number", "boolean", "category")

_TRUTH = {"true": 1.0, "false": 0.0}
_TIME = r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp]\.?[Mm]\.?)?"
_DATE = re.compile(rf"\d{{1,4}}([-/.])\d{{1,2}}\1\d{{1,4}}([T ]{_TIME}\S*)?|{_TIME}")
_DECIMAL_COMMA = re.compile(r"[-+]?\d[\d.]*,\d+")
_ONE_BY_ONE = "fill it or take out the row"


@dataclass(frozen=True)
class Feature:
    """A column that goes into a net: its kind, and the texts of a category in their order."""

    name: str
    kind: str
    categories: tuple[str, ...] = ()

    @property
    def inputs(self) -> list[str]:
        """What its inputs of the net are called."""
        return [f"{self.name}={text}" for text in self.categories] if self.kind == "category" else [self.name]


# Features


def feature(table: Table, name: str) -> Feature:
    """What a column is, found out; an error for one that a net cannot learn from.

    Raises
    ------
    TableError
        If it is empty, holds dates, text among numbers, or too many texts.
    """
    column, leave_out = table.column(name), f"leave the column out by --ignore {shlex.quote(name)}"
    texts = column.texts
    if column.numbers is not None:
        _check_numbers(table, name, f"{_ONE_BY_ONE}, or {leave_out}")
        return Feature(name, "number")
    assert texts is not None
    known = _known(texts)
    if not known:
        raise table.problem(f"is empty in every row; {leave_out}", name)
    _refuse_slips(table, name, known, leave_out)
    _check_there(table, name, texts == "", f"{_ONE_BY_ONE}, or {leave_out}")
    if all(text.lower() in _TRUTH for text in known):
        return Feature(name, "boolean")
    if len(known) > CATEGORIES:
        raise table.problem(
            f"has {len(known)} different texts in {table.rows} rows, such as {known[0]!r}, and at most {CATEGORIES} "
            f"can become inputs; if it names the rows, {leave_out}",
            name,
        )
    return Feature(name, "category", tuple(known))


def encoded(table: Table, features: Iterable[Feature]) -> Array:
    """The inputs of a net.

    Returns
    -------
    ndarray of shape (rows, inputs), float64
        A column for a number, one of 0 and 1 for a boolean, and one for each text of a category.

    Raises
    ------
    TableError
        If a column is missing or of another kind, or a cell is empty or unknown.
    """
    features = tuple(features)
    missing = [one.name for one in features if one.name not in table.columns]
    if len(missing) > 1:
        raise table.problem(f"there are no columns {listed(map(repr, missing))}, which the net was trained with")
    X = np.zeros((table.rows, sum(len(one.inputs) for one in features)))
    at = 0
    for one in features:
        width = len(one.inputs)
        if one.kind == "number":
            X[:, at] = numbers(table, one.name)
        elif one.kind == "boolean":
            X[:, at] = _mapped(table, one.name, lambda text: _TRUTH.get(text.lower()), ("true", "false"))
        else:
            place = {text: float(k) for k, text in enumerate(one.categories)}
            codes = _mapped(table, one.name, place.get, one.categories).astype(np.intp)
            X[np.arange(table.rows), at + codes] = 1
        at += width
    return X


def numbers(table: Table, name: str) -> Array:
    """The numbers of a column, which has no other cells."""
    column = table.column(name)
    if column.numbers is None:
        texts = column.as_texts()
        _check_there(table, name, texts == "", _ONE_BY_ONE)
        row = next(row for row, text in enumerate(texts) if not _is_number(text))
        raise table.problem(f"{texts[row]!r} is no number, as the net was trained with; correct it", name, row)
    _check_numbers(table, name, _ONE_BY_ONE)
    return column.numbers


def _mapped(table: Table, name: str, number_of: Callable[[str], float | None], known: Iterable[str]) -> Array:
    """A number for each text of a column; an error for a text without."""
    texts = table.column(name).as_texts()
    _check_there(table, name, texts == "", _ONE_BY_ONE)
    distinct, codes = np.unique(texts, return_inverse=True)
    found = [number_of(str(text)) for text in distinct]
    unknown = np.array([number is None for number in found])[codes]
    if unknown.any():
        row = int(unknown.argmax())
        what = f"{str(texts[row])!r} is not known from training; known are {listed(map(repr, known))}: correct it or "
        raise table.problem(f"{what}take out the row", name, row)
    return np.array(found, np.float64)[codes]


def _known(texts: Array) -> list[str]:
    """The different texts, in order."""
    return sorted({str(text) for text in np.unique(texts)} - {""})


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _check_there(table: Table, name: str, empty: Array, advice: str) -> None:
    if empty.any():
        others = int(np.count_nonzero(empty)) - 1
        also = f", as {'is one other cell' if others == 1 else f'are {others} other cells'} of it" if others else ""
        raise table.problem(f"is empty{also}; {advice}", name, empty.argmax())


def _check_numbers(table: Table, name: str, advice: str) -> None:
    column = table.column(name)
    assert column.numbers is not None
    _check_there(table, name, np.isnan(column.numbers) if column.texts is None else column.texts == "", advice)
    wrong = ~(np.abs(column.numbers) <= MOST)
    if wrong.any():
        row = int(wrong.argmax())
        number, text = column.numbers[row], column.as_texts()[row] or "nan"
        what = "is no number" if np.isnan(number) else "is infinite" if np.isinf(number) else f"is beyond {MOST:g}"
        raise table.problem(f"{str(text)!r} {what}; {advice}", name, row)


def _refuse_slips(table: Table, name: str, known: list[str], leave_out: str) -> None:
    """What is text by mistake: dates, decimal commas, or a word among numbers."""
    if all(map(_DATE.fullmatch, known)):
        raise table.problem(
            f"holds dates or times, such as {known[0]!r}, and a net takes numbers; make columns of what counts, such "
            f"as the year, the month or the days since one day, and {leave_out}",
            name,
        )
    if all(_DECIMAL_COMMA.fullmatch(text) or _is_number(text) for text in known):
        comma = next(text for text in known if not _is_number(text))
        raise table.problem(f"has numbers such as {comma!r}; write them with a point, and without other marks", name)
    texts = table.column(name).as_texts()
    is_number = np.array([_is_number(text) for text in texts])
    if 2 * np.count_nonzero(is_number) >= np.count_nonzero(texts != ""):
        row = int((~is_number & (texts != "")).argmax())
        raise table.problem(
            f"{str(texts[row])!r} is no number, as {np.count_nonzero(is_number)} others of the column are; correct "
            f"it, take out the row, or {leave_out}",
            name,
            row,
        )


# The target


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
    if column.numbers is not None:
        _check_numbers(table, name, "fill it or take out the row")
    else:
        texts = column.as_texts()
        if not (texts != "").any():
            raise table.problem("is empty in every row; expected the target", name)
        if task != "classification":
            _refuse_slips(table, name, _known(texts), "pass --task classification if each text is a class")
        _check_there(table, name, texts == "", "fill it or take out the row")
    if task is None:
        task, reason = _task(table, name)
    else:
        reason = "as --task says"
    if task == "regression" and column.numbers is None:
        raise table.problem(f"{str(column.as_texts()[0])!r} is no number, which --task regression wants", name, 0)
    values = column.numbers if task == "regression" else _labels(table, name)
    assert values is not None
    if (values == values[0]).all():
        what = "the number" if task == "regression" else "the class"
        raise table.problem(f"has {what} {str(values[0])!r} in every row, so that there is nothing to learn", name)
    if task == "classification" and (n := len(np.unique(values))) > min(CATEGORIES, table.rows // 2):
        advice = "pass --task regression" if column.numbers is not None else "expected another target"
        raise table.problem(f"has {n} classes in {table.rows} rows, of which none can be learned; {advice}", name)
    return Target(task, reason, values)


def _task(table: Table, name: str) -> tuple[str, str]:
    column = table.column(name)
    if column.numbers is None:
        known = _known(column.as_texts())
        return "classification", f"as {name!r} holds text of {len(known)} kinds: {listed(known, 5)}"
    distinct: Array = np.unique(column.numbers)
    whole = np.array_equal(distinct, np.rint(distinct))
    if whole and len(distinct) <= min(CLASSES_OF_NUMBERS, table.rows // ROWS_OF_A_CLASS):
        which = listed(str(int(number)) for number in distinct)
        reason = f"as {name!r} holds {len(distinct)} whole numbers: {which}; --task regression changes it"
        return "classification", reason
    return "regression", f"as {name!r} holds {len(distinct)} different {'whole ' if whole else ''}numbers"


def _labels(table: Table, name: str) -> Array:
    """Labels (rows,): int64 where all of them are whole numbers, else text."""
    column = table.column(name)
    if column.numbers is not None and (column.numbers == np.rint(column.numbers)).all():
        return column.numbers.astype(np.int64)
    return np.array(column.as_texts().tolist())


def target_like(table: Table, description: "Description", classes: Array | None) -> Array:
    """The target column of another table: numbers, or labels, all of which are known.

    Raises
    ------
    TableError
        If it is not there, or a cell is empty, no number, or no known label.
    """
    name = description.target
    if classes is None:
        table.column(name, "target column")
        return numbers(table, name)
    column = table.column(name, "target column")
    if column.numbers is not None:
        _check_numbers(table, name, _ONE_BY_ONE)
    place = {str(label): float(k) for k, label in enumerate(classes)}
    if classes.dtype.kind == "i" and column.numbers is not None:
        table.columns[name] = column._replace(texts=None)  # so that 1 and 1.0 are the same
    return classes[_mapped(table, name, place.get, place).astype(np.intp)]


# What is kept with a net


@dataclass(frozen=True)
class Description:
    """What a file says of the table that its net was trained with.

    Attributes
    ----------
    target, task : str
    features : tuple of Feature
        In the order of the inputs.
    baseline : str, int or float
        The most frequent label, or the mean, of the rows trained with.
    rows, held_out : int
        How many were trained with, and how many were not.
    seed, epochs : int
        Of the split and the training; epochs made.
    loss : float
        Of the last epoch.
    score : dict of str to float
        On the rows held out.
    version : str
        Of the fastmlp that trained.
    """

    target: str
    task: str
    features: tuple[Feature, ...]
    baseline: str | float
    rows: int
    held_out: int
    seed: int
    epochs: int
    loss: float
    score: dict[str, float]
    version: str

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs of the net, in their order."""
        return [name for one in self.features for name in one.inputs]

    def as_json(self) -> str:
        """As text, which `description` reads."""
        return json.dumps({"format": VERSION} | asdict(self), allow_nan=False)


_TYPES: dict[str, tuple[type, ...]] = {
    "format": (int,), "target": (str,), "task": (str,), "features": (list,), "baseline": (str, int, float),
    "rows": (int,), "held_out": (int,), "seed": (int,), "epochs": (int,), "loss": (float,), "score": (dict,),
    "version": (str,),
}  # fmt: skip


def description(said: dict[str, Any]) -> Description:
    """What `Description.as_json` has written, believed only after a look.

    Raises
    ------
    LoadError
        If it is anything else.
    """
    if type(said.get("format")) is not int:
        raise LoadError("what it says of its table has no format; it is damaged")
    if said["format"] > VERSION:
        raise LoadError(f"what it says of its table is of format {said['format']}; use a later fastmlp")
    if set(said) != set(_TYPES):
        raise LoadError(f"what it says of its table has {sorted(said)}; expected {sorted(_TYPES)}")
    for key, types in _TYPES.items():
        if type(said[key]) not in types or (types == (int,) and said[key] < 0):
            raise LoadError(f"{key} of its table is {said[key]!r}; it is damaged")
    if said.pop("format") != VERSION or said["task"] not in TASKS:
        raise LoadError(f"the task of its table is {said['task']!r}; expected one of {', '.join(TASKS)}")
    if not all(type(number) is float and isfinite(number) for number in (said["loss"], *said["score"].values())):
        raise LoadError(f"loss and score of its table are {said['loss']!r} and {said['score']!r}; expected numbers")
    features = tuple(_feature(one) for one in said.pop("features"))
    names = [one.name for one in features]
    if not names or len({*names, said["target"]}) <= len(names):
        raise LoadError(f"the columns of its table are {names} and {said['target']!r}; expected names of their own")
    return Description(features=features, **said)


def _feature(said: Any) -> Feature:
    if not isinstance(said, dict) or set(said) != {"name", "kind", "categories"}:
        raise LoadError(f"a column of its table is described by {said!r}; expected name, kind and categories")
    name, kind, categories = said["name"], said["kind"], said["categories"]
    if not isinstance(name, str) or kind not in KINDS or not isinstance(categories, list):
        raise LoadError(f"a column of its table is {name!r} of kind {kind!r}; expected one of {', '.join(KINDS)}")
    texts = [text for text in categories if isinstance(text, str) and text]
    if len(set(texts)) != len(categories) or (kind == "category") != bool(categories):
        raise LoadError(f"column {name!r} of its table has the categories {categories!r}; it is damaged")
    return Feature(name, kind, tuple(texts))
