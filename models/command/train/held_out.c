#include "models/command/train/held_out.h"

#include <string.h>

#include "models/command/train/folder.h"

#define HELD_OUT_FILES 3
static const char *const held_out_names[HELD_OUT_FILES] = {"validation-rows.csv", "test-rows.csv",
                                                           "unused-rows.csv"};

/* In the order of the names. */
static nm_part part_of(int file)
{
    static const nm_part parts[] = {NM_PART_VALIDATION, NM_PART_TEST, NM_PART_UNUSED};
    return parts[file];
}

static int64_t count_of(const nm_split_record *r, int file)
{
    return file == 0 ? r->validation : file == 1 ? r->test : r->unused;
}

static nm_status find_file(nm_context *context, const char *folder, int file, char path[RUN_PATH])
{
    return path_join(path, folder, held_out_names[file])
               ? NM_OK
               : nm_fail(context, NM_ERROR_INPUT, "the folder's name is too long");
}

nm_status held_out_write(nm_context *context, const char *folder, const nm_data *data)
{
    char path[RUN_PATH];
    nm_status status = NM_OK;
    for (int i = 0; i < HELD_OUT_FILES && status == NM_OK; i++) {
        if (!count_of(&data->split, i)) {
            continue;
        }
        status = find_file(context, folder, i, path);
        status = status == NM_OK
                     ? nm_split_write(context, path, data->parts, data->split.rows, part_of(i))
                     : status;
    }
    return status;
}

/* ---- Reading ---- */

static nm_status wrong_file(nm_context *context, const char *path, int64_t found, int64_t expected)
{
    return nm_fail(context, NM_ERROR_INPUT,
                   "%s names %lld rows that no other file has, and the run held %lld out; it was "
                   "changed since",
                   path, (long long)found, (long long)expected);
}

/* Marks the rows of one file. */
static nm_status read_file(nm_context *context, const char *path, const nm_split_record *r,
                           int file, uint8_t *parts)
{
    bool *held = nm_alloc_zero(context, (size_t)r->rows, sizeof *held);
    nm_status status = held ? nm_split_read(context, path, 0, r->rows, held) : NM_ERROR_MEMORY;
    int64_t found = 0;
    for (int64_t i = 0; status == NM_OK && i < r->rows; i++) {
        if (held[i] && parts[i] == NM_PART_TRAIN) {
            parts[i] = (uint8_t)part_of(file);
            found++;
        }
    }
    nm_free(context, held);
    return status != NM_OK || found == count_of(r, file)
               ? status
               : wrong_file(context, path, found, count_of(r, file));
}

nm_status held_out_read(nm_context *context, const char *folder, const nm_split_record *r,
                        uint8_t **parts)
{
    char path[RUN_PATH];
    bool all = true;
    *parts = nm_alloc_zero(context, (size_t)r->rows, sizeof **parts);
    nm_status status = *parts ? NM_OK : NM_ERROR_MEMORY;
    for (int i = 0; i < HELD_OUT_FILES && status == NM_OK && all; i++) {
        if (!count_of(r, i)) {
            continue;
        }
        status = find_file(context, folder, i, path);
        all = status == NM_OK && path_exists(path);
        status = all ? read_file(context, path, r, i, *parts) : status;
    }
    if (status != NM_OK || !all) {
        nm_free(context, *parts);
        *parts = NULL;
    }
    return status;
}
