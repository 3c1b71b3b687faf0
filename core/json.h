/* Just enough JSON to read a safetensors header: a cursor over bytes that never passes their end.
 */
#ifndef NM_CORE_JSON_H
#define NM_CORE_JSON_H

#include "core/context.h"

typedef struct nm_json {
    nm_context *context;
    const char *name; /* of the file, for messages */
    const char *at, *end;
} nm_json;

/* Fails with NM_ERROR_FORMAT: "NAME: header: message". */
nm_status nm_json_fail(nm_json *json, const char *format, ...) NM_PRINTF(2, 3);
/* Skips white space; the next byte, or 0 at the end. */
char nm_json_peek(nm_json *json);
/* Takes one punctuation mark. */
nm_status nm_json_expect(nm_json *json, char mark);
/* After an item of a list or object: takes "," (more follow) or `close` (`*more` false). */
nm_status nm_json_next(nm_json *json, char close, bool *more);
/* A string, unescaped, checked to be UTF-8 without a 0; new memory. */
nm_status nm_json_string(nm_json *json, char **text);
/* A whole number from 0. */
nm_status nm_json_count(nm_json *json, uint64_t *value);

#endif
