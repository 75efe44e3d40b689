"""What is given to an estimator, looked at before anything is made of it: X, y, weights, data to validate on.

scikit-learn's own `validate_data` comes first or after; here is what it lets pass, or says too late. Not here: what
the labels of a classifier are called (estimators.py).
"""

import datetime
from contextlib import suppress
from numbers import Number, Real
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

from fastmlp import checks
from fastmlp.formulas import Array
from fastmlp.messages import warn
from fastmlp.sparse import by_rows

_SPARSE = ["csr", "csc"]
DTYPES = (np.float64, np.float32)  # that X may have; any other becomes the first
# Between these, the largest weight of a sample leaves all weights as they are.
_LARGEST_WEIGHTS = 1e-20, 1e20
_DATES = (datetime.date, datetime.timedelta, np.datetime64, np.timedelta64)


def refuse_dates(name: str, X: Any) -> None:
    """Dates and durations have numbers, which nobody means when they are taken for them."""
    columns = list(X.columns) if hasattr(X, "columns") else []
    dtypes = list(X.dtypes) if columns else [X.dtype] if hasattr(X, "dtype") else []
    if not columns and not dtypes:
        with suppress(ValueError):  # rows of different lengths, of which scikit-learn will speak
            dtypes = [np.asarray(X).dtype]
    for i, dtype in enumerate(dtypes):
        is_temporal = getattr(dtype, "is_temporal", None)  # of polars
        if getattr(dtype, "kind", "") in ("M", "m") or (callable(is_temporal) and is_temporal()):
            where = f"column {columns[i]!r} of {name}" if columns else name
            raise ValueError(f"{where} has dtype {dtype}; expected numbers: a date as a number of days, for example")
    if any(getattr(dtype, "kind", "") == "O" for dtype in dtypes):
        date = next((item for item in np.asarray(X).flat if isinstance(item, _DATES)), None)
        if date is not None:
            raise ValueError(f"{name} has the element {date!r}; expected numbers: not datetime, but a number of days")


def is_missing(value: Any) -> bool:
    """Whether it is None, NaN, NaT or NA."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def refuse_missing(y: Any) -> None:
    """None, NaN and pandas's NA in y."""
    missing = False
    if hasattr(y, "isna"):
        missing = bool(np.any(y.isna()))
    elif not issparse(y):
        array = _as_array(y)
        missing = array.dtype.kind in ("O", "T") and any(map(is_missing, array.flat))
    if missing:
        raise ValueError("Input y contains NaN. y has missing values; expected none")


def no_label(element: Any, dtype: Any) -> ValueError:
    """The error of a y with an element of no type that labels have."""
    return ValueError(
        f"Unknown label type: unknown. y has dtype {dtype} and elements such as {element!r}; "
        "expected strings, or numbers of a numeric dtype, as y.astype(int) makes them"
    )


def _as_array(y: Any) -> Array:
    try:
        array: Array = np.asarray(y)
    except ValueError as problem:
        raise ValueError(f"y cannot be read as an array: {problem}") from None
    return array


def numbers(y: Any, may_miss: bool) -> Array:
    """The targets of a regression as an array of numbers."""
    expected = "expected numbers (float, integer or boolean)"
    if issparse(y):
        raise TypeError(f"y is sparse; {expected}, dense: y.toarray() makes it so")
    if not may_miss:
        refuse_missing(y)
    if hasattr(y, "dtype") or hasattr(y, "dtypes"):
        refuse_dates("y", y)
    array = _as_array(y)
    if array.dtype.kind == "O":
        for item in array.flat:
            if not (isinstance(item, (Number, np.number, np.bool_)) or (may_miss and is_missing(item))):
                raise ValueError(f"y has dtype object and the element {item!r}; {expected}")
        if may_miss:
            array = np.array([[np.nan if is_missing(item) else item for item in row] for row in array])
        try:
            return array.astype(np.float64)
        except OverflowError:
            raise ValueError(f"y has numbers beyond the range of float64; {expected}") from None
    if array.dtype.kind not in "biufc":  # complex numbers are refused by scikit-learn
        raise ValueError(f"y has dtype {array.dtype}; {expected}")
    return array


def warn_of_names(estimator: Any, X: Any) -> bool:
    """Warn where either X has names of its columns, or the estimator knows some, and not both; whether it is so."""
    kind, known = type(estimator).__name__, "feature_names_in_" in estimator.__dict__
    named = hasattr(X, "columns") and all(isinstance(name, str) for name in X.columns)
    if known and not named:
        warn(f"X does not have valid feature names, but {kind} was fitted with feature names")
    elif named and not known:
        warn(f"X has feature names, but {kind} was fitted without feature names")
    return known != named


def samples(estimator: Any, X: Any, **options: Any) -> Any:
    """X as an array or compressed rows, for an estimator that knows how many columns it has, and their names."""
    refuse_dates("X", X)
    options = {"accept_sparse": _SPARSE, **options}
    if not warn_of_names(estimator, X):
        validated: Any = validate_data(estimator, X, reset=False, **options)
        return validated
    X = check_array(X, input_name="X", estimator=estimator, **options)
    columns, expected = X.shape[1], estimator.__dict__.get("n_features_in_", X.shape[1])
    if columns != expected:
        kind = type(estimator).__name__
        raise ValueError(f"X has {columns} features, but {kind} is expecting {expected} features as input.")
    return X


def read(estimator: Any, X: Any, y: Any, reset: bool, may_miss: bool) -> tuple[Any, Any]:
    """X and y, which fit each other, as arrays or compressed rows; NaN in y if it `may_miss`."""
    refuse_dates("X", X)
    if reset and not may_miss:
        both: tuple[Any, Any] = validate_data(
            estimator, X, y, accept_sparse=_SPARSE, multi_output=True, dtype=DTYPES, reset=True
        )
        return both
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y is None."
        )
    if reset:
        X = validate_data(estimator, X, accept_sparse=_SPARSE, dtype=DTYPES, reset=True)
    else:
        X = samples(estimator, X, dtype=DTYPES)
    y = check_array(
        y,
        accept_sparse="csr",
        ensure_2d=False,
        ensure_all_finite="allow-nan" if may_miss else True,
        dtype=np.float64 if may_miss else None,
        input_name="y",
        estimator=estimator,
    )
    check_consistent_length(X, y)
    return X, y


def refuse_unknown(y: Array) -> None:
    """A column of targets (n, n_outputs) that are all missing."""
    unknown = np.isnan(y).all(axis=0)
    if unknown.any():
        raise ValueError(f"Input y contains NaN. Column {int(np.argmax(unknown))} of y has nothing else")


def column(y: Any) -> Any:
    """A y of one column as (n,), with scikit-learn's warning; any other as it is."""
    if y.ndim == 1 or y.shape[1] != 1:
        return y
    warn(
        "A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples, ), "
        "for example using ravel().",
        DataConversionWarning,
    )
    return y.toarray().ravel() if issparse(y) else y.ravel()


def sample_weights(name: str, given: Any, rows: int) -> Array | None:
    """Weights (rows,) of float64, none negative and not all zero; None for None."""
    if given is None:
        return None
    refuse_dates(name, given)
    w: Array = check_array(
        np.full(rows, given) if isinstance(given, Real) else given, ensure_2d=False, dtype=np.float64, input_name=name
    )
    if w.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got {w.ndim}D array. Expected either a scalar value or a 1D "
            f"array of length {rows}. {name} has shape {w.shape}"
        )
    if w.shape != (rows,):
        raise ValueError(f"{name}.shape == {w.shape}, expected {(rows,)}!")
    return not_negative(name, w)


def not_negative(name: str, w: Array) -> Array:
    """Weights that are finite, none negative, and not all zero."""
    bad = ~(np.isfinite(w) & (w >= 0))
    if bad.any():
        at = int(np.argmax(bad))
        raise ValueError(f"Negative values in data passed to `{name}`. {name}[{at}] is {w[at]}; expected >= 0")
    if not w.any():
        raise ValueError(f"{name} is zero for every row; expected at least one weight > 0")
    return w


def weights_in_range(w: Array) -> Array:
    """Weights as they are; where they leave the range of a float32, in the same ratio and 1 in the mean."""
    largest = w.max()
    if largest == 0 or _LARGEST_WEIGHTS[0] <= largest <= _LARGEST_WEIGHTS[1]:
        return w
    w = w / largest
    scaled: Array = w / w.mean()
    return scaled


def as_the_core_reads(X: Any, network: Any, name: str = "X") -> Any:
    """X, an array or compressed rows, in the precision of the core, in which it must be finite, too."""
    with np.errstate(over="ignore"):
        x = by_rows(X, network)
    given, cast = (X, x) if isinstance(X, np.ndarray) else (X.data, getattr(x, "values", x))
    if X.dtype != network.dtype and not checks.all_finite(cast):
        most, dtype = np.abs(given).max(), network.dtype
        raise ValueError(f"{name} has the value {most:.4g}, infinity in {dtype}; scale X, or fit on float64")
    return x


def validation_data(eval_set: Any, X_val: Any, y_val: Any, sample_weight_val: Any) -> tuple[Any, Any, Any] | None:
    """(X, y, sample_weight) of the arguments of `fit` that say what to measure on; None without."""
    if eval_set is not None:
        if X_val is not None or y_val is not None:
            raise ValueError("eval_set is given, and X_val or y_val as well; expected one of the two")
        pairs = list(eval_set) if isinstance(eval_set, (tuple, list)) else []
        are_pairs = [isinstance(e, (tuple, list)) and len(e) == 2 and np.ndim(e[0]) > 1 for e in pairs]
        if len(pairs) > 1 and all(are_pairs):
            raise ValueError(f"eval_set has {len(pairs)} pairs; expected one, (X, y), which decides what is best")
        if len(pairs) == 1 and are_pairs[0]:
            pairs = list(pairs[0])
        if len(pairs) != 2:
            raise ValueError("eval_set is not a pair; expected (X, y)")
        X_val, y_val = pairs
    elif (X_val is None) != (y_val is None):
        raise ValueError("one of X_val and y_val is given without the other; expected both, or none")
    if X_val is None:
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val is given without X_val and y_val, or eval_set")
        return None
    return X_val, y_val, sample_weight_val
