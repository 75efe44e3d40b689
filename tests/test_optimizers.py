"""Each optimizer step against its formula, written here on its own, over several steps of the full batch.

The net is one linear neuron layer, whose gradient of the mean of half the squared error is X'(XW + b - Y) /
m: a formula that needs no backpropagation.
"""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import fastmlp
from cases import DTYPES, EVERY_BUILD, cast, make
from tolerances import assert_close

STEPS = 10
M, N_IN, N_OUT = 12, 3, 2


def data():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(M, N_IN)), rng.normal(size=(M, N_OUT)), rng.normal(size=N_IN * N_OUT + N_OUT)
    return [array.astype(np.float32).astype(np.float64) for array in numbers]


def gradient(parameters, X, Y, weight_decay):
    """Flat gradient at the flat parameters (W row by row, then b); the decay falls on W alone."""
    W, b = parameters[: N_IN * N_OUT].reshape(N_IN, N_OUT), parameters[N_IN * N_OUT :]
    error = X @ W + b - Y
    return np.concatenate([(X.T @ error / M + weight_decay * W).ravel(), error.mean(axis=0)])


def sgd(parameters, X, Y, learning_rate, momentum=0.0, nesterov=False, weight_decay=0.0):
    velocity = np.zeros_like(parameters)
    for _ in range(STEPS):
        g = gradient(parameters, X, Y, weight_decay)
        velocity = momentum * velocity + g
        step = g + momentum * velocity if nesterov else velocity
        parameters = parameters - learning_rate * step
        yield parameters


def adam(
    parameters, X, Y, learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-8, weight_decay=0.0, epsilon_hat=False
):
    mean, square = np.zeros_like(parameters), np.zeros_like(parameters)
    for step in range(1, STEPS + 1):
        g = gradient(parameters, X, Y, weight_decay)
        mean = beta_1 * mean + (1 - beta_1) * g
        square = beta_2 * square + (1 - beta_2) * g**2
        unbiased_mean, unbiased_square = mean / (1 - beta_1**step), square / (1 - beta_2**step)
        root = np.sqrt(unbiased_square) + epsilon
        if epsilon_hat:
            root = (np.sqrt(square) + epsilon) / np.sqrt(1 - beta_2**step)
        parameters = parameters - learning_rate * unbiased_mean / root
        yield parameters


CASES = {
    "SGD": (fastmlp.SGD, sgd, {"learning_rate": 0.1}),
    "SGD with momentum": (fastmlp.SGD, sgd, {"learning_rate": 0.1, "momentum": 0.9}),
    "SGD with Nesterov": (fastmlp.SGD, sgd, {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    "SGD with decay": (fastmlp.SGD, sgd, {"learning_rate": 0.1, "weight_decay": 0.3}),
    "SGD with all": (
        fastmlp.SGD,
        sgd,
        {"learning_rate": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.3},
    ),
    "Adam": (fastmlp.Adam, adam, {}),
    "Adam with a rate": (fastmlp.Adam, adam, {"learning_rate": 0.05}),
    "Adam with all": (
        fastmlp.Adam,
        adam,
        {"learning_rate": 0.05, "beta_1": 0.7, "beta_2": 0.95, "epsilon": 0.1, "weight_decay": 0.3},
    ),
    "Adam with epsilon hat": (fastmlp.Adam, adam, {"learning_rate": 0.05, "epsilon": 0.1, "epsilon_hat": True}),
}


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_ten_steps_of_a_network_follow_the_formula(build, dtype, name):
    optimizer, formula, options = CASES[name]
    X, Y, start = data()
    network = make(build, dtype, (N_IN, N_OUT), "identity", "identity", "half_squared_error", True, start)
    order = np.arange(M, dtype=np.int64)
    for step, expected in enumerate(formula(start, X, Y, **options), start=1):
        network.train(cast(X, dtype), cast(Y, dtype), None, order, M, optimizer(**options))
        assert_close(network.parameters, expected, "optimizer", dtype, f"{name} step {step}")
    assert np.abs(expected - start).max() > 1e-3


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_l2_penalizes_the_loss_of_a_batch_summed_over_its_weighted_samples(build, dtype):
    X, Y, start = data()
    weight = np.arange(M, dtype=np.float64)
    network = make(build, dtype, (N_IN, N_OUT), "identity", "identity", "half_squared_error", True, start)
    loss = network.train(*(cast(array, dtype) for array in (X, Y, weight)), None, M, fastmlp.SGD(0.1), 1, 0.3)
    W, b = start[: N_IN * N_OUT].reshape(N_IN, N_OUT), start[N_IN * N_OUT :]
    error = X @ W + b - Y
    penalty = 0.5 * 0.3 * np.sum(W * W) / weight.sum()
    assert_close(network.penalty, penalty, "optimizer", dtype, "penalty")
    assert_close(loss, 0.5 * np.sum(weight[:, None] * error**2) / weight.sum() + penalty, "optimizer", dtype, "loss")
    slope = X.T @ (weight[:, None] * error) / weight.sum() + 0.3 * W / weight.sum()
    assert_close(network.parameters[: W.size], (W - 0.1 * slope).ravel(), "optimizer", dtype, "W")
    assert_close(network.parameters[W.size :], b - 0.1 * weight @ error / weight.sum(), "optimizer", dtype, "b")


@pytest.mark.parametrize("name", list(CASES))
def test_ten_epochs_of_fit_follow_the_formula(name):
    optimizer, formula, options = CASES[name]
    X, Y, start = data()
    W, b = start[: N_IN * N_OUT].reshape(N_IN, N_OUT), start[N_IN * N_OUT :]
    net = fastmlp.MLP.from_parameters([W], [b], output="identity", dtype="float64")
    seen = []
    net.fit(
        X,
        Y,
        epochs=STEPS,
        batch_size=None,
        optimizer=optimizer(**options),
        callbacks=[lambda net, history: seen.append(net.parameters.copy()) and None],
    )
    for step, (got, expected) in enumerate(zip(seen, formula(start, X, Y, **options), strict=True), start=1):
        assert_close(got, expected, "optimizer", "float64", f"{name} step {step}")


def test_the_names_of_the_optimizers_stand_for_their_defaults():
    X, Y, start = data()
    W, b = start[: N_IN * N_OUT].reshape(N_IN, N_OUT), start[N_IN * N_OUT :]
    answers = []
    for options in ({"optimizer": "adam"}, {"optimizer": fastmlp.Adam()}, {}):
        net = fastmlp.MLP.from_parameters([W], [b], output="identity", dtype="float64")
        net.fit(X, Y, epochs=3, batch_size=None, shuffle=False, **options)
        answers.append(net.parameters.tobytes())
    assert answers[0] == answers[1] == answers[2]


def test_the_defaults_of_adam_are_those_of_its_paper():
    adam = fastmlp.Adam()
    assert (adam.learning_rate, adam.beta_1, adam.beta_2, adam.epsilon) == (1e-3, 0.9, 0.999, 1e-8)
    assert adam.weight_decay == 0
    sgd = fastmlp.SGD(0.1)
    assert (sgd.learning_rate, sgd.momentum, sgd.nesterov, sgd.weight_decay) == (0.1, 0, False, 0)


@pytest.mark.parametrize("optimizer", [fastmlp.SGD(0.1), fastmlp.Adam()], ids=["SGD", "Adam"])
def test_the_hyperparameters_of_an_optimizer_cannot_be_changed(optimizer):
    with pytest.raises(FrozenInstanceError):
        optimizer.learning_rate = 1.0
    assert optimizer == type(optimizer)(learning_rate=optimizer.learning_rate)
    assert "learning_rate" in repr(optimizer)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_adam_makes_no_move_where_the_square_of_a_gradient_overflows(build, dtype):
    # The second moment is infinite, and what is divided by its root is nothing.
    network = make(build, dtype, (1, 1), "tanh", "identity", "half_squared_error", False, np.zeros(1))
    large = np.full((1, 1), 10.0 ** (21 if dtype == "float32" else 160), dtype)
    with np.errstate(over="ignore"):
        network.train(large, np.ones((1, 1), dtype), None, None, 1, fastmlp.Adam())
    assert abs(network.parameters[0]) < 1e-3
