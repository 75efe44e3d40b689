"""How an estimator scales X and y, and predictions back: a fitted scaler of scikit-learn, whose formulas are here.

scikit-learn's own `transform` looks at its argument for as long as a net of 1,000 neurons takes to predict; here it
was looked at. What comes out is the same but for the last bits. Not here: when a scaler is fitted
(estimator_base.py).
"""

import copy
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from fastmlp.formulas import Array
from fastmlp.forward import EDGE, FIRST_LEVEL, Normalized, Standardized

LEAST, MOST = ndtri(FIRST_LEVEL), ndtri(1 - FIRST_LEVEL)


class Standard:
    """To mean 0 and standard deviation 1."""

    name, kind = "StandardScaler", "standard"  # of the class, and of the parameter `scale`

    def __init__(self, scaler: StandardScaler) -> None:
        self._scaler = scaler
        self.columns = len(scaler.mean_)

    def apply(self, X: Array) -> Array:
        """X (m, columns), scaled."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled: Array = X - self._scaler.mean_
            scaled /= self._scaler.scale_
        return scaled

    def undo(self, Y: Array) -> Array:
        """What was scaled to Y (m, columns)."""
        unscaled: Array = Y * self._scaler.scale_ + self._scaler.mean_
        return unscaled

    def described(self) -> Standardized:
        """The numbers that it has."""
        return Standardized(self._scaler.mean_.copy(), self._scaler.scale_.copy())


class Normal:
    """To a normal distribution: to its quantile at the level that a value has, by interpolation, among known ones."""

    name, kind = "QuantileTransformer", "quantile"

    def __init__(self, scaler: QuantileTransformer) -> None:
        self._levels = scaler.references_  # (n,) ascending
        self._known = np.ascontiguousarray(scaler.quantiles_.T)  # (columns, n)
        # Of a value that is known twice, the mean of its levels counts: seen from below, and from above.
        self._has_twice = [bool((np.diff(known) == 0).any()) for known in self._known]
        self._from_above = -self._levels[::-1], -np.ascontiguousarray(self._known[:, ::-1])
        self._first, self._last = self._known[:, 0], self._known[:, -1]
        self.columns = len(self._known)

    def apply(self, X: Array) -> Array:
        """X (m, columns), scaled."""
        X = X.astype(np.float64, copy=False)  # in which an edge is seen, and a negative is one
        level = np.empty(X.shape)
        for j in range(self.columns):
            level[:, j] = np.interp(X[:, j], self._known[j], self._levels)
            if self._has_twice[j]:
                levels, known = self._from_above
                level[:, j] = 0.5 * (level[:, j] - np.interp(-X[:, j], known[j], levels))
        level[self._last < X + EDGE] = 1
        level[self._first > X - EDGE] = 0
        scaled: Array = ndtri(level)
        np.maximum(scaled, LEAST, out=scaled)
        np.minimum(scaled, MOST, out=scaled)
        return scaled

    def undo(self, Y: Array) -> Array:
        """What was scaled to Y (m, columns)."""
        level, unscaled = ndtr(Y), np.empty(Y.shape)
        for j in range(self.columns):
            unscaled[:, j] = np.interp(level[:, j], self._levels, self._known[j])
        np.copyto(unscaled, self._last, where=level > 1 - EDGE)
        np.copyto(unscaled, self._first, where=level < EDGE)
        return unscaled

    def described(self) -> Normalized:
        """The numbers that it has."""
        return Normalized(self._levels.copy(), self._known.copy())


class Other:
    """Whatever a scaler does that somebody else has put there."""

    columns = kind = None

    def __init__(self, scaler: Any) -> None:
        self._scaler, self.name = scaler, type(scaler).__name__

    def apply(self, X: Array) -> Array:
        """X (m, columns), scaled."""
        return np.asarray(self._scaler.transform(X))

    def undo(self, Y: Array) -> Array:
        """What was scaled to Y (m, columns)."""
        return np.asarray(self._scaler.inverse_transform(Y))

    def described(self) -> Any:
        """There is no description of it."""
        raise ValueError(
            f"X or y is scaled by {self.name}, which is known by its name only; expected a scaler of fit"
        )


Scaling = Standard | Normal | Other


def scaling(scaler: Any) -> Scaling | None:
    """What a fitted scaler does; None without one."""
    if scaler is None:
        return None
    if type(scaler) is StandardScaler and scaler.with_mean and scaler.with_std:
        return Standard(scaler)
    if type(scaler) is QuantileTransformer and scaler.output_distribution == "normal":
        return Normal(scaler)
    return Other(scaler)


def new_scaler(kind: str, rows: int, random_state: np.random.RandomState) -> Any:
    """The scaler that a value of the parameter `scale` stands for."""
    if kind == "standard":
        return StandardScaler().set_output(transform="default")
    return QuantileTransformer(
        n_quantiles=min(1000, rows), output_distribution="normal", random_state=random_state.randint(2**31 - 1)
    ).set_output(transform="default")


def fitted(name: str, scaler: Any, array: Array, w: Array | None, goes_on: bool) -> Any:
    """A scaler that knows these rows, beside those that it has seen if it `goes_on`; the given one stays as it is.

    Rows without weight do not count, the others by their weight for means and variances, and alike for quantiles.
    """
    array = array.reshape(len(array), -1)
    if w is not None:
        array, w = array[w > 0], w[w > 0]
    if type(scaler) is not StandardScaler:
        return scaler.fit(array)
    before = scaler
    if goes_on:
        scaler = copy.deepcopy(scaler)
    with np.errstate(over="ignore", invalid="ignore"):
        scaler.partial_fit(array, sample_weight=w)
    if not np.isfinite([scaler.mean_, scaler.scale_]).all():
        _keep_what_was_known(scaler, before if goes_on else None, array, name)
    most = np.nanmax(np.abs(array), initial=0)
    if not np.isfinite([scaler.mean_, scaler.scale_]).all():
        raise ValueError(
            f"scale='standard' overflows: {name} has values up to {most:.3g}, whose mean and variance leave the "
            f"range of float64; scale {name} before"
        )
    flat = array[:, scaler.var_ == 0]
    if flat.size and (np.nanmax(flat, axis=0) > np.nanmin(flat, axis=0)).any():
        raise ValueError(
            f"scale='standard' underflows: {name} has values up to {most:.3g}, whose variance is 0 in float64; scale "
            f"{name} before"
        )
    return scaler


def _keep_what_was_known(scaler: Any, before: Any, array: Array, name: str) -> None:
    """Of columns whose numbers are all missing here, what an earlier scaler has known."""
    unknown: Array = np.asarray(np.isnan(array).all(axis=0))
    if before is None and unknown.any():
        at = int(np.argmax(unknown))
        raise ValueError(
            f"Input {name} contains NaN. Column {at} of {name} has nothing else, so that there is no mean"
        )
    for attribute in ("mean_", "var_", "scale_", "n_samples_seen_") if before is not None else ():
        known = np.broadcast_to(getattr(before, attribute), unknown.shape)
        setattr(scaler, attribute, np.where(unknown, known, getattr(scaler, attribute)))


def scaled(name: str, by: Scaling, array: Array) -> Array:
    """An array (m, columns) or (m,), scaled, in its own precision; an error where that is beyond float64."""
    array = array.reshape(len(array), -1)
    result = by.apply(array)
    if (np.isinf(result) | (np.isnan(result) & ~np.isnan(array))).any():
        most = np.nanmax(np.abs(array))
        raise ValueError(
            f"scaling overflows: {name} has values up to {most:.3g}, which {by.name} takes beyond float64; scale "
            f"{name} before"
        )
    return result.astype(np.float32 if array.dtype == np.float32 else np.float64, copy=False)
