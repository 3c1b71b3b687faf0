/* norma predict: a trained network on samples from a file. */
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"
#include "models/command/predictions.h"
#include "models/command/trained.h"

static const char *samples_of(const arguments *a)
{
    return a->count > 1 ? a->positional[1] : argument_value(a, "--in");
}

/* The outputs for all samples of the file. */
static nm_tensor *run(nm_context *context, const nm_schema *schema, nm_predictor *predictor,
                      const char *path, nm_dataset *set)
{
    const nm_reading reading = {.schema = schema, .wanted = NM_WANTED_NONE};
    return nm_dataset_open_file(context, path, NULL, &reading, set) == NM_OK
               ? nm_predictor_run_set(predictor, set)
               : NULL;
}

static nm_status predict(nm_context *context, const arguments *a, trained *t, predictions *p)
{
    nm_status status = trained_open(context, a, t);
    nm_predictor *predictor = status == NM_OK ? nm_predictor_create(t->model, &t->loss) : NULL;
    if (!predictor) {
        return nm_context_status(context);
    }
    p->schema = nm_predictor_schema(predictor);
    p->is_classifier = nm_predictor_is_classifier(predictor);
    p->in_rows = nm_loss_choice_padding(&t->loss, &p->padding);
    p->outputs = run(context, p->schema, predictor, samples_of(a), &p->set);
    nm_predictor_close(predictor);
    const char *out = argument_value(a, "--out");
    if (p->outputs && out) {
        predictions_write(p, out);
    }
    return nm_context_status(context);
}

/* Whether one argument alone is rather the samples: no network is called so. */
static bool is_no_network(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    const bool yaml = dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
    return !is_trained_path(path) && !yaml && (dot || is_file(path) || strcmp(path, "-") == 0);
}

static int run_predict(nm_context *context, const arguments *a)
{
    if (a->count > 1 && is_no_network(a->positional[0]) && !is_no_network(a->positional[1])) {
        return bad_usage("predict: the network comes first: norma predict %s %s", a->positional[1],
                         a->positional[0]);
    }
    if (!samples_of(a) && is_no_network(a->positional[0])) {
        return bad_usage("predict: the network is missing: norma predict NETWORK %s, with a run's "
                         "folder, a saved .safetensors file or a network's YAML",
                         a->positional[0]);
    }
    if (!samples_of(a)) {
        return bad_usage(
            "predict: the samples are missing: norma predict %s FILE, with a CSV, .npy "
            "or IDX file, or - for the standard input",
            a->positional[0]);
    }
    trained t;
    predictions p = {.context = context};
    nm_status status = predict(context, a, &t, &p);
    int code = status != NM_OK ? report_error(context) : EXIT_FINE;
    if (status == NM_OK && !argument_value(a, "--quiet")) {
        predictions_print(&p, argument_value(a, "--json") != NULL);
    }
    nm_tensor_destroy(p.outputs);
    if (p.set.context) {
        nm_dataset_close(&p.set);
    }
    trained_close(&t);
    return code;
}

const command command_predict = {
    .name = "predict",
    .usage = "NETWORK SAMPLES",
    .summary = "run a trained network on samples",
    .doc =
        "NETWORK is the folder of a run, a saved .safetensors file, or a network's YAML with its "
        "newest run. SAMPLES is a CSV, .npy or IDX file as raw as the training data (- for the "
        "standard input): columns are found by name, scaled and standardized as in training; the "
        "target may be missing. Prints the class and its probability, or the values in the "
        "target's own unit, or of the loss ctc the labels in a row, padded only in files.",
    .flags = {{"--in", "FILE", "the samples, instead of SAMPLES"},
              {"--weights", "PATH", "a saved file, or the folder of a run, for a YAML file"},
              {"--out", "FILE",
               "write all outputs to FILE: .csv or .json, with the table's ids, else as NPY"},
              {"--set", "KEY=VALUE", "set a value of the network's file"},
              {"--json", NULL, "one JSON object a line on standard output"},
              {"--quiet", NULL, "print nothing"}},
    .least = 1,
    .most = 2,
    .run = run_predict,
};
