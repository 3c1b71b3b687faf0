/* Products of whole numbers, whose sums are exact in any order, and what they are. */
#ifndef NM_TESTS_OPS_GEMM_TEST_H
#define NM_TESTS_OPS_GEMM_TEST_H

#include "ops/kernels/gemm.h"
#include "tests/ops/linear_test.h"

/* A matrix in memory that ends where it does, for a sanitizer to see what reads or writes beyond.
 */
typedef struct matrix {
    int64_t rows, columns, stride;
    nm_dtype dtype;
    void *data;
} matrix;

static inline int64_t place(const matrix *x, bool transposed, int64_t row, int64_t column)
{
    return transposed ? column * x->stride + row : row * x->stride + column;
}

static inline double get(const matrix *x, int64_t i)
{
    return x->dtype == NM_F64 ? ((double *)x->data)[i] : (double)((float *)x->data)[i];
}

static inline matrix make_matrix(fixture *f, nm_dtype dtype, int64_t rows, int64_t columns)
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

static inline problem make_problem(fixture *f, nm_dtype dtype, int64_t m, int64_t n, int64_t k)
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

static inline void end_problem(problem *p)
{
    free(p->a.data);
    free(p->b.data);
    free(p->c.data);
    free(p->bias.data);
    free(p->before);
}

static inline double wanted(const problem *p, int64_t i, int64_t j)
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

#endif
