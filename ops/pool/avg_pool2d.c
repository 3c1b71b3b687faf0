/* The mean under a window. It is linear, so its gradient's gradient is the pooling itself. */
#include "core/thread.h"
#include "ops/kernels/kernel.h"
#include "ops/pool/pool2d.h"
#include "ops/table.h"

typedef struct work {
    nm_pool pool;
    const void *x;
    void *y;
} work;

#include "ops/kernels/of_float.h"
#include "ops/pool/avg_pool2d_loops.h"
#include "ops/kernels/of_double.h"
#include "ops/pool/avg_pool2d_loops.h"

static nm_status avg_pool2d_infer(nm_infer *infer)
{
    nm_pool p;
    nm_status status = nm_pool_infer(infer, infer->options, infer->in[0], &p);
    if (status == NM_OK && p.dilated) {
        return nm_infer_fail(infer, "a mean has no dilation");
    }
    if (status == NM_OK) {
        infer->out[0] = nm_pool_output(&p);
    }
    return status;
}

static nm_status avg_pool2d_forward(const nm_run *run)
{
    work t = {nm_pool_make(run->options, nm_tensor_shape(run->in[0]), nm_tensor_shape(run->out[0])),
              run->x[0], run->y[0]};
    nm_parallel(run->context, t.pool.n * t.pool.oh, nm_pool_grain(nm_pool_row_work(&t.pool)),
                run->dtype == NM_F64 ? forward_f64 : forward_f32, &t);
    return NM_OK;
}

static nm_tensor *avg_pool2d_vjp(nm_vjp *v, int input)
{
    nm_pool2d_grad_options g = nm_pool_grad_options(v->options, v->in[input]);
    return nm_apply1(v->tape, &nm_op_avg_pool2d_grad, &g, v->gout[0]);
}

static nm_status avg_pool2d_grad_infer(nm_infer *infer)
{
    nm_pool p;
    nm_status status = nm_pool_infer_grad(infer, &p);
    if (status == NM_OK) {
        infer->out[0] = nm_pool_input(&p);
    }
    return status;
}

static nm_status avg_pool2d_grad_forward(const nm_run *run)
{
    const nm_pool2d_grad_options *o = run->options;
    work t = {nm_pool_make(&o->pool, nm_tensor_shape(run->out[0]), nm_tensor_shape(run->in[0])),
              run->x[0], run->y[0]};
    nm_parallel(run->context, t.pool.n, nm_pool_grain(nm_pool_image_work(&t.pool)),
                run->dtype == NM_F64 ? backward_f64 : backward_f32, &t);
    return NM_OK;
}

static nm_tensor *avg_pool2d_grad_vjp(nm_vjp *v, int input)
{
    (void)input;
    nm_pool2d_options o = nm_pool_plain_options(v->options);
    return nm_avg_pool2d_with(v->tape, v->gout[0], &o);
}

static const nm_sample avg_pool2d_samples[] = {
    {.options = "{kernel: 2}", .in = {NM_NORMAL(2, 4, 5, 2)}},
    {.options = "{kernel: 3, stride: 2, padding: 1}", .in = {NM_NORMAL(1, 5, 4, 3)}},
    {.options = "{kernel: 3, stride: 2, padding: 1, count_include_pad: false}",
     .in = {NM_NORMAL(1, 5, 4, 3)}},
    {.options = "{global: true}", .in = {NM_NORMAL(2, 3, 2, 2)}},
    {.options = "{kernel: 3, stride: 2, padding: [1, 0, 0, 1], ceil_mode: true}",
     .in = {NM_NORMAL(1, 5, 4, 2)}},
};
static const nm_sample avg_pool2d_grad_samples[] = {
    {.options = "{kernel: 2, size: [4, 5]}", .in = {NM_NORMAL(2, 2, 2, 2)}},
    {.options = "{kernel: 3, stride: 2, padding: 1, size: [5, 4]}", .in = {NM_NORMAL(1, 3, 2, 3)}},
    {.options = "{kernel: 3, stride: 2, padding: 1, size: [5, 4], count_include_pad: false}",
     .in = {NM_NORMAL(1, 3, 2, 3)}},
    {.options = "{global: true, size: [2, 3]}", .in = {NM_NORMAL(2, 1, 1, 2)}},
};

static const nm_port x_port[] = {{.name = "x", .doc = "[n, h, w, channels]"}};
static const nm_port y_port[] = {{.name = "y", .doc = "[n, oh, ow, channels]"}};
static const nm_port dy_port[] = {{.name = "dy", .doc = "[n, oh, ow, channels]"}};
static const nm_port dx_port[] = {{.name = "dx", .doc = "[n, h, w, channels]"}};

NM_OP(avg_pool2d, x_port, y_port, avg_pool2d_infer, 0, "mean under a window",
      .spec = &nm_pool2d_spec,
      .doc = "y[n, i, j, c] = the mean of x[n, k, l, c] with (k, l) in window (i, j).\n"
             "oh = (h + padding - kernel) / stride + 1 with the padding of both sides, rounded\n"
             "down (up by ceil_mode); ow likewise. What a window has outside of the padding does\n"
             "not count.")

NM_OP(avg_pool2d_grad, dy_port, dx_port, avg_pool2d_grad_infer, 0, "gradient of avg_pool2d",
      .spec = &nm_pool2d_grad_spec,
      .doc = "dx[n, k, l, c] = the sum of dy[n, i, j, c] / places(i, j) over the windows that hold "
             "(k, l).")

nm_tensor *nm_avg_pool2d_with(nm_tape *tape, nm_tensor *x, const nm_pool2d_options *o)
{
    return nm_apply1(tape, &nm_op_avg_pool2d, o, x);
}
