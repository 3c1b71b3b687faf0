/* Options of the loader: their table, and whether they fit the samples. */
#include "core/op.h"
#include "optim/data/loader_internal.h"
#include "optim/data/normalize.h"

const char *const nm_short_batch_names[] = {"keep", "drop", "merge", NULL};
static const nm_loader_options defaults = {NM_LOADER_DEFAULTS};
static const nm_option rows[] = {NM_LOADER_ROWS(0)};
const nm_spec nm_loader_spec = {.name = "nm_loader_options",
                                .size = sizeof(nm_loader_options),
                                .defaults = &defaults,
                                .options = rows,
                                .count = NM_COUNT_OF(rows)};

bool nm_loader_augments(const nm_loader_options *o)
{
    return o->crop || o->flip || o->shift;
}

static nm_status check_channels(nm_context *context, const nm_dataset *set, const char *name,
                                const nm_floats *list)
{
    char text[NM_SHAPE_TEXT];
    int64_t channels = nm_dataset_channels(set);
    if (list->count <= 1 || list->count == channels) {
        return NM_OK;
    }
    return nm_fail(
        context, NM_ERROR_INPUT,
        "loader: \"%s\" has %d numbers, but samples of shape %s have %lld channels; give "
        "one number, or one a channel",
        name, list->count, nm_shape_text(&set->shape, text), (long long)channels);
}

static nm_status check_augmentation(nm_context *context, const nm_dataset *set,
                                    const nm_loader_options *o)
{
    char text[NM_SHAPE_TEXT];
    const nm_shape *shape = &set->shape;
    if (!nm_loader_augments(o)) {
        return NM_OK;
    }
    if (shape->rank != 3) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "loader: crop, flip and shift are for images of shape [height, width, "
                       "channels], and the samples have shape %s; remove them",
                       nm_shape_text(shape, text));
    }
    int64_t side = shape->dim[0] < shape->dim[1] ? shape->dim[0] : shape->dim[1];
    if (o->crop >= side || o->shift >= side) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "loader: \"%s\" of %lld pixels could leave nothing of samples of shape %s",
                       o->crop >= side ? "crop" : "shift",
                       (long long)(o->crop >= side ? o->crop : o->shift),
                       nm_shape_text(shape, text));
    }
    return NM_OK;
}

nm_status nm_loader_check(nm_context *context, const nm_dataset *set,
                          const nm_loader_options *options, const nm_loader_options *used)
{
    nm_status status = nm_spec_check(context, &nm_loader_spec, "loader", options);
    if (status == NM_OK) {
        status = check_channels(context, set, "mean", &used->mean);
    }
    if (status == NM_OK) {
        status = check_channels(context, set, "deviation", &used->deviation);
    }
    return status == NM_OK ? check_augmentation(context, set, used) : status;
}
