"""What both estimators are: their net, scaling, prediction, and what surrounds a fit.

They stand on scikit-learn's public developer interface. Its rules of training are kept in estimator_training.py, its
parameters in estimator_parameters.py.

`coefs_` and `intercepts_` are views of a Network's parameters. The public attributes are what counts: a Network is
made of them when it is needed, and again when they are no longer what it was made of. It is no part of what is
pickled, but the state of its optimizer is.
"""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from numbers import Real
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, is_classifier
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from fastmlp import builds, checks, estimator_data, formulas
from fastmlp.architecture import DEFAULTS, Architecture
from fastmlp.carried import Carried
from fastmlp.estimator_parameters import ACTIVATIONS, LOSSES, Parameters, check_parameters, hidden_sizes
from fastmlp.estimator_scaling import Scaling, Standard, fitted, new_scaler, scaled, scaling
from fastmlp.estimator_training import Divergence, Task, Validation, fit_by_batches, fit_by_lbfgs
from fastmlp.formulas import Array
from fastmlp.forward import Forward, Normalized, Standardized
from fastmlp.layout import layer_views
from fastmlp.messages import warn
from fastmlp.mlp import MLP
from fastmlp.sparse import checked, dense
from fastmlp.threads import threads as as_threads

if TYPE_CHECKING:
    import torch

# What is made of an estimator's attributes and is no part of its state.
_RECORDS = "loss_curve_", "validation_curve_", "validation_scores_"  # lists that training appends to
_CACHES = "_network_cache", "_own_generator", "_columns", "_checked", "_scaling_cache"


class NetworkCache(NamedTuple):
    """The Network that holds the weights of an estimator, and what it was made of."""

    views: tuple[Array, ...] = ()  # coefs_ and intercepts_, while nobody has put others there
    activations: tuple[Any, Any] = (None, None)  # activation and out_activation_, as they were found
    forward: Any = None  # what a prediction depends on
    training: Any = None  # and training besides; None if it was made to predict
    build: str = ""
    network: Any = None


EMPTY = NetworkCache()
_NEGATIVE_SLOPE = DEFAULTS["negative_slope"]  # for there is no parameter of it

_fits: set[tuple[int, int]] = set()  # (process, estimator) of those in work
_fits_lock = threading.Lock()


@contextmanager
def _one_fit(estimator: Any) -> Iterator[None]:
    """One fit of an estimator at a time: a second one would train the weights of the first."""
    me = os.getpid(), id(estimator)
    with _fits_lock:
        if me in _fits:
            raise RuntimeError(
                "this estimator is in the middle of a fit; two threads cannot fit one estimator, nor can a callback"
            )
        _fits.add(me)
    try:
        yield
    finally:
        _fits.discard(me)


def _has_steps(estimator: Any) -> bool:
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit is only available for stochastic optimizers. lbfgs is not stochastic.")
    return True


class CompiledMLP(Carried, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, Parameters):
    """What both estimators have."""

    classes_: Array
    loss_curve_: list[float]
    _best_parameters: Array | None
    coefs_: list[Array]
    intercepts_: list[Array]
    out_activation_: Any
    n_outputs_: int
    x_scaler_: Any
    y_scaler_: Any

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return "coefs_" in self.__dict__

    # the net

    def _forward_description(self) -> tuple[Any, ...]:
        """What the outputs depend on besides weights."""
        activation = self.activation
        if not isinstance(activation, Iterable):
            raise TypeError(f"activation is {activation!r}; expected a name, or one for each hidden layer")
        return activation if isinstance(activation, str) else tuple(map(str, activation)), self.out_activation_

    def _training_description(self) -> tuple[Any, ...]:
        """What training depends on besides."""
        numbers = {name: getattr(self, name) for name in formulas.LOSS_PARAMETERS.get(self.loss, ())}
        dropout = self.dropout if isinstance(self.dropout, Real) else tuple(self.dropout)
        return self.loss, dropout, self.missing_targets, numbers

    def _network(self, train: bool = False) -> Any:
        """The Network of the present weights, to predict or to `train` with; only then all parameters count."""
        given = (*self.coefs_, *self.intercepts_)
        cache: NetworkCache = self.__dict__.get("_network_cache", EMPTY)
        fits = len(given) == len(cache.views) and all(map(is_, given, cache.views))
        fits = fits and cache.build == builds.current()
        if fits and not train:
            known, output = cache.activations
            if self.activation is known and self.out_activation_ is output and type(known) is str:
                return cache.network
        fits = fits and self._forward_description() == cache.forward
        if fits and (not train or self._training_description() == cache.training):
            return cache.network
        arrays = [np.asarray(array) for array in given]
        single = all(array.dtype == np.float32 for array in arrays)
        network = self._new_network(self._sizes(arrays), np.float32 if single else np.float64, train)
        if cache.network is not None:
            moments = cache.network.optimizer_state if "_optimizer" in self.__dict__ else None
        else:
            moments = self.__dict__.get("_moments")
        if moments is not None and len(moments[2]) == network.parameters.size:
            network.optimizer_state = moments
        weights, biases = layer_views(network.parameters, network.sizes, True)
        for view, array in zip((*weights, *biases), arrays, strict=True):
            view[...] = array
        self._publish(network, train)
        return network

    def _new_network(self, sizes: tuple[int, ...], dtype: Any, train: bool) -> Any:
        activation, output = self._forward_description()
        several = () if isinstance(activation, str) else tuple(ACTIVATIONS.get(name, name) for name in activation)
        description: dict[str, Any] = {
            "activations": ACTIVATIONS.get(activation, activation) if isinstance(activation, str) else several,
            "output": ACTIVATIONS.get(output, output),
            "dtype": np.dtype(dtype),
        }
        if train:
            loss, dropout, _, numbers = self._training_description()
            description |= {"loss": LOSSES.get(loss, loss), "dropout": dropout, **numbers}
        architecture = Architecture.of(sizes, **description)
        network = architecture.network(builds.network(architecture.dtype.name))
        network.masked = train and self.missing_targets == "mask"
        return network

    def _sizes(self, arrays: list[Array]) -> tuple[int, ...]:
        """Sizes of the layers of these weights and biases, which fit each other, the features and the outputs."""
        depth = self.__dict__.get("n_layers_", len(self.coefs_) + 1) - 1
        shapes = [array.shape for array in arrays]
        first = shapes[0][0] if shapes and len(shapes[0]) == 2 else 0
        n_in: Any = self.__dict__.get("n_features_in_", first)
        sizes = (n_in, *[shape[-1] if shape else 0 for shape in shapes[depth:]])
        expected = [*pairwise(sizes), *((n,) for n in sizes[1:])]
        if depth < 1 or shapes != expected or sizes[-1] != self.__dict__.get("n_outputs_", sizes[-1]):
            raise ValueError(
                f"coefs_ and intercepts_ have shapes {shapes}; expected {depth} layers that fit each other, from "
                f"{sizes[0]} features to {self.__dict__.get('n_outputs_', sizes[-1])} outputs"
            )
        return sizes

    def _publish(self, network: Any, train: bool) -> None:
        """Make the weights views of a Network that holds them already, at once: other threads may be predicting."""
        training = self._training_description() if train else None
        forward, activations = self._forward_description(), (self.activation, self.out_activation_)
        self._take(NetworkCache((), activations, forward, training, builds.current(), network))

    def _take(self, cache: NetworkCache) -> None:
        weights, biases = layer_views(cache.network.parameters, cache.network.sizes, True)
        cache = cache._replace(views=(*weights, *biases))
        self.__dict__.update(coefs_=weights, intercepts_=biases, _network_cache=cache, _moments=None)

    def _go_on_with(self, cache: NetworkCache) -> None:
        """Keep the Network in training, though somebody has put other arrays into `coefs_`."""
        present = self._network()
        if present is not cache.network:
            cache.network.parameters[...] = present.parameters
            self._take(cache)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        cache: NetworkCache = state.get("_network_cache", EMPTY)
        if cache.network is not None and "_optimizer" in state:
            state["_moments"] = cache.network.optimizer_state
        if (best := state.get("_best_parameters")) is not None and np.array_equal(best, self._flat_parameters()):
            state["_best_parameters"] = None  # the present ones, as after any fit
        return {name: value for name, value in state.items() if name not in _CACHES}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_best_parameters" in self.__dict__ and self._best_parameters is None:
            self._best_parameters = self._flat_parameters()

    def _flat_parameters(self) -> Array:
        """The present weights and biases, one after the other: a copy."""
        pairs = zip(self.coefs_, self.intercepts_, strict=True)
        return np.concatenate([np.ravel(array) for pair in pairs for array in pair])

    # training

    def _hidden(self) -> list[int]:
        """Sizes of the hidden layers: hidden_layer_sizes, or n_layers of `width`."""
        given = self.hidden_layer_sizes
        sizes = hidden_sizes(given)
        if self.n_layers is None and self.width is None:
            return sizes
        if sizes != [100]:
            raise ValueError(
                f"hidden_layer_sizes is {given!r}, and n_layers or width is given, too; expected one of the two ways"
            )
        return [100 if self.width is None else int(self.width)] * (1 if self.n_layers is None else self.n_layers)

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        eval_set: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        checkpoint: Any = None,
        checkpoint_every: Any = None,
    ) -> Any:
        """Train.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the samples, >= 0.
        eval_set : (X, y), optional
            Data to measure after each epoch: the loss goes to `validation_curve_`, eval_metric to
            `validation_scores_`. The fit ends with the weights that were best by eval_metric, or else by that loss;
            with early_stopping it is this set that decides, and no rows of X are split off.
        X_val, y_val, sample_weight_val : array-like, optional
            The same, with weights; under these names pipelines and metadata routing carry it.
        checkpoint : path-like, optional
            A file to which the estimator and all that the rest of the fit depends on are written, when it begins, at
            the end of some epochs, and when it ends: `fastmlp.resume` goes on from there if the process is stopped.
            Not with lbfgs, nor with a schedule or an eval_metric that is a callable.
        checkpoint_every : int or float, optional
            How often: an int is epochs, a float seconds, after which the end of an epoch is waited for: 10 is ten
            epochs, 10.0 ten seconds. A minute by default.

        Returns
        -------
        object
            The estimator itself.

        Raises
        ------
        ValueError, TypeError
            If an argument cannot be used, or if training diverges without any good weights. The estimator is as it
            was; after a divergence, an optimizer that went on starts afresh.
        RuntimeError
            If another thread is fitting this estimator.
        OSError
            If the first checkpoint cannot be written; of a later one it is a warning. As a FileExistsError, before
            anything has changed, if the file is none of fastmlp's, or has a fit that has not ended.
        """
        validation = eval_set, X_val, y_val, sample_weight_val
        return self._fit(X, y, sample_weight, validation, checkpoints=(checkpoint, checkpoint_every))

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any, Any] = (None, None, None, None),
        *,
        incremental: bool = False,
        classes: Any = None,
        checkpoints: tuple[Any, Any] = (None, None),
        resumed: Any = None,
    ) -> Any:
        """Look at all of it, then train: from the beginning, on, or, `resumed`, from a task that was stopped."""
        check_parameters(self)
        with _one_fit(self):
            before, prepared = self.__dict__, object.__new__(type(self))
            prepared.__dict__ = (
                before.copy()
            )  # so that an error leaves this one as it is, and others may predict with it
            goes_on = "coefs_" in before and (self.warm_start or incremental or resumed is not None)
            task = prepared._task(X, y, sample_weight, validation, incremental, goes_on, classes)
            if checkpoints != (None, None):
                from fastmlp.estimator_checkpoints import of_estimator

                task = task._replace(checkpoints=of_estimator(self, task, *checkpoints))
            elif resumed is not None:
                task = resumed(task)
            network = prepared._network(train=True)
            self.__dict__ = prepared.__dict__
            parameters = network.parameters.copy() if "coefs_" in before else None
            records = [(name, len(before.get(name) or ())) for name in _RECORDS]
            try:
                (fit_by_lbfgs if self.solver == "lbfgs" else fit_by_batches)(self, task)
                if not self._network().is_finite():
                    raise Divergence("The weights are not finite.")
            except Exception as problem:
                if self.__dict__.pop("_callback_raised", False):  # what was trained stays
                    raise
                if task.checkpoints is not None and isinstance(problem, Divergence):
                    task.checkpoints.write_failure(str(problem))
                if parameters is not None and not np.array_equal(network.parameters, parameters):
                    network.parameters[...] = parameters
                    network.reset_optimizer()  # whose state has seen what failed
                self.__dict__ = before
                for name, length in records:
                    if before.get(name) is not None:
                        del before[name][length:]
                raise
            if task.checkpoints is not None:
                task.checkpoints.write(self.n_iter_, None, over=True)
        return self

    def _task(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation: tuple[Any, Any, Any, Any],
        incremental: bool,
        goes_on: bool,
        classes: Any,
    ) -> Task:
        """What there is to train with; the net is made or, to go on with it, looked at."""
        hidden = self._hidden()
        given = estimator_data.validation_data(*validation)
        X, y = self._read(X, y, incremental, not goes_on, classes)
        X = checked(X)
        w = estimator_data.sample_weights("sample_weight", sample_weight, X.shape[0])
        w = self._with_class_weights(y, w, incremental)
        if w is not None:
            w = estimator_data.weights_in_range(w)
        outputs = self._outputs_for(y)
        if goes_on:
            fitted = [np.size(b) for b in self.intercepts_]
            if fitted != [*hidden, outputs]:
                raise ValueError(
                    f"the hidden layers are to have {hidden} neurons and y has {outputs} outputs; the layers of the "
                    f"fitted net, with which warm_start and partial_fit go on, have {fitted}"
                )
        self.n_outputs_ = outputs
        self._random_state = self._generator()
        X, y = self._fit_scalers(X, y, w, goes_on, incremental)
        if self._is_masked(y) and not goes_on and not incremental:
            estimator_data.refuse_unknown(y if w is None else y[w > 0])
        if goes_on:
            for name, value in self._nothing_learned().items():  # where the attributes were put in by hand
                self.__dict__.setdefault(name, value)
        else:
            self._initialize([X.shape[1], *hidden, outputs], X.dtype)
        return Task(X, y, w, incremental, None if given is None else self._read_validation(*given))

    def _read(self, X: Any, y: Any, incremental: bool, reset: bool, classes: Any) -> tuple[Any, Any]:
        """X and y: numbers (n,) or rows (n, n_outputs), or the numbers of labels (n,)."""
        raise NotImplementedError

    def _read_both(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        """X and y as arrays or compressed rows; a y of one column is (n,)."""
        masked = self._is_masked(y)
        y = y if y is None else self._looked_at(y, masked)
        X, y = estimator_data.read(self, X, y, reset, masked)
        return X, estimator_data.column(y)

    def _is_masked(self, y: Any) -> bool:
        """Whether NaN in this y is a target that is missing."""
        if y is None or self.missing_targets is None or issparse(y):
            return False
        shape = np.shape(y)
        return len(shape) == 2 and shape[1] > 1

    def _looked_at(self, y: Any, masked: bool) -> Any:
        """A y that was looked at before scikit-learn does."""
        raise NotImplementedError

    def _outputs_for(self, y: Array) -> int:
        """How many outputs a net has for this y."""
        return 1 if y.ndim == 1 else y.shape[1]

    def _with_class_weights(self, y: Array, w: Array | None, incremental: bool) -> Array | None:
        """The sample weights, times those of the classes."""
        return w

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

    def _initialize(self, sizes: list[int], dtype: np.dtype[Any]) -> None:
        """A net as scikit-learn draws it (Glorot and Bengio 2010), and nothing learned so far."""
        self.n_layers_ = len(sizes)
        network = self._new_network(tuple(sizes), dtype, True)
        factor = 2.0 if isinstance(self.activation, str) and self.activation == "logistic" else 6.0
        for W, b in zip(*layer_views(network.parameters, network.sizes, True), strict=True):
            bound = np.sqrt(factor / sum(W.shape))
            W[...] = self._random_state.uniform(-bound, bound, W.shape)
            b[...] = self._random_state.uniform(-bound, bound, b.shape)
        self._publish(network, True)
        self.__dict__.update(self._nothing_learned())
        for name in ("_optimizer", "_best_parameters"):
            self.__dict__.pop(name, None)
        if self.initial_weights is not None:
            for view, array in zip((*self.coefs_, *self.intercepts_), self._read_initial_weights(), strict=True):
                view[...] = array

    def _nothing_learned(self) -> dict[str, Any]:
        """What training keeps record in, before it begins."""
        return {
            "n_iter_": 0,
            "t_": 0,
            "loss_curve_": [],
            "validation_curve_": [],
            "best_loss_": None,
            "validation_scores_": None,
            "best_validation_score_": None,
            "_no_improvement_count": 0,
        }

    def _read_initial_weights(self) -> list[Array]:
        """The coefs and intercepts, of the shapes of this net."""
        given = list(self.initial_weights)
        if len(given) != 2:
            raise ValueError(f"initial_weights has {len(given)} elements; expected (coefs, intercepts)")
        both = []
        for name, arrays, places in zip(("coefs", "intercepts"), given, (self.coefs_, self.intercepts_), strict=True):
            arrays = [np.asarray(array, places[0].dtype) for array in arrays]
            shapes = [array.shape for array in arrays], [place.shape for place in places]
            if shapes[0] != shapes[1]:
                raise ValueError(f"{name} of initial_weights has shapes {shapes[0]}; expected {shapes[1]}")
            if not all(np.isfinite(array).all() for array in arrays):
                raise ValueError(f"{name} of initial_weights has numbers that are not finite")
            both += arrays
        return both

    def _targets(self, y: Array, dtype: np.dtype[Any], name: str = "y") -> Array:
        """Targets as the core takes them: numbers of labels for softmax, else rows."""
        if self.out_activation_ == "softmax" and y.ndim == 1:
            return y
        if self.out_activation_ == "exp" and np.nanmin(y) < 0:
            raise ValueError(f"{name} has the negative value {np.nanmin(y)}; loss='poisson' expects y >= 0")
        if y.dtype == dtype:
            return np.ascontiguousarray(y.reshape(len(y), -1))
        with np.errstate(over="ignore"):
            targets: Array = np.ascontiguousarray(y.reshape(len(y), -1), dtype)
        if np.isinf(targets).any():
            raise ValueError(f"{name} has numbers beyond the range of {dtype}; scale it, as by scale='standard'")
        return targets

    def _read_validation(self, X: Any, y: Any, w: Any) -> Validation:
        """Data to measure on, as given, for a metric, and as the net sees it, for its loss."""
        try:
            x, targets = self._read_like_fit(X, y)
        except (ValueError, TypeError) as problem:
            raise type(problem)(f"of the validation data (eval_set, X_val, y_val): {problem}") from None
        x = checked(x)
        if targets.dtype.kind == "f" and np.isnan(targets).all():
            raise ValueError("y of the validation data contains NaN and nothing else; expected some numbers")
        weights = estimator_data.sample_weights("sample_weight_val", w, x.shape[0])
        outputs = self._outputs_for(targets)
        if outputs != self.n_outputs_:
            raise ValueError(f"y of the validation data has {outputs} outputs; y of fit has {self.n_outputs_}")
        in_range = None if weights is None else estimator_data.weights_in_range(weights)
        return Validation(self._scaled(x), self._scaled_targets(targets), in_range, (X, y, weights))

    def _read_like_fit(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Data to measure on: see `_read`."""
        return self._read_both(X, y, False)

    # scaling

    def _fit_scalers(self, X: Any, y: Array, w: Array | None, goes_on: bool, incremental: bool) -> tuple[Any, Array]:
        """X and y as `scale` wants them, by scalers that are fitted here, or updated by partial_fit."""
        x_scaler, y_scaler = self.__dict__.get("x_scaler_"), self.__dict__.get("y_scaler_")
        known, _ = self._scalings()
        if goes_on and known is not None and known.kind != self.scale:
            raise ValueError(
                f"scale is {self.scale!r}, and the fitted net, with which warm_start and partial_fit go on, has seen "
                f"X scaled by a {known.name}; expected the scale of its fit"
            )
        if self.scale is None:
            for name in ("x_scaler_", "y_scaler_"):
                self.__dict__.pop(name, None)
            return X, y
        if incremental and self.scale == "quantile":
            raise ValueError("scale is 'quantile', which partial_fit cannot learn part by part; expected 'standard'")
        X = dense(X)
        if goes_on and x_scaler is not None and not incremental:
            return self._scaled(X), self._scaled_targets(y)
        if not goes_on or x_scaler is None:
            incremental, y_scaler = False, None
            rows = len(X) if w is None else int(np.count_nonzero(w))
            x_scaler = new_scaler(self.scale, rows, self._random_state)
            if not is_classifier(self) and self.loss != "poisson":
                y_scaler = new_scaler(self.scale, rows, self._random_state)
        self.x_scaler_ = fitted("X", x_scaler, X, w, incremental)
        self.y_scaler_ = None if y_scaler is None else fitted("y", y_scaler, y, w, incremental)
        return self._scaled(X), self._scaled_targets(y)

    def _scalings(self) -> tuple[Scaling | None, Scaling | None]:
        """How X and y are scaled, by the present scalers."""
        if "x_scaler_" not in self.__dict__:
            return None, None
        scalers = self.x_scaler_, self.__dict__.get("y_scaler_")
        known = self.__dict__.get("_scaling_cache")
        if known is None or known[0][0] is not scalers[0] or known[0][1] is not scalers[1]:
            known = self._scaling_cache = scalers, (scaling(scalers[0]), scaling(scalers[1]))
        return known[1]

    def _scaled(self, X: Any) -> Any:
        """X as the net sees it."""
        by, _ = self._scalings()
        return X if by is None else scaled("X", by, dense(X))

    def _scaled_targets(self, y: Array) -> Array:
        _, by = self._scalings()
        return y if by is None else scaled("y", by, y)

    # prediction

    def _outputs(self, X: Any, logits: bool = False) -> Array:
        """The outputs for X, in the units of y; or what the output activation would have made them of."""
        if "coefs_" not in self.__dict__:
            check_is_fitted(self)
        network, threads = self._network(), as_threads(self.n_threads, "n_threads")
        array = X if type(X) is np.ndarray or type(X) is list else self._array_of_a_known_frame(X)
        of_x, of_y = self._scalings()
        if of_x is not None and array is not None:
            array = _scaled_row(of_x, array, network.dtype)
        outputs: Array | None = None
        if array is not None:
            outputs = network.forward(array, None, threads, False, logits)
        if outputs is None or outputs.ndim != 2:  # X needs a closer look
            outputs = network.forward(self._inputs(X, network), None, threads, True, logits)
            self._look_for_overflow("outputs", outputs)
        elif ("feature_names_in_" in self.__dict__) != hasattr(X, "columns"):
            estimator_data.warn_of_names(self, X)
        return outputs if of_y is None or logits else of_y.undo(outputs.astype(np.float64))

    def _array_of_a_known_frame(self, X: Any) -> Array | None:
        """The numbers of a frame whose columns are those of `fit`, or have names that it did not have; else None."""
        if not (hasattr(X, "to_numpy") and hasattr(X, "columns") and self._has_known_columns(X.columns)):
            return None
        array: Array = X.to_numpy()
        return array

    def _has_known_columns(self, columns: Any) -> bool:
        """Whether columns of a frame were seen before, or have the names of those of `fit`, where these have any."""
        names = self.__dict__.get("feature_names_in_")
        if names is None:
            return len({isinstance(name, str) for name in columns}) == 1
        seen, of_names = self.__dict__.get("_columns", (None, None))
        if of_names is names and (columns is seen or (hasattr(columns, "is_") and columns.is_(seen))):
            return True
        if list(columns) != list(names):
            return False
        self._columns = columns, names
        return True

    def _inputs(self, X: Any, network: Any) -> Any:
        """X, looked at and scaled, as the core takes it."""
        X = checked(estimator_data.samples(self, X, dtype=estimator_data.DTYPES))
        columns, expected = X.shape[1], network.sizes[0]
        if columns != expected:  # where nobody has said so: it is n_features_in_ else
            name = type(self).__name__
            raise ValueError(f"X has {columns} features, but {name} is expecting {expected} features as input.")
        if self._scalings()[0] is not None and network.dtype == np.float64:
            X = dense(X).astype(np.float64, copy=False)  # so that it is scaled in the precision of the net
        return estimator_data.as_the_core_reads(self._scaled(X), network, self._name_of_X())

    def _name_of_X(self, of: str = "") -> str:
        return f"X{of}" if self.scale is None else f"X{of}, scaled as scale={self.scale!r} says,"

    def _look_for_overflow(self, what: str, array: Array) -> None:
        """Warn if results of finite inputs left the range of their dtype."""
        if checks.all_finite(array):
            return
        if not self._network().is_finite():
            raise ValueError("coefs_ or intercepts_ contain NaN or infinity; expected finite weights and biases")
        advice = "scaled inputs, as by scale='standard', or a fit on float64 may help"
        warn(f"{what} left the range of {array.dtype}; {advice}", RuntimeWarning)

    @property
    def _n_features_out(self) -> int:
        """Columns of the last `transform`, whose names scikit-learn makes."""
        if len(self.coefs_) == 1:
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
        network = self._network()
        hidden = len(self.coefs_) - 1
        at = checks.layer(layer, hidden)
        if at == hidden - 1:
            self.__dict__.pop("_transformed_layer", None)
        else:
            self._transformed_layer = at
        activations: list[Array] = network.activations_of(
            self._inputs(X, network), at, at + 1, as_threads(self.n_threads, "n_threads")
        )
        self._look_for_overflow("activations", activations[0])
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
        of_x, of_y = self._scalings()
        for of in (of_x, of_y):
            if not (of is None or isinstance(of, Standard)):
                raise ValueError(
                    f"scale is {self.scale!r}, and X or y is scaled by {of.name}, of which no gradient is known; "
                    "expected 'standard' or None"
                )
        network = self._network()
        X = self._inputs(X, network)
        gradients = np.empty((X.shape[0], network.sizes[-1], X.shape[1]), network.dtype)
        network.jacobian(X, gradients, as_threads(self.n_threads, "n_threads"))
        if of_x is not None:
            gradients /= self.x_scaler_.scale_
        if of_y is not None:
            gradients = gradients * self.y_scaler_.scale_[:, None]
        self._look_for_overflow("the gradient", gradients)
        return gradients[:, 0] if gradients.shape[1] == 1 else gradients

    # elsewhere

    def save(self, path: str | os.PathLike[str], *, training: bool = True) -> None:
        """Write the estimator to a file, in the safetensors format, as a whole or not at all.

        Parameters
        ----------
        path : path-like
            Such as "model.safetensors". A file that is there is replaced; whatever stops it leaves that one or the
            new one.
        training : bool
            Whether to keep what partial_fit and warm_start go on with, the state of the optimizer: two thirds of the
            file. By default it is kept; `MLP.save` leaves it out.

        Raises
        ------
        ValueError, TypeError
            If the estimator is not fitted, a weight is not finite, or an attribute is something that no fit makes.
        OSError
            If it cannot be written.

        Warns
        -----
        UserWarning
            If a parameter is a callable, which a file cannot hold: the loaded estimator has its default.

        See Also
        --------
        fastmlp.load : the estimator of a file.
        """
        from fastmlp.saving import save

        save(self, path, checks.boolean("training", training))

    def _forward(self) -> Forward:
        """What a prediction computes."""
        check_is_fitted(self)
        network, (of_x, of_y) = self._network(), self._scalings()
        if not network.is_finite():
            raise ValueError("coefs_ or intercepts_ contain NaN or infinity; expected finite weights and biases")
        activation, output = self._forward_description()
        hidden = len(network.sizes) - 2
        names = (*([activation] * hidden if isinstance(activation, str) else activation), output)
        features = self.__dict__.get("feature_names_in_")
        return Forward(
            weights=tuple(np.array(W) for W in self.coefs_),
            biases=tuple(np.array(b) for b in self.intercepts_),
            activations=tuple(ACTIVATIONS.get(name, name) for name in names),
            negative_slope=_NEGATIVE_SLOPE,
            dtype=network.dtype,
            of_inputs=None if of_x is None else of_x.described(),
            of_outputs=None if of_y is None else of_y.described(),
            classes=np.array(self.classes_) if is_classifier(self) else None,
            several=is_classifier(self) and output == "logistic" and network.sizes[-1] > 1,
            names=None if features is None else tuple(map(str, features)),
        )

    def to_mlp(self) -> MLP:
        """The net as one that needs no scikit-learn: what it predicts is in the units of X and y.

        Returns
        -------
        MLP
            A copy, whose outputs are the numbers of a regression, or probabilities: of the second of two classes, of
            each class or label else. Means and deviations of `scale="standard"` become part of its first and last
            layer, and it is one of float64 then. Its loss is the estimator's, in the units of y; a huber_delta is
            multiplied by the deviation of y, by the largest for several outputs.

        Raises
        ------
        ValueError
            With scale="quantile", which is no part of any layer; with one class, whose probability is 1 whatever a
            net says; if a weight is not finite, or X or y is scaled by a scaler that is not one of fit.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        """
        check_is_fitted(self)
        if is_classifier(self) and len(self.classes_) == 1:
            raise ValueError(
                f"classes_ is {self.classes_}, one class, whose probability is 1: no net has such an output; "
                "expected two or more: or to_onnx and to_c, which write it out"
            )
        return self._net()

    def _net(self) -> MLP:
        """The net with what scales in its layers; of one class, too."""
        steps: Any = self._forward()
        scalings = {"X": steps.of_inputs, "y": steps.of_outputs}
        unknown = [what for what, of in scalings.items() if isinstance(of, Normalized)]
        if unknown:
            are = "X and y are" if len(unknown) == 2 else f"{unknown[0]} is"
            raise ValueError(
                f"{are} scaled as scale='quantile' says, which is no part of any layer; expected 'standard' or "
                "None: or to_onnx and to_c, which write it out"
            )
        weights = [W.astype(np.float64) for W in steps.weights]
        biases = [b.astype(np.float64) for b in steps.biases]
        scales = isinstance(steps.of_inputs, Standardized) or isinstance(steps.of_outputs, Standardized)
        description: Any = self._training_description()
        loss, dropout, _, numbers = description
        loss = LOSSES.get(loss, loss)
        if isinstance(steps.of_inputs, Standardized):
            weights[0] /= steps.of_inputs.scale[:, None]
            biases[0] -= steps.of_inputs.mean @ weights[0]
        if isinstance(steps.of_outputs, Standardized):
            weights[-1] *= steps.of_outputs.scale
            biases[-1] = biases[-1] * steps.of_outputs.scale + steps.of_outputs.mean
            if "huber_delta" in numbers:
                numbers = {"huber_delta": numbers["huber_delta"] * float(steps.of_outputs.scale.max())}
        *hidden, output = steps.activations
        return MLP.from_parameters(
            weights, biases, activation=hidden, output=output, loss=loss, dropout=dropout,
            dtype="float64" if scales else steps.dtype, **numbers,
        )  # fmt: skip

    def to_torch(self) -> "torch.nn.Sequential":
        """The net as a module of PyTorch: that of `to_mlp`.

        Returns
        -------
        torch.nn.Sequential
            In eval mode; see `MLP.to_torch`. Its outputs are those of the net of `to_mlp`: numbers or probabilities,
            these in the order of `classes_`, and for two classes that of the second alone.

        Raises
        ------
        ValueError
            With scale="quantile", which is no part of any layer; with one class, whose probability is 1 whatever a
            net says; if a weight is not finite, or X or y is scaled by a scaler that is not one of fit.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        ImportError
            If torch is not installed.

        Examples
        --------
        >>> from fastmlp import MLPRegressor
        >>> model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs").fit([[0.0, 1.0], [2.0, 0.0]], [1.0, 2.0])
        >>> model.to_torch()
        Sequential(
          (0): Linear(in_features=2, out_features=1, bias=True)
        )
        """
        return self.to_mlp().to_torch()

    def to_sklearn(self) -> Any:
        """The estimator as scikit-learn's own of the same name, fitted, which needs no fastmlp.

        Returns
        -------
        sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor
            With the same parameters, as far as it has them: dropout and whatever else is of training alone is left
            out, and its solver is "adam" for adamw and rmsprop. Its attributes are copies, so that `partial_fit` and
            `warm_start` go on from these weights, with an optimizer that begins anew. `scale="standard"` becomes
            part of its first and last layer, and these are of float64 then. Of one class, its `predict` is the same,
            but its `predict_proba` is what scikit-learn gives for one class: two columns, 1 - p and p, of the output
            p of the net, where it is 1 here.

        Raises
        ------
        ValueError
            If a prediction needs what it has not, all of which is listed: an activation, several of them, a loss,
            quantiles of scale="quantile", a scaler that is not one of fit. If a weight is not finite.
        sklearn.exceptions.NotFittedError
            If it is not fitted.

        Examples
        --------
        >>> from fastmlp import MLPClassifier
        >>> model = MLPClassifier((3,), solver="lbfgs", random_state=0).fit([[0.0], [1.0]], ["no", "yes"])
        >>> theirs = model.to_sklearn()
        >>> type(theirs).__module__.partition(".")[0], theirs.predict([[0.0], [1.0]]).tolist()
        ('sklearn', ['no', 'yes'])
        """
        from fastmlp.sklearn_models import to_sklearn

        return to_sklearn(self)


def _scaled_row(by: Scaling, X: Any, dtype: np.dtype[Any]) -> Array | None:
    """An array or a list of numbers, scaled, in the precision of a net; None if that wants a closer look at it."""
    try:
        X = np.asarray(X)
    except ValueError:  # rows of different lengths
        return None
    if X.dtype.kind not in "biuf" or X.ndim != 2 or X.shape[1] != by.columns:
        return None
    with np.errstate(over="ignore"):
        return by.apply(X).astype(dtype, copy=False)


partial_fit_available = available_if(_has_steps)
