"""The passes through all layers: rows forward, rows backward, parameters updated; and the step made of them.

A batch is walked in groups of GROUP samples, a group in tiles of TILE samples, so that the workspace does not grow
with the data and a tile's activations stay in the cache from the forward to the backward pass. One step is

    for each group:   for each tile: forward, loss, delta of every layer      items independent of each other
                      for each block of weights: gradient (+ optimizer step)  items independent of each other

The items of a line may run on any thread in any order: each writes its own part of the buffers, and every sum has
one fixed order. That is why results are the same bits for any number of threads.
"""
from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset
from real cimport real
from activations cimport SOFTMAX, activation_backward, activation_forward
from dense cimport (
    copy_to_panels, dense_backward_bias, dense_backward_input, dense_backward_weights, dense_forward,
    transpose_to_panels,
)
from losses cimport loss_backward, loss_forward, softmax_forward
from optimizers cimport Step, optimizer_step

cdef extern from "threads.h" nogil:
    void parallel_for(void (*work)(void* context, Py_ssize_t item) noexcept nogil, void* context, Py_ssize_t items,
                      int threads)

cdef enum:
    TILE = 64       # samples that go through all layers together
    TILES = 4       # tiles in a group
    GROUP = 256     # TILES * TILE: samples whose activations are kept for one product A^T dZ
    BLOCK = 64      # rows of a weight matrix updated together
    PER_THREAD = 1000000    # products that are worth another thread
    WIDE = 256      # outputs from which a layer's W is kept in panels too
    MANY = 64       # rows to predict for which making the panels pays

cdef struct Layer:
    Py_ssize_t n_in, n_out
    int activation
    Py_ssize_t weights          # where W (n_in, n_out) stands in the flat buffers
    Py_ssize_t biases           # where b (n_out,) stands, -1 for none
    Py_ssize_t first_block      # number of the layer's first block of weights
    Py_ssize_t distance         # elements from row to row in z, a and delta; n_out in the output layer
    real* panels                # W in panels, for wide layers, else NULL
    real* transposed            # W^T in panels
    real* z                     # (GROUP, distance); NULL where the derivative needs only a
    real* a                     # (GROUP, distance)
    real* delta                 # (GROUP, distance)

cdef struct Net:
    # the net
    Py_ssize_t depth, n_blocks
    Layer* layers
    int loss
    real slope
    int threads                 # that may be used at most
    Py_ssize_t n_weights
    real* parameters            # flat, and beside it, alike:
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
    bint packed                 # whether the panels of W hold the present weights
    real scale                  # 1 / sum of the weights of the batch
    bint accumulate             # whether the batch had a group before
    bint update                 # whether the gradient is complete and the optimizer's turn has come
    Step step
    real decay
    real* outputs               # (rows, n_out) where predictions go, or NULL
    real* inputs_gradient       # (rows, n_in) where dC/dX goes, or NULL
    # workspace, a row per sample of the group
    real* x                     # inputs, where they are gathered
    Py_ssize_t x_distance       # elements from row to row of the inputs, gathered or not
    real* t
    real* w
    real* cost
    real* log_sum
    double[TILES] tile_loss


cdef inline Py_ssize_t row_of(const Net* net, Py_ssize_t i) noexcept nogil:
    """The row of the i-th sample of the group."""
    return net.order[net.start + i] if net.order != NULL else net.start + i


cdef inline const real* gather_inputs(Net* net, Py_ssize_t lo, Py_ssize_t hi) noexcept nogil:
    """The rows of X of samples lo..hi, without a copy where they stand in order."""
    cdef Py_ssize_t n = net.layers[0].n_in, i
    if net.order == NULL:
        return net.X + (net.start + lo) * n
    for i in range(lo, hi):
        memcpy(net.x + i * net.x_distance, net.X + row_of(net, i) * n, n * sizeof(real))
    return net.x + lo * net.x_distance


cdef inline void gather_targets(Net* net, Py_ssize_t lo, Py_ssize_t hi) noexcept nogil:
    """Targets (a label becomes a one-hot row) and weights of samples lo..hi."""
    cdef Py_ssize_t n = net.layers[net.depth - 1].n_out, i, row
    for i in range(lo, hi):
        row = row_of(net, i)
        if net.labels != NULL:
            memset(net.t + i * n, 0, n * sizeof(real))
            net.t[i * n + net.labels[row]] = 1
        else:
            memcpy(net.t + i * n, net.targets + row * n, n * sizeof(real))
        if net.sample_weight != NULL:
            net.w[i] = net.sample_weight[row]


cdef inline void forward_rows(
    Net* net, const real* x, Py_ssize_t lo, Py_ssize_t hi, bint keep
) noexcept nogil:
    """A^l = g^l(A^(l-1) W^l + b^l) for samples lo..hi and every layer; with `keep`, z too where it is needed."""
    cdef Py_ssize_t l, m = hi - lo, distance = net.x_distance
    cdef Layer* layer
    cdef real* a
    cdef real* z
    for l in range(net.depth):
        layer = &net.layers[l]
        a = layer.a + lo * layer.distance
        if l == net.depth - 1 and net.outputs != NULL:
            a = net.outputs + (net.start + lo) * layer.n_out
        z = layer.z + lo * layer.distance if keep and layer.z != NULL else a
        dense_forward(
            z, layer.distance, x, distance, net.parameters + layer.weights, layer.panels if net.packed else NULL,
            net.parameters + layer.biases if layer.biases >= 0 else NULL, m, layer.n_in, layer.n_out)
        if layer.activation == SOFTMAX:
            softmax_forward(a, net.log_sum + lo, z, m, layer.n_out)
        else:
            activation_forward(layer.activation, a, z, m * layer.distance, net.slope)
        x, distance = a, layer.distance


cdef inline void tile_bounds(const Net* net, Py_ssize_t tile, Py_ssize_t* lo, Py_ssize_t* hi) noexcept nogil:
    lo[0] = tile * TILE
    hi[0] = lo[0] + TILE if lo[0] + TILE < net.size else net.size


cdef inline void predict_tile(void* context, Py_ssize_t tile) noexcept nogil:
    """Outputs of one tile."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t lo, hi
    tile_bounds(net, tile, &lo, &hi)
    forward_rows(net, gather_inputs(net, lo, hi), lo, hi, False)


cdef inline void evaluate_tile(void* context, Py_ssize_t tile) noexcept nogil:
    """Loss of one tile."""
    cdef Net* net = <Net*> context
    cdef Layer* last = &net.layers[net.depth - 1]
    cdef Py_ssize_t lo, hi, at
    tile_bounds(net, tile, &lo, &hi)
    gather_targets(net, lo, hi)
    forward_rows(net, gather_inputs(net, lo, hi), lo, hi, True)
    at = lo * last.n_out
    net.tile_loss[tile] = loss_forward(
        net.loss, last.activation, net.cost + at, last.a + at, last.z + at, net.log_sum + lo, net.t + at,
        net.w + lo if net.sample_weight != NULL else NULL, hi - lo, last.n_out)


cdef inline void backward_tile(void* context, Py_ssize_t tile) noexcept nogil:
    """Loss of one tile, and delta^l = g'^l(Z^l) * (delta^(l+1) W^(l+1)^T) of every layer."""
    cdef Net* net = <Net*> context
    cdef Layer* layer = &net.layers[net.depth - 1]
    cdef Layer* below
    cdef Py_ssize_t lo, hi, at, l
    evaluate_tile(context, tile)
    tile_bounds(net, tile, &lo, &hi)
    at = lo * layer.n_out
    loss_backward(
        net.loss, layer.activation, layer.delta + at, layer.a + at, layer.z + at, net.t + at,
        net.w + lo if net.sample_weight != NULL else NULL, net.scale, hi - lo, layer.n_out, net.slope)
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


cdef inline void update_range(Net* net, Py_ssize_t at, Py_ssize_t n, real decay) noexcept nogil:
    optimizer_step(&net.step, net.parameters + at, net.first + at, net.second + at, net.gradient + at, decay, n)


cdef inline void transpose_rows(const Net* net, const Layer* layer, Py_ssize_t lo, Py_ssize_t hi) noexcept nogil:
    """Rows lo..hi of W to W^T."""
    transpose_to_panels(layer.transposed, net.parameters + layer.weights, lo, hi, layer.n_out)


cdef inline void pack_rows(const Net* net, const Layer* layer, Py_ssize_t lo, Py_ssize_t hi) noexcept nogil:
    """Rows lo..hi of W to its panels, if it has any."""
    if layer.panels != NULL:
        copy_to_panels(layer.panels, net.parameters + layer.weights, lo, hi, layer.n_in, layer.n_out)


cdef inline void pack_weights(Net* net) noexcept nogil:
    """All of W to the panels of every wide layer; steps keep them up to date."""
    cdef Py_ssize_t l
    for l in range(net.depth):
        pack_rows(net, &net.layers[l], 0, net.layers[l].n_in)
    net.packed = True


cdef inline void transpose_weights(Net* net) noexcept nogil:
    """W^T of every layer whose input gradient is wanted; steps keep all but the first layer's up to date."""
    cdef Py_ssize_t l
    for l in range(0 if net.inputs_gradient != NULL else 1, net.depth):
        transpose_rows(net, &net.layers[l], 0, net.layers[l].n_in)


cdef inline void parameters_block(void* context, Py_ssize_t block) noexcept nogil:
    """dW of BLOCK rows of one layer's W, with its first block db; then, if due, their optimizer step and W^T."""
    cdef Net* net = <Net*> context
    cdef Layer* layer = net.layers
    cdef const real* a
    cdef Py_ssize_t lo, rows, at, distance
    while layer + 1 < net.layers + net.depth and (layer + 1).first_block <= block:
        layer += 1
    distance = net.x_distance
    if layer != net.layers:
        a = (layer - 1).a
        distance = (layer - 1).distance
    else:
        a = net.x if net.order != NULL else <real*> net.X + net.start * layer.n_in
    lo = (block - layer.first_block) * BLOCK
    rows = BLOCK if lo + BLOCK < layer.n_in else layer.n_in - lo
    at = layer.weights + lo * layer.n_out
    dense_backward_weights(
        net.gradient + at, a + lo, distance, layer.delta, layer.distance, net.size, rows, layer.n_out, net.accumulate)
    if net.update:
        update_range(net, at, rows * layer.n_out, net.decay)
        if layer != net.layers:
            transpose_rows(net, layer, lo, lo + rows)
        pack_rows(net, layer, lo, lo + rows)
    if lo == 0 and layer.biases >= 0:
        at = layer.biases
        dense_backward_bias(
            net.gradient + at, layer.delta, layer.distance, net.size, layer.n_out, net.accumulate)
        if net.update:
            update_range(net, at, layer.n_out, 0)


cdef inline Py_ssize_t groups(Py_ssize_t samples) noexcept nogil:
    return (samples + GROUP - 1) // GROUP


cdef inline int threads_for(const Net* net, double products) noexcept nogil:
    """How many threads pay for so many products."""
    cdef double most = products / PER_THREAD
    return net.threads if most > net.threads else <int> most


cdef inline double run_tiles(
    Net* net, void (*work)(void*, Py_ssize_t) noexcept nogil, Py_ssize_t start, Py_ssize_t end
) noexcept nogil:
    """Run the tiles of the group that begins at sample `start` of a batch up to `end`; the sum of their losses."""
    cdef Py_ssize_t size = GROUP if end - start > GROUP else end - start
    cdef Py_ssize_t tiles = (size + TILE - 1) // TILE, tile
    cdef double total = 0
    net.start = start
    net.size = size
    for tile in range(tiles):
        net.tile_loss[tile] = 0
    parallel_for(work, net, tiles, threads_for(net, <double> size * net.n_weights))
    for tile in range(tiles):
        total += net.tile_loss[tile]
    return total


cdef inline void run_blocks(Net* net) noexcept nogil:
    """Run all blocks of weights."""
    parallel_for(parameters_block, net, net.n_blocks, threads_for(net, <double> net.size * net.n_weights))


cdef inline double batch_weight(const Net* net, Py_ssize_t start, Py_ssize_t size) noexcept nogil:
    """Sum of the sample weights of samples start .. start + size."""
    cdef double total = 0
    cdef Py_ssize_t i
    if net.sample_weight == NULL:
        return size
    for i in range(start, start + size):
        total += net.sample_weight[net.order[i] if net.order != NULL else i]
    return total
