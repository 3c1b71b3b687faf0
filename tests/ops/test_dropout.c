/* Dropout: which elements stay, and what becomes of them and of gradients. */
#include <math.h>

#include "tests/ops/loss_test.h"

/* Stream "dropout" of Philox, four elements a counter. */
static bool is_kept(uint64_t seed, int64_t i, double p)
{
    const uint64_t counter = (uint64_t)i / 4, stream = 0x64726f706f7574;
    const uint32_t c[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), (uint32_t)stream,
                           (uint32_t)(stream >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t words[4];
    nm_philox(c, key, words);
    return words[i % 4] >= (uint32_t)(p * 4294967296.0);
}

START_TEST(dropout_keeps_what_philox_says)
{
    fixture b = begin();
    const int64_t seeds[] = {0, 7, -1, 123456789012345};
    for (int k = 0; k < 4; k++) {
        nm_tensor *x = nm_full(b.tape, NM_F32, NM_SHAPE(1003), 2);
        nm_tensor *y = nm_dropout(b.tape, x, .p = 0.75, .seed = seeds[k]);
        for (int64_t i = 0; i < 1003; i++) {
            ck_assert(nm_tensor_get(y, i) == (is_kept((uint64_t)seeds[k], i, 0.75) ? 8 : 0));
        }
    }
    end(&b);
}
END_TEST

START_TEST(dropout_keeps_the_expected_share_and_the_mean)
{
    fixture b = begin();
    const int64_t n = 200000;
    nm_tensor *x = nm_full(b.tape, NM_F32, NM_SHAPE(n), 1);
    for (double p = 0.1; p < 1; p += 0.2) {
        nm_tensor *y = nm_dropout(b.tape, x, .p = p, .seed = 5);
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
            sum += nm_tensor_get(y, i);
        }
        const double deviation = sqrt(p / (1 - p) / (double)n);
        assert_near(sum / (double)n, 1, 0, 4 * deviation);
    }
    end(&b);
}
END_TEST

START_TEST(the_gradient_of_dropout_has_the_same_zeros)
{
    fixture b = begin();
    nm_tensor *x = gaussian(&b, NM_SHAPE(500), 1, 0), *dy = gaussian(&b, NM_SHAPE(500), 1, 1);
    nm_tensor *y = nm_dropout(b.tape, x, .p = 0.3, .seed = 11), *dx = gradient(&b, y, dy, x);
    int zeros = 0;
    for (int64_t i = 0; i < 500; i++) {
        const bool kept = nm_tensor_get(y, i) != 0;
        assert_near(nm_tensor_get(dx, i), kept ? nm_tensor_get(dy, i) / 0.7 : 0, 1e-6, 0);
        zeros += !kept;
    }
    ck_assert(zeros > 100 && zeros < 200);
    end(&b);
}
END_TEST

START_TEST(dropout_of_0_is_the_identity_and_1_is_refused)
{
    fixture b = begin();
    nm_tensor *x = gaussian(&b, NM_SHAPE(99), 1, 0);
    nm_tensor *y = nm_dropout(b.tape, x, .p = 0);
    ck_assert_mem_eq(nm_tensor_data(x), nm_tensor_data(y), nm_tensor_bytes(x));
    ck_assert_ptr_null(nm_dropout(b.tape, x, .p = 1));
    assert_error(b.context, NM_ERROR_INPUT, "\"p\" must be at least 0 and below 1, not 1");
    end(&b);
}
END_TEST

START_TEST(another_seed_drops_other_elements)
{
    fixture b = begin();
    nm_tensor *x = nm_full(b.tape, NM_F32, NM_SHAPE(1000), 1);
    nm_tensor *y = nm_dropout(b.tape, x, .seed = 1), *z = nm_dropout(b.tape, x, .seed = 2);
    int differ = 0;
    for (int64_t i = 0; i < 1000; i++) {
        differ += nm_tensor_get(y, i) != nm_tensor_get(z, i);
    }
    ck_assert(differ > 400 && differ < 600);
    end(&b);
}
END_TEST

START_TEST(what_is_dropped_is_0_even_if_it_was_infinite)
{
    fixture b = begin();
    nm_tensor *y = nm_dropout(b.tape, nm_full(b.tape, NM_F32, NM_SHAPE(64), INFINITY));
    int zeros = 0;
    for (int64_t i = 0; i < 64; i++) {
        ck_assert(!isnan(nm_tensor_get(y, i)));
        zeros += nm_tensor_get(y, i) == 0;
    }
    ck_assert(zeros > 10 && zeros < 54);
    end(&b);
}
END_TEST

TEST_MAIN("ops/dropout", dropout_keeps_what_philox_says,
          dropout_keeps_the_expected_share_and_the_mean, the_gradient_of_dropout_has_the_same_zeros,
          dropout_of_0_is_the_identity_and_1_is_refused, another_seed_drops_other_elements,
          what_is_dropped_is_0_even_if_it_was_infinite)
