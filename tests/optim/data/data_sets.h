/* Opening data sets from YAML text, for the tests of the readers and of the `data` part. */
#ifndef NM_TESTS_OPTIM_DATA_SETS_H
#define NM_TESTS_OPTIM_DATA_SETS_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "optim/data/data.h"
#include "optim/optim.h"
#include "tests/test.h"

static nm_context *context;

static inline void begin(test_memory *memory)
{
    context = test_context(memory);
    if (context) {
        nm_register_datasets(context);
    }
}

/* The document goes before the set is used. */
static inline nm_status open_yaml(nm_dataset *set, const nm_ignored *ignored, const char *yaml)
{
    nm_choice choice = {0};
    nm_diagnostics d;
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, "");
    nm_diagnostics_begin(&d, context);
    if (document) {
        nm_choice_read(NM_KIND_DATASET, nm_document_root(document), "train", document, &d, &choice);
    }
    nm_status status = document ? nm_diagnostics_end(&d) : nm_context_status(context);
    *set = (nm_dataset){.context = context};
    if (status == NM_OK) {
        const nm_reading reading = {.ignored = ignored ? *ignored : (nm_ignored){0}};
        status = nm_dataset_open(context, &choice, &reading, set);
    }
    nm_document_destroy(document);
    return status;
}

/* The text is a format. */
static inline nm_status open_set(nm_dataset *set, const char *format, ...) NM_PRINTF(2, 3);
static inline nm_status open_set(nm_dataset *set, const char *format, ...)
{
    char yaml[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(yaml, sizeof yaml, format, list);
    va_end(list);
    return open_yaml(set, NULL, yaml);
}

/* The same, but for a label that may stand anywhere. */
static inline nm_status open_ignoring(nm_dataset *set, int64_t label, const char *format, ...)
    NM_PRINTF(3, 4);
static inline nm_status open_ignoring(nm_dataset *set, int64_t label, const char *format, ...)
{
    char yaml[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(yaml, sizeof yaml, format, list);
    va_end(list);
    return open_yaml(set, &(nm_ignored){true, label}, yaml);
}

static inline const char *write_file(const char *name, const void *data, size_t size)
{
    const char *path = test_path(name);
    test_write_file(path, data, size);
    return path;
}

#endif
