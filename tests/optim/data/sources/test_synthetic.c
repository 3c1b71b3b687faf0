/* Data sets that are made, not read: spirals and waves. */
#include <math.h>

#include "tests/optim/data/data_sets.h"

/* ---- Spirals ---- */

START_TEST(spirals_lie_on_their_arms)
{
    nm_dataset set;
    begin(NULL);
    open_set(&set, "spirals: {points: 300, classes: 3, noise: 0, turns: 1}");
    assert_fine(context);
    ck_assert_int_eq(set.count, 300);
    ck_assert_int_eq(set.classes, 3);
    const float *points = set.samples;
    const int32_t *arms = set.targets;
    for (int i = 0; i < 300; i++) {
        double x = (double)points[2 * i], y = (double)points[2 * i + 1], t = hypot(x, y);
        ck_assert_int_eq(arms[i], i % 3);
        double angle = 6.283185307179586 * (t + arms[i] / 3.0);
        assert_near(x, t * cos(angle), 0, 1e-5);
        assert_near(y, t * sin(angle), 0, 1e-5);
    }
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_spirals_seed_gives_other_points_and_the_same_seed_the_same)
{
    nm_dataset one, two, three;
    begin(NULL);
    open_set(&one, "spirals: {points: 50, seed: 1}");
    open_set(&two, "spirals: {points: 50, seed: 2}");
    open_set(&three, "spirals: {points: 50, seed: 1}");
    ck_assert_mem_ne(one.samples, two.samples, 400);
    ck_assert_mem_eq(one.samples, three.samples, 400);
    nm_dataset_close(&one);
    nm_dataset_close(&two);
    nm_dataset_close(&three);
    nm_context_destroy(context);
}
END_TEST

/* ---- Waves ---- */

START_TEST(waves_without_noise_are_sines_of_their_class)
{
    nm_dataset set;
    begin(NULL);
    open_set(&set, "waves: {samples: 40, shape: [16, 12, 2], classes: 4, noise: 0}");
    assert_fine(context);
    ck_assert_int_eq(set.count, 40);
    ck_assert_int_eq(set.classes, 4);
    ck_assert_int_eq(set.dtype, NM_U8);
    ck_assert(nm_shape_equal(&set.shape, &(nm_shape){3, {16, 12, 2}}));
    for (int i = 0; i < 40; i++) {
        /* A plane wave has f(y + 1, x) + f(y - 1, x) = 2 cos(2 pi down / height) f(y, x)
         * everywhere, with one factor for all samples of a class. */
        const uint8_t *image = (const uint8_t *)set.samples + i * 16 * 12 * 2;
        const uint8_t *first = (const uint8_t *)set.samples + i % 4 * 16 * 12 * 2;
        double factor[2] = {0};
        for (int k = 0; k < 2; k++) {
            const uint8_t *of = k ? first : image;
            double products = 0, squares = 0;
            for (int at = 24; at < 15 * 24; at += 2) {
                const double here = of[at] - 127.0, around = of[at - 24] + of[at + 24] - 254.0;
                products += here * around;
                squares += here * here;
            }
            factor[k] = products / squares;
        }
        ck_assert_int_eq(((const int32_t *)set.targets)[i], i % 4);
        assert_near(factor[0], factor[1], 0, 0.05);
    }
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_waves_seed_gives_other_images_and_the_same_seed_the_same)
{
    nm_dataset one, two, three;
    begin(NULL);
    open_set(&one, "waves: {samples: 10, seed: 1}");
    open_set(&two, "waves: {samples: 10, seed: 2}");
    open_set(&three, "waves: {samples: 10, seed: 1}");
    ck_assert_mem_ne(one.samples, two.samples, 10 * 3072);
    ck_assert_mem_eq(one.samples, three.samples, 10 * 3072);
    nm_dataset_close(&one);
    nm_dataset_close(&two);
    nm_dataset_close(&three);
    open_set(&one, "waves: {shape: [32, 32]}");
    assert_error(context, NM_ERROR_INPUT, "\"shape\" must be [height, width, channels]");
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/synthetic", spirals_lie_on_their_arms,
          a_spirals_seed_gives_other_points_and_the_same_seed_the_same,
          waves_without_noise_are_sines_of_their_class,
          a_waves_seed_gives_other_images_and_the_same_seed_the_same)
