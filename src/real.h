/* The scalar type, its bits, and the processor's treatment of subnormal numbers.

   REAL_IS_DOUBLE is set by setup.py, once per compiled module. Nothing else in the core knows
   the precision: constants are cast to `real`, and the vector type in vector.h follows from it. */
#ifndef FASTMLP_REAL_H
#define FASTMLP_REAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if REAL_IS_DOUBLE
typedef double real;
typedef int64_t real_bits;
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define REAL_EPSILON 2.220446049250313e-16
#define REAL_MIN 2.2250738585072014e-308   /* the smallest normal number */
#define REAL_MAX 1.7976931348623157e308
#define absolute __builtin_fabs
#define copy_sign __builtin_copysign
#else
typedef float real;
typedef int32_t real_bits;
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define REAL_EPSILON 1.1920929e-7f
#define REAL_MIN 1.17549435e-38f
#define REAL_MAX 3.40282347e38f
#define absolute __builtin_fabsf
#define copy_sign __builtin_copysignf
#endif

#define REAL_NAN ((real)__builtin_nanf(""))

/* 1 above 0, -1 below, 0 at 0. */
static inline real sign(real x) { return x == 0 ? x : copy_sign(1, x); }

/* 1.5 * 2^MANTISSA_BITS: adding it rounds a small number to an integer, which then stands in the low bits. */
#define ROUNDING_SHIFT ((real)1.5 * (real)((int64_t)1 << MANTISSA_BITS))

static inline real_bits to_bits(real x) { real_bits b; memcpy(&b, &x, sizeof b); return b; }
static inline real from_bits(real_bits b) { real x; memcpy(&x, &b, sizeof x); return x; }

/* n of a positive normal x = 2^n m with 1 <= m < 2. */
static inline real_bits exponent_of(real x) { return (to_bits(x) >> MANTISSA_BITS) - EXPONENT_BIAS; }

/* x with the lower half of its mantissa cleared: its square is exact. */
static inline real upper_half(real x)
{
    const real_bits lower = ((real_bits)1 << (MANTISSA_BITS + 3) / 2) - 1;
    return from_bits(to_bits(x) & ~lower);
}

/* 2^n where that is a normal number. */
static inline real power_of_two(real_bits n) { return from_bits((n + EXPONENT_BIAS) << MANTISSA_BITS); }

/* Whether no element is infinite or NaN: those have all bits of the exponent set. */
static inline int all_finite(const real *x, ptrdiff_t n)
{
    const real_bits exponent = (real_bits)(2 * EXPONENT_BIAS + 1) << MANTISSA_BITS;
    real_bits found = 0;
    for (ptrdiff_t i = 0; i < n; i++) found |= (real_bits)-((to_bits(x[i]) & exponent) == exponent);
    return !found;
}

/* Subnormals slow arithmetic down by up to 50 times: inside the core they are zero, outside nothing changes. */
#if defined(__x86_64__)
#include <xmmintrin.h>
static inline unsigned flush_subnormals(void)
{
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);
    return before;
}
static inline void restore_subnormals(unsigned before) { _mm_setcsr(before); }
#else
static inline unsigned flush_subnormals(void) { return 0; }
static inline void restore_subnormals(unsigned before) { (void)before; }
#endif

#endif
