#include "optim/data/open_file.h"

#include <string.h>

#include "core/files/input.h"
#include "core/guard.h"
#include "core/text.h"

typedef enum file_format { FORMAT_CSV, FORMAT_NPY, FORMAT_IDX } file_format;

static bool ends_with(const char *path, const char *end)
{
    size_t length = strlen(path), tail = strlen(end);
    return length >= tail && strcmp(path + length - tail, end) == 0;
}

/* By the name where it says it. */
static bool find_by_name(const char *path, file_format *found)
{
    static const struct {
        const char *end;
        file_format format;
    } names[] = {{".npy", FORMAT_NPY},    {".npz", FORMAT_NPY},   {".csv", FORMAT_CSV},
                 {".csv.gz", FORMAT_CSV}, {".tsv", FORMAT_CSV},   {".txt", FORMAT_CSV},
                 {".data", FORMAT_CSV},   {"-ubyte", FORMAT_IDX}, {"-ubyte.gz", FORMAT_IDX},
                 {".idx", FORMAT_IDX},    {".idx.gz", FORMAT_IDX}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (ends_with(path, names[i].end)) {
            *found = names[i].format;
            return true;
        }
    }
    return false;
}

static file_format find_by_contents(const unsigned char *bytes, size_t size)
{
    if (size >= 6 && !memcmp(bytes, "\x93NUMPY", 6)) {
        return FORMAT_NPY;
    }
    return size >= 4 && !bytes[0] && !bytes[1] && bytes[2] >= 8 ? FORMAT_IDX : FORMAT_CSV;
}

static nm_status find_format(nm_context *context, const char *path, file_format *found)
{
    unsigned char bytes[8];
    size_t size = 0;
    *found = FORMAT_CSV;
    if (find_by_name(path, found)) {
        return NM_OK;
    }
    nm_status status = nm_input_look(context, path, bytes, sizeof bytes, &size);
    *found = status == NM_OK ? find_by_contents(bytes, size) : FORMAT_CSV;
    return status;
}

static void add_entry(nm_text *text, const char *key, const char *value)
{
    if (value) {
        nm_text_add(text, "%s: ", key);
        nm_text_add_quoted(text, value);
        nm_text_add(text, ", ");
    }
}

/* `{npy: {x: "PATH", y: "TARGETS"}}`: the way that a network's file goes, too. */
static char *choice_text(nm_context *context, file_format format, const char *path,
                         const char *targets)
{
    static const char *const keys[][3] = {[FORMAT_CSV] = {"csv", "path", "target_path"},
                                          [FORMAT_NPY] = {"npy", "x", "y"},
                                          [FORMAT_IDX] = {"idx", "images", "labels"}};
    nm_text text = {.context = context};
    nm_text_add(&text, "{%s: {", keys[format][0]);
    add_entry(&text, keys[format][1], path);
    add_entry(&text, keys[format][2], targets);
    nm_text_add(&text, "}}");
    return nm_text_end(&text);
}

static nm_status open_text(nm_context *context, const char *text, const nm_reading *reading,
                           nm_dataset *set)
{
    nm_diagnostics d;
    nm_choice choice = {.item = NULL};
    nm_document *document = nm_document_parse(context, text, SIZE_MAX, NULL);
    if (!document) {
        return nm_context_status(context);
    }
    nm_diagnostics_begin(&d, context);
    nm_choice_read(NM_KIND_DATASET, nm_document_root(document), "samples", document, &d, &choice);
    nm_status status = nm_diagnostics_end(&d);
    status = status == NM_OK ? nm_dataset_open(context, &choice, reading, set) : status;
    nm_document_destroy(document);
    return status;
}

nm_status nm_dataset_open_file(nm_context *context, const char *path, const char *targets,
                               const nm_reading *reading, nm_dataset *set)
{
    file_format format;
    NM_REQUIRE(context, set, NM_ERROR_INPUT);
    *set = (nm_dataset){.context = context};
    NM_REQUIRE(context, path, NM_ERROR_INPUT);
    if (find_format(context, path, &format) != NM_OK) {
        return nm_context_status(context);
    }
    char *text = choice_text(context, format, path, targets);
    nm_status status = text ? open_text(context, text, reading, set) : nm_context_status(context);
    nm_free(context, text);
    return status;
}
