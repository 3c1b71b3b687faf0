/* The life of a trainer. What happens in a step is in step.c, around epochs in epoch.c; what they
 * all tell of the run is in state.c. */
#include "core/guard.h"
#include "optim/traced.h"
#include "optim/train/internal.h"
#include "optim/train_defaults.h"

#include <string.h>

/* ---- Creation ---- */

static nm_status name_files(nm_trainer *t)
{
    const char *folder = t->setup.folder;
    if (!folder || nm_folder_create(t->context, folder) != NM_OK) {
        return nm_context_status(t->context);
    }
    t->checkpoint_path = nm_format(t->context, "%s/checkpoint.safetensors", folder);
    t->best_path = nm_format(t->context, "%s/best.safetensors", folder);
    return nm_context_status(t->context);
}

static nm_trainer *make(nm_context *context, const nm_trainer_setup *setup)
{
    nm_trainer *t = nm_alloc_zero(context, 1, sizeof *t);
    if (!t) {
        return NULL;
    }
    t->context = context;
    t->setup = *setup;
    if (setup->network) {
        t->network = *setup->network;
        t->setup.network = &t->network;
        nm_traced_hold(t->network.traced);
    }
    nm_train_complete(&t->setup.options, setup->data ? setup->data->train.count : 0,
                      setup->network ? nm_store_parameters(setup->network->store) : 0, &t->usual);
    t->saved_step = -1;
    t->seconds = setup->seconds;
    t->progress = (nm_progress){.train_loss = (double)NAN,
                                .validation = NM_NO_EVALUATION,
                                .test = NM_NO_EVALUATION,
                                .best_epoch = -1,
                                .best = (double)NAN,
                                .reference = (double)NAN,
                                .bad_epoch = -1,
                                .first_loss = (double)NAN,
                                .watch = NM_NO_WATCH,
                                .best_test_loss = (double)NAN,
                                .best_test_metric = (double)NAN};
    t->step.gradient_norm = t->step.loss = (double)NAN;
    t->validation_baseline = t->test_baseline = NM_NO_EVALUATION;
    return t;
}

static nm_status build(nm_trainer *t)
{
    nm_diagnostics d;
    nm_diagnostics_begin(&d, t->context);
    nm_trainer_plan(t, &d);
    nm_status status = nm_diagnostics_end(&d);
    if (status == NM_OK && t->optimizer && t->setup.options.average.on) {
        status = nm_average_create(t);
    }
    return status == NM_OK ? name_files(t) : status;
}

nm_trainer *nm_trainer_create(nm_context *context, const nm_trainer_setup *setup)
{
    NM_REQUIRE(context, setup, NULL);
    nm_trainer *t = make(context, setup);
    if (!t || build(t) != NM_OK) {
        nm_trainer_destroy(t);
        return NULL;
    }
    nm_trainer_warn(t);
    return t;
}

void nm_trainer_check(nm_context *context, const nm_trainer_setup *setup, nm_diagnostics *d)
{
    NM_REQUIRE(context, setup, );
    NM_REQUIRE(context, d, );
    nm_trainer *t = make(context, setup);
    if (t) {
        nm_trainer_plan(t, d);
    }
    nm_trainer_destroy(t);
}

/* NM_OK, or an error of `function`, which a callback or the network itself called. */
static nm_status check_rest(const nm_trainer *t, const char *function)
{
    return t->running ? nm_fail(t->context, NM_ERROR_INPUT,
                                "%s: the trainer is running; wait for the end of nm_trainer_run(), "
                                "which nm_trainer_stop() brings",
                                function)
                      : NM_OK;
}

void nm_trainer_destroy(nm_trainer *t)
{
    if (!t || check_rest(t, __func__) != NM_OK) {
        return;
    }
    nm_probes_destroy(t->probes);
    nm_loss_end(&t->loss);
    nm_loader_destroy(t->train);
    nm_loader_destroy(t->validation);
    nm_loader_destroy(t->test);
    nm_optimizer_destroy(t->optimizer);
    nm_store_destroy(t->average);
    nm_tape_destroy(t->tape);
    nm_traced_release(t->network.traced);
    nm_free(t->context, t->own_guess);
    nm_free(t->context, t->taken.names);
    nm_free(t->context, t->checkpoint_path);
    nm_free(t->context, t->best_path);
    nm_free(t->context, t);
}

/* ---- Reports ---- */

const nm_optimizer *nm_trainer_optimizer(const nm_trainer *trainer)
{
    NM_GIVEN(trainer, NULL);
    return trainer->optimizer;
}

static double accuracy_of(const nm_trainer *t, const nm_evaluation *e)
{
    for (int i = 0; i < t->metrics.count; i++) {
        if (strcmp(t->metrics.at[i].item->name, "accuracy") == 0) {
            return e->metrics[i];
        }
    }
    return (double)NAN;
}

static void fill_result(nm_trainer *t, nm_status status, nm_train_result *r)
{
    const nm_progress *p = &t->progress;
    const nm_train_state *s = nm_trainer_state(t);
    *r = (nm_train_result){.end = status == NM_ERROR_NUMERIC ? NM_TRAIN_DIVERGED
                                  : p->step >= t->steps      ? NM_TRAIN_FINISHED
                                  : t->stop                  ? NM_TRAIN_STOPPED
                                                             : NM_TRAIN_STOPPED_EARLY,
                           .epochs = p->epoch,
                           .steps = p->step,
                           .train_loss = s->train_loss,
                           .test_loss = p->test.loss,
                           .test_accuracy = accuracy_of(t, &p->test),
                           .validation_loss = p->validation.loss,
                           .best_epoch = p->best_epoch,
                           .best = p->best,
                           .best_test_loss = p->best_test_loss,
                           .best_test_metric = p->best_test_metric,
                           .seconds = s->seconds,
                           .samples_per_second = s->samples_per_second};
    memcpy(r->test_metrics, p->test.metrics, sizeof r->test_metrics);
    memcpy(r->validation_metrics, p->validation.metrics, sizeof r->validation_metrics);
}

/* ---- The run ---- */

void nm_trainer_stop(nm_trainer *trainer)
{
    NM_GIVEN(trainer, );
    trainer->stop = 1;
}

static bool is_all_zero(nm_tensor *tensor)
{
    for (int64_t i = 0; i < nm_tensor_count(tensor); i++) {
        if (nm_tensor_get(tensor, i) != 0) {
            return false;
        }
    }
    return true;
}

/* Means that rest at 0 were never moved: the layer passes its input on. Who froze the parameters of
 * a new network will not have meant that. */
static void warn_of_unmoved_statistics(const nm_trainer *t)
{
    const nm_store *store = t->setup.network->store;
    for (int i = 0; i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        const char *last = strrchr(entry->name, '.');
        if (entry->role == NM_BUFFER && !entry->trainable && last &&
            strcmp(last, ".running_mean") == 0 && is_all_zero(entry->tensor)) {
            nm_context_log(
                t->context, NM_LOG_WARNING,
                "\"%s\" is frozen as it began, at 0: the layer does not normalize; train "
                "it first, or let the statistics move by a group {match: "
                "\"*.running_*\", frozen: false}",
                entry->name);
            return;
        }
    }
}

/* The training loss goes on falling when a network only learns its samples by heart. */
static void warn_of_stopping_by_training(const nm_trainer *t)
{
    if (t->setup.options.early_stopping.on && !t->validation) {
        nm_context_log(
            t->context, NM_LOG_WARNING,
            "early_stopping: there is no validation set, so it goes by the training loss; "
            "hold samples out to go by, with data.validation");
    }
}

nm_status nm_trainer_start(nm_trainer *t)
{
    NM_GIVEN(t, NM_ERROR_INPUT);
    const nm_from *from = &t->setup.options.from;
    if (t->started) {
        return nm_context_status(t->context);
    }
    nm_status status = nm_trainer_prepare(t);
    if (status == NM_OK && from->path) {
        status = nm_from_take(from, t->setup.network->store, t->setup.data->schema, &t->taken);
    }
    t->started = status == NM_OK;
    return status;
}

nm_taken nm_trainer_taken(const nm_trainer *trainer)
{
    NM_GIVEN(trainer, ((nm_taken){0}));
    return trainer->taken;
}

static nm_status run(nm_trainer *t)
{
    nm_status status = nm_trainer_start(t);
    warn_of_unmoved_statistics(t);
    warn_of_stopping_by_training(t);
    while (status == NM_OK && !nm_trainer_is_over(t)) {
        status = nm_trainer_run_epoch(t);
    }
    if (status == NM_OK && t->saved_step != t->progress.step) {
        status = nm_trainer_checkpoint(t);
    }
    if (status == NM_OK && !(t->stop && t->progress.step < t->steps)) {
        status = nm_trainer_conclude(t);
    }
    return status == NM_OK ? nm_average_enter(t) : status;
}

nm_status nm_trainer_run(nm_trainer *t, nm_train_result *result)
{
    NM_GIVEN(t, NM_ERROR_INPUT);
    if (!t->train) {
        return nm_fail(t->context, NM_ERROR_INPUT, "train: this trainer was made to evaluate only");
    }
    if (check_rest(t, __func__) != NM_OK || nm_trainer_check_data(t) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    t->stop = 0;
    nm_average_leave(t);
    t->began = nm_steady_seconds() - t->seconds;
    bool anomaly = nm_tape_set_anomaly(t->tape, t->setup.options.anomaly);
    t->running = true;
    nm_status status = run(t);
    t->running = false;
    nm_tape_set_anomaly(t->tape, anomaly);
    nm_tape_reset(t->tape);
    t->seconds = nm_steady_seconds() - t->began;
    t->began = 0;
    if (result) {
        fill_result(t, status, result);
    }
    return status;
}

nm_status nm_trainer_save(nm_trainer *trainer, const char *path)
{
    NM_GIVEN(trainer, NM_ERROR_INPUT);
    const nm_status status = nm_trainer_check_data(trainer);
    return status == NM_OK ? nm_checkpoint_write(trainer, path) : status;
}

nm_status nm_trainer_resume(nm_trainer *t, const char *path)
{
    NM_GIVEN(t, NM_ERROR_INPUT);
    NM_REQUIRE(t->context, path, NM_ERROR_INPUT);
    if (t->progress.step > 0) {
        return nm_fail(t->context, NM_ERROR_INPUT,
                       "%s: a run can be resumed only before the trainer has made a step", path);
    }
    nm_status status = nm_checkpoint_read(t, path);
    if (status == NM_OK) {
        t->prepared = t->started = true;
        t->earlier_samples = t->progress.samples;
        t->saved_step =
            t->checkpoint_path && !strcmp(path, t->checkpoint_path) ? t->progress.step : -1;
    }
    return status;
}
