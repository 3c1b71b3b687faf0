/* Opening a data set: read by its type, numbered, filled, checked, and brought into a network's
 * form. */
#include "core/guard.h"
#include "optim/data/readers.h"

/* Arrays and what is generated have no columns. */
static nm_status check_keys(const nm_dataset *set, const nm_reading *reading)
{
    const bool groups = reading->groups && !set->groups;
    if (!groups && (!reading->order || set->order)) {
        return NM_OK;
    }
    return nm_fail(set->context, NM_ERROR_INPUT,
                   "it has no column \"%s\" to split by, as tables have; name the rows that are "
                   "held out in a file, `validation: {indices: FILE}`",
                   groups ? reading->groups : reading->order);
}

/* Whether the targets are values from 0 to 1, as a loss of shares takes them. */
static nm_status check_shares(const nm_dataset *set)
{
    const int64_t width = nm_shape_count(&set->target_shape);
    const float *narrow = set->targets;
    const double *wide = set->targets;
    for (int64_t i = 0; narrow && set->target_dtype != NM_I32 && i < set->count * width; i++) {
        const int64_t sample = i / width, at = (set->rows ? set->rows[sample] : sample) * width;
        const double value =
            set->target_dtype == NM_F64 ? wide[at + i % width] : (double)narrow[at + i % width];
        if (!(value >= 0 && value <= 1)) {
            return nm_fail(set->context, NM_ERROR_INPUT,
                           "target %lld of sample %lld is %g; the loss takes values from 0 to 1",
                           (long long)(i % width), (long long)sample, value);
        }
    }
    return NM_OK;
}

static nm_status open_and_check(const nm_dataset_type *type, const void *options,
                                const nm_reading *reading, nm_dataset *set)
{
    const nm_schema *schema = reading->schema;
    nm_status status = type->open(set->context, options, schema, set);
    if (status == NM_OK && (status = nm_dataset_number_classes(set, schema)) != NM_OK &&
        set->target_source) {
        nm_fail_in(set->context, "%s", set->target_source);
    }
    if (status == NM_OK && set->missing && !reading->fills_later) {
        status = nm_dataset_fill(set, set, set->schema);
    }
    status = status == NM_OK ? nm_dataset_check(set) : status;
    status = status == NM_OK && set->wanted == NM_WANTED_SHARES ? check_shares(set) : status;
    status = status == NM_OK ? check_keys(set, reading) : status;
    status = status == NM_OK && schema ? nm_dataset_conform(set, schema) : status;
    set->sample_source = set->target_source = NULL;
    set->groups_column = set->order_column = NULL;
    return status == NM_OK ? NM_OK : nm_fail_in(set->context, "%s", type->item.name);
}

nm_status nm_dataset_open(nm_context *context, const nm_choice *choice, const nm_reading *reading,
                          nm_dataset *set)
{
    NM_REQUIRE(context, set, NM_ERROR_INPUT);
    *set = (nm_dataset){.context = context};
    NM_REQUIRE(context, choice && choice->item, NM_ERROR_INPUT);
    if (nm_item_check(context, NM_KIND_DATASET, choice->item) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    const nm_dataset_type *type = (const nm_dataset_type *)choice->item;
    const nm_spec *spec = type->item.spec;
    const void *options = nm_choice_options(choice);
    const nm_reading plain = {.schema = NULL};
    reading = reading ? reading : &plain;
    *set = (nm_dataset){.context = context,
                        .ignored = reading->ignored,
                        .wanted = reading->wanted,
                        .groups_column = reading->groups,
                        .order_column = reading->order};
    nm_status status = spec ? nm_spec_check(context, spec, type->item.name, options) : NM_OK;
    status = status == NM_OK ? open_and_check(type, options, reading, set) : status;
    status = status == NM_OK ? nm_dataset_begin_life(set, NULL) : status;
    if (status != NM_OK) {
        nm_dataset_close(set);
    }
    return status;
}
