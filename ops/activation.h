/* Activations that an op can apply to its result before it leaves. */
#ifndef NM_OPS_ACTIVATION_H
#define NM_OPS_ACTIVATION_H

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Those whose derivative is known from the result y alone. */
typedef enum nm_activation {
    NM_ACTIVATION_NONE,
    NM_ACTIVATION_RELU,    /* y' = 1 where y > 0, else 0 */
    NM_ACTIVATION_SIGMOID, /* y' = y (1 - y) */
    NM_ACTIVATION_TANH     /* y' = 1 - y^2 */
} nm_activation;

/* Their names as an option: "none", "relu", "sigmoid", "tanh", NULL. */
extern NM_API const char *const nm_activation_names[];

/* activation(x) */
NM_API nm_tensor *nm_activate(nm_tape *tape, nm_activation activation, nm_tensor *x);
/* activation'(y) * dy, made of ops that can be differentiated again. */
NM_API nm_tensor *nm_activation_gradient(nm_tape *tape, nm_activation activation, nm_tensor *y,
                                         nm_tensor *dy);

#ifdef __cplusplus
}
#endif
#endif
