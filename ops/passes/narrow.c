/* In training with bf16, what lies between convolutions and batch norms is kept in bf16: half of
 * what a network keeps for its backward pass, and half of what these ops read and write. */
#include <string.h>

#include "core/guard.h"
#include "ops/kernels/bf16.h"
#include "ops/norm/batch_norm.h"
#include "ops/passes/passes.h"
#include "ops/passes/rules.h"
#include "ops/table.h"

/* ---- What may be kept so ---- */

static bool is_norm(const nm_graph_step *step)
{
    return step->op == &nm_op_batch_norm || step->op == &nm_op_batch_norm_activation;
}

/* Whether it is one of these ops, and may have bf16 as it is. */
static bool is_suited(const nm_graph *graph, const nm_graph_step *step)
{
    if (step->kind != NM_STEP_OP || !step->recording) {
        return false;
    }
    if (is_norm(step)) {
        const nm_batch_norm_activation_options o = nm_norm_options_of(step);
        const nm_shape *x = &nm_graph_value_at(graph, step->in[0])->shape;
        return o.mode == NM_TRAINING && nm_shape_axis(x, o.axis) == x->rank - 1;
    }
    return (step->op == &nm_op_conv2d || step->op == &nm_op_conv2d_activation) &&
           nm_conv_options_of(step).precision == NM_PRECISION_BF16;
}

/* Whether the step does not read the value, or by ports that take bf16. */
static bool takes(const nm_graph *graph, const nm_graph_step *step, int value)
{
    const bool suited = is_suited(graph, step);
    bool fine = true;
    for (int i = 0; i < step->inputs; i++) {
        fine &= step->in[i] != value || step->effect == &nm_batch_norm_moving ||
                (suited && step->op->inputs[i].flags & NM_PORT_BF16);
    }
    return fine;
}

static bool may_narrow(const nm_graph *graph, int at)
{
    const nm_graph_step *step = nm_graph_step_at(graph, at);
    if (!is_suited(graph, step) || nm_graph_value_at(graph, step->out[0])->dtype != NM_F32) {
        return false;
    }
    const int y = step->out[0];
    bool fine = nm_graph_find_reader(graph, y, at + 1) >= 0;
    for (int s = at + 1; s < nm_graph_step_count(graph); s++) {
        fine = fine && takes(graph, nm_graph_step_at(graph, s), y);
    }
    for (int i = 0; i < nm_graph_output_count(graph); i++) {
        fine = fine && nm_graph_output_at(graph, i) != y;
    }
    return fine;
}

/* ---- The ops that do ---- */

static nm_status narrow(nm_graph *graph, int at)
{
    const nm_graph_step *step = nm_graph_step_at(graph, at);
    const bool norm = is_norm(step);
    nm_batch_norm_activation_options n = {.struct_size = sizeof n};
    nm_conv2d_activation_options c = {.struct_size = sizeof c};
    int out[NM_MAX_OUTPUTS];
    if (norm) {
        n = nm_norm_options_of(step);
        n.narrow = true;
    } else {
        c = nm_conv_options_of(step);
        c.narrow = true;
    }
    nm_new_step made = {.op = norm ? &nm_op_batch_norm_activation : &nm_op_conv2d_activation,
                        .options = norm ? (const void *)&n : &c,
                        .inputs = step->inputs};
    memcpy(made.in, step->in, (size_t)step->inputs * sizeof(int));
    memcpy(out, step->out, (size_t)step->outputs * sizeof(int));
    return nm_graph_replace(graph, at, &made, out, step->outputs);
}

nm_status nm_graph_narrow(nm_graph *graph)
{
    NM_UNLESS_FAILED(nm_graph_context(graph));
    nm_status status = NM_OK;
    const bool wanted = nm_takes_bf16(nm_graph_context(graph));
    for (int s = 0; wanted && s < nm_graph_step_count(graph) && status == NM_OK; s++) {
        status = may_narrow(graph, s) ? narrow(graph, s) : NM_OK;
    }
    return status;
}
