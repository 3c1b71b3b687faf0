/* Runs of one file with steps from lists and with steps on the tape, compared bit by bit. */
#ifndef NM_TESTS_MODELS_SAME_RUNS_H
#define NM_TESTS_MODELS_SAME_RUNS_H

#include "models/config.h"
#include "optim/learn.h"

#include "tests/models/model_test.h"

#define MOST_SETTINGS 16 /* settings */

typedef struct run {
    nm_context *context;
    nm_config config;
    nm_trainer *trainer;
    nm_train_result result;
    char said[512]; /* where it ended by an error */
} run;

/* Of the file, with settings up to NULL and `plan`. */
static inline run train_file(const char *path, const char *const *settings, bool plan)
{
    const char *all[MOST_SETTINGS] = {plan ? "train.plan=true" : "train.plan=false"};
    int count = 1;
    for (; settings[count - 1]; count++) {
        all[count] = settings[count - 1];
    }
    run r = {.context = open_context(NULL)};
    nm_config_open(r.context, path, all, count, NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN,
                   &r.config);
    assert_fine(r.context);
    nm_trainer_setup setup = nm_config_setup(&r.config);
    r.trainer = nm_trainer_create(r.context, &setup);
    if (nm_trainer_run(r.trainer, &r.result) ==
        NM_ERROR_NUMERIC) { /* it diverges: so must the other */
        snprintf(r.said, sizeof r.said, "%s", nm_context_error(r.context));
        nm_context_clear_error(r.context);
    }
    assert_fine(r.context);
    return r;
}

static inline void end_run(run *r)
{
    nm_trainer_destroy(r->trainer);
    nm_config_close(&r->config);
    nm_close(r->context);
}

static inline void assert_same_stores(const nm_store *a, const nm_store *b, const char *of)
{
    ck_assert_int_eq(nm_store_count(a), nm_store_count(b));
    for (int i = 0; i < nm_store_count(a); i++) {
        const nm_entry *x = nm_store_at(a, i), *y = nm_store_at(b, i);
        ck_assert_msg(same_bits(x->tensor, y->tensor), "%s: %s differs", of, x->name);
    }
}

static inline void assert_same_runs(const run *a, const run *b, const char *of)
{
    ck_assert_str_eq(a->said, b->said);
    assert_same_stores(nm_model_store(a->config.model), nm_model_store(b->config.model), of);
    assert_same_stores(nm_optimizer_state(nm_trainer_optimizer(a->trainer)),
                       nm_optimizer_state(nm_trainer_optimizer(b->trainer)), of);
    ck_assert_msg(memcmp(&a->result.train_loss, &b->result.train_loss, sizeof(double)) == 0,
                  "%s: the loss is %.17g and %.17g", of, a->result.train_loss,
                  b->result.train_loss);
}

static inline void compare_file(const char *path, const char *const *settings)
{
    run planned = train_file(path, settings, true), plain = train_file(path, settings, false);
    assert_same_runs(&planned, &plain, path);
    end_run(&plain);
    end_run(&planned);
}

/* Of a text. */
static inline void compare_text(const char *text)
{
    const char *settings[] = {NULL};
    test_write_file(test_path("net.yaml"), text, strlen(text));
    compare_file(test_path("net.yaml"), settings);
}

#endif
