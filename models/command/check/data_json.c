/* What samples and targets are, and what is done to them, as JSON lines. */
#include <math.h>

#include "models/command/command.h"
#include "optim/data/schema.h"

/* A name, null where there is none, and its index in the table. */
static json_line begin_column(const char *name, int64_t place, const char *use)
{
    json_line line = {0};
    json_string(&line, "column", *name ? name : NULL);
    json_number(&line, "place", place < 0 ? NAN : (double)place);
    json_string(&line, "use", use);
    return line;
}

/* null where numbers stay as they are. */
static void add_scaling(json_line *line, const double *mean, const double *deviation, int64_t at)
{
    json_number(line, "mean", mean ? mean[at] : NAN);
    json_number(line, "deviation", mean ? deviation[at] : NAN);
}

static bool print_column(const nm_schema *s, const nm_column *c, int64_t at)
{
    static const char *const kinds[] = {"number", "flag", "date", "category"};
    static const char *const orders[] = {"year_first", "day_first", "month_first"};
    json_line line = begin_column(c->name, c->place, "input");
    json_string(&line, "kind", kinds[c->kind]);
    if (c->kind == NM_COLUMN_CATEGORY) {
        json_strings(&line, "categories", c->categories, c->count);
        json_bool(&line, "fills_missing", !isnan(c->fill));
        return json_end(&line);
    }
    if (c->kind == NM_COLUMN_DATE) {
        json_string(&line, "order", orders[c->order]);
    }
    if (c->unit) {
        json_string(&line, "unit", c->unit);
    }
    add_scaling(&line, s->mean, s->deviation, at);
    json_bool(&line, "fills_missing", !isnan(c->fill));
    json_number(&line, "missing", c->fill);
    return json_end(&line);
}

static bool print_columns(const nm_schema *s)
{
    bool written = true;
    int64_t at = 0;
    for (int i = 0; i < s->columns && written; i++) {
        written = print_column(s, &s->column[i], at);
        at += s->column[i].kind == NM_COLUMN_CATEGORY ? s->column[i].count : 1;
    }
    for (int i = 0; i < s->unused && written; i++) {
        const nm_unused_column *c = &s->unused_column[i];
        json_line line = begin_column(c->name, c->place, "none");
        json_string(&line, "why", c->why);
        json_bool(&line, "is_id", c->is_id);
        written = json_end(&line);
    }
    return written;
}

/* Of what is no table. */
static bool print_sample(const nm_schema *s)
{
    json_line line = {0};
    json_shape(&line, "sample", &s->shape);
    json_bool(&line, "bytes", s->bytes);
    json_number(&line, "scale", s->scale);
    json_doubles(&line, "mean", s->mean, s->mean ? s->channels : 0);
    json_doubles(&line, "deviation", s->deviation, s->deviation ? s->channels : 0);
    return json_end(&line);
}

static json_line begin_target(const nm_schema *s, int64_t i)
{
    const bool known = i < s->target_columns;
    const char *name = known ? s->target_column[i].name : i < s->targets ? s->target_names[i] : "";
    return begin_column(name, known ? s->target_column[i].place : -1, "target");
}

static bool print_targets(const nm_schema *s)
{
    bool written = true;
    if (s->classes) {
        json_line line = begin_target(s, 0);
        json_string(&line, "kind", "class");
        json_integer(&line, "classes", s->classes);
        json_strings(&line, "names", s->class_names, s->class_names ? s->classes : 0);
        return json_end(&line);
    }
    const int64_t values = s->target_shape.rank ? nm_shape_count(&s->target_shape) : 0;
    for (int64_t i = 0; i < values && written; i++) {
        json_line line = begin_target(s, i);
        json_string(&line, "kind", "number");
        if (i < s->target_columns && s->target_column[i].unit) {
            json_string(&line, "unit", s->target_column[i].unit);
        }
        add_scaling(&line, s->target_mean, s->target_deviation, i);
        written = json_end(&line);
    }
    return written;
}

bool print_data_json(const nm_schema *s)
{
    return (s->columns ? print_columns(s) : print_sample(s)) && print_targets(s);
}
