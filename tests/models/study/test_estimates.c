/* Intervals over seeds: quantiles of Student's t as tables and SciPy have them. */
#include <math.h>

#include "models/command/study/study.h"

#include "tests/test.h"

START_TEST(quantiles_are_those_of_the_tables)
{
    static const struct {
        double probability, n, t;
    } rows[] = {{0.975, 1, 12.706204736432095},
                {0.975, 2, 4.302652729696142},
                {0.975, 4, 2.7764451051977987},
                {0.975, 18, 2.10092204024096},
                {0.8, 4, 0.9409645775779646},
                {0.975, 1000, 1.9623390808264078},
                {0.5, 7, 0},
                {0.025, 9, -2.2621571627409915}};
    for (int i = 0; i < NM_COUNT_OF(rows); i++) {
        assert_near(student_quantile(rows[i].probability, rows[i].n), rows[i].t, 1e-9, 1e-9);
    }
}
END_TEST

START_TEST(an_interval_is_the_mean_and_t_errors_around_it)
{
    const double values[] = {1, 2, 3, 4, 5};
    const estimate e = estimate_of(values, 5);
    assert_near(e.mean, 3, 1e-12, 0);
    assert_near(e.deviation, sqrt(2.5), 1e-12, 0);
    assert_near(e.high, 3 + 2.7764451051977987 * sqrt(0.5), 1e-9, 0);
    assert_near(e.low, 3 - 2.7764451051977987 * sqrt(0.5), 1e-9, 0);
    assert_near(e.detectable, (2.7764451051977987 + 0.9409645775779646) * sqrt(0.5), 1e-9, 0);
}
END_TEST

START_TEST(a_single_value_has_no_interval)
{
    const double value = 7;
    const estimate e = estimate_of(&value, 1);
    assert_near(e.mean, 7, 0, 0);
    ck_assert(isinf(e.low) && isinf(e.high));
}
END_TEST

TEST_MAIN("models/study/estimates", quantiles_are_those_of_the_tables,
          an_interval_is_the_mean_and_t_errors_around_it, a_single_value_has_no_interval)
