/* nm_gradients(): the backward pass from any tensors to any, of which only what lies between them
 * is walked. */
#include <stdio.h>

#include "core/guard.h"
#include "core/internal.h"
#include "core/tape/pass.h"

/* ---- Checks ---- */

/* Whether a tensor can be one of a call on that tape. `what` and `index` name it. */
static nm_status check_place(const nm_tape *tape, const char *what, int index, const nm_tensor *x)
{
    if (!x) {
        return nm_fail(tape->context, NM_ERROR_INPUT, "nm_gradients: %s %d is NULL", what, index);
    }
    if (x->context != tape->context || (x->tape && x->tape != tape)) {
        return nm_fail(tape->context, NM_ERROR_INPUT, "nm_gradients: %s %d belongs to another %s",
                       what, index, x->context != tape->context ? "context" : "tape");
    }
    if (x->dead) {
        char name[64];
        snprintf(name, sizeof name, "nm_gradients: %s %d", what, index);
        return nm_refuse_elements(x, name);
    }
    return NM_OK;
}

static nm_status check_gradient_input(const nm_tape *tape, int i, const nm_tensor *x)
{
    nm_status status = check_place(tape, "input", i, x);
    return status != NM_OK || x->requires_grad
               ? status
               : nm_fail(tape->context, NM_ERROR_INPUT,
                         "nm_gradients: input %d does not require a gradient; ask for it before "
                         "computing with it (nm_tensor_set_requires_grad)",
                         i);
}

/* `g`: the output's gradient; NULL: ones. */
static nm_status check_gradient_output(const nm_tape *tape, int i, const nm_tensor *y,
                                       const nm_tensor *g)
{
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    nm_status status = check_place(tape, "output", i, y);
    if (status == NM_OK && g) {
        status = check_place(tape, "the gradient of output", i, g);
    }
    if (status != NM_OK || !g || (nm_same_shape(g, y) && g->dtype == nm_wide(y->dtype))) {
        return status;
    }
    return nm_fail(tape->context, NM_ERROR_INPUT,
                   "nm_gradients: output %d is %s %s, but its gradient %s %s", i,
                   nm_dtype_name((nm_dtype)y->dtype), nm_shape_text(&y->shape, a),
                   nm_dtype_name((nm_dtype)g->dtype), nm_shape_text(&g->shape, b));
}

static nm_status check_gradient_call(nm_tape *tape, nm_tensor *const *outputs,
                                     nm_tensor *const *output_grads, int output_count,
                                     nm_tensor *const *inputs, int input_count)
{
    nm_status status = nm_tape_begin_gradients(tape);
    if (status == NM_OK && (output_count < 0 || input_count < 0)) {
        status = nm_fail(tape->context, NM_ERROR_INPUT, "nm_gradients: of %d outputs and %d inputs",
                         output_count, input_count);
    }
    for (int i = 0; i < input_count && status == NM_OK; i++) {
        status = check_gradient_input(tape, i, inputs[i]);
    }
    for (int i = 0; i < output_count && status == NM_OK; i++) {
        status = check_gradient_output(tape, i, outputs[i], output_grads ? output_grads[i] : NULL);
    }
    return status;
}

/* ---- Marks, seeds and results ---- */

/* Marks every tensor on a way from a requested input to an output. */
static void mark_wanted(nm_pass *p, nm_tensor *const *inputs, int input_count)
{
    for (int i = 0; i < input_count; i++) {
        inputs[i]->wanted = inputs[i]->requested = true;
    }
    for (int64_t i = 0; i <= p->last; i++) {
        nm_node *node = p->tape->nodes[i];
        bool wanted = false;
        for (int k = 0; k < node->inputs; k++) {
            wanted |= node->tensors[k] && node->tensors[k]->wanted;
        }
        for (int k = 0; wanted && k < node->outputs; k++) {
            nm_node_outputs(node)[k]->wanted = true;
        }
    }
}

static void clear_marks(nm_pass *p, nm_tensor *const *inputs, int input_count)
{
    for (int64_t i = 0; i <= p->last; i++) {
        nm_node *node = p->tape->nodes[i];
        for (int k = 0; k < node->outputs; k++) {
            nm_node_outputs(node)[k]->wanted = false;
        }
    }
    for (int i = 0; i < input_count; i++) {
        inputs[i]->wanted = inputs[i]->requested = false;
    }
}

static nm_status seed_outputs(nm_pass *p, nm_tensor *const *outputs, nm_tensor *const *output_grads,
                              int output_count)
{
    for (int i = 0; i < output_count; i++) {
        nm_tensor *y = outputs[i];
        if (!y->wanted) {
            continue;
        }
        nm_tensor *g = output_grads && output_grads[i]
                           ? output_grads[i]
                           : nm_full(p->tape, nm_wide(y->dtype), y->shape, 1);
        if (!g || nm_pass_add(p, y, g) != NM_OK) {
            return p->context->status;
        }
    }
    return NM_OK;
}

/* Takes the results off the inputs. The same input may be asked for twice. */
static nm_status collect(nm_pass *p, nm_tensor *const *inputs, int input_count, nm_tensor **grads)
{
    for (int i = 0; i < input_count; i++) {
        nm_tensor *x = inputs[i];
        grads[i] = x->pending ? p->graph ? x->pending : nm_pass_alias(p->tape, x->pending)
                              : nm_full(p->tape, nm_wide(x->dtype), x->shape, 0);
        if (!grads[i]) {
            return p->context->status;
        }
    }
    for (int i = 0; i < input_count; i++) {
        if (inputs[i]->node >= 0) {
            nm_pass_drop(p, inputs[i]); /* leaves' go with the list */
        }
    }
    return NM_OK;
}

static int64_t last_node(nm_tensor *const *outputs, int output_count)
{
    int64_t last = -1;
    for (int i = 0; i < output_count; i++) {
        last = outputs[i]->node > last ? outputs[i]->node : last;
    }
    return last;
}

nm_status nm_gradients(nm_tape *tape, nm_tensor *const *outputs, nm_tensor *const *output_grads,
                       int output_count, nm_tensor *const *inputs, int input_count, unsigned flags,
                       nm_tensor **grads)
{
    for (int i = 0; grads && i < input_count; i++) {
        grads[i] = NULL;
    }
    NM_GIVEN(tape, NM_ERROR_INPUT);
    nm_context *context = tape->context;
    NM_REQUIRE(context, grads || input_count <= 0, NM_ERROR_INPUT);
    NM_REQUIRE(context, inputs || input_count <= 0, NM_ERROR_INPUT);
    NM_REQUIRE(context, outputs || output_count <= 0, NM_ERROR_INPUT);
    if (context->status != NM_OK || nm_pass_refuse_trace(tape) != NM_OK ||
        check_gradient_call(tape, outputs, output_grads, output_count, inputs, input_count) !=
            NM_OK ||
        nm_pass_find_ops(tape) != NM_OK) {
        return context->status;
    }
    nm_pass p = {.tape = tape,
                 .context = context,
                 .last = last_node(outputs, output_count),
                 .graph = flags & NM_CREATE_GRAPH,
                 .release = !(flags & (NM_KEEP_GRAPH | NM_CREATE_GRAPH))};
    mark_wanted(&p, inputs, input_count);
    nm_status status = seed_outputs(&p, outputs, output_grads, output_count);
    if (status == NM_OK) status = nm_pass_walk(&p);
    if (status == NM_OK) status = collect(&p, inputs, input_count, grads);
    clear_marks(&p, inputs, input_count);
    nm_pass_clear(&p);
    for (int i = 0; status != NM_OK && i < input_count; i++) {
        grads[i] = NULL;
    }
    return status;
}
