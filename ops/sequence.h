/* Ops of sequences: attention, and networks that go step by step. A sequence is [..., steps,
 * channels]. */
#ifndef NM_OPS_SEQUENCE_H
#define NM_OPS_SEQUENCE_H

#include "core/op.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Attention ---- */

#define NM_SCALE_AUTO NM_NO_LIMIT /* 1 / sqrt(channels) */

typedef struct nm_attention_options {
    NM_STRUCT_SIZE(nm_attention_options);
    bool is_causal NM_DEFAULT(false);       /* query i sees the keys up to the i-th alone */
    double scale NM_DEFAULT(NM_SCALE_AUTO); /* of the products of queries and keys */
} nm_attention_options;
NM_API void nm_attention_options_init(nm_attention_options *options);
#define NM_ATTENTION_DEFAULTS .is_causal = false, .scale = NM_SCALE_AUTO

/* softmax(scale q k^T + mask) v: q [..., queries, channels], k [..., keys, channels], v [..., keys,
 * values]; the result is [..., queries, values]. The axes before the last two broadcast. `mask`
 * broadcasts to [..., queries, keys]: of floats it is added, of integers 0 hides a key; NULL: none.
 * A query that sees no key has 0, as PyTorch has it. Vaswani and others 2017, arXiv 1706.03762. */
#define nm_scaled_dot_product_attention(...)                                                       \
    NM_CALL(5, nm_scaled_dot_product_attention, NM_END(nm_attention_options), __VA_ARGS__)
#define nm_scaled_dot_product_attention_needs(tape, q, k, v, mask_or_NULL, options)
#define nm_scaled_dot_product_attention_(tape, q, k, v, mask, ...)                                 \
    nm_scaled_dot_product_attention_with(                                                          \
        tape, q, k, v, mask, NM_OPTIONS(nm_attention_options, NM_ATTENTION_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_scaled_dot_product_attention_with(nm_tape *tape, nm_tensor *q, nm_tensor *k,
                                                       nm_tensor *v, nm_tensor *mask,
                                                       const nm_attention_options *options);

/* What that multiplies v with, softmax(scale q k^T + mask): [..., queries, keys]. */
#define nm_attention_weights(...)                                                                  \
    NM_CALL(4, nm_attention_weights, NM_END(nm_attention_options), __VA_ARGS__)
#define nm_attention_weights_needs(tape, q, k, mask_or_NULL, options)
#define nm_attention_weights_(tape, q, k, mask, ...)                                               \
    nm_attention_weights_with(                                                                     \
        tape, q, k, mask, NM_OPTIONS(nm_attention_options, NM_ATTENTION_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_attention_weights_with(nm_tape *tape, nm_tensor *q, nm_tensor *k,
                                            nm_tensor *mask, const nm_attention_options *options);

/* What nm_self_attention() takes beside x; all but the weights may be NULL. */
typedef struct nm_self_attention_inputs {
    nm_tensor *in_weight;  /* [3 embed, channels]: of queries, keys and values, in this order */
    nm_tensor *in_bias;    /* [3 embed] */
    nm_tensor *out_weight; /* [outputs, embed] */
    nm_tensor *out_bias;   /* [outputs] */
    nm_tensor *lengths;    /* [n] of integers from 0 to steps; NULL: all steps count */
    nm_tensor *seed;       /* one integer, of dropout, as nm_tape_draw() gives; NULL: no dropout */
} nm_self_attention_inputs;

typedef struct nm_self_attention_options {
    NM_STRUCT_SIZE(nm_self_attention_options);
    int64_t heads NM_DEFAULT(1);      /* which divide embed */
    bool is_causal NM_DEFAULT(false); /* a step sees those up to itself alone */
    double dropout NM_DEFAULT(0);     /* of the weights, where there is a seed */
} nm_self_attention_options;
NM_API void nm_self_attention_options_init(nm_self_attention_options *options);
#define NM_SELF_ATTENTION_DEFAULTS .heads = 1, .is_causal = false, .dropout = 0

/* Multi-head self-attention over x [n, steps, channels]; the result is [n, steps, outputs]. Each
 * head attends with embed / heads of the numbers; side by side, what they find goes through
 * out_weight. Steps behind a length are seen by none, and are 0. Parameters lie as those of
 * PyTorch's MultiheadAttention. */
#define nm_self_attention(...)                                                                     \
    NM_CALL(3, nm_self_attention, NM_END(nm_self_attention_options), __VA_ARGS__)
#define nm_self_attention_needs(tape, x, inputs, options)
#define nm_self_attention_(tape, x, inputs, ...)                                                   \
    nm_self_attention_with(                                                                        \
        tape, x, inputs,                                                                           \
        NM_OPTIONS(nm_self_attention_options, NM_SELF_ATTENTION_DEFAULTS, __VA_ARGS__))
NM_API nm_tensor *nm_self_attention_with(nm_tape *tape, nm_tensor *x,
                                         const nm_self_attention_inputs *inputs,
                                         const nm_self_attention_options *options);

/* ---- Lengths ---- */

typedef struct nm_sequence_mask_options {
    NM_STRUCT_SIZE(nm_sequence_mask_options);
    int64_t steps NM_DEFAULT(1);
} nm_sequence_mask_options;

/* 1 where a step is below its sequence's length, else 0: lengths [...] of integers from 0 to
 * `steps`; the result is f32 [..., steps], without a gradient. */
NM_API nm_tensor *nm_sequence_mask(nm_tape *tape, nm_tensor *lengths, int64_t steps);

typedef struct nm_sequence_lengths_options {
    NM_STRUCT_SIZE(nm_sequence_lengths_options);
    double value NM_DEFAULT(0);
} nm_sequence_lengths_options;

/* How long sequences are that were filled up with `value`: x [n, steps, ...]; the result is i32
 * [n], the last step that has another number, counted from 1; 0: none has. */
NM_API nm_tensor *nm_sequence_lengths(nm_tape *tape, nm_tensor *x, double value);

/* ---- Step by step ---- */

/* What nm_lstm() and nm_gru() take beside x; all but the weights may be NULL. `hidden` is the size
 * of the state, `gates` 4 for lstm and 3 for gru, one behind the other as PyTorch has them. */
typedef struct nm_recurrent_inputs {
    nm_tensor *w_ih;    /* [gates hidden, channels] */
    nm_tensor *w_hh;    /* [gates hidden, hidden] */
    nm_tensor *b_ih;    /* [gates hidden] */
    nm_tensor *b_hh;    /* [gates hidden] */
    nm_tensor *h0, *c0; /* [n, hidden]: the first state; NULL: zeros. c0 is lstm's alone */
    nm_tensor *lengths; /* [n] of integers from 0 to steps; NULL: all steps count */
} nm_recurrent_inputs;

typedef struct nm_recurrent_options {
    NM_STRUCT_SIZE(nm_recurrent_options);
    bool reverse NM_DEFAULT(false); /* from a sequence's last step to its first */
} nm_recurrent_options;
NM_API void nm_recurrent_options_init(nm_recurrent_options *options);
#define NM_RECURRENT_DEFAULTS .reverse = false

/* All NULL on failure. */
typedef struct nm_recurrent_result {
    nm_tensor *y; /* [n, steps, hidden]: the state after each step; 0 behind the length */
    nm_tensor *h; /* [n, hidden]: the state in the end */
    nm_tensor *c; /* the same of the cell; NULL of gru */
} nm_recurrent_result;

/* Long short-term memory over x [n, steps, channels]: with (i, f, g, o) = x_t w_ih^T + b_ih +
 * h w_hh^T + b_hh, c = sigmoid(f) c + sigmoid(i) tanh(g) and h = sigmoid(o) tanh(c). Hochreiter,
 * Schmidhuber 1997. */
#define nm_lstm(...) NM_CALL(3, nm_lstm, NM_END(nm_recurrent_options), __VA_ARGS__)
#define nm_lstm_needs(tape, x, inputs, options)
#define nm_lstm_(tape, x, inputs, ...)                                                             \
    nm_lstm_with(tape, x, inputs,                                                                  \
                 NM_OPTIONS(nm_recurrent_options, NM_RECURRENT_DEFAULTS, __VA_ARGS__))
NM_API nm_recurrent_result nm_lstm_with(nm_tape *tape, nm_tensor *x,
                                        const nm_recurrent_inputs *inputs,
                                        const nm_recurrent_options *options);

/* Gated recurrent units: with (r, z, n) of x_t w_ih^T + b_ih and of h w_hh^T + b_hh, r and z the
 * sigmoid of both together, n = tanh(n_x + r n_h) and h = (1 - z) n + z h. Cho and others 2014,
 * arXiv 1406.1078; the reset gate where PyTorch has it, behind the product. */
#define nm_gru(...) NM_CALL(3, nm_gru, NM_END(nm_recurrent_options), __VA_ARGS__)
#define nm_gru_needs(tape, x, inputs, options)
#define nm_gru_(tape, x, inputs, ...)                                                              \
    nm_gru_with(tape, x, inputs,                                                                   \
                NM_OPTIONS(nm_recurrent_options, NM_RECURRENT_DEFAULTS, __VA_ARGS__))
NM_API nm_recurrent_result nm_gru_with(nm_tape *tape, nm_tensor *x,
                                       const nm_recurrent_inputs *inputs,
                                       const nm_recurrent_options *options);

#ifdef __cplusplus
}
#endif
#endif
