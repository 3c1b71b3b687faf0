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
#include "models/command/text_stream.h"
#include "models/command/train/log_line.h"

/* ---- Which file a run is of ---- */

/* A path as it stands in a line; NULL for NULL, or if memory ran out. */
static char *as_written(nm_context *context, const char *path)
{
    text_stream s = {.context = context};
    if (path && text_begin(&s, context)) {
        json_text(s.to, path);
        return text_end(&s);
    }
    return NULL;
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
    log_take_text(line, "started", record->started, sizeof record->started);
    log_take_text(line, "file", record->file, sizeof record->file);
    record->of_file = (r->file[0] && log_is(line, "file", r->file[0])) ||
                      (r->file[1] && log_is(line, "file_from_here", r->file[1]));
}

static void take_line(void *user, const char *line)
{
    reader *r = user;
    log_field seconds;
    if (log_find(line, "seconds", &seconds) && strtod(seconds.value, NULL) >= 0) {
        r->record.seconds = strtod(seconds.value, NULL);
    }
    if (log_is(line, "event", "\"start\"")) {
        take_start(r, line);
    } else if (log_is(line, "event", "\"end\"") && log_is(line, "end", "\"failed\"")) {
        r->record.failed = true;
        log_take_text(line, "error", r->record.error, sizeof r->record.error);
    }
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
    for (int i = 0; i < 2; i++) {
        r.file[i] = as_written(context, paths[i]);
        nm_free(context, paths[i]);
    }
    log_lines_of(context, path, take_line, &r);
    nm_free(context, r.file[0]);
    nm_free(context, r.file[1]);
    return r.record;
}
