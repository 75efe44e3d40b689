"""One dense layer Z = A W + b: forward, backward to its input, backward to its parameters.

W is (n_in, n_out) by rows, b is (n_out,) and follows W in memory. Matrices of samples have a sample in each row and
the row distances lda, ldz. All three are the one product of product.h; results are exact sums in ascending order of
the index summed over, so they do not depend on how rows or columns are shared out.
"""
from libc.string cimport memcpy
from real cimport real

cdef extern from "product.h" nogil:
    const Py_ssize_t STRIP      # columns of a panel: see product.h
    const Py_ssize_t LANES      # elements of a vector register
    void product(
        real* c, Py_ssize_t ldc, const real* a, Py_ssize_t a_row, Py_ssize_t a_step, const real* b, Py_ssize_t ldb,
        Py_ssize_t strip, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k, const real* start, bint accumulate)

cdef extern from "transpose.h" nogil:
    void transpose_block(real* to, Py_ssize_t to_row, const real* source, Py_ssize_t from_row)


cdef inline void dense_forward(
    real* Z, Py_ssize_t ldz, const real* A, Py_ssize_t lda, const real* W, const real* panels, const real* b,
    Py_ssize_t m, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """Z (m, n_out) = A (m, n_in) W + b; b NULL for none, panels what copy_to_panels made of W, or NULL."""
    if panels != NULL:
        product(Z, ldz, A, lda, 1, panels, STRIP, n_in * STRIP, m, n_out, n_in, b, False)
    else:
        product(Z, ldz, A, lda, 1, W, n_out, STRIP, m, n_out, n_in, b, False)


cdef inline void dense_backward_input(
    real* dA, Py_ssize_t lda, const real* dZ, Py_ssize_t ldz, const real* panels,
    Py_ssize_t m, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """dA (m, n_in) = dZ (m, n_out) W^T, with W^T as transpose_to_panels left it."""
    product(dA, lda, dZ, ldz, 1, panels, STRIP, n_out * STRIP, m, n_in, n_out, NULL, False)


cdef inline void dense_backward_weights(
    real* dW, const real* A, Py_ssize_t lda, const real* dZ, Py_ssize_t ldz,
    Py_ssize_t m, Py_ssize_t n_in, Py_ssize_t n_out, bint accumulate
) noexcept nogil:
    """dW (n_in, n_out) = A^T dZ, added to the old dW with `accumulate`."""
    product(dW, n_out, A, 1, lda, dZ, ldz, STRIP, n_in, n_out, m, NULL, accumulate)


cdef inline void dense_backward_bias(
    real* db, const real* dZ, Py_ssize_t ldz, Py_ssize_t m, Py_ssize_t n_out, bint accumulate
) noexcept nogil:
    """db (n_out,) = sum over rows of dZ: the bias is the weight of a constant input 1."""
    cdef real one = 1
    product(db, n_out, &one, 0, 0, dZ, ldz, STRIP, 1, n_out, m, NULL, accumulate)


# Panels: a matrix B (k, n) cut into strips of STRIP columns, each stored by rows, one after the other; the last one
# is padded. The product reads them from the first element to the last.

cdef inline Py_ssize_t panels_size(Py_ssize_t k, Py_ssize_t n) noexcept nogil:
    """Elements of a matrix (k, n) in panels."""
    return (n + STRIP - 1) // STRIP * STRIP * k


cdef inline void copy_to_panels(
    real* panels, const real* W, Py_ssize_t first, Py_ssize_t last, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """Rows first..last of W (n_in, n_out) to its panels."""
    cdef Py_ssize_t i, o, strip
    for i in range(first, last):
        for strip in range((n_out + STRIP - 1) // STRIP):
            o = strip * STRIP
            memcpy(
                panels + o * n_in + i * STRIP, W + i * n_out + o,
                (n_out - o if n_out - o < STRIP else STRIP) * sizeof(real))


cdef inline void transpose_to_panels(
    real* panels, const real* W, Py_ssize_t first, Py_ssize_t last, Py_ssize_t n_out
) noexcept nogil:
    """Columns first..last of W^T (n_out, n_in), which are rows of W (n_in, n_out), to its panels."""
    cdef Py_ssize_t i = first, o, r, whole = n_out - n_out % LANES
    cdef real* column
    while i < last:
        column = panels + i // STRIP * STRIP * n_out + i % STRIP
        if i % LANES == 0 and i + LANES <= last:
            for o in range(whole // LANES):
                transpose_block(column + o * LANES * STRIP, STRIP, W + i * n_out + o * LANES, n_out)
            for o in range(whole, n_out):
                for r in range(LANES):
                    column[o * STRIP + r] = W[(i + r) * n_out + o]
            i += LANES
        else:
            for o in range(n_out):
                column[o * STRIP] = W[i * n_out + o]
            i += 1


cdef inline Py_ssize_t row_distance(Py_ssize_t n) noexcept nogil:
    """Elements from row to row in a buffer of rows of n: for wide rows an odd number of cache lines.

    Rows that are a large power of two apart fall on the same few places of the cache and drive each other out.
    """
    cdef Py_ssize_t line = 64 // sizeof(real)
    return n if n < 8 * line else (n + line - 1) // line // 2 * 2 * line + line
