/* What tests of checkpoints share: a run that can end early, and goes on. */
#ifndef NM_TESTS_OPTIM_TRAIN_CHECKPOINT_RUN_H
#define NM_TESTS_OPTIM_TRAIN_CHECKPOINT_RUN_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/optim/small_run.h"

static inline nm_status note_step(void *user, const nm_train_state *state)
{
    small_run *r = user;
    r->losses[state->step - 1] = state->loss;
    if (state->step == r->kill_at) {
        raise(SIGKILL);
    }
    if (state->step == r->stop_at) {
        nm_trainer_stop(state->trainer);
    }
    return state->step == r->cancel_at ? NM_ERROR_CANCELLED : NM_OK;
}

/* With everything in it that has a state: shuffling, dropout, running statistics, momentum, a
 * schedule, prefetching, a last short batch, early stopping. */
static inline void begin(small_run *r, const char *folder, test_memory *memory)
{
    small_begin(r, memory);
    r->data.train.count = 43;
    r->data.loader.prefetch = !memory;
    r->sgd.nesterov = true;
    r->data.validation = small_set(r->context, &r->test, 33);
    r->setup.folder = folder;
    r->setup.callbacks.on_step = note_step;
    r->setup.options.schedule = (nm_choice){.item = &nm_schedule_one_cycle.item};
    r->setup.options.early_stopping = (nm_early_stopping){.on = true, .patience = 50};
    r->setup.options.best_by = NM_BEST_BY_LOSS;
    r->setup.options.clip_norm = 1;
}

static inline void resume(small_run *r, const char *path)
{
    r->trainer = nm_trainer_create(r->context, &r->setup);
    assert_fine(r->context);
    nm_trainer_resume(r->trainer, path);
}

/* NaN equals NaN. */
static inline bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static inline void assert_same_results(const small_run *a, const small_run *b)
{
    const nm_train_result *x = &a->result, *y = &b->result;
    ck_assert_int_eq(x->epochs, y->epochs);
    ck_assert_int_eq(x->steps, y->steps);
    ck_assert(same(x->train_loss, y->train_loss));
    ck_assert(same(x->test_loss, y->test_loss));
    ck_assert(same(x->test_accuracy, y->test_accuracy));
    ck_assert_int_eq(x->best_epoch, y->best_epoch);
    ck_assert(same(x->best, y->best) && same(x->best_test_loss, y->best_test_loss));
    assert_same_bits(a, b);
}

static inline void *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    char *data = malloc(1 << 16);
    *size = fread(data, 1, 1 << 16, file);
    fclose(file);
    ck_assert(*size > 100 && *size < 1 << 16);
    return data;
}

static inline void another_network(small_run *r)
{
    small_add(&r->network, "more.bias", NM_BIAS, NM_SHAPE(3));
}

#endif
