/* Where runs are kept: a folder for each, runs/NAME, runs/NAME-2, ... after the network's file, or
 * the one that --out names. Promises:
 *
 * 1. A folder is one run's: it is claimed by making it, or its log, and by a lock on the log that
 *    goes with the process. Of two that want the same one, one gets it.
 * 2. A run belongs to the file it was made from: its log says which. */
#ifndef NM_MODELS_COMMAND_TRAIN_FOLDER_H
#define NM_MODELS_COMMAND_TRAIN_FOLDER_H

#include <stdio.h>

#include "models/command/train/path.h"
#include "norma.h"

/* ---- Names ---- */

/* runs/NAME for the first, runs/NAME-N for the others; false if it is too long. */
bool run_name(const char *file, int number, char folder[RUN_PATH]);
#define MOST_RUNS 100000

/* ---- A folder that is held (claim.c) ---- */

typedef struct run_claim {
    const char *folder; /* the caller's */
    FILE *log;          /* log.jsonl, to be appended to; the lock is on it */
    bool made_folder, made_log, locked;
} run_claim;

/* The next free folder of that file; its name is left in `folder`. */
nm_status claim_next(nm_context *context, const char *file, char folder[RUN_PATH],
                     run_claim *claim);
/* That folder, for a new run: there may be no other run in it. */
nm_status claim_new(nm_context *context, const char *folder, run_claim *claim);
/* That folder, to go on with its run. */
nm_status claim_again(nm_context *context, const char *folder, run_claim *claim);
/* Lets go. Of a run that did not come to be, nothing is left. */
void claim_end(run_claim *claim);
void claim_undo(run_claim *claim);
/* NM_ERROR_INPUT if a new run cannot be in that folder: what it has already is told. */
nm_status check_free(nm_context *context, const char *folder);

/* ---- Runs that are there ---- */

/* NM_ERROR_INPUT if there is no checkpoint in that folder: what there is instead is told. */
nm_status check_resumable(nm_context *context, const char *folder);
/* The newest run of that file, which must have a checkpoint. An error says what was found instead.
 */
nm_status find_resumable(nm_context *context, const char *file, char folder[RUN_PATH]);
/* The parameters to use: `weights` (a file or a run's folder), or those of the newest run of
 * `file`: the best ones if there are, else the last. A run that failed is passed over, and that is
 * said on standard error. An error says what was looked for. */
nm_status find_weights(nm_context *context, const char *file, const char *weights,
                       char path[RUN_PATH]);

#endif
