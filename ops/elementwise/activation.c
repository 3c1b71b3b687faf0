#include "ops/activation.h"

#include "ops/define.h"
#include "ops/basic.h"
#include "ops/kernels/bf16.h"
#include "ops/narrow.h"
#include "ops/table.h"

const char *const nm_activation_names[] = {"none", "relu", "sigmoid", "tanh", NULL};

nm_tensor *nm_activate(nm_tape *tape, nm_activation activation, nm_tensor *x)
{
    switch (activation) {
    case NM_ACTIVATION_RELU: return nm_relu(tape, x);
    case NM_ACTIVATION_SIGMOID: return nm_sigmoid(tape, x);
    case NM_ACTIVATION_TANH: return nm_tanh(tape, x);
    case NM_ACTIVATION_NONE: break;
    }
    return x;
}

/* ---- relu_grad of a y in bf16, where nothing is recorded ---- */

static nm_status relu_grad_of_bf16(const nm_run *run)
{
    nm_bf16_relu_grad(run->context, run->x[0], run->x[1], run->y[0], nm_tensor_count(run->out[0]));
    return NM_OK;
}

static const nm_port y_and_dy[] = {{.name = "y", .flags = NM_PORT_BF16}, {.name = "dy"}};
static const nm_op op_of_bf16 = {
    .item = NM_ITEM(nm_op, "relu_grad_of_bf16", "gradient of relu"),
    .inputs = y_and_dy,
    .outputs = nm_port_y,
    .input_count = 2,
    .output_count = 1,
    .flags = NM_OP_ELEMENTWISE | NM_OP_IN_PLACE,
    .infer = nm_infer_same,
    .forward = relu_grad_of_bf16,
};

static nm_tensor *relu_gradient(nm_tape *tape, nm_tensor *y, nm_tensor *dy)
{
    const bool kept = y && nm_tensor_dtype(y) == NM_BF16;
    return nm_apply2(tape, kept ? &op_of_bf16 : &nm_op_relu_grad, NULL, y, dy);
}

nm_tensor *nm_activation_gradient(nm_tape *tape, nm_activation activation, nm_tensor *y,
                                  nm_tensor *dy)
{
    y = activation == NM_ACTIVATION_NONE   ? y
        : activation == NM_ACTIVATION_RELU ? nm_widened(tape, y)
                                           : nm_wide_of(tape, y);
    switch (activation) {
    case NM_ACTIVATION_RELU: return relu_gradient(tape, y, dy);
    case NM_ACTIVATION_SIGMOID: return nm_apply2(tape, &nm_op_sigmoid_grad, NULL, y, dy);
    case NM_ACTIVATION_TANH: return nm_apply2(tape, &nm_op_tanh_grad, NULL, y, dy);
    case NM_ACTIVATION_NONE: break;
    }
    return dy;
}
