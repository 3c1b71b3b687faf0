/* Which kernel computes a convolution. */
#ifndef NM_OPS_KERNELS_CONV_CHOICE_H
#define NM_OPS_KERNELS_CONV_CHOICE_H

#include "ops/kernels/conv.h"

/* Of the kernels for some convolutions only, conv_narrow.h's and conv_winograd.h's: whether they
 * may be called here, and whether before oneDNN, which they are faster than. */
typedef struct nm_conv_choice {
    bool narrow, narrow_first;
    bool winograd, winograd_first;
} nm_conv_choice;

nm_conv_choice nm_conv_choose(nm_context *context, nm_dtype dtype, const nm_conv *conv);

#endif
