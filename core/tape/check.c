/* The gradient check. For outputs y_j of an op, random weights u_j and the number
 * s(x) = sum_j <u_j, y_j(x)>:
 *
 * 1. ds/dx from the op's vjp equals central differences of s. (Weighted, since a plain sum hides
 *    wrong gradients: batch norm's sums to zero over a batch whatever it is.)
 * 2. With random v, the gradient of <v, ds/dx> in x and in u, from the vjp of the vjp, equals
 *    central differences of it.
 * 3. f32 gives the outputs and gradients of f64, within f32's rounding.
 * 4. A second run gives the same bits.
 * 5. Neither the computation nor the gradient changes the inputs.
 * 6. The outputs have the shapes that the shape rule says: every element is written, and nothing
 *    behind the last one. */
#include <math.h>
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"
#include "core/plugin.h"
#include "core/tape/checker.h"

#define STEP 1e-5            /* of the differences, relative to the value */
#define FIRST_TOLERANCE 1e-6 /* all relative to the largest element compared, or to 1 */
#define SECOND_TOLERANCE 1e-5
#define F32_TOLERANCE 2e-4
#define MAX_VARIABLES (NM_SAMPLE_INPUTS + NM_MAX_OUTPUTS)

/* ---- The op, its gradient, and the two numbers that are differentiated ---- */

/* Lists the tensors that are present. */
static int gather(nm_tensor *const *from, int count, nm_tensor **out)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (from[i]) {
            out[n++] = from[i];
        }
    }
    return n;
}

static int smooth_inputs(const nm_checker *c, nm_tensor **out)
{
    nm_tensor *smooth[NM_SAMPLE_INPUTS];
    for (int i = 0; i < c->inputs; i++) {
        smooth[i] = nm_checker_is_smooth(c, i) ? c->in[i] : NULL;
    }
    return gather(smooth, c->inputs, out);
}

/* The differentiated outputs of one run. */
static int run(nm_checker *c, nm_tensor **out)
{
    nm_tensor *all[NM_MAX_OUTPUTS];
    if (nm_apply(c->tape, c->op, c->in, c->inputs, c->options, all) != NM_OK) {
        return 0;
    }
    for (int i = 0; i < c->op->output_count; i++) {
        all[i] = c->weight[i] ? all[i] : NULL;
    }
    return gather(all, c->op->output_count, out);
}

/* ds/dx for all differentiated inputs. */
static nm_status run_gradient(nm_checker *c, unsigned flags, nm_tensor **grads)
{
    nm_tensor *out[NM_MAX_OUTPUTS], *weights[NM_MAX_OUTPUTS], *in[NM_SAMPLE_INPUTS];
    int outputs = run(c, out);
    gather(c->weight, c->op->output_count, weights);
    int inputs = smooth_inputs(c, in);
    return nm_gradients(c->tape, out, weights, outputs, in, inputs, flags, grads);
}

static double dot(nm_tensor *a, nm_tensor *b)
{
    double sum = 0;
    for (int64_t i = 0; a && b && i < a->count; i++) {
        sum += nm_tensor_get(a, i) * nm_tensor_get(b, i);
    }
    return sum;
}

typedef double (*number_fn)(nm_checker *c);

static double weighted_outputs(nm_checker *c)
{
    nm_tensor *out[NM_MAX_OUTPUTS], *weights[NM_MAX_OUTPUTS];
    int outputs = run(c, out);
    gather(c->weight, c->op->output_count, weights);
    double sum = 0;
    for (int i = 0; i < outputs; i++) {
        sum += dot(weights[i], out[i]);
    }
    nm_tape_reset(c->tape);
    return sum;
}

static double weighted_gradients(nm_checker *c)
{
    nm_tensor *grads[NM_SAMPLE_INPUTS], *again[NM_SAMPLE_INPUTS];
    int n = gather(c->again, c->inputs, again);
    double sum = 0;
    if (run_gradient(c, 0, grads) == NM_OK) {
        for (int i = 0; i < n; i++) {
            sum += dot(again[i], grads[i]);
        }
    }
    nm_tape_reset(c->tape);
    return sum;
}

/* ---- Comparing with differences ---- */

static double difference(nm_checker *c, number_fn number, nm_tensor *x, int64_t i)
{
    double *value = (double *)x->data + i;
    double old = *value, step = STEP * fmax(1, fabs(old));
    *value = old + step;
    double above = *value, high = number(c);
    *value = old - step;
    double below = *value, low = number(c);
    *value = old;
    return (high - low) / (above - below);
}

/* Compares `gradient` of `number` in x with differences; keeps the largest error. */
static nm_status compare(nm_checker *c, number_fn number, nm_tensor *x, const double *gradient,
                         const char *of, int index, double tolerance, double *largest)
{
    double scale = 1;
    for (int64_t i = 0; i < x->count; i++) {
        scale = fmax(scale, fabs(gradient[i]));
    }
    for (int64_t i = 0; i < x->count; i++) {
        double wanted = difference(c, number, x, i);
        double error = fabs(gradient[i] - wanted) / scale;
        if (c->context->status != NM_OK) {
            return c->context->status;
        }
        if (!(error <= tolerance)) {
            return nm_checker_fail(
                c, "%s %d, element %lld: the gradient is %.12g, differences say %.12g", of, index,
                (long long)i, gradient[i], wanted);
        }
        *largest = fmax(*largest, error);
    }
    return NM_OK;
}

/* Copies results off the tape, which the differences will reset. */
static double *copy_out(nm_checker *c, nm_tensor *const *grads, int count)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++) {
        bytes += nm_tensor_bytes(grads[i]);
    }
    char *copy = nm_alloc(c->context, bytes + 1);
    size_t at = 0;
    for (int i = 0; copy && i < count; i++) {
        memcpy(copy + at, grads[i]->data, nm_tensor_bytes(grads[i]));
        at += nm_tensor_bytes(grads[i]);
    }
    nm_tape_reset(c->tape);
    return (double *)(void *)copy;
}

static nm_status compare_all(nm_checker *c, number_fn number, nm_tensor *const *x, int count,
                             nm_tensor *const *grads, const char *of, double tolerance,
                             double *largest)
{
    double *copy = copy_out(c, grads, count);
    double *gradient = copy;
    nm_status status = copy ? NM_OK : NM_ERROR_MEMORY;
    for (int i = 0; i < count && status == NM_OK; i++) {
        status = compare(c, number, x[i], gradient, of, i, tolerance, largest);
        gradient += x[i]->count;
    }
    nm_free(c->context, copy);
    return status;
}

/* Promise 1. */
static nm_status check_first_order(nm_checker *c)
{
    nm_tensor *in[NM_SAMPLE_INPUTS], *grads[NM_SAMPLE_INPUTS];
    int inputs = smooth_inputs(c, in);
    if (run_gradient(c, 0, grads) != NM_OK) {
        return c->context->status;
    }
    return compare_all(c, weighted_outputs, in, inputs, grads, "differentiated input",
                       FIRST_TOLERANCE, &c->result->first_error);
}

/* Promise 2. */
static nm_status check_second_order(nm_checker *c)
{
    nm_tensor *variables[MAX_VARIABLES], *first[NM_SAMPLE_INPUTS], *again[NM_SAMPLE_INPUTS];
    nm_tensor *second[MAX_VARIABLES];
    int inputs = smooth_inputs(c, variables);
    int all = inputs + gather(c->weight, c->op->output_count, variables + inputs);
    gather(c->again, c->inputs, again);
    if (run_gradient(c, NM_CREATE_GRAPH, first) != NM_OK ||
        nm_gradients(c->tape, first, again, inputs, variables, all, 0, second) != NM_OK) {
        return c->context->status;
    }
    return compare_all(c, weighted_gradients, variables, all, second,
                       "second order, variable (inputs, then output gradients)", SECOND_TOLERANCE,
                       &c->result->second_error);
}

/* ---- f32 against f64, and the same bits twice ---- */

static nm_tensor *as_f32(nm_context *context, nm_tensor *x)
{
    if (!x || x->dtype != NM_F64) {
        return x;
    }
    nm_tensor *y = nm_tensor_create(context, NM_F32, x->shape);
    for (int64_t i = 0; y && i < x->count; i++) {
        nm_tensor_set(y, i, nm_tensor_get(x, i));
    }
    if (y) {
        y->requires_grad = x->requires_grad;
    }
    return y;
}

/* A nm_checker with f32 copies of the tensors; what was not copied is shared. */
static nm_checker narrow(const nm_checker *c)
{
    nm_checker n = *c;
    for (int i = 0; i < c->inputs; i++) {
        n.in[i] = as_f32(c->context, c->in[i]);
    }
    for (int i = 0; i < c->op->output_count; i++) {
        n.weight[i] = as_f32(c->context, c->weight[i]);
    }
    return n;
}

static void destroy_narrow(nm_checker *n, const nm_checker *c)
{
    for (int i = 0; i < c->inputs; i++) {
        if (n->in[i] != c->in[i]) {
            nm_tensor_destroy(n->in[i]);
        }
    }
    for (int i = 0; i < c->op->output_count; i++) {
        if (n->weight[i] != c->weight[i]) {
            nm_tensor_destroy(n->weight[i]);
        }
    }
}

/* Outputs and gradients of one run, one after the other. */
static int run_both(nm_checker *c, nm_tensor **all)
{
    int outputs = run(c, all);
    for (int i = 0; i < outputs; i++) {
        nm_tensor_keep(all[i]);
    }
    if (!nm_op_has_gradient(c->op) || c->context->status != NM_OK) {
        return outputs;
    }
    nm_tensor *in[NM_SAMPLE_INPUTS];
    return run_gradient(c, 0, all + outputs) == NM_OK ? outputs + smooth_inputs(c, in) : outputs;
}

/* Promise 3. */
static nm_status compare_f32(nm_checker *c, nm_tensor *const *wide, nm_tensor *const *n, int count)
{
    for (int k = 0; k < count; k++) {
        double scale = 1;
        for (int64_t i = 0; i < wide[k]->count; i++) {
            scale = fmax(scale, fabs(nm_tensor_get(wide[k], i)));
        }
        for (int64_t i = 0; i < wide[k]->count; i++) {
            double a = nm_tensor_get(n[k], i), b = nm_tensor_get(wide[k], i);
            if (!(fabs(a - b) <= F32_TOLERANCE * scale)) {
                return nm_checker_fail(
                    c,
                    "result %d (outputs, then gradients), element %lld: f32 gives "
                    "%.9g, f64 %.12g",
                    k, (long long)i, a, b);
            }
        }
    }
    return NM_OK;
}

static nm_status compare_bits(nm_checker *c, nm_tensor *const *a, nm_tensor *const *b, int count)
{
    for (int k = 0; k < count; k++) {
        if (memcmp(a[k]->data, b[k]->data, nm_tensor_bytes(a[k])) != 0) {
            return nm_checker_fail(c, "result %d (outputs, then gradients) differs in a second run",
                                   k);
        }
    }
    return NM_OK;
}

/* Promises 3 and 4. */
static nm_status check_f32(nm_checker *c)
{
    nm_tensor *wide[MAX_VARIABLES], *once[MAX_VARIABLES], *twice[MAX_VARIABLES];
    nm_checker n = narrow(c);
    int count = c->context->status == NM_OK ? run_both(c, wide) : 0;
    if (c->context->status == NM_OK) run_both(&n, once);
    if (c->context->status == NM_OK) run_both(&n, twice);
    nm_status status = c->context->status;
    if (status == NM_OK) status = compare_f32(c, wide, once, count);
    if (status == NM_OK) status = compare_bits(c, once, twice, count);
    nm_tape_reset(c->tape);
    destroy_narrow(&n, c);
    return status;
}

/* ---- All of it ---- */

static nm_status check_recorded(nm_checker *c)
{
    nm_tensor *out[NM_MAX_OUTPUTS], *in[NM_SAMPLE_INPUTS];
    int outputs = run(c, out);
    bool wanted = nm_op_has_gradient(c->op) && smooth_inputs(c, in) > 0;
    nm_status status = c->context->status;
    for (int i = 0; i < outputs && status == NM_OK; i++) {
        if (out[i]->requires_grad != wanted) {
            status = nm_checker_fail(c, "output %d is%s recorded", i, wanted ? " not" : "");
        }
    }
    nm_tape_reset(c->tape);
    return status;
}

static nm_status check_tensors(nm_checker *c, const nm_sample *sample)
{
    nm_tensor *in[NM_SAMPLE_INPUTS];
    nm_status status = nm_checker_make_tensors(c, sample);
    bool smooth = nm_op_has_gradient(c->op) && smooth_inputs(c, in) > 0;
    if (status == NM_OK) status = check_recorded(c);
    if (status == NM_OK && smooth) status = check_first_order(c);
    if (status == NM_OK && smooth && !sample->first_order_only) status = check_second_order(c);
    if (status == NM_OK) status = check_f32(c);
    if (status == NM_OK) status = nm_checker_compare_inputs(c, "gradient");
    if (status != NM_OK && status != NM_ERROR_NUMERIC) {
        nm_fail_in(c->context, "sample %d", c->sample);
    }
    nm_tape_reset(c->tape);
    nm_checker_destroy_tensors(c);
    return status;
}

static nm_status check_sample(nm_checker *c, const nm_sample *sample)
{
    const nm_spec *spec = c->op->item.spec;
    if (!spec) {
        return check_tensors(c, sample);
    }
    void *options = nm_alloc_zero(c->context, 1, spec->size);
    if (!options) {
        return NM_ERROR_MEMORY;
    }
    c->options = options;
    nm_status status =
        nm_spec_read_text(c->context, spec, sample->options, c->op->item.name, options);
    if (status == NM_OK) {
        status = check_tensors(c, sample);
    }
    nm_free(c->context, options);
    return status;
}

nm_status nm_check_op(nm_context *context, const char *name, nm_check_result *result)
{
    nm_check_result own = {0};
    result = result ? result : &own;
    *result = own;
    NM_UNLESS_FAILED(context);
    NM_REQUIRE(context, name, NM_ERROR_INPUT);
    const nm_op *op = (const nm_op *)nm_require(context, NM_KIND_OP, name);
    if (!op) {
        return context->status;
    }
    if (op->sample_count < 1) {
        nm_fail(context, NM_ERROR_INPUT, "%s: it has no samples to check it on", name);
        return nm_plugin_blame(context, &op->item);
    }
    nm_tape *tape = nm_tape_create(context);
    nm_status status = tape ? NM_OK : NM_ERROR_MEMORY;
    for (int i = 0; i < op->sample_count && status == NM_OK; i++) {
        nm_checker c = {.context = context, .tape = tape, .op = op, .sample = i, .result = result};
        status = check_sample(&c, &op->samples[i]);
        result->samples++;
    }
    nm_tape_destroy(tape);
    return status == NM_OK ? NM_OK : nm_plugin_blame(context, &op->item);
}
