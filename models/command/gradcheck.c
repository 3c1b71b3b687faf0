/* norma gradcheck: the check that the tests run, for built-in ops and plugins alike, and for whole
 * networks. */
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"

static int check_one(nm_context *context, const char *name, bool json)
{
    nm_check_result result;
    nm_status status = nm_check_op(context, name, &result);
    if (json) {
        json_line line = {0};
        json_string(&line, "op", name);
        json_integer(&line, "samples", result.samples);
        json_number(&line, "first_order_error", result.first_error);
        json_number(&line, "second_order_error", result.second_error);
        json_string(&line, "error", status == NM_OK ? NULL : nm_context_error(context));
        json_end(&line);
    } else if (status == NM_OK) {
        printf("%-20s %2d samples   first order %.1e   second order %.1e\n", name, result.samples,
               result.first_error, result.second_error);
    }
    if (status == NM_OK) {
        return EXIT_FINE;
    }
    int code = json ? EXIT_FAILED : report_error(context);
    nm_context_clear_error(context);
    return status == NM_ERROR_INPUT ? code : EXIT_FAILED;
}

/* ---- A network ---- */

#define SAMPLES 6 /* enough for batch norm, few enough for large networks */

static void tell_json(const nm_model_check *check)
{
    json_line line = {0};
    json_string(&line, "tensor", check->name);
    json_integer(&line, "projections", check->projections);
    json_integer(&line, "kinks", check->kinks);
    json_integer(&line, "left_out", check->left_out);
    json_number(&line, "error", check->error);
    json_string(&line, "failure", NULL);
    json_end(&line);
}

static void tell(void *user, const nm_model_check *check)
{
    if (*(const bool *)user) {
        tell_json(check);
        return;
    }
    printf("%-28s %d projections   error %.1e", check->name, check->projections, check->error);
    if (check->kinks) {
        printf("   %d beside a kink", check->kinks);
    }
    if (check->left_out) {
        printf("   %d left out, at a kink", check->left_out);
    }
    putchar('\n');
}

/* Random numbers on all parameters, since much is hidden where they begin with 0 or 1. */
static nm_status shake(nm_store *store, nm_random *random)
{
    nm_status status = NM_OK;
    for (int i = 0; i < nm_store_count(store) && status == NM_OK; i++) {
        const nm_entry *entry = nm_store_at(store, i);
        for (int64_t k = 0; entry->role == NM_PARAMETER && k < nm_tensor_count(entry->tensor);
             k++) {
            const double value = nm_tensor_get(entry->tensor, k);
            nm_tensor_set(entry->tensor, k, value + 0.1 * nm_random_normal(random));
        }
        status = nm_context_status(nm_store_context(store));
    }
    return status;
}

static nm_shape batch_shape(const nm_shape *sample)
{
    nm_shape shape = {.rank = sample->rank + 1, .dim = {SAMPLES}};
    memcpy(shape.dim + 1, sample->dim, (size_t)sample->rank * sizeof *sample->dim);
    return shape;
}

static nm_status check_model(nm_model *model, bool json)
{
    nm_random random = nm_random_create(20150211, 0);
    nm_context *context = nm_store_context(nm_model_store(model));
    nm_tensor *x = nm_tensor_create(context, NM_F64, batch_shape(nm_model_input(model)));
    nm_status status = x ? nm_random_fill_normal(&random, x, 0, 1) : NM_ERROR_MEMORY;
    status = status == NM_OK ? shake(nm_model_store(model), &random) : status;
    status = status == NM_OK ? nm_check_model(model, x, tell, &json) : status;
    nm_tensor_destroy(x);
    return status;
}

/* The file's network again, in f64. */
static nm_model *widen(const nm_config *config)
{
    const nm_model_options options = {NM_MODEL_DEFAULTS, .dtype = NM_F64,
                                      .seed = (uint64_t)config->train.seed};
    const nm_value *value = nm_value_get(nm_document_root(config->document), "model");
    return nm_model_create(config->context, config->document, value, nm_model_input(config->model),
                           &options);
}

static int check_network(nm_context *context, const char *path, bool json)
{
    nm_config config;
    nm_status status = nm_config_open(context, path, NULL, 0, 0, &config);
    nm_model *model = status == NM_OK ? widen(&config) : NULL;
    status = model ? check_model(model, json) : nm_context_status(context);
    if (status != NM_OK && json) {
        json_line line = {0};
        json_string(&line, "failure", nm_context_error(context));
        json_end(&line);
    }
    nm_model_destroy(model);
    nm_config_close(&config);
    return status == NM_OK ? EXIT_FINE : report_error(context);
}

/* ---- Which of the two ---- */

static bool is_network(const nm_context *context, const char *name)
{
    return !nm_find_op(context, name) && (strchr(name, '.') || strchr(name, '/'));
}

static int run_gradcheck(nm_context *context, const arguments *a)
{
    bool json = argument_value(a, "--json") != NULL;
    int worst = EXIT_FINE;
    int count = a->count ? a->count : nm_item_count(context, NM_KIND_OP);
    for (int i = 0; i < count; i++) {
        const char *name = a->count ? a->positional[i] : nm_item_at(context, NM_KIND_OP, i)->name;
        const bool network = is_network(context, name);
        if (!network && !nm_require(context, NM_KIND_OP, name)) {
            return report_error(context);
        }
        int code = network ? check_network(context, name, json) : check_one(context, name, json);
        nm_context_clear_error(context);
        worst = code > worst ? code : worst;
    }
    return worst;
}

const command command_gradcheck = {
    .name = "gradcheck",
    .usage = "[OP|FILE...]",
    .summary = "check gradients against differences",
    .doc =
        "Checks the gradient, and the gradient of the gradient, of the given ops (all without "
        "arguments) in f64 against central differences, weighted by random output gradients. "
        "Prints the largest relative errors.\n"
        "Of a network's file (a name with a dot or a slash) it checks the gradients of each "
        "parameter and of the samples along random directions, in f64, on random samples, with "
        "all parameters moved a bit at random, as in training. Kinks (relu, a maximum) within a "
        "step are noticed and told. Surrogate gradients (spectral_norm; batch_renorm once it has "
        "begun to correct) are no derivatives, and fail.",
    .flags = {{"--json", NULL, "one JSON object a line on standard output"}},
    .most = -1,
    .run = run_gradcheck,
};
