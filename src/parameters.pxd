"""The parameters: packed and by rows, group by group; the optimizer's steps of them, and what they are made from."""
from libc.string cimport memcpy, memset
from real cimport real
from matrix cimport pack, unpack
from net cimport GROUPS, Layer, Net, Part, is_frozen, is_sparse
from optimizers cimport Group, optimizer_step
from vector cimport sum_of_squares

cdef enum:
    SUM_ELEMENTS = 2048         # of a sum of gradients that is used while it is in the nearest cache


cdef inline void pack_layer(const Layer* layer, real* to, const real* parameters) noexcept nogil:
    """A layer's part of a flat buffer, by rows, to one that is packed."""
    cdef int g
    for g in range(GROUPS):
        pack(to + layer.groups[g].offset, parameters + layer.groups[g].offset, layer.groups[g].rows, layer.n_out)


cdef inline void pack_all(const Net* net, real* to, const real* parameters) noexcept nogil:
    cdef Py_ssize_t l
    for l in range(net.depth):
        pack_layer(&net.layers[l], to, parameters)


cdef inline void unpack_all(const Net* net, real* to, const real* parameters) noexcept nogil:
    """The inverse of pack_all."""
    cdef Py_ssize_t l, at
    cdef int g
    cdef Layer* layer
    for l in range(net.depth):
        layer = &net.layers[l]
        for g in range(GROUPS):
            at = layer.groups[g].offset
            unpack(to + at, parameters + at, layer.groups[g].rows, layer.n_out)


cdef inline void renew_layer(const Net* net, Py_ssize_t l, const Part* part) noexcept nogil:
    """What the way back reads of a layer, after its parameters changed; of the lowest layer nobody reads it."""
    if l > net.lowest_delta and net.layers[l].operations.renew != NULL:
        net.layers[l].operations.renew(net, &net.layers[l], part)


cdef inline void prepare_training(Net* net, bint input_gradient) noexcept nogil:
    """Pack all parameters, and make what the way back reads: down to the lowest layer that is wanted."""
    cdef Py_ssize_t l
    cdef Part part
    net.lowest_delta = 0
    while net.training and net.lowest_delta < net.depth - 1 and is_frozen(&net.layers[net.lowest_delta]):
        net.lowest_delta += 1
    if input_gradient:
        net.lowest_delta = -1
    for l in range(net.depth):
        net.layers[l].packed = True
        pack_layer(&net.layers[l], net.packed_parameters, net.parameters)
        part.column, part.columns = 0, net.layers[l].n_out
        renew_layer(net, l, &part)


cdef inline void choose_packed(Net* net, bint shared, Py_ssize_t least) noexcept nogil:
    """Without steps: pack a W of `least` elements that row blocks share; of a sparse X, few rows of W are read."""
    cdef Layer* layer
    cdef Py_ssize_t l
    for l in range(net.depth):
        layer = &net.layers[l]
        layer.packed = shared and layer.n_in * layer.n_out >= least and not (l == 0 and is_sparse(net))
        if layer.packed:
            pack_layer(layer, net.packed_parameters, net.parameters)


cdef inline double squared_weights(const Net* net) noexcept nogil:
    """The sum of the squares of all parameters that are decayed."""
    cdef double total = 0
    cdef Py_ssize_t l
    cdef int g
    cdef Group* group
    for l in range(net.depth):
        for g in range(GROUPS):
            group = &net.layers[l].groups[g]
            if group.decayed:
                total += sum_of_squares(net.packed_parameters + group.offset, group.rows * group.columns)
    return total


cdef inline void add_to_average(real* average, const real* theta, real weight, Py_ssize_t n) noexcept nogil:
    """average += weight (theta - average), which leaves a theta that never moved what it was; theta for weight 1."""
    cdef Py_ssize_t i
    if weight == 1:
        memcpy(average, theta, n * sizeof(real))
        return
    for i in range(n):
        average[i] += weight * (theta[i] - average[i])


cdef inline void exchange(real* x, real* y, Py_ssize_t n) noexcept nogil:
    """x and y (n,) change places."""
    cdef Py_ssize_t i
    cdef real kept
    for i in range(n):
        kept = x[i]
        x[i] = y[i]
        y[i] = kept


cdef inline void zero_frozen(const Net* net) noexcept nogil:
    """The gradient of what no step moves does not count in the length of the whole."""
    cdef Py_ssize_t l
    cdef int g
    cdef Group* group
    for l in range(net.depth):
        for g in range(GROUPS):
            group = &net.layers[l].groups[g]
            if not group.trainable:
                memset(net.gradient + group.offset, 0, group.rows * group.columns * sizeof(real))


cdef inline void update(
    Net* net, const Group* group, Py_ssize_t at, const real* gradient, Py_ssize_t n
) noexcept nogil:
    """The optimizer's step of the parameters at .. at + n of a group."""
    optimizer_step(
        &net.step, group, net.packed_parameters + at, net.first_moment + at, net.second_moment + at, gradient, n)


cdef inline void update_clipped(Net* net, const Layer* layer, const Part* part) noexcept nogil:
    """The step of a weight block from the whole gradient, times `clipping`."""
    cdef Py_ssize_t i, at, n
    cdef int g
    cdef real* gradient
    for g in range(GROUPS):
        at = layer.groups[g].offset + part.column * layer.groups[g].rows
        n = part.columns * layer.groups[g].rows
        gradient = net.gradient + at
        for i in range(n):
            gradient[i] *= net.clipping
        update(net, &layer.groups[g], at, gradient, n)


cdef inline void add_parts(Net* net, const Layer* layer, const Part* part) noexcept nogil:
    """The gradient of a weight block: the sum over the data-parallel parts, in their order; if due, the step."""
    cdef real[SUM_ELEMENTS] total
    cdef Py_ssize_t i, at, end, n, p
    cdef int g
    cdef real* gradient
    cdef const real* partial
    for g in range(GROUPS):
        at = layer.groups[g].offset + part.column * layer.groups[g].rows
        end = at + part.columns * layer.groups[g].rows
        while at < end:
            n = min(end - at, SUM_ELEMENTS)
            gradient = net.gradient + at
            if net.update:
                gradient = total
            memcpy(gradient, net.part_gradients + at, n * sizeof(real))
            for p in range(1, net.data_parts):
                partial = net.part_gradients + p * net.part_stride + at
                for i in range(n):
                    gradient[i] += partial[i]
            if net.update:
                update(net, &layer.groups[g], at, gradient, n)
            at += n
