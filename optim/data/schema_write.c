#include "optim/data/schema_write.h"

#include <math.h>

static void add_shape(nm_text *t, const nm_shape *shape)
{
    char text[NM_SHAPE_TEXT];
    nm_text_add(t, "%s", nm_shape_text(shape, text));
}

static void add_numbers(nm_text *t, const char *name, const double *numbers, int64_t count)
{
    if (!numbers) {
        return;
    }
    nm_text_add(t, ", %s: [", name);
    for (int64_t i = 0; i < count; i++) {
        nm_text_add(t, i ? ", " : "");
        nm_text_add_float(t, numbers[i]);
    }
    nm_text_add(t, "]");
}

static void add_texts(nm_text *t, const char *name, const char *const *texts, int64_t count)
{
    if (!texts || !count) {
        return;
    }
    nm_text_add(t, ", %s: [", name);
    for (int64_t i = 0; i < count; i++) {
        nm_text_add(t, i ? ", " : "");
        nm_text_add_quoted(t, texts[i]);
    }
    nm_text_add(t, "]");
}

static void add_place(nm_text *t, int64_t place)
{
    if (place >= 0) {
        nm_text_add(t, ", place: %lld", (long long)place);
    }
}

static void add_column(nm_text *t, const nm_column *column)
{
    nm_text_add(t, "{name: ");
    nm_text_add_quoted(t, column->name);
    add_place(t, column->place);
    nm_text_add(t, ", kind: %s", nm_column_kind_names[column->kind]);
    if (column->order != NM_DATE_YEAR_FIRST) {
        nm_text_add(t, ", order: %s",
                    column->order == NM_DATE_DAY_FIRST ? "day_first" : "month_first");
    }
    if (column->unit) {
        nm_text_add(t, ", unit: ");
        nm_text_add_quoted(t, column->unit);
    }
    if (!isnan(column->fill)) {
        nm_text_add(t, ", fill: ");
        nm_text_add_float(t, column->fill);
    }
    add_texts(t, "categories", column->categories, column->count);
    nm_text_add(t, "}");
}

static void add_columns(nm_text *t, const nm_column *columns, int count)
{
    for (int i = 0; i < count; i++) {
        nm_text_add(t, i ? ", " : ", columns: [");
        add_column(t, &columns[i]);
    }
    nm_text_add(t, count ? "]" : "");
}

static void add_unused(nm_text *t, const nm_schema *s)
{
    for (int i = 0; i < s->unused; i++) {
        const nm_unused_column *column = &s->unused_column[i];
        nm_text_add(t, i ? ", {name: " : ", unused: [{name: ");
        nm_text_add_quoted(t, column->name);
        add_place(t, column->place);
        nm_text_add(t, ", why: ");
        nm_text_add_quoted(t, column->why);
        nm_text_add(t, column->is_id ? ", id: true}" : "}");
    }
    nm_text_add(t, s->unused ? "]" : "");
}

void nm_schema_write(const nm_schema *s, nm_text *t)
{
    nm_text_add(t, "sample: {shape: ");
    add_shape(t, &s->shape);
    nm_text_add(t, "%s, scale: ", s->bytes ? ", bytes: true" : "");
    nm_text_add_float(t, s->scale);
    add_numbers(t, "mean", s->mean, s->channels);
    add_numbers(t, "deviation", s->deviation, s->channels);
    add_columns(t, s->column, s->columns);
    if (s->places) {
        nm_text_add(t, ", places: %lld", (long long)s->places);
    }
    add_unused(t, s);
    nm_text_add(t, "}\ntarget: {shape: ");
    add_shape(t, &s->target_shape);
    nm_text_add(t, ", classes: %lld", (long long)s->classes);
    add_texts(t, "names", s->classes ? s->class_names : s->target_names,
              s->classes ? s->classes : s->targets);
    add_numbers(t, "mean", s->target_mean, s->target_channels);
    add_numbers(t, "deviation", s->target_deviation, s->target_channels);
    add_columns(t, s->target_column, s->target_columns);
    nm_text_add(t, "}\n");
}
