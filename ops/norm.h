#ifndef NM_OPS_NORM_H
#define NM_OPS_NORM_H

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
