#include "core/path.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Length of the folder's part with its slash; 0: none. */
static int folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash - path) + 1 : 0;
}

char *nm_path_in(nm_context *context, const char *file, const char *path)
{
    return *path == '/' ? nm_copy_string(context, path)
                        : nm_format(context, "%.*s%s", folder_length(file), file, path);
}

/* The folder's real path, without a slash at its end but for the root. */
static bool find_folder(nm_context *context, const char *folder, char real[PATH_MAX])
{
    if (realpath(folder, real)) {
        return true;
    }
    nm_fail(context, NM_ERROR_IO, "cannot find the folder \"%s\": %s", folder, strerror(errno));
    return false;
}

/* That of the folder in which `path` is. */
static bool find_folder_of(nm_context *context, const char *path, char real[PATH_MAX])
{
    int length = folder_length(path);
    char *folder = nm_format(context, "%.*s", length ? length : 1, length ? path : ".");
    bool fine = folder && find_folder(context, folder, real);
    nm_free(context, folder);
    return fine;
}

/* How much of two real paths is the same folder, its slash included. */
static size_t common_length(const char *a, const char *b)
{
    size_t common = 0, i = 0;
    for (; a[i] && a[i] == b[i]; i++) {
        common = a[i] == '/' ? i + 1 : common;
    }
    bool whole_a = !a[i] && (!b[i] || b[i] == '/'), whole_b = !b[i] && a[i] == '/';
    return whole_a || whole_b ? i : common;
}

static int levels(const char *path)
{
    int count = 0;
    for (bool within = false; *path; path++) {
        count += *path != '/' && !within;
        within = *path != '/';
    }
    return count;
}

/* "../../" for each level, then the rest. */
static char *join_up(nm_context *context, int up, const char *down, const char *name)
{
    size_t size = 3 * (size_t)up + strlen(down) + strlen(name) + 2;
    char *text = nm_alloc(context, size);
    char *at = text;
    for (int i = 0; text && i < up; i++) {
        at = stpcpy(at, "../");
    }
    if (text) {
        at = stpcpy(at, down);
        at = stpcpy(at, *down ? "/" : "");
        strcpy(at, name);
    }
    return text;
}

char *nm_path_from(nm_context *context, const char *folder, const char *path)
{
    char from[PATH_MAX], to[PATH_MAX];
    if (!find_folder(context, folder, from) || !find_folder_of(context, path, to)) {
        return NULL;
    }
    size_t common = common_length(from, to);
    const char *down = to + common;
    return join_up(context, levels(from + common), down + (*down == '/'),
                   path + folder_length(path));
}
