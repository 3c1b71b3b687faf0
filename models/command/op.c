/* norma op: one op on arrays from files, and its backward. */
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"

typedef struct call {
    nm_context *context;
    const arguments *arguments;
    const nm_op *op;
    nm_tape *tape;
    int inputs;
    nm_tensor *in[NM_MAX_INPUTS];
    int grads;
    nm_tensor *grad[NM_MAX_OUTPUTS];
} call;

/* A flag's n-th file; "-" leaves an optional input out. */
static const char *nth_file(const call *c, const char *flag, int n, bool *given)
{
    const char *path = argument_nth(c->arguments, flag, n);
    *given = path != NULL;
    return path && strcmp(path, "-") != 0 ? path : NULL;
}

/* The arrays of --in or --grad-out, at most `most`. */
static nm_status read_arrays(const call *c, const char *flag, int most, nm_tensor **array,
                             int *count)
{
    bool given = true;
    for (int i = 0; given; i++) {
        const char *path = nth_file(c, flag, i, &given);
        if (!given) {
            break;
        }
        if (i >= most) {
            return nm_fail(c->context, NM_ERROR_INPUT, "%s: it takes at most %d of %s",
                           c->op->item.name, most, flag);
        }
        array[i] = path ? nm_npy_read(c->context, path) : NULL;
        *count = i + 1;
        if (path && !array[i]) {
            return nm_context_status(c->context);
        }
    }
    return NM_OK;
}

static nm_status read_inputs(call *c, int outputs)
{
    nm_status status = read_arrays(c, "--in", NM_MAX_INPUTS, c->in, &c->inputs);
    for (int i = 0; i < c->inputs; i++) {
        if (c->in[i] && nm_dtype_is_float(nm_tensor_dtype(c->in[i]))) {
            nm_tensor_set_requires_grad(c->in[i], true);
        }
    }
    return status == NM_OK ? read_arrays(c, "--grad-out", outputs, c->grad, &c->grads) : status;
}

static nm_status write_outputs(call *c, nm_tensor **out, int visible)
{
    bool given = true;
    for (int i = 0; given; i++) {
        const char *path = nth_file(c, "--out", i, &given);
        if (given && i >= visible) {
            return nm_fail(c->context, NM_ERROR_INPUT,
                           "%s: it has %d outputs; --out %s is one more", c->op->item.name, visible,
                           path ? path : "-");
        }
        if (path && !out[i]) {
            return nm_fail(c->context, NM_ERROR_INPUT,
                           "%s: there is no output %d; --out %s is one more", c->op->item.name, i,
                           path);
        }
        if (path && nm_npy_write(out[i], path) != NM_OK) {
            return nm_context_status(c->context);
        }
    }
    return NM_OK;
}

/* The gradients of all floating inputs, in their order; --grad-in takes them by position. */
static nm_status write_gradients(call *c, nm_tensor **out)
{
    nm_tensor *outputs[NM_MAX_OUTPUTS], *weights[NM_MAX_OUTPUTS];
    int count = 0;
    for (int i = 0; i < c->grads; i++) {
        if (c->grad[i]) {
            outputs[count] = out[i];
            weights[count++] = c->grad[i];
        }
    }
    bool given = true;
    for (int i = 0; given; i++) {
        const char *path = nth_file(c, "--grad-in", i, &given);
        if (!path) {
            continue;
        }
        if (!count) {
            return nm_fail(c->context, NM_ERROR_INPUT, "--grad-in needs a --grad-out");
        }
        if (i >= c->inputs || !c->in[i]) {
            return nm_fail(c->context, NM_ERROR_INPUT, "--grad-in %s: there is no input %d", path,
                           i);
        }
        if (!nm_dtype_is_float(nm_tensor_dtype(c->in[i]))) {
            return nm_fail(c->context, NM_ERROR_INPUT,
                           "--grad-in %s: input %d holds %s, which has no gradient; give - in "
                           "its place",
                           path, i, nm_dtype_name(nm_tensor_dtype(c->in[i])));
        }
        nm_tensor *gradient;
        nm_status status =
            nm_gradients(c->tape, outputs, weights, count, &c->in[i], 1, NM_KEEP_GRAPH, &gradient);
        if (status != NM_OK || nm_npy_write(gradient, path) != NM_OK) {
            return nm_context_status(c->context);
        }
    }
    return NM_OK;
}

static void describe(const call *c, nm_tensor **out, int visible)
{
    char text[NM_SHAPE_TEXT];
    for (int i = 0; i < visible && out[i]; i++) {
        fprintf(stderr, "%s %s %s\n", c->op->outputs[i].name,
                nm_dtype_name(nm_tensor_dtype(out[i])),
                nm_shape_text(nm_tensor_shape(out[i]), text));
    }
}

static nm_status run_call(call *c)
{
    int visible = 0;
    while (visible < c->op->output_count && !(c->op->outputs[visible].flags & NM_PORT_HIDDEN)) {
        visible++;
    }
    nm_tensor *out[NM_MAX_OUTPUTS];
    nm_status status = read_inputs(c, visible);
    if (status == NM_OK) {
        status = nm_call(c->tape, c->op->item.name, c->in, c->inputs,
                         argument_value(c->arguments, "--attrs"), out, visible);
    }
    if (status == NM_OK) {
        status = write_outputs(c, out, visible);
    }
    if (status == NM_OK) {
        status = write_gradients(c, out);
    }
    if (status == NM_OK) {
        describe(c, out, visible);
    }
    return status;
}

static int run_op(nm_context *context, const arguments *a)
{
    call c = {.context = context, .arguments = a, .tape = nm_tape_create(context)};
    c.op = (const nm_op *)nm_require(context, NM_KIND_OP, a->positional[0]);
    nm_status status = c.op && c.tape ? run_call(&c) : nm_context_status(context);
    nm_tape_destroy(c.tape);
    for (int i = 0; i < c.inputs; i++) {
        nm_tensor_destroy(c.in[i]);
    }
    for (int i = 0; i < c.grads; i++) {
        nm_tensor_destroy(c.grad[i]);
    }
    return status == NM_OK ? EXIT_FINE : report_error(context);
}

const command command_op = {
    .name = "op",
    .usage = "NAME",
    .summary = "run one op on arrays from .npy files",
    .doc =
        "Runs an op on arrays read from .npy files and writes its outputs. With gradients of the "
        "outputs (--grad-out, in the outputs' order) it also runs the backward pass and writes "
        "the gradients of the inputs (--grad-in, in the inputs' order). A file called - leaves "
        "one out.\n"
        "\n"
        "  norma op softmax --in x.npy --attrs '{axis: -1}' --out y.npy \\\n"
        "      --grad-out gy.npy --grad-in gx.npy",
    .flags = {{"--in", "FILE", "an input; give one for each, in order"},
              {"--attrs", "YAML", "options, such as '{axis: -1}'"},
              {"--out", "FILE", "where an output goes; give one for each, in order"},
              {"--grad-out", "FILE", "the gradient of an output, in order"},
              {"--grad-in", "FILE", "where the gradient of an input goes, in order"}},
    .least = 1,
    .most = 1,
    .run = run_op,
};
