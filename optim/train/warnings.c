/* What may be right, but seldom is: said before the first step, and the run goes on. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "optim/train/internal.h"

static void warn(const nm_trainer *t, const nm_value *at, const char *format, ...) NM_PRINTF(3, 4);

static void warn(const nm_trainer *t, const nm_value *at, const char *format, ...)
{
    char message[1024], place[512] = "";
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    if (at && at->line > 0) {
        snprintf(place, sizeof place, "%s:%d:%d: ", at->file, at->line, at->column);
    }
    nm_context_log(t->context, NM_LOG_WARNING, "%s%s", place, message);
}

/* ---- What the network ends with ---- */

/* Name of the op that the outputs come from; "": not known. */
static const char *ending(const nm_trainer *t)
{
    return t->trial.op && t->trial.layer ? t->trial.op->item.name : "";
}

/* What an op makes, whatever it gets. */
typedef struct range {
    const char *op;
    double least, most;
} range;

/* NULL: anything, or not known. */
static const range *range_of(const nm_trainer *t)
{
    static const range ranges[] = {
        {"relu", 0, (double)INFINITY},
        {"sigmoid", 0, 1},
        {"tanh", -1, 1},
        {"softmax", 0, 1},
        {"softplus", 0, (double)INFINITY},
        {"hard_sigmoid", 0, 1},
        {"gelu", -0.17, (double)INFINITY},
        {"silu", -0.2785, (double)INFINITY},
        {"mish", -0.309, (double)INFINITY},
        {"selu", -1.7582, (double)INFINITY},
        {"square", 0, (double)INFINITY},
        {"exp", 0, (double)INFINITY},
        {"abs", 0, (double)INFINITY},
        {"hard_swish", -0.375, (double)INFINITY},
    };
    for (int i = 0; i < NM_COUNT_OF(ranges); i++) {
        if (!strcmp(ending(t), ranges[i].op)) {
            return &ranges[i];
        }
    }
    return NULL;
}

/* tflearn PR#562. */
static void warn_of_softmax(const nm_trainer *t)
{
    const nm_trial *trial = &t->trial;
    const char *op = ending(t);
    const char *loss = t->loss.type->item.name;
    const double others = (double)nm_trainer_width(t) - 1;
    if (strcmp(op, "log_softmax") == 0) {
        warn(t, trial->at,
             "%s: the loss \"%s\" takes a log_softmax itself; remove the layer, which "
             "changes nothing and takes time",
             trial->layer, loss);
    } else if (strcmp(op, "softmax") == 0 || strcmp(op, "sigmoid") == 0) {
        warn(t, trial->at,
             "%s: the loss \"%s\" takes a softmax itself, and of outputs between 0 and 1 it makes "
             "no probability above %.4f, however long it is trained; remove the layer",
             trial->layer, loss, exp(1) / (exp(1) + others));
    } else if (strcmp(op, "tanh") == 0) {
        warn(t, trial->at,
             "%s: of outputs between -1 and 1 the loss \"%s\" makes no probability above %.4f, "
             "however long it is trained; remove the layer",
             trial->layer, loss, exp(2) / (exp(2) + others));
    } else if (strcmp(op, "relu") == 0) {
        warn(t, trial->at,
             "%s: the loss \"%s\" compares outputs of any sign; where this layer makes them 0, "
             "they are all alike, and nothing is learned; remove it",
             trial->layer, loss);
    }
}

static double sigmoid_of(double x)
{
    return 1 / (1 + exp(-x));
}

static void warn_of_sigmoid(const nm_trainer *t)
{
    const char *op = ending(t), *loss = t->loss.type->item.name;
    const range *r = range_of(t);
    if (!strcmp(op, "sigmoid") || !strcmp(op, "softmax")) {
        warn(t, t->trial.at,
             "%s: the loss \"%s\" takes a sigmoid itself, and of outputs between 0 and 1 it makes "
             "no value below 0.5; remove the layer",
             t->trial.layer, loss);
    } else if (r && isinf(r->most)) {
        warn(t, t->trial.at,
             "%s: the loss \"%s\" takes a sigmoid, and of outputs from %g on it makes no value "
             "below %.4g; remove the layer",
             t->trial.layer, loss, r->least, sigmoid_of(r->least));
    } else if (r) {
        warn(t, t->trial.at,
             "%s: the loss \"%s\" takes a sigmoid, and of outputs from %g to %g it makes no value "
             "below %.4g or above %.4g; remove the layer",
             t->trial.layer, loss, r->least, r->most, sigmoid_of(r->least), sigmoid_of(r->most));
    }
}

/* Without it, the loss falls without end, and what is predicted are no probabilities. */
static void warn_of_no_log_softmax(const nm_trainer *t)
{
    if (t->trial.op && strcmp(t->trial.op->item.name, "log_softmax") != 0) {
        warn(t, t->trial.at,
             "%s: the loss \"%s\" takes logarithms of probabilities, which %s does not make; put "
             "log_softmax behind it, or choose cross_entropy",
             t->trial.layer, t->loss.type->item.name, t->trial.op->item.name);
    }
}

static bool is_within(const range *r, double value)
{
    return value >= r->least && value <= r->most;
}

/* Targets that the outputs cannot come to, as they are learned and as they stand in the data. */
typedef struct out_of_reach {
    int64_t prepared, raw, all;
} out_of_reach;

static out_of_reach count_out_of_reach(const nm_trainer *t, const range *r)
{
    const nm_dataset *set = &t->setup.data->train;
    const nm_loader_options *o = &t->setup.data->loader;
    const int64_t width = nm_shape_count(&set->target_shape);
    out_of_reach found = {.all = set->count * width};
    for (int64_t i = 0; i < found.all; i++) {
        const int64_t k = i % width, row = set->rows ? set->rows[i / width] : i / width;
        const double raw = nm_trainer_target(set, row * width + k);
        const double prepared = (raw - (o->target_mean ? o->target_mean[k] : 0)) /
                                (o->target_deviation ? o->target_deviation[k] : 1);
        found.prepared += !is_within(r, prepared);
        found.raw += !is_within(r, raw);
    }
    return found;
}

static void warn_of_range(const nm_trainer *t)
{
    const nm_dataset *set = &t->setup.data->train;
    const range *r = set->targets && set->target_dtype != NM_I32 ? range_of(t) : NULL;
    const out_of_reach found = r ? count_out_of_reach(t, r) : (out_of_reach){0};
    char bounds[64];
    if (!found.prepared) {
        return;
    }
    snprintf(bounds, sizeof bounds, isinf(r->most) ? "below %g" : "below %g or above %g", r->least,
             r->most);
    warn(t, t->trial.at,
         "%s: its outputs are never %s, but %lld of the %lld targets to learn are%s; remove the "
         "layer%s",
         t->trial.layer, bounds, (long long)found.prepared, (long long)found.all,
         t->setup.data->loader.target_mean ? ", less their mean and divided by their deviation"
                                           : "",
         found.raw ? "" : ", or say `data: {normalize_targets: none}`");
}

/* ---- The rest ---- */

/* Outputs behind the classes, but for one that the ignored label would have. */
static bool has_needless_outputs(const nm_trainer *t)
{
    const nm_ignored ignored = nm_loss_ignored(&t->loss);
    const int64_t classes = t->setup.data->train.classes;
    bool needless = false;
    for (int64_t c = classes; classes && c < nm_trainer_width(t); c++) {
        needless |= !nm_is_ignored(&ignored, c);
    }
    return needless;
}

static void warn_of_outputs(const nm_trainer *t)
{
    const int64_t classes = t->setup.data->train.classes;
    if (has_needless_outputs(t)) {
        warn(t, t->trial.at,
             "model: the network has %lld outputs for the %lld classes of the data; those behind "
             "them are never right",
             (long long)nm_trainer_width(t), (long long)classes);
    }
}

/* The products themselves are f32 where they cannot be bf16; a user who asked should know. */
static void warn_of_precision(const nm_trainer *t)
{
    if (t->setup.options.precision == NM_PRECISION_BF16 && !nm_has_bf16()) {
        warn(t, NULL,
             "precision: bf16: this processor has no units for bf16 (AVX-512 BF16), or "
             "Norma was built without them; training goes on in f32");
    }
}

static void warn_of_parts(const nm_trainer *t)
{
    const nm_optimizer_type *type = t->optimizer ? nm_optimizer_type_of(t->optimizer) : NULL;
    if (type && type->wants_all && t->steps_per_epoch > 1) {
        const long long samples = (long long)t->setup.data->train.count;
        warn(t, t->setup.options.optimizer.at,
             "train: %s goes by gradients of all samples, but an epoch has %lld updates, each by a "
             "part of the %lld; give `data: {batch: %lld}`",
             type->item.name, (long long)t->steps_per_epoch, samples, samples);
    }
}

/* ---- What changes nothing in a run as short as this ---- */

/* An option of the file's train part. */
static const nm_value *place(const nm_trainer *t, const char *key)
{
    return nm_value_place(nm_value_place(t->setup.file, "train"), key);
}

#define LOOKS 64 /* at the rate, over the run */

/* Whether the rate stays what it is, in a schedule that knows beforehand. */
static bool is_level(const nm_schedule *s)
{
    const int64_t first = s->warmup_steps, last = s->steps - 1;
    bool level = !s->type->watch && last > first;
    for (int i = 1; i <= LOOKS && level; i++) {
        const double step = (double)first + (double)(last - first) * i / LOOKS;
        level = nm_schedule_factor(s, (int64_t)step) == nm_schedule_factor(s, first);
    }
    return level;
}

static void warn_of_schedule(const nm_trainer *t, int64_t evaluations)
{
    const nm_schedule *s = &t->schedule;
    const nm_plateau_options *plateau = s->options;
    if (s->type == &nm_schedule_constant) {
        return;
    }
    if (is_level(s)) {
        warn(t, place(t, "schedule"),
             "train: the schedule \"%s\" leaves the learning rate as it is in all %lld updates of "
             "this run (%lld an epoch); let it begin sooner, or train longer",
             s->type->item.name, (long long)s->steps, (long long)s->steps_per_epoch);
    } else if (s->type == &nm_schedule_plateau && evaluations <= plateau->patience + 2) {
        warn(t, place(t, "schedule"),
             "train: the schedule \"plateau\" changes nothing in a run of %lld evaluations: it "
             "waits for more than %lld that are no better; lower its patience, or train longer",
             (long long)evaluations, (long long)plateau->patience);
    }
}

static void warn_of_averages(const nm_trainer *t)
{
    const nm_averaging *o = &t->setup.options.average;
    if (o->on && o->every > t->steps) {
        warn(t, place(t, "average"),
             "average: every %lld updates are more than the %lld of this run: there will be no "
             "average; lower \"every\"",
             (long long)o->every, (long long)t->steps);
    }
}

static void warn_of_no_effect(const nm_trainer *t)
{
    const nm_train_options *o = &t->setup.options;
    const int64_t each = t->steps_per_epoch * o->evaluate_every;
    const int64_t evaluations = (t->steps + each - 1) / each;
    if (o->accumulate > t->batches) {
        warn(t, place(t, "accumulate"),
             "train: an epoch has %lld batches, so an update is made of those, not of the %lld "
             "that \"accumulate\" says; lower it, or make the batches smaller",
             (long long)t->batches, (long long)o->accumulate);
    }
    if (o->early_stopping.on && evaluations <= o->early_stopping.patience + 1) {
        warn(t, place(t, "early_stopping"),
             "early_stopping: changes nothing in a run of %lld evaluations: it waits for %lld that "
             "are no better; lower its patience, or train longer",
             (long long)evaluations, (long long)o->early_stopping.patience);
    }
    warn_of_schedule(t, evaluations);
    warn_of_averages(t);
}

/* Of what is going to be trained: what was trained is as it is. */
void nm_trainer_warn(const nm_trainer *t)
{
    if (t->setup.only_evaluates) {
        return;
    }
    if (t->loss.type->takes_softmax) {
        warn_of_softmax(t);
    }
    if (!t->loss.type->wants_labels && !t->loss.type->takes_sigmoid) {
        warn_of_range(t);
    }
    warn_of_parts(t);
    if (t->loss.type->takes_sigmoid) {
        warn_of_sigmoid(t);
    }
    if (t->loss.type->takes_log_softmax) {
        warn_of_no_log_softmax(t);
    }
    if (t->loss.type->wants_labels) {
        warn_of_outputs(t);
    }
    warn_of_precision(t);
    warn_of_no_effect(t);
}
