/* A thread that makes the items of a sequence one ahead of their use, in two places that take
 * turns: while the caller uses item i in place i % 2, the thread makes item i + 1 in the other. */
#ifndef NM_OPTIM_DATA_PREFETCH_H
#define NM_OPTIM_DATA_PREFETCH_H

#include "core/context.h"

typedef struct nm_prefetch nm_prefetch;

/* Makes item `index` in place `place` (0 or 1). Runs in the thread: it must neither touch the
 * context nor fail. What it reads may change only while the thread is stopped. */
typedef void (*nm_make_fn)(void *arg, int64_t index, int place);

/* NULL without an error if the system gives no thread: the caller then makes items himself. */
nm_prefetch *nm_prefetch_create(nm_context *context, nm_make_fn make, void *arg);
void nm_prefetch_destroy(nm_prefetch *prefetch); /* waits for an item in the making; NULL is fine */
/* Returns when the thread is at rest. Items not taken yet are dropped. */
void nm_prefetch_stop(nm_prefetch *prefetch);
/* From rest: items first to end - 1. */
void nm_prefetch_start(nm_prefetch *prefetch, int64_t first, int64_t end);
/* Gives the item taken before back and waits for the next; returns its place. There must be one. */
int nm_prefetch_take(nm_prefetch *prefetch);

#endif
