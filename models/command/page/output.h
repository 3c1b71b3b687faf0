/* Files that pages and pictures are written to: whole or not at all, and over nothing of others. */
#ifndef NM_MODELS_COMMAND_PAGE_OUTPUT_H
#define NM_MODELS_COMMAND_PAGE_OUTPUT_H

#include "models/command/text_stream.h"

/* Stands at the beginning of every file that is written here: what has it may be replaced. */
#define OUTPUT_MARK "<!-- written by norma -->\n"

/* Begins what is to be a file: a text in memory, until it is whole. NULL if the context has an
 * error. */
FILE *output_begin(text_stream *out, nm_context *context);
/* Whether output_end() would write there, as far as it can be known before. */
nm_status output_check(nm_context *context, const char *path);
/* Writes it to a file. One that is there and was not written by norma stays (NM_ERROR_INPUT). */
nm_status output_end(text_stream *out, const char *path);

#endif
