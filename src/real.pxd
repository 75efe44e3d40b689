"""The scalar type `real` (float or double) of a compiled module, its bits and its limits; nothing else.

Which of the two it is, is a macro that setup.py passes: the same source becomes one module for each precision. To
Cython `real` is a C float of unknown width, so a constant is written `<real> 0.5`: a bare 0.5 would be a double and
the loop around it would convert back and forth.
"""

cdef extern from "real.h" nogil:
    ctypedef float real
    ctypedef long real_bits                     # a signed integer as wide as a real
    const bint REAL_IS_DOUBLE
    const real REAL_EPSILON                     # distance from 1 to the next real
    const real REAL_MIN                         # the smallest normal number
    const real REAL_NAN
    const real ROUNDING_SHIFT                   # x + ROUNDING_SHIFT rounds x to an integer
    real_bits to_bits(real x)
    real from_bits(real_bits b)
    real_bits exponent_of(real x)               # n of x = 2^n m, 1 <= m < 2
    real power_of_two(real_bits n)              # where that is a normal number
    real upper_half(real x)                     # x with the lower half of its mantissa cleared
    real absolute(real x)
    real copy_sign(real size, real sign)
    real sign(real x)                           # 1 above 0, -1 below, 0 at 0
    bint all_finite(const real* x, Py_ssize_t n)
    unsigned int flush_subnormals()             # returns what restore_subnormals takes
    void restore_subnormals(unsigned int before)
