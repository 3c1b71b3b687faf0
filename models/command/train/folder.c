#include "models/command/train/folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "models/command/train/log.h"

/* ---- Names ---- */

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The file's name without its ending. */
static const char *base_name(const char *file, int *length)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    const char *dot = strrchr(name, '.');
    *length = (int)(dot && dot > name ? (size_t)(dot - name) : strlen(name));
    return name;
}

bool run_name(const char *file, int number, char folder[RUN_PATH])
{
    int length;
    const char *name = base_name(file, &length);
    char suffix[16] = "";
    if (number > 1) {
        snprintf(suffix, sizeof suffix, "-%d", number);
    }
    int written = snprintf(folder, RUN_PATH, "runs/%.*s%s", length, name, suffix);
    return written > 0 && written < RUN_PATH;
}

/* Its number if a folder's name is one that runs of the file get; 0 if it is not. */
static int number_of(const char *file, const char *name)
{
    int length;
    const char *base = base_name(file, &length);
    if (strncmp(name, base, (size_t)length) != 0) {
        return 0;
    }
    const char *rest = name + length;
    if (!*rest) {
        return 1;
    }
    bool number = *rest == '-' && strspn(rest + 1, "0123456789") == strlen(rest + 1);
    long value = number ? strtol(rest + 1, NULL, 10) : 0;
    return value > 1 && value < MOST_RUNS ? (int)value : 0;
}

/* ---- The runs of a file ---- */

typedef struct found_run {
    char folder[RUN_PATH];
    run_record record;
    bool is_there;
} found_run;

/* What is looked for in runs/, and what was found. */
typedef struct search {
    nm_context *context;
    const char *file;
    bool (*is_fit)(const char *folder, const run_record *record);
    found_run newest; /* of the file's runs, whatever state they are in */
    found_run fit;    /* the newest that fits */
    found_run other;  /* one of that name, but of another file */
} search;

static int number_of_run(const search *s, const found_run *run)
{
    const char *slash = strrchr(run->folder, '/');
    return number_of(s->file, slash ? slash + 1 : run->folder);
}

static bool is_newer(const found_run *a, const found_run *b, const search *s)
{
    if (!b->is_there) {
        return true;
    }
    int order = strcmp(a->record.started, b->record.started);
    return order > 0 || (order == 0 && number_of_run(s, a) > number_of_run(s, b));
}

static void keep_newer(const search *s, const found_run *run, found_run *kept)
{
    if (is_newer(run, kept, s)) {
        *kept = *run;
    }
}

/* `own`: it is the file's, whatever the log says. */
static void look_at(search *s, const char *folder, bool own)
{
    found_run run = {.is_there = true};
    snprintf(run.folder, RUN_PATH, "%s", folder);
    run.record = log_read(s->context, folder, s->file);
    if (!run.record.is_there || !(own || run.record.of_file)) {
        s->other = run;
        return;
    }
    keep_newer(s, &run, &s->newest);
    if (s->is_fit(run.folder, &run.record)) {
        keep_newer(s, &run, &s->fit);
    }
}

/* The network.yaml of a run is that run's. */
static void look_around(search *s)
{
    char folder[RUN_PATH];
    const char *slash = strrchr(s->file, '/');
    int length = slash ? (int)(slash - s->file) : 1;
    if (strcmp(slash ? slash + 1 : s->file, "network.yaml") == 0 && length > 0 &&
        length < RUN_PATH) {
        snprintf(folder, sizeof folder, "%.*s", length, slash ? s->file : ".");
        if (folder_holds(folder, "log.jsonl")) {
            look_at(s, folder, true);
        }
    }
}

static void find_runs(search *s)
{
    char folder[RUN_PATH];
    look_around(s);
    DIR *runs = opendir("runs");
    for (struct dirent *entry; runs && (entry = readdir(runs));) {
        if (number_of(s->file, entry->d_name) && path_join(folder, "runs", entry->d_name) &&
            is_folder(folder)) {
            look_at(s, folder, false);
        }
    }
    if (runs) {
        closedir(runs);
    }
}

/* Where none of the file's own is there: what stands in its place. */
static nm_status fail_to_find(const search *s, const char *remedy)
{
    const found_run *other = &s->other;
    if (!path_exists(s->file)) {
        return nm_fail(s->context, NM_ERROR_INPUT,
                       "%s is not there, neither as a network's file nor as a run's folder",
                       s->file);
    }
    if (!other->is_there) {
        return nm_fail(s->context, NM_ERROR_INPUT, "no run of %s is in runs/; %s", s->file, remedy);
    }
    return nm_fail(s->context, NM_ERROR_INPUT, "no run of %s is in runs/ (%s is of %s); %s",
                   s->file, other->folder,
                   *other->record.file ? other->record.file : "an unknown file: it has no log",
                   remedy);
}

/* ---- To go on with ---- */

static bool has_checkpoint(const char *folder, const run_record *record)
{
    (void)record;
    return folder_holds(folder, "checkpoint.safetensors");
}

nm_status check_resumable(nm_context *context, const char *folder)
{
    if (folder_holds(folder, "checkpoint.safetensors")) {
        return NM_OK;
    }
    if (folder_holds(folder, "fold-1")) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%s holds the folds of a cross-validation; to go on with it, give --folds "
                       "as before",
                       folder);
    }
    return nm_fail(context, NM_ERROR_INPUT,
                   folder_holds(folder, "best.safetensors")
                       ? "%s has no checkpoint.safetensors, only a network: there is nothing to "
                         "resume, but --from starts a new run from it"
                       : "%s/checkpoint.safetensors is not there; there is nothing to resume",
                   folder);
}

nm_status find_resumable(nm_context *context, const char *file, char folder[RUN_PATH])
{
    search s = {.context = context, .file = file, .is_fit = has_checkpoint};
    find_runs(&s);
    if (!s.newest.is_there) {
        return fail_to_find(&s, "there is nothing to resume");
    }
    memcpy(folder, s.newest.folder, RUN_PATH);
    return check_resumable(context, folder);
}

/* ---- To use ---- */

static const char *const weights_names[] = {"best.safetensors", "checkpoint.safetensors"};

static bool has_weights(const char *folder)
{
    return folder_holds(folder, weights_names[0]) || folder_holds(folder, weights_names[1]);
}

static bool is_good(const char *folder, const run_record *record)
{
    return !record->failed && has_weights(folder);
}

/* The newest run is not the one that is taken: said, since it is what a person would expect. */
static void tell_choice(const search *s, const found_run *taken)
{
    const found_run *newest = &s->newest;
    nm_context_log(s->context, NM_LOG_WARNING, "%s %s%s%s; taking %s", newest->folder,
                   newest->record.failed                    ? "failed"
                   : folder_holds(newest->folder, "fold-1") ? "holds folds, none of which is it"
                                                            : "has no network yet",
                   newest->record.failed && *newest->record.error ? ": " : "", newest->record.error,
                   taken->folder);
}

static nm_status find_newest(nm_context *context, const char *file, char folder[RUN_PATH])
{
    search s = {.context = context, .file = file, .is_fit = is_good};
    find_runs(&s);
    const found_run *taken = s.fit.is_there ? &s.fit : &s.newest;
    if (!taken->is_there) {
        return fail_to_find(&s, "train it first, or give --weights");
    }
    if ((strcmp(taken->folder, s.newest.folder) != 0 || taken->record.failed) &&
        has_weights(taken->folder)) {
        tell_choice(&s, taken);
    }
    memcpy(folder, taken->folder, RUN_PATH);
    return NM_OK;
}

nm_status find_weights(nm_context *context, const char *file, const char *weights,
                       char path[RUN_PATH])
{
    char folder[RUN_PATH];
    if (weights && !is_folder(weights)) {
        snprintf(path, RUN_PATH, "%s", weights);
        return NM_OK; /* a file; reading it says what is wrong with it */
    }
    if (!weights && find_newest(context, file, folder) != NM_OK) {
        return nm_context_status(context);
    }
    const char *from = weights ? weights : folder;
    for (int i = 0; i < 2; i++) {
        if (path_join(path, from, weights_names[i]) && path_exists(path)) {
            return NM_OK;
        }
    }
    return nm_fail(context, NM_ERROR_INPUT,
                   folder_holds(from, "fold-1")
                       ? "%s holds the folds of a cross-validation; give one of them, its fold-1, "
                         "with --weights"
                       : "%s has neither best.safetensors nor checkpoint.safetensors",
                   from);
}
