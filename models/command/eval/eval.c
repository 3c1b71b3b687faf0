/* norma eval: a trained network on its test set. */
#include <stdio.h>

#include "core/clean.h"
#include "models/command/eval/evaluated.h"
#include "models/command/eval/results.h"

static int64_t counted(const evaluated *e)
{
    return e->result.samples - e->result.ignored;
}

static int print_json(const evaluated *e, const results *r)
{
    json_line line = {0};
    json_string(&line, "set", e->name);
    json_integer(&line, "samples", e->result.samples);
    json_integer(&line, "ignored", e->result.ignored);
    json_number(&line, "loss", e->result.loss);
    json_string(&line, "metric_name", e->metrics.count ? e->metrics.at[0].item->name : NULL);
    json_number(&line, "metric", e->result.metric);
    json_metrics(&line, "", &e->metrics, e->result.metrics);
    json_intervals(&line, "", &e->metrics, e->result.metrics, counted(e));
    json_baseline(&line, "", &e->metrics, &e->guess);
    json_string(&line, "weights", e->trained.weights);
    json_integer(&line, "bits", nm_model_is_quantized(e->trained.model) ? 8 : 32);
    json_results(&line, r, evaluated_temperature(e));
    json_end(&line);
    return EXIT_FINE;
}

static int print(const evaluated *e, const results *r, bool quiet)
{
    char values[METRICS_TEXT], baseline[BASELINE_TEXT];
    printf("%s loss %.4f%s%s (%lld samples", e->name, e->result.loss,
           describe_results(values, sizeof values, &e->metrics, e->result.metrics, counted(e)),
           describe_baseline(baseline, e->baseline, &e->metrics, &e->guess),
           (long long)e->result.samples);
    if (e->result.ignored) {
        printf(", %lld ignored", (long long)e->result.ignored);
    }
    char clean[RUN_PATH];
    printf(", %s%s)\n", nm_text_clean(e->trained.weights, false, clean, sizeof clean),
           nm_model_is_quantized(e->trained.model) ? ", weights of 8 bits" : "");
    if (!quiet) {
        print_few(&e->metrics, counted(e));
        print_results(r, evaluated_temperature(e));
    }
    return EXIT_FINE;
}

static nm_status measure_all(evaluated *e, const arguments *a, results *r)
{
    const char *out = argument_value(a, "--out");
    const nm_onlooker onlooker = {r, results_on_outputs};
    *r = results_begin(e->trained.context, nm_model_schema(e->trained.model), &e->trained.loss);
    nm_status status = evaluated_run(e, &onlooker);
    return status == NM_OK && out ? write_confusion(r, out) : status;
}

static int run_eval(nm_context *context, const arguments *a)
{
    evaluated e;
    results r = {.begun = false};
    nm_status status = evaluated_open(context, a, argument_value(a, "--on"), &e);
    const char *file = argument_value(a, "--data");
    if (status == NM_OK && file && evaluated_was_trained_on(&e, file)) {
        nm_context_log(context, NM_LOG_WARNING,
                       "%s is what the network was trained on; on other samples it may do worse",
                       file);
    }
    if (status == NM_OK) {
        status = measure_all(&e, a, &r);
    }
    int code = status != NM_OK               ? report_error(context)
               : argument_value(a, "--json") ? print_json(&e, &r)
                                             : print(&e, &r, argument_value(a, "--quiet") != NULL);
    results_end(&r);
    evaluated_close(&e);
    return code;
}

const command command_eval = {
    .name = "eval",
    .usage = "NETWORK",
    .summary = "evaluate a trained network",
    .doc =
        "Computes the loss and the metrics of NETWORK, and of classes precision, recall and F1 of "
        "each, the confusion matrix and how well probabilities are calibrated, of values the "
        "errors of each. NETWORK is the folder of a run, a saved .safetensors "
        "file, or a network's YAML with its newest run. On the test set of its file, or on --data: "
        "a CSV with the target's column, or an array with --labels. The training data are opened "
        "only by --on train and --on validation.",
    .flags = {{"--data", "FILE", "evaluate on these samples: CSV, .npy or IDX"},
              {"--labels", "FILE", "their targets, where --data is an array"},
              {"--on", "SET", "train, validation or test; default: test"},
              {"--weights", "PATH", "a saved file, or the folder of a run, for a YAML file"},
              {"--set", "KEY=VALUE", "set a value of the network's file"},
              {"--out", "FILE", "write the confusion matrix to FILE, as CSV: a row a class"},
              {"--json", NULL, "one JSON object on standard output"},
              {"--quiet", NULL, "the line with loss and metrics alone"}},
    .least = 1,
    .most = 1,
    .run = run_eval,
};
