"""What the columns of a table mean to a net: numbers as they are, texts as a column of 0 and 1 for each.

It is found out once, in training, as a `Feature` of each column, and holds for every table after it. Columns are
found by name. Not here: how a table is read (table_files.py), the target (table_targets.py).
"""

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from fastmlp.formulas import Array
from fastmlp.tables import MOST, Table, is_number, listed

CATEGORIES = 100  # at most, of a column; one of more names its rows, and there is nothing to learn from it
KINDS = ("number", "boolean", "category")
TRUTH = {"true": 1.0, "false": 0.0}
ONE_BY_ONE = "fill it or take out the row"  # what to do with a cell

_NOTHING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "-", "?", ".")  # ways to write it, in lower case
_MARKS = str.maketrans("", "", "%$€£¥'’, \u00a0\u202f")  # of numbers that people read
_TIME = r"(-?\d+ days?, )?\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[ap]\.?m\.?)?"
_MONTH = (
    r"(jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|"
    r"dec(ember)?)\.?"
)
_DAYS = (
    r"\d{1,4}(?P<mark>[-/.])\d{1,2}(?P=mark)\d{1,4}", r"\d{4}[-/]\d{1,2}", r"\d{1,2}[-/]\d{4}",
    rf"\d{{1,4}}[-/. ]+{_MONTH}([-/, ]+\d{{1,4}})?", rf"{_MONTH}[-/ ]+\d{{1,4}}([-/, ]+\d{{2,4}})?",
)  # fmt: skip
_DATE = re.compile(rf"({'|'.join(_DAYS)})([t ]{_TIME}\S*)?|{_TIME}", re.IGNORECASE)


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


def ignoring(name: str) -> str:
    """The option of train that leaves a column out."""
    return f"--ignore={shlex.quote(name)}" if name.startswith("-") else f"--ignore {shlex.quote(name)}"


def check_header(table: Table) -> None:
    """That CSV has names of columns, and not a first row of them: the numbers of pandas and years may be names."""
    named = [name for name in table.columns if is_number(name)]
    if table.unit != "line" or not named:
        return
    whole = sorted(int(name) for name in named if re.fullmatch(r"\d{1,4}", name))
    are_names = whole == list(range(len(whole))) or (whole[0] >= 1800 and whole[-1] <= 2200)
    if len(whole) < len(named) or not are_names:
        raise table.problem(
            f"the header has numbers ({listed(named, 3)}) where names of columns are expected; put a line of names "
            "before the first row"
        )


# Features


def feature(table: Table, name: str) -> Feature:
    """What a column is, found out; an error for one that a net cannot learn from.

    Raises
    ------
    TableError
        If it is empty, holds dates, text among numbers, or too many texts.
    """
    column, leave_out = table.column(name), f"leave the column out by {ignoring(name)}"
    texts = column.texts
    if column.numbers is not None:
        check_numbers(table, name, f"{ONE_BY_ONE}, or {leave_out}")
        if np.ptp(column.numbers) > 0 and not column.numbers.var() > 0:
            raise table.problem("has numbers so close together that their variance is 0; scale them", name)
        return Feature(name, "number")
    assert texts is not None
    known = known_texts(texts)
    if not known:
        raise table.problem(f"is empty in every row; {leave_out}", name)
    refuse_slips(table, name, leave_out)
    check_there(table, name, texts == "", f"{ONE_BY_ONE}, or {leave_out}")
    if all(text.lower() in TRUTH for text in known):
        return Feature(name, "boolean")
    if len(known) > min(CATEGORIES, table.rows - 1):
        raise table.problem(
            f"has {len(known):,} different texts in {table.rows:,} rows, such as {known[0]!r}; it seems to name "
            f"them, and at most {CATEGORIES} can become inputs: {leave_out}",
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
    used = {one.name for one in features}
    missing = [one.name for one in features if one.name not in table.columns]
    if len(missing) > 1:
        what = f"there are no columns {listed(map(repr, missing))}, which the net was trained with"
        raise table.problem(f"{what}; {table.suggestion(missing[0], used)}")
    for name in missing:
        table.column(name, used=used)
    X = np.zeros((table.rows, sum(len(one.inputs) for one in features)))
    at = 0
    for one in features:
        width = len(one.inputs)
        if one.kind == "number":
            X[:, at] = numbers(table, one.name)
        elif one.kind == "boolean":
            X[:, at] = mapped(table, one.name, lambda text: TRUTH.get(text.lower()), ("true", "false"))
        else:
            place = {text: float(k) for k, text in enumerate(one.categories)}
            codes = mapped(table, one.name, place.get, one.categories).astype(np.intp)
            X[np.arange(table.rows), at + codes] = 1
        at += width
    return X


def numbers(table: Table, name: str, advice: str = "the net was trained with numbers; correct it") -> Array:
    """The numbers of a column, which has no other cells."""
    column = table.column(name)
    if column.numbers is None:
        texts = column.as_texts()
        check_there(table, name, texts == "", ONE_BY_ONE)
        row = next(row for row, text in enumerate(texts) if not is_number(text))
        raise table.problem(f"{str(texts[row])!r} is no number; {advice}", name, row)
    check_numbers(table, name, ONE_BY_ONE)
    return column.numbers


def mapped(table: Table, name: str, number_of: Callable[[str], float | None], known: Iterable[str]) -> Array:
    """A number for each text of a column; an error for a text without."""
    texts = table.column(name).as_texts()
    check_there(table, name, texts == "", ONE_BY_ONE)
    distinct, codes = np.unique(texts, return_inverse=True)
    found = [number_of(str(text)) for text in distinct]
    unknown = np.array([number is None for number in found])[codes]
    if unknown.any():
        row = int(unknown.argmax())
        what = f"{str(texts[row])!r} is not known from training; known are {listed(map(repr, known))}: correct it or "
        raise table.problem(f"{what}take out the row", name, row)
    return np.array(found, np.float64)[codes]


def known_texts(texts: Array) -> list[str]:
    """The different texts, in order."""
    return sorted({str(text) for text in np.unique(texts)} - {""})


def check_there(table: Table, name: str, empty: Array, advice: str) -> None:
    """That no cell is empty."""
    if empty.any():
        others = int(np.count_nonzero(empty)) - 1
        also = f", as {'is one other cell' if others == 1 else f'are {others} other cells'} of it" if others else ""
        raise table.problem(f"is empty{also}; {advice}", name, empty.argmax())


def check_numbers(table: Table, name: str, advice: str) -> None:
    """That a column of numbers has one in each cell, and none that is a slip."""
    column = table.column(name)
    assert column.numbers is not None
    check_there(table, name, np.isnan(column.numbers) if column.texts is None else column.texts == "", advice)
    wrong = ~(np.abs(column.numbers) <= MOST)
    if wrong.any():
        row = int(wrong.argmax())
        number, text = column.numbers[row], column.as_texts()[row] or "nan"
        what = "is no number" if np.isnan(number) else "is infinite" if np.isinf(number) else f"is beyond {MOST:g}"
        raise table.problem(f"{str(text)!r} {what}; {advice}", name, row)


def refuse_slips(table: Table, name: str, leave_out: str) -> None:
    """What is text by mistake: dates, numbers with marks, or a word among numbers."""
    texts = table.column(name).as_texts()
    distinct, codes = np.unique(texts, return_inverse=True)

    def each(is_so: Callable[[str], bool]) -> Array:
        return np.array([is_so(str(text)) for text in distinct])[codes]

    is_there = each(lambda text: text.lower() not in _NOTHING)
    most = max(1, np.count_nonzero(is_there) / 2)
    is_date = each(lambda text: bool(_DATE.fullmatch(text)))
    if np.count_nonzero(is_date) >= most:
        raise table.problem(
            f"holds dates or times, such as {str(texts[is_date.argmax()])!r}, and a net takes numbers; make columns "
            f"of what counts, such as the year, the month or the days since one day, and {leave_out}",
            name,
        )
    with_marks = is_there & each(lambda text: is_number(text.translate(_MARKS)))
    if np.count_nonzero(with_marks) < most:
        return
    is_plain = each(is_number)
    if (marked := with_marks & ~is_plain).any():
        row = int(marked.argmax())
        what = "is a number with marks; write all of the column with a point and no other mark, as 1234.5, or "
    else:
        row = int((~is_plain & (texts != "")).argmax())
        others = np.count_nonzero(with_marks)
        what = f"is no number, as {others:,} others of the column are; correct it, take out the row, or "
    raise table.problem(f"{str(texts[row])!r} {what}{leave_out}", name, row)
