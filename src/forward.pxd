"""Forward: A^l = g^l(A^(l-1) W^l + b^l) and the losses, for a tile of samples or for a strip of a layer.

Not here: who calls which of them, and with how many threads (passes.pxd).
"""
from real cimport real
from activations cimport SOFTMAX, activation_forward
from dense cimport STRIP, dense_forward, dense_forward_by_rows, strip_width, strips
from losses cimport loss_forward, softmax_forward
from net cimport Layer, Net, is_sparse, share
from samples cimport (
    drop_units, drops, gather_inputs, gather_targets, gather_weights, inputs_of, outputs_of, row_of,
)
from sparse cimport sparse_forward


cdef inline void forward_layer(
    const Net* net, Layer* layer, real* z, const real* x, Py_ssize_t distance, Py_ssize_t m
) noexcept nogil:
    """Z^l = A^(l-1) W^l + b^l for m samples."""
    cdef const real* theta = net.theta if layer.in_strips else net.parameters
    cdef const real* b = theta + layer.biases if layer.biases >= 0 else NULL
    if layer.in_strips:
        dense_forward(z, layer.distance, x, distance, theta + layer.weights, b, m, layer.n_in, layer.n_out)
    else:
        dense_forward_by_rows(
            z, layer.distance, x, distance, theta + layer.weights, net.theta + layer.weights, b, m, layer.n_in,
            layer.n_out)


cdef inline void forward_sparse(
    const Net* net, Layer* layer, real* z, Py_ssize_t start, Py_ssize_t m
) noexcept nogil:
    """Z^1 = X W^1 + b^1 for the m samples from `start` on of a sparse X."""
    cdef const real* theta = net.theta if layer.in_strips else net.parameters
    cdef const real* W
    cdef const real* b = NULL
    cdef Py_ssize_t i, strip, o, width, ldw
    for strip in range(strips(layer.n_out)):
        o = strip * STRIP
        width = strip_width(o, layer.n_out)
        W, ldw = theta + layer.weights + o, layer.n_out
        if layer.in_strips:
            W, ldw = theta + layer.weights + o * layer.n_in, width
        if layer.biases >= 0:
            b = theta + layer.biases + o
        for i in range(m):
            sparse_forward(z + i * layer.distance + o, &net.sparse, row_of(net, start + i), W, ldw, b, width)


cdef inline void forward_rows(
    const Net* net, Py_ssize_t first, const real* x, Py_ssize_t distance, Py_ssize_t start, Py_ssize_t at,
    Py_ssize_t m, real* outputs, bint keep
) noexcept nogil:
    """A^l = g^l(A^(l-1) W^l + b^l) for m samples and every layer from `first` on, whose inputs x are, or a sparse X.

    They take the rows `at` and following of the buffers, row i is sample start + i; outputs go to `outputs` unless
    it is NULL. With `keep`, z is kept, too, where it is needed.
    """
    cdef Py_ssize_t l
    cdef Layer* layer
    cdef real* a
    cdef real* z
    for l in range(first, net.depth):
        layer = &net.layers[l]
        a = layer.a + at * layer.distance
        if l == net.depth - 1 and outputs != NULL:
            a = outputs
        z = layer.z + at * layer.distance if keep and layer.z != NULL else a
        if l == 0 and is_sparse(net):
            forward_sparse(net, layer, z, start + at, m)
        else:
            forward_layer(net, layer, z, x, distance, m)
        if layer.activation == SOFTMAX:
            softmax_forward(a, net.log_sum + at, z, m, layer.n_out)
        else:
            activation_forward(layer.activation, a, z, m * layer.distance, net.slope)
        x, distance = a, layer.distance
        if drops(net, layer):
            drop_units(net, l, layer.masked, layer.a, start, at, at + m, 0, layer.n_out)
            x = layer.masked + at * layer.distance


cdef inline void predict_tile(void* context, Py_ssize_t tile, int part) noexcept nogil:
    """Outputs of one tile; where there are more rows than the buffers have, every thread has some for itself."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t lo, hi, at, n_in = net.layers[0].n_in, n_out = net.layers[net.depth - 1].n_out
    cdef const real* x = NULL
    lo, hi = share(net.size, tile, net.tiles)
    at = part * net.room if net.room > 0 else lo
    if not is_sparse(net):
        x = net.X + (net.start + lo) * n_in
    forward_rows(
        net, 0, x, n_in, net.start + lo - at, at, hi - lo, net.outputs + (net.start + lo) * n_out, False)


cdef inline void forward_loss(
    Net* net, Py_ssize_t start, Py_ssize_t lo, Py_ssize_t hi, const real** t, const real** w
) noexcept nogil:
    """Losses of rows lo..hi, of which i is sample start + i; their targets and sample weights.

    by_columns layers are done.
    """
    cdef Layer* last = &net.layers[net.depth - 1]
    cdef Py_ssize_t at, distance = net.x_distance
    cdef const real* x
    if net.by_columns == 0:
        x = gather_inputs(net, start, lo, hi)
    else:
        distance = net.layers[net.by_columns - 1].distance
        x = outputs_of(net, &net.layers[net.by_columns - 1]) + lo * distance
    forward_rows(net, net.by_columns, x, distance, start, lo, hi - lo, NULL, True)
    t[0], w[0] = gather_targets(net, start, lo, hi), gather_weights(net, start, lo, hi)
    at = lo * last.n_out
    loss_forward(
        net.loss, last.activation, net.row_loss + lo, net.cost + at, last.a + at, last.z + at, net.log_sum + lo, t[0],
        w[0], net.loss_parameter, hi - lo, last.n_out)


cdef inline void evaluate_tile(void* context, Py_ssize_t tile, int part) noexcept nogil:
    """Losses of one tile."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t lo, hi
    cdef const real* t
    cdef const real* w
    lo, hi = share(net.size, tile, net.tiles)
    forward_loss(net, net.start, lo, hi, &t, &w)


cdef inline void forward_columns(void* context, Py_ssize_t strip, int part) noexcept nogil:
    """A strip of Z and A of the layer in work, for all samples of the group."""
    cdef Net* net = <Net*> context
    cdef Layer* layer = &net.layers[net.layer]
    cdef Py_ssize_t i, distance, o = strip * STRIP, width = strip_width(o, layer.n_out)
    cdef const real* x = inputs_of(net, net.layer, part, &distance)
    cdef const real* b = net.theta + layer.biases + o if layer.biases >= 0 else NULL
    cdef real* a = layer.a + o
    cdef real* z = layer.z + o if layer.z != NULL else a
    dense_forward(
        z, layer.distance, x, distance, net.theta + layer.weights + o * layer.n_in, b, net.size, layer.n_in, width)
    for i in range(net.size):
        activation_forward(layer.activation, a + i * layer.distance, z + i * layer.distance, width, net.slope)
    if drops(net, layer):
        drop_units(net, net.layer, layer.masked, layer.a, net.start, 0, net.size, o, width)


cdef inline double rows_loss(const Net* net, Py_ssize_t row, Py_ssize_t m) noexcept nogil:
    """The sum of the losses of m rows from `row` on, in four sums: one alone would wait for every addition."""
    cdef double[4] total = [0, 0, 0, 0]
    cdef Py_ssize_t i, q
    for i in range(row, row + m - 3, 4):
        for q in range(4):
            total[q] += net.row_loss[i + q]
    for i in range(row + m - m % 4, row + m):
        total[0] += net.row_loss[i]
    return (total[0] + total[1]) + (total[2] + total[3])
