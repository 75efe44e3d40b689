# cython: freethreading_compatible = True
"""The compiled Network: parameters, workspace, and the loops over a data set, without the GIL.

This is the compiled twin of reference.Network: the same constructor, methods and meaning. It is compiled once for
every (instruction set, precision); builds.py chooses. It trusts its arguments: shapes, dtypes, contiguity and
finiteness are checked by mlp.py. The one exception is `forward`, which answers None to an X it cannot take as it is,
so that a caller with a ready array pays for no check in Python. Not here: the order of the passes through all layers
(schedules.pxd).
"""
cimport numpy as np
import numpy
from fastmlp._pool import api as pool_api
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.math cimport isfinite
from libc.string cimport memset
from real cimport REAL_IS_DOUBLE, all_finite, flush_subnormals, real, restore_subnormals
from activations cimport activation_names
from arrays cimport REAL, buffer, data, overlap, usable
from dense cimport PACK_MIN_ELEMENTS, dense_operations
from layers cimport sum_of_losses
from losses cimport loss_rows
from matrix cimport leading_dimension
from net cimport BIASES, GROUPS, MAX_DATA_PARTS, MICRO_BATCH, WEIGHTS, Layer, Net, is_sparse
from optimizers cimport Group, OptimizerState, advance, optimizer_names, take_hyperparameters
from parallel cimport pool, use_pool
from parameters cimport choose_packed, pack_all, prepare_training, squared_weights, unpack_all
from partition cimport (
    DATA_PARALLEL_MAX_PARAMETERS, DATA_PART_MIN_ROWS, PER_NEURON, input_copies_for, intervals, micro_batches,
    scratch_stride_for, scratches_for, take_micro_batch, take_prediction,
)
from samples cimport batch_weight
from scale cimport scale_operations
from schedules cimport batch, look_for_signals_after, predict_item, rows_item
from signals cimport SIGNALS_EVERY, Watch, free_lock, take_lock, wait_for_lock
from sparse cimport sparse_operations
from workspace cimport lay_out_backward, lay_out_forward

cdef extern from *:
    """
    #define GIL_MAX_PRODUCTS 1e5
    """
    const double GIL_MAX_PRODUCTS   # of a prediction up to which keeping the GIL costs less than handing it over

np.import_array()
use_pool(pool_api)

# The rows of the core's tables; formulas.py has the same.
ACTIVATIONS, LOSSES, OPTIMIZERS = activation_names(), dict(loss_rows()), optimizer_names()
KINDS = "dense", "scale"


cdef class Network:
    """A multilayer perceptron over flat buffers: see reference.Network, its specification."""

    cdef Net net
    cdef int lock                       # one call at a time uses the workspace
    cdef list workspace                 # the arrays that net points into
    cdef np.ndarray inputs              # one more, for rows of X
    cdef np.ndarray scratch             # and one for packing
    cdef bint can_train                 # whether there is all that allocate_backward makes
    cdef Py_ssize_t n_in, n_out
    cdef bint starts_dense              # whether X may be sparse
    cdef Watch watch                    # for Ctrl-C
    cdef OptimizerState optimizer
    cdef unsigned long owner            # the thread that holds the lock, 0 for none
    cdef int forks                      # how often the process had been forked when the lock was made
    cdef readonly double loss_by_rows       # mean loss of the last epoch in which a batch counts by its rows, not by
    cdef readonly double penalty_by_rows    # their weights; and the part of it that is the penalty
    cdef readonly np.ndarray parameters
    cdef readonly tuple sizes

    dtype = numpy.dtype(numpy.float64 if REAL_IS_DOUBLE else numpy.float32)

    def __cinit__(
        self, tuple sizes, tuple activations, loss, bint bias=True, double negative_slope=0.01, tuple dropout=(),
        tuple kinds=()
    ):
        cdef Py_ssize_t l, at = 0
        cdef Layer* layer
        if len(activations) != len(sizes) - 1:
            raise ValueError(f"{len(activations)} activations for {len(sizes) - 1} layers")
        if len(kinds) not in (0, len(sizes) - 1):
            raise ValueError(f"{len(kinds)} kinds for {len(sizes) - 1} layers")
        name, *loss_parameters = (loss,) if isinstance(loss, str) else loss
        if len(loss_parameters) != LOSSES[name]:
            raise ValueError(f"loss {name!r} has {len(loss_parameters)} parameters; expected {LOSSES[name]}")
        self.sizes = sizes
        self.n_in, self.n_out = sizes[0], sizes[len(sizes) - 1]
        self.net.depth = len(sizes) - 1
        self.net.loss = list(LOSSES).index(name)
        self.net.slope = negative_slope
        for l in range(len(loss_parameters)):
            self.net.loss_parameters[l] = <real> <double> loss_parameters[l]
        self.net.n_threads = 1
        self.net.layers = <Layer*> PyMem_Calloc(self.net.depth, sizeof(Layer))
        self.forks = pool.forks_seen()
        if self.net.layers == NULL:
            raise MemoryError
        for l in range(self.net.depth):
            layer = &self.net.layers[l]
            layer.n_in, layer.n_out = sizes[l], sizes[l + 1]
            layer.activation = ACTIVATIONS.index(activations[l])
            at = self.add_groups(layer, "dense" if kinds == () else kinds[l], bias, at)
            self.net.work += PER_NEURON * layer.n_out
            if l < len(dropout):
                layer.dropped = <int32_t> (2.0**24 * <double> dropout[l])
                layer.kept = <real> (1 / (1 - <double> dropout[l]))
            self.net.widest = max(self.net.widest, layer.n_in)
        self.starts_dense = kinds == () or kinds[0] == "dense"
        self.net.n_parameters = at
        self.net.work += self.net.n_weights
        self.net.rows = MAX_DATA_PARTS * DATA_PART_MIN_ROWS if at <= DATA_PARALLEL_MAX_PARAMETERS else MICRO_BATCH
        self.optimizer.beta_1_power = self.optimizer.beta_2_power = 1
        self.parameters = buffer(at)
        self.net.parameters = <real*> data(self.parameters)
        self.workspace = []
        self.allocate(lay_out_forward)

    cdef Py_ssize_t add_groups(self, Layer* layer, str kind, bint bias, Py_ssize_t at) except -1:
        """The operations of a kind of layer, and its groups, from `at` on. Where they end."""
        cdef int g
        cdef Group* weights = &layer.groups[WEIGHTS]
        if kind == "dense":
            layer.operations = dense_operations()
            weights.rows, weights.decayed = layer.n_in, True
            layer.groups[BIASES].rows = bias
            self.net.reread = self.net.reread or layer.n_in * layer.n_out >= PACK_MIN_ELEMENTS
        elif kind == "scale" and layer.n_in == layer.n_out:
            layer.operations = scale_operations()
            weights.rows, weights.decayed = 1, False
        else:
            raise ValueError(
                f"layer {kind!r} from {layer.n_in} to {layer.n_out}; expected {KINDS}, scale from n to n")
        for g in range(GROUPS):
            layer.groups[g].offset, layer.groups[g].columns = at, layer.n_out
            layer.groups[g].rate_factor, layer.groups[g].trainable = 1, True
            at += layer.groups[g].rows * layer.n_out
        self.net.n_weights += weights.rows * layer.n_out
        return at

    def __dealloc__(self):
        PyMem_Free(self.net.layers)

    cdef Group* group(self, Py_ssize_t number) noexcept:
        """A parameter group by its number in the order of `parameters`, or NULL."""
        cdef Py_ssize_t l
        cdef int g
        for l in range(self.net.depth):
            for g in range(GROUPS):
                if self.net.layers[l].groups[g].rows > 0:
                    if number == 0:
                        return &self.net.layers[l].groups[g]
                    number -= 1
        return NULL

    @property
    def groups(self):
        """(offset, length, decayed, rate_factor, trainable) of every group, in the order of `parameters`."""
        cdef list groups = []
        cdef Group* group = self.group(0)
        while group != NULL:
            groups.append((
                group.offset, group.rows * group.columns, group.decayed, group.rate_factor, group.trainable))
            group = self.group(len(groups))
        return tuple(groups)

    def set_group(self, Py_ssize_t number, double rate_factor=1, bint trainable=True):
        """The factor of a group's learning rate, and whether steps move it; `number` counts as `groups` does."""
        cdef Group* group = self.group(number)
        if group == NULL:
            raise IndexError("no such parameter group")
        self.acquire()
        group.rate_factor, group.trainable = <real> rate_factor, trainable
        self.release()

    cdef allocate(self, real* (*lay_out)(Net*, real*) noexcept):
        """One buffer for all that the forward or the backward pass needs."""
        cdef np.ndarray made = buffer(<size_t> lay_out(&self.net, NULL) // sizeof(real))
        self.workspace.append(made)
        lay_out(&self.net, <real*> data(made))

    cdef allocate_backward(self):
        """Made at the first call that needs it."""
        if not self.can_train:
            self.allocate(lay_out_backward)
            self.can_train = True

    cdef allocate_for_threads(self):
        """The places where rows of a dense X are gathered and where threads pack; anew for more threads."""
        cdef int copies = input_copies_for(&self.net), scratches = scratches_for(&self.net)
        if not is_sparse(&self.net) and copies > self.net.n_input_copies:
            self.inputs = buffer(copies * MICRO_BATCH * leading_dimension(self.n_in))
            self.net.x = <real*> data(self.inputs)
            self.net.n_input_copies = copies
        if scratches > self.net.n_scratch:
            self.net.scratch_stride = scratch_stride_for(&self.net)
            self.scratch = buffer(scratches * self.net.scratch_stride)
            self.net.scratch = <real*> data(self.scratch)
            self.net.n_scratch = scratches

    cdef int acquire(self) except -1:
        """Wait for the workspace; Ctrl-C ends the wait."""
        cdef unsigned long me = PyThread_get_thread_ident()
        cdef bint taken
        if self.forks != pool.forks_seen():     # a thread of the parent may have held the lock, and is not here
            self.lock, self.forks, self.owner = 0, pool.forks_seen(), 0
        taken = take_lock(&self.lock)
        if not taken and self.owner == me:
            raise RuntimeError("this net is in the middle of another call, which a signal handler interrupted")
        while not taken:
            with nogil:
                taken = wait_for_lock(&self.lock, SIGNALS_EVERY)
            if not taken:
                PyErr_CheckSignals()
        self.owner = me
        return 0

    cdef void release(self) noexcept:
        self.owner = 0
        free_lock(&self.lock)

    cdef int use(self, X, targets, sample_weight, order, int threads, bint backward) except -1:
        """Point the net at the data of one call, which must outlive it. X is an array, or like fastmlp.sparse.CSR."""
        cdef Net* net = &self.net
        if isinstance(X, np.ndarray):
            net.X, net.sparse.indptr = <const real*> data(X), NULL
            if self.starts_dense:
                net.layers[0].operations = dense_operations()
        elif not self.starts_dense:
            raise ValueError("X is sparse; expected an array for a net whose first layer is not dense")
        else:
            net.layers[0].operations = sparse_operations()
            net.X, net.sparse.values = NULL, <const real*> data(X.values)
            net.sparse.indices, net.sparse.indptr = <const int32_t*> data(X.indices), <const int64_t*> data(X.indptr)
        net.targets, net.labels = NULL, NULL
        if targets is not None and targets.ndim == 1:
            net.labels = <const int64_t*> data(targets)
        else:
            net.targets = <const real*> data(targets)
        net.sample_weight = <const real*> data(sample_weight)
        net.order = <const int64_t*> data(order)
        net.backward = backward
        net.training = False
        net.ldx = leading_dimension(self.n_in) if backward or order is not None else self.n_in
        net.n_threads = threads
        net.outputs = NULL
        net.inputs_gradient = NULL
        return 0

    def forward(self, X, out=None, int threads=1, bint checked=False):
        """Outputs (m, n_out) of X (m, n_in), or (n_out,) of (n_in,), into `out` if given.

        X and out are looked at: None says that one of them cannot be used as it stands, or, unless they were
        `checked` before, that X or the outputs are not finite. Only if it was, X may be compressed rows.
        """
        cdef np.ndarray x, y
        cdef np.npy_intp shape[2]
        cdef Py_ssize_t rows
        cdef int ndim
        if np.PyArray_CheckExact(X):
            x = <np.ndarray> X
            ndim = np.PyArray_NDIM(x)
            if ndim < 1 or ndim > 2 or not usable(x) or np.PyArray_DIM(x, ndim - 1) != self.n_in:
                return None
            rows = 1 if ndim == 1 else np.PyArray_DIM(x, 0)
        elif checked and hasattr(X, "indptr") and out is None and X.shape[1] == self.n_in:
            x, ndim, rows = None, 2, len(X)
        else:
            return None
        if rows == 0 or not (checked or all_finite(<const real*> np.PyArray_DATA(x), rows * self.n_in)):
            return None
        shape[0] = rows
        shape[ndim - 1] = self.n_out
        if out is None:
            y = np.PyArray_EMPTY(ndim, shape, REAL, 0)
        else:
            if not np.PyArray_CheckExact(out):
                return None
            y = <np.ndarray> out
            if (np.PyArray_NDIM(y) != ndim or not usable(y) or not np.PyArray_ISWRITEABLE(y)
                    or np.PyArray_DIM(y, 0) != shape[0] or np.PyArray_DIM(y, ndim - 1) != self.n_out
                    or overlap(x, y) or overlap(self.parameters, y)):
                return None
        self.acquire()
        try:
            self.use(X, None, None, None, threads, False)
            self.net.outputs = <real*> np.PyArray_DATA(y)
            if <double> rows * self.net.n_parameters < GIL_MAX_PRODUCTS:
                self.predict(rows)
            else:
                with nogil:
                    self.predict(rows)
        finally:
            self.release()
        if not (checked or all_finite(<const real*> np.PyArray_DATA(y), rows * self.n_out)):
            return None
        return y

    cdef int predict(self, Py_ssize_t rows) except -1 nogil:
        """Outputs of all rows, interval by interval."""
        cdef Net* net = &self.net
        cdef Py_ssize_t i, of = intervals(net, rows, 1)
        self.watch.mode = flush_subnormals()
        try:
            for i in range(of):
                take_prediction(net, rows, i, of)
                if i == 0:
                    choose_packed(net, of > 1 or net.row_blocks > 1, PACK_MIN_ELEMENTS)
                pool.parallel_for(predict_item, net, net.row_blocks, net.n_active_threads)
                look_for_signals_after(net, &self.watch, net.size)
        finally:
            restore_subnormals(self.watch.mode)
        return 0

    def evaluate(self, X, targets, sample_weight=None, int threads=1):
        """The mean loss over the weighted rows."""
        cdef Py_ssize_t rows = len(X), i
        cdef double total = 0, weight
        self.acquire()
        try:
            self.allocate_backward()
            self.use(X, targets, sample_weight, None, threads, False)
            with nogil:
                self.watch.mode = flush_subnormals()
                try:
                    weight = batch_weight(&self.net, 0, rows)
                    for i in range(micro_batches(rows)):
                        take_micro_batch(&self.net, 0, rows, i)
                        if i == 0:
                            choose_packed(
                                &self.net, rows > MICRO_BATCH or self.net.row_blocks > 1, PACK_MIN_ELEMENTS)
                        self.net.column_layers = 0
                        pool.parallel_for(rows_item, &self.net, self.net.row_blocks, self.net.n_active_threads)
                        total += sum_of_losses(&self.net, 0, self.net.size)
                        look_for_signals_after(&self.net, &self.watch, self.net.size)
                finally:
                    restore_subnormals(self.watch.mode)
        finally:
            self.release()
        return total / weight

    def gradient(self, X, targets, sample_weight, flat, inputs=None, int threads=1):
        """The mean loss; its gradient into flat (n_parameters,), and into inputs (m, n_in) unless None."""
        cdef Py_ssize_t rows = len(X)
        cdef double total, weight
        self.acquire()
        try:
            self.allocate_backward()
            self.use(X, targets, sample_weight, None, threads, True)
            self.allocate_for_threads()
            self.net.inputs_gradient = <real*> data(inputs)
            with nogil:
                self.watch.mode = flush_subnormals()
                try:
                    weight = batch_weight(&self.net, 0, rows)
                    prepare_training(&self.net, self.net.inputs_gradient != NULL)
                    total = batch(&self.net, &self.watch, 0, rows, weight, False)
                finally:
                    restore_subnormals(self.watch.mode)
            unpack_all(&self.net, <real*> data(flat), self.net.gradient)
        finally:
            self.release()
        return total / weight

    def train(self, X, targets, sample_weight, order, steps, int threads=1):
        """An epoch, or some steps of one, over the samples in `order` (m,), or as they stand if it is None.

        steps is a fastmlp.optimizers.Steps. Returns the mean of the losses seen on the way, over the weighted
        samples. At a loss that is not finite it stops, and returns that loss. A batch whose weights are all zero
        makes no step.
        """
        cdef Py_ssize_t rows = len(X), batch_size, first, end, step, start, size
        cdef uint64_t seed
        cdef double total = 0, total_weight = 0, weight, loss, l2, penalty = 0, rate, weight_decay
        cdef double by_rows = 0, penalty_by_rows = 0, total_rows = 0
        cdef OptimizerState before
        cdef const double* rate_of
        cdef bint decoupled
        optimizer, batch_size, l2, rates, seed, first = (
            steps.optimizer, steps.batch_size, steps.l2, steps.rates, steps.seed, steps.first)
        end = (rows + batch_size - 1) // batch_size
        if steps.last is not None:
            end = min(end, <Py_ssize_t> steps.last)
        rate, weight_decay, decoupled = optimizer.learning_rate, optimizer.weight_decay, optimizer.decoupled
        rate_of = <const double*> data(rates)
        self.acquire()
        try:
            self.allocate_backward()
            self.use(X, targets, sample_weight, order, threads, True)
            self.allocate_for_threads()
            self.net.training, self.net.seed = True, seed
            take_hyperparameters(&self.net.step, &self.optimizer, optimizer)
            self.net.clip_norm = 0 if optimizer.clip_norm is None else optimizer.clip_norm
            with nogil:
                self.watch.mode = flush_subnormals()
                try:
                    prepare_training(&self.net, False)
                    for step in range(first, end):
                        start = step * batch_size
                        size = min(batch_size, rows - start)
                        weight = batch_weight(&self.net, start, size)
                        if weight == 0:
                            continue
                        if rate_of != NULL:
                            rate = rate_of[step]
                        before = self.optimizer
                        advance(&self.net.step, &self.optimizer, rate)
                        if l2 > 0:
                            penalty = 0.5 * l2 * squared_weights(&self.net)
                        self.net.step.decay = <real> ((0 if decoupled else weight_decay) + l2 / weight)
                        self.net.step.shrink = <real> (rate * weight_decay if decoupled else 0)
                        loss = batch(&self.net, &self.watch, start, size, weight, True)
                        total += loss + penalty
                        total_weight += weight
                        by_rows += size * (loss + penalty) / weight
                        penalty_by_rows += size * penalty / weight
                        total_rows += size
                        if not isfinite(loss):
                            self.optimizer = before      # it was no step
                            break
                finally:
                    unpack_all(&self.net, self.net.parameters, self.net.packed_parameters)
                    restore_subnormals(self.watch.mode)
        finally:
            self.release()
        self.loss_by_rows, self.penalty_by_rows = by_rows / total_rows, penalty_by_rows / total_rows
        return total / total_weight

    @property
    def optimizer_state(self):
        """(beta_1^t, beta_2^t, first moments, second moments): what a later step needs of the earlier ones."""
        first, second = numpy.empty_like(self.parameters), numpy.empty_like(self.parameters)
        self.acquire()
        try:
            self.allocate_backward()
            unpack_all(&self.net, <real*> data(first), self.net.first_moment)
            unpack_all(&self.net, <real*> data(second), self.net.second_moment)
            return self.optimizer.beta_1_power, self.optimizer.beta_2_power, first, second
        finally:
            self.release()

    @optimizer_state.setter
    def optimizer_state(self, state):
        first, second = (numpy.ascontiguousarray(moments, self.dtype) for moments in state[2:])
        if not len(first) == len(second) == self.net.n_parameters:
            raise ValueError(
                f"moments have {len(first)} and {len(second)} elements; expected {self.net.n_parameters}")
        self.acquire()
        try:
            self.allocate_backward()
            self.optimizer.beta_1_power, self.optimizer.beta_2_power = state[:2]
            pack_all(&self.net, self.net.first_moment, <real*> data(first))
            pack_all(&self.net, self.net.second_moment, <real*> data(second))
        finally:
            self.release()

    def reset_optimizer(self):
        """Forget the steps taken so far."""
        self.acquire()
        try:
            self.optimizer.beta_1_power = self.optimizer.beta_2_power = 1
            if self.can_train:
                memset(self.net.first_moment, 0, self.net.n_parameters * sizeof(real))
                memset(self.net.second_moment, 0, self.net.n_parameters * sizeof(real))
        finally:
            self.release()
