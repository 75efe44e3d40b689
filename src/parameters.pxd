"""Where the parameters stand, by rows, in strips and transposed, and the optimizer's steps of them.

The user sees W by rows. The core works with it in strips, and on the way back with W^T in strips; gradients and
moments stand in strips, too.
"""
from libc.string cimport memcpy
from real cimport real
from dense cimport BIG, STRIP, rows_to_strips, strips, strips_to_rows, transpose_strip
from net cimport Layer, Net, is_sparse, owned_strips
from optimizers cimport optimizer_step
from vector cimport sum_of_squares


cdef inline void to_strips(const Net* net, real* to, const real* parameters, Py_ssize_t l) noexcept nogil:
    """Layer l's part of a flat buffer, W by rows, to one with W in strips."""
    cdef Layer* layer = &net.layers[l]
    rows_to_strips(to + layer.weights, parameters + layer.weights, layer.n_in, layer.n_out)
    if layer.biases >= 0:
        memcpy(to + layer.biases, parameters + layer.biases, layer.n_out * sizeof(real))


cdef inline void from_strips(const Net* net, real* to, const real* theta, Py_ssize_t l) noexcept nogil:
    """The way back."""
    cdef Layer* layer = &net.layers[l]
    strips_to_rows(to + layer.weights, theta + layer.weights, layer.n_in, layer.n_out)
    if layer.biases >= 0:
        memcpy(to + layer.biases, theta + layer.biases, layer.n_out * sizeof(real))


cdef inline void to_strips_all(const Net* net, real* to, const real* parameters) noexcept nogil:
    cdef Py_ssize_t l
    for l in range(net.depth):
        to_strips(net, to, parameters, l)


cdef inline void from_strips_all(const Net* net, real* to, const real* theta) noexcept nogil:
    cdef Py_ssize_t l
    for l in range(net.depth):
        from_strips(net, to, theta, l)


cdef inline void choose_weights(Net* net, bint train, bint shared) noexcept nogil:
    """Decide where to read each W from, and bring it there: from strips to train, else a big W that tiles share.

    A sparse X reads few rows of W, which stays where it is.
    """
    cdef Layer* layer
    cdef Py_ssize_t l
    for l in range(net.depth):
        layer = &net.layers[l]
        layer.in_strips = train or (
            shared and layer.n_in * layer.n_out >= BIG and not (l == 0 and is_sparse(net)))
        if layer.in_strips:
            to_strips(net, net.theta, net.parameters, l)


cdef inline void transpose_strips(Net* net, Py_ssize_t l, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """W^T of the strips first..last of layer l."""
    cdef Layer* layer = &net.layers[l]
    cdef Py_ssize_t strip, o
    for strip in range(first, last):
        o = strip * STRIP
        transpose_strip(layer.transposed, net.theta + layer.weights + o * layer.n_in, o, layer.n_in, layer.n_out)


cdef inline void renew_transposed(Net* net, Py_ssize_t l, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """W^T after a step of the strips first..last of layer l; of the first layer nobody reads it."""
    if l > 0:
        transpose_strips(net, l, first, last)


cdef inline void transpose_weights(Net* net, Py_ssize_t first) noexcept nogil:
    """W^T of the layers from `first` on; steps keep all but the first layer's up to date."""
    cdef Py_ssize_t l
    for l in range(first, net.depth):
        transpose_strips(net, l, 0, strips(net.layers[l].n_out))


cdef inline double squared_weights(const Net* net) noexcept nogil:
    """The sum of the squares of all weights, which stand in strips; biases do not count."""
    cdef double total = 0
    cdef Py_ssize_t l
    for l in range(net.depth):
        total += sum_of_squares(net.theta + net.layers[l].weights, net.layers[l].n_in * net.layers[l].n_out)
    return total


cdef inline void update(Net* net, Py_ssize_t at, const real* gradient, bint penalized, Py_ssize_t n) noexcept nogil:
    """The optimizer's step of the parameters at .. at + n."""
    optimizer_step(&net.step, net.theta + at, net.first + at, net.second + at, gradient, penalized, n)


cdef inline void clipped_update(Net* net, Py_ssize_t at, bint penalized, Py_ssize_t n) noexcept nogil:
    """The step of the parameters at .. at + n from their gradient times `clipping`."""
    cdef Py_ssize_t i
    cdef real* gradient = net.gradient + at
    cdef real factor = net.clipping
    for i in range(n):
        gradient[i] *= factor
    update(net, at, gradient, penalized, n)


cdef inline void clipped_panel(void* context, Py_ssize_t item, int part) noexcept nogil:
    """The optimizer's step of some strips of one layer, from the whole gradient times `clipping`; then W^T."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t l, first, last, o, width
    cdef Layer* layer
    first, last = owned_strips(net, item, &l)
    layer = &net.layers[l]
    o = first * STRIP
    width = min(last * STRIP, layer.n_out) - o
    clipped_update(net, layer.weights + o * layer.n_in, True, width * layer.n_in)
    if layer.biases >= 0:
        clipped_update(net, layer.biases + o, False, width)
    renew_transposed(net, l, first, last)
