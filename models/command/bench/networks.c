/* Training steps and inference of networks: those of the zoo, and those that Norma is compared on.
 */
#include <stdio.h>
#include <string.h>

#include "models/command/bench/bench.h"
#include "models/config.h"
#include "models/command/zoo.h" /* zoo_networks: made by meson.build */

/* ---- A network with a batch to train on ---- */

typedef struct network {
    nm_context *context;
    nm_document *document;
    nm_model *model;
    nm_tape *tape;
    nm_optimizer *optimizer;
    nm_loss loss;
    nm_tensor *x, *targets;
    nm_batch batch;
    bench_images *images; /* NULL: the same batch every time */
    nm_random random;
    nm_precision precision;
    int64_t steps;
} network;

static void train(network *n, const nm_batch *batch)
{
    nm_pass pass = {
        .tape = n->tape, .random = &n->random, .training = true, .precision = n->precision};
    nm_tape_reset(n->tape);
    nm_tensor *x = nm_tape_wrap(n->tape, NM_F32, batch->shape, batch->x);
    nm_tensor *y = nm_model_forward(n->model, &pass, x);
    nm_backward(n->tape, nm_loss_of(&n->loss, n->tape, y, batch), 0);
    nm_optimizer_step(n->optimizer, n->steps++, 1, 1);
    nm_store_clear_grads(nm_model_store(n->model));
}

static void train_step(void *state)
{
    network *n = state;
    train(n, &n->batch);
}

static void train_step_with_loader(void *state)
{
    network *n = state;
    nm_batch batch;
    bench_next_images(n->images, &batch);
    train(n, &batch);
}

static void predict_step(void *state)
{
    network *n = state;
    nm_tape_reset(n->tape);
    nm_model_predict(n->model, n->tape, n->x);
}

/* ---- Making one ---- */

static nm_shape batch_shape(int64_t batch, const nm_shape *sample)
{
    nm_shape shape = *sample;
    memmove(shape.dim + 1, sample->dim, (size_t)sample->rank * sizeof *sample->dim);
    shape.dim[0] = batch;
    shape.rank = sample->rank + 1;
    return shape;
}

/* Class labels for a loss that wants them, one for each row of outputs; else values. */
static void make_targets(network *n, int64_t batch)
{
    nm_shape shape = batch_shape(batch, nm_model_output(n->model));
    bool labels = n->loss.type->wants_labels;
    int64_t classes = shape.dim[shape.rank - 1];
    shape.rank -= labels;
    n->targets = nm_tensor_create(n->context, labels ? NM_I32 : NM_F32, shape);
    if (n->targets && !labels) {
        nm_random_fill_normal(&n->random, n->targets, 0, 1);
    }
    for (int64_t i = 0; n->targets && labels && i < nm_tensor_count(n->targets); i++) {
        nm_tensor_set(n->targets, i, (double)nm_random_below(&n->random, classes));
    }
}

/* What the loss takes from a training set, such as balanced weights. */
static void prepare_loss(network *n)
{
    const nm_shape *output = nm_model_output(n->model);
    const int64_t width = output->dim[output->rank - 1];
    const nm_dataset set = {.context = n->context,
                            .count = nm_tensor_count(n->targets),
                            .target_dtype = nm_tensor_dtype(n->targets),
                            .targets = nm_tensor_data(n->targets),
                            .classes = width};
    nm_loss_prepare(&n->loss, &set, width);
}

/* Weights that begin by data, as in training. */
static void begin_by_data(network *n)
{
    const nm_pass pass = {
        .tape = n->tape, .random = &n->random, .training = true, .initialize = true};
    if (nm_model_network(n->model)->wants_data) {
        const bool recording = nm_tape_set_recording(n->tape, false);
        nm_model_forward(n->model, &pass, n->x);
        nm_tape_set_recording(n->tape, recording);
        nm_tape_reset(n->tape);
    }
}

/* The rest, for a network that has its model: batch, loss, optimizer. */
static nm_status complete(network *n, int64_t batch, const nm_choice *loss)
{
    n->random = nm_random_create(1, 0);
    if (nm_loss_begin(&n->loss, n->context, loss) != NM_OK) {
        return nm_context_status(n->context);
    }
    n->tape = nm_tape_create(n->context);
    n->optimizer = nm_optimizer_create(nm_model_store(n->model),
                                       &nm_sgd(.rate = 0.01, .momentum = 0.9), NULL, 0);
    nm_shape shape = batch_shape(batch, nm_model_input(n->model));
    n->x = nm_tensor_create(n->context, NM_F32, shape);
    make_targets(n, batch);
    if (nm_context_status(n->context) != NM_OK) {
        return nm_context_status(n->context);
    }
    nm_random_fill_normal(&n->random, n->x, 0, 1);
    prepare_loss(n);
    begin_by_data(n);
    n->batch = (nm_batch){.count = batch,
                          .shape = shape,
                          .x = nm_tensor_f32(n->x),
                          .target_shape = *nm_tensor_shape(n->targets),
                          .target_dtype = nm_tensor_dtype(n->targets),
                          .targets = nm_tensor_data(n->targets)};
    return nm_context_status(n->context);
}

static nm_status make_network(network *n, const bench *b, const char *text, const nm_shape *sample,
                              int64_t batch)
{
    static const nm_choice loss = {.item = &nm_loss_cross_entropy.item};
    *n = (network){.context = b->context, .precision = b->precision};
    n->document = nm_document_parse(b->context, text, strlen(text), "the network");
    if (!n->document) {
        return nm_context_status(b->context);
    }
    const nm_value *root = nm_document_root(n->document), *model = nm_value_get(root, "model");
    n->model = nm_model_create(b->context, n->document, model ? model : root, sample, NULL);
    return n->model ? complete(n, batch, &loss) : nm_context_status(b->context);
}

static void free_batch(network *n)
{
    nm_tensor_destroy(n->x);
    nm_tensor_destroy(n->targets);
    nm_optimizer_destroy(n->optimizer);
    nm_tape_destroy(n->tape);
    nm_loss_end(&n->loss);
}

static void free_network(network *n)
{
    free_batch(n);
    nm_model_destroy(n->model);
    nm_document_destroy(n->document);
}

/* ---- Rows ---- */

/* Forward once, backward twice as much, but for the input's gradient of the first layer. */
static double training_multiply_adds(const nm_model *model, int64_t batch)
{
    int64_t first = 0, total = nm_model_total(model).multiply_adds;
    for (int i = 0; i < nm_model_layer_count(model) && first == 0; i++) {
        nm_layer_summary layer = nm_model_layer_at(model, i);
        first = layer.has_children ? 0 : layer.multiply_adds;
    }
    return (double)batch * (double)(3 * total - first);
}

static nm_status measure_training(bench *b, network *n, const char *name, int64_t batch,
                                  void (*step)(void *))
{
    const bench_row row = {.name = name,
                           .batch = batch,
                           .counts_samples = true,
                           .multiply_adds = training_multiply_adds(n->model, batch),
                           .precision = b->precision,
                           .step = step,
                           .state = n};
    return bench_measure(b, &row);
}

static nm_status bench_training(bench *b, const char *name, int64_t batch, nm_shape sample,
                                const char *text)
{
    if (!bench_wanted(b, name)) {
        return NM_OK;
    }
    network n;
    nm_status status = make_network(&n, b, text, &sample, batch);
    if (status == NM_OK) {
        status = measure_training(b, &n, name, batch, train_step);
    }
    free_network(&n);
    return status;
}

/* Networks that are trained elsewhere too, so that they can be compared. */
#define CNN_BN                                                                                     \
    "[{conv2d: {channels: 32, kernel: 3, padding: 1}}, batch_norm, relu,"                          \
    " {max_pool2d: {kernel: 2}}, {conv2d: {channels: 64, kernel: 3, padding: 1}}, batch_norm,"     \
    " relu, {max_pool2d: {kernel: 2}}, flatten, {dense: {units: 10}}]"

static const struct {
    const char *name;
    int64_t batch;
    nm_shape sample;
    const char *text;
} compared[] = {
    {"mlp_bn_paper",
     60,
     {1, {784}},
     "[{repeat: {times: 3, body: [{dense: {units: 100}}, batch_norm, sigmoid]}},"
     " {dense: {units: 10}}]"},
    {"mlp_bn",
     128,
     {1, {784}},
     "[{dense: {units: 512}}, batch_norm, relu, {dense: {units: 256}}, batch_norm, relu,"
     " {dense: {units: 10}}]"},
    {"mlp_wn",
     128,
     {1, {784}},
     "[{dense: {units: 512, weight_norm: {axis: 0}}}, relu,"
     " {dense: {units: 256, weight_norm: {axis: 0}}}, relu, {dense: {units: 10}}]"},
    {"cnn_bn", 64, {3, {28, 28, 1}}, CNN_BN},
    {"cnn_wn",
     64,
     {3, {28, 28, 1}},
     "[{conv2d: {channels: 32, kernel: 3, padding: 1, weight_norm: {axis: 0}}}, relu,"
     " {max_pool2d: {kernel: 2}},"
     " {conv2d: {channels: 64, kernel: 3, padding: 1, weight_norm: {axis: 0}}}, relu,"
     " {max_pool2d: {kernel: 2}}, flatten, {dense: {units: 10}}]"},
};

static nm_status bench_compared(bench *b)
{
    nm_status status = NM_OK;
    for (int i = 0; i < NM_COUNT_OF(compared) && status == NM_OK; i++) {
        status = bench_training(b, compared[i].name, compared[i].batch, compared[i].sample,
                                compared[i].text);
    }
    return status;
}

static nm_status bench_zoo(bench *b)
{
    nm_status status = NM_OK;
    for (int i = 0; i < NM_COUNT_OF(zoo_networks) && status == NM_OK; i++) {
        status = bench_training(b, zoo_networks[i].name, 128, zoo_networks[i].sample,
                                zoo_networks[i].text);
    }
    return status;
}

/* ---- cnn_bn once more: fed by a loader; predictions ---- */

static nm_status bench_with_loader(bench *b)
{
    static const char name[] = "cnn_bn with loader";
    if (!bench_wanted(b, name)) {
        return NM_OK;
    }
    network n;
    bench_images images;
    nm_status status = make_network(&n, b, CNN_BN, &NM_SHAPE(28, 28, 1), BENCH_IMAGES);
    n.images = &images;
    if (status == NM_OK) {
        status = bench_open_images(&images, b->context);
        if (status == NM_OK) {
            status = measure_training(b, &n, name, BENCH_IMAGES, train_step_with_loader);
        }
        bench_close_images(&images);
    }
    free_network(&n);
    return status;
}

#define PERCEPTRON                                                                                 \
    "[{dense: {units: 512}}, relu, {dense: {units: 256}}, relu, {dense: {units: 10}}]"

typedef enum preparation {
    AS_IT_IS, /* as evaluation while training */
    FOLDED,   /* as a predictor does */
    QUANTIZED
} preparation;

static const struct {
    const char *name, *text;
    nm_shape sample;
    int64_t batch;
    preparation preparation;
} predictions[] = {
    {"cnn_bn one image", CNN_BN, {3, {28, 28, 1}}, 1, FOLDED},
    {"cnn_bn one image, not folded", CNN_BN, {3, {28, 28, 1}}, 1, AS_IT_IS},
    {"cnn_bn 16 images", CNN_BN, {3, {28, 28, 1}}, 16, FOLDED},
    {"cnn_bn 128 images", CNN_BN, {3, {28, 28, 1}}, 128, FOLDED},
    {"mlp one prediction", PERCEPTRON, {1, {784}}, 1, FOLDED},
    {"mlp 16 predictions", PERCEPTRON, {1, {784}}, 16, FOLDED},
    {"mlp 128 predictions", PERCEPTRON, {1, {784}}, 128, FOLDED},
    {"mlp one prediction, 8 bits", PERCEPTRON, {1, {784}}, 1, QUANTIZED},
    {"mlp 16 predictions, 8 bits", PERCEPTRON, {1, {784}}, 16, QUANTIZED},
    {"mlp 128 predictions, 8 bits", PERCEPTRON, {1, {784}}, 128, QUANTIZED},
};

static nm_status prepare(nm_model *model, preparation wanted)
{
    return wanted == QUANTIZED ? nm_model_quantize(model)
           : wanted == FOLDED  ? nm_model_fold(model)
                               : NM_OK;
}

static nm_status bench_prediction(bench *b, int i)
{
    if (!bench_wanted(b, predictions[i].name)) {
        return NM_OK;
    }
    network n;
    const int64_t batch = predictions[i].batch;
    nm_status status = make_network(&n, b, predictions[i].text, &predictions[i].sample, batch);
    if (status == NM_OK) {
        status = prepare(n.model, predictions[i].preparation);
    }
    if (status == NM_OK) {
        const bool f32 = predictions[i].preparation != QUANTIZED; /* as the limit is */
        const double multiply_adds = f32 ? (double)nm_model_total(n.model).multiply_adds : 0;
        const bench_row row = {.name = predictions[i].name,
                               .batch = batch,
                               .counts_samples = true,
                               .multiply_adds = (double)batch * multiply_adds,
                               .step = predict_step,
                               .state = &n};
        status = bench_measure(b, &row);
    }
    free_network(&n);
    return status;
}

static nm_status bench_predictions(bench *b)
{
    nm_status status = NM_OK;
    for (int i = 0; i < NM_COUNT_OF(predictions) && status == NM_OK; i++) {
        status = bench_prediction(b, i);
    }
    return status;
}

nm_status bench_networks(bench *b)
{
    b->heading = "Training step";
    nm_status status = bench_compared(b);
    if (status == NM_OK) status = bench_with_loader(b);
    b->heading = b->heading ? b->heading : "Training step, zoo";
    if (status == NM_OK) status = bench_zoo(b);
    b->heading = "Inference";
    return status == NM_OK ? bench_predictions(b) : status;
}

/* ---- A file ---- */

/* The file's name without folders and ending. */
static void name_of_file(const char *path, char *name, size_t size)
{
    const char *slash = strrchr(path, '/'), *start = slash ? slash + 1 : path;
    snprintf(name, size, "%.*s", (int)(strrchr(start, '.') - start), start);
}

nm_status bench_file(bench *b, const char *path, int64_t batch)
{
    char name[256];
    nm_config config;
    name_of_file(path, name, sizeof name);
    b->rows++;
    if (b->list) {
        printf("%s\n", name);
        return NM_OK;
    }
    if (nm_config_open(b->context, path, NULL, 0, 0, &config) != NM_OK) {
        return nm_context_status(b->context);
    }
    static const nm_choice cross_entropy = {.item = &nm_loss_cross_entropy.item};
    int64_t from_file = config.data_options.loader.batch;
    batch = batch ? batch : from_file > 0 ? from_file : 128; /* below 0: as the data set has it */
    network n = {.context = b->context, .precision = b->precision, .model = config.model};
    nm_status status =
        !n.model ? nm_fail(b->context, NM_ERROR_INPUT, "%s: has no network, the key `model`", path)
                 : complete(&n, batch, config.loss.item ? &config.loss : &cross_entropy);
    if (status == NM_OK) {
        status = measure_training(b, &n, name, batch, train_step);
    }
    free_batch(&n);
    nm_config_close(&config);
    return status;
}
