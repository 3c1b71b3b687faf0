/* The limits that Norma keeps to, measured. Times decide no test: this prints them.
 *
 *     ./dev bench [--json] [FILTER]
 *
 * A row has name, batch, threads, precision, us_best, us_median; tests/bench/compare.py runs it
 * alternately with PyTorch. */
#include <norma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECONDS 2.0 /* a row */
#define MAX_TIMES 100000

static bool json;
static const char *filter;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void check(nm_context *context)
{
    if (nm_context_status(context) != NM_OK) {
        fprintf(stderr, "%s\n", nm_context_error(context));
        exit(EXIT_FAILURE);
    }
}

typedef void (*step_fn)(void *arg);

/* Times a step, after some to warm up, and prints its row. `parts`: how many things a step does. */
static void measure(nm_context *context, const char *name, int64_t batch, int64_t parts,
                    step_fn step, void *arg)
{
    static double times[MAX_TIMES];
    for (int i = 0; i < 4; i++) {
        step(arg);
    }
    check(context);
    int count = 0;
    for (double start = now(); now() - start < SECONDS && count < MAX_TIMES; count++) {
        double before = now();
        step(arg);
        times[count] = 1e6 * (now() - before) / (double)parts;
    }
    check(context);
    qsort(times, (size_t)count, sizeof *times, compare);
    printf(json ? "{\"name\": \"%s\", \"batch\": %lld, \"threads\": %d, \"precision\": \"f32\", "
                  "\"us_best\": %.4g, \"us_median\": %.4g}\n"
                : "%-28s batch %4lld  threads %d  best %10.4g us  median %10.4g us\n",
           name, (long long)batch, nm_context_threads(context), times[0], times[count / 2]);
    fflush(stdout);
}

static bool wanted(const char *name)
{
    return !filter || strstr(name, filter);
}

/* ---- A training step of a network ---- */

typedef struct network {
    nm_model *model;
    nm_tape *tape;
    nm_optimizer *optimizer;
    nm_tensor *x, *labels;
    nm_random random;
    int64_t steps;
} network;

static void train_step(void *arg)
{
    network *n = arg;
    nm_store *store = nm_model_store(n->model);
    nm_pass pass = {.tape = n->tape, .random = &n->random, .training = true};
    nm_tape_reset(n->tape);
    nm_tensor *y = nm_model_forward(n->model, &pass, n->x);
    nm_backward(n->tape, nm_cross_entropy(n->tape, y, n->labels), 0);
    nm_optimizer_step(n->optimizer, n->steps++, 1, 1);
    nm_store_clear_grads(store);
}

static void bench_network(nm_context *context, const char *name, int64_t batch, nm_shape sample,
                          const char *yaml)
{
    if (!wanted(name)) {
        return;
    }
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, name);
    check(context);
    network n = {.random = nm_random_create(1, 0)};
    n.model = nm_model_create(context, document, nm_document_root(document), &sample, NULL);
    check(context);
    n.tape = nm_tape_create(context);
    n.optimizer = nm_optimizer_create(nm_model_store(n.model),
                                      &nm_sgd(.rate = 0.01, .momentum = 0.9), NULL, 0);
    nm_shape x = sample;
    memmove(x.dim + 1, x.dim, (size_t)x.rank * sizeof *x.dim);
    x.dim[0] = batch;
    x.rank++;
    n.x = nm_tensor_create(context, NM_F32, x);
    n.labels = nm_tensor_create(context, NM_I32, NM_SHAPE(batch));
    nm_random_fill_normal(&n.random, n.x, 0, 1);
    for (int64_t i = 0; i < batch; i++) {
        nm_tensor_set(n.labels, i, (double)nm_random_below(&n.random, 10));
    }
    measure(context, name, batch, 1, train_step, &n);
    nm_tensor_destroy(n.x);
    nm_tensor_destroy(n.labels);
    nm_optimizer_destroy(n.optimizer);
    nm_tape_destroy(n.tape);
    nm_model_destroy(n.model);
    nm_document_destroy(document);
}

static void bench_networks(nm_context *context)
{
    bench_network(context, "mlp_bn_paper", 60, NM_SHAPE(784),
                  "[{repeat: {times: 3, body: [{dense: {units: 100}}, batch_norm, sigmoid]}}, "
                  "{dense: {units: 10}}]");
    bench_network(context, "mlp_bn", 128, NM_SHAPE(784),
                  "[{dense: {units: 512}}, batch_norm, relu, {dense: {units: 256}}, batch_norm, "
                  "relu, {dense: {units: 10}}]");
    bench_network(context, "mlp_wn", 128, NM_SHAPE(784),
                  "[{dense: {units: 512, weight_norm: {axis: 0}}}, relu,"
                  " {dense: {units: 256, weight_norm: {axis: 0}}}, relu, {dense: {units: 10}}]");
    bench_network(context, "cnn_bn", 64, NM_SHAPE(28, 28, 1),
                  "[{conv2d: {channels: 32, kernel: 3, padding: 1}}, batch_norm, relu,"
                  " {max_pool2d: {kernel: 2}}, {conv2d: {channels: 64, kernel: 3, padding: 1}},"
                  " batch_norm, relu, {max_pool2d: {kernel: 2}}, flatten, {dense: {units: 10}}]");
    bench_network(context, "cnn_wn", 64, NM_SHAPE(28, 28, 1),
                  "[{conv2d: {channels: 32, kernel: 3, padding: 1, weight_norm: {axis: 0}}}, relu,"
                  " {max_pool2d: {kernel: 2}},"
                  " {conv2d: {channels: 64, kernel: 3, padding: 1, weight_norm: {axis: 0}}}, relu,"
                  " {max_pool2d: {kernel: 2}}, flatten, {dense: {units: 10}}]");
}

/* ---- One op ---- */

typedef struct op_bench {
    nm_tape *tape;
    nm_tensor *x, *scale, *shift, *gradient;
} op_bench;

static void batch_norm_forward(void *arg)
{
    op_bench *b = arg;
    nm_tape_reset(b->tape);
    nm_batch_norm(b->tape, b->x, b->scale, b->shift);
}

static void batch_norm_both(void *arg)
{
    op_bench *b = arg;
    nm_tape_reset(b->tape);
    nm_tensor *y = nm_batch_norm(b->tape, b->x, b->scale, b->shift), *grads[3];
    nm_tensor *inputs[] = {b->x, b->scale, b->shift};
    nm_gradients(b->tape, &y, &b->gradient, 1, inputs, 3, 0, grads);
}

static void bench_batch_norm(nm_context *context, nm_shape shape)
{
    char text[NM_SHAPE_TEXT], name[256];
    nm_random random = nm_random_create(1, 0);
    int64_t channels = shape.dim[shape.rank - 1];
    op_bench b = {.tape = nm_tape_create(context),
                  .x = nm_tensor_create(context, NM_F32, shape),
                  .scale = nm_tensor_create(context, NM_F32, NM_SHAPE(channels)),
                  .shift = nm_tensor_create(context, NM_F32, NM_SHAPE(channels)),
                  .gradient = nm_tensor_create(context, NM_F32, shape)};
    nm_random_fill_normal(&random, b.x, 0, 1);
    nm_random_fill_normal(&random, b.gradient, 0, 1);
    nm_tensor_fill(b.scale, 1);
    nm_tensor *all[] = {b.x, b.scale, b.shift};
    for (int i = 0; i < 3; i++) {
        nm_tensor_set_requires_grad(all[i], true);
    }
    snprintf(name, sizeof name, "batch_norm %s", nm_shape_text(&shape, text));
    if (wanted(name)) {
        measure(context, name, shape.dim[0], 1, batch_norm_forward, &b);
        snprintf(name, sizeof name, "batch_norm+grad %s", text);
        measure(context, name, shape.dim[0], 1, batch_norm_both, &b);
    }
    nm_tape_destroy(b.tape);
    for (int i = 0; i < 3; i++) {
        nm_tensor_destroy(all[i]);
    }
    nm_tensor_destroy(b.gradient);
}

#define CHAIN 1000

/* Builds, runs and differentiates a chain of scalar products. */
static void scalar_chain(void *arg)
{
    op_bench *b = arg;
    nm_tape_reset(b->tape);
    nm_tensor_clear_grad(b->x);
    nm_tensor *y = b->x;
    for (int i = 0; i < CHAIN; i++) {
        y = nm_mul(b->tape, y, b->scale);
    }
    nm_backward(b->tape, y, 0);
}

static void bench_scalar(nm_context *context)
{
    op_bench b = {.tape = nm_tape_create(context),
                  .x = nm_tensor_create(context, NM_F32, NM_SCALAR_SHAPE),
                  .scale = nm_tensor_create(context, NM_F32, NM_SCALAR_SHAPE)};
    nm_tensor_set(b.x, 0, 1);
    nm_tensor_set(b.scale, 0, 1);
    nm_tensor_set_requires_grad(b.x, true);
    if (wanted("scalar_op")) {
        measure(context, "scalar_op", 1, CHAIN, scalar_chain, &b);
    }
    nm_tape_destroy(b.tape);
    nm_tensor_destroy(b.x);
    nm_tensor_destroy(b.scale);
}

int main(int argc, char **argv)
{
    int threads = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strncmp(argv[i], "--threads=", 10) == 0) {
            threads = atoi(argv[i] + 10);
        } else {
            filter = argv[i];
        }
    }
    nm_context *context = nm_open(&(nm_context_options){.threads = threads});
    if (!context) {
        return EXIT_FAILURE;
    }
    check(context);
    bench_scalar(context);
    bench_batch_norm(context, NM_SHAPE(128, 32, 32, 16));
    bench_batch_norm(context, NM_SHAPE(128, 8, 8, 64));
    bench_batch_norm(context, NM_SHAPE(64, 14, 14, 64));
    bench_batch_norm(context, NM_SHAPE(128, 512));
    bench_networks(context);
    nm_close(context);
    return EXIT_SUCCESS;
}
