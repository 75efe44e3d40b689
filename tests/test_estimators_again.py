"""An estimator used again: from a pickle, by several threads, for a net of another size, after a fit that failed.

It works like one made anew, or says what does not fit and stays what it was. Not here: the training that goes on
where it ended, as in scikit-learn (test_estimators.py).
"""

import copy
import pickle
import threading
import warnings
from contextlib import suppress

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from fastmlp import MLPClassifier, MLPRegressor, estimator_data
from problems import diabetes, flat, iris

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# From a pickle, and by several threads


@pytest.mark.parametrize("change", ["neurons", "features"])
def test_an_estimator_from_a_pickle_can_be_fitted_with_another_size(change):
    X, y = iris()
    model = pickle.loads(pickle.dumps(MLPClassifier((5,), random_state=0, max_iter=3).fit(X, y)))
    if change == "neurons":
        model.set_params(hidden_layer_sizes=(3000, 200))
    else:
        X = X[:, :2]
    model.fit(X, y)
    fresh = MLPClassifier(**model.get_params()).fit(X, y)
    assert np.array_equal(flat(model), flat(fresh))


def test_threads_that_predict_at_once_from_a_pickle_get_the_right_answers():
    X, y = iris()
    stored = pickle.dumps(MLPClassifier((5,), random_state=0, max_iter=3).fit(X, y))
    right = pickle.loads(stored).predict_proba(X)
    for _ in range(200):
        model, answers = pickle.loads(stored), []
        workers = [threading.Thread(target=lambda m=model, a=answers: a.append(m.predict_proba(X))) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert len(answers) == 4
        assert all(np.array_equal(answer, right) for answer in [*answers, model.predict_proba(X)])


def test_threads_that_predict_while_an_estimator_is_fitted_anew_see_one_net_or_the_other():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    model, problems, over = MLPRegressor(hidden_layer_sizes=(8,), max_iter=2, random_state=0), [], threading.Event()
    model.fit(X, X[:, :2])

    def predict():
        while not over.is_set():
            try:
                assert model.predict(X).shape in ((200,), (200, 2), (200, 3))
            except Exception as problem:
                problems.append(problem)
                return

    reader = threading.Thread(target=predict)
    reader.start()
    for outputs in [2, 1, 3] * 60:
        model.fit(X, X[:, :outputs] if outputs > 1 else X[:, 0])
    over.set()
    reader.join()
    assert not problems


def test_two_threads_that_fit_one_estimator_do_not_crash():
    X, y = iris()
    model = MLPClassifier((32,), max_iter=10, random_state=0)

    def fit():
        for _ in range(20):
            with suppress(ValueError, RuntimeError, AttributeError, IndexError):
                model.fit(X, y)

    workers = [threading.Thread(target=fit) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert model.fit(X, y).predict(X).shape == y.shape


# With weights of another size


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("outputs", [(3000, 1), (3, 2), (1, 2), (2, 1)])
def test_a_net_does_not_go_on_with_another_number_of_outputs(outputs, solver):
    X, y = diabetes()
    before, after = (np.tile(y[:, None], n) if n > 1 else y for n in outputs)
    model = MLPRegressor(solver=solver, warm_start=True, max_iter=2, random_state=0).fit(X, before)
    state = flat(model).copy()
    with pytest.raises(ValueError, match=f"y has {outputs[1]} outputs"):
        model.fit(X, after)
    if solver == "adam":
        with pytest.raises(ValueError, match=f"y has {outputs[1]} outputs"):
            model.partial_fit(X, after)
    assert np.array_equal(flat(model), state)


def test_a_net_does_not_go_on_with_other_hidden_layers():
    X, y = iris()
    model = MLPClassifier((8,), max_iter=2, warm_start=True, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"\[4, 4\] neurons.*have \[8, 3\]"):
        model.set_params(hidden_layer_sizes=(4, 4)).fit(X, y)


@pytest.mark.parametrize(
    "shapes",
    [
        ([(4, 8), (8, 4), (4, 3)], [(8,), (4,), (3,)]),
        ([(500_000, 8), (8, 3)], [(8,), (3,)]),
        ([(4, 8), (8, 5000)], [(8,), (5000,)]),
        ([(4, 8), (1, 3)], [(8,), (3,)]),
        ([(4, 1), (8, 3)], [(8,), (3,)]),
        ([(4, 8), (8, 3)], [(8,), ()]),
        ([(4, 8)], [(8,), (3,)]),
    ],
)
def test_weights_that_do_not_fit_are_refused_wherever_they_are_used(shapes):
    X, y = iris()
    model = MLPClassifier((8,), max_iter=3, random_state=0).fit(X, y)
    right, good = model.predict_proba(X), (model.coefs_, model.intercepts_)
    model.coefs_, model.intercepts_ = ([np.ones(shape) for shape in part] for part in shapes)
    for use in (model.predict, model.predict_proba, model.transform, model.input_gradient):
        with pytest.raises(ValueError, match="coefs_ and intercepts_ have shapes"):
            use(X)
    with pytest.raises(ValueError, match="have"):
        model.partial_fit(X, y)
    model.coefs_, model.intercepts_ = good
    assert np.array_equal(model.predict_proba(X), right)


# After a fit that failed


NOT_FINITE = np.full((20, 4), np.nan)


@pytest.mark.parametrize(
    ("options", "call"),
    [
        ({}, {"eval_set": (NOT_FINITE, np.zeros(20))}),
        ({}, {"eval_set": (np.zeros((20, 3)), np.zeros(20))}),
        ({}, {"eval_set": (np.zeros((20, 4)), np.full(20, 9))}),
        ({}, {"eval_set": 3}),
        ({"eval_metric": "nosuch"}, {"eval_set": (np.zeros((20, 4)), np.zeros(20))}),
        ({"eval_metric": "accuracy"}, {}),
        ({"initial_weights": ([np.zeros(2)], [np.zeros(2)])}, {}),
        ({"solver": "lbfgs", "dropout": 0.5}, {}),
        ({}, {"sample_weight": np.zeros(150)}),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_a_fit_that_fails_before_its_first_epoch_leaves_what_was_fitted(options, call):
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier((5,), max_iter=3, random_state=0).fit(X, y)
    expected, attributes = model.predict_proba(X), set(vars(model))
    with pytest.raises((ValueError, TypeError)):
        model.set_params(**options).fit(X + 1, y[::-1] * 2 + 1, **call)
    assert set(vars(model)) == attributes
    assert np.array_equal(model.predict_proba(X), expected)
    assert list(model.classes_) == [0, 1, 2]


def test_a_first_fit_that_fails_leaves_nothing():
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier((5,), max_iter=3)
    with pytest.raises(ValueError, match="eval_set"):
        model.fit(X, y, eval_set=3)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_a_net_that_was_given_other_weights_and_another_activation_on_the_way_goes_on_with_them():
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.linspace(-1, 1, 60)

    def change(model, history):
        if history.epochs == 2:
            model.set_params(activation="tanh")
            model.coefs_ = [W.copy() for W in model.coefs_]

    model = MLPRegressor(hidden_layer_sizes=(6, 4), max_iter=4, random_state=1, callbacks=change)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    model.callbacks = None
    model.partial_fit(X, y)
    A = X
    for W, b in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        A = np.tanh(A @ W + b)
    expected = (A @ model.coefs_[-1] + model.intercepts_[-1])[:, 0]
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-10)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(model)).predict(X), expected, rtol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_partial_fit_of_arrays_that_are_ready_is_that_of_any_others(dtype, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)).astype(dtype), rng.normal(size=40).astype(dtype)
    models = [MLPRegressor(hidden_layer_sizes=(5,), random_state=seed) for seed in (0, 0)]
    for model in models:
        model.partial_fit(X, y)
    looks = []
    read = estimator_data.read

    def watched(*arguments, **options):
        looks.append(1)
        return read(*arguments, **options)

    monkeypatch.setattr(estimator_data, "read", watched)
    for _ in range(3):
        models[0].partial_fit(X, y)
    assert not looks
    for _ in range(3):
        models[1].partial_fit(np.asfortranarray(X), y.tolist())
    assert len(looks) == 3
    for one, other in zip(models[0].coefs_, models[1].coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
    for bad, words in (
        ((X, np.where(y == y[3], np.nan, y)), "NaN"), ((X[:, :2], y), "features"), ((X, y[:5]), "inconsistent"),
        ((np.where(X[2, 1] == X, np.inf, X), y), "infinity"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            models[0].partial_fit(*bad)


def test_a_copy_of_an_estimator_draws_from_a_generator_of_its_own():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    model = MLPRegressor(hidden_layer_sizes=(5,), random_state=0).partial_fit(X, y)
    other = copy.copy(model).partial_fit(X, y)
    assert model._random_state is not other._random_state
