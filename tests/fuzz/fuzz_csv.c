/* Any bytes as a CSV file, after a first byte that chooses the options. */
#include "tests/fuzz/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options[] = {
        "",
        ", target: 0",
        ", target: label, header: yes",
        ", targets: values",
        ", target: none, header: no",
        ", separator: ;, classes: 3",
        ", separator: \"\\t\", targets: values",
        ", separator: ' '",
        ", missing: median, missing_texts: [x, '7']",
        ", target: [-1, 0], ignore: ['b*', 1], targets: values",
        ", columns: [0, 1], header: no, missing: zero",
        ", categories: [0], quote: none",
        ", quote: \"'\", decimal: ','",
        ", missing: mean, targets: labels",
        ", decimal: ., header: yes",
        ", columns: '*', target: y",
    };
    static described all[NM_COUNT_OF(options)];
    static fuzz_file file;
    char yaml[256];
    if (!size) {
        return 0;
    }
    const int which = data[0] % (int)NM_COUNT_OF(options);
    const char *path = fuzz_put(&file, data + 1, size - 1);
    snprintf(yaml, sizeof yaml, "csv: {path: %s%s}", path, options[which]);
    fuzz_dataset(yaml, &all[which]);
    return 0;
}
