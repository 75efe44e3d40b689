"""The perceptron's learning rule, one pass over the samples (lecture script 003)."""
from libc.stdint cimport int64_t


def learning_pass(
    double[::1] theta, const double[:, ::1] X, const double[::1] y, const int64_t[::1] order, double learning_rate
):
    """Correct theta (n + 1,), the weights and then the bias, for each sample that it takes for the other class.

    X (m, n), y (m,) of +1 and -1, order (m,): the rows in the order in which they are taken. Returns the number of
    mistakes. w <- w + learning_rate * y x, b <- b + learning_rate * y for each of them.
    """
    cdef Py_ssize_t i, j, row, n = X.shape[1], mistakes = 0
    cdef double z, step
    with nogil:
        for i in range(order.shape[0]):
            row = order[i]
            z = theta[n]
            for j in range(n):
                z += theta[j] * X[row, j]
            if (z > 0) != (y[row] > 0):
                mistakes += 1
                step = learning_rate * y[row]
                for j in range(n):
                    theta[j] += step * X[row, j]
                theta[n] += step
    return mistakes
