# cython: freethreading_compatible = True
"""The pool of threads of a process: one for all compiled modules, which take its functions from the capsule `api`."""
from cpython.pycapsule cimport PyCapsule_New

cdef extern from "pool.h" nogil:
    void parallel_for(void (*work)(void*, Py_ssize_t, int) noexcept nogil, void* context, Py_ssize_t items,
                      int threads)
    int forks_seen()
    void prepare_for_forks()

cdef extern from "pool_api.h":
    ctypedef struct PoolApi:
        void (*parallel_for)(void (*work)(void*, Py_ssize_t, int) noexcept nogil, void* context, Py_ssize_t items,
                             int threads) noexcept nogil
        int (*forks_seen)() noexcept nogil
    const char* POOL_CAPSULE

cdef PoolApi functions

prepare_for_forks()
functions.parallel_for = parallel_for
functions.forks_seen = forks_seen
api = PyCapsule_New(&functions, POOL_CAPSULE, NULL)
