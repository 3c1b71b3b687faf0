#include "core/thread.h"

#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "core/guard.h"

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

void nm_parallel(nm_context *context, int64_t count, int64_t grain, nm_range_fn body, void *arg)
{
    NM_REQUIRE(context, body, );
    grain = grain > 0 ? grain : 1;
    int64_t ranges = least(nm_context_threads(context), (count + grain - 1) / grain);
    if (ranges <= 1 || !nm_may_use_threads()) {
        if (count > 0) {
            body(arg, 0, count);
        }
        return;
    }
    int64_t length = (count + ranges - 1) / ranges;
    if (grain >= 16) {
        length = (length + 15) & ~(int64_t)15; /* elements: share no vector or cache line */
    }
#ifdef _OPENMP
#pragma omp parallel for schedule(static, 1) num_threads((int)ranges)
#endif
    for (int64_t i = 0; i < ranges; i++) {
        int64_t begin = least(i * length, count), end = least(begin + length, count);
        if (begin < end) {
            body(arg, begin, end);
        }
    }
}
