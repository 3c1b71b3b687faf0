/* Where a program begins: a context with everything registered that is built in. */
#ifndef NM_MODELS_OPEN_H
#define NM_MODELS_OPEN_H

#include "core/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A context with all ops, layers, initializers, losses, optimizers, schedules, data sets and
 * metrics of the library. `options` may be NULL. NULL only if memory ran out. */
NM_API nm_context *nm_open(const nm_context_options *options);
/* After every model, tensor, tape and store made in it. NULL is fine. */
NM_API void nm_close(nm_context *context);

#ifdef __cplusplus
}
#endif
#endif
