/* y = e^x / sum of e^x, along an axis. The largest element is subtracted first: no overflow, and at
 * least one term of the sum is 1. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/math.h"
#include "ops/kernels/simd.h"
#include "ops/reduce/axes.h"
#include "ops/reduce/lines.h"
#include "ops/reduce/side_by_side.h"
#include "ops/loss.h"
#include "ops/reduce/softmax.h"
#include "ops/table.h"

int nm_softmax_axis(const void *options, const nm_shape *shape)
{
    return nm_shape_axis(shape, ((const nm_softmax_options *)options)->axis);
}

nm_status nm_softmax_infer(nm_infer *infer)
{
    const nm_softmax_options *o = infer->options;
    char text[NM_SHAPE_TEXT];
    return nm_axis_of(infer->in[0], o->axis) >= 0
               ? nm_infer_same(infer)
               : nm_infer_fail(infer, "%s %s has no axis %lld", infer->op->inputs[0].name,
                               nm_shape_text(infer->in[0], text), (long long)o->axis);
}

#define SOFTMAX_LINES(name, real)                                                                  \
    NM_KERNEL_##real static void name(const void *const *xs, void *ys, int64_t lines, int64_t n)   \
    {                                                                                              \
        const real *x = xs[0];                                                                     \
        real *y = ys;                                                                              \
        for (int64_t line = 0; line < lines; line++, x += n, y += n) {                             \
            real top = x[0], sum = 0;                                                              \
            NM_SIMD_MAX(top) for (int64_t i = 0; i < n; i++)                                       \
            {                                                                                      \
                top = x[i] > top ? x[i] : top;                                                     \
            }                                                                                      \
            NM_SIMD_SUM(sum) for (int64_t i = 0; i < n; i++)                                       \
            {                                                                                      \
                y[i] = NM_EXP(x[i] - top);                                                         \
                sum += y[i];                                                                       \
            }                                                                                      \
            NM_SIMD for (int64_t i = 0; i < n; i++)                                                \
            {                                                                                      \
                y[i] /= sum;                                                                       \
            }                                                                                      \
        }                                                                                          \
    }

#define SOFTMAX_GRAD_LINES(name, real)                                                             \
    NM_KERNEL_##real static void name(const void *const *xs, void *ys, int64_t lines, int64_t n)   \
    {                                                                                              \
        const real *y = xs[0], *dy = xs[1];                                                        \
        real *dx = ys;                                                                             \
        for (int64_t line = 0; line < lines; line++, y += n, dy += n, dx += n) {                   \
            real sum = 0;                                                                          \
            NM_SIMD_SUM(sum) for (int64_t i = 0; i < n; i++)                                       \
            {                                                                                      \
                sum += y[i] * dy[i];                                                               \
            }                                                                                      \
            NM_SIMD for (int64_t i = 0; i < n; i++)                                                \
            {                                                                                      \
                dx[i] = y[i] * (dy[i] - sum);                                                      \
            }                                                                                      \
        }                                                                                          \
    }

SOFTMAX_LINES(softmax_f32, float)
SOFTMAX_LINES(softmax_f64, double)

static void softmax_row(const float *x, int64_t n, const nm_side_by_side *group, int64_t i,
                        float *y)
{
    (void)x;
    for (int64_t k = 0; k < n; k++) {
        y[k] = group->e[k][i] / group->sum[i];
    }
}

static void softmax_lines(const void *const *xs, void *ys, int64_t lines, int64_t n)
{
    if (n <= NM_SIDE_MOST) {
        nm_rows_side_by_side(xs[0], ys, lines, n, softmax_row);
    } else {
        softmax_f32(xs, ys, lines, n);
    }
}

SOFTMAX_GRAD_LINES(softmax_grad_f32, float)
SOFTMAX_GRAD_LINES(softmax_grad_f64, double)

static nm_status softmax_forward(const nm_run *run)
{
    const int axis = nm_softmax_axis(run->options, nm_tensor_shape(run->in[0]));
    return nm_along_lines(run, axis, softmax_lines, softmax_f64);
}

static nm_status softmax_grad_forward(const nm_run *run)
{
    const int axis = nm_softmax_axis(run->options, nm_tensor_shape(run->in[0]));
    return nm_along_lines(run, axis, softmax_grad_f32, softmax_grad_f64);
}

static nm_tensor *softmax_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_apply2(v->tape, &nm_op_softmax_grad, v->options, v->out[0], v->gout[0]);
}

/* dx = y (dy - s), s = sum of y dy. With the gradient u of dx and t = sum of y u:
 * of dy: y (u - t), the same function; of y: u (dy - s) - t dy. */
static nm_tensor *softmax_grad_vjp(nm_vjp *v, int input)
{
    nm_tape *tape = v->tape;
    nm_tensor *y = v->in[0], *dy = v->in[1], *u = v->gout[0];
    const int axis = nm_softmax_axis(v->options, nm_tensor_shape(y));
    if (input == 1) {
        return nm_apply2(tape, &nm_op_softmax_grad, v->options, y, u);
    }
    nm_tensor *s = nm_sum_of_lines(tape, nm_mul(tape, y, dy), axis);
    nm_tensor *t = nm_sum_of_lines(tape, nm_mul(tape, y, u), axis);
    return nm_sub(tape, nm_mul(tape, u, nm_sub(tape, dy, s)), nm_mul(tape, t, dy));
}

static const nm_softmax_options defaults = {NM_SOFTMAX_DEFAULTS, NM_END(nm_softmax_options)};
NM_OPTIONS_INIT(nm_softmax_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_softmax_options, axis), NM_OPTION_INT,
     .doc = "the axis along which the results sum to 1; negative counts from the end"},
};
const nm_spec nm_softmax_spec = NM_SPEC(nm_softmax_options, defaults, options);
const nm_port nm_softmax_grad_ports[2] = {{.name = "y", .doc = "the output"},
                                          {.name = "dy", .doc = "its gradient, of y's shape"}};

static const nm_sample softmax_samples[] = {
    {.in = {NM_NORMAL(3, 5)}},
    {.options = "{axis: 0}", .in = {NM_NORMAL(3, 4)}},
    {.options = "{axis: 1}", .in = {NM_NORMAL(2, 3, 2)}},
};
static const nm_sample softmax_grad_samples[] = {
    {.in = {NM_UNIFORM(0, 1, 3, 5), NM_NORMAL(3, 5)}},
    {.options = "{axis: 1}", .in = {NM_UNIFORM(0, 1, 2, 3, 2), NM_NORMAL(2, 3, 2)}},
};

NM_OP(softmax, nm_port_x, nm_port_y, nm_softmax_infer, 0, "softmax along an axis",
      .spec = &nm_softmax_spec,
      .doc = "y = e^x / sum of e^x along the axis.\ndx = y * (dy - sum of y * dy).")

NM_OP(softmax_grad, nm_softmax_grad_ports, nm_port_y, nm_softmax_infer, 0, "gradient of softmax",
      .spec = &nm_softmax_spec, .doc = "dx = y * (dy - sum of y * dy) along the axis.")

nm_tensor *nm_softmax_with(nm_tape *tape, nm_tensor *x, const nm_softmax_options *o)
{
    return nm_apply1(tape, &nm_op_softmax, o, x);
}
