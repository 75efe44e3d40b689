"""`MLP.trace`: every value of a step, held against the scripts' digits, differences and the compiled core."""

import pickle

import numpy as np
import pytest

import fastmlp
from cases import HIDDEN, OUTPUT_AND_LOSS, random_inputs, random_parameters, random_targets
from fastmlp import formulas
from tolerances import DIFFERENCE_STEP, DIFFERENCE_TOLERANCE, NOT_ZERO, assert_close

ALL = [(hidden, *pair) for hidden in HIDDEN for pair in OUTPUT_AND_LOSS]


def a_net(hidden, output, loss, *, dtype="float64", bias=True, seed=0, sizes=(3, 4, 2, 3)):
    net = fastmlp.MLP(list(sizes), activation=hidden, output=output, loss=loss, bias=bias, dtype=dtype, seed=0)
    net.parameters = random_parameters(sizes, bias, np.random.default_rng(seed))
    return net


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_script_003_value_by_value():
    example = fastmlp.examples.load("003")
    step = example.net.trace(example.x, example.y, optimizer=fastmlp.SGD(0.5))
    hidden, output = step.layers
    assert hidden.z[0] == pytest.approx(0.3775, abs=1e-12)
    assert hidden.a == pytest.approx([0.593269992, 0.596884378], abs=5e-10)
    assert output.z[0] == pytest.approx(1.105905967, abs=5e-10)
    assert output.a == pytest.approx([0.75136507, 0.772928465], abs=5e-9)
    assert step.loss_terms == pytest.approx([0.274811083, 0.023560026], abs=5e-10)
    assert step.loss == pytest.approx(0.298371109, abs=5e-10)
    assert output.gradient_a[0] == pytest.approx(0.74136507, abs=5e-9)
    assert output.derivative[0] == pytest.approx(0.186815602, abs=5e-10)
    assert output.delta[0] == pytest.approx(0.74136507 * 0.186815602, abs=1e-8)
    assert output.gradient_weights[0, 0] == pytest.approx(0.082167041, abs=5e-10)
    assert output.new_weights[0, 0] == pytest.approx(0.40 - 0.5 * 0.082167041, abs=1e-9)
    assert output.new_biases[0] == pytest.approx(0.60 - 0.5 * 0.74136507 * 0.186815602, abs=1e-8)


def test_script_001_has_the_exercise_s_answers():
    example = fastmlp.examples.load("001")
    step = example.net.trace(example.x, 1)
    assert [layer.z.tolist() for layer in step.layers] == [[3, 1, -1], [1, 2, 0]]
    assert step.layers[0].derivative.tolist() == [1, 1, 0]
    assert step.loss == pytest.approx(0.407606, abs=5e-7)
    assert step.layers[0].gradient_weights[0, 1] == pytest.approx(0.579488, abs=5e-7)
    a = np.exp([1, 2, 0]) / np.exp([1, 2, 0]).sum()
    np.testing.assert_allclose(step.layers[1].derivative, np.diag(a) - np.outer(a, a), atol=1e-15)
    np.testing.assert_allclose(step.layers[1].gradient_a, [0, -1 / a[1], 0], rtol=1e-14)
    assert step.targets.tolist() == [0, 1, 0]


def test_script_002_has_the_gradients_of_all_values():
    example = fastmlp.examples.load("002")
    net, (x1, x2) = example.net, example.x
    (w1, w2), (w3, w4) = net.weights[0]
    w5, w6 = net.weights[1][:, 0]
    a1, a2 = sigmoid(w1 * x1 + w3 * x2), sigmoid(w2 * x1 + w4 * x2)
    out = sigmoid(w5 * a1 + w6 * a2)
    top = (out - 1) * out * (1 - out)
    step = net.trace(example.x, example.y)
    assert step.layers[1].gradient_a == pytest.approx([out - 1], rel=1e-13)
    assert step.layers[0].gradient_a == pytest.approx([top * w5, top * w6], rel=1e-13)
    assert step.layers[0].delta == pytest.approx([top * w5 * a1 * (1 - a1), top * w6 * a2 * (1 - a2)], rel=1e-13)
    of_x1 = top * w5 * a1 * (1 - a1) * w1 + top * w6 * a2 * (1 - a2) * w2
    assert step.gradient_inputs[0] == pytest.approx(of_x1, rel=1e-12)
    assert step.layers[0].biases is step.layers[0].gradient_biases is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("hidden", "output", "loss"), ALL)
def test_it_is_what_the_compiled_core_computes(hidden, output, loss, dtype):
    rng = np.random.default_rng(3)
    net = a_net(hidden, output, loss, dtype=dtype)
    X, y, w = random_inputs(5, 3, rng), random_targets(loss, 5, 3, rng), np.array([1.0, 0.5, 0.0, 0.25, 1.0])
    step, core = net.trace(X, y, w), net.gradient(X, y, w)
    assert_close(core.loss, step.loss, "loss", dtype)
    assert_close(core.inputs, step.gradient_inputs, "gradient", dtype)
    assert_close(net.predict(X), step.outputs, "forward", dtype)
    for layer, W, b in zip(step.layers, core.weights, core.biases, strict=True):
        assert_close(W, layer.gradient_weights, "gradient", dtype)
        assert_close(b, layer.gradient_biases, "gradient", dtype)


@pytest.mark.parametrize(("hidden", "output", "loss"), [row for row in ALL if row[0] in ("tanh", "relu", "gelu")])
def test_delta_and_the_gradients_of_a_are_finite_differences_of_the_loss(hidden, output, loss):
    # C as a function of z or a of layer 2, which the last layer alone turns into the loss.
    largest = 0.0
    for seed in range(4):  # the relu outputs of some seed are zero, and so is the gradient
        rng = np.random.default_rng(seed)
        net = a_net(hidden, output, loss, seed=seed)
        X, y = random_inputs(1, 3, rng)[0], random_targets(loss, 1, 3, rng)[0]
        layer = net.trace(X, y).layers[1]
        rest = fastmlp.MLP.from_parameters(
            [net.weights[2]], [net.biases[2]], output=output, loss=loss, dtype="float64"
        )
        g, h = fastmlp.activations[hidden], DIFFERENCE_STEP
        for j in range(2):
            e = h * np.eye(2)[j]
            of_z = (rest.evaluate(g(layer.z + e), y) - rest.evaluate(g(layer.z - e), y)) / (2 * h)
            of_a = (rest.evaluate(layer.a + e, y) - rest.evaluate(layer.a - e, y)) / (2 * h)
            size = max(1.0, abs(of_a))
            assert abs(layer.delta[j] - of_z) < DIFFERENCE_TOLERANCE * size
            assert abs(layer.gradient_a[j] - of_a) < DIFFERENCE_TOLERANCE * size
            largest = max(largest, abs(of_a))
    assert largest > NOT_ZERO


@pytest.mark.parametrize(("output", "loss"), OUTPUT_AND_LOSS)
def test_delta_of_the_output_is_its_derivative_times_the_gradient_of_a(output, loss):
    rng = np.random.default_rng(5)
    net = a_net("tanh", output, loss)
    X, y = random_inputs(4, 3, rng), random_targets(loss, 4, 3, rng)
    last = net.trace(X, y).layers[-1]
    if output == "softmax":
        product = np.einsum("mij,mi->mj", last.derivative, last.gradient_a)
    else:
        product = last.derivative * last.gradient_a
    assert np.abs(product).max() > NOT_ZERO
    np.testing.assert_allclose(last.delta, product, rtol=1e-10, atol=1e-13)


def test_loss_terms_add_up_to_the_loss():
    rng = np.random.default_rng(0)
    net = a_net("tanh", "identity", "huber")
    X, y, w = random_inputs(3, 3, rng), rng.normal(size=(3, 3)), np.array([2.0, 0.0, 1.0])
    step = net.trace(X, y, w)
    assert step.loss == pytest.approx((step.loss_terms.sum(axis=1) * w).sum() / 3, rel=1e-14)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
def test_the_update_is_the_one_that_fit_makes(name):
    rng = np.random.default_rng(1)
    net = a_net("tanh", "identity", "half_squared_error")
    X, y = random_inputs(6, 3, rng), rng.normal(size=(6, 3))
    for _ in range(3):  # the second and third continue with the moments of the first
        before = net.parameters.copy()
        step = net.trace(X, y, optimizer=name)
        assert (net.parameters == before).all()
        net.fit(X, y, epochs=1, batch_size=None, shuffle=False, optimizer=name)
        moved = np.abs(net.parameters - before).max()
        assert moved > 1e-5
        for layer, W, b in zip(step.layers, net.weights, net.biases, strict=True):
            np.testing.assert_allclose(layer.new_weights, W, rtol=0, atol=1e-9 * moved)
            np.testing.assert_allclose(layer.new_biases, b, rtol=0, atol=1e-9 * moved)


def test_another_optimizer_than_that_of_fit_starts_afresh():
    rng = np.random.default_rng(1)
    net = a_net("tanh", "identity", "half_squared_error")
    X, y = random_inputs(6, 3, rng), rng.normal(size=(6, 3))
    net.fit(X, y, epochs=2, optimizer="adam")
    layer = net.trace(X, y, optimizer=fastmlp.Adam(0.5)).layers[0]
    # The first step of Adam: both moments are unbiased to g and g², so that it is rate g / (|g| + epsilon).
    g = layer.gradient_weights
    np.testing.assert_allclose(layer.weights - layer.new_weights, 0.5 * g / (np.abs(g) + 1e-8), rtol=1e-9)


def test_it_changes_nothing_and_shares_nothing():
    net = a_net("relu", "softmax", None, dtype="float32")
    net.fit(np.ones((4, 3)), [0, 1, 2, 0], epochs=1)
    before = pickle.dumps(net)
    step = net.trace(np.ones((2, 3)), [0, 1], optimizer="adam")
    assert pickle.dumps(net) == before
    assert step.layers[0].weights.dtype == np.float64
    step.layers[0].weights[...] = 7
    assert pickle.dumps(net) == before


def test_dropout_is_left_out():
    net = fastmlp.MLP([3, 8, 2], dropout=0.5, seed=0)
    X, y = np.ones((4, 3)), np.ones((4, 2))
    step = net.trace(X, y, optimizer=fastmlp.SGD(0.1))
    np.testing.assert_allclose(step.outputs, net.predict(X), rtol=1e-5)
    layer = step.layers[1]
    np.testing.assert_allclose(layer.new_weights, layer.weights - 0.1 * layer.gradient_weights, rtol=1e-12)


def test_one_sample_has_no_axis_of_rows_and_a_batch_has():
    net = a_net("tanh", "softmax", None)
    one, two = net.trace([1, 2, 3], 2), net.trace([[1, 2, 3], [3, 2, 1]], [2, 0])
    assert one.layers[0].z.shape == (4,)
    assert one.layers[2].derivative.shape == (3, 3)
    assert one.gradient_inputs.shape == (3,)
    assert one.loss_terms.shape == (3,)
    assert two.layers[0].z.shape == (2, 4)
    assert two.layers[2].derivative.shape == (2, 3, 3)
    assert two.layers[0].weights.shape == one.layers[0].weights.shape == (3, 4)
    assert "one sample" in repr(one)
    assert "2 rows" in repr(two)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda net: net.trace([1, 2], 0), r"X has shape \(2,\)"),
        (lambda net: net.trace([1, 2, np.nan], 0), r"X\[2\] is nan"),
        (lambda net: net.trace([1, 2, 3], 3), r"y\[0\] is 3"),
        (lambda net: net.trace([1, 2, 3], [0.5, 0.5]), "y has shape"),
        (lambda net: net.trace([1, 2, 3], "cat"), "np.unique"),
        (lambda net: net.trace([1, 2, 3], 0, optimizer="adm"), "did you mean 'adam'"),
        (lambda net: net.trace([1, 2, 3], 0, optimizer=3), "optimizer is 3"),
        (lambda net: net.trace([1e200, 1e200, 1e200], 0), "not finite"),
        (lambda net: net.trace([1, 2, 3], 0, optimizer=fastmlp.SGD(1e308)), "not finite"),
    ],
)
def test_bad_input_says_what_is_wrong(call, words):
    net = a_net("identity", "softmax", None)
    net.parameters *= 1e150 if words == "not finite" else 1
    before = net.parameters.copy()
    with pytest.raises((ValueError, TypeError), match=words):
        call(net)
    assert (net.parameters == before).all()


def test_the_table_of_softmax_s_derivative_is_that_of_script_001():
    a = np.array([[0.2, 0.8]])
    np.testing.assert_allclose(formulas.softmax_jacobian(a), [[[0.16, -0.16], [-0.16, 0.16]]], atol=1e-15)
