"""TabularClassifier and TabularRegressor: one line for a table of numbers, categories, dates and holes.

What they are made of: frame_encoding.py makes numbers of a frame, recipes.py says what goes with its size, members.py
trains the nets, calibration.py learns from the rows that were held out. Here is what these are together: labels,
probabilities and intervals. Files of them are in tabular_saving.py.
"""

import math
import os
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from fastmlp import calibration, checks, estimator_data
from fastmlp.estimator_parameters import TabularParameters, check_parameters, documented
from fastmlp.formulas import Array
from fastmlp.frame_encoding import FrameEncoder
from fastmlp.frame_scaling import MOST
from fastmlp.history import History
from fastmlp.members import LEAST_FOLDS, Members, Table, in_folds, trained
from fastmlp.mlp import MLP
from fastmlp.recipes import recipe_for
from fastmlp.threads import threads as as_threads

__all__ = ["TabularClassifier", "TabularRegressor"]


class _Fit(NamedTuple):
    """What a fit gives."""

    encoder: FrameEncoder
    table: Table
    result: Members
    importances: Array


class _Weighted(NamedTuple):
    """The rows that have a weight above 0: of the others nothing is learned.

    Attributes
    ----------
    rows : ndarray of shape (m,), intp, or None
        Their places; None for all.
    weights : ndarray of shape (m,), float32, or None
    """

    rows: Array | None
    weights: Array | None

    @classmethod
    def by(cls, sample_weight: Any, n: int) -> "_Weighted":
        """Of n rows."""
        given = estimator_data.sample_weights("sample_weight", sample_weight, n)
        if given is None:
            return cls(None, None)
        weights = estimator_data.weights_in_range(given).astype(np.float32)
        if weights.all():
            return cls(None, weights)
        rows = np.flatnonzero(weights)
        if len(rows) < 2:
            raise ValueError("sample_weight is above 0 in 1 row; expected at least 2, as one is held out")
        return cls(rows, weights[rows])

    def of(self, values: Array) -> Array:
        """Those of values (n,) that stand in these rows."""
        return values if self.rows is None else values[self.rows]


class _Tabular(BaseEstimator, TabularParameters):
    """What both have."""

    encoder_: FrameEncoder
    members_: list[MLP]
    history_: History

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return "members_" in self.__dict__

    def _trained(self, X: Any, y: Array, targets: Array, n_out: int, weighted: _Weighted, time_limit: Any) -> _Fit:
        """A fit, of which the estimator has taken nothing yet.

        y, from which the encoder learns, has a row for each of X; targets, for the nets, one for each with a weight.
        """
        began = perf_counter()
        limit = math.inf if time_limit is None else checks.number("time_limit", time_limit, above=0)
        threads = as_threads(self.n_threads, "n_threads")
        rng = _generator(self.random_state)
        task = "classification" if targets.ndim == 1 else "regression"
        seed = int(rng.integers(2**32))
        encoder, encoded = FrameEncoder.learned(
            X, y=y, task=task, max_one_hot=self.max_one_hot, bins=self.n_bins, seed=seed, rows=weighted.rows
        )
        if len(encoded) < 2:
            raise ValueError("X has 1 row (n_samples = 1); expected at least 2, of which one can be held out")
        if not encoded.shape[1]:
            raise ValueError("no column of X varies, so that there is nothing to learn from; expected one that does")
        recipe = recipe_for(self, len(encoded), targets.ndim == 1)
        order, starts = in_folds(targets, max(recipe.n_members, LEAST_FOLDS), rng)
        weights = None if weighted.weights is None else weighted.weights[order]
        table = Table(encoded[order], targets[order], weights, starts, n_out)
        del encoded
        result = trained(table, recipe, rng, threads, began + limit, self.progress)
        return _Fit(encoder, table, result, _importances(table, result, encoder.columns_of(), threads, rng))

    def _take(self, fit: _Fit) -> None:
        self.encoder_, self.members_, self.history_ = fit.encoder, fit.result.nets, fit.result.history
        self.n_features_in_, self.best_epoch_ = fit.encoder.n_features_in, fit.result.best_epoch
        self.feature_importances_ = fit.importances
        self.__dict__.pop("feature_names_in_", None)
        if fit.encoder.named:
            self.feature_names_in_ = np.array(fit.encoder.names_in, object)

    def _outputs(self, X: Any) -> Array:
        """The mean of what the members answer (m, n_out), in float64."""
        check_is_fitted(self)
        estimator_data.warn_of_names(self, X)
        encoded, threads = self.encoder_.encode(X, of=type(self).__name__), as_threads(self.n_threads, "n_threads")
        total = np.zeros((len(encoded), self.members_[0].sizes[-1]))
        for net in self.members_:
            total += _answered(net, encoded, threads)
        return total / len(self.members_)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """The names of the columns that the nets read: what the columns of X have become.

        Parameters
        ----------
        input_features : None
            Not used: the names are those of training.

        Returns
        -------
        ndarray of str objects
        """
        check_is_fitted(self)
        if input_features is not None and list(input_features) != self.encoder_.names_in:
            raise ValueError(f"input_features is {input_features!r}; expected None, or the columns of training")
        return np.array(self.encoder_.names_out, object)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the estimator to a file, from which `fastmlp.load` makes an equal one; see `MLP.save`.

        Parameters
        ----------
        path : path-like
            Such as "model.safetensors". A file that is there is replaced, as a whole or not at all.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        OSError
            If it cannot be written.
        """
        from fastmlp.saving import save

        save(self, path, False)


@documented
@dataclass(eq=False, repr=False)
class TabularClassifier(ClassifierMixin, _Tabular):
    """A classifier for tables: numbers, categories, dates and missing values, as they are.

    An ensemble of small nets, by the recipe of RealMLP (Holzmueller et al. 2024), each trained on all rows but those
    of a fold of its own. These decide at which epoch all of them end, and at which temperature the probabilities are
    calibrated.

    Rows and columns decide on batches, epochs and bins. On two cores, of 27 columns, 800 rows take half a second,
    40,000 rows 6 seconds and 160,000 rows 24, where training ends early, and up to five times as long where it does
    not.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    members_ : list of MLP
        The nets, which read what `encoder_` makes of X.
    encoder_ : FrameEncoder
        What makes numbers of a frame.
    temperature_ : float
        At which the mean of the members' probabilities is taken: above 1 they were too sure.
    log_loss_ : float
        Of the held-out rows, each answered by the member that has not learned from it, calibrated.
    history_ : History
        The mean training loss of the members, and loss and accuracy of the held-out rows after each epoch.
    best_epoch_ : int
        The epoch whose nets these are, counted from 1: the last of those with the most held-out rows right.
    feature_importances_ : ndarray of shape (n_features,)
        By how much the log loss of held-out rows, before calibration, grows where a column's values stand in the rows
        of others.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where they have some.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastmlp import TabularClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = TabularClassifier(random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, time_limit: float | None = None
    ) -> "TabularClassifier":
        """Train.

        Parameters
        ----------
        X : frame of pandas or polars, or array-like of shape (n_samples, n_features)
            Numbers, booleans, strings, categories, dates and durations; None, NaN and NA are missing values.
        y : array-like of shape (n_samples,)
            Class labels; none may be missing.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples in training, >= 0. Of a row of weight 0 nothing is learned but that there is such a
            label.
        time_limit : float, optional
            Seconds, > 0, from the call of `fit` to the last epoch: there are fewer of these, with a schedule for so
            many, but at least one. Calibration and importances come after them.

        Returns
        -------
        TabularClassifier
            Itself.

        Raises
        ------
        ValueError, TypeError
            If an argument cannot be used; the message names the column, or the row of y. The estimator is as it was.
        """
        check_parameters(self)
        y = _labels(y)
        weighted = _Weighted.by(sample_weight, len(y))
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"y has one class, {classes.tolist()[0]!r}; expected at least 2 classes")
        fit = self._trained(X, y, weighted.of(codes).astype(np.int64), len(classes), weighted, time_limit)
        outputs, labels = fit.result.outputs, fit.table.targets[: len(fit.result.outputs)]
        w = None if fit.table.sample_weight is None else fit.table.sample_weight[: len(labels)]
        temperature = calibration.fitted_temperature(outputs, labels, w)
        log_loss = calibration.log_loss(calibration.at_temperature(outputs, temperature), labels, w)
        self._take(fit)
        self.classes_, self.temperature_, self.log_loss_ = classes, temperature, log_loss
        return self

    def predict_proba(self, X: Any) -> Array:
        """Calibrated probabilities of the classes, in the order of `classes_`.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_features)
            With the columns of training, in any order if they have names.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        outputs = self._outputs(X)
        return calibration.at_temperature(outputs, self.temperature_)

    def predict(self, X: Any) -> Array:
        """The most probable class labels.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_features)
            As for `predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        outputs = self._outputs(X)
        return np.asarray(self.classes_.take(outputs.argmax(axis=1)))


@documented
@dataclass(eq=False, repr=False)
class TabularRegressor(RegressorMixin, _Tabular):
    """A regression for tables: numbers, categories, dates and missing values, as they are.

    An ensemble of small nets, as `TabularClassifier`. y is standardised for training, and predictions stay within its
    range there.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    y_mean_, y_scale_ : float
        What y is standardised by: its mean and its standard deviation, of rows with a weight above 0.
    y_range_ : (float, float)
        The least and the largest y of these rows.
    errors_ : ndarray of shape (n,)
        How far from y the answers for the held-out rows were, in order.
    history_ : History
        The mean training loss of the members, and the loss of the held-out rows after each epoch: half the squared
        error of the standardised y.
    best_epoch_ : int
        The epoch whose nets these are, counted from 1: that of the least error of held-out rows.
    feature_importances_ : ndarray of shape (n_features,)
        By how much the squared error of held-out rows grows, as a share of the variance of y, where a column's values
        stand in the rows of others.
    members_, encoder_, n_features_in_, feature_names_in_
        As for `TabularClassifier`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from fastmlp import TabularRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = TabularRegressor(random_state=0).fit(X, y)
    >>> low, high = model.predict_interval(X[:1], 0.9)[0]
    >>> bool(low < model.predict(X[:1])[0] < high)
    True
    """

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, time_limit: float | None = None
    ) -> "TabularRegressor":
        """Train.

        Parameters
        ----------
        X, sample_weight, time_limit
            As for `TabularClassifier.fit`.
        y : array-like of shape (n_samples,)
            Numbers between -1e300 and 1e300; none may be missing.

        Returns
        -------
        TabularRegressor
            Itself.

        Raises
        ------
        ValueError, TypeError
            If an argument cannot be used; the message names the column, or the row of y. The estimator is as it was.
        """
        check_parameters(self)
        y = _numbers(y)
        weighted = _Weighted.by(sample_weight, len(y))
        given = weighted.of(y)
        mean, scale, targets = _standardised(given)
        fit = self._trained(X, y, targets, 1, weighted, time_limit)
        errors = np.abs(fit.result.outputs - fit.table.targets[: len(fit.result.outputs)], dtype=np.float64)
        self._take(fit)
        self.y_mean_, self.y_scale_, self.y_range_ = mean, scale, (float(given.min()), float(given.max()))
        self.errors_ = np.sort(errors[:, 0]) * scale
        return self

    def predict(self, X: Any) -> Array:
        """Numbers, within the range of y in training.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_features)
            As for `TabularClassifier.predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        outputs = self._outputs(X)[:, 0]
        predicted: Array = np.clip(self.y_mean_ + self.y_scale_ * outputs, *self.y_range_)
        return predicted

    def predict_interval(self, X: Any, coverage: float = 0.9) -> Array:
        """Intervals that hold the target of so many further rows like those of training.

        They are as wide for all rows: by the errors on held-out rows (as in split conformal prediction, Vovk et al.
        2005), each that of the member which has not learned from the row. The mean of the members is somewhat nearer
        than one of them, so that rather more rows are held than fewer. All rows of a weight above 0 count alike.

        Parameters
        ----------
        X : frame or array-like of shape (n_samples, n_features)
        coverage : float
            The share of rows, above 0 and below 1.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Where each begins and ends.

        Raises
        ------
        ValueError
            If coverage is no such number, or so near to 1 that the held-out rows are too few to tell.
        """
        check_is_fitted(self)
        checks.number("coverage", coverage, above=0, below=1)
        half = calibration.half_width(self.errors_, coverage)
        if half == math.inf:
            most = len(self.errors_) / (len(self.errors_) + 1)
            raise ValueError(
                f"coverage is {coverage}, and {len(self.errors_)} rows were held out, which tell of {most:.4g}"
            )
        centre = self.predict(X)
        return np.stack([centre - half, centre + half], axis=1)


def _generator(random_state: Any) -> np.random.Generator:
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**32, size=4, dtype=np.uint64)
    return np.random.default_rng(random_state)


def _importances(
    table: Table, result: Members, columns: list[Array], threads: int, rng: np.random.Generator
) -> Array:  # fmt: skip
    """By how much the loss of held-out rows grows without each feature, which has become these columns."""

    def answer(fold: int, rows: Array) -> Array:
        return _answered(result.nets[fold], rows, threads)

    def loss(outputs: Array, at: Array) -> float:
        targets, weights = table.targets[at], None if table.sample_weight is None else table.sample_weight[at]
        if table.classifies:
            return calibration.log_loss(outputs, targets, weights)
        return float(np.average(np.square(outputs - targets, dtype=np.float64)[:, 0], weights=weights))

    folds = pairwise(table.starts[: len(result.nets) + 1])
    return calibration.importances([table.X[a:b] for a, b in folds], answer, loss, columns, rng)


def _answered(net: MLP, encoded: Array, threads: int) -> Array:
    """The outputs of a net for what an encoder has written, on so many threads; `MLP.predict` has those of all."""
    outputs = net._network.forward(encoded, None, threads, True)
    assert outputs is not None  # what an encoder has written is used as it is
    return outputs


def _one_a_row(y: Any) -> Array:
    if y is None:
        raise ValueError("y is None; it requires y to be passed, but the target y is None")
    if isinstance(y, np.ma.MaskedArray) and (holes := np.ma.getmaskarray(y).ravel()).any():
        raise ValueError(f"y[{int(holes.argmax())}] is masked; expected a target in each row")
    targets: Array = column_or_1d(y, warn=True)
    if not len(targets):
        raise ValueError("y has 0 rows (0 sample(s)); expected a target for each row of X")
    if np.ma.is_masked(y):
        raise ValueError(
            f"y[{int(np.ma.getmaskarray(y).ravel().argmax())}] is masked; expected a target for each row of X"
        )
    return targets


def _refuse(bad: Array, y: Array, what: str, expected: str) -> None:
    """Name the first row of y that is bad."""
    if bad.any():
        at = int(bad.argmax())
        raise ValueError(f"y[{at}] is {y[at]} (Input y contains {what}); expected {expected} in each row")


def _labels(y: Any) -> Array:
    """Class labels (m,)."""
    labels = _one_a_row(y)
    if labels.dtype.kind in "fMm":
        _refuse(~np.isfinite(labels), labels, "NaN or infinity", "a label")
    else:
        # Of NaN and of numbers among strings in a list NumPy makes strings.
        as_given = labels if hasattr(y, "dtype") else np.array(y, object).ravel()
        each = as_given.tolist()
        _refuse(np.array([estimator_data.is_missing(label) for label in each], bool), as_given, "NaN", "a label")
        if labels.dtype.kind in "OU":
            for label in each:
                if not isinstance(label, str):
                    raise estimator_data.no_label(label, np.dtype(object))
    check_classification_targets(labels)
    return labels


def _numbers(y: Any) -> Array:
    """Numbers (m,), float64."""
    estimator_data.refuse_dates("y", y)
    targets = _one_a_row(y)
    if targets.dtype.kind == "O":
        _refuse(
            np.array([estimator_data.is_missing(one) for one in targets.tolist()], bool), targets, "NaN", "a number"
        )
    values = estimator_data.numbers(targets, False)
    if values.dtype.kind == "c":
        raise ValueError("Complex data not supported: y is complex; expected real numbers")
    with np.errstate(over="ignore"):  # of longer numbers
        values = values.astype(np.float64)
    _refuse(~np.isfinite(values), values, "NaN or infinity", "a number")
    _refuse(np.abs(values) > MOST, values, "a value too large", f"a number from {-MOST:g} to {MOST:g}")
    return values


def _standardised(y: Array) -> tuple[float, float, Array]:
    """The mean of y (m,), its standard deviation, or 1 if y is constant, and (y - mean) / deviation (m, 1), float32.

    They are computed of y divided by a power of two, so that no square leaves the range of float64.
    """
    if y.min() == y.max():  # whose mean may be another number, by rounding
        return float(y[0]), 1.0, np.zeros((len(y), 1), np.float32)
    exponent = np.frexp(np.abs(y).max())[1]
    y = np.ldexp(y, -exponent)
    mean, deviation = y.mean(), y.std()
    targets = ((y - mean) / deviation).astype(np.float32)[:, None]
    return float(np.ldexp(mean, exponent)), float(np.ldexp(deviation, exponent)) or 1.0, targets
