"""Which instruction sets this processor, and the system under it, can run."""

cdef extern from *:
    """
    #if defined(__x86_64__)
    static int can_run_v2(void) { return __builtin_cpu_init(), __builtin_cpu_supports("x86-64-v2"); }
    static int can_run_v3(void) { return __builtin_cpu_init(), __builtin_cpu_supports("x86-64-v3"); }
    static int can_run_v4(void) { return __builtin_cpu_init(), __builtin_cpu_supports("x86-64-v4"); }
    #else
    static int can_run_v2(void) { return 0; }
    static int can_run_v3(void) { return 0; }
    static int can_run_v4(void) { return 0; }
    #endif
    """
    bint can_run_v2()
    bint can_run_v3()
    bint can_run_v4()


def instruction_sets():
    """Names of the x86-64 levels that can run here, best first; empty on another processor."""
    levels = (("v4", can_run_v4()), ("v3", can_run_v3()), ("v2", can_run_v2()))
    return tuple(name for name, can_run in levels if can_run)
