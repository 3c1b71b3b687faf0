#include "ops/kernels/norm_pool.h"

#include "core/thread.h"
#include "ops/kernels/finish.h"
#include "ops/kernels/simd.h"

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"
#endif

#define NORMALIZED(value) (a[i] * ((value)-center[i]) + b[i])
#define TAKE(at_, place_)                                                                          \
    do {                                                                                           \
        const real candidate = NORMALIZED(x[at_]);                                                 \
        const bool better = candidate > largest || (candidate != candidate && largest == largest); \
        largest = better ? candidate : largest;                                                    \
        value = better ? x[at_] : value;                                                           \
        where = better ? (place_) : where;                                                         \
    } while (0)
#define COMBINED(value, dz) (a[i] * (dz) + (b[i] * (((value)-center[i]) * inverse[i]) + d[i]))

#define KERNELS(type, suffix)                                                                      \
    NM_KERNEL_##type static void pool_row_##suffix(const nm_norm_pool *m, const type *x,           \
                                                   int64_t place, type *y, type *picked,           \
                                                   int32_t *index)                                 \
    {                                                                                              \
        typedef type real;                                                                         \
        const real *center = m->center, *a = m->a, *b = m->b;                                      \
        const int64_t c = m->c, row = m->w * c, end = place + 2 * m->ow;                           \
        const int32_t width = (int32_t)m->w;                                                       \
        for (; place < end; place += 2, x += 2 * c, y += c, picked += c, index += c) {             \
            const int32_t first = (int32_t)place;                                                  \
            NM_SIMD for (int64_t i = 0; i < c; i++)                                                \
            {                                                                                      \
                real largest = NORMALIZED(x[i]), value = x[i];                                     \
                int32_t where = first;                                                             \
                TAKE(c + i, first + 1);                                                            \
                TAKE(row + i, first + width);                                                      \
                TAKE(row + c + i, first + width + 1);                                              \
                y[i] = largest;                                                                    \
                picked[i] = value;                                                                 \
                index[i] = where;                                                                  \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void pool_rows_##suffix(void *arg, int64_t begin, int64_t end)                          \
    {                                                                                              \
        const nm_norm_pool *m = arg;                                                               \
        const int64_t count = m->ow * m->c;                                                        \
        for (int64_t row = begin; row < end; row++) {                                              \
            const int64_t top = row % m->oh * 2 * m->w;                                            \
            const type *x = (const type *)m->x + (row / m->oh * m->h * m->w + top) * m->c;         \
            type *y = (type *)m->y + row * count;                                                  \
            pool_row_##suffix(m, x, top, y, (type *)m->picked + row * count,                       \
                              m->index + row * count);                                             \
            nm_activate_##suffix(m->activation, y, count);                                         \
        }                                                                                          \
    }                                                                                              \
    /* dx under a row of windows; returns how many of dy found their place. */                     \
    NM_KERNEL_##type static int64_t spread_normed_row_##suffix(                                    \
        const nm_norm_pool *m, const type *x, int64_t place, const type *dy, const int32_t *index, \
        type *dx)                                                                                  \
    {                                                                                              \
        typedef type real;                                                                         \
        const real *center = m->center, *inverse = m->inverse, *a = m->a, *b = m->b, *d = m->d;    \
        const int64_t c = m->c, row = m->w * c, end = place + 2 * m->ow;                           \
        const int32_t width = (int32_t)m->w;                                                       \
        int64_t found = 0;                                                                         \
        for (; place < end; place += 2, x += 2 * c, dx += 2 * c, dy += c, index += c) {            \
            const int32_t first = (int32_t)place, below = first + width;                           \
            int32_t here = 0;                                                                      \
            NM_SIMD_SUM(here) for (int64_t i = 0; i < c; i++)                                      \
            {                                                                                      \
                const int32_t at = index[i];                                                       \
                const real g = dy[i];                                                              \
                dx[i] = COMBINED(x[i], at == first ? g : 0);                                       \
                dx[c + i] = COMBINED(x[c + i], at == first + 1 ? g : 0);                           \
                dx[row + i] = COMBINED(x[row + i], at == below ? g : 0);                           \
                dx[row + c + i] = COMBINED(x[row + c + i], at == below + 1 ? g : 0);               \
                here += (at == first) + (at == first + 1) + (at == below) + (at == below + 1);     \
            }                                                                                      \
            found += here;                                                                         \
        }                                                                                          \
        return found;                                                                              \
    }                                                                                              \
    /* Places that are in no window, `count` of them side by side. */                              \
    NM_KERNEL_##type static void spread_nothing_##suffix(const nm_norm_pool *m, int64_t at,        \
                                                         int64_t count)                            \
    {                                                                                              \
        typedef type real;                                                                         \
        const real *center = m->center, *inverse = m->inverse, *b = m->b, *a = m->a, *d = m->d;    \
        const real *x = (const real *)m->x + at * m->c;                                            \
        real *dx = (real *)m->dx + at * m->c;                                                      \
        for (; count > 0; count--, x += m->c, dx += m->c) {                                        \
            NM_SIMD for (int64_t i = 0; i < m->c; i++)                                             \
            {                                                                                      \
                dx[i] = COMBINED(x[i], 0);                                                         \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void spread_rows_##suffix(void *arg, int64_t begin, int64_t end)                        \
    {                                                                                              \
        nm_norm_pool *m = arg;                                                                     \
        const int64_t count = m->ow * m->c, rest = m->w - 2 * m->ow;                               \
        int64_t found = 0;                                                                         \
        for (int64_t row = begin; row < end; row++) {                                              \
            const int64_t top = row % m->oh * 2 * m->w, at = row / m->oh * m->h * m->w + top;      \
            found += spread_normed_row_##suffix(                                                   \
                m, (const type *)m->x + at * m->c, top, (const type *)m->dy + row * count,         \
                m->index + row * count, (type *)m->dx + at * m->c);                                \
            spread_nothing_##suffix(m, at + m->w - rest, rest);                                    \
            spread_nothing_##suffix(m, at + 2 * m->w - rest, rest);                                \
            if (row % m->oh == m->oh - 1) {                                                        \
                spread_nothing_##suffix(m, at + 2 * m->w, (m->h - 2 * m->oh) * m->w);              \
            }                                                                                      \
        }                                                                                          \
        if (found != (end - begin) * count) {                                                      \
            atomic_store(&m->outside, true);                                                       \
        }                                                                                          \
    }                                                                                              \
    /* x at the places of the index, as far as they are in the image. */                           \
    static void pick_##suffix(const nm_norm_pool *m, int64_t windows, type *picked)                \
    {                                                                                              \
        const int64_t size = m->h * m->w, per_image = m->oh * m->ow;                               \
        for (int64_t i = 0; i < windows * m->c; i++) {                                             \
            const int64_t image = i / m->c / per_image, place = m->index[i];                       \
            const bool inside = place >= 0 && place < size;                                        \
            picked[i] =                                                                            \
                inside ? ((const type *)m->x)[(image * size + place) * m->c + i % m->c] : 0;       \
        }                                                                                          \
    }

KERNELS(float, f32)
KERNELS(double, f64)

/* Rows of windows that are worth a thread. */
static void run_rows(nm_norm_pool *m, nm_range_fn f32, nm_range_fn f64)
{
    const double row = 4 * (double)m->ow * (double)m->c;
    nm_parallel(m->context, m->n * m->oh, (int64_t)(32768 / (row + 1)) + 1,
                m->dtype == NM_F64 ? f64 : f32, m);
}

void nm_norm_pool_forward(nm_norm_pool *m)
{
    run_rows(m, pool_rows_f32, pool_rows_f64);
}

void nm_norm_pool_backward(nm_norm_pool *m)
{
    run_rows(m, spread_rows_f32, spread_rows_f64);
}

void nm_norm_pool_pick(nm_norm_pool *m)
{
    if (m->dtype == NM_F64) {
        pick_f64(m, m->n * m->oh * m->ow, m->picked);
    } else {
        pick_f32(m, m->n * m->oh * m->ow, m->picked);
    }
}
