"""Dropout: which units a step leaves out, what it makes of the others, and where it is off.

The hash that chooses the units is written here once more, with Python's whole numbers, and what a step computes by
hand for one hidden layer. That the core does so in every shape is shown against the reference, which is held to both.
"""

import numpy as np
import pytest

import fastmlp
from cases import (
    COMPILED,
    DTYPES,
    EVERY_NETWORK,
    cast,
    make,
    random_inputs,
    random_parameters,
    random_targets,
)
from fastmlp import formulas
from fastmlp.optimizers import Steps
from tolerances import assert_close

GOLDEN = 0x9E3779B97F4A7C15


def splitmix64(x):
    """The finaliser of Steele, Lea and Flood 2014."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def is_dropped(seed, position, layer, unit, p):
    key = splitmix64((splitmix64((seed + (layer + 1) * GOLDEN) % 2**64) + (position + 1) * GOLDEN) % 2**64)
    h = key % 2**32 ^ unit * 0x9E3779B9 % 2**32
    h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
    h = ((h ^ h >> 13) + (key >> 32)) * 0xC2B2AE35 % 2**32
    return (h ^ h >> 16) >> 8 < int(p * 2**24)


def kept(seed, start, rows, layer, units, p):
    """(rows, units) of 0 for what is dropped and 1 / (1 - p) for what is kept."""
    return np.array(
        [[0 if is_dropped(seed, start + i, layer, j, p) else 1 / (1 - p) for j in range(units)] for i in range(rows)]
    )


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_the_units_left_out_are_those_of_the_hash(seed):
    for start, layer, p in ((0, 0, 0.5), (1000, 2, 0.1), (2**33, 1, 0.9)):
        expected = kept(seed, start, 9, layer, 33, p) == 0
        assert expected.any()
        assert np.array_equal(formulas.dropped_units(seed, start, 9, layer, 33, p), expected)


def test_units_are_left_out_with_the_probability_asked_for_and_independently():
    rows, units = 2000, 500
    for p in (0.1, 0.5, 0.8):
        dropped = formulas.dropped_units(7, 0, rows, 0, units, p)
        deviation = np.sqrt(p * (1 - p))
        assert abs(dropped.mean() - p) < 5 * deviation / np.sqrt(rows * units)
        for axis, n in ((0, rows), (1, units)):
            assert np.abs(dropped.mean(axis=axis) - p).max() < 6 * deviation / np.sqrt(n)
        centred = (dropped - p) / deviation
        others = {
            "the next sample": centred[1:] * centred[:-1],
            "the next unit": centred[:, 1:] * centred[:, :-1],
            "the next layer": centred * (formulas.dropped_units(7, 0, rows, 1, units, p) - p) / deviation,
            "the next seed": centred * (formulas.dropped_units(8, 0, rows, 0, units, p) - p) / deviation,
        }
        for which, product in others.items():
            assert abs(product.mean()) < 5 / np.sqrt(product.size), (p, which)


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_a_step_with_dropout_is_the_one_computed_by_hand(build, dtype):
    """Two batches of an epoch, so that the position in the epoch counts and not that in the batch."""
    m, p, seed, rate = 6, 0.4, 12345, 0.5
    rng = np.random.default_rng(0)
    X, Y = random_inputs(2 * m, 3, rng), random_inputs(2 * m, 2, rng)
    start = random_parameters((3, 5, 2), True, rng)
    network = make(build, dtype, (3, 5, 2), "tanh", "identity", "half_squared_error", True, start, dropout=(p,))
    loss = network.train(cast(X, dtype), cast(Y, dtype), None, None, Steps(m, fastmlp.SGD(rate), seed=seed))

    W1, b1, W2, b2 = start[:15].reshape(3, 5), start[15:20], start[20:30].reshape(5, 2), start[30:]
    losses = []
    for batch in range(2):
        x, y = X[batch * m : (batch + 1) * m], Y[batch * m : (batch + 1) * m]
        factor = kept(seed, batch * m, m, 0, 5, p)
        assert (factor == 0).any(axis=1).any()
        A = np.tanh(x @ W1 + b1)
        error = (A * factor) @ W2 + b2 - y
        losses.append(0.5 * np.sum(error**2) / m)
        delta = (error @ W2.T) * factor * (1 - A**2) / m
        W2, b2 = W2 - rate * (A * factor).T @ error / m, b2 - rate * error.mean(axis=0)
        W1, b1 = W1 - rate * x.T @ delta, b1 - rate * delta.sum(axis=0)
    expected = np.concatenate([W1.ravel(), b1, W2.ravel(), b2])
    assert_close(network.parameters, expected, "training", dtype)
    assert_close(loss, np.mean(losses), "training", dtype)


# Several row blocks, micro-batches, panels, data-parallel parts; layers whose columns are shared out; a big W; with
# and without dropout.
NETS = {
    "7-20-9-2": ((7, 20, 9, 2), "tanh", "identity", "half_squared_error", (0.5, 0.2)),
    "40-130-70-10": ((40, 130, 70, 10), "gelu", "softmax", "cross_entropy", (0.0, 0.3)),
    "300-260-256-9": ((300, 260, 256, 9), "tanh", "softmax", "cross_entropy", (0.5, 0.5)),
    "5-300-3": ((5, 300, 3), "silu", "identity", "half_squared_error", (0.8,)),
}


def network_and_data(name, build, dtype, m):
    sizes, hidden, output, loss, dropout = NETS[name]
    rng = np.random.default_rng([m, *sizes])
    network = make(
        build, dtype, sizes, hidden, output, loss, True, random_parameters(sizes, True, rng), dropout=dropout
    )
    X, y = random_inputs(m, sizes[0], rng), random_targets(loss, m, sizes[-1], rng)
    return network, (cast(X, dtype), cast(y, dtype), None, rng.permutation(m).astype(np.int64))


@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_training_with_dropout_gives_what_the_reference_gives(build, dtype, name):
    for m, batch_size in ((3, 2), (300, 300), (129, 64)):
        tested, data = network_and_data(name, build, dtype, m)
        oracle, exact = network_and_data(name, "reference", "float64", m)
        for seed in (3, 2**63 - 5):
            losses = [
                n.train(*d, Steps(batch_size, fastmlp.SGD(0.005), seed=seed))
                for n, d in ((tested, data), (oracle, exact))
            ]
            assert_close(*losses, "training", dtype, f"{name} m={m} loss")
            assert_close(tested.parameters, oracle.parameters, "training", dtype, f"{name} m={m}")


@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_the_number_of_threads_does_not_change_what_is_left_out(build, dtype, name):
    for m in (3, 65, 600):
        ends = []
        for threads in (1, 2, 3, 4):
            network, data = network_and_data(name, build, dtype, m)
            loss = network.train(*data, Steps(300, fastmlp.Adam(0.01), seed=9), threads)
            ends.append((loss, network.parameters.tobytes()))
        assert all(end == ends[0] for end in ends), m
        network, data = network_and_data(name, build, dtype, m)
        network.train(*data, Steps(300, fastmlp.Adam(0.01), seed=10))
        assert network.parameters.tobytes() != ends[0][1]


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_only_training_leaves_units_out(build, dtype):
    network, (X, y, _, order) = network_and_data("7-20-9-2", build, dtype, 70)
    sizes, *rest, _dropout = NETS["7-20-9-2"]
    network.train(X, y, None, order, Steps(32, fastmlp.SGD(0.01), seed=1))
    plain = make(build, dtype, sizes, *rest, True, network.parameters)
    answers = []
    for net in (network, plain):
        flat, inputs = np.empty_like(net.parameters), np.empty_like(X)
        loss = net.gradient(X, y, None, flat, inputs)
        answers.append((net.forward(X).tobytes(), net.evaluate(X, y), loss, flat.tobytes(), inputs.tobytes()))
    assert answers[0] == answers[1]
    trained = [
        (net.train(X, y, None, order, Steps(32, fastmlp.SGD(0.01))), net.parameters.tobytes())
        for net in (network, plain)
    ]
    assert trained[0] != trained[1]


def fitted(**options):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    net = fastmlp.MLP([3, 16, 8, 2], activation="tanh", seed=5, dtype="float64", **options)
    history = net.fit(X, y, epochs=3, batch_size=16)
    return net, history.loss


def test_a_fit_with_dropout_draws_from_the_seed_of_the_net_and_without_it_draws_as_before():
    (one, losses), (two, again) = fitted(dropout=0.5), fitted(dropout=[0.5, 0.5])
    assert one.parameters.tobytes() == two.parameters.tobytes()
    assert losses == again
    plain, without = fitted()
    zero, nothing = fitted(dropout=(0, 0.0))
    assert plain.parameters.tobytes() == zero.parameters.tobytes()
    assert without == nothing != losses


def test_epochs_of_a_fit_leave_different_units_out():
    # A rate that moves nothing: the losses of two epochs differ by the units left out alone.
    X, y = np.ones((4, 3)), np.ones((4, 2))
    net = fastmlp.MLP([3, 16, 2], dropout=0.5, seed=0, dtype="float64")
    history = net.fit(X, y, epochs=3, batch_size=None, optimizer=fastmlp.SGD(1e-30))
    assert len(set(history.loss)) == 3


def test_the_masked_outputs_are_in_the_mean_the_outputs():
    """Of a linear net, whose mean over many masks is its answer; the gradient of the last bias is that mean error."""
    m = 40_000
    X, y = np.ones((m, 2)), np.zeros((m, 1))
    net = fastmlp.MLP([2, 32, 1], activation="identity", dropout=0.3, seed=1, dtype="float64")
    answer = net.predict(X[:1])[0, 0]
    deviation = np.sqrt(0.3 / 0.7 * np.sum(((X[0] @ net.weights[0]) * net.weights[1][:, 0]) ** 2) / m)
    net.fit(X, y, epochs=1, batch_size=None, optimizer=fastmlp.SGD(1.0))
    assert abs(-net.biases[1][0] - answer) < 5 * deviation
    assert abs(answer) > 20 * deviation


def test_dropout_is_told_and_copied():
    net = fastmlp.MLP([3, 4, 5, 1], dropout=[0.25, 0.5], seed=0)
    assert net.dropout == (0.25, 0.5)
    assert "dropout [0.25, 0.5]" in repr(net)
    assert "dropout [0.25, 0.5]" in net.summary()
    assert fastmlp.MLP([3, 4, 5, 1], dropout=0.5).dropout == (0.5, 0.5)
    plain = fastmlp.MLP([3, 4, 5, 1])
    assert plain.dropout == (0, 0)
    assert "dropout" not in repr(plain) + plain.summary()
    made = fastmlp.MLP.from_parameters([np.eye(2), np.eye(2)], None, dropout=0.5)
    assert made.dropout == (0.5,)
