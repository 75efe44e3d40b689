"""Tables in files as people have them, CSV and Parquet, gzipped or not: read whole, or refused by line and column.

A table is columns of text or of numbers, and the place of each row in its file. What a file is, its first bytes say;
its name must not contradict them. CSV is read by the standard library's reader, since that knows the line in which a
row begins, and says where a row is too short; Parquet by pyarrow, where that is installed. Not here: what a column
means to a net (table_columns.py).
"""

import csv
import difflib
import gzip
import io
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastmlp.formulas import Array
from fastmlp.messages import not_installed

_TEXT = np.dtypes.StringDType()
_CHUNK = 4096  # rows of CSV that are text of Python's at a time, which takes several times the memory of NumPy's
_INDEX = "__index_level_"  # how pandas begins the name, in Parquet, of the labels of its rows
MOST = 1e100  # a number beyond it is a slip; its square, which a variance is made of, would come near the range


class TableError(ValueError):
    """A table that cannot be used: the message names the file, the line, the column, and what to do."""


class Column(NamedTuple):
    """The cells of a column: as text, as numbers, or both."""

    texts: Array | None  # (rows,) of StringDType, "" where nothing is; None where the file has numbers
    numbers: Array | None  # (rows,) float64, NaN where nothing is; None if a cell has what is no number

    def as_texts(self) -> Array:
        """Text for each cell; a whole number without a point."""
        if self.texts is not None:
            return self.texts
        assert self.numbers is not None
        each = ["" if n != n else str(int(n)) if n.is_integer() else repr(n) for n in self.numbers.tolist()]
        return np.array(each, _TEXT)


@dataclass
class Table:
    """Columns of a file.

    Attributes
    ----------
    source : str
        Name of the file.
    columns : dict of str to Column
    places : ndarray of shape (rows,), int64
        Where each row begins in the file.
    unit : str
        What the places count: "line" or "row", from 1.
    notes : list of str
        What was passed over.
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

    def problem(self, what: str, column: str | None = None, row: Any = None) -> TableError:
        """An error that says where it is."""
        place = None if row is None else int(self.places[row])
        return _problem(self.source, what, column, place, self.unit)

    def column(self, name: str, role: str = "column") -> Column:
        """A column by name; an error that suggests another name if there is none."""
        if name not in self.columns:
            raise self.problem(f"there is no {role} {name!r}; {_suggestion(name, list(self.columns))}")
        return self.columns[name]


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names in a row, the first of them if there are many."""
    names = list(names)
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more} more"


def read(source: str, separator: str = ",", encoding: str = "utf-8") -> Table:
    """Read a table, all of it.

    Parameters
    ----------
    source : str
        Name of a file, or "-" for standard input.
    separator, encoding : str
        Of CSV.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        If the file is none, or a row or the header does not fit.
    ImportError
        If it is Parquet, and pyarrow is not installed.
    OSError
        If it cannot be opened.
    """
    name = "standard input" if source == "-" else source
    data = _unpacked(name, sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes())
    is_parquet = data[:4] == b"PAR1"
    if name.removesuffix(".gz").endswith((".parquet", ".pq")) and not is_parquet:
        raise _problem(name, "is no Parquet file, though its name says so; it is damaged, or has the wrong name")
    if data[:4] == b"PK\x03\x04":
        raise _problem(name, "is a workbook of a spreadsheet program or another zip file; save the table as CSV")
    table = _parquet(name, data) if is_parquet else _csv(name, data, separator, encoding)
    if table.rows == 0:
        raise table.problem("has a header and no rows; expected a line for each sample")
    return table


def _problem(
    source: str, what: str, column: str | None = None, place: int | None = None, unit: str = "line"
) -> TableError:
    where = source if place is None else f"{source}, {unit} {place}"
    return TableError(f"{where}: {what}" if column is None else f"{where}, column {column!r}: {what}")


def _suggestion(name: str, known: Sequence[str]) -> str:
    lower = {one.lower(): one for one in reversed(known)}
    near = difflib.get_close_matches(name.lower(), lower, 1)
    return f"did you mean {lower[near[0]]!r}?" if near else f"there are {listed(map(repr, known))}"


def _unpacked(name: str, data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        if name.endswith(".gz"):
            raise _problem(name, "is no gzip file, though its name says so; it is damaged, or has the wrong name")
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as damage:
        raise _problem(name, f"is a damaged gzip file ({damage}); fetch it again") from None


# CSV


def _csv(name: str, data: bytes, separator: str, encoding: str) -> Table:
    encoding = _checked_encoding(name, data, encoding)
    text = io.TextIOWrapper(io.BytesIO(data), encoding, newline="")
    rows = _rows(name, csv.reader(text, delimiter=separator, skipinitialspace=True, strict=True))
    place, header = next(((place, row) for place, row in rows if row), (0, []))
    if not any(cell.strip() for cell in header):
        raise _problem(name, "is empty; expected a header with the names of the columns, and a line for each sample")
    names, notes = _checked_names(name, header, place, "line")
    if len(names) == 1 and (other := next((mark for mark in ";\t|," if mark in header[0]), None)):
        word = "tab" if other == "\t" else f"'{other}'"
        raise _problem(name, f"the header is one name, {header[0]!r}; pass --separator {word} if that parts them")
    places: list[int] = []
    chunks: list[list[Array]] = [[] for _ in names]
    waiting: list[list[str]] = []

    def keep() -> None:
        for chunk, cells in zip(chunks, zip(*waiting, strict=True), strict=False):
            chunk.append(np.strings.strip(np.array(cells, _TEXT)))
        waiting.clear()

    for place, row in rows:
        if len(row) != len(header):
            if not row and len(header) > 1:
                continue  # a blank line
            if row:
                raise _problem(
                    name,
                    f"has {len(row)} cells, and the header {len(header)}; a text with a {separator!r} in it wants "
                    "quotation marks",
                    place=place,
                )
            row = [""]  # a blank line of a table of one column is an empty cell
        waiting.append(row)
        places.append(place)
        if len(waiting) == _CHUNK:
            keep()
    if waiting:
        keep()
    columns = {
        column: np.concatenate(cells) if cells else np.empty(0, _TEXT)
        for column, cells in zip(names, chunks, strict=True)
    }
    if len(header) == 1:  # where blank lines at the end are nothing, nevertheless
        filled = np.flatnonzero(columns[names[0]] != "")
        end = filled[-1] + 1 if len(filled) else 0
        places, columns = places[:end], {names[0]: columns[names[0]][:end]}
    kept = {column: _column(texts) for column, texts in columns.items() if column}
    return Table(name, kept, np.array(places, np.int64), "line", notes)


def _checked_encoding(name: str, data: bytes, encoding: str) -> str:
    """The encoding, with which all of the file can be read."""
    try:
        if encoding.lower().replace("-", "").replace("_", "") == "utf8":
            encoding = "utf-8-sig"  # which passes over the mark that some programs begin a file with
        text = data.decode(encoding)
    except LookupError:
        raise TableError(
            f"--encoding {encoding!r} is not known; expected one such as utf-8, cp1252 or utf-16"
        ) from None
    except UnicodeError as problem:
        start = problem.start if isinstance(problem, UnicodeDecodeError) else 0
        other = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"
        what = f"is not {encoding.removesuffix('-sig').upper()}; save it so, or pass its --encoding, such as {other}"
        raise _problem(name, what, place=data[:start].count(b"\n") + 1) from None
    if "\0" in text:
        place = text[: text.index("\0")].count("\n") + 1
        raise _problem(name, "has a NUL in it; it is no text, or wants --encoding utf-16", place=place)
    return encoding


def _rows(name: str, reader: Any) -> Iterator[tuple[int, list[str]]]:
    """The rows with the lines that they begin in."""
    place = 1
    try:
        for row in reader:
            yield place, row
            place = reader.line_num + 1
    except csv.Error as problem:
        what = f"cannot be read: {problem}; a quotation mark is missing, or one in a text is not doubled"
        raise _problem(name, what, place=place) from None


def _checked_names(name: str, header: Sequence[str], place: int | None, unit: str) -> tuple[list[str], list[str]]:
    """The names of the columns, "" for one of row numbers that is to be left out; and notes."""
    names, notes = [cell.strip() for cell in header], []
    if all(_is_number(cell) for cell in names):
        raise _problem(name, f"has numbers ({listed(names, 3)}) where names of columns are expected", place=place)
    if len(names) > 1 and (not names[0] or names[0].startswith(_INDEX)):
        notes.append(f"{name}: column 1 has no name, as the row numbers that pandas writes; it is left out")
        names[0] = ""
    seen: dict[str, int] = {}
    for at, column in enumerate(names, 1):
        if not column and at > 1:
            raise _problem(name, f"column {at} has no name; give it one", place=place)
        if column in seen:
            what = f"columns {seen[column]} and {at} are both named {column!r}; give them names of their own"
            raise _problem(name, what, place=place)
        seen[column] = at
    return names, notes


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _column(texts: Array) -> Column:
    """A column of text, and of numbers if every cell that has something has one."""
    there = texts != ""
    if not there.any():
        return Column(texts, None)
    numbers = np.full(len(texts), np.nan)
    try:
        numbers[there] = texts[there].astype(np.float64)
    except ValueError:
        return Column(texts, None)
    if (np.strings.find(texts, "_") >= 0).any():  # 1_000 is a number of Python's, and of nobody else's
        return Column(texts, None)
    return Column(texts, numbers)


# Parquet


def _parquet(name: str, data: bytes) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as missing:
        raise not_installed(f"{name}, a Parquet file,", "pyarrow", "tables", missing) from None
    try:
        given = pyarrow.parquet.read_table(io.BytesIO(data))
    except (ValueError, OSError) as damage:
        raise _problem(name, f"is a damaged Parquet file ({str(damage).partition(chr(10))[0]})") from None
    names, notes = [*given.column_names], []
    if names and names[-1].startswith(_INDEX):  # where pandas puts it
        names, given = names[:-1], given.select(range(len(names) - 1))
        notes.append(f"{name}: the labels of rows that pandas has written are left out")
    if not names:
        raise _problem(name, "has no columns")
    names, more = _checked_names(name, names, None, "row")
    columns = {
        column: _column_of_arrow(name, column, cells)
        for column, cells in zip(names, given.columns, strict=True)
        if column
    }
    return Table(name, columns, np.arange(1, given.num_rows + 1), "row", notes + more)


def _column_of_arrow(name: str, column: str, cells: Any) -> Column:
    from pyarrow import float64, types

    kind = cells.type.value_type if types.is_dictionary(cells.type) else cells.type
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return Column(None, np.array(cells.cast(kind).cast(float64(), safe=False).to_numpy()))
    if types.is_string(kind) or types.is_large_string(kind) or types.is_boolean(kind) or types.is_temporal(kind):
        texts = ["" if cell is None else str(cell).strip() for cell in cells.to_pylist()]
        return _column(np.array(texts, _TEXT))
    if types.is_null(kind):
        return Column(np.full(len(cells), "", _TEXT), None)
    raise _problem(name, f"has values of type {kind}; expected numbers, text or booleans", column)
