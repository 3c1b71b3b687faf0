/* A file's bytes as UTF-8.
 *
 * 1. UTF-16 by its mark, or because every other byte of the first ones is zero.
 * 2. UTF-8, its mark left out, where all of it is UTF-8.
 * 3. Otherwise Windows-1252, in which every byte stands for a character; that is told.
 * 4. Zero bytes are refused: what has them is no text. */
#include "core/file.h"
#include "core/files/known.h"
#include "optim/data/csv/csv.h"

/* ---- What is no text ---- */

static nm_status refuse_known(const csv_text *t, const char *bytes, size_t size)
{
    const char *what = nm_known_file(bytes, size);
    return what ? nm_fail(t->context, NM_ERROR_FORMAT, "%s: it is %s", t->title, what) : NM_OK;
}

/* Weka's: a table below its own kind of header. */
static nm_status refuse_arff(const csv_text *t)
{
    const char *at = t->begin;
    while (*at == '%' || *at == '\n' || *at == '\r' || *at == ' ') { /* comments, blank lines */
        const bool comment = *at == '%';
        for (at += comment; comment && *at && *at != '\n'; at++) {
        }
        at += !comment;
    }
    if (t->end - at < 9 || !nm_csv_same_word(at, 9, "@relation")) {
        return NM_OK;
    }
    return nm_fail(t->context, NM_ERROR_FORMAT,
                   "%s: it is an ARFF file; keep what stands below @data, under a line of the "
                   "attributes' names",
                   t->title);
}

static nm_status refuse_zeros(const csv_text *t)
{
    const char *zero = memchr(t->begin, 0, (size_t)(t->end - t->begin));
    int64_t line = 1;
    if (!zero) {
        return NM_OK;
    }
    for (const char *at = t->begin; at < zero; at++) {
        line += *at == '\n';
    }
    return nm_fail(t->context, NM_ERROR_FORMAT,
                   "%s:%lld: a zero byte, which no text has; is the file a table in text form?",
                   t->title, (long long)line);
}

/* ---- UTF-8 ---- */

static bool is_continued(const unsigned char *at, int count)
{
    for (int i = 1; i <= count; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return false;
        }
    }
    return true;
}

/* Bytes of the character at `at`; 0: it is none. A 0 stands behind the text. Neither overlong forms
 * nor surrogates nor what lies above U+10FFFF. */
static int character_size(const unsigned char *at)
{
    if (at[0] < 0x80) {
        return 1;
    }
    if (at[0] >= 0xc2 && at[0] < 0xe0) {
        return is_continued(at, 1) ? 2 : 0;
    }
    if (at[0] >= 0xe0 && at[0] < 0xf0) {
        const bool fine = (at[0] != 0xe0 || at[1] >= 0xa0) && (at[0] != 0xed || at[1] < 0xa0);
        return fine && is_continued(at, 2) ? 3 : 0;
    }
    if (at[0] >= 0xf0 && at[0] < 0xf5) {
        const bool fine = (at[0] != 0xf0 || at[1] >= 0x90) && (at[0] != 0xf4 || at[1] < 0x90);
        return fine && is_continued(at, 3) ? 4 : 0;
    }
    return 0;
}

#define HIGH_BITS 0x8080808080808080u

static bool is_utf8(const char *begin, const char *end)
{
    const char *at = begin;
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8 && (memcpy(&eight, at, 8), !(eight & HIGH_BITS))) {
            at += 8;
            continue;
        }
        int size = character_size((const unsigned char *)at);
        if (!size) {
            return false;
        }
        at += size;
    }
    return true;
}

static char *put_character(char *at, uint32_t code)
{
    if (code < 0x80) {
        *at++ = (char)code;
    } else if (code < 0x800) {
        *at++ = (char)(0xc0 | code >> 6);
        *at++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *at++ = (char)(0xe0 | code >> 12);
        *at++ = (char)(0x80 | (code >> 6 & 0x3f));
        *at++ = (char)(0x80 | (code & 0x3f));
    } else {
        *at++ = (char)(0xf0 | code >> 18);
        *at++ = (char)(0x80 | (code >> 12 & 0x3f));
        *at++ = (char)(0x80 | (code >> 6 & 0x3f));
        *at++ = (char)(0x80 | (code & 0x3f));
    }
    return at;
}

/* ---- The others ---- */

/* Takes over memory that was filled up to `end`. */
static void replace(csv_text *t, char *memory, char *end)
{
    *end = 0;
    nm_free(t->context, t->memory);
    t->memory = memory;
    t->begin = memory;
    t->end = end;
}

/* Of the bytes 0x80 to 0x9f; 0: the same number. */
static const uint16_t windows[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

static nm_status convert_windows(csv_text *t)
{
    size_t high = 0;
    for (const char *at = t->begin; at < t->end; at++) {
        high += (unsigned char)*at >= 0x80;
    }
    char *memory = nm_alloc(t->context, (size_t)(t->end - t->begin) + 2 * high + 1), *to = memory;
    if (!memory) {
        return NM_ERROR_MEMORY;
    }
    for (const char *at = t->begin; at < t->end; at++) {
        const uint32_t byte = (unsigned char)*at;
        const uint32_t other = byte >= 0x80 && byte < 0xa0 ? windows[byte - 0x80] : 0;
        to = put_character(to, other ? other : byte);
    }
    replace(t, memory, to);
    nm_context_log(t->context, NM_LOG_INFO, "%s is no UTF-8; it is read as Windows-1252 (Latin-1)",
                   t->title);
    return NM_OK;
}

static uint32_t unit_at(const char *at, bool big_endian)
{
    const uint32_t first = (unsigned char)at[0], second = (unsigned char)at[1];
    return big_endian ? first << 8 | second : second << 8 | first;
}

static nm_status wrong_utf16(const csv_text *t, const char *at, const char *what)
{
    return nm_fail(t->context, NM_ERROR_FORMAT,
                   "%s: it is UTF-16, but %s (byte %lld); save it as UTF-8", t->title, what,
                   (long long)(at - t->memory));
}

static nm_status convert_utf16(csv_text *t, bool big_endian)
{
    const size_t units = (size_t)(t->end - t->begin) / 2;
    if ((t->end - t->begin) % 2) {
        return wrong_utf16(t, t->end - 1, "ends within a character");
    }
    char *memory = nm_alloc(t->context, 3 * units + 1), *to = memory;
    for (const char *at = t->begin; memory && at < t->end; at += 2) {
        uint32_t code = unit_at(at, big_endian);
        if (code >= 0xd800 && code < 0xe000) {
            const uint32_t low = at + 2 < t->end ? unit_at(at + 2, big_endian) : 0;
            if (code >= 0xdc00 || low < 0xdc00 || low >= 0xe000) {
                nm_free(t->context, memory);
                return wrong_utf16(t, at, "half of a character stands alone");
            }
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            at += 2;
        }
        to = put_character(to, code);
    }
    if (memory) {
        replace(t, memory, to);
    }
    return memory ? NM_OK : NM_ERROR_MEMORY;
}

/* ---- Which of them ---- */

static bool begins_with(const csv_text *t, const char *bytes, size_t size)
{
    return (size_t)(t->end - t->begin) >= size && !memcmp(t->begin, bytes, size);
}

/* UTF-16 without a mark: two characters below U+0100, as nearly every table begins with. */
static bool has_zeros_at(const csv_text *t, int odd)
{
    return t->end - t->begin >= 4 && !t->begin[odd] && !t->begin[2 + odd] && t->begin[1 - odd] &&
           t->begin[3 - odd];
}

static nm_status decode(csv_text *t)
{
    const bool little = begins_with(t, "\xff\xfe", 2), big = begins_with(t, "\xfe\xff", 2);
    if (little || big || has_zeros_at(t, 1) || has_zeros_at(t, 0)) {
        t->begin += little || big ? 2 : 0;
        return convert_utf16(t, big || (!little && has_zeros_at(t, 0)));
    }
    if (begins_with(t, "\xef\xbb\xbf", 3)) {
        t->begin += 3;
    }
    return is_utf8(t->begin, t->end) ? NM_OK : convert_windows(t);
}

nm_status nm_csv_read(nm_context *context, const char *path, csv_text *text)
{
    size_t size = 0;
    *text = (csv_text){.context = context, .title = nm_file_title(path), .line = 1};
    nm_status status = nm_dataset_look_for(context, path);
    if (status != NM_OK ||
        !(text->memory = nm_file_read_gz(context, path, NM_DATASET_BYTES, &size))) {
        return nm_context_status(context);
    }
    text->begin = text->memory;
    text->end = text->memory + size;
    if ((status = refuse_known(text, text->memory, size)) != NM_OK ||
        (status = decode(text)) != NM_OK || (status = refuse_zeros(text)) != NM_OK ||
        (status = refuse_arff(text)) != NM_OK) {
        nm_csv_free(text);
    }
    return status;
}

void nm_csv_free(csv_text *text)
{
    nm_free(text->context, text->memory);
    text->memory = NULL;
}
