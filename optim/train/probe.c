/* Probes around the updates of a run. */
#include "optim/train/internal.h"

static nm_status emit(void *user, const nm_probe_record *record)
{
    nm_trainer *t = user;
    const nm_train_callbacks *c = &t->setup.callbacks;
    nm_status status = c->on_probe ? c->on_probe(c->user, nm_trainer_state(t), record) : NM_OK;
    if (status != NM_OK && nm_context_status(t->context) == NM_OK) {
        return nm_fail(t->context, status, "a callback ended the training at step %lld",
                       (long long)t->progress.step);
    }
    return nm_context_status(t->context);
}

static nm_probes_setup setup_of(nm_trainer *t)
{
    return (nm_probes_setup){
        .probes = &t->setup.probes,
        .network = t->setup.network,
        .loss = &t->loss,
        .set = &t->setup.data->train,
        .loader = &t->loader,
        .precision = (nm_precision)t->setup.options.precision,
        .seed = (uint64_t)t->setup.options.seed,
        .at = t->setup.file ? nm_value_place(t->setup.file, "probes") : NULL,
        .emit = emit,
        .user = t,
    };
}

void nm_trainer_plan_probes(nm_trainer *t, nm_diagnostics *d)
{
    const nm_probes_setup setup = setup_of(t);
    if (t->setup.probes.count) {
        nm_probes_check(t->context, &setup, d);
    }
}

static nm_status look(nm_trainer *t, const nm_batch *batch, nm_random random, bool last)
{
    const double begin = nm_steady_seconds();
    const nm_probes_now now = {.batch = batch,
                               .random = random,
                               .step = t->progress.step,
                               .rate = t->step.rate,
                               .last = last};
    if (!t->probes) {
        const nm_probes_setup setup = setup_of(t);
        t->probes = nm_probes_create(t->context, &setup);
    }
    const nm_status status =
        t->probes ? nm_probes_before(t->probes, &now) : nm_context_status(t->context);
    t->probing += nm_steady_seconds() - begin;
    return status;
}

nm_status nm_trainer_probe(nm_trainer *t, const nm_batch *batch, nm_random random)
{
    t->probing = 0;
    return t->setup.probes.count ? look(t, batch, random, false) : NM_OK;
}

nm_status nm_trainer_probe_update(nm_trainer *t, nm_random random)
{
    if (!t->setup.probes.count || !t->probes) {
        return NM_OK;
    }
    const double begin = nm_steady_seconds();
    nm_status status = nm_probes_after(t->probes);
    t->probing += nm_steady_seconds() - begin;
    const bool last = t->progress.step + 1 == t->steps;
    if (status == NM_OK && last) {
        t->progress.step++; /* they are behind it */
        status = look(t, &t->step.batch, random, true);
        t->progress.step--;
    }
    return status;
}
