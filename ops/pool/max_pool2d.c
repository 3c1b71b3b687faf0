/* The largest value under a window. The op also says where it was (a hidden output), so that its
 * gradient, a scatter to those places, and the gradient of that, a gather from them, need not look
 * again. The first of several largest wins; a NaN wins over all. */
#include <stdatomic.h>

#include "core/thread.h"
#include "ops/kernels/math.h"
#include "ops/kernels/simd.h"
#include "ops/pool/pool2d.h"
#include "ops/table.h"

typedef struct work {
    nm_pool pool;
    const void *x;
    void *y;
    const int32_t *index;
    int32_t *found;        /* the index that is computed */
    atomic_bool outside;   /* an index is not in the image */
    atomic_bool elsewhere; /* or in another window than its own */
} work;

/* The candidate's turn: it is larger, or the first NaN. */
#define TAKE(candidate, at)                                                                        \
    do {                                                                                           \
        const bool better =                                                                        \
            (candidate) > largest || ((candidate) != (candidate) && largest == largest);           \
        largest = better ? (candidate) : largest;                                                  \
        where = better ? (at) : where;                                                             \
    } while (0)

/* Places must lie in the image: the indices are an input that anybody may give. */
NM_KERNEL static bool all_below(const int32_t *index, int64_t count, uint32_t places)
{
    uint32_t largest = 0;
    NM_SIMD_MAX(largest) for (int64_t i = 0; i < count; i++)
    {
        const uint32_t place = (uint32_t)index[i]; /* a negative one is a large one */
        largest = place > largest ? place : largest;
    }
    return largest < places || count == 0;
}

static bool check_range(work *t, int64_t begin, int64_t end)
{
    bool inside = all_below(t->index + begin, end - begin, (uint32_t)(t->pool.h * t->pool.w));
    if (!inside) {
        atomic_store(&t->outside, true);
    }
    return inside;
}

#include "ops/kernels/of_float.h"
#include "ops/pool/max_pool2d_loops.h"
#include "ops/kernels/of_double.h"
#include "ops/pool/max_pool2d_loops.h"

/* ---- max_pool2d ---- */

/* Every place of an image must have an i32. */
static nm_status check_places(const nm_infer *infer, const nm_pool *p)
{
    if (p->h > INT32_MAX / p->w) {
        return nm_infer_fail(infer,
                             "an image of %lld by %lld is too large: it has more places "
                             "than an index counts",
                             (long long)p->h, (long long)p->w);
    }
    return NM_OK;
}

static nm_status max_pool2d_infer(nm_infer *infer)
{
    nm_pool p;
    nm_status status = nm_pool_infer(infer, infer->options, infer->in[0], &p);
    status = status == NM_OK ? check_places(infer, &p) : status;
    if (status == NM_OK) {
        infer->out[0] = infer->out[1] = nm_pool_output(&p);
    }
    return status;
}

static nm_status max_pool2d_forward(const nm_run *run)
{
    work t = {.pool = nm_pool_make(run->options, nm_tensor_shape(run->in[0]),
                                   nm_tensor_shape(run->out[0])),
              .x = run->x[0],
              .y = run->y[0],
              .found = run->y[1]};
    nm_parallel(run->context, t.pool.n * t.pool.oh, nm_pool_grain(nm_pool_row_work(&t.pool)),
                run->dtype == NM_F64 ? rows_f64 : rows_f32, &t);
    return NM_OK;
}

static nm_tensor *max_pool2d_vjp(nm_vjp *v, int input)
{
    nm_pool2d_grad_options g = nm_pool_grad_options(v->options, v->in[input]);
    return nm_apply2(v->tape, &nm_op_max_pool2d_grad, &g, v->gout[0], v->out[1]);
}

/* ---- Its gradient, and that one's ---- */

/* `pieces` of so much work each: images, or rows of windows. */
static nm_status run_pieces(const nm_run *run, work *t, int64_t pieces, double piece, nm_range_fn f)
{
    if (nm_tensor_dtype(run->in[1]) != NM_I32) {
        return nm_run_fail(run, NM_ERROR_INPUT, "index must be i32");
    }
    nm_parallel(run->context, pieces, nm_pool_grain(piece), f, t);
    return !atomic_load(&t->outside)
               ? NM_OK
               : nm_run_fail(run, NM_ERROR_INPUT,
                             "an index lies outside of the image of %lld by %lld",
                             (long long)t->pool.h, (long long)t->pool.w);
}

static work work_of(const nm_run *run, nm_pool p)
{
    return (work){.pool = p, .x = run->x[0], .y = run->y[0], .index = run->x[1]};
}

static nm_status max_pool2d_grad_infer(nm_infer *infer)
{
    nm_pool p;
    nm_status status = nm_pool_infer_grad(infer, &p);
    status = status == NM_OK ? check_places(infer, &p) : status;
    if (status == NM_OK && !nm_shape_equal(infer->in[0], infer->in[1])) {
        return nm_infer_fail(infer, "index must have the shape of dy");
    }
    if (status == NM_OK) {
        infer->out[0] = nm_pool_input(&p);
    }
    return status;
}

static bool overlap(const nm_pool *p)
{
    return p->stride[0] != p->kernel[0] || p->stride[1] != p->kernel[1] || p->padding[0] ||
           p->padding[1] || p->dilated || p->oh * p->kernel[0] > p->h ||
           p->ow * p->kernel[1] > p->w;
}

/* max_pool2d's own indices lie in their windows. Others may come, and then everything is scattered.
 */
static nm_status max_pool2d_grad_forward(const nm_run *run)
{
    const nm_pool2d_grad_options *o = run->options;
    nm_pool p = nm_pool_make(&o->pool, nm_tensor_shape(run->out[0]), nm_tensor_shape(run->in[0]));
    work t = work_of(run, p);
    const bool wide = run->dtype == NM_F64;
    nm_status status = NM_OK;
    t.elsewhere = overlap(&p);
    if (!t.elsewhere) {
        status =
            run_pieces(run, &t, p.n * p.oh, nm_pool_row_work(&p), wide ? spread_f64 : spread_f32);
    }
    if (status == NM_OK && t.elsewhere) {
        status = run_pieces(run, &t, p.n, nm_pool_image_work(&p), wide ? scatter_f64 : scatter_f32);
    }
    return status;
}

static nm_tensor *max_pool2d_grad_vjp(nm_vjp *v, int input)
{
    (void)input;
    nm_pool2d_options o = nm_pool_plain_options(v->options);
    return nm_apply2(v->tape, &nm_op_max_pool2d_gather, &o, v->gout[0], v->in[1]);
}

static nm_status max_pool2d_gather_infer(nm_infer *infer)
{
    nm_pool p;
    nm_status status = nm_pool_infer(infer, infer->options, infer->in[0], &p);
    status = status == NM_OK ? check_places(infer, &p) : status;
    nm_shape y = status == NM_OK ? nm_pool_output(&p) : NM_SCALAR_SHAPE;
    if (status == NM_OK && !nm_shape_equal(&y, infer->in[1])) {
        char text[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "index must have the shape of the pooled x, %s",
                             nm_shape_text(&y, text));
    }
    infer->out[0] = y;
    return status;
}

static nm_status max_pool2d_gather_forward(const nm_run *run)
{
    nm_pool p =
        nm_pool_make(run->options, nm_tensor_shape(run->in[0]), nm_tensor_shape(run->out[0]));
    work t = work_of(run, p);
    return run_pieces(run, &t, p.n, nm_pool_image_work(&p),
                      run->dtype == NM_F64 ? gather_f64 : gather_f32);
}

static nm_tensor *max_pool2d_gather_vjp(nm_vjp *v, int input)
{
    nm_pool2d_grad_options g = nm_pool_grad_options(v->options, v->in[input]);
    return nm_apply2(v->tape, &nm_op_max_pool2d_grad, &g, v->gout[0], v->in[1]);
}

/* ---- The ops ---- */

static const nm_sample max_pool2d_samples[] = {
    {.options = "{kernel: 2}", .in = {NM_DISTINCT(2, 4, 5, 2)}},
    {.options = "{kernel: [3, 2], stride: [2, 1], padding: [1, 0]}",
     .in = {NM_DISTINCT(1, 5, 4, 3)}},
    {.options = "{global: true}", .in = {NM_DISTINCT(2, 3, 2, 2)}},
    {.options = "{kernel: 2, ceil_mode: true}", .in = {NM_DISTINCT(1, 3, 5, 2)}},
    {.options = "{kernel: 2, stride: 1, dilation: 2, padding: [0, 1, 1, 0]}",
     .in = {NM_DISTINCT(1, 4, 5, 2)}},
};
static const nm_sample max_pool2d_grad_samples[] = {
    {.options = "{kernel: 2, size: [4, 5]}",
     .in = {NM_NORMAL(2, 2, 2, 2), NM_INDEX(20, 2, 2, 2, 2)}},
    {.options = "{kernel: 2, stride: 1, size: 3}",
     .in = {NM_NORMAL(1, 2, 2, 3), NM_INDEX(9, 1, 2, 2, 3)}},
};
static const nm_sample max_pool2d_gather_samples[] = {
    {.options = "{kernel: 2}", .in = {NM_NORMAL(2, 4, 5, 2), NM_INDEX(20, 2, 2, 2, 2)}},
};

static const nm_port x_port[] = {{.name = "x", .doc = "[n, h, w, channels]"}};
static const nm_port out_ports[] = {{.name = "y", .doc = "[n, oh, ow, channels]"},
                                    {.name = "index",
                                     .doc = "where it was: row * w + column",
                                     .type = NM_PORT_INDEX,
                                     .flags = NM_PORT_HIDDEN}};
#define INDEX_PORT                                                                                 \
    {                                                                                              \
        .name = "index", .doc = "places in the image: row * w + column", .type = NM_PORT_INDEX     \
    }
static const nm_port grad_in[] = {{.name = "dy", .doc = "[n, oh, ow, channels]"}, INDEX_PORT};
static const nm_port grad_out[] = {{.name = "dx", .doc = "[n, h, w, channels]"}};
static const nm_port gather_in[] = {{.name = "x", .doc = "[n, h, w, channels]"}, INDEX_PORT};
static const nm_port gather_out[] = {{.name = "y", .doc = "[n, oh, ow, channels]"}};

const nm_op nm_op_max_pool2d = {
    .item = NM_ITEM(
        nm_op, "max_pool2d", "largest value under a window", .spec = &nm_pool2d_spec,
        .doc = "y[n, i, j, c] = the largest x[n, k, l, c] with (k, l) in window (i, j).\n"
               "oh = (h + padding - dilation (kernel - 1) - 1) / stride + 1 with the padding\n"
               "of both sides, rounded down (up by ceil_mode); ow likewise.\n"
               "The first of several largest gets the gradient; a NaN wins."),
    .inputs = x_port,
    .outputs = out_ports,
    .input_count = 1,
    .output_count = 2,
    .infer = max_pool2d_infer,
    .forward = max_pool2d_forward,
    .vjp = max_pool2d_vjp,
    .samples = max_pool2d_samples,
    .sample_count = NM_COUNT_OF(max_pool2d_samples),
};

NM_OP(max_pool2d_grad, grad_in, grad_out, max_pool2d_grad_infer, 0, "gradient of max_pool2d",
      .spec = &nm_pool2d_grad_spec,
      .doc = "dx = 0, but for dx[n, index, c], to which dy of that place is added.")

NM_OP(max_pool2d_gather, gather_in, gather_out, max_pool2d_gather_infer, 0,
      "values at the places that max_pool2d chose", .spec = &nm_pool2d_spec,
      .doc = "y[n, i, j, c] = x[n, index[n, i, j, c], c]. The gradient of max_pool2d_grad.")

nm_tensor *nm_max_pool2d_with(nm_tape *tape, nm_tensor *x, const nm_pool2d_options *o)
{
    return nm_apply1(tape, &nm_op_max_pool2d, o, x);
}
