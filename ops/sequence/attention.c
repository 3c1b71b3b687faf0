/* Attention: means of values, weighted by how well keys fit a query. */
#include <math.h>

#include "ops/basic.h"
#include "ops/define.h"
#include "ops/linear.h"
#include "ops/loss.h"
#include "ops/sequence.h"
#include "ops/table.h"

enum { QUERY, KEY, VALUE, MASK, INPUTS };
enum { WEIGHTS_MASK = VALUE, WEIGHTS_INPUTS };

/* ---- Shapes ---- */

static int64_t from_end(const nm_shape *shape, int back)
{
    return shape->dim[shape->rank - back];
}

static bool has_shapes(nm_compose *c)
{
    const nm_shape *q = nm_tensor_shape(c->in[QUERY]), *k = nm_tensor_shape(c->in[KEY]);
    const nm_shape *v = nm_tensor_shape(c->in[VALUE]);
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT], d[NM_SHAPE_TEXT];
    if (q->rank < 2 || k->rank < 2 || v->rank < 2 || from_end(q, 1) != from_end(k, 1) ||
        from_end(k, 2) != from_end(v, 2)) {
        nm_compose_fail(c,
                        "q %s, k %s and v %s must be [..., queries, channels], [..., keys, "
                        "channels] and [..., keys, values]",
                        nm_shape_text(q, a), nm_shape_text(k, b), nm_shape_text(v, d));
        return false;
    }
    return true;
}

static bool mask_fits(nm_compose *c, const nm_tensor *mask, const nm_shape *scores)
{
    const nm_shape *shape = nm_tensor_shape(mask);
    const bool floats = nm_dtype_is_float(nm_tensor_dtype(mask));
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    nm_shape both;
    if (floats && nm_tensor_dtype(mask) != nm_tensor_dtype(c->in[QUERY])) {
        nm_compose_fail(c, "mask is %s and q %s; a mask that is added has q's type",
                        nm_dtype_name(nm_tensor_dtype(mask)),
                        nm_dtype_name(nm_tensor_dtype(c->in[QUERY])));
        return false;
    }
    if (nm_shape_broadcast(shape, scores, &both) && nm_shape_equal(&both, scores)) {
        return true;
    }
    nm_compose_fail(c, "mask %s does not broadcast to the scores %s", nm_shape_text(shape, a),
                    nm_shape_text(scores, b));
    return false;
}

/* ---- What a query sees ---- */

static nm_tensor *number(const nm_compose *c, double value)
{
    return nm_scalar(c->tape, nm_tensor_dtype(c->in[QUERY]), value);
}

/* 1, 2, 3, ... along the first axis, or the last, of a matrix with 1 along the other. */
static nm_tensor *count_up(const nm_compose *c, int64_t rows, int64_t columns)
{
    nm_tensor *ones = nm_full(c->tape, nm_tensor_dtype(c->in[QUERY]), NM_SHAPE(rows, columns), 1);
    return nm_cumsum(c->tape, ones, .axis = rows == 1 ? 1 : 0);
}

static nm_tensor *hide_later(const nm_compose *c, nm_tensor *scores)
{
    const nm_shape *shape = nm_tensor_shape(scores);
    const int64_t queries = from_end(shape, 2), keys = from_end(shape, 1);
    if (queries == 1 && keys < 2) {
        return scores;
    }
    nm_tensor *column = queries == 1 ? nm_full(c->tape, nm_tensor_dtype(scores), NM_SHAPE(1, 1), 1)
                                     : count_up(c, queries, 1);
    nm_tensor *seen = nm_less_or_equal(c->tape, count_up(c, 1, keys), column);
    return nm_where(c->tape, seen, scores, number(c, -INFINITY));
}

static nm_tensor *apply_mask(const nm_compose *c, nm_tensor *scores, nm_tensor *mask)
{
    return nm_dtype_is_float(nm_tensor_dtype(mask))
               ? nm_add(c->tape, scores, mask)
               : nm_where(c->tape, mask, scores, number(c, -INFINITY));
}

/* softmax(scores), 0 for a query that sees no key: where the largest score is -infinity. */
static nm_tensor *weights_of(const nm_compose *c, nm_tensor *scores, bool masked)
{
    if (!scores || !masked || from_end(nm_tensor_shape(scores), 1) == 0) {
        return nm_softmax(c->tape, scores);
    }
    nm_tensor *zero = number(c, 0);
    nm_tensor *largest = nm_max(c->tape, scores, .axes = NM_INTS(-1), .keepdims = true);
    nm_tensor *blind = nm_equal(c->tape, largest, number(c, -INFINITY));
    nm_tensor *p = nm_softmax(c->tape, nm_where(c->tape, blind, zero, scores));
    return nm_where(c->tape, blind, zero, p);
}

/* Of shapes that fit. */
static nm_tensor *attend(nm_compose *c, nm_tensor *mask)
{
    const nm_attention_options *o = c->options;
    const double channels = (double)from_end(nm_tensor_shape(c->in[QUERY]), 1);
    const double scale = o->scale != NM_SCALE_AUTO ? o->scale
                         : channels > 0            ? 1 / sqrt(channels)
                                                   : 1;
    nm_tensor *scores = nm_matmul(c->tape, nm_affine(c->tape, c->in[QUERY], scale, 0), c->in[KEY],
                                  .transpose_b = true);
    if (!scores || (mask && !mask_fits(c, mask, nm_tensor_shape(scores)))) {
        return NULL;
    }
    scores = o->is_causal ? hide_later(c, scores) : scores;
    scores = mask ? apply_mask(c, scores, mask) : scores;
    return weights_of(c, scores, mask != NULL);
}

static nm_tensor *scaled_dot_product_attention_compose(nm_compose *c)
{
    return has_shapes(c) ? nm_matmul(c->tape, attend(c, c->in[MASK]), c->in[VALUE]) : NULL;
}

static nm_tensor *attention_weights_compose(nm_compose *c)
{
    const nm_shape *q = nm_tensor_shape(c->in[QUERY]), *k = nm_tensor_shape(c->in[KEY]);
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (q->rank < 2 || k->rank < 2 || from_end(q, 1) != from_end(k, 1)) {
        return nm_compose_fail(
            c, "q %s and k %s must be [..., queries, channels] and [..., keys, channels]",
            nm_shape_text(q, a), nm_shape_text(k, b));
    }
    return attend(c, c->in[WEIGHTS_MASK]);
}

/* ---- The op ---- */

static const nm_sample scaled_dot_product_attention_samples[] = {
    {.in = {NM_NORMAL(2, 3, 4), NM_NORMAL(2, 5, 4), NM_NORMAL(2, 5, 2)}},
    {.options = "{is_causal: true}", .in = {NM_NORMAL(4, 2), NM_NORMAL(3, 2), NM_NORMAL(3, 3)}},
    {.options = "{scale: 0.3}",
     .in = {NM_NORMAL(2, 2, 3, 2), NM_NORMAL(2, 1, 4, 2), NM_NORMAL(4, 2), NM_INDEX(2, 3, 4)}},
    {.options = "{is_causal: true}",
     .in = {NM_NORMAL(2, 3, 2), NM_NORMAL(2, 3, 2), NM_NORMAL(2, 3, 2), NM_INDEX(2, 2, 1, 3)}},
    {.in = {NM_NORMAL(2, 3, 2), NM_NORMAL(2, 3, 2), NM_NORMAL(2, 3, 2), NM_NORMAL(3, 3)}},
};

static const nm_sample attention_weights_samples[] = {
    {.in = {NM_NORMAL(2, 3, 4), NM_NORMAL(2, 5, 4)}},
    {.options = "{is_causal: true, scale: 0.3}",
     .in = {NM_NORMAL(2, 3, 2), NM_NORMAL(2, 3, 2), NM_INDEX(2, 2, 1, 3)}},
};

static const nm_attention_options defaults = {NM_END(nm_attention_options), NM_ATTENTION_DEFAULTS};
NM_OPTIONS_INIT(nm_attention_options, defaults)
static const nm_named_value by_size[] = {{"auto", NM_SCALE_AUTO}, {NULL, 0}};
static const nm_option options[] = {
    {NM_FIELD(nm_attention_options, is_causal), NM_OPTION_BOOL, .also = "causal",
     .doc = "query i sees the keys up to the i-th alone; beside a mask, what both let it see"},
    {NM_FIELD(nm_attention_options, scale), NM_OPTION_FLOAT, .named = by_size, .min = -1e30,
     .max = NM_SCALE_AUTO, .doc = "of the products; auto: 1 / sqrt(channels)"},
};
static const nm_spec spec = NM_SPEC(nm_attention_options, defaults, options);

#define MASK_PORT                                                                                  \
    {                                                                                              \
        .name = "mask",                                                                            \
        .doc = "broadcasts to [..., queries, keys]: of floats it is added, of integers 0 hides a " \
               "key",                                                                              \
        .type = NM_PORT_ANY, .flags = NM_PORT_OPTIONAL                                             \
    }
static const nm_port inputs[INPUTS] = {
    [QUERY] = {.name = "q", .doc = "[..., queries, channels]"},
    [KEY] = {.name = "k", .doc = "[..., keys, channels]"},
    [VALUE] = {.name = "v", .doc = "[..., keys, values]"},
    [MASK] = MASK_PORT,
};
static const nm_port weights_inputs[WEIGHTS_INPUTS] = {
    [QUERY] = {.name = "q", .doc = "[..., queries, channels]"},
    [KEY] = {.name = "k", .doc = "[..., keys, channels]"},
    [WEIGHTS_MASK] = MASK_PORT,
};
static const nm_port weights_outputs[] = {{.name = "y", .doc = "[..., queries, keys]"}};
static const nm_port outputs[] = {{.name = "y", .doc = "[..., queries, values]"}};

NM_COMPOSED_OP(
    scaled_dot_product_attention, inputs, outputs, 0, "attention", .spec = &spec,
    .also = "attention",
    .doc = "y = softmax(scale q k^T + mask) v; the axes before the last two broadcast.\n"
           "A query that sees no key has y = 0. A NaN in a hidden key or value spreads all the\n"
           "same, as PyTorch's does. Dropout within goes between attention_weights and a\n"
           "matmul; PyTorch takes no mask beside is_causal.")
NM_COMPOSED_OP(attention_weights, weights_inputs, weights_outputs, 0,
               "how much each query takes of each key", .spec = &spec,
               .doc =
                   "y = softmax(scale q k^T + mask): what scaled_dot_product_attention multiplies\n"
                   "v with.")

nm_tensor *nm_scaled_dot_product_attention_with(nm_tape *tape, nm_tensor *q, nm_tensor *k,
                                                nm_tensor *v, nm_tensor *mask,
                                                const nm_attention_options *o)
{
    nm_tensor *y, *in[INPUTS] = {q, k, v, mask};
    return nm_apply(tape, &nm_op_scaled_dot_product_attention, in, INPUTS, o, &y) == NM_OK ? y
                                                                                           : NULL;
}

nm_tensor *nm_attention_weights_with(nm_tape *tape, nm_tensor *q, nm_tensor *k, nm_tensor *mask,
                                     const nm_attention_options *o)
{
    nm_tensor *y, *in[WEIGHTS_INPUTS] = {q, k, mask};
    return nm_apply(tape, &nm_op_attention_weights, in, WEIGHTS_INPUTS, o, &y) == NM_OK ? y : NULL;
}
