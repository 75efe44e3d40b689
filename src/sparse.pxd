"""The first layer where X is sparse: the products of dense.pxd without those that have a zero of X in them.

X is in compressed rows (CSR). What is not zero in row i is values[p], in column indices[p], for p from indptr[i] to
indptr[i + 1]. W, its gradient and Z come in strips of `width` columns. A sum goes in the order of its elements.
"""
from libc.stdint cimport int32_t, int64_t
from real cimport real
from dense cimport vectors
from vector cimport LANES, load, load_lanes, store, store_lanes, vec

cdef struct Sparse:
    const real* values
    const int32_t* indices
    const int64_t* indptr       # NULL: X is dense


cdef inline void sparse_forward(
    real* z, const Sparse* X, Py_ssize_t row, const real* W, Py_ssize_t ldw, const real* b, Py_ssize_t width
) noexcept nogil:
    """z (width,) = x W + b for one row x of X; rows of W (n_in, width) are ldw apart, b is NULL for none.

    W and b are read in whole vectors, beyond their ends.
    """
    cdef Py_ssize_t v, at, n
    cdef int64_t p
    cdef const real* w
    cdef vec sum
    for v in range(vectors(width)):
        at = v * LANES
        n = width - at
        sum = load_lanes(W, 0) if b == NULL else load(b + at)   # no lane: zero
        for p in range(X.indptr[row], X.indptr[row + 1]):
            w = W + X.indices[p] * ldw + at
            sum += X.values[p] * load(w)
        if n < LANES:
            store_lanes(z + at, sum, n)
        else:
            store(z + at, sum)


cdef inline void sparse_backward_weights(
    real* dW, const Sparse* X, Py_ssize_t row, const real* dz, Py_ssize_t width
) noexcept nogil:
    """dW (n_in, width) += x^T dz for one row x of X, with its dz (width,); both are read in whole vectors."""
    cdef Py_ssize_t v, at, n
    cdef int64_t p
    cdef real* dw
    cdef vec delta
    for v in range(vectors(width)):
        at = v * LANES
        n = width - at
        delta = load(dz + at)
        for p in range(X.indptr[row], X.indptr[row + 1]):
            dw = dW + X.indices[p] * width + at
            if n < LANES:
                store_lanes(dw, load(dw) + X.values[p] * delta, n)
            else:
                store(dw, load(dw) + X.values[p] * delta)
