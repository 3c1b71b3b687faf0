/* Any bytes as a safetensors file. Beyond what the sanitizers see it checks that success and
 * failure are told apart cleanly, that every tensor is found by its name, and that the tensors
 * together are as large as the data. */

#include "core/file.h"

#include "tests/fuzz/fuzz.h"

/* Bytes of the data, behind the header. */
static size_t data_size(const uint8_t *data, size_t size)
{
    uint64_t length;
    memcpy(&length, data, 8);
    return size - 8 - (size_t)length;
}

/* Reads all elements, so that the sanitizers see where they are; returns their size. */
static size_t read_elements(nm_tensor *tensor)
{
    const nm_shape *shape = nm_tensor_shape(tensor);
    require(shape->rank >= 0 && shape->rank <= NM_MAX_RANK);
    require((uintptr_t)nm_tensor_data(tensor) % nm_dtype_size(nm_tensor_dtype(tensor)) == 0);
    for (int64_t i = 0; i < nm_tensor_count(tensor); i++) {
        nm_tensor_get(tensor, i);
    }
    return nm_tensor_bytes(tensor);
}

static void check_file(const nm_tensor_file *file, size_t wanted)
{
    size_t total = 0;
    for (int i = 0; i < nm_tensor_file_count(file); i++) {
        nm_tensor *tensor = nm_tensor_file_at(file, i);
        require(nm_tensor_file_find(file, nm_tensor_file_name(file, i)) == tensor);
        total += read_elements(tensor);
    }
    require(total == wanted);
    const char *format = nm_tensor_file_metadata(file, "format");
    require(!format || strlen(format) < SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_context f = {.bare = true, .most = FUZZ_MEMORY};
    nm_context *context = fuzz_begin(&f);
    nm_tensor_file *file = nm_tensor_file_parse(context, data, size, "fuzz.safetensors");
    require(!file == (nm_context_status(context) != NM_OK));
    if (file) {
        check_file(file, data_size(data, size));
        require(nm_context_status(context) == NM_OK);
    }
    nm_tensor_file_destroy(file);
    fuzz_end(&f);
    return 0;
}
