/* Text that is put together piece by piece, of any length. A failure (no memory) is remembered, so
 * that only the end needs a check:
 *
 *     nm_text text = {.context = context};
 *     nm_text_add(&text, "%d of %d", i, n);
 *     nm_text_add_quoted(&text, name);
 *     char *all = nm_text_end(&text); // NULL if memory ran out */
#ifndef NM_CORE_TEXT_H
#define NM_CORE_TEXT_H

#include "core/option.h"

typedef struct nm_text {
    nm_context *context;
    char *at; /* `length` bytes and a 0; NULL: nothing yet */
    size_t length, capacity;
    bool failed;
} nm_text;

/* As printf does. */
NM_COMMAND_API void nm_text_add(nm_text *text, const char *format, ...) NM_PRINTF(2, 3);
void nm_text_add_bytes(nm_text *text, const char *bytes, size_t count);
/* In double quotes, escaped so that YAML and JSON both read it back as it was. Bytes that are not
 * UTF-8 become U+FFFD. NULL is written as null. */
NM_COMMAND_API void nm_text_add_quoted(nm_text *text, const char *string);
/* The shortest text that reads back as the same number; what is not finite as YAML has it. */
void nm_text_add_float(nm_text *text, double value);
/* A value in YAML's flow style, on one line: reading it gives the same tree. */
void nm_text_add_value(nm_text *text, const nm_value *value);
/* What differs from the spec's defaults or is required, as a map in flow style; a choice is {NAME:
 * {...}}. */
void nm_text_add_options(nm_text *text, const nm_spec *spec, const void *options);
void nm_text_add_choice(nm_text *text, const nm_choice *choice);
void nm_text_add_choices(nm_text *text, const nm_choices *choices);
/* The text, new memory to be freed with nm_free(); NULL, with an error, if memory ran out. Leaves
 * `text` empty. */
NM_COMMAND_API char *nm_text_end(nm_text *text);
/* Forgets the text. */
NM_COMMAND_API void nm_text_drop(nm_text *text);

#endif
