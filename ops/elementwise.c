#include "ops/elementwise.h"

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
    return nm_scalar(v->tape, nm_tensor_dtype(v->in[0]), 0);
}

#define GRAIN 16384 /* elements below which a second thread does not pay */
#define MAX_ARGUMENTS 3

/* The iteration: `rows` rows of `length` elements. Within a row every input either goes along or
 * stays; from row to row it moves as its strides over the outer dimensions say. */
typedef struct plan {
    nm_row_fn row;
    const nm_run *run;
    int64_t item; /* bytes */
    int64_t rows, length;
    int outer; /* outer dimensions */
    int64_t dim[NM_MAX_RANK];
    int64_t stride[MAX_ARGUMENTS][NM_MAX_RANK]; /* in elements, over the outer dimensions */
    int step[MAX_ARGUMENTS];
} plan;

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
static bool joins(const plan *p, int inputs, int64_t strides[][NM_MAX_RANK], int d)
{
    for (int i = 0; i < inputs; i++) {
        int64_t wanted = p->step[i] ? p->length : 0;
        if (strides[i][d] != wanted) {
            return false;
        }
    }
    return true;
}

static void make_plan(plan *p, const nm_run *run)
{
    const nm_shape *out = nm_tensor_shape(run->out[0]);
    int64_t strides[MAX_ARGUMENTS][NM_MAX_RANK];
    for (int i = 0; i < run->inputs; i++) {
        find_strides(nm_tensor_shape(run->in[i]), out, strides[i]);
    }
    int d = out->rank - 1;
    while (d > 0 && out->dim[d] == 1) {
        d--; /* dimensions of one say nothing about the direction */
    }
    p->length = d >= 0 ? out->dim[d] : 1;
    for (int i = 0; i < run->inputs; i++) {
        p->step[i] = d >= 0 && strides[i][d] != 0;
    }
    for (d--; d >= 0 && (out->dim[d] == 1 || joins(p, run->inputs, strides, d)); d--) {
        p->length *= out->dim[d];
    }
    p->outer = d + 1;
    p->rows = 1;
    for (int k = 0; k < p->outer; k++) {
        p->dim[k] = out->dim[k];
        p->rows *= out->dim[k];
        for (int i = 0; i < run->inputs; i++) {
            p->stride[i][k] = strides[i][k];
        }
    }
}

static void run_row(const plan *p, int64_t row, int64_t begin, int64_t end)
{
    const nm_run *run = p->run;
    int64_t offset[MAX_ARGUMENTS] = {0};
    int64_t rest = row;
    for (int k = p->outer - 1; k >= 0; k--) {
        int64_t index = rest % p->dim[k];
        rest /= p->dim[k];
        for (int i = 0; i < run->inputs; i++) {
            offset[i] += index * p->stride[i][k];
        }
    }
    const void *x[MAX_ARGUMENTS];
    for (int i = 0; i < run->inputs; i++) {
        x[i] = (const char *)run->x[i] + (offset[i] + p->step[i] * begin) * p->item;
    }
    char *y = (char *)run->y[0] + (row * p->length + begin) * p->item;
    p->row(run->options, x, p->step, y, end - begin);
}

/* A range of all elements: parts of rows at its ends, whole rows between. */
static void run_range(void *arg, int64_t begin, int64_t end)
{
    const plan *p = arg;
    while (begin < end) {
        int64_t row = begin / p->length, first = begin % p->length;
        int64_t last = first + end - begin < p->length ? first + end - begin : p->length;
        run_row(p, row, first, last);
        begin += last - first;
    }
}

nm_status nm_elementwise(const nm_run *run, nm_row_fn f32, nm_row_fn f64)
{
    nm_row_fn row = run->dtype == NM_F64 ? f64 : f32;
    int64_t count = nm_tensor_count(run->out[0]);
    bool same = true;
    for (int i = 0; i < run->inputs && !run->same_shape; i++) {
        same &= nm_tensor_count(run->in[i]) == count;
    }
    if (same && count <= GRAIN) {
        static const int along[MAX_ARGUMENTS] = {1, 1, 1};
        row(run->options, run->x, along, run->y[0], count);
        return NM_OK;
    }
    plan p = {.row = row, .run = run, .item = run->dtype == NM_F64 ? 8 : 4};
    if (same) {
        p.rows = 1;
        p.length = count;
        p.step[0] = p.step[1] = p.step[2] = 1;
    } else {
        make_plan(&p, run);
    }
    if (count) {
        nm_parallel(run->context, count, GRAIN, run_range, &p);
    }
    return NM_OK;
}
