"""Tables in files as people have them, CSV and Parquet, gzipped or not: read whole, or refused by line and column.

What a file is, its first bytes say; its name must not contradict them. CSV is read by the standard library's reader,
since that knows the line in which a row begins, and says where a row is too short; Parquet by pyarrow, where that is
installed. A column that cannot be used is refused when somebody asks for it. Not here: what a column means to a net
(table_columns.py).
"""

import csv
import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.formulas import Array
from fastmlp.messages import not_installed
from fastmlp.tables import TEXT, Column, Table, TableError, counted, problem

_CHUNK = 4096  # rows of CSV that are text of Python's at a time, which takes several times the memory of NumPy's
_INDEX = "__index_level_"  # how pandas begins the name, in Parquet, of the labels of its rows
_LONGEST_CELL = 2**31 - 1  # characters
_EXACT = 2.0**53  # whole numbers from here on are not all in float64
# What begins with these bytes is no text.
_OTHERS = {
    b"PK\x03\x04": "a workbook of a spreadsheet program or another zip file",
    b"\xd0\xcf\x11\xe0": "a workbook of an old spreadsheet program",
    b"%PDF": "a PDF",
    b"SQLite format": "a database of SQLite",
    b"\xfd7zXZ": "packed by xz",
    b"BZh": "packed by bzip2",
    b"(\xb5/\xfd": "packed by zstd",
    b"7z\xbc\xaf": "packed by 7-Zip",
}


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
    if source == "-" and sys.stdin is None:
        raise problem(name, "is closed; expected a table")
    data = _unpacked(name, sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes())
    is_parquet = data[:4] == b"PAR1"
    if name.removesuffix(".gz").endswith((".parquet", ".pq")) and not is_parquet:
        raise problem(name, "is no Parquet file, though its name says so; it is damaged, or has the wrong name")
    if other := next((what for begin, what in _OTHERS.items() if data.startswith(begin)), ""):
        raise problem(name, f"is no text file but {other}; save the table as CSV")
    table = _parquet(name, data) if is_parquet else _csv(name, data, separator, encoding)
    if table.rows == 0:
        raise table.problem("has a header and no rows; expected a line for each sample")
    return table


def _unpacked(name: str, data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        if name.endswith(".gz"):
            raise problem(name, "is no gzip file, though its name says so; it is damaged, or has the wrong name")
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as damage:
        raise problem(name, f"is a damaged gzip file ({damage}); fetch it again") from None


def _table(name: str, names: Sequence[str], cells: Sequence[Column], places: Array, unit: str) -> Table:
    """The table of these columns, without those of row numbers and those without a name or anything else."""
    table = Table(name, {}, places, unit)
    names = [one.strip() for one in names]
    for at, (column, given) in enumerate(zip(names, cells, strict=True), 1):
        if column.startswith(_INDEX) or (not column and at == 1 and _names_rows(given)):
            table.note(f"column {at} holds the row numbers or labels that pandas writes; it is left out")
        elif not column and given.numbers is None and given.texts is not None and not (given.texts != "").any():
            continue  # as a separator at the end of each line makes it
        elif column and names.count(column) > 1:
            which = [str(k) for k, one in enumerate(names, 1) if one == column]
            what = f"is the name of columns {' and '.join(which)}; give them names of their own"
            table.columns[column] = Column(None, None, what)
        elif column or not table.columns.get(""):
            table.columns[column] = given if column else Column(None, None, f"column {at} has no name; give it one")
    return table


def _names_rows(column: Column) -> bool:
    """Whether a column numbers rows, of which some may have gone and others moved, or has a text for each."""
    if column.numbers is None:
        return column.texts is not None and len(np.unique(column.texts)) == len(column.texts)
    distinct = np.unique(column.numbers)
    is_whole = len(distinct) == len(column.numbers) and np.array_equal(distinct, np.rint(distinct))
    return is_whole and bool(distinct[-1] - distinct[0] < 2 * len(distinct))


# CSV


def _csv(name: str, data: bytes, separator: str, encoding: str) -> Table:
    csv.field_size_limit(_LONGEST_CELL)
    encoding = _checked_encoding(name, data, encoding)
    text = io.TextIOWrapper(io.BytesIO(data), encoding, newline="")
    before = 0
    if said := re.fullmatch(r'"?sep=(.)"?\s*', text.readline()):  # of Excel
        before, separator = 1, said[1]
    else:
        text.seek(0)
    rows = _rows(name, csv.reader(text, delimiter=separator, skipinitialspace=True, strict=True), before)
    header = next((row for _, row in rows if row and not row[0].startswith("# ")), [])
    if not any(cell.strip() for cell in header):
        raise problem(name, "is empty; expected a header with the names of the columns, and a line for each sample")
    if len(header) == 1 and (other := next((mark for mark in ";\t|," if mark in header[0]), None)):
        word = "tab" if other == "\t" else f"'{other}'"
        raise problem(name, f"the header is one name, {header[0]!r}; pass --separator {word} if that parts them")
    places: list[int] = []
    chunks: list[list[Array]] = [[] for _ in header]
    waiting: list[list[str]] = []

    def keep() -> None:
        for chunk, cells in zip(chunks, zip(*waiting, strict=True), strict=False):
            chunk.append(np.strings.strip(np.array(cells, TEXT)))
        waiting.clear()

    for place, row in rows:
        if len(row) != len(header):
            if not row and len(header) > 1:
                continue  # a blank line
            if row:
                quoted = f"a text with a {separator!r} in it wants quotation marks"
                advice = quoted if len(row) > len(header) else "cells are missing"
                what = f"has {counted(len(row), 'cell')}, and the header {len(header)}; {advice}"
                raise problem(name, what, place=place)
            row = [""]  # a blank line of a table of one column is an empty cell
        waiting.append(row)
        places.append(place)
        if len(waiting) == _CHUNK:
            keep()
    if waiting:
        keep()
    columns = [np.concatenate(cells) if cells else np.empty(0, TEXT) for cells in chunks]
    if len(header) == 1:  # where blank lines at the end are nothing, nevertheless
        filled = np.flatnonzero(columns[0] != "")
        end = filled[-1] + 1 if len(filled) else 0
        places, columns = places[:end], [columns[0][:end]]
    return _table(name, header, [_column(texts) for texts in columns], np.array(places, np.int64), "line")


def _checked_encoding(name: str, data: bytes, encoding: str) -> str:
    """The encoding, with which all of the file can be read."""
    marked = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        if encoding.lower().replace("-", "").replace("_", "") == "utf8":
            encoding = "utf-8-sig"  # which passes over the mark that some programs begin a file with
        text = data.decode(encoding)
    except LookupError:
        raise TableError(
            f"--encoding {encoding!r} is not known; expected one such as utf-8, cp1252 or utf-16"
        ) from None
    except UnicodeError as wrong:
        if b"\0" in data and not marked:
            raise problem(name, "is no text file; save the table as CSV") from None
        start = wrong.start if isinstance(wrong, UnicodeDecodeError) else 0
        other = "utf-16" if marked else "cp1252" if encoding == "utf-8-sig" else "utf-8"
        what = f"is not {encoding.removesuffix('-sig').upper()}; save it so, or pass its --encoding, such as {other}"
        raise problem(name, what, place=_line(data[:start])) from None
    if "\0" in text:
        what = "has a NUL in it; it is no text, or wants --encoding utf-16"
        raise problem(name, what, place=_line(text[: text.index("\0")].encode()))
    return encoding


def _line(before: bytes) -> int:
    return (before.count(b"\n") or before.count(b"\r")) + 1


def _rows(name: str, reader: Any, before: int) -> Iterator[tuple[int, list[str]]]:
    """The rows with the lines that they begin in, of which so many were before."""
    place = before + 1
    try:
        for row in reader:
            yield place, row
            place = before + reader.line_num + 1
    except csv.Error as wrong:
        what = f"cannot be read: {wrong}; a quotation mark is missing, or one in a text is not doubled"
        raise problem(name, what, place=place) from None


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
    if (np.strings.find(texts, "_") >= 0).any():  # which `tables.is_number` does not take, either
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
        given = pyarrow.parquet.ParquetFile(io.BytesIO(data)).read()
    except (ValueError, OSError) as damage:
        raise problem(name, f"is a damaged Parquet file ({str(damage).partition(chr(10))[0]})") from None
    if not given.column_names:
        raise problem(name, "has no columns")
    columns = [_column_of_arrow(cells) for cells in given.columns]
    return _table(name, given.column_names, columns, np.arange(1, given.num_rows + 1), "row")


def _column_of_arrow(cells: Any) -> Column:
    from pyarrow import float64, types

    kind = cells.type.value_type if types.is_dictionary(cells.type) else cells.type
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        numbers: Array = np.array(cells.cast(kind).cast(float64(), safe=False).to_numpy())
        if types.is_floating(kind) or not (np.abs(numbers) >= _EXACT).any():
            return Column(None, numbers)
    elif types.is_null(kind):
        return Column(np.full(len(cells), "", TEXT), None)
    elif not (
        types.is_string(kind) or types.is_large_string(kind) or types.is_boolean(kind) or types.is_temporal(kind)
    ):
        return Column(None, None, f"has values of type {kind}; expected numbers, text or booleans")
    return _column(np.array(["" if cell is None else str(cell).strip() for cell in cells.to_pylist()], TEXT))
