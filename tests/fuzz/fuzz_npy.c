/* Any bytes as an NPY file. Beyond what the sanitizers see it checks that success and failure are
 * told apart cleanly, that a tensor's elements are the last bytes of the file, and that the same
 * file with one byte less is refused. */
#include <stdlib.h>
#include <string.h>

#include "core/file.h"

static void require(bool fine)
{
    if (!fine) {
        abort(); /* what the fuzzer looks for */
    }
}

static void check_tensor(nm_tensor *tensor, const uint8_t *data, size_t size)
{
    const nm_shape *shape = nm_tensor_shape(tensor);
    size_t bytes = nm_tensor_bytes(tensor);
    require(shape->rank >= 0 && shape->rank <= NM_MAX_RANK);
    require(nm_tensor_count(tensor) == nm_shape_count(shape));
    require(bytes <= size && memcmp(nm_tensor_data(tensor), data + size - bytes, bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nm_context *context = nm_context_create(NULL);
    if (!context) {
        return 0;
    }
    nm_tensor *tensor = nm_npy_parse(context, data, size, "fuzz.npy");
    require(!tensor == (nm_context_status(context) != NM_OK));
    if (tensor) {
        check_tensor(tensor, data, size);
        nm_tensor *shorter = nm_npy_parse(context, data, size - 1, "fuzz.npy");
        require(!shorter && nm_context_status(context) == NM_ERROR_FORMAT);
    }
    nm_tensor_destroy(tensor);
    nm_context_destroy(context);
    return 0;
}
