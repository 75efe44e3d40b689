"""Schedules of the learning rate, and what else looks into a fit between its steps: callbacks, the clock, bars."""

import math
import time

import numpy as np
import pytest

import fastmlp
from cases import EVERY_NETWORK
from fastmlp import schedules
from fastmlp.optimizers import Steps
from test_epochs import a_run, classifier
from test_epochs import data as epoch_data
from tolerances import assert_close

MIDDLES = (np.arange(8) + 0.5) / 8

# Factors of eight steps, each at its middle, by hand.
FACTORS = {
    "constant": ("constant", [1.0] * 8),
    "warm-up": (schedules.Constant(warm_up=0.5), [1 / 8, 3 / 8, 5 / 8, 7 / 8, 1, 1, 1, 1]),
    "cosine": ("cosine", [0.5 * (1 + math.cos(math.pi * t)) for t in MIDDLES]),
    "cosine to a floor": (
        schedules.Cosine(floor=0.2), [0.2 + 0.8 * math.cos(math.pi * t / 2) ** 2 for t in MIDDLES],
    ),
    "cosine after a warm-up": (
        schedules.Cosine(warm_up=0.5),
        [1 / 8, 3 / 8, 5 / 8, 7 / 8, *(math.cos(math.pi * t / 2) ** 2 for t in (1 / 8, 3 / 8, 5 / 8, 7 / 8))],
    ),
    "step": ("step", [1, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.01]),
    "step by halves": (schedules.Step(factor=0.5, every=0.25), [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]),
    "one cycle": (
        schedules.OneCycle(peak=0.5, start=0.2, end=0.0),
        [*(0.2 + 0.8 * math.sin(math.pi * t / 2) ** 2 for t in (1 / 8, 3 / 8, 5 / 8, 7 / 8)),
         *(math.cos(math.pi * t / 2) ** 2 for t in (1 / 8, 3 / 8, 5 / 8, 7 / 8))],
    ),
    # Of three cycles, that end at t = 1/7, 3/7 and 1: log2(1 + 7 t) = 1, 2, 3.
    "cosine of a logarithm": (schedules.CosLog(3), [math.sin(math.pi * math.log2(1 + 7 * t)) ** 2 for t in MIDDLES]),
    "four cycles": ("coslog4", [math.sin(math.pi * math.log2(1 + 15 * t)) ** 2 for t in MIDDLES]),
    "flat, then a cosine": (
        "flat_cosine", [1] * 4 + [math.cos(math.pi * t / 2) ** 2 for t in (1 / 8, 3 / 8, 5 / 8, 7 / 8)],
    ),
    "flat for three quarters": (
        schedules.FlatCosine(flat=0.75), [1] * 6 + [math.cos(math.pi * t / 2) ** 2 for t in (1 / 4, 3 / 4)],
    ),
    "any callable": (lambda progress: 1 - progress, list(1 - MIDDLES)),
}  # fmt: skip


@pytest.mark.parametrize("name", list(FACTORS))
def test_the_factors_of_a_schedule_are_those_of_its_formula(name):
    schedule, expected = FACTORS[name]
    factors = np.concatenate([schedules.factors(schedule, epoch, 1, 4, 2) for epoch in range(4)])
    np.testing.assert_allclose(factors, expected, rtol=1e-12)


def test_the_cycles_of_a_coslog_end_at_zero_and_are_each_twice_as_long_as_the_one_before():
    ends = np.array([0, 1, 3, 7, 15]) / 15
    assert np.abs(schedules.CosLog()(ends)).max() < 1e-24
    np.testing.assert_allclose(schedules.CosLog()((2 ** (np.arange(4) + 0.5) - 1) / 15), 1, rtol=1e-12)


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 3)), rng.normal(size=(12, 2))


def net(**options):
    return fastmlp.MLP([3, 2], dtype="float64", seed=0, **options)


@pytest.mark.parametrize("name", list(FACTORS))
def test_every_step_of_a_fit_has_the_rate_of_its_schedule(name):
    # Four epochs of two batches; gradient descent of a linear layer, by its formula.
    schedule, factors = FACTORS[name]
    X, Y = data()
    tested = net()
    W, b = tested.weights[0].copy(), tested.biases[0].copy()
    tested.fit(X, Y, epochs=4, batch_size=6, shuffle=False, optimizer=fastmlp.SGD(0.1), schedule=schedule)
    for step, factor in enumerate(factors):
        rows = slice(0, 6) if step % 2 == 0 else slice(6, 12)
        error = X[rows] @ W + b - Y[rows]
        W, b = W - 0.1 * factor * X[rows].T @ error / 6, b - 0.1 * factor * error.mean(axis=0)
    assert_close(tested.weights[0], W, "optimizer", "float64", name)
    assert_close(tested.biases[0], b, "optimizer", "float64", name)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: schedules.Constant(warm_up=1.0), "warm_up"),
        (lambda: schedules.Cosine(floor=-0.1), "floor"),
        (lambda: schedules.Cosine(warm_up="0.1"), "warm_up"),
        (lambda: schedules.Step(factor=0.0), "factor"),
        (lambda: schedules.Step(every=2.0), "every"),
        (lambda: schedules.OneCycle(peak=1.0), "peak"),
        (lambda: schedules.OneCycle(start=2.0), "start"),
        (lambda: schedules.OneCycle(end=math.nan), "end"),
        (lambda: schedules.CosLog(0), "cycles"),
        (lambda: schedules.CosLog(33), "cycles"),
        (lambda: schedules.CosLog(2.5), "cycles"),
        (lambda: schedules.FlatCosine(flat=1.0), "flat"),
    ],
)
def test_a_number_of_a_schedule_that_is_out_of_its_range_is_refused(make, named):
    with pytest.raises((ValueError, TypeError), match=named):
        make()


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"schedule": "cosin"}, ValueError, r"schedule is 'cosin'.*did you mean 'cosine'"),
        ({"schedule": 3}, TypeError, "schedule is 3"),
        ({"schedule": schedules.Cosine}, TypeError, "instance"),
        ({"schedule": lambda progress: 1.0}, ValueError, r"shape \(\)"),
        ({"schedule": lambda progress: -progress}, ValueError, "negative"),
        ({"schedule": lambda progress: progress * math.inf}, ValueError, "not finite"),
        ({"max_time": 0}, ValueError, "max_time is 0"),
        ({"max_time": "1 s"}, TypeError, "max_time"),
        ({"batch_callbacks": 3}, TypeError, "batch_callbacks is 3"),
        ({"batch_callbacks": [print, 3]}, TypeError, r"batch_callbacks\[1\]"),
        ({"progress": "bar"}, ValueError, "progress is 'bar'"),
    ],
)
def test_what_a_fit_cannot_use_is_refused_and_changes_nothing(wrong, error, said):
    X, Y = data()
    tested, untouched = net(), net()
    with pytest.raises(error, match=said):
        tested.fit(X, Y, epochs=2, batch_size=4, validation=0.25, **wrong)
    for each in (tested, untouched):
        each.fit(X, Y, epochs=2, batch_size=4, validation=0.25)
    assert tested.parameters.tobytes() == untouched.parameters.tobytes()


# Dropout and weight decay by a schedule


def with_dropout(p, seed=2):
    return fastmlp.MLP([3, 20, 20, 2], dropout=p, dtype="float64", seed=seed)


def scheduled_bits(tested, **options):
    X, Y = data()
    tested.fit(X, Y, epochs=5, batch_size=5, **options)
    return tested.parameters.tobytes()


def test_dropout_by_a_schedule_is_dropout_with_its_factors():
    half = scheduled_bits(with_dropout(0.4), dropout_schedule=lambda progress: np.full(len(progress), 0.5))
    assert half == scheduled_bits(with_dropout(0.2))
    never = scheduled_bits(with_dropout([0.4, 0.1]), dropout_schedule=lambda progress: 0 * progress)
    assert never == scheduled_bits(with_dropout(0.0))
    assert scheduled_bits(with_dropout(0.4), dropout_schedule="constant") == scheduled_bits(with_dropout(0.4))
    assert half != scheduled_bits(with_dropout(0.4), dropout_schedule="flat_cosine")


def test_a_schedule_of_dropout_does_not_outlast_its_fit():
    scheduled, plain, (X, Y) = with_dropout(0.4), with_dropout(0.4), data()
    scheduled.fit(X, Y, epochs=3, dropout_schedule=lambda progress: 0 * progress)
    plain.parameters, plain._epochs = scheduled.parameters, 3
    for one in (scheduled, plain):
        one.fit(X, Y, epochs=2, optimizer=fastmlp.SGD(0.1))
        one.step(X, Y, fastmlp.SGD(0.1))
    assert scheduled.parameters.tobytes() == plain.parameters.tobytes()


def test_weight_decay_by_a_schedule_shrinks_the_weights_by_its_factors():
    # Inputs and targets of zero have no gradient: what is left is the decay.
    tested = fastmlp.MLP([3, 2], bias=False, dtype="float64", seed=0)
    start = tested.parameters.copy()
    nothing = np.zeros((12, 3)), np.zeros((12, 2))
    optimizer = fastmlp.AdamW(0.1, weight_decay=0.5)
    tested.fit(
        *nothing,
        epochs=4,
        batch_size=6,
        optimizer=optimizer,
        schedule=lambda t: 1 - t,
        weight_decay_schedule=lambda t: t**2,
    )
    np.testing.assert_allclose(tested.parameters, start * np.prod(1 - 0.1 * (1 - MIDDLES) * 0.5 * MIDDLES**2))
    penalised = fastmlp.MLP([3, 2], bias=False, dtype="float64", seed=0)
    penalised.fit(
        *nothing,
        epochs=4,
        batch_size=6,
        optimizer=fastmlp.SGD(0.1, weight_decay=0.5),
        weight_decay_schedule="flat_cosine",
    )
    factors = np.array(FACTORS["flat, then a cosine"][1])
    np.testing.assert_allclose(penalised.parameters, start * np.prod(1 - 0.1 * 0.5 * factors))


@pytest.mark.parametrize(
    "optimizer",
    [
        fastmlp.SGD(0.1, momentum=0.5, weight_decay=0.3),
        fastmlp.AdamW(0.02, weight_decay=0.3),
        fastmlp.Adam(0.02, weight_decay=0.3),
        fastmlp.RMSprop(0.01, weight_decay=0.3),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_scheduled_steps_are_those_of_the_reference_however_they_are_cut_into_calls(build, dtype, optimizer):
    epochs, found = 6, []
    factors = {
        "rates": 1 - 0.1 * np.arange(30) / 30,
        "weight_decays": 0.3 * np.arange(30)[::-1] / 30,
        "dropout_factors": np.maximum(1.5 - np.arange(30) / 15, 0),
    }
    for where, calls in ((("reference", "float64"), [6]), ((build, dtype), [6]), ((build, dtype), [1, 2, 3])):
        network = classifier(*where, dropout=(0.4,))
        X, y, w = epoch_data(network.dtype)
        run, done = a_run(network, 0), 0
        for number in calls:
            run.losses = np.full((number, 3), np.nan)
            some = {name: of_all[5 * done :] for name, of_all in factors.items()}
            some["rates"] = some["rates"] * optimizer.learning_rate
            network.train(X, y, w, None, Steps(5, optimizer, **some), 1, run)
            done += run.ended
        assert done == epochs
        found.append(network.parameters.copy())
    assert_close(found[1], found[0], "adam", dtype, optimizer)
    assert found[1].tobytes() == found[2].tobytes()


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"dropout_schedule": "cosin"}, ValueError, r"dropout_schedule is 'cosin'"),
        (
            {"dropout_schedule": lambda t: 3 + 0 * t},
            ValueError,
            r"dropout_schedule gave a factor of 3.0 where dropout is 0.4",
        ),
        ({"dropout_schedule": lambda t: -t}, ValueError, "dropout_schedule gave a factor that is negative"),
        ({"weight_decay_schedule": "cosine"}, ValueError, "weight_decay_schedule is 'cosine' for an optimizer whose"),
        ({"weight_decay_schedule": 3, "optimizer": "adamw"}, TypeError, "weight_decay_schedule is 3"),
    ],
)
def test_a_schedule_that_nothing_can_follow_is_refused_and_changes_nothing(wrong, error, said):
    tested, untouched = with_dropout(0.4), with_dropout(0.4)
    with pytest.raises(error, match=said):
        scheduled_bits(tested, **wrong)
    assert scheduled_bits(tested) == scheduled_bits(untouched)


def test_a_net_without_dropout_has_none_to_schedule():
    with pytest.raises(ValueError, match="dropout_schedule is 'cosine' for a net without dropout"):
        net().fit(*data(), dropout_schedule="cosine")


# Looking in between


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("optimizer", [fastmlp.SGD(0.05, momentum=0.9), fastmlp.Adam(0.01)], ids=["SGD", "Adam"])
def test_a_fit_that_is_looked_at_after_each_batch_is_the_same_fit(optimizer, weighted):
    X, Y = data()
    options = {"epochs": 3, "batch_size": 5, "optimizer": optimizer, "schedule": "cosine"}
    if weighted:
        options["sample_weight"] = np.arange(12)
    alone, seen = net(), net()
    losses = []
    history = alone.fit(X, Y, **options)
    same = seen.fit(X, Y, **options, batch_callbacks=lambda net, history: losses.append(history.batch_loss))
    assert seen.parameters.tobytes() == alone.parameters.tobytes()
    np.testing.assert_allclose(same.loss, history.loss, rtol=1e-12)
    assert len(losses) == 9
    assert math.isnan(history.batch_loss)
    assert same.batch_loss == losses[-1]
    if not weighted:
        np.testing.assert_allclose(np.dot(losses[:3], (5, 5, 2)) / 12, history.loss[0], rtol=1e-12)


def test_dropout_is_the_same_whether_somebody_looks_or_not():
    X, Y = data()
    nets = [fastmlp.MLP([3, 20, 2], dropout=0.5, dtype="float64", seed=0) for _ in range(3)]
    nets[0].fit(X, Y, epochs=3, batch_size=5)
    nets[1].fit(X, Y, epochs=3, batch_size=5, batch_callbacks=lambda net, history: None)
    nets[2].fit(X, Y, epochs=3, batch_size=5, max_time=1e6)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes() == nets[2].parameters.tobytes()


def test_a_batch_callback_that_returns_true_stops_at_once():
    X, Y = data()
    tested, two_steps = net(), net()
    calls = []

    def stop(net, history):
        calls.append(net.parameters.copy())
        return len(calls) == 2

    history = tested.fit(X, Y, epochs=3, batch_size=4, shuffle=False, batch_callbacks=[stop, lambda *_: None])
    assert (history.stop_reason, history.epochs, len(calls)) == ("callback", 1, 2)
    two_steps.fit(X[:8], Y[:8], epochs=1, batch_size=4, shuffle=False)
    assert tested.parameters.tobytes() == two_steps.parameters.tobytes() == calls[-1].tobytes()


def test_time_that_is_up_ends_a_fit_within_an_epoch():
    X = np.random.default_rng(0).normal(size=(3_000_000, 2)).astype("f4")
    tested = fastmlp.MLP([2, 4, 1], activation="tanh", seed=0)
    began = time.perf_counter()
    history = tested.fit(X, X[:, 0] + 1, epochs=10**6, batch_size=1, shuffle=False, max_time=0.2)
    seconds = time.perf_counter() - began
    assert history.stop_reason == "time"
    assert history.epochs == 1
    assert 0.2 <= history.seconds <= seconds
    whole = fastmlp.MLP([2, 4, 1], activation="tanh", seed=0)
    whole.fit(X, X[:, 0] + 1, epochs=1, batch_size=1, shuffle=False)
    assert tested.parameters.tobytes() != whole.parameters.tobytes()  # which took every step of the epoch


def test_time_that_is_not_up_changes_nothing():
    X, Y = data()
    alone, timed = net(), net()
    alone.fit(X, Y, epochs=3, batch_size=5)
    history = timed.fit(X, Y, epochs=3, batch_size=5, max_time=1e6)
    assert timed.parameters.tobytes() == alone.parameters.tobytes()
    assert history.stop_reason == "epochs"


def test_a_bar_of_tqdm_shows_epochs_and_losses(capsys):
    X, Y = data()
    net().fit(X, Y, epochs=3, validation=0.25, progress="tqdm")
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "validation loss" in shown


def test_without_tqdm_its_bar_is_the_line(capsys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    X, Y = data()
    net().fit(X, Y, epochs=3, progress="tqdm")
    assert "epoch 3/3  loss" in capsys.readouterr().err
