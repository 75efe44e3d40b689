"""Tables: columns of text or of numbers by their names, the place of each row in its file, and words for both.

Not here: how a table is read (table_files.py), what a column means to a net (table_columns.py).
"""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from fastmlp.formulas import Array

TEXT = np.dtypes.StringDType()
MOST = 1e100  # a number beyond it is a slip; its square, which a variance is made of, would come near the range


class TableError(ValueError):
    """A table that cannot be used: the message names the file, the line, the column, and what to do."""


class Column(NamedTuple):
    """The cells of a column: as text, as numbers, or both; or what is wrong with it, should it be asked for."""

    texts: Array | None  # (rows,) of StringDType, "" where nothing is; None where the file has numbers
    numbers: Array | None  # (rows,) float64, NaN where nothing is; None if a cell has what is no number
    wrong: str = ""

    def as_texts(self) -> Array:
        """Text for each cell; a whole number without a point."""
        if self.texts is not None:
            return self.texts
        assert self.numbers is not None
        each = ["" if n != n else str(int(n)) if n.is_integer() else repr(n) for n in self.numbers.tolist()]
        return np.array(each, TEXT)

    def empty(self) -> Array:
        """Which cells have nothing, (rows,)."""
        if self.texts is not None:
            without: Array = self.texts == ""
            return without
        assert self.numbers is not None
        return np.isnan(self.numbers)


@dataclass
class Table:
    """Columns of a file.

    Attributes
    ----------
    source : str
        Name of the file.
    columns : dict of str to Column
        All that have no name are one, "", of which nothing but that is known.
    places : ndarray of shape (rows,), int64
        Where each row begins in the file.
    unit : str
        What the places count: "line" or "row", from 1.
    notes : list of str
        What was passed over: to be said when the table could be used.
    """

    source: str
    columns: dict[str, Column]
    places: Array
    unit: str
    notes: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.places)

    def problem(self, what: str, column: str = "", row: Any = None) -> TableError:
        """An error that says where it is."""
        return problem(self.source, what, column, None if row is None else int(self.places[row]), self.unit)

    def note(self, what: str, column: str = "", row: Any = None) -> None:
        """Say something aside, later."""
        self.notes.append(str(self.problem(what, column, row)))

    def column(self, name: str, role: str = "column", used: Collection[str] = ()) -> Column:
        """A column by name; for one that is not there an error that suggests another, which is not used itself."""
        if name not in self.columns:
            raise self.problem(f"there is no {role} {name!r}; {self.suggestion(name, used)}")
        column = self.columns[name]
        if column.wrong:
            raise self.problem(column.wrong, name)
        return column

    def suggestion(self, name: str, used: Collection[str] = ()) -> str:
        """What may have been meant by a name."""
        if self.unit == "line" and (number := next(filter(is_number, self.columns), None)):
            return f"the header has {number!r}: is it one, with the names of the columns?"
        lower = {one.lower(): one for one in reversed(self.columns) if one not in used}
        near = difflib.get_close_matches(name.lower(), lower, 1)
        return f"did you mean {lower[near[0]]!r}?" if near else f"there are {listed(map(repr, self.columns))}"


def problem(source: str, what: str, column: str = "", place: int | None = None, unit: str = "line") -> TableError:
    """An error that says where it is."""
    where = source if place is None else f"{source}, {unit} {place}"
    return TableError(f"{where}, column {column!r}: {what}" if column else f"{where}: {what}")


def is_number(text: str) -> bool:
    """Whether a text is a number by itself; 1_000 is one of Python's, and of nobody else's."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def shown(name: str) -> str:
    """A name as it may be printed: quoted where it would do more than stand there."""
    return name if name.isprintable() else repr(name)


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names in a row, the first of them if there are many."""
    names = [shown(name) for name in names]
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more} more"


def counted(n: int, what: str) -> str:
    """So many of something."""
    return f"{n:,} {what}{'s' * (n != 1)}"
