/* The loops of ops/kernels/norm.c for one type. norm.c includes this once for each, with `real`,
 * KERNEL and NAME(f) defined; there is no include guard.
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

/* Copies the first `width` elements of an array behind themselves, up to `total`. */
static void NAME(repeat)(real *k, int64_t width, int64_t total)
{
    for (int64_t done = width; done < total; done *= 2) {
        int64_t more = done < total - done ? done : total - done;
        memcpy(k + done, k, (size_t)more * sizeof *k);
    }
}

/* ---- From numbers to the loops' coefficients ---- */

/* Every block of them, repeated `fold` times. */
KERNEL static void NAME(narrow)(const nm_channel_pass *p, int64_t begin, int64_t end)
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

/* ---- Activations ---- */

/* What results are raised to. */
static real NAME(lowest)(const nm_channel_pass *p)
{
    return p->activation == NM_ACTIVATION_RELU ? 0 : -(real)INFINITY;
}

/* Other activations than relu go over the tile once more, while it is in the cache. */
static void NAME(activate)(const nm_channel_pass *p, real *y, int64_t n)
{
    if (p->apply == NM_APPLY_AFFINE && p->activation != NM_ACTIVATION_NONE &&
        p->activation != NM_ACTIVATION_RELU) {
        NAME(nm_activate)(p->activation, y, n);
    }
}

#include "ops/kernels/norm_rows.h"
#include "ops/kernels/norm_runs.h"
