/* What the gradient check and PyTorch's values do not show of matrix products and dense layers:
 * the kernels against a plain sum over many shapes, edges, costs, messages, memory. */
#include <stdio.h>

#include "ops/kernels/bf16.h"
#include "ops/kernels/gemm.h"
#include "tests/ops/linear_test.h"

static bool onednn_is_loaded(void)
{
    char line[4096];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof line, maps)) {
        found = found || strstr(line, "libdnnl");
    }
    fclose(maps);
    return found;
}

/* The first of its file: what is loaded stays, where tests are not processes of their own. */
START_TEST(only_work_that_is_worth_it_loads_onednn)
{
    fixture f = begin();
    ck_assert(!onednn_is_loaded());
    nm_tensor *a = random_tensor(&f, NM_F32, NM_SHAPE(16, 32));
    nm_matmul(f.tape, a, a, .transpose_b = true);
    nm_context_set_onednn(f.context, true);
    assert_fine(f.context);
    ck_assert(!onednn_is_loaded());
    ck_assert_int_eq(nm_has_onednn(), onednn_is_loaded());
    end(f);
}
END_TEST

/* ---- By hand ---- */

START_TEST(a_product_is_the_one_computed_by_hand)
{
    fixture f = begin();
    nm_tensor *a = TENSOR(f, (2, 3), 1, 2, 3, 4, 5, 6), *b = TENSOR(f, (3, 2), 7, 8, 9, 10, 11, 12);
    ASSERT_TENSOR(nm_matmul(f.tape, a, b), (2, 2), 58, 64, 139, 154);
    ASSERT_TENSOR(nm_matmul(f.tape, a, a, .transpose_b = true), (2, 2), 14, 32, 32, 77);
    ASSERT_TENSOR(nm_matmul(f.tape, b, b, .transpose_a = true), (2, 2), 251, 278, 278, 308);
    ASSERT_TENSOR(nm_matmul(f.tape, a, b, .transpose_a = true, .transpose_b = true), (3, 3), 39, 49,
                  59, 54, 68, 82, 69, 87, 105);
    end(f);
}
END_TEST

START_TEST(axes_before_the_last_two_broadcast_both_ways)
{
    fixture f = begin();
    nm_tensor *a = TENSOR(f, (2, 1, 1, 2), 1, 2, 3, 4);
    nm_tensor *b = TENSOR(f, (3, 2, 1), 1, 0, 0, 1, 1, 1);
    ASSERT_TENSOR(nm_matmul(f.tape, a, b), (2, 3, 1, 1), 1, 2, 3, 3, 4, 7);
    end(f);
}
END_TEST

START_TEST(a_dense_layer_multiplies_by_the_transposed_weights_and_adds_the_bias)
{
    fixture f = begin();
    nm_tensor *x = TENSOR(f, (2, 2), 1, 2, 3, 4), *w = TENSOR(f, (3, 2), 1, 0, 0, 1, 1, 1);
    ASSERT_TENSOR(nm_dense(f.tape, x, w, TENSOR(f, (3), 10, 20, 30)), (2, 3), 11, 22, 33, 13, 24,
                  37);
    ASSERT_TENSOR(nm_dense(f.tape, x, w, NULL), (2, 3), 1, 2, 3, 3, 4, 7);
    end(f);
}
END_TEST

START_TEST(a_dense_activation_is_the_two_ops_one_after_the_other_to_the_bit)
{
    fixture f = begin();
    for (int i = 0; i < 4 * 2 * 2 * 2; i++) {
        nm_activation activation = (nm_activation)(i % 4);
        nm_dtype dtype = i / 4 % 2 ? NM_F64 : NM_F32;
        nm_context_set_onednn(f.context, i / 8 % 2);
        const bool few = i >= 16;
        nm_tensor *in[] = {random_tensor(&f, dtype, few ? NM_SHAPE(2, 1, 48) : NM_SHAPE(3, 7, 40)),
                           random_tensor(&f, dtype, NM_SHAPE(50, few ? 48 : 40)),
                           random_tensor(&f, dtype, NM_SHAPE(50))};
        for (int k = 0; k < 3; k++) {
            nm_tensor_set_requires_grad(in[k], true);
        }
        nm_tensor *fused = nm_dense_activation(f.tape, in[0], in[1], in[2], activation);
        nm_tensor *one_by_one = activate(f.tape, activation, nm_dense(f.tape, in[0], in[1], in[2]));
        assert_same_step(&f, in, (nm_tensor *[]){fused, one_by_one});
        nm_tape_reset(f.tape);
    }
    end(f);
}
END_TEST

START_TEST(a_relu_on_top_keeps_a_nan)
{
    fixture f = begin();
    for (int onednn = 0; onednn < 2; onednn++) {
        nm_context_set_onednn(f.context, onednn);
        nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(20, 30), -1);
        nm_tensor *w = nm_full(f.tape, NM_F32, NM_SHAPE(40, 30), 1);
        nm_tensor_set(x, 30 * 7, NAN);
        nm_tensor *y = nm_dense_activation(f.tape, x, w, NULL, NM_ACTIVATION_RELU);
        ck_assert(isnan(nm_tensor_get(y, 40 * 7 + 3)));
        ck_assert_double_eq(nm_tensor_get(y, 40 * 6 + 3), 0);
    }
    end(f);
}
END_TEST

START_TEST(an_input_that_needs_no_gradient_costs_no_product)
{
    fixture f = begin();
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(8, 6)), *dy;
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(4, 6)), *dw;
    nm_tensor_set_requires_grad(w, true);
    for (int fused = 0; fused < 2; fused++) {
        nm_tensor *y = fused ? nm_dense_activation(f.tape, x, w, NULL, NM_ACTIVATION_RELU)
                             : nm_dense(f.tape, x, w, NULL);
        dy = random_tensor(&f, NM_F32, NM_SHAPE(8, 4));
        int64_t before = nm_tape_cost_so_far(f.tape).multiply_adds;
        nm_gradients(f.tape, &y, &dy, 1, &w, 1, 0, &dw);
        assert_fine(f.context);
        ck_assert_int_eq(nm_tape_cost_so_far(f.tape).multiply_adds - before, 8 * 6 * 4);
    }
    end(f);
}
END_TEST

/* ---- Kernels against a plain sum ---- */

static nm_tensor *matrix(fixture *f, nm_dtype dtype, bool transposed, int64_t rows, int64_t columns,
                         int64_t *stride)
{
    *stride = (transposed ? rows : columns) + any_of(f, 0, 3);
    return random_tensor(f, dtype, NM_SHAPE(transposed ? columns : rows, *stride));
}

static double element(nm_tensor *x, bool transposed, int64_t stride, int64_t row, int64_t column)
{
    return nm_tensor_get(x, transposed ? column * stride + row : row * stride + column);
}

/* A random product m by k by n, with rows further apart than they are long, compared element by
 * element with its definition. What lies between the rows of c must stay. */
static void check_product(fixture *f, nm_dtype dtype, int64_t m, int64_t n, int64_t k)
{
    nm_gemm g = {.dtype = dtype,
                 .transpose_a = any_of(f, 0, 1),
                 .transpose_b = any_of(f, 0, 1),
                 .accumulate = any_of(f, 0, 1),
                 .m = m,
                 .n = n,
                 .k = k};
    nm_tensor *a = matrix(f, dtype, g.transpose_a, m, k, &g.lda);
    nm_tensor *b = matrix(f, dtype, g.transpose_b, k, n, &g.ldb);
    nm_tensor *c = matrix(f, dtype, false, m, n, &g.ldc);
    nm_tensor *before = nm_tape_tensor(f->tape, dtype, *nm_tensor_shape(c));
    nm_tensor_assign(before, c);
    g.a = nm_tensor_data(a), g.b = nm_tensor_data(b), g.c = nm_tensor_data(c);
    ck_assert_int_eq(nm_gemm_run(f->context, &g), NM_OK);
    double tolerance = (dtype == NM_F64 ? 1e-14 : 2e-6) * (double)(k + 1);
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < g.ldc; j++) {
            double wanted = j >= n || g.accumulate ? element(before, false, g.ldc, i, j) : 0;
            for (int64_t p = 0; j < n && p < k; p++) {
                wanted +=
                    element(a, g.transpose_a, g.lda, i, p) * element(b, g.transpose_b, g.ldb, p, j);
            }
            assert_near(element(c, false, g.ldc, i, j), wanted, j < n ? 1e-6 : 0,
                        j < n ? tolerance : 0);
        }
    }
    nm_tape_reset(f->tape);
}

static void check_products(nm_dtype dtype, bool onednn)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, onednn);
    for (int i = 0; i < 120; i++) {
        check_product(&f, dtype, any_of(&f, 1, 40), any_of(&f, 1, 40), any_of(&f, 1, 40));
    }
    const int64_t edges[][3] = {{6, 16, 256}, {7, 17, 257}, {12, 32, 512}, {1, 70, 600},
                                {70, 1, 600}, {2, 50, 300}, {50, 2, 300},  {65, 1, 64},
                                {13, 33, 1},  {1, 1, 3000}, {100, 9, 70},  {8, 8, 8},
                                {5, 40, 64},  {4, 16, 16},  {1, 17, 32},   {11, 34, 48},
                                {64, 64, 1},  {9, 64, 3},   {30, 2, 5},    {16, 64, 64}};
    for (int i = 0; i < NM_COUNT_OF(edges); i++) {
        for (int k = 0; k < 6; k++) {
            check_product(&f, dtype, edges[i][0], edges[i][1], edges[i][2]);
        }
    }
    end(f);
}

START_TEST(our_products_in_f32_are_the_sums_that_define_them)
{
    check_products(NM_F32, false);
}
END_TEST

START_TEST(our_products_in_f64_are_the_sums_that_define_them)
{
    check_products(NM_F64, false);
}
END_TEST

START_TEST(onednns_products_are_the_sums_that_define_them)
{
    check_products(NM_F32, true);
}
END_TEST

static void check_bf16(fixture *f, int64_t rows, int64_t in_size, int64_t out)
{
    const rounded in[] = {random_rounded(f, NM_SHAPE(rows, in_size)),
                          random_rounded(f, NM_SHAPE(out, in_size)),
                          random_rounded(f, NM_SHAPE(rows, out))};
    const int bf16 = NM_PRECISION_BF16;
    assert_steps_of_bf16(
        f, in,
        (nm_tensor *[]){nm_dense(f->tape, in[0].plain, in[1].plain, NULL, .precision = bf16),
                        nm_dense(f->tape, in[0].rounded, in[1].rounded, NULL),
                        nm_dense(f->tape, in[0].plain, in[1].plain, NULL)});
    assert_steps_of_bf16(
        f, in,
        (nm_tensor *[]){
            nm_matmul(f->tape, in[0].plain, in[1].plain, .transpose_b = true, .precision = bf16),
            nm_matmul(f->tape, in[0].rounded, in[1].rounded, .transpose_b = true),
            nm_matmul(f->tape, in[0].plain, in[1].plain, .transpose_b = true)});
    nm_tensor *fused = nm_dense_activation(f->tape, in[0].plain, in[1].plain, NULL,
                                           NM_ACTIVATION_TANH, .precision = bf16);
    nm_tensor *y = nm_dense(f->tape, in[0].plain, in[1].plain, NULL, .precision = bf16);
    ck_assert_double_eq(difference(fused, nm_tanh(f->tape, y)), 0);
    nm_tape_reset(f->tape);
}

START_TEST(in_bf16_the_factors_are_rounded_and_the_sums_are_not)
{
    fixture f = begin();
    ck_assert(!nm_context_emulate_bf16(f.context, true));
    check_bf16(&f, 24, 140, 20);
    check_bf16(&f, 37, 83, 29);
    ck_assert(nm_context_emulate_bf16(f.context, false));
    end(f);
}
END_TEST

START_TEST(without_units_for_it_bf16_is_f32)
{
    fixture f = begin();
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(24, 140));
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(20, 140));
    nm_tensor *y = nm_dense(f.tape, x, w, NULL, .precision = NM_PRECISION_BF16);
    ck_assert(nm_has_bf16() == (difference(y, nm_dense(f.tape, x, w, NULL)) > 0));
    nm_tensor *wide[] = {copy_as(&f, x, NM_F64), copy_as(&f, w, NM_F64)};
    y = nm_dense(f.tape, wide[0], wide[1], NULL, .precision = NM_PRECISION_BF16);
    ck_assert_double_eq(difference(y, nm_dense(f.tape, wide[0], wide[1], NULL)), 0);
    end(f);
}
END_TEST

START_TEST(rounding_to_bf16_goes_to_the_nearest_and_ties_to_even)
{
    fixture f = begin();
    const float from[] = {1.0f,    1.00390625f, 1.01171875f, 1.0039064f,
                          3.4e38f, -0.0f,       INFINITY,    1e-40f};
    const double wanted[] = {1, 1, 1.015625, 1.0078125, INFINITY, 0, INFINITY, 0};
    nm_tensor *to = nm_tape_tensor(f.tape, NM_BF16, NM_SHAPE(9)), *slow;
    float all[9];
    memcpy(all, from, sizeof from);
    const uint32_t nan = 0x7f800001; /* all its bits are in the lower half */
    memcpy(&all[8], &nan, sizeof nan);
    nm_bf16_from_f32(f.context, all, nm_tensor_data(to), 9);
    slow = copy_as(&f, nm_tape_wrap(f.tape, NM_F32, NM_SHAPE(9), all), NM_BF16);
    for (int i = 0; i < 7; i++) {
        ck_assert_double_eq(nm_tensor_get(to, i), wanted[i]);
        ck_assert_double_eq(nm_tensor_get(to, i), nm_tensor_get(slow, i));
    }
    ck_assert_double_eq(nm_tensor_get(to, 7), nm_tensor_get(slow, 7)); /* denormal */
    ck_assert(isnan(nm_tensor_get(to, 8)));
    end(f);
}
END_TEST

START_TEST(our_products_are_the_same_to_the_bit_for_any_number_of_threads)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    nm_tensor *a = random_tensor(&f, NM_F32, NM_SHAPE(131, 300));
    nm_tensor *b = random_tensor(&f, NM_F32, NM_SHAPE(300, 77));
    nm_context_set_threads(f.context, 1);
    nm_tensor *one = nm_matmul(f.tape, a, b);
    nm_context_set_threads(f.context, 4);
    nm_tensor *four = nm_matmul(f.tape, a, b);
    assert_fine(f.context);
    ck_assert_mem_eq(nm_tensor_data(one), nm_tensor_data(four), nm_tensor_bytes(one));
    end(f);
}
END_TEST

/* ---- Edges ---- */

START_TEST(no_rows_give_no_rows_and_no_columns_a_product_of_zeros)
{
    fixture f = begin();
    nm_tensor *w = nm_full(f.tape, NM_F32, NM_SHAPE(4, 3), 1);
    nm_tensor *b = nm_full(f.tape, NM_F32, NM_SHAPE(4), 2);
    nm_tensor_set_requires_grad(w, true);
    nm_tensor *y = nm_dense(f.tape, nm_full(f.tape, NM_F32, NM_SHAPE(0, 3), 1), w, b);
    ck_assert_int_eq(nm_tensor_count(y), 0);
    ASSERT_TENSOR(gradient(&f, y, NULL, w), (4, 3), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    nm_tensor *none = nm_full(f.tape, NM_F32, NM_SHAPE(2, 0), 1);
    ASSERT_TENSOR(nm_matmul(f.tape, none, none, .transpose_b = true), (2, 2), 0, 0, 0, 0);
    ASSERT_TENSOR(nm_dense(f.tape, none, nm_full(f.tape, NM_F32, NM_SHAPE(4, 0), 1), b), (2, 4), 2,
                  2, 2, 2, 2, 2, 2, 2);
    end(f);
}
END_TEST

START_TEST(a_nan_or_infinity_in_a_factor_is_not_lost)
{
    fixture f = begin();
    for (int onednn = 0; onednn < 2; onednn++) {
        nm_context_set_onednn(f.context, onednn);
        nm_tensor *a = nm_full(f.tape, NM_F32, NM_SHAPE(20, 30), 0);
        nm_tensor *b = nm_full(f.tape, NM_F32, NM_SHAPE(30, 40), 1);
        nm_tensor_set(b, 5 * 40 + 3, INFINITY);
        nm_tensor *y = nm_matmul(f.tape, a, b);
        ck_assert(isnan(nm_tensor_get(y, 3))); /* 0 times infinity */
        ck_assert_double_eq(nm_tensor_get(y, 4), 0);
    }
    end(f);
}
END_TEST

START_TEST(switching_onednn_says_what_it_was)
{
    fixture f = begin();
    ck_assert(nm_context_set_onednn(f.context, false));
    ck_assert(!nm_context_set_onednn(f.context, true));
    ck_assert(nm_context_set_onednn(f.context, true));
    end(f);
}
END_TEST

START_TEST(shapes_that_do_not_fit_are_named)
{
    fixture f = begin();
    nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(60, 784), 0);
    nm_tensor *w = nm_full(f.tape, NM_F32, NM_SHAPE(100, 10), 0);
    nm_tensor *v = nm_full(f.tape, NM_F32, NM_SHAPE(10), 0);
    ck_assert_ptr_null(nm_matmul(f.tape, x, w));
    assert_error(f.context, NM_ERROR_INPUT,
                 "matmul: inner sizes differ: a [60, 784] times b [100, 10]");
    nm_matmul(f.tape, x, w, .transpose_b = true);
    assert_error(f.context, NM_ERROR_INPUT, "b [100, 10] transposed");
    nm_matmul(f.tape, v, v, .transpose_b = true);
    assert_error(f.context, NM_ERROR_INPUT, "a vector has nothing to transpose");
    nm_matmul(f.tape, nm_scalar(f.tape, NM_F32, 1), w);
    assert_error(f.context, NM_ERROR_INPUT, "both need at least one axis: a [] times b [100, 10]");
    nm_matmul(f.tape, v, w);
    assert_error(f.context, NM_ERROR_INPUT, "inner sizes differ: a [10] times b [100, 10]");
    nm_matmul(f.tape, nm_full(f.tape, NM_F32, NM_SHAPE(2, 3, 3), 0),
              nm_full(f.tape, NM_F32, NM_SHAPE(4, 3, 3), 0));
    assert_error(f.context, NM_ERROR_INPUT, "do not broadcast: a [2, 3, 3] times b [4, 3, 3]");
    nm_dense(f.tape, x, w, NULL);
    assert_error(f.context, NM_ERROR_INPUT, "dense: x [60, 784] does not fit w [100, 10]");
    nm_dense(f.tape, v, w, v);
    assert_error(f.context, NM_ERROR_INPUT, "dense: b [10] does not fit w [100, 10]");
    end(f);
}
END_TEST

/* ---- Costs ---- */

static int64_t cost_of(fixture *f, nm_tensor *y)
{
    int64_t cost = nm_tape_cost_so_far(f->tape).multiply_adds;
    ck_assert_ptr_nonnull(y);
    nm_tape_reset(f->tape);
    return cost;
}

START_TEST(multiply_adds_are_counted_and_huge_ones_do_not_overflow)
{
    fixture f = begin();
    nm_tape_set_dry(f.tape, true);
#define EMPTY(...) nm_tape_tensor(f.tape, NM_F32, NM_SHAPE(__VA_ARGS__))
    ck_assert_int_eq(cost_of(&f, nm_dense(f.tape, EMPTY(60, 784), EMPTY(100, 784), NULL)),
                     60 * 784 * 100);
    ck_assert_int_eq(cost_of(&f, nm_matmul(f.tape, EMPTY(2, 3, 5), EMPTY(2, 5, 7))), 2 * 3 * 5 * 7);
    const int64_t much = 1 << 27;
    ck_assert_int_eq(cost_of(&f, nm_matmul(f.tape, EMPTY(much, much), EMPTY(much, much))),
                     NM_MANY_MULTIPLY_ADDS);
    end(f);
}
END_TEST

/* ---- Memory ---- */

/* A step of a small network, forward and backward. */
static nm_status step(nm_tape *tape, nm_tensor *const *t)
{
    nm_tape_reset(tape);
    nm_tensor *y = nm_conv2d(tape, t[0], t[1], t[2], .padding = NM_INTS(1));
    y = nm_avg_pool2d(tape, nm_max_pool2d(tape, y, .kernel = NM_INTS(2)), .global = true);
    y = nm_dense(tape, nm_reshape(tape, y, NM_SHAPE(8, 16)), t[3], NULL);
    return nm_backward(tape, nm_mean(tape, nm_square(tape, y)), 0);
}

static void make_parameters(nm_context *context, nm_tensor **t)
{
    const nm_shape shapes[] = {NM_SHAPE(8, 8, 8, 8), NM_SHAPE(16, 3, 3, 8), NM_SHAPE(16),
                               NM_SHAPE(16, 16)};
    for (int i = 0; i < 4; i++) {
        t[i] = nm_tensor_create(context, NM_F32, shapes[i]);
        if (t[i]) {
            nm_tensor_fill(t[i], 0.01 * (i + 1));
            nm_tensor_set_requires_grad(t[i], i > 0);
        }
    }
}

static nm_status run_steps(test_memory *memory, bool onednn, int count, long *calls)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_register_ops(context);
    nm_context_set_onednn(context, onednn);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *t[4] = {NULL};
    make_parameters(context, t);
    for (int i = 0; i < count && tape && nm_context_status(context) == NM_OK; i++) {
        *calls = memory->calls;
        step(tape, t);
        *calls = memory->calls - *calls;
    }
    nm_status status = nm_context_status(context);
    for (int i = 0; i < 4; i++) {
        nm_tensor_destroy(t[i]);
    }
    nm_tape_destroy(tape);
    test_context_end(context, memory);
    return status;
}

START_TEST(a_step_like_the_one_before_it_allocates_nothing)
{
    for (int onednn = 0; onednn < 2; onednn++) {
        test_memory memory = {.fail_at = -1};
        long calls = -1;
        ck_assert_int_eq(run_steps(&memory, onednn, 5, &calls), NM_OK);
        ck_assert_int_eq(calls, 0);
    }
}
END_TEST

static nm_status one_step_of_our_own(test_memory *memory)
{
    long calls;
    return run_steps(memory, false, 1, &calls);
}

static nm_status one_step_by_onednn(test_memory *memory)
{
    long calls;
    return run_steps(memory, true, 1, &calls);
}

START_TEST(every_allocation_of_a_step_may_fail)
{
    test_every_allocation(one_step_of_our_own);
    test_every_allocation(one_step_by_onednn);
}
END_TEST

TEST_MAIN("ops/linear", only_work_that_is_worth_it_loads_onednn,
          a_product_is_the_one_computed_by_hand, axes_before_the_last_two_broadcast_both_ways,
          a_dense_layer_multiplies_by_the_transposed_weights_and_adds_the_bias,
          a_dense_activation_is_the_two_ops_one_after_the_other_to_the_bit,
          a_relu_on_top_keeps_a_nan, an_input_that_needs_no_gradient_costs_no_product,
          our_products_in_f32_are_the_sums_that_define_them,
          our_products_in_f64_are_the_sums_that_define_them,
          onednns_products_are_the_sums_that_define_them,
          in_bf16_the_factors_are_rounded_and_the_sums_are_not, without_units_for_it_bf16_is_f32,
          rounding_to_bf16_goes_to_the_nearest_and_ties_to_even,
          our_products_are_the_same_to_the_bit_for_any_number_of_threads,
          no_rows_give_no_rows_and_no_columns_a_product_of_zeros,
          a_nan_or_infinity_in_a_factor_is_not_lost, switching_onednn_says_what_it_was,
          shapes_that_do_not_fit_are_named, multiply_adds_are_counted_and_huge_ones_do_not_overflow,
          a_step_like_the_one_before_it_allocates_nothing, every_allocation_of_a_step_may_fail)
