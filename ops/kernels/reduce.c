/* The shape is read as [outer groups..., columns, depth]: neighbouring axes of one kind are merged,
 * `columns` is the last group kept and `depth` the group reduced behind it (1 if there is none).
 * The group before the columns, if any, is one that is reduced: its indices are `rows`. Work is cut
 * into tasks: a block of columns, for one index of the kept outer groups, over a segment of what is
 * reduced. Segments are needed only where there are few results. */
#include "ops/kernels/reduce.h"

#include <math.h>

#include "core/thread.h"
#include "ops/kernels/kernel.h"
#include "ops/kernels/math.h"

#define BLOCK 128         /* columns a task: their double sums fit in the first-level cache */
#define LANES 32          /* independent sums along a row */
#define SEGMENT 32768     /* least elements worth a segment */
#define ENOUGH_TASKS 16   /* for any number of threads */
#define THREAD_WORK 65536 /* elements below which a second thread does not pay */

typedef struct group {
    int64_t length, stride; /* stride: in elements of x */
    bool gone;
} group;

typedef struct plan plan;

/* Reduces one task into `sums`, one for each of its columns. */
typedef void (*task_fn)(const plan *p, const char *x, int64_t width, int64_t begin, int64_t end,
                        double *sums);

struct plan {
    group outer[NM_MAX_RANK];
    int outer_count;
    int64_t rows, columns, depth; /* rows: the product of the outer groups that go */
    int64_t kept;                 /* the product of the outer groups kept */
    int64_t blocks, segments;
    int64_t item; /* bytes */
    double scale;
    bool is_f64, is_max;
    task_fn run;
    const char *x;
    void *y;
    double *parts; /* [segments][results]; NULL: there is one segment */
};

/* ---- The inner loops: sums[j] takes in column j of rows that are `stride` elements apart ---- */

#define JOINS(type)                                                                                \
    NM_INLINE type add_##type(type a, type b)                                                      \
    {                                                                                              \
        return a + b;                                                                              \
    }                                                                                              \
    NM_INLINE type larger_##type(type a, type b)                                                   \
    {                                                                                              \
        type larger = a > b ? a : b; /* b if one is NaN */                                         \
        return a != a ? a : larger;                                                                \
    }
JOINS(float)
JOINS(double)

#define FOLD_ROWS(name, type, join)                                                                \
    NM_INLINE void name##_rows(const type *x, int64_t stride, int64_t count, int64_t width,        \
                               double *sums)                                                       \
    {                                                                                              \
        for (; count >= 8; count -= 8, x += 8 * stride) {                                          \
            const type *x4 = x + 4 * stride;                                                       \
            NM_SIMD for (int64_t j = 0; j < width; j++)                                            \
            {                                                                                      \
                type a = join##_##type(x[j], x[j + stride]);                                       \
                type b = join##_##type(x[j + 2 * stride], x[j + 3 * stride]);                      \
                type c = join##_##type(x4[j], x4[j + stride]);                                     \
                type d = join##_##type(x4[j + 2 * stride], x4[j + 3 * stride]);                    \
                type all = join##_##type(join##_##type(a, b), join##_##type(c, d));                \
                sums[j] = join##_double(sums[j], all);                                             \
            }                                                                                      \
        }                                                                                          \
        for (; count > 0; count--, x += stride) {                                                  \
            NM_SIMD for (int64_t j = 0; j < width; j++)                                            \
            {                                                                                      \
                sums[j] = join##_double(sums[j], x[j]);                                            \
            }                                                                                      \
        }                                                                                          \
    }

/* A contiguous run: as rows of LANES elements, then the lanes. */
#define FOLD_RUN(name, type, join, START)                                                          \
    NM_INLINE double name##_run(const type *x, int64_t n)                                          \
    {                                                                                              \
        double lanes[LANES], result = START;                                                       \
        int64_t whole = n < LANES ? 0 : n - n % LANES;                                             \
        if (whole) {                                                                               \
            for (int j = 0; j < LANES; j++) {                                                      \
                lanes[j] = START;                                                                  \
            }                                                                                      \
            name##_rows(x, LANES, whole / LANES, LANES, lanes);                                    \
            for (int half = LANES / 2; half; half /= 2) {                                          \
                for (int j = 0; j < half; j++) {                                                   \
                    lanes[j] = join##_double(lanes[j], lanes[j + half]);                           \
                }                                                                                  \
            }                                                                                      \
            result = lanes[0];                                                                     \
        }                                                                                          \
        for (int64_t i = whole; i < n; i++) {                                                      \
            result = join##_double(result, x[i]);                                                  \
        }                                                                                          \
        return result;                                                                             \
    }

/* `begin`..`end` counts rows; or, if there is only one row, elements of the depth. */
#define TASK(name, type, join, START)                                                              \
    FOLD_ROWS(name, type, join)                                                                    \
    FOLD_RUN(name, type, join, START)                                                              \
    NM_INLINE void name##_deep_rows(const plan *p, const type *x, int64_t count, int64_t width,    \
                                    int64_t length, double *sums)                                  \
    {                                                                                              \
        for (int64_t r = 0; r < count; r++, x += p->columns * p->depth) {                          \
            for (int64_t j = 0; j < width; j++) {                                                  \
                double run = name##_run(x + j * p->depth, length);                                 \
                sums[j] = join##_double(sums[j], run);                                             \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    NM_KERNEL_##type static void name(const plan *p, const char *start, int64_t width,             \
                                      int64_t begin, int64_t end, double *sums)                    \
    {                                                                                              \
        const type *x = (const type *)(const void *)start;                                         \
        const bool one_row = p->rows == 1;                                                         \
        const int64_t length = one_row ? end - begin : p->depth;                                   \
        int64_t count = end - begin;                                                               \
        for (int64_t j = 0; j < width; j++) {                                                      \
            sums[j] = START;                                                                       \
        }                                                                                          \
        for (int64_t r = begin; r < end; r += count) {                                             \
            const type *row = x + (one_row ? begin : find_rows(p, r, end, &count));                \
            if (p->depth == 1) {                                                                   \
                name##_rows(row, p->columns, count, width, sums);                                  \
            } else {                                                                               \
                name##_deep_rows(p, row, one_row ? 1 : count, width, length, sums);                \
            }                                                                                      \
        }                                                                                          \
    }

/* The offset of reduced row r, and how many rows from there to `end` follow it evenly. */
static int64_t find_rows(const plan *p, int64_t r, int64_t end, int64_t *count)
{
    const group *last = &p->outer[p->outer_count - 1];
    int64_t offset = 0, left = last->length - r % last->length;
    *count = left < end - r ? left : end - r;
    for (int i = p->outer_count - 1; i >= 0; i--) {
        if (p->outer[i].gone) {
            offset += r % p->outer[i].length * p->outer[i].stride;
            r /= p->outer[i].length;
        }
    }
    return offset;
}

TASK(sum_f32, float, add, 0)
TASK(sum_f64, double, add, 0)
TASK(max_f32, float, larger, -(double)INFINITY)
TASK(max_f64, double, larger, -(double)INFINITY)

/* ---- The tasks ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t kept_offset(const plan *p, int64_t index)
{
    int64_t offset = 0;
    for (int i = p->outer_count - 1; i >= 0; i--) {
        if (!p->outer[i].gone) {
            offset += index % p->outer[i].length * p->outer[i].stride;
            index /= p->outer[i].length;
        }
    }
    return offset;
}

NM_KERNEL static void store_f32(const double *sums, double scale, int64_t count, float *y)
{
    NM_SIMD for (int64_t j = 0; j < count; j++)
    {
        y[j] = (float)(sums[j] * scale);
    }
}

static void store(const plan *p, const double *sums, int64_t at, int64_t count)
{
    const double scale = p->is_max ? 1 : p->scale;
    if (!p->is_f64) {
        store_f32(sums, scale, count, (float *)p->y + at);
        return;
    }
    for (int64_t j = 0; j < count; j++) {
        ((double *)p->y)[at + j] = sums[j] * scale;
    }
}

static void run_task(const plan *p, int64_t task)
{
    int64_t segment = task % p->segments, block = task / p->segments % p->blocks;
    int64_t kept = task / p->segments / p->blocks;
    int64_t column = block * BLOCK, width = least(BLOCK, p->columns - column);
    int64_t length = p->rows > 1 ? p->rows : p->depth;
    int64_t at = kept * p->columns + column;
    double sums[BLOCK];
    p->run(p, p->x + (kept_offset(p, kept) + column * p->depth) * p->item, width,
           segment * length / p->segments, (segment + 1) * length / p->segments, sums);
    if (!p->parts) {
        store(p, sums, at, width);
        return;
    }
    memcpy(p->parts + segment * p->kept * p->columns + at, sums, (size_t)width * sizeof *sums);
}

static void run_tasks(void *plan_, int64_t begin, int64_t end)
{
    for (int64_t task = begin; task < end; task++) {
        run_task(plan_, task);
    }
}

/* The segments' parts, put together in order. */
static void join_parts(const plan *p)
{
    int64_t results = p->kept * p->columns;
    for (int64_t s = 1; s < p->segments; s++) {
        for (int64_t i = 0; i < results; i++) {
            double a = p->parts[i], b = p->parts[s * results + i];
            p->parts[i] = p->is_max ? larger_double(a, b) : a + b;
        }
    }
    store(p, p->parts, 0, results);
}

/* ---- The plan ---- */

/* Axes of length 1 dropped, neighbours of one kind merged. Returns their number. */
static int merge_axes(const nm_shape *shape, unsigned gone, group *groups)
{
    int count = 0;
    for (int d = 0; d < shape->rank; d++) {
        bool goes = gone >> d & 1;
        if (shape->dim[d] == 1) {
            continue;
        }
        if (count && groups[count - 1].gone == goes) {
            groups[count - 1].length *= shape->dim[d];
        } else {
            groups[count++] = (group){.length = shape->dim[d], .gone = goes};
        }
    }
    int64_t stride = 1;
    for (int i = count - 1; i >= 0; i--) {
        groups[i].stride = stride;
        stride *= groups[i].length;
    }
    return count;
}

static void cut(plan *p)
{
    p->blocks = (p->columns + BLOCK - 1) / BLOCK;
    int64_t work = p->rows * p->depth * least(p->columns, BLOCK);
    int64_t wanted = (ENOUGH_TASKS + p->kept * p->blocks - 1) / (p->kept * p->blocks);
    p->segments = most(1, least(wanted, work / SEGMENT));
    p->segments = least(p->segments, p->rows > 1 ? p->rows : p->depth);
}

static void make_plan(plan *p, const nm_shape *shape, unsigned gone)
{
    int count = merge_axes(shape, gone, p->outer);
    p->rows = p->columns = p->depth = p->kept = 1;
    if (count && p->outer[count - 1].gone) {
        p->depth = p->outer[--count].length;
    }
    if (count) {
        p->columns = p->outer[--count].length;
    }
    p->outer_count = count;
    for (int i = 0; i < count; i++) {
        *(p->outer[i].gone ? &p->rows : &p->kept) *= p->outer[i].length;
    }
    cut(p);
}

/* Nothing to read. */
static void store_starts(plan *p, const nm_shape *shape, unsigned gone)
{
    int64_t results = 1;
    for (int d = 0; d < shape->rank; d++) {
        results *= gone >> d & 1 ? 1 : shape->dim[d];
    }
    double start = p->is_max ? -(double)INFINITY : 0;
    for (int64_t i = 0; i < results; i++) {
        store(p, &start, i, 1);
    }
}

nm_status nm_reduce(nm_context *context, nm_reduction reduction, nm_dtype dtype,
                    const nm_shape *shape, unsigned gone, double scale, const void *x, void *y)
{
    plan p = {.scale = scale, .x = x, .y = y};
    p.is_f64 = dtype == NM_F64;
    p.is_max = reduction == NM_REDUCE_MAX;
    p.item = p.is_f64 ? 8 : 4;
    if (nm_shape_count(shape) == 0) {
        store_starts(&p, shape, gone);
        return NM_OK;
    }
    make_plan(&p, shape, gone);
    p.run = p.is_max ? p.is_f64 ? max_f64 : max_f32 : p.is_f64 ? sum_f64 : sum_f32;
    if (p.segments > 1) {
        p.parts = nm_scratch(context, nm_bytes(p.segments * p.kept * p.columns, sizeof(double)));
        if (!p.parts) {
            return NM_ERROR_MEMORY;
        }
    }
    int64_t tasks = p.kept * p.blocks * p.segments;
    int64_t work = nm_shape_count(shape) / tasks + 1;
    nm_parallel(context, tasks, most(1, THREAD_WORK / work), run_tasks, &p);
    if (p.parts) {
        join_parts(&p);
    }
    nm_scratch_end(p.parts);
    return NM_OK;
}
