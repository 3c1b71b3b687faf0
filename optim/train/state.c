/* What a run tells of itself while it goes. */
#include "core/guard.h"
#include "optim/train/internal.h"

#include <time.h>

double nm_steady_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : (double)NAN;
}

const nm_train_state *nm_trainer_state(nm_trainer *t)
{
    NM_GIVEN(t, NULL);
    const nm_progress *p = &t->progress;
    nm_train_state *s = &t->state;
    s->trainer = t;
    s->epoch = p->epoch;
    s->epochs = (t->steps + t->steps_per_epoch - 1) / t->steps_per_epoch;
    s->batch = p->batch;
    s->batches = t->batches;
    s->step = p->step;
    s->steps = t->steps;
    s->rate = t->step.rate;
    s->loss = ratio(t->step.loss, t->step.weight);
    s->gradient_norm = t->step.gradient_norm;
    s->train_loss = p->loss_weight > 0 ? p->loss_sum / p->loss_weight : p->train_loss;
    s->validation = p->validation;
    s->test = p->test;
    s->validation_baseline = t->validation_baseline;
    s->test_baseline = t->test_baseline;
    s->baseline = t->loss.type->wants_labels ? "commonest class" : "mean";
    s->metrics = &t->metrics;
    s->metric = t->metrics.count ? nm_metric_type_of(&t->metrics.at[0]) : NULL;
    s->best_epoch = p->best_epoch;
    s->best = p->best;
    s->seconds = t->began > 0 ? nm_steady_seconds() - t->began : t->seconds;
    s->samples_per_second = ratio((double)(p->samples - t->earlier_samples), t->training_seconds);
    return s;
}

nm_status nm_trainer_check_data(const nm_trainer *t)
{
    return t->setup.data->train.count || t->setup.only_evaluates
               ? NM_OK
               : nm_fail(t->context, NM_ERROR_INPUT,
                         "train: the trainer's data were closed; close them after "
                         "nm_trainer_destroy()");
}

nm_status nm_trainer_report(nm_trainer *t,
                            nm_status (*callback)(void *user, const nm_train_state *state))
{
    if (!callback) {
        return NM_OK;
    }
    nm_status status = callback(t->setup.callbacks.user, nm_trainer_state(t));
    if (status != NM_OK && nm_context_status(t->context) == NM_OK) {
        return nm_fail(t->context, status, "a callback ended the training at step %lld",
                       (long long)t->progress.step);
    }
    status = nm_trainer_check_data(t);
    return status == NM_OK ? nm_context_status(t->context) : status;
}

bool nm_trainer_is_over(const nm_trainer *t)
{
    const nm_early_stopping *early = &t->setup.options.early_stopping;
    return t->stop || t->progress.step >= t->steps ||
           (early->on && t->progress.waited >= early->patience);
}
