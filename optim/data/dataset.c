#include "optim/data/dataset.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/guard.h"
#include "optim/data/readers.h"

size_t nm_dataset_sample_bytes(const nm_dataset *set)
{
    NM_GIVEN(set, 0);
    return (size_t)nm_shape_count(&set->shape) * nm_dtype_size(set->dtype);
}

size_t nm_dataset_target_bytes(const nm_dataset *set)
{
    NM_GIVEN(set, 0);
    return (size_t)nm_shape_count(&set->target_shape) * nm_dtype_size(set->target_dtype);
}

int64_t nm_dataset_counted(const nm_dataset *set)
{
    NM_GIVEN(set, 0);
    const int32_t *labels = set->target_dtype == NM_I32 ? set->targets : NULL;
    int64_t counted = 0;
    for (int64_t i = 0; labels && i < set->count; i++) {
        counted += !nm_is_ignored(&set->ignored, labels[set->rows ? set->rows[i] : i]);
    }
    return labels ? counted : set->count;
}

/* ---- Its end ---- */

struct nm_dataset_life {
    nm_context *context;
    nm_dataset_life *of; /* of what it is a view of; NULL: of none */
    int holders;
    bool closed;     /* by its user, and goes with the last holder */
    nm_dataset kept; /* since then */
};

nm_status nm_dataset_begin_life(nm_dataset *set, nm_dataset_life *of)
{
    set->life = nm_alloc_zero(set->context, 1, sizeof *set->life);
    if (set->life) {
        set->life->context = set->context;
        set->life->of = nm_dataset_hold(of);
    }
    return set->life ? NM_OK : NM_ERROR_MEMORY;
}

nm_dataset_life *nm_dataset_hold(nm_dataset_life *life)
{
    if (life) {
        life->holders++;
    }
    return life;
}

static void give_back(const nm_dataset *set)
{
    for (size_t i = 0; i < sizeof set->memory / sizeof *set->memory; i++) {
        nm_free(set->context, set->memory[i]);
    }
    for (size_t i = 0; i < sizeof set->tensors / sizeof *set->tensors; i++) {
        nm_tensor_destroy(set->tensors[i]);
    }
    nm_schema_destroy(set->schema);
    if (set->life) {
        nm_dataset_release(set->life->of);
        nm_free(set->context, set->life);
    }
}

void nm_dataset_release(nm_dataset_life *life)
{
    if (life && --life->holders == 0 && life->closed) {
        const nm_dataset kept = life->kept;
        give_back(&kept);
    }
}

void nm_dataset_close(nm_dataset *set)
{
    NM_GIVEN(set, );
    if (set->life && set->life->holders) {
        set->life->kept = *set;
        set->life->closed = true;
    } else {
        give_back(set);
    }
    *set = (nm_dataset){0};
}

/* ---- For readers ---- */

void *nm_dataset_own(nm_dataset *set, const void *memory, size_t bytes)
{
    void **empty = NULL;
    for (size_t i = 0; i < sizeof set->memory / sizeof *set->memory; i++) {
        if (set->memory[i] == memory) {
            return set->memory[i];
        }
        empty = set->memory[i] ? empty : &set->memory[i];
    }
    if (!empty) {
        nm_fail(set->context, NM_ERROR_INTERNAL, "this data set has no room for a copy");
        return NULL;
    }
    *empty = nm_alloc(set->context, bytes);
    return *empty ? memcpy(*empty, memory, bytes) : NULL;
}

nm_status nm_dataset_look_for(nm_context *context, const char *path)
{
    if (strcmp(path, "-") == 0 || access(path, R_OK) == 0) {
        return NM_OK;
    }
    int error = errno;
    const char *remedy = "check the path";
    if (strstr(path, "fashion-mnist")) {
        remedy = "Debian has it: apt install dataset-fashion-mnist";
    } else if (path[0] == '~') {
        remedy = "write the folder out: a shell takes ~ for a home only where it begins a word, a "
                 "network's file only as ~/";
    } else if (path[0] != '/') {
        remedy = "a path in a file is meant from that file's folder, one in --set from the current "
                 "folder";
    }
    return nm_fail(context, NM_ERROR_IO, "cannot read %s: %s; %s", path, strerror(error), remedy);
}

bool nm_is_label(double label)
{
    return label >= INT32_MIN && label < INT32_MAX && label == (int32_t)label;
}

void nm_dataset_add_channel(nm_dataset *set)
{
    if (set->dtype == NM_U8 && set->shape.rank == 2) {
        set->shape.dim[set->shape.rank++] = 1;
    }
}

void nm_dataset_values_shape(nm_dataset *set, nm_shape shape)
{
    set->target_dtype = NM_F32;
    set->target_shape = shape.rank ? shape : NM_SHAPE(1);
}

/* ---- Checking what a reader made ---- */

static nm_status check_shape(const nm_dataset *set, const char *what, const nm_shape *shape)
{
    char text[NM_SHAPE_TEXT];
    if (shape->rank >= 1 && shape->rank < NM_MAX_RANK && nm_shape_count(shape) >= 1) {
        return NM_OK;
    }
    return nm_fail(set->context, NM_ERROR_FORMAT,
                   "a %s has shape %s; it needs 1 to %d dimensions, none of them 0", what,
                   nm_shape_text(shape, text), NM_MAX_RANK - 1);
}

static nm_status label_error(const nm_dataset *set, int64_t sample, int32_t label)
{
    if (set->classes) {
        return nm_fail(set->context, NM_ERROR_FORMAT,
                       "sample %lld has label %d, but the %lld classes go from 0 to %lld",
                       (long long)sample, label, (long long)set->classes,
                       (long long)set->classes - 1);
    }
    return nm_fail(set->context, NM_ERROR_FORMAT, "sample %lld has label %d; classes count from 0",
                   (long long)sample, label);
}

static nm_status check_labels(nm_dataset *set)
{
    const int32_t *labels = set->targets;
    int32_t largest = -1;
    for (int64_t i = 0; i < set->count; i++) {
        if (nm_is_ignored(&set->ignored, labels[i])) {
            continue;
        }
        if (labels[i] < 0 || (set->classes && labels[i] >= set->classes)) {
            return label_error(set, i, labels[i]);
        }
        largest = labels[i] > largest ? labels[i] : largest;
    }
    set->classes = set->classes ? set->classes : (int64_t)largest + 1;
    return NM_OK;
}

/* The first of `count` values that f32 does not hold; -1: none. */
static int64_t find_not_finite(nm_dtype dtype, const void *values, int64_t count)
{
    const float *narrow = values;
    const double *wide = values;
    for (int64_t i = 0; i < count; i++) {
        if (dtype == NM_F64 ? !(fabs(wide[i]) <= (double)FLT_MAX) : !isfinite(narrow[i])) {
            return i;
        }
    }
    return -1;
}

/* `what`: "sample" or "target". Rows have `width` values. */
static nm_status check_finite(const nm_dataset *set, const char *what, nm_dtype dtype,
                              const void *values, int64_t width)
{
    int64_t at = find_not_finite(dtype, values, set->count * width);
    if (at < 0) {
        return NM_OK;
    }
    char text[32];
    const double value =
        dtype == NM_F64 ? ((const double *)values)[at] : (double)((const float *)values)[at];
    if (isfinite(value)) {
        return nm_fail(set->context, NM_ERROR_FORMAT,
                       "%s %lld has %s among its values, more than f32 holds; give them in a "
                       "larger unit",
                       what, (long long)(at / width), nm_format_float(value, text));
    }
    return nm_fail(set->context, NM_ERROR_FORMAT,
                   "%s %lld has %s among its values; remove or replace it", what,
                   (long long)(at / width), isnan(value) ? "NaN" : "an infinity");
}

/* Of arrays that a program gave. */
static nm_status check_alignment(const nm_dataset *set, const char *what, nm_dtype dtype,
                                 const void *values)
{
    const size_t size = nm_dtype_size(dtype);
    return !size || (uintptr_t)values % size == 0
               ? NM_OK
               : nm_fail(set->context, NM_ERROR_INPUT,
                         "%ss are at %p, which is not aligned for %s (a multiple of %zu)", what,
                         values, nm_dtype_name(dtype), size);
}

static nm_status check_samples(const nm_dataset *set)
{
    if (!set->samples || set->count < 1) {
        return nm_fail(set->context, NM_ERROR_FORMAT, "it has no samples");
    }
    if (set->dtype != NM_U8 && set->dtype != NM_F32 && set->dtype != NM_F64) {
        return nm_fail(set->context, NM_ERROR_INTERNAL, "samples are u8, f32 or f64, not %s",
                       nm_dtype_name(set->dtype));
    }
    nm_status status = check_shape(set, "sample", &set->shape);
    status = status == NM_OK ? check_alignment(set, "sample", set->dtype, set->samples) : status;
    return status != NM_OK || set->dtype == NM_U8 || set->missing
               ? status
               : check_finite(set, "sample", set->dtype, set->samples, nm_shape_count(&set->shape));
}

static nm_status check_targets(nm_dataset *set)
{
    if (!set->targets) {
        return NM_OK;
    }
    if (check_alignment(set, "target", set->target_dtype, set->targets) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (set->target_dtype == NM_I32 && set->target_shape.rank == 0) {
        return check_labels(set);
    }
    if (set->target_dtype != NM_F32 && set->target_dtype != NM_F64) {
        return nm_fail(set->context, NM_ERROR_INTERNAL,
                       "targets are one i32 label a sample or values of f32 or f64, not %s",
                       nm_dtype_name(set->target_dtype));
    }
    nm_status status = check_shape(set, "target", &set->target_shape);
    return status != NM_OK ? status
                           : check_finite(set, "target", set->target_dtype, set->targets,
                                          nm_shape_count(&set->target_shape));
}

nm_status nm_dataset_check(nm_dataset *set)
{
    NM_GIVEN(set, NM_ERROR_INPUT);
    nm_status status = check_samples(set);
    const char *source = set->sample_source;
    if (status == NM_OK) {
        status = check_targets(set);
        source = set->target_source;
    }
    return status != NM_OK && source ? nm_fail_in(set->context, "%s", source) : status;
}
