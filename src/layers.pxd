"""One layer forward and back, of any kind, for a part of its rows and columns; losses, and delta of the output layer.

    A^l = g^l(Z^l)        delta^l = g'^l(Z^l) * dA^l, where the layer above says what dA^l is

Not here: Z and dA themselves (dense, sparse, scale.pxd); who calls this for which part (schedules.pxd).
"""
from libc.string cimport memset
from real cimport real
from activations cimport SOFTMAX, activation_backward, activation_forward
from losses cimport (
    GIVEN_DERIVATIVE, Outputs, label_smoothing, loss_backward, loss_forward, smooth_targets, softmax_forward,
)
from matrix cimport Matrix, by_rows
from net cimport Layer, Net, Part, row_of, rows_of_part
from samples cimport drop_units, drops, gather_targets, gather_weights, outputs_of


cdef inline void layer_forward(Net* net, Py_ssize_t l, const Part* part, Matrix* x) noexcept nogil:
    """Z and A of a part of layer l from rows x of its inputs; x becomes what the next layer reads."""
    cdef Layer* layer = &net.layers[l]
    cdef Py_ssize_t i, at = part.row * layer.ld + part.column
    cdef real* a = layer.a + at
    cdef real* z
    cdef Matrix of_part
    if l == net.depth - 1 and net.outputs != NULL:
        a = net.outputs + (part.first_sample + part.row) * layer.n_out
    z = layer.z + at if layer.z != NULL and net.outputs == NULL else a
    of_part = by_rows(z, part.rows, part.columns, layer.ld)
    layer.operations.forward(net, layer, part, x, &of_part)
    if layer.activation == SOFTMAX:
        softmax_forward(a, net.log_sum + part.row, z, part.rows, layer.n_out)
    elif part.columns == layer.n_out:
        activation_forward(layer.activation, a, z, part.rows * layer.ld, net.slope)
    else:
        for i in range(part.rows):
            activation_forward(layer.activation, a + i * layer.ld, z + i * layer.ld, part.columns, net.slope)
    if drops(net, layer):
        drop_units(net, l, part, layer.masked, layer.a)
    x[0] = outputs_of(net, layer, part)


cdef inline void layer_backward(Net* net, Py_ssize_t l, const Part* part) noexcept nogil:
    """A part of delta of layer l, from delta of the layer above."""
    cdef Layer* layer = &net.layers[l]
    cdef Layer* above = layer + 1
    cdef Py_ssize_t i, at = part.row * layer.ld + part.column, to
    cdef Matrix delta = rows_of_part(layer.delta, layer, part)
    above.operations.backward_input(net, above, part, &delta)
    if part.columns == layer.n_out:
        activation_backward(
            layer.activation, layer.delta + at, layer.a + at, layer.z + at if layer.z != NULL else NULL,
            part.rows * layer.ld, net.slope)
    else:
        for i in range(part.rows):
            to = at + i * layer.ld
            activation_backward(
                layer.activation, layer.delta + to, layer.a + to, layer.z + to if layer.z != NULL else NULL,
                part.columns, net.slope)
    if drops(net, layer):
        drop_units(net, l, part, layer.delta, layer.delta)


cdef inline void rows_forward(
    Net* net, Py_ssize_t first, Py_ssize_t end, const Part* rows, Matrix* x
) noexcept nogil:
    """All columns of the layers first .. end - 1, for some rows."""
    cdef Part part = rows[0]
    cdef Py_ssize_t l
    part.column = 0
    for l in range(first, end):
        part.columns = net.layers[l].n_out
        layer_forward(net, l, &part, x)


cdef inline Outputs outputs_of_net(Net* net, const Part* part) noexcept nogil:
    """The last layer's for some rows, as the net's loss reads them, without targets and weights."""
    cdef Layer* last = &net.layers[net.depth - 1]
    cdef Py_ssize_t at = part.row * last.n_out
    cdef Outputs outputs
    outputs.loss, outputs.activation, outputs.slope = net.loss, last.activation, net.slope
    outputs.parameters = net.loss_parameters
    outputs.a, outputs.z, outputs.log_sum = last.a + at, last.z + at, net.log_sum + part.row
    outputs.t = outputs.sample_weight = NULL
    outputs.masked = net.masked and last.activation != SOFTMAX
    outputs.m, outputs.n = part.rows, last.n_out
    return outputs


cdef inline void rows_loss(Net* net, const Part* part) noexcept nogil:
    """The losses of some rows and, where a gradient is wanted, delta of the output layer."""
    cdef Layer* last = &net.layers[net.depth - 1]
    cdef Py_ssize_t at = part.row * last.n_out
    cdef Outputs outputs = outputs_of_net(net, part)
    cdef real e = label_smoothing(net.loss, net.loss_parameters)
    outputs.t, outputs.sample_weight = gather_targets(net, part), gather_weights(net, part)
    if e > 0:
        smooth_targets(net.t + at, outputs.t, net.loss, e, part.rows, last.n_out)
        outputs.t = net.t + at
    loss_forward(&outputs, net.row_loss + part.row, net.cost + at)
    if net.backward:
        loss_backward(&outputs, last.delta + at, net.inverse_weight)


cdef inline void rows_output_gradient(Net* net, const Part* part, Py_ssize_t k) noexcept nogil:
    """For some rows: delta of the output layer, where c is output k."""
    cdef Layer* last = &net.layers[net.depth - 1]
    cdef Py_ssize_t i, at = part.row * last.n_out
    cdef Outputs outputs = outputs_of_net(net, part)
    memset(net.t + at, 0, part.rows * last.n_out * sizeof(real))
    for i in range(part.rows):
        net.t[at + i * last.n_out + k] = 1
    outputs.loss, outputs.t = GIVEN_DERIVATIVE, net.t + at
    loss_backward(&outputs, last.delta + at, 1)


cdef inline void rows_backward(Net* net, const Part* rows, real* inputs_gradient) noexcept nogil:
    """For some rows: delta of the hidden layers, from the top down, and dC/dX unless it is NULL.

    Not of layers that go by columns (schedules.pxd), nor below the lowest one that is trained.
    """
    cdef Part part = rows[0]
    cdef Py_ssize_t l, n_in = net.layers[0].n_in
    cdef Matrix dx
    part.column = 0
    for l in range(net.depth - 2, max(net.column_layers, net.lowest_delta) - 1, -1):
        part.columns = net.layers[l].n_out
        layer_backward(net, l, &part)
    if inputs_gradient != NULL:
        part.columns = n_in
        dx = by_rows(
            inputs_gradient + (part.first_sample + part.row) * net.inputs_gradient_stride, part.rows, n_in,
            net.inputs_gradient_stride)
        net.layers[0].operations.backward_input(net, &net.layers[0], &part, &dx)


cdef inline double sum_of_losses(const Net* net, Py_ssize_t row, Py_ssize_t m) noexcept nogil:
    """The sum of the losses of m rows from `row` on, in four sums: one alone would wait for every addition."""
    cdef double[4] total = [0, 0, 0, 0]
    cdef Py_ssize_t i, q
    for i in range(row, row + m - 3, 4):
        for q in range(4):
            total[q] += net.row_loss[i + q]
    for i in range(row + m - m % 4, row + m):
        total[0] += net.row_loss[i]
    return (total[0] + total[1]) + (total[2] + total[3])


cdef inline Py_ssize_t largest(const real* x, Py_ssize_t n) noexcept nogil:
    """Where the largest element stands, the first of several."""
    cdef Py_ssize_t i, at = 0
    for i in range(1, n):
        if x[i] > x[at]:
            at = i
    return at


cdef inline bint is_right(const Net* net, Py_ssize_t row) noexcept nogil:
    """Whether a sample in work got its class: of softmax the largest output's, of one sigmoid 1 from 0.5 on."""
    cdef Layer* last = &net.layers[net.depth - 1]
    cdef const real* a = last.a + row * last.n_out
    cdef Py_ssize_t at = row_of(net, net.first_sample + row)
    if last.activation != SOFTMAX:
        return (a[0] >= 0.5) == (net.data.targets[at] >= 0.5)
    if net.data.labels != NULL:
        return largest(a, last.n_out) == net.data.labels[at]
    return largest(a, last.n_out) == largest(net.data.targets + at * last.n_out, last.n_out)
