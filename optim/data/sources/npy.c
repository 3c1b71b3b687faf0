/* Samples and targets in two .npy files (NumPy's array format; core/files/npy.c reads it). */
#include <math.h>
#include <string.h>

#include "core/file.h"
#include "optim/data/readers.h"
#include "optim/table.h"

static nm_tensor *read_array(nm_context *context, const char *path, nm_npy_info *info)
{
    return nm_dataset_look_for(context, path) == NM_OK ? nm_npy_read_info(context, path, info)
                                                       : NULL;
}

/* By integers alone: on the way to a double some processors hold more digits than it has. */
static bool f64_keeps(int64_t value)
{
    const uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value;
    return size == 0 || size >> __builtin_ctzll(size) < 1ull << 53;
}

/* Numbers so long are ids, as a rule, and all the same once their last digits are gone. */
static nm_status check_digits(nm_context *context, const char *name, nm_tensor *tensor)
{
    const int64_t *value = nm_tensor_dtype(tensor) == NM_I64 ? nm_tensor_data(tensor) : NULL;
    for (int64_t i = 0; value && i < nm_tensor_count(tensor); i++) {
        if (!f64_keeps(value[i])) {
            char place[NM_SHAPE_TEXT];
            return nm_fail(context, NM_ERROR_FORMAT,
                           "%s: element %s is %lld, whose last digits f64 does not keep; leave ids "
                           "out, and subtract the smallest of other numbers",
                           name, nm_shape_place_text(nm_tensor_shape(tensor), i, place),
                           (long long)value[i]);
        }
    }
    return NM_OK;
}

/* The elements as f64 in new memory, of an array in the file called `name`. */
static double *as_numbers(nm_context *context, const char *name, nm_tensor *tensor)
{
    int64_t count = nm_tensor_count(tensor);
    if (check_digits(context, name, tensor) != NM_OK) {
        return NULL;
    }
    double *values = nm_alloc_zero(context, (size_t)count, sizeof *values);
    for (int64_t i = 0; values && i < count; i++) {
        values[i] = nm_tensor_get(tensor, i);
    }
    return values;
}

/* The shape without its first dimension, which counts the samples. */
static nm_shape row_shape(const nm_tensor *tensor)
{
    const nm_shape *shape = nm_tensor_shape(tensor);
    nm_shape row = {.rank = shape->rank - 1};
    memcpy(row.dim, shape->dim + 1, (size_t)row.rank * sizeof *row.dim);
    return row;
}

/* ---- Samples ---- */

static nm_status take_samples(nm_dataset *set, nm_tensor *x)
{
    char text[NM_SHAPE_TEXT];
    const nm_shape *shape = nm_tensor_shape(x);
    if (shape->rank < 2) {
        return nm_fail(set->context, NM_ERROR_FORMAT,
                       "%s: samples of shape %s; they need 2 dimensions or more, samples first: in "
                       "NumPy, x[None] is a single sample, x[:, None] a single column",
                       set->sample_source, nm_shape_text(shape, text));
    }
    set->count = shape->dim[0];
    set->shape = row_shape(x);
    nm_dtype dtype = nm_tensor_dtype(x);
    if (dtype == NM_U8 || dtype == NM_F32 || dtype == NM_F64) {
        set->dtype = dtype;
        set->samples = set->count ? nm_tensor_data(x) : NULL;
        nm_dataset_add_channel(set);
        return NM_OK;
    }
    set->dtype = NM_F64;
    set->samples = set->memory[0] = as_numbers(set->context, set->sample_source, x);
    nm_tensor_destroy(x);
    set->tensors[0] = NULL;
    return nm_context_status(set->context);
}

/* ---- Targets ---- */

/* What reads targets as numbers to predict: the loss has a say, unless the option has. */
static const char *values_remedy(const nm_dataset *set, int targets)
{
    return targets == NM_WANTED_ANY && set->wanted == NM_WANTED_LABELS
               ? "to predict numbers, the loss is mse or huber"
               : "to predict numbers, set targets: values";
}

static nm_status no_label(const nm_dataset *set, int64_t sample, double label, int targets)
{
    char text[32];
    const bool is_whole = label == floor(label);
    return nm_fail(set->context, NM_ERROR_FORMAT,
                   "%s: sample %lld has %s for a label; labels are integers%s (%s)",
                   set->target_source, (long long)sample, nm_format_float(label, text),
                   is_whole ? " of 32 bits" : "",
                   is_whole ? "numpy.unique(y, return_inverse=True)[1] numbers others"
                            : values_remedy(set, targets));
}

/* Labels may stand as any type, also as whole floats. */
static nm_status take_labels(nm_dataset *set, nm_tensor *y, int targets)
{
    int32_t *labels = nm_alloc_zero(set->context, (size_t)set->count, sizeof *labels);
    set->targets = set->memory[1] = labels;
    set->target_dtype = NM_I32;
    for (int64_t i = 0; labels && i < set->count; i++) {
        double label = nm_tensor_get(y, i);
        if (!nm_is_label(label)) {
            return no_label(set, i, label, targets);
        }
        labels[i] = (int32_t)label;
    }
    return nm_context_status(set->context);
}

static nm_status take_values(nm_dataset *set, nm_tensor *y)
{
    nm_dataset_values_shape(set, row_shape(y));
    set->target_dtype = NM_F64;
    set->targets = set->memory[1] = as_numbers(set->context, set->target_source, y);
    return nm_context_status(set->context);
}

/* As the option says, or the loss needs; else by their type. */
static bool are_labels(int targets, int wanted, const nm_tensor *y)
{
    if (targets != NM_WANTED_ANY) {
        return targets == NM_WANTED_LABELS;
    }
    return wanted == NM_WANTED_ANY ? !nm_dtype_is_float(nm_tensor_dtype(y))
                                   : wanted == NM_WANTED_LABELS;
}

static nm_status take_targets(nm_dataset *set, nm_tensor *y, int targets)
{
    char text[NM_SHAPE_TEXT];
    const nm_shape *shape = nm_tensor_shape(y);
    if (shape->rank < 1 || shape->dim[0] != set->count) {
        return nm_fail(set->context, NM_ERROR_FORMAT,
                       "%s has shape %s, but %s has %lld samples; they must be as many",
                       set->target_source, nm_shape_text(shape, text), set->sample_source,
                       (long long)set->count);
    }
    if (!are_labels(targets, set->wanted, y)) {
        return take_values(set, y);
    }
    if (nm_tensor_count(y) != set->count) {
        return nm_fail(set->context, NM_ERROR_FORMAT,
                       "%s: labels of shape %s; they need one number a sample (%s; of one-hot "
                       "rows, numpy.argmax(y, -1) makes them)",
                       set->target_source, nm_shape_text(shape, text), values_remedy(set, targets));
    }
    return take_labels(set, y, targets);
}

static nm_status npy_open(nm_context *context, const void *options, const nm_schema *schema,
                          nm_dataset *set)
{
    (void)schema;
    const nm_npy_options *o = options;
    set->sample_source = nm_file_title(o->x);
    set->target_source = o->y ? nm_file_title(o->y) : NULL;
    nm_npy_info info = {.is_bool = false};
    set->tensors[0] = read_array(context, o->x, &info);
    set->is_bool = info.is_bool;
    nm_status status =
        set->tensors[0] ? take_samples(set, set->tensors[0]) : nm_context_status(context);
    if (status != NM_OK || !o->y) {
        return status;
    }
    nm_tensor *y = read_array(context, o->y, NULL);
    status = y ? take_targets(set, y, o->targets) : nm_context_status(context);
    nm_tensor_destroy(y);
    set->classes = status == NM_OK && set->target_dtype == NM_I32 ? o->classes : 0;
    return status;
}

static const nm_npy_options defaults = {NM_NPY_DEFAULTS};
NM_OPTIONS_INIT(nm_npy_options, defaults)

static const char *const targets_names[] = {"auto", "labels", "values", NULL};
static const nm_option rows[] = {
    {NM_FIELD(nm_npy_options, x), NM_OPTION_STRING, .also = "samples features images data inputs",
     .flags = NM_REQUIRED | NM_PATH,
     .doc = "path of the samples: [count, ...], samples first, channels last"},
    {NM_FIELD(nm_npy_options, y), NM_OPTION_STRING, .also = "labels target outputs",
     .flags = NM_PATH,
     .doc = "path of the targets: [count] or [count, ...]; none: for prediction only"},
    {NM_FIELD(nm_npy_options, targets), NM_OPTION_ENUM, .names = targets_names,
     .doc = "what the targets are: class labels, values to predict, or told by their type"},
    {NM_FIELD(nm_npy_options, classes), NM_OPTION_INT, .min = 0, .max = INT32_MAX,
     .doc = "number of classes, where targets are labels; 0: the largest label plus one"},
};
static const nm_spec spec = {.name = "nm_npy_options",
                             .size = sizeof(nm_npy_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

const nm_dataset_type nm_dataset_npy = {
    .item = NM_ITEM(
        nm_dataset_type, "npy", "samples and targets in NumPy's .npy files", .also = "npz numpy",
        .spec = &spec,
        .doc =
            "Samples of u8 and shape [height, width] get a channel axis: [height, "
            "width, 1], and are images of bytes, which are scaled by 1/255. All else is numbers. "
            "Targets of an integer type are class labels, of a floating type "
            "values to predict, unless `targets` says otherwise."),
    .open = npy_open,
};
