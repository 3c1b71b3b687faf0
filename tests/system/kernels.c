/* Computes all ops and their gradients on the samples of the registry, made large enough for the
 * longest vectors and their remainders, in f32, with oneDNN and without.
 *
 *     kernels FILE              writes the numbers
 *     kernels FILE REFERENCE    also compares them with those of another build of the kernels
 *
 * Prints the largest difference, relative to the largest number of its tensor, and whether the
 * compiler optimized. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/op.h"
#include "core/random.h"
#include "ops/linear.h"
#include "ops/ops.h"

#define TOLERANCE 1e-5
#ifdef __OPTIMIZE__
#define OPTIMIZED ""
#else
#define OPTIMIZED ", not optimized"
#endif

typedef struct run {
    nm_context *context;
    nm_tape *tape;
    FILE *file, *reference; /* the second NULL: none */
    const nm_op *op;
    const nm_sample *sample;
    nm_random random;
    int tensors, failures;
    double worst;
} run;

static _Noreturn void stop(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(EXIT_FAILURE);
}

/* ---- Numbers out, and compared ---- */

static void compare(run *r, const float *values, const float *reference, int64_t count)
{
    double largest = 1e-3, difference = 0;
    for (int64_t i = 0; i < count; i++) {
        const double apart = fabs((double)values[i] - (double)reference[i]);
        largest = fmax(largest, fabs((double)reference[i]));
        difference = apart > difference || isnan(apart) ? apart : difference;
    }
    r->worst = fmax(r->worst, difference / largest);
    if (!(difference <= TOLERANCE * largest)) {
        fprintf(stderr, "%s, %s: the kernels differ by %g of %g\n", r->op->item.name,
                r->sample->options ? r->sample->options : "no options", difference, largest);
        r->failures++;
    }
}

static void put(run *r, nm_tensor *tensor)
{
    const int64_t count = nm_tensor_count(tensor);
    float *values = malloc((size_t)count * 2 * sizeof *values + 1);
    for (int64_t i = 0; i < count; i++) {
        values[i] = (float)nm_tensor_get(tensor, i);
    }
    fwrite(values, sizeof *values, (size_t)count, r->file);
    if (r->reference) {
        float *other = values + count;
        if (fread(other, sizeof *other, (size_t)count, r->reference) != (size_t)count) {
            stop("the reference has fewer numbers");
        }
        compare(r, values, other, count);
    }
    r->tensors++;
    free(values);
}

/* ---- Inputs ---- */

static double value_of(const nm_sample_input *s, nm_random *random, int64_t rank_of_value)
{
    const double normal = nm_random_normal(random);
    switch (s->fill) {
    case NM_FILL_NORMAL: return normal;
    case NM_FILL_UNIFORM: return s->low + (s->high - s->low) * nm_random_uniform(random);
    case NM_FILL_AWAY: return normal < 0 ? normal - s->low : normal + s->low;
    case NM_FILL_DISTINCT: return 0.1 * (double)rank_of_value;
    case NM_FILL_INDEX: return (double)nm_random_below(random, (int64_t)s->high);
    case NM_FILL_ABSENT: break;
    }
    return 0;
}

/* A sample's input with every side `times` as long; sides of one stay, since they broadcast. */
static nm_tensor *make_input(run *r, const nm_sample_input *s, int64_t times)
{
    nm_shape shape = nm_shape_of_sample(&s->shape);
    for (int d = 0; d < shape.rank; d++) {
        shape.dim[d] *= shape.dim[d] > 1 ? times : 1;
    }
    nm_tensor *x = nm_tape_tensor(r->tape, s->fill == NM_FILL_INDEX ? NM_I32 : NM_F32, shape);
    const int64_t count = nm_tensor_count(x);
    int64_t *order = malloc((size_t)count * sizeof *order + 1);
    nm_random_permutation(&r->random, order, count);
    for (int64_t i = 0; i < count; i++) {
        nm_tensor_set(x, i, value_of(s, &r->random, order[i] - count / 2));
    }
    free(order);
    return x;
}

static int make_inputs(run *r, int64_t times, nm_tensor **in)
{
    const nm_sample *s = r->sample;
    int count = 0;
    for (; count < NM_SAMPLE_INPUTS && (s->inputs ? count < s->inputs : s->in[count].fill);
         count++) {
        const nm_port *port =
            &r->op->inputs[count < r->op->input_count ? count : r->op->input_count - 1];
        in[count] = s->in[count].fill ? make_input(r, &s->in[count], times) : NULL;
        if (in[count] && port->type == NM_PORT_FLOAT && !(port->flags & NM_PORT_NO_GRAD)) {
            nm_tensor_set_requires_grad(in[count], true);
        }
    }
    return count;
}

/* ---- One sample ---- */

/* With random weights on the outputs, since sums of some are constant. */
static void put_gradients(run *r, nm_tensor *const *in, int inputs, nm_tensor *const *out)
{
    nm_tensor *from[NM_MAX_OUTPUTS], *weights[NM_MAX_OUTPUTS], *to[NM_MAX_INPUTS];
    nm_tensor *grads[NM_MAX_INPUTS];
    int outputs = 0, wanted = 0;
    for (int i = 0; i < r->op->output_count; i++) {
        if (out[i] && nm_tensor_requires_grad(out[i])) {
            from[outputs] = out[i];
            weights[outputs] = nm_tape_tensor(r->tape, NM_F32, *nm_tensor_shape(out[i]));
            nm_random_fill_normal(&r->random, weights[outputs++], 0, 1);
        }
    }
    for (int i = 0; i < inputs; i++) {
        if (in[i] && nm_tensor_requires_grad(in[i])) {
            to[wanted++] = in[i];
        }
    }
    if (outputs && wanted &&
        nm_gradients(r->tape, from, weights, outputs, to, wanted, 0, grads) == NM_OK) {
        for (int i = 0; i < wanted; i++) {
            put(r, grads[i]);
        }
    }
}

/* Whether the op takes inputs of that size. */
static bool run_sample(run *r, int64_t times)
{
    nm_tensor *in[NM_MAX_INPUTS], *out[NM_MAX_OUTPUTS];
    r->random = nm_random_create(7, (uint64_t)times);
    nm_tape_reset(r->tape);
    const int inputs = make_inputs(r, times, in);
    if (nm_call(r->tape, r->op->item.name, in, inputs, r->sample->options, out,
                r->op->output_count) != NM_OK) {
        return false;
    }
    for (int i = 0; i < r->op->output_count; i++) {
        if (out[i]) {
            put(r, out[i]);
        }
    }
    if (!(r->op->flags & NM_OP_NO_VJP)) {
        put_gradients(r, in, inputs, out);
    }
    return true;
}

static int largest_rank(const nm_sample *s)
{
    int rank = 0;
    for (int i = 0; i < NM_SAMPLE_INPUTS; i++) {
        rank = s->in[i].shape.rank > rank ? s->in[i].shape.rank : rank;
    }
    return rank;
}

static void run_op(run *r)
{
    for (int i = 0; i < r->op->sample_count; i++) {
        r->sample = &r->op->samples[i];
        nm_context_clear_error(r->context);
        if (!run_sample(r, largest_rank(r->sample) > 2 ? 3 : 9)) {
            nm_context_clear_error(r->context);
            if (!run_sample(r, 1)) {
                stop(nm_context_error(r->context));
            }
        }
    }
}

/* Convolutions that have kernels of their own: of few channels, and by Winograd's filtering. */
static const nm_sample convolutions[] = {
    {.options = "{padding: 1}",
     .in = {NM_NORMAL(2, 9, 24, 3), NM_NORMAL(48, 3, 3, 3), NM_NORMAL(48)}},
    {.options = "{padding: 1}",
     .in = {NM_NORMAL(2, 9, 24, 1), NM_NORMAL(32, 3, 3, 1), NM_NORMAL(32)}},
    {.options = "{padding: 1}",
     .in = {NM_NORMAL(3, 10, 15, 48), NM_NORMAL(16, 3, 3, 48), NM_NORMAL(16)}},
};

static void run_convolutions(run *r)
{
    r->op = nm_find_op(r->context, "conv2d");
    for (int i = 0; i < NM_COUNT_OF(convolutions); i++) {
        r->sample = &convolutions[i];
        if (!run_sample(r, 1)) {
            stop(nm_context_error(r->context));
        }
    }
}

int main(int argc, char **argv)
{
    run r = {.context = nm_context_create(&(nm_context_options){.threads = 1})};
    if (argc < 2 || !r.context || nm_register_ops(r.context) != NM_OK) {
        stop("usage: kernels FILE [REFERENCE]");
    }
    r.tape = nm_tape_create(r.context);
    r.file = fopen(argv[1], "wb");
    r.reference = argc > 2 ? fopen(argv[2], "rb") : NULL;
    if (!r.tape || !r.file || (argc > 2 && !r.reference)) {
        stop("a file cannot be opened");
    }
    for (int library = 0; library < 2; library++) {
        nm_context_set_onednn(r.context, library);
        for (int i = 0; i < nm_item_count(r.context, NM_KIND_OP); i++) {
            r.op = (const nm_op *)(const void *)nm_item_at(r.context, NM_KIND_OP, i);
            run_op(&r);
        }
        run_convolutions(&r);
    }
    if (nm_context_status(r.context) != NM_OK) {
        stop(nm_context_error(r.context));
    }
    printf("%d tensors, largest difference %.2g%s\n", r.tensors, r.worst, OPTIMIZED);
    fclose(r.file);
    if (r.reference) {
        fclose(r.reference);
    }
    nm_tape_destroy(r.tape);
    nm_context_destroy(r.context);
    return r.failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
