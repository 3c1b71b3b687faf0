/* y = max(x, 0), elementwise. The derivative at 0 is taken as 0. NaN stays NaN. */
#include "ops/elementwise.h"
#include "ops/basic.h"
#include "ops/table.h"

NM_UNARY(relu, x < 0 ? (real)0 : x)
NM_BINARY(relu_grad, a > 0 ? b : (real)0) /* a = y, b = the gradient of y */

static nm_tensor *relu_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_apply2(v->tape, &nm_op_relu_grad, NULL, v->out[0], v->gout[0]);
}

static nm_tensor *relu_grad_vjp(nm_vjp *v, int input)
{
    return input == 0 ? nm_full(v->tape, nm_tensor_dtype(v->in[0]), *nm_tensor_shape(v->in[0]), 0)
                      : nm_apply2(v->tape, &nm_op_relu_grad, NULL, v->in[0], v->gout[0]);
}

static const nm_sample samples[] = {{.in = {NM_AWAY(0.1, 3, 5)}}, {.in = {NM_AWAY(0.1, 2, 1, 4)}}};
static const nm_sample grad_samples[] = {{.in = {NM_AWAY(0.1, 3, 5), NM_NORMAL(3, 5)}}};
static const nm_port grad_ports[] = {{.name = "y", .doc = "the output of relu"},
                                     {.name = "dy", .doc = "its gradient, of y's shape"}};

const nm_op nm_op_relu = {
    .item = NM_ITEM(nm_op, "relu", "rectified linear unit",
                    .doc = "y = max(x, 0), elementwise. dx = dy where x > 0, else 0."),
    .inputs = nm_port_x,
    .outputs = nm_port_y,
    .input_count = 1,
    .output_count = 1,
    .flags = NM_OP_IN_PLACE,
    .infer = nm_infer_same,
    .forward = relu_forward,
    .vjp = relu_vjp,
    .samples = samples,
    .sample_count = NM_COUNT_OF(samples),
};

const nm_op nm_op_relu_grad = {
    .item = NM_ITEM(nm_op, "relu_grad", "gradient of relu", .doc = "dx = dy where y > 0, else 0."),
    .inputs = grad_ports,
    .outputs = nm_port_y,
    .input_count = 2,
    .output_count = 1,
    .infer = nm_infer_same,
    .forward = relu_grad_forward,
    .vjp = relu_grad_vjp,
    .samples = grad_samples,
    .sample_count = NM_COUNT_OF(grad_samples),
};

nm_tensor *nm_relu(nm_tape *tape, nm_tensor *x)
{
    return nm_apply1(tape, &nm_op_relu, NULL, x);
}
