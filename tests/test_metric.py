"""The best epoch by a metric: what `fit(metric=)` keeps, when it stops, and that the core and the reference agree."""

import math

import numpy as np
import pytest

import fastmlp
from cases import EVERY_NETWORK
from fastmlp.optimizers import Steps
from test_average import averaging
from test_epochs import a_run, classifier, data
from tolerances import assert_close

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 5))
Y = (X[:, 0] * X[:, 1] + 0.3 * RNG.normal(size=150) > 0).astype(int)
HELD_OUT = X[:50], Y[:50]
FIT = {"validation": HELD_OUT, "optimizer": fastmlp.Adam(0.03), "epochs": 30}


def new_net(**options):
    return fastmlp.MLP([5, 8, 2], output="softmax", dtype="float64", seed=1, **options)


def weights_after_each_epoch(**options):
    seen = []
    net = new_net()
    history = net.fit(
        X[50:], Y[50:], **FIT | {"callbacks": lambda net, _: seen.append(net.parameters.copy())} | options
    )
    return net, history, seen


def last_of_the_best(values):
    return len(values) - 1 - int(np.argmax(values[::-1]))


def accuracy(y, outputs):
    return np.mean(outputs.argmax(axis=1) == y)


@pytest.mark.parametrize("metric", ["accuracy", accuracy], ids=["by name", "callable"])
def test_a_fit_ends_with_the_last_of_its_best_epochs(metric):
    net, history, seen = weights_after_each_epoch(metric=metric)
    assert history.metric == history.validation_accuracy
    best = last_of_the_best(history.metric)
    assert 0 < best < 29
    assert history.metric.count(history.metric[best]) > 1  # so that it is a tie
    assert net.parameters.tobytes() == seen[best].tobytes()
    assert net.score(*HELD_OUT) == max(history.metric)
    assert history.epochs == 30


def test_a_fit_without_callbacks_ends_with_the_same():
    net, _, _ = weights_after_each_epoch(metric="accuracy")
    for metric, threads in (("accuracy", 1), (accuracy, 3)):
        alone = new_net()
        alone.fit(X[50:], Y[50:], metric=metric, threads=threads, **FIT)
        assert alone.parameters.tobytes() == net.parameters.tobytes()


@pytest.mark.parametrize("metric", ["accuracy", accuracy], ids=["by name", "callable"])
def test_patience_counts_epochs_without_a_better_metric(metric):
    net, history, seen = weights_after_each_epoch(metric=metric, patience=5, epochs=200)
    assert history.stop_reason == "patience"
    first = int(np.argmax(history.metric))
    assert history.epochs == first + 1 + 5  # a tie is no improvement
    assert net.parameters.tobytes() == seen[last_of_the_best(history.metric)].tobytes()


def test_tol_is_what_a_metric_must_rise_by():
    _, history, _ = weights_after_each_epoch(metric=accuracy, tol=1.0)
    assert (history.stop_reason, history.epochs) == ("tol", 2)


def test_a_metric_gets_the_targets_and_what_the_net_predicts():
    asked = []

    def metric(y, outputs):
        asked.append((y.copy(), outputs.copy()))
        return -float(len(asked))

    seen = []
    net = fastmlp.MLP([5, 4, 1], dtype="float64", seed=1)
    history = net.fit(
        X,
        X[:, :1],
        epochs=4,
        validation=0.2,
        metric=metric,
        callbacks=lambda net, history: seen.append((net.copy(), list(history.metric))),
    )
    assert history.metric == [-1.0, -2.0, -3.0, -4.0]
    assert [values for _, values in seen] == [history.metric[: i + 1] for i in range(4)]
    rows = [int(np.flatnonzero(X[:, 0] == y)[0]) for y in asked[0][0][:, 0]]
    assert len(rows) == 30
    for (y, outputs), (twin, _) in zip(asked, seen, strict=True):
        np.testing.assert_array_equal(y, X[rows, :1])
        np.testing.assert_allclose(outputs, twin.predict(X[rows]), rtol=1e-12)
    assert net.parameters.tobytes() == seen[0][0].parameters.tobytes()


def test_a_metric_is_that_of_the_average():
    found = []
    net = new_net()
    history = net.fit(
        X[50:], Y[50:], average=0.9, metric=lambda y, outputs: found.append(outputs) or len(found), **FIT
    )
    np.testing.assert_array_equal(net.predict(HELD_OUT[0]), found[-1])
    assert np.mean(found[-1].argmax(axis=1) == Y[:50]) == history.validation_accuracy[-1]
    losses = [-np.log(outputs[np.arange(50), Y[:50]]).mean() for outputs in found]
    np.testing.assert_allclose(history.validation_loss, losses, rtol=1e-9)


def runs(build, dtype, average, calls):
    network = classifier(build, dtype)
    inputs, y, w = data(network.dtype)
    run = (averaging if average else a_run)(network, 0)
    run.criterion, run.patience, run.best = "accuracy", 6, np.full_like(network.parameters, np.nan)
    accuracies = []
    for epochs in calls:
        if run.stop:
            break
        run.losses = np.full((epochs, 3), np.nan)
        network.train(inputs, y, w, None, Steps(5, fastmlp.Adam(0.02)), 1, run)
        accuracies += run.losses[: run.ended, 2].tolist()
    return run, accuracies


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_the_core_keeps_what_the_reference_keeps(build, dtype, average):
    wanted, expected = runs("reference", "float64", average, [20])
    for calls in ([20], [1] * 20):
        run, accuracies = runs(build, dtype, average, calls)
        assert accuracies == expected
        assert (run.best_loss, run.waited, run.stop, run.number) == (
            wanted.best_loss,
            wanted.waited,
            wanted.stop,
            wanted.number,
        )
        assert_close(run.best, wanted.best, "adam", dtype)
    assert wanted.best_loss == -max(expected)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"metric": "auc"}, ValueError, "metric is 'auc'; expected 'accuracy', a callable"),
        ({"metric": 3}, TypeError, "metric is 3"),
        ({"metric": "accuracy", "validation": None}, ValueError, "metric is 'accuracy' without validation"),
        ({"metric": accuracy, "validation": None}, ValueError, "without validation"),
    ],
)
def test_what_is_no_metric_is_refused_and_changes_nothing(options, error, said):
    net = new_net()
    before = net.parameters.copy()
    with pytest.raises(error, match=said):
        net.fit(X, Y, **FIT | options)
    assert net.parameters.tobytes() == before.tobytes()
    assert net.history is None


def test_a_regression_has_no_accuracy():
    with pytest.raises(ValueError, match="metric is 'accuracy' with 1 identity outputs"):
        fastmlp.MLP([5, 1]).fit(X, Y, validation=0.2, metric="accuracy")


@pytest.mark.parametrize("answer", [math.nan, math.inf, None, "good", np.zeros(2)])
def test_a_metric_that_gives_no_number_ends_the_fit_and_leaves_a_net_that_can_be_saved(answer, tmp_path):
    net, asked = new_net(), []

    def metric(y, outputs):
        asked.append(len(y))
        return 0.5 if len(asked) < 3 else answer

    with pytest.raises(ValueError, match="metric gave"):
        net.fit(X[50:], Y[50:], metric=metric, **FIT)
    assert net.history.metric == [0.5, 0.5]
    assert net.history.epochs == 2
    net.save(tmp_path / "net.safetensors")
    assert fastmlp.load(tmp_path / "net.safetensors").history.metric == [0.5, 0.5]


def test_fit_many_judges_each_net():
    alone, together = ([fastmlp.MLP([5, 4, 2], output="softmax", seed=seed) for seed in (1, 2)] for _ in range(2))
    for net in alone:
        net.fit(X[50:], Y[50:], metric=accuracy, **FIT)
    fastmlp.fit_many(together, X[50:], Y[50:], metric=accuracy, **FIT)
    assert [net.parameters.tobytes() for net in alone] == [net.parameters.tobytes() for net in together]
