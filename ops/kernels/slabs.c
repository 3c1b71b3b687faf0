#include "ops/kernels/slabs.h"

#include <math.h>
#include <string.h>

#include "core/thread.h"
#include "ops/kernels/norm.h"

#define LANES 32        /* of slabs that one thread goes through, with memory of their own */
#define LARGE (1 << 19) /* elements of a slab that threads share */

typedef struct job {
    const nm_slabs *s;
    const nm_sets_gradient *g; /* NULL: forward */
    const void *given_mean, *given_var;
    void *y, *mean, *var, *inverse;
    int64_t lanes;
    char *memory; /* of the lanes' passes */
    size_t bytes; /* of one */
    double *sums; /* of scale and shift: [lanes][numbers of scale, of shift] */
    int64_t scales, shifts;
} job;

/* A slab's pass, for its finish(). */
typedef struct slab {
    const job *j;
    int64_t first; /* set */
} slab;

/* ---- Numbers ---- */

static double number(nm_dtype dtype, const void *from, int64_t i, double other)
{
    return !from             ? other
           : dtype == NM_F64 ? ((const double *)from)[i]
                             : (double)((const float *)from)[i];
}

static void put(nm_dtype dtype, void *to, int64_t i, double value)
{
    if (dtype == NM_F64) {
        ((double *)to)[i] = value;
    } else {
        ((float *)to)[i] = (float)value;
    }
}

static double parameter(const job *j, const nm_pattern *p, int64_t channel, double other)
{
    return p->at ? number(j->s->sets.dtype, p->at, channel / p->repeat % p->count, other) : other;
}

static bool repeats_with(const nm_pattern *p, int64_t width)
{
    return !p->at || p->count == 1 ||
           (p->repeat <= width / p->count && width % (p->repeat * p->count) == 0);
}

bool nm_slabs_suit(const nm_slabs *s)
{
    const int64_t width = s->columns * s->depth;
    return !s->sets.weight && s->rows > 1 && s->depth <= NM_CHANNEL_UNIT && width > 0 &&
           s->slabs > 0 && repeats_with(&s->sets.scale, width) &&
           repeats_with(&s->sets.shift, width);
}

/* ---- Forward ---- */

typedef struct moments {
    double mean, var;
} moments;

/* From those of the set's channels, which have as many values each. */
static moments join(const nm_slabs *s, const nm_channel_pass *p, int64_t channel)
{
    const double *means = p->sum[0] + channel, *squares = p->sum[1] + channel;
    const double rows = (double)s->rows, count = rows * (double)s->depth;
    moments m = {0, 0};
    if (s->sets.centered) {
        for (int64_t i = 0; i < s->depth; i++) {
            m.mean += (means[i] - means[0]) / (double)s->depth;
        }
        m.mean += means[0];
    }
    for (int64_t i = 0; i < s->depth; i++) {
        m.var += squares[i] + rows * (means[i] - m.mean) * (means[i] - m.mean);
    }
    m.var /= s->sets.summed ? 1 : count;
    return m;
}

static double inverse_of(const nm_sets *s, double var)
{
    const double v = var + s->eps;
    return !s->divided ? 1 : v == 0 ? 0 : 1 / sqrt(v);
}

static void finish_set(nm_channel_pass *p, const job *j, int64_t set, int64_t channel)
{
    const nm_sets *s = &j->s->sets;
    const bool given = j->given_mean || j->given_var;
    moments m = {number(s->dtype, j->given_mean, set, 0), number(s->dtype, j->given_var, set, 1)};
    m = given ? m : join(j->s, p, channel);
    const double inverse = inverse_of(s, m.var);
    put(s->dtype, j->mean, set, m.mean);
    put(s->dtype, j->var, set, m.var);
    put(s->dtype, j->inverse, set, inverse);
    const double center = number(s->dtype, j->mean, set, 0);
    for (int64_t c = channel; c < channel + j->s->depth; c++) {
        p->center[c] = center;
        p->a[c] = inverse * parameter(j, &s->scale, c, 1);
        p->b[c] = parameter(j, &s->shift, c, 0) - p->a[c] * (m.mean - center);
    }
}

static void finish_forward(nm_channel_pass *p, int64_t begin, int64_t end)
{
    const slab *at = p->arg;
    const int64_t depth = at->j->s->depth;
    for (int64_t c = begin; c < end; c += depth) {
        finish_set(p, at->j, at->first + c / depth, c);
    }
}

/* ---- Backward ---- */

/* As combine_of() of sets.c; what belongs to the parameters stays in the sums. */
static void finish_set_gradient(nm_channel_pass *p, const job *j, int64_t set, int64_t channel)
{
    const nm_sets *s = &j->s->sets;
    const nm_sets_gradient *g = j->g;
    const int64_t depth = j->s->depth;
    double sum = 0, product = 0, all = 0;
    for (int64_t c = channel; c < channel + depth; c++) {
        const double scale = parameter(j, &s->scale, c, 1);
        sum += scale * p->sum[0][c];
        product += scale * p->sum[1][c];
        all += p->sum[2][c];
    }
    const double mass = s->summed ? 1 : (double)s->length, share = g->given ? 0 : 1 / mass;
    const double left = s->centered ? all * share : 0, inverse = p->inverse[channel];
    const double deviation = inverse > 0 ? 1 / inverse : 0;
    const double dvar = number(s->dtype, g->dvar, set, 0),
                 dmean = number(s->dtype, g->dmean, set, 0);
    product -= left * sum;
    const double b = (2 * dvar * deviation - (s->divided ? inverse * product : 0)) *
                     (g->through_variance ? share : 0);
    const double c0 = (dmean - inverse * sum) * (g->through_mean && s->centered ? share : 0);
    for (int64_t c = channel; c < channel + depth; c++) {
        p->sum[1][c] -= left * p->sum[0][c];
        p->a[c] = inverse * parameter(j, &s->scale, c, 1);
        p->b[c] = b;
        p->c[c] = c0 - b * left;
    }
}

static void finish_backward(nm_channel_pass *p, int64_t begin, int64_t end)
{
    const slab *at = p->arg;
    const int64_t depth = at->j->s->depth;
    for (int64_t c = begin; c < end; c += depth) {
        finish_set_gradient(p, at->j, at->first + c / depth, c);
    }
}

/* Before the pass: mean and inverse are known. */
static void load_known(nm_channel_pass *p, const job *j, int64_t first)
{
    const nm_slabs *s = j->s;
    for (int64_t c = 0; c < s->columns * s->depth; c++) {
        const int64_t set = first + c / s->depth;
        p->center[c] = number(s->sets.dtype, j->g->mean, set, 0);
        p->inverse[c] = number(s->sets.dtype, j->g->inverse, set, 1);
    }
}

/* Behind it: what a slab has for each parameter, or for each of its sets. */
static void add_parameters(const nm_channel_pass *p, const job *j, int64_t lane, int64_t first)
{
    const nm_slabs *s = j->s;
    const nm_pattern *patterns[] = {&s->sets.scale, &s->sets.shift};
    double *sums[] = {j->sums + lane * (j->scales + j->shifts), NULL};
    void *const results[] = {j->g->dscale, j->g->dshift};
    sums[1] = sums[0] + j->scales;
    for (int k = 0; k < 2; k++) {
        const double *from = p->sum[1 - k];
        for (int64_t c = 0; c < s->columns * s->depth && patterns[k]->at; c++) {
            sums[k][c / patterns[k]->repeat % patterns[k]->count] += from[c];
        }
        for (int64_t c = 0; c < s->columns && !patterns[k]->at; c++) {
            double sum = 0;
            for (int64_t i = c * s->depth; i < (c + 1) * s->depth; i++) {
                sum += from[i];
            }
            put(s->sets.dtype, results[k], first + c, sum);
        }
    }
}

/* ---- Slabs ---- */

static const void *offset(const job *j, const void *base, int64_t elements)
{
    return base ? (const char *)base + (size_t)elements * nm_dtype_size(j->s->sets.dtype) : NULL;
}

static nm_channel_pass pass_of(const job *j, int64_t i, bool alone)
{
    const nm_slabs *s = j->s;
    const int64_t at = i * s->rows * s->columns * s->depth;
    void *to = j->g ? j->g->dx : j->y;
    return (nm_channel_pass){.context = s->sets.context,
                             .dtype = s->sets.dtype,
                             .view = {s->rows, s->columns * s->depth, 1},
                             .gather = j->g                            ? NM_GATHER_PRODUCTS
                                       : j->given_mean || j->given_var ? NM_GATHER_NOTHING
                                                                       : NM_GATHER_MOMENTS,
                             .apply = !to    ? NM_APPLY_NOTHING
                                      : j->g ? NM_APPLY_COMBINE
                                             : NM_APPLY_AFFINE,
                             .x = offset(j, s->sets.x, at),
                             .dy = j->g ? offset(j, j->g->dy, at) : NULL,
                             .y =
                                 to ? (char *)to + (size_t)at * nm_dtype_size(s->sets.dtype) : NULL,
                             .finish = j->g ? finish_backward : finish_forward,
                             .unit = s->depth,
                             .alone = alone};
}

static void run_slab(const job *j, int64_t lane, int64_t i, bool alone)
{
    nm_channel_pass p = pass_of(j, i, alone);
    slab at = {j, i * j->s->columns};
    p.arg = &at;
    nm_channel_pass_bytes(&p); /* finds the cut */
    nm_channel_pass_begin_in(&p, j->memory + (size_t)lane * j->bytes);
    if (j->g) {
        load_known(&p, j, at.first);
    }
    nm_channel_pass_run(&p);
    if (j->g) {
        add_parameters(&p, j, lane, at.first);
    }
}

static void run_lanes(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    for (int64_t lane = begin; lane < end; lane++) {
        const int64_t last = (lane + 1) * j->s->slabs / j->lanes;
        for (int64_t i = lane * j->s->slabs / j->lanes; i < last; i++) {
            run_slab(j, lane, i, true);
        }
    }
}

/* By shape alone: large slabs one after the other, all threads at each; else threads share slabs.
 */
static nm_status run(job *j)
{
    const nm_slabs *s = j->s;
    const int64_t elements = s->rows * s->columns * s->depth;
    const bool large = elements >= LARGE || s->slabs == 1;
    j->lanes = large ? 1 : s->slabs < LANES ? s->slabs : LANES;
    nm_channel_pass p = pass_of(j, 0, !large);
    j->bytes = (nm_channel_pass_bytes(&p) + 63) / 64 * 64;
    const size_t sums = (size_t)j->lanes * (size_t)(j->scales + j->shifts) * sizeof *j->sums;
    j->memory = nm_scratch(s->sets.context, (size_t)j->lanes * j->bytes + sums + 1);
    if (!j->memory) {
        return NM_ERROR_MEMORY;
    }
    j->sums = (double *)(void *)(j->memory + (size_t)j->lanes * j->bytes);
    memset(j->sums, 0, sums);
    if (large) {
        for (int64_t i = 0; i < s->slabs; i++) {
            run_slab(j, 0, i, false);
        }
    } else {
        const int64_t slabs_a_lane = (s->slabs + j->lanes - 1) / j->lanes;
        nm_parallel(s->sets.context, j->lanes, 1 + 16384 / (slabs_a_lane * elements), run_lanes, j);
    }
    return NM_OK;
}

nm_status nm_slabs_forward(const nm_slabs *s, const void *given_mean, const void *given_var,
                           void *y, void *mean, void *var, void *inverse)
{
    job j = {.s = s,
             .given_mean = given_mean,
             .given_var = given_var,
             .y = y,
             .mean = mean,
             .var = var,
             .inverse = inverse};
    nm_status status = run(&j);
    nm_scratch_end(j.memory);
    return status;
}

static void store_sums(const job *j, const double *sums, int64_t count, void *to)
{
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int64_t lane = 0; lane < j->lanes; lane++) {
            sum += sums[lane * (j->scales + j->shifts) + i];
        }
        put(j->s->sets.dtype, to, i, sum);
    }
}

nm_status nm_slabs_gradient_run(const nm_slabs *s, const nm_sets_gradient *g)
{
    job j = {.s = s, .g = g};
    j.scales = s->sets.scale.at ? s->sets.scale.count : 0;
    j.shifts = s->sets.shift.at ? s->sets.shift.count : 0;
    nm_status status = run(&j);
    if (status == NM_OK) {
        store_sums(&j, j.sums, j.scales, g->dscale);
        store_sums(&j, j.sums + j.scales, j.shifts, g->dshift);
    }
    nm_scratch_end(j.memory);
    return status;
}
