/* All built-in ops, a header for each family. */
#ifndef NM_OPS_OPS_H
#define NM_OPS_OPS_H

#include "ops/activation.h"
#include "ops/arithmetic.h"
#include "ops/linear.h"
#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/reduce.h"
#include "ops/sequence.h"
#include "ops/shape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Registers every built-in op in the context. nm_open() does it too. */
NM_API nm_status nm_register_ops(nm_context *context);

#ifdef __cplusplus
}
#endif
#endif
