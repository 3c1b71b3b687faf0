/* norma calibrate: after training, probabilities that mean what they say. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/clean.h"
#include "models/command/eval/evaluated.h"

/* The scores and labels of all samples that count. */
typedef struct gathered {
    nm_context *context;
    nm_ignored ignored;
    int64_t room; /* samples */
    int64_t samples, classes;
    float *scores; /* [room, classes] */
    int32_t *labels;
} gathered;

/* Of them, before and after. */
typedef struct outcome {
    nm_calibration fit;
    double temperature; /* the whole one: of the file as it was, times that of the fit */
    double error[2];    /* expected calibration error */
} outcome;

/* ---- Gathering ---- */

static nm_status make_room(gathered *g, int64_t classes)
{
    g->classes = classes;
    g->scores = nm_alloc_zero(g->context, (size_t)(g->room * classes), sizeof *g->scores);
    g->labels = nm_alloc_zero(g->context, (size_t)g->room, sizeof *g->labels);
    return nm_context_status(g->context);
}

static nm_status on_outputs(void *user, nm_tensor *outputs, const nm_batch *batch)
{
    gathered *g = user;
    const float *rows = nm_tensor_f32(outputs);
    const int32_t *labels = batch->targets;
    const int64_t classes = nm_tensor_count(outputs) / batch->count;
    if (!rows || (!g->labels && make_room(g, classes) != NM_OK)) {
        return nm_context_status(g->context);
    }
    for (int64_t i = 0; i < batch->count && g->samples < g->room; i++) {
        if (!nm_is_ignored(&g->ignored, labels[i])) {
            memcpy(g->scores + g->samples * classes, rows + i * classes,
                   (size_t)classes * sizeof *rows);
            g->labels[g->samples++] = labels[i];
        }
    }
    return NM_OK;
}

/* ---- What may be calibrated by what ---- */

static nm_status check_classifier(const evaluated *e)
{
    const nm_loss_type *loss = (const nm_loss_type *)(const void *)e->trained.loss.item;
    if (!loss || loss->wants_labels) {
        return NM_OK;
    }
    return nm_fail(e->trained.context, NM_ERROR_INPUT,
                   "calibrate: %s predicts values (its loss is %s); what is calibrated are "
                   "probabilities of classes",
                   e->trained.weights, loss->item.name);
}

static nm_status refuse_training(nm_context *context, const char *what)
{
    return nm_fail(context, NM_ERROR_INPUT,
                   "calibrate: %s is what the network was trained on, where it is surer than "
                   "anywhere else; give samples that had no part in training",
                   what);
}

static nm_status open_held_out(nm_context *context, const arguments *a, evaluated *e)
{
    const char *on = argument_value(a, "--on"), *file = argument_value(a, "--data");
    nm_status status = evaluated_open(context, a, on ? on : "validation", e);
    status = status == NM_OK ? check_classifier(e) : status;
    if (status == NM_OK && file && evaluated_was_trained_on(e, file)) {
        status = refuse_training(context, file);
    } else if (status == NM_OK && !file && on && strcmp(on, "train") == 0) {
        status = refuse_training(context, "the training set");
    }
    return status;
}

/* ---- The temperature ---- */

/* NaN if memory ran out. */
static double error_at(const gathered *g, double temperature)
{
    nm_metric metric;
    const nm_shape shape = NM_SHAPE(g->samples, g->classes);
    const nm_batch batch = {.count = g->samples,
                            .target_shape = NM_SHAPE(g->samples),
                            .target_dtype = NM_I32,
                            .targets = g->labels};
    nm_tensor *scores = nm_tensor_create(g->context, NM_F32, shape);
    float *to = scores ? nm_tensor_f32(scores) : NULL;
    for (int64_t i = 0; to && i < g->samples * g->classes; i++) {
        to[i] = (float)((double)g->scores[i] / temperature);
    }
    nm_metric_begin(&metric, g->context, &nm_metric_expected_calibration_error, NULL);
    if (to) {
        nm_metric_add(&metric, scores, &batch);
    }
    const double error = nm_metric_value(&metric);
    nm_metric_end(&metric);
    nm_tensor_destroy(scores);
    return error;
}

/* At a limit there is none that is best. */
static nm_status check_limits(const gathered *g, const nm_calibration *fit, const char *set)
{
    if (fit->temperature <= NM_TEMPERATURE_LEAST) {
        return nm_fail(g->context, NM_ERROR_INPUT,
                       "calibrate: the network tells all %lld samples of %s apart, so that they "
                       "become likelier without end as the temperature falls (%g was tried); more "
                       "samples, some of them hard, would tell how sure it may be; nothing was "
                       "written",
                       (long long)g->samples, set, NM_TEMPERATURE_LEAST);
    }
    if (fit->temperature >= NM_TEMPERATURE_MOST) {
        return nm_fail(
            g->context, NM_ERROR_INPUT,
            "calibrate: the network's scores say no more than chance of the %lld samples "
            "of %s: no temperature up to %g is high enough; are these the right samples? "
            "Nothing was written",
            (long long)g->samples, set, NM_TEMPERATURE_MOST);
    }
    return NM_OK;
}

static nm_status fit(const evaluated *e, const gathered *g, outcome *o)
{
    nm_status status =
        nm_calibrate_temperature(g->context, g->scores, g->labels, g->samples, g->classes, &o->fit);
    if (status != NM_OK || (status = check_limits(g, &o->fit, e->name)) != NM_OK) {
        return status;
    }
    o->temperature = evaluated_temperature(e) * o->fit.temperature;
    o->error[0] = error_at(g, 1);
    o->error[1] = error_at(g, o->fit.temperature);
    return nm_context_status(g->context);
}

static nm_status calibrate(const arguments *a, evaluated *e, outcome *o)
{
    nm_context *context = e->trained.context;
    gathered g = {.context = context,
                  .ignored = nm_loss_choice_ignored(&e->trained.loss),
                  .room = e->set->count};
    const nm_onlooker onlooker = {&g, on_outputs};
    nm_status status = evaluated_run(e, &onlooker);
    if (status == NM_OK) status = fit(e, &g, o);
    if (status == NM_OK && !argument_value(a, "--dry-run")) {
        status = nm_saved_set_temperature(context, e->trained.weights, o->temperature);
    }
    nm_free(context, g.scores);
    nm_free(context, g.labels);
    return status;
}

/* ---- What is printed ---- */

static void print_json(const evaluated *e, const outcome *o)
{
    json_line line = {0};
    json_string(&line, "set", e->name);
    json_integer(&line, "samples", e->result.samples - e->result.ignored);
    json_number(&line, "temperature", o->temperature);
    json_number(&line, "negative_log_likelihood_before", o->fit.before);
    json_number(&line, "negative_log_likelihood", o->fit.after);
    json_number(&line, "expected_calibration_error_before", o->error[0]);
    json_number(&line, "expected_calibration_error", o->error[1]);
    json_string(&line, "weights", e->trained.weights);
    json_end(&line);
}

static void print(const arguments *a, const evaluated *e, const outcome *o)
{
    char clean[RUN_PATH];
    const char *weights = nm_text_clean(e->trained.weights, false, clean, sizeof clean);
    printf("temperature %.4g (%s, %lld samples): negative log-likelihood %.4f -> %.4f, expected "
           "calibration error %.4f -> %.4f\n",
           o->temperature, e->name, (long long)(e->result.samples - e->result.ignored),
           o->fit.before, o->fit.after, o->error[0], o->error[1]);
    if (argument_value(a, "--quiet")) {
        return;
    }
    if (argument_value(a, "--dry-run")) {
        puts("nothing was written");
        return;
    }
    printf(
        "written to %s; norma predict and norma eval apply it, and which class is likeliest stays "
        "the same\n",
        weights);
}

/* ---- The command ---- */

/* Takes the temperature out of the file. */
static int undo(nm_context *context, const arguments *a)
{
    trained t;
    nm_status status = trained_open(context, a, &t);
    if (status == NM_OK) {
        status = nm_saved_set_temperature(context, t.weights, 1);
    }
    if (status == NM_OK) {
        char clean[RUN_PATH];
        printf("no temperature in %s any more\n",
               nm_text_clean(t.weights, false, clean, sizeof clean));
    }
    trained_close(&t);
    return status == NM_OK ? EXIT_FINE : report_error(context);
}

static int run_calibrate(nm_context *context, const arguments *a)
{
    evaluated e;
    outcome o;
    if (argument_value(a, "--statistics")) {
        return calibrate_statistics(context, a);
    }
    if (argument_value(a, "--undo")) {
        return undo(context, a);
    }
    nm_status status = open_held_out(context, a, &e);
    if (status == NM_OK) {
        status = calibrate(a, &e, &o);
    }
    if (status == NM_OK && argument_value(a, "--json")) {
        print_json(&e, &o);
    } else if (status == NM_OK) {
        print(a, &e, &o);
    }
    evaluated_close(&e);
    return status == NM_OK ? EXIT_FINE : report_error(context);
}

const command command_calibrate = {
    .name = "calibrate",
    .usage = "NETWORK",
    .summary = "make a trained network's probabilities mean what they say",
    .doc =
        "Finds the temperature by which the class scores of NETWORK (a run's folder, a saved "
        ".safetensors file, or a network's YAML with its newest run) are to be divided so that "
        "samples it was not trained on become as likely as can be, and writes it into the saved "
        "file: those of the validation set, or of --data. Probabilities change, the likeliest "
        "class does not. The training set is refused: there, a network is surer than anywhere "
        "else.\n"
        "With --statistics, the running statistics of batch norm and its like are found again "
        "instead: "
        "means and variances over all samples of the training set, by the weights as they are "
        "now, where training leaves a moving average over weights that are no more. How far they "
        "move is printed, with the standard error that so many batches leave.",
    .flags = {{"--temperature", NULL, "by one temperature for all classes: the one way there is"},
              {"--statistics", NULL, "running statistics, by the training set"},
              {"--data", "FILE", "by these samples: CSV, .npy or IDX"},
              {"--labels", "FILE", "their targets, where --data is an array"},
              {"--on", "SET",
               "validation or test; default: validation; for --statistics train. What was "
               "calibrated by the test set is to be measured on other samples"},
              {"--undo", NULL, "take the temperature out again"},
              {"--dry-run", NULL, "write nothing"},
              {"--weights", "PATH", "a saved file, or the folder of a run, for a YAML file"},
              {"--set", "KEY=VALUE", "set a value of the network's file"},
              {"--json", NULL,
               "one JSON object on standard output; for --statistics one a layer, a line each"},
              {"--quiet", NULL, "one line"}},
    .least = 1,
    .most = 1,
    .run = run_calibrate,
};
