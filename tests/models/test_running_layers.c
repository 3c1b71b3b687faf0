/* Batch renorm, ghost batch norm, switchable norm and iterative whitening, whose training and
 * evaluation differ; filter response norm, whose do not. */
#include <math.h>

#include "ops/norm.h"

#include "optim/statistics.h"
#include "tests/models/model_test.h"

static void assert_same(nm_tensor *a, nm_tensor *b, double tolerance)
{
    ck_assert(a && b);
    ck_assert_int_eq(nm_tensor_count(a), nm_tensor_count(b));
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        assert_near(nm_tensor_get(a, i), nm_tensor_get(b, i), tolerance, tolerance);
    }
}

/* ---- Batch renorm ---- */

START_TEST(renorm_is_batch_norm_at_first)
{
    fixture f = begin_f64("[batch_renorm: {warmup: 2, ramp: 0}]", NM_SHAPE(4));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(6, 4), 3);
    for (int n = 0; n < 2; n++) {
        assert_same(train(&f, x), nm_batch_norm(f.tape, x, NULL, NULL), 1e-12);
    }
    assert_near(value_of(&f, "brn1.r", 0), 1, 0, 0);
    nm_tensor *y = train(&f, x), *b = nm_batch_norm(f.tape, x, NULL, NULL);
    ck_assert(fabs(nm_tensor_get(y, 0) - nm_tensor_get(b, 0)) > 1e-3);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(renorm_without_limits_trains_by_running_statistics)
{
    fixture f = begin_f64("[batch_renorm: {warmup: 0, ramp: 0, r_max: 1e5, d_max: 1e5}]",
                          NM_SHAPE(2, 3, 4));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(5, 2, 3, 4), 3);
    for (int64_t c = 0; c < 4; c++) {
        nm_tensor_set(named(&f, "brn1.running_mean"), c, 0.3 * (double)c);
        nm_tensor_set(named(&f, "brn1.running_var"), c, 1 + 0.5 * (double)c);
    }
    nm_tensor *y = nm_tensor_keep(evaluate(&f, x)), *z = train(&f, x);
    assert_same(z, y, 1e-12);
    ck_assert(value_of(&f, "brn1.running_mean", 1) != 0.3); /* and moved */
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

/* dx = r inverse (dy - mean of dy - xhat mean of dy xhat): a declared surrogate. */
START_TEST(renorms_gradient_takes_r_and_d_as_constants)
{
    fixture f = begin_f64("[batch_renorm: {warmup: 0, ramp: 0, r_max: 1.5, d_max: 0.5, axis: 1}]",
                          NM_SHAPE(2, 7));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(5, 2, 7), 3),
              *dy = normal(&f, NM_F64, NM_SHAPE(5, 2, 7), 4);
    nm_tensor_set_requires_grad(x, true);
    nm_tensor_set(named(&f, "brn1.running_mean"), 0, 2);
    nm_tensor_set(named(&f, "brn1.running_var"), 1, 9);
    nm_tensor *y = train(&f, x), *b = nm_batch_norm(f.tape, x, NULL, NULL, .axis = 1), *dx, *dz;
    nm_gradients(f.tape, &y, &dy, 1, &x, 1, NM_KEEP_GRAPH, &dx);
    nm_gradients(f.tape, &b, &dy, 1, &x, 1, NM_KEEP_GRAPH, &dz);
    assert_fine(f.context);
    assert_near(value_of(&f, "brn1.d", 0), -0.5, 0, 0); /* clipped */
    assert_near(value_of(&f, "brn1.r", 1), 1 / 1.5, 1e-15, 0);
    for (int64_t i = 0; i < 70; i++) {
        const double r = value_of(&f, "brn1.r", i / 7 % 2), d = value_of(&f, "brn1.d", i / 7 % 2);
        assert_near(nm_tensor_get(dx, i), r * nm_tensor_get(dz, i), 1e-12, 1e-14);
        assert_near(nm_tensor_get(y, i), r * nm_tensor_get(b, i) + d, 1e-12, 1e-14);
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    nm_tensor_destroy(dy);
    end(&f);
}
END_TEST

/* ludvb/batchrenorm averages the deviation, not the variance. */
START_TEST(ludvb_the_running_variance_is_a_mean_of_variances)
{
    fixture a = begin_f64("[batch_renorm]", NM_SHAPE(4)),
            b = begin_f64("[batch_norm]", NM_SHAPE(4));
    for (uint64_t n = 0; n < 4; n++) {
        nm_tensor *x = normal(&a, NM_F64, NM_SHAPE(6, 4), n);
        nm_tensor *z = normal(&b, NM_F64, NM_SHAPE(6, 4), n);
        train(&a, x);
        train(&b, z);
        nm_tape_reset(a.tape);
        nm_tape_reset(b.tape);
        nm_tensor_destroy(x);
        nm_tensor_destroy(z);
    }
    assert_same(named(&a, "brn1.running_var"), named(&b, "bn1.running_var"), 1e-14);
    assert_same(named(&a, "brn1.running_mean"), named(&b, "bn1.running_mean"), 1e-14);
    end(&a);
    end(&b);
}
END_TEST

/* ---- Ghost batch norm ---- */

/* Rows first..last of y are batch norm of those of x. */
static void assert_part(fixture *f, nm_tensor *x, nm_tensor *y, int64_t first, int64_t last)
{
    const int64_t width = nm_tensor_count(x) / nm_tensor_shape(x)->dim[0];
    nm_shape shape = *nm_tensor_shape(x);
    shape.dim[0] = last - first;
    double *rows = (double *)nm_tensor_data(x) + first * width;
    nm_tensor *part = nm_tape_wrap(f->tape, NM_F64, shape, rows);
    nm_tensor *wanted = nm_batch_norm(f->tape, part, NULL, NULL);
    assert_fine(f->context);
    for (int64_t i = 0; i < (last - first) * width; i++) {
        assert_near(nm_tensor_get(y, first * width + i), nm_tensor_get(wanted, i), 1e-12, 1e-12);
    }
}

static void check_parts(int64_t samples, nm_shape sample, const int64_t *ends, int count)
{
    fixture f = begin_f64("[ghost_batch_norm: {size: 4}]", sample);
    nm_tensor *x = normal(&f, NM_F64, batch_of(samples, sample), 3), *y = train(&f, x);
    assert_fine(f.context);
    for (int i = 0; i + 1 < count; i++) {
        assert_part(&f, x, y, ends[i], ends[i + 1]);
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}

START_TEST(every_part_is_normalized_by_itself)
{
    check_parts(8, NM_SHAPE(3), (int64_t[]){0, 4, 8}, 3);
    check_parts(11, NM_SHAPE(3), (int64_t[]){0, 4, 8, 11}, 4);
    check_parts(9, NM_SHAPE(3), (int64_t[]){0, 4, 9}, 3);          /* one left joins the others */
    check_parts(9, NM_SHAPE(2, 2, 3), (int64_t[]){0, 4, 8, 9}, 4); /* but not if it has places */
    check_parts(5, NM_SHAPE(3), (int64_t[]){0, 5}, 2);
    check_parts(3, NM_SHAPE(3), (int64_t[]){0, 3}, 2);
}
END_TEST

START_TEST(running_statistics_move_once_a_part_in_order)
{
    fixture a = begin_f64("[ghost_batch_norm: {size: 4, momentum: 0.3}]", NM_SHAPE(3));
    fixture b = begin_f64("[batch_norm: {momentum: 0.3}]", NM_SHAPE(3));
    static const int64_t ends[] = {0, 4, 8, 11};
    nm_tensor *x = normal(&a, NM_F64, NM_SHAPE(11, 3), 3);
    train(&a, x);
    for (int i = 0; i < 3; i++) {
        double *rows = (double *)nm_tensor_data(x) + ends[i] * 3;
        train(&b, nm_tape_wrap(b.tape, NM_F64, NM_SHAPE(ends[i + 1] - ends[i], 3), rows));
        assert_fine(b.context);
    }
    assert_same(named(&a, "gbn1.running_mean"), named(&b, "bn1.running_mean"), 1e-14);
    assert_same(named(&a, "gbn1.running_var"), named(&b, "bn1.running_var"), 1e-14);
    nm_tape_reset(a.tape);
    nm_tensor_destroy(x);
    end(&a);
    end(&b);
}
END_TEST

START_TEST(keras_15790_evaluation_knows_of_no_parts)
{
    fixture f = begin_f64("[ghost_batch_norm: {size: 2}]", NM_SHAPE(3));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(7, 3), 3), *y = evaluate(&f, x);
    for (int64_t i = 0; i < 21; i++) { /* running mean 0, variance 1 */
        assert_near(nm_tensor_get(y, i), nm_tensor_get(x, i) / sqrt(1 + 1e-5), 1e-12, 0);
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

/* ---- Filter response norm ---- */

START_TEST(filter_response_norm_is_its_formula_and_a_learned_eps_the_same)
{
    static const char *const layers[] = {"[filter_response_norm: {eps: 0.25}]",
                                         "[filter_response_norm: {eps: 0, learned_eps: true}]"};
    for (int k = 0; k < 2; k++) {
        fixture f = begin_f64(layers[k], NM_SHAPE(2, 3, 2));
        nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(3, 2, 3, 2), 3);
        for (int64_t c = 0; c < 2; c++) {
            nm_tensor_set(named(&f, "frn1.threshold"), c, -0.2 - (double)c);
            if (k) {
                nm_tensor_set(named(&f, "frn1.eps"), c, -0.25); /* its size counts */
            }
        }
        nm_tensor *y = train(&f, x);
        for (int64_t i = 0; i < 36; i++) {
            const int64_t sample = i / 12, c = i % 2;
            double squares = 0;
            for (int64_t p = 0; p < 6; p++) {
                squares += pow(nm_tensor_get(x, sample * 12 + p * 2 + c), 2) / 6;
            }
            const double z = nm_tensor_get(x, i) / sqrt(squares + 0.25);
            assert_near(nm_tensor_get(y, i), fmax(z, -0.2 - (double)c), 1e-12, 0);
        }
        nm_tape_reset(f.tape);
        nm_tensor_destroy(x);
        end(&f);
    }
}
END_TEST

/* ---- Switchable norm ---- */

/* With all weight on one kind, it is that one. */
START_TEST(switchable_norm_is_each_of_its_kinds)
{
    for (int64_t k = 0; k < 3; k++) {
        fixture f = begin_f64("[switchable_norm]", NM_SHAPE(3, 2, 4));
        nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(5, 3, 2, 4), 3);
        nm_tensor_set(named(&f, "sn1.mean_weight"), k, 1000);
        nm_tensor_set(named(&f, "sn1.var_weight"), k, 1000);
        nm_tensor *y = train(&f, x);
        nm_tensor *z = k == 0   ? nm_instance_norm(f.tape, x, NULL, NULL)
                       : k == 1 ? nm_layer_norm(f.tape, x, NULL, NULL, .axis = 1)
                                : nm_batch_norm(f.tape, x, NULL, NULL);
        assert_same(y, z, 1e-11);
        nm_tape_reset(f.tape);
        nm_tensor_destroy(x);
        end(&f);
    }
}
END_TEST

START_TEST(switchable_norms_statistics_move_as_batch_norms)
{
    fixture a = begin_f64("[switchable_norm]", NM_SHAPE(3, 4)),
            b = begin_f64("[batch_norm]", NM_SHAPE(3, 4));
    nm_tensor *x = normal(&a, NM_F64, NM_SHAPE(6, 3, 4), 1),
              *z = normal(&b, NM_F64, NM_SHAPE(6, 3, 4), 1);
    train(&a, x);
    train(&b, z);
    assert_same(named(&a, "sn1.running_var"), named(&b, "bn1.running_var"), 1e-14);
    assert_same(named(&a, "sn1.running_mean"), named(&b, "bn1.running_mean"), 1e-14);
    nm_tape_reset(a.tape);
    nm_tape_reset(b.tape);
    nm_tensor_destroy(x);
    nm_tensor_destroy(z);
    end(&a);
    end(&b);
}
END_TEST

/* ---- Iterative whitening ---- */

/* The covariance of channels i and k of y, [m, channels]. */
static double covariance(nm_tensor *y, int64_t channels, int64_t i, int64_t k)
{
    const int64_t m = nm_tensor_count(y) / channels;
    double sum = 0, means[2] = {0, 0};
    for (int64_t n = 0; n < m; n++) {
        means[0] += nm_tensor_get(y, n * channels + i) / (double)m;
        means[1] += nm_tensor_get(y, n * channels + k) / (double)m;
    }
    for (int64_t n = 0; n < m; n++) {
        sum += (nm_tensor_get(y, n * channels + i) - means[0]) *
               (nm_tensor_get(y, n * channels + k) - means[1]) / (double)m;
    }
    return sum;
}

START_TEST(whitened_channels_of_a_group_are_uncorrelated)
{
    fixture f =
        begin_f64("[iterative_whitening: {size: 3, iterations: 30, eps: 1e-9}]", NM_SHAPE(6));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(50, 6), 3);
    for (int64_t i = 0; i < 50; i++) { /* correlated within groups and across */
        for (int64_t c = 1; c < 6; c++) {
            const double before = nm_tensor_get(x, 6 * i + c - 1);
            nm_tensor_set(x, 6 * i + c, 2 + before + nm_tensor_get(x, 6 * i + c));
        }
    }
    nm_tensor *y = train(&f, x);
    assert_fine(f.context);
    for (int64_t i = 0; i < 6; i++) {
        for (int64_t k = i / 3 * 3; k < i / 3 * 3 + 3; k++) {
            assert_near(covariance(y, 6, i, k), i == k, 1e-6, 1e-6);
        }
    }
    ck_assert(fabs(covariance(y, 6, 2, 3)) > 1e-3);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(evaluation_whitens_by_what_training_left)
{
    fixture f = begin_f64("[iterative_whitening: {size: 2, momentum: 1}]", NM_SHAPE(3, 4));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(9, 3, 4), 3);
    nm_tensor *y = nm_tensor_keep(train(&f, x));
    assert_same(evaluate(&f, x), y, 1e-12);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(too_few_values_to_whiten_are_refused)
{
    fixture f = begin("[iterative_whitening]", NM_SHAPE(8));
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(15, 8), 3);
    ck_assert_ptr_null(train(&f, x));
    assert_error(
        f.context, NM_ERROR_INPUT,
        "layer \"iw1\": iterative_whitening: groups of 4 channels need 16 values a channel "
        "in training, and its input is [15, 8]");
    ck_assert_ptr_nonnull(evaluate(&f, x));
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
    refused(
        "[iterative_whitening]", NM_SHAPE(6),
        "net.yaml:1:2: layer \"iw1\": iterative_whitening: its input [batch, 6] must have channels "
        "on its last axis that divide into groups of 4; give another size");
}
END_TEST

/* ---- Statistics found again, and frozen ones ---- */

/* Two batches of as many values: what is stored is the mean over both, of momentum 1 and 1 / 2. */
static void find_again(const char *again, const char *moving, nm_shape sample)
{
    fixture a = begin_f64(again, sample), b = begin_f64(moving, sample);
    nm_shape batch = batch_of(8, sample);
    nm_statistics *s = nm_statistics_create(a.context);
    for (int i = 0; i < 2; i++) {
        nm_tensor *x = normal(&a, NM_F64, batch, 1 + (uint64_t)i);
        const nm_pass pass = {.tape = a.tape, .statistics = s};
        ck_assert_ptr_nonnull(nm_model_forward(a.model, &pass, x));
        nm_tape_reset(a.tape);
        nm_tensor_destroy(x);
    }
    ck_assert_int_eq(nm_statistics_store(s), NM_OK);
    const nm_statistics_report r = nm_statistics_at(s, 0);
    ck_assert(isfinite(r.moved) && r.moved > 0);
    nm_statistics_destroy(s);
    nm_tensor *mean[2];
    for (int i = 0; i < 2; i++) { /* the same by hand */
        nm_tensor *x = normal(&b, NM_F64, batch, 1 + (uint64_t)i);
        ck_assert_ptr_nonnull(train(&b, x));
        nm_tape_reset(b.tape);
        nm_tensor_destroy(x);
        const nm_entry *e = nm_store_find(b.store, strstr(again, "whit") ? "iw1.running_whitener"
                                                                         : "sn1.running_mean");
        mean[i] = nm_tensor_copy_of(b.context, NM_F64, *nm_tensor_shape(e->tensor),
                                    nm_tensor_data(e->tensor));
    }
    nm_tensor *found =
        nm_store_find(a.store, strstr(again, "whit") ? "iw1.running_whitener" : "sn1.running_mean")
            ->tensor;
    for (int64_t i = 0; i < nm_tensor_count(found); i++) {
        assert_near(nm_tensor_get(found, i),
                    (nm_tensor_get(mean[0], i) + nm_tensor_get(mean[1], i)) / 2, 1e-12, 1e-12);
    }
    nm_tensor_destroy(mean[0]);
    nm_tensor_destroy(mean[1]);
    end(&a);
    end(&b);
}

START_TEST(statistics_of_all_layers_that_have_some_are_found_again)
{
    find_again("[switchable_norm]", "[switchable_norm: {momentum: 1}]", NM_SHAPE(3, 4));
    find_again("[iterative_whitening: {size: 2}]", "[iterative_whitening: {size: 2, momentum: 1}]",
               NM_SHAPE(3, 4));
}
END_TEST

START_TEST(a_frozen_layer_stays_the_same_function)
{
    static const char *const layers[] = {"[switchable_norm]", "[iterative_whitening: {size: 2}]"};
    static const char *const names[] = {"sn1.running_mean", "iw1.running_whitener"};
    for (int i = 0; i < 2; i++) {
        fixture f = begin_f64(layers[i], NM_SHAPE(3, 4));
        nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(8, 3, 4), 3);
        train(&f, x);
        nm_store_set_trainable(f.store, "*", false);
        const double before = value_of(&f, names[i], 1);
        nm_tensor *y = nm_tensor_keep(train(&f, x));
        ck_assert(value_of(&f, names[i], 1) == before);
        assert_same(evaluate(&f, x), y, 1e-12);
        nm_tape_reset(f.tape);
        nm_tensor_destroy(x);
        end(&f);
    }
}
END_TEST

/* Which of the two is frozen does not count: then neither moves, and training is as evaluation. */
START_TEST(a_layer_with_either_statistic_frozen_normalizes_by_what_there_is)
{
    static const char *const layers[] = {"[batch_renorm]", "[ghost_batch_norm: {size: 2}]"};
    static const char *const frozen[] = {"*.running_mean", "*.running_var"};
    for (int i = 0; i < 4; i++) {
        fixture f = begin_f64(layers[i / 2], NM_SHAPE(4));
        nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(6, 4), 3);
        ck_assert_int_eq(nm_store_set_trainable(f.store, frozen[i % 2], false), NM_OK);
        nm_tensor *y = nm_tensor_keep(train(&f, x));
        assert_same(y, evaluate(&f, x), 1e-12);
        assert_fine(f.context);
        nm_tensor_destroy(x);
        end(&f);
    }
}
END_TEST

START_TEST(layers_without_scale_and_shift_have_none)
{
    static const char *const layers[] = {"[batch_renorm: {affine: false}]",
                                         "[ghost_batch_norm: {affine: false, size: 3}]"};
    for (int i = 0; i < 2; i++) {
        fixture f = begin_f64(layers[i], NM_SHAPE(4));
        nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(3, 4), 3);
        ck_assert_int_eq(nm_store_parameters(f.store), 0);
        assert_same(train(&f, x), nm_batch_norm(f.tape, x, NULL, NULL), 1e-12);
        nm_tensor_destroy(x);
        end(&f);
    }
}
END_TEST

START_TEST(axes_that_an_input_does_not_have_are_refused)
{
    static const char *const wrong[] = {"[batch_renorm: {axis: 3}]",
                                        "[ghost_batch_norm: {axis: 3}]"};
    for (int i = 0; i < 2; i++) {
        fixture f = begin_with(wrong[i], NM_SHAPE(4), (nm_model_options){NM_MODEL_DEFAULTS});
        ck_assert_ptr_null(f.model);
        assert_error(f.context, NM_ERROR_INPUT, "axis");
        end(&f);
    }
    fixture f = begin_with("[ghost_batch_norm]", NM_SHAPE(1, 1, 1, 1, 2),
                           (nm_model_options){NM_MODEL_DEFAULTS});
    assert_error(f.context, NM_ERROR_INPUT, "its input has 6 axes; it takes one less");
    end(&f);
}
END_TEST

/* Without eps a channel that never varied has a deviation of 0, by which nothing can be divided. */
START_TEST(renorm_without_eps_leaves_a_channel_of_no_variance_alone)
{
    fixture f = begin_f64("[batch_renorm: {warmup: 0, ramp: 0, eps: 0}]", NM_SHAPE(2));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(4, 2), 3);
    nm_tensor_fill(named(&f, "brn1.running_var"), 0);
    nm_tensor *y = train(&f, x);
    assert_fine(f.context);
    assert_same(y, nm_batch_norm(f.tape, x, NULL, NULL, .eps = 0), 1e-12);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

TEST_MAIN("models/running_layers", renorm_is_batch_norm_at_first,
          renorm_without_limits_trains_by_running_statistics,
          renorms_gradient_takes_r_and_d_as_constants,
          ludvb_the_running_variance_is_a_mean_of_variances, every_part_is_normalized_by_itself,
          running_statistics_move_once_a_part_in_order, keras_15790_evaluation_knows_of_no_parts,
          filter_response_norm_is_its_formula_and_a_learned_eps_the_same,
          switchable_norm_is_each_of_its_kinds, switchable_norms_statistics_move_as_batch_norms,
          whitened_channels_of_a_group_are_uncorrelated, evaluation_whitens_by_what_training_left,
          too_few_values_to_whiten_are_refused,
          statistics_of_all_layers_that_have_some_are_found_again,
          a_frozen_layer_stays_the_same_function,
          a_layer_with_either_statistic_frozen_normalizes_by_what_there_is,
          layers_without_scale_and_shift_have_none, axes_that_an_input_does_not_have_are_refused,
          renorm_without_eps_leaves_a_channel_of_no_variance_alone)
