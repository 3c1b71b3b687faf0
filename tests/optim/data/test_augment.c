/* Random crops, shifts and flips of the loader. */
#include <math.h>
#include <stdlib.h>

#include "core/op.h"
#include "optim/data/augment.h"
#include "tests/optim/data/loaders.h"

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

/* ---- Images of any size, against the definition ---- */

enum { WIDEST = 67, TALLEST = 5, LARGEST = 12 };

/* The byte of `in` at a place that may lie outside. */
static unsigned char byte_at(const nm_image *image, const unsigned char *in, int64_t y, int64_t x,
                             size_t byte, bool edge)
{
    const int64_t last_y = image->height - 1, last_x = image->width - 1;
    if (!edge && (y < 0 || y > last_y || x < 0 || x > last_x)) {
        return 0;
    }
    y = y < 0 ? 0 : y > last_y ? last_y : y;
    x = x < 0 ? 0 : x > last_x ? last_x : x;
    return in[(size_t)(y * image->width + x) * image->pixel + byte];
}

static void expect_moved(const nm_image *image, const unsigned char *in, const unsigned char *out,
                         int64_t down, int64_t right, bool edge)
{
    for (int64_t y = 0; y < image->height; y++) {
        for (int64_t x = 0; x < image->width; x++) {
            for (size_t k = 0; k < image->pixel; k++) {
                ck_assert_uint_eq(*out++, byte_at(image, in, y - down, x - right, k, edge));
            }
        }
    }
}

static void check_moves(const nm_image *image, const unsigned char *in, unsigned char *out)
{
    for (int64_t down = -image->height - 1; down <= image->height + 1; down++) {
        for (int64_t right = -image->width - 1; right <= image->width + 1; right++) {
            for (int edge = 0; edge < 2; edge++) {
                nm_image_move(image, in, out, down, right, edge);
                expect_moved(image, in, out, down, right, edge);
            }
        }
    }
}

static void check_mirror(const nm_image *image, const unsigned char *in, unsigned char *out)
{
    nm_image_mirror(image, in, out);
    for (int64_t y = 0; y < image->height; y++) {
        for (int64_t x = 0; x < image->width; x++) {
            for (size_t k = 0; k < image->pixel; k++) {
                ck_assert_uint_eq(*out++, byte_at(image, in, y, image->width - 1 - x, k, false));
            }
        }
    }
}

START_TEST(images_of_any_size_are_moved_and_mirrored_by_the_definition)
{
    static const struct {
        int64_t height, width;
        size_t pixel;
    } images[] = {{1, 1, 1}, {TALLEST, 3, 1}, {2, WIDEST, 1},  {3, 33, 3},
                  {2, 9, 4}, {4, 5, 7},       {1, 8, LARGEST}, {3, 1, 2}};
    static unsigned char in[TALLEST * WIDEST * LARGEST];
    for (size_t i = 0; i < sizeof in; i++) {
        in[i] = (unsigned char)(1 + i % 251);
    }
    for (int i = 0; i < NM_COUNT_OF(images); i++) {
        const nm_image image = {images[i].height, images[i].width, images[i].pixel};
        unsigned char *out = malloc((size_t)(image.height * image.width) * image.pixel);
        check_moves(&image, in, out);
        check_mirror(&image, in, out);
        free(out);
    }
}
END_TEST

TEST_MAIN("optim/augment", a_crop_moves_by_up_to_its_padding_and_fills_with_zeros,
          a_shift_moves_by_up_to_its_pixels_and_repeats_the_edge,
          a_flip_mirrors_half_of_the_images_left_to_right, padding_is_black_not_average,
          evaluation_is_not_augmented, images_of_any_size_are_moved_and_mirrored_by_the_definition)
