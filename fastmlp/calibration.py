"""What held-out rows tell of a model: a temperature for its probabilities, how far off its numbers are, what matters.

A temperature T makes p^(1/T), divided by the sum over the classes, of the probabilities p (Guo et al. 2017). An
interval is as wide as the errors on rows that were not learned from are large (Vovk et al. 2005). What a column is
worth is how much worse the answers are where its values stand in the rows of others (Breiman 2001).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastmlp.formulas import Array

LEAST_PROBABILITY = 1e-15  # whose logarithm is taken of one that is less, as by scikit-learn
_COLDEST, _HOTTEST = 0.05, 20.0
_PERMUTED = 200_000  # rows that are answered for the importances, all columns together
_LEAST_PERMUTED = 100  # rows of a column, however many columns there are


def at_temperature(probabilities: Array, temperature: float) -> Array:
    """Probabilities (m, n), each row to the power of 1 / temperature and divided by its sum; float64."""
    logits = np.log(np.maximum(probabilities, LEAST_PROBABILITY, dtype=np.float64))
    logits -= logits.max(axis=1, keepdims=True)
    powers = np.exp(logits / temperature)
    scaled: Array = powers / powers.sum(axis=1, keepdims=True)
    return scaled


def log_loss(probabilities: Array, labels: Array, sample_weight: Array | None = None) -> float:
    """The mean of -log p of the labels 0 .. n - 1, weighted."""
    given = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    return float(np.average(-np.log(np.maximum(given, LEAST_PROBABILITY), dtype=np.float64), weights=sample_weight))


def fitted_temperature(probabilities: Array, labels: Array, sample_weight: Array | None = None) -> float:
    """The temperature at which these probabilities have the least log loss; it is convex in its inverse.

    As if a share of 1 / (m + 2) of the m rows had labels drawn from all classes (Platt 1999): where no row was told
    wrong, a later one may be, and a temperature near 0 would be sure that it is not.
    """
    from scipy.optimize import minimize_scalar

    of_all = 1 / (len(labels) + 2)

    def loss(inverse: float) -> float:
        each = -np.log(np.maximum(at_temperature(probabilities, 1 / inverse), LEAST_PROBABILITY))
        of_label = np.take_along_axis(each, labels[:, None], axis=1)[:, 0]
        mixed = (1 - of_all) * of_label + of_all * each.mean(axis=1)
        return float(np.average(mixed, weights=sample_weight))

    found = minimize_scalar(loss, bounds=(1 / _HOTTEST, 1 / _COLDEST), method="bounded", options={"xatol": 1e-4})
    return float(1 / found.x)


def half_width(errors: Array, coverage: float) -> float:
    """The least width that so many of further errors are expected to be within; errors (m,) >= 0, in order.

    It is the ceil((m + 1) coverage)-th of them, and infinite where there are too few for that.
    """
    at = math.ceil((len(errors) + 1) * coverage)
    return float(errors[at - 1]) if at <= len(errors) else math.inf


def importances(
    held_out: Sequence[Array],
    answer: Callable[[int, Array], Array],
    loss: Callable[[Array, Array], float],
    columns: Sequence[Array],
    rng: np.random.Generator,
) -> Array:
    """How much the loss on held-out rows grows where a column's values stand in the rows of others.

    Parameters
    ----------
    held_out : sequence of ndarray (rows of a fold, n_in), float32
    answer : callable
        (fold, rows) -> outputs of the member that has not learned from it.
    loss : callable
        (outputs, the places of their rows) -> the mean loss.
    columns : sequence of ndarray of int
        The columns of the rows that each feature has become; none for one that is left out.

    Returns
    -------
    ndarray of shape (features,)
        Near 0, and perhaps below it, for a column that brings nothing.
    """
    n = sum(map(len, held_out))
    most = max(_LEAST_PERMUTED, _PERMUTED // max(1, len(columns)))
    share = min(1.0, most / n)
    parts, places, end = [], [], 0
    for rows in held_out:
        taken = np.sort(rng.permutation(len(rows))[: max(1, math.ceil(share * len(rows)))])
        parts.append(rows[taken])
        places.append(end + taken)
        end += len(rows)
    at = np.concatenate(places)
    as_they_are = loss(np.concatenate([answer(k, part) for k, part in enumerate(parts)]), at)
    grown = np.zeros(len(columns))
    for j, of in enumerate(columns):
        if not len(of):
            continue
        outputs: list[Any] = []
        for k, part in enumerate(parts):
            mixed = part.copy()
            mixed[:, of] = part[rng.permutation(len(part))][:, of]
            outputs.append(answer(k, mixed))
        grown[j] = loss(np.concatenate(outputs), at) - as_they_are
    return grown
