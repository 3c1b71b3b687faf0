/* Roots, reciprocals and powers, elementwise. */
#include <float.h>
#include <string.h>
#include <tgmath.h>

#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/kernels/math.h"
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

NM_INLINE uint64_t bits_of_double(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* log2 of a float above 0, to 2^-43: x = m 2^n with m in [sqrt(1/2), sqrt(2)), and log m is
 * 2 artanh (m - 1)/(m + 1). */
NM_INLINE double log2_in_double(float x)
{
    const bool denormal = x < FLT_MIN; /* brought into range by 2^23 */
    const uint32_t bits = (uint32_t)nm_bits_of_float(x * (denormal ? 8388608.0f : 1.0f));
    const int32_t n = (int32_t)(bits - 0x3f3504f3u) >> 23;
    const double m = nm_float_of_bits((int32_t)(bits - ((uint32_t)n << 23)));
    const double s = (m - 1) / (m + 1), z = s * s;
    double p = 0.28288718263073564;
    p = p * z + 0.3199066608891474;
    p = p * z + 0.41220922733052444;
    p = p * z + 0.5770779426302618;
    p = p * z + 0.96179669411235945;
    p = p * z + 2.8853900817778506;
    return n - (denormal ? 23 : 0) + s * p;
}

/* 2^t to 2^-34 of it, for |t| <= 1000; NaN stays. Adding 1.5 * 2^52 rounds t to an integer, which
 * then stands in the lowest bits. */
NM_INLINE double exp2_in_double(double t)
{
    const double shift = 6755399441055744.0, shifted = t + shift, r = t - (shifted - shift);
    double p = 1.5303700711365694e-5;
    p = p * r + 1.5469729214118297e-4;
    p = p * r + 1.3333478473685415e-3;
    p = p * r + 9.6180256133180342e-3;
    p = p * r + 5.5504109063258666e-2;
    p = p * r + 0.24022651213498093;
    p = p * r + 0.69314718055683241;
    p = p * r + 0.99999999995956175;
    const uint64_t scaled = bits_of_double(p) + (bits_of_double(shifted) << 52);
    double y;
    memcpy(&y, &scaled, sizeof y);
    return y;
}

/* x^e as C and PyTorch have it, 0.51 ulp off at most. A float is whole from 2^23 on, and even from
 * 2^24 on. What depends on that is numbers, not conditions: so it vectorizes. */
NM_INLINE float power_f32(float x, float e)
{
    const float size = fabsf(x), by = fabsf(e), half = 0.5f * by, shift = 8388608;
    const bool whole = by >= shift || (by + shift) - shift == by;
    const bool even = by >= 2 * shift || (half + shift) - shift == half;
    const float finite = whole ? 1 : NAN; /* times the power of a negative number */
    const int32_t sign = whole && !even ? INT32_MIN : 0;
    double t = log2_in_double(size) * (double)e;
    t = t < -200 ? -200 : t;
    t = t > 200 ? 200 : t;
    float y = (float)exp2_in_double(t);
    y = size == 0 ? (e < 0 ? INFINITY : 0) : y;
    y = size == INFINITY ? (e < 0 ? 0 : INFINITY) : y;
    y = size == 1 ? 1 : y; /* by an infinite exponent, too */
    y = x < 0 ? y * (size < INFINITY ? finite : 1) : y;
    y = nm_float_of_bits(nm_bits_of_float(y) ^ (nm_bits_of_float(x) & sign));
    y = x != x || e != e ? NAN : y;
    return e == 0 || x == 1 ? 1 : y;
}

NM_INLINE double power_f64(double x, double e)
{
    return (pow)(x, e);
}

NM_LONG_BINARY(each_power, _Generic((a), float : power_f32, double : power_f64)(a, b))

/* By one that float does not hold, or in f64. */
static void large_power_row_f32(const void *options, const void *const *xs, void *ys, int64_t n)
{
    const float *x = xs[0];
    float *y = ys;
    for (int64_t i = 0; i < n; i++) {
        y[i] = (float)(pow)((double)x[i], exponent_of(options));
    }
}

static void power_row_f64(const void *options, const void *const *xs, void *ys, int64_t n)
{
    const double *x = xs[0];
    double *y = ys;
    for (int64_t i = 0; i < n; i++) {
        y[i] = (pow)(x[i], exponent_of(options));
    }
}

/* By one exponent: the same loop, with copies of it. */
static void power_row_f32(const void *options, const void *const *xs, void *ys, int64_t n)
{
    enum { COPIES = 16 * NM_BLOCK };
    float copies[COPIES];
    for (int i = 0; i < COPIES; i++) {
        copies[i] = (float)exponent_of(options);
    }
    for (int64_t at = 0; at < n; at += COPIES) {
        const void *const in[] = {(const float *)xs[0] + at, copies};
        each_power_row_f32(options, in, (float *)ys + at, n - at < COPIES ? n - at : COPIES);
    }
}

static nm_status pow_infer(nm_infer *infer)
{
    const bool option = exponent_of(infer->options) != NM_POW_BY_INPUT;
    if (option == (infer->in[1] != NULL)) {
        return nm_infer_fail(infer, "the exponent is an option or the second input, %s",
                             option ? "and was given as both" : "and was given as neither");
    }
    return infer->in[1] ? nm_infer_broadcast(infer) : nm_infer_same(infer);
}

static nm_status pow_forward(const nm_run *run)
{
    if (run->x[1]) {
        return each_power_forward(run);
    }
    nm_run one = *run;
    one.inputs = 1;
    const double by = exponent_of(run->options);
    for (int i = 0; i < NM_COUNT_OF(usual); i++) {
        if (by == usual[i].exponent) {
            return usual[i].forward(&one);
        }
    }
    return nm_elementwise_in_blocks(
        &one, (fabs)(by) > ODD_UP_TO ? large_power_row_f32 : power_row_f32, power_row_f64);
}

/* d(x^0) = 0 and d(x^1) = 1 also where the formula has 0 * infinity. */
static nm_tensor *slope_by_option(nm_vjp *v)
{
    const double by = exponent_of(v->options);
    if (by == 0 || by == 1) {
        return nm_affine(v->tape, v->gout[0], by, 0);
    }
    nm_tensor *x = v->in[0], *power = by == 2 ? x : nm_pow(v->tape, x, by - 1);
    return nm_affine(v->tape, nm_vjp_apply_last(v, &nm_op_mul, NULL, power), by, 0);
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

nm_tensor *nm_pow(nm_tape *tape, nm_tensor *x, double by)
{
    nm_pow_options o = {NM_END(nm_pow_options), .exponent = by};
    return nm_apply1(tape, &nm_op_pow, &o, x);
}

nm_tensor *nm_pow_tensor(nm_tape *tape, nm_tensor *x, nm_tensor *by)
{
    return nm_apply2(tape, &nm_op_pow, NULL, x, by);
}
