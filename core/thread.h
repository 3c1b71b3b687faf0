/* Threads: one way to share a loop. */
#ifndef NM_CORE_THREAD_H
#define NM_CORE_THREAD_H

#include "core/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Calls body(arg, begin, end) for ranges that together are 0..count, on up to as many threads as
 * the context has, each range but the last at least `grain` long; at once, in this thread, if count
 * is not above `grain`. Where other programs want the cores, fewer threads do the same ranges until
 * those are free again (core/crowd.h). The split depends on the thread count, so a body's results
 * must not depend on it: for a reduction, loop over chunks of a fixed size and combine their
 * results in order. The body must not touch the context. */
typedef void (*nm_range_fn)(void *arg, int64_t begin, int64_t end);
NM_API void nm_parallel(nm_context *context, int64_t count, int64_t grain, nm_range_fn body,
                        void *arg);

/* False in a process that was forked from one that asked before: its loops would wait there for
 * threads that are not. The library's own. */
bool nm_may_use_threads(void);

#ifdef __cplusplus
}
#endif
#endif
