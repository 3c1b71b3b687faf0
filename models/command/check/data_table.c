/* What samples and targets are, and what is done to them before the network sees them, as a table.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/clean.h"
#include "models/command/command.h"
#include "optim/data/schema.h"

#define MOST_ROWS 40 /* columns shown one by one; of more, the first and the last ones */
#define FIRST_ROWS 24
#define LAST_ROWS 6

#define NAME_WIDTH 32
#define KIND_WIDTH 40
#define UNIT_WIDTH 16

/* A name, or an index where there is none. */
static const char *name_of(const char *name, int64_t place, char text[NAME_WIDTH + 1])
{
    if (!*name) {
        snprintf(text, NAME_WIDTH + 1, place < 0 ? "-" : "column %lld", (long long)place);
        return text;
    }
    return nm_text_clean(name, false, text, NAME_WIDTH + 1);
}

static void print_row(const char *name, const char *kind, const char *done, int width)
{
    print_padded(name, width);
    printf("  ");
    print_padded(kind, KIND_WIDTH);
    printf("  %s\n", done);
}

/* ---- Words ---- */

#define TEXT 160

/* "a, b, c, ..." */
static void list_texts(const char *const *texts, int64_t count, char *list, size_t room)
{
    size_t length = 0;
    *list = 0;
    for (int64_t i = 0; i < count; i++) {
        char text[NAME_WIDTH + 1];
        name_of(texts[i], -1, text);
        if (length + strlen(text) + 8 > room) {
            snprintf(list + length, TEXT - length, ", ...");
            return;
        }
        length += (size_t)snprintf(list + length, TEXT - length, "%s%s", i ? ", " : "", text);
    }
}

static void kind_text(const nm_column *c, char text[TEXT])
{
    static const char *const kinds[] = {"a number", "true or false: 1 or 0",
                                        "a date: days since 1970", ""};
    static const char *const orders[] = {"", ", day first", ", month first"};
    char list[KIND_WIDTH];
    if (c->kind == NM_COLUMN_CATEGORY) {
        list_texts(c->categories, c->count, list, KIND_WIDTH - 14);
        snprintf(text, TEXT, "%d %s: %s", c->count, c->count == 1 ? "text" : "texts", list);
    } else {
        char unit[UNIT_WIDTH];
        snprintf(text, TEXT, "%s%s%s%s", kinds[c->kind], orders[c->order], c->unit ? " with " : "",
                 c->unit ? nm_text_clean(c->unit, false, unit, sizeof unit) : "");
    }
}

/* Six digits are enough to recognize a number. */
static void scaled_text(const double *mean, const double *deviation, int64_t at, char text[TEXT])
{
    if (!mean || (mean[at] == 0 && deviation[at] == 1)) {
        snprintf(text, TEXT, "as it is");
    } else if (deviation[at] == NM_NEVER_CHANGES) {
        snprintf(text, TEXT, "nothing: always %.6g where trained on", mean[at]);
    } else {
        snprintf(text, TEXT, "less %.6g, divided by %.6g", mean[at], deviation[at]);
    }
}

/* Of a category, whose texts have an element each. */
static void elements_text(const nm_schema *s, const nm_column *c, int64_t at, char text[TEXT])
{
    int never = 0;
    for (int i = 0; s->deviation && i < c->count; i++) {
        never += s->deviation[at + i] == NM_NEVER_CHANGES;
    }
    const int length = snprintf(text, TEXT, "an element each, 1 or 0");
    if (never) {
        snprintf(text + length, TEXT - (size_t)length,
                 "; nothing of %d in all or none of the rows trained on", never);
    }
}

static void done_text(const nm_schema *s, const nm_column *c, int64_t at, char text[TEXT])
{
    if (c->kind == NM_COLUMN_CATEGORY) {
        elements_text(s, c, at, text);
    } else {
        scaled_text(s->mean, s->deviation, at, text);
    }
    const size_t length = strlen(text);
    if (!isnan(c->fill)) {
        snprintf(text + length, TEXT - length,
                 c->kind == NM_COLUMN_CATEGORY ? "; missing: none" : "; missing: %.6g", c->fill);
    }
}

/* ---- The sample ---- */

static bool is_shown(int64_t index, int64_t count)
{
    return count <= MOST_ROWS || index < FIRST_ROWS || index >= count - LAST_ROWS;
}

static void print_gap(int64_t index, int64_t count)
{
    if (count > MOST_ROWS && index == FIRST_ROWS) {
        printf("... and %lld more ...\n", (long long)(count - FIRST_ROWS - LAST_ROWS));
    }
}

static void print_columns(const nm_schema *s, int width)
{
    int64_t at = 0;
    for (int i = 0; i < s->columns; i++) {
        const nm_column *c = &s->column[i];
        char name[NAME_WIDTH + 1], kind[TEXT], done[TEXT];
        print_gap(i, s->columns);
        if (is_shown(i, s->columns)) {
            kind_text(c, kind);
            done_text(s, c, at, done);
            print_row(name_of(c->name, c->place, name), kind, done, width);
        }
        at += c->kind == NM_COLUMN_CATEGORY ? c->count : 1;
    }
    for (int i = 0; i < s->unused; i++) {
        char name[NAME_WIDTH + 1];
        print_gap(i, s->unused);
        if (is_shown(i, s->unused)) {
            print_row(name_of(s->unused_column[i].name, s->unused_column[i].place, name),
                      "not used", s->unused_column[i].why, width);
        }
    }
}

/* Of what is no table. */
static void print_sample(const nm_schema *s, int width)
{
    char shape[NM_SHAPE_TEXT], kind[TEXT], done[TEXT];
    snprintf(kind, sizeof kind, "%s%s", nm_shape_text(&s->shape, shape), s->bytes ? ", bytes" : "");
    if (s->scale != 1) {
        snprintf(done, sizeof done, "times %.6g%s", s->scale,
                 s->mean ? ", less a mean, divided by a deviation" : "");
    } else if (s->channels == 1) {
        scaled_text(s->mean, s->deviation, 0, done);
    } else {
        snprintf(done, sizeof done, "%s",
                 s->mean ? "less a mean, divided by a deviation, each channel" : "as it is");
    }
    print_row("sample", kind, done, width);
}

/* ---- The target ---- */

static const char *target_name(const nm_schema *s, int64_t i, char text[NAME_WIDTH + 1])
{
    const bool known = i < s->target_columns;
    if (known && (*s->target_column[i].name || s->target_column[i].place >= 0)) {
        return name_of(s->target_column[i].name, s->target_column[i].place, text);
    }
    return "target";
}

static void print_target(const nm_schema *s, int width)
{
    char name[NAME_WIDTH + 1], kind[TEXT], done[TEXT] = "";
    const int64_t values = nm_shape_count(&s->target_shape);
    if (s->classes) {
        snprintf(kind, sizeof kind, "target: %lld class%s", (long long)s->classes,
                 s->classes == 1 ? "" : "es");
        if (s->class_names) {
            list_texts(s->class_names, s->classes, done, TEXT - 10);
        }
        print_row(target_name(s, 0, name), kind, done, width);
        return;
    }
    for (int64_t i = 0; i < values; i++) {
        print_gap(i, values);
        if (is_shown(i, values)) {
            const char *unit = i < s->target_columns ? s->target_column[i].unit : NULL;
            char clean[UNIT_WIDTH];
            snprintf(kind, sizeof kind, "target: a number%s%s", unit ? " with " : "",
                     unit ? nm_text_clean(unit, false, clean, sizeof clean) : "");
            scaled_text(s->target_mean, s->target_deviation, i, done);
            print_row(target_name(s, i, name), kind, done, width);
        }
    }
}

/* ---- Both ---- */

static int longest_name(const nm_schema *s)
{
    char name[NAME_WIDTH + 1];
    int width = 6;
    for (int i = 0; i < s->columns + s->unused + s->target_columns; i++) {
        const int unused = i - s->columns, target = unused - s->unused;
        const int length = text_width(
            unused < 0 ? name_of(s->column[i].name, s->column[i].place, name)
            : target < 0
                ? name_of(s->unused_column[unused].name, s->unused_column[unused].place, name)
                : name_of(s->target_column[target].name, s->target_column[target].place, name));
        width = length > width ? length : width;
    }
    return width;
}

void print_data_table(const nm_schema *schema)
{
    const int width = longest_name(schema);
    fputs(bold(), stdout);
    print_row("column", "what it is", "what the network gets", width);
    fputs(plain(), stdout);
    if (schema->columns) {
        print_columns(schema, width);
    } else {
        print_sample(schema, width);
    }
    if (schema->classes || schema->target_shape.rank) {
        print_target(schema, width);
    }
}
