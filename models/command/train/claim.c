/* A run's folder, claimed for one process. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/command/train/folder.h"

#define LOG "log.jsonl"

/* What a run keeps before its first step: held_out.h has the others. */
static const char *const kept_names[] = {"network.yaml", "validation-rows.csv", "test-rows.csv",
                                         "unused-rows.csv"};

/* ---- The log, and the lock on it ---- */

static nm_status fail_at(nm_context *context, const char *folder, int error)
{
    return nm_fail(context, NM_ERROR_IO, "cannot write \"%s/" LOG "\": %s", folder,
                   error == ELOOP ? "it is a link" : strerror(error));
}

/* -1 with errno. A link is not followed: it could lead to somebody else's file. */
static int open_log(const char *path, int flags)
{
    const int common = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd;
    do {
        fd = open(path, common | flags, 0666);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static bool is_regular(int fd)
{
    struct stat info;
    return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

/* A line that a kill cut off is ended, so that the next one stands alone. */
static void end_line(int fd)
{
    char last = '\n';
    off_t size = lseek(fd, 0, SEEK_END);
    if (size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n') {
        (void)!write(fd, "\n", 1);
    }
}

/* Locks the log and makes a stream of it; takes the descriptor. Some file systems know no locks. */
static nm_status take_log(nm_context *context, run_claim *claim, int fd)
{
    if (!is_regular(fd)) {
        close(fd);
        return fail_at(context, claim->folder, EINVAL);
    }
    claim->locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!claim->locked && errno == EWOULDBLOCK) {
        close(fd);
        return nm_fail(context, NM_ERROR_INPUT,
                       "another process is training in %s; wait for it, or give another --out",
                       claim->folder);
    }
    end_line(fd);
    claim->log = fdopen(fd, "a");
    if (!claim->log) {
        close(fd);
        return fail_at(context, claim->folder, errno);
    }
    return NM_OK;
}

/* Makes the log, or opens the one that is there. */
static nm_status claim_log(nm_context *context, run_claim *claim)
{
    char path[RUN_PATH];
    if (!path_join(path, claim->folder, LOG)) {
        return fail_at(context, claim->folder, ENAMETOOLONG);
    }
    int fd = open_log(path, O_CREAT | O_EXCL);
    claim->made_log = fd >= 0;
    if (fd < 0 && errno == EEXIST) {
        fd = open_log(path, 0);
    }
    return fd < 0 ? fail_at(context, claim->folder, errno) : take_log(context, claim, fd);
}

/* ---- New runs ---- */

nm_status claim_next(nm_context *context, const char *file, char folder[RUN_PATH], run_claim *claim)
{
    *claim = (run_claim){.folder = folder};
    if (nm_folder_create(context, "runs") != NM_OK) {
        return nm_context_status(context);
    }
    for (int number = 1; number < MOST_RUNS && run_name(file, number, folder); number++) {
        if (mkdir(folder, 0777) == 0) {
            claim->made_folder = true;
            return claim_log(context, claim);
        }
        if (errno != EEXIST) {
            return nm_fail(context, NM_ERROR_IO, "cannot make the folder \"%s\": %s", folder,
                           strerror(errno));
        }
    }
    return nm_fail(context, NM_ERROR_INPUT, "there is no free name for a folder of %s in runs/",
                   file);
}

nm_status check_free(nm_context *context, const char *folder)
{
    if (folder_holds(folder, "checkpoint.safetensors")) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%s holds a run already; --resume continues it, another --out keeps it",
                       folder);
    }
    if (folder_holds(folder, "best.safetensors")) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%s holds a network already, and no checkpoint to go on from; give another "
                       "--out (and --from, to start from that network)",
                       folder);
    }
    /* With a log they are those of a run that ended before it had anything to keep. */
    for (int i = 0; i < NM_COUNT_OF(kept_names) && !folder_holds(folder, LOG); i++) {
        if (folder_holds(folder, kept_names[i])) {
            return nm_fail(context, NM_ERROR_INPUT,
                           "%s holds a %s, which the run's would replace; give another --out",
                           folder, kept_names[i]);
        }
    }
    return NM_OK;
}

static nm_status make_folder(nm_context *context, run_claim *claim)
{
    claim->made_folder = !path_exists(claim->folder);
    return nm_folder_create(context, claim->folder);
}

/* The log of a run that ended before it had anything to keep gives way. */
static nm_status empty_log(nm_context *context, const run_claim *claim)
{
    if (claim->made_log) {
        return NM_OK;
    }
    if (!claim->locked) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%s holds the log of a run, perhaps one that still goes on; give another "
                       "--out",
                       claim->folder);
    }
    return ftruncate(fileno(claim->log), 0) == 0 ? NM_OK : fail_at(context, claim->folder, errno);
}

nm_status claim_new(nm_context *context, const char *folder, run_claim *claim)
{
    *claim = (run_claim){.folder = folder};
    nm_status status = check_free(context, folder);
    if (status == NM_OK) {
        status = make_folder(context, claim);
    }
    if (status == NM_OK) {
        status = claim_log(context, claim);
    }
    if (status == NM_OK) {
        status = check_free(context, folder); /* again: now nobody else can change it */
    }
    return status == NM_OK ? empty_log(context, claim) : status;
}

nm_status claim_again(nm_context *context, const char *folder, run_claim *claim)
{
    *claim = (run_claim){.folder = folder};
    return claim_log(context, claim);
}

/* ---- The end ---- */

void claim_end(run_claim *claim)
{
    if (claim->log) {
        fclose(claim->log);
    }
    *claim = (run_claim){0};
}

void claim_undo(run_claim *claim)
{
    char path[RUN_PATH];
    for (int i = 0; i <= NM_COUNT_OF(kept_names); i++) {
        const char *name = i < NM_COUNT_OF(kept_names) ? kept_names[i] : LOG;
        if (claim->log && claim->made_log && path_join(path, claim->folder, name)) {
            unlink(path);
        }
    }
    if (claim->made_folder) {
        rmdir(claim->folder);
    }
    claim_end(claim);
}
