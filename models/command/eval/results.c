#include "models/command/eval/results.h"

#include <math.h>

/* ---- Gathering ---- */

static const nm_metric_type *const types[MEASURES] = {
    [PRECISION] = &nm_metric_precision,
    [RECALL] = &nm_metric_recall,
    [F1] = &nm_metric_f1,
    [CALIBRATION] = &nm_metric_expected_calibration_error,
    [CONFUSION] = &nm_metric_confusion,
    [R2] = &nm_metric_r2,
    [ABSOLUTE] = &nm_metric_mean_absolute_error,
    [SQUARED] = &nm_metric_root_mean_squared_error,
};

results results_begin(nm_context *context, const nm_schema *schema, const nm_choice *loss)
{
    double padding;
    return (results){.context = context,
                     .schema = schema,
                     .ignored = nm_loss_choice_ignored(loss),
                     .in_rows = nm_loss_choice_padding(loss, &padding)};
}

bool has_matrix(const results *r)
{
    return r->of_classes && r->width <= MOST_CONFUSED;
}

static bool is_wanted(const results *r, int which)
{
    return types[which]->wants_labels == r->of_classes && (which != CONFUSION || has_matrix(r));
}

static nm_status begin(results *r, nm_tensor *outputs, const nm_batch *batch)
{
    nm_status status = NM_OK;
    r->begun = true;
    r->of_classes = batch->target_dtype == NM_I32;
    r->width = nm_tensor_count(outputs) / batch->count;
    for (int i = 0; i < MEASURES && status == NM_OK; i++) {
        status = nm_metric_begin(&r->metric[i], r->context, types[i], NULL);
        r->metric[i].ignored = r->ignored;
    }
    return status;
}

/* Values that are not those of the outputs have no errors each. */
static bool compare(const results *r, nm_tensor *outputs, const nm_batch *batch)
{
    return batch->target_dtype == NM_I32 ||
           (!r->in_rows && nm_shape_equal(nm_tensor_shape(outputs), &batch->target_shape));
}

nm_status results_on_outputs(void *user, nm_tensor *outputs, const nm_batch *batch)
{
    results *r = user;
    if (!compare(r, outputs, batch)) {
        return NM_OK;
    }
    nm_status status = r->begun ? NM_OK : begin(r, outputs, batch);
    for (int i = 0; i < MEASURES && status == NM_OK; i++) {
        if (is_wanted(r, i)) {
            status = nm_metric_add(&r->metric[i], outputs, batch);
        }
    }
    return status;
}

void results_end(results *r)
{
    for (int i = 0; r->begun && i < MEASURES; i++) {
        nm_metric_end(&r->metric[i]);
    }
    *r = (results){0};
}

/* ---- What came out ---- */

int64_t samples_of_class(const results *r, int64_t index)
{
    return (int64_t)nm_metric_class_counts(&r->metric[F1], index).actual;
}

double weighted_average(const results *r, measure which)
{
    double sum = 0, samples = 0;
    for (int64_t i = 0; i < r->width; i++) {
        const double part = nm_metric_part(&r->metric[which], i);
        const double weight = (double)samples_of_class(r, i);
        sum += isnan(part) ? 0 : weight * part;
        samples += weight;
    }
    return samples > 0 ? sum / samples : (double)NAN;
}

/* Puts a pair where it belongs among those found so far, the last of which may go. */
static int insert(confused *pairs, int count, int most, confused pair)
{
    int at = count < most ? count++ : most;
    for (; at > 0 && pairs[at - 1].samples < pair.samples; at--) {
        if (at < most) {
            pairs[at] = pairs[at - 1];
        }
    }
    if (at < most) {
        pairs[at] = pair;
    }
    return count;
}

int find_confused(const results *r, confused *pairs, int most)
{
    int count = 0;
    for (int64_t i = 0; has_matrix(r) && i < r->width; i++) {
        for (int64_t k = 0; k < r->width; k++) {
            const confused pair = {i, k, (int64_t)nm_metric_confused(&r->metric[CONFUSION], i, k)};
            if (i != k && pair.samples) {
                count = insert(pairs, count, most, pair);
            }
        }
    }
    return count;
}
