/* What the tests of products, convolutions and pooling share. */
#ifndef NM_TESTS_OPS_LINEAR_TEST_H
#define NM_TESTS_OPS_LINEAR_TEST_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/random.h"
#include "ops/ops.h"
#include "tests/test.h"

typedef struct fixture {
    nm_context *context;
    nm_tape *tape;
    nm_random random;
} fixture;

static inline fixture begin(void)
{
    fixture f = {.context = test_context(NULL), .random = nm_random_create(5, 0)};
    nm_register_ops(f.context);
    f.tape = nm_tape_create(f.context);
    assert_fine(f.context);
    return f;
}

static inline void end(fixture f)
{
    nm_tape_destroy(f.tape);
    nm_context_destroy(f.context);
}

/* A whole number from low to high. */
static inline int64_t any_of(fixture *f, int64_t low, int64_t high)
{
    return low + nm_random_below(&f->random, high - low + 1);
}

/* A tensor of the tape with normal elements. */
static inline nm_tensor *random_tensor(fixture *f, nm_dtype dtype, nm_shape shape)
{
    nm_tensor *x = nm_tape_tensor(f->tape, dtype, shape);
    nm_random_fill_normal(&f->random, x, 0, 1);
    assert_fine(f->context);
    return x;
}

static inline nm_tensor *tensor_of(fixture *f, nm_shape shape, const double *values)
{
    nm_tensor *x = nm_tape_tensor(f->tape, NM_F32, shape);
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        nm_tensor_set(x, i, values[i]);
    }
    assert_fine(f->context);
    return x;
}
/* TENSOR(f, (2, 2), 1, 2, 3, 4) */
#define PLAIN_SHAPE(...) NM_SHAPE(__VA_ARGS__)
#define TENSOR(f, shape, ...) tensor_of(&(f), PLAIN_SHAPE shape, (double[]){__VA_ARGS__})

static inline void assert_tensor(nm_tensor *x, nm_shape shape, const double *values)
{
    ck_assert_ptr_nonnull(x);
    ck_assert(nm_shape_equal(nm_tensor_shape(x), &shape));
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        double value = nm_tensor_get(x, i);
        ck_assert_msg(value == values[i] || (isnan(value) && isnan(values[i])),
                      "element %lld is %g, not %g", (long long)i, value, values[i]);
    }
}
#define ASSERT_TENSOR(x, shape, ...) assert_tensor(x, PLAIN_SHAPE shape, (double[]){__VA_ARGS__})

/* The gradient of the sum of y, weighted by `weights` (may be NULL), in x. */
static inline nm_tensor *gradient(fixture *f, nm_tensor *y, nm_tensor *weights, nm_tensor *x)
{
    nm_tensor *dx;
    nm_gradients(f->tape, &y, weights ? &weights : NULL, 1, &x, 1, 0, &dx);
    assert_fine(f->context);
    return dx;
}

static inline nm_tensor *copy_as(fixture *f, nm_tensor *x, nm_dtype dtype)
{
    nm_tensor *y = nm_tape_tensor(f->tape, dtype, *nm_tensor_shape(x));
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        nm_tensor_set(y, i, nm_tensor_get(x, i));
    }
    return y;
}

/* ---- bf16 ---- */

/* An f32 tensor of normal numbers, and the same rounded to bf16. */
typedef struct rounded {
    nm_tensor *plain, *rounded;
} rounded;

static inline rounded random_rounded(fixture *f, nm_shape shape)
{
    rounded r = {.plain = random_tensor(f, NM_F32, shape)};
    r.rounded = copy_as(f, copy_as(f, r.plain, NM_BF16), NM_F32);
    nm_tensor_set_requires_grad(r.plain, true);
    nm_tensor_set_requires_grad(r.rounded, true);
    return r;
}

/* The largest difference, as a part of the largest element. */
static inline double difference(nm_tensor *a, nm_tensor *b)
{
    double largest = 0, difference = 0;
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        largest = fmax(largest, fabs(nm_tensor_get(b, i)));
        difference = fmax(difference, fabs(nm_tensor_get(a, i) - nm_tensor_get(b, i)));
    }
    return difference / largest;
}

/* `bf16` computed from plain numbers in bf16, `exact` in f32 from rounded ones, `plain` in f32. */
static inline void assert_of_bf16(nm_tensor *bf16, nm_tensor *exact, nm_tensor *plain)
{
    ck_assert_double_le(difference(bf16, exact), 1e-5);
    ck_assert_double_ge(difference(bf16, plain), 1e-4);
    ck_assert_double_le(difference(bf16, plain), 2e-2);
}

/* The same for an op of two inputs and both its gradients, given as calls on them. */
static inline void assert_steps_of_bf16(fixture *f, const rounded in[3], nm_tensor *const y[3])
{
    nm_tensor *grads[3][2];
    for (int i = 0; i < 3; i++) { /* in bf16, of rounded numbers, plain */
        nm_tensor *x = i == 1 ? in[0].rounded : in[0].plain;
        nm_tensor *w = i == 1 ? in[1].rounded : in[1].plain;
        nm_tensor *dy = i == 1 ? in[2].rounded : in[2].plain;
        nm_gradients(f->tape, &y[i], &dy, 1, (nm_tensor *[]){x, w}, 2, NM_KEEP_GRAPH, grads[i]);
        assert_fine(f->context);
    }
    assert_of_bf16(y[0], y[1], y[2]);
    assert_of_bf16(grads[0][0], grads[1][0], grads[2][0]);
    assert_of_bf16(grads[0][1], grads[1][1], grads[2][1]);
}

/* ---- Ops with an activation on top ---- */

static inline nm_tensor *activate(nm_tape *tape, nm_activation activation, nm_tensor *x)
{
    switch (activation) {
    case NM_ACTIVATION_RELU: return nm_relu(tape, x);
    case NM_ACTIVATION_SIGMOID: return nm_sigmoid(tape, x);
    case NM_ACTIVATION_TANH: return nm_tanh(tape, x);
    case NM_ACTIVATION_NONE: break;
    }
    return x;
}

/* Two ways to compute the same from three inputs give the same bits, and so do their gradients. */
static inline void assert_same_step(fixture *f, nm_tensor *const in[3], nm_tensor *const y[2])
{
    nm_tensor *dy = random_tensor(f, nm_tensor_dtype(y[0]), *nm_tensor_shape(y[0])), *grads[2][3];
    ck_assert_mem_eq(nm_tensor_data(y[0]), nm_tensor_data(y[1]), nm_tensor_bytes(y[0]));
    for (int i = 0; i < 2; i++) {
        nm_gradients(f->tape, &y[i], &dy, 1, in, 3, 0, grads[i]);
        assert_fine(f->context);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_mem_eq(nm_tensor_data(grads[0][i]), nm_tensor_data(grads[1][i]),
                         nm_tensor_bytes(in[i]));
    }
}

#endif
