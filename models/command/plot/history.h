/* What a run wrote down while it went: curves by name. Read from the run's folder while it goes on,
 * after it was cut off, or when it is over. */
#ifndef NM_MODELS_COMMAND_PLOT_HISTORY_H
#define NM_MODELS_COMMAND_PLOT_HISTORY_H

#include "models/command/train/path.h"
#include "norma.h"

#define CURVE_NAME 160

/* A quantity over time. What log.jsonl has of an epoch is called as it is there: "train_loss". What
 * a probe says of a layer is PROBE.VALUE: "gradient_norms.norm" of "dense1.weight". */
typedef struct curve {
    char name[CURVE_NAME];
    char layer[CURVE_NAME]; /* "": of the whole run */
    int64_t count, room;
    double *step, *epoch, *seconds; /* [count]; NaN: not known */
    double *value; /* [count]; NaN: there was none, as of a loss that is infinite */
} curve;

typedef enum run_state { RUN_ENDED, RUN_FAILED, RUN_GOES_ON, RUN_CUT_OFF } run_state;

typedef struct history {
    nm_context *context;
    char folder[RUN_PATH];
    curve *curves;
    int count, room;
    int64_t epochs, steps; /* the last's number; updates before it ended */
    double seconds;
    run_state state;
    char error[256]; /* why it failed; as a JSON text without its quotes */
} history;

/* Reads the run in a folder. NM_ERROR_INPUT if there is none. On failure it is to be closed all the
 * same. */
nm_status history_read(nm_context *context, const char *folder, history *h);
void history_close(history *h);
/* "finished", "goes on" */
const char *run_state_name(run_state state);

/* Reads the runs that a folder stands for, itself or those of its folds or seeds, behind the
 * `*count` that there are; at most MOST_HISTORIES. NULL and 0 at first; to be closed also on
 * failure. */
#define MOST_HISTORIES 64
nm_status histories_add(nm_context *context, const char *folder, history **runs, int *count);
void histories_close(nm_context *context, history *runs, int count);

#endif
