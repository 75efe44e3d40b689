"""Every loss: its value, and delta = dc/dz of the output layer. Softmax stands here too: it couples a row.

All buffers of the output layer are compact: (m, n) by rows without gaps, so the elementwise loops run over m * n.

The canonical pairs (identity with the squared errors, sigmoid with binary_cross_entropy, softmax with cross_entropy,
exponential with poisson) are computed from z and stay finite when the output saturates; their delta is a - t, which
needs no g'. Every other pair goes through dc/da and the derivative of the output activation, with a kept REAL_EPSILON
away from 0 and 1 where a logarithm or a division needs it. formulas.py holds the same table, with the sources.

`parameters` are the numbers that a loss may have: the threshold of huber, the level of quantile, the label smoothing
of a cross entropy, whose targets are smoothed before they get here. A name without a formula gives NaN.
"""
from libc.string cimport memcpy
from real cimport REAL_EPSILON, REAL_MIN, REAL_NAN, absolute, copy_sign, real, sign
from elementary cimport double_artanh, exp, expm1, log, log1p
from activations cimport (
    EXPONENTIAL, IDENTITY, SIGMOID, SOFTMAX, activation_backward, choose, negative_part, relu, tanh,
)

cdef enum Loss:
    HALF_SQUARED_ERROR
    SQUARED_ERROR
    BINARY_CROSS_ENTROPY
    CROSS_ENTROPY
    ABSOLUTE_ERROR
    HUBER
    LOG_COSH
    QUANTILE
    POISSON
    GIVEN_DERIVATIVE    # c = sum t a, whose dc/da = t the caller gives: no loss of a net, but of `Network.vjp`


cdef enum:
    MAX_LOSS_PARAMETERS = 4

cdef struct Outputs:        # of the output layer, for m samples: (m, n) by rows without gaps
    int loss, activation
    real slope              # of leaky_relu below zero
    const real* parameters  # of the loss
    const real* a
    const real* z
    const real* t           # targets
    const real* log_sum     # (m,): of softmax
    const real* sample_weight   # (m,), or NULL for ones
    bint masked             # whether a target that is NaN adds nothing to the loss
    Py_ssize_t m, n


cdef inline tuple loss_rows():
    """formulas.LOSSES, in the order of the enumeration, and the parameters of each, by default."""
    return (
        ("half_squared_error", ()), ("squared_error", ()), ("binary_cross_entropy", (0.0,)),
        ("cross_entropy", (0.0,)), ("absolute_error", ()), ("huber", (1.0,)), ("log_cosh", ()), ("quantile", (0.5,)),
        ("poisson", ()),
    )


cdef inline bint is_canonical(int loss, int output) noexcept nogil:
    """Whether the loss and its delta are computed from z in the short form."""
    return (
        (loss == BINARY_CROSS_ENTROPY and output == SIGMOID) or (loss == CROSS_ENTROPY and output == SOFTMAX)
        or (loss == POISSON and output == EXPONENTIAL))


cdef inline real label_smoothing(int loss, const real* parameters) noexcept nogil:
    """The share e of a target that all classes have alike: a cross entropy's."""
    return parameters[0] if loss == CROSS_ENTROPY or loss == BINARY_CROSS_ENTROPY else 0


cdef inline void smooth_targets(
    real* y, const real* t, int loss, real e, Py_ssize_t m, Py_ssize_t n
) noexcept nogil:
    """y (m, n) = (1 - e) t + e / K, K = n, or 2 for binary_cross_entropy; NaN stays NaN. y may be t."""
    cdef Py_ssize_t i
    cdef real kept = <real> 1 - e, shared = e / (2 if loss == BINARY_CROSS_ENTROPY else <real> n)
    for i in range(m * n):
        y[i] = kept * t[i] + shared


cdef inline bint is_missing(real t) noexcept nogil:
    """Whether a target is NaN."""
    return t != t


cdef inline real at_least(real x, real least) noexcept nogil:
    """max(x, least)."""
    return least if x < least else x


cdef inline real clipped(real a) noexcept nogil:
    """a, kept between REAL_EPSILON and 1 - REAL_EPSILON."""
    a = at_least(a, REAL_EPSILON)
    return <real> 1 - REAL_EPSILON if a > <real> 1 - REAL_EPSILON else a


cdef inline real huber(real d, real threshold) noexcept nogil:
    """d^2 / 2 up to the threshold, beyond it threshold (|d| - threshold / 2): s (|d| - s / 2), s = min of the two."""
    cdef real size = absolute(d)
    cdef real s = threshold if size > threshold else size
    return s * (size - <real> 0.5 * s)


cdef inline real huber_derivative(real d, real threshold) noexcept nogil:
    """d, kept between -threshold and threshold."""
    return copy_sign(threshold, d) if absolute(d) > threshold else d


cdef inline real log_cosh(real d) noexcept nogil:
    """|d| + log((1 + e^(-2|d|)) / 2) = |d| + log((1 + s) / (1 - s)), s = m / (4 + m), m = e^(-2|d|) - 1; 0 at 0."""
    cdef real size = absolute(d)
    cdef real m = expm1(negative_part(<real> -2 * size))
    return size + double_artanh(m / (<real> 4 + m))


cdef inline real quantile(real d, real level) noexcept nogil:
    """max(level d, (level - 1) d), d = t - a."""
    return d * (level if d > 0 else level - <real> 1)


cdef inline real quantile_derivative(real d, real level) noexcept nogil:
    """By a, d = t - a: -level above 0, 1 - level below, 0 at 0."""
    return choose(d == 0, d, choose(d > 0, -level, <real> 1 - level))


cdef inline real poisson(real a, real log_a, real t) noexcept nogil:
    """t log(t / a) - t + a; a for t = 0."""
    return t * (log(at_least(t, REAL_MIN)) - log_a) + (a - t)


cdef inline void softmax_forward(real* a, real* log_sum, real* z, Py_ssize_t m, Py_ssize_t n) noexcept nogil:
    """z_i = z_i - z_max; a_i = e^z_i / sum_j e^z_j; log_sum (m,) = log sum_j e^z_j, for each row. a may be z."""
    cdef Py_ssize_t i, j
    cdef real largest, total, factor
    for i in range(m):
        largest = z[i * n]
        for j in range(1, n):
            largest = z[i * n + j] if z[i * n + j] > largest else largest
        for j in range(n):
            z[i * n + j] -= largest
    for i in range(m * n):
        a[i] = exp(z[i])
    for i in range(m):
        total = 0
        for j in range(n):
            total += a[i * n + j]
        log_sum[i] = log(total)
        factor = <real> 1 / total
        for j in range(n):
            a[i * n + j] *= factor


cdef inline void loss_forward(const Outputs* outputs, real* row_loss, real* cost) noexcept nogil:
    """row_loss (m,) = c times the sample weights. cost (m, n) receives the terms of c."""
    cdef const real* a = outputs.a
    cdef const real* z = outputs.z
    cdef const real* t = outputs.t
    cdef Py_ssize_t i, j, m = outputs.m, n = outputs.n
    cdef int loss = outputs.loss, output = outputs.activation
    cdef real row, d, parameter = outputs.parameters[0]
    if loss == HALF_SQUARED_ERROR or loss == SQUARED_ERROR:
        for i in range(m * n):
            d = a[i] - t[i]
            cost[i] = d * d if loss == SQUARED_ERROR else <real> 0.5 * d * d
    elif loss == BINARY_CROSS_ENTROPY:
        if output == SIGMOID:
            for i in range(m * n):
                cost[i] = (relu(z[i]) - t[i] * z[i]) + log1p(exp(-absolute(z[i])))
        else:
            for i in range(m * n):
                cost[i] = -(t[i] * log(clipped(a[i])) + (<real> 1 - t[i]) * log(<real> 1 - clipped(a[i])))
    elif loss == ABSOLUTE_ERROR:
        for i in range(m * n):
            cost[i] = absolute(a[i] - t[i])
    elif loss == HUBER:
        for i in range(m * n):
            cost[i] = huber(a[i] - t[i], parameter)
    elif loss == LOG_COSH:
        for i in range(m * n):
            cost[i] = log_cosh(a[i] - t[i])
    elif loss == QUANTILE:
        for i in range(m * n):
            cost[i] = quantile(t[i] - a[i], parameter)
    elif loss == POISSON:
        if output == EXPONENTIAL:
            for i in range(m * n):
                cost[i] = poisson(a[i], z[i], t[i])
        else:
            for i in range(m * n):
                cost[i] = poisson(a[i], log(at_least(a[i], REAL_EPSILON)), t[i])
    elif loss == CROSS_ENTROPY:
        if output == SOFTMAX:
            for i in range(m):
                for j in range(n):
                    cost[i * n + j] = t[i * n + j] * (outputs.log_sum[i] - z[i * n + j])
        else:
            for i in range(m * n):
                cost[i] = -t[i] * log(clipped(a[i]))
    elif loss == GIVEN_DERIVATIVE:
        for i in range(m * n):
            cost[i] = t[i] * a[i]
    else:
        for i in range(m * n):
            cost[i] = REAL_NAN
    if outputs.masked:
        for i in range(m * n):
            if is_missing(t[i]):
                cost[i] = 0
    if n == 1:
        memcpy(row_loss, cost, m * sizeof(real))
    else:
        for i in range(m):
            row = 0
            for j in range(n):
                row += cost[i * n + j]
            row_loss[i] = row
    if outputs.sample_weight != NULL:
        for i in range(m):
            row_loss[i] *= outputs.sample_weight[i]


cdef inline void softmax_backward(real* delta, const real* a, Py_ssize_t m, Py_ssize_t n) noexcept nogil:
    """delta_i = a_i (delta_i - sum_j a_j delta_j) for each row: the Jacobian product."""
    cdef Py_ssize_t i, j
    cdef real total
    for i in range(m):
        total = 0
        for j in range(n):
            total += a[i * n + j] * delta[i * n + j]
        for j in range(n):
            delta[i * n + j] = a[i * n + j] * (delta[i * n + j] - total)


cdef inline void loss_backward(const Outputs* outputs, real* delta, real scale) noexcept nogil:
    """delta (m, n) = dc/dz, each row times scale and its sample weight."""
    cdef const real* a = outputs.a
    cdef const real* t = outputs.t
    cdef Py_ssize_t i, j, m = outputs.m, n = outputs.n
    cdef int loss = outputs.loss, output = outputs.activation
    cdef real total, p, parameter = outputs.parameters[0]
    if is_canonical(loss, output):
        if output != SOFTMAX:
            for i in range(m * n):
                delta[i] = a[i] - t[i]
        else:
            for i in range(m):
                total = 0
                for j in range(n):
                    total += t[i * n + j]
                for j in range(n):
                    delta[i * n + j] = total * a[i * n + j] - t[i * n + j]
    else:
        if loss == HALF_SQUARED_ERROR:
            for i in range(m * n):
                delta[i] = a[i] - t[i]
        elif loss == SQUARED_ERROR:
            for i in range(m * n):
                delta[i] = <real> 2 * (a[i] - t[i])
        elif loss == BINARY_CROSS_ENTROPY:
            for i in range(m * n):
                p = clipped(a[i])
                delta[i] = (p - t[i]) / (p * (<real> 1 - p))
        elif loss == CROSS_ENTROPY:
            for i in range(m * n):
                delta[i] = -t[i] / clipped(a[i])
        elif loss == ABSOLUTE_ERROR:
            for i in range(m * n):
                delta[i] = sign(a[i] - t[i])
        elif loss == HUBER:
            for i in range(m * n):
                delta[i] = huber_derivative(a[i] - t[i], parameter)
        elif loss == LOG_COSH:
            for i in range(m * n):
                delta[i] = tanh(a[i] - t[i])
        elif loss == QUANTILE:
            for i in range(m * n):
                delta[i] = quantile_derivative(t[i] - a[i], parameter)
        elif loss == POISSON:
            for i in range(m * n):
                delta[i] = <real> 1 - t[i] / at_least(a[i], REAL_EPSILON)
        elif loss == GIVEN_DERIVATIVE:
            memcpy(delta, t, m * n * sizeof(real))
        else:
            for i in range(m * n):
                delta[i] = REAL_NAN
        if output == SOFTMAX:
            softmax_backward(delta, a, m, n)
        elif output != IDENTITY:
            activation_backward(output, delta, a, outputs.z, m * n, outputs.slope)
    if outputs.masked:
        for i in range(m * n):
            if is_missing(t[i]):
                delta[i] = 0
    if outputs.sample_weight == NULL:
        for i in range(m * n):
            delta[i] *= scale
    else:
        for i in range(m):
            p = scale * outputs.sample_weight[i]
            for j in range(n):
                delta[i * n + j] *= p


cdef inline bint targets_fit(int loss, const real* t, Py_ssize_t n) noexcept nogil:
    """Whether the loss is defined for all of these targets; checks.target_range says the same, and which is not."""
    cdef Py_ssize_t i
    cdef bint fit = True
    if loss == BINARY_CROSS_ENTROPY:
        for i in range(n):
            fit = fit and 0 <= t[i] <= 1
    elif loss == CROSS_ENTROPY or loss == POISSON:
        for i in range(n):
            fit = fit and t[i] >= 0
    return fit
