/* Sums of all that stands before, along an axis. f32 is summed in double. */
#include "core/thread.h"
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/reduce/axes.h"
#include "ops/table.h"

#define WIDTH 64    /* lines side by side */
#define GRAIN 65536 /* elements that are worth a thread */

/* x and y [outer, n, inner] */
typedef struct work {
    const void *x;
    void *y;
    int64_t n, inner;
    bool exclusive, reverse;
} work;

#define SUM(name, type)                                                                            \
    static void name##_block(const work *w, int64_t at, int64_t width)                             \
    {                                                                                              \
        double sum[WIDTH] = {0};                                                                   \
        const int64_t step = w->reverse ? -w->inner : w->inner;                                    \
        at += w->reverse ? (w->n - 1) * w->inner : 0;                                              \
        for (int64_t k = 0; k < w->n; k++, at += step) {                                           \
            const type *x = (const type *)w->x + at;                                               \
            type *y = (type *)w->y + at;                                                           \
            for (int64_t j = 0; j < width; j++) {                                                  \
                const double before = sum[j];                                                      \
                sum[j] += x[j];                                                                    \
                y[j] = (type)(w->exclusive ? before : sum[j]);                                     \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void name(void *arg, int64_t begin, int64_t end)                                        \
    {                                                                                              \
        const work *w = arg;                                                                       \
        for (int64_t o = begin; o < end; o++) {                                                    \
            for (int64_t i = 0; i < w->inner; i += WIDTH) {                                        \
                const int64_t left = w->inner - i;                                                 \
                name##_block(w, o * w->n * w->inner + i, left < WIDTH ? left : WIDTH);             \
            }                                                                                      \
        }                                                                                          \
    }
SUM(sum_f32, float)
SUM(sum_f64, double)

static nm_status cumsum_infer(nm_infer *infer)
{
    const nm_cumsum_options *o = infer->options;
    char text[NM_SHAPE_TEXT];
    infer->out[0] = *infer->in[0];
    return nm_axis_of(infer->in[0], o->axis) >= 0
               ? NM_OK
               : nm_infer_fail(infer, "x %s has no axis %lld", nm_shape_text(infer->in[0], text),
                               (long long)o->axis);
}

static nm_status cumsum_forward(const nm_run *run)
{
    const nm_cumsum_options *o = run->options;
    const nm_shape *shape = nm_tensor_shape(run->in[0]);
    const int axis = nm_axis_of(shape, o->axis);
    work w = {run->x[0], run->y[0], 1, 1, o->exclusive, o->reverse};
    int64_t outer = 1;
    for (int d = 0; d < shape->rank; d++) {
        *(d == axis ? &w.n : d < axis ? &outer : &w.inner) *= shape->dim[d];
    }
    if (nm_tensor_count(run->out[0])) {
        nm_parallel(run->context, outer, GRAIN / (w.n * w.inner) + 1,
                    run->dtype == NM_F64 ? sum_f64 : sum_f32, &w);
    }
    return NM_OK;
}

/* The other way round. */
static nm_tensor *cumsum_vjp(nm_vjp *v, int input)
{
    (void)input;
    nm_cumsum_options o = *(const nm_cumsum_options *)v->options;
    o.reverse = !o.reverse;
    return nm_cumsum_with(v->tape, v->gout[0], &o);
}

static const nm_sample cumsum_samples[] = {
    {.in = {NM_NORMAL(5, 3)}},
    {.options = "{axis: -1, exclusive: true}", .in = {NM_NORMAL(2, 5)}},
    {.options = "{axis: 1, reverse: true}", .in = {NM_NORMAL(2, 4, 3)}},
};

static const nm_cumsum_options defaults = {NM_END(nm_cumsum_options), NM_CUMSUM_DEFAULTS};
NM_OPTIONS_INIT(nm_cumsum_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_cumsum_options, axis), NM_OPTION_INT, .also = "dim",
     .doc = "the axis to sum along; a negative one counts from the end"},
    {NM_FIELD(nm_cumsum_options, exclusive), NM_OPTION_BOOL,
     .doc = "without the element itself: the first sum is 0"},
    {NM_FIELD(nm_cumsum_options, reverse), NM_OPTION_BOOL, .doc = "from the end on"},
};
static const nm_spec spec = NM_SPEC(nm_cumsum_options, defaults, options);

NM_OP(cumsum, nm_port_x, nm_port_y, cumsum_infer, NM_OP_IN_PLACE, "running sum along an axis",
      .spec = &spec,
      .doc = "y = the sum of x from the beginning of the axis up to each element.\n"
             "dx = the running sum of dy from the end.")

nm_tensor *nm_cumsum_with(nm_tape *tape, nm_tensor *x, const nm_cumsum_options *o)
{
    return nm_apply1(tape, &nm_op_cumsum, o, x);
}
