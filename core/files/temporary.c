/* Temporary files, NAME.PROCESS-BOOT-NUMBER.tmp, and what becomes of those of killed processes.
 *
 * 1. A file is locked for as long as its writer lives; the system gives the lock back however the
 *    writer ends. So what can be locked belongs to nobody, whatever has become of process numbers.
 * 2. Locks may mean nothing between machines that share a folder. A name holds eight digits of the
 *    number that Linux draws at each start (which containers on it share): where they are not
 *    this system's, the file must also have been left alone for an hour.
 * 3. A writer that was taken for dead between making and locking its file notices, and makes
 *    another. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "core/files/write.h"

#define MAX_ATTEMPTS 100
#define BOOT_DIGITS 8
#define ABANDONED 3600 /* seconds */
#define SUFFIX ".tmp"

/* ---- Names ---- */

/* The first digits of this system start's number; zeros where there is none. */
static void boot_text(char text[BOOT_DIGITS + 1])
{
    memset(text, '0', BOOT_DIGITS);
    text[BOOT_DIGITS] = 0;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    char read_text[BOOT_DIGITS];
    if (read(fd, read_text, BOOT_DIGITS) == BOOT_DIGITS) {
        memcpy(text, read_text, BOOT_DIGITS);
    }
    close(fd);
}

/* The target's name is cut, as a name has at most 255 bytes. */
static char *make_name(nm_context *context, const char *target, int attempt)
{
    char boot[BOOT_DIGITS + 1];
    boot_text(boot);
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint32_t number = (uint32_t)(now.tv_nsec ^ now.tv_sec << 20) + (uint32_t)attempt * 0x9e3779b9u;
    int folder = nm_file_folder_length(target);
    return nm_format(context, "%.*s%.200s.%ld-%s-%08x" SUFFIX, folder, target, target + folder,
                     (long)getpid(), boot, number);
}

/* The text that ends at `end` less `count` bytes of `set`, or NULL if they are others. */
static const char *back_over(const char *begin, const char *end, const char *set, int count)
{
    for (; count; count--, end--) {
        if (end == begin || !end[-1] || !strchr(set, end[-1])) {
            return NULL;
        }
    }
    return end;
}

/* Where the start's digits stand in a temporary file's name; NULL: it is none. */
static const char *find_boot(const char *name)
{
    static const char hex[] = "0123456789abcdef";
    size_t length = strlen(name), suffix = sizeof SUFFIX - 1;
    if (length < suffix || strcmp(name + length - suffix, SUFFIX) != 0) {
        return NULL;
    }
    const char *at = back_over(name, name + length - suffix, hex, 8);
    at = at ? back_over(name, at, "-", 1) : NULL;
    const char *boot = at ? back_over(name, at, hex, BOOT_DIGITS) : NULL;
    at = boot ? back_over(name, boot, "-", 1) : NULL;
    /* The process number has one digit or more. */
    at = at ? back_over(name, at, "0123456789", 1) : NULL;
    while (at && at > name && at[-1] >= '0' && at[-1] <= '9') {
        at--;
    }
    return at && at > name + 1 && at[-1] == '.' ? boot : NULL;
}

/* ---- Locks ---- */

static int lock(int fd, int how)
{
    int result;
    do {
        result = flock(fd, how);
    } while (result != 0 && errno == EINTR);
    return result;
}

/* Promises 1 and 2. */
static bool is_dead(int fd, const char *boot, const char *ours)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || lock(fd, LOCK_EX | LOCK_NB) != 0) {
        return false;
    }
    bool same = strncmp(boot, ours, BOOT_DIGITS) == 0 && strcmp(ours, "00000000") != 0;
    time_t now = time(NULL);
    return same || (now > info.st_mtime && now - info.st_mtime > ABANDONED);
}

void nm_file_temporary_sweep(const char *folder)
{
    DIR *list = opendir(folder);
    if (!list) {
        return; /* it may be writable but not readable */
    }
    char ours[BOOT_DIGITS + 1];
    boot_text(ours);
    const struct dirent *entry;
    while ((entry = readdir(list))) {
        const char *boot = find_boot(entry->d_name);
        int fd = boot ? openat(dirfd(list), entry->d_name,
                               O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
                      : -1;
        if (fd >= 0) {
            if (is_dead(fd, boot, ours)) {
                unlinkat(dirfd(list), entry->d_name, 0);
            }
            close(fd);
        }
    }
    closedir(list);
}

/* ---- Making one ---- */

/* Promise 3: whether the locked file still has its name. Where there are no locks, nobody sweeps.
 */
static bool take(int fd)
{
    struct stat info;
    lock(fd, LOCK_EX);
    return fstat(fd, &info) == 0 && info.st_nlink > 0;
}

int nm_file_temporary_open(nm_context *context, const char *path, const char *target, mode_t mode,
                           char **name)
{
    int error = EEXIST;
    for (int attempt = 0; error == EEXIST && attempt < MAX_ATTEMPTS; attempt++) {
        *name = make_name(context, target, attempt);
        if (!*name) {
            return -1;
        }
        int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd >= 0 && take(fd)) {
            return fd;
        }
        error = fd < 0 ? errno : EEXIST;
        if (fd >= 0) {
            close(fd);
        }
        nm_free(context, *name);
        *name = NULL;
    }
    nm_file_fail_with_errno(context, path, error);
    return -1;
}
