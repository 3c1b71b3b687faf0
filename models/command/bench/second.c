/* A gradient of a gradient, with batch norm and without: a penalty on how the outputs change with
 * the samples, and its gradient in all parameters. */
#include "models/command/bench/bench.h"

static const char *const texts[] = {
    "[conv2d: {channels: 32, kernel: 3, padding: 1}, tanh, conv2d: {channels: 32, kernel: 3, "
    "padding: "
    "1}, tanh, flatten, dense: {units: 1}]",
    "[conv2d: {channels: 32, kernel: 3, padding: 1}, batch_norm, tanh, conv2d: {channels: 32, "
    "kernel: "
    "3, padding: 1}, batch_norm, tanh, flatten, dense: {units: 1}]"};

typedef struct penalty {
    nm_context *context;
    nm_document *document;
    nm_model *model;
    nm_tape *tape;
    nm_tensor *x;
    nm_random random;
    nm_tensor **parameters, **gradients;
    int count;
} penalty;

static void run_penalty(void *state)
{
    penalty *p = state;
    const nm_pass pass = {.tape = p->tape, .random = &p->random, .training = true};
    nm_tensor *slope;
    nm_tape_reset(p->tape);
    nm_tensor *y = nm_sum(p->tape, nm_model_forward(p->model, &pass, p->x));
    nm_gradients(p->tape, &y, NULL, 1, &p->x, 1, NM_CREATE_GRAPH, &slope);
    nm_tensor *size = nm_mean(p->tape, nm_square(p->tape, slope));
    nm_gradients(p->tape, &size, NULL, 1, p->parameters, p->count, 0, p->gradients);
}

static void list_parameters(penalty *p)
{
    nm_store *store = nm_model_store(p->model);
    const size_t most = (size_t)nm_store_count(store) + 1;
    p->parameters = nm_alloc_zero(p->context, most, sizeof *p->parameters);
    p->gradients = nm_alloc_zero(p->context, most, sizeof *p->gradients);
    for (int i = 0; p->parameters && i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        if (entry->role == NM_PARAMETER) {
            p->parameters[p->count++] = entry->tensor;
        }
    }
}

static nm_status open_penalty(penalty *p, const char *text)
{
    const nm_shape sample = NM_SHAPE(28, 28, 1);
    p->document = nm_document_parse(p->context, text, strlen(text), "bench");
    p->model = p->document ? nm_model_create(p->context, p->document, nm_document_root(p->document),
                                             &sample, NULL)
                           : NULL;
    p->tape = nm_tape_create(p->context);
    p->x = nm_tensor_create(p->context, NM_F32, NM_SHAPE(32, 28, 28, 1));
    p->random = nm_random_create(1, 0);
    if (p->model && p->x) {
        list_parameters(p);
        nm_random_fill_normal(&p->random, p->x, 0, 1);
        nm_tensor_set_requires_grad(p->x, true);
    }
    return nm_context_status(p->context);
}

static void close_penalty(penalty *p)
{
    nm_tape_destroy(p->tape);
    nm_tensor_destroy(p->x);
    nm_free(p->context, p->parameters);
    nm_free(p->context, p->gradients);
    nm_model_destroy(p->model);
    nm_document_destroy(p->document);
}

static nm_status bench_penalty(bench *b, const char *name, const char *text)
{
    if (!bench_wanted(b, name)) {
        return NM_OK;
    }
    penalty p = {.context = b->context};
    nm_status status = open_penalty(&p, text);
    if (status == NM_OK) {
        const bench_row row = {.name = name, .batch = 32, .step = run_penalty, .state = &p};
        status = bench_measure(b, &row);
    }
    close_penalty(&p);
    return status;
}

nm_status bench_second(bench *b)
{
    b->heading = "Gradient of a gradient";
    nm_status status = bench_penalty(b, "gradient_penalty cnn", texts[0]);
    return status == NM_OK ? bench_penalty(b, "gradient_penalty cnn, batch_norm", texts[1])
                           : status;
}
