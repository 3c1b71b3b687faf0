/* Temperatures against those that SciPy 1.10.1 (brentq on the derivative) and PyTorch 2.13.0 (LBFGS
 * on log T, in f64) find for the same scores; both agree to 11 digits. */
#include "optim/calibration.h"

#include <math.h>
#include <stdlib.h>

#include "tests/test.h"

#define SAMPLES 120
#define CLASSES 4

/* Right for two of three samples, and surer than that. */
static void make_scores(float *scores, int32_t *labels)
{
    for (int i = 0; i < SAMPLES; i++) {
        labels[i] = (i * i + i / 3) % 3;
        for (int k = 0; k < CLASSES; k++) {
            const int raw = (37 * i + 11 * k * k + 5 * i * k) % 23;
            scores[i * CLASSES + k] =
                (float)raw / 4 + (k == labels[i] ? 2.5f : 0) - (k == 3 ? 1.5f : 0);
        }
    }
}

static nm_calibration fit(nm_context *context, const float *scores, const int32_t *labels,
                          int64_t samples, int64_t classes)
{
    nm_calibration c;
    ck_assert_int_eq(nm_calibrate_temperature(context, scores, labels, samples, classes, &c),
                     NM_OK);
    return c;
}

START_TEST(the_temperature_is_that_of_scipy_and_of_pytorchs_lbfgs)
{
    float scores[SAMPLES * CLASSES];
    int32_t labels[SAMPLES];
    nm_context *context = test_context(NULL);
    make_scores(scores, labels);
    const nm_calibration c = fit(context, scores, labels, SAMPLES, CLASSES);
    ck_assert_double_eq_tol(c.temperature, 1.14532065317794, 1e-11);
    ck_assert_double_eq_tol(c.before, 0.689998554597717, 1e-14);
    ck_assert_double_eq_tol(c.after, 0.6844906701788, 1e-13);
    nm_context_destroy(context);
}
END_TEST

START_TEST(two_classes_are_calibrated_as_scipy_does)
{
    float scores[SAMPLES * CLASSES], two[SAMPLES * 2];
    int32_t labels[SAMPLES];
    nm_context *context = test_context(NULL);
    make_scores(scores, labels);
    for (int i = 0; i < SAMPLES; i++) {
        two[2 * i] = scores[CLASSES * i];
        two[2 * i + 1] = scores[CLASSES * i + 1];
        labels[i] = labels[i] > 0;
    }
    const nm_calibration c = fit(context, two, labels, SAMPLES, 2);
    ck_assert_double_eq_tol(c.temperature, 2.14012393022862, 1e-11);
    ck_assert_double_eq_tol(c.before, 0.615533175139285, 1e-14);
    ck_assert_double_eq_tol(c.after, 0.521226270471299, 1e-13);
    nm_context_destroy(context);
}
END_TEST

START_TEST(scores_that_are_scaled_want_a_temperature_that_is_scaled)
{
    static const float scales[] = {0.03125f, 0.25f, 8, 64};
    float scores[SAMPLES * CLASSES], scaled[SAMPLES * CLASSES];
    int32_t labels[SAMPLES];
    nm_context *context = test_context(NULL);
    make_scores(scores, labels);
    for (int n = 0; n < 4; n++) {
        for (int i = 0; i < SAMPLES * CLASSES; i++) {
            scaled[i] = scores[i] * scales[n];
        }
        const nm_calibration c = fit(context, scaled, labels, SAMPLES, CLASSES);
        ck_assert_double_eq_tol(c.temperature / (double)scales[n], 1.14532065317794, 1e-10);
        ck_assert_double_eq_tol(c.after, 0.6844906701788, 1e-12);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(scores_that_are_always_right_or_never_end_at_a_limit)
{
    const float right[] = {2, 0, 0, 1, 3, -1}, wrong[] = {0, 1, 2, 0, 0, 5};
    const int32_t labels[] = {0, 1, 0};
    nm_context *context = test_context(NULL);
    nm_calibration c = fit(context, right, labels, 3, 2);
    ck_assert_double_eq(c.temperature, NM_TEMPERATURE_LEAST);
    ck_assert(isfinite(c.before) && isfinite(c.after) && c.after < c.before);
    c = fit(context, wrong, labels, 3, 2);
    ck_assert_double_eq(c.temperature, NM_TEMPERATURE_MOST);
    ck_assert(isfinite(c.after) && c.after < c.before);
    const float same[] = {1, 1, 1, 1, 1, 1}; /* any temperature does: none is asked for */
    c = fit(context, same, labels, 3, 2);
    ck_assert_double_eq_tol(c.after, log(2), 1e-15);
    const float huge[] = {3e38f, -3e38f, -3e38f, 3e38f, 1, 2}; /* nothing overflows */
    c = fit(context, huge, labels, 3, 2);
    ck_assert(isfinite(c.temperature));
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_cannot_be_calibrated_is_refused)
{
    const float scores[] = {1, 2, NAN, 0};
    const int32_t labels[] = {0, 2};
    nm_calibration c;
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(nm_calibrate_temperature(context, scores, labels, 0, 2, &c), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT,
                 "calibration: a temperature takes samples and two classes or more, not 0 and 2");
    ck_assert_int_eq(nm_calibrate_temperature(context, scores, labels, 2, 1, &c), NM_ERROR_INPUT);
    nm_context_clear_error(context);
    nm_calibrate_temperature(context, scores, labels, 2, 2, &c);
    assert_error(context, NM_ERROR_INPUT,
                 "calibration: sample 1 has the label 2, but there are 2 classes");
    nm_calibrate_temperature(context, scores, (int32_t[]){0, 1}, 2, 2, &c);
    assert_error(context, NM_ERROR_NUMERIC, "calibration: a score of sample 1 is not finite");
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/calibration", the_temperature_is_that_of_scipy_and_of_pytorchs_lbfgs,
          two_classes_are_calibrated_as_scipy_does,
          scores_that_are_scaled_want_a_temperature_that_is_scaled,
          scores_that_are_always_right_or_never_end_at_a_limit,
          what_cannot_be_calibrated_is_refused)
