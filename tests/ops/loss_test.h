/* What the tests of losses and dropout share. */
#ifndef NM_TESTS_OPS_LOSS_TEST_H
#define NM_TESTS_OPS_LOSS_TEST_H

#include "core/op.h"
#include "tests/ops/ops_test.h"

static inline nm_tensor *numbers(fixture *b, nm_dtype dtype, nm_shape shape, const double *values)
{
    nm_tensor *x = nm_tape_tensor(b->tape, dtype, shape);
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        nm_tensor_set(x, i, values[i]);
    }
    if (nm_dtype_is_float(dtype)) {
        nm_tensor_set_requires_grad(x, true);
    }
    return x;
}

static inline nm_tensor *gaussian(fixture *b, nm_shape shape, double deviation, uint64_t stream)
{
    nm_random random = nm_random_create(3, stream);
    nm_tensor *x = nm_tape_tensor(b->tape, NM_F32, shape);
    nm_random_fill_normal(&random, x, 0, deviation);
    nm_tensor_set_requires_grad(x, true);
    return x;
}

static inline nm_tensor *gradient(fixture *b, nm_tensor *y, nm_tensor *dy, nm_tensor *x)
{
    nm_tensor *grad = NULL;
    nm_gradients(b->tape, &y, &dy, 1, &x, 1, NM_KEEP_GRAPH, &grad);
    assert_fine(b->context);
    return grad;
}

#endif
