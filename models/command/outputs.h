/* What a network's outputs are called, and tables of them in files. */
#ifndef NM_MODELS_COMMAND_OUTPUTS_H
#define NM_MODELS_COMMAND_OUTPUTS_H

#include "core/text.h"
#include "models/command/command.h"

#define OUTPUT_NAME 32

/* What output `i` of `outputs` is called: its class, or the value that it predicts, where each
 * predicts one. In `text`, or the schema's own (NULL: there is none). */
const char *output_name(const nm_schema *schema, bool of_class, int64_t outputs, int64_t i,
                        char text[OUTPUT_NAME]);

/* A cell of a CSV file, in quotes where it needs them (RFC 4180). */
void add_cell(nm_text *text, const char *cell);
/* Writes the text to a file, whole or not at all, and frees it; NULL: it could not be made. */
nm_status write_text(nm_context *context, const char *path, char *text);

#endif
