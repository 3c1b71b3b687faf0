/* Any bytes as an IDX file, after a first byte that says of what: of images, of labels, or of both.
 * What opens must keep the data set's rules and be readable to its last byte. */
#include "tests/fuzz/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t images[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 7, 9};
    static const char *const ways[] = {"idx: {images: %s}", "idx: {labels: %s, images: %s}",
                                       "idx: {images: %s, labels: %s, classes: 10}"};
    static described all[3];
    static fuzz_file file, good;
    if (!size) {
        return 0;
    }
    char yaml[256];
    const int way = data[0] % 3;
    const char *path = fuzz_put(&file, data + 1, size - 1);
    const char *other = way == 1 ? fuzz_put(&good, images, sizeof images) : path;
    snprintf(yaml, sizeof yaml, ways[way], path, other);
    fuzz_dataset(yaml, &all[way]);
    return 0;
}
