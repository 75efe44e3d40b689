"""All passes in their order, shared out over threads: a group, a batch, and the step made of it.

Not here: what one item of a line does (forward, backward, shards and parameters.pxd).

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
from libc.math cimport isfinite, sqrt
from real cimport real
from backward cimport backward_columns, backward_tile, parameters_panel
from dense cimport strips
from forward cimport evaluate_tile, forward_columns, rows_loss
from net cimport Net, groups, panels, shards, take_group, take_shards, team_for_columns, windows
from parameters cimport clipped_panel
from shards cimport backward_shard, shards_loss, shards_panel
from signals cimport Watch, look_for_signals
from vector cimport sum_of_squares

cdef extern from "threads.h" nogil:
    void parallel_for(void (*work)(void* context, Py_ssize_t item, int part) noexcept nogil, void* context,
                      Py_ssize_t items, int threads)


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


cdef inline void run_clipped(Net* net) noexcept nogil:
    """The optimizer's step from the whole gradient, which is made as short as clip_norm if it is longer."""
    cdef double norm = sqrt(sum_of_squares(net.gradient, net.n_parameters))
    net.clipping = <real> (net.clip_norm / norm if norm > net.clip_norm else 1)
    run_panels(net, clipped_panel)


cdef inline int look_for_signals_after(Net* net, Watch* watch, Py_ssize_t rows) except -1 nogil:
    """Look for signals, now that so many rows have made one pass."""
    return look_for_signals(watch, (<double> rows + 8) * net.n_parameters + 1e4)


cdef inline double batch_in_groups(
    Net* net, Watch* watch, Py_ssize_t start, Py_ssize_t size, bint update
) except? -1 nogil:
    """What `batch` does, without clipping; each group adds to the gradient, and the last one makes the step."""
    cdef Py_ssize_t group
    cdef double total = 0
    for group in range(groups(size)):
        take_group(net, start, size, group)
        run_backward(net)
        total += rows_loss(net, 0, net.size)
        net.accumulate = group > 0
        net.update = update and group == groups(size) - 1 and isfinite(total)
        run_panels(net, parameters_panel)
        look_for_signals_after(net, watch, 3 * net.size)
    return total


cdef inline double batch_in_shards(
    Net* net, Watch* watch, Py_ssize_t start, Py_ssize_t size, bint update
) except? -1 nogil:
    """The same where the gradients of several shards are made apart, and added when all are there."""
    cdef Py_ssize_t window, of = windows(net, size, 3)
    cdef double total
    for window in range(of):
        take_shards(net, start, size, window, of)
        net.accumulate = window > 0
        run_shards(net)
        look_for_signals_after(net, watch, 3 * net.size)
    total = shards_loss(net)
    net.update = update and isfinite(total)
    run_panels(net, shards_panel)
    return total


cdef inline double batch(
    Net* net, Watch* watch, Py_ssize_t start, Py_ssize_t size, double weight, bint update
) except? -1 nogil:
    """Loss summed over the samples start .. start + size and its mean's gradient; with `update`, one step."""
    cdef bint clipped = net.clip_norm > 0
    cdef double total
    net.scale = <real> (1 / weight)
    net.shards = shards(net, size)
    if net.shards > 1:
        total = batch_in_shards(net, watch, start, size, update and not clipped)
    else:
        total = batch_in_groups(net, watch, start, size, update and not clipped)
    if update and clipped and isfinite(total):
        run_clipped(net)
    return total
