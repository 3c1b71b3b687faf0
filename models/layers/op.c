/* Any registered op of one input, as a layer: op: {apply: square}, or with options, op: {apply:
 * {affine: {scale: 2, shift: 1}}}. Optional inputs are left out; further outputs are dropped. */
#include "models/table.h"

typedef struct op_layer_options {
    NM_LAYER_FIELDS;
    nm_choice apply;
} op_layer_options;

static int required_inputs(const nm_op *op)
{
    int count = 0;
    for (int i = 0; i < op->input_count; i++) {
        count += !(op->inputs[i].flags & NM_PORT_OPTIONAL);
    }
    return count;
}

static void op_read(nm_layer *layer, nm_diagnostics *d)
{
    const op_layer_options *o = layer->options;
    const nm_op *op = (const nm_op *)o->apply.item;
    if (op && required_inputs(op) != 1) {
        nm_diagnose(d, o->apply.at, "op: \"%s\" takes %d inputs; a layer has one", op->item.name,
                    required_inputs(op));
    }
}

static nm_tensor *op_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const op_layer_options *o = layer->options;
    return nm_apply1(pass->tape, (const nm_op *)o->apply.item, o->apply.options, x);
}

static const op_layer_options defaults = {.name = NULL};
static const nm_option rows[] = {
    NM_LAYER_ROWS(op_layer_options),
    {NM_FIELD(op_layer_options, apply), NM_OPTION_CHOICE, .kind = NM_KIND_OP, .flags = NM_REQUIRED,
     .doc = "the op, NAME or {NAME: {OPTIONS}}"},
};
static const nm_spec spec = NM_LAYER_SPEC(op_layer_options, defaults, rows, NULL);

const nm_layer_type nm_layer_op = {
    .item =
        NM_ITEM(nm_layer_type, "op", "any op of one input", .spec = &spec,
                .doc = "op: {apply: square}, or with options, op: {apply: {affine: {scale: 2}}}. "
                       "`norma ops` lists them. Axes count the batch, which is axis 0 and must "
                       "stay the first. Dropout as an op is always on; the layer dropout is "
                       "not."),
    .read = op_read,
    .forward = op_forward,
};
