"""A frame as columns of known kinds: of pandas, of polars, an array, or lists of rows.

pandas and polars are never imported: who has a frame has its library. A column is read when it is asked for, and what
is looked at one by one are its distinct values, not its rows. Not here: what becomes of a column (frame_encoding.py).
"""

import datetime
import decimal
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from fastmlp.formulas import Array

KINDS = ("number", "boolean", "category", "date", "duration", "empty")
TRUTH = ("False", "True")  # the texts of a boolean
_EXPECTED = "expected a frame of pandas or polars, an array or lists of rows"
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
        Of a number, a date (seconds since 1970, in UTC where there is a zone) or a duration (seconds); NaN is missing.
    wall : ndarray of shape (rows,), float64
        Of a date: the seconds that the clocks on the wall show.
    zone : str
        Of a date: its time zone, or nothing.
    codes : ndarray of shape (rows,), intp
        Of a category or boolean: places in `texts`; -1 is missing.
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


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame whose columns are read one by one.

    Attributes
    ----------
    names : list of str
    named : bool
        Whether the names are the user's, by which columns are found; else they are found by their places.
    rows : int
    column : callable
        The Column at a place.
    numbers : ndarray of shape (rows, columns), float32 or float64, or None
        All of it, if it is nothing but numbers, none infinite.
    """

    names: list[str]
    named: bool
    rows: int
    column: Callable[[int], Column]
    numbers: Any = None


def read(X: Any) -> Frame:
    """X as a frame.

    Raises
    ------
    ValueError
        If it has no rows or columns, two columns of one name, or infinities where all are numbers.
    TypeError
        If it is sparse or no table, or some of the names are strings and some are not.
    """
    if hasattr(X, "get_columns") and hasattr(X, "schema"):
        series = X.get_columns()
        names, named = _checked_names([one.name for one in series], X.shape)
        return Frame(names, named, X.shape[0], lambda j: _polars_column(names[j], series[j]))
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        names, named = _checked_names(list(X.columns), X.shape)
        if all(isinstance(dtype, np.dtype) and dtype.kind in "iuf" for dtype in X.dtypes):
            return _all_numbers(names, named, X.to_numpy())
        return Frame(names, named, X.shape[0], lambda j: _pandas_column(names[j], X.iloc[:, j]))
    if hasattr(X, "collect_schema") or hasattr(X, "column_names"):
        raise TypeError(f"X is a {type(X).__name__} of {type(X).__module__}; {_EXPECTED}")
    return _array_frame(X)


def _checked_names(labels: list[Any], shape: tuple[int, int]) -> tuple[list[str], bool]:
    if 0 in shape:
        what = "sample(s)" if shape[0] == 0 else "feature(s)"
        raise ValueError(f"X has 0 {what} (shape={shape}); expected at least 1")
    are_strings = [isinstance(label, str) for label in labels]
    if any(are_strings) and not all(are_strings):
        other = labels[are_strings.index(False)]
        raise TypeError(
            f"X has the column {labels[are_strings.index(True)]!r}, whose name is a string, and {other!r}, whose name "
            f"is {type(other).__name__}; expected all strings or none: X.columns = X.columns.astype(str)"
        )
    names = [str(label) for label in labels]
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"X has {names.count(twice)} columns called {twice!r}; expected each name once")
    return names, all(are_strings)


def _all_numbers(names: list[str], named: bool, x: Array) -> Frame:
    if x.dtype not in (np.float32, np.float64):
        x = x.astype(np.float64)
    if not math.isfinite(x.sum(dtype=np.float64)):  # holes, or a reason to look closer
        for j in np.flatnonzero(np.isinf(x).any(axis=0)):
            _finite(names[j], x[:, j])
    return Frame(names, named, len(x), lambda j: _numbers(names[j], x[:, j].astype(np.float64)), x)


def _array_frame(X: Any) -> Frame:
    if not hasattr(X, "dtype") and not hasattr(X, "__array__"):
        try:
            if np.asarray(X).dtype.kind not in "biufcO":  # numbers among strings would become strings
                X = np.array(X, object)
        except ValueError:
            pass  # rows of different lengths, of which scikit-learn speaks
    x = check_array(X, dtype=None, ensure_all_finite=False, input_name="X")
    names = [f"x{j}" for j in range(x.shape[1])]
    if x.dtype.kind in "biuf":
        return _all_numbers(names, False, x)
    return Frame(names, False, len(x), lambda j: _array_column(names[j], x[:, j]))


# Columns


def _numbers(name: str, values: Array) -> Column:
    return Column(name, "number", _finite(name, values))


def _finite(name: str, values: Array) -> Array:
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        raise ValueError(
            f"column {name!r} of X has infinity in row {row} ({values[row]}); expected finite numbers, or NaN where "
            "there is none"
        )
    return values


def _truths(name: str, values: Array) -> Column:
    """Of 0, 1 and NaN."""
    return Column(name, "boolean", codes=np.where(np.isnan(values), -1, values == 1).astype(np.intp), texts=TRUTH)


def _dates(name: str, utc: Array, wall: Array, zone: str) -> Column:
    return Column(name, "date", _seconds(utc, "datetime64"), _seconds(wall, "datetime64"), zone)


def _durations(name: str, durations: Array) -> Column:
    return Column(name, "duration", _seconds(durations, "timedelta64"))


def _seconds(times: Array, kind: str) -> Array:
    micro = np.asarray(times).astype(f"{kind}[us]")
    seconds: Array = np.where(np.isnat(micro), np.nan, micro.astype(np.int64) / 1e6)
    return seconds


def _categories(name: str, codes: Array, items: Sequence[Any]) -> Column:
    """A column of categories, of which only those that are there matter."""
    items = list(items)
    if items and all(isinstance(item, (bool, np.bool_)) for item in items):
        truth = np.array([*map(float, items), np.nan])
        return _truths(name, truth[codes])
    texts = [_text(item) for item in items]
    if len(set(texts)) < len(texts):
        places, texts = _factorized(name, texts)
        codes = np.append(places, -1)[codes]
    return Column(name, "category", codes=codes.astype(np.intp, copy=False), texts=texts)


def _text(item: Any) -> str:
    """1 and 1.0 are one category."""
    if isinstance(item, bytes):
        return item.decode(errors="backslashreplace")
    return str(int(item)) if isinstance(item, (float, np.floating)) and item == item // 1 else str(item)


def _factorized(name: str, items: list[Any]) -> tuple[Array, list[Any]]:
    """The place of each item (n,) among the distinct ones, and these."""
    try:
        distinct = list(dict.fromkeys(items))
    except TypeError:
        raise _no_column(name, next(item for item in items if not hasattr(item, "__hash__") or not item.__hash__))
    places = dict(zip(distinct, range(len(distinct)), strict=True))
    return np.fromiter(map(places.__getitem__, items), np.intp, len(items)), distinct


def _no_column(name: str, item: Any) -> TypeError:
    return TypeError(
        f"column {name!r} of X has the element {item!r:.80} of {type(item).__name__}; the argument must be a string or "
        "a number, a truth value, a date or a duration"
    )


def _is_missing(item: Any) -> bool:
    if item is None or type(item).__name__ in ("NAType", "NaTType"):
        return True
    try:
        return bool(item != item)
    except (TypeError, ValueError):
        return False


def _column_of_objects(name: str, codes: Array, items: Iterable[Any]) -> Column:
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
        both = " and ".join(f"{_WORDS.get(kind, 'the duration')} {item!r:.80}" for kind, item in list(kinds.items())[:2])
        raise TypeError(f"column {name!r} of X has {both}; expected one kind of values in a column")
    return _OF_OBJECTS[next(iter(kinds))](name, codes, items)


def _numbers_of_objects(name: str, codes: Array, items: list[Any]) -> Column:
    try:
        values = np.array([*map(float, items), np.nan])
    except OverflowError:
        raise ValueError(f"column {name!r} of X has numbers beyond the range of float64") from None
    return _numbers(name, values[codes])


def _dates_of_objects(name: str, codes: Array, items: list[Any]) -> Column:
    zones = {str(zone) for zone in (getattr(item, "tzinfo", None) for item in items) if zone is not None}
    aware = [getattr(item, "tzinfo", None) is not None for item in items]
    if zones and not all(aware):
        raise TypeError(f"column {name!r} of X has dates with a time zone and without; expected one of the two")
    utc, wall = items, items
    if zones:
        utc = [item.astimezone(datetime.UTC).replace(tzinfo=None) for item in items]
        wall = [item.replace(tzinfo=None) for item in items] if len(zones) == 1 else utc
    zone = "" if not zones else zones.pop() if len(zones) == 1 else "UTC"
    both = [np.append(np.array(dates, "datetime64[us]"), np.datetime64("NaT"))[codes] for dates in (utc, wall)]
    return _dates(name, *both, zone)


def _durations_of_objects(name: str, codes: Array, items: list[Any]) -> Column:
    lengths = [
        datetime.timedelta(hours=t.hour, minutes=t.minute, seconds=t.second, microseconds=t.microsecond)
        if isinstance(t, datetime.time)
        else t
        for t in items
    ]
    return _durations(name, np.append(np.array(lengths, "timedelta64[us]"), np.timedelta64("NaT"))[codes])


_OF_OBJECTS: dict[str, Callable[[str, Array, list[Any]], Column]] = {
    "boolean": _categories,
    "number": _numbers_of_objects,
    "category": _categories,
    "date": _dates_of_objects,
    "duration": _durations_of_objects,
}


def _array_column(name: str, x: Array) -> Column:
    if x.dtype.kind == "M":
        return _dates(name, x, x, "")
    if x.dtype.kind == "m":
        return _durations(name, x)
    return _column_of_objects(name, *_factorized(name, x.tolist()))


def _pandas_column(name: str, series: Any) -> Column:
    dtype = series.dtype
    if hasattr(dtype, "categories"):
        return _categories(name, np.asarray(series.cat.codes, np.intp), dtype.categories)
    kind = getattr(dtype, "kind", "O")
    if kind == "c":
        raise ValueError(f"Complex data not supported: column {name!r} of X is {dtype}")
    if kind in "biuf":
        plain = isinstance(dtype, np.dtype)
        values = series.to_numpy(np.float64) if plain else series.to_numpy(np.float64, na_value=np.nan)
        return _truths(name, values) if kind == "b" else _numbers(name, values)
    if hasattr(getattr(series, "dt", None), "to_timestamp"):  # periods
        series, kind = series.dt.to_timestamp(), "M"
    if kind == "M":
        zone = series.dt.tz
        if zone is None:
            return _dates(name, *[np.asarray(series, "datetime64[us]")] * 2, "")
        utc, wall = series.dt.tz_convert("UTC").dt.tz_localize(None), series.dt.tz_localize(None)
        return _dates(name, np.asarray(utc, "datetime64[us]"), np.asarray(wall, "datetime64[us]"), str(zone))
    if kind == "m":
        return _durations(name, np.asarray(series, "timedelta64[us]"))
    try:
        codes, items = series.factorize()
    except TypeError:  # lists and the like
        codes, items = _factorized(name, series.tolist())
    return _column_of_objects(name, codes, items)


def _polars_column(name: str, series: Any) -> Column:
    dtype = series.dtype
    if dtype.is_numeric():
        return _numbers(name, series.cast(float).to_numpy())
    kind = dtype.base_type().__name__
    if kind == "Boolean":
        return _truths(name, series.cast(float).to_numpy())
    if kind == "Datetime" and dtype.time_zone is not None:
        utc, wall = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None), series.dt.replace_time_zone(None)
        return _dates(name, utc.to_numpy(), wall.to_numpy(), dtype.time_zone)
    if kind in ("Date", "Datetime"):
        return _dates(name, *[series.to_numpy()] * 2, "")
    if kind == "Duration":
        return _durations(name, series.to_numpy())
    if kind in ("Categorical", "Enum"):
        series = series.cast(str)
    return _column_of_objects(name, *_factorized(name, series.to_list()))
