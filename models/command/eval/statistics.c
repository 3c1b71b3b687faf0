/* norma calibrate --statistics: batch norm's running statistics found again. */
#include "optim/statistics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "models/command/eval/evaluated.h"

/* As training takes them, but as they are: shuffled, and no batch too short for batch norm. */
static nm_loader *make_loader(const evaluated *e)
{
    nm_loader_options options = e->loader;
    options.shuffle = true;
    options.last_batch = NM_SHORT_MERGE;
    options.crop = options.shift = 0;
    options.flip = false;
    return nm_loader_create(e->trained.context, e->set, &options, true,
                            nm_context_seed(e->trained.context));
}

static nm_status find_statistics(const arguments *a, const evaluated *e, nm_statistics *s)
{
    nm_context *context = e->trained.context;
    const nm_network *network = nm_model_network(e->trained.model);
    nm_loader *loader = make_loader(e);
    nm_status status =
        loader ? nm_statistics_gather(s, network, loader) : nm_context_status(context);
    nm_loader_destroy(loader);
    if (status != NM_OK || argument_value(a, "--dry-run")) {
        return status;
    }
    if ((status = nm_statistics_store(s)) == NM_OK) {
        status = nm_saved_set_statistics(context, e->trained.weights, network->store);
    }
    return status;
}

/* ---- What is printed ---- */

/* The layer's: "bn1" of "bn1.running_mean". */
static const char *layer_of(const char *name, char *text, size_t size)
{
    const char *end = strrchr(name, '.');
    snprintf(text, size, "%.*s", end ? (int)(end - name) : (int)strlen(name), name);
    return text;
}

static void print_layer(const nm_statistics_report *r, bool json)
{
    char name[RUN_PATH];
    layer_of(r->name, name, sizeof name);
    if (json) {
        json_line line = {0};
        json_string(&line, "layer", name);
        json_integer(&line, "batches", r->batches);
        json_integer(&line, "values", r->values);
        json_number(&line, "mean_moved", r->moved);
        json_number(&line, "mean_error", r->mean_error);
        json_number(&line, "variance_ratio", r->ratio);
        json_number(&line, "variance_error", r->var_error);
        json_end(&line);
        return;
    }
    printf("%s: mean moved by %.3g deviations (standard error %.2g)", name, r->moved,
           r->mean_error);
    if (!isnan(r->ratio)) {
        printf(", variance %.4g times what it was (%.2g)", r->ratio, r->var_error);
    }
    putchar('\n');
}

static void print_end(const arguments *a, const evaluated *e)
{
    char clean[RUN_PATH];
    if (argument_value(a, "--dry-run")) {
        puts("nothing was written");
        return;
    }
    printf("written to %s\n", nm_text_clean(e->trained.weights, false, clean, sizeof clean));
    if (evaluated_temperature(e) != 1) {
        puts("its temperature belongs to the statistics that it had: find it again by norma "
             "calibrate");
    }
}

static void print_all(const arguments *a, const evaluated *e, const nm_statistics *s)
{
    const bool json = argument_value(a, "--json"), quiet = argument_value(a, "--quiet");
    const int64_t batches = nm_statistics_at(s, 0).batches;
    if (!json) {
        printf("running statistics of %d %s by %lld %s of %s (%lld samples)\n",
               nm_statistics_count(s), nm_statistics_count(s) == 1 ? "layer" : "layers",
               (long long)batches, batches == 1 ? "batch" : "batches", e->name,
               (long long)e->set->count);
    }
    for (int i = 0; (json || !quiet) && i < nm_statistics_count(s); i++) {
        const nm_statistics_report r = nm_statistics_at(s, i);
        print_layer(&r, json);
    }
    if (!json && !quiet) {
        print_end(a, e);
    }
}

int calibrate_statistics(nm_context *context, const arguments *a)
{
    evaluated e;
    const char *on = argument_value(a, "--on");
    if (argument_value(a, "--temperature") || argument_value(a, "--undo")) {
        return bad_usage("calibrate: --statistics does not go with %s; %s",
                         argument_value(a, "--undo") ? "--undo" : "--temperature",
                         argument_value(a, "--undo")
                             ? "the statistics that a file had are not kept: copy it before"
                             : "run norma calibrate twice, the statistics first");
    }
    nm_statistics *s = nm_statistics_create(context);
    nm_status status = s ? evaluated_open(context, a, on ? on : "train", &e) : NM_ERROR_MEMORY;
    if (s && status == NM_OK && (status = find_statistics(a, &e, s)) == NM_OK) {
        print_all(a, &e, s);
    }
    if (s) {
        evaluated_close(&e);
    }
    nm_statistics_destroy(s);
    return status == NM_OK ? EXIT_FINE : report_error(context);
}
