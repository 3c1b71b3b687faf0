/* What runs have measured, read from their folders: log.jsonl and probes.jsonl. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/command/study/study.h"
#include "models/command/train/log_line.h"

/* ---- Lines ---- */

/* The text behind `"key": ` of a line that was written by norma; NULL: it has no such key. */
static const char *behind(const char *line, const char *key)
{
    char mark[160];
    snprintf(mark, sizeof mark, "\"%s\": ", key);
    const char *at = strstr(line, mark);
    return at ? at + strlen(mark) : NULL;
}

static bool has_text(const char *line, const char *key, const char *text)
{
    const char *at = behind(line, key);
    const size_t length = strlen(text);
    return at && at[0] == '"' && strncmp(at + 1, text, length) == 0 && at[1 + length] == '"';
}

/* NaN where there is none; null, which stands for what is not finite, is infinite. */
static double number_of(const char *line, const char *key)
{
    const char *at = behind(line, key);
    char text[64];
    double value = NAN;
    if (!at) {
        return NAN;
    }
    const size_t length = strcspn(at, ",}");
    if (length >= sizeof text) {
        return NAN;
    }
    memcpy(text, at, length);
    text[length] = 0;
    return strcmp(text, "null") == 0 ? INFINITY : nm_parse_float(text, &value) ? value : NAN;
}

static bool is_of(const measure *m, const char *line)
{
    if (m->history) {
        return strstr(line, "\"event\": \"epoch\"") != NULL;
    }
    return has_text(line, "probe", m->probe) &&
           (m->layer ? has_text(line, "layer", m->layer) : !behind(line, "layer"));
}

/* ---- Curves ---- */

typedef struct curve {
    nm_context *context;
    const measure *measure;
    int count, room;
    double *pairs; /* [count, 2]: step, value */
} curve;

static void add(curve *c, double step, double value)
{
    if (c->count == c->room) {
        const int room = 2 * c->room + 64;
        double *pairs = nm_alloc_zero(c->context, (size_t)room, 2 * sizeof *pairs);
        if (!pairs) {
            return;
        }
        if (c->count) {
            memcpy(pairs, c->pairs, (size_t)c->count * 2 * sizeof *pairs);
        }
        nm_free(c->context, c->pairs);
        c->pairs = pairs;
        c->room = room;
    }
    c->pairs[2 * c->count] = step;
    c->pairs[2 * c->count + 1] = value;
    c->count++;
}

static void take_value(void *user, const char *line)
{
    curve *c = user;
    const measure *m = c->measure;
    const double value =
        is_of(m, line) ? number_of(line, m->history ? m->history : m->value) : (double)NAN;
    if (!isnan(value)) {
        add(c, number_of(line, m->by ? m->by : "step"), value);
    }
}

double *study_curve(const study *s, const arm *a, int64_t seed, const measure *m, int *count)
{
    char folder[RUN_PATH], path[RUN_PATH];
    curve c = {.context = s->context, .measure = m};
    if (study_run_path(s, a, seed, folder) == NM_OK &&
        path_join(path, folder, m->history ? "log.jsonl" : "probes.jsonl")) {
        log_lines_of(s->context, path, take_value, &c);
    }
    *count = c.count;
    return c.pairs;
}

/* ---- One number of a run ---- */

static double reach(const measure *m, const double *pairs, int count)
{
    for (int i = 0; i < count; i++) {
        if (pairs[2 * i + 1] >= m->level) {
            return pairs[2 * i];
        }
    }
    return NAN;
}

/* Below 0 where it only rises. */
static double largest_fall(const double *pairs, int count)
{
    double most = count > 1 ? -INFINITY : (double)NAN;
    for (int i = 1; i < count; i++) {
        most = fmax(most, pairs[2 * i - 1] - pairs[2 * i + 1]);
    }
    return most;
}

static double take(const measure *m, const double *pairs, int count)
{
    double sum = 0, least = INFINITY, most = -INFINITY;
    for (int i = 0; i < count; i++) {
        const double value = pairs[2 * i + 1];
        sum += value / count;
        least = fmin(least, value);
        most = fmax(most, value);
    }
    switch ((measure_take)m->take) {
    case TAKE_FIRST: return pairs[1];
    case TAKE_MEAN: return sum;
    case TAKE_LEAST: return least;
    case TAKE_MOST: return most;
    case TAKE_FALL: return largest_fall(pairs, count);
    case TAKE_REACH: return reach(m, pairs, count);
    case TAKE_LAST: break;
    }
    return pairs[2 * count - 1];
}

static void look_for_divergence(void *user, const char *line)
{
    bool *found = user;
    *found = strstr(line, "\"diverged\": true") != NULL;
}

/* By its last line. */
static bool diverged(const study *s, const arm *a, int64_t seed)
{
    char folder[RUN_PATH], path[RUN_PATH];
    bool found = false;
    if (study_run_path(s, a, seed, folder) == NM_OK && path_join(path, folder, "log.jsonl")) {
        log_lines_of(s->context, path, look_for_divergence, &found);
    }
    return found;
}

static int drop_early(const measure *m, double *pairs, int count)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        if (pairs[2 * i] >= (double)m->after) {
            pairs[2 * kept] = pairs[2 * i];
            pairs[2 * kept++ + 1] = pairs[2 * i + 1];
        }
    }
    return kept;
}

/* A run that diverged has no last value: what it had before would be better than it is. Its first
 * one is as good as any. */
static double measure_run(const study *s, const arm *a, int64_t seed, const measure *m)
{
    int count;
    if (m->saved) {
        return diverged(s, a, seed) ? m->otherwise : study_measure_saved(s, a, seed);
    }
    double *pairs = study_curve(s, a, seed, m, &count);
    double value = NAN;
    count = drop_early(m, pairs, count);
    if (count && (m->take == TAKE_FIRST || !diverged(s, a, seed))) {
        value = take(m, pairs, count);
    }
    nm_free(s->context, pairs);
    return isfinite(value) ? value : m->otherwise;
}

double *study_values(const study *s, const arm *a, int index)
{
    return a->values + index * s->seeds;
}

nm_status study_measure(study *s)
{
    for (int i = 0; i < s->arm_count; i++) {
        arm *a = &s->arms[i];
        a->values =
            nm_alloc_zero(s->context, (size_t)(s->measure_count * s->seeds) + 1, sizeof *a->values);
        for (int m = 0; a->values && m < s->measure_count; m++) {
            for (int64_t seed = 1; seed <= s->seeds; seed++) {
                study_values(s, a, m)[seed - 1] = measure_run(s, a, seed, &s->measures[m]);
            }
        }
    }
    return nm_context_status(s->context);
}
