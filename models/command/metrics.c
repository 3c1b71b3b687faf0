/* Metrics as text and JSON, the same wherever a command tells them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"

/* Shares of samples are told in percent. */
static bool is_share(const char *name)
{
    const char *end = strstr(name, "accuracy");
    return end && strcmp(end, "accuracy") == 0;
}

/* `rows` 0: without intervals. */
char *describe_results(char *text, size_t size, const nm_choices *metrics, const double *values,
                       int64_t rows)
{
    size_t length = 0;
    text[0] = 0;
    for (int i = 0; i < metrics->count; i++) {
        char name[64], interval[SCORE_TEXT];
        nm_metric_label(&metrics->at[i], name);
        if (isnan(values[i]) || length >= size) {
            continue;
        }
        describe_interval(interval, &metrics->at[i], values[i], rows);
        int added = is_share(name)
                        ? snprintf(text + length, size - length, ", %s %.2f %%%s", name,
                                   100 * values[i], interval)
                        : snprintf(text + length, size - length, ", %s %.4g", name, values[i]);
        length += added > 0 ? (size_t)added : 0;
    }
    return text;
}

char *describe_metrics(char *text, size_t size, const nm_choices *metrics, const double *values)
{
    return describe_results(text, size, metrics, values, 0);
}

char *describe_interval(char text[SCORE_TEXT], const nm_choice *metric, double value, int64_t rows)
{
    const bool share = metric && nm_metric_type_of(metric)->is_share;
    const nm_interval i = nm_wilson_interval(value, rows);
    text[0] = 0;
    if (share && rows && !isnan(i.low)) {
        snprintf(text, SCORE_TEXT, " (95 %% interval %.1f to %.1f, %lld row%s)", 100 * i.low,
                 100 * i.high, (long long)rows, rows == 1 ? "" : "s");
    }
    return text;
}

void print_few(const nm_choices *metrics, int64_t rows)
{
    bool share = false;
    for (int i = 0; i < metrics->count; i++) {
        share |= nm_metric_type_of(&metrics->at[i])->is_share;
    }
    if (share && rows > 0 && rows < NM_FEW_SAMPLES) {
        printf("%lld %s few: measured on many more like them, the share could be anywhere in "
               "the interval\n",
               (long long)rows, rows == 1 ? "row is" : "rows are");
    }
}

char *describe_score(char text[SCORE_TEXT], const nm_choice *metric, double value)
{
    if (metric && is_share(metric->item->name)) {
        snprintf(text, SCORE_TEXT, "%.2f %%", 100 * value);
    } else {
        snprintf(text, SCORE_TEXT, metric ? "%.4g" : "%.4f", value);
    }
    return text;
}

char *describe_gap(char text[SCORE_TEXT], const nm_choice *metric, double from, double to)
{
    const bool share = metric && is_share(metric->item->name);
    const double gap = fabs(to - from) * (share ? 100 : 1);
    if (from == to) {
        snprintf(text, SCORE_TEXT, "the same");
    } else {
        snprintf(text, SCORE_TEXT, share ? "%.2f points %s" : "%.4g %s", gap,
                 to < from ? "lower" : "higher");
    }
    return text;
}

void json_metrics(json_line *line, const char *prefix, const nm_choices *metrics,
                  const double *values)
{
    char name[64], key[128];
    for (int i = 0; i < metrics->count; i++) {
        snprintf(key, sizeof key, "%s%s", prefix, nm_metric_label(&metrics->at[i], name));
        json_number(line, key, values[i]);
    }
}

void json_intervals(json_line *line, const char *prefix, const nm_choices *metrics,
                    const double *values, int64_t rows)
{
    char name[64], key[128];
    for (int i = 0; i < metrics->count; i++) {
        const nm_interval interval = nm_wilson_interval(values[i], rows);
        if (nm_metric_type_of(&metrics->at[i])->is_share) {
            nm_metric_label(&metrics->at[i], name);
            snprintf(key, sizeof key, "%s%s_low", prefix, name);
            json_number(line, key, interval.low);
            snprintf(key, sizeof key, "%s%s_high", prefix, name);
            json_number(line, key, interval.high);
        }
    }
}

char *describe_baseline(char text[BASELINE_TEXT], const char *name, const nm_choices *metrics,
                        const nm_evaluation *guess)
{
    const bool by_metric = metrics->count && !isnan(guess->metric);
    text[0] = 0;
    if (guess->samples && by_metric && is_share(metrics->at[0].item->name)) {
        snprintf(text, BASELINE_TEXT, " (%s: %.2f %%)", name, 100 * guess->metric);
    } else if (guess->samples) {
        const double value = by_metric ? guess->metric : guess->loss;
        const bool is_rest = fabs(value) < 1e-12; /* of rounding: the mean's r2 is 0 */
        snprintf(text, BASELINE_TEXT, " (%s: %.4g)", name, is_rest ? 0 : value);
    }
    return text;
}

void json_baseline(json_line *line, const char *prefix, const nm_choices *metrics,
                   const nm_evaluation *guess)
{
    char key[64];
    if (guess->samples) {
        snprintf(key, sizeof key, "%sbaseline_loss", prefix);
        json_number(line, key, guess->loss);
        snprintf(key, sizeof key, "%sbaseline_", prefix);
        json_metrics(line, key, metrics, guess->metrics);
    }
}

bool has_metric(const nm_choices *metrics, const char *name)
{
    for (int i = 0; i < metrics->count; i++) {
        if (strcmp(metrics->at[i].item->name, name) == 0) {
            return true;
        }
    }
    return false;
}
