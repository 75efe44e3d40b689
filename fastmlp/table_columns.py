"""What the columns of a table mean: numbers, truth values, or categories, some of which may be empty.

It is found out once, in training, as a `Feature` of each column, and holds for every table after it. Columns are
found by name. One net gets numbers as they are and a column of 0 and 1 for each text, and an ensemble the columns
themselves. Not here: how a table is read (table_files.py), the target (table_targets.py), what an ensemble makes of a
column (frame_encoding.py).
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
EMPTY_IT = "leave the cell empty"
_NUMBERS_IN_TRAINING = "the model was trained with numbers; correct it"

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
    """A column to learn from: its kind, the texts of a category in their order, and whether cells of it are empty."""

    name: str
    kind: str
    categories: tuple[str, ...] = ()
    holes: bool = False

    @property
    def inputs(self) -> list[str]:
        """What its inputs of one net are called."""
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


def feature(table: Table, name: str, may_miss: bool) -> Feature:
    """What a column is, found out; an error for one that cannot be learned from.

    Raises
    ------
    TableError
        If it is empty, holds dates, text among numbers, or too many texts; if a cell is empty, unless it `may_miss`.
    """
    column, leave_out = table.column(name), f"leave the column out by {ignoring(name)}"
    empty = column.empty()
    if empty.all():
        raise table.problem(f"is empty in every row; {leave_out}", name)
    if_empty = f"{ONE_BY_ONE}, or {leave_out}; without --hidden, cells may be empty"
    if column.numbers is not None:
        if not may_miss:
            check_there(table, name, if_empty)
        check_numbers(table, name, f"{EMPTY_IT if may_miss else ONE_BY_ONE}, or {leave_out}", may_miss)
        there = column.numbers[~empty]
        if np.ptp(there) > 0 and not there.var() > 0:
            raise table.problem("has numbers so close together that their variance is 0; scale them", name)
        return Feature(name, "number", holes=bool(empty.any()))
    assert column.texts is not None
    known = known_texts(column.texts)
    refuse_slips(table, name, leave_out, f"correct it, {EMPTY_IT if may_miss else 'take out the row'}")
    if not may_miss:
        check_there(table, name, if_empty)
    if all(text.lower() in TRUTH for text in known):
        return Feature(name, "boolean", holes=bool(empty.any()))
    filled = int(np.count_nonzero(~empty))
    if len(known) > min(CATEGORIES, max(1, filled - 1)):
        raise table.problem(
            f"has {len(known):,} different texts in {filled:,} rows, such as {known[0]!r}; it seems to name them, "
            f"and at most {CATEGORIES} can be learned from: {leave_out}",
            name,
        )
    return Feature(name, "category", tuple(known), bool(empty.any()))


def encoded(table: Table, features: Iterable[Feature]) -> Array:
    """The inputs of one net.

    Returns
    -------
    ndarray of shape (rows, inputs), float64
        A column for a number, one of 0 and 1 for a boolean, and one for each text of a category.

    Raises
    ------
    TableError
        If a column is missing or of another kind, or a cell is empty or unknown.
    """
    features = _found(table, features)
    X = np.zeros((table.rows, sum(len(one.inputs) for one in features)))
    at = 0
    for one in features:
        width = len(one.inputs)
        if one.kind == "number":
            X[:, at] = numbers(table, one.name)
        elif one.kind == "boolean":
            X[:, at] = mapped(table, one.name, _truth, TRUTH)
        else:
            place = {text: float(k) for k, text in enumerate(one.categories)}
            codes = mapped(table, one.name, place.get, one.categories).astype(np.intp)
            X[np.arange(table.rows), at + codes] = 1
        at += width
    return X


def as_they_are(table: Table, features: Iterable[Feature]) -> Array:
    """The columns for an ensemble, which makes its own inputs of them.

    An empty cell of a column that had none in training, and a text that was not there, are noted: it has a place for
    both.

    Returns
    -------
    ndarray of shape (rows, columns)
        float64 if all are numbers, else objects: numbers, True and False, texts. An empty cell is NaN or None.

    Raises
    ------
    TableError
        If a column is missing or of another kind.
    """
    features = _found(table, features)
    are_numbers = all(one.kind == "number" for one in features)
    X: Array = np.empty((table.rows, len(features)), np.float64 if are_numbers else object)
    for j, one in enumerate(features):
        if one.kind == "number":
            X[:, j] = numbers(table, one.name, f"{_NUMBERS_IN_TRAINING}, or {EMPTY_IT}", may_miss=True)
        elif one.kind == "boolean":
            codes = mapped(table, one.name, _truth, TRUTH, empty=2.0).astype(np.intp)
            X[:, j] = np.array([False, True, None], object)[codes]
        else:
            distinct, codes = np.unique(table.column(one.name).as_texts(), return_inverse=True)
            X[:, j] = np.array([str(text) or None for text in distinct], object)[codes]
            new = np.array([str(text) not in {"", *one.categories} for text in distinct])[codes]
            _note_new(table, one.name, new)
        _note_empty(table, one)
    return X


def _found(table: Table, features: Iterable[Feature]) -> tuple[Feature, ...]:
    """The columns of training, all of which the table has."""
    features = tuple(features)
    used = {one.name for one in features}
    missing = [one.name for one in features if one.name not in table.columns]
    if len(missing) > 1:
        what = f"there are no columns {listed(map(repr, missing))}, which the model was trained with"
        raise table.problem(f"{what}; {table.suggestion(missing[0], used)}")
    for name in missing:
        table.column(name, used=used)
    return features


def _note_empty(table: Table, one: Feature) -> None:
    empty = table.column(one.name).empty()
    if empty.any() and not one.holes:
        what = f"is empty{_also(empty, 'as')}, and none was in training; predicted without it"
        table.note(what, one.name, empty.argmax())


def _note_new(table: Table, name: str, new: Array) -> None:
    if new.any():
        row = int(new.argmax())
        text = str(table.column(name).as_texts()[row])
        what = f"{text!r} is not known from training{_also(new, 'nor')}; predicted without it"
        table.note(what, name, row)


def _also(cells: Array, word: str) -> str:
    """How many other cells it is so with."""
    others = int(np.count_nonzero(cells)) - 1
    return f", {word} {'is one other cell' if others == 1 else f'are {others:,} other cells'} of it" if others else ""


def _truth(text: str) -> float | None:
    return TRUTH.get(text.lower())


def numbers(table: Table, name: str, advice: str = _NUMBERS_IN_TRAINING, may_miss: bool = False) -> Array:
    """The numbers of a column, which has no other cells; NaN for an empty one, if it `may_miss`."""
    column = table.column(name)
    if column.numbers is None:
        texts, empty = column.as_texts(), column.empty()
        if not may_miss:
            check_there(table, name, ONE_BY_ONE)
        if empty.all():
            return np.full(table.rows, np.nan)
        row = next(row for row, text in enumerate(texts) if text and not is_number(text))
        raise table.problem(f"{str(texts[row])!r} is no number; {advice}", name, row)
    check_numbers(table, name, EMPTY_IT if may_miss else ONE_BY_ONE, may_miss)
    return column.numbers


def mapped(
    table: Table,
    name: str,
    number_of: Callable[[str], float | None],
    known: Iterable[str],
    empty: float | None = None,
) -> Array:
    """A number for each text of a column; an error for a text without, and for an empty cell without one."""
    texts = table.column(name).as_texts()
    if empty is None:
        check_there(table, name, ONE_BY_ONE)
    distinct, codes = np.unique(texts, return_inverse=True)
    found = [number_of(str(text)) if text else empty for text in distinct]
    unknown = np.array([number is None for number in found])[codes]
    if unknown.any():
        row = int(unknown.argmax())
        what = f"{str(texts[row])!r} is not known from training; known are {listed(map(repr, known))}: correct it or "
        raise table.problem(f"{what}{'take out the row' if empty is None else EMPTY_IT}", name, row)
    return np.array(found, np.float64)[codes]


def known_texts(texts: Array) -> list[str]:
    """The different texts, in order."""
    return sorted({str(text) for text in np.unique(texts)} - {""})


def check_there(table: Table, name: str, advice: str) -> None:
    """That no cell is empty."""
    empty = table.column(name).empty()
    if empty.any():
        raise table.problem(f"is empty{_also(empty, 'as')}; {advice}", name, empty.argmax())


def check_numbers(table: Table, name: str, advice: str, may_miss: bool = False) -> None:
    """That a column of numbers has one in each cell, or in each that is not empty, and none that is a slip."""
    column = table.column(name)
    assert column.numbers is not None
    if not may_miss:
        check_there(table, name, advice)
    wrong = ~(np.abs(column.numbers) <= MOST) & ~column.empty()
    if wrong.any():
        row = int(wrong.argmax())
        number, text = column.numbers[row], column.as_texts()[row]
        what = "is no number" if np.isnan(number) else "is infinite" if np.isinf(number) else f"is beyond {MOST:g}"
        raise table.problem(f"{str(text)!r} {what}; {advice}", name, row)


def refuse_slips(table: Table, name: str, leave_out: str, cure: str = "correct it, take out the row") -> None:
    """What is text by mistake: dates, numbers with marks, or a word among numbers, for which there is a cure."""
    texts = table.column(name).as_texts()
    distinct, codes = np.unique(texts, return_inverse=True)

    def each(is_so: Callable[[str], bool]) -> Array:
        return np.array([is_so(str(text)) for text in distinct])[codes]

    is_there = each(lambda text: text.lower() not in _NOTHING)
    most = max(1, np.count_nonzero(is_there) / 2)
    is_date = each(lambda text: bool(_DATE.fullmatch(text)))
    if np.count_nonzero(is_date) >= most:
        raise table.problem(
            f"holds dates or times, such as {str(texts[is_date.argmax()])!r}, and train takes numbers; make columns "
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
        what = f"is no number, as {others:,} others of the column are; {cure}, or "
    raise table.problem(f"{str(texts[row])!r} {what}{leave_out}", name, row)
