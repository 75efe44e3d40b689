"""What an estimator is between and after its fits: its attributes, its best weights, its warnings, its errors.

Attributes are the truth, whoever wrote them; a fit that fails leaves all as it was, and one that diverges ends with
what was good; options that change between fits count. Not here: what is given to a fit (test_estimators_data.py).
"""

import json
import pickle
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from problems import flat, several_labels

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
y = X[:, 0] + 0.1 * RNG.normal(size=80)
c = (y > 0).astype(int)
THREE = np.arange(80) % 3
LABELS = several_labels(80, 3, 3)[1]
TASKS = {
    "number": (MLPRegressor, y),
    "numbers": (MLPRegressor, np.stack([y, -y], axis=1)),
    "binary": (MLPClassifier, c),
    "classes": (MLPClassifier, THREE),
    "labels": (MLPClassifier, LABELS),
}
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def made(estimator, **parameters):
    return estimator(**{"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0} | parameters)


# Attributes are the truth


@quiet
@pytest.mark.parametrize("task", list(TASKS))
def test_an_estimator_rebuilt_from_its_public_attributes_predicts_and_trains_on(task):
    kind, targets = TASKS[task]
    model, rebuilt = made(kind).fit(X, targets), made(kind)
    for name in ("out_activation_", "n_layers_", "n_outputs_", "classes_"):
        if hasattr(model, name):
            setattr(rebuilt, name, getattr(model, name))
    for name in ("coefs_", "intercepts_"):
        stored = json.dumps([array.tolist() for array in getattr(model, name)])
        setattr(rebuilt, name, [np.array(array) for array in json.loads(stored)])
    assert np.array_equal(rebuilt.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="expecting 3 features"):
        rebuilt.predict(X[:, :2])
    if hasattr(rebuilt, "classes_"):
        rebuilt.classes_ = list(rebuilt.classes_)
        assert np.array_equal(rebuilt.predict(X), model.predict(X))
        rebuilt.classes_ = model.classes_
    rebuilt.partial_fit(X, targets)
    assert np.isfinite(rebuilt.loss_curve_).all()
    assert rebuilt.set_params(warm_start=True).fit(X, targets).t_ == 80 * 6


@quiet
@pytest.mark.parametrize("kind", ["number", "classes"])
def test_another_activation_counts_from_the_next_prediction_on(kind):
    kind, targets = TASKS[kind]
    model = made(kind).fit(X, targets)
    before = model.predict(X).copy() if kind is MLPRegressor else model.predict_proba(X)
    model.set_params(activation="tanh")
    after = model.predict(X) if kind is MLPRegressor else model.predict_proba(X)
    A = np.tanh(X @ model.coefs_[0] + model.intercepts_[0]) @ model.coefs_[1] + model.intercepts_[1]
    expected = A[:, 0] if kind is MLPRegressor else np.exp(A) / np.exp(A).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(after, expected, rtol=1e-10)
    assert not np.allclose(before, after)
    copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(after, copied.predict(X) if kind is MLPRegressor else copied.predict_proba(X))
    model.activation = ["relu"]
    model.predict(X)
    model.activation[0] = "tanh"
    assert np.array_equal(after, model.predict(X) if kind is MLPRegressor else model.predict_proba(X))


@quiet
@pytest.mark.parametrize("task", list(TASKS))
def test_parameters_of_the_next_fit_do_not_count_in_a_prediction(task):
    kind, targets = TASKS[task]
    model = made(kind).fit(X, targets)
    expected = model.predict(X)
    changes = [{"hidden_layer_sizes": (3, 3), "dropout": [0.1, 0.2]}, {"dropout": 1.0}, {"missing_targets": "mask"}]
    if kind is MLPRegressor:
        changes += [{"loss": "poisson"}, {"loss": "quantile", "quantile": 5}, {"huber_delta": -1}]
    for change in changes:
        model.set_params(**change)
        assert np.array_equal(model.predict(X), expected)
        assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), expected)


@quiet
def test_a_loss_with_another_output_is_refused_when_a_fit_goes_on():
    model = made(MLPRegressor, warm_start=True).fit(X, np.exp(y))
    model.set_params(loss="poisson")
    for fit in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match="loss is 'poisson', which has the output 'exp'"):
            fit(X, np.exp(y))
    assert model.out_activation_ == "identity"


@quiet
def test_attributes_of_scikit_learns_estimator_make_one_of_ours():
    from sklearn import neural_network

    theirs = neural_network.MLPClassifier((5,), max_iter=5, random_state=0).fit(X, THREE)
    ours = made(MLPClassifier)
    ours.__dict__.update(theirs.__dict__)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    ours.partial_fit(X, THREE)


# Options that change between fits


CHANGES = [
    ({}, {"early_stopping": True}),
    ({"early_stopping": True}, {"early_stopping": False}),
    ({"solver": "lbfgs"}, {"solver": "adam"}),
    ({"solver": "lbfgs"}, {"solver": "sgd", "early_stopping": True}),
    ({"early_stopping": True}, {"solver": "lbfgs", "early_stopping": False}),
    ({"early_stopping": True, "solver": "sgd"}, {"solver": "rmsprop", "early_stopping": False}),
]


@quiet
@pytest.mark.parametrize("task", ["number", "classes"])
@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_options_may_change_between_fits(before, after, task):
    kind, targets = TASKS[task]
    model = made(kind, warm_start=True, **before).fit(X, targets)
    model.set_params(**after).fit(X, targets)
    scored = model.early_stopping or before.get("early_stopping", False)
    assert isinstance(model.validation_scores_, list if scored else type(None))
    model.fit(X, targets, eval_set=(X, targets))
    assert len(model.validation_curve_) >= model.n_iter_
    if model.solver != "lbfgs":
        model.set_params(early_stopping=False).partial_fit(X, targets)
        assert np.isfinite(model.best_loss_)


@quiet
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("decay", [0, 0.1])
def test_a_weight_decay_that_the_solver_has_not_is_refused(solver, decay):
    with pytest.raises(ValueError, match=f"weight_decay is {decay}, which solver='{solver}' has not"):
        made(MLPClassifier, solver=solver, weight_decay=decay).fit(X, c)


# Quantiles and other losses on rows held back


@quiet
@pytest.mark.parametrize("level", [0.05, 0.95])
def test_a_quantile_stays_one_with_early_stopping(level):
    rng = np.random.default_rng(1)
    data = rng.uniform(-1, 1, size=(4000, 1))
    targets = data[:, 0] + rng.exponential(size=4000)
    model = MLPRegressor(loss="quantile", quantile=level, early_stopping=True, random_state=0)
    model.set_params(learning_rate_init=0.01)
    assert abs(np.mean(targets < model.fit(data, targets).predict(data)) - level) < 0.02


@quiet
@pytest.mark.parametrize("loss", ["absolute_error", "huber", "log_cosh", "quantile", "poisson"])
def test_the_loss_of_rows_held_back_decides(loss):
    model = made(MLPRegressor, loss=loss, early_stopping=True, max_iter=20).fit(X, np.exp(y))
    assert model.validation_scores_ == [-loss for loss in model.validation_curve_]
    assert model.best_validation_score_ == max(model.validation_scores_)


# Divergence


def diverging(**parameters):
    return MLPRegressor(
        hidden_layer_sizes=(30,), activation="identity", solver="sgd", learning_rate_init=0.1, max_iter=100,
        random_state=0, **parameters,
    )  # fmt: skip


@quiet
def test_a_fit_that_diverges_without_good_weights_is_an_error_and_leaves_all_as_it_was():
    model = diverging()
    with pytest.raises(ValueError, match=r"^Solver produced non-finite parameter weights. The input data may"):
        model.fit(1e3 * X, y)
    model.set_params(learning_rate_init=1e-9).fit(X, y)
    before, curve = flat(model).copy(), model.loss_curve_
    with pytest.raises(ValueError, match="non-finite"):
        model.fit(1e200 * X, y)
    assert np.array_equal(flat(model), before)
    assert model.loss_curve_ is curve
    with pytest.raises(ValueError, match=r"non-finite.*The loss was (inf|nan) in iteration"):
        made(MLPRegressor, solver="lbfgs").fit(1e200 * X, 1e200 * y)


@quiet
@pytest.mark.parametrize("how", ["early_stopping", "eval_set", "X_val"])
def test_a_fit_that_diverges_ends_with_a_warning_and_the_best_weights(how):
    data, seen = 5 * X, []
    model = diverging(early_stopping=how == "early_stopping", callbacks=lambda m, h: seen.append(flat(m)))
    more = {"eval_set": {"eval_set": (data, y)}, "X_val": {"X_val": data, "y_val": y}}.get(how, {})
    with pytest.warns(
        ConvergenceWarning, match=r"diverged. The loss (on eval_set )?was (inf|nan) in iteration"
    ) as warned:
        model.fit(data, y, **more)
    assert {record.filename for record in warned} == {__file__}
    scores = model.validation_scores_ if how == "early_stopping" else [-loss for loss in model.validation_curve_]
    assert np.array_equal(flat(model), seen[int(np.nanargmax(scores))])
    if how == "early_stopping":
        assert np.isnan(model.validation_scores_[-1])


@quiet
def test_a_fit_that_diverges_with_a_metric_ends_with_the_best_weights_too():
    data, seen = 5 * X, []
    model = diverging(eval_metric="r2", callbacks=lambda m, h: seen.append(flat(m)))
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(data, y, eval_set=(data, y))
    assert len(model.validation_scores_) == len(model.validation_curve_) == len(model.loss_curve_)
    assert np.array_equal(flat(model), seen[int(np.nanargmax(model.validation_scores_))])


@quiet
def test_a_metric_that_cannot_be_computed_is_said_before_anything_is_trained():
    model = made(MLPClassifier, eval_metric="roc_auc")
    with pytest.raises(ValueError, match=r"eval_metric 'roc_auc' cannot be computed.*multi_class must be"):
        model.fit(X, THREE, eval_set=(X, THREE))
    assert not hasattr(model, "coefs_")
    model.set_params(eval_metric=None).fit(X, THREE)
    expected = model.predict(X)
    with pytest.raises(ValueError, match="eval_metric"):
        model.set_params(eval_metric="roc_auc").fit(X[:, :2], THREE, eval_set=(X[:, :2], THREE))
    assert np.array_equal(model.predict(X), expected)


@quiet
def test_a_fit_that_diverges_later_leaves_all_as_it_was():
    model = made(MLPRegressor, scale="standard").fit(X, y)
    before, curve, expected = flat(model).copy(), list(model.loss_curve_), model.predict(X)
    model.set_params(solver="sgd", learning_rate_init=0.1, activation="identity", max_iter=100, scale=None)
    model.set_params(hidden_layer_sizes=(30,))
    with pytest.raises(ValueError, match="non-finite"):
        model.fit(5 * X[:, :2], y)
    assert np.array_equal(flat(model), before)
    assert model.loss_curve_ == curve
    assert model.n_features_in_ == 3
    assert np.array_equal(model.set_params(activation="relu").predict(X), expected)
    model.set_params(
        scale="standard", warm_start=True, hidden_layer_sizes=(5,), learning_rate_init=50.0, momentum=1.0
    )
    with pytest.raises(ValueError, match="non-finite"):
        model.fit(X, y)
    assert np.array_equal(flat(model), before)
    assert model.loss_curve_ == curve


@quiet
def test_lbfgs_that_makes_no_step_keeps_its_weights():
    model = made(MLPRegressor, early_stopping=True, warm_start=True, alpha=0.0).fit(X, y)
    model.set_params(early_stopping=False, solver="lbfgs", max_iter=5000, max_fun=10**6).fit(X, y)
    model.set_params(tol=1e3)
    before = flat(model).copy()
    model.fit(X, y, eval_set=(X, y))
    assert model.n_iter_ == 0
    assert np.array_equal(flat(model), before)


@quiet
def test_scores_of_another_kind_are_not_compared():
    model = made(MLPRegressor, early_stopping=True, warm_start=True, max_iter=30, learning_rate_init=0.01).fit(X, y)
    before = flat(model).copy()
    model.set_params(loss="absolute_error").fit(X, y)
    assert max(model.validation_scores_) < 0  # losses alone
    assert not np.array_equal(flat(model), before)
    model.set_params(early_stopping=False, eval_metric="r2").fit(X, y, eval_set=(X, y))
    assert len(model.validation_scores_) == model.n_iter_


@quiet
@pytest.mark.parametrize(
    ("before", "after"), [("standard", "quantile"), ("quantile", "standard"), ("standard", None)]
)
def test_another_scale_is_refused_when_a_fit_goes_on(before, after):
    if before == after:
        return
    model = made(MLPRegressor, scale=before, warm_start=True).fit(X, y)
    expected = model.predict(X)
    model.set_params(scale=after)
    for fit in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=f"scale is {after!r}.*has seen X scaled by a"):
            fit(X, y)
    assert np.array_equal(model.predict(X), expected)
    model.set_params(warm_start=False).fit(X, y)


@quiet
def test_partial_fit_that_diverges_leaves_the_weights_as_they_were():
    model = made(MLPRegressor, solver="sgd", learning_rate_init=0.01).fit(X, y)
    before, curve = flat(model).copy(), list(model.loss_curve_)
    with pytest.raises(ValueError, match="non-finite"):
        model.partial_fit(1e200 * X, y)
    assert np.array_equal(flat(model), before)
    assert model.loss_curve_ == curve
    afresh = made(MLPRegressor, solver="sgd", learning_rate_init=0.01, warm_start=True)
    afresh.set_params(initial_weights=([W.copy() for W in model.coefs_], [b.copy() for b in model.intercepts_]))
    model.partial_fit(X, y)
    np.testing.assert_allclose(model.loss_curve_[-1], afresh.set_params(max_iter=1).fit(X, y).loss_, rtol=1e-9)


def test_the_loss_that_is_said_is_the_one_that_is_not_finite():
    with pytest.raises(ValueError, match=r"The loss was (inf|nan) in"):
        made(MLPRegressor, solver="sgd").fit(1e153 * X, y)


# Failures of other kinds


@quiet
@pytest.mark.parametrize("wrong", [{"activation": ["relu", "tanh"]}, {"dropout": [0.1, 0.2]}])
def test_a_parameter_that_does_not_fit_the_net_changes_nothing(wrong):
    model = made(MLPRegressor, scale="standard").fit(X, y)
    expected, mean = model.predict(X), model.x_scaler_.mean_.copy()
    good = {name: getattr(model, name) for name in wrong}
    with pytest.raises(ValueError, match="for 1 hidden layers"):
        model.set_params(**wrong).partial_fit(X + 100, y)
    assert np.array_equal(model.set_params(**good).predict(X), expected)
    assert np.array_equal(model.x_scaler_.mean_, mean)


@quiet
@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("answer", ["raises", float("nan"), "a string"])
def test_a_scorer_that_fails_later_leaves_all_as_it_was(answer, solver, warm_start):
    asked = []

    def scorer(model, X, y):
        asked.append(1)
        if len(asked) < 3:
            return 1.0
        if answer == "raises":
            raise ValueError("no score today")
        return answer

    model = made(MLPRegressor, solver=solver, warm_start=warm_start, random_state=3).fit(X, y)
    expected, curve, seen = model.predict(X), list(model.loss_curve_), model.t_
    with pytest.raises((ValueError, TypeError), match="eval_metric"):
        model.set_params(eval_metric=scorer).fit(X, y, eval_set=(X, y))
    assert np.array_equal(model.predict(X), expected)
    assert (model.loss_curve_, model.t_) == (curve, seen)


@quiet
@pytest.mark.parametrize("batch", [3, 9])
@pytest.mark.parametrize("problem", [RuntimeError, KeyboardInterrupt])
def test_a_callback_that_raises_leaves_what_was_trained(problem, batch):
    calls = []

    def callback(model, history):
        calls.append(flat(model))
        if len(calls) == batch:
            raise problem

    model = made(MLPClassifier, batch_size=20, warm_start=True).fit(X, c)
    with pytest.raises(problem):
        model.set_params(batch_callbacks=callback).fit(X, c)
    assert np.array_equal(flat(model), calls[-1])
    model.set_params(batch_callbacks=None).fit(X, c)


@quiet
def test_a_schedule_that_raises_does_not_cost_the_optimizer_its_state():
    def bad(progress):
        raise ValueError("no factors today")

    model, other = (made(MLPRegressor).partial_fit(X, y).partial_fit(X, y) for _ in range(2))
    with pytest.raises(ValueError, match="no factors today"):
        model.set_params(solver="sgd", schedule=bad, warm_start=True).fit(X, y)
    model.set_params(solver="adam", schedule=None, warm_start=False)
    assert np.array_equal(flat(model.partial_fit(X, y)), flat(other.partial_fit(X, y)))


@quiet
def test_an_activation_that_is_none_is_named():
    model = made(MLPRegressor).fit(X, y)
    with pytest.raises(TypeError, match="activation is None"):
        model.set_params(activation=None).predict(X)


# Data to validate on, under names that can be routed


@quiet
def test_validation_data_come_by_any_of_their_names():
    w = RNG.uniform(size=80)
    by_set, by_list, by_name = made(MLPClassifier), made(MLPClassifier), made(MLPClassifier)
    by_set.fit(X, c, eval_set=(X[:20], c[:20]))
    by_list.fit(X, c, eval_set=[(X[:20], c[:20])])
    by_name.fit(X, c, X_val=X[:20], y_val=c[:20])
    assert by_set.validation_curve_ == by_list.validation_curve_ == by_name.validation_curve_
    weighted = made(MLPClassifier, max_iter=1).fit(X, c, X_val=X, y_val=c, sample_weight_val=w)
    p = weighted.predict_proba(X)[np.arange(80), c]
    np.testing.assert_allclose(weighted.validation_curve_, [-np.average(np.log(p), weights=w)], rtol=1e-9)
    scored = made(MLPClassifier, max_iter=1, eval_metric="accuracy")
    scored.fit(X, c, X_val=X, y_val=c, sample_weight_val=w)
    expected = np.average(scored.predict(X) == c, weights=w)
    np.testing.assert_allclose(scored.validation_scores_, [expected])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"eval_set": [(X, c), (X, c)]}, "eval_set has 2 pairs; expected one"),
        ({"eval_set": (X, c, c)}, "expected \\(X, y\\)"),
        ({"eval_set": (X, c), "X_val": X}, "expected one of the two"),
        ({"X_val": X}, "without the other"),
        ({"y_val": c}, "without the other"),
        ({"sample_weight_val": np.ones(80)}, "without X_val"),
        ({"X_val": X, "y_val": c, "sample_weight_val": -np.ones(80)}, "Negative values"),
        ({"X_val": X[:, :2], "y_val": c}, "features"),
    ],
)
def test_validation_data_that_do_not_fit_are_refused(more, said):
    model = made(MLPClassifier)
    with pytest.raises(ValueError, match=said):
        model.fit(X, c, **more)
    assert not hasattr(model, "coefs_")


@quiet
def test_a_pipeline_scales_validation_data_and_metadata_routing_carries_them():
    with sklearn.config_context(enable_metadata_routing=True):
        model = made(MLPClassifier).set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline([("scale", StandardScaler()), ("net", model)], transform_input=["X_val"])
        pipeline.fit(7 + 3 * X, c, X_val=7 + 3 * X[:20], y_val=c[:20])
    alone = made(MLPClassifier)
    scaled = StandardScaler().fit_transform(7 + 3 * X)
    alone.fit(scaled, c, X_val=scaled[:20], y_val=c[:20])
    np.testing.assert_allclose(pipeline[-1].validation_curve_, alone.validation_curve_, rtol=1e-9)


# Ctrl-C, and two callers


INTERRUPTED = """
import signal, sys, threading, time
import numpy as np
signal.signal(signal.SIGINT, signal.default_int_handler)
from fastmlp import MLPRegressor
rng = np.random.default_rng(0)
X = rng.normal(size=(50_000, 50))
model = MLPRegressor(max_iter=10**6, tol=0, n_iter_no_change=10**6, solver=sys.argv[1], random_state=0, max_fun=10**9)
threading.Timer(1.0, signal.raise_signal, [signal.SIGINT]).start()
try:
    model.fit(X, X[:, 0])
except KeyboardInterrupt:
    print("interrupted", len(model.loss_curve_) > 0, model.score(X, X[:, 0]) > 0.5)
"""


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_ctrl_c_leaves_fit_and_the_weights_of_the_last_step_stay(solver):
    command = [sys.executable, "-W", "ignore", "-c", INTERRUPTED, solver]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.stdout.split() == ["interrupted", "True", "True"], run.stderr


@quiet
def test_ctrl_c_ends_a_grid_search():
    def interrupt(model, history):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(made(MLPClassifier, callbacks=interrupt), {"alpha": [1e-4, 1e-3]}, cv=2).fit(X, c)


@quiet
def test_two_threads_that_fit_one_estimator_are_told():
    entered, go_on, answers = threading.Event(), threading.Event(), []

    def wait(model, history):
        entered.set()
        go_on.wait(10)

    model = made(MLPClassifier, callbacks=wait, max_iter=1)
    first = threading.Thread(target=model.fit, args=(X, c))
    first.start()
    entered.wait(10)
    for fit in (model.fit, model.partial_fit):
        with pytest.raises(RuntimeError, match="two threads cannot fit one estimator"):
            fit(X, c)
    answers.append(model.predict(X).shape)
    go_on.set()
    first.join()
    assert answers == [(80,)]
    model.set_params(callbacks=None).fit(X, c)


# Warnings


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("inside", ["alone", "pipeline", "search"])
@pytest.mark.filterwarnings("ignore:Got `batch_size`")
def test_a_warning_names_the_line_of_the_user(inside, solver):
    model = made(MLPClassifier, solver=solver, batch_size=1000, max_iter=2)
    if inside == "pipeline":
        model = make_pipeline(StandardScaler(), model)
    elif inside == "search":
        model = GridSearchCV(model, {"alpha": [1e-4]}, cv=2)
    with pytest.warns(ConvergenceWarning, match=r"hasn't|fail") as seen:
        model.fit(X, c)
    assert {record.filename for record in seen} == {__file__}


unfinished = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


@unfinished
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "log_cosh", "quantile"])
@pytest.mark.parametrize("targets", ["large", "far", "constant", "small"])
def test_targets_without_scale_are_hinted_at_where_nothing_was_learned(targets, loss):
    given = {"large": 1e6 * y, "far": y + 1e5, "constant": np.full(80, 1e6), "small": 0.01 * y}[targets]
    model = MLPRegressor(loss=loss, random_state=0, max_iter=15, tol=1e-2, quantile=0.7)
    with pytest.warns(ConvergenceWarning, match=r"the best constant has.*standard deviation.*scale='standard'"):
        model.fit(X, given)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="Stochastic Optimizer")
        model.set_params(scale="standard", max_iter=400, n_iter_no_change=400).fit(X, given)


def test_a_small_y_that_stops_early_is_hinted_at():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(500, 5))
    targets = 0.03 * np.sin(2 * data[:, 0]) + 0.03 * np.sin(3 * data[:, 1] * data[:, 2])
    with pytest.warns(ConvergenceWarning, match="scale='standard'"):
        plain = MLPRegressor(random_state=0).fit(data, targets)
    assert plain.score(data, targets) < 0.2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scaled = MLPRegressor(random_state=0, scale="standard").fit(data, targets)
    assert scaled.score(data, targets) > 0.5


def test_rare_counts_are_no_reason_for_a_hint():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Stochastic Optimizer")
        counts = np.random.default_rng(0).poisson(0.005, 80)
        counts[3] = 1
        made(MLPRegressor, loss="poisson", max_iter=20).fit(X, counts)


@quiet
def test_noise_of_a_usual_scale_is_no_reason_for_a_hint():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Stochastic Optimizer")
        made(MLPRegressor, max_iter=50).fit(X, np.random.default_rng(5).normal(size=80))


def test_mlp_hints_at_the_scale_of_y_too():
    x = np.arange(1001.0)[:, None]
    with pytest.warns(RuntimeWarning, match=r"the best constant has.*y lies between 1 and 1e\+06") as seen:
        fastmlp.MLP([1, 16, 1], seed=0).fit(x, x[:, 0] ** 2 + 1, epochs=20)
    assert [record.filename for record in seen] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fastmlp.MLP([3, 16, 1], seed=0).fit(X, y, epochs=20)
