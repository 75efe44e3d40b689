"""Who looks on while an estimator trains, and may stop it: data to measure on, scorers, callbacks, the clock, Ctrl-C,
progress.

What is seen is computed once more from outside. Not here: the same of MLP.fit (test_stopping.py, test_schedules.py,
test_neighbour.py, test_fit.py).
"""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from fastmlp import MLPClassifier, MLPRegressor
from problems import cancer, diabetes, flat, iris

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


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


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_a_metric_goes_with_every_solver(solver):
    X, y = iris()
    model = MLPClassifier(solver=solver, eval_metric="f1_macro", max_iter=20, random_state=0)
    model.fit(X, y, eval_set=(X, y))
    assert len(model.validation_scores_) == len(model.loss_curve_) == len(model.validation_curve_)
    assert model.best_validation_score_ == max(model.validation_scores_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_score_that_is_no_number_is_said():
    X, y = cancer()
    one_class = X[y == 1][:20], y[y == 1][:20]
    with pytest.raises(ValueError, match="eval_metric 'roc_auc' is nan"):
        MLPClassifier(eval_metric="roc_auc", max_iter=5, random_state=0).fit(X, y, eval_set=one_class)


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


# Callbacks, the clock, progress


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


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_interrupt_leaves_an_estimator_that_works(solver):
    X, y = load_diabetes(return_X_y=True)
    X = X.astype(np.float32)

    def interrupt(model, history):
        raise KeyboardInterrupt

    model = MLPRegressor(solver=solver, callbacks=interrupt, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    assert model.predict(X).dtype == np.float32
    assert model.coefs_[0].dtype == np.float32


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
