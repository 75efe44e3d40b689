"""A scale layer: Z = A s, each input times a factor of its own, with n_in = n_out and no biases.

    dA = delta s        ds = the sum of the rows of A delta (elementwise)
"""
from real cimport real
from matrix cimport Matrix
from net cimport WEIGHTS, Gradient, Layer, Net, Operations, Part, parameters_of, rows_of_part
from parameters cimport update


cdef inline void multiply_rows(const Matrix* to, const real* a, Py_ssize_t lda, const real* s) noexcept nogil:
    """to (m, n) = a (m, n) s (n,), each row elementwise."""
    cdef Py_ssize_t i, j
    for i in range(to.rows):
        for j in range(to.columns):
            to.data[i * to.row_stride + j] = a[i * lda + j] * s[j]


cdef inline void scale_forward(
    const Net* net, const Layer* layer, const Part* part, const Matrix* x, const Matrix* z
) noexcept nogil:
    multiply_rows(z, x.data + part.column, x.row_stride, parameters_of(net, layer, WEIGHTS) + part.column)


cdef inline void scale_backward_input(
    const Net* net, const Layer* layer, const Part* part, const Matrix* dx
) noexcept nogil:
    cdef Matrix delta = rows_of_part(layer.delta, layer, part)
    multiply_rows(dx, delta.data, delta.row_stride, parameters_of(net, layer, WEIGHTS) + part.column)


cdef inline void scale_backward_parameters(
    Net* net, const Layer* layer, const Part* part, const Matrix* x, const Gradient* gradient
) noexcept nogil:
    """ds, each a sum over the rows in their order."""
    cdef Matrix delta = rows_of_part(layer.delta, layer, part)
    cdef Py_ssize_t i, j, at = layer.groups[WEIGHTS].offset + part.column
    cdef real* ds = gradient.flat + at
    if not gradient.accumulate:
        for j in range(part.columns):
            ds[j] = 0
    for i in range(part.rows):
        for j in range(part.columns):
            ds[j] += x.data[i * x.row_stride + part.column + j] * delta.data[i * delta.row_stride + j]
    if gradient.update:
        update(net, &layer.groups[WEIGHTS], at, ds, part.columns)


cdef inline Operations scale_operations() noexcept nogil:
    cdef Operations operations
    operations.forward, operations.backward_input = scale_forward, scale_backward_input
    operations.backward_parameters, operations.renew = scale_backward_parameters, NULL
    return operations
