/* ctc beside PyTorch's stored values: what cannot be, edges, mistakes. */
#include <math.h>

#include "core/derivatives.h"
#include "tests/ops/ops_test.h"

/* [rows, columns] of integers. */
static nm_tensor *whole(fixture *f, nm_shape shape, int64_t *numbers)
{
    return nm_tape_wrap(f->tape, NM_I64, shape, numbers);
}
#define ROWS(f, rows, columns, ...) whole(f, NM_SHAPE(rows, columns), (int64_t[]){__VA_ARGS__})
#define ROW(f, count, ...) whole(f, NM_SHAPE(count), (int64_t[]){__VA_ARGS__})

START_TEST(one_label_in_one_step_costs_its_own_logarithm)
{
    fixture f = begin();
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(1, 1, 3), 0, 1, 1);
    nm_tensor *y = nm_ctc(f.tape, x, ROWS(&f, 1, 1, 2), NULL, NULL);
    ck_assert(nm_tensor_item(y) == -nm_tensor_get(x, 2));
    y = nm_ctc(f.tape, x, ROWS(&f, 1, 1, 2), NULL, ROW(&f, 1, 0)); /* no label: the blank */
    ck_assert(nm_tensor_item(y) == -nm_tensor_get(x, 0));
    assert_fine(f.context);
    end(&f);
}
END_TEST

START_TEST(labels_that_cannot_be_cost_infinity_or_nothing)
{
    fixture f = begin();
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(2, 2, 3), 0, 1, 1), *dx;
    nm_tensor *twice = ROWS(&f, 2, 2, 1, 1, 1, 2); /* 1 1 wants a blank between */
    nm_tensor *y = nm_ctc(f.tape, x, twice, NULL, NULL, .reduction = NM_LOSS_NONE);
    ck_assert(isinf(nm_tensor_get(y, 0)) && nm_tensor_get(y, 0) > 0);
    ck_assert(isfinite(nm_tensor_get(y, 1)));
    nm_gradients(f.tape, &y, NULL, 1, &x, 1, NM_KEEP_GRAPH, &dx);
    ck_assert(!isfinite(nm_tensor_get(dx, 1)) && isfinite(nm_tensor_get(dx, 7)));
    y = nm_ctc(f.tape, x, twice, NULL, NULL, .reduction = NM_LOSS_NONE, .zero_infinity = true);
    ck_assert(nm_tensor_get(y, 0) == 0 && nm_tensor_get(y, 1) != 0);
    nm_gradients(f.tape, &y, NULL, 1, &x, 1, 0, &dx);
    for (int64_t i = 0; i < 12; i++) {
        ck_assert(isfinite(nm_tensor_get(dx, i)) && (i >= 6 || nm_tensor_get(dx, i) == 0));
    }
    assert_fine(f.context);
    end(&f);
}
END_TEST

START_TEST(a_probability_of_0_is_no_trouble)
{
    fixture f = begin();
    const float far = -INFINITY;
    float numbers[] = {0, far, far, far, 0, far, 0, far, far};
    nm_tensor *x = nm_tape_wrap(f.tape, NM_F32, NM_SHAPE(1, 3, 3), numbers), *dx;
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *y = nm_ctc(f.tape, x, ROWS(&f, 1, 1, 1), NULL, NULL);
    ck_assert(nm_tensor_item(y) == 0);
    nm_gradients(f.tape, &y, NULL, 1, &x, 1, 0, &dx);
    assert_fine(f.context);
    ck_assert(nm_tensor_get(dx, 4) == -1 && nm_tensor_get(dx, 1) == 0);
    y = nm_ctc(f.tape, x, ROWS(&f, 1, 1, 2), NULL, NULL); /* never possible */
    ck_assert(isinf(nm_tensor_item(y)));
    end(&f);
}
END_TEST

START_TEST(empty_sequences_and_labels_are_what_they_are)
{
    fixture f = begin();
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(2, 3, 3), 0, 1, 1);
    nm_tensor *targets = ROWS(&f, 2, 1, 1, 1);
    nm_tensor *y =
        nm_ctc(f.tape, x, targets, ROW(&f, 2, 0, 0), ROW(&f, 2, 0, 1), .reduction = NM_LOSS_NONE);
    ck_assert(nm_tensor_get(y, 0) == 0 && isinf(nm_tensor_get(y, 1)));
    y = nm_ctc(f.tape, x, nm_tape_tensor(f.tape, NM_I32, NM_SHAPE(2, 0)), NULL, NULL,
               .reduction = NM_LOSS_NONE); /* blanks alone */
    const double blanks = nm_tensor_get(x, 0) + nm_tensor_get(x, 3) + nm_tensor_get(x, 6);
    assert_near(nm_tensor_get(y, 0), -blanks, 1e-14, 1e-14);
    y = nm_ctc(f.tape, nm_tape_tensor(f.tape, NM_F64, NM_SHAPE(2, 0, 3)), targets, NULL, NULL);
    ck_assert(isinf(nm_tensor_item(y)));
    y = nm_ctc(f.tape, nm_tape_tensor(f.tape, NM_F64, NM_SHAPE(0, 2, 3)),
               nm_tape_tensor(f.tape, NM_I32, NM_SHAPE(0, 2)), NULL, NULL,
               .reduction = NM_LOSS_SUM);
    ck_assert(nm_tensor_item(y) == 0);
    assert_fine(f.context);
    end(&f);
}
END_TEST

START_TEST(what_does_not_fit_is_named)
{
    fixture f = begin();
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(2, 4, 3), 0, 1, 1);
    nm_tensor *targets = ROWS(&f, 2, 2, 1, 2, 2, 1);
    nm_ctc(f.tape, x, ROWS(&f, 2, 2, 1, 2, 2, 0), NULL, NULL);
    assert_error(f.context, NM_ERROR_INPUT,
                 "targets at [1, 1] is 0; labels are classes from 0 to 2, and not the blank, 0");
    nm_ctc(f.tape, x, ROWS(&f, 2, 2, 1, 3, 2, 1), NULL, NULL);
    assert_error(f.context, NM_ERROR_INPUT, "targets at [0, 1] is 3");
    nm_ctc(f.tape, x, targets, NULL, ROW(&f, 2, 1, 3));
    assert_error(f.context, NM_ERROR_INPUT, "target_lengths at [1] is 3; there are 2 labels");
    nm_ctc(f.tape, x, targets, ROW(&f, 2, 4, 5), NULL);
    assert_error(f.context, NM_ERROR_INPUT, "the length at [1] is 5; there are 4 steps");
    nm_ctc(f.tape, x, targets, ROW(&f, 3, 4, 4, 4), NULL);
    assert_error(f.context, NM_ERROR_INPUT, "input_lengths [3] must have one number for each row");
    nm_ctc(f.tape, x, targets, NULL, ROW(&f, 1, 1));
    assert_error(f.context, NM_ERROR_INPUT, "must be [n, labels] and [n]");
    nm_ctc(f.tape, x, ROW(&f, 2, 1, 1), NULL, NULL);
    assert_error(f.context, NM_ERROR_INPUT, "log_probs [2, 4, 3] and targets [2] must be");
    nm_ctc(f.tape, x, targets, NULL, NULL, .blank = 3);
    assert_error(f.context, NM_ERROR_INPUT, "blank: 3 is no class of log_probs [2, 4, 3]");
    end(&f);
}
END_TEST

START_TEST(forward_mode_goes_through)
{
    fixture f = begin();
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(1, 4, 3), 0, 1, 1), *dx, *change;
    nm_tensor *v = normal(&f, NM_F64, NM_SHAPE(1, 4, 3), 0, 1, 2);
    nm_tensor *y = nm_ctc(f.tape, x, ROWS(&f, 1, 2, 1, 2), NULL, NULL);
    nm_gradients(f.tape, &y, NULL, 1, &x, 1, NM_KEEP_GRAPH, &dx);
    nm_jvp(f.tape, &y, 1, &x, &v, 1, 0, &change);
    assert_fine(f.context);
    double sum = 0;
    for (int64_t i = 0; i < 12; i++) {
        sum += nm_tensor_get(dx, i) * nm_tensor_get(v, i);
    }
    assert_near(nm_tensor_item(change), sum, 1e-12, 1e-12);
    end(&f);
}
END_TEST

/* ---- ctc_decode ---- */

/* Steps whose largest class is that of `best`, all others 0: [1, steps, 4]. */
static nm_tensor *steps_of(fixture *f, nm_dtype dtype, const int *best, int64_t steps)
{
    nm_tensor *x = nm_full(f->tape, dtype, NM_SHAPE(1, steps, 4), 0);
    for (int64_t t = 0; t < steps; t++) {
        nm_tensor_set(x, 4 * t + best[t], 1);
    }
    return x;
}

static void assert_labels(nm_tensor *y, const int *wanted)
{
    ck_assert_ptr_nonnull(y);
    for (int64_t i = 0; i < nm_tensor_count(y); i++) {
        ck_assert_double_eq(nm_tensor_get(y, i), wanted[i]);
    }
}

START_TEST(labels_are_read_without_repetitions_and_blanks)
{
    fixture f = begin();
    const int best[] = {1, 1, 0, 1, 2, 2, 0, 0, 3};
    for (int i = 0; i < 2; i++) {
        nm_tensor *x = steps_of(&f, i ? NM_F64 : NM_F32, best, 9);
        nm_tensor *y = nm_ctc_decode(f.tape, x, NULL);
        ck_assert_int_eq(nm_tensor_dtype(y), NM_I32);
        assert_labels(y, (int[]){1, 1, 2, 3, -1, -1, -1, -1, -1});
        y = nm_ctc_decode(f.tape, x, NULL, .blank = 2, .padding = 9); /* 0 is a label then */
        assert_labels(y, (int[]){1, 0, 1, 0, 3, 9, 9, 9, 9});
        y = nm_ctc_decode(f.tape, x, ROW(&f, 1, 4));
        assert_labels(y, (int[]){1, 1, -1, -1, -1, -1, -1, -1, -1});
        y = nm_ctc_decode(f.tape, x, ROW(&f, 1, 0));
        assert_labels(y, (int[]){-1, -1, -1, -1, -1, -1, -1, -1, -1});
    }
    nm_tensor *x = steps_of(&f, NM_F32, best, 9);
    nm_tensor_set(x, 1, 0); /* all four are equal: the first */
    nm_tensor_set(x, 4 * 8 + 1, NAN);
    assert_labels(nm_ctc_decode(f.tape, x, NULL), (int[]){1, 1, 2, 1, -1, -1, -1, -1, -1});
    nm_tensor_set(x, 4 * 8 + 1, 0);
    nm_tensor_set(x, 4 * 8, NAN);
    assert_labels(nm_ctc_decode(f.tape, x, NULL), (int[]){1, 1, 2, -1, -1, -1, -1, -1, -1});
    assert_fine(f.context);
    end(&f);
}
END_TEST

START_TEST(what_cannot_be_decoded_is_named)
{
    fixture f = begin();
    nm_tensor *x = steps_of(&f, NM_F32, (int[]){1, 1}, 2);
    nm_ctc_decode(f.tape, x, ROW(&f, 1, 3));
    assert_error(f.context, NM_ERROR_INPUT, "input_lengths at [0] is 3; there are 2 steps");
    nm_ctc_decode(f.tape, x, ROW(&f, 1, -1));
    assert_error(f.context, NM_ERROR_INPUT, "input_lengths at [0] is -1");
    nm_ctc_decode(f.tape, x, ROW(&f, 2, 1, 1));
    assert_error(f.context, NM_ERROR_INPUT, "x [1, 2, 4] and input_lengths [2] must be");
    nm_ctc_decode(f.tape, x, NULL, .blank = 4);
    assert_error(f.context, NM_ERROR_INPUT, "blank: 4 is no class of x [1, 2, 4]");
    nm_ctc_decode(f.tape, nm_tape_tensor(f.tape, NM_F32, NM_SHAPE(2, 3)), NULL);
    assert_error(f.context, NM_ERROR_INPUT, "x [2, 3] and input_lengths (none)");
    nm_tensor *y = nm_ctc_decode(f.tape, nm_tape_tensor(f.tape, NM_F32, NM_SHAPE(2, 0, 3)), NULL);
    ck_assert_int_eq(nm_tensor_count(y), 0);
    assert_fine(f.context);
    end(&f);
}
END_TEST

TEST_MAIN("ops/ctc", one_label_in_one_step_costs_its_own_logarithm,
          labels_that_cannot_be_cost_infinity_or_nothing, a_probability_of_0_is_no_trouble,
          empty_sequences_and_labels_are_what_they_are, what_does_not_fit_is_named,
          forward_mode_goes_through, labels_are_read_without_repetitions_and_blanks,
          what_cannot_be_decoded_is_named)
