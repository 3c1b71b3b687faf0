/* Which kernel computes a convolution. */
#ifndef NM_OPS_KERNELS_CONV_CHOICE_H
#define NM_OPS_KERNELS_CONV_CHOICE_H

#include "ops/kernels/conv_wide.h"

/* Those of conv_wide.h and direct.h that may be called here (NULL: none), and whether before
 * oneDNN, which they are faster than. */
typedef struct nm_conv_choice {
    const nm_conv_wide *narrow, *winograd;
    const nm_tiles *forward, *input_grad, *weight_grad;
    bool narrow_first, narrow_grad_first, winograd_first;
    bool forward_first, input_grad_first, weight_grad_first;
} nm_conv_choice;

nm_conv_choice nm_conv_choose(nm_context *context, nm_dtype dtype, const nm_conv *conv);

#endif
