/* Training, models and predictors that are held wrongly: closed in another order, chosen of another
 * kind, called from within themselves, given arrays that are none. */
#include "tests/models/misuse.h"

/* ---- Choices of another kind ---- */

START_TEST(a_choice_of_another_kind_is_an_error_that_names_both)
{
    bench b;
    begin(&b, NULL);
    ck_assert_ptr_null(nm_optimizer_create(b.store, &nm_cosine(.end = 0.5), NULL, 0));
    assert_error(b.context, NM_ERROR_INPUT,
                 "\"cosine\" is of kind schedule, where a choice of kind "
                 "optimizer is wanted");
    nm_schedule schedule;
    nm_schedule_begin(&schedule, b.context, &nm_sgd(), NULL, 10, 10);
    assert_error(b.context, NM_ERROR_INPUT, "\"sgd\" is of kind optimizer");
    ck_assert(nm_schedule_factor(&schedule, 3) == 1);
    nm_loss loss;
    nm_loss_begin(&loss, b.context, &nm_sgd());
    assert_error(b.context, NM_ERROR_INPUT, "of kind loss is wanted");
    const nm_data_options options = NM_DATA_OPTIONS(.train = nm_sgd());
    nm_data data;
    nm_data_open(b.context, &options, &data);
    assert_error(b.context, NM_ERROR_INPUT, "of kind data set is wanted");
    nm_initialize(&nm_cosine(), 1, nm_store_at(b.store, 0)->tensor);
    assert_error(b.context, NM_ERROR_INPUT, "of kind initializer is wanted");
    const nm_choice arrays = nm_arrays(.count = 1); /* which nobody registered */
    nm_optimizer_create(b.store, &arrays, NULL, 0);
    assert_error(b.context, NM_ERROR_INPUT, "\"arrays\" is something else");
    end(&b, NULL);
}
END_TEST

START_TEST(so_is_one_within_a_trainers_options)
{
    bench b;
    begin(&b, NULL);
    b.setup.options = NM_TRAIN_OPTIONS(.epochs = 1, .optimizer = nm_cosine());
    ck_assert_ptr_null(nm_trainer_create(b.context, &b.setup));
    assert_error(b.context, NM_ERROR_INPUT, "\"optimizer\": \"cosine\" is of kind schedule");
    b.setup.options = NM_TRAIN_OPTIONS(.epochs = 1, .optimizer = nm_sgd(), .schedule = nm_sgd());
    ck_assert_ptr_null(nm_trainer_create(b.context, &b.setup));
    assert_error(b.context, NM_ERROR_INPUT, "\"schedule\": \"sgd\" is of kind optimizer");
    b.setup.options = NM_TRAIN_OPTIONS(.epochs = 1, .metric = NM_CHOICES(nm_cosine()));
    ck_assert_ptr_null(nm_trainer_create(b.context, &b.setup));
    assert_error(b.context, NM_ERROR_INPUT, "of kind metric is wanted");
    end(&b, NULL);
}
END_TEST

/* ---- A forward pass that fails without a word ---- */

static nm_tensor *say_nothing(void *self, const nm_pass *pass, nm_tensor *x)
{
    (void)self, (void)pass, (void)x;
    return NULL;
}

START_TEST(a_forward_pass_that_returns_null_is_never_taken_for_success)
{
    bench b;
    begin(&b, NULL);
    static const char said[] = "returned NULL and did not say why";
    b.network.forward = say_nothing;
    nm_trainer *trainer = nm_trainer_create(b.context, &b.setup);
    ck_assert_int_ne(nm_trainer_run(trainer, NULL), NM_OK);
    assert_error(b.context, NM_ERROR_INTERNAL, said);
    nm_evaluation result;
    ck_assert_int_ne(nm_trainer_evaluate(trainer, &b.data.train, &result), NM_OK);
    assert_error(b.context, NM_ERROR_INTERNAL, said);
    nm_trainer_destroy(trainer);
    ck_assert_ptr_null(nm_model_wrap(&b.network, NM_SHAPE(4)));
    assert_error(b.context, NM_ERROR_INPUT, said);
    end(&b, NULL);
}
END_TEST

/* ---- Calls from within ---- */

static nm_trainer *running;
static int calls;

static nm_status run_again(void *user, const nm_train_state *state)
{
    (void)user, (void)state;
    calls++;
    return nm_trainer_run(running, NULL);
}

static nm_status destroy(void *user, const nm_train_state *state)
{
    (void)user, (void)state;
    nm_trainer_destroy(running);
    return NM_OK;
}

static nm_tensor *destroy_the_tape(void *self, const nm_pass *pass, nm_tensor *x)
{
    nm_tape_destroy(pass->tape);
    return forward(self, pass, x);
}

START_TEST(a_trainer_that_runs_is_neither_run_nor_destroyed)
{
    bench b;
    begin(&b, NULL);
    b.setup.callbacks.on_epoch = run_again;
    running = nm_trainer_create(b.context, &b.setup);
    nm_trainer_run(running, NULL);
    assert_error(b.context, NM_ERROR_INPUT, "nm_trainer_run: the trainer is running");
    ck_assert_int_eq(calls, 1);
    nm_trainer_destroy(running);
    b.setup.callbacks = (nm_train_callbacks){.on_step = destroy};
    running = nm_trainer_create(b.context, &b.setup);
    nm_trainer_run(running, NULL);
    assert_error(b.context, NM_ERROR_INPUT, "nm_trainer_destroy: the trainer is running");
    nm_trainer_destroy(running);
    end(&b, NULL);
}
END_TEST

START_TEST(a_forward_pass_does_not_destroy_its_tape)
{
    test_memory memory = {.fail_at = -1};
    bench b;
    begin(&b, &memory);
    b.network.forward = destroy_the_tape;
    running = nm_trainer_create(b.context, &b.setup);
    nm_trainer_run(running, NULL);
    assert_error(b.context, NM_ERROR_INPUT, "nm_tape_destroy: a network's forward pass runs on");
    nm_trainer_destroy(running);
    end(&b, &memory);
}
END_TEST

/* ---- Whichever goes first ---- */

START_TEST(a_store_stays_for_those_that_were_made_with_it)
{
    test_memory memory = {.fail_at = -1};
    bench b;
    begin(&b, &memory);
    nm_tape *tape = nm_tape_create(b.context);
    nm_tensor *w = nm_store_at(b.store, 0)->tensor;
    nm_optimizer *sgd = nm_optimizer_create(b.store, &nm_sgd(.rate = 0.5), NULL, 0);
    nm_traced *traced = nm_traced_create(&b.network);
    nm_model *model = nm_model_wrap(&b.network, NM_SHAPE(4));
    nm_tensor_fill(w, 1);
    nm_store_destroy(b.store);
    ck_assert_int_eq(nm_optimizer_minimize(sgd, tape, nm_sum(tape, w), 0), NM_OK);
    ck_assert(nm_tensor_get(w, 0) == 0.5);
    nm_optimizer_destroy(sgd);
    const nm_pass pass = {.tape = tape};
    nm_tensor *x = nm_full(tape, NM_F32, NM_SHAPE(1, 4), 1);
    ck_assert(nm_tensor_get(nm_traced_forward(traced, &pass, x), 0) == 2);
    nm_traced_destroy(traced);
    ck_assert(nm_tensor_get(nm_model_predict(model, tape, x), 1) == 2);
    nm_model_destroy(model);
    nm_tape_destroy(tape);
    b.store = NULL;
    end(&b, &memory);
}
END_TEST

static nm_model *read_model(const bench *b, nm_document **document)
{
    static const char text[] =
        "[dense: {units: 3, weight_norm: {}}, batch_norm, dense: {units: 2}]";
    *document = nm_document_parse(b->context, text, sizeof text - 1, "network");
    nm_model *model =
        nm_model_create(b->context, *document, nm_document_root(*document), &NM_SHAPE(4), NULL);
    nm_model_set_schema(model, b->data.schema);
    return model;
}

START_TEST(a_model_stays_for_its_predictors_and_its_parameters_for_the_optimizer)
{
    test_memory memory = {.fail_at = -1};
    bench b;
    begin(&b, &memory);
    nm_document *document;
    nm_model *model = read_model(&b, &document);
    nm_optimizer *sgd = nm_optimizer_create(nm_model_store(model), &nm_sgd(), NULL, 0);
    nm_predictor *predictor = nm_predictor_create(model, NULL);
    nm_tensor *x = nm_tensor_create(b.context, NM_F32, NM_SHAPE(1, 4));
    nm_tensor_set_grad_f64(nm_store_find(nm_model_store(model), "dense2.bias")->tensor,
                           (double[]){1, 2}, 2);
    nm_model_destroy(model);
    nm_tensor *y = nm_predictor_run(predictor, x);
    ck_assert_ptr_nonnull(y);
    ck_assert_int_eq(nm_optimizer_step(sgd, 0, 1, 1), NM_OK);
    nm_predictor_close(predictor);
    ck_assert_int_eq(nm_optimizer_step(sgd, 1, 1, 1), NM_OK);
    nm_optimizer_destroy(sgd);
    nm_tensor_destroy(x);
    nm_tensor_destroy(y);
    nm_document_destroy(document);
    end(&b, &memory);
}
END_TEST

START_TEST(a_backward_pass_names_the_layer_of_a_model_that_was_destroyed)
{
    bench b;
    begin(&b, NULL);
    nm_document *document;
    nm_model *model = read_model(&b, &document);
    nm_tape *tape = nm_tape_create(b.context);
    const nm_pass pass = {.tape = tape, .training = true};
    nm_tensor *x = nm_full(tape, NM_F32, NM_SHAPE(2, 4), 1);
    nm_tensor_set(x, 0, 5);
    nm_tensor *loss = nm_sum(tape, nm_square(tape, nm_model_forward(model, &pass, x)));
    nm_tensor_fill(nm_store_find(nm_model_store(model), "dense2.weight")->tensor, 9);
    nm_model_destroy(model);
    nm_document_destroy(document);
    nm_backward(tape, loss, 0);
    assert_error(b.context, NM_ERROR_INPUT, "layer \"dense2\"");
    nm_tape_destroy(tape);
    end(&b, NULL);
}
END_TEST

START_TEST(a_model_from_a_file_takes_other_files_as_often_as_wanted)
{
    test_memory memory = {.fail_at = -1};
    bench b;
    begin(&b, &memory);
    nm_document *document;
    nm_model *model = read_model(&b, &document);
    size_t size;
    void *bytes = nm_model_save_memory(model, &size);
    nm_model *opened = nm_model_open_memory(b.context, bytes, size, "network");
    for (int i = 0; i < 3; i++) { /* compares the layers' options with the file's */
        ck_assert_int_eq(nm_model_load_memory(opened, bytes, size, "network"), NM_OK);
    }
    assert_fine(b.context);
    nm_free(b.context, bytes);
    nm_model_destroy(opened);
    nm_model_destroy(model);
    nm_document_destroy(document);
    end(&b, &memory);
}
END_TEST

/* ---- Arrays and shapes that are none ---- */

START_TEST(arrays_that_are_not_aligned_are_refused)
{
    bench b;
    begin(&b, NULL);
    nm_data_options options = NM_DATA_OPTIONS(.validation.share = 0);
    nm_data data;
    options.train = nm_arrays(.count = 2, .shape = NM_SHAPE(4), .labels = b.labels,
                              .f32 = (const float *)(const void *)((const char *)b.x + 1));
    nm_data_open(b.context, &options, &data);
    assert_error(b.context, NM_ERROR_INPUT, "which is not aligned for f32");
    options.train = nm_arrays(.count = 2, .shape = NM_SHAPE(4), .f32 = b.x,
                              .values = (const float *)(const void *)((char *)b.labels + 2));
    nm_data_open(b.context, &options, &data); /* targets are copied */
    assert_fine(b.context);
    nm_data_close(&data);
    end(&b, NULL);
}
END_TEST

START_TEST(a_sample_of_a_rank_that_no_batch_has_is_refused)
{
    bench b;
    begin(&b, NULL);
    nm_document *document;
    for (int rank = -3; rank < 102; rank += 9) { /* -3, 6, 15, ... */
        const nm_shape odd = {.rank = rank, .dim = {1, 1, 1, 1, 1, 1}};
        ck_assert_ptr_null(nm_model_wrap(&b.network, odd));
        assert_error(b.context, NM_ERROR_INPUT, "of rank 0 to 5");
        document = nm_document_parse(b.context, "[dense: {units: 2}]", SIZE_MAX, "network");
        ck_assert_ptr_null(
            nm_model_create(b.context, document, nm_document_root(document), &odd, NULL));
        assert_error(b.context, NM_ERROR_INPUT, "of rank 0 to 5");
        nm_document_destroy(document);
        const nm_dataset set = {
            .context = b.context, .count = 2, .shape = odd, .samples = b.x, .dtype = NM_F32};
        const nm_loader_options options = NM_LOADER_OPTIONS(.batch = 1);
        if (rank < 0 || rank > NM_MAX_RANK) {
            ck_assert_ptr_null(nm_loader_create(b.context, &set, &options, false, 1));
            assert_error(b.context, NM_ERROR_INPUT, "loader: ");
        }
    }
    end(&b, NULL);
}
END_TEST

/* One sample without a batch's axis would pass for a batch: dense takes any axes in front. */
START_TEST(samples_without_an_axis_that_counts_them_are_refused)
{
    nm_context *context = nm_open(NULL);
    nm_document *document = nm_document_parse(context, "[dense: {units: 2}]", SIZE_MAX, "network");
    nm_model *model =
        nm_model_create(context, document, nm_document_root(document), &NM_SHAPE(4), NULL);
    nm_tape *tape = nm_tape_create(context);
    const nm_pass pass = {.tape = tape}, training = {.tape = tape, .training = true};
    nm_tensor *one = nm_full(tape, NM_F32, NM_SHAPE(4), 1);
    nm_tensor *more = nm_full(tape, NM_F32, NM_SHAPE(1, 3, 4), 1);
    ck_assert_ptr_null(nm_model_predict(model, tape, one));
    assert_error(context, NM_ERROR_INPUT, "x [4] must be a batch of samples [4]: it needs 2 axes");
    ck_assert_ptr_null(nm_model_forward(model, &pass, one));
    assert_error(context, NM_ERROR_INPUT, "of length 1 for one");
    ck_assert_ptr_null(nm_model_forward(model, &training, more));
    assert_error(context, NM_ERROR_INPUT, "x [1, 3, 4] must be a batch of samples [4]");
    const nm_network *network = nm_model_network(model);
    ck_assert_ptr_null(network->forward(network->self, &pass, one));
    assert_error(context, NM_ERROR_INPUT, "x [4] must be a batch");
    ck_assert_ptr_nonnull(nm_model_predict(model, tape, nm_reshape(tape, one, NM_SHAPE(1, 4))));
    assert_fine(context);
    nm_tape_destroy(tape);
    nm_model_destroy(model);
    nm_document_destroy(document);
    nm_close(context);
}
END_TEST

TEST_MAIN("models/misuse", a_choice_of_another_kind_is_an_error_that_names_both,
          so_is_one_within_a_trainers_options,
          a_forward_pass_that_returns_null_is_never_taken_for_success,
          a_trainer_that_runs_is_neither_run_nor_destroyed,
          a_forward_pass_does_not_destroy_its_tape, a_store_stays_for_those_that_were_made_with_it,
          a_model_stays_for_its_predictors_and_its_parameters_for_the_optimizer,
          a_backward_pass_names_the_layer_of_a_model_that_was_destroyed,
          a_model_from_a_file_takes_other_files_as_often_as_wanted,
          arrays_that_are_not_aligned_are_refused, a_sample_of_a_rank_that_no_batch_has_is_refused,
          samples_without_an_axis_that_counts_them_are_refused)
