#include "models/command/trained.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The length of a header, and the brace that it begins with: no text file begins so. */
static bool has_tensors(const char *path)
{
    unsigned char bytes[9] = {0};
    FILE *file = is_file(path) ? fopen(path, "rb") : NULL;
    const bool whole = file && fread(bytes, 1, sizeof bytes, file) == sizeof bytes;
    if (file) {
        fclose(file);
    }
    return whole && bytes[8] == '{' && !bytes[4] && !bytes[5] && !bytes[6] && !bytes[7];
}

/* By its name, or whatever it is called by what is in it. */
static bool is_saved_file(const char *path)
{
    static const char end[] = ".safetensors";
    const size_t length = strlen(path), tail = sizeof end - 1;
    return (length > tail && strcmp(path + length - tail, end) == 0) || has_tensors(path);
}

bool is_trained_path(const char *path)
{
    return is_folder(path) || is_saved_file(path);
}

/* The network.yaml of a run, beside its saved file; false if there is none. */
static bool find_network_file(const char *weights, char path[RUN_PATH])
{
    const char *slash = strrchr(weights, '/');
    int length = slash ? (int)(slash - weights) : 1;
    int written = snprintf(path, RUN_PATH, "%.*s/network.yaml", length, slash ? weights : ".");
    return written > 0 && written < RUN_PATH && path_exists(path);
}

/* A loss for values where the outputs are class scores, or the other way round. */
static nm_status check_loss(const trained *t)
{
    const nm_item *here = t->config.loss.item, *there = nm_model_saved(t->model)->loss.item;
    if (!here || !there ||
        ((const nm_loss_type *)(const void *)here)->wants_labels ==
            ((const nm_loss_type *)(const void *)there)->wants_labels) {
        return NM_OK;
    }
    return nm_fail(t->context, NM_ERROR_INPUT,
                   "%s: the network was trained with the loss \"%s\", but its file says \"%s\"",
                   t->weights, there->name, here->name);
}

static nm_status open_with_yaml(trained *t, const char *yaml, const arguments *a)
{
    const char *settings[MAX_VALUES];
    int count = argument_list(a, "--set", settings);
    nm_status status =
        nm_config_open_trained(t->context, yaml, settings, count, t->weights, &t->config);
    if (status == NM_OK) {
        t->has_config = true;
        t->model = t->config.model;
        t->loss = nm_loss_choice_resolve(&t->config.loss, &nm_model_saved(t->model)->loss);
        status = check_loss(t);
    }
    return status;
}

static nm_status open_alone(trained *t)
{
    t->model = t->own = nm_model_open_saved(t->context, t->weights);
    if (t->model) {
        t->loss = nm_model_saved(t->model)->loss;
    }
    return nm_context_status(t->context);
}

/* A run's folder, or a file in it. */
static nm_status open_run(trained *t, const char *path, const arguments *a)
{
    char yaml[RUN_PATH];
    char *file = nm_saved_find(t->context, path);
    int length = file ? snprintf(t->weights, RUN_PATH, "%s", file) : 0;
    nm_free(t->context, file);
    if (length < 0 || length >= RUN_PATH) {
        return nm_fail(t->context, NM_ERROR_INPUT, "the path is too long: %.80s...", path);
    }
    if (!file) {
        return nm_context_status(t->context);
    }
    if (find_network_file(t->weights, yaml)) {
        return open_with_yaml(t, yaml, a);
    }
    if (argument_value(a, "--set")) {
        return nm_fail(t->context, NM_ERROR_INPUT,
                       "--set changes a network's file, and there is none beside %s", t->weights);
    }
    return open_alone(t);
}

nm_status trained_open(nm_context *context, const arguments *a, trained *t)
{
    const char *path = a->positional[0], *weights = argument_value(a, "--weights");
    *t = (trained){.context = context};
    if (!weights && is_trained_path(path)) {
        return open_run(t, path, a);
    }
    nm_status status = find_weights(context, path, weights, t->weights);
    return status == NM_OK ? open_with_yaml(t, path, a) : status;
}

void trained_close(trained *t)
{
    nm_model_destroy(t->own);
    nm_config_close(&t->config);
}
