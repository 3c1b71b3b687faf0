/* What replacing a file is made of. Nothing outside core includes this. */
#ifndef NM_CORE_FILES_WRITE_H
#define NM_CORE_FILES_WRITE_H

#include <sys/stat.h>

#include "core/context.h"

/* "cannot write PATH: reason". Returns NM_ERROR_IO. */
nm_status nm_file_fail_to_write(nm_context *context, const char *path, const char *reason);
nm_status nm_file_fail_with_errno(nm_context *context, const char *path, int error);

/* Length of the folder's part of a path with its slash; 0: none. */
int nm_file_folder_length(const char *path);

/* What a path leads to: behind the links at its end, if they may be followed. */
typedef struct nm_file_target {
    char *path; /* new memory, free with nm_free(); NULL: no regular file, which is not replaced */
    bool exists;
    struct stat info; /* of what exists */
} nm_file_target;

/* Fails with NM_ERROR_IO where the system would not let the path be written, too. */
nm_status nm_file_target_find(nm_context *context, const char *path, nm_file_target *target);

/* Makes a temporary file beside `target` that nobody else has, locked for as long as it is open.
 * Returns its number and its name (new memory, free with nm_free()), or -1 with an error that names
 * `path`. */
int nm_file_temporary_open(nm_context *context, const char *path, const char *target, mode_t mode,
                           char **name);
/* Removes the temporary files in a folder whose processes are gone. */
void nm_file_temporary_sweep(const char *folder);

#endif
