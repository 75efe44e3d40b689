/* The transpose of a LANES x LANES block in registers: log2(LANES) rounds of exchanges between pairs of rows. */
#ifndef FASTMLP_TRANSPOSE_H
#define FASTMLP_TRANSPOSE_H

#include "product.h"

typedef real_bits lane_numbers __attribute__((vector_size(VECTOR_BYTES)));

/* to(c, r) = from(r, c) for r, c < LANES; rows are to_row and from_row elements apart. */
static inline void transpose_block(real *restrict to, ptrdiff_t to_row, const real *restrict from,
                                   ptrdiff_t from_row)
{
    vec row[LANES];
    lane_numbers upper, lower;
#pragma GCC unroll 16
    for (int r = 0; r < LANES; r++) row[r] = *(const vec *)(from + r * from_row);
#pragma GCC unroll 4
    for (int apart = 1; apart < LANES; apart *= 2) {   /* exchange the off-diagonal elements of every 2 x 2 of blocks */
        for (int i = 0; i < LANES; i++) {
            upper[i] = i & apart ? LANES + i - apart : i;
            lower[i] = i & apart ? LANES + i : i + apart;
        }
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++)
            if (!(r & apart)) {
                const vec a = row[r], b = row[r + apart];
                row[r] = __builtin_shuffle(a, b, upper);
                row[r + apart] = __builtin_shuffle(a, b, lower);
            }
    }
#pragma GCC unroll 16
    for (int r = 0; r < LANES; r++) *(vec *)(to + r * to_row) = row[r];
}

#endif
