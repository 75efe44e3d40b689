"""Every activation: a = g(z) in place, and its derivative: delta = delta * g'(z), over one contiguous buffer.

One row per activation in each of the two functions and in `activation_names`; formulas.py holds the same table in
NumPy with the papers, and the tests compare the two. A name without a formula gives NaN.

Most derivatives are functions of the output a alone, so z is overwritten. `keeps_input` names the three that bend
back on themselves (gelu, silu, mish): for them the layer keeps z beside a.
"""
from real cimport REAL_IS_DOUBLE, REAL_NAN, absolute, copy_sign, real
from elementary cimport exp, exp_anywhere, exp_square, expm1, log1p, normal_density, normal_tail

cdef enum Activation:
    IDENTITY
    SIGMOID
    TANH
    RELU
    LEAKY_RELU
    ELU
    SELU
    SOFTPLUS
    GELU
    SILU
    MISH
    EXPONENTIAL
    SOFTMAX         # of the output layer only: couples the columns of a row, see losses.pxd


cdef inline tuple activation_names():
    """formulas.OUTPUTS, in the order of the enumeration."""
    return (
        "identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", "gelu", "silu", "mish",
        "exponential", "softmax",
    )


cdef inline bint keeps_input(int code) noexcept nogil:
    return code == GELU or code == SILU or code == MISH


cdef inline real choose(bint condition, real yes, real no) noexcept nogil:
    """A selection between two values that are computed anyway: no branch in the loop around it."""
    return yes if condition else no


cdef inline real sigmoid(real z) noexcept nogil:
    """1 / (1 + e^-z), as e^z / (1 + e^z) below zero: small values keep their digits."""
    cdef real e = exp(-absolute(z))
    return choose(z < 0, e, 1) / (<real> 1 + e)


cdef inline real tanh(real z) noexcept nogil:
    """m / (m + 2) with m = e^(2|z|) - 1, and the sign of z: odd, and accurate near 0."""
    cdef real doubled = <real> 2 * absolute(z)
    cdef real m = expm1(<real> 44 if doubled > <real> 44 else doubled)
    return copy_sign(m / (m + <real> 2), z)


cdef inline real relu(real z) noexcept nogil:
    """max(0, z)."""
    return <real> 0 if z < 0 else z


cdef inline real softplus(real z) noexcept nogil:
    """log(1 + e^z) = max(z, 0) + log(1 + e^-|z|)."""
    return relu(z) + log1p(exp(-absolute(z)))


cdef inline real normal_cdf(real z) noexcept nogil:
    """P(Z <= z) for a standard normal Z."""
    cdef real size = absolute(z)
    cdef real half = <real> 1 / (<real> 2 + size)
    cdef real tail = normal_tail(size, <real> 1 - (half + half), half)
    return tail if z < 0 else <real> 1 - tail


cdef inline real gelu(real z) noexcept nogil:
    """z P(Z <= z) = z - z P(Z > z) for a standard normal Z: z / 2 near 0, where z P may be flushed to 0."""
    cdef real most = <real> 40 if REAL_IS_DOUBLE else <real> 15
    cdef real low = most if z > most else z
    cdef real n = low / (<real> 2 + absolute(low))
    cdef real below = normal_tail(absolute(low), absolute(n), n)
    return choose(z < <real> 1e-30, below, z - below)


cdef inline real mish_ratio(real z) noexcept nogil:
    """tanh(softplus(z)) = n / (n + 2) with n = (1 + e^z)^2 - 1; both times 5/4."""
    cdef real n = exp_square(<real> 22 if z > <real> 22 else z)
    return n / (n + <real> 2.5)


cdef inline real leaky_relu(real z, real slope) noexcept nogil:
    """max(slope z, z), for 0 <= slope <= 1."""
    return z * (slope if z < 0 else <real> 1)


cdef inline real negative_part(real z) noexcept nogil:
    """min(z, 0), and not below -80, where e^z - 1 is -1."""
    z = z if z < 0 else <real> 0
    return <real> -80 if z < <real> -80 else z


cdef inline real elu(real z) noexcept nogil:
    """z above 0, e^z - 1 below."""
    cdef real below = expm1(negative_part(z))
    return below if z < 0 else z


# lambda and lambda * alpha of selu (Klambauer et al. 2017), as functions because a .pxd holds no constants
cdef inline real selu_scale() noexcept nogil:
    return <real> 1.0507009873554804934


cdef inline real selu_depth() noexcept nogil:
    return <real> 1.7580993408473768600


cdef inline real selu(real z) noexcept nogil:
    """lambda z above 0, lambda alpha (e^z - 1) below."""
    cdef real below = selu_depth() * expm1(negative_part(z))
    return below if z < 0 else selu_scale() * z


cdef inline real gelu_derivative(real z) noexcept nogil:
    return normal_cdf(z) + z * normal_density(z)


cdef inline real silu_derivative(real z) noexcept nogil:
    cdef real s = sigmoid(z)
    return s * (<real> 1 + z * (<real> 1 - s))


cdef inline real mish_derivative(real z) noexcept nogil:
    cdef real w = mish_ratio(z)
    return w + z * sigmoid(z) * (<real> 1 - w * w)


cdef inline void activation_forward(int code, real* a, const real* z, Py_ssize_t n, real slope) noexcept nogil:
    """a = g(z), elementwise; a may be z. NaN stays NaN."""
    cdef Py_ssize_t i
    if code == SIGMOID:
        for i in range(n):
            a[i] = sigmoid(z[i])
    elif code == TANH:
        for i in range(n):
            a[i] = tanh(z[i])
    elif code == RELU:
        for i in range(n):
            a[i] = relu(z[i])
    elif code == LEAKY_RELU:
        for i in range(n):
            a[i] = leaky_relu(z[i], slope)
    elif code == ELU:
        for i in range(n):
            a[i] = elu(z[i])
    elif code == SELU:
        for i in range(n):
            a[i] = selu(z[i])
    elif code == SOFTPLUS:
        for i in range(n):
            a[i] = softplus(z[i])
    elif code == GELU:
        for i in range(n):
            a[i] = gelu(z[i])
    elif code == SILU:
        for i in range(n):
            a[i] = z[i] * sigmoid(z[i])
    elif code == MISH:
        for i in range(n):
            a[i] = z[i] * mish_ratio(z[i])
    elif code == EXPONENTIAL:
        for i in range(n):
            a[i] = exp_anywhere(z[i])
    elif code == IDENTITY:
        if a != z:
            for i in range(n):
                a[i] = z[i]
    else:
        for i in range(n):
            a[i] = REAL_NAN


cdef inline void activation_backward(
    int code, real* delta, const real* a, const real* z, Py_ssize_t n, real slope
) noexcept nogil:
    """delta = delta * g'(z), elementwise, from a = g(z), and from z where keeps_input(code)."""
    cdef Py_ssize_t i
    if code == SIGMOID:
        for i in range(n):
            delta[i] *= a[i] * (<real> 1 - a[i])
    elif code == TANH:
        for i in range(n):
            delta[i] *= <real> 1 - a[i] * a[i]
    elif code == RELU:
        for i in range(n):
            delta[i] *= choose(a[i] > 0, 1, 0)
    elif code == LEAKY_RELU:
        for i in range(n):
            delta[i] *= choose(a[i] > 0, 1, slope)
    elif code == ELU:
        for i in range(n):
            delta[i] *= choose(a[i] > 0, 1, <real> 1 + a[i])
    elif code == SELU:
        for i in range(n):
            delta[i] *= choose(a[i] > 0, selu_scale(), selu_depth() + a[i])
    elif code == SOFTPLUS:
        for i in range(n):
            delta[i] *= -expm1(negative_part(-a[i]))
    elif code == GELU:
        for i in range(n):
            delta[i] *= gelu_derivative(z[i])
    elif code == SILU:
        for i in range(n):
            delta[i] *= silu_derivative(z[i])
    elif code == MISH:
        for i in range(n):
            delta[i] *= mish_derivative(z[i])
    elif code == EXPONENTIAL:
        for i in range(n):
            delta[i] *= a[i]
    elif code != IDENTITY:
        for i in range(n):
            delta[i] = REAL_NAN
