"""What a net's workspace holds, and where: one buffer for the forward pass, one more for the way back.

Each is laid out twice: from NULL on, to see how large it is, and then where it stands. Not here: the place for
rows of X and for packing, which depends on the threads (Network.allocate_for_threads).
"""
from real cimport real
from activations cimport keeps_input
from matrix cimport SLACK, leading_dimension
from net cimport MAX_DATA_PARTS, MICRO_BATCH, WEIGHTS, Layer, Net


cdef inline real* reserve(real** free, Py_ssize_t n) noexcept:
    """n elements of the workspace, aligned and with slack behind them."""
    cdef real* start = free[0]
    free[0] += (n + 2 * SLACK - 1) // SLACK * SLACK
    return start


cdef inline real* lay_out_forward(Net* net, real* free) noexcept:
    """What predict needs: the activations of one micro-batch, and the packed parameters. Where it ends."""
    cdef Py_ssize_t l
    cdef Layer* layer
    for l in range(net.depth):
        layer = &net.layers[l]
        layer.ld = leading_dimension(layer.n_out) if l < net.depth - 1 else layer.n_out
        layer.a = reserve(&free, net.rows * layer.ld)
    net.packed_parameters = reserve(&free, net.n_parameters)
    net.log_sum = reserve(&free, net.rows)
    return free


cdef inline real* lay_out_backward(Net* net, real* free) noexcept:
    """What evaluate, gradient and train need besides. Where it ends."""
    cdef Py_ssize_t l, n_out = net.layers[net.depth - 1].n_out
    cdef Layer* layer
    for l in range(net.depth):
        layer = &net.layers[l]
        if keeps_input(layer.activation) or l == net.depth - 1:
            layer.z = reserve(&free, net.rows * layer.ld)
        layer.delta = reserve(&free, net.rows * layer.ld)
        if layer.dropped > 0:
            layer.masked = reserve(&free, net.rows * layer.ld)
        layer.transposed = reserve(&free, layer.groups[WEIGHTS].rows * layer.n_out)
    net.t = reserve(&free, net.rows * n_out)
    net.cost = reserve(&free, net.rows * n_out)
    net.w = reserve(&free, net.rows)
    net.row_loss = reserve(&free, net.rows)
    net.gradient = reserve(&free, net.n_parameters)
    net.first_moment = reserve(&free, net.n_parameters)
    net.second_moment = reserve(&free, net.n_parameters)
    if net.rows > MICRO_BATCH:
        net.part_stride = (net.n_parameters + SLACK - 1) // SLACK * SLACK
        net.part_gradients = reserve(&free, MAX_DATA_PARTS * net.part_stride)
    return free
