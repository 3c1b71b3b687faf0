/* Running a study: a process a run, so many at a time, each with one thread. What is there stays:
 * a run that ended is not made again, one that was killed goes on from its checkpoint. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "models/command/study/study.h"
#include "models/command/train/folder.h"
#include "models/command/train/interrupt.h"
#include "models/command/train/log_line.h"

extern char **environ;

#define MOST_JOBS 64

typedef struct job {
    pid_t pid; /* 0: none */
    int arm;
    int64_t seed;
} job;

typedef struct runner {
    study *study;
    job jobs[MOST_JOBS];
    int running;
    int64_t all, done, skipped;
    double begun;
    nm_status status;
} runner;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

nm_status study_run_path(const study *s, const arm *a, int64_t seed, char path[RUN_PATH])
{
    const int length =
        snprintf(path, RUN_PATH, "%s/runs/%s,seed=%lld", s->folder, a->name, (long long)seed);
    return length < RUN_PATH ? NM_OK
                             : nm_fail(s->context, NM_ERROR_INPUT, "the folder's name is too long");
}

/* ---- What is there ---- */

static void look_for_end(void *user, const char *line)
{
    bool *over = user;
    *over = strstr(line, "\"event\": \"end\"") && !strstr(line, "\"end\": \"stopped\"") &&
            (!strstr(line, "\"end\": \"failed\"") || strstr(line, "\"diverged\": true"));
}

/* Whether the run's last line says that it ended, well or by diverging. */
static bool is_over(const study *s, const char *folder)
{
    char path[RUN_PATH];
    bool over = false;
    if (path_join(path, folder, "log.jsonl")) {
        log_lines_of(s->context, path, look_for_end, &over);
    }
    return over;
}

static bool holds(const char *folder, const char *name)
{
    char path[RUN_PATH];
    struct stat info;
    return path_join(path, folder, name) && stat(path, &info) == 0;
}

/* ---- A file ---- */

/* Replaces the file if it says something else; then runs of it that are there are of another study.
 */
static nm_status write_file(study *s, const arm *a, char path[RUN_PATH])
{
    size_t size;
    if (snprintf(path, RUN_PATH, "%s/files/%s.yaml", s->folder, a->name) >= RUN_PATH) {
        return nm_fail(s->context, NM_ERROR_INPUT, "the folder's name is too long");
    }
    if (access(path, F_OK) == 0) {
        char *old = nm_file_read(s->context, path, NM_VALUE_MAX_BYTES, &size);
        const bool same = old && strlen(a->text) == size && memcmp(old, a->text, size) == 0;
        nm_free(s->context, old);
        return same
                   ? NM_OK
                   : nm_fail(s->context, NM_ERROR_INPUT,
                             "%s is of another study, or this one as it was before it was changed; "
                             "give another --out, or remove the folder",
                             path);
    }
    nm_file *file = nm_file_create(s->context, path);
    if (file && nm_file_write(file, a->text, strlen(a->text)) == NM_OK) {
        return nm_file_commit(file);
    }
    nm_file_abandon(file);
    return nm_context_status(s->context);
}

static nm_status make_folders(study *s)
{
    static const char *const names[] = {"files", "runs"};
    nm_status status =
        strncmp(s->folder, "studies/", 8) == 0 ? nm_folder_create(s->context, "studies") : NM_OK;
    status = status == NM_OK ? nm_folder_create(s->context, s->folder) : status;
    for (int i = 0; i < NM_COUNT_OF(names) && status == NM_OK; i++) {
        char path[RUN_PATH];
        status = path_join(path, s->folder, names[i])
                     ? nm_folder_create(s->context, path)
                     : nm_fail(s->context, NM_ERROR_INPUT, "the folder's name is too long");
    }
    return status;
}

/* ---- A process ---- */

static int spawn(const char *file, const char *folder, int64_t seed, bool resume, pid_t *pid)
{
    char setting[64], errors[RUN_PATH];
    snprintf(setting, sizeof setting, "train.seed=%lld", (long long)seed);
    if (snprintf(errors, sizeof errors, "%s.txt", folder) >= (int)sizeof errors) {
        return ENAMETOOLONG;
    }
    const char *words[] = {"norma", "train",   file,
                           "--out", folder,    "--set",
                           setting, "--quiet", resume ? "--resume" : NULL,
                           NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    const int error =
        posix_spawn(pid, "/proc/self/exe", &actions, NULL, (char *const *)(void *)words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* A run that was stopped with a network and without a checkpoint begins anew. */
static bool make_ready(const char *folder)
{
    char path[RUN_PATH];
    const bool resume = holds(folder, "checkpoint.safetensors");
    if (!resume && path_join(path, folder, "best.safetensors")) {
        unlink(path);
    }
    return resume;
}

static void start(runner *r, int arm_index, int64_t seed)
{
    study *s = r->study;
    const arm *a = &s->arms[arm_index];
    char file[RUN_PATH], folder[RUN_PATH];
    r->status = write_file(s, a, file);
    r->status = r->status == NM_OK ? study_run_path(s, a, seed, folder) : r->status;
    if (r->status != NM_OK) {
        return;
    }
    const bool over = is_over(s, folder);
    r->status = nm_context_status(s->context);
    if (over || r->status != NM_OK) {
        r->skipped += over;
        return;
    }
    for (int i = 0; i < s->jobs; i++) {
        if (!r->jobs[i].pid) {
            const int error = spawn(file, folder, seed, make_ready(folder), &r->jobs[i].pid);
            if (error) {
                r->jobs[i].pid = 0;
                r->status =
                    nm_fail(s->context, NM_ERROR_IO, "cannot start a run: %s", strerror(error));
                return;
            }
            r->jobs[i].arm = arm_index;
            r->jobs[i].seed = seed;
            r->running++;
            return;
        }
    }
}

/* How it ended, which it has not said itself: it was killed, or did not begin. */
static void describe_end(int how, char *text, size_t size)
{
    if (WIFSIGNALED(how)) {
        snprintf(text, size, "it was ended by signal %d (%s)", WTERMSIG(how),
                 strsignal(WTERMSIG(how)));
    } else {
        snprintf(text, size, "it ended with exit code %d, without a word", WEXITSTATUS(how));
    }
}

/* What a run that failed has said, its reason; of one that was killed warnings at most. */
static void report_failure(runner *r, const job *j, int how)
{
    study *s = r->study;
    char folder[RUN_PATH], path[RUN_PATH + 8], end[128];
    size_t size;
    study_run_path(s, &s->arms[j->arm], j->seed, folder);
    snprintf(path, sizeof path, "%s.txt", folder);
    char *text = nm_file_read(s->context, path, 1 << 16, &size);
    describe_end(how, end, sizeof end);
    if (text) {
        const bool said = text[strspn(text, " \n")] != 0, killed = WIFSIGNALED(how);
        r->status = nm_fail(s->context, NM_ERROR_INPUT, "the run \"%s\" failed: %s%s%.2000s",
                            folder + strlen(s->folder) + 6, said && !killed ? "" : end,
                            said && killed ? "; before, it said: " : "", said ? text : "");
    }
    nm_free(s->context, text);
}

/* ---- Progress ---- */

static void tell(const runner *r, const job *j)
{
    const study *s = r->study;
    const int64_t left = r->all - r->skipped - r->done;
    const double each = (now() - r->begun) / (double)r->done;
    if (!s->is_quiet) {
        fprintf(stderr, "[%lld/%lld] %s, seed %lld", (long long)(r->skipped + r->done),
                (long long)r->all, s->arms[j->arm].name, (long long)j->seed);
        if (left) {
            fprintf(stderr, " (%.0f s left)", each * (double)left);
        }
        fputc('\n', stderr);
    }
}

static void finish(runner *r, pid_t pid, int how)
{
    for (int i = 0; i < MOST_JOBS; i++) {
        job *j = &r->jobs[i];
        if (j->pid != pid || !pid) {
            continue;
        }
        char folder[RUN_PATH];
        j->pid = 0;
        r->running--;
        r->done++;
        study_run_path(r->study, &r->study->arms[j->arm], j->seed, folder);
        if (is_over(r->study, folder)) {
            tell(r, j);
        } else if (!interrupt_number() && r->status == NM_OK) {
            report_failure(r, j, how);
        }
    }
}

static void wait_for_one(runner *r)
{
    for (int i = 0; i < MOST_JOBS; i++) {
        int how;
        if (r->jobs[i].pid && waitpid(r->jobs[i].pid, &how, WNOHANG) == r->jobs[i].pid) {
            finish(r, r->jobs[i].pid, how);
            return;
        }
    }
    const struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
}

static void stop_all(const runner *r)
{
    for (int i = 0; i < MOST_JOBS; i++) {
        if (r->jobs[i].pid) {
            kill(r->jobs[i].pid, SIGTERM);
        }
    }
}

static void run_all_of(runner *r)
{
    study *s = r->study;
    for (int64_t n = 0; n < r->all && r->status == NM_OK && !interrupt_number(); n++) {
        while (r->running == s->jobs && !interrupt_number() && r->status == NM_OK) {
            wait_for_one(r);
        }
        if (!interrupt_number() && r->status == NM_OK) {
            start(r, (int)(n % s->arm_count), 1 + n / s->arm_count);
        }
    }
    bool told = false;
    while (r->running) {
        if ((interrupt_number() || r->status != NM_OK) && !told) {
            stop_all(r);
            told = true;
        }
        wait_for_one(r);
    }
}

nm_status study_run(study *s)
{
    runner r = {.study = s, .all = s->arm_count * s->seeds, .begun = now()};
    r.status = make_folders(s);
    if (r.status != NM_OK) {
        return r.status;
    }
    setenv("OMP_NUM_THREADS", "1", 1); /* for the processes: this one does not compute */
    interrupts_catch();
    run_all_of(&r);
    const int number = interrupt_number();
    interrupts_release();
    s->seconds = now() - r.begun;
    if (r.status == NM_OK && number) {
        r.status =
            nm_fail(s->context, NM_ERROR_CANCELLED,
                    "the study was stopped after %lld of %lld runs; the same command goes on",
                    (long long)(r.skipped + r.done), (long long)r.all);
    }
    return r.status;
}
