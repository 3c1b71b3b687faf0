/* Runs: loops for channels on another axis than the last. norm_loops.h includes this once for each
 * type. */

/* ---- Runs: the hot loops. Promise 3: pieces of a long run are added in double. ---- */

#define PIECES(at, end, n)                                                                         \
    for (int64_t at = 0, end; end = n - at < 1024 ? n : at + 1024, at < n; at = end)

KERNEL static double NAME(sum_run)(const real *x, int64_t n, real center)
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

KERNEL static void NAME(square_run)(const real *x, int64_t n, real center, real inverse,
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

NM_INLINE void NAME(add_products_of_run)(bool gated, const real *x, const real *dy, int64_t n,
                                         NAME(coefficients) k, double totals[3])
{
    const real center = *k.center, inverse = *k.inverse, gate_a = *k.gate_a, gate_b = *k.gate_b;
    PIECES(at, end, n)
    {
        real sum = 0, product = 0, xhat_sum = 0;
        NM_SIMD_SUM(sum, product, xhat_sum) for (int64_t i = at; i < end; i++)
        {
            const real centered = x[i] - center, xhat = centered * inverse;
            const real dz = !gated || gate_a * centered + gate_b > 0 ? dy[i] : 0;
            sum += dz;
            product += dz * xhat;
            xhat_sum += xhat;
        }
        totals[0] += sum;
        totals[1] += product;
        totals[2] += xhat_sum;
    }
}

KERNEL static void NAME(product_run)(const real *x, const real *dy, int64_t n,
                                     const NAME(coefficients) * k, double totals[3])
{
    NAME(add_products_of_run)(false, x, dy, n, *k, totals);
}

KERNEL static void NAME(product_run_gated)(const real *x, const real *dy, int64_t n,
                                           const NAME(coefficients) * k, double totals[3])
{
    NAME(add_products_of_run)(true, x, dy, n, *k, totals);
}

KERNEL static real NAME(peak_run)(const real *x, int64_t n)
{
    real peak = 0;
    NM_SIMD_MAX(peak) for (int64_t i = 0; i < n; i++)
    {
        const real size = x[i] < 0 ? -x[i] : x[i];
        peak = size > peak ? size : peak;
    }
    return peak;
}

/* `low` as for rows. */
KERNEL static void NAME(affine_run)(const real *x, real *y, int64_t n, const NAME(coefficients) * k,
                                    real low)
{
    const real center = *k->center, a = *k->a, b = *k->b;
    NM_SIMD for (int64_t i = 0; i < n; i++)
    {
        const real z = a * (x[i] - center) + b;
        y[i] = z < low ? low : z;
    }
}

KERNEL static void NAME(affine_run_plus)(const real *x, const real *residual, real *y, int64_t n,
                                         const NAME(coefficients) * k, real low)
{
    const real center = *k->center, a = *k->a, b = *k->b;
    NM_SIMD for (int64_t i = 0; i < n; i++)
    {
        const real z = a * (x[i] - center) + b + residual[i];
        y[i] = z < low ? low : z;
    }
}

NM_INLINE void NAME(combine_run_if)(bool gated, const real *x, const real *dy, real *y, int64_t n,
                                    NAME(coefficients) k)
{
    const real center = *k.center, inverse = *k.inverse, a = *k.a, b = *k.b, c = *k.c;
    const real gate_a = *k.gate_a, gate_b = *k.gate_b;
    NM_SIMD for (int64_t i = 0; i < n; i++)
    {
        const real centered = x[i] - center;
        const real dz = !gated || gate_a * centered + gate_b > 0 ? dy[i] : 0;
        y[i] = a * dz + (b * (centered * inverse) + c);
    }
}

KERNEL static void NAME(combine_run)(const real *x, const real *dy, real *y, int64_t n,
                                     const NAME(coefficients) * k)
{
    NAME(combine_run_if)(false, x, dy, y, n, *k);
}

KERNEL static void NAME(combine_run_gated)(const real *x, const real *dy, real *y, int64_t n,
                                           const NAME(coefficients) * k)
{
    NAME(combine_run_if)(true, x, dy, y, n, *k);
}

KERNEL static void NAME(scale_run)(const real *dy, real *y, int64_t n, real a)
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
    if (residual) {
        NAME(affine_run_plus)(x, residual, y, p->view.inner, k, NAME(lowest)(p));
    } else {
        NAME(affine_run)(x, y, p->view.inner, k, NAME(lowest)(p));
    }
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

#undef PIECES
