/* Where runs are kept: a folder for each, runs/NAME, runs/NAME-2, ... after the network's file. */
#ifndef NM_MODELS_COMMAND_TRAIN_FOLDER_H
#define NM_MODELS_COMMAND_TRAIN_FOLDER_H

#include "norma.h"

#define RUN_PATH 4096

/* The folder of the newest run of that file, or the next free one. False if there is none yet (for
 * the newest), or the name is too long. */
bool newest_run(const char *file, char folder[RUN_PATH]);
bool next_run(const char *file, char folder[RUN_PATH]);
/* Whether there is something of that name. */
bool path_exists(const char *path);
/* "FOLDER/name"; false if it is too long. */
bool path_join(char out[RUN_PATH], const char *folder, const char *name);
/* The parameters to use: `weights` (a file or a run's folder), or those of the newest run of
 * `file`: the best ones if there are, else the last. An error says what was looked for. */
nm_status find_weights(nm_context *context, const char *file, const char *weights,
                       char path[RUN_PATH]);

#endif
