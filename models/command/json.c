#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/command/command.h"

static void put_text(const char *text)
{
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\') {
            printf("\\%c", *c);
        } else if (*c == '\n') {
            fputs("\\n", stdout);
        } else if (*c < 0x20) {
            printf("\\u%04x", *c);
        } else {
            putchar(*c);
        }
    }
    putchar('"');
}

static void put_key(json_line *line, const char *key)
{
    fputs(line->fields++ ? ", " : "{", stdout);
    put_text(key);
    fputs(": ", stdout);
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

static void put_number(double value)
{
    char text[32];
    fputs(isfinite(value) ? nm_format_float(value, text) : "null", stdout);
}

void json_string(json_line *line, const char *key, const char *value)
{
    put_key(line, key);
    if (value) {
        put_text(value);
    } else {
        fputs("null", stdout);
    }
}

void json_number(json_line *line, const char *key, double value)
{
    put_key(line, key);
    put_number(value);
}

void json_numbers(json_line *line, const char *key, nm_tensor *tensor, int64_t first, int64_t count)
{
    put_key(line, key);
    putchar('[');
    for (int64_t i = 0; i < count; i++) {
        fputs(i ? ", " : "", stdout);
        double value = nm_tensor_get(tensor, first + i);
        char text[32];
        fputs(isfinite(value) ? format_f32(value, text) : "null", stdout);
    }
    putchar(']');
}

void json_integer(json_line *line, const char *key, int64_t value)
{
    put_key(line, key);
    printf("%lld", (long long)value);
}

void json_shape(json_line *line, const char *key, const nm_shape *shape)
{
    char text[NM_SHAPE_TEXT];
    put_key(line, key);
    fputs(nm_shape_text(shape, text), stdout);
}

bool json_end(const json_line *line)
{
    fputs(line->fields ? "}\n" : "{}\n", stdout);
    return fflush(stdout) == 0 && !ferror(stdout);
}
