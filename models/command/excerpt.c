#include "models/command/excerpt.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Characters ---- */

/* One character: its bytes, columns on a terminal, and what is printed in its place (NULL: it). */
typedef struct character {
    int bytes, columns;
    const char *shown;
} character;

/* The code point at `at`, and how many bytes it has; one byte, and 0xFFFD, where it is not UTF-8.
 */
static uint32_t decode(const char *at, int *bytes)
{
    const unsigned char *u = (const unsigned char *)at;
    int more = u[0] < 0x80       ? 0
               : u[0] >> 5 == 6  ? 1
               : u[0] >> 4 == 14 ? 2
               : u[0] >> 3 == 30 ? 3
                                 : -1;
    uint32_t code = more <= 0 ? u[0] : u[0] & (0x3Fu >> more);
    *bytes = 1;
    for (int i = 1; i <= more; i++) {
        if (u[i] >> 6 != 2) { /* a line's end as well */
            return 0xFFFD;
        }
        code = code << 6 | (u[i] & 0x3F);
    }
    *bytes = more < 0 ? 1 : 1 + more;
    return more < 0 ? 0xFFFD : code;
}

typedef struct range {
    uint32_t first, last;
} range;

static bool is_within(uint32_t code, const range *ranges, int count)
{
    for (int i = 0; i < count; i++) {
        if (code >= ranges[i].first && code <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* Columns that terminals give a character, whatever the locale is: the usual blocks of Unicode. */
static int columns_of(uint32_t code)
{
    static const range none[] = {{0x0300, 0x036F}, {0x0483, 0x0489},  {0x0591, 0x05BD},
                                 {0x200B, 0x200F}, {0x202A, 0x202E},  {0x2060, 0x2064},
                                 {0x20D0, 0x20F0}, {0xFE00, 0xFE0F},  {0xFE20, 0xFE2F},
                                 {0xFEFF, 0xFEFF}, {0xE0100, 0xE01EF}};
    static const range two[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},
                                {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
                                {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},
                                {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF},
                                {0x20000, 0x3FFFD}};
    return is_within(code, none, COUNT(none)) ? 0 : is_within(code, two, COUNT(two)) ? 2 : 1;
}

/* What would move the cursor or change the terminal is printed as something else. */
static character character_at(const char *at)
{
    character c = {.columns = 1};
    uint32_t code = decode(at, &c.bytes);
    if (code == '\t') {
        c.shown = " ";
    } else if (code < ' ' || (code >= 0x7F && code < 0xA0) || code == 0xFFFD ||
               (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069)) {
        c.shown = "?";
    } else {
        c.columns = columns_of(code);
    }
    return c;
}

/* Bytes of what ends a line in YAML 1.1; 0 if none ends here. */
static int line_end(const char *at)
{
    static const char *const ends[] = {"\r\n",     "\n",           "\r",
                                       "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};
    for (int i = 0; i < COUNT(ends); i++) {
        if (strncmp(at, ends[i], strlen(ends[i])) == 0) {
            return (int)strlen(ends[i]);
        }
    }
    return 0;
}

static bool is_over(const char *at)
{
    return !*at || line_end(at);
}

/* ---- The part of a line that is shown ---- */

#define DOTS 3       /* in place of what is cut */
#define LEFT_SHARE 2 /* of a line that is cut on the left, one part of so many before the caret */

typedef struct window {
    const char *begin, *end;
    int before; /* columns from `begin` to the caret */
    bool cut_left, cut_right;
} window;

/* Where the column's character is; NULL if the line has not so many. */
static const char *find_column(const char *line, int column)
{
    const char *at = line;
    for (int i = 1; i < column; i++) {
        if (is_over(at)) {
            return NULL;
        }
        at += character_at(at).bytes;
    }
    return at;
}

static int columns_between(const char *begin, const char *end)
{
    int columns = 0;
    while (begin < end) {
        const character c = character_at(begin);
        columns += c.columns;
        begin += c.bytes;
    }
    return columns;
}

static const char *end_of(const char *line)
{
    while (!is_over(line)) {
        line += character_at(line).bytes;
    }
    return line;
}

static window window_around(const char *line, const char *caret, int width)
{
    window w = {.begin = line, .end = end_of(line), .before = columns_between(line, caret)};
    if (w.before + columns_between(caret, w.end) <= width) {
        return w;
    }
    w.cut_left = w.before > width - 2 * DOTS - width / 4;
    while (w.cut_left && w.before > width / LEFT_SHARE) {
        const character c = character_at(w.begin);
        w.before -= c.columns;
        w.begin += c.bytes;
    }
    int room = width - (w.cut_left ? DOTS : 0);
    w.cut_right = columns_between(w.begin, w.end) > room;
    room -= w.cut_right ? DOTS : 0;
    const char *end = w.begin;
    for (int used = 0; end < w.end;) {
        const character c = character_at(end);
        used += c.columns;
        if (used > room) {
            break;
        }
        end += c.bytes;
    }
    w.end = end;
    return w;
}

/* ---- Printing ---- */

/* Not where a text has zeros or many control characters: a compressed file, UTF-16. */
static bool is_text(const char *line)
{
    int strange = 0, all = 0;
    for (; !is_over(line); all++) {
        const character c = character_at(line);
        strange += c.shown && *line != '\t';
        line += c.bytes;
    }
    return strange * 8 <= all;
}

static void print_characters(const window *w)
{
    fputs(w->cut_left ? "..." : "", stderr);
    for (const char *at = w->begin; at < w->end;) {
        const character c = character_at(at);
        if (c.shown) {
            fputs(c.shown, stderr);
        } else {
            fwrite(at, 1, (size_t)c.bytes, stderr);
        }
        at += c.bytes;
    }
    fputs(w->cut_right ? "...\n" : "\n", stderr);
}

#define LEAST_LABEL 5
#define LEAST_WIDTH 12 /* of the line, in however narrow a window */

bool print_excerpt(const excerpt *e, int width, bool colour)
{
    const char *caret = find_column(e->line, e->column);
    if (!caret || !is_text(e->line)) {
        return false;
    }
    const char *dim = colour ? "\033[90m" : "", *red = colour ? "\033[1;31m" : "";
    const char *plain = colour ? "\033[0m" : "";
    const int label = strlen(e->label) > LEAST_LABEL ? (int)strlen(e->label) : LEAST_LABEL;
    const int room = width - label - 3;
    const window w = window_around(e->line, caret, room > LEAST_WIDTH ? room : LEAST_WIDTH);
    fprintf(stderr, "%s%*s |%s ", dim, label, e->label, plain);
    print_characters(&w);
    if (e->column) {
        fprintf(stderr, "%s%*s |%s %*s%s^%s\n", dim, label, "", plain,
                w.before + (w.cut_left ? DOTS : 0), "", red, plain);
    }
    return true;
}

/* ---- Reading ---- */

#define MOST_BYTES ((off_t)16 << 20)

static bool is_later(struct timespec a, struct timespec b)
{
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

/* All of a regular file that was not changed after `before`, and a 0. */
static char *read_file(const char *path, struct timespec before)
{
    struct stat s;
    char *text = NULL;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file >= 0 && fstat(file, &s) == 0 && S_ISREG(s.st_mode) && s.st_size <= MOST_BYTES &&
        !is_later(s.st_mtim, before)) {
        text = malloc((size_t)s.st_size + 1);
        ssize_t got = text ? read(file, text, (size_t)s.st_size) : -1;
        if (got >= 0) {
            text[got] = 0;
        } else {
            free(text);
            text = NULL;
        }
    }
    if (file >= 0) {
        close(file);
    }
    return text;
}

char *read_from_line(const char *path, int line, struct timespec before)
{
    char *text = read_file(path, before), *at = text;
    if (!text) {
        return NULL;
    }
    at += strncmp(at, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; /* a byte order mark is in no column */
    for (int end; line > 1 && *at; at += end ? end : 1) {
        end = line_end(at);
        line -= end > 0;
    }
    if (line > 1) {
        free(text);
        return NULL;
    }
    memmove(text, at, strlen(at) + 1);
    return text;
}
