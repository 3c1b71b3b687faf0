/* Multi-head self-attention: every step of a sequence looks at all. Vaswani and others 2017, arXiv
 * 1706.03762. */
#include <math.h>

#include "core/guard.h"
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/linear.h"
#include "ops/loss.h"
#include "ops/sequence.h"
#include "ops/sequence/shapes.h"
#include "ops/table.h"

enum { X, IN_WEIGHT, IN_BIAS, OUT_WEIGHT, OUT_BIAS, LENGTHS, SEED, INPUTS };

/* Sizes of a call. */
typedef struct sizes {
    int64_t n, steps, embed, heads;
} sizes;

static bool find_sizes(nm_compose *c, sizes *s)
{
    const nm_self_attention_options *o = c->options;
    const nm_shape *x = nm_tensor_shape(c->in[X]), *out = nm_tensor_shape(c->in[OUT_WEIGHT]);
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (x->rank != 3 || out->rank != 2) {
        nm_compose_fail(c,
                        "x %s and out_weight %s must be [n, steps, channels] and [outputs, embed]",
                        nm_shape_text(x, a), nm_shape_text(out, b));
        return false;
    }
    *s = (sizes){x->dim[0], x->dim[1], out->dim[1], o->heads};
    if (s->embed % s->heads) {
        nm_compose_fail(c, "heads: %lld do not divide the numbers of out_weight %s, embed",
                        (long long)s->heads, nm_shape_text(out, b));
        return false;
    }
    return has_shape(c, IN_WEIGHT, NM_SHAPE(3 * s->embed, x->dim[2])) &&
           has_shape(c, IN_BIAS, NM_SHAPE(3 * s->embed)) &&
           has_shape(c, OUT_BIAS, NM_SHAPE(out->dim[0])) && has_shape(c, LENGTHS, NM_SHAPE(s->n));
}

/* Part `i` of queries, keys and values: [n, heads, steps, embed / heads]. */
static nm_tensor *part(const nm_compose *c, nm_tensor *all, int64_t i)
{
    nm_tensor *one =
        nm_slice(c->tape, all, .axes = NM_INTS(0), .start = NM_INTS(i), .stop = NM_INTS(i + 1));
    return nm_squeeze(c->tape, one, .axes = NM_INTS(0));
}

/* 0 for keys that count, -infinity for others: [n, 1, 1, steps]. NULL: all count. */
static nm_tensor *mask_of(const nm_compose *c, const sizes *s)
{
    const nm_dtype dtype = nm_tensor_dtype(c->in[X]);
    if (!c->in[LENGTHS]) {
        return NULL;
    }
    nm_tensor *counts = nm_sequence_mask(c->tape, c->in[LENGTHS], s->steps);
    nm_tensor *mask = nm_where(c->tape, counts, nm_scalar(c->tape, dtype, 0),
                               nm_scalar(c->tape, dtype, -INFINITY));
    return nm_reshape(c->tape, mask, NM_SHAPE(s->n, 1, 1, s->steps));
}

/* What the heads find: [n, heads, steps, embed / heads]. */
static nm_tensor *attend(const nm_compose *c, nm_tensor *all, nm_tensor *mask)
{
    const nm_self_attention_options *o = c->options;
    nm_tensor *q = part(c, all, 0), *k = part(c, all, 1), *v = part(c, all, 2);
    if (!c->in[SEED] || o->dropout == 0) {
        return nm_scaled_dot_product_attention(c->tape, q, k, v, mask, .is_causal = o->is_causal);
    }
    nm_tensor *weights = nm_attention_weights(c->tape, q, k, mask, .is_causal = o->is_causal);
    return nm_matmul(c->tape, nm_dropout_drawn(c->tape, weights, c->in[SEED], o->dropout), v);
}

static nm_tensor *self_attention_compose(nm_compose *c)
{
    sizes s;
    if (!find_sizes(c, &s)) {
        return NULL;
    }
    nm_tape *tape = c->tape;
    nm_tensor *x = within_lengths(c, c->in[X], c->in[LENGTHS]);
    nm_tensor *all = nm_dense(tape, x, c->in[IN_WEIGHT], c->in[IN_BIAS]);
    all = nm_reshape(tape, all, NM_SHAPE(s.n, s.steps, 3, s.heads, s.embed / s.heads));
    all = nm_permute(tape, all, .axes = NM_INTS(2, 0, 3, 1, 4));
    nm_tensor *y = attend(c, all, mask_of(c, &s));
    y = nm_permute(tape, y, .axes = NM_INTS(0, 2, 1, 3));
    y = nm_reshape(tape, y, NM_SHAPE(s.n, s.steps, s.embed));
    y = nm_dense(tape, y, c->in[OUT_WEIGHT], c->in[OUT_BIAS]);
    return within_lengths(c, y, c->in[LENGTHS]);
}

/* ---- The op ---- */

static const nm_sample self_attention_samples[] = {
    {.in = {NM_NORMAL(2, 3, 4), NM_NORMAL(12, 4), NM_NORMAL(12), NM_NORMAL(4, 4), NM_NORMAL(4)}},
    {.options = "{heads: 2, is_causal: true}",
     .inputs = 6,
     .in = {NM_NORMAL(2, 3, 2), NM_NORMAL(12, 2), NM_NORMAL(12), NM_NORMAL(3, 4), NM_NORMAL(3),
            NM_INDEX(4, 2)}},
    {.options = "{heads: 2, dropout: 0.3}",
     .inputs = 7,
     .in = {NM_NORMAL(2, 3, 2),
            NM_NORMAL(12, 2),
            NM_ABSENT,
            NM_NORMAL(2, 4),
            NM_ABSENT,
            NM_ABSENT,
            {NM_FILL_INDEX, {0, {0}}, 0, 100}}},
};

static const nm_self_attention_options defaults = {NM_END(nm_self_attention_options),
                                                   NM_SELF_ATTENTION_DEFAULTS};
NM_OPTIONS_INIT(nm_self_attention_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_self_attention_options, heads), NM_OPTION_INT, .min = 1, .max = 1e6,
     .also = "num_heads", .doc = "that attend apart, each with embed / heads of the numbers"},
    {NM_FIELD(nm_self_attention_options, is_causal), NM_OPTION_BOOL, .also = "causal",
     .doc = "a step sees those up to itself alone"},
    {NM_FIELD(nm_self_attention_options, dropout), NM_OPTION_FLOAT, .min = 0, .max = 1,
     .flags = NM_MAX_OPEN, .also = "dropout_p p",
     .doc = "probability of a 0 among the weights, where there is a seed"},
};
static const nm_spec spec = NM_SPEC(nm_self_attention_options, defaults, options);

static const nm_port inputs[INPUTS] = {
    [X] = {.name = "x", .doc = "[n, steps, channels]"},
    [IN_WEIGHT] = {.name = "in_weight",
                   .doc = "[3 embed, channels]: of queries, keys and values, in this order"},
    [IN_BIAS] = {.name = "in_bias", .doc = "[3 embed]; none: 0", .flags = NM_PORT_OPTIONAL},
    [OUT_WEIGHT] = {.name = "out_weight", .doc = "[outputs, embed]"},
    [OUT_BIAS] = {.name = "out_bias", .doc = "[outputs]; none: 0", .flags = NM_PORT_OPTIONAL},
    [LENGTHS] = {.name = "lengths",
                 .doc = "[n]: steps that count, from 0 on; none: all",
                 .type = NM_PORT_INDEX,
                 .flags = NM_PORT_OPTIONAL},
    [SEED] = {.name = "seed",
              .doc = "one integer, of dropout; none: no dropout",
              .type = NM_PORT_INDEX,
              .flags = NM_PORT_OPTIONAL},
};
static const nm_port outputs[] = {{.name = "y", .doc = "[n, steps, outputs]; 0 behind a length"}};

NM_COMPOSED_OP(self_attention, inputs, outputs, 0, "multi-head self-attention over sequences",
               .spec = &spec, .also = "multi_head_attention multihead_attention",
               .doc =
                   "q, k, v = x in_weight^T + in_bias in three parts, each in heads;\n"
                   "y = scaled_dot_product_attention(q, k, v), the heads side by side, times\n"
                   "out_weight^T + out_bias. Steps behind a length are seen by none and have\n"
                   "y = 0; what x holds there, NaN too, is not looked at (PyTorch's NaN spreads).\n"
                   "Parameters lie as PyTorch's MultiheadAttention has them, which has\n"
                   "outputs = embed = channels. Vaswani and others 2017, arXiv 1706.03762.")

nm_tensor *nm_self_attention_with(nm_tape *tape, nm_tensor *x, const nm_self_attention_inputs *i,
                                  const nm_self_attention_options *o)
{
    NM_GIVEN(tape, NULL);
    NM_REQUIRE(nm_tape_context(tape), i, NULL);
    nm_tensor *y, *in[INPUTS] = {x,           i->in_weight, i->in_bias, i->out_weight,
                                 i->out_bias, i->lengths,   i->seed};
    return nm_apply(tape, &nm_op_self_attention, in, INPUTS, o, &y) == NM_OK ? y : NULL;
}
