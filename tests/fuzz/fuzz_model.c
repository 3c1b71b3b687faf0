/* Any bytes as a network's file, read and built in little memory: it either fails with a message or
 * has a network, and leaves nothing behind. */
#include "models/config.h"

#include "tests/fuzz/fuzz.h"

static void check_model(const nm_config *config)
{
    const nm_layer_summary total = nm_model_total(config->model);
    require(nm_model_layer_count(config->model) > 0 && total.parameters >= 0);
    require(nm_shape_count(nm_model_output(config->model)) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_context f = {.most = FUZZ_MEMORY};
    static fuzz_file file;
    const char *path = fuzz_put(&file, data, size);
    nm_context *context = fuzz_begin(&f);
    nm_config config;
    if (nm_config_open(context, path, NULL, 0, 0, &config) == NM_OK) {
        require(nm_context_status(context) == NM_OK);
        check_model(&config);
    } else {
        require(nm_context_status(context) != NM_OK && *nm_context_error(context));
        require(!config.model);
    }
    nm_config_close(&config);
    fuzz_end(&f);
    return 0;
}
