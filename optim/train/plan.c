/* What a run decides before its first step, and all that it would refuse then. The trainer and
 * whoever only wants to know (nm_trainer_check()) come here alike: there is no second list of
 * rules. Every independent mistake is reported, at its place in the file where there is one. */
#include <stdio.h>
#include <string.h>

#include "optim/data/loader_internal.h"
#include "optim/train_defaults.h"
#include "optim/train/internal.h"

/* ---- Places and reports ---- */

/* A part of the network's file, or the file. */
static const nm_value *part(const nm_trainer *t, const char *name)
{
    return nm_value_place(t->setup.file, name);
}

static const nm_value *option(const nm_trainer *t, const char *name, const char *key)
{
    return nm_value_place(part(t, name), key);
}

static const nm_value *place_of(const nm_choice *choice, const nm_value *otherwise)
{
    return choice->at ? choice->at : otherwise;
}

/* Whether all is well; else the error goes to `d`. */
static bool is_fine(const nm_trainer *t, nm_diagnostics *d, const nm_value *at)
{
    if (nm_context_status(t->context) == NM_OK) {
        return true;
    }
    nm_diagnose_standing(d, at);
    return false;
}

/* ---- What is given ---- */

static bool is_complete(const nm_trainer *t, nm_diagnostics *d)
{
    const nm_trainer_setup *s = &t->setup;
    if (!s->network || !s->network->store || !s->network->forward || !s->data) {
        nm_diagnose(d, NULL, "train: %s missing",
                    !s->data      ? "the data are"
                    : !s->network ? "the network is"
                                  : "the network's store or forward function is");
        return false;
    }
    if (!s->data->train.count && !s->only_evaluates) {
        nm_diagnose(d, part(t, "data"), "train: there are no training samples");
        return false;
    }
    return true;
}

/* Whether there is a train part to look at. A wrong or missing one was reported where it was read.
 */
static bool has_options(const nm_trainer *t, nm_diagnostics *d)
{
    if (t->setup.only_evaluates || (!t->setup.options.optimizer.item && d->count)) {
        return false;
    }
    nm_spec_check(t->context, &nm_train_spec, "train", &t->setup.options);
    return is_fine(t, d, part(t, "train"));
}

/* ---- Loss and metrics ---- */

static bool plan_loss(nm_trainer *t, nm_diagnostics *d)
{
    nm_loss_begin(&t->loss, t->context, &t->setup.loss);
    return is_fine(t, d, place_of(&t->setup.loss, part(t, "loss")));
}

static bool plan_metrics(nm_trainer *t, nm_diagnostics *d)
{
    const nm_choices *given = &t->setup.options.metric;
    nm_metrics_choose(t->context, given, &t->loss, &t->metrics);
    return is_fine(t, d, place_of(&given->at[0], option(t, "train", "metric")));
}

/* ---- Parameters ---- */

static void make_optimizer(nm_trainer *t, const nm_group *groups, int count, nm_diagnostics *d)
{
    const int errors = d->count;
    nm_store *store = t->setup.network->store;
    nm_groups_check(store, groups, count, d);
    if (d->count == errors) {
        t->optimizer = nm_optimizer_create(store, &t->setup.options.optimizer, groups, count);
        is_fine(t, d, place_of(&t->setup.options.optimizer, part(t, "train")));
    }
}

/* Whether an update would change anything. */
static void check_trainable(const nm_trainer *t, nm_diagnostics *d)
{
    int trainable = 0, count = nm_optimizer_count(t->optimizer);
    for (int i = 0; i < count; i++) {
        trainable += nm_optimizer_at(t->optimizer, i).entry->trainable;
    }
    if (!count) {
        nm_diagnose(d, part(t, "model"),
                    "the network has no parameters, so there is nothing to train; add a layer that "
                    "has some, such as dense");
    } else if (!trainable) {
        nm_diagnose(d, option(t, "train", "groups"),
                    "groups: all %d parameters are frozen, so nothing would be trained; leave some "
                    "out of the groups, or free them by frozen: false",
                    count);
    }
}

/* With the C program's groups, or those of the file. */
static void plan_parameters(nm_trainer *t, nm_diagnostics *d)
{
    const nm_train_options *o = &t->setup.options;
    const int errors = d->count;
    if (o->group_list) {
        make_optimizer(t, o->group_list, o->group_count, d);
    } else {
        int count;
        nm_group *groups = nm_groups_read(o->groups, d, &count);
        if (d->count == errors) {
            make_optimizer(t, groups, count, d);
        }
        nm_free(t->context, groups);
    }
    if (t->optimizer) {
        check_trainable(t, d);
    }
}

/* ---- Batches ---- */

/* [batch, ...sample] */
static nm_shape batch_of(int64_t batch, const nm_shape *sample)
{
    nm_shape shape = {.rank = sample->rank + 1, .dim = {batch}};
    memcpy(shape.dim + 1, sample->dim, (size_t)sample->rank * sizeof *sample->dim);
    return shape;
}

/* Whether the network takes a batch of so many samples; the error stands. */
static bool takes(const nm_trainer *t, int64_t batch, nm_trial *trial)
{
    const nm_network *network = t->setup.network;
    const bool training = !t->setup.only_evaluates;
    const nm_pass pass = {.training = training, .initialize = training && network->wants_data};
    const nm_shape x = batch_of(batch, &t->setup.data->train.shape);
    *trial = (nm_trial){.output = {.rank = -1}};
    return !network->try_on || network->try_on(network->self, &pass, &x, trial) == NM_OK;
}

/* A batch of one is what the file says, so it is the file's place that is told. */
static bool takes_one(nm_trainer *t, nm_diagnostics *d)
{
    nm_trial trial;
    if (takes(t, 1, &trial)) {
        return true;
    }
    nm_fail_in(t->context, "data: batches of one sample cannot be trained on; %s",
               t->setup.data->train.count == 1 ? "there is no other" : "enlarge \"batch\"");
    nm_diagnose_standing(d, option(t, "data", "batch"));
    return false;
}

static void report_last_batch(nm_trainer *t, int64_t rest, nm_diagnostics *d)
{
    nm_fail_in(t->context,
               "data: the last batch of an epoch has %lld sample%s (%lld in batches of %lld) and "
               "cannot be trained on; leave \"last_batch\" out, or let it be merge or drop",
               (long long)rest, rest == 1 ? "" : "s", (long long)t->setup.data->train.count,
               (long long)t->loader.batch);
    nm_diagnose_standing(d, option(t, "data", "last_batch"));
}

/* Whether it can be trained on, as far as that is known: a network that tells nothing is spared a
 * single sample. */
static bool takes_last(const nm_trainer *t, int64_t rest)
{
    nm_trial trial;
    const bool tells = t->setup.network->try_on != NULL;
    return tells ? takes(t, rest, &trial) : rest > 1 || t->loader.last_batch == NM_SHORT_KEEP;
}

/* The short batch at the end of an epoch, behind a whole one. */
static bool plan_last_batch(nm_trainer *t, int64_t rest, nm_diagnostics *d)
{
    int *last = &t->loader.last_batch;
    if ((*last != NM_SHORT_AUTO && *last != NM_SHORT_KEEP) || takes_last(t, rest)) {
        return true;
    }
    const nm_status status = nm_context_status(t->context);
    if (*last == NM_SHORT_KEEP || (status != NM_OK && status != NM_ERROR_INPUT)) {
        report_last_batch(t, rest, d);
        return false;
    }
    nm_context_clear_error(t->context);
    *last = NM_SHORT_MERGE;
    return true;
}

static bool try_batches(nm_trainer *t, nm_diagnostics *d)
{
    const int64_t count = t->setup.data->train.count, batch = t->loader.batch;
    const int64_t whole = t->setup.only_evaluates ? 2 : batch < count ? batch : count;
    if (!takes(t, NM_ANY_BATCH, &t->trial)) {
        nm_diagnose_standing(d, t->trial.at);
        return false;
    }
    if (whole == 1 && !takes_one(t, d)) {
        return false;
    }
    const int64_t rest = count > batch && !t->setup.only_evaluates ? count % batch : 0;
    return !rest || plan_last_batch(t, rest, d);
}

static nm_loader *open_loader(nm_trainer *t, const nm_dataset *set, bool training)
{
    uint64_t seed = (uint64_t)t->setup.options.seed;
    bool wanted = set->count && nm_context_status(t->context) == NM_OK;
    return wanted ? nm_loader_create(t->context, set, &t->loader, training, seed) : NULL;
}

static bool plan_batches(nm_trainer *t, nm_diagnostics *d)
{
    const nm_data *data = t->setup.data;
    const bool trains = !t->setup.only_evaluates;
    const int errors = d->count;
    if (!data->train.count) {
        return false; /* only sets of others are to be evaluated */
    }
    t->loader = data->loader;
    t->loader.batch = nm_loader_batch(&t->loader, data->train.count);
    nm_loader_diagnose(&data->train, &t->loader, trains, part(t, "data"), d);
    if (d->count > errors || !try_batches(t, d)) {
        return false;
    }
    t->train = trains ? open_loader(t, &data->train, true) : NULL;
    t->validation = trains ? open_loader(t, &data->validation, false) : NULL;
    t->test = trains ? open_loader(t, &data->test, false) : NULL;
    return is_fine(t, d, part(t, "data"));
}

static void plan_steps(nm_trainer *t, nm_diagnostics *d)
{
    const nm_train_options *o = &t->setup.options;
    t->batches = nm_loader_batches(t->train);
    t->steps_per_epoch = (t->batches + o->accumulate - 1) / o->accumulate;
    const int64_t epochs = nm_train_epochs(o, t->steps_per_epoch);
    bool overflow = __builtin_mul_overflow(epochs, t->steps_per_epoch, &t->steps);
    t->steps = o->steps ? o->steps : t->steps;
    if (overflow && !o->steps) {
        nm_diagnose(d, option(t, "train", "epochs"), "train: %lld epochs are too many",
                    (long long)o->epochs);
        return;
    }
    nm_schedule_begin(&t->schedule, t->context, &o->schedule, &o->warmup, t->steps,
                      t->steps_per_epoch);
    is_fine(t, d, option(t, "train", "warmup"));
}

/* ---- Outputs ---- */

int64_t nm_trainer_width(const nm_trainer *t)
{
    const nm_shape *output = &t->trial.output;
    return output->rank > 0 ? output->dim[output->rank - 1] : 0;
}

/* What the loss takes from the training set; where only other sets are evaluated there is none. */
static bool prepare_loss(nm_trainer *t, nm_diagnostics *d)
{
    nm_loss_prepare(&t->loss, t->setup.only_evaluates ? NULL : &t->setup.data->train,
                    nm_trainer_width(t));
    return is_fine(t, d, place_of(&t->setup.loss, part(t, "loss")));
}

/* Computes the loss of a batch without elements: on a dry tape nobody reads the targets, which only
 * have to be there. */
static bool loss_fits(nm_trainer *t, nm_diagnostics *d)
{
    const nm_dataset *set = &t->setup.data->train;
    const int64_t count = t->trial.output.dim[0];
    int64_t unread = 0;
    const nm_batch batch = {.count = count,
                            .target_shape = batch_of(count, &set->target_shape),
                            .target_dtype =
                                set->target_dtype == NM_F64 ? NM_F32 : set->target_dtype,
                            .targets = set->targets ? &unread : NULL};
    nm_tape_set_dry(t->tape, true);
    nm_loss_check(&t->loss, nm_trainer_width(t));
    nm_loss_of(&t->loss, t->tape, nm_tape_tensor(t->tape, NM_F32, t->trial.output), &batch);
    nm_tape_set_dry(t->tape, false);
    nm_tape_reset(t->tape);
    if (nm_context_status(t->context) == NM_ERROR_INPUT &&
        nm_trainer_report_outputs(t, part(t, "model"), d)) {
        nm_context_clear_error(t->context);
        return false;
    }
    return is_fine(t, d, place_of(&t->setup.loss, part(t, "loss")));
}

/* Labels are looked at one by one only in training, when it would be late to find this. */
static bool classes_fit(const nm_trainer *t, nm_diagnostics *d)
{
    const int64_t classes = t->setup.data->train.classes;
    if (!t->loss.type->wants_labels || nm_trainer_width(t) >= classes) {
        return true;
    }
    nm_diagnose(d, t->trial.at ? t->trial.at : part(t, "model"),
                "model: the data has %lld classes, and each takes an output, but the network ends "
                "with %lld",
                (long long)classes, (long long)nm_trainer_width(t));
    return false;
}

/* Options of metrics may ask for outputs that are not there. */
static void metrics_fit(nm_trainer *t, nm_diagnostics *d)
{
    for (int i = 0; i < t->metrics.count; i++) {
        const nm_choice *metric = &t->metrics.at[i];
        nm_metric_check(t->context, metric, nm_trainer_width(t));
        is_fine(t, d, place_of(metric, option(t, "train", "metric")));
    }
}

/* A set that is evaluated after an epoch, which would be lost if it could not be. */
static void check_targets(const nm_trainer *t, const nm_dataset *set, const char *name,
                          nm_diagnostics *d)
{
    if (set->count && !set->targets) {
        nm_diagnose(
            d, option(t, "data", name),
            "data: the %s set has no targets to compare with; give its labels or values, or "
            "leave it out",
            name);
    }
}

/* ---- All of it ---- */

void nm_trainer_plan(nm_trainer *t, nm_diagnostics *d)
{
    t->steps_per_epoch = 1;
    if (!is_complete(t, d)) {
        return;
    }
    const bool trains = has_options(t, d);
    const bool has_loss = plan_loss(t, d);
    if (has_loss) {
        plan_metrics(t, d);
    }
    if (trains) {
        plan_parameters(t, d);
    }
    check_targets(t, &t->setup.data->validation, "validation", d);
    check_targets(t, &t->setup.data->test, "test", d);
    const bool has_batches = plan_batches(t, d);
    if (has_batches && trains) {
        plan_steps(t, d);
    }
    t->tape = nm_tape_create(t->context);
    if (has_batches && has_loss && t->tape && prepare_loss(t, d) && t->trial.output.rank >= 0 &&
        loss_fits(t, d) && classes_fit(t, d)) {
        metrics_fit(t, d);
    }
    if (has_batches && has_loss && trains) {
        nm_trainer_plan_probes(t, d);
    }
}
