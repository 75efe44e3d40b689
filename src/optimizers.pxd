"""Every optimizer: one step over flat buffers, elementwise, in one pass.

The penalties of weights are part of the step, so that no other pass over the parameters is needed. Hyperparameters
come from fastmlp/optimizers.py, where each is described; the names are those of formulas.OPTIMIZERS. A name without a
formula gives NaN.
"""
from libc.math cimport sqrt
from real cimport REAL_MIN, REAL_NAN, real, sign
from vector cimport LANES, load, load_lanes, reciprocal, root, signs, store, store_lanes, vec

cdef enum Optimizer:
    SGD
    ADAM
    ADAMW
    RMSPROP

cdef struct Group:          # parameters that the optimizer treats alike: a matrix, as W (n_in, n_out) or b (1, n_out)
    Py_ssize_t offset       # where they stand in the flat buffers
    Py_ssize_t rows, columns
    bint decayed            # whether penalties and weight decay count
    bint trainable
    double rate_factor      # of the learning rate

cdef struct Step:
    int optimizer
    bint nesterov
    real learning_rate      # of this step; for Adam divided by 1 - beta_1^t
    real momentum
    real beta_1
    real beta_2             # rho of RMSprop
    real add_1              # 1 - beta_1 and 1 - beta_2, rounded once
    real add_2
    real epsilon
    real correction         # 1 / sqrt(1 - beta_2^t)
    real decay              # of the L2 penalty, whose gradient is decay * theta
    real l1                 # of the L1 penalty, whose gradient is l1 * sign(theta)
    real shrink             # of the decoupled one of AdamW, which takes shrink * theta from theta


cdef struct OptimizerState:     # what a Step is made from, in double precision
    bint bias_correction        # Adam's: moments divided by 1 - beta^t
    double beta_1, beta_2
    double beta_1_power, beta_2_power   # after t steps; 1 where there is no bias correction
    double epsilon
    bint epsilon_hat


cdef inline tuple optimizer_names():
    """The classes of fastmlp/optimizers.py, in the order of the enumeration."""
    return "SGD", "Adam", "AdamW", "RMSprop"


cdef inline real with_penalties(real g, real theta, real decay, real l1) noexcept nogil:
    """g + decay theta + l1 sign(theta)."""
    return g + decay * theta + l1 * sign(theta)


cdef inline void sgd_step(
    const Step* step, real* theta, real* velocity, const real* gradient, Py_ssize_t n
) noexcept nogil:
    """v = momentum v + g; theta -= learning_rate * v, or for nesterov learning_rate * (g + momentum v)."""
    cdef Py_ssize_t i
    cdef real g, rate = step.learning_rate, momentum = step.momentum, decay = step.decay, l1 = step.l1
    if momentum == 0:
        for i in range(n):
            theta[i] -= rate * with_penalties(gradient[i], theta[i], decay, l1)
    elif step.nesterov:
        for i in range(n):
            g = with_penalties(gradient[i], theta[i], decay, l1)
            velocity[i] = momentum * velocity[i] + g
            theta[i] -= rate * (g + momentum * velocity[i])
    else:
        for i in range(n):
            velocity[i] = momentum * velocity[i] + with_penalties(gradient[i], theta[i], decay, l1)
            theta[i] -= rate * velocity[i]


cdef inline vec adam_update(const Step* step, vec* first, vec* second, vec g) noexcept nogil:
    """m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; returns rate m / (sqrt(v) correction + epsilon)."""
    first[0] = step.beta_1 * first[0] + step.add_1 * g
    second[0] = step.beta_2 * second[0] + step.add_2 * g * g
    return step.learning_rate * first[0] * reciprocal(root(second[0]) * step.correction + step.epsilon)


cdef inline vec rmsprop_update(const Step* step, vec* velocity, vec* square, vec g) noexcept nogil:
    """s = rho s + (1 - rho) g^2; v = momentum v + g / (sqrt(s) + epsilon); returns rate v."""
    square[0] = step.beta_2 * square[0] + step.add_2 * g * g
    velocity[0] = step.momentum * velocity[0] + g * reciprocal(root(square[0]) + step.epsilon)
    return step.learning_rate * velocity[0]


cdef inline vec moments_update(const Step* step, vec theta, vec* first, vec* second, vec g) noexcept nogil:
    """What is taken from theta, whose gradient without penalties is g."""
    if step.decay != 0:
        g += step.decay * theta
    if step.l1 != 0:
        g += step.l1 * signs(theta)
    if step.optimizer == RMSPROP:
        return rmsprop_update(step, first, second, g)
    if step.shrink == 0:
        return adam_update(step, first, second, g)
    return adam_update(step, first, second, g) + step.shrink * theta


cdef inline void moments_step(
    const Step* step, real* theta, real* first, real* second, const real* gradient, Py_ssize_t n
) noexcept nogil:
    """theta -= moments_update, vector by vector: a plain loop would not get the estimates behind 1 / x and root.

    Adam without penalties has a loop without branches.
    """
    cdef Py_ssize_t i, at, whole = n - n % LANES
    cdef Step constants = step[0]
    cdef vec t, m, v
    if step.optimizer == ADAM and step.decay == 0 and step.l1 == 0:
        for i in range(n // LANES):
            at = i * LANES
            m, v = load(first + at), load(second + at)
            store(theta + at, load(theta + at) - adam_update(&constants, &m, &v, load(gradient + at)))
            store(first + at, m)
            store(second + at, v)
    else:
        for i in range(n // LANES):
            at = i * LANES
            t, m, v = load(theta + at), load(first + at), load(second + at)
            t -= moments_update(&constants, t, &m, &v, load(gradient + at))
            store(theta + at, t)
            store(first + at, m)
            store(second + at, v)
    n -= whole
    if n > 0:
        t, m, v = load_lanes(theta + whole, n), load_lanes(first + whole, n), load_lanes(second + whole, n)
        t -= moments_update(&constants, t, &m, &v, load_lanes(gradient + whole, n))
        store_lanes(theta + whole, t, n)
        store_lanes(first + whole, m, n)
        store_lanes(second + whole, v, n)


cdef inline void optimizer_step(
    const Step* step, const Group* group, real* theta, real* first, real* second, const real* gradient, Py_ssize_t n
) noexcept nogil:
    """The step of n parameters of a group."""
    cdef Step own = step[0]
    if not group.trainable:
        return
    own.learning_rate = <real> (group.rate_factor * own.learning_rate)
    own.shrink = <real> (group.rate_factor * own.shrink)
    if not group.decayed:
        own.decay = own.l1 = own.shrink = 0
    if step.optimizer == SGD:
        sgd_step(&own, theta, first, gradient, n)
    elif step.optimizer == ADAM or step.optimizer == ADAMW or step.optimizer == RMSPROP:
        moments_step(&own, theta, first, second, gradient, n)
    else:
        theta[0] = REAL_NAN


cdef inline int take_hyperparameters(Step* step, OptimizerState* state, optimizer) except -1:
    """Take the hyperparameters of one of fastmlp/optimizers.py; those that it has not, are not used.

    Not clip_norm, which belongs to the whole gradient: `train` gives it to the net.
    """
    cdef double rho
    step.optimizer = optimizer_names().index(type(optimizer).__name__)
    step.momentum = <double> getattr(optimizer, "momentum", 0.0)
    step.l1 = <double> optimizer.l1
    step.nesterov = getattr(optimizer, "nesterov", False)
    state.bias_correction = optimizer.bias_correction
    state.beta_1, state.beta_2 = getattr(optimizer, "beta_1", 0.0), getattr(optimizer, "beta_2", 0.0)
    rho = getattr(optimizer, "rho", state.beta_2)
    step.beta_1, step.beta_2 = <real> state.beta_1, <real> rho
    step.add_1, step.add_2 = <real> (1 - state.beta_1), <real> (1 - rho)
    state.epsilon, state.epsilon_hat = getattr(optimizer, "epsilon", 0.0), getattr(optimizer, "epsilon_hat", False)
    return 0


cdef inline void advance(Step* step, OptimizerState* state, double learning_rate) noexcept nogil:
    """The next step's learning rate and its bias corrections, if the optimizer has any."""
    cdef double correction_1 = 1, correction_2 = 1
    if state.bias_correction:
        state.beta_1_power *= state.beta_1
        state.beta_2_power *= state.beta_2
        correction_1, correction_2 = 1 - state.beta_1_power, 1 - state.beta_2_power
    step.learning_rate = <real> (learning_rate / correction_1)
    step.correction = <real> (1 / sqrt(correction_2))
    step.epsilon = <real> (state.epsilon / sqrt(correction_2) if state.epsilon_hat else state.epsilon)
    step.epsilon = max(step.epsilon, REAL_MIN)      # a root may be 0, and `reciprocal` wants a normal number
