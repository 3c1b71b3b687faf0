/* The loops in which training spends its time, each alone, to be counted rather than timed.
 *
 *     hot_loops LOOP [RUNS]
 *
 * What is to be counted happens in hot() and nowhere else. Two runs before it make what later ones
 * find: primitives, the pool's buffers, momentum. At the end it says what the process took. */
#include <norma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct loop loop;

/* What a loop works on; each uses some of it. */
typedef struct work {
    const loop *loop;
    nm_context *context;
    nm_tape *tape;
    nm_random random;
    nm_tensor *x, *scale, *shift, *labels, *gradient;
    nm_model *model;
    nm_store *store; /* of its own; a network's is the model's */
    nm_optimizer *optimizer;
    nm_dataset set;
    nm_loader *loader;
    int64_t steps;
} work;

struct loop {
    const char *name;
    int runs;
    void (*begin)(work *w);
    void (*run)(work *w);
    nm_tensor *(*build)(work *w); /* for run_op */
    const char *file;             /* for networks: in models/zoo, or the value of `model` */
    nm_shape sample;
    int64_t batch;
};

static void check(nm_context *context)
{
    if (nm_context_status(context) != NM_OK) {
        fprintf(stderr, "%s\n", nm_context_error(context));
        exit(EXIT_FAILURE);
    }
}

static nm_tensor *normal(work *w, nm_shape shape)
{
    nm_tensor *x = nm_tensor_create(w->context, NM_F32, shape);
    nm_random_fill_normal(&w->random, x, 0, 1);
    return x;
}

static nm_tensor *learned(work *w, nm_shape shape)
{
    nm_tensor *x = normal(w, shape);
    nm_tensor_set_requires_grad(x, true);
    return x;
}

static nm_tensor *random_labels(work *w, int64_t count, int64_t classes)
{
    nm_tensor *labels = nm_tensor_create(w->context, NM_I32, NM_SHAPE(count));
    for (int64_t i = 0; i < count; i++) {
        nm_tensor_set(labels, i, (double)nm_random_below(&w->random, classes));
    }
    return labels;
}

/* ---- One op, forward and backward ---- */

static void run_op(work *w)
{
    nm_tape_reset(w->tape);
    nm_tensor *y = w->loop->build(w);
    if (!w->gradient && y) {
        w->gradient = normal(w, *nm_tensor_shape(y));
    }
    nm_tensor *inputs[] = {w->x, w->scale, w->shift}, *grads[3];
    int count = 1 + (w->scale != NULL) + (w->shift != NULL);
    nm_gradients(w->tape, &y, &w->gradient, 1, inputs, count, 0, grads);
}

static void begin_norm(work *w)
{
    w->x = learned(w, NM_SHAPE(128, 8, 8, 64));
    w->scale = learned(w, NM_SHAPE(64));
    w->shift = learned(w, NM_SHAPE(64));
}

static nm_tensor *batch_norm(work *w)
{
    return nm_batch_norm(w->tape, w->x, w->scale, w->shift);
}

static nm_tensor *batch_norm_activation(work *w)
{
    return nm_batch_norm_activation_with(w->tape, w->x, w->scale, w->shift, NULL, NULL, NULL, NULL)
        .y;
}

static void begin_weight_norm(work *w)
{
    w->x = learned(w, NM_SHAPE(256, 784));
    w->scale = learned(w, NM_SHAPE(256));
}

static nm_tensor *weight_norm(work *w)
{
    return nm_weight_norm(w->tape, w->x, w->scale);
}

static void begin_max_pool2d(work *w)
{
    w->x = learned(w, NM_SHAPE(32, 28, 28, 32));
}

static nm_tensor *max_pool2d(work *w)
{
    return nm_max_pool2d(w->tape, w->x, .kernel = NM_INTS(2));
}

static void begin_cross_entropy(work *w)
{
    w->x = learned(w, NM_SHAPE(128, 10));
    w->labels = random_labels(w, 128, 10);
}

static nm_tensor *cross_entropy(work *w)
{
    return nm_cross_entropy(w->tape, w->x, w->labels);
}

#define CHAIN 1000

static void begin_scalar(work *w)
{
    w->x = learned(w, NM_SCALAR_SHAPE);
    w->labels = normal(w, NM_SCALAR_SHAPE); /* the factor; labels need no gradient */
}

static nm_tensor *scalar_chain(work *w)
{
    nm_tensor *y = w->x;
    for (int i = 0; i < CHAIN; i++) {
        y = nm_mul(w->tape, y, w->labels);
    }
    return y;
}

/* ---- A network ---- */

static nm_shape batch_of(int64_t count, nm_shape sample)
{
    nm_shape shape = {.rank = sample.rank + 1, .dim = {count}};
    memcpy(shape.dim + 1, sample.dim, (size_t)sample.rank * sizeof *sample.dim);
    return shape;
}

static nm_optimizer *make_optimizer(nm_store *store)
{
    return nm_optimizer_create(store, &nm_sgd(.rate = 0.01, .momentum = 0.9, .weight_decay = 1e-4),
                               NULL, 0);
}

static void begin_network(work *w)
{
    char path[512];
    const char *source = getenv("NORMA_SOURCE");
    snprintf(path, sizeof path, "%s/models/zoo/%s", source ? source : ".", w->loop->file);
    w->model = nm_model_open(w->context, path, &w->loop->sample);
    check(w->context);
    w->optimizer = make_optimizer(nm_model_store(w->model));
    w->x = normal(w, batch_of(w->loop->batch, w->loop->sample));
    w->labels = random_labels(w, w->loop->batch, nm_model_output(w->model)->dim[0]);
}

static void update(work *w)
{
    nm_optimizer_step(w->optimizer, w->steps++, 1, 1);
}

static void train(work *w)
{
    nm_pass pass = {.tape = w->tape, .random = &w->random, .training = true};
    nm_tape_reset(w->tape);
    nm_store_clear_grads(nm_model_store(w->model));
    nm_tensor *y = nm_model_forward(w->model, &pass, w->x);
    nm_backward(w->tape, nm_cross_entropy(w->tape, y, w->labels), 0);
    update(w);
}

/* Parameters of a layer, with gradients. */
static void begin_update(work *w)
{
    w->store = nm_store_create(w->context);
    nm_tensor *weight =
        nm_store_add(w->store, "weight", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(256, 784));
    nm_tensor *bias = nm_store_add(w->store, "bias", NM_PARAMETER, NM_BIAS, NM_F32, NM_SHAPE(784));
    w->optimizer = make_optimizer(w->store);
    nm_backward(w->tape, nm_sum(w->tape, nm_mul(w->tape, weight, bias)), 0);
}

/* ---- An epoch of the loader ---- */

#define SAMPLES 512

static void begin_loader(work *w)
{
    static unsigned char images[SAMPLES * 28 * 28];
    static int32_t labels[SAMPLES];
    for (size_t i = 0; i < sizeof images; i++) {
        images[i] = (unsigned char)nm_random_below(&w->random, 256);
    }
    w->set = (nm_dataset){.context = w->context,
                          .count = SAMPLES,
                          .shape = NM_SHAPE(28, 28, 1),
                          .dtype = NM_U8,
                          .samples = images,
                          .target_dtype = NM_I32,
                          .targets = labels,
                          .classes = 10};
    nm_loader_options options = {NM_LOADER_DEFAULTS,
                                 .crop = 2,
                                 .flip = true,
                                 .channel_mean = &(double){0.3},
                                 .channel_deviation = &(double){0.35},
                                 .prefetch = false};
    w->loader = nm_loader_create(w->context, &w->set, &options, true, 1);
}

static void load(work *w)
{
    nm_batch batch = {.count = 1};
    nm_loader_begin(w->loader, w->steps++, 0);
    while (batch.count && nm_loader_next(w->loader, &batch) == NM_OK) {
    }
}

/* ---- All of them ---- */

#define OP(begin_it, build_it) .begin = begin_it, .run = run_op, .build = build_it
#define NETWORK(...) .begin = begin_network, .run = train, .file = __VA_ARGS__

static const loop loops[] = {
    {.name = "scalar_chain", .runs = 20, OP(begin_scalar, scalar_chain)},
    {.name = "batch_norm", .runs = 4, OP(begin_norm, batch_norm)},
    {.name = "batch_norm_activation", .runs = 4, OP(begin_norm, batch_norm_activation)},
    {.name = "weight_norm", .runs = 8, OP(begin_weight_norm, weight_norm)},
    {.name = "max_pool2d", .runs = 4, OP(begin_max_pool2d, max_pool2d)},
    {.name = "cross_entropy", .runs = 20, OP(begin_cross_entropy, cross_entropy)},
    {.name = "sgd", .runs = 8, .begin = begin_update, .run = update},
    {.name = "loader", .runs = 2, .begin = begin_loader, .run = load},
    {.name = "spirals", .runs = 10000, NETWORK("spirals.yaml"), .sample = {1, {2}}, .batch = 16},
    {.name = "resnet20",
     .runs = 3,
     NETWORK("resnet20.yaml"),
     .sample = {3, {32, 32, 3}},
     .batch = 128},
};

/* The part that is counted, found by its name. */
void hot(work *w, int runs);
__attribute__((noinline)) void hot(work *w, int runs)
{
    for (int i = 0; i < runs; i++) {
        w->loop->run(w);
    }
}

static const loop *find(const char *name)
{
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        if (name && !strcmp(loops[i].name, name)) {
            return &loops[i];
        }
    }
    fprintf(stderr, "hot_loops LOOP [RUNS]; the loops are\n");
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        fprintf(stderr, "  %s\n", loops[i].name);
    }
    exit(EXIT_FAILURE);
}

/* A row of what the system says of this process, in KiB; 0 where it says nothing. */
static long status_of(const char *row)
{
    char line[256];
    long value = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (!strncmp(line, row, strlen(row))) {
            value = strtol(line + strlen(row), NULL, 10);
        }
    }
    if (file) fclose(file);
    return value;
}

static void end(work *w)
{
    nm_tensor *own[] = {w->x, w->scale, w->shift, w->labels, w->gradient};
    nm_loader_destroy(w->loader);
    nm_optimizer_destroy(w->optimizer);
    nm_tape_destroy(w->tape);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        nm_tensor_destroy(own[i]);
    }
    nm_store_destroy(w->store);
    nm_model_destroy(w->model);
    nm_close(w->context);
}

int main(int argc, char **argv)
{
    work w = {.loop = find(argc > 1 ? argv[1] : NULL), .random = nm_random_create(1, 0)};
    int runs = argc > 2 ? atoi(argv[2]) : w.loop->runs;
    w.context = nm_open(NULL);
    if (!w.context) {
        return EXIT_FAILURE;
    }
    w.tape = nm_tape_create(w.context);
    w.loop->begin(&w);
    for (int i = 0; i < 2; i++) {
        w.loop->run(&w);
    }
    check(w.context);
    long before = status_of("VmRSS:");
    hot(&w, runs);
    check(w.context);
    printf("runs %d\npool_peak %zu KiB\nresident_growth %ld KiB\nresident_peak %ld KiB\n", runs,
           nm_context_pool_peak(w.context) / 1024, status_of("VmRSS:") - before,
           status_of("VmHWM:"));
    end(&w);
    return EXIT_SUCCESS;
}
