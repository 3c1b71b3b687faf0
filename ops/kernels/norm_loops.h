/* The loops of ops/kernels/norm.c for one type. norm.c includes this once for each, with `real`
 * and NAME(f) defined; there is no include guard.
 *
 * Two families. Rows, where channels are the last axis: a loop body works on `width` neighbouring
 * elements with vectors of coefficients. Runs, where they are not: on `n` neighbouring elements of
 * one channel. */

typedef struct NAME(coefficients) {
    const real *center, *inverse, *a, *b, *c, *gate_a, *gate_b;
} NAME(coefficients);

/* The coefficients from that channel on. */
static NAME(coefficients) NAME(coefficients_at)(const nm_channel_pass *p, int64_t channel)
{
    const int64_t length = narrow_length(p);
    const real *first = (const real *)p->narrow + channel;
    return (NAME(coefficients)){first,
                                first + length,
                                first + 2 * length,
                                first + 3 * length,
                                first + 4 * length,
                                first + 5 * length,
                                first + 6 * length};
}

/* ---- Rows: the hot loops. Four rows at a time share the loads of coefficients and sums. ---- */

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
#define AT(p, k) p[at + (k)*stride + j]
#define SUM_OF_FOUR(f) ((f(0) + f(1)) + (f(2) + f(3)))
#define EACH_OF_FOUR(f) f(0), f(1), f(2), f(3)

NM_KERNEL static void NAME(sum_rows)(const real *x, int64_t rows, int64_t stride, int64_t width,
                                     const real *center, real *sum)
{
#define CENTERED(k) (AT(x, k) - center[j])
    ROWS_BY_FOUR(sum[j] += SUM_OF_FOUR(CENTERED), sum[j] += CENTERED(0));
}

#define XHAT(k) (CENTERED(k) * inverse[j])

NM_KERNEL static void NAME(square_rows)(const real *x, int64_t rows, int64_t stride, int64_t width,
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
    NM_KERNEL static void NAME(name)(const real *x, const real *dy, int64_t rows, int64_t stride,  \
                                     int64_t width, const NAME(coefficients) * k, real * sum,      \
                                     real * product, real * xhat_sum)                              \
    {                                                                                              \
        const real *center = k->center, *inverse = k->inverse;                                     \
        const real *gate_a = k->gate_a, *gate_b = k->gate_b;                                       \
        (void)gate_a, (void)gate_b;                                                                \
        ROWS_BY_FOUR((sum[j] += SUM_OF_FOUR(DY), product[j] += SUM_OF_FOUR(PRODUCT),               \
                      xhat_sum[j] += SUM_OF_FOUR(XHAT)),                                           \
                     (sum[j] += DY(0), product[j] += PRODUCT(0), xhat_sum[j] += XHAT(0)));         \
    }
#define DY PLAIN
PRODUCT_ROWS(product_rows)
#undef DY
#define DY GATED
PRODUCT_ROWS(product_rows_gated)
#undef DY

NM_KERNEL static void NAME(peak_rows)(const real *x, int64_t rows, int64_t stride, int64_t width,
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

NM_INLINE real NAME(relu)(real z)
{
    return z < 0 ? 0 : z; /* NaN stays NaN */
}

#define AFFINE_ROWS(name)                                                                          \
    NM_KERNEL static void NAME(name)(const real *x, const real *residual, real *y, int64_t rows,   \
                                     int64_t stride, int64_t width, const NAME(coefficients) * k)  \
    {                                                                                              \
        const real *center = k->center, *a = k->a, *b = k->b;                                      \
        (void)residual;                                                                            \
        ROWS_BY_FOUR((EACH_OF_FOUR(RESULT)), RESULT(0));                                           \
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
    NM_KERNEL static void NAME(name)(const real *x, const real *dy, real *y, int64_t rows,         \
                                     int64_t stride, int64_t width, const NAME(coefficients) * k)  \
    {                                                                                              \
        const real *center = k->center, *inverse = k->inverse, *a = k->a, *b = k->b, *c = k->c;    \
        const real *gate_a = k->gate_a, *gate_b = k->gate_b;                                       \
        (void)gate_a, (void)gate_b;                                                                \
        ROWS_BY_FOUR((EACH_OF_FOUR(COMBINE)), COMBINE(0));                                         \
    }
#define DY PLAIN
COMBINE_ROWS(combine_rows)
#undef DY
#define DY GATED
COMBINE_ROWS(combine_rows_gated)
#undef DY

NM_KERNEL static void NAME(scale_rows)(const real *dy, real *y, int64_t rows, int64_t stride,
                                       int64_t width, const NAME(coefficients) * c)
{
    const real *a = c->a;
#define SCALE(k) (AT(y, k) = a[j] * PLAIN(k))
    ROWS_BY_FOUR((EACH_OF_FOUR(SCALE)), SCALE(0));
}

#undef ROWS_BY_FOUR
#undef AT
#undef SUM_OF_FOUR
#undef EACH_OF_FOUR
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

NM_KERNEL static void NAME(sigmoid_run)(real *y, int64_t n)
{
    NM_SIMD for (int64_t i = 0; i < n; i++)
    {
        y[i] = NM_SIGMOID(y[i]);
    }
}

NM_KERNEL static void NAME(tanh_run)(real *y, int64_t n)
{
    NM_SIMD for (int64_t i = 0; i < n; i++)
    {
        y[i] = NM_TANH(y[i]);
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
    const int64_t fold = p->cut.fold, channels = p->view.channels;
    return (NAME(rows)){.at = t->first * channels + t->channel,
                        .full = t->length / fold,
                        .stride = fold * channels,
                        .total = fold * t->width,
                        .rest = t->length % fold * t->width};
}

/* Copies the first `width` elements of an array behind themselves, up to `total`. */
static void NAME(repeat)(real *k, int64_t width, int64_t total)
{
    for (int64_t done = width; done < total; done *= 2) {
        int64_t more = done < total - done ? done : total - done;
        memcpy(k + done, k, (size_t)more * sizeof *k);
    }
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

/* Promise 1: the mean from differences to the first row; then, from differences to that mean, the
 * squares and what is left of the mean. */
static void NAME(moments_of_rows)(const nm_channel_pass *p, const tile *t, double *const *part)
{
    const NAME(rows) g = NAME(rows_of)(p, t);
    const NAME(coefficients) k = NAME(coefficients_at)(p, t->channel);
    const real *x = (const real *)p->x + g.at, *last = x + g.full * g.stride;
    const double n = (double)t->length;
    ALIGNED real center[MAX_WIDTH], sum[MAX_WIDTH] = {0}, square[MAX_WIDTH] = {0};
    memcpy(center, x, (size_t)t->width * sizeof *x);
    NAME(repeat)(center, t->width, g.total);
    NAME(sum_rows)(x, g.full, g.stride, g.total, center, sum);
    NAME(sum_rows)(last, 1, g.stride, g.rest, center, sum);
    NAME(fold)(sum, t->width, g.total, part[0]);
    for (int64_t c = 0; c < t->width; c++) {
        center[c] = (real)(center[c] + part[0][c] / n);
    }
    NAME(repeat)(center, t->width, g.total);
    memset(sum, 0, sizeof sum);
    NAME(square_rows)(x, g.full, g.stride, g.total, center, k.inverse, square, sum);
    NAME(square_rows)(last, 1, g.stride, g.rest, center, k.inverse, square, sum);
    NAME(fold)(sum, t->width, g.total, part[0]);
    NAME(fold)(square, t->width, g.total, part[1]);
    for (int64_t c = 0; c < t->width; c++) {
        double left = part[0][c] / n, squares = part[1][c] - n * left * left;
        part[0][c] = center[c] + left;
        part[1][c] = squares < 0 ? 0 : squares;
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

/* Other activations than relu go over the tile once more, while it is in the cache. */
static void NAME(activate)(const nm_channel_pass *p, real *y, int64_t n)
{
    if (p->apply == NM_APPLY_AFFINE && p->activation == NM_ACTIVATION_SIGMOID) {
        NAME(sigmoid_run)(y, n);
    } else if (p->apply == NM_APPLY_AFFINE && p->activation == NM_ACTIVATION_TANH) {
        NAME(tanh_run)(y, n);
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

/* ---- Runs: the hot loops. Promise 3: pieces of a long run are added in double. ---- */

#define PIECES(at, end, n)                                                                         \
    for (int64_t at = 0, end; end = n - at < 1024 ? n : at + 1024, at < n; at = end)

NM_KERNEL static double NAME(sum_run)(const real *x, int64_t n, real center)
{
    double total = 0;
    PIECES(at, end, n)
    {
        real sum = 0;
        NM_SIMD_SUM(sum) for (int64_t i = at; i < end; i++)
        {
            sum += x[i] - center;
        }
        total += sum;
    }
    return total;
}

NM_KERNEL static void NAME(square_run)(const real *x, int64_t n, real center, real inverse,
                                       double *squares, double *total)
{
    PIECES(at, end, n)
    {
        real square = 0, sum = 0;
        NM_SIMD_SUM(square, sum) for (int64_t i = at; i < end; i++)
        {
            const real xhat = (x[i] - center) * inverse;
            square += xhat * xhat;
            sum += xhat;
        }
        *squares += square;
        *total += sum;
    }
}

#define PLAIN dy[i]
#define GATED (gate_a * (x[i] - center) + gate_b > 0 ? dy[i] : 0)

#define PRODUCT_RUN(name, dy_)                                                                     \
    NM_KERNEL static void NAME(name)(const real *x, const real *dy, int64_t n,                     \
                                     const NAME(coefficients) * k, double totals[3])               \
    {                                                                                              \
        const real center = *k->center, inverse = *k->inverse;                                     \
        const real gate_a = *k->gate_a, gate_b = *k->gate_b;                                       \
        (void)gate_a, (void)gate_b;                                                                \
        PIECES(at, end, n)                                                                         \
        {                                                                                          \
            real sum = 0, product = 0, xhat_sum = 0;                                               \
            NM_SIMD_SUM(sum, product, xhat_sum) for (int64_t i = at; i < end; i++)                 \
            {                                                                                      \
                const real xhat = (x[i] - center) * inverse, dz = dy_;                             \
                sum += dz;                                                                         \
                product += dz * xhat;                                                              \
                xhat_sum += xhat;                                                                  \
            }                                                                                      \
            totals[0] += sum;                                                                      \
            totals[1] += product;                                                                  \
            totals[2] += xhat_sum;                                                                 \
        }                                                                                          \
    }
PRODUCT_RUN(product_run, PLAIN)
PRODUCT_RUN(product_run_gated, GATED)

NM_KERNEL static real NAME(peak_run)(const real *x, int64_t n)
{
    real peak = 0;
    NM_SIMD_MAX(peak) for (int64_t i = 0; i < n; i++)
    {
        const real size = x[i] < 0 ? -x[i] : x[i];
        peak = size > peak ? size : peak;
    }
    return peak;
}

#define AFFINE_RUN(name, result)                                                                   \
    NM_KERNEL static void NAME(name)(const real *x, const real *residual, real *y, int64_t n,      \
                                     const NAME(coefficients) * k)                                 \
    {                                                                                              \
        const real center = *k->center, a = *k->a, b = *k->b;                                      \
        (void)residual;                                                                            \
        NM_SIMD for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                          \
            y[i] = result;                                                                         \
        }                                                                                          \
    }
#define AFFINE (a * (x[i] - center) + b)
AFFINE_RUN(affine_run, AFFINE)
AFFINE_RUN(affine_run_relu, NAME(relu)(AFFINE))
AFFINE_RUN(affine_run_plus, AFFINE + residual[i])
AFFINE_RUN(affine_run_plus_relu, NAME(relu)(AFFINE + residual[i]))

#define COMBINE_RUN(name, dy_)                                                                     \
    NM_KERNEL static void NAME(name)(const real *x, const real *dy, real *y, int64_t n,            \
                                     const NAME(coefficients) * k)                                 \
    {                                                                                              \
        const real center = *k->center, inverse = *k->inverse, a = *k->a, b = *k->b, c = *k->c;    \
        const real gate_a = *k->gate_a, gate_b = *k->gate_b;                                       \
        (void)gate_a, (void)gate_b;                                                                \
        NM_SIMD for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                          \
            y[i] = a * dy_ + (b * ((x[i] - center) * inverse) + c);                                \
        }                                                                                          \
    }
COMBINE_RUN(combine_run, PLAIN)
COMBINE_RUN(combine_run_gated, GATED)

#undef PLAIN
#undef GATED
#undef AFFINE
#undef PRODUCT_RUN
#undef AFFINE_RUN
#undef COMBINE_RUN

NM_KERNEL static void NAME(scale_run)(const real *dy, real *y, int64_t n, real a)
{
    NM_SIMD for (int64_t i = 0; i < n; i++)
    {
        y[i] = a * dy[i];
    }
}

/* ---- Runs: tiles, one channel after the other ---- */

/* Promise 1, as in moments_of_rows. `x` is the channel's first run; the others follow at `step`. */
static void NAME(moments_of_runs)(const real *x, int64_t runs, int64_t step, int64_t n,
                                  double sums[3])
{
    const double count = (double)(runs * n);
    double sum = 0, squares = 0, left = 0;
    for (int64_t r = 0; r < runs; r++) {
        sum += NAME(sum_run)(x + r * step, n, x[0]);
    }
    const real center = (real)(x[0] + sum / count);
    for (int64_t r = 0; r < runs; r++) {
        NAME(square_run)(x + r * step, n, center, 1, &squares, &left);
    }
    left /= count;
    squares -= count * left * left;
    sums[0] = center + left;
    sums[1] = squares < 0 ? 0 : squares;
}

static void NAME(sums_of_runs)(const nm_channel_pass *p, const tile *t, int64_t at, int64_t step,
                               const NAME(coefficients) * k, double sums[3])
{
    const real *x = (const real *)p->x + at;
    const int64_t n = p->view.inner;
    for (int64_t r = 0; r < t->length; r++, at += step, x += step) {
        if (p->gather == NM_GATHER_PRODUCTS) {
            (p->gated ? NAME(product_run_gated) : NAME(product_run))(x, (const real *)p->dy + at, n,
                                                                     k, sums);
        } else if (p->gather == NM_GATHER_SQUARES) {
            NAME(square_run)(x, n, *k->center, *k->inverse, &sums[0], &sums[1]);
        } else if (p->gather == NM_GATHER_PEAK) {
            double peak = NAME(peak_run)(x, n);
            sums[0] = peak > sums[0] ? peak : sums[0];
        }
    }
}

static void NAME(gather_runs)(const nm_channel_pass *p, const tile *t, double *const *part)
{
    const int64_t n = p->view.inner, step = p->view.channels * n;
    for (int64_t c = 0; c < t->width; c++) {
        const NAME(coefficients) k = NAME(coefficients_at)(p, t->channel + c);
        const int64_t at = t->first * step + (t->channel + c) * n;
        double sums[3] = {0};
        if (p->gather == NM_GATHER_MOMENTS) {
            NAME(moments_of_runs)((const real *)p->x + at, t->length, step, n, sums);
        } else {
            NAME(sums_of_runs)(p, t, at, step, &k, sums);
        }
        for (int i = 0; i < 3; i++) {
            part[i][c] = sums[i];
        }
    }
}

static void NAME(affine_to_run)(const nm_channel_pass *p, int64_t at, const NAME(coefficients) * k)
{
    const real *x = (const real *)p->x + at;
    const real *residual = p->residual ? (const real *)p->residual + at : NULL;
    real *y = (real *)p->y + at;
    const bool relu = p->activation == NM_ACTIVATION_RELU;
    (residual ? relu ? NAME(affine_run_plus_relu) : NAME(affine_run_plus)
     : relu ? NAME(affine_run_relu)
              : NAME(affine_run))(x, residual, y, p->view.inner, k);
    NAME(activate)(p, y, p->view.inner);
}

static void NAME(apply_to_run)(const nm_channel_pass *p, int64_t at, const NAME(coefficients) * k)
{
    const real *x = p->x, *dy = p->dy;
    real *y = p->y;
    const int64_t n = p->view.inner;
    switch (p->apply) {
    case NM_APPLY_AFFINE: NAME(affine_to_run)(p, at, k); break;
    case NM_APPLY_COMBINE:
        (p->gated ? NAME(combine_run_gated) : NAME(combine_run))(x + at, dy + at, y + at, n, k);
        break;
    case NM_APPLY_SCALE: NAME(scale_run)(dy + at, y + at, n, *k->a); break;
    case NM_APPLY_NOTHING: break;
    }
}

static void NAME(apply_runs)(const nm_channel_pass *p, const tile *t)
{
    const int64_t n = p->view.inner, channels = p->view.channels;
    for (int64_t r = t->first; r < t->first + t->length; r++) {
        for (int64_t c = t->channel; c < t->channel + t->width; c++) {
            const NAME(coefficients) k = NAME(coefficients_at)(p, c);
            NAME(apply_to_run)(p, (r * channels + c) * n, &k);
        }
    }
}

/* ---- From numbers to the loops' coefficients ---- */

/* Every block of them, repeated `fold` times. */
NM_KERNEL static void NAME(narrow)(const nm_channel_pass *p, int64_t begin, int64_t end)
{
    const double *from[] = {p->center, p->inverse, p->a, p->b, p->c, p->gate_a, p->gate_b};
    for (int i = 0; i < (p->gated ? 7 : 5); i++) {
        real *to = (real *)p->narrow + i * narrow_length(p);
        NM_SIMD for (int64_t c = begin; c < end; c++)
        {
            to[c] = (real)from[i][c];
        }
        if (p->cut.fold > 1) {
            NAME(repeat)(to, end, p->cut.fold * p->view.channels);
        }
    }
}

#undef PIECES
