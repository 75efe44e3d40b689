"""fastmlp and NumPy on the same nets, with the same weights and data, on one thread: first equal, then timed.

"NumPy" is fastmlp.reference in float32, a careful NumPy program that multiplies matrices with NumPy's BLAS; the rate
of a large product is measured besides.

Prediction is the forward pass alone for NumPy, and for fastmlp what a user calls: `MLP.predict`, which also looks
whether all that goes in and comes out is finite. Training is an epoch of `Network.train` for both, the loop inside
`fit`: BATCHES batches in a shuffled order, from the same weights and the optimizer's first step on every time.

Nothing here asserts a speed. `pytest bench` shows the groups of pytest-benchmark, run.py makes the table.
"""

from functools import cache, cached_property, partial
from time import perf_counter

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import fastmlp
import nets

ROWS = (1, 32, 1024)
BATCHES = 16
PRODUCT = 1024

# Relative, by the Euclidean norm. Both sides round to float32, by 6e-8 a time, and add in different orders. As a
# yardstick: one sample of an epoch taken twice, in place of another, changes the loss by 1.6e-4 or more of itself and
# the parameters by 1.7e-2 or more of their way.
OUTPUT_TOLERANCE = 1e-5  # 9e-7 is the most that was seen: sums of up to 1024 products, three layers deep
LOSS_TOLERANCE = 1e-5  # 1.1e-6 seen; the mean of all steps, so it follows the parameters
# Of the way that the parameters have gone. 1.1e-3 seen with 1.9 million parameters and relu, below 1e-6 with tanh:
# rounding may decide on which side of its kink a relu is, and Adam makes small gradients as large as others.
MOVE_TOLERANCE = 5e-3


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = fastmlp.get_num_threads()
    fastmlp.set_num_threads(1)
    with threadpool_limits(1):
        threads = {pool["num_threads"] for pool in threadpool_info()}
        assert threads == {1}, "NumPy's BLAS is none that threadpoolctl can keep to one thread"
        yield
    fastmlp.set_num_threads(before)


class Training:
    """An epoch that can be repeated from its beginning."""

    def __init__(self, net, mlp):
        rows = BATCHES * net.batch
        self.mlp = mlp
        self.start = mlp.parameters.copy()
        self.data = nets.inputs(net, rows), nets.targets(net, rows), None
        self.plan = np.random.default_rng(3).permutation(rows), net.batch, fastmlp.Adam(), 1

    def reset(self):
        self.mlp.parameters[...] = self.start
        self.mlp._network.reset_optimizer()

    @cached_property
    def seconds(self):
        """What an epoch takes, about."""
        self.reset()
        began = perf_counter()
        self.run()
        return perf_counter() - began

    def run(self):
        return self.mlp._network.train(*self.data, *self.plan)


def samples(net, rows):
    """X (rows, n_in), or (n_in,) for one: what a caller with one sample has."""
    X = nets.inputs(net, rows)
    return X[0] if rows == 1 else X


def predictor(mlp, implementation):
    """The call that is timed. NumPy goes without checks, which in NumPy take as long as a small net itself."""
    return partial(mlp._network.forward, checked=True) if implementation == "NumPy" else mlp.predict


def assert_close(actual, expected, tolerance, scale):
    assert np.shape(actual) == np.shape(expected)
    assert scale > 0
    difference = np.linalg.norm(actual - expected) / scale
    assert difference <= tolerance, f"{difference:.1e} apart, {tolerance:.0e} allowed"


@cache
def verified(net):
    """The net of each implementation, ready to be timed, after it was seen that they compute the same."""
    mlps = {name: nets.make(net, name) for name in nets.IMPLEMENTATIONS}
    fast, reference = mlps["fastmlp"], mlps["NumPy"]
    assert np.array_equal(fast.parameters, reference.parameters)
    for rows in ROWS:
        X = samples(net, rows)
        outputs, expected = (predictor(mlps[name], name)(X) for name in ("fastmlp", "NumPy"))
        assert_close(outputs, expected, OUTPUT_TOLERANCE, np.linalg.norm(expected))
    trainings = {name: Training(net, mlp) for name, mlp in mlps.items()}
    loss, expected = (trainings[name].run() for name in ("fastmlp", "NumPy"))
    assert_close(loss, expected, LOSS_TOLERANCE, expected)
    moved = np.linalg.norm(reference.parameters - trainings["NumPy"].start)
    assert_close(fast.parameters, reference.parameters, MOVE_TOLERANCE, moved)
    return trainings


def describe(benchmark, net, case, implementation, repeats, operations):
    """What run.py reads: one call does `repeats` predictions or steps of so many `operations`."""
    benchmark.group = f"{net}, {case}"
    benchmark.extra_info = {
        "net": net,
        "case": case,
        "implementation": implementation,
        "repeats": repeats,
        "operations": operations,
    }


# The implementations of a case are the innermost loop: they are timed next to each other.
implementations = pytest.mark.parametrize("implementation", nets.IMPLEMENTATIONS)
every_net = pytest.mark.parametrize("net", nets.NETS, ids=lambda net: net.name)


@implementations
@pytest.mark.parametrize("rows", ROWS)
@every_net
def test_predict(benchmark, turn, net, rows, implementation):
    predict = predictor(verified(net)[implementation].mlp, implementation)
    case = f"predict {rows} row{'s' * (rows > 1)}"
    describe(benchmark, net.title, case, implementation, 1, nets.predict_operations(net, rows))
    benchmark(predict, samples(net, rows))


@implementations
@every_net
def test_training_step(benchmark, request, turn, net, implementation):
    training = verified(net)[implementation]
    case = f"training step, batch {net.batch}"
    describe(benchmark, net.title, case, implementation, BATCHES, nets.step_operations(net))
    # pytest-benchmark does not choose the number of rounds where each of them is preceded by a reset.
    least, limit = (request.config.getoption(f"benchmark_{name}") for name in ("min_rounds", "max_time"))
    rounds = max(least, int(float(limit) / training.seconds))
    benchmark.pedantic(training.run, setup=training.reset, rounds=rounds)


def test_product(benchmark, turn):
    A, B = np.random.default_rng(4).standard_normal((2, PRODUCT, PRODUCT), np.float32)
    describe(benchmark, "NumPy", f"sgemm {PRODUCT}³", "NumPy", 1, 2 * PRODUCT**3)
    benchmark(np.matmul, A, B, out=np.empty_like(A))
