/* Gradient clipping. By norm (Pascanu, Mikolov, Bengio 2013, arXiv 1211.5063): if the Euclidean
 * norm of all gradients together is above a threshold, they are scaled so that it is the threshold.
 *
 *     double norm;
 *     nm_gradient_norm(store, &norm);
 *     nm_optimizer_step(optimizer, step, 1, nm_clip_factor(norm, 5));
 */
#ifndef NM_OPTIM_CLIP_H
#define NM_OPTIM_CLIP_H

#include "core/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The norm of the gradients of all trainable parameters that have one. Summed in double, in chunks
 * of a fixed size: the same bits for any number of threads. Neither overflows nor underflows unless
 * the result does. Infinite or NaN if a gradient is. */
NM_API nm_status nm_gradient_norm(nm_store *store, double *norm);

/* threshold / norm where the norm is above the threshold, else 1. NaN, which nm_optimizer_step()
 * refuses, for a norm that is not finite and for a threshold below 0. */
NM_API double nm_clip_factor(double norm, double threshold);

/* Every gradient element g becomes scale * g, limited to -limit..limit, for a limit of 0 or more.
 * NaN stays NaN. */
NM_API nm_status nm_clip_values(nm_store *store, double scale, double limit);

#ifdef __cplusplus
}
#endif
#endif
