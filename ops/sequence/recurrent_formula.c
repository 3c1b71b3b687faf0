/* The steps of lstm and gru made of ops, for gradients of gradients: recurrent_steps.c has them in
 * one piece.
 *
 * 1. The steps are cut out of x by halves, and put together again by halves: a gradient of so many
 *    steps takes n log n, where cutting them one by one would take n^2.
 * 2. A sequence that has ended keeps its state; its outputs from there on are 0. Backwards, it
 *    keeps its first state until its last step comes. */
#include "ops/basic.h"
#include "ops/linear.h"
#include "ops/sequence.h"
#include "ops/sequence/recurrent.h"

typedef struct state {
    nm_tensor *h, *c; /* [n, hidden]; c NULL of gru */
} state;

typedef struct walk walk;

/* The state after a step whose x makes `x`, [n, gates hidden]. */
typedef state cell_fn(const walk *w, nm_tensor *x);

struct walk {
    nm_compose *compose;
    nm_tape *tape;
    cell_fn *cell;
    int64_t hidden;
    bool reverse;
    state state;     /* so far */
    nm_tensor *zero; /* a number; NULL where there are no lengths */
};

/* ---- Cells ---- */

/* Part `i` of the gates. */
static nm_tensor *gate(const walk *w, nm_tensor *gates, int64_t i, int64_t count)
{
    return nm_slice(w->tape, gates, .axes = NM_INTS(1), .start = NM_INTS(i * w->hidden),
                    .stop = NM_INTS((i + count) * w->hidden));
}

/* h w_hh^T + b_hh */
static nm_tensor *of_state(const walk *w)
{
    return nm_dense(w->tape, w->state.h, w->compose->in[NM_STEPS_W], w->compose->in[NM_STEPS_B]);
}

static state lstm_cell(const walk *w, nm_tensor *x)
{
    nm_tape *tape = w->tape;
    nm_tensor *gates = nm_add(tape, x, of_state(w));
    nm_tensor *i = nm_sigmoid(tape, gate(w, gates, 0, 1));
    nm_tensor *f = nm_sigmoid(tape, gate(w, gates, 1, 1));
    nm_tensor *g = nm_tanh(tape, gate(w, gates, 2, 1));
    nm_tensor *o = nm_sigmoid(tape, gate(w, gates, 3, 1));
    nm_tensor *c = nm_add(tape, nm_mul(tape, f, w->state.c), nm_mul(tape, i, g));
    return (state){.h = nm_mul(tape, o, nm_tanh(tape, c)), .c = c};
}

/* (1 - z) n + z h = n + z (h - n) */
static state gru_cell(const walk *w, nm_tensor *x)
{
    nm_tape *tape = w->tape;
    nm_tensor *h = of_state(w);
    nm_tensor *rz = nm_sigmoid(tape, nm_add(tape, gate(w, x, 0, 2), gate(w, h, 0, 2)));
    nm_tensor *r = gate(w, rz, 0, 1), *z = gate(w, rz, 1, 1);
    nm_tensor *reset = nm_mul(tape, r, gate(w, h, 2, 1));
    nm_tensor *n = nm_tanh(tape, nm_add(tape, gate(w, x, 2, 1), reset));
    nm_tensor *back = nm_mul(tape, z, nm_sub(tape, w->state.h, n));
    return (state){.h = nm_add(tape, n, back)};
}

/* ---- Steps ---- */

/* One step; its output as [1, n, hidden]. `counts` [1, n, 1] is 1 where the sequence has it. */
static nm_tensor *take_step(walk *w, nm_tensor *x, nm_tensor *counts)
{
    state next = w->cell(w, nm_squeeze(w->tape, x, .axes = NM_INTS(0)));
    nm_tensor *y = next.h;
    if (counts) {
        nm_tensor *now = nm_squeeze(w->tape, counts, .axes = NM_INTS(0));
        y = nm_where(w->tape, now, next.h, w->zero);
        next.h = nm_where(w->tape, now, next.h, w->state.h);
        next.c = next.c ? nm_where(w->tape, now, next.c, w->state.c) : NULL;
    }
    w->state = next;
    return nm_unsqueeze(w->tape, y, .axes = NM_INTS(0));
}

static nm_tensor *steps_of(const walk *w, nm_tensor *x, int64_t begin, int64_t end)
{
    return x ? nm_slice(w->tape, x, .axes = NM_INTS(0), .start = NM_INTS(begin),
                        .stop = NM_INTS(end))
             : NULL;
}

/* All steps of x [steps, n, ...], at least one: promise 1. */
static nm_tensor *take_steps(walk *w, nm_tensor *x, nm_tensor *counts)
{
    const int64_t steps = x ? nm_tensor_shape(x)->dim[0] : 0, half = steps / 2;
    if (steps < 2) {
        return x ? take_step(w, x, counts) : NULL;
    }
    nm_tensor *parts[2];
    for (int k = 0; k < 2; k++) {
        const int at = w->reverse ? 1 - k : k;
        const int64_t begin = at ? half : 0, end = at ? steps : half;
        parts[at] = take_steps(w, steps_of(w, x, begin, end), steps_of(w, counts, begin, end));
    }
    return nm_concat(w->tape, parts, 2, .axis = 0);
}

/* [n, steps, ...] as [steps, n, ...], and back */
static nm_tensor *turned(const walk *w, nm_tensor *x)
{
    return nm_transpose(w->tape, x, 0, 1);
}

/* The first state, or zeros. */
static nm_tensor *begun(const nm_compose *c, int input, int64_t hidden)
{
    const nm_tensor *x = c->in[NM_STEPS_X];
    return c->in[input] ? c->in[input]
                        : nm_full(c->tape, nm_tensor_dtype(x),
                                  NM_SHAPE(nm_tensor_shape(x)->dim[0], hidden), 0);
}

/* 1 where a sequence has a step, [steps, n, 1]; NULL: all have all. */
static nm_tensor *find_counts(walk *w)
{
    nm_tensor *x = w->compose->in[NM_STEPS_X], *lengths = w->compose->in[NM_STEPS_LENGTHS];
    if (!lengths) {
        return NULL;
    }
    nm_tensor *counts = nm_sequence_mask(w->tape, lengths, nm_tensor_shape(x)->dim[1]);
    w->zero = nm_scalar(w->tape, nm_tensor_dtype(x), 0);
    return nm_unsqueeze(w->tape, turned(w, counts), .axes = NM_INTS(2));
}

nm_tensor *nm_recurrent_formula(nm_compose *c)
{
    const nm_steps_options *o = c->options;
    const int64_t hidden = nm_tensor_shape(c->in[NM_STEPS_W])->dim[1];
    const bool is_lstm = o->gates == NM_LSTM_GATES;
    walk w = {.compose = c,
              .tape = c->tape,
              .cell = is_lstm ? lstm_cell : gru_cell,
              .hidden = hidden,
              .reverse = o->reverse,
              .state = {.h = begun(c, NM_STEPS_H0, hidden)}};
    w.state.c = is_lstm ? begun(c, NM_STEPS_C0, hidden) : NULL;
    nm_tensor *counts = find_counts(&w);
    nm_tensor *y = take_steps(&w, turned(&w, c->in[NM_STEPS_X]), counts);
    c->out[NM_STEPS_H] = w.state.h;
    c->out[NM_STEPS_C] = w.state.c;
    return turned(&w, y);
}
