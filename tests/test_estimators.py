"""MLPClassifier and MLPRegressor beside scikit-learn's own, which are the expected values of this file.

scikit-learn draws the weights, shuffles and computes its epochs in Python; fastmlp does the latter in its core. With
the same parameters both must walk the same way: the loss curves are compared number by number.
"""

import importlib.metadata
import pickle
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from problems import cancer, diabetes, iris, scaled, several_labels
from processes import output_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ESTIMATORS = (MLPClassifier, MLPRegressor)
# As the issue asks of float64: a hundredth of a per mille of the loss.
CLOSE = 1e-5


def several_outputs():
    X, y = scaled(load_diabetes)
    return X, np.stack([y / 100, y / 200 - 1, np.sqrt(y) / 10], axis=1)


PROBLEMS = {
    "binary": (MLPClassifier, cancer),
    "classes": (MLPClassifier, iris),
    "strings": (MLPClassifier, lambda: (lambda X, y: (X, np.array(["a", "b", "c"])[y]))(*iris())),
    "labels": (MLPClassifier, lambda: several_labels(200, 8, 4)),
    "number": (MLPRegressor, diabetes),
    "numbers": (MLPRegressor, several_outputs),
}

SOLVERS = {
    "adam": {},
    "adam, tanh, three layers": {"activation": "tanh", "hidden_layer_sizes": (9, 7, 5), "alpha": 0.1},
    "adam, one batch": {"batch_size": 10_000},
    "adam, epsilon": {"epsilon": 1e-2, "beta_1": 0.5, "beta_2": 0.9},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.01},
    "sgd, plain": {"solver": "sgd", "momentum": 0.0, "activation": "logistic"},
    "sgd, heavy ball": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.01},
    "sgd, invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.1},
    "sgd, adaptive": {
        "solver": "sgd", "learning_rate": "adaptive", "tol": 1e-2, "n_iter_no_change": 2, "learning_rate_init": 0.02
    },
    "no hidden layer": {"hidden_layer_sizes": ()},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 3},
}  # fmt: skip


def twins(problem, **parameters):
    """fastmlp's estimator and scikit-learn's, both fitted, and the data."""
    estimator, data = PROBLEMS[problem]
    X, y = data()
    parameters = {"random_state": 0, "max_iter": 25, "batch_size": 64, "hidden_layer_sizes": (20,)} | parameters
    theirs = getattr(neural_network, estimator.__name__)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator(**parameters).fit(X, y), theirs(**parameters).fit(X, y), X, y


def assert_same_fit(ours, theirs, X):
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=CLOSE)
    for one, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(_outputs(ours, X), _outputs(theirs, X), rtol=1e-4, atol=1e-6)


def _outputs(estimator, X):
    return estimator.predict_proba(X) if hasattr(estimator, "predict_proba") else estimator.predict(X)


CHECKS = [
    pytest.param(estimator, check, id=f"{type(estimator).__name__}-{check.func.__name__}")
    for kind in ESTIMATORS
    for estimator, check in estimator_checks_generator(kind(max_iter=20))
]


@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("solver", list(SOLVERS))
@pytest.mark.parametrize("problem", list(PROBLEMS))
def test_the_loss_curve_follows_scikit_learns(problem, solver, shuffle):
    if solver == "early stopping" and problem in ("classes", "strings"):
        problem = "binary"  # three classes are held back in proportion here, and not there
    ours, theirs, X, _ = twins(problem, shuffle=shuffle, **SOLVERS[solver])
    assert_same_fit(ours, theirs, X)
    if solver == "early stopping":
        np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-4)
        assert ours.best_loss_ is theirs.best_loss_ is None
    else:
        np.testing.assert_allclose(ours.best_loss_, theirs.best_loss_, rtol=CLOSE)


@pytest.mark.parametrize("problem", list(PROBLEMS))
def test_lbfgs_ends_where_scikit_learns_does(problem):
    ours, theirs, X, _y = twins(problem, solver="lbfgs", max_iter=15, alpha=0.1, activation="tanh")
    assert ours.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=CLOSE)
    np.testing.assert_allclose(_outputs(ours, X), _outputs(theirs, X), rtol=1e-3, atol=1e-5)
    for n in range(1, 15):  # its curve, of which scikit-learn keeps none
        after_n = type(theirs)(**theirs.get_params() | {"max_iter": n}).fit(X, _y)
        np.testing.assert_allclose(ours.loss_curve_[n - 1], after_n.loss_, rtol=CLOSE)


@pytest.mark.parametrize("problem", list(PROBLEMS))
def test_everything_that_a_fitted_estimator_of_scikit_learn_has_is_there(problem):
    ours, theirs, X, y = twins(problem)
    for name, value in vars(theirs).items():
        assert hasattr(ours, name) or name.startswith("_"), name
        if name.endswith("_") and isinstance(value, (int, str, tuple)):
            assert getattr(ours, name) == value, name
    assert theirs.get_params().items() <= ours.get_params().items()
    predicted = ours.predict(X)
    assert predicted.dtype == theirs.predict(X).dtype
    if predicted.dtype.kind == "f":
        np.testing.assert_allclose(predicted, theirs.predict(X), rtol=1e-4)
    else:
        assert np.array_equal(predicted, theirs.predict(X))
    np.testing.assert_allclose(ours.score(X, y), theirs.score(X, y), rtol=1e-3)


# scikit-learn 1.6 has neither in its MLP, so that there is nothing to compare with.
since_1_7 = pytest.mark.skipif(
    "loss" not in neural_network.MLPRegressor().get_params(), reason="this scikit-learn has none to compare with"
)


@since_1_7
@pytest.mark.parametrize("problem", ["binary", "classes", "labels", "number"])
def test_sample_weights_do_what_they_do_there(problem):
    estimator, data = PROBLEMS[problem]
    X, y = data()
    weight = np.random.default_rng(0).uniform(0, 2, len(X))
    fitted = [
        cls(random_state=0, max_iter=200, batch_size=50, tol=1e-3).fit(X, y, sample_weight=weight)
        for cls in (estimator, getattr(neural_network, estimator.__name__))
    ]
    for one, other in zip(fitted[0].coefs_, fitted[1].coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fitted[0].loss_curve_, fitted[1].loss_curve_, rtol=CLOSE)
    assert fitted[0].n_iter_ == fitted[1].n_iter_


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_goes_on_as_there(solver):
    X, y = scaled(load_digits)
    ours, theirs = (
        cls(solver=solver, random_state=0, batch_size=100) for cls in (MLPClassifier, neural_network.MLPClassifier)
    )
    for part in np.array_split(np.arange(len(X)), 4):
        for estimator in (ours, theirs):
            estimator.partial_fit(X[part], y[part], classes=np.arange(10))
    assert_same_fit(ours, theirs, X)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_warm_start_goes_on_where_the_fit_ended_and_keeps_the_state_of_the_optimizer(solver):
    X, y = scaled(load_digits)
    parameters = {"solver": solver, "shuffle": False, "random_state": 0}
    warm = MLPClassifier(warm_start=True, max_iter=2, **parameters)
    for _ in range(3):
        warm = pickle.loads(pickle.dumps(warm.fit(X, y)))
    at_once = MLPClassifier(max_iter=6, **parameters).fit(X, y)
    np.testing.assert_allclose(warm.loss_curve_, at_once.loss_curve_, rtol=1e-12)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_pickle_keeps_the_state_of_the_optimizer(solver):
    X, y = scaled(load_digits)
    ends = []
    for pickled in (False, True):
        estimator = MLPClassifier(solver=solver, random_state=np.random.RandomState(0))
        for _ in range(4):
            estimator.partial_fit(X, y, classes=np.arange(10))
            if pickled:
                estimator = pickle.loads(pickle.dumps(estimator))
                estimator = pickle.loads(pickle.dumps(estimator))
        ends.append(np.concatenate([W.ravel() for W in estimator.coefs_]))
    assert np.array_equal(*ends)


def test_float32_stays_float32_and_sparse_is_dense():
    X, y = scaled(load_digits)
    X32 = X.astype(np.float32)
    for solver in ("adam", "lbfgs"):
        estimator = MLPClassifier(solver=solver, max_iter=5, random_state=0).fit(X32, y)
        assert {W.dtype for W in estimator.coefs_ + estimator.intercepts_} == {np.dtype(np.float32)}
        assert estimator.predict_proba(X32).dtype == np.float32
    dense, sparse = (MLPClassifier(max_iter=5, random_state=0).fit(x, y) for x in (X, csr_array(X)))
    assert dense.loss_curve_ == sparse.loss_curve_
    assert np.array_equal(dense.predict_proba(X), sparse.predict_proba(csr_array(X)))


def test_weights_put_in_by_hand_are_used():
    X, y = iris()
    estimator = MLPClassifier(max_iter=5, random_state=0).fit(X, y)
    estimator.coefs_[-1][...] = 0
    estimator.intercepts_[-1][...] = [0, 9, 0]
    assert set(estimator.predict(X)) == {1}
    estimator.intercepts_ = [estimator.intercepts_[0], np.array([0, 0, 9.0])]
    assert set(estimator.predict(X)) == {2}


def test_it_works_inside_scikit_learns_tools():
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=200, random_state=0, learning_rate_init=0.01))
    assert cross_val_score(model, X, y).mean() > 0.93
    search = GridSearchCV(model, {"mlpclassifier__alpha": [1e-4, 1.0]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.93
    assert clone(search.best_estimator_[-1]).get_params() == search.best_estimator_[-1].get_params()


@since_1_7
def test_a_poisson_regression_works():
    X, y = scaled(load_diabetes)
    parameters = {"loss": "poisson", "max_iter": 5, "random_state": 0}
    ours, theirs = (cls(**parameters).fit(X, y / 100) for cls in (MLPRegressor, neural_network.MLPRegressor))
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=CLOSE)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)
    with pytest.raises(ValueError, match="negative"):
        MLPRegressor(**parameters).fit(X, y - y.mean())


def test_training_that_overflows_and_training_that_does_not_learn_are_said():
    X, y = scaled(load_diabetes)
    with pytest.raises(ValueError, match="non-finite"):
        MLPRegressor(solver="sgd", learning_rate_init=1.0, random_state=0).fit(X, y * 1e6)
    with pytest.warns(ConvergenceWarning, match="scale it"):
        MLPRegressor(random_state=0).fit(X, y + 5e5)


def test_a_loss_that_overflows_in_the_mean_is_an_error():
    X, y = load_iris(return_X_y=True)
    X[7] = 1e308
    with pytest.raises(ValueError, match=r"non-finite parameter weights.*The loss was"):
        MLPClassifier((5,), max_iter=3, random_state=0).fit(X, y)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("parameter", "value"),
    [("activation", "swish"), ("alpha", -1), ("hidden_layer_sizes", (0,)), ("max_iter", 0), ("solver", "newton")],
)
def test_bad_parameters_are_refused_as_there(estimator, parameter, value):
    X, y = iris()
    errors = []
    for cls in (estimator, getattr(neural_network, estimator.__name__)):
        with pytest.raises(ValueError, match=parameter) as caught:
            cls(**{parameter: value}).fit(X, y)
        errors.append(str(caught.value))
    assert errors[0].partition("{")[0] == errors[1].partition("{")[0]  # there are more names here


WITHOUT = """
import sys
sys.modules["sklearn"] = None
import fastmlp
assert fastmlp.MLP([2, 1]).predict([1.0, 2.0]).shape == (1,)
try:
    from fastmlp import MLPClassifier
except ImportError as error:
    print(error)
"""


def has_metadata():
    try:
        return bool(importlib.metadata.requires("fastmlp"))
    except importlib.metadata.PackageNotFoundError:
        return False


def test_without_scikit_learn_fastmlp_says_how_to_get_it():
    expected = "scikit-learn>=1.6" if has_metadata() else "scikit-learn"  # the oldest is tested from the sources
    assert f"pip install '{expected}'" in output_of("-c", WITHOUT)


def test_importing_fastmlp_does_not_import_scikit_learn():
    assert output_of("-c", "import sys, fastmlp; print('sklearn' in sys.modules)").strip() == "False"
    assert fastmlp.MLPClassifier is MLPClassifier
