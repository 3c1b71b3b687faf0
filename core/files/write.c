/* Replacing files and making folders.
 *
 * 1. Until the commit the old file is untouched; after it the new one is whole. In between there is
 *    one rename(), which the system does in one step.
 * 2. What the commit reported as done is on the disk: the file is synced before the rename, its
 *    folder after it.
 * 3. Whatever goes wrong, the temporary file is removed (only a kill can leave it behind). */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS 40      /* symbolic links that lead to each other, as many as Linux follows */
#define MAX_TEMPORARY 100 /* files that killed processes of the same number left behind */

struct nm_file {
    nm_context *context;
    char *path;      /* as the caller gave it, for messages */
    char *target;    /* what is replaced: behind any links; NULL: a device or pipe */
    char *folder;    /* that holds it. Kept: a commit allocates nothing that could fail */
    char *temporary; /* NULL: none */
    int fd;
    int error; /* errno of the first failure */
};

/* ---- Paths ---- */

/* Length of the folder's part with its slash; 0: none. */
static int folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (int)(slash - path) + 1 : 0;
}

/* Where a link leads; NULL if memory ran out. */
static char *join_link(nm_context *context, const char *from, const char *link)
{
    return *link == '/' ? nm_copy_string(context, link)
                        : nm_format(context, "%.*s%s", folder_length(from), from, link);
}

static nm_status fail_to_write(nm_context *context, const char *path, int error)
{
    return nm_fail(context, NM_ERROR_IO, "cannot write \"%s\": %s", path,
                   error == EISDIR ? "it is a folder" : strerror(error));
}

/* Follows links at the end of the path, so that a link stays one and its target is replaced. */
static char *follow_links(nm_context *context, const char *path)
{
    char *at = nm_copy_string(context, path);
    for (int links = 0; at && links < MAX_LINKS; links++) {
        char link[PATH_MAX];
        ssize_t length = readlink(at, link, sizeof link - 1);
        if (length < 0) {
            return at; /* no link, or nothing there yet */
        }
        link[length] = 0;
        char *next = join_link(context, at, link);
        nm_free(context, at);
        at = next;
    }
    if (at) {
        fail_to_write(context, path, ELOOP);
        nm_free(context, at);
    }
    return NULL;
}

/* ---- Opening ---- */

/* The temporary name, beside the target. The target's name is cut, as a name has at most 255 bytes.
 */
static char *temporary_name(const nm_file *file, int attempt)
{
    int folder = folder_length(file->target);
    return nm_format(file->context, "%.*s%.200s.%ld-%d.tmp", folder, file->target,
                     file->target + folder, (long)getpid(), attempt);
}

/* Opens a temporary file that nobody else has, with the mode of the file that it will replace. */
static nm_status open_temporary(nm_file *file, const struct stat *old)
{
    mode_t mode = old ? old->st_mode & 0777 : 0666;
    for (int attempt = 0; attempt < MAX_TEMPORARY; attempt++) {
        file->temporary = temporary_name(file, attempt);
        if (!file->temporary) {
            return NM_ERROR_MEMORY;
        }
        file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (file->fd >= 0) {
            if (old) {
                fchmod(file->fd, mode); /* past the umask; where there are no modes, never mind */
            }
            return NM_OK;
        }
        int error = errno;
        nm_free(file->context, file->temporary);
        file->temporary = NULL;
        if (error != EEXIST) {
            return fail_to_write(file->context, file->path, error);
        }
    }
    return fail_to_write(file->context, file->path, EEXIST);
}

static nm_status open_to_replace(nm_file *file, const struct stat *old)
{
    file->target = follow_links(file->context, file->path);
    if (!file->target) {
        return nm_context_status(file->context);
    }
    int length = folder_length(file->target);
    file->folder =
        nm_format(file->context, "%.*s", length ? length : 1, length ? file->target : ".");
    if (!file->folder) {
        return NM_ERROR_MEMORY;
    }
    /* Renaming would replace a write-protected file too. */
    if (old && faccessat(AT_FDCWD, file->target, W_OK, AT_EACCESS) != 0) {
        return fail_to_write(file->context, file->path, errno);
    }
    return open_temporary(file, old);
}

/* A device or pipe cannot be replaced: what is written goes straight into it. */
static nm_status open_directly(nm_file *file)
{
    do {
        file->fd = open(file->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    } while (file->fd < 0 && errno == EINTR);
    return file->fd < 0 ? fail_to_write(file->context, file->path, errno) : NM_OK;
}

static nm_status open_file(nm_file *file)
{
    struct stat info;
    if (!*file->path) { /* a temporary file could be made, but never renamed */
        return fail_to_write(file->context, file->path, ENOENT);
    }
    bool exists = stat(file->path, &info) == 0;
    if (exists && S_ISDIR(info.st_mode)) {
        return fail_to_write(file->context, file->path, EISDIR);
    }
    if (exists && !S_ISREG(info.st_mode)) {
        return open_directly(file);
    }
    return open_to_replace(file, exists ? &info : NULL);
}

nm_file *nm_file_create(nm_context *context, const char *path)
{
    nm_file *file = nm_alloc_zero(context, 1, sizeof *file);
    if (!file) {
        return NULL;
    }
    file->context = context;
    file->fd = -1;
    file->path = nm_copy_string(context, path);
    if (!file->path || open_file(file) != NM_OK) {
        nm_file_abandon(file);
        return NULL;
    }
    return file;
}

/* ---- Writing and closing ---- */

nm_status nm_file_write(nm_file *file, const void *data, size_t size)
{
    const char *next = data;
    while (size && !file->error) {
        ssize_t count = write(file->fd, next, size < SSIZE_MAX ? size : SSIZE_MAX);
        if (count > 0) { /* perhaps not all of it */
            next += count;
            size -= (size_t)count;
        } else if (count == 0 || errno != EINTR) {
            file->error = count == 0 ? EIO : errno;
        }
    }
    return file->error ? fail_to_write(file->context, file->path, file->error) : NM_OK;
}

/* 0 or an errno. Devices and pipes know no syncing. */
static int sync_to_disk(int fd)
{
    int result;
    do {
        result = fsync(fd);
    } while (result != 0 && errno == EINTR);
    return result == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP ? 0 : errno;
}

/* Puts the renaming on the disk. A folder may be writable but not readable: then that is left to
 * the system. */
static int sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    int error = sync_to_disk(fd);
    close(fd);
    return error;
}

static void remember(nm_file *file, int error)
{
    file->error = file->error ? file->error : error;
}

static void close_file(nm_file *file)
{
    /* Network file systems report a full disk here. After EINTR the file is closed all the same. */
    if (file->fd >= 0 && close(file->fd) != 0 && errno != EINTR) {
        remember(file, errno);
    }
    file->fd = -1;
}

nm_status nm_file_commit(nm_file *file)
{
    if (!file->error) {
        remember(file, sync_to_disk(file->fd));
    }
    close_file(file);
    if (!file->error && file->target) {
        if (rename(file->temporary, file->target) == 0) {
            nm_free(file->context, file->temporary);
            file->temporary = NULL;
            remember(file, sync_folder(file->folder));
        } else {
            remember(file, errno);
        }
    }
    nm_status status = file->error ? fail_to_write(file->context, file->path, file->error) : NM_OK;
    nm_file_abandon(file);
    return status;
}

void nm_file_abandon(nm_file *file)
{
    if (!file) {
        return;
    }
    close_file(file);
    if (file->temporary) {
        unlink(file->temporary);
    }
    nm_free(file->context, file->temporary);
    nm_free(file->context, file->folder);
    nm_free(file->context, file->target);
    nm_free(file->context, file->path);
    nm_free(file->context, file);
}

/* ---- Folders ---- */

static nm_status make_folder(nm_context *context, const char *folder, const char *path)
{
    if (mkdir(folder, 0777) == 0) {
        return NM_OK;
    }
    /* That the folder exists may be reported in several ways; ask instead. */
    int error = errno;
    struct stat info;
    bool exists = stat(folder, &info) == 0;
    if (exists && S_ISDIR(info.st_mode)) {
        return NM_OK;
    }
    if (exists) {
        return nm_fail(context, NM_ERROR_IO, "cannot make the folder \"%s\": \"%s\" is a file",
                       path, folder);
    }
    return nm_fail(context, NM_ERROR_IO, "cannot make the folder \"%s\": %s", path,
                   strerror(error));
}

nm_status nm_folder_create(nm_context *context, const char *path)
{
    char *part = nm_copy_string(context, path);
    if (!part) {
        return NM_ERROR_MEMORY;
    }
    nm_status status = NM_OK;
    char *slash = strchr(part + (*part == '/'), '/');
    for (; slash && status == NM_OK; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        status = make_folder(context, part, path);
        *slash = '/';
    }
    if (status == NM_OK) {
        status = make_folder(context, part, path);
    }
    nm_free(context, part);
    return status;
}
