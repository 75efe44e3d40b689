"""Numbers of a table made small and alike: the robust scale, the smooth clip, means of the target, bins.

Columns stand in rows here, (columns, rows), since each is sorted.
"""

from typing import Any

import numpy as np

from fastmlp.formulas import Array

# Beyond it a number of X counts as this one in training, and one of y is refused, so that differences stay finite.
MOST = 1e300
FOLDS = 5  # in which means of the target are made
SMOOTHING = 10.0  # rows of the mean of all that are added to those of a category
_FAR = 1e9  # of which the smooth clip makes 3, in float32


def robust_scales(x: Array) -> tuple[Array, Array]:
    """c, the median, and the factor 1 / (q75 - q25) of each column, without its holes.

    Where the quartiles are equal the factor is 2 / (max - min), and where that has none, 0.

    Parameters
    ----------
    x : ndarray of shape (columns, rows), float64
        NaN is a hole.

    Returns
    -------
    c, factor : ndarray of shape (columns,), float64
    """
    x = np.sort(x, axis=1)  # holes last
    n = x.shape[1] - np.count_nonzero(np.isnan(x), axis=1)
    last = np.maximum(n - 1, 0)
    each = np.arange(len(x))

    def quantile(q: float) -> Array:
        at = q * last
        low = np.floor(at).astype(np.intp)
        a, b = x[each, low], x[each, np.minimum(low + 1, last)]
        between: Array = a + (at - low) * (b - a)
        return between

    c, s = quantile(0.5), quantile(0.75) - quantile(0.25)
    return _c_and_factor(c, s, x[each, last] - x[each, 0])


def robust_scale_of_levels(levels: Array, counts: Array) -> tuple[float, float]:
    """`robust_scales` of one column that has levels[i], (levels,), counts[i] times."""
    order = np.argsort(levels)
    ends = np.cumsum(counts[order])
    levels = levels[order]
    last = int(ends[-1]) - 1

    def quantile(q: float) -> float:
        at = q * last
        a, b = levels[np.searchsorted(ends, [int(at), min(int(at) + 1, last)], side="right")]
        return float(a + (at - int(at)) * (b - a))

    there = levels[counts[order] > 0]
    s = quantile(0.75) - quantile(0.25)
    c, factor = _c_and_factor(np.array([quantile(0.5)]), np.array([s]), np.array([there[-1] - there[0]]))
    return float(c[0]), float(factor[0])


def _c_and_factor(c: Array, s: Array, span: Array) -> tuple[Array, Array]:
    s = np.where(s == 0, span / 2, s)
    with np.errstate(divide="ignore", over="ignore"):
        factor = np.where(s > 0, np.minimum(1 / s, MOST), 0.0)
    return np.nan_to_num(c), factor


def scaled(x: Any, c: Any, factor: Any) -> Array:
    """Smoothly clipped: z / √(1 + (z / 3)²) of z = (x - c) · factor, between -3 and 3; 0 for a hole."""
    with np.errstate(over="ignore"):
        z = np.clip((x - c) * factor, -_FAR, _FAR)
    z = np.where(np.isnan(z), 0.0, z)
    clipped: Array = z / np.sqrt(1 + np.square(z / 3))
    return clipped


def target_means(codes: Array, n: int, targets: Array, seed: int) -> tuple[Array, Array]:
    """Mean of the targets and log(1 + rows) of each category: out of fold for the rows, of all rows for later ones.

    The mean of a category is (sum + m · mean of all) / (rows + m), m = SMOOTHING. The mean of all is of all folds,
    or it would tell the folds apart. The rows of the other folds are counted as if they were all.

    Parameters
    ----------
    codes : ndarray of shape (rows,), intp
    n : int
        The number of categories.
    targets : ndarray of shape (rows, t), float64
    seed : int
        Of the folds.

    Returns
    -------
    of_rows : ndarray of shape (t + 1, rows), float64
    of_categories : ndarray of shape (t + 1, n + 1), float64
        The last is a category that was not seen.
    """
    rows = len(codes)
    folds = min(FOLDS, rows)
    fold = np.random.default_rng(seed).permutation(rows) % folds
    places = codes * folds + fold
    counts = np.bincount(places, minlength=n * folds).reshape(n, folds)
    all_counts = counts.sum(axis=1)
    other_counts = all_counts[codes] - counts.ravel()[places]
    of_rows, of_categories = np.empty((targets.shape[1] + 1, rows)), np.empty((targets.shape[1] + 1, n + 1))
    for i, target in enumerate(targets.T):
        mean = target.mean()
        sums = np.bincount(places, target, minlength=n * folds).reshape(n, folds)
        all_sums = sums.sum(axis=1)
        others = all_sums[codes] - sums.ravel()[places]
        of_rows[i] = (others + SMOOTHING * mean) / (other_counts + SMOOTHING)
        of_categories[i] = np.append((all_sums + SMOOTHING * mean) / (all_counts + SMOOTHING), mean)
    in_others = rows - np.bincount(fold, minlength=folds)
    of_rows[-1] = np.log1p(other_counts * (rows / np.maximum(in_others, 1))[fold])
    of_categories[-1] = np.append(np.log1p(all_counts), 0.0)
    return of_rows, of_categories


def bin_edges(x: Array, bins: int) -> Array:
    """Quantiles of a column (rows,) that cut it into bins of as many rows; each edge once, (edges,)."""
    x = x[~np.isnan(x)]
    edges: Array = np.unique(np.quantile(x, np.linspace(0, 1, bins + 1))) if len(x) else np.zeros(0)
    return edges


def piecewise_linear(x: Array, edges: Array) -> Array:
    """How far a number has gone through each bin: (x - lower) / (upper - lower) within [0, 1].

    Returns
    -------
    ndarray of shape (edges - 1, rows), float64
    """
    lower, upper = edges[:-1, None], edges[1:, None]
    with np.errstate(over="ignore"):  # of what is far from a narrow bin
        shares: Array = np.clip((x - lower) / (upper - lower), 0.0, 1.0)
    return shares
