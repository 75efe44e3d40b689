"""Backward: delta of every layer, for a tile of samples or for a strip of a layer; and the gradient of W and b.

    delta^l = g'^l(Z^l) * (delta^(l+1) W^(l+1)^T),    dW^l = A^(l-1)^T delta^l,    db^l = the sum of its rows
"""
from libc.string cimport memset
from real cimport real
from activations cimport activation_backward
from dense cimport (
    BLOCK_ROWS, STRIP, Square, dense_backward_bias, dense_backward_input, dense_backward_weights, pack_columns,
    strip_width,
)
from forward cimport forward_loss
from losses cimport loss_backward
from net cimport GROUP, PACKED, PACKED_INPUTS, Layer, Net, is_sparse, owned_strips, share
from parameters cimport renew_transposed, update
from samples cimport drop_units, drops, inputs_of, row_of
from sparse cimport sparse_backward_weights

cdef extern from *:
    """
    typedef struct {
        real delta[PACKED];
        real inputs[PACKED_INPUTS];
        real slack[SLACK];
    } __attribute__((aligned(64))) Packed;
    """
    ctypedef struct Packed:
        real* delta
        real* inputs


cdef inline void backward_rows(Net* net, Py_ssize_t start, Py_ssize_t lo, Py_ssize_t hi) noexcept nogil:
    """Losses of rows lo..hi, of which i is sample start + i, and delta^l = g'^l(Z^l) * (delta^(l+1) W^(l+1)^T).

    by_columns layers are done elsewhere.
    """
    cdef Layer* layer = &net.layers[net.depth - 1]
    cdef Layer* below
    cdef Py_ssize_t at = lo * layer.n_out, l
    cdef const real* t
    cdef const real* w
    forward_loss(net, start, lo, hi, &t, &w)
    loss_backward(
        net.loss, layer.activation, layer.delta + at, layer.a + at, layer.z + at, t, w, net.scale,
        net.loss_parameter, hi - lo, layer.n_out, net.slope)
    for l in range(net.depth - 1, net.by_columns, -1):
        layer = &net.layers[l]
        below = &net.layers[l - 1]
        at = lo * below.distance
        dense_backward_input(
            below.delta + at, below.distance, layer.delta + lo * layer.distance, layer.distance, layer.transposed,
            hi - lo, layer.n_in, layer.n_out)
        activation_backward(
            below.activation, below.delta + at, below.a + at,
            below.z + at if below.z != NULL else NULL, (hi - lo) * below.distance, net.slope)
        if drops(net, below):
            drop_units(net, l - 1, below.delta, below.delta, start, lo, hi, 0, below.n_out)
    if net.inputs_gradient != NULL:
        layer = &net.layers[0]
        dense_backward_input(
            net.inputs_gradient + (start + lo) * layer.n_in, layer.n_in, layer.delta + lo * layer.distance,
            layer.distance, layer.transposed, hi - lo, layer.n_in, layer.n_out)


cdef inline void backward_tile(void* context, Py_ssize_t tile, int part) noexcept nogil:
    """Losses and deltas of one tile."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t lo, hi
    lo, hi = share(net.size, tile, net.tiles)
    backward_rows(net, net.start, lo, hi)


cdef inline void backward_columns(void* context, Py_ssize_t strip, int part) noexcept nogil:
    """A strip of delta of the layer in work, for all samples of the group."""
    cdef Net* net = <Net*> context
    cdef Layer* layer = &net.layers[net.layer]
    cdef Layer* above = layer + 1
    cdef Py_ssize_t i, at, o = strip * STRIP, width = strip_width(o, layer.n_out)
    dense_backward_input(
        layer.delta + o, layer.distance, above.delta, above.distance, above.transposed + o * above.n_out, net.size,
        width, above.n_out)
    for i in range(net.size):
        at = i * layer.distance + o
        activation_backward(
            layer.activation, layer.delta + at, layer.a + at, layer.z + at if layer.z != NULL else NULL, width,
            net.slope)
    if drops(net, layer):
        drop_units(net, net.layer, layer.delta, layer.delta, net.start, 0, net.size, o, width)


cdef inline void bias_gradient(
    Net* net, real* to, const Layer* layer, Py_ssize_t o, const real* delta, Py_ssize_t ldz, Py_ssize_t m,
    Py_ssize_t width, bint accumulate, bint with_update
) noexcept nogil:
    """db of a strip that begins at column o, as strips_gradient makes dW."""
    cdef Py_ssize_t at = layer.biases + o
    if layer.biases >= 0:
        dense_backward_bias(to + at, delta, ldz, m, width, accumulate)
        if with_update:
            update(net, at, to + at, False, width)


cdef inline void sparse_gradient(
    Net* net, real* to, Py_ssize_t first, Py_ssize_t last, Py_ssize_t start, Py_ssize_t row, Py_ssize_t m,
    bint accumulate, bint with_update
) noexcept nogil:
    """What strips_gradient makes for the first layer, where X is sparse: a whole strip at a time."""
    cdef Layer* layer = &net.layers[0]
    cdef Py_ssize_t i, strip, o, at, width
    cdef const real* delta
    for strip in range(first, last):
        o = strip * STRIP
        width = strip_width(o, layer.n_out)
        delta = layer.delta + row * layer.distance + o
        at = layer.weights + o * layer.n_in
        bias_gradient(net, to, layer, o, delta, layer.distance, m, width, accumulate, with_update)
        if not accumulate:
            memset(to + at, 0, layer.n_in * width * sizeof(real))
        for i in range(m):
            sparse_backward_weights(
                to + at, &net.sparse, row_of(net, start + row + i), delta + i * layer.distance, width)
        if with_update:
            update(net, at, to + at, True, layer.n_in * width)


cdef inline void strips_gradient(
    Net* net, real* to, Py_ssize_t l, Py_ssize_t first, Py_ssize_t last, int part, Py_ssize_t start, Py_ssize_t row,
    Py_ssize_t m, bint accumulate, bint with_update
) noexcept nogil:
    """dW and db of the strips first..last of layer l, from m rows of its inputs and of delta from `row` on.

    Row i is sample start + i.

    They go to the flat buffer `to`, or `with_update` straight into the optimizer's step. It goes by BLOCK_ROWS rows
    of W: a gradient that is added to no other is used while it is in the nearest cache, and never stored elsewhere;
    the strips of delta stay near, too. Where there are several, so do the inputs.
    """
    cdef Packed packed
    cdef Square square
    cdef Py_ssize_t lo = 0, rows, at, distance, lda, ldz, strip, width, o
    cdef Layer* layer = &net.layers[l]
    cdef real* gradient
    cdef const real* inputs
    cdef const real* deltas = layer.delta + row * layer.distance
    cdef const real* a
    cdef const real* delta
    cdef bint pack = layer.n_in > BLOCK_ROWS and layer.n_out > STRIP
    if l == 0 and is_sparse(net):
        sparse_gradient(net, to, first, last, start, row, m, accumulate, with_update)
        return
    inputs = inputs_of(net, l, part, &distance) + row * distance
    if pack:
        for strip in range(first, last):
            o = strip * STRIP
            pack_columns(
                packed.delta + (strip - first) * STRIP * GROUP, deltas + o, layer.distance, m,
                strip_width(o, layer.n_out))
    while lo < layer.n_in:
        rows = BLOCK_ROWS if layer.n_in - lo > BLOCK_ROWS else layer.n_in - lo
        a, lda = inputs + lo, distance
        if last - first > 1:
            pack_columns(packed.inputs, inputs + lo, distance, m, rows)
            a, lda = packed.inputs, rows
        for strip in range(first, last):
            o = strip * STRIP
            width = strip_width(o, layer.n_out)
            delta, ldz = deltas + o, layer.distance
            if pack:
                delta, ldz = packed.delta + (strip - first) * STRIP * GROUP, width
            if lo == 0:
                bias_gradient(net, to, layer, o, delta, ldz, m, width, accumulate, with_update)
            at = layer.weights + o * layer.n_in + lo * width
            gradient = to + at
            if with_update and not accumulate:
                gradient = square.at
            dense_backward_weights(gradient, a, lda, delta, ldz, m, rows, width, accumulate)
            if with_update:
                update(net, at, gradient, True, rows * width)
        lo += rows


cdef inline void parameters_panel(void* context, Py_ssize_t item, int part) noexcept nogil:
    """dW and db of some strips of one layer from the rows of the group; then, if due, their step and W^T."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t l, first, last
    first, last = owned_strips(net, item, &l)
    strips_gradient(net, net.gradient, l, first, last, part, net.start, 0, net.size, net.accumulate, net.update)
    if net.update:
        renew_transposed(net, l, first, last)
