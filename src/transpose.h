/* The transpose of a LANES x LANES block in registers, and the sums of its rows: log2(LANES) rounds of exchanges between
   pairs of rows. */
#ifndef FASTMLP_TRANSPOSE_H
#define FASTMLP_TRANSPOSE_H

#include "vector.h"

#if LANES == 16
#define EACH_LANE(F, apart) \
    F(0, apart), F(1, apart), F(2, apart), F(3, apart), F(4, apart), F(5, apart), F(6, apart), F(7, apart), \
    F(8, apart), F(9, apart), F(10, apart), F(11, apart), F(12, apart), F(13, apart), F(14, apart), F(15, apart)
#define EACH_ROUND(F) F(1) F(2) F(4) F(8)
#elif LANES == 8
#define EACH_LANE(F, apart) \
    F(0, apart), F(1, apart), F(2, apart), F(3, apart), F(4, apart), F(5, apart), F(6, apart), F(7, apart)
#define EACH_ROUND(F) F(1) F(2) F(4)
#elif LANES == 4
#define EACH_LANE(F, apart) F(0, apart), F(1, apart), F(2, apart), F(3, apart)
#define EACH_ROUND(F) F(1) F(2)
#else
#define EACH_LANE(F, apart) F(0, apart), F(1, apart)
#define EACH_ROUND(F) F(1)
#endif

/* Which lanes of rows a and b, `apart` from each other, a round of exchanges puts into these rows. The numbers must be
   constants to a compiler that has unrolled nothing yet, so that a round is a macro. */
#define UPPER_LANE(i, apart) ((i) & (apart) ? LANES + (i) - (apart) : (i))
#define LOWER_LANE(i, apart) ((i) & (apart) ? LANES + (i) : (i) + (apart))
#define UPPER(a, b, apart) __builtin_shufflevector(a, b, EACH_LANE(UPPER_LANE, apart))
#define LOWER(a, b, apart) __builtin_shufflevector(a, b, EACH_LANE(LOWER_LANE, apart))

/* to(c, r) = from(r, c) for r, c < LANES; rows are to_row and from_row elements apart. */
static inline void transpose_block(real *restrict to, ptrdiff_t to_row, const real *restrict from,
                                   ptrdiff_t from_row)
{
    vec row[LANES];
#pragma GCC unroll 16
    for (int r = 0; r < LANES; r++) row[r] = load(from + r * from_row);
#define EXCHANGE(apart)   /* what is off the diagonal of all 2 x 2 of blocks */ \
    _Pragma("GCC unroll 16") for (int r = 0; r < LANES; r++) \
        if (!(r & apart)) { \
            const vec a = row[r], b = row[r + apart]; \
            row[r] = UPPER(a, b, apart); \
            row[r + apart] = LOWER(a, b, apart); \
        }
    EACH_ROUND(EXCHANGE)
#undef EXCHANGE
#pragma GCC unroll 16
    for (int r = 0; r < LANES; r++) store(to + r * to_row, row[r]);
}

/* Lane r is the sum of the lanes of row[r]: those rounds, in which what was exchanged is added. Overwrites the rows. */
static inline __attribute__((always_inline)) vec sums_of_rows(vec row[LANES])
{
#define ADD(apart) \
    _Pragma("GCC unroll 16") for (int r = 0; r < LANES; r += 2 * apart) \
        row[r] = UPPER(row[r], row[r + apart], apart) + LOWER(row[r], row[r + apart], apart);
    EACH_ROUND(ADD)
#undef ADD
    return row[0];
}
#undef EACH_LANE
#undef EACH_ROUND
#undef UPPER_LANE
#undef LOWER_LANE
#undef UPPER
#undef LOWER

#endif
