#include "ops/linear/dense_i8.h"

#include <string.h>

#include "ops/kernels/gemm.h"
#include "ops/kernels/gemm_i8.h"
#include "ops/linear.h"
#include "ops/table.h"

/* ---- Packing ---- */

static nm_status pack_i8_infer(nm_infer *infer)
{
    const nm_shape *w = infer->in[0];
    infer->out[NM_PACKED_W] =
        NM_SHAPE(nm_i8_blocks(w->dim[0]), nm_i8_depths(w->dim[1]), NM_I8_COLUMNS, NM_I8_DEPTH);
    infer->out_dtype[NM_PACKED_W] = NM_I8;
    for (int i = NM_PACKED_SUMS; i < NM_PACKED; i++) {
        infer->out[i] = NM_SHAPE(w->dim[0]);
    }
    return NM_OK;
}

static nm_status pack_i8_forward(const nm_run *run)
{
    const nm_shape *w = nm_tensor_shape(run->in[0]);
    const size_t bytes = nm_tensor_bytes(run->out[NM_PACKED_B]);
    if (run->x[1]) {
        memcpy(run->y[NM_PACKED_B], run->x[1], bytes);
    } else {
        memset(run->y[NM_PACKED_B], 0, bytes);
    }
    return nm_gemm_i8_pack(run->context, run->x[0], w->dim[0], w->dim[1], run->y[NM_PACKED_W],
                           run->y[NM_PACKED_SUMS], run->y[NM_PACKED_SCALE]);
}

static const nm_port pack_inputs[] = {{.name = "w"}, {.name = "b", .flags = NM_PORT_OPTIONAL}};
static const nm_port packed[NM_PACKED] = {
    {.name = "w", .type = NM_PORT_ANY},
    {.name = "sums", .type = NM_PORT_INDEX},
    {.name = "scale"},
    {.name = "b"},
};

const nm_op nm_op_pack_i8 = {
    .item = NM_ITEM(nm_op, "pack_i8", "weights of 8 bits, in the order of the product"),
    .inputs = pack_inputs,
    .outputs = packed,
    .input_count = NM_COUNT_OF(pack_inputs),
    .output_count = NM_PACKED,
    .infer = pack_i8_infer,
    .forward = pack_i8_forward,
};

/* ---- The product ---- */

enum { X, PACKED }; /* inputs: x, and from PACKED on what was made of the weights */

static nm_status dense_i8_infer(nm_infer *infer)
{
    infer->out[0] = *infer->in[X];
    infer->out[0].dim[infer->in[X]->rank - 1] = infer->in[PACKED + NM_PACKED_B]->dim[0];
    return NM_OK;
}

static int64_t dense_i8_multiply_adds(const nm_infer *infer)
{
    const nm_shape *x = infer->in[X];
    return nm_count_multiply_adds(&infer->out[0], x->dim[x->rank - 1]);
}

static nm_status dense_i8_forward(const nm_run *run)
{
    const nm_dense_activation_options *o = run->options;
    const nm_shape *x = nm_tensor_shape(run->in[X]);
    const int64_t out = nm_tensor_count(run->in[PACKED + NM_PACKED_B]);
    const nm_gemm_i8 g = {.m = out ? nm_tensor_count(run->out[0]) / out : 0,
                          .n = out,
                          .k = x->dim[x->rank - 1],
                          .x = run->x[X],
                          .w = run->x[PACKED + NM_PACKED_W],
                          .sums = run->x[PACKED + NM_PACKED_SUMS],
                          .scale = run->x[PACKED + NM_PACKED_SCALE],
                          .bias = run->x[PACKED + NM_PACKED_B],
                          .activation = (nm_activation)o->activation,
                          .y = run->y[0]};
    return nm_gemm_i8_run(run->context, &g, nm_i8_loops_at(0));
}

static const nm_port inputs[] = {
    {.name = "x"},
    {.name = "w", .type = NM_PORT_ANY},
    {.name = "sums", .type = NM_PORT_INDEX},
    {.name = "scale"},
    {.name = "b"},
};
static const nm_port outputs[] = {{.name = "y"}};

const nm_op nm_op_dense_i8 = {
    .item = NM_ITEM(nm_op, "dense_i8", "dense layer with weights of 8 bits, and activation",
                    .spec = &nm_dense_activation_spec),
    .inputs = inputs,
    .outputs = outputs,
    .input_count = NM_COUNT_OF(inputs),
    .output_count = 1,
    .infer = dense_i8_infer,
    .forward = dense_i8_forward,
    .multiply_adds = dense_i8_multiply_adds,
};
