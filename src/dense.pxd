"""One dense layer Z = A W + b: forward, backward to its input, backward to its parameters.

b is (n_out,). W (n_in, n_out) is stored by rows where the user sees it, and in strips of columns, the order in which
product.h reads it, where the core works with it often; W^T always in strips. Matrices of samples have a sample in
each row and the row distances lda, ldz. All three passes are the one product of product.h, which says in which order
it sums.
"""
from libc.string cimport memcpy
from real cimport real
from vector cimport LANES, load, store

cdef extern from "product.h" nogil:
    const Py_ssize_t STRIP      # columns of a strip
    const Py_ssize_t BLOCK_ROWS  # rows of W whose gradient is made at a time
    enum:
        SQUARE                  # elements of BLOCK_ROWS rows of a strip
        SLACK                   # elements that a vector load may read beyond the end of a buffer
    ctypedef struct Square:     # for so many elements and SLACK
        real* at
    const Py_ssize_t IN_STRIPS  # in place of the row distance of a matrix in strips
    void product(
        real* c, Py_ssize_t ldc, const real* a, Py_ssize_t a_row, Py_ssize_t a_step, const real* b, Py_ssize_t ldb,
        Py_ssize_t m, Py_ssize_t n, Py_ssize_t k, const real* start, bint accumulate)
    Py_ssize_t product_last_columns(
        real* c, Py_ssize_t ldc, const real* a, Py_ssize_t a_row, const real* b, Py_ssize_t ldb,
        Py_ssize_t m, Py_ssize_t n, Py_ssize_t k, const real* start)

cdef extern from "transpose.h" nogil:
    void transpose_block(real* to, Py_ssize_t to_row, const real* source, Py_ssize_t from_row)


cdef enum:
    BIG = 131072    # elements of a W that is read faster from strips than by rows: it does not stay in the cache
    CHUNK = 128     # rows of such a W that come into strips at a time
    SEVERAL = 4     # samples from which that pays


cdef inline Py_ssize_t vectors(Py_ssize_t n) noexcept nogil:
    """How many vectors n elements make."""
    return (n + LANES - 1) // LANES


cdef inline Py_ssize_t strips(Py_ssize_t n) noexcept nogil:
    """How many strips n columns make."""
    return (n + STRIP - 1) // STRIP


cdef inline Py_ssize_t strip_width(Py_ssize_t j, Py_ssize_t n) noexcept nogil:
    """Columns of the strip that begins at column j of n."""
    return STRIP if n - j > STRIP else n - j


cdef inline void copy(real* to, const real* source, Py_ssize_t width) noexcept nogil:
    """One row of a strip; most have the full width, for which the compiler makes two or three instructions."""
    if width == STRIP:
        memcpy(to, source, STRIP * sizeof(real))
    else:
        memcpy(to, source, width * sizeof(real))


cdef inline void rows_to_strips(real* to, const real* W, Py_ssize_t n_in, Py_ssize_t n_out) noexcept nogil:
    """W (n_in, n_out) by rows to W in strips."""
    cdef Py_ssize_t i, strip, o, width
    for i in range(n_in):
        for strip in range(strips(n_out)):
            o = strip * STRIP
            width = strip_width(o, n_out)
            copy(to + o * n_in + i * width, W + i * n_out + o, width)


cdef inline void strips_to_rows(real* to, const real* W, Py_ssize_t n_in, Py_ssize_t n_out) noexcept nogil:
    """W (n_in, n_out) in strips to W by rows."""
    cdef Py_ssize_t i, strip, o, width
    for i in range(n_in):
        for strip in range(strips(n_out)):
            o = strip * STRIP
            width = strip_width(o, n_out)
            copy(to + i * n_out + o, W + o * n_in + i * width, width)


cdef inline void dense_forward(
    real* Z, Py_ssize_t ldz, const real* A, Py_ssize_t lda, const real* W, const real* b,
    Py_ssize_t m, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """Z (m, n_out) = A (m, n_in) W + b, W in strips; b NULL for none."""
    product(Z, ldz, A, lda, 1, W, IN_STRIPS, m, n_out, n_in, b, False)


cdef inline void dense_forward_by_rows(
    real* Z, Py_ssize_t ldz, const real* A, Py_ssize_t lda, const real* W, real* workspace, const real* b,
    Py_ssize_t m, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """The same, W by rows. For several samples, CHUNK rows of a big W come into strips in the workspace at a time.

    The workspace is one for all threads: there must be one call at a time.
    """
    cdef Py_ssize_t p = 0, rows, left
    if m < SEVERAL or n_in * n_out < BIG:
        product(Z, ldz, A, lda, 1, W, n_out, m, n_out, n_in, b, False)
        return
    left = product_last_columns(Z, ldz, A, lda, W, n_out, m, n_out, n_in, b)
    while left > 0 and p < n_in:
        rows = CHUNK if n_in - p > CHUNK else n_in - p
        rows_to_strips(workspace, W + p * n_out, rows, n_out)
        product(Z, ldz, A + p, lda, 1, workspace, IN_STRIPS, m, left, rows, b, p > 0)
        p += CHUNK


cdef inline void dense_backward_input(
    real* dA, Py_ssize_t lda, const real* dZ, Py_ssize_t ldz, const real* transposed,
    Py_ssize_t m, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """dA (m, n_in) = dZ (m, n_out) W^T, with W^T in strips."""
    product(dA, lda, dZ, ldz, 1, transposed, IN_STRIPS, m, n_in, n_out, NULL, False)


cdef inline void dense_backward_weights(
    real* dW, const real* A, Py_ssize_t lda, const real* dZ, Py_ssize_t ldz,
    Py_ssize_t m, Py_ssize_t n_in, Py_ssize_t n_out, bint accumulate
) noexcept nogil:
    """dW (n_in, n_out) = A^T dZ, for BLOCK_ROWS inputs and STRIP outputs at most; with `accumulate` added to dW.

    Few outputs would leave most lanes of a vector empty: then it is dW^T = dZ^T A.
    """
    cdef Py_ssize_t i, o
    cdef Square transposed
    if n_out * vectors(n_in) * 3 > n_in * vectors(n_out) * 2:
        product(dW, n_out, A, 1, lda, dZ, ldz, n_in, n_out, m, NULL, accumulate)
        return
    if accumulate:
        for o in range(n_out):
            for i in range(n_in):
                transposed.at[o * n_in + i] = dW[i * n_out + o]
    product(transposed.at, n_in, dZ, 1, ldz, A, lda, n_out, n_in, m, NULL, accumulate)
    for i in range(n_in):
        for o in range(n_out):
            dW[i * n_out + o] = transposed.at[o * n_in + i]


cdef inline void dense_backward_bias(
    real* db, const real* dZ, Py_ssize_t ldz, Py_ssize_t m, Py_ssize_t n_out, bint accumulate
) noexcept nogil:
    """db (n_out,) = sum over rows of dZ: the bias is the weight of a constant input 1."""
    cdef real one = 1
    product(db, n_out, &one, 0, 0, dZ, ldz, 1, n_out, m, NULL, accumulate)


cdef inline void pack_columns(
    real* strip, const real* A, Py_ssize_t lda, Py_ssize_t m, Py_ssize_t width
) noexcept nogil:
    """`width` columns of A (m, .) to a strip, with slack behind it: a row runs over into the next one's place."""
    cdef Py_ssize_t i, v
    for i in range(m):
        for v in range(vectors(width)):
            store(strip + i * width + v * LANES, load(A + i * lda + v * LANES))


cdef inline void transpose_strip(
    real* transposed, const real* W, Py_ssize_t o, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """The strip W (n_in, .) of a matrix (n_in, n_out) that begins at column o, to W^T (n_out, n_in) in strips."""
    cdef Py_ssize_t i = 0, j, r, to_row, from_row = strip_width(o, n_out), whole = from_row - from_row % LANES
    cdef real* to
    while i < n_in:
        to_row = strip_width(i - i % STRIP, n_in)
        to = transposed + (i - i % STRIP) * n_out + o * to_row + i % STRIP
        if i + LANES <= n_in:
            for j in range(whole // LANES):
                transpose_block(to + j * LANES * to_row, to_row, W + j * LANES, from_row)
            for j in range(whole, from_row):
                for r in range(LANES):
                    to[j * to_row + r] = W[r * from_row + j]
            i += LANES
            W += LANES * from_row
        else:
            for j in range(from_row):
                to[j * to_row] = W[j]
            i += 1
            W += from_row


cdef inline Py_ssize_t row_distance(Py_ssize_t n) noexcept nogil:
    """Elements from row to row in a buffer of rows of n: for wide rows an odd number of cache lines.

    Rows that are a large power of two apart fall on the same few places of the cache and drive each other out.
    """
    cdef Py_ssize_t line = 64 // sizeof(real)
    return n if n < 8 * line else (n + line - 1) // line // 2 * 2 * line + line
