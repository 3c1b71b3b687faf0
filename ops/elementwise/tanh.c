/* y = tanh x, elementwise. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/kernels/math.h"
#include "ops/table.h"

NM_LONG_UNARY(tanh, NM_TANH(x))
NM_SLOPE(tanh_grad, (1 - a * a) * b) /* a = y, b = dy */

/* d(1 - y^2)/dy = -2y */
static nm_tensor *tanh_bend(nm_vjp *v)
{
    return nm_affine(v->tape, v->in[0], -2, 0);
}

static const nm_sample tanh_samples[] = {{.in = {NM_NORMAL(3, 5)}}};
static const nm_sample tanh_grad_samples[] = {{.in = {NM_UNIFORM(-1, 1, 3, 5), NM_NORMAL(3, 5)}}};

NM_SLOPE_OP(tanh, out, nm_port_y_dy, .doc = "dx = dy (1 - y^2), elementwise.")
NM_UNARY_OP_WITH_CALL(tanh, "hyperbolic tangent",
                      .doc = "y = tanh x, elementwise. dx = dy (1 - y^2).")
