/* What a path to be written leads to.
 *
 * 1. Only "there is no such file" means a new file: whatever else keeps the path from being looked
 *    at keeps it from being written.
 * 2. A link at the end of the path stays one: what it leads to is replaced. It is followed by hand,
 *    so that the name to replace is known, but never where the system would not follow it.
 * 3. What was found by hand is what the system had found: a link that somebody exchanges in between
 *    leads nowhere. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "core/files/write.h"

#define MAX_LINKS 40 /* that lead to each other, as many as Linux follows */

nm_status nm_file_fail_to_write(nm_context *context, const char *path, const char *reason)
{
    return nm_fail(context, NM_ERROR_IO, "cannot write \"%s\": %s", path, reason);
}

nm_status nm_file_fail_with_errno(nm_context *context, const char *path, int error)
{
    return nm_file_fail_to_write(context, path,
                                 error == EISDIR ? "it is a folder" : strerror(error));
}

int nm_file_folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash - path) + 1 : 0;
}

/* ---- Links ---- */

/* Linux's rule (fs.protected_symlinks), kept wherever we run: in a folder where all may make files
 * and each may remove only their own, a link is followed if it is one's own or the folder's
 * owner's. 0 or an errno. */
static int check_may_follow(nm_context *context, const char *path, uid_t owner)
{
    int length = nm_file_folder_length(path);
    char *folder = nm_format(context, "%.*s", length ? length : 1, length ? path : ".");
    if (!folder) {
        return ENOMEM;
    }
    struct stat info;
    int error = stat(folder, &info) == 0 ? 0 : errno;
    nm_free(context, folder);
    mode_t shared = S_ISVTX | S_IWOTH;
    if (error || owner == geteuid() || (info.st_mode & shared) != shared || owner == info.st_uid) {
        return error;
    }
    return EPERM;
}

/* Where the link at `path` leads; new memory. NULL, with *error set or not: it is no link. */
static char *read_link(nm_context *context, const char *path, int *error)
{
    struct stat info;
    char link[PATH_MAX];
    if (lstat(path, &info) != 0 || !S_ISLNK(info.st_mode)) {
        return NULL; /* nothing there yet, or the end */
    }
    *error = check_may_follow(context, path, info.st_uid);
    ssize_t length = *error ? 0 : readlink(path, link, sizeof link - 1);
    if (length <= 0) {
        *error = *error ? *error : length ? errno : ENOENT;
        return NULL;
    }
    link[length] = 0;
    char *next = *link == '/'
                     ? nm_copy_string(context, link)
                     : nm_format(context, "%.*s%s", nm_file_folder_length(path), path, link);
    *error = next ? 0 : ENOMEM;
    return next;
}

/* Promise 2. NULL with an error. */
static char *follow_links(nm_context *context, const char *path)
{
    char *at = nm_copy_string(context, path);
    int error = 0;
    for (int links = 0; at && links <= MAX_LINKS; links++) {
        char *next = read_link(context, at, &error);
        if (!next && !error) {
            return at;
        }
        nm_free(context, at);
        at = next;
    }
    nm_free(context, at);
    if (error == EPERM) {
        nm_file_fail_to_write(context, path,
                              "it is a link that another user put into a folder open to all; "
                              "remove it or write elsewhere");
    } else if (error != ENOMEM) { /* which is reported */
        nm_file_fail_with_errno(context, path, error ? error : ELOOP);
    }
    return NULL;
}

/* ---- All of it ---- */

/* Promise 3. */
static bool is_as_found(const nm_file_target *target)
{
    struct stat info;
    bool exists = lstat(target->path, &info) == 0;
    return exists ? target->exists && info.st_dev == target->info.st_dev &&
                        info.st_ino == target->info.st_ino
                  : errno == ENOENT && !target->exists;
}

nm_status nm_file_target_find(nm_context *context, const char *path, nm_file_target *target)
{
    *target = (nm_file_target){0};
    target->exists = stat(path, &target->info) == 0;
    if (!target->exists && (errno != ENOENT || !*path)) { /* promise 1 */
        return nm_file_fail_with_errno(context, path, errno);
    }
    if (target->exists && S_ISDIR(target->info.st_mode)) {
        return nm_file_fail_with_errno(context, path, EISDIR);
    }
    if (target->exists && !S_ISREG(target->info.st_mode)) {
        return NM_OK;
    }
    target->path = follow_links(context, path);
    if (target->path && !is_as_found(target)) {
        nm_free(context, target->path);
        target->path = NULL;
        nm_file_fail_to_write(context, path, "it was exchanged while it was being looked at");
    }
    return target->path ? NM_OK : nm_context_status(context);
}
