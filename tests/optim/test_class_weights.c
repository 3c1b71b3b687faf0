/* Weights of the classes in the loss: given, or balanced by the training set. */
#include <math.h>

#include "tests/optim/small_run.h"

static nm_batch labels_batch(int32_t *labels, int64_t count)
{
    return (nm_batch){
        .count = count, .target_shape = NM_SHAPE(count), .target_dtype = NM_I32, .targets = labels};
}

/* The mean loss, and what it weighs, of `count` rows of three outputs. */
static double loss_of(nm_context *context, const nm_loss *loss, const float *outputs,
                      int32_t *labels, int64_t count, double *weight)
{
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(count, 3), outputs);
    nm_batch batch = labels_batch(labels, count);
    nm_tensor *result = nm_loss_of(loss, tape, x, &batch);
    assert_fine(context);
    double value = nm_tensor_item(result);
    *weight = nm_loss_weight(loss, &batch);
    nm_tensor_destroy(x);
    nm_tape_destroy(tape);
    return value;
}

/* PyTorch: sum of w[label] nll over sum of w[label]; the same for batches of any size. */
START_TEST(the_mean_is_divided_by_the_weights_of_the_labels)
{
    const float outputs[] = {1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 1, 1, 0, 0, 0};
    int32_t labels[] = {0, 1, 2, 1, -100};
    static const double weights[] = {0.5, 2, 3};
    const nm_cross_entropy_loss_options options = {NM_CROSS_ENTROPY_LOSS_DEFAULTS,
                                                   .weight = {.count = 3, .at = weights}};
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_loss loss;
    nm_choice choice = {.item = &nm_loss_cross_entropy.item, .options = &options};
    nm_loss_begin(&loss, context, &choice);
    double weight, weighted = 0, sum = 0;
    double all = loss_of(context, &loss, outputs, labels, 5, &weight);
    ck_assert_double_eq(weight, 0.5 + 2 + 3 + 2);
    for (int i = 0; i < 5; i++) {
        double one = loss_of(context, &loss, outputs + 3 * i, labels + i, 1, &weight);
        weighted += one * weight;
        sum += weight;
    }
    assert_near(all, weighted / sum, 1e-6, 0);
    /* nll of the rows: log(e + 2) - 1, log(e^2 + 2) - 2, log(e^3 + 2) - 3, log 3 */
    double nll = 0.5 * (log(exp(1) + 2) - 1) + 2 * (log(exp(2) + 2) - 2) +
                 3 * (log(exp(3) + 2) - 3) + 2 * log(3);
    assert_near(all, nll / 7.5, 1e-6, 0);
    nm_context_destroy(context);
}
END_TEST

static const nm_cross_entropy_loss_options balanced = {
    NM_CROSS_ENTROPY_LOSS_DEFAULTS, .weight = {.word = NM_CLASS_WEIGHT_BALANCED}};

/* compute_class_weight("balanced", ...) of scikit-learn 1.9.1 for these labels without the two that
 * are ignored: [0.66666667, 2.0, 1.0] of the classes 0, 1, 3. */
START_TEST(balanced_weights_are_scikit_learns)
{
    int32_t labels[] = {0, 0, 0, 1, 3, 3, -100, -100};
    nm_context *context = test_context(NULL);
    nm_dataset set = {.context = context,
                      .count = 8,
                      .shape = NM_SHAPE(1),
                      .dtype = NM_F32,
                      .samples = (float[8]){0},
                      .target_dtype = NM_I32,
                      .targets = labels,
                      .ignored = {true, -100}};
    nm_dataset_check(&set);
    nm_loss loss;
    nm_choice choice = {.item = &nm_loss_cross_entropy.item, .options = &balanced};
    nm_loss_begin(&loss, context, &choice);
    ck_assert_int_eq(nm_loss_prepare(&loss, &set, 5), NM_OK);
    const nm_numbers *weight = &((const nm_cross_entropy_loss_options *)loss.options)->weight;
    static const double wanted[] = {2.0 / 3, 2, 1, 1, 1};
    ck_assert_int_eq(weight->count, 5);
    ck_assert_int_eq(weight->word, 0);
    for (int c = 0; c < 5; c++) {
        assert_near(weight->at[c], wanted[c], 1e-15, 0);
    }
    nm_loss_end(&loss);
    nm_loss_end(&loss);
    nm_loss_begin(&loss, context, &choice);
    nm_loss_prepare(&loss, &set, 0);
    ck_assert_int_eq(((const nm_cross_entropy_loss_options *)loss.options)->weight.count, 4);
    nm_loss_end(&loss);
    nm_context_destroy(context);
}
END_TEST

START_TEST(balanced_without_a_training_set_is_an_error)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_loss loss;
    nm_choice choice = {.item = &nm_loss_cross_entropy.item, .options = &balanced};
    nm_loss_begin(&loss, context, &choice);
    nm_loss_prepare(&loss, NULL, 3);
    assert_error(context, NM_ERROR_INPUT, "cross_entropy: its options leave to the training set");
    nm_tape *tape = nm_tape_create(context);
    nm_batch batch = labels_batch((int32_t[]){0}, 1);
    nm_tensor *x = nm_full(tape, NM_F32, NM_SHAPE(1, 3), 0);
    ck_assert_ptr_null(nm_loss_of(&loss, tape, x, &batch));
    assert_error(context, NM_ERROR_INPUT,
                 "\"weight\" is balanced, but no training set was counted");
    nm_tape_destroy(tape);
    nm_loss_end(&loss);
    nm_context_destroy(context);
}
END_TEST

/* One class of 38 against two: the weights make both count the same. */
static void make_rare(small_run *r)
{
    small_begin(r, NULL);
    for (int i = 0; i < 40; i++) {
        r->train.labels[i] = i % 20 == 0;
    }
}

START_TEST(a_run_with_balanced_weights_is_that_with_the_numbers)
{
    small_run words, numbers, none;
    make_rare(&words);
    make_rare(&numbers);
    make_rare(&none);
    static const double weights[] = {40 / (2 * 38.0), 40 / (2 * 2.0)};
    const nm_cross_entropy_loss_options given = {NM_CROSS_ENTROPY_LOSS_DEFAULTS,
                                                 .weight = {.count = 2, .at = weights}};
    words.setup.loss.options = &balanced;
    numbers.setup.loss.options = &given;
    small_train(&words);
    small_train(&numbers);
    small_train(&none);
    assert_fine(words.context);
    assert_fine(numbers.context);
    assert_same_bits(&words, &numbers);
    ck_assert(words.result.test_loss == numbers.result.test_loss);
    ck_assert(words.result.train_loss != none.result.train_loss);
    small_end(&words, NULL);
    small_end(&numbers, NULL);
    small_end(&none, NULL);
}
END_TEST

START_TEST(weights_for_another_number_of_outputs_are_refused_before_training)
{
    small_run r;
    static const double weights[] = {1, 2, 3};
    const nm_cross_entropy_loss_options options = {NM_CROSS_ENTROPY_LOSS_DEFAULTS,
                                                   .weight = {.count = 3, .at = weights}};
    nm_loss loss;
    small_begin(&r, NULL);
    nm_choice choice = {.item = &nm_loss_cross_entropy.item, .options = &options};
    nm_loss_begin(&loss, r.context, &choice);
    nm_loss_check(&loss, 3);
    assert_fine(r.context);
    nm_loss_check(&loss, 2);
    assert_error(r.context, NM_ERROR_INPUT,
                 "cross_entropy: \"weight\" has 3 numbers, but the network has 2 outputs; give one "
                 "for each class");
    r.setup.loss.options = &options;
    small_train(&r); /* of a network made by hand nothing is known before */
    assert_error(r.context, NM_ERROR_INPUT, "weight [3] must have one number for each class");
    small_end(&r, NULL);
}
END_TEST

START_TEST(evaluation_weighs_as_training_does_in_any_batch_size)
{
    small_run r;
    make_rare(&r);
    r.setup.loss.options = &balanced;
    r.trainer = nm_trainer_create(r.context, &r.setup);
    double losses[3];
    const int64_t sizes[] = {1, 7, 33};
    for (int i = 0; i < 3; i++) {
        nm_evaluation e;
        r.data.loader.batch = sizes[i];
        nm_trainer_evaluate(r.trainer, &r.data.test, &e);
        assert_fine(r.context);
        losses[i] = e.loss;
    }
    assert_near(losses[1], losses[0], 1e-6, 0);
    assert_near(losses[2], losses[0], 1e-6, 0);
    small_end(&r, NULL);
}
END_TEST

START_TEST(what_a_saved_loss_says_is_taken_where_the_training_set_would_be_needed)
{
    static const double weights[] = {1, 19};
    const nm_cross_entropy_loss_options given = {NM_CROSS_ENTROPY_LOSS_DEFAULTS,
                                                 .weight = {.count = 2, .at = weights}};
    const nm_choice open = {.item = &nm_loss_cross_entropy.item, .options = &balanced};
    const nm_choice saved = {.item = &nm_loss_cross_entropy.item, .options = &given};
    const nm_choice plain = {.item = &nm_loss_cross_entropy.item};
    const nm_choice other = {.item = &nm_loss_mse.item}, none = {.item = NULL};
    ck_assert_ptr_eq(nm_loss_choice_resolve(&open, &saved).options, &given);
    ck_assert_ptr_eq(nm_loss_choice_resolve(&open, &other).options, &balanced);
    ck_assert_ptr_eq(nm_loss_choice_resolve(&open, &none).options, &balanced);
    ck_assert_ptr_null(nm_loss_choice_resolve(&plain, &saved).options);
    ck_assert_ptr_null(nm_loss_choice_resolve(&none, &saved).item);
}
END_TEST

/* ---- Huber ---- */

START_TEST(l1_is_a_loss_of_values_that_refuses_to_broadcast)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_loss loss;
    const nm_choice choice = {.item = &nm_loss_l1.item};
    nm_loss_begin(&loss, context, &choice);
    nm_tape *tape = nm_tape_create(context);
    float values[] = {0, 0, 0};
    nm_batch batch = {
        .count = 3, .target_shape = NM_SHAPE(3, 1), .target_dtype = NM_F32, .targets = values};
    nm_tensor *x = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(3, 1), (float[]){1, -2, 10});
    assert_near(nm_tensor_item(nm_loss_of(&loss, tape, x, &batch)), 13.0 / 3, 1e-6, 0);
    batch.target_shape = NM_SHAPE(3);
    ck_assert_ptr_null(nm_loss_of(&loss, tape, x, &batch));
    assert_error(context, NM_ERROR_INPUT, "target [3] must have the shape of x [3, 1]");
    nm_tensor_destroy(x);
    nm_tape_destroy(tape);
    nm_context_destroy(context);
}
END_TEST

START_TEST(huber_is_a_loss_of_values_that_refuses_to_broadcast)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_loss loss;
    const nm_huber_loss_options options = {.delta = 2};
    nm_choice choice = {.item = &nm_loss_huber.item, .options = &options};
    nm_loss_begin(&loss, context, &choice);
    nm_tape *tape = nm_tape_create(context);
    float values[] = {0, 0, 0};
    nm_batch batch = {
        .count = 3, .target_shape = NM_SHAPE(3, 1), .target_dtype = NM_F32, .targets = values};
    nm_tensor *x = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(3, 1), (float[]){1, -2, 10});
    nm_tensor *result = nm_loss_of(&loss, tape, x, &batch);
    assert_fine(context);
    assert_near(nm_tensor_item(result), (0.5 + 2 + 2 * 9) / 3, 1e-6, 0);
    batch.target_shape = NM_SHAPE(3);
    ck_assert_ptr_null(nm_loss_of(&loss, tape, x, &batch));
    assert_error(context, NM_ERROR_INPUT,
                 "huber: target [3] must have the shape of the outputs [3, 1]");
    nm_tensor_destroy(x);
    nm_tape_destroy(tape);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/class_weights", the_mean_is_divided_by_the_weights_of_the_labels,
          balanced_weights_are_scikit_learns, balanced_without_a_training_set_is_an_error,
          a_run_with_balanced_weights_is_that_with_the_numbers,
          weights_for_another_number_of_outputs_are_refused_before_training,
          evaluation_weighs_as_training_does_in_any_batch_size,
          what_a_saved_loss_says_is_taken_where_the_training_set_would_be_needed,
          huber_is_a_loss_of_values_that_refuses_to_broadcast,
          l1_is_a_loss_of_values_that_refuses_to_broadcast)
