/* A network whose outputs have another shape than its targets ask for: what mends it. */
#include <stdio.h>
#include <string.h>

#include "optim/train/internal.h"

/* A shape of a sample, from one of a batch. */
static nm_shape sample_of(const nm_shape *batch)
{
    nm_shape sample = {.rank = batch->rank - 1};
    memcpy(sample.dim, batch->dim + 1, (size_t)sample.rank * sizeof *sample.dim);
    return sample;
}

/* Whether the outputs come from an op of that family: dense, dense_activation. */
static bool ends_with(const nm_trainer *t, const char *family)
{
    const char *op = t->trial.op && t->trial.layer ? t->trial.op->item.name : "";
    return strncmp(op, family, strlen(family)) == 0;
}

/* What mends outputs of that shape, where the loss wants those of another. */
static void add_remedy(const nm_trainer *t, const nm_shape *output, bool labels, char *text,
                       size_t size)
{
    char wanted[NM_SHAPE_TEXT];
    const nm_shape *target = &t->setup.data->train.target_shape;
    if (output->rank > target->rank + labels && *t->trial.remedy) {
        snprintf(text, size, "%s", t->trial.remedy);
    } else if (output->rank > target->rank + labels) {
        snprintf(text, size, "end it with flatten and dense: {units: %lld}",
                 (long long)(labels              ? t->setup.data->train.classes
                             : target->rank == 1 ? target->dim[0]
                                                 : 1));
    } else if (labels) {
        nm_shape_text(target, wanted);
        snprintf(text, size, "it must end with %.*s%sclasses]", (int)strlen(wanted) - 1, wanted,
                 target->rank ? ", " : "");
    } else if (output->rank == 1 && target->rank == 1 && ends_with(t, "dense")) {
        snprintf(text, size, "let %s have units: %lld", t->trial.layer, (long long)target->dim[0]);
    } else {
        snprintf(text, size, "let it end with %s", nm_shape_text(target, wanted));
    }
}

/* "one label", "labels [6, 6]", "targets [2]" */
static void describe_targets(const nm_dataset *set, bool labels, char *text, size_t size)
{
    char shape[NM_SHAPE_TEXT];
    if (labels && !set->target_shape.rank) {
        snprintf(text, size, "one label");
    } else {
        snprintf(text, size, "%s %s", labels ? "labels" : "targets",
                 nm_shape_text(&set->target_shape, shape));
    }
}

/* The network's end does not fit the targets: said in terms of the file, not of the loss. */
static void report(const nm_trainer *t, bool labels, const nm_value *model, nm_diagnostics *d)
{
    char end[NM_SHAPE_TEXT], targets[2 * NM_SHAPE_TEXT], remedy[2 * NM_SHAPE_TEXT];
    const nm_shape output = sample_of(&t->trial.output);
    const nm_value *at = t->trial.remedy_at ? t->trial.remedy_at : t->trial.at;
    describe_targets(&t->setup.data->train, labels, targets, sizeof targets);
    add_remedy(t, &output, labels, remedy, sizeof remedy);
    nm_diagnose(d, at ? at : model, "model: the network ends with %s, but a sample has %s; %s",
                nm_shape_text(&output, end), targets, remedy);
}

/* Whether it is the shape of the outputs that the loss refuses; the kind of targets is told by it.
 */
static bool is_about_outputs(const nm_trainer *t, bool labels)
{
    const nm_dataset *set = &t->setup.data->train;
    const nm_shape output = sample_of(&t->trial.output);
    if (labels != t->loss.type->wants_labels) {
        return false;
    }
    return labels ? output.rank != set->target_shape.rank + 1
                  : !nm_shape_equal(&output, &set->target_shape);
}

bool nm_trainer_report_outputs(const nm_trainer *t, const nm_value *model, nm_diagnostics *d)
{
    const bool labels = t->setup.data->train.target_dtype == NM_I32;
    const bool refused = is_about_outputs(t, labels);
    if (refused) {
        report(t, labels, model, d);
    }
    return refused;
}
