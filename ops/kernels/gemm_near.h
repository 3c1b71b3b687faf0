/* Products of matrices that are read where they stand, for one type and instruction set; included
 * once for each, after gemm_tiles.h. For matrices of which every element is used a few times only,
 * so that copying it would cost as much as multiplying. Of columns first..last of c at a time, at
 * least LANES; what is left of them after the last vector is done by one that goes over some of
 * those before it. */

/* ---- b's rows side by side: each element of c is a sum in the order of k ---- */

#define NEAR_ROWS 4
#define NEAR_VECTORS (LANES == 16 ? 4 : 2)
#define NEAR_DOTS (LANES / 4) /* rows of dot products at a time */

TARGET NM_INLINE void NAME(plain_tile)(const nm_gemm *g, int64_t i, int64_t j, const int rows,
                                       const int vectors)
{
    const int64_t row = g->transpose_a ? 1 : g->lda, step = g->transpose_a ? g->lda : 1;
    const int64_t ldb = g->ldb, ldc = g->ldc;
    const real *a = (const real *)g->a + i * row, *b = (const real *)g->b + j;
    real *c = (real *)g->c + i * ldc + j;
    VECTOR sums[NEAR_ROWS * 4] = {{0}}, right[8];
    if (g->accumulate) {
        EACH(r, v, sums[r * vectors + v] = *(const LOOSE *)(c + r * ldc + v * LANES))
    }
    for (int64_t p = g->k; p > 0; p--, a += step, b += ldb) {
        EACH_VECTOR(v, right[v] = *(const LOOSE *)(b + v * LANES))
        EACH(r, v, sums[r * vectors + v] += a[r * row] * right[v])
    }
    EACH(r, v, *(LOOSE *)(c + r * ldc + v * LANES) = sums[r * vectors + v])
}

TARGET NM_INLINE void NAME(plain_columns)(const nm_gemm *g, int64_t j, const int vectors)
{
    int64_t i = 0;
    for (; i + NEAR_ROWS <= g->m; i += NEAR_ROWS) {
        NAME(plain_tile)(g, i, j, NEAR_ROWS, vectors);
    }
    for (; i < g->m; i++) {
        NAME(plain_tile)(g, i, j, 1, vectors);
    }
}

/* Of few rows each by itself, with more vectors, or the sums would wait for one another. */
TARGET static void NAME(plain)(const nm_gemm *g, int64_t first, int64_t last)
{
    int64_t j = first;
    for (; g->m < NEAR_ROWS && j + 8 * LANES <= last; j += 8 * LANES) {
        for (int64_t i = 0; i < g->m; i++) {
            NAME(plain_tile)(g, i, j, 1, 8);
        }
    }
    for (; j + NEAR_VECTORS * LANES <= last; j += NEAR_VECTORS * LANES) {
        NAME(plain_columns)(g, j, NEAR_VECTORS);
    }
    for (; j < last; j += LANES) {
        NAME(plain_columns)(g, nm_least(j, last - LANES), 1);
    }
}

/* ---- b transposed: LANES dot products at a time, of some rows of c and as many columns ---- */

/* Of exchange_d() the sum of what it leaves at i and at i + d, at i. */
#define FOLD(d)                                                                                    \
    TARGET NM_INLINE void NAME(fold_##d)(VECTOR * x)                                               \
    {                                                                                              \
        NM_UNROLL(8) for (int i = 0; i < (d); i++)                                                 \
        {                                                                                          \
            x[i] = NM_SHUFFLE(x[i], x[i + (d)], NM_LANES(NM_FIRST, d)) +                           \
                   NM_SHUFFLE(x[i], x[i + (d)], NM_LANES(NM_SECOND, d));                           \
        }                                                                                          \
    }
#if LANES >= 16
FOLD(8)
#endif
#if LANES >= 8
FOLD(4)
#endif
#if LANES >= 4
FOLD(2)
#endif
FOLD(1)

/* Lane i of sums[0] becomes the sum of sums[i]'s lanes. */
TARGET NM_INLINE void NAME(sum_lanes)(VECTOR *sums)
{
#if LANES >= 16
    NAME(fold_8)(sums);
#endif
#if LANES >= 8
    NAME(fold_4)(sums);
#endif
#if LANES >= 4
    NAME(fold_2)(sums);
#endif
    NAME(fold_1)(sums);
}

/* The last of k, which fill no vector: copies of the vectors that end with them, with zeros before
 * them. */
typedef __typeof__((VECTOR){0} == (VECTOR){0}) NAME(mask);
TARGET static void NAME(copy_rest)(const real *from, int64_t ld, int64_t rows, int64_t k, real *to)
{
    NAME(mask) mask = (VECTOR){0} != (VECTOR){0};
    for (int64_t l = LANES - k % LANES; l < LANES; l++) {
        mask[l] = -1;
    }
    for (int64_t r = 0; r < rows; r++) {
        const VECTOR x = *(const LOOSE *)(from + r * ld + k - LANES);
        *(LOOSE *)(to + r * LANES) = (VECTOR)((NAME(mask))x & mask);
    }
}

/* `rows` of c from i on, LANES / rows columns from j on. */
TARGET NM_INLINE void NAME(dot_tile)(const nm_gemm *g, int64_t i, int64_t j, const int rows)
{
    const int columns = LANES / rows;
    int64_t lda = g->lda, ldb = g->ldb;
    const real *a = (const real *)g->a + i * lda, *b = (const real *)g->b + j * ldb;
    real *c = (real *)g->c + i * g->ldc + j, rest[2 * LANES * LANES];
    VECTOR sums[LANES] = {{0}}, left[NEAR_DOTS], right;
    for (int64_t p = g->k; p > 0; p -= LANES, a += LANES, b += LANES) {
        if (p < LANES) {
            NAME(copy_rest)(a + p - g->k, lda, rows, g->k, rest);
            NAME(copy_rest)(b + p - g->k, ldb, columns, g->k, rest + rows * LANES);
            a = rest, b = rest + rows * LANES, lda = ldb = LANES;
        }
        NM_UNROLL(4) for (int r = 0; r < rows; r++)
        {
            left[r] = *(const LOOSE *)(a + r * lda);
        }
        NM_UNROLL(16) for (int q = 0; q < columns; q++)
        {
            right = *(const LOOSE *)(b + q * ldb);
            NM_UNROLL(4) for (int r = 0; r < rows; r++)
            {
                sums[r * columns + q] += left[r] * right;
            }
        }
    }
    NAME(sum_lanes)(sums);
    *(LOOSE *)rest = sums[0];
    for (int r = 0; r < rows; r++, c += g->ldc) {
        for (int q = 0; q < columns && g->accumulate; q++) {
            rest[r * columns + q] += c[q];
        }
        memcpy(c, rest + r * columns, (size_t)columns * sizeof *c);
    }
}

/* All rows for some columns, whose factors stay in the first-level cache. What is left after the
 * last tile is done by one that goes over some of that before it. */
TARGET NM_INLINE void NAME(dot_columns)(const nm_gemm *g, int64_t first, int64_t last,
                                        const int rows)
{
    const int64_t columns = LANES / rows;
    for (int64_t j = first; j < last; j += columns) {
        for (int64_t i = 0; i < g->m; i += rows) {
            NAME(dot_tile)(g, nm_least(i, g->m - rows), nm_least(j, last - columns), rows);
        }
    }
}

TARGET static void NAME(dots)(const nm_gemm *g, int64_t first, int64_t last)
{
    if (g->m >= NEAR_DOTS) {
        NAME(dot_columns)(g, first, last, NEAR_DOTS);
    } else if (NEAR_DOTS > 2 && g->m >= 2) {
        NAME(dot_columns)(g, first, last, 2);
    } else {
        NAME(dot_columns)(g, first, last, 1);
    }
}

TARGET static void NAME(near)(const nm_gemm *g, int64_t first, int64_t last)
{
    if (g->transpose_b) {
        NAME(dots)(g, first, last);
    } else {
        NAME(plain)(g, first, last);
    }
}

#undef NEAR_ROWS
#undef NEAR_VECTORS
#undef FOLD
#undef NEAR_DOTS
