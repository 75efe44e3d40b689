"""A column of a frame: its kind and its values, made of arrays, of codes, or of the distinct objects that it has.

Not here: how a frame of a library is read (frames.py), and what becomes of a column (frame_pieces.py).
"""

import datetime
import decimal
import numbers
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastmlp.formulas import Array

KINDS = ("number", "boolean", "category", "date", "duration", "empty")
TRUTH = ("False", "True")  # the texts of a boolean
# What an object in a column is; the first row that fits, for True is a number, too, and a datetime a date.
_TYPES: tuple[tuple[str, Any], ...] = (
    ("boolean", (bool, np.bool_)),
    ("number", (numbers.Real, decimal.Decimal)),
    ("category", (str, bytes)),
    ("date", (datetime.date, np.datetime64)),
    ("duration", (datetime.timedelta, np.timedelta64, datetime.time)),
)
_WORDS = {"boolean": "the truth value", "number": "the number", "category": "the string", "date": "the date"}


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a frame.

    Attributes
    ----------
    name : str
    kind : one of KINDS
    values : ndarray of shape (rows,), float64
        Of a number, a date (seconds since 1970, of UTC where there is a zone) or a duration (seconds); NaN is a hole.
    wall : ndarray of shape (rows,), float64
        Of a date: the seconds that the clocks on the wall show.
    zone : str
        Of a date: its time zone, or nothing.
    codes : ndarray of shape (rows,), intp
        Of a category or boolean: places in `texts`; -1 is a hole.
    texts : list of str
        Each once; a boolean has those of TRUTH.
    """

    name: str
    kind: str
    values: Any = None
    wall: Any = None
    zone: str = ""
    codes: Any = None
    texts: Sequence[str] = ()

    def is_missing(self) -> Array:
        """Which rows have a hole, (rows,)."""
        mask: Array = np.isnan(self.values) if self.codes is None else self.codes < 0
        return mask

    def taken(self, rows: Array) -> "Column":
        """The column of these rows (n,) of it."""
        values, wall, codes = (None if one is None else one[rows] for one in (self.values, self.wall, self.codes))
        return replace(self, values=values, wall=wall, codes=codes)

    def example(self, row: int) -> str:
        """The value in a row, as text."""
        if self.codes is not None:
            text = self.texts[self.codes[row]]
            return text if self.kind == "boolean" else repr(text[:80])
        if self.kind == "date":
            return str(np.datetime64(int(self.wall[row]), "s"))
        return f"{self.values[row]:g}" + " s" * (self.kind == "duration")


def numbers_column(name: str, values: Array) -> Column:
    """The column of numbers of an array (rows,) of float64."""
    return Column(name, "number", finite(name, values))


def finite(name: str, values: Array) -> Array:
    """The numbers of a column, none of which is infinite."""
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        raise ValueError(
            f"column {name!r} of X has infinity in row {row} ({values[row]}); expected finite numbers, or NaN where "
            "there is none"
        )
    return values


def truths(name: str, values: Array) -> Column:
    """The column of truth values of 0, 1 and NaN."""
    return Column(name, "boolean", codes=np.where(np.isnan(values), -1, values == 1).astype(np.intp), texts=TRUTH)


def dates(name: str, utc: Any, wall: Any = None, zone: str = "") -> Column:
    """The column of dates of one array (rows,), or of two where there is a time zone."""
    wall = utc if wall is None else wall
    return Column(name, "date", _seconds(utc, "datetime64"), _seconds(wall, "datetime64"), zone)


def durations(name: str, lengths: Any) -> Column:
    """The column of durations of an array (rows,)."""
    return Column(name, "duration", _seconds(lengths, "timedelta64"))


def _seconds(times: Any, kind: str) -> Array:
    micro = np.asarray(times).astype(f"{kind}[us]")
    seconds: Array = np.where(np.isnat(micro), np.nan, micro.astype(np.int64) / 1e6)
    return seconds


def categories(name: str, codes: Array, items: Sequence[Any]) -> Column:
    """A column of categories, of which only those that are there matter."""
    items = list(items)
    if items and all(isinstance(item, (bool, np.bool_)) for item in items):
        truth = np.array([*map(float, items), np.nan])
        return truths(name, truth[codes])
    texts = [_text(item) for item in items]
    if len(set(texts)) < len(texts):
        places, texts = factorized(name, texts)
        codes = np.append(places, -1)[codes]
    return Column(name, "category", codes=codes.astype(np.intp, copy=False), texts=texts)


def _text(item: Any) -> str:
    """1 and 1.0 are one category."""
    if isinstance(item, bytes):
        return item.decode(errors="backslashreplace")
    return str(int(item)) if isinstance(item, (float, np.floating)) and item == item // 1 else str(item)


def factorized(name: str, items: list[Any]) -> tuple[Array, list[Any]]:
    """The place of each item (n,) among the distinct ones, and these."""
    try:
        distinct = list(dict.fromkeys(items))
    except TypeError:
        raise _no_column(name, next(item for item in items if not _is_hashable(item))) from None
    places = dict(zip(distinct, range(len(distinct)), strict=True))
    return np.fromiter(map(places.__getitem__, items), np.intp, len(items)), distinct


def _is_hashable(item: Any) -> bool:
    try:
        hash(item)
    except TypeError:
        return False
    return True


def _no_column(name: str, item: Any) -> TypeError:
    return TypeError(
        f"column {name!r} of X has the element {repr(item)[:80]} of {type(item).__name__}; the argument must be a "
        "string or a number, a truth value, a date or a duration"
    )


def _is_missing(item: Any) -> bool:
    if item is None or type(item).__name__ in ("NAType", "NaTType"):
        return True
    try:
        return bool(item != item)
    except (TypeError, ValueError):
        return False


def column_of_objects(name: str, codes: Array, items: Iterable[Any]) -> Column:
    """What a column is, from its distinct items; -1 is missing, and so may an item be."""
    items = list(items)
    there = [not _is_missing(item) for item in items]
    if not all(there):
        places = np.append(np.where(there, np.cumsum(there) - 1, -1), -1)
        codes, items = places[codes], [item for item, is_there in zip(items, there, strict=True) if is_there]
    if not items:
        return Column(name, "empty", np.full(len(codes), np.nan))
    first = {type(item): item for item in reversed(items)}
    kinds: dict[str, Any] = {}
    for of, item in first.items():
        kind = next((kind for kind, types in _TYPES if issubclass(of, types)), None)
        if kind is None and isinstance(item, (complex, np.complexfloating)):
            raise ValueError(f"Complex data not supported: column {name!r} of X has {item!r}")
        if kind is None:
            raise _no_column(name, item)
        kinds[kind] = item
    if set(kinds) == {"boolean", "number"}:
        kinds = {"number": None}
    if len(kinds) > 1:
        both = " and ".join(
            f"{_WORDS.get(kind, 'the duration')} {repr(item)[:80]}" for kind, item in list(kinds.items())[:2]
        )
        raise TypeError(f"column {name!r} of X has {both}; expected one kind of values in a column")
    return _OF_OBJECTS[next(iter(kinds))](name, codes, items)


def _numbers_of_objects(name: str, codes: Array, items: list[Any]) -> Column:
    try:
        values = np.array([*map(float, items), np.nan])
    except OverflowError:
        raise ValueError(f"column {name!r} of X has numbers beyond the range of float64") from None
    return numbers_column(name, values[codes])


def _dates_of_objects(name: str, codes: Array, items: list[Any]) -> Column:
    zones = {str(zone) for zone in (getattr(item, "tzinfo", None) for item in items) if zone is not None}
    aware = [getattr(item, "tzinfo", None) is not None for item in items]
    if zones and not all(aware):
        raise TypeError(f"column {name!r} of X has dates with a time zone and without; expected one of the two")
    wall = np.array([item.replace(tzinfo=None) for item in items] if zones else items, "datetime64[us]")
    # Not by astimezone: of 9999-12-31 in New York there is no datetime in UTC.
    utc = wall - np.array([item.utcoffset() for item in items], "timedelta64[us]") if zones else wall
    wall = utc if len(zones) > 1 else wall
    zone = "" if not zones else zones.pop() if len(zones) == 1 else "UTC"
    both = [np.append(each, np.datetime64("NaT"))[codes] for each in (utc, wall)]
    return dates(name, both[0], both[1], zone)


def _durations_of_objects(name: str, codes: Array, items: list[Any]) -> Column:
    lengths = [
        datetime.timedelta(hours=t.hour, minutes=t.minute, seconds=t.second, microseconds=t.microsecond)
        if isinstance(t, datetime.time)
        else t
        for t in items
    ]
    return durations(name, np.append(np.array(lengths, "timedelta64[us]"), np.timedelta64("NaT"))[codes])


_OF_OBJECTS: dict[str, Callable[[str, Array, list[Any]], Column]] = {
    "boolean": categories,
    "number": _numbers_of_objects,
    "category": categories,
    "date": _dates_of_objects,
    "duration": _durations_of_objects,
}
