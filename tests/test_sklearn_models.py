"""Nets of scikit-learn's MLP, and such MLPs of fastmlp's estimators: fitted, alike in prediction, and able to go on.

Expected values are those of the model that was converted. Not here: that both learn alike (test_estimators.py).
"""

import doctest
import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix, issparse
from sklearn import neural_network
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from problems import several_labels
from processes import output_of
from tolerances import assert_close

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = 5 + 3 * RNG.normal(size=(80, 4))
Y, LABELS = 1 + X[:, 0] ** 2 / 10, np.array(["a", "b", "c"])[np.digitize(X[:, 1], [3, 7])]
TASKS = {
    "number": ("MLPRegressor", Y),
    "numbers": ("MLPRegressor", np.stack([Y, X[:, 1]], axis=1)),
    "two classes": ("MLPClassifier", np.where(X[:, 0] > 5, "yes", "no")),
    "three classes": ("MLPClassifier", LABELS),
    "numbered classes": ("MLPClassifier", np.digitize(X[:, 1], [3, 7]) * 10 - 5),
    "zero and one": ("MLPClassifier", (X[:, 0] > 5).astype(int)),
    "one class": ("MLPClassifier", np.full(80, 7)),
    "labels": ("MLPClassifier", several_labels(80, 4, 3)[1]),
    "two labels": ("MLPClassifier", several_labels(80, 4, 2)[1]),
    "sparse labels": ("MLPClassifier", csr_matrix(several_labels(80, 4, 3)[1])),
}
ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]
DTYPES = ["float32", "float64"]
HAS_POISSON = "loss" in inspect.signature(neural_network.MLPRegressor).parameters  # scikit-learn 1.7


def fitted(library, task, dtype="float64", **parameters):
    name, y = TASKS[task]
    given = {"hidden_layer_sizes": (6, 5), "max_iter": 30, "random_state": 0, "learning_rate_init": 0.01} | parameters
    return getattr(library, name)(**given).fit(X.astype(dtype), y)


def outputs_of(model, x=X):
    """Numbers, or probabilities."""
    return model.predict_proba(x) if hasattr(model, "classes_") else model.predict(x)


def as_rows(labels):
    return labels.toarray() if issparse(labels) else labels


def assert_alike(theirs, ours, dtype, x=X):
    x = x.astype(dtype)
    expected = outputs_of(ours, x)
    if len(getattr(ours, "classes_", "12")) > 1:
        assert np.ptp(expected, axis=0).min() > 1e-3  # they depend on X
    else:
        expected = np.hstack([1 - ours._outputs(x), ours._outputs(x)])  # scikit-learn's probabilities of one class
    assert_close(outputs_of(theirs, x), expected, "forward", dtype)
    if hasattr(ours, "classes_"):
        mine, other = ours.predict(x), theirs.predict(x)
        assert issparse(mine) == issparse(other)
        clear = (abs(np.asarray(expected) - 0.5) > 1e-4).all(axis=1)
        assert clear.sum() > 70
        assert np.array_equal(as_rows(mine)[clear], as_rows(other)[clear])
        assert as_rows(mine).dtype.kind == as_rows(other).dtype.kind


# From scikit-learn


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("task", list(TASKS))
def test_a_net_of_scikit_learns_mlp_has_its_outputs(task, activation, dtype):
    model = fitted(neural_network, task, dtype, activation=activation)
    net = fastmlp.MLP.from_sklearn(model)
    assert net.dtype == dtype
    assert net.activation == ({"logistic": "sigmoid"}.get(activation, activation),) * 2
    for mine, theirs in zip((*net.weights, *net.biases), (*model.coefs_, *model.intercepts_), strict=True):
        assert np.array_equal(mine, theirs)
    expected = outputs_of(model, X.astype(dtype)).reshape(80, -1)
    if model.out_activation_ == "logistic" and model.n_outputs_ == 1:
        expected = expected[:, 1:]
    assert_close(net.predict(X), expected, "forward", dtype)


def test_the_loss_and_the_output_are_those_of_the_task():
    kinds = {
        "number": ("identity", "half_squared_error"),
        "two classes": ("sigmoid", "binary_cross_entropy"),
        "three classes": ("softmax", "cross_entropy"),
        "labels": ("sigmoid", "binary_cross_entropy"),
    }
    for task, expected in kinds.items():
        net = fastmlp.MLP.from_sklearn(fitted(neural_network, task))
        assert (net.output, net.loss) == expected


def test_a_regression_of_counts_is_one_where_scikit_learn_has_it():
    if HAS_POISSON:
        model = fitted(neural_network, "number", loss="poisson")
        net = fastmlp.MLP.from_sklearn(model)
        assert (net.output, net.loss) == ("exponential", "poisson")
        assert_close(net.predict(X)[:, 0], model.predict(X), "forward", "float64")
    else:
        with pytest.raises(ValueError, match="loss 'poisson' before its version"):
            fitted(fastmlp, "number", loss="poisson").to_sklearn()


def test_a_net_without_hidden_layers_has_none_of_their_activations():
    net = fastmlp.MLP.from_sklearn(fitted(neural_network, "number", hidden_layer_sizes=()))
    assert (net.sizes, net.activation) == ((4, 1), ())


def test_the_net_of_an_estimator_of_fastmlp_is_that_of_to_mlp():
    model = fitted(fastmlp, "number", activation="gelu", scale="standard")
    net = fastmlp.MLP.from_sklearn(model)
    assert net.parameters.tobytes() == model.to_mlp().parameters.tobytes()
    assert_close(net.predict(X)[:, 0], model.predict(X), "forward", "float64")


def test_the_net_is_a_copy():
    model = fitted(neural_network, "number")
    net = fastmlp.MLP.from_sklearn(model)
    before = model.coefs_[0].copy()
    net.parameters[...] = 0
    assert np.array_equal(model.coefs_[0], before)


def test_what_is_no_fitted_mlp_is_refused():
    for given in (None, StandardScaler(), make_pipeline(StandardScaler(), neural_network.MLPRegressor()), "model"):
        with pytest.raises(TypeError, match=f"model is {type(given).__name__}; expected an MLPClassifier or MLPReg"):
            fastmlp.MLP.from_sklearn(given)
    for library in (neural_network, fastmlp):
        with pytest.raises(NotFittedError):
            fastmlp.MLP.from_sklearn(library.MLPRegressor())
    model = fitted(neural_network, "number")
    model.coefs_[0][1, 2] = np.nan
    with pytest.raises(ValueError, match=r"weights\[0\]"):
        fastmlp.MLP.from_sklearn(model)


def test_coefs_that_are_not_of_the_model_are_refused():
    model = fitted(neural_network, "number")
    listed = fastmlp.MLP.from_sklearn(model)
    coefs, intercepts = model.coefs_, model.intercepts_
    model.coefs_ = [W.tolist() for W in coefs]
    assert fastmlp.MLP.from_sklearn(model).parameters.tobytes() == listed.parameters.tobytes()
    for model.coefs_, model.intercepts_, said in (
        ([coefs[0][1:], *coefs[1:]], intercepts, "expected those of 4 inputs, as n_features_in_ says"),
        (coefs[:-1], intercepts[:-1], "and 1 outputs, as n_outputs_ does"),
        (coefs[:-1], intercepts, "coefs_ has 2 arrays, and intercepts_ 3"),
        ([], [], "coefs_ has 0 arrays"),
    ):
        with pytest.raises(ValueError, match=said):
            fastmlp.MLP.from_sklearn(model)


def test_one_class_is_no_net():
    model = fitted(fastmlp, "one class", scale="standard")
    for way in (model.to_mlp, model.to_torch, lambda: fastmlp.MLP.from_sklearn(model)):
        with pytest.raises(ValueError, match=r"classes_ is \[7\], one class, whose probability is 1"):
            way()


def test_what_is_scaled_by_quantiles_is_said_of_x_and_y_at_once():
    with pytest.raises(ValueError, match="X and y are scaled as scale='quantile' says"):
        fitted(fastmlp, "number", scale="quantile").to_mlp()


# To scikit-learn


@pytest.mark.parametrize("scale", [None, "standard"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("task", list(TASKS))
def test_an_estimator_as_scikit_learns_predicts_the_same(task, dtype, scale):
    ours = fitted(fastmlp, task, dtype, activation="tanh", scale=scale)
    theirs = ours.to_sklearn()
    assert type(theirs) is getattr(neural_network, TASKS[task][0])
    check_is_fitted(theirs)
    assert all(array.base is None for array in (*theirs.coefs_, *theirs.intercepts_))  # of their own memory
    assert {array.dtype for array in theirs.coefs_} == {np.dtype("float64" if scale else dtype)}
    assert_alike(theirs, ours, dtype)


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "sigmoid", ["relu", "relu"], ["sigmoid", "logistic"]])
def test_so_it_is_with_every_activation_that_both_have(activation):
    ours = fitted(fastmlp, "three classes", activation=activation)
    theirs = ours.to_sklearn()
    assert theirs.activation in ACTIVATIONS
    assert_alike(theirs, ours, "float64")


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs", "adamw", "rmsprop"])
@pytest.mark.parametrize("task", ["number", "three classes", "labels"])
def test_the_parameters_and_the_attributes_are_those_of_the_estimator(task, solver):
    rates = {"learning_rate_init": 1e-4}  # with which sgd stays finite
    ours = fitted(fastmlp, task, solver=solver, alpha=0.01, tol=1e-3, momentum=0.8, scale="standard", **rates)
    theirs = ours.to_sklearn()
    both = ours.get_params().keys() & theirs.get_params().keys()
    assert len(both) >= 23
    assert theirs.get_params().keys() == both
    expected = {name: ours.get_params()[name] for name in both}
    expected["solver"] = {"adamw": "adam", "rmsprop": "adam"}.get(solver, solver)
    assert theirs.get_params() == expected
    for name in ("n_layers_", "n_outputs_", "n_features_in_", "out_activation_", "n_iter_", "t_", "loss_"):
        assert getattr(theirs, name) == getattr(ours, name), name
    assert theirs.loss_curve_ == ours.loss_curve_
    assert theirs.loss_curve_ is not ours.loss_curve_
    assert len(theirs.loss_curve_) == ours.n_iter_ > 1
    assert theirs.best_loss_ == min(ours.loss_curve_)
    assert theirs.validation_scores_ is theirs.best_validation_score_ is None
    if task != "number":
        assert np.array_equal(theirs.classes_, ours.classes_)
    assert not hasattr(theirs, "feature_names_in_")


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("task", ["number", "two classes", "three classes", "labels"])
def test_it_has_every_attribute_that_a_fit_of_its_own_leaves(task, solver):
    given = {"solver": solver, "learning_rate_init": 1e-4}
    theirs, genuine = fitted(fastmlp, task, **given).to_sklearn(), fitted(neural_network, task, **given)
    unneeded = {"_optimizer", "_random_state", "_coef_indptr", "_intercept_indptr"}  # each fit makes them
    assert vars(genuine).keys() - vars(theirs).keys() <= unneeded
    assert len(vars(theirs)) > 30
    for name, value in vars(genuine).items():
        if name not in unneeded and not (solver == "lbfgs" and name == "_no_improvement_count"):
            assert isinstance(value, type(getattr(theirs, name))), name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("task", ["number", "numbers", "two classes", "three classes", "labels"])
def test_partial_fit_goes_on_as_scikit_learns_own(task, solver, dtype):
    x, y = X.astype(dtype), TASKS[task][1]
    given = {"solver": solver, "learning_rate_init": 1e-3, "batch_size": 20}
    ours = fitted(fastmlp, task, dtype, **given)
    theirs, genuine = ours.to_sklearn(), fitted(neural_network, task, dtype, max_iter=1, **given)
    genuine.coefs_, genuine.intercepts_ = [[a.copy() for a in arrays] for arrays in (ours.coefs_, ours.intercepts_)]
    del genuine._optimizer
    before = [W.copy() for W in ours.coefs_]
    for one in (theirs, genuine):
        for _ in range(3):
            one.partial_fit(x, y)
    for old, mine, expected in zip(before, theirs.coefs_, genuine.coefs_, strict=True):
        assert np.array_equal(mine, expected)
        assert abs(mine - old).max() > 1e-5
    assert all(np.array_equal(W, old) for W, old in zip(ours.coefs_, before, strict=True))  # they are copies
    assert theirs.t_ == ours.t_ + 240
    assert len(theirs.loss_curve_) == len(ours.loss_curve_) + 3
    assert theirs.loss_curve_[-3:] == genuine.loss_curve_[-3:]


# Not of strings, which scikit-learn 1.6 cannot stop early on.
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("task", ["number", "zero and one", "numbered classes", "labels"])
def test_warm_start_goes_on_and_a_new_fit_begins_anew(task, early_stopping):
    y = TASKS[task][1]
    ours = fitted(fastmlp, task, early_stopping=early_stopping)
    theirs = ours.to_sklearn()
    if early_stopping:
        assert theirs.best_loss_ is None
        assert theirs.validation_scores_ == ours.validation_scores_
        assert theirs.best_validation_score_ == ours.best_validation_score_
    theirs.set_params(warm_start=True, max_iter=2).fit(X, y)
    assert len(theirs.loss_curve_) == len(ours.loss_curve_) + theirs.n_iter_
    anew = fitted(neural_network, task, early_stopping=early_stopping, max_iter=3)
    theirs.set_params(warm_start=False, max_iter=3).fit(X, y)
    for mine, expected in zip(theirs.coefs_, anew.coefs_, strict=True):
        assert np.array_equal(mine, expected)


def test_early_stopping_by_the_loss_can_go_on_by_the_score():
    ours = MLPRegressor(early_stopping=True, max_iter=5, random_state=0).fit(X, Y, eval_set=(X, Y))
    assert ours.validation_scores_ is None
    theirs = ours.to_sklearn().set_params(warm_start=True).fit(X, Y)
    assert len(theirs.validation_scores_) == theirs.n_iter_
    assert theirs.best_validation_score_ == max(theirs.validation_scores_)


def test_early_stopping_that_finds_nothing_better_ends_with_the_weights_it_began_with():
    ours = fitted(fastmlp, "number", early_stopping=True)
    theirs = ours.to_sklearn()
    theirs.best_validation_score_ = 2.0
    theirs.set_params(warm_start=True, max_iter=3).fit(X, Y)
    assert theirs.n_iter_ == 3
    for mine, expected in zip(theirs.coefs_, ours.coefs_, strict=True):
        assert np.array_equal(mine, expected)


@pytest.mark.parametrize("task", list(TASKS))
def test_it_can_be_cloned_and_pickled_without_fastmlp(task):
    theirs = fitted(fastmlp, task, scale="standard").to_sklearn()
    copy = clone(theirs)
    assert copy.get_params() == theirs.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(X)
    data = pickle.dumps(theirs)
    assert b"fastmlp" not in data
    assert np.array_equal(outputs_of(pickle.loads(data)), outputs_of(theirs))


def test_a_generator_is_not_shared():
    ours = fitted(fastmlp, "number", random_state=np.random.RandomState(0))
    theirs = ours.to_sklearn()
    theirs.fit(X, Y)
    assert theirs.random_state is not ours.random_state
    assert not np.array_equal(theirs.random_state.get_state()[1], ours.random_state.get_state()[1])


def test_names_of_columns_go_along():
    frame = pd.DataFrame(X, columns=["p", "q", "r", "s"])
    ours = MLPRegressor(hidden_layer_sizes=(5,), random_state=0, max_iter=20, scale="standard").fit(frame, Y)
    theirs = ours.to_sklearn()
    assert theirs.feature_names_in_.tolist() == ["p", "q", "r", "s"]
    assert_close(theirs.predict(frame), ours.predict(frame), "forward", "float64")
    with pytest.raises(ValueError, match="feature names"):
        theirs.predict(frame[["q", "p", "r", "s"]])


def test_layers_as_numbers_for_a_tuner_become_sizes():
    theirs = fitted(fastmlp, "number", hidden_layer_sizes=(100,), n_layers=2, width=7).to_sklearn()
    assert theirs.hidden_layer_sizes == (7, 7)
    assert theirs.partial_fit(X, Y).coefs_[1].shape == (7, 7)


def test_a_net_without_hidden_layers_needs_no_activation():
    ours = fitted(fastmlp, "three classes", hidden_layer_sizes=(), activation="gelu")
    theirs = ours.to_sklearn()
    assert_alike(theirs, ours, "float64")
    theirs.partial_fit(X, LABELS)


def test_what_is_of_training_alone_is_left_out():
    ours = fitted(fastmlp, "three classes", dropout=0.3, clip_norm=1.0, class_weight="balanced", max_time=60.0)
    theirs = ours.to_sklearn()
    assert_alike(theirs, ours, "float64")
    theirs.partial_fit(X, LABELS)


def test_counts_are_predicted_the_same_where_scikit_learn_has_them():
    ours = fitted(fastmlp, "number", loss="poisson", scale="standard")
    if HAS_POISSON:
        theirs = ours.to_sklearn()
        assert (theirs.loss, theirs.out_activation_) == ("poisson", "exp")
        assert_alike(theirs, ours, "float64")
        theirs.partial_fit(X, Y)
    else:
        with pytest.raises(ValueError, match="loss 'poisson'"):
            ours.to_sklearn()


OBSTACLES = {
    "an activation": ({"activation": "gelu"}, ["activation 'gelu'"]),
    "activations": ({"activation": ["relu", "tanh"]}, ["different activations relu, tanh"]),
    "a loss": ({"loss": "huber"}, ["loss 'huber'"]),
    "quantiles": ({"scale": "quantile"}, ["X scaled by a QuantileTransformer", "y scaled by a QuantileTransformer"]),
    "all at once": (
        {"activation": ["selu", "elu"], "loss": "log_cosh", "scale": "quantile"},
        [
            "activation 'elu'",
            "activation 'selu'",
            "different activations elu, selu",
            "loss 'log_cosh'",
            "X scaled by a QuantileTransformer",
            "y scaled by a QuantileTransformer",
        ],
    ),
}


@pytest.mark.parametrize("name", list(OBSTACLES))
def test_what_scikit_learns_cannot_be_is_refused_with_all_reasons(name):
    parameters, expected = OBSTACLES[name]
    ours = fitted(fastmlp, "number", **parameters)
    with pytest.raises(ValueError, match="no MLPRegressor of scikit-learn, which has no\n") as caught:
        ours.to_sklearn()
    assert [line.strip() for line in str(caught.value).splitlines()[1:]] == expected


def test_an_output_put_in_by_hand_is_an_obstacle():
    ours = fitted(fastmlp, "number")
    ours.out_activation_ = "softplus"
    with pytest.raises(ValueError, match="output 'softplus'"):
        ours.to_sklearn()


def test_a_scaler_put_in_by_hand_is_an_obstacle():
    ours = fitted(fastmlp, "number", scale="standard")
    ours.x_scaler_ = StandardScaler(with_mean=False).fit(X)
    with pytest.raises(ValueError, match="X scaled by a StandardScaler"):
        ours.to_sklearn()


def test_an_estimator_that_is_not_fitted_or_not_finite_is_none():
    for kind in (MLPRegressor, MLPClassifier):
        with pytest.raises(NotFittedError):
            kind().to_sklearn()
    ours = fitted(fastmlp, "number")
    ours.coefs_[0][0, 0] = np.inf
    with pytest.raises(ValueError, match="NaN or infinity"):
        ours.to_sklearn()


def test_an_estimator_goes_to_scikit_learn_and_into_a_net_with_the_same_weights():
    ours = fitted(fastmlp, "three classes", "float32")
    net = fastmlp.MLP.from_sklearn(ours.to_sklearn())
    assert net.parameters.tobytes() == ours.to_mlp().parameters.tobytes()
    assert (net.dtype, net.loss) == ("float32", "cross_entropy")


WITHOUT = """
import sys
sys.modules["sklearn"] = None
import fastmlp
try:
    fastmlp.MLP.from_sklearn(None)
except ImportError as error:
    print(error)
"""


def test_without_scikit_learn_fastmlp_says_how_to_get_it():
    said = output_of("-c", WITHOUT)
    assert "MLP.from_sklearn needs scikit-learn" in said
    assert "pip install 'scikit-learn" in said


@pytest.mark.parametrize("method", [fastmlp.MLP.from_sklearn, MLPRegressor.to_sklearn])
def test_the_examples_of_the_docstrings_print_what_they_say(method):
    (test,) = doctest.DocTestFinder().find(method, method.__qualname__)
    assert len(test.examples) >= 3
    assert doctest.DocTestRunner().run(test).failed == 0
