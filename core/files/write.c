/* Replacing files and making folders.
 *
 * 1. Until the commit the old file is untouched; after it the new one is whole. In between there is
 *    one rename(), which the system does in one step.
 * 2. What the commit reported as done is on the disk: the file is synced before the rename, its
 *    folder after it.
 * 3. Whatever goes wrong, the temporary file is removed. Only a kill can leave it behind: then the
 * next one who writes into that folder removes it. */
#include "core/file.h"
#include "core/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/files/write.h"

/* How long a pipe without a reader is tried, and how often; milliseconds. */
#define READER_PATIENCE 5000
#define READER_PAUSE 10

struct nm_file {
    nm_context *context;
    char *path;      /* as the caller gave it, for messages */
    char *target;    /* what is replaced: behind any links; NULL: a device or pipe */
    char *folder;    /* that holds it. Kept: a commit allocates nothing that could fail */
    char *temporary; /* NULL: none */
    int fd;
    int error; /* errno of the first failure */
};

/* ---- Opening ---- */

/* The new file belongs to whom the old one did and has its mode, as far as the system lets it:
 * never a wider one. */
static void keep_owner(const nm_file *file, const struct stat *old)
{
    struct stat now;
    mode_t mode = old->st_mode & 0777;
    if (fchown(file->fd, old->st_uid, old->st_gid) != 0) {
        (void)!fchown(file->fd, (uid_t)-1, old->st_gid);
    }
    if (fstat(file->fd, &now) == 0 && now.st_gid != old->st_gid) {
        mode = (mode & ~(mode_t)070) | (mode & 07) << 3; /* another group: as all others */
    }
    if (fstat(file->fd, &now) == 0 && now.st_uid != old->st_uid) {
        nm_context_log(file->context, NM_LOG_WARNING,
                       "%s belonged to user %ld and now belongs to user %ld", file->path,
                       (long)old->st_uid, (long)now.st_uid);
    }
    fchmod(file->fd, mode); /* past the umask; where there are no modes, never mind */
}

static nm_status open_to_replace(nm_file *file, const struct stat *old)
{
    int length = nm_file_folder_length(file->target);
    file->folder =
        nm_format(file->context, "%.*s", length ? length : 1, length ? file->target : ".");
    if (!file->folder) {
        return NM_ERROR_MEMORY;
    }
    /* Renaming would replace a write-protected file too. */
    if (old && faccessat(AT_FDCWD, file->target, W_OK, AT_EACCESS) != 0) {
        return nm_file_fail_with_errno(file->context, file->path, errno);
    }
    nm_file_temporary_sweep(file->folder);
    file->fd = nm_file_temporary_open(file->context, file->path, file->target,
                                      old ? old->st_mode & 0700 : 0666, &file->temporary);
    if (file->fd < 0) {
        return nm_context_status(file->context);
    }
    if (old) {
        keep_owner(file, old);
    }
    return NM_OK;
}

/* Whether it is worth waiting for somebody who reads from the pipe. */
static bool lacks_reader(int error, bool pipe, int *patience)
{
    struct timespec pause = {0, READER_PAUSE * 1000000L};
    if (error == EINTR) {
        return true;
    }
    if (error != ENXIO || !pipe || *patience <= 0) {
        return false;
    }
    *patience -= READER_PAUSE;
    nanosleep(&pause, NULL);
    return true;
}

/* A device or pipe cannot be replaced: what is written goes straight into it. */
static nm_status open_directly(nm_file *file, bool pipe)
{
    int patience = READER_PATIENCE;
    do {
        file->fd = open(file->path, O_WRONLY | O_CLOEXEC | O_NOCTTY | (pipe ? O_NONBLOCK : 0));
    } while (file->fd < 0 && lacks_reader(errno, pipe, &patience));
    if (file->fd < 0 && errno == ENXIO && pipe) {
        return nm_file_fail_to_write(file->context, file->path,
                                     "it is a pipe that nobody reads from");
    }
    if (file->fd < 0) {
        return nm_file_fail_with_errno(file->context, file->path, errno);
    }
    if (pipe) { /* from here on a slow reader is waited for */
        fcntl(file->fd, F_SETFL, fcntl(file->fd, F_GETFL) & ~O_NONBLOCK);
    }
    return NM_OK;
}

static nm_status open_file(nm_file *file)
{
    nm_file_target target;
    nm_status status = nm_file_target_find(file->context, file->path, &target);
    if (status != NM_OK) {
        return status;
    }
    file->target = target.path;
    return file->target ? open_to_replace(file, target.exists ? &target.info : NULL)
                        : open_directly(file, S_ISFIFO(target.info.st_mode));
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
    NM_GIVEN(file, NM_ERROR_INPUT);
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
    return file->error ? nm_file_fail_with_errno(file->context, file->path, file->error) : NM_OK;
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
    NM_GIVEN(file, NM_ERROR_INPUT);
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
    nm_status status =
        file->error ? nm_file_fail_with_errno(file->context, file->path, file->error) : NM_OK;
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

/* What mkdir() said of `folder`, which is `path` or above it. */
static nm_status judge_folder(nm_context *context, const char *folder, const char *path)
{
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

/* Removes the folders whose names end from `first` to `last`, if they are empty. */
static void remove_folders(char *path, const char *first, char *last)
{
    for (; last >= first; last--) {
        if (*last == '/') {
            *last = 0;
            rmdir(path);
        }
    }
}

nm_status nm_folder_create(nm_context *context, const char *path)
{
    NM_REQUIRE(context, path, NM_ERROR_INPUT);
    char *part = nm_format(context, "%s/", path);
    if (!part) {
        return NM_ERROR_MEMORY;
    }
    nm_status status = NM_OK;
    char *made = NULL; /* the end of the first one that was not there */
    for (char *slash = part + (*path == '/'); status == NM_OK && (slash = strchr(slash, '/'));) {
        *slash = 0;
        const bool is_new = mkdir(part, 0777) == 0;
        status = is_new ? NM_OK : judge_folder(context, part, path);
        *slash = '/';
        made = is_new && !made ? slash : made;
        if (status != NM_OK && made) {
            remove_folders(part, made, slash);
        }
        slash++;
    }
    nm_free(context, part);
    return status;
}
