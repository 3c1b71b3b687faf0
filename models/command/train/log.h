/* The log of a run: log.jsonl in its folder, a JSON object a line. All that has to do with time,
 * this machine and the way the command was called stands here and in no other file of the run.
 *
 *     {"event": "start", ...}    the facts: command, file, version, threads, data, step
 *     {"event": "epoch", ...}    the same as with --json, and what --json leaves out
 *     {"event": "end", ...}      how it ended; missing where the process was killed
 *
 * A resumed run is appended, beginning with another start. */
#ifndef NM_MODELS_COMMAND_TRAIN_LOG_H
#define NM_MODELS_COMMAND_TRAIN_LOG_H

#include "models/command/command.h"
#include "models/command/train/folder.h"

/* ---- Writing ---- */

/* What a line cannot be written for is told once, and the run goes on without. */
typedef struct run_log {
    FILE *to; /* NULL: nothing is written (any more) */
    const char *folder;
} run_log;

void log_start(run_log *log, const arguments *arguments, const nm_config *config, int64_t step);
void log_epoch(run_log *log, const nm_train_state *state);
/* `error`: why it failed; NULL: it did not. `number`: the signal that ended it, or 0. */
void log_end(run_log *log, nm_context *context, const nm_train_result *result, int number,
             const char *error);

/* Of several runs together, `what` of them: "folds" or "seeds". */
void log_start_several(run_log *log, nm_context *context, const arguments *arguments,
                       const char *what, int count);
void log_end_several(run_log *log, int number, const char *error);

/* ---- Reading ---- */

/* What a run is known to be of: the file's real path, and that from the run's folder, which stays
 * where both are moved together. New memory, free with nm_free(); NULL for what is no file, such as
 * a pipe. */
void find_file(nm_context *context, const char *folder, const char *file, char *path[2]);

typedef struct run_record {
    bool is_there;    /* there is a log with a start in it */
    bool of_file;     /* it was made from the file asked for */
    bool failed;      /* its last part did */
    char started[32]; /* its last part: UTC, so that texts compare as times do */
    char file[256];   /* made from it, for messages; cut if it is longer */
    char error[256];  /* why it failed; the same */
    double seconds;   /* that all parts took */
} run_record;

/* What the log of a folder says; `file` may be NULL. */
run_record log_read(nm_context *context, const char *folder, const char *file);

#endif
