"""A frame as the matrix that a net reads, as learned from the rows of training: the pieces of its columns, in a row.

Not here: how a frame is read (frames.py), what becomes of a column (frame_pieces.py), and how it is scaled
(frame_scaling.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length

from fastmlp import checks
from fastmlp.files import LoadError
from fastmlp.formulas import Array
from fastmlp.frame_columns import Column
from fastmlp.frame_pieces import DATE_ROWS, Bins, Codes, Numbers, Piece, Targets
from fastmlp.frames import Frame, listed, read

MAX_TARGETS = 10  # targets of such statistics: of more classes, the most frequent
MOST_WITH_BINS = 128  # columns of a matrix, together with those of bins: of more, these cost more than they bring
LEAST_BINS = 3  # of a column; of fewer, none
TASKS = ("classification", "regression")
_BLOCK = 2**22  # numbers that are encoded at once
_PIECES: dict[str, type[Piece]] = {"numbers": Numbers, "bins": Bins, "codes": Codes}


@dataclass(eq=False)
class FrameEncoder:
    """Columns of a frame as a matrix of float32.

    Attributes
    ----------
    names_in : list of str
        The columns of the frame.
    named : bool
        Whether the user has named them, so that those of a later frame are found by name; else by their places.
    pieces : list of Piece
    names_out : list of str
        The columns of the matrix, each name once.
    """

    names_in: list[str]
    named: bool
    pieces: list[Piece]
    names_out: list[str] = field(init=False)

    def __post_init__(self) -> None:
        taken: dict[str, None] = {}
        for piece in self.pieces:
            for column, ending in piece.written():
                name = self.names_in[column] + ending
                while name in taken:  # a column may be called as a part of another
                    name += "_"
                taken[name] = None
        self.names_out = list(taken)

    @property
    def n_features_in(self) -> int:
        """Columns of the frame."""
        return len(self.names_in)

    def columns_of(self) -> list[Array]:
        """For each column of the frame, those of the matrix that come from it."""
        from_column = np.array([column for piece in self.pieces for column, _ in piece.written()], np.intp)
        return [np.flatnonzero(from_column == column) for column in range(self.n_features_in)]

    @classmethod
    def learned(
        cls,
        X: Any,
        *,
        max_one_hot: int,
        y: Any = None,
        task: str | None = None,
        seed: int = 0,
        bins: int = 0,
        rows: Array | None = None,
    ) -> tuple["FrameEncoder", Array]:
        """An encoder of frames like X, and X as it is to be learned.

        Parameters
        ----------
        X : frame, array or lists of rows
        max_one_hot : int
            Categories that have a column each. A column of more has the mean of the target and the logarithm of the
            number of rows of each; in the matrix that is returned these come from other rows than they stand in.
        y : array of shape (rows,) or (rows, outputs), or None
            The target of these means; without it there are none.
        task : "classification" or "regression"
            What y is; needed with y.
        seed : int
            Of the folds in which the means are made.
        bins : int
            Bins of every column of numbers, for piecewise linear columns beside it: so many, or as many as there may
            be if the matrix is to have no more than 128 columns, or none if that were fewer than 3.
        rows : ndarray of int, optional
            Of X and y, those that are learned from and returned; without it all are.

        Returns
        -------
        encoder : FrameEncoder
        encoded : ndarray of shape (rows, columns), float32
            No columns if all of X is constant.
        """
        checks.integer("max_one_hot", max_one_hot, 0)
        checks.integer("bins", bins, 0)
        frame = read(X)
        if y is not None:
            y = np.asarray(y)
            check_consistent_length(range(frame.rows), y)
        if rows is not None:
            frame, y = frame.taken(rows), None if y is None else y[rows]
        targets = _targets(y, task, frame, seed)
        pieces: list[Piece] = []
        written = [np.empty((frame.rows, 0), np.float32)]
        for places, columns in _runs(frame):
            piece, encoded = _learned(places, columns, max_one_hot, targets)
            if encoded.shape[1]:
                pieces.append(piece)
                written.append(encoded)
        kept = [piece for piece in pieces if isinstance(piece, Numbers) and piece.kind == "number"]
        numbers = [j for piece in kept for j in piece.columns]
        room = (MOST_WITH_BINS - sum(encoded.shape[1] for encoded in written)) // max(1, len(numbers))
        bins = min(bins, room if room >= LEAST_BINS else 0)
        for j in numbers if bins > 0 else ():
            binned, encoded = Bins.learned(j, frame.column(j).values, bins)
            if encoded.shape[1]:
                pieces.append(binned)
                written.append(encoded)
        return cls(frame.names, frame.named, pieces), np.hstack(written)

    def encode(self, X: Any, of: str = "FrameEncoder") -> Array:
        """X as (rows, columns), float32.

        Parameters
        ----------
        X : frame, array or lists of rows
            With the columns of training. Named ones are found by name, wherever they stand.
        of : str
            The class of the estimator, for messages.

        Raises
        ------
        ValueError
            If columns are missing, unknown or of another kind than in training, or have infinities.
        """
        frame = read(X)
        places = self._places(frame, of)
        out = np.empty((frame.rows, len(self.names_out)), np.float32)
        end = 0
        for piece in self.pieces:
            encoded = piece.encode(frame, places)
            start, end = end, end + encoded.shape[1]
            out[:, start:end] = encoded
        return out

    def _places(self, frame: Frame, of: str) -> list[int]:
        """Where in a frame the columns of training stand."""
        if self.named and frame.named:
            place = {name: j for j, name in enumerate(frame.names)}
            missing = [name for name in self.names_in if name not in place]
            new = sorted(place.keys() - set(self.names_in), key=place.__getitem__)
            if missing or new:
                both = [f"lacks {listed(missing)}" if missing else "", f"has {listed(new)} besides" if new else ""]
                n = self.n_features_in
                raise ValueError(f"X {' and '.join(filter(None, both))}; expected the {n} of training, in any order")
            return [place[name] for name in self.names_in]
        if len(frame.names) != self.n_features_in:
            raise ValueError(
                f"X has {len(frame.names)} features, but {of} is expecting {self.n_features_in} features as input."
            )
        return list(range(self.n_features_in))

    # Files

    def state(self) -> dict[str, Any]:
        """All that it knows, as strings, numbers, lists, dicts and arrays of numbers."""
        pieces = []
        for piece in self.pieces:
            kind = next(kind for kind, of in _PIECES.items() if isinstance(piece, of))
            values = {name: value for name, value in piece.__dict__.items() if not name.startswith("_")}
            if "texts" in values:
                values["texts"] = _packed(values["texts"])
            pieces.append({"piece": kind, **values})
        return {"names_in": list(self.names_in), "named": self.named, "pieces": pieces}

    @classmethod
    def restored(cls, state: Any) -> "FrameEncoder":
        """The encoder whose `state` this is.

        Raises
        ------
        LoadError
            If it is none that an encoder has.
        """
        try:
            names, named = state["names_in"], state["named"]
            _expect(isinstance(names, list) and all(isinstance(name, str) for name in names) and len(names) > 0)
            _expect(len(set(names)) == len(names) and type(named) is bool)
            return cls(names, named, [_restored(given, len(names)) for given in state["pieces"]])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
            raise LoadError(f"the columns of its frames are not described as they are in a file: {problem}") from None


def _runs(frame: Frame) -> Iterator[tuple[list[int], list[Column]]]:
    """The columns that one piece is made of, with their places; none of those that hold nothing."""
    most = max(1, _BLOCK // frame.rows)
    places: list[int] = []
    columns: list[Column] = []
    for j in range(len(frame.names)):
        column = frame.column(j)
        if places and (column.kind != "number" or len(places) == most):
            yield places, columns
            places, columns = [], []
        if column.kind == "number":
            places.append(j)
            columns.append(column)
        elif not column.is_missing().all():
            yield [j], [column]
    if places:
        yield places, columns


def _learned(places: list[int], columns: list[Column], max_one_hot: int, targets: Targets) -> tuple[Piece, Array]:
    """The piece of a run of columns, and what it writes of them."""
    if columns[0].kind in ("category", "boolean"):
        return Codes.learned(places[0], columns[0], max_one_hot, targets)
    return Numbers.learned(places, columns)


def _targets(y: Any, task: str | None, frame: Frame, seed: int) -> Targets:
    if y is None:
        return Targets(np.zeros((frame.rows, 0)), [], seed)
    checks.choice("task", task, TASKS)
    if task == "classification" and y.ndim == 1:
        classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
        # Of two classes one says it all.
        chosen = np.sort(np.argsort(-counts, kind="stable")[:MAX_TARGETS]) if len(classes) != 2 else np.array([1])
        return Targets((codes[:, None] == chosen).astype(np.float64), [f"_mean_{classes[k]}" for k in chosen], seed)
    values = y.reshape(frame.rows, -1)[:, :MAX_TARGETS].astype(np.float64)
    n = values.shape[1]
    return Targets(values, ["_mean"] if n == 1 else [f"_mean_{k}" for k in range(n)], seed)


# States


def _packed(texts: list[str]) -> dict[str, Array]:
    """Texts as two arrays: a header of a file cannot hold a million."""
    each = [text.encode("utf-8", "surrogatepass") for text in texts]
    joined = np.frombuffer(b"".join(each), np.uint8)
    return {"bytes": joined, "ends": np.cumsum([len(text) for text in each], dtype=np.int64)}


def _unpacked(given: Any) -> list[str]:
    joined, ends = given["bytes"], given["ends"].tolist()
    _expect(joined.dtype == np.uint8 and joined.ndim == 1 and given["ends"].dtype == np.int64)
    _expect(ends == sorted(ends) and (ends[-1:] or [0]) == [len(joined)] and min(ends, default=0) >= 0)
    whole = joined.tobytes()
    starts = [0, *ends[:-1]]
    return [whole[a:b].decode("utf-8", "surrogatepass") for a, b in zip(starts, ends, strict=False)]


def _expect(good: bool) -> None:
    if not good:
        raise ValueError("a value is none that training gives")


def _is_array(value: Any, shape: tuple[int, ...], dtype: Any) -> bool:
    good = isinstance(value, np.ndarray) and value.dtype == dtype and value.shape == shape
    return good and bool(np.isfinite(value).all())


def _restored(given: dict[str, Any], n: int) -> Piece:
    """A piece of frames of n columns."""
    values = {name: value for name, value in given.items() if name != "piece"}
    if "texts" in values:
        values["texts"] = _unpacked(values["texts"])
    piece = _PIECES[given["piece"]](**values)
    _expect(isinstance(piece.columns, list) and len(piece.columns) > 0)
    _expect(all(type(j) is int and 0 <= j < n for j in piece.columns))
    if isinstance(piece, Numbers):
        rows = len(DATE_ROWS) if piece.kind == "date" else len(piece.columns)
        _expect(piece.kind in ("number", "duration", "date") and isinstance(piece.zone, str))
        _expect(len(piece.columns) == 1 or piece.kind == "number")
        _expect(_is_array(piece.c, (rows,), np.float64) and _is_array(piece.factor, (rows,), np.float64))
        _expect(_is_array(piece.marks, (rows, 2), np.float64) and bool((piece.factor >= 0).all()))
        _expect(isinstance(piece.first, (int, float)) and abs(piece.first) < np.inf)
    elif isinstance(piece, Bins):
        _expect(_is_array(piece.edges, (len(piece.edges),), np.float64) and len(piece.edges) >= 2)
        _expect(bool((np.diff(piece.edges) > 0).all()))
        _expect(len(piece.columns) == 1 and isinstance(piece.median, float) and abs(piece.median) < np.inf)
    else:
        _expect(len(piece.columns) == 1 and piece.kind in ("category", "boolean"))
        _expect(isinstance(piece.endings, list) and all(isinstance(ending, str) for ending in piece.endings))
        _expect(len(set(piece.texts)) == len(piece.texts))
        _expect(_is_array(piece.levels, (len(piece.texts) + 2, len(piece.endings)), np.float32))
    return piece
