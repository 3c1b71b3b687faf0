#include "core/text.h"

#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

#define FIRST_CAPACITY 256

/* Room for `more` bytes and a 0. */
static bool has_room(nm_text *t, size_t more)
{
    if (t->failed || t->capacity - t->length > more) {
        return !t->failed;
    }
    size_t capacity = t->capacity ? t->capacity : FIRST_CAPACITY;
    while (capacity - t->length <= more) {
        capacity *= 2;
    }
    char *larger = nm_resize(t->context, t->at, capacity);
    t->failed = !larger;
    if (larger) {
        t->at = larger;
        t->capacity = capacity;
    }
    return larger;
}

void nm_text_add_bytes(nm_text *t, const char *bytes, size_t count)
{
    if (has_room(t, count)) {
        memcpy(t->at + t->length, bytes, count);
        t->length += count;
        t->at[t->length] = 0;
    }
}

void nm_text_add(nm_text *t, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int length = vsnprintf(NULL, 0, format, list);
    if (length >= 0 && has_room(t, (size_t)length)) {
        vsnprintf(t->at + t->length, (size_t)length + 1, format, again);
        t->length += (size_t)length;
    }
    va_end(again);
    va_end(list);
}

/* ---- Quoting ---- */

/* U+0085 and U+2028, U+2029 end lines in YAML; a control character may stand in neither format. */
static bool needs_escape(const char *at, int length)
{
    unsigned char c = (unsigned char)*at;
    return (length == 1 && (c < ' ' || c == '"' || c == '\\' || c == 127)) ||
           (length == 2 && c == 0xC2 && (unsigned char)at[1] < 0xA0) ||
           (length == 3 && !memcmp(at, "\xE2\x80", 2) && ((unsigned char)at[2] | 1) == 0xA9) ||
           (length == 3 && !memcmp(at, "\xEF\xBB\xBF", 3));
}

void nm_text_add_quoted(nm_text *t, const char *string)
{
    if (!string) {
        nm_text_add(t, "null");
        return;
    }
    const char *end = string + strlen(string);
    nm_text_add_bytes(t, "\"", 1);
    for (const char *at = string; at < end;) {
        int length = nm_utf8_length(at, end);
        if (!length) {
            nm_text_add(t, "\\uFFFD");
            length = 1;
        } else if (*at == '"' || *at == '\\') {
            nm_text_add(t, "\\%c", *at);
        } else if (needs_escape(at, length)) {
            nm_text_add(t, "\\u%04X", nm_utf8_code(at, length));
        } else {
            nm_text_add_bytes(t, at, (size_t)length);
        }
        at += length;
    }
    nm_text_add_bytes(t, "\"", 1);
}

void nm_text_add_float(nm_text *t, double value)
{
    char number[32];
    nm_text_add(t, "%s", nm_format_float(value, number));
}

/* ---- Values ---- */

/* Text that is the same out of quotes, in any place. Numbers, booleans and names are. */
static bool is_plain(const char *text)
{
    static const char safe[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-/";
    return *text && text[strspn(text, safe)] == 0 && (*text != '-' || (text[1] && text[1] != '-'));
}

static void add_scalar(nm_text *t, const nm_value *value)
{
    if (nm_value_is_null(value)) {
        nm_text_add(t, "null");
    } else if (!value->quoted && is_plain(value->text)) {
        nm_text_add(t, "%s", value->text);
    } else {
        nm_text_add_quoted(t, value->text);
    }
}

/* As deep as a document may be. */
void nm_text_add_value(nm_text *t, const nm_value *value)
{
    if (value->kind == NM_VALUE_SCALAR) {
        add_scalar(t, value);
        return;
    }
    bool map = value->kind == NM_VALUE_MAP;
    nm_text_add(t, map ? "{" : "[");
    for (int i = 0; i < value->count; i++) {
        nm_text_add(t, i ? ", " : "");
        if (map) {
            add_scalar(t, value->entries[i].key);
            nm_text_add(t, ": ");
        }
        nm_text_add_value(t, map ? value->entries[i].value : value->items[i]);
    }
    nm_text_add(t, map ? "}" : "]");
}

/* ---- The end ---- */

void nm_text_drop(nm_text *t)
{
    nm_free(t->context, t->at);
    *t = (nm_text){.context = t->context};
}

char *nm_text_end(nm_text *t)
{
    nm_text_add_bytes(t, "", 0);
    char *text = t->failed ? NULL : t->at;
    if (t->failed) {
        nm_text_drop(t);
    }
    *t = (nm_text){.context = t->context};
    return text;
}
