/* What ops of sequences ask of their inputs. */
#ifndef NM_OPS_SEQUENCE_SHAPES_H
#define NM_OPS_SEQUENCE_SHAPES_H

#include "core/op.h"
#include "ops/basic.h"
#include "ops/sequence.h"

/* Whether an input, where it is given, has that shape; else the op fails. */
static inline bool has_shape(nm_compose *c, int input, nm_shape wanted)
{
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    const nm_shape *shape = c->in[input] ? nm_tensor_shape(c->in[input]) : NULL;
    if (!shape || nm_shape_equal(shape, &wanted)) {
        return true;
    }
    nm_compose_fail(c, "%s %s must be %s", c->op->inputs[input].name, nm_shape_text(shape, a),
                    nm_shape_text(&wanted, b));
    return false;
}

/* x [n, steps, channels] with 0 behind the lengths [n], so that what stands there, NaN too, reaches
 * neither a sum nor a gradient. */
static inline nm_tensor *within_lengths(const nm_compose *c, nm_tensor *x, nm_tensor *lengths)
{
    if (!x || !lengths) {
        return x;
    }
    nm_tensor *counts = nm_sequence_mask(c->tape, lengths, nm_tensor_shape(x)->dim[1]);
    return nm_where(c->tape, nm_unsqueeze(c->tape, counts, .axes = NM_INTS(2)), x,
                    nm_scalar(c->tape, nm_tensor_dtype(x), 0));
}

#endif
