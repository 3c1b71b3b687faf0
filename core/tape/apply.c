/* Running an op: what nm_apply() does for all of them. Checks of inputs and options, the shape
 * rule, outputs from the pool, the computation, the node. */
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"
#include "core/plugin.h"

/* ---- Running an op ---- */

NM_INLINE nm_status run_op(nm_context *context, const nm_op *op, const void *options,
                           nm_dtype dtype, bool same_shape, nm_tensor *const *in, int inputs,
                           nm_tensor *const *out)
{
    nm_run run;
    run.context = context;
    run.op = op;
    run.options = options;
    run.dtype = dtype;
    run.same_shape = same_shape;
    run.inputs = inputs;
    run.outputs = op->output_count;
    run.in = in;
    run.out = out;
    for (int i = 0; i < inputs; i++) {
        run.x[i] = in[i] ? in[i]->data : NULL;
    }
    for (int i = inputs; !same_shape && i < op->input_count; i++) {
        run.x[i] = NULL; /* of one shape are only inputs that are there */
    }
    for (int i = 0; i < run.outputs; i++) {
        run.y[i] = out[i]->data;
    }
    context->busy++;
    const nm_status status = op->forward(&run);
    context->busy--;
    return status;
}

nm_status nm_run_op(nm_context *context, const nm_op *op, const void *options, nm_dtype dtype,
                    nm_tensor *const *in, int inputs, nm_tensor *const *out)
{
    return run_op(context, op, options, dtype, false, in, inputs, out);
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

/* A call in the making: what the checks found out. */
typedef struct call {
    nm_dtype dtype;          /* of the floating inputs */
    uint32_t differentiable; /* bit i: a gradient can go to input i */
    const nm_tensor *first;  /* floating input, */
    const char *first_name;  /* its port's name */
} call;

static nm_status check_count(nm_context *context, const nm_op *op, int inputs)
{
    bool variadic = op->input_count && op->inputs[op->input_count - 1].flags & NM_PORT_VARIADIC;
    int most = variadic ? NM_MAX_INPUTS : op->input_count;
    if (inputs > most || inputs < 0) {
        return op_fail(context, op, "takes at most %d inputs, not %d", most, inputs);
    }
    for (int i = inputs; i < op->input_count; i++) {
        if (!(op->inputs[i].flags & NM_PORT_OPTIONAL)) {
            return op_fail(context, op, "the input %s is missing", op->inputs[i].name);
        }
    }
    return NM_OK;
}

/* Whether a tensor of another context may be read: see nm_store_lend(). */
static bool is_lent(const nm_tape *tape, const nm_tensor *x)
{
    return x->context == tape->lender && !x->tape && x->data && !tape->recording;
}

static nm_status wrong_place(const nm_tape *tape, const nm_op *op, const nm_port *port,
                             const nm_tensor *x)
{
    if (x->context != tape->context || (x->tape && x->tape != tape)) {
        return op_fail(tape->context, op, "%s belongs to another %s", port->name,
                       x->context != tape->context ? "context" : "tape");
    }
    if (x->dead || x->stale || x->recomputed) {
        nm_refuse_elements(x, port->name);
        return nm_fail_in(tape->context, "%s", op->item.name);
    }
    return op_fail(tape->context, op,
                   "the elements of %s were given back by an earlier backward pass, or "
                   "nm_tape_discard(); give that pass NM_KEEP_GRAPH, or the tensor "
                   "nm_tensor_keep()",
                   port->name);
}

static nm_status wrong_type(const nm_tape *tape, const nm_op *op, const nm_port *port,
                            const nm_tensor *x, const call *c)
{
    const char *name = nm_dtype_name((nm_dtype)x->dtype);
    if (port->type == NM_PORT_INDEX) {
        return op_fail(tape->context, op, "%s is %s; it takes i32, i64 or u8", port->name, name);
    }
    if (x->dtype != NM_F32 && x->dtype != NM_F64) {
        return op_fail(tape->context, op, "%s is %s; it takes f32 or f64", port->name, name);
    }
    return op_fail(tape->context, op, "%s is %s, but %s is %s; they must be of one type",
                   c->first_name, nm_dtype_name((nm_dtype)c->first->dtype), port->name, name);
}

/* Whether the type is one that the port takes, and that of the floating inputs before it. */
static bool type_fits(const nm_port *port, const nm_tensor *x, call *c)
{
    if (port->type == NM_PORT_INDEX) {
        return !nm_is_float(x->dtype) && x->dtype != NM_I8;
    }
    if (port->type == NM_PORT_ANY) {
        return true;
    }
    if (!c->first) {
        c->first = x;
        c->first_name = port->name;
        c->dtype = nm_wide(x->dtype);
    }
    const bool kept = x->dtype == NM_BF16 && port->flags & NM_PORT_BF16;
    return (x->dtype == NM_F32 || x->dtype == NM_F64 || kept) && nm_wide(x->dtype) == c->dtype;
}

static nm_status check_inputs(const nm_tape *tape, const nm_op *op, int inputs,
                              nm_tensor *const *in, call *c)
{
    const nm_context *context = tape->context;
    if (inputs != op->input_count && check_count(tape->context, op, inputs) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    for (int i = 0; i < inputs; i++) {
        const nm_port *port = nm_input_port(op, i);
        const nm_tensor *x = in[i];
        if (!x) {
            if (!(port->flags & NM_PORT_OPTIONAL)) {
                return op_fail(tape->context, op, "the input %s is missing", port->name);
            }
            continue;
        }
        if ((x->context != context || (x->tape && x->tape != tape) || (!x->data && !tape->dry)) &&
            !is_lent(tape, x)) {
            return wrong_place(tape, op, port, x);
        }
        if (!type_fits(port, x, c)) {
            return wrong_type(tape, op, port, x, c);
        }
        if (x->requires_grad && nm_port_differentiable(port, x)) {
            c->differentiable |= 1u << i;
        }
    }
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

/* Where a dry run has any number of samples, costs may wrap; nobody asks for them then. */
NM_INLINE void add_cost(int64_t *sum, int64_t more)
{
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)more);
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
        add_cost(&tape->cost.multiply_adds, op->multiply_adds(infer));
    }
    return status;
}

/* ---- Outputs and nodes ---- */

/* `spare`: it gets no elements. */
NM_INLINE nm_status make_output(nm_tape *tape, nm_dtype dtype, const nm_shape *shape, int64_t count,
                                bool spare, nm_tensor *view_of, nm_tensor **out)
{
    nm_tensor *y = nm_tape_header(tape, dtype, shape, count);
    *out = y;
    if (!y) {
        return tape->context->status;
    }
    if (view_of) {
        nm_tensor_share(y, view_of);
        return NM_OK;
    }
    if (spare) {
        return NM_OK;
    }
    add_cost(&tape->cost.bytes, count * (int64_t)nm_size_of(y->dtype));
    return tape->dry ? NM_OK : nm_tensor_allocate(y);
}

/* By the op's shape rule. `recorded`: it will have a node. */
static nm_status make_outputs(nm_tape *tape, const nm_op *op, const void *options, nm_dtype dtype,
                              nm_tensor *const *in, int inputs, bool recorded, nm_tensor **out)
{
    nm_infer infer;
    nm_status status = infer_shapes(tape, op, options, dtype, in, inputs, &infer);
    for (int i = 0; i < op->output_count && status == NM_OK; i++) {
        nm_tensor *view_of = op->flags & NM_OP_VIEW && i == 0 ? in[0] : NULL;
        const nm_dtype type = infer.out_dtype[i];
        const int64_t count = nm_dtype_size(type) ? nm_shape_count(&infer.out[i]) : -1;
        status = make_output(tape, type, &infer.out[i], count,
                             !recorded && nm_port_is_spare(&op->outputs[i]), view_of, &out[i]);
        if (status == NM_OK) {
            out[i]->output = (uint8_t)i;
        }
    }
    return status;
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

/* A node with room for `slots` inputs; it keeps its own copy of options that are not the defaults.
 */
NM_INLINE nm_node *new_node(nm_tape *tape, const nm_op *op, const void *options, int slots)
{
    const size_t tensors = (size_t)(slots + op->output_count);
    const bool copies = options && options != op->item.spec->defaults;
    const size_t option_bytes = copies ? op->item.spec->size : 0;
    const size_t head = (sizeof(nm_node) + tensors * sizeof(nm_tensor *) + 15) & ~(size_t)15;
    nm_node *node = nm_arena_take(tape->context, &tape->nodes_memory, head + option_bytes);
    if (node) {
        node->op = op;
        node->scope = tape->scope;
        node->clock = tape->context->clock;
        node->options = copies ? memcpy((char *)node + head, options, option_bytes) : options;
        node->inputs = (int16_t)slots;
        node->outputs = (int16_t)op->output_count;
    }
    return node;
}

/* `all_there`: none of the inputs is NULL. */
NM_INLINE nm_status record(nm_tape *tape, const nm_op *op, const void *options,
                           uint32_t differentiable, bool all_there, nm_tensor *const *in,
                           int inputs, nm_tensor *const *out)
{
    if (tape->node_count == tape->node_capacity && grow_nodes(tape) != NM_OK) {
        return NM_ERROR_MEMORY;
    }
    /* Optional inputs that were left out at the end stand in the node as NULL. */
    const int slots = inputs > op->input_count ? inputs : op->input_count;
    nm_node *node = new_node(tape, op, options, slots);
    if (!node) {
        return NM_ERROR_MEMORY;
    }
    node->differentiable = differentiable;
    nm_tensor **tensor = node->tensors;
    for (int i = 0; i < slots; i++) {
        *tensor++ = i < inputs ? in[i] : NULL;
    }
    for (int i = 0; i < inputs; i++) {
        if (all_there || in[i]) {
            in[i]->recorded = true;
        }
    }
    for (int i = 0; i < op->output_count; i++) {
        *tensor++ = out[i];
        out[i]->node = tape->node_count;
        out[i]->requires_grad = nm_port_differentiable(&op->outputs[i], out[i]);
    }
#ifdef NM_GUARD
    for (int i = 0; i < slots + op->output_count; i++) {
        node->sums[i] = nm_tensor_sum(node->tensors[i]);
    }
#endif
    tape->nodes[tape->node_count++] = node;
    return NM_OK;
}

/* So that who wants a gradient of them later hears of it. */
static __attribute__((noinline)) void note_reading(const nm_tape *tape, nm_tensor *const *in,
                                                   int inputs)
{
    for (int i = 0; i < inputs; i++) {
        if (in[i] && !in[i]->tape) {
            in[i]->seen = tape->step;
        }
    }
}

/* ---- nm_apply ---- */

/* Of an op that nobody registered. */
static nm_status check_descriptor(nm_context *context, const nm_op *op)
{
    if (op->item.abi != NM_ABI && op->item.abi) { /* its members may lie elsewhere */
        return nm_fail(context, NM_ERROR_INPUT,
                       "an op was built for ABI %u of Norma, the library has ABI %u; rebuild it",
                       op->item.abi, (unsigned)NM_ABI);
    }
    return op->compose || (op->infer && (op->forward || op->flags & NM_OP_VIEW))
               ? NM_OK
               : nm_fail(context, NM_ERROR_INPUT,
                         "the op \"%s\" has no %s; nm_register_op() says what else it lacks",
                         op->item.name ? op->item.name : "",
                         op->infer ? "computation (forward)" : "shape rule (infer)");
}

/* An op with a computation of its own, whose inputs and options have been checked. */
static nm_status compute(nm_tape *tape, const nm_op *op, nm_tensor *const *in, int inputs,
                         const void *options, const call *c, nm_tensor **out)
{
    const bool recorded = tape->recording && op->vjp && c->differentiable;
    nm_status status = make_outputs(tape, op, options, c->dtype, in, inputs, recorded, out);
    if (status == NM_OK && op->forward && !tape->dry) {
        status = run_op(tape->context, op, options, c->dtype, false, in, inputs, out);
    } else if (status == NM_OK && tape->trace) {
        status = nm_trace_op(tape, op, options, in, inputs, out);
        if (!nm_trace_differentiates(tape->trace)) {
            return status;
        }
    }
    if (status == NM_OK && tape->anomaly) {
        status = nm_look_for_anomaly_in_outputs(tape, op, out);
    }
    if (status == NM_OK && tape->recording && op->vjp) {
        if (c->differentiable) {
            status = record(tape, op, options, c->differentiable, false, in, inputs, out);
        } else {
            note_reading(tape, in, inputs);
        }
    }
    tape->cost.ops += status == NM_OK;
    return status;
}

static nm_status apply(nm_tape *tape, const nm_op *op, nm_tensor *const *in, int inputs,
                       const void *options, nm_tensor **out)
{
    call c = {.dtype = NM_F32};
    nm_status status = check_descriptor(tape->context, op);
    if (status == NM_OK) {
        status = check_inputs(tape, op, inputs, in, &c);
    }
    if (status == NM_OK) {
        status = check_options(tape->context, op, &options);
    }
    if (status != NM_OK) {
        return status;
    }
    return op->compose ? nm_run_composed(tape, op, in, inputs, options,
                                         c.differentiable && tape->recording, out)
                       : compute(tape, op, in, inputs, options, &c, out);
}

/* ---- The short way ---- */

NM_INLINE bool is_usable(const nm_tape *tape, const nm_tensor *x)
{
    return x && x->data && (x->tape == tape || (!x->tape && x->context == tape->context));
}

/* Whether a call is plain: an elementwise op on inputs of one shape, with which nothing is wrong.
 * Then the shape rule and the messages are not needed. Small networks are made of such calls. */
NM_INLINE bool is_plain(const nm_tape *tape, const nm_op *op, nm_tensor *const *in, int inputs,
                        uint32_t *differentiable)
{
    const nm_tensor *first = in[0];
    if (!(op->flags & NM_OP_ELEMENTWISE) || inputs != op->input_count || tape->dry ||
        tape->anomaly || !is_usable(tape, first) ||
        (first->dtype != NM_F32 && first->dtype != NM_F64)) {
        return false;
    }
    uint32_t bits = first->requires_grad;
    for (int i = 1; i < inputs; i++) {
        const nm_tensor *x = in[i];
        if (!is_usable(tape, x) || x->dtype != first->dtype || !nm_same_shape(x, first)) {
            return false;
        }
        bits |= (uint32_t)x->requires_grad << i;
    }
    *differentiable = bits;
    return true;
}

NM_INLINE nm_status apply_plain(nm_tape *tape, const nm_op *op, nm_tensor *const *in, int inputs,
                                uint32_t differentiable, nm_tensor **out)
{
    const void *options = op->item.spec ? op->item.spec->defaults : NULL;
    nm_dtype dtype = (nm_dtype)in[0]->dtype;
    nm_status status = make_output(tape, dtype, &in[0]->shape, in[0]->count, false, NULL, out);
    if (status == NM_OK) {
        status = run_op(tape->context, op, options, dtype, true, in, inputs, out);
    }
    if (status == NM_OK && tape->recording && op->vjp) {
        if (differentiable) {
            status = record(tape, op, options, differentiable, true, in, inputs, out);
        } else {
            note_reading(tape, in, inputs);
        }
    }
    tape->cost.ops++;
    return status;
}

__attribute__((noinline, cold)) void nm_name_failure(nm_context *context, const nm_op *op,
                                                     const char *scope, nm_status status)
{
    if (context->status == NM_OK) {
        nm_fail(context, NM_ERROR_INTERNAL, "%s: it failed (%s) and did not say why", op->item.name,
                nm_status_name(status));
        nm_plugin_blame(context, &op->item);
    } else if (op->item.name && !strstr(context->error, op->item.name)) {
        nm_fail_in(context, "%s", op->item.name);
    }
    if (scope && status != NM_ERROR_NUMERIC && !strstr(context->error, scope)) {
        nm_fail_in(context, "%s", scope);
    }
}

/* A call without a tape, op or lists. */
static __attribute__((noinline, cold)) nm_status refuse_call(nm_tape *tape, const nm_op *op,
                                                             nm_tensor *const *inputs,
                                                             nm_tensor **outputs)
{
    for (int i = 0; op && outputs && i < op->output_count; i++) {
        outputs[i] = NULL;
    }
    NM_GIVEN(tape, NM_ERROR_INPUT);
    NM_REQUIRE(tape->context, op, NM_ERROR_INPUT);
    NM_REQUIRE(tape->context, inputs, NM_ERROR_INPUT);
    NM_REQUIRE(tape->context, outputs, NM_ERROR_INPUT);
    return NM_ERROR_INPUT;
}

static __attribute__((noinline)) nm_status call_op(nm_tape *tape, const nm_op *op,
                                                   nm_tensor *const *inputs, int input_count,
                                                   const void *options, nm_tensor **outputs)
{
    nm_context *context = tape->context;
    nm_status status = context->status;
    uint32_t differentiable = 0;
    if (status == NM_OK) {
        status = !options && is_plain(tape, op, inputs, input_count, &differentiable)
                     ? apply_plain(tape, op, inputs, input_count, differentiable, outputs)
                     : apply(tape, op, inputs, input_count, options, outputs);
        if (status == NM_OK) {
            return NM_OK;
        }
        nm_name_failure(tape->context, op, tape->scope, status);
    }
    for (int i = 0; i < op->output_count; i++) {
        outputs[i] = NULL; /* what was made stays in the arena until the reset */
    }
    return status;
}

nm_status nm_apply(nm_tape *tape, const nm_op *op, nm_tensor *const *inputs, int input_count,
                   const void *options, nm_tensor **outputs)
{
    return tape && op && inputs && outputs
               ? call_op(tape, op, inputs, input_count, options, outputs)
               : refuse_call(tape, op, inputs, outputs);
}

static nm_tensor *apply_for_one(nm_tape *tape, const nm_op *op, const void *options,
                                nm_tensor *const *in, int inputs)
{
    nm_tensor *out[NM_MAX_OUTPUTS];
    if (!tape || !op) {
        refuse_call(tape, op, in, out);
        return NULL;
    }
    return call_op(tape, op, in, inputs, options, out) == NM_OK ? out[0] : NULL;
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

/* A plain call whose result takes the memory of one of its inputs, which nothing else holds. */
static nm_tensor *apply_over(nm_tape *tape, const nm_op *op, const void *options,
                             nm_tensor *const *in, nm_tensor *over)
{
    const nm_dtype dtype = (nm_dtype)over->dtype;
    nm_tensor *y = NULL;
    nm_status status = check_options(tape->context, op, &options);
    if (status == NM_OK) {
        status = make_output(tape, dtype, &over->shape, over->count, false, over, &y);
    }
    if (status == NM_OK) {
        status = run_op(tape->context, op, options, dtype, true, in, 2, &y);
    }
    if (status != NM_OK) {
        nm_name_failure(tape->context, op, tape->scope, status);
        return NULL;
    }
    tape->cost.ops++;
    return y;
}

nm_tensor *nm_vjp_apply_last(const nm_vjp *v, const nm_op *op, const void *options, nm_tensor *x)
{
    NM_GIVEN(v && op, NULL);
    nm_tape *tape = v->tape;
    nm_tensor *dy = v->gout[0];
    nm_tensor *in[] = {x, dy};
    uint32_t differentiable;
    const bool is_free = !tape->recording && !v->out[0]->requested && dy->buffer &&
                         nm_tensor_is_alone(dy) && tape->context->status == NM_OK &&
                         is_plain(tape, op, in, 2, &differentiable);
    return is_free ? apply_over(tape, op, options, in, dy)
                   : apply_for_one(tape, op, options, in, 2);
}
