/* y = (x - t)^2, its mean or its sum. */
#include "core/thread.h"
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/simd.h"
#include "ops/loss.h"
#include "ops/table.h"

#define CHUNK 1024 /* elements summed in their own type; chunks are summed in double, in order */
#define GRAIN 16   /* chunks that are worth a thread */

static int reduction_of(const void *options)
{
    return ((const nm_mse_options *)options)->reduction;
}

static nm_status mse_infer(nm_infer *infer)
{
    nm_status status = nm_infer_same(infer);
    if (status == NM_OK && reduction_of(infer->options) != NM_LOSS_NONE) {
        infer->out[0] = NM_SCALAR_SHAPE;
    }
    return status;
}

typedef struct work {
    const void *x, *t;
    void *y;      /* unreduced */
    double *sums; /* reduced: of the chunks */
    int64_t count;
} work;

#define MSE_LOOPS(suffix, real)                                                                    \
    NM_KERNEL_##real static double sum_errors_##suffix(const real *x, const real *t, int64_t n)    \
    {                                                                                              \
        real sum = 0;                                                                              \
        NM_SIMD_SUM(sum) for (int64_t i = 0; i < n; i++)                                           \
        {                                                                                          \
            const real d = x[i] - t[i];                                                            \
            sum += d * d;                                                                          \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
    NM_KERNEL_##real static void square_##suffix(const real *x, const real *t, real *y, int64_t n) \
    {                                                                                              \
        NM_SIMD for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                          \
            const real d = x[i] - t[i];                                                            \
            y[i] = d * d;                                                                          \
        }                                                                                          \
    }                                                                                              \
    static void run_##suffix(void *arg, int64_t begin, int64_t end)                                \
    {                                                                                              \
        const work *w = arg;                                                                       \
        for (int64_t i = begin; i < end; i++) {                                                    \
            const int64_t at = i * CHUNK, n = w->count - at < CHUNK ? w->count - at : CHUNK;       \
            const real *x = (const real *)w->x + at, *t = (const real *)w->t + at;                 \
            if (w->y) {                                                                            \
                square_##suffix(x, t, (real *)w->y + at, n);                                       \
            } else {                                                                               \
                w->sums[i] = sum_errors_##suffix(x, t, n);                                         \
            }                                                                                      \
        }                                                                                          \
    }
MSE_LOOPS(f32, float)
MSE_LOOPS(f64, double)

static nm_status reduce(const nm_run *run, const work *w, int64_t chunks)
{
    double sum = 0;
    for (int64_t i = 0; i < chunks; i++) {
        sum += w->sums[i];
    }
    const bool mean = reduction_of(run->options) == NM_LOSS_MEAN && w->count;
    return nm_tensor_set(run->out[0], 0, mean ? sum / (double)w->count : sum);
}

static nm_status mse_forward(const nm_run *run)
{
    work w = {.x = run->x[0], .t = run->x[1], .count = nm_tensor_count(run->in[0])};
    const int64_t chunks = (w.count + CHUNK - 1) / CHUNK;
    const nm_range_fn body = run->dtype == NM_F64 ? run_f64 : run_f32;
    if (reduction_of(run->options) == NM_LOSS_NONE) {
        w.y = run->y[0];
        nm_parallel(run->context, chunks, GRAIN, body, &w);
        return NM_OK;
    }
    w.sums = nm_scratch(run->context, (size_t)chunks * sizeof *w.sums + 1);
    if (!w.sums) {
        return NM_ERROR_MEMORY;
    }
    nm_parallel(run->context, chunks, GRAIN, body, &w);
    nm_status status = reduce(run, &w, chunks);
    nm_scratch_end(w.sums);
    return status;
}

/* dx = 2 (x - t) dy, over the number of elements for the mean; dt = -dx. */
static nm_tensor *mse_vjp(nm_vjp *v, int input)
{
    const int64_t count = nm_tensor_count(v->in[0]);
    const bool mean = reduction_of(v->options) == NM_LOSS_MEAN && count;
    const double factor = (input == 0 ? 2 : -2) / (mean ? (double)count : 1);
    nm_tensor *difference = nm_sub(v->tape, v->in[0], v->in[1]);
    return nm_mul(v->tape, difference, nm_affine(v->tape, v->gout[0], factor, 0));
}

static const nm_mse_options defaults = {NM_MSE_DEFAULTS, NM_END(nm_mse_options)};
NM_OPTIONS_INIT(nm_mse_options, defaults)
static const char *const reductions[] = {"mean", "sum", "none", NULL};
static const nm_option options[] = {
    {NM_FIELD(nm_mse_options, reduction), NM_OPTION_ENUM, .names = reductions,
     .doc = "the mean, the sum, or every element's square"},
};
static const nm_spec spec = NM_SPEC(nm_mse_options, defaults, options);

static const nm_port mse_inputs[2] = {{.name = "x", .doc = "any shape"},
                                      {.name = "target", .doc = "x's shape"}};
static const nm_port mse_outputs[1] = {{.name = "loss", .doc = "[], or x's shape unreduced"}};
static const nm_sample mse_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(3, 4)}},
    {.options = "{reduction: sum}", .in = {NM_NORMAL(5), NM_NORMAL(5)}},
    {.options = "{reduction: none}", .in = {NM_NORMAL(2, 3), NM_NORMAL(2, 3)}},
};

NM_OP(mse, mse_inputs, mse_outputs, mse_infer, 0, "mean squared error", .spec = &spec,
      .doc =
          "loss = (x - target)^2: the mean over all elements (of none: 0), their sum, or all of\n"
          "them. Nothing is broadcast. dx = 2 * (x - target) * dy / count, dtarget = -dx.")

nm_tensor *nm_mse_with(nm_tape *tape, nm_tensor *x, nm_tensor *target, const nm_mse_options *o)
{
    return nm_apply2(tape, &nm_op_mse, o, x, target);
}
