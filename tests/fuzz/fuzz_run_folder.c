/* Any bytes as what a run's folder holds, after a file's number: its log, its probes, its network's
 * file or its weights; the rest is as a run left it. Curves are read, and the network is opened. */
#include "models/command/plot/history.h"
#include "models/config.h"
#include "models/predictor.h"

#include "tests/fuzz/fuzz.h"

static const char *const names[] = {"log.jsonl", "probes.jsonl", "network.yaml",
                                    "best.safetensors"};
static const char *const texts[] = {
    "{\"event\": \"start\", \"started\": \"2020-01-01T00:00:00.000Z\"}\n"
    "{\"event\": \"epoch\", \"epoch\": 1, \"step\": 3, \"seconds\": 0.5, \"train_loss\": 0.7, "
    "\"rate\": 0.1}\n",
    "{\"step\": 1, \"probe\": \"gradient_norms\", \"layer\": \"dense1\", \"norm\": 0.25}\n",
    "model: {input: [2], layers: [dense: {units: 2}]}\n", NULL};

/* A folder of the process's own, removed at its end. */
static char folder[64];

static char weights[4096];
static size_t weight_bytes;

static void remove_folder(void)
{
    char path[128];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    rmdir(folder);
}

static void put(int which, const void *data, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, names[which]);
    FILE *file = fopen(path, "wb");
    require(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

/* The weights, made once. */
static void make_weights(nm_context *context)
{
    nm_document *document = nm_document_parse(context, texts[2], SIZE_MAX, "network.yaml");
    nm_model *model = nm_model_create(
        context, document, nm_value_get(nm_document_root(document), "model"), NULL, NULL);
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, names[3]);
    require(model && nm_model_save(model, path) == NM_OK);
    FILE *file = fopen(path, "rb");
    require(file && (weight_bytes = fread(weights, 1, sizeof weights, file)) < sizeof weights);
    fclose(file);
    nm_model_destroy(model);
    nm_document_destroy(document);
}

/* As a run left it. */
static void put_back(int which)
{
    put(which, which < 3 ? texts[which] : weights, which < 3 ? strlen(texts[which]) : weight_bytes);
}

static void make_folder(nm_context *context)
{
    if (!weight_bytes) {
        fuzz_folder(folder);
        atexit(remove_folder);
        make_weights(context);
        for (int i = 0; i < 4; i++) {
            put_back(i);
        }
    }
}

static void read_curves(nm_context *context)
{
    history h;
    const nm_status status = history_read(context, folder, &h);
    require((status == NM_OK) == (nm_context_status(context) == NM_OK));
    for (int i = 0; i < h.count; i++) {
        require(strlen(h.curves[i].name) < CURVE_NAME && h.curves[i].count >= 0);
    }
    history_close(&h);
    nm_context_clear_error(context);
}

static void open_network(nm_context *context)
{
    char path[128];
    nm_config config;
    snprintf(path, sizeof path, "%s/network.yaml", folder);
    const nm_status status = nm_config_open_trained(context, path, NULL, 0, folder, &config);
    require(status == nm_context_status(context) &&
            (status == NM_OK || *nm_context_error(context)));
    nm_config_close(&config);
    nm_context_clear_error(context);
    nm_model *model = nm_model_open_saved(context, folder);
    require(model || *nm_context_error(context));
    nm_model_destroy(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_context f = {.most = FUZZ_MEMORY};
    if (!size) {
        return 0;
    }
    nm_context *context = fuzz_begin(&f);
    make_folder(context);
    put(data[0] % 4, data + 1, size - 1);
    read_curves(context);
    open_network(context);
    put_back(data[0] % 4);
    fuzz_end(&f);
    return 0;
}
