"""The epochs of training: the order of their samples, their steps, and what is looked at after each.

An epoch begins with an order of samples, makes its steps, and ends with its losses: the one seen on the way, and that
on the validation rows. Then it is decided whether it was the best, and whether it was the last. A call of
`Network.train` goes so far as it may; where it begins and ends, within an epoch or after it, does not change a bit:
`Epochs` holds all that the next call needs. Not here: a batch (schedules.pxd).
"""
from libc.math cimport NAN, isfinite
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from real cimport all_finite, real
from arrays cimport data
from dropout cimport GOLDEN, mixed
from net cimport Data, Net, drop_with
from optimizers cimport OptimizerState, advance
from parallel cimport pool
from parameters cimport add_to_average, exchange, squared_weights, unpack_all
from samples cimport batch_weight
from schedules cimport batch, mean_loss
from signals cimport Watch

cdef extern from *:
    """
    #define LOOK_EVERY 0.1
    """
    const double LOOK_EVERY     # seconds after which the caller gets to see the end of an epoch, and others the net

cdef enum:
    AVERAGE_ELEMENTS = 1 << 14  # of the average, that one thread updates at a time

cdef enum Stop:             # why there are no more epochs; `stop_names` is what Python calls them
    GOES_ON
    PATIENCE
    DIVERGED
    TIME
    CALLBACK

cdef struct Sums:           # over the batches of an epoch
    double loss, weight                     # of the samples, times their weights; these weights
    double loss_by_rows, penalty_by_rows    # the mean over a batch times its rows; and that of the penalty in it
    double rows

cdef struct Losses:         # of an epoch
    double training, validation, accuracy   # the last two NaN where nobody asks for them

cdef struct Epochs:
    # the steps
    Py_ssize_t rows                         # samples of an epoch
    Py_ssize_t batch_size, steps            # samples of a step; steps of an epoch
    const double* rates                     # of the steps from the epoch on that is in work, or NULL:
    double rate
    const double* weight_decays             # the same, or NULL:
    double weight_decay                     # see Optimizer in fastmlp/optimizers.py
    const double* dropout_factors           # of the probabilities of dropout, the same, or NULL for 1
    double l2                               # see Steps there
    bint decoupled
    # the average of the parameters, an exponential moving one, without a bias towards those at the beginning
    double average                          # how much of it is kept in a step, or 0 for none
    double average_power                    # average^t after t steps
    real* averaged                          # by rows, between calls
    real* average_now                       # packed
    real* average_before                    # the same, from before the epoch
    # the order of samples
    uint64_t seed                           # with `number` it decides on the order, and on who is left out by dropout
    uint64_t number                         # of the epoch in work, since the net was made
    int64_t* order                          # (rows,) that is shuffled for each epoch, or NULL: the data's own order
    const int64_t* training_rows            # (rows,) that it is made of, or NULL: all
    # what is looked at after an epoch
    Data validation
    Py_ssize_t validation_rows              # 0 for none
    bint wants_accuracy
    Py_ssize_t patience                     # so many epochs without an improvement end the training; 0: none does
    double tol                              # by more than this the loss must fall
    # how far it is
    Py_ssize_t step                         # of the epoch in work: the next one
    Py_ssize_t ended                        # epochs in this call
    Sums sums
    double batch_loss                       # the mean loss of the last batch, without penalty
    real* before                            # the packed parameters from before the epoch
    double best_loss                        # or minus the best accuracy
    bint by_accuracy                        # whether it decides which epoch is the best, the last of several
    Py_ssize_t waited                       # epochs since the best one
    real* best                              # the parameters of the best epoch, by rows; NULL: the core looks for none
    Losses* losses                          # of the epochs that this call ended
    Stop stop
    double diverged_loss
    # when the call is over
    Py_ssize_t most                         # epochs
    bint one_step                           # after a step, too
    double look                             # at the end of the epoch in which the clock shows this
    double deadline                         # when the epoch in work is to be its last
    const bint* interrupted                 # whether it is, for another reason
    Stop cut                                # what ended the epoch in work before its last step, or GOES_ON


cdef inline uint32_t below(uint64_t x, uint32_t bound) noexcept nogil:
    """A number below `bound`, all equally likely, from a random x: Lemire 2019. Few x are drawn again."""
    cdef uint64_t product = (x >> 32) * bound
    cdef uint32_t least
    if <uint32_t> product < bound:
        least = (0 - bound) % bound
        while <uint32_t> product < least:
            x = mixed(x + GOLDEN)
            product = (x >> 32) * bound
    return product >> 32


cdef inline uint64_t seed_of_epoch(uint64_t seed, uint64_t number) noexcept nogil:
    return mixed(seed + (number + 1) * GOLDEN)


cdef inline void shuffle(int64_t* order, Py_ssize_t n, uint64_t seed) noexcept nogil:
    """Any order is as likely as any other (Fisher and Yates 1938, Durstenfeld 1964); formulas.py has the same."""
    cdef Py_ssize_t i, j
    cdef uint64_t key = mixed(seed)
    for i in range(n - 1, 0, -1):
        j = below(mixed(key + i * GOLDEN), <uint32_t> (i + 1))
        order[i], order[j] = order[j], order[i]


cdef inline void begin_epoch(const Net* net, Epochs* epochs) noexcept nogil:
    cdef Py_ssize_t i
    memcpy(epochs.before, net.packed_parameters, net.n_parameters * sizeof(real))
    if epochs.average > 0:
        memcpy(epochs.average_before, epochs.average_now, net.n_parameters * sizeof(real))
    if epochs.order != NULL:
        if epochs.training_rows != NULL:
            memcpy(epochs.order, epochs.training_rows, epochs.rows * sizeof(int64_t))
        else:
            for i in range(epochs.rows):
                epochs.order[i] = i
        shuffle(epochs.order, epochs.rows, net.seed)


cdef inline void prepare_step(
    Net* net, OptimizerState* optimizer, const Epochs* epochs, double rate, double weight
) noexcept nogil:
    """What the optimizer's next step is made with, at this learning rate and for samples of this weight."""
    advance(&net.step, optimizer, rate)
    net.step.decay = <real> ((0 if epochs.decoupled else epochs.weight_decay) + epochs.l2 / weight)
    net.step.shrink = <real> (rate * epochs.weight_decay if epochs.decoupled else 0)


cdef struct Averaging:
    real* average
    const real* theta
    real weight
    Py_ssize_t n


cdef inline void average_item(void* context, Py_ssize_t item, int thread) noexcept nogil:
    cdef Averaging* work = <Averaging*> context
    cdef Py_ssize_t at = item * AVERAGE_ELEMENTS
    add_to_average(work.average + at, work.theta + at, work.weight, min(work.n - at, AVERAGE_ELEMENTS))


cdef inline void take_average(Net* net, Epochs* epochs) noexcept nogil:
    """The average after a step: of weight (1 - d) d^(t - s) / (1 - d^t) for the parameters after step s of t."""
    cdef Averaging work
    epochs.average_power *= epochs.average
    work.average, work.theta, work.n = epochs.average_now, net.packed_parameters, net.n_parameters
    work.weight = <real> ((1 - epochs.average) / (1 - epochs.average_power))
    pool.parallel_for(
        average_item, &work, (work.n + AVERAGE_ELEMENTS - 1) // AVERAGE_ELEMENTS, net.n_active_threads)


cdef inline bint make_step(Net* net, OptimizerState* optimizer, Epochs* epochs, Watch* watch) except -1 nogil:
    """The next step of an epoch, unless its samples weigh nothing; whether it was one."""
    cdef Py_ssize_t start = epochs.step * epochs.batch_size, size = min(epochs.batch_size, epochs.rows - start)
    cdef double weight = batch_weight(net, start, size), rate = epochs.rate, penalty = 0, loss
    cdef OptimizerState before = optimizer[0]
    cdef Py_ssize_t number = epochs.ended * epochs.steps + epochs.step, l
    if epochs.rates != NULL:
        rate = epochs.rates[number]
    if epochs.weight_decays != NULL:
        epochs.weight_decay = epochs.weight_decays[number]
    if epochs.dropout_factors != NULL:
        for l in range(net.depth):
            drop_with(&net.layers[l], epochs.dropout_factors[number] * net.layers[l].dropout)
    epochs.step += 1
    if weight == 0:
        return False
    prepare_step(net, optimizer, epochs, rate, weight)
    if epochs.l2 > 0:
        penalty = 0.5 * epochs.l2 * squared_weights(net)
    loss = batch(net, watch, start, size, weight, True)
    if not isfinite(loss):
        optimizer[0] = before       # it was no step
    elif epochs.average > 0:
        take_average(net, epochs)
    epochs.batch_loss = loss / weight
    loss += penalty
    epochs.sums.loss += loss
    epochs.sums.weight += weight
    epochs.sums.loss_by_rows += size * loss / weight
    epochs.sums.penalty_by_rows += size * penalty / weight
    epochs.sums.rows += size
    return True


cdef inline int validate(Net* net, Watch* watch, const Epochs* epochs, Losses* losses) except -1 nogil:
    """The loss on the validation rows, by the parameters as training has packed them, or by their average."""
    cdef Data training = net.data
    cdef Py_ssize_t right = 0
    net.data, net.backward, net.training = epochs.validation, False, False
    if epochs.average > 0:
        exchange(net.packed_parameters, epochs.average_now, net.n_parameters)
    try:
        losses.validation = mean_loss(
            net, watch, epochs.validation_rows, &right if epochs.wants_accuracy else NULL)
    finally:
        net.data, net.backward, net.training = training, True, True
        if epochs.average > 0:
            exchange(net.packed_parameters, epochs.average_now, net.n_parameters)
    if epochs.wants_accuracy:
        losses.accuracy = <double> right / epochs.validation_rows
    return 0


cdef inline void return_from_divergence(Net* net, OptimizerState* optimizer, Epochs* epochs) noexcept nogil:
    """The parameters and their average are again those from before the epoch, and the optimizer knows no step."""
    memcpy(net.packed_parameters, epochs.before, net.n_parameters * sizeof(real))
    if epochs.average > 0:
        memcpy(epochs.average_now, epochs.average_before, net.n_parameters * sizeof(real))
    memset(net.first_moment, 0, net.n_parameters * sizeof(real))
    memset(net.second_moment, 0, net.n_parameters * sizeof(real))
    optimizer.beta_1_power = optimizer.beta_2_power = 1


cdef inline int end_epoch(Net* net, OptimizerState* optimizer, Epochs* epochs, Watch* watch) except -1 nogil:
    """Its losses, and whether it was the best or the last one."""
    cdef Losses* losses = &epochs.losses[epochs.ended]
    cdef double loss = epochs.sums.loss / epochs.sums.weight
    cdef bint averages = epochs.average > 0
    losses.training, losses.validation, losses.accuracy = loss, NAN, NAN
    if epochs.validation_rows > 0 and isfinite(loss):
        validate(net, watch, epochs, losses)
        loss = losses.validation
    epochs.step = 0
    epochs.number += 1
    memset(&epochs.sums, 0, sizeof(Sums))
    if not (isfinite(loss) and all_finite(net.packed_parameters, net.n_parameters)
            and not (averages and not all_finite(epochs.average_now, net.n_parameters))):
        return_from_divergence(net, optimizer, epochs)
        epochs.stop, epochs.diverged_loss = DIVERGED, loss
        return 0
    epochs.ended += 1
    epochs.stop = epochs.cut
    if epochs.best == NULL:
        return 0
    if epochs.by_accuracy:
        loss = -losses.accuracy
    epochs.waited = 0 if loss < epochs.best_loss - epochs.tol else epochs.waited + 1
    if epochs.waited == 0 or (epochs.by_accuracy and loss <= epochs.best_loss):
        epochs.best_loss = loss
        unpack_all(net, epochs.best, epochs.average_now if averages else net.packed_parameters)
    if epochs.patience > 0 and epochs.waited >= epochs.patience and epochs.stop == GOES_ON:
        epochs.stop = PATIENCE
    return 0


cdef inline int make_steps(
    Net* net, OptimizerState* optimizer, Epochs* epochs, Watch* watch, Py_ssize_t end
) except -1 nogil:
    """The steps up to `end`, but none after a loss that is not finite; 1 where it ends after the one asked for."""
    cdef bint made
    while epochs.step < end and epochs.cut == GOES_ON:
        made = make_step(net, optimizer, epochs, watch)
        if made and not isfinite(epochs.batch_loss):
            break
        if made and (watch.now > epochs.deadline or epochs.interrupted[0]):
            epochs.cut = TIME
        if made and epochs.one_step:
            return 1
    return 0


cdef inline int run_epochs(Net* net, OptimizerState* optimizer, Epochs* epochs, Watch* watch) except -1 nogil:
    """As many epochs as the call may make."""
    while epochs.ended < epochs.most and epochs.stop == GOES_ON:
        net.seed = seed_of_epoch(epochs.seed, epochs.number)
        if epochs.step == 0:
            begin_epoch(net, epochs)
        if make_steps(net, optimizer, epochs, watch, epochs.steps):
            break
        end_epoch(net, optimizer, epochs, watch)
        if watch.now > epochs.look:
            break
    return 0


cdef inline tuple stop_names():
    """In the order of the enumeration."""
    return "", "patience", "diverged", "time", "callback"


cdef inline int take_run(Epochs* epochs, run, training_rows) except -1:
    """Take what a fastmlp.training.Run says; its arrays must outlive the call."""
    epochs.seed, epochs.number, epochs.step = run.seed, run.number, run.step
    epochs.order, epochs.training_rows = <int64_t*> data(run.order), <const int64_t*> data(training_rows)
    if run.validation is not None:
        epochs.validation_rows, epochs.wants_accuracy = run.validation_rows, run.wants_accuracy
    epochs.patience, epochs.tol = run.patience, run.tol
    epochs.before, epochs.by_accuracy = <real*> data(run.before), run.criterion == "accuracy"
    epochs.best = NULL if run.criterion == "metric" else <real*> data(run.best)
    epochs.average, epochs.average_power = run.average, run.average_power
    if run.averaged is not None:
        epochs.averaged = <real*> data(run.averaged)
        epochs.average_now = <real*> data(run.average_room[0])
        epochs.average_before = <real*> data(run.average_room[1])
    epochs.best_loss, epochs.waited = run.best_loss, run.waited
    epochs.losses, epochs.most = <Losses*> data(run.losses), len(run.losses)
    epochs.one_step, epochs.cut = run.one_step, <Stop> stop_names().index(run.cut)
    epochs.look, epochs.deadline = LOOK_EVERY, run.seconds
    memcpy(&epochs.sums, data(run.sums), sizeof(Sums))
    return 0


cdef inline int give_run(const Epochs* epochs, run) except -1:
    """Tell the Run how far it is."""
    run.number, run.step, run.ended = epochs.number, epochs.step, epochs.ended
    run.batch_loss, run.diverged_loss = epochs.batch_loss, epochs.diverged_loss
    run.average_power = epochs.average_power
    run.best_loss, run.waited, run.stop = epochs.best_loss, epochs.waited, stop_names()[epochs.stop]
    run.cut = stop_names()[epochs.cut]
    memcpy(data(run.sums), &epochs.sums, sizeof(Sums))
    return 0
