/* Paths of what is in a run's folder. */
#ifndef NM_MODELS_COMMAND_TRAIN_PATH_H
#define NM_MODELS_COMMAND_TRAIN_PATH_H

#include <stdbool.h>

#define RUN_PATH 4096

/* Whether there is something of that name, or may be: what cannot be looked at is not taken for
 * absent. Whether it is a file, and no pipe or folder. */
bool path_exists(const char *path);
bool is_file(const char *path);
/* Whether both are there and are one file, whatever they are called. NULL is none. */
bool is_same_file(const char *a, const char *b);
/* "FOLDER/name"; false if it is too long. */
bool path_join(char out[RUN_PATH], const char *folder, const char *name);
/* Whether the folder holds something of that name, or may, if only a link that leads nowhere. */
bool folder_holds(const char *folder, const char *name);

#endif
