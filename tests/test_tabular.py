"""TabularClassifier and TabularRegressor, from frame to answer."""

import datetime
import math
import pickle
import signal
import threading
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.optimize import brute
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastmlp
from fastmlp import TabularClassifier, TabularRegressor, calibration, members
from fastmlp.recipes import Recipe, recipe_for
from fastmlp.schedules import CosLog
from processes import output_of

SMALL = {"n_members": 2, "hidden_layer_sizes": (16,), "epochs": 8, "random_state": 0}


def frame(rows=300, seed=0):
    """A frame with a column of each kind and holes in most, and what depends on them: labels and numbers."""
    rng = np.random.default_rng(seed)
    x, colour = rng.standard_normal(rows), rng.choice(["red", "green", "blue", None], rows)
    smokes, size = rng.random(rows) < 0.4, rng.choice(["S", "M", "L"], rows)
    days = np.datetime64("2020-01-01") + rng.integers(0, 900, rows).astype("timedelta64[D]")
    y = x + 2.0 * (colour == "red") - 1.5 * smokes + 0.1 * rng.standard_normal(rows)
    X = pd.DataFrame({
        "x": np.where(rng.random(rows) < 0.1, np.nan, x), "colour": colour, "smokes": smokes,
        "size": pd.Categorical(size), "day": days, "constant": 1.0,
    })  # fmt: skip
    return X, np.where(y > 0, "high", "low"), y


def _cannot_hold(estimator):
    reason = "folds and batches are drawn from rows, so that a row of weight 2 is not two rows"
    return {"check_sample_weight_equivalence_on_dense_data": reason}


@parametrize_with_checks([TabularClassifier(**SMALL), TabularRegressor(**SMALL)], expected_failed_checks=_cannot_hold)
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_a_frame_of_all_kinds_with_holes_is_learned(kind):
    X, labels, y = frame(1000)
    targets = labels if kind is TabularClassifier else y
    model = kind(n_members=2, epochs=24, hidden_layer_sizes=(32, 32), random_state=0).fit(X[:800], targets[:800])
    score = model.score(X[800:], targets[800:])
    assert score > 0.85
    assert model.feature_names_in_.tolist() == list(X.columns)
    names = model.get_feature_names_out().tolist()
    assert {"x", "x_missing", "day"} <= set(names)
    assert not any(name.startswith("constant") for name in names)


def test_a_frame_of_polars_gives_the_bits_of_that_of_pandas():
    X, labels, _ = frame()
    colours = [colour if isinstance(colour, str) else None for colour in X["colour"]]
    same = pl.DataFrame({
        "x": pl.Series(X["x"].tolist()).fill_nan(None), "colour": colours, "smokes": X["smokes"].tolist(),
        "size": pl.Series(X["size"].tolist()).cast(pl.Categorical), "day": pl.Series(X["day"].dt.date.tolist()),
        "constant": X["constant"].tolist(),
    })  # fmt: skip
    ours = TabularClassifier(**SMALL).fit(X, labels).predict_proba(X)
    theirs = TabularClassifier(**SMALL).fit(same, labels).predict_proba(same)
    np.testing.assert_array_equal(ours, theirs)


def test_columns_are_found_by_name():
    X, labels, _ = frame()
    model = TabularClassifier(**SMALL).fit(X, labels)
    np.testing.assert_array_equal(model.predict_proba(X[X.columns[::-1]]), model.predict_proba(X))


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_the_bits_are_the_same_for_any_number_of_threads(kind):
    X, labels, y = frame()
    targets = labels if kind is TabularClassifier else y
    one, *others = (
        kind(**{**SMALL, "n_members": 5}, n_threads=threads).fit(X, targets) for threads in (1, 2, 3, 11)
    )  # fmt: skip
    for other in others:
        assert other.history_.validation_loss == one.history_.validation_loss
        for net, same in zip(one.members_, other.members_, strict=True):
            np.testing.assert_array_equal(net.parameters, same.parameters)


TASKS = """
import os
import numpy as np, fastmlp
def tasks():
    return len(os.listdir("/proc/self/task"))
X = np.random.default_rng(0).standard_normal((20_000, 8))
fastmlp.set_num_threads(4)
fastmlp.TabularRegressor  # whose libraries may have threads of their own
first = tasks()
for n_threads in (1, 3):
    model = fastmlp.TabularRegressor(1, hidden_layer_sizes=(64,), epochs=1, n_threads=n_threads).fit(X, X[:, 0])
    model.predict(X)
    print(tasks() - first)
"""


def test_no_more_threads_take_part_than_were_asked_for():
    assert output_of("-c", TASKS).split() == ["0", "2"]


@pytest.mark.parametrize("seed", [lambda: 3, lambda: np.random.RandomState(3)], ids=["number", "RandomState"])
def test_the_same_seed_gives_the_same_members(seed):
    X, labels, _ = frame(60)
    first, again = (TabularClassifier(**{**SMALL, "random_state": seed()}).fit(X, labels) for _ in range(2))
    np.testing.assert_array_equal(first.members_[1].parameters, again.members_[1].parameters)


def test_another_seed_gives_other_members():
    X, labels, _ = frame()
    first, second = (TabularClassifier(**{**SMALL, "random_state": seed}).fit(X, labels) for seed in (0, 1))
    assert not np.array_equal(first.members_[0].parameters, second.members_[0].parameters)
    assert not np.array_equal(first.members_[0].parameters, first.members_[1].parameters)


# folds and epochs


def test_each_row_is_in_one_fold_and_each_class_in_all():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [60, 15, 5])
    order, starts = members.in_folds(labels, 5, rng)
    assert sorted(order.tolist()) == list(range(80))
    for first, end in pairwise(starts):
        assert np.bincount(labels[order[first:end]], minlength=3).tolist() == [12, 3, 1]


def test_there_are_no_more_folds_than_rows():
    order, starts = members.in_folds(np.zeros((3, 1), np.float32), 8, np.random.default_rng(0))
    assert sorted(order.tolist()) == [0, 1, 2]
    assert starts.tolist() == [0, 1, 2, 3]


def test_a_member_learns_from_all_rows_but_its_fold():
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((30, 3)).astype(np.float32), rng.integers(0, 2, 30)
    order, starts = members.in_folds(labels, 5, rng)
    table = members.Table(X[order], labels[order], None, starts, 2)
    recipe = Recipe((4,), "mish", 5, 3, 8, 0.04)
    for fold in range(5):
        outputs = np.zeros((starts[fold + 1] - starts[fold], 2), np.float32)
        member = members._Member(table, recipe, fold, rng, outputs)
        held_out = list(range(starts[fold], starts[fold + 1]))
        np.testing.assert_array_equal(member.held_out, table.X[held_out])
        assert sorted([*member.rows.tolist(), *held_out]) == list(range(30))


def test_the_answers_for_a_fold_are_those_of_its_member():
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((60, 3)).astype(np.float32), rng.integers(0, 3, 60)
    order, starts = members.in_folds(labels, 5, rng)
    table = members.Table(X[order], labels[order], None, starts, 3)
    result = members.trained(table, Recipe((8,), "mish", 3, 6, 8, 0.04), rng, 1, math.inf, False)
    assert len(result.outputs) == starts[3]
    for fold, net in enumerate(result.nets):
        rows = slice(starts[fold], starts[fold + 1])
        np.testing.assert_allclose(result.outputs[rows], net.predict(table.X[rows]), atol=1e-5)


def test_the_nets_are_those_of_the_last_of_the_best_epochs():
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((90, 4)).astype(np.float32), rng.integers(0, 2, 90)
    order, starts = members.in_folds(labels, 5, rng)
    table = members.Table(X[order], labels[order], None, starts, 2)
    result = members.trained(table, Recipe((16,), "mish", 5, 8, 8, 0.04), rng, 1, math.inf, False)
    accuracy = result.history.validation_accuracy
    assert result.best_epoch == max(i for i, a in enumerate(accuracy, 1) if a == max(accuracy))
    assert max(accuracy) > accuracy[-1]
    rows = zip(result.nets, pairwise(starts), strict=True)
    right = [net.predict(table.X[a:b]).argmax(axis=1) == table.targets[a:b] for net, (a, b) in rows]
    assert np.concatenate(right).mean() == pytest.approx(max(accuracy), abs=1e-12)


def test_a_regression_ends_with_the_epoch_of_the_least_error():
    X, _, y = frame()
    model = TabularRegressor(**SMALL).fit(X, y)
    losses = model.history_.validation_loss
    assert model.best_epoch_ == 1 + int(np.argmin(losses))
    assert model.history_.validation_accuracy == []
    standardised = np.square(model.errors_ / model.y_scale_)
    assert np.mean(standardised) / 2 == pytest.approx(losses[model.best_epoch_ - 1], rel=1e-5)


def test_a_cycle_of_the_schedule_that_brings_nothing_is_the_last():
    """The four cycles of 15 epochs end after 1, 3, 7 and 15."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 8))
    noise = rng.standard_normal(200)
    model = TabularRegressor(n_members=2, epochs=15, random_state=0).fit(X, noise)
    assert model.history_.stop_reason == "patience"
    losses = model.history_.validation_loss
    assert len(losses) in (3, 7)
    began_after = {3: 1, 7: 3}[len(losses)]
    assert min(losses[began_after:]) > min(losses[:began_after])
    taught = TabularRegressor(n_members=2, epochs=15, random_state=0).fit(X, X[:, 0])
    assert taught.history_.stop_reason == "epochs"
    assert taught.history_.epochs == 15
    assert taught.best_epoch_ > 7


@pytest.mark.parametrize(
    ("loss", "right", "epochs"),
    [
        ([5, 6, 6, 6, 6, 6, 6], [9, 8, 8, 9, 9, 9, 9], 3),  # neither
        ([5, 6, 6, 6, 6, 6, 6], [9, 8, 9, 8, 8, 8, 8], 7),  # as many right in the second cycle
        ([5, 6, 4, 5, 5, 5, 5], [9, 8, 8, 8, 8, 8, 8], 7),  # a lower loss in it
        ([5, 6, 4, 5, 5, 5, 3], [9, 8, 8, 8, 8, 8, 8], 15),
    ],
)
def test_what_counts_as_better_in_a_cycle_is_score_or_loss(monkeypatch, loss, right, epochs):
    """Fifteen epochs have cycles that end after 1, 3, 7 and 15."""
    told = zip([*loss, *[9] * 8], [*right, *[0] * 8], strict=True)
    monkeypatch.setattr(members, "_measured", lambda table, outputs: [part / 10 for part in next(told)])
    X, labels, _ = frame(60)
    model = TabularClassifier(**(SMALL | {"epochs": 15})).fit(X, labels)
    assert model.history_.epochs == epochs
    made = right[:epochs]
    assert model.best_epoch_ == max(i for i, one in enumerate(made, 1) if one == max(made))


@pytest.mark.parametrize(
    ("rows", "batch_size", "epochs"),
    [(2, 64, 64), (1_024, 64, 64), (1_025, 128, 64), (8_193, 256, 64), (32_769, 256, 32), (131_073, 256, 16)],
)
def test_rows_decide_on_batches_and_epochs(rows, batch_size, epochs):
    recipe = recipe_for(TabularClassifier(), rows, True)
    assert (recipe.batch_size, recipe.epochs) == (batch_size, epochs)
    recipe = recipe_for(TabularClassifier(batch_size=7, epochs=9), rows, True)
    assert (recipe.batch_size, recipe.epochs) == (7, 9)


def test_a_time_limit_makes_fewer_epochs():
    X, labels, _ = frame()
    model = TabularClassifier(n_members=1, random_state=0).fit(X, labels, time_limit=1e-6)
    assert model.history_.epochs == 1
    assert model.history_.stop_reason == "time"
    assert TabularClassifier(**SMALL).fit(X, labels, time_limit=1e6).history_.stop_reason == "epochs"


def test_a_time_limit_has_a_schedule_of_its_own(monkeypatch):
    """By a clock on which an epoch takes half a second."""
    clock = iter(np.arange(1000) / 2)
    monkeypatch.setattr(members, "perf_counter", lambda: next(clock))
    X, labels, _ = frame(60)
    y = (labels == "high").astype(np.int64)
    order, starts = members.in_folds(y, 5, np.random.default_rng(0))
    x = np.ascontiguousarray(X[["x"]].fillna(0).to_numpy(np.float32)[order])
    table = members.Table(x, y[order], None, starts, 2)
    asked = []
    monkeypatch.setattr(members, "_SCHEDULE", Asked(asked))
    result = members.trained(table, Recipe((4,), "mish", 2, 50, 64, 0.004), np.random.default_rng(0), 1, 5.0, False)
    assert result.history.epochs == 10
    assert result.history.stop_reason == "time"
    # The first epoch was made for fifty, before it was known how long one takes; each has one step.
    np.testing.assert_allclose(asked[::2], [0.5 / 50, *((np.arange(1, 10) + 0.5) / 10)])


class Asked(CosLog):
    """The schedule, which notes for which shares of the run it was asked."""

    def __init__(self, asked):
        super().__init__()
        object.__setattr__(self, "asked", asked)

    def __call__(self, progress):
        self.asked.extend(progress.tolist())
        return np.ones_like(progress)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_an_interrupt_leaves_the_estimator_as_it_was(n_threads):
    X, labels, _ = frame()
    model = TabularClassifier(**SMALL).fit(X, labels)
    before = model.predict_proba(X)
    model.set_params(epochs=1_000_000, n_threads=n_threads, hidden_layer_sizes=(64, 64))
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    others = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell in the background turns off
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, labels == "high")
        timer.join()
    finally:
        signal.signal(signal.SIGINT, others)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_progress_ends_with_the_last_epoch_where_others_were_left_out(capsys):
    X = np.random.default_rng(0).standard_normal((200, 8))
    noise = np.random.default_rng(1).standard_normal(200)
    model = TabularRegressor(n_members=2, epochs=64, random_state=0, progress=True).fit(X, noise)
    assert model.history_.epochs < 64
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"epoch {model.history_.epochs:2}/64  ")


def test_members_are_fewer_where_rows_are():
    model = TabularRegressor(n_members=8, epochs=2).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    assert len(model.members_) == 3


def test_progress_is_a_line_with_loss_and_score(capsys):
    X, labels, _ = frame()
    TabularClassifier(**SMALL, progress=True).fit(X, labels)
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("epoch 8/8  loss ")
    assert "validation accuracy" in lines[-1]
    speeds = [float(line.split()[-2].replace(",", "")) for line in lines]
    assert max(speeds) < 8 * 300 * 2 / 1e-4  # all samples of two members within a tenth of a millisecond


# what is learned from held-out rows


def test_the_temperature_is_the_one_of_the_least_log_loss():
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((500, 3)) * 4, rng.integers(0, 3, 500)
    labels[:300] = logits[:300].argmax(axis=1)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    targets = np.full((500, 3), 1 / 502 / 3) + (1 - 1 / 502) * np.eye(3)[labels]

    def loss(T):
        powers = np.exp(logits / T)
        return -(targets * np.log(powers / powers.sum(axis=1, keepdims=True))).sum()

    (best,) = brute(loss, [(0.5, 20)], Ns=400)
    assert calibration.fitted_temperature(probabilities, labels) == pytest.approx(best, rel=1e-3)


def test_no_mistake_is_no_reason_to_be_sure():
    """Of 100 rows none is told wrong. At the best temperature, a class of 2 is sure up to some hundredths."""
    probabilities = np.tile([0.9, 0.1], (100, 1))
    temperature = calibration.fitted_temperature(probabilities, np.zeros(100, np.int64))
    sure = calibration.at_temperature(probabilities, temperature)[0, 0]
    assert sure == pytest.approx(1 - 1 / 102 / 2, rel=1e-3)


def test_probabilities_at_a_temperature():
    given = np.array([[0.5, 0.5], [0.8, 0.2], [1.0, 0.0]])
    np.testing.assert_allclose(calibration.at_temperature(given, 1.0), given, atol=1e-14)
    np.testing.assert_allclose(calibration.at_temperature(given, 0.5)[1], [16 / 17, 1 / 17], rtol=1e-12)


def test_probabilities_are_calibrated_on_rows_that_no_member_has_learned_from():
    X, y = load_breast_cancer(return_X_y=True)
    a, b, ya, yb = train_test_split(X, y, random_state=0, stratify=y)
    model = TabularClassifier(epochs=24, random_state=0).fit(a, ya)
    said = log_loss(yb, model.predict_proba(b))
    assert said < 0.3 * log_loss(yb, DummyClassifier(strategy="prior").fit(a, ya).predict_proba(b))
    raw = np.mean([net.predict(model.encoder_.encode(b)) for net in model.members_], axis=0)
    assert said < log_loss(yb, raw)  # which label smoothing has made unsure


def test_the_width_of_an_interval_is_an_order_statistic():
    errors = np.arange(1.0, 20.0)  # 19 of them
    assert calibration.half_width(errors, 0.9) == 18
    assert calibration.half_width(errors, 0.95) == 19
    assert calibration.half_width(errors, 0.96) == math.inf


@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_intervals_hold_what_they_promise(coverage):
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, (2000, 3))
    y = np.sin(2 * X[:, 0]) + X[:, 1] + rng.standard_t(4, 2000)
    model = TabularRegressor(n_members=4, epochs=12, random_state=0).fit(X[:1000], y[:1000])
    low, high = model.predict_interval(X[1000:], coverage).T
    held = np.mean((low <= y[1000:]) & (y[1000:] <= high))
    assert coverage - 0.04 < held < coverage + 0.06  # its standard deviation is 0.016 at most


def test_an_interval_that_cannot_be_told_is_an_error():
    model = TabularRegressor(n_members=1, epochs=2).fit(np.arange(30.0)[:, None], np.arange(30.0))
    with pytest.raises(ValueError, match=r"coverage is 0.99, and 6 rows were held out"):
        model.predict_interval([[1.0]], 0.99)
    with pytest.raises(ValueError, match="coverage is 1"):
        model.predict_interval([[1.0]], 1.0)


def test_predictions_stay_within_the_range_of_y():
    x = np.linspace(0, 1, 200)[:, None]
    model = TabularRegressor(**SMALL).fit(x, 3 * x[:, 0])
    far = model.predict([[1e6], [-1e6]])
    assert (far >= 0).all()
    assert (far <= 3).all()


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_importances_tell_what_matters(kind):
    X, labels, y = frame(800)
    targets = labels if kind is TabularClassifier else y
    model = kind(n_members=4, epochs=16, random_state=0).fit(X, targets)
    worth = dict(zip(X.columns, model.feature_importances_, strict=True))
    assert worth["constant"] == 0
    assert min(worth["x"], worth["colour"], worth["smokes"]) > 10 * abs(worth["size"])
    scoring = "neg_log_loss" if kind is TabularClassifier else "neg_mean_squared_error"
    theirs = permutation_importance(model, X, targets, scoring=scoring, n_repeats=3, random_state=0).importances_mean
    assert np.argmax(theirs) == np.argmax(model.feature_importances_)


# weights and targets


def test_rows_without_weight_teach_nothing():
    X, labels, _ = frame()
    more = np.where(np.arange(300) % 3 == 0, "other", labels)
    weights = np.where(more == "other", 0.0, 1.0)
    model = TabularClassifier(n_members=2, epochs=16, random_state=0).fit(X, more, sample_weight=weights)
    assert "other" in model.classes_
    assert "other" not in model.predict(X)
    assert TabularClassifier(n_members=2, epochs=16, random_state=0).fit(X, more).predict(X).tolist().count("other")


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
@pytest.mark.parametrize("form", ["frame", "numbers"])
def test_rows_without_weight_are_as_if_they_were_not_there(kind, form):
    """Not in the means of y and of categories either, nor in medians and quantiles of numbers."""
    X, labels, y = frame(200)
    X["city"] = [f"city {i % 50}" for i in range(200)]  # too many for a column each
    y = y.copy()
    left_out = np.arange(200) % 4 == 0
    X.loc[left_out, "x"], y[left_out] = 1e9, -1e12
    X.loc[left_out, "city"] = "elsewhere"
    if form == "numbers":
        X = X[["x"]].assign(other=np.arange(200.0))
    targets = labels if kind is TabularClassifier else y
    weights = np.where(left_out, 0.0, 1 + np.arange(200) % 3)
    model = kind(**SMALL).fit(X, targets, sample_weight=weights)
    without = kind(**SMALL).fit(X[~left_out], targets[~left_out], sample_weight=weights[~left_out])
    np.testing.assert_array_equal(model.predict(X[~left_out]), without.predict(X[~left_out]))
    np.testing.assert_array_equal(model.feature_importances_, without.feature_importances_)
    for net, same in zip(model.members_, without.members_, strict=True):
        np.testing.assert_array_equal(net.parameters, same.parameters)


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_rows_without_weight_are_in_no_fold(kind):
    X, labels, numbers = frame(60)
    y = labels if kind is TabularClassifier else numbers
    weighty = np.flatnonzero(np.arange(60) % 12 == 0)  # five rows: a fold of the 60 may have none of them
    weights = np.zeros(60)
    weights[weighty] = 1 + np.arange(5)
    model = kind(**SMALL).fit(X, y, sample_weight=weights)
    assert np.isfinite([model.history_.loss, model.history_.validation_loss]).all()
    assert np.isfinite(model.feature_importances_).all()
    weights[weighty[1:]] = 0
    with pytest.raises(ValueError, match="sample_weight is above 0 in 1 row"):
        model.fit(X, y, sample_weight=weights)


def test_a_fit_that_diverges_at_once_is_refused():
    X, _, numbers = frame(60)
    with pytest.raises(ValueError, match=r"diverged at epoch 1 .*: learning_rate is 1e\+30; expected less"):
        TabularRegressor(**SMALL, learning_rate=1e30).fit(X, numbers)


@pytest.mark.parametrize(("kind", "rate"), [(TabularClassifier, 1e30), (TabularRegressor, 1e2)])
def test_a_fit_that_diverges_later_ends_with_its_best_epoch(kind, rate):
    X, labels, numbers = frame(60)
    # An epoch is one step, and its loss that of the parameters from before the step.
    model = kind(**SMALL, batch_size=60, learning_rate=rate)
    with pytest.warns(ConvergenceWarning, match=r"diverged at epoch 2 .* the nets are those of epoch 1\."):
        model.fit(X, labels if kind is TabularClassifier else numbers)
    assert model.history_.stop_reason == "diverged"
    assert model.best_epoch_ == model.history_.epochs == 1
    answers = model.predict_proba(X) if kind is TabularClassifier else model.predict(X)
    assert np.isfinite(answers).all()


@pytest.mark.parametrize(
    ("sizes", "error"),
    [((0,), ValueError), ((1.5,), TypeError), (("a",), TypeError), ((True,), TypeError), ((2**31,), ValueError)],
)
def test_hidden_layers_of_no_size_are_refused(sizes, error):
    X, labels, _ = frame(60)
    with pytest.raises(error, match="hidden_layer_sizes"):
        TabularClassifier(hidden_layer_sizes=sizes).fit(X, labels)


def test_the_scale_of_y_does_not_matter():
    X, y = load_diabetes(return_X_y=True)
    one = TabularRegressor(**SMALL).fit(X, y)
    for factor in (
        2.0**-1000,
        2.0**-10,
        2.0**20,
        2.0**600,
        2.0**980,
    ):  # whose squares are 0 or infinite, some of them
        other = TabularRegressor(**SMALL).fit(X, y * factor)
        np.testing.assert_allclose(other.predict(X) / factor, one.predict(X), rtol=1e-6)
        np.testing.assert_allclose(other.predict_interval(X) / factor, one.predict_interval(X), rtol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", ["float16", "float32", "longdouble", "int8", "bool"])
def test_numbers_of_any_type_are_targets(dtype):
    X, _, y = frame(60)
    given = y.astype(dtype)
    predicted = TabularRegressor(**SMALL).fit(X, given).predict(X)
    np.testing.assert_array_equal(predicted, TabularRegressor(**SMALL).fit(X, given.astype(np.float64)).predict(X))


def test_of_a_constant_there_is_nothing_to_learn():
    """The mean of sixty times 0.1 is not 0.1, and its deviation not 0."""
    X, _, _ = frame(60)
    model = TabularRegressor(**SMALL).fit(X, np.full(60, 0.1))
    assert (model.y_mean_, model.y_scale_, model.y_range_) == (0.1, 1.0, (0.1, 0.1))
    assert (model.predict_interval(X) == 0.1).all()
    assert (model.feature_importances_ == 0).all()


@pytest.mark.parametrize("labels", [[3, 5], [True, False], [0.0, 2.0], ["a", "b"]])
def test_labels_of_every_type_come_back(labels):
    X, y = np.arange(40.0)[:, None], np.array(labels)[np.arange(40) // 20]
    model = TabularClassifier(n_members=2, epochs=10, random_state=0).fit(X, y)
    assert model.predict(X).dtype == y.dtype
    assert set(model.predict(X).tolist()) <= set(y.tolist())
    assert model.predict_proba(X).shape == (40, 2)


# files


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
@pytest.mark.parametrize("way", ["file", "pickle", "clone"])
def test_a_kept_model_answers_the_same_bits(kind, way, tmp_path):
    X, labels, y = frame()
    targets = labels if kind is TabularClassifier else y
    model = kind(**SMALL).fit(X, targets)
    if way == "file":
        model.save(tmp_path / "model.safetensors")
        again = fastmlp.load(tmp_path / "model.safetensors")
    elif way == "pickle":
        again = pickle.loads(pickle.dumps(model))
    else:
        again = clone(model).fit(X, targets)
    assert type(again) is kind
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.feature_importances_, model.feature_importances_)
    assert again.history_.validation_loss == model.history_.validation_loss
    if kind is TabularClassifier:
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        assert (again.temperature_, again.log_loss_) == (model.temperature_, model.log_loss_)
    else:
        np.testing.assert_array_equal(again.predict_interval(X), model.predict_interval(X))


def test_labels_that_a_file_cannot_hold_are_named(tmp_path):
    X, labels, _ = frame(60)
    days = np.where(labels == "high", "2020-01-01", "2021-01-01").astype("datetime64[D]")
    model = TabularClassifier(**SMALL).fit(X, days)
    assert model.predict(X).dtype == days.dtype
    with pytest.raises(ValueError, match=r"classes_ is an array of datetime64\[D\], which a file cannot hold"):
        model.save(tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_refused_or_holds_a_good_model(tmp_path):
    """Where the name of the digest is hit, nothing compares it, and all else is looked at."""
    X, labels, _ = frame(60)
    path = tmp_path / "model.safetensors"
    TabularClassifier(**SMALL).fit(X, labels).save(path)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        bad = bytearray(good)
        for at in rng.integers(0, len(good), rng.integers(1, 4)):
            bad[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bad)
        try:
            model = fastmlp.load(path)
        except fastmlp.LoadError:
            refused += 1
        else:
            assert np.isfinite(model.predict_proba(X)).all()
    assert refused > 290


# bad input


def _bad(change):
    X, labels, _ = frame(60)
    return change(X, labels)


@pytest.mark.parametrize(("change", "said"), [
    (lambda X, y: (X[[]], y), r"0 feature\(s\)"),
    (lambda X, y: (X[:1], y[:1]), r"one class|1 row"),
    (lambda X, y: (X[:0], y[:0]), r"0 sample|no rows|minimum of 1"),
    (lambda X, y: (X, np.repeat("a", 60)), r"y has one class, 'a'; expected at least 2 classes"),
    (lambda X, y: (X, [None, *y[1:]]), r"y\[0\] is None"),
    (lambda X, y: (X, pd.Series([*y[:7], None, *y[8:]])), r"y\[7\] is (None|nan)"),
    (lambda X, y: (X, np.ma.MaskedArray(y, np.arange(60) == 9)), r"y\[9\] is masked"),
    (lambda X, y: (X, [*range(30), math.nan, *range(29)]), r"y\[30\] is nan"),
    (lambda X, y: (X, ["a", "b", math.nan, *y[3:].tolist()]), r"y\[2\] is nan"),
    (lambda X, y: (X, np.array(["NaT", *["2020", "2021"] * 29, "2020"], "M8[ns]")), r"y\[0\] is NaT"),
    (lambda X, y: (X, [1, "a"] * 30), r"elements such as 1; expected strings"),
    (lambda X, y: (X, np.ma.array(np.arange(60) % 2, mask=np.arange(60) == 4)), r"y\[4\] is masked"),
    (lambda X, y: (X, pd.Series([True, False] * 30, dtype=object)), r"object and elements such as True; expected"),
    (lambda X, y: (X, pd.Series(["a", 1] * 30, dtype=object)), r"dtype object and elements such as 1; expected"),
    (lambda X, y: (X, y[:50]), r"inconsistent|50"),
    (lambda X, y: (X.assign(x=np.inf), y), r"'x'.*inf"),
    (lambda X, y: (X.assign(size=[1, "a"] * 30), y), r"'size'"),
    (lambda X, y: (pd.concat([X, X[["x"]]], axis=1), y), r"'x'"),
    (lambda X, y: (X[["constant"]], y), r"no column of X varies"),
])  # fmt: skip
def test_bad_data_is_one_error_that_names_it(change, said):
    model = TabularClassifier(**SMALL)
    with pytest.raises((ValueError, TypeError), match=said):
        model.fit(*_bad(change))
    with pytest.raises(NotFittedError):
        model.predict(_bad(lambda X, y: X))


@pytest.mark.parametrize(("change", "said"), [
    (lambda X: X.drop(columns="x"), r"lacks the column 'x'"),
    (lambda X: X.assign(more=1), r"'more'"),
    (lambda X: X.assign(x="red"), r"'x'.*numbers"),
    (lambda X: X.assign(colour=1.5), r"'colour'"),
    (lambda X: X.assign(day="2020-01-01"), r"'day'"),
    (lambda X: X.iloc[:, :3], r"lacks the columns 'size', 'day', 'constant'"),
])  # fmt: skip
def test_a_frame_that_does_not_fit_is_one_error_that_names_the_column(change, said):
    X, labels, _ = frame(60)
    model = TabularClassifier(**SMALL).fit(X, labels)
    with pytest.raises(ValueError, match=said):
        model.predict(change(X))


def test_an_error_leaves_a_fitted_model_as_it_was():
    X, labels, _ = frame(60)
    model = TabularClassifier(**SMALL).fit(X, labels)
    before = model.predict_proba(X)
    for arguments, given in (((X.assign(x=np.inf), labels), {}), ((X, labels), {"time_limit": 0})):
        with pytest.raises(ValueError, match=r"inf|time_limit"):
            model.fit(*arguments, **given)
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(X, labels, sample_weight=np.ones(5))
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_a_frame_with_holes_alone_in_a_column_or_a_category_in_each_row_is_learned():
    X, labels, _ = frame(300)
    X = X.assign(empty=np.nan, nothing=None, name=[f"person {i}" for i in range(300)], when=datetime.date(2020, 1, 1))
    model = TabularClassifier(**SMALL).fit(X, labels)
    assert model.score(X, labels) > 0.6
    worth = dict(zip(X.columns, model.feature_importances_, strict=True))
    assert worth["empty"] == worth["nothing"] == worth["name"] == worth["when"] == 0


def test_the_regression_refuses_targets_that_are_no_numbers():
    X, labels, y = frame(60)
    for bad, said in (
        (labels, "y has"),
        ([*y[:5], math.inf, *y[6:]], r"y\[5\] is inf"),
        ([*y[:5], -1e301, *y[6:]], r"y\[5\] is -1e\+301 .*; expected a number from -1e\+300 to 1e\+300"),
        (np.array([*y[:5], np.longdouble("1e4000"), *y[6:]], np.longdouble), r"y\[5\] is inf"),
        (np.ma.array(y, mask=np.arange(60) == 4), r"y\[4\] is masked"),
        (np.stack([y, y], 1), "1d"),
    ):
        with pytest.raises(ValueError, match=said):
            TabularRegressor(**SMALL).fit(X, bad)
