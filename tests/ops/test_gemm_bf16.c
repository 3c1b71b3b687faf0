/* Products in bf16: by the processor's units where it has them, and emulated. */
#include "ops/kernels/bf16.h"
#include "tests/ops/gemm_test.h"

static double rounded_at(nm_tensor *x, int64_t i)
{
    const float value = (float)nm_tensor_get(x, i);
    uint16_t half;
    float back;
    nm_bf16_narrow(&value, &half, 1);
    nm_bf16_widen(&half, &back, 1);
    return (double)back;
}

/* a, b and c of a product, and what it makes of them. */
typedef struct halves {
    nm_tensor *a, *b, *c;
    nm_gemm g;
} halves;

static halves random_halves(fixture *f, int64_t m, int64_t n, int64_t k)
{
    halves h = {random_tensor(f, NM_F32, NM_SHAPE(m, k)),
                random_tensor(f, NM_F32, NM_SHAPE(n, k)),
                nm_tape_tensor(f->tape, NM_F32, NM_SHAPE(m, n)),
                {.bf16 = true}};
    h.g = (nm_gemm){.dtype = NM_F32, .transpose_b = true, .bf16 = true, .m = m, .n = n, .k = k};
    h.g.lda = h.g.ldb = k, h.g.ldc = n;
    h.g.a = nm_tensor_data(h.a), h.g.b = nm_tensor_data(h.b), h.g.c = nm_tensor_data(h.c);
    return h;
}

/* By units or without: sums of f32 of products of what was rounded. */
static void assert_of_rounded(const halves *h)
{
    for (int64_t i = 0; i < h->g.m * h->g.n; i++) {
        double sum = 0, sizes = 0;
        for (int64_t p = 0; p < h->g.k; p++) {
            const double product = rounded_at(h->a, i / h->g.n * h->g.k + p) *
                                   rounded_at(h->b, i % h->g.n * h->g.k + p);
            sum += product, sizes += fabs(product);
        }
        ck_assert_double_eq_tol(nm_tensor_get(h->c, i), sum, 1e-6 * sizes);
    }
}

START_TEST(in_bf16_factors_are_rounded_and_sums_are_those_of_f32)
{
    fixture f = begin();
    halves h = random_halves(&f, 45, 70, 1000);
    nm_context_emulate_bf16(f.context, true);
    ck_assert_int_eq(nm_gemm_run(f.context, &h.g), NM_OK);
    assert_of_rounded(&h);
    nm_tensor_fill(h.c, 0);
    ck_assert_int_eq(nm_gemm_emulate(f.context, &h.g), NM_OK);
    assert_of_rounded(&h);
    end(f);
}
END_TEST

START_TEST(in_bf16_all_orders_of_the_factors_are_emulated)
{
    fixture f = begin();
    for (int i = 0; i < 40; i++) {
        problem p = make_problem(&f, NM_F32, any_of(&f, 1, 40), any_of(&f, 1, 40), 70);
        p.g.bf16 = true;
        ck_assert_int_eq(nm_gemm_emulate(f.context, &p.g), NM_OK);
        for (int64_t j = 0; j < p.g.m * p.g.n; j++) {
            const int64_t row = j / p.g.n, column = j % p.g.n;
            ck_assert_double_eq(get(&p.c, row * p.g.ldc + column), wanted(&p, row, column));
        }
        end_problem(&p);
    }
    end(f);
}
END_TEST

START_TEST(in_bf16_what_is_not_finite_stays_in_its_row_and_column)
{
    fixture f = begin();
    halves h = random_halves(&f, 45, 70, 101);
    nm_tensor_set(h.a, 3 * 101 + 100, NAN);
    nm_tensor_set(h.b, 69 * 101 + 100, INFINITY);
    nm_tensor_set(h.b, 5 * 101, 3.4e38); /* more than bf16's largest */
    ck_assert_int_eq(nm_gemm_emulate(f.context, &h.g), NM_OK);
    nm_tensor *emulated = copy_as(&f, h.c, NM_F32);
    nm_context_emulate_bf16(f.context, true);
    ck_assert_int_eq(nm_gemm_run(f.context, &h.g), NM_OK);
    for (int64_t i = 0; i < 45 * 70; i++) {
        const double is = nm_tensor_get(h.c, i), ought = nm_tensor_get(emulated, i);
        ck_assert(isnan(is) == (i / 70 == 3) && isnan(ought) == (i / 70 == 3));
        ck_assert(!isfinite(is) == (i / 70 == 3 || i % 70 == 69 || i % 70 == 5));
        ck_assert(!isinf(ought) || is == ought);
    }
    end(f);
}
END_TEST

START_TEST(in_bf16_numbers_that_are_not_normal_count_as_zero_by_units)
{
    fixture f = begin();
    halves h = random_halves(&f, 45, 70, 101);
    for (int64_t i = 0; i < 45 * 101; i++) {
        nm_tensor_set(h.a, i, i / 101 == 3 ? 1e-40 : 1);
    }
    nm_tensor_fill(h.b, 1024);
    ck_assert_int_eq(nm_gemm_run(f.context, &h.g), NM_OK);
    for (int64_t i = 0; i < 45 * 70; i++) {
        const double is = nm_tensor_get(h.c, i);
        ck_assert(i / 70 == 3 ? is >= 0 && is < 2e-35 : is == 101 * 1024);
    }
    end(f);
}
END_TEST

/* Whose rounding takes as long as it saves. */
START_TEST(in_bf16_what_is_thin_or_small_stays_f32)
{
    fixture f = begin();
    const int64_t shapes[][3] = {{8, 512, 784}, {128, 9, 784}, {1, 512, 784}, {31, 32, 32}};
    nm_context_emulate_bf16(f.context, true);
    for (int i = 0; i < NM_COUNT_OF(shapes); i++) {
        halves h = random_halves(&f, shapes[i][0], shapes[i][1], shapes[i][2]);
        ck_assert_int_eq(nm_gemm_run(f.context, &h.g), NM_OK);
        nm_tensor *c = copy_as(&f, h.c, NM_F32);
        h.g.bf16 = false;
        ck_assert_int_eq(nm_gemm_run(f.context, &h.g), NM_OK);
        ck_assert_mem_eq(nm_tensor_data(c), nm_tensor_data(h.c), nm_tensor_bytes(c));
    }
    end(f);
}
END_TEST

START_TEST(in_bf16_products_without_memory_say_so)
{
    test_memory memory = {.fail_at = -1};
    nm_context *context = test_context(&memory);
    static float x[45 * 300], y[45 * 45];
    const nm_gemm g = {.dtype = NM_F32,
                       .transpose_b = true,
                       .bf16 = true,
                       .m = 45,
                       .n = 45,
                       .k = 300,
                       .lda = 300,
                       .ldb = 300,
                       .ldc = 45,
                       .a = x,
                       .b = x,
                       .c = y};
    nm_context_emulate_bf16(context, true);
    for (int i = 0; i < 2; i++) { /* what the units, or one factor's copy, ask for */
        memory.fail_at = memory.calls;
        nm_status status = (i ? nm_gemm_emulate : nm_gemm_run)(context, &g);
        ck_assert_int_eq(status, NM_ERROR_MEMORY);
        assert_error(context, NM_ERROR_MEMORY, "out of memory");
    }
    memory.fail_at = memory.calls + 1; /* the other's */
    ck_assert_int_eq(nm_gemm_emulate(context, &g), NM_ERROR_MEMORY);
    assert_error(context, NM_ERROR_MEMORY, "out of memory");
    memory.fail_at = -1;
    test_context_end(context, &memory);
}
END_TEST

TEST_MAIN("ops/gemm_bf16", in_bf16_factors_are_rounded_and_sums_are_those_of_f32,
          in_bf16_all_orders_of_the_factors_are_emulated,
          in_bf16_what_is_not_finite_stays_in_its_row_and_column,
          in_bf16_numbers_that_are_not_normal_count_as_zero_by_units,
          in_bf16_what_is_thin_or_small_stays_f32, in_bf16_products_without_memory_say_so)
