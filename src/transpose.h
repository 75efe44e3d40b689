/* The transpose of a LANES x LANES block in registers, and the sums of its rows: log2(LANES) rounds of exchanges between
   pairs of rows. */
#ifndef FASTMLP_TRANSPOSE_H
#define FASTMLP_TRANSPOSE_H

#include "vector.h"

typedef real_bits lane_numbers __attribute__((vector_size(VECTOR_BYTES)));

#if LANES == 16
#define EACH_LANE(F) \
    F(0), F(1), F(2), F(3), F(4), F(5), F(6), F(7), F(8), F(9), F(10), F(11), F(12), F(13), F(14), F(15)
#elif LANES == 8
#define EACH_LANE(F) F(0), F(1), F(2), F(3), F(4), F(5), F(6), F(7)
#elif LANES == 4
#define EACH_LANE(F) F(0), F(1), F(2), F(3)
#else
#define EACH_LANE(F) F(0), F(1)
#endif

/* Which lanes of rows a and b, `apart` from each other, a round of exchanges puts into these rows. */
#define UPPER(i) i & apart ? LANES + i - apart : i
#define LOWER(i) i & apart ? LANES + i : i + apart

/* to(c, r) = from(r, c) for r, c < LANES; rows are to_row and from_row elements apart. */
static inline void transpose_block(real *restrict to, ptrdiff_t to_row, const real *restrict from,
                                   ptrdiff_t from_row)
{
    vec row[LANES];
#pragma GCC unroll 16
    for (int r = 0; r < LANES; r++) row[r] = load(from + r * from_row);
#pragma GCC unroll 4
    for (int apart = 1; apart < LANES; apart *= 2) {   /* exchange what is off the diagonal of all 2 x 2 of blocks */
        const lane_numbers upper = {EACH_LANE(UPPER)}, lower = {EACH_LANE(LOWER)};
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++)
            if (!(r & apart)) {
                const vec a = row[r], b = row[r + apart];
                row[r] = __builtin_shuffle(a, b, upper);
                row[r + apart] = __builtin_shuffle(a, b, lower);
            }
    }
#pragma GCC unroll 16
    for (int r = 0; r < LANES; r++) store(to + r * to_row, row[r]);
}

/* Lane r is the sum of the lanes of row[r]: those rounds, in which what was exchanged is added. Overwrites the rows. */
static inline __attribute__((always_inline)) vec sums_of_rows(vec row[LANES])
{
#pragma GCC unroll 4
    for (int apart = 1; apart < LANES; apart *= 2) {
        const lane_numbers upper = {EACH_LANE(UPPER)}, lower = {EACH_LANE(LOWER)};
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r += 2 * apart)
            row[r] = __builtin_shuffle(row[r], row[r + apart], upper)
                     + __builtin_shuffle(row[r], row[r + apart], lower);
    }
    return row[0];
}
#undef EACH_LANE
#undef UPPER
#undef LOWER

#endif
