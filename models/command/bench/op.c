/* The row of one op: forward, or with its gradient. */
#include <string.h>

#include "models/command/bench/bench.h"

typedef struct running {
    nm_context *context;
    nm_tape *tape;
    const nm_op *op;
    const void *options;
    int inputs, floats;
    nm_tensor *in[NM_SAMPLE_INPUTS], *float_in[NM_SAMPLE_INPUTS];
    nm_tensor *gradient; /* of output 0 */
    nm_precision precision;
} running;

static void forward(void *state)
{
    running *r = state;
    nm_tensor *out[NM_MAX_OUTPUTS];
    nm_tape_reset(r->tape);
    nm_apply(r->tape, r->op, r->in, r->inputs, r->options, out);
}

static void both(void *state)
{
    running *r = state;
    nm_tensor *out[NM_MAX_OUTPUTS], *grads[NM_SAMPLE_INPUTS];
    nm_tape_reset(r->tape);
    if (nm_apply(r->tape, r->op, r->in, r->inputs, r->options, out) == NM_OK) {
        nm_gradients(r->tape, out, &r->gradient, 1, r->float_in, r->floats, 0, grads);
    }
}

bench_sample bench_sample_of(const nm_sample *small)
{
    bench_sample sample = {.options = small->options, .inputs = small->inputs};
    for (int i = 0; i < NM_SAMPLE_INPUTS; i++) {
        const nm_sample_input *in = &small->in[i];
        sample.in[i] =
            (bench_input){(nm_fill)in->fill, nm_shape_of_sample(&in->shape), in->low, in->high};
    }
    return sample;
}

static void fill(nm_tensor *x, const bench_input *s, nm_random *random)
{
    if (s->fill == NM_FILL_INDEX) {
        for (int64_t i = 0; i < nm_tensor_count(x); i++) {
            nm_tensor_set(x, i, (double)nm_random_below(random, (int64_t)s->high));
        }
    } else if (s->fill == NM_FILL_UNIFORM) {
        nm_random_fill_uniform(random, x, s->low, s->high);
    } else {
        nm_random_fill_normal(random, x, 0, 1);
    }
}

static nm_status make_inputs(running *r, const bench_sample *sample)
{
    nm_random random = nm_random_create(1, 0);
    for (int i = 0; i < NM_SAMPLE_INPUTS; i++) {
        const bench_input *s = &sample->in[i];
        if (s->fill == NM_FILL_ABSENT && i < sample->inputs) {
            r->inputs++;
            continue;
        }
        if (s->fill == NM_FILL_ABSENT) {
            break;
        }
        bool index = s->fill == NM_FILL_INDEX;
        nm_tensor *x = nm_tensor_create(r->context, index ? NM_I32 : NM_F32, s->shape);
        if (!x) {
            return nm_context_status(r->context);
        }
        r->in[r->inputs++] = x;
        fill(x, s, &random);
        if (!index) {
            nm_tensor_set_requires_grad(x, true);
            r->float_in[r->floats++] = x;
        }
    }
    return nm_context_status(r->context);
}

static double count_bytes(nm_tensor *const *tensors, int count)
{
    double bytes = 0;
    for (int i = 0; i < count; i++) {
        bytes += tensors[i] ? (double)nm_tensor_bytes(tensors[i]) : 0;
    }
    return bytes;
}

/* Runs it once, to make the output's gradient and to count what it does: nothing, for a view. */
static nm_status try_it(running *r, double *multiply_adds, double *output_bytes)
{
    nm_tensor *out[NM_MAX_OUTPUTS];
    nm_random random = nm_random_create(2, 0);
    if (nm_apply(r->tape, r->op, r->in, r->inputs, r->options, out) != NM_OK) {
        return nm_context_status(r->context);
    }
    *multiply_adds = (double)nm_tape_cost_so_far(r->tape).multiply_adds;
    const bool view = r->in[0] && nm_tensor_data(out[0]) == nm_tensor_data(r->in[0]);
    *output_bytes = view ? 0 : count_bytes(out, r->op->output_count);
    r->gradient = nm_tensor_create(r->context, NM_F32, *nm_tensor_shape(out[0]));
    if (r->gradient) {
        nm_random_fill_normal(&random, r->gradient, 0, 1);
    }
    return nm_context_status(r->context);
}

/* Sets the option `precision` of ops that have one, and says what the op computes in. */
static nm_precision choose_precision(const bench *b, const nm_spec *spec, void *options)
{
    for (int i = 0; spec && i < spec->count; i++) {
        if (strcmp(spec->options[i].name, "precision") == 0) {
            *(int *)(void *)((char *)options + spec->options[i].offset) = (int)b->precision;
            return b->precision;
        }
    }
    return NM_PRECISION_F32;
}

/* Forward reads the inputs and writes the output; the gradient reads the inputs and the output's
 * gradient, and writes the inputs' gradients. Products do as much again for each of two inputs. */
static nm_status measure_op(bench *b, running *r, const char *name, bool with_gradient)
{
    double multiply_adds = 0, output = 0, input = count_bytes(r->in, r->inputs);
    nm_status status = try_it(r, &multiply_adds, &output);
    if (status != NM_OK) {
        return status;
    }
    const nm_shape *shape = nm_tensor_shape(r->in[0]);
    const bench_row row = {.name = name,
                           .batch = shape->rank ? shape->dim[0] : 1,
                           .multiply_adds = (with_gradient ? 3 : 1) * multiply_adds,
                           .bytes = output == 0     ? 0
                                    : with_gradient ? 3 * input + 2 * output
                                                    : input + output,
                           .precision = r->precision,
                           .step = with_gradient ? both : forward,
                           .state = r};
    return bench_measure(b, &row);
}

nm_status bench_op(bench *b, const char *name, const nm_op *op, const bench_sample *sample,
                   bool with_gradient)
{
    running r = {.context = b->context, .op = op};
    const nm_spec *spec = op->item.spec;
    void *options = spec ? nm_alloc(b->context, spec->size) : NULL;
    r.options = options;
    r.tape = nm_tape_create(b->context);
    nm_status status = nm_context_status(b->context);
    if (status == NM_OK && spec) {
        status = nm_spec_read_text(b->context, spec, sample->options, op->item.name, options);
    }
    if (status == NM_OK) {
        r.precision = choose_precision(b, spec, options);
        status = make_inputs(&r, sample);
    }
    if (status == NM_OK) status = measure_op(b, &r, name, with_gradient);
    for (int i = 0; i < r.inputs; i++) {
        nm_tensor_destroy(r.in[i]);
    }
    nm_tensor_destroy(r.gradient);
    nm_tape_destroy(r.tape);
    nm_free(b->context, options);
    return status;
}
