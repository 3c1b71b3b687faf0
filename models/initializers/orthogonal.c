/* The orthogonal initializer: a weight [out, ...] as a matrix of `out` rows, with orthonormal rows,
 * or columns if there are fewer of them, times a gain. A random orthogonal matrix, every one
 * equally likely, is what Gram and Schmidt's method makes of normal vectors. It runs twice over
 * each vector: once leaves errors that grow with the number of vectors, twice is enough (Kahan and
 * Parlett). */
#include <math.h>

#include "core/op.h"
#include "models/table.h"

typedef struct orthogonal_options {
    double gain;
} orthogonal_options;

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* Takes from `v` what it has of the first `count` vectors, and makes its length 1. */
static void make_orthogonal(const double *vectors, int64_t count, double *v, int64_t n)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t k = 0; k < count; k++) {
            const double *u = vectors + k * n;
            double share = dot(u, v, n);
            for (int64_t i = 0; i < n; i++) {
                v[i] -= share * u[i];
            }
        }
    }
    double length = sqrt(dot(v, v, n));
    for (int64_t i = 0; i < n; i++) {
        v[i] /= length; /* above 0: normal vectors are independent with probability 1 */
    }
}

static void fill_basis(nm_random *random, double *vectors, int64_t count, int64_t n)
{
    for (int64_t k = 0; k < count; k++) {
        for (int64_t i = 0; i < n; i++) {
            vectors[k * n + i] = nm_random_normal(random);
        }
        make_orthogonal(vectors, k, vectors + k * n, n);
    }
}

static void write_matrix(nm_tensor *tensor, const double *vectors, int64_t rows, int64_t columns,
                         double gain)
{
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t column = 0; column < columns; column++) {
            int64_t at = rows <= columns ? row * columns + column : column * rows + row;
            nm_tensor_set(tensor, row * columns + column, gain * vectors[at]);
        }
    }
}

static nm_status orthogonal_fill(const void *options, nm_random *random, nm_tensor *tensor)
{
    nm_context *context = nm_tensor_context(tensor);
    const nm_shape *shape = nm_tensor_shape(tensor);
    int64_t elements = nm_tensor_count(tensor), rows = shape->rank ? shape->dim[0] : 1;
    if (!elements) {
        return NM_OK;
    }
    int64_t columns = elements / rows;
    double *vectors = nm_alloc_zero(context, (size_t)elements, sizeof *vectors);
    if (!vectors) {
        return NM_ERROR_MEMORY;
    }
    fill_basis(random, vectors, rows < columns ? rows : columns, rows < columns ? columns : rows);
    write_matrix(tensor, vectors, rows, columns, ((const orthogonal_options *)options)->gain);
    nm_free(context, vectors);
    return NM_OK;
}

static const orthogonal_options defaults = {.gain = 1};
static const nm_option rows_of_options[] = {
    {NM_FIELD(orthogonal_options, gain), NM_OPTION_FLOAT, .max = NM_NO_LIMIT, .flags = NM_MIN_OPEN,
     .doc = "factor on the orthonormal rows or columns"},
};
static const nm_spec spec = {.name = "orthogonal_options",
                             .size = sizeof(orthogonal_options),
                             .defaults = &defaults,
                             .options = rows_of_options,
                             .count = NM_COUNT_OF(rows_of_options)};

const nm_initializer_type nm_initializer_orthogonal = {
    .item = NM_ITEM(nm_initializer_type, "orthogonal", "orthonormal rows, or columns if fewer",
                    .spec = &spec,
                    .doc = "A random orthogonal matrix times gain; a convolution's weight is a "
                           "matrix of one row an output channel.\nSaxe, McClelland, Ganguli 2013, "
                           "arXiv 1312.6120."),
    .fill = orthogonal_fill,
};
