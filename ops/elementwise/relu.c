/* y = max(x, 0), elementwise. The derivative at 0 is taken as 0. NaN stays NaN. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/kernels/bf16.h"
#include "ops/table.h"

NM_UNARY(relu, x < 0 ? (real)0 : x)
NM_SLOPE(gate, a > 0 ? b : (real)0) /* a = y, b = dy */
#define relu_bend nm_no_bend

static nm_status relu_grad_forward(const nm_run *run)
{
    if (nm_tensor_dtype(run->in[0]) != NM_BF16) {
        return gate_forward(run);
    }
    nm_bf16_relu_grad(run->context, run->x[0], run->x[1], run->y[0], nm_tensor_count(run->out[0]));
    return NM_OK;
}

static const nm_port grad_inputs[] = {
    {.name = "y", .doc = "the op's output, any shape", .flags = NM_PORT_BF16},
    {.name = "dy", .doc = "its gradient, of y's shape"}};

static const nm_sample relu_samples[] = {
    {.in = {NM_AWAY(0.1, 3, 5)}},
    {.in = {NM_AWAY(0.1, 2, 1, 4)}},
};
static const nm_sample relu_grad_samples[] = {{.in = {NM_AWAY(0.1, 3, 5), NM_NORMAL(3, 5)}}};

NM_SLOPE_OP(relu, out, grad_inputs, .doc = "dx = dy where y > 0, else 0.")
NM_UNARY_OP_WITH_CALL(relu, "rectified linear unit",
                      .doc = "y = max(x, 0), elementwise. dx = dy where x > 0, else 0.")
