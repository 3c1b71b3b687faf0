/* Missing cells of a table: what they count as is found in the training samples alone, so that
 * nothing of those that are held out gets into it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/guard.h"
#include "optim/data/readers.h"

typedef struct filler {
    nm_dataset *set;
    const nm_dataset *from;
    double *samples; /* the set's, to be filled */
    int64_t width;
    double *values; /* [from->count], of a column, for the median */
} filler;

static double value_at(const nm_dataset *set, int64_t row, int64_t width, int64_t at)
{
    return set->dtype == NM_F64 ? ((const double *)set->samples)[row * width + at]
                                : (double)((const float *)set->samples)[row * width + at];
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The column's values that are there; how many. */
static int64_t gather(const filler *f, int64_t at)
{
    int64_t count = 0;
    for (int64_t i = 0; i < f->from->count; i++) {
        const int64_t row = f->from->rows ? f->from->rows[i] : i;
        const double value = value_at(f->from, row, f->width, at);
        f->values[count] = value;
        count += !isnan(value);
    }
    return count;
}

static double mean_of(const double *values, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += values[i] - values[0]; /* large numbers with a small spread keep their digits */
    }
    return values[0] + sum / (double)count;
}

static double median_of(double *values, int64_t count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    const double low = values[(count - 1) / 2], high = values[count / 2];
    return low + (high - low) / 2;
}

/* 0 if nothing of the column is there. */
static double find(const filler *f, int64_t at)
{
    const int64_t count = f->set->missing == NM_MISSING_ZERO ? 0 : gather(f, at);
    if (!count) {
        return 0;
    }
    return f->set->missing == NM_MISSING_MEAN ? mean_of(f->values, count)
                                              : median_of(f->values, count);
}

static void fill_column(const filler *f, int64_t at, double fill)
{
    for (int64_t row = 0; f->set->dtype == NM_F64 && row < f->set->count; row++) {
        double *value = &f->samples[row * f->width + at];
        *value = isnan(*value) ? fill : *value;
    }
}

/* The schema's columns anew, to be changed. */
static nm_column *own_columns(nm_schema *schema)
{
    const size_t count = (size_t)schema->columns;
    nm_column *columns = nm_schema_alloc(schema, count, sizeof *columns);
    if (columns && count) {
        memcpy(columns, schema->column, count * sizeof *columns);
    }
    schema->column = columns ? columns : schema->column;
    return columns;
}

static nm_status begin(filler *f, nm_dataset *set, const nm_dataset *from)
{
    *f = (filler){.set = set, .from = from, .width = nm_shape_count(&set->shape)};
    f->samples =
        nm_dataset_own(set, set->samples, (size_t)set->count * nm_dataset_sample_bytes(set));
    f->values =
        f->samples ? nm_alloc_zero(set->context, (size_t)from->count, sizeof *f->values) : NULL;
    set->samples = f->samples ? f->samples : set->samples;
    return f->values ? NM_OK : nm_context_status(set->context);
}

nm_status nm_dataset_fill(nm_dataset *set, const nm_dataset *from, nm_schema *schema)
{
    NM_GIVEN(set, NM_ERROR_INPUT);
    NM_REQUIRE(set->context, from, NM_ERROR_INPUT);
    NM_REQUIRE(set->context, schema, NM_ERROR_INPUT);
    filler f;
    nm_status status = begin(&f, set, from);
    nm_column *columns = status == NM_OK ? own_columns(schema) : NULL;
    int64_t at = 0;
    for (int i = 0; columns && i < schema->columns; i++) {
        if (columns[i].kind == NM_COLUMN_CATEGORY) {
            at += columns[i].count;
            continue;
        }
        columns[i].fill = find(&f, at);
        fill_column(&f, at++, columns[i].fill);
    }
    nm_free(set->context, f.values);
    set->missing = NM_MISSING_REFUSE;
    return columns ? NM_OK : nm_context_status(set->context);
}
