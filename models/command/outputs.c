#include "models/command/outputs.h"

#include <stdio.h>
#include <string.h>

const char *output_name(const nm_schema *schema, bool of_class, int64_t outputs, int64_t i,
                        char text[OUTPUT_NAME])
{
    if (of_class) {
        return nm_schema_class_name(schema, i, text);
    }
    if (schema && schema->targets == outputs) {
        return schema->target_names[i];
    }
    snprintf(text, OUTPUT_NAME, "output %lld", (long long)i);
    return text;
}

void add_cell(nm_text *t, const char *cell)
{
    if (!cell[strcspn(cell, ",\"\r\n")]) {
        nm_text_add(t, "%s", cell);
        return;
    }
    nm_text_add(t, "\"");
    for (const char *at = cell; *at; at++) {
        nm_text_add(t, *at == '"' ? "\"\"" : "%c", *at);
    }
    nm_text_add(t, "\"");
}

nm_status write_text(nm_context *context, const char *path, char *text)
{
    nm_file *file = text ? nm_file_create(context, path) : NULL;
    nm_status status = nm_context_status(context);
    if (file) {
        nm_file_write(file, text, strlen(text)); /* a failure is the commit's too */
        status = nm_file_commit(file);
    }
    nm_free(context, text);
    return status;
}
