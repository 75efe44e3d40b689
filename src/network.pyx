# cython: freethreading_compatible = True
"""The compiled Network: parameters, workspace, and its calls, without the GIL.

This is the compiled twin of reference.Network: the same constructor, methods and meaning. It is compiled once for
every (instruction set, precision); builds.py chooses. It trusts its arguments: shapes, dtypes, contiguity and
finiteness are checked by mlp.py. The exceptions are `forward` and `ready`, which answer None to what they cannot
take as it is, so that a caller with ready arrays pays for no check in Python. Not here: the order of the passes
through all layers (schedules.pxd), the loop over epochs (epochs.pxd).
"""
cimport numpy as np
import numpy
from fastmlp._pool import api as pool_api
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport int32_t, int64_t
from libc.math cimport INFINITY
from libc.string cimport memcpy, memset
from real cimport REAL_IS_DOUBLE, all_finite, flush_subnormals, real, restore_subnormals
from activations cimport IDENTITY, SOFTMAX, activation_names
from arrays cimport REAL, as_labels, as_reals, buffer, data, is_finite, overlap, usable, view
from dense cimport PACK_MIN_ELEMENTS, dense_operations
from epochs cimport Epochs, give_run, make_steps, prepare_step, run_epochs, take_run
from losses cimport GIVEN_DERIVATIVE, loss_rows, targets_fit
from matrix cimport leading_dimension
from net cimport BIASES, GROUPS, MAX_DATA_PARTS, MICRO_BATCH, WEIGHTS, Layer, Net, drop_with, is_sparse
from optimizers cimport Group, OptimizerState, optimizer_names, take_hyperparameters
from parallel cimport pool, use_pool
from parameters cimport choose_packed, pack_all, prepare_training, unpack_all
from partition cimport (
    DATA_PARALLEL_MAX_PARAMETERS, DATA_PART_MIN_ROWS, PER_NEURON, input_copies_for, intervals, micro_batches,
    scratch_stride_for, scratches_for, take_micro_batch, take_prediction, take_samples,
)
from samples cimport batch_weight
from scale cimport scale_operations
from schedules cimport (
    activations_item, batch, jacobian_item, look_for_signals_after, mean_loss, predict_item, step_by_gradient,
)
from signals cimport SIGNALS_EVERY, Watch, free_lock, seconds, take_lock, wait_for_lock
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
    cdef bint bias
    cdef int loss                       # the net's own; net.loss is that of a call
    cdef int output                     # the net's own activation of the last layer; a call may do without
    cdef bint interrupted               # whether epochs are to end after a step

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
        name, *loss_parameters = (loss, *LOSSES[loss]) if isinstance(loss, str) else loss
        if len(loss_parameters) != len(LOSSES[name]):
            raise ValueError(f"loss {name!r} has {len(loss_parameters)} parameters; expected {len(LOSSES[name])}")
        self.sizes, self.bias = sizes, bias
        self.n_in, self.n_out = sizes[0], sizes[len(sizes) - 1]
        self.net.depth = len(sizes) - 1
        self.net.loss = self.loss = list(LOSSES).index(name)
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
                layer.dropout = <double> dropout[l]
                drop_with(layer, layer.dropout)
            self.net.widest = max(self.net.widest, layer.n_in)
        self.output = self.net.layers[self.net.depth - 1].activation
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

    @property
    def masked(self):
        """Whether a target that is NaN adds nothing to the loss; not with softmax."""
        return self.net.masked

    @masked.setter
    def masked(self, bint masked):
        self.acquire()
        self.net.masked = masked
        self.release()

    def set_group(self, Py_ssize_t number, double rate_factor=1, bint trainable=True):
        """The factor of a group's learning rate, and whether steps move it; `number` counts as `groups` does."""
        cdef Group* group = self.group(number)
        if group == NULL:
            raise IndexError("no such parameter group")
        self.acquire()
        group.rate_factor, group.trainable = rate_factor, trainable
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
            net.data.X, net.data.sparse.indptr = <const real*> data(X), NULL
            if self.starts_dense:
                net.layers[0].operations = dense_operations()
        elif not self.starts_dense:
            raise ValueError("X is sparse; expected an array for a net whose first layer is not dense")
        else:
            net.layers[0].operations = sparse_operations()
            net.data.X, net.data.sparse.values = NULL, <const real*> data(X.values)
            net.data.sparse.indices = <const int32_t*> data(X.indices)
            net.data.sparse.indptr = <const int64_t*> data(X.indptr)
        net.data.targets, net.data.labels = NULL, NULL
        if targets is not None and targets.ndim == 1:
            net.data.labels = <const int64_t*> data(targets)
        else:
            net.data.targets = <const real*> data(targets)
        net.data.sample_weight = <const real*> data(sample_weight)
        net.data.order = <const int64_t*> data(order)
        net.backward = backward
        net.training = False
        net.ldx = leading_dimension(self.n_in) if backward or order is not None else self.n_in
        net.n_threads = threads
        net.outputs = NULL
        net.inputs_gradient = NULL
        return 0

    cpdef np.ndarray ready_inputs(self, X):
        """X (m, n_in) as the methods below take it, of an array or a list that needs no closer look; else None."""
        cdef np.ndarray x = as_reals(X)
        if x is None or np.PyArray_NDIM(x) != 2 or np.PyArray_DIM(x, 1) != self.n_in or np.PyArray_DIM(x, 0) == 0:
            return None
        return x if is_finite(x) and not overlap(x, self.parameters) else None

    def ready(self, X, y, bint derivative=False):
        """(X, targets) as the methods below take them, of arrays and lists that need no closer look; else None.

        With `derivative` y is that of a loss by the outputs, in place of targets.
        """
        cdef np.ndarray x = self.ready_inputs(X), t
        cdef Py_ssize_t rows
        if x is None:
            return None
        rows = np.PyArray_DIM(x, 0)
        if not derivative and self.output == SOFTMAX:
            t = as_labels(y, rows, self.n_out)
            if t is not None:
                return x, t
        t = as_reals(y)
        if t is None:
            return None
        if np.PyArray_NDIM(t) == 1 and self.n_out == 1:
            t = t.reshape(-1, 1)
        if np.PyArray_NDIM(t) != 2 or np.PyArray_DIM(t, 0) != rows or np.PyArray_DIM(t, 1) != self.n_out:
            return None
        if not is_finite(t) or overlap(t, self.parameters):
            return None
        if not derivative and not targets_fit(
            self.loss, <const real*> np.PyArray_DATA(t), np.PyArray_SIZE(t)
        ):
            return None
        return x, t

    def is_finite(self, np.ndarray array=None):
        """Whether no parameter is NaN or infinite; or no element of an array of the core's own type, without gaps."""
        return is_finite(self.parameters if array is None else array)

    def views(self, np.ndarray flat):
        """Views (weights, biases) into an array that is laid out as `parameters`: see layout.py."""
        cdef list weights = [], biases = []
        cdef Py_ssize_t l
        cdef Layer* layer
        for l in range(self.net.depth):
            layer = &self.net.layers[l]
            weights.append(view(flat, layer.groups[WEIGHTS].offset, 2, layer.groups[WEIGHTS].rows, layer.n_out))
            if self.bias:
                biases.append(view(
                    flat, layer.groups[BIASES].offset, 1, layer.groups[BIASES].rows * layer.n_out, 0))
        return weights, biases

    def forward(self, X, out=None, int threads=1, bint checked=False, bint logits=False):
        """Outputs (m, n_out) of X (m, n_in), or (n_out,) of (n_in,), into `out` if given.

        X and out are looked at: None says that one of them cannot be used as it stands, or, unless they were
        `checked` before, that X or the outputs are not finite. Only if it was, X may be compressed rows. With
        `logits`, Z of the last layer.
        """
        cdef np.ndarray x = as_reals(X), y
        cdef np.npy_intp shape[2]
        cdef Py_ssize_t rows
        cdef int ndim
        if x is not None:
            ndim = np.PyArray_NDIM(x)
            if ndim < 1 or ndim > 2 or np.PyArray_DIM(x, ndim - 1) != self.n_in:
                return None
            rows = 1 if ndim == 1 else np.PyArray_DIM(x, 0)
        elif checked and hasattr(X, "indptr") and out is None and X.shape[1] == self.n_in:
            ndim, rows = 2, len(X)
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
            self.use(X if x is None else x, None, None, None, threads, False)
            self.net.outputs = <real*> np.PyArray_DATA(y)
            if logits:
                self.net.layers[self.net.depth - 1].activation = IDENTITY
            if <double> rows * self.net.n_parameters < GIL_MAX_PRODUCTS:
                self.predict(rows)
            else:
                with nogil:
                    self.predict(rows)
        finally:
            self.net.layers[self.net.depth - 1].activation = self.output
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
        cdef Py_ssize_t rows = len(X)
        cdef double loss
        self.acquire()
        try:
            self.allocate_backward()
            self.use(X, targets, sample_weight, None, threads, False)
            with nogil:
                self.watch.mode = flush_subnormals()
                try:
                    take_micro_batch(&self.net, 0, rows, 0)
                    choose_packed(&self.net, rows > MICRO_BATCH or self.net.row_blocks > 1, PACK_MIN_ELEMENTS)
                    loss = mean_loss(&self.net, &self.watch, rows, NULL)
                finally:
                    restore_subnormals(self.watch.mode)
        finally:
            self.release()
        return loss

    def gradient(self, X, targets, sample_weight, flat, inputs=None, int threads=1):
        """The mean loss; its gradient into flat (n_parameters,), and into inputs (m, n_in) unless None."""
        return self.backpropagate(X, targets, sample_weight, flat, inputs, threads, self.loss)

    def vjp(self, X, targets, sample_weight, flat, inputs=None, int threads=1):
        """The sum of targets * outputs over the rows, each times its weight of any sign; its gradient as above."""
        return self.backpropagate(X, targets, sample_weight, flat, inputs, threads, GIVEN_DERIVATIVE)

    cdef double backpropagate(
        self, X, targets, sample_weight, flat, inputs, int threads, int loss
    ) except? -1:
        """A loss and its gradient: the mean of the net's own, or the sum of another."""
        cdef Py_ssize_t rows = len(X)
        cdef double total, weight = 1
        self.acquire()
        try:
            self.allocate_backward()
            self.use(X, targets, sample_weight, None, threads, True)
            self.allocate_for_threads()
            self.net.inputs_gradient, self.net.inputs_gradient_stride = <real*> data(inputs), self.n_in
            self.net.loss = loss
            with nogil:
                self.watch.mode = flush_subnormals()
                try:
                    if loss == self.loss:
                        weight = batch_weight(&self.net, 0, rows)
                    prepare_training(&self.net, self.net.inputs_gradient != NULL)
                    total = batch(&self.net, &self.watch, 0, rows, weight, False)
                finally:
                    restore_subnormals(self.watch.mode)
            unpack_all(&self.net, <real*> data(flat), self.net.gradient)
        finally:
            self.net.loss = self.loss
            self.release()
        return total / weight

    def jacobian(self, X, out, int threads=1):
        """dA^L/dX of every row, into out (m, n_out, n_in)."""
        cdef Py_ssize_t rows = len(X), i
        self.acquire()
        try:
            self.allocate_backward()
            self.use(X, None, None, None, threads, True)
            self.allocate_for_threads()
            self.net.inputs_gradient, self.net.inputs_gradient_stride = <real*> data(out), self.n_in * self.n_out
            with nogil:
                self.watch.mode = flush_subnormals()
                try:
                    prepare_training(&self.net, True)
                    for i in range(micro_batches(rows)):
                        take_micro_batch(&self.net, 0, rows, i)
                        self.net.column_layers = 0
                        pool.parallel_for(jacobian_item, &self.net, self.net.row_blocks, self.net.n_active_threads)
                        look_for_signals_after(&self.net, &self.watch, (1 + self.n_out) * self.net.size)
                finally:
                    restore_subnormals(self.watch.mode)
        finally:
            self.release()

    def activations_of(self, X, Py_ssize_t first, Py_ssize_t end, int threads=1):
        """A^(l + 1) (m, n) of the layers l = first .. end - 1, counted from 0."""
        cdef Py_ssize_t rows = len(X), i, l, row, n
        cdef list arrays = [numpy.empty((rows, self.net.layers[l].n_out), self.dtype) for l in range(first, end)]
        cdef real* to
        self.acquire()
        try:
            self.use(X, None, None, None, threads, False)
            self.net.activated_layers = end
            self.watch.mode = flush_subnormals()
            try:
                for i in range(micro_batches(rows)):
                    take_micro_batch(&self.net, 0, rows, i)
                    if i == 0:
                        choose_packed(&self.net, rows > MICRO_BATCH or self.net.row_blocks > 1, PACK_MIN_ELEMENTS)
                    self.net.column_layers = 0
                    with nogil:
                        pool.parallel_for(
                            activations_item, &self.net, self.net.row_blocks, self.net.n_active_threads)
                        look_for_signals_after(&self.net, &self.watch, self.net.size)
                    for l in range(first, end):
                        n = self.net.layers[l].n_out
                        to = <real*> data(arrays[l - first]) + self.net.first_sample * n
                        for row in range(self.net.size):
                            memcpy(to + row * n, self.net.layers[l].a + row * self.net.layers[l].ld, n * sizeof(real))
            finally:
                restore_subnormals(self.watch.mode)
        finally:
            self.release()
        return arrays

    def update(self, gradient, optimizer, int threads=1):
        """One step of an optimizer, from a gradient (n_parameters,) of whatever origin."""
        cdef Epochs epochs
        cdef const real* given = <const real*> data(gradient)
        memset(&epochs, 0, sizeof(Epochs))
        self.acquire()
        try:
            self.allocate_backward()
            self.prepare_steps(optimizer, 0, &epochs)
            self.net.n_threads = threads
            self.net.lowest_delta = self.net.depth      # nobody goes back after it
            with nogil:
                self.watch.mode = flush_subnormals()
                pack_all(&self.net, self.net.packed_parameters, self.net.parameters)
                pack_all(&self.net, self.net.gradient, given)
                take_samples(&self.net, 0, MICRO_BATCH)
                prepare_step(&self.net, &self.optimizer, &epochs, epochs.rate, 1)
                step_by_gradient(&self.net)
                unpack_all(&self.net, self.net.parameters, self.net.packed_parameters)
                restore_subnormals(self.watch.mode)
        finally:
            self.release()

    cdef int prepare_steps(self, optimizer, double l2, Epochs* epochs) except -1:
        """Take the optimizer; `epochs` gets what a step needs of it."""
        cdef Py_ssize_t l
        take_hyperparameters(&self.net.step, &self.optimizer, optimizer)
        for l in range(self.net.depth):     # where the last call may have ended with another factor
            drop_with(&self.net.layers[l], self.net.layers[l].dropout)
        self.net.clip_norm = 0 if optimizer.clip_norm is None else optimizer.clip_norm
        self.net.training = True
        epochs.rate, epochs.weight_decay = optimizer.learning_rate, optimizer.weight_decay
        epochs.decoupled, epochs.l2 = optimizer.decoupled, l2
        return 0

    def interrupt(self, bint end=True):
        """Let epochs end as by the clock, after the step in work, which another thread makes; or no more of them."""
        self.interrupted = end

    def train(self, X, targets, sample_weight, order, steps, int threads=1, run=None):
        """An epoch, or some steps of one, over the samples in `order` (m,), or as they stand if it is None.

        steps is a fastmlp.optimizers.Steps. Returns the mean of the losses seen on the way, over the weighted
        samples. At a loss that is not finite it stops, and returns that loss. A batch whose weights are all zero
        makes no step.

        With a `run`, a fastmlp.training.Run, as many epochs as it lets this call make, and None: order are the rows
        to train with. `run` is told how far they are.
        """
        cdef Epochs epochs
        cdef Py_ssize_t end
        memset(&epochs, 0, sizeof(Epochs))
        epochs.rows, epochs.batch_size = len(X if order is None else order), steps.batch_size
        epochs.steps = (epochs.rows + epochs.batch_size - 1) // epochs.batch_size
        epochs.rates = <const double*> data(steps.rates)
        epochs.weight_decays = <const double*> data(steps.weight_decays)
        epochs.dropout_factors = <const double*> data(steps.dropout_factors)
        epochs.step, epochs.deadline, epochs.interrupted = steps.first, INFINITY, &self.interrupted
        end = epochs.steps if steps.last is None else min(epochs.steps, <Py_ssize_t> steps.last)
        if run is not None:
            take_run(&epochs, run, order)
        self.acquire()
        try:
            self.allocate_backward()
            if run is not None and run.validation is not None:
                X_validation, targets_validation, rows_validation = run.validation
                self.use(X_validation, targets_validation, None, rows_validation, threads, True)
                epochs.validation = self.net.data
            if run is not None and run.order is not None:
                order = run.order
            self.use(X, targets, sample_weight, order, threads, True)
            self.allocate_for_threads()
            self.prepare_steps(steps.optimizer, steps.l2, &epochs)
            self.net.seed = steps.seed
            with nogil:
                self.watch.mode = flush_subnormals()
                self.watch.now = seconds()
                epochs.look += self.watch.now
                epochs.deadline += self.watch.now
                try:
                    prepare_training(&self.net, False)
                    if epochs.average > 0:
                        pack_all(&self.net, epochs.average_now, epochs.averaged)
                    if run is None:
                        make_steps(&self.net, &self.optimizer, &epochs, &self.watch, end)
                    else:
                        run_epochs(&self.net, &self.optimizer, &epochs, &self.watch)
                finally:
                    unpack_all(&self.net, self.net.parameters, self.net.packed_parameters)
                    if epochs.average > 0:
                        unpack_all(&self.net, epochs.averaged, epochs.average_now)
                    restore_subnormals(self.watch.mode)
                    if run is not None:
                        with gil:
                            give_run(&epochs, run)
        finally:
            self.release()
        if run is not None:
            return None
        self.loss_by_rows = epochs.sums.loss_by_rows / epochs.sums.rows
        self.penalty_by_rows = epochs.sums.penalty_by_rows / epochs.sums.rows
        return epochs.sums.loss / epochs.sums.weight

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
