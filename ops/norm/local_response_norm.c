/* Local response normalization: each channel divided by what the channels around it say.
 * Krizhevsky, Sutskever, Hinton 2012. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "ops/table.h"

/* The mean square of `size` channels, those beyond the first and the last counting as 0: that of a
 * window over images of one column, whose rows are the channels. */
static nm_tensor *mean_square(nm_compose *c, int64_t size)
{
    nm_tape *tape = c->tape;
    const nm_shape *x = nm_tensor_shape(c->in[0]);
    const int64_t channels = x->dim[x->rank - 1];
    nm_shape column = {.rank = 4, .dim = {1, channels, 1, 1}};
    for (int d = 0; d < x->rank - 1; d++) {
        column.dim[0] *= x->dim[d];
    }
    nm_tensor *square = nm_reshape(tape, nm_square(tape, c->in[0]), column);
    nm_tensor *mean = nm_avg_pool2d(tape, square, .kernel = NM_INTS(size, 1), .stride = NM_INTS(1),
                                    .padding = NM_INTS(size / 2, (size - 1) / 2, 0, 0));
    return nm_reshape(tape, mean, *x);
}

static nm_tensor *local_response_norm_compose(nm_compose *c)
{
    const nm_local_response_norm_options *o = c->options;
    const nm_shape *x = nm_tensor_shape(c->in[0]);
    char text[NM_SHAPE_TEXT];
    if (x->rank < 1 || x->dim[x->rank - 1] < 1) {
        return nm_compose_fail(c, "x %s is no [..., channels]", nm_shape_text(x, text));
    }
    nm_tensor *base = nm_affine(c->tape, mean_square(c, o->size), o->alpha, o->k);
    return nm_div(c->tape, c->in[0], nm_pow(c->tape, base, o->beta));
}

static const nm_sample local_response_norm_samples[] = {
    {.options = "{size: 3}", .in = {NM_NORMAL(2, 3, 5)}},
    {.options = "{size: 2, alpha: 0.7, beta: 0.4, k: 0.5}", .in = {NM_NORMAL(3, 4)}},
    {.options = "{size: 4, alpha: 0.5, beta: 1.5, k: 2}", .in = {NM_NORMAL(2, 3)}},
};

static const nm_local_response_norm_options defaults = {NM_END(nm_local_response_norm_options),
                                                        NM_LOCAL_RESPONSE_NORM_DEFAULTS};
NM_OPTIONS_INIT(nm_local_response_norm_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_local_response_norm_options, size), NM_OPTION_INT, .min = 1, .max = 65536,
     .flags = NM_REQUIRED, .doc = "channels that count for one, itself among them"},
    {NM_FIELD(nm_local_response_norm_options, alpha), NM_OPTION_FLOAT, .min = 0, .max = 1e30,
     .doc = "of the mean square"},
    {NM_FIELD(nm_local_response_norm_options, beta), NM_OPTION_FLOAT, .min = 0, .max = 1e30,
     .doc = "the power"},
    {NM_FIELD(nm_local_response_norm_options, k), NM_OPTION_FLOAT, .min = 0, .max = 1e30,
     .flags = NM_MIN_OPEN, .doc = "added before the power"},
};
static const nm_spec spec = NM_SPEC(nm_local_response_norm_options, defaults, options);
static const nm_port x_port[] = {{.name = "x", .doc = "[..., channels]"}};

NM_COMPOSED_OP(local_response_norm, x_port, nm_port_y, 0, "normalization by channels around",
               .spec = &spec, .also = "lrn",
               .doc =
                   "y = x / (k + alpha m)^beta, m the mean of x^2 over `size` channels: size / 2\n"
                   "before, (size - 1) / 2 behind, those that are not there counting as 0.\n"
                   "Krizhevsky, Sutskever, Hinton 2012.")

nm_tensor *nm_local_response_norm_with(nm_tape *tape, nm_tensor *x,
                                       const nm_local_response_norm_options *o)
{
    return nm_apply1(tape, &nm_op_local_response_norm, o, x);
}
