/* Progress on standard error: a live bar on a terminal, as wide as fits, and lines of epochs;
 * elsewhere the lines only; or nothing. */
#ifndef NM_MODELS_COMMAND_PROGRESS_H
#define NM_MODELS_COMMAND_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    bool quiet, live, colour, unicode;
    int64_t epochs, steps; /* in all; steps of one epoch */
    int64_t every;         /* epochs have a line of their own; all, unless there are many */
    int64_t first_step;    /* the run's first, when it was resumed */
    double start, shown;   /* seconds on the steady clock */
    double line_shown;     /* the same, of an epoch's line; 0: there was none */
    int width;             /* of the bar's line as it stands; 0: none */
    char held[512];        /* the summary of an epoch that has no line, and is the last so far */
    int64_t held_epoch;
} progress;

/* Epochs and steps an epoch of the whole run; `done` steps were made before (a resumed run). */
progress progress_begin(bool quiet, int64_t epochs, int64_t steps, int64_t done);
/* After a step: `step` counts from 0 over the whole run. Draws at most ten times a second. */
void progress_step(progress *p, int64_t step, double loss, double samples_per_second);
/* The summary line of an epoch: "epoch  3/10  train loss 0.3124  test loss ..., accuracy 90.12 %".
 * Of more than a hundred epochs only every second, fifth, tenth, ... has one, and the last, and one
 * that a minute without a line was spent on. */
void progress_epoch(progress *p, int64_t epoch, const char *summary);
/* Whether the line would fit into the window, if there is one; the first may be longer. */
bool progress_has_room(const progress *p, const char *summary);
/* Clears the bar, so that other output can follow. The last epoch has a line, too. */
void progress_end(progress *p);

/* Whether the locale's text is UTF-8, as the environment has it. */
bool terminal_speaks_unicode(void);

#endif
