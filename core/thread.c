#include "core/thread.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "core/guard.h"
#include "core/internal.h"
#include "core/thread_own.h"

bool nm_may_use_threads(void)
{
    /* Which process has threads is no business of a context: a forked one has its parent's memory,
     * contexts and OpenMP's records among it, and none of the threads. */
    static int64_t first; /* process that asked */
    int64_t mine = getpid(), none = 0;
    return __atomic_compare_exchange_n(&first, &none, mine, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED) ||
           none == mine;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- Threads ---- */

bool nm_thread_begin(pthread_t *thread, void *(*body)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool begun = pthread_create(thread, NULL, body, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return begun;
}

static void *pass(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* As the system counts them: a thread that was waited for may take a moment to go. 0: not known. */
static nlink_t threads_there_are(void)
{
    struct stat tasks;
    return stat("/proc/self/task", &tasks) == 0 ? tasks.st_nlink : 0;
}

/* How many of `count` threads there can be at once, by having them for a moment. */
static int try_threads(int count)
{
    pthread_t threads[NM_MAX_THREADS];
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    const nlink_t before = threads_there_are();
    int begun = 0;
    pthread_mutex_lock(&gate);
    while (begun < count && nm_thread_begin(&threads[begun], pass, &gate)) {
        begun++;
    }
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < begun; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < 100 && threads_there_are() > before; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    }
    return begun;
}

/* Of OpenMP, which keeps a team for each thread that has regions. */
static _Thread_local struct {
    int team;  /* of the last region here */
    int tried; /* as many can be had */
    int most;  /* more were refused */
} own = {1, 1, NM_MAX_THREADS};

int nm_threads_at_hand(int wanted)
{
    wanted = wanted < own.most ? wanted : own.most;
    if (wanted > own.tried) {
        own.tried = own.team + try_threads(wanted - own.team);
        own.most = own.tried < wanted ? own.tried : own.most;
    }
    return wanted < own.tried ? wanted : own.tried;
}

/* ---- Ranges ---- */

/* Cut for all threads that the context has, whoever works, so that results are the same. */
typedef struct work {
    nm_range_fn body;
    void *arg;
    int64_t count, length, ranges;
    int64_t took[NM_MAX_THREADS]; /* by each range, in nanoseconds */
} work;

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void run(work *w, int64_t i)
{
    const int64_t begin = least(i * w->length, w->count), end = least(begin + w->length, w->count);
    if (begin < end) {
        w->body(w->arg, begin, end);
    }
}

static void run_one_by_one(work *w)
{
    for (int64_t i = 0; i < w->ranges; i++) {
        run(w, i);
    }
}

/* ---- Beside other programs ---- */

/* What the crowd learns from a region. A thread of the library's own that makes batches meanwhile,
 * for the same context, just works. */
static void learn(nm_context *context, int64_t time, int64_t held)
{
    nm_crowd *crowd = &context->crowd;
    if (__atomic_exchange_n(&context->learning, true, __ATOMIC_ACQUIRE)) {
        return;
    }
    crowd->held += held;
    if (nm_crowd_is_due(crowd, time)) {
        struct rusage usage;
        const int64_t switches = getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
        nm_crowd_decide(crowd, nm_context_threads(context), time, switches);
        __atomic_store_n(&context->left_out, crowd->fewer, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&context->learning, false, __ATOMIC_RELEASE);
}

static void run_timed(work *w, int64_t i)
{
    const int64_t begun = now();
    run(w, i);
    w->took[i] = now() - begun;
}

static void share(nm_context *context, work *w, int threads)
{
    const int64_t begun = now();
#ifdef _OPENMP
#pragma omp parallel for schedule(static, 1) num_threads(threads)
#endif
    for (int64_t i = 0; i < w->ranges; i++) {
        run_timed(w, i);
    }
    const int64_t ended = now();
    own.team = own.tried = threads;
    int64_t quickest = w->took[0];
    for (int64_t i = 1; (i + 1) * w->length <= w->count; i++) { /* of full length */
        quickest = least(quickest, w->took[i]);
    }
    learn(context, ended, nm_crowd_held(w->ranges, threads, ended - begun, quickest));
}

void nm_parallel(nm_context *context, int64_t count, int64_t grain, nm_range_fn body, void *arg)
{
    NM_REQUIRE(context, body, );
    grain = grain > 0 ? grain : 1;
    work w;
    w.ranges = least(nm_context_threads(context), (count + grain - 1) / grain);
    if (w.ranges <= 1 || !nm_may_use_threads()) {
        if (count > 0) {
            body(arg, 0, count);
        }
        return;
    }
    w.length = (count + w.ranges - 1) / w.ranges;
    if (grain >= 16) {
        w.length = (w.length + 15) & ~(int64_t)15; /* elements: share no vector or cache line */
    }
    w.body = body;
    w.arg = arg;
    w.count = count;
    const int out = __atomic_load_n(&context->left_out, __ATOMIC_RELAXED);
    const int threads = (int)least(w.ranges, nm_context_threads(context) - out);
    const int at_hand = threads > 1 ? nm_threads_at_hand(threads) : 1;
    if (at_hand > 1) {
        share(context, &w, at_hand);
    } else {
        run_one_by_one(&w);
        learn(context, now(), 0);
    }
}
