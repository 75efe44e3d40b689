"""Every activation, output and loss against its published formula, for the reference and every compiled
build.

The formulas are those of published.py, in extended precision where NumPy has it, and know nothing of the
code under test. One neuron with the weight 1 and no bias is the activation itself. The last bits of the compiled
builds are the business of test_accuracy.py.
"""

import math

import numpy as np
import pytest

from cases import EVERY_BUILD, EVERY_NETWORK, HIDDEN, LOSS_PARAMETER, make
from fastmlp import formulas
from published import FORMULAS, LIMITS, SELU_SCALE, SLOPE, loss_by_formula
from tolerances import EPSILON, IN_EPSILONS


def grid(dtype):
    """Arguments on both sides of 0, over many powers of two, in the bend and in the tails, but not 0."""
    tiny = np.geomspace(1e-30, 1e-2, 500)
    bend = np.linspace(0.01, 12, 4001)
    tails = np.linspace(12.5, 80, 700)
    half = np.concatenate([tiny, bend, tails])
    return np.concatenate([-half[::-1], half]).astype(dtype)


def one_neuron(build, dtype, activation, loss="half_squared_error"):
    return make(build, dtype, (1, 1), "identity", activation, loss, False, [1.0], negative_slope=SLOPE)


def test_the_table_of_activations_is_the_one_written_here():
    assert set(HIDDEN) == set(FORMULAS)
    assert set(formulas.OUTPUTS) == {*FORMULAS, "softmax"}


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_an_activation_is_its_formula(build, dtype, name):
    z = grid(dtype)
    value, derivative = FORMULAS[name]
    exact_z = z.astype(np.longdouble)
    exact = value(exact_z)
    answer = one_neuron(build, dtype, name).forward(z[:, None])[:, 0]
    # The error of a value that stands for f(z (1 + eps)): relative to f, and to how far f moves when z moves
    # by eps.
    allowed = np.abs(exact) + (0 if name in {"sigmoid", "tanh"} else np.abs(exact_z * derivative(exact_z)))
    # Subnormal numbers may be taken for 0: of the value, and of the factor that z is multiplied by.
    allowed = IN_EPSILONS["activation"] * EPSILON[dtype] * allowed + (1 + np.abs(exact_z)) * np.finfo(dtype).tiny
    error = np.abs(answer.astype(np.longdouble) - exact)
    worst = int(np.argmax(error / allowed))
    assert error[worst] <= allowed[worst], (
        f"{name}({z[worst]!r}) = {answer[worst]!r}, should be {exact[worst]!r}: "
        f"{float(error[worst] / allowed[worst] * IN_EPSILONS['activation']):.1f} epsilons"
    )


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_a_derivative_is_its_formula(build, dtype, name):
    z = grid(dtype)
    z = z[z < 40] if name == "exponential" else z  # the square of e^z is a number of either dtype
    value, derivative = FORMULAS[name]
    exact_z = z.astype(np.longdouble)
    # dc/da = a - y is between 1 and 2 (1 + |a|), so it carries the derivative without losing a digit.
    target = (value(exact_z) - 1 - np.abs(value(exact_z))).astype(dtype)
    expected = derivative(exact_z) * (value(exact_z) - target.astype(np.longdouble))
    network = one_neuron(build, dtype, name)
    flat, inputs = np.empty(1, dtype), np.empty((z.size, 1), dtype)
    network.gradient(z[:, None], target[:, None], None, flat, inputs)
    answer = inputs[:, 0].astype(np.longdouble) * z.size
    scale = np.maximum(1, np.abs(value(exact_z) - target)) * np.maximum(1, np.abs(derivative(exact_z)))
    error = np.abs(answer - expected) / scale / EPSILON[dtype]
    worst = int(np.argmax(error))
    assert error[worst] <= IN_EPSILONS["derivative"], f"{name}' at {z[worst]!r}: {float(error[worst]):.1f} epsilons"


@pytest.mark.parametrize("name", HIDDEN)
def test_the_rows_of_the_reference_are_their_formulas(name):
    z = grid("float64")
    value, derivative = FORMULAS[name]
    row = formulas.ACTIVATIONS[name]
    a = row.value(z, SLOPE)
    np.testing.assert_allclose(a, value(z), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(row.derivative(z, a, SLOPE), derivative(z), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_relu_and_leaky_relu_take_the_left_slope_at_zero(build, dtype):
    for name, slope in (("relu", 0.0), ("leaky_relu", SLOPE)):
        network = one_neuron(build, dtype, name)
        flat, inputs = np.empty(1, dtype), np.empty((1, 1), dtype)
        network.gradient(np.zeros((1, 1), dtype), np.full((1, 1), -1.0, dtype), None, flat, inputs)
        assert inputs[0, 0] == np.dtype(dtype).type(slope), name


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_an_activation_and_its_derivative_stay_finite_far_out(build, dtype, name):
    z = np.array([-1e30, -1e6, -1e4, -700.0, -100.0, 0.0, 100.0, 700.0, 1e4, 1e6, 1e30], dtype)
    left, right = LIMITS.get(name, (None, None))
    z = z[z <= 0] if right == math.inf else z  # which is soon beyond all numbers
    hidden = make(build, dtype, (1, 1, 1), name, "identity", "half_squared_error", False, [1.0, 1.0], SLOPE)
    for network in (one_neuron(build, dtype, name), hidden):
        answer = network.forward(z[:, None])[:, 0]
        assert np.isfinite(answer).all(), answer
        if left is not None:
            np.testing.assert_allclose(answer[:2], left, rtol=1e-6, atol=1e-30)
        if right is None:
            np.testing.assert_allclose(answer[-4:], z[-4:] * (SELU_SCALE if name == "selu" else 1.0), rtol=1e-6)
        elif right != math.inf:
            np.testing.assert_allclose(answer[-2:], right, rtol=1e-6)
        # Row by row, with dc/da = 1, so that the gradient of the row is the derivative alone.
        for row, a in zip(z[1:-1], answer[1:-1], strict=True):
            flat, inputs = np.empty(network.parameters.size, dtype), np.empty((1, 1), dtype)
            target = np.full((1, 1), a, dtype)
            network.gradient(np.full((1, 1), row, dtype), target, None, flat, inputs)
            assert np.isfinite(inputs).all(), row


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_not_a_number_passes_through_every_activation_and_spoils_no_other_neuron(build, dtype):
    for width in (2, 17):
        W = np.eye(width)
        W[0, 1] = np.nan
        X = np.full((5, width), 0.5, dtype)
        for name in HIDDEN:
            network = make(build, dtype, (width, width), "identity", name, "squared_error", False, W.ravel())
            answer = network.forward(X, checked=True)
            assert np.isnan(answer[:, 1]).all(), name
            assert np.isfinite(np.delete(answer, 1, axis=1)).all(), name
        softmax = make(build, dtype, (width, width), "identity", "softmax", "cross_entropy", False, W.ravel())
        assert np.isnan(softmax.forward(X, checked=True)).all()


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_softmax_is_its_formula_for_small_and_huge_arguments(build, dtype):
    rng = np.random.default_rng(3)
    for width in (2, 3, 10, 16, 17):
        for scale in (1e-3, 1.0, 30.0, 1e4):
            Z = (scale * rng.normal(size=(7, width))).astype(dtype)
            network = make(
                build,
                dtype,
                (width, width),
                "identity",
                "softmax",
                "cross_entropy",
                False,
                np.eye(width).ravel(),
            )
            below = Z.astype(np.longdouble) - Z.max(axis=1, keepdims=True)
            exact = np.exp(below) / np.exp(below).sum(axis=1, keepdims=True)
            answer = network.forward(Z)
            # The exponent is rounded once, so far below the largest z the error grows with the distance.
            allowed = (10 - below) * EPSILON[dtype] * exact + np.finfo(dtype).tiny
            assert (np.abs(answer - exact) <= allowed).all(), (width, scale)
            np.testing.assert_allclose(answer.sum(axis=1), 1.0, rtol=width * EPSILON[dtype])


@pytest.mark.parametrize("build", EVERY_BUILD)
def test_every_loss_is_its_formula_and_a_weighted_mean_over_rows(build):
    rng = np.random.default_rng(4)
    Z = rng.normal(size=(6, 3))
    weight = np.array([1.0, 0.0, 2.0, 0.5, 3.0, 1.0])
    softmax = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    outputs = {"softmax": softmax, "sigmoid": 1 / (1 + np.exp(-Z)), "identity": Z, "tanh": np.tanh(Z)}
    outputs |= {"exponential": np.exp(Z), "softplus": np.log1p(np.exp(Z))}
    targets = rng.uniform(0.1, 0.9, size=(6, 3))
    tried = set()
    for output, expected in outputs.items():
        for loss in formulas.LOSSES:
            if not formulas.is_defined(output, loss):
                continue
            tried.add(loss)
            network = make(build, "float64", (3, 3), "identity", output, loss, False, np.eye(3).ravel())
            each = np.array([loss_by_formula(loss, o, t) for o, t in zip(expected, targets, strict=True)])
            assert network.evaluate(Z, targets, None) == pytest.approx(each.mean(), rel=1e-13), (output, loss)
            weighted = (weight * each).sum() / weight.sum()
            assert network.evaluate(Z, targets, weight) == pytest.approx(weighted, rel=1e-13), (output, loss)
    assert tried == set(formulas.LOSSES)


def one_identity(build, dtype, loss):
    return make(build, dtype, (1, 1), "identity", "identity", loss, False, [1.0])


def loss_and_slope(network, z, target, dtype):
    """The loss of one sample, and its derivative by the input, which is z."""
    flat, inputs = np.empty(1, dtype), np.empty((1, 1), dtype)
    loss = network.gradient(np.full((1, 1), z, dtype), np.full((1, 1), target, dtype), None, flat, inputs)
    return loss, float(inputs[0, 0])


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_the_losses_with_a_corner_have_the_slope_zero_in_it(build, dtype):
    p = float(np.dtype(dtype).type(LOSS_PARAMETER))
    for loss, left, right in (("absolute_error", -1, 1), ("quantile", -p, float(np.dtype(dtype).type(1 - p)))):
        network = one_identity(build, dtype, loss)
        assert loss_and_slope(network, 0.5, 0.5, dtype) == (0, 0), loss
        assert loss_and_slope(network, 0.25, 0.5, dtype)[1] == left, loss
        assert loss_and_slope(network, 0.75, 0.5, dtype)[1] == pytest.approx(right, rel=1e-6), loss


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_the_losses_that_bend_are_finite_far_out_and_keep_digits_near_zero(build, dtype):
    log_cosh, huber = one_identity(build, dtype, "log_cosh"), one_identity(build, dtype, "huber")
    p = LOSS_PARAMETER
    for side in (1, -1):
        assert loss_and_slope(log_cosh, side * 1e4, 0, dtype) == (pytest.approx(1e4 - math.log(2)), side)
        assert loss_and_slope(log_cosh, side * 1e30, 0, dtype) == (pytest.approx(1e30), side)
        assert loss_and_slope(huber, side * 1e30, 0, dtype) == (pytest.approx(p * 1e30), pytest.approx(side * p))
        small = math.sqrt(EPSILON[dtype])
        assert loss_and_slope(huber, side * small, 0, dtype)[0] == pytest.approx(small**2 / 2, rel=1e-5)
        # log cosh d is d^2 / 2 there, the difference of two numbers near |d|.
        assert abs(loss_and_slope(log_cosh, side * small, 0, dtype)[0] - small**2 / 2) <= 4 * EPSILON[dtype] * small
    assert loss_and_slope(log_cosh, 3, 3, dtype) == (0, 0)


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_poisson_is_finite_where_the_output_vanishes_and_the_output_where_the_target_does(build, dtype):
    exponential = one_neuron(build, dtype, "exponential", "poisson")
    assert loss_and_slope(exponential, -1000, 2, dtype) == (pytest.approx(2 * (math.log(2) + 1000) - 2), -2)
    for output in formulas.NEEDED_OUTPUTS["poisson"]:
        network = make(build, dtype, (1, 2), "identity", output, "poisson", False, [1.0, -1.0])
        for z in (-40, -3, 1, 40):
            X = np.full((1, 1), z, dtype)
            total = network.forward(X).sum(dtype=np.float64)
            assert network.evaluate(X, np.zeros((1, 2), dtype), None) == pytest.approx(total, rel=1e-6), output
    softplus = one_neuron(build, dtype, "softplus", "poisson")
    # a is kept an epsilon away from 0 where it is divided by.
    assert loss_and_slope(softplus, -1000, 2, dtype)[0] == pytest.approx(2 * math.log(2 / EPSILON[dtype]) - 2)


def test_the_logarithms_need_outputs_that_have_one():
    for output in formulas.OUTPUTS:
        for loss in ("absolute_error", "huber", "log_cosh", "quantile"):
            assert formulas.is_defined(output, loss)
        assert formulas.is_defined(output, "poisson") == (output in {"exponential", "softplus", "sigmoid", "softmax"})
        assert formulas.is_defined(output, "half_squared_error")
        assert formulas.is_defined(output, "squared_error")
        if output not in {"sigmoid", "softmax"}:
            assert not formulas.is_defined(output, "binary_cross_entropy")
            assert not formulas.is_defined(output, "cross_entropy")
    assert formulas.is_defined("sigmoid", "binary_cross_entropy")
    assert formulas.is_defined("softmax", "cross_entropy")


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_the_canonical_losses_stay_finite_when_the_output_saturates(build, dtype):
    sigmoid = one_neuron(build, dtype, "sigmoid", "binary_cross_entropy")
    flat, inputs = np.empty(1, dtype), np.empty((1, 1), dtype)
    for z, target, loss, slope in (
        (1000, 0, 1000, 1),
        (-1000, 1, 1000, -1),
        (1000, 1, 0, 0),
        (-1000, 0, 0, 0),
    ):
        X, y = np.full((1, 1), z, dtype), np.full((1, 1), target, dtype)
        assert sigmoid.evaluate(X, y, None) == pytest.approx(loss, rel=1e-6, abs=1e-30)
        assert sigmoid.gradient(X, y, None, flat, inputs) == pytest.approx(loss, rel=1e-6, abs=1e-30)
        assert inputs[0, 0] == slope

    softmax = make(build, dtype, (2, 2), "identity", "softmax", "cross_entropy", False, [1.0, 0.0, 0.0, 1.0])
    flat, inputs = np.empty(4, dtype), np.empty((1, 2), dtype)
    X = np.array([[1000.0, 0.0]], dtype)
    assert softmax.evaluate(X, np.array([1]), None) == pytest.approx(1000)
    assert softmax.evaluate(X, np.array([0]), None) == 0
    assert softmax.evaluate(X, np.array([[0.25, 0.75]], dtype), None) == pytest.approx(750)
    assert softmax.gradient(X, np.array([1]), None, flat, inputs) == pytest.approx(1000)
    assert inputs[0].tolist() == [1.0, -1.0]
