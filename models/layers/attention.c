/* self_attention: every step of a sequence [batch, steps, channels] looks at all. The formula is
 * the op's. */
#include <math.h>

#include "models/table.h"
#include "ops/sequence.h"

typedef struct attention_layer_options {
    NM_LAYER_FIELDS;
    int64_t heads;
    int64_t embed_dim; /* 0: the input's channels */
    bool causal;
    double dropout;
    double mask_value; /* NM_NO_LIMIT: none */
    bool bias;
    nm_choice init;
} attention_layer_options;

/* Uniform within the limit, unless the file says otherwise. */
static nm_tensor *weight_of(nm_layer *layer, const char *name, nm_shape shape, double limit)
{
    const attention_layer_options *o = layer->options;
    const nm_uniform_options even = {.low = -limit, .high = limit};
    const nm_choice usual = {.item = &nm_initializer_uniform.item, .options = &even};
    return nm_layer_parameter(layer, name, NM_WEIGHT, shape, o->init.item ? &o->init : &usual);
}

static nm_status check(nm_layer *layer, const nm_shape *x, int64_t embed)
{
    const attention_layer_options *o = layer->options;
    char text[NM_SHAPE_TEXT];
    if (x->rank != 3) {
        return nm_layer_fail(layer, "its input %s must be sequences, [batch, steps, channels]",
                             nm_shape_text(x, text));
    }
    if (embed % o->heads) {
        return nm_layer_fail(layer, "heads: %lld do not divide %s, %lld", (long long)o->heads,
                             o->embed_dim ? "embed_dim" : "the channels of its input",
                             (long long)embed);
    }
    return NM_OK;
}

/* Begin as PyTorch's. */
static nm_status self_attention_build(nm_layer *layer, const nm_shape *x)
{
    const attention_layer_options *o = layer->options;
    nm_self_attention_inputs *s = layer->state;
    const int64_t channels = x->rank ? x->dim[x->rank - 1] : 0;
    const int64_t embed = o->embed_dim ? o->embed_dim : channels;
    if (check(layer, x, embed) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    s->in_weight = weight_of(layer, "in_proj_weight", NM_SHAPE(3 * embed, channels),
                             sqrt(6 / (double)(3 * embed + channels)));
    s->out_weight =
        weight_of(layer, "out_proj.weight", NM_SHAPE(channels, embed), 1 / sqrt((double)embed));
    if (o->bias) {
        s->in_bias = nm_layer_parameter(layer, "in_proj_bias", NM_BIAS, NM_SHAPE(3 * embed), NULL);
        s->out_bias = nm_layer_parameter(layer, "out_proj.bias", NM_BIAS, NM_SHAPE(channels), NULL);
    }
    return nm_context_status(layer->context);
}

static nm_tensor *self_attention_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const attention_layer_options *o = layer->options;
    nm_self_attention_inputs inputs = *(const nm_self_attention_inputs *)layer->state;
    if (o->mask_value != NM_NO_LIMIT) {
        inputs.lengths = nm_sequence_lengths(pass->tape, x, o->mask_value);
    }
    if (pass->training && o->dropout > 0) {
        if (!pass->random) {
            nm_layer_fail(layer, "a training pass needs random numbers; set its member random");
            return NULL;
        }
        inputs.seed = nm_tape_draw(pass->tape, pass->random);
    }
    return nm_self_attention(pass->tape, x, &inputs, .heads = o->heads, .is_causal = o->causal,
                             .dropout = o->dropout);
}

static const nm_named_value by_input[] = {{"auto", 0}, {NULL, 0}};
static const attention_layer_options defaults = {
    .heads = 1, .bias = true, .mask_value = NM_NO_LIMIT};
static const nm_option rows[] = {
    NM_LAYER_ROWS(attention_layer_options),
    {NM_FIELD(attention_layer_options, heads), NM_OPTION_INT, .also = "num_heads nhead", .min = 1,
     .max = 1e6, .doc = "that attend apart, each with its part of the numbers"},
    {NM_FIELD(attention_layer_options, embed_dim), NM_OPTION_INT, .named = by_input, .min = 0,
     .max = 1e7, .also = "units channels d_model key_dim",
     .doc = "numbers of a query, key and value, all heads together; auto: as many as the input's "
            "channels"},
    {NM_FIELD(attention_layer_options, causal), NM_OPTION_BOOL, .also = "is_causal",
     .doc = "a step sees those up to itself alone"},
    {NM_FIELD(attention_layer_options, dropout), NM_OPTION_FLOAT, .min = 0, .max = 1,
     .flags = NM_MAX_OPEN, .doc = "probability of a 0 among the weights, in training"},
    NM_MASK_VALUE_ROW(attention_layer_options,
                      "what is behind them is seen by no step, and its output is 0"),
    {NM_FIELD(attention_layer_options, bias), NM_OPTION_BOOL, .also = "use_bias",
     .doc = "add biases, 0 at first"},
    {NM_FIELD(attention_layer_options, init), NM_OPTION_CHOICE, .kind = NM_KIND_INITIALIZER,
     .also = "kernel_initializer weight_init initializer",
     .doc = "how the weights begin; default: as PyTorch's, uniform"},
};
static const nm_spec spec = NM_LAYER_SPEC(attention_layer_options, defaults, rows, NULL);

const nm_layer_type nm_layer_self_attention = {
    .item = NM_ITEM(nm_layer_type, "self_attention", "multi-head self-attention over sequences",
                    .also = "attention multi_head_attention multihead_attention transformer",
                    .spec = &spec,
                    .doc = "x and y [batch, steps, channels]; in_proj_weight [3 embed_dim, "
                           "channels], out_proj.weight [channels, embed_dim] and their biases: "
                           "PyTorch's MultiheadAttention of x with itself, where embed_dim is the "
                           "channels. Vaswani and others 2017, arXiv 1706.03762."),
    .state_size = sizeof(nm_self_attention_inputs),
    .build = self_attention_build,
    .forward = self_attention_forward,
};
