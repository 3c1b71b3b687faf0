/* Parameters of layers for networks written in C: each call adds those of one layer to a store, by
 * nm_parameter(), under the names that layers of a file give theirs. In f32.
 *
 *     nm_dense_parameters head = nm_dense_add(store, "head", 64, 10);
 *     ...
 *     y = nm_dense(tape, x, head.weight, head.bias);
 *
 * The tensors are the store's. On failure, such as a size below 1, all of a struct are NULL. */
#ifndef NM_MODELS_PARAMETERS_H
#define NM_MODELS_PARAMETERS_H

#include "core/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "NAME.weight" [units, inputs], by He's rule, and "NAME.bias" [units], 0. */
typedef struct nm_dense_parameters {
    nm_tensor *weight, *bias;
} nm_dense_parameters;
NM_API nm_dense_parameters nm_dense_add(nm_store *store, const char *name, int64_t inputs,
                                        int64_t units);

/* For w = nm_weight_norm(tape, p.v, p.g, .axis = 0): "NAME.weight_v" [units, inputs] as above,
 * "NAME.weight_g" [units], the lengths of its rows, so that w is v at first, and "NAME.bias". */
typedef struct nm_weight_norm_parameters {
    nm_tensor *v, *g, *bias;
} nm_weight_norm_parameters;
NM_API nm_weight_norm_parameters nm_weight_norm_add(nm_store *store, const char *name,
                                                    int64_t inputs, int64_t units);

/* For nm_batch_norm_running(): "NAME.scale", 1, "NAME.shift", 0, and the buffers
 * "NAME.running_mean", 0, and "NAME.running_var", 1, of [channels] each. */
typedef struct nm_batch_norm_parameters {
    nm_tensor *scale, *shift, *mean, *var;
} nm_batch_norm_parameters;
NM_API nm_batch_norm_parameters nm_batch_norm_add(nm_store *store, const char *name,
                                                  int64_t channels);

#ifdef __cplusplus
}
#endif
#endif
