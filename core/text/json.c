#include "core/json.h"

#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

bool nm_json_fail(nm_json *json, const char *format, ...)
{
    char message[512];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    if (!json->failed) {
        nm_fail(json->context, NM_ERROR_FORMAT, "%s: header, byte %td: %s", json->file,
                json->at - json->begin, message);
    }
    json->failed = true;
    return false;
}

/* ---- Between the values ---- */

/* The next byte that is no white space, or -1 at the end. */
static int peek(nm_json *json)
{
    while (json->at < json->end &&
           (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r')) {
        json->at++;
    }
    return json->at < json->end ? (unsigned char)*json->at : -1;
}

static bool expect(nm_json *json, char mark)
{
    if (json->failed || peek(json) != mark) {
        return nm_json_fail(json, "expected \"%c\"", mark);
    }
    json->at++;
    return true;
}

bool nm_json_open(nm_json *json, char bracket)
{
    return expect(json, bracket);
}

bool nm_json_more(nm_json *json, char close, int *items)
{
    if (json->failed) {
        return false;
    }
    if (peek(json) == close) {
        json->at++;
        return false;
    }
    if ((*items)++ && peek(json) != ',') {
        return nm_json_fail(json, "expected \",\" or \"%c\"", close);
    }
    json->at += *items > 1;
    return true;
}

bool nm_json_key(nm_json *json, char **key)
{
    return nm_json_string(json, key) && expect(json, ':');
}

bool nm_json_end(nm_json *json)
{
    if (json->failed || peek(json) >= 0) {
        return nm_json_fail(json, "more text behind the closing bracket");
    }
    return true;
}

/* ---- Characters ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Takes four hexadecimal digits; -1 if they are not there. */
static int take_hex(nm_json *json)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = json->at < json->end ? hex_digit(*json->at) : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
        json->at++;
    }
    return value;
}

/* Takes what follows "\u": one unit of UTF-16, or two. -1 if it is no character. */
static int take_utf16(nm_json *json)
{
    int first = take_hex(json);
    if (first < 0xd800 || first > 0xdfff) {
        return first;
    }
    if (first > 0xdbff || json->end - json->at < 6 || json->at[0] != '\\' || json->at[1] != 'u') {
        return -1;
    }
    json->at += 2;
    int second = take_hex(json);
    bool fits = second >= 0xdc00 && second <= 0xdfff;
    return fits ? 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00) : -1;
}

static char *put_utf8(char *to, int c)
{
    int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3; /* bytes behind the first */
    static const int marks[] = {0, 0xc0, 0xe0, 0xf0};
    *to++ = (char)(marks[more] | c >> 6 * more);
    for (; more > 0; more--) {
        *to++ = (char)(0x80 | (c >> 6 * (more - 1) & 0x3f));
    }
    return to;
}

/* Takes an escape, from its backslash on; `to` never overtakes what is being read, for none is
 * shorter than what it stands for. NULL on failure. */
static char *take_escape(nm_json *json, char *to)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char name = ++json->at < json->end ? *json->at++ : 0;
    const char *found = name ? strchr(names, name) : NULL;
    if (found) {
        *to = values[found - names];
        return to + 1;
    }
    int c = name == 'u' ? take_utf16(json) : -1;
    if (c <= 0) {
        nm_json_fail(json, "a bad escape, or one of the character 0, in a string");
        return NULL;
    }
    return put_utf8(to, c);
}

/* Takes one character as it stands. NULL on failure. */
static char *take_character(nm_json *json, char *to)
{
    int length = nm_utf8_length(json->at, json->end);
    if (!length || (unsigned char)*json->at < ' ') {
        nm_json_fail(json, length ? "a control character in a string" : "a string is not UTF-8");
        return NULL;
    }
    memmove(to, json->at, (size_t)length);
    json->at += length;
    return to + length;
}

/* ---- Values ---- */

bool nm_json_string(nm_json *json, char **text)
{
    if (json->failed || peek(json) != '"') {
        return nm_json_fail(json, "expected text in double quotes");
    }
    char *to = ++json->at;
    *text = to;
    while (to && json->at < json->end && *json->at != '"') {
        to = *json->at == '\\' ? take_escape(json, to) : take_character(json, to);
    }
    if (!to || json->at >= json->end) {
        return nm_json_fail(json, "a string without its closing quote");
    }
    json->at++;
    *to = 0; /* at the quote or before it */
    return true;
}

bool nm_json_count(nm_json *json, int64_t *value)
{
    int first = json->failed ? -1 : peek(json);
    if (first < '0' || first > '9') {
        return nm_json_fail(json, "expected a whole number that is not negative");
    }
    *value = 0;
    do {
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, *json->at - '0', value)) {
            return nm_json_fail(json, "the number is too large");
        }
        json->at++;
    } while (first != '0' && json->at < json->end && *json->at >= '0' && *json->at <= '9');
    return true;
}
