"""NumPy arrays as the core sees them: where their elements stand, which it can use, and how it makes its own."""
cimport numpy as np
from libc.stdint cimport int64_t
from libc.string cimport memcpy
from real cimport all_finite, real
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
    MAX_CONVERTED = 1 << 16     # elements: more are converted, and looked at, without the GIL


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


cdef inline np.ndarray from_list(given):
    """The array of a list, for whoever asks for an array; an array as it is; None where a closer look is needed."""
    if np.PyArray_CheckExact(given):
        return given
    if type(given) is not list:
        return None
    try:
        return np.PyArray_FROM_O(given)
    except Exception:
        return None


cdef fused number:
    float
    double
    int64_t


cdef inline void convert(real* to, const number* source, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        to[i] = <real> source[i]


cdef inline np.ndarray as_reals(given):
    """What the core can read as it stands, or a copy of what is small and usual; else None.

    A number beyond the range of `real` becomes infinity.
    """
    cdef np.ndarray x = from_list(given), y
    cdef Py_ssize_t n
    cdef int kind
    if x is None or usable(x):
        return x
    kind, n = np.PyArray_TYPE(x), np.PyArray_SIZE(x)
    if n <= MAX_CONVERTED and not np.PyArray_IS_C_CONTIGUOUS(x):
        x = np.PyArray_GETCONTIGUOUS(x)
    if n > MAX_CONVERTED or not np.PyArray_ISCARRAY_RO(x):
        return None
    if usable(x):
        return x
    if kind != np.NPY_DOUBLE and kind != np.NPY_FLOAT and kind != np.NPY_INT64:
        if kind > np.NPY_ULONGLONG and kind != np.NPY_FLOAT16:
            return None
        return x.astype(np.PyArray_DescrFromType(REAL))     # booleans, halves and other integers: rarer, so by NumPy
    y = np.PyArray_EMPTY(np.PyArray_NDIM(x), np.PyArray_DIMS(x), REAL, 0)
    if kind == np.NPY_DOUBLE:
        convert(<real*> np.PyArray_DATA(y), <const double*> np.PyArray_DATA(x), n)
    elif kind == np.NPY_FLOAT:
        convert(<real*> np.PyArray_DATA(y), <const float*> np.PyArray_DATA(x), n)
    else:
        convert(<real*> np.PyArray_DATA(y), <const int64_t*> np.PyArray_DATA(x), n)
    return y


cdef inline np.ndarray as_labels(given, Py_ssize_t rows, Py_ssize_t classes):
    """A copy (rows,) of labels 0 .. classes - 1, so that nobody changes them later; None where it is none."""
    cdef np.ndarray x = from_list(given), y
    cdef np.npy_intp n = rows
    cdef Py_ssize_t i
    cdef int64_t* to
    if x is None or np.PyArray_TYPE(x) != np.NPY_INT64 or not np.PyArray_ISCARRAY_RO(x):
        return None
    if np.PyArray_NDIM(x) != 1 or np.PyArray_DIM(x, 0) != rows:
        return None
    y = np.PyArray_EMPTY(1, &n, np.NPY_INT64, 0)
    to = <int64_t*> np.PyArray_DATA(y)
    memcpy(to, np.PyArray_DATA(x), rows * sizeof(int64_t))
    for i in range(rows):
        if not 0 <= to[i] < classes:
            return None
    return y


cdef inline bint is_finite(np.ndarray x):
    """Whether no element of a usable array is NaN or infinite."""
    cdef const real* start = <const real*> np.PyArray_DATA(x)
    cdef Py_ssize_t n = np.PyArray_SIZE(x)
    cdef bint answer
    if n <= MAX_CONVERTED:
        return all_finite(start, n)
    with nogil:
        answer = all_finite(start, n)
    return answer


cdef inline np.ndarray view(np.ndarray flat, Py_ssize_t start, int ndim, Py_ssize_t rows, Py_ssize_t columns):
    """Elements start .. of a flat usable array, as a matrix (rows, columns) or, of one axis, (rows,)."""
    cdef np.npy_intp shape[2]
    shape[0], shape[1] = rows, columns
    cdef np.ndarray part = np.PyArray_SimpleNewFromData(ndim, shape, REAL, <real*> np.PyArray_DATA(flat) + start)
    np.set_array_base(part, flat)
    return part
