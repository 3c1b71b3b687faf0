#include "core/random.h"

#include <math.h>
#include <string.h>

#include "tests/test.h"

#define MANY 200000

/* ---- Bits ---- */

static void expect_philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0,
                          uint32_t k1, const uint32_t wanted[4])
{
    uint32_t out[4];
    nm_philox((uint32_t[]){c0, c1, c2, c3}, (uint32_t[]){k0, k1}, out);
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(out[i], wanted[i]);
    }
}

START_TEST(philox_gives_the_published_vectors)
{
    /* philox4x32-10 in Random123's kat_vectors: zeros, ones, digits of pi. */
    expect_philox(0, 0, 0, 0, 0, 0, (uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    expect_philox(~0u, ~0u, ~0u, ~0u, ~0u, ~0u,
                  (uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    expect_philox(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0,
                  (uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}
END_TEST

/* The number at a position as random.h and random.c describe it. */
static uint64_t number_at(uint64_t seed, uint64_t stream, uint64_t position)
{
    uint64_t block = position >> 1;
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)stream,
                           (uint32_t)(stream >> 32)};
    uint32_t out[4];
    nm_philox(counter, (uint32_t[]){(uint32_t)seed, (uint32_t)(seed >> 32)}, out);
    return position & 1 ? out[2] | (uint64_t)out[3] << 32 : out[0] | (uint64_t)out[1] << 32;
}

START_TEST(a_number_depends_on_seed_stream_and_position_alone)
{
    static const uint64_t places[] = {0, 1, 2, 3, 1000001, 0x1FFFFFFFF, 0x200000000, UINT64_MAX};
    for (int i = 0; i < 8; i++) {
        nm_random random = nm_random_create(0x123456789ABCDEF0, 0xFEDCBA9876543210);
        random.position = places[i];
        ck_assert(nm_random_next(&random) ==
                  number_at(0x123456789ABCDEF0, 0xFEDCBA9876543210, places[i]));
        ck_assert(random.position == places[i] + 1);
    }
}
END_TEST

START_TEST(a_normal_number_is_made_of_the_block_of_its_position)
{
    /* Box-Muller on a block whose counter has the highest bit of its lower half set. */
    uint32_t out[4], key[2] = {7, 0};
    nm_philox((uint32_t[]){21, 1u << 31, 3, 0}, key, out);
    double u = ldexp((double)((out[0] | (uint64_t)out[1] << 32) >> 11) + 1, -53);
    double v = ldexp((double)((out[2] | (uint64_t)out[3] << 32) >> 11), -53);
    nm_random random = nm_random_create(7, 3);
    random.position = 42;
    assert_near(nm_random_normal(&random), sqrt(-2 * log(u)) * cos(2 * acos(-1) * v), 1e-12, 0);
    assert_near(nm_random_normal(&random), sqrt(-2 * log(u)) * sin(2 * acos(-1) * v), 1e-12, 0);
    ck_assert(random.position == 44);
}
END_TEST

START_TEST(seeds_and_streams_are_unlike_each_other)
{
    nm_random a = nm_random_create(1, 1), b = nm_random_create(2, 1), c = nm_random_create(1, 2);
    double ab = 0, ac = 0;
    for (int i = 0; i < MANY; i++) {
        double x = nm_random_uniform(&a) - 0.5;
        ab += x * (nm_random_uniform(&b) - 0.5);
        ac += x * (nm_random_uniform(&c) - 0.5);
    }
    /* A product of two independent ones has the variance 1/144. */
    double five_sigma = 5 * sqrt(MANY / 144.0);
    ck_assert(fabs(ab) < five_sigma && fabs(ac) < five_sigma);
}
END_TEST

/* ---- Distributions ---- */

START_TEST(uniform_numbers_have_the_right_moments_and_fill_every_bin)
{
    nm_random random = nm_random_create(1, 0);
    double sum = 0, squares = 0;
    int bins[64] = {0};
    for (int i = 0; i < MANY; i++) {
        double x = nm_random_uniform(&random);
        ck_assert(x >= 0 && x < 1);
        sum += x;
        squares += x * x;
        bins[(int)(x * 64)]++;
    }
    assert_near(sum / MANY, 0.5, 0, 5 * sqrt(1 / 12.0 / MANY));
    assert_near(squares / MANY, 1 / 3.0, 0, 5 * sqrt(4 / 45.0 / MANY));
    double chi_square = 0, expected = MANY / 64.0;
    for (int i = 0; i < 64; i++) {
        chi_square += (bins[i] - expected) * (bins[i] - expected) / expected;
    }
    ck_assert_msg(chi_square > 25 && chi_square < 120, "chi-square %g for 63", chi_square);
}
END_TEST

START_TEST(normal_numbers_have_the_right_moments_and_tails)
{
    nm_random random = nm_random_create(2, 0);
    double moment[5] = {0};
    int beyond_two = 0;
    for (int i = 0; i < MANY; i++) {
        double x = nm_random_normal(&random), power = 1;
        for (int k = 1; k <= 4; k++) {
            power *= x;
            moment[k] += power / MANY;
        }
        beyond_two += fabs(x) > 2;
    }
    assert_near(moment[1], 0, 0, 5 * sqrt(1.0 / MANY));
    assert_near(moment[2], 1, 0, 5 * sqrt(2.0 / MANY));
    assert_near(moment[3], 0, 0, 5 * sqrt(15.0 / MANY));
    assert_near(moment[4], 3, 0, 5 * sqrt(96.0 / MANY));
    assert_near((double)beyond_two / MANY, 0.0455003, 0, 5 * sqrt(0.0455 * 0.9545 / MANY));
}
END_TEST

START_TEST(normal_and_uniform_numbers_drawn_in_turn_are_independent)
{
    /* Were they made of the same bits, the size of one would tell the other. */
    nm_random random = nm_random_create(3, 0);
    double sum = 0;
    for (int i = 0; i < MANY; i++) {
        double u = nm_random_uniform(&random), z = nm_random_normal(&random);
        sum += (u - 0.5) * (z * z - 1);
    }
    ck_assert_msg(fabs(sum) < 5 * sqrt(MANY / 6.0), "correlated: %g", sum);
}
END_TEST

START_TEST(neighbouring_normal_numbers_are_independent)
{
    nm_random random = nm_random_create(4, 0);
    double product = 0, sizes = 0, last = nm_random_normal(&random);
    for (int i = 0; i < MANY; i++) {
        double x = nm_random_normal(&random);
        product += x * last;
        sizes += (x * x - 1) * (last * last - 1);
        last = x;
    }
    ck_assert(fabs(product) < 5 * sqrt(MANY));
    ck_assert(fabs(sizes) < 5 * sqrt(4.0 * MANY));
}
END_TEST

/* ---- Bounds and orders ---- */

START_TEST(below_reaches_every_value_equally_often)
{
    nm_random random = nm_random_create(5, 0);
    int bins[7] = {0};
    for (int i = 0; i < MANY; i++) {
        int64_t x = nm_random_below(&random, 7);
        ck_assert(x >= 0 && x < 7);
        bins[x]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_near(bins[i], MANY / 7.0, 0, 5 * sqrt(MANY * 6 / 49.0));
    }
}
END_TEST

START_TEST(below_is_unbiased_for_a_bound_that_a_remainder_would_favour)
{
    /* 2^64 is 2 2/3 times this bound: of plain remainders 3/4 would be in the lower 2/3. */
    int64_t bound = (int64_t)3 << 61;
    nm_random random = nm_random_create(6, 0);
    int low = 0;
    for (int i = 0; i < MANY; i++) {
        low += nm_random_below(&random, bound) < ((int64_t)1 << 62);
    }
    assert_near((double)low / MANY, 2 / 3.0, 0, 5 * sqrt(2 / 9.0 / MANY));
    ck_assert(random.position > MANY * 11 / 10); /* some bits were thrown away */
}
END_TEST

START_TEST(below_of_one_or_less_is_zero)
{
    nm_random random = nm_random_create(7, 0);
    ck_assert(nm_random_below(&random, 1) == 0);
    ck_assert(nm_random_below(&random, 0) == 0);
    ck_assert(nm_random_below(&random, INT64_MIN) == 0);
    ck_assert(random.position == 3);
    ck_assert(nm_random_below(&random, INT64_MAX) >= 0);
}
END_TEST

START_TEST(a_permutation_holds_every_index_once)
{
    enum { N = 1000 };
    nm_random random = nm_random_create(8, 0);
    int64_t order[N], moved = 0;
    char seen[N] = {0};
    nm_random_permutation(&random, order, N);
    for (int i = 0; i < N; i++) {
        ck_assert(order[i] >= 0 && order[i] < N && !seen[order[i]]);
        seen[order[i]] = 1;
        moved += order[i] != i;
    }
    ck_assert(moved > N - 10);
    nm_random_permutation(&random, NULL, 0);
    nm_random_permutation(&random, order, 1);
    ck_assert(order[0] == 0);
}
END_TEST

START_TEST(every_order_is_equally_likely)
{
    nm_random random = nm_random_create(9, 0);
    int seen[27] = {0}, orders = 0;
    for (int i = 0; i < 60000; i++) {
        int64_t order[3];
        nm_random_permutation(&random, order, 3);
        seen[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    for (int i = 0; i < 27; i++) {
        if (seen[i]) {
            orders++;
            assert_near(seen[i], 10000, 0, 5 * sqrt(60000 * 5 / 36.0));
        }
    }
    ck_assert_int_eq(orders, 6);
}
END_TEST

/* ---- Tensors ---- */

enum { LENGTH = 20001 }; /* several threads' worth, and odd */

static nm_tensor *filled(nm_context *context, nm_dtype dtype, bool normal, uint64_t position)
{
    nm_tensor *tensor = nm_tensor_create(context, dtype, NM_SHAPE(LENGTH));
    nm_random random = nm_random_create(11, 5);
    random.position = position;
    ck_assert_int_eq(normal ? nm_random_fill_normal(&random, tensor, 1, 2)
                            : nm_random_fill_uniform(&random, tensor, -1, 3),
                     NM_OK);
    ck_assert(random.position == position + LENGTH);
    return tensor;
}

static void check_draws(nm_context *context, bool normal, uint64_t position)
{
    nm_tensor *wide = filled(context, NM_F64, normal, position);
    nm_tensor *narrow = filled(context, NM_F32, normal, position);
    nm_random random = nm_random_create(11, 5);
    random.position = position;
    for (int i = 0; i < LENGTH; i++) {
        double x = normal ? 1 + 2 * nm_random_normal(&random) : -1 + 4 * nm_random_uniform(&random);
        ck_assert(nm_tensor_f64(wide)[i] == x);
        ck_assert(nm_tensor_f32(narrow)[i] == (float)x);
    }
    nm_tensor_destroy(wide);
    nm_tensor_destroy(narrow);
}

START_TEST(a_fill_takes_the_numbers_that_single_draws_would)
{
    nm_context *context = test_context(NULL);
    for (int normal = 0; normal < 2; normal++) {
        check_draws(context, normal, 0);
        check_draws(context, normal, 12345);
        check_draws(context, normal, UINT64_MAX - 1002); /* wraps around */
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_fill_does_not_depend_on_threads)
{
    nm_context *context = test_context(NULL);
    for (int normal = 0; normal < 2; normal++) {
        nm_context_set_threads(context, 1);
        nm_tensor *one = filled(context, NM_F32, normal, 7);
        nm_context_set_threads(context, 3);
        nm_tensor *three = filled(context, NM_F32, normal, 7);
        ck_assert_mem_eq(nm_tensor_data(one), nm_tensor_data(three), LENGTH * sizeof(float));
        nm_tensor_destroy(one);
        nm_tensor_destroy(three);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_fill_never_reaches_the_upper_limit)
{
    /* Of the numbers from 1 to the next f32 (or f64) only 1 itself is below that limit. */
    nm_context *context = test_context(NULL);
    nm_tensor *narrow = nm_tensor_create(context, NM_F32, NM_SHAPE(1000));
    nm_tensor *wide = nm_tensor_create(context, NM_F64, NM_SHAPE(1000));
    nm_random random = nm_random_create(1, 1);
    nm_random_fill_uniform(&random, narrow, 1, 1 + 0x1p-23);
    nm_random_fill_uniform(&random, wide, 1, 1 + 0x1p-52);
    for (int i = 0; i < 1000; i++) {
        ck_assert(nm_tensor_f32(narrow)[i] == 1);
        ck_assert(nm_tensor_f64(wide)[i] == 1);
    }
    nm_random_fill_uniform(&random, narrow, 0.1, 0.1);
    ck_assert(nm_tensor_f32(narrow)[999] == 0.1f);
    nm_tensor_destroy(narrow);
    nm_tensor_destroy(wide);
    nm_context_destroy(context);
}
END_TEST

START_TEST(an_empty_tensor_and_a_single_number_are_filled)
{
    nm_context *context = test_context(NULL);
    nm_tensor *empty = nm_tensor_create(context, NM_F32, NM_SHAPE(3, 0));
    nm_tensor *scalar = nm_tensor_create(context, NM_F64, NM_SCALAR_SHAPE);
    nm_random random = nm_random_create(1, 1);
    ck_assert_int_eq(nm_random_fill_normal(&random, empty, 0, 1), NM_OK);
    ck_assert(random.position == 0);
    ck_assert_int_eq(nm_random_fill_uniform(&random, scalar, 5, 6), NM_OK);
    ck_assert(random.position == 1 && nm_tensor_item(scalar) > 5);
    nm_tensor_destroy(empty);
    nm_tensor_destroy(scalar);
    nm_context_destroy(context);
}
END_TEST

static void refuse_uniform(nm_context *context, nm_tensor *tensor, double low, double high,
                           const char *message)
{
    nm_random random = nm_random_create(1, 1);
    ck_assert_int_eq(nm_random_fill_uniform(&random, tensor, low, high), NM_ERROR_INPUT);
    ck_assert(random.position == 0);
    assert_error(context, NM_ERROR_INPUT, message);
}

static void refuse_normal(nm_context *context, nm_tensor *tensor, double mean, double deviation,
                          const char *message)
{
    nm_random random = nm_random_create(1, 1);
    ck_assert_int_eq(nm_random_fill_normal(&random, tensor, mean, deviation), NM_ERROR_INPUT);
    ck_assert(random.position == 0);
    assert_error(context, NM_ERROR_INPUT, message);
}

START_TEST(what_cannot_be_filled_is_an_error_and_draws_nothing)
{
    nm_context *context = test_context(NULL);
    nm_tensor *tensor = nm_tensor_create(context, NM_F32, NM_SHAPE(4));
    nm_tensor *labels = nm_tensor_create(context, NM_I32, NM_SHAPE(4));
    nm_tensor_set_name(labels, "labels");
    refuse_uniform(context, labels, 0, 1, "nm_random_fill_uniform: labels holds i32");
    refuse_normal(context, labels, 0, 1, "nm_random_fill_normal: labels holds i32");
    refuse_uniform(context, tensor, 2, 1, "the limits 2 and 1");
    refuse_uniform(context, tensor, NAN, 1, "finite");
    refuse_uniform(context, tensor, 0, INFINITY, "finite");
    refuse_uniform(context, tensor, 0, 1e300, "finite f32 numbers");
    refuse_normal(context, tensor, NAN, 1, "finite");
    refuse_normal(context, tensor, 0, -1, "deviation -1");
    refuse_normal(context, tensor, 0, INFINITY, "finite");
    nm_random random = nm_random_create(1, 1);
    ck_assert_int_eq(nm_random_fill_uniform(&random, NULL, 0, 1), NM_ERROR_INPUT);
    nm_tensor_destroy(tensor);
    nm_tensor_destroy(labels);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("core/random", philox_gives_the_published_vectors,
          a_number_depends_on_seed_stream_and_position_alone,
          a_normal_number_is_made_of_the_block_of_its_position,
          seeds_and_streams_are_unlike_each_other,
          uniform_numbers_have_the_right_moments_and_fill_every_bin,
          normal_numbers_have_the_right_moments_and_tails,
          normal_and_uniform_numbers_drawn_in_turn_are_independent,
          neighbouring_normal_numbers_are_independent, below_reaches_every_value_equally_often,
          below_is_unbiased_for_a_bound_that_a_remainder_would_favour, below_of_one_or_less_is_zero,
          a_permutation_holds_every_index_once, every_order_is_equally_likely,
          a_fill_takes_the_numbers_that_single_draws_would, a_fill_does_not_depend_on_threads,
          a_fill_never_reaches_the_upper_limit, an_empty_tensor_and_a_single_number_are_filled,
          what_cannot_be_filled_is_an_error_and_draws_nothing)
