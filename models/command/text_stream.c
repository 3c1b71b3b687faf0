#include "models/command/text_stream.h"

#include <string.h>

/* Makes room for `more` bytes and a 0. */
static bool make_room(text_stream *s, size_t more)
{
    size_t room = s->room ? s->room : 256;
    while (room - s->size <= more) {
        room *= 2;
    }
    char *text = room > s->room ? nm_resize(s->context, s->text, room) : s->text;
    if (text) {
        s->text = text;
        s->room = room;
    }
    return text != NULL;
}

/* 0 is a failure, which the stream remembers. */
static ssize_t put(void *user, const char *bytes, size_t count)
{
    text_stream *s = user;
    if (!make_room(s, count)) {
        return 0;
    }
    memcpy(s->text + s->size, bytes, count);
    s->size += count;
    return (ssize_t)count;
}

FILE *text_begin(text_stream *s, nm_context *context)
{
    *s = (text_stream){.context = context};
    s->to = fopencookie(s, "w", (cookie_io_functions_t){.write = put});
    if (!s->to) {
        nm_fail(context, NM_ERROR_MEMORY, "out of memory (while writing a text)");
    }
    return s->to;
}

char *text_end(text_stream *s)
{
    const bool whole = s->to && !ferror(s->to);
    const bool ended = s->to && fclose(s->to) == 0;
    s->to = NULL;
    if (whole && ended && make_room(s, 0)) {
        s->text[s->size] = 0;
        return s->text;
    }
    nm_fail(s->context, NM_ERROR_MEMORY, "out of memory (while writing a text)");
    text_free(s);
    return NULL;
}

void text_free(text_stream *s)
{
    if (s->to) {
        fclose(s->to);
    }
    nm_free(s->context, s->text);
    *s = (text_stream){.context = s->context};
}
