"""Every activation, and exp and log as softmax and the losses show them, in units in the last place (ULP).

Not about which formula is meant: that is test_formulas.py, on a coarser grid and with the reference too. Here each
compiled build is held to the last bits, since the core has an exp and a log of its own.

One neuron with the weight 1 is the activation itself. Its bias is -0.0, because z = -0.0 + x is x to the bit, while
a product without a bias starts from +0.0 and would lose the sign of zero.

The formulas stand in published.py once and are evaluated twice: by NumPy in float64 for float32 arguments, where even
a loss of some hundred of its epsilons is a millionth of a float32 ULP, and by mpmath with 60 digits for float64
arguments. float32 arguments are every STRIDE-th bit pattern there is, so all exponents and both signs; float64
arguments are drawn from every binade, and lie close together wherever the function, or a usual way to compute it,
turns a corner.
"""

import math
from functools import cache

import numpy as np
import pytest

from cases import COMPILED, DTYPES, HIDDEN, make
from published import AT_INFINITY, DIGITS, EXACT, EXACTLY, IN_FLOAT64, SLOPE
from tolerances import IN_ULPS

# In smallest normal numbers: a result below may be 0. The core's exp is 0 from 1.01 of them on, as it compares with a
# rounded logarithm, and log(1 + u) halves its argument on the way.
FLUSHED_BELOW = 2.3

# A prime, so that the low bits of the patterns vary as well; a million arguments.
STRIDE = 4001


def corners():
    """Where e^z, e^2z, e^(-z^2/2) or their sums with 1 leave a range, in float64."""
    ends = [
        708.4,  # e^z: the smallest normal number
        709.8,  # e^z: the largest number
        745.2,  # e^z: the smallest subnormal
        354.2,  # e^2z
        36.7,  # 1 + e^-z is 1
        18.4,  # 1 - e^-2z is 1
        37.6,  # e^(-z^2/2) is subnormal
        38.6,  # e^(-z^2/2) is 0
        22.2,
        44.4,
        0.3466,  # ln 2 / 2, where an argument is reduced by one multiple more
        math.log(2),
    ]
    return np.concatenate([end + np.linspace(-0.3, 0.3, 101) for end in ends])


@cache
def arguments(dtype):
    """(n,) finite arguments over all exponents, subnormal numbers included."""
    if dtype == "float32":
        z = np.arange(0, 2**32, STRIDE, dtype=np.uint64).astype(np.uint32).view(np.float32)
        return z[np.isfinite(z)]
    rng = np.random.default_rng(0)
    binades = np.ldexp(rng.uniform(1, 2, 2046), np.arange(-1022, 1024))
    subnormals = np.ldexp(rng.uniform(0.5, 1, 52), np.arange(-1073, -1021))
    near = np.concatenate([rng.uniform(0, size, 400) for size in (1, 4, 40, 800)])
    z = np.concatenate([binades, subnormals, near, corners()])
    return np.concatenate([z, -z])


def split(exact):
    """Numbers of mpmath as the sum of two float64."""
    high = [float(value) for value in exact]
    low = [0.0 if math.isinf(h) else float(value - h) for value, h in zip(exact, high, strict=True)]
    return np.array(high), np.array(low)


def exactly(formula, z):
    """formula(z) as the sum of two float64 arrays, exact enough to measure the ULP of the dtype of z."""
    if z.dtype == np.float32:
        with np.errstate(over="ignore"):
            return formula(IN_FLOAT64, z.astype(np.float64)), np.zeros(z.size)
    return split([formula(EXACTLY, DIGITS.mpf(float(value))) for value in z])


@cache
def exact_activation(name, dtype):
    return exactly(EXACT[name], arguments(dtype))


def ulps_off(answer, exact):
    """(n,) errors of answer in ULP of its dtype; below the normal numbers in those of the smallest."""
    high, low = exact
    limits = np.finfo(answer.dtype)
    with np.errstate(over="ignore"):
        size = np.clip(np.abs(high), limits.tiny, limits.max).astype(answer.dtype)
        beyond = np.isinf(high.astype(answer.dtype))
    # Downward, as the distance from the largest number upward is infinite; only at powers of two it is half.
    unit = (size - np.nextafter(size, answer.dtype.type(0))).astype(np.float64)
    with np.errstate(invalid="ignore"):
        off = np.abs((answer.astype(np.float64) - high) - low) / unit
    return np.where(beyond, np.where(answer == np.copysign(np.inf, high), 0, np.inf), off)


def assert_within(answer, exact, z, what, limit=None, factor=1.0):
    """Fail where answer is more ULP off than the table allows, or than `limit`.

    0 is allowed where a subnormal number was flushed on the way: the result itself or, where the function multiplies
    by `factor`, what is multiplied. FLUSHED_BELOW says from where on.
    """
    dtype = answer.dtype.name
    limit = IN_ULPS[dtype] if limit is None else limit
    off = ulps_off(answer, exact)
    flushed = (answer == 0) & (
        np.abs(exact[0]) < FLUSHED_BELOW * np.finfo(dtype).tiny * np.maximum(1, np.abs(factor))
    )
    off = np.where(flushed, 0, np.where(np.isnan(off), np.inf, off))
    worst = int(np.argmax(off))
    assert off[worst] <= limit, (
        f"{what}: {answer[worst]!r} at {z[worst]!r}, should be {exact[0][worst]!r}: {off[worst]:.2f} ULP, "
        f"allowed {limit}; {int((off > limit).sum())} of {off.size} arguments are beyond that"
    )


def one_neuron(build, dtype, activation, loss="half_squared_error"):
    return make(build, dtype, (1, 1), "identity", activation, loss, True, [1.0, -0.0], negative_slope=SLOPE)


def values(build, activation, z):
    """(n,) the activation of each z, which need not be finite."""
    return one_neuron(build, z.dtype.name, activation).forward(z[:, None], checked=True)[:, 0]


def test_every_activation_has_a_formula_here():
    assert set(EXACT) == set(HIDDEN)


def test_the_arguments_reach_every_exponent_and_both_signs():
    for dtype, exponents in (("float32", 255), ("float64", 2047)):
        exponent = np.frexp(np.maximum(np.abs(arguments(dtype)), np.finfo(dtype).tiny / 2))[1]
        for sign in (False, True):
            assert len(set(exponent[np.signbit(arguments(dtype)) == sign].tolist())) == exponents


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_an_activation_is_right_to_a_few_ulp_for_every_exponent(build, dtype, name):
    z = arguments(dtype)
    # silu and mish are products of z and a factor that may be flushed, so that only they may be 0 for a large z.
    factor = z if name in {"silu", "mish"} else 1
    assert_within(values(build, name, z), exact_activation(name, dtype), z, f"{build} {name}", factor=factor)


@pytest.mark.parametrize("build", COMPILED)
def test_an_activation_without_rounding_is_exact(build):
    for dtype in DTYPES:
        z = arguments(dtype)
        z = z[np.abs(z) >= np.finfo(dtype).tiny / SLOPE]
        for name in ("identity", "relu", "leaky_relu"):
            assert np.array_equal(values(build, name, z), EXACT[name](IN_FLOAT64, z)), name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_odd_functions_are_odd_to_the_bit(build, dtype):
    z = np.abs(arguments(dtype))
    for name in ("identity", "tanh"):
        right, left = values(build, name, z), values(build, name, -z)
        assert (-left).tobytes() == right.tobytes(), name
        assert np.any(right != 0), name


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_infinities_and_nan_get_their_limits_and_nan(build, dtype, name):
    # 37 of each, so that whole vectors and a rest of one are computed.
    z = np.repeat([-np.inf, np.inf, np.nan], 37).astype(dtype)
    expected = np.repeat([*AT_INFINITY[name], np.nan], 37).astype(dtype)
    np.testing.assert_allclose(values(build, name, z), expected, rtol=2 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_a_function_that_rises_through_zero_keeps_the_sign_of_zero(build, dtype):
    z = np.repeat([-0.0, 0.0], 37).astype(dtype)
    for name in set(HIDDEN) - {"relu", "sigmoid", "softplus", "exponential"}:
        answer = values(build, name, z)
        assert (answer == 0).all(), name
        assert np.array_equal(np.signbit(answer), np.signbit(z)), name


# Derivatives that vanish and yet keep their digits: a (1 - a) while a is small, and 1 - e^-a everywhere. The others
# are differences from 1 and have an absolute accuracy alone, which test_formulas.py looks at.
KEEPING = {
    "sigmoid": (lambda m, z: m.exp(-abs(z)) / (1 + m.exp(-abs(z))) ** 2, 0.0),
    "softplus": (lambda m, z: 1 / (1 + m.exp(-z)), np.inf),
}


@pytest.mark.parametrize("name", list(KEEPING))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_a_derivative_keeps_its_digits_where_it_vanishes(build, dtype, name):
    formula, most = KEEPING[name]
    end = 80 if dtype == "float32" else 700
    n = 2**16 if dtype == "float32" else 2**11  # a power of two: the mean over rows divides by it exactly
    rng = np.random.default_rng(1)
    z = np.concatenate([rng.uniform(-end, 40, n // 2), rng.uniform(-20, 20, n // 2)]).astype(dtype)
    z = np.minimum(z, dtype_of(dtype)(most))
    # Against this target dc/da is 2^100 for every output, so the gradient is the derivative times a power of two.
    network = make(build, dtype, (1, 1, 1), name, "identity", "half_squared_error", False, [1.0, 1.0])
    target = np.full((n, 1), -(2.0**100), dtype)
    flat, inputs = np.empty(2, dtype), np.empty((n, 1), dtype)
    network.gradient(z[:, None], target, None, flat, inputs)
    answer = inputs[:, 0] * dtype_of(dtype)(n / 2.0**100)
    assert_within(answer, exactly(formula, z), z, f"{build} {name}'", limit=2 * IN_ULPS[dtype])


def dtype_of(name):
    return np.dtype(name).type


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_exp_as_softmax_shows_it_is_right_to_a_few_ulp(build, dtype):
    """Of (0, z) with z < 0, softmax gives 1 / (1 + e^z) and e^z / (1 + e^z): bare e^z where that is below 1 ULP."""
    smallest = 87.2 if dtype == "float32" else 708.2
    rng = np.random.default_rng(2)
    z = -np.concatenate([rng.uniform(0, smallest, 2000), rng.uniform(0, 3, 1000), np.geomspace(1e-30, 1, 500)])
    z = z.astype(dtype)
    network = make(build, dtype, (2, 2), "identity", "softmax", "cross_entropy", False, [1.0, 0.0, 0.0, 1.0])
    answer = network.forward(np.stack([np.zeros_like(z), z], axis=1))
    for column, formula in enumerate((lambda m, z: 1 / (1 + m.exp(z)), lambda m, z: m.exp(z) / (1 + m.exp(z)))):
        assert_within(answer[:, column], exactly(formula, z), z, f"{build} softmax {column}")


def losses(network, z, target):
    """(n,) the loss of each z alone."""
    X, y = np.empty((1, 1), z.dtype), np.full((1, 1), target, z.dtype)
    answer = np.empty(z.size)
    for i, value in enumerate(z):
        X[0, 0] = value
        answer[i] = network.evaluate(X, y, None)
    return answer.astype(z.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_log_as_cross_entropy_shows_it_is_right_to_a_few_ulp(build, dtype):
    """Of one sigmoid with the target 1 the loss is -log a, and a is what the net answers."""
    epsilon = np.finfo(dtype).eps
    end = 15 if dtype == "float32" else 35  # inside, a is more than an epsilon away from 0 and from 1
    z = np.random.default_rng(3).uniform(-end, end, 1000).astype(dtype)
    network = one_neuron(build, dtype, "sigmoid", "cross_entropy")
    a = network.forward(z[:, None])[:, 0]
    inside = (a >= epsilon) & (a <= 1 - epsilon)
    assert inside.sum() > 900
    exact = split([-DIGITS.log(DIGITS.mpf(float(value))) for value in a[inside]])
    assert_within(losses(network, z[inside], 1), exact, a[inside], f"{build} -log")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_log_of_a_sum_as_softmax_shows_it_is_right_to_a_few_ulp(build, dtype):
    """Of n equal z the loss of any label is log n."""
    sizes = np.array([2, 3, 4, 7, 8, 15, 16, 31, 33, 100, 255, 256, 257, 1000])
    answer = []
    for n in sizes:
        network = make(build, dtype, (1, int(n)), "identity", "softmax", "cross_entropy", False, np.zeros(n))
        answer.append(network.evaluate(np.ones((1, 1), dtype), np.array([0]), None))
    exact = split([DIGITS.log(int(n)) for n in sizes])
    assert_within(np.array(answer, dtype), exact, sizes, f"{build} log n")


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("build", COMPILED)
def test_log1p_as_binary_cross_entropy_shows_it_is_right_to_a_few_ulp(build, dtype, target):
    """Of one sigmoid the loss is log(1 + e^z) for the target 0, log(1 + e^-z) for 1, and vanishes on one side."""
    smallest = 87.2 if dtype == "float32" else 708.2
    rng = np.random.default_rng(4)
    z = np.concatenate([rng.uniform(-smallest, smallest, 500), rng.uniform(-9, 9, 500)]).astype(dtype)
    network = one_neuron(build, dtype, "sigmoid", "binary_cross_entropy")
    wrong = z if target == 0 else -z
    exact = exactly(EXACT["softplus"], wrong)
    assert_within(losses(network, z, target), exact, z, f"{build} loss of target {target}")
