#ifndef FASTMLP_THREADS_H
#define FASTMLP_THREADS_H
#include <stddef.h>
static void parallel_for(void (*work)(void *context, ptrdiff_t item), void *context, ptrdiff_t items, int threads)
{
    (void)threads;
    for (ptrdiff_t item = 0; item < items; item++) work(context, item);
}
#endif
