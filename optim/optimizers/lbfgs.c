/* L-BFGS, of gradients of all samples: directions from the last steps and how the gradient changed
 * over them, by the two loops of Nocedal (1980).
 *
 * One update is one of PyTorch's iterations, without a line search:
 * 1. The last step s and the change y of the gradient over it are kept if y s > 1e-10, and those
 *    before move up; what was never kept is zeros, and counts for nothing.
 * 2. The first update goes down the gradient by rate * min(1, 1 / sum |g|), later ones by rate
 * times the direction.
 * 3. A gradient within tolerance_grad moves nothing, nor does a direction that leads up. */
#include <string.h>

#include "optim/optimizers/update.h"

#define NM_LBFGS_MOST 100 /* steps kept */
#define LEAST_CURVATURE 1e-10

enum { GRADIENT, STEP, STEPS, CHANGES }; /* states; STEP holds the direction while it is found */

/* All parameters. */
typedef struct whole {
    const nm_update *all;
    int count;
    int64_t kept; /* tensors of STEPS and CHANGES; the newest stands last */
} whole;

/* ---- Sums over all parameters, in double ---- */

static void *row_of(const nm_update *u, int state, int64_t row)
{
    const size_t item = u->dtype == NM_F32 ? sizeof(float) : sizeof(double);
    return (char *)u->state[state] + (size_t)(row * u->count) * item;
}

static double value_at(nm_dtype dtype, const void *x, int64_t i)
{
    return dtype == NM_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

static void set_at(nm_dtype dtype, void *x, int64_t i, double value)
{
    if (dtype == NM_F32) {
        ((float *)x)[i] = (float)value;
    } else {
        ((double *)x)[i] = value;
    }
}

static double gradient_at(const nm_update *u, int64_t i)
{
    return u->scale * value_at(u->dtype, u->gradient, i) +
           u->weight_decay * value_at(u->dtype, u->parameter, i);
}

/* The inner product of row `a_row` of state `a` with that of `b`. */
static double product(const whole *w, int a, int64_t a_row, int b, int64_t b_row)
{
    double sum = 0;
    for (int p = 0; p < w->count; p++) {
        const nm_update *u = &w->all[p];
        const void *x = row_of(u, a, a_row), *y = row_of(u, b, b_row);
        for (int64_t i = 0; i < u->count; i++) {
            sum += value_at(u->dtype, x, i) * value_at(u->dtype, y, i);
        }
    }
    return sum;
}

/* STEP = keep * STEP + factor * the row of the state. */
static void move_step(const whole *w, double keep, double factor, int state, int64_t row)
{
    for (int p = 0; p < w->count; p++) {
        const nm_update *u = &w->all[p];
        const void *x = row_of(u, state, row);
        void *d = u->state[STEP];
        for (int64_t i = 0; i < u->count; i++) {
            set_at(u->dtype, d, i,
                   keep * value_at(u->dtype, d, i) + factor * value_at(u->dtype, x, i));
        }
    }
}

/* The largest and the sum of |g|; a NaN makes the largest infinite. */
static double gradient_sizes(const whole *w, double *sum)
{
    double largest = 0;
    *sum = 0;
    for (int p = 0; p < w->count; p++) {
        for (int64_t i = 0; i < w->all[p].count; i++) {
            const double size = fabs(gradient_at(&w->all[p], i));
            largest = isnan(size) ? (double)INFINITY : fmax(largest, size);
            *sum += size;
        }
    }
    return largest;
}

/* ---- What is kept ---- */

static void keep_row(const nm_update *u, int64_t kept, int state, int from)
{
    const size_t bytes = (size_t)u->count * (u->dtype == NM_F32 ? sizeof(float) : sizeof(double));
    memmove(u->state[state], row_of(u, state, 1), bytes * (size_t)(kept - 1));
    memcpy(row_of(u, state, kept - 1), u->state[from], bytes);
}

/* GRADIENT becomes the gradient, or its change since the last one. */
static void take_gradient(const whole *w, bool change)
{
    for (int p = 0; p < w->count; p++) {
        const nm_update *u = &w->all[p];
        for (int64_t i = 0; i < u->count; i++) {
            const double last = value_at(u->dtype, u->state[GRADIENT], i);
            set_at(u->dtype, u->state[GRADIENT], i, gradient_at(u, i) - (change ? last : 0));
        }
    }
}

/* Promise 1. */
static void keep_last(const whole *w)
{
    take_gradient(w, true);
    if (product(w, GRADIENT, 0, STEP, 0) > LEAST_CURVATURE) {
        for (int p = 0; p < w->count; p++) {
            keep_row(&w->all[p], w->kept, STEPS, STEP);
            keep_row(&w->all[p], w->kept, CHANGES, GRADIENT);
        }
    }
}

/* ---- The direction ---- */

/* STEP = -H g, of GRADIENT g and the matrix H that the kept pairs make of a multiple of 1. */
static void find_direction(const whole *w)
{
    double curvature[NM_LBFGS_MOST] = {0}, part[NM_LBFGS_MOST] = {0};
    const int64_t last = w->kept - 1;
    move_step(w, 0, -1, GRADIENT, 0);
    for (int64_t i = last; i >= 0; i--) {
        curvature[i] = product(w, STEPS, i, CHANGES, i);
        part[i] = curvature[i] > 0 ? product(w, STEPS, i, STEP, 0) / curvature[i] : 0;
        move_step(w, 1, -part[i], CHANGES, i);
    }
    if (last >= 0 && curvature[last] > 0) {
        move_step(w, curvature[last] / product(w, CHANGES, last, CHANGES, last), 0, GRADIENT, 0);
    }
    for (int64_t i = 0; i <= last; i++) {
        const double back = curvature[i] > 0 ? product(w, CHANGES, i, STEP, 0) / curvature[i] : 0;
        move_step(w, 1, part[i] - back, STEPS, i);
    }
}

/* Makes a step of the direction: promise 2. One that is not taken counts as the last one all the
 * same, as in PyTorch: over it, the gradient has not changed. */
static void make_step(const whole *w, double factor)
{
    for (int p = 0; p < w->count; p++) {
        const nm_update *u = &w->all[p];
        for (int64_t i = 0; i < u->count; i++) {
            set_at(u->dtype, u->state[STEP], i,
                   u->rate * factor * value_at(u->dtype, u->state[STEP], i));
        }
    }
}

/* Finds the step; returns whether it is taken, 1 or 0: promise 3. */
static double lbfgs_whole(const nm_update *all, int count)
{
    const nm_lbfgs_options *o = count ? all->options : NULL;
    const whole w = {all, count, count ? o->history_size : 0};
    double sum;
    if (!count || gradient_sizes(&w, &sum) <= o->tolerance_grad) {
        return 0;
    }
    const bool first = product(&w, GRADIENT, 0, GRADIENT, 0) == 0; /* that was above tolerance */
    if (!first) {
        keep_last(&w);
    }
    take_gradient(&w, false);
    find_direction(&w);
    const bool up = product(&w, GRADIENT, 0, STEP, 0) > -o->tolerance_change;
    make_step(&w, first ? fmin(1, 1 / sum) : 1);
    return up ? 0 : 1;
}

/* b: the step. */
NM_UPDATE(lbfgs, double, w[i] += k > 0 ? b[i] : 0;)

static void lbfgs_update(const nm_update *u)
{
    lbfgs(u, u->trust);
}

/* ---- The kind ---- */

static int64_t lbfgs_copies(const void *options, int state)
{
    return state == STEPS || state == CHANGES ? ((const nm_lbfgs_options *)options)->history_size
                                              : 1;
}

static const nm_lbfgs_options defaults = {NM_LBFGS_DEFAULTS};
NM_OPTIONS_INIT(nm_lbfgs_options, defaults)
static const nm_option rows[] = {
    NM_OPTIMIZER_ROWS_OF(nm_lbfgs_options, 0, "adds so much of a weight to its gradient"),
    {NM_FIELD(nm_lbfgs_options, history_size), NM_OPTION_INT, .also = "history", .min = 1,
     .max = NM_LBFGS_MOST,
     .doc = "steps that are kept, each with two tensors like every parameter"},
    {NM_FIELD(nm_lbfgs_options, tolerance_grad), NM_OPTION_FLOAT, .max = 1e30,
     .doc = "a gradient without an element above it moves nothing"},
    {NM_FIELD(nm_lbfgs_options, tolerance_change), NM_OPTION_FLOAT, .max = 1e30,
     .doc = "nor does a direction that leads down by less"},
};
static const nm_advice advice[] = {
    {"line_search_fn", NULL, "leave it out: every step has the length that the rate says"},
    {"max_iter", NULL, "leave it out: an update is one iteration; \"epochs\" says how many"},
    {NULL, NULL, NULL},
};
static const nm_spec spec = {.name = "nm_lbfgs_options",
                             .size = sizeof(nm_lbfgs_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows),
                             .advice = advice};

static const char *const state_names[] = {"gradient", "step", "steps", "changes", NULL};

const nm_optimizer_type nm_optimizer_lbfgs = {
    .item = NM_ITEM(
        nm_optimizer_type, "lbfgs", "directions from the last steps: for gradients of all samples",
        .spec = &spec,
        .doc =
            "w = w - rate * H * gradient, with H an estimate of the inverse Hessian from the "
            "last steps and how the gradient changed over them; the first step is rate * min(1, "
            "1 / sum |gradient|) * gradient. Gradients must be of all samples (`data: {batch: "
            "N}` with N of them or more) and without noise (dropout); then a few hundred updates "
            "may find what takes others thousands. One update is an iteration of PyTorch's "
            "without a line search.\n"
            "Nocedal 1980, \"Updating quasi-Newton matrices with limited storage\"."),
    .state_names = state_names,
    .copies = lbfgs_copies,
    .update = lbfgs_update,
    .whole = lbfgs_whole,
    .wants_all = true,
};
