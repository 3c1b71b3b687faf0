/* Ops made of others. */
#include "core/internal.h"
#include "core/plugin.h"

static nm_status check_results(nm_context *context, const nm_op *op, nm_tensor *const *out)
{
    for (int i = 0; i < op->output_count && context->status == NM_OK; i++) {
        if (!out[i] && !(op->outputs[i].flags & NM_PORT_OPTIONAL)) {
            nm_fail(context, NM_ERROR_INTERNAL, "%s: its formula gave no %s", op->item.name,
                    op->outputs[i].name);
            return nm_plugin_blame(context, &op->item);
        }
    }
    return context->status;
}

/* It has neither the tape nor its inputs to itself. */
static void run_formula(nm_compose *c)
{
    nm_tape *tape = c->tape;
    const bool outer = tape->composing;
    tape->composing = true;
    tape->context->busy++;
    c->out[0] = c->op->compose(c);
    tape->context->busy--;
    tape->composing = outer;
}

nm_status nm_run_composed(nm_tape *tape, const nm_op *op, nm_tensor *const *in, int inputs,
                          const void *options, bool recorded, nm_tensor **out)
{
    nm_tensor *all[NM_MAX_INPUTS] = {NULL};
    const bool collects = !recorded && !tape->collecting && !tape->dry;
    for (int i = 0; i < inputs; i++) {
        all[i] = in[i];
    }
    for (int i = 0; i < op->output_count; i++) {
        out[i] = NULL;
    }
    tape->collecting |= collects;
    run_formula(&(nm_compose){tape, op, options, inputs, all, out});
    if (collects) {
        tape->collecting = false;
        for (int i = 0; i < op->output_count; i++) {
            if (out[i]) {
                out[i]->fresh = false;
            }
        }
        nm_tape_recycle_recent(tape);
    }
    return check_results(tape->context, op, out);
}
