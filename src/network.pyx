"""The compiled Network: parameters, workspace, and the loops over a data set, without the GIL.

This is the compiled twin of reference.Network: the same constructor, methods and meaning. It is compiled once for
every (instruction set, precision); builds.py chooses. It trusts its arguments: shapes, dtypes, contiguity and
finiteness are checked by mlp.py. The one exception is `forward`, which answers None to an X it cannot take as it is,
so that a caller with a ready array pays for no check in Python. Not here: the order of the passes through all layers
(passes.pxd).
"""
cimport numpy as np
import numpy
from fastmlp.sparse import CSR
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.math cimport isfinite
from libc.string cimport memset
from real cimport REAL_IS_DOUBLE, all_finite, flush_subnormals, real, restore_subnormals
from activations cimport activation_code
from arrays cimport REAL, buffer, data, overlap, usable
from dense cimport BIG, row_distance
from forward cimport predict_tile, rows_loss
from losses cimport loss_code
from net cimport (
    FEW, GROUP, PER_NEURON, SHARD, SHARDS, Layer, Net, copies_for, groups, is_sparse, take_group, take_window,
    windows,
)
from optimizers cimport Rule, next_step, take_hyperparameters
from parameters cimport choose_weights, from_strips_all, squared_weights, to_strips_all, transpose_weights
from passes cimport batch, look_for_signals_after, run, run_evaluate
from samples cimport batch_weight
from signals cimport SIGNALS_EVERY, Watch
from workspace cimport lay_out_backward, lay_out_forward

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    int pthread_mutex_init(pthread_mutex_t* lock, void* attributes)
    int pthread_mutex_destroy(pthread_mutex_t* lock)
    int pthread_mutex_trylock(pthread_mutex_t* lock)        # 0 if it was free
    int pthread_mutex_unlock(pthread_mutex_t* lock)

cdef extern from "threads.h" nogil:
    void prepare_for_forks()
    int forks_seen()
    int lock_within(pthread_mutex_t* lock, double seconds)  # 0 if it became free

np.import_array()
prepare_for_forks()

cdef double ALONE = 1e5             # products below which keeping the GIL costs less than handing it over


cdef class Network:
    """A multilayer perceptron over flat buffers: see reference.Network, its specification."""

    cdef Net net
    cdef pthread_mutex_t lock           # one call at a time uses the workspace
    cdef list workspace                 # the arrays that net points into
    cdef np.ndarray inputs              # one more, for rows of X
    cdef bint can_train                 # whether there is all that allocate_backward makes
    cdef Py_ssize_t n_in, n_out
    cdef Watch watch                    # for Ctrl-C
    cdef Rule rule                      # of the optimizer
    cdef unsigned long owner            # the thread that holds the lock, 0 for none
    cdef int forks                      # how often the process had been forked when the lock was made
    cdef readonly double loss_by_rows       # mean loss of the last epoch in which a batch counts by its rows, not by
    cdef readonly double penalty_by_rows    # their weights; and the part of it that is the penalty
    cdef readonly np.ndarray parameters
    cdef readonly tuple sizes

    dtype = numpy.dtype(numpy.float64 if REAL_IS_DOUBLE else numpy.float32)

    def __cinit__(
        self, tuple sizes, tuple activations, str loss, bint bias=True, double negative_slope=0.01,
        double loss_parameter=1, tuple dropout=()
    ):
        cdef Py_ssize_t l, at = 0
        cdef Layer* layer
        if len(activations) != len(sizes) - 1:
            raise ValueError(f"{len(activations)} activations for {len(sizes) - 1} layers")
        self.sizes = sizes
        self.n_in, self.n_out = sizes[0], sizes[len(sizes) - 1]
        self.net.depth = len(sizes) - 1
        self.net.loss = loss_code(loss)
        self.net.slope = negative_slope
        self.net.loss_parameter = loss_parameter
        self.net.threads = 1
        self.net.layers = <Layer*> PyMem_Calloc(self.net.depth, sizeof(Layer))
        self.forks = forks_seen()
        if self.net.layers == NULL or pthread_mutex_init(&self.lock, NULL) != 0:
            raise MemoryError
        for l in range(self.net.depth):
            layer = &self.net.layers[l]
            layer.n_in, layer.n_out = sizes[l], sizes[l + 1]
            layer.activation = activation_code(activations[l])
            layer.weights = at
            at += layer.n_in * layer.n_out
            self.net.n_weights += layer.n_in * layer.n_out
            self.net.work += PER_NEURON * layer.n_out
            if l < len(dropout):
                layer.dropped = <int32_t> (2.0**24 * <double> dropout[l])
                layer.kept = <real> (1 / (1 - <double> dropout[l]))
            layer.biases = at if bias else -1
            at += layer.n_out if bias else 0
            self.net.widest = max(self.net.widest, layer.n_in)
            self.net.big = self.net.big or layer.n_in * layer.n_out >= BIG
        self.net.n_parameters = at
        self.net.work += self.net.n_weights
        self.net.rows = SHARDS * SHARD if at <= FEW else GROUP
        self.rule.beta_1_power = self.rule.beta_2_power = 1
        self.parameters = buffer(at)
        self.net.parameters = <real*> data(self.parameters)
        self.workspace = []
        self.allocate(lay_out_forward)

    def __dealloc__(self):
        PyMem_Free(self.net.layers)
        pthread_mutex_destroy(&self.lock)

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

    cdef allocate_inputs(self):
        """The place where rows of a dense X are gathered; anew, where more threads want a copy each."""
        cdef int copies = copies_for(&self.net)
        if not is_sparse(&self.net) and copies > self.net.copies:
            self.inputs = buffer(copies * GROUP * row_distance(self.n_in))
            self.net.x = <real*> data(self.inputs)
            self.net.copies = copies

    cdef int acquire(self) except -1:
        """Wait for the workspace; Ctrl-C ends the wait."""
        cdef unsigned long me = PyThread_get_thread_ident()
        cdef int status
        if self.forks != forks_seen():      # a thread of the parent may have held the lock, and is not here
            pthread_mutex_init(&self.lock, NULL)
            self.forks = forks_seen()
        status = pthread_mutex_trylock(&self.lock)
        if status != 0 and self.owner == me:
            raise RuntimeError("this net is in the middle of another call, which a signal handler interrupted")
        while status != 0:
            with nogil:
                status = lock_within(&self.lock, SIGNALS_EVERY)
            if status != 0:
                PyErr_CheckSignals()
        self.owner = me
        return 0

    cdef void release(self) noexcept:
        self.owner = 0
        pthread_mutex_unlock(&self.lock)

    cdef int use(self, X, targets, sample_weight, order, int threads, bint backward) except -1:
        """Point the net at the data of one call; the arrays must outlive it. X is an array, or fastmlp.sparse.CSR."""
        cdef Net* net = &self.net
        if isinstance(X, np.ndarray):
            net.X, net.sparse.indptr = <const real*> data(X), NULL
        else:
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
        net.dropping = False
        net.x_distance = row_distance(self.n_in) if backward or order is not None else self.n_in
        net.threads = threads
        net.outputs = NULL
        net.inputs_gradient = NULL
        return 0

    def forward(self, X, out=None, int threads=1, bint checked=False):
        """Outputs (m, n_out) of X (m, n_in), or (n_out,) of (n_in,), into `out` if given.

        X and out are looked at: None says that one of them cannot be used as it stands, or, unless they were
        `checked` before, that X or the outputs are not finite. Only if it was, X may be a fastmlp.sparse.CSR.
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
        elif checked and type(X) is CSR and out is None and X.shape[1] == self.n_in:
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
            if <double> rows * self.net.n_parameters < ALONE:
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
        """Outputs of all rows, window by window."""
        cdef Net* net = &self.net
        cdef Py_ssize_t window, of = windows(net, rows, 1)
        self.watch.mode = flush_subnormals()
        try:
            for window in range(of):
                take_window(net, rows, window, of)
                if window == 0:
                    choose_weights(net, False, of > 1 or net.tiles > 1)
                run(net, predict_tile, net.tiles)
                look_for_signals_after(net, &self.watch, net.size)
        finally:
            restore_subnormals(self.watch.mode)
        return 0

    def evaluate(self, X, targets, sample_weight=None, int threads=1):
        """The mean loss over the weighted rows."""
        cdef Py_ssize_t rows = len(X), group
        cdef double total = 0, weight
        self.acquire()
        try:
            self.allocate_backward()
            self.use(X, targets, sample_weight, None, threads, False)
            with nogil:
                self.watch.mode = flush_subnormals()
                try:
                    weight = batch_weight(&self.net, 0, rows)
                    for group in range(groups(rows)):
                        take_group(&self.net, 0, rows, group)
                        if group == 0:
                            choose_weights(&self.net, False, rows > GROUP or self.net.tiles > 1)
                        run_evaluate(&self.net)
                        total += rows_loss(&self.net, 0, self.net.size)
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
            self.allocate_inputs()
            self.net.inputs_gradient = <real*> data(inputs)
            with nogil:
                self.watch.mode = flush_subnormals()
                try:
                    weight = batch_weight(&self.net, 0, rows)
                    choose_weights(&self.net, True, False)
                    transpose_weights(&self.net, 1 if self.net.inputs_gradient == NULL else 0)
                    total = batch(&self.net, &self.watch, 0, rows, weight, False)
                finally:
                    restore_subnormals(self.watch.mode)
            from_strips_all(&self.net, <real*> data(flat), self.net.gradient)
        finally:
            self.release()
        return total / weight

    def train(
        self, X, targets, sample_weight, order, Py_ssize_t batch_size, optimizer, int threads=1, double l2=0,
        rates=None, uint64_t seed=0, Py_ssize_t first=0, last=None
    ):
        """One epoch: a step for every batch_size samples, taken in `order` (m,), or as they stand if it is None.

        Or some of an epoch: its steps first .. last. With l2, a batch's loss summed over its weighted samples has the
        penalty l2 / 2 sum W^2 added. With rates (steps of an epoch,) of float64, each step has its own learning rate.
        `seed` decides which units dropout leaves out. Returns the mean of the losses seen on the way, over the
        weighted samples. At a loss that is not finite it stops, and returns that loss. A batch whose weights are all
        zero makes no step.
        """
        cdef Py_ssize_t rows = len(X), steps = (rows + batch_size - 1) // batch_size, step, start, size
        cdef double total = 0, total_weight = 0, weight, loss, penalty = 0
        cdef double by_rows = 0, penalty_by_rows = 0, total_rows = 0
        cdef Rule before
        cdef double rate = optimizer.learning_rate, weight_decay = optimizer.weight_decay
        cdef const double* rate_of = <const double*> data(rates)
        cdef bint decoupled = optimizer.decoupled
        if last is not None:
            steps = min(steps, <Py_ssize_t> last)
        self.acquire()
        try:
            self.allocate_backward()
            self.use(X, targets, sample_weight, order, threads, True)
            self.allocate_inputs()
            self.net.dropping, self.net.seed = True, seed
            take_hyperparameters(&self.net.step, &self.rule, optimizer)
            self.net.clip_norm = 0 if optimizer.clip_norm is None else optimizer.clip_norm
            with nogil:
                self.watch.mode = flush_subnormals()
                try:
                    choose_weights(&self.net, True, False)
                    transpose_weights(&self.net, 1)
                    for step in range(first, steps):
                        start = step * batch_size
                        size = min(batch_size, rows - start)
                        weight = batch_weight(&self.net, start, size)
                        if weight == 0:
                            continue
                        if rate_of != NULL:
                            rate = rate_of[step]
                        before = self.rule
                        next_step(&self.net.step, &self.rule, rate)
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
                            self.rule = before      # it was no step
                            break
                finally:
                    from_strips_all(&self.net, self.net.parameters, self.net.theta)
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
            from_strips_all(&self.net, <real*> data(first), self.net.first)
            from_strips_all(&self.net, <real*> data(second), self.net.second)
            return self.rule.beta_1_power, self.rule.beta_2_power, first, second
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
            self.rule.beta_1_power, self.rule.beta_2_power = state[:2]
            to_strips_all(&self.net, self.net.first, <real*> data(first))
            to_strips_all(&self.net, self.net.second, <real*> data(second))
        finally:
            self.release()

    def reset_optimizer(self):
        """Forget the steps taken so far."""
        self.acquire()
        try:
            self.rule.beta_1_power = self.rule.beta_2_power = 1
            if self.can_train:
                memset(self.net.first, 0, self.net.n_parameters * sizeof(real))
                memset(self.net.second, 0, self.net.n_parameters * sizeof(real))
        finally:
            self.release()
