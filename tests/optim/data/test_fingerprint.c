/* What tells data sets apart. */
#include "optim/data/dataset.h"

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

TEST_MAIN("optim/data/fingerprint", every_byte_of_every_sample_and_target_counts,
          order_shape_and_type_count, a_view_is_told_by_the_samples_it_shows)
