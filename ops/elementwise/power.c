/* Roots, reciprocals and powers, elementwise. */
#include <float.h>
#include <tgmath.h>

#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/table.h"

NM_UNARY(sqrt, sqrt(x))
NM_UNARY(square, (x * x))
NM_UNARY(reciprocal, 1 / x)
NM_UNARY(rsqrt, 1 / sqrt(x))

static nm_tensor *sqrt_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_affine(v->tape, nm_div(v->tape, v->gout[0], v->out[0]), 0.5, 0);
}

static nm_tensor *square_vjp(nm_vjp *v, int input)
{
    return nm_affine(v->tape, nm_mul(v->tape, v->gout[0], v->in[input]), 2, 0);
}

static nm_tensor *reciprocal_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_neg(v->tape, nm_mul(v->tape, v->gout[0], nm_square(v->tape, v->out[0])));
}

static nm_tensor *rsqrt_vjp(nm_vjp *v, int input)
{
    (void)input;
    nm_tensor *cube = nm_mul(v->tape, v->out[0], nm_square(v->tape, v->out[0]));
    return nm_affine(v->tape, nm_mul(v->tape, v->gout[0], cube), -0.5, 0);
}

/* ---- pow: the exponent is an option or an input ---- */

static double exponent_of(const void *options)
{
    return ((const nm_pow_options *)options)->exponent;
}

/* 1 / sqrt(x) of a float in double: by a step of Newton's from float's, as exact as float can be in
 * a fraction of the time that double's root and division take. */
NM_INLINE double inverse_root_in_double(float x)
{
    const float near = 1 / sqrtf(x);
    const double y = near, better = y * (1.5 - 0.5 * (double)x * y * y);
    return near > 0 && near <= FLT_MAX ? better : y;
}

NM_INLINE float inverse_root_f32(float x)
{
    return (float)inverse_root_in_double(x);
}

NM_INLINE double inverse_root_f64(double x)
{
    return 1 / (sqrt)(x);
}

NM_INLINE float inverse_root_cube_f32(float x)
{
    const double root = inverse_root_in_double(x + 0.0f);
    return (float)(root * root * root);
}

NM_INLINE double inverse_root_cube_f64(double x)
{
    return 1 / (x * (sqrt)(x));
}

/* Of the type of its argument. */
#define OF_TYPE(function, x) _Generic((x), float : function##_f32, double : function##_f64)(x)

/* The usual exponents, in vectors. What is more than one operation is computed in double, so that
 * float's results are as exact as the C library's. Of -infinity, 0 and -0 they are PyTorch's. */
NM_UNARY(cube, (double)x *x *x)
NM_UNARY(inverse_square, 1 / ((double)x * x))
NM_LONG_UNARY(inverse_root, OF_TYPE(inverse_root, x))
NM_LONG_UNARY(inverse_root_cube, x == -(real)INFINITY ? (real)0
                                 : x == 0             ? (real)INFINITY
                                                      : OF_TYPE(inverse_root_cube, x))

static const struct {
    double exponent;
    nm_status (*forward)(const nm_run *run);
} usual[] = {
    {2, square_forward},
    {1, nm_elementwise_repeat},
    {0.5, sqrt_forward},
    {-1, reciprocal_forward},
    {3, cube_forward},
    {-0.5, inverse_root_forward},
    {-2, inverse_square_forward},
    {-1.5, inverse_root_cube_forward},
};

#define ODD_UP_TO 16777216.0 /* 2^24: beyond it, f32 has even numbers only */

NM_UNARY(power, pow(x, (real)exponent_of(options)))
NM_UNARY(large_power, (pow)((double)x, exponent_of(options)))
NM_BINARY(each_power, pow(a, b))

static nm_status pow_infer(nm_infer *infer)
{
    const bool option = exponent_of(infer->options) != NM_POW_BY_INPUT;
    if (option == (infer->in[1] != NULL)) {
        return nm_infer_fail(infer, "the exponent is an option or the second input, %s",
                             option ? "and was given as both" : "and was given as neither");
    }
    return infer->in[1] ? nm_infer_broadcast(infer) : nm_infer_same(infer);
}

/* Unusual exponents call the C library. */
static nm_status pow_forward(const nm_run *run)
{
    if (run->x[1]) {
        return each_power_forward(run);
    }
    nm_run one = *run;
    one.inputs = 1;
    const double exponent = exponent_of(run->options);
    for (int i = 0; i < NM_COUNT_OF(usual); i++) {
        if (exponent == usual[i].exponent) {
            return usual[i].forward(&one);
        }
    }
    return (fabs)(exponent) > ODD_UP_TO ? large_power_forward(&one) : power_forward(&one);
}

/* d(x^0) = 0 and d(x^1) = 1 also where the formula has 0 * infinity. */
static nm_tensor *slope_by_option(nm_vjp *v)
{
    const double exponent = exponent_of(v->options);
    if (exponent == 0 || exponent == 1) {
        return nm_affine(v->tape, v->gout[0], exponent, 0);
    }
    nm_tensor *x = v->in[0], *power = exponent == 2 ? x : nm_pow(v->tape, x, exponent - 1);
    return nm_affine(v->tape, nm_vjp_apply_last(v, &nm_op_mul, NULL, power), exponent, 0);
}

static nm_tensor *number(const nm_vjp *v, double value)
{
    return nm_scalar(v->tape, nm_tensor_dtype(v->in[0]), value);
}

/* x^(e - 1). An even e so large that e - 1 is rounded to an even number would lose the sign. */
static nm_tensor *power_before(const nm_vjp *v)
{
    nm_tape *tape = v->tape;
    nm_tensor *x = v->in[0], *e = v->in[1], *before = nm_affine(tape, e, 1, -1);
    const double most = nm_tensor_dtype(x) == NM_F64 ? 9007199254740992.0 : ODD_UP_TO;
    nm_tensor *large = nm_less(tape, number(v, most), nm_abs(tape, e));
    nm_tensor *size = nm_pow_tensor(tape, nm_abs(tape, x), before);
    return nm_where(tape, large, nm_mul(tape, nm_sign(tape, x), size),
                    nm_pow_tensor(tape, x, before));
}

/* 0 where e = 0, whatever x is; as PyTorch has it. */
static nm_tensor *slope_in_base(const nm_vjp *v)
{
    nm_tape *tape = v->tape;
    nm_tensor *zero = number(v, 0), *slope = nm_mul(tape, v->in[1], power_before(v));
    return nm_where(tape, nm_equal(tape, v->in[1], zero), zero, nm_mul(tape, v->gout[0], slope));
}

/* y ln x, and 0 where x = 0 and e >= 0; as PyTorch has it. */
static nm_tensor *slope_in_exponent(const nm_vjp *v)
{
    nm_tape *tape = v->tape;
    nm_tensor *x = v->in[0], *zero = number(v, 0);
    nm_tensor *flat = nm_mul(tape, nm_equal(tape, x, zero),
                             nm_apply2(tape, &nm_op_less_or_equal, NULL, zero, v->in[1]));
    nm_tensor *slope = nm_mul(tape, v->out[0], nm_log(tape, x));
    return nm_mul(tape, v->gout[0], nm_where(tape, flat, zero, slope));
}

static nm_tensor *pow_vjp(nm_vjp *v, int input)
{
    return input == 1 ? slope_in_exponent(v) : v->in[1] ? slope_in_base(v) : slope_by_option(v);
}

/* ---- The ops ---- */

static const nm_sample square_samples[] = {{.in = {NM_NORMAL(3, 5)}}};
static const nm_sample sqrt_samples[] = {{.in = {NM_UNIFORM(0.2, 3, 3, 5)}}};
static const nm_sample reciprocal_samples[] = {{.in = {NM_AWAY(0.5, 3, 5)}}};
#define rsqrt_samples sqrt_samples
static const nm_sample pow_samples[] = {
    {.options = "{exponent: 2.5}", .in = {NM_UNIFORM(0.2, 3, 3, 5)}},
    {.options = "{exponent: 3}", .in = {NM_NORMAL(4)}},
    {.options = "{exponent: -1}", .in = {NM_AWAY(0.5, 4)}},
    {.options = "{exponent: 2}", .in = {NM_NORMAL(4)}},
    {.options = "{exponent: 1}", .in = {NM_NORMAL(4)}},
    {.options = "{exponent: 0.5}", .in = {NM_UNIFORM(0.2, 3, 4)}},
    {.options = "{exponent: 0}", .in = {NM_NORMAL(4)}},
    {.in = {NM_UNIFORM(0.2, 3, 3, 5), NM_NORMAL(3, 5)}},
    {.in = {NM_UNIFORM(0.2, 3, 2, 1, 4), NM_NORMAL(3, 1)}},
};

static const nm_pow_options defaults = {NM_END(nm_pow_options), .exponent = NM_POW_BY_INPUT};
static const nm_named_value by_input[] = {{"input", NM_POW_BY_INPUT}, {NULL, 0}};
static const nm_option options[] = {
    {NM_FIELD(nm_pow_options, exponent), NM_OPTION_FLOAT, .named = by_input,
     .doc = "the power to raise to; input: the second input"},
};
static const nm_spec spec = NM_SPEC(nm_pow_options, defaults, options);
static const nm_port inputs[] = {
    {.name = "x", .doc = "any shape"},
    {.name = "exponent", .doc = "a shape that broadcasts with x's", .flags = NM_PORT_OPTIONAL},
};

NM_UNARY_OP_WITH_CALL(sqrt, "square root", .doc = "y = sqrt x, elementwise. dx = dy / (2 y).")
NM_UNARY_OP_WITH_CALL(square, "square", .doc = "y = x^2, elementwise. dx = 2 dy x.")
NM_UNARY_OP_WITH_CALL(reciprocal, "reciprocal", .doc = "y = 1 / x, elementwise. dx = -dy y^2.")
NM_UNARY_OP_WITH_CALL(rsqrt, "reciprocal of the square root",
                      .doc = "y = 1 / sqrt x, elementwise. dx = -dy y^3 / 2.")
NM_OP(pow, inputs, nm_port_y, pow_infer, NM_OP_IN_PLACE, "power", .spec = &spec, .also = "power",
      .doc = "y = x^exponent, elementwise; NaN for negative x unless the exponent is whole.\n"
             "dx = dy exponent x^(exponent - 1), 0 where the exponent is 0; of the exponent: dy y\n"
             "ln x, 0 where x = 0 and the exponent is not negative.")

nm_tensor *nm_pow(nm_tape *tape, nm_tensor *x, double exponent)
{
    nm_pow_options o = {NM_END(nm_pow_options), .exponent = exponent};
    return nm_apply1(tape, &nm_op_pow, &o, x);
}

nm_tensor *nm_pow_tensor(nm_tape *tape, nm_tensor *x, nm_tensor *exponent)
{
    return nm_apply2(tape, &nm_op_pow, NULL, x, exponent);
}
