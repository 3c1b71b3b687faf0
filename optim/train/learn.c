#include "optim/learn.h"

#include "core/guard.h"
#include "optim/clip.h"
#include "optim/steps.h"
#include "optim/train/internal.h"

/* ---- Steps ---- */

static nm_random random_of_step(const nm_learner *l)
{
    return nm_random_create(l->seed, NM_STREAM_TRAINING + (uint64_t)l->step);
}

static void initialize_by(const nm_learner *l, const nm_batch *batch)
{
    nm_random random = random_of_step(l);
    const nm_pass pass = {.tape = l->tape, .random = &random, .training = true, .initialize = true};
    nm_tape_reset(l->tape);
    const bool recording = nm_tape_set_recording(l->tape, false);
    nm_network_forward(l->network, &pass, nm_batch_samples(l->tape, batch));
    nm_tape_set_recording(l->tape, recording);
}

static nm_status start(const nm_learner *l, const nm_batch *batch)
{
    if (l->step == 0 && l->network->wants_data) {
        initialize_by(l, batch);
    }
    return nm_context_status(nm_tape_context(l->tape));
}

static nm_status not_finite(const nm_learner *l, const char *what, double value)
{
    return nm_fail(
        nm_tape_context(l->tape), NM_ERROR_NUMERIC,
        "%s is %s at step %lld; nothing was updated: standardize samples and values, set "
        "clip_norm, or lower the learning rate",
        what, isnan(value) ? "NaN" : "infinite", (long long)l->step);
}

/* The scale that clipping leaves for the update. */
static nm_status clip(const nm_learner *l, double *scale)
{
    double norm = 0;
    *scale = 1;
    if (l->clip_norm == 0) {
        return NM_OK;
    }
    nm_status status = nm_gradient_norm(l->network->store, &norm);
    if (status == NM_OK && !isfinite(norm)) {
        return not_finite(l, "the norm of the gradients", norm);
    }
    *scale = nm_clip_factor(norm, l->clip_norm);
    return status;
}

static nm_status update(const nm_learner *l, const nm_batch *batch, double *value)
{
    double scale;
    nm_random random = random_of_step(l);
    const nm_batch_step step = {.network = l->network,
                                .loss = l->loss,
                                .tape = l->tape,
                                .random = &random,
                                .batch = batch,
                                .scale = 1,
                                .by_tape = l->by_tape};
    nm_status status = nm_batch_step_run(&step, value);
    if (status == NM_OK && !isfinite(*value)) {
        return not_finite(l, "the loss", *value);
    }
    if (status == NM_OK) status = clip(l, &scale);
    if (status == NM_OK) {
        const double factor = l->schedule ? nm_schedule_factor(l->schedule, l->step) : 1;
        status = nm_optimizer_step(l->optimizer, l->step, factor, scale);
    }
    return status;
}

static nm_status check(const nm_learner *l, const nm_batch *batch)
{
    nm_context *context = nm_tape_context(l->tape);
    NM_UNLESS_FAILED(context);
    NM_REQUIRE(context, l->network && l->network->store && l->network->forward, NM_ERROR_INPUT);
    NM_REQUIRE(context, l->loss && l->loss->type, NM_ERROR_INPUT);
    NM_REQUIRE(context, l->optimizer, NM_ERROR_INPUT);
    NM_REQUIRE(context, batch, NM_ERROR_INPUT);
    if (nm_optimizer_store(l->optimizer) != l->network->store) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "nm_learn: the optimizer was made for another store than the network's");
    }
    if (!(l->clip_norm >= 0)) {
        return nm_fail(context, NM_ERROR_INPUT, "nm_learn: clip_norm is %g; it must be 0 or more",
                       l->clip_norm);
    }
    return l->step >= 0
               ? NM_OK
               : nm_fail(context, NM_ERROR_INPUT,
                         "nm_learn: step is %lld; it counts updates from 0", (long long)l->step);
}

nm_status nm_learn(nm_learner *learner, const nm_batch *batch, double *loss)
{
    double value = (double)NAN;
    if (loss) {
        *loss = value;
    }
    NM_GIVEN(learner && learner->tape, NM_ERROR_INPUT);
    nm_status status = check(learner, batch);
    if (status != NM_OK) {
        return status;
    }
    status = start(learner, batch);
    status = status == NM_OK ? update(learner, batch, &value) : status;
    nm_store_clear_grads(learner->network->store);
    learner->step += status == NM_OK;
    if (loss && status == NM_OK) {
        *loss = value;
    }
    return status;
}
