/* Samples and targets in arrays of a C program. Samples stay where they are; labels and values are
 * copied, as numbering classes writes to them. */
#include <string.h>

#include "optim/data/readers.h"
#include "optim/data/sources.h"

static nm_status take_samples(nm_dataset *set, const nm_arrays_options *o)
{
    const int given = (o->f32 != NULL) + (o->f64 != NULL) + (o->bytes != NULL);
    if (given != 1) {
        return nm_fail(set->context, NM_ERROR_INPUT,
                       "the samples are %s; give one of .f32, .f64 and .bytes",
                       given ? "there in two types" : "missing");
    }
    if (o->count < 1) {
        return nm_fail(set->context, NM_ERROR_INPUT, "count is %lld; it must be at least 1",
                       (long long)o->count);
    }
    if (o->shape.rank < 1) {
        return nm_fail(set->context, NM_ERROR_INPUT,
                       "the shape of a sample is missing; for 4 numbers it is NM_SHAPE(4)");
    }
    set->count = o->count;
    set->shape = o->shape;
    set->dtype = o->f64 ? NM_F64 : o->f32 ? NM_F32 : NM_U8;
    set->samples = o->f64 ? (const void *)o->f64 : o->f32 ? (const void *)o->f32 : o->bytes;
    nm_dataset_add_channel(set);
    return NM_OK;
}

/* `bytes` a sample, copied. */
static nm_status take_targets(nm_dataset *set, const void *from, int64_t bytes)
{
    void *targets = nm_alloc_zero(set->context, (size_t)set->count, (size_t)bytes);
    set->targets = set->memory[0] = targets;
    if (!targets) {
        return nm_context_status(set->context);
    }
    memcpy(targets, from, (size_t)set->count * (size_t)bytes);
    return NM_OK;
}

static nm_status take_labels(nm_dataset *set, const nm_arrays_options *o)
{
    set->target_dtype = NM_I32;
    set->classes = o->classes;
    return take_targets(set, o->labels, sizeof *o->labels);
}

static nm_status take_values(nm_dataset *set, const nm_arrays_options *o)
{
    char text[NM_SHAPE_TEXT];
    const int64_t width = nm_shape_count(&o->value_shape);
    nm_dataset_values_shape(set, o->value_shape);
    if (width < 1 || width > INT32_MAX) {
        return nm_fail(set->context, NM_ERROR_INPUT, "no target can have the shape %s",
                       nm_shape_text(&o->value_shape, text));
    }
    return take_targets(set, o->values, width * (int64_t)sizeof *o->values);
}

static nm_status arrays_open(nm_context *context, const void *options, const nm_schema *schema,
                             nm_dataset *set)
{
    (void)schema;
    const nm_arrays_options *o = options;
    nm_status status = take_samples(set, o);
    if (status != NM_OK || set->wanted == NM_WANTED_NONE) {
        return status;
    }
    if (o->labels && o->values) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "there are labels and values; a set has one of them");
    }
    if (o->classes < 0 || o->classes > INT32_MAX || (o->classes && !o->labels)) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "classes is %lld; it is a number of classes, with labels",
                       (long long)o->classes);
    }
    return o->labels ? take_labels(set, o) : o->values ? take_values(set, o) : NM_OK;
}

static const nm_arrays_options defaults = {NM_ARRAYS_DEFAULTS};
NM_OPTIONS_INIT(nm_arrays_options, defaults)

/* Without a table of options: pointers cannot stand in a file. */
static const nm_spec spec = {
    .name = "nm_arrays_options", .size = sizeof(nm_arrays_options), .defaults = &defaults};

const nm_dataset_type nm_dataset_arrays = {
    .item = NM_ITEM(nm_dataset_type, "arrays", "samples and targets in a program's arrays",
                    .spec = &spec, .doc = "For C programs: optim/data/sources.h."),
    .open = arrays_open,
};
