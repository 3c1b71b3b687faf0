/* Paths as text: what one means that is written in a file, and how it is written in another. */
#ifndef NM_CORE_PATH_H
#define NM_CORE_PATH_H

#include "core/context.h"

/* `path` as it is meant when it stands in `file`: from that file's folder, unless it is absolute.
 * New memory, free with nm_free(); NULL if there is none left. */
char *nm_path_in(nm_context *context, const char *file, const char *path);
/* `path` (of this process: absolute, or from the current folder) as it is to be written in a file
 * of `folder`, which must be there: "../data/iris.csv". Links on the way to both are followed, so
 * that ".." means what it should. New memory; NULL on failure. */
NM_COMMAND_API char *nm_path_from(nm_context *context, const char *folder, const char *path);

#endif
