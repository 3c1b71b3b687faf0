/* What batch_norm, batch_norm_activation and their gradients share. */
#ifndef NM_OPS_BATCH_NORM_H
#define NM_OPS_BATCH_NORM_H

#include "ops/kernels/norm.h"
#include "ops/norm.h"

/* batch_norm's inputs and outputs. */
enum { X, SCALE, SHIFT, RUNNING_MEAN, RUNNING_VAR, INPUTS };
enum { Y, MEAN, VAR, INVERSE, OUTPUTS };

/* batch_norm_grad's. */
enum { G_X, G_DY, G_SCALE, G_MEAN, G_INVERSE, G_DMEAN, G_DVAR, G_INPUTS };
enum { G_DX, G_DSCALE, G_DSHIFT, G_OUTPUTS };

/* What batch_norm_activation has besides, and batch_norm_relu_grad. */
enum { RESIDUAL = INPUTS, A_INPUTS };
enum { GATE_SCALE = OUTPUTS, GATE_SHIFT, A_OUTPUTS };
enum { G_GATE_SCALE = G_INPUTS, G_GATE_SHIFT, G_RELU_INPUTS };

extern const nm_spec nm_batch_norm_spec, nm_batch_norm_activation_spec;
extern const nm_port nm_batch_norm_grad_outputs[G_OUTPUTS];

static inline bool nm_is_training(const nm_batch_norm_options *o)
{
    return o->mode == NM_TRAINING;
}

static inline int nm_batch_norm_axis(const nm_batch_norm_options *o, const nm_shape *x)
{
    return nm_shape_axis(x, o->axis);
}

/* Finds the axis of the channels in x, the first input of both ops, and checks that x can be
 * normalized and that the inputs `first`..`last` have one value a channel. */
nm_status nm_batch_norm_check(const nm_infer *infer, const nm_batch_norm_options *options,
                              int first, int last, int *axis);

/* A pass over x, not begun. */
nm_channel_pass nm_batch_norm_pass(const nm_run *run, const nm_batch_norm_options *options);
nm_status nm_batch_norm_run(nm_channel_pass *pass);
/* The number of values of a channel. */
double nm_batch_norm_values(const nm_channel_pass *pass);

/* What goes on top of batch norm in the same pass, and where the numbers go with which it was
 * y = gate_scale * (x - mean) + gate_shift before that, [channels] of run->dtype, or NULL. */
typedef struct nm_batch_norm_top {
    const nm_tensor *residual; /* x's shape; NULL: 0 */
    nm_activation activation;
    bool elsewhere; /* only find the numbers: y is computed by the caller */
    void *gate_scale, *gate_shift;
    void *left; /* what is left of xhat's mean, because `mean` was rounded */
} nm_batch_norm_top;

/* What nm_batch_norm_move() does; of x it reads the shape alone. */
extern const nm_effect nm_batch_norm_moving;

/* ---- Batch norm's parts, for ops whose inputs and outputs begin like its own ---- */

nm_status nm_batch_norm_infer_as(nm_infer *infer, const nm_batch_norm_options *options);
nm_status nm_batch_norm_compute(const nm_run *run, const nm_batch_norm_options *options,
                                const nm_batch_norm_top *top);
/* `dy`: the gradient of batch norm's own y; those of its other outputs are the vjp's. */
nm_tensor *nm_batch_norm_vjp_as(nm_vjp *vjp, const nm_batch_norm_options *options, nm_tensor *dy,
                                int input);
/* The gradient that came in for var, also by way of `inverse`. */
nm_tensor *nm_batch_norm_gradient_of_var(const nm_vjp *vjp, const nm_batch_norm_options *options);

/* Computes mean and inverse of x as batch_norm does, into arrays of run->dtype, and what is left of
 * xhat's mean if that is not NULL. */
nm_status nm_batch_norm_moments(const nm_run *run, void *mean, void *inverse, void *left);

/* Calls batch_norm_grad. In training mean and inverse are known functions of x, given only to spare
 * the work: no gradient goes through them. In inference they are variables of their own. */
nm_status nm_batch_norm_gradient(nm_tape *tape, const nm_batch_norm_options *options,
                                 nm_tensor *const in[G_INPUTS], nm_tensor *out[G_OUTPUTS]);

/* ---- The same of batch_norm_grad ---- */

nm_status nm_batch_norm_grad_infer(nm_infer *infer);
nm_status nm_batch_norm_grad_forward(const nm_run *run);
/* `dy`: in the place of the input of that name. */
nm_tensor *nm_batch_norm_grad_vjp_of(nm_vjp *vjp, nm_tensor *dy, int input);

/* dscale and dshift, for a dy that is not 0 in few places only: x and dy there. And the numbers
 * with which dx = a * dy + b * xhat + c everywhere, [channels] of run->dtype. Inputs and outputs
 * are those of batch_norm_grad but for `picked`, dy and `left`; training only. */
nm_status nm_batch_norm_grad_picked(const nm_run *run, const nm_shape *shape, const void *picked,
                                    const void *mean, const void *inverse, const void *left,
                                    void *const abc[3]);

#endif
