/* What ops of sequences ask of their inputs. */
#ifndef NM_OPS_SEQUENCE_SHAPES_H
#define NM_OPS_SEQUENCE_SHAPES_H

#include "core/op.h"

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

#endif
