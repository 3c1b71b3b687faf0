#include "ops/kernels/sets.h"

#include <math.h>
#include <string.h>

#include "core/inline.h"
#include "core/thread.h"
#include "ops/kernels/simd.h"

#define PIECE 1024           /* elements whose sum is kept in their type */
#define GRAIN 16384          /* elements that are worth a thread */
#define MOST_CHUNKS 32       /* of sets, whose sums over sets are kept apart */
#define MOST_PARTS (1 << 20) /* numbers in all such sums */

typedef struct moments {
    double mass; /* what sums are divided by; 0: nothing counts */
    double mean, var;
} moments;

/* A set as the loops see it: (x - center) * inverse + lost is xhat. */
typedef struct coefficients {
    double center, inverse, lost;
} coefficients;

/* Where a parameter of a stretch of elements begins, and whether it goes along with them. */
typedef struct place {
    int64_t index;
    int step;
} place;

/* Of the elements from `at` on; *n becomes the most of them that it holds for. */
NM_INLINE place place_of(const nm_pattern *p, int64_t at, int64_t *n)
{
    const bool along = p->repeat == 1 && p->count > 1;
    if (p->count == 1) {
        return (place){0, 0};
    }
    const int64_t index = at / p->repeat % p->count;
    const int64_t left = along ? p->count - index : p->repeat - at % p->repeat;
    *n = left < *n ? left : *n;
    return (place){index, along};
}

static double inverse_of(const nm_sets *s, const moments *m)
{
    const double v = m->var + s->eps;
    if (m->mass == 0) {
        return 0;
    }
    return !s->divided ? 1 : v == 0 ? 0 : 1 / sqrt(v);
}

/* ---- Forward ---- */

typedef struct forward {
    const nm_sets *sets;
    const void *given_mean, *given_var;
    void *y, *mean, *var, *inverse;
} forward;

/* ---- Backward ---- */

/* Sums of one parameter's gradient: [1 or chunks, count]. */
typedef struct sums {
    nm_pattern pattern;
    bool apart; /* no two sets share an element: one array does for all chunks */
    double *at;
} sums;

typedef struct backward {
    const nm_sets *sets;
    const nm_sets_gradient *g;
    int64_t chunks;
    sums scale, shift;
} backward;

/* dx = a * d + weight * (b * xs + c), xs being (x - center) * inverse, which is off by `left`. */
typedef struct combination {
    double a, b, c, left;
} combination;

/* From s = sum of d, q = sum of d * xs and t = sum of weight * xs, where a set has the mass m:
 *
 *     dx = inverse * (d - (w / m) * s - (w / m) * xhat * q) + (w / m) * (dmean + 2 dvar (x - mean))
 *
 * and q is made that of xhat = xs - left, left = t / m. */
static combination combine_of(const backward *b, double mass, double inverse, double dmean,
                              double dvar, double totals[3])
{
    const nm_sets *s = b->sets;
    const nm_sets_gradient *g = b->g;
    const double share = mass > 0 && !g->given ? 1 / mass : 0;
    const double in_mean = g->through_mean && s->centered ? share : 0;
    const double in_var = g->through_variance ? share : 0;
    combination k = {.a = inverse, .left = s->centered ? totals[2] * share : 0};
    totals[1] -= k.left * totals[0];
    const double deviation = inverse > 0 ? 1 / inverse : 0;
    k.b = (2 * dvar * deviation - (s->divided ? inverse * totals[1] : 0)) * in_var;
    k.c = (dmean - inverse * totals[0]) * in_mean - k.b * k.left;
    return k;
}

/* A number of a set; `other` where there is none. */
#define NUMBER(array, i, other) ((array) ? (double)((const real *)(array))[i] : (other))

#include "ops/kernels/of_float.h"
#include "ops/kernels/sets_loops.h"
#include "ops/kernels/of_double.h"
#include "ops/kernels/sets_loops.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Items, of which there are `count` with `elements` in all, that are worth a thread. */
static int64_t grain_of(int64_t count, int64_t elements)
{
    return elements ? (int64_t)ceil((double)GRAIN * (double)count / (double)elements) : count;
}

void nm_sets_forward(const nm_sets *s, const void *given_mean, const void *given_var, void *y,
                     void *mean, void *var, void *inverse)
{
    forward f = {s, given_mean, given_var, y, mean, var, inverse};
    nm_parallel(s->context, s->sets, grain_of(s->sets, s->sets * s->length),
                s->dtype == NM_F64 ? forward_sets_f64 : forward_sets_f32, &f);
}

/* ---- Sums over sets ---- */

/* The pattern of a gradient: its parameter's, or one number a set. */
static sums sums_of(const nm_sets *s, const nm_pattern *parameter)
{
    const nm_pattern own = {NULL, most(1, s->length), most(1, s->sets)};
    sums k = {.pattern = parameter->at ? *parameter : own};
    const nm_pattern *p = &k.pattern;
    k.apart = !parameter->at || (p->repeat > 0 && s->length % p->repeat == 0 &&
                                 p->count == s->sets * s->length / p->repeat);
    return k;
}

/* By shape alone: promise 3. */
static int64_t chunks_of(const backward *b)
{
    int64_t numbers = (b->scale.apart ? 0 : b->scale.pattern.count) +
                      (b->shift.apart ? 0 : b->shift.pattern.count);
    int64_t chunks = least(MOST_CHUNKS, b->sets->sets);
    return most(1, numbers ? least(chunks, MOST_PARTS / numbers) : chunks);
}

static int64_t numbers_of(const sums *k, int64_t chunks)
{
    return k->pattern.count * (k->apart ? 1 : chunks);
}

static void store_sums(const sums *k, int64_t chunks, nm_dtype dtype, void *to)
{
    for (int64_t i = 0; to && i < k->pattern.count; i++) {
        double sum = 0;
        for (int64_t chunk = 0; chunk < (k->apart ? 1 : chunks); chunk++) {
            sum += k->at[chunk * k->pattern.count + i];
        }
        if (dtype == NM_F64) {
            ((double *)to)[i] = sum;
        } else {
            ((float *)to)[i] = (float)sum;
        }
    }
}

nm_status nm_sets_gradient_run(const nm_sets *s, const nm_sets_gradient *g)
{
    backward b = {.sets = s, .g = g};
    b.scale = sums_of(s, &s->scale);
    b.shift = sums_of(s, &s->shift);
    b.chunks = chunks_of(&b);
    const int64_t scales = numbers_of(&b.scale, b.chunks), shifts = numbers_of(&b.shift, b.chunks);
    double *memory = nm_scratch(s->context, nm_bytes(scales + shifts, sizeof *memory));
    if (!memory) {
        return NM_ERROR_MEMORY;
    }
    memset(memory, 0, (size_t)(scales + shifts) * sizeof *memory);
    b.scale.at = memory;
    b.shift.at = memory + scales;
    nm_parallel(s->context, b.chunks, grain_of(b.chunks, s->sets * s->length),
                s->dtype == NM_F64 ? backward_chunks_f64 : backward_chunks_f32, &b);
    const bool any = s->sets > 0;
    store_sums(&b.scale, b.chunks, s->dtype, any || s->scale.at ? g->dscale : NULL);
    store_sums(&b.shift, b.chunks, s->dtype, any || s->shift.at ? g->dshift : NULL);
    nm_scratch_end(memory);
    return NM_OK;
}
