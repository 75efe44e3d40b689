/* What pool.pyx offers to the other compiled modules, by a capsule: the functions of pool.h. */
#ifndef FASTMLP_POOL_API_H
#define FASTMLP_POOL_API_H

#include <stddef.h>

#define POOL_CAPSULE "fastmlp._pool.api"

typedef struct {
    /* work(context, item, thread) for every item, on at most `threads` threads */
    void (*parallel_for)(void (*work)(void *context, ptrdiff_t item, int thread), void *context, ptrdiff_t items,
                         int threads);
    int (*forks_seen)(void);   /* how often this process, or its parents, became a child */
} PoolApi;

#endif
