"""The perceptron's arithmetic: its net input, and one pass of its learning rule (lecture script 003).

One parameter vector theta (n + 1,) holds the weights and then the bias. Learning and answering add up in the same
order, so that a sample on the boundary gets the same answer from both.
"""
from libc.stdint cimport int64_t


cdef inline double net_input(const double[::1] theta, const double[:, ::1] X, Py_ssize_t row) noexcept nogil:
    """w.x + b of one row of X (m, n): b first, then the products from left to right."""
    cdef Py_ssize_t j, n = X.shape[1]
    cdef double z = theta[n]
    for j in range(n):
        z += theta[j] * X[row, j]
    return z


def net_inputs(double[::1] z, const double[::1] theta, const double[:, ::1] X):
    """z (m,) = X w + b of X (m, n)."""
    cdef Py_ssize_t row
    with nogil:
        for row in range(X.shape[0]):
            z[row] = net_input(theta, X, row)


def learning_pass(
    double[::1] theta,
    int64_t[::1] rows,
    double[:, ::1] thetas,
    const double[:, ::1] X,
    const double[::1] y,
    const int64_t[::1] order,
    double learning_rate,
):
    """Correct theta (n + 1,) for each sample that it takes for the other class.

    w <- w + learning_rate * y x, b <- b + learning_rate * y for each of them. X (m, n), y (m,) of +1 and -1, order
    (m,): the rows in the order in which they are taken. The first k corrections are recorded, their rows in rows (k,)
    and what theta became in thetas (k, n + 1). Returns how many there were.
    """
    cdef Py_ssize_t i, j, row, n = X.shape[1], mistakes = 0
    cdef double step
    with nogil:
        for i in range(order.shape[0]):
            row = order[i]
            if (net_input(theta, X, row) > 0) != (y[row] > 0):
                step = learning_rate * y[row]
                for j in range(n):
                    theta[j] += step * X[row, j]
                theta[n] += step
                if mistakes < rows.shape[0]:
                    rows[mistakes] = row
                    for j in range(n + 1):
                        thetas[mistakes, j] = theta[j]
                mistakes += 1
    return mistakes
