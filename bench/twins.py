"""A net as fastmlp and as NumPy, with the same weights and data, seen to compute the same and ready to be timed.

"NumPy" is fastmlp.reference, a careful NumPy program that multiplies matrices with NumPy's BLAS. Prediction is its
forward pass alone, and for fastmlp what a user calls: `MLP.predict`, which also looks whether all that goes in and
comes out is finite. Training is an epoch of `Network.train` for both, the loop inside `fit`: batches in a shuffled
order, from the same weights and the optimizer's first step on every time.

What is timed stands in test_speed.py and grid.py; nothing here asserts a speed.
"""

from contextlib import contextmanager
from functools import cached_property, partial
from time import perf_counter
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

import fastmlp
import nets
from fastmlp.optimizers import Steps


class Tolerances(NamedTuple):
    """Relative, by the Euclidean norm. Both sides round to the dtype, and add in different orders."""

    output: float
    loss: float  # the mean of all steps, so it follows the parameters
    move: float  # of the way that the parameters have gone


# As a yardstick: one sample of an epoch taken twice, in place of another, changes the loss by 1.6e-4 or more of
# itself and the parameters by 1.7e-2 or more of their way.
TOLERANCES = {
    # The most that was seen, here and on the grid: 9e-7 of outputs, sums of up to 1024 products, three layers deep;
    # 8e-6 of the loss; of parameters 4.5e-3 with relu, below 1e-5 with tanh, since rounding may decide on which side
    # of its kink a relu is, and Adam makes small gradients as large as others.
    "float32": Tolerances(1e-5, 3e-5, 8e-3),
    # 3e-15, 1e-15 and 5e-14.
    "float64": Tolerances(1e-14, 1e-14, 1e-12),
}


@contextmanager
def one_thread():
    """Both implementations on one thread."""
    before = fastmlp.get_num_threads()
    fastmlp.set_num_threads(1)
    with threadpool_limits(1):
        threads = {pool["num_threads"] for pool in threadpool_info()}
        assert threads == {1}, "NumPy's BLAS is none that threadpoolctl can keep to one thread"
        yield
    fastmlp.set_num_threads(before)


class Training:
    """An epoch that can be repeated from its beginning."""

    def __init__(self, net, mlp, batches):
        rows = batches * net.batch
        self.mlp = mlp
        self.batches = batches
        self.start = mlp.parameters.copy()
        self.data = nets.inputs(net, rows, mlp.dtype), nets.targets(net, rows, mlp.dtype), None
        self.plan = np.random.default_rng(3).permutation(rows), Steps(net.batch, fastmlp.Adam())

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

    def run(self, threads=1):
        return self.mlp._network.train(*self.data, *self.plan, threads)


def samples(net, rows, dtype=nets.DTYPE):
    """X (rows, n_in), or (n_in,) for one: what a caller with one sample has."""
    X = nets.inputs(net, rows, dtype)
    return X[0] if rows == 1 else X


def predictor(mlp, implementation):
    """The call that is timed. NumPy goes without checks, which in NumPy take as long as a small net itself."""
    return partial(mlp._network.forward, checked=True) if implementation == "NumPy" else mlp.predict


def assert_close(actual, expected, tolerance, scale):
    assert np.shape(actual) == np.shape(expected)
    assert scale > 0
    difference = np.linalg.norm(actual - expected) / scale
    assert difference <= tolerance, f"{difference:.1e} apart, {tolerance:.0e} allowed"


def verified(net, rows, batches, dtype=nets.DTYPE, bias=0):
    """The Training of each implementation, after both were seen to compute the same.

    That is the outputs for each number of `rows`, and the loss and the parameters of an epoch of so many `batches`.
    Biases start at `bias`.
    """
    mlps = {name: nets.make(net, name, dtype) for name in nets.IMPLEMENTATIONS}
    for mlp in mlps.values():
        for b in mlp.biases:
            b[...] = bias
    tolerances = TOLERANCES[dtype]
    fast, reference = mlps["fastmlp"], mlps["NumPy"]
    assert np.array_equal(fast.parameters, reference.parameters)
    for m in rows:
        X = samples(net, m, dtype)
        outputs, expected = (predictor(mlps[name], name)(X) for name in ("fastmlp", "NumPy"))
        assert_close(outputs, expected, tolerances.output, np.linalg.norm(expected))
    trainings = {name: Training(net, mlp, batches) for name, mlp in mlps.items()}
    loss, expected = (trainings[name].run() for name in ("fastmlp", "NumPy"))
    assert_close(loss, expected, tolerances.loss, expected)
    moved = np.linalg.norm(reference.parameters - trainings["NumPy"].start)
    assert_close(fast.parameters, reference.parameters, tolerances.move, moved)
    return trainings
