#include "ops/linear/dense_packed.h"

#include "ops/kernels/gemm.h"
#include "ops/linear.h"
#include "ops/linear/dense_i8.h"

/* ---- Packing ---- */

static nm_status pack_infer(nm_infer *infer)
{
    const int64_t count = nm_gemm_packed_count(infer->in[0]->dim[0], infer->in[0]->dim[1]);
    infer->out[0] = NM_SHAPE(count);
    return count >= 0 ? NM_OK
                      : nm_infer_fail(infer, "packed, w has more numbers than there can be");
}

static nm_status pack_forward(const nm_run *run)
{
    const nm_shape *w = nm_tensor_shape(run->in[0]);
    nm_gemm_pack(run->context, run->x[0], w->dim[0], w->dim[1], run->y[0]);
    return NM_OK;
}

static const nm_port pack_inputs[] = {{.name = "w"}};
static const nm_port pack_outputs[] = {{.name = "packed"}};

const nm_op nm_op_pack = {
    .item = NM_ITEM(nm_op, "pack", "weights in the order of the product"),
    .inputs = pack_inputs,
    .outputs = pack_outputs,
    .input_count = 1,
    .output_count = 1,
    .infer = pack_infer,
    .forward = pack_forward,
};

/* ---- The product ---- */

enum { X, PACKED, W, B };

static nm_status dense_packed_infer(nm_infer *infer)
{
    infer->out[0] = *infer->in[X];
    infer->out[0].dim[infer->in[X]->rank - 1] = infer->in[W]->dim[0];
    return NM_OK;
}

static int64_t dense_packed_multiply_adds(const nm_infer *infer)
{
    return nm_count_multiply_adds(&infer->out[0], infer->in[W]->dim[1]);
}

static nm_status dense_packed_forward(const nm_run *run)
{
    const nm_dense_activation_options *o = run->options;
    const nm_shape *w = nm_tensor_shape(run->in[W]);
    const nm_gemm g = {.dtype = run->dtype,
                       .transpose_b = true,
                       .m = nm_tensor_count(run->out[0]) / w->dim[0],
                       .n = w->dim[0],
                       .k = w->dim[1],
                       .lda = w->dim[1],
                       .ldb = w->dim[1],
                       .ldc = w->dim[0],
                       .a = run->x[X],
                       .b = run->x[W],
                       .packed = run->x[PACKED],
                       .c = run->y[0],
                       .bias = run->x[B],
                       .activation = (nm_activation)o->activation};
    return nm_gemm_run(run->context, &g);
}

static const nm_port inputs[] = {
    {.name = "x"}, {.name = "packed"}, {.name = "w"}, {.name = "b", .flags = NM_PORT_OPTIONAL}};
static const nm_port outputs[] = {{.name = "y"}};

const nm_op nm_op_dense_packed = {
    .item = NM_ITEM(nm_op, "dense_packed", "dense layer with packed weights, and activation",
                    .spec = &nm_dense_activation_spec),
    .inputs = inputs,
    .outputs = outputs,
    .input_count = NM_COUNT_OF(inputs),
    .output_count = 1,
    .infer = dense_packed_infer,
    .forward = dense_packed_forward,
    .multiply_adds = dense_packed_multiply_adds,
};
