"""Points about a line, the one neuron that is fitted to them and its losses by formula, a net, a step of nothing.

What test_fit.py and test_stopping.py have in common. Apart from cases.py, which has no expected value.
"""

import numpy as np

import fastmlp

NO_STEP = fastmlp.SGD(1e-30)  # so small that the weights stay what they are to the bit


def line_data(m=10, n=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, n))
    return X, X @ rng.normal(size=n) + 0.3 + 0.5 * rng.normal(size=m)


def line(n=3, seed=1, dtype="float64"):
    rng = np.random.default_rng(seed)
    return fastmlp.MLP.from_parameters(
        [rng.normal(size=(n, 1))], [rng.normal(size=1)], output="identity", dtype=dtype
    )


def half_squared_errors(net, X, y):
    """(m,) losses of a line, by formula."""
    return 0.5 * (X @ net.weights[0][:, 0] + net.biases[0][0] - y) ** 2


def small_net(seed=0, **options):
    return fastmlp.MLP([3, 8, 1], activation="tanh", **({"dtype": "float64", "seed": seed} | options))
