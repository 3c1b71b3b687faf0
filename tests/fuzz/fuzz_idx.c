/* Any bytes as an IDX file of images, and as one of labels. What opens must keep the data set's
 * rules and be readable to its last byte. */
#include "tests/fuzz/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t images[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 7, 9};
    char file[64], good[64], yaml[256];
    int file_number = fuzz_file(data, size, file);
    int good_number = fuzz_file(images, sizeof images, good);
    snprintf(yaml, sizeof yaml, "idx: {images: %s}", file);
    fuzz_dataset(yaml);
    snprintf(yaml, sizeof yaml, "idx: {images: %s, labels: %s}", good, file);
    fuzz_dataset(yaml);
    snprintf(yaml, sizeof yaml, "idx: {images: %s, labels: %s, classes: 10}", file, file);
    fuzz_dataset(yaml);
    close(file_number);
    close(good_number);
    return 0;
}
