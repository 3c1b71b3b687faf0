/* Everything built in that optim/ registers. nm_open() calls nm_register_optim(). */
#ifndef NM_OPTIM_OPTIM_H
#define NM_OPTIM_OPTIM_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Registers the built-in data sets, metrics, optimizers, schedules and losses. */
NM_API nm_status nm_register_optim(nm_context *context);
/* The same for one kind, for programs that want only that; for other kinds nothing. */
NM_API nm_status nm_register_datasets(nm_context *context);
NM_API nm_status nm_register_metrics(nm_context *context);
NM_API nm_status nm_register_optimizers(nm_context *context);
NM_API nm_status nm_register_schedules(nm_context *context);
NM_API nm_status nm_register_losses(nm_context *context);
NM_API nm_status nm_register_probes(nm_context *context);

#ifdef __cplusplus
}
#endif
#endif
