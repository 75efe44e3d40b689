"""Shards of a large batch, where the weights are few: the gradient of each is made apart, then all are added.

So a thread reads no activations of another one. What makes a shard does not depend on the number of threads.
"""
from libc.string cimport memcpy
from real cimport real
from backward cimport backward_rows, strips_gradient
from dense cimport SQUARE, STRIP, Square, strips
from forward cimport rows_loss
from net cimport SHARD, TILE, Layer, Net, owned_strips, share
from parameters cimport renew_transposed, update


cdef inline void backward_shard(void* context, Py_ssize_t shard, int part) noexcept nogil:
    """The loss and the gradient of one shard, SHARD samples at a time in the thread's own rows, tile by tile."""
    cdef Net* net = <Net*> context
    cdef real* gradient = net.partial + shard * net.partial_distance
    cdef double loss = net.shard_loss[shard] if net.accumulate else 0
    cdef Py_ssize_t lo, hi, start, end, first, last, piece, pieces, tile, tiles, l, strip, sample, row = part * SHARD
    lo, hi = share(net.size, shard, net.shards)
    pieces = (hi - lo + SHARD - 1) // SHARD
    for piece in range(pieces):
        start, end = share(hi - lo, piece, pieces)
        sample = net.start + lo + start - row
        tiles = (end - start + TILE - 1) // TILE
        for tile in range(tiles):
            first, last = share(end - start, tile, tiles)
            backward_rows(net, sample, row + first, row + last)
        for l in range(net.depth):
            for strip in range(strips(net.layers[l].n_out)):
                strips_gradient(
                    net, gradient, l, strip, strip + 1, part, sample, row, end - start,
                    net.accumulate or piece > 0, False)
        loss += rows_loss(net, row, end - start)
    net.shard_loss[shard] = loss


cdef inline void add_shards(Net* net, Py_ssize_t at, Py_ssize_t n, bint penalized) noexcept nogil:
    """The gradient at .. at + n: the sum of those of the shards, in their order; then, if due, the step.

    It goes by SQUARE elements, so that the sum is used while it is in the nearest cache.
    """
    cdef Square square
    cdef real* gradient
    cdef const real* partial
    cdef Py_ssize_t i, size, end = at + n, shard
    while at < end:
        size = min(end - at, SQUARE)
        gradient = square.at if net.update else net.gradient + at
        memcpy(gradient, net.partial + at, size * sizeof(real))
        for shard in range(1, net.shards):
            partial = net.partial + shard * net.partial_distance + at
            for i in range(size):
                gradient[i] += partial[i]
        if net.update:
            update(net, at, gradient, penalized, size)
        at += size


cdef inline void shards_panel(void* context, Py_ssize_t item, int part) noexcept nogil:
    """dW and db of some strips of one layer from those of the shards; then, if due, their step and W^T."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t l, first, last, o, width
    cdef Layer* layer
    first, last = owned_strips(net, item, &l)
    layer = &net.layers[l]
    o = first * STRIP
    width = min(last * STRIP, layer.n_out) - o
    add_shards(net, layer.weights + o * layer.n_in, width * layer.n_in, True)
    if layer.biases >= 0:
        add_shards(net, layer.biases + o, width, False)
    if net.update:
        renew_transposed(net, l, first, last)


cdef inline double shards_loss(const Net* net) noexcept nogil:
    """The sum of the losses of the shards, in their order."""
    cdef double total = 0
    cdef Py_ssize_t shard
    for shard in range(net.shards):
        total += net.shard_loss[shard]
    return total
