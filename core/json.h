/* JSON as the safetensors header has it, read by asking for what must come next.
 *
 * There is no tree and no recursion, so nesting has no depth to run out of. The text is changed on
 * the way: strings are unescaped where they stand, so they need no memory of their own and live as
 * long as the text. Every step returns false once one has failed, and does nothing then. */
#ifndef NM_CORE_JSON_H
#define NM_CORE_JSON_H

#include "core/context.h"

typedef struct nm_json {
    nm_context *context;
    const char *file;       /* for messages */
    char *begin, *at, *end; /* of the text; nothing at or beyond `end` is touched */
    bool failed;
} nm_json;

/* Fails with NM_ERROR_FORMAT: "FILE: header, byte N: message". Returns false. */
bool nm_json_fail(nm_json *json, const char *format, ...) NM_PRINTF(2, 3);
/* Takes the bracket that opens a list or an object. */
bool nm_json_open(nm_json *json, char bracket);
/* Whether another item follows before `close`; takes the comma or bracket in between. `items`
 * counts them, from 0:   for (int n = 0; nm_json_more(json, ']', &n);) { take an item } */
bool nm_json_more(nm_json *json, char close, int *items);
/* A string and the colon behind it. */
bool nm_json_key(nm_json *json, char **key);
/* A string, unescaped, UTF-8 without a 0 character. */
bool nm_json_string(nm_json *json, char **text);
/* A whole number from 0 to INT64_MAX, without exponent or fraction. */
bool nm_json_count(nm_json *json, int64_t *value);
/* That nothing but white space is left. */
bool nm_json_end(nm_json *json);

#endif
