/* Any bytes as an NPY file. Beyond what the sanitizers see it checks that success and failure are
 * told apart cleanly, that a tensor's elements are as many as the file holds (and its last bytes,
 * where nothing was converted), and that the same file with one byte less is refused. */
#include "core/file.h"

#include "tests/fuzz/fuzz.h"

static void check_tensor(nm_tensor *tensor, const nm_npy_info *info, const uint8_t *data,
                         size_t size)
{
    const nm_shape *shape = nm_tensor_shape(tensor);
    size_t bytes = nm_tensor_bytes(tensor), count = (size_t)nm_tensor_count(tensor);
    size_t width = (size_t)atoi(info->type + strcspn(info->type, "0123456789"));
    bool converted = info->is_big_endian || info->is_fortran || info->is_bool ||
                     width != nm_dtype_size(nm_tensor_dtype(tensor));
    require(shape->rank >= 0 && shape->rank <= NM_MAX_RANK);
    require(nm_tensor_count(tensor) == nm_shape_count(shape));
    require(width && count * width <= size);
    require(converted || memcmp(nm_tensor_data(tensor), data + size - bytes, bytes) == 0);
    for (size_t i = 0; i < count && info->is_bool; i++) {
        require(((uint8_t *)nm_tensor_data(tensor))[i] <= 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_context f = {.bare = true, .most = FUZZ_MEMORY};
    nm_context *context = fuzz_begin(&f);
    nm_npy_info info;
    nm_tensor *tensor = nm_npy_parse_info(context, data, size, "fuzz.npy", &info);
    require(!tensor == (nm_context_status(context) != NM_OK));
    if (tensor) {
        check_tensor(tensor, &info, data, size);
        nm_tensor *shorter = nm_npy_parse(context, data, size - 1, "fuzz.npy");
        require(!shorter && nm_context_status(context) == NM_ERROR_FORMAT);
    }
    nm_tensor_destroy(tensor);
    fuzz_end(&f);
    return 0;
}
