/* Rows: loops for channels on the last axis. norm_loops.h includes this once for each type. */

/* ---- Rows: the hot loops. Those that work in the first-level cache take four rows at a time,
 * which share the loads of coefficients and sums; those that wait for memory go in its order. A
 * loop that comes in two kinds is written once, with a constant that says which. ---- */

NM_INLINE real NAME(sum_of_four)(real a, real b, real c, real d)
{
    return (a + b) + (c + d);
}

KERNEL static void NAME(sum_rows)(const real *x, int64_t rows, int64_t stride, int64_t width,
                                  const real *center, real *sum)
{
    for (; rows >= 4; rows -= 4, x += 4 * stride) {
        const real *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride;
        NM_SIMD for (int64_t j = 0; j < width; j++)
        {
            sum[j] += NAME(sum_of_four)(x[j] - center[j], x1[j] - center[j], x2[j] - center[j],
                                        x3[j] - center[j]);
        }
    }
    for (; rows > 0; rows--, x += stride) {
        NM_SIMD for (int64_t j = 0; j < width; j++)
        {
            sum[j] += x[j] - center[j];
        }
    }
}

KERNEL static void NAME(square_rows)(const real *x, int64_t rows, int64_t stride, int64_t width,
                                     const real *center, const real *inverse, real *square,
                                     real *sum)
{
    for (; rows >= 4; rows -= 4, x += 4 * stride) {
        const real *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride;
        NM_SIMD for (int64_t j = 0; j < width; j++)
        {
            const real a = (x[j] - center[j]) * inverse[j], b = (x1[j] - center[j]) * inverse[j];
            const real c = (x2[j] - center[j]) * inverse[j], d = (x3[j] - center[j]) * inverse[j];
            square[j] += NAME(sum_of_four)(a * a, b * b, c * c, d * d);
            sum[j] += NAME(sum_of_four)(a, b, c, d);
        }
    }
    for (; rows > 0; rows--, x += stride) {
        NM_SIMD for (int64_t j = 0; j < width; j++)
        {
            const real a = (x[j] - center[j]) * inverse[j];
            square[j] += a * a;
            sum[j] += a;
        }
    }
}

KERNEL static void NAME(peak_rows)(const real *x, int64_t rows, int64_t stride, int64_t width,
                                   real *peak)
{
    for (; rows > 0; rows--, x += stride) {
        NM_SIMD for (int64_t j = 0; j < width; j++)
        {
            const real size = x[j] < 0 ? -x[j] : x[j];
            peak[j] = size > peak[j] ? size : peak[j];
        }
    }
}

/* A gradient as it came in; gated: as far as a relu lets it through, where its input was above 0.
 */
NM_INLINE real NAME(gate)(bool gated, real dy, real centered, const NAME(coefficients) * k,
                          int64_t j)
{
    return !gated || k->gate_a[j] * centered + k->gate_b[j] > 0 ? dy : 0;
}

NM_INLINE void NAME(add_products)(bool gated, const real *x, const real *dy, int64_t rows,
                                  int64_t stride, int64_t width, NAME(coefficients) k, real *sum,
                                  real *product, real *xhat_sum)
{
    for (; rows > 0; rows--, x += stride, dy += stride) {
        NM_SIMD for (int64_t j = 0; j < width; j++)
        {
            const real centered = x[j] - k.center[j], xhat = centered * k.inverse[j];
            const real dz = NAME(gate)(gated, dy[j], centered, &k, j);
            sum[j] += dz;
            product[j] += dz * xhat;
            xhat_sum[j] += xhat;
        }
    }
}

KERNEL static void NAME(product_rows)(const real *x, const real *dy, int64_t rows, int64_t stride,
                                      int64_t width, const NAME(coefficients) * k, real *sum,
                                      real *product, real *xhat_sum)
{
    NAME(add_products)(false, x, dy, rows, stride, width, *k, sum, product, xhat_sum);
}

KERNEL static void NAME(product_rows_gated)(const real *x, const real *dy, int64_t rows,
                                            int64_t stride, int64_t width,
                                            const NAME(coefficients) * k, real *sum, real *product,
                                            real *xhat_sum)
{
    NAME(add_products)(true, x, dy, rows, stride, width, *k, sum, product, xhat_sum);
}

/* y is at least `low`: 0 for relu, -infinity for nothing; NaN stays NaN. */
NM_INLINE void NAME(apply_affine)(const real *x, const real *residual, real *y, int64_t rows,
                                  int64_t stride, int64_t width, NAME(coefficients) k, real low)
{
    const bool plus = residual != NULL;
    for (; rows > 0; rows--, x += stride, y += stride) {
        NM_SIMD for (int64_t j = 0; j < width; j++)
        {
            const real z = k.a[j] * (x[j] - k.center[j]) + k.b[j] + (plus ? residual[j] : 0);
            y[j] = z < low ? low : z;
        }
        residual = plus ? residual + stride : NULL;
    }
}

KERNEL static void NAME(affine_rows)(const real *x, real *y, int64_t rows, int64_t stride,
                                     int64_t width, const NAME(coefficients) * k, real low)
{
    NAME(apply_affine)(x, NULL, y, rows, stride, width, *k, low);
}

KERNEL static void NAME(affine_rows_plus)(const real *x, const real *residual, real *y,
                                          int64_t rows, int64_t stride, int64_t width,
                                          const NAME(coefficients) * k, real low)
{
    NAME(apply_affine)(x, residual, y, rows, stride, width, *k, low);
}

NM_INLINE void NAME(combine)(bool gated, const real *x, const real *dy, real *y, int64_t rows,
                             int64_t stride, int64_t width, NAME(coefficients) k)
{
    for (; rows > 0; rows--, x += stride, dy += stride, y += stride) {
        NM_SIMD for (int64_t j = 0; j < width; j++)
        {
            const real centered = x[j] - k.center[j], xhat = centered * k.inverse[j];
            const real dz = NAME(gate)(gated, dy[j], centered, &k, j);
            y[j] = k.a[j] * dz + (k.b[j] * xhat + k.c[j]);
        }
    }
}

KERNEL static void NAME(combine_rows)(const real *x, const real *dy, real *y, int64_t rows,
                                      int64_t stride, int64_t width, const NAME(coefficients) * k)
{
    NAME(combine)(false, x, dy, y, rows, stride, width, *k);
}

KERNEL static void NAME(combine_rows_gated)(const real *x, const real *dy, real *y, int64_t rows,
                                            int64_t stride, int64_t width,
                                            const NAME(coefficients) * k)
{
    NAME(combine)(true, x, dy, y, rows, stride, width, *k);
}

KERNEL static void NAME(scale_rows)(const real *dy, real *y, int64_t rows, int64_t stride,
                                    int64_t width, const NAME(coefficients) * k)
{
    const real *a = k->a;
    for (; rows > 0; rows--, dy += stride, y += stride) {
        NM_SIMD for (int64_t j = 0; j < width; j++)
        {
            y[j] = a[j] * dy[j];
        }
    }
}

/* ---- Rows: tiles. A tile's rows are read `fold` at a time, as `full` rows of width `total` and a
 * last, shorter one of width `rest`. ---- */

typedef struct NAME(rows) {
    int64_t at; /* of the first element */
    int64_t full, stride, total, rest;
} NAME(rows);

static NAME(rows) NAME(rows_of)(const nm_channel_pass *p, const tile *t)
{
    const int64_t fold = p->cut.fold;
    return (NAME(rows)){.at = t->at,
                        .full = t->length / fold,
                        .stride = fold * p->stride,
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
    real *y = (real *)p->y + at;
    if (residual) {
        NAME(affine_rows_plus)(x, residual, y, rows, stride, width, k, NAME(lowest)(p));
    } else {
        NAME(affine_rows)(x, y, rows, stride, width, k, NAME(lowest)(p));
    }
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
