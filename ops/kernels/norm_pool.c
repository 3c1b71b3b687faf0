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

#include "ops/kernels/of_float.h"
#include "ops/kernels/norm_pool_loops.h"
#include "ops/kernels/of_double.h"
#include "ops/kernels/norm_pool_loops.h"

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
