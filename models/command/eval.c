/* norma eval: a trained network on its test set. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "models/command/command.h"
#include "models/command/trained.h"

static const char *const set_names[] = {"train", "validation", "test"};

/* The set that --on names; -1: there is none of that name. */
static int set_of_name(const char *name)
{
    for (int i = 0; i < NM_COUNT_OF(set_names); i++) {
        if (strcmp(set_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

/* The test set, else what was held out of the training set, else that. */
static nm_set usual_set(const nm_data_options *o)
{
    return o->test.item ? NM_SET_TEST : o->validation > 0 ? NM_SET_VALIDATION : NM_SET_TRAIN;
}

/* What is evaluated on. */
typedef struct evaluated {
    trained trained;
    nm_data data;          /* where the set is of the network's file */
    nm_dataset own;        /* where it is a file of --data */
    const nm_dataset *set; /* the one */
    const char *name;      /* of it */
    nm_loader_options loader;
    nm_choices metrics;
    nm_evaluation result, guess;
    const char *baseline; /* what the guess is */
} evaluated;

/* ---- The set ---- */

static nm_status open_file(evaluated *e, const char *path, const arguments *a)
{
    nm_context *context = e->trained.context;
    const nm_schema *schema = nm_model_schema(e->trained.model);
    if (!schema) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%s does not say what samples are, so --data cannot be read; give the "
                       "network's YAML with its own data",
                       e->trained.weights);
    }
    const nm_reading reading = {.schema = schema,
                                .ignored = nm_loss_choice_ignored(&e->trained.loss),
                                .wanted = nm_loss_choice_wants(&e->trained.loss)};
    nm_status status =
        nm_dataset_open_file(context, path, argument_value(a, "--labels"), &reading, &e->own);
    if (status == NM_OK && !e->own.targets) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%s has no targets to compare with; give the column of the target, or "
                       "--labels FILE for an array",
                       path);
    }
    e->set = &e->own;
    e->name = path;
    e->loader = nm_schema_loader(schema, e->trained.config.data_options.loader.batch);
    return status;
}

static nm_status open_own(evaluated *e, const arguments *a)
{
    nm_config *c = &e->trained.config;
    const char *on = argument_value(a, "--on");
    const int named = on ? set_of_name(on) : (int)usual_set(&c->data_options);
    if (named < 0) {
        return nm_fail(e->trained.context, NM_ERROR_INPUT,
                       "there is no set \"%s\"; --on takes train, validation or test", on);
    }
    if (!c->data_options.train.item) {
        return nm_fail(e->trained.context, NM_ERROR_INPUT,
                       "nothing to evaluate on: there are no data beside %s; give --data FILE",
                       e->trained.weights);
    }
    e->name = set_names[named];
    nm_data *from = &e->data;
    nm_status status = NM_OK;
    if (c->data.train.count) {
        from = &c->data; /* the saved file does not say what samples are: all are open */
    } else {
        status = nm_data_open_set(e->trained.context, &c->data_options,
                                  nm_model_schema(e->trained.model), (nm_set)named, from);
    }
    e->set = named == NM_SET_TRAIN        ? &from->train
             : named == NM_SET_VALIDATION ? &from->validation
                                          : &from->test;
    e->loader = from->loader;
    if (status == NM_OK && !e->set->count) {
        return nm_fail(e->trained.context, NM_ERROR_INPUT, "there is no %s set", e->name);
    }
    return status;
}

/* ---- What is printed ---- */

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

/* ---- The evaluation ---- */

/* The set stands where a training set would: the trainer does nothing but evaluate. */
static nm_status evaluate(evaluated *e)
{
    const nm_data data = {.train = *e->set, .loader = e->loader};
    nm_trainer_setup setup = {.data = NULL};
    if (e->trained.has_config) {
        setup = nm_config_setup(&e->trained.config);
    }
    if (!setup.options.metric.count) {
        setup.options.metric = nm_model_saved(e->trained.model)->metric;
    }
    setup.network = nm_model_network(e->trained.model);
    setup.data = &data;
    setup.loss = e->trained.loss;
    setup.guess = nm_model_saved(e->trained.model)->guess;
    setup.only_evaluates = true;
    if (!setup.loss.item) {
        return nm_fail(e->trained.context, NM_ERROR_INPUT,
                       "%s does not say which loss the network was trained with; give its YAML",
                       e->trained.weights);
    }
    nm_trainer *trainer = nm_trainer_create(e->trained.context, &setup);
    nm_status status = trainer ? nm_trainer_evaluate(trainer, e->set, &e->result)
                               : nm_context_status(e->trained.context);
    if (status == NM_OK) {
        e->metrics = *nm_trainer_state(trainer)->metrics;
        e->baseline = nm_trainer_state(trainer)->baseline;
        status = nm_trainer_evaluate_baseline(trainer, e->set, &e->guess);
    }
    nm_trainer_destroy(trainer);
    return status;
}

/* A mean with a NaN in it is no result. */
static nm_status check_finite(const evaluated *e)
{
    if (isfinite(e->result.loss)) {
        return NM_OK;
    }
    return nm_fail(e->trained.context, NM_ERROR_NUMERIC,
                   "the %s loss is %s: the network's outputs are not finite; its parameters or the "
                   "samples are too large",
                   e->name, isnan(e->result.loss) ? "NaN" : "infinite");
}

static void close_evaluated(evaluated *e)
{
    if (e->data.train.context) {
        nm_data_close(&e->data);
    }
    if (e->own.context) {
        nm_dataset_close(&e->own);
    }
    trained_close(&e->trained);
}

static int run_eval(nm_context *context, const arguments *a)
{
    evaluated e = {.name = ""};
    const char *file = argument_value(a, "--data");
    nm_status status = trained_open(context, a, &e.trained);
    if (status == NM_OK) {
        status = file ? open_file(&e, file, a) : open_own(&e, a);
    }
    if (status == NM_OK) {
        status = evaluate(&e);
    }
    if (status == NM_OK) {
        status = check_finite(&e);
    }
    int code = status != NM_OK               ? report_error(context)
               : argument_value(a, "--json") ? print_json(&e)
                                             : print(&e);
    close_evaluated(&e);
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
