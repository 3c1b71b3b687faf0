#include "core/value.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/guard.h"
#include "core/value_internal.h"

/* ---- A document's memory: chunks that are freed together ---- */

struct nm_document_chunk {
    nm_document_chunk *next;
    size_t size, used;
    max_align_t data[];
};

#define CHUNK_BYTES ((size_t)16 << 10)

static nm_document_chunk *chunk_create(nm_document *document, size_t size)
{
    size_t bytes = size > CHUNK_BYTES ? size : CHUNK_BYTES;
    nm_document_chunk *chunk = nm_alloc(document->context, sizeof *chunk + bytes);
    if (chunk) {
        *chunk = (nm_document_chunk){.next = document->chunks, .size = bytes};
        document->chunks = chunk;
    }
    return chunk;
}

void *nm_document_alloc(nm_document *document, size_t size)
{
    size_t rounded = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    nm_document_chunk *chunk = document->chunks;
    if (!chunk || chunk->size - chunk->used < rounded) {
        chunk = chunk_create(document, rounded);
    }
    if (!chunk) {
        return NULL;
    }
    void *memory = (char *)chunk->data + chunk->used;
    chunk->used += rounded;
    return memory;
}

char *nm_document_copy(nm_document *document, const char *text, size_t length)
{
    char *copy = nm_document_alloc(document, length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = 0;
    }
    return copy;
}

nm_value *nm_document_value(nm_document *document, nm_value_kind kind, const char *file, int line,
                            int column)
{
    nm_value *value = nm_document_alloc(document, sizeof *value);
    if (value) {
        *value = (nm_value){.kind = kind, .line = line, .column = column, .file = file, .text = ""};
    }
    return value;
}

/* ---- Documents ---- */

nm_document *nm_document_parse(nm_context *context, const char *text, size_t size, const char *file)
{
    return nm_document_parse_within(context, text, size, file, NM_VALUE_MAX_BYTES,
                                    NM_VALUE_MAX_NODES);
}

nm_document *nm_document_parse_within(nm_context *context, const char *text, size_t size,
                                      const char *file, size_t most_bytes, int most_nodes)
{
    nm_document *document = nm_alloc_zero(context, 1, sizeof *document);
    if (!document) {
        return NULL;
    }
    document->context = context;
    document->most_bytes = most_bytes;
    document->most_nodes = most_nodes;
    document->name = nm_document_copy(document, file ? file : "", file ? strlen(file) : 0);
    if (document->name) {
        document->root = nm_document_parse_into(document, text ? text : "", text ? size : 0,
                                                document->name, 0, 0);
    }
    if (!document->root) {
        nm_document_destroy(document);
        return NULL;
    }
    return document;
}

nm_document *nm_document_read(nm_context *context, const char *path)
{
    NM_REQUIRE(context, path, NULL);
    size_t size;
    char *text = nm_file_read(context, path, NM_VALUE_MAX_BYTES, &size);
    if (!text) {
        return NULL;
    }
    nm_document *document = nm_document_parse(context, text, size, path);
    if (document && nm_document_keep_source(document, text, size, path) != NM_OK) {
        nm_document_destroy(document);
        document = NULL;
    }
    nm_free(context, text);
    return document;
}

void nm_document_destroy(nm_document *document)
{
    if (!document) {
        return;
    }
    nm_context *context = document->context;
    while (document->chunks) {
        nm_document_chunk *chunk = document->chunks;
        document->chunks = chunk->next;
        nm_free(context, chunk);
    }
    nm_free(context, document);
}

const nm_value *nm_document_root(const nm_document *document)
{
    NM_GIVEN(document, NULL);
    return document->root;
}

/* ---- Looking at values ---- */

const nm_value *nm_value_get(const nm_value *map, const char *key)
{
    NM_GIVEN(key, NULL);
    for (int i = 0; map && map->kind == NM_VALUE_MAP && i < map->count; i++) {
        if (!strcmp(map->entries[i].key->text, key)) {
            return map->entries[i].value;
        }
    }
    return NULL;
}

const nm_value *nm_value_place(const nm_value *map, const char *key)
{
    NM_GIVEN(key, NULL);
    const nm_value *value = nm_value_get(map, key);
    return value ? value : map;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* YAML writes its words in three ways: true, True, TRUE. Others, such as tRue, are plain text. The
 * C library's comparisons are of no use here, since they follow the locale. */
static bool is_word(const char *text, const char *lower)
{
    bool first = is_upper(*text), rest = first && is_upper(text[1]);
    for (bool upper = first; *lower; text++, lower++, upper = rest) {
        if (*text != (upper ? *lower - 'a' + 'A' : *lower)) {
            return false;
        }
    }
    return !*text;
}

bool nm_value_is_null(const nm_value *value)
{
    return value && value->kind == NM_VALUE_SCALAR && !value->quoted &&
           (!*value->text || !strcmp(value->text, "~") || is_word(value->text, "null"));
}

bool nm_value_as_bool(const nm_value *value, bool *result)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (int i = 0; value->kind == NM_VALUE_SCALAR && !value->quoted && i < 6; i++) {
        if (is_word(value->text, words[i])) {
            *result = i % 2;
            return true;
        }
    }
    return false;
}

/* ---- Putting messages together ---- */

void nm_line_begin(nm_line *line)
{
    line->length = 0;
    line->text[0] = 0;
}

void nm_line_add(nm_line *line, const char *format, ...)
{
    size_t space = sizeof line->text - line->length;
    va_list list;
    va_start(list, format);
    int written = vsnprintf(line->text + line->length, space, format, list);
    va_end(list);
    if (written > 0) {
        line->length += (size_t)written < space ? (size_t)written : space - 1;
    }
}

void nm_line_add_place(nm_line *line, const char *file, int line_number, int column)
{
    if (*file && line_number > 0) {
        nm_line_add(line, "%s:%d:%d: ", file, line_number, column);
    } else if (*file) {
        nm_line_add(line, "%s: ", file);
    } else if (line_number > 0) {
        nm_line_add(line, "line %d, column %d: ", line_number, column);
    }
}

/* A colon and a number of at most nine digits; moves `at` behind it. 0 if there is none. */
static int read_part(const char **at)
{
    const char *digits = *at + 1;
    size_t count = **at == ':' ? strspn(digits, "0123456789") : 0;
    int number = 0;
    for (size_t i = 0; i < count && count < 10; i++) {
        number = 10 * number + (digits[i] - '0');
    }
    *at += number ? count + 1 : 0;
    return number;
}

bool nm_place_read(const char *line, nm_place *place)
{
    NM_GIVEN(line && place, false);
    for (const char *at = line; *line != ':' && *at && *at != '\n' && strncmp(at, ": ", 2) != 0;
         at++) {
        const char *end = at;
        *place = (nm_place){.file = (size_t)(at - line), .line = read_part(&end)};
        place->column = place->line ? read_part(&end) : 0;
        if (place->line && !strncmp(end, ": ", 2)) {
            place->length = (size_t)(end - line) + 2;
            return true;
        }
    }
    return false;
}

char *nm_text_shown(const char *text, size_t length, char shown[NM_SHOWN])
{
    size_t kept = length < NM_SHOWN ? length : NM_SHOWN - 4; /* room for "..." */
    while (kept < length && kept && ((unsigned char)text[kept] & 0xC0) == 0x80) {
        kept--; /* not within a character */
    }
    for (size_t i = 0; i < kept; i++) {
        shown[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i];
    }
    strcpy(shown + kept, kept < length ? "..." : "");
    return shown;
}

void nm_line_add_value(nm_line *line, const nm_value *value)
{
    char shown[NM_SHOWN];
    if (value->kind != NM_VALUE_SCALAR) {
        bool list = value->kind == NM_VALUE_LIST;
        nm_line_add(line, "a %s of %d %s", list ? "list" : "map", value->count,
                    value->count == 1 ? (list ? "item" : "entry") : (list ? "items" : "entries"));
    } else if (nm_value_is_null(value)) {
        nm_line_add(line, *value->text ? "null" : "nothing");
    } else {
        double number;
        bool bare = !value->quoted && nm_parse_float(value->text, &number);
        nm_text_shown(value->text, strlen(value->text), shown);
        nm_line_add(line, value->quoted ? "the quoted text \"%s\"" : bare ? "%s" : "\"%s\"", shown);
    }
}

/* ---- Diagnostics ---- */

#define ROOM_FOR_MORE 40 /* bytes kept for "... and N more" */

void nm_diagnostics_begin(nm_diagnostics *d, nm_context *context)
{
    NM_GIVEN(d, );
    /* Not an initializer: that would clear the text, and every op's options are checked this way.
     */
    d->context = context;
    d->count = 0;
    d->hidden = 0;
    d->length = 0;
    d->text[0] = 0;
}

/* What an alias stands for is read as often as it stands. */
static bool is_told(const nm_diagnostics *d, const char *place, const char *message)
{
    const size_t head = strlen(place), length = strlen(message);
    for (const char *line = d->text; *line; line += strcspn(line, "\n"), line += *line != 0) {
        if (strncmp(line, place, head) == 0 && strncmp(line + head, message, length) == 0 &&
            (line[head + length] == '\n' || !line[head + length])) {
            return true;
        }
    }
    return false;
}

/* Adds one message, or counts it as hidden if it does not fit; the first is cut instead. */
static void add_message(nm_diagnostics *d, const char *place, const char *message)
{
    d->count++;
    if (is_told(d, place, message)) {
        return;
    }
    size_t space = sizeof d->text - ROOM_FOR_MORE - d->length;
    const char *separator = d->length ? "\n" : "";
    int written = -1;
    if (!d->hidden) {
        written = snprintf(d->text + d->length, space, "%s%s%s", separator, place, message);
    }
    if (written >= 0 && (size_t)written < space) {
        d->length += (size_t)written;
    } else if (!d->length) {
        d->length = strlen(d->text);
    } else {
        d->text[d->length] = 0;
        d->hidden++;
    }
}

static void place_of(const nm_value *at, nm_line *place)
{
    nm_line_begin(place);
    if (at) {
        nm_line_add_place(place, at->file, at->line, at->column);
    }
}

void nm_diagnose(nm_diagnostics *d, const nm_value *at, const char *format, ...)
{
    NM_GIVEN(d && format, );
    char message[2048];
    nm_line place;
    place_of(at, &place);
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    add_message(d, place.text, message);
}

static bool has_place_in(const char *error, const char *file)
{
    nm_place place;
    return nm_place_read(error, &place) && strlen(file) == place.file &&
           strncmp(error, file, place.file) == 0;
}

nm_status nm_fail_at(nm_context *context, const nm_value *at)
{
    nm_line place;
    place_of(at, &place);
    if (place.length && !has_place_in(nm_context_error(context), at->file)) {
        place.text[place.length - 2] = 0; /* nm_fail_in() puts ": " behind it */
        nm_fail_in(context, "%s", place.text);
    }
    return nm_context_status(context);
}

void nm_diagnose_standing(nm_diagnostics *d, const nm_value *at)
{
    NM_GIVEN(d, );
    nm_status status = nm_context_status(d->context);
    if (status == NM_OK || status == NM_ERROR_MEMORY) {
        return;
    }
    nm_fail_at(d->context, at);
    add_message(d, "", nm_context_error(d->context));
    nm_context_clear_error(d->context);
}

nm_status nm_diagnostics_end(nm_diagnostics *d)
{
    NM_GIVEN(d, NM_ERROR_INPUT);
    if (nm_context_status(d->context) != NM_OK || !d->count) {
        return nm_context_status(d->context);
    }
    if (d->hidden) {
        snprintf(d->text + d->length, ROOM_FOR_MORE, "\n... and %d more", d->hidden);
    }
    return nm_fail(d->context, NM_ERROR_INPUT, "%s", d->text);
}
