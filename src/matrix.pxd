"""The matrices of the core and their product; packing, and what it takes to cut a matrix into panels.

A W (n_in, n_out) is stored by rows where the user sees it, and packed where the core works with it often, in panels
of NR columns, which is the order in which product.h reads it; W^T is always packed.
"""
from libc.string cimport memcpy
from real cimport real
from vector cimport LANES, load, store

cdef extern from "product.h" nogil:
    const Py_ssize_t MR             # rows of a micro-kernel
    const Py_ssize_t NR             # columns of a panel
    enum:
        SLACK                       # elements that a vector load may read beyond the end of a buffer
    ctypedef struct Matrix:
        real* data
        Py_ssize_t rows, columns, row_stride, column_stride
        bint packed
    Matrix by_rows(const real* data, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t leading_dimension)
    Matrix packed(const real* data, Py_ssize_t rows, Py_ssize_t columns)
    Matrix transposed(Matrix a)
    Matrix columns_of(Matrix b, Py_ssize_t j, Py_ssize_t columns)
    Matrix rows_of(Matrix a, Py_ssize_t i, Py_ssize_t rows)
    void product(Matrix C, Matrix A, Matrix B, const real* bias, bint accumulate)
    Py_ssize_t product_last_columns(Matrix C, Matrix A, Matrix B, const real* bias)

cdef extern from "transpose.h" nogil:
    void transpose_block(real* to, Py_ssize_t to_row, const real* source, Py_ssize_t from_row)


cdef inline Py_ssize_t vectors(Py_ssize_t n) noexcept nogil:
    """How many vectors n elements make."""
    return (n + LANES - 1) // LANES


cdef inline Py_ssize_t panels(Py_ssize_t n) noexcept nogil:
    """How many panels n columns make."""
    return (n + NR - 1) // NR


cdef inline Py_ssize_t panel_width(Py_ssize_t j, Py_ssize_t n) noexcept nogil:
    """Columns of the panel that begins at column j of n."""
    return NR if n - j > NR else n - j


cdef inline Py_ssize_t leading_dimension(Py_ssize_t n) noexcept nogil:
    """Elements from row to row in a buffer of rows of n: for wide rows an odd number of cache lines.

    Rows that are a large power of two apart fall on the same few places of the cache and drive each other out.
    """
    cdef Py_ssize_t line = 64 // sizeof(real)
    return n if n < 8 * line else (n + line - 1) // line // 2 * 2 * line + line


cdef inline void copy_row(real* to, const real* source, Py_ssize_t width) noexcept nogil:
    """One row of a panel; most have the full width, for which the compiler makes two or three instructions."""
    if width == NR:
        memcpy(to, source, NR * sizeof(real))
    else:
        memcpy(to, source, width * sizeof(real))


cdef inline void pack(real* to, const real* W, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    """W (rows, columns) by rows to W packed."""
    cdef Py_ssize_t i, j, panel, width
    for i in range(rows):
        for panel in range(panels(columns)):
            j = panel * NR
            width = panel_width(j, columns)
            copy_row(to + j * rows + i * width, W + i * columns + j, width)


cdef inline void unpack(real* to, const real* W, Py_ssize_t rows, Py_ssize_t columns) noexcept nogil:
    """The inverse of pack."""
    cdef Py_ssize_t i, j, panel, width
    for i in range(rows):
        for panel in range(panels(columns)):
            j = panel * NR
            width = panel_width(j, columns)
            copy_row(to + i * columns + j, W + j * rows + i * width, width)


cdef inline Matrix copy_columns(real* to, Matrix A) noexcept nogil:
    """A copy without gaps, with slack behind it: a row runs over into the next one's place."""
    cdef Py_ssize_t i, v
    for i in range(A.rows):
        for v in range(vectors(A.columns)):
            store(to + i * A.columns + v * LANES, load(A.data + i * A.row_stride + v * LANES))
    return by_rows(to, A.rows, A.columns, A.columns)


cdef inline void transpose_panel(real* to, Matrix W, Py_ssize_t j) noexcept nogil:
    """The panel of a packed W (n_in, n_out) that begins at column j, to W^T (n_out, n_in) packed."""
    cdef Py_ssize_t i = 0, o, r, to_row, from_row = panel_width(j, W.columns), whole = from_row - from_row % LANES
    cdef const real* row = W.data + j * W.rows
    cdef real* block
    while i < W.rows:
        to_row = panel_width(i - i % NR, W.rows)
        block = to + (i - i % NR) * W.columns + j * to_row + i % NR
        if i + LANES <= W.rows:
            for o in range(whole // LANES):
                transpose_block(block + o * LANES * to_row, to_row, row + o * LANES, from_row)
            for o in range(whole, from_row):
                for r in range(LANES):
                    block[o * to_row + r] = row[r * from_row + o]
            i += LANES
            row += LANES * from_row
        else:
            for o in range(from_row):
                block[o * to_row] = row[o]
            i += 1
            row += from_row
