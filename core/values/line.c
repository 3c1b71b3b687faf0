/* Messages that are put together piece by piece. */
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/value_internal.h"

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
