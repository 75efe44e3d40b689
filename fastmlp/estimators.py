"""MLPClassifier and MLPRegressor: scikit-learn's estimators of these names, on fastmlp's core.

How they differ from scikit-learn's is in docs/coming-from-scikit-learn.md; what they share, in estimator_base.py.
Here is what a task makes different: labels and probabilities of the one, numbers of the other.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix, issparse
from scipy.special import log_softmax
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from fastmlp import estimator_data
from fastmlp.estimator_base import CompiledMLP, partial_fit_available
from fastmlp.estimator_parameters import ClassifierParameters, RegressorParameters, documented
from fastmlp.formulas import Array
from fastmlp.onnx_converters import register_with_skl2onnx

__all__ = ["MLPClassifier", "MLPRegressor"]

_ROUNDED = 1e-3  # how far from 1 the sum of a row of probabilities may be, as of float16 or of printed ones


@documented
@dataclass(eq=False, repr=False)
class MLPClassifier(ClassifierMixin, CompiledMLP, ClassifierParameters):
    """scikit-learn's MLPClassifier on fastmlp's core: the same results with the same parameters, faster, and more.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels.
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer: what is written into them counts.
    out_activation_ : str
        "softmax" for three classes or more, "logistic" for two and for several labels.
    n_features_in_, n_outputs_, n_layers_ : int
        Columns of X; outputs of the net: 1 for two classes; layers, that of the inputs included.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of X, where they are strings.
    n_iter_, t_ : int
        Epochs or iterations of the last fit; samples that training has seen.
    loss_, best_loss_ : float
        The loss of the last epoch, and the least, which is None with early_stopping.
    loss_curve_, validation_curve_ : list of float
        The training loss of each epoch, and the loss on eval_set or on the rows that early stopping holds back.
    validation_scores_ : list of float
        The scores that early stopping or eval_metric computed; None without.
    best_validation_score_ : float
        The best of them; None without.
    x_scaler_ : transformer
        The fitted scaler of `scale`.

    Examples
    --------
    >>> from fastmlp import MLPClassifier
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> model = MLPClassifier((8,), solver="lbfgs", activation="tanh", random_state=0).fit(X, y)
    >>> model.predict(X).tolist()
    [0, 1, 1, 0]
    """

    loss: ClassVar[str] = "log_loss"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        eval_set: Any = None,
        *,
        classes: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        checkpoint: Any = None,
        checkpoint_every: Any = None,
    ) -> "MLPClassifier":
        """Train.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels; or 0 and 1 for each of several labels; or, with `classes`, probabilities: floats that sum
            to 1 in each row.
        sample_weight, eval_set, X_val, y_val, sample_weight_val, checkpoint, checkpoint_every
            As for `MLPRegressor.fit`.
        classes : array-like of shape (n_classes,), optional
            All labels, of which y need not have each; or those that the columns of probabilities belong to.

        Returns
        -------
        MLPClassifier
            Itself.

        Raises
        ------
        ValueError, TypeError, RuntimeError, OSError
            As for `MLPRegressor.fit`.
        """
        validation = eval_set, X_val, y_val, sample_weight_val
        checkpoints = checkpoint, checkpoint_every
        self._fit(X, y, sample_weight, validation, classes=classes, checkpoints=checkpoints)
        return self

    @partial_fit_available
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> "MLPClassifier":
        """Train on, for one epoch over these samples.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array-like of shape (n_classes,), optional
            All labels: wanted by the first call, of which y need not have each.

        Returns
        -------
        MLPClassifier
            Itself.
        """
        self._fit(X, y, sample_weight, incremental=True, classes=classes)
        return self

    # labels

    def _read(self, X: Any, y: Any, incremental: bool, reset: bool, classes: Any) -> tuple[Any, Any]:
        anew = reset or "classes_" not in self.__dict__
        if incremental and anew and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if not anew and classes is not None and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {self.classes_!r}"
            )
        X, y = self._read_both(X, y, reset)
        if self._are_probabilities(y, anew, classes):
            return X, self._read_probabilities(y, classes, anew)
        several = y.ndim == 2
        if not self._is_masked(y):
            kind = type_of_target(y)
            if several and not kind.startswith("multilabel"):
                raise ValueError(
                    "Multioutput target data is not supported with label binarization. y has several columns; "
                    "expected one of labels, or 0 and 1 in each"
                )
            if kind == "unknown":
                raise estimator_data.no_label(y.flat[0], y.dtype)
            check_classification_targets(y)
        if anew:
            known = np.arange(y.shape[1]) if several else unique_labels(y)
            self.classes_ = known if classes is None else unique_labels(classes)
            self.out_activation_ = "softmax" if not several and len(self.classes_) > 2 else "logistic"
            self._sparse_labels = issparse(y)
            self._columns_of_y: Array | None = None  # whose probabilities they are, where y has some
        return X, self._coded(y, self.warm_start and not anew and classes is None)

    def _looked_at(self, y: Any, masked: bool) -> Any:
        if not masked:
            estimator_data.refuse_missing(y)
        return y

    def _coded(self, y: Any, wants_all: bool) -> Array:
        """The places of labels in `classes_` (n,), or 0 and 1 (n, n_outputs) for several labels."""
        if y.ndim == 2:
            return self._several(y)
        labels = unique_labels(y)
        if wants_all and set(labels) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                f"Previously got {self.classes_}, `y` has {labels}"
            )
        try:
            unknown = np.setdiff1d(labels, self.classes_, assume_unique=True)
        except TypeError:  # labels that cannot be compared
            unknown = labels
        if len(unknown):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y' has {labels}."
            )
        codes: Array = np.searchsorted(self.classes_, y)
        return codes.astype(np.int64, copy=False)

    def _several(self, y: Any) -> Array:
        values = np.unique(y.data if issparse(y) else y)
        values = values[~np.isnan(values.astype(float))]
        if not np.isin(values, (0, 1)).all():
            raise ValueError(
                f"y has {y.shape[1]} columns, one for each label, with values {values[:5].tolist()}; expected 0 and 1"
            )
        rows: Array = y.toarray() if issparse(y) else y
        return rows if self._is_masked(rows) else rows.astype(bool)

    def _are_probabilities(self, y: Any, anew: bool, classes: Any) -> bool:
        """Whether rows are probabilities of classes, and not 0 and 1 for each of so many labels."""
        if y.ndim != 2 or issparse(y):
            return False
        if not anew:
            if self.out_activation_ != "softmax" and self.n_outputs_ > 1:
                return False
            if classes is None and self.__dict__.get("_columns_of_y") is None:
                raise ValueError(
                    f"The object was not fitted with multilabel input. y has shape {y.shape}; expected a label for "
                    "each row, or probabilities and, in classes, whose they are"
                )
            return True
        if classes is None or y.dtype.kind != "f":
            return False
        are_labels = (np.isin(y, (0, 1)) | np.isnan(y)).all()
        return bool(not are_labels or (y.sum(axis=1) == 1).all())

    def _read_probabilities(self, y: Array, classes: Any, anew: bool) -> Array:
        """Rows of probabilities, in the order of `classes_`; of two classes, that of the second."""
        given: Array = np.asarray(self._columns_of_y if classes is None else classes)
        if given.ndim != 1 or len(np.unique(given)) != len(given) or len(given) != y.shape[1]:
            raise ValueError(f"classes is {classes!r}, and y has {y.shape[1]} columns; expected a label for each")
        if self.class_weight is not None:
            raise ValueError("class_weight is given, and y has probabilities; expected weights in sample_weight")
        y = y.astype(np.float64)
        good = (y >= 0).all(axis=1) & (abs(y.sum(axis=1) - 1) <= _ROUNDED)
        if not good.all():
            at = int(np.argmin(good))
            raise ValueError(f"y[{at}] is {y[at].tolist()}; expected probabilities, which are >= 0 and sum to 1")
        if anew:
            self.classes_ = np.sort(given)
            self.out_activation_ = "softmax" if len(given) > 2 else "logistic"
            self._sparse_labels = False
        self._columns_of_y = given  # in whose order later rows come, and those of the validation data
        y = y[:, np.argsort(given)]
        return y if self.out_activation_ == "softmax" else y[:, 1:]

    def _outputs_for(self, y: Array) -> int:
        return len(self.classes_) if self.out_activation_ == "softmax" else super()._outputs_for(y)

    def _read_like_fit(self, X: Any, y: Any) -> tuple[Any, Any]:
        X, y = super()._read_like_fit(X, y)
        if self._are_probabilities(y, False, None):
            return X, self._read_probabilities(y, None, False)
        try:
            return X, self._coded(y, False)
        except ValueError as problem:
            raise ValueError(f"y does not go with y of fit: {problem}") from None

    def _with_class_weights(self, y: Array, w: Array | None, incremental: bool) -> Array | None:
        given = self.class_weight
        if given is None:
            return w
        if incremental and isinstance(given, str):
            raise ValueError("class_weight is 'balanced', which partial_fit cannot know; expected a dict")
        several, is_list = y.ndim == 2, not isinstance(given, (str, dict))
        if several and isinstance(given, dict):
            raise ValueError(
                "For multi-output, class_weight should be a list of dicts, or the string 'balanced'. class_weight is "
                f"{given!r}, and y has {y.shape[1]} labels; expected a list of so many dicts such as {{0: 1, 1: 5}}"
            )
        if is_list and (not several or len(list(given)) != y.shape[1] or not all(type(d) is dict for d in given)):
            raise ValueError(f"class_weight is {given!r}; expected a dict, or, for several labels, one for each")
        weight = np.ones(len(y))
        columns = [*y.T] if several else [self.classes_[y]]
        for labels, of_class in zip(columns, given if is_list else [given] * len(columns), strict=True):
            known = slice(None) if not self._is_masked(y) else ~np.isnan(labels)  # one that is missing has weight 1
            if incremental:  # not all classes need be among the rows
                of_class = {label: of_class.get(label, 1.0) for label in np.unique(labels[known])}
            try:
                weight[known] *= compute_sample_weight(of_class, labels[known])
            except (ValueError, TypeError) as problem:
                raise ValueError(f"class_weight is {self.class_weight!r}: {problem}") from None
        if not np.isfinite(weight).all() or weight.min() < 0 or (weight.max() == 0 and not incremental):
            raise ValueError(f"class_weight is {self.class_weight!r}; expected weights >= 0, not all of them 0")
        if w is None or incremental:  # whose rows may all be of classes without weight
            return weight if w is None else weight * w
        return estimator_data.not_negative("sample_weight", weight * w)

    def _strata(self, y: Array) -> Array | None:
        """The labels that early stopping holds back in proportion; None if it does not."""
        if y.ndim == 2:
            return None
        if self.out_activation_ == "softmax":
            held_out = int(np.ceil(self.validation_fraction * len(y)))
            counts = np.bincount(y)
            if counts[counts > 0].min() < 2 or np.count_nonzero(counts) > min(held_out, len(y) - held_out):
                return None
        strata: Array = self.classes_[y]
        return strata

    def _stops_by_loss(self) -> bool:
        return bool(self.missing_targets == "mask")

    def _score_of(self, outputs: Array, y: Array, w: Array | None) -> float:
        """The accuracy."""
        if self.out_activation_ == "softmax":
            right = outputs.argmax(axis=1) == (y if y.ndim == 1 else y.argmax(axis=1))
        else:
            right = ((outputs > 0.5) == (y.reshape(outputs.shape) > 0.5)).all(axis=1)
        return float(np.average(right, weights=w))

    # prediction

    def predict(self, X: Any) -> Any:
        """Class labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples. An array that the core can read as it stands takes a shorter way.

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, n_classes) of 0 and 1 for several labels, sparse if y was
        """
        outputs = self._outputs(X)
        if self.out_activation_ == "softmax":
            return np.asarray(self.classes_).take(outputs.argmax(axis=1))
        yes = outputs > 0.5
        if outputs.shape[1] == 1 and len(self.classes_) <= 2:
            return np.asarray(self.classes_).take(yes.ravel().astype(np.intp), mode="clip")
        labels = yes.astype(int)
        return csr_matrix(labels) if self.__dict__.get("_sparse_labels") else labels

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, in the order of `classes_`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Of several labels, that each one holds.
        """
        outputs = self._outputs(X)
        if outputs.shape[1] > 1:
            return outputs
        if len(self.classes_) == 1:
            return np.ones_like(outputs)
        return np.hstack((1 - outputs, outputs))

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities, from the last layer's net input: finite where that is.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        z = self._outputs(X, logits=True)
        if len(self.classes_) == 1:
            return np.zeros_like(z)
        if self.out_activation_ == "softmax":
            return np.asarray(log_softmax(z, axis=1))
        if z.shape[1] == 1:
            z = np.hstack((-z, z))
        # log p of a p near 1 is rounded as p is, so that what is equally probable stays so.
        small = np.exp(-np.abs(z))
        return np.where(z < 0, z - np.log1p(small), -np.log(1 + small))

    def decision_function(self, X: Any) -> Array:
        """The net input of the last layer, from which the probabilities are made; for calibration, for example.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, positive for the second; else (n_samples, n_classes)
        """
        z = self._outputs(X, logits=True)
        return z.ravel() if z.shape[1] == 1 else z


@documented
@dataclass(eq=False, repr=False)
class MLPRegressor(RegressorMixin, CompiledMLP, RegressorParameters):
    """scikit-learn's MLPRegressor on fastmlp's core: the same results with the same parameters, faster, and more.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer: what is written into them counts.
    out_activation_ : str
        "identity", or "exp" for loss="poisson".
    x_scaler_, y_scaler_ : transformer
        The fitted scalers of `scale`.
    n_features_in_, n_outputs_, n_layers_, feature_names_in_, n_iter_, t_, loss_, best_loss_, loss_curve_, \
validation_curve_, validation_scores_, best_validation_score_
        As for `MLPClassifier`.

    Examples
    --------
    >>> from fastmlp import MLPRegressor
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> model = MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", activation="tanh", random_state=0).fit(X, y)
    >>> abs(model.predict(X).round(1)).tolist()
    [0.0, 1.0, 1.0, 0.0]
    """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags

    @partial_fit_available
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> "MLPRegressor":
        """Train on, for one epoch over these samples.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        MLPRegressor
            Itself.
        """
        self._fit(X, y, sample_weight, incremental=True)
        return self

    def _read(self, X: Any, y: Any, incremental: bool, reset: bool, classes: Any) -> tuple[Any, Any]:
        output = "exp" if self.loss == "poisson" else "identity"
        if not reset and self.out_activation_ != output:
            raise ValueError(
                f"loss is {self.loss!r}, which has the output {output!r}; the fitted net, with which warm_start and "
                f"partial_fit go on, has {self.out_activation_!r}"
            )
        self.out_activation_ = output
        if not reset and "feature_names_in_" not in self.__dict__ and self._is_ready(X, y):
            return X, y
        return self._read_both(X, y, reset)

    def _is_ready(self, X: Any, y: Any) -> bool:
        """Whether scikit-learn's look at them would give them back, as the core knows in a hundredth of the time."""
        network = self._network()
        if type(X) is not np.ndarray or type(y) is not np.ndarray or not X.dtype == y.dtype == network.dtype:
            return False
        return X.ndim == 2 and y.shape == X.shape[:1] and network.sizes[-1] == 1 and network.ready(X, y) is not None

    def _looked_at(self, y: Any, masked: bool) -> Any:
        return estimator_data.numbers(y, masked)

    def _strata(self, y: Array) -> None:
        return None

    def _stops_by_loss(self) -> bool:
        return bool(self.loss != "squared_error" or self.missing_targets == "mask")

    def _score_of(self, outputs: Array, y: Array, w: Array | None) -> float:
        """R²."""
        return float(r2_score(y.reshape(outputs.shape), outputs, sample_weight=w))

    def predict(self, X: Any) -> Array:
        """Predicted numbers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples. An array that the core can read as it stands takes a shorter way.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the precision of the net, and in float64 where `scale` scales y.
        """
        outputs = self._outputs(X)
        return outputs if outputs.shape[1] > 1 else outputs.ravel()


register_with_skl2onnx()
