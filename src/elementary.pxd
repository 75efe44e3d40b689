"""exp, exp - 1, log, log(1 + x) and the normal distribution, for vectors of `real`.

Each function is straight-line code without a branch or a call, so that the compiler turns a loop over a buffer into
vector instructions in every build. The C library's functions would be called element by element.

Method: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r, then a multiplication by 2^n. The polynomials are
Chebyshev fits (mpmath, 60 digits) to below half a unit in the last place of their precision. NaN stays NaN.
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


cdef inline real rest_of(real x, real n) noexcept nogil:
    """x - n ln 2, where ln 2 has two parts, the first so short that its product with n is exact."""
    if REAL_IS_DOUBLE:
        return (x - n * <real> 0.6931471803691238) - n * <real> 1.9082149292705878e-10
    return (x - n * <real> 0.693359375) + n * <real> 0.000212194440055


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


cdef inline real exp_sum(real x, real y) noexcept nogil:
    """e^(x + y) for x + y <= 80, y a correction of x that would be rounded away; 0 where it is below all normals."""
    cdef real lowest = <real> -708.3 if REAL_IS_DOUBLE else <real> -87.3
    cdef real n
    cdef real_bits power = powers_of_two(x + y, &n)
    cdef real value = (<real> 1 + expm1_reduced(rest_of(x, n) + y)) * power_of_two(power)
    return <real> 0 if x + y < lowest else value


cdef inline real exp(real x) noexcept nogil:
    """e^x for x <= 80; 0 where it is below all normal numbers."""
    cdef real lowest = <real> -708.3 if REAL_IS_DOUBLE else <real> -87.3
    cdef real n
    cdef real_bits power = powers_of_two(x, &n)
    cdef real value = (<real> 1 + expm1_reduced(rest_of(x, n))) * power_of_two(power)
    return <real> 0 if x < lowest else value


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


cdef inline real normal_tail(real z) noexcept nogil:
    """P(Z > |z|) = erfc(|z| / sqrt 2) / 2 for a standard normal Z, accurate far into the tail.

    erfc(x) = t e^(-x^2 + p(t)) with t = 1 / (1 + 0.4 x); z^2 is formed exactly in two parts.
    """
    cdef real most = <real> 40 if REAL_IS_DOUBLE else <real> 15
    cdef real size = absolute(z)
    cdef real upper, t, s, p
    size = most if size > most else size
    upper = upper_half(size)
    t = <real> 1 / (<real> 1 + <real> 0.282842712474619010 * size)
    s = t - <real> 0.5
    if REAL_IS_DOUBLE:
        p = <real> -0.0280356913703028738
        p = p * s + <real> 0.121017669546268648
        p = p * s - <real> 0.035021129771573667
        p = p * s - <real> 0.248990948545411265
        p = p * s + <real> 0.140058341810715233
        p = p * s + <real> 0.308544273195372284
        p = p * s - <real> 0.218133695348859398
        p = p * s - <real> 0.313480172052102357
        p = p * s + <real> 0.25610821786653182
        p = p * s + <real> 0.293739091640129227
        p = p * s - <real> 0.260551780574075867
        p = p * s - <real> 0.271638440834063141
        p = p * s + <real> 0.240213541231075301
        p = p * s + <real> 0.260630611862018501
        p = p * s - <real> 0.202340351694104202
        p = p * s - <real> 0.268278394027302509
        p = p * s + <real> 0.148164493012097456
        p = p * s + <real> 0.302142530448810918
        p = p * s - <real> 0.0622826106380850508
        p = p * s - <real> 0.380607749164292975
        p = p * s - <real> 0.143870479025223361
        p = p * s + <real> 0.557011627858232654
        p = p * s + <real> 1.52680750986391287
        p = p * s - <real> 0.863668092167319085
    else:
        p = <real> 0.06833472421
        p = p * s - <real> 0.2732570113
        p = p * s + <real> 0.09839366827
        p = p * s + <real> 0.3092218874
        p = p * s - <real> 0.05890068915
        p = p * s - <real> 0.3811566148
        p = p * s - <real> 0.1439623661
        p = p * s + <real> 0.5570233951
        p = p * s + <real> 1.52680826
        p = p * s - <real> 0.863668129
    p = p - <real> 0.5 * (size - upper) * (size + upper)
    return <real> 0.5 * t * exp_sum(<real> -0.5 * upper * upper, p)


cdef inline real normal_density(real z) noexcept nogil:
    """e^(-z^2 / 2) / sqrt(2 pi)."""
    return <real> 0.398942280401432678 * exp(<real> -0.5 * z * z)
