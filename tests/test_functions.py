"""`fastmlp.activations` and `fastmlp.losses`: the formulas as functions to call."""

import math

import numpy as np
import pytest

import fastmlp
from fastmlp import formulas


def test_every_activation_and_loss_of_a_net_is_there_and_step():
    assert set(fastmlp.activations) == {*formulas.OUTPUTS, "step"}
    assert set(fastmlp.losses) == set(formulas.LOSSES)


def test_the_formulas_of_the_scripts():
    z = np.array([-2.0, 0.0, 3.0])
    a = fastmlp.activations
    assert a["identity"](z).tolist() == [-2, 0, 3]
    assert a["sigmoid"](z) == pytest.approx([1 / (1 + math.exp(2)), 0.5, 1 / (1 + math.exp(-3))], rel=1e-15)
    assert a["tanh"](z) == pytest.approx([math.tanh(-2), 0, math.tanh(3)], rel=1e-15)
    assert a["relu"](z).tolist() == [0, 0, 3]
    assert a["leaky_relu"](z).tolist() == [-0.02, 0, 3]
    assert a["leaky_relu"](z, negative_slope=0.5).tolist() == [-1, 0, 3]
    assert a["step"](z).tolist() == [0, 1, 1]
    assert a["softmax"]([7, 5, 2, -1, 3]) == pytest.approx([0.8615, 0.1165, 0.0058, 0.0003, 0.0157], abs=1e-4)


def test_derivatives_of_the_scripts():
    d = {name: activation.derivative for name, activation in fastmlp.activations.items()}
    assert d["sigmoid"](0.3775) == pytest.approx(0.593269992 * (1 - 0.593269992), abs=1e-9)
    assert d["tanh"](0.5) == pytest.approx(1 - math.tanh(0.5) ** 2, rel=1e-14)
    assert d["relu"]([-1, 0, 1]).tolist() == [0, 0, 1]
    assert d["leaky_relu"]([-1, 1], negative_slope=0.2).tolist() == [0.2, 1]
    a = np.array([0.2, 0.3, 0.5])
    jacobian = [[0.16, -0.06, -0.1], [-0.06, 0.21, -0.15], [-0.1, -0.15, 0.25]]
    np.testing.assert_allclose(d["softmax"](np.log(a)), jacobian, atol=1e-15)


@pytest.mark.parametrize("name", [name for name in fastmlp.activations if name != "step"])
def test_derivatives_are_finite_differences(name):
    g, h = fastmlp.activations[name], 1e-6
    z = np.array([-1.7, -0.4, 0.3, 2.1])
    if name == "softmax":
        differences = np.stack([(g(z + h * e) - g(z - h * e)) / (2 * h) for e in np.eye(4)], axis=1)
    else:
        differences = (g(z + h) - g(z - h)) / (2 * h)
    assert np.abs(differences).max() > 0.01
    np.testing.assert_allclose(g.derivative(z), differences, atol=1e-8)


@pytest.mark.parametrize("name", formulas.LOSSES)
def test_derivatives_of_losses_are_finite_differences(name):
    c, h = fastmlp.losses[name], 1e-6
    a, y = np.array([0.2, 0.5, 0.9]), np.array([1.0, 0.25, 0.0])
    differences = (c(a + h, y) - c(a - h, y)) / (2 * h)
    assert np.abs(differences).max() > 0.01
    np.testing.assert_allclose(c.derivative(a, y), differences, atol=1e-7)


def test_the_errors_of_script_003():
    terms = fastmlp.losses["half_squared_error"]([0.75136507, 0.772928465], [0.01, 0.99])
    assert terms == pytest.approx([0.274811083, 0.023560026], abs=1e-8)
    assert fastmlp.losses["half_squared_error"].derivative(0.75136507, 0.01) == pytest.approx(0.74136507)


def test_parameters_of_losses_act():
    assert fastmlp.losses["huber"](3, 0, parameter=2) == 4  # 2 (3 - 1)
    assert fastmlp.losses["huber"](3, 0) == 2.5
    assert fastmlp.losses["quantile"](0, 1, parameter=0.9) == pytest.approx(0.9)


def test_shapes_are_kept_and_a_scalar_gives_a_scalar():
    for name, activation in fastmlp.activations.items():
        assert activation(np.zeros((2, 3))).shape == (2, 3), name
        if name != "softmax":
            assert np.ndim(activation(0)) == 0, name
    assert np.ndim(fastmlp.losses["huber"](1, 0)) == 0
    assert fastmlp.losses["huber"](np.ones((2, 3)), np.zeros(3)).shape == (2, 3)


def test_what_is_given_is_not_changed():
    z = np.array([-1.0, 2.0])
    for activation in fastmlp.activations.values():
        activation(z)
    assert z.tolist() == [-1, 2]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fastmlp.activations["sigmoid"]("a"), "z has dtype"),
        (lambda: fastmlp.activations["sigmoid"](float("nan")), "z is nan"),
        (lambda: fastmlp.activations["sigmoid"]([1, np.inf]), r"z\[1\] is inf"),
        (lambda: fastmlp.activations["sigmoid"]([1j]), "z has dtype complex"),
        (lambda: fastmlp.activations["relu"](1, negative_slope=0.1), "only leaky_relu"),
        (lambda: fastmlp.activations["leaky_relu"](1, negative_slope=2), "negative_slope is 2"),
        (lambda: fastmlp.activations["step"].derivative(1), "step has no derivative"),
        (lambda: fastmlp.activations["softmax"](1), "last axis"),
        (lambda: fastmlp.losses["huber"]([1, 2], [1, 2, 3]), r"a has shape \(2,\) and y \(3,\)"),
        (lambda: fastmlp.losses["cross_entropy"](2, 1), "a has 2; cross_entropy expects outputs from 0 to 1"),
        (lambda: fastmlp.losses["binary_cross_entropy"](0.5, 2), "y.* is 2.0; .*between 0 and 1"),
        (lambda: fastmlp.losses["squared_error"](1, 2, parameter=1), "squared_error, which has none"),
        (lambda: fastmlp.losses["quantile"](1, 2, parameter=1.5), "parameter is 1.5"),
    ],
)
def test_bad_input_says_what_is_wrong(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call()


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(KeyError, match="did you mean 'sigmoid'"):
        fastmlp.activations["sigmod"]
    assert "sigmod" not in fastmlp.activations
    with pytest.raises(TypeError):
        fastmlp.activations["mine"] = None
