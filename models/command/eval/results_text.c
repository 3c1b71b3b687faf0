/* Results as tables for a person. Of many classes or values those that are worst are shown. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "models/command/eval/results.h"
#include "models/command/outputs.h"

#define MOST_ROWS 40 /* of more, the WORST_ROWS worst ones */
#define WORST_ROWS 30
#define MOST_COLUMNS 20 /* of a matrix; of more classes, the pairs */
#define LINE_WIDTH 100
#define PAIRS 10

/* ---- Names ---- */

#define LABEL_BYTES 49

/* A class or a value as a table has it. */
static const char *name_of(const results *r, int64_t i, char text[LABEL_BYTES])
{
    char memory[OUTPUT_NAME];
    const char *name = output_name(r->schema, r->of_classes, r->width, i, memory);
    if (!r->of_classes && r->width == 1 && name == memory) {
        name = "target";
    }
    return nm_text_clean(name, false, text, LABEL_BYTES);
}

static int widest(const results *r, const int64_t *rows, int count, const char *head)
{
    char text[LABEL_BYTES];
    int width = text_width(head);
    for (int i = 0; i < count; i++) {
        const int length = text_width(name_of(r, rows[i], text));
        width = length > width ? length : width;
    }
    return width;
}

static void print_number(double value, const char *format, int width)
{
    char text[64];
    snprintf(text, sizeof text, format, value);
    print_padded(isnan(value) ? "-" : text, -width);
}

/* ---- Which rows ---- */

/* All in their order, or of too many the WORST_ROWS lowest by the measure; returns how many. */
static int choose_rows(const results *r, measure which, int64_t rows[MOST_ROWS])
{
    int count = 0;
    if (r->width <= MOST_ROWS) {
        for (int64_t i = 0; i < r->width; i++) {
            rows[count++] = i;
        }
        return count;
    }
    const nm_metric *metric = &r->metric[which];
    for (int64_t i = 0; i < r->width; i++) {
        const double value = nm_metric_part(metric, i);
        int at = count < WORST_ROWS ? count : WORST_ROWS - 1;
        if (isnan(value) ||
            (count == WORST_ROWS && nm_metric_part(metric, rows[WORST_ROWS - 1]) <= value)) {
            continue;
        }
        for (; at > 0 && nm_metric_part(metric, rows[at - 1]) > value; at--) {
            rows[at] = rows[at - 1];
        }
        rows[at] = i;
        count += count < WORST_ROWS;
    }
    return count;
}

static void tell_rows(const results *r, int count, const char *what, const char *by)
{
    if (r->width > MOST_ROWS) {
        printf("(%d of %lld %s, those of the lowest %s; --json has all)\n", count,
               (long long)r->width, what, by);
    }
}

/* ---- Classes ---- */

static void print_class_row(const char *name, int width, double precision, double recall, double f1,
                            int64_t samples)
{
    print_padded(name, width);
    print_number(precision, "%.4f", 11);
    print_number(recall, "%.4f", 9);
    print_number(f1, "%.4f", 9);
    printf("  %8lld\n", (long long)samples);
}

static void print_classes(const results *r)
{
    int64_t rows[MOST_ROWS];
    const nm_metric *m = r->metric;
    const int count = choose_rows(r, F1, rows), width = widest(r, rows, count, "weighted average");
    fputs(bold(), stdout);
    print_padded("class", width);
    printf("%11s%9s%9s  %8s%s\n", "precision", "recall", "F1", "samples", plain());
    for (int i = 0; i < count; i++) {
        char text[LABEL_BYTES];
        print_class_row(name_of(r, rows[i], text), width, nm_metric_part(&m[PRECISION], rows[i]),
                        nm_metric_part(&m[RECALL], rows[i]), nm_metric_part(&m[F1], rows[i]),
                        samples_of_class(r, rows[i]));
    }
    print_class_row("macro average", width, nm_metric_value(&m[PRECISION]),
                    nm_metric_value(&m[RECALL]), nm_metric_value(&m[F1]), m[F1].state.samples);
    print_class_row("weighted average", width, weighted_average(r, PRECISION),
                    weighted_average(r, RECALL), weighted_average(r, F1), m[F1].state.samples);
    tell_rows(r, count, "classes", "F1");
}

/* ---- Which are taken for which ---- */

static int64_t cell(const results *r, int64_t i, int64_t k)
{
    return (int64_t)nm_metric_confused(&r->metric[CONFUSION], i, k);
}

/* How wide the columns of a matrix are, with names as heads or numbers of classes. */
static int columns_width(const results *r, bool by_name, int width[MOST_COLUMNS])
{
    int sum = 0;
    for (int64_t k = 0; k < r->width; k++) {
        char text[LABEL_BYTES];
        int most = by_name ? text_width(name_of(r, k, text)) : 2;
        for (int64_t i = 0; i < r->width; i++) {
            const int digits = snprintf(text, sizeof text, "%lld", (long long)cell(r, i, k));
            most = digits > most ? digits : most;
        }
        width[k] = most;
        sum += most + 2;
    }
    return sum;
}

static bool has_names(const results *r)
{
    return r->schema && r->schema->class_names;
}

/* "3 dress" where columns have the number alone. */
static const char *row_name(const results *r, int64_t i, bool by_name, char text[LABEL_BYTES + 8])
{
    char name[LABEL_BYTES];
    name_of(r, i, name);
    snprintf(text, LABEL_BYTES + 8, by_name || !has_names(r) ? "%.0s%s" : "%s %s",
             nm_format_float((double)i, (char[32]){0}), name);
    return text;
}

static void print_matrix(const results *r, int names, bool by_name, const int *width)
{
    char text[LABEL_BYTES + 8];
    printf("\n%s", bold());
    print_padded("samples of", names);
    printf("  predicted as%s\n", plain());
    print_padded("", names);
    for (int64_t k = 0; k < r->width; k++) {
        char head[LABEL_BYTES];
        snprintf(head, sizeof head, "%lld", (long long)k);
        print_padded(by_name ? name_of(r, k, head) : head, -width[k] - 2);
    }
    putchar('\n');
    for (int64_t i = 0; i < r->width; i++) {
        print_padded(row_name(r, i, by_name, text), names);
        for (int64_t k = 0; k < r->width; k++) {
            printf("%*lld", width[k] + 2, (long long)cell(r, i, k));
        }
        putchar('\n');
    }
}

static int names_width(const results *r, bool by_name)
{
    char text[LABEL_BYTES + 8];
    int width = text_width("samples of");
    for (int64_t i = 0; i < r->width; i++) {
        const int length = text_width(row_name(r, i, by_name, text));
        width = length > width ? length : width;
    }
    return width;
}

/* By the names of the classes, where these fit, else by their numbers. False: neither does. */
static bool print_fitting_matrix(const results *r)
{
    int width[MOST_COLUMNS];
    for (int numbers = 0; r->width <= MOST_COLUMNS && numbers < 2; numbers++) {
        const int names = names_width(r, !numbers);
        if (names + columns_width(r, !numbers, width) <= LINE_WIDTH) {
            print_matrix(r, names, !numbers, width);
            return true;
        }
    }
    return false;
}

static void print_pairs(const results *r)
{
    if (!has_matrix(r)) {
        printf("\nOf more than %d classes no confusion matrix is kept.\n", MOST_CONFUSED);
        return;
    }
    confused pairs[PAIRS];
    char text[LABEL_BYTES];
    const int count = find_confused(r, pairs, PAIRS);
    int width = text_width("samples of");
    for (int i = 0; i < count; i++) {
        const int length = text_width(name_of(r, pairs[i].actual, text));
        width = length > width ? length : width;
    }
    printf("\nOf %lld classes, the pairs that are confused most (--json, or --out FILE: the whole "
           "matrix)%s\n",
           (long long)r->width, count ? ":" : ": there are none");
    for (int i = 0; i < count; i++) {
        const int64_t of_class = samples_of_class(r, pairs[i].actual);
        print_padded(name_of(r, pairs[i].actual, text), width);
        printf("  %6lld of %lld  predicted as %s\n", (long long)pairs[i].samples,
               (long long)of_class, name_of(r, pairs[i].predicted, text));
    }
}

/* ---- Whether probabilities mean what they say ---- */

static void print_reliability(const results *r, double temperature)
{
    const nm_metric *metric = &r->metric[CALIBRATION];
    printf("\nexpected calibration error %.4f", nm_metric_value(metric));
    printf(temperature == 1 ? "\n" : ", with the temperature %.4g\n", temperature);
    printf("%s%-13s  %8s  %10s  %8s%s\n", bold(), "confidence", "samples", "mean", "accuracy",
           plain());
    for (int i = 0; i < NM_RELIABILITY_BINS; i++) {
        const nm_reliability_bin bin = nm_metric_reliability(metric, i);
        if (bin.samples) {
            printf("%.3f - %.3f  %8lld  %10.4f  %8.4f\n", bin.from, bin.to, (long long)bin.samples,
                   bin.confidence, bin.accuracy);
        }
    }
}

/* ---- Values ---- */

static void print_value_row(const char *name, int width, double r2, double absolute, double squared)
{
    print_padded(name, width);
    print_number(r2, "%.4f", 10);
    print_number(absolute, "%.5g", 21);
    print_number(squared, "%.5g", 25);
    putchar('\n');
}

static void print_values(const results *r)
{
    int64_t rows[MOST_ROWS];
    const nm_metric *m = r->metric;
    const int count = choose_rows(r, R2, rows), width = widest(r, rows, count, "target");
    fputs(bold(), stdout);
    print_padded("target", width);
    printf("%10s%21s%25s%s\n", "R2", "mean absolute error", "root mean squared error", plain());
    for (int i = 0; i < count; i++) {
        char text[LABEL_BYTES];
        print_value_row(name_of(r, rows[i], text), width, nm_metric_part(&m[R2], rows[i]),
                        nm_metric_part(&m[ABSOLUTE], rows[i]),
                        nm_metric_part(&m[SQUARED], rows[i]));
    }
    if (r->width > 1) {
        print_value_row("mean", width, nm_metric_value(&m[R2]), nm_metric_value(&m[ABSOLUTE]),
                        nm_metric_value(&m[SQUARED]));
    }
    tell_rows(r, count, "targets", "R2");
}

void print_results(const results *r, double temperature)
{
    if (!r->begun) {
        return;
    }
    putchar('\n');
    if (!r->of_classes) {
        print_values(r);
        return;
    }
    print_classes(r);
    if (!print_fitting_matrix(r)) {
        print_pairs(r);
    }
    print_reliability(r, temperature);
}
