/* Schedules: the learning rate as a function of the update's number alone. A schedule gives a
 * factor on the optimizer's rate; a linear warm-up can stand in front of any. */
#ifndef NM_OPTIM_SCHEDULE_H
#define NM_OPTIM_SCHEDULE_H

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where a run is. */
typedef struct nm_moment {
    int64_t step;  /* this update, from 0, counted after the warm-up */
    int64_t steps; /* updates in all, at least 1, without those of the warm-up */
    double epoch;  /* from 0, fractional, counted from the very beginning */
} nm_moment;

/* A kind of schedule, as registered. */
typedef struct nm_schedule_type {
    nm_item item;
    double (*factor)(const void *options, const nm_moment *at);
    bool warms_up; /* by itself: a warm-up in front of it is an error */
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
} nm_schedule;

/* `choice` without an item: constant; `warmup` may be NULL. NM_ERROR_INPUT if options are out of
 * range, if the warm-up is longer than the run, or if the schedule has one of its own. Fractions of
 * an epoch are whole updates as far as doubles can tell: 0.07 epochs of 100 updates are 7. */
NM_API nm_status nm_schedule_begin(nm_schedule *schedule, nm_context *context,
                                   const nm_choice *choice, const nm_warmup *warmup, int64_t steps,
                                   int64_t steps_per_epoch);
/* The factor on the learning rate of update `step`, from 0. */
NM_API double nm_schedule_factor(const nm_schedule *schedule, int64_t step);
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

#ifdef __cplusplus
}
#endif
#endif
