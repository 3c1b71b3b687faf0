/* A schema's memory, and its way from a saved network's text. The way to it is schema_write.c. */
#include "optim/data/schema.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/op.h"

/* ---- Memory ---- */

struct nm_schema_chunk {
    nm_schema_chunk *next;
    _Alignas(16) unsigned char bytes[];
};

nm_schema *nm_schema_create(nm_context *context)
{
    nm_schema *schema = nm_alloc_zero(context, 1, sizeof *schema);
    if (schema) {
        *schema = (nm_schema){.context = context, .scale = 1};
    }
    return schema;
}

void nm_schema_destroy(nm_schema *schema)
{
    while (schema && schema->chunks) {
        nm_schema_chunk *chunk = schema->chunks;
        schema->chunks = chunk->next;
        nm_free(schema->context, chunk);
    }
    if (schema) {
        nm_free(schema->context, schema);
    }
}

void *nm_schema_alloc(nm_schema *schema, size_t count, size_t size)
{
    NM_GIVEN(schema, NULL);
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2) {
        nm_fail(schema->context, NM_ERROR_MEMORY, "out of memory (%zu times %zu bytes)", count,
                size);
        return NULL;
    }
    nm_schema_chunk *chunk = nm_alloc_zero(schema->context, 1, sizeof *chunk + bytes);
    if (!chunk) {
        return NULL;
    }
    chunk->next = schema->chunks;
    schema->chunks = chunk;
    return chunk->bytes;
}

const char *nm_schema_copy(nm_schema *schema, const char *text, size_t length)
{
    NM_GIVEN(schema, NULL);
    NM_REQUIRE(schema->context, text, NULL);
    char *copy = nm_schema_alloc(schema, length + 1, 1);
    if (copy) {
        memcpy(copy, text, length);
    }
    return copy;
}

/* ---- Questions ---- */

int64_t nm_schema_width(const nm_schema *schema)
{
    NM_GIVEN(schema, 0);
    int64_t width = 0;
    for (int i = 0; i < schema->columns; i++) {
        const nm_column *column = &schema->column[i];
        width += column->kind == NM_COLUMN_CATEGORY ? column->count : 1;
    }
    return width;
}

const char *nm_schema_input_name(const nm_schema *schema, int64_t index, char text[NM_INPUT_NAME])
{
    NM_GIVEN(text, "");
    snprintf(text, NM_INPUT_NAME, "[%lld]", (long long)index);
    int64_t at = 0;
    for (int i = 0; schema && i < schema->columns; i++) {
        const nm_column *column = &schema->column[i];
        const bool category = column->kind == NM_COLUMN_CATEGORY;
        const int64_t width = category ? column->count : 1;
        if (index >= at && index < at + width && *column->name) {
            snprintf(text, NM_INPUT_NAME, "%.60s%s%.60s", column->name, category ? " " : "",
                     category ? column->categories[index - at] : "");
        }
        at += width;
    }
    return text;
}

const char *nm_schema_class_name(const nm_schema *schema, int64_t index, char text[32])
{
    NM_GIVEN(text, "");
    if (schema && schema->class_names && index >= 0 && index < schema->classes) {
        return schema->class_names[index];
    }
    return nm_format_float((double)index, text);
}

int64_t nm_schema_class_of(const nm_schema *schema, const char *name)
{
    NM_GIVEN(schema && name, -1);
    int64_t number;
    if (!schema->class_names) {
        bool fine = nm_parse_int(name, &number) && number >= 0 && number < schema->classes;
        return fine ? number : -1;
    }
    for (int64_t i = 0; i < schema->classes; i++) {
        if (strcmp(schema->class_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

/* ---- Reading ---- */

const char *const nm_column_kind_names[] = {"number", "flag", "date", "category", NULL};

static const char *const order_names[] = {"year_first", "day_first", "month_first", NULL};

#define MOST_PLACES (1 << 24)

typedef struct column_options {
    const char *name;
    int64_t place;
    int kind;
    int order;
    const char *unit;
    double fill;
    const nm_value *categories;
} column_options;

static const column_options column_defaults = {.name = "", .place = -1, .fill = (double)NAN};
static const nm_option column_rows[] = {
    {NM_FIELD(column_options, name), NM_OPTION_STRING, .doc = "the column's header"},
    {NM_FIELD(column_options, place), NM_OPTION_INT, .min = 0, .max = MOST_PLACES,
     .doc = "its index in the table, from 0; -1: not known"},
    {NM_FIELD(column_options, kind), NM_OPTION_ENUM, .names = nm_column_kind_names,
     .doc = "what its cells are"},
    {NM_FIELD(column_options, order), NM_OPTION_ENUM, .names = order_names,
     .doc = "of dates that do not begin with the year"},
    {NM_FIELD(column_options, unit), NM_OPTION_STRING, .doc = "the mark at its numbers"},
    {NM_FIELD(column_options, fill), NM_OPTION_FLOAT, .doc = "what a missing cell counts as"},
    {NM_FIELD(column_options, categories), NM_OPTION_VALUE, .doc = "texts that may stand in it"},
};
static const nm_spec column_spec = {.name = "column_options",
                                    .size = sizeof(column_options),
                                    .defaults = &column_defaults,
                                    .options = column_rows,
                                    .count = NM_COUNT_OF(column_rows)};

typedef struct unused_options {
    const char *name;
    int64_t place;
    const char *why;
    bool id;
} unused_options;

static const unused_options unused_defaults = {.name = "", .place = -1, .why = ""};
static const nm_option unused_rows[] = {
    {NM_FIELD(unused_options, name), NM_OPTION_STRING, .doc = "the column's header"},
    {NM_FIELD(unused_options, place), NM_OPTION_INT, .min = 0, .max = MOST_PLACES,
     .doc = "its index in the table"},
    {NM_FIELD(unused_options, why), NM_OPTION_STRING, .doc = "why it is not used"},
    {NM_FIELD(unused_options, id), NM_OPTION_BOOL, .doc = "whether it tells samples apart"},
};
static const nm_spec unused_spec = {.name = "unused_options",
                                    .size = sizeof(unused_options),
                                    .defaults = &unused_defaults,
                                    .options = unused_rows,
                                    .count = NM_COUNT_OF(unused_rows)};

typedef struct sample_options {
    nm_ints shape;
    bool bytes;
    double scale;
    const nm_value *mean, *deviation, *columns, *unused;
    int64_t places;
} sample_options;

static const sample_options sample_defaults = {.scale = 1};
static const nm_option sample_rows[] = {
    {NM_FIELD(sample_options, shape), NM_OPTION_INTS, .min = 1, .max = 1e15, .flags = NM_REQUIRED,
     .doc = "of a sample, channels last"},
    {NM_FIELD(sample_options, bytes), NM_OPTION_BOOL, .doc = "images of bytes, else numbers"},
    {NM_FIELD(sample_options, scale), NM_OPTION_FLOAT, .min = -1e30, .max = 1e30,
     .doc = "samples are multiplied by it"},
    {NM_FIELD(sample_options, mean), NM_OPTION_VALUE, .doc = "of each channel, after scaling"},
    {NM_FIELD(sample_options, deviation), NM_OPTION_VALUE, .doc = "of each channel"},
    {NM_FIELD(sample_options, columns), NM_OPTION_VALUE, .doc = "of a table"},
    {NM_FIELD(sample_options, unused), NM_OPTION_VALUE, .doc = "columns that are left out"},
    {NM_FIELD(sample_options, places), NM_OPTION_INT, .min = 0, .max = MOST_PLACES,
     .doc = "columns of the table, with all others"},
};
static const nm_spec sample_spec = {.name = "sample_options",
                                    .size = sizeof(sample_options),
                                    .defaults = &sample_defaults,
                                    .options = sample_rows,
                                    .count = NM_COUNT_OF(sample_rows)};

typedef struct target_options {
    const nm_value *shape;
    int64_t classes;
    const nm_value *names, *mean, *deviation, *columns;
} target_options;

static const target_options target_defaults = {0};
static const nm_option target_rows[] = {
    {NM_FIELD(target_options, shape), NM_OPTION_VALUE, .doc = "of a target; []: a class"},
    {NM_FIELD(target_options, classes), NM_OPTION_INT, .min = 0, .max = INT32_MAX,
     .doc = "number of classes; 0: targets are values"},
    {NM_FIELD(target_options, names), NM_OPTION_VALUE, .doc = "of classes, or of the values"},
    {NM_FIELD(target_options, mean), NM_OPTION_VALUE, .doc = "of each value"},
    {NM_FIELD(target_options, deviation), NM_OPTION_VALUE, .doc = "of each value"},
    {NM_FIELD(target_options, columns), NM_OPTION_VALUE, .doc = "of a table, where it stands"},
};
static const nm_spec target_spec = {.name = "target_options",
                                    .size = sizeof(target_options),
                                    .defaults = &target_defaults,
                                    .options = target_rows,
                                    .count = NM_COUNT_OF(target_rows)};

typedef struct reader {
    nm_schema *schema;
    nm_document *document;
    nm_diagnostics *d;
} reader;

static bool is_list(const reader *r, const nm_value *value, const char *what)
{
    if (value && value->kind != NM_VALUE_LIST) {
        nm_diagnose(r->d, value, "\"%s\" must be a list", what);
    }
    return value && value->kind == NM_VALUE_LIST;
}

/* NULL if there is no list, or an error. */
static const char *const *read_texts(const reader *r, const nm_value *list, const char *what)
{
    if (!is_list(r, list, what)) {
        return NULL;
    }
    const char **texts = nm_schema_alloc(r->schema, (size_t)list->count, sizeof *texts);
    for (int i = 0; texts && i < list->count; i++) {
        const nm_value *item = list->items[i];
        if (item->kind != NM_VALUE_SCALAR) {
            nm_diagnose(r->d, item, "\"%s\" must be a list of texts", what);
            return NULL;
        }
        texts[i] = nm_schema_copy(r->schema, item->text, strlen(item->text));
        if (!texts[i]) {
            return NULL;
        }
    }
    return texts;
}

/* Finite numbers; positive ones where `positive`. */
static const double *read_numbers(const reader *r, const nm_value *list, const char *what,
                                  bool positive)
{
    if (!is_list(r, list, what)) {
        return NULL;
    }
    double *numbers = nm_schema_alloc(r->schema, (size_t)list->count, sizeof *numbers);
    for (int i = 0; numbers && i < list->count; i++) {
        const nm_value *item = list->items[i];
        bool fine = item->kind == NM_VALUE_SCALAR && nm_parse_float(item->text, &numbers[i]);
        if (!fine || !isfinite(numbers[i]) || (positive && numbers[i] <= 0)) {
            nm_diagnose(r->d, item, "\"%s\" must be a list of %s numbers", what,
                        positive ? "positive" : "finite");
            return NULL;
        }
    }
    return numbers;
}

static void read_column(const reader *r, const nm_value *value, nm_column *column)
{
    column_options o;
    nm_spec_read(&column_spec, value, "a column", r->document, r->d, &o);
    *column = (nm_column){.kind = o.kind,
                          .place = o.place,
                          .order = o.order,
                          .unit = o.unit ? nm_schema_copy(r->schema, o.unit, strlen(o.unit)) : NULL,
                          .fill = o.fill,
                          .name = nm_schema_copy(r->schema, o.name, strlen(o.name)),
                          .categories = read_texts(r, o.categories, "categories")};
    column->count = column->categories ? o.categories->count : 0;
    if (o.kind == NM_COLUMN_CATEGORY && !column->count) {
        nm_diagnose(r->d, value, "a column of categories has none");
    }
    if (isinf(o.fill)) {
        nm_diagnose(r->d, value, "\"fill\" must be a finite number");
    }
}

/* *count of them. */
static const nm_column *read_columns(const reader *r, const nm_value *list, int *count)
{
    nm_column *columns = is_list(r, list, "columns")
                             ? nm_schema_alloc(r->schema, (size_t)list->count, sizeof *columns)
                             : NULL;
    *count = columns ? list->count : 0;
    for (int i = 0; i < *count; i++) {
        read_column(r, list->items[i], &columns[i]);
    }
    return columns;
}

static void read_unused(const reader *r, const nm_value *list)
{
    nm_schema *s = r->schema;
    nm_unused_column *columns = is_list(r, list, "unused")
                                    ? nm_schema_alloc(s, (size_t)list->count, sizeof *columns)
                                    : NULL;
    s->unused_column = columns;
    s->unused = columns ? list->count : 0;
    for (int i = 0; i < s->unused; i++) {
        unused_options o;
        nm_spec_read(&unused_spec, list->items[i], "a column", r->document, r->d, &o);
        columns[i] = (nm_unused_column){.name = nm_schema_copy(s, o.name, strlen(o.name)),
                                        .place = o.place,
                                        .is_id = o.id,
                                        .why = nm_schema_copy(s, o.why, strlen(o.why))};
    }
}

/* The lengths of what belongs together. */
static void check_sample(const reader *r, const nm_value *at, const sample_options *o)
{
    const nm_schema *s = r->schema;
    int64_t last = s->shape.dim[s->shape.rank - 1];
    if (!s->mean != !s->deviation ||
        (s->mean && (o->mean->count != last || o->deviation->count != last))) {
        nm_diagnose(r->d, at, "mean and deviation must have a number for each of the %lld channels",
                    (long long)last);
    }
    if (s->columns && (s->shape.rank != 1 || nm_schema_width(s) != last)) {
        nm_diagnose(r->d, at, "the columns make %lld elements, but a sample has %lld",
                    (long long)nm_schema_width(s), (long long)last);
    }
}

static void read_sample(const reader *r, const nm_value *value)
{
    nm_schema *s = r->schema;
    sample_options o;
    nm_spec_read(&sample_spec, value, "sample", r->document, r->d, &o);
    s->shape.rank = o.shape.count < NM_MAX_RANK ? o.shape.count : 0;
    for (int i = 0; i < s->shape.rank; i++) {
        s->shape.dim[i] = o.shape.at[i];
    }
    if (s->shape.rank < 1 || nm_shape_count(&s->shape) < 1) {
        nm_diagnose(r->d, value, "a sample's shape needs 1 to %d dimensions", NM_MAX_RANK - 1);
        return;
    }
    s->bytes = o.bytes;
    s->scale = o.scale;
    s->mean = read_numbers(r, o.mean, "mean", false);
    s->deviation = read_numbers(r, o.deviation, "deviation", true);
    s->channels = s->mean ? o.mean->count : 0;
    s->column = read_columns(r, o.columns, &s->columns);
    s->places = o.places;
    read_unused(r, o.unused);
    check_sample(r, value, &o);
}

static void read_target_shape(const reader *r, const nm_value *list)
{
    nm_shape *shape = &r->schema->target_shape;
    int64_t size;
    if (!is_list(r, list, "shape")) {
        return;
    }
    const bool fits = list->count < NM_MAX_RANK;
    for (int i = 0; fits && i < list->count; i++) {
        bool fine = list->items[i]->kind == NM_VALUE_SCALAR &&
                    nm_parse_int(list->items[i]->text, &size) && size >= 1;
        shape->dim[shape->rank++] = fine ? size : 0;
    }
    if (!fits || nm_shape_count(shape) < 1) {
        nm_diagnose(r->d, list, "a target's shape must have positive dimensions, at most %d",
                    NM_MAX_RANK - 1);
    }
}

static void read_target(const reader *r, const nm_value *value)
{
    nm_schema *s = r->schema;
    target_options o;
    nm_spec_read(&target_spec, value, "target", r->document, r->d, &o);
    read_target_shape(r, o.shape);
    s->classes = o.classes;
    const char *const *names = read_texts(r, o.names, "names");
    int count = names ? o.names->count : 0;
    *(s->classes ? &s->class_names : &s->target_names) = names;
    s->targets = s->classes ? 0 : count;
    s->target_mean = read_numbers(r, o.mean, "mean", false);
    s->target_deviation = read_numbers(r, o.deviation, "deviation", true);
    s->target_channels = s->target_mean ? o.mean->count : 0;
    s->target_column = read_columns(r, o.columns, &s->target_columns);
    int64_t elements = nm_shape_count(&s->target_shape);
    const int64_t places = s->classes ? 1 : elements;
    if ((s->target_columns && s->target_columns != places) ||
        (names && count != (s->classes ? s->classes : elements)) ||
        !s->target_mean != !s->target_deviation ||
        (s->target_mean && (o.mean->count != elements || o.deviation->count != elements))) {
        nm_diagnose(r->d, value,
                    "names, mean, deviation and columns must be as many as the targets");
    }
}

nm_schema *nm_schema_read(nm_context *context, const nm_value *sample, const nm_value *target,
                          nm_document *document, nm_diagnostics *d)
{
    NM_REQUIRE(context, d, NULL);
    nm_schema *schema = nm_schema_create(context);
    int errors = d->count;
    if (!schema) {
        return NULL;
    }
    const reader r = {.schema = schema, .document = document, .d = d};
    read_sample(&r, sample);
    if (target) {
        read_target(&r, target);
    }
    if (d->count > errors || nm_context_status(context) != NM_OK) {
        nm_schema_destroy(schema);
        return NULL;
    }
    return schema;
}
