"""The one table of tolerances. Each number is a multiple of the machine epsilon of the dtype, with its
reason.

Errors are measured against the largest entry of the expected array (its size, not each entry's): a sum that
cancels to nearly nothing has no relative accuracy to lose, and a wrong index or a forgotten term still
shows at once.
"""

import numpy as np

EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52}

IN_EPSILONS = {
    # A dot product of K <= 33 terms loses at most K epsilons, three layers 100, and each activation 4 more.
    "forward": 128,
    # The mean over <= 300 rows of values with the error above, of which some is lost in summing.
    "loss": 160,
    # Forward, backward (another 33-term product a layer) and a sum over <= 300 rows, maybe in a plain loop.
    "gradient": 600,
    # A few gradient steps, each with the error above and amplified by the steps that follow it.
    "training": 6_000,
    # Adam divides a gradient by its own size: the relative error of a small gradient is one of the step.
    "adam": 40_000,
    # One elementwise function: the design allows 3 units in the last place in float32, 4 in float64 ...
    "activation": 4,
    # ... and its derivative, a formula of a few such values. Those with z (1 - sigmoid) in them lose half an
    # epsilon in the difference and multiply it by z, up to 37, where the difference vanishes.
    "derivative": 24,
    # An optimizer step is about ten rounded operations, and a test walks over ten of them.
    "optimizer": 400,
}

# How many units in the last place a compiled activation may be off: a handful of roundings, each half a unit, after
# an exp or log that is itself good to one. float64 has one unit more, as its polynomials are longer.
IN_ULPS = {"float32": 3, "float64": 4}

# Central differences in float64: with this step truncation, h^2 f'''/6, and rounding, eps/h, are near 1e-10.
DIFFERENCE_STEP = 1e-5
# The above, with room for the sharpest third derivatives of the grid.
DIFFERENCE_TOLERANCE = 2e-7
# relu, leaky_relu and selu have a kink at 0, which a step must not cross: every z keeps this far from it.
KINK_MARGIN = 1e-3
# A gradient below this would let a test pass on zeros.
NOT_ZERO = 1e-4


def assert_close(actual, expected, what, dtype, context="", scale=0.0):
    """Fail when the largest error, relative to the largest expected entry or `scale`, is beyond the table."""
    actual = np.asarray(actual, dtype=np.float64)
    expected = np.asarray(expected, dtype=np.float64)
    assert actual.shape == expected.shape, f"{context}: shape {actual.shape}, expected {expected.shape}"
    assert np.isfinite(actual).all(), f"{context}: not finite"
    size = max(float(np.abs(expected).max(initial=0.0)), scale, np.finfo(np.float32).tiny)
    error = float(np.abs(actual - expected).max(initial=0.0)) / size / EPSILON[dtype]
    assert error <= IN_EPSILONS[what], f"{context}: {what} off by {error:.0f} epsilons, allowed {IN_EPSILONS[what]}"
