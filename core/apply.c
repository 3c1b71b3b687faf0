/* Running an op: what nm_apply() does for all of them. Checks of inputs and options, the shape
 * rule, outputs from the pool, the computation, the node. */
#include <math.h>
#include <string.h>

#include "core/internal.h"

/* ---- Running an op ---- */

const nm_port *nm_input_port(const nm_op *op, int input)
{
    return &op->inputs[input < op->input_count ? input : op->input_count - 1];
}

nm_status nm_run_op(nm_context *context, const nm_op *op, const void *options, nm_dtype dtype,
                    nm_tensor *const *in, int inputs, nm_tensor *const *out)
{
    nm_run run;
    run.context = context;
    run.op = op;
    run.options = options;
    run.dtype = dtype;
    run.inputs = inputs;
    run.outputs = op->output_count;
    run.in = in;
    run.out = out;
    for (int i = 0; i < inputs; i++) {
        run.x[i] = in[i] ? in[i]->data : NULL;
    }
    for (int i = inputs; i < op->input_count; i++) {
        run.x[i] = NULL;
    }
    for (int i = 0; i < op->output_count; i++) {
        run.y[i] = out[i]->data;
    }
    return op->forward(&run);
}

nm_status nm_look_for_anomaly(nm_tape *tape, const nm_op *op, const char *scope, int64_t node,
                              const char *of, const char *name, const nm_tensor *tensor)
{
    int64_t at = nm_tensor_first_bad(tensor);
    if (at < 0) {
        return NM_OK;
    }
    char text[NM_SHAPE_TEXT];
    double value = nm_tensor_get((nm_tensor *)(uintptr_t)tensor, at);
    return nm_fail(tape->context, NM_ERROR_NUMERIC,
                   "%s%s%s (node %lld): %s %s %s is %s at element "
                   "%lld, the first one of this step that is not finite",
                   scope ? scope : "", scope ? ": " : "", op->item.name, (long long)node, of, name,
                   nm_shape_text(&tensor->shape, text), isnan(value) ? "NaN" : "infinite",
                   (long long)at);
}

/* ---- Checks, done once for all ops ---- */

static nm_status op_fail(nm_context *context, const nm_op *op, const char *format, ...)
    NM_PRINTF(3, 4);

static nm_status op_fail(nm_context *context, const nm_op *op, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    nm_fail_v(context, NM_ERROR_INPUT, format, list);
    va_end(list);
    return nm_fail_in(context, "%s", op->item.name);
}

static nm_status check_count(nm_context *context, const nm_op *op, int inputs)
{
    bool variadic = op->input_count && op->inputs[op->input_count - 1].flags & NM_PORT_VARIADIC;
    int most = variadic ? NM_MAX_INPUTS : op->input_count;
    if (inputs > most) {
        return op_fail(context, op, "takes at most %d inputs, not %d", most, inputs);
    }
    return NM_OK;
}

static nm_status check_presence(nm_context *context, const nm_op *op, int inputs,
                                nm_tensor *const *in)
{
    int ports = inputs > op->input_count ? inputs : op->input_count;
    for (int i = 0; i < ports; i++) {
        const nm_port *port = nm_input_port(op, i);
        if ((i >= inputs || !in[i]) && !(port->flags & NM_PORT_OPTIONAL)) {
            return op_fail(context, op, "the input %s is missing", port->name);
        }
    }
    return NM_OK;
}

static nm_status check_tensor(nm_tape *tape, const nm_op *op, const nm_port *port,
                              const nm_tensor *x)
{
    nm_context *context = tape->context;
    if (x->context != context || (x->tape && x->tape != tape)) {
        return op_fail(context, op, "%s belongs to another %s", port->name,
                       x->context != context ? "context" : "tape");
    }
    if (!x->data && !tape->dry) {
        return op_fail(context, op,
                       "the elements of %s were given back by an earlier backward "
                       "pass; give that pass NM_KEEP_GRAPH, or the tensor nm_tensor_keep()",
                       port->name);
    }
    bool is_float = nm_dtype_is_float((nm_dtype)x->dtype);
    if (port->type == NM_PORT_FLOAT && x->dtype != NM_F32 && x->dtype != NM_F64) {
        return op_fail(context, op, "%s is %s; it takes f32 or f64", port->name,
                       nm_dtype_name((nm_dtype)x->dtype));
    }
    if (port->type == NM_PORT_INDEX && is_float) {
        return op_fail(context, op, "%s is %s; it takes i32, i64 or u8", port->name,
                       nm_dtype_name((nm_dtype)x->dtype));
    }
    return NM_OK;
}

/* Checks all inputs and finds the type that the floating ones share. */
static nm_status check_inputs(nm_tape *tape, const nm_op *op, int inputs, nm_tensor *const *in,
                              nm_dtype *dtype)
{
    const nm_tensor *first = NULL;
    const char *first_name = NULL;
    for (int i = 0; i < inputs; i++) {
        const nm_port *port = nm_input_port(op, i);
        if (!in[i]) {
            continue;
        }
        if (check_tensor(tape, op, port, in[i]) != NM_OK) {
            return NM_ERROR_INPUT;
        }
        if (port->type != NM_PORT_FLOAT) {
            continue;
        }
        if (first && first->dtype != in[i]->dtype) {
            return op_fail(tape->context, op, "%s is %s, but %s is %s; they must be of one type",
                           first_name, nm_dtype_name((nm_dtype)first->dtype), port->name,
                           nm_dtype_name((nm_dtype)in[i]->dtype));
        }
        if (!first) {
            first = in[i];
            first_name = port->name;
        }
    }
    *dtype = first ? (nm_dtype)first->dtype : NM_F32;
    return NM_OK;
}

static nm_status check_options(nm_context *context, const nm_op *op, const void **options)
{
    const nm_spec *spec = op->item.spec;
    if (!spec) {
        *options = NULL;
        return NM_OK;
    }
    if (!*options) {
        *options = spec->defaults;
        return NM_OK;
    }
    if (*(const size_t *)*options != spec->size) {
        return op_fail(context, op,
                       "its options are those of another version of the library "
                       "(%zu bytes, not %zu); rebuild the program",
                       *(const size_t *)*options, spec->size);
    }
    return nm_spec_check(context, spec, op->item.name, *options);
}

static nm_dtype output_type(const nm_port *port, nm_dtype dtype, const nm_tensor *first)
{
    switch (port->type) {
    case NM_PORT_INDEX: return NM_I32;
    case NM_PORT_ANY: return first ? (nm_dtype)first->dtype : dtype;
    case NM_PORT_FLOAT: break;
    }
    return dtype;
}

static nm_status infer_shapes(nm_tape *tape, const nm_op *op, const void *options, nm_dtype dtype,
                              nm_tensor *const *in, int inputs, nm_infer *infer)
{
    infer->context = tape->context;
    infer->op = op;
    infer->options = options;
    infer->inputs = inputs;
    infer->dtype = dtype;
    for (int i = 0; i < inputs; i++) {
        infer->in[i] = in[i] ? &in[i]->shape : NULL;
    }
    for (int i = inputs; i < op->input_count; i++) {
        infer->in[i] = NULL;
    }
    for (int i = 0; i < op->output_count; i++) {
        infer->out[i].rank = 0;
        infer->out_dtype[i] = output_type(&op->outputs[i], dtype, inputs ? in[0] : NULL);
    }
    nm_status status = op->infer(infer);
    if (status == NM_OK && op->multiply_adds) {
        tape->cost.multiply_adds += op->multiply_adds(infer);
    }
    return status;
}

/* ---- Outputs and nodes ---- */

static nm_status make_outputs(nm_tape *tape, const nm_op *op, const nm_infer *infer,
                              nm_tensor *const *in, nm_tensor **out)
{
    for (int i = 0; i < op->output_count; i++) {
        nm_tensor *y = nm_tape_header(tape, infer->out_dtype[i], &infer->out[i]);
        if (!y) {
            return tape->context->status;
        }
        out[i] = y;
        y->output = (uint8_t)i;
        if (op->flags & NM_OP_VIEW && i == 0) {
            nm_tensor_share(y, in[0]);
            continue;
        }
        tape->cost.bytes += (int64_t)nm_tensor_bytes(y);
        if (!tape->dry && nm_tensor_allocate(y) != NM_OK) {
            return NM_ERROR_MEMORY;
        }
    }
    tape->cost.ops++;
    return NM_OK;
}

static bool differentiable(const nm_port *port, const nm_tensor *x)
{
    return port->type != NM_PORT_INDEX && !(port->flags & NM_PORT_NO_GRAD) &&
           nm_dtype_is_float((nm_dtype)x->dtype);
}

static bool any_requires_grad(const nm_op *op, nm_tensor *const *in, int inputs)
{
    for (int i = 0; i < inputs; i++) {
        if (in[i] && in[i]->requires_grad && differentiable(nm_input_port(op, i), in[i])) {
            return true;
        }
    }
    return false;
}

static nm_status grow_nodes(nm_tape *tape)
{
    int64_t capacity = tape->node_capacity ? 2 * tape->node_capacity : 256;
    nm_node **nodes = nm_resize(tape->context, tape->nodes, (size_t)capacity * sizeof *nodes);
    if (!nodes) {
        return NM_ERROR_MEMORY;
    }
    tape->nodes = nodes;
    tape->node_capacity = capacity;
    return NM_OK;
}

static nm_status record(nm_tape *tape, const nm_op *op, const void *options, nm_tensor *const *in,
                        int inputs, nm_tensor *const *out)
{
    if (tape->node_count == tape->node_capacity && grow_nodes(tape) != NM_OK) {
        return NM_ERROR_MEMORY;
    }
    /* Optional inputs that were left out at the end stand in the node as NULL. */
    int slots = inputs > op->input_count ? inputs : op->input_count;
    size_t tensors = (size_t)(slots + op->output_count);
    bool own_options = op->item.spec && options != op->item.spec->defaults;
    size_t head = (sizeof(nm_node) + tensors * sizeof(nm_tensor *) + 15) & ~(size_t)15;
    nm_node *node = nm_arena_take(tape->context, &tape->nodes_memory,
                                  head + (own_options ? op->item.spec->size : 0));
    if (!node) {
        return NM_ERROR_MEMORY;
    }
    node->op = op;
    node->scope = tape->scope;
    node->options = options;
    node->inputs = slots;
    node->outputs = op->output_count;
    if (own_options) {
        node->options = memcpy((char *)node + head, options, op->item.spec->size);
    }
    for (int i = 0; i < slots; i++) {
        node->tensors[i] = i < inputs ? in[i] : NULL;
    }
    for (int i = 0; i < op->output_count; i++) {
        node->tensors[slots + i] = out[i];
        out[i]->node = tape->node_count;
        out[i]->requires_grad = differentiable(&op->outputs[i], out[i]);
    }
    tape->nodes[tape->node_count++] = node;
    return NM_OK;
}

static nm_status check_outputs_finite(nm_tape *tape, const nm_op *op, nm_tensor *const *out)
{
    for (int i = 0; i < op->output_count; i++) {
        nm_status status = nm_look_for_anomaly(tape, op, tape->scope, tape->node_count, "output",
                                               op->outputs[i].name, out[i]);
        if (status != NM_OK) {
            return status;
        }
    }
    return NM_OK;
}

static nm_status apply(nm_tape *tape, const nm_op *op, nm_tensor *const *in, int inputs,
                       const void *options, nm_tensor **out)
{
    nm_context *context = tape->context;
    nm_dtype dtype = NM_F32;
    nm_infer infer;
    nm_status status = check_count(context, op, inputs);
    if (status == NM_OK) status = check_presence(context, op, inputs, in);
    if (status == NM_OK) status = check_inputs(tape, op, inputs, in, &dtype);
    if (status == NM_OK) status = check_options(context, op, &options);
    if (status == NM_OK) status = infer_shapes(tape, op, options, dtype, in, inputs, &infer);
    if (status == NM_OK) status = make_outputs(tape, op, &infer, in, out);
    if (status == NM_OK && op->forward && !tape->dry) {
        status = nm_run_op(context, op, options, dtype, in, inputs, out);
    }
    if (status == NM_OK && tape->anomaly) status = check_outputs_finite(tape, op, out);
    if (status == NM_OK && tape->recording && op->vjp && any_requires_grad(op, in, inputs)) {
        status = record(tape, op, options, in, inputs, out);
    }
    return status;
}

nm_status nm_apply(nm_tape *tape, const nm_op *op, nm_tensor *const *inputs, int input_count,
                   const void *options, nm_tensor **outputs)
{
    nm_context *context = tape->context;
    nm_status status = context->status;
    if (status == NM_OK) {
        status = apply(tape, op, inputs, input_count, options, outputs);
        if (status == NM_OK) {
            return NM_OK;
        }
        if (tape->scope && status != NM_ERROR_NUMERIC) {
            nm_fail_in(context, "%s", tape->scope);
        }
    }
    for (int i = 0; i < op->output_count; i++) {
        outputs[i] = NULL; /* what was made stays in the arena until the reset */
    }
    return status;
}

static nm_tensor *apply_for_one(nm_tape *tape, const nm_op *op, const void *options,
                                nm_tensor *const *in, int inputs)
{
    nm_tensor *out[NM_MAX_OUTPUTS];
    return nm_apply(tape, op, in, inputs, options, out) == NM_OK ? out[0] : NULL;
}

nm_tensor *nm_apply1(nm_tape *tape, const nm_op *op, const void *options, nm_tensor *x)
{
    return apply_for_one(tape, op, options, &x, 1);
}

nm_tensor *nm_apply2(nm_tape *tape, const nm_op *op, const void *options, nm_tensor *x,
                     nm_tensor *y)
{
    nm_tensor *in[] = {x, y};
    return apply_for_one(tape, op, options, in, 2);
}

nm_tensor *nm_apply3(nm_tape *tape, const nm_op *op, const void *options, nm_tensor *x,
                     nm_tensor *y, nm_tensor *z)
{
    nm_tensor *in[] = {x, y, z};
    return apply_for_one(tape, op, options, in, 3);
}
