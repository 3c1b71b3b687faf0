/* Anomaly mode: the first NaN or infinity of a step, and where it came from. */
#include <math.h>

#include "core/internal.h"

nm_status nm_look_for_anomaly(nm_tape *tape, const nm_op *op, const char *scope, int64_t node,
                              const char *of, const char *name, const nm_tensor *tensor)
{
    int64_t at = nm_tensor_first_not_finite(tensor);
    if (at < 0) {
        return NM_OK;
    }
    char text[NM_SHAPE_TEXT];
    double value = nm_tensor_get(tensor, at);
    return nm_fail(tape->context, NM_ERROR_NUMERIC,
                   "%s%s%s (node %lld): %s %s %s is %s at element "
                   "%lld, the first one of this step that is not finite",
                   scope ? scope : "", scope ? ": " : "", op->item.name, (long long)node, of, name,
                   nm_shape_text(&tensor->shape, text), isnan(value) ? "NaN" : "infinite",
                   (long long)at);
}

nm_status nm_look_for_anomaly_in_outputs(nm_tape *tape, const nm_op *op, nm_tensor *const *out)
{
    for (int i = 0; i < op->output_count; i++) {
        if (!out[i]->data) {
            continue; /* spare */
        }
        nm_status status = nm_look_for_anomaly(tape, op, tape->scope, tape->node_count, "output",
                                               op->outputs[i].name, out[i]);
        if (status != NM_OK) {
            return status;
        }
    }
    return NM_OK;
}
