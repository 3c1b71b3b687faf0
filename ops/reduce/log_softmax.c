/* y = x - log(sum of e^x), along an axis: the logarithm of softmax, also where softmax underflows.
 */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/math.h"
#include "ops/kernels/simd.h"
#include "ops/reduce/lines.h"
#include "ops/reduce/side_by_side.h"
#include "ops/loss.h"
#include "ops/reduce/softmax.h"
#include "ops/table.h"

#define LOG_SOFTMAX_LINES(name, real)                                                              \
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
                sum += NM_EXP(x[i] - top);                                                         \
            }                                                                                      \
            const real log_sum = NM_LOG(sum);                                                      \
            NM_SIMD for (int64_t i = 0; i < n; i++)                                                \
            {                                                                                      \
                y[i] = (x[i] - top) - log_sum;                                                     \
            }                                                                                      \
        }                                                                                          \
    }

#define LOG_SOFTMAX_GRAD_LINES(name, real)                                                         \
    NM_KERNEL_##real static void name(const void *const *xs, void *ys, int64_t lines, int64_t n)   \
    {                                                                                              \
        const real *y = xs[0], *dy = xs[1];                                                        \
        real *dx = ys;                                                                             \
        for (int64_t line = 0; line < lines; line++, y += n, dy += n, dx += n) {                   \
            real sum = 0;                                                                          \
            NM_SIMD_SUM(sum) for (int64_t i = 0; i < n; i++)                                       \
            {                                                                                      \
                sum += dy[i];                                                                      \
            }                                                                                      \
            NM_SIMD for (int64_t i = 0; i < n; i++)                                                \
            {                                                                                      \
                dx[i] = dy[i] - NM_EXP(y[i]) * sum;                                                \
            }                                                                                      \
        }                                                                                          \
    }

LOG_SOFTMAX_LINES(log_softmax_f32, float)
LOG_SOFTMAX_LINES(log_softmax_f64, double)

static void log_softmax_row(const float *x, int64_t n, const nm_side_by_side *group, int64_t i,
                            float *y)
{
    const float log_sum = NM_LOG(group->sum[i]);
    for (int64_t k = 0; k < n; k++) {
        y[k] = (x[k] - group->top[i]) - log_sum;
    }
}

static void log_softmax_lines(const void *const *xs, void *ys, int64_t lines, int64_t n)
{
    if (n <= NM_SIDE_MOST) {
        nm_rows_side_by_side(xs[0], ys, lines, n, log_softmax_row);
    } else {
        log_softmax_f32(xs, ys, lines, n);
    }
}

LOG_SOFTMAX_GRAD_LINES(log_softmax_grad_f32, float)
LOG_SOFTMAX_GRAD_LINES(log_softmax_grad_f64, double)

static nm_status log_softmax_forward(const nm_run *run)
{
    const int axis = nm_softmax_axis(run->options, nm_tensor_shape(run->in[0]));
    return nm_along_lines(run, axis, log_softmax_lines, log_softmax_f64);
}

static nm_status log_softmax_grad_forward(const nm_run *run)
{
    const int axis = nm_softmax_axis(run->options, nm_tensor_shape(run->in[0]));
    return nm_along_lines(run, axis, log_softmax_grad_f32, log_softmax_grad_f64);
}

static nm_tensor *log_softmax_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_apply2(v->tape, &nm_op_log_softmax_grad, v->options, v->out[0], v->gout[0]);
}

/* dx = dy - e^y s, s = sum of dy. With the gradient u of dx and w = u e^y:
 * of dy: u - sum of w; of y: -w s. */
static nm_tensor *log_softmax_grad_vjp(nm_vjp *v, int input)
{
    nm_tape *tape = v->tape;
    nm_tensor *y = v->in[0], *dy = v->in[1], *u = v->gout[0];
    const int axis = nm_softmax_axis(v->options, nm_tensor_shape(y));
    nm_tensor *w = nm_mul(tape, u, nm_exp(tape, y));
    if (input == 1) {
        return nm_sub(tape, u, nm_sum_of_lines(tape, w, axis));
    }
    return nm_neg(tape, nm_mul(tape, w, nm_sum_of_lines(tape, dy, axis)));
}

static const nm_sample log_softmax_samples[] = {
    {.in = {NM_NORMAL(3, 5)}},
    {.options = "{axis: 0}", .in = {NM_NORMAL(3, 4)}},
    {.options = "{axis: 1}", .in = {NM_NORMAL(2, 3, 2)}},
};
static const nm_sample log_softmax_grad_samples[] = {
    {.in = {NM_UNIFORM(-3, 0, 3, 5), NM_NORMAL(3, 5)}},
    {.options = "{axis: 1}", .in = {NM_UNIFORM(-3, 0, 2, 3, 2), NM_NORMAL(2, 3, 2)}},
};

NM_OP(log_softmax, nm_port_x, nm_port_y, nm_softmax_infer, 0, "logarithm of softmax",
      .spec = &nm_softmax_spec,
      .doc = "y = x - log(sum of e^x) along the axis.\ndx = dy - e^y * sum of dy.")

NM_OP(log_softmax_grad, nm_softmax_grad_ports, nm_port_y, nm_softmax_infer, 0,
      "gradient of log_softmax", .spec = &nm_softmax_spec,
      .doc = "dx = dy - e^y * sum of dy along the axis.")

nm_tensor *nm_log_softmax_with(nm_tape *tape, nm_tensor *x, const nm_softmax_options *o)
{
    return nm_apply1(tape, &nm_op_log_softmax, o, x);
}
