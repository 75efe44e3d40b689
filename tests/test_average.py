"""The moving average of the parameters that `fit(average=)` keeps: against its formula, the reference, and the fit
whose steps it must not change.
"""

import math

import numpy as np
import pytest

import fastmlp
from cases import COMPILED, EVERY_NETWORK
from fastmlp.optimizers import Steps
from test_epochs import a_run, classifier, data, ends, run_in_calls
from tolerances import assert_close

AVERAGE = 0.75
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 5))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def averaging(network, epochs, **options):
    run = a_run(network, epochs, **options)
    run.average, run.averaged = AVERAGE, network.parameters.copy()
    run.average_room = np.full((2, network.parameters.size), np.nan, network.dtype)
    return run


def run_averaging_in_calls(network, calls, one_step=False, threads=1, **options):
    """Epochs in so many calls as there are numbers; the losses of all epochs, the run, and the parameters seen."""
    inputs, y, w = data(network.dtype)
    run = averaging(network, 0, **options)
    run.one_step = one_step
    losses, seen = [], []
    for epochs in calls:
        ended = 0
        while ended < epochs and not run.stop:
            run.losses = np.full((epochs - ended, 3), np.nan)
            before = network.parameters.copy()
            network.train(inputs, y, w, None, Steps(5, fastmlp.Adam(0.02, weight_decay=0.1)), threads, run)
            losses += run.losses[: run.ended].tolist()
            ended += run.ended
            if (network.parameters != before).any():
                seen.append(network.parameters.copy())
            if not one_step:
                break
    return losses, run, seen


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_the_average_is_that_of_its_formula(build, dtype):
    _, run, seen = run_averaging_in_calls(classifier(build, dtype), [4], one_step=True)
    t = len(seen)
    assert t == 4 * 5
    weights = [AVERAGE ** (t - s) * (1 - AVERAGE) / (1 - AVERAGE**t) for s in range(1, t + 1)]
    assert math.isclose(sum(weights), 1)
    expected = sum(weight * theta.astype(np.float64) for weight, theta in zip(weights, seen, strict=True))
    assert_close(run.averaged, expected, "optimizer", dtype)
    assert math.isclose(run.average_power, AVERAGE**t, rel_tol=1e-12)
    assert np.abs(run.averaged - seen[-1]).max() > 1e-3


@pytest.mark.parametrize("patience", [0, 4])
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_the_same_bits_however_epochs_are_cut_into_calls(build, dtype, patience):
    whole = classifier(build, dtype, (0.3,))
    expected, run, _ = run_averaging_in_calls(whole, [9], patience=patience)
    assert len(expected) > 4
    for calls, one_step in (([1] * 9, False), ([4, 1, 4], False), ([9], True)):
        cut = classifier(build, dtype, (0.3,))
        losses, other, _ = run_averaging_in_calls(cut, calls, one_step, patience=patience)
        np.testing.assert_array_equal(losses, expected)
        assert ends(cut, other) == ends(whole, run), (calls, one_step)
        assert other.averaged.tobytes() == run.averaged.tobytes()


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_the_steps_are_those_of_a_run_without(build, dtype):
    plain, averaged = classifier(build, dtype), classifier(build, dtype)
    losses, _ = run_in_calls(plain, [5])
    others, _, _ = run_averaging_in_calls(averaged, [5])
    assert [row[0] for row in losses] == [row[0] for row in others]
    assert [row[1] for row in losses] != [row[1] for row in others]
    assert plain.parameters.tobytes() == averaged.parameters.tobytes()


@pytest.mark.parametrize("patience", [0, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("build", COMPILED)
def test_a_run_gives_what_the_reference_gives(build, dtype, patience):
    oracle, tested = classifier("reference", "float64", (0.3,)), classifier(build, dtype, (0.3,))
    expected, wanted, _ = run_averaging_in_calls(oracle, [7], patience=patience)
    losses, run, _ = run_averaging_in_calls(tested, [7], patience=patience)
    assert (run.number, run.stop, run.waited, run.ended) == (wanted.number, wanted.stop, wanted.waited, wanted.ended)
    assert_close(np.array(losses)[:, :2], np.array(expected)[:, :2], "adam", dtype, "losses")
    assert_close(run.averaged, wanted.averaged, "adam", dtype)
    assert_close(tested.parameters, oracle.parameters, "adam", dtype)
    if patience:
        assert_close(run.best, wanted.best, "adam", dtype)


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_divergence_returns_to_the_average_from_before_the_epoch(build, dtype):
    network = classifier(build, dtype, loss="half_squared_error", output="identity", n_out=1)
    inputs, _, _ = data(dtype)
    run = averaging(network, 0, validated=False)
    before = []
    while not run.stop:
        before.append(run.averaged.copy())
        run.losses = np.full((1, 3), np.nan)
        network.train(inputs, inputs[:, :1].copy(), None, None, Steps(5, fastmlp.SGD(1e9, momentum=0.5)), 1, run)
    assert run.stop == "diverged"
    assert run.averaged.tobytes() == before[-1].tobytes()


@pytest.mark.parametrize("sizes", [[5, 16, 1], [5, 200, 200, 1]], ids=str)
def test_the_same_bits_with_any_number_of_threads_and_wherever_calls_end(sizes):
    found = set()
    for threads, extra in (
        (1, {}),
        (2, {}),
        (3, {"callbacks": lambda net, history: None}),
        (4, {"max_time": 1e6}),
        (1, {"batch_callbacks": lambda net, history: None}),
    ):
        net = fastmlp.MLP(sizes, output="sigmoid", seed=3)
        net.fit(X, Y, epochs=4, average=0.9, validation=0.2, threads=threads, **extra)
        found.add(net.parameters.tobytes())
    assert len(found) == 1


def new_net(**options):
    return fastmlp.MLP([5, 8, 1], output="sigmoid", dtype="float64", seed=1, **options)


def test_a_fit_ends_with_the_average_and_validates_it():
    net, seen = new_net(), []
    history = net.fit(
        X,
        Y,
        epochs=5,
        average=0.9,
        validation=(X[:40], Y[:40]),
        batch_callbacks=lambda net, history: seen.append(net.parameters.copy()),
    )
    expected = sum(0.9 ** (len(seen) - s) * theta for s, theta in enumerate(seen, start=1))
    np.testing.assert_allclose(net.parameters, expected * 0.1 / (1 - 0.9 ** len(seen)), rtol=1e-12)
    assert net.evaluate(X[:40], Y[:40]) == pytest.approx(history.validation_loss[-1], rel=1e-14)


def test_patience_keeps_the_best_average():
    net = new_net()
    other = {"optimizer": fastmlp.Adam(0.05), "validation": (X[:40], Y[:40][::-1])}
    history = net.fit(X, Y, epochs=300, average=0.9, patience=3, **other)
    assert history.stop_reason == "patience"
    assert net.evaluate(X[:40], Y[:40][::-1]) == pytest.approx(min(history.validation_loss), rel=1e-14)


def test_callbacks_see_the_parameters_that_steps_move_and_may_change_them():
    plain, averaged = new_net(), new_net()
    seen = {id(plain): [], id(averaged): []}

    def look(net, history):
        net.parameters[0] += 0.5
        seen[id(net)].append(net.parameters.copy())

    plain.fit(X, Y, epochs=3, callbacks=look)
    averaged.fit(X, Y, epochs=3, callbacks=look, average=0.9)
    np.testing.assert_array_equal(seen[id(plain)], seen[id(averaged)])
    assert not np.array_equal(plain.parameters, averaged.parameters)


def test_what_is_frozen_stays_to_the_bit_and_a_diverging_fit_ends_finite():
    net = new_net()
    net.trainable = [False, True]
    before = net.weights[0].copy()
    net.fit(X, Y, epochs=3, average=0.99)
    assert net.weights[0].tobytes() == before.tobytes()
    regression = fastmlp.MLP([5, 8, 1], seed=1)
    start = regression.parameters.copy()
    with pytest.warns(RuntimeWarning, match="diverged at epoch 1"):
        regression.fit(X, Y, epochs=5, average=0.9, optimizer=fastmlp.SGD(1e12))
    assert regression.parameters.tobytes() == start.tobytes()


def test_fit_many_averages_each_net():
    alone, together = [[fastmlp.MLP([5, 4, 1], output="sigmoid", seed=seed) for seed in (1, 2)] for _ in range(2)]
    for net in alone:
        net.fit(X, Y, epochs=3, average=0.9)
    fastmlp.fit_many(together, X, Y, epochs=3, average=0.9)
    assert [net.parameters.tobytes() for net in alone] == [net.parameters.tobytes() for net in together]


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.5, "0.9", True, math.nan])
def test_what_is_no_share_is_refused_and_changes_nothing(wrong):
    net = new_net()
    before = net.parameters.copy()
    with pytest.raises((ValueError, TypeError), match="average"):
        net.fit(X, Y, epochs=2, average=wrong)
    assert net.parameters.tobytes() == before.tobytes()
    assert net.history is None
