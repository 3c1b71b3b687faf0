/* Any bytes as the description in a saved network's file, opened in little memory: it either fails
 * with a message, or is a network that takes samples as it says, and leaves nothing behind. A
 * schema that was read is written, and read again is the same. */
#include "core/text.h"
#include "models/predictor.h"
#include "optim/data/open_file.h"
#include "optim/data/schema_write.h"

#include "tests/fuzz/fuzz.h"

#define MOST_ELEMENTS 4096 /* of a sample that is tried */

/* A file of two tensors, 3 times 2 and 3, that describes itself by the text. */
static char *make_file(nm_context *context, const uint8_t *data, size_t size, size_t *bytes)
{
    static const char tensors[] =
        "\"dense1.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]},"
        "\"dense1.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[24,36]}}";
    nm_text text = {.context = context}, file = {.context = context};
    nm_text_add_bytes(&text, (const char *)data, size);
    char *description = nm_text_end(&text);
    nm_text_add_bytes(&file, "\0\0\0\0\0\0\0\0{\"__metadata__\":{\"network\":", 8 + 27);
    nm_text_add_quoted(&file, description ? description : "");
    nm_text_add(&file, "},%s", tensors);
    const uint64_t header = file.length - 8;
    nm_text_add_bytes(
        &file, "\0\0\200?\0\0\0\0\0\0\0@\0\0\0\0\0\0\200?\0\0\200?\0\0\0\0\0\0\0\0\0\0\0\0", 36);
    *bytes = file.length;
    nm_free(context, description);
    char *all = nm_text_end(&file);
    if (all) {
        memcpy(all, &header, sizeof header);
    }
    return all;
}

static void check_schema(nm_context *context, const nm_schema *schema)
{
    nm_text text = {.context = context};
    nm_schema_write(schema, &text);
    char *first = nm_text_end(&text);
    nm_document *document = first ? nm_document_parse(context, first, SIZE_MAX, "") : NULL;
    if (document) {
        nm_diagnostics d;
        nm_diagnostics_begin(&d, context);
        const nm_value *root = nm_document_root(document);
        nm_schema *again = nm_schema_read(context, nm_value_get(root, "sample"),
                                          nm_value_get(root, "target"), document, &d);
        require(again || nm_context_status(context) == NM_ERROR_MEMORY);
        nm_text second = {.context = context};
        if (again) {
            nm_schema_write(again, &second);
            require(second.failed || strcmp(second.at, first) == 0);
        }
        nm_text_drop(&second);
        nm_schema_destroy(again);
    }
    nm_document_destroy(document);
    nm_free(context, first);
}

static void try_samples(nm_predictor *predictor, nm_context *context)
{
    static const char table[] = "b,a,c\n1,2,x\n-3,.5,y\n";
    const nm_schema *schema = nm_predictor_schema(predictor);
    static fuzz_file file;
    nm_dataset set;
    const nm_reading reading = {.schema = schema};
    const char *path = fuzz_put(&file, table, sizeof table - 1);
    if (nm_shape_count(&schema->shape) <= MOST_ELEMENTS &&
        nm_dataset_open_file(context, path, NULL, &reading, &set) == NM_OK) {
        nm_tensor_destroy(nm_predictor_run_set(predictor, &set));
        nm_dataset_close(&set);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_context f = {.most = FUZZ_MEMORY};
    static fuzz_file file;
    size_t bytes = 0;
    nm_context *context = fuzz_begin(&f);
    char *bytes_of_file = make_file(context, data, size, &bytes);
    if (bytes_of_file) {
        nm_predictor *predictor = nm_predictor_open(context, fuzz_put(&file, bytes_of_file, bytes));
        require(predictor || (nm_context_status(context) != NM_OK && *nm_context_error(context)));
        if (predictor) {
            check_schema(context, nm_predictor_schema(predictor));
            try_samples(predictor, context);
        }
        nm_predictor_close(predictor);
    }
    nm_free(context, bytes_of_file);
    fuzz_end(&f);
    return 0;
}
