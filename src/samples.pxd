"""The samples of the group in work: their rows of X, targets and weights, and what each layer reads of them.

Whatever has a row for each sample stands in buffers of the workspace; net.order says which row of the data a sample
is. Rows that stand in order are used in place, unless somebody reads beyond their end.
"""
from libc.stdint cimport uint32_t
from real cimport real
from dropout cimport drop, key_of
from net cimport GROUP, Layer, Net, is_sparse
from vector cimport LANES, load, load_lanes, store, store_lanes


cdef inline Py_ssize_t row_of(const Net* net, Py_ssize_t sample) noexcept nogil:
    """Which row of X, targets and sample weights a sample is."""
    return sample if net.order == NULL else net.order[sample]


cdef inline const real* gather(
    const Net* net, real* buffer, Py_ssize_t distance, const real* data, Py_ssize_t n, Py_ssize_t start,
    Py_ssize_t lo, Py_ssize_t hi, bint always
) noexcept nogil:
    """Rows of data (rows, n) for rows lo..hi of the buffer, of which i is sample start + i.

    They are used in place if they stand in order and not `always`, else copied.
    """
    cdef Py_ssize_t i, v, whole = n // LANES, rest = n % LANES
    cdef const real* row
    cdef real* to
    if net.order == NULL and not always:
        return data + (start + lo) * n
    for i in range(lo, hi):
        row = data + row_of(net, start + i) * n
        to = buffer + i * distance
        for v in range(whole):
            store(to + v * LANES, load(row + v * LANES))
        store_lanes(to + whole * LANES, load_lanes(row + whole * LANES, rest), rest)
    return buffer + lo * distance


cdef inline const real* gather_inputs(
    const Net* net, Py_ssize_t start, Py_ssize_t lo, Py_ssize_t hi
) noexcept nogil:
    """Rows of X; with `backward` always a copy, for the way back reads beyond its end. NULL if X is sparse."""
    if is_sparse(net):
        return NULL
    return gather(net, net.x, net.x_distance, net.X, net.layers[0].n_in, start, lo, hi, net.backward)


cdef inline const real* gather_targets(
    const Net* net, Py_ssize_t start, Py_ssize_t lo, Py_ssize_t hi
) noexcept nogil:
    """Rows of targets; a label becomes a one-hot row."""
    cdef Py_ssize_t n = net.layers[net.depth - 1].n_out, i
    if net.labels == NULL:
        return gather(net, net.t, n, net.targets, n, start, lo, hi, False)
    for i in range(lo * n, hi * n):
        net.t[i] = 0
    for i in range(lo, hi):
        net.t[i * n + net.labels[row_of(net, start + i)]] = 1
    return net.t + lo * n


cdef inline const real* gather_weights(
    const Net* net, Py_ssize_t start, Py_ssize_t lo, Py_ssize_t hi
) noexcept nogil:
    """Sample weights, NULL for ones."""
    if net.sample_weight == NULL:
        return NULL
    return gather(net, net.w, 1, net.sample_weight, 1, start, lo, hi, False)


cdef inline double batch_weight(const Net* net, Py_ssize_t start, Py_ssize_t size) noexcept nogil:
    """Sum of the sample weights of samples start .. start + size."""
    cdef double total = 0
    cdef Py_ssize_t i
    if net.sample_weight == NULL:
        return size
    for i in range(start, start + size):
        total += net.sample_weight[row_of(net, i)]
    return total


cdef inline bint drops(const Net* net, const Layer* layer) noexcept nogil:
    """Whether units of a layer are left out now."""
    return net.dropping and layer.masked != NULL


cdef inline void drop_units(
    const Net* net, Py_ssize_t l, real* y, const real* x, Py_ssize_t start, Py_ssize_t lo, Py_ssize_t hi,
    Py_ssize_t o, Py_ssize_t n
) noexcept nogil:
    """y is x with dropout: columns o .. o + n of rows lo..hi, of which i is sample start + i, in buffers like A."""
    cdef Layer* layer = &net.layers[l]
    cdef Py_ssize_t i, at
    for i in range(lo, hi):
        at = i * layer.distance + o
        drop(y + at, x + at, key_of(net.seed, start + i, l), layer.dropped, layer.kept, <uint32_t> o, n)


cdef inline const real* outputs_of(const Net* net, const Layer* layer) noexcept nogil:
    """What the layer above reads: A, or what dropout made of it."""
    return layer.masked if drops(net, layer) else layer.a


cdef inline const real* inputs_of(Net* net, Py_ssize_t l, int part, Py_ssize_t* distance) noexcept nogil:
    """The inputs of layer l for all samples of the group.

    Those of the first layer were gathered tile by tile; but where it is shared out by columns, every thread gathers
    them for itself, for a core reads what another one has just written slower than X.
    """
    cdef real* x
    if l > 0:
        distance[0] = net.layers[l - 1].distance
        return outputs_of(net, &net.layers[l - 1])
    distance[0] = net.x_distance
    if net.by_columns == 0:
        return net.x
    x = net.x + part * GROUP * net.x_distance
    if net.copied[part] != net.number:
        gather(net, x, net.x_distance, net.X, net.layers[0].n_in, net.start, 0, net.size, True)
        net.copied[part] = net.number
    return x
