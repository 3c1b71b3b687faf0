/* Where the values of a YAML text stand in it, byte by byte. */
#ifndef NM_CORE_VALUES_SPANS_H
#define NM_CORE_VALUES_SPANS_H

#include "core/context.h"

/* A value, a key or an alias. Those of a container follow it, down to the last, in the text's
 * order: a key, its value, the next key. */
typedef struct nm_span {
    size_t begin, end; /* bytes; a block ends where its last value does. Equal: nothing is there */
    int next;          /* index of what follows it and all that is in it */
    bool alias;
    bool block; /* a list or map in block style */
    bool bare;  /* a map in flow style without its braces: [dense: {units: 3}] */
} nm_span;

typedef struct nm_spans {
    nm_context *context;
    nm_span *at;
    int count, capacity;
} nm_spans;

/* Of a text that is known to be fine: it was parsed. False if memory ran out. */
bool nm_spans_read(nm_spans *spans, const char *text, size_t size);
void nm_spans_free(nm_spans *spans);

#endif
