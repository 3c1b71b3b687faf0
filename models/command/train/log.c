#include "models/command/train/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "core/path.h"
#include "models/command/train/report.h"
#include "ops/kernels/onednn.h"

/* ---- What the facts are ---- */

static void add_time(json_line *line)
{
    char text[32] = "", whole[64];
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &utc)) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    }
    snprintf(whole, sizeof whole, "%s.%03ldZ", text, now.tv_nsec / 1000000);
    json_string(line, "started", whole);
}

/* The processor's name as Linux has it, else the machine's. */
static void add_processor(json_line *line)
{
    char text[256];
    struct utsname machine;
    const char *name = uname(&machine) == 0 ? machine.machine : NULL;
    FILE *info = fopen("/proc/cpuinfo", "re");
    while (info && fgets(text, sizeof text, info)) {
        char *colon = strstr(text, ": ");
        if (colon && strncmp(text, "model name", 10) == 0) {
            colon[strcspn(colon, "\n")] = 0;
            name = colon + 2;
            break;
        }
    }
    json_string(line, "processor", name);
    if (info) {
        fclose(info);
    }
}

static void add_command(json_line *line, nm_context *context, const arguments *a)
{
    const char *words[2 + 2 * MAX_VALUES + MAX_VALUES] = {program_word(), a->command->name};
    int count = 2;
    for (int i = 0; i < a->word_count && count < NM_COUNT_OF(words); i++) {
        words[count++] = a->words[i];
    }
    char *text = shell_words(context, words, count);
    json_string(line, "command", text);
    nm_free(context, text);
}

/* Which file the run is of: by its real path, and by that from the run's folder, which stays where
 * both are moved together. A pipe has neither. */
static void add_file(json_line *line, nm_context *context, const char *folder, const char *file)
{
    char *path[2] = {NULL};
    find_file(context, folder, file, path);
    json_string(line, "file", path[0]);
    json_string(line, "file_from_here", path[1]);
    nm_free(context, path[0]);
    nm_free(context, path[1]);
}

static void add_set(json_line *line, const char *name, const nm_dataset *set)
{
    char key[64], print[32];
    if (set->count) {
        snprintf(key, sizeof key, "%s_samples", name);
        json_integer(line, key, set->count);
        snprintf(key, sizeof key, "%s_fingerprint", name);
        snprintf(print, sizeof print, "%016llx", (unsigned long long)nm_dataset_fingerprint(set));
        json_string(line, key, print);
    }
}

/* ---- Lines ---- */

static void end(run_log *log, const json_line *line)
{
    errno = 0;
    if (!json_end(line)) {
        bad_usage("cannot write %s/log.jsonl: %s; the run goes on without it", log->folder,
                  strerror(errno ? errno : EIO));
        log->to = NULL;
    }
}

void log_start(run_log *log, const arguments *a, const nm_config *config, int64_t step)
{
    json_line line = {.to = log->to};
    if (!log->to) {
        return;
    }
    json_string(&line, "event", "start");
    add_time(&line);
    add_command(&line, config->context, a);
    add_file(&line, config->context, log->folder, a->positional[0]);
    json_integer(&line, "step", step);
    json_string(&line, "version", NORMA_VERSION);
    json_integer(&line, "threads", nm_context_threads(config->context));
    add_processor(&line);
    json_integer(&line, "seed", config->train.seed);
    add_set(&line, "train", &config->data.train);
    add_set(&line, "validation", &config->data.validation);
    add_set(&line, "test", &config->data.test);
    end(log, &line);
}

void log_epoch(run_log *log, const nm_train_state *s)
{
    json_line line = {.to = log->to};
    if (!log->to) {
        return;
    }
    json_epoch(&line, s);
    json_number(&line, "gradient_norm", s->gradient_norm);
    json_bool(&line, "best", s->is_best);
    json_number(&line, "seconds", s->seconds);
    end(log, &line);
}

void log_end(run_log *log, nm_context *context, const nm_train_result *result, int number,
             const char *error)
{
    json_line line = {.to = log->to};
    if (!log->to) {
        return;
    }
    json_string(&line, "event", "end");
    json_string(&line, "end", error ? "failed" : name_of_end(result->end));
    if (number) {
        json_integer(&line, "signal", number);
    }
    if (error) {
        json_string(&line, "error", error);
        json_bool(&line, "diverged", result->end == NM_TRAIN_DIVERGED);
    }
    json_integer(&line, "epochs", result->epochs);
    json_integer(&line, "step", result->steps);
    json_number(&line, "seconds", result->seconds);
    json_bool(&line, "onednn", nm_onednn_is_used(context));
    end(log, &line);
}

/* ---- Of several runs ---- */

void log_start_several(run_log *log, nm_context *context, const arguments *a, const char *what,
                       int count)
{
    json_line line = {.to = log->to};
    if (!log->to) {
        return;
    }
    json_string(&line, "event", "start");
    add_time(&line);
    add_command(&line, context, a);
    add_file(&line, context, log->folder, a->positional[0]);
    json_string(&line, "version", NORMA_VERSION);
    json_integer(&line, what, count);
    end(log, &line);
}

void log_end_several(run_log *log, int number, const char *error)
{
    json_line line = {.to = log->to};
    if (!log->to) {
        return;
    }
    json_string(&line, "event", "end");
    json_string(&line, "end", error ? "failed" : number ? "stopped" : "finished");
    if (number) {
        json_integer(&line, "signal", number);
    }
    if (error) {
        json_string(&line, "error", error);
    }
    end(log, &line);
}
