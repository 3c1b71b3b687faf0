/* What several runs come to: measured one by one, told at the end. */
#ifndef NM_MODELS_COMMAND_TRAIN_MEMBERS_H
#define NM_MODELS_COMMAND_TRAIN_MEMBERS_H

#include "models/command/train/train.h"

typedef struct members {
    nm_context *context;
    run *whole; /* the command's own: its folder, claim and log */
    bool of_folds;
    int count;
    int64_t first_seed;
    bool begun;   /* one has been measured */
    bool stopped; /* by a signal, or nobody reads */
    const char *set;
    nm_choices metrics;    /* the options are the last run's */
    nm_evaluation *result; /* [count] */
    int64_t *rows;         /* [count], that count for them */
    nm_tensor *outputs;    /* of folds: [all rows, ...]; NULL: none yet */
    int64_t all;           /* rows of the training set */
    bool *predicted;       /* [all] */
} members;

/* Evaluates the network that the run kept, and takes its predictions of the fold. */
nm_status members_measure(members *members, int index, run *run);
/* A line about it. */
void members_tell(members *members, int index, const run *run);
/* Writes the predictions and tells the result; `last` is the last run, still open. */
nm_status members_conclude(members *members, run *last);
void members_close(members *members);

#endif
