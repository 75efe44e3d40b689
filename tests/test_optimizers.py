"""Each optimizer step against its formula, written here on its own, over several steps of the full batch.

The net is one linear neuron layer, whose gradient of the mean of half the squared error is X'(XW + b - Y) /
m: a formula that needs no backpropagation.
"""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

import fastmlp
from cases import COMPILED, DTYPES, EVERY_NETWORK, cast, make, random_parameters
from fastmlp.optimizers import Steps
from tolerances import assert_close

STEPS = 10
M, N_IN, N_OUT = 12, 3, 2


def data():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(M, N_IN)), rng.normal(size=(M, N_OUT)), rng.normal(size=N_IN * N_OUT + N_OUT)
    return [array.astype(np.float32).astype(np.float64) for array in numbers]


def gradient(parameters, X, Y, weight_decay, l1=0.0, clip_norm=np.inf):
    """Flat gradient at the flat parameters (W row by row, then b), clipped; the penalties fall on W alone."""
    W, b = parameters[: N_IN * N_OUT].reshape(N_IN, N_OUT), parameters[N_IN * N_OUT :]
    error = X @ W + b - Y
    of_W, of_b = X.T @ error / M, error.mean(axis=0)
    factor = min(1.0, clip_norm / np.sqrt(np.sum(of_W**2) + np.sum(of_b**2)))
    return np.concatenate([(factor * of_W + weight_decay * W + l1 * np.sign(W)).ravel(), factor * of_b])


def sgd(parameters, X, Y, learning_rate, momentum=0.0, nesterov=False, weight_decay=0.0, l1=0.0, clip_norm=np.inf):
    velocity = np.zeros_like(parameters)
    for _ in range(STEPS):
        g = gradient(parameters, X, Y, weight_decay, l1, clip_norm)
        velocity = momentum * velocity + g
        step = g + momentum * velocity if nesterov else velocity
        parameters = parameters - learning_rate * step
        yield parameters


def adam(
    parameters,
    X,
    Y,
    learning_rate=1e-3,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-8,
    weight_decay=0.0,
    epsilon_hat=False,
    l1=0.0,
    clip_norm=np.inf,
):
    mean, square = np.zeros_like(parameters), np.zeros_like(parameters)
    for step in range(1, STEPS + 1):
        g = gradient(parameters, X, Y, weight_decay, l1, clip_norm)
        mean = beta_1 * mean + (1 - beta_1) * g
        square = beta_2 * square + (1 - beta_2) * g**2
        unbiased_mean, unbiased_square = mean / (1 - beta_1**step), square / (1 - beta_2**step)
        root = np.sqrt(unbiased_square) + epsilon
        if epsilon_hat:
            root = (np.sqrt(square) + epsilon) / np.sqrt(1 - beta_2**step)
        parameters = parameters - learning_rate * unbiased_mean / root
        yield parameters


def adamw(
    parameters,
    X,
    Y,
    learning_rate=1e-3,
    weight_decay=0.01,
    beta_1=0.9,
    beta_2=0.999,
    epsilon=1e-8,
    l1=0.0,
    clip_norm=np.inf,
):
    """Adam without a penalty in the gradient, beside which W shrinks (Loshchilov and Hutter 2019, algorithm 2)."""
    mean, square = np.zeros_like(parameters), np.zeros_like(parameters)
    decaying = np.arange(parameters.size) < N_IN * N_OUT
    for step in range(1, STEPS + 1):
        g = gradient(parameters, X, Y, 0.0, l1, clip_norm)
        mean = beta_1 * mean + (1 - beta_1) * g
        square = beta_2 * square + (1 - beta_2) * g**2
        scaled = mean / (1 - beta_1**step) / (np.sqrt(square / (1 - beta_2**step)) + epsilon)
        parameters = parameters - learning_rate * (scaled + weight_decay * decaying * parameters)
        yield parameters


def rmsprop(
    parameters,
    X,
    Y,
    learning_rate=1e-3,
    rho=0.9,
    momentum=0.0,
    epsilon=1e-8,
    weight_decay=0.0,
    l1=0.0,
    clip_norm=np.inf,
):
    velocity, square = np.zeros_like(parameters), np.zeros_like(parameters)
    for _ in range(STEPS):
        g = gradient(parameters, X, Y, weight_decay, l1, clip_norm)
        square = rho * square + (1 - rho) * g**2
        velocity = momentum * velocity + g / (np.sqrt(square) + epsilon)
        parameters = parameters - learning_rate * velocity
        yield parameters


CASES = {
    "SGD": (fastmlp.SGD, sgd, {"learning_rate": 0.1}),
    "SGD with momentum": (fastmlp.SGD, sgd, {"learning_rate": 0.1, "momentum": 0.9}),
    "SGD with Nesterov": (fastmlp.SGD, sgd, {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    "SGD with decay": (fastmlp.SGD, sgd, {"learning_rate": 0.1, "weight_decay": 0.3}),
    "SGD with an L1 penalty": (fastmlp.SGD, sgd, {"learning_rate": 0.1, "l1": 0.02}),
    "SGD with clipping": (fastmlp.SGD, sgd, {"learning_rate": 0.1, "clip_norm": 0.25}),
    "SGD with all": (
        fastmlp.SGD,
        sgd,
        {
            "learning_rate": 0.05,
            "momentum": 0.8,
            "nesterov": True,
            "weight_decay": 0.3,
            "l1": 0.1,
            "clip_norm": 0.5,
        },
    ),
    "Adam": (fastmlp.Adam, adam, {}),
    "Adam with a rate": (fastmlp.Adam, adam, {"learning_rate": 0.05}),
    "Adam with all": (
        fastmlp.Adam,
        adam,
        {"learning_rate": 0.05, "beta_1": 0.7, "beta_2": 0.95, "epsilon": 0.1, "weight_decay": 0.3},
    ),
    "Adam with epsilon hat": (fastmlp.Adam, adam, {"learning_rate": 0.05, "epsilon": 0.1, "epsilon_hat": True}),
    "Adam with an L1 penalty": (fastmlp.Adam, adam, {"learning_rate": 0.05, "epsilon": 0.1, "l1": 0.3}),
    "AdamW": (fastmlp.AdamW, adamw, {}),
    "AdamW with all": (
        fastmlp.AdamW,
        adamw,
        {"learning_rate": 0.05, "beta_1": 0.7, "beta_2": 0.95, "epsilon": 0.1, "weight_decay": 0.3, "clip_norm": 0.5},
    ),
    "RMSprop": (fastmlp.RMSprop, rmsprop, {}),
    "RMSprop with all": (
        fastmlp.RMSprop,
        rmsprop,
        {"learning_rate": 0.02, "rho": 0.8, "momentum": 0.7, "epsilon": 0.1, "clip_norm": 0.5, "l1": 0.1},
    ),
}


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_ten_steps_of_a_network_follow_the_formula(build, dtype, name):
    optimizer, formula, options = CASES[name]
    X, Y, start = data()
    network = make(build, dtype, (N_IN, N_OUT), "identity", "identity", "half_squared_error", True, start)
    order = np.arange(M, dtype=np.int64)
    for step, expected in enumerate(formula(start, X, Y, **options), start=1):
        network.train(cast(X, dtype), cast(Y, dtype), None, order, Steps(M, optimizer(**options)))
        assert_close(network.parameters, expected, "optimizer", dtype, f"{name} step {step}")
    assert np.abs(expected - start).max() > 1e-3


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_l2_penalizes_the_loss_of_a_batch_summed_over_its_weighted_samples(build, dtype):
    X, Y, start = data()
    weight = np.arange(M, dtype=np.float64)
    network = make(build, dtype, (N_IN, N_OUT), "identity", "identity", "half_squared_error", True, start)
    loss = network.train(*(cast(array, dtype) for array in (X, Y, weight)), None, Steps(M, fastmlp.SGD(0.1), 0.3))
    W, b = start[: N_IN * N_OUT].reshape(N_IN, N_OUT), start[N_IN * N_OUT :]
    error = X @ W + b - Y
    penalty = 0.5 * 0.3 * np.sum(W * W) / weight.sum()
    assert_close(network.penalty_by_rows, penalty, "optimizer", dtype, "penalty")
    assert_close(loss, 0.5 * np.sum(weight[:, None] * error**2) / weight.sum() + penalty, "optimizer", dtype, "loss")
    slope = X.T @ (weight[:, None] * error) / weight.sum() + 0.3 * W / weight.sum()
    assert_close(network.parameters[: W.size], (W - 0.1 * slope).ravel(), "optimizer", dtype, "W")
    assert_close(network.parameters[W.size :], b - 0.1 * weight @ error / weight.sum(), "optimizer", dtype, "b")


RATES = (0.1, 0.02, 0.3)


@pytest.mark.parametrize(
    "optimizer",
    [
        fastmlp.SGD(7.0, momentum=0.9),
        fastmlp.Adam(7.0),
        fastmlp.AdamW(7.0, weight_decay=0.3),
        fastmlp.RMSprop(7.0, momentum=0.5),
    ],
    ids=["SGD", "Adam", "AdamW", "RMSprop"],
)
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_with_rates_each_step_of_an_epoch_has_its_own_learning_rate(build, dtype, optimizer):
    """Three steps of an epoch against three epochs of one step; a batch without weight uses its rate up."""
    X, Y, start = (cast(array, dtype) for array in data())
    weight = np.repeat([1.0, 0.0, 2.0, 1.0], M // 4).astype(dtype)
    description = (N_IN, N_OUT), "identity", "identity", "half_squared_error", True, start
    at_once, one_by_one = (make(build, dtype, *description) for _ in range(2))
    at_once.train(X, Y, weight, None, Steps(M // 4, optimizer, rates=np.insert(RATES, 1, 1e9)))
    for rate, part in zip(RATES, (0, 2, 3), strict=True):
        rows = slice(part * M // 4, (part + 1) * M // 4)
        one_by_one.train(X[rows], Y[rows], weight[rows], None, Steps(M, replace(optimizer, learning_rate=rate)))
    assert at_once.parameters.tobytes() == one_by_one.parameters.tobytes()
    assert np.abs(at_once.parameters - start).max() > 1e-2


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


def after_three_epochs(**options):
    X, Y, start = data()
    W, b = start[: N_IN * N_OUT].reshape(N_IN, N_OUT), start[N_IN * N_OUT :]
    net = fastmlp.MLP.from_parameters([W], [b], output="identity", dtype="float64")
    net.fit(X, Y, epochs=3, batch_size=None, shuffle=False, **options)
    return net.parameters.tobytes()


def test_the_names_of_the_optimizers_stand_for_their_defaults():
    answers = {}
    for optimizer in (fastmlp.SGD, fastmlp.Adam, fastmlp.AdamW, fastmlp.RMSprop):
        name = optimizer.__name__.lower()
        answers[name] = after_three_epochs(optimizer=name)
        assert answers[name] == after_three_epochs(optimizer=optimizer()), name
    assert after_three_epochs() == answers["adam"]
    assert len(set(answers.values())) == 4


def test_biases_do_not_decay():
    X, Y, start = data()
    biases = []
    for penalties in ({}, {"weight_decay": 0.5}, {"l1": 0.5}):
        net = fastmlp.MLP.from_parameters(
            [np.zeros((N_IN, N_OUT))], [start[:N_OUT]], output="identity", dtype="float64"
        )
        net.fit(X, Y, epochs=1, batch_size=None, optimizer=fastmlp.AdamW(0.1, **penalties))
        biases.append(net.biases[0].tolist())
    assert biases[0] == biases[1] == biases[2]


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_the_l1_penalty_pulls_weights_towards_zero_by_a_step_each_and_leaves_those_that_are_zero(build, dtype):
    # Of a target that the net meets there is no other gradient, and all numbers are exact in binary.
    sizes, start = (1, 37), np.resize([0.0, 0.5, -0.5, 0.25, -2.0], 37)
    nothing = np.zeros((1, 1), dtype), np.zeros((1, 37), dtype)
    network = make(build, dtype, sizes, "identity", "identity", "half_squared_error", False, start)
    network.train(*nothing, None, None, Steps(1, fastmlp.SGD(0.5, l1=0.25)))
    assert network.parameters.tolist() == (start - 0.125 * np.sign(start)).tolist()
    network.parameters[:] = start
    network.train(*nothing, None, None, Steps(1, fastmlp.RMSprop(0.125, rho=0.0, epsilon=1e-30, l1=0.25)))
    np.testing.assert_allclose(network.parameters, start - 0.125 * np.sign(start), rtol=1e-5)


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_clipping_shortens_a_long_step_to_the_norm_and_leaves_a_short_one(build, dtype):
    X, Y, start = (cast(array, dtype) for array in data())
    ends = {}
    for norm in (None, 1e-3, 1e6):
        network = make(build, dtype, (N_IN, N_OUT), "identity", "identity", "half_squared_error", True, start)
        network.train(X, Y, None, None, Steps(M, fastmlp.SGD(1.0, clip_norm=norm)))
        ends[norm] = network.parameters.copy()
    assert ends[1e6].tobytes() == ends[None].tobytes()
    step, clipped = ends[None] - start, ends[1e-3] - start
    assert np.linalg.norm(clipped.astype(float)) == pytest.approx(1e-3, rel=1e-3)
    np.testing.assert_allclose(clipped * np.linalg.norm(step) / 1e-3, step, rtol=0, atol=1e-3)


def test_the_defaults_are_those_of_the_papers():
    adam = fastmlp.Adam()
    assert (adam.learning_rate, adam.beta_1, adam.beta_2, adam.epsilon) == (1e-3, 0.9, 0.999, 1e-8)
    assert adam.weight_decay == 0
    adamw = fastmlp.AdamW()
    assert (adamw.learning_rate, adamw.beta_1, adamw.beta_2, adamw.epsilon) == (1e-3, 0.9, 0.999, 1e-8)
    assert adamw.weight_decay == 0.01
    rmsprop = fastmlp.RMSprop()
    assert (rmsprop.rho, rmsprop.momentum, rmsprop.epsilon, rmsprop.weight_decay) == (0.9, 0, 1e-8, 0)
    sgd = fastmlp.SGD(0.1)
    assert (sgd.learning_rate, sgd.momentum, sgd.nesterov, sgd.weight_decay) == (0.1, 0, False, 0)


@pytest.mark.parametrize(
    "optimizer",
    [fastmlp.SGD(0.1), fastmlp.Adam(), fastmlp.AdamW(), fastmlp.RMSprop()],
    ids=["SGD", "Adam", "AdamW", "RMSprop"],
)
def test_the_hyperparameters_of_an_optimizer_cannot_be_changed(optimizer):
    with pytest.raises(FrozenInstanceError):
        optimizer.learning_rate = 1.0
    assert optimizer == type(optimizer)(learning_rate=optimizer.learning_rate)
    assert "learning_rate" in repr(optimizer)


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_no_move_is_made_where_the_square_of_a_gradient_overflows(build, dtype):
    # The second moment is infinite, and what is divided by its root is nothing.
    large = np.full((1, 1), 10.0 ** (21 if dtype == "float32" else 160), dtype)
    for optimizer in (fastmlp.Adam(), fastmlp.RMSprop()):
        network = make(build, dtype, (1, 1), "tanh", "identity", "half_squared_error", False, np.zeros(1))
        with np.errstate(over="ignore"):
            network.train(large, np.ones((1, 1), dtype), None, None, Steps(1, optimizer))
        assert abs(network.parameters[0]) < 1e-3


@pytest.mark.parametrize("optimizer", [fastmlp.Adam(epsilon=1e-60), fastmlp.RMSprop(epsilon=1e-60)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_no_move_is_made_without_a_gradient_where_epsilon_is_nothing_to_the_dtype(build, dtype, optimizer):
    network = make(build, dtype, (1, 1), "tanh", "identity", "half_squared_error", False, np.ones(1))
    network.train(np.zeros((1, 1), dtype), np.ones((1, 1), dtype), None, None, Steps(1, optimizer))
    assert network.parameters[0] == 1


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_a_gradient_whose_square_overflows_is_clipped_all_the_same(build, dtype):
    # One weight, z = x w: the gradient of half the squared error at w = 0 is -x t.
    large = 1e20 if dtype == "float32" else 1e100
    network = make(build, dtype, (1, 1), "tanh", "identity", "half_squared_error", False, np.zeros(1))
    network.train(
        np.full((1, 1), large, dtype),
        np.full((1, 1), 2, dtype),
        None,
        None,
        Steps(1, fastmlp.SGD(1.0, clip_norm=1.0)),
    )
    assert_close(network.parameters, [1.0], "optimizer", dtype)


@pytest.mark.parametrize("optimizer", [fastmlp.Adam(), fastmlp.AdamW(clip_norm=1.0), fastmlp.SGD(0.1, momentum=0.9)])
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_a_batch_whose_loss_is_not_finite_was_no_step(build, dtype, optimizer):
    # The second batch overflows; the net that never saw it has the same state, and goes on from it alike.
    rng = np.random.default_rng(0)
    X, y = (np.ascontiguousarray(array, dtype) for array in (rng.normal(size=(12, 3)), rng.normal(size=(12, 2))))
    parameters = random_parameters((3, 5, 2), True, rng)
    nets = [make(build, dtype, (3, 5, 2), "relu", "identity", "squared_error", True, parameters) for _ in range(2)]
    broken = X.copy()
    broken[4:] = np.finfo(dtype).max
    assert not np.isfinite(nets[0].train(broken, y, None, None, Steps(4, optimizer)))
    nets[1].train(X[:4], y[:4], None, None, Steps(4, optimizer))
    for state, expected in zip(nets[0].optimizer_state, nets[1].optimizer_state, strict=True):
        np.testing.assert_array_equal(state, expected)
    for net in nets:
        net.train(X, y, None, None, Steps(6, optimizer))
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
