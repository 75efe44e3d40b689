"""The estimator that a command trains: its parameters, when it ends, and which rows it does not see.

Not here: where the rows come from (table_commands.py).
"""

import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastmlp.formulas import Array
from fastmlp.messages import note

_WATCHED = 0.15  # of the rows to train with, for the end of training
_LEAST_WATCHED = 40  # rows to train with; of fewer, all are trained with, to the last epoch


def new_model(task: str, rows: int, hidden: Sequence[int], epochs: int, seed: int) -> Any:
    """The estimator that learns; of nothing so far."""
    from fastmlp import MLPClassifier, MLPRegressor

    kind = MLPClassifier if task == "classification" else MLPRegressor
    return kind(
        hidden_layer_sizes=hidden, scale="standard", batch_size=min(200, max(8, rows // 25)), max_iter=epochs,
        n_iter_no_change=20, random_state=seed, progress=_has_terminal(),
    )  # fmt: skip


def fit(model: Any, X: Array, y: Array, classes: Array | None, seed: int) -> None:
    """Train, and end when some of the rows, apart from the others, have not been told better for a while."""
    arguments: dict[str, Any] = {} if classes is None else {"classes": classes}
    if len(X) >= _LEAST_WATCHED:
        trained, watched = split(np.arange(len(X)), _WATCHED, None if classes is None else y, seed)
        model.set_params(early_stopping=True)
        if classes is not None and len(np.unique(y[watched])) == len(classes):  # which that metric wants
            model.set_params(eval_metric="neg_log_loss")
        arguments["eval_set"] = X[watched], y[watched]
        X, y = X[trained], y[trained]
    with _warnings_as_notes():
        model.fit(X, y, **arguments)
    model.set_params(progress=False)


def split(rows: Array, share: float, labels: Array | None, seed: int) -> tuple[Array, Array]:
    """Two parts of the rows, the second of this share; of each class in proportion, where there are enough of it.

    There is no class of which the first has none.
    """
    from sklearn.model_selection import train_test_split

    second, strata = int(np.ceil(share * len(rows))), labels
    if labels is not None:
        counts = np.unique(labels, return_counts=True)[1]
        if counts.min() < 2 or len(counts) > min(second, len(rows) - second):
            strata = None
    first, other = train_test_split(rows, test_size=second, random_state=seed, stratify=strata)
    if labels is not None:
        for label in np.setdiff1d(labels[other], labels[first]):  # which changes places with one of a large class
            classes, counts = np.unique(labels[first], return_counts=True)
            here = (labels[first] == classes[counts.argmax()]).argmax()
            there = (labels[other] == label).argmax()
            first[here], other[there] = other[there], first[here]
    return first, other


def baseline(y: Array, is_classification: bool) -> Any:
    """The one answer that is best: the most frequent label, or the mean."""
    if not is_classification:
        return float(y.mean())
    labels, counts = np.unique(y, return_counts=True)
    return labels[counts.argmax()].item()


def _has_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for one in caught:
        if issubclass(one.category, ConvergenceWarning):
            note("it was still learning after the last epoch; more --epochs may help")
        else:
            note(str(one.message))
