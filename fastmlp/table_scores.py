"""How good the predictions of a net are, in numbers and in words, compared with the best single answer.

Not here: where the rows come from (table_commands.py).
"""

from typing import Any

import numpy as np

from fastmlp.formulas import Array
from fastmlp.tables import counted, shown

_BEYOND_CHANCE = 2.0  # standard errors
_LEAST_ROWS = 10
# The verdicts, from the best to the worst.
_LEARNED = "it learned"
_CHANCE = "better, but on {rows} that may be chance"
_FEW = "on {rows} that says nothing"
_NO_BETTER = "no better than that; other columns, more rows or more --epochs may help"


def scored(model: Any, X: Array, y: Array, baseline: Any) -> tuple[dict[str, float], str]:
    """Scores by name, and the lines that say them.

    Parameters
    ----------
    model : an estimator
    X : ndarray of shape (rows, inputs) or (rows, columns)
        What `table_models.inputs` makes of the rows.
    y : ndarray of shape (rows,)
    baseline : str or int
        The most frequent label of training. Numbers are compared with their own mean, as R² does.
    """
    predicted = model.predict(X)
    if hasattr(model, "classes_"):
        scores, verdict = _scored_classes(model, X, y, predicted, baseline)
    else:
        scores, verdict = _scored_numbers(y, predicted)
    line = ", ".join(f"{name} {written(number)}" for name, number in scores.items())
    return scores, f"score     {line} on {counted(len(y), 'row')}\nverdict   {verdict}"


def _scored_classes(model: Any, X: Array, y: Array, predicted: Array, baseline: Any) -> tuple[dict[str, float], str]:
    """Accuracy and log loss; a net that does better in one of them has learned, as where one class is rare."""
    right, by_baseline = predicted == y, y == baseline
    each, at = np.arange(len(y)), np.searchsorted(model.classes_, y)
    of_class = model.predict_proba(X)[each, at]
    losses = -np.log(np.maximum(of_class, np.finfo(of_class.dtype).eps))
    by_shares = -np.log(np.bincount(at)[at] / len(y))
    scores = {"accuracy": float(right.mean()), "log loss": float(losses.mean())}
    verdicts = {_verdict(right.astype(float) - by_baseline), _verdict(by_shares - losses)}
    verdict = next(one for one in (_LEARNED, _CHANCE, _FEW, _NO_BETTER) if one in verdicts)
    answer = repr(baseline) if isinstance(baseline, str) else shown(str(baseline))
    return scores, (
        f"{written(right.mean())} right ({right.sum():,} of {len(y):,}), where always answering {answer} has "
        f"{written(by_baseline.mean())}; log loss {written(losses.mean())}, where the shares of the classes have "
        f"{written(by_shares.mean())}: {verdict.format(rows=counted(len(y), 'row'))}"
    )


def _scored_numbers(y: Array, predicted: Array) -> tuple[dict[str, float], str]:
    errors, by_mean = predicted - y, y.mean() - y
    squares = float(np.mean(errors**2))
    scores = {"RMSE": squares**0.5, "MAE": float(np.abs(errors).mean())}
    if y.var() > 0:
        scores = {"R²": 1 - squares / float(y.var())} | scores
    verdict = _verdict(by_mean**2 - errors**2)
    return scores, (
        f"typically off by {written(scores['RMSE'])}, where always answering their mean, {written(y.mean())}, is by "
        f"{written(y.std())}: {verdict.format(rows=counted(len(y), 'row'))}"
    )


def _verdict(gain: Array) -> str:
    """In words, whether the mean of these gains over a baseline, one a row, is there or may be chance."""
    gain = gain / (np.abs(gain).max() or 1)  # so that no square leaves the range
    mean, error = float(gain.mean()), float(gain.std()) / len(gain) ** 0.5
    if len(gain) < _LEAST_ROWS:
        return _FEW
    if mean <= 0:
        return _NO_BETTER
    return _CHANCE if mean < _BEYOND_CHANCE * error else _LEARNED


def written(number: float) -> str:
    """A number in four digits, or in as many more as it takes to tell it from a perfect 1."""
    number = float(number)
    digits = next(n for n in range(4, 18) if n == 17 or not number < 1 or float(f"{number:.{n}g}") < 1)
    rounded = float(f"{number:.{digits}g}")
    is_ordinary = rounded == 0 or 1e-3 <= abs(rounded) < 1e7
    return f"{rounded:,.15g}" if is_ordinary else f"{rounded:.{digits}g}"
