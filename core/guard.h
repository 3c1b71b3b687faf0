/* What stands first in public functions. Calls may be chained with one check at the end, so each of
 * them takes what a failed one returned, NULL, and answers with its own failure; the first error
 * stays. tests/system/nulls.py calls every public function so.
 *
 *     nm_tensor *nm_tape_wrap(nm_tape *tape, nm_dtype dtype, nm_shape shape, void *data)
 *     {
 *         NM_GIVEN(tape, NULL);
 *         NM_REQUIRE(tape->context, data, NULL); */
#ifndef NM_CORE_GUARD_H
#define NM_CORE_GUARD_H

#include "core/context.h"

/* Returns `failure`, without a word, where `thing` is NULL: it is where the context would come
 * from. */
#define NM_GIVEN(thing, failure)                                                                   \
    do {                                                                                           \
        if (!(thing)) {                                                                            \
            return failure;                                                                        \
        }                                                                                          \
    } while (0)

/* The same with a message that names the argument, in `context`. (The function's name too would
 * make the library larger by half a per cent.) */
#define NM_REQUIRE(context, thing, failure)                                                        \
    do {                                                                                           \
        if (!(thing)) {                                                                            \
            nm_refuse_null(context, #thing);                                                       \
            return failure;                                                                        \
        }                                                                                          \
    } while (0)

/* Returns the error that stands, if one does: for what would put a prefix before it. */
#define NM_UNLESS_FAILED(context)                                                                  \
    do {                                                                                           \
        if (nm_context_status(context) != NM_OK) {                                                 \
            return nm_context_status(context);                                                     \
        }                                                                                          \
    } while (0)

void nm_refuse_null(nm_context *context, const char *what);

#endif
