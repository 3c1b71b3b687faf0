/* Size, sign and whole numbers, elementwise: straight pieces. */
#include <tgmath.h>

#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/table.h"

NM_UNARY(abs, fabs(x))
NM_UNARY(sign, (real)(x > 0) - (real)(x < 0))
NM_UNARY(floor, floor(x))
NM_UNARY(ceil, ceil(x))
NM_UNARY(round, rint(x)) /* to even, in the mode that a program begins in */

static nm_tensor *abs_vjp(nm_vjp *v, int input)
{
    return nm_mul(v->tape, v->gout[0], nm_sign(v->tape, v->in[input]));
}
#define sign_vjp NULL
#define floor_vjp NULL
#define ceil_vjp NULL
#define round_vjp NULL

static const nm_sample abs_samples[] = {{.in = {NM_AWAY(0.1, 3, 5)}}};
static const nm_sample sign_samples[] = {{.in = {NM_NORMAL(3, 5)}}};
#define floor_samples sign_samples
#define ceil_samples sign_samples
#define round_samples sign_samples

#define STEP_OP(name_, summary_, doc_)                                                             \
    NM_OP(name_, nm_port_x, nm_port_y, nm_infer_same, NM_OPS_ELEMENTWISE | NM_OP_NO_VJP, summary_, \
          .doc = doc_)                                                                             \
    NM_CALL_OF_1(name_)

NM_UNARY_OP_WITH_CALL(abs, "absolute value",
                      .doc = "y = |x|, elementwise. dx = dy sign x, 0 at x = 0.")
STEP_OP(sign, "sign", "y = 1 where x > 0, -1 where x < 0, else 0, also for NaN. No gradient.")
STEP_OP(floor, "whole number below", "y = the largest whole number not above x. No gradient.")
STEP_OP(ceil, "whole number above", "y = the smallest whole number not below x. No gradient.")
STEP_OP(round, "nearest whole number",
        "y = the whole number nearest to x; of two, the even one. No gradient.")
