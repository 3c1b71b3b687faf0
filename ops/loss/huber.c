/* With the difference x and c = x limited to -delta..delta,
 *
 *     y = c (x - c / 2)    x^2 / 2 where |x| <= delta, else delta (|x| - delta / 2)
 *
 * (Huber 1964, "Robust estimation of a location parameter"): errors beyond delta pull with a force
 * that does not grow. The slope is c. NaN stays NaN. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/loss.h"
#include "ops/table.h"

#define DELTA ((real)((const nm_huber_options *)options)->delta)
#define LIMITED(x) ((x) > DELTA ? DELTA : (x) < -DELTA ? -DELTA : (x))

NM_UNARY(huber, LIMITED(x) * (x - LIMITED(x) / 2))
NM_SLOPE(huber_grad, LIMITED(a) * b) /* a = x, b = dy */

/* 1 within the limits, 0 beyond: the slope of relu at delta - |x|. */
static nm_tensor *huber_bend(nm_vjp *v)
{
    nm_tape *tape = v->tape;
    const double delta = ((const nm_huber_options *)v->options)->delta;
    nm_tensor *x = v->in[0];
    nm_tensor *size = nm_add(tape, nm_relu(tape, x), nm_relu(tape, nm_neg(tape, x)));
    nm_tensor *inside = nm_relu(tape, nm_affine(tape, size, -1, delta));
    nm_tensor *ones = nm_full(tape, nm_tensor_dtype(x), *nm_tensor_shape(x), 1);
    return nm_apply2(tape, &nm_op_relu_grad, NULL, inside, ones);
}

/* Beside the bend at delta: all within, all beyond. */
static const nm_sample huber_samples[] = {
    {.in = {NM_UNIFORM(-0.9, 0.9, 3, 5)}},
    {.options = "{delta: 0.05}", .in = {NM_AWAY(0.1, 3, 5)}},
};
static const nm_sample huber_grad_samples[] = {
    {.in = {NM_UNIFORM(-0.9, 0.9, 3, 5), NM_NORMAL(3, 5)}},
    {.options = "{delta: 0.05}", .in = {NM_AWAY(0.1, 4), NM_NORMAL(4)}},
};

static const nm_huber_options defaults = {NM_HUBER_DEFAULTS, NM_END(nm_huber_options)};
NM_OPTIONS_INIT(nm_huber_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_huber_options, delta), NM_OPTION_FLOAT, .min = 0, .max = 1e30,
     .flags = NM_MIN_OPEN, .doc = "up to this size a difference counts as its square"},
};
static const nm_spec spec = NM_SPEC(nm_huber_options, defaults, options);

NM_SLOPE_OP(huber, in, nm_port_x_dy, .spec = &spec,
            .doc = "dx = dy x, with x limited to -delta..delta.")
NM_UNARY_OP(huber, "a square for small values, straight beyond delta", .spec = &spec,
            .doc = "y = x^2 / 2 where |x| <= delta, else delta (|x| - delta / 2), elementwise.\n"
                   "dx = dy x, with x limited to -delta..delta.\n"
                   "Huber 1964, \"Robust estimation of a location parameter\".")

nm_tensor *nm_huber_with(nm_tape *tape, nm_tensor *x, const nm_huber_options *o)
{
    return nm_apply1(tape, &nm_op_huber, o, x);
}
