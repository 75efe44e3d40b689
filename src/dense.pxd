"""A dense layer: Z = A W + b and its way back, by the one product of product.h, which says in which order it sums.

    dA = delta W^T        dW = A^T delta        db = the sum of the rows of delta
"""
from real cimport real
from matrix cimport (
    MR, NR, Matrix, by_rows, columns_of, copy_columns, pack, packed, panel_width, panels, product,
    product_last_columns, transpose_panel, transposed, vectors,
)
from net cimport (
    BIASES, DELTA_SCRATCH, MICRO_BATCH, WEIGHTS, Gradient, Layer, Net, Operations, Part, parameters_of, rows_of_part,
    scratch_of,
)
from parameters cimport update

cdef extern from *:
    """
    #define GRADIENT_ROWS (5 * MR)
    /* Aligned, as an array on the stack is not: a vector that straddles two lines of the cache is read twice. */
    typedef struct { real data[GRADIENT_ROWS * NR + SLACK]; } __attribute__((aligned(64))) GradientScratch;
    """
    enum:
        GRADIENT_ROWS           # rows of a panel of W whose gradient is made at a time; 140, 280, 504: + 1 to 5 %
    ctypedef struct GradientScratch:
        real* data

cdef enum:
    PACK_MIN_ELEMENTS = 131072  # of a W that is read faster packed than by rows: it does not stay in the cache
    PACK_MIN_ROWS = 4           # samples from which packing it pays
    K_BLOCK = 128               # rows of it that are packed at a time


cdef inline void dense_forward_in_blocks(real* block, Matrix x, Matrix W, Matrix z, const real* b) noexcept nogil:
    """Z = A W + b by K blocks of a W that stands by rows, each packed into `block` first: by one thread at a time."""
    cdef Py_ssize_t p = 0, rows
    z.columns = product_last_columns(z, x, W, b)
    while z.columns > 0 and p < W.rows:
        rows = min(W.rows - p, K_BLOCK)
        pack(block, W.data + p * W.columns, rows, W.columns)
        product(z, columns_of(x, p, rows), packed(block, rows, W.columns), b, p > 0)
        p += rows


cdef inline void dense_forward(
    const Net* net, const Layer* layer, const Part* part, const Matrix* x, const Matrix* z
) noexcept nogil:
    """Z = A W + b for some columns of a packed W, or for all."""
    cdef const real* W = parameters_of(net, layer, WEIGHTS)
    cdef const real* b = parameters_of(net, layer, BIASES)
    cdef Matrix all_columns
    if b != NULL:
        b += part.column
    if layer.packed:
        product(z[0], x[0], columns_of(packed(W, layer.n_in, layer.n_out), part.column, part.columns), b, False)
        return
    all_columns = by_rows(W, layer.n_in, layer.n_out, layer.n_out)
    if z.rows < PACK_MIN_ROWS or layer.n_in * layer.n_out < PACK_MIN_ELEMENTS:
        product(z[0], x[0], all_columns, b, False)
    else:
        dense_forward_in_blocks(net.packed_parameters + layer.groups[WEIGHTS].offset, x[0], all_columns, z[0], b)


cdef inline void dense_backward_input(
    const Net* net, const Layer* layer, const Part* part, const Matrix* dx
) noexcept nogil:
    """dA = delta W^T for some columns of A."""
    cdef Matrix delta = by_rows(layer.delta + part.row * layer.ld, part.rows, layer.n_out, layer.ld)
    product(
        dx[0], delta, columns_of(packed(layer.transposed, layer.n_out, layer.n_in), part.column, part.columns), NULL,
        False)


cdef inline void weight_gradient(Matrix dW, Matrix x, Matrix delta, bint accumulate) noexcept nogil:
    """dW = A^T delta, for GRADIENT_ROWS inputs and NR outputs at most; with `accumulate` added to dW.

    Few outputs would leave most lanes of a vector empty: then it is dW^T = delta^T A.
    """
    cdef Py_ssize_t i, o, n_in = dW.rows, n_out = dW.columns
    cdef GradientScratch scratch
    if n_out * vectors(n_in) * 3 > n_in * vectors(n_out) * 2:
        product(dW, transposed(x), delta, NULL, accumulate)
        return
    if accumulate:
        for o in range(n_out):
            for i in range(n_in):
                scratch.data[o * n_in + i] = dW.data[i * n_out + o]
    product(by_rows(scratch.data, n_out, n_in, n_in), transposed(delta), x, NULL, accumulate)
    for i in range(n_in):
        for o in range(n_out):
            dW.data[i * n_out + o] = scratch.data[o * n_in + i]


cdef inline void bias_gradient(
    Net* net, const Layer* layer, Py_ssize_t column, Matrix delta, const Gradient* gradient
) noexcept nogil:
    """db of the columns from `column` on: the bias is the weight of a constant input 1."""
    cdef real one = 1
    cdef Matrix ones = by_rows(&one, 1, delta.rows, 0)
    cdef Py_ssize_t at = layer.groups[BIASES].offset + column
    if layer.groups[BIASES].rows == 0:
        return
    ones.column_stride = 0
    product(by_rows(gradient.flat + at, 1, delta.columns, delta.columns), ones, delta, NULL, gradient.accumulate)
    if gradient.update:
        update(net, &layer.groups[BIASES], at, gradient.flat + at, delta.columns)


cdef inline void dense_backward_parameters(
    Net* net, const Layer* layer, const Part* part, const Matrix* x, const Gradient* gradient
) noexcept nogil:
    """dW and db of some panels of W.

    It goes by GRADIENT_ROWS rows of W. Where the step follows at once and nothing was accumulated before, their
    gradient stands in `scratch` only, in the nearest cache. Panels of delta that are read for several such blocks of
    rows are packed first; columns of the inputs, where several panels read them.
    """
    cdef GradientScratch scratch
    cdef Py_ssize_t row = 0, rows, at, panel, o, width
    cdef Matrix a, d, delta = rows_of_part(layer.delta, layer, part)
    cdef real* to
    cdef real* packed_delta = scratch_of(net, part)
    cdef bint packs = layer.n_in > GRADIENT_ROWS and layer.n_out > NR
    if packs:
        for panel in range(panels(part.columns)):
            o = panel * NR
            copy_columns(packed_delta + o * MICRO_BATCH, columns_of(delta, o, panel_width(o, part.columns)))
    while row < layer.n_in:
        rows = min(layer.n_in - row, GRADIENT_ROWS)
        a = columns_of(x[0], row, rows)
        if part.columns > NR:
            a = copy_columns(packed_delta + DELTA_SCRATCH, a)
        for panel in range(panels(part.columns)):
            o = panel * NR
            width = panel_width(o, part.columns)
            d = columns_of(delta, o, width)
            if packs:
                d = by_rows(packed_delta + o * MICRO_BATCH, part.rows, width, width)
            if row == 0:
                bias_gradient(net, layer, part.column + o, d, gradient)
            at = layer.groups[WEIGHTS].offset + (part.column + o) * layer.n_in + row * width
            to = gradient.flat + at
            if gradient.update and not gradient.accumulate:
                to = scratch.data
            weight_gradient(by_rows(to, rows, width, width), a, d, gradient.accumulate)
            if gradient.update:
                update(net, &layer.groups[WEIGHTS], at, to, rows * width)
        row += rows


cdef inline void dense_renew(const Net* net, const Layer* layer, const Part* part) noexcept nogil:
    """W^T of some panels of W."""
    cdef Py_ssize_t o, panel
    cdef Matrix W = packed(net.packed_parameters + layer.groups[WEIGHTS].offset, layer.n_in, layer.n_out)
    for panel in range(panels(part.columns)):
        o = part.column + panel * NR
        transpose_panel(layer.transposed, W, o)


cdef inline Operations dense_operations() noexcept nogil:
    cdef Operations operations
    operations.forward, operations.backward_input = dense_forward, dense_backward_input
    operations.backward_parameters, operations.renew = dense_backward_parameters, dense_renew
    return operations
