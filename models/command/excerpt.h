/* Under a message that names a place: the line it is in, and a caret under the column. */
#ifndef NM_MODELS_COMMAND_EXCERPT_H
#define NM_MODELS_COMMAND_EXCERPT_H

#include <stdbool.h>
#include <time.h>

/* A line that is shown. */
typedef struct excerpt {
    const char *label; /* what it is headed by: "12", "--set" */
    const char *line;  /* ends at the end of the text or of the line */
    int column;        /* in characters, from 1; 0: no caret */
} excerpt;

/* Prints it to standard error, at most `width` columns wide; long lines are cut around the caret.
 * False if the line is not text or does not reach to the column: then nothing is printed. */
bool print_excerpt(const excerpt *e, int width, bool colour);

/* The text of a file from the beginning of line `line` on, in memory to be freed by the caller.
 * NULL if it cannot be told: the file is no regular one, too large, has not so many lines, or was
 * changed after `before`. */
char *read_from_line(const char *path, int line, struct timespec before);

#endif
