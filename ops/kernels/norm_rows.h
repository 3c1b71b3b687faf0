/* Rows: loops for channels on the last axis. norm_loops.h includes this once for each type. */

/* ---- Rows: the hot loops. Those that work in the first-level cache take four rows at a time,
 * which share the loads of coefficients and sums; those that wait for memory go in its order. ----
 */

/* Runs `four` for every element of four rows and `one` for those of a single row. AT(p, k) is the
 * element of row k of them. */
#define ROWS_BY_FOUR(four, one)                                                                    \
    do {                                                                                           \
        int64_t at = 0, left = rows;                                                               \
        for (; left >= 4; left -= 4, at += 4 * stride) {                                           \
            NM_SIMD for (int64_t j = 0; j < width; j++)                                            \
            {                                                                                      \
                four;                                                                              \
            }                                                                                      \
        }                                                                                          \
        for (; left > 0; left--, at += stride) {                                                   \
            NM_SIMD for (int64_t j = 0; j < width; j++)                                            \
            {                                                                                      \
                one;                                                                               \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* Runs `one` for every element, in the order of memory. */
#define ROWS_BY_ONE(one)                                                                           \
    for (int64_t at = 0, left = rows; left > 0; left--, at += stride) {                            \
        NM_SIMD for (int64_t j = 0; j < width; j++)                                                \
        {                                                                                          \
            one;                                                                                   \
        }                                                                                          \
    }
#define AT(p, k) p[at + (k)*stride + j]
#define SUM_OF_FOUR(f) ((f(0) + f(1)) + (f(2) + f(3)))

KERNEL static void NAME(sum_rows)(const real *x, int64_t rows, int64_t stride, int64_t width,
                                  const real *center, real *sum)
{
#define CENTERED(k) (AT(x, k) - center[j])
    ROWS_BY_FOUR(sum[j] += SUM_OF_FOUR(CENTERED), sum[j] += CENTERED(0));
}

#define XHAT(k) (CENTERED(k) * inverse[j])

KERNEL static void NAME(square_rows)(const real *x, int64_t rows, int64_t stride, int64_t width,
                                     const real *center, const real *inverse, real *square,
                                     real *sum)
{
#define SQUARE(k) (XHAT(k) * XHAT(k))
    ROWS_BY_FOUR((square[j] += SUM_OF_FOUR(SQUARE), sum[j] += SUM_OF_FOUR(XHAT)),
                 (square[j] += SQUARE(0), sum[j] += XHAT(0)));
}

/* A gradient as it came in, and one that a relu lets through where its input was above 0. */
#define PLAIN(k) AT(dy, k)
#define GATED(k) (gate_a[j] * CENTERED(k) + gate_b[j] > 0 ? AT(dy, k) : 0)

#define PRODUCT(k) (DY(k) * XHAT(k))
#define PRODUCT_ROWS(name)                                                                         \
    KERNEL static void NAME(name)(const real *x, const real *dy, int64_t rows, int64_t stride,     \
                                  int64_t width, const NAME(coefficients) * k, real * sum,         \
                                  real * product, real * xhat_sum)                                 \
    {                                                                                              \
        const real *center = k->center, *inverse = k->inverse;                                     \
        const real *gate_a = k->gate_a, *gate_b = k->gate_b;                                       \
        (void)gate_a, (void)gate_b;                                                                \
        ROWS_BY_ONE((sum[j] += DY(0), product[j] += PRODUCT(0), xhat_sum[j] += XHAT(0)))           \
    }
#define DY PLAIN
PRODUCT_ROWS(product_rows)
#undef DY
#define DY GATED
PRODUCT_ROWS(product_rows_gated)
#undef DY

KERNEL static void NAME(peak_rows)(const real *x, int64_t rows, int64_t stride, int64_t width,
                                   real *peak)
{
    for (int64_t r = 0; r < rows; r++, x += stride) {
        NM_SIMD for (int64_t j = 0; j < width; j++)
        {
            const real size = x[j] < 0 ? -x[j] : x[j];
            peak[j] = size > peak[j] ? size : peak[j];
        }
    }
}

#define AFFINE_ROWS(name)                                                                          \
    KERNEL static void NAME(name)(const real *x, const real *residual, real *y, int64_t rows,      \
                                  int64_t stride, int64_t width, const NAME(coefficients) * k)     \
    {                                                                                              \
        const real *center = k->center, *a = k->a, *b = k->b;                                      \
        (void)residual;                                                                            \
        ROWS_BY_ONE(RESULT(0))                                                                     \
    }
#define AFFINE(k) (a[j] * CENTERED(k) + b[j])
#define RESULT(k) (AT(y, k) = AFFINE(k))
AFFINE_ROWS(affine_rows)
#undef RESULT
#define RESULT(k) (AT(y, k) = NAME(relu)(AFFINE(k)))
AFFINE_ROWS(affine_rows_relu)
#undef RESULT
#define RESULT(k) (AT(y, k) = AFFINE(k) + AT(residual, k))
AFFINE_ROWS(affine_rows_plus)
#undef RESULT
#define RESULT(k) (AT(y, k) = NAME(relu)(AFFINE(k) + AT(residual, k)))
AFFINE_ROWS(affine_rows_plus_relu)
#undef RESULT

#define COMBINE(k) (AT(y, k) = a[j] * DY(k) + (b[j] * XHAT(k) + c[j]))
#define COMBINE_ROWS(name)                                                                         \
    KERNEL static void NAME(name)(const real *x, const real *dy, real *y, int64_t rows,            \
                                  int64_t stride, int64_t width, const NAME(coefficients) * k)     \
    {                                                                                              \
        const real *center = k->center, *inverse = k->inverse, *a = k->a, *b = k->b, *c = k->c;    \
        const real *gate_a = k->gate_a, *gate_b = k->gate_b;                                       \
        (void)gate_a, (void)gate_b;                                                                \
        ROWS_BY_ONE(COMBINE(0))                                                                    \
    }
#define DY PLAIN
COMBINE_ROWS(combine_rows)
#undef DY
#define DY GATED
COMBINE_ROWS(combine_rows_gated)
#undef DY

KERNEL static void NAME(scale_rows)(const real *dy, real *y, int64_t rows, int64_t stride,
                                    int64_t width, const NAME(coefficients) * c)
{
    const real *a = c->a;
#define SCALE(k) (AT(y, k) = a[j] * PLAIN(k))
    ROWS_BY_ONE(SCALE(0))
}

#undef ROWS_BY_FOUR
#undef AT
#undef SUM_OF_FOUR
#undef ROWS_BY_ONE
#undef CENTERED
#undef XHAT
#undef SQUARE
#undef PLAIN
#undef GATED
#undef PRODUCT
#undef PRODUCT_ROWS
#undef AFFINE
#undef AFFINE_ROWS
#undef COMBINE
#undef COMBINE_ROWS
#undef SCALE

/* ---- Rows: tiles. A tile's rows are read `fold` at a time, as `full` rows of width `total` and a
 * last, shorter one of width `rest`. ---- */

typedef struct NAME(rows) {
    int64_t at; /* of the first element */
    int64_t full, stride, total, rest;
} NAME(rows);

static NAME(rows) NAME(rows_of)(const nm_channel_pass *p, const tile *t)
{
    const int64_t fold = p->cut.fold, channels = p->view.channels;
    return (NAME(rows)){.at = t->first * channels + t->channel,
                        .full = t->length / fold,
                        .stride = fold * channels,
                        .total = fold * t->width,
                        .rest = t->length % fold * t->width};
}

/* The opposite: sums of the copies. */
static void NAME(fold)(const real *k, int64_t width, int64_t total, double *sum)
{
    for (int64_t c = 0; c < width; c++) {
        sum[c] = k[c];
    }
    for (k += width; total > width; total -= width, k += width) {
        NM_SIMD for (int64_t c = 0; c < width; c++)
        {
            sum[c] += k[c];
        }
    }
}

/* Adds the mean of the differences of some full rows and a rest to the center. */
static void NAME(move_center)(const tile *t, const NAME(rows) * g, const real *x, int64_t full,
                              int64_t rest, double n, double *sums, real *center)
{
    ALIGNED real sum[MAX_WIDTH] = {0};
    NAME(sum_rows)(x, full, g->stride, g->total, center, sum);
    NAME(sum_rows)(x + full * g->stride, 1, g->stride, rest, center, sum);
    NAME(fold)(sum, t->width, g->total, sums);
    for (int64_t c = 0; c < t->width; c++) {
        center[c] = (real)(center[c] + sums[c] / n);
    }
    NAME(repeat)(center, t->width, g->total);
}

/* From differences to the center: the mean and the sum of squared differences to it. False if the
 * center is too far from the mean: then squares are lost in the difference of two large numbers. */
static bool NAME(moments_about)(const NAME(coefficients) * k, const tile *t, const NAME(rows) * g,
                                const real *x, const real *center, double *const *part)
{
    const double n = (double)t->length;
    bool near = true;
    ALIGNED real sum[MAX_WIDTH] = {0}, square[MAX_WIDTH] = {0};
    NAME(square_rows)(x, g->full, g->stride, g->total, center, k->inverse, square, sum);
    NAME(square_rows)
    (x + g->full * g->stride, 1, g->stride, g->rest, center, k->inverse, square, sum);
    NAME(fold)(sum, t->width, g->total, part[0]);
    NAME(fold)(square, t->width, g->total, part[1]);
    for (int64_t c = 0; c < t->width; c++) {
        const double left = part[0][c] / n, lost = n * left * left, squares = part[1][c] - lost;
        near = near && lost <= squares; /* NaN: an overflow, perhaps about a bad center */
        part[0][c] = center[c] + left;
        part[1][c] = squares < 0 ? 0 : squares;
    }
    return near;
}

/* Promise 1: the center is the mean of the first few values, from differences to the first of them.
 * Where that was no good one, of the whole tile. */
static void NAME(moments_of_rows)(const nm_channel_pass *p, const tile *t, double *const *part)
{
    const NAME(rows) g = NAME(rows_of)(p, t);
    const NAME(coefficients) k = NAME(coefficients_at)(p, t->channel);
    const real *x = (const real *)p->x + g.at;
    const int64_t enough = (FEW + p->cut.fold - 1) / p->cut.fold;
    const int64_t few = g.full < enough ? g.full : enough;
    ALIGNED real center[MAX_WIDTH];
    memcpy(center, x, (size_t)t->width * sizeof *x);
    NAME(repeat)(center, t->width, g.total);
    if (few > 0) {
        NAME(move_center)(t, &g, x, few, 0, (double)(few * p->cut.fold), part[0], center);
    }
    if (!NAME(moments_about)(&k, t, &g, x, center, part)) {
        NAME(move_center)(t, &g, x, g.full, g.rest, (double)t->length, part[0], center);
        NAME(moments_about)(&k, t, &g, x, center, part);
    }
}

static void NAME(products_of_rows)(const nm_channel_pass *p, const tile *t, double *const *part)
{
    const NAME(rows) g = NAME(rows_of)(p, t);
    const NAME(coefficients) k = NAME(coefficients_at)(p, t->channel);
    const real *x = (const real *)p->x + g.at, *dy = (const real *)p->dy + g.at;
    const int64_t last = g.full * g.stride;
    ALIGNED real sum[MAX_WIDTH] = {0}, product[MAX_WIDTH] = {0}, xhat_sum[MAX_WIDTH] = {0};
    void (*products)(const real *, const real *, int64_t, int64_t, int64_t,
                     const NAME(coefficients) *, real *, real *, real *) =
        p->gated ? NAME(product_rows_gated) : NAME(product_rows);
    products(x, dy, g.full, g.stride, g.total, &k, sum, product, xhat_sum);
    products(x + last, dy + last, 1, g.stride, g.rest, &k, sum, product, xhat_sum);
    NAME(fold)(sum, t->width, g.total, part[0]);
    NAME(fold)(product, t->width, g.total, part[1]);
    NAME(fold)(xhat_sum, t->width, g.total, part[2]);
}

static void NAME(squares_of_rows)(const nm_channel_pass *p, const tile *t, double *const *part)
{
    const NAME(rows) g = NAME(rows_of)(p, t);
    const NAME(coefficients) k = NAME(coefficients_at)(p, t->channel);
    const real *x = (const real *)p->x + g.at;
    ALIGNED real square[MAX_WIDTH] = {0}, sum[MAX_WIDTH] = {0};
    NAME(square_rows)(x, g.full, g.stride, g.total, k.center, k.inverse, square, sum);
    NAME(square_rows)
    (x + g.full * g.stride, 1, g.stride, g.rest, k.center, k.inverse, square, sum);
    NAME(fold)(square, t->width, g.total, part[0]);
}

static void NAME(peak_of_rows)(const nm_channel_pass *p, const tile *t, double *const *part)
{
    const NAME(rows) g = NAME(rows_of)(p, t);
    const real *x = (const real *)p->x + g.at;
    ALIGNED real peak[MAX_WIDTH] = {0};
    NAME(peak_rows)(x, g.full, g.stride, g.total, peak);
    NAME(peak_rows)(x + g.full * g.stride, 1, g.stride, g.rest, peak);
    for (int64_t c = 0; c < t->width; c++) {
        part[0][c] = peak[c];
        for (int64_t j = c + t->width; j < g.total; j += t->width) {
            part[0][c] = peak[j] > part[0][c] ? peak[j] : part[0][c];
        }
    }
}

static void NAME(gather_rows)(const nm_channel_pass *p, const tile *t, double *const *part)
{
    switch (p->gather) {
    case NM_GATHER_MOMENTS: NAME(moments_of_rows)(p, t, part); break;
    case NM_GATHER_PRODUCTS: NAME(products_of_rows)(p, t, part); break;
    case NM_GATHER_SQUARES: NAME(squares_of_rows)(p, t, part); break;
    case NM_GATHER_PEAK: NAME(peak_of_rows)(p, t, part); break;
    case NM_GATHER_NOTHING: break;
    }
}

static void NAME(affine_to_rows)(const nm_channel_pass *p, int64_t at, int64_t rows, int64_t stride,
                                 int64_t width, const NAME(coefficients) * k)
{
    const real *x = (const real *)p->x + at;
    const real *residual = p->residual ? (const real *)p->residual + at : NULL;
    const bool relu = p->activation == NM_ACTIVATION_RELU;
    (residual ? relu ? NAME(affine_rows_plus_relu) : NAME(affine_rows_plus)
     : relu ? NAME(affine_rows_relu)
              : NAME(affine_rows))(x, residual, (real *)p->y + at, rows, stride, width, k);
}

static void NAME(apply_to_rows)(const nm_channel_pass *p, int64_t at, int64_t rows, int64_t stride,
                                int64_t width, const NAME(coefficients) * k)
{
    const real *x = (const real *)p->x + at, *dy = p->dy ? (const real *)p->dy + at : NULL;
    real *y = (real *)p->y + at;
    switch (p->apply) {
    case NM_APPLY_AFFINE: NAME(affine_to_rows)(p, at, rows, stride, width, k); break;
    case NM_APPLY_COMBINE:
        (p->gated ? NAME(combine_rows_gated) : NAME(combine_rows))(x, dy, y, rows, stride, width,
                                                                   k);
        break;
    case NM_APPLY_SCALE: NAME(scale_rows)(dy, y, rows, stride, width, k); break;
    case NM_APPLY_NOTHING: break;
    }
}

static void NAME(apply_rows)(const nm_channel_pass *p, const tile *t)
{
    const NAME(rows) g = NAME(rows_of)(p, t);
    const NAME(coefficients) k = NAME(coefficients_at)(p, t->channel);
    NAME(apply_to_rows)(p, g.at, g.full, g.stride, g.total, &k);
    NAME(apply_to_rows)(p, g.at + g.full * g.stride, 1, g.stride, g.rest, &k);
    for (int64_t row = 0; row < g.full; row++) {
        NAME(activate)(p, (real *)p->y + g.at + row * g.stride, g.total);
    }
    NAME(activate)(p, (real *)p->y + g.at + g.full * g.stride, g.rest);
}
