#include "core/json.h"

#include <string.h>

nm_status nm_json_fail(nm_json *json, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    nm_fail_v(json->context, NM_ERROR_FORMAT, format, list);
    va_end(list);
    nm_fail_in(json->context, "%s: header", json->name);
    return nm_context_status(json->context);
}

char nm_json_peek(nm_json *json)
{
    while (json->at < json->end && *json->at && strchr(" \t\r\n", *json->at)) {
        json->at++;
    }
    return json->at < json->end ? *json->at : 0;
}

nm_status nm_json_expect(nm_json *json, char mark)
{
    if (nm_json_peek(json) != mark) {
        return nm_json_fail(json, "expected '%c'", mark);
    }
    json->at++;
    return NM_OK;
}

nm_status nm_json_next(nm_json *json, char close, bool *more)
{
    char next = nm_json_peek(json);
    if (next != ',' && next != close) {
        return nm_json_fail(json, "expected ',' or '%c'", close);
    }
    json->at++;
    *more = next == ',';
    return NM_OK;
}

/* ---- Strings ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The four digits of \uXXXX; -1 if they are none. */
static long unit(nm_json *json)
{
    long value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = json->at < json->end ? hex_digit(*json->at++) : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

static char *put_utf8(char *out, unsigned long c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

static nm_status unicode_escape(nm_json *json, char **out)
{
    long c = unit(json);
    if (c >= 0xd800 && c < 0xdc00 && json->end - json->at >= 6 && json->at[0] == '\\' &&
        json->at[1] == 'u') {
        json->at += 2;
        long low = unit(json);
        c = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00) : -1;
    }
    if (c <= 0 || (c >= 0xd800 && c < 0xe000)) {
        return nm_json_fail(json, "bad \\u escape in a string");
    }
    *out = put_utf8(*out, (unsigned long)c);
    return NM_OK;
}

static nm_status escape(nm_json *json, char **out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char name = json->at < json->end ? *json->at++ : 0;
    if (name == 'u') {
        return unicode_escape(json, out);
    }
    const char *found = name ? strchr(names, name) : NULL;
    if (!found) {
        return nm_json_fail(json, "bad escape in a string");
    }
    *(*out)++ = values[found - names];
    return NM_OK;
}

/* The length of the UTF-8 sequence at `at`; 0 if it is none (overlong, surrogate, cut off). */
static int utf8_length(const unsigned char *at, const unsigned char *end)
{
    int length = *at < 0x80                  ? 1
                 : *at >= 0xc2 && *at < 0xe0 ? 2
                 : *at < 0xf0                ? 3
                 : *at < 0xf5                ? 4
                                             : 0;
    if (!length || (*at >= 0x80 && *at < 0xc2) || end - at < length) {
        return 0;
    }
    for (int i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (*at == 0xe0 && at[1] < 0xa0) || (*at == 0xf0 && at[1] < 0x90);
    bool outside = (*at == 0xed && at[1] >= 0xa0) || (*at == 0xf4 && at[1] >= 0x90);
    return overlong || outside ? 0 : length;
}

static nm_status characters(nm_json *json, char *out)
{
    while (json->at < json->end && *json->at != '"') {
        if (*json->at == '\\') {
            json->at++;
            if (escape(json, &out) != NM_OK) {
                return nm_context_status(json->context);
            }
            continue;
        }
        int length = utf8_length((const unsigned char *)json->at, (const unsigned char *)json->end);
        if (!length || (unsigned char)*json->at < 0x20) {
            return nm_json_fail(json, "a string is not UTF-8 text");
        }
        memcpy(out, json->at, (size_t)length);
        out += length;
        json->at += length;
    }
    *out = 0;
    return nm_json_expect(json, '"');
}

nm_status nm_json_string(nm_json *json, char **text)
{
    nm_status status = nm_json_expect(json, '"');
    if (status != NM_OK) {
        return status;
    }
    /* Unescaping never lengthens a string. */
    const char *close = json->at;
    while (close < json->end && *close != '"') {
        close += *close == '\\' ? 2 : 1;
    }
    size_t room = (size_t)(json->end - json->at);
    if (close < json->end) {
        room = (size_t)(close - json->at);
    }
    char *copy = nm_alloc(json->context, room + 1);
    if (!copy) {
        return NM_ERROR_MEMORY;
    }
    status = characters(json, copy);
    if (status != NM_OK) {
        nm_free(json->context, copy);
        return status;
    }
    *text = copy;
    return NM_OK;
}

nm_status nm_json_count(nm_json *json, uint64_t *value)
{
    char next = nm_json_peek(json);
    const char *begin = json->at;
    uint64_t result = 0;
    while (json->at < json->end && *json->at >= '0' && *json->at <= '9') {
        if (__builtin_mul_overflow(result, 10u, &result) ||
            __builtin_add_overflow(result, (uint64_t)(*json->at - '0'), &result)) {
            return nm_json_fail(json, "a number is too large");
        }
        json->at++;
    }
    if (json->at == begin || (next == '0' && json->at > begin + 1)) {
        return nm_json_fail(json, "expected a whole number that is not negative");
    }
    *value = result;
    return NM_OK;
}
