"""A net as the core holds it: its layers, their parameter groups, the data of a call, and a part of the work.

A layer is a value with operations; the passes go over a list of layers and know no kind of them. Each kind is a file
of its own: dense, sparse and scale.pxd. Not here: how work is cut (partition.pxd).
"""
from libc.stdint cimport int32_t, int64_t, uint64_t
from real cimport real
from losses cimport MAX_LOSS_PARAMETERS
from matrix cimport Matrix, by_rows
from optimizers cimport Group, Step

cdef extern from *:
    """
    #define MICRO_BATCH 256
    #define WEIGHT_BLOCK_PANELS 8
    #define DELTA_SCRATCH (MICRO_BATCH * WEIGHT_BLOCK_PANELS * NR)
    """
    enum:
        MICRO_BATCH             # samples whose activations are kept for one product A^T delta
        WEIGHT_BLOCK_PANELS     # panels of a W whose gradient is made together, at most; 4: + 0 %, 1: + 20 %
        DELTA_SCRATCH           # elements of so many panels of delta, for a micro-batch

cdef enum:
    WEIGHTS = 0             # the groups of a layer
    BIASES = 1
    GROUPS = 2
    MAX_DATA_PARTS = 4      # data-parallel parts of a batch
    MAX_INPUT_COPIES = 8    # of a micro-batch's inputs, one for each thread that shares out columns

cdef struct Net
cdef struct Layer

cdef struct Part:           # of the work on a layer, in one thread
    Py_ssize_t row, rows            # of the buffers
    Py_ssize_t column, columns      # of what is made
    Py_ssize_t first_sample         # row i of the buffers is sample first_sample + i
    int thread

cdef struct Gradient:       # where a gradient goes
    real* flat              # laid out as the packed parameters
    bint accumulate         # whether it is added to what stands there
    bint update             # whether the optimizer makes its step of it at once; then it need not be stored

cdef struct Operations:     # what a kind of layer does with a part of the work; x, z and dx have the part's rows
    void (*forward)(const Net*, const Layer*, const Part*, const Matrix* x, const Matrix* z) noexcept nogil
    void (*backward_input)(const Net*, const Layer*, const Part*, const Matrix* dx) noexcept nogil
    void (*backward_parameters)(Net*, const Layer*, const Part*, const Matrix* x, const Gradient*) noexcept nogil
    void (*renew)(const Net*, const Layer*, const Part*) noexcept nogil     # what backward_input reads, after a step

cdef struct Layer:
    Operations operations
    Py_ssize_t n_in, n_out
    Group[GROUPS] groups    # of W (n_in, n_out) and b (n_out,); one that a layer has not, has no rows
    bint packed             # whether the core reads them from `packed_parameters`, else from `parameters`
    real* transposed        # W^T, packed
    int activation
    double dropout          # the probability that a unit is left out of a step; times a factor, in the next one:
    int32_t dropped         # 2^24 times it
    real kept               # 1 / (1 - it): what the others are multiplied by
    Py_ssize_t ld           # leading dimension of z, a, masked and delta (rows of the workspace, ld)
    real* z                 # NULL where the derivative needs only a
    real* a
    real* masked            # a, with dropout, for the next layer; NULL where no unit is left out
    real* delta

cdef struct Sparse:         # a matrix in compressed rows (CSR)
    const real* values      # of row i: those from indptr[i] to indptr[i + 1]
    const int32_t* indices  # the columns that they stand in
    const int64_t* indptr   # NULL: X is dense

cdef struct Data:           # samples, as a caller gave them
    const real* X                                   # (samples, n_in of the first layer), or NULL:
    Sparse sparse
    const real* targets                             # (samples, n_out of the last layer), or NULL:
    const int64_t* labels                           # (samples,)
    const real* sample_weight                       # (samples,), or NULL for ones
    const int64_t* order                            # sample i is row order[i] of the data, or NULL: row i

cdef struct Net:
    # the net
    Py_ssize_t depth
    Layer* layers
    int loss
    real slope                                      # of leaky_relu below zero
    real[MAX_LOSS_PARAMETERS] loss_parameters
    bint masked                                     # whether a target that is NaN adds nothing to the loss
    int n_threads                                   # that may be used at most
    Py_ssize_t n_parameters, n_weights
    Py_ssize_t work                                 # products that one sample is worth, forward
    bint reread                                     # whether a W does not stay in the cache: row blocks reread it
    Py_ssize_t widest                               # inputs of a layer
    real* parameters                                # flat, W by rows: what the user sees
    real* packed_parameters                         # what the core works with; laid out alike:
    real* gradient
    real* first_moment
    real* second_moment
    real* part_gradients                            # (MAX_DATA_PARTS, part_stride): one for each data-parallel part
    Py_ssize_t part_stride
    # the data of a call
    Data data
    real* outputs                                   # (samples, n_out) where predictions go, or NULL
    real* inputs_gradient                           # where dC/dX goes, or NULL; a row of it begins
    Py_ssize_t inputs_gradient_stride               # so many elements after the one before, n_in at least
    bint backward                                   # whether a gradient is wanted
    bint training                                   # whether steps are made: with dropout, without frozen layers
    uint64_t seed                                   # of the units that are left out
    Py_ssize_t lowest_delta                         # the lowest layer whose delta is wanted
    Step step
    double clip_norm                                # 0 for none
    # the samples in work, and how they are shared out
    Py_ssize_t first_sample, size
    Py_ssize_t row_blocks
    int n_active_threads
    Py_ssize_t rows_per_thread                      # of the buffers, in a prediction; 0: each sample has its own
    Py_ssize_t column_layers                        # layers, from the first, whose columns are shared out
    Py_ssize_t column_layer                         # the one in work
    Py_ssize_t activated_layers                     # layers, from the first, whose activations somebody asked for
    Py_ssize_t micro_batch_id                       # counted since the net was made
    Py_ssize_t data_parts                           # of the batch; 1: it goes by micro-batches
    double[MAX_DATA_PARTS] part_loss                # summed over the samples of each
    real inverse_weight                             # 1 / sum of the weights of the batch
    real clipping                                   # what a gradient longer than clip_norm is multiplied by
    bint accumulate                                 # whether samples of this batch were in work before
    bint update                                     # whether the gradient is complete and is to make a step
    void (*make_gradient)(Net*, const Layer*, const Part*) noexcept nogil       # of a weight block
    # workspace
    Py_ssize_t rows                                 # samples that the buffers have a row for
    Py_ssize_t ldx                                  # of the inputs, gathered or not
    real* x                                         # (n_input_copies, MICRO_BATCH, ldx): inputs, where gathered
    int n_input_copies
    Py_ssize_t[MAX_INPUT_COPIES] copy_id            # the micro-batch that is in each
    real* scratch                                   # for each thread, where backward_parameters packs
    Py_ssize_t scratch_stride
    int n_scratch
    real* t                                         # (rows, n_out of the last layer): targets, where gathered
    real* w                                         # (rows,): sample weights, where gathered
    real* cost                                      # (rows, n_out)
    real* log_sum                                   # (rows,): of softmax
    real* row_loss                                  # (rows,)


cdef inline bint is_sparse(const Net* net) noexcept nogil:
    """Whether X is; then it is not gathered, and net.x may not be there."""
    return net.data.sparse.indptr != NULL


cdef inline Py_ssize_t row_of(const Net* net, Py_ssize_t sample) noexcept nogil:
    """Which row of X, targets and sample weights a sample is."""
    return sample if net.data.order == NULL else net.data.order[sample]


cdef inline const real* parameters_of(const Net* net, const Layer* layer, int group) noexcept nogil:
    """A group's parameters where the core reads them, packed or by rows; NULL if the layer has no such group."""
    if layer.groups[group].rows == 0:
        return NULL
    return (net.packed_parameters if layer.packed else net.parameters) + layer.groups[group].offset


cdef inline void drop_with(Layer* layer, double probability) noexcept nogil:
    """Leave out units of a layer with this probability; below 2^-24 none."""
    layer.dropped = <int32_t> (16777216 * probability)
    layer.kept = <real> (1 / (1 - probability)) if layer.dropped > 0 else 1


cdef inline Matrix rows_of_part(const real* buffer, const Layer* layer, const Part* part) noexcept nogil:
    """The part of a buffer like z, a or delta."""
    return by_rows(buffer + part.row * layer.ld + part.column, part.rows, part.columns, layer.ld)


cdef inline bint is_frozen(const Layer* layer) noexcept nogil:
    """Whether no step moves a parameter of the layer."""
    cdef int group
    for group in range(GROUPS):
        if layer.groups[group].rows > 0 and layer.groups[group].trainable:
            return False
    return True


cdef inline real* scratch_of(const Net* net, const Part* part) noexcept nogil:
    """What a thread packs into."""
    return net.scratch + part.thread * net.scratch_stride
