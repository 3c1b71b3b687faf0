#include "core/values/spans.h"

#include <string.h>
#include <yaml.h>

#include "core/value.h"

typedef struct reader {
    nm_spans *spans;
    const char *text;
    size_t size;
    size_t characters, bytes; /* a place, counted in both ways; marks go onwards from there */
    size_t last_end;          /* of what was closed last */
    int open[NM_VALUE_MAX_DEPTH + 1];
    int depth;
} reader;

/* ---- Marks ---- */

static bool continues(const reader *r, size_t byte)
{
    return byte < r->size && ((unsigned char)r->text[byte] & 0xC0) == 0x80;
}

/* The byte of a mark, which counts characters. */
static size_t byte_of(reader *r, const yaml_mark_t *mark)
{
    if (mark->index < r->characters) {
        r->characters = r->bytes = 0;
    }
    for (; r->characters < mark->index && r->bytes < r->size; r->characters++) {
        for (r->bytes++; continues(r, r->bytes); r->bytes++) {
        }
    }
    return r->bytes;
}

/* ---- Spans ---- */

static nm_span *add_span(reader *r, const yaml_event_t *event)
{
    nm_spans *s = r->spans;
    if (s->count == s->capacity) {
        int capacity = s->capacity ? 2 * s->capacity : 64;
        nm_span *larger = nm_resize(s->context, s->at, (size_t)capacity * sizeof *larger);
        if (!larger) {
            return NULL;
        }
        s->at = larger;
        s->capacity = capacity;
    }
    nm_span *span = &s->at[s->count++];
    *span = (nm_span){.begin = byte_of(r, &event->start_mark), .next = s->count};
    span->end = byte_of(r, &event->end_mark);
    return span;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool add_scalar(reader *r, const yaml_event_t *event)
{
    nm_span *span = add_span(r, event);
    if (!span) {
        return false;
    }
    /* Text in block style ends behind its last line. */
    while (span->end > span->begin && is_blank(r->text[span->end - 1])) {
        span->end--;
    }
    span->alias = event->type == YAML_ALIAS_EVENT;
    r->last_end = span->end;
    return true;
}

static bool open_container(reader *r, const yaml_event_t *event)
{
    bool map = event->type == YAML_MAPPING_START_EVENT;
    nm_span *span = r->depth <= NM_VALUE_MAX_DEPTH ? add_span(r, event) : NULL;
    if (!span) {
        return false;
    }
    span->block = map ? event->data.mapping_start.style == YAML_BLOCK_MAPPING_STYLE
                      : event->data.sequence_start.style == YAML_BLOCK_SEQUENCE_STYLE;
    span->bare = map && !span->block && span->end == span->begin;
    r->open[r->depth++] = r->spans->count - 1;
    r->last_end = span->end;
    return true;
}

static void close_container(reader *r, const yaml_event_t *event)
{
    nm_span *span = &r->spans->at[r->open[--r->depth]];
    span->next = r->spans->count;
    span->end = span->block || span->bare ? r->last_end : byte_of(r, &event->end_mark);
    r->last_end = span->end;
}

static bool take_event(reader *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
    case YAML_SCALAR_EVENT: return add_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT: return open_container(r, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: close_container(r, event); return true;
    default: return true;
    }
}

/* ---- The whole text ---- */

static bool read_events(reader *r, yaml_parser_t *parser)
{
    yaml_event_t event;
    bool fine = true;
    for (bool more = true; more && fine;) {
        fine = yaml_parser_parse(parser, &event);
        if (!fine) {
            nm_fail(r->spans->context, NM_ERROR_MEMORY, "out of memory (while reading YAML)");
            return false;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        fine = take_event(r, &event);
        yaml_event_delete(&event);
    }
    return fine;
}

bool nm_spans_read(nm_spans *spans, const char *text, size_t size)
{
    yaml_parser_t parser;
    reader r = {.spans = spans, .text = text, .size = size};
    if (!yaml_parser_initialize(&parser)) {
        nm_fail(spans->context, NM_ERROR_MEMORY, "out of memory (while reading YAML)");
        return false;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    bool fine = read_events(&r, &parser);
    yaml_parser_delete(&parser);
    return fine;
}

void nm_spans_free(nm_spans *spans)
{
    nm_free(spans->context, spans->at);
    *spans = (nm_spans){.context = spans->context};
}
