/* Exponential, logarithm, roots and powers, elementwise. */
#include <tgmath.h>

#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/kernels/math.h"
#include "ops/table.h"

NM_UNARY(exp, NM_EXP(x))
NM_UNARY(log, NM_LOG(x))
NM_UNARY(sqrt, sqrt(x))
NM_UNARY(square, (x * x))

static nm_tensor *exp_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_mul(v->tape, v->gout[0], v->out[0]);
}

static nm_tensor *log_vjp(nm_vjp *v, int input)
{
    return nm_div(v->tape, v->gout[0], v->in[input]);
}

static nm_tensor *sqrt_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_affine(v->tape, nm_div(v->tape, v->gout[0], v->out[0]), 0.5, 0);
}

static nm_tensor *square_vjp(nm_vjp *v, int input)
{
    return nm_affine(v->tape, nm_mul(v->tape, v->gout[0], v->in[input]), 2, 0);
}

/* ---- pow ---- */

#define EXPONENT (((const nm_pow_options *)v->options)->exponent)

NM_UNARY(power, pow(x, (real)((const nm_pow_options *)options)->exponent))

/* The usual exponents have vector instructions, the others call the C library. */
static nm_status pow_forward(const nm_run *run)
{
    double exponent = ((const nm_pow_options *)run->options)->exponent;
    return exponent == 2     ? square_forward(run)
           : exponent == 0.5 ? sqrt_forward(run)
                             : power_forward(run);
}

/* d(x^0) = 0 and d(x^1) = 1 also at x = 0, where the formula has 0 * infinity. */
static nm_tensor *pow_vjp(nm_vjp *v, int input)
{
    if (EXPONENT == 0) {
        return nm_affine(v->tape, v->gout[0], 0, 0);
    }
    nm_tensor *power = nm_pow(v->tape, v->in[input], EXPONENT - 1);
    return nm_affine(v->tape, nm_mul(v->tape, v->gout[0], power), EXPONENT, 0);
}

/* ---- The ops ---- */

static const nm_sample exp_samples[] = {{.in = {NM_NORMAL(3, 5)}}};
static const nm_sample square_samples[] = {{.in = {NM_NORMAL(3, 5)}}};
static const nm_sample log_samples[] = {{.in = {NM_UNIFORM(0.2, 3, 3, 5)}}};
static const nm_sample sqrt_samples[] = {{.in = {NM_UNIFORM(0.2, 3, 3, 5)}}};
static const nm_sample pow_samples[] = {
    {.options = "{exponent: 2.5}", .in = {NM_UNIFORM(0.2, 3, 3, 5)}},
    {.options = "{exponent: 3}", .in = {NM_NORMAL(4)}},
    {.options = "{exponent: -1}", .in = {NM_AWAY(0.5, 4)}},
    {.options = "{exponent: 2}", .in = {NM_NORMAL(4)}},
    {.options = "{exponent: 1}", .in = {NM_NORMAL(4)}},
    {.options = "{exponent: 0.5}", .in = {NM_UNIFORM(0.2, 3, 4)}},
    {.options = "{exponent: 0}", .in = {NM_NORMAL(4)}},
};

static const nm_pow_options defaults = {NM_END(nm_pow_options), .exponent = 1};
static const nm_option options[] = {
    {NM_FIELD(nm_pow_options, exponent), NM_OPTION_FLOAT, .doc = "the power to raise to",
     .flags = NM_REQUIRED},
};
static const nm_spec spec = NM_SPEC(nm_pow_options, defaults, options);

NM_UNARY_OP_WITH_CALL(exp, "exponential", .doc = "y = e^x, elementwise. dx = dy y.")
NM_UNARY_OP_WITH_CALL(log, "natural logarithm", .doc = "y = ln x, elementwise. dx = dy / x.")
NM_UNARY_OP_WITH_CALL(sqrt, "square root", .doc = "y = sqrt x, elementwise. dx = dy / (2 y).")
NM_UNARY_OP_WITH_CALL(square, "square", .doc = "y = x^2, elementwise. dx = 2 dy x.")
NM_UNARY_OP(pow, "power", .spec = &spec,
            .doc = "y = x^exponent, elementwise; NaN for negative x unless the exponent is whole.\n"
                   "dx = dy exponent x^(exponent - 1).")

nm_tensor *nm_pow(nm_tape *tape, nm_tensor *x, double exponent)
{
    nm_pow_options o = {NM_END(nm_pow_options), .exponent = exponent};
    return nm_apply1(tape, &nm_op_pow, &o, x);
}
