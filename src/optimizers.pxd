"""Every optimizer: one step over flat buffers, elementwise, in one pass.

`decay` is the L2 penalty: its gradient decay * theta is added to the gradient here, so that no other pass over the
parameters is needed. Hyperparameters come from fastmlp/optimizers.py, where each is described.
"""
from real cimport real
from elementary cimport reciprocal, root

cdef enum Optimizer:
    SGD
    ADAM

cdef struct Step:
    int optimizer
    bint nesterov
    real learning_rate      # of this step; for Adam divided by 1 - beta_1^t
    real momentum
    real beta_1
    real beta_2
    real add_1              # 1 - beta_1 and 1 - beta_2, rounded once
    real add_2
    real epsilon
    real correction         # 1 / sqrt(1 - beta_2^t)


cdef inline int optimizer_code(str name) except -1:
    """The code of a class name of fastmlp/optimizers.py."""
    return ("SGD", "Adam").index(name)


cdef inline void sgd_step(
    const Step* step, real* theta, real* velocity, const real* gradient, real decay, Py_ssize_t n
) noexcept nogil:
    """v = momentum v + g; theta -= learning_rate * v, or for nesterov learning_rate * (g + momentum v)."""
    cdef Py_ssize_t i
    cdef real g
    cdef real rate = step.learning_rate, momentum = step.momentum
    if momentum == 0:
        for i in range(n):
            theta[i] -= rate * (gradient[i] + decay * theta[i])
    elif step.nesterov:
        for i in range(n):
            g = gradient[i] + decay * theta[i]
            velocity[i] = momentum * velocity[i] + g
            theta[i] -= rate * (g + momentum * velocity[i])
    else:
        for i in range(n):
            velocity[i] = momentum * velocity[i] + (gradient[i] + decay * theta[i])
            theta[i] -= rate * velocity[i]


cdef inline void adam_step(
    const Step* step, real* theta, real* first, real* second, const real* gradient, real decay, Py_ssize_t n
) noexcept nogil:
    """m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; theta -= rate m / (sqrt(v) correction + epsilon)."""
    cdef Py_ssize_t i
    cdef real g
    cdef real rate = step.learning_rate, epsilon = step.epsilon, correction = step.correction
    cdef real keep_1 = step.beta_1, keep_2 = step.beta_2
    cdef real add_1 = step.add_1, add_2 = step.add_2
    for i in range(n):
        g = gradient[i] + decay * theta[i]
        first[i] = keep_1 * first[i] + add_1 * g
        second[i] = keep_2 * second[i] + add_2 * g * g
        theta[i] -= rate * first[i] * reciprocal(root(second[i]) * correction + epsilon)


cdef inline void optimizer_step(
    const Step* step, real* theta, real* first, real* second, const real* gradient, real decay, Py_ssize_t n
) noexcept nogil:
    if step.optimizer == ADAM:
        adam_step(step, theta, first, second, gradient, decay, n)
    else:
        sgd_step(step, theta, first, gradient, decay, n)
