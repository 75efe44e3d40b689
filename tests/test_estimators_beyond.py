"""What the estimators have beyond scikit-learn's: each extra against what it means, computed another way."""

import pickle
import threading
import warnings
from contextlib import suppress

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import config_context, neural_network
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import NotFittedError
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, formulas, schedules

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def scaled(data):
    X, y = data(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def iris():
    return scaled(load_iris)


def cancer():
    return scaled(load_breast_cancer)


def diabetes():
    X, y = scaled(load_diabetes)
    return X, y / 100


def flat(estimator):
    return np.concatenate([array.ravel() for array in estimator.coefs_ + estimator.intercepts_])


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


# Data to measure on


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("task", ["classes", "number"])
def test_the_loss_on_eval_set_is_noted_after_every_epoch_and_the_best_weights_are_kept(task, solver):
    X, y = iris() if task == "classes" else diabetes()
    X, X_eval, y, y_eval = train_test_split(X, y, random_state=0)
    estimator = MLPClassifier if task == "classes" else MLPRegressor
    seen = []

    def loss(model, history):
        if task == "classes":
            seen.append(-np.mean(model.predict_log_proba(X_eval)[np.arange(len(y_eval)), y_eval]))
        else:
            seen.append(0.5 * np.mean((model.predict(X_eval) - y_eval) ** 2))

    model = estimator(
        random_state=0, max_iter=150, learning_rate_init=0.05, solver=solver, callbacks=loss, hidden_layer_sizes=30,
        alpha=1e-9,
    )  # fmt: skip
    model.fit(X, y, eval_set=(X_eval, y_eval))
    np.testing.assert_allclose(model.validation_curve_, seen, rtol=1e-5, atol=1e-12)
    assert len(seen) == model.n_iter_ == len(model.loss_curve_)
    best = int(np.argmin(seen))
    assert best < len(seen) - 1, "the test needs a net that learns by heart"
    loss(model, None)
    np.testing.assert_allclose(seen[-1], seen[best], rtol=1e-9)


def test_eval_set_does_not_change_the_way_there():
    X, y = iris()
    alone = MLPClassifier(random_state=0, max_iter=5).fit(X, y)
    seen = MLPClassifier(random_state=0, max_iter=5).fit(X, y, eval_set=(X[:20], y[:20]))
    assert alone.loss_curve_ == seen.loss_curve_


@pytest.mark.parametrize(
    "metric", ["f1_macro", "neg_log_loss", lambda model, X, y: -float(np.mean(model.predict(X) != y))]
)
def test_any_scorer_decides_which_weights_are_best_and_when_to_stop(metric):
    X, y = iris()
    X, X_eval, y, y_eval = train_test_split(X, y, random_state=1)
    model = MLPClassifier(
        random_state=0,
        early_stopping=True,
        n_iter_no_change=5,
        max_iter=300,
        eval_metric=metric,
        learning_rate_init=0.05,
    )
    model.fit(X, y, eval_set=(X_eval, y_eval))
    assert len(model.validation_scores_) == model.n_iter_ < 300
    assert model.best_validation_score_ == max(model.validation_scores_)
    score = fastmlp_score(metric, model, X_eval, y_eval)
    np.testing.assert_allclose(score, max(model.validation_scores_), rtol=1e-12)


def fastmlp_score(metric, model, X, y):
    from sklearn.metrics import get_scorer

    return get_scorer(metric)(model, X, y) if isinstance(metric, str) else metric(model, X, y)


def test_early_stopping_by_eval_set_trains_on_all_rows_and_notes_the_loss():
    X, y = iris()
    model = MLPClassifier(
        random_state=0, early_stopping=True, n_iter_no_change=2, max_iter=300, learning_rate_init=0.1
    )
    model.fit(X, y, eval_set=(X, y))
    assert model.t_ == model.n_iter_ * len(X)
    assert model.n_iter_ == len(model.validation_curve_) < 300
    np.testing.assert_allclose(log_loss(y, model.predict_proba(X)), min(model.validation_curve_), rtol=1e-6)


def test_rows_held_back_for_early_stopping_have_a_curve_of_their_loss():
    X, y = cancer()
    model = MLPClassifier(random_state=0, early_stopping=True, max_iter=10).fit(X, y)
    assert len(model.validation_curve_) == len(model.validation_scores_) == model.n_iter_
    assert model.validation_curve_[-1] < model.validation_curve_[0]


@pytest.mark.parametrize(
    ("options", "given", "said"),
    [
        ({}, (1, 2, 3), "eval_set"),
        ({}, "no", "eval_set"),
        ({}, (np.zeros((3, 3)), [0, 1, 2]), "features"),
        ({}, (np.zeros((2, 4)), [0, 7]), "classes"),
        ({}, (np.full((2, 4), np.nan), [0, 1]), "NaN"),
        ({"eval_metric": "f1_macro"}, None, "without eval_set"),
        ({"eval_metric": "no_such_score"}, (np.zeros((2, 4)), [0, 1]), "no_such_score"),
    ],
)
def test_an_eval_set_that_does_not_fit_is_refused(options, given, said):
    X, y = iris()
    with pytest.raises(ValueError, match=said):
        MLPClassifier(max_iter=2, **options).fit(X, y, eval_set=given)


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


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step", "one_cycle", schedules.Cosine(warm_up=0.2)])
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


# Who may look and stop


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_callback_sees_the_estimator_and_the_history_and_may_stop(solver):
    X, y = iris()
    seen = []

    def stop(model, history):
        seen.append((model.n_iter_, history.epochs, history.loss[-1], model.predict(X).shape))
        return history.epochs == 3

    model = MLPClassifier(solver=solver, random_state=0, callbacks=[stop, lambda *_: None]).fit(X, y)
    assert model.n_iter_ == 3
    assert [n for n, *_ in seen] == [1, 2, 3] == [n for _, n, *_ in seen]
    assert seen[-1][2] == model.loss_curve_[-1] == model.loss_


def test_a_callback_after_a_batch_may_stop_at_once():
    X, y = iris()
    losses = []
    model = MLPClassifier(
        random_state=0,
        batch_size=50,
        batch_callbacks=lambda model, history: losses.append(history.batch_loss) or len(losses) == 2,
    )
    model.fit(X, y)
    assert (len(losses), model.n_iter_) == (2, 1)
    alone, looked_at = (
        MLPClassifier(random_state=0, batch_size=40, max_iter=3, batch_callbacks=calls).fit(X, y)
        for calls in (None, [lambda *_: None])
    )
    assert np.array_equal(flat(alone), flat(looked_at))
    np.testing.assert_allclose(alone.loss_curve_, looked_at.loss_curve_, rtol=1e-12)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_time_that_is_up_ends_the_fit(solver):
    X, y = iris()
    model = MLPClassifier(
        solver=solver, random_state=0, max_iter=10**6, tol=0, n_iter_no_change=10**6, max_fun=10**9, max_time=0.2
    )
    model.fit(X, y)
    assert model.n_iter_ < 10**6


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("kind", [True, "tqdm"])
def test_progress_is_shown_when_asked_for(capsys, kind, solver):
    X, y = iris()
    MLPClassifier(solver=solver, random_state=0, max_iter=4).fit(X, y)
    assert capsys.readouterr().err == ""
    MLPClassifier(solver=solver, random_state=0, max_iter=4, progress=kind).fit(X, y)
    assert "4/4" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "value"),
    [("dropout", 0.1), ("clip_norm", 1.0), ("l1", 0.1), ("schedule", "cosine"), ("batch_callbacks", print)],
)
def test_lbfgs_says_what_it_has_not(name, value):
    X, y = iris()
    with pytest.raises(ValueError, match=f"{name} is .*lbfgs"):
        MLPClassifier(solver="lbfgs", **{name: value}).fit(X, y)


# Looking inside


def test_transform_gives_the_activations_of_a_layer():
    X, y = iris()
    model = MLPClassifier((6, 5, 4), activation="tanh", random_state=0, max_iter=3).fit(X, y)
    hidden = X
    for layer, (W, b) in enumerate(zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True)):
        hidden = np.tanh(hidden @ W + b)
        np.testing.assert_allclose(model.transform(X, layer=layer), hidden, rtol=1e-10)
        np.testing.assert_allclose(model.transform(X, layer=layer - 3), hidden, rtol=1e-10)
    for wrong in (3, -4):
        with pytest.raises(ValueError, match=f"layer is {wrong}"):
            model.transform(X, layer=wrong)
    assert make_pipeline(model, MLPClassifier(max_iter=1)).fit(X, y).predict(X).shape == (150,)
    assert list(model.set_output(transform="pandas").transform(X)) == [f"mlpclassifier{i}" for i in range(4)]


def several_numbers():
    X, y = diabetes()
    return X, np.stack([y, -2 * y + X[:, 0]], axis=1)


def several_labels():
    X, y = make_multilabel_classification(100, n_features=4, n_classes=3, random_state=0)
    return StandardScaler().fit_transform(X), y


OUTPUTS = {
    "binary": (MLPClassifier, cancer, {}),
    "classes": (MLPClassifier, iris, {}),
    "labels": (MLPClassifier, several_labels, {}),
    "number": (MLPRegressor, diabetes, {}),
    "numbers": (MLPRegressor, several_numbers, {}),
    "counts": (MLPRegressor, diabetes, {"loss": "poisson"}),
    "huber": (MLPRegressor, diabetes, {"loss": "huber"}),
}


@pytest.mark.parametrize("scale", [None, "standard"])
@pytest.mark.parametrize("kind", list(OUTPUTS))
def test_the_gradient_in_the_inputs_is_that_of_the_prediction(kind, scale):
    estimator, data, options = OUTPUTS[kind]
    X, y = data()
    model = estimator((8,), activation="tanh", random_state=0, max_iter=30, scale=scale, **options) if kind in (
        "binary", "classes", "labels") else estimator(
        hidden_layer_sizes=(8,), activation="tanh", random_state=0, max_iter=30, scale=scale, **options)  # fmt: skip
    X = X * 2 + 1
    model.fit(X, y)

    def outputs(X):
        if estimator is MLPRegressor:
            return model.predict(X)
        return model.predict_proba(X)[:, 1] if kind == "binary" else model.predict_proba(X)

    found, h = model.input_gradient(X[:7]), 1e-5
    for feature in range(min(4, X.shape[1])):
        step = np.zeros(X.shape[1])
        step[feature] = h
        difference = (outputs(X[:7] + step) - outputs(X[:7] - step)) / (2 * h)
        np.testing.assert_allclose(found[..., feature], difference, rtol=1e-5, atol=1e-8)
    assert np.abs(found).max() > 1e-3


def test_a_scale_by_quantiles_has_no_gradient():
    X, y = diabetes()
    with pytest.raises(ValueError, match="quantile"):
        MLPRegressor(scale="quantile", max_iter=2, random_state=0).fit(X, y).input_gradient(X)


# Scaling inside


@pytest.mark.parametrize("scale", ["standard", "quantile"])
def test_large_targets_are_learned_with_scaling_inside(scale):
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(scale=scale, random_state=0, max_iter=300).fit(X * 1e3 + 7, y * 1e3 + 5e5)
    assert model.score(X * 1e3 + 7, y * 1e3 + 5e5) > 0.5
    assert model.predict(X[:1] * 1e3 + 7).shape == (1,)


def test_scaling_inside_is_scaling_outside():
    X, y = load_breast_cancer(return_X_y=True)
    inside = MLPClassifier(scale="standard", random_state=0, max_iter=20).fit(X, y)
    outside = make_pipeline(StandardScaler(), MLPClassifier(random_state=0, max_iter=20)).fit(X, y)
    np.testing.assert_allclose(inside.predict_proba(X), outside.predict_proba(X), rtol=1e-9)
    for early in (
        MLPClassifier(scale="standard", early_stopping=True, random_state=0, max_iter=20),
        pickle.loads(pickle.dumps(inside)),
    ):
        early = early.fit(X, y) if not hasattr(early, "coefs_") else early
        assert early.score(X, y) > 0.9
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(scale="standard", early_stopping=True, random_state=0, max_iter=50).fit(X, y)
    assert model.predict(X).std() > 10


def test_scaling_inside_goes_with_partial_fit_and_the_first_rows_set_it():
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(scale="standard", random_state=0, learning_rate_init=0.01)
    for _ in range(60):
        for rows in (slice(0, 221), slice(221, None)):
            model.partial_fit(X[rows], y[rows])
    np.testing.assert_allclose(model.y_scaler_.mean_, y[:221].mean())
    assert model.score(X, y) > 0.5


def test_a_fit_without_scale_forgets_the_scalers():
    X, y = diabetes()
    model = MLPRegressor(scale="standard", random_state=0, max_iter=5).fit(X, y)
    model.set_params(scale=None).fit(X, y)
    assert np.array_equal(model.predict(X), MLPRegressor(random_state=0, max_iter=5).fit(X, y).predict(X))


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
    with pytest.raises(ValueError, match=said):
        MLPClassifier(max_iter=2, **wrong).fit(X, y)


@pytest.mark.parametrize("wrong", [{"loss": "hinge"}, {"quantile": 1.0}, {"huber_delta": 0}])
def test_a_loss_that_is_none_is_refused(wrong):
    X, y = diabetes()
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MLPRegressor(max_iter=2, **wrong).fit(X, y)


# What strangers and reviewers found


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


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_score_that_is_no_number_is_said():
    X, y = cancer()
    one_class = X[y == 1][:20], y[y == 1][:20]
    with pytest.raises(ValueError, match="eval_metric 'roc_auc' is nan"):
        MLPClassifier(eval_metric="roc_auc", max_iter=5, random_state=0).fit(X, y, eval_set=one_class)


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_a_metric_goes_with_every_solver(solver):
    X, y = iris()
    model = MLPClassifier(solver=solver, eval_metric="f1_macro", max_iter=20, random_state=0)
    model.fit(X, y, eval_set=(X, y))
    assert len(model.validation_scores_) == len(model.loss_curve_) == len(model.validation_curve_)
    assert model.best_validation_score_ == max(model.validation_scores_)


def test_scaling_inside_does_not_mind_pandas_output():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    with config_context(transform_output="pandas"):
        model = MLPRegressor(scale="standard", random_state=0, max_iter=3).fit(X, y)
        assert model.predict(X).shape == y.shape
        assert list(model.transform(X, layer=0).columns[:1]) == ["mlpregressor0"]


def test_transform_names_the_columns_of_the_layer_it_shows():
    X, y = iris()
    model = MLPClassifier((6, 4), random_state=0, max_iter=2).fit(X, y).set_output(transform="pandas")
    assert [model.transform(X, layer=layer).shape[1] for layer in (0, 1, -2, -1)] == [6, 4, 6, 4]
    with pytest.raises(ValueError, match="no hidden layer"):
        MLPClassifier((), max_iter=2).fit(X, y).get_feature_names_out()


def test_weights_that_a_callback_puts_in_are_trained_on():
    X, y = iris()

    def replace(model, history):
        model.coefs_ = [W.copy() for W in model.coefs_]
        model.predict(X)

    plain, replaced = (
        MLPClassifier(random_state=0, max_iter=10, callbacks=calls).fit(X, y) for calls in (None, replace)
    )
    assert np.array_equal(flat(plain), flat(replaced))


def test_the_history_of_a_callback_is_that_of_its_fit():
    X, y = iris()
    epochs = []
    model = MLPClassifier(
        warm_start=True, max_iter=3, random_state=0, callbacks=lambda model, history: epochs.append(history.epochs)
    )
    model.fit(X, y).fit(X, y)
    assert epochs == [1, 2, 3, 1, 2, 3]
    assert len(model.loss_curve_) == 6


def test_class_weights_by_name_go_with_partial_fit_whatever_classes_a_part_has():
    X, y = iris()
    model = MLPClassifier(class_weight={0: 3.0}, random_state=0)
    for rows in (slice(0, 50), slice(50, None)):
        model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert model.t_ == 150


def test_a_schedule_does_not_go_with_partial_fit_and_its_warnings_do_not_come_with_every_part():
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match="schedule"):
        MLPRegressor(schedule="cosine").partial_fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPRegressor(random_state=0).partial_fit(X, y + 5e5)


def test_sizes_that_are_no_whole_numbers_are_refused():
    X, y = iris()
    with pytest.raises(TypeError):
        MLPClassifier(hidden_layer_sizes=(2.5,)).fit(X, y)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_interrupt_leaves_an_estimator_that_works(solver):
    X, y = load_diabetes(return_X_y=True)
    X = X.astype(np.float32)

    def interrupt(model, history):
        raise KeyboardInterrupt

    model = MLPRegressor(solver=solver, callbacks=interrupt, random_state=0)
    if solver == "adam":
        with pytest.warns(UserWarning, match="interrupted"):
            model.fit(X, y)
    else:
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, y)
    assert model.predict(X).dtype == np.float32
    assert model.coefs_[0].dtype == np.float32


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


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_labels_come_back_sparse(solver):
    X, Y = several_labels()
    model, dense = (MLPClassifier(solver=solver, max_iter=20, random_state=0).fit(X, y) for y in (csr_array(Y), Y))
    assert np.array_equal(model.predict(X).toarray(), dense.predict(X))
    assert model.score(X, csr_array(Y)) == dense.score(X, Y)


@pytest.mark.parametrize("scale", ["standard", "quantile"])
def test_scaling_inside_takes_sparse_data_as_dense(scale):
    X, y = diabetes()
    one, other = (
        MLPRegressor(scale=scale, max_iter=3, random_state=0).fit(data, y).predict(data) for data in (X, csr_array(X))
    )
    assert np.array_equal(one, other)


def test_names_may_be_strings_of_numpy():
    X, y = diabetes()
    MLPRegressor(activation=np.str_("tanh"), loss=np.str_("poisson"), solver=np.str_("sgd"), max_iter=2).fit(X, y)
    MLPRegressor(hidden_layer_sizes=(5,), activation=np.array(["gelu"]), max_iter=2).fit(X, y)


@pytest.mark.parametrize("wrong", [{0: np.nan}, {0: -1.0}, {0: 0, 1: 0, 2: 0}])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_class_weights_that_are_none_are_refused(solver, wrong):
    X, y = iris()
    with pytest.raises(ValueError, match="class_weight is"):
        MLPClassifier(solver=solver, class_weight=wrong).fit(X, y)


@pytest.mark.parametrize("layer", [1.5, "a", None])
def test_a_layer_that_is_no_number_is_refused(layer):
    X, y = iris()
    with pytest.raises(TypeError, match="layer is"):
        MLPClassifier(max_iter=2).fit(X, y).transform(X, layer=layer)


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


def test_a_loss_that_overflows_in_the_mean_is_an_error():
    X, y = load_iris(return_X_y=True)
    X[7] = 1e308
    with pytest.raises(ValueError, match="non-finite loss"):
        MLPClassifier((5,), max_iter=3, random_state=0).fit(X, y)


def test_negative_sample_weights_count_as_in_scikit_learn():
    X, y = load_iris(return_X_y=True)
    w = np.where(np.arange(150) % 3 == 0, 2.0, -1.0)
    w[:30] = -1
    losses = [
        kind((5,), max_iter=4, batch_size=40, random_state=0).fit(X, y, sample_weight=w).loss_curve_
        for kind in (MLPClassifier, neural_network.MLPClassifier)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-10)
