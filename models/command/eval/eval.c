/* norma eval: a trained network on its test set. */
#include <stdio.h>

#include "core/clean.h"
#include "models/command/eval/evaluated.h"

static int print_json(const evaluated *e)
{
    json_line line = {0};
    json_string(&line, "set", e->name);
    json_integer(&line, "samples", e->result.samples);
    json_integer(&line, "ignored", e->result.ignored);
    json_number(&line, "loss", e->result.loss);
    json_string(&line, "metric_name", e->metrics.count ? e->metrics.at[0].item->name : NULL);
    json_number(&line, "metric", e->result.metric);
    json_metrics(&line, "", &e->metrics, e->result.metrics);
    json_baseline(&line, "", &e->metrics, &e->guess);
    json_string(&line, "weights", e->trained.weights);
    json_end(&line);
    return EXIT_FINE;
}

static int print(const evaluated *e)
{
    char values[METRICS_TEXT], baseline[BASELINE_TEXT];
    printf("%s loss %.4f%s%s (%lld samples", e->name, e->result.loss,
           describe_metrics(values, sizeof values, &e->metrics, e->result.metrics),
           describe_baseline(baseline, e->baseline, &e->metrics, &e->guess),
           (long long)e->result.samples);
    if (e->result.ignored) {
        printf(", %lld ignored", (long long)e->result.ignored);
    }
    char clean[RUN_PATH];
    printf(", %s)\n", nm_text_clean(e->trained.weights, false, clean, sizeof clean));
    return EXIT_FINE;
}

static int run_eval(nm_context *context, const arguments *a)
{
    evaluated e;
    nm_status status = evaluated_open(context, a, &e);
    if (status == NM_OK) {
        status = evaluated_run(&e);
    }
    int code = status != NM_OK               ? report_error(context)
               : argument_value(a, "--json") ? print_json(&e)
                                             : print(&e);
    evaluated_close(&e);
    return code;
}

const command command_eval = {
    .name = "eval",
    .usage = "NETWORK",
    .summary = "evaluate a trained network",
    .doc =
        "Computes the loss and the metrics of NETWORK: the folder of a run, a saved .safetensors "
        "file, or a network's YAML with its newest run. On the test set of its file, or on --data: "
        "a CSV with the target's column, or an array with --labels. The training data are opened "
        "only by --on train and --on validation.",
    .flags = {{"--data", "FILE", "evaluate on these samples: CSV, .npy or IDX"},
              {"--labels", "FILE", "their targets, where --data is an array"},
              {"--on", "SET", "train, validation or test; default: test"},
              {"--weights", "PATH", "a saved file, or the folder of a run, for a YAML file"},
              {"--set", "KEY=VALUE", "set a value of the network's file"},
              {"--json", NULL, "one JSON object on standard output"}},
    .least = 1,
    .most = 1,
    .computes = true,
    .run = run_eval,
};
