/* All steps of lstm and gru in one piece, and their gradient in another. Promises:
 *
 * 1. Sequences are independent but for the product with w_hh. Where that is small, some of them at
 *    a time go all their steps in one thread, which waits for no other; else all go together, and
 *    threads share the product. Which of them, sizes say, so the bits do not depend on threads.
 * 2. Gates are computed where they are kept for the gradient. Without one, they are overwritten in
 *    the next step.
 * 3. The gradient of w_hh is one product over all steps: the op leaves its factors. */
#include <string.h>

#include "core/tape/formula.h"
#include "core/thread.h"
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/copy.h"
#include "ops/kernels/gemm_blocked.h"
#include "ops/linear.h"
#include "ops/sequence/recurrent.h"
#include "ops/sequence/recurrent_cells.h"

#define ROWS 16                /* sequences that go their steps together, */
#define MOST_WEIGHTS (1 << 20) /* while w_hh has so many bytes at most: it stays in a cache */

typedef struct walk {
    nm_context *context;
    nm_status status;
    const nm_recurrent_loops *loops;
    int64_t n, steps;
    int64_t hidden, all, width; /* numbers of a state, of all gates, of what is kept of a step */
    int64_t item;               /* bytes of a number */
    int64_t rows;               /* sequences that go together */
    bool is_gru, reverse, backward;
    const int64_t *lengths;     /* [n] */
    nm_gemm product;            /* with w_hh, for any rows */
    const nm_gemm_loops *alone; /* the product is one thread's; NULL: the threads share it */
    char *h, *c;                /* the state [n, hidden]; backward, its gradient */
    /* Forward. */
    const char *x;
    char *z, *y;
    int64_t z_row, z_step; /* numbers of z from sequence to sequence and from step to step */
    /* Backward. */
    const char *kept, *after; /* z and y of the way forward */
    const char *h0, *c0, *dy; /* NULL: zeros */
    const char *zeros;        /* [hidden] */
    char *tanh;               /* [n, hidden] */
    char *dx, *dz, *before;   /* of x, of h w_hh^T (lstm: one), and the state before each step */
} walk;

/* c += a op(w_hh), of m rows. */
static void multiply(walk *w, const void *a, int64_t lda, void *c, int64_t ldc, int64_t m)
{
    nm_gemm g = w->product;
    g.a = a;
    g.lda = lda;
    g.c = c;
    g.ldc = ldc;
    g.m = m;
    if (w->alone) {
        nm_gemm_near(NULL, &g, w->alone);
    } else if (w->status == NM_OK) {
        w->status = nm_gemm_run(w->context, &g);
    }
}

/* ---- A step of the sequences first..last ---- */

/* The gates of a sequence that has ended are computed for nobody. */
static void step_forward(walk *w, int64_t t, int64_t first, int64_t last)
{
    const int64_t shared = w->is_gru ? 2 * w->hidden : w->all; /* by x and h in one sum */
    const int64_t z_row = w->z_row * w->item, x_row = w->steps * w->all * w->item;
    const size_t row = (size_t)(w->hidden * w->item), sum = (size_t)(shared * w->item);
    const char *x = w->x + (first * w->steps + t) * w->all * w->item;
    char *z = w->z + (first * w->z_row + t * w->z_step) * w->item;
    for (int64_t i = 0; i < last - first; i++) {
        memcpy(z + i * z_row, x + i * x_row, sum);
        memset(z + i * z_row + sum, 0, (size_t)(w->all * w->item) - sum);
    }
    multiply(w, w->h + first * (int64_t)row, w->hidden, z, w->z_row, last - first);
    for (int64_t i = first; i < last; i++, x += x_row, z += z_row) {
        const int64_t at = i * (int64_t)row;
        char *y = w->y + at * w->steps + t * (int64_t)row;
        if (t < w->lengths[i]) {
            w->loops->forward[w->is_gru](x, z, w->h + at, w->c + at, y, w->hidden);
        } else {
            memset(y, 0, row);
        }
    }
}

/* Row i of a state; zeros where there is none. */
static const char *row_of(const walk *w, const char *state, int64_t i)
{
    return state ? state + i * w->hidden * w->item : w->zeros;
}

/* Of sequence i, which has the step t. */
static void cell_backward(const walk *w, int64_t i, int64_t t)
{
    const int64_t row = w->hidden * w->item, at = i * w->steps + t;
    const int64_t then = w->reverse ? t + 1 : t - 1, kept = w->width * w->item;
    const bool begins = then < 0 || then >= w->lengths[i];
    const char *h = begins ? row_of(w, w->h0, i) : w->after + (at + then - t) * row;
    const char *z = w->kept + at * kept;
    char *dh = w->h + i * row, *dx = w->dx + at * w->all * w->item;
    memcpy(w->before + at * row, h, (size_t)row);
    if (w->dy) {
        w->loops->add(w->dy + at * row, dh, w->hidden);
    }
    if (w->is_gru) {
        w->loops->backward[1](z, h, dh, w->dz + at * w->all * w->item, dx, NULL, w->hidden);
    } else {
        const char *c = begins ? row_of(w, w->c0, i) : z + (then - t) * kept + 4 * row;
        w->loops->backward[0](z, c, dh, w->c + i * row, dx, w->tanh + i * row, w->hidden);
    }
}

static void step_backward(walk *w, int64_t t, int64_t first, int64_t last)
{
    const int64_t row = w->hidden * w->item, all = w->all * w->item;
    for (int64_t i = first; i < last; i++) {
        const int64_t at = i * w->steps + t;
        if (t < w->lengths[i]) {
            cell_backward(w, i, t);
            continue;
        }
        memset(w->before + at * row, 0, (size_t)row);
        memset(w->dx + at * all, 0, (size_t)all);
        memset(w->dz + at * all, 0, (size_t)all);
    }
    multiply(w, w->dz + (first * w->steps + t) * all, w->steps * w->all, w->h + first * row,
             w->hidden, last - first);
}

/* ---- What both ways have in common ---- */

/* Promise 1. Tiles that end within a vector cannot be added to where they stand. */
static void choose_rows(walk *w)
{
    const nm_gemm *g = &w->product;
    const nm_gemm_loops *best = nm_gemm_loops_at(g->dtype, 0);
    const bool small = g->dtype == NM_F32 && w->all * w->hidden * 4 <= MOST_WEIGHTS;
    w->alone =
        small && w->n > ROWS && !g->transpose_b && g->n % nm_gemm_lanes(best) == 0 ? best : NULL;
    w->rows = w->alone ? ROWS : w->n + (w->n == 0);
}

static walk begin(const nm_run *run, const nm_tensor *x, const nm_tensor *weights)
{
    const nm_steps_options *o = run->options;
    const nm_shape *shape = nm_tensor_shape(x);
    const int64_t hidden = nm_tensor_shape(weights)->dim[1];
    return (walk){.context = run->context,
                  .loops = run->dtype == NM_F64 ? &nm_recurrent_loops_f64 : &nm_recurrent_loops_f32,
                  .item = (int64_t)nm_dtype_size(run->dtype),
                  .n = shape->dim[0],
                  .steps = shape->dim[1],
                  .hidden = hidden,
                  .all = o->gates * hidden,
                  .width = (o->gates + 1) * hidden,
                  .is_gru = o->gates == NM_GRU_GATES,
                  .reverse = o->reverse,
                  .product = {.dtype = run->dtype, .accumulate = true}};
}

/* As many steps as each sequence has; `lengths` NULL: all. */
static nm_status read_lengths(const nm_run *run, const walk *w, const nm_tensor *lengths,
                              int64_t *to)
{
    for (int64_t i = 0; i < w->n; i++) {
        const double length = lengths ? nm_tensor_get(lengths, i) : (double)w->steps;
        if (length < 0 || length > (double)w->steps) {
            return nm_run_fail(run, NM_ERROR_INPUT,
                               "the length at [%lld] is %.0f; there are %lld steps", (long long)i,
                               length, (long long)w->steps);
        }
        to[i] = (int64_t)length;
    }
    return NM_OK;
}

/* Some of the groups of sequences, through all steps. */
static void go(void *arg, int64_t begin, int64_t end)
{
    walk *w = arg;
    const bool from_last = w->reverse != w->backward;
    for (int64_t group = begin; group < end; group++) {
        const int64_t first = group * w->rows, most = first + w->rows;
        const int64_t last = most < w->n ? most : w->n;
        for (int64_t k = 0; k < w->steps; k++) {
            const int64_t t = from_last ? w->steps - 1 - k : k;
            (w->backward ? step_backward : step_forward)(w, t, first, last);
        }
    }
}

static nm_status go_all(walk *w)
{
    nm_parallel(w->context, (w->n + w->rows - 1) / w->rows, 1, go, w);
    return w->status;
}

/* A state to begin with, or zeros. */
static void begin_state(void *to, const void *from, const nm_tensor *like)
{
    const size_t bytes = nm_tensor_bytes(like);
    if (from) {
        memcpy(to, from, bytes);
    } else {
        memset(to, 0, bytes);
    }
}

/* ---- Forward ---- */

static nm_status recurrent_steps_infer(nm_infer *infer)
{
    const nm_steps_options *o = infer->options;
    const nm_shape *x = infer->in[NM_STEPS_X];
    const int64_t n = x->dim[0], steps = x->dim[1], hidden = infer->in[NM_STEPS_W]->dim[1];
    infer->out[NM_STEPS_Y] = NM_SHAPE(n, steps, hidden);
    infer->out[NM_STEPS_H] = NM_SHAPE(n, hidden);
    infer->out[NM_STEPS_C] = o->gates == NM_LSTM_GATES ? NM_SHAPE(n, hidden) : NM_SHAPE(0);
    infer->out[NM_STEPS_SAVED] = NM_SHAPE(n, steps, (o->gates + 1) * hidden);
    return NM_OK;
}

static int64_t steps_multiply_adds(const nm_infer *infer)
{
    return nm_count_multiply_adds(infer->in[NM_STEPS_X], infer->in[NM_STEPS_W]->dim[1]);
}

/* w_hh with its rows as columns, which products then read as it stands. */
static void turn_weights(const nm_run *run, walk *w, void *to)
{
    const nm_copy_plan plan = {.rank = 2, .axis = {{w->hidden, 1, w->all}, {w->all, w->hidden, 1}}};
    const bool pays = w->steps > 1;
    if (pays) {
        nm_copy(run->context, plan, nm_dtype_size(run->dtype), run->x[NM_STEPS_W], to);
    }
    w->product.b = pays ? to : run->x[NM_STEPS_W];
    w->product.ldb = pays ? w->all : w->hidden;
    w->product.transpose_b = !pays;
    w->product.n = w->all;
    w->product.k = w->hidden;
    w->product.bias = run->x[NM_STEPS_B];
}

static void set_forward(const nm_run *run, walk *w, void *gates)
{
    const bool saves = run->y[NM_STEPS_SAVED];
    w->x = run->x[NM_STEPS_X];
    w->y = run->y[NM_STEPS_Y];
    w->h = run->y[NM_STEPS_H];
    w->c = run->y[NM_STEPS_C];
    w->z = saves ? run->y[NM_STEPS_SAVED] : gates; /* promise 2 */
    w->z_row = saves ? w->steps * w->width : w->width;
    w->z_step = saves ? w->width : 0;
    begin_state(w->h, run->x[NM_STEPS_H0], run->out[NM_STEPS_H]);
    begin_state(w->c, run->x[NM_STEPS_C0], run->out[NM_STEPS_C]);
}

/* `bytes` and what fills them up to whole vectors. */
static size_t aligned(int64_t count, size_t size)
{
    return (nm_bytes(count, size) + 63) & ~(size_t)63;
}

static nm_status recurrent_steps_forward(const nm_run *run)
{
    walk w = begin(run, run->in[NM_STEPS_X], run->in[NM_STEPS_W]);
    const size_t item = nm_dtype_size(run->dtype), weights = aligned(w.all * w.hidden, item);
    const size_t gates = run->y[NM_STEPS_SAVED] ? 0 : aligned(w.n * w.width, item);
    char *memory = nm_scratch(run->context, weights + gates + aligned(w.n, sizeof(int64_t)));
    if (!memory) {
        return NM_ERROR_MEMORY;
    }
    int64_t *lengths = (void *)(memory + weights + gates);
    w.lengths = lengths;
    nm_status status = read_lengths(run, &w, run->in[NM_STEPS_LENGTHS], lengths);
    if (status == NM_OK) {
        turn_weights(run, &w, memory);
        set_forward(run, &w, memory + weights);
        choose_rows(&w);
        status = go_all(&w);
    }
    nm_scratch_end(memory);
    return status;
}

/* ---- Backward ---- */

enum { SAVED, W, H0, C0, LENGTHS, Y, DY, DH, DC, GRAD_INPUTS };
enum { DX, DZ, BEFORE, DH0, DC0, GRAD_OUTPUTS };

/* dz of lstm is dx, and has no elements. */
static nm_status grad_infer(nm_infer *infer)
{
    const nm_steps_options *o = infer->options;
    const nm_shape *y = infer->in[Y];
    const bool is_lstm = o->gates == NM_LSTM_GATES;
    const int64_t n = y->dim[0], hidden = y->dim[2];
    infer->out[DX] = NM_SHAPE(n, y->dim[1], o->gates * hidden);
    infer->out[DZ] = is_lstm ? NM_SHAPE(0) : infer->out[DX];
    infer->out[BEFORE] = *y;
    infer->out[DH0] = NM_SHAPE(n, hidden);
    infer->out[DC0] = is_lstm ? NM_SHAPE(n, hidden) : NM_SHAPE(0);
    return NM_OK;
}

static int64_t grad_multiply_adds(const nm_infer *infer)
{
    return nm_count_multiply_adds(&infer->out[DX], infer->in[W]->dim[1]);
}

static void set_backward(const nm_run *run, walk *w)
{
    w->backward = true;
    w->kept = run->x[SAVED];
    w->after = run->x[Y];
    w->h0 = run->x[H0];
    w->c0 = run->x[C0];
    w->dy = run->x[DY];
    w->dx = run->y[DX];
    w->dz = run->y[w->is_gru ? DZ : DX];
    w->before = run->y[BEFORE];
    w->h = run->y[DH0];
    w->c = run->y[DC0];
    w->product.b = run->x[W];
    w->product.ldb = w->product.n = w->hidden;
    w->product.k = w->all;
    begin_state(w->h, run->x[DH], run->out[DH0]);
    begin_state(w->c, run->x[DC], run->out[DC0]);
}

static nm_status grad_forward(const nm_run *run)
{
    walk w = begin(run, run->in[Y], run->in[W]);
    const size_t item = nm_dtype_size(run->dtype), row = aligned(w.hidden, item);
    const size_t tanhs = aligned(w.n * w.hidden, item);
    char *memory = nm_scratch(run->context, row + tanhs + aligned(w.n, sizeof(int64_t)));
    if (!memory) {
        return NM_ERROR_MEMORY;
    }
    int64_t *lengths = (void *)(memory + row + tanhs);
    w.lengths = lengths;
    w.zeros = memset(memory, 0, row);
    w.tanh = memory + row;
    nm_status status = read_lengths(run, &w, run->in[LENGTHS], lengths);
    if (status == NM_OK) {
        set_backward(run, &w);
        choose_rows(&w);
        status = go_all(&w);
    }
    nm_scratch_end(memory);
    return status;
}

#define OPTIONAL(name_)                                                                            \
    {                                                                                              \
        .name = name_, .flags = NM_PORT_OPTIONAL                                                   \
    }
#define LENGTHS_PORT                                                                               \
    {                                                                                              \
        .name = "lengths", .type = NM_PORT_INDEX, .flags = NM_PORT_OPTIONAL                        \
    }
static const nm_steps_options defaults = {sizeof defaults, NM_LSTM_GATES, false};
static const nm_option options[] = {
    {NM_FIELD(nm_steps_options, gates), NM_OPTION_INT, .min = NM_GRU_GATES, .max = NM_LSTM_GATES},
    {NM_FIELD(nm_steps_options, reverse), NM_OPTION_BOOL},
};
static const nm_spec spec = NM_SPEC(nm_steps_options, defaults, options);
static const nm_port grad_in[GRAD_INPUTS] = {{.name = "saved"}, {.name = "w"},  OPTIONAL("h0"),
                                             OPTIONAL("c0"),    LENGTHS_PORT,   {.name = "y"},
                                             OPTIONAL("dy"),    OPTIONAL("dh"), OPTIONAL("dc")};
static const nm_port grad_out[GRAD_OUTPUTS] = {
    {.name = "dx"}, {.name = "dz"}, {.name = "before"}, {.name = "dh0"}, {.name = "dc0"}};

/* Where nothing is recorded: it has no gradient. */
static const nm_op recurrent_steps_grad = {
    .item = NM_ITEM(nm_op, "recurrent_steps_grad", "gradient of recurrent_steps", .spec = &spec),
    .inputs = grad_in,
    .outputs = grad_out,
    .input_count = GRAD_INPUTS,
    .output_count = GRAD_OUTPUTS,
    .infer = grad_infer,
    .forward = grad_forward,
    .multiply_adds = grad_multiply_adds,
};

/* ---- The op ---- */

static nm_tensor *flat(nm_tape *tape, nm_tensor *x)
{
    const nm_shape *s = x ? nm_tensor_shape(x) : NULL;
    return s ? nm_reshape(tape, x, NM_SHAPE(s->dim[0] * s->dim[1], s->dim[2])) : NULL;
}

/* All at once. Biases' are summed over the steps by the engine. */
static nm_tensor *recurrent_steps_vjp(nm_vjp *v, int input)
{
    nm_tape *tape = v->tape;
    if (nm_tape_is_recording(tape)) {
        return nm_vjp_of_formula(v, input, nm_recurrent_formula);
    }
    const bool is_lstm = ((const nm_steps_options *)v->options)->gates == NM_LSTM_GATES;
    nm_tensor *in[GRAD_INPUTS] = {
        v->out[NM_STEPS_SAVED], v->in[NM_STEPS_W],       v->in[NM_STEPS_H0],
        v->in[NM_STEPS_C0],     v->in[NM_STEPS_LENGTHS], v->out[NM_STEPS_Y],
        v->gout[NM_STEPS_Y],    v->gout[NM_STEPS_H],     is_lstm ? v->gout[NM_STEPS_C] : NULL};
    nm_tensor *out[GRAD_OUTPUTS];
    if (nm_apply(tape, &recurrent_steps_grad, in, GRAD_INPUTS, v->options, out) != NM_OK) {
        return NULL;
    }
    nm_tensor *dz = out[is_lstm ? DX : DZ];
    v->gin[NM_STEPS_X] = out[DX];
    v->gin[NM_STEPS_B] = dz;
    v->gin[NM_STEPS_H0] = out[DH0];
    v->gin[NM_STEPS_C0] = out[DC0];
    if (v->need[NM_STEPS_W]) {
        v->gin[NM_STEPS_W] =
            nm_matmul(tape, flat(tape, dz), flat(tape, out[BEFORE]), .transpose_a = true);
    }
    return v->gin[input];
}

static const nm_port inputs[NM_STEPS_INPUTS] = {
    [NM_STEPS_X] = {.name = "x"},    [NM_STEPS_W] = {.name = "w_hh"},
    [NM_STEPS_B] = OPTIONAL("b_hh"), [NM_STEPS_H0] = OPTIONAL("h0"),
    [NM_STEPS_C0] = OPTIONAL("c0"),  [NM_STEPS_LENGTHS] = LENGTHS_PORT,
};
static const nm_port outputs[NM_STEPS_OUTPUTS] = {
    [NM_STEPS_Y] = {.name = "y"},
    [NM_STEPS_H] = {.name = "h"},
    [NM_STEPS_C] = {.name = "c"},
    [NM_STEPS_SAVED] = {.name = "saved",
                        .flags = NM_PORT_HIDDEN | NM_PORT_OPTIONAL | NM_PORT_NO_GRAD},
};

const nm_op nm_op_recurrent_steps = {
    .item = NM_ITEM(nm_op, "recurrent_steps", "the steps of lstm and gru", .spec = &spec),
    .inputs = inputs,
    .outputs = outputs,
    .input_count = NM_STEPS_INPUTS,
    .output_count = NM_STEPS_OUTPUTS,
    .infer = recurrent_steps_infer,
    .forward = recurrent_steps_forward,
    .vjp = recurrent_steps_vjp,
    .multiply_adds = steps_multiply_adds,
};
