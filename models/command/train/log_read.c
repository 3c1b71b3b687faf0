/* Reading a run's log. It may be cut off, or not be ours at all: what does not look like a line of
 * ours is passed over. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/path.h"
#include "models/command/train/log.h"

#define LONGEST_LINE 65536 /* of ours that are looked at, by far */

/* ---- Values of an object on one line, as they are written ---- */

/* Behind the text that begins at the quote `at`; NULL if it does not end. */
static const char *skip_text(const char *at)
{
    for (at++; *at && *at != '"'; at++) {
        at += *at == '\\' && at[1];
    }
    return *at ? at + 1 : NULL;
}

/* Behind a value of any kind; NULL if it does not end. */
static const char *skip_value(const char *at)
{
    int depth = 0;
    while (at && *at && (depth || !strchr(",}", *at))) {
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at = *at == '"' ? skip_text(at) : at + 1;
    }
    return at && *at ? at : NULL;
}

/* The value of a key; NULL if it is not there. */
static const char *find_value(const char *line, const char *key, size_t *length)
{
    const char *at = *line == '{' ? line + 1 : NULL;
    while (at && *(at += strspn(at, " ,")) == '"') {
        const char *name = at + 1, *value = skip_text(at);
        if (!value || *value != ':') {
            return NULL;
        }
        value += 1 + strspn(value + 1, " ");
        at = skip_value(value);
        if (at && strncmp(name, key, strlen(key)) == 0 && name[strlen(key)] == '"') {
            *length = (size_t)(at - value);
            return value;
        }
    }
    return NULL;
}

static bool is_value(const char *line, const char *key, const char *expected)
{
    size_t length;
    const char *value = find_value(line, key, &length);
    return value && length == strlen(expected) && strncmp(value, expected, length) == 0;
}

/* A text without its quotes, cut to the room there is; its escapes stay, so that it can be shown.
 */
static void take_text(const char *line, const char *key, char *to, size_t size)
{
    size_t length;
    const char *value = find_value(line, key, &length);
    if (value && *value == '"') {
        size_t kept = length - 2 < size - 1 ? length - 2 : size - 1;
        memcpy(to, value + 1, kept);
        to[kept] = 0;
    }
}

/* ---- Which file a run is of ---- */

/* A path as it stands in a line; NULL for NULL, or if memory ran out. */
static char *as_written(const char *path)
{
    char *text = NULL;
    size_t size;
    FILE *to = path ? open_memstream(&text, &size) : NULL;
    if (to) {
        json_text(to, path);
        fclose(to);
    }
    return text;
}

void find_file(nm_context *context, const char *folder, const char *file, char *path[2])
{
    struct stat info;
    char real[PATH_MAX];
    path[0] = path[1] = NULL;
    if (stat(file, &info) == 0 && S_ISREG(info.st_mode) && realpath(file, real)) {
        path[0] = nm_copy_string(context, real);
        path[1] = nm_path_from(context, folder, real);
        if (!path[1]) {
            nm_context_clear_error(context); /* it is known by the other one */
        }
    }
}

/* ---- The whole log ---- */

typedef struct reader {
    char *file[2]; /* as written; NULL: none */
    run_record record;
} reader;

static void take_start(reader *r, const char *line)
{
    run_record *record = &r->record;
    record->is_there = true;
    record->failed = false;
    record->error[0] = 0;
    take_text(line, "started", record->started, sizeof record->started);
    take_text(line, "file", record->file, sizeof record->file);
    record->of_file = (r->file[0] && is_value(line, "file", r->file[0])) ||
                      (r->file[1] && is_value(line, "file_from_here", r->file[1]));
}

static void take_line(reader *r, const char *line)
{
    size_t length;
    const char *seconds = find_value(line, "seconds", &length);
    if (seconds && strtod(seconds, NULL) >= 0) {
        r->record.seconds = strtod(seconds, NULL);
    }
    if (is_value(line, "event", "\"start\"")) {
        take_start(r, line);
    } else if (is_value(line, "event", "\"end\"") && is_value(line, "end", "\"failed\"")) {
        r->record.failed = true;
        take_text(line, "error", r->record.error, sizeof r->record.error);
    }
}

static void read_lines(reader *r, FILE *from)
{
    char *line = malloc(LONGEST_LINE);
    bool whole = true; /* what was read before ended its line */
    while (line && fgets(line, LONGEST_LINE, from)) {
        size_t length = strlen(line);
        bool ends = length && line[length - 1] == '\n';
        if (whole && ends) {
            take_line(r, line);
        }
        whole = ends;
    }
    free(line);
}

run_record log_read(nm_context *context, const char *folder, const char *file)
{
    reader r = {0};
    char path[RUN_PATH], *paths[2] = {NULL};
    struct stat info;
    if (!path_join(path, folder, "log.jsonl") || stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        return r.record;
    }
    if (file) {
        find_file(context, folder, file, paths);
    }
    FILE *from = fopen(path, "re");
    for (int i = 0; i < 2; i++) {
        r.file[i] = as_written(paths[i]);
        nm_free(context, paths[i]);
    }
    if (from) {
        read_lines(&r, from);
        fclose(from);
    }
    free(r.file[0]);
    free(r.file[1]);
    return r.record;
}
