/* Files that pages and pictures are written to: whole or not at all, and over nothing of others. */
#ifndef NM_MODELS_COMMAND_PAGE_OUTPUT_H
#define NM_MODELS_COMMAND_PAGE_OUTPUT_H

#include <stdio.h>

#include "norma.h"

/* Stands at the beginning of every file that is written here: what has it may be replaced. */
#define OUTPUT_MARK "<!-- written by norma -->\n"

/* Text in memory, until it is whole. Stays where it is: the stream knows the place. */
typedef struct output {
    nm_context *context;
    FILE *to; /* NULL: there is an error */
    char *text;
    size_t size;
} output;

/* `fine`: what came before went well; else there is no memory. */
void output_begin(output *out, nm_context *context, bool fine);
/* Whether output_end() would write there, as far as it can be known before. */
nm_status output_check(nm_context *context, const char *path);
/* Writes it to a file. One that is there and was not written by norma stays (NM_ERROR_INPUT). */
nm_status output_end(output *out, const char *path);

#endif
