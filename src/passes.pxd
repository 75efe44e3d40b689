"""The passes through all layers: rows forward, rows backward, parameters updated; and the step made of them.

One step is

    for each group:   for each tile: forward, loss, delta of every layer       items independent of each other
                      for each panel of weights: gradient (+ optimizer step)   items independent of each other

with the steps of the optimizer in a line of their own, after the length of the gradient, where that is clipped;
or, where the weights are many and the samples few, so that threads had better share out columns (team_for_columns):

    for each group:   for each layer but the last: for each strip: a strip of Z and A
                      for each tile: the last layer forward, loss, its delta
                      for each layer but the last, backward: for each strip: a strip of delta
                      for each panel of weights: gradient (+ optimizer step)

or, where the weights are few and the samples many (shards):

    for each window:  for each shard: forward, loss, deltas, gradient of its own samples
    for each panel of weights: sum of the shards' gradients (+ optimizer step)

The items of a line may run on any thread in any order: each writes its own part of the buffers, and every sum has
one fixed order, however a group is cut into tiles or a layer into strips; shards and windows are the same for any
number of threads. That is why results are the same bits.
"""
from libc.math cimport sqrt
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset
from real cimport real
from activations cimport SOFTMAX, activation_backward, activation_forward
from dense cimport (
    BIG, BLOCK_ROWS, SQUARE, STRIP, Square, dense_backward_bias, dense_backward_input, dense_backward_weights,
    dense_forward, dense_forward_by_rows, pack_columns, rows_to_strips, strip_width, strips, strips_to_rows,
    transpose_strip,
)
from dropout cimport drop, key_of
from losses cimport loss_backward, loss_forward, softmax_forward
from net cimport (
    GROUP, PACKED, PACKED_INPUTS, SHARD, TILE, Layer, Net, is_sparse, owned_strips, panels, share, team_for_columns,
)
from optimizers cimport optimizer_step
from sparse cimport sparse_backward_weights, sparse_forward
from vector cimport LANES, load, load_lanes, store, store_lanes, sum_of_squares

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

cdef extern from "threads.h" nogil:
    void parallel_for(void (*work)(void* context, Py_ssize_t item, int part) noexcept nogil, void* context,
                      Py_ssize_t items, int threads)


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


cdef inline bint drops(const Net* net, const Layer* layer) noexcept nogil:
    """Whether units of a layer are left out now."""
    return net.dropping and layer.masked != NULL


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


cdef inline void evaluate_tile(void* context, Py_ssize_t tile, int part) noexcept nogil:
    """Losses of one tile."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t lo, hi
    cdef const real* t
    cdef const real* w
    lo, hi = share(net.size, tile, net.tiles)
    forward_loss(net, net.start, lo, hi, &t, &w)


cdef inline void backward_tile(void* context, Py_ssize_t tile, int part) noexcept nogil:
    """Losses and deltas of one tile."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t lo, hi
    lo, hi = share(net.size, tile, net.tiles)
    backward_rows(net, net.start, lo, hi)


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


cdef inline void clipped_update(Net* net, Py_ssize_t at, bint penalized, Py_ssize_t n) noexcept nogil:
    """The step of the parameters at .. at + n from their gradient times `clipping`."""
    cdef Py_ssize_t i
    cdef real* gradient = net.gradient + at
    cdef real factor = net.clipping
    for i in range(n):
        gradient[i] *= factor
    update(net, at, gradient, penalized, n)


cdef inline void run(
    Net* net, void (*work)(void*, Py_ssize_t, int) noexcept nogil, Py_ssize_t items
) noexcept nogil:
    """Run the items of one line."""
    parallel_for(work, net, items, net.team)


cdef inline void run_evaluate(Net* net) noexcept nogil:
    """The losses of the group's rows."""
    net.by_columns = 0
    run(net, evaluate_tile, net.tiles)


cdef inline void run_backward(Net* net) noexcept nogil:
    """The losses of the group's rows, and delta of every layer."""
    cdef int team = team_for_columns(net)
    net.by_columns = 0
    if team > 1:
        net.by_columns, net.team = net.depth - 1, team
    for net.layer in range(net.by_columns):
        run(net, forward_columns, strips(net.layers[net.layer].n_out))
    run(net, backward_tile, net.tiles)
    for net.layer in range(net.by_columns - 1, -1, -1):
        run(net, backward_columns, strips(net.layers[net.layer].n_out))


cdef inline void run_panels(Net* net, void (*work)(void*, Py_ssize_t, int) noexcept nogil) noexcept nogil:
    """Run all panels of weights."""
    cdef Py_ssize_t l, items = 0
    for l in range(net.depth):
        items += panels(net, l)
    run(net, work, items)


cdef inline void run_shards(Net* net) noexcept nogil:
    """The losses and the gradients of all shards."""
    net.by_columns = 0
    run(net, backward_shard, net.shards)


cdef inline double shards_loss(const Net* net) noexcept nogil:
    """The sum of the losses of the shards, in their order."""
    cdef double total = 0
    cdef Py_ssize_t shard
    for shard in range(net.shards):
        total += net.shard_loss[shard]
    return total


cdef inline void run_clipped(Net* net, Py_ssize_t n_parameters, double clip_norm) noexcept nogil:
    """The optimizer's step from the whole gradient, which is made as short as clip_norm if it is longer."""
    cdef double norm = sqrt(sum_of_squares(net.gradient, n_parameters))
    net.clipping = <real> (clip_norm / norm if norm > clip_norm else 1)
    run_panels(net, clipped_panel)


cdef inline double batch_weight(const Net* net, Py_ssize_t start, Py_ssize_t size) noexcept nogil:
    """Sum of the sample weights of samples start .. start + size."""
    cdef double total = 0
    cdef Py_ssize_t i
    if net.sample_weight == NULL:
        return size
    for i in range(start, start + size):
        total += net.sample_weight[row_of(net, i)]
    return total
