/* Sums of f32 add at most a block of elements in f32, and the blocks in double. A row belongs to
 * one thread, so the number of threads changes nothing. */
#include "ops/norm/weight_norm_rows.h"

#include <float.h>
#include <math.h>

#include "core/thread.h"
#include "ops/kernels/math.h"
#include "ops/kernels/simd.h"

#define BLOCK 1024
#define THREAD_WORK 32768 /* elements below which a second thread does not pay */
#define LONGEST 65536     /* elements of a row: more do not stay in the cache */

/* The sum of squares of a row that is out of the range in which squares can be trusted, as the
 * norm's inverse: scaled by a power of two first. 0 for a row of zeros, which is one without a
 * normal number. */
#define INVERSE_OF_ODD_ROW(real, smallest)                                                         \
    static double inverse_of_odd_row_##real(const real *x, int64_t length)                         \
    {                                                                                              \
        double peak = 0, sum = 0;                                                                  \
        for (int64_t i = 0; i < length; i++) {                                                     \
            peak = fabs((double)x[i]) > peak ? fabs((double)x[i]) : peak;                          \
        }                                                                                          \
        if (peak < smallest) {                                                                     \
            return 0;                                                                              \
        }                                                                                          \
        const double scale = ldexp(1, ilogb(peak));                                                \
        for (int64_t i = 0; i < length; i++) {                                                     \
            sum += (double)x[i] / scale * ((double)x[i] / scale);                                  \
        }                                                                                          \
        return 1 / (scale * sqrt(sum));                                                            \
    }

/* The loops of one type. Where low <= sum of squares <= high, no square overflowed, and those that
 * underflowed do not count. */
#define LOOPS(real, low, high)                                                                     \
    NM_INLINE double squares_##real(const real *x, int64_t length)                                 \
    {                                                                                              \
        double all = 0;                                                                            \
        for (int64_t from = 0; from < length; from += BLOCK) {                                     \
            const int64_t end = length - from < BLOCK ? length : from + BLOCK;                     \
            real sum = 0;                                                                          \
            NM_SIMD_SUM(sum) for (int64_t i = from; i < end; i++)                                  \
            {                                                                                      \
                sum += x[i] * x[i];                                                                \
            }                                                                                      \
            all += (double)sum;                                                                    \
        }                                                                                          \
        return all;                                                                                \
    }                                                                                              \
    NM_INLINE double product_##real(const real *x, const real *y, real inverse, int64_t length)    \
    {                                                                                              \
        double all = 0;                                                                            \
        for (int64_t from = 0; from < length; from += BLOCK) {                                     \
            const int64_t end = length - from < BLOCK ? length : from + BLOCK;                     \
            real sum = 0;                                                                          \
            NM_SIMD_SUM(sum) for (int64_t i = from; i < end; i++)                                  \
            {                                                                                      \
                sum += x[i] * inverse * y[i];                                                      \
            }                                                                                      \
            all += (double)sum;                                                                    \
        }                                                                                          \
        return all;                                                                                \
    }                                                                                              \
    NM_KERNEL_##real static void forward_##real(void *arg, int64_t begin, int64_t end)             \
    {                                                                                              \
        const nm_weight_rows *r = arg;                                                             \
        const real *g = r->g;                                                                      \
        for (int64_t row = begin; row < end; row++) {                                              \
            const real *v = (const real *)r->v + row * r->length;                                  \
            const double sum = squares_##real(v, r->length);                                       \
            const double inverse = sum >= low && sum <= high                                       \
                                       ? 1 / sqrt(sum)                                             \
                                       : inverse_of_odd_row_##real(v, r->length);                  \
            ((real *)r->computed)[row] = (real)inverse;                                            \
            if (r->w) {                                                                            \
                const real a = (real)((g ? (double)g[row] : 1) * inverse);                         \
                real *w = (real *)r->w + row * r->length;                                          \
                NM_SIMD for (int64_t i = 0; i < r->length; i++)                                    \
                {                                                                                  \
                    w[i] = a * v[i];                                                               \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    NM_KERNEL_##real static void gradient_##real(void *arg, int64_t begin, int64_t end)            \
    {                                                                                              \
        const nm_weight_rows *r = arg;                                                             \
        const real *g = r->g;                                                                      \
        for (int64_t row = begin; row < end; row++) {                                              \
            const real *v = (const real *)r->v + row * r->length;                                  \
            const real *dw = (const real *)r->dw + row * r->length;                                \
            real *dv = (real *)r->dv + row * r->length;                                            \
            const real inverse = ((const real *)r->inverse)[row];                                  \
            const double dg = product_##real(v, dw, inverse, r->length);                           \
            const double factor = (g ? (double)g[row] : 1) * (double)inverse;                      \
            const real a = (real)factor, b = (real)(-factor * dg);                                 \
            ((real *)r->dg)[row] = (real)dg;                                                       \
            NM_SIMD for (int64_t i = 0; i < r->length; i++)                                        \
            {                                                                                      \
                dv[i] = a * dw[i] + b * (v[i] * inverse);                                          \
            }                                                                                      \
        }                                                                                          \
    }

INVERSE_OF_ODD_ROW(float, (double)FLT_MIN)
INVERSE_OF_ODD_ROW(double, DBL_MIN)
LOOPS(float, 0x1p-80, 0x1p120)
LOOPS(double, 0x1p-800, 0x1p1000)

/* By shape alone, so that the results do not depend on the number of threads. */
bool nm_weight_rows_suit(const nm_shape *v, int axis)
{
    const int64_t count = nm_shape_count(v);
    const int64_t length = axis == 0 && count > 0 ? count / v->dim[0] : 0;
    return length > 0 && (length <= LONGEST || v->dim[0] >= 8);
}

static void run(nm_weight_rows *r, nm_range_fn f32, nm_range_fn f64)
{
    const int64_t grain = (THREAD_WORK + r->length - 1) / r->length;
    nm_parallel(r->context, r->rows, grain, r->dtype == NM_F64 ? f64 : f32, r);
}

void nm_weight_rows_forward(nm_weight_rows *rows)
{
    run(rows, forward_float, forward_double);
}

void nm_weight_rows_gradient(nm_weight_rows *rows)
{
    run(rows, gradient_float, gradient_double);
}
