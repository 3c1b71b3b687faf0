/* What normalize, its members and their gradient share. A member is a row of ops/norm/members.c: it
 * has normalize's first inputs, all of its outputs, and options of its own that stand for some of
 * normalize's. */
#ifndef NM_OPS_NORMALIZE_H
#define NM_OPS_NORMALIZE_H

#include "ops/norm/frame.h"

/* normalize's inputs and outputs. */
enum { X, SCALE, SHIFT, MEAN_IN, VAR_IN, WEIGHT, INPUTS };
enum { Y, MEAN, VAR, INVERSE, OUTPUTS };

/* normalize_grad's. */
enum { G_X, G_DY, G_SCALE, G_SHIFT, G_WEIGHT, G_MEAN, G_INVERSE, G_DMEAN, G_DVAR, G_INPUTS };
enum { G_DX, G_DSCALE, G_DSHIFT, G_OUTPUTS };

extern const nm_spec nm_normalize_spec;
extern const nm_normalize_options nm_normalize_defaults;

static inline bool nm_normalize_computes(const nm_normalize_options *o)
{
    return o->mode == NM_TRAINING;
}

nm_status nm_normalize_infer_as(nm_infer *infer, const nm_normalize_options *options);
nm_status nm_normalize_forward_as(const nm_run *run, const nm_normalize_options *options);
nm_tensor *nm_normalize_vjp_as(nm_vjp *vjp, const nm_normalize_options *options, int input);

/* Of a one-element list. */
static inline nm_ints nm_one_axis(int64_t axis)
{
    nm_ints list = NM_LIST_OF(1, axis);
    return list;
}

#endif
