"""Every compiled build computes what `fastmlp.reference` computes, over a grid of shapes, functions and
optimizers.

The reference runs in float64, once for all builds; a float32 build gets the same numbers (all inputs are exactly
representable), so what is measured is the rounding of the build alone. That the
reference itself is right is the business of test_formulas.py, test_gradients.py and
test_worked_examples.py.
"""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest

import fastmlp
from cases import (
    COMPILED,
    DTYPES,
    EVERY_NETWORK,
    HIDDEN,
    OUTPUT_AND_LOSS,
    blocks,
    cast,
    make,
    random_inputs,
    random_parameters,
    random_sample_weight,
    random_targets,
)
from fastmlp import formulas
from fastmlp.optimizers import Steps
from tolerances import assert_close

# Sizes 1, odd, and one below, at and above 8, 16 and 32: the vectors of every build in both precisions, and
# two of them.
SHAPES = [
    (1, 1),
    (1, 1, 1),
    (3, 5, 2),
    (7, 8, 9, 1),
    (9, 7, 15, 8),
    (15, 16, 17),
    (17, 15, 16, 3),
    (16, 31, 33, 2),
    (33, 32, 31, 7),
    (2, 64, 1, 65, 5),
    (5, 257, 3),  # wider than the panels that one row takes at once, in every build
    (900, 150, 3),  # a W that is packed to predict several samples, and so many inputs that panels make blocks
    (1100, 129, 3),  # one column more than whole panels, with sums along more inputs than are transposed at a time
    (70, 36, 2),  # four columns more
]
ROWS = (1, 2, 3, 64, 65, 300)


def networks(build, dtype, *description, seed, **options):
    """The same net twice: in the build under test, and in the reference in float64."""
    sizes, hidden, bias = description[0], description[1], description[4]
    parameters = random_parameters(sizes, bias, np.random.default_rng(seed))
    if hidden == "exponential":
        parameters *= 0.5  # else its values saturate a softmax, and logarithms are clipped, in float32 earlier
    return (
        make(build, dtype, *description, parameters, **options),
        make("reference", "float64", *description, parameters, **options),
    )


class Expected(NamedTuple):
    """What the reference makes of some data, all of it float64."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    forward: np.ndarray
    loss: float
    flat: np.ndarray
    inputs: np.ndarray


@cache
def expected(description, seed, rows, labels, negative_slope):
    """A list of Expected, with and without sample weights for each number of rows; once for all builds."""
    sizes, _hidden, _output, loss, _bias = description
    oracle = networks("reference", "float64", *description, seed=seed, negative_slope=negative_slope)[1]
    rng, found = np.random.default_rng([seed, 1]), []
    for m in rows:
        X = random_inputs(m, sizes[0], rng)
        y = rng.integers(0, sizes[-1], m) if labels else random_targets(loss, m, sizes[-1], rng)
        for weight in (None, random_sample_weight(m, rng)):
            flat, inputs = np.full(oracle.parameters.size, np.nan), np.full((m, sizes[0]), np.nan)
            value = oracle.gradient(X, y, weight, flat, inputs)
            found.append(Expected(X, y, weight, oracle.forward(X), value, flat, inputs))
    return found


def compare_everything(build, dtype, description, seed, rows, labels=False, negative_slope=0.01):
    """Forward, evaluate, gradient with respect to parameters and inputs, with and without sample weights."""
    sizes, _hidden, _output, _loss, bias = description
    tested, _ = networks(build, dtype, *description, seed=seed, negative_slope=negative_slope)
    for case in expected(description, seed, rows, labels, negative_slope):
        m = len(case.X)
        where = f"{build} {dtype} {description} m={m} weighted={case.weight is not None} labels={labels}"
        data = [cast(array, dtype) for array in case[:3]]
        untouched = [None if array is None else array.copy() for array in data]

        assert_close(tested.forward(data[0]), case.forward, "forward", dtype, where)
        assert_close(tested.evaluate(*data), case.loss, "loss", dtype, where, scale=1e-2)

        flat, inputs = np.full(case.flat.shape, np.nan, dtype), np.full(case.inputs.shape, np.nan, dtype)
        value = tested.gradient(*data, flat, inputs)
        assert_close(value, case.loss, "loss", dtype, where, scale=1e-2)
        largest = float(np.abs(case.flat).max())
        for (name, got), (_, wanted) in zip(blocks(flat, sizes, bias), blocks(case.flat, sizes, bias), strict=True):
            assert_close(got, wanted, "gradient", dtype, f"{where} {name}", scale=1e-2 * largest)
        assert_close(inputs, case.inputs, "gradient", dtype, f"{where} inputs", scale=1e-2 * largest / m)

        without_inputs = np.full(flat.shape, np.nan, dtype)
        assert tested.gradient(*data, without_inputs, None) == value, where
        assert without_inputs.tobytes() == flat.tobytes(), where
        for array, before in zip(data, untouched, strict=True):
            assert array is None or array.tobytes() == before.tobytes(), f"{where}: an input was written to"


@pytest.mark.parametrize("sizes", SHAPES, ids=lambda sizes: "-".join(map(str, sizes)))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_every_shape_gives_what_the_reference_gives(build, dtype, sizes):
    for seed, (hidden, output, loss) in enumerate(
        [("tanh", "identity", "half_squared_error"), ("gelu", "sigmoid", "binary_cross_entropy")]
    ):
        for bias in (True, False):
            compare_everything(build, dtype, (sizes, hidden, output, loss, bias), seed, ROWS)
    if sizes[-1] > 1:
        for labels in (True, False):
            description = (sizes, "silu", "softmax", "cross_entropy", True)
            compare_everything(build, dtype, description, 7, ROWS, labels=labels)


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_every_activation_output_and_loss_gives_what_the_reference_gives(build, dtype, hidden):
    for number, (output, loss) in enumerate(OUTPUT_AND_LOSS):
        bias = number % 2 == 0
        description = ((5, 9, 4), hidden, output, loss, bias)
        compare_everything(build, dtype, description, 100 + number, (3, 64), negative_slope=0.2)


@pytest.mark.parametrize("loss", [loss for output, loss in OUTPUT_AND_LOSS if output == "softmax"])
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_labels_are_one_hot_rows(build, dtype, loss):
    sizes = (6, 7, 10)
    network, _ = networks(build, dtype, sizes, "tanh", "softmax", loss, True, seed=5)
    rng = np.random.default_rng(5)
    for m in (1, 3, 64, 300):
        X = cast(random_inputs(m, 6, rng), dtype)
        labels = rng.integers(0, 10, m)
        one_hot = np.zeros((m, 10), dtype)
        one_hot[np.arange(m), labels] = 1
        assert_close(network.evaluate(X, labels, None), network.evaluate(X, one_hot, None), "loss", dtype)
        gradients = []
        for targets in (labels, one_hot):
            flat, inputs = np.empty(network.parameters.size, dtype), np.empty((m, 6), dtype)
            network.gradient(X, targets, None, flat, inputs)
            gradients.append(np.concatenate([flat, inputs.ravel()]))
        assert_close(*gradients, "gradient", dtype)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "identity"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_small_whole_numbers_are_computed_exactly(build, dtype, bias, activation):
    """Sums of small integers are exact in any order: every entry must be right to the bit, at z = 0 too."""
    slope = 0.25
    for sizes in ((1, 1, 1), (3, 7, 2), (9, 8, 15), (16, 17, 31), (31, 33, 16), (32, 15, 1)):
        for m in (1, 2, 64, 256):
            rng = np.random.default_rng([*sizes, m])
            W1, W2 = (rng.integers(-1, 2, (i, o)).astype(float) for i, o in pairwise(sizes))
            b1, b2 = (rng.integers(-2, 3, o).astype(float) * bias for o in sizes[1:])
            X = rng.integers(-2, 3, (m, sizes[0])).astype(float)
            y = rng.integers(-3, 4, (m, sizes[-1])).astype(float)
            left = {"relu": 0.0, "leaky_relu": slope, "identity": 1.0}[activation]
            Z = X @ W1 + b1
            A = np.where(Z > 0, Z, left * Z)
            prediction = A @ W2 + b2
            delta_2 = (prediction - y) / m
            delta_1 = np.where(Z > 0, 1.0, left) * (delta_2 @ W2.T)
            parts = [X.T @ delta_1, delta_1.sum(axis=0), A.T @ delta_2, delta_2.sum(axis=0)]
            if not bias:
                parts = parts[::2]
            parameters = [W1, b1, W2, b2] if bias else [W1, W2]

            network = make(
                build,
                dtype,
                sizes,
                activation,
                "identity",
                "half_squared_error",
                bias,
                np.concatenate([part.ravel() for part in parameters]),
                slope,
            )
            where = f"{sizes} m={m}"
            assert np.array_equal(network.forward(cast(X, dtype)), prediction), where
            flat, inputs = np.empty(network.parameters.size, dtype), np.empty(X.shape, dtype)
            network.gradient(cast(X, dtype), cast(y, dtype), None, flat, inputs)
            expected = np.concatenate([part.ravel() for part in parts])
            # The sums before the division by m (a power of two) must fit the 24 bits of float32 for this to
            # be fair.
            assert np.abs(expected).max() * m * 16 < 2**24
            assert np.array_equal(flat, expected), where
            assert np.array_equal(inputs, delta_1 @ W1.T), where


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_one_network_serves_batches_of_any_size_in_any_order(build, dtype):
    sizes = (9, 17, 5)
    description = (sizes, "tanh", "softmax", "cross_entropy", True)
    network, _ = networks(build, dtype, *description, seed=11)
    rng = np.random.default_rng(11)
    seen = {}
    for m in (3, 300, 1, 64, 300, 3, 1, 64):
        if m not in seen:
            X, y = cast(random_inputs(m, 9, rng), dtype), rng.integers(0, 5, m)
            seen[m] = (X, y, None)
        X, y, before = seen[m]
        flat, inputs = np.empty(network.parameters.size, dtype), np.empty((m, 9), dtype)
        value = network.gradient(X, y, None, flat, inputs)
        now = (network.forward(X).tobytes(), value, flat.tobytes(), inputs.tobytes())
        assert before is None or now == before, m
        seen[m] = (X, y, now)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_a_gradient_may_be_summed_over_more_rows_than_go_without_a_look_for_signals(build, dtype):
    compare_everything(
        build, dtype, ((40, 130, 70, 10), "tanh", "softmax", "cross_entropy", True), 13, (2301,), labels=True
    )


OPTIMIZERS = {
    "SGD": (fastmlp.SGD(0.1), "training"),
    "momentum": (fastmlp.SGD(0.05, momentum=0.9), "training"),
    "Nesterov": (fastmlp.SGD(0.05, momentum=0.9, nesterov=True), "training"),
    "SGD with weight decay": (fastmlp.SGD(0.05, momentum=0.5, weight_decay=0.1), "training"),
    "Adam": (fastmlp.Adam(0.01), "adam"),
    # A large epsilon damps the division by small gradients, so this one holds Adam to the tighter tolerance.
    "damped Adam": (fastmlp.Adam(0.05, beta_1=0.8, beta_2=0.99, epsilon=1e-2), "training"),
    "Adam with weight decay": (fastmlp.Adam(0.05, epsilon=1e-2, weight_decay=0.1), "training"),
    "SGD with an L1 penalty": (fastmlp.SGD(0.05, momentum=0.5, nesterov=True, l1=1e-3), "training"),
    "Adam with an L1 penalty": (fastmlp.Adam(0.05, epsilon=1e-2, l1=1e-3), "training"),
    "AdamW": (fastmlp.AdamW(0.05, epsilon=1e-2, weight_decay=0.3), "training"),
    "SGD with clipping": (fastmlp.SGD(0.1, momentum=0.9, weight_decay=0.1, clip_norm=0.3), "training"),
    "Adam with clipping": (fastmlp.Adam(0.05, epsilon=1e-2, clip_norm=0.3), "training"),
    "RMSprop": (fastmlp.RMSprop(0.01, epsilon=1e-2), "training"),
    "RMSprop with all": (fastmlp.RMSprop(0.01, 0.8, 0.5, 1e-2, weight_decay=0.1), "training"),
    "Adam with epsilon hat": (fastmlp.Adam(0.05, epsilon=1e-2, epsilon_hat=True), "training"),
}


def test_every_optimizer_of_the_table_is_tried():
    assert {type(optimizer).__name__ for optimizer, _ in OPTIMIZERS.values()} == set(formulas.OPTIMIZERS)


TRAININGS = [
    # sizes, hidden, output, loss, bias, rows, batch size, labels, weighted
    ((3, 5, 2), "tanh", "identity", "half_squared_error", True, 10, 1, False, True),  # one batch without weight
    ((7, 8, 9, 1), "gelu", "sigmoid", "binary_cross_entropy", True, 33, 10, False, True),
    ((15, 17, 4), "silu", "softmax", "cross_entropy", True, 64, 16, True, False),
    ((9, 33, 5), "tanh", "softmax", "cross_entropy", False, 40, 32, False, True),
    ((16, 31, 3), "softplus", "tanh", "squared_error", True, 300, 300, False, False),
    ((2, 1), "tanh", "identity", "half_squared_error", True, 7, 3, False, False),
    ((900, 150, 3), "tanh", "identity", "half_squared_error", True, 200, 200, False, True),  # blocks of panels
    ((11, 20, 4), "tanh", "softmax", "cross_entropy", True, 701, 350, True, True),  # two parts, then a single row
    ((1, 9, 33, 2), "silu", "tanh", "squared_error", True, 700, 515, False, True),  # four, then one
]


class Epoch(NamedTuple):
    """An epoch of the reference: the order of the rows, the losses, and the parameters after it."""

    order: np.ndarray | None
    loss: float
    by_rows: list[float]
    parameters: np.ndarray


@cache
def trained(number, optimizer):
    """Data of a row of TRAININGS and what three epochs of the reference make of them; once for all builds."""
    *description, m, batch_size, labels, weighted = TRAININGS[number]
    sizes, _, _, loss, _ = description
    oracle = networks("reference", "float64", *description, seed=number)[1]
    start, rng = oracle.parameters.copy(), np.random.default_rng([number, 2])
    X = random_inputs(m, sizes[0], rng)
    y = rng.integers(0, sizes[-1], m) if labels else random_targets(loss, m, sizes[-1], rng)
    weight = random_sample_weight(m, rng) if weighted else None
    epochs = []
    for epoch in range(3):
        order = rng.permutation(m).astype(np.int64) if epoch != 1 else None  # None: as the rows stand
        loss = oracle.train(X, y, weight, order, Steps(batch_size, optimizer, 0.3 * number))
        by_rows = [oracle.loss_by_rows, oracle.penalty_by_rows]
        epochs.append(Epoch(order, loss, by_rows, oracle.parameters.copy()))
    assert np.abs(oracle.parameters - start).max() > 0.01, f"{description}: nothing was learned"
    return (X, y, weight), epochs


@pytest.mark.parametrize("name", list(OPTIMIZERS))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_training_a_few_epochs_gives_what_the_reference_gives(build, dtype, name):
    optimizer, tolerance = OPTIMIZERS[name]
    for number, (*description, m, batch_size, _labels, _weighted) in enumerate(TRAININGS):
        sizes, _, _, _, bias = description
        tested, _ = networks(build, dtype, *description, seed=number)
        data, epochs = trained(number, optimizer)
        data = [cast(array, dtype) for array in data]
        for epoch in epochs:
            where = f"{name} {description} m={m} batch={batch_size}"
            value = tested.train(*data, epoch.order, Steps(batch_size, optimizer, 0.3 * number))
            by_rows = [tested.loss_by_rows, tested.penalty_by_rows]
            assert_close(by_rows, epoch.by_rows, tolerance, dtype, f"{where} by rows", scale=1e-2)
            assert_close(value, epoch.loss, tolerance, dtype, f"{where} loss", scale=1e-2)
            for (block, got), (_, wanted) in zip(
                blocks(tested.parameters, sizes, bias), blocks(epoch.parameters, sizes, bias), strict=True
            ):
                assert_close(got, wanted, tolerance, dtype, f"{where} {block}", scale=0.1)


@pytest.mark.parametrize(("build", "dtype"), EVERY_NETWORK)
def test_resetting_the_optimizer_forgets_its_state(build, dtype):
    description = ((3, 5, 2), "tanh", "identity", "half_squared_error", True)
    rng = np.random.default_rng(0)
    X, y = (cast(random_inputs(8, n, rng), dtype) for n in (3, 2))
    order = np.arange(8, dtype=np.int64)
    for optimizer in (fastmlp.SGD(0.05, momentum=0.9), fastmlp.Adam(0.01), fastmlp.RMSprop(0.01)):
        network, _ = networks(build, dtype, *description, seed=1)
        start = network.parameters.copy()
        network.train(X, y, None, order, Steps(4, optimizer))
        after_one = network.parameters.copy()
        network.parameters[:] = start
        network.train(X, y, None, order, Steps(4, optimizer))
        assert network.parameters.tobytes() != after_one.tobytes(), "the state should have been carried on"
        network.parameters[:] = start
        network.reset_optimizer()
        network.train(X, y, None, order, Steps(4, optimizer))
        assert network.parameters.tobytes() == after_one.tobytes()


def test_this_machine_runs_at_least_one_compiled_build():
    assert len(COMPILED) >= 1
    assert "reference" not in COMPILED


def holes(y, rng):
    """Targets of which some are missing."""
    return np.where(rng.random(y.shape) < 0.3, np.nan, y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_targets_that_are_missing_add_what_they_add_in_the_reference(build, dtype):
    sizes = (5, 9, 4)
    for number, (output, loss) in enumerate(OUTPUT_AND_LOSS):
        if output == "softmax":
            continue
        tested, oracle = networks(build, dtype, sizes, "tanh", output, loss, True, seed=number)
        for masked in (True, False):
            tested.masked = oracle.masked = masked
            assert tested.masked is masked
            rng = np.random.default_rng(number)
            X, y, w = random_inputs(70, 5, rng), random_targets(loss, 70, 4, rng), random_sample_weight(70, rng)
            y = holes(y, rng) if masked else y
            data = [cast(array, dtype) for array in (X, y, w)]
            flat, found = np.full(oracle.parameters.size, np.nan), np.full(oracle.parameters.size, np.nan, dtype)
            value, where = oracle.gradient(X, y, w, flat), f"{build} {dtype} {output} {loss} masked={masked}"
            assert_close(tested.gradient(*data, found), value, "loss", dtype, where, scale=1e-2)
            assert_close(tested.evaluate(*data), value, "loss", dtype, where, scale=1e-2)
            assert_close(found, flat, "gradient", dtype, where, scale=1e-2 * float(np.abs(flat).max()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_logits_are_the_net_input_of_the_last_layer(build, dtype):
    for output, loss in OUTPUT_AND_LOSS:
        for sizes in ((5, 9, 4), (70, 36, 2), (3, 2)):
            tested, oracle = networks(build, dtype, sizes, "tanh", output, loss, True, seed=1)
            for rows in (1, 3, 300):
                X = random_inputs(rows, sizes[0], np.random.default_rng(rows))
                expected_logits, where = oracle.forward(X, logits=True), f"{build} {dtype} {output} {sizes} {rows}"
                before = tested.forward(cast(X, dtype))
                assert_close(tested.forward(cast(X, dtype), logits=True), expected_logits, "forward", dtype, where)
                assert tested.forward(cast(X, dtype)).tobytes() == before.tobytes(), where
    A = X
    for (_, W), (_, b) in pairwise_blocks(oracle, sizes):
        A = A @ W + b
    np.testing.assert_allclose(expected_logits, A, rtol=1e-12)  # of the last net, which has no hidden layer


def pairwise_blocks(network, sizes):
    found = blocks(network.parameters, sizes, True)
    return zip(found[::2], found[1::2], strict=True)
