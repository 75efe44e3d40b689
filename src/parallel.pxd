"""The process's pool of threads, from the module fastmlp._pool: see pool.h. `use_pool` comes before its first use."""
from cpython.pycapsule cimport PyCapsule_GetPointer

cdef extern from "pool_api.h":
    ctypedef struct PoolApi:
        void (*parallel_for)(void (*work)(void*, Py_ssize_t, int) noexcept nogil, void* context, Py_ssize_t items,
                             int threads) noexcept nogil
        int (*forks_seen)() noexcept nogil
    const char* POOL_CAPSULE

cdef extern from *:
    """
    static PoolApi *pool;
    """
    PoolApi* pool


cdef inline int use_pool(api) except -1:
    """Take the functions from the capsule."""
    global pool
    pool = <PoolApi*> PyCapsule_GetPointer(api, POOL_CAPSULE)
    return 0
