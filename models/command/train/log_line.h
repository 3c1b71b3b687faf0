/* Lines of a run's files as they are read: an object with its fields. They may be cut off, or not
 * be ours at all. */
#ifndef NM_MODELS_COMMAND_TRAIN_LOG_LINE_H
#define NM_MODELS_COMMAND_TRAIN_LOG_LINE_H

#include <stdbool.h>
#include <stdio.h>

#include "norma.h"

#define LOG_LINE 65536 /* of ours that are looked at, by far */

/* As it is written: texts with their quotes and escapes. */
typedef struct log_field {
    const char *name, *value;
    size_t name_length, length;
} log_field;

/* The next field of an object on one line; `*at` is where the line begins at first. False at its
 * end, or where it is none. */
bool log_next(const char **at, log_field *field);
/* The field of that name. */
bool log_find(const char *line, const char *name, log_field *field);
/* Whether it is there and written like that. */
bool log_is(const char *line, const char *name, const char *written);
/* Its text without the quotes, cut to the room there is; its escapes stay, so that it can be shown.
 * Nothing happens where there is no text of that name. */
void log_take_text(const char *line, const char *name, char *to, size_t size);

/* Calls `take` for each line that is whole and not too long. NM_ERROR_IO if the file cannot be read
 * to its end: what was taken lacks a part then. */
nm_status log_lines(nm_context *context, FILE *from, const char *path,
                    void (*take)(void *user, const char *line), void *user);
/* The same of the file `path`; where there is none, nothing happens. */
nm_status log_lines_of(nm_context *context, const char *path,
                       void (*take)(void *user, const char *line), void *user);

#endif
