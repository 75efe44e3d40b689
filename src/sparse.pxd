"""A dense first layer where X is sparse: the products of dense.pxd without those that have a zero of X in them.

Z, W and its gradient are worked on panel by panel. A sum goes in the order of the elements of a row of X. The way
back to X is that of a dense layer: the gradient of a zero is not zero.
"""
from libc.stdint cimport int64_t
from libc.string cimport memset
from real cimport real
from dense cimport bias_gradient, dense_backward_input, dense_renew
from matrix cimport NR, Matrix, by_rows, columns_of, packed, panel_width, panels, vectors
from net cimport (
    BIASES, WEIGHTS, Gradient, Layer, Net, Operations, Part, Sparse, parameters_of, row_of, rows_of_part,
)
from parameters cimport update
from vector cimport LANES, load, load_lanes, store, store_lanes, vec


cdef inline void sparse_forward_row(
    const Sparse* X, Py_ssize_t row, Matrix W, const real* b, real* z
) noexcept nogil:
    """z = x W + b for one row x of X and a panel of W; W and b are read in whole vectors, beyond their ends."""
    cdef Py_ssize_t v, at, n
    cdef int64_t p
    cdef vec sum
    for v in range(vectors(W.columns)):
        at = v * LANES
        n = W.columns - at
        sum = load_lanes(W.data, 0) if b == NULL else load(b + at)  # no lane: zero
        for p in range(X.indptr[row], X.indptr[row + 1]):
            sum += X.values[p] * load(W.data + X.indices[p] * W.row_stride + at)
        if n < LANES:
            store_lanes(z + at, sum, n)
        else:
            store(z + at, sum)


cdef inline void sparse_backward_row(
    const Sparse* X, Py_ssize_t row, const real* dz, real* dW, Py_ssize_t width
) noexcept nogil:
    """dW (n_in, width) += x^T dz for one row x of X; both are read in whole vectors."""
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


cdef inline void sparse_forward(
    const Net* net, const Layer* layer, const Part* part, const Matrix* x, const Matrix* z
) noexcept nogil:
    """Z = X W + b."""
    cdef const real* W = parameters_of(net, layer, WEIGHTS)
    cdef const real* b = parameters_of(net, layer, BIASES)
    cdef Matrix W_panel, all_columns
    cdef Py_ssize_t i, o, panel
    all_columns = packed(W, layer.n_in, layer.n_out) if layer.packed else by_rows(
        W, layer.n_in, layer.n_out, layer.n_out)
    for panel in range(panels(part.columns)):
        o = part.column + panel * NR
        W_panel = columns_of(all_columns, o, panel_width(o, layer.n_out))
        for i in range(part.rows):
            sparse_forward_row(
                &net.data.sparse, row_of(net, part.first_sample + part.row + i), W_panel,
                b + o if b != NULL else NULL,
                z.data + i * z.row_stride + o - part.column)


cdef inline void sparse_backward_parameters(
    Net* net, const Layer* layer, const Part* part, const Matrix* x, const Gradient* gradient
) noexcept nogil:
    """dW and db, a whole panel at a time: few elements stand anywhere in it."""
    cdef Py_ssize_t i, o, panel, at, width
    cdef Matrix delta_panel, delta = rows_of_part(layer.delta, layer, part)
    for panel in range(panels(part.columns)):
        o = panel * NR
        width = panel_width(o, part.columns)
        delta_panel = columns_of(delta, o, width)
        bias_gradient(net, layer, part.column + o, delta_panel, gradient)
        at = layer.groups[WEIGHTS].offset + (part.column + o) * layer.n_in
        if not gradient.accumulate:
            memset(gradient.flat + at, 0, layer.n_in * width * sizeof(real))
        for i in range(part.rows):
            sparse_backward_row(
                &net.data.sparse, row_of(net, part.first_sample + part.row + i),
                delta_panel.data + i * delta_panel.row_stride, gradient.flat + at, width)
        if gradient.update:
            update(net, &layer.groups[WEIGHTS], at, gradient.flat + at, layer.n_in * width)


cdef inline Operations sparse_operations() noexcept nogil:
    cdef Operations operations
    operations.forward, operations.backward_input = sparse_forward, dense_backward_input
    operations.backward_parameters, operations.renew = sparse_backward_parameters, dense_renew
    return operations
