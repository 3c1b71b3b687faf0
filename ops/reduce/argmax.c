/* Where the largest and the smallest elements stand. */
#include <string.h>

#include "core/thread.h"
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/kernel.h"
#include "ops/reduce/axes.h"
#include "ops/table.h"

#define WIDTH 512 /* lines side by side */
#define LANES 16  /* parts of a line that lies in one piece, side by side */

/* x [outer, n, inner]; y [outer, inner]. */
typedef struct work {
    const void *x;
    int32_t *y;
    int64_t n, inner;
} work;

/* NaN compares with nothing. */
#define IS_LARGER(a, b) (!((a) <= (b)) & ((b) == (b)))
#define IS_SAME(a, b) (((a) == (b)) | (((a) != (a)) & ((b) != (b))))

/* Of several the first. NaN is larger than any number, as in PyTorch and NumPy. */
#define FIND(name, type)                                                                           \
    static void name##_block(const type *x, int32_t *y, int64_t n, int64_t inner, int64_t width)   \
    {                                                                                              \
        type best[WIDTH];                                                                          \
        memcpy(best, x, (size_t)width * sizeof *x);                                                \
        memset(y, 0, (size_t)width * sizeof *y);                                                   \
        for (int64_t k = 1; k < n; k++) {                                                          \
            const type *row = x + k * inner;                                                       \
            NM_SIMD for (int64_t j = 0; j < width; j++)                                            \
            {                                                                                      \
                const bool wins = IS_LARGER(row[j], best[j]);                                      \
                best[j] = wins ? row[j] : best[j];                                                 \
                y[j] = wins ? (int32_t)k : y[j];                                                   \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static int32_t name##_in_line(const type *x, int64_t n)                                        \
    {                                                                                              \
        int32_t at[LANES];                                                                         \
        const int64_t rows = n / LANES;                                                            \
        int64_t best = 0;                                                                          \
        if (rows) {                                                                                \
            name##_block(x, at, rows, LANES, LANES);                                               \
        }                                                                                          \
        for (int64_t j = 0; rows && j < LANES; j++) {                                              \
            const int64_t k = at[j] * (int64_t)LANES + j;                                          \
            best = IS_LARGER(x[k], x[best]) || (k < best && IS_SAME(x[k], x[best])) ? k : best;    \
        }                                                                                          \
        for (int64_t k = rows * LANES; k < n; k++) {                                               \
            best = IS_LARGER(x[k], x[best]) ? k : best;                                            \
        }                                                                                          \
        return (int32_t)best;                                                                      \
    }                                                                                              \
    static void name(void *arg, int64_t begin, int64_t end)                                        \
    {                                                                                              \
        const work *w = arg;                                                                       \
        for (int64_t o = begin; o < end; o++) {                                                    \
            if (w->inner == 1) {                                                                   \
                w->y[o] = name##_in_line((const type *)w->x + o * w->n, w->n);                     \
            }                                                                                      \
            for (int64_t i = 0; i < w->inner && w->inner > 1; i += WIDTH) {                        \
                const int64_t left = w->inner - i;                                                 \
                name##_block((const type *)w->x + o * w->n * w->inner + i,                         \
                             w->y + o * w->inner + i, w->n, w->inner,                              \
                             left < WIDTH ? left : WIDTH);                                         \
            }                                                                                      \
        }                                                                                          \
    }
FIND(find_f32, float)
FIND(find_f64, double)

/* The axis, or -1 for all elements as one line. */
static int axis_of(const void *options, const nm_shape *shape)
{
    const int64_t axis = ((const nm_argmax_options *)options)->axis;
    return axis == NM_ARG_ALL || shape->rank == 0 ? -1 : nm_shape_axis(shape, axis);
}

static nm_status argmax_infer(nm_infer *infer)
{
    const nm_argmax_options *o = infer->options;
    const nm_shape *in = infer->in[0];
    char text[NM_SHAPE_TEXT];
    const bool all = o->axis == NM_ARG_ALL;
    if (!all && nm_axis_of(in, o->axis) < 0) {
        return nm_infer_fail(infer, "x %s has no axis %lld", nm_shape_text(in, text),
                             (long long)o->axis);
    }
    const unsigned gone = all ? ~0u : 1u << nm_axis_of(in, o->axis);
    infer->out[0] = o->keepdims ? nm_axes_kept(in, gone) : nm_axes_left(in, gone);
    if (nm_shape_count(in) == 0 && nm_shape_count(infer->out) != 0) {
        return nm_infer_fail(infer, "x %s has nothing to choose from", nm_shape_text(in, text));
    }
    return NM_OK;
}

#define GRAIN 65536 /* elements that are worth a thread */

static nm_status argmax_forward(const nm_run *run)
{
    const nm_shape *shape = nm_tensor_shape(run->in[0]);
    const int axis = axis_of(run->options, shape);
    work w = {.x = run->x[0], .y = run->y[0], .n = 1, .inner = 1};
    int64_t outer = 1;
    for (int d = 0; d < shape->rank; d++) {
        *(axis < 0 || d == axis ? &w.n : d < axis ? &outer : &w.inner) *= shape->dim[d];
    }
    if (nm_tensor_count(run->out[0])) {
        nm_parallel(run->context, outer, GRAIN / (w.n * w.inner) + 1,
                    run->dtype == NM_F64 ? find_f64 : find_f32, &w);
    }
    return NM_OK;
}
#define argmax_vjp NULL

static nm_tensor *argmin_compose(nm_compose *c)
{
    return nm_apply1(c->tape, &nm_op_argmax, c->options, nm_neg(c->tape, c->in[0]));
}

static const nm_sample argmax_samples[] = {
    {.in = {NM_DISTINCT(3, 4)}},
    {.options = "{axis: 0}", .in = {NM_DISTINCT(3, 4)}},
    {.options = "{axis: 1, keepdims: true}", .in = {NM_DISTINCT(2, 3, 4)}},
};
#define argmin_samples argmax_samples

static const nm_argmax_options defaults = {NM_END(nm_argmax_options), NM_ARGMAX_DEFAULTS};
NM_OPTIONS_INIT(nm_argmax_options, defaults)
static const nm_named_value axis_names[] = {{"all", NM_ARG_ALL}, {NULL, 0}};
static const nm_option options[] = {
    {NM_FIELD(nm_argmax_options, axis), NM_OPTION_INT, .named = axis_names,
     .doc = "the axis that goes; all: the place is that among all elements in order"},
    {NM_FIELD(nm_argmax_options, keepdims), NM_OPTION_BOOL,
     .doc = "leave the axes that go, with length 1"},
};
static const nm_spec spec = NM_SPEC(nm_argmax_options, defaults, options);
static const nm_port y_port[] = {{.name = "y",
                                  .doc = "i32: places from 0 on; x's shape without the axis",
                                  .type = NM_PORT_INDEX}};

NM_OP(argmax, nm_port_x, y_port, argmax_infer, NM_OP_NO_VJP, "where the largest element stands",
      .spec = &spec,
      .doc = "y = the index of the largest element along the axis, of several the first; NaN is\n"
             "the largest. No gradient.")
NM_COMPOSED_OP(
    argmin, nm_port_x, y_port, NM_OP_NO_VJP, "where the smallest element stands", .spec = &spec,
    .doc = "y = the index of the smallest element along the axis, of several the first;\n"
           "NaN is the smallest. No gradient.")

nm_tensor *nm_argmax_with(nm_tape *tape, nm_tensor *x, const nm_argmax_options *o)
{
    return nm_apply1(tape, &nm_op_argmax, o, x);
}

nm_tensor *nm_argmin_with(nm_tape *tape, nm_tensor *x, const nm_argmax_options *o)
{
    return nm_apply1(tape, &nm_op_argmin, o, x);
}
