"""A net as the core holds it, the batch in work, and how that is shared out: groups, tiles, strips, panels, threads.

A batch is walked in groups of GROUP samples at most, a group in tiles of TILE samples, so that the workspace does not
grow with the data and a tile's activations stay in the cache from the forward to the backward pass. A W is cut into
strips of columns, and these make panels. Where the weights are few, a large batch is cut into shards instead, whose
gradients are made apart, so that a thread reads no activations of another one. Results depend on GROUP and on what
makes shards and windows, on no other number here.
"""
from libc.stdint cimport int32_t, int64_t, uint64_t
from real cimport real
from dense cimport BIG, BLOCK_ROWS, STRIP, strips
from optimizers cimport Step
from sparse cimport Sparse

cdef extern from *:
    """
    #define GROUP 256
    #define PANEL 8
    #define PACKED (GROUP * PANEL * STRIP)
    #define PACKED_INPUTS (GROUP * BLOCK_ROWS)
    #define CACHED ((1 << 20) / (ptrdiff_t)sizeof(real))
    #define FEW ((1 << 17) / (ptrdiff_t)sizeof(real))
    """
    const Py_ssize_t FEW        # parameters of a net that trains in shards: several gradients stay in the cache
    const Py_ssize_t CACHED     # elements of a matrix that stays in the second cache while it is read several times
    enum:
        GROUP       # samples whose activations are kept for one product A^T dZ
        PANEL       # strips at most
        PACKED      # elements of a panel of delta for GROUP samples
        PACKED_INPUTS   # and of BLOCK_ROWS columns of their inputs

cdef enum:
    TILE = 64       # samples that go through all layers together
    MOST_THREADS = 64       # a group has 4 rows for each
    COPIES = 8              # of a group's inputs at most: threads that share out columns
    SHARD = 128     # samples of a shard at least, and those whose activations it keeps
    SHARDS = 4      # of a batch at most
    PER_NEURON = 32         # products that its activation, its loss and their derivatives take as long as
    PER_THREAD = 1500000    # products that are worth another thread
    WINDOW = 100000000      # products between two looks for Ctrl-C

cdef struct Layer:
    Py_ssize_t n_in, n_out
    int activation
    Py_ssize_t weights          # where W (n_in, n_out) stands in the flat buffers
    Py_ssize_t biases           # where b (n_out,) stands, -1 for none
    Py_ssize_t distance         # elements from row to row in z, a and delta; n_out in the output layer
    bint in_strips              # whether the core reads W and b from theta, else from the parameters
    real* transposed            # W^T in strips
    real* z                     # (GROUP, distance); NULL where the derivative needs only a
    real* a                     # (GROUP, distance)
    int32_t dropped             # 2^24 times the probability that a unit is left out of a step
    real kept                   # 1 / (1 - that probability): what the others are multiplied by
    real* masked                # (GROUP, distance): a, so treated, for the next layer; NULL where none is left out
    real* delta                 # (GROUP, distance)

cdef struct Net:
    # the net
    Py_ssize_t depth
    Layer* layers
    int loss
    real slope                  # of leaky_relu below zero
    real loss_parameter         # of huber or quantile
    int threads                 # that may be used at most
    Py_ssize_t n_parameters, n_weights
    Py_ssize_t work             # products that one sample is worth, forward
    bint big                    # whether there is a W that does not stay in the cache
    Py_ssize_t widest           # inputs of a layer
    real* parameters            # flat, W by rows: what the user sees
    real* theta                 # the same with every W in strips: what the core works with; and beside it, alike:
    real* gradient
    real* first                 # the optimizer's moments
    real* second
    real* partial               # (SHARDS, partial_distance): a gradient for each shard
    Py_ssize_t partial_distance
    # the data
    const real* X               # (rows, n_in of the first layer), or NULL:
    Sparse sparse
    const real* targets         # (rows, n_out of the last layer), or NULL:
    const int64_t* labels       # (rows,)
    const real* sample_weight   # (rows,), or NULL for ones
    const int64_t* order        # the i-th sample is row order[i], or NULL: row i
    # the group in work
    Py_ssize_t start, size      # its samples: start .. start + size
    Py_ssize_t tiles            # it is shared out in
    int team                    # threads that work on it
    Py_ssize_t room             # rows of the buffers for each thread, in a prediction; 0: each sample has its own
    Py_ssize_t by_columns       # layers, from the first, whose columns are shared out and not its samples
    Py_ssize_t layer            # the one in work, where they are
    Py_ssize_t number           # of the group since the net was made
    real scale                  # 1 / sum of the weights of the batch
    double clip_norm            # 0 for none
    real clipping               # what a gradient longer than clip_norm is multiplied by
    bint dropping               # whether this is a step, in which units may be left out
    uint64_t seed               # of the units that are
    bint accumulate             # whether the batch had a group, or a window, before
    bint update                 # whether the gradient is complete and the optimizer's turn has come
    Py_ssize_t shards           # of the batch, 1: it goes by groups
    double[SHARDS] shard_loss   # summed over the samples of each
    Step step
    real* outputs               # (rows, n_out) where predictions go, or NULL
    real* inputs_gradient       # (rows, n_in) where dC/dX goes, or NULL
    # workspace, a row per sample of the group, or SHARD for each thread
    Py_ssize_t rows
    bint backward               # whether a gradient is wanted
    real* x                     # inputs, where they are gathered; a copy for each of so many threads:
    int copies
    Py_ssize_t[COPIES] copied   # the number of the group that is in each
    Py_ssize_t x_distance       # elements from row to row of the inputs, gathered or not
    real* t
    real* w
    real* cost
    real* log_sum
    real* row_loss


cdef inline bint is_sparse(const Net* net) noexcept nogil:
    """Whether X is; then it is not gathered, and net.x may not be there."""
    return net.sparse.indptr != NULL


cdef inline (Py_ssize_t, Py_ssize_t) share(Py_ssize_t n, Py_ssize_t i, Py_ssize_t shares) noexcept nogil:
    """From where to where the i-th of so many shares of n things goes; all are equally large, within one."""
    if shares == 1:
        return 0, n
    return i * n // shares, (i + 1) * n // shares


cdef inline int threads_for(const Net* net, Py_ssize_t samples) noexcept nogil:
    """How many threads pay for so many samples."""
    cdef int most = net.threads if net.threads < MOST_THREADS else MOST_THREADS
    cdef double products = <double> samples * net.work
    if products < 2 * PER_THREAD:
        return 1
    return <int> (products / PER_THREAD) if products < <double> most * PER_THREAD else most


cdef inline void take(Net* net, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """Take the samples start .. end in work: how many threads share them, and in how many tiles.

    With a big W, which every tile reads anew, it is one for each thread, or as many as keep its inputs in the cache.
    """
    cdef Py_ssize_t few
    net.start = start
    net.size = end - start
    net.team = threads_for(net, net.size)
    net.tiles = (net.size + TILE - 1) // TILE
    if net.big:
        few = max((net.size * net.widest + CACHED - 1) // CACHED, net.team)
        net.tiles = min(few, net.tiles)


cdef inline Py_ssize_t groups(Py_ssize_t samples) noexcept nogil:
    """How many groups so many samples make; all are equally large, within one."""
    return (samples + GROUP - 1) // GROUP


cdef inline void take_group(Net* net, Py_ssize_t start, Py_ssize_t size, Py_ssize_t group) noexcept nogil:
    """Take one group of the samples start .. start + size in work."""
    cdef Py_ssize_t lo, hi
    lo, hi = share(size, group, groups(size))
    take(net, start + lo, start + hi)
    net.number += 1


cdef inline Py_ssize_t windows(const Net* net, Py_ssize_t rows, Py_ssize_t passes) noexcept nogil:
    """How many parts, with WINDOW products or a group each, so many rows have that make so many passes."""
    cdef Py_ssize_t most = max(GROUP, WINDOW // (passes * net.work))
    return (rows + most - 1) // most


cdef inline Py_ssize_t shards(const Net* net, Py_ssize_t samples) noexcept nogil:
    """How many shards a batch of so many samples has."""
    if net.rows == GROUP or samples < 2 * SHARD:
        return 1
    return min(samples // SHARD, SHARDS)


cdef inline void take_shards(
    Net* net, Py_ssize_t start, Py_ssize_t size, Py_ssize_t window, Py_ssize_t of
) noexcept nogil:
    """Take one window of the samples start .. start + size in work; every shard has a part of it.

    Another thread pays for half the work that it takes elsewhere, since there is less to exchange.
    """
    cdef Py_ssize_t lo, hi
    lo, hi = share(size, window, of)
    take(net, start + lo, start + hi)
    net.team = min(threads_for(net, 2 * net.size), <int> net.shards)


cdef inline void take_window(Net* net, Py_ssize_t rows, Py_ssize_t window, Py_ssize_t of) noexcept nogil:
    """Take one window of the rows in work; beyond a group, every thread has `room` rows of the buffers for a tile."""
    cdef Py_ssize_t lo, hi
    lo, hi = share(rows, window, of)
    take(net, lo, hi)
    if net.size <= GROUP:
        net.room = 0
        return
    net.room = GROUP // net.team
    if net.tiles * net.room < net.size:
        net.tiles = (net.size + net.room - 1) // net.room


cdef inline Py_ssize_t panel_strips(const Net* net, Py_ssize_t l) noexcept nogil:
    """How many strips are worked on together: several where the inputs are big, if every thread still has a panel."""
    cdef Py_ssize_t most = strips(net.layers[l].n_out) // net.team
    if net.layers[l].n_in * net.size <= BIG or most < 2:
        return 1
    return PANEL if most > PANEL else most


cdef inline Py_ssize_t panels(const Net* net, Py_ssize_t l) noexcept nogil:
    """How many panels of strips a layer has."""
    return (strips(net.layers[l].n_out) + panel_strips(net, l) - 1) // panel_strips(net, l)


cdef inline (Py_ssize_t, Py_ssize_t) owned_strips(const Net* net, Py_ssize_t item, Py_ssize_t* l) noexcept nogil:
    """From which strip to which the item-th panel goes, and its layer; in the order of the threads that own them.

    A thread owns the same share of every layer, of which it makes Z, delta and the new W: they stay in its cache.
    """
    cdef Py_ssize_t t = 0, lo, hi, width
    l[0] = 0
    while True:
        lo, hi = share(panels(net, l[0]), t, net.team)
        if item < hi - lo:
            width = panel_strips(net, l[0])
            return (lo + item) * width, min((lo + item + 1) * width, strips(net.layers[l[0]].n_out))
        item -= hi - lo
        l[0] += 1
        if l[0] == net.depth:
            l[0] = 0
            t += 1


cdef inline bint is_even(const Net* net, int team) noexcept nogil:
    """Whether so many threads have equal shares of the strips of every layer but the last, within a quarter."""
    cdef Py_ssize_t l, n
    for l in range(net.depth - 1):
        n = strips(net.layers[l].n_out)
        if (n + team - 1) // team * team * 4 > n * 5:
            return False
    return True


cdef inline int even_team(const Net* net, int most) noexcept nogil:
    """How many threads, at most so many, can share out columns evenly; 1 without a hidden layer."""
    most = most if net.depth > 1 else 1
    while most > 1 and not is_even(net, most):
        most -= 1
    return most


cdef inline int team_for_columns(const Net* net) noexcept nogil:
    """How many threads had better share out columns than samples, as they exchange less then; 1 for none."""
    cdef Py_ssize_t l, width = 0
    for l in range(net.depth - 1):
        width += net.layers[l].n_out
    if is_sparse(net) or net.inputs_gradient != NULL:
        return 1
    if net.size == 1 or net.n_weights <= 2 * net.size * width:
        return 1
    return even_team(net, min(net.team, net.copies))


cdef inline int copies_for(const Net* net) noexcept nogil:
    """How many groups of inputs there is room for: one for each thread that may share out columns, or all rows."""
    cdef int team = even_team(net, min(threads_for(net, GROUP), <int> COPIES))
    return max(team, <int> (net.rows // GROUP))
