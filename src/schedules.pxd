"""The passes over a batch in their order, shared out over threads: three schedules over the same parts of the work.

    rows            for each micro-batch:   for each row block: forward, loss, delta of every layer
    columns         for each micro-batch:   for each layer but the last: for each panel of it: Z and A
                                            for each row block: the last layer forward, loss, its delta
                                            for each layer but the last, backward: for each panel of it: delta
    data-parallel   for each interval:      for each part of the batch: forward, loss, deltas, gradient of its samples

    then            for each weight block:  gradient, of the micro-batch or summed over the parts;
                                            when the batch is complete, its step

With clip_norm the last loop only stores the gradient; once its length is known, one more makes the steps. The items
of a line may run on any thread in any order: each writes its own part of the buffers, and every sum has one fixed
order, however rows and columns are cut; parts and intervals are the same for any number of threads. That is why
results are the same bits.
"""
from libc.math cimport isfinite, sqrt
from real cimport real
from layers cimport (
    is_right, layer_backward, layer_forward, rows_backward, rows_forward, rows_loss, rows_output_gradient,
    sum_of_losses,
)
from matrix cimport NR, Matrix, by_rows, panel_width, panels
from net cimport Gradient, Layer, Net, Part, is_frozen, is_sparse
from parameters cimport add_parts, renew_layer, update_clipped, zero_frozen
from partition cimport (
    DATA_PART_MIN_ROWS, ROW_BLOCK, data_parts, intervals, micro_batches, share, take_micro_batch, take_samples,
    take_columns, take_weight_block, threads_for, weight_blocks,
)
from parallel cimport pool
from samples cimport batch_weight, gather_inputs, inputs_of, outputs_of
from signals cimport Watch, look_for_signals
from vector cimport sum_of_squares


cdef inline Part rows_of_net(const Net* net, Py_ssize_t lo, Py_ssize_t hi, int thread) noexcept nogil:
    """Rows lo..hi of the samples in work."""
    cdef Part part
    part.row, part.rows, part.first_sample, part.thread = lo, hi - lo, net.first_sample, thread
    part.column = part.columns = 0
    return part


cdef inline void predict_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """Outputs of one row block; where there are more rows than the buffers have, every thread has some for itself."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t lo, hi, n_in = net.layers[0].n_in
    cdef Part part
    cdef Matrix x
    lo, hi = share(net.size, item, net.row_blocks)
    part = rows_of_net(net, lo, hi, thread)
    x = by_rows(NULL, part.rows, n_in, n_in)
    if not is_sparse(net):
        x = by_rows(net.data.X + (net.first_sample + lo) * n_in, part.rows, n_in, n_in)
    if net.rows_per_thread > 0:
        part.row = thread * net.rows_per_thread
        part.first_sample += lo - part.row
    rows_forward(net, 0, net.depth, &part, &x)


cdef inline void row_block(Net* net, const Part* part) noexcept nogil:
    """Losses of some rows and, where a gradient is wanted, delta; column_layers layers are done elsewhere."""
    cdef Matrix x
    if net.column_layers == 0:
        x = gather_inputs(net, part)
    else:
        x = outputs_of(net, &net.layers[net.column_layers - 1], part)
    rows_forward(net, net.column_layers, net.depth, part, &x)
    rows_loss(net, part)
    if net.backward:
        rows_backward(net, part, net.inputs_gradient)


cdef inline void rows_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    cdef Net* net = <Net*> context
    cdef Py_ssize_t lo, hi
    cdef Part part
    lo, hi = share(net.size, item, net.row_blocks)
    part = rows_of_net(net, lo, hi, thread)
    row_block(net, &part)


cdef inline Part activate_rows(Net* net, Py_ssize_t item, Py_ssize_t layers, int thread) noexcept nogil:
    """A row block of the samples in work, after A of so many layers was made for it."""
    cdef Py_ssize_t lo, hi
    cdef Part part
    cdef Matrix x
    lo, hi = share(net.size, item, net.row_blocks)
    part = rows_of_net(net, lo, hi, thread)
    x = gather_inputs(net, &part)
    rows_forward(net, 0, layers, &part, &x)
    return part


cdef inline void activations_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    cdef Net* net = <Net*> context
    activate_rows(net, item, net.activated_layers, thread)


cdef inline void jacobian_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """The derivatives of every output of some rows, one after the other."""
    cdef Net* net = <Net*> context
    cdef Part part = activate_rows(net, item, net.depth, thread)
    cdef Py_ssize_t k
    for k in range(net.layers[net.depth - 1].n_out):
        rows_output_gradient(net, &part, k)
        rows_backward(net, &part, net.inputs_gradient + k * net.layers[0].n_in)


cdef inline Part panel_of_layer(const Net* net, Py_ssize_t panel, int thread) noexcept nogil:
    """All rows of a panel of the layer whose columns are shared out."""
    cdef Part part = rows_of_net(net, 0, net.size, thread)
    part.column = panel * NR
    part.columns = panel_width(part.column, net.layers[net.column_layer].n_out)
    return part


cdef inline void columns_forward_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    cdef Net* net = <Net*> context
    cdef Part part = panel_of_layer(net, item, thread)
    cdef Matrix x = inputs_of(net, net.column_layer, &part)
    layer_forward(net, net.column_layer, &part, &x)


cdef inline void columns_backward_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    cdef Net* net = <Net*> context
    cdef Part part = panel_of_layer(net, item, thread)
    layer_backward(net, net.column_layer, &part)


cdef inline void data_part_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """The loss and the gradient of one part of the batch, a chunk of it at a time in the thread's own rows."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t lo, hi, from_row, to_row, first, last, chunk, chunks, block, blocks, l, panel, o, end
    cdef Part part
    cdef Matrix x
    cdef Gradient gradient
    if not net.accumulate:
        net.part_loss[item] = 0
    lo, hi = share(net.size, item, net.data_parts)
    chunks = (hi - lo + DATA_PART_MIN_ROWS - 1) // DATA_PART_MIN_ROWS
    for chunk in range(chunks):
        from_row, to_row = share(hi - lo, chunk, chunks)
        end = to_row - from_row
        blocks = (end + ROW_BLOCK - 1) // ROW_BLOCK
        for block in range(blocks):
            first, last = share(end, block, blocks)
            part = rows_of_net(net, thread * DATA_PART_MIN_ROWS + first, thread * DATA_PART_MIN_ROWS + last, thread)
            part.first_sample += lo + from_row - thread * DATA_PART_MIN_ROWS
            row_block(net, &part)
        part.row, part.rows = thread * DATA_PART_MIN_ROWS, end
        gradient.flat = net.part_gradients + item * net.part_stride
        gradient.accumulate, gradient.update = net.accumulate or chunk > 0, False
        for l in range(net.depth):
            if net.training and is_frozen(&net.layers[l]):
                continue
            x = inputs_of(net, l, &part)
            for panel in range(panels(net.layers[l].n_out)):
                o = panel * NR
                part.column, part.columns = o, panel_width(o, net.layers[l].n_out)
                net.layers[l].operations.backward_parameters(net, &net.layers[l], &part, &x, &gradient)
        net.part_loss[item] += sum_of_losses(net, part.row, end)


cdef inline void micro_batch_gradient(Net* net, const Layer* layer, const Part* part) noexcept nogil:
    """The gradient of a weight block, from the rows of the micro-batch; then, if due, its step."""
    cdef Gradient gradient
    cdef Matrix x = inputs_of(net, layer - net.layers, part)
    gradient.flat, gradient.accumulate, gradient.update = net.gradient, net.accumulate, net.update
    layer.operations.backward_parameters(net, layer, part, &x, &gradient)


cdef inline void weight_block_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    """A weight block: its gradient, wherever it comes from; then, if due, its step."""
    cdef Net* net = <Net*> context
    cdef Part part = rows_of_net(net, 0, net.size, thread)
    cdef Py_ssize_t l = take_weight_block(net, item, &part)
    if net.training and is_frozen(&net.layers[l]):
        return
    net.make_gradient(net, &net.layers[l], &part)
    if net.update:
        renew_layer(net, l, &part)


cdef inline void run_weight_blocks(
    Net* net, void (*make_gradient)(Net*, const Layer*, const Part*) noexcept nogil
) noexcept nogil:
    cdef Py_ssize_t l, items = 0
    net.make_gradient = make_gradient
    for l in range(net.depth):
        items += weight_blocks(net, l)
    pool.parallel_for(weight_block_item, net, items, net.n_active_threads)


cdef inline int look_for_signals_after(Net* net, Watch* watch, Py_ssize_t rows) except -1 nogil:
    """Look for signals, now that so many rows have made one pass."""
    return look_for_signals(watch, (<double> rows + 8) * net.n_parameters + 1e4)


cdef inline double batch_in_micro_batches(
    Net* net, Watch* watch, Py_ssize_t first_sample, Py_ssize_t size, bint update
) except? -1 nogil:
    """What `batch` does, without clipping; each micro-batch adds to the gradient, and the last one makes the step."""
    cdef Py_ssize_t i
    cdef double total = 0
    for i in range(micro_batches(size)):
        take_micro_batch(net, first_sample, size, i)
        take_columns(net)
        for net.column_layer in range(net.column_layers):
            pool.parallel_for(
                columns_forward_item, net, panels(net.layers[net.column_layer].n_out), net.n_active_threads)
        pool.parallel_for(rows_item, net, net.row_blocks, net.n_active_threads)
        for net.column_layer in range(net.column_layers - 1, max(net.lowest_delta, 0) - 1, -1):
            pool.parallel_for(
                columns_backward_item, net, panels(net.layers[net.column_layer].n_out), net.n_active_threads)
        total += sum_of_losses(net, 0, net.size)
        net.accumulate = i > 0
        net.update = update and i == micro_batches(size) - 1 and isfinite(total)
        run_weight_blocks(net, micro_batch_gradient)
        look_for_signals_after(net, watch, 3 * net.size)
    return total


cdef inline double batch_in_data_parts(
    Net* net, Watch* watch, Py_ssize_t first_sample, Py_ssize_t size, bint update
) except? -1 nogil:
    """The same where the gradients of several parts are made apart, and added when all are there."""
    cdef Py_ssize_t i, p, lo, hi, of = intervals(net, size, 3)
    cdef double total = 0
    net.column_layers = 0
    for i in range(of):
        lo, hi = share(size, i, of)
        take_samples(net, first_sample + lo, first_sample + hi)
        # another thread pays for half the work that it takes elsewhere, since there is less to exchange
        net.n_active_threads = min(threads_for(net, 2 * net.size), <int> net.data_parts)
        net.accumulate = i > 0
        pool.parallel_for(data_part_item, net, net.data_parts, net.n_active_threads)
        look_for_signals_after(net, watch, 3 * net.size)
    for p in range(net.data_parts):
        total += net.part_loss[p]
    net.update = update and isfinite(total)
    run_weight_blocks(net, add_parts)
    return total


cdef inline void step_by_gradient(Net* net) noexcept nogil:
    """The optimizer's step from net.gradient, which is clipped first where it is longer than clip_norm."""
    cdef double norm
    net.clipping = 1
    if net.clip_norm > 0:
        zero_frozen(net)
        norm = sqrt(sum_of_squares(net.gradient, net.n_parameters))
        if norm > net.clip_norm:
            net.clipping = <real> (net.clip_norm / norm)
    net.update = True
    run_weight_blocks(net, update_clipped)


cdef inline double batch(
    Net* net, Watch* watch, Py_ssize_t first_sample, Py_ssize_t size, double weight, bint update
) except? -1 nogil:
    """Loss summed over so many samples and its mean's gradient; with `update`, one step."""
    cdef bint clipped = net.clip_norm > 0
    cdef double total
    net.inverse_weight = <real> (1 / weight)
    net.data_parts = data_parts(net, size)
    if net.data_parts > 1:
        total = batch_in_data_parts(net, watch, first_sample, size, update and not clipped)
    else:
        total = batch_in_micro_batches(net, watch, first_sample, size, update and not clipped)
    if update and clipped and isfinite(total):
        step_by_gradient(net)
    return total


cdef inline double mean_loss(Net* net, Watch* watch, Py_ssize_t rows, Py_ssize_t* right) except? -1 nogil:
    """The mean loss over the weighted rows; `right` counts those that got their class, unless it is NULL."""
    cdef Py_ssize_t i, row
    cdef double total = 0
    for i in range(micro_batches(rows)):
        take_micro_batch(net, 0, rows, i)
        net.column_layers = 0
        pool.parallel_for(rows_item, net, net.row_blocks, net.n_active_threads)
        total += sum_of_losses(net, 0, net.size)
        if right != NULL:
            for row in range(net.size):
                right[0] += is_right(net, row)
        look_for_signals_after(net, watch, net.size)
    return total / batch_weight(net, 0, rows)
