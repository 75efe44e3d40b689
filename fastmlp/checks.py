"""Argument validation: every argument is checked here once, and what is called with it trusts it.

Each function names the argument, says what came and what was expected, and returns the value in the form in which the
core takes it. None of them changes what it is given.
"""

import math
import operator
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np


def choice(name: str, given: object, known: Iterable[str]) -> str:
    """One of the known names."""
    names = list(known)
    if isinstance(given, str) and given in names:
        return given
    from difflib import get_close_matches  # slow to import, and only errors need it

    near = get_close_matches(given.lower(), names, n=1, cutoff=0.5) if isinstance(given, str) else []
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    error = ValueError if isinstance(given, str) else TypeError
    raise error(f"{name} is {given!r}; expected one of {', '.join(names)}{hint}")


MOST = 2**31 - 1  # what fits into every integer of the core


def integer(name: str, given: object, least: int) -> int:
    """A whole number from `least` to MOST."""
    try:
        if isinstance(given, (bool, np.bool_)):
            raise TypeError
        value = operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} is {given!r}; expected an integer >= {least}") from None
    if not least <= value <= MOST:
        raise ValueError(f"{name} is {value}; expected an integer from {least} to {MOST}")
    return value


def boolean(name: str, given: object) -> bool:
    """True or False."""
    if not isinstance(given, (bool, np.bool_)):
        raise TypeError(f"{name} is {given!r}; expected True or False")
    return bool(given)


def number(
    name: str,
    given: object,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
) -> float:
    """A finite number with above < number, least <= number, number < below, number <= most."""
    problem: type[Exception] = TypeError
    value = math.nan
    if type(given) is float or (isinstance(given, Real) and not isinstance(given, bool)):
        problem = ValueError
        try:
            value = float(given)
        except OverflowError:
            value = math.inf
        if math.isfinite(value) and above < value < below and least <= value <= most:
            return value
    bounds = (("> ", above), (">= ", least), ("< ", below), ("<= ", most))
    expected = " and ".join(sign + f"{bound:g}" for sign, bound in bounds if math.isfinite(bound))
    finite = problem is TypeError or math.isfinite(value)
    expected = f"a {'' if finite else 'finite '}number {expected}" if expected else "a finite number"
    raise problem(f"{name} is {given!r}; expected {expected}")


def sequence(name: str, given: object) -> list[Any]:
    """A list of what an argument holds."""
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise TypeError(f"{name} is {given!r}; expected a list")
    return list(given)


def validation_rows(given: object, rows: int) -> int:
    """How many of the rows the fraction `validation` is: at least one, and not all."""
    try:
        fraction = number("validation", given, above=0, below=1)
    except TypeError:
        raise TypeError(f"validation is {given!r}; expected a fraction between 0 and 1, or (X, y)") from None
    validated = round(rows * fraction)
    if not 0 < validated < rows:
        raise ValueError(f"validation is {fraction} of {rows} rows; expected at least one row on either side")
    return validated


def numeric(name: str, given: Any, of_text: str = "") -> np.ndarray:
    """An array of real numbers of any precision, not copied if it is one; of_text is advice on one of strings."""
    if isinstance(given, np.ma.MaskedArray) and np.ma.is_masked(given):
        raise TypeError(f"{name} is a masked array with masked elements; expected numbers throughout")
    try:
        array = np.asarray(given)
        if array.dtype == object and _is_nullable(given):
            array = given.to_numpy(dtype=np.float64, na_value=np.nan)
    except ValueError as problem:
        raise ValueError(f"{name} cannot be read as an array of numbers: {problem}") from None
    if array.dtype.kind not in "biuf":
        hint = "; astype(float) converts a column of numbers" if array.dtype == object else ""
        if array.size and isinstance(array.flat[0], (str, bytes)):
            hint = of_text or hint
        if hasattr(given, "toarray"):
            takers = "; MLPClassifier and MLPRegressor take a sparse X" if name == "X" else ""
            raise TypeError(f"{name} is sparse; expected a dense array, as {name}.toarray() makes it{takers}")
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers (float, integer or boolean){hint}")
    return array


def _is_nullable(given: object) -> bool:
    """Whether this is a frame or a column of pandas, all of it numbers, some of which may be missing."""
    dtypes = getattr(given, "dtypes", ())
    each = list(dtypes) if np.ndim(dtypes) else [dtypes]
    return hasattr(given, "to_numpy") and all(getattr(dtype, "kind", "O") in "biuf" for dtype in each)


_BLOCK = 1 << 20  # elements that are looked at together: a large X in a file does not move into memory


def all_finite(array: np.ndarray) -> bool:
    """Whether no element of a contiguous array is NaN or infinite."""
    if array.size <= _BLOCK:
        return bool(np.isfinite(array).all())
    flat = array.reshape(-1)
    return all(np.isfinite(flat[at : at + _BLOCK]).all() for at in range(0, array.size, _BLOCK))


def finite(name: str, given: object, dtype: np.dtype) -> np.ndarray:
    """A contiguous array of dtype without NaN or infinity; not copied if it is one."""
    array = numeric(name, given)
    with np.errstate(over="ignore"):
        cast = np.require(array, dtype, ("C_CONTIGUOUS", "ALIGNED"))
    if not all_finite(cast):
        good = np.isfinite(cast)
        place = tuple(int(i) for i in np.argwhere(~good)[0])
        where = f"{name}[{', '.join(map(str, place))}]" if array.ndim else name
        value = array[place] if array.ndim else array[()]
        if np.isfinite(value):
            raise ValueError(f"{where} is {value}, infinity in {dtype}; scale {name}, or use dtype='float64'")
        raise ValueError(f"{where} is {value}; expected finite numbers throughout {name}")
    return cast


def shaped(name: str, given: object, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """A finite array of exactly this shape."""
    array = finite(name, given, dtype)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; expected {shape}")
    return array


def inputs(given: object, n_in: int, dtype: np.dtype, name: str = "X", single: bool = False) -> np.ndarray:
    """A batch of samples (m, n_in), m >= 1; with `single`, also one sample (n_in,)."""
    array = numeric(name, given)
    expected = f"(m, {n_in})" + (f" or ({n_in},)" if single else "")
    if array.ndim not in ((1, 2) if single else (2,)) or array.shape[-1] != n_in:
        hint = f"; one sample is {name}[None, :]" if array.shape == (n_in,) else ""
        raise ValueError(f"{name} has shape {array.shape}; expected {expected}, a sample in each row{hint}")
    if array.shape[0] == 0:
        raise ValueError(f"{name} is empty, shape {array.shape}; expected at least one row")
    return finite(name, array, dtype)


def targets(
    given: object, rows: int, n_out: int, output: str, loss: str, dtype: np.dtype, name: str = "y"
) -> np.ndarray:
    """Targets (m, n_out) of dtype, or class labels (m,) as int64 where the output is softmax."""
    array = numeric(name, given, LABELS_OF_TEXT)
    if output == "softmax" and array.shape == (rows, 1):
        array = array[:, 0]  # a column of labels, as a frame has it
    if output == "softmax" and array.ndim == 1:
        expected = f"expected integer labels 0 to {n_out - 1}, shape ({rows},), or targets of shape ({rows}, {n_out})"
        if array.shape != (rows,):
            raise ValueError(f"{name} has shape {array.shape} for {rows} rows of X; {expected}")
        bad = ~((array >= 0) & (array < n_out) & (array == np.floor(array)))
        if bad.any():
            at = int(np.argmax(bad))
            raise ValueError(f"{name}[{at}] is {array[at]}; {expected}")
        return array.astype(np.int64)  # a copy: the core indexes with labels, so nobody else may change them
    shapes: list[tuple[int, ...]] = [(rows, n_out)]
    if output == "softmax" or n_out == 1:
        shapes.insert(0, (rows,))
    if array.shape not in shapes:
        expected = " or ".join(str(shape) for shape in shapes)
        raise ValueError(f"{name} has shape {array.shape} for {rows} rows of X; expected {expected}")
    result = finite(name, array, dtype).reshape(rows, n_out)
    target_range(name, result, loss)
    return result


LABELS_OF_TEXT = (
    "; np.unique(y, return_inverse=True) gives the names and their numbers from 0, which MLP takes as labels; "
    "MLPClassifier takes the names"
)


def target_range(name: str, targets: np.ndarray, loss: str) -> None:
    """Targets of one axis or more that the loss is defined for."""
    if "cross_entropy" not in loss and loss != "poisson":
        return
    most = 1 if loss == "binary_cross_entropy" else math.inf
    bad = (targets < 0) | (targets > most)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name}[{', '.join(map(str, place))}] is {targets[place]}; "
            f"{loss} expects targets {'between 0 and 1' if most == 1 else '>= 0'}"
        )


def layer(given: object, hidden: int) -> int:
    """The number of a hidden layer, from 0; negative ones count from the last."""
    if isinstance(given, (bool, np.bool_)) or not isinstance(given, Integral):
        raise TypeError(f"layer is {given!r}; expected an integer")
    number = int(given)
    if not -hidden <= number < hidden:
        raise ValueError(f"layer is {number}; this net has {hidden} hidden layers")
    return number % hidden


def one_target(given: object, n_out: int) -> np.ndarray:
    """The target of one sample, a number, a label or (n_out,), as a batch of one row for `targets`."""
    array = numeric("y", given, LABELS_OF_TEXT)
    return array[None] if array.ndim == 0 or (array.shape == (n_out,) and n_out > 1) else array


def sample_weights(given: object, rows: int, dtype: np.dtype) -> np.ndarray | None:
    """Weights (m,), not negative, not all zero, scaled so that the largest is 1; None for None."""
    if given is None:
        return None
    array = shaped("sample_weight", given, (rows,), np.dtype(np.float64))
    if (array < 0).any():
        at = int(np.argmax(array < 0))
        raise ValueError(f"sample_weight[{at}] is {array[at]}; expected weights >= 0")
    if not array.any():
        raise ValueError("sample_weight is zero for every row; expected at least one weight > 0")
    scaled: np.ndarray = (array / array.max()).astype(dtype)
    return scaled


def buffer(name: str, given: object, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array that results of this shape can be written to."""
    expected = f"a writable, C-contiguous array of shape {shape} and dtype {dtype}"
    if not isinstance(given, np.ndarray):
        raise TypeError(f"{name} is a {type(given).__name__}; expected {expected}")
    flaws = [] if given.flags.c_contiguous else ["not C-contiguous"]
    flaws += [] if given.flags.writeable else ["read-only"]
    if given.shape != shape or given.dtype != dtype or flaws:
        came = ", ".join([f"shape {given.shape}", f"dtype {given.dtype}", *flaws])
        raise ValueError(f"{name} has {came}; expected {expected}")
    return given


def rounded(name: str, value: float, dtype: np.dtype) -> None:
    """A number that keeps its meaning when it is rounded to dtype: finite, and above 0 or below 1 if it was."""
    if value == 0 or 1e-30 < abs(value) < 0.999999 or 1 <= abs(value) < 1e30:  # as it does in either
        return
    with np.errstate(all="ignore"):
        near = dtype.type(value)
    if not np.isfinite(near) or (value < 1 <= near) or (value > 0 and near < np.finfo(dtype).tiny):
        raise ValueError(f"{name} is {value}, which {dtype} rounds to {near}; use float64")


def hyperparameters(optimizer: object, dtype: np.dtype) -> None:
    """Numbers of an optimizer that keep their meaning when they are rounded to dtype."""
    for name, value in vars(optimizer).items():
        if isinstance(value, Real):
            rounded(f"{name} of the optimizer", float(value), dtype)
