/* Missing cells of a table: what they count as is found in the training samples alone, so that
 * nothing of those that are held out gets into it. */
#include <math.h>
#include <stdlib.h>

#include "core/guard.h"
#include "optim/data/readers.h"

typedef struct filler {
    nm_dataset *set;
    const nm_dataset *from;
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
    double *samples = (double *)(uintptr_t)f->set->samples;
    for (int64_t row = 0; f->set->dtype == NM_F64 && row < f->set->count; row++) {
        double *value = &samples[row * f->width + at];
        *value = isnan(*value) ? fill : *value;
    }
}

nm_status nm_dataset_fill(nm_dataset *set, const nm_dataset *from, nm_schema *schema)
{
    NM_GIVEN(set, NM_ERROR_INPUT);
    NM_REQUIRE(set->context, from, NM_ERROR_INPUT);
    NM_REQUIRE(set->context, schema, NM_ERROR_INPUT);
    filler f = {.set = set, .from = from, .width = nm_shape_count(&set->shape)};
    nm_column *columns = (nm_column *)(uintptr_t)schema->column;
    int64_t at = 0;
    f.values = nm_alloc_zero(set->context, (size_t)from->count, sizeof *f.values);
    for (int i = 0; f.values && i < schema->columns; i++) {
        if (columns[i].kind == NM_COLUMN_CATEGORY) {
            at += columns[i].count;
            continue;
        }
        columns[i].fill = find(&f, at);
        fill_column(&f, at++, columns[i].fill);
    }
    nm_free(set->context, f.values);
    set->missing = NM_MISSING_REFUSE;
    return f.values ? NM_OK : NM_ERROR_MEMORY;
}
