"""MLPClassifier and MLPRegressor: scikit-learn's estimators of these names, on fastmlp's core.

How they differ from scikit-learn's is in docs/coming-from-scikit-learn.md; what they share, in estimator_base.py.
"""

from numbers import Real
from typing import Any

import numpy as np
from sklearn import neural_network
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight

from fastmlp.estimator_base import CompiledMLP
from fastmlp.formulas import Array

__all__ = ["MLPClassifier", "MLPRegressor"]


def _set(estimator: CompiledMLP, arguments: dict[str, Any]) -> None:
    """Keep the arguments of a constructor under their names, as scikit-learn wants it."""
    estimator.__dict__.update({name: value for name, value in arguments.items() if name != "self"})


class MLPClassifier(CompiledMLP, neural_network.MLPClassifier):
    """scikit-learn's MLPClassifier on fastmlp's core: the same results with the same parameters, faster, and more.

    Parameters
    ----------
    hidden_layer_sizes, ..., max_fun
        As in `sklearn.neural_network.MLPClassifier` 1.9, with the same defaults. activation is one name or one for
        each hidden layer, of fastmlp's besides; solver may be adamw or rmsprop, too.
    class_weight : dict or "balanced", default=None
        Weights of the classes, multiplied into sample_weight; "balanced" is inverse to how often a class occurs.
    n_layers, width : int, default=None
        Instead of hidden_layer_sizes: so many hidden layers (1) of so many neurons (100), two numbers for a tuner.
    dropout : float or list of float, default=0.0
        Share of each hidden layer's activations that training drops, in [0, 1): one number, or one a layer.
    l1 : float, default=0.0
        l1 * sign(W) is added to the gradient of the weights.
    weight_decay : float, default=None
        Of the solvers adamw (None: 0.01) and rmsprop (0), beside alpha, which is a part of the loss.
    clip_norm : float, default=None
        The norm that the gradient of a batch has at most.
    schedule : {"constant", "cosine", "step", "one_cycle"} or callable, default=None
        By what factor the learning rate of each step is multiplied over max_iter epochs: see `fastmlp.schedules`. All
        of them are gone through, unless early_stopping ends them; partial_fit takes none.
    max_time : float, default=None
        Seconds after which training ends.
    callbacks, batch_callbacks : callable or list of callable, default=None
        Called as callback(estimator, history) after each epoch (iteration of lbfgs), and after each batch, with the
        `fastmlp.History` so far; a true answer stops.
    progress : bool or "tqdm", default=False
        Whether to show a line on standard error, or a bar of tqdm where it is installed.
    eval_metric : str or callable, default=None
        Any scorer of scikit-learn, to be computed on the eval_set of `fit` after each epoch.
    scale : {"standard", "quantile"}, default=None
        How `fit` scales X, and prediction alike: to mean 0 and variance 1, or to a normal distribution. A
        sparse X becomes dense by it.
    initial_weights : (list of ndarray, list of ndarray), default=None
        coefs and intercepts to start from.
    n_threads : int, default=None
        Threads at most; None for `fastmlp.get_num_threads()`. The results are the same.

    Attributes
    ----------
    loss_curve_, validation_curve_ : list of float
        The training loss of each epoch, and the loss on eval_set or on the rows that early stopping holds back.
    validation_scores_ : list of float
        The scores that early stopping or eval_metric computed; None without.
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer: what is written into them counts.
    x_scaler_ : transformer
        The fitted scaler of `scale`.

    All others are those of scikit-learn.

    Examples
    --------
    >>> from fastmlp import MLPClassifier
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> model = MLPClassifier((8,), solver="lbfgs", activation="tanh", random_state=0).fit(X, y)
    >>> model.predict(X).tolist()
    [0, 1, 1, 0]
    """

    _parameter_constraints = (
        neural_network.MLPClassifier._parameter_constraints
        | CompiledMLP._parameter_constraints
        | {"class_weight": [dict, StrOptions({"balanced"}), None]}
    )

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: Any = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: Any = 0.001,
        power_t: Any = 0.5,
        max_iter: Any = 200,
        shuffle: Any = True,
        random_state: Any = None,
        tol: Any = 1e-4,
        verbose: Any = False,
        warm_start: Any = False,
        momentum: Any = 0.9,
        nesterovs_momentum: Any = True,
        early_stopping: Any = False,
        validation_fraction: Any = 0.1,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: Any = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: Any = 15000,
        class_weight: Any = None,
        n_layers: Any = None,
        width: Any = None,
        dropout: Any = 0.0,
        l1: Any = 0.0,
        weight_decay: Any = None,
        clip_norm: Any = None,
        schedule: Any = None,
        max_time: Any = None,
        callbacks: Any = None,
        batch_callbacks: Any = None,
        progress: Any = False,
        eval_metric: Any = None,
        scale: Any = None,
        initial_weights: Any = None,
        n_threads: Any = None,
    ) -> None:
        _set(self, locals())
        self.loss = "log_loss"

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, eval_set: Any = None) -> "MLPClassifier":
        """Train.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels, or 0 and 1 for each of several labels.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples.
        eval_set : (X, y), optional
            Data to measure after each epoch: the loss goes to `validation_curve_`, eval_metric to
            `validation_scores_`. The fit ends with the weights that were best by eval_metric, or else by that loss;
            with early_stopping it is this set that decides, and no rows of X are split off.

        Returns
        -------
        MLPClassifier
            Itself.
        """
        self._fit(X, y, sample_weight, False, eval_set)
        return self

    def _weighted(self, y: Array, sample_weight: Array | None, incremental: bool) -> Array | None:
        if self.class_weight is None:
            return sample_weight
        if incremental and self.class_weight == "balanced":
            raise ValueError("class_weight is 'balanced', which partial_fit cannot know; expected a dict")
        weight, labels = self.class_weight, self._label_binarizer.inverse_transform(y)
        if incremental:  # where not all classes need be among the rows
            weight = {label: weight.get(label, 1.0) for label in np.unique(labels)}
        weight = np.asarray(compute_sample_weight(weight, labels), np.float64)
        if not np.isfinite(weight).all() or weight.min() < 0 or weight.max() == 0:
            raise ValueError(f"class_weight is {self.class_weight!r}; expected weights >= 0, not all of them 0")
        return np.asarray(weight if sample_weight is None else weight * sample_weight)

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
        if outputs is None:
            return super().predict(X)
        if self.out_activation_ == "softmax":
            return self.classes_.take(outputs.argmax(axis=1))
        if self.n_outputs_ == 1 and len(self.classes_) == 2:
            return self.classes_.take((outputs.ravel() > 0.5).astype(np.intp))
        return self._label_binarizer.inverse_transform(outputs)

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, in the order of `classes_`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        outputs = self._outputs(X)
        if outputs is None:
            return np.asarray(super().predict_proba(X))
        return outputs if self.n_outputs_ > 1 else np.hstack((1 - outputs, outputs))


class MLPRegressor(CompiledMLP, neural_network.MLPRegressor):
    """scikit-learn's MLPRegressor on fastmlp's core: the same results with the same parameters, faster, and more.

    Parameters
    ----------
    loss : str, default="squared_error"
        squared_error or poisson as in scikit-learn, or absolute_error, huber, log_cosh or quantile.
    hidden_layer_sizes, ..., max_fun
        As in `sklearn.neural_network.MLPRegressor` 1.9, with the same defaults. activation is one name or one for
        each hidden layer, of fastmlp's besides; solver may be adamw or rmsprop, too.
    quantile : float, default=0.5
        Which quantile loss="quantile" estimates, between 0 and 1.
    huber_delta : float, default=1.0
        From which error on loss="huber" is linear.
    n_layers, width : int, default=None
        Instead of hidden_layer_sizes: so many hidden layers (1) of so many neurons (100), two numbers for a tuner.
    dropout : float or list of float, default=0.0
        Share of each hidden layer's activations that training drops, in [0, 1): one number, or one a layer.
    l1 : float, default=0.0
        l1 * sign(W) is added to the gradient of the weights.
    weight_decay : float, default=None
        Of the solvers adamw (None: 0.01) and rmsprop (0), beside alpha, which is a part of the loss.
    clip_norm : float, default=None
        The norm that the gradient of a batch has at most.
    schedule : {"constant", "cosine", "step", "one_cycle"} or callable, default=None
        By what factor the learning rate of each step is multiplied over max_iter epochs: see `fastmlp.schedules`. All
        of them are gone through, unless early_stopping ends them; partial_fit takes none.
    max_time : float, default=None
        Seconds after which training ends.
    callbacks, batch_callbacks : callable or list of callable, default=None
        Called as callback(estimator, history) after each epoch (iteration of lbfgs), and after each batch, with the
        `fastmlp.History` so far; a true answer stops.
    progress : bool or "tqdm", default=False
        Whether to show a line on standard error, or a bar of tqdm where it is installed.
    eval_metric : str or callable, default=None
        Any scorer of scikit-learn, to be computed on the eval_set of `fit` after each epoch.
    scale : {"standard", "quantile"}, default=None
        How `fit` scales X and y, and prediction alike and back: to mean 0 and variance 1, or to a normal
        distribution. y is left as it is with loss="poisson". A sparse X becomes dense by it.
    initial_weights : (list of ndarray, list of ndarray), default=None
        coefs and intercepts to start from.
    n_threads : int, default=None
        Threads at most; None for `fastmlp.get_num_threads()`. The results are the same.

    Attributes
    ----------
    loss_curve_, validation_curve_ : list of float
        The training loss of each epoch, and the loss on eval_set or on the rows that early stopping holds back.
    validation_scores_ : list of float
        The scores that early stopping or eval_metric computed; None without.
    coefs_, intercepts_ : list of ndarray
        Weights (n_in, n_out) and biases (n_out,) of each layer: what is written into them counts.
    x_scaler_, y_scaler_ : transformer
        The fitted scalers of `scale`.

    All others are those of scikit-learn.

    Examples
    --------
    >>> from fastmlp import MLPRegressor
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> model = MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", activation="tanh", random_state=0).fit(X, y)
    >>> abs(model.predict(X).round(1)).tolist()
    [0.0, 1.0, 1.0, 0.0]
    """

    _parameter_constraints = (
        neural_network.MLPRegressor._parameter_constraints
        | CompiledMLP._parameter_constraints
        | {
            "loss": [StrOptions({"squared_error", "poisson", "absolute_error", "huber", "log_cosh", "quantile"})],
            "quantile": [Interval(Real, 0, 1, closed="neither")],
            "huber_delta": [Interval(Real, 0, None, closed="neither")],
        }
    )

    def __init__(
        self,
        loss: Any = "squared_error",
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: Any = 0.0001,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: Any = 0.001,
        power_t: Any = 0.5,
        max_iter: Any = 200,
        shuffle: Any = True,
        random_state: Any = None,
        tol: Any = 1e-4,
        verbose: Any = False,
        warm_start: Any = False,
        momentum: Any = 0.9,
        nesterovs_momentum: Any = True,
        early_stopping: Any = False,
        validation_fraction: Any = 0.1,
        beta_1: Any = 0.9,
        beta_2: Any = 0.999,
        epsilon: Any = 1e-8,
        n_iter_no_change: Any = 10,
        max_fun: Any = 15000,
        quantile: Any = 0.5,
        huber_delta: Any = 1.0,
        n_layers: Any = None,
        width: Any = None,
        dropout: Any = 0.0,
        l1: Any = 0.0,
        weight_decay: Any = None,
        clip_norm: Any = None,
        schedule: Any = None,
        max_time: Any = None,
        callbacks: Any = None,
        batch_callbacks: Any = None,
        progress: Any = False,
        eval_metric: Any = None,
        scale: Any = None,
        initial_weights: Any = None,
        n_threads: Any = None,
    ) -> None:
        _set(self, locals())

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, eval_set: Any = None) -> "MLPRegressor":
        """Train.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers to predict.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples.
        eval_set : (X, y), optional
            As for `MLPClassifier.fit`.

        Returns
        -------
        MLPRegressor
            Itself.
        """
        self._fit(X, y, sample_weight, False, eval_set)
        return self

    def _are_ready(self, X: Any, y: Any) -> bool:
        network = self._network()
        if type(X) is not np.ndarray or type(y) is not np.ndarray or not X.dtype == y.dtype == network.dtype:
            return False
        return X.ndim == 2 and y.shape == X.shape[:1] and self.n_outputs_ == 1 and network.ready(X, y) is not None

    def predict(self, X: Any) -> Array:
        """Predicted numbers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples. An array that the core can read as it stands takes a shorter way.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        outputs = self._outputs(X)
        if outputs is None:
            return np.asarray(super().predict(X))
        return outputs if self.n_outputs_ > 1 else outputs.ravel()
