/* Initializers: what parameters hold before training. */
#include <math.h>
#include <stdio.h>

#include "models/initializer.h"

#include "tests/models/model_test.h"

START_TEST(parameters_depend_on_the_seed_and_their_names_alone)
{
    nm_shape sample = NM_SHAPE(3);
    fixture a = begin("[dense: {units: 3}, dense: {units: 3}]", sample);
    fixture b = begin("[dense: {units: 3}, relu, sequence: {body: [dense: {units: 3}]},"
                      " dense: {units: 3}]",
                      sample);
    fixture c = begin_with("[dense: {units: 3}]", sample, (nm_model_options){.seed = 2});
    ck_assert(same_bits(named(&a, "dense1.weight"), named(&b, "dense1.weight")));
    ck_assert(same_bits(named(&a, "dense2.weight"), named(&b, "dense2.weight")));
    ck_assert(!same_bits(named(&a, "dense1.weight"), named(&a, "dense2.weight")));
    ck_assert(!same_bits(named(&a, "dense1.weight"), named(&c, "dense1.weight")));
    end(&a);
    end(&b);
    end(&c);
}
END_TEST

static void moments(nm_tensor *x, double *mean, double *deviation)
{
    double sum = 0, square = 0, n = (double)nm_tensor_count(x);
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        sum += nm_tensor_get(x, i);
        square += pow(nm_tensor_get(x, i), 2);
    }
    *mean = sum / n;
    *deviation = sqrt(square / n - pow(sum / n, 2));
}

START_TEST(initializers_scale_by_the_fan)
{
    static const struct {
        const char *init;
        double deviation;
    } cases[] = {
        {"he", 0.1},                                  /* sqrt(2 / 200) */
        {"{he: {fan: out, gain: 1}}", 0.1},           /* sqrt(1 / 100) */
        {"{he: {distribution: uniform}}", 0.1},       /* the same variance */
        {"xavier", 0.08164965809},                    /* sqrt(2 / 300) */
        {"{uniform: {low: -3, high: 3}}", 1.7320508}, /* 3 / sqrt(3) */
        {"{normal: {deviation: 0.5, mean: 0}}", 0.5}, /* as told */
        {"{orthogonal: {gain: 2}}", 0.1414213562 /* 2 / sqrt(200), exactly */},
    };
    for (int k = 0; k < NM_COUNT_OF(cases); k++) {
        char yaml[128];
        snprintf(yaml, sizeof yaml, "[dense: {units: 100, init: %s}]", cases[k].init);
        fixture f = begin(yaml, NM_SHAPE(200));
        double mean, deviation;
        moments(named(&f, "dense1.weight"), &mean, &deviation);
        ck_assert_msg(near_to(deviation, cases[k].deviation, 0.03, 0), "%s: %g", yaml, deviation);
        ck_assert_msg(fabs(mean) < 0.03 * cases[k].deviation, "%s: mean %g", yaml, mean);
        end(&f);
    }
}
END_TEST

START_TEST(fans_of_a_convolution_count_the_kernel)
{
    nm_fan fan = nm_fan_of(&NM_SHAPE(64, 3, 3, 32));
    ck_assert_int_eq(fan.in, 9 * 32);
    ck_assert_int_eq(fan.out, 9 * 64);
    fan = nm_fan_of(&NM_SHAPE(7));
    ck_assert_int_eq(fan.in, 7);
    ck_assert_int_eq(fan.out, 7);
}
END_TEST

START_TEST(an_orthogonal_weight_has_orthonormal_rows_or_columns)
{
    static const char *const models[] = {"[dense: {units: 20, init: orthogonal}]",
                                         "[dense: {units: 40, init: orthogonal}]"};
    for (int k = 0; k < 2; k++) {
        fixture f = begin_f64(models[k], NM_SHAPE(30));
        nm_tensor *w = named(&f, "dense1.weight");
        nm_tensor *product = k ? nm_matmul(f.tape, w, w, .transpose_a = true)
                               : nm_matmul(f.tape, w, w, .transpose_b = true);
        int64_t n = nm_tensor_shape(product)->dim[0];
        ck_assert_int_eq(n, k ? 30 : 20);
        for (int64_t i = 0; i < n * n; i++) {
            assert_near(nm_tensor_get(product, i), i / n == i % n, 0, 1e-12);
        }
        nm_tape_reset(f.tape);
        end(&f);
    }
}
END_TEST

TEST_MAIN("models/initializer", parameters_depend_on_the_seed_and_their_names_alone,
          initializers_scale_by_the_fan, fans_of_a_convolution_count_the_kernel,
          an_orthogonal_weight_has_orthonormal_rows_or_columns)
