/* A checkpoint whose metadata and bytes were changed in any way: a run goes on from it to its end,
 * or says why not and is as it was; nothing else. Lines of the input: "key=value" sets what is told
 * beside the tensors, "key" alone removes it, "#place=number" changes a byte of the file. */
#include "models/config.h"
#include "optim/train/internal.h"

#include "tests/fuzz/fuzz.h"

static const char network[] =
    "model: [{dense: {units: 4}}, batch_norm, relu, {dense: {units: 2}}]\n"
    "data: {train: {spirals: {points: 9}}, test: {spirals: {points: 9, seed: 2}}, batch: 6}\n"
    "loss: cross_entropy\n"
    "train: {epochs: 2, optimizer: {adam: {rate: 0.1}}, schedule: plateau}\n";

#define INPUTS_OF_A_RUN 1000 /* then all memory must come back */

/* A run of that network, from which inputs go on until one of them could be gone on from. */
typedef struct run {
    fuzz_context memory;
    nm_config config;
    nm_trainer *trainer;
    nm_tensor_file *whole; /* its checkpoint before the first step */
    char *bytes;
    size_t size;
    nm_progress progress;
    int inputs;
} run;

static void make_trainer(run *r)
{
    const nm_trainer_setup setup = nm_config_setup(&r->config);
    r->trainer = nm_trainer_create(r->memory.context, &setup);
    require(r->trainer);
}

/* The checkpoint that it would write now. */
static void save(run *r)
{
    char path[64], file[96];
    fuzz_folder(path);
    snprintf(file, sizeof file, "%s/checkpoint", path);
    require(nm_trainer_save(r->trainer, file) == NM_OK);
    r->bytes = nm_file_read(r->memory.context, file, SIZE_MAX, &r->size);
    r->whole = nm_tensor_file_parse(r->memory.context, r->bytes, r->size, "whole");
    require(r->whole);
    remove(file);
    rmdir(path);
}

/* Whether the store's tensors are those of the file from number *at on. */
static bool same_store(const nm_store *store, const nm_tensor_file *file, int *at)
{
    bool same = true;
    for (const nm_entry *e = NULL; (e = nm_store_next(store, e, NULL));) {
        nm_tensor *was = nm_tensor_file_at(file, (*at)++);
        same &= !memcmp(nm_tensor_data(e->tensor), nm_tensor_data(was), nm_tensor_bytes(was));
    }
    return same;
}

/* Network, optimizer's state and position. */
static bool is_as_it_was(const run *r)
{
    int at = 0;
    return same_store(nm_model_store(r->config.model), r->whole, &at) &&
           same_store(nm_optimizer_state(r->trainer->optimizer), r->whole, &at) &&
           memcmp(&r->trainer->progress, &r->progress, sizeof r->progress) == 0;
}

static void begin(run *r)
{
    static fuzz_file file;
    const char *path = fuzz_put(&file, network, sizeof network - 1);
    *r = (run){.memory = {.most = FUZZ_MEMORY}};
    nm_context *context = fuzz_begin(&r->memory);
    require(nm_config_open(context, path, NULL, 0, NM_NEED_WHOLE, &r->config) == NM_OK);
    make_trainer(r);
    save(r);
    r->progress = r->trainer->progress;
    require(is_as_it_was(r));
}

static void end(run *r)
{
    nm_tensor_file_destroy(r->whole);
    nm_free(r->memory.context, r->bytes);
    nm_trainer_destroy(r->trainer);
    nm_config_close(&r->config);
    nm_close(r->memory.context);
    require(r->memory.used == 0);
}

/* What a line says of the metadata; "#..." is of the bytes. */
static void set_metadata(nm_tensor_writer *writer, const nm_tensor_file *file, const char *text)
{
    const char *key;
    for (int i = 0; (key = nm_tensor_file_metadata_key(file, i)); i++) {
        char line[256];
        snprintf(line, sizeof line, "\n%s\n", key);
        if (!strstr(text, line)) {
            nm_tensor_writer_set_metadata(writer, key, nm_tensor_file_metadata(file, key));
        }
    }
    for (const char *at = text; at; at = strchr(at, '\n')) {
        char name[128], value[128];
        at += *at == '\n';
        if (*at != '#' && sscanf(at, "%127[^=\n]=%127[^\n]", name, value) == 2) {
            nm_tensor_writer_set_metadata(writer, name, value);
        }
    }
}

static char *change(const run *r, const char *text, size_t *size)
{
    nm_context *context = r->memory.context;
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    require(writer);
    for (int i = 0; i < nm_tensor_file_count(r->whole); i++) {
        nm_tensor_writer_add(writer, nm_tensor_file_name(r->whole, i),
                             nm_tensor_file_at(r->whole, i));
    }
    set_metadata(writer, r->whole, text);
    nm_context_clear_error(context); /* a key that is no UTF-8 */
    char *all = nm_tensor_writer_write_memory(writer, size);
    nm_tensor_writer_destroy(writer);
    for (const char *at = text; all && at; at = strchr(at, '\n')) {
        unsigned place, value;
        at += *at == '\n';
        if (*at == '#' && sscanf(at, "#%u=%u", &place, &value) == 2) {
            all[place % *size] = (char)value;
        }
    }
    nm_context_clear_error(context);
    return all;
}

/* To its end; another run begins. */
static void go_on(run *r)
{
    nm_train_result result;
    require(nm_trainer_run(r->trainer, &result) == nm_context_status(r->memory.context));
    require(result.epochs >= 0 && result.epochs <= 2 && result.steps >= 0 && result.steps <= 6);
    nm_context_clear_error(r->memory.context);
    nm_trainer_destroy(r->trainer);
    make_trainer(r);
}

static nm_status resume(run *r, const char *bytes, size_t size)
{
    static fuzz_file file;
    const nm_status status = nm_trainer_resume(r->trainer, fuzz_put(&file, bytes, size));
    require(status == nm_context_status(r->memory.context));
    require(status == NM_OK || *nm_context_error(r->memory.context));
    return status;
}

/* A refusal changes nothing, and what changes nothing needs no run. */
static void resume_from(run *r, const char *bytes, size_t size)
{
    const nm_status status = resume(r, bytes, size);
    nm_context_clear_error(r->memory.context);
    if (!is_as_it_was(r)) {
        require(status == NM_OK);
        go_on(r);
        require(resume(r, r->bytes, r->size) == NM_OK && is_as_it_was(r));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static run r;
    char text[2048] = "\n";
    size_t bytes;
    memcpy(text + 1, data, size < sizeof text - 3 ? size : sizeof text - 3);
    if (!r.inputs) {
        begin(&r);
    }
    char *all = change(&r, text, &bytes);
    if (all) {
        resume_from(&r, all, bytes);
    }
    nm_free(r.memory.context, all);
    r.inputs = (r.inputs + 1) % INPUTS_OF_A_RUN;
    if (!r.inputs) {
        end(&r);
    }
    return 0;
}
