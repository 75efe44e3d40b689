/* C (m, n) = A (m, k) B (k, n) [+ bias or + C]: the one matrix product under all three passes of a dense layer.

   Forward                 Z  = A W + b      rows of A are samples
   backward to the input   dA = dZ W^T       W^T comes packed
   backward to the weights dW = A^T dZ       A is read with its strides exchanged

   The words are those of BLIS: a micro-kernel makes MR x NR elements of C in registers; a packed B stands in panels of
   NR columns, one after the other, each by rows, the last one as narrow as the rest. So it is read from the first
   element to the last, however wide it is.

   It is written in C because the accumulators must live in registers, which needs a vector type, constant sizes and
   complete unrolling; Cython has no way to ask for the last two. Every element of C is one sum over k in ascending
   order, whatever the block it falls in, so results do not depend on how the work is divided. Another order, as fixed,
   have the last columns where they are few; only that of a C of one row depends on the sizes and on whether B is packed.
   In another order, sums of huge numbers may overflow on the way. */
#ifndef FASTMLP_PRODUCT_H
#define FASTMLP_PRODUCT_H

#include "transpose.h"
#include "vector.h"

/* The micro-kernel is MR x NR_VECTORS: as many accumulators as the registers hold beside NR_VECTORS vectors of B and
   one broadcast element of A. */
#if defined(__AVX512F__)
#define MR 14
#else
#define MR 6
#endif
#define NR_VECTORS 2
#define NR (NR_VECTORS * LANES)
#define MAX_VECTORS 8       /* of a micro-kernel of few rows */
#define SLACK 64            /* elements that a vector load may read beyond the end of a buffer */

/* Element (i, j) is data[i * row_stride + j * column_stride]; or, packed, in a panel: columns are contiguous there,
   and row_stride is as long as the first panel is wide. Only the product's C is written to. */
typedef struct {
    real *data;
    ptrdiff_t rows, columns, row_stride, column_stride;
    int packed;
} Matrix;

static inline Matrix by_rows(const real *data, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t leading_dimension)
{
    return (Matrix){(real *)data, rows, columns, leading_dimension, 1, 0};
}

static inline Matrix packed(const real *data, ptrdiff_t rows, ptrdiff_t columns)
{
    return (Matrix){(real *)data, rows, columns, columns < NR ? columns : NR, 1, 1};
}

static inline Matrix transposed(Matrix a)
{
    return (Matrix){a.data, a.columns, a.rows, a.column_stride, a.row_stride, 0};
}

/* Columns j .. j + columns; where it is packed, j is the first of a panel. */
static inline Matrix columns_of(Matrix b, ptrdiff_t j, ptrdiff_t columns)
{
    b.data += b.packed ? j * b.rows : j;
    b.columns = columns;
    if (b.packed) b.row_stride = columns < NR ? columns : NR;
    return b;
}

/* Rows i .. i + rows of a matrix that is not packed. */
static inline Matrix rows_of(Matrix a, ptrdiff_t i, ptrdiff_t rows)
{
    a.data += i * a.row_stride;
    a.rows = rows;
    return a;
}

/* The micro-kernel: C (rows, width), (vectors - 1) * LANES < width <= vectors * LANES. The sums start from C with
   `accumulate`, else from the bias, else (NULL) from zero. B is read in whole vectors: up to LANES - 1 elements beyond
   a row must be readable; their products are never stored. Only whole panels are read two and more at a time. */
static inline __attribute__((always_inline)) void micro_kernel(
    const int rows, const int vectors, const Matrix C, const Matrix A, const Matrix B, const real *restrict bias,
    const int accumulate)
{
    real *restrict const c = C.data;
    const real *restrict const a = A.data, *restrict b = B.data;
    const ptrdiff_t ldc = C.row_stride, a_row = A.row_stride, a_step = A.column_stride, ldb = B.row_stride;
    const ptrdiff_t width = C.columns, k = A.columns, panel = B.packed ? k * NR : NR;
    vec sum[MR][MAX_VECTORS];   /* of these [rows][vectors], in registers after unrolling */
#define EACH_ROW _Pragma("GCC unroll 16") for (int r = 0; r < rows; r++)
#define EACH_VECTOR _Pragma("GCC unroll 16") for (int v = 0; v < vectors; v++)
    if (accumulate) {
        EACH_ROW EACH_VECTOR sum[r][v] = load_part(c + r * ldc + v * LANES, width - v * LANES);
    } else if (bias) {
        EACH_ROW EACH_VECTOR sum[r][v] = *(const vec *)(bias + v * LANES);
    } else {
        EACH_ROW EACH_VECTOR sum[r][v] = (vec){0};
    }
    const real *triple[(MR + 2) / 3];   /* one pointer for 3 rows of A: for 14 there are not enough registers */
#define EACH_TRIPLE _Pragma("GCC unroll 16") for (int r = 0; r < rows; r += 3)
    EACH_TRIPLE triple[r / 3] = a + r * a_row;
    for (ptrdiff_t p = 0; p < k; p++) {
        vec row[MAX_VECTORS];
        EACH_VECTOR row[v] = *(const vec *)(b + v / NR_VECTORS * panel + v % NR_VECTORS * LANES);
        EACH_ROW {   /* every third element is read for each vector anew: more loads, fewer instructions */
            const real *element = triple[r / 3] + r % 3 * a_row;
            const vec all = *element - (vec){0};
            if (rows > 2 && r % 3 == 0) EACH_VECTOR sum[r][v] = add_scaled(sum[r][v], element, row[v]);
            else EACH_VECTOR sum[r][v] += all * row[v];
        }
        EACH_TRIPLE triple[r / 3] += a_step;
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
#undef EACH_TRIPLE
}

/* Where the rows of A stand beside each other, the compiler is told so, and needs no addresses but one. */
#define MICRO_KERNEL(R, V) \
    if (A.row_stride == 1) { \
        A.row_stride = 1; \
        micro_kernel(R, V, C, A, B, bias, accumulate); \
    } else { \
        micro_kernel(R, V, C, A, B, bias, accumulate); \
    }

/* One panel of B: the rows are shared out evenly over the micro-kernels, so that none is thin. */
static void product_panel(Matrix C, Matrix A, const Matrix B, const real *bias, int accumulate)
{
    for (ptrdiff_t left = C.rows, blocks = (left + MR - 1) / MR, rows; blocks > 0; blocks--, left -= rows) {
        rows = left / blocks;
        switch (rows * 2 + (C.columns > LANES)) {
#define CASE(R) case 2 * R: MICRO_KERNEL(R, 1); break; case 2 * R + 1: MICRO_KERNEL(R, 2); break;
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#if MR > 6
        CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#endif
#undef CASE
        }
        A.data += rows * A.row_stride;
        C.data += rows * C.row_stride;
    }
}

static __attribute__((noinline)) void product_panels(Matrix C, Matrix A, Matrix B, const real *bias, int accumulate)
{
    for (ptrdiff_t j = 0; j < C.columns; j += NR) {
        const ptrdiff_t width = C.columns - j < NR ? C.columns - j : NR;
        product_panel(columns_of(C, j, width), A, columns_of(B, j, width), bias ? bias + j : NULL, accumulate);
    }
}

/* One long row of C, B by rows: B is read from end to end, LONG_ROW_K rows at a time, and C waits in the cache. */
#define LONG_ROW_K 8
static __attribute__((noinline)) void product_long_row(
    const Matrix C, const Matrix A, const Matrix B, const real *bias, int accumulate)
{
    real *restrict c = C.data;
    const ptrdiff_t n = C.columns, k = A.columns, ldb = B.row_stride;
    if (!accumulate) {
        if (bias) memcpy(c, bias, n * sizeof(real));
        else memset(c, 0, n * sizeof(real));
    }
    for (ptrdiff_t p = 0; p < k; p += LONG_ROW_K) {
        const int rows = k - p < LONG_ROW_K ? (int)(k - p) : LONG_ROW_K;
        const real *row = B.data + p * ldb;
        real element[LONG_ROW_K];
        for (int r = 0; r < rows; r++) element[r] = A.data[(p + r) * A.column_stride];
        if (rows == LONG_ROW_K) {
            ptrdiff_t j = 0;
            for (; j + LANES <= n; j += LANES) {
                vec sum = *(vec *)(c + j);
                _Pragma("GCC unroll 8") for (int r = 0; r < LONG_ROW_K; r++)
                    sum += element[r] * *(const vec *)(row + r * ldb + j);
                *(vec *)(c + j) = sum;
            }
            for (; j < n; j++)
                for (int r = 0; r < LONG_ROW_K; r++) c[j] += element[r] * row[r * ldb + j];
        } else {
            for (int r = 0; r < rows; r++)
                for (ptrdiff_t j = 0; j < n; j++) c[j] += element[r] * row[r * ldb + j];
        }
    }
}

/* One row of few vectors: k is walked in `parts` interleaved sums, which are added in the end, because a single one
   would wait for every addition. */
static inline __attribute__((always_inline)) void product_one_row(
    const int parts, const int vectors, const Matrix C, const Matrix A, const Matrix B, const real *restrict bias,
    int accumulate)
{
    real *restrict const c = C.data;
    const real *restrict a = A.data, *restrict b = B.data;
    const ptrdiff_t width = C.columns, a_step = A.column_stride, ldb = B.row_stride;
    const ptrdiff_t panel = B.packed ? A.columns * NR : NR;
    ptrdiff_t k = A.columns;
    vec sum[4][4];   /* of these [parts][vectors] */
#define EACH_VECTOR _Pragma("GCC unroll 4") for (int v = 0; v < vectors; v++)
#define EACH_PART _Pragma("GCC unroll 4") for (int q = 0; q < parts; q++)
#define AT(Q) load(b + (Q) * ldb + v / NR_VECTORS * panel + v % NR_VECTORS * LANES)
    EACH_PART EACH_VECTOR sum[q][v] = (vec){0};
    if (accumulate) EACH_VECTOR sum[0][v] = load_part(c + v * LANES, width - v * LANES);
    else if (bias) EACH_VECTOR sum[0][v] = load(bias + v * LANES);
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

/* Up to three rows of C take several panels at once: with few accumulators the sums would wait for every addition. */
static void product_few_rows(Matrix all_C, Matrix A, Matrix all_B, const real *bias, int accumulate)
{
    const ptrdiff_t n = all_C.columns;
    for (ptrdiff_t j = 0, vectors; j < n; j += vectors * LANES) {
        const ptrdiff_t left = n - j;
        vectors = left >= 8 * LANES && all_C.rows == 1 ? 8 : left >= 4 * LANES ? 4 : left > LANES ? 2 : 1;
        const ptrdiff_t width = left < vectors * LANES ? left : vectors * LANES;
        const Matrix C = columns_of(all_C, j, width), B = columns_of(all_B, j, width);
        if (C.rows == 1) {
            if (vectors == 8) { MICRO_KERNEL(1, 8) }
            else if (vectors == 4) product_one_row(2, 4, C, A, B, bias, accumulate);
            else if (vectors == 2) product_one_row(4, 2, C, A, B, bias, accumulate);
            else product_one_row(4, 1, C, A, B, bias, accumulate);
        }
        else if (vectors < 4) product_panel(C, A, B, bias, accumulate);
        else if (C.rows == 2) { MICRO_KERNEL(2, 4) }
        else if (C.rows == 3) { MICRO_KERNEL(3, 4) }
        if (bias) bias += width;
    }
}
#undef MICRO_KERNEL

/* The last columns of C, where they are so few that most lanes of a vector would be empty: the lanes go along k. LANES
   sums, `columns` for each row, come together in the end. B (k, width) is transposed, TRANSPOSED_ROWS of its rows at a
   time, so that it can be read along k, too; width is `columns` or, of four, three. Only where part of a vector is
   loaded by one instruction: lane by lane, compilers fuse the products and sums of some rows and not those of others. */
#if defined(__AVX2__)
#define FEW_COLUMNS (LANES / 4)
#else
#define FEW_COLUMNS 0
#endif
#define TRANSPOSED_ROWS 512
static inline __attribute__((always_inline)) void product_along_k(
    const int columns, const Matrix C, const Matrix A, const Matrix B, const real *restrict bias)
{
    real *restrict const c = C.data;
    const real *restrict const a = A.data, *restrict const b = B.data;
    const ptrdiff_t ldc = C.row_stride, a_row = A.row_stride, ldb = B.row_stride;
    const ptrdiff_t m = C.rows, width = C.columns, k = A.columns;
    const int rows = LANES / columns;
    real transposed_b[FEW_COLUMNS][TRANSPOSED_ROWS];
#define EACH_ROW _Pragma("GCC unroll 16") for (int r = 0; r < rows; r++)
#define EACH_COLUMN _Pragma("GCC unroll 4") for (int j = 0; j < columns; j++)
    for (ptrdiff_t from = 0, length; from < k; from += length) {
        length = k - from < TRANSPOSED_ROWS ? k - from : TRANSPOSED_ROWS;
        const ptrdiff_t whole = length - length % LANES;
        for (int j = 0; j < columns; j++)
            for (ptrdiff_t p = 0; p < length; p++) transposed_b[j][p] = j < width ? b[(from + p) * ldb + j] : 0;
        for (ptrdiff_t i = 0; i < m; i += rows) {
            vec sum[LANES];
            const real *row[LANES];
            real total[LANES];
            EACH_ROW {
                row[r] = a + (i + r < m ? i + r : m - 1) * a_row + from;   /* the last one again where there is none */
                EACH_COLUMN sum[r * columns + j] = (vec){0};
            }
            for (ptrdiff_t p = 0; p < whole; p += LANES)
                EACH_ROW EACH_COLUMN sum[r * columns + j] += load(row[r] + p) * load(transposed_b[j] + p);
            if (whole < length)   /* beyond it, `transposed_b` may hold anything, even NaN */
                EACH_ROW EACH_COLUMN
                    sum[r * columns + j] += load_lanes(row[r] + whole, length - whole)
                                            * load_lanes(transposed_b[j] + whole, length - whole);
            store(total, sums_of_rows(sum));
            for (int r = 0; r < rows && i + r < m; r++)
                for (int j = 0; j < width; j++) {
                    real *to = c + (i + r) * ldc + j;
                    *to = total[r * columns + j] + (from > 0 ? *to : bias ? bias[j] : 0);
                }
        }
    }
#undef EACH_ROW
#undef EACH_COLUMN
}

static __attribute__((noinline)) void product_few_columns(Matrix C, Matrix A, Matrix B, const real *bias)
{
#if FEW_COLUMNS >= 1
    if (C.columns == 1) product_along_k(1, C, A, B, bias);
#endif
#if FEW_COLUMNS >= 2
    if (C.columns == 2) product_along_k(2, C, A, B, bias);
#endif
#if FEW_COLUMNS >= 4
    if (C.columns > 2) product_along_k(4, C, A, B, bias);
#endif
}

/* The last columns, if they are few and k is long, two vectors and more, so that joining the sums pays: how many are
   left. The elements of a row of A are contiguous; there are several rows, for one is summed in an order of its own. */
static inline ptrdiff_t product_last_columns(Matrix C, Matrix A, Matrix B, const real *bias)
{
    const ptrdiff_t width = C.columns % NR, left = C.columns - width;
    if (width == 0 || width > FEW_COLUMNS || A.columns < 2 * LANES) return C.columns;
    product_few_columns(columns_of(C, left, width), A, columns_of(B, left, width), bias ? bias + left : NULL);
    return left;
}

/* C = A B, + bias unless it is NULL; or, with `accumulate`, C += A B. Only B may be packed. */
static inline void product(Matrix C, Matrix A, Matrix B, const real *bias, int accumulate)
{
    if (C.rows > 1 && A.column_stride == 1 && !accumulate)
        C.columns = product_last_columns(C, A, B, bias);
    if (C.rows > 3)
        product_panels(C, A, B, bias, accumulate);
    else if (C.rows == 1 && C.columns > 8 * LANES && !B.packed)
        product_long_row(C, A, B, bias, accumulate);
    else
        product_few_rows(C, A, B, bias, accumulate);
}

#endif
