/* Dense layers of which the weights, which stay, are brought into another form once: packed, or
 * with 8 bits. Weights that were rounded to those before come out as the same whole numbers: a row
 * that was multiplied since, by batch norm's scale or weight norm's, has another scale. */
#include "ops/kernels/gemm.h"
#include "ops/kernels/gemm_i8.h"
#include "ops/linear.h"
#include "ops/linear/dense_i8.h"
#include "ops/linear/dense_packed.h"
#include "ops/passes/passes.h"
#include "ops/passes/rules.h"
#include "ops/table.h"

/* A step that is a dense layer of f32 with weights, and a bias, of the program's own. */
typedef struct dense {
    const nm_shape *x, *w;
    int in[3]; /* x, w and b, or -1 */
    int y;
    nm_dense_activation_options options;
} dense;

static bool is_constant(const nm_graph *graph, int value)
{
    return value < 0 || nm_graph_value_at(graph, value)->tensor;
}

static bool is_dense(const nm_graph *graph, const nm_graph_step *step, dense *d)
{
    if (step->kind != NM_STEP_OP ||
        (step->op != &nm_op_dense && step->op != &nm_op_dense_activation)) {
        return false;
    }
    const bool plain = step->op == &nm_op_dense;
    *d = (dense){.in = {step->in[0], step->in[1], step->inputs > 2 ? step->in[2] : -1},
                 .y = step->out[0]};
    d->x = &nm_graph_value_at(graph, d->in[0])->shape;
    d->w = &nm_graph_value_at(graph, d->in[1])->shape;
    d->options = (nm_dense_activation_options){.struct_size = sizeof d->options,
                                               .activation = NM_ACTIVATION_NONE};
    if (plain) {
        d->options.precision = ((const nm_dense_options *)step->options)->precision;
    } else {
        d->options = *(const nm_dense_activation_options *)step->options;
    }
    return is_constant(graph, d->in[1]) && is_constant(graph, d->in[2]) &&
           nm_graph_value_at(graph, d->in[1])->dtype == NM_F32;
}

typedef nm_status (*form_fn)(nm_graph *graph, int at, const dense *d);

static nm_status for_each_dense(nm_graph *graph, bool (*fits)(const dense *d), form_fn form)
{
    nm_status status = nm_context_status(nm_graph_context(graph));
    for (int s = 0; s < nm_graph_step_count(graph) && status == NM_OK; s++) {
        dense d;
        if (is_dense(graph, nm_graph_step_at(graph, s), &d) && fits(&d)) {
            status = form(graph, s++, &d);
        }
    }
    return status;
}

/* ---- 8 bits ---- */

static bool takes_i8(const dense *d)
{
    return nm_takes_i8(d->w) && d->w->dim[1] <= NM_I8_MOST_INPUTS;
}

static nm_status quantize(nm_graph *graph, int at, const dense *d)
{
    const nm_new_step pack = {.op = &nm_op_pack_i8, .inputs = 2, .in = {d->in[1], d->in[2]}};
    nm_status status = nm_graph_insert(graph, at, &pack);
    if (status != NM_OK) {
        return status;
    }
    const int *packed = nm_graph_step_at(graph, at)->out;
    const nm_new_step product = {.op = &nm_op_dense_i8,
                                 .options = &d->options,
                                 .inputs = 1 + NM_PACKED,
                                 .in = {d->in[0], packed[NM_PACKED_W], packed[NM_PACKED_SUMS],
                                        packed[NM_PACKED_SCALE], packed[NM_PACKED_B]}};
    return nm_graph_replace(graph, at + 1, &product, &d->y, 1);
}

nm_status nm_graph_quantize(nm_graph *graph)
{
    return for_each_dense(graph, takes_i8, quantize);
}

bool nm_takes_i8(const nm_shape *w)
{
    return w->rank >= 2 && w->dim[0] > 0 && nm_shape_count(w) / w->dim[0] >= NM_I8_LEAST;
}

/* ---- Packed ---- */

static bool gains_by_packing(const dense *d)
{
    const int64_t rows = nm_shape_count(d->x) / (d->w->dim[1] ? d->w->dim[1] : 1);
    return d->options.precision == NM_PRECISION_F32 &&
           nm_gemm_gains_by_packing(rows, d->w->dim[0], d->w->dim[1]);
}

static nm_status pack(nm_graph *graph, int at, const dense *d)
{
    const nm_new_step weights = {.op = &nm_op_pack, .inputs = 1, .in = {d->in[1]}};
    nm_status status = nm_graph_insert(graph, at, &weights);
    if (status != NM_OK) {
        return status;
    }
    const nm_new_step product = {
        .op = &nm_op_dense_packed,
        .options = &d->options,
        .inputs = d->in[2] < 0 ? 3 : 4,
        .in = {d->in[0], nm_graph_step_at(graph, at)->out[0], d->in[1], d->in[2]}};
    return nm_graph_replace(graph, at + 1, &product, &d->y, 1);
}

nm_status nm_graph_pack(nm_graph *graph)
{
    return for_each_dense(graph, gains_by_packing, pack);
}
