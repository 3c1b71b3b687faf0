/* Products, blocked and of matrices where they stand, by the loops of every instruction set that
 * this processor has. The factors are whole numbers, so that sums are exact in any order. */
#include "ops/kernels/bf16.h"
#include "ops/kernels/finish.h"
#include "ops/kernels/gemm_blocked.h"
#include "ops/kernels/onednn_primitive.h"
#include "tests/ops/linear_test.h"

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

/* A matrix in memory that ends where it does, for a sanitizer to see what reads or writes beyond.
 */
typedef struct matrix {
    int64_t rows, columns, stride;
    nm_dtype dtype;
    void *data;
} matrix;

static int64_t place(const matrix *x, bool transposed, int64_t row, int64_t column)
{
    return transposed ? column * x->stride + row : row * x->stride + column;
}

static double get(const matrix *x, int64_t i)
{
    return x->dtype == NM_F64 ? ((double *)x->data)[i] : (double)((float *)x->data)[i];
}

static matrix make_matrix(fixture *f, nm_dtype dtype, int64_t rows, int64_t columns)
{
    matrix x = {rows, columns, columns + any_of(f, 0, 2), dtype, NULL};
    const int64_t count = rows ? (rows - 1) * x.stride + columns : 0;
    x.data = malloc((size_t)count * nm_dtype_size(dtype) + !count);
    ck_assert_ptr_nonnull(x.data);
    for (int64_t i = 0; i < count; i++) {
        const double value = (double)any_of(f, -4, 4);
        if (dtype == NM_F64) {
            ((double *)x.data)[i] = value;
        } else {
            ((float *)x.data)[i] = (float)value;
        }
    }
    return x;
}

typedef struct problem {
    nm_gemm g;
    matrix a, b, c, bias;
    double *before; /* c */
} problem;

static problem make_problem(fixture *f, nm_dtype dtype, int64_t m, int64_t n, int64_t k)
{
    problem p = {.g = {.dtype = dtype, .m = m, .n = n, .k = k}};
    nm_gemm *g = &p.g;
    g->transpose_a = any_of(f, 0, 1), g->transpose_b = any_of(f, 0, 1);
    g->accumulate = any_of(f, 0, 1);
    p.a = make_matrix(f, dtype, g->transpose_a ? k : m, g->transpose_a ? m : k);
    p.b = make_matrix(f, dtype, g->transpose_b ? n : k, g->transpose_b ? k : n);
    p.c = make_matrix(f, dtype, m, n);
    p.bias = make_matrix(f, dtype, 1, n);
    g->lda = p.a.stride, g->ldb = p.b.stride, g->ldc = p.c.stride;
    g->a = p.a.data, g->b = p.b.data, g->c = p.c.data;
    g->bias = any_of(f, 0, 1) ? p.bias.data : NULL;
    g->activation = any_of(f, 0, 1) ? NM_ACTIVATION_RELU : NM_ACTIVATION_NONE;
    const int64_t count = (m - 1) * p.c.stride + n;
    p.before = malloc((size_t)count * sizeof *p.before);
    ck_assert_ptr_nonnull(p.before);
    for (int64_t i = 0; i < count; i++) {
        p.before[i] = get(&p.c, i);
    }
    return p;
}

static void end_problem(problem *p)
{
    free(p->a.data);
    free(p->b.data);
    free(p->c.data);
    free(p->bias.data);
    free(p->before);
}

static double wanted(const problem *p, int64_t i, int64_t j)
{
    const nm_gemm *g = &p->g;
    double sum = g->accumulate ? p->before[i * g->ldc + j] : 0;
    for (int64_t q = 0; q < g->k; q++) {
        sum += get(&p->a, place(&p->a, g->transpose_a, i, q)) *
               get(&p->b, place(&p->b, g->transpose_b, q, j));
    }
    sum += g->bias ? get(&p->bias, j) : 0;
    return g->activation == NM_ACTIVATION_RELU && sum < 0 ? 0 : sum;
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

/* ---- bf16 ---- */

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
          in_bf16_factors_are_rounded_and_sums_are_those_of_f32,
          in_bf16_all_orders_of_the_factors_are_emulated,
          in_bf16_what_is_not_finite_stays_in_its_row_and_column,
          in_bf16_numbers_that_are_not_normal_count_as_zero_by_units,
          in_bf16_what_is_thin_or_small_stays_f32, in_bf16_products_without_memory_say_so,
          a_product_that_onednn_adds_in_part_is_an_error)
