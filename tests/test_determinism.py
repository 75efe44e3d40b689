"""The same bits: for any number of threads, from run to run, and wherever the data stand in memory.

Not about right values, which other files compare with formulas: here two results of the core are compared with each
other, byte by byte, since that alone shows that no sum is split in another way. That several threads took part is
shown too; without it these tests would pass on one.
"""

import hashlib
from itertools import pairwise

import numpy as np
import pytest

import fastmlp
from cases import COMPILED, DTYPES, cast, make, random_inputs, random_parameters, random_sample_weight, random_targets
from fastmlp.optimizers import Steps
from processes import output_of

THREADS = (1, 2, 3, 4)
# Sizes, hidden activation, output, loss. From one neuron to layers that are wide enough for several threads, for
# a packed W, too big for a cache, for panels of weights that do not come out even, so many inputs that panels make
# blocks (1100-150-3), and a few last columns, whose sums go along the inputs (1100-130-100-2); where
# weights are many for the batch, the threads share out columns.
NETS = {
    "1-1": ((1, 1), "tanh", "identity", "half_squared_error"),
    "17-64-64-6": ((17, 64, 64, 6), "tanh", "identity", "squared_error"),
    "40-130-70-10": ((40, 130, 70, 10), "relu", "softmax", "cross_entropy"),
    "5-300-3": ((5, 300, 3), "mish", "softmax", "cross_entropy"),
    "258-90-4": ((258, 90, 4), "gelu", "sigmoid", "binary_cross_entropy"),
    "340-400-5": ((340, 400, 5), "tanh", "identity", "half_squared_error"),
    "1100-150-3": ((1100, 150, 3), "relu", "identity", "half_squared_error"),
    "1100-130-100-2": ((1100, 130, 100, 2), "relu", "identity", "half_squared_error"),
    "300-260-256-9": ((300, 260, 256, 9), "gelu", "softmax", "cross_entropy"),
    "20-260-140-10": ((20, 260, 140, 10), "silu", "softmax", "cross_entropy"),
}
# One row, a few, more than a row block of 64, more than a micro-batch of 256.
ROWS = (1, 3, 65, 258)
# Where the weights are few, a batch is cut into parts: two, four that are not equally large, and so many rows that
# there are several looks for Ctrl-C between them.
DATA_PARALLEL, PARALLEL_ROWS = ("1-1", "17-64-64-6", "5-300-3", "40-130-70-10"), (700, 2301)
FOR_FOUR_THREADS = {"340-400-5": 257, "40-130-70-10": 700}  # with so many rows or more


def data_for(name, dtype, m):
    """X, targets, sample weights and an order for the net of that name; labels for every other number of rows."""
    sizes, _hidden, output, loss = NETS[name]
    rng = np.random.default_rng([m, *sizes])
    X = random_inputs(m, sizes[0], rng)
    labels = output == "softmax" and m % 2 == 1
    y = rng.integers(0, sizes[-1], m) if labels else random_targets(loss, m, sizes[-1], rng)
    weight = random_sample_weight(m, rng) if m % 2 == 0 else None
    return cast(X, dtype), cast(y, dtype), cast(weight, dtype), rng.permutation(m).astype(np.int64)


def network_for(name, build, dtype):
    sizes = NETS[name][0]
    parameters = random_parameters(sizes, True, np.random.default_rng([7, *sizes]))
    return make(build, dtype, *NETS[name], True, parameters)


def everything(name, build, dtype, m, threads, data=None):
    """All that a net computes, by name, as bytes: outputs, loss, gradients, and what two epochs make of it."""
    X, y, weight, order = data_for(name, dtype, m) if data is None else data
    network = network_for(name, build, dtype)
    flat, inputs = np.empty_like(network.parameters), np.empty_like(X)
    found = {
        "outputs": network.forward(X, None, threads),
        "loss": np.float64(network.evaluate(X, y, weight, threads)),
        "loss of gradient": np.float64(network.gradient(X, y, weight, flat, inputs, threads)),
        "gradient": flat,
        "gradient of inputs": inputs,
    }
    some = max(100, 3 * m // 7)  # three batches, of which the last is smaller
    for batch_size, optimizer in (
        (some, fastmlp.Adam(0.01)),
        (m, fastmlp.SGD(0.01, momentum=0.9, weight_decay=0.01)),
        (m, fastmlp.RMSprop(1e-3, momentum=0.5, clip_norm=0.1)),
    ):
        what = type(optimizer).__name__
        network.reset_optimizer()
        found[f"{what} loss"] = np.float64(network.train(X, y, weight, order, Steps(batch_size, optimizer), threads))
        found[f"{what} parameters"] = network.parameters.copy()
        found[f"{what} moments"] = np.concatenate(network.optimizer_state[2:])
    assert all(np.isfinite(value).all() for value in found.values())
    return {what: value.tobytes() for what, value in found.items()}


def digest(threads):
    """One number for everything that every build computes."""
    total = hashlib.sha256()
    for build in COMPILED:
        for dtype in DTYPES:
            for name in NETS:
                for value in everything(name, build, dtype, 257, threads).values():
                    total.update(value)
    return total.hexdigest()


@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_the_number_of_threads_does_not_change_a_bit(build, dtype, name):
    for m in (*ROWS, *PARALLEL_ROWS) if name in DATA_PARALLEL else ROWS:
        alone = everything(name, build, dtype, m, 1)
        for threads in THREADS[1:]:
            assert_same(everything(name, build, dtype, m, threads), alone, f"m={m} threads={threads}")


def assert_same(found, expected, context):
    assert [what for what in expected if found[what] != expected[what]] == [], context


TASKS = """
import os, sys
from test_determinism import COMPILED, DTYPES, FOR_FOUR_THREADS, Steps, data_for, fastmlp, network_for
def tasks():
    return len(os.listdir("/proc/self/task"))
name = sys.argv[1]
rows = FOR_FOUR_THREADS[name]
first = tasks()
for build in COMPILED:
    for dtype in DTYPES:
        network = network_for(name, build, dtype)
        X, y, weight, order = data_for(name, dtype, rows)
        started = []
        for threads in (1, 2, 3, 4):
            network.train(X, y, weight, order, Steps(rows, fastmlp.Adam()), threads)
            started.append(tasks() - first)
        print(*started)
"""


@pytest.mark.parametrize("name", list(FOR_FOUR_THREADS))
def test_as_many_threads_take_part_as_were_asked_for(name):
    # All compiled modules share one pool; beside the caller it holds one thread fewer than were asked for.
    started = output_of("-c", TASKS, name).splitlines()
    assert started == ["0 1 2 3"] + ["3 3 3 3"] * (len(COMPILED) * len(DTYPES) - 1)


def test_every_run_gives_the_same_bits():
    script = "import sys, test_determinism; print(test_determinism.digest(int(sys.argv[1])))"
    here = digest(2)
    assert [output_of("-c", script, threads) for threads in ("1", "3")] == [here, here]


def moved(array, by):
    """The same array, its first element `by` elements away from the start of a cache line."""
    if array is None:
        return None
    room = np.empty(array.nbytes + 128, np.uint8)
    start = -room.ctypes.data % 64 + by * array.itemsize
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    assert copy.ctypes.data % 64 == by * array.itemsize
    return copy


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_the_place_of_the_data_in_memory_does_not_change_a_bit(build, dtype):
    for name in ("17-64-64-6", "258-90-4"):
        for m in (3, 257):
            data = data_for(name, dtype, m)
            aligned, shifted = ([moved(array, by) for array in data] for by in (0, 1))
            assert_same(
                everything(name, build, dtype, m, 2, shifted),
                everything(name, build, dtype, m, 2, aligned),
                f"{name} m={m}",
            )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_rows_taken_through_an_order_give_the_bits_of_rows_that_stand_in_it(build, dtype):
    for name in FOR_FOUR_THREADS:
        X, y, weight, order = data_for(name, dtype, 600)
        for batch_size in (100, 400):
            ends = []
            for data in ((X, y, weight, order), (X[order], y[order], weight[order], None)):
                network = network_for(name, build, dtype)
                loss = network.train(*data, Steps(batch_size, fastmlp.Adam(0.01)), 2)
                ends.append((loss, network.parameters.tobytes()))
            assert ends[0] == ends[1], f"{name} batch={batch_size}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_a_fit_with_any_number_of_threads_ends_with_the_same_bits(build, dtype):
    """The whole call: shuffled, validated, stopped early; None is the setting of the process."""
    X, y, _, _ = data_for("40-130-70-10", dtype, 701)
    ends = []
    with fastmlp.builds.forced(build):
        for threads in (1, 2, 3, None):
            net = fastmlp.MLP([40, 130, 70, 10], activation="relu", output="softmax", dtype=dtype, seed=0)
            history = net.fit(X, y, epochs=3, batch_size=300, threads=threads, validation=0.1, patience=2)
            ends.append((net.parameters.tobytes(), history.loss, history.validation_loss))
    assert all(end == ends[0] for end in ends)


@pytest.mark.parametrize(("name", "rows", "few_rows"), [("340-400-5", 15_000, 500), ("1100-130-100-2", 2_002, 2)])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_many_rows_are_predicted_as_few_are(build, dtype, name, rows, few_rows):
    """More rows than go without a look for Ctrl-C, on any number of threads, against a few at a time on one."""
    network = network_for(name, build, dtype)
    X = cast(random_inputs(rows, NETS[name][0][0], np.random.default_rng(1)), dtype)
    few = np.concatenate([network.forward(X[i : i + few_rows], None, 1) for i in range(0, rows, few_rows)])
    for threads in THREADS:
        assert network.forward(X, None, threads).tobytes() == few.tobytes(), threads


def test_the_number_of_threads_of_the_process_can_be_read_back_and_does_not_change_a_bit():
    X = np.random.default_rng(0).normal(size=(3000, 64)).astype(np.float32)
    net = fastmlp.MLP([64, 256, 10], output="softmax", seed=0)
    before = fastmlp.get_num_threads()
    answers = []
    try:
        for threads in THREADS:
            fastmlp.set_num_threads(threads)
            assert fastmlp.get_num_threads() == threads
            answers.append(net.predict(X).tobytes())
    finally:
        fastmlp.set_num_threads(before)
    assert fastmlp.get_num_threads() == before
    assert all(one == other for one, other in pairwise(answers))
