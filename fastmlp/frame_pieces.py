"""What becomes of the columns of a frame: pieces, each of which reads one, or several of numbers, and writes its own.

A piece is learned from the rows of training and is a value: its fields are all that it knows. Where it makes a
constant of a column, it has nothing to write of it. Not here: how a frame is read (frames.py), and how the pieces
make a matrix (frame_encoding.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastmlp.formulas import Array
from fastmlp.frame_columns import Column, finite, truths
from fastmlp.frame_scaling import (
    MOST,
    bin_edges,
    piecewise_linear,
    robust_scale_of_levels,
    robust_scales,
    scaled,
    target_means,
)
from fastmlp.frames import Frame

_DAY = 86400.0
_NAMES = {
    "number": "numbers", "boolean": "truth values", "category": "categories", "date": "dates",
    "duration": "durations",
}  # fmt: skip
# The rows of numbers that a date becomes: seconds since the first, and where in the year, the week and the day it is.
DATE_ROWS = ("", "_year_sin", "_year_cos", "_week_sin", "_week_cos", "_day_sin", "_day_cos")


def as_in_training(column: Column, kind: str, zone: str = "") -> Column:
    """A column, which must be of the kind that it had in training; one of holes alone is of any kind.

    Truth values are numbers where numbers were, and 0 and 1 are truth values where these were.

    Raises
    ------
    ValueError
        If it is of another kind, or has dates in another time zone.
    """
    if column.kind == "empty" or (column.kind == kind and column.zone == zone):
        return column
    holes = column.is_missing()
    if holes.all():
        return Column(column.name, "empty", np.full(len(holes), np.nan))
    if kind == "number" and column.kind == "boolean":
        return Column(column.name, kind, np.where(holes, np.nan, column.codes))
    good = holes
    if kind == "boolean" and column.kind == "number":
        good = holes | np.isin(column.values, (0, 1))
        if good.all():
            return truths(column.name, column.values)
    if kind == "date" == column.kind:
        had, has = (f"in the time zone {one}" if one else "without a time zone" for one in (zone, column.zone))
        raise ValueError(f"column {column.name!r} of X has dates {has}; expected dates {had}, as in training")
    what = f"{_NAMES[column.kind]}, such as {column.example(int(good.argmin()))}"
    raise ValueError(f"column {column.name!r} of X has {what}; expected {_NAMES[kind]}, as in training")


def _date_rows(column: Column, first: float) -> Array:
    """The rows of DATE_ROWS, (7, samples); NaN is a hole."""
    if column.kind == "empty":
        return np.full((len(DATE_ROWS), len(column.values)), np.nan)
    there = ~column.is_missing()
    wall = np.where(there, column.wall, 0.0)
    days = np.floor(wall / _DAY).astype(np.int64)
    years = days.astype("datetime64[D]").astype("datetime64[Y]")
    start = years.astype("datetime64[D]").astype(np.int64)
    length = (years + 1).astype("datetime64[D]").astype(np.int64) - start
    of_year, of_week = (days - start) / length, (days + 3) % 7 / 7  # 1 January 1970 was a Thursday
    rows = [column.values - first]
    for share in (of_year, of_week, wall / _DAY - days):
        # Rounded, so that what is equal but for rounding is equal, and a constant one.
        rows += [np.round(part(2 * np.pi * share), 9) for part in (np.sin, np.cos)]
    return np.where(there, np.stack(rows), np.nan)


# Pieces


@dataclass(eq=False)
class Numbers:
    """Columns of numbers, or the numbers that one of dates becomes: scaled, and indicators of holes.

    Attributes
    ----------
    columns : list of int
    kind : "number", "duration" or "date"
    c, factor : ndarray of shape (rows of numbers,), float64
        A factor of 0: the row is not written.
    marks : ndarray of shape (rows of numbers, 2), float64
        What the indicator is where there is a number, and where there is a hole; the same twice: no indicator.
    first : float
        Of dates: the first of training, in seconds since 1970.
    zone : str
        Of dates.
    """

    columns: list[int]
    kind: str
    c: Array
    factor: Array
    marks: Array
    first: float = 0.0
    zone: str = ""

    @classmethod
    def learned(cls, j: Sequence[int], columns: Sequence[Column]) -> tuple["Numbers", Array]:
        """The piece of columns of one kind, which stand at the places j, and what it writes of them."""
        kind, zone, first = columns[0].kind, columns[0].zone, 0.0
        if kind == "date":
            first = float(np.nanmin(columns[0].values))
            x = _date_rows(columns[0], first)
        else:
            x = np.clip(np.stack([column.values for column in columns]), -MOST, MOST)
        c, factor = robust_scales(x)
        holes = np.count_nonzero(np.isnan(x), axis=1)
        if kind == "date":
            holes[1:] = 0  # those of the first row
        marks, levels = np.zeros((len(x), 2)), np.array([0.0, 1.0])
        for i in np.flatnonzero(holes):
            counts = np.array([x.shape[1] - holes[i], holes[i]])
            marks[i] = scaled(levels, *robust_scale_of_levels(levels, counts))
        columns_kept = list(j)
        if kind != "date":
            kept = (factor > 0) | (marks[:, 0] != marks[:, 1])
            x, c, factor, marks = x[kept], c[kept], factor[kept], marks[kept]
            columns_kept = [place for place, is_kept in zip(j, kept, strict=True) if is_kept]
        piece = cls(columns_kept, kind, c, factor, marks, first, zone)
        return piece, piece._written(x)

    def encode(self, frame: Frame, places: Sequence[int]) -> Array:
        """What it writes, (samples, written), float32, of a frame whose columns stand at these places."""
        at = [places[j] for j in self.columns]
        if self.kind == "number" and frame.numbers is not None:
            x = np.array(frame.numbers[:, at].T, np.float64, order="C")
            if np.isinf(x).any():
                i = int(np.isinf(x).any(axis=1).argmax())
                finite(frame.names[at[i]], x[i])
        else:
            columns = [as_in_training(frame.column(j), self.kind, self.zone) for j in at]
            if self.kind == "date":
                return self._written(_date_rows(columns[0], self.first))
            x = np.array([column.values for column in columns]).reshape(len(at), frame.rows)
        return self._written(x)

    def _written(self, x: Array) -> Array:
        kept, marked = self.factor > 0, self.marks[:, 0] != self.marks[:, 1]
        ends = np.cumsum(kept.astype(np.intp) + marked)
        out = np.empty((x.shape[1], int(kept.sum() + marked.sum())), np.float32)
        numbers = scaled(x[kept], self.c[kept, None], self.factor[kept, None])
        out[:, (ends - marked - 1)[kept]] = numbers.T
        for i in np.flatnonzero(marked):
            out[:, ends[i] - 1] = np.where(np.isnan(x[i]), self.marks[i, 1], self.marks[i, 0])
        return out

    def written(self) -> Iterator[tuple[int, str]]:
        """Of each column that it writes, that which it comes from, and what is added to the name of this."""
        for i, (factor, (number, hole)) in enumerate(zip(self.factor, self.marks, strict=True)):
            column = self.columns[0 if self.kind == "date" else i]
            if factor > 0:
                yield column, DATE_ROWS[i] if self.kind == "date" else ""
            if number != hole:
                yield column, "_missing"


@dataclass(eq=False)
class Bins:
    """A column of numbers as how far each has gone through each bin: frame_scaling.piecewise_linear.

    Attributes
    ----------
    columns : list of one int
    edges : ndarray of shape (bins + 1,), float64
    median : float
        What stands for a hole.
    """

    columns: list[int]
    edges: Array
    median: float

    @classmethod
    def learned(cls, j: int, values: Array, bins: int) -> tuple["Bins", Array]:
        """The piece of a column (samples,), which stands at place j, and what it writes of it."""
        values = np.clip(values, -MOST, MOST)
        piece = cls([j], bin_edges(values, bins), float(np.nanmedian(values)))
        return piece, piece._written(values)

    def encode(self, frame: Frame, places: Sequence[int]) -> Array:
        """What it writes, (samples, bins), float32, of a frame whose columns stand at these places."""
        return self._written(as_in_training(frame.column(places[self.columns[0]]), "number").values)

    def _written(self, x: Array) -> Array:
        return piecewise_linear(np.where(np.isnan(x), self.median, x), self.edges).T.astype(np.float32)

    def written(self) -> Iterator[tuple[int, str]]:
        """As of `Numbers`."""
        for i in range(len(self.edges) - 1):
            yield self.columns[0], f"_bin{i + 1}"


@dataclass(frozen=True, eq=False)
class Targets:
    """What means of categories are made of.

    Attributes
    ----------
    values : ndarray of shape (samples, t), float64
    endings : list of str
        What each mean is called after the name of the column.
    seed : int
        Of the folds.
    """

    values: Array
    endings: list[str]
    seed: int


@dataclass(eq=False)
class Codes:
    """A column of categories or truth values: a row of numbers for each of them.

    Attributes
    ----------
    columns : list of one int
    kind : "category" or "boolean"
    texts : list of str
        Each once.
    endings : list of str
        What the columns that are written are called after the name of the column.
    levels : ndarray of shape (texts + 2, written), float32
        The row of each text, that of a hole and that of what was not there in training.
    """

    columns: list[int]
    kind: str
    texts: list[str]
    endings: list[str]
    levels: Array
    _places: dict[str, int] = field(default_factory=dict, repr=False)

    @classmethod
    def learned(cls, j: int, column: Column, max_one_hot: int, targets: Targets) -> tuple["Codes", Array]:
        """The piece of a column, which stands at place j, and what it writes of it."""
        counts = np.bincount(column.codes + 1, minlength=len(column.texts) + 1)
        seen = sorted((text, i) for i, text in enumerate(column.texts) if counts[i + 1] or column.kind == "boolean")
        texts = [text for text, _ in seen]
        counts = counts[[*(i + 1 for _, i in seen), 0]]  # of each text and of holes
        n, holes = len(texts), bool(counts[-1])
        piece = cls([j], column.kind, texts, [], np.zeros((n + 2, 0), np.float32))
        codes = piece._codes_of(column)
        if n > max(max_one_hot, 2):
            return piece, piece._learn_statistics(codes, n + holes, targets)
        if n > 2:
            levels = np.eye(n + 2, n + holes)
            endings = [*(f"_{text}" for text in texts), "_missing"][: n + holes]
        else:  # minus one and one, of two texts or of a text and holes; nothing is 0
            levels = np.array([-1.0, 1.0, 0.0, 0.0][: n + 2])[:, None]
            endings = [f"_{texts[1]}" if n == 2 else "_missing"] if column.kind == "category" else [""]
        scales = np.array([robust_scale_of_levels(level[:-1], counts) for level in levels.T])
        piece._keep(endings, scales[:, 1], scaled(levels, *scales.T))
        return piece, piece.levels[codes]

    def _learn_statistics(self, codes: Array, n: int, targets: Targets) -> Array:
        of_samples, of_codes = target_means(codes, n, targets.values, targets.seed)
        if n == len(self.texts):  # no holes in training: a later one is new
            of_codes = np.hstack([of_codes, of_codes[:, -1:]])
        c, factor = robust_scales(of_samples)
        self._keep([*targets.endings, "_count"], factor, scaled(of_codes, c[:, None], factor[:, None]).T)
        kept = factor > 0
        return scaled(of_samples[kept], c[kept, None], factor[kept, None]).T.astype(np.float32)

    def _keep(self, endings: Sequence[str], factor: Array, levels: Array) -> None:
        self.endings = [ending for ending, one in zip(endings, factor, strict=True) if one > 0]
        self.levels = levels[:, factor > 0].astype(np.float32)

    def _codes_of(self, column: Column) -> Array:
        """The rows of `levels` for a column, (samples,)."""
        hole, new = len(self.texts), len(self.texts) + 1
        if column.kind == "empty":
            return np.full(len(column.values), hole)
        if not self._places:
            self._places = {text: i for i, text in enumerate(self.texts)}
        known = np.array([*(self._places.get(text, new) for text in column.texts), hole], np.intp)
        codes: Array = known[column.codes]
        return codes

    def encode(self, frame: Frame, places: Sequence[int]) -> Array:
        """What it writes, (samples, written), float32, of a frame whose columns stand at these places."""
        rows: Array = self.levels[self._codes_of(as_in_training(frame.column(places[self.columns[0]]), self.kind))]
        return rows

    def written(self) -> Iterator[tuple[int, str]]:
        """As of `Numbers`."""
        return ((self.columns[0], ending) for ending in self.endings)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_places": {}}


Piece = Numbers | Bins | Codes
