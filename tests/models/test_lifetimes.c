/* What a program destroys or closes too early, and what passes, graphs, plans, loaders and trainers
 * have of it: it works, or is an error that names the thing. */
#include <math.h>

#include "tests/models/misuse.h"

/* ---- What graphs compute with ---- */

typedef struct masked {
    const nm_store *store;
    nm_tensor *mask;
    nm_traced *traced; /* destroyed by the next pass; NULL: none is */
} masked;

static nm_tensor *mask_outputs(void *self, const nm_pass *pass, nm_tensor *x)
{
    masked *m = self;
    nm_traced_destroy(m->traced);
    m->traced = NULL;
    nm_tensor *y = nm_dense(pass->tape, x, nm_store_find(m->store, "w")->tensor, NULL);
    return nm_mul(pass->tape, y, m->mask);
}

static void change_mask(const bench *b, masked *m, double value)
{
    nm_tensor_destroy(m->mask);
    m->mask = nm_tensor_create(b->context, NM_F32, NM_SHAPE(2));
    nm_tensor_fill(m->mask, value);
}

START_TEST(another_tensor_in_the_place_of_one_that_was_destroyed_is_noticed_by_graphs)
{
    test_memory memory = {.fail_at = -1};
    for (int folded = 0; folded < 2; folded++) {
        bench b;
        begin(&b, &memory);
        masked m = {.store = b.store};
        const nm_network network = {.self = &m, .store = b.store, .forward = mask_outputs};
        nm_tensor_fill(nm_store_at(b.store, 0)->tensor, 1);
        nm_tape *tape = nm_tape_create(b.context);
        nm_traced *traced = nm_traced_create(&network);
        const nm_pass pass = {.tape = tape};
        nm_tensor *x = nm_full(tape, NM_F32, NM_SHAPE(1, 4), 1);
        nm_tape_set_recording(tape, false);
        for (int i = 1; i < 4; i++) {
            change_mask(&b, &m, i);
            if (folded) {
                nm_traced_fold(traced, NM_F32, NM_SHAPE(1, 4));
            }
            for (int k = 0; k < 2; k++) {
                ck_assert(nm_tensor_get(nm_traced_forward(traced, &pass, x), 0) == 4 * i);
            }
        }
        nm_tensor_destroy(m.mask);
        nm_tape_destroy(tape);
        nm_traced_destroy(traced);
        end(&b, &memory);
    }
}
END_TEST

START_TEST(a_step_from_a_list_notices_it_too)
{
    double losses[2][8];
    for (int by_tape = 0; by_tape < 2; by_tape++) {
        bench b;
        begin(&b, NULL);
        masked m = {.store = b.store};
        const nm_network network = {.self = &m, .store = b.store, .forward = mask_outputs};
        nm_tensor_fill(nm_store_at(b.store, 0)->tensor, 1);
        nm_traced *traced = nm_traced_create(&network);
        nm_loss loss;
        nm_loss_begin(&loss, b.context, &nm_cross_entropy_loss());
        nm_learner learner = {.network = nm_traced_network(traced),
                              .loss = &loss,
                              .optimizer = nm_optimizer_create(b.store, &nm_sgd(), NULL, 0),
                              .tape = nm_tape_create(b.context),
                              .by_tape = by_tape};
        const nm_batch batch = nm_batch_of_labels(NM_SHAPE(5, 4), b.x, b.labels);
        for (int i = 0; i < 8; i++) {
            if (i % 4 == 0) {
                change_mask(&b, &m, 1 + i);
            }
            ck_assert_int_eq(nm_learn(&learner, &batch, &losses[by_tape][i]), NM_OK);
        }
        nm_traced_destroy(traced);
        nm_optimizer_destroy(learner.optimizer);
        nm_tape_destroy(learner.tape);
        nm_loss_end(&loss);
        nm_tensor_destroy(m.mask);
        end(&b, NULL);
    }
    ck_assert_mem_eq(losses[0], losses[1], sizeof losses[0]);
}
END_TEST

START_TEST(a_plan_keeps_the_parameters_of_a_store_that_was_destroyed)
{
    test_memory memory = {.fail_at = -1};
    bench b;
    begin(&b, &memory);
    nm_tensor_fill(nm_store_at(b.store, 0)->tensor, 1);
    const nm_pass pass = {.training = false};
    nm_graph *graph = nm_network_trace(&b.network, &pass, NM_F32, NM_SHAPE(1, 4));
    nm_plan *plan = nm_plan_create(graph);
    nm_tensor *x = nm_tensor_create(b.context, NM_F32, NM_SHAPE(1, 4));
    nm_tensor *y = nm_tensor_create(b.context, NM_F32, NM_SHAPE(1, 2));
    nm_tensor_fill(x, 3);
    nm_store_destroy(b.store);
    b.store = NULL;
    nm_graph_destroy(graph);
    ck_assert_int_eq(nm_plan_run(plan, &x, &y), NM_OK);
    ck_assert(nm_tensor_get(y, 1) == 12);
    nm_plan_destroy(plan);
    nm_tensor_destroy(x);
    nm_tensor_destroy(y);
    end(&b, &memory);
}
END_TEST

/* ---- Destroyed by their own passes, or as a whole's part ---- */

START_TEST(a_network_that_its_own_pass_destroys_goes_when_the_pass_is_over)
{
    test_memory memory = {.fail_at = -1};
    bench b;
    begin(&b, &memory);
    masked m = {.store = b.store};
    const nm_network network = {.self = &m, .store = b.store, .forward = mask_outputs};
    change_mask(&b, &m, 1);
    nm_tape *tape = nm_tape_create(b.context);
    const nm_pass pass = {.tape = tape};
    nm_tensor *x = nm_full(tape, NM_F32, NM_SHAPE(1, 4), 1);
    m.traced = nm_traced_create(&network);
    ck_assert_ptr_nonnull(nm_traced_forward(m.traced, &pass, x));
    ck_assert_ptr_null(m.traced);
    nm_tape_destroy(tape);
    nm_tensor_destroy(m.mask);
    end(&b, &memory);
}
END_TEST

static nm_model *doomed;

static nm_tensor *destroy_model(void *self, const nm_pass *pass, nm_tensor *x)
{
    nm_model_destroy(doomed);
    doomed = NULL;
    return forward(self, pass, x);
}

START_TEST(a_model_that_its_own_pass_destroys_goes_when_the_pass_is_over)
{
    test_memory memory = {.fail_at = -1};
    for (int predicts = 0; predicts < 2; predicts++) {
        bench b;
        begin(&b, &memory);
        b.network.forward = destroy_model;
        doomed = NULL;
        nm_tape *tape = nm_tape_create(b.context);
        nm_model *model = doomed = nm_model_wrap(&b.network, NM_SHAPE(4));
        const nm_pass pass = {.tape = tape};
        nm_tensor *x = nm_full(tape, NM_F32, NM_SHAPE(1, 4), 1);
        ck_assert_ptr_nonnull(predicts ? nm_model_predict(model, tape, x)
                                       : nm_model_forward(model, &pass, x));
        nm_tape_destroy(tape);
        end(&b, &memory);
    }
}
END_TEST

static nm_status destroy_own_model(nm_layer *layer, const nm_shape *x)
{
    (void)x;
    nm_model_destroy(layer->model);
    return NM_OK;
}

static nm_tensor *pass_on(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    (void)layer, (void)pass;
    return x;
}

START_TEST(a_layer_that_destroys_the_model_it_is_built_for_is_an_error)
{
    static const nm_layer_type type = {.item = NM_ITEM(nm_layer_type, "ungrateful", "for tests"),
                                       .build = destroy_own_model,
                                       .forward = pass_on};
    test_memory memory = {.fail_at = -1};
    bench b;
    begin(&b, &memory);
    ck_assert_int_eq(nm_register(b.context, NM_KIND_LAYER, &type.item), NM_OK);
    nm_document *document =
        nm_document_parse(b.context, "[ungrateful, dense: {units: 2}]", SIZE_MAX, "network");
    ck_assert_ptr_null(
        nm_model_create(b.context, document, nm_document_root(document), &NM_SHAPE(4), NULL));
    assert_error(b.context, NM_ERROR_INPUT, "a layer destroyed it while it was being built");
    nm_document_destroy(document);
    end(&b, &memory);
}
END_TEST

START_TEST(a_store_that_belongs_to_something_goes_with_that)
{
    test_memory memory = {.fail_at = -1};
    bench b;
    begin(&b, &memory);
    nm_document *document =
        nm_document_parse(b.context, "[dense: {units: 2}]", SIZE_MAX, "network");
    nm_model *model =
        nm_model_create(b.context, document, nm_document_root(document), &NM_SHAPE(4), NULL);
    nm_optimizer *sgd =
        nm_optimizer_create(nm_model_store(model), &nm_sgd(.momentum = 0.9), NULL, 0);
    nm_store_destroy(nm_model_store(model));
    nm_store_destroy(nm_optimizer_state(sgd));
    nm_tape *tape = nm_tape_create(b.context);
    nm_tensor *x = nm_full(tape, NM_F32, NM_SHAPE(1, 4), 1);
    const nm_pass pass = {.tape = tape, .training = true};
    nm_tensor *loss = nm_sum(tape, nm_model_forward(model, &pass, x));
    ck_assert_int_eq(nm_optimizer_minimize(sgd, tape, loss, 0), NM_OK);
    nm_tape_destroy(tape);
    nm_optimizer_destroy(sgd);
    nm_model_destroy(model);
    nm_document_destroy(document);
    end(&b, &memory);
}
END_TEST

/* ---- Steps that would do nothing, or spoil all ---- */

START_TEST(an_update_by_numbers_that_are_none_is_refused)
{
    bench b;
    begin(&b, NULL);
    nm_tape *tape = nm_tape_create(b.context);
    nm_tensor *w = nm_store_at(b.store, 0)->tensor;
    nm_tensor_fill(w, 1);
    nm_optimizer *sgd = nm_optimizer_create(b.store, &nm_sgd(), NULL, 0);
    nm_backward(tape, nm_sum(tape, w), 0);
    nm_optimizer_step(sgd, -1, 1, 1);
    assert_error(b.context, NM_ERROR_INPUT, "step is -1; it counts updates from 0");
    nm_optimizer_step(sgd, 0, NAN, 1);
    assert_error(b.context, NM_ERROR_INPUT, "the rate's factor is nan");
    nm_optimizer_step(sgd, 0, 1, INFINITY);
    assert_error(b.context, NM_ERROR_INPUT, "the gradients' scale inf");
    ck_assert(nm_tensor_get(w, 0) == 1);
    nm_tensor *other = nm_tensor_create(b.context, NM_F32, NM_SHAPE(2));
    nm_tensor_set_requires_grad(other, true);
    nm_store_clear_grads(b.store);
    nm_optimizer_minimize(sgd, tape, nm_sum(tape, other), 0);
    assert_error(b.context, NM_ERROR_INPUT,
                 "none that is trained has a gradient; a loss that depends on them");
    nm_tensor_destroy(other);
    nm_optimizer_destroy(sgd);
    nm_tape_destroy(tape);
    end(&b, NULL);
}
END_TEST

START_TEST(a_part_that_is_only_switched_on_is_checked)
{
    bench b;
    begin(&b, NULL);
    b.setup.options.average.on = true;
    ck_assert_ptr_null(nm_trainer_create(b.context, &b.setup));
    assert_error(b.context, NM_ERROR_INPUT, "train: average: \"every\" must be at least 1");
    b.setup.options.average = (nm_averaging){NM_AVERAGING_DEFAULTS};
    b.setup.options.early_stopping.on = true;
    ck_assert_ptr_null(nm_trainer_create(b.context, &b.setup));
    assert_error(b.context, NM_ERROR_INPUT, "early_stopping: \"patience\" must be at least 1");
    b.setup.options.early_stopping = (nm_early_stopping){NM_EARLY_STOPPING_DEFAULTS};
    nm_trainer *trainer = nm_trainer_create(b.context, &b.setup);
    ck_assert_ptr_nonnull(trainer);
    nm_trainer_destroy(trainer);
    end(&b, NULL);
}
END_TEST

/* ---- Data that are closed ---- */

/* Of values and a view, so that nothing of a batch is the program's. */
static nm_loader *open_loader(bench *b, nm_data *data)
{
    nm_data_options options = NM_DATA_OPTIONS(.loader.batch = 3, .validation.share = 0.3,
                                              .normalize_targets = NM_NORMALIZE_AUTO);
    options.train =
        nm_arrays(.count = COUNT, .shape = NM_SHAPE(4), .f32 = b->x, .values = b->x + COUNT);
    nm_data_open(b->context, &options, data);
    return nm_loader_create(b->context, &data->train, &data->loader, true, 3);
}

START_TEST(a_loader_gives_the_same_batches_once_its_data_are_closed)
{
    test_memory memory = {.fail_at = -1};
    bench b;
    begin(&b, &memory);
    nm_data data[2];
    nm_loader *loader[2];
    for (int i = 0; i < 2; i++) {
        loader[i] = open_loader(&b, &data[i]);
    }
    nm_data_close(&data[0]);
    for (int epoch = 0; epoch < 2; epoch++) {
        nm_batch batch[2] = {{.count = 1}};
        nm_loader_begin(loader[0], epoch, 0);
        nm_loader_begin(loader[1], epoch, 0);
        while (batch[0].count) {
            nm_loader_next(loader[0], &batch[0]);
            nm_loader_next(loader[1], &batch[1]);
            const size_t count = (size_t)batch[0].count;
            ck_assert_int_eq(batch[0].count, batch[1].count);
            if (count) {
                ck_assert_mem_eq(batch[0].x, batch[1].x, count * 4 * sizeof(float));
                ck_assert_mem_eq(batch[0].targets, batch[1].targets, count * sizeof(float));
                ck_assert(batch[0].target_mean[0] == batch[1].target_mean[0]);
            }
        }
    }
    assert_fine(b.context);
    nm_loader_destroy(loader[1]);
    nm_data_close(&data[1]);
    nm_loader_destroy(loader[0]);
    end(&b, &memory);
}
END_TEST

START_TEST(a_part_of_a_split_outlives_the_set)
{
    test_memory memory = {.fail_at = -1};
    bench b;
    nm_dataset set, rest, part;
    begin(&b, &memory);
    const nm_choice choice = {.item = nm_find(b.context, NM_KIND_DATASET, "spirals")};
    ck_assert_int_eq(nm_dataset_open(b.context, &choice, NULL, &set), NM_OK);
    ck_assert_int_eq(nm_dataset_split(&set, 0.5, 1, &rest, &part), NM_OK);
    const uint64_t before = nm_dataset_fingerprint(&rest);
    nm_dataset_close(&set);
    nm_dataset_close(&part);
    ck_assert_uint_eq(nm_dataset_fingerprint(&rest), before);
    nm_dataset_close(&rest);
    end(&b, &memory);
}
END_TEST

static nm_status close_data(void *user, const nm_train_state *state)
{
    if (state->step == 1) {
        nm_data_close(user);
    }
    return NM_OK;
}

START_TEST(a_trainer_whose_data_are_closed_says_so)
{
    bench b;
    begin(&b, NULL);
    b.setup.callbacks = (nm_train_callbacks){.user = &b.data, .on_step = close_data};
    nm_trainer *trainer = nm_trainer_create(b.context, &b.setup);
    for (int i = 0; i < 2; i++) { /* from a callback, and before */
        ck_assert_int_eq(nm_trainer_run(trainer, NULL), NM_ERROR_INPUT);
        assert_error(b.context, NM_ERROR_INPUT, "the trainer's data were closed");
    }
    nm_trainer_destroy(trainer);
    end(&b, NULL);
}
END_TEST

START_TEST(a_tape_may_be_the_last_that_is_left_of_a_closed_context)
{
    bench b;
    begin(&b, NULL);
    nm_tape *tape = nm_tape_create(b.context);
    nm_full(tape, NM_F32, NM_SHAPE(3), 1);
    nm_data_close(&b.data);
    nm_store_destroy(b.store);
    nm_close(b.context);
    nm_tape_destroy(tape);
}
END_TEST

TEST_MAIN("models/lifetimes",
          another_tensor_in_the_place_of_one_that_was_destroyed_is_noticed_by_graphs,
          a_step_from_a_list_notices_it_too,
          a_plan_keeps_the_parameters_of_a_store_that_was_destroyed,
          a_network_that_its_own_pass_destroys_goes_when_the_pass_is_over,
          a_model_that_its_own_pass_destroys_goes_when_the_pass_is_over,
          a_layer_that_destroys_the_model_it_is_built_for_is_an_error,
          a_store_that_belongs_to_something_goes_with_that,
          an_update_by_numbers_that_are_none_is_refused, a_part_that_is_only_switched_on_is_checked,
          a_loader_gives_the_same_batches_once_its_data_are_closed,
          a_part_of_a_split_outlives_the_set, a_trainer_whose_data_are_closed_says_so,
          a_tape_may_be_the_last_that_is_left_of_a_closed_context)
