#ifndef NM_OPS_LOSS_H
#define NM_OPS_LOSS_H

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
