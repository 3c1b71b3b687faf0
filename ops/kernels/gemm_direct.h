/* Products of matrices that are read where they stand, for one type; included once for each. For
 * matrices of which every element is used a few times only, so that copying it would cost as much
 * as multiplying. Every element of c is summed in the order of k, four products at a time, or where
 * b is transposed, in that of a vector's lanes. */

/* ---- b's rows side by side: c's rows are sums of them ---- */

/* One row of c and four of b: element p of a's row is at a[p * step]. */
NM_INLINE void NAME(add_four)(const real *a, int64_t step, const real *b, int64_t ldb, int64_t n,
                              real *c)
{
    const real a0 = a[0], a1 = a[step], a2 = a[2 * step], a3 = a[3 * step];
    const real *b1 = b + ldb, *b2 = b1 + ldb, *b3 = b2 + ldb;
    NM_SIMD for (int64_t j = 0; j < n; j++)
    {
        c[j] += (a0 * b[j] + a1 * b1[j]) + (a2 * b2[j] + a3 * b3[j]);
    }
}

NM_INLINE void NAME(add_one)(real a, const real *b, int64_t n, real *c)
{
    NM_SIMD for (int64_t j = 0; j < n; j++)
    {
        c[j] += a * b[j];
    }
}

NM_INLINE void NAME(clear_rows)(const nm_gemm *g, int64_t i, int64_t rows)
{
    for (int64_t r = i; r < i + rows && !g->accumulate; r++) {
        memset((real *)g->c + r * g->ldc, 0, (size_t)g->n * sizeof(real));
    }
}

/* For what does not fill the vectors of gemm_near.h, and for f64. */
static void NAME(direct_plain)(const nm_gemm *g)
{
    const int64_t row = g->transpose_a ? 1 : g->lda, step = g->transpose_a ? g->lda : 1;
    NAME(clear_rows)(g, 0, g->m);
    for (int64_t i = 0; i < g->m; i++) {
        const real *a = (const real *)g->a + i * row, *b = g->b;
        real *c = (real *)g->c + i * g->ldc;
        int64_t p = 0;
        for (; p + 4 <= g->k; p += 4, a += 4 * step, b += 4 * g->ldb) {
            NAME(add_four)(a, step, b, g->ldb, g->n, c);
        }
        for (; p < g->k; p++, a += step, b += g->ldb) {
            NAME(add_one)(a[0], b, g->n, c);
        }
    }
}

/* `n` columns of c, so few that rows side by side are faster: a is transposed. */
NM_INLINE void NAME(add_columns)(const nm_gemm *g, const int n)
{
    const int64_t m = g->m;
    real *c = g->c;
    for (int64_t p = 0; p < g->k; p++) {
        const real *a = (const real *)g->a + p * g->lda, *b = (const real *)g->b + p * g->ldb;
        const real b0 = b[0], b1 = b[n > 1 ? 1 : 0];
        if (p == 0 && !g->accumulate) {
            memset(c, 0, (size_t)(m * n) * sizeof(real));
        }
        NM_SIMD for (int64_t i = 0; i < m; i++)
        {
            c[i * n] += a[i] * b0;
            if (n > 1) {
                c[i * n + 1] += a[i] * b1;
            }
        }
    }
}

KERNEL static void NAME(direct_columns)(const nm_gemm *g)
{
    if (g->n == 1) {
        NAME(add_columns)(g, 1);
    } else {
        NAME(add_columns)(g, 2);
    }
}

/* ---- b transposed: c's elements are dot products ---- */

/* Of so few factors that outputs side by side are faster. */
NM_INLINE void NAME(dot_few)(const nm_gemm *g, const real *a, real *c, const int k)
{
    const real *b = g->b, a0 = a[0], a1 = a[k > 1 ? 1 : 0];
    const int64_t n = g->n;
    NM_SIMD for (int64_t j = 0; j < n; j++)
    {
        c[j] = a0 * b[j * k] + (k > 1 ? a1 * b[j * k + 1] : 0);
    }
}

NM_INLINE void NAME(put)(const nm_gemm *g, real *c, real sum)
{
    *c = g->accumulate ? *c + sum : sum;
}

/* Four outputs of one row at a time. */
NM_INLINE void NAME(dot_row)(const nm_gemm *g, const real *a, real *c)
{
    const int64_t k = g->k;
    const real *b = g->b;
    int64_t j = 0;
    for (; j + 4 <= g->n; j += 4, b += 4 * g->ldb) {
        const real *b1 = b + g->ldb, *b2 = b1 + g->ldb, *b3 = b2 + g->ldb;
        real s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        NM_SIMD_SUM(s0, s1, s2, s3) for (int64_t p = 0; p < k; p++)
        {
            s0 += a[p] * b[p];
            s1 += a[p] * b1[p];
            s2 += a[p] * b2[p];
            s3 += a[p] * b3[p];
        }
        NAME(put)(g, c + j, s0);
        NAME(put)(g, c + j + 1, s1);
        NAME(put)(g, c + j + 2, s2);
        NAME(put)(g, c + j + 3, s3);
    }
    for (; j < g->n; j++, b += g->ldb) {
        real sum = 0;
        NM_SIMD_SUM(sum) for (int64_t p = 0; p < k; p++)
        {
            sum += a[p] * b[p];
        }
        NAME(put)(g, c + j, sum);
    }
}

/* a is transposed too, which is rare. */
NM_INLINE void NAME(dot_apart)(const nm_gemm *g, const real *a, real *c)
{
    for (int64_t j = 0; j < g->n; j++) {
        const real *b = (const real *)g->b + j * g->ldb;
        real sum = 0;
        for (int64_t p = 0; p < g->k; p++) {
            sum += a[p * g->lda] * b[p];
        }
        NAME(put)(g, c + j, sum);
    }
}

KERNEL static void NAME(direct_dots)(const nm_gemm *g)
{
    const bool few = g->k >= 1 && g->k <= 2 && g->ldb == g->k && !g->accumulate;
    for (int64_t i = 0; i < g->m; i++) {
        const real *a = (const real *)g->a + i * (g->transpose_a ? 1 : g->lda);
        real *c = (real *)g->c + i * g->ldc;
        if (g->transpose_a) {
            NAME(dot_apart)(g, a, c);
        } else if (few && g->k == 1) {
            NAME(dot_few)(g, a, c, 1);
        } else if (few) {
            NAME(dot_few)(g, a, c, 2);
        } else {
            NAME(dot_row)(g, a, c);
        }
    }
}

static void NAME(direct)(const nm_gemm *g)
{
    if (g->k == 0) {
        NAME(clear_rows)(g, 0, g->m);
    } else if (g->transpose_b) {
        NAME(direct_dots)(g);
    } else if (g->transpose_a && g->n <= 2 && g->ldc == g->n) {
        NAME(direct_columns)(g);
    } else {
        NAME(direct_plain)(g);
    }
}
