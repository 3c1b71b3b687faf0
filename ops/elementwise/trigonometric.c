/* Sine, cosine and the error function, elementwise, by the C library. */
#include <tgmath.h>

#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/table.h"

#define TWO_BY_ROOT_PI 1.1283791670955126

NM_UNARY(sin, sin(x))
NM_UNARY(cos, cos(x))
NM_UNARY(erf, erf(x))

static nm_tensor *sin_vjp(nm_vjp *v, int input)
{
    return nm_mul(v->tape, v->gout[0], nm_cos(v->tape, v->in[input]));
}

static nm_tensor *cos_vjp(nm_vjp *v, int input)
{
    return nm_neg(v->tape, nm_mul(v->tape, v->gout[0], nm_sin(v->tape, v->in[input])));
}

static nm_tensor *erf_vjp(nm_vjp *v, int input)
{
    nm_tensor *bell = nm_exp(v->tape, nm_neg(v->tape, nm_square(v->tape, v->in[input])));
    return nm_affine(v->tape, nm_mul(v->tape, v->gout[0], bell), TWO_BY_ROOT_PI, 0);
}

static const nm_sample sin_samples[] = {{.in = {NM_NORMAL(3, 5)}}};
#define cos_samples sin_samples
#define erf_samples sin_samples

NM_UNARY_OP_WITH_CALL(sin, "sine", .doc = "y = sin x, elementwise. dx = dy cos x.")
NM_UNARY_OP_WITH_CALL(cos, "cosine", .doc = "y = cos x, elementwise. dx = -dy sin x.")
NM_UNARY_OP_WITH_CALL(erf, "error function",
                      .doc = "y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x, "
                             "elementwise.\ndx = dy 2 / sqrt(pi) e^(-x^2).")
