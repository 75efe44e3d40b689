"""What the estimators share: scikit-learn's MLP with fastmlp's core below it.

They are subclasses of scikit-learn's own. Its parameters and their checks, labels, tags, metadata routing and the
attributes of a fitted estimator are inherited, so that they are the same by construction; what takes the time is
replaced: training (estimator_training.py) and the forward pass.

`coefs_` and `intercepts_` are views of a Network's parameters. The Network is made when it is needed, and again when
somebody has put other arrays there; it is no part of what is pickled, but the state of its optimizer is.
"""

import operator
from collections.abc import Iterable
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, is_classifier
from sklearn.neural_network._multilayer_perceptron import BaseMultilayerPerceptron
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastmlp import builds, checks, formulas
from fastmlp import schedules as rate_schedules
from fastmlp.architecture import Architecture
from fastmlp.estimator_training import fit_by_batches, fit_by_lbfgs
from fastmlp.formulas import Array
from fastmlp.layout import layer_views
from fastmlp.sparse import by_rows, checked, dense
from fastmlp.threads import threads as as_threads

# scikit-learn's names where they differ from fastmlp's.
ACTIVATIONS = {"logistic": "sigmoid", "exp": "exponential"}
# The loss of the net by the estimator's; that of a classifier belongs to its output.
LOSSES = {"squared_error": "half_squared_error"}


class NetworkCache(NamedTuple):
    """The Network that holds the weights of an estimator, and what it was made for."""

    views: tuple[Array, ...] = ()  # coefs_ and intercepts_, while nobody has put others there
    architecture: Any = None
    description: Any = None  # what it was made of: to compare is faster than to check again
    build: str = ""
    network: Any = None


EMPTY = NetworkCache()

_number = Interval(Real, 0, None, closed="left")
_positive = Interval(Real, 0, None, closed="neither")
_count = Interval(Integral, 1, None, closed="left")


class CompiledMLP(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseMultilayerPerceptron):
    """What both estimators have instead of scikit-learn's loops, and what they have beyond it."""

    solver: str
    loss: Any
    coefs_: list[Array]
    intercepts_: list[Array]
    out_activation_: Any
    x_scaler_: Any
    y_scaler_: Any

    _parameter_constraints = BaseMultilayerPerceptron._parameter_constraints | {
        "activation": [StrOptions({*formulas.ACTIVATIONS, "logistic"}), "array-like"],
        "solver": [StrOptions({"lbfgs", "sgd", "adam", "adamw", "rmsprop"})],
        "n_layers": [_count, None],
        "width": [_count, None],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "l1": [_number],
        "weight_decay": [_number, None],
        "clip_norm": [_positive, None],
        "schedule": [StrOptions(set(rate_schedules.SCHEDULES)), callable, None],
        "max_time": [_positive, None],
        "callbacks": [callable, "array-like", None],
        "batch_callbacks": [callable, "array-like", None],
        "progress": ["boolean", StrOptions({"tqdm"})],
        "eval_metric": [str, callable, None],
        "scale": [StrOptions({"standard", "quantile"}), None],
        "initial_weights": ["array-like", None],
        "n_threads": [_count, None],
    }

    # the net

    def _description(self) -> dict[str, Any]:
        """The arguments of the net's Architecture but for its sizes and dtype, in fastmlp's names."""
        loss: str = getattr(self, "loss", "")
        activation, dropout = self.activation, self.dropout
        several = () if isinstance(activation, str) else tuple(ACTIVATIONS.get(name, name) for name in activation)
        return {
            "activations": ACTIVATIONS.get(activation, activation) if isinstance(activation, str) else several,
            "output": ACTIVATIONS.get(self.out_activation_, self.out_activation_),
            "loss": None if is_classifier(self) else LOSSES.get(loss, loss),
            "dropout": dropout if isinstance(dropout, Real) else tuple(dropout),
            **{name: getattr(self, name) for name in formulas.LOSS_PARAMETERS.get(loss, ())},
        }

    def _network(self, train: bool = False) -> Any:
        """The Network of the present weights; to `train`, of the present parameters, too."""
        given = (*self.coefs_, *self.intercepts_)
        cache = self.__dict__.get("_network_cache", EMPTY)
        fits = len(cache.views) == len(given) and all(a is b for a, b in zip(cache.views, given, strict=True))
        if fits and not train:
            return cache.network
        description = self._description()
        if fits and (cache.description, cache.build) == (description, builds.current()):
            return cache.network
        sizes = self._sizes(given, self.n_layers_ - 1)
        architecture = Architecture.of(sizes, dtype=given[0].dtype, **description)
        network = architecture.network(builds.network(architecture.dtype.name))
        going_on = cache.network is not None and "_optimizer" in self.__dict__
        moments = cache.network.optimizer_state if going_on else self._moments
        if moments is not None and len(moments[2]) == network.parameters.size:
            network.optimizer_state = moments
        weights, biases = layer_views(network.parameters, network.sizes, True)
        for view, array in zip((*weights, *biases), given, strict=True):
            view[...] = array
        self._publish(network, architecture, description)
        return network

    def _sizes(self, given: tuple[Array, ...], depth: int) -> tuple[int, ...]:
        """Sizes of the layers of these weights and biases, which fit each other, the features and the outputs."""
        shapes = [np.shape(array) for array in given]
        ends = [shape[-1] if shape else 0 for shape in shapes[depth:]]
        sizes = (self.n_features_in_, *ends)
        expected = [*pairwise(sizes), *((n,) for n in ends)]
        if len(given) != 2 * depth or shapes != expected or sizes[-1] != self.n_outputs_:
            raise ValueError(
                f"coefs_ and intercepts_ have shapes {shapes}; expected {depth} layers that fit each other, from "
                f"{self.n_features_in_} features to {self.n_outputs_} outputs"
            )
        return sizes

    def _publish(self, network: Any, architecture: Architecture, description: dict[str, Any]) -> None:
        """Make the weights views of a Network that holds them already, at once: other threads may be predicting."""
        weights, biases = layer_views(network.parameters, network.sizes, True)
        cache = NetworkCache((*weights, *biases), architecture, description, builds.current(), network)
        self.__dict__.update(coefs_=weights, intercepts_=biases, _network_cache=cache, _moments=None)

    def _go_on_with(self, cache: NetworkCache) -> None:
        """Keep the Network in training, though somebody has put other arrays into `coefs_`."""
        present = self._network()
        if present is not cache.network:
            cache.network.parameters[...] = present.parameters
            self._publish(cache.network, cache.architecture, cache.description)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_own_generator", None)
        cache = state.pop("_network_cache", EMPTY)
        if cache.network is not None and "_optimizer" in state:
            state["_moments"] = cache.network.optimizer_state
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.update(_network_cache=EMPTY, _moments=state.get("_moments"))

    # training

    def _check_solver(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError("partial_fit needs a solver that goes batch by batch; lbfgs does not")
        return True

    def _hidden(self) -> list[int]:
        """Sizes of the hidden layers: hidden_layer_sizes, or n_layers of `width`."""
        if self.n_layers is not None or self.width is not None:
            return [100 if self.width is None else int(self.width)] * (1 if self.n_layers is None else self.n_layers)
        sizes = self.hidden_layer_sizes
        sizes = list(sizes) if isinstance(sizes, Iterable) else [sizes]
        if any(size <= 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        return [operator.index(size) for size in sizes]

    def _fit(
        self, X: Any, y: Any, sample_weight: Any = None, incremental: bool = False, eval_set: Any = None
    ) -> "CompiledMLP":
        before = self.__dict__.copy()
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        try:
            self._fit_anew_or_on(X, y, sample_weight, incremental, eval_set, first)
        except BaseException:
            curve = self.__dict__.get("loss_curve_")
            if first and (not curve or curve is before.get("loss_curve_")):  # no epoch was made: all is as it was
                self.__dict__ = before
            raise
        return self

    def _fit_anew_or_on(
        self, X: Any, y: Any, sample_weight: Any, incremental: bool, eval_set: Any, first: bool
    ) -> None:
        hidden = self._hidden()
        X, y = self._validate_input(X, y, incremental, reset=first)
        X = checked(X)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        sample_weight = self._weighted(y, sample_weight, incremental)
        y = y.reshape(-1, 1) if y.ndim == 1 else y
        fitted = None if first else [np.size(b) for b in self.intercepts_]
        if fitted not in (None, [*hidden, y.shape[1]]):
            raise ValueError(
                f"the hidden layers are to have {hidden} neurons and y has {y.shape[1]} outputs; the layers of the "
                f"fitted net, with which warm_start and partial_fit go on, have {fitted}"
            )
        self.n_outputs_ = y.shape[1]
        self._random_state = self._generator()
        X, y = self._scaled(X, y, first)
        if first:
            self._initialize(y, [X.shape[1], *hidden, self.n_outputs_], X.dtype)
        if eval_set is not None:
            eval_set = self._read_eval_set(eval_set)
        if self.solver == "lbfgs":
            fit_by_lbfgs(self, X, y, sample_weight, eval_set)
        else:
            fit_by_batches(self, X, y, sample_weight, incremental, eval_set)
        if not self._network().is_finite():
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and need to "
                "be preprocessed."
            )

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        """X and y, looked at; where `partial_fit` goes on with arrays that are ready, by the core alone."""
        if not reset and "feature_names_in_" not in self.__dict__ and self._are_ready(X, y):
            return X, y
        looked_at: tuple[Any, Any] = super()._validate_input(X, y, incremental, reset)
        return looked_at

    def _are_ready(self, X: Any, y: Any) -> bool:
        """Whether these are what scikit-learn's look at them would give back."""
        return False

    def _generator(self) -> np.random.RandomState:
        """The generator that random_state stands for; one of our own begins again, for a new one takes 90 us."""
        own: np.random.RandomState | None = self.__dict__.get("_own_generator")
        if type(self.random_state) is not int:
            generator: np.random.RandomState = check_random_state(self.random_state)
            return generator
        if own is None:
            self._own_generator = own = check_random_state(self.random_state)
        else:
            own.seed(self.random_state)
        return own

    def _weighted(self, y: Array, sample_weight: Array | None, incremental: bool) -> Array | None:
        """The sample weights, times those of the classes."""
        return sample_weight

    def _initialize(self, y: Array, layer_units: list[int], dtype: np.dtype[Any]) -> None:
        solver, self.solver = self.solver, "lbfgs" if self.solver == "lbfgs" else "adam"
        try:
            super()._initialize(y, layer_units, dtype)  # which knows its own two stochastic solvers
        finally:
            self.solver = solver
        self.validation_curve_: list[float] = []
        if self.solver == "lbfgs":
            self.loss_curve_: list[float] = []
            self.validation_scores_ = self.best_validation_score_ = None
        self.__dict__.update(_network_cache=EMPTY, _moments=None)
        if self.initial_weights is not None:
            self._set_weights(*self._read_initial_weights())

    def _read_initial_weights(self) -> tuple[list[Array], list[Array]]:
        """(coefs, intercepts) of the shapes of this net."""
        given = list(self.initial_weights)
        if len(given) != 2:
            raise ValueError(f"initial_weights has {len(given)} elements; expected (coefs, intercepts)")
        lists = []
        for name, arrays, places in zip(("coefs", "intercepts"), given, (self.coefs_, self.intercepts_), strict=True):
            arrays = [np.asarray(array, places[0].dtype) for array in arrays]
            shapes = [array.shape for array in arrays], [place.shape for place in places]
            if shapes[0] != shapes[1]:
                raise ValueError(f"{name} of initial_weights has shapes {shapes[0]}; expected {shapes[1]}")
            if not all(np.isfinite(array).all() for array in arrays):
                raise ValueError(f"{name} of initial_weights has numbers that are not finite")
            lists.append(arrays)
        return lists[0], lists[1]

    def _weights(self) -> tuple[list[Array], list[Array]]:
        """Copies of the weights."""
        return [W.copy() for W in self.coefs_], [b.copy() for b in self.intercepts_]

    def _set_weights(self, coefs: list[Array], intercepts: list[Array]) -> None:
        for view, array in zip((*self.coefs_, *self.intercepts_), (*coefs, *intercepts), strict=True):
            view[...] = array

    def _scaled(self, X: Any, y: Array, first: bool) -> tuple[Any, Array]:
        """X and the targets of a regression as `scale` wants them, by scalers that the first call fits."""
        if self.scale is None:
            for name in ("x_scaler_", "y_scaler_"):
                self.__dict__.pop(name, None)
            return X, y
        X = dense(X)
        if first or not hasattr(self, "x_scaler_"):
            self.x_scaler_ = self._scaler(X).fit(X)
            self.y_scaler_ = None
            if not is_classifier(self) and self.loss != "poisson":
                self.y_scaler_ = self._scaler(y).fit(y)
        return self.x_scaler_.transform(X), y if self.y_scaler_ is None else self.y_scaler_.transform(y)

    def _scaler(self, array: Any) -> Any:
        if self.scale == "standard":
            scaler = StandardScaler()
        else:
            scaler = QuantileTransformer(
                n_quantiles=min(1000, array.shape[0]),
                output_distribution="normal",
                random_state=self._random_state.randint(2**31 - 1),
            )
        return scaler.set_output(transform="default")

    def _targets(self, y: Array, dtype: np.dtype[Any]) -> Array:
        """Targets as the core takes them: labels for softmax, else rows."""
        if self.out_activation_ == "softmax":
            labels: Array = y.argmax(axis=1).astype(np.int64)
            return labels
        if self.out_activation_ == "exp" and y.min() < 0:
            raise ValueError(f"y has the negative value {y.min()}; loss='poisson' expects y >= 0")
        return np.ascontiguousarray(y, dtype)

    def _read_eval_set(self, eval_set: Any) -> tuple[Any, Array, Any, Any]:
        """(X, y) as given, for a metric, and as the net sees them, for its loss."""
        if not isinstance(eval_set, (tuple, list)) or len(eval_set) != 2:
            raise ValueError("eval_set is not a pair; expected (X, y)")
        x, y = validate_data(
            self, *eval_set, accept_sparse=["csr", "csc"], multi_output=True, reset=False,
            dtype=(np.float64, np.float32), y_numeric=not is_classifier(self),
        )  # fmt: skip
        if is_classifier(self):
            unknown = np.setdiff1d(y, self.classes_ if y.ndim == 1 else y)
            if len(unknown):
                raise ValueError(f"y of eval_set has classes {unknown.tolist()}, which y of fit has not")
            y = self._label_binarizer.transform(y)
        y = y.reshape(-1, 1) if y.ndim == 1 else y
        if y.shape[1] != self.n_outputs_:
            raise ValueError(f"y of eval_set has {y.shape[1]} outputs; y of fit has {self.n_outputs_}")
        return (*eval_set, *self._scaled(checked(x), y, False))

    # prediction

    def _inputs(self, X: Any) -> Any:
        """X, looked at and scaled."""
        X = checked(validate_data(self, X, accept_sparse=["csr", "csc"], reset=False))
        if not hasattr(self, "x_scaler_"):
            return X
        return self.x_scaler_.transform(dense(X))

    def _forward_pass_fast(self, X: Any, check_input: bool = True) -> Array:
        """Outputs of all samples; with `check_input`, X is looked at and scaled, and outputs are scaled back."""
        if check_input:
            X = self._inputs(X)
        network = self._network()
        outputs: Array = network.forward(by_rows(X, network), None, as_threads(self.n_threads), True)
        if check_input and getattr(self, "y_scaler_", None) is not None:
            return np.asarray(self.y_scaler_.inverse_transform(outputs), outputs.dtype)
        return outputs

    def _outputs(self, X: Any) -> Array | None:
        """The outputs for an array that the core can read as it stands; None if X must be looked at first."""
        if type(X) is not np.ndarray or X.ndim != 2 or "feature_names_in_" in self.__dict__:
            return None
        if self.__dict__.get("_network_cache", EMPTY) is EMPTY or "x_scaler_" in self.__dict__:
            return None
        outputs: Array | None = self._network().forward(X, None, as_threads(self.n_threads))
        return outputs

    @property
    def _n_features_out(self) -> int:
        """Columns of the last `transform`, whose names scikit-learn makes."""
        if self.n_layers_ == 2:
            raise ValueError("this net has no hidden layer, so that there is nothing to name")
        return len(self.intercepts_[self._transformed_layer])

    _transformed_layer = -2

    def transform(self, X: Any, layer: int = -1) -> Array:
        """Activations of a hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        layer : int
            Which hidden layer, the first being 0; -1 is the last.

        Returns
        -------
        ndarray of shape (n_samples, neurons of that layer)

        Raises
        ------
        ValueError
            If there is no such layer.
        """
        check_is_fitted(self)
        hidden = self.n_layers_ - 2
        at = checks.layer(layer, hidden)
        if at == hidden - 1:
            self.__dict__.pop("_transformed_layer", None)
        else:
            self._transformed_layer = at
        X = self._inputs(X)
        network = self._network()
        activations: list[Array] = network.activations_of(by_rows(X, network), at, at + 1, as_threads(self.n_threads))
        return activations[0]

    def input_gradient(self, X: Any) -> Array:
        """The gradient of every output with respect to the sample: how a prediction changes with each feature.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs, n_features)
            Of what `predict` returns for a regression and `predict_proba` for a classification; without the axis of
            outputs where there is one: a number, or the probability of the second of two classes.

        Raises
        ------
        ValueError
            With scale="quantile", whose steps have no gradient.
        """
        check_is_fitted(self)
        if isinstance(getattr(self, "x_scaler_", None), QuantileTransformer):
            raise ValueError("scale is 'quantile', which has no gradient; expected 'standard' or None")
        X = self._inputs(X)
        network = self._network()
        gradients = np.empty((X.shape[0], self.n_outputs_, X.shape[1]), network.dtype)
        network.jacobian(by_rows(X, network), gradients, as_threads(self.n_threads))
        if getattr(self, "x_scaler_", None) is not None and self.x_scaler_.scale_ is not None:
            gradients /= self.x_scaler_.scale_
        if getattr(self, "y_scaler_", None) is not None and self.y_scaler_.scale_ is not None:
            gradients *= self.y_scaler_.scale_[:, None]
        return gradients[:, 0] if self.n_outputs_ == 1 else gradients
