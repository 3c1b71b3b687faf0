/* What a run says when it does not learn: numbers that are not finite, and what mends them; losses
 * that rise, and networks no better than a guess. */
#include <stdio.h>

#include "optim/train/internal.h"

/* ---- Numbers that are not finite ---- */

/* Where the run is, in front of a message. */
nm_status nm_trainer_fail_here(nm_trainer *t)
{
    return nm_fail_in(t->context, "epoch %lld, step %lld", (long long)t->progress.epoch + 1,
                      (long long)t->progress.step + 1);
}

static const char *name_of(double value)
{
    return isnan(value) ? "NaN" : "infinite";
}

static double largest(const float *values, const nm_shape *shape)
{
    double most = 0;
    for (int64_t i = 0; values && i < nm_shape_count(shape); i++) {
        most = fmax(most, fabs((double)values[i]));
    }
    return most;
}

#define LARGE 10 /* a size that standardized numbers hardly reach */
#define MOST_ADVICE 512

/* How large the batch's inputs and targets are, where they are not standardized by what was
 * computed; else 0. */
static void look_at_batch(const nm_trainer *t, double *inputs, double *targets)
{
    const nm_batch *b = &t->step.batch;
    const bool raw = !t->loader.channel_mean;
    const bool raw_targets = b->target_dtype == NM_F32 && !t->loader.target_mean;
    *inputs = b->count && raw ? largest(b->x, &b->shape) : 0;
    *targets = b->count && raw_targets ? largest(b->targets, &b->target_shape) : 0;
}

/* What is to be standardized: of values, the targets as well as the inputs. One without the other
 * diverges as before. Returns the length. */
static int advise_standardizing(const nm_trainer *t, char text[MOST_ADVICE])
{
    double inputs, targets;
    look_at_batch(t, &inputs, &targets);
    if (inputs <= LARGE && targets <= LARGE) {
        text[0] = 0;
        return 0;
    }
    if (inputs > 0 && targets > 0) {
        return snprintf(text, MOST_ADVICE,
                        "; standardize the inputs, which reach %.3g, and the targets, which reach "
                        "%.3g (data: {normalize: auto, normalize_targets: auto})",
                        inputs, targets);
    }
    const bool of_targets = targets > 0;
    return snprintf(text, MOST_ADVICE, "; standardize the %s, which reach %.3g (data: {%s: auto})",
                    of_targets ? "targets" : "inputs", of_targets ? targets : inputs,
                    of_targets ? "normalize_targets" : "normalize");
}

/* What is to be done, most effective first: what the batch shows, then what bounds or shortens a
 * step, unless none was made yet. A warm-up only puts it off. */
static void advise(const nm_trainer *t, char text[MOST_ADVICE])
{
    const int length = advise_standardizing(t, text);
    const size_t room = MOST_ADVICE - (size_t)length;
    if (t->progress.step > 0) {
        snprintf(text + length, room, "%s",
                 t->setup.options.clip_norm > 0
                     ? "; lower the learning rate"
                     : "; clip the gradients (train: {clip_norm: 1}), or lower the learning rate");
    }
}

nm_status nm_trainer_not_finite(nm_trainer *t, const char *what, double value)
{
    char rate[32], advice[MOST_ADVICE];
    const char *kept = t->saved_step >= 0 ? t->checkpoint_path : NULL;
    advise(t, advice);
    nm_fail(t->context, NM_ERROR_NUMERIC,
            "%s is %s, at a learning rate of %s%s; train with anomaly: true to see where it "
            "begins%s%s",
            what, name_of(value), nm_format_float(t->step.rate, rate), advice,
            kept ? "; the last good checkpoint is " : "", kept ? kept : "");
    return nm_trainer_fail_here(t);
}

/* ---- Evaluations that are not finite ---- */

/* The first of the sets whose loss is not finite; NULL: none. */
static const char *bad_set(const nm_trainer *t, double *value)
{
    const nm_progress *p = &t->progress;
    const bool validation = p->validation.samples && !isfinite(p->validation.loss);
    const bool test = p->test.samples && !isfinite(p->test.loss);
    *value = validation ? p->validation.loss : p->test.loss;
    return validation ? "validation" : test ? "test" : NULL;
}

void nm_trainer_watch(nm_trainer *t)
{
    double value;
    nm_progress *p = &t->progress;
    const char *set = bad_set(t, &value);
    if (set && p->bad_epoch < 0) {
        p->bad_epoch = p->epoch;
        nm_context_log(t->context, NM_LOG_WARNING, "epoch %lld: the %s loss is %s",
                       (long long)p->epoch + 1, set, name_of(value));
    } else if (!set) {
        p->bad_epoch = -1;
    }
}

/* A run whose evaluation ended in nothing is no success, however good its training loss was. */
static nm_status check_evaluation(nm_trainer *t)
{
    double value;
    const nm_progress *p = &t->progress;
    const char *set = bad_set(t, &value);
    if (!set || p->bad_epoch < 0) {
        return NM_OK;
    }
    return nm_fail(t->context, NM_ERROR_NUMERIC,
                   "the %s loss is %s since epoch %lld, though the training loss is %.4g: the "
                   "network makes no finite number of some of the samples; train with anomaly: "
                   "true to see which op does%s",
                   set, name_of(value), (long long)p->bad_epoch + 1, p->train_loss,
                   p->best_epoch < 0 ? "" : "; the best network is of an epoch before");
}

/* ---- Runs that learned nothing ---- */

static void warn_of_rising_loss(const nm_trainer *t)
{
    char advice[MOST_ADVICE];
    const nm_progress *p = &t->progress;
    if (p->train_loss > p->first_loss) {
        advise(t, advice);
        nm_context_log(t->context, NM_LOG_WARNING,
                       "the training loss rose, from %.4g in the first epoch to %.4g in the last%s",
                       p->first_loss, p->train_loss, advice);
    }
}

static void warn_of_one_class(const nm_trainer *t, const nm_evaluation *e, const char *set)
{
    char name[32];
    if (e->samples && e->only_class >= 0) {
        const nm_schema *schema = t->setup.data->schema;
        snprintf(name, sizeof name, "%lld", (long long)e->only_class);
        nm_context_log(t->context, NM_LOG_WARNING,
                       "all %lld samples of the %s set are taken for class %s",
                       (long long)(e->samples - e->ignored), set,
                       schema ? nm_schema_class_name(schema, e->only_class, name) : name);
    }
}

/* How good the network is that is kept, beside the guess. */
typedef struct comparison {
    const char *set, *what; /* "test", "accuracy" */
    const char *name;       /* of the guess */
    double value, guess;
    bool higher_is_better, chosen;
} comparison;

/* On the set that chose the network, or else on the test set. */
static comparison compare(nm_trainer *t)
{
    const nm_progress *p = &t->progress;
    const nm_evaluation *e = t->validation ? &p->validation : &p->test;
    const nm_evaluation *guess = t->validation ? &t->validation_baseline : &t->test_baseline;
    const bool by_metric = nm_trainer_judges_by_metric(t, e);
    comparison c = {.set = t->validation ? "validation" : "test",
                    .what = by_metric ? nm_trainer_state(t)->metric->item.name : "loss",
                    .name = nm_trainer_state(t)->baseline,
                    .chosen = t->validation && p->best_epoch >= 0};
    c.guess = nm_trainer_value(t, guess, &c.higher_is_better);
    c.value = nm_trainer_value(t, e, &c.higher_is_better);
    c.value = c.chosen ? p->best : c.value;
    return c;
}

/* Where nothing is evaluated, the loss of the last epoch, for what it is worth. */
static comparison compare_training(nm_trainer *t)
{
    nm_evaluation guess = NM_NO_EVALUATION;
    nm_trainer_evaluate_baseline(t, &t->setup.data->train, &guess);
    return (comparison){.set = "training",
                        .what = "loss",
                        .name = nm_trainer_state(t)->baseline,
                        .value = t->progress.train_loss,
                        .guess = guess.loss};
}

/* Who weighs classes gives up accuracy for rare ones on purpose; the loss tells what was learned.
 */
static comparison compare_weighted(nm_trainer *t)
{
    nm_evaluation guess;
    const nm_progress *p = &t->progress;
    const nm_data *data = t->setup.data;
    const nm_dataset *set = t->validation ? &data->validation
                            : t->test     ? &data->test
                                          : &data->train;
    nm_trainer_guess_weighted(t, set, &guess);
    return (comparison){.set = t->validation ? "validation"
                               : t->test     ? "test"
                                             : "training",
                        .what = "loss",
                        .name = "best guess",
                        .value = t->validation ? p->validation.loss
                                 : t->test     ? p->test.loss
                                               : p->train_loss,
                        .guess = guess.loss};
}

static void warn_of_no_gain(nm_trainer *t)
{
    char advice[MOST_ADVICE];
    const comparison c = nm_trainer_weighs_classes(t) ? compare_weighted(t)
                         : t->validation || t->test   ? compare(t)
                                                      : compare_training(t);
    const bool better = c.higher_is_better ? c.value > c.guess : c.value < c.guess;
    if (isnan(c.value) || isnan(c.guess) || better) {
        return;
    }
    advise_standardizing(t, advice);
    nm_context_log(
        t->context, NM_LOG_WARNING,
        "nothing was learned that helps: the %s%s on the %s set, %.4g, is no better than "
        "the %s, which gets %.4g without looking at the samples%s",
        c.chosen ? "best " : "", c.what, c.set, c.value, c.name, c.guess, advice);
}

nm_status nm_trainer_conclude(nm_trainer *t)
{
    nm_status status = check_evaluation(t);
    if (status == NM_OK) {
        warn_of_rising_loss(t);
        warn_of_one_class(t, &t->progress.validation, "validation");
        warn_of_one_class(t, &t->progress.test, "test");
        warn_of_no_gain(t);
    }
    return nm_context_status(t->context);
}
