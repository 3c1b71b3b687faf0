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

static void add_column(nm_text *t, const nm_column *column)
{
    nm_text_add(t, "{name: ");
    nm_text_add_quoted(t, column->name);
    nm_text_add(t, ", kind: %s", nm_column_kind_names[column->kind]);
    if (!isnan(column->fill)) {
        nm_text_add(t, ", fill: ");
        nm_text_add_float(t, column->fill);
    }
    add_texts(t, "categories", column->categories, column->count);
    nm_text_add(t, "}");
}

static void add_columns(nm_text *t, const nm_schema *s)
{
    if (!s->columns) {
        return;
    }
    nm_text_add(t, ", columns: [");
    for (int i = 0; i < s->columns; i++) {
        nm_text_add(t, i ? ", " : "");
        add_column(t, &s->column[i]);
    }
    nm_text_add(t, "]");
}

void nm_schema_write(const nm_schema *s, nm_text *t)
{
    nm_text_add(t, "sample: {shape: ");
    add_shape(t, &s->shape);
    nm_text_add(t, "%s, scale: ", s->bytes ? ", bytes: true" : "");
    nm_text_add_float(t, s->scale);
    add_numbers(t, "mean", s->mean, s->channels);
    add_numbers(t, "deviation", s->deviation, s->channels);
    add_columns(t, s);
    nm_text_add(t, "}\ntarget: {shape: ");
    add_shape(t, &s->target_shape);
    nm_text_add(t, ", classes: %lld", (long long)s->classes);
    add_texts(t, "names", s->classes ? s->class_names : s->target_names,
              s->classes ? s->classes : s->targets);
    add_numbers(t, "mean", s->target_mean, s->target_channels);
    add_numbers(t, "deviation", s->target_deviation, s->target_channels);
    nm_text_add(t, "}\n");
}
