/* One op at a time: forward, and with its gradient. */
#include <stdio.h>
#include <string.h>

#include "core/op.h"
#include "models/command/bench/bench.h"

/* A row is an op on one sample, as in the op's own samples for the gradient check. */
typedef struct kernel {
    const char *name; /* of the op, and what it is run on */
    const char *op;
    nm_sample sample;
} kernel;

static const kernel kernels[] = {
    {"batch_norm 128x32x32x16",
     "batch_norm",
     {.in = {NM_NORMAL(128, 32, 32, 16), NM_NORMAL(16), NM_NORMAL(16)}}},
    {"batch_norm 128x8x8x64",
     "batch_norm",
     {.in = {NM_NORMAL(128, 8, 8, 64), NM_NORMAL(64), NM_NORMAL(64)}}},
    {"batch_norm 64x14x14x64",
     "batch_norm",
     {.in = {NM_NORMAL(64, 14, 14, 64), NM_NORMAL(64), NM_NORMAL(64)}}},
    {"batch_norm 128x512",
     "batch_norm",
     {.in = {NM_NORMAL(128, 512), NM_NORMAL(512), NM_NORMAL(512)}}},
    {"batch_norm_activation 64x14x14x64",
     "batch_norm_activation",
     {.options = "{activation: relu}",
      .in = {NM_NORMAL(64, 14, 14, 64), NM_NORMAL(64), NM_NORMAL(64)}}},
    {"batch_norm_max_pool2d 64x28x28x32",
     "batch_norm_max_pool2d",
     {.options = "{activation: relu}",
      .in = {NM_NORMAL(64, 28, 28, 32), NM_NORMAL(32), NM_NORMAL(32)}}},
    {"layer_norm 4096x768",
     "layer_norm",
     {.in = {NM_NORMAL(4096, 768), NM_NORMAL(768), NM_NORMAL(768)}}},
    {"rms_norm 4096x768", "rms_norm", {.in = {NM_NORMAL(4096, 768), NM_NORMAL(768)}}},
    {"group_norm 64x14x14x64",
     "group_norm",
     {.options = "{groups: 8}", .in = {NM_NORMAL(64, 14, 14, 64), NM_NORMAL(64), NM_NORMAL(64)}}},
    {"instance_norm 64x14x14x64",
     "instance_norm",
     {.in = {NM_NORMAL(64, 14, 14, 64), NM_NORMAL(64), NM_NORMAL(64)}}},
    {"weight_norm 512x784",
     "weight_norm",
     {.options = "{axis: 0}", .in = {NM_NORMAL(512, 784), NM_UNIFORM(1, 2, 512)}}},
    {"weight_norm 2048x2048",
     "weight_norm",
     {.options = "{axis: 0}", .in = {NM_NORMAL(2048, 2048), NM_UNIFORM(1, 2, 2048)}}},
    {"cross_entropy 128x10", "cross_entropy", {.in = {NM_NORMAL(128, 10), NM_INDEX(10, 128)}}},
    {"cross_entropy 1024x1000",
     "cross_entropy",
     {.in = {NM_NORMAL(1024, 1000), NM_INDEX(1000, 1024)}}},
    {"softmax 1024x1000", "softmax", {.in = {NM_NORMAL(1024, 1000)}}},
    {"max_pool2d 64x28x28x32",
     "max_pool2d",
     {.options = "{kernel: [2, 2]}", .in = {NM_NORMAL(64, 28, 28, 32)}}},
    {"relu 64x28x28x32", "relu", {.in = {NM_NORMAL(64, 28, 28, 32)}}},
    {"sigmoid 128x512", "sigmoid", {.in = {NM_NORMAL(128, 512)}}},
    {"gelu 64x28x28x32", "gelu", {.in = {NM_NORMAL(64, 28, 28, 32)}}},
    {"sum 128x32x32x16", "sum", {.in = {NM_NORMAL(128, 32, 32, 16)}}},
    {"matmul 64x64x64", "matmul", {.in = {NM_NORMAL(64, 64), NM_NORMAL(64, 64)}}},
    {"matmul 1024x1024x1024", "matmul", {.in = {NM_NORMAL(1024, 1024), NM_NORMAL(1024, 1024)}}},
    {"dense 64x100x784",
     "dense",
     {.in = {NM_NORMAL(64, 784), NM_NORMAL(100, 784), NM_NORMAL(100)}}},
    {"dense 128x256x784",
     "dense",
     {.in = {NM_NORMAL(128, 784), NM_NORMAL(256, 784), NM_NORMAL(256)}}},
    {"dense 128x512x784",
     "dense",
     {.in = {NM_NORMAL(128, 784), NM_NORMAL(512, 784), NM_NORMAL(512)}}},
    {"conv2d 64x28x28, 1 to 32",
     "conv2d",
     {.options = "{padding: [1]}",
      .in = {NM_NORMAL(64, 28, 28, 1), NM_NORMAL(32, 3, 3, 1), NM_NORMAL(32)}}},
    {"conv2d 64x14x14, 32 to 64",
     "conv2d",
     {.options = "{padding: [1]}",
      .in = {NM_NORMAL(64, 14, 14, 32), NM_NORMAL(64, 3, 3, 32), NM_NORMAL(64)}}},
    {"conv2d 128x32x32, 16 to 16",
     "conv2d",
     {.options = "{padding: [1]}",
      .in = {NM_NORMAL(128, 32, 32, 16), NM_NORMAL(16, 3, 3, 16), NM_NORMAL(16)}}},
    {"conv2d 128x8x8, 64 to 64",
     "conv2d",
     {.options = "{padding: [1]}",
      .in = {NM_NORMAL(128, 8, 8, 64), NM_NORMAL(64, 3, 3, 64), NM_NORMAL(64)}}},
};

/* ---- An op with what it runs on ---- */

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

static void fill(nm_tensor *x, const nm_sample_input *s, nm_random *random)
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

static nm_status make_inputs(running *r, const nm_sample *sample)
{
    nm_random random = nm_random_create(1, 0);
    for (int i = 0; i < NM_SAMPLE_INPUTS && sample->in[i].fill != NM_FILL_ABSENT; i++) {
        const nm_sample_input *s = &sample->in[i];
        bool index = s->fill == NM_FILL_INDEX;
        nm_tensor *x =
            nm_tensor_create(r->context, index ? NM_I32 : NM_F32, nm_shape_of_sample(&s->shape));
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

/* Runs it once, to make the output's gradient and to count what it does. */
static nm_status try_it(running *r, double *multiply_adds, double *output_bytes)
{
    nm_tensor *out[NM_MAX_OUTPUTS];
    nm_random random = nm_random_create(2, 0);
    if (nm_apply(r->tape, r->op, r->in, r->inputs, r->options, out) != NM_OK) {
        return nm_context_status(r->context);
    }
    *multiply_adds = (double)nm_tape_cost_so_far(r->tape).multiply_adds;
    *output_bytes = (double)nm_tensor_bytes(out[0]);
    r->gradient = nm_tensor_create(r->context, NM_F32, *nm_tensor_shape(out[0]));
    if (r->gradient) {
        nm_random_fill_normal(&random, r->gradient, 0, 1);
    }
    return nm_context_status(r->context);
}

static double input_bytes(const running *r)
{
    double bytes = 0;
    for (int i = 0; i < r->inputs; i++) {
        bytes += (double)nm_tensor_bytes(r->in[i]);
    }
    return bytes;
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
static nm_status measure_kernel(bench *b, running *r, const kernel *k, bool with_gradient)
{
    char name[128];
    double multiply_adds = 0, output = 0, input = input_bytes(r);
    nm_status status = try_it(r, &multiply_adds, &output);
    if (status != NM_OK) {
        return status;
    }
    size_t op = strlen(k->op);
    snprintf(name, sizeof name, "%s%s%s", k->op, with_gradient ? "+grad" : "", k->name + op);
    const bench_row row = {.name = name,
                           .batch = nm_tensor_shape(r->in[0])->dim[0],
                           .multiply_adds = (with_gradient ? 3 : 1) * multiply_adds,
                           .bytes = with_gradient ? 3 * input + 2 * output : input + output,
                           .precision = r->precision,
                           .step = with_gradient ? both : forward,
                           .state = r};
    return bench_measure(b, &row);
}

static nm_status bench_kernel(bench *b, const kernel *k, bool with_gradient)
{
    running r = {.context = b->context, .op = nm_find_op(b->context, k->op)};
    const nm_spec *spec = r.op->item.spec;
    void *options = spec ? nm_alloc(b->context, spec->size) : NULL;
    r.options = options;
    r.tape = nm_tape_create(b->context);
    nm_status status = nm_context_status(b->context);
    if (status == NM_OK && spec) {
        status = nm_spec_read_text(b->context, spec, k->sample.options, k->op, options);
    }
    if (status == NM_OK) {
        r.precision = choose_precision(b, spec, options);
        status = make_inputs(&r, &k->sample);
    }
    if (status == NM_OK) status = measure_kernel(b, &r, k, with_gradient);
    for (int i = 0; i < r.inputs; i++) {
        nm_tensor_destroy(r.in[i]);
    }
    nm_tensor_destroy(r.gradient);
    nm_tape_destroy(r.tape);
    nm_free(b->context, options);
    return status;
}

nm_status bench_kernels(bench *b)
{
    nm_status status = NM_OK;
    b->heading = "One op";
    for (int i = 0; i < NM_COUNT_OF(kernels) && status == NM_OK; i++) {
        const kernel *k = &kernels[i];
        char name[128];
        size_t op = strlen(k->op);
        snprintf(name, sizeof name, "%s+grad%s", k->op, k->name + op);
        if (bench_wanted(b, k->name)) {
            status = bench_kernel(b, k, false);
        }
        if (status == NM_OK && bench_wanted(b, name)) {
            status = bench_kernel(b, k, true);
        }
    }
    return status;
}
