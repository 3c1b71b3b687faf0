#include "optim/data/open_file.h"

#include <string.h>

#include "core/files/input.h"
#include "core/guard.h"
#include "optim/data/sources.h"

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

/* The choice that a network's file would have. */
static nm_choice choose(file_format format, const char *path, const char *targets)
{
    switch (format) {
    case FORMAT_NPY: return nm_npy(.x = path, .y = targets);
    case FORMAT_IDX: return nm_idx(.images = path, .labels = targets);
    case FORMAT_CSV: break;
    }
    return nm_csv(.path = path, .target_path = targets);
}

nm_status nm_data_open_file(nm_context *context, const char *path, const char *targets,
                            const nm_data_options *options, nm_data *data)
{
    file_format format;
    NM_REQUIRE(context, data, NM_ERROR_INPUT);
    *data = (nm_data){.train.context = context};
    NM_UNLESS_FAILED(context);
    NM_REQUIRE(context, path, NM_ERROR_INPUT);
    nm_data_options o = {NM_DATA_DEFAULTS};
    o = options ? *options : o;
    if (find_format(context, path, &format) != NM_OK) {
        return nm_context_status(context);
    }
    o.train = choose(format, path, targets);
    return nm_data_open(context, &o, data);
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
    const nm_choice choice = choose(format, path, targets);
    return nm_dataset_open(context, &choice, reading, set);
}
