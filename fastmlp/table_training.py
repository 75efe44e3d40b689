"""What a command trains, an ensemble or one net: its parameters, when it ends, and which rows it does not see.

Not here: where the rows come from (table_commands.py).
"""

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.formulas import Array
from fastmlp.messages import note
from fastmlp.table_models import is_ensemble

_EPOCHS = 200  # of one net, at most
_WATCHED = 0.15  # of the rows to train one net with, for the end of training
_LEAST_WATCHED = 40  # rows to train with; of fewer, all are trained with, to the last epoch


def new_model(task: str, rows: int, hidden: Sequence[int] | None, epochs: int | None, seed: int) -> Any:
    """The estimator that learns; of nothing so far. Without hidden layers, it is an ensemble."""
    from fastmlp import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor

    classifies, progress = task == "classification", _has_terminal()
    if hidden is None:
        ensemble = (TabularClassifier if classifies else TabularRegressor)(random_state=seed, progress=progress)
        return ensemble if epochs is None else ensemble.set_params(epochs=epochs)
    return (MLPClassifier if classifies else MLPRegressor)(
        hidden_layer_sizes=hidden, scale="standard", batch_size=min(200, max(8, rows // 25)),
        max_iter=_EPOCHS if epochs is None else epochs, n_iter_no_change=20, random_state=seed, progress=progress,
    )  # fmt: skip


def fit(model: Any, X: Array, y: Array, classes: Array | None, seed: int) -> None:
    """Train. One net ends when some of the rows, apart from the others, have not been told better for a while."""
    from sklearn.exceptions import ConvergenceWarning

    arguments: dict[str, Any] = {}
    if not is_ensemble(model):
        X, y, arguments = _watched(model, X, y, classes, seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y, **arguments)
    for one in caught:
        if issubclass(one.category, ConvergenceWarning) and not is_ensemble(model):
            note("it was still learning after the last epoch; more --epochs may help")
        else:
            note(str(one.message))
    model.set_params(progress=False)


def _watched(model: Any, X: Array, y: Array, classes: Array | None, seed: int) -> tuple[Array, Array, dict[str, Any]]:
    """The rows that one net learns from, and the arguments of its fit; its parameters say what the others end."""
    arguments: dict[str, Any] = {} if classes is None else {"classes": classes}
    if len(X) < _LEAST_WATCHED:
        return X, y, arguments
    trained, watched = split(np.arange(len(X)), _WATCHED, None if classes is None else y, seed)
    model.set_params(early_stopping=True)
    if classes is not None and len(np.unique(y[watched])) == len(classes):  # which that metric wants
        model.set_params(eval_metric="neg_log_loss")
    return X[trained], y[trained], arguments | {"eval_set": (X[watched], y[watched])}


def make_keepable(ensemble: Any, names: list[str]) -> None:
    """Give an ensemble the names of its columns, so that its file takes frames; and make the same file each time."""
    from fastmlp.frame_encoding import FrameEncoder

    ensemble.encoder_ = FrameEncoder(names, True, ensemble.encoder_.pieces)
    ensemble.history_.seconds = 0.0  # which are never the same


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
