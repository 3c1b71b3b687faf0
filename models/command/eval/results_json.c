/* Results as fields of a JSON object, and the confusion matrix as a file. */
#include "models/command/eval/results.h"
#include "models/command/outputs.h"

/* ---- Of classes ---- */

static const struct {
    const char *name;
    measure which;
} class_measures[] = {{"precision", PRECISION}, {"recall", RECALL}, {"f1", F1}},
  value_measures[] = {
      {"r2", R2}, {"mean_absolute_error", ABSOLUTE}, {"root_mean_squared_error", SQUARED}};

static void add_classes(json_line *line, const results *r)
{
    char text[OUTPUT_NAME];
    json_list(line, "classes");
    for (int64_t i = 0; i < r->width; i++) {
        const nm_class_counts counts = nm_metric_class_counts(&r->metric[F1], i);
        json_line object = json_element(line, i);
        json_integer(&object, "class", i);
        json_string(&object, "name", output_name(r->schema, true, r->width, i, text));
        json_integer(&object, "samples", (int64_t)counts.actual);
        json_integer(&object, "predicted", (int64_t)counts.predicted);
        json_integer(&object, "right", (int64_t)counts.right);
        for (int k = 0; k < NM_COUNT_OF(class_measures); k++) {
            json_number(&object, class_measures[k].name,
                        nm_metric_part(&r->metric[class_measures[k].which], i));
        }
        json_object_end(&object);
    }
    json_list_end(line);
}

static void add_averages(json_line *line, const results *r)
{
    json_line macro = json_object(line, "macro_average");
    for (int k = 0; k < NM_COUNT_OF(class_measures); k++) {
        json_number(&macro, class_measures[k].name,
                    nm_metric_value(&r->metric[class_measures[k].which]));
    }
    json_object_end(&macro);
    json_line weighted = json_object(line, "weighted_average");
    for (int k = 0; k < NM_COUNT_OF(class_measures); k++) {
        json_number(&weighted, class_measures[k].name,
                    weighted_average(r, class_measures[k].which));
    }
    json_object_end(&weighted);
}

/* A list of rows: those of a class, by what they were predicted as. */
static void add_matrix(json_line *line, const results *r)
{
    if (!has_matrix(r)) {
        json_string(line, "confusion", NULL);
        return;
    }
    json_list(line, "confusion");
    for (int64_t i = 0; i < r->width; i++) {
        json_inner_list(line, i);
        for (int64_t k = 0; k < r->width; k++) {
            json_item(line, k, (int64_t)nm_metric_confused(&r->metric[CONFUSION], i, k));
        }
        json_list_end(line);
    }
    json_list_end(line);
}

static void add_calibration(json_line *line, const results *r, double temperature)
{
    const nm_metric *metric = &r->metric[CALIBRATION];
    json_line object = json_object(line, "calibration");
    json_number(&object, "expected_calibration_error", nm_metric_value(metric));
    json_number(&object, "temperature", temperature);
    json_list(&object, "bins");
    for (int i = 0; i < NM_RELIABILITY_BINS; i++) {
        const nm_reliability_bin bin = nm_metric_reliability(metric, i);
        json_line row = json_element(&object, i);
        json_number(&row, "from", bin.from);
        json_number(&row, "to", bin.to);
        json_integer(&row, "samples", bin.samples);
        json_number(&row, "confidence", bin.confidence);
        json_number(&row, "accuracy", bin.accuracy);
        json_object_end(&row);
    }
    json_list_end(&object);
    json_object_end(&object);
}

/* ---- Of values ---- */

static void add_values(json_line *line, const results *r)
{
    char text[OUTPUT_NAME];
    json_list(line, "targets");
    for (int64_t i = 0; i < r->width; i++) {
        json_line object = json_element(line, i);
        json_string(&object, "name", output_name(r->schema, false, r->width, i, text));
        for (int k = 0; k < NM_COUNT_OF(value_measures); k++) {
            json_number(&object, value_measures[k].name,
                        nm_metric_part(&r->metric[value_measures[k].which], i));
        }
        json_object_end(&object);
    }
    json_list_end(line);
    json_line mean = json_object(line, "mean");
    for (int k = 0; k < NM_COUNT_OF(value_measures); k++) {
        json_number(&mean, value_measures[k].name,
                    nm_metric_value(&r->metric[value_measures[k].which]));
    }
    json_object_end(&mean);
}

void json_results(json_line *line, const results *r, double temperature)
{
    if (!r->begun) {
        return;
    }
    if (!r->of_classes) {
        add_values(line, r);
        return;
    }
    add_classes(line, r);
    add_averages(line, r);
    add_matrix(line, r);
    add_calibration(line, r, temperature);
}

/* ---- The matrix as a file ---- */

static char *matrix_text(const results *r)
{
    char name[OUTPUT_NAME];
    nm_text text = {.context = r->context};
    nm_text_add(&text, "class");
    for (int64_t i = 0; i < r->width; i++) {
        nm_text_add(&text, ",");
        add_cell(&text, output_name(r->schema, true, r->width, i, name));
    }
    for (int64_t i = 0; i < r->width && !text.failed; i++) {
        nm_text_add(&text, "\n");
        add_cell(&text, output_name(r->schema, true, r->width, i, name));
        for (int64_t k = 0; k < r->width; k++) {
            nm_text_add(&text, ",%lld", (long long)nm_metric_confused(&r->metric[CONFUSION], i, k));
        }
    }
    nm_text_add(&text, "\n");
    return nm_text_end(&text);
}

nm_status write_confusion(const results *r, const char *path)
{
    if (!has_matrix(r)) {
        return nm_fail(r->context, NM_ERROR_INPUT,
                       r->of_classes ? "--out: there is no confusion matrix of more than %d classes"
                                     : "--out writes a confusion matrix, but the network predicts "
                                       "values; norma predict --out FILE writes those",
                       MOST_CONFUSED);
    }
    return write_text(r->context, path, matrix_text(r));
}
