"""Dropout (Srivastava et al. 2014), inverted: in a step, a unit of a hidden layer counts nothing or 1 / (1 - p).

Which units are left out is not drawn but computed, as a hash of the epoch's seed, of the sample's position in the
epoch, of the layer and of the unit. So it is the same on the way forward and back, for any row blocks, columns and
threads, and needs no memory. formulas.py has the same bits.
"""
from libc.stdint cimport int32_t, uint32_t, uint64_t
from real cimport real
from activations cimport choose

cdef extern from *:
    """
    #define GOLDEN 0x9E3779B97F4A7C15ULL
    """
    const uint64_t GOLDEN       # 2^64 over the golden ratio: what splitmix64 counts by


cdef inline uint64_t mixed(uint64_t x) noexcept nogil:
    """The finaliser of splitmix64 (Steele et al. 2014)."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL
    return x ^ (x >> 31)


cdef inline uint64_t key_of(uint64_t seed, uint64_t position, uint64_t layer) noexcept nogil:
    """What the units of one layer share for one sample; layers and positions are counted from 0."""
    seed = mixed(seed + (layer + 1) * GOLDEN)
    return mixed(seed + (position + 1) * GOLDEN)


cdef inline int32_t draw(uint32_t low, uint32_t high, uint32_t unit) noexcept nogil:
    """24 bits for a unit: the finaliser of murmur3, with the lower half of the key before and the upper one in it."""
    cdef uint32_t h = low ^ (unit * 0x9E3779B9U)
    h = (h ^ (h >> 16)) * 0x85EBCA6BU
    h = ((h ^ (h >> 13)) + high) * 0xC2B2AE35U
    return <int32_t> ((h ^ (h >> 16)) >> 8)


cdef inline void drop(
    real* y, const real* x, uint64_t key, int32_t dropped, real kept, uint32_t first, Py_ssize_t n
) noexcept nogil:
    """y_j = x_j times `kept`, or times 0 where the unit first + j draws a number below `dropped`. y may be x."""
    cdef Py_ssize_t j
    cdef uint32_t low = <uint32_t> key, high = <uint32_t> (key >> 32)
    for j in range(n):
        y[j] = x[j] * choose(draw(low, high, first + <uint32_t> j) < dropped, 0, kept)
