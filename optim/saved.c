#include "optim/saved.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/guard.h"
#include "core/op.h"
#include "optim/checkpoint.h"
#include "optim/data/schema_write.h"
#include "optim/saved_internal.h"
#include "optim/saved_quantized.h"
#include "optim/table.h"

#define TEXT_KEY "network"
#define TEXT_BYTES ((size_t)64 << 20) /* of a description: tables of a million columns */
#define TEXT_NODES (1 << 23)

const char *nm_version(void)
{
    return NM_VERSION_TEXT;
}

/* What weights are in the file. */
enum { WEIGHTS_F32, WEIGHTS_I8 };
static const char *const weight_names[] = {"f32", "i8", NULL};

/* ---- Writing ---- */

static void add_choice(nm_text *text, const char *key, const nm_choice *choice)
{
    if (choice->item) {
        nm_text_add(text, "%s: ", key);
        nm_text_add_choice(text, choice);
        nm_text_add(text, "\n");
    }
}

char *nm_description_text(nm_context *context, const nm_description *d)
{
    nm_text text = {.context = context};
    nm_text_add(&text, "norma: \"%s\"\n", NM_VERSION_TEXT);
    nm_description_add_plugins(&text, d);
    if (d->model) {
        nm_text_add(&text, "model: %s\n", d->model);
    }
    if (d->schema) {
        nm_schema_write(d->schema, &text);
    }
    add_choice(&text, "loss", &d->loss);
    if (d->metric.count) {
        nm_text_add(&text, "metric: ");
        nm_text_add_choices(&text, &d->metric);
        nm_text_add(&text, "\n");
    }
    if (d->temperature > 0 && d->temperature != 1) {
        nm_text_add(&text, "temperature: ");
        nm_text_add_float(&text, d->temperature);
        nm_text_add(&text, "\n");
    }
    for (int64_t i = 0; i < d->guess.count; i++) {
        nm_text_add(&text, i ? ", " : "guess: [");
        nm_text_add_float(&text, d->guess.at[i]);
        nm_text_add(&text, i + 1 < d->guess.count ? "" : "]\n");
    }
    if (d->split && d->split->rows) {
        nm_text_add(&text, "split: ");
        nm_text_add_options(&text, &nm_split_record_spec, d->split);
        nm_text_add(&text, "\n");
    }
    if (d->quantized) {
        nm_text_add(&text, "weights: %s\n", weight_names[WEIGHTS_I8]);
    }
    return nm_text_end(&text);
}

nm_status nm_description_write(nm_context *context, const nm_description *description,
                               nm_tensor_writer *writer)
{
    char *text = nm_description_text(context, description);
    nm_status status =
        text ? nm_tensor_writer_set_metadata(writer, TEXT_KEY, text) : nm_context_status(context);
    nm_free(context, text);
    return status;
}

/* Promise 3 of the trainer: what is written is what would be read again. */
nm_status nm_store_check_values(const nm_store *store)
{
    char fault[NM_FAULT_TEXT];
    for (int i = 0; i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        if (nm_entry_fault(entry, entry->tensor, fault)) {
            return nm_fail(nm_store_context(store), NM_ERROR_NUMERIC,
                           "not written, since \"%s\" %s; clip the gradients (train: {clip_norm: "
                           "1}) or lower the learning rate, or train with anomaly: true to see "
                           "where it begins",
                           entry->name, fault);
        }
    }
    return NM_OK;
}

static nm_status add_tensors(const nm_store *store, const nm_description *description,
                             nm_tensor_writer *writer, nm_store **made)
{
    return description->quantized ? nm_quantized_write(store, writer, made)
                                  : nm_store_write(store, NULL, writer);
}

/* A writer with all of it; NULL on failure. Some of it is in `*made`, or that is NULL; it is to be
 * destroyed after the writer. */
static nm_tensor_writer *gather(const nm_store *store, const nm_description *description,
                                nm_store **made)
{
    nm_context *context = nm_store_context(store);
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    if (!writer) {
        return NULL;
    }
    nm_status status = nm_store_check_values(store);
    if (status == NM_OK)
        status = nm_tensor_writer_set_metadata(writer, "format", NM_FORMAT_NETWORK);
    if (status == NM_OK)
        status = nm_tensor_writer_set_metadata(writer, "version", NM_FORMAT_VERSION);
    if (status == NM_OK) status = nm_description_write(context, description, writer);
    if (status == NM_OK) status = add_tensors(store, description, writer, made);
    if (status != NM_OK) {
        nm_tensor_writer_destroy(writer);
        return NULL;
    }
    return writer;
}

nm_status nm_saved_write(const nm_store *store, const nm_description *description, const char *path)
{
    NM_GIVEN(store, NM_ERROR_INPUT);
    nm_context *context = nm_store_context(store);
    NM_REQUIRE(context, description, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(context);
    nm_store *made = NULL;
    nm_tensor_writer *writer = gather(store, description, &made);
    nm_status status = writer ? nm_tensor_writer_write(writer, path) : nm_context_status(context);
    nm_tensor_writer_destroy(writer);
    nm_store_destroy(made);
    return status == NM_ERROR_NUMERIC ? nm_fail_in(context, "%s", path) : status;
}

void *nm_saved_write_memory(const nm_store *store, const nm_description *description, size_t *size)
{
    if (size) {
        *size = 0;
    }
    NM_GIVEN(store, NULL);
    nm_context *context = nm_store_context(store);
    NM_REQUIRE(context, description, NULL);
    NM_REQUIRE(context, size, NULL);
    nm_store *made = NULL;
    nm_tensor_writer *writer =
        nm_context_status(context) == NM_OK ? gather(store, description, &made) : NULL;
    void *memory = nm_tensor_writer_write_memory(writer, size);
    nm_tensor_writer_destroy(writer);
    nm_store_destroy(made);
    return memory;
}

/* ---- Reading ---- */

typedef struct parts {
    const char *norma;
    const nm_value *plugins, *model, *sample, *target;
    nm_choice loss;
    nm_choices metric;
    double temperature;
    nm_numbers guess;
    nm_split_record split;
    int weights;
} parts;

static const parts defaults = {.temperature = 1};
static const nm_option rows[] = {
    {NM_FIELD(parts, norma), NM_OPTION_STRING, .doc = "version of the library that wrote it"},
    {NM_FIELD(parts, plugins), NM_OPTION_VALUE, .doc = "what of it is of plugins"},
    {NM_FIELD(parts, model), NM_OPTION_VALUE, .doc = "the layers"},
    {NM_FIELD(parts, sample), NM_OPTION_VALUE, .doc = "what samples are"},
    {NM_FIELD(parts, target), NM_OPTION_VALUE, .doc = "what targets are"},
    {NM_FIELD(parts, loss), NM_OPTION_CHOICE, .kind = NM_KIND_LOSS, .doc = "trained with"},
    {NM_FIELD(parts, metric), NM_OPTION_CHOICES, .kind = NM_KIND_METRIC, .doc = "measured by"},
    {NM_FIELD(parts, temperature), NM_OPTION_FLOAT, .min = 1e-6, .max = 1e6,
     .doc = "class scores are divided by it"},
    {NM_FIELD(parts, guess), NM_OPTION_NUMBERS, .min = -NM_NO_LIMIT, .max = NM_NO_LIMIT,
     .doc = "a sample's outputs by the training targets alone"},
    {NM_FIELD(parts, split), NM_OPTION_STRUCT, .spec = &nm_split_record_spec,
     .doc = "which rows were held out"},
    {NM_FIELD(parts, weights), NM_OPTION_ENUM, .names = weight_names,
     .doc = "what weights are in the file"},
};
static const nm_spec spec = {.name = "parts",
                             .size = sizeof(parts),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

static void read_parts(nm_saved *saved, nm_diagnostics *d)
{
    parts p;
    const nm_value *root = nm_document_root(saved->document);
    if (!nm_description_check_plugins(nm_value_get(root, "plugins"), d)) {
        return;
    }
    nm_spec_read(&spec, root, "the description of the network", saved->document, d, &p);
    saved->version = p.norma;
    saved->model = p.model;
    saved->loss = p.loss;
    saved->metric = p.metric;
    saved->temperature = p.temperature;
    saved->guess = p.guess;
    saved->split = p.split;
    saved->quantized = p.weights == WEIGHTS_I8;
    if (p.sample) {
        saved->schema = nm_schema_read(saved->context, p.sample, p.target, saved->document, d);
    }
}

/* Hostile until checked: the text goes through the same reader as any network's file. */
static nm_status read_text(nm_saved *saved)
{
    nm_diagnostics d;
    const char *text = nm_tensor_file_metadata(saved->file, TEXT_KEY);
    saved->temperature = 1;
    if (!text) {
        return NM_OK;
    }
    saved->document = nm_document_parse_within(saved->context, text, SIZE_MAX, "its description",
                                               TEXT_BYTES, TEXT_NODES);
    if (!saved->document) {
        return nm_context_status(saved->context);
    }
    nm_diagnostics_begin(&d, saved->context);
    read_parts(saved, &d);
    return nm_diagnostics_end(&d);
}

static bool is_checkpoint(const nm_tensor_file *file)
{
    const char *format = nm_tensor_file_metadata(file, "format");
    return format && strcmp(format, NM_FORMAT_CHECKPOINT) == 0;
}

/* What an open file called `name` says of its network; takes the file over. */
static nm_status read_saved(nm_context *context, nm_tensor_file *file, const char *name,
                            nm_saved *saved)
{
    *saved = (nm_saved){.context = context, .file = file};
    if (!file) {
        return nm_context_status(context);
    }
    saved->prefix = is_checkpoint(file) ? NM_MODEL_PREFIX : NULL;
    nm_status status = read_text(saved);
    if (status != NM_OK) {
        nm_fail_in(context, "%s", name);
        nm_saved_close(saved);
    }
    return status;
}

nm_status nm_saved_open(nm_context *context, const char *path, nm_saved *saved)
{
    NM_REQUIRE(context, saved, NM_ERROR_INPUT);
    return read_saved(context, nm_tensor_file_read(context, path), path, saved);
}

nm_status nm_saved_parse(nm_context *context, const void *data, size_t size, const char *name,
                         nm_saved *saved)
{
    NM_REQUIRE(context, saved, NM_ERROR_INPUT);
    *saved = (nm_saved){.context = context};
    NM_REQUIRE(context, data, NM_ERROR_INPUT);
    NM_REQUIRE(context, name, NM_ERROR_INPUT);
    return read_saved(context, nm_tensor_file_parse(context, data, size, name), name, saved);
}

void nm_saved_close(nm_saved *saved)
{
    NM_GIVEN(saved, );
    if (saved->context) {
        nm_schema_destroy(saved->schema);
        nm_document_destroy(saved->document);
        nm_tensor_file_destroy(saved->file);
    }
    *saved = (nm_saved){0};
}

nm_status nm_saved_read(const nm_saved *saved, nm_store *store)
{
    NM_GIVEN(saved, NM_ERROR_INPUT);
    NM_REQUIRE(saved->context, store, NM_ERROR_INPUT);
    nm_status status = nm_context_status(saved->context);
    if (saved->quantized && status == NM_OK) {
        status = nm_quantized_widen(saved->context, saved->file, saved->prefix);
    }
    return status == NM_OK ? nm_store_read(store, saved->prefix, saved->file) : status;
}

/* ---- Changing it ---- */

nm_description nm_saved_describe(const nm_saved *saved, const char *model)
{
    NM_GIVEN(saved, (nm_description){.model = model});
    return (nm_description){.model = model,
                            .schema = saved->schema,
                            .loss = saved->loss,
                            .metric = saved->metric,
                            .temperature = saved->temperature,
                            .guess = saved->guess,
                            .split = &saved->split,
                            .quantized = saved->quantized};
}

static char *model_text(const nm_saved *saved)
{
    nm_text text = {.context = saved->context};
    nm_text_add_value(&text, saved->model);
    return nm_text_end(&text);
}

/* The description anew, with another temperature. */
static nm_status describe_again(const nm_saved *saved, double temperature, nm_tensor_writer *writer)
{
    char *model = saved->model ? model_text(saved) : NULL;
    nm_description description = nm_saved_describe(saved, model);
    description.temperature = temperature;
    nm_status status = nm_context_status(saved->context);
    if (status == NM_OK) {
        status = nm_description_write(saved->context, &description, writer);
    }
    nm_free(saved->context, model);
    return status;
}

/* The store's tensor that takes the place of the file's, or that one. */
static nm_tensor *replaced(const nm_saved *saved, const nm_store *store, int index)
{
    const char *name = nm_tensor_file_name(saved->file, index);
    const char *prefix = saved->prefix ? saved->prefix : "";
    const size_t length = strlen(prefix);
    const nm_entry *entry =
        store && strncmp(name, prefix, length) == 0 ? nm_store_find(store, name + length) : NULL;
    const bool moves = entry && (entry->purpose == NM_STATISTIC || entry->purpose == NM_VARIANCE);
    return moves ? entry->tensor : nm_tensor_file_at(saved->file, index);
}

/* All else as it is, but for the statistics of a store (NULL: none). */
static nm_status copy_file(const nm_saved *saved, const nm_store *store, nm_tensor_writer *writer)
{
    const nm_tensor_file *file = saved->file;
    nm_status status = NM_OK;
    const char *key;
    for (int i = 0; status == NM_OK && (key = nm_tensor_file_metadata_key(file, i)); i++) {
        status = nm_tensor_writer_set_metadata(writer, key, nm_tensor_file_metadata(file, key));
    }
    for (int i = 0; status == NM_OK && i < nm_tensor_file_count(file); i++) {
        status =
            nm_tensor_writer_add(writer, nm_tensor_file_name(file, i), replaced(saved, store, i));
    }
    return status;
}

static nm_status rewrite(const nm_saved *saved, double temperature, const char *path)
{
    if (!saved->document) {
        return nm_fail(saved->context, NM_ERROR_INPUT,
                       "%s does not say of which network it is, so it takes no temperature", path);
    }
    nm_tensor_writer *writer = nm_tensor_writer_create(saved->context);
    nm_status status = writer ? copy_file(saved, NULL, writer) : nm_context_status(saved->context);
    if (status == NM_OK) status = describe_again(saved, temperature, writer);
    if (status == NM_OK) status = nm_tensor_writer_write(writer, path);
    nm_tensor_writer_destroy(writer);
    return status;
}

nm_status nm_saved_set_temperature(nm_context *context, const char *path, double temperature)
{
    nm_saved saved;
    nm_status status = nm_saved_open(context, path, &saved);
    if (status == NM_OK) {
        status = rewrite(&saved, temperature, path);
    }
    nm_saved_close(&saved);
    return status;
}

nm_status nm_saved_set_statistics(nm_context *context, const char *path, const nm_store *store)
{
    NM_REQUIRE(context, store, NM_ERROR_INPUT);
    nm_saved saved;
    nm_status status = nm_saved_open(context, path, &saved);
    if (status == NM_OK && saved.prefix) {
        status = nm_fail(context, NM_ERROR_INPUT,
                         "%s is a checkpoint, from which a run goes on with the statistics that it "
                         "has; give a saved network, such as the run's best.safetensors",
                         path);
    }
    nm_tensor_writer *writer = status == NM_OK ? nm_tensor_writer_create(context) : NULL;
    if (status == NM_OK) {
        status = writer ? copy_file(&saved, store, writer) : nm_context_status(context);
    }
    if (status == NM_OK) {
        status = nm_tensor_writer_write(writer, path);
    }
    nm_tensor_writer_destroy(writer);
    nm_saved_close(&saved);
    return status;
}

/* ---- Where it is ---- */

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *nm_saved_find(nm_context *context, const char *path)
{
    static const char *const names[] = {"best.safetensors", "checkpoint.safetensors"};
    NM_REQUIRE(context, path, NULL);
    if (!is_folder(path)) {
        return nm_copy_string(context, path);
    }
    for (int i = 0; i < NM_COUNT_OF(names); i++) {
        char *file = nm_format(context, "%s/%s", path, names[i]);
        if (!file || access(file, F_OK) == 0) {
            return file;
        }
        nm_free(context, file);
    }
    char *fold = nm_format(context, "%s/fold-1", path);
    const bool folds = fold && is_folder(fold);
    nm_free(context, fold);
    nm_fail(context, NM_ERROR_INPUT,
            folds ? "%s holds the folds of a cross-validation; give one of them, %s/fold-1"
                  : "%s has neither best.safetensors nor checkpoint.safetensors: nothing was saved "
                    "there",
            path, path);
    return NULL;
}

/* ---- Tensors alone ---- */

nm_status nm_parameters_read(nm_store *store, const char *path)
{
    NM_GIVEN(store, NM_ERROR_INPUT);
    NM_REQUIRE(nm_store_context(store), path, NM_ERROR_INPUT);
    nm_saved saved;
    nm_context *context = nm_store_context(store);
    nm_status status = nm_saved_open(context, path, &saved);
    if (status == NM_OK && (status = nm_saved_read(&saved, store)) != NM_OK) {
        nm_fail_in(context, "%s", path);
    }
    nm_saved_close(&saved);
    return status;
}

nm_status nm_parameters_write(const nm_store *store, const char *path)
{
    NM_GIVEN(store, NM_ERROR_INPUT);
    return nm_saved_write(store, &(nm_description){.model = NULL}, path);
}
