/* Softmax and losses. Values and gradients against PyTorch's are in test_golden.c, the
 * gradient check is in test_all.c. */
#include <math.h>
#include <string.h>

#include "tests/ops/loss_test.h"

/* ---- Softmax ---- */

START_TEST(softmax_of_huge_logits_neither_overflows_nor_vanishes)
{
    fixture b = begin();
    nm_tensor *x = numbers(&b, NM_F32, NM_SHAPE(2, 3), (double[]){1e30, 1e30, -1e30, 3e38, 0, 1});
    nm_tensor *y = nm_softmax(b.tape, x), *z = nm_log_softmax(b.tape, x);
    ck_assert(nm_tensor_get(y, 0) == 0.5 && nm_tensor_get(y, 2) == 0 && nm_tensor_get(y, 3) == 1);
    assert_near(nm_tensor_get(z, 0), -log(2), 1e-6, 0);
    ck_assert(nm_tensor_get(z, 3) == 0 && isfinite(nm_tensor_get(z, 2)));
    end(&b);
}
END_TEST

START_TEST(softmax_sums_to_1_along_any_axis_and_length)
{
    static const int64_t lengths[] = {1, 2, 7, 16, 17, 1000};
    fixture b = begin();
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        const int64_t n = lengths[k];
        nm_tensor *y = nm_softmax(b.tape, gaussian(&b, NM_SHAPE(3, n, 2), 5, 0), .axis = 1);
        for (int64_t line = 0; line < 6; line++) {
            double sum = 0;
            for (int64_t i = 0; i < n; i++) {
                sum += nm_tensor_get(y, (line / 2 * n + i) * 2 + line % 2);
            }
            assert_near(sum, 1, 1e-5, 0);
        }
    }
    end(&b);
}
END_TEST

START_TEST(log_softmax_is_accurate_where_softmax_underflows)
{
    fixture b = begin();
    nm_tensor *x = numbers(&b, NM_F32, NM_SHAPE(2), (double[]){0, -200});
    ck_assert(nm_tensor_get(nm_softmax(b.tape, x), 1) == 0);
    assert_near(nm_tensor_get(nm_log_softmax(b.tape, x), 1), -200, 1e-7, 0);
    end(&b);
}
END_TEST

START_TEST(a_wrong_axis_names_the_shape)
{
    fixture b = begin();
    ck_assert_ptr_null(nm_softmax(b.tape, gaussian(&b, NM_SHAPE(2, 3), 1, 0), .axis = 2));
    assert_error(b.context, NM_ERROR_INPUT, "softmax: x [2, 3] has no axis 2");
    ck_assert_ptr_null(nm_log_softmax(b.tape, gaussian(&b, NM_SHAPE(2, 3), 1, 0), .axis = -3));
    assert_error(b.context, NM_ERROR_INPUT, "log_softmax: x [2, 3] has no axis -3");
    end(&b);
}
END_TEST

/* Lines that fill no vector are computed side by side. */
START_TEST(a_line_among_others_has_the_bits_of_one_alone)
{
    static const int64_t lengths[] = {1, 2, 10, 16, 31, 63, 64};
    fixture b = begin();
    for (size_t c = 0; c < sizeof lengths / sizeof *lengths; c++) {
        const int64_t n = lengths[c], lines = 35;
        nm_tensor *x = gaussian(&b, NM_SHAPE(lines, n), 3, c);
        nm_tensor *y = nm_softmax(b.tape, x), *z = nm_log_softmax(b.tape, x);
        for (int64_t line = 0; line < lines; line++) {
            nm_tensor *row = nm_slice(b.tape, x, .start = NM_INTS(line), .stop = NM_INTS(line + 1));
            nm_tensor *p = nm_softmax(b.tape, row), *q = nm_log_softmax(b.tape, row);
            assert_fine(b.context);
            for (int64_t k = 0; k < n; k++) {
                ck_assert(nm_tensor_get(p, k) == nm_tensor_get(y, line * n + k));
                ck_assert(nm_tensor_get(q, k) == nm_tensor_get(z, line * n + k));
                assert_near(exp(nm_tensor_get(q, k)), nm_tensor_get(p, k), 1e-5, 1e-30);
            }
        }
    }
    end(&b);
}
END_TEST

/* ---- Cross entropy ---- */

START_TEST(cross_entropy_is_the_negative_log_softmax_of_the_label)
{
    fixture b = begin();
    nm_tensor *x = gaussian(&b, NM_SHAPE(5, 33), 3, 0);
    nm_tensor *labels = numbers(&b, NM_I64, NM_SHAPE(5), (double[]){0, 32, 16, 5, 5});
    nm_tensor *each = nm_cross_entropy(b.tape, x, labels, .reduction = NM_LOSS_NONE);
    nm_tensor *log_p = nm_log_softmax(b.tape, x);
    double sum = 0;
    for (int64_t i = 0; i < 5; i++) {
        const int64_t label = (int64_t)nm_tensor_get(labels, i);
        assert_near(nm_tensor_get(each, i), -nm_tensor_get(log_p, 33 * i + label), 1e-5, 1e-6);
        sum += nm_tensor_get(each, i);
    }
    assert_near(nm_tensor_item(nm_cross_entropy(b.tape, x, labels)), sum / 5, 1e-6, 0);
    assert_near(nm_tensor_item(nm_cross_entropy(b.tape, x, labels, .reduction = NM_LOSS_SUM)), sum,
                1e-6, 0);
    end(&b);
}
END_TEST

/* One row of `all`, its label and its class weights, alone: its loss and gradient. */
static void assert_row_alone(fixture *b, nm_tensor *all, nm_tensor *labels, nm_tensor *weights,
                             int64_t row, double loss, nm_tensor *grad)
{
    const int64_t n = nm_tensor_shape(all)->dim[1];
    double logits[64], label = nm_tensor_get(labels, row), one = 1;
    for (int64_t k = 0; k < n; k++) {
        logits[k] = nm_tensor_get(all, n * row + k);
    }
    nm_tensor *x = numbers(b, NM_F32, NM_SHAPE(1, n), logits);
    nm_tensor *y = nm_weighted_cross_entropy(b->tape, x, numbers(b, NM_I32, NM_SHAPE(1), &label),
                                             weights, .reduction = NM_LOSS_NONE,
                                             .label_smoothing = 0.1, .ignore_index = 1);
    assert_fine(b->context);
    ck_assert_msg(nm_tensor_get(y, 0) == loss, "row %d of %d classes: %.9g, alone %.9g", (int)row,
                  (int)n, loss, nm_tensor_get(y, 0));
    nm_tensor *alone = gradient(b, y, numbers(b, NM_F32, NM_SHAPE(1), &one), x);
    for (int64_t k = 0; k < n; k++) {
        ck_assert_msg(nm_tensor_get(alone, k) == nm_tensor_get(grad, n * row + k),
                      "row %d of %d classes: the gradient differs", (int)row, (int)n);
    }
}

START_TEST(a_row_among_others_has_the_bits_of_one_alone)
{
    static const int64_t classes[] = {1, 2, 10, 16, 33, 63, 64};
    for (size_t c = 0; c < 2 * sizeof classes / sizeof *classes; c++) {
        fixture b = begin();
        const int64_t n = classes[c / 2], count = 35;
        nm_tensor *x = gaussian(&b, NM_SHAPE(count, n), 3, c);
        nm_tensor *weights = c % 2 ? nm_full(b.tape, NM_F32, NM_SHAPE(n), 0.7) : NULL;
        double label[35], dy[35];
        for (int64_t i = 0; i < count; i++) {
            label[i] = (double)(i % n), dy[i] = 1;
        }
        for (int64_t k = 0; n > 1 && k < n; k++) {
            nm_tensor_set(x, n + k, NAN); /* its label is ignored */
        }
        nm_tensor *labels = numbers(&b, NM_I32, NM_SHAPE(count), label);
        nm_tensor *y =
            nm_weighted_cross_entropy(b.tape, x, labels, weights, .reduction = NM_LOSS_NONE,
                                      .label_smoothing = 0.1, .ignore_index = 1);
        nm_tensor *dx = gradient(&b, y, numbers(&b, NM_F32, NM_SHAPE(count), dy), x);
        for (int64_t i = 0; i < count; i++) {
            assert_row_alone(&b, x, labels, weights, i, nm_tensor_get(y, i), dx);
        }
        end(&b);
    }
}
END_TEST

START_TEST(labels_of_every_integer_type_give_the_same_loss)
{
    static const nm_dtype types[] = {NM_I32, NM_I64, NM_U8};
    fixture b = begin();
    nm_tensor *x = gaussian(&b, NM_SHAPE(3, 4), 1, 0);
    double first = 0;
    for (int i = 0; i < 3; i++) {
        nm_tensor *labels = numbers(&b, types[i], NM_SHAPE(3), (double[]){3, 0, 2});
        const double loss = nm_tensor_item(nm_cross_entropy(b.tape, x, labels));
        first = i ? first : loss;
        ck_assert(loss == first && loss > 0);
    }
    end(&b);
}
END_TEST

START_TEST(a_label_out_of_range_is_named_with_its_row_and_the_classes)
{
    fixture b = begin();
    nm_tensor *x = gaussian(&b, NM_SHAPE(3, 10), 1, 0);
    nm_tensor *labels = numbers(&b, NM_I32, NM_SHAPE(3), (double[]){9, 10, 0});
    ck_assert_ptr_null(nm_cross_entropy(b.tape, x, labels));
    assert_error(
        b.context, NM_ERROR_INPUT,
        "cross_entropy: label 10 in row 1 is out of range: logits have 10 classes, from 0, "
        "and ignore_index is -100");
    nm_tensor_set(labels, 1, -1);
    ck_assert_ptr_null(nm_cross_entropy(b.tape, x, labels));
    assert_error(b.context, NM_ERROR_INPUT, "label -1 in row 1 is out of range");
    ck_assert_ptr_nonnull(nm_cross_entropy(b.tape, x, labels, .ignore_index = -1));
    end(&b);
}
END_TEST

START_TEST(an_ignored_row_counts_for_nothing_even_if_it_holds_nan)
{
    fixture b = begin();
    nm_tensor *x = gaussian(&b, NM_SHAPE(3, 4), 1, 0), *alone = gaussian(&b, NM_SHAPE(3, 4), 1, 0);
    nm_tensor *labels = numbers(&b, NM_I32, NM_SHAPE(3), (double[]){1, -100, 2});
    for (int64_t i = 4; i < 8; i++) {
        nm_tensor_set(x, i, NAN);
    }
    nm_tensor *loss = nm_cross_entropy(b.tape, x, labels, .label_smoothing = 0.1);
    nm_tensor *same = nm_cross_entropy(b.tape, alone, labels, .label_smoothing = 0.1);
    ck_assert(nm_tensor_item(loss) == nm_tensor_item(same));
    nm_tensor *dx = gradient(&b, loss, nm_scalar(b.tape, NM_F32, 1), x);
    for (int64_t i = 0; i < 12; i++) {
        const double g = nm_tensor_get(dx, i);
        ck_assert(i / 4 == 1 ? g == 0 : g != 0 && isfinite(g));
    }
    end(&b);
}
END_TEST

START_TEST(a_mean_over_ignored_rows_only_is_0_with_gradient_0)
{
    fixture b = begin();
    nm_tensor *x = gaussian(&b, NM_SHAPE(2, 3), 1, 0);
    nm_tensor *labels = numbers(&b, NM_I32, NM_SHAPE(2), (double[]){-100, -100});
    nm_tensor *loss = nm_cross_entropy(b.tape, x, labels);
    ck_assert(nm_tensor_item(loss) == 0);
    nm_tensor *dx = gradient(&b, loss, nm_scalar(b.tape, NM_F32, 1), x);
    for (int64_t i = 0; i < 6; i++) {
        ck_assert(nm_tensor_get(dx, i) == 0);
    }
    end(&b);
}
END_TEST

START_TEST(an_impossible_class_costs_nothing_unless_it_is_the_label)
{
    fixture b = begin();
    nm_tensor *x = numbers(&b, NM_F32, NM_SHAPE(1, 3), (double[]){0, -INFINITY, 0});
    nm_tensor *labels = numbers(&b, NM_I32, NM_SHAPE(1), (double[]){0});
    assert_near(nm_tensor_item(nm_cross_entropy(b.tape, x, labels)), log(2), 1e-6, 0);
    end(&b);
}
END_TEST

/* pytorch#16045, tiny-dnn#593, nntrainer#2155: shapes that do not fit are passed over silently. */
START_TEST(labels_of_another_shape_are_an_error_with_both_shapes)
{
    fixture b = begin();
    nm_tensor *x = gaussian(&b, NM_SHAPE(6, 10), 1, 0);
    nm_tensor *labels = nm_full(b.tape, NM_I32, NM_SHAPE(6, 1), 0);
    ck_assert_ptr_null(nm_cross_entropy(b.tape, x, labels));
    assert_error(b.context, NM_ERROR_INPUT,
                 "cross_entropy: labels [6, 1] must be [6]: one for each row of logits [6, 10]");
    ck_assert_ptr_null(nm_cross_entropy(b.tape, x, x));
    assert_error(b.context, NM_ERROR_INPUT, "labels is f32; it takes i32, i64 or u8");
    ck_assert_ptr_null(nm_cross_entropy(b.tape, x, nm_full(b.tape, NM_I8, NM_SHAPE(6), 1)));
    assert_error(b.context, NM_ERROR_INPUT, "labels is i8; it takes i32, i64 or u8");
    ck_assert_ptr_null(nm_cross_entropy(b.tape, x, labels, .label_smoothing = 1.5));
    assert_error(b.context, NM_ERROR_INPUT, "\"label_smoothing\" must be at least 0 and at most 1");
    end(&b);
}
END_TEST

/* Values of PyTorch's are in norm.safetensors; here is what it does not say. */
START_TEST(weights_of_1_change_nothing)
{
    fixture b = begin();
    nm_tensor *x = gaussian(&b, NM_SHAPE(7, 33), 3, 0);
    nm_tensor *labels = numbers(&b, NM_I32, NM_SHAPE(7), (double[]){0, 32, 16, -100, 5, 5, 1});
    nm_tensor *ones = nm_full(b.tape, NM_F32, NM_SHAPE(33), 1);
    nm_tensor *plain = nm_cross_entropy(b.tape, x, labels, .label_smoothing = 0.2);
    nm_tensor *same = nm_weighted_cross_entropy(b.tape, x, labels, ones, .label_smoothing = 0.2);
    nm_tensor *none = nm_weighted_cross_entropy(b.tape, x, labels, NULL, .label_smoothing = 0.2);
    assert_near(nm_tensor_item(same), nm_tensor_item(plain), 1e-6, 0);
    ck_assert(nm_tensor_item(none) == nm_tensor_item(plain));
    nm_tensor *one = nm_scalar(b.tape, NM_F32, 1);
    nm_tensor *dx = gradient(&b, plain, one, x), *dy = gradient(&b, same, one, x);
    for (int64_t i = 0; i < 7 * 33; i++) {
        assert_near(nm_tensor_get(dy, i), nm_tensor_get(dx, i), 1e-5, 1e-8);
    }
    end(&b);
}
END_TEST

START_TEST(rows_that_all_weigh_nothing_give_0_with_gradient_0)
{
    fixture b = begin();
    nm_tensor *x = gaussian(&b, NM_SHAPE(2, 3), 1, 0);
    nm_tensor *labels = numbers(&b, NM_I32, NM_SHAPE(2), (double[]){1, 1});
    nm_tensor *weight = numbers(&b, NM_F32, NM_SHAPE(3), (double[]){1, 0, 1});
    nm_tensor *loss = nm_weighted_cross_entropy(b.tape, x, labels, weight);
    ck_assert(nm_tensor_item(loss) == 0);
    nm_tensor *dx = gradient(&b, loss, nm_scalar(b.tape, NM_F32, 1), x);
    for (int64_t i = 0; i < 6; i++) {
        ck_assert(nm_tensor_get(dx, i) == 0);
    }
    end(&b);
}
END_TEST

START_TEST(an_impossible_class_may_have_a_weight)
{
    fixture b = begin();
    nm_tensor *x = numbers(&b, NM_F32, NM_SHAPE(1, 3), (double[]){0, -INFINITY, 0});
    nm_tensor *labels = numbers(&b, NM_I32, NM_SHAPE(1), (double[]){0});
    nm_tensor *weight = numbers(&b, NM_F32, NM_SHAPE(3), (double[]){5, 7, 1});
    assert_near(nm_tensor_item(nm_weighted_cross_entropy(b.tape, x, labels, weight)), log(2), 1e-6,
                0);
    end(&b);
}
END_TEST

START_TEST(weights_are_one_a_class)
{
    fixture b = begin();
    nm_tensor *x = gaussian(&b, NM_SHAPE(4, 3), 1, 0);
    nm_tensor *labels = nm_full(b.tape, NM_I32, NM_SHAPE(4), 0);
    ck_assert_ptr_null(
        nm_weighted_cross_entropy(b.tape, x, labels, nm_full(b.tape, NM_F32, NM_SHAPE(2), 1)));
    assert_error(b.context, NM_ERROR_INPUT,
                 "cross_entropy: weight [2] must have one number for each class of logits [4, 3]");
    ck_assert_ptr_null(
        nm_weighted_cross_entropy(b.tape, x, labels, nm_full(b.tape, NM_F32, NM_SHAPE(3, 1), 1)));
    assert_error(b.context, NM_ERROR_INPUT, "weight [3, 1] must have one number for each class");
    end(&b);
}
END_TEST

/* ---- Huber ---- */

START_TEST(huber_is_a_square_within_delta_and_straight_beyond)
{
    static const double x[] = {0, 0.5, -1.5, 2, -1024, INFINITY, -INFINITY};
    static const double y[] = {0, 0.125, 1.125, 1.875, 1534.875, INFINITY, INFINITY};
    static const double slope[] = {0, 0.5, -1.5, 1.5, -1.5, 1.5, -1.5};
    fixture b = begin();
    nm_tensor *in = numbers(&b, NM_F32, NM_SHAPE(7), x);
    nm_tensor *out = nm_huber(b.tape, in, .delta = 1.5);
    nm_tensor *dx = gradient(&b, out, nm_full(b.tape, NM_F32, NM_SHAPE(7), 1), in);
    for (int64_t i = 0; i < 7; i++) {
        ck_assert(nm_tensor_get(out, i) == (double)(float)y[i]);
        ck_assert(nm_tensor_get(dx, i) == slope[i]);
    }
    nm_tensor *nan = nm_huber(b.tape, numbers(&b, NM_F32, NM_SHAPE(1), (double[]){NAN}));
    ck_assert(isnan(nm_tensor_item(nan)));
    ck_assert_int_eq(nm_tensor_count(nm_huber(b.tape, gaussian(&b, NM_SHAPE(0, 3), 1, 0))), 0);
    ck_assert_ptr_null(nm_huber(b.tape, in, .delta = 0));
    assert_error(b.context, NM_ERROR_INPUT, "huber: \"delta\" must be above 0");
    end(&b);
}
END_TEST

/* ---- Mean squared error ---- */

START_TEST(mse_refuses_to_broadcast)
{
    fixture b = begin();
    nm_tensor *x = gaussian(&b, NM_SHAPE(5), 1, 0), *column = gaussian(&b, NM_SHAPE(5, 1), 1, 1);
    ck_assert_ptr_null(nm_mse(b.tape, x, column));
    assert_error(b.context, NM_ERROR_INPUT, "mse: target [5, 1] must have the shape of x [5]");
    end(&b);
}
END_TEST

START_TEST(mse_is_the_mean_of_the_squares_at_any_length)
{
    static const int64_t lengths[] = {1, 17, 1024, 1025, 70000};
    fixture b = begin();
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        nm_tensor *x = gaussian(&b, NM_SHAPE(lengths[k]), 1, 0);
        nm_tensor *t = gaussian(&b, NM_SHAPE(lengths[k]), 1, 1);
        double sum = 0;
        for (int64_t i = 0; i < lengths[k]; i++) {
            sum += pow(nm_tensor_get(x, i) - nm_tensor_get(t, i), 2);
        }
        assert_near(nm_tensor_item(nm_mse(b.tape, x, t)), sum / (double)lengths[k], 1e-6, 0);
        nm_tensor *each = nm_mse(b.tape, x, t, .reduction = NM_LOSS_NONE);
        const double last = nm_tensor_get(x, lengths[k] - 1) - nm_tensor_get(t, lengths[k] - 1);
        assert_near(nm_tensor_get(each, lengths[k] - 1), last * last, 1e-5, 1e-12);
    }
    nm_tensor *none = gaussian(&b, NM_SHAPE(0), 1, 0);
    ck_assert(nm_tensor_item(nm_mse(b.tape, none, none)) == 0);
    end(&b);
}
END_TEST

/* ---- All of them ---- */

static size_t run_all(int threads, char *results)
{
    fixture b = begin_with(threads);
    nm_tensor *x = gaussian(&b, NM_SHAPE(700, 50), 2, 0),
              *t = gaussian(&b, NM_SHAPE(700, 50), 2, 1);
    nm_tensor *labels = nm_tape_tensor(b.tape, NM_I32, NM_SHAPE(700));
    for (int64_t i = 0; i < 700; i++) {
        nm_tensor_set(labels, i, (double)(i % 50));
    }
    nm_tensor *loss = nm_cross_entropy(b.tape, x, labels, .label_smoothing = 0.1);
    nm_tensor *all[] = {nm_softmax(b.tape, x),
                        nm_log_softmax(b.tape, x, .axis = 0),
                        loss,
                        gradient(&b, loss, nm_scalar(b.tape, NM_F32, 1), x),
                        nm_mse(b.tape, x, t),
                        nm_dropout(b.tape, x, .seed = 9)};
    size_t at = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        memcpy(results + at, nm_tensor_data(all[i]), nm_tensor_bytes(all[i]));
        at += nm_tensor_bytes(all[i]);
    }
    end(&b);
    return at;
}

START_TEST(the_bits_do_not_depend_on_the_number_of_threads)
{
    static char one[4 * 150000], other[4 * 150000];
    const size_t bytes = run_all(1, one);
    ck_assert_uint_le(bytes, sizeof one);
    for (int threads = 2; threads < 5; threads++) {
        ck_assert_uint_eq(run_all(threads, other), bytes);
        ck_assert_mem_eq(one, other, bytes);
    }
}
END_TEST

static nm_status all_once(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_tape *tape = nm_register_ops(context) == NM_OK ? nm_tape_create(context) : NULL;
    nm_tensor *x = tape ? nm_full(tape, NM_F32, NM_SHAPE(40, 30), 1) : NULL;
    nm_tensor *labels = tape ? nm_full(tape, NM_I32, NM_SHAPE(40), 3) : NULL;
    if (x && labels) {
        nm_tensor_set_requires_grad(x, true);
        nm_tensor *y = nm_dropout(tape, nm_softmax(tape, x, .axis = 0));
        nm_tensor *loss = nm_cross_entropy(tape, nm_log_softmax(tape, y), labels), *dx = NULL;
        loss = nm_add(tape, loss, nm_mse(tape, x, y));
        if (loss) {
            nm_gradients(tape, &loss, NULL, 1, &x, 1, 0, &dx);
        }
    }
    nm_status status = nm_context_status(context);
    nm_tape_destroy(tape);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failed_allocation_is_an_error_and_leaks_nothing)
{
    test_every_allocation(all_once);
}
END_TEST

TEST_MAIN("ops/loss", softmax_of_huge_logits_neither_overflows_nor_vanishes,
          softmax_sums_to_1_along_any_axis_and_length,
          log_softmax_is_accurate_where_softmax_underflows, a_wrong_axis_names_the_shape,
          a_line_among_others_has_the_bits_of_one_alone,
          cross_entropy_is_the_negative_log_softmax_of_the_label,
          a_row_among_others_has_the_bits_of_one_alone,
          labels_of_every_integer_type_give_the_same_loss,
          a_label_out_of_range_is_named_with_its_row_and_the_classes,
          an_ignored_row_counts_for_nothing_even_if_it_holds_nan,
          a_mean_over_ignored_rows_only_is_0_with_gradient_0,
          an_impossible_class_costs_nothing_unless_it_is_the_label,
          labels_of_another_shape_are_an_error_with_both_shapes, weights_of_1_change_nothing,
          rows_that_all_weigh_nothing_give_0_with_gradient_0, an_impossible_class_may_have_a_weight,
          weights_are_one_a_class, huber_is_a_square_within_delta_and_straight_beyond,
          mse_refuses_to_broadcast, mse_is_the_mean_of_the_squares_at_any_length,
          the_bits_do_not_depend_on_the_number_of_threads,
          every_failed_allocation_is_an_error_and_leaks_nothing)
