"""NumPy arrays as the core sees them: where their elements stand, which it can use, and how it makes its own."""
cimport numpy as np
from real cimport real
from matrix cimport SLACK

cdef extern from *:
    """
    #include <sys/mman.h>
    #define REAL (REAL_IS_DOUBLE ? NPY_DOUBLE : NPY_FLOAT)
    static void prefer_huge_pages(void *start, size_t size)
    {
    #ifdef MADV_HUGEPAGE
        madvise(start, size, MADV_HUGEPAGE);   /* a wish: without it, all works the same, but slower */
    #endif
    }
    """
    void prefer_huge_pages(void* start, size_t size)
    const int REAL      # NumPy's number of `real`

cdef enum:
    ALIGNMENT = 64
    HUGE_PAGE = 1 << 21


cdef inline np.ndarray buffer(Py_ssize_t n):
    """A zeroed, aligned 1-D array of n elements with readable slack behind it; a large one in large pages."""
    cdef Py_ssize_t alignment = HUGE_PAGE if n >= HUGE_PAGE // <Py_ssize_t> sizeof(real) else ALIGNMENT
    cdef np.npy_intp room = n + SLACK + alignment // <Py_ssize_t> sizeof(real)
    cdef np.ndarray raw = np.PyArray_ZEROS(1, &room, REAL, 0)
    cdef Py_ssize_t skip = (alignment - <size_t> np.PyArray_DATA(raw) % alignment) % alignment
    if alignment == HUGE_PAGE:
        prefer_huge_pages(<char*> np.PyArray_DATA(raw) + skip, n * sizeof(real))
    skip //= sizeof(real)
    return raw[skip:skip + n]


cdef inline void* data(array) noexcept:
    """The elements of an array, NULL for None."""
    return NULL if array is None else np.PyArray_DATA(<np.ndarray> array)


cdef inline bint usable(np.ndarray x) noexcept:
    """Whether the core can read x as it stands: its own type, by rows without gaps, aligned."""
    return np.PyArray_TYPE(x) == REAL and np.PyArray_ISCARRAY_RO(x)


cdef inline bint overlap(np.ndarray x, np.ndarray y) noexcept:
    """Whether two contiguous arrays share memory."""
    cdef char* a = np.PyArray_BYTES(x)
    cdef char* b = np.PyArray_BYTES(y)
    return a < b + np.PyArray_NBYTES(y) and b < a + np.PyArray_NBYTES(x)
