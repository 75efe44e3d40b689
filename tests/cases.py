"""The nets and data the grids of the tests are made of. All random numbers are seeded; nothing here is an
expected value.
"""

from itertools import pairwise

import numpy as np

from fastmlp import builds, formulas

DTYPES = ("float32", "float64")
COMPILED = tuple(builds.available())
EVERY_BUILD = (*COMPILED, "reference")
# The reference is held to the same tolerances as a compiled build; one precision shows its formulas.
EVERY_NETWORK = (*((build, dtype) for build in COMPILED for dtype in DTYPES), ("reference", "float64"))
HIDDEN = tuple(formulas.ACTIVATIONS)
OUTPUT_AND_LOSS = tuple(
    (output, loss) for output in formulas.OUTPUTS for loss in formulas.LOSSES if formulas.is_defined(output, loss)
)
# Of huber and quantile: errors lie on both sides of the threshold, and the level is not that of a sign alone.
LOSS_PARAMETER = 0.3


def random_parameters(sizes, bias, rng):
    """Flat float64 parameters in the order W1, b1, W2, b2, ..., exactly representable in float32."""
    parts = []
    for n_in, n_out in pairwise(sizes):
        parts.append(rng.normal(size=n_in * n_out) / np.sqrt(n_in))
        if bias:
            parts.append(0.3 * rng.normal(size=n_out))
    return np.concatenate(parts).astype(np.float32).astype(np.float64)


def blocks(flat, sizes, bias):
    """Cut a flat array into (name, W or b) in the order W1, b1, W2, b2, ... : the layout the design fixes."""
    cut, at = [], 0
    for layer, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        cut.append((f"W{layer}", flat[at : at + n_in * n_out].reshape(n_in, n_out)))
        at += n_in * n_out
        if bias:
            cut.append((f"b{layer}", flat[at : at + n_out]))
            at += n_out
    assert at == flat.size
    return cut


def random_inputs(m, n, rng):
    """(m, n) float64, exactly representable in float32."""
    return rng.normal(size=(m, n)).astype(np.float32).astype(np.float64)


def random_targets(loss, m, n, rng):
    """(m, n) float64 targets the loss is defined for: probabilities for the cross entropies, counts for poisson, else
    reals.

    Rows for cross_entropy do not sum to 1: only non-negative is asked of them, and the short form
    (prediction - target) is wrong for them unless it carries the row's sum.
    """
    if loss == "binary_cross_entropy":
        targets = rng.uniform(0.05, 0.95, size=(m, n))
    elif loss == "cross_entropy":
        targets = rng.uniform(0.0, 1.0, size=(m, n))
    elif loss == "poisson":
        targets = rng.poisson(1.5, size=(m, n))
    else:
        targets = rng.normal(size=(m, n))
    return targets.astype(np.float32).astype(np.float64)


def random_sample_weight(m, rng):
    """(m,) float64 positive weights, one of them 0 where there is more than one row."""
    weight = rng.uniform(0.5, 2.0, size=m).astype(np.float32).astype(np.float64)
    if m > 1:
        weight[m // 2] = 0.0
    return weight


def with_parameters(loss):
    """A loss as a Network takes it: its name, and LOSS_PARAMETER for each of its parameters that does something.

    Labels are smoothed in test_label_smoothing.py.
    """
    defaults = formulas.LOSS_PARAMETERS.get(loss, {}).values()
    return loss, *(LOSS_PARAMETER if default > 0 else default for default in defaults)


def make(build, dtype, sizes, hidden, output, loss, bias, parameters, negative_slope=0.01, dropout=()):
    """A Network of that build and dtype holding these parameters; all hidden layers have one activation."""
    activations = (hidden,) * (len(sizes) - 2) + (output,)
    network = builds.network(dtype, build)(
        tuple(sizes), activations, with_parameters(loss), bias, negative_slope, dropout
    )
    network.parameters[:] = parameters
    return network


def cast(array, dtype):
    """C-contiguous array of that dtype; integer labels and None stay what they are."""
    if array is None or np.issubdtype(array.dtype, np.integer):
        return array
    return np.ascontiguousarray(array, dtype=dtype)
