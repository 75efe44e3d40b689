"""What a net's workspace holds, and where: one buffer for the forward pass, one more for the way back.

Each is laid out twice: from NULL on, to see how large it is, and then where it stands. Not here: the place for
rows of X, which depends on the threads (Network.allocate_inputs).
"""
from real cimport real
from activations cimport keeps_input
from dense cimport SLACK, row_distance
from net cimport GROUP, SHARDS, Layer, Net


cdef inline real* reserve(real** free, Py_ssize_t n) noexcept:
    """n elements of the workspace, aligned and with slack behind them."""
    cdef real* start = free[0]
    free[0] += (n + 2 * SLACK - 1) // SLACK * SLACK
    return start


cdef inline real* lay_out_forward(Net* net, real* free) noexcept:
    """What predict needs: the activations of one group, and the weights in strips. Where it ends."""
    cdef Py_ssize_t l
    cdef Layer* layer
    for l in range(net.depth):
        layer = &net.layers[l]
        layer.distance = row_distance(layer.n_out) if l < net.depth - 1 else layer.n_out
        layer.a = reserve(&free, net.rows * layer.distance)
    net.theta = reserve(&free, net.n_parameters)
    net.log_sum = reserve(&free, net.rows)
    return free


cdef inline real* lay_out_backward(Net* net, real* free) noexcept:
    """What evaluate, gradient and train need besides. Where it ends."""
    cdef Py_ssize_t l, n_out = net.layers[net.depth - 1].n_out
    cdef Layer* layer
    for l in range(net.depth):
        layer = &net.layers[l]
        if keeps_input(layer.activation) or l == net.depth - 1:
            layer.z = reserve(&free, net.rows * layer.distance)
        layer.delta = reserve(&free, net.rows * layer.distance)
        if layer.dropped > 0:
            layer.masked = reserve(&free, net.rows * layer.distance)
        layer.transposed = reserve(&free, layer.n_out * layer.n_in)
    net.t = reserve(&free, net.rows * n_out)
    net.cost = reserve(&free, net.rows * n_out)
    net.w = reserve(&free, net.rows)
    net.row_loss = reserve(&free, net.rows)
    net.gradient = reserve(&free, net.n_parameters)
    net.first = reserve(&free, net.n_parameters)
    net.second = reserve(&free, net.n_parameters)
    if net.rows > GROUP:
        net.partial_distance = (net.n_parameters + SLACK - 1) // SLACK * SLACK
        net.partial = reserve(&free, SHARDS * net.partial_distance)
    return free
