/* Schedules: the learning rate as a function of the update's number alone. A schedule gives a
 * factor on the optimizer's rate; a linear warm-up can stand in front of any. */
#ifndef NM_OPTIM_SCHEDULE_H
#define NM_OPTIM_SCHEDULE_H

#include <math.h>

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a schedule that looks at evaluations remembers of them. Part of a checkpoint. */
typedef struct nm_watch {
    double best;     /* NaN: none yet */
    int64_t waited;  /* evaluations since then, or since the last drop */
    int64_t resting; /* evaluations to come that do not count */
    int64_t drops;   /* of the learning rate, so far */
} nm_watch;
#define NM_NO_WATCH ((nm_watch){.best = (double)NAN})

/* Where a run is. */
typedef struct nm_moment {
    int64_t step;  /* this update, from 0, counted after the warm-up */
    int64_t steps; /* updates in all, at least 1, without those of the warm-up */
    double epoch;  /* from 0, fractional, counted from the very beginning */
    nm_watch watch;
} nm_moment;

/* A kind of schedule, as registered. */
typedef struct nm_schedule_type {
    nm_item item;
    double (*factor)(const void *options, const nm_moment *at);
    bool warms_up; /* by itself: a warm-up in front of it is an error */
    /* An evaluation, for kinds that go by them; NULL: they do not matter. */
    void (*watch)(const void *options, nm_watch *watch, double value, bool higher_is_better);
} nm_schedule_type;

/* Linear warm-up over the first W updates, as PyTorch's LinearLR: update i has the factor start +
 * (1 - start) * i / W. So the first has `start`, and the first one behind them, in which the
 * schedule begins with its step 0, the full rate. */
typedef struct nm_warmup {
    int64_t steps; /* W ... */
    double epochs; /* ... or the same in epochs; added, if both are given */
    double start;  /* the first update's factor; 0: 1 / (W + 1), the line from an update of rate 0
                      that is left out */
} nm_warmup;

extern NM_API const nm_spec nm_warmup_spec;

/* A schedule at work. Holds no memory of its own. */
typedef struct nm_schedule {
    const nm_schedule_type *type;
    const void *options;     /* the caller's */
    int64_t steps;           /* of the whole run */
    int64_t steps_per_epoch; /* at least 1 */
    int64_t warmup_steps;
    double warmup_start;
    nm_watch watch;
} nm_schedule;

/* `choice` without an item: constant; `warmup` may be NULL. NM_ERROR_INPUT if options are out of
 * range, if the warm-up is longer than the run, or if the schedule has one of its own. Fractions of
 * an epoch are whole updates as far as doubles can tell: 0.07 epochs of 100 updates are 7. */
NM_API nm_status nm_schedule_begin(nm_schedule *schedule, nm_context *context,
                                   const nm_choice *choice, const nm_warmup *warmup, int64_t steps,
                                   int64_t steps_per_epoch);
/* The factor on the learning rate of update `step`, from 0. */
NM_API double nm_schedule_factor(const nm_schedule *schedule, int64_t step);
/* Tells it what an evaluation gave: the loss, or another value, and whether more is better. The
 * trainer does it after each, with what it chooses the best network by. */
NM_API void nm_schedule_watch(nm_schedule *schedule, double value, bool higher_is_better);
/* `value`, or the integer that it is but for rounding: 0.07 * 100 is 7, not a little more. */
NM_API double nm_snap(double value);

/* ---- The built-in ones. t = step / steps. .schedule = nm_cosine(.end = 0.1) chooses one. ---- */

extern NM_API const nm_schedule_type nm_schedule_constant; /* 1; without options */

/* factor^n, where n is how many of the given epochs are over */
typedef struct nm_step_options {
    double every NM_DEFAULT(0);    /* drop after every so many epochs; 0: at the given ones */
    nm_floats at NM_DEFAULT({});   /* epochs (from 0) at whose beginning to drop: [30, 60] */
    double factor NM_DEFAULT(0.1); /* of one drop */
} nm_step_options;
#define NM_STEP_DEFAULTS .factor = 0.1
#define nm_step(...) NM_CHOICE(nm_schedule_step, nm_step_options, NM_STEP_DEFAULTS, __VA_ARGS__)
NM_API void nm_step_options_init(nm_step_options *options);
extern NM_API const nm_schedule_type nm_schedule_step;

/* end + (1 - end) * (1 + cos(pi t)) / 2. Loshchilov, Hutter 2016, arXiv 1608.03983. */
typedef struct nm_cosine_options {
    double end NM_DEFAULT(0); /* the factor that it tends to */
} nm_cosine_options;
#define NM_COSINE_DEFAULTS .end = 0
#define nm_cosine(...)                                                                             \
    NM_CHOICE(nm_schedule_cosine, nm_cosine_options, NM_COSINE_DEFAULTS, __VA_ARGS__)
NM_API void nm_cosine_options_init(nm_cosine_options *options);
extern NM_API const nm_schedule_type nm_schedule_cosine;

/* From 1 / start_divisor by a half cosine up to 1, in the first `peak` of the steps, then by
 * another down to 1 / (start_divisor * end_divisor). The rate of the optimizer is the largest one.
 * Smith, Topin 2017, arXiv 1708.07120; the form is that of PyTorch's OneCycleLR. Momentum stays. */
typedef struct nm_one_cycle_options {
    double peak NM_DEFAULT(0.3);         /* where the largest rate is, as a fraction of the steps */
    double start_divisor NM_DEFAULT(25); /* the first factor is 1 / start_divisor */
    double end_divisor NM_DEFAULT(1e4);  /* the last is the first / end_divisor */
} nm_one_cycle_options;
#define NM_ONE_CYCLE_DEFAULTS .peak = 0.3, .start_divisor = 25, .end_divisor = 1e4
#define nm_one_cycle(...)                                                                          \
    NM_CHOICE(nm_schedule_one_cycle, nm_one_cycle_options, NM_ONE_CYCLE_DEFAULTS, __VA_ARGS__)
NM_API void nm_one_cycle_options_init(nm_one_cycle_options *options);
extern NM_API const nm_schedule_type nm_schedule_one_cycle;

/* factor^floor(epoch), as PyTorch's ExponentialLR; smooth: factor^epoch. */
typedef struct nm_exponential_options {
    double factor NM_DEFAULT(0.95); /* of an epoch */
    bool smooth NM_DEFAULT(false);  /* falls with every update */
} nm_exponential_options;
#define NM_EXPONENTIAL_DEFAULTS .factor = 0.95
#define nm_exponential(...)                                                                        \
    NM_CHOICE(nm_schedule_exponential, nm_exponential_options, NM_EXPONENTIAL_DEFAULTS, __VA_ARGS__)
NM_API void nm_exponential_options_init(nm_exponential_options *options);
extern NM_API const nm_schedule_type nm_schedule_exponential;

/* end + (1 - end) * (1 - t)^power, as PyTorch's PolynomialLR over the whole run. */
typedef struct nm_polynomial_options {
    double power NM_DEFAULT(1);
    double end NM_DEFAULT(0); /* the factor that it tends to */
} nm_polynomial_options;
#define NM_POLYNOMIAL_DEFAULTS .power = 1
#define nm_polynomial(...)                                                                         \
    NM_CHOICE(nm_schedule_polynomial, nm_polynomial_options, NM_POLYNOMIAL_DEFAULTS, __VA_ARGS__)
NM_API void nm_polynomial_options_init(nm_polynomial_options *options);
extern NM_API const nm_schedule_type nm_schedule_polynomial;

/* From `base` up to 1 in `up` updates and back in `down`, again and again, each cycle
 * `cycle_factor` times as high above `base` as the one before. Smith 2015, arXiv 1506.01186;
 * PyTorch's CyclicLR: "triangular", and with a cycle_factor of 0.5 "triangular2". Momentum stays.
 */
typedef struct nm_cyclic_options {
    double base NM_DEFAULT(0.1); /* the lowest factor */
    int64_t up NM_DEFAULT(2000); /* updates */
    int64_t down NM_DEFAULT(0);  /* updates; 0: as many as up */
    double cycle_factor NM_DEFAULT(1);
} nm_cyclic_options;
#define NM_CYCLIC_DEFAULTS .base = 0.1, .up = 2000, .cycle_factor = 1
#define nm_cyclic(...)                                                                             \
    NM_CHOICE(nm_schedule_cyclic, nm_cyclic_options, NM_CYCLIC_DEFAULTS, __VA_ARGS__)
NM_API void nm_cyclic_options_init(nm_cyclic_options *options);
extern NM_API const nm_schedule_type nm_schedule_cyclic;

/* factor^n, not below `end`, where n counts how often `patience` evaluations and one more brought
 * nothing better than the best by a part of `threshold`: PyTorch's ReduceLROnPlateau. After each
 * drop, `cooldown` evaluations do not count. */
typedef struct nm_plateau_options {
    double factor NM_DEFAULT(0.1); /* of one drop */
    int64_t patience NM_DEFAULT(10);
    double threshold NM_DEFAULT(1e-4);
    int64_t cooldown NM_DEFAULT(0);
    double end NM_DEFAULT(0); /* the lowest factor */
} nm_plateau_options;
#define NM_PLATEAU_DEFAULTS .factor = 0.1, .patience = 10, .threshold = 1e-4
#define nm_plateau(...)                                                                            \
    NM_CHOICE(nm_schedule_plateau, nm_plateau_options, NM_PLATEAU_DEFAULTS, __VA_ARGS__)
NM_API void nm_plateau_options_init(nm_plateau_options *options);
extern NM_API const nm_schedule_type nm_schedule_plateau;

#ifdef __cplusplus
}
#endif
#endif
