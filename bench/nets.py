"""The nets that fastmlp is measured on: one table, with the data they are fed and the work they do.

Two are the size of a control policy, two of a classifier of tables and small images, one is past the caches; one
more, FULL_BATCH, learns from all of its data in each step. Data is random: dense arithmetic takes the same time for
any data, so nothing has to be downloaded. Not here: what makes two implementations comparable (twins.py), what is
timed (test_speed.py, grid.py) and how it is reported (run.py).
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

import fastmlp
from fastmlp import builds

if builds.current() == "reference":
    raise ImportError("FASTMLP_BUILD is 'reference', which leaves nothing to compare; expected a compiled build")
IMPLEMENTATIONS = {"NumPy": "reference", "fastmlp": builds.current()}
DTYPE = "float32"


class Net(NamedTuple):
    sizes: tuple[int, ...]
    activation: str
    output: str
    loss: str
    batch: int

    @property
    def name(self):
        return "-".join(map(str, self.sizes))

    @property
    def title(self):
        output = "" if self.output == "identity" else f" + {self.output}"
        return f"{self.name} {self.activation}{output}"

    @property
    def parameters(self):
        return sum((n_in + 1) * n_out for n_in, n_out in pairwise(self.sizes))


NETS = (
    Net((4, 32, 32, 1), "tanh", "identity", "half_squared_error", 32),
    Net((17, 64, 64, 6), "tanh", "identity", "squared_error", 64),
    Net((54, 128, 64, 7), "relu", "softmax", "cross_entropy", 256),
    Net((784, 256, 128, 10), "relu", "softmax", "cross_entropy", 128),
    Net((784, 1024, 1024, 10), "relu", "softmax", "cross_entropy", 256),
)
SMALL = NETS[:4]  # those that stay in the caches; as C, they are for a processor without Python
# The example that SimpleChains.jl publishes, and the size of XOR: all rows are the batch.
FULL_BATCH = Net((4, 32, 16, 4), "tanh", "identity", "squared_error", 10_000)
XOR = Net((2, 4, 1), "tanh", "identity", "half_squared_error", 4)


def make(net, implementation, dtype=DTYPE):
    """The net as an MLP of "NumPy" or "fastmlp"; both have the same weights."""
    with builds.forced(IMPLEMENTATIONS[implementation]):
        return fastmlp.MLP(
            net.sizes, activation=net.activation, output=net.output, loss=net.loss, dtype=dtype, seed=0
        )


def inputs(net, rows, dtype=DTYPE):
    """X (rows, n_in), standard normal."""
    return np.random.default_rng(1).standard_normal((rows, net.sizes[0]), dtype)


def targets(net, rows, dtype=DTYPE):
    """Class labels (rows,) for softmax, else standard normal (rows, n_out)."""
    rng = np.random.default_rng(2)
    if net.output == "softmax":
        return rng.integers(0, net.sizes[-1], rows)
    return rng.standard_normal((rows, net.sizes[-1]), dtype)


def predict_operations(net, rows):
    """Floating-point operations, 2 a product, of A W in every layer."""
    return 2 * rows * sum(n_in * n_out for n_in, n_out in pairwise(net.sizes))


def step_operations(net):
    """The same for one training step: A W and Aᵀ δ in every layer, δ Wᵀ in all but the first."""
    first = net.sizes[0] * net.sizes[1]
    return 3 * predict_operations(net, net.batch) - 2 * net.batch * first
