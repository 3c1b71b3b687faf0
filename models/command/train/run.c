/* A run: a network's file from beginning to end, or from where a run stopped. */
#include <stdio.h>
#include <string.h>

#include "models/command/train/doubts.h"
#include "models/command/train/held_out.h"
#include "models/command/train/interrupt.h"
#include "models/command/train/resume.h"
#include "models/command/train/train.h"

/* ---- Callbacks ---- */

/* Ends the run after the running step, with a checkpoint. */
static void stop_if_told(const run *r)
{
    if (interrupt_number() || r->unheard) {
        nm_trainer_stop(r->trainer);
    }
}

static nm_status on_step(void *user, const nm_train_state *s)
{
    run *r = user;
    if (!r->begun) {
        r->progress = progress_begin(r->quiet, s->epochs, s->batches, s->step - 1);
        r->begun = true;
    }
    progress_step(&r->progress, s->epoch * s->batches + s->batch - 1, s->loss,
                  s->samples_per_second);
    stop_if_told(r);
    return NM_OK;
}

/* Whoever reads the output may have gone away, or the disk be full: the epoch is kept all the same.
 */
static nm_status on_epoch(void *user, const nm_train_state *s)
{
    run *r = user;
    print_epoch(r, s);
    log_epoch(&r->log, s);
    r->unheard = r->json && !print_epoch_json(r, s);
    stop_if_told(r);
    return NM_OK;
}

static nm_status on_probe(void *user, const nm_train_state *s, const nm_probe_record *record)
{
    run *r = user;
    (void)s;
    return probes_write(r->context, &r->probes, record);
}

/* ---- The run's folder ---- */

static bool has_flag(const run *r, const char *flag)
{
    return argument_value(r->arguments, flag) != NULL;
}

/* What can be said about the folder before the data is read, which may take long. */
static nm_status choose_folder(run *r)
{
    if (r->is_member) {
        path_join(r->checkpoint, r->folder, "checkpoint.safetensors");
        return NM_OK;
    }
    const char *out = argument_value(r->arguments, "--out");
    if (out && snprintf(r->folder, RUN_PATH, "%s", out) >= RUN_PATH) {
        return nm_fail(r->context, NM_ERROR_INPUT, "the folder's name is too long");
    }
    if (has_flag(r, "--resume")) {
        nm_status status = out ? check_resumable(r->context, out)
                               : find_resumable(r->context, r->arguments->positional[0], r->folder);
        path_join(r->checkpoint, r->folder, "checkpoint.safetensors");
        return status;
    }
    return out ? check_free(r->context, out) : NM_OK;
}

static nm_status claim_folder(run *r)
{
    return r->resumes ? claim_again(r->context, r->folder, &r->claim)
           : r->is_member || has_flag(r, "--out")
               ? claim_new(r->context, r->folder, &r->claim)
               : claim_next(r->context, r->arguments->positional[0], r->folder, &r->claim);
}

/* The file as it is used, settings applied, beside the results. */
static nm_status keep_file(const run *r)
{
    char path[RUN_PATH];
    size_t size;
    char *text = nm_document_text(r->config.document, r->folder, &size);
    nm_file *copy = text && path_join(path, r->folder, "network.yaml")
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

/* ---- The run ---- */

static nm_status make_trainer(run *r)
{
    nm_trainer_setup setup = nm_config_setup(&r->config);
    setup.folder = r->folder;
    setup.callbacks = (nm_train_callbacks){
        .user = r, .on_step = on_step, .on_epoch = on_epoch, .on_probe = on_probe};
    if (r->resumes) {
        setup.seconds = log_read(r->context, r->folder, NULL).seconds;
    }
    r->trainer = nm_trainer_create(r->context, &setup);
    return nm_context_status(r->context);
}

static nm_status take_checkpoint(const run *r)
{
    nm_status status = check_same_run(r);
    if (status == NM_OK) {
        status = nm_trainer_resume(r->trainer, r->checkpoint);
    }
    return status == NM_OK ? tell_changes(r) : status;
}

#define NAMES_SHOWN 400

/* How much of other weights was taken; what was not was told one by one. */
static void tell_taken(const run *r)
{
    const nm_taken t = nm_trainer_taken(r->trainer);
    const char *path = r->config.train.from.path, *names = t.names ? t.names : "";
    const int all = t.taken + t.except + t.missing + t.unfit;
    if (!path || r->quiet) {
        return;
    }
    fprintf(stderr, "%s: %d of %d tensors taken from %s: %.*s%s\n", program_name(), t.taken, all,
            path, NAMES_SHOWN, names, strlen(names) > NAMES_SHOWN ? "..." : "");
    if (t.except) {
        fprintf(stderr, "%s: %d left out by \"except\"\n", program_name(), t.except);
    }
    if (t.prepared_otherwise) {
        fprintf(stderr,
                "%s: samples are standardized by the new data, not as those that these weights "
                "were trained on; train.from.preparation: taken keeps that\n",
                program_name());
    }
}

static nm_status start(const run *r)
{
    nm_status status = nm_trainer_start(r->trainer);
    if (status == NM_OK) {
        tell_taken(r);
    }
    return status;
}

/* From its first step, or from the checkpoint. */
static nm_status begin(run *r)
{
    nm_status status = make_trainer(r);
    if (status == NM_OK) {
        status = r->resumes ? take_checkpoint(r) : start(r);
    }
    if (status == NM_OK) {
        status = keep_file(r);
    }
    if (status == NM_OK) {
        status = held_out_write(r->context, r->folder, &r->config.data);
    }
    if (status == NM_OK && r->config.probes.count) {
        status = probes_open(r->context, &r->probes, r->folder, nm_trainer_state(r->trainer)->step);
    }
    if (status == NM_OK) {
        r->log = (run_log){.to = r->claim.log, .folder = r->folder};
        log_start(&r->log, r->arguments, &r->config, nm_trainer_state(r->trainer)->step);
    }
    return status;
}

static nm_status train(run *r, nm_train_result *result)
{
    nm_status status = nm_trainer_run(r->trainer, result);
    if (r->begun) {
        progress_end(&r->progress);
    }
    bool stopped = status == NM_OK && result->end == NM_TRAIN_STOPPED;
    log_end(&r->log, r->context, result, stopped ? interrupt_number() : 0,
            status == NM_OK ? NULL : nm_context_error(r->context));
    return status;
}

static nm_status open_config(run *r)
{
    const char *settings[MAX_VALUES + 1];
    char seed[64];
    nm_config_how how = {.settings = settings,
                         .count = argument_list(r->arguments, "--set", settings),
                         .needs = NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN,
                         .from = argument_value(r->arguments, "--from"),
                         .resumed = r->resumes ? r->checkpoint : NULL,
                         .folds = r->folds,
                         .fold = r->fold};
    if (r->has_seed) {
        snprintf(seed, sizeof seed, "train.seed=%lld", (long long)r->seed);
        settings[how.count++] = seed;
    }
    return nm_config_open_run(r->context, r->arguments->positional[0], &how, &r->config);
}

static void catch_interrupts(const run *r, bool now)
{
    if (!r->is_member) { /* else for all of them */
        if (now) {
            interrupts_catch();
        } else {
            interrupts_release();
        }
    }
}

nm_status run_all(run *r, nm_train_result *result)
{
    nm_status status = choose_folder(r);
    status = status == NM_OK ? open_config(r) : status;
    if (status == NM_OK && r->fold <= 0) {
        status = check_doubts(&r->config);
    }
    if (status != NM_OK) {
        return status;
    }
    catch_interrupts(r, true);
    status = claim_folder(r);
    status = status == NM_OK ? begin(r) : status;
    if (status == NM_OK) {
        status = train(r, result);
        claim_end(&r->claim);
    } else {
        claim_undo(&r->claim);
    }
    catch_interrupts(r, false);
    return status;
}

void run_close(run *r)
{
    nm_trainer_destroy(r->trainer);
    nm_config_close(&r->config);
    r->trainer = NULL;
    probes_close(&r->probes);
}
