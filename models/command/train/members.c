#include "models/command/train/members.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "models/command/predictions.h"

/* ---- Measuring ---- */

/* Of folds the fold; else the test set, or what was held out. */
static const nm_dataset *choose_set(members *m, const run *r)
{
    const nm_data *data = &r->config.data;
    m->set = data->test.count ? "test" : data->validation.count ? "validation" : NULL;
    return data->test.count ? &data->test : data->validation.count ? &data->validation : NULL;
}

static nm_status make_room(members *m, const run *r)
{
    const nm_dataset *all = &r->config.data.whole;
    if (m->result) {
        return NM_OK;
    }
    m->result = nm_alloc_zero(m->context, (size_t)m->count, sizeof *m->result);
    m->rows = nm_alloc_zero(m->context, (size_t)m->count, sizeof *m->rows);
    if (m->of_folds) {
        m->all = all->count;
        m->predicted = nm_alloc_zero(m->context, (size_t)all->count, sizeof *m->predicted);
    }
    return nm_context_status(m->context);
}

/* The network that the run kept, in place of the last one. */
static nm_status take_kept(const run *r)
{
    char path[RUN_PATH];
    return path_join(path, r->folder, "best.safetensors") && path_exists(path)
               ? nm_model_load(r->config.model, path)
               : NM_OK;
}

/* Puts the fold's rows where they stand in the table. */
static nm_status keep_outputs(members *m, const nm_dataset *set, nm_tensor *outputs)
{
    const int64_t width = nm_tensor_count(outputs) / set->count;
    if (!m->outputs) {
        nm_shape shape = *nm_tensor_shape(outputs);
        shape.dim[0] = m->all;
        m->outputs = nm_tensor_create(m->context, NM_F32, shape);
    }
    float *to = m->outputs ? nm_tensor_f32(m->outputs) : NULL;
    const float *from = nm_tensor_f32(outputs);
    for (int64_t i = 0; to && from && i < set->count; i++) {
        memcpy(to + set->rows[i] * width, from + i * width, (size_t)width * sizeof *to);
        m->predicted[set->rows[i]] = true;
    }
    return nm_context_status(m->context);
}

static nm_status predict(members *m, const run *r, const nm_dataset *set)
{
    nm_predictor *predictor = nm_predictor_create(r->config.model, &r->config.loss);
    nm_tensor *outputs = nm_predictor_run_set(predictor, set);
    nm_status status = outputs ? keep_outputs(m, set, outputs) : nm_context_status(m->context);
    nm_tensor_destroy(outputs);
    nm_predictor_close(predictor);
    return status;
}

nm_status members_measure(members *m, int index, run *r)
{
    const nm_dataset *set = choose_set(m, r);
    nm_status status = make_room(m, r);
    if (status == NM_OK && !set) {
        return nm_fail(m->context, NM_ERROR_INTERNAL, "there is no set to measure it on");
    }
    status = status == NM_OK ? take_kept(r) : status;
    if (status == NM_OK) {
        status = nm_trainer_evaluate(r->trainer, set, &m->result[index]);
    }
    if (status == NM_OK) {
        m->rows[index] = m->result[index].samples - m->result[index].ignored;
        status = m->of_folds ? predict(m, r, set) : NM_OK;
    }
    m->begun |= status == NM_OK;
    return status;
}

/* ---- Mean and deviation ---- */

typedef struct spread {
    double mean, deviation; /* of a sample: with n - 1 */
} spread;

/* Metric `which`; -1: the loss. */
static double value_at(const members *m, int index, int which)
{
    return which < 0 ? m->result[index].loss : m->result[index].metrics[which];
}

static spread spread_of(const members *m, int which)
{
    spread s = {0, 0};
    for (int i = 0; i < m->count; i++) {
        s.mean += value_at(m, i, which) / m->count;
    }
    for (int i = 0; i < m->count; i++) {
        const double off = value_at(m, i, which) - s.mean;
        s.deviation += off * off / (m->count - 1);
    }
    s.deviation = sqrt(s.deviation);
    return s;
}

/* Rows that a share is of: folds have different ones, seeds the same. */
static int64_t rows_of(const members *m)
{
    int64_t rows = 0;
    for (int i = 0; i < (m->of_folds ? m->count : 1); i++) {
        rows += m->rows[i];
    }
    return rows;
}

/* Of all rows together. */
static double share_of(const members *m, int which)
{
    double sum = 0, rows = 0;
    for (int i = 0; i < m->count; i++) {
        sum += (double)m->rows[i] * value_at(m, i, which);
        rows += (double)m->rows[i];
    }
    return sum / rows;
}

/* ---- Telling ---- */

static void print_spread(const members *m, int which)
{
    char name[64] = "loss", mean[SCORE_TEXT], deviation[SCORE_TEXT], interval[SCORE_TEXT];
    const nm_choice *metric = which < 0 ? NULL : &m->metrics.at[which];
    const spread s = spread_of(m, which);
    if (metric) {
        nm_metric_label(metric, name);
    }
    printf("%s %s (deviation %s)%s", name, describe_score(mean, metric, s.mean),
           describe_score(deviation, metric, s.deviation),
           describe_interval(interval, metric, metric ? share_of(m, which) : 0, rows_of(m)));
}

static void print_text(const members *m, bool quiet)
{
    char folder[RUN_PATH];
    printf("mean of %d %s", m->count, m->of_folds ? "folds: " : "seeds, on the ");
    if (!m->of_folds) {
        printf("%s set%s: ", m->set, strcmp(m->set, "test") ? ", which chose them" : "");
    }
    for (int i = -1; i < m->metrics.count; i++) {
        fputs(i < 0 ? "" : ", ", stdout);
        print_spread(m, i);
    }
    putchar('\n');
    if (quiet) {
        return;
    }
    print_few(&m->metrics, rows_of(m));
    printf("saved in %s: %d networks",
           nm_text_clean(m->whole->folder, false, folder, sizeof folder), m->count);
    puts(m->of_folds ? " (fold-1, ...), and their predictions of the rows that they had not seen "
                       "(predictions.csv)"
                     : " (seed-..., each)");
}

static void add_spread(json_line *line, const members *m, int which)
{
    char name[64] = "loss", key[96];
    const spread s = spread_of(m, which);
    if (which >= 0) {
        nm_metric_label(&m->metrics.at[which], name);
    }
    snprintf(key, sizeof key, "%s_mean", name);
    json_number(line, key, s.mean);
    snprintf(key, sizeof key, "%s_deviation", name);
    json_number(line, key, s.deviation);
}

static void add_values(json_line *line, const members *m)
{
    double shares[NM_MAX_CHOICES];
    for (int i = -1; i < m->metrics.count; i++) {
        add_spread(line, m, i);
        if (i >= 0) {
            shares[i] = share_of(m, i);
        }
    }
    json_intervals(line, "", &m->metrics, shares, rows_of(m));
}

/* The same line goes to standard output and into the log. */
static bool print_json(const members *m, FILE *to)
{
    char path[RUN_PATH];
    json_line line = {.to = to};
    json_string(&line, "event", "result");
    json_integer(&line, m->of_folds ? "folds" : "seeds", m->count);
    json_string(&line, "set", m->of_folds ? "folds" : m->set);
    json_integer(&line, "rows", rows_of(m));
    add_values(&line, m);
    json_string(&line, "folder", m->whole->folder);
    if (m->of_folds && path_join(path, m->whole->folder, "predictions.csv")) {
        json_string(&line, "predictions", path);
    }
    return json_end(&line);
}

/* ---- Predictions ---- */

/* In the order of the rows; in order, those of the first block have none. */
static nm_tensor *gather(const members *m, int64_t **numbers, int64_t *count)
{
    nm_shape shape = *nm_tensor_shape(m->outputs);
    const int64_t width = nm_tensor_count(m->outputs) / m->all;
    *count = 0;
    *numbers = nm_alloc_zero(m->context, (size_t)m->all, sizeof **numbers);
    for (int64_t i = 0; *numbers && i < m->all; i++) {
        if (m->predicted[i]) {
            (*numbers)[(*count)++] = i;
        }
    }
    shape.dim[0] = *count;
    nm_tensor *rows = *numbers ? nm_tensor_create(m->context, NM_F32, shape) : NULL;
    const float *from = rows ? nm_tensor_f32(m->outputs) : NULL;
    float *to = rows ? nm_tensor_f32(rows) : NULL;
    for (int64_t i = 0; from && to && i < *count; i++) {
        memcpy(to + i * width, from + (*numbers)[i] * width, (size_t)width * sizeof *to);
    }
    return rows;
}

static bool has_ids(const nm_schema *s)
{
    for (int i = 0; i < s->unused; i++) {
        if (s->unused_column[i].is_id) {
            return true;
        }
    }
    return false;
}

/* The table once more, for the columns that tell its rows apart, such as the groups. */
static nm_status open_ids(const members *m, const run *last, const nm_schema *s, nm_dataset *set)
{
    const nm_reading reading = {.schema = s, .wanted = NM_WANTED_NONE};
    *set = (nm_dataset){.context = m->context};
    return has_ids(s) ? nm_dataset_open(m->context, &last->config.data_options.train, &reading, set)
                      : NM_OK;
}

static nm_status write_predictions(const members *m, const run *last)
{
    char path[RUN_PATH];
    nm_dataset ids;
    int64_t *numbers = NULL, count = 0;
    const nm_loss_type *loss = (const nm_loss_type *)(const void *)last->config.loss.item;
    predictions p = {.context = m->context, .schema = nm_model_schema(last->config.model)};
    p.is_classifier = p.schema->classes > 0 && (!loss || loss->wants_labels);
    p.outputs = gather(m, &numbers, &count);
    nm_status status = open_ids(m, last, p.schema, &ids);
    p.set = ids;
    p.set.count = count;
    p.numbers = numbers;
    status = status == NM_OK && p.outputs && path_join(path, m->whole->folder, "predictions.csv")
                 ? predictions_write(&p, path)
                 : nm_context_status(m->context);
    if (ids.context) {
        nm_dataset_close(&ids);
    }
    nm_tensor_destroy(p.outputs);
    nm_free(m->context, numbers);
    return status;
}

static void tell_json(const members *m, int index, const run *r, FILE *to)
{
    json_line line = {.to = to};
    const nm_evaluation *e = &m->result[index];
    json_string(&line, "event", m->of_folds ? "fold" : "seed");
    json_integer(&line, m->of_folds ? "fold" : "seed", m->of_folds ? index + 1 : r->seed);
    json_integer(&line, "rows", m->rows[index]);
    json_number(&line, "loss", e->loss);
    json_metrics(&line, "", &m->metrics, e->metrics);
    json_string(&line, "folder", r->folder);
    json_end(&line);
}

void members_tell(members *m, int index, const run *r)
{
    char values[METRICS_TEXT];
    const nm_evaluation *e = &m->result[index];
    m->metrics = *nm_trainer_state(r->trainer)->metrics;
    if (m->whole->log.to) {
        tell_json(m, index, r, m->whole->log.to);
    }
    if (m->whole->json) {
        tell_json(m, index, r, NULL);
    } else if (!m->whole->quiet) {
        printf(m->of_folds ? "fold %lld" : "seed %lld",
               m->of_folds ? index + 1LL : (long long)r->seed);
        printf(": loss %.4f%s (%lld rows)\n", e->loss,
               describe_metrics(values, sizeof values, &m->metrics, e->metrics),
               (long long)m->rows[index]);
    }
}

nm_status members_conclude(members *m, run *last)
{
    nm_status status = m->of_folds ? write_predictions(m, last) : NM_OK;
    if (status != NM_OK) {
        return status;
    }
    if (m->whole->log.to) {
        print_json(m, m->whole->log.to);
    }
    if (m->whole->json) {
        print_json(m, NULL);
    } else {
        print_text(m, m->whole->quiet);
    }
    return NM_OK;
}

void members_close(members *m)
{
    nm_tensor_destroy(m->outputs);
    nm_free(m->context, m->result);
    nm_free(m->context, m->rows);
    nm_free(m->context, m->predicted);
}
