#include "models/command/predictions.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/clean.h"
#include "models/command/outputs.h"

static int64_t width_of(const predictions *p)
{
    return nm_tensor_count(p->outputs) / p->set.count;
}

static double output(const predictions *p, int64_t row, int64_t i)
{
    return nm_tensor_get(p->outputs, row * width_of(p) + i);
}

/* Outputs to be shown of a row: all, or the labels in front of the padding. */
static int64_t shown(const predictions *p, int64_t row)
{
    int64_t count = width_of(p);
    while (p->in_rows && count && output(p, row, count - 1) == p->padding) {
        count--;
    }
    return count;
}

static long long number_of(const predictions *p, int64_t row)
{
    return p->numbers ? p->numbers[row] : row;
}

/* Of equal probabilities the first. */
static int64_t best_class(const predictions *p, int64_t row)
{
    int64_t best = 0;
    for (int64_t i = 1; i < width_of(p); i++) {
        best = output(p, row, i) > output(p, row, best) ? i : best;
    }
    return best;
}

#define CLEAN_TEXT 512

/* ---- Lines ---- */

static void print_class(const predictions *p, int64_t row)
{
    char text[OUTPUT_NAME], clean[CLEAN_TEXT];
    int64_t best = best_class(p, row);
    const char *name = nm_schema_class_name(p->schema, best, text);
    printf("%lld: class %s, probability %.4f\n", number_of(p, row),
           nm_text_clean(name, false, clean, sizeof clean), output(p, row, best));
}

static void print_values(const predictions *p, int64_t row)
{
    const bool named = p->schema->targets > 1 && p->schema->targets == width_of(p) && !p->in_rows;
    const int64_t count = shown(p, row);
    printf("%lld:", number_of(p, row));
    for (int64_t i = 0; i < count; i++) {
        char text[32], name[OUTPUT_NAME], clean[CLEAN_TEXT];
        nm_text_clean(named ? output_name(p->schema, p->is_classifier, width_of(p), i, name) : "",
                      false, clean, sizeof clean);
        printf("%s %s%s%s", named && i ? "," : "", clean, named ? " " : "",
               format_f32(output(p, row, i), text));
    }
    putchar('\n');
}

static bool print_json(const predictions *p, int64_t row)
{
    json_line line = {0};
    json_integer(&line, "sample", number_of(p, row));
    if (p->is_classifier) {
        char text[OUTPUT_NAME];
        int64_t best = best_class(p, row);
        json_integer(&line, "class", best);
        if (p->schema->class_names) {
            json_string(&line, "name", nm_schema_class_name(p->schema, best, text));
        }
        json_number(&line, "probability", output(p, row, best));
    }
    json_numbers(&line, p->is_classifier ? "probabilities" : "outputs", p->outputs,
                 row * width_of(p), shown(p, row));
    return json_end(&line);
}

void predictions_print(const predictions *p, bool json)
{
    bool written = true;
    for (int64_t row = 0; row < p->set.count && written; row++) {
        if (json) {
            written = print_json(p, row);
        } else if (p->is_classifier) {
            print_class(p, row);
        } else {
            print_values(p, row);
        }
    }
}

/* ---- Files ---- */

static void add_number(nm_text *t, double value)
{
    char text[32];
    nm_text_add(t, ",%s", format_f32(value, text));
}

/* Columns of the table that tell its samples apart, as they stand there. */
static const char *id_of(const predictions *p, int64_t row, int i)
{
    return p->set.id_texts[number_of(p, row) * p->set.id_columns + i];
}

static const char *id_name(const predictions *p, int i)
{
    return *p->set.id_names[i] ? p->set.id_names[i] : "id";
}

static void add_csv_header(nm_text *t, const predictions *p)
{
    nm_text_add(t, "sample");
    for (int i = 0; i < p->set.id_columns; i++) {
        nm_text_add(t, ",");
        add_cell(t, id_name(p, i));
    }
    nm_text_add(t, p->is_classifier ? ",class,probability" : "");
    for (int64_t i = 0; i < width_of(p); i++) {
        char name[OUTPUT_NAME];
        nm_text_add(t, ",");
        add_cell(t, output_name(p->schema, p->is_classifier, width_of(p), i, name));
    }
    nm_text_add(t, "\n");
}

static void add_csv_row(nm_text *t, const predictions *p, int64_t row)
{
    char name[OUTPUT_NAME];
    nm_text_add(t, "%lld", number_of(p, row));
    for (int i = 0; i < p->set.id_columns; i++) {
        nm_text_add(t, ",");
        add_cell(t, id_of(p, row, i));
    }
    if (p->is_classifier) {
        int64_t best = best_class(p, row);
        nm_text_add(t, ",");
        add_cell(t, nm_schema_class_name(p->schema, best, name));
        add_number(t, output(p, row, best));
    }
    for (int64_t i = 0; i < width_of(p); i++) {
        add_number(t, output(p, row, i));
    }
    nm_text_add(t, "\n");
}

static void add_json_row(nm_text *t, const predictions *p, int64_t row)
{
    char name[OUTPUT_NAME], number[32];
    nm_text_add(t, "%s{\"sample\": %lld", row ? ",\n" : "[\n", number_of(p, row));
    for (int i = 0; i < p->set.id_columns; i++) {
        nm_text_add(t, i ? ", " : ", \"ids\": {");
        nm_text_add_quoted(t, id_name(p, i));
        nm_text_add(t, ": ");
        nm_text_add_quoted(t, id_of(p, row, i));
        nm_text_add(t, i + 1 == p->set.id_columns ? "}" : "");
    }
    if (p->is_classifier) {
        int64_t best = best_class(p, row);
        nm_text_add(t, ", \"class\": ");
        nm_text_add_quoted(t, nm_schema_class_name(p->schema, best, name));
        nm_text_add(t, ", \"probability\": %s", format_f32(output(p, row, best), number));
    }
    nm_text_add(t, ", \"outputs\": {");
    for (int64_t i = 0; i < width_of(p); i++) {
        nm_text_add(t, i ? ", " : "");
        nm_text_add_quoted(t, output_name(p->schema, p->is_classifier, width_of(p), i, name));
        nm_text_add(t, ": %s", format_f32(output(p, row, i), number));
    }
    nm_text_add(t, row == p->set.count - 1 ? "}}\n]\n" : "}}");
}

static char *make_text(const predictions *p, bool csv)
{
    nm_text text = {.context = p->context};
    if (csv) {
        add_csv_header(&text, p);
    }
    for (int64_t row = 0; row < p->set.count && !text.failed; row++) {
        (csv ? add_csv_row : add_json_row)(&text, p, row);
    }
    return nm_text_end(&text);
}

/* In small letters or large ones. */
static bool ends_with(const char *path, const char *end)
{
    size_t length = strlen(path), tail = strlen(end);
    return length >= tail && strcasecmp(path + length - tail, end) == 0;
}

nm_status predictions_write(const predictions *p, const char *path)
{
    const bool csv = ends_with(path, ".csv");
    if (!csv && !ends_with(path, ".json")) {
        return nm_npy_write(p->outputs, path);
    }
    return write_text(p->context, path, make_text(p, csv));
}
