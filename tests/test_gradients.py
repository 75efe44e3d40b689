"""Gradients against central differences of the loss, in float64, and a guard that they are not zero.

Both `fastmlp.reference` and every compiled build stand trial: the specification has no other judge than
this, the formulas and the worked examples. The loss itself is judged in test_formulas.py.
"""

import numpy as np
import pytest

from cases import (
    EVERY_BUILD,
    HIDDEN,
    LOSS_PARAMETER,
    OUTPUT_AND_LOSS,
    blocks,
    make,
    random_inputs,
    random_parameters,
    random_sample_weight,
    random_targets,
)
from fastmlp import formulas
from tolerances import DIFFERENCE_STEP, DIFFERENCE_TOLERANCE, KINK_MARGIN, NOT_ZERO

SLOPE = 0.2


# The errors |a - y| at which a loss has a kink, or its derivative has one.
KINKS_OF_LOSS = {"absolute_error": 0.0, "quantile": 0.0, "huber": LOSS_PARAMETER}


def keeps_away_from_kinks(sizes, bias, parameters, X, y, hidden, output, loss):
    """Whether all z keep KINK_MARGIN from 0, errors from kinks of the loss, and z of the output have both signs."""
    A = X
    cut = [block for _, block in blocks(parameters, sizes, bias)]
    weights, biases = (cut[::2], cut[1::2]) if bias else (cut, [0.0] * len(cut))
    for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
        Z = A @ W + b
        if np.abs(Z).min() < KINK_MARGIN:
            return False
        if layer < len(weights) - 1:
            A = formulas.ACTIVATIONS[hidden].value(Z, SLOPE)
    if loss in KINKS_OF_LOSS:
        A = formulas.softmax(Z) if output == "softmax" else formulas.ACTIVATIONS[output].value(Z, SLOPE)
        if np.abs(np.abs(A - y) - KINKS_OF_LOSS[loss]).min() < KINK_MARGIN:
            return False
    return output == "softmax" or bool((Z > 0).any() and (Z < 0).any())


def case(sizes, hidden, output, loss, bias, rows, labels):
    """Return parameters and data without a kink in reach, from the first seed that has them."""
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        parameters, X = random_parameters(sizes, bias, rng), random_inputs(rows, sizes[0], rng)
        y = np.arange(rows) % sizes[-1] if labels else random_targets(loss, rows, sizes[-1], rng)
        targets = np.eye(sizes[-1])[y] if labels else y
        if keeps_away_from_kinks(sizes, bias, parameters, X, targets, hidden, output, loss):
            return parameters, X, y, random_sample_weight(rows, rng)
    raise AssertionError("no seed keeps away from the kinks")


def central_differences(evaluate, array):
    """Slope of `evaluate()` along every entry of `array`, which is changed in place and restored."""
    gradient = np.empty(array.shape)
    for index in np.ndindex(array.shape):
        before = array[index]
        array[index] = before + DIFFERENCE_STEP
        above = evaluate()
        array[index] = before - DIFFERENCE_STEP
        below = evaluate()
        array[index] = before
        gradient[index] = (above - below) / (2 * DIFFERENCE_STEP)
    return gradient


def check(build, sizes, hidden, output, loss, bias, weighted, labels=False, rows=5):
    parameters, X, y, weight = case(sizes, hidden, output, loss, bias, rows, labels)
    if not weighted:
        weight = None
    network = make(build, "float64", sizes, hidden, output, loss, bias, parameters, SLOPE)
    where = f"{build} {sizes} {hidden} {output} {loss} bias={bias} weighted={weighted} labels={labels}"

    flat, inputs = np.full(network.parameters.size, np.nan), np.full(X.shape, np.nan)
    value = network.gradient(X, y, weight, flat, inputs)
    assert value == pytest.approx(network.evaluate(X, y, weight), rel=1e-12), where

    expected = central_differences(lambda: network.evaluate(X, y, weight), network.parameters)
    expected_inputs = central_differences(lambda: network.evaluate(X, y, weight), X)
    for name, got, wanted in (
        *(
            (name, got, expected_block)
            for (name, got), (_, expected_block) in zip(
                blocks(flat, sizes, bias), blocks(expected, sizes, bias), strict=True
            )
        ),
        ("inputs", inputs, expected_inputs),
    ):
        error = np.abs(got - wanted).max()
        assert error <= DIFFERENCE_TOLERANCE * max(1.0, np.abs(wanted).max()), f"{where}: {name} off by {error:.2e}"
        assert np.abs(got).max() > NOT_ZERO, f"{where}: {name} is zero"
    assert (np.abs(flat) > 0).mean() > 0.3, f"{where}: most of the gradient is zero"
    if weight is not None:
        assert (inputs[weight == 0] == 0).all(), f"{where}: a row without weight has a gradient"


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_the_gradient_is_the_slope_of_the_loss(build, hidden):
    for output, loss in OUTPUT_AND_LOSS:
        for weighted in (False, True):
            check(build, (3, 4, 3), hidden, output, loss, bias=True, weighted=weighted)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_the_gradient_of_a_deep_net_is_the_slope_of_the_loss(build, hidden):
    check(build, (2, 5, 3, 4, 2), hidden, "identity", "half_squared_error", bias=True, weighted=True)


@pytest.mark.parametrize("build", EVERY_BUILD)
def test_the_gradient_without_bias_is_the_slope_of_the_loss(build):
    for output, loss in OUTPUT_AND_LOSS:
        check(build, (3, 4, 2), "tanh", output, loss, bias=False, weighted=False)


@pytest.mark.parametrize("build", EVERY_BUILD)
def test_the_gradient_of_one_layer_is_the_slope_of_the_loss(build):
    for output, loss in OUTPUT_AND_LOSS:
        check(build, (4, 3), "identity", output, loss, bias=True, weighted=True)


@pytest.mark.parametrize("build", EVERY_BUILD)
def test_the_gradient_with_labels_is_the_slope_of_the_loss(build):
    for loss in formulas.LOSSES:
        if formulas.is_defined("softmax", loss):
            check(build, (3, 4, 3), "tanh", "softmax", loss, bias=True, weighted=True, labels=True)


@pytest.mark.parametrize(("output", "loss"), [pair for pair in OUTPUT_AND_LOSS if pair[0] != "softmax"])
@pytest.mark.parametrize("build", EVERY_BUILD)
def test_the_gradient_without_targets_that_are_missing_is_the_slope_of_the_loss(build, output, loss):
    sizes = (3, 5, 4)
    parameters, X, y, weight = case(sizes, "tanh", output, loss, True, 5, False)
    y[[0, 2, 4], [1, 3, 0]] = np.nan
    network = make(build, "float64", sizes, "tanh", output, loss, True, parameters, SLOPE)
    network.masked = True
    flat, inputs = np.full(network.parameters.size, np.nan), np.full(X.shape, np.nan)
    network.gradient(X, y, weight, flat, inputs)
    for got, of in ((flat, network.parameters), (inputs, X)):
        expected = central_differences(lambda: network.evaluate(X, y, weight), of)
        error, size = np.abs(got - expected).max(), max(1.0, np.abs(expected).max())
        assert error <= DIFFERENCE_TOLERANCE * size
        assert np.abs(got).max() > NOT_ZERO
