/* Rows in a file: reading and writing them. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/guard.h"
#include "core/text.h"
#include "core/value.h"
#include "optim/data/readers.h"
#include "optim/data/split/split.h"

#define LONGEST_NUMBER 32

typedef struct rows {
    nm_context *context;
    const char *title;
    int64_t first, count;
    bool *held;
    int64_t found;
} rows;

/* ---- One of them ---- */

/* `unit`: what counts the places, "line 3" or "element 3". */
static nm_status take_row(rows *r, int64_t number, const char *unit, int64_t place)
{
    const int64_t row = number - r->first;
    if (row < 0 || row >= r->count) {
        return nm_fail(r->context, NM_ERROR_INPUT,
                       "%s: %s %lld: there is no row %lld; they go from %lld to %lld%s", r->title,
                       unit, (long long)place, (long long)number, (long long)r->first,
                       (long long)(r->count - 1 + r->first),
                       row == r->count && !r->first ? " (if the first one is 1, set first_index: 1)"
                                                    : "");
    }
    if (r->held[row]) {
        return nm_fail(r->context, NM_ERROR_INPUT, "%s: %s %lld: row %lld is there twice", r->title,
                       unit, (long long)place, (long long)number);
    }
    r->held[row] = true;
    r->found++;
    return NM_OK;
}

/* ---- Text ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* A line without the blanks around it; a UTF-8 mark is one. */
static size_t trim(const char **line, size_t length)
{
    if (length >= 3 && memcmp(*line, "\xef\xbb\xbf", 3) == 0) {
        *line += 3;
        length -= 3;
    }
    while (length && is_blank(**line)) {
        (*line)++;
        length--;
    }
    while (length && is_blank((*line)[length - 1])) {
        length--;
    }
    return length;
}

static bool has_letter(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const char c = (char)(line[i] | 0x20);
        if (c >= 'a' && c <= 'z') {
            return true;
        }
    }
    return false;
}

static nm_status take_line(rows *r, const char *line, size_t length, int64_t place)
{
    char text[LONGEST_NUMBER];
    int64_t number;
    length = trim(&line, length);
    if (!length || *line == '#' || (!r->found && place == 1 && has_letter(line, length))) {
        return NM_OK;
    }
    snprintf(text, sizeof text, "%.*s", (int)(length < sizeof text ? length : sizeof text), line);
    if (length >= sizeof text || !nm_parse_int(text, &number)) {
        return nm_fail(r->context, NM_ERROR_INPUT,
                       "%s: line %lld: \"%s\" is no row's number; write one a line", r->title,
                       (long long)place, text);
    }
    return take_row(r, number, "line", place);
}

static nm_status read_text(rows *r, const char *path)
{
    size_t size;
    char *text = nm_file_read_gz(r->context, path, NM_DATASET_BYTES, &size);
    nm_status status = text ? NM_OK : nm_context_status(r->context);
    const char *end = text ? text + size : NULL;
    int64_t place = 1;
    for (const char *at = text; status == NM_OK && at < end; place++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        status = take_line(r, at, (size_t)(stop - at), place);
        at = stop + 1;
    }
    nm_free(r->context, text);
    return status;
}

/* ---- Arrays ---- */

static nm_status take_flags(rows *r, nm_tensor *x)
{
    const uint8_t *flags = nm_tensor_data(x);
    if (nm_tensor_count(x) != r->count) {
        return nm_fail(r->context, NM_ERROR_INPUT,
                       "%s has %lld truth values, but there are %lld rows; they must be as many",
                       r->title, (long long)nm_tensor_count(x), (long long)r->count);
    }
    for (int64_t i = 0; i < r->count; i++) {
        r->held[i] = flags[i];
        r->found += flags[i] != 0;
    }
    return NM_OK;
}

/* The elements are integers of at most 64 bits: of i64 as they are, of others as doubles. */
static nm_status take_elements(rows *r, nm_tensor *x)
{
    const int64_t *wide = nm_tensor_dtype(x) == NM_I64 ? nm_tensor_data(x) : NULL;
    nm_status status = NM_OK;
    for (int64_t i = 0; i < nm_tensor_count(x) && status == NM_OK; i++) {
        status = take_row(r, wide ? wide[i] : (int64_t)nm_tensor_get(x, i), "element", i);
    }
    return status;
}

static nm_status read_array(rows *r, const char *path)
{
    nm_npy_info info;
    nm_tensor *x = nm_npy_read_info(r->context, path, &info);
    nm_status status = x ? NM_OK : nm_context_status(r->context);
    if (x && nm_dtype_is_float(nm_tensor_dtype(x))) {
        status = nm_fail(r->context, NM_ERROR_INPUT,
                         "%s holds %s; rows are integers, or truth values (bool)", r->title,
                         nm_dtype_name(nm_tensor_dtype(x)));
    } else if (x) {
        status = info.is_bool ? take_flags(r, x) : take_elements(r, x);
    }
    nm_tensor_destroy(x);
    return status;
}

/* ---- All of it ---- */

static bool ends_with(const char *path, const char *end)
{
    const size_t length = strlen(path), tail = strlen(end);
    return length >= tail && strcmp(path + length - tail, end) == 0;
}

nm_status nm_split_read(nm_context *context, const char *path, int64_t first, int64_t count,
                        bool *held)
{
    NM_REQUIRE(context, path, NM_ERROR_INPUT);
    rows r = {.context = context,
              .title = nm_file_title(path),
              .first = first,
              .count = count,
              .held = held};
    nm_status status = nm_dataset_look_for(context, path);
    if (status == NM_OK) {
        status = ends_with(path, ".npy") ? read_array(&r, path) : read_text(&r, path);
    }
    if (status == NM_OK && (r.found == 0 || r.found == count)) {
        return nm_fail(context, NM_ERROR_INPUT, "%s names %s rows, which leaves one side empty",
                       r.title, r.found ? "all" : "no");
    }
    return status;
}

nm_status nm_split_write(nm_context *context, const char *path, const uint8_t *parts, int64_t count,
                         nm_part part)
{
    NM_REQUIRE(context, parts, NM_ERROR_INPUT);
    nm_text text = {.context = context};
    nm_text_add(&text, "row\n");
    for (int64_t i = 0; i < count && !text.failed; i++) {
        if (parts[i] == part) {
            nm_text_add(&text, "%lld\n", (long long)i);
        }
    }
    const size_t size = text.length;
    char *all = nm_text_end(&text);
    nm_file *file = all ? nm_file_create(context, path) : NULL;
    if (file) {
        nm_file_write(file, all, size); /* a failure is the commit's too */
        nm_file_commit(file);
    }
    nm_free(context, all);
    return nm_context_status(context);
}
