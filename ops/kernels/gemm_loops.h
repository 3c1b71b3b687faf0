/* The loops of gemm.c for one type, whose register tile is COLUMNS wide; included once for each. */

/* Element (i, p) of op(a) is at a[i * row + p * step]; the same serves b with i its column. */
static inline void NAME(pack)(const real *from, int64_t row, int64_t step, int64_t rows,
                              int64_t depth, int width, real *to)
{
    if (rows < width) {
        memset(to, 0, (size_t)(depth * width) * sizeof(real));
    }
    if (rows >= width && row == 1) {
        for (int64_t p = 0; p < depth; p++) {
            memcpy(to + p * width, from + p * step, (size_t)width * sizeof(real));
        }
        return;
    }
    for (int64_t first = 0; first < depth; first += 64) { /* what is written stays near */
        int64_t last = first + 64 < depth ? first + 64 : depth;
        for (int64_t i = 0; i < width && i < rows; i++) {
            for (int64_t p = first; p < last; p++) {
                to[p * width + i] = from[i * row + p * step];
            }
        }
    }
}

/* Panels begin..end of a matrix of `count` rows, each for all blocks of k: panel by panel, so
 * that a panel's blocks follow one another. */
static inline void NAME(pack_panels)(const real *from, int64_t row, int64_t step, int64_t count,
                                     int64_t k, int width, real *to, int64_t begin, int64_t end)
{
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t first = panel * width;
        NAME(pack)(from + first * row, row, step, count - first, k, width, to + first * k);
    }
}

static void NAME(pack_a)(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const nm_gemm *g = j->g;
    NAME(pack_panels)
    (g->a, g->transpose_a ? 1 : g->lda, g->transpose_a ? g->lda : 1, g->m, g->k, ROWS, j->a, begin,
     end);
}

static void NAME(pack_b)(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const nm_gemm *g = j->g;
    NAME(pack_panels)
    (g->b, g->transpose_b ? g->ldb : 1, g->transpose_b ? 1 : g->ldb, g->n, g->k, COLUMNS, j->b,
     begin, end);
}

typedef real NAME(vector) __attribute__((vector_size(COLUMNS * sizeof(real))));
NM_KERNEL static void NAME(tile)(const real *a, const real *b, int64_t depth, real *c, int64_t ldc,
                                 int64_t rows, int64_t columns, bool add)
{
    NAME(vector) s0 = {0}, s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, right;
    for (int64_t p = 0; p < depth; p++, a += ROWS, b += COLUMNS) {
        memcpy(&right, b, sizeof right);
        s0 += a[0] * right;
        s1 += a[1] * right;
        s2 += a[2] * right;
        s3 += a[3] * right;
        s4 += a[4] * right;
        s5 += a[5] * right;
    }
    NAME(vector) sum[ROWS] = {s0, s1, s2, s3, s4, s5};
    for (int64_t i = 0; i < rows; i++, c += ldc) {
        if (columns < COLUMNS) {
            for (int64_t j = 0; j < columns; j++) {
                c[j] = (add ? c[j] : 0) + sum[i][j];
            }
            continue;
        }
        if (add) {
            memcpy(&right, c, sizeof right);
            sum[i] += right;
        }
        memcpy(c, &sum[i], sizeof right);
    }
}

static void NAME(multiply)(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const nm_gemm *g = j->g;
    for (int64_t p = 0; p < g->k; p += DEPTH) {
        int64_t depth = g->k - p < DEPTH ? g->k - p : DEPTH;
        for (int64_t column = 0; column < g->n; column += COLUMNS) {
            const real *b = (const real *)j->b + column * g->k + p * COLUMNS;
            for (int64_t panel = begin; panel < end; panel++) {
                int64_t row = panel * ROWS;
                const real *a = (const real *)j->a + row * g->k + p * ROWS;
                NAME(tile)
                (a, b, depth, (real *)g->c + row * g->ldc + column, g->ldc,
                 g->m - row < ROWS ? g->m - row : ROWS,
                 g->n - column < COLUMNS ? g->n - column : COLUMNS, p > 0 || g->accumulate);
            }
        }
    }
}

static nm_status NAME(blocked)(nm_context *context, const nm_gemm *g)
{
    int64_t rows = round_up(g->m, ROWS), columns = round_up(g->n, COLUMNS);
    real *scratch = nm_scratch(context, nm_bytes((rows + columns) * g->k, sizeof(real)));
    if (!scratch) {
        return NM_ERROR_MEMORY;
    }
    job j = {g, scratch + columns * g->k, scratch}; /* b's vectors stay aligned */
    int64_t grain = 65536 / (g->k + 1) / ROWS + 1;
    nm_parallel(context, rows / ROWS, grain, NAME(pack_a), &j);
    nm_parallel(context, columns / COLUMNS, grain, NAME(pack_b), &j);
    nm_parallel(context, rows / ROWS, 200000 / (g->k * g->n + 1) / ROWS + 1, NAME(multiply), &j);
    nm_scratch_end(scratch);
    return NM_OK;
}
