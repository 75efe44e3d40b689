/* parallel_for: the items of a loop, shared out over a small pool of threads.

   Every thread has a part of the items, the same in each job of so many items, so that what it wrote is in its cache
   when it comes back; who is done early takes what others have not come to.
   The caller works too, and waits only for threads that took part: one that wakes too late finds the job closed. A
   thread without work looks for the next job for some microseconds, since a training step hands out several in a
   row, then sleeps; an idle process spins nowhere. One caller at a time uses the pool, another one meanwhile works
   alone. A forked child starts with an empty pool and makes its own threads. OpenMP gives none of the last three.

   There is one pool in a process: pool.pyx compiles it, and hands all modules its functions. Which thread takes which
   item, and how many threads there are, must not matter to the result: see schedules.pxd. */
#ifndef FASTMLP_POOL_H
#define FASTMLP_POOL_H

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include "real.h"

#define MOST_WORKERS 255
#define STACK (1 << 18)            /* bytes: no item takes more than a quarter of it */
#define LOOKS_BEFORE_SLEEP 20000   /* some 20 to 100 microseconds */

static struct {
    /* the job; written while `state` is 0 */
    void (*work)(void *context, ptrdiff_t item, int part);
    void *context;
    int parts;                       /* the caller's and one for each worker that may take part */
    struct {
        /* the first item of the part that nobody has taken, in a cache line of its own */
        _Alignas(64) _Atomic ptrdiff_t next;
        ptrdiff_t end;
    } part[MOST_WORKERS + 1];
    /* 1 while the job is open, plus 2 for each worker in it */
    _Atomic int state;
    _Atomic unsigned job;            /* number of the job: its change is the call to work */
    _Atomic int owned;               /* whether a caller uses the pool */
    _Atomic int sleepers;
    int started;
    pthread_mutex_t lock;
    pthread_cond_t wake;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* The items of one's own part, then those that others have not come to. */
static void take_items(int own)
{
    for (int i = 0; i < pool.parts; i++) {
        const int part = (own + i) % pool.parts;
        for (ptrdiff_t item; (item = atomic_fetch_add(&pool.part[part].next, 1)) < pool.part[part].end;)
            pool.work(pool.context, item, own);
    }
}

static unsigned wait_for_job(unsigned seen)
{
    for (int looks = 0; looks < LOOKS_BEFORE_SLEEP; looks++) {
        if (atomic_load(&pool.job) != seen) return atomic_load(&pool.job);
        relax();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.sleepers, 1);
    while (atomic_load(&pool.job) == seen) pthread_cond_wait(&pool.wake, &pool.lock);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool.lock);
    return atomic_load(&pool.job);
}

static void *worker(void *number)
{
    flush_subnormals();
    for (unsigned seen = 0;;) {
        seen = wait_for_job(seen);
        int state = atomic_load(&pool.state);
        while (state & 1 && !atomic_compare_exchange_weak(&pool.state, &state, state + 2)) {}
        if (!(state & 1)) continue;
        if ((ptrdiff_t)number < pool.parts) take_items((int)(ptrdiff_t)number);
        atomic_fetch_sub(&pool.state, 2);
    }
    return NULL;
}

static _Atomic int forks;   /* how often this process, or its parents, became a child */
static int forks_seen(void) { return atomic_load(&forks); }

/* A forked child has none of its parent's threads. */
static void forget_threads(void)
{
    atomic_fetch_add(&forks, 1);
    pool.started = 0;
    atomic_store(&pool.state, 0);
    atomic_store(&pool.job, 0);
    atomic_store(&pool.sleepers, 0);
    atomic_store(&pool.owned, 0);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
}

/* To be called once, before any other function of this file. */
static void prepare_for_forks(void) { pthread_atfork(NULL, NULL, forget_threads); }

/* As many workers as wanted, or as many as the system gives. Signals are the interpreter's: workers block them. */
static void start_workers(int wanted)
{
    sigset_t all, before;
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool.started < wanted
           && !pthread_create(&thread, &attributes, worker, (void *)(ptrdiff_t)(pool.started + 1))) {
        pthread_detach(thread);
        pool.started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

/* work(context, item, part) for every item, on at most `threads` threads; part is the number of the one at work. */
static void parallel_for(void (*work)(void *context, ptrdiff_t item, int part), void *context, ptrdiff_t items,
                         int threads)
{
    int workers = (items < threads ? (int)items : threads) - 1;
    if (workers > MOST_WORKERS) workers = MOST_WORKERS;
    if (workers < 1 || atomic_exchange(&pool.owned, 1)) {
        for (ptrdiff_t item = 0; item < items; item++) work(context, item, 0);
        return;
    }
    if (pool.started < workers) start_workers(workers);
    pool.work = work;
    pool.context = context;
    pool.parts = workers + 1;
    for (int i = 0; i <= workers; i++) {
        pool.part[i].end = items * (i + 1) / (workers + 1);
        atomic_store(&pool.part[i].next, items * i / (workers + 1));
    }
    atomic_store(&pool.state, 1);
    atomic_fetch_add(&pool.job, 1);
    if (atomic_load(&pool.sleepers)) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.lock);
    }
    take_items(0);
    atomic_fetch_sub(&pool.state, 1);
    for (int looks = 0; atomic_load(&pool.state); looks++) {
        if (looks < LOOKS_BEFORE_SLEEP) relax();
        else sched_yield();
    }
    atomic_store(&pool.owned, 0);
}

#endif
