/* C (m, n) = A (m, k) B (k, n) [+ bias or + C]: the one matrix product under all three passes of a dense layer.

   Forward                 Z  = A W + b      rows of A are samples
   backward to the input   dA = dZ W^T       W^T comes in strips
   backward to the weights dW = A^T dZ       A is read with its strides exchanged

   B is worked on in strips of STRIP columns, and may be stored so: one strip after the other, each by rows, the last
   one as narrow as the rest. Then it is read from the first element to the last, however wide it is.

   It is written in C because the block of accumulators must live in registers, which needs a vector type, constant
   sizes and complete unrolling; Cython has no way to ask for the last two. Every element of C is one sum over k in
   ascending order, whatever the block it falls in, so results do not depend on how the work is divided. Another
   order, as fixed, have the last columns where they are few; only that of a C of one row depends on the sizes and on
   the storage of B. In another order, sums of huge numbers may overflow on the way. */
#ifndef FASTMLP_PRODUCT_H
#define FASTMLP_PRODUCT_H

#include "transpose.h"
#include "vector.h"

/* The register block is ROWS x STRIP_VECTORS: as many accumulators as the registers hold beside STRIP_VECTORS
   vectors of B and one broadcast element of A. */
#if defined(__AVX512F__)
#define ROWS 14
#else
#define ROWS 6
#endif
#define STRIP_VECTORS 2
#define BLOCK_ROWS (5 * ROWS)   /* rows of W whose gradient is made at a time: whole register blocks */
#define SQUARE (BLOCK_ROWS * STRIP)
#define SLACK 64
#define MOST_VECTORS 8
#define STRIP (STRIP_VECTORS * LANES)

/* BLOCK_ROWS rows of a strip. Aligned, as an array on the stack is not: a vector that straddles two lines of the cache
   is read twice. */
typedef struct {
    real at[SQUARE];
    real slack[SLACK];
} __attribute__((aligned(64))) Square;

#define IN_STRIPS 0   /* in place of the distance between rows of B */

/* One block: c (rows, width), (vectors - 1) * LANES < width <= vectors * LANES. The sums start from C with
   `accumulate`, else from the row `start`, else (NULL) from zero. Strips of B are `strip` elements apart. B is read
   in whole vectors: up to LANES - 1 elements beyond a row must be readable; their products are never stored. */
static inline __attribute__((always_inline)) void product_block(
    const int rows, const int vectors, real *restrict c, ptrdiff_t ldc, const real *restrict a, ptrdiff_t a_row,
    ptrdiff_t a_step, const real *restrict b, ptrdiff_t ldb, ptrdiff_t strip, ptrdiff_t k, const real *restrict start,
    int accumulate, ptrdiff_t width)
{
    vec sum[ROWS][MOST_VECTORS];   /* of these [rows][vectors], in registers after unrolling */
#define EACH_ROW _Pragma("GCC unroll 16") for (int r = 0; r < rows; r++)
#define EACH_VECTOR _Pragma("GCC unroll 16") for (int v = 0; v < vectors; v++)
    if (accumulate) {
        EACH_ROW EACH_VECTOR sum[r][v] = load_part(c + r * ldc + v * LANES, width - v * LANES);
    } else if (start) {
        EACH_ROW EACH_VECTOR sum[r][v] = *(const vec *)(start + v * LANES);
    } else {
        EACH_ROW EACH_VECTOR sum[r][v] = (vec){0};
    }
    const real *part[(ROWS + 2) / 3];   /* one pointer for 3 rows of A: for 14 there are not enough registers */
#define EACH_PART _Pragma("GCC unroll 16") for (int r = 0; r < rows; r += 3)
    EACH_PART part[r / 3] = a + r * a_row;
    for (ptrdiff_t p = 0; p < k; p++) {
        vec row[MOST_VECTORS];
        EACH_VECTOR row[v] = *(const vec *)(b + v / STRIP_VECTORS * strip + v % STRIP_VECTORS * LANES);
        EACH_ROW {   /* every third element is read for each vector anew: more loads, fewer instructions */
            const real *element = part[r / 3] + r % 3 * a_row;
            const vec all = *element - (vec){0};
            if (rows > 2 && r % 3 == 0) EACH_VECTOR sum[r][v] = add_scaled(sum[r][v], element, row[v]);
            else EACH_VECTOR sum[r][v] += all * row[v];
        }
        EACH_PART part[r / 3] += a_step;
        b += ldb;
    }
    if (width == vectors * LANES) {
        EACH_ROW EACH_VECTOR *(vec *)(c + r * ldc + v * LANES) = sum[r][v];
    } else {   /* only the last vector is cut short */
        EACH_ROW {
            EACH_VECTOR if (v < vectors - 1) *(vec *)(c + r * ldc + v * LANES) = sum[r][v];
            store_lanes(c + r * ldc + (vectors - 1) * LANES, sum[r][vectors - 1], width - (vectors - 1) * LANES);
        }
    }
#undef EACH_ROW
#undef EACH_VECTOR
#undef EACH_PART
}

/* Where the rows of A stand beside each other, the compiler is told so, and needs no addresses but one. */
#define BLOCK_OF(R, V, A_ROW) \
    product_block(R, V, c, ldc, a, A_ROW, a_step, b, ldb, strip, k, start, accumulate, width)
#define BLOCK(R, V) if (a_row == 1) BLOCK_OF(R, V, 1); else BLOCK_OF(R, V, a_row)

/* One strip: c (m, width), its rows shared out evenly over the blocks, so that no block is thin. */
static void product_strip(real *c, ptrdiff_t ldc, const real *a, ptrdiff_t a_row, ptrdiff_t a_step, const real *b,
                          ptrdiff_t ldb, ptrdiff_t m, ptrdiff_t width, ptrdiff_t k, const real *start, int accumulate)
{
    const ptrdiff_t strip = 0;   /* there is no second one */
    const int vectors = width > LANES ? 2 : 1;
    for (ptrdiff_t left = m, blocks = (m + ROWS - 1) / ROWS, rows; blocks > 0; blocks--, left -= rows) {
        rows = left / blocks;
        switch (rows * 2 + vectors - 1) {
#define CASE(R) case 2 * R: BLOCK(R, 1); break; case 2 * R + 1: BLOCK(R, 2); break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if ROWS > 6
        CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#endif
#undef CASE
        }
        a += rows * a_row;
        c += rows * ldc;
    }
}

/* One long row of C, B by rows: B is read from end to end, TOGETHER rows at a time, and C waits in the cache. */
#define TOGETHER 8
static __attribute__((noinline)) void product_long_row(
    real *restrict c, const real *a, ptrdiff_t a_step, const real *b, ptrdiff_t ldb, ptrdiff_t n, ptrdiff_t k,
    const real *start, int accumulate)
{
    if (!accumulate) {
        if (start) memcpy(c, start, n * sizeof(real));
        else memset(c, 0, n * sizeof(real));
    }
    for (ptrdiff_t p = 0; p < k; p += TOGETHER) {
        const int rows = k - p < TOGETHER ? (int)(k - p) : TOGETHER;
        const real *row = b + p * ldb;
        real element[TOGETHER];
        for (int r = 0; r < rows; r++) element[r] = a[(p + r) * a_step];
        if (rows == TOGETHER) {
            ptrdiff_t j = 0;
            for (; j + LANES <= n; j += LANES) {
                vec sum = *(vec *)(c + j);
                _Pragma("GCC unroll 8") for (int r = 0; r < TOGETHER; r++)
                    sum += element[r] * *(const vec *)(row + r * ldb + j);
                *(vec *)(c + j) = sum;
            }
            for (; j < n; j++)
                for (int r = 0; r < TOGETHER; r++) c[j] += element[r] * row[r * ldb + j];
        } else {
            for (int r = 0; r < rows; r++)
                for (ptrdiff_t j = 0; j < n; j++) c[j] += element[r] * row[r * ldb + j];
        }
    }
}

/* One row of few vectors: k is walked in `parts` interleaved sums, which are added in the end, because a single one
   would wait for every addition. */
static inline __attribute__((always_inline)) void product_one_row(
    const int parts, const int vectors, real *restrict c, const real *restrict a, ptrdiff_t a_step,
    const real *restrict b, ptrdiff_t ldb, ptrdiff_t strip, ptrdiff_t k, const real *restrict start, int accumulate,
    ptrdiff_t width)
{
    vec sum[4][4];   /* of these [parts][vectors] */
#define EACH_VECTOR _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++)
#define EACH_PART _Pragma("GCC unroll 4") for (int q = 0; q < parts; q++)
#define AT(Q) load(b + (Q) * ldb + v / STRIP_VECTORS * strip + v % STRIP_VECTORS * LANES)
    EACH_PART EACH_VECTOR sum[q][v] = (vec){0};
    if (accumulate) EACH_VECTOR sum[0][v] = load_part(c + v * LANES, width - v * LANES);
    else if (start) EACH_VECTOR sum[0][v] = load(start + v * LANES);
    for (; k >= parts; k -= parts, a += parts * a_step, b += parts * ldb)
        EACH_PART EACH_VECTOR sum[q][v] += a[q * a_step] * AT(q);
    for (; k > 0; k--, a += a_step, b += ldb) EACH_VECTOR sum[0][v] += a[0] * AT(0);
    EACH_VECTOR {
        const vec total = parts == 2 ? sum[0][v] + sum[1][v] : (sum[0][v] + sum[1][v]) + (sum[2][v] + sum[3][v]);
        if (v < vectors - 1 || width == vectors * LANES) store(c + v * LANES, total);
        else store_lanes(c + v * LANES, total, width - v * LANES);
    }
#undef EACH_VECTOR
#undef EACH_PART
#undef AT
}

/* Few rows of C take several strips at once: with few accumulators the sums would wait for every addition. */
static void product_few_rows(real *c, ptrdiff_t ldc, const real *a, ptrdiff_t a_row, ptrdiff_t a_step, const real *b,
                             ptrdiff_t ldb, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const real *start, int accumulate)
{
    const int in_strips = ldb == IN_STRIPS;
    const ptrdiff_t strip = in_strips ? k * STRIP : STRIP;
#define ONE_ROW(PARTS, V) product_one_row(PARTS, V, c, a, a_step, b, ldb, strip, k, start, accumulate, width)
    for (ptrdiff_t done; n > 0; n -= done) {
        const ptrdiff_t most = n >= 8 * LANES && m == 1 ? 8 : n >= 4 * LANES ? 4 : n > LANES ? 2 : 1;
        const ptrdiff_t width = n < most * LANES ? n : most * LANES;
        done = most * LANES;
        if (in_strips) ldb = width < STRIP ? width : STRIP;
        switch (m * 16 + most) {
        case 16 + 8: BLOCK(1, 8); break;
        case 16 + 4: ONE_ROW(2, 4); break;
        case 16 + 2: ONE_ROW(4, 2); break;
        case 16 + 1: ONE_ROW(4, 1); break;
        case 32 + 4: BLOCK(2, 4); break;
        case 48 + 4: BLOCK(3, 4); break;
        default: product_strip(c, ldc, a, a_row, a_step, b, ldb, m, width, k, start, accumulate);
        }
        c += done;
        b += done / STRIP * strip;
        if (start) start += done;
    }
#undef ONE_ROW
}

/* The last columns of C, where they are so few that most lanes of a vector would be empty: the lanes go along k. LANES
   sums, `columns` for each row, come together in the end. B (k, width) is turned, TURNED of its rows at a time, so that
   it can be read along k, too; width is `columns` or, of four, three. Only where part of a vector is loaded by one
   instruction: lane by lane, compilers fuse the products and sums of some rows and not those of others. */
#if defined(__AVX2__)
#define FEW_COLUMNS (LANES / 4)
#else
#define FEW_COLUMNS 0
#endif
#define TURNED 512
static inline __attribute__((always_inline)) void product_along_k(
    const int columns, real *restrict c, ptrdiff_t ldc, const real *restrict a, ptrdiff_t a_row,
    const real *restrict b, ptrdiff_t ldb, ptrdiff_t m, ptrdiff_t width, ptrdiff_t k, const real *restrict start)
{
    const int rows = LANES / columns;
    real turned[FEW_COLUMNS][TURNED];
#define EACH_ROW _Pragma("GCC unroll 16") for (int r = 0; r < rows; r++)
#define EACH_COLUMN _Pragma("GCC unroll 4") for (int j = 0; j < columns; j++)
    for (ptrdiff_t from = 0, length; from < k; from += length) {
        length = k - from < TURNED ? k - from : TURNED;
        const ptrdiff_t whole = length - length % LANES;
        for (int j = 0; j < columns; j++)
            for (ptrdiff_t p = 0; p < length; p++) turned[j][p] = j < width ? b[(from + p) * ldb + j] : 0;
        for (ptrdiff_t i = 0; i < m; i += rows) {
            vec sum[LANES];
            const real *row[LANES];
            real total[LANES];
            EACH_ROW {
                row[r] = a + (i + r < m ? i + r : m - 1) * a_row + from;   /* the last one again where there is none */
                EACH_COLUMN sum[r * columns + j] = (vec){0};
            }
            for (ptrdiff_t p = 0; p < whole; p += LANES)
                EACH_ROW EACH_COLUMN sum[r * columns + j] += load(row[r] + p) * load(turned[j] + p);
            if (whole < length)   /* beyond it, `turned` may hold anything, even NaN */
                EACH_ROW EACH_COLUMN
                    sum[r * columns + j] += load_lanes(row[r] + whole, length - whole)
                                            * load_lanes(turned[j] + whole, length - whole);
            store(total, sums_of_rows(sum));
            for (int r = 0; r < rows && i + r < m; r++)
                for (int j = 0; j < width; j++) {
                    real *to = c + (i + r) * ldc + j;
                    *to = total[r * columns + j] + (from > 0 ? *to : start ? start[j] : 0);
                }
        }
    }
#undef EACH_ROW
#undef EACH_COLUMN
}

static __attribute__((noinline)) void product_few_columns(
    real *c, ptrdiff_t ldc, const real *a, ptrdiff_t a_row, const real *b, ptrdiff_t ldb, ptrdiff_t m, ptrdiff_t width,
    ptrdiff_t k, const real *start)
{
#define ALONG_K(COLUMNS) product_along_k(COLUMNS, c, ldc, a, a_row, b, ldb, m, width, k, start)
#if FEW_COLUMNS >= 1
    if (width == 1) ALONG_K(1);
#endif
#if FEW_COLUMNS >= 2
    if (width == 2) ALONG_K(2);
#endif
#if FEW_COLUMNS >= 4
    if (width > 2) ALONG_K(4);
#endif
#undef ALONG_K
}

/* The last columns, if they are few and k is long, two vectors and more, so that joining the sums pays: how many are
   left. The elements of a row of A stand side by side; there are several rows, for one is summed in an order of its
   own. */
static inline ptrdiff_t product_last_columns(
    real *c, ptrdiff_t ldc, const real *a, ptrdiff_t a_row, const real *b, ptrdiff_t ldb, ptrdiff_t m, ptrdiff_t n,
    ptrdiff_t k, const real *start)
{
    const ptrdiff_t width = n % STRIP, left = n - width;
    if (width == 0 || width > FEW_COLUMNS || k < 2 * LANES) return n;
    product_few_columns(c + left, ldc, a, a_row, ldb == IN_STRIPS ? b + left * k : b + left,
                        ldb == IN_STRIPS ? width : ldb, m, width, k, start ? start + left : NULL);
    return left;
}

static __attribute__((noinline)) void product_strips(
    real *c, ptrdiff_t ldc, const real *a, ptrdiff_t a_row, ptrdiff_t a_step, const real *b, ptrdiff_t ldb,
    ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const real *start, int accumulate)
{
    for (ptrdiff_t j = 0; j < n; j += STRIP) {
        const ptrdiff_t width = n - j < STRIP ? n - j : STRIP;
        product_strip(c + j, ldc, a, a_row, a_step, ldb == IN_STRIPS ? b + j * k : b + j,
                      ldb == IN_STRIPS ? width : ldb, m, width, k, start ? start + j : NULL, accumulate);
    }
}

/* c (m, n) with row distance ldc; a[i * a_row + p * a_step] is A(i, p); rows of B (k, n) are ldb apart, or it is
   IN_STRIPS. */
static inline void product(
    real *c, ptrdiff_t ldc, const real *a, ptrdiff_t a_row, ptrdiff_t a_step, const real *b, ptrdiff_t ldb,
    ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const real *start, int accumulate)
{
    if (m > 1 && a_step == 1 && !accumulate)
        n = product_last_columns(c, ldc, a, a_row, b, ldb, m, n, k, start);
    if (m > 3)
        product_strips(c, ldc, a, a_row, a_step, b, ldb, m, n, k, start, accumulate);
    else if (m == 1 && n > 8 * LANES && ldb != IN_STRIPS)
        product_long_row(c, a, a_step, b, ldb, n, k, start, accumulate);
    else
        product_few_rows(c, ldc, a, a_row, a_step, b, ldb, m, n, k, start, accumulate);
}
#undef BLOCK
#undef BLOCK_OF

#endif
