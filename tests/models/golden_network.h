/* Networks whose numbers PyTorch has computed: tests/golden. */
#ifndef NM_TESTS_MODELS_GOLDEN_NETWORK_H
#define NM_TESTS_MODELS_GOLDEN_NETWORK_H

#include <stdio.h>
#include <stdlib.h>

#include "tests/models/model_test.h"

/* The tensor NETWORK/WHATNAME of the file. */
static inline nm_tensor *find_golden(nm_tensor_file *file, const char *network, const char *what,
                                     const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s/%s%s", network, what, name);
    nm_tensor *tensor = nm_tensor_file_find(file, full);
    ck_assert_msg(tensor != NULL, "the file has no %s", full);
    return tensor;
}

/* `name`.safetensors */
static inline nm_tensor_file *read_golden(nm_context *context, const char *name)
{
    char path[512];
    const char *source = getenv("NORMA_SOURCE");
    snprintf(path, sizeof path, "%s/tests/golden/%s.safetensors", source ? source : ".", name);
    nm_tensor_file *file = nm_tensor_file_read(context, path);
    assert_fine(context);
    return file;
}

#endif
