/* Training and evaluation on batches of a program's own. */
#include "optim/learn.h"
#include "tests/optim/small_run.h"

typedef struct bench {
    small_run run; /* without a trainer */
    nm_loss loss;
    nm_learner learner;
} bench;

static void begin(bench *b, test_memory *memory)
{
    small_run *r = &b->run;
    small_begin(r, memory);
    *b = (bench){.run = *r};
    r->network.network.self = &r->network;
    r->setup.network = &r->network.network;
    r->setup.data = &r->data;
    r->data.train.samples = r->train.x;
    r->data.train.targets = r->train.labels;
    r->setup.options.optimizer.options = &r->sgd;
    nm_loss_begin(&b->loss, r->context, &r->setup.loss);
    b->learner = (nm_learner){
        .network = &r->network.network,
        .loss = &b->loss,
        .optimizer = nm_optimizer_create(r->network.store, &r->setup.options.optimizer, NULL, 0),
        .tape = nm_tape_create(r->context),
        .seed = 1};
}

static void end(bench *b, test_memory *memory)
{
    nm_optimizer_destroy(b->learner.optimizer);
    nm_tape_destroy(b->learner.tape);
    nm_loss_end(&b->loss);
    small_end(&b->run, memory);
}

static nm_batch first_eight(bench *b)
{
    return nm_batch_of_labels(NM_SHAPE(8, INPUTS), b->run.train.x, b->run.train.labels);
}

START_TEST(batches_make_the_same_bits_as_the_trainer)
{
    small_run trained;
    small_begin(&trained, NULL);
    small_train(&trained);
    bench b;
    begin(&b, NULL);
    nm_loader *loader =
        nm_loader_create(b.run.context, &b.run.data.train, &b.run.data.loader, true, 1);
    double loss = NAN;
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        nm_batch batch;
        nm_loader_begin(loader, epoch, 0);
        while (nm_loader_next(loader, &batch) == NM_OK && batch.count) {
            ck_assert_int_eq(nm_learn(&b.learner, &batch, &loss), NM_OK);
        }
    }
    ck_assert_int_eq(b.learner.step, 15);
    ck_assert(isfinite(loss));
    assert_same_bits(&trained, &b.run);
    nm_loader_destroy(loader);
    end(&b, NULL);
    small_end(&trained, NULL);
}
END_TEST

START_TEST(arrays_are_learned_and_evaluated)
{
    bench b;
    begin(&b, NULL);
    nm_batch batch =
        nm_batch_of_labels(NM_SHAPE(MOST_SAMPLES, INPUTS), b.run.train.x, b.run.train.labels);
    double first, last;
    nm_learn(&b.learner, &batch, &first);
    for (int i = 0; i < 60; i++) {
        nm_learn(&b.learner, &batch, &last);
    }
    ck_assert(last < 0.5 * first);
    const nm_choices metrics = {1, {{.item = &nm_metric_accuracy.item}}};
    const nm_evaluator evaluator = {.network = &b.run.network.network,
                                    .loss = &b.loss,
                                    .metrics = &metrics,
                                    .tape = b.learner.tape};
    nm_evaluation e;
    ck_assert_int_eq(nm_evaluate_batch(&evaluator, &batch, &e), NM_OK);
    ck_assert_int_eq(e.samples, MOST_SAMPLES);
    ck_assert(e.metric > 0.9 && e.loss < 0.5);
    assert_fine(b.run.context);
    end(&b, NULL);
}
END_TEST

START_TEST(values_are_learned_too)
{
    bench b;
    begin(&b, NULL);
    nm_loss_end(&b.loss);
    nm_loss_begin(&b.loss, b.run.context, &(nm_choice){.item = &nm_loss_mse.item});
    float values[8][2] = {{0}};
    nm_batch batch =
        nm_batch_of_values(NM_SHAPE(8, INPUTS), b.run.train.x, NM_SHAPE(8, 2), &values[0][0]);
    double first, last;
    nm_learn(&b.learner, &batch, &first);
    for (int i = 0; i < 30; i++) {
        nm_learn(&b.learner, &batch, &last);
    }
    assert_fine(b.run.context);
    ck_assert(last < first);
    end(&b, NULL);
}
END_TEST

START_TEST(the_first_batch_initializes_where_the_network_wants_it)
{
    bench b;
    begin(&b, NULL);
    b.run.network.network.wants_data = true;
    nm_batch batch = first_eight(&b);
    nm_learn(&b.learner, &batch, NULL);
    nm_learn(&b.learner, &batch, NULL);
    ck_assert_int_eq(b.run.network.initialized, 1);
    end(&b, NULL);
}
END_TEST

START_TEST(a_schedule_and_clipping_shorten_the_step)
{
    double moved[3];
    for (int i = 0; i < 3; i++) {
        bench b;
        begin(&b, NULL);
        nm_schedule schedule;
        nm_choice step = nm_step(.every = 1, .factor = 0.5);
        nm_schedule_begin(&schedule, b.run.context, &step, NULL, 10, 1);
        b.learner.step = 1; /* where the schedule's factor is 0.5 */
        b.learner.schedule = i == 1 ? &schedule : NULL;
        b.learner.clip_norm = i == 2 ? 1e-3 : 0;
        nm_batch batch = first_eight(&b);
        const double before = nm_tensor_get(b.run.network.b2, 0);
        nm_learn(&b.learner, &batch, NULL);
        moved[i] = fabs(nm_tensor_get(b.run.network.b2, 0) - before);
        assert_fine(b.run.context);
        end(&b, NULL);
    }
    assert_near(moved[1], 0.5 * moved[0], 1e-5, 0);
    ck_assert(moved[2] > 0 && moved[2] <= 1.001e-4);
}
END_TEST

START_TEST(a_step_allocates_nothing_after_the_first_ones)
{
    test_memory memory = {.fail_at = -1};
    bench b;
    begin(&b, &memory);
    nm_batch batch = first_eight(&b);
    b.learner.clip_norm = 1;
    for (int i = 0; i < 3; i++) {
        nm_learn(&b.learner, &batch, NULL);
    }
    const long calls = memory.calls;
    for (int i = 0; i < 20; i++) {
        nm_learn(&b.learner, &batch, NULL);
    }
    ck_assert_int_eq(memory.calls, calls);
    assert_fine(b.run.context);
    end(&b, &memory);
}
END_TEST

START_TEST(what_is_wrong_is_refused_and_updates_nothing)
{
    bench b;
    begin(&b, NULL);
    nm_context *context = b.run.context;
    unsigned char before[MOST_BYTES], after[MOST_BYTES];
    nm_batch batch = first_eight(&b);
    const nm_batch wide = nm_batch_of_labels(NM_SHAPE(8, 3), b.run.train.x, b.run.train.labels);
    b.run.network.plain = true;
    const size_t size = small_bits(&b.run, before);
    double loss;
    ck_assert_int_eq(nm_learn(&b.learner, &wide, &loss), NM_ERROR_INPUT);
    ck_assert(isnan(loss));
    assert_error(context, NM_ERROR_INPUT, "[8, 3");
    batch.targets = NULL;
    nm_learn(&b.learner, &batch, NULL);
    assert_error(context, NM_ERROR_INPUT, "");
    batch = first_eight(&b);
    batch.x[0] = NAN;
    nm_learn(&b.learner, &batch, NULL);
    assert_error(context, NM_ERROR_NUMERIC, "the loss is NaN at step 0");
    b.learner.clip_norm = -1;
    nm_learn(&b.learner, &batch, NULL);
    assert_error(context, NM_ERROR_INPUT, "clip_norm is -1");
    b.learner.clip_norm = 0;
    b.learner.loss = NULL;
    nm_learn(&b.learner, &batch, NULL);
    assert_error(context, NM_ERROR_INPUT, "NULL");
    b.learner.loss = &b.loss;
    nm_store *store = nm_store_create(b.run.context);
    nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(2));
    nm_optimizer *other = nm_optimizer_create(store, &nm_sgd(), NULL, 0),
                 *own = b.learner.optimizer;
    b.learner.optimizer = other;
    nm_learn(&b.learner, &batch, NULL);
    assert_error(b.run.context, NM_ERROR_INPUT, "the optimizer was made for another store");
    b.learner.optimizer = own;
    nm_optimizer_destroy(other);
    nm_store_destroy(store);
    ck_assert_int_eq(b.learner.step, 0);
    ck_assert_uint_eq(small_bits(&b.run, after), size);
    ck_assert(memcmp(before, after, size) == 0);
    end(&b, NULL);
}
END_TEST

static nm_status learn_failing(test_memory *memory)
{
    bench b = {.run = {0}};
    begin(&b, memory);
    if (!b.run.context) {
        return NM_ERROR_MEMORY;
    }
    nm_batch batch = first_eight(&b);
    nm_learn(&b.learner, &batch, NULL);
    nm_status status = nm_context_status(b.run.context);
    end(&b, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    test_every_allocation(learn_failing);
}
END_TEST

TEST_MAIN("optim/train/learn", batches_make_the_same_bits_as_the_trainer,
          arrays_are_learned_and_evaluated, values_are_learned_too,
          the_first_batch_initializes_where_the_network_wants_it,
          a_schedule_and_clipping_shorten_the_step, a_step_allocates_nothing_after_the_first_ones,
          what_is_wrong_is_refused_and_updates_nothing, any_allocation_may_fail)
