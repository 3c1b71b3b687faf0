/* A dense layer's product: y = x w^T + b over the last axis of x. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/gemm.h"
#include "ops/linear.h"
#include "ops/table.h"

static nm_status dense_infer(nm_infer *infer)
{
    const nm_shape *x = infer->in[0], *w = infer->in[1], *b = infer->in[2];
    char x_text[NM_SHAPE_TEXT], w_text[NM_SHAPE_TEXT];
    if (x->rank < 1 || w->rank != 2 || x->dim[x->rank - 1] != w->dim[1]) {
        return nm_infer_fail(infer, "x %s does not fit w %s; they must be [..., in] and [out, in]",
                             nm_shape_text(x, x_text), nm_shape_text(w, w_text));
    }
    if (b && (b->rank != 1 || b->dim[0] != w->dim[0])) {
        return nm_infer_fail(infer, "b %s does not fit w %s; they must be [out] and [out, in]",
                             nm_shape_text(b, x_text), nm_shape_text(w, w_text));
    }
    infer->out[0] = *x;
    infer->out[0].dim[x->rank - 1] = w->dim[0];
    return NM_OK;
}

static int64_t dense_multiply_adds(const nm_infer *infer)
{
    return nm_count_multiply_adds(&infer->out[0], infer->in[1]->dim[1]);
}

static nm_status dense_forward(const nm_run *run)
{
    const nm_shape *w = nm_tensor_shape(run->in[1]);
    int64_t out = w->dim[0], in = w->dim[1];
    int64_t rows = out ? nm_tensor_count(run->out[0]) / out : 0;
    size_t row = (size_t)out * nm_dtype_size(run->dtype);
    for (int64_t i = 0; run->x[2] && i < rows; i++) {
        memcpy((char *)run->y[0] + (size_t)i * row, run->x[2], row);
    }
    nm_gemm g = {.dtype = run->dtype,
                 .transpose_b = true,
                 .accumulate = run->x[2] != NULL,
                 .m = rows,
                 .n = out,
                 .k = in,
                 .lda = in,
                 .ldb = in,
                 .ldc = out,
                 .a = run->x[0],
                 .b = run->x[1],
                 .c = run->y[0]};
    return nm_gemm_run(run->context, &g);
}

/* As a matrix: all axes but the last in one. */
static nm_tensor *flat(nm_tape *tape, nm_tensor *x)
{
    const nm_shape *shape = nm_tensor_shape(x);
    int64_t columns = shape->dim[shape->rank - 1];
    if (shape->rank == 2) {
        return x;
    }
    return nm_reshape(tape, x, NM_SHAPE(columns ? nm_tensor_count(x) / columns : 0, columns));
}

static nm_tensor *dense_vjp(nm_vjp *v, int input)
{
    nm_tensor *dy = v->gout[0];
    switch (input) {
    case 0: {
        nm_tensor *dx = nm_matmul(v->tape, flat(v->tape, dy), v->in[1]);
        const nm_shape *shape = nm_tensor_shape(v->in[0]);
        return shape->rank == 2 ? dx : nm_reshape(v->tape, dx, *shape);
    }
    case 1:
        return nm_matmul(v->tape, flat(v->tape, dy), flat(v->tape, v->in[0]), .transpose_a = true);
    default: return dy; /* summed over the rows by the engine */
    }
}

static const nm_sample dense_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(2, 4), NM_NORMAL(2)}},
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(2, 4)}},
    {.in = {NM_NORMAL(2, 2, 3), NM_NORMAL(4, 3), NM_NORMAL(4)}},
    {.in = {NM_NORMAL(3), NM_NORMAL(2, 3), NM_NORMAL(2)}},
};

static const nm_port in_ports[] = {{.name = "x", .doc = "[..., in]"},
                                   {.name = "w", .doc = "[out, in]"},
                                   {.name = "b", .doc = "[out]", .flags = NM_PORT_OPTIONAL}};
static const nm_port out_ports[] = {{.name = "y", .doc = "[..., out]"}};

const nm_op nm_op_dense = {
    .item = NM_ITEM(nm_op, "dense", "dense layer: product with weights, and bias",
                    .doc = "y = x w^T + b over the last axis of x.\n"
                           "dx = dy w, dw = dy^T x, db = dy summed over the rows."),
    .inputs = in_ports,
    .outputs = out_ports,
    .input_count = 3,
    .output_count = 1,
    .infer = dense_infer,
    .forward = dense_forward,
    .vjp = dense_vjp,
    .multiply_adds = dense_multiply_adds,
    .samples = dense_samples,
    .sample_count = NM_COUNT_OF(dense_samples),
};

nm_tensor *nm_dense(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b)
{
    return nm_apply3(tape, &nm_op_dense, NULL, x, w, b);
}
