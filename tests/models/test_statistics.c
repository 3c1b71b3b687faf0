/* Running statistics found again: exact, whatever the batches, and with their standard error. */
#include <math.h>

#include "optim/statistics.h"

#include "tests/models/model_test.h"

#define ROWS 23
#define CHANNELS 3

/* Adds rows first..last of x as a batch. */
static void gather(fixture *f, nm_statistics *s, nm_tensor *x, int64_t first, int64_t last)
{
    nm_tape_reset(f->tape);
    const nm_pass pass = {.tape = f->tape, .statistics = s};
    float *rows = nm_tensor_f32(x) + first * CHANNELS;
    nm_tensor *batch = nm_tape_wrap(f->tape, NM_F32, NM_SHAPE(last - first, CHANNELS), rows);
    ck_assert_ptr_nonnull(nm_model_forward(f->model, &pass, batch));
    assert_fine(f->context);
}

static void exact(nm_tensor *x, int64_t channel, double *mean, double *var)
{
    *mean = *var = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        *mean += nm_tensor_get(x, i * CHANNELS + channel) / ROWS;
    }
    for (int64_t i = 0; i < ROWS; i++) {
        *var += pow(nm_tensor_get(x, i * CHANNELS + channel) - *mean, 2) / (ROWS - 1);
    }
}

/* By batches of 10, 2, 7 and 4 of values about `center`. */
static void check_exact(double center, double tolerance)
{
    static const int64_t ends[] = {0, 10, 12, 19, 23};
    fixture f = begin("[batch_norm]", NM_SHAPE(CHANNELS));
    nm_tensor *x = nm_tensor_create(f.context, NM_F32, NM_SHAPE(ROWS, CHANNELS));
    nm_random random = nm_random_create(3, 1);
    nm_random_fill_normal(&random, x, center, 1);
    nm_statistics *s = nm_statistics_create(f.context);
    for (int i = 0; i < 4; i++) {
        gather(&f, s, x, ends[i], ends[i + 1]);
    }
    ck_assert(value_of(&f, "bn1.running_mean", 0) == 0); /* nothing has moved */
    ck_assert_int_eq(nm_statistics_store(s), NM_OK);
    for (int64_t c = 0; c < CHANNELS; c++) {
        double mean, var;
        exact(x, c, &mean, &var);
        assert_near(value_of(&f, "bn1.running_mean", c), mean, 1e-7, 1e-7);
        assert_near(value_of(&f, "bn1.running_var", c), var, tolerance, 0);
        ck_assert(value_of(&f, "bn1.running_var", c) > 0);
    }
    nm_statistics_destroy(s);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}

START_TEST(they_are_exact_for_unequal_batches)
{
    check_exact(0.5, 1e-6);
}
END_TEST

/* fvcore's are E[x^2] - E[x]^2, and swa#8 printed negative variances. */
START_TEST(fvcore_a_large_mean_leaves_the_variance_positive_and_right)
{
    check_exact(1e4, 2e-4); /* a batch's mean is rounded to f32 */
    check_exact(-1e6, 0.05);
}
END_TEST

/* Of K batches with means m_b: the deviation of the m_b / sqrt(K). */
START_TEST(the_standard_error_is_that_of_a_mean_over_batches)
{
    static const double means[] = {1, 4, 2, 5}, vars[] = {1, 3, 2, 2};
    fixture f = begin("[batch_norm]", NM_SHAPE(1));
    nm_statistics *s = nm_statistics_create(f.context);
    const nm_entry *mean = nm_store_find(f.store, "bn1.running_mean");
    const nm_entry *var = nm_store_find(f.store, "bn1.running_var");
    for (int i = 0; i < 4; i++) {
        nm_tensor *m = nm_full(f.tape, NM_F32, NM_SHAPE(1), means[i]);
        nm_tensor *v = nm_full(f.tape, NM_F32, NM_SHAPE(1), vars[i]);
        ck_assert_int_eq(nm_statistics_add(s, mean, var, m, v, 10), NM_OK);
        ck_assert(i > 0 || isnan(nm_statistics_at(s, 0).mean_error)); /* one batch tells nothing */
    }
    const nm_statistics_report r = nm_statistics_at(s, 0);
    const double total = (10 * (1 + 3 + 2 + 2) + 10 * (4 + 1 + 1 + 4)) / 39.0;
    ck_assert_str_eq(r.name, "bn1.running_mean");
    ck_assert_int_eq(r.values, 40);
    assert_near(r.moved, 3 / sqrt(total), 1e-12, 0);
    assert_near(r.mean_error, sqrt(10 / 3.0 / 4) / sqrt(total), 1e-12, 0);
    assert_near(r.ratio, total, 1e-12, 0);
    assert_near(r.var_error, sqrt(2 / 3.0 / 4) / total, 1e-12, 0);
    ck_assert_ptr_null(nm_statistics_at(s, 1).name);
    nm_statistics_destroy(s);
    end(&f);
}
END_TEST

START_TEST(dropout_is_off_and_frozen_layers_stay)
{
    fixture f =
        begin("[dropout: {p: 0.9}, batch_norm, batch_norm: {frozen: true}]", NM_SHAPE(CHANNELS));
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(ROWS, CHANNELS), 7);
    nm_statistics *s = nm_statistics_create(f.context);
    double mean, var;
    gather(&f, s, x, 0, ROWS);
    ck_assert_int_eq(nm_statistics_count(s), 1);
    nm_statistics_store(s);
    exact(x, 1, &mean, &var);
    assert_near(value_of(&f, "bn1.running_mean", 1), mean, 1e-6, 1e-7);
    assert_near(value_of(&f, "bn1.running_var", 1), var, 1e-6, 0);
    ck_assert(value_of(&f, "bn2.running_mean", 1) == 0);
    nm_statistics_destroy(s);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(what_is_not_finite_changes_nothing)
{
    fixture f = begin("[batch_norm]", NM_SHAPE(CHANNELS));
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(ROWS, CHANNELS), 7);
    nm_statistics *s = nm_statistics_create(f.context);
    nm_tensor_set(x, 4, INFINITY);
    gather(&f, s, x, 0, ROWS);
    ck_assert_int_eq(nm_statistics_store(s), NM_ERROR_NUMERIC);
    assert_error(f.context, NM_ERROR_NUMERIC, "channel 1 of bn1.running_mean is not finite");
    ck_assert(value_of(&f, "bn1.running_mean", 0) == 0);
    nm_statistics_destroy(s);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

TEST_MAIN("models/statistics", they_are_exact_for_unequal_batches,
          fvcore_a_large_mean_leaves_the_variance_positive_and_right,
          the_standard_error_is_that_of_a_mean_over_batches, dropout_is_off_and_frozen_layers_stay,
          what_is_not_finite_changes_nothing)
