/* Numbers as text, whatever the locale says. The C library's strtod() and printf() write and expect
 * the locale's decimal point, so it is put in before the one and taken out after the other. */
#include "core/guard.h"
#include "core/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Integers ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

bool nm_parse_int(const char *text, int64_t *value)
{
    NM_GIVEN(text, false);
    bool negative = *text == '-';
    text += *text == '-' || *text == '+';
    bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    text += hexadecimal ? 2 : 0;
    uint64_t base = hexadecimal ? 16 : 10, number = 0;
    uint64_t limit = (uint64_t)INT64_MAX + negative;
    if (!*text) {
        return false;
    }
    for (; *text; text++) {
        uint64_t digit = (uint64_t)digit_of(*text);
        if (digit >= base || number > (limit - digit) / base) {
            return false;
        }
        number = number * base + digit;
    }
    /* -2^63 has no positive counterpart. */
    *value = negative && number ? -(int64_t)(number - 1) - 1 : (int64_t)number;
    return true;
}

/* ---- Reading floats ---- */

#define LONGEST_FLOAT 500

static const char *skip_digits(const char *text)
{
    while (*text >= '0' && *text <= '9') {
        text++;
    }
    return text;
}

/* The end of "1", "1.", "1.5" or ".5"; NULL if there is no digit. Finds the point (or where it
 * would stand). */
static const char *skip_mantissa(const char *text, const char **point)
{
    const char *end = *point = skip_digits(text);
    if (*end == '.') {
        end = skip_digits(end + 1);
    }
    return end - text > (*point < end) ? end : NULL;
}

/* Whether text is [sign] mantissa [e [sign] digits] and nothing more. */
static bool is_decimal(const char *text, const char **point)
{
    const char *end = skip_mantissa(text + (*text == '-' || *text == '+'), point);
    if (end && (*end == 'e' || *end == 'E')) {
        const char *digits = end + 1 + (end[1] == '-' || end[1] == '+');
        end = skip_digits(digits);
        end = end > digits ? end : NULL;
    }
    return end && !*end && end - text <= LONGEST_FLOAT;
}

/* The number of a text that is_decimal(). */
static double convert(const char *text, const char *point)
{
    char local_point[32], copy[LONGEST_FLOAT + sizeof local_point];
    snprintf(local_point, sizeof local_point, "%.1f", 0.0); /* "0.0", in the locale's way */
    int point_length = (int)strlen(local_point) - 2;
    int before = (int)(point - text);
    snprintf(copy, sizeof copy, "%.*s%.*s%s", before, text, *point == '.' ? point_length : 0,
             local_point + 1, point + (*point == '.'));
    return strtod(copy, NULL);
}

static bool parse_special(const char *text, double *value)
{
    static const char *const infinities[] = {".inf", ".Inf", ".INF"};
    static const char *const nans[] = {".nan", ".NaN", ".NAN"};
    bool sign = *text == '-' || *text == '+';
    for (int i = 0; i < 3; i++) {
        if (!strcmp(text + sign, infinities[i])) {
            *value = *text == '-' ? -(double)INFINITY : (double)INFINITY;
            return true;
        }
        if (!strcmp(text, nans[i])) {
            *value = (double)NAN;
            return true;
        }
    }
    return false;
}

/* Whether the mantissa has a digit other than 0. */
static bool has_value(const char *text)
{
    return strcspn(text, "123456789") < strcspn(text, "eE");
}

bool nm_parse_float(const char *text, double *value)
{
    NM_GIVEN(text, false);
    const char *point;
    int64_t integer;
    if (!is_decimal(text, &point)) {
        if (nm_parse_int(text, &integer)) { /* hexadecimal */
            *value = (double)integer;
            return true;
        }
        return parse_special(text, value);
    }
    double number = convert(text, point);
    if (isinf(number) || (number == 0 && has_value(text))) {
        return false;
    }
    *value = number;
    return true;
}

/* ---- Writing floats ---- */

typedef struct decimal {
    bool negative;
    char digits[24]; /* d.ddd without its point */
    int count;
    int exponent; /* of the first digit */
} decimal;

static void decimal_of(double value, int count, decimal *d)
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    const char *exponent = strchr(text, 'e');
    *d = (decimal){.negative = *text == '-', .exponent = (int)strtol(exponent + 1, NULL, 10)};
    for (const char *at = text; at < exponent; at++) {
        if (*at >= '0' && *at <= '9') {
            d->digits[d->count++] = *at;
        }
    }
}

static char *put(char *at, const char *text, int count)
{
    memcpy(at, text, (size_t)count);
    return at + count;
}

/* 1e16, 1.5e-7 */
static char *put_scientific(char *at, const decimal *d)
{
    *at++ = d->digits[0];
    if (d->count > 1) {
        *at++ = '.';
        at = put(at, d->digits + 1, d->count - 1);
    }
    return at + snprintf(at, 6, "e%d", d->exponent);
}

/* 1500, 1.5, 0.0015 */
static char *put_positional(char *at, const decimal *d)
{
    static const char zeros[] = "000000000000000";
    if (d->exponent < 0) {
        at = put(put(at, "0.", 2), zeros, -d->exponent - 1);
        return put(at, d->digits, d->count);
    }
    int whole = d->exponent + 1;
    if (d->count <= whole) {
        return put(put(at, d->digits, d->count), zeros, whole - d->count);
    }
    at = put(put(at, d->digits, whole), ".", 1);
    return put(at, d->digits + whole, d->count - whole);
}

static void write_decimal(const decimal *d, char text[32])
{
    char *at = put(text, "-", d->negative);
    bool positional = d->exponent >= -4 && d->exponent <= 15;
    *(positional ? put_positional(at, d) : put_scientific(at, d)) = 0;
}

char *nm_format_float(double value, char text[32])
{
    NM_GIVEN(text, NULL);
    if (!isfinite(value)) {
        return strcpy(text, isnan(value) ? ".nan" : value < 0 ? "-.inf" : ".inf");
    }
    double back = 0;
    for (int count = 1; count <= 17; count++) { /* 17 digits always suffice */
        decimal d;
        decimal_of(value, count, &d);
        write_decimal(&d, text);
        if (nm_parse_float(text, &back) && back == value) {
            break;
        }
    }
    return text;
}
