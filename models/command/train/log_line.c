#include "models/command/train/log_line.h"

#include <errno.h>
#include <string.h>

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

bool log_next(const char **at, log_field *field)
{
    const char *name = *at + strspn(*at, "{ ,");
    const char *colon = *name == '"' ? skip_text(name) : NULL;
    if (!colon || *colon != ':') {
        return false;
    }
    const char *value = colon + 1 + strspn(colon + 1, " "), *end = skip_value(value);
    if (!end) {
        return false;
    }
    *field = (log_field){name + 1, value, (size_t)(colon - name - 2), (size_t)(end - value)};
    *at = end;
    return true;
}

bool log_find(const char *line, const char *name, log_field *field)
{
    while (*line == '{' || *line == ',') {
        if (!log_next(&line, field)) {
            return false;
        }
        if (field->name_length == strlen(name) &&
            strncmp(field->name, name, field->name_length) == 0) {
            return true;
        }
    }
    return false;
}

bool log_is(const char *line, const char *name, const char *written)
{
    log_field f;
    return log_find(line, name, &f) && f.length == strlen(written) &&
           strncmp(f.value, written, f.length) == 0;
}

void log_take_text(const char *line, const char *name, char *to, size_t size)
{
    log_field f;
    if (log_find(line, name, &f) && *f.value == '"') {
        const size_t kept = f.length - 2 < size - 1 ? f.length - 2 : size - 1;
        memcpy(to, f.value + 1, kept);
        to[kept] = 0;
    }
}

nm_status log_lines(nm_context *context, FILE *from, const char *path,
                    void (*take)(void *user, const char *line), void *user)
{
    char *line = nm_alloc(context, LOG_LINE);
    bool whole = true; /* what was read before ended its line */
    if (!line) {
        return NM_ERROR_MEMORY;
    }
    errno = 0;
    while (fgets(line, LOG_LINE, from)) {
        const size_t length = strlen(line);
        const bool ends = length && line[length - 1] == '\n';
        if (whole && ends) {
            take(user, line);
        }
        whole = ends;
    }
    const bool failed = ferror(from);
    const int reason = errno;
    nm_free(context, line);
    return failed ? nm_fail(context, NM_ERROR_IO, "cannot read %s: %s", path,
                            strerror(reason ? reason : EIO))
                  : NM_OK;
}

nm_status log_lines_of(nm_context *context, const char *path,
                       void (*take)(void *user, const char *line), void *user)
{
    FILE *from = fopen(path, "re");
    if (!from) {
        return errno == ENOENT
                   ? NM_OK
                   : nm_fail(context, NM_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
    }
    const nm_status status = log_lines(context, from, path, take, user);
    fclose(from);
    return status;
}
