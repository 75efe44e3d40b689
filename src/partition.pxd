"""How the work on a batch is cut, and how many threads share it.

A batch is walked in micro-batches of MICRO_BATCH samples at most, so that the workspace does not grow with the
data, and these in row blocks, so that activations stay in the cache from the forward to the backward pass. A weight
block is one panel of a W or a few. Where the weights are few, a large batch is cut into data-parallel parts instead,
whose gradients are made apart, so that a thread reads no activations of another one. Of the numbers behind this only
MICRO_BATCH, MAX_DATA_PARTS, DATA_PART_MIN_ROWS, DATA_PARALLEL_MAX_PARAMETERS, INTERRUPT_INTERVAL and PER_NEURON can
change the last bits of a result.
"""
from real cimport real
from dense cimport GRADIENT_ROWS, PACK_MIN_ELEMENTS
from matrix cimport NR, SLACK, panels
from net cimport (
    DELTA_SCRATCH, MAX_DATA_PARTS, MAX_INPUT_COPIES, MICRO_BATCH, WEIGHT_BLOCK_PANELS, Net, Part, is_sparse,
)

cdef extern from *:
    """
    #define L2_ELEMENTS ((1 << 20) / (ptrdiff_t)sizeof(real))
    #define DATA_PARALLEL_MAX_PARAMETERS ((1 << 17) / (ptrdiff_t)sizeof(real))
    """
    const Py_ssize_t L2_ELEMENTS                    # of the inputs of a row block: half of a second cache of 2 MB
    const Py_ssize_t DATA_PARALLEL_MAX_PARAMETERS   # of a net whose gradients, one a part, stay in the cache

# Beside a number: what others did to the time of a step, on a Xeon with AVX-512; docs/performance.md has more.
cdef enum:
    ROW_BLOCK = 64                  # samples that go through all layers together; 128, 256: 0 to + 1.5 %
    MAX_THREADS = 64                # a micro-batch has 4 rows for each
    DATA_PART_MIN_ROWS = 128        # samples of a part, and of a chunk of it; 64: + 2 to 3 %
    PER_NEURON = 32                 # cost of a neuron's activation, loss and their derivatives, in products
    THREAD_MIN_PRODUCTS = 1500000   # of work that pay for one more thread
    INTERRUPT_INTERVAL = 100000000  # products between two looks for Ctrl-C


cdef inline (Py_ssize_t, Py_ssize_t) share(Py_ssize_t n, Py_ssize_t i, Py_ssize_t shares) noexcept nogil:
    """From where to where the i-th of so many shares of n things goes; all are equally large, within one."""
    if shares == 1:
        return 0, n
    return i * n // shares, (i + 1) * n // shares


cdef inline int threads_for(const Net* net, Py_ssize_t samples) noexcept nogil:
    """How many threads pay for so many samples."""
    cdef int most = net.n_threads if net.n_threads < MAX_THREADS else MAX_THREADS
    cdef double products = <double> samples * net.work
    if products < 2 * THREAD_MIN_PRODUCTS:
        return 1
    return <int> (products / THREAD_MIN_PRODUCTS) if products < <double> most * THREAD_MIN_PRODUCTS else most


cdef inline void take_samples(Net* net, Py_ssize_t lo, Py_ssize_t hi) noexcept nogil:
    """Take the samples lo..hi in work: how many threads share them, and in how many row blocks.

    Usually a row block has ROW_BLOCK samples at most. Where a W does not stay in the cache (net.reread), each row
    block reads it once more, so there are fewer: one a thread, or more if their inputs would exceed L2_ELEMENTS.
    """
    cdef Py_ssize_t few
    net.first_sample, net.size = lo, hi - lo
    net.n_active_threads = threads_for(net, net.size)
    net.row_blocks = (net.size + ROW_BLOCK - 1) // ROW_BLOCK
    if net.reread:
        few = max((net.size * net.widest + L2_ELEMENTS - 1) // L2_ELEMENTS, net.n_active_threads)
        net.row_blocks = min(few, net.row_blocks)


cdef inline Py_ssize_t micro_batches(Py_ssize_t samples) noexcept nogil:
    """How many micro-batches so many samples make; all are equally large, within one."""
    return (samples + MICRO_BATCH - 1) // MICRO_BATCH


cdef inline void take_micro_batch(Net* net, Py_ssize_t first_sample, Py_ssize_t size, Py_ssize_t i) noexcept nogil:
    """Take the i-th micro-batch of `size` samples in work."""
    cdef Py_ssize_t lo, hi
    lo, hi = share(size, i, micro_batches(size))
    take_samples(net, first_sample + lo, first_sample + hi)
    net.micro_batch_id += 1


cdef inline Py_ssize_t intervals(const Net* net, Py_ssize_t rows, Py_ssize_t passes) noexcept nogil:
    """Into how many intervals rows are cut, after each of which Ctrl-C is looked for.

    One costs INTERRUPT_INTERVAL products at most, or has MICRO_BATCH rows; a row costs `passes` times net.work.
    """
    cdef Py_ssize_t most = max(MICRO_BATCH, INTERRUPT_INTERVAL // (passes * net.work))
    return (rows + most - 1) // most


cdef inline Py_ssize_t data_parts(const Net* net, Py_ssize_t samples) noexcept nogil:
    """How many data-parallel parts a batch has; 1: it goes by micro-batches, as it does with many parameters."""
    if net.rows == MICRO_BATCH or samples < 2 * DATA_PART_MIN_ROWS:
        return 1
    return min(samples // DATA_PART_MIN_ROWS, MAX_DATA_PARTS)


cdef inline void take_prediction(Net* net, Py_ssize_t rows, Py_ssize_t i, Py_ssize_t of) noexcept nogil:
    """Take one interval of the rows in work; beyond a micro-batch, every thread has buffers for itself."""
    cdef Py_ssize_t lo, hi
    lo, hi = share(rows, i, of)
    take_samples(net, lo, hi)
    net.rows_per_thread = 0
    if net.size > MICRO_BATCH:
        net.rows_per_thread = MICRO_BATCH // net.n_active_threads
        net.row_blocks = max(net.row_blocks, (net.size + net.rows_per_thread - 1) // net.rows_per_thread)


cdef inline Py_ssize_t weight_block_panels(const Net* net, Py_ssize_t l) noexcept nogil:
    """How many panels are worked on together: several where the inputs are big, if every thread still has a block."""
    cdef Py_ssize_t most = panels(net.layers[l].n_out) // net.n_active_threads
    if net.layers[l].n_in * net.size <= PACK_MIN_ELEMENTS or most < 2:
        return 1
    return WEIGHT_BLOCK_PANELS if most > WEIGHT_BLOCK_PANELS else most


cdef inline Py_ssize_t weight_blocks(const Net* net, Py_ssize_t l) noexcept nogil:
    """How many weight blocks a layer has."""
    return (panels(net.layers[l].n_out) + weight_block_panels(net, l) - 1) // weight_block_panels(net, l)


cdef inline Py_ssize_t take_weight_block(const Net* net, Py_ssize_t item, Part* part) noexcept nogil:
    """The layer and the columns of the item-th weight block, in the order of the threads that own them.

    A thread owns the same share of every layer, of which it makes Z, delta and the new W: they stay in its cache.
    """
    cdef Py_ssize_t l = 0, t = 0, lo, hi, width
    while True:
        lo, hi = share(weight_blocks(net, l), t, net.n_active_threads)
        if item < hi - lo:
            width = weight_block_panels(net, l) * NR
            part.column = (lo + item) * width
            part.columns = min(width, net.layers[l].n_out - part.column)
            return l
        item -= hi - lo
        l += 1
        if l == net.depth:
            l = 0
            t += 1


cdef inline bint is_even(const Net* net, int threads) noexcept nogil:
    """Whether so many threads have equal shares of the panels of every layer but the last, within a quarter."""
    cdef Py_ssize_t l, n
    for l in range(net.depth - 1):
        n = panels(net.layers[l].n_out)
        if (n + threads - 1) // threads * threads * 4 > n * 5:
            return False
    return True


cdef inline int even_threads(const Net* net, int most) noexcept nogil:
    """How many threads, at most so many, can share out columns evenly; 1 without a hidden layer."""
    most = most if net.depth > 1 else 1
    while most > 1 and not is_even(net, most):
        most -= 1
    return most


cdef inline int threads_for_columns(const Net* net) noexcept nogil:
    """How many threads had better share out columns than samples, as they exchange less then; 1 for none."""
    cdef Py_ssize_t l, width = 0
    for l in range(net.depth - 1):
        width += net.layers[l].n_out
    if is_sparse(net) or net.inputs_gradient != NULL:
        return 1
    if net.size == 1 or net.n_weights <= 2 * net.size * width:
        return 1
    return even_threads(net, min(net.n_active_threads, net.n_input_copies))


cdef inline void take_columns(Net* net) noexcept nogil:
    """How many layers of the samples in work are shared out by columns: all but the last, or none."""
    cdef int threads = threads_for_columns(net)
    net.column_layers = 0
    if threads > 1:
        net.column_layers, net.n_active_threads = net.depth - 1, threads


cdef inline int input_copies_for(const Net* net) noexcept nogil:
    """How many micro-batches of inputs there is room for: one a thread that may share out columns, or all rows."""
    cdef int threads = even_threads(net, min(threads_for(net, MICRO_BATCH), <int> MAX_INPUT_COPIES))
    return max(threads, <int> (net.rows // MICRO_BATCH))


cdef inline Py_ssize_t scratch_stride_for(const Net* net) noexcept nogil:
    """Elements that dense_backward_parameters packs into, for one thread: 0 where no layer of the net wants it."""
    cdef Py_ssize_t l
    for l in range(net.depth):
        if net.layers[l].n_in > GRADIENT_ROWS and net.layers[l].n_out > NR:
            return DELTA_SCRATCH + MICRO_BATCH * GRADIENT_ROWS + 2 * SLACK - MICRO_BATCH * GRADIENT_ROWS % SLACK
    return 0


cdef inline int scratches_for(const Net* net) noexcept nogil:
    """How many threads may work on weight blocks or parts at a time."""
    return max(threads_for(net, MICRO_BATCH), min(net.n_threads, <int> MAX_DATA_PARTS))
