/* One update: batches forward and backward, clipping, optimizer. Nothing here allocates. */
#include "optim/clip.h"
#include "optim/steps.h"
#include "optim/train/internal.h"

static nm_random random_of_batch(const nm_trainer *t)
{
    const nm_progress *p = &t->progress;
    const uint64_t batch = (uint64_t)(p->epoch * t->batches + p->batch);
    return nm_random_create((uint64_t)t->setup.options.seed, NM_STREAM_TRAINING + batch);
}

/* ---- Data-dependent initialization ---- */

static void initialize_by(nm_trainer *t, const nm_batch *batch)
{
    nm_random random = random_of_batch(t);
    const nm_pass pass = {.tape = t->tape,
                          .random = &random,
                          .training = true,
                          .initialize = true,
                          .precision = (nm_precision)t->setup.options.precision};
    nm_tape_reset(t->tape);
    const bool recording = nm_tape_set_recording(t->tape, false);
    nm_network_forward(t->setup.network, &pass,
                       nm_tape_wrap(t->tape, NM_F32, batch->shape, batch->x));
    nm_tape_set_recording(t->tape, recording);
}

nm_status nm_trainer_prepare(nm_trainer *t)
{
    nm_batch batch;
    if (t->prepared || !t->setup.network->wants_data) {
        return nm_context_status(t->context);
    }
    nm_status status = nm_loader_begin(t->train, 0, 0);
    if (status == NM_OK && (status = nm_loader_next(t->train, &batch)) == NM_OK) {
        initialize_by(t, &batch);
        status = nm_context_status(t->context);
    }
    t->prepared = status == NM_OK;
    return status;
}

/* ---- A batch ---- */

static nm_status train_on(nm_trainer *t, const nm_batch *batch)
{
    const nm_train_options *o = &t->setup.options;
    nm_random random = random_of_batch(t);
    const double weight = nm_loss_weight(&t->loss, batch);
    const nm_batch_step step = {
        .network = t->setup.network,
        .loss = &t->loss,
        .tape = t->tape,
        .random = &random,
        .precision = (nm_precision)o->precision,
        .batch = batch,
        /* so that every sample weighs the same, also those of a short batch */
        .scale = o->accumulate > 1 ? weight : 1,
        .by_tape = !o->plan,
    };
    double value;
    nm_status status = nm_batch_step_run(&step, &value);
    if (status == NM_OK && !isfinite(value)) {
        return nm_trainer_not_finite(t, "the loss", value);
    }
    t->step.loss += weight * value;
    t->step.weight += weight;
    t->progress.samples += batch->count;
    t->progress.batch++;
    return status == NM_ERROR_NUMERIC ? nm_trainer_fail_here(t) : status;
}

/* Forward and backward over the batches of one update. */
static nm_status gather_gradients(nm_trainer *t)
{
    nm_batch *batch = &t->step.batch;
    nm_status status = NM_OK;
    for (int64_t i = 0; i < t->setup.options.accumulate && t->progress.batch < t->batches; i++) {
        status = nm_loader_next(t->train, batch);
        if (status == NM_OK && i == 0) {
            status = nm_trainer_probe(t, batch, random_of_batch(t));
        }
        if (status == NM_OK) {
            status = train_on(t, batch);
        }
        if (status != NM_OK) {
            return status;
        }
    }
    return status;
}

/* ---- The update ---- */

/* At the end of an epoch the norm is told, whether or not it is needed for clipping; in the first
 * update it is taken so that its memory is there (promise 2). */
static bool wants_norm(const nm_trainer *t)
{
    const nm_progress *p = &t->progress;
    bool first = t->training_seconds <= 0, last = p->step + 1 == t->steps;
    return t->setup.options.clip_norm > 0 || first || last || p->batch == t->batches;
}

/* Limits gradients; what they are still to be multiplied by is left in *scale. */
static nm_status clip(nm_trainer *t, double *scale)
{
    const nm_train_options *o = &t->setup.options;
    nm_store *store = t->setup.network->store;
    nm_status status = NM_OK;
    if (o->clip_value > 0) {
        status = nm_clip_values(store, *scale, o->clip_value);
        *scale = 1;
    }
    if (wants_norm(t) && status == NM_OK) {
        double norm = 0;
        status = nm_gradient_norm(store, &norm);
        norm *= *scale;
        t->step.gradient_norm = norm;
        if (status == NM_OK && !isfinite(norm)) {
            return nm_trainer_not_finite(t, "the norm of the gradients", norm);
        }
        *scale *= o->clip_norm > 0 ? nm_clip_factor(norm, o->clip_norm) : 1;
    }
    return status;
}

static nm_status move_parameters(nm_trainer *t, double factor)
{
    bool accumulates = t->setup.options.accumulate > 1 && t->step.weight > 0;
    double scale = accumulates ? 1 / t->step.weight : 1;
    nm_status status = clip(t, &scale);
    if (status == NM_OK &&
        nm_optimizer_has_gradients(t->optimizer)) { /* on_gradients() may clear */
        status = nm_optimizer_step(t->optimizer, t->progress.step, factor, scale);
    }
    nm_store_clear_grads(t->setup.network->store);
    return status;
}

static void count_step(nm_trainer *t)
{
    nm_progress *p = &t->progress;
    p->step++;
    p->loss_sum += t->step.loss;
    p->loss_weight += t->step.weight;
    p->validation = p->test = NM_NO_EVALUATION; /* those were of the network before */
}

nm_status nm_trainer_update(nm_trainer *t)
{
    double begin = nm_steady_seconds();
    double factor = nm_schedule_factor(&t->schedule, t->progress.step);
    t->step =
        (nm_step){.rate = factor * nm_optimizer_rate(t->optimizer), .gradient_norm = (double)NAN};
    nm_status status = gather_gradients(t);
    if (status == NM_OK) {
        status = nm_trainer_report(t, t->setup.callbacks.on_gradients);
    }
    if (status == NM_OK) {
        status = move_parameters(t, factor);
    }
    if (status == NM_OK) {
        status = nm_trainer_probe_update(t, random_of_batch(t));
    }
    if (status != NM_OK) {
        nm_store_clear_grads(t->setup.network->store);
        return status;
    }
    count_step(t);
    nm_average_move(t);
    t->training_seconds += nm_steady_seconds() - begin - t->probing;
    return nm_trainer_report(t, t->setup.callbacks.on_step);
}
