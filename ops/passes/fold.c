/* In inference batch norm is y = a (w x + b) + c with numbers a and c of the output channels: the
 * same as (a w) x + (a b + c), a linear layer with other weights. */
#include <math.h>
#include <string.h>

#include "core/guard.h"
#include "ops/norm/batch_norm.h"
#include "ops/linear.h"
#include "ops/passes/passes.h"
#include "ops/passes/rules.h"
#include "ops/table.h"

/* ---- The weights, as an op of this file's own ---- */

enum { F_W, F_B, F_SCALE, F_SHIFT, F_MEAN, F_VAR, F_INPUTS };
enum { F_NEW_W, F_NEW_B, F_OUTPUTS };

static nm_status fold_infer(nm_infer *infer)
{
    infer->out[F_NEW_W] = *infer->in[F_W];
    infer->out[F_NEW_B] = NM_SHAPE(infer->in[F_W]->dim[0]);
    return NM_OK;
}

/* Element i of an array of the run's type; `missing` where there is none. */
static double element(const nm_run *run, const void *array, int64_t i, double missing)
{
    return !array                 ? missing
           : run->dtype == NM_F64 ? ((const double *)array)[i]
                                  : (double)((const float *)array)[i];
}

static void set_element(const nm_run *run, void *array, int64_t i, double value)
{
    if (run->dtype == NM_F64) {
        ((double *)array)[i] = value;
    } else {
        ((float *)array)[i] = (float)value;
    }
}

static void fold_channel(const nm_run *run, int64_t c, int64_t row)
{
    const nm_batch_norm_options *o = run->options;
    const double var = o->mean_only ? 1 : element(run, run->x[F_VAR], c, 1) + o->eps;
    const double scale = element(run, run->x[F_SCALE], c, 1) * (var > 0 ? 1 / sqrt(var) : 0);
    const double shift =
        element(run, run->x[F_SHIFT], c, 0) - scale * element(run, run->x[F_MEAN], c, 0);
    set_element(run, run->y[F_NEW_B], c, scale * element(run, run->x[F_B], c, 0) + shift);
    for (int64_t i = c * row; i < (c + 1) * row; i++) {
        set_element(run, run->y[F_NEW_W], i, element(run, run->x[F_W], i, 0) * scale);
    }
}

static nm_status fold_forward(const nm_run *run)
{
    const int64_t channels = nm_tensor_shape(run->in[F_W])->dim[0];
    const int64_t row = channels ? nm_tensor_count(run->in[F_W]) / channels : 0;
    for (int64_t c = 0; c < channels; c++) {
        fold_channel(run, c, row);
    }
    return NM_OK;
}

#define MAY_MISS(name_)                                                                            \
    {                                                                                              \
        .name = name_, .flags = NM_PORT_OPTIONAL                                                   \
    }
static const nm_port fold_inputs[F_INPUTS] = {
    {.name = "w"},     MAY_MISS("b"),    MAY_MISS("scale"),
    MAY_MISS("shift"), {.name = "mean"}, MAY_MISS("var"),
};
static const nm_port fold_outputs[F_OUTPUTS] = {{.name = "w"}, {.name = "b"}};

static const nm_op fold_op = {
    .item = NM_ITEM(nm_op, "fold_batch_norm", "weights with batch norm in them",
                    .spec = &nm_batch_norm_spec),
    .inputs = fold_inputs,
    .outputs = fold_outputs,
    .input_count = F_INPUTS,
    .output_count = F_OUTPUTS,
    .infer = fold_infer,
    .forward = fold_forward,
};

/* ---- The rule ---- */

static bool is_own(const nm_graph *graph, const nm_graph_step *step, int input)
{
    const nm_graph_value *value =
        input < step->inputs ? nm_graph_value_at(graph, step->in[input]) : NULL;
    return !value || value->tensor;
}

/* Whether all that goes into the weights is the program's own: weights that are computed were
 * settled before. */
static bool is_of_constants(const nm_match *m)
{
    bool own = is_own(m->graph, m->a, 1) && is_own(m->graph, m->a, 2);
    for (int i = SCALE; i < INPUTS; i++) {
        own = own && is_own(m->graph, m->b, i);
    }
    return own;
}

static int input_or_none(const nm_graph_step *step, int input)
{
    return input < step->inputs ? step->in[input] : -1;
}

/* The weights in place of the linear op, and that in place of batch norm. */
static nm_status fold(const nm_match *m)
{
    const nm_graph_step *a = m->a, *b = m->b;
    const nm_new_step weights = {.op = &fold_op,
                                 .options = b->options,
                                 .inputs = F_INPUTS,
                                 .in = {a->in[1], input_or_none(a, 2), input_or_none(b, SCALE),
                                        input_or_none(b, SHIFT), input_or_none(b, RUNNING_MEAN),
                                        input_or_none(b, RUNNING_VAR)}};
    nm_new_step linear = {.op = a->op, .inputs = 3, .in = {a->in[0]}, .scope = a->scope};
    union {
        nm_dense_options dense;
        nm_conv2d_options conv2d;
    } options;
    memcpy(&options, a->options, a->op->item.spec->size);
    linear.options = &options;
    const int y = b->out[0];
    nm_status status = nm_graph_replace(m->graph, m->first, &weights, NULL, 0);
    if (status != NM_OK) {
        return status;
    }
    linear.in[1] = nm_graph_step_at(m->graph, m->first)->out[F_NEW_W];
    linear.in[2] = nm_graph_step_at(m->graph, m->first)->out[F_NEW_B];
    return nm_graph_replace(m->graph, m->then, &linear, &y, 1);
}

static const nm_rule rules[] = {
    {&nm_op_dense, NM_BEHIND_NORM, is_of_constants, fold},
    {&nm_op_conv2d, NM_BEHIND_NORM, is_of_constants, fold},
    {&nm_op_dense, NM_BEHIND_ACTIVATION, NULL, nm_rewrite_linear},
    {&nm_op_conv2d, NM_BEHIND_ACTIVATION, NULL, nm_rewrite_linear},
};

nm_status nm_graph_fold(nm_graph *graph)
{
    return nm_rules_apply(graph, rules, NM_COUNT_OF(rules));
}
