/* Two smooth relatives of relu, elementwise: silu, y = x s(x) with s the logistic function
 * (Elfwing, Uchibe, Doya 2018, arXiv 1702.03118; as swish Ramachandran and others 2017), and mish,
 * y = x tanh(ln(1 + e^x)) (Misra 2019, arXiv 1908.08681). */
#include <tgmath.h>

#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/kernels/math.h"
#include "ops/table.h"

NM_LONG_UNARY(silu, x *NM_SIGMOID(x))
NM_LONG_SLOPE(silu_grad, b *NM_SIGMOID(a) * (1 + a * (1 - NM_SIGMOID(a)))) /* a = x, b = dy */

/* s (1 - s) (2 + x (1 - 2 s)), where 1 - s is s(-x) */
static nm_tensor *silu_bend(nm_vjp *v)
{
    nm_tape *tape = v->tape;
    nm_tensor *x = v->in[0], *s = nm_sigmoid(tape, x), *rest = nm_sigmoid(tape, nm_neg(tape, x));
    nm_tensor *turn = nm_affine(tape, nm_mul(tape, x, nm_affine(tape, s, -2, 1)), 1, 2);
    return nm_mul(tape, nm_mul(tape, s, rest), turn);
}

/* ---- mish: with e = e^x and n = e (e + 2), tanh(ln(1 + e)) = n / (n + 2) ---- */

#define FAR 20 /* n / (n + 2) is 1 from here on, in f64 too */
#define POWER(x) NM_EXP((x) > FAR ? (real)FAR : (x))
#define WEIGHT(e) ((e) * ((e) + 2) / ((e) * ((e) + 2) + 2))
#define SQUARE(x) ((x) * (x))
#define WEIGHT_SLOPE(e) (4 * (e) * ((e) + 1) / SQUARE((e) * ((e) + 2) + 2))
#define NEAR(x) ((x) > FAR ? (real)FAR : (x)) /* farther off, x WEIGHT_SLOPE would not be 0 */

NM_LONG_UNARY(mish, x *WEIGHT(POWER(x)))
NM_LONG_SLOPE(mish_grad,
              b *(WEIGHT(POWER(a)) + NEAR(a) * WEIGHT_SLOPE(POWER(a)))) /* a = x, b = dy */

/* With t = tanh(ln(1 + e^x)) and s = s(x): t' = (1 - t^2) s, and the slope t + x t' has the
 * derivative (1 - t^2) s (2 + x (1 - s - 2 t s)). */
static nm_tensor *mish_bend(nm_vjp *v)
{
    nm_tape *tape = v->tape;
    nm_tensor *x = v->in[0], *s = nm_sigmoid(tape, x), *rest = nm_sigmoid(tape, nm_neg(tape, x));
    nm_tensor *t = nm_tanh(tape, nm_softplus(tape, x));
    nm_tensor *slope = nm_mul(tape, nm_affine(tape, nm_square(tape, t), -1, 1), s);
    nm_tensor *turn = nm_sub(tape, rest, nm_affine(tape, nm_mul(tape, t, s), 2, 0));
    return nm_mul(tape, slope, nm_affine(tape, nm_mul(tape, x, turn), 1, 2));
}

static const nm_sample silu_samples[] = {{.in = {NM_NORMAL(3, 5)}},
                                         {.in = {NM_UNIFORM(-30, 30, 9)}}};
static const nm_sample silu_grad_samples[] = {{.in = {NM_NORMAL(3, 5), NM_NORMAL(3, 5)}}};
#define mish_samples silu_samples
#define mish_grad_samples silu_grad_samples

NM_SLOPE_OP(silu, in, nm_port_x_dy,
            .doc = "dx = dy s (1 + x (1 - s)), elementwise; s = 1 / (1 + e^-x).")
NM_SLOPE_OP(mish, in, nm_port_x_dy,
            .doc = "dx = dy (t + x (1 - t^2) s), elementwise; t = tanh(ln(1 + e^x)),\n"
                   "s = 1 / (1 + e^-x).")
NM_UNARY_OP_WITH_CALL(silu, "x times its logistic sigmoid", .also = "swish",
                      .doc =
                          "y = x s, elementwise; s = 1 / (1 + e^-x). dx = dy s (1 + x (1 - s)).\n"
                          "Elfwing, Uchibe, Doya 2018, arXiv 1702.03118.")
NM_UNARY_OP_WITH_CALL(mish, "x times tanh of softplus",
                      .doc =
                          "y = x t, elementwise; t = tanh(ln(1 + e^x)).\n"
                          "dx = dy (t + x (1 - t^2) / (1 + e^-x)). Misra 2019, arXiv 1908.08681.")
