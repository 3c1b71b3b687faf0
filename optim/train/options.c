/* The `train` part of a network's file. */
#include "optim/trainer.h"

/* ---- Early stopping ---- */

static const nm_early_stopping early_defaults = {NM_EARLY_STOPPING_DEFAULTS};
static const nm_option early_rows[] = {
    {NM_FIELD(nm_early_stopping, patience), NM_OPTION_INT, .min = 1, .max = 1e9,
     .doc = "evaluations in a row without a better one, until the run ends"},
    {NM_FIELD(nm_early_stopping, min_delta), NM_OPTION_FLOAT, .max = NM_NO_LIMIT,
     .doc = "how much better it must get for patience to begin anew; the best network is the "
            "best, whatever this says"},
};
const nm_spec nm_early_stopping_spec = {.name = "nm_early_stopping",
                                        .size = sizeof(nm_early_stopping),
                                        .defaults = &early_defaults,
                                        .options = early_rows,
                                        .count = NM_COUNT_OF(early_rows)};

/* ---- Averages ---- */

static const nm_averaging averaging_defaults = {NM_AVERAGING_DEFAULTS};
static const char *const average_kinds[] = {"exponential", "equal", NULL};
static const nm_option averaging_rows[] = {
    {NM_FIELD(nm_averaging, kind), NM_OPTION_ENUM, .names = average_kinds,
     .doc = "exponential: decay * average + (1 - decay) * parameter; equal: the mean over the last "
            "part of the run"},
    {NM_FIELD(nm_averaging, decay), NM_OPTION_FLOAT, .max = 1, .flags = NM_MAX_OPEN,
     .doc = "how much of the exponential average stays"},
    {NM_FIELD(nm_averaging, last), NM_OPTION_FLOAT, .max = 1, .flags = NM_MIN_OPEN,
     .doc = "the part of the run that the equal mean is taken over"},
    {NM_FIELD(nm_averaging, every), NM_OPTION_INT, .min = 1, .max = 1e9,
     .doc = "updates from one that counts to the next"},
    {NM_FIELD(nm_averaging, recalibrate), NM_OPTION_BOOL,
     .doc =
         "find batch norm's running statistics for the averages, by a pass over the training set "
         "before each evaluation"},
};
const nm_spec nm_averaging_spec = {.name = "nm_averaging",
                                   .size = sizeof(nm_averaging),
                                   .defaults = &averaging_defaults,
                                   .options = averaging_rows,
                                   .count = NM_COUNT_OF(averaging_rows)};

/* ---- Train ---- */

#define MOST 1e15 /* epochs, updates: beyond what any run makes */

static const char *const best_by_names[] = {"metric", "loss", NULL};
static const nm_named_value clip_words[] = {{"auto", NM_AUTO}, {NULL, 0}};
static const char *const list[] = {"a list of maps"};
static const nm_named_value epochs_words[] = {{"auto", NM_AUTO}, {NULL, 0}};
static const nm_train_options defaults = {NM_TRAIN_DEFAULTS};
NM_OPTIONS_INIT(nm_train_options, defaults)
static const nm_option rows[] = {
    {NM_FIELD(nm_train_options, from), NM_OPTION_STRUCT, .also = "weights pretrained finetune",
     .spec = &nm_from_spec, .flags = NM_SHORT,
     .doc = "start from a saved network: take over what fits; a path, or a map"},
    {NM_FIELD(nm_train_options, epochs), NM_OPTION_INT, .also = "num_epochs n_epochs max_epochs",
     .min = 1, .max = 1e9, .named = epochs_words,
     .doc = "how often to go through the training samples; auto: as often as makes 2000 updates, "
            "from 10 to 1000 times"},
    {NM_FIELD(nm_train_options, steps), NM_OPTION_INT, .also = "max_steps iterations max_iter",
     .max = MOST, .doc = "updates to make, whatever `epochs` says; 0: as it says"},
    {NM_FIELD(nm_train_options, optimizer), NM_OPTION_CHOICE, .also = "optim",
     .kind = NM_KIND_OPTIMIZER,
     .doc = "how gradients move parameters; none: SGD at a rate of 0.02 with momentum 0.9 and a "
            "weight decay of 3 / n for n samples, at most 0.1, times p / n where n is above the "
            "number p of parameters; and a cosine schedule unless one is given"},
    {NM_FIELD(nm_train_options, schedule), NM_OPTION_CHOICE,
     .also = "scheduler lr_schedule lr_scheduler", .kind = NM_KIND_SCHEDULE,
     .doc = "how the learning rate changes"},
    {NM_FIELD(nm_train_options, warmup), NM_OPTION_STRUCT, .spec = &nm_warmup_spec,
     .doc = "raises the learning rate linearly from its `start` before the schedule begins"},
    {NM_FIELD(nm_train_options, metric), NM_OPTION_CHOICES, .also = "metrics",
     .kind = NM_KIND_METRIC,
     .doc = "what evaluation measures beside the loss, one or several: by the first the best "
            "network is known; none: what goes with the loss"},
    {NM_FIELD(nm_train_options, clip_norm), NM_OPTION_FLOAT,
     .also = "clip_grad clip_grad_norm grad_clip gradient_clip gradient_clip_val max_grad_norm",
     .max = NM_NO_LIMIT, .named = clip_words,
     .doc = "scale gradients down to this norm, all taken together; 0: do not; auto: 1 where no "
            "optimizer is given, else do not"},
    {NM_FIELD(nm_train_options, clip_value), NM_OPTION_FLOAT, .max = NM_NO_LIMIT,
     .doc = "limit every element of a gradient to it, before clip_norm; 0: do not"},
    {NM_FIELD(nm_train_options, groups), NM_OPTION_VALUE, .also = "param_groups",
     .spec = &nm_group_spec, .names = list,
     .doc = "parameters treated otherwise: [{match: \"*.bias\", rate: 2}, ...]"},
    {NM_FIELD(nm_train_options, seed), NM_OPTION_INT, .also = "random_state random_seed",
     .max = 9e18, .doc = "seed of shuffling, augmentation and dropout"},
    {NM_FIELD(nm_train_options, early_stopping), NM_OPTION_STRUCT, .spec = &nm_early_stopping_spec,
     .doc = "end the run when it gets no better on the validation set, or without one in the "
            "training loss"},
    {NM_FIELD(nm_train_options, average), NM_OPTION_STRUCT, .also = "ema swa averaging",
     .spec = &nm_averaging_spec,
     .doc = "evaluate and keep averages of the weights over updates, not the last ones"},
    {NM_FIELD(nm_train_options, keep_best), NM_OPTION_BOOL, .also = "save_best save_best_only",
     .doc =
         "keep the best network in a file of its own: the best on the validation set, or without "
         "one the last"},
    {NM_FIELD(nm_train_options, best_by), NM_OPTION_ENUM, .names = best_by_names,
     .doc =
         "what is best on the validation set: by the metric (the loss where there is none), or by "
         "the loss"},
    {NM_FIELD(nm_train_options, evaluate_every), NM_OPTION_INT, .min = 1, .max = 1e9,
     .doc = "evaluate after every so many epochs, and after the last"},
    {NM_FIELD(nm_train_options, checkpoint_every), NM_OPTION_INT, .max = 1e9,
     .doc = "write a checkpoint after every so many epochs; 0: only at the end"},
    {NM_FIELD(nm_train_options, checkpoint_every_steps), NM_OPTION_INT, .max = MOST,
     .doc = "and after every so many updates; 0: not"},
    {NM_FIELD(nm_train_options, accumulate), NM_OPTION_INT,
     .also = "gradient_accumulation gradient_accumulation_steps accumulate_grad_batches", .min = 1,
     .max = 1e6, .doc = "batches that make one update; batch norm still sees them one by one"},
    {NM_FIELD(nm_train_options, anomaly), NM_OPTION_BOOL,
     .doc = "look for the first NaN or infinity after every op; slow"},
    {NM_FIELD(nm_train_options, plan), NM_OPTION_BOOL,
     .doc = "keep what a step does, and do it again as a list of calls; false: every step on the "
            "tape, with the same bits"},
    {NM_FIELD(nm_train_options, precision), NM_OPTION_ENUM, .also = "dtype amp",
     .names = nm_precision_names,
     .doc = "of products in training: f32, or bf16 where the processor has units for it"},
};

static const nm_advice advice[] = {
    {"device gpu cuda", NULL, "leave it out: Norma computes on the processor"},
    {"verbose", NULL, "leave it out; `norma train --quiet` says nothing"},
    {NULL, NULL, NULL},
};

const nm_spec nm_train_spec = {.name = "nm_train_options",
                               .size = sizeof(nm_train_options),
                               .defaults = &defaults,
                               .options = rows,
                               .count = NM_COUNT_OF(rows),
                               .advice = advice};
