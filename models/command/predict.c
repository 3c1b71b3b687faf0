/* norma predict: a trained network on samples from an .npy file. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"
#include "models/command/train/folder.h"

typedef struct prediction {
    nm_context *context;
    nm_config config;
    nm_tensor *samples; /* as read */
    nm_dataset set;     /* a view of them */
    nm_tensor *outputs; /* [count, ...] */
    int64_t done;
    bool probabilities; /* the outputs are logits of classes */
} prediction;

/* The samples as a data set without targets, so that they are normalized as in training. */
static nm_status make_set(prediction *p)
{
    const nm_shape *shape = nm_tensor_shape(p->samples), *sample = nm_model_input(p->config.model);
    nm_dtype dtype = nm_tensor_dtype(p->samples);
    nm_shape rest = *shape;
    rest.rank = shape->rank - 1;
    for (int i = 0; i < rest.rank; i++) {
        rest.dim[i] = shape->dim[i + 1];
    }
    char have[NM_SHAPE_TEXT], want[NM_SHAPE_TEXT];
    if (shape->rank < 1 || nm_shape_count(&rest) != nm_shape_count(sample) || shape->dim[0] < 1) {
        return nm_fail(
            p->context, NM_ERROR_INPUT,
            "--in holds %s, but a sample of this network is %s; it must be [samples, ...]",
            nm_shape_text(shape, have), nm_shape_text(sample, want));
    }
    if (dtype != NM_U8 && dtype != NM_F32) {
        return nm_fail(p->context, NM_ERROR_INPUT, "--in holds %s; samples are u8 or f32",
                       nm_dtype_name(dtype));
    }
    p->set = (nm_dataset){.context = p->context,
                          .count = shape->dim[0],
                          .shape = *sample,
                          .dtype = dtype,
                          .samples = nm_tensor_data(p->samples),
                          .sample_source = "--in"};
    return nm_dataset_check(&p->set);
}

/* Room for the outputs of all samples, once the first batch tells their shape. */
static nm_status make_outputs(prediction *p, const nm_tensor *y)
{
    nm_shape shape = *nm_tensor_shape(y);
    shape.dim[0] = p->set.count;
    p->outputs = nm_tensor_create(p->context, nm_tensor_dtype(y), shape);
    return nm_context_status(p->context);
}

static nm_status predict_batch(prediction *p, nm_tape *tape, const nm_batch *batch)
{
    nm_tape_reset(tape);
    nm_tensor *x = nm_tape_wrap(tape, NM_F32, batch->shape, batch->x);
    nm_tensor *y = nm_model_predict(p->config.model, tape, x);
    if (y && p->probabilities) {
        y = nm_softmax(tape, y);
    }
    if (!y || (!p->outputs && make_outputs(p, y) != NM_OK)) {
        return nm_context_status(p->context);
    }
    size_t bytes = nm_tensor_bytes(y);
    size_t at = bytes / (size_t)batch->count * (size_t)p->done;
    memcpy((char *)nm_tensor_data(p->outputs) + at, nm_tensor_data(y), bytes);
    p->done += batch->count;
    return NM_OK;
}

static nm_status predict_all(prediction *p)
{
    nm_loader_options options = p->config.data.loader;
    options.last_batch = NM_SHORT_KEEP;
    nm_loader *loader = nm_loader_create(p->context, &p->set, &options, false, 0);
    nm_tape *tape = loader ? nm_tape_create(p->context) : NULL;
    nm_status status = tape ? nm_loader_begin(loader, 0, 0) : nm_context_status(p->context);
    nm_batch batch = {.count = 1};
    while (status == NM_OK && batch.count) {
        status = nm_loader_next(loader, &batch);
        if (status == NM_OK && batch.count) {
            status = predict_batch(p, tape, &batch);
        }
    }
    nm_tape_destroy(tape);
    nm_loader_destroy(loader);
    return status;
}

/* ---- What is printed ---- */

static int64_t largest(nm_tensor *y, int64_t row, int64_t columns)
{
    int64_t best = 0;
    for (int64_t i = 1; i < columns; i++) {
        if (nm_tensor_get(y, row * columns + i) > nm_tensor_get(y, row * columns + best)) {
            best = i;
        }
    }
    return best;
}

static bool print_json(const prediction *p, int64_t row, int64_t columns)
{
    json_line line = {0};
    json_integer(&line, "sample", row);
    if (p->probabilities) {
        int64_t best = largest(p->outputs, row, columns);
        json_integer(&line, "class", best);
        json_number(&line, "probability", nm_tensor_get(p->outputs, row * columns + best));
    }
    json_numbers(&line, p->probabilities ? "probabilities" : "outputs", p->outputs, row * columns,
                 columns);
    return json_end(&line);
}

static void print_row(const prediction *p, int64_t row, int64_t columns)
{
    if (p->probabilities) {
        int64_t best = largest(p->outputs, row, columns);
        printf("%lld: class %lld, probability %.4f\n", (long long)row, (long long)best,
               nm_tensor_get(p->outputs, row * columns + best));
        return;
    }
    printf("%lld:", (long long)row);
    for (int64_t i = 0; i < columns; i++) {
        char text[32];
        printf(" %s", format_f32(nm_tensor_get(p->outputs, row * columns + i), text));
    }
    putchar('\n');
}

static int print_all(const prediction *p, bool json)
{
    int64_t columns = nm_tensor_count(p->outputs) / p->set.count;
    bool written = true;
    for (int64_t row = 0; row < p->set.count && written; row++) {
        if (json) {
            written = print_json(p, row, columns);
        } else {
            print_row(p, row, columns);
        }
    }
    return EXIT_FINE;
}

static nm_status predict(prediction *p, const arguments *a)
{
    char weights[RUN_PATH];
    const char *settings[MAX_VALUES];
    int count = argument_list(a, "--set", settings);
    nm_status status =
        find_weights(p->context, a->positional[0], argument_value(a, "--weights"), weights);
    if (status == NM_OK) {
        status =
            nm_config_open(p->context, a->positional[0], settings, count, NM_NEED_DATA, &p->config);
    }
    if (status == NM_OK) {
        status = nm_model_load(p->config.model, weights);
    }
    if (status == NM_OK) {
        status = nm_model_fold(p->config.model);
    }
    if (status == NM_OK) {
        p->samples = nm_npy_read(p->context, argument_value(a, "--in"));
        status = nm_context_status(p->context);
    }
    p->probabilities = status == NM_OK && p->config.data.train.classes > 0;
    if (status == NM_OK) {
        status = make_set(p);
    }
    if (status == NM_OK) {
        status = predict_all(p);
    }
    if (status == NM_OK && argument_value(a, "--out")) {
        status = nm_npy_write(p->outputs, argument_value(a, "--out"));
    }
    return status;
}

static int run_predict(nm_context *context, const arguments *a)
{
    if (!argument_value(a, "--in")) {
        return bad_usage("predict: --in FILE is missing: the samples, as .npy");
    }
    prediction p = {.context = context};
    nm_status status = predict(&p, a);
    int code = status != NM_OK                ? report_error(context)
               : argument_value(a, "--quiet") ? EXIT_FINE
                                              : print_all(&p, argument_value(a, "--json") != NULL);
    nm_tensor_destroy(p.outputs);
    nm_dataset_close(&p.set);
    nm_tensor_destroy(p.samples);
    nm_config_close(&p.config);
    return code;
}

const command command_predict = {
    .name = "predict",
    .usage = "FILE --in SAMPLES",
    .summary = "run a trained network on samples",
    .doc =
        "Runs the network on samples from an .npy file, [samples, ...], as raw as the data set's: "
        "they are scaled and normalized as in training. Prints the class and its probability, or "
        "the outputs where the targets are values.",
    .flags = {{"--in", "FILE", "the samples, .npy of u8 or f32"},
              {"--weights", "PATH", "a safetensors file, or the folder of a run"},
              {"--out", "FILE", "where the outputs go as .npy: probabilities, or values"},
              {"--set", "KEY=VALUE", "set a value of the file"},
              {"--json", NULL, "one JSON object a line on standard output"},
              {"--quiet", NULL, "print nothing"}},
    .least = 1,
    .most = 1,
    .run = run_predict,
};
