/* Text that stdio writes into memory. Unlike a file of glibc's open_memstream(), which goes on
 * without a word where memory ran out, it never lacks a part:
 *
 *     text_stream s;
 *     if (text_begin(&s, context)) {
 *         fprintf(s.to, "%d lines", count);
 *     }
 *     if (text_end(&s)) {
 *         use(s.text, s.size);
 *     }
 *     text_free(&s); */
#ifndef NM_MODELS_COMMAND_TEXT_STREAM_H
#define NM_MODELS_COMMAND_TEXT_STREAM_H

#include <stdio.h>

#include "norma.h"

typedef struct text_stream {
    nm_context *context;
    FILE *to;   /* between beginning and end; NULL: there is an error */
    char *text; /* behind the end, closed by a 0 that `size` does not count; NULL: there is an error
                 */
    size_t size, room;
} text_stream;

/* Where to write. It must stay where it is: the stream knows the place. NULL (NM_ERROR_MEMORY) on
 * failure. */
FILE *text_begin(text_stream *s, nm_context *context);
/* The text, whole; NULL on failure, which is the context's error (NM_ERROR_MEMORY). */
char *text_end(text_stream *s);
/* Whether it has begun or not, ended or not. */
void text_free(text_stream *s);

#endif
