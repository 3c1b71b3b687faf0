/* What the files of `norma train` share. */
#ifndef NM_MODELS_COMMAND_TRAIN_TRAIN_H
#define NM_MODELS_COMMAND_TRAIN_TRAIN_H

#include "models/command/command.h"
#include "models/command/progress.h"
#include "models/command/train/folder.h"
#include "models/command/train/log.h"
#include "models/command/train/probes.h"

typedef struct run {
    nm_context *context;
    const arguments *arguments;
    nm_config config;
    nm_trainer *trainer;
    char folder[RUN_PATH];
    char checkpoint[RUN_PATH]; /* of a run that goes on */
    run_claim claim;
    run_log log;
    run_probes probes;
    progress progress;
    bool begun; /* the bar */
    bool quiet, json;
    bool unheard; /* standard output cannot be written */
    bool resumes;
    /* One of several runs of the command: repeat.h */
    bool is_member;
    int folds, fold; /* from 0; zeros: none */
    int64_t seed;    /* with has_seed: instead of the file's */
    bool has_seed;
} run;

/* ---- run.c ---- */

/* Opens the file, claims the folder, trains; `result` is filled in where there is a trainer. */
nm_status run_all(run *r, nm_train_result *result);
void run_close(run *r);

/* ---- report.c ---- */

/* The line of an epoch that is over, for a person. */
void print_epoch(run *r, const nm_train_state *state);
/* The same as JSON on standard output; false if that cannot be written. */
bool print_epoch_json(const run *r, const nm_train_state *state);
/* The end, in the way that was asked for. */
void print_result(const run *r, const nm_train_result *result);
/* What to type for going on with the run, on that stream. */
void print_resume(const run *r, FILE *to);

#endif
