"""Every number worked by hand in the lecture scripts (MATH.md, "Worked numbers"), through the public face,
in float64.

The expected digits are the scripts' own; "to the digits given" means within half a unit of the last digit
printed.
"""

from math import comb

import numpy as np
import pytest

import fastmlp

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def to_digits(value, digits):
    return pytest.approx(value, rel=0, abs=0.5 * 10.0**-digits)


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def net_from(weights, biases, **options):
    return fastmlp.MLP.from_parameters(weights, biases, dtype="float64", **options)


def test_1_xnor_by_hand_has_the_hidden_table_of_the_script():
    hidden = net_from([np.array([[4.0, -4.0], [4.0, -4.0]])], [np.array([-6.0, 2.0])], output="sigmoid")
    table = hidden.predict(CORNERS)
    expected = [(0.002, 0.881), (0.119, 0.119), (0.119, 0.119), (0.881, 0.002)]
    for row, (a1, a2) in zip(table, expected, strict=True):
        assert row[0] == to_digits(a1, 3)
        assert row[1] == to_digits(a2, 3)


def test_1_xnor_by_hand_gives_the_classes_1_0_0_1():
    net = net_from(
        [np.array([[4.0, -4.0], [4.0, -4.0]]), np.array([[1.0], [1.0]])],
        [np.array([-6.0, 2.0]), np.array([-0.5])],
        activation="sigmoid",
        output="sigmoid",
    )
    assert net.classify(CORNERS).tolist() == [1, 0, 0, 1]
    # z = -0.5 + a1 + a2 with the script's a1 and a2, three digits each, hence 0.001 / 4 after the sigmoid.
    z = -0.5 + np.array([0.002 + 0.881, 0.119 + 0.119, 0.119 + 0.119, 0.881 + 0.002])
    np.testing.assert_allclose(net.predict(CORNERS)[:, 0], sigmoid(z), rtol=0, atol=0.00025)


@pytest.mark.parametrize(("gate", "bias", "classes"), [("and", -1.5, [0, 0, 0, 1]), ("or", -0.5, [0, 1, 1, 1])])
def test_2_one_neuron_with_the_boundary_of_the_script_is_the_gate(gate, bias, classes):
    net = net_from([np.array([[1.0], [1.0]])], [np.array([bias])], output="sigmoid")
    assert net.classify(CORNERS).tolist() == classes
    np.testing.assert_allclose(net.predict(CORNERS)[:, 0], sigmoid(bias + CORNERS.sum(axis=1)), rtol=1e-14)


def test_3_softmax_of_7_5_2_minus_1_3():
    net = net_from([np.eye(5)], None, output="softmax")
    answer = net.predict(np.array([7.0, 5.0, 2.0, -1.0, 3.0]))
    # Here the script cuts some numbers off (0.11660, 0.01578) and rounds others (0.00029): a unit, not half a one.
    for value, digits in zip(answer, (0.8615, 0.1165, 0.0058, 0.0003, 0.0157), strict=True):
        assert value == pytest.approx(digits, rel=0, abs=1e-4)
    np.testing.assert_allclose(answer, np.exp([7, 5, 2, -1, 3]) / np.exp([7, 5, 2, -1, 3]).sum(), rtol=1e-14)
    assert answer.sum() == pytest.approx(1.0, abs=1e-15)


W1_OF_4 = np.array([[0.15, 0.25], [0.20, 0.30]])
W2_OF_4 = np.array([[0.40, 0.50], [0.45, 0.55]])
B1_OF_4 = np.array([0.35, 0.35])
B2_OF_4 = np.array([0.60, 0.60])
X_OF_4 = np.array([0.05, 0.10])
Y_OF_4 = np.array([[0.01, 0.99]])


def the_2_2_2_net(loss="half_squared_error"):
    return net_from([W1_OF_4, W2_OF_4], [B1_OF_4, B2_OF_4], activation="sigmoid", output="sigmoid", loss=loss)


def test_4_the_forward_pass_of_the_2_2_2_net():
    hidden_z = net_from([W1_OF_4], [B1_OF_4], output="identity").predict(X_OF_4)
    assert hidden_z[0] == to_digits(0.3775, 4)
    hidden = net_from([W1_OF_4], [B1_OF_4], output="sigmoid").predict(X_OF_4)
    assert hidden[0] == to_digits(0.593269992, 9)
    assert hidden[1] == to_digits(0.596884378, 9)
    output_z = net_from([W1_OF_4, W2_OF_4], [B1_OF_4, B2_OF_4], activation="sigmoid", output="identity").predict(
        X_OF_4
    )
    assert output_z[0] == to_digits(1.105905967, 9)
    output = the_2_2_2_net().predict(X_OF_4)
    assert output[0] == to_digits(0.75136507, 8)
    assert output[1] == to_digits(0.772928465, 9)


def test_4_the_errors_of_the_2_2_2_net():
    assert the_2_2_2_net().evaluate(X_OF_4[None, :], Y_OF_4) == to_digits(0.298371109, 9)
    for output, error in ((0, 0.274811083), (1, 0.023560026)):
        alone = net_from(
            [W1_OF_4, W2_OF_4[:, [output]]],
            [B1_OF_4, B2_OF_4[[output]]],
            activation="sigmoid",
            output="sigmoid",
            loss="half_squared_error",
        )
        assert alone.evaluate(X_OF_4[None, :], Y_OF_4[:, [output]]) == to_digits(error, 9)


def test_4_the_gradient_of_w5_is_the_product_of_three_factors():
    gradient = the_2_2_2_net().gradient(X_OF_4[None, :], Y_OF_4)
    assert gradient.weights[1][0, 0] == to_digits(0.082167041, 9)
    # The factors are printed with eight and nine digits, so their product is good to about 1e-9.
    assert gradient.weights[1][0, 0] == pytest.approx(0.74136507 * 0.186815602 * 0.593269992, abs=2e-9)
    assert gradient.loss == to_digits(0.298371109, 9)


def test_4_twice_the_error_is_twice_the_gradient():
    X, half, whole = X_OF_4[None, :], the_2_2_2_net(), the_2_2_2_net("squared_error")
    assert whole.evaluate(X, Y_OF_4) == pytest.approx(2 * 0.298371109, abs=1e-8)
    np.testing.assert_allclose(whole.gradient(X, Y_OF_4).flat, 2 * half.gradient(X, Y_OF_4).flat, rtol=1e-13)


ROWS_ARE_NEURONS_1 = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0]])
ROWS_ARE_NEURONS_2 = np.array([[0.0, 1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize("truth", [np.array([1]), np.array([[0.0, 1.0, 0.0]])], ids=["label", "one-hot"])
def test_5_the_exercise_with_relu_and_softmax(truth):
    net = net_from(
        [ROWS_ARE_NEURONS_1.T, ROWS_ARE_NEURONS_2.T],
        [np.zeros(3), np.zeros(3)],
        activation="relu",
        output="softmax",
    )
    X = np.array([[1.0, 2.0]])
    # By hand: z1 = (3, 1, -1), a1 = (3, 1, 0), z2 = (1, 2, 0).
    np.testing.assert_allclose(net.predict(X)[0], np.exp([1.0, 2.0, 0.0]) / np.exp([1.0, 2.0, 0.0]).sum(), rtol=1e-14)
    assert net.evaluate(X, truth) == to_digits(0.407606, 6)
    gradient = net.gradient(X, truth)
    assert gradient.loss == to_digits(0.407606, 6)
    # w^1_21 of the script goes from input 1 to neuron 2: row 0, column 1 here.
    assert gradient.weights[0][0, 1] == to_digits(0.579488, 6)


def test_6_the_computational_graph_is_a_net_of_identities():
    # f = (x + y) z as the bias-free net 2-1-1 with weights (1, 1) and (z); the target f - 1 makes dC/df = 1.
    x, y, z = -2.0, 5.0, -4.0
    net = net_from([np.array([[1.0], [1.0]]), np.array([[z]])], None, activation="identity", output="identity")
    X = np.array([[x, y]])
    assert net.predict(X)[0, 0] == -12.0
    gradient = net.gradient(X, np.array([-13.0]))
    assert gradient.weights[1][0, 0] == 3.0
    assert gradient.inputs[0].tolist() == [-4.0, -4.0]


@pytest.mark.parametrize("seed", range(5))
def test_7_the_bias_free_2_2_1_net_has_the_gradients_of_the_script(seed):
    rng = np.random.default_rng(seed)
    w1, w2, w3, w4, w5, w6 = rng.normal(size=6)
    x1, x2, y = rng.normal(size=3)
    # z1 = w1 x1 + w3 x2 and z2 = w2 x1 + w4 x2, so x1 reaches the output through w1 and w2; z3 = w5 a1 + w6
    # a2.
    net = net_from(
        [np.array([[w1, w2], [w3, w4]]), np.array([[w5], [w6]])],
        None,
        activation="sigmoid",
        output="tanh",
        loss="half_squared_error",
    )
    a1, a2 = sigmoid(w1 * x1 + w3 * x2), sigmoid(w2 * x1 + w4 * x2)
    y_hat = np.tanh(w5 * a1 + w6 * a2)
    g1, g2, g3 = a1 * (1 - a1), a2 * (1 - a2), 1 - y_hat**2
    u = {"z1": (y_hat - y) * g3 * w5 * g1, "z2": (y_hat - y) * g3 * w6 * g2, "z3": (y_hat - y) * g3}

    gradient = net.gradient(np.array([[x1, x2]]), np.array([y]))
    assert gradient.loss == pytest.approx(0.5 * (y_hat - y) ** 2, rel=1e-13)
    assert gradient.inputs[0, 0] == pytest.approx((y_hat - y) * g3 * (w5 * g1 * w1 + w6 * g2 * w2), rel=1e-12)
    assert gradient.inputs[0, 1] == pytest.approx((y_hat - y) * g3 * (w5 * g1 * w3 + w6 * g2 * w4), rel=1e-12)
    np.testing.assert_allclose(
        gradient.weights[0], [[u["z1"] * x1, u["z2"] * x1], [u["z1"] * x2, u["z2"] * x2]], rtol=1e-12
    )
    np.testing.assert_allclose(gradient.weights[1], [[u["z3"] * a1], [u["z3"] * a2]], rtol=1e-12)
    assert len(gradient.biases) == 0


@pytest.mark.parametrize("seed", range(5))
def test_8_the_2_2_1_net_with_binary_cross_entropy_has_the_deltas_of_the_script(seed):
    rng = np.random.default_rng(seed)
    theta_1 = rng.normal(size=(2, 3))  # theta^(1)_{i,j}: from node j (0 is the bias) to node i
    theta_2 = rng.normal(size=(1, 3))
    x, y = rng.normal(size=2), float(seed % 2)
    net = net_from(
        [theta_1[:, 1:].T, theta_2[:, 1:].T],
        [theta_1[:, 0], theta_2[:, 0]],
        activation="sigmoid",
        output="sigmoid",
    )
    a_2 = [sigmoid(theta_1[i, 0] + theta_1[i, 1] * x[0] + theta_1[i, 2] * x[1]) for i in range(2)]
    y_hat = sigmoid(theta_2[0, 0] + theta_2[0, 1] * a_2[0] + theta_2[0, 2] * a_2[1])
    delta_3 = y_hat - y
    delta_2 = [delta_3 * theta_2[0, j + 1] * a_2[j] * (1 - a_2[j]) for j in range(2)]

    gradient = net.gradient(x[None, :], np.array([y]))
    assert gradient.loss == pytest.approx(-y * np.log(y_hat) - (1 - y) * np.log(1 - y_hat), rel=1e-12)
    np.testing.assert_allclose(gradient.biases[1], [delta_3], rtol=1e-12)
    np.testing.assert_allclose(gradient.weights[1], [[delta_3 * a_2[0]], [delta_3 * a_2[1]]], rtol=1e-12)
    np.testing.assert_allclose(gradient.biases[0], delta_2, rtol=1e-12)
    np.testing.assert_allclose(gradient.weights[0], np.outer(x, delta_2), rtol=1e-12)


def test_9_a_10000_32_1_net_is_small_beside_the_polynomial():
    assert comb(100 * 100 + 2, 2) == 50_015_001
    assert fastmlp.MLP([100 * 100, 32, 1]).n_parameters == 320_065
