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

/* ---- Exponential ---- */

static double exponential_factor(const void *options, const nm_moment *at)
{
    const nm_exponential_options *o = options;
    return pow(o->factor, o->smooth ? at->epoch : floor(nm_snap(at->epoch)));
}

static const nm_exponential_options exponential_defaults = {NM_EXPONENTIAL_DEFAULTS};
NM_OPTIONS_INIT(nm_exponential_options, exponential_defaults)
static const nm_option exponential_rows[] = {
    {NM_FIELD(nm_exponential_options, factor), NM_OPTION_FLOAT, .also = "gamma decay decay_rate",
     .max = 1, .flags = NM_MIN_OPEN, .doc = "what an epoch multiplies the learning rate by"},
    {NM_FIELD(nm_exponential_options, smooth), NM_OPTION_BOOL,
     .doc = "fall with every update, not at the end of an epoch"},
};
static const nm_spec exponential_spec = {.name = "nm_exponential_options",
                                         .size = sizeof(nm_exponential_options),
                                         .defaults = &exponential_defaults,
                                         .options = exponential_rows,
                                         .count = NM_COUNT_OF(exponential_rows)};

const nm_schedule_type nm_schedule_exponential = {
    .item = NM_ITEM(nm_schedule_type, "exponential", "falls by the same factor in every epoch",
                    .also = "exponential_decay", .spec = &exponential_spec,
                    .doc = "factor^floor(epoch), as PyTorch's ExponentialLR; with smooth, "
                           "factor^epoch. Epochs count from the beginning, a warm-up included."),
    .factor = exponential_factor,
};

/* ---- Polynomial ---- */

static double polynomial_factor(const void *options, const nm_moment *at)
{
    const nm_polynomial_options *o = options;
    const double left = 1 - fmin(1, (double)at->step / (double)at->steps);
    return o->end + (1 - o->end) * pow(left, o->power);
}

static const nm_polynomial_options polynomial_defaults = {NM_POLYNOMIAL_DEFAULTS};
NM_OPTIONS_INIT(nm_polynomial_options, polynomial_defaults)
static const nm_option polynomial_rows[] = {
    {NM_FIELD(nm_polynomial_options, power), NM_OPTION_FLOAT, .max = 100, .flags = NM_MIN_OPEN,
     .doc = "1: a straight line"},
    {NM_FIELD(nm_polynomial_options, end), NM_OPTION_FLOAT, .max = 1,
     .doc = "factor that it tends to"},
};
static const nm_spec polynomial_spec = {.name = "nm_polynomial_options",
                                        .size = sizeof(nm_polynomial_options),
                                        .defaults = &polynomial_defaults,
                                        .options = polynomial_rows,
                                        .count = NM_COUNT_OF(polynomial_rows)};

const nm_schedule_type nm_schedule_polynomial = {
    .item =
        NM_ITEM(nm_schedule_type, "polynomial", "falls by a power of what is left of the run",
                .also = "linear linear_decay poly", .spec = &polynomial_spec,
                .doc = "end + (1 - end) * (1 - step / steps)^power, as PyTorch's PolynomialLR."),
    .factor = polynomial_factor,
};

/* ---- Cyclic ---- */

static double cyclic_factor(const void *options, const nm_moment *at)
{
    const nm_cyclic_options *o = options;
    const int64_t down = o->down ? o->down : o->up, cycle = at->step / (o->up + down);
    const int64_t within = at->step % (o->up + down);
    const double height = within <= o->up ? (double)within / (double)o->up
                                          : (double)(o->up + down - within) / (double)down;
    return o->base + (1 - o->base) * pow(o->cycle_factor, (double)cycle) * height;
}

static const nm_cyclic_options cyclic_defaults = {NM_CYCLIC_DEFAULTS};
NM_OPTIONS_INIT(nm_cyclic_options, cyclic_defaults)
static const nm_option cyclic_rows[] = {
    {NM_FIELD(nm_cyclic_options, base), NM_OPTION_FLOAT, .also = "base_lr", .max = 1,
     .doc = "the lowest factor, where a cycle begins and ends"},
    {NM_FIELD(nm_cyclic_options, up), NM_OPTION_INT, .also = "step_size_up", .min = 1, .max = 1e12,
     .doc = "updates up to the full learning rate"},
    {NM_FIELD(nm_cyclic_options, down), NM_OPTION_INT, .also = "step_size_down", .max = 1e12,
     .doc = "updates back; 0: as many as up"},
    {NM_FIELD(nm_cyclic_options, cycle_factor), NM_OPTION_FLOAT, .max = 1, .flags = NM_MIN_OPEN,
     .doc = "what each cycle multiplies its height above `base` by; 0.5: PyTorch's triangular2"},
};
static const nm_spec cyclic_spec = {.name = "nm_cyclic_options",
                                    .size = sizeof(nm_cyclic_options),
                                    .defaults = &cyclic_defaults,
                                    .options = cyclic_rows,
                                    .count = NM_COUNT_OF(cyclic_rows)};

const nm_schedule_type nm_schedule_cyclic = {
    .item =
        NM_ITEM(nm_schedule_type, "cyclic", "rises and falls in straight lines, again and again",
                .also = "triangular triangular2", .spec = &cyclic_spec,
                .doc = "base + (1 - base) * cycle_factor^cycle * height, where the height goes "
                       "from 0 to 1 in `up` updates and back in `down`. The optimizer's rate is "
                       "the largest one. Momentum does not change.\n"
                       "Smith 2015, arXiv 1506.01186, as PyTorch's CyclicLR."),
    .factor = cyclic_factor,
};

/* ---- Plateau ---- */

static double plateau_factor(const void *options, const nm_moment *at)
{
    const nm_plateau_options *o = options;
    return fmax(pow(o->factor, (double)at->watch.drops), o->end);
}

static void plateau_watch(const void *options, nm_watch *w, double value, bool higher_is_better)
{
    const nm_plateau_options *o = options;
    const double margin = o->threshold * fabs(w->best);
    const bool better = isfinite(value) &&
                        (isnan(w->best) ||
                         (higher_is_better ? value > w->best + margin : value < w->best - margin));
    w->best = better ? value : w->best;
    w->waited = better || w->resting > 0 ? 0 : w->waited + 1;
    w->resting -= w->resting > 0;
    if (w->waited > o->patience) {
        w->drops++;
        w->waited = 0;
        w->resting = o->cooldown;
    }
}

static const nm_plateau_options plateau_defaults = {NM_PLATEAU_DEFAULTS};
NM_OPTIONS_INIT(nm_plateau_options, plateau_defaults)
static const nm_option plateau_rows[] = {
    {NM_FIELD(nm_plateau_options, factor), NM_OPTION_FLOAT, .also = "gamma", .max = 1,
     .flags = NM_MIN_OPEN | NM_MAX_OPEN, .doc = "what a drop multiplies the learning rate by"},
    {NM_FIELD(nm_plateau_options, patience), NM_OPTION_INT, .max = 1e9,
     .doc = "drop when more evaluations than this, one after the other, brought nothing better"},
    {NM_FIELD(nm_plateau_options, threshold), NM_OPTION_FLOAT, .also = "min_delta", .max = 1,
     .doc = "better means by such a part of the best value"},
    {NM_FIELD(nm_plateau_options, cooldown), NM_OPTION_INT, .max = 1e9,
     .doc = "evaluations after a drop that do not count"},
    {NM_FIELD(nm_plateau_options, end), NM_OPTION_FLOAT, .also = "min_lr", .max = 1,
     .doc = "the lowest factor"},
};
static const nm_spec plateau_spec = {.name = "nm_plateau_options",
                                     .size = sizeof(nm_plateau_options),
                                     .defaults = &plateau_defaults,
                                     .options = plateau_rows,
                                     .count = NM_COUNT_OF(plateau_rows)};

const nm_schedule_type nm_schedule_plateau = {
    .item =
        NM_ITEM(nm_schedule_type, "plateau", "drops when evaluations get no better",
                .also = "reduce_on_plateau reduce_lr_on_plateau", .spec = &plateau_spec,
                .doc = "factor^n, not below `end`, where n counts the drops. What is looked at is "
                       "what the best network is chosen by: of the validation set, or without one "
                       "the training loss; never the test set.\n"
                       "As PyTorch's ReduceLROnPlateau, with evaluations for epochs."),
    .factor = plateau_factor,
    .watch = plateau_watch,
};
