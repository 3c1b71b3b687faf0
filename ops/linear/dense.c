/* A dense layer's product: y = x w^T + b over the last axis of x; and the same with an activation
 * on top. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/gemm.h"
#include "ops/linear.h"
#include "ops/linear/dense_i8.h"
#include "ops/linear/precision.h"
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

static nm_status product(const nm_run *run, nm_activation activation, int precision)
{
    const nm_shape *w = nm_tensor_shape(run->in[1]);
    int64_t out = w->dim[0], in = w->dim[1];
    nm_gemm g = {.dtype = run->dtype,
                 .transpose_b = true,
                 .m = out ? nm_tensor_count(run->out[0]) / out : 0,
                 .n = out,
                 .k = in,
                 .lda = in,
                 .ldb = in,
                 .ldc = out,
                 .a = run->x[0],
                 .b = run->x[1],
                 .c = run->y[0],
                 .bias = run->x[2],
                 .activation = activation,
                 .bf16 = precision == NM_PRECISION_BF16};
    return nm_gemm_run(run->context, &g);
}

static nm_status dense_forward(const nm_run *run)
{
    const nm_dense_options *o = run->options;
    return product(run, NM_ACTIVATION_NONE, o->precision);
}

static nm_status dense_activation_forward(const nm_run *run)
{
    const nm_dense_activation_options *o = run->options;
    return product(run, (nm_activation)o->activation, o->precision);
}

/* ---- Gradients ---- */

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

/* Of an input, for the gradient `dz` of x w^T + b. */
static nm_tensor *gradient(const nm_vjp *v, nm_tensor *dz, int precision, int input)
{
    switch (input) {
    case 0: {
        nm_tensor *dx = nm_matmul(v->tape, flat(v->tape, dz), v->in[1], .precision = precision);
        const nm_shape *shape = nm_tensor_shape(v->in[0]);
        return shape->rank == 2 ? dx : nm_reshape(v->tape, dx, *shape);
    }
    case 1:
        return nm_matmul(v->tape, flat(v->tape, dz), flat(v->tape, v->in[0]), .transpose_a = true,
                         .precision = precision);
    default: return dz; /* summed over the rows by the engine */
    }
}

static nm_tensor *dense_vjp(nm_vjp *v, int input)
{
    const nm_dense_options *o = v->options;
    return gradient(v, v->gout[0], o->precision, input);
}

/* All at once, since all begin with dz. */
static nm_tensor *dense_activation_vjp(nm_vjp *v, int input)
{
    const nm_dense_activation_options *o = v->options;
    nm_tensor *dz =
        nm_activation_gradient(v->tape, (nm_activation)o->activation, v->out[0], v->gout[0]);
    for (int i = 0; dz && i < v->inputs; i++) {
        v->gin[i] = v->need[i] ? gradient(v, dz, o->precision, i) : NULL;
    }
    return v->gin[input];
}

/* ---- The ops ---- */

static const nm_sample dense_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(2, 4), NM_NORMAL(2)}},
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(2, 4)}},
    {.in = {NM_NORMAL(2, 2, 3), NM_NORMAL(4, 3), NM_NORMAL(4)}},
    {.in = {NM_NORMAL(3), NM_NORMAL(2, 3), NM_NORMAL(2)}},
};
static const nm_sample dense_activation_samples[] = {
    /* relu, never near its bend: the product is below 1.2, the bias beyond 2 */
    {.in = {NM_UNIFORM(0.5, 1, 3, 4), NM_UNIFORM(0.1, 0.3, 4, 4), NM_AWAY(2, 4)}},
    {.options = "{activation: sigmoid}", .in = {NM_NORMAL(3, 4), NM_NORMAL(2, 4), NM_NORMAL(2)}},
    {.options = "{activation: tanh}", .in = {NM_NORMAL(2, 2, 3), NM_NORMAL(4, 3)}},
    {.options = "{activation: none}", .in = {NM_NORMAL(3), NM_NORMAL(2, 3), NM_NORMAL(2)}},
};

static const nm_dense_options dense_defaults = {NM_END(nm_dense_options), NM_DENSE_DEFAULTS};
NM_OPTIONS_INIT(nm_dense_options, dense_defaults)
static const nm_option dense_options[] = {
    {NM_FIELD(nm_dense_options, precision), NM_OPTION_ENUM, .names = nm_precision_names,
     .doc = NM_PRECISION_DOC},
};
static const nm_spec dense_spec = NM_SPEC(nm_dense_options, dense_defaults, dense_options);

static const nm_dense_activation_options defaults = {NM_DENSE_ACTIVATION_DEFAULTS,
                                                     NM_END(nm_dense_activation_options)};
NM_OPTIONS_INIT(nm_dense_activation_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_dense_activation_options, activation), NM_OPTION_ENUM,
     .names = nm_activation_names, .doc = "what the sum goes through in the end"},
    {NM_FIELD(nm_dense_activation_options, precision), NM_OPTION_ENUM, .names = nm_precision_names,
     .doc = NM_PRECISION_DOC},
};
const nm_spec nm_dense_activation_spec = NM_SPEC(nm_dense_activation_options, defaults, options);

static const nm_port in_ports[] = {{.name = "x", .doc = "[..., in]"},
                                   {.name = "w", .doc = "[out, in]"},
                                   {.name = "b", .doc = "[out]", .flags = NM_PORT_OPTIONAL}};
static const nm_port out_ports[] = {{.name = "y", .doc = "[..., out]"}};

#define DENSE_OP(name_, summary_, ...)                                                             \
    const nm_op nm_op_##name_ = {                                                                  \
        .item = NM_ITEM(nm_op, #name_, summary_, __VA_ARGS__),                                     \
        .inputs = in_ports,                                                                        \
        .outputs = out_ports,                                                                      \
        .input_count = 3,                                                                          \
        .output_count = 1,                                                                         \
        .infer = dense_infer,                                                                      \
        .forward = name_##_forward,                                                                \
        .vjp = name_##_vjp,                                                                        \
        .multiply_adds = dense_multiply_adds,                                                      \
        .samples = name_##_samples,                                                                \
        .sample_count = NM_COUNT_OF(name_##_samples),                                              \
    };

DENSE_OP(dense, "dense layer: product with weights, and bias", .spec = &dense_spec,
         .doc = "y = x w^T + b over the last axis of x.\n"
                "dx = dy w, dw = dy^T x, db = dy summed over the rows.")

DENSE_OP(dense_activation, "dense layer and activation in one", .spec = &nm_dense_activation_spec,
         .doc = "y = activation(x w^T + b) over the last axis of x.\n"
                "With dz = activation'(y) dy: dx = dz w, dw = dz^T x, db = dz summed over the "
                "rows.")

nm_tensor *nm_dense_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                         const nm_dense_options *o)
{
    return nm_apply3(tape, &nm_op_dense, o, x, w, b);
}

nm_tensor *nm_dense_activation_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                                    const nm_dense_activation_options *o)
{
    return nm_apply3(tape, &nm_op_dense_activation, o, x, w, b);
}
