/* Networks that go step by step over sequences: lstm and gru. The product of all steps' inputs with
 * w_ih is one, and so are its gradients; what is left of the steps is recurrent_steps.c's. */
#include "core/guard.h"
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/linear.h"
#include "ops/sequence.h"
#include "ops/sequence/recurrent.h"
#include "ops/sequence/shapes.h"
#include "ops/table.h"

enum { X, W_IH, W_HH, B_IH, B_HH, H0, GRU_LENGTHS, C0 = GRU_LENGTHS, LSTM_LENGTHS };

/* ---- What is given ---- */

static bool has_shapes(nm_compose *c, int gates, int lengths)
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
    const int64_t n = x->dim[0], all = w->dim[0], hidden = w->dim[1];
    bool fits = has_shape(c, W_IH, NM_SHAPE(all, x->dim[2])) && has_shape(c, B_IH, NM_SHAPE(all)) &&
                has_shape(c, B_HH, NM_SHAPE(all)) && has_shape(c, lengths, NM_SHAPE(n));
    for (int i = H0; fits && i < lengths; i++) {
        fits = has_shape(c, i, NM_SHAPE(n, hidden));
    }
    return fits;
}

/* ---- The steps ---- */

/* Both biases in one; NULL: there is none. */
static nm_tensor *bias_of(const nm_compose *c)
{
    nm_tensor *a = c->in[B_IH], *b = c->in[B_HH];
    return a && b ? nm_add(c->tape, a, b) : a ? a : b;
}

static nm_tensor *run(nm_compose *c, int gates, int lengths)
{
    const bool is_lstm = gates == NM_LSTM_GATES;
    if (!has_shapes(c, gates, lengths)) {
        return NULL;
    }
    nm_tensor *x = nm_dense(c->tape, within_lengths(c, c->in[X], c->in[lengths]), c->in[W_IH],
                            is_lstm ? bias_of(c) : c->in[B_IH]);
    nm_tensor *in[NM_STEPS_INPUTS] = {[NM_STEPS_X] = x,
                                      [NM_STEPS_W] = c->in[W_HH],
                                      [NM_STEPS_B] = is_lstm ? NULL : c->in[B_HH],
                                      [NM_STEPS_H0] = c->in[H0],
                                      [NM_STEPS_C0] = is_lstm ? c->in[C0] : NULL,
                                      [NM_STEPS_LENGTHS] = c->in[lengths]};
    const nm_steps_options o = {sizeof o, gates,
                                ((const nm_recurrent_options *)c->options)->reverse};
    nm_tensor *out[NM_MAX_OUTPUTS];
    nm_apply(c->tape, &nm_op_recurrent_steps, in, NM_STEPS_INPUTS, &o, out);
    for (int i = 1; i < c->op->output_count; i++) {
        c->out[i] = out[i];
    }
    return out[NM_STEPS_Y];
}

static nm_tensor *lstm_compose(nm_compose *c)
{
    return run(c, NM_LSTM_GATES, LSTM_LENGTHS);
}

static nm_tensor *gru_compose(nm_compose *c)
{
    return run(c, NM_GRU_GATES, GRU_LENGTHS);
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
                   "What x holds there, NaN too, is not looked at.\n"
                   "Hochreiter, Schmidhuber 1997; gates in PyTorch's order.")
NM_COMPOSED_OP(gru, gru_in, gru_out, 0, "gated recurrent units over sequences", .spec = &spec,
               .doc = "For each step t, with (r, z, n) of x_t w_ih^T + b_ih and (r', z', n') of\n"
                      "h w_hh^T + b_hh: r = sigmoid(r + r'), z = sigmoid(z + z'),\n"
                      "    n = tanh(n + r n'), h = (1 - z) n + z h, y_t = h.\n"
                      "Behind a sequence's length the state stays, and y is 0; a length may be 0.\n"
                      "What x holds there, NaN too, is not looked at.\n"
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
