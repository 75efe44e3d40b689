"""Ctrl-C in the middle of a long call, which holds no GIL, or of the wait for one: the core looks now and then."""
from cpython.exc cimport PyErr_CheckSignals
from real cimport flush_subnormals, restore_subnormals

cdef extern from *:
    """
    #include <time.h>
    static double seconds(void)
    {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }
    /* A lock, 0 while nobody has it. It takes two instructions, for a call may take less than a mutex does; who waits
       looks now and then, for so many seconds at most. 1 where it was taken. */
    static inline int take_lock(int *lock) { return !__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE); }
    static inline void free_lock(int *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }
    static int wait_for_lock(int *lock, double wait)
    {
        const struct timespec pause = {0, 20000};
        const double end = seconds() + wait;
        while (!take_lock(lock)) {
            if (seconds() > end) return 0;
            nanosleep(&pause, NULL);
        }
        return 1;
    }
    #define CLOCK_EVERY 1e7
    #define SIGNALS_EVERY 0.03
    """
    int take_lock(int* lock) nogil
    void free_lock(int* lock) nogil
    int wait_for_lock(int* lock, double wait) nogil
    double seconds() nogil
    const double CLOCK_EVERY        # products, roughly, between two looks at the clock: well under 10 ms
    const double SIGNALS_EVERY      # seconds between two looks for Ctrl-C

cdef struct Watch:
    double products         # done since the last look at the clock
    double now              # when that was, in seconds
    double looked           # when signals were last looked for
    unsigned int mode       # of the processor, outside


cdef inline int look_for_signals(Watch* watch, double products) except -1 nogil:
    """Let Ctrl-C through now and then; so many products have been done since the last call."""
    watch.products += products
    if watch.products < CLOCK_EVERY:
        return 0
    watch.products = 0
    watch.now = seconds()
    if watch.now - watch.looked < SIGNALS_EVERY:
        return 0
    watch.looked = watch.now
    restore_subnormals(watch.mode)      # a signal handler is none of the core's code
    with gil:
        PyErr_CheckSignals()
    flush_subnormals()
    return 0
