/* Epochs: their updates, and what follows each: evaluation, the best network, early stopping,
 * checkpoints. */
#include "optim/train/internal.h"

/* ---- Evaluation ---- */

/* What tells whether the network got better; `higher` says which way that is. Never the test set:
 * it would no longer tell how good the network is on samples that had no part in making it. */
static double measure(const nm_trainer *t, bool *higher)
{
    *higher = false;
    return t->validation ? nm_trainer_value(t, &t->progress.validation, higher)
                         : t->progress.train_loss;
}

/* By more than `delta`. What is not finite is never better. */
static bool is_better(double value, double than, double delta, bool higher)
{
    if (!isfinite(value)) {
        return false;
    }
    return isnan(than) || (higher ? value > than + delta : value < than - delta);
}

/* Early stopping: small steps count once they add up to min_delta. */
static void wait_or_begin_anew(nm_trainer *t, double value, bool higher)
{
    nm_progress *p = &t->progress;
    const double delta = t->setup.options.early_stopping.min_delta;
    const bool better = is_better(value, p->reference, delta, higher);
    p->reference = better ? value : p->reference;
    p->waited = better ? 0 : p->waited + 1;
}

/* The network as it is now is the one to keep. */
static nm_status keep_network(nm_trainer *t)
{
    nm_progress *p = &t->progress;
    p->best_epoch = p->epoch;
    p->best_test_loss = p->test.loss;
    p->best_test_metric = p->test.metric;
    bool keep = t->setup.options.keep_best && t->best_path;
    return keep ? nm_best_write(t, t->best_path) : NM_OK;
}

/* Without a validation set there is nothing to choose by, so the last network is kept, but none
 * whose evaluation is not finite. */
static nm_status judge(nm_trainer *t)
{
    nm_progress *p = &t->progress;
    bool higher;
    double value = measure(t, &higher);
    wait_or_begin_anew(t, value, higher);
    nm_schedule_watch(&t->schedule, value, higher);
    p->watch = t->schedule.watch;
    if (!t->validation) {
        return isfinite(t->test ? p->test.loss : p->train_loss) ? keep_network(t) : NM_OK;
    }
    t->state.is_best = is_better(value, p->best, 0, higher);
    p->best = t->state.is_best ? value : p->best;
    return t->state.is_best ? keep_network(t) : NM_OK;
}

/* Once a run: a guess does not learn. */
static nm_status find_baselines(nm_trainer *t)
{
    nm_status status = t->has_baselines ? NM_OK : nm_trainer_make_guess(t); /* saved in any case */
    if (t->validation && !t->has_baselines && status == NM_OK) {
        status = nm_trainer_guess(t, t->validation, &t->validation_baseline);
    }
    if (t->test && !t->has_baselines && status == NM_OK) {
        status = nm_trainer_guess(t, t->test, &t->test_baseline);
    }
    t->has_baselines = true;
    return status;
}

static nm_status evaluate_all(nm_trainer *t)
{
    const nm_network *network = t->setup.network;
    nm_status status = find_baselines(t);
    status = status == NM_OK ? nm_average_enter(t) : status;
    if (t->validation && status == NM_OK) {
        status = nm_trainer_measure(t, network, t->validation, &t->progress.validation);
    }
    if (t->test && status == NM_OK) {
        status = nm_trainer_measure(t, network, t->test, &t->progress.test);
    }
    nm_trainer_watch(t);
    status = status == NM_OK ? judge(t) : status;
    nm_average_leave(t);
    return status;
}

/* ---- The end of an epoch ---- */

static void begin_next_epoch(nm_progress *p)
{
    p->epoch++;
    p->batch = 0;
    p->loss_sum = p->loss_weight = 0;
}

/* The last epoch may be cut short by `steps`: then the position stays within it, so that the run
 * could be resumed with more. */
static nm_status end_epoch(nm_trainer *t)
{
    nm_progress *p = &t->progress;
    const nm_train_options *o = &t->setup.options;
    bool whole = p->batch == t->batches, last = p->step >= t->steps;
    p->train_loss = p->loss_weight > 0 ? p->loss_sum / p->loss_weight : (double)NAN;
    p->first_loss = p->epoch == 0 && whole ? p->train_loss : p->first_loss;
    t->state.is_best = false;
    nm_status status = NM_OK;
    if (last || (p->epoch + 1) % o->evaluate_every == 0) {
        status = evaluate_all(t);
    }
    if (status == NM_OK) {
        status = nm_trainer_report(t, t->setup.callbacks.on_epoch);
    }
    t->state.is_best = false;
    if (status == NM_OK && whole) {
        begin_next_epoch(p);
    }
    return status;
}

/* An epoch whose samples are all ignored moves nothing, whatever its loss seems to be. */
static nm_status check_learned(const nm_trainer *t)
{
    const nm_progress *p = &t->progress;
    if (p->batch < t->batches || p->loss_weight > 0) {
        return NM_OK;
    }
    return nm_fail(t->context, NM_ERROR_INPUT,
                   "train: there is nothing to learn from: no sample of epoch %lld counts for the "
                   "loss \"%s\"; see what it ignores",
                   (long long)p->epoch + 1, t->loss.type->item.name);
}

static bool is_checkpoint_due(const nm_trainer *t)
{
    const nm_progress *p = &t->progress;
    const nm_train_options *o = &t->setup.options;
    bool by_epoch = p->batch == 0 && o->checkpoint_every && p->epoch % o->checkpoint_every == 0;
    return by_epoch || (o->checkpoint_every_steps && p->step % o->checkpoint_every_steps == 0);
}

nm_status nm_trainer_run_epoch(nm_trainer *t)
{
    nm_progress *p = &t->progress;
    nm_status status = nm_loader_begin(t->train, p->epoch, p->batch);
    while (status == NM_OK && !nm_trainer_is_over(t) && p->batch < t->batches) {
        status = nm_trainer_update(t);
        if (status == NM_OK && p->batch < t->batches && is_checkpoint_due(t)) {
            status = nm_trainer_checkpoint(t);
        }
    }
    if (status == NM_OK && (p->batch == t->batches || p->step >= t->steps)) {
        status = check_learned(t);
        status = status == NM_OK ? end_epoch(t) : status;
        if (status == NM_OK && is_checkpoint_due(t)) {
            status = nm_trainer_checkpoint(t);
        }
    }
    return status;
}
