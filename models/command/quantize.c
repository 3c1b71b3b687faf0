/* norma quantize: a saved network with weights of 8 bits, and what that costs. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/clean.h"
#include "models/command/eval/evaluated.h"

/* ---- Outputs, with f32 and with 8 bits ---- */

typedef struct comparison {
    evaluated e;
    nm_evaluation before;
    nm_tensor *outputs; /* [samples, width], with f32; NULL: none yet */
    int64_t width, at;  /* samples seen so far in this pass */
    bool of_classes;
    double largest, sum, size; /* differences; the outputs' squares */
    int64_t changed;           /* samples of another class */
} comparison;

static int64_t largest_of(const float *row, int64_t width)
{
    int64_t at = 0;
    for (int64_t i = 1; i < width; i++) {
        at = row[i] > row[at] ? i : at;
    }
    return at;
}

static void compare_row(comparison *c, const float *before, const float *after)
{
    for (int64_t i = 0; i < c->width; i++) {
        const double difference = fabs((double)after[i] - (double)before[i]);
        c->largest = difference > c->largest ? difference : c->largest;
        c->sum += difference;
        c->size += (double)before[i] * (double)before[i];
    }
    c->changed += c->of_classes && largest_of(before, c->width) != largest_of(after, c->width);
}

/* Where the batch's outputs stand in c->outputs; NULL on failure. */
static float *place_of(comparison *c, nm_tensor *outputs, const nm_batch *batch)
{
    if (!c->outputs) {
        c->width = nm_tensor_count(outputs) / batch->count;
        c->of_classes = batch->target_dtype == NM_I32;
        c->outputs =
            nm_tensor_create(c->e.trained.context, NM_F32, NM_SHAPE(c->e.set->count, c->width));
    }
    float *at = c->outputs ? nm_tensor_f32(c->outputs) + c->at * c->width : NULL;
    c->at += batch->count;
    return at;
}

static nm_status keep_outputs(void *user, nm_tensor *outputs, const nm_batch *batch)
{
    comparison *c = user;
    float *to = place_of(c, outputs, batch);
    const float *from = to ? nm_tensor_f32(outputs) : NULL;
    if (from) {
        memcpy(to, from, nm_tensor_bytes(outputs));
    }
    return nm_context_status(c->e.trained.context);
}

static nm_status compare_outputs(void *user, nm_tensor *outputs, const nm_batch *batch)
{
    comparison *c = user;
    const float *before = place_of(c, outputs, batch);
    const float *after = before ? nm_tensor_f32(outputs) : NULL;
    for (int64_t i = 0; after && i < batch->count; i++) {
        compare_row(c, before + i * c->width, after + i * c->width);
    }
    return nm_context_status(c->e.trained.context);
}

/* One pass over the set, if there is one. */
static nm_status measure(comparison *c,
                         nm_status (*on_outputs)(void *, nm_tensor *, const nm_batch *))
{
    const nm_onlooker onlooker = {c, on_outputs};
    c->at = 0;
    return c->e.set ? evaluated_run(&c->e, &onlooker) : NM_OK;
}

static nm_status quantize(comparison *c, const char *out)
{
    nm_model *model = c->e.trained.model;
    nm_context *context = c->e.trained.context;
    if (is_same_file(out, c->e.trained.weights)) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%s would be replaced, and is needed to train on; give --out another file",
                       c->e.trained.weights);
    }
    if (nm_model_is_quantized(model)) {
        return nm_fail(context, NM_ERROR_INPUT, "%s has weights of 8 bits already",
                       c->e.trained.weights);
    }
    nm_status status = measure(c, keep_outputs);
    c->before = c->e.result;
    if (status == NM_OK) status = nm_model_quantize(model);
    if (status == NM_OK) status = measure(c, compare_outputs);
    return status == NM_OK ? nm_model_save(model, out) : status;
}

/* ---- What is printed ---- */

static double bytes_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (double)info.st_size : (double)NAN;
}

static double mean_difference(const comparison *c)
{
    return c->sum / (double)(c->e.set->count * c->width);
}

/* The outputs' root of the mean of squares. */
static double size_of(const comparison *c)
{
    return sqrt(c->size / (double)(c->e.set->count * c->width));
}

static void print_json(const comparison *c, const char *out)
{
    json_line line = {0};
    json_string(&line, "file", out);
    json_number(&line, "bytes", bytes_of(out));
    json_string(&line, "weights", c->e.trained.weights);
    json_number(&line, "weights_bytes", bytes_of(c->e.trained.weights));
    if (c->e.set) {
        json_string(&line, "set", c->e.name);
        json_integer(&line, "samples", c->e.result.samples);
        json_number(&line, "loss", c->e.result.loss);
        json_metrics(&line, "", &c->e.metrics, c->e.result.metrics);
        json_number(&line, "f32_loss", c->before.loss);
        json_metrics(&line, "f32_", &c->e.metrics, c->before.metrics);
        json_number(&line, "mean_difference", mean_difference(c));
        json_number(&line, "largest_difference", c->largest);
        json_number(&line, "size", size_of(c));
        if (c->of_classes) {
            json_integer(&line, "changed", c->changed);
        }
    }
    json_end(&line);
}

static void print_error(const comparison *c)
{
    char text[METRICS_TEXT];
    const long long samples = c->e.result.samples;
    printf("%s loss %.4f%s (%lld samples)", c->e.name, c->e.result.loss,
           describe_metrics(text, sizeof text, &c->e.metrics, c->e.result.metrics), samples);
    printf("; with f32 %.4f%s\n", c->before.loss,
           describe_metrics(text, sizeof text, &c->e.metrics, c->before.metrics));
    printf("outputs, %.3g in size, differ by %.2g on average and %.2g at most", size_of(c),
           mean_difference(c), c->largest);
    if (c->of_classes) {
        printf("; %lld of %lld samples get another class", (long long)c->changed, samples);
    }
    putchar('\n');
}

static void print(const comparison *c, const char *out)
{
    char name[RUN_PATH];
    const double bytes = bytes_of(out), before = bytes_of(c->e.trained.weights);
    printf("%s: %.0f KB, %.2f of what it was\n", nm_text_clean(out, false, name, sizeof name),
           bytes / 1000, bytes / before);
    if (c->e.set) {
        print_error(c);
    } else {
        puts("what it costs was not measured: give --data FILE");
    }
}

static int run_quantize(nm_context *context, const arguments *a)
{
    comparison c = {.outputs = NULL};
    const char *out = argument_value(a, "--out");
    if (!out) {
        return bad_usage("quantize: --out is missing: norma quantize %s --out FILE.safetensors",
                         a->positional[0]);
    }
    nm_status status = evaluated_open_if_any(context, a, argument_value(a, "--on"), &c.e);
    if (status == NM_OK) {
        status = quantize(&c, out);
    }
    if (status == NM_OK && argument_value(a, "--json")) {
        print_json(&c, out);
    } else if (status == NM_OK && !argument_value(a, "--quiet")) {
        print(&c, out);
    }
    nm_tensor_destroy(c.outputs);
    evaluated_close(&c.e);
    return status == NM_OK ? EXIT_FINE : report_error(context);
}

const command command_quantize = {
    .name = "quantize",
    .usage = "NETWORK",
    .summary = "save a trained network with weights of 8 bits",
    .doc =
        "Writes NETWORK, a run's folder, a saved .safetensors file, or a network's YAML with its "
        "newest run, to --out with weights of 8 bits: whole numbers and a scale for each output. "
        "The file is about a quarter as large, predictions are faster, and training it is "
        "refused. Dense layers then compute with 8 bits, their inputs too, a sample by itself, "
        "and get the same sums on every processor; other layers use the rounded weights. What "
        "that costs is measured on the test set of NETWORK's file, or on --data.",
    .flags = {{"--out", "FILE", "the file to write"},
              {"--data", "FILE", "measure on these samples: CSV, .npy or IDX"},
              {"--labels", "FILE", "their targets, where --data is an array"},
              {"--on", "SET", "train, validation or test; default: test"},
              {"--weights", "PATH", "a saved file, or the folder of a run, for a YAML file"},
              {"--set", "KEY=VALUE", "set a value of the network's file"},
              {"--json", NULL, "one JSON object on standard output"},
              {"--quiet", NULL, "print nothing"}},
    .least = 1,
    .most = 1,
    .run = run_quantize,
};
