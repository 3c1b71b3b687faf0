#include "ops/activation.h"

#include "ops/basic.h"
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

nm_tensor *nm_activation_gradient(nm_tape *tape, nm_activation activation, nm_tensor *y,
                                  nm_tensor *dy)
{
    y = activation == NM_ACTIVATION_NONE   ? y
        : activation == NM_ACTIVATION_RELU ? nm_widened(tape, y)
                                           : nm_wide_of(tape, y);
    switch (activation) {
    case NM_ACTIVATION_RELU: return nm_apply2(tape, &nm_op_relu_grad, NULL, y, dy);
    case NM_ACTIVATION_SIGMOID: return nm_apply2(tape, &nm_op_sigmoid_grad, NULL, y, dy);
    case NM_ACTIVATION_TANH: return nm_apply2(tape, &nm_op_tanh_grad, NULL, y, dy);
    case NM_ACTIVATION_NONE: break;
    }
    return dy;
}
