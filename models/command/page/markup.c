#include "models/command/page/markup.h"

#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/utf8.h"

static const char *entity(char c)
{
    switch (c) {
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '&': return "&amp;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

/* U+FFFE and U+FFFF, the last two of each plane and U+FDD0 to U+FDEF are no characters: XML forbids
 * the first two, and nobody needs the others. */
static bool is_no_character(const char *text, int length)
{
    const unsigned char *c = (const unsigned char *)text;
    if (length == 3 && c[0] == 0xef) {
        return (c[1] == 0xbf && c[2] >= 0xbe) || (c[1] == 0xb7 && c[2] >= 0x90 && c[2] <= 0xaf);
    }
    return length == 4 && (c[1] & 0x0f) == 0x0f && c[2] == 0xbf && c[3] >= 0xbe;
}

static void put_one(FILE *to, const char *text, int length)
{
    char piece[8] = "", clean[16];
    const char *name = length == 1 ? entity(*text) : NULL;
    if (name) {
        fputs(name, to);
    } else if (is_no_character(text, length)) {
        fputs("\xef\xbf\xbd", to);
    } else {
        memcpy(piece, text, (size_t)(length ? length : 1));
        fputs(nm_text_clean(piece, true, clean, sizeof clean), to);
    }
}

void put_markup(FILE *to, const char *text)
{
    const char *end = text ? text + strlen(text) : NULL;
    while (text < end) {
        const int length = nm_utf8_length(text, end);
        put_one(to, text, length);
        text += length ? length : 1;
    }
}

/* Columns of one character: two from Hangul's letters on, but for some blocks of other scripts. */
static int columns_of(const char *text, int length)
{
    const unsigned char *c = (const unsigned char *)text;
    if (length == 3) {
        const unsigned code = (c[0] & 15u) << 12 | (c[1] & 63u) << 6 | (c[2] & 63u);
        return (code >= 0x1100 && code < 0x1160) || (code >= 0x2e80 && code < 0xa4d0) ||
                       (code >= 0xac00 && code < 0xd7a4) || (code >= 0xf900 && code < 0xfb00) ||
                       (code >= 0xff00 && code < 0xff61)
                   ? 2
                   : 1;
    }
    return length == 4 ? 2 : 1;
}

int wide_text(const char *text)
{
    int columns = 0;
    for (const char *end = text + strlen(text); text < end;) {
        const int length = nm_utf8_length(text, end);
        columns += columns_of(text, length);
        text += length ? length : 1;
    }
    return columns;
}

/* Bytes of the first characters that fit. */
static size_t fitting(const char *text, int columns, size_t size)
{
    const char *at = text, *end = text + strlen(text);
    while (at < end) {
        const int length = nm_utf8_length(at, end), wide = columns_of(at, length);
        const size_t used = (size_t)(at - text) + (size_t)(length ? length : 1);
        if (wide > columns || used >= size) {
            break;
        }
        columns -= wide;
        at = text + used;
    }
    return (size_t)(at - text);
}

char *cut_text(const char *text, int columns, char *to, size_t size)
{
    char clean[512];
    nm_text_clean(text, false, clean, sizeof clean);
    if (wide_text(clean) <= columns && strlen(clean) < size) {
        memcpy(to, clean, strlen(clean) + 1);
        return to;
    }
    const int dots = columns > 3 ? 3 : 0;
    const size_t kept = fitting(clean, columns - dots, size - (size_t)dots);
    memcpy(to, clean, kept);
    memcpy(to + kept, "...", (size_t)dots);
    to[kept + (size_t)dots] = 0;
    return to;
}
