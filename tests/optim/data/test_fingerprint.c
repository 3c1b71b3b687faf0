/* What tells data sets apart. */
#include "optim/data/split/split.h"

#include <string.h>

#include "tests/test.h"

#define COUNT 5
#define WIDTH 39 /* blocks, whole words and a rest */

static unsigned char samples[COUNT][WIDTH];
static int32_t targets[COUNT];

static nm_dataset make_set(void)
{
    for (int i = 0; i < COUNT; i++) {
        targets[i] = i % 2;
        for (int k = 0; k < WIDTH; k++) {
            samples[i][k] = (unsigned char)(i * WIDTH + k);
        }
    }
    return (nm_dataset){.count = COUNT,
                        .shape = NM_SHAPE(WIDTH),
                        .dtype = NM_U8,
                        .samples = samples,
                        .target_dtype = NM_I32,
                        .targets = targets,
                        .classes = 2};
}

START_TEST(every_byte_of_every_sample_and_target_counts)
{
    nm_dataset set = make_set();
    uint64_t whole = nm_dataset_fingerprint(&set);
    for (size_t i = 0; i < sizeof samples; i++) {
        samples[i / WIDTH][i % WIDTH] ^= 1;
        ck_assert_msg(nm_dataset_fingerprint(&set) != whole, "byte %zu", i);
        samples[i / WIDTH][i % WIDTH] ^= 1;
    }
    for (int i = 0; i < COUNT; i++) {
        targets[i] ^= 1;
        ck_assert_msg(nm_dataset_fingerprint(&set) != whole, "target %d", i);
        targets[i] ^= 1;
    }
    ck_assert(nm_dataset_fingerprint(&set) == whole);
    set.count--;
    ck_assert(nm_dataset_fingerprint(&set) != whole);
}
END_TEST

START_TEST(order_shape_and_type_count)
{
    nm_dataset set = make_set();
    uint64_t whole = nm_dataset_fingerprint(&set);
    unsigned char swapped[WIDTH];
    memcpy(swapped, samples[0], WIDTH);
    memcpy(samples[0], samples[2], WIDTH);
    memcpy(samples[2], swapped, WIDTH);
    ck_assert(nm_dataset_fingerprint(&set) != whole);
    set = make_set();
    set.shape = NM_SHAPE(3, 13);
    ck_assert(nm_dataset_fingerprint(&set) != whole);
    set = make_set();
    set.target_dtype = NM_F32;
    ck_assert(nm_dataset_fingerprint(&set) != whole);
}
END_TEST

START_TEST(a_view_is_told_by_the_samples_it_shows)
{
    static const int64_t all[COUNT] = {0, 1, 2, 3, 4}, other[COUNT] = {0, 1, 2, 4, 3};
    nm_dataset set = make_set();
    uint64_t whole = nm_dataset_fingerprint(&set);
    set.rows = all;
    ck_assert(nm_dataset_fingerprint(&set) == whole);
    set.rows = other;
    ck_assert(nm_dataset_fingerprint(&set) != whole);
}
END_TEST

#define NUMBERS 600 /* more than are rounded at a time */

START_TEST(a_print_is_of_the_numbers_and_not_of_their_type)
{
    static float narrow[NUMBERS];
    static double wide[NUMBERS];
    char a[NM_PRINT_TEXT], b[NM_PRINT_TEXT];
    for (int i = 0; i < NUMBERS; i++) {
        wide[i] = 1.0 / (i + 1);
        narrow[i] = (float)wide[i];
    }
    nm_dataset set = {.count = 2, .shape = NM_SHAPE(NUMBERS / 2), .dtype = NM_F64, .samples = wide};
    nm_dataset other = set;
    other.dtype = NM_F32;
    other.samples = narrow;
    ck_assert_str_eq(nm_dataset_print(&set, a), nm_dataset_print(&other, b));
    for (int i = 0; i < NUMBERS; i++) {
        narrow[i] += 1;
        ck_assert_str_ne(nm_dataset_print(&set, a), nm_dataset_print(&other, b));
        narrow[i] = (float)wide[i];
    }
    set = make_set();
    nm_dataset_print(&set, a);
    targets[3] ^= 1;
    ck_assert_str_ne(a, nm_dataset_print(&set, b));
}
END_TEST

START_TEST(on_every_processor_they_are_the_same)
{
    static const float numbers[6] = {1, -2, 0.5f, 1e30f, -1e-30f, 3};
    char text[NM_PRINT_TEXT];
    nm_dataset set = make_set(); /* bytes, with targets of 4 bytes */
    ck_assert_uint_eq(nm_dataset_fingerprint(&set), 0x426f7751748eb98a);
    ck_assert_str_eq(nm_dataset_print(&set, text), "8bb9dd04b6e8a3f4");
    set = (nm_dataset){.count = 2, .shape = NM_SHAPE(3), .dtype = NM_F32, .samples = numbers};
    ck_assert_uint_eq(nm_dataset_fingerprint(&set), 0x3b6c5152c1cd2216);
    set = (nm_dataset){.count = 2, .shape = NM_SHAPE(2), .dtype = NM_F64};
    set.samples = (const double[]){1, -0.1, 1e300, 3};
    ck_assert_uint_eq(nm_dataset_fingerprint(&set), 0x087a40a61e523ff5);
}
END_TEST

TEST_MAIN("optim/data/fingerprint", a_print_is_of_the_numbers_and_not_of_their_type,
          every_byte_of_every_sample_and_target_counts, order_shape_and_type_count,
          a_view_is_told_by_the_samples_it_shows, on_every_processor_they_are_the_same)
