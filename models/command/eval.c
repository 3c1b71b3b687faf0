/* norma eval: a trained network on its test set. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"
#include "models/command/train/folder.h"

/* The set to evaluate on: what --on says, else the test set, else what there is. */
static const nm_dataset *choose_set(const nm_data *data, const char *name)
{
    if (name) {
        return strcmp(name, "train") == 0        ? &data->train
               : strcmp(name, "validation") == 0 ? &data->validation
               : strcmp(name, "test") == 0       ? &data->test
                                                 : NULL;
    }
    return data->test.count         ? &data->test
           : data->validation.count ? &data->validation
                                    : &data->train;
}

static const char *name_of_set(const nm_data *data, const nm_dataset *set)
{
    return set == &data->test ? "test" : set == &data->validation ? "validation" : "train";
}

static int print(const nm_config *config, const nm_dataset *set, const nm_metric_type *metric,
                 const nm_evaluation *e, const char *weights, bool json)
{
    const char *set_name = name_of_set(&config->data, set);
    bool accuracy = metric && strcmp(metric->item.name, "accuracy") == 0;
    if (json) {
        json_line line = {0};
        json_string(&line, "set", set_name);
        json_integer(&line, "samples", e->samples);
        json_integer(&line, "ignored", e->ignored);
        json_number(&line, "loss", e->loss);
        json_string(&line, "metric_name", metric ? metric->item.name : NULL);
        json_number(&line, "metric", e->metric);
        json_string(&line, "weights", weights);
        json_end(&line);
        return EXIT_FINE;
    }
    printf("%s loss %.4f", set_name, e->loss);
    if (metric && !isnan(e->metric)) {
        printf(accuracy ? ", accuracy %.2f %%" : ", metric %.4g",
               accuracy ? 100 * e->metric : e->metric);
    }
    printf(" (%lld samples", (long long)e->samples);
    if (e->ignored) {
        printf(", %lld ignored", (long long)e->ignored);
    }
    printf(", %s)\n", weights);
    return EXIT_FINE;
}

static nm_status evaluate(nm_config *config, const char *set_name, const nm_dataset **set,
                          const nm_metric_type **metric, nm_evaluation *result)
{
    *set = choose_set(&config->data, set_name);
    if (!*set || !(*set)->count) {
        return nm_fail(config->context, NM_ERROR_INPUT,
                       "there is no %s set; give --on train, "
                       "validation or test, and see that the file has it",
                       set_name);
    }
    nm_trainer_setup setup = nm_config_setup(config);
    setup.only_evaluates = true;
    nm_trainer *trainer = nm_trainer_create(config->context, &setup);
    nm_status status =
        trainer ? nm_trainer_evaluate(trainer, *set, result) : nm_context_status(config->context);
    *metric = trainer ? nm_trainer_state(trainer)->metric : NULL;
    nm_trainer_destroy(trainer);
    return status;
}

static int run_eval(nm_context *context, const arguments *a)
{
    const char *settings[MAX_VALUES];
    int count = argument_list(a, "--set", settings);
    nm_config config = {0};
    char weights[RUN_PATH];
    const nm_dataset *set = NULL;
    const nm_metric_type *metric = NULL;
    nm_evaluation result;
    nm_status status =
        find_weights(context, a->positional[0], argument_value(a, "--weights"), weights);
    if (status == NM_OK) {
        status = nm_config_open(context, a->positional[0], settings, count,
                                NM_NEED_DATA | NM_NEED_LOSS, &config);
    }
    if (status == NM_OK) {
        status = nm_model_load(config.model, weights);
    }
    if (status == NM_OK) {
        status = evaluate(&config, argument_value(a, "--on"), &set, &metric, &result);
    }
    int code = status == NM_OK ? print(&config, set, metric, &result, weights,
                                       argument_value(a, "--json") != NULL)
                               : report_error(context);
    nm_config_close(&config);
    return code;
}

const command command_eval = {
    .name = "eval",
    .usage = "FILE",
    .summary = "evaluate a trained network",
    .doc =
        "Computes the loss and the metric of the network that FILE describes, with the parameters "
        "of its newest run (the best ones, if there are) or those given.",
    .flags = {{"--weights", "PATH", "a safetensors file, or the folder of a run"},
              {"--on", "SET", "train, validation or test; default: test"},
              {"--set", "KEY=VALUE", "set a value of the file"},
              {"--json", NULL, "one JSON object on standard output"}},
    .least = 1,
    .most = 1,
    .computes = true,
    .run = run_eval,
};
