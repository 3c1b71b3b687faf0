#include "ops/elementwise.h"

#include "core/guard.h"
#include "core/thread.h"

const nm_port nm_port_x[1] = {{.name = "x", .doc = "any shape"}};
const nm_port nm_port_y[1] = {{.name = "y", .doc = "the shape of the inputs, broadcast"}};
const nm_port nm_port_ab[2] = {{.name = "a", .doc = "any shape"},
                               {.name = "b", .doc = "a shape that broadcasts with a's"}};
const nm_port nm_port_y_dy[2] = {{.name = "y", .doc = "the op's output, any shape"},
                                 {.name = "dy", .doc = "its gradient, of y's shape"}};
const nm_port nm_port_x_dy[2] = {{.name = "x", .doc = "the op's input, any shape"},
                                 {.name = "dy", .doc = "the output's gradient, of x's shape"}};

nm_tensor *nm_no_bend(nm_vjp *v)
{
    NM_GIVEN(v, NULL);
    return nm_scalar(v->tape, nm_tensor_dtype(v->in[0]), 0);
}

#define GRAIN 16384 /* elements below which a second thread does not pay */
#define MAX_ARGUMENTS 3
#define TILE 512    /* elements, a multiple of NM_BLOCK */
#define LONG_ROW 64 /* elements that are worth a call */
#define FEW 4       /* elements that are better computed one by one than in copies */
#define ITEM 8      /* bytes of the largest type */

/* An input, seen from the output: along the last run of dimensions it goes along with it or stays,
 * from row to row it moves as its strides over the outer dimensions say. */
typedef struct argument {
    const char *x;
    bool whole; /* of the output's shape: read where it stands */
    int64_t step;
    int64_t stride[NM_MAX_RANK]; /* in elements, over the outer dimensions */
} argument;

typedef struct plan {
    nm_row_fn row;
    const void *options;
    char *y;
    int inputs;
    int64_t few;    /* elements that are computed one by one, at the most */
    size_t item;    /* bytes */
    int64_t length; /* of a row */
    int outer;      /* outer dimensions */
    int64_t dim[NM_MAX_RANK];
    argument in[MAX_ARGUMENTS];
} plan;

/* ---- The plan ---- */

/* An input's stride along each dimension of the output: 0 where it is broadcast. */
static void find_strides(const nm_shape *in, const nm_shape *out, int64_t *stride)
{
    int64_t next = 1;
    for (int d = out->rank - 1; d >= 0; d--) {
        int k = d - (out->rank - in->rank);
        int64_t dim = k >= 0 ? in->dim[k] : 1;
        stride[d] = dim == 1 && out->dim[d] != 1 ? 0 : next;
        next *= dim;
    }
}

/* Whether dimension d can join the dimensions behind it, a run of `length` elements, in one row. */
static bool joins(const plan *p, int64_t strides[][NM_MAX_RANK], int d)
{
    for (int i = 0; i < p->inputs; i++) {
        if (strides[i][d] != p->in[i].step * p->length) {
            return false;
        }
    }
    return true;
}

static void find_rows(plan *p, const nm_run *run)
{
    const nm_shape *out = nm_tensor_shape(run->out[0]);
    int64_t strides[MAX_ARGUMENTS][NM_MAX_RANK];
    for (int i = 0; i < p->inputs; i++) {
        find_strides(nm_tensor_shape(run->in[i]), out, strides[i]);
    }
    int d = out->rank - 1;
    while (d > 0 && out->dim[d] == 1) {
        d--; /* dimensions of one say nothing about the direction */
    }
    p->length = d >= 0 ? out->dim[d] : 1;
    for (int i = 0; i < p->inputs; i++) {
        p->in[i].step = d >= 0 && strides[i][d] != 0;
    }
    for (d--; d >= 0 && (out->dim[d] == 1 || joins(p, strides, d)); d--) {
        p->length *= out->dim[d];
    }
    p->outer = d + 1;
    for (int k = 0; k < p->outer; k++) {
        p->dim[k] = out->dim[k];
        for (int i = 0; i < p->inputs; i++) {
            p->in[i].stride[k] = strides[i][k];
        }
    }
}

static plan make_plan(const nm_run *run, nm_row_fn row, int64_t few)
{
    const int64_t count = nm_tensor_count(run->out[0]);
    plan p = {
        .row = row, .options = run->options, .y = run->y[0], .inputs = run->inputs, .few = few};
    p.item = run->dtype == NM_F64 ? 8 : 4;
    bool all = true;
    p.length = count;
    for (int i = 0; i < p.inputs; i++) {
        p.in[i].x = run->x[i];
        p.in[i].whole = run->same_shape || nm_tensor_count(run->in[i]) == count;
        all = all && p.in[i].whole;
    }
    if (!all) {
        find_rows(&p, run);
    }
    return p;
}

/* ---- What a piece of the output is computed from ---- */

NM_KERNEL static void repeat_f32(float *to, float value, int64_t n)
{
    NM_SIMD for (int64_t i = 0; i < n; i++)
    {
        to[i] = value;
    }
}

static void repeat(void *to, const void *x, int64_t n, size_t item)
{
    if (item == 4) {
        repeat_f32(to, *(const float *)x, n);
        return;
    }
    const double value = *(const double *)x;
    for (int64_t i = 0; i < n; i++) {
        ((double *)to)[i] = value;
    }
}

/* Where an input's part of that row begins. */
static const char *row_of(const plan *p, const argument *in, int64_t row)
{
    int64_t offset = 0;
    for (int k = p->outer - 1; k > 0; k--) {
        offset += row % p->dim[k] * in->stride[k];
        row /= p->dim[k];
    }
    offset += p->outer ? row * in->stride[0] : 0;
    return in->x + offset * (int64_t)p->item;
}

/* Writes what an input has for the n elements of the output from `begin` on. */
static void gather(const plan *p, const argument *in, int64_t begin, int64_t n, char *to)
{
    int64_t row = begin / p->length, column = begin % p->length;
    for (int64_t run; n > 0; n -= run, to += run * (int64_t)p->item, row++, column = 0) {
        const char *x = row_of(p, in, row);
        run = p->length - column < n ? p->length - column : n;
        if (in->step) {
            memcpy(to, x + column * (int64_t)p->item, (size_t)run * p->item);
        } else {
            repeat(to, x, run, p->item);
        }
    }
}

/* ---- Running ---- */

/* NM_BLOCK elements: n, fewer than that, and then the last of them again. */
NM_INLINE void fill_block(void *to, const void *x, int64_t n, size_t item)
{
    for (int64_t i = 0; i < NM_BLOCK; i++) {
        const int64_t from = i < n ? i : n - 1;
        if (item == 4) {
            ((float *)to)[i] = ((const float *)x)[from];
        } else {
            ((double *)to)[i] = ((const double *)x)[from];
        }
    }
}

/* The last n elements, fewer than NM_BLOCK, in copies that are filled up. */
static void run_copies(nm_row_fn row, const void *options, const void *const *x, int inputs,
                       void *y, int64_t n, size_t item)
{
    _Alignas(64) char tile[MAX_ARGUMENTS + 1][NM_BLOCK * ITEM];
    const void *in[MAX_ARGUMENTS];
    for (int i = 0; i < inputs; i++) {
        fill_block(tile[i], x[i], n, item);
        in[i] = tile[i];
    }
    row(options, in, tile[MAX_ARGUMENTS], NM_BLOCK);
    memcpy(y, tile[MAX_ARGUMENTS], (size_t)n * item);
}

static bool replaces(const void *y, const void *const *x, int inputs)
{
    return x[0] == y || (inputs > 1 && x[1] == y) || (inputs > 2 && x[2] == y);
}

/* n elements that are no whole number of blocks: the last block begins before the one before it has
 * ended, and computes a few elements once more; not where their inputs are overwritten by then. */
static void run_ragged(nm_row_fn row, const void *options, const void *const *x, int inputs,
                       char *y, int64_t n, size_t item)
{
    const int64_t left = n % NM_BLOCK, whole = n - left;
    const bool again = whole && !replaces(y, x, inputs);
    const size_t at = (size_t)(again ? n - NM_BLOCK : whole) * item;
    const void *last[MAX_ARGUMENTS];
    for (int i = 0; i < inputs; i++) {
        last[i] = (const char *)x[i] + at;
    }
    if (whole) {
        row(options, x, y, whole);
    }
    if (again) {
        row(options, last, y + at, NM_BLOCK);
    } else {
        run_copies(row, options, last, inputs, y + at, left, item);
    }
}

NM_INLINE void run_piece(nm_row_fn row, const void *options, const void *const *x, int inputs,
                         char *y, int64_t n, size_t item, int64_t few)
{
    if (n % NM_BLOCK == 0 || n <= few) {
        row(options, x, y, n);
    } else {
        run_ragged(row, options, x, inputs, y, n, item);
    }
}

typedef char tiles[MAX_ARGUMENTS][TILE * ITEM];

/* n elements of a row, from `column` on. An input that stays is repeated in a tile, which is then
 * read again and again. */
static void run_in_row(const plan *p, int64_t row, int64_t column, int64_t n, tiles tile)
{
    const void *x[MAX_ARGUMENTS];
    size_t moves[MAX_ARGUMENTS]; /* bytes an element */
    int64_t most = n;
    for (int i = 0; i < p->inputs; i++) {
        const argument *in = &p->in[i];
        const char *start =
            in->whole ? in->x + row * p->length * (int64_t)p->item : row_of(p, in, row);
        moves[i] = in->whole || in->step ? p->item : 0;
        x[i] = start + (size_t)column * moves[i];
        if (!moves[i]) {
            most = n < TILE ? n : TILE;
            repeat(tile[i], start, most, p->item);
            x[i] = tile[i];
        }
    }
    char *y = p->y + (size_t)(row * p->length + column) * p->item;
    for (; n > 0; n -= most, y += (size_t)most * p->item) {
        run_piece(p->row, p->options, x, p->inputs, y, most < n ? most : n, p->item, p->few);
        for (int i = 0; i < p->inputs; i++) {
            /* cppcheck-suppress uninitvar ; as many as were set above */
            x[i] = (const char *)x[i] + (size_t)most * moves[i];
        }
    }
}

/* n elements of short rows: inputs that do not lie as the output does are brought together first.
 */
static void run_across_rows(const plan *p, int64_t begin, int64_t n, tiles tile)
{
    const void *x[MAX_ARGUMENTS];
    for (int i = 0; i < p->inputs; i++) {
        x[i] = p->in[i].x + (size_t)begin * p->item;
        if (!p->in[i].whole) {
            gather(p, &p->in[i], begin, n, tile[i]);
            x[i] = tile[i];
        }
    }
    run_piece(p->row, p->options, x, p->inputs, p->y + (size_t)begin * p->item, n, p->item, p->few);
}

static void run_range(void *arg, int64_t begin, int64_t end)
{
    const plan *p = arg;
    _Alignas(64) tiles tile;
    for (int64_t n; begin < end; begin += n) {
        n = end - begin;
        if (p->length >= LONG_ROW) {
            const int64_t column = begin % p->length, left = p->length - column;
            n = n < left ? n : left;
            run_in_row(p, begin / p->length, column, n, tile);
        } else {
            n = n < TILE ? n : TILE;
            run_across_rows(p, begin, n, tile);
        }
    }
}

NM_INLINE nm_status run_all(const nm_run *run, nm_row_fn row, int64_t few)
{
    const int64_t count = nm_tensor_count(run->out[0]);
    if (run->same_shape && count <= GRAIN) {
        run_piece(row, run->options, run->x, run->inputs, run->y[0], count,
                  run->dtype == NM_F64 ? 8 : 4, few);
        return NM_OK;
    }
    plan p = make_plan(run, row, few);
    if (count) {
        nm_parallel(run->context, count, GRAIN, run_range, &p);
    }
    return NM_OK;
}

nm_status nm_elementwise(const nm_run *run, nm_row_fn f32, nm_row_fn f64)
{
    return run_all(run, run->dtype == NM_F64 ? f64 : f32, FEW);
}

nm_status nm_elementwise_in_blocks(const nm_run *run, nm_row_fn f32, nm_row_fn f64)
{
    return run->dtype == NM_F64 ? run_all(run, f64, FEW) : run_all(run, f32, 0);
}

/* ---- Repetition alone ---- */

static void gather_range(void *arg, int64_t begin, int64_t end)
{
    const plan *p = arg;
    char *y = p->y + (size_t)begin * p->item;
    if (p->in[0].whole) {
        memcpy(y, p->in[0].x + (size_t)begin * p->item, (size_t)(end - begin) * p->item);
    } else {
        gather(p, &p->in[0], begin, end - begin, y);
    }
}

nm_status nm_elementwise_repeat(const nm_run *run)
{
    const int64_t count = nm_tensor_count(run->out[0]);
    plan p = make_plan(run, NULL, 0);
    if (count) {
        nm_parallel(run->context, count, GRAIN, gather_range, &p);
    }
    return NM_OK;
}
