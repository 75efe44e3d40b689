"""Ctrl-C in the middle of a long call, which holds no GIL: the core looks for it now and then."""
from cpython.exc cimport PyErr_CheckSignals
from real cimport flush_subnormals, restore_subnormals

cdef extern from *:
    """
    #include <time.h>
    static double seconds(void)
    {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec + 1e-9 * now.tv_nsec;
    }
    #define CLOCK_EVERY 1e7
    #define SIGNALS_EVERY 0.03
    """
    double seconds() nogil
    const double CLOCK_EVERY        # products, roughly, between two looks at the clock: well under 10 ms
    const double SIGNALS_EVERY      # seconds between two looks for Ctrl-C

cdef struct Watch:
    double products         # done since the last look at the clock
    double looked           # when signals were last looked for, in seconds
    unsigned int mode       # of the processor, outside


cdef inline int look_for_signals(Watch* watch, double products) except -1 nogil:
    """Let Ctrl-C through now and then; so many products have been done since the last call."""
    cdef double now
    watch.products += products
    if watch.products < CLOCK_EVERY:
        return 0
    watch.products = 0
    now = seconds()
    if now - watch.looked < SIGNALS_EVERY:
        return 0
    watch.looked = now
    restore_subnormals(watch.mode)      # a signal handler is none of the core's code
    with gil:
        PyErr_CheckSignals()
    flush_subnormals()
    return 0
