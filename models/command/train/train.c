/* norma train: a network's file from beginning to end, or from where a run stopped. */
#include <signal.h>
#include <stdio.h>

#include "models/command/train/train.h"

/* Ctrl-C ends the run after the running step, with a checkpoint. A second one ends it at once. A
 * signal handler takes no argument of ours, hence the one variable that is not in a struct. */
static nm_trainer *volatile running;

static void on_interrupt(int number)
{
    if (running) {
        nm_trainer_stop(running);
    }
    signal(number, SIG_DFL);
}

/* Between begin and end. A signal that was ignored stays so: nohup, a background job. */
static void catch_interrupts(nm_trainer *trainer)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    running = trainer;
    for (int i = 0; i < 2; i++) {
        if (signal(numbers[i], trainer ? on_interrupt : SIG_DFL) == SIG_IGN) {
            signal(numbers[i], SIG_IGN);
        }
    }
}

/* ---- Callbacks ---- */

static nm_status on_step(void *user, const nm_train_state *s)
{
    run *r = user;
    if (!r->begun) {
        r->progress = progress_begin(r->quiet, s->epochs, s->batches, s->step - 1);
        r->begun = true;
    }
    progress_step(&r->progress, s->epoch * s->batches + s->batch - 1, s->loss,
                  s->samples_per_second);
    return NM_OK;
}

static nm_status on_epoch(void *user, const nm_train_state *s)
{
    run *r = user;
    print_epoch(r, s);
    if (r->json && !print_epoch_json(s)) {
        return nm_fail(r->context, NM_ERROR_IO, "cannot write to standard output");
    }
    return NM_OK;
}

/* ---- The run ---- */

/* Finds the run's folder, and refuses to write over a run that is not to be continued. */
static int choose_folder(run *r, char checkpoint[RUN_PATH])
{
    const char *file = r->arguments->positional[0];
    const char *out = argument_value(r->arguments, "--out");
    bool resume = argument_value(r->arguments, "--resume") != NULL;
    bool found = true;
    if (out) {
        found = snprintf(r->folder, RUN_PATH, "%s", out) < RUN_PATH;
    } else if (resume) {
        found = newest_run(file, r->folder);
    } else {
        found = next_run(file, r->folder);
    }
    if (!found || !path_join(checkpoint, r->folder, "checkpoint.safetensors")) {
        return resume && !out
                   ? bad_usage("no run of %s is in runs/; there is nothing to resume", file)
                   : bad_usage("the folder's name is too long");
    }
    char best[RUN_PATH];
    bool there = path_exists(checkpoint);
    if (resume && !there) {
        return bad_usage("%s is not there; there is nothing to resume", checkpoint);
    }
    there |= path_join(best, r->folder, "best.safetensors") && path_exists(best);
    if (!resume && there) {
        return bad_usage("%s holds a run already; --resume continues it, another --out keeps it",
                         r->folder);
    }
    return EXIT_FINE;
}

/* The file as it was, beside the results. */
static nm_status keep_file(const run *r)
{
    char path[RUN_PATH];
    size_t size;
    char *text = nm_file_read(r->context, r->arguments->positional[0], NM_VALUE_MAX_BYTES, &size);
    nm_file *copy = text && nm_folder_create(r->context, r->folder) == NM_OK &&
                            path_join(path, r->folder, "network.yaml")
                        ? nm_file_create(r->context, path)
                        : NULL;
    nm_status status = copy ? nm_file_write(copy, text, size) : nm_context_status(r->context);
    if (copy && status == NM_OK) {
        status = nm_file_commit(copy);
    } else if (copy) {
        nm_file_abandon(copy);
    }
    nm_free(r->context, text);
    return status;
}

static nm_status train(run *r, const char *checkpoint, nm_train_result *result)
{
    nm_trainer_setup setup = nm_config_setup(&r->config);
    setup.folder = r->folder;
    setup.callbacks = (nm_train_callbacks){.user = r, .on_step = on_step, .on_epoch = on_epoch};
    r->trainer = nm_trainer_create(r->context, &setup);
    if (!r->trainer) {
        return nm_context_status(r->context);
    }
    nm_status status = argument_value(r->arguments, "--resume")
                           ? nm_trainer_resume(r->trainer, checkpoint)
                           : keep_file(r);
    if (status == NM_OK) {
        catch_interrupts(r->trainer);
        status = nm_trainer_run(r->trainer, result);
        catch_interrupts(NULL);
    }
    if (r->begun) {
        progress_end(&r->progress);
    }
    return status;
}

static int run_train(nm_context *context, const arguments *a)
{
    run r = {.context = context,
             .arguments = a,
             .quiet = argument_value(a, "--quiet") != NULL,
             .json = argument_value(a, "--json") != NULL};
    char checkpoint[RUN_PATH];
    int code = choose_folder(&r, checkpoint);
    if (code != EXIT_FINE) {
        return code;
    }
    const char *settings[MAX_VALUES];
    int count = argument_list(a, "--set", settings);
    nm_train_result result;
    nm_status status = nm_config_open(context, a->positional[0], settings, count,
                                      NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN, &r.config);
    if (status == NM_OK) {
        status = train(&r, checkpoint, &result);
    }
    code = status != NM_OK ? report_error(context)
           : r.json        ? print_result_json(&r, &result)
           : r.quiet       ? EXIT_FINE
                           : print_result(&r, &result);
    nm_trainer_destroy(r.trainer);
    nm_config_close(&r.config);
    return code;
}

const command command_train = {
    .name = "train",
    .usage = "FILE",
    .summary = "train the network of a YAML file",
    .doc = "Trains the network that FILE describes and keeps the run in a folder: the last state "
           "(checkpoint.safetensors), the best network (best.safetensors) and the file "
           "(network.yaml). Progress goes to standard error. Ctrl-C ends the run after the running "
           "step, so that it can be resumed.",
    .flags = {{"--set", "KEY=VALUE",
               "set a value of the file: train.epochs=3, model.0.dense.units=8"},
              {"--out", "DIR", "the run's folder; default: runs/NAME, runs/NAME-2, ..."},
              {"--resume", NULL, "go on with the run in --out, or with the newest of this file"},
              {"--json", NULL, "one JSON object a line on standard output, the result last"},
              {"--quiet", NULL, "no progress"}},
    .least = 1,
    .most = 1,
    .computes = true,
    .run = run_train,
};
