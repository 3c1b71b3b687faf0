/* lstm and gru: over the steps of a sequence [batch, steps, channels]. The formulas are the ops'.
 */
#include <math.h>

#include "models/table.h"
#include "ops/basic.h"
#include "ops/sequence.h"

enum { OUTPUT_SEQUENCE, OUTPUT_LAST };
enum { FORWARD, BACKWARD, BOTH };

typedef struct recurrent_layer_options {
    NM_LAYER_FIELDS;
    int64_t units;
    int output;    /* OUTPUT_SEQUENCE, OUTPUT_LAST */
    int direction; /* FORWARD, BACKWARD, BOTH */
    bool bias;
    double mask_value; /* NM_NO_LIMIT: none */
    nm_choice init;
} recurrent_layer_options;

/* Of each direction. */
typedef struct recurrent_state {
    nm_recurrent_inputs way[2];
} recurrent_state;

/* ---- Parameters ---- */

/* PyTorch's: even within 1 / sqrt(units), so that no state runs away, whatever the steps. */
static nm_tensor *weight_of(nm_layer *layer, const char *name, nm_shape shape, int64_t units)
{
    const recurrent_layer_options *o = layer->options;
    const double limit = 1 / sqrt((double)units);
    const nm_uniform_options even = {.low = -limit, .high = limit};
    const nm_choice usual = {.item = &nm_initializer_uniform.item, .options = &even};
    return nm_layer_parameter(layer, name, NM_WEIGHT, shape, o->init.item ? &o->init : &usual);
}

/* Names of the second direction end as PyTorch's do. */
static nm_status build_way(nm_layer *layer, const nm_shape *x, int gates, bool second)
{
    const recurrent_layer_options *o = layer->options;
    nm_recurrent_inputs *way = &((recurrent_state *)layer->state)->way[second];
    const int64_t all = gates * o->units;
    way->w_ih = weight_of(layer, second ? "weight_ih_reverse" : "weight_ih",
                          NM_SHAPE(all, x->dim[2]), o->units);
    way->w_hh = weight_of(layer, second ? "weight_hh_reverse" : "weight_hh",
                          NM_SHAPE(all, o->units), o->units);
    if (o->bias) {
        way->b_ih = nm_layer_parameter(layer, second ? "bias_ih_reverse" : "bias_ih", NM_BIAS,
                                       NM_SHAPE(all), NULL);
        way->b_hh = nm_layer_parameter(layer, second ? "bias_hh_reverse" : "bias_hh", NM_BIAS,
                                       NM_SHAPE(all), NULL);
    }
    return nm_context_status(layer->context);
}

static nm_status build(nm_layer *layer, const nm_shape *x, int gates)
{
    const recurrent_layer_options *o = layer->options;
    char text[NM_SHAPE_TEXT];
    if (x->rank != 3) {
        return nm_layer_fail(layer,
                             "its input %s must be sequences, [batch, steps, channels]; if it is, "
                             "put op: {apply: {reshape: {shape: %s}}} in front",
                             nm_shape_text(x, text),
                             x->rank == 2 ? "[-1, steps, 1]" : "[-1, steps, channels]");
    }
    nm_status status = build_way(layer, x, gates, false);
    return status == NM_OK && o->direction == BOTH ? build_way(layer, x, gates, true) : status;
}

static nm_status lstm_build(nm_layer *layer, const nm_shape *x)
{
    return build(layer, x, 4);
}

static nm_status gru_build(nm_layer *layer, const nm_shape *x)
{
    return build(layer, x, 3);
}

/* ---- The pass ---- */

typedef nm_recurrent_result (*recurrent_fn)(nm_tape *tape, nm_tensor *x,
                                            const nm_recurrent_inputs *inputs,
                                            const nm_recurrent_options *options);

static nm_tensor *run_way(nm_layer *layer, const nm_pass *pass, nm_tensor *x, nm_tensor *lengths,
                          recurrent_fn op, bool second)
{
    const recurrent_layer_options *o = layer->options;
    const nm_recurrent_options options = {NM_END(nm_recurrent_options),
                                          .reverse = second || o->direction == BACKWARD};
    nm_recurrent_inputs inputs = ((const recurrent_state *)layer->state)->way[second];
    inputs.lengths = lengths;
    const nm_recurrent_result r = op(pass->tape, x, &inputs, &options);
    return o->output == OUTPUT_LAST ? r.h : r.y;
}

static nm_tensor *run(nm_layer *layer, const nm_pass *pass, nm_tensor *x, recurrent_fn op)
{
    const recurrent_layer_options *o = layer->options;
    nm_tensor *lengths =
        o->mask_value == NM_NO_LIMIT ? NULL : nm_sequence_lengths(pass->tape, x, o->mask_value);
    nm_tensor *y[2] = {run_way(layer, pass, x, lengths, op, false)};
    if (o->direction != BOTH) {
        return y[0];
    }
    y[1] = run_way(layer, pass, x, lengths, op, true);
    return nm_concat(pass->tape, y, 2, .axis = -1);
}

static nm_tensor *lstm_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    return run(layer, pass, x, nm_lstm_with);
}

static nm_tensor *gru_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    return run(layer, pass, x, nm_gru_with);
}

/* ---- Options ---- */

static const char *const outputs[] = {"sequence", "last", NULL};
static const char *const directions[] = {"forward", "backward", "both", NULL};
static const recurrent_layer_options defaults = {.bias = true, .mask_value = NM_NO_LIMIT};
static const nm_option rows[] = {
    NM_LAYER_ROWS(recurrent_layer_options),
    {NM_FIELD(recurrent_layer_options, units), NM_OPTION_INT,
     .also = "hidden_size hidden size width neurons", .min = 1, .max = 1e7, .flags = NM_REQUIRED,
     .doc = "numbers that the state has"},
    {NM_FIELD(recurrent_layer_options, output), NM_OPTION_ENUM, .names = outputs,
     .also = "return_sequences",
     .doc = "the state after each step, [batch, steps, units], or after the last, [batch, units]"},
    {NM_FIELD(recurrent_layer_options, direction), NM_OPTION_ENUM, .names = directions,
     .also = "bidirectional reverse",
     .doc = "from the first step on, from the last back, or both, with weights each and their "
            "outputs side by side"},
    {NM_FIELD(recurrent_layer_options, bias), NM_OPTION_BOOL, .also = "use_bias",
     .doc = "add biases, 0 at first"},
    NM_MASK_VALUE_ROW(recurrent_layer_options,
                      "behind them the output is 0, and the last state is that of the last step"),
    {NM_FIELD(recurrent_layer_options, init), NM_OPTION_CHOICE, .kind = NM_KIND_INITIALIZER,
     .also = "kernel_initializer weight_init initializer",
     .doc = "how the weights begin; default: uniform within 1 / sqrt(units)"},
};
static const nm_spec spec = NM_LAYER_SPEC(recurrent_layer_options, defaults, rows, NULL);

const nm_layer_type nm_layer_lstm = {
    .item = NM_ITEM(nm_layer_type, "lstm", "long short-term memory over sequences", .spec = &spec,
                    .doc = "x [batch, steps, in]; weight_ih [4 units, in], weight_hh [4 units, "
                           "units], bias_ih and bias_hh [4 units], in PyTorch's order of gates; "
                           "the second direction's names end in _reverse. State and cell begin at "
                           "0. Sequences of their own lengths are padded: mask_value."),
    .state_size = sizeof(recurrent_state),
    .build = lstm_build,
    .forward = lstm_forward,
};

const nm_layer_type nm_layer_gru = {
    .item = NM_ITEM(nm_layer_type, "gru", "gated recurrent units over sequences", .spec = &spec,
                    .doc = "x [batch, steps, in]; weight_ih [3 units, in], weight_hh [3 units, "
                           "units], bias_ih and bias_hh [3 units], in PyTorch's order of gates; "
                           "the second direction's names end in _reverse. The state begins at 0. "
                           "Sequences of their own lengths are padded: mask_value."),
    .state_size = sizeof(recurrent_state),
    .build = gru_build,
    .forward = gru_forward,
};
