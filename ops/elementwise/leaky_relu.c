/* y = x where x > 0, else a slope times x, elementwise (Maas, Hannun, Ng 2013). The derivative at 0
 * is the slope's, as PyTorch has it. NaN stays NaN. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/table.h"

#define SLOPE ((real)((const nm_leaky_relu_options *)options)->negative_slope)

/* One of the two terms is 0. Reading the option whatever x is lets the loops vectorize. */
NM_UNARY(leaky_relu, (x < 0 ? 0 : x) + SLOPE * (x > 0 ? 0 : x))
NM_SLOPE(leaky_relu_grad,
         ((a > 0 ? 1 : (real)0) + SLOPE * (a > 0 ? 0 : (real)1)) * b) /* a = x, b = dy */
#define leaky_relu_bend nm_no_bend

static const nm_sample leaky_relu_samples[] = {
    {.in = {NM_AWAY(0.1, 3, 5)}},
    {.options = "{negative_slope: -0.5}", .in = {NM_AWAY(0.1, 4)}},
};
static const nm_sample leaky_relu_grad_samples[] = {
    {.options = "{negative_slope: 0.2}", .in = {NM_AWAY(0.1, 3, 5), NM_NORMAL(3, 5)}},
};

static const nm_leaky_relu_options defaults = {NM_END(nm_leaky_relu_options),
                                               NM_LEAKY_RELU_DEFAULTS};
NM_OPTIONS_INIT(nm_leaky_relu_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_leaky_relu_options, negative_slope), NM_OPTION_FLOAT, .also = "slope alpha",
     .doc = "the slope below 0"},
};
static const nm_spec spec = NM_SPEC(nm_leaky_relu_options, defaults, options);

NM_SLOPE_OP(leaky_relu, in, nm_port_x_dy, .spec = &spec,
            .doc = "dx = dy where x > 0, else negative_slope dy.")
NM_UNARY_OP(leaky_relu, "leaky rectified linear unit", .spec = &spec,
            .doc = "y = x where x > 0, else negative_slope x, elementwise.\n"
                   "dx = dy where x > 0, else negative_slope dy.\n"
                   "Maas, Hannun, Ng 2013, \"Rectifier nonlinearities improve neural network "
                   "acoustic models\".")

nm_tensor *nm_leaky_relu_with(nm_tape *tape, nm_tensor *x, const nm_leaky_relu_options *o)
{
    return nm_apply1(tape, &nm_op_leaky_relu, o, x);
}
