"""Columns of any kind as the numbers that a net reads, learned from the rows of training and good for any later ones.

An encoder is a row of pieces: each reads one column, or neighbours that are numbers, and writes its own columns of the
matrix. All are scaled alike (frame_scaling.py). Not here: how a frame is read (frames.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from fastmlp.formulas import Array
from fastmlp.frame_scaling import (
    MOST,
    bin_edges,
    piecewise_linear,
    robust_scale_of_levels,
    robust_scales,
    scaled,
    target_means,
)
from fastmlp.frames import TRUTH, Column, Frame, read

MAX_ONE_HOT = 32  # categories with a column each; of more, statistics
MAX_TARGETS = 10  # columns of means of the target, at most: of the most frequent classes
_BLOCK = 2**22  # elements of a block of numbers
_DAY = 86400.0
_WORDS = {
    "number": "numbers", "boolean": "truth values", "category": "categories", "date": "dates",
    "duration": "durations", "empty": "nothing",
}  # fmt: skip
# What each part of a date goes around in: the name and how far it is, within [0, 1), from seconds on the wall.
_DATE_PARTS = ("", "_year_sin", "_year_cos", "_week_sin", "_week_cos", "_day_sin", "_day_cos")


# Columns of training and later ones


def _as_in_training(column: Column, kind: str, zone: str = "") -> Column:
    """A column, which must be of the kind that it had in training; one of holes is of any kind."""
    if column.kind == "empty" or (column.kind == kind and column.zone == zone):
        return column
    if column.is_missing().all():
        return Column(column.name, "empty", np.full(len(column.is_missing()), np.nan))
    if kind == "number" and column.kind == "boolean":
        return Column(column.name, kind, np.where(column.codes < 0, np.nan, column.codes))
    if kind == "boolean" and column.kind == "number":
        other = ~np.isin(column.values, (0, 1)) & ~np.isnan(column.values)
        if not other.any():
            codes = np.where(np.isnan(column.values), -1, column.values == 1)
            return Column(column.name, kind, codes=codes.astype(np.intp), texts=TRUTH)
    if kind == "date" == column.kind:
        had, has = (f"in the time zone {name}" if name else "without time zone" for name in (zone, column.zone))
        raise ValueError(f"column {column.name!r} of X has dates {has}; expected dates {had}, as in training")
    what = _WORDS[column.kind]
    raise ValueError(f"column {column.name!r} of X has {what}; expected {_WORDS[kind]}, as in training")


def _date_rows(column: Column, first: float) -> Array:
    """Seconds since the first date and the parts of the year, the week and the day, (7, rows); NaN is a hole."""
    if column.kind == "empty":
        return np.full((len(_DATE_PARTS), len(column.values)), np.nan)
    there = ~np.isnan(column.wall)
    wall = np.where(there, column.wall, 0.0)
    days = np.floor(wall / _DAY).astype(np.int64)
    years = days.astype("datetime64[D]").astype("datetime64[Y]")
    start = years.astype("datetime64[D]").astype(np.int64)
    length = (years + 1).astype("datetime64[D]").astype(np.int64) - start
    of_day = wall / _DAY - days
    of_year, of_week = (days - start) / length, (days + 3) % 7 / 7  # 1 January 1970 was a Thursday
    rows = [column.values - first]
    for share in (of_year, of_week, of_day):
        # Rounded, so that what is equal but for rounding is equal.
        rows += [np.round(part(2 * np.pi * share), 9) for part in (np.sin, np.cos)]
    return np.where(there, np.stack(rows), np.nan)


# Pieces


@dataclass(eq=False)
class Numbers:
    """Columns of numbers, or the rows that are made of one of dates: scaled, each with an indicator of its holes.

    Attributes
    ----------
    columns : list of int
    kind : "number", "duration" or "date"
    c, factor : ndarray of shape (rows of numbers,), float64
    marks : ndarray of shape (rows of numbers, 2), float64
        What is written where there is a number, and where there is a hole; the same twice: no indicator.
    first : float
        Of dates: the first of training.
    zone : str
    """

    columns: list[int]
    kind: str
    c: Array
    factor: Array
    marks: Array
    first: float = 0.0
    zone: str = ""

    def rows_of(self, frame: Frame, places: Sequence[int]) -> Array:
        """The numbers, (rows of numbers, samples)."""
        at = [places[j] for j in self.columns]
        if self.kind == "number" and frame.numbers is not None:
            x = np.array(frame.numbers[:, at].T, np.float64, order="C")
        else:
            columns = [_as_in_training(frame.column(j), self.kind, self.zone) for j in at]
            if self.kind == "date":
                return _date_rows(columns[0], self.first)
            x = np.stack([column.values for column in columns])
        return np.clip(x, -MOST, MOST, out=x)

    def learn(self, x: Array) -> Array:
        """Scales of these numbers; they, encoded."""
        x = x.copy() if not x.flags.writeable else x
        self.c, self.factor = robust_scales(x)
        holes = np.count_nonzero(np.isnan(x), axis=1)
        if self.kind == "date":
            holes[1:] = 0
        self.marks = np.zeros((len(x), 2))
        for i in np.flatnonzero((holes > 0) & (holes < x.shape[1])):
            counts = np.array([x.shape[1] - holes[i], holes[i]])
            self.marks[i] = scaled(np.array([0.0, 1.0]), *robust_scale_of_levels(np.array([0.0, 1.0]), counts))
        return self.written(x)

    def written(self, x: Array) -> Array:
        """The columns of the matrix, (samples, written), float32."""
        kept, marked = self.factor > 0, self.marks[:, 0] != self.marks[:, 1]
        at = np.cumsum(kept.astype(int) + marked) - kept - marked
        out = np.empty((x.shape[1], int(kept.sum() + marked.sum())), np.float32)
        out[:, at[kept]] = scaled(x[kept], self.c[kept, None], self.factor[kept, None]).T
        for i in np.flatnonzero(marked):
            out[:, at[i] + kept[i]] = self.marks[i].astype(np.float32)[np.isnan(x[i]).astype(int)]
        return out

    def encode(self, frame: Frame, places: Sequence[int]) -> Array:
        """The columns of the matrix for these samples."""
        return self.written(self.rows_of(frame, places))

    def names(self, names_in: Sequence[str]) -> Iterator[str]:
        """What its columns of the matrix are called."""
        for i, factor in enumerate(self.factor):
            name = names_in[self.columns[0 if self.kind == "date" else i]]
            if factor > 0:
                yield name + (_DATE_PARTS[i] if self.kind == "date" else "")
            if self.marks[i, 0] != self.marks[i, 1]:
                yield f"{name}_missing"


@dataclass(eq=False)
class Bins:
    """A column of numbers as how far each has gone through each bin (frame_scaling.piecewise_linear)."""

    columns: list[int]
    edges: Array  # (bins + 1,), float64
    median: float

    def written(self, x: Array) -> Array:
        """The columns of the matrix, (samples, bins), float32; a hole is the median."""
        return piecewise_linear(np.where(np.isnan(x), self.median, x), self.edges).T.astype(np.float32)

    def encode(self, frame: Frame, places: Sequence[int]) -> Array:
        """The columns of the matrix for these samples."""
        j = places[self.columns[0]]
        if frame.numbers is not None:
            return self.written(frame.numbers[:, j].astype(np.float64))
        return self.written(_as_in_training(frame.column(j), "number").values)

    def names(self, names_in: Sequence[str]) -> Iterator[str]:
        """What its columns of the matrix are called."""
        for i in range(len(self.edges) - 1):
            yield f"{names_in[self.columns[0]]}_bin{i + 1}"


@dataclass(eq=False)
class Codes:
    """A column of categories or truth values: a row of numbers for each of them.

    Attributes
    ----------
    columns : list of int
    kind : "category" or "boolean"
    texts : list of str
    endings : list of str
        Of the names of the columns that are written.
    levels : ndarray of shape (texts + 2, written), float32
        The row of each text, of a hole and of what was not seen in training.
    """

    columns: list[int]
    kind: str
    texts: list[str]
    endings: list[str]
    levels: Array
    _places: dict[str, int] = field(default_factory=dict, repr=False)

    def codes_of(self, column: Column) -> Array:
        """The rows of `levels` for a column, (samples,)."""
        hole, unseen = len(self.texts), len(self.texts) + 1
        if column.kind == "empty":
            return np.full(len(column.values), hole)
        if not self._places:
            self._places = dict(zip(self.texts, range(hole), strict=True))
        known = np.array([*(self._places.get(text, unseen) for text in column.texts), hole], np.intp)
        return known[column.codes]

    def encode(self, frame: Frame, places: Sequence[int]) -> Array:
        """The columns of the matrix for these samples."""
        codes = self.codes_of(_as_in_training(frame.column(places[self.columns[0]]), self.kind))
        rows: Array = self.levels[codes]
        return rows

    def names(self, names_in: Sequence[str]) -> Iterator[str]:
        """What its columns of the matrix are called."""
        for ending in self.endings:
            yield names_in[self.columns[0]] + ending


def _learned_codes(j: int, column: Column, max_one_hot: int, targets: "_Targets") -> tuple[Codes, Array]:
    counts = np.bincount(column.codes + 1, minlength=len(column.texts) + 1)
    holes, counts = int(counts[0]), counts[1:]
    seen = sorted((text, i) for i, text in enumerate(column.texts) if counts[i] or column.kind == "boolean")
    texts, order = [text for text, _ in seen], np.array([i for _, i in seen], np.intp)
    piece = Codes([j], column.kind, texts, [], np.zeros((len(texts) + 2, 0), np.float32))
    codes = piece.codes_of(column)
    counts = np.append(counts[order], holes)  # of each row of levels but the last
    n = len(texts)
    if n <= 2 or column.kind == "boolean":
        # Minus and plus one, and nothing between them: of truth values, of two texts, or of a text and a hole.
        level = np.array([-1.0, 1.0, 0.0, 0.0] if n == 2 else [-1.0, 1.0, 0.0][: n + 2])[:, None]
        endings = ["" if column.kind == "boolean" else f"_{texts[1]}" if n == 2 else "_missing"]
    elif n <= max_one_hot:
        level = np.zeros((n + 2, n + (holes > 0)))
        np.fill_diagonal(level, 1.0)
        endings = [f"_{text}" for text in texts] + ["_missing"] * (holes > 0)
    else:
        return _learned_statistics(piece, codes, holes, targets)
    scales = [robust_scale_of_levels(of[:-1], counts) for of in level.T]
    kept = np.array([factor > 0 for _, factor in scales], bool)
    c, factor = np.array(scales).T
    piece.levels = scaled(level, c, factor)[:, kept].astype(np.float32)
    piece.endings = [ending for ending, is_kept in zip(endings, kept, strict=True) if is_kept]
    return piece, piece.levels[codes]


@dataclass(frozen=True, eq=False)
class _Targets:
    """What means of categories are made of: (rows, t), float64, and how each is called."""

    values: Array
    endings: list[str]
    seed: int


def _targets(y: Any, task: str | None, rows: int, seed: int) -> _Targets:
    if y is None:
        return _Targets(np.zeros((rows, 0)), [], seed)
    y = np.asarray(y)
    if task == "classification" and y.ndim == 1:
        classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
        chosen = np.sort(np.argsort(-counts, kind="stable")[:MAX_TARGETS]) if len(classes) != 2 else np.array([1])
        return _Targets((codes[:, None] == chosen).astype(np.float64), [f"_mean_{classes[k]}" for k in chosen], seed)
    values = y.reshape(rows, -1)[:, :MAX_TARGETS].astype(np.float64)
    t = values.shape[1]
    return _Targets(values, ["_mean"] if t == 1 else [f"_mean_{k}" for k in range(t)], seed)


def _learned_statistics(piece: Codes, codes: Array, holes: int, targets: _Targets) -> tuple[Codes, Array]:
    n = len(piece.texts) + (holes > 0)
    of_rows, of_categories = target_means(codes, n, targets.values, targets.seed)
    if not holes:  # in training: then one is what was not seen
        of_categories = np.hstack([of_categories, of_categories[:, -1:]])
    c, factor = robust_scales(of_rows)
    kept = factor > 0
    of_rows, of_categories = (scaled(x[kept], c[kept, None], factor[kept, None]) for x in (of_rows, of_categories))
    piece.levels = of_categories.T.astype(np.float32)
    piece.endings = [e for e, is_kept in zip([*targets.endings, "_count"], kept, strict=True) if is_kept]
    return piece, of_rows.T.astype(np.float32)


Piece = Numbers | Bins | Codes


@dataclass(eq=False)
class FrameEncoder:
    """Columns of a frame as a matrix of float32, as learned from the rows of training.

    Attributes
    ----------
    names_in : list of str
        The columns of the frame.
    named : bool
        Whether these are the user's names, by which later frames are read; else columns are found by their places.
    names_out : list of str
        The columns of the matrix, each name once.
    """

    names_in: list[str]
    named: bool
    pieces: list[Piece]
    names_out: list[str] = field(init=False)
    kinds: ClassVar[dict[str, type]] = {"numbers": Numbers, "bins": Bins, "codes": Codes}

    def __post_init__(self) -> None:
        taken: set[str] = set()
        self.names_out = []
        for piece in self.pieces:
            for name in piece.names(self.names_in):
                while name in taken:
                    name += "_"
                taken.add(name)
                self.names_out.append(name)

    @property
    def n_features_in(self) -> int:
        """Columns of the frame."""
        return len(self.names_in)

    @classmethod
    def learned(
        cls,
        X: Any,
        *,
        max_one_hot: int = MAX_ONE_HOT,
        y: Any = None,
        task: str | None = None,
        seed: int = 0,
        bins: int = 0,
    ) -> tuple["FrameEncoder", Array]:
        """An encoder of frames like X, and X encoded, (rows, n_features_out)."""
        frame = read(X)
        targets = _targets(y, task, frame.rows, seed)
        pieces: list[Piece] = []
        written: list[Array] = []
        width = max(1, _BLOCK // frame.rows)
        run: list[tuple[int, Array]] = []

        def numbers_learned() -> None:
            if run:
                empty = np.empty(0)
                piece = Numbers([j for j, _ in run], "number", empty, empty, empty)
                x = np.clip(np.stack([values for _, values in run]), -MOST, MOST)
                written.append(piece.learn(x))
                pieces.append(piece)
                for i, (j, _) in enumerate(run if bins else []):
                    binned = Bins([j], bin_edges(x[i], bins), float(piece.c[i]))
                    pieces.append(binned)
                    written.append(binned.written(x[i]))
                run.clear()

        for j in range(len(frame.names)):
            column = frame.column(j)
            if column.kind == "number":
                run.append((j, column.values))
                if len(run) == width:
                    numbers_learned()
                continue
            numbers_learned()
            if column.kind in ("date", "duration"):
                empty = np.empty(0)
                there = column.values[~column.is_missing()]
                first = float(there.min()) if column.kind == "date" and len(there) else 0.0
                piece = Numbers([j], column.kind, empty, empty, empty, first, column.zone)
                x = _date_rows(column, first) if column.kind == "date" else column.values[None]
                written.append(piece.learn(x))
                pieces.append(piece)
            elif column.kind in ("category", "boolean"):
                codes, of_rows = _learned_codes(j, column, max_one_hot, targets)
                if codes.endings:
                    pieces.append(codes)
                    written.append(of_rows)
        numbers_learned()
        encoder = cls(frame.names, frame.named, pieces)
        return encoder, np.hstack([np.empty((frame.rows, 0), np.float32), *written])

    def encode(self, X: Any, of: str = "FrameEncoder") -> Array:
        """X as (rows, n_features_out), float32."""
        frame = read(X)
        places = self._places(frame, of)
        out = np.empty((frame.rows, len(self.names_out)), np.float32)
        at = 0
        for piece in self.pieces:
            columns = piece.encode(frame, places)
            out[:, at : at + columns.shape[1]] = columns
            at += columns.shape[1]
        return out

    def _places(self, frame: Frame, of: str) -> list[int]:
        if self.named and frame.named:
            place = {name: j for j, name in enumerate(frame.names)}
            missing = [name for name in self.names_in if name not in place]
            known = set(self.names_in)
            extra = [name for name in frame.names if name not in known]
            if missing or extra:
                raise ValueError(f"X lacks the columns {missing} and has {extra}, not known from training")
            return [place[name] for name in self.names_in]
        if len(frame.names) != len(self.names_in):
            raise ValueError(
                f"X has {len(frame.names)} features, but {of} is expecting {len(self.names_in)} features as input"
            )
        return list(range(len(frame.names)))
