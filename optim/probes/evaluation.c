/* What differs between training and evaluation: outputs, and the running statistics that stand for
 * the set's in evaluation. */
#include <math.h>
#include <string.h>

#include "optim/probes/internal.h"
#include "optim/statistics.h"

/* ---- evaluation_mode ---- */

#define FACTOR 2 /* that samples are multiplied by */

enum { TRAINING, EVALUATION, GAP, DISTANCE, OTHERS_TRAINING, OTHERS, CONTRAST, VALUES };
static const char *const mode_values[] = {"training",        "evaluation", "gap",      "distance",
                                          "others_training", "others",     "contrast", NULL};

/* Passes over the batch and over changes of it. */
typedef struct modes {
    nm_probe_view *view;
    int64_t samples, count; /* elements of the outputs */
    float *x;               /* the batch's samples, changed */
    double *training, *evaluation;
    double row[VALUES];
} modes;

/* |a - b| by |b| over the first `count`. */
static double distance(const double *a, const double *b, int64_t count)
{
    double squares = 0;
    const double whole = sqrt(nm_probe_dot(b, b, count));
    for (int64_t i = 0; i < count; i++) {
        squares += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return whole > 0 ? sqrt(squares) / whole : (double)NAN;
}

static nm_status look_at_batch(modes *m)
{
    nm_probe_view *v = m->view;
    nm_status status = nm_probe_look(v, v->batch, true, &m->training);
    m->row[TRAINING] = v->value;
    status = status == NM_OK ? nm_probe_look(v, v->batch, false, &m->evaluation) : status;
    m->row[EVALUATION] = v->value;
    m->row[GAP] = m->row[EVALUATION] - m->row[TRAINING];
    if (status == NM_OK) {
        m->row[DISTANCE] = distance(m->training, m->evaluation, m->count);
    }
    return status;
}

/* Samples from `first` on multiplied, the others as they are. */
static nm_batch change_batch(modes *m, int64_t first)
{
    nm_batch changed = *m->view->batch;
    const int64_t size = nm_shape_count(&changed.shape) / m->samples;
    for (int64_t i = 0; i < m->samples * size; i++) {
        m->x[i] = changed.x[i] * (i / size < first ? 1 : FACTOR);
    }
    changed.x = m->x;
    return changed;
}

/* How far outputs of the first samples move, where only those from `first` on were changed; of all
 * where it is 0. */
static nm_status look_at_change(modes *m, int64_t first, bool training, double *moved)
{
    double *outputs = NULL;
    const nm_batch batch = change_batch(m, first);
    const nm_status status = nm_probe_look(m->view, &batch, training, &outputs);
    if (status == NM_OK) {
        const int64_t compared = first ? m->count / m->samples * first : m->count;
        *moved = distance(outputs, training ? m->training : m->evaluation, compared);
    }
    nm_free(m->view->context, outputs);
    return status;
}

static nm_status look_at_changes(modes *m)
{
    const int64_t half = m->samples / 2;
    nm_status status = look_at_change(m, 0, false, &m->row[CONTRAST]);
    if (half && status == NM_OK) {
        status = look_at_change(m, half, true, &m->row[OTHERS_TRAINING]);
    }
    if (half && status == NM_OK) {
        status = look_at_change(m, half, false, &m->row[OTHERS]);
    }
    return status;
}

static nm_status count_outputs(modes *m)
{
    const nm_status status = nm_probe_pass(m->view, NULL);
    const nm_probe_view *v = m->view;
    m->samples = v->batch->count;
    m->count = v->count ? nm_tensor_count(v->layers[v->count - 1].output) : 0;
    m->x = nm_alloc_zero(v->context, (size_t)nm_shape_count(&v->batch->shape) + 1, sizeof(float));
    return status == NM_OK ? nm_context_status(v->context) : status;
}

static nm_status compare_modes(nm_probe_view *v, const void *options)
{
    modes m = {.view = v, .row = {[OTHERS_TRAINING] = NAN, [OTHERS] = NAN}};
    (void)options;
    nm_status status = count_outputs(&m);
    status = status == NM_OK && m.count ? look_at_batch(&m) : status;
    status = status == NM_OK && m.count ? look_at_changes(&m) : status;
    if (status == NM_OK && m.count) {
        status = nm_probe_emit(v, NULL, m.row);
    }
    nm_free(v->context, m.x);
    nm_free(v->context, m.training);
    nm_free(v->context, m.evaluation);
    return status;
}

const nm_probe_type nm_probe_evaluation_mode = {
    .item = NM_ITEM(
        nm_probe_type, "evaluation_mode", "how outputs in training differ from those in evaluation",
        .spec = &nm_probe_spec,
        .doc = "Of the update's batch. training, evaluation: its loss in either mode; gap: the "
               "second less the first. distance: of "
               "outputs in training from those in evaluation. others_training, others: how far "
               "outputs of the first half of the batch move, in training and in evaluation, when "
               "the samples of the second half are doubled: 0 where samples do not depend on each "
               "other. contrast: how far outputs move in evaluation when all samples are doubled. "
               "All but these three by the norm of the outputs."),
    .values = mode_values,
    .before = compare_modes,
};

/* ---- running_statistics ---- */

static nm_status gather_batch(nm_probe_view *v, nm_statistics *s, const nm_batch *batch)
{
    nm_tape_reset(v->tape);
    nm_probe_changed(v);
    const nm_pass pass = {.tape = v->tape, .statistics = s, .precision = v->owner->setup.precision};
    nm_network_forward(v->network, &pass, nm_tape_wrap(v->tape, NM_F32, batch->shape, batch->x));
    return nm_context_status(v->context);
}

/* Over an epoch of the training set. */
static nm_status gather(nm_probe_view *v, nm_statistics *s)
{
    nm_loader *loader = nm_probe_loader(v);
    nm_batch batch = {.count = 1};
    nm_status status = loader ? nm_loader_begin(loader, v->step, 0) : nm_context_status(v->context);
    nm_tape_set_recording(v->tape, false);
    while (status == NM_OK && (status = nm_loader_next(loader, &batch)) == NM_OK && batch.count) {
        status = gather_batch(v, s, &batch);
    }
    nm_tape_set_recording(v->tape, true);
    return status;
}

static nm_status emit_statistics(nm_probe_view *v, const nm_statistics *s)
{
    nm_status status = NM_OK;
    for (int i = 0; i < nm_statistics_count(s) && status == NM_OK; i++) {
        const nm_statistics_report r = nm_statistics_at(s, i);
        const double row[] = {r.moved, r.ratio, r.mean_error};
        status = nm_probe_emit(v, r.name, row);
    }
    return status;
}

static nm_status compare_statistics(nm_probe_view *v, const void *options)
{
    (void)options;
    nm_statistics *s = nm_statistics_create(v->context);
    nm_status status = s ? gather(v, s) : nm_context_status(v->context);
    status = status == NM_OK ? emit_statistics(v, s) : status;
    nm_statistics_destroy(s);
    return status;
}

static const char *const statistics_values[] = {"distance", "ratio", "error", NULL};

const nm_probe_type nm_probe_running_statistics = {
    .item = NM_ITEM(
        nm_probe_type, "running_statistics", "how far running statistics are from the whole set's",
        .spec = &nm_probe_spec,
        .doc = "Of each layer with running statistics, against those of the training set by the "
               "weights as they are, as norma calibrate --statistics finds them: an epoch of "
               "batches for each look. distance: of the running means from the set's, in the "
               "set's deviations, as a root mean square over channels. ratio: the set's variances "
               "by the running ones. error: the standard error of the set's means, as distance."),
    .values = statistics_values,
    .before = compare_statistics,
};
