#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"

static bool first;

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

static void put_key(const char *key)
{
    fputs(first ? "" : ", ", stdout);
    first = false;
    put_text(key);
    fputs(": ", stdout);
}

void json_begin(void)
{
    putchar('{');
    first = true;
}

void json_string(const char *key, const char *value)
{
    put_key(key);
    if (value) {
        put_text(value);
    } else {
        fputs("null", stdout);
    }
}

void json_number(const char *key, double value)
{
    char text[32];
    put_key(key);
    fputs(isfinite(value) ? nm_format_float(value, text) : "null", stdout);
}

void json_integer(const char *key, int64_t value)
{
    put_key(key);
    printf("%lld", (long long)value);
}

void json_shape(const char *key, const nm_shape *shape)
{
    char text[NM_SHAPE_TEXT];
    put_key(key);
    fputs(nm_shape_text(shape, text), stdout);
}

int json_end(void)
{
    fputs("}\n", stdout);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "norma: cannot write to standard output: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    return EXIT_FINE;
}
