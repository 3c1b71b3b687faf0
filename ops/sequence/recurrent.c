/* Networks that go step by step over sequences: lstm and gru, made of ops for each step.
 *
 * 1. The steps are cut out of x by halves, and put together again by halves: a gradient of so many
 *    steps takes n log n, where cutting them one by one would take n^2.
 * 2. A sequence that has ended keeps its state; its outputs from there on are 0. Backwards, it
 *    keeps its first state until its last step comes. */
#include "core/guard.h"
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/linear.h"
#include "ops/sequence.h"
#include "ops/sequence/shapes.h"
#include "ops/table.h"

enum { X, W_IH, W_HH, B_IH, B_HH, H0, GRU_LENGTHS, C0 = GRU_LENGTHS, LSTM_LENGTHS };
enum { LSTM_GATES = 4, GRU_GATES = 3 };

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
    return nm_dense(w->tape, w->state.h, w->compose->in[W_HH], w->compose->in[B_HH]);
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

/* ---- What is given ---- */

static bool has_shapes(nm_compose *c, int gates, int lengths, int64_t *hidden)
{
    const nm_shape *x = nm_tensor_shape(c->in[X]), *w = nm_tensor_shape(c->in[W_HH]);
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (x->rank != 3 || w->rank != 2 || w->dim[0] != gates * w->dim[1] || x->dim[1] < 1) {
        nm_compose_fail(c,
                        "x %s and w_hh %s must be [n, steps, channels], of one step at least, and "
                        "[%d hidden, hidden]",
                        nm_shape_text(x, a), nm_shape_text(w, b), gates);
        return false;
    }
    const int64_t n = x->dim[0], all = w->dim[0];
    *hidden = w->dim[1];
    bool fits = has_shape(c, W_IH, NM_SHAPE(all, x->dim[2])) && has_shape(c, B_IH, NM_SHAPE(all)) &&
                has_shape(c, B_HH, NM_SHAPE(all)) && has_shape(c, lengths, NM_SHAPE(n));
    for (int i = H0; fits && i < lengths; i++) {
        fits = has_shape(c, i, NM_SHAPE(n, *hidden));
    }
    return fits;
}

/* The first state, or zeros. */
static nm_tensor *begun(nm_compose *c, int input, int64_t hidden)
{
    const nm_shape *x = nm_tensor_shape(c->in[X]);
    return c->in[input]
               ? c->in[input]
               : nm_full(c->tape, nm_tensor_dtype(c->in[X]), NM_SHAPE(x->dim[0], hidden), 0);
}

/* From the first step to the last; w->state holds the first state, then the last. */
static nm_tensor *run(walk *w, int lengths)
{
    nm_compose *c = w->compose;
    nm_tensor *counts = NULL;
    if (c->in[lengths]) {
        counts = nm_sequence_mask(w->tape, c->in[lengths], nm_tensor_shape(c->in[X])->dim[1]);
        counts = nm_unsqueeze(w->tape, turned(w, counts), .axes = NM_INTS(2));
        w->zero = nm_scalar(w->tape, nm_tensor_dtype(c->in[X]), 0);
    }
    nm_tensor *x = nm_dense(w->tape, turned(w, c->in[X]), c->in[W_IH], c->in[B_IH]);
    nm_tensor *y = take_steps(w, x, counts);
    c->out[1] = w->state.h;
    return turned(w, y);
}

static walk begin(nm_compose *c, cell_fn *cell, int64_t hidden)
{
    return (walk){.compose = c,
                  .tape = c->tape,
                  .cell = cell,
                  .hidden = hidden,
                  .reverse = ((const nm_recurrent_options *)c->options)->reverse,
                  .state = {.h = begun(c, H0, hidden)}};
}

static nm_tensor *lstm_compose(nm_compose *c)
{
    int64_t hidden;
    if (!has_shapes(c, LSTM_GATES, LSTM_LENGTHS, &hidden)) {
        return NULL;
    }
    walk w = begin(c, lstm_cell, hidden);
    w.state.c = begun(c, C0, hidden);
    nm_tensor *y = run(&w, LSTM_LENGTHS);
    c->out[2] = w.state.c;
    return y;
}

static nm_tensor *gru_compose(nm_compose *c)
{
    int64_t hidden;
    if (!has_shapes(c, GRU_GATES, GRU_LENGTHS, &hidden)) {
        return NULL;
    }
    walk w = begin(c, gru_cell, hidden);
    return run(&w, GRU_LENGTHS);
}

/* ---- The ops ---- */

static const nm_sample lstm_samples[] = {
    {.in = {NM_NORMAL(2, 3, 2), NM_NORMAL(8, 2), NM_NORMAL(8, 2), NM_NORMAL(8), NM_NORMAL(8)}},
    {.options = "{reverse: true}",
     .inputs = 8,
     .in = {NM_NORMAL(3, 2, 1), NM_NORMAL(4, 1), NM_NORMAL(4, 1), NM_NORMAL(4), NM_NORMAL(4),
            NM_NORMAL(3, 1), NM_NORMAL(3, 1), NM_INDEX(3, 3)}},
    {.inputs = 8,
     .in = {NM_NORMAL(2, 2, 2), NM_NORMAL(8, 2), NM_NORMAL(8, 2), NM_ABSENT, NM_ABSENT, NM_ABSENT,
            NM_ABSENT, NM_INDEX(3, 2)}},
};
static const nm_sample gru_samples[] = {
    {.in = {NM_NORMAL(2, 3, 2), NM_NORMAL(6, 2), NM_NORMAL(6, 2), NM_NORMAL(6), NM_NORMAL(6)}},
    {.options = "{reverse: true}",
     .inputs = 7,
     .in = {NM_NORMAL(3, 2, 1), NM_NORMAL(3, 1), NM_NORMAL(3, 1), NM_NORMAL(3), NM_NORMAL(3),
            NM_NORMAL(3, 1), NM_INDEX(3, 3)}},
    {.inputs = 7,
     .in = {NM_NORMAL(2, 2, 2), NM_NORMAL(6, 2), NM_NORMAL(6, 2), NM_ABSENT, NM_ABSENT, NM_ABSENT,
            NM_INDEX(3, 2)}},
};

static const nm_recurrent_options defaults = {NM_END(nm_recurrent_options), NM_RECURRENT_DEFAULTS};
NM_OPTIONS_INIT(nm_recurrent_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_recurrent_options, reverse), NM_OPTION_BOOL,
     .doc = "from a sequence's last step to its first; y stays in x's order"},
};
static const nm_spec spec = NM_SPEC(nm_recurrent_options, defaults, options);

#define PORT(name_, doc_)                                                                          \
    {                                                                                              \
        .name = name_, .doc = doc_, .flags = NM_PORT_OPTIONAL                                      \
    }
#define PORTS(gates)                                                                               \
    {.name = "x", .doc = "[n, steps, channels]"},                                                  \
        {.name = "w_ih", .doc = "[" gates " hidden, channels]"},                                   \
        {.name = "w_hh", .doc = "[" gates " hidden, hidden]"}, PORT("b_ih", "[" gates " hidden]"), \
        PORT("b_hh", "[" gates " hidden]"),                                                        \
        PORT("h0", "[n, hidden]: the first state; none: zeros")
#define LENGTHS_PORT                                                                               \
    {                                                                                              \
        .name = "lengths", .doc = "[n]: steps that count, from 0 on; none: all",                   \
        .type = NM_PORT_INDEX, .flags = NM_PORT_OPTIONAL                                           \
    }
static const nm_port lstm_in[] = {PORTS("4"), PORT("c0", "[n, hidden]: the first cell"),
                                  LENGTHS_PORT};
static const nm_port gru_in[] = {PORTS("3"), LENGTHS_PORT};
#define OUT_PORTS                                                                                  \
    {.name = "y", .doc = "[n, steps, hidden]; 0 behind a length"},                                 \
    {                                                                                              \
        .name = "h", .doc = "[n, hidden]: the last state"                                          \
    }
static const nm_port lstm_out[] = {OUT_PORTS, {.name = "c", .doc = "[n, hidden]: the last cell"}};
static const nm_port gru_out[] = {OUT_PORTS};

NM_COMPOSED_OP(lstm, lstm_in, lstm_out, 0, "long short-term memory over sequences", .spec = &spec,
               .doc =
                   "For each step t, with (i, f, g, o) = x_t w_ih^T + b_ih + h w_hh^T + b_hh:\n"
                   "    c = sigmoid(f) c + sigmoid(i) tanh(g), h = sigmoid(o) tanh(c), y_t = h.\n"
                   "Behind a sequence's length the state stays, and y is 0; a length may be 0.\n"
                   "Hochreiter, Schmidhuber 1997; gates in PyTorch's order.")
NM_COMPOSED_OP(gru, gru_in, gru_out, 0, "gated recurrent units over sequences", .spec = &spec,
               .doc = "For each step t, with (r, z, n) of x_t w_ih^T + b_ih and (r', z', n') of\n"
                      "h w_hh^T + b_hh: r = sigmoid(r + r'), z = sigmoid(z + z'),\n"
                      "    n = tanh(n + r n'), h = (1 - z) n + z h, y_t = h.\n"
                      "Behind a sequence's length the state stays, and y is 0; a length may be 0.\n"
                      "Cho and others 2014, arXiv 1406.1078; gates in PyTorch's order.")

static nm_recurrent_result apply(nm_tape *tape, const nm_op *op, nm_tensor *const *in,
                                 const nm_recurrent_options *o)
{
    nm_tensor *out[NM_MAX_OUTPUTS] = {NULL};
    nm_apply(tape, op, in, op->input_count, o, out);
    return (nm_recurrent_result){.y = out[0], .h = out[1], .c = out[2]};
}

nm_recurrent_result nm_lstm_with(nm_tape *tape, nm_tensor *x, const nm_recurrent_inputs *i,
                                 const nm_recurrent_options *o)
{
    NM_GIVEN(tape, ((nm_recurrent_result){0}));
    NM_REQUIRE(nm_tape_context(tape), i, ((nm_recurrent_result){0}));
    nm_tensor *in[] = {x, i->w_ih, i->w_hh, i->b_ih, i->b_hh, i->h0, i->c0, i->lengths};
    return apply(tape, &nm_op_lstm, in, o);
}

nm_recurrent_result nm_gru_with(nm_tape *tape, nm_tensor *x, const nm_recurrent_inputs *i,
                                const nm_recurrent_options *o)
{
    NM_GIVEN(tape, ((nm_recurrent_result){0}));
    NM_REQUIRE(nm_tape_context(tape), i, ((nm_recurrent_result){0}));
    nm_tensor *in[] = {x, i->w_ih, i->w_hh, i->b_ih, i->b_hh, i->h0, i->lengths};
    return apply(tape, &nm_op_gru, in, o);
}
