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

The items of a line may run on any thread in any order: each writes its own part of the buffers, and every sum has
one fixed order, however a group is cut into tiles or a layer into strips. That is why results are the same bits for
any number of threads.
"""
from libc.math cimport sqrt
from libc.stdint cimport uint32_t
from libc.string cimport memcpy
from real cimport real
from activations cimport SOFTMAX, activation_backward, activation_forward
from dense cimport (
    BIG, BLOCK_ROWS, SLACK, SQUARE, STRIP, dense_backward_bias, dense_backward_input, dense_backward_weights,
    dense_forward, dense_forward_by_rows, pack_columns, rows_to_strips, strip_width, strips, strips_to_rows,
    transpose_strip,
)
from dropout cimport drop, key_of
from losses cimport loss_backward, loss_forward, softmax_forward
from net cimport (
    GROUP, PACKED, PACKED_INPUTS, Layer, Net, owned_panel, panel_strips, panels, share, team_for_columns,
)
from optimizers cimport optimizer_step

cdef extern from "vector.h" nogil:
    double sum_of_squares(const real* p, Py_ssize_t n)

cdef extern from "threads.h" nogil:
    void parallel_for(void (*work)(void* context, Py_ssize_t item, int part) noexcept nogil, void* context,
                      Py_ssize_t items, int threads)


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


cdef inline void drop_units(
    const Net* net, Py_ssize_t l, real* y, const real* x, Py_ssize_t at, Py_ssize_t m, Py_ssize_t o, Py_ssize_t n
) noexcept nogil:
    """Columns o .. o + n of m rows, from `at` on, of two buffers like A of layer l: y is x with dropout."""
    cdef Layer* layer = &net.layers[l]
    cdef Py_ssize_t i, start
    for i in range(at, at + m):
        start = i * layer.distance + o
        drop(y + start, x + start, key_of(net.seed, net.start + i, l), layer.dropped, layer.kept, <uint32_t> o, n)


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
        gather(net, x, net.x_distance, net.X, net.layers[0].n_in, 0, net.size, True)
        net.copied[part] = net.number
    return x


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


cdef inline void forward_rows(
    const Net* net, Py_ssize_t first, const real* x, Py_ssize_t distance, Py_ssize_t at, Py_ssize_t m, real* outputs,
    bint keep
) noexcept nogil:
    """A^l = g^l(A^(l-1) W^l + b^l) for m samples and every layer from `first` on, whose inputs x are.

    They take the rows `at` and following of the buffers; outputs go to `outputs` unless it is NULL. With `keep`, z is
    kept, too, where it is needed.
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
        forward_layer(net, layer, z, x, distance, m)
        if layer.activation == SOFTMAX:
            softmax_forward(a, net.log_sum + at, z, m, layer.n_out)
        else:
            activation_forward(layer.activation, a, z, m * layer.distance, net.slope)
        x, distance = a, layer.distance
        if drops(net, layer):
            drop_units(net, l, layer.masked, layer.a, at, m, 0, layer.n_out)
            x = layer.masked + at * layer.distance


cdef inline void predict_tile(void* context, Py_ssize_t tile, int part) noexcept nogil:
    """Outputs of one tile; where there are more rows than the buffers have, every thread has some for itself."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t lo, hi, n_in = net.layers[0].n_in, n_out = net.layers[net.depth - 1].n_out
    lo, hi = share(net.size, tile, net.tiles)
    forward_rows(
        net, 0, net.X + (net.start + lo) * n_in, n_in, part * net.room if net.room > 0 else lo, hi - lo,
        net.outputs + (net.start + lo) * n_out, False)


cdef inline void forward_tile(Net* net, Py_ssize_t tile, const real** t, const real** w) noexcept nogil:
    """Losses of the rows of one tile, its targets and its sample weights; by_columns layers are done."""
    cdef Layer* last = &net.layers[net.depth - 1]
    cdef Py_ssize_t lo, hi, at, distance = net.x_distance
    cdef const real* x
    lo, hi = share(net.size, tile, net.tiles)
    if net.by_columns == 0:
        x = gather_inputs(net, lo, hi)
    else:
        distance = net.layers[net.by_columns - 1].distance
        x = outputs_of(net, &net.layers[net.by_columns - 1]) + lo * distance
    forward_rows(net, net.by_columns, x, distance, lo, hi - lo, NULL, True)
    t[0], w[0] = gather_targets(net, lo, hi), gather_weights(net, lo, hi)
    at = lo * last.n_out
    loss_forward(
        net.loss, last.activation, net.row_loss + lo, net.cost + at, last.a + at, last.z + at, net.log_sum + lo, t[0],
        w[0], net.loss_parameter, hi - lo, last.n_out)


cdef inline void evaluate_tile(void* context, Py_ssize_t tile, int part) noexcept nogil:
    """Losses of one tile."""
    cdef const real* t
    cdef const real* w
    forward_tile(<Net*> context, tile, &t, &w)


cdef inline void backward_tile(void* context, Py_ssize_t tile, int part) noexcept nogil:
    """Losses of one tile, and delta^l = g'^l(Z^l) * (delta^(l+1) W^(l+1)^T); by_columns layers are done elsewhere."""
    cdef Net* net = <Net*> context
    cdef Layer* layer = &net.layers[net.depth - 1]
    cdef Layer* below
    cdef Py_ssize_t lo, hi, at, l
    cdef const real* t
    cdef const real* w
    forward_tile(net, tile, &t, &w)
    lo, hi = share(net.size, tile, net.tiles)
    at = lo * layer.n_out
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
            drop_units(net, l - 1, below.delta, below.delta, lo, hi - lo, 0, below.n_out)
    if net.inputs_gradient != NULL:
        layer = &net.layers[0]
        dense_backward_input(
            net.inputs_gradient + (net.start + lo) * layer.n_in, layer.n_in, layer.delta + lo * layer.distance,
            layer.distance, layer.transposed, hi - lo, layer.n_in, layer.n_out)


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
        drop_units(net, net.layer, layer.masked, layer.a, 0, net.size, o, width)


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
        drop_units(net, net.layer, layer.delta, layer.delta, 0, net.size, o, width)


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
    """Decide where to read each W from, and bring it there: from strips to train, else a big W that tiles share."""
    cdef Layer* layer
    cdef Py_ssize_t l
    for l in range(net.depth):
        layer = &net.layers[l]
        layer.in_strips = train or (shared and layer.n_in * layer.n_out >= BIG)
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


cdef inline void parameters_panel(void* context, Py_ssize_t item, int part) noexcept nogil:
    """dW and db of some strips of one layer; then, if due, their optimizer step and W^T.

    It goes by BLOCK_ROWS rows of W: where the batch is one group, a gradient is used while it is in the nearest
    cache, and never stored elsewhere; the strips of delta stay near, too. Where there are several, so do the inputs.
    """
    cdef Net* net = <Net*> context
    cdef real[SQUARE + SLACK] square
    cdef real[PACKED + SLACK] packed
    cdef real[PACKED_INPUTS + SLACK] packed_inputs
    cdef real* gradient
    cdef Py_ssize_t lo = 0, l, rows, at, distance, lda, ldz, strip, width, o, panel = owned_panel(net, item, &l)
    cdef Layer* layer = &net.layers[l]
    cdef Py_ssize_t first = panel * panel_strips(net, l)
    cdef Py_ssize_t last = min(first + panel_strips(net, l), strips(layer.n_out))
    cdef const real* inputs = inputs_of(net, l, part, &distance)
    cdef const real* a
    cdef const real* delta
    cdef bint pack = layer.n_in > BLOCK_ROWS and layer.n_out > STRIP
    if pack:
        for strip in range(first, last):
            o = strip * STRIP
            pack_columns(
                packed + (strip - first) * STRIP * GROUP, layer.delta + o, layer.distance, net.size,
                strip_width(o, layer.n_out))
    while lo < layer.n_in:
        rows = BLOCK_ROWS if layer.n_in - lo > BLOCK_ROWS else layer.n_in - lo
        a, lda = inputs + lo, distance
        if last - first > 1:
            pack_columns(packed_inputs, inputs + lo, distance, net.size, rows)
            a, lda = packed_inputs, rows
        for strip in range(first, last):
            o = strip * STRIP
            width = strip_width(o, layer.n_out)
            delta, ldz = layer.delta + o, layer.distance
            if pack:
                delta, ldz = packed + (strip - first) * STRIP * GROUP, width
            if lo == 0 and layer.biases >= 0:
                at = layer.biases + o
                dense_backward_bias(net.gradient + at, delta, ldz, net.size, width, net.accumulate)
                if net.update:
                    update(net, at, net.gradient + at, False, width)
            at = layer.weights + o * layer.n_in + lo * width
            gradient = net.gradient + at
            if net.update and not net.accumulate:
                gradient = &square[0]
            dense_backward_weights(gradient, a, lda, delta, ldz, net.size, rows, width, net.accumulate)
            if net.update:
                update(net, at, gradient, True, rows * width)
        lo += rows
    if net.update:
        renew_transposed(net, l, first, last)


cdef inline void renew_transposed(Net* net, Py_ssize_t l, Py_ssize_t first, Py_ssize_t last) noexcept nogil:
    """W^T of layer l after a step of strips first .. last; of the first layer nobody reads it."""
    cdef Layer* layer = &net.layers[l]
    cdef Py_ssize_t strip, o
    for strip in range(first, last if l > 0 else first):
        o = strip * STRIP
        transpose_strip(layer.transposed, net.theta + layer.weights + o * layer.n_in, o, layer.n_in, layer.n_out)


cdef inline void clipped_panel(void* context, Py_ssize_t item, int part) noexcept nogil:
    """The optimizer's step of some strips of one layer, from the whole gradient times `clipping`; then W^T."""
    cdef Net* net = <Net*> context
    cdef Py_ssize_t l, strip, o, width, panel = owned_panel(net, item, &l)
    cdef Layer* layer = &net.layers[l]
    cdef Py_ssize_t first = panel * panel_strips(net, l)
    cdef Py_ssize_t last = min(first + panel_strips(net, l), strips(layer.n_out))
    for strip in range(first, last):
        o = strip * STRIP
        width = strip_width(o, layer.n_out)
        if layer.biases >= 0:
            clipped_update(net, layer.biases + o, False, width)
        clipped_update(net, layer.weights + o * layer.n_in, True, layer.n_in * width)
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


cdef inline double group_loss(const Net* net) noexcept nogil:
    """The sum of the losses of the group's rows, in their order."""
    cdef double total = 0
    cdef Py_ssize_t i
    for i in range(net.size):
        total += net.row_loss[i]
    return total


cdef inline void run_panels(
    Net* net, void (*work)(void*, Py_ssize_t, int) noexcept nogil
) noexcept nogil:
    """Run a line over all panels of weights."""
    cdef Py_ssize_t l, items = 0
    for l in range(net.depth):
        items += panels(net, l)
    run(net, work, items)


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
        total += net.sample_weight[net.order[i] if net.order != NULL else i]
    return total
