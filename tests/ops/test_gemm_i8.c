/* Products with weights of 8 bits, by the loops of every instruction set that this processor has:
 * the same bits as a sum written out, whatever the shape. */
#include "ops/kernels/finish.h"
#include "ops/kernels/gemm_i8.h"
#include "tests/ops/linear_test.h"

#define MOST_THREADS 3

/* Arrays in memory that ends where they do, for a sanitizer to see what reads or writes beyond. */
typedef struct problem {
    nm_gemm_i8 g;
    int8_t *q; /* [n, k] */
    float *x, *y, *scale, *bias;
    int8_t *packed;
    int32_t *sums;
} problem;

static void *bytes(size_t count)
{
    void *memory = calloc(1, count + !count);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

/* Weights of whole numbers `low` to `high`, packed as they are. */
static problem make_problem(fixture *f, int64_t m, int64_t n, int64_t k, int low, int high)
{
    problem p = {.q = bytes((size_t)(n * k)), .x = bytes(sizeof(float) * (size_t)(m * k))};
    const int64_t block = nm_i8_depths(k) * NM_I8_COLUMNS * NM_I8_DEPTH;
    p.y = bytes(sizeof(float) * (size_t)(m * n));
    p.scale = bytes(sizeof(float) * (size_t)n);
    p.bias = bytes(sizeof(float) * (size_t)n);
    p.sums = bytes(sizeof(int32_t) * (size_t)n);
    p.packed = bytes((size_t)(nm_i8_blocks(n) * block));
    for (int64_t i = 0; i < n * k; i++) {
        const int64_t j = i / k, at = i % k;
        p.q[i] = (int8_t)any_of(f, low, high);
        p.sums[j] += p.q[i];
        p.packed[j / 16 * block + at / 4 * 64 + j % 16 * 4 + at % 4] = p.q[i];
    }
    for (int64_t i = 0; i < m * k; i++) {
        p.x[i] = (float)any_of(f, -1000, 3000) / 777;
    }
    for (int64_t j = 0; j < n; j++) {
        p.scale[j] = (float)any_of(f, 1, 100) / 999;
        p.bias[j] = (float)any_of(f, -100, 100) / 7;
    }
    p.g = (nm_gemm_i8){.m = m,
                       .n = n,
                       .k = k,
                       .x = p.x,
                       .w = p.packed,
                       .sums = p.sums,
                       .scale = p.scale,
                       .bias = p.bias,
                       .y = p.y};
    return p;
}

static void end_problem(const problem *p)
{
    void *all[] = {p->q, p->x, p->y, p->scale, p->bias, p->packed, p->sums};
    for (int i = 0; i < NM_COUNT_OF(all); i++) {
        free(all[i]);
    }
}

/* ---- What is promised, written out ---- */

typedef struct row_range {
    float least, length, scale;
    int zero;
} row_range;

static row_range round_range(const float *x, int64_t k)
{
    row_range r = {0};
    float most = 0;
    for (int64_t i = 0; i < k; i++) {
        r.least = x[i] < r.least ? x[i] : r.least;
        most = x[i] > most ? x[i] : most;
    }
    r.length = most - r.least;
    r.scale = r.length / 255;
    r.zero = r.length > 0 ? (int)rintf(-r.least * (255 / r.length)) : 0;
    return r;
}

static int unit_of(const row_range *r, float x)
{
    const int unit = r->length > 0 ? (int)rintf(x * (255 / r->length)) + r->zero : 0;
    return unit < 255 ? unit : 255;
}

static float expected(const problem *p, int64_t row, int64_t column)
{
    const nm_gemm_i8 *g = &p->g;
    const float *x = g->x + row * g->k;
    const row_range r = round_range(x, g->k);
    int64_t sum = 0;
    for (int64_t i = 0; i < g->k; i++) {
        sum += (int64_t)(unit_of(&r, x[i]) - r.zero) * p->q[column * g->k + i];
    }
    ck_assert_int_eq((int32_t)sum, sum);
    const float y = fmaf((float)sum, r.scale * g->scale[column], g->bias[column]);
    return g->activation == NM_ACTIVATION_RELU && y < 0 ? 0 : y;
}

static void check(fixture *f, problem *p)
{
    const nm_i8_loops *loops;
    const nm_gemm_i8 *g = &p->g;
    for (int l = 0; (loops = nm_i8_loops_at(l)) != NULL; l++) {
        memset(p->y, 0xff, sizeof(float) * (size_t)(g->m * g->n));
        ck_assert_int_eq(nm_gemm_i8_run(f->context, g, loops), NM_OK);
        for (int64_t i = 0; i < g->m * g->n; i++) {
            const float y = expected(p, i / g->n, i % g->n);
            ck_assert_msg(memcmp(&p->y[i], &y, sizeof y) == 0,
                          "loops %d, %lld x %lld x %lld, element %lld: %.9g, not %.9g", l,
                          (long long)g->m, (long long)g->n, (long long)g->k, (long long)i,
                          (double)p->y[i], (double)y);
        }
    }
}

/* ---- Claims ---- */

START_TEST(all_instruction_sets_give_the_bits_of_sums_written_out)
{
    fixture f = begin();
    for (int i = 0; i < 150; i++) {
        const int64_t m = any_of(&f, 1, 14), n = any_of(&f, 1, 100), k = any_of(&f, 1, 70);
        problem p = make_problem(&f, m, n, k, -128, 127);
        p.g.activation = i % 2 ? NM_ACTIVATION_RELU : NM_ACTIVATION_NONE;
        check(&f, &p);
        end_problem(&p);
    }
    end(f);
}
END_TEST

START_TEST(sums_of_the_most_inputs_at_their_ends_do_not_leave_their_type)
{
    fixture f = begin();
    for (int i = 0; i < 4; i++) {
        const int weight = i < 2 ? -128 : 127;
        problem p = make_problem(&f, 2, 3, NM_I8_MOST_INPUTS, weight, weight);
        for (int64_t e = 0; e < p.g.m * p.g.k; e++) {
            p.x[e] = i % 2 ? -1 : 1; /* 0 and 255 */
        }
        check(&f, &p);
        end_problem(&p);
    }
    end(f);
}
END_TEST

START_TEST(no_rows_or_outputs_are_no_work_and_no_inputs_leave_the_bias)
{
    fixture f = begin();
    const int64_t shapes[][3] = {{0, 5, 7}, {5, 0, 7}, {5, 7, 0}};
    for (int i = 0; i < NM_COUNT_OF(shapes); i++) {
        problem p =
            make_problem(&f, shapes[i][0], shapes[i][1], shapes[i][2] + !shapes[i][2], 1, 2);
        p.g.k = shapes[i][2];
        memset(p.sums, 0, sizeof(int32_t) * (size_t)p.g.n);
        check(&f, &p);
        end_problem(&p);
    }
    end(f);
}
END_TEST

START_TEST(rows_of_one_value_and_of_tiny_and_large_ones_are_rounded_within_a_step)
{
    fixture f = begin();
    static const float sizes[] = {0, 1e-38F, 1e-34F, 1e-20F, 3, 1e20F, 1e35F};
    for (int i = 0; i < NM_COUNT_OF(sizes); i++) {
        problem p = make_problem(&f, 2, 20, 33, -127, 127);
        for (int64_t e = 0; e < p.g.m * p.g.k; e++) {
            p.x[e] = e < p.g.k ? sizes[i] : -sizes[i] * (float)(e % 5) / 4;
        }
        for (int l = 0; nm_i8_loops_at(l); l++) {
            ck_assert_int_eq(nm_gemm_i8_run(f.context, &p.g, nm_i8_loops_at(l)), NM_OK);
            for (int64_t e = 0; e < p.g.m * p.g.n; e++) {
                double exact = 0, weights = 0;
                for (int64_t k = 0; k < p.g.k; k++) {
                    const double w = (double)p.scale[e % p.g.n] * p.q[e % p.g.n * p.g.k + k];
                    exact += w * (double)p.x[e / p.g.n * p.g.k + k];
                    weights += fabs(w);
                }
                const double y = (double)p.y[e] - (double)p.bias[e % p.g.n];
                ck_assert_double_le(fabs(y - exact),
                                    weights * ((double)sizes[i] / 255 + 1e-34) + 1e-5);
            }
        }
        end_problem(&p);
    }
    end(f);
}
END_TEST

START_TEST(a_row_with_what_is_not_finite_is_nan_and_no_other_row)
{
    fixture f = begin();
    static const float strange[] = {NAN, -NAN, INFINITY, -INFINITY, 3e38F};
    for (int i = 0; i < NM_COUNT_OF(strange); i++) {
        problem p = make_problem(&f, 3, 20, 30, -127, 127);
        p.x[p.g.k + any_of(&f, 0, p.g.k - 2)] = strange[i];
        p.x[2 * p.g.k - 1] = -3e38F;
        p.g.activation = NM_ACTIVATION_RELU;
        for (int l = 0; nm_i8_loops_at(l); l++) {
            ck_assert_int_eq(nm_gemm_i8_run(f.context, &p.g, nm_i8_loops_at(l)), NM_OK);
            for (int64_t e = 0; e < p.g.m * p.g.n; e++) {
                ck_assert_int_eq(!!isnan(p.y[e]), e / p.g.n == 1);
            }
        }
        end_problem(&p);
    }
    end(f);
}
END_TEST

START_TEST(threads_and_the_other_rows_do_not_change_a_bit)
{
    fixture f = begin();
    const int64_t shapes[][3] = {{1, 400, 2600}, {6, 200, 900}, {41, 90, 301}};
    for (int i = 0; i < NM_COUNT_OF(shapes); i++) {
        const int64_t m = shapes[i][0], n = shapes[i][1], k = shapes[i][2];
        problem p = make_problem(&f, m, n, k, -127, 127);
        float *one = bytes(sizeof(float) * (size_t)(m * n));
        p.g.activation = NM_ACTIVATION_TANH;
        p.g.m = 1;
        for (int64_t row = 0; row < m; row++) {
            nm_gemm_i8 single = p.g;
            single.x += row * k, single.y = one + row * n;
            nm_context_set_threads(f.context, 1);
            ck_assert_int_eq(nm_gemm_i8_run(f.context, &single, nm_i8_loops_at(0)), NM_OK);
        }
        p.g.m = m;
        for (int threads = 1; threads <= MOST_THREADS; threads++) {
            nm_context_set_threads(f.context, threads);
            for (int l = 0; nm_i8_loops_at(l); l++) {
                ck_assert_int_eq(nm_gemm_i8_run(f.context, &p.g, nm_i8_loops_at(l)), NM_OK);
                ck_assert_mem_eq(one, p.y, sizeof(float) * (size_t)(m * n));
            }
        }
        free(one);
        end_problem(&p);
    }
    end(f);
}
END_TEST

START_TEST(packed_weights_stand_for_those_given_within_half_a_step)
{
    fixture f = begin();
    const int64_t n = 37, k = 29, block = nm_i8_depths(k) * 64;
    problem p = make_problem(&f, 1, n, k, 0, 0);
    float *w = bytes(sizeof(float) * (size_t)(n * k));
    for (int64_t i = 0; i < n * k; i++) {
        w[i] = i / k == 5 ? 0 : (float)any_of(&f, -1000, 1000) / 333 * (i / k == 6 ? 1e-30F : 1);
    }
    memset(p.packed, 0x55, (size_t)(nm_i8_blocks(n) * block));
    ck_assert_int_eq(nm_gemm_i8_pack(f.context, w, n, k, p.packed, p.sums, p.scale), NM_OK);
    for (int64_t i = 0; i < nm_i8_blocks(n) * block; i++) { /* 0 where there are no weights */
        const int64_t row = i / block * 16 + i % 64 / 4, column = i % block / 64 * 4 + i % 4;
        ck_assert(p.packed[i] == 0 || (row < n && column < k));
    }
    for (int64_t j = 0; j < n; j++) {
        int sum = 0, most = 0;
        for (int64_t i = 0; i < k; i++) {
            const int q = p.packed[j / 16 * block + i / 4 * 64 + j % 16 * 4 + i % 4];
            const double error = fabs((double)w[j * k + i] - (double)p.scale[j] * q);
            ck_assert_double_le(error, 0.5001 * (double)p.scale[j]);
            sum += q;
            most = abs(q) > most ? abs(q) : most;
        }
        ck_assert_int_eq(sum, p.sums[j]);
        ck_assert_int_eq(most, j == 5 ? 0 : 127);
    }
    w[3] = NAN;
    ck_assert_int_eq(nm_gemm_i8_pack(f.context, w, n, k, p.packed, p.sums, p.scale), NM_OK);
    ck_assert(isnan(p.scale[0]) && isfinite(p.scale[1]));
    free(w);
    end_problem(&p);
    end(f);
}
END_TEST

START_TEST(weights_that_were_rounded_once_are_the_same_numbers_when_rounded_again)
{
    fixture f = begin();
    float w[200];
    int8_t q[200], again[200];
    for (int i = 0; i < 300; i++) {
        for (int k = 0; k < 200; k++) {
            w[k] = (float)any_of(&f, -100000, 100000) * (i % 3 ? 1e-5F : 3e-39F);
        }
        const float scale = nm_i8_round_row(w, 200, q);
        const float other = (float)any_of(&f, 1, 1000) / 77; /* batch norm's, say */
        for (int k = 0; k < 200; k++) {
            w[k] = (float)((double)((float)q[k] * scale) * (double)other);
        }
        nm_i8_round_row(w, 200, again);
        ck_assert_mem_eq(q, again, sizeof q);
    }
    end(f);
}
END_TEST

TEST_MAIN("ops/gemm_i8", all_instruction_sets_give_the_bits_of_sums_written_out,
          sums_of_the_most_inputs_at_their_ends_do_not_leave_their_type,
          no_rows_or_outputs_are_no_work_and_no_inputs_leave_the_bias,
          rows_of_one_value_and_of_tiny_and_large_ones_are_rounded_within_a_step,
          a_row_with_what_is_not_finite_is_nan_and_no_other_row,
          threads_and_the_other_rows_do_not_change_a_bit,
          packed_weights_stand_for_those_given_within_half_a_step,
          weights_that_were_rounded_once_are_the_same_numbers_when_rounded_again)
