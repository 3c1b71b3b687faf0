/* Faults on order: preloaded into a program, it makes one call of the C library go wrong.
 *
 * NORMA_FAULT=CALL:N:WHAT   the Nth call of CALL (`any`: of all that are counted) fails with WHAT:
 *     a number  it fails with this errno; with a plus behind it (28+), all later ones do too
 *     short     reading or writing does half of it; short+ from there on
 *     kill      the process is killed before the call; `late` after it
 *     signal-S  it gets signal S
 *     gone      the folder $NORMA_FAULT_FOLDER is renamed away
 *     clock     the clock goes back by a day
 * NORMA_FAULT_COUNT=FILE    writes how often each call was made, when the program ends
 * NORMA_FAULT_JOURNAL=DIR   keeps what is synced to the disk and in which order names changed, so
 *                           that the state after a power cut can be made (torture.py)
 *
 * Counted are calls that concern files outside of the system's own folders, and standard output;
 * with memory.c, requests for memory too (no part of `any`). */
/* `open` and `open64` are two names here, as for whoever is preloaded for. */
#undef _FILE_OFFSET_BITS
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "faults.h"

/* ---- The calls ---- */

#define NAME(name) #name,

static const char *const names[] = {CALLS(NAME) "any"};

static struct {
    int call;
    long number; /* from 1; 0: none */
    action action;
    int value;  /* an errno, or a signal */
    bool stays; /* from there on */
} fault;

static atomic_long counts[CALL_COUNT + 1];
static atomic_bool clock_is_back;
static const char *folder, *journal;

static void fault_read(const char *text)
{
    char call[16] = "", what[24] = "";
    if (sscanf(text, "%15[a-z]:%ld:%23s", call, &fault.number, what) != 3) {
        dprintf(2, "NORMA_FAULT=%s: not CALL:N:WHAT\n", text);
        _exit(99);
    }
    for (fault.call = 0; fault.call < CALL_ANY && strcmp(names[fault.call], call) != 0;) {
        fault.call++;
    }
    char *last = what + strlen(what) - 1;
    fault.stays = *last == '+';
    *last = fault.stays ? 0 : *last;
    fault.action = strcmp(what, "short") == 0         ? SHORT
                   : strcmp(what, "kill") == 0        ? KILL
                   : strcmp(what, "late") == 0        ? LATE
                   : strcmp(what, "gone") == 0        ? GONE
                   : strcmp(what, "clock") == 0       ? CLOCK
                   : strncmp(what, "signal-", 7) == 0 ? SIGNAL
                                                      : ERROR;
    fault.value = atoi(fault.action == SIGNAL ? what + 7 : what);
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("NORMA_FAULT");
    folder = getenv("NORMA_FAULT_FOLDER");
    journal = getenv("NORMA_FAULT_JOURNAL");
    if (text) {
        fault_read(text);
    }
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("NORMA_FAULT_COUNT");
    int fd =
        path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    for (int i = 0; fd >= 0 && i <= CALL_COUNT; i++) {
        dprintf(fd, "%s %ld\n", names[i], atomic_load(&counts[i]));
    }
    if (fd >= 0) {
        dprintf(fd, "live %ld\n", live_blocks());
    }
}

static void leave(void)
{
    for (;;) {
        syscall(SYS_kill, getpid(), SIGKILL);
    }
}

static atomic_bool
    ended; /* main() has returned: what follows is a coverage build's, which keeps its counts */

action happens(int call)
{
    if (atomic_load(&ended)) {
        return NONE;
    }
    long of_call = atomic_fetch_add(&counts[call], 1) + 1;
    long of_all = atomic_fetch_add(&counts[CALL_ANY], call != CALL_memory) + 1;
    long at = fault.call == call                              ? of_call
              : fault.call == CALL_ANY && call != CALL_memory ? of_all
                                                              : 0;
    if (!fault.number || (fault.stays ? at < fault.number : at != fault.number)) {
        return NONE;
    }
    switch (fault.action) {
    case KILL: leave(); break;
    case SIGNAL: syscall(SYS_kill, getpid(), fault.value); return NONE;
    case GONE: {
        char gone[PATH_MAX];
        snprintf(gone, sizeof gone, "%s.gone", folder);
        syscall(SYS_renameat2, AT_FDCWD, folder, AT_FDCWD, gone, 0);
        return NONE;
    }
    case CLOCK: atomic_store(&clock_is_back, true); return NONE;
    default: break;
    }
    return fault.action;
}

#define REAL(name) (*(__typeof__(&name) *)real(#name))

/* The address of the function's address: standard C turns no other into a function's. */
static void *real(const char *name)
{
    static _Thread_local void *found;
    found = dlsym(RTLD_NEXT, name);
    return &found;
}

/* The call's frame: an error where one is ordered, else `run`, and the end where that is. */
#define RETURN_OR(call, failed, run)                                                               \
    do {                                                                                           \
        action what = happens(CALL_##call);                                                        \
        if (what == ERROR) {                                                                       \
            errno = fault.value;                                                                   \
            return failed;                                                                         \
        }                                                                                          \
        __typeof__(run) result = run;                                                              \
        if (what == LATE) {                                                                        \
            leave();                                                                               \
        }                                                                                          \
        return result;                                                                             \
    } while (0)

/* ---- The end ---- */

typedef int program_fn(int argc, char **argv, char **environment);
static program_fn *program;

static int run_program(int argc, char **argv, char **environment)
{
    const int code = program(argc, argv, environment);
    atomic_store(&ended, true);
    return code;
}

int __libc_start_main(program_fn *main_, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*loader_end)(void), void *stack_end);

int __libc_start_main(program_fn *main_, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*loader_end)(void), void *stack_end)
{
    program = main_;
    return REAL(__libc_start_main)(run_program, argc, argv, init, fini, loader_end, stack_end);
}

#ifndef WITH_MEMORY
long live_blocks(void)
{
    return 0;
}
#endif

/* ---- Whose files ---- */

static bool is_ours(const char *path)
{
    static const char *const systems[] = {"/proc", "/sys",      "/etc",     "/usr",
                                          "/lib",  "/dev/null", "/dev/tty", "/dev/urandom"};
    for (size_t i = 0; path && i < sizeof systems / sizeof *systems; i++) {
        if (strncmp(path, systems[i], strlen(systems[i])) == 0) {
            return false;
        }
    }
    return path && !(journal && strncmp(path, journal, strlen(journal)) == 0);
}

/* By what the system says of the descriptor: standard output and regular files and folders. */
static bool is_our_fd(int fd)
{
    char link[32], path[PATH_MAX];
    if (fd == 1) {
        return true;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path - 1);
    if (fd == 2 || length <= 0 || *path != '/') {
        return false;
    }
    path[length] = 0;
    return is_ours(path);
}

/* ---- The journal ---- */

static pthread_mutex_t journal_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int snapshots;

static void note(const char *format, ...)
{
    char line[3 * PATH_MAX], path[PATH_MAX];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    snprintf(path, sizeof path, "%s/journal", journal);
    pthread_mutex_lock(&journal_lock);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)!syscall(SYS_write, fd, line, (size_t)length);
    syscall(SYS_close, fd);
    pthread_mutex_unlock(&journal_lock);
}

static void whole_path(const char *path, char text[PATH_MAX])
{
    char here[PATH_MAX / 2];
    if (*path == '/' || !getcwd(here, sizeof here)) {
        snprintf(text, PATH_MAX, "%s", path);
    } else {
        snprintf(text, PATH_MAX, "%s/%s", here, path);
    }
}

static void fd_path(int fd, char path[PATH_MAX])
{
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
}

/* Copies what the file holds now, under the next number. */
static int take_snapshot(int fd)
{
    char link[32], path[PATH_MAX], buffer[65536];
    int number = atomic_fetch_add(&snapshots, 1);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    snprintf(path, sizeof path, "%s/%d", journal, number);
    int from = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY, 0);
    int to = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    long count;
    while ((count = syscall(SYS_read, from, buffer, sizeof buffer)) > 0) {
        (void)!syscall(SYS_write, to, buffer, (size_t)count);
    }
    syscall(SYS_close, from);
    syscall(SYS_close, to);
    return number;
}

static void note_sync(int fd)
{
    struct stat info;
    char path[PATH_MAX];
    fd_path(fd, path);
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        note("folder\t%s\n", path);
    } else {
        note("sync\t%s\t%d\n", path, take_snapshot(fd));
    }
}

/* ---- The calls themselves ---- */

static int note_open(int fd, bool creates)
{
    char path[PATH_MAX];
    if (fd >= 0 && creates && journal) {
        fd_path(fd, path);
        note("create\t%s\n", path);
    }
    return fd;
}

static int open_at(int at, const char *path, int flags, mode_t mode)
{
    const bool creates = flags & O_CREAT && is_ours(path) && faccessat(at, path, F_OK, 0) != 0;
    return note_open((int)syscall(SYS_openat, at, path, flags, mode), creates);
}

#define OPEN(name, parameters, at)                                                                 \
    int name parameters                                                                            \
    {                                                                                              \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;                    \
        va_end(list);                                                                              \
        if (!is_ours(path)) {                                                                      \
            return (int)syscall(SYS_openat, at, path, flags, mode);                                \
        }                                                                                          \
        RETURN_OR(open, -1, open_at(at, path, flags, mode));                                       \
    }

OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int at, const char *path, int flags, ...), at)
OPEN(openat64, (int at, const char *path, int flags, ...), at)

FILE *fopen64(const char *path, const char *mode)
{
    if (!is_ours(path)) {
        return REAL(fopen64)(path, mode);
    }
    const bool creates = *mode != 'r' && access(path, F_OK) != 0;
    action what = happens(CALL_open);
    if (what == ERROR) {
        errno = fault.value;
        return NULL;
    }
    FILE *file = REAL(fopen64)(path, mode);
    if (file) {
        note_open(fileno(file), creates);
    }
    return file;
}

FILE *fopen(const char *path, const char *mode)
{
    return fopen64(path, mode);
}

static size_t part(action what, size_t size)
{
    return what == SHORT && size > 1 ? size / 2 : size;
}

#define TRANSFER(call, number, at)                                                                 \
    {                                                                                              \
        if (!is_our_fd(fd)) {                                                                      \
            return syscall(number, fd, data, size, at);                                            \
        }                                                                                          \
        action what = happens(CALL_##call);                                                        \
        if (what == ERROR) {                                                                       \
            errno = fault.value;                                                                   \
            return -1;                                                                             \
        }                                                                                          \
        ssize_t result = syscall(number, fd, data, part(what, size), at);                          \
        if (what == LATE) {                                                                        \
            leave();                                                                               \
        }                                                                                          \
        return result;                                                                             \
    }

/* `at` is read by pread() alone. */
ssize_t write(int fd, const void *data, size_t size) TRANSFER(write, SYS_write, 0) ssize_t
    read(int fd, void *data, size_t size) TRANSFER(read, SYS_read, 0) ssize_t
    pread(int fd, void *data, size_t size, off_t at) TRANSFER(pread, SYS_pread64, at) ssize_t
    pread64(int fd, void *data, size_t size, off64_t at) TRANSFER(pread, SYS_pread64, at)

        int fflush(FILE *file)
{
    if (!file || !is_our_fd(fileno(file))) {
        return REAL(fflush)(file);
    }
    RETURN_OR(fflush, EOF, REAL(fflush)(file));
}

static int sync_and_note(int fd)
{
    int result = journal ? 0 : (int)syscall(SYS_fsync, fd);
    if (journal) {
        note_sync(fd);
    }
    return result;
}

int fsync(int fd)
{
    RETURN_OR(fsync, -1, sync_and_note(fd));
}

/* A descriptor is closed though close() fails, as Linux has it. */
int close(int fd)
{
    if (!is_our_fd(fd)) {
        return (int)syscall(SYS_close, fd);
    }
    action what = happens(CALL_close);
    int result = (int)syscall(SYS_close, fd);
    if (what == LATE) {
        leave();
    }
    if (what == ERROR) {
        errno = fault.value;
        return -1;
    }
    return result;
}

static int rename_and_note(const char *from, const char *to)
{
    char old_path[PATH_MAX], new_path[PATH_MAX];
    int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (result == 0 && journal) {
        whole_path(from, old_path);
        whole_path(to, new_path);
        note("rename\t%s\t%s\n", old_path, new_path);
    }
    return result;
}

int rename(const char *from, const char *to)
{
    RETURN_OR(rename, -1, rename_and_note(from, to));
}

static int unlink_and_note(int at, const char *path, int flags)
{
    char text[PATH_MAX];
    int result = (int)syscall(SYS_unlinkat, at, path, flags);
    if (result == 0 && journal) {
        if (at != AT_FDCWD && *path != '/') {
            char base[PATH_MAX / 2];
            fd_path(at, text);
            snprintf(base, sizeof base, "%.*s", (int)sizeof base - 1, text);
            snprintf(text, sizeof text, "%s/%s", base, path);
        } else {
            whole_path(path, text);
        }
        note("unlink\t%s\n", text);
    }
    return result;
}

int unlink(const char *path)
{
    RETURN_OR(unlink, -1, unlink_and_note(AT_FDCWD, path, 0));
}

int unlinkat(int at, const char *path, int flags)
{
    RETURN_OR(unlink, -1, unlink_and_note(at, path, flags));
}

static int mkdir_and_note(const char *path, mode_t mode)
{
    char text[PATH_MAX];
    int result = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (result == 0 && journal) {
        whole_path(path, text);
        note("mkdir\t%s\n", text);
    }
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    RETURN_OR(mkdir, -1, mkdir_and_note(path, mode));
}

#define STAT(name, type)                                                                           \
    int name(const char *path, struct type *info)                                                  \
    {                                                                                              \
        if (!is_ours(path)) {                                                                      \
            return REAL(name)(path, info);                                                         \
        }                                                                                          \
        RETURN_OR(stat, -1, REAL(name)(path, info));                                               \
    }

STAT(stat, stat)
STAT(stat64, stat64)
STAT(lstat, stat)
STAT(lstat64, stat64)

int flock(int fd, int how)
{
    RETURN_OR(flock, -1, (int)syscall(SYS_flock, fd, how));
}

int ftruncate64(int fd, off64_t size)
{
    RETURN_OR(ftruncate, -1, (int)syscall(SYS_ftruncate, fd, size));
}

int fchmod(int fd, mode_t mode)
{
    RETURN_OR(fchmod, -1, (int)syscall(SYS_fchmod, fd, mode));
}

void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset)
{
    if (fd >= 0 && !is_our_fd(fd)) {
        return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
    }
    RETURN_OR(mmap, MAP_FAILED, (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset));
}

DIR *opendir(const char *path)
{
    RETURN_OR(opendir, NULL, REAL(opendir)(path));
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *user)
{
    action what = happens(CALL_thread);
    return what == ERROR ? EAGAIN : REAL(pthread_create)(thread, attributes, run, user);
}

/* ---- The clock ---- */

int clock_gettime(clockid_t which, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, which, now);
    now->tv_sec -= which == CLOCK_REALTIME && atomic_load(&clock_is_back) ? 86400 : 0;
    return result;
}

time_t time(time_t *into)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into) {
        *into = now.tv_sec;
    }
    return now.tv_sec;
}
