/* A checkpoint whose metadata and bytes were changed in any way: a run goes on from it, or says why
 * not; nothing else. Lines of the input: "key=value" sets what is told beside the tensors, "key"
 * alone removes it, "#place=number" changes a byte of the file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "models/config.h"
#include "models/open.h"
#include "optim/checkpoint.h"

#include "tests/fuzz/dataset.h"
#include "tests/fuzz/limited.h"

static const char network[] =
    "model: [{dense: {units: 4}}, batch_norm, relu, {dense: {units: 2}}]\n"
    "data: {train: {spirals: {points: 9}}, test: {spirals: {points: 9, seed: 2}}, batch: 6}\n"
    "loss: cross_entropy\n"
    "train: {epochs: 2, optimizer: {adam: {rate: 0.1}}, schedule: plateau}\n";

/* A run of that network. */
typedef struct run {
    nm_context *context;
    nm_config config;
    nm_trainer *trainer;
    size_t used;
    int file;
} run;

static void begin(run *r)
{
    char path[64];
    *r = (run){.file = fuzz_file((const uint8_t *)network, sizeof network - 1, path)};
    r->context = nm_open(&(nm_context_options){
        .allocator = {.resize = limited_resize, .user = &r->used}, .threads = 1});
    require(r->context &&
            nm_config_open(r->context, path, NULL, 0, NM_NEED_WHOLE, &r->config) == NM_OK);
    const nm_trainer_setup setup = nm_config_setup(&r->config);
    r->trainer = nm_trainer_create(r->context, &setup);
    require(r->trainer);
}

static void end(run *r)
{
    nm_trainer_destroy(r->trainer);
    nm_config_close(&r->config);
    nm_close(r->context);
    close(r->file);
    require(r->used == 0);
}

/* The checkpoint after an epoch, made once. */
static const char *whole_checkpoint(size_t *size)
{
    static char *bytes;
    static size_t length;
    if (!bytes) {
        run r;
        char path[64], file[96];
        fuzz_folder(path);
        snprintf(file, sizeof file, "%s/checkpoint", path);
        begin(&r);
        require(nm_trainer_save(r.trainer, file) == NM_OK);
        char *read = nm_file_read(r.context, file, SIZE_MAX, &length);
        require(read && (bytes = malloc(length)));
        memcpy(bytes, read, length);
        nm_free(r.context, read);
        remove(file);
        rmdir(path);
        end(&r);
    }
    *size = length;
    return bytes;
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

static char *change(nm_context *context, const char *text, size_t *size)
{
    const char *bytes = whole_checkpoint(size);
    nm_tensor_file *file = nm_tensor_file_parse(context, bytes, *size, "whole");
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    require(file && writer);
    for (int i = 0; i < nm_tensor_file_count(file); i++) {
        nm_tensor_writer_add(writer, nm_tensor_file_name(file, i), nm_tensor_file_at(file, i));
    }
    set_metadata(writer, file, text);
    nm_context_clear_error(context); /* a key that is no UTF-8 */
    char *all = nm_tensor_writer_write_memory(writer, size);
    nm_tensor_writer_destroy(writer);
    nm_tensor_file_destroy(file);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run r;
    char path[64], text[2048] = "\n";
    size_t bytes;
    memcpy(text + 1, data, size < sizeof text - 3 ? size : sizeof text - 3);
    begin(&r);
    char *all = change(r.context, text, &bytes);
    if (all) {
        const int file = fuzz_file((const uint8_t *)all, bytes, path);
        nm_train_result result;
        const nm_status status = nm_trainer_resume(r.trainer, path);
        require(status == nm_context_status(r.context) &&
                (status == NM_OK || *nm_context_error(r.context)));
        if (status == NM_OK) {
            require(nm_trainer_run(r.trainer, &result) == nm_context_status(r.context));
            require(result.epochs >= 0 && result.epochs <= 2 && result.steps >= 0 &&
                    result.steps <= 6);
        }
        close(file);
    }
    nm_free(r.context, all);
    end(&r);
    return 0;
}
