"""The face of a net: how it is made, shown, read, set, asked and copied. Training has a room of its own."""

import copy
import pickle
import threading

import numpy as np
import pytest

import fastmlp
from cases import random_parameters
from fastmlp import formulas
from tolerances import assert_close

X = np.random.default_rng(0).normal(size=(9, 4))


def net_434(**options):
    return fastmlp.MLP([4, 3, 4], **({"activation": "tanh", "seed": 0} | options))


def tanh_net_by_hand(net, X):
    """The forward pass of a net with tanh hidden layers and identity output, in float64."""
    A = np.asarray(X, np.float64)
    for W, b in zip(net.weights[:-1], net.biases[:-1], strict=True):
        A = np.tanh(A @ W.astype(np.float64) + b)
    return A @ net.weights[-1].astype(np.float64) + net.biases[-1]


def test_a_net_has_the_shapes_it_was_asked_for():
    net = fastmlp.MLP([64, 32, 16, 10])
    assert [W.shape for W in net.weights] == [(64, 32), (32, 16), (16, 10)]
    assert [b.shape for b in net.biases] == [(32,), (16,), (10,)]
    assert net.n_parameters == 64 * 32 + 32 + 32 * 16 + 16 + 16 * 10 + 10
    assert net.parameters.shape == (net.n_parameters,)


def test_a_net_without_bias_has_no_biases():
    net = fastmlp.MLP([4, 3, 2], bias=False)
    assert len(net.biases) == 0
    assert net.n_parameters == 4 * 3 + 3 * 2
    assert net.predict(np.zeros((1, 4))).tolist() == [[0.0, 0.0]]


def test_a_net_of_10000_32_1_has_320065_parameters():
    assert fastmlp.MLP([10000, 32, 1]).n_parameters == 320_065


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.dtype("float64")])
def test_everything_a_net_gives_has_its_dtype(dtype):
    net, expected = net_434(dtype=dtype), np.dtype(dtype)
    Y = np.zeros((9, 4))
    gradient = net.gradient(X, Y)
    for array in (
        net.parameters,
        *net.weights,
        *net.biases,
        net.predict(X),
        net.predict(X[0]),
        gradient.flat,
        gradient.inputs,
        *gradient.weights,
        *gradient.biases,
    ):
        assert array.dtype == expected
    assert type(net.evaluate(X, Y)) is float
    assert type(gradient.loss) is float


def test_the_dtype_is_float32_unless_told():
    assert fastmlp.MLP([2, 1]).parameters.dtype == np.float32


@pytest.mark.parametrize(
    ("output", "loss"),
    [
        ("identity", "half_squared_error"),
        ("sigmoid", "binary_cross_entropy"),
        ("softmax", "cross_entropy"),
        ("tanh", "half_squared_error"),
        ("relu", "half_squared_error"),
        ("exponential", "poisson"),
    ],
)
def test_the_loss_follows_from_the_output_unless_told(output, loss):
    rng = np.random.default_rng(1)
    Z = rng.normal(size=(5, 3))
    targets = rng.uniform(0.1, 0.8, size=(5, 3))
    targets /= targets.sum(axis=1, keepdims=True)
    prediction = {
        "identity": Z,
        "sigmoid": 1 / (1 + np.exp(-Z)),
        "softmax": np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True),
        "tanh": np.tanh(Z),
        "relu": np.maximum(Z, 0),
        "exponential": np.exp(Z),
    }[output]
    by_formula = {
        "half_squared_error": 0.5 * (prediction - targets) ** 2,
        "binary_cross_entropy": -targets * np.log(np.abs(prediction) + (prediction == 0))
        - (1 - targets) * np.log(np.abs(1 - prediction)),
        "cross_entropy": -targets * np.log(np.abs(prediction) + (prediction == 0)),
        "poisson": targets * np.log(targets / np.abs(prediction + (prediction == 0))) - targets + prediction,
    }[loss]
    net = fastmlp.MLP.from_parameters([np.eye(3)], None, output=output, dtype="float64")
    assert net.evaluate(Z, targets) == pytest.approx(by_formula.sum(axis=1).mean(), rel=1e-12)


def test_the_output_is_the_identity_unless_told():
    net = fastmlp.MLP.from_parameters([np.array([[-3.0]])], None, dtype="float64")
    assert net.predict(np.array([[2.0]]))[0, 0] == -6.0


def test_each_hidden_layer_may_have_its_own_activation():
    rng = np.random.default_rng(2)
    weights = [rng.normal(size=shape) for shape in ((4, 5), (5, 6), (6, 2))]
    biases = [rng.normal(size=n) for n in (5, 6, 2)]
    net = fastmlp.MLP.from_parameters(weights, biases, activation=["tanh", "relu"], dtype="float64")
    by_hand = np.maximum(np.tanh(X @ weights[0] + biases[0]) @ weights[1] + biases[1], 0) @ weights[2] + biases[2]
    np.testing.assert_allclose(net.predict(X), by_hand, rtol=1e-12)


def test_the_slope_of_leaky_relu_can_be_set_and_is_a_hundredth_unless_told():
    for options, slope in (({}, 0.01), ({"negative_slope": 0.25}, 0.25)):
        net = fastmlp.MLP([1, 1], output="leaky_relu", bias=False, dtype="float64", **options)
        net.weights[0] = np.ones((1, 1))
        assert net.predict(np.array([[-8.0], [8.0]]))[:, 0].tolist() == [-8.0 * slope, 8.0]
        # Where the net has no hidden layer and where it has one.
        deep = fastmlp.MLP([1, 1, 1], activation="leaky_relu", bias=False, dtype="float64", **options)
        deep.parameters = np.ones(2)
        assert deep.predict(np.array([[-8.0]]))[0, 0] == -8.0 * slope


def test_the_same_seed_gives_the_same_first_weights_and_another_seed_others():
    one, same, other, none, no_other = (fastmlp.MLP([8, 8, 8], seed=seed) for seed in (1, 1, 2, None, None))
    assert one.parameters.tobytes() == same.parameters.tobytes()
    assert one.parameters.tobytes() != other.parameters.tobytes()
    assert none.parameters.tobytes() != no_other.parameters.tobytes()


@pytest.mark.parametrize(
    ("activation", "variance"),
    [
        ("tanh", lambda n_in, n_out: 2 / (n_in + n_out)),  # Glorot and Bengio 2010
        ("sigmoid", lambda n_in, n_out: 2 / (n_in + n_out)),
        ("relu", lambda n_in, n_out: 2 / n_in),  # He et al. 2015
        ("leaky_relu", lambda n_in, n_out: 2 / n_in),
        ("gelu", lambda n_in, n_out: 2 / n_in),
        ("selu", lambda n_in, n_out: 1 / n_in),  # Klambauer et al. 2017, after LeCun
    ],
)
def test_the_first_weights_have_the_variance_published_for_their_activation(activation, variance):
    net = fastmlp.MLP([500, 200, 50], activation=activation, seed=0)
    hidden, output = (W.astype(float) for W in net.weights)
    # The standard error of a variance of N normal numbers is sqrt(2 / N) of it; four of them.
    assert hidden.var() == pytest.approx(variance(500, 200), rel=4 * np.sqrt(2 / hidden.size))
    assert output.var() == pytest.approx(2 / (200 + 50), rel=4 * np.sqrt(2 / output.size))
    assert abs(hidden.mean()) < 4 * np.sqrt(variance(500, 200) / hidden.size)
    assert len(np.unique(hidden)) > 0.9 * hidden.size
    assert all((b == 0).all() for b in net.biases)


INITIALIZERS = {
    # name: (variance for n_in inputs and n_out outputs, whether it is bounded)
    "glorot_uniform": (lambda n_in, n_out: 2 / (n_in + n_out), True),
    "glorot_normal": (lambda n_in, n_out: 2 / (n_in + n_out), False),
    "he_uniform": (lambda n_in, n_out: 2 / n_in, True),
    "he_normal": (lambda n_in, n_out: 2 / n_in, False),
    "lecun_normal": (lambda n_in, n_out: 1 / n_in, False),
}


@pytest.mark.parametrize("name", list(INITIALIZERS))
def test_an_initializer_has_its_published_variance(name):
    variance, bounded = INITIALIZERS[name]
    net = fastmlp.MLP([500, 200, 50], init=name, dtype="float64", seed=1)
    for W in net.weights:
        expected = variance(*W.shape)
        assert W.var() == pytest.approx(expected, rel=4 * np.sqrt(2 / W.size))
        assert abs(W.mean()) < 4 * np.sqrt(expected / W.size)
        assert (np.abs(W).max() <= np.sqrt(3 * expected)) == bounded
    assert all((b == 0).all() for b in net.biases)


def test_repr_tells_the_layers_the_activations_and_the_loss():
    text = repr(fastmlp.MLP([64, 48, 32, 10], activation=["relu", "tanh"], output="softmax"))
    for word in ("MLP", "64", "48", "32", "10", "relu", "tanh", "softmax", "cross_entropy", "float32"):
        assert word in text, word


def test_summary_tells_shapes_and_numbers_of_parameters(capsys):
    net = fastmlp.MLP([64, 48, 10], activation="relu", output="softmax")
    said = net.summary()
    text = (said or "") + capsys.readouterr().out
    for word in ("64", "48", "10", "relu", "softmax"):
        assert word in text, word
    numbers = text.replace(",", "").replace("_", "")
    for number in (64 * 48 + 48, 48 * 10 + 10, 64 * 48 + 48 + 48 * 10 + 10):
        assert str(number) in numbers, number


def test_weights_biases_and_parameters_are_views_of_the_same_numbers():
    net = net_434(dtype="float64")
    layers = [part for pair in zip(net.weights, net.biases, strict=True) for part in pair]
    flat = np.concatenate([part.ravel() for part in layers])
    assert net.parameters.tolist() == flat.tolist()
    for part in layers:
        assert np.shares_memory(part, net.parameters)
        assert part.flags.writeable
        assert part.flags.c_contiguous
    net.weights[1][2, 3] = 7.0
    assert net.parameters[4 * 3 + 3 + 2 * 4 + 3] == 7.0
    net.parameters[4 * 3 + 1] = -5.0
    assert net.biases[0][1] == -5.0
    net.parameters[:] = 0.0
    net.biases[1][:] = [1.0, 2.0, 3.0, 4.0]
    assert net.predict(np.ones(4)).tolist() == [1.0, 2.0, 3.0, 4.0]


def test_views_stay_alive_and_live_through_training():
    net = net_434()
    W, flat = net.weights[0], net.parameters
    before = W.copy()
    net.fit(X, X, epochs=2)
    assert W.tobytes() != before.tobytes()
    assert W.tobytes() == net.weights[0].tobytes()
    kept = flat.copy()
    del net
    assert flat.tobytes() == kept.tobytes()


def test_setting_weights_copies_and_keeps_the_views():
    net = net_434(dtype="float64")
    view, flat = net.weights[0], net.parameters
    W = np.arange(12.0).reshape(4, 3)
    net.weights[0] = W
    assert view.tolist() == W.tolist()
    W[0, 0] = 99.0
    assert net.weights[0][0, 0] == 0.0
    net.weights = [np.ones((4, 3)), 2 * np.ones((3, 4))]
    net.biases = [3 * np.ones(3), 4 * np.ones(4)]
    assert flat.tolist() == [1.0] * 12 + [3.0] * 3 + [2.0] * 12 + [4.0] * 4
    net.parameters = np.arange(31.0)
    assert view.tolist() == np.arange(12.0).reshape(4, 3).tolist()
    net.biases[-1] = np.zeros(4)
    assert flat[-4:].tolist() == [0.0] * 4


def test_setting_a_net_to_its_own_parameters_changes_nothing():
    net = net_434()
    before = net.parameters.tobytes()
    net.parameters = net.parameters
    net.weights = net.weights
    net.biases = net.biases
    net.weights[0] = net.weights[0]
    assert net.parameters.tobytes() == before


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_from_parameters_rebuilds_a_net(dtype, bias):
    net = fastmlp.MLP([4, 5, 3], activation="gelu", output="softmax", bias=bias, dtype=dtype, seed=0)
    again = fastmlp.MLP.from_parameters(
        net.weights, net.biases if bias else None, activation="gelu", output="softmax", dtype=dtype
    )
    assert again.parameters.tobytes() == net.parameters.tobytes()
    assert again.predict(X).tobytes() == net.predict(X).tobytes()
    again.parameters[:] = 0
    assert (net.parameters != 0).any(), "the parameters must have been copied"


def test_from_parameters_does_not_keep_the_arrays_it_was_given():
    W, b = np.eye(4), np.zeros(4)
    net = fastmlp.MLP.from_parameters([W], [b], dtype="float64")
    W[0, 0] = 5.0
    assert net.weights[0][0, 0] == 1.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [[4, 3], [4, 16, 3], [4, 17, 33, 1]])
def test_one_sample_gives_the_row_that_a_batch_gives(sizes, dtype):
    net = fastmlp.MLP(sizes, activation="tanh", dtype=dtype, seed=3)
    batch = net.predict(X)
    assert batch.shape == (9, sizes[-1])
    assert_close(batch, tanh_net_by_hand(net, X), "forward", dtype)
    for row, expected in zip(X, batch, strict=True):
        one = net.predict(row)
        assert one.shape == (sizes[-1],)
        assert_close(one, expected, "forward", dtype)
        assert net.predict(row[None, :]).shape == (1, sizes[-1])


def test_predict_gives_a_new_array_each_time():
    net = net_434()
    first = net.predict(X)
    kept = first.copy()
    second = net.predict(2 * X)
    assert not np.shares_memory(first, second)
    assert first.tobytes() == kept.tobytes()
    assert not np.shares_memory(net.predict(X[0]), net.predict(X[0]))


def test_predict_into_out_fills_and_returns_it():
    net = net_434()
    for data in (X, X[0], X[:1]):
        expected = net.predict(data)
        out = np.full(expected.shape, np.nan, np.float32)
        assert net.predict(data, out=out) is out
        assert out.tobytes() == expected.tobytes()


def test_predict_does_not_change_the_input():
    data, net = X.astype(np.float32), net_434()
    before = data.tobytes()
    net.predict(data)
    net.gradient(data, data)
    assert data.tobytes() == before


def test_classify_gives_the_class_of_the_largest_softmax():
    net = fastmlp.MLP.from_parameters([np.eye(3)], None, output="softmax")
    scores = np.array([[0.1, 3.0, 0.2], [5.0, 1.0, 1.0], [0.0, 0.5, 0.9]])
    classes = net.classify(scores)
    assert classes.tolist() == [1, 0, 2]
    assert classes.shape == (3,)
    assert np.issubdtype(classes.dtype, np.integer)
    assert int(net.classify(scores[2])) == 2


def test_classify_compares_one_sigmoid_with_the_threshold():
    net = fastmlp.MLP.from_parameters([np.ones((1, 1))], None, output="sigmoid", dtype="float64")
    z = np.array([[-2.0], [-0.1], [0.0], [0.1], [2.0]])  # sigmoid: 0.119, 0.475, 0.5, 0.525, 0.881
    assert net.classify(z).tolist() == [0, 0, 1, 1, 1]
    assert net.classify(z).shape == (5,)
    assert net.classify(z, threshold=0.8).tolist() == [0, 0, 0, 0, 1]
    assert net.classify(z, threshold=0.4).tolist() == [0, 1, 1, 1, 1]
    assert int(net.classify(z[4])) == 1


def test_classify_of_several_sigmoids_gives_every_label():
    net = fastmlp.MLP.from_parameters([np.eye(2)], None, output="sigmoid", dtype="float64")
    assert net.classify(np.array([[-1.0, 1.0], [2.0, 0.0]])).tolist() == [[0, 1], [1, 1]]


def test_evaluate_is_the_weighted_mean_of_the_losses():
    net = net_434(dtype="float64")
    Y = np.random.default_rng(4).normal(size=(9, 4))
    each = 0.5 * ((tanh_net_by_hand(net, X) - Y) ** 2).sum(axis=1)
    weight = np.arange(9.0)
    assert net.evaluate(X, Y) == pytest.approx(each.mean(), rel=1e-12)
    assert net.evaluate(X, Y, sample_weight=weight) == pytest.approx((weight * each).sum() / weight.sum(), rel=1e-12)
    assert net.evaluate(X, Y, weight) == net.evaluate(X, Y, sample_weight=weight)


def test_gradient_has_its_parts_by_name_and_changes_nothing():
    net = net_434(dtype="float64")
    before = net.parameters.tobytes()
    gradient = net.gradient(X, X)
    assert gradient.loss == pytest.approx(net.evaluate(X, X), rel=1e-12)
    assert [g.shape for g in gradient.weights] == [(4, 3), (3, 4)]
    assert [g.shape for g in gradient.biases] == [(3,), (4,)]
    assert gradient.inputs.shape == (9, 4)
    assert gradient.flat.shape == (31,)
    parts = [g.ravel() for pair in zip(gradient.weights, gradient.biases, strict=True) for g in pair]
    assert np.concatenate(parts).tolist() == gradient.flat.tolist()
    assert net.parameters.tobytes() == before
    loss, weights, biases, inputs, flat = gradient
    assert loss == gradient.loss
    assert weights is gradient.weights
    assert biases is gradient.biases
    assert inputs is gradient.inputs
    assert flat is gradient.flat


def test_gradient_by_formula_with_sample_weights():
    W, b = np.array([[1.0], [2.0], [-1.0], [0.5]]), np.array([0.3])
    net = fastmlp.MLP.from_parameters([W], [b], output="identity", dtype="float64")
    y, weight = np.arange(9.0), np.linspace(0.0, 2.0, 9)
    error = (X @ W + b)[:, 0] - y
    gradient = net.gradient(X, y, sample_weight=weight)
    np.testing.assert_allclose(gradient.weights[0][:, 0], X.T @ (weight * error) / weight.sum(), rtol=1e-12)
    np.testing.assert_allclose(gradient.biases[0], [(weight * error).sum() / weight.sum()], rtol=1e-12)
    np.testing.assert_allclose(gradient.inputs, np.outer(weight * error, W) / weight.sum(), rtol=1e-12)


def test_two_gradients_do_not_share_memory():
    net = net_434()
    first = net.gradient(X, X)
    kept = first.flat.copy()
    second = net.gradient(2 * X, X)
    assert not np.shares_memory(first.flat, second.flat)
    assert first.flat.tobytes() == kept.tobytes()


def copies(net):
    return {"pickle": pickle.loads(pickle.dumps(net)), "deepcopy": copy.deepcopy(net)}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_copy_answers_the_same_and_lives_its_own_life(dtype, bias):
    net = fastmlp.MLP(
        [4, 5, 6, 3],
        activation=["leaky_relu", "mish"],
        output="softmax",
        loss="squared_error",
        bias=bias,
        negative_slope=0.2,
        dtype=dtype,
        seed=0,
    )
    y = np.arange(9) % 3
    for how, twin in copies(net).items():
        assert twin.parameters.tobytes() == net.parameters.tobytes(), how
        assert twin.predict(X).tobytes() == net.predict(X).tobytes(), how
        assert twin.evaluate(X, y) == net.evaluate(X, y), how
        assert repr(twin) == repr(net), how
        assert not np.shares_memory(twin.parameters, net.parameters), how
        before = net.parameters.tobytes()
        twin.fit(X, y, epochs=2)
        assert net.parameters.tobytes() == before, how
        assert twin.parameters.tobytes() != before, how


@pytest.mark.parametrize(
    ("loss", "options"),
    [("huber", {"huber_delta": 0.25}), ("quantile", {"quantile": 0.75})],
    ids=["huber", "quantile"],
)
def test_the_parameter_of_a_loss_is_used_told_and_copied(loss, options):
    [(name, value)] = options.items()
    net = fastmlp.MLP.from_parameters([np.eye(1)], None, loss=loss, dtype="float64", **options)
    made = fastmlp.MLP([1, 1], loss=loss, bias=False, dtype="float64", **options)
    made.weights = [np.eye(1)]
    by_hand = {"huber": 0.25 * (2 - 0.125), "quantile": 0.75 * 2}[loss]
    for twin in (net, made, *copies(net).values()):
        assert twin.evaluate([[1.0]], [3.0]) == by_hand
        assert getattr(twin, name) == value
        assert f"{loss} {name}={value}" in repr(twin)
        assert f"{loss} {name}={value}" in twin.summary()
    assert (fastmlp.MLP([1, 1]).huber_delta, fastmlp.MLP([1, 1]).quantile) == (1.0, 0.5)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", fastmlp.SGD(0.05, momentum=0.9)], ids=["adam", "momentum"])
def test_a_copy_made_in_the_middle_of_training_continues_like_the_original(optimizer, shuffle):
    net = net_434()
    options = {"epochs": 3, "batch_size": 4, "optimizer": optimizer, "shuffle": shuffle}
    net.fit(X, X, **options)
    twins = copies(net)
    net.fit(X, X, **options)
    for how, twin in twins.items():
        twin.fit(X, X, **options)
        assert twin.parameters.tobytes() == net.parameters.tobytes(), how


def test_a_net_can_be_asked_by_several_python_threads_at_once():
    net = fastmlp.MLP([16, 64, 64, 4], activation="tanh", seed=0)
    rng = np.random.default_rng(5)
    questions = [rng.normal(size=(m, 16)).astype(np.float32) for m in (1, 7, 300, 1000)]
    expected = [net.predict(question).tobytes() for question in questions]
    wrong = []

    def ask(question, answer):
        for _ in range(100):
            if net.predict(question).tobytes() != answer:
                wrong.append(len(question))

    workers = [threading.Thread(target=ask, args=pair) for pair in zip(questions, expected, strict=True)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert wrong == []


@pytest.mark.parametrize("sizes", [(1, 1), (3, 1, 2), (2, 64, 1, 64, 3), (300, 2), (2, 300, 2)])
def test_nets_of_odd_shapes_agree_with_numpy(sizes):
    rng = np.random.default_rng(6)
    net = fastmlp.MLP(list(sizes), activation="tanh", dtype="float64")
    net.parameters = random_parameters(sizes, True, rng)
    data = rng.normal(size=(11, sizes[0]))
    assert_close(net.predict(data), tanh_net_by_hand(net, data), "forward", "float64", str(sizes))


def test_a_net_takes_every_activation_and_output_of_the_table():
    for name in formulas.ACTIVATIONS:
        assert np.isfinite(fastmlp.MLP([4, 5, 3], activation=name, seed=0).predict(X)).all(), name
    for name in formulas.OUTPUTS:
        assert np.isfinite(fastmlp.MLP([4, 5, 3], output=name, seed=0).predict(X)).all(), name
