/* Axes that continue each other in both layouts are merged. The last axis is then the inner loop.
 * If it is contiguous on both sides it is copied whole; otherwise, where another axis is contiguous
 * in x (a transposition), the two are walked in square tiles, so that cache lines are used up. */
#include "ops/kernels/copy.h"

#include <string.h>

#include "core/inline.h"
#include "core/thread.h"

#define TILE 32
#define THREAD_WORK 32768 /* elements below which a second thread does not pay */

typedef struct nm_copy_axis copy_axis;

typedef struct job {
    nm_copy_plan outer;
    copy_axis fast, last; /* the tile; fast.length is 1 where there is none */
    int64_t tiles;        /* along fast */
    size_t item;
    const char *x;
    char *y;
} job;

void nm_contiguous_strides(const nm_shape *shape, int64_t stride[NM_MAX_RANK])
{
    int64_t next = 1;
    for (int d = shape->rank - 1; d >= 0; d--) {
        stride[d] = next;
        next *= shape->dim[d];
    }
}

static void merge(nm_copy_plan *plan)
{
    int rank = 0;
    for (int d = 0; d < plan->rank; d++) {
        copy_axis a = plan->axis[d];
        copy_axis *before = rank ? &plan->axis[rank - 1] : NULL;
        if (a.length == 1) {
            continue;
        }
        if (before && before->x == a.length * a.x && before->y == a.length * a.y) {
            *before = (copy_axis){before->length * a.length, a.x, a.y};
        } else {
            plan->axis[rank++] = a;
        }
    }
    plan->rank = rank;
}

/* Takes axis d out of the plan. */
static copy_axis take(nm_copy_plan *plan, int d)
{
    copy_axis axis = plan->axis[d];
    plan->rank--;
    memmove(&plan->axis[d], &plan->axis[d + 1], (size_t)(plan->rank - d) * sizeof axis);
    return axis;
}

/* One row, as reversing and steps have it. */
#define COPY_ROW(name, type)                                                                       \
    static void name(const copy_axis *a, const void *from, void *to)                               \
    {                                                                                              \
        const type *x = from;                                                                      \
        type *y = to;                                                                              \
        for (int64_t i = 0; i < a->length; i++) {                                                  \
            y[i * a->y] = x[i * a->x];                                                             \
        }                                                                                          \
    }
COPY_ROW(copy_row_1, uint8_t)
COPY_ROW(copy_row_2, uint16_t)
COPY_ROW(copy_row_4, uint32_t)
COPY_ROW(copy_row_8, uint64_t)

/* Through a tile on the stack: rows a large power of two apart would evict each other. */
#define COPY_TILE(name, type)                                                                      \
    static void name(const job *j, const void *from, void *to, int64_t begin, int64_t end)         \
    {                                                                                              \
        const copy_axis fast = j->fast, last = j->last;                                            \
        const type *x = (const type *)from + begin * fast.x;                                       \
        type *y = (type *)to + begin * fast.y, tile[TILE][TILE];                                   \
        for (int64_t b = 0; b < last.length; b += TILE) {                                          \
            int64_t width = b + TILE < last.length ? TILE : last.length - b;                       \
            for (int64_t i = 0; i < width; i++) {                                                  \
                for (int64_t a = 0; a < end - begin; a++) {                                        \
                    tile[a][i] = x[a * fast.x + (b + i) * last.x];                                 \
                }                                                                                  \
            }                                                                                      \
            for (int64_t a = 0; a < end - begin; a++) {                                            \
                for (int64_t i = 0; i < width; i++) {                                              \
                    y[a * fast.y + (b + i) * last.y] = tile[a][i];                                 \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    }
COPY_TILE(copy_1, uint8_t)
COPY_TILE(copy_2, uint16_t)
COPY_TILE(copy_4, uint32_t)
COPY_TILE(copy_8, uint64_t)

/* Whole tiles of 4-byte elements, as most are: four by four within registers. x lies along fast, y
 * along last. */
#define real uint32_t
#define NAME(name) copy_##name
#define LANES 4
#include "ops/kernels/lanes.h"

NM_INLINE void copy_exchange(copy_vector *a, copy_vector *b, bool two)
{
    const copy_vector x = *a, y = *b;
    *a = two ? NM_SHUFFLE(x, y, NM_LIST_4(NM_FIRST, 2)) : NM_SHUFFLE(x, y, NM_LIST_4(NM_FIRST, 1));
    *b =
        two ? NM_SHUFFLE(x, y, NM_LIST_4(NM_SECOND, 2)) : NM_SHUFFLE(x, y, NM_LIST_4(NM_SECOND, 1));
}

static void transpose_4(const uint32_t *x, int64_t step, uint32_t *y)
{
    copy_vector v[LANES];
    for (int k = 0; k < LANES; k++) {
        v[k] = *(const copy_loose *)(x + k * step);
    }
    copy_exchange(&v[0], &v[2], true);
    copy_exchange(&v[1], &v[3], true);
    copy_exchange(&v[0], &v[1], false);
    copy_exchange(&v[2], &v[3], false);
    for (int k = 0; k < LANES; k++) {
        *(copy_loose *)(y + k * TILE) = v[k];
    }
}

static void copy_whole_tile(const job *j, const uint32_t *x, uint32_t *y)
{
    uint32_t tile[TILE][TILE];
    for (int64_t i = 0; i < TILE; i += LANES) {
        for (int64_t a = 0; a < TILE; a += LANES) {
            transpose_4(x + i * j->last.x + a, j->last.x, &tile[a][i]);
        }
    }
    for (int64_t a = 0; a < TILE; a++) {
        memcpy(y + a * j->fast.y, tile[a], sizeof tile[a]);
    }
}

/* Returns how far it came along `last`. */
static int64_t copy_whole_tiles(const job *j, const void *from, void *to)
{
    int64_t b = 0;
    for (; b + TILE <= j->last.length; b += TILE) {
        copy_whole_tile(j, (const uint32_t *)from + b * j->last.x, (uint32_t *)to + b);
    }
    return b;
}

static void copy_row(const job *j, const char *x, char *y)
{
    switch (j->item) {
    case 1: copy_row_1(&j->last, x, y); break;
    case 2: copy_row_2(&j->last, x, y); break;
    case 4: copy_row_4(&j->last, x, y); break;
    default: copy_row_8(&j->last, x, y); break;
    }
}

static void copy_tile(const job *j, const char *x, char *y, int64_t begin, int64_t end)
{
    if (j->last.x == 1 && j->last.y == 1 && j->fast.length == 1) {
        memcpy(y, x, (size_t)j->last.length * j->item);
        return;
    }
    if (j->fast.length == 1) {
        copy_row(j, x, y);
        return;
    }
    job rest = *j;
    if (j->item == 4 && end - begin == TILE && j->last.y == 1) {
        const int64_t done = copy_whole_tiles(j, x + begin * 4, y + begin * j->fast.y * 4);
        x += done * j->last.x * 4;
        y += done * 4;
        rest.last.length -= done;
        j = &rest;
    }
    switch (j->item) {
    case 1: copy_1(j, x, y, begin, end); break;
    case 2: copy_2(j, x, y, begin, end); break;
    case 4: copy_4(j, x, y, begin, end); break;
    default: copy_8(j, x, y, begin, end); break;
    }
}

static void run_tasks(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    for (int64_t task = begin; task < end; task++) {
        int64_t rest = task / j->tiles, first = task % j->tiles * TILE, x = 0, y = 0;
        for (int d = j->outer.rank - 1; d >= 0; d--) {
            const copy_axis *a = &j->outer.axis[d];
            x += rest % a->length * a->x;
            y += rest % a->length * a->y;
            rest /= a->length;
        }
        int64_t stop = first + TILE < j->fast.length ? first + TILE : j->fast.length;
        copy_tile(j, j->x + x * (int64_t)j->item, j->y + y * (int64_t)j->item, first, stop);
    }
}

void nm_copy(nm_context *context, nm_copy_plan plan, size_t item, const void *x, void *y)
{
    int64_t count = 1;
    for (int d = 0; d < plan.rank; d++) {
        count *= plan.axis[d].length;
    }
    if (count == 0) {
        return;
    }
    job j = {.fast = {1, 0, 0}, .last = {1, 1, 1}, .item = item, .x = x, .y = y};
    merge(&plan);
    if (plan.rank) {
        j.last = take(&plan, plan.rank - 1);
    }
    for (int d = 0; d < plan.rank && j.last.x != 1; d++) {
        if (plan.axis[d].x == 1) {
            j.fast = take(&plan, d);
            break;
        }
    }
    j.outer = plan;
    j.tiles = (j.fast.length + TILE - 1) / TILE;
    int64_t tasks = j.tiles;
    for (int d = 0; d < plan.rank; d++) {
        tasks *= plan.axis[d].length;
    }
    nm_parallel(context, tasks, THREAD_WORK / (count / tasks + 1) + 1, run_tasks, &j);
}
