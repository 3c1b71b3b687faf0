#include "ops/passes/rules.h"

#include <string.h>

#include "ops/norm/batch_norm.h"
#include "ops/linear.h"
#include "ops/table.h"

nm_activation nm_activation_of_op(const nm_op *op)
{
    return op == &nm_op_relu      ? NM_ACTIVATION_RELU
           : op == &nm_op_sigmoid ? NM_ACTIVATION_SIGMOID
           : op == &nm_op_tanh    ? NM_ACTIVATION_TANH
                                  : NM_ACTIVATION_NONE;
}

/* ---- What stands behind ---- */

static bool is_all(const nm_ints *list, int64_t value)
{
    return list->count && list->at[0] == value && list->at[list->count - 1] == value;
}

static bool halves(const nm_graph_step *step)
{
    const nm_pool2d_options *o = step->options;
    return step->op == &nm_op_max_pool2d && !o->global && is_all(&o->kernel, 2) &&
           (!o->stride.count || is_all(&o->stride, 2)) &&
           (!o->padding.count || (is_all(&o->padding, 0) && o->padding.count < 4)) &&
           (!o->dilation.count || is_all(&o->dilation, 1)) && !o->ceil_mode;
}

static bool adds_alike(const nm_match *m)
{
    const nm_graph_value *a = nm_graph_value_at(m->graph, m->b->in[0]);
    const nm_graph_value *b = nm_graph_value_at(m->graph, m->b->in[1]);
    return m->b->op == &nm_op_add && nm_shape_equal(&a->shape, &b->shape) &&
           m->b->in[0] != m->b->in[1];
}

static bool normalizes_as_told(const nm_match *m)
{
    const nm_batch_norm_options *o = m->b->options;
    if (m->b->op != &nm_op_batch_norm || m->at != 0 || o->mode != NM_INFERENCE) {
        return false;
    }
    for (int i = 1; i < m->b->outputs; i++) {
        if (nm_graph_is_read(m->graph, m->b->out[i])) {
            return false;
        }
    }
    const nm_shape *x = &nm_graph_value_at(m->graph, m->b->in[0])->shape;
    return nm_shape_axis(x, o->axis) == x->rank - 1;
}

static bool stands_behind(const nm_match *m, nm_behind behind)
{
    switch (behind) {
    case NM_BEHIND_ACTIVATION: return nm_activation_of_op(m->b->op) != NM_ACTIVATION_NONE;
    case NM_BEHIND_RELU: return m->b->op == &nm_op_relu;
    case NM_BEHIND_ADD: return adds_alike(m);
    case NM_BEHIND_HALVING: return halves(m->b);
    case NM_BEHIND_NORM: return normalizes_as_told(m);
    }
    return false;
}

/* ---- A pass ---- */

static int input_of(const nm_graph_step *step, int value)
{
    int at = 0;
    while (step->in[at] != value) {
        at++;
    }
    return at;
}

/* Whether one step reads output 0, once, and no effect: it will not be there any more. (What the
 * others are read by follows, or nm_graph_may_join() refuses.) None is of this rule's own making.
 */
static bool is_read_once(const nm_graph_step *step, const int *reads, int count)
{
    for (int i = 0; i < step->outputs; i++) {
        if (step->out[i] >= count || (i == 0 && reads[step->out[i]] != 1)) {
            return false;
        }
    }
    return true;
}

/* Tries a rule on the step at `first`. */
static nm_status try_at(nm_graph *graph, const nm_rule *rule, int first, const int *reads,
                        int count)
{
    const nm_graph_step *a = nm_graph_step_at(graph, first);
    if (a->kind != NM_STEP_OP || a->op != rule->op || !is_read_once(a, reads, count)) {
        return NM_OK;
    }
    const int then = nm_graph_find_reader(graph, a->out[0], first + 1);
    if (then < 0 || nm_graph_step_at(graph, then)->kind != NM_STEP_OP) {
        return NM_OK;
    }
    nm_match m = {
        .graph = graph, .first = first, .then = then, .a = a, .b = nm_graph_step_at(graph, then)};
    m.at = input_of(m.b, a->out[0]);
    return stands_behind(&m, rule->behind) && (!rule->fits || rule->fits(&m)) &&
                   nm_graph_may_join(graph, first, then)
               ? rule->rewrite(&m)
               : NM_OK;
}

static nm_status apply(nm_graph *graph, const nm_rule *rule, int *reads)
{
    nm_status status = NM_OK;
    const int count = nm_graph_value_count(graph);
    nm_graph_count_reads(graph, reads);
    for (int s = 0; s < nm_graph_step_count(graph) && status == NM_OK; s++) {
        status = try_at(graph, rule, s, reads, count);
    }
    return status;
}

nm_status nm_rules_apply(nm_graph *graph, const nm_rule *rules, int count)
{
    nm_context *context = nm_graph_context(graph);
    nm_status status = NM_OK;
    for (int i = 0; i < count && status == NM_OK; i++) {
        const size_t values = (size_t)nm_graph_value_count(graph) + 1;
        int *reads = nm_alloc_zero(context, values, sizeof *reads);
        status = reads ? apply(graph, &rules[i], reads) : NM_ERROR_MEMORY;
        nm_free(context, reads);
    }
    return status;
}

/* ---- What the tables share ---- */

nm_batch_norm_activation_options nm_norm_options_of(const nm_graph_step *step)
{
    if (step->op != &nm_op_batch_norm) {
        return *(const nm_batch_norm_activation_options *)step->options;
    }
    const nm_batch_norm_options *o = step->options;
    return (nm_batch_norm_activation_options){.struct_size =
                                                  sizeof(nm_batch_norm_activation_options),
                                              .axis = o->axis,
                                              .eps = o->eps,
                                              .mode = o->mode,
                                              .mean_only = o->mean_only,
                                              .activation = NM_ACTIVATION_NONE};
}

nm_conv2d_activation_options nm_conv_options_of(const nm_graph_step *step)
{
    if (step->op == &nm_op_conv2d_activation) {
        return *(const nm_conv2d_activation_options *)step->options;
    }
    const nm_conv2d_options *o = step->options;
    return (nm_conv2d_activation_options){.struct_size = sizeof(nm_conv2d_activation_options),
                                          .stride = o->stride,
                                          .padding = o->padding,
                                          .dilation = o->dilation,
                                          .groups = o->groups,
                                          .precision = o->precision,
                                          .activation = NM_ACTIVATION_NONE};
}

nm_status nm_rewrite_linear(const nm_match *m)
{
    const bool dense = m->a->op == &nm_op_dense;
    const int activation = (int)nm_activation_of_op(m->b->op);
    nm_dense_activation_options d = {.struct_size = sizeof d, .activation = activation};
    nm_conv2d_activation_options c = {.struct_size = sizeof c};
    if (dense) {
        d.precision = ((const nm_dense_options *)m->a->options)->precision;
    } else {
        c = nm_conv_options_of(m->a);
        c.activation = activation;
    }
    nm_new_step step = {.op = dense ? &nm_op_dense_activation : &nm_op_conv2d_activation,
                        .options = dense ? (const void *)&d : &c,
                        .inputs = m->a->inputs};
    memcpy(step.in, m->a->in, (size_t)m->a->inputs * sizeof(int));
    return nm_graph_join(m->graph, m->first, m->then, &step);
}
