"""The vector type of vector.h and what can be done with it; nothing else."""
from real cimport real

cdef extern from "vector.h" nogil:
    ctypedef real vec           # LANES elements: arithmetic is by element, a real beside it counts for all
    const Py_ssize_t LANES
    vec load(const real* p)
    void store(real* p, vec v)
    vec load_lanes(const real* p, Py_ssize_t n)     # the first n < LANES
    void store_lanes(real* p, vec v, Py_ssize_t n)
    vec signs(vec x)
    vec reciprocal(vec x)       # x >= the smallest normal number
    vec root(vec x)
    double sum_of_squares(const real* p, Py_ssize_t n)
