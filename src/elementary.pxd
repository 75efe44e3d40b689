"""exp, exp - 1, log, log(1 + x) and the normal distribution, for vectors of `real`.

Each function is straight-line code without a branch or a call, so that the compiler turns a loop over a buffer into
vector instructions in every build. The C library's functions would be called element by element.

Method: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r, then a multiplication by 2^n. The polynomials are
fits by Chebyshev or Remez (mpmath, 60 digits) to below half a unit in the last place. NaN stays NaN.
"""
from real cimport (
    REAL_IS_DOUBLE, ROUNDING_SHIFT, absolute, exponent_of, from_bits, power_of_two, real, real_bits, to_bits,
    upper_half,
)


cdef inline real_bits powers_of_two(real x, real* n) noexcept nogil:
    """n = x / ln 2, rounded to an integer, as a real and as bits; |x| < 2^12."""
    cdef real shifted = x * <real> 1.44269504088896341 + ROUNDING_SHIFT
    n[0] = shifted - ROUNDING_SHIFT
    return to_bits(shifted) - to_bits(ROUNDING_SHIFT)


# ln 2 in two parts, the first so short that its product with n is exact; functions because a .pxd holds no constants
cdef inline real upper_log_2() noexcept nogil:
    return <real> 0.6931471803691238 if REAL_IS_DOUBLE else <real> 0.693359375


cdef inline real lower_log_2() noexcept nogil:
    return <real> 1.9082149292705878e-10 if REAL_IS_DOUBLE else <real> -0.000212194440055


cdef inline real rest_of(real x, real n) noexcept nogil:
    """x - n ln 2."""
    return (x - n * upper_log_2()) - n * lower_log_2()


cdef inline real expm1_reduced(real r) noexcept nogil:
    """e^r - 1 for |r| <= ln 2 / 2, as r + r^2 p(r): accurate down to r = 0."""
    cdef real p
    if REAL_IS_DOUBLE:
        p = <real> 2.51003854955103191e-8
        p = p * r + <real> 2.76200884454097482e-7
        p = p * r + <real> 2.75572684599970648e-6
        p = p * r + <real> 0.0000248015212959543751
        p = p * r + <real> 0.000198412698630536169
        p = p * r + <real> 0.00138888889172137169
        p = p * r + <real> 0.00833333333333006183
        p = p * r + <real> 0.0416666666666241279
        p = p * r + <real> 0.166666666666666675
        p = p * r + <real> 0.500000000000000102
    else:
        p = <real> 0.001392618359
        p = p * r + <real> 0.008363179053
        p = p * r + <real> 0.04166655462
        p = p * r + <real> 0.1666657699
        p = p * r + <real> 0.5
    return r + r * r * p


cdef inline real log_of_smallest() noexcept nogil:
    """The logarithm of the smallest normal number, rounded up: below it the functions here take e^x for 0."""
    return <real> -708.39 if REAL_IS_DOUBLE else <real> -87.33


cdef inline real exp(real x) noexcept nogil:
    """e^x for x <= 80; 0 where it is below all normal numbers."""
    cdef real n
    cdef real_bits power = powers_of_two(x, &n)
    cdef real value = (<real> 1 + expm1_reduced(rest_of(x, n))) * power_of_two(power)
    return <real> 0 if x < log_of_smallest() else value


cdef inline real exp_anywhere(real x) noexcept nogil:
    """e^x, and infinity beyond the largest number: there 2^n is none, so n is one less and the value doubled."""
    cdef real most = <real> 710 if REAL_IS_DOUBLE else <real> 89
    cdef real n
    cdef real_bits power = powers_of_two(most if x > most else x, &n)
    cdef real_bits above = x > 0
    cdef real value = <real> 1 + expm1_reduced(rest_of(most if x > most else x, n))
    value = value * power_of_two(power - above) * (<real> 2 if x > 0 else <real> 1)
    return <real> 0 if x < log_of_smallest() else value


cdef inline real exp_square(real x) noexcept nogil:
    """5/4 ((1 + e^x)^2 - 1) for x <= 40, and 0 as in exp: 2^n (5/2 + 5/4 (2 m + e^x (1 + m))), m = e^r - 1.

    So a small e^x is not rounded twice. 5/4 keeps this value, what its user adds and the quotient from lying just
    above a power of two all at once, where a rounding counts most.
    """
    cdef real n
    cdef real_bits power = powers_of_two(x, &n)
    cdef real scale = power_of_two(power)
    cdef real m = expm1_reduced(rest_of(x, n))
    cdef real whole = <real> 1 + m
    cdef real value = scale * (<real> 2.5 + <real> 1.25 * ((m + m) + scale * whole * whole))
    return <real> 0 if x < log_of_smallest() else value


cdef inline real exp_times(real factor, real x, real y) noexcept nogil:
    """factor e^(x + y) for x + y <= 80, y a correction of x that would be rounded away; 0 as in exp."""
    cdef real n
    cdef real_bits power = powers_of_two(x + y, &n)
    cdef real r = (x - n * upper_log_2()) + (y - n * lower_log_2())
    cdef real value = (factor + factor * expm1_reduced(r)) * power_of_two(power)
    return <real> 0 if x + y < log_of_smallest() else value


cdef inline real expm1(real x) noexcept nogil:
    """e^x - 1 for -80 <= x <= 80, without the cancellation near 0: 2^n (e^r - 1) + (2^n - 1)."""
    cdef real n
    cdef real_bits power = powers_of_two(x, &n)
    cdef real scale = power_of_two(power)
    return scale * expm1_reduced(rest_of(x, n)) + (scale - <real> 1)


cdef inline real double_artanh(real s) noexcept nogil:
    """log((1 + s) / (1 - s)) for |s| <= 1/3, as 2 s + s^3 p(s^2)."""
    cdef real w = s * s
    cdef real p
    if REAL_IS_DOUBLE:
        p = <real> 0.161640456119435322
        p = p * w + <real> 0.0880073848614467388
        p = p * w + <real> 0.120010728095907125
        p = p * w + <real> 0.133141442096549362
        p = p * w + <real> 0.153855700649586231
        p = p * w + <real> 0.181817894361328582
        p = p * w + <real> 0.22222222717427863
        p = p * w + <real> 0.285714285671087572
        p = p * w + <real> 0.400000000000145827
        p = p * w + <real> 0.666666666666666586
    else:
        p = <real> 0.2685149802
        p = p * w + <real> 0.2823661981
        p = p * w + <real> 0.4000756064
        p = p * w + <real> 0.6666664034
    return <real> 2 * s + s * w * p


cdef inline real log1p(real u) noexcept nogil:
    """log(1 + u) for 0 <= u <= 1."""
    return double_artanh(u / (<real> 2 + u))


cdef inline real log(real x) noexcept nogil:
    """log x for positive normal x: x = 2^n m with m between sqrt(1/2) and sqrt(2)."""
    cdef real_bits n = exponent_of(x * <real> 1.41421356237309505)
    cdef real m = x * power_of_two(-n)
    cdef real exponent = from_bits(n + to_bits(ROUNDING_SHIFT)) - ROUNDING_SHIFT
    return exponent * <real> 0.693147180559945309 + double_artanh((m - <real> 1) / (m + <real> 1))


cdef inline real normal_tail(real size, real n, real factor) noexcept nogil:
    """factor (2 + z) P(Z > z) for a standard normal Z and z = size, where n = z / (2 + z); accurate in the far tail.

    P(Z > z) = erfc(z / sqrt 2) / 2 = e^(-z^2 / 2 + n p(n)) / (2 + z), with p from Remez' exchange (mpmath). z^2 is
    formed exactly in two parts. In float32, which has one unit less to lose, p also makes up for the rounding of the
    sum 2 + z in n and in the factor: what it lost, times a line near the logarithm's derivative by the sum.
    """
    cdef real upper = upper_half(size)
    cdef real lower = size - upper
    cdef real s = <real> 0.5 - n
    cdef real p
    if REAL_IS_DOUBLE:
        p = <real> 6.73925329559782225
        p = p * s + <real> 0.198977900904929602
        p = p * s - <real> 14.9440415609736227
        p = p * s + <real> 4.84846188890752939
        p = p * s + <real> 11.2394581249764753
        p = p * s - <real> 7.73416397237377746
        p = p * s - <real> 1.57031049221796221
        p = p * s + <real> 3.80601044373762953
        p = p * s - <real> 2.402738640228096
        p = p * s + <real> 0.694230697616558953
        p = p * s + <real> 0.838845329141453369
        p = p * s - <real> 1.4342349443891398
        p = p * s + <real> 0.836938296156712642
        p = p * s + <real> 0.1880010489528648
        p = p * s - <real> 0.746938871032486774
        p = p * s + <real> 0.556563560118339117
        p = p * s + <real> 0.0184239999753099729
        p = p * s - <real> 0.412179468586334297
        p = p * s + <real> 0.345746180403156065
        p = p * s + <real> 0.0153023813052883004
        p = p * s - <real> 0.286159757983050361
        p = p * s + <real> 0.223842134025962633
        p = p * s + <real> 0.0795262211871126509
        p = p * s - <real> 0.295436652902054841
        p = p * s + <real> 0.138742646004205559
        p = p * s + <real> 0.383888634916879283
        p = p * s - <real> 0.793779945124282748
    else:
        p = <real> -0.1955657572
        p = p * s + <real> 0.3024562112
        p = p * s - <real> 0.01733369012
        p = p * s - <real> 0.2789225972
        p = p * s + <real> 0.2261883075
        p = p * s + <real> 0.07912627482
        p = p * s - <real> 0.2955112005
        p = p * s + <real> 0.1387495131
        p = p * s + <real> 0.3838893302
        p = p * s - <real> 0.7937799612
    p = n * p - lower * (upper + <real> 0.5 * lower)
    if not REAL_IS_DOUBLE:
        p = p - (size - ((<real> 2 + size) - <real> 2)) * (<real> 0.1725 + <real> 0.575 * s)
    return exp_times(factor, <real> -0.5 * upper * upper, p)


cdef inline real normal_density(real z) noexcept nogil:
    """e^(-z^2 / 2) / sqrt(2 pi)."""
    return <real> 0.398942280401432678 * exp(<real> -0.5 * z * z)
