/* Dense layers with weights of 8 bits in place of those with f32. Weights that were rounded to
 * them before come out as the same whole numbers: a row that was multiplied since, by batch norm's
 * scale or weight norm's, has another scale. */
#include "ops/kernels/gemm_i8.h"
#include "ops/linear.h"
#include "ops/linear/dense_i8.h"
#include "ops/passes/passes.h"
#include "ops/passes/rules.h"
#include "ops/table.h"

static bool is_constant(const nm_graph *graph, const nm_graph_step *step, int input)
{
    const int value = input < step->inputs ? step->in[input] : -1;
    return value < 0 || nm_graph_value_at(graph, value)->tensor;
}

static bool is_quantized(const nm_graph *graph, const nm_graph_step *step)
{
    if (step->kind != NM_STEP_OP ||
        (step->op != &nm_op_dense && step->op != &nm_op_dense_activation) ||
        !is_constant(graph, step, 1) || !is_constant(graph, step, 2)) {
        return false;
    }
    const nm_graph_value *w = nm_graph_value_at(graph, step->in[1]);
    return w->dtype == NM_F32 && nm_takes_i8(&w->shape) && w->shape.dim[1] <= NM_I8_MOST_INPUTS;
}

static nm_status quantize(nm_graph *graph, int at)
{
    const nm_graph_step *dense = nm_graph_step_at(graph, at);
    nm_dense_activation_options o = {.struct_size = sizeof o, .activation = NM_ACTIVATION_NONE};
    if (dense->op == &nm_op_dense_activation) {
        o = *(const nm_dense_activation_options *)dense->options;
    }
    const int x = dense->in[0], y = dense->out[0];
    const nm_new_step pack = {.op = &nm_op_pack_i8,
                              .inputs = 2,
                              .in = {dense->in[1], dense->inputs > 2 ? dense->in[2] : -1}};
    nm_status status = nm_graph_insert(graph, at, &pack);
    if (status != NM_OK) {
        return status;
    }
    const int *packed = nm_graph_step_at(graph, at)->out;
    const nm_new_step product = {.op = &nm_op_dense_i8,
                                 .options = &o,
                                 .inputs = 1 + NM_PACKED,
                                 .in = {x, packed[NM_PACKED_W], packed[NM_PACKED_SUMS],
                                        packed[NM_PACKED_SCALE], packed[NM_PACKED_B]}};
    return nm_graph_replace(graph, at + 1, &product, &y, 1);
}

nm_status nm_graph_quantize(nm_graph *graph)
{
    nm_status status = nm_context_status(nm_graph_context(graph));
    for (int s = 0; s < nm_graph_step_count(graph) && status == NM_OK; s++) {
        if (is_quantized(graph, nm_graph_step_at(graph, s))) {
            status = quantize(graph, s++);
        }
    }
    return status;
}

bool nm_takes_i8(const nm_shape *w)
{
    return w->rank >= 2 && w->dim[0] > 0 && nm_shape_count(w) / w->dim[0] >= NM_I8_LEAST;
}
