/* Products, blocked and of matrices where they stand, by the loops of every instruction set that
 * this processor has. The factors are whole numbers, so that sums are exact in any order. */
#include "ops/kernels/gemm_blocked.h"
#include "ops/kernels/onednn_primitive.h"
#include "tests/ops/gemm_test.h"

#define MOST_THREADS 4

/* All loops, those of bf16 last. */
static const nm_gemm_loops *loops_at(nm_dtype dtype, int index)
{
    int count = 0;
    while (nm_gemm_loops_at(dtype, count)) {
        count++;
    }
    return index < count                       ? nm_gemm_loops_at(dtype, index)
           : index == count && dtype == NM_F32 ? nm_gemm_loops_bf16()
                                               : NULL;
}

/* Either way, where both can be gone; or as is chosen. Returns whether it was without packing. */
static bool multiply(fixture *f, const nm_gemm *g, const nm_gemm_loops *loops)
{
    nm_context_set_threads(f->context, (int)any_of(f, 1, MOST_THREADS));
    if (!loops) {
        ck_assert_int_eq(nm_gemm_run(f->context, g), NM_OK);
        return false;
    }
    if (any_of(f, 0, 1) && nm_gemm_near(f->context, g, loops)) {
        return true;
    }
    ck_assert_int_eq(nm_gemm_blocked(f->context, g, loops), NM_OK);
    return false;
}

/* What lies between the rows of c must stay. Returns what multiply() does. */
static bool check(fixture *f, const nm_gemm_loops *loops, nm_dtype dtype, int64_t m, int64_t n,
                  int64_t k)
{
    problem p = make_problem(f, dtype, m, n, k);
    const nm_gemm *g = &p.g;
    const bool near = multiply(f, g, loops);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < (i < m - 1 ? g->ldc : n); j++) {
            const double is = get(&p.c, i * g->ldc + j);
            const double ought = j < n ? wanted(&p, i, j) : p.before[i * g->ldc + j];
            ck_assert_msg(
                is == ought, "(%d, %d) is %g, not %g, in a product %d x %d x %d, a %s, b %s%s%s",
                (int)i, (int)j, is, ought, (int)m, (int)n, (int)k,
                g->transpose_a ? "transposed" : "plain", g->transpose_b ? "transposed" : "plain",
                g->accumulate ? ", added" : "", near ? ", near" : "");
        }
    }
    end_problem(&p);
    return near;
}

/* Around what a vector, a tile, and a block hold. */
static void check_loops(nm_dtype dtype)
{
    const int64_t rows[] = {1, 2, 5, 6, 7, 11, 13, 14, 15, 28, 29, 61};
    const int64_t columns[] = {1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 31, 32, 33, 47, 64, 67};
    const int64_t depths[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 50};
    fixture f = begin();
    const nm_gemm_loops *loops;
    int near = 0;
    for (int i = 0; (loops = loops_at(dtype, i)) != NULL; i++) {
        for (int k = 0; k < 240; k++) {
            near += check(&f, loops, dtype, rows[any_of(&f, 0, NM_COUNT_OF(rows) - 1)],
                          columns[any_of(&f, 0, NM_COUNT_OF(columns) - 1)],
                          depths[any_of(&f, 0, NM_COUNT_OF(depths) - 1)]);
        }
        for (int k = 0; k < 4; k++) {
            check(&f, loops, dtype, any_of(&f, 1, 20), any_of(&f, 1, 40), any_of(&f, 447, 450));
            check(&f, loops, dtype, any_of(&f, 1, 20), any_of(&f, 1, 40), any_of(&f, 890, 1350));
            check(&f, loops, dtype, any_of(&f, 1, 20), any_of(&f, 1, 40), any_of(&f, 1599, 1602));
            check(&f, loops, dtype, any_of(&f, 2047, 2065), any_of(&f, 1, 3), any_of(&f, 0, 3));
            check(&f, loops, dtype, any_of(&f, 1, 3), any_of(&f, 2047, 2085), any_of(&f, 0, 3));
        }
    }
    ck_assert_ptr_nonnull(nm_gemm_loops_at(dtype, 0));
    ck_assert(dtype == NM_F64 || nm_gemm_lanes(nm_gemm_loops_at(dtype, 0)) < 8 || near > 20);
    end(f);
}

START_TEST(products_in_f32_are_exact_where_the_sums_are)
{
    check_loops(NM_F32);
}
END_TEST

START_TEST(products_in_f64_are_exact_where_the_sums_are)
{
    check_loops(NM_F64);
}
END_TEST

/* Factors with few numbers in a row, results with few, and what is next to them. */
START_TEST(products_of_tables_with_few_columns_are_exact)
{
    fixture f = begin();
    for (int i = 0; i < 400; i++) {
        const bool large = i % 8 == 0, flat = i % 2;
        const int64_t few = any_of(&f, 1, i % 4 ? 18 : 66), m = any_of(&f, 1, large ? 300 : 40);
        const int64_t other = any_of(&f, 1, large ? 140 : 40);
        check(&f, NULL, i % 16 == 1 ? NM_F64 : NM_F32, m, flat ? few : other, flat ? other : few);
    }
    check(&f, NULL, NM_F32, 40, 600, 60); /* more than stays in the cache */
    end(f);
}
END_TEST

START_TEST(such_products_without_memory_say_so)
{
    test_memory memory = {.fail_at = -1};
    nm_context *context = test_context(&memory);
    static float x[64 * 64], y[64 * 64];
    for (int flat = 0; flat < 2; flat++) {
        const nm_gemm g = {.dtype = NM_F32,
                           .transpose_a = flat,
                           .transpose_b = !flat,
                           .m = 64,
                           .n = flat ? 5 : 64,
                           .k = flat ? 64 : 5,
                           .lda = flat ? 64 : 5,
                           .ldb = 5,
                           .ldc = flat ? 5 : 64,
                           .a = x,
                           .b = x,
                           .c = y};
        memory.fail_at = memory.calls;
        const nm_status status = nm_gemm_run(context, &g);
        if (nm_gemm_lanes(nm_gemm_loops_at(NM_F32, 0)) >= 8) {
            ck_assert_int_eq(status, NM_ERROR_MEMORY);
            assert_error(context, NM_ERROR_MEMORY, "out of memory");
        }
    }
    memory.fail_at = -1;
    test_context_end(context, &memory);
}
END_TEST

/* Of numbers whose sums are rounded. `loops` NULL: as it is chosen. */
static nm_tensor *product_of(fixture *f, const nm_gemm_loops *loops, nm_tensor *const in[3],
                             int threads, bool near, const float *packed)
{
    const int64_t m = nm_tensor_shape(in[0])->dim[0], k = nm_tensor_shape(in[0])->dim[1];
    const int64_t n = nm_tensor_count(in[2]);
    nm_tensor *y = nm_tape_tensor(f->tape, nm_tensor_dtype(in[0]), NM_SHAPE(m, n));
    nm_gemm g = {.dtype = nm_tensor_dtype(y),
                 .transpose_b = true,
                 .m = m,
                 .n = n,
                 .k = k,
                 .lda = k,
                 .ldb = k,
                 .ldc = n,
                 .a = nm_tensor_data(in[0]),
                 .b = nm_tensor_data(in[1]),
                 .c = nm_tensor_data(y),
                 .bias = nm_tensor_data(in[2]),
                 .activation = NM_ACTIVATION_TANH,
                 .packed = packed};
    nm_context_set_threads(f->context, threads);
    if (!loops) {
        ck_assert_int_eq(nm_gemm_run(f->context, &g), NM_OK);
    } else if (!near || !nm_gemm_near(f->context, &g, loops)) {
        ck_assert_int_eq(nm_gemm_blocked(f->context, &g, loops), NM_OK);
    }
    return y;
}

static nm_tensor *product_by(fixture *f, const nm_gemm_loops *loops, nm_tensor *const in[3],
                             int threads, bool near)
{
    return product_of(f, loops, in, threads, near, NULL);
}

START_TEST(any_number_of_threads_gives_the_same_bits)
{
    fixture f = begin();
    const int64_t shapes[][3] = {{131, 77, 500}, {5, 300, 1100}, {400, 40, 70}};
    for (int i = 0; i < 2 * NM_COUNT_OF(shapes); i++) {
        const nm_dtype dtype = i % 2 ? NM_F64 : NM_F32;
        const int64_t m = shapes[i / 2][0], n = shapes[i / 2][1], k = shapes[i / 2][2];
        nm_tensor *in[] = {random_tensor(&f, dtype, NM_SHAPE(m, k)),
                           random_tensor(&f, dtype, NM_SHAPE(n, k)),
                           random_tensor(&f, dtype, NM_SHAPE(n))};
        const nm_gemm_loops *loops;
        for (int l = 0; (loops = loops_at(dtype, l / 2)) != NULL; l++) {
            nm_tensor *one = product_by(&f, loops, in, 1, l % 2);
            for (int threads = 2; threads <= MOST_THREADS; threads++) {
                nm_tensor *more = product_by(&f, loops, in, threads, l % 2);
                ck_assert_mem_eq(nm_tensor_data(one), nm_tensor_data(more), nm_tensor_bytes(one));
            }
        }
        nm_tape_reset(f.tape);
    }
    end(f);
}
END_TEST

START_TEST(such_products_have_the_same_bits_for_any_number_of_threads)
{
    const int64_t shapes[][3] = {{1003, 33, 9}, {40, 64, 64}, {37, 10, 13}, {700, 17, 64}};
    fixture f = begin();
    for (int i = 0; i < NM_COUNT_OF(shapes); i++) {
        const int64_t m = shapes[i][0], n = shapes[i][1], k = shapes[i][2];
        nm_tensor *in[] = {random_tensor(&f, NM_F32, NM_SHAPE(m, k)),
                           random_tensor(&f, NM_F32, NM_SHAPE(n, k)),
                           random_tensor(&f, NM_F32, NM_SHAPE(n))};
        nm_tensor *one = product_by(&f, NULL, in, 1, false);
        for (int threads = 2; threads <= MOST_THREADS; threads++) {
            nm_tensor *more = product_by(&f, NULL, in, threads, false);
            ck_assert_mem_eq(nm_tensor_data(one), nm_tensor_data(more), nm_tensor_bytes(one));
        }
    }
    end(f);
}
END_TEST

/* Blocks of k and of columns, panels that are not full, threads that share rows or columns. */
START_TEST(with_b_packed_once_the_bits_are_the_same)
{
    fixture f = begin();
    const int64_t shapes[][3] = {{131, 77, 500}, {3, 300, 1100}, {70, 2085, 450}, {2065, 16, 64}};
    for (int i = 0; i < NM_COUNT_OF(shapes); i++) {
        const int64_t m = shapes[i][0], n = shapes[i][1], k = shapes[i][2];
        nm_tensor *in[] = {random_tensor(&f, NM_F32, NM_SHAPE(m, k)),
                           random_tensor(&f, NM_F32, NM_SHAPE(n, k)),
                           random_tensor(&f, NM_F32, NM_SHAPE(n))};
        nm_tensor *each_time = product_by(&f, nm_gemm_loops_at(NM_F32, 0), in, 1, false);
        nm_tensor *packed = nm_tape_tensor(f.tape, NM_F32, NM_SHAPE(nm_gemm_packed_count(n, k)));
        nm_gemm_pack(f.context, nm_tensor_f32(in[1]), n, k, nm_tensor_f32(packed));
        for (int threads = 1; threads <= MOST_THREADS; threads++) {
            nm_tensor *once = product_of(&f, NULL, in, threads, false, nm_tensor_f32(packed));
            ck_assert_mem_eq(nm_tensor_data(each_time), nm_tensor_data(once),
                             nm_tensor_bytes(once));
        }
        nm_tape_reset(f.tape);
    }
    ck_assert_int_eq(nm_gemm_packed_count(INT64_MAX / 2, 3), -1);
    end(f);
}
END_TEST

START_TEST(packing_pays_for_some_rows)
{
    const bool wide = nm_gemm_lanes(nm_gemm_loops_at(NM_F32, 0)) >= 8;
    ck_assert(nm_gemm_gains_by_packing(128, 512, 784) == wide);
    ck_assert(!nm_gemm_gains_by_packing(1, 512, 784) && !nm_gemm_gains_by_packing(2, 512, 784));
    ck_assert(!nm_gemm_gains_by_packing(5000, 512, 784));
    ck_assert(!nm_gemm_gains_by_packing(128, 3, 784) && !nm_gemm_gains_by_packing(128, 512, 3));
    ck_assert(!nm_gemm_gains_by_packing(0, 512, 784) && !nm_gemm_gains_by_packing(16, 0, 0));
}
END_TEST

START_TEST(loops_of_all_instruction_sets_agree_within_rounding)
{
    fixture f = begin();
    for (int i = 0; i < 2; i++) {
        const nm_dtype dtype = i ? NM_F64 : NM_F32;
        nm_tensor *in[] = {random_tensor(&f, dtype, NM_SHAPE(40, 600)),
                           random_tensor(&f, dtype, NM_SHAPE(50, 600)),
                           random_tensor(&f, dtype, NM_SHAPE(50))};
        nm_tensor *best = product_by(&f, nm_gemm_loops_at(dtype, 0), in, 1, false);
        for (int l = 1; nm_gemm_loops_at(dtype, l / 2); l++) {
            nm_tensor *other = product_by(&f, nm_gemm_loops_at(dtype, l / 2), in, 1, l % 2);
            ck_assert_double_le(difference(best, other), i ? 1e-13 : 1e-4);
        }
    }
    end(f);
}
END_TEST

START_TEST(what_fills_half_a_vector_goes_by_the_next_narrower_one)
{
    fixture f = begin();
    const nm_gemm_loops *narrower = nm_gemm_loops_at(NM_F32, 1);
    const int lanes = nm_gemm_lanes(nm_gemm_loops_at(NM_F32, 0));
    for (int64_t k = lanes / 2; k < lanes && lanes == 16 && narrower; k++) {
        nm_tensor *in[] = {random_tensor(&f, NM_F32, NM_SHAPE(130, k)),
                           random_tensor(&f, NM_F32, NM_SHAPE(7, k)),
                           random_tensor(&f, NM_F32, NM_SHAPE(7))};
        nm_tensor *ought = product_by(&f, narrower, in, 1, true);
        for (int threads = 1; threads <= MOST_THREADS; threads++) {
            nm_tensor *is = product_by(&f, NULL, in, threads, true);
            ck_assert_mem_eq(nm_tensor_data(is), nm_tensor_data(ought), nm_tensor_bytes(is));
        }
        nm_tape_reset(f.tape);
    }
    end(f);
}
END_TEST

#ifdef NM_HAVE_ONEDNN
static dnnl_status_t fail_for_later_rows(char ta, char tb, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k,
                                         float alpha, const float *a, dnnl_dim_t lda,
                                         const float *b, dnnl_dim_t ldb, float beta, float *c,
                                         dnnl_dim_t ldc)
{
    (void)ta, (void)tb, (void)n, (void)k, (void)alpha, (void)lda, (void)b, (void)ldb, (void)beta;
    for (int64_t i = 0; i < m && *a == 0; i++) {
        c[i * ldc] += 1;
    }
    return *a == 0 ? dnnl_success : dnnl_out_of_memory;
}
#endif

/* A part of the rows has been added to, and another has not. */
START_TEST(a_product_that_onednn_adds_in_part_is_an_error)
{
#ifdef NM_HAVE_ONEDNN
    nm_context *context = test_context(NULL);
    static float a[4096 * 9], b[32 * 9], c[4096 * 32];
    nm_backend *backend = nm_onednn_backend(context);
    const nm_gemm g = {.dtype = NM_F32,
                       .transpose_b = true,
                       .accumulate = true,
                       .m = 4096,
                       .n = 32,
                       .k = 9,
                       .lda = 9,
                       .ldb = 9,
                       .ldc = 32,
                       .a = a,
                       .b = b,
                       .c = c};
    if (backend) { /* it is installed */
        a[2048 * 9] = 1;
        backend->dnnl.sgemm = fail_for_later_rows;
        ck_assert(!nm_onednn_gemm(context, &g, false));
        ck_assert(c[0] == 1 && c[2048 * 32] == 0);
        assert_error(context, NM_ERROR_MEMORY, "out of memory");
    }
    nm_context_destroy(context);
#endif
}
END_TEST

TEST_MAIN("ops/gemm", products_in_f32_are_exact_where_the_sums_are,
          products_in_f64_are_exact_where_the_sums_are, any_number_of_threads_gives_the_same_bits,
          products_of_tables_with_few_columns_are_exact,
          such_products_have_the_same_bits_for_any_number_of_threads,
          such_products_without_memory_say_so, with_b_packed_once_the_bits_are_the_same,
          packing_pays_for_some_rows, loops_of_all_instruction_sets_agree_within_rounding,
          what_fills_half_a_vector_goes_by_the_next_narrower_one,
          a_product_that_onednn_adds_in_part_is_an_error)
