#include "core/thread.h"

#include <sys/resource.h>
#include <time.h>

#include "core/guard.h"
#include "core/internal.h"
#include "core/team.h"
#include "core/thread_own.h"

bool nm_may_use_threads(void)
{
    /* Which process has threads is no business of a context: a forked one has its parent's memory,
     * contexts and teams among it, and none of the threads. */
    static int64_t first; /* process that asked */
    int64_t mine = nm_process(), none = 0;
    return __atomic_compare_exchange_n(&first, &none, mine, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED) ||
           none == mine;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
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

/* ---- Beside other programs ---- */

/* What the crowd learns from a region. */
static void learn(nm_context *context, int64_t time, int64_t held)
{
    nm_crowd *crowd = &context->crowd;
    crowd->held += held;
    if (nm_crowd_is_due(crowd, time)) {
        struct rusage usage;
        const int64_t switches = getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
        nm_crowd_decide(crowd, nm_context_threads(context), time, switches);
    }
}

static void run_timed(void *arg, int64_t i)
{
    work *w = arg;
    const int64_t begun = now();
    run(w, i);
    w->took[i] = now() - begun;
}

/* Whether it was the context's team that did it. */
static bool share(nm_context *context, work *w, int threads)
{
    if (context->team && !nm_team_has_room(context->team, nm_context_threads(context))) {
        nm_team_destroy(context->team);
        context->team = NULL;
    }
    if (!context->team) {
        context->team = nm_team_create(nm_context_threads(context));
    }
    const int64_t begun = now();
    if (!context->team || !nm_team_share(context->team, threads, w->ranges, run_timed, w)) {
        return false;
    }
    const int64_t ended = now();
    int64_t quickest = w->took[0];
    for (int64_t i = 1; (i + 1) * w->length <= w->count; i++) { /* of full length */
        quickest = least(quickest, w->took[i]);
    }
    learn(context, ended, nm_crowd_held(w->ranges, threads, ended - begun, quickest));
    return true;
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
    const int threads = (int)least(w.ranges, nm_context_threads(context) - context->crowd.fewer);
    const bool shared = threads > 1 && share(context, &w, threads);
    for (int64_t i = 0; i < w.ranges && !shared; i++) {
        run(&w, i);
    }
    if (threads == 1) {
        learn(context, now(), 0);
    }
}
