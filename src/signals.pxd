"""Ctrl-C in the middle of a long call, which holds no GIL, or of the wait for one: the core looks now and then."""
from cpython.exc cimport PyErr_CheckSignals
from real cimport flush_subnormals, restore_subnormals

cdef extern from *:
    """
    #include <pthread.h>
    #include <time.h>
    static double seconds(void)
    {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    }
    /* As pthread_mutex_lock, but for so many seconds at most; 0 where it has the lock. macOS has no
       pthread_mutex_timedlock, and looks every 50 microseconds. */
    static int lock_within(pthread_mutex_t *lock, double wait)
    {
        struct timespec until;
#if defined(__APPLE__)
        const double end = seconds() + wait;
        for (until = (struct timespec){0, 50000}; pthread_mutex_trylock(lock); nanosleep(&until, NULL))
            if (seconds() > end) return 1;
        return 0;
#else
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += (long)(1e9 * wait);
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        return pthread_mutex_timedlock(lock, &until);
#endif
    }
    #define CLOCK_EVERY 1e7
    #define SIGNALS_EVERY 0.03
    """
    ctypedef struct pthread_mutex_t:
        pass
    int pthread_mutex_init(pthread_mutex_t*, const void*) nogil
    int pthread_mutex_trylock(pthread_mutex_t*) nogil
    int pthread_mutex_unlock(pthread_mutex_t*) nogil
    int lock_within(pthread_mutex_t*, double wait) nogil
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
