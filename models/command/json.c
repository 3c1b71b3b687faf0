#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "models/command/command.h"

static FILE *target(const json_line *line)
{
    return line->to ? line->to : stdout;
}

/* Escapes what a terminal or a parser would take for more than text. A byte that is no UTF-8, as
 * names of files may have, becomes half of a surrogate pair, as Python has it: it can be told back.
 */
static void put_escaped(FILE *to, const char *text, int length)
{
    unsigned char c = (unsigned char)*text;
    if (!length) {
        fprintf(to, "\\udc%02x", c);
    } else if (c == '"' || c == '\\') {
        fprintf(to, "\\%c", c);
    } else if (c == '\n') {
        fputs("\\n", to);
    } else if (c < ' ' || c == 127) {
        fprintf(to, "\\u%04x", c);
    } else if (c == 0xc2 && (unsigned char)text[1] < 0xa0) { /* C1, such as an escape sequence */
        fprintf(to, "\\u%04x", (unsigned char)text[1]);
    } else {
        fprintf(to, "%.*s", length, text);
    }
}

void json_text(FILE *to, const char *text)
{
    const char *end = text + strlen(text);
    fputc('"', to);
    while (text < end) {
        int length = nm_utf8_length(text, end);
        put_escaped(to, text, length);
        text += length ? length : 1;
    }
    fputc('"', to);
}

static void put_key(json_line *line, const char *key)
{
    fputs(line->fields++ ? ", " : "{", target(line));
    json_text(target(line), key);
    fputs(": ", target(line));
}

char *format_f32(double value, char text[32])
{
    for (int digits = 6; isfinite(value) && digits <= 9; digits++) {
        snprintf(text, 32, "%.*g", digits, value);
        if (strtof(text, NULL) == (float)value) {
            return text;
        }
    }
    return nm_format_float(value, text);
}

static void put_number(FILE *to, double value)
{
    char text[32];
    fputs(isfinite(value) ? nm_format_float(value, text) : "null", to);
}

void json_string(json_line *line, const char *key, const char *value)
{
    put_key(line, key);
    if (value) {
        json_text(target(line), value);
    } else {
        fputs("null", target(line));
    }
}

void json_number(json_line *line, const char *key, double value)
{
    put_key(line, key);
    put_number(target(line), value);
}

void json_numbers(json_line *line, const char *key, nm_tensor *tensor, int64_t first, int64_t count)
{
    put_key(line, key);
    fputc('[', target(line));
    for (int64_t i = 0; i < count; i++) {
        fputs(i ? ", " : "", target(line));
        double value = nm_tensor_get(tensor, first + i);
        char text[32];
        fputs(isfinite(value) ? format_f32(value, text) : "null", target(line));
    }
    fputc(']', target(line));
}

void json_bool(json_line *line, const char *key, bool value)
{
    put_key(line, key);
    fputs(value ? "true" : "false", target(line));
}

void json_integer(json_line *line, const char *key, int64_t value)
{
    put_key(line, key);
    fprintf(target(line), "%lld", (long long)value);
}

json_line json_object(json_line *line, const char *key)
{
    put_key(line, key);
    return (json_line){.to = line->to};
}

json_line json_element(json_line *line, int64_t index)
{
    fputs(index ? ", " : "", target(line));
    return (json_line){.to = line->to};
}

void json_object_end(const json_line *object)
{
    fputs(object->fields ? "}" : "{}", target(object));
}

void json_list(json_line *line, const char *key)
{
    put_key(line, key);
    fputc('[', target(line));
}

void json_inner_list(json_line *line, int64_t index)
{
    fputs(index ? ", [" : "[", target(line));
}

void json_item(json_line *line, int64_t index, int64_t value)
{
    fprintf(target(line), index ? ", %lld" : "%lld", (long long)value);
}

void json_list_end(json_line *line)
{
    fputc(']', target(line));
}

void json_strings(json_line *line, const char *key, const char *const *values, int64_t count)
{
    json_list(line, key);
    for (int64_t i = 0; i < count; i++) {
        fputs(i ? ", " : "", target(line));
        json_text(target(line), values[i]);
    }
    json_list_end(line);
}

void json_doubles(json_line *line, const char *key, const double *values, int64_t count)
{
    json_list(line, key);
    for (int64_t i = 0; i < count; i++) {
        fputs(i ? ", " : "", target(line));
        put_number(target(line), values[i]);
    }
    json_list_end(line);
}

void json_shape(json_line *line, const char *key, const nm_shape *shape)
{
    char text[NM_SHAPE_TEXT];
    put_key(line, key);
    fputs(nm_shape_text(shape, text), target(line));
}

bool json_end(const json_line *line)
{
    FILE *to = target(line);
    fputs(line->fields ? "}\n" : "{}\n", to);
    return fflush(to) == 0 && !ferror(to);
}
