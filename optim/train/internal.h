/* What the trainer's files share. Nothing outside optim includes this. */
#ifndef NM_OPTIM_TRAIN_INTERNAL_H
#define NM_OPTIM_TRAIN_INTERNAL_H

#include <signal.h>

#include "optim/probes/probes.h"
#include "optim/trainer.h"

/* The random stream of training batch n (counted over all epochs) is NM_STREAM_TRAINING + n:
 * dropout depends on the seed and the position alone, and there is no random state to save but
 * those. */
#define NM_STREAM_TRAINING (5ull << 60)

/* All that changes as a run goes, but tensors. A checkpoint holds exactly this. */
typedef struct nm_progress {
    int64_t epoch, batch;           /* the next batch to take: its epoch, its number there */
    int64_t step;                   /* updates made */
    int64_t samples;                /* trained on, in all */
    double loss_sum, loss_weight;   /* over the running epoch */
    double train_loss;              /* of the last epoch that is over; NaN: none yet */
    nm_evaluation validation, test; /* of the network as it is now; samples 0: none */
    int64_t best_epoch;
    double best, best_test_loss, best_test_metric;
    double reference;  /* what early stopping has to see bettered by min_delta; NaN: none yet */
    int64_t waited;    /* evaluations since then */
    int64_t bad_epoch; /* since which an evaluation's loss is not finite; -1: it is */
    double first_loss; /* train_loss of the first epoch; NaN: none yet */
    nm_watch watch;    /* the schedule's */
    int64_t averaged;  /* updates in the averages */
} nm_progress;

/* One update in the making. */
typedef struct nm_step {
    double loss, weight; /* sums over its batches */
    double rate, gradient_norm;
    nm_batch batch; /* the last of them, valid until the next is taken */
} nm_step;

struct nm_trainer {
    nm_context *context;
    nm_trainer_setup setup; /* a copy */
    nm_network network;     /* another: setup.network */
    nm_sgd_options usual;   /* its optimizer's options, where it names none */
    nm_loss loss;
    nm_loader_options loader; /* the data's, with `last_batch` decided */
    nm_trial trial;           /* of a whole batch; output.rank -1: the network tells nothing */
    nm_choices metrics;       /* of the options, or the loss's usual one */
    nm_schedule schedule;
    nm_optimizer *optimizer;
    nm_store *average; /* of the network's tensors, by their names; NULL: none are taken */
    bool is_averaged;  /* the averages are in the network, and the last weights are here */
    nm_tape *tape;
    nm_probes *probes;                    /* NULL: none looked yet */
    double probing;                       /* seconds that they took of the running update */
    nm_loader *train, *validation, *test; /* the last two NULL: none */
    nm_numbers guess;                     /* the setup's, or own_guess; count 0: none */
    double *own_guess;                    /* NULL: none */
    bool has_baselines;                   /* the next are known */
    nm_evaluation validation_baseline, test_baseline; /* the guess's; samples 0: none */
    char *checkpoint_path, *best_path;                /* NULL: nothing is written */
    int64_t batches, steps_per_epoch, steps;
    nm_progress progress;
    nm_step step;
    nm_train_state state;
    double began;   /* this run, on the steady clock, moved back by what earlier parts took */
    double seconds; /* when it last ended: of all parts */
    double training_seconds;  /* of updates alone, in this part */
    int64_t earlier_samples;  /* trained on before this part */
    int64_t saved_step;       /* of the checkpoint on the disk; -1: none */
    nm_taken taken;           /* from other weights */
    bool started;             /* nm_trainer_start() */
    bool has_fingerprints;    /* they are taken when first needed */
    uint64_t fingerprints[3]; /* of the training, validation and test set */
    bool prepared;            /* data-dependent initialization is done */
    bool running;             /* nm_trainer_run() */
    volatile sig_atomic_t stop;
};

/* state.c */
double nm_steady_seconds(void);
bool nm_trainer_is_over(const nm_trainer *trainer);
/* Whether the samples are still there, which are the program's. */
nm_status nm_trainer_check_data(const nm_trainer *trainer);
/* Calls a callback, which may be NULL. */
nm_status nm_trainer_report(nm_trainer *trainer,
                            nm_status (*callback)(void *user, const nm_train_state *state));

/* measure.c: of the trainer's network, or of another in its place. */
nm_status nm_trainer_measure(nm_trainer *trainer, const nm_network *network, nm_loader *loader,
                             nm_evaluation *result);
/* What an evaluation counts as, NaN if its loss is not finite, with the way that is better in
 * *higher; whether that is by the metric. */
bool nm_trainer_judges_by_metric(const nm_trainer *trainer, const nm_evaluation *evaluation);
double nm_trainer_value(const nm_trainer *trainer, const nm_evaluation *evaluation, bool *higher);

/* plan.c: all that is decided before the first step, and all that is refused then, to `d`;
 * what is right in itself but seldom meant, to the log. */
void nm_trainer_plan(nm_trainer *trainer, nm_diagnostics *d);
void nm_trainer_warn(const nm_trainer *trainer);
/* Elements of a sample's outputs, in their last dimension. */
int64_t nm_trainer_width(const nm_trainer *trainer);
/* An element of targets that are values, as it stands in the data. */
double nm_trainer_target(const nm_dataset *set, int64_t index);

/* outputs.c: whether it is the shape of the network's outputs that the loss refused, whose
 * error stands; then what mends it goes to `d`. `model`: where the network stands. */
bool nm_trainer_report_outputs(const nm_trainer *trainer, const nm_value *model, nm_diagnostics *d);

/* step.c: data-dependent initialization; one update, with its callbacks. */
nm_status nm_trainer_prepare(nm_trainer *trainer);
nm_status nm_trainer_update(nm_trainer *trainer);

/* probe.c: what is wrong with probes, to `d`; those that are due before an update of this batch,
 * and after the update, behind all of them too. */
void nm_trainer_plan_probes(nm_trainer *trainer, nm_diagnostics *d);
nm_status nm_trainer_probe(nm_trainer *trainer, const nm_batch *batch, nm_random random);
nm_status nm_trainer_probe_update(nm_trainer *trainer, nm_random random);

/* baseline.c: finds the guess; what it would get, samples 0 if there is none. */
nm_status nm_trainer_make_guess(nm_trainer *trainer);
nm_status nm_trainer_guess(nm_trainer *trainer, nm_loader *loader, nm_evaluation *result);

/* Whether classes count as given or found, not by their samples; the guess of a run that does so,
 * the best without a look at the samples, by its loss on a set. */
bool nm_trainer_weighs_classes(const nm_trainer *trainer);
nm_status nm_trainer_guess_weighted(nm_trainer *trainer, const nm_dataset *set,
                                    nm_evaluation *result);

/* average.c: makes room; counts the update that was made; puts the averages, if there are any, in
 * the weights' place, with running statistics for them; takes them out again, to the bit. */
nm_status nm_average_create(nm_trainer *trainer);
void nm_average_move(nm_trainer *trainer);
nm_status nm_average_enter(nm_trainer *trainer);
void nm_average_leave(nm_trainer *trainer);

/* epoch.c: what is left of the running epoch; what follows when it is over. */
nm_status nm_trainer_run_epoch(nm_trainer *trainer);

/* advice.c: fails with what mends it; where the run is, in front of a standing error; looks
 * at an evaluation; at the end of a run, warnings, and an error if its evaluation is not finite. */
nm_status nm_trainer_not_finite(nm_trainer *trainer, const char *what, double value);
nm_status nm_trainer_fail_here(nm_trainer *trainer);
void nm_trainer_watch(nm_trainer *trainer);
nm_status nm_trainer_conclude(nm_trainer *trainer);

/* checkpoint.c */
nm_status nm_checkpoint_write(nm_trainer *trainer, const char *path);
nm_status nm_checkpoint_read(nm_trainer *trainer, const char *path);
nm_status nm_best_write(nm_trainer *trainer, const char *path);
/* The run's own, with its callback; nothing if there is no folder. */
nm_status nm_trainer_checkpoint(nm_trainer *trainer);

/* progress.c: whether the numbers fit each other and the data. */
nm_status nm_progress_check(const nm_trainer *trainer, const nm_progress *progress);

/* marks.c: what a run is told by, as metadata of its checkpoint; whether that of a file
 * is this run's. */
nm_status nm_marks_write(nm_trainer *trainer, nm_tensor_writer *writer);
/* Where the best network is chosen in another way than before, the choice begins anew. */
void nm_marks_renew(const nm_trainer *trainer, const nm_tensor_file *file, nm_progress *progress);
nm_status nm_marks_check(nm_trainer *trainer, const nm_tensor_file *file);

#endif
