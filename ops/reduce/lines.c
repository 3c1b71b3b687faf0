#include "ops/reduce/lines.h"

#include "core/thread.h"
#include "ops/basic.h"
#include "ops/kernels/copy.h"

#define GRAIN 4096 /* elements that are worth a thread */

typedef struct work {
    nm_lines_fn lines;
    size_t item;
    int64_t n; /* length of a line */
    int inputs;
    const char *x[2];
    char *y;
} work;

static void run_range(void *arg, int64_t begin, int64_t end)
{
    const work *w = arg;
    const size_t offset = (size_t)(begin * w->n) * w->item;
    const void *x[2] = {w->x[0] + offset, w->x[w->inputs - 1] + offset};
    w->lines(x, w->y + offset, end - begin, w->n);
}

static void run_lines(nm_context *context, work *w, int64_t count)
{
    if (count && w->n) {
        nm_parallel(context, count, (GRAIN + w->n - 1) / w->n, run_range, w);
    }
}

/* [a, b, c] to [a, c, b] */
static void swap(nm_context *context, int64_t a, int64_t b, int64_t c, size_t item, const void *x,
                 void *y)
{
    nm_copy_plan plan = {.rank = 3, .axis = {{a, b * c, b * c}, {c, 1, b}, {b, c, 1}}};
    nm_copy(context, plan, item, x, y);
}

nm_status nm_along_lines(const nm_run *run, int axis, nm_lines_fn f32, nm_lines_fn f64)
{
    const nm_shape *shape = nm_tensor_shape(run->out[0]);
    const size_t bytes = nm_tensor_bytes(run->out[0]);
    work w = {.lines = run->dtype == NM_F64 ? f64 : f32,
              .item = nm_dtype_size(run->dtype),
              .n = axis < 0 ? 1 : shape->dim[axis],
              .inputs = run->inputs,
              .x = {run->x[0], run->x[run->inputs - 1]},
              .y = run->y[0]};
    int64_t outer = 1, inner = 1;
    for (int d = 0; d < shape->rank; d++) {
        outer *= d < axis ? shape->dim[d] : 1;
        inner *= d > axis ? shape->dim[d] : 1;
    }
    if (inner == 1) {
        run_lines(run->context, &w, outer);
        return NM_OK;
    }
    char *memory = nm_scratch(run->context, 3 * bytes + 1);
    if (!memory) {
        return NM_ERROR_MEMORY;
    }
    for (int i = 0; i < run->inputs; i++) {
        w.x[i] = memory + (size_t)i * bytes;
        swap(run->context, outer, w.n, inner, w.item, run->x[i], memory + (size_t)i * bytes);
    }
    w.y = memory + 2 * bytes;
    run_lines(run->context, &w, outer * inner);
    swap(run->context, outer, inner, w.n, w.item, w.y, run->y[0]);
    nm_scratch_end(memory);
    return NM_OK;
}

nm_tensor *nm_sum_of_lines(nm_tape *tape, nm_tensor *x, int axis)
{
    if (!x) {
        return NULL;
    }
    nm_shape shape = *nm_tensor_shape(x);
    if (axis >= 0) {
        shape.dim[axis] = 1;
    }
    return nm_sum_to(tape, x, shape);
}
