"""The passes through all layers: rows forward, rows backward, parameters updated; and the step made of them.

A batch is walked in groups of GROUP samples at most, a group in tiles of TILE samples, so that the workspace does not
grow with the data and a tile's activations stay in the cache from the forward to the backward pass. One step is

    for each group:   for each tile: forward, loss, delta of every layer      items independent of each other
                      for each strip of weights: gradient (+ optimizer step)  items independent of each other

The items of a line may run on any thread in any order: each writes its own part of the buffers, and every sum has
one fixed order, however a group is cut into tiles. That is why results are the same bits for any number of threads.
"""
from libc.stdint cimport int64_t
from libc.string cimport memcpy
from real cimport real
from activations cimport SOFTMAX, activation_backward, activation_forward
from dense cimport (
    BIG, BLOCK_ROWS, SLACK, SQUARE, STRIP, dense_backward_bias, dense_backward_input, dense_backward_weights,
    dense_forward, dense_forward_by_rows, pack_columns, rows_to_strips, strip_width, strips, strips_to_rows,
    transpose_strip,
)
from losses cimport loss_backward, loss_forward, softmax_forward
from optimizers cimport Step, optimizer_step

cdef extern from *:
    """
    #define PACKED (256 * STRIP)
    """
    enum:
        PACKED      # elements of a strip of GROUP samples

cdef extern from "threads.h" nogil:
    void parallel_for(void (*work)(void* context, Py_ssize_t item) noexcept nogil, void* context, Py_ssize_t items,
                      int threads)

cdef enum:
    TILE = 64       # samples that go through all layers together
    GROUP = 256     # samples whose activations are kept for one product A^T dZ
    PER_THREAD = 1500000    # products that are worth another thread

cdef struct Layer:
    Py_ssize_t n_in, n_out
    int activation
    Py_ssize_t weights          # where W (n_in, n_out) stands in the flat buffers
    Py_ssize_t biases           # where b (n_out,) stands, -1 for none
    Py_ssize_t first_strip      # number of the layer's first strip of weights
    Py_ssize_t distance         # elements from row to row in z, a and delta; n_out in the output layer
    bint in_strips              # whether the core reads W and b from theta, else from the parameters
    real* transposed            # W^T in strips
    real* z                     # (GROUP, distance); NULL where the derivative needs only a
    real* a                     # (GROUP, distance)
    real* delta                 # (GROUP, distance)

cdef struct Net:
    # the net
    Py_ssize_t depth, n_strips
    Layer* layers
    int loss
    real slope
    int threads                 # that may be used at most
    Py_ssize_t n_weights
    bint big                    # whether there is a W that does not stay in the cache
    real* parameters            # flat, W by rows: what the user sees
    real* theta                 # the same with every W in strips: what the core works with; and beside it, alike:
    real* gradient
    real* first                 # the optimizer's moments
    real* second
    # the data
    const real* X               # (rows, n_in of the first layer)
    const real* targets         # (rows, n_out of the last layer), or NULL:
    const int64_t* labels       # (rows,)
    const real* sample_weight   # (rows,), or NULL for ones
    const int64_t* order        # the i-th sample is row order[i], or NULL: row i
    # the group in work
    Py_ssize_t start, size      # its samples: start .. start + size
    Py_ssize_t tiles            # it is shared out in
    real scale                  # 1 / sum of the weights of the batch
    bint accumulate             # whether the batch had a group before
    bint update                 # whether the gradient is complete and the optimizer's turn has come
    Step step
    real decay
    real* outputs               # (rows, n_out) where predictions go, or NULL
    real* inputs_gradient       # (rows, n_in) where dC/dX goes, or NULL
    # workspace, a row per sample of the group
    bint backward               # whether a gradient is wanted
    real* x                     # inputs, where they are gathered
    Py_ssize_t x_distance       # elements from row to row of the inputs, gathered or not
    real* t
    real* w
    real* cost
    real* log_sum
    real* row_loss


cdef inline const real* gather(
    const Net* net, real* buffer, Py_ssize_t distance, const real* data, Py_ssize_t n, Py_ssize_t lo, Py_ssize_t hi,
    bint always
) noexcept nogil:
    """The rows of data (rows, n) of samples lo..hi: in place if they stand in order and not `always`, else copied."""
    cdef Py_ssize_t i, j
    cdef const real* row
    cdef real* to
    if net.order == NULL and not always:
        return data + (net.start + lo) * n
    for i in range(lo, hi):
        row = data + (net.start + i if net.order == NULL else net.order[net.start + i]) * n
        to = buffer + i * distance
        for j in range(n):
            to[j] = row[j]
    return buffer + lo * distance


cdef inline const real* gather_inputs(const Net* net, Py_ssize_t lo, Py_ssize_t hi) noexcept nogil:
    """The rows of X of samples lo..hi; with `backward` always a copy, for the way back reads beyond its end."""
    return gather(net, net.x, net.x_distance, net.X, net.layers[0].n_in, lo, hi, net.backward)


cdef inline const real* gather_targets(const Net* net, Py_ssize_t lo, Py_ssize_t hi) noexcept nogil:
    """The targets of samples lo..hi; a label becomes a one-hot row."""
    cdef Py_ssize_t n = net.layers[net.depth - 1].n_out, i
    if net.labels == NULL:
        return gather(net, net.t, n, net.targets, n, lo, hi, False)
    for i in range(lo * n, hi * n):
        net.t[i] = 0
    for i in range(lo, hi):
        net.t[i * n + net.labels[net.order[net.start + i] if net.order != NULL else net.start + i]] = 1
    return net.t + lo * n


cdef inline const real* gather_weights(const Net* net, Py_ssize_t lo, Py_ssize_t hi) noexcept nogil:
    """The sample weights of samples lo..hi, NULL for ones."""
    if net.sample_weight == NULL:
        return NULL
    return gather(net, net.w, 1, net.sample_weight, 1, lo, hi, False)


cdef inline void forward_rows(
    Net* net, const real* x, Py_ssize_t lo, Py_ssize_t hi, bint keep
) noexcept nogil:
    """A^l = g^l(A^(l-1) W^l + b^l) for samples lo..hi and every layer; with `keep`, z too where it is needed."""
    cdef Py_ssize_t l, m = hi - lo, distance = net.x_distance
    cdef const real* b
    cdef Layer* layer
    cdef real* a
    cdef real* z
    for l in range(net.depth):
        layer = &net.layers[l]
        a = layer.a + lo * layer.distance
        if l == net.depth - 1 and net.outputs != NULL:
            a = net.outputs + (net.start + lo) * layer.n_out
        z = layer.z + lo * layer.distance if keep and layer.z != NULL else a
        b = net.parameters + layer.biases if layer.biases >= 0 else NULL
        if layer.in_strips:
            b = net.theta + layer.biases if layer.biases >= 0 else NULL
            dense_forward(
                z, layer.distance, x, distance, net.theta + layer.weights, b, m, layer.n_in, layer.n_out)
        else:
            dense_forward_by_rows(
                z, layer.distance, x, distance, net.parameters + layer.weights, net.theta + layer.weights, b, m,
                layer.n_in, layer.n_out)
        if layer.activation == SOFTMAX:
            softmax_forward(a, net.log_sum + lo, z, m, layer.n_out)
        else:
            activation_forward(layer.activation, a, z, m * layer.distance, net.slope)
        x, distance = a, layer.distance


cdef inline void tile_bounds(const Net* net, Py_ssize_t tile, Py_ssize_t* lo, Py_ssize_t* hi) noexcept nogil:
    """The samples lo..hi of a tile; all tiles of a group are equally large, within one."""
    lo[0] = tile * net.size // net.tiles
    hi[0] = (tile + 1) * net.size // net.tiles


cdef inline void predict_tile(void* context, Py_ssize_t tile) noexcept nogil:
    """Outputs of one tile."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t lo, hi
    tile_bounds(net, tile, &lo, &hi)
    forward_rows(net, gather_inputs(net, lo, hi), lo, hi, False)


cdef inline void forward_tile(Net* net, Py_ssize_t tile, const real** t, const real** w) noexcept nogil:
    """Losses of the rows of one tile, its targets and its sample weights."""
    cdef Layer* last = &net.layers[net.depth - 1]
    cdef Py_ssize_t lo, hi, at
    tile_bounds(net, tile, &lo, &hi)
    forward_rows(net, gather_inputs(net, lo, hi), lo, hi, True)
    t[0], w[0] = gather_targets(net, lo, hi), gather_weights(net, lo, hi)
    at = lo * last.n_out
    loss_forward(
        net.loss, last.activation, net.row_loss + lo, net.cost + at, last.a + at, last.z + at, net.log_sum + lo, t[0],
        w[0], hi - lo, last.n_out)


cdef inline void evaluate_tile(void* context, Py_ssize_t tile) noexcept nogil:
    """Losses of one tile."""
    cdef const real* t
    cdef const real* w
    forward_tile(<Net*> context, tile, &t, &w)


cdef inline void backward_tile(void* context, Py_ssize_t tile) noexcept nogil:
    """Losses of one tile, and delta^l = g'^l(Z^l) * (delta^(l+1) W^(l+1)^T) of every layer."""
    cdef Net* net = <Net*> context
    cdef Layer* layer = &net.layers[net.depth - 1]
    cdef Layer* below
    cdef Py_ssize_t lo, hi, at, l
    cdef const real* t
    cdef const real* w
    forward_tile(net, tile, &t, &w)
    tile_bounds(net, tile, &lo, &hi)
    at = lo * layer.n_out
    loss_backward(
        net.loss, layer.activation, layer.delta + at, layer.a + at, layer.z + at, t, w, net.scale, hi - lo,
        layer.n_out, net.slope)
    for l in range(net.depth - 1, 0, -1):
        layer = &net.layers[l]
        below = &net.layers[l - 1]
        at = lo * below.distance
        dense_backward_input(
            below.delta + at, below.distance, layer.delta + lo * layer.distance, layer.distance, layer.transposed,
            hi - lo, layer.n_in, layer.n_out)
        activation_backward(
            below.activation, below.delta + at, below.a + at,
            below.z + at if below.z != NULL else NULL, (hi - lo) * below.distance, net.slope)
    if net.inputs_gradient != NULL:
        layer = &net.layers[0]
        dense_backward_input(
            net.inputs_gradient + (net.start + lo) * layer.n_in, layer.n_in, layer.delta + lo * layer.distance,
            layer.distance, layer.transposed, hi - lo, layer.n_in, layer.n_out)


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


cdef inline int threads_for(const Net* net, double products) noexcept nogil:
    """How many threads pay for so many products."""
    cdef double most = products / PER_THREAD
    return net.threads if most > net.threads else <int> most if most > 1 else 1


cdef inline Py_ssize_t tiles_of(const Net* net, Py_ssize_t size) noexcept nogil:
    """How many tiles a group is shared out in: with a big W, which every tile reads anew, one for each thread."""
    cdef Py_ssize_t tiles = (size + TILE - 1) // TILE, threads = threads_for(net, <double> size * net.n_weights)
    return threads if net.big and tiles > threads else tiles


cdef inline void choose_weights(Net* net, Py_ssize_t rows, bint train) noexcept nogil:
    """Decide where to read each W from, and bring it there: from strips to train, else a big W for several tiles."""
    cdef Layer* layer
    cdef Py_ssize_t l
    for l in range(net.depth):
        layer = &net.layers[l]
        layer.in_strips = train or (layer.n_in * layer.n_out >= BIG and (rows > GROUP or tiles_of(net, rows) > 1))
        if layer.in_strips:
            to_strips(net, net.theta, net.parameters, l)


cdef inline void transpose_weights(Net* net, Py_ssize_t first) noexcept nogil:
    """W^T of the layers from `first` on; steps keep all but the first layer's up to date."""
    cdef Layer* layer
    cdef Py_ssize_t l, strip, o
    for l in range(first, net.depth):
        layer = &net.layers[l]
        for strip in range(strips(layer.n_out)):
            o = strip * STRIP
            transpose_strip(
                layer.transposed, net.theta + layer.weights + o * layer.n_in, o, layer.n_in, layer.n_out)


cdef inline void update(Net* net, Py_ssize_t at, const real* gradient, real decay, Py_ssize_t n) noexcept nogil:
    """The optimizer's step of the parameters at .. at + n."""
    optimizer_step(&net.step, net.theta + at, net.first + at, net.second + at, gradient, decay, n)


cdef inline void parameters_strip(void* context, Py_ssize_t strip) noexcept nogil:
    """dW and db of one strip of one layer; then, if due, their optimizer step and W^T.

    It goes by BLOCK_ROWS rows of W: where the batch is one group, a gradient is used while it is in the nearest
    cache, and never stored elsewhere; the strip of delta stays there, too.
    """
    cdef Net* net = <Net*> context
    cdef Layer* layer = net.layers
    cdef const real* a
    cdef const real* delta
    cdef real[SQUARE + SLACK] square
    cdef real[PACKED + SLACK] packed
    cdef real* gradient
    cdef Py_ssize_t lo = 0, rows, first, at, lda, ldz, o, width
    while layer + 1 < net.layers + net.depth and (layer + 1).first_strip <= strip:
        layer += 1
    a, lda = net.x, net.x_distance
    if layer != net.layers:
        a, lda = (layer - 1).a, (layer - 1).distance
    o = (strip - layer.first_strip) * STRIP
    width = strip_width(o, layer.n_out)
    delta, ldz = layer.delta + o, layer.distance
    if layer.n_in > BLOCK_ROWS and layer.n_out > STRIP:
        pack_columns(packed, delta, ldz, net.size, width)
        delta, ldz = packed, width
    first = layer.weights + o * layer.n_in
    while lo < layer.n_in:
        rows = BLOCK_ROWS if layer.n_in - lo > BLOCK_ROWS else layer.n_in - lo
        at = first + lo * width
        gradient = net.gradient + at
        if net.update and not net.accumulate:
            gradient = &square[0]
        dense_backward_weights(gradient, a + lo, lda, delta, ldz, net.size, rows, width, net.accumulate)
        if net.update:
            update(net, at, gradient, net.decay, rows * width)
        lo += rows
    if net.update and layer != net.layers:
        transpose_strip(layer.transposed, net.theta + first, o, layer.n_in, layer.n_out)
    if layer.biases >= 0:
        at = layer.biases + o
        dense_backward_bias(net.gradient + at, delta, ldz, net.size, width, net.accumulate)
        if net.update:
            update(net, at, net.gradient + at, 0, width)


cdef inline Py_ssize_t groups(Py_ssize_t samples) noexcept nogil:
    """How many groups so many samples make; all are equally large, within one."""
    return (samples + GROUP - 1) // GROUP


cdef inline void run_tiles(
    Net* net, void (*work)(void*, Py_ssize_t) noexcept nogil, Py_ssize_t start, Py_ssize_t size, Py_ssize_t group
) noexcept nogil:
    """Run the tiles of one group of the samples start .. start + size."""
    cdef Py_ssize_t lo = group * size // groups(size), hi = (group + 1) * size // groups(size)
    net.start = start + lo
    net.size = hi - lo
    net.tiles = tiles_of(net, net.size)
    parallel_for(work, net, net.tiles, threads_for(net, <double> net.size * net.n_weights))


cdef inline double group_loss(const Net* net) noexcept nogil:
    """The sum of the losses of the group's rows, in their order."""
    cdef double total = 0
    cdef Py_ssize_t i
    for i in range(net.size):
        total += net.row_loss[i]
    return total


cdef inline void run_strips(Net* net) noexcept nogil:
    """Run all strips of weights."""
    parallel_for(parameters_strip, net, net.n_strips, threads_for(net, <double> net.size * net.n_weights))


cdef inline double batch_weight(const Net* net, Py_ssize_t start, Py_ssize_t size) noexcept nogil:
    """Sum of the sample weights of samples start .. start + size."""
    cdef double total = 0
    cdef Py_ssize_t i
    if net.sample_weight == NULL:
        return size
    for i in range(start, start + size):
        total += net.sample_weight[net.order[i] if net.order != NULL else i]
    return total
