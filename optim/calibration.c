#include "optim/calibration.h"

#include <math.h>

#include "core/guard.h"

typedef struct problem {
    const float *scores; /* [samples, classes] */
    const int32_t *labels;
    int64_t samples, classes;
} problem;

/* Of the mean of -log softmax(b * scores)[label]: itself and its derivatives by b = 1 / T. */
typedef struct point {
    double value, slope, bend;
} point;

/* ---- The likelihood ---- */

static int64_t largest(const float *row, int64_t count)
{
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++) {
        best = row[i] > row[best] ? i : best;
    }
    return best;
}

/* With d = scores - the largest: log(sum of e^(b d)) - b d[label], whose slope is the mean of d by
 * the softmax, less d[label], and whose bend is the variance of d. The largest adds 1 to the sum.
 */
static void add_row(point *sum, const float *row, int64_t classes, int32_t label, double b)
{
    const int64_t best = largest(row, classes);
    const double most = (double)row[best], d_label = (double)row[label] - most;
    double rest = 0, first = 0, second = 0;
    for (int64_t i = 0; i < classes; i++) {
        const double d = (double)row[i] - most, share = i == best ? 0 : exp(b * d);
        rest += share;
        first += share * d;
        second += share * d * d;
    }
    const double mean = first / (1 + rest);
    sum->value += log1p(rest) - b * d_label;
    sum->slope += mean - d_label;
    sum->bend += fmax(second / (1 + rest) - mean * mean, 0);
}

static point look_at(const problem *p, double b)
{
    point sum = {0};
    const double samples = (double)p->samples;
    for (int64_t i = 0; i < p->samples; i++) {
        add_row(&sum, p->scores + i * p->classes, p->classes, p->labels[i], b);
    }
    return (point){sum.value / samples, sum.slope / samples, sum.bend / samples};
}

/* ---- The search ---- */

#define STEPS 200 /* halving alone takes some 45 */
#define NEAR 1e-12

/* Newton's step in log(b) from `at`, where it stays within the bracket; else its middle. */
static double next(const point *f, double at, double low, double high)
{
    const double step = at - f->slope / (exp(at) * f->bend);
    return step > low && step < high ? step : (low + high) / 2;
}

/* The log(b) at which the slope is 0; it is below at `low` and above at `high`. */
static double search(const problem *p, double low, double high)
{
    double at = low < 0 && high > 0 ? 0 : (low + high) / 2;
    for (int i = 0; i < STEPS && high - low > NEAR; i++) {
        const point f = look_at(p, exp(at));
        if (f.slope < 0) {
            low = at;
        } else {
            high = at;
        }
        const double to = f.slope == 0 ? at : next(&f, at, low, high);
        if (fabs(to - at) <= NEAR) {
            return to;
        }
        at = to;
    }
    return at;
}

/* ---- What is given ---- */

static nm_status check(nm_context *context, const problem *p)
{
    if (p->samples < 1 || p->classes < 2) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "calibration: a temperature takes samples and two classes or more, not "
                       "%lld and %lld",
                       (long long)p->samples, (long long)p->classes);
    }
    for (int64_t i = 0; i < p->samples; i++) {
        if (p->labels[i] < 0 || p->labels[i] >= p->classes) {
            return nm_fail(context, NM_ERROR_INPUT,
                           "calibration: sample %lld has the label %d, but there are %lld classes",
                           (long long)i, p->labels[i], (long long)p->classes);
        }
    }
    for (int64_t i = 0; i < p->samples * p->classes; i++) {
        if (!isfinite(p->scores[i])) {
            return nm_fail(context, NM_ERROR_NUMERIC,
                           "calibration: a score of sample %lld is not finite",
                           (long long)(i / p->classes));
        }
    }
    return NM_OK;
}

nm_status nm_calibrate_temperature(nm_context *context, const float *scores, const int32_t *labels,
                                   int64_t samples, int64_t classes, nm_calibration *result)
{
    NM_REQUIRE(context, result, NM_ERROR_INPUT);
    const problem p = {scores, labels, samples, classes};
    const double least = 1 / NM_TEMPERATURE_MOST, most = 1 / NM_TEMPERATURE_LEAST;
    nm_status status = check(context, &p);
    *result = (nm_calibration){.temperature = 1};
    if (status != NM_OK) {
        return status;
    }
    if (look_at(&p, least).slope >= 0) {
        result->temperature = NM_TEMPERATURE_MOST;
    } else if (look_at(&p, most).slope <= 0) {
        result->temperature = NM_TEMPERATURE_LEAST;
    } else {
        result->temperature = exp(-search(&p, log(least), log(most)));
    }
    result->before = look_at(&p, 1).value;
    result->after = look_at(&p, 1 / result->temperature).value;
    return NM_OK;
}
