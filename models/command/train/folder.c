#include "models/command/train/folder.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MOST_RUNS 100000

bool path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool path_join(char out[RUN_PATH], const char *folder, const char *name)
{
    int length = snprintf(out, RUN_PATH, "%s/%s", folder, name);
    return length > 0 && length < RUN_PATH;
}

/* runs/NAME for the first, runs/NAME-N for the others. */
static bool run_name(const char *file, int number, char folder[RUN_PATH])
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    size_t length = strlen(name);
    const char *dot = strrchr(name, '.');
    if (dot && dot > name) {
        length = (size_t)(dot - name);
    }
    char suffix[16] = "";
    if (number > 1) {
        snprintf(suffix, sizeof suffix, "-%d", number);
    }
    int written = snprintf(folder, RUN_PATH, "runs/%.*s%s", (int)length, name, suffix);
    return written > 0 && written < RUN_PATH;
}

bool next_run(const char *file, char folder[RUN_PATH])
{
    for (int number = 1; number < MOST_RUNS; number++) {
        if (!run_name(file, number, folder)) {
            return false;
        }
        if (!path_exists(folder)) {
            return true;
        }
    }
    return false;
}

bool newest_run(const char *file, char folder[RUN_PATH])
{
    bool found = false;
    char candidate[RUN_PATH];
    for (int number = 1; number < MOST_RUNS; number++) {
        if (!run_name(file, number, candidate) || !is_folder(candidate)) {
            break;
        }
        memcpy(folder, candidate, RUN_PATH);
        found = true;
    }
    return found;
}

nm_status find_weights(nm_context *context, const char *file, const char *weights,
                       char path[RUN_PATH])
{
    char folder[RUN_PATH];
    if (weights && !is_folder(weights)) {
        snprintf(path, RUN_PATH, "%s", weights);
        return NM_OK; /* a file; reading it says what is wrong with it */
    }
    if (!weights && !newest_run(file, folder)) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "no run of %s is in runs/; train it first, or give --weights", file);
    }
    const char *from = weights ? weights : folder;
    static const char *const names[] = {"best.safetensors", "checkpoint.safetensors"};
    for (int i = 0; i < 2; i++) {
        if (path_join(path, from, names[i]) && path_exists(path)) {
            return NM_OK;
        }
    }
    return nm_fail(context, NM_ERROR_INPUT,
                   "%s has neither best.safetensors nor checkpoint.safetensors", from);
}
