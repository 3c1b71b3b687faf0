/* The built-in schedules. Each is a function of the moment; optim/schedule.h has the formulas. */
#include <math.h>

#include "optim/table.h"

#define PI 3.14159265358979323846

/* ---- Constant ---- */

static double constant_factor(const void *options, const nm_moment *at)
{
    (void)options, (void)at;
    return 1;
}

const nm_schedule_type nm_schedule_constant = {
    .item = NM_ITEM(nm_schedule_type, "constant", "the same learning rate all along",
                    .doc = "factor = 1"),
    .factor = constant_factor,
};

/* ---- Step ---- */

#define ROUNDING 1e-12 /* relative: far above that of doubles, far below an update */

double nm_snap(double value)
{
    const double whole = round(value);
    return fabs(value - whole) <= ROUNDING * fmax(1, fabs(whole)) ? whole : value;
}

static double step_factor(const void *options, const nm_moment *at)
{
    const nm_step_options *o = options;
    double drops = o->every > 0 ? floor(nm_snap(at->epoch / o->every)) : 0;
    for (int i = 0; i < o->at.count; i++) {
        drops += o->at.at[i] > 0 ? nm_snap(at->epoch / o->at.at[i]) >= 1 : 1;
    }
    return pow(o->factor, drops);
}

static void step_check(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const nm_step_options *o = options;
    if ((o->every > 0) == (o->at.count > 0)) {
        nm_diagnose(d, at, "step: give either \"every\" or \"at\", in epochs");
    }
}

static const nm_step_options step_defaults = {NM_STEP_DEFAULTS};
NM_OPTIONS_INIT(nm_step_options, step_defaults)
static const nm_option step_rows[] = {
    {NM_FIELD(nm_step_options, every), NM_OPTION_FLOAT, .also = "step_size", .max = 1e9,
     .doc = "drop after every so many epochs"},
    {NM_FIELD(nm_step_options, at), NM_OPTION_FLOATS, .also = "milestones", .max = 1e9,
     .doc = "epochs, from 0, at whose beginning to drop"},
    {NM_FIELD(nm_step_options, factor), NM_OPTION_FLOAT, .also = "gamma", .max = 1,
     .flags = NM_MIN_OPEN, .doc = "what a drop multiplies the learning rate by"},
};
static const nm_spec step_spec = {.name = "nm_step_options",
                                  .size = sizeof(nm_step_options),
                                  .defaults = &step_defaults,
                                  .options = step_rows,
                                  .count = NM_COUNT_OF(step_rows),
                                  .check = step_check};

const nm_schedule_type nm_schedule_step = {
    .item = NM_ITEM(nm_schedule_type, "step", "drops at given epochs", .also = "multi_step",
                    .spec = &step_spec,
                    .doc = "factor^n, where n is how many of the given epochs are over: "
                           "floor(epoch / every), or the number of entries of `at` reached. "
                           "Epochs count from the beginning, a warm-up included."),
    .factor = step_factor,
};

/* ---- Cosine ---- */

/* From `from` to `to` by half a cosine, t in 0..1. */
static double anneal(double from, double to, double t)
{
    return to + (from - to) * (1 + cos(PI * t)) / 2;
}

static double cosine_factor(const void *options, const nm_moment *at)
{
    const nm_cosine_options *o = options;
    return anneal(1, o->end, fmin(1, (double)at->step / (double)at->steps));
}

static const nm_cosine_options cosine_defaults = {NM_COSINE_DEFAULTS};
NM_OPTIONS_INIT(nm_cosine_options, cosine_defaults)
static const nm_option cosine_rows[] = {
    {NM_FIELD(nm_cosine_options, end), NM_OPTION_FLOAT, .also = "eta_min", .max = 1,
     .doc = "factor that it tends to"},
};
static const nm_spec cosine_spec = {.name = "nm_cosine_options",
                                    .size = sizeof(nm_cosine_options),
                                    .defaults = &cosine_defaults,
                                    .options = cosine_rows,
                                    .count = NM_COUNT_OF(cosine_rows)};

const nm_schedule_type nm_schedule_cosine = {
    .item = NM_ITEM(nm_schedule_type, "cosine", "falls by half a cosine over the whole run",
                    .also = "cosine_annealing cosine_decay", .spec = &cosine_spec,
                    .doc = "end + (1 - end) * (1 + cos(pi * step / steps)) / 2, without restarts. "
                           "Loshchilov, Hutter 2016, arXiv 1608.03983."),
    .factor = cosine_factor,
};

/* ---- One cycle ---- */

/* As in PyTorch, the peak is at step peak * steps - 1 and the end at steps - 1, both in fractions
 * of a step; a peak before step 0 means that there is no way up. */
static double one_cycle_factor(const void *options, const nm_moment *at)
{
    const nm_one_cycle_options *o = options;
    double start = 1 / o->start_divisor, end = start / o->end_divisor;
    double step = (double)at->step, last = (double)(at->steps - 1);
    double peak = o->peak * (double)at->steps - 1;
    if (step <= peak) {
        return peak > 0 ? anneal(start, 1, step / peak) : 1;
    }
    peak = fmax(peak, 0);
    return last > peak ? anneal(1, end, fmin(1, (step - peak) / (last - peak))) : 1;
}

static const nm_one_cycle_options one_cycle_defaults = {NM_ONE_CYCLE_DEFAULTS};
NM_OPTIONS_INIT(nm_one_cycle_options, one_cycle_defaults)
static const nm_option one_cycle_rows[] = {
    {NM_FIELD(nm_one_cycle_options, peak), NM_OPTION_FLOAT, .also = "pct_start", .max = 1,
     .doc = "where the full learning rate is reached, as a fraction of the run"},
    {NM_FIELD(nm_one_cycle_options, start_divisor), NM_OPTION_FLOAT, .min = 1, .max = NM_NO_LIMIT,
     .doc = "it begins at the full learning rate divided by this"},
    {NM_FIELD(nm_one_cycle_options, end_divisor), NM_OPTION_FLOAT, .min = 1, .max = NM_NO_LIMIT,
     .doc = "it ends at the first learning rate divided by this"},
};
static const nm_spec one_cycle_spec = {.name = "nm_one_cycle_options",
                                       .size = sizeof(nm_one_cycle_options),
                                       .defaults = &one_cycle_defaults,
                                       .options = one_cycle_rows,
                                       .count = NM_COUNT_OF(one_cycle_rows)};

const nm_schedule_type nm_schedule_one_cycle = {
    .item = NM_ITEM(nm_schedule_type, "one_cycle",
                    "rises to the full learning rate, then falls far below the first",
                    .spec = &one_cycle_spec,
                    .doc = "By half a cosine from 1 / start_divisor up to 1, over the first `peak` "
                           "of the run, then by another down to 1 / (start_divisor * end_divisor). "
                           "The optimizer's rate is the largest one. Momentum does not change.\n"
                           "It warms up by itself: `warmup` is an error with it.\n"
                           "Smith, Topin 2017, arXiv 1708.07120, as PyTorch's OneCycleLR."),
    .factor = one_cycle_factor,
    .warms_up = true,
};
