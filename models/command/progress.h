/* Progress on standard error: a live bar on a terminal, a line an epoch elsewhere, or nothing. */
#ifndef NM_MODELS_COMMAND_PROGRESS_H
#define NM_MODELS_COMMAND_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool quiet, live, colour, unicode;
    int64_t epochs, steps; /* in all; steps of one epoch */
    int64_t epoch;         /* the running one, from 0 */
    int64_t first_step;    /* the run's first, when it was resumed */
    double start, shown;   /* seconds on the steady clock */
    int width;             /* of the bar's line as it stands; 0: none */
} progress;

/* Epochs and steps an epoch of the whole run; `done` steps were made before (a resumed run). */
progress progress_begin(bool quiet, int64_t epochs, int64_t steps, int64_t done);
/* After a step: `step` counts from 0 over the whole run. Draws at most ten times a second. */
void progress_step(progress *p, int64_t step, double loss, double samples_per_second);
/* The summary line of an epoch: "epoch  3/10  train loss 0.3124  test loss ..., accuracy 90.12 %".
 */
void progress_epoch(progress *p, int64_t epoch, const char *summary);
/* Clears the bar, so that other output can follow. */
void progress_end(progress *p);

#endif
