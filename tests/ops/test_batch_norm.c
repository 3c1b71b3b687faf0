/* Batch norm. Values and gradients against PyTorch's are in test_golden.c, the gradient check is in
 * test_all.c; here are the promises, the errors, and the faults of other libraries by name. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/op.h"
#include "tests/ops/channels_test.h"

/* ---- Helpers ---- */

static nm_tensor *numbers(fixture *b, nm_dtype dtype, nm_shape shape, const double *values)
{
    nm_tensor *x = nm_tape_tensor(b->tape, dtype, shape);
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        nm_tensor_set(x, i, values[i]);
    }
    nm_tensor_set_requires_grad(x, true);
    return x;
}

static double gradient_at(fixture *b, nm_tensor *loss, nm_tensor *x, int64_t i)
{
    nm_tensor *grad = NULL;
    nm_gradients(b->tape, &loss, NULL, 1, &x, 1, NM_KEEP_GRAPH, &grad);
    assert_fine(b->context);
    return nm_tensor_get(grad, i);
}

/* sum of a * b */
static nm_tensor *dot(fixture *b, nm_tensor *a, nm_tensor *c)
{
    return nm_sum_to(b->tape, nm_mul(b->tape, a, c), NM_SCALAR_SHAPE);
}

/* ---- Numbers ---- */

/* Haiku's test: https://github.com/deepmind/dm-haiku, batch norm of a constant. */
START_TEST(haiku_a_constant_channel_gives_exactly_the_shift)
{
    static const double constants[] = {0, 1, -3.3, 1e-30, 1e4 + 0.1, 1e30, 16777217};
    static const int64_t rows[] = {2, 3, 60, 1023};
    fixture b = begin();
    nm_tensor *shift = numbers(&b, NM_F32, NM_SHAPE(2), (double[]){0.7, -1.3});
    nm_tensor *scale = numbers(&b, NM_F32, NM_SHAPE(2), (double[]){3, 1e5});
    for (size_t k = 0; k < sizeof constants / sizeof *constants; k++) {
        for (size_t n = 0; n < 4; n++) {
            for (int axis = 0; axis < 2; axis++) {
                nm_shape shape = axis ? NM_SHAPE(rows[n], 2) : NM_SHAPE(2, rows[n]);
                nm_tensor *x = nm_full(b.tape, NM_F32, shape, constants[k]);
                nm_tensor *y = nm_batch_norm(b.tape, x, scale, shift, .axis = axis);
                assert_fine(b.context);
                for (int64_t i = 0; i < 2 * rows[n]; i++) {
                    const int64_t c = axis ? i % 2 : i / rows[n];
                    ck_assert(nm_tensor_get(y, i) == nm_tensor_get(shift, c));
                }
            }
        }
    }
    end(&b);
}
END_TEST

START_TEST(a_constant_channel_has_variance_0_and_a_finite_gradient)
{
    fixture b = begin();
    nm_tensor *x = nm_full(b.tape, NM_F32, NM_SHAPE(50, 3), 1234.567);
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *weights = normal(&b, NM_F32, NM_SHAPE(50, 3), 0, 1, 1);
    nm_batch_norm_result r = nm_batch_norm_with(b.tape, x, NULL, NULL, NULL, NULL, NULL);
    ck_assert(nm_tensor_get(r.var, 0) == 0);
    ck_assert(nm_tensor_get(r.mean, 0) == (double)1234.567f);
    ck_assert(isfinite(gradient_at(&b, dot(&b, weights, r.y), x, 0)));
    end(&b);
}
END_TEST

START_TEST(eps_0_gives_the_shift_and_gradient_0_for_a_constant_channel)
{
    fixture b = begin();
    nm_tensor *x = numbers(&b, NM_F64, NM_SHAPE(2, 2), (double[]){5, 1, 5, 3});
    nm_tensor *shift = numbers(&b, NM_F64, NM_SHAPE(2), (double[]){0.25, 0});
    nm_tensor *y = nm_batch_norm(b.tape, x, NULL, shift, .eps = 0);
    nm_tensor *weights = normal(&b, NM_F64, NM_SHAPE(2, 2), 0, 1, 1);
    ck_assert(nm_tensor_get(y, 0) == 0.25 && nm_tensor_get(y, 2) == 0.25);
    assert_near(nm_tensor_get(y, 3), 1, 1e-12, 0);
    ck_assert(gradient_at(&b, dot(&b, weights, y), x, 0) == 0);
    end(&b);
}
END_TEST

/* E[x^2] - E[x]^2 in f32: flax#1491, tt-metal#45968, pytorch#5410, caffe#3963. With a mean of 1e4
 * and a deviation of 1e-2 the two terms agree in all of f32's digits. */
static void check_large_mean(nm_shape shape, int axis, const view *v)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, shape, 1e4, 1e-2, 0);
    nm_tensor *dy = normal(&b, NM_F32, shape, 0, 1, 1);
    nm_batch_norm_options o = {NM_BATCH_NORM_DEFAULTS, .axis = axis, .eps = 1e-12,
                               NM_END(nm_batch_norm_options)};
    nm_batch_norm_result r = nm_batch_norm_with(b.tape, x, NULL, NULL, NULL, NULL, &o);
    nm_tensor *dx = NULL;
    nm_gradients(b.tape, &r.y, &dy, 1, &x, 1, NM_KEEP_GRAPH, &dx);
    assert_fine(b.context);
    for (int64_t c = 0; c < v->channels; c++) {
        double mean, var, sum = 0, with_xhat = 0, size = 0;
        moments(x, v, c, &mean, &var);
        assert_near(nm_tensor_get(r.mean, c), mean, 1e-7, 0);
        assert_near(nm_tensor_get(r.var, c), var, 1e-3, 0);
        for (int64_t k = 0; k < v->outer; k++) {
            for (int64_t i = 0; i < v->inner; i++) {
                const double xhat = (at(x, v, k, c, i) - mean) / sqrt(var + 1e-12);
                assert_near(at(r.y, v, k, c, i), xhat, 1e-3, 1e-3);
                sum += at(dx, v, k, c, i);
                with_xhat += at(dx, v, k, c, i) * xhat;
                size += fabs(at(dx, v, k, c, i));
            }
        }
        ck_assert(fabs(sum) < 1e-3 * size); /* dx is orthogonal to 1 and to xhat */
        ck_assert(fabs(with_xhat) < 1e-3 * size);
    }
    end(&b);
}

START_TEST(a_mean_of_1e4_with_deviation_1e_2_keeps_statistics_and_gradients_accurate)
{
    check_large_mean(NM_SHAPE(4096, 16), -1, &(view){4096, 16, 1});
    check_large_mean(NM_SHAPE(256, 64), -1, &(view){256, 64, 1});
    check_large_mean(NM_SHAPE(64, 3), -1, &(view){64, 3, 1});
    check_large_mean(NM_SHAPE(8, 4, 300), 1, &(view){8, 4, 300});
}
END_TEST

/* Shifting by the first value alone, or by the mean of the first few, would bring the cancellation
 * back. */
static void check_outliers(int64_t count, double tolerance)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(2048, 2), 0, 1, 0);
    for (int64_t i = 0; i < count; i++) {
        nm_tensor_set(x, i, 3e4 + (double)i);
    }
    nm_batch_norm_result r = nm_batch_norm_with(b.tape, x, NULL, NULL, NULL, NULL, NULL);
    double mean, var;
    for (int64_t c = 0; c < 2; c++) {
        moments(x, &(view){2048, 2, 1}, c, &mean, &var);
        assert_near(nm_tensor_get(r.mean, c), mean, 1e-6, 1e-6);
        assert_near(nm_tensor_get(r.var, c), var, tolerance, 0);
    }
    end(&b);
}

START_TEST(outliers_as_the_first_values_do_no_harm)
{
    check_outliers(1, 1e-5);
    check_outliers(128, 3e-7);
}
END_TEST

START_TEST(a_nan_stays_in_its_channel)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(40, 3), 0, 1, 0);
    nm_tensor_set(x, 3 * 17 + 1, NAN);
    nm_tensor *y = nm_batch_norm(b.tape, x, NULL, NULL);
    for (int64_t i = 0; i < 120; i++) {
        ck_assert(!isnan(nm_tensor_get(y, i)) == (i % 3 != 1));
    }
    end(&b);
}
END_TEST

/* ---- Peers' faults ---- */

/* darknet normalizes with the variance over n - 1 and differentiates as if it were over n (tiny-dnn
 * too), and puts eps under the root in one direction and beside it in the other. Here all three
 * directions are one formula, even for three values and a large eps. */
START_TEST(darknet_one_variance_and_one_eps_in_both_directions)
{
    fixture b = begin();
    const double values[] = {1, 2, 6}, weights[] = {0.3, -1, 2};
    nm_tensor *x = numbers(&b, NM_F64, NM_SHAPE(3, 1), values);
    nm_tensor *w = numbers(&b, NM_F64, NM_SHAPE(3, 1), weights);
    nm_batch_norm_options o = {NM_BATCH_NORM_DEFAULTS, .eps = 0.5, NM_END(nm_batch_norm_options)};
    nm_batch_norm_result r = nm_batch_norm_with(b.tape, x, NULL, NULL, NULL, NULL, &o);
    assert_near(nm_tensor_get(r.var, 0), 14.0 / 3, 1e-14, 0); /* over n */
    assert_near(nm_tensor_get(r.y, 0), -2 / sqrt(14.0 / 3 + 0.5), 1e-14, 0);
    const double step = 1e-6;
    double sums[2];
    for (int side = 0; side < 2; side++) {
        const double moved[] = {1 + (side ? step : -step), 2, 6};
        nm_tensor *y = nm_batch_norm(b.tape, numbers(&b, NM_F64, NM_SHAPE(3, 1), moved), NULL, NULL,
                                     .eps = 0.5);
        sums[side] = nm_tensor_item(dot(&b, w, y));
    }
    assert_near(gradient_at(&b, dot(&b, w, r.y), x, 0), (sums[1] - sums[0]) / (2 * step), 1e-8, 0);
    end(&b);
}
END_TEST

/* A gradient check that sums the output sees 0 = 0 for any input gradient that adds up to 0. */
START_TEST(a_plain_sum_of_the_output_hides_the_gradient_and_a_weighted_one_does_not)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F64, NM_SHAPE(8, 2), 0, 1, 0);
    nm_tensor *w = normal(&b, NM_F64, NM_SHAPE(8, 2), 0, 1, 1);
    nm_tensor *y = nm_batch_norm(b.tape, x, NULL, NULL);
    nm_tensor *plain = nm_sum_to(b.tape, y, NM_SCALAR_SHAPE);
    double largest = 0;
    for (int64_t i = 0; i < 16; i++) {
        assert_near(gradient_at(&b, plain, x, i), 0, 0, 1e-12);
        largest = fmax(largest, fabs(gradient_at(&b, dot(&b, w, y), x, i)));
    }
    ck_assert(largest > 0.1);
    end(&b);
}
END_TEST

/* C-ML copies the batch statistics into a leaf: the gradient is cut where they are used. */
START_TEST(cml_gradients_flow_through_mean_and_variance)
{
    fixture b = begin();
    nm_tensor *x = numbers(&b, NM_F64, NM_SHAPE(4, 1), (double[]){1, 2, 4, 9});
    nm_batch_norm_result r = nm_batch_norm_with(b.tape, x, NULL, NULL, NULL, NULL, NULL);
    assert_near(gradient_at(&b, r.mean, x, 3), 1.0 / 4, 1e-14, 0);
    assert_near(gradient_at(&b, r.var, x, 3), 2 * (9 - 4.0) / 4, 1e-14, 0);
    end(&b);
}
END_TEST

/* pytorch#7716, fastai#1352, scvi-tools#2314: a last batch of one. */
START_TEST(a_batch_of_one_is_an_error_that_says_what_to_do)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(1, 100), 0, 1, 0);
    ck_assert_ptr_null(nm_batch_norm(b.tape, x, NULL, NULL));
    assert_error(b.context, NM_ERROR_INPUT,
                 "batch_norm: training needs more than one value per channel, x is [1, 100]; use a "
                 "larger batch, merge or drop a short last one, or normalize with running "
                 "statistics (mode: inference)");
    ck_assert_ptr_null(nm_batch_norm(b.tape, x, NULL, NULL, .mean_only = true));
    assert_error(b.context, NM_ERROR_INPUT, "more than one value per channel");
    nm_tensor *none = nm_tape_tensor(b.tape, NM_F32, NM_SHAPE(0, 100));
    ck_assert_ptr_null(nm_batch_norm(b.tape, none, NULL, NULL));
    assert_error(b.context, NM_ERROR_INPUT, "x is [0, 100]");
    nm_tensor *image = normal(&b, NM_F32, NM_SHAPE(1, 2, 1, 3), 0, 1, 0); /* two values: fine */
    ck_assert_ptr_nonnull(nm_batch_norm(b.tape, image, NULL, NULL));
    end(&b);
}
END_TEST

/* pytorch#4741, #5406, caffe#5621: accuracy that depends on the test batch. */
START_TEST(evaluation_does_not_depend_on_the_batch_size)
{
    fixture b = begin();
    nm_tensor *mean = normal(&b, NM_F32, NM_SHAPE(7), 0, 1, 1);
    nm_tensor *var = nm_full(b.tape, NM_F32, NM_SHAPE(7), 1.7);
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(33, 7), 1, 2, 0);
    nm_tensor *all = nm_batch_norm_inference(b.tape, x, NULL, NULL, mean, var);
    for (int64_t row = 0; row < 33; row++) {
        float *from = nm_tensor_f32(x) + 7 * row;
        nm_tensor *one = nm_tape_wrap(b.tape, NM_F32, NM_SHAPE(1, 7), from);
        nm_tensor *y = nm_batch_norm_inference(b.tape, one, NULL, NULL, mean, var);
        assert_fine(b.context);
        ck_assert_mem_eq(nm_tensor_data(y), nm_tensor_f32(all) + 7 * row, 7 * sizeof(float));
    }
    nm_tensor *none = nm_tape_tensor(b.tape, NM_F32, NM_SHAPE(0, 7));
    ck_assert_ptr_nonnull(nm_batch_norm_inference(b.tape, none, NULL, NULL, mean, var));
    end(&b);
}
END_TEST

/* gt-pyg#112, chemprop PR#952: frozen gradients but moving statistics. In inference mode the op
 * reads the running statistics, changes nothing, and still passes gradients on. */
START_TEST(a_frozen_batch_norm_is_a_fixed_affine_map_with_gradients)
{
    fixture b = begin();
    nm_tensor *x = numbers(&b, NM_F64, NM_SHAPE(2, 1), (double[]){3, 5});
    nm_tensor *scale = numbers(&b, NM_F64, NM_SHAPE(1), (double[]){2});
    nm_tensor *shift = numbers(&b, NM_F64, NM_SHAPE(1), (double[]){0.5});
    nm_tensor *mean = numbers(&b, NM_F64, NM_SHAPE(1), (double[]){1});
    nm_tensor *var = numbers(&b, NM_F64, NM_SHAPE(1), (double[]){4});
    nm_tensor *y = nm_batch_norm_inference(b.tape, x, scale, shift, mean, var, .eps = 0);
    assert_near(nm_tensor_get(y, 1), 2 * (5 - 1) / 2.0 + 0.5, 1e-15, 0);
    nm_tensor *sum = nm_sum_to(b.tape, y, NM_SCALAR_SHAPE);
    assert_near(gradient_at(&b, sum, x, 0), 1, 1e-15, 0);     /* scale / deviation */
    assert_near(gradient_at(&b, sum, scale, 0), 3, 1e-15, 0); /* sum of xhat */
    assert_near(gradient_at(&b, sum, shift, 0), 2, 1e-15, 0);
    assert_near(gradient_at(&b, sum, mean, 0), -2, 1e-15, 0);
    assert_near(gradient_at(&b, sum, var, 0), -0.5 * 2 * 3 / 4, 1e-15, 0);
    ck_assert(nm_tensor_get(mean, 0) == 1 && nm_tensor_get(var, 0) == 4);
    end(&b);
}
END_TEST

START_TEST(given_statistics_are_not_used_and_not_changed_in_training)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(6, 2), 0, 1, 0);
    nm_tensor *mean = numbers(&b, NM_F32, NM_SHAPE(2), (double[]){50, 60});
    nm_tensor *var = numbers(&b, NM_F32, NM_SHAPE(2), (double[]){7, 8});
    nm_batch_norm_result r = nm_batch_norm_with(b.tape, x, NULL, NULL, mean, var, NULL);
    nm_tensor *y = nm_batch_norm(b.tape, x, NULL, NULL);
    ck_assert_mem_eq(nm_tensor_data(r.y), nm_tensor_data(y), nm_tensor_bytes(y));
    ck_assert(nm_tensor_get(mean, 1) == 60 && nm_tensor_get(var, 0) == 7);
    ck_assert(gradient_at(&b, nm_sum_to(b.tape, r.y, NM_SCALAR_SHAPE), mean, 0) == 0);
    end(&b);
}
END_TEST

/* ---- The papers ---- */

/* Ioffe & Szegedy, section 3.3: BN((aW)u) = BN(Wu), and the gradient in aW is 1/a of that in W. */
START_TEST(the_scale_of_the_input_does_not_matter)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F64, NM_SHAPE(10, 3), 1, 2, 0);
    nm_tensor *w = normal(&b, NM_F64, NM_SHAPE(10, 3), 0, 1, 1);
    nm_tensor *large = nm_affine(b.tape, x, 1000, 0);
    nm_tensor *y = nm_batch_norm(b.tape, x, NULL, NULL, .eps = 0);
    nm_tensor *same = nm_batch_norm(b.tape, large, NULL, NULL, .eps = 0);
    nm_tensor *losses[] = {dot(&b, w, y), dot(&b, w, same)};
    for (int64_t i = 0; i < 30; i++) {
        assert_near(nm_tensor_get(same, i), nm_tensor_get(y, i), 1e-12, 1e-12);
        assert_near(gradient_at(&b, losses[1], large, i), gradient_at(&b, losses[0], x, i) / 1000,
                    1e-9, 1e-15);
    }
    end(&b);
}
END_TEST

START_TEST(the_gradient_is_orthogonal_to_ones_and_to_the_result)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F64, NM_SHAPE(50, 2), 3, 2, 0);
    nm_tensor *dy = normal(&b, NM_F64, NM_SHAPE(50, 2), 1, 1, 1), *dx = NULL;
    nm_tensor *y = nm_batch_norm(b.tape, x, NULL, NULL, .eps = 0);
    nm_gradients(b.tape, &y, &dy, 1, &x, 1, NM_KEEP_GRAPH, &dx);
    double ones = 0, results = 0;
    for (int64_t i = 0; i < 50; i++) {
        ones += nm_tensor_get(dx, 2 * i);
        results += nm_tensor_get(dx, 2 * i) * nm_tensor_get(y, 2 * i);
    }
    assert_near(ones, 0, 0, 1e-12);
    assert_near(results, 0, 0, 1e-12);
    end(&b);
}
END_TEST

/* Salimans & Kingma, section 2.3. */
START_TEST(mean_only_batch_norm_subtracts_the_mean_and_does_not_divide)
{
    fixture b = begin();
    nm_tensor *x = numbers(&b, NM_F32, NM_SHAPE(4, 1), (double[]){10, 20, 60, 70});
    nm_tensor *shift = numbers(&b, NM_F32, NM_SHAPE(1), (double[]){0.5});
    nm_tensor *y = nm_batch_norm(b.tape, x, NULL, shift, .mean_only = true);
    ck_assert(nm_tensor_get(y, 0) == -29.5 && nm_tensor_get(y, 3) == 30.5);
    nm_tensor *w = numbers(&b, NM_F32, NM_SHAPE(4, 1), (double[]){1, 0, 0, 0});
    nm_tensor *loss = dot(&b, w, y);
    ck_assert(gradient_at(&b, loss, x, 0) == 0.75 && gradient_at(&b, loss, x, 2) == -0.25);
    nm_tensor *mean = numbers(&b, NM_F32, NM_SHAPE(1), (double[]){10});
    y = nm_batch_norm_inference(b.tape, x, NULL, NULL, mean, NULL, .mean_only = true);
    ck_assert(nm_tensor_get(y, 2) == 50);
    end(&b);
}
END_TEST

/* ---- Use ---- */

START_TEST(two_axes_of_one_layout_agree)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F64, NM_SHAPE(5, 3, 4), 0, 1, 0);
    nm_tensor *last = nm_permute(b.tape, x, .axes = NM_INTS(0, 2, 1));
    nm_tensor *a = nm_batch_norm(b.tape, x, NULL, NULL, .axis = 1);
    nm_tensor *c =
        nm_permute(b.tape, nm_batch_norm(b.tape, last, NULL, NULL), .axes = NM_INTS(0, 2, 1));
    for (int64_t i = 0; i < 60; i++) {
        assert_near(nm_tensor_get(a, i), nm_tensor_get(c, i), 1e-13, 1e-13);
    }
    end(&b);
}
END_TEST

/* A Hessian of -log p through two batch norms is symmetric: u . H v = v . H u. */
START_TEST(a_hessian_through_batch_norm_is_symmetric)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F64, NM_SHAPE(6, 3), 0, 1, 0);
    nm_tensor *w = normal(&b, NM_F64, NM_SHAPE(6, 3), 0, 1, 1);
    nm_tensor *directions[] = {normal(&b, NM_F64, NM_SHAPE(6, 3), 0, 1, 2),
                               normal(&b, NM_F64, NM_SHAPE(6, 3), 0, 1, 3)};
    nm_tensor *h = nm_tanh(b.tape, nm_batch_norm(b.tape, x, NULL, NULL));
    nm_tensor *loss = dot(&b, w, nm_batch_norm(b.tape, h, NULL, NULL)), *g = NULL;
    double products[2];
    nm_gradients(b.tape, &loss, NULL, 1, &x, 1, NM_CREATE_GRAPH, &g);
    for (int i = 0; i < 2; i++) {
        nm_tensor *hv = NULL;
        nm_gradients(b.tape, &g, &directions[i], 1, &x, 1, NM_KEEP_GRAPH | NM_CREATE_GRAPH, &hv);
        assert_fine(b.context);
        products[i] = nm_tensor_item(dot(&b, hv, directions[1 - i]));
    }
    assert_near(products[0], products[1], 1e-10, 1e-12);
    ck_assert(fabs(products[0]) > 1e-6);
    end(&b);
}
END_TEST

START_TEST(the_gradient_finds_the_statistics_again_if_they_are_not_given)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(9, 5), 2, 3, 0);
    nm_tensor *dy = normal(&b, NM_F32, NM_SHAPE(9, 5), 0, 1, 1);
    nm_tensor *in[] = {x}, *all[4], *out[3], *again[3];
    nm_call(b.tape, "batch_norm", in, 1, NULL, all, 4);
    nm_tensor *given[] = {x, dy, NULL, all[1], all[3]};
    nm_call(b.tape, "batch_norm_grad", given, 5, NULL, out, 3);
    nm_call(b.tape, "batch_norm_grad", given, 2, NULL, again, 3);
    assert_fine(b.context);
    for (int i = 0; i < 3; i++) {
        ck_assert_mem_eq(nm_tensor_data(out[i]), nm_tensor_data(again[i]), nm_tensor_bytes(out[i]));
    }
    end(&b);
}
END_TEST

START_TEST(wrong_inputs_are_named_with_both_shapes)
{
    fixture b = begin();
    nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(4, 6), 0, 1, 0);
    nm_tensor *five = nm_full(b.tape, NM_F32, NM_SHAPE(5), 1);
    ck_assert_ptr_null(nm_batch_norm(b.tape, x, five, NULL));
    assert_error(
        b.context, NM_ERROR_INPUT,
        "batch_norm: scale [5] must be [6]: one value for each index of axis 1 of x [4, 6]");
    ck_assert_ptr_null(nm_batch_norm(b.tape, x, NULL, NULL, .axis = 2));
    assert_error(b.context, NM_ERROR_INPUT, "batch_norm: x [4, 6] has no axis 2");
    ck_assert_ptr_null(nm_batch_norm(b.tape, x, NULL, NULL, .eps = -1));
    assert_error(b.context, NM_ERROR_INPUT, "\"eps\" must be at least 0, not -1");
    ck_assert_ptr_null(nm_batch_norm_inference(b.tape, x, NULL, NULL, NULL, NULL));
    assert_error(b.context, NM_ERROR_INPUT, "batch_norm: inference needs running_mean");
    nm_tensor *six = nm_full(b.tape, NM_F32, NM_SHAPE(6), 1);
    ck_assert_ptr_null(nm_batch_norm_inference(b.tape, x, NULL, NULL, six, NULL));
    assert_error(b.context, NM_ERROR_INPUT, "batch_norm: inference needs running_var");
    nm_tensor *in[] = {x, x, NULL, six}, *out[3];
    nm_call(b.tape, "batch_norm_grad", in, 4, NULL, out, 3);
    assert_error(b.context, NM_ERROR_INPUT, "mean and inverse go together");
    end(&b);
}
END_TEST

static nm_status training_step(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_tape *tape = nm_register_ops(context) == NM_OK ? nm_tape_create(context) : NULL;
    if (tape) {
        nm_tensor *x = nm_full(tape, NM_F32, NM_SHAPE(300, 20), 1), *scale = NULL;
        scale = nm_full(tape, NM_F32, NM_SHAPE(20), 1);
        if (x && scale) {
            nm_tensor_set_requires_grad(x, true);
            nm_tensor *y = nm_batch_norm(tape, x, scale, NULL);
            y = nm_batch_norm(tape, y, NULL, NULL, .axis = 0);
            nm_tensor *loss = nm_sum_to(tape, y, NM_SCALAR_SHAPE), *g = NULL;
            if (loss) {
                nm_gradients(tape, &loss, NULL, 1, &x, 1, 0, &g);
            }
        }
    }
    nm_status status = nm_context_status(context);
    nm_tape_destroy(tape);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failed_allocation_is_an_error_and_leaks_nothing)
{
    test_every_allocation(training_step);
}
END_TEST

START_TEST(a_steady_step_allocates_nothing)
{
    test_memory memory = {.fail_at = -1};
    nm_context *context = test_context(&memory);
    nm_register_ops(context);
    fixture b = {context, nm_tape_create(context)};
    long calls = 0;
    for (int step = 0; step < 4; step++) {
        nm_tape_reset(b.tape);
        nm_tensor *x = normal(&b, NM_F32, NM_SHAPE(600, 40), 0, 1, 0);
        nm_tensor *y = nm_batch_norm(b.tape, x, NULL, NULL), *g = NULL;
        nm_gradients(b.tape, &y, NULL, 1, &x, 1, 0, &g);
        assert_fine(context);
        ck_assert(step < 2 || memory.calls == calls);
        calls = memory.calls;
    }
    nm_tape_destroy(b.tape);
    test_context_end(context, &memory);
}
END_TEST

TEST_MAIN("ops/batch_norm", haiku_a_constant_channel_gives_exactly_the_shift,
          a_constant_channel_has_variance_0_and_a_finite_gradient,
          eps_0_gives_the_shift_and_gradient_0_for_a_constant_channel,
          a_mean_of_1e4_with_deviation_1e_2_keeps_statistics_and_gradients_accurate,
          outliers_as_the_first_values_do_no_harm, a_nan_stays_in_its_channel,
          darknet_one_variance_and_one_eps_in_both_directions,
          a_plain_sum_of_the_output_hides_the_gradient_and_a_weighted_one_does_not,
          cml_gradients_flow_through_mean_and_variance,
          a_batch_of_one_is_an_error_that_says_what_to_do,
          evaluation_does_not_depend_on_the_batch_size,
          a_frozen_batch_norm_is_a_fixed_affine_map_with_gradients,
          given_statistics_are_not_used_and_not_changed_in_training,
          the_scale_of_the_input_does_not_matter,
          the_gradient_is_orthogonal_to_ones_and_to_the_result,
          mean_only_batch_norm_subtracts_the_mean_and_does_not_divide, two_axes_of_one_layout_agree,
          a_hessian_through_batch_norm_is_symmetric,
          the_gradient_finds_the_statistics_again_if_they_are_not_given,
          wrong_inputs_are_named_with_both_shapes,
          every_failed_allocation_is_an_error_and_leaks_nothing, a_steady_step_allocates_nothing)
