/* What a network spends outside of its matrix products goes into reading and writing memory, so an
 * activation, a pooling or an addition is best done where the elements are at hand: in the op
 * before it. */
#include <string.h>

#include "core/guard.h"
#include "ops/norm/batch_norm.h"
#include "ops/linear.h"
#include "ops/passes/passes.h"
#include "ops/passes/rules.h"
#include "ops/table.h"

/* ---- Batch norm ---- */

/* `becomes` in place of both, with an activation, and a residual if that is a value. */
static nm_status rewrite_norm(const nm_match *m, const nm_op *becomes, nm_activation activation,
                              int residual)
{
    nm_batch_norm_activation_options o = nm_norm_options_of(m->a);
    o.activation = activation == NM_ACTIVATION_NONE ? o.activation : (int)activation;
    nm_new_step step = {.op = becomes, .options = &o, .inputs = m->a->inputs};
    memcpy(step.in, m->a->in, (size_t)m->a->inputs * sizeof(int));
    if (residual >= 0) {
        while (step.inputs < RESIDUAL) {
            step.in[step.inputs++] = -1;
        }
        step.in[step.inputs++] = residual;
    }
    return nm_graph_join(m->graph, m->first, m->then, &step);
}

static nm_status add_activation(const nm_match *m)
{
    const nm_op *op = m->a->op == &nm_op_batch_norm ? &nm_op_batch_norm_activation : m->a->op;
    return rewrite_norm(m, op, nm_activation_of_op(m->b->op), -1);
}

static nm_status add_residual(const nm_match *m)
{
    return rewrite_norm(m, &nm_op_batch_norm_activation, NM_ACTIVATION_NONE, m->b->in[!m->at]);
}

static nm_status add_pooling(const nm_match *m)
{
    return rewrite_norm(m, &nm_op_batch_norm_max_pool2d, NM_ACTIVATION_NONE, -1);
}

static bool has_no_activation(const nm_match *m)
{
    return nm_norm_options_of(m->a).activation == NM_ACTIVATION_NONE;
}

static bool is_of_last_axis(const nm_match *m)
{
    const nm_shape *x = &nm_graph_value_at(m->graph, m->a->in[X])->shape;
    return x->rank == 4 && nm_shape_axis(x, nm_norm_options_of(m->a).axis) == 3;
}

/* ---- Relu and pooling ---- */

/* Pooling first leaves a quarter of the elements. Relu never falls, so that the two may change
 * places, to the bit. */
static nm_status change_places(const nm_match *m)
{
    const nm_new_step pooling = {.op = m->b->op,
                                 .options = m->b->options,
                                 .inputs = 1,
                                 .in = {m->a->in[0]},
                                 .scope = m->b->scope};
    const char *scope = m->a->scope;
    const int y = m->b->out[0];
    nm_status status = nm_graph_replace(m->graph, m->first, &pooling, NULL, 0);
    if (status != NM_OK) {
        return status;
    }
    const nm_new_step relu = {.op = &nm_op_relu,
                              .inputs = 1,
                              .scope = scope,
                              .in = {nm_graph_step_at(m->graph, m->first)->out[0]}};
    return nm_graph_replace(m->graph, m->then, &relu, &y, 1);
}

/* ---- The table: rules are tried in this order ---- */

static const nm_rule rules[] = {
    {&nm_op_relu, NM_BEHIND_HALVING, NULL, change_places},
    {&nm_op_batch_norm, NM_BEHIND_HALVING, is_of_last_axis, add_pooling},
    {&nm_op_batch_norm_max_pool2d, NM_BEHIND_RELU, has_no_activation, add_activation},
    {&nm_op_batch_norm, NM_BEHIND_ADD, NULL, add_residual},
    {&nm_op_batch_norm, NM_BEHIND_ACTIVATION, NULL, add_activation},
    {&nm_op_batch_norm_activation, NM_BEHIND_ACTIVATION, has_no_activation, add_activation},
    {&nm_op_dense, NM_BEHIND_ACTIVATION, NULL, nm_rewrite_linear},
    {&nm_op_conv2d, NM_BEHIND_ACTIVATION, NULL, nm_rewrite_linear},
};

nm_status nm_graph_fuse(nm_graph *graph)
{
    NM_GIVEN(graph, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(nm_graph_context(graph));
    return nm_rules_apply(graph, rules, NM_COUNT_OF(rules));
}
