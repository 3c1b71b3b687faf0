/* Sums of all that stands before, along an axis. f32 is summed in double. */
#include "core/thread.h"
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/kernel.h"
#include "ops/reduce/axes.h"
#include "ops/table.h"

#define WIDTH 256   /* lines side by side, */
#define COLUMNS 8   /* where each is in one piece */
#define GRAIN 65536 /* elements that are worth a thread */

/* x and y [outer, n, inner]; lines side by side: of the inner axis, or, where it is 1, of the
 * outer.
 */
typedef struct work {
    const void *x;
    void *y;
    int64_t n, inner;
    bool exclusive, reverse;
} work;

/* Each line's sum goes on by one element, which y may take the place of. */
#define SUM(name, type)                                                                            \
    NM_KERNEL_##type static void name##_row(const type *x, type *y, double *sum, int64_t width,    \
                                            bool exclusive)                                        \
    {                                                                                              \
        double before[WIDTH];                                                                      \
        const double *result = exclusive ? before : sum;                                           \
        NM_SIMD for (int64_t j = 0; j < width; j++)                                                \
        {                                                                                          \
            before[j] = sum[j];                                                                    \
            sum[j] += (double)x[j];                                                                \
        }                                                                                          \
        NM_SIMD for (int64_t j = 0; j < width; j++)                                                \
        {                                                                                          \
            y[j] = (type)result[j];                                                                \
        }                                                                                          \
    }                                                                                              \
    static void name##_column(const type *x, type *y, double *sum, int64_t width, int64_t n,       \
                              bool exclusive)                                                      \
    {                                                                                              \
        for (int64_t j = 0; j < width; j++) {                                                      \
            const double before = sum[j], after = before + (double)x[j * n];                       \
            sum[j] = after;                                                                        \
            y[j * n] = (type)(exclusive ? before : after);                                         \
        }                                                                                          \
    }                                                                                              \
    static void name##_block(const work *w, int64_t at, int64_t width)                             \
    {                                                                                              \
        double sum[WIDTH] = {0};                                                                   \
        for (int64_t k = 0; k < w->n; k++) {                                                       \
            const int64_t place = at + (w->reverse ? w->n - 1 - k : k) * w->inner;                 \
            const type *x = (const type *)w->x + place;                                            \
            type *y = (type *)w->y + place;                                                        \
            if (w->inner > 1) {                                                                    \
                name##_row(x, y, sum, width, w->exclusive);                                        \
            } else {                                                                               \
                name##_column(x, y, sum, width, w->n, w->exclusive);                               \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void name(void *arg, int64_t begin, int64_t end)                                        \
    {                                                                                              \
        const work *w = arg;                                                                       \
        const int64_t together = w->inner > 1 ? 1 : COLUMNS;                                       \
        for (int64_t o = begin; o < end; o += together) {                                          \
            const int64_t lines = w->inner > 1 ? w->inner : end - o < COLUMNS ? end - o : COLUMNS; \
            for (int64_t i = 0; i < lines; i += WIDTH) {                                           \
                name##_block(w, o * w->n * w->inner + i, lines - i < WIDTH ? lines - i : WIDTH);   \
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
