/* Exponentials and logarithms, elementwise. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/kernels/math.h"
#include "ops/table.h"

NM_LONG_UNARY(exp, NM_EXP(x))
NM_LONG_UNARY(log, NM_LOG(x))
NM_LONG_UNARY(expm1, NM_EXPM1(x))
NM_LONG_UNARY(log1p, NM_LOG1P(x))

static nm_tensor *exp_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_mul(v->tape, v->gout[0], v->out[0]);
}

static nm_tensor *log_vjp(nm_vjp *v, int input)
{
    return nm_div(v->tape, v->gout[0], v->in[input]);
}

static nm_tensor *expm1_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_mul(v->tape, v->gout[0], nm_affine(v->tape, v->out[0], 1, 1));
}

static nm_tensor *log1p_vjp(nm_vjp *v, int input)
{
    return nm_div(v->tape, v->gout[0], nm_affine(v->tape, v->in[input], 1, 1));
}

static const nm_sample exp_samples[] = {{.in = {NM_NORMAL(3, 5)}}};
static const nm_sample log_samples[] = {{.in = {NM_UNIFORM(0.2, 3, 3, 5)}}};
#define expm1_samples exp_samples
static const nm_sample log1p_samples[] = {{.in = {NM_UNIFORM(-0.8, 3, 3, 5)}}};

NM_UNARY_OP_WITH_CALL(exp, "exponential", .doc = "y = e^x, elementwise. dx = dy y.")
NM_UNARY_OP_WITH_CALL(log, "natural logarithm", .doc = "y = ln x, elementwise. dx = dy / x.")
NM_UNARY_OP_WITH_CALL(expm1, "exponential less one",
                      .doc = "y = e^x - 1, elementwise, accurate near x = 0. dx = dy (y + 1).")
NM_UNARY_OP_WITH_CALL(log1p, "logarithm of one more",
                      .doc = "y = ln(1 + x), elementwise, accurate near x = 0. dx = dy / (1 + x).")
