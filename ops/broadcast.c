/* sum_to and broadcast_to, each the gradient of the other. The backward pass uses sum_to to give a
 * gradient the shape its input had before it was broadcast. */
#include <string.h>

#include "core/thread.h"
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/table.h"

static nm_shape wanted_shape(const void *options)
{
    const nm_shape_options *o = options;
    nm_shape shape = {.rank = o->shape.count};
    for (int i = 0; i < shape.rank && i < NM_MAX_RANK; i++) {
        shape.dim[i] = o->shape.at[i];
    }
    return shape;
}

/* Whether `small` broadcasts to exactly `large`. */
static bool broadcasts_to(const nm_shape *small, const nm_shape *large)
{
    nm_shape result;
    return small->rank <= NM_MAX_RANK && large->rank <= NM_MAX_RANK &&
           nm_shape_broadcast(small, large, &result) && nm_shape_equal(&result, large);
}

static nm_status check_fit(nm_infer *infer, const nm_shape *small, const nm_shape *large)
{
    infer->out[0] = wanted_shape(infer->options);
    if (!broadcasts_to(small, large)) {
        char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "%s does not broadcast to %s", nm_shape_text(small, a),
                             nm_shape_text(large, b));
    }
    return NM_OK;
}

/* ---- broadcast_to ---- */

static nm_status broadcast_to_infer(nm_infer *infer)
{
    nm_shape shape = wanted_shape(infer->options);
    return check_fit(infer, infer->in[0], &shape);
}

NM_UNARY_ROW(copy_f32, float, x)
NM_UNARY_ROW(copy_f64, double, x)

#define FILL_ROW(name, type, copy)                                                                 \
    static void name(const void *options, const void *const *xs, const int *step, void *ys,        \
                     int64_t n)                                                                    \
    {                                                                                              \
        if (step[0]) {                                                                             \
            copy(options, xs, step, ys, n);                                                        \
            return;                                                                                \
        }                                                                                          \
        const type x = *(const type *)xs[0];                                                       \
        type *y = ys;                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                          \
            y[i] = x;                                                                              \
        }                                                                                          \
    }
FILL_ROW(broadcast_f32, float, copy_f32)
FILL_ROW(broadcast_f64, double, copy_f64)

static nm_status broadcast_to_forward(const nm_run *run)
{
    return nm_elementwise(run, broadcast_f32, broadcast_f64);
}

static nm_tensor *broadcast_to_vjp(nm_vjp *v, int input)
{
    return nm_sum_to(v->tape, v->gout[0], *nm_tensor_shape(v->in[input]));
}

/* ---- sum_to: over groups of dimensions that are alternately kept and summed ---- */

/* A dimension of x: its length, and the stride in y (0: summed). Neighbours of one kind merged. */
typedef struct group {
    int64_t length, stride;
} group;

typedef struct sum_plan {
    const nm_run *run;
    group groups[NM_MAX_RANK];
    int count;
} sum_plan;

static void make_groups(sum_plan *p, const nm_shape *in, const nm_shape *out)
{
    int64_t stride = 1, strides[NM_MAX_RANK];
    for (int d = in->rank - 1; d >= 0; d--) {
        int k = d - (in->rank - out->rank);
        int64_t dim = k >= 0 ? out->dim[k] : 1;
        strides[d] = dim == 1 ? 0 : stride;
        stride *= dim;
    }
    for (int d = 0; d < in->rank; d++) {
        group *last = p->count ? &p->groups[p->count - 1] : NULL;
        if (in->dim[d] == 1) {
            continue;
        }
        if (last && (last->stride ? last->stride == in->dim[d] * strides[d] : !strides[d])) {
            last->length *= in->dim[d];
            last->stride = strides[d];
        } else {
            p->groups[p->count++] = (group){in->dim[d], strides[d]};
        }
    }
}

/* Sums of long rows are pairwise, so their error grows with the logarithm of the length. */
#define SUM_FUNCTIONS(type, suffix)                                                                \
    static type sum_row_##suffix(const type *x, int64_t n)                                         \
    {                                                                                              \
        if (n > 256) {                                                                             \
            int64_t half = n / 2 & ~(int64_t)127;                                                  \
            return sum_row_##suffix(x, half) + sum_row_##suffix(x + half, n - half);               \
        }                                                                                          \
        type sum = 0;                                                                              \
        _Pragma("omp simd reduction(+ : sum)") for (int64_t i = 0; i < n; i++)                     \
        {                                                                                          \
            sum += x[i];                                                                           \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
    static void add_row_##suffix(const type *x, type *y, int64_t n)                                \
    {                                                                                              \
        NM_SIMD for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                          \
            y[i] += x[i];                                                                          \
        }                                                                                          \
    }                                                                                              \
    static void sum_groups_##suffix(const group *g, int count, const type *x, type *y)             \
    {                                                                                              \
        if (count == 0) {                                                                          \
            *y += *x;                                                                              \
        } else if (count == 1 && g->stride) {                                                      \
            add_row_##suffix(x, y, g->length);                                                     \
        } else if (count == 1) {                                                                   \
            *y += sum_row_##suffix(x, g->length);                                                  \
        } else {                                                                                   \
            int64_t size = 1;                                                                      \
            for (int i = 1; i < count; i++) {                                                      \
                size *= g[i].length;                                                               \
            }                                                                                      \
            for (int64_t i = 0; i < g->length; i++) {                                              \
                sum_groups_##suffix(g + 1, count - 1, x + i * size, y + i * g->stride);            \
            }                                                                                      \
        }                                                                                          \
    }
SUM_FUNCTIONS(float, f32)
SUM_FUNCTIONS(double, f64)

static nm_status sum_to_infer(nm_infer *infer)
{
    nm_shape shape = wanted_shape(infer->options);
    return check_fit(infer, &shape, infer->in[0]);
}

static nm_status sum_to_forward(const nm_run *run)
{
    sum_plan p = {.run = run};
    make_groups(&p, nm_tensor_shape(run->in[0]), nm_tensor_shape(run->out[0]));
    memset(run->y[0], 0, nm_tensor_bytes(run->out[0]));
    if (nm_tensor_count(run->in[0]) == 0) {
        return NM_OK;
    }
    if (run->dtype == NM_F64) {
        sum_groups_f64(p.groups, p.count, run->x[0], run->y[0]);
    } else {
        sum_groups_f32(p.groups, p.count, run->x[0], run->y[0]);
    }
    return NM_OK;
}

static nm_tensor *sum_to_vjp(nm_vjp *v, int input)
{
    return nm_broadcast_to(v->tape, v->gout[0], *nm_tensor_shape(v->in[input]));
}

/* ---- The ops ---- */

static const nm_shape_options defaults = {.struct_size = sizeof(nm_shape_options)};
static const nm_option options[] = {
    {NM_FIELD(nm_shape_options, shape), NM_OPTION_INTS, .doc = "the shape of the result", .min = 0,
     .max = NM_NO_LIMIT, .flags = NM_REQUIRED},
};
static const nm_spec spec = {.name = "nm_shape_options",
                             .size = sizeof(nm_shape_options),
                             .defaults = &defaults,
                             .options = options,
                             .count = NM_COUNT_OF(options)};

static const nm_port result_port[1] = {{.name = "y", .doc = "the shape given"}};

static const nm_sample sum_to_samples[] = {
    {.options = "{shape: [4]}", .in = {NM_NORMAL(2, 3, 4)}},
    {.options = "{shape: [3, 1]}", .in = {NM_NORMAL(2, 3, 4)}},
    {.options = "{shape: []}", .in = {NM_NORMAL(2, 3)}},
    {.options = "{shape: [2, 1, 2, 1]}", .in = {NM_NORMAL(2, 3, 2, 3)}},
};
static const nm_sample broadcast_to_samples[] = {
    {.options = "{shape: [2, 3, 4]}", .in = {NM_NORMAL(4)}},
    {.options = "{shape: [2, 3, 4]}", .in = {NM_NORMAL(3, 1)}},
    {.options = "{shape: [3]}", .in = {NM_SCALAR_NORMAL}},
};

const nm_op nm_op_sum_to = {
    .item = NM_ITEM(nm_op, "sum_to", "sum over broadcast axes", .spec = &spec,
                    .doc = "y = x summed over the axes along which the shape broadcasts to x's.\n"
                           "dx = dy, broadcast back."),
    .inputs = nm_port_x,
    .outputs = result_port,
    .input_count = 1,
    .output_count = 1,
    .infer = sum_to_infer,
    .forward = sum_to_forward,
    .vjp = sum_to_vjp,
    .samples = sum_to_samples,
    .sample_count = NM_COUNT_OF(sum_to_samples),
};

const nm_op nm_op_broadcast_to = {
    .item = NM_ITEM(nm_op, "broadcast_to", "repetition along broadcast axes", .spec = &spec,
                    .doc = "y = x repeated to the shape, by NumPy's rule.\n"
                           "dx = dy, summed over the repeated axes."),
    .inputs = nm_port_x,
    .outputs = result_port,
    .input_count = 1,
    .output_count = 1,
    .infer = broadcast_to_infer,
    .forward = broadcast_to_forward,
    .vjp = broadcast_to_vjp,
    .samples = broadcast_to_samples,
    .sample_count = NM_COUNT_OF(broadcast_to_samples),
};

static nm_shape_options options_of(const nm_shape *shape)
{
    nm_shape_options o = {.struct_size = sizeof o, .shape = {.count = shape->rank}};
    memcpy(o.shape.at, shape->dim, sizeof shape->dim);
    return o;
}

nm_tensor *nm_sum_to(nm_tape *tape, nm_tensor *x, nm_shape shape)
{
    nm_shape_options o = options_of(&shape);
    return nm_apply1(tape, &nm_op_sum_to, &o, x);
}

nm_tensor *nm_broadcast_to(nm_tape *tape, nm_tensor *x, nm_shape shape)
{
    nm_shape_options o = options_of(&shape);
    return nm_apply1(tape, &nm_op_broadcast_to, &o, x);
}
