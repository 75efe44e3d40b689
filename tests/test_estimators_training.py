"""What the training of the estimators has beyond scikit-learn's: weights of classes, other nets, solvers and losses.

Each extra against what it means, computed another way. Not here: what scikit-learn has, too (test_estimators.py), who
looks on and may stop (test_estimators_watched.py), and what a fitted estimator shows (test_estimators_inside.py).
"""

import pickle
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, formulas, schedules
from problems import cancer, diabetes, flat, iris, several_labels

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# Weights of classes


@pytest.mark.parametrize("data", [cancer, iris])
@pytest.mark.parametrize("given", ["balanced", {0: 3.0, 1: 0.5, 2: 1.0}])
def test_class_weights_are_sample_weights(data, given):
    X, y = data()
    X, y = X[: len(y) - 30], y[: len(y) - 30]  # so that iris is not balanced
    counts = np.bincount(y)
    of_class = len(y) / (len(counts) * counts) if given == "balanced" else np.array(list(given.values()))
    weight = np.linspace(1, 2, len(y))
    options = {"random_state": 0, "max_iter": 5}
    named = MLPClassifier(
        class_weight={k: v for k, v in given.items() if k < len(counts)} if given != "balanced" else given, **options
    )
    named.fit(X, y, sample_weight=weight)
    by_hand = MLPClassifier(**options).fit(X, y, sample_weight=weight * of_class[y])
    np.testing.assert_allclose(flat(named), flat(by_hand), rtol=1e-9, atol=1e-12)


def test_balanced_class_weights_find_the_rare_class():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 2))
    y = (X[:, 0] + 0.5 * rng.normal(size=1000) > 1.9).astype(int)
    plain, balanced = (
        MLPClassifier(random_state=0, max_iter=60, class_weight=weight).fit(X, y) for weight in (None, "balanced")
    )
    scores = [balanced_accuracy_score(y, model.predict(X)) for model in (plain, balanced)]
    assert scores[1] > scores[0] + 0.1


def test_balanced_class_weights_are_refused_where_the_classes_are_not_all_there():
    X, y = iris()
    with pytest.raises(ValueError, match="class_weight is 'balanced'"):
        MLPClassifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="class_weight"):
        MLPClassifier(class_weight="even").fit(X, y)


def test_class_weights_by_name_go_with_partial_fit_whatever_classes_a_part_has():
    X, y = iris()
    model = MLPClassifier(class_weight={0: 3.0}, random_state=0)
    for rows in (slice(0, 50), slice(50, None)):
        model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert model.t_ == 150


@pytest.mark.parametrize("wrong", [{0: np.nan}, {0: -1.0}, {0: 0, 1: 0, 2: 0}])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_class_weights_that_are_none_are_refused(solver, wrong):
    X, y = iris()
    with pytest.raises(ValueError, match="class_weight is"):
        MLPClassifier(solver=solver, class_weight=wrong).fit(X, y)


# The net


@pytest.mark.parametrize("name", [*formulas.ACTIVATIONS, "logistic"])
def test_every_activation_can_be_had(name):
    X, y = iris()
    model = MLPClassifier((8, 8), activation=name, random_state=0, max_iter=300, learning_rate_init=0.01).fit(X, y)
    assert model.score(X, y) > 0.9


def test_every_layer_can_have_an_activation_of_its_own():
    X, y = diabetes()
    model = MLPRegressor(hidden_layer_sizes=(6, 5), activation=["logistic", "gelu"], random_state=0, max_iter=3).fit(
        X, y
    )
    net = fastmlp.MLP.from_parameters(
        model.coefs_, model.intercepts_, activation=["sigmoid", "gelu"], dtype="float64"
    )
    np.testing.assert_allclose(model.predict(X), net.predict(X)[:, 0], rtol=1e-12)


def test_layers_and_width_are_two_numbers_for_a_tuner():
    X, y = iris()
    search = GridSearchCV(MLPClassifier(max_iter=5, random_state=0), {"n_layers": [1, 3], "width": [4, 9]}, cv=3).fit(
        X, y
    )
    best = search.best_estimator_
    assert [W.shape[1] for W in best.coefs_[:-1]] == [best.width] * best.n_layers
    assert [len(b) for b in MLPClassifier(n_layers=2, max_iter=1).fit(X, y).intercepts_] == [100, 100, 3]
    assert [len(b) for b in MLPClassifier(width=7, max_iter=1).fit(X, y).intercepts_] == [7, 3]


def test_initial_weights_are_where_training_starts():
    X, y = iris()
    first = MLPClassifier((5,), random_state=0, max_iter=3).fit(X, y)
    again = MLPClassifier(
        (5,), max_iter=1, solver="sgd", learning_rate_init=1e-300, initial_weights=(first.coefs_, first.intercepts_)
    )
    assert np.array_equal(flat(again.fit(X, y)), flat(first))
    assert np.array_equal(flat(clone(again).fit(X, y)), flat(first))
    for wrong, said in [
        ((first.coefs_,), "1 elements"),
        (([*first.coefs_, first.coefs_[0]], first.intercepts_), "coefs of initial_weights has shapes"),
        ((first.coefs_[::-1], first.intercepts_), "coefs of initial_weights has shapes"),
        ((first.coefs_, first.intercepts_[:1]), "intercepts of initial_weights"),
        (([W * np.nan for W in first.coefs_], first.intercepts_), "not finite"),
    ]:
        with pytest.raises(ValueError, match=said):
            MLPClassifier((5,), initial_weights=wrong).fit(X, y)


def test_the_number_of_threads_changes_no_bit():
    X, y = cancer()
    fits = [MLPClassifier(random_state=0, max_iter=5, n_threads=n).fit(X, y) for n in (1, 2, 3)]
    assert np.array_equal(flat(fits[0]), flat(fits[1]))
    assert np.array_equal(flat(fits[0]), flat(fits[2]))
    with pytest.raises(ValueError, match="n_threads"):
        MLPClassifier(n_threads=0).fit(X, y)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_labels_come_back_sparse(solver):
    X, Y = several_labels()
    model, dense = (MLPClassifier(solver=solver, max_iter=20, random_state=0).fit(X, y) for y in (csr_array(Y), Y))
    assert np.array_equal(model.predict(X).toarray(), dense.predict(X))
    assert model.score(X, csr_array(Y)) == dense.score(X, Y)


# The steps


def test_dropout_drops_in_training_only_and_repeats_with_the_seed():
    X, y = iris()
    plain = MLPClassifier(random_state=0, max_iter=20).fit(X, y)
    first, second, listed = (
        MLPClassifier(random_state=0, max_iter=20, dropout=share).fit(X, y) for share in (0.5, 0.5, [0.5])
    )
    assert first.loss_curve_ == second.loss_curve_ == listed.loss_curve_
    assert first.loss_curve_[-1] > plain.loss_curve_[-1]
    assert np.array_equal(first.predict_proba(X), first.predict_proba(X))
    assert first.score(X, y) > 0.8


def test_l1_makes_small_weights_smaller():
    X, y = diabetes()
    plain, sparse = (MLPRegressor(random_state=0, max_iter=200, l1=l1).fit(X, y) for l1 in (0.0, 0.05))
    assert np.mean(np.abs(sparse.coefs_[0]) < 1e-2) > np.mean(np.abs(plain.coefs_[0]) < 1e-2) + 0.2


def test_a_clipped_gradient_moves_the_weights_so_far_and_no_farther():
    X, y = diabetes()
    start = MLPRegressor(random_state=0, max_iter=1, solver="sgd", momentum=0, learning_rate_init=1e-12).fit(X, y)
    model = MLPRegressor(
        random_state=0, max_iter=1, solver="sgd", momentum=0, alpha=0, learning_rate_init=0.5, clip_norm=1e-3,
        batch_size=442,
    )  # fmt: skip
    model.fit(X, y)
    np.testing.assert_allclose(np.linalg.norm(flat(model) - flat(start)), 0.5e-3, rtol=1e-6)


@pytest.mark.parametrize("solver", ["adamw", "rmsprop"])
def test_more_solvers_learn_and_go_on_after_a_pickle(solver):
    X, y = iris()
    assert MLPClassifier(solver=solver, random_state=0, max_iter=300).fit(X, y).score(X, y) > 0.9
    ends = []
    for pickled in (False, True):
        model = MLPClassifier(solver=solver, random_state=np.random.RandomState(0))
        for _ in range(3):
            model.partial_fit(X, y, classes=[0, 1, 2])
            model = pickle.loads(pickle.dumps(model)) if pickled else model
        ends.append(flat(model))
    assert np.array_equal(*ends)


@pytest.mark.parametrize(
    ("name", "value"),
    [("dropout", 0.1), ("clip_norm", 1.0), ("l1", 0.1), ("schedule", "cosine"), ("batch_callbacks", print)],
)
def test_lbfgs_says_what_it_has_not(name, value):
    X, y = iris()
    with pytest.raises(ValueError, match=f"{name} is .*lbfgs"):
        MLPClassifier(solver="lbfgs", **{name: value}).fit(X, y)


@pytest.mark.parametrize("schedule", [*schedules.SCHEDULES, schedules.Cosine(warm_up=0.2)])
def test_a_schedule_reaches_every_step(schedule):
    X, y = diabetes()
    options = {"random_state": 0, "max_iter": 4, "batch_size": 100, "shuffle": False, "alpha": 0, "solver": "sgd",
               "momentum": 0, "learning_rate_init": 0.1}  # fmt: skip
    model = MLPRegressor(schedule=schedule, **options).fit(X, y)
    start = MLPRegressor(**options | {"learning_rate_init": 1e-300}).fit(X, y)
    net = fastmlp.MLP.from_parameters(start.coefs_, start.intercepts_, activation="relu", dtype="float64")
    net.fit(X, y, epochs=4, batch_size=100, shuffle=False, optimizer=fastmlp.SGD(0.1), schedule=schedule)
    for one, other in zip(model.coefs_, net.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_a_schedule_does_not_go_with_partial_fit_and_its_warnings_do_not_come_with_every_part():
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match="schedule"):
        MLPRegressor(schedule="cosine").partial_fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPRegressor(random_state=0).partial_fit(X, y + 5e5)


# Losses of a regression


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_the_quantile_loss_estimates_that_quantile(quantile):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(3000, 1))
    y = X[:, 0] + rng.exponential(size=3000)
    model = MLPRegressor(
        loss="quantile", quantile=quantile, random_state=0, max_iter=100, learning_rate_init=0.01, schedule="cosine"
    )
    below = np.mean(y < model.fit(X, y).predict(X))
    assert abs(below - quantile) < 0.03


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "log_cosh"])
def test_a_loss_that_grows_slowly_is_not_led_astray_by_a_few_wrong_targets(loss):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(1000, 1))
    y = 2 * X[:, 0]
    spoiled = np.where(rng.random(1000) < 0.1, y + 30, y)
    errors = []
    for name in ("squared_error", loss):
        model = MLPRegressor(loss=name, random_state=0, max_iter=100, learning_rate_init=0.01).fit(X, spoiled)
        errors.append(np.mean(np.abs(model.predict(X) - y)))
    assert errors[1] < 0.3 < 1 < errors[0]


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "log_cosh", "quantile", "poisson"])
def test_the_loss_noted_is_the_loss(loss, solver):
    X, y = diabetes()
    options = {"quantile": 0.3, "huber_delta": 0.4}
    model = MLPRegressor(loss=loss, solver=solver, random_state=0, max_iter=20, alpha=0, shuffle=False, **options)
    model.fit(X, y, eval_set=(X, y))
    a = model.predict(X)
    d = y - a
    expected = {
        "squared_error": 0.5 * d**2,
        "absolute_error": np.abs(d),
        "huber": np.where(np.abs(d) <= 0.4, 0.5 * d**2, 0.4 * (np.abs(d) - 0.2)),
        "log_cosh": np.log(np.cosh(d)),
        "quantile": np.maximum(0.3 * d, -0.7 * d),
        "poisson": y * np.log(y / a) - y + a,
    }[loss]
    np.testing.assert_allclose(min(model.validation_curve_), expected.mean(), rtol=1e-6)


@pytest.mark.parametrize("wrong", [{"loss": "hinge"}, {"quantile": 1.0}, {"huber_delta": 0}])
def test_a_loss_that_is_none_is_refused(wrong):
    X, y = diabetes()
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MLPRegressor(max_iter=2, **wrong).fit(X, y)


# Arguments


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"activation": ["relu", "relu"]}, "activation has 2 names for 1"),
        ({"activation": ["swish"]}, "swish"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": [0.1, 0.2]}, "dropout"),
        ({"dropout": ["a"]}, "dropout"),
        ({"l1": -1.0}, "l1"),
        ({"clip_norm": 0}, "clip_norm"),
        ({"schedule": "cosin"}, "schedule"),
        ({"max_time": -1}, "max_time"),
        ({"callbacks": 3}, "callbacks"),
        ({"progress": "bar"}, "progress"),
        ({"scale": "minmax"}, "scale"),
        ({"n_layers": 0}, "n_layers"),
        ({"width": 0}, "width"),
        ({"weight_decay": -1}, "weight_decay"),
    ],
)
def test_an_extra_that_cannot_be_used_is_refused(wrong, said):
    X, y = iris()
    with pytest.raises((ValueError, TypeError), match=said):
        MLPClassifier(max_iter=2, **wrong).fit(X, y)


def test_sizes_that_are_no_whole_numbers_are_refused():
    X, y = iris()
    with pytest.raises(TypeError):
        MLPClassifier(hidden_layer_sizes=(2.5,)).fit(X, y)


def test_names_may_be_strings_of_numpy():
    X, y = diabetes()
    MLPRegressor(activation=np.str_("tanh"), loss=np.str_("poisson"), solver=np.str_("sgd"), max_iter=2).fit(X, y)
    MLPRegressor(hidden_layer_sizes=(5,), activation=np.array(["gelu"]), max_iter=2).fit(X, y)
