"""What must be learned, and what cannot be: gates, lines, logistic curves, handwritten digits, and the
perceptron.

The answers to reach come from the task itself, from `numpy.linalg.lstsq`, or from Newton's method written
here.
"""

import numpy as np
import pytest

import fastmlp
from fastmlp.datasets import load_digits

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
AND, OR, XOR, XNOR = (np.array(classes) for classes in ([0, 0, 0, 1], [0, 1, 1, 1], [0, 1, 1, 0], [1, 0, 0, 1]))
SIGNS = {"AND": 2 * AND - 1, "OR": 2 * OR - 1, "XOR": 2 * XOR - 1}


@pytest.mark.parametrize("gate", [AND, OR], ids=["AND", "OR"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_neuron_learns_the_gate(dtype, gate):
    for seed in range(5):
        net = fastmlp.MLP([2, 1], output="sigmoid", dtype=dtype, seed=seed)
        net.fit(CORNERS, gate, epochs=500, batch_size=None, optimizer=fastmlp.Adam(0.1))
        assert net.classify(CORNERS).tolist() == gate.tolist()


def test_one_neuron_cannot_learn_xor():
    for seed in range(5):
        net = fastmlp.MLP([2, 1], output="sigmoid", dtype="float64", seed=seed)
        net.fit(CORNERS, XOR, epochs=2000, batch_size=None, optimizer=fastmlp.Adam(0.1))
        # The best a line can do in binary cross-entropy is to answer one half everywhere.
        assert net.evaluate(CORNERS, XOR) == pytest.approx(np.log(2), abs=1e-4)


@pytest.mark.parametrize("gate", [XOR, XNOR], ids=["XOR", "XNOR"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_2_4_1_learns_the_gate_from_at_least_nine_of_ten_seeds(dtype, gate):
    learned = 0
    for seed in range(10):
        net = fastmlp.MLP([2, 4, 1], activation="tanh", output="sigmoid", dtype=dtype, seed=seed)
        net.fit(CORNERS, gate, epochs=1000, batch_size=None, optimizer=fastmlp.Adam(0.05))
        learned += net.classify(CORNERS).tolist() == gate.tolist()
    assert learned >= 9


def test_one_identity_neuron_reaches_least_squares():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(60, 3))
    Y = X @ rng.normal(size=(3, 2)) + rng.normal(size=2) + 0.3 * rng.normal(size=(60, 2))
    with_one = np.column_stack([X, np.ones(60)])
    solution = np.linalg.lstsq(with_one, Y, rcond=None)[0]

    net = fastmlp.MLP([3, 2], dtype="float64", seed=0)
    net.fit(X, Y, epochs=1000, batch_size=None, optimizer=fastmlp.SGD(0.4, momentum=0.5))
    np.testing.assert_allclose(net.weights[0], solution[:3], atol=1e-9)
    np.testing.assert_allclose(net.biases[0], solution[3], atol=1e-9)
    residual = ((with_one @ solution - Y) ** 2).sum(axis=1).mean() / 2
    assert net.evaluate(X, Y) == pytest.approx(residual, rel=1e-9)


def test_weighted_least_squares_is_reached_with_sample_weights():
    rng = np.random.default_rng(2)
    X, weight = rng.normal(size=(40, 2)), rng.uniform(0.1, 3.0, size=40)
    y = X @ [1.0, -2.0] + 0.5 + rng.normal(size=40)
    root = np.sqrt(weight)
    solution = np.linalg.lstsq(np.column_stack([X, np.ones(40)]) * root[:, None], y * root, rcond=None)[0]

    net = fastmlp.MLP([2, 1], dtype="float64", seed=0)
    net.fit(X, y, epochs=1000, batch_size=None, optimizer=fastmlp.SGD(0.4), sample_weight=weight)
    np.testing.assert_allclose([*net.weights[0][:, 0], *net.biases[0]], solution, atol=1e-9)


def test_ridge_regression_is_reached_with_weight_decay():
    rng = np.random.default_rng(3)
    X, decay = rng.normal(size=(30, 4)), 0.2
    y = X @ rng.normal(size=4) + 0.7 + 0.3 * rng.normal(size=30)
    # Minimum of the mean of half the squared error + decay/2 |w|^2, the bias free of decay: centre, then
    # solve.
    centred, middle = X - X.mean(axis=0), y - y.mean()
    w = np.linalg.solve(centred.T @ centred / 30 + decay * np.eye(4), centred.T @ middle / 30)

    net = fastmlp.MLP([4, 1], dtype="float64", seed=0)
    net.fit(X, y, epochs=1000, batch_size=None, optimizer=fastmlp.SGD(0.3, weight_decay=decay))
    np.testing.assert_allclose(net.weights[0][:, 0], w, atol=1e-9)
    np.testing.assert_allclose(net.biases[0], y.mean() - X.mean(axis=0) @ w, atol=1e-9)


def newton_logistic(X, y):
    """Return (w..., b) of the maximum of the likelihood by iteratively reweighted least squares."""
    A = np.column_stack([X, np.ones(len(X))])
    theta = np.zeros(A.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-A @ theta))
        theta += np.linalg.solve(A.T @ (A * (p * (1 - p))[:, None]), A.T @ (y - p))
    p = 1 / (1 + np.exp(-A @ theta))
    assert np.abs(A.T @ (y - p)).max() < 1e-10
    return theta


def test_one_sigmoid_neuron_reaches_logistic_regression():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(100, 3))
    y = (X @ [1.0, -0.5, 0.3] + 0.2 + rng.logistic(size=100) > 0).astype(float)
    theta = newton_logistic(X, y)
    net = fastmlp.MLP([3, 1], output="sigmoid", dtype="float64", seed=0)
    net.fit(X, y, epochs=3000, batch_size=None, optimizer=fastmlp.SGD(2.0, momentum=0.5))
    np.testing.assert_allclose([*net.weights[0][:, 0], *net.biases[0]], theta, atol=1e-8)


def test_a_line_of_float32_comes_near_least_squares():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 3))
    y = X @ [1.0, 2.0, -1.0] + 0.5 + 0.1 * rng.normal(size=200)
    solution = np.linalg.lstsq(np.column_stack([X, np.ones(200)]), y, rcond=None)[0]
    net = fastmlp.MLP([3, 1], dtype="float32", seed=0)
    net.fit(X, y, epochs=300, batch_size=None, optimizer=fastmlp.SGD(0.4))
    np.testing.assert_allclose([*net.weights[0][:, 0], *net.biases[0]], solution, atol=1e-5)


@pytest.mark.parametrize("one_hot", [False, True], ids=["labels", "one-hot"])
def test_handwritten_digits_are_learned_in_a_few_epochs(one_hot):
    X, y = load_digits()
    assert X.shape == (1797, 64)
    assert y.shape == (1797,)
    assert np.bincount(y).shape == (10,)
    X = X / X.max()
    rows = np.random.default_rng(0).permutation(len(X))
    train, test = rows[360:], rows[:360]
    net = fastmlp.MLP([64, 64, 10], activation="relu", output="softmax", seed=0)
    net.fit(X[train], np.eye(10)[y[train]] if one_hot else y[train], epochs=15, batch_size=32)
    assert (net.classify(X[test]) == y[test]).mean() >= 0.95


def test_several_outputs_of_tanh_learn_a_rotation():
    rng = np.random.default_rng(6)
    X = rng.uniform(-1, 1, size=(400, 2))
    Y = 0.5 * X @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    net = fastmlp.MLP([2, 16, 2], activation="tanh", output="tanh", seed=0)
    net.fit(X, Y, epochs=100, optimizer=fastmlp.Adam(0.01))
    assert np.abs(net.predict(X) - Y).mean() < 0.05


def test_several_labels_at_once_are_learned_by_sigmoids():
    Y = np.column_stack([AND, OR, XOR])
    net = fastmlp.MLP([2, 8, 3], activation="tanh", output="sigmoid", seed=1)
    net.fit(CORNERS, Y, epochs=2000, batch_size=None, optimizer=fastmlp.Adam(0.03))
    assert net.classify(CORNERS).tolist() == Y.tolist()


@pytest.mark.parametrize("gate", ["AND", "OR"])
def test_the_perceptron_converges_on_a_separable_gate(gate):
    perceptron = fastmlp.Perceptron()
    assert perceptron.fit(CORNERS, SIGNS[gate]) is perceptron
    assert perceptron.converged is True
    assert perceptron.mistakes[-1] == 0
    assert all(mistakes > 0 for mistakes in perceptron.mistakes[:-1])
    assert perceptron.predict(CORNERS).tolist() == SIGNS[gate].tolist()


def test_the_perceptron_never_converges_on_xor():
    perceptron = fastmlp.Perceptron(max_epochs=200).fit(CORNERS, SIGNS["XOR"])
    assert perceptron.converged is False
    assert len(perceptron.mistakes) == 200
    assert min(perceptron.mistakes) > 0


def test_the_perceptron_takes_the_steps_worked_by_hand():
    # AND from zeros, rate 1, corners in the order 00, 01, 10, 11; (w1, w2, b) after each mistake:
    # pass 1: (1, 1, 1)                                    pass 2: (1, 1, 0) (1, 0, -1) (2, 1, 0)
    # pass 3: (2, 0, -1) (1, 0, -2) (2, 1, -1)             pass 4: (1, 1, -2) (2, 2, -1)
    # pass 5: (2, 1, -2)                                   pass 6: none
    perceptron = fastmlp.Perceptron(learning_rate=1.0).fit(CORNERS, SIGNS["AND"])
    assert list(perceptron.mistakes) == [1, 3, 3, 2, 1, 0]
    assert perceptron.weights.tolist() == [2.0, 1.0]
    assert perceptron.bias == -2.0
    first_two = fastmlp.Perceptron(max_epochs=2).fit(CORNERS, SIGNS["AND"])
    assert list(first_two.mistakes) == [1, 3]
    assert (first_two.weights.tolist(), first_two.bias) == ([2.0, 1.0], 0.0)
    assert first_two.converged is False


def test_the_learning_rate_of_the_perceptron_scales_its_steps():
    perceptron = fastmlp.Perceptron(learning_rate=0.25).fit(CORNERS, SIGNS["AND"])
    assert list(perceptron.mistakes) == [1, 3, 3, 2, 1, 0]
    assert (perceptron.weights.tolist(), perceptron.bias) == ([0.5, 0.25], -0.5)


def test_the_perceptron_says_no_on_the_boundary_itself():
    perceptron = fastmlp.Perceptron().fit(CORNERS, SIGNS["AND"])  # 2 x1 + x2 - 2
    assert perceptron.predict(np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 0.001]])).tolist() == [-1, -1, 1]


def test_fitting_the_perceptron_again_starts_from_zeros():
    perceptron = fastmlp.Perceptron()
    for _ in range(2):
        perceptron.fit(CORNERS, SIGNS["AND"])
        assert list(perceptron.mistakes) == [1, 3, 3, 2, 1, 0]
        assert perceptron.weights.tolist() == [2.0, 1.0]


def test_a_shuffled_perceptron_is_repeatable_and_converges():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(50, 4))
    y = np.where(X @ [1.0, -1.0, 2.0, 0.5] + 0.1 > 0, 1, -1)
    first, same, other = (fastmlp.Perceptron(shuffle=True, seed=seed).fit(X, y) for seed in (3, 3, 4))
    for perceptron in (first, same, other):
        assert perceptron.converged is True
        assert perceptron.predict(X).tolist() == y.tolist()
    assert first.weights.tobytes() == same.weights.tobytes()
    assert (first.bias, list(first.mistakes)) == (same.bias, list(same.mistakes))
    assert first.weights.tobytes() != other.weights.tobytes()
