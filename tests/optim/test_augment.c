/* Random crops, shifts and flips of the loader. */
#include <math.h>

#include "tests/optim/loaders.h"

/* Pixel value (channel 0) of image `i` at a place that may lie outside: 0 there. */
static double pixel(const nm_dataset *set, int64_t i, int64_t y, int64_t x, bool edge)
{
    if (edge) {
        y = y < 0 ? 0 : y >= SIDE ? SIDE - 1 : y;
        x = x < 0 ? 0 : x >= SIDE ? SIDE - 1 : x;
    }
    bool inside = y >= 0 && y < SIDE && x >= 0 && x < SIDE;
    const unsigned char *bytes = set->samples;
    return inside ? bytes[((i * SIDE + y) * SIDE + x) * 2] : 0;
}

static bool is_moved(const nm_dataset *set, int64_t i, const float *x, int64_t down, int64_t right,
                     bool edge, bool mirror)
{
    for (int64_t row = 0; row < SIDE; row++) {
        for (int64_t column = 0; column < SIDE; column++) {
            int64_t from = mirror ? SIDE - 1 - column : column;
            double want = pixel(set, i, row - down, from - right, edge);
            if ((double)x[(row * SIDE + column) * 2] != want) {
                return false;
            }
        }
    }
    return true;
}

/* How often each (down, right, mirror) within `most` was seen in 40 epochs; every image must be one
 * of them. */
static void count_moves(nm_loader_options o, int64_t most, bool edge, int seen[2][5][5])
{
    static epoch e;
    nm_dataset set = images(MOST);
    nm_loader *loader = create(&set, o, true, 11);
    for (int number = 0; number < 40; number++) {
        run_epoch(loader, number, &e);
        for (int64_t i = 0; i < MOST; i++) {
            int found = 0;
            for (int64_t m = 0; m < 2; m++) {
                for (int64_t d = -most; d <= most; d++) {
                    for (int64_t r = -most; r <= most; r++) {
                        bool is = is_moved(&set, i, e.values + i * SIDE * SIDE * 2, d, r, edge, m);
                        found += is;
                        seen[m][d + 2][r + 2] += is;
                    }
                }
            }
            ck_assert_int_eq(found, 1);
        }
    }
    nm_loader_destroy(loader);
}

/* All cells of the ranges are equally likely: 2560 images over `cells` of them. */
static void expect_even(int seen[2][5][5], int64_t most, int mirrors)
{
    double cells = mirrors * (2.0 * (double)most + 1) * (2.0 * (double)most + 1);
    for (int m = 0; m < 2; m++) {
        for (int64_t d = -2; d <= 2; d++) {
            for (int64_t r = -2; r <= 2; r++) {
                bool within = d >= -most && d <= most && r >= -most && r <= most && m < mirrors;
                double mean = within ? 2560 / cells : 0;
                assert_near(seen[m][d + 2][r + 2], mean, 0, 6 * sqrt(mean));
            }
        }
    }
}

#define PLAIN NM_LOADER_DEFAULTS, .shuffle = false, .scale = 1

START_TEST(a_crop_moves_by_up_to_its_padding_and_fills_with_zeros)
{
    int seen[2][5][5] = {0};
    context = test_context(NULL);
    count_moves((nm_loader_options){PLAIN, .crop = 2}, 2, false, seen);
    expect_even(seen, 2, 1);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_shift_moves_by_up_to_its_pixels_and_repeats_the_edge)
{
    int seen[2][5][5] = {0};
    context = test_context(NULL);
    count_moves((nm_loader_options){PLAIN, .shift = 1}, 1, true, seen);
    expect_even(seen, 1, 1);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_flip_mirrors_half_of_the_images_left_to_right)
{
    int seen[2][5][5] = {0};
    context = test_context(NULL);
    count_moves((nm_loader_options){PLAIN, .flip = true}, 0, false, seen);
    expect_even(seen, 0, 2);
    nm_context_destroy(context);
}
END_TEST

START_TEST(padding_is_black_not_average)
{
    nm_batch batch;
    context = test_context(NULL);
    nm_dataset set = images(1);
    nm_loader *loader = CREATE(&set, true, 1, .crop = SIDE - 1, .mean = NM_FLOATS(0.5));
    int black = 0;
    for (int number = 0; number < 10; number++) {
        nm_loader_begin(loader, number, 0);
        nm_loader_next(loader, &batch);
        for (int i = 0; i < SIDE * SIDE * 2; i++) {
            black += batch.x[i] == -0.5f;
        }
    }
    ck_assert_int_gt(black, 0);
    nm_loader_destroy(loader);
    nm_context_destroy(context);
}
END_TEST

START_TEST(evaluation_is_not_augmented)
{
    static epoch e, plain;
    context = test_context(NULL);
    nm_dataset set = images(8);
    nm_loader *loader = CREATE(&set, false, 1, .crop = 2, .flip = true, .shift = 2);
    nm_loader *reference = CREATE(&set, false, 1, .crop = 0);
    run_epoch(loader, 3, &e);
    run_epoch(reference, 0, &plain);
    ck_assert_mem_eq(&e, &plain, sizeof e);
    nm_loader_destroy(loader);
    nm_loader_destroy(reference);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/augment", a_crop_moves_by_up_to_its_padding_and_fills_with_zeros,
          a_shift_moves_by_up_to_its_pixels_and_repeats_the_edge,
          a_flip_mirrors_half_of_the_images_left_to_right, padding_is_black_not_average,
          evaluation_is_not_augmented)
