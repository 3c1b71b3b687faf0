/* Batch norm and weight norm as layers: running statistics, freezing, initialization by data. */
#include <math.h>

#include "optim/optimizers.h"

#include "tests/models/model_test.h"

/* ---- Batch norm ---- */

static const float two_channels[] = {1, 10, 2, 10, 3, 40, 6, 20};

static nm_tensor *batch_of_four(fixture *f)
{
    return nm_tensor_copy_of(f->context, NM_F32, NM_SHAPE(4, 2), two_channels);
}

START_TEST(running_statistics_move_as_in_pytorch)
{
    fixture f = begin("[batch_norm]", NM_SHAPE(2));
    nm_tensor *x = batch_of_four(&f);
    train(&f, x);
    /* Means 3 and 20, unbiased variances 14/3 and 200; the new value counts a tenth. */
    assert_near(value_of(&f, "bn1.running_mean", 0), 0.3, 1e-6, 0);
    assert_near(value_of(&f, "bn1.running_mean", 1), 2, 1e-6, 0);
    assert_near(value_of(&f, "bn1.running_var", 0), 0.9 + 0.1 * 14 / 3, 1e-6, 0);
    assert_near(value_of(&f, "bn1.running_var", 1), 0.9 + 0.1 * 200, 1e-6, 0);
    train(&f, x);
    assert_near(value_of(&f, "bn1.running_mean", 0), 0.9 * 0.3 + 0.3, 1e-6, 0);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(momentum_one_keeps_the_last_batch_only)
{
    fixture f = begin("[batch_norm: {momentum: 1}]", NM_SHAPE(2));
    nm_tensor *x = batch_of_four(&f);
    train(&f, x);
    assert_near(value_of(&f, "bn1.running_mean", 1), 20, 1e-6, 0);
    assert_near(value_of(&f, "bn1.running_var", 1), 200, 1e-6, 0);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(the_cumulative_average_is_the_mean_over_all_batches)
{
    fixture f = begin("[batch_norm: {average: cumulative}]", NM_SHAPE(2));
    double mean = 0, var = 0;
    for (int batch = 0; batch < 5; batch++) {
        nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(6, 2), (uint64_t)batch);
        double sum = 0, square = 0;
        for (int64_t i = 0; i < 6; i++) {
            sum += nm_tensor_get(x, 2 * i);
            square += pow(nm_tensor_get(x, 2 * i), 2);
        }
        mean += sum / 6 / 5;
        var += (square - sum * sum / 6) / 5 / 5;
        train(&f, x);
        nm_tape_reset(f.tape);
        nm_tensor_destroy(x);
    }
    assert_near(value_of(&f, "bn1.running_mean", 0), mean, 1e-5, 1e-6);
    assert_near(value_of(&f, "bn1.running_var", 0), var, 1e-5, 0);
    ck_assert_int_eq((int)value_of(&f, "bn1.batches", 0), 5);
    end(&f);
}
END_TEST

/* What the running mean of channel 1 is after a pass of `yaml`. */
static double running_mean_after(const char *yaml, nm_pass pass, bool dry)
{
    fixture f = begin(yaml, NM_SHAPE(2));
    nm_tensor *x = batch_of_four(&f);
    pass.tape = f.tape;
    pass.random = &f.random;
    nm_tape_set_dry(f.tape, dry);
    ck_assert_ptr_nonnull(nm_model_forward(f.model, &pass, x));
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    double result = value_of(&f, "bn1.running_mean", 1);
    end(&f);
    return result;
}

START_TEST(running_statistics_move_in_training_passes_only)
{
    nm_pass training = {.training = true}, first = {.training = true, .initialize = true};
    ck_assert(running_mean_after("[batch_norm]", training, false) > 1);
    ck_assert(running_mean_after("[batch_norm]", (nm_pass){.training = false}, false) == 0);
    ck_assert(running_mean_after("[batch_norm]", first, false) == 0);
    ck_assert(running_mean_after("[batch_norm]", training, true) == 0);
    ck_assert(running_mean_after("[batch_norm: {frozen: true}]", training, false) == 0);
}
END_TEST

START_TEST(frozen_statistics_normalize_while_the_rest_trains)
{
    fixture f = begin("[dense: {units: 2}, batch_norm: {frozen: true}]", NM_SHAPE(2));
    nm_tensor_set(named(&f, "bn1.running_mean"), 0, 3);
    nm_tensor_set(named(&f, "bn1.running_var"), 0, 4);
    nm_tensor *x = batch_of_four(&f);
    nm_tensor *evaluated = evaluate(&f, x), *trained = train(&f, x);
    ck_assert(same_bits(evaluated, trained));
    nm_backward(f.tape, nm_sum(f.tape, nm_square(f.tape, trained)), 0);
    assert_fine(f.context);
    ck_assert_ptr_nonnull(nm_tensor_grad(named(&f, "dense1.weight")));
    ck_assert_ptr_nonnull(nm_tensor_grad(named(&f, "bn1.scale")));
    assert_near(value_of(&f, "bn1.running_mean", 0), 3, 0, 0);
    assert_near(value_of(&f, "bn1.running_var", 0), 4, 0, 0);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

/* The sum of x's gradient over a channel, and its product with x: 0 where it goes through the mean,
 * or the variance (eps apart). */
static void gradient_sums(const char *yaml, double sums[2], float y_of[8])
{
    fixture f = begin(yaml, NM_SHAPE(2));
    nm_tensor *x = batch_of_four(&f);
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *y = train(&f, x), *dx;
    nm_tensor *weighted = nm_sum(f.tape, nm_mul(f.tape, y, nm_exp(f.tape, y)));
    ck_assert_int_eq(nm_gradients(f.tape, &weighted, NULL, 1, &x, 1, NM_KEEP_GRAPH, &dx), NM_OK);
    sums[0] = sums[1] = 0;
    for (int i = 0; i < 4; i++) {
        sums[0] += nm_tensor_get(dx, 2 * i);
        sums[1] += nm_tensor_get(dx, 2 * i) * (two_channels[(ptrdiff_t)2 * i] - 3);
    }
    for (int i = 0; i < 8; i++) {
        y_of[i] = (float)nm_tensor_get(y, i);
    }
    assert_near(value_of(&f, "bn1.running_mean", 1), 2, 1e-6, 0);
    assert_near(value_of(&f, "bn1.running_var", 1), 0.9 + 0.1 * 200, 1e-6, 0);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}

START_TEST(gradients_through_mean_and_variance_are_switched_off_one_by_one)
{
    static const struct {
        const char *yaml;
        bool mean, variance;
    } cases[] = {{"[batch_norm]", true, true},
                 {"[batch_norm: {mean_gradient: false}]", false, true},
                 {"[batch_norm: {variance_gradient: false}]", true, false},
                 {"[batch_norm: {mean_gradient: false, variance_gradient: false}]", false, false}};
    float whole[8];
    for (int i = 0; i < NM_COUNT_OF(cases); i++) {
        double sums[2];
        float y[8];
        gradient_sums(cases[i].yaml, sums, y);
        ck_assert_msg((fabs(sums[0]) < 1e-5) == cases[i].mean, "%s: %g", cases[i].yaml, sums[0]);
        ck_assert_msg((fabs(sums[1]) < 1e-3) == cases[i].variance, "%s: %g", cases[i].yaml,
                      sums[1]);
        memcpy(whole, i ? whole : y, sizeof whole);
        for (int k = 0; k < 8; k++) {
            assert_near(y[k], whole[k], 1e-5, 1e-6);
        }
    }
}
END_TEST

/* pytorch#86590, lightly#1438: gradients stopped, the statistics did not. */
START_TEST(a_batch_norm_frozen_by_name_stays_the_same_function)
{
    static const char *const patterns[] = {"bn1.*", "bn1.running_mean", "bn1.running_var"};
    for (int i = 0; i < 3; i++) {
        fixture f = begin("[dense: {units: 2}, batch_norm, relu]", NM_SHAPE(2));
        nm_tensor_set(named(&f, "bn1.running_mean"), 0, 3);
        nm_tensor_set(named(&f, "bn1.running_var"), 0, 4);
        nm_store_set_trainable(f.store, patterns[i], false);
        nm_tensor *x = batch_of_four(&f);
        nm_tensor *evaluated = evaluate(&f, x), *trained = train(&f, x);
        ck_assert(same_bits(evaluated, trained));
        assert_near(value_of(&f, "bn1.running_mean", 0), 3, 0, 0);
        assert_near(value_of(&f, "bn1.running_var", 0), 4, 0, 0);
        nm_store_set_trainable(f.store, patterns[i], true);
        nm_tape_reset(f.tape);
        ck_assert(!same_bits(evaluate(&f, x), train(&f, x)));
        ck_assert(value_of(&f, "bn1.running_var", 0) != 4);
        nm_tape_reset(f.tape);
        nm_tensor_destroy(x);
        end(&f);
    }
}
END_TEST

START_TEST(a_batch_of_one_is_an_error_in_training_that_names_the_layer)
{
    fixture f = begin("[dense: {units: 2, bias: false}, batch_norm: {name: norm}]", NM_SHAPE(2));
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(1, 2), 1);
    ck_assert_ptr_null(train(&f, x));
    assert_error(f.context, NM_ERROR_INPUT, "layer \"norm\": batch_norm: ");
    ck_assert(value_of(&f, "norm.running_mean", 0) == 0);
    ck_assert_ptr_nonnull(evaluate(&f, x));
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(batch_norm_keeps_only_what_it_needs)
{
    fixture f = begin("[batch_norm: {affine: false, mean_only: true}]", NM_SHAPE(2));
    ck_assert_int_eq(nm_store_count(f.store), 1);
    ck_assert_int_eq(nm_store_find(f.store, "bn1.running_mean")->role, NM_BUFFER);
    end(&f);
    f = begin("[batch_norm]", NM_SHAPE(2));
    ck_assert_int_eq(nm_store_count(f.store), 4);
    ck_assert_int_eq(nm_store_find(f.store, "bn1.scale")->purpose, NM_NORM_SCALE);
    ck_assert_int_eq(nm_store_find(f.store, "bn1.shift")->purpose, NM_NORM_SHIFT);
    end(&f);
}
END_TEST

/* ---- Weight norm ---- */

START_TEST(weight_norm_begins_with_the_initializers_weight)
{
    static const char *const models[] = {
        "[dense: {units: 3, bias: false, weight_norm: true}]",
        "[dense: {units: 3, bias: false, weight_norm: {axis: 1}}]",
        "[dense: {units: 3, bias: false, weight_norm: {axis: -1}}]"};
    static const int64_t lengths[] = {3, 4, 1};
    for (int k = 0; k < 3; k++) {
        fixture f = begin(models[k], NM_SHAPE(4));
        nm_tensor *v = named(&f, "dense1.weight_v"), *g = named(&f, "dense1.weight_g");
        ck_assert_int_eq(nm_tensor_count(g), lengths[k]);
        nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(5, 4), 1);
        nm_tensor *y = evaluate(&f, x), *plain = nm_dense(f.tape, x, v, NULL);
        for (int64_t i = 0; i < nm_tensor_count(y); i++) {
            assert_near(nm_tensor_get(y, i), nm_tensor_get(plain, i), 1e-5, 1e-6);
        }
        nm_tape_reset(f.tape);
        nm_tensor_destroy(x);
        end(&f);
    }
}
END_TEST

static nm_tensor *initialize(fixture *f, nm_tensor *x)
{
    nm_pass pass = {.tape = f->tape, .random = &f->random, .training = true, .initialize = true};
    return nm_model_forward(f->model, &pass, x);
}

/* Asserts that every channel has that mean and deviation. */
static void assert_normalized(nm_tensor *y)
{
    int64_t channels = nm_tensor_shape(y)->dim[nm_tensor_shape(y)->rank - 1];
    int64_t rows = nm_tensor_count(y) / channels;
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, square = 0;
        for (int64_t i = 0; i < rows; i++) {
            sum += nm_tensor_get(y, i * channels + c);
            square += pow(nm_tensor_get(y, i * channels + c), 2);
        }
        assert_near(sum / (double)rows, 0, 0, 1e-5);
        assert_near(square / (double)rows, 1, 1e-4, 0);
    }
}

START_TEST(initialization_by_data_normalizes_the_first_batch)
{
    static const struct {
        const char *yaml;
        nm_shape sample;
    } models[] = {
        {"[dense: {units: 5, weight_norm: {init: data}}]", {1, {4}}},
        {"[conv2d: {channels: 3, kernel: 3, weight_norm: {init: data}}]", {3, {5, 5, 2}}},
        {"[dense: {units: 5, weight_norm: {init: data}}, relu, batch_norm, dropout,"
         " dense: {units: 2, weight_norm: {init: data}}]",
         {1, {4}}},
    };
    for (int k = 0; k < 3; k++) {
        fixture f = begin(models[k].yaml, models[k].sample);
        ck_assert(nm_model_network(f.model)->wants_data);
        nm_tensor *x = normal(&f, NM_F32, batch_of(20, models[k].sample), 1);
        int64_t nodes = nm_tape_nodes(f.tape);
        assert_normalized(initialize(&f, x));
        ck_assert_int_gt(nm_tape_nodes(f.tape), nodes); /* the pass itself records as usual */
        nm_tape_reset(f.tape);
        f.random.position = 0; /* the same dropout */
        assert_normalized(train(&f, x));
        nm_tape_reset(f.tape);
        nm_tensor_destroy(x);
        end(&f);
    }
}
END_TEST

START_TEST(initialization_by_data_draws_v_with_deviation_a_twentieth)
{
    fixture f = begin("[dense: {units: 100, weight_norm: {init: data}}]", NM_SHAPE(100));
    nm_tensor *v = named(&f, "dense1.weight_v");
    double square = 0;
    for (int64_t i = 0; i < 10000; i++) {
        square += pow(nm_tensor_get(v, i), 2) / 10000;
    }
    assert_near(sqrt(square), 0.05, 0.05, 0);
    end(&f);
    f = begin("[dense: {units: 2, init: {constant: {value: 3}}, weight_norm: {init: data}}]",
              NM_SHAPE(2));
    assert_near(value_of(&f, "dense1.weight_v", 3), 3, 0, 0); /* what is said is done */
    end(&f);
}
END_TEST

START_TEST(a_channel_constant_over_the_first_batch_stays_finite)
{
    fixture f = begin("[dense: {units: 3, weight_norm: {init: data}}]", NM_SHAPE(4));
    nm_tensor *x = nm_tensor_create(f.context, NM_F32, NM_SHAPE(6, 4));
    nm_tensor_fill(x, 0.7);
    nm_tensor *y = initialize(&f, x);
    for (int64_t i = 0; i < nm_tensor_count(y); i++) {
        assert_near(nm_tensor_get(y, i), 0, 0, 1e-5);
    }
    assert_near(value_of(&f, "dense1.weight_g", 1), 1, 0, 0);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(initialization_by_data_needs_two_samples)
{
    fixture f = begin("[dense: {units: 3, weight_norm: {init: data}}]", NM_SHAPE(4));
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(1, 4), 1);
    ck_assert_ptr_null(initialize(&f, x));
    assert_error(f.context, NM_ERROR_INPUT,
                 "layer \"dense1\": dense: weight_norm: \"init: data\" needs a first batch of at "
                 "least two values a channel");
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(without_weight_norm_by_data_no_pass_is_wanted)
{
    fixture f = begin("[dense: {units: 3, weight_norm: true}, batch_norm]", NM_SHAPE(4));
    ck_assert(!nm_model_network(f.model)->wants_data);
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(3, 4), 1);
    double before = value_of(&f, "dense1.weight_g", 0);
    ck_assert_ptr_nonnull(initialize(&f, x));
    ck_assert(value_of(&f, "dense1.weight_g", 0) == before);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

/* ---- Weight decay ---- */

/* One step on the loss `factor` * sum(y^2). */
static void step_on_squares(fixture *f, nm_tensor *x, double factor, const nm_choice *sgd)
{
    nm_optimizer *optimizer = nm_optimizer_create(f->store, sgd, NULL, 0);
    nm_tensor *loss = nm_sum(f->tape, nm_square(f->tape, train(f, x)));
    nm_backward(f->tape, nm_affine(f->tape, loss, factor, 0), 0);
    nm_optimizer_step(optimizer, 0, 1, 1);
    assert_fine(f->context);
    nm_optimizer_destroy(optimizer);
    nm_store_clear_grads(f->store);
    nm_tape_reset(f->tape);
}

/* Whether weight decay is for it by default: weights, and of a weight norm both v and g. */
static bool ought_to_decay(const char *name)
{
    const char *suffix = strrchr(name, '.') + 1;
    return strcmp(suffix, "weight") == 0 || strcmp(suffix, "weight_v") == 0 ||
           strcmp(suffix, "weight_g") == 0;
}

START_TEST(weight_decay_takes_weights_and_v_and_g_and_nothing_else)
{
    fixture f = begin("[conv2d: {channels: 3, kernel: 3, weight_norm: true}, batch_norm, relu,"
                      " conv2d: {channels: 2, kernel: 1}, residual: {body: [batch_norm]}, flatten,"
                      " dense: {units: 4, weight_norm: {axis: -1}}, batch_norm, dense: {units: 2}]",
                      NM_SHAPE(4, 4, 2));
    for (int i = 0; i < nm_store_count(f.store); i++) {
        nm_tensor_fill(nm_store_at(f.store, i)->tensor, 1);
    }
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(6, 4, 4, 2), 1);
    step_on_squares(&f, x, 0, &nm_sgd(.rate = 0.5, .weight_decay = 0.5));
    int parameters = 0;
    for (int i = 0; i < nm_store_count(f.store); i++) {
        const nm_entry *e = nm_store_at(f.store, i);
        double wanted = ought_to_decay(e->name) ? 0.75 : 1, value = nm_tensor_get(e->tensor, 0);
        ck_assert_msg(e->role != NM_PARAMETER || value == wanted, "%s is %g, not %g", e->name,
                      value, wanted);
        parameters += e->role == NM_PARAMETER;
    }
    ck_assert_int_eq(parameters, 16);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

static double squared_length(nm_tensor *v)
{
    double sum = 0;
    for (int64_t i = 0; i < nm_tensor_count(v); i++) {
        sum += pow(nm_tensor_get(v, i), 2);
    }
    return sum;
}

/* ||v'||^2 / ||v||^2 - 1, for a step of rate 0.1. */
static double growth_of_v(double decay)
{
    fixture f = begin_f64("[dense: {units: 1, bias: false, weight_norm: true}]", NM_SHAPE(5));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(7, 5), 1), *v = named(&f, "dense1.weight_v");
    double before = squared_length(v);
    step_on_squares(&f, x, 1, &nm_sgd(.rate = 0.1, .weight_decay = decay));
    double growth = squared_length(v) / before - 1;
    nm_tensor_destroy(x);
    end(&f);
    return growth;
}

/* v's gradient is orthogonal to v, so that Pythagoras holds:
 * ||v'||^2 = (1 - rate decay)^2 ||v||^2 + rate^2 ||dv||^2. */
START_TEST(a_step_lengthens_v_and_weight_decay_shortens_it)
{
    const double growth = growth_of_v(0);
    ck_assert_msg(growth > 1e-3, "%g", growth);
    assert_near(growth_of_v(0.5), growth + pow(1 - 0.1 * 0.5, 2) - 1, 1e-12, 1e-12);
}
END_TEST

START_TEST(the_length_of_v_changes_the_rate_of_learning_and_nothing_else)
{
    fixture f = begin_f64("[dense: {units: 2, bias: false, weight_norm: true}]", NM_SHAPE(5));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(7, 5), 1), *v = named(&f, "dense1.weight_v");
    double outputs[2], gradients[2];
    for (int k = 0; k < 2; k++) {
        nm_tensor *y = train(&f, x);
        nm_tensor_keep(y);
        nm_backward(f.tape, nm_sum(f.tape, nm_square(f.tape, y)), 0);
        outputs[k] = nm_tensor_get(y, 3);
        gradients[k] = nm_tensor_get(nm_tensor_grad(v), 3);
        nm_store_clear_grads(f.store);
        nm_tape_reset(f.tape);
        for (int64_t i = 0; i < nm_tensor_count(v); i++) {
            nm_tensor_set(v, i, 4 * nm_tensor_get(v, i));
        }
    }
    assert_near(outputs[1], outputs[0], 1e-13, 0);
    assert_near(gradients[1], gradients[0] / 4, 1e-13, 0); /* and so the direction turns by 1/16 */
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

TEST_MAIN("models/norm_layers", running_statistics_move_as_in_pytorch,
          momentum_one_keeps_the_last_batch_only,
          the_cumulative_average_is_the_mean_over_all_batches,
          running_statistics_move_in_training_passes_only,
          frozen_statistics_normalize_while_the_rest_trains,
          gradients_through_mean_and_variance_are_switched_off_one_by_one,
          a_batch_norm_frozen_by_name_stays_the_same_function,
          a_batch_of_one_is_an_error_in_training_that_names_the_layer,
          batch_norm_keeps_only_what_it_needs, weight_norm_begins_with_the_initializers_weight,
          initialization_by_data_normalizes_the_first_batch,
          initialization_by_data_draws_v_with_deviation_a_twentieth,
          a_channel_constant_over_the_first_batch_stays_finite,
          initialization_by_data_needs_two_samples, without_weight_norm_by_data_no_pass_is_wanted,
          weight_decay_takes_weights_and_v_and_g_and_nothing_else,
          a_step_lengthens_v_and_weight_decay_shortens_it,
          the_length_of_v_changes_the_rate_of_learning_and_nothing_else)
