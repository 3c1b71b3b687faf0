/* Straight and square pieces in place of smooth functions, elementwise: hard_sigmoid (Courbariaux
 * and others 2015, arXiv 1511.00363), hard_swish (Howard and others 2019, arXiv 1905.02244); and
 * prelu, a leaky relu whose slope is an input (He and others 2015, arXiv 1502.01852). */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/table.h"

/* ---- hard_sigmoid ---- */

#define OPTION(name) ((real)((const nm_hard_sigmoid_options *)options)->name)
#define LINE(x) (OPTION(alpha) * (x) + OPTION(beta))

NM_UNARY(hard_sigmoid, LINE(x) < 0 ? 0 : LINE(x) > 1 ? 1 : LINE(x))
/* a = x, b = dy. The product alone is compared: with the sum rounded together with it, as some
 * processors do, a bend such as -3 would lie beside itself. */
#define RISES(x) ((OPTION(alpha) * (x) > -OPTION(beta)) & (OPTION(alpha) * (x) < 1 - OPTION(beta)))
NM_SLOPE(hard_sigmoid_grad, RISES(a) ? OPTION(alpha) * b : 0)
#define hard_sigmoid_bend nm_no_bend

/* ---- hard_swish: x times the line (x + 3) / 6 within 0..1 ---- */

#define SIXTH(x) ((x) + 3 < 0 ? 0 : (x) + 3 > 6 ? 6 : (x) + 3)

NM_UNARY(hard_swish, x *SIXTH(x) / 6)
NM_SLOPE(hard_swish_grad, a <= -3 ? 0 : a < 3 ? b * (a / 3 + (real)0.5) : b) /* a = x, b = dy */

/* 1/3 between -3 and 3 */
static nm_tensor *hard_swish_bend(nm_vjp *v)
{
    nm_tensor *x = v->in[0], *three = nm_scalar(v->tape, nm_tensor_dtype(x), 3);
    nm_tensor *inside = nm_less(v->tape, nm_abs(v->tape, x), three);
    return nm_affine(v->tape, inside, 1.0 / 3, 0);
}

/* ---- prelu ---- */

NM_BINARY(prelu, a > 0 ? a : (a * b))

static nm_tensor *prelu_vjp(nm_vjp *v, int input)
{
    nm_tape *tape = v->tape;
    nm_tensor *x = v->in[0], *dy = v->gout[0], *zero = nm_scalar(tape, nm_tensor_dtype(x), 0);
    nm_tensor *above = nm_less(tape, zero, x);
    return input == 0 ? nm_where(tape, above, dy, nm_mul(tape, dy, v->in[1]))
                      : nm_where(tape, above, zero, nm_mul(tape, dy, x));
}

/* ---- The ops ---- */

static const nm_sample hard_sigmoid_samples[] = {
    {.in = {NM_NORMAL(3, 5)}},
    {.options = "{alpha: 0.01, beta: 0.25}", .in = {NM_NORMAL(4)}},
    {.options = "{alpha: 10, beta: 0.5}", .in = {NM_AWAY(0.1, 9)}},
};
static const nm_sample hard_sigmoid_grad_samples[] = {
    {.options = "{alpha: 10, beta: 0.5}", .in = {NM_AWAY(0.1, 9), NM_NORMAL(9)}}};
static const nm_sample hard_swish_samples[] = {
    {.in = {NM_UNIFORM(-2.9, 2.9, 3, 5)}},
    {.in = {NM_AWAY(3.1, 7)}},
};
static const nm_sample hard_swish_grad_samples[] = {
    {.in = {NM_UNIFORM(-2.9, 2.9, 4), NM_NORMAL(4)}},
    {.in = {NM_AWAY(3.1, 4), NM_NORMAL(4)}},
};
static const nm_sample prelu_samples[] = {
    {.in = {NM_AWAY(0.1, 3, 5), NM_NORMAL(5)}},
    {.in = {NM_AWAY(0.1, 2, 3, 2), NM_NORMAL(1)}},
};

static const nm_hard_sigmoid_options defaults = {NM_END(nm_hard_sigmoid_options),
                                                 NM_HARD_SIGMOID_DEFAULTS};
NM_OPTIONS_INIT(nm_hard_sigmoid_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_hard_sigmoid_options, alpha), NM_OPTION_FLOAT,
     .doc = "the slope of the line; PyTorch's, ONNX has 0.2"},
    {NM_FIELD(nm_hard_sigmoid_options, beta), NM_OPTION_FLOAT, .doc = "its value at 0"},
};
static const nm_spec spec = NM_SPEC(nm_hard_sigmoid_options, defaults, options);
static const nm_port prelu_ports[] = {
    {.name = "x", .doc = "any shape"},
    {.name = "weight", .doc = "the slope below 0: [channels], the last axis, or [1]"},
};

NM_SLOPE_OP(hard_sigmoid, in, nm_port_x_dy, .spec = &spec,
            .doc = "dx = alpha dy where alpha x + beta is between 0 and 1, else 0.")
NM_SLOPE_OP(hard_swish, in, nm_port_x_dy,
            .doc = "dx = 0 where x <= -3, dy (x / 3 + 1/2) where x < 3, else dy.")
NM_UNARY_OP(hard_sigmoid, "a line within 0..1", .spec = &spec,
            .doc = "y = alpha x + beta, at least 0 and at most 1, elementwise.\n"
                   "dx = alpha dy between the two, else 0.")
NM_UNARY_CALL_WITH(hard_sigmoid, nm_hard_sigmoid_options)
NM_UNARY_OP_WITH_CALL(hard_swish, "x times a line within 0..1",
                      .doc = "y = x min(max(x + 3, 0), 6) / 6, elementwise.\n"
                             "dx = 0 where x <= -3, dy (x / 3 + 1/2) where x < 3, else dy.\n"
                             "Howard and others 2019, arXiv 1905.02244.")
NM_OP(prelu, prelu_ports, nm_port_y, nm_infer_broadcast, NM_OPS_ELEMENTWISE,
      "leaky rectified linear unit whose slope is an input",
      .doc = "y = x where x > 0, else weight x, elementwise.\n"
             "dx = dy where x > 0, else weight dy; of the weight: x dy where x <= 0.\n"
             "He, Zhang, Ren, Sun 2015, arXiv 1502.01852.")

nm_tensor *nm_prelu(nm_tape *tape, nm_tensor *x, nm_tensor *weight)
{
    return nm_apply2(tape, &nm_op_prelu, NULL, x, weight);
}
