#include "core/clean.h"

#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

/* Controls of C0 and C1; separators of lines; embeddings, overrides and isolates of direction. */
static bool is_control(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f ||
           code == 0x061c || code == 0xfeff;
}

/* Spells the character at `from` into `out`; returns how many bytes it takes of `from`. */
static int spell(const char *from, const char *end, bool lines, char out[8])
{
    int length = nm_utf8_length(from, end);
    if (!length) {
        snprintf(out, 8, "\\x%02x", (unsigned char)*from);
        return 1;
    }
    unsigned code = nm_utf8_code(from, length);
    bool stays = lines && (code == '\n' || code == '\t');
    if (!is_control(code) || stays) {
        memcpy(out, from, (size_t)length);
        out[length] = 0;
    } else {
        snprintf(out, 8, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
    }
    return length;
}

char *nm_text_clean(const char *from, bool lines, char *to, size_t size)
{
    const char *end = from + strlen(from);
    size_t at = 0;
    while (from < end) {
        char out[8];
        int taken = spell(from, end, lines, out);
        size_t length = strlen(out);
        if (at + length >= size) {
            break;
        }
        memcpy(to + at, out, length);
        at += length;
        from += taken;
    }
    to[at] = 0;
    return to;
}
