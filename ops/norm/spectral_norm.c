/* Spectral normalization: a weight divided by an estimate of its largest singular value. As a
 * matrix W of one row for each output,
 *
 *     y = w / sigma,  sigma = left . W right
 *
 * left and right are the singular vectors as far as power iteration has found them, and constants:
 * with them, the gradient is exact. Promises:
 *
 * 1. A weight of zeros gives zeros, not NaN.
 * 2. An iteration leaves both vectors at length 1, or as they are where a weight of zeros would
 * make them zeros. */
#include "ops/norm/spectral_norm.h"

#include <math.h>

#include "core/guard.h"
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/table.h"

enum { W, LEFT, RIGHT, INPUTS };

static nm_tensor *spectral_norm_compose(nm_compose *c)
{
    nm_tape *t = c->tape;
    const nm_shape *w = nm_tensor_shape(c->in[W]);
    const nm_shape *left = nm_tensor_shape(c->in[LEFT]), *right = nm_tensor_shape(c->in[RIGHT]);
    const int64_t count = nm_tensor_count(c->in[W]), out = w->rank ? w->dim[0] : 0;
    char texts[3][NM_SHAPE_TEXT];
    if (w->rank < 2 || left->rank != 1 || right->rank != 1 || left->dim[0] != out ||
        left->dim[0] * right->dim[0] != count) {
        return nm_compose_fail(c,
                               "w %s must be [out, ...], left %s one number an output and right %s "
                               "one for each of the others",
                               nm_shape_text(w, texts[0]), nm_shape_text(left, texts[1]),
                               nm_shape_text(right, texts[2]));
    }
    nm_tensor *matrix = nm_reshape(t, c->in[W], NM_SHAPE(out, right->dim[0]));
    nm_tensor *column = nm_reshape(t, nm_detach(t, c->in[RIGHT]), NM_SHAPE(right->dim[0], 1));
    nm_tensor *row = nm_reshape(t, nm_detach(t, c->in[LEFT]), NM_SHAPE(1, out));
    nm_tensor *sigma = nm_matmul(t, row, nm_matmul(t, matrix, column));
    nm_tensor *zero = sigma ? nm_scalar(t, nm_tensor_dtype(sigma), 0) : NULL;
    sigma = nm_add(t, sigma, nm_max_mask(t, sigma, zero)); /* promise 1 */
    return nm_div(t, c->in[W], nm_reshape(t, sigma, NM_SHAPE(1)));
}

/* ---- Power iteration ---- */

/* Makes a vector of length 1; false, and as it was before, if it is one of zeros. */
static bool to_unit(double *v, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += v[i] * v[i];
    }
    const double inverse = sum > 0 ? 1 / sqrt(sum) : 0;
    for (int64_t i = 0; i < n && inverse > 0; i++) {
        v[i] *= inverse;
    }
    return inverse > 0;
}

/* to = W^T from (by columns) or W from. */
static void multiply(nm_tensor *w, bool transposed, const double *from, double *to, int64_t rows,
                     int64_t columns)
{
    for (int64_t i = 0; i < (transposed ? columns : rows); i++) {
        to[i] = 0;
    }
    const float *narrow = nm_tensor_dtype(w) == NM_F32 ? nm_tensor_data(w) : NULL;
    const double *wide = narrow ? NULL : nm_tensor_data(w);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t k = 0; k < columns; k++) {
            const int64_t at = i * columns + k;
            const double value = narrow ? (double)narrow[at] : wide[at];
            to[transposed ? k : i] += value * from[transposed ? i : k];
        }
    }
}

nm_status nm_spectral_iterate(nm_tensor *w, nm_tensor *left, nm_tensor *right, int64_t iterations)
{
    NM_GIVEN(w, NM_ERROR_INPUT);
    nm_context *context = nm_tensor_context(w);
    const int64_t rows = nm_tensor_count(left), columns = nm_tensor_count(right);
    double *u = nm_scratch(context, nm_bytes(rows + columns, sizeof *u));
    if (!u || nm_tensor_get_f64(left, u, rows) != NM_OK ||
        nm_tensor_get_f64(right, u + rows, columns) != NM_OK) {
        nm_scratch_end(u);
        return nm_context_status(context);
    }
    bool moves = true;
    for (int64_t i = 0; i < iterations && moves; i++) {
        multiply(w, true, u, u + rows, rows, columns);
        moves = to_unit(u + rows, columns);
        if (moves) {
            multiply(w, false, u + rows, u, rows, columns);
            moves = to_unit(u, rows);
        }
    }
    nm_status status = NM_OK;
    if (moves && (status = nm_tensor_set_f64(left, u, rows)) == NM_OK) {
        status = nm_tensor_set_f64(right, u + rows, columns);
    }
    nm_scratch_end(u);
    return status;
}

/* ---- The op ---- */

static const nm_port inputs[INPUTS] = {
    [W] = {.name = "w", .doc = "a weight, [out, ...]"},
    [LEFT] = {.name = "left",
              .doc = "[out], of length 1: the left singular vector",
              .flags = NM_PORT_NO_GRAD},
    [RIGHT] = {.name = "right",
               .doc = "as many as w has for each output, of length 1: the right one",
               .flags = NM_PORT_NO_GRAD},
};
static const nm_port outputs[] = {{.name = "y", .doc = "w's shape"}};
static const nm_sample spectral_norm_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_UNIFORM(0.5, 1, 3), NM_UNIFORM(0.5, 1, 4)}},
    {.in = {NM_NORMAL(2, 2, 3), NM_UNIFORM(0.5, 1, 2), NM_UNIFORM(0.5, 1, 6)}},
};

NM_COMPOSED_OP(spectral_norm, inputs, outputs, 0, "divides a weight by its largest singular value",
               .doc =
                   "y = w / sigma, sigma = left . W right with w as a matrix W, [out, rest]. The\n"
                   "vectors are constants: dw = (dy - (dy . y) left right^T) / sigma, which is\n"
                   "the gradient of dividing by the singular value itself only as far as power\n"
                   "iteration has found it. A weight of zeros gives zeros.\n"
                   "Miyato and others 2018, arXiv 1802.05957.")

nm_tensor *nm_spectral_norm(nm_tape *tape, nm_tensor *w, nm_tensor *left, nm_tensor *right)
{
    return nm_apply3(tape, &nm_op_spectral_norm, NULL, w, left, right);
}
