/* y = 1 / (1 + e^-x), elementwise: the logistic function. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/kernels/math.h"
#include "ops/table.h"

NM_LONG_UNARY(sigmoid, NM_SIGMOID(x))
NM_SLOPE(sigmoid_grad, (1 - a) * a * b) /* a = y, b = dy */

/* d(y (1 - y))/dy = 1 - 2y */
static nm_tensor *sigmoid_bend(nm_vjp *v)
{
    return nm_affine(v->tape, v->in[0], -2, 1);
}

static const nm_sample sigmoid_samples[] = {{.in = {NM_NORMAL(3, 5)}}};
static const nm_sample sigmoid_grad_samples[] = {{.in = {NM_UNIFORM(0, 1, 3, 5), NM_NORMAL(3, 5)}}};

NM_SLOPE_OP(sigmoid, out, nm_port_y_dy, .doc = "dx = dy y (1 - y), elementwise.")
NM_UNARY_OP_WITH_CALL(sigmoid, "logistic sigmoid",
                      .doc = "y = 1 / (1 + e^-x), elementwise. dx = dy y (1 - y).")
