/* The cross entropy of softmax(logits) against labels. For a row x of K classes with label t,
 *
 *     loss = -sum over k of target_k log_softmax(x)_k
 *     target_k = w_k ((1 - e) [k = t] + e / K),   e = label_smoothing
 *
 * with a weight w_k of each class, or 1. Rows whose label is ignore_index count for nothing,
 * whatever their logits hold; the mean is that of the others, divided by their sum of w_t. Nothing
 * is saved for the gradient, softmax(x) sum(target) - target: it takes one more exponential an
 * element, and the memory of the logits stays free. */
#include <inttypes.h>

#include "core/thread.h"
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/math.h"
#include "ops/kernels/simd.h"
#include "ops/reduce/lines.h"
#include "ops/reduce/side_by_side.h"
#include "ops/loss.h"
#include "ops/table.h"

#define GRAIN 4096 /* elements that are worth a thread */

enum { LOGITS, LABELS, CLASS_WEIGHT, INPUTS };
enum { DY = 2, GRAD_CLASS_WEIGHT, GRAD_INPUTS };
enum { DLOGITS, WEIGHT, GRAD_OUTPUTS };

/* ---- Shape rules ---- */

static nm_status check_labels_shape(const nm_infer *infer, nm_shape *rows)
{
    const nm_shape *logits = infer->in[LOGITS], *labels = infer->in[LABELS];
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT], c[NM_SHAPE_TEXT];
    if (logits->rank < 1) {
        return nm_infer_fail(infer, "logits must be [..., classes], not a single number");
    }
    *rows = *logits;
    rows->rank--;
    rows->dim[rows->rank] = 0;
    if (!nm_shape_equal(rows, labels)) {
        return nm_infer_fail(infer, "labels %s must be %s: one for each row of logits %s",
                             nm_shape_text(labels, a), nm_shape_text(rows, b),
                             nm_shape_text(logits, c));
    }
    return NM_OK;
}

/* `weight` is NULL, or [classes]. */
static nm_status check_weight_shape(const nm_infer *infer, const nm_shape *weight)
{
    const nm_shape *logits = infer->in[LOGITS];
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (!weight || (weight->rank == 1 && weight->dim[0] == logits->dim[logits->rank - 1])) {
        return NM_OK;
    }
    return nm_infer_fail(infer, "weight %s must have one number for each class of logits %s",
                         nm_shape_text(weight, a), nm_shape_text(logits, b));
}

static bool is_reduced(const void *options)
{
    return ((const nm_cross_entropy_options *)options)->reduction != NM_LOSS_NONE;
}

static nm_status cross_entropy_infer(nm_infer *infer)
{
    nm_shape rows;
    nm_status status = check_labels_shape(infer, &rows);
    if (status == NM_OK) {
        status = check_weight_shape(infer, infer->in[CLASS_WEIGHT]);
    }
    if (status == NM_OK) {
        infer->out[0] = is_reduced(infer->options) ? NM_SCALAR_SHAPE : rows;
    }
    return status;
}

static nm_status cross_entropy_grad_infer(nm_infer *infer)
{
    nm_shape rows;
    nm_status status = check_labels_shape(infer, &rows);
    if (status == NM_OK) {
        status = check_weight_shape(infer, infer->in[GRAD_CLASS_WEIGHT]);
    }
    if (status != NM_OK) {
        return status;
    }
    const nm_shape wanted = is_reduced(infer->options) ? NM_SCALAR_SHAPE : rows;
    if (!nm_shape_equal(infer->in[DY], &wanted)) {
        char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "dy %s must be %s, the shape of the loss",
                             nm_shape_text(infer->in[DY], a), nm_shape_text(&wanted, b));
    }
    infer->out[DLOGITS] = infer->out[WEIGHT] = *infer->in[LOGITS];
    infer->out[WEIGHT].dim[rows.rank] = 1;
    return NM_OK;
}

/* ---- Labels ---- */

typedef struct rows {
    const void *logits, *labels;
    nm_dtype label_type;
    int64_t count, classes;
    double smoothing;
    double share; /* of it, for each class */
    int64_t ignored;
    const void *class_weight; /* [classes]; NULL: 1 */
    double weight_sum;        /* of the classes' weights */
    double counted;           /* weights of the labels of rows that are not ignored */
    double *losses;           /* forward: of every row */
    const void *dy;           /* gradient: one number, or one a row */
    void *dlogits;
    void *weights;
    double weight; /* of a row that counts: 1, or 1 / counted */
    bool dy_rows;
} rows;

static int64_t label_at(const rows *r, int64_t row)
{
    switch (r->label_type) {
    case NM_I64: return ((const int64_t *)r->labels)[row];
    case NM_U8: return ((const uint8_t *)r->labels)[row];
    default: return ((const int32_t *)r->labels)[row];
    }
}

static double class_weight(const nm_run *run, const rows *r, int64_t label)
{
    const void *w = r->class_weight;
    return run->dtype == NM_F64 ? ((const double *)w)[label] : (double)((const float *)w)[label];
}

static void sum_weights(const nm_run *run, rows *r)
{
    for (int64_t k = 0; r->class_weight && k < r->classes; k++) {
        r->weight_sum += class_weight(run, r, k);
    }
}

/* Checks and counts the labels. */
static nm_status read_labels(const nm_run *run, rows *r)
{
    int64_t plain = 0;
    double weighed = 0;
    for (int64_t i = 0; i < r->count; i++) {
        const int64_t label = label_at(r, i);
        if (label == r->ignored) {
            continue;
        }
        if (label < 0 || label >= r->classes) {
            return nm_run_fail(run, NM_ERROR_INPUT,
                               "label %" PRId64 " in row %" PRId64 " is out of range: logits have "
                               "%" PRId64 " classes, from 0, and ignore_index is %" PRId64,
                               label, i, r->classes, r->ignored);
        }
        plain++;
        if (r->class_weight) {
            weighed += class_weight(run, r, label);
        }
    }
    r->counted = r->class_weight ? weighed : (double)plain;
    return NM_OK;
}

/* `weights`: which input has those of the classes. */
static nm_status rows_of(const nm_run *run, int weights, rows *r)
{
    const nm_cross_entropy_options *o = run->options;
    const nm_shape *shape = nm_tensor_shape(run->in[LOGITS]);
    *r = (rows){.logits = run->x[LOGITS],
                .labels = run->x[LABELS],
                .label_type = nm_tensor_dtype(run->in[LABELS]),
                .count = nm_tensor_count(run->in[LABELS]),
                .classes = shape->dim[shape->rank - 1],
                .smoothing = o->label_smoothing,
                .share = o->label_smoothing / (double)shape->dim[shape->rank - 1],
                .class_weight = run->x[weights],
                .ignored = o->ignore_index};
    sum_weights(run, r);
    nm_status status = read_labels(run, r);
    const bool mean = o->reduction == NM_LOSS_MEAN;
    r->weight = !mean ? 1 : r->counted > 0 ? 1 / r->counted : 0;
    return status;
}

static void share(const nm_run *run, rows *r, nm_range_fn f32, nm_range_fn f64)
{
    const int64_t grain = (GRAIN + r->classes) / (r->classes + 1);
    nm_parallel(run->context, r->count, grain, run->dtype == NM_F64 ? f64 : f32, r);
}

/* ---- Computation ---- */

/* Before row i of a range: the group that begins with it. Returns the row's place there, or -1
 * where rows are computed one by one. */
static int64_t place_among_few(const rows *r, size_t real, int64_t begin, int64_t end, int64_t i,
                               nm_side_by_side *group)
{
    const int64_t n = r->classes, left = end - i, at = (i - begin) % NM_SIDE_ROWS;
    if (real != sizeof(float) || n < 1 || n > NM_SIDE_MOST) {
        return -1;
    }
    if (at == 0) {
        nm_exp_side_by_side((const float *)r->logits + i * n, n,
                            left < NM_SIDE_ROWS ? left : NM_SIDE_ROWS, group);
    }
    return at;
}

/* With z = x - max x, L = log(sum of e^z) and weights w: the loss is
 * (1 - e) w_t (L - z_t) + e / K (L sum(w) - sum(w z)). `w` is NULL where all of them are 1. */
#define LOSS_RANGE(name, real)                                                                     \
    NM_KERNEL_##real static real name##_sum(const real *x, int64_t n, real *max)                   \
    {                                                                                              \
        real top = x[0], sum = 0;                                                                  \
        NM_SIMD_MAX(top) for (int64_t k = 0; k < n; k++)                                           \
        {                                                                                          \
            top = x[k] > top ? x[k] : top;                                                         \
        }                                                                                          \
        NM_SIMD_SUM(sum) for (int64_t k = 0; k < n; k++)                                           \
        {                                                                                          \
            sum += NM_EXP(x[k] - top);                                                             \
        }                                                                                          \
        *max = top;                                                                                \
        return sum;                                                                                \
    }                                                                                              \
    NM_KERNEL_##real static double name##_of_row(const rows *r, const real *x, int64_t label,      \
                                                 real top, real sum)                               \
    {                                                                                              \
        const double of_sum = log((double)sum), share = r->share;                                  \
        const double own = (1 - r->smoothing) * (double)(x[label] - top);                          \
        const int64_t n = share > 0 ? r->classes : 0;                                              \
        const real *w = r->class_weight;                                                           \
        double spread = 0;                                                                         \
        if (!w) {                                                                                  \
            NM_SIMD_SUM(spread) for (int64_t k = 0; k < n; k++)                                    \
            {                                                                                      \
                spread += (double)(x[k] - top);                                                    \
            }                                                                                      \
            return of_sum - own - share * spread;                                                  \
        }                                                                                          \
        for (int64_t k = 0; k < n; k++) {                                                          \
            spread += (double)w[k] * (double)(x[k] - top);                                         \
        }                                                                                          \
        const double all = (1 - r->smoothing) * (double)w[label] + share * r->weight_sum;          \
        return all * of_sum - (double)w[label] * own - share * spread;                             \
    }                                                                                              \
    static void name(void *arg, int64_t begin, int64_t end)                                        \
    {                                                                                              \
        const rows *r = arg;                                                                       \
        nm_side_by_side group;                                                                     \
        for (int64_t i = begin; i < end; i++) {                                                    \
            const int64_t label = label_at(r, i);                                                  \
            const int64_t at = place_among_few(r, sizeof(real), begin, end, i, &group);            \
            const real *x = (const real *)r->logits + i * r->classes;                              \
            real top = at < 0 ? 0 : (real)group.top[at], sum = at < 0 ? 0 : (real)group.sum[at];   \
            if (label == r->ignored) {                                                             \
                r->losses[i] = 0;                                                                  \
                continue;                                                                          \
            }                                                                                      \
            if (at < 0) {                                                                          \
                sum = name##_sum(x, r->classes, &top);                                             \
            }                                                                                      \
            r->losses[i] = name##_of_row(r, x, label, top, sum);                                   \
        }                                                                                          \
    }

/* dx = dy weight (all softmax(x) - target), 0 where ignored; all = sum(target). */
#define GRADIENT_RANGE(name, real)                                                                 \
    NM_KERNEL_##real static real name##_exp(const real *x, int64_t n, real *dx)                    \
    {                                                                                              \
        real top = x[0], sum = 0;                                                                  \
        NM_SIMD_MAX(top) for (int64_t k = 0; k < n; k++)                                           \
        {                                                                                          \
            top = x[k] > top ? x[k] : top;                                                         \
        }                                                                                          \
        NM_SIMD_SUM(sum) for (int64_t k = 0; k < n; k++)                                           \
        {                                                                                          \
            dx[k] = NM_EXP(x[k] - top);                                                            \
            sum += dx[k];                                                                          \
        }                                                                                          \
        return sum;                                                                                \
    }                                                                                              \
    NM_KERNEL_##real static void name##_of_row(const rows *r, int64_t label, real all,             \
                                               real factor, real sum, real *dx)                    \
    {                                                                                              \
        const int64_t n = r->classes;                                                              \
        const real *w = r->class_weight;                                                           \
        const real spread = (real)r->share;                                                        \
        if (w) {                                                                                   \
            NM_SIMD for (int64_t k = 0; k < n; k++)                                                \
            {                                                                                      \
                dx[k] = (dx[k] / sum * all - spread * w[k]) * factor;                              \
            }                                                                                      \
            dx[label] -= (1 - (real)r->smoothing) * w[label] * factor;                             \
            return;                                                                                \
        }                                                                                          \
        dx[label] -= (1 - (real)r->smoothing) * sum;                                               \
        NM_SIMD for (int64_t k = 0; k < n; k++)                                                    \
        {                                                                                          \
            dx[k] = (dx[k] / sum - spread) * factor;                                               \
        }                                                                                          \
    }                                                                                              \
    static void name(void *arg, int64_t begin, int64_t end)                                        \
    {                                                                                              \
        const rows *r = arg;                                                                       \
        const int64_t n = r->classes;                                                              \
        const real *w = r->class_weight;                                                           \
        const double share = r->smoothing / (double)n * r->weight_sum;                             \
        nm_side_by_side group;                                                                     \
        for (int64_t i = begin; i < end; i++) {                                                    \
            const int64_t label = label_at(r, i);                                                  \
            const bool counts = label != r->ignored;                                               \
            const real all =                                                                       \
                w && counts ? (real)((1 - r->smoothing) * (double)w[label] + share) : (real)1;     \
            const real weight = counts ? (real)r->weight : 0;                                      \
            const real dy = ((const real *)r->dy)[r->dy_rows ? i : 0];                             \
            const int64_t at = place_among_few(r, sizeof(real), begin, end, i, &group);            \
            real *dx = (real *)r->dlogits + i * n;                                                 \
            ((real *)r->weights)[i] = weight * all;                                                \
            if (!counts) {                                                                         \
                memset(dx, 0, (size_t)n * sizeof *dx);                                             \
                continue;                                                                          \
            }                                                                                      \
            for (int64_t k = 0; at >= 0 && k < n; k++) {                                           \
                dx[k] = (real)group.e[k][at];                                                      \
            }                                                                                      \
            const real sum = at >= 0 ? (real)group.sum[at]                                         \
                                     : name##_exp((const real *)r->logits + i * n, n, dx);         \
            name##_of_row(r, label, all, dy *weight, sum, dx);                                     \
        }                                                                                          \
    }

LOSS_RANGE(loss_f32, float)
LOSS_RANGE(loss_f64, double)
GRADIENT_RANGE(gradient_f32, float)
GRADIENT_RANGE(gradient_f64, double)

static void put(nm_dtype dtype, void *y, int64_t i, double value)
{
    if (dtype == NM_F64) {
        ((double *)y)[i] = value;
    } else {
        ((float *)y)[i] = (float)value;
    }
}

/* In order, so that the result does not depend on threads. */
static void reduce(const nm_run *run, const rows *r)
{
    double sum = 0;
    for (int64_t i = 0; i < r->count; i++) {
        sum += r->losses[i];
        if (!is_reduced(run->options)) {
            put(run->dtype, run->y[0], i, r->losses[i]);
        }
    }
    if (is_reduced(run->options)) {
        put(run->dtype, run->y[0], 0, sum * r->weight);
    }
}

static nm_status cross_entropy_forward(const nm_run *run)
{
    rows r;
    nm_status status = rows_of(run, CLASS_WEIGHT, &r);
    if (status != NM_OK) {
        return status;
    }
    r.losses = nm_scratch(run->context, (size_t)r.count * sizeof *r.losses + 1);
    if (!r.losses) {
        return NM_ERROR_MEMORY;
    }
    share(run, &r, loss_f32, loss_f64);
    reduce(run, &r);
    nm_scratch_end(r.losses);
    return NM_OK;
}

static nm_status cross_entropy_grad_forward(const nm_run *run)
{
    rows r;
    nm_status status = rows_of(run, GRAD_CLASS_WEIGHT, &r);
    if (status == NM_OK) {
        r.dy = run->x[DY];
        r.dy_rows = !is_reduced(run->options);
        r.dlogits = run->y[DLOGITS];
        r.weights = run->y[WEIGHT];
        share(run, &r, gradient_f32, gradient_f64);
    }
    return status;
}

/* ---- Gradients ---- */

/* Of the logits, at `dy`. */
static nm_tensor *gradient(nm_vjp *v, nm_tensor *weight, nm_tensor *dy)
{
    nm_tensor *in[GRAD_INPUTS] = {v->in[LOGITS], v->in[LABELS], dy, weight}, *out[GRAD_OUTPUTS];
    nm_apply(v->tape, &nm_op_cross_entropy_grad, in, GRAD_INPUTS, v->options, out);
    return out[DLOGITS];
}

static nm_tensor *cross_entropy_vjp(nm_vjp *v, int input)
{
    (void)input;
    return gradient(v, v->in[CLASS_WEIGHT], v->gout[0]);
}

/* [...] as [..., 1], or a single number as it is */
static nm_tensor *as_column(nm_tape *tape, nm_tensor *x)
{
    nm_shape shape = *nm_tensor_shape(x);
    shape.dim[shape.rank++] = 1;
    return nm_reshape(tape, x, shape);
}

/* p = softmax(x): d<u, p>/dx = softmax_grad(p, u), times dy and what the row counts. */
static nm_tensor *second_of_logits(nm_vjp *v)
{
    nm_tape *tape = v->tape;
    const nm_softmax_options o = {NM_SOFTMAX_DEFAULTS, NM_END(nm_softmax_options)};
    nm_tensor *dy = is_reduced(v->options) ? v->in[DY] : as_column(tape, v->in[DY]);
    nm_tensor *p = nm_softmax(tape, v->in[LOGITS]);
    nm_tensor *u = nm_apply2(tape, &nm_op_softmax_grad, &o, p, v->gout[DLOGITS]);
    return nm_mul(tape, u, nm_mul(tape, dy, v->out[WEIGHT]));
}

/* dx is linear in dy: <u, dx at dy = 1>, of every row or of all. */
static nm_tensor *second_of_dy(nm_vjp *v)
{
    nm_tape *tape = v->tape;
    const nm_shape *shape = nm_tensor_shape(v->in[DY]);
    nm_tensor *ones = nm_full(tape, nm_tensor_dtype(v->in[DY]), *shape, 1);
    nm_tensor *slope = gradient(v, v->in[GRAD_CLASS_WEIGHT], ones);
    nm_tensor *product = nm_mul(tape, v->gout[DLOGITS], slope);
    if (is_reduced(v->options)) {
        return nm_sum_to(tape, product, *shape);
    }
    return nm_reshape(tape, nm_sum_of_lines(tape, product, shape->rank), *shape);
}

static nm_tensor *cross_entropy_grad_vjp(nm_vjp *v, int input)
{
    return input == LOGITS ? second_of_logits(v) : second_of_dy(v);
}

/* ---- The ops ---- */

static const char *const reductions[] = {"mean", "sum", "none", NULL};
static const nm_cross_entropy_options defaults = {NM_CROSS_ENTROPY_DEFAULTS,
                                                  NM_END(nm_cross_entropy_options)};
NM_OPTIONS_INIT(nm_cross_entropy_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_cross_entropy_options, label_smoothing), NM_OPTION_FLOAT,
     .doc = "how much of the target is spread evenly over all classes", .min = 0, .max = 1},
    {NM_FIELD(nm_cross_entropy_options, ignore_index), NM_OPTION_INT,
     .doc = "rows with this label count for nothing"},
    {NM_FIELD(nm_cross_entropy_options, reduction), NM_OPTION_ENUM, .names = reductions,
     .doc = "the mean of the rows that count, their sum, or every row's loss"},
};
static const nm_spec spec = NM_SPEC(nm_cross_entropy_options, defaults, options);

#define WEIGHT_PORT                                                                                \
    {                                                                                              \
        .name = "weight", .doc = "[classes]: how much a sample of each counts; none: 1",           \
        .flags = NM_PORT_OPTIONAL | NM_PORT_NO_GRAD                                                \
    }

static const nm_port inputs[INPUTS] = {
    [LOGITS] = {.name = "logits", .doc = "[..., classes]"},
    [LABELS] = {.name = "labels",
                .doc = "[...]: 0 to classes - 1, or ignore_index",
                .type = NM_PORT_INDEX},
    [CLASS_WEIGHT] = WEIGHT_PORT,
};
static const nm_port outputs[1] = {{.name = "loss", .doc = "[], or [...] unreduced"}};
static const nm_port grad_inputs[GRAD_INPUTS] = {
    [LOGITS] = {.name = "logits", .doc = "[..., classes]"},
    [LABELS] = {.name = "labels", .doc = "[...]", .type = NM_PORT_INDEX},
    [DY] = {.name = "dy", .doc = "gradient of the loss, of its shape"},
    [GRAD_CLASS_WEIGHT] = WEIGHT_PORT,
};
static const nm_port grad_outputs[GRAD_OUTPUTS] = {
    [DLOGITS] = {.name = "dlogits", .doc = "[..., classes]"},
    [WEIGHT] = {.name = "weight",
                .doc = "[..., 1]: what a row's softmax counts",
                .flags = NM_PORT_HIDDEN | NM_PORT_NO_GRAD},
};

/* Labels from 0 to 2; ignore_index 0 ignores some of them. */
static const nm_sample samples[] = {
    {.in = {NM_NORMAL(4, 3), NM_INDEX(3, 4)}},
    {.options = "{reduction: sum, label_smoothing: 0.2}", .in = {NM_NORMAL(4, 3), NM_INDEX(3, 4)}},
    {.options = "{reduction: none}", .in = {NM_NORMAL(2, 3, 4), NM_INDEX(4, 2, 3)}},
    {.options = "{ignore_index: 0, label_smoothing: 0.1}", .in = {NM_NORMAL(6, 3), NM_INDEX(3, 6)}},
    {.in = {NM_NORMAL(4, 3), NM_INDEX(3, 4), NM_UNIFORM(0.5, 2, 3)}},
    {.options = "{ignore_index: 0, label_smoothing: 0.3, reduction: none}",
     .in = {NM_NORMAL(5, 3), NM_INDEX(3, 5), NM_UNIFORM(0.5, 2, 3)}},
};
static const nm_sample grad_samples[] = {
    {.in = {NM_NORMAL(4, 3), NM_INDEX(3, 4), NM_SCALAR_NORMAL}},
    {.options = "{reduction: none, ignore_index: 0, label_smoothing: 0.2}",
     .in = {NM_NORMAL(5, 3), NM_INDEX(3, 5), NM_NORMAL(5)}},
    {.options = "{ignore_index: 0, label_smoothing: 0.3}",
     .in = {NM_NORMAL(5, 3), NM_INDEX(3, 5), NM_SCALAR_NORMAL, NM_UNIFORM(0.5, 2, 3)}},
};

const nm_op nm_op_cross_entropy = {
    .item =
        NM_ITEM(nm_op, "cross_entropy", "cross entropy of softmax against labels", .spec = &spec,
                .doc = "loss = -sum over k of target_k * log_softmax(logits)_k, with target_k =\n"
                       "weight_k * ((1 - label_smoothing) * [k = label] + label_smoothing /\n"
                       "classes); the sum over the rows whose label is not ignore_index, or that\n"
                       "divided by the sum of their labels' weights (of no rows: 0).\n"
                       "dlogits = dy * (softmax(logits) * sum(target) - target)."),
    .inputs = inputs,
    .outputs = outputs,
    .input_count = NM_COUNT_OF(inputs),
    .output_count = NM_COUNT_OF(outputs),
    .infer = cross_entropy_infer,
    .forward = cross_entropy_forward,
    .vjp = cross_entropy_vjp,
    .samples = samples,
    .sample_count = NM_COUNT_OF(samples),
};

const nm_op nm_op_cross_entropy_grad = {
    .item = NM_ITEM(nm_op, "cross_entropy_grad", "gradient of cross_entropy", .spec = &spec,
                    .doc = "dlogits = dy * part * (softmax(logits) * sum(target) - target), with\n"
                           "part 0 for an ignored row, else 1, or for the mean 1 / the sum of the\n"
                           "weights of all rows' labels."),
    .inputs = grad_inputs,
    .outputs = grad_outputs,
    .input_count = NM_COUNT_OF(grad_inputs),
    .output_count = NM_COUNT_OF(grad_outputs),
    .infer = cross_entropy_grad_infer,
    .forward = cross_entropy_grad_forward,
    .vjp = cross_entropy_grad_vjp,
    .samples = grad_samples,
    .sample_count = NM_COUNT_OF(grad_samples),
};

nm_tensor *nm_cross_entropy_with(nm_tape *tape, nm_tensor *logits, nm_tensor *labels,
                                 const nm_cross_entropy_options *o)
{
    return nm_apply2(tape, &nm_op_cross_entropy, o, logits, labels);
}

nm_tensor *nm_weighted_cross_entropy_with(nm_tape *tape, nm_tensor *logits, nm_tensor *labels,
                                          nm_tensor *weight, const nm_cross_entropy_options *o)
{
    return nm_apply3(tape, &nm_op_cross_entropy, o, logits, labels, weight);
}
