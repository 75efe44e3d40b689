"""A frame as columns of known kinds: of pandas, of polars, an array, or lists of rows.

pandas and polars are never imported: who has a frame has its library. A column is read when it is asked for, and what
is looked at one by one are its distinct values, not its rows. Not here: what a column is (frame_columns.py).
"""

import datetime
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from fastmlp.formulas import Array
from fastmlp.frame_columns import (
    Column,
    categories,
    column_of_objects,
    dates,
    durations,
    factorized,
    numbers_column,
    truths,
)

_EXPECTED = "expected a frame of pandas or polars, an array or lists of rows"


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
        All of it, if it is nothing but numbers; some may be infinite.
    """

    names: list[str]
    named: bool
    rows: int
    column: Callable[[int], Column]
    numbers: Any = None

    def taken(self, rows: Array) -> "Frame":
        """The frame of these rows (n,) of it."""
        numbers = None if self.numbers is None else self.numbers[rows]
        return Frame(self.names, self.named, len(rows), lambda j: self.column(j).taken(rows), numbers)


def read(X: Any) -> Frame:
    """X as a frame.

    Raises
    ------
    ValueError
        If it has no rows or columns, or two columns of one name.
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


def listed(names: Sequence[str], most: int = 5) -> str:
    """Columns by name, the first of them if there are many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"the column{'s' * (len(names) > 1)} {', '.join(map(repr, names[:most]))}{more}"


def _checked_names(labels: list[Any], shape: tuple[int, int]) -> tuple[list[str], bool]:
    if 0 in shape:
        what = "sample(s)" if shape[0] == 0 else "feature(s)"
        raise ValueError(f"X has 0 {what} (shape={shape}); expected at least 1")
    are_strings = [isinstance(label, str) for label in labels]
    if any(are_strings) and not all(are_strings):
        string, other = labels[are_strings.index(True)], labels[are_strings.index(False)]
        raise TypeError(
            f"X has the column {string!r}, whose name is a string, and {other!r}, whose name is a "
            f"{type(other).__name__}; expected all strings or none: X.columns = X.columns.astype(str)"
        )
    names = [str(label) for label in labels]
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise ValueError(f"X has {times} columns called {name!r}; expected each name once")
    return names, all(are_strings)


def _all_numbers(names: list[str], named: bool, x: Array) -> Frame:
    if x.dtype not in (np.float32, np.float64):
        with np.errstate(over="ignore"):  # of longer numbers
            x = x.astype(np.float64)
    return Frame(names, named, len(x), lambda j: numbers_column(names[j], x[:, j].astype(np.float64)), x)


def _array_frame(X: Any) -> Frame:
    if not hasattr(X, "dtype") and not hasattr(X, "__array__"):
        try:
            if np.asarray(X).dtype.kind not in "biufcO":  # numbers among strings would become strings
                X = np.array(X, object)
        except ValueError:
            pass  # rows of different lengths, of which scikit-learn speaks
    if isinstance(X, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(X)
        X = np.array(X.data, np.float64 if X.dtype.kind in "biuf" else object)
        X[mask] = None if X.dtype == object else np.nan
    x = check_array(X, dtype=None, ensure_all_finite=False, input_name="X")
    names = [f"x{j}" for j in range(x.shape[1])]
    if x.dtype.kind in "biuf":
        return _all_numbers(names, False, x)
    return Frame(names, False, len(x), lambda j: _array_column(names[j], x[:, j]))


# Columns of each library


def _array_column(name: str, x: Array) -> Column:
    if x.dtype.kind == "M":
        return dates(name, x)
    if x.dtype.kind == "m":
        return durations(name, x)
    return column_of_objects(name, *factorized(name, x.tolist()))


def _pandas_column(name: str, series: Any) -> Column:
    dtype = series.dtype
    if hasattr(dtype, "categories"):
        return categories(name, np.asarray(series.cat.codes, np.intp), dtype.categories)
    kind = getattr(dtype, "kind", "O")
    if kind == "c":
        raise ValueError(f"Complex data not supported: column {name!r} of X is {dtype}")
    if kind in "biuf":
        plain = isinstance(dtype, np.dtype)
        values = series.to_numpy(np.float64) if plain else series.to_numpy(np.float64, na_value=np.nan)
        return truths(name, values) if kind == "b" else numbers_column(name, values)
    if hasattr(getattr(series, "dt", None), "to_timestamp"):  # periods
        series, kind = series.dt.to_timestamp(), "M"
    if kind == "M" and getattr(dtype, "type", None) is not datetime.date:  # Arrow's days are objects
        zone = getattr(dtype, "tz", None) or getattr(getattr(dtype, "pyarrow_dtype", None), "tz", None)
        if zone is None:
            return dates(name, np.asarray(series, "datetime64[us]"))
        utc, wall = series.dt.tz_convert("UTC").dt.tz_localize(None), series.dt.tz_localize(None)
        return dates(name, np.asarray(utc, "datetime64[us]"), np.asarray(wall, "datetime64[us]"), str(zone))
    if kind == "m":
        return durations(name, np.asarray(series, "timedelta64[us]"))
    try:
        codes, items = series.factorize()
    except (TypeError, NotImplementedError):  # of lists, sets and dicts, which pandas cannot hash
        codes, items = factorized(name, series.tolist())
    return column_of_objects(name, codes, items)


def _polars_column(name: str, series: Any) -> Column:
    dtype = series.dtype
    if dtype.is_numeric():
        return numbers_column(name, series.cast(float).to_numpy())
    kind = dtype.base_type().__name__
    if kind == "Boolean":
        return truths(name, series.cast(float).to_numpy())
    if kind == "Datetime" and dtype.time_zone is not None:
        utc, wall = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None), series.dt.replace_time_zone(None)
        return dates(name, utc.to_numpy(), wall.to_numpy(), dtype.time_zone)
    if kind in ("Date", "Datetime"):
        return dates(name, series.to_numpy())
    if kind == "Duration":
        return durations(name, series.to_numpy())
    if kind in ("Categorical", "Enum"):
        series = series.cast(str)
    return column_of_objects(name, *factorized(name, series.to_list()))
