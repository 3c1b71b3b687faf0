/* Options of the loader: their table, and whether they fit the samples. */
#include "core/op.h"
#include "optim/data/loader_internal.h"
#include "optim/data/normalize.h"

const char *const nm_short_batch_names[] = {"keep", "drop", "merge", "auto", NULL};
const nm_named_value nm_batch_words[] = {{"auto", NM_AUTO}, {NULL, 0}};
static const nm_loader_options defaults = {NM_LOADER_DEFAULTS};
NM_OPTIONS_INIT(nm_loader_options, defaults)
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

/* Who looks for what does not fit. */
typedef struct checker {
    const nm_dataset *set;
    const nm_loader_options *options;
    nm_diagnostics *d;
    const nm_value *at; /* the part of a file that the options are of; NULL: none */
} checker;

static void check_channels(const checker *c, const char *name, const nm_floats *list)
{
    char text[NM_SHAPE_TEXT];
    int64_t channels = nm_dataset_channels(c->set);
    if (list->count > 1 && list->count != channels) {
        nm_diagnose(
            c->d, nm_value_place(c->at, name),
            "loader: \"%s\" has %d numbers, but samples of shape %s have %lld channels; give "
            "one number, or one a channel",
            name, list->count, nm_shape_text(&c->set->shape, text), (long long)channels);
    }
}

static void check_move(const checker *c, const char *name, int64_t pixels)
{
    char text[NM_SHAPE_TEXT];
    const nm_shape *shape = &c->set->shape;
    int64_t side = shape->dim[0] < shape->dim[1] ? shape->dim[0] : shape->dim[1];
    if (pixels >= side) {
        nm_diagnose(c->d, nm_value_place(c->at, name),
                    "loader: \"%s\" of %lld pixels could leave nothing of samples of shape %s",
                    name, (long long)pixels, nm_shape_text(shape, text));
    }
}

static void check_augmentation(const checker *c)
{
    char text[NM_SHAPE_TEXT];
    const nm_loader_options *o = c->options;
    if (nm_loader_augments(o) && c->set->shape.rank != 3) {
        const char *name = o->crop ? "crop" : o->flip ? "flip" : "shift";
        nm_diagnose(c->d, nm_value_place(c->at, name),
                    "loader: crop, flip and shift are for images of shape [height, width, "
                    "channels], and the samples have shape %s; remove them",
                    nm_shape_text(&c->set->shape, text));
    } else if (nm_loader_augments(o)) {
        check_move(c, "crop", o->crop);
        check_move(c, "shift", o->shift);
    }
}

static void check_drop(const checker *c)
{
    const nm_loader_options *o = c->options;
    if (o->last_batch == NM_SHORT_DROP && o->batch > c->set->count) {
        nm_diagnose(c->d, nm_value_place(c->at, "last_batch"),
                    "loader: a batch of %lld is more than the %lld samples, and \"last_batch\" "
                    "says to drop a short one; reduce the batch",
                    (long long)o->batch, (long long)c->set->count);
    }
}

static bool has_classes(const checker *c, const char *name)
{
    const bool has = c->set->target_dtype == NM_I32 && c->set->targets && c->set->classes;
    if (!has) {
        nm_diagnose(c->d, nm_value_place(c->at, name),
                    "loader: \"%s\" is for classes, and the data set has no class labels; "
                    "remove it",
                    name);
    }
    return has;
}

static void check_order(const checker *c)
{
    const nm_loader_options *o = c->options;
    if (o->balance && has_classes(c, "balance") && !o->shuffle) {
        nm_diagnose(
            c->d, nm_value_place(c->at, "shuffle"),
            "loader: \"balance\" draws samples at random, so \"shuffle\" must not be false");
    }
    if (o->sort && has_classes(c, "sort") && o->shuffle) {
        nm_diagnose(c->d, nm_value_place(c->at, "sort"),
                    "loader: \"sort\" lays samples class by class, and \"shuffle\" mixes them "
                    "again; say shuffle: false, or remove \"sort\"");
    }
}

void nm_loader_plain(nm_loader_options *o)
{
    o->shuffle = o->flip = o->balance = o->sort = false;
    o->crop = o->shift = 0;
    o->last_batch = NM_SHORT_KEEP;
}

void nm_loader_diagnose(const nm_dataset *set, const nm_loader_options *options, bool augment,
                        const nm_value *at, nm_diagnostics *d)
{
    nm_loader_options used = *options;
    const checker c = {set, &used, d, at};
    if (nm_spec_check(d->context, &nm_loader_spec, "loader", options) != NM_OK) {
        nm_diagnose_standing(d, at);
        return;
    }
    if (!augment) {
        nm_loader_plain(&used);
    }
    check_channels(&c, "mean", &used.mean);
    check_channels(&c, "deviation", &used.deviation);
    check_augmentation(&c);
    check_order(&c);
    check_drop(&c);
}
