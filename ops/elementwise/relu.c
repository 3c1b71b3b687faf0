/* y = max(x, 0), elementwise. The derivative at 0 is taken as 0. NaN stays NaN. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/table.h"

NM_UNARY(relu, x < 0 ? (real)0 : x)
NM_SLOPE(relu_grad, a > 0 ? b : (real)0) /* a = y, b = dy */
#define relu_bend nm_no_bend

static const nm_sample relu_samples[] = {
    {.in = {NM_AWAY(0.1, 3, 5)}},
    {.in = {NM_AWAY(0.1, 2, 1, 4)}},
};
static const nm_sample relu_grad_samples[] = {{.in = {NM_AWAY(0.1, 3, 5), NM_NORMAL(3, 5)}}};

NM_SLOPE_OP(relu, out, nm_port_y_dy, .doc = "dx = dy where y > 0, else 0.")
NM_UNARY_OP_WITH_CALL(relu, "rectified linear unit",
                      .doc = "y = max(x, 0), elementwise. dx = dy where x > 0, else 0.")
