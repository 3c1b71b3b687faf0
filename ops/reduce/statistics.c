/* Reductions along axes that are formulas of others: min, prod, var, std, logsumexp, norm. */
#include <math.h>

#include "ops/basic.h"
#include "ops/define.h"
#include "ops/reduce/axes.h"
#include "ops/table.h"

/* What all of them begin with; the options of each begin as nm_reduce_options do. */
typedef struct reduction {
    nm_tape *tape;
    nm_tensor *x;
    const nm_shape *shape;
    nm_dtype dtype;
    unsigned gone;
    nm_reduce_options kept; /* along these axes, which stay with length 1 */
    bool keepdims;
} reduction;

static bool begin(nm_compose *c, reduction *r)
{
    const nm_reduce_options *o = c->options;
    char text[NM_AXES_TEXT];
    *r = (reduction){.tape = c->tape,
                     .x = c->in[0],
                     .shape = nm_tensor_shape(c->in[0]),
                     .dtype = nm_tensor_dtype(c->in[0]),
                     .keepdims = o->keepdims,
                     .kept = {NM_END(nm_reduce_options), .axes = o->axes, .keepdims = true}};
    const char *fault = nm_axes_gone(&o->axes, r->shape, &r->gone, text);
    if (fault) {
        nm_compose_fail(c, "%s", fault);
    }
    return !fault;
}

/* A result with the axes that go, as it was asked for. */
static nm_tensor *end(const reduction *r, nm_tensor *y)
{
    return r->keepdims ? y : nm_reshape(r->tape, y, nm_axes_left(r->shape, r->gone));
}

static nm_tensor *number(const reduction *r, double value)
{
    return nm_scalar(r->tape, r->dtype, value);
}

static bool is_empty(const reduction *r)
{
    return nm_shape_count(r->shape) == 0;
}

/* ---- min ---- */

static nm_tensor *min_compose(nm_compose *c)
{
    reduction r;
    if (!begin(c, &r)) {
        return NULL;
    }
    const nm_shape left = nm_axes_left(r.shape, r.gone);
    if (is_empty(&r) && nm_shape_count(&left) != 0) {
        char text[NM_SHAPE_TEXT];
        return nm_compose_fail(c, "x %s has nothing to take the minimum of along these axes",
                               nm_shape_text(r.shape, text));
    }
    return end(&r, nm_neg(r.tape, nm_max_with(r.tape, nm_neg(r.tape, r.x), &r.kept)));
}

/* ---- prod: by halves, so that every derivative is right, also where elements are 0 ---- */

static nm_tensor *part(nm_tape *tape, nm_tensor *x, int axis, int64_t begin_, int64_t end_)
{
    return nm_slice(tape, x, .axes = NM_INTS(axis), .start = NM_INTS(begin_),
                    .stop = NM_INTS(end_));
}

static nm_tensor *halve(nm_tape *tape, nm_tensor *x, int axis)
{
    const int64_t n = nm_tensor_shape(x)->dim[axis], half = n / 2;
    nm_tensor *y = nm_mul(tape, part(tape, x, axis, 0, half), part(tape, x, axis, half, 2 * half));
    if (n % 2) {
        nm_tensor *both[] = {y, part(tape, x, axis, n - 1, n)};
        y = nm_concat(tape, both, 2, .axis = axis);
    }
    return y;
}

static nm_tensor *prod_compose(nm_compose *c)
{
    reduction r;
    if (!begin(c, &r)) {
        return NULL;
    }
    const nm_shape kept = nm_axes_kept(r.shape, r.gone);
    if (is_empty(&r)) {
        return end(&r, nm_full(r.tape, r.dtype, kept, 1));
    }
    nm_tensor *y = r.x;
    for (int d = 0; d < r.shape->rank; d++) {
        while (y && r.gone >> d & 1 && nm_tensor_shape(y)->dim[d] > 1) {
            y = halve(r.tape, y, d);
        }
    }
    return nm_reshape(r.tape, y, r.keepdims ? kept : nm_axes_left(r.shape, r.gone));
}

/* ---- var, std ---- */

/* By the mean, in two passes. Where there are no more elements than the correction, n - correction
 * counts as 0, as in PyTorch. */
static nm_tensor *variance(const reduction *r, double correction)
{
    const double n = nm_axes_count(r->shape, r->gone) - correction;
    nm_tensor *mean = nm_mean_with(r->tape, r->x, &r->kept);
    nm_tensor *square = nm_square(r->tape, nm_sub(r->tape, r->x, mean));
    return nm_affine(r->tape, nm_sum_with(r->tape, square, &r->kept), 1 / (n > 0 ? n : 0), 0);
}

static nm_tensor *var_compose(nm_compose *c)
{
    reduction r;
    return begin(c, &r) ? end(&r, variance(&r, ((const nm_var_options *)c->options)->correction))
                        : NULL;
}

/* Its root; where that is 0, its derivative is taken as 0, as in PyTorch. */
static nm_tensor *root(const reduction *r, nm_tensor *x)
{
    nm_tensor *zero = number(r, 0), *flat = nm_equal(r->tape, x, zero);
    nm_tensor *safe = nm_where(r->tape, flat, number(r, 1), x);
    return nm_where(r->tape, flat, zero, nm_sqrt(r->tape, safe));
}

static nm_tensor *std_compose(nm_compose *c)
{
    reduction r;
    if (!begin(c, &r)) {
        return NULL;
    }
    return end(&r, root(&r, variance(&r, ((const nm_var_options *)c->options)->correction)));
}

/* ---- logsumexp ---- */

/* The largest element, which is subtracted first, as a constant; 0 where it is no number. */
static nm_tensor *top_of(const reduction *r)
{
    if (is_empty(r)) {
        return nm_full(r->tape, r->dtype, nm_axes_kept(r->shape, r->gone), 0);
    }
    nm_tensor *top = nm_detach(r->tape, nm_max_with(r->tape, r->x, &r->kept));
    nm_tensor *finite = nm_less(r->tape, nm_abs(r->tape, top), number(r, (double)INFINITY));
    return nm_where(r->tape, finite, top, number(r, 0));
}

static nm_tensor *logsumexp_compose(nm_compose *c)
{
    reduction r;
    if (!begin(c, &r)) {
        return NULL;
    }
    nm_tensor *top = top_of(&r);
    nm_tensor *power = nm_exp(r.tape, nm_sub(r.tape, r.x, top));
    nm_tensor *sum = nm_sum_with(r.tape, power, &r.kept);
    return end(&r, nm_add(r.tape, nm_log(r.tape, sum), top));
}

/* ---- norm ---- */

/* (sum |x|^p)^(1/p), whose derivative is taken as 0 where it is 0. */
static nm_tensor *general_norm(const reduction *r, double p)
{
    nm_tensor *powers = nm_pow(r->tape, nm_abs(r->tape, r->x), p), *zero = number(r, 0);
    nm_tensor *sum = nm_sum_with(r->tape, powers, &r->kept), *flat = nm_equal(r->tape, sum, zero);
    nm_tensor *safe = nm_where(r->tape, flat, number(r, 1), sum);
    return nm_where(r->tape, flat, zero, nm_pow(r->tape, safe, 1 / p));
}

static nm_tensor *norm_compose(nm_compose *c)
{
    const double p = ((const nm_norm_options *)c->options)->p;
    reduction r;
    if (!begin(c, &r)) {
        return NULL;
    }
    if (p == 2) {
        return end(&r, root(&r, nm_sum_with(r.tape, nm_square(r.tape, r.x), &r.kept)));
    }
    if (p != NM_NORM_MAX && p != 1) {
        return end(&r, general_norm(&r, p));
    }
    nm_tensor *size = nm_abs(r.tape, r.x);
    return end(&r,
               p == 1 ? nm_sum_with(r.tape, size, &r.kept) : nm_max_with(r.tape, size, &r.kept));
}

/* ---- The ops ---- */

static const nm_sample min_samples[] = {
    {.in = {NM_DISTINCT(3, 4)}},
    {.options = "{axes: [0, 2], keepdims: true}", .in = {NM_DISTINCT(2, 3, 4)}},
};
static const nm_sample prod_samples[] = {
    {.in = {NM_NORMAL(3, 4)}},
    {.in = {NM_SCALAR_NORMAL}},
    {.options = "{axes: -1}", .in = {NM_NORMAL(2, 7)}},
    {.options = "{axes: [0, 2], keepdims: true}", .in = {NM_NORMAL(3, 2, 5)}},
};
static const nm_sample var_samples[] = {
    {.in = {NM_NORMAL(3, 4)}},
    {.options = "{axes: 0, correction: 0}", .in = {NM_NORMAL(3, 4)}},
    {.options = "{axes: [0, -1], keepdims: true}", .in = {NM_NORMAL(2, 3, 4)}},
};
#define std_samples var_samples
static const nm_sample logsumexp_samples[] = {
    {.in = {NM_NORMAL(3, 4)}},
    {.options = "{axes: [0, 2], keepdims: true}", .in = {NM_NORMAL(2, 3, 4)}},
};
static const nm_sample norm_samples[] = {
    {.in = {NM_NORMAL(3, 4)}},
    {.options = "{p: 1, axes: 0}", .in = {NM_AWAY(0.1, 3, 4)}},
    {.options = "{p: max, axes: -1, keepdims: true}", .in = {NM_DISTINCT(3, 4)}},
    {.options = "{p: 3, axes: [0, 1]}", .in = {NM_AWAY(0.1, 2, 3, 2)}},
};

#define AXES(type)                                                                                 \
    {NM_FIELD(type, axes), NM_OPTION_INTS,                                                         \
     .doc = "the axes that go, negative ones counted from the end; none given: all"},              \
    {                                                                                              \
        NM_FIELD(type, keepdims), NM_OPTION_BOOL, .doc = "leave the axes that go, with length 1"   \
    }

static const nm_reduce_options defaults = {NM_END(nm_reduce_options), NM_REDUCE_DEFAULTS};
static const nm_option plain_options[] = {AXES(nm_reduce_options)};
static const nm_spec spec = NM_SPEC(nm_reduce_options, defaults, plain_options);

static const nm_var_options var_defaults = {NM_END(nm_var_options), NM_VAR_DEFAULTS};
NM_OPTIONS_INIT(nm_var_options, var_defaults)
static const nm_option var_options[] = {
    AXES(nm_var_options),
    {NM_FIELD(nm_var_options, correction), NM_OPTION_FLOAT, .also = "ddof unbiased",
     .doc = "what is taken off the number of elements: 1 for samples, 0 for all there are"},
};
static const nm_spec var_spec = NM_SPEC(nm_var_options, var_defaults, var_options);

static const nm_norm_options norm_defaults = {NM_END(nm_norm_options), NM_NORM_DEFAULTS};
NM_OPTIONS_INIT(nm_norm_options, norm_defaults)
static const nm_named_value norm_names[] = {{"max", NM_NORM_MAX}, {NULL, 0}};
static const nm_option norm_options[] = {
    AXES(nm_norm_options),
    {NM_FIELD(nm_norm_options, p), NM_OPTION_FLOAT, .min = 1, .max = NM_NO_LIMIT, .also = "ord",
     .named = norm_names, .doc = "the power; max: the largest absolute value"},
};
static const nm_spec norm_spec = NM_SPEC(nm_norm_options, norm_defaults, norm_options);
static const nm_port y_port[] = {{.name = "y", .doc = "x's shape without the axes that go"}};

#define REDUCE_OP(name_, options_, spec_, summary_, doc_)                                          \
    NM_COMPOSED_OP(name_, nm_port_x, y_port, 0, summary_, .spec = &spec_, .doc = doc_)             \
    nm_tensor *nm_##name_##_with(nm_tape *tape, nm_tensor *x, const options_ *o)                   \
    {                                                                                              \
        return nm_apply1(tape, &nm_op_##name_, o, x);                                              \
    }

REDUCE_OP(min, nm_reduce_options, spec, "smallest value along axes",
          "y = smallest element of x along the axes; NaN if there is one.\n"
          "dx = dy / n where x = y, n being how many are equal; else 0.")
REDUCE_OP(prod, nm_reduce_options, spec, "product along axes",
          "y = product of x along the axes; 1 of nothing.\n"
          "dx = dy times the product of the others, also where elements are 0.")
REDUCE_OP(var, nm_var_options, var_spec, "variance along axes",
          "y = sum of (x - mean)^2 / (n - correction) along the axes.\n"
          "dx = 2 dy (x - mean) / (n - correction).")
REDUCE_OP(std, nm_var_options, var_spec, "standard deviation along axes",
          "y = square root of the variance along the axes.\n"
          "dx = dy (x - mean) / (y (n - correction)), 0 where y = 0.")
REDUCE_OP(logsumexp, nm_reduce_options, spec, "logarithm of a sum of exponentials",
          "y = ln of the sum of e^x along the axes, without overflow; -infinity of nothing.\n"
          "dx = dy e^(x - y).")
REDUCE_OP(norm, nm_norm_options, norm_spec, "length of vectors along axes",
          "y = (sum of |x|^p)^(1/p) along the axes; for p: max the largest |x|.\n"
          "dx = dy sign(x) (|x| / y)^(p - 1), 0 where y = 0; for max shared among equal ones.")
