/* Two-dimensional convolution (cross-correlation) and its two gradients. All three are linear in
 * each of their inputs, so each one's gradients are the other two:
 *
 *     y  = C(x, w)       dx = I(dy, w)      dw = W(x, dy)
 *     I's gradients: of dy, C(g, w); of w, W(g, dy)       for g of x's shape
 *     W's gradients: of x,  I(dy, g); of dy, C(x, g)      for g of w's shape
 *
 * The bias's gradient is the sum of dy over all places. Where w's is wanted too, one op computes
 * both, since a kernel that sees all of dy for the one can take the other along. For g of w's and h
 * of b's shape, its gradient of x is I(dy, g), and of dy C(x, g) + h. */
#include "ops/linear/conv2d.h"

#include "ops/define.h"
#include "ops/kernels/conv.h"
#include "ops/kernels/gemm.h"
#include "ops/linear.h"
#include "ops/narrow.h"
#include "ops/table.h"

/* The options of the gradients: conv2d's, and the size that the stride leaves open. */
typedef struct grad_options {
    nm_conv2d_options conv;
    nm_ints size;
} grad_options;

/* ---- Shapes ---- */

/* Item `i` of a list of one or two; what is to be taken for none. */
static int64_t pair_item(const nm_ints *list, int i, int64_t standard)
{
    return list->count == 0 ? standard : list->at[list->count == 1 ? 0 : i];
}

static nm_conv conv_of_options(const nm_conv2d_options *o)
{
    nm_conv c = {.groups = o->groups, .bf16 = o->precision == NM_PRECISION_BF16};
    for (int i = 0; i < 2; i++) {
        c.stride[i] = pair_item(&o->stride, i, 1);
        c.dilation[i] = pair_item(&o->dilation, i, 1);
    }
    return c;
}

/* What stands before is the convolution's padding; what behind follows from the sizes. */
static nm_sides take_sides(nm_conv *c, const nm_conv2d_options *o)
{
    const int64_t image[2] = {c->h, c->w}, kernel[2] = {c->kh, c->kw};
    int64_t reach[2];
    for (int i = 0; i < 2; i++) {
        if (__builtin_mul_overflow(kernel[i] - 1, c->dilation[i], &reach[i]) ||
            reach[i] > INT64_MAX / 4) {
            reach[i] = INT64_MAX / 4; /* fits nowhere */
        }
        reach[i] += 1;
    }
    const nm_sides s = nm_find_sides(&o->padding, image, reach, c->stride);
    c->padding[0] = s.before[0];
    c->padding[1] = s.before[1];
    return s;
}

static nm_conv make_conv(const nm_conv2d_options *o, const nm_shape *x, const nm_shape *w,
                         const nm_shape *y)
{
    nm_conv c = conv_of_options(o);
    c.n = x->dim[0], c.h = x->dim[1], c.w = x->dim[2], c.c = x->dim[3];
    c.o = w->dim[0], c.kh = w->dim[1], c.kw = w->dim[2];
    c.oh = y->dim[1], c.ow = y->dim[2];
    take_sides(&c, o);
    return c;
}

/* How many places a kernel has along one axis; 0 if it does not fit. Sizes may be anything: compare
 * first, multiply then. */
static int64_t places(const nm_conv *c, const nm_sides *s, int axis, int64_t size, int64_t kernel)
{
    int64_t last;
    if (__builtin_add_overflow(size, s->before[axis] + s->after[axis] - 1, &last) || kernel < 1 ||
        last < 0 || kernel - 1 > last / c->dilation[axis]) {
        return 0;
    }
    return (last - c->dilation[axis] * (kernel - 1)) / c->stride[axis] + 1;
}

static nm_status check_options(nm_infer *infer, const nm_conv2d_options *o)
{
    const nm_ints *lists[] = {&o->stride, &o->dilation};
    static const char *const names[] = {"stride", "dilation"};
    for (int i = 0; i < 2; i++) {
        if (lists[i]->count > 2) {
            return nm_infer_fail(infer, "%s takes one number, or two: vertical, horizontal",
                                 names[i]);
        }
    }
    return nm_check_sides(infer, &o->padding);
}

/* Checks x against w, and finds the shape of y. */
static nm_status check_fit(nm_infer *infer, const nm_conv2d_options *o, const nm_shape *x,
                           const nm_shape *w, nm_shape *y)
{
    char x_text[NM_SHAPE_TEXT], w_text[NM_SHAPE_TEXT];
    nm_shape_text(x, x_text);
    nm_shape_text(w, w_text);
    if (x->rank != 4 || w->rank != 4) {
        return nm_infer_fail(infer,
                             "x %s and w %s must be [n, h, w, channels] and [out, kh, kw, "
                             "channels / groups]",
                             x_text, w_text);
    }
    nm_conv c = conv_of_options(o);
    if (x->dim[3] % c.groups || w->dim[0] % c.groups || x->dim[3] / c.groups != w->dim[3]) {
        return nm_infer_fail(infer, "the channels do not fit: x %s, w %s, groups %lld", x_text,
                             w_text, (long long)c.groups);
    }
    c.h = x->dim[1], c.w = x->dim[2], c.kh = w->dim[1], c.kw = w->dim[2];
    const nm_sides s = take_sides(&c, o);
    int64_t oh = places(&c, &s, 0, c.h, c.kh), ow = places(&c, &s, 1, c.w, c.kw);
    if (oh < 1 || ow < 1) {
        return nm_infer_fail(infer,
                             "the kernel of w %s, with padding [%lld, %lld] and dilation "
                             "[%lld, %lld], does not fit into x %s; make it smaller, or pad more",
                             w_text, (long long)c.padding[0], (long long)c.padding[1],
                             (long long)c.dilation[0], (long long)c.dilation[1], x_text);
    }
    *y = (nm_shape){4, {x->dim[0], oh, ow, w->dim[0]}};
    return NM_OK;
}

nm_status nm_conv2d_check(nm_infer *infer, const nm_conv2d_options *o)
{
    const nm_shape *w = infer->in[1], *b = infer->in[2];
    nm_status status = check_options(infer, o);
    if (status == NM_OK) {
        status = check_fit(infer, o, infer->in[0], w, &infer->out[0]);
    }
    if (status == NM_OK && b && (b->rank != 1 || b->dim[0] != w->dim[0])) {
        char b_text[NM_SHAPE_TEXT], w_text[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "b %s does not fit w %s; it must be [out]",
                             nm_shape_text(b, b_text), nm_shape_text(w, w_text));
    }
    return status;
}

static nm_status conv2d_infer(nm_infer *infer)
{
    return nm_conv2d_check(infer, infer->options);
}

/* Checks that a convolution of x with w has dy's shape. */
static nm_status check_gradient(nm_infer *infer, const nm_shape *x, const nm_shape *w,
                                const nm_shape *dy)
{
    nm_shape y;
    nm_status status = check_fit(infer, infer->options, x, w, &y);
    if (status == NM_OK && !nm_shape_equal(&y, dy)) {
        char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "dy is %s, but the convolution gives %s", nm_shape_text(dy, a),
                             nm_shape_text(&y, b));
    }
    return status;
}

static nm_status grad_infer_begins(nm_infer *infer, int first, int second)
{
    const grad_options *o = infer->options;
    nm_status status = check_options(infer, &o->conv);
    if (status == NM_OK && (o->size.count < 1 || o->size.count > 2)) {
        return nm_infer_fail(infer, "size takes one number, or two: vertical, horizontal");
    }
    if (status == NM_OK && (infer->in[first]->rank != 4 || infer->in[second]->rank != 4)) {
        return nm_infer_fail(infer, "both inputs must have four axes");
    }
    return status;
}

static nm_status conv2d_input_grad_infer(nm_infer *infer)
{
    const grad_options *o = infer->options;
    nm_status status = grad_infer_begins(infer, 0, 1);
    if (status != NM_OK) {
        return status;
    }
    const nm_shape *dy = infer->in[0], *w = infer->in[1];
    int64_t channels;
    if (__builtin_mul_overflow(w->dim[3], o->conv.groups, &channels)) {
        return nm_infer_fail(infer, "there are too many groups: %lld", (long long)o->conv.groups);
    }
    infer->out[0] =
        (nm_shape){4, {dy->dim[0], pair_item(&o->size, 0, 0), pair_item(&o->size, 1, 0), channels}};
    return check_gradient(infer, &infer->out[0], w, dy);
}

static nm_status conv2d_weight_grad_infer(nm_infer *infer)
{
    const grad_options *o = infer->options;
    nm_status status = grad_infer_begins(infer, 0, 1);
    if (status != NM_OK) {
        return status;
    }
    const nm_shape *x = infer->in[0], *dy = infer->in[1];
    infer->out[0] = (nm_shape){4,
                               {dy->dim[3], pair_item(&o->size, 0, 0), pair_item(&o->size, 1, 0),
                                x->dim[3] / o->conv.groups}};
    infer->out[1] = (nm_shape){1, {dy->dim[3]}}; /* if there is one */
    return check_gradient(infer, x, &infer->out[0], dy);
}

/* Every output takes a kernel's worth of one group's channels; every dy gives it. */
int64_t nm_conv2d_multiply_adds(const nm_infer *infer)
{
    const nm_shape *w = infer->in[1];
    return nm_count_multiply_adds(&infer->out[0], w->dim[1] * w->dim[2] * w->dim[3]);
}

static int64_t conv2d_input_grad_multiply_adds(const nm_infer *infer)
{
    const nm_shape *w = infer->in[1];
    return nm_count_multiply_adds(infer->in[0], w->dim[1] * w->dim[2] * w->dim[3]);
}

static int64_t conv2d_weight_grad_multiply_adds(const nm_infer *infer)
{
    const nm_shape *w = &infer->out[0];
    return nm_count_multiply_adds(infer->in[1], w->dim[1] * w->dim[2] * w->dim[3]);
}

/* ---- Computation ---- */

nm_status nm_conv2d_compute(const nm_run *run, const nm_conv2d_options *o, nm_activation activation)
{
    nm_conv c = make_conv(o, nm_tensor_shape(run->in[0]), nm_tensor_shape(run->in[1]),
                          nm_tensor_shape(run->out[0]));
    c.x_is_bf16 = nm_tensor_dtype(run->in[0]) == NM_BF16;
    c.y_is_bf16 = nm_tensor_dtype(run->out[0]) == NM_BF16;
    return nm_conv_forward(run->context, run->dtype, &c, run->x[0], run->x[1], run->x[2],
                           activation, run->y[0]);
}

static nm_status conv2d_forward(const nm_run *run)
{
    return nm_conv2d_compute(run, run->options, NM_ACTIVATION_NONE);
}

static nm_status conv2d_input_grad_forward(const nm_run *run)
{
    nm_conv c = make_conv(run->options, nm_tensor_shape(run->out[0]), nm_tensor_shape(run->in[1]),
                          nm_tensor_shape(run->in[0]));
    return nm_conv_input_grad(run->context, run->dtype, &c, run->x[0], run->x[1], run->y[0]);
}

static nm_status conv2d_weight_grad_forward(const nm_run *run)
{
    nm_conv c = make_conv(run->options, nm_tensor_shape(run->in[0]), nm_tensor_shape(run->out[0]),
                          nm_tensor_shape(run->in[1]));
    c.x_is_bf16 = nm_tensor_dtype(run->in[0]) == NM_BF16;
    return nm_conv_weight_grad(run->context, run->dtype, &c, run->x[0], run->x[1], run->y[0],
                               run->outputs > 1 ? run->y[1] : NULL);
}

/* ---- Gradients ---- */

static grad_options options_of_size(const nm_conv2d_options *o, int64_t height, int64_t width)
{
    grad_options g = {.conv = *o, .size = NM_LIST_OF(2, height, width)};
    g.conv.struct_size = sizeof g;
    return g;
}

static grad_options options_of_gradient(const nm_conv2d_options *o, nm_tensor *like)
{
    const nm_shape *shape = nm_tensor_shape(like);
    return options_of_size(o, shape->dim[1], shape->dim[2]);
}

static nm_conv2d_options options_of_conv(const nm_vjp *v)
{
    nm_conv2d_options o = ((const grad_options *)v->options)->conv;
    o.struct_size = sizeof o;
    return o;
}

/* The gradient in an x like `like`. */
static nm_tensor *input_grad(const nm_vjp *v, const nm_conv2d_options *o, nm_tensor *dy,
                             nm_tensor *w, nm_tensor *like)
{
    grad_options g = options_of_gradient(o, like);
    return nm_apply2(v->tape, &nm_op_conv2d_input_grad, &g, dy, w);
}

/* The gradient in a w like `like`. */
static nm_tensor *weight_grad(const nm_vjp *v, const nm_conv2d_options *o, nm_tensor *x,
                              nm_tensor *dy, nm_tensor *like)
{
    grad_options g = options_of_gradient(o, like);
    return nm_apply2(v->tape, &nm_op_conv2d_weight_grad, &g, x, dy);
}

/* The gradients in w and b. */
static void parameter_grads(nm_vjp *v, const nm_conv2d_options *o, nm_tensor *dy)
{
    grad_options g = options_of_gradient(o, v->in[1]);
    nm_apply(v->tape, &nm_op_conv2d_parameter_grad,
             (nm_tensor *[]){nm_widened(v->tape, v->in[0]), dy}, 2, &g, v->gin + 1);
}

nm_tensor *nm_conv2d_gradient(nm_vjp *v, const nm_conv2d_options *o, nm_tensor *dy, int input)
{
    if (input > 0 && v->inputs > 2 && v->need[1] && v->need[2]) {
        parameter_grads(v, o, dy);
        return v->gin[input];
    }
    switch (input) {
    case 0: return input_grad(v, o, dy, v->in[1], v->in[0]);
    case 1: return weight_grad(v, o, nm_widened(v->tape, v->in[0]), dy, v->in[1]);
    default: return dy; /* summed over all but the channels by the engine */
    }
}

static nm_tensor *conv2d_vjp(nm_vjp *v, int input)
{
    return nm_conv2d_gradient(v, v->options, v->gout[0], input);
}

static nm_tensor *conv2d_input_grad_vjp(nm_vjp *v, int input)
{
    nm_conv2d_options o = options_of_conv(v);
    return input == 0 ? nm_conv2d_with(v->tape, v->gout[0], v->in[1], NULL, &o)
                      : weight_grad(v, &o, v->gout[0], v->in[0], v->in[1]);
}

static nm_tensor *conv2d_weight_grad_vjp(nm_vjp *v, int input)
{
    nm_conv2d_options o = options_of_conv(v);
    nm_tensor *g = nm_vjp_gout(v, 0), *h = v->outputs > 1 ? v->gout[1] : NULL;
    return input == 0 ? input_grad(v, &o, v->in[1], g, v->in[0])
                      : nm_conv2d_with(v->tape, v->in[0], g, h, &o);
}

/* ---- The ops ---- */

static const nm_sample conv2d_samples[] = {
    {.in = {NM_NORMAL(2, 4, 5, 2), NM_NORMAL(3, 3, 3, 2), NM_NORMAL(3)}},
    {.options = "{padding: 1, stride: 2}", .in = {NM_NORMAL(1, 5, 4, 2), NM_NORMAL(2, 3, 3, 2)}},
    {.options = "{padding: [1, 0], dilation: [2, 1], groups: 2}",
     .in = {NM_NORMAL(2, 4, 3, 4), NM_NORMAL(2, 3, 2, 2), NM_NORMAL(2)}},
};
static const nm_sample conv2d_input_grad_samples[] = {
    {.options = "{size: [4, 5]}", .in = {NM_NORMAL(2, 2, 3, 3), NM_NORMAL(3, 3, 3, 2)}},
    {.options = "{size: [5, 4], padding: 1, stride: 2}",
     .in = {NM_NORMAL(1, 3, 2, 2), NM_NORMAL(2, 3, 3, 2)}},
    {.options = "{size: [4, 3], padding: [1, 0], dilation: [2, 1], groups: 2}",
     .in = {NM_NORMAL(2, 2, 2, 2), NM_NORMAL(2, 3, 2, 2)}},
};
static const nm_sample conv2d_weight_grad_samples[] = {
    {.options = "{size: 3}", .in = {NM_NORMAL(2, 4, 5, 2), NM_NORMAL(2, 2, 3, 3)}},
    {.options = "{size: [3, 2], padding: [1, 0], dilation: [2, 1], groups: 2}",
     .in = {NM_NORMAL(2, 4, 3, 4), NM_NORMAL(2, 2, 2, 2)}},
};

static const nm_conv2d_options defaults = {NM_END(nm_conv2d_options), NM_CONV2D_DEFAULTS};
NM_OPTIONS_INIT(nm_conv2d_options, defaults)
static const nm_option options[] = {NM_CONV2D_ROWS(nm_conv2d_options)};
static const nm_spec spec = NM_SPEC(nm_conv2d_options, defaults, options);

static const grad_options grad_defaults = {.conv = {NM_END(grad_options), NM_CONV2D_DEFAULTS},
                                           .size = NM_NO_LIST};
static const nm_option grad_option_rows[] = {
    NM_CONV2D_ROWS(nm_conv2d_options),
    {NM_FIELD(grad_options, size), NM_OPTION_INTS,
     .doc = "height and width of the result, which the stride leaves open", .min = 1,
     .max = NM_NO_LIMIT, .flags = NM_REQUIRED},
};
static const nm_spec grad_spec = NM_SPEC(grad_options, grad_defaults, grad_option_rows);

#define X_PORT                                                                                     \
    {                                                                                              \
        .name = "x", .doc = "[n, h, w, channels]", .flags = NM_PORT_BF16                           \
    }
#define W_PORT                                                                                     \
    {                                                                                              \
        .name = "w", .doc = "[out, kh, kw, channels / groups]"                                     \
    }

const nm_port nm_conv2d_inputs[3] = {
    X_PORT, W_PORT, {.name = "b", .doc = "[out]: the bias", .flags = NM_PORT_OPTIONAL}};
const nm_port nm_conv2d_outputs[1] = {{.name = "y", .doc = "[n, oh, ow, out]"}};
#define DY_PORT                                                                                    \
    {                                                                                              \
        .name = "dy", .doc = "[n, oh, ow, out]: the gradient of y"                                 \
    }
static const nm_port input_grad_in[] = {DY_PORT, W_PORT};
static const nm_port input_grad_out[] = {{.name = "dx", .doc = "[n, h, w, channels]"}};
static const nm_port weight_grad_in[] = {X_PORT, DY_PORT};
static const nm_port weight_grad_out[] = {{.name = "dw", .doc = "[out, kh, kw, channels / groups]"},
                                          {.name = "db", .doc = "[out]"}};

const nm_op nm_op_conv2d = {
    .item =
        NM_ITEM(nm_op, "conv2d", "two-dimensional convolution", .spec = &spec,
                .doc = "y[n, i, j, o] = b[o] + sum over k, l, c of\n"
                       "    x[n, i stride + k dilation - padding, j stride + l dilation - "
                       "padding, c] w[o, k, l, c]\n"
                       "oh = (h + 2 padding - dilation (kh - 1) - 1) / stride + 1, rounded down; "
                       "ow likewise."),
    .inputs = nm_conv2d_inputs,
    .outputs = nm_conv2d_outputs,
    .input_count = 3,
    .output_count = 1,
    .infer = conv2d_infer,
    .forward = conv2d_forward,
    .vjp = conv2d_vjp,
    .multiply_adds = nm_conv2d_multiply_adds,
    .samples = conv2d_samples,
    .sample_count = NM_COUNT_OF(conv2d_samples),
};

const nm_op nm_op_conv2d_input_grad = {
    .item =
        NM_ITEM(nm_op, "conv2d_input_grad", "gradient of conv2d in its input", .spec = &grad_spec,
                .doc = "dx[n, h, w, c] = sum of dy[n, i, j, o] w[o, k, l, c] over the outputs "
                       "and taps that see x[n, h, w, c]: conv2d_transpose without a bias."),
    .inputs = input_grad_in,
    .outputs = input_grad_out,
    .input_count = 2,
    .output_count = 1,
    .infer = conv2d_input_grad_infer,
    .forward = conv2d_input_grad_forward,
    .vjp = conv2d_input_grad_vjp,
    .multiply_adds = conv2d_input_grad_multiply_adds,
    .samples = conv2d_input_grad_samples,
    .sample_count = NM_COUNT_OF(conv2d_input_grad_samples),
};

const nm_op nm_op_conv2d_weight_grad = {
    .item = NM_ITEM(nm_op, "conv2d_weight_grad", "gradient of conv2d in its weights",
                    .spec = &grad_spec,
                    .doc = "dw[o, k, l, c] = sum over n, i, j of dy[n, i, j, o] times the element "
                           "of x under that tap."),
    .inputs = weight_grad_in,
    .outputs = weight_grad_out,
    .input_count = 2,
    .output_count = 1,
    .infer = conv2d_weight_grad_infer,
    .forward = conv2d_weight_grad_forward,
    .vjp = conv2d_weight_grad_vjp,
    .multiply_adds = conv2d_weight_grad_multiply_adds,
    .samples = conv2d_weight_grad_samples,
    .sample_count = NM_COUNT_OF(conv2d_weight_grad_samples),
};

const nm_op nm_op_conv2d_parameter_grad = {
    .item = NM_ITEM(nm_op, "conv2d_parameter_grad", "gradients of conv2d in its weights and bias",
                    .spec = &grad_spec,
                    .doc = "dw as conv2d_weight_grad; db[o] = sum over n, i, j of dy[n, i, j, o]."),
    .inputs = weight_grad_in,
    .outputs = weight_grad_out,
    .input_count = 2,
    .output_count = 2,
    .infer = conv2d_weight_grad_infer,
    .forward = conv2d_weight_grad_forward,
    .vjp = conv2d_weight_grad_vjp,
    .multiply_adds = conv2d_weight_grad_multiply_adds,
    .samples = conv2d_weight_grad_samples,
    .sample_count = NM_COUNT_OF(conv2d_weight_grad_samples),
};

nm_tensor *nm_conv2d_with(nm_tape *tape, nm_tensor *x, nm_tensor *w, nm_tensor *b,
                          const nm_conv2d_options *o)
{
    return nm_apply3(tape, &nm_op_conv2d, o, x, w, b);
}

nm_tensor *nm_conv2d_input_grad(nm_tape *tape, nm_tensor *dy, nm_tensor *w,
                                const nm_conv2d_options *o, int64_t height, int64_t width)
{
    const grad_options g = options_of_size(o, height, width);
    return nm_apply2(tape, &nm_op_conv2d_input_grad, &g, dy, w);
}
