/* Iterative whitening (IterNorm). Huang and others 2019, arXiv 1904.03441. For each group of
 * neighbouring channels, with Xc its values less their means, one row for each of m values,
 *
 *     S = Xc^T Xc / m + eps I,   S_N = S / tr S,   P <- (3 P - P P P S_N) / 2, from P = I,
 *     y = Xc P / sqrt(tr S)
 *
 * after which channels of a group are uncorrelated as far as the iterations go. P S_N is kept
 * beside P, which gives the same numbers; multiplied together again each time, rounding would grow
 * until after some dozen iterations nothing else is left. Promises:
 *
 * 1. All of it is made of ops, so the gradient is that of the iterations, whatever eigenvalues are
 *    alike. (That of the eigenvectors has 1 / (l_i - l_j).)
 * 2. In evaluation the running means and whitening matrices are taken, which move once a batch in
 *    training.
 * 3. Where one of those is frozen, training takes them too, and leaves them as they are.
 * 4. A pass that gathers statistics has the batch's, and adds them there: the matrices' mean over
 *    all batches is what is stored then.
 * 5. A batch with less than four values a channel for each channel of a group is refused: the
 * matrix would say more of chance than of the data. */
#include "models/table.h"
#include "ops/basic.h"
#include "ops/linear.h"
#include "optim/statistics.h"

typedef struct whitening_options {
    NM_LAYER_FIELDS;
    int64_t size, iterations;
    double momentum, eps;
    bool affine;
} whitening_options;

typedef struct whitening_state {
    nm_tensor *scale, *shift;                    /* NULL: not affine */
    nm_tensor *running_mean, *running_whitener;  /* [channels], [groups, size, size] */
    const nm_entry *mean_entry, *whitener_entry; /* the same in the store */
    nm_tensor *identity;                         /* [size, size] */
} whitening_state;

#define LEAST_VALUES 4 /* for each channel of a group */

static nm_status set_to_identity(nm_tensor *t, int64_t size)
{
    nm_status status = t ? NM_OK : NM_ERROR_MEMORY;
    for (int64_t i = 0; status == NM_OK && i < nm_tensor_count(t); i++) {
        const int64_t at = i % (size * size);
        status = nm_tensor_set(t, i, at / size == at % size);
    }
    return status;
}

static nm_status whitening_build(nm_layer *layer, const nm_shape *x)
{
    const whitening_options *o = layer->options;
    whitening_state *s = layer->state;
    char text[NM_SHAPE_TEXT];
    const int64_t channels = x->rank > 1 ? x->dim[x->rank - 1] : 0, size = o->size;
    if (!channels || channels % size) {
        return nm_layer_fail(layer,
                             "its input %s must have channels on its last axis that divide "
                             "into groups of %lld; give another size",
                             nm_shape_text(x, text), (long long)size);
    }
    if (o->affine) {
        s->scale =
            nm_layer_constant_parameter(layer, "scale", NM_NORM_SCALE, NM_SHAPE(channels), 1);
        s->shift = nm_layer_parameter(layer, "shift", NM_NORM_SHIFT, NM_SHAPE(channels), NULL);
    }
    s->running_mean = nm_layer_buffer(layer, "running_mean", NM_SHAPE(channels), 0);
    s->running_whitener =
        nm_layer_buffer(layer, "running_whitener", NM_SHAPE(channels / size, size, size), 0);
    s->mean_entry = nm_layer_entry(layer, s->running_mean);
    s->whitener_entry = nm_layer_entry(layer, s->running_whitener);
    nm_status status = set_to_identity(s->running_whitener, size);
    if (status == NM_OK) {
        s->identity = nm_tensor_create(layer->context, nm_tensor_dtype(s->running_mean),
                                       NM_SHAPE(size, size));
        status = set_to_identity(s->identity, size);
    }
    return status == NM_OK ? nm_context_status(layer->context) : status;
}

static void whitening_destroy(nm_layer *layer)
{
    const whitening_state *s = layer->state;
    nm_tensor_destroy(s->identity);
}

/* ---- The matrix ---- */

/* The sum of the diagonals of S, [groups, size, size], as [groups, 1, 1]. */
static nm_tensor *trace_of(nm_tape *tape, const whitening_state *s, nm_tensor *S)
{
    return nm_sum(tape, nm_mul(tape, S, s->identity), .axes = NM_INTS(1, 2), .keepdims = true);
}

/* From Xc, [groups, m, size]. */
static nm_tensor *whitener_of(const nm_layer *layer, nm_tape *tape, nm_tensor *Xc)
{
    const whitening_options *o = layer->options;
    const whitening_state *s = layer->state;
    const double m = Xc ? (double)nm_tensor_shape(Xc)->dim[1] : 1;
    nm_tensor *S = nm_affine(tape, nm_matmul(tape, Xc, Xc, .transpose_a = true), 1 / m, 0);
    S = nm_add(tape, S, nm_affine(tape, s->identity, o->eps, 0));
    nm_tensor *trace = trace_of(tape, s, S), *P = s->identity;
    nm_tensor *Q = nm_div(tape, S, trace); /* P S_N */
    for (int64_t i = 0; i < o->iterations; i++) {
        nm_tensor *step = nm_affine(tape, nm_matmul(tape, P, Q), -0.5, 0);
        step = nm_add(tape, step, nm_affine(tape, s->identity, 1.5, 0)); /* (3 I - P Q) / 2 */
        Q = nm_matmul(tape, Q, step);
        P = nm_matmul(tape, step, P);
    }
    return nm_mul(tape, P, nm_rsqrt(tape, trace));
}

/* ---- Running statistics: promise 2 ---- */

enum { MEAN, WHITENER, RUNNING_MEAN, RUNNING_WHITENER, INPUTS };

static nm_status move(const void *data, nm_tensor *const *in)
{
    const double momentum = *(const double *)data;
    nm_status status = NM_OK;
    for (int k = 0; k < 2; k++) {
        nm_tensor *running = in[RUNNING_MEAN + k], *batch = in[MEAN + k];
        for (int64_t i = 0; i < nm_tensor_count(running) && status == NM_OK; i++) {
            status = nm_tensor_set(running, i,
                                   (1 - momentum) * nm_tensor_get(running, i) +
                                       momentum * nm_tensor_get(batch, i));
        }
    }
    return status;
}

static const nm_effect moving = {"move_statistics", sizeof(double), move};

/* Promise 4. How far they are off is told in deviations; those of a matrix are its own size. */
static nm_status add_statistics(const nm_layer *layer, const nm_pass *pass, nm_tensor *x,
                                nm_tensor *mean, nm_tensor *whitener)
{
    const whitening_state *s = layer->state;
    const int64_t values = nm_tensor_shape(x)->dim[0];
    nm_tensor *var =
        nm_mean(pass->tape, nm_square(pass->tape, nm_sub(pass->tape, x, mean)), .axes = NM_INTS(0));
    nm_tensor *size = nm_add(pass->tape, nm_affine(pass->tape, whitener, 0, 0),
                             nm_mean(pass->tape, nm_square(pass->tape, whitener)));
    if (nm_pass_is_dry(pass) || !var || !size) {
        return nm_context_status(layer->context);
    }
    nm_status status = nm_statistics_add(pass->statistics, s->mean_entry, NULL, mean, var, values);
    return status == NM_OK ? nm_statistics_add(pass->statistics, s->whitener_entry, NULL, whitener,
                                               size, values)
                           : status;
}

/* ---- The pass ---- */

static nm_status check_values(nm_layer *layer, const nm_tensor *x, int64_t values)
{
    const whitening_options *o = layer->options;
    char text[NM_SHAPE_TEXT];
    if (values >= LEAST_VALUES * o->size) {
        return NM_OK;
    }
    return nm_layer_fail(layer,
                         "groups of %lld channels need %lld values a channel in training, and its "
                         "input is %s; use larger batches or a smaller size",
                         (long long)o->size, (long long)(LEAST_VALUES * o->size),
                         nm_shape_text(nm_tensor_shape(x), text));
}

/* x, [m, channels], whitened by the batch's own or the running matrix. */
static nm_tensor *whiten(nm_layer *layer, const nm_pass *pass, nm_tensor *x, bool batch)
{
    const whitening_options *o = layer->options;
    const whitening_state *s = layer->state;
    nm_tape *tape = pass->tape;
    const int64_t channels = nm_tensor_count(s->running_mean), values = nm_tensor_shape(x)->dim[0];
    nm_tensor *mean = batch ? nm_mean(tape, x, .axes = NM_INTS(0)) : s->running_mean;
    nm_tensor *Xc =
        nm_reshape(tape, nm_sub(tape, x, mean), NM_SHAPE(values, channels / o->size, o->size));
    Xc = nm_permute(tape, Xc, .axes = NM_INTS(1, 0, 2));
    nm_tensor *whitener = batch ? whitener_of(layer, tape, Xc) : s->running_whitener;
    nm_tensor *in[INPUTS] = {mean, whitener, s->running_mean, s->running_whitener};
    if (batch && pass->statistics && add_statistics(layer, pass, x, mean, whitener) != NM_OK) {
        return NULL;
    }
    if (batch && !pass->statistics && !pass->initialize &&
        nm_tape_do(tape, &moving, &o->momentum, in, INPUTS) != NM_OK) {
        return NULL;
    }
    nm_tensor *y = nm_permute(tape, nm_matmul(tape, Xc, whitener), .axes = NM_INTS(1, 0, 2));
    return nm_reshape(tape, y, NM_SHAPE(values, channels));
}

static nm_tensor *whitening_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const whitening_state *s = layer->state;
    const nm_shape shape = *nm_tensor_shape(x);
    const int64_t channels = nm_tensor_count(s->running_mean);
    const int64_t values = nm_tensor_count(x) / channels;
    const bool moves = s->mean_entry->trainable && s->whitener_entry->trainable;
    const bool batch = moves && (pass->training || pass->statistics);
    if (batch && check_values(layer, x, values) != NM_OK) {
        return NULL;
    }
    nm_tensor *rows = nm_reshape(pass->tape, x, NM_SHAPE(values, channels));
    nm_tensor *y = rows ? whiten(layer, pass, rows, batch) : NULL;
    y = nm_reshape(pass->tape, y, shape);
    y = s->scale ? nm_mul(pass->tape, y, s->scale) : y;
    return s->shift ? nm_add(pass->tape, y, s->shift) : y;
}

/* ---- Options ---- */

static const whitening_options defaults = {
    .size = 4, .iterations = 5, .momentum = 0.1, .eps = 1e-5, .affine = true};
static const nm_option rows[] = {
    NM_LAYER_ROWS(whitening_options),
    {NM_FIELD(whitening_options, size), NM_OPTION_INT, .min = 1, .max = 1024,
     .doc = "channels in a group, which must divide them; a batch needs four values a channel for "
            "each"},
    {NM_FIELD(whitening_options, iterations), NM_OPTION_INT, .also = "T", .min = 0, .max = 100,
     .doc = "of Newton's method for the root of the inverse"},
    {NM_FIELD(whitening_options, momentum), NM_OPTION_FLOAT, .min = 0, .max = 1,
     .doc = "how much a new batch counts in the running means and matrices"},
    {NM_FIELD(whitening_options, eps), NM_OPTION_FLOAT, .also = "epsilon", .min = 0, .max = 1,
     .flags = NM_MIN_OPEN, .doc = "added to the diagonal of the covariances"},
    {NM_FIELD(whitening_options, affine), NM_OPTION_BOOL,
     .doc = "learn a scale and a shift for each channel"},
};
static const nm_spec spec = NM_LAYER_SPEC(whitening_options, defaults, rows, NULL);

const nm_layer_type nm_layer_iterative_whitening = {
    .item = NM_ITEM(nm_layer_type, "iterative_whitening",
                    "makes neighbouring channels uncorrelated over the batch",
                    .also = "iter_norm iternorm", .spec = &spec,
                    .doc = "For each group of channels on the last axis, with the covariance S of "
                           "their values less the means: P <- (3 P - P^3 S / tr S) / 2 some times "
                           "from the identity, and y = (x - mean) P / sqrt(tr S), with a scale and "
                           "a shift for each channel. Few iterations leave directions of little "
                           "variance small. Evaluation has running means and matrices.\n"
                           "Huang and others 2019, arXiv 1904.03441."),
    .prefix = "iw",
    .state_size = sizeof(whitening_state),
    .build = whitening_build,
    .forward = whitening_forward,
    .destroy = whitening_destroy,
};
