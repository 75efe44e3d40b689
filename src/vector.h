/* The vector type of a module: LANES reals that fill a register, with + - * / by element.

   GCC's vector extension does the arithmetic on every machine; the instructions that it has no operator for stand
   here. Written in C because Cython knows neither vector types nor the instruction set it is compiled for. */
#ifndef FASTMLP_VECTOR_H
#define FASTMLP_VECTOR_H

#include <stddef.h>
#include "real.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif
#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#if REAL_IS_DOUBLE
#define LANES (VECTOR_BYTES / 8)
#else
#define LANES (VECTOR_BYTES / 4)
#endif

typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

static inline vec load(const real *p) { return *(const vec *)p; }
static inline void store(real *p, vec v) { *(vec *)p = v; }

/* The first n lanes only, n < LANES, the others 0. */
#if defined(__AVX512F__)
#if REAL_IS_DOUBLE
static inline __mmask8 first_lanes(ptrdiff_t n) { return (__mmask8)((1u << n) - 1); }
static inline vec load_lanes(const real *p, ptrdiff_t n) { return (vec)_mm512_maskz_loadu_pd(first_lanes(n), p); }
static inline void store_lanes(real *p, vec v, ptrdiff_t n) { _mm512_mask_storeu_pd(p, first_lanes(n), (__m512d)v); }
#else
static inline __mmask16 first_lanes(ptrdiff_t n) { return (__mmask16)((1u << n) - 1); }
static inline vec load_lanes(const real *p, ptrdiff_t n) { return (vec)_mm512_maskz_loadu_ps(first_lanes(n), p); }
static inline void store_lanes(real *p, vec v, ptrdiff_t n) { _mm512_mask_storeu_ps(p, first_lanes(n), (__m512)v); }
#endif
#elif defined(__AVX2__)
static inline __m256i first_lanes(ptrdiff_t n)
{
    static const real_bits ones_then_zeros[2 * LANES] = {[0 ... LANES - 1] = (real_bits)-1};
    return _mm256_loadu_si256((const __m256i *)(ones_then_zeros + LANES - n));
}
#if REAL_IS_DOUBLE
static inline vec load_lanes(const real *p, ptrdiff_t n) { return (vec)_mm256_maskload_pd(p, first_lanes(n)); }
static inline void store_lanes(real *p, vec v, ptrdiff_t n) { _mm256_maskstore_pd(p, first_lanes(n), (__m256d)v); }
#else
static inline vec load_lanes(const real *p, ptrdiff_t n) { return (vec)_mm256_maskload_ps(p, first_lanes(n)); }
static inline void store_lanes(real *p, vec v, ptrdiff_t n) { _mm256_maskstore_ps(p, first_lanes(n), (__m256)v); }
#endif
#else
static inline vec load_lanes(const real *p, ptrdiff_t n)
{
    vec v = {0};
    for (ptrdiff_t i = 0; i < LANES; i++)
        if (i < n) v[i] = p[i];
    return v;
}

static inline void store_lanes(real *p, vec v, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) p[i] = v[i];
}
#endif

/* n lanes, or all if there are more. */
static inline vec load_part(const real *p, ptrdiff_t n) { return n < LANES ? load_lanes(p, n) : load(p); }

/* sum + x[0] * y. With AVX-512 the instruction itself reads x and puts it into all lanes: one less to decode.
   Sum and product are one rounding then, as the compiler must make of all others: -O2 and -ffp-contract=fast do. */
static inline __attribute__((always_inline)) vec add_scaled(vec sum, const real *x, vec y)
{
#if defined(__AVX512F__) && REAL_IS_DOUBLE
    __asm__("vfmadd231pd %2%{1to8%}, %1, %0" : "+v"(sum) : "v"(y), "m"(*x));
    return sum;
#elif defined(__AVX512F__)
    __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(y), "m"(*x));
    return sum;
#else
    return sum + *x * y;
#endif
}

/* 1 where x > 0, -1 where x < 0, else 0; a comparison gives -1 where it holds. */
static inline vec signs(vec x) { return __builtin_convertvector((x < 0) - (x > 0), vec); }

/* The sum of the squares of n elements; in double precision where a square overflows single precision. */
static inline double sum_of_squares(const real *p, ptrdiff_t n)
{
    double total = 0;
    for (ptrdiff_t from = 0; from < n; from += 4096) {   /* few enough for lanes of single precision */
        const ptrdiff_t to = n - from < 4096 ? n : from + 4096;
        vec sum[4] = {{0}};
        ptrdiff_t i = from;
        for (; i + 4 * LANES <= to; i += 4 * LANES)
            for (int q = 0; q < 4; q++) sum[q] += load(p + i + q * LANES) * load(p + i + q * LANES);
        for (; i < to; i += LANES) sum[0] += load_part(p + i, to - i) * load_part(p + i, to - i);
        sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        for (int lane = 0; lane < LANES; lane++) total += sum[0][lane];
    }
    if (total - total == 0)
        return total;
    total = 0;
    for (ptrdiff_t i = 0; i < n; i++) total += (double)p[i] * p[i];
    return total;
}

/* 1 / x for x > 0 and the root of x >= 0, within 2 units in the last place: where the processor has an estimate of 11
   or 14 bits, Newton's steps from there are faster than its division and root. The steps take normal numbers: a root
   brings its x there, 1 / x relies on its caller for x >= REAL_MIN. The order in MOST and LEAST lets NaN through. */
#if defined(__AVX512F__) && REAL_IS_DOUBLE
#define ESTIMATE(OF, x) ((vec)_mm512_##OF##14_pd((__m512d)(x)))
#define MOST(x) ((vec)_mm512_min_pd(_mm512_set1_pd(REAL_MAX), (__m512d)(x)))
#define LEAST(x) ((vec)_mm512_max_pd(_mm512_set1_pd(REAL_MIN), (__m512d)(x)))
#elif defined(__AVX512F__)
#define ESTIMATE(OF, x) ((vec)_mm512_##OF##14_ps((__m512)(x)))
#define MOST(x) ((vec)_mm512_min_ps(_mm512_set1_ps(REAL_MAX), (__m512)(x)))
#define LEAST(x) ((vec)_mm512_max_ps(_mm512_set1_ps(REAL_MIN), (__m512)(x)))
#elif defined(__AVX2__) && !REAL_IS_DOUBLE
#define ESTIMATE(OF, x) ((vec)_mm256_##OF##_ps((__m256)(x)))
#define MOST(x) ((vec)_mm256_min_ps(_mm256_set1_ps(REAL_MAX), (__m256)(x)))
#define LEAST(x) ((vec)_mm256_max_ps(_mm256_set1_ps(REAL_MIN), (__m256)(x)))
#elif defined(__SSE2__) && !REAL_IS_DOUBLE
#define ESTIMATE(OF, x) ((vec)_mm_##OF##_ps((__m128)(x)))
#define MOST(x) ((vec)_mm_min_ps(_mm_set1_ps(REAL_MAX), (__m128)(x)))
#define LEAST(x) ((vec)_mm_max_ps(_mm_set1_ps(REAL_MIN), (__m128)(x)))
#endif

static inline vec reciprocal(vec x)
{
#ifdef ESTIMATE
    x = MOST(x);
    vec y = ESTIMATE(rcp, x);
    if (REAL_IS_DOUBLE) y += y * (1 - x * y);
    return y + y * (1 - x * y);
#else
    return 1 / x;
#endif
}

static inline vec root(vec x)
{
#ifdef ESTIMATE
    const vec normal = LEAST(MOST(x)), half = (real)0.5 * normal;
    vec y = ESTIMATE(rsqrt, normal);
    if (REAL_IS_DOUBLE) y *= (real)1.5 - half * y * y;
    return x * (y * ((real)1.5 - half * y * y));
#elif defined(__AVX2__)
    return (vec)_mm256_sqrt_pd((__m256d)x);
#elif defined(__SSE2__)
    return (vec)_mm_sqrt_pd((__m128d)x);
#else
    for (ptrdiff_t i = 0; i < LANES; i++) x[i] = (real)__builtin_sqrt(x[i]);
    return x;
#endif
}

#endif
