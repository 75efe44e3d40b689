"""The samples in work: their rows of X, targets and weights, and what each layer reads of them.

Whatever has a row for each sample stands in buffers of the workspace; the order says which row of the data a sample
is. Rows that stand in order are used in place, unless somebody reads beyond their end.
"""
from libc.stdint cimport uint32_t
from real cimport real
from dropout cimport drop, key_of
from matrix cimport Matrix, by_rows, rows_of
from net cimport MICRO_BATCH, Layer, Net, Part, is_sparse, row_of
from vector cimport LANES, load, load_lanes, store, store_lanes


cdef inline Matrix gather(
    const Net* net, const Part* part, Matrix buffer, const real* data, bint always
) noexcept nogil:
    """The part's rows of data (rows, n): in place if they stand in order and not `always`, else in the buffer."""
    cdef Py_ssize_t i, v, n = buffer.columns, whole = n // LANES, rest = n % LANES
    cdef const real* row
    cdef real* to
    if net.data.order == NULL and not always:
        return by_rows(data + (part.first_sample + part.row) * n, part.rows, n, n)
    buffer = rows_of(buffer, part.row, part.rows)
    for i in range(part.rows):
        row = data + row_of(net, part.first_sample + part.row + i) * n
        to = buffer.data + i * buffer.row_stride
        for v in range(whole):
            store(to + v * LANES, load(row + v * LANES))
        store_lanes(to + whole * LANES, load_lanes(row + whole * LANES, rest), rest)
    return buffer


cdef inline Matrix inputs_buffer(const Net* net, Py_ssize_t copy) noexcept nogil:
    """One of the buffers of inputs."""
    return by_rows(net.x + copy * MICRO_BATCH * net.ldx, 0, net.layers[0].n_in, net.ldx)


cdef inline Matrix gather_inputs(const Net* net, const Part* part) noexcept nogil:
    """Rows of X; with `backward` always a copy, for the way back reads beyond its end. No data if X is sparse."""
    if is_sparse(net):
        return by_rows(NULL, part.rows, 0, 0)
    return gather(net, part, inputs_buffer(net, 0), net.data.X, net.backward)


cdef inline const real* gather_targets(const Net* net, const Part* part) noexcept nogil:
    """Rows of targets; a label becomes a one-hot row."""
    cdef Py_ssize_t n = net.layers[net.depth - 1].n_out, i
    if net.data.labels == NULL:
        return gather(net, part, by_rows(net.t, 0, n, n), net.data.targets, False).data
    for i in range(part.row * n, (part.row + part.rows) * n):
        net.t[i] = 0
    for i in range(part.row, part.row + part.rows):
        net.t[i * n + net.data.labels[row_of(net, part.first_sample + i)]] = 1
    return net.t + part.row * n


cdef inline const real* gather_weights(const Net* net, const Part* part) noexcept nogil:
    """Sample weights, NULL for ones."""
    if net.data.sample_weight == NULL:
        return NULL
    return gather(net, part, by_rows(net.w, 0, 1, 1), net.data.sample_weight, False).data


cdef inline double batch_weight(const Net* net, Py_ssize_t first_sample, Py_ssize_t size) noexcept nogil:
    """Sum of the sample weights of so many samples."""
    cdef double total = 0
    cdef Py_ssize_t i
    if net.data.sample_weight == NULL:
        return size
    for i in range(first_sample, first_sample + size):
        total += net.data.sample_weight[row_of(net, i)]
    return total


cdef inline bint drops(const Net* net, const Layer* layer) noexcept nogil:
    """Whether units of a layer are left out now."""
    return net.training and layer.masked != NULL


cdef inline void drop_units(
    const Net* net, Py_ssize_t l, const Part* part, real* y, const real* x
) noexcept nogil:
    """y is x with dropout, a part of buffers like A."""
    cdef Layer* layer = &net.layers[l]
    cdef Py_ssize_t i, at
    for i in range(part.row, part.row + part.rows):
        at = i * layer.ld + part.column
        drop(y + at, x + at, key_of(net.seed, part.first_sample + i, l), layer.dropped, layer.kept,
             <uint32_t> part.column, part.columns)


cdef inline Matrix outputs_of(const Net* net, const Layer* layer, const Part* part) noexcept nogil:
    """What the layer above reads of some rows: A, or what dropout made of it."""
    return by_rows(
        (layer.masked if drops(net, layer) else layer.a) + part.row * layer.ld, part.rows, layer.n_out, layer.ld)


cdef inline Matrix inputs_of(Net* net, Py_ssize_t l, const Part* part) noexcept nogil:
    """Rows of the inputs of layer l.

    Those of the first layer were gathered by row blocks; but where it is shared out by columns, every thread gathers
    them for itself, for a core reads what another one has just written slower than X.
    """
    cdef Matrix x
    cdef Part all_rows
    if l > 0:
        return outputs_of(net, &net.layers[l - 1], part)
    if is_sparse(net):
        return by_rows(NULL, part.rows, 0, 0)
    if net.column_layers == 0:
        return rows_of(inputs_buffer(net, 0), part.row, part.rows)
    x = inputs_buffer(net, part.thread)
    if net.copy_id[part.thread] != net.micro_batch_id:
        all_rows.row, all_rows.rows, all_rows.first_sample = 0, net.size, net.first_sample
        gather(net, &all_rows, x, net.data.X, True)
        net.copy_id[part.thread] = net.micro_batch_id
    return rows_of(x, part.row, part.rows)
