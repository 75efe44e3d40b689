"""One dense layer Z = A W + b: forward, backward to its input, backward to its parameters.

W is (n_in, n_out) by rows, b is (n_out,) and follows W in memory. Matrices of samples have a sample in each row and
the row distances lda, ldz. All three are the one product of product.h; results are exact sums in ascending order of
the index summed over, so they do not depend on how rows or columns are shared out.
"""
from real cimport real

cdef extern from "product.h" nogil:
    const Py_ssize_t STRIP      # columns of a panel: see product.h
    const Py_ssize_t LANES      # elements of a vector register
    void product(
        real* c, Py_ssize_t ldc, const real* a, Py_ssize_t a_row, Py_ssize_t a_step, const real* b, Py_ssize_t ldb,
        Py_ssize_t strip, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k, const real* start, bint accumulate)


cdef inline void dense_forward(
    real* Z, Py_ssize_t ldz, const real* A, Py_ssize_t lda, const real* W, const real* b,
    Py_ssize_t m, Py_ssize_t n_in, Py_ssize_t n_out
) noexcept nogil:
    """Z (m, n_out) = A (m, n_in) W + b; b NULL for none."""
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


cdef inline Py_ssize_t panels_size(Py_ssize_t n_in, Py_ssize_t n_out) noexcept nogil:
    """Elements of W^T in panels."""
    return (n_in + STRIP - 1) // STRIP * STRIP * n_out


cdef inline void transpose_to_panels(
    real* panels, const real* W, Py_ssize_t first, Py_ssize_t last, Py_ssize_t n_out
) noexcept nogil:
    """W^T, rows first..last of W, in panels: element (i, o) of W to panel i // STRIP, row o, column i % STRIP."""
    cdef Py_ssize_t i, o
    cdef real* column
    for i in range(first, last):
        column = panels + i // STRIP * STRIP * n_out + i % STRIP
        for o in range(n_out):
            column[o * STRIP] = W[i * n_out + o]
