#include "core/op.h"

#include <string.h>

#include "core/guard.h"
#include "core/internal.h"

/* ---- Helpers for shape rules and computations ---- */

nm_status nm_infer_fail(const nm_infer *infer, const char *format, ...)
{
    NM_GIVEN(infer, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(infer->context);
    va_list list;
    va_start(list, format);
    nm_fail_v(infer->context, NM_ERROR_INPUT, format, list);
    va_end(list);
    return nm_fail_in(infer->context, "%s", infer->op->item.name);
}

nm_status nm_run_fail(const nm_run *run, nm_status status, const char *format, ...)
{
    NM_GIVEN(run, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(run->context);
    va_list list;
    va_start(list, format);
    nm_fail_v(run->context, status, format, list);
    va_end(list);
    return nm_fail_in(run->context, "%s", run->op->item.name);
}

nm_tensor *nm_compose_fail(const nm_compose *compose, const char *format, ...)
{
    NM_GIVEN(compose && nm_context_status(nm_tape_context(compose->tape)) == NM_OK, NULL);
    nm_context *context = compose->tape->context;
    NM_REQUIRE(context, format, NULL);
    va_list list;
    va_start(list, format);
    nm_fail_v(context, NM_ERROR_INPUT, format, list);
    va_end(list);
    nm_fail_in(context, "%s", compose->op->item.name);
    return NULL;
}

static void set_all_outputs(nm_infer *infer, const nm_shape *shape)
{
    for (int i = 0; i < infer->op->output_count; i++) {
        nm_shape_take(&infer->out[i], shape);
    }
}

static bool all_equal(const nm_infer *infer)
{
    bool equal = true;
    for (int i = 1; i < infer->inputs && equal; i++) {
        equal = infer->in[i] && nm_shape_equal(infer->in[i], infer->in[0]);
    }
    return equal;
}

nm_status nm_infer_broadcast(nm_infer *infer)
{
    NM_GIVEN(infer, NM_ERROR_INPUT);
    if (all_equal(infer)) { /* as most are */
        set_all_outputs(infer, infer->in[0]);
        return NM_OK;
    }
    nm_shape shape = *infer->in[0];
    for (int i = 1; i < infer->inputs; i++) {
        if (infer->in[i] && !nm_shape_broadcast(&shape, infer->in[i], &shape)) {
            char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
            return nm_infer_fail(infer, "the shapes do not broadcast: %s %s and %s %s",
                                 nm_input_port(infer->op, 0)->name, nm_shape_text(infer->in[0], a),
                                 nm_input_port(infer->op, i)->name, nm_shape_text(infer->in[i], b));
        }
    }
    set_all_outputs(infer, &shape);
    return NM_OK;
}

nm_status nm_infer_same(nm_infer *infer)
{
    NM_GIVEN(infer, NM_ERROR_INPUT);
    for (int i = 1; i < infer->inputs; i++) {
        if (infer->in[i] && !nm_shape_equal(infer->in[i], infer->in[0])) {
            char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
            return nm_infer_fail(infer, "%s %s must have the shape of %s %s",
                                 nm_input_port(infer->op, i)->name, nm_shape_text(infer->in[i], a),
                                 nm_input_port(infer->op, 0)->name, nm_shape_text(infer->in[0], b));
        }
    }
    set_all_outputs(infer, infer->in[0]);
    return NM_OK;
}

nm_status nm_infer_axis(const nm_infer *infer, int input, int64_t axis, int *out)
{
    NM_GIVEN(infer, NM_ERROR_INPUT);
    NM_REQUIRE(infer->context, out, NM_ERROR_INPUT);
    if (input < 0 || input >= infer->inputs || !infer->in[input]) {
        return nm_infer_fail(infer, "there is no input %d", input);
    }
    *out = nm_shape_axis(infer->in[input], axis);
    if (*out < 0) {
        char text[NM_SHAPE_TEXT];
        return nm_infer_fail(infer, "%s %s has no axis %lld", nm_input_port(infer->op, input)->name,
                             nm_shape_text(infer->in[input], text), (long long)axis);
    }
    return NM_OK;
}

nm_tensor *nm_vjp_gout(const nm_vjp *vjp, int output)
{
    NM_GIVEN(vjp && output >= 0 && output < vjp->outputs, NULL);
    const nm_tensor *y = vjp->out[output];
    return vjp->gout[output] ? vjp->gout[output]
                             : nm_full(vjp->tape, nm_wide(y->dtype), y->shape, 0);
}

/* ---- Registration ---- */

/* Whether its ports are those of NM_OP_ELEMENTWISE. */
static bool is_elementwise(const nm_op *op)
{
    bool plain = op->input_count > 0 && op->output_count == 1 && op->forward &&
                 op->outputs[0].type == NM_PORT_FLOAT && !(op->flags & NM_OP_VIEW);
    for (int i = 0; i < op->input_count; i++) {
        plain &= op->inputs[i].type == NM_PORT_FLOAT && !(op->inputs[i].flags & ~NM_PORT_BF16);
    }
    return plain;
}

/* What is wrong with how it computes; NULL: nothing. */
static const char *find_missing(const nm_op *op)
{
    if (op->compose) {
        return op->infer || op->forward || op->vjp || op->flags & ~NM_OP_NO_VJP
                   ? "made of others (compose), it has no infer, forward, vjp and other flags than "
                     "NM_OP_NO_VJP"
                   : NULL;
    }
    if (!op->infer) {
        return "it has no shape rule (infer)";
    }
    if (!op->forward && !(op->flags & NM_OP_VIEW)) {
        return "it has no computation (forward)";
    }
    if (!op->vjp == !(op->flags & NM_OP_NO_VJP)) {
        return "it needs a gradient (vjp), or the flag NM_OP_NO_VJP to say that it has none";
    }
    return NULL;
}

/* What is wrong with an op's descriptor; NULL: nothing. */
static const char *find_fault(const nm_op *op)
{
    if (op->input_count < 0 || op->input_count > NM_MAX_INPUTS || op->output_count < 1 ||
        op->output_count > NM_MAX_OUTPUTS || (op->input_count && !op->inputs) || !op->outputs) {
        return "it needs inputs and outputs within the limits of core/op.h";
    }
    const char *missing = find_missing(op);
    if (missing) {
        return missing;
    }
    if (op->flags & NM_OP_ELEMENTWISE && !is_elementwise(op)) {
        return "NM_OP_ELEMENTWISE is for required floating inputs, differentiable, and one output";
    }
    const nm_spec *spec = op->item.spec;
    if (spec && (!spec->defaults || *(const size_t *)spec->defaults != spec->size)) {
        return "its options must begin with size_t struct_size, set in their defaults";
    }
    return NULL;
}

nm_status nm_register_op(nm_context *context, const nm_op *op)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
    NM_REQUIRE(context, op, NM_ERROR_INPUT);
    if (op->item.abi == NM_ABI && op->item.size != sizeof(nm_op)) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "this op's descriptor has %u bytes, the library's %zu; rebuild it",
                       op->item.size, sizeof(nm_op));
    }
    const char *fault = op->item.abi == NM_ABI ? find_fault(op) : NULL;
    if (fault) {
        return nm_fail(context, NM_ERROR_INPUT, "cannot register the op \"%s\": %s",
                       op->item.name ? op->item.name : "", fault);
    }
    return nm_register(context, NM_KIND_OP, &op->item);
}

const nm_op *nm_find_op(const nm_context *context, const char *name)
{
    return (const nm_op *)nm_find(context, NM_KIND_OP, name);
}

/* ---- Calls by name ---- */

static nm_status call(nm_tape *tape, const nm_op *op, nm_tensor *const *inputs, int input_count,
                      const char *text, nm_tensor **all)
{
    nm_context *context = tape->context;
    const nm_spec *spec = op->item.spec;
    if (!spec) {
        if (text && *text && strcmp(text, "{}") != 0) {
            return nm_fail(context, NM_ERROR_INPUT, "%s: it has no options, but was given %s",
                           op->item.name, text);
        }
        return nm_apply(tape, op, inputs, input_count, NULL, all);
    }
    void *options = nm_scratch(context, spec->size);
    nm_status status =
        options ? nm_spec_read_text(context, spec, text, op->item.name, options) : NM_ERROR_MEMORY;
    if (status == NM_OK) {
        status = nm_apply(tape, op, inputs, input_count, options, all);
    }
    nm_scratch_end(options);
    return status;
}

nm_status nm_call(nm_tape *tape, const char *name, nm_tensor *const *inputs, int input_count,
                  const char *options, nm_tensor **outputs, int output_count)
{
    for (int i = 0; outputs && i < output_count; i++) {
        outputs[i] = NULL;
    }
    NM_GIVEN(tape, NM_ERROR_INPUT);
    NM_REQUIRE(tape->context, name, NM_ERROR_INPUT);
    NM_REQUIRE(tape->context, outputs, NM_ERROR_INPUT);
    nm_context *context = tape->context;
    if (context->status != NM_OK) {
        return context->status;
    }
    const nm_op *op = (const nm_op *)nm_require(context, NM_KIND_OP, name);
    if (!op) {
        return context->status;
    }
    if (output_count > op->output_count) {
        return nm_fail(context, NM_ERROR_INPUT, "%s: it has %d outputs, but %d were asked for",
                       name, op->output_count, output_count);
    }
    nm_tensor *all[NM_MAX_OUTPUTS];
    nm_status status = call(tape, op, inputs, input_count, options, all);
    for (int i = 0; status == NM_OK && i < output_count; i++) {
        outputs[i] = all[i];
    }
    return status;
}
