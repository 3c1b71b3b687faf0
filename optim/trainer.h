/* The trainer: epochs of mini-batches through a network, and all that goes with them. It is driven
 * by the `train` part of a network's file or by a C program, and reports to callbacks.
 *
 *     nm_trainer_setup setup = {
 *         .network = &network,
 *         .data = &data,
 *         .loss = {.item = &nm_loss_cross_entropy.item},
 *         .options = NM_TRAIN_OPTIONS(.epochs = 5, .optimizer = nm_sgd(.rate = 0.1)),
 *     };
 *     nm_trainer *trainer = nm_trainer_create(context, &setup);
 *     nm_train_result result;
 *     nm_trainer_run(trainer, &result);
 *     nm_trainer_destroy(trainer);
 *
 * Promises:
 * 1. A run is a function of (network, data, options, seed): the same bits every time at the same
 *    number of threads, and the same bits whether or not it was stopped, killed and resumed.
 * 2. After the first steps a step allocates nothing.
 * 3. Files are replaced whole or not at all, and never by a network with a NaN or infinity in it.
 * 4. Nothing is printed: callbacks and the context's log say what happens. */
#ifndef NM_OPTIM_TRAINER_H
#define NM_OPTIM_TRAINER_H

#include "optim/data/data.h"
#include "optim/evaluate.h"
#include "optim/from.h"
#include "optim/optimizers.h"
#include "optim/probe.h"
#include "optim/schedule.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Options: the `train` part ---- */

typedef struct nm_early_stopping {
    bool on;          /* not an option: set wherever the part is given */
    int64_t patience; /* evaluations in a row without a better one, until the run ends */
    double min_delta; /* how much better counts as better, for patience; the best is the best */
} nm_early_stopping;

#define NM_EARLY_STOPPING_DEFAULTS .on = true, .patience = 5

/* Averages of the parameters, which evaluations, the network that is kept, and after
 * nm_trainer_run() the network itself have in the place of the last ones; training goes on with
 * those, and checkpoints hold both. */
typedef enum nm_average_kind {
    NM_AVERAGE_EXPONENTIAL, /* a = decay * a + (1 - decay) * parameter */
    NM_AVERAGE_EQUAL        /* the mean over the last part of the run; arXiv 1803.05407 */
} nm_average_kind;

typedef struct nm_averaging {
    bool on;       /* not an option: set wherever the part is given */
    int kind;      /* an nm_average_kind */
    double decay;  /* of the exponential one, below 1 */
    double last;   /* of the equal one: the part of the run, above 0, at most 1 */
    int64_t every; /* updates from one that counts to the next */
    /* Batch norm's running statistics are found for the averages by a pass over the training set
     * (nm_recalibrate()) before each evaluation; else they are the last ones. */
    bool recalibrate;
} nm_averaging;

#define NM_AVERAGING_DEFAULTS                                                                      \
    .on = true, .decay = 0.999, .last = 0.25, .every = 1, .recalibrate = true

extern NM_API const nm_spec nm_early_stopping_spec;
extern NM_API const nm_spec nm_averaging_spec;

/* By what the best network is known on the validation set, for keep_best and early stopping.
 * Without a validation set the last network is kept, and early stopping goes by the training loss,
 * with a warning. The test set decides nothing: what chose a network cannot tell how good it is. */
typedef enum nm_best_by { NM_BEST_BY_METRIC, NM_BEST_BY_LOSS } nm_best_by;

typedef struct nm_train_options {
    nm_from from;        /* saved weights to start from; no path: the network begins anew */
    int64_t epochs;      /* NM_AUTO: as many as make 2000 updates, from 10 to 1000 */
    int64_t steps;       /* updates to make, whatever `epochs` says; 0: as `epochs` says */
    nm_choice optimizer; /* without item: SGD at 0.02 with momentum 0.9 and a weight decay of
                            3 / n for n samples, at most 0.1, times p / n where n is above the
                            number p of parameters; and cosine if no schedule is given */
    nm_choice schedule;  /* without item: constant */
    nm_warmup warmup;
    nm_choices metric;      /* the first decides what is best; none: the loss's usual one */
    double clip_norm;       /* gradients are scaled down to this norm; 0: not; NM_AUTO: 1 without
                               an optimizer, else not */
    double clip_value;      /* every gradient element is limited to it, before that; 0: not */
    const nm_value *groups; /* a list of nm_group */
    int64_t seed;           /* of shuffling, augmentation and dropout */
    nm_early_stopping early_stopping;
    nm_averaging average;
    bool keep_best;           /* in a file of its own; without a validation set, the last one */
    int best_by;              /* nm_best_by */
    int64_t evaluate_every;   /* epochs; the last one is always evaluated */
    int64_t checkpoint_every; /* epochs; 0: not by epochs */
    int64_t checkpoint_every_steps; /* updates; 0: not by updates */
    int64_t accumulate;             /* batches whose gradients make one update; see below */
    bool anomaly;                   /* look for the first NaN or infinity; slow */
    bool plan;                      /* steps that come again are kept and done as lists */
    int precision; /* nm_precision: bf16 needs a processor that has it, see below */
    /* Not options: groups made by a C program, instead of `groups`. */
    const nm_group *group_list;
    int group_count;
} nm_train_options;

/* Precision. With bf16, the products of dense and conv2d round their factors to bf16 in training;
 * parameters, gradients, statistics and all else stay f32, and so does evaluation. Only what conv2d
 * and batch norm make for such alone is kept in bf16, in a network that runs from graphs
 * (optim/traced.h). On a processor without units for bf16 the trainer says so once, as a warning,
 * and trains in f32. */

/* Accumulation. The update uses the mean gradient over all samples of so many batches, as one batch
 * of their size would, but for batch norm: it normalizes every batch by that batch's own
 * statistics, and moves its running statistics once a batch. At the end of an epoch an update may
 * be of fewer.
 */

#define NM_TRAIN_DEFAULTS                                                                          \
    .epochs = NM_AUTO, .schedule = {.item = &nm_schedule_constant.item}, .seed = 1,                \
    .clip_norm = NM_AUTO, .keep_best = true, .evaluate_every = 1, .checkpoint_every = 1,           \
    .accumulate = 1, .plan = true

/* The defaults but for what is said: NM_TRAIN_OPTIONS(.epochs = 3), for a function of C. */
#ifndef __cplusplus
#define NM_TRAIN_OPTIONS(...) NM_OPTIONS_VALUE(nm_train_options, NM_TRAIN_DEFAULTS, __VA_ARGS__)
#endif
NM_API void nm_train_options_init(nm_train_options *options);

extern NM_API const nm_spec nm_train_spec;

/* ---- What callbacks see ---- */

typedef struct nm_trainer nm_trainer;

typedef struct nm_train_state {
    nm_trainer *trainer;
    int64_t epoch, epochs; /* the running one, from 0; of the whole run, the last perhaps in part */
    int64_t batch, batches;         /* taken of this epoch; in one epoch */
    int64_t step, steps;            /* updates made; of the whole run */
    double rate;                    /* learning rate of the last update */
    double loss;                    /* of the last update */
    double gradient_norm;           /* the same, before clip_norm; without that, of the first
                                       update and an epoch's last only, else NaN */
    double train_loss;              /* mean of this epoch so far */
    nm_evaluation validation, test; /* of the network as it is now; samples 0: none */
    /* What a guess would have got that looks at no sample: the commonest class of the training set,
     * or the mean of its targets. Samples 0: none. */
    nm_evaluation validation_baseline, test_baseline;
    const char *baseline;         /* which of the two it is: "commonest class" or "mean" */
    const nm_metric_type *metric; /* the first one; NULL: none */
    const nm_choices *metrics;    /* all of them */
    bool is_best;                 /* on_epoch: this epoch's network is the best so far, by the
                                     validation set */
    int64_t best_epoch;           /* of the one that is kept, from 0; -1: none yet */
    double best;                  /* its metric or loss, as best_by says; NaN: none yet, or no
                                     validation set to choose by */
    double seconds;               /* since the run began, resumed parts included */
    double samples_per_second;    /* of training alone, since it was resumed; NaN: none yet */
    const char *path;             /* on_checkpoint: the file written; else NULL */
} nm_train_state;

/* A callback may call nm_trainer_stop() for a good end after the running update, or return another
 * status than NM_OK to break off: the run then fails with it (NM_ERROR_CANCELLED, usually), and the
 * last checkpoint stays what it was. All may be NULL. */
typedef struct nm_train_callbacks {
    void *user;
    /* Gradients of an update are there, and not yet clipped: to look at them, or change them. */
    nm_status (*on_gradients)(void *user, const nm_train_state *state);
    nm_status (*on_step)(void *user, const nm_train_state *state); /* an update was made */
    nm_status (*on_epoch)(void *user,
                          const nm_train_state *state); /* an epoch is over, evaluated */
    nm_status (*on_checkpoint)(void *user, const nm_train_state *state); /* a file was written */
    /* A probe measured something; the record is valid until it returns. */
    nm_status (*on_probe)(void *user, const nm_train_state *state, const nm_probe_record *record);
} nm_train_callbacks;

/* ---- The trainer ---- */

typedef struct nm_trainer_setup {
    const nm_network *network;
    const nm_data *data;
    nm_choice loss;
    nm_train_options options;
    /* Where "checkpoint.safetensors" and "best.safetensors" are written, a folder that is there or
     * can be made; NULL: nothing is written. */
    const char *folder;
    nm_train_callbacks callbacks;
    nm_choices probes; /* optim/probe.h; their records go to on_probe */
    double seconds;    /* that earlier parts of a resumed run took: to be counted with this one's */
    /* A sample's outputs by the training targets alone: of classes the logarithms of their shares,
     * of values their means, as the network gives them. What evaluations are compared with. Count
     * 0: found from the training set, unless `only_evaluates`, where that is another's. */
    nm_numbers guess;
    const nm_value *file; /* the network's file, whose places messages then tell; NULL: none */
    nm_onlooker onlooker; /* of nm_trainer_evaluate() alone; zeros: nobody looks */
    bool only_evaluates;  /* nothing but nm_trainer_evaluate() is wanted: what concerns training
                             alone is not looked at, and may be missing */
} nm_trainer_setup;

/* What `setup` points to must outlive the trainer. NULL on failure: whatever the run would refuse
 * before its first step is refused here, a line for every independent mistake. What is right but
 * seldom meant is logged as a warning. */
NM_API nm_trainer *nm_trainer_create(nm_context *context, const nm_trainer_setup *setup);
NM_API void nm_trainer_destroy(nm_trainer *trainer); /* NULL is fine; not while it runs */
/* The same mistakes, to `d`, without a trainer, files or warnings. Options without an optimizer,
 * where `d` has errors already, are those of a part that is wrong or missing: only the rest is
 * looked at. Groups freeze and free parameters here too. */
NM_API void nm_trainer_check(nm_context *context, const nm_trainer_setup *setup, nm_diagnostics *d);

/* What precedes the first step: data-dependent initialization, then the weights that `from` says.
 * nm_trainer_run() does it, unless it was done. Nothing to do for a resumed run. */
NM_API nm_status nm_trainer_start(nm_trainer *trainer);
/* What was taken then; its names are the trainer's. */
NM_API nm_taken nm_trainer_taken(const nm_trainer *trainer);
/* Takes up the run that a checkpoint was made in: parameters, buffers, optimizer, position, best
 * result. Before nm_trainer_run(). Fails, and changes nothing, if the file is broken, or of another
 * network, data set, seed, batch size, accumulation or optimizer. Other options may differ. */
NM_API nm_status nm_trainer_resume(nm_trainer *trainer, const char *path);
/* Writes such a file now: between two updates, as in on_step, not within one (on_gradients). Fails,
 * and writes nothing, if it could not be resumed from: with a NaN in it, for one. */
NM_API nm_status nm_trainer_save(nm_trainer *trainer, const char *path);

typedef enum nm_train_end {
    NM_TRAIN_FINISHED,      /* all epochs or steps are made */
    NM_TRAIN_STOPPED_EARLY, /* early stopping */
    NM_TRAIN_STOPPED,       /* nm_trainer_stop() */
    NM_TRAIN_DIVERGED       /* a loss is not finite: the run failed */
} nm_train_end;

typedef struct nm_train_result {
    nm_train_end end;
    int64_t epochs;    /* that are over, resumed parts included */
    int64_t steps;     /* the same */
    double train_loss; /* mean of the last epoch */
    double test_loss;  /* of the network as it is now; NaN: it was not evaluated */
    union {
        double test_metric; /* the same, of the first metric */
        double test_metrics[NM_MAX_CHOICES];
    };
    double test_accuracy; /* the same where "accuracy" is among them, else NaN */
    double validation_loss;
    union {
        double validation_metric;
        double validation_metrics[NM_MAX_CHOICES];
    };
    int64_t best_epoch;                      /* of the network that is kept, from 0; -1: none */
    double best;                             /* its metric or loss on the validation set */
    double best_test_loss, best_test_metric; /* the kept network's; NaN: none */
    double seconds;                          /* evaluation and files included */
    double samples_per_second;               /* of training alone, since it was resumed */
} nm_train_result;

/* Trains to the end; the network holds the last parameters then, "best.safetensors" the best ones,
 * or without a validation set those of the last evaluation.
 * At a good end of any sort, the checkpoint is up to date. Where the loss is not finite, in
 * training or in the last evaluation: fails with NM_ERROR_NUMERIC and a message that says since
 * when and what to do. A run that learned nothing is told of by warnings. `result` may be NULL; it
 * is filled in also on failure. */
NM_API nm_status nm_trainer_run(nm_trainer *trainer, nm_train_result *result);
/* Ends the run after the running update. For callbacks, and safe in a signal handler. */
NM_API void nm_trainer_stop(nm_trainer *trainer);
/* Evaluates the network now, on the set with the trainer's loss and metric. */
NM_API nm_status nm_trainer_evaluate(nm_trainer *trainer, const nm_dataset *set,
                                     nm_evaluation *result);
/* What a guess would have got there that looks at no sample: the commonest class of the training
 * set (for the loss: the classes' shares), or the mean of its targets. Samples 0: there is none. */
NM_API nm_status nm_trainer_evaluate_baseline(nm_trainer *trainer, const nm_dataset *set,
                                              nm_evaluation *result);
/* How parameters are moved, groups included; NULL if it only evaluates. */
NM_API const nm_optimizer *nm_trainer_optimizer(const nm_trainer *trainer);
/* Where the run is; valid until the next step. */
NM_API const nm_train_state *nm_trainer_state(nm_trainer *trainer);

#ifdef __cplusplus
}
#endif
#endif
