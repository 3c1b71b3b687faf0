/* What most tests of ops begin with: a context, the ops, a tape. */
#ifndef NM_TESTS_OPS_TEST_H
#define NM_TESTS_OPS_TEST_H

#include "core/random.h"
#include "ops/ops.h"
#include "tests/test.h"

typedef struct fixture {
    nm_context *context;
    nm_tape *tape;
} fixture;

static inline fixture begin_with(int threads)
{
    fixture f = {.context = test_context(NULL)};
    nm_register_ops(f.context);
    nm_context_set_threads(f.context, threads);
    f.tape = nm_tape_create(f.context);
    assert_fine(f.context);
    return f;
}

static inline fixture begin(void)
{
    return begin_with(2);
}

static inline void end(fixture *f)
{
    nm_tape_destroy(f->tape);
    nm_context_destroy(f->context);
}

/* Tensors of the tape, so that nothing needs destroying. */
static inline nm_tensor *normal(fixture *f, nm_dtype dtype, nm_shape shape, double mean,
                                double deviation, uint64_t stream)
{
    nm_random random = nm_random_create(7, stream);
    nm_tensor *x = nm_tape_tensor(f->tape, dtype, shape);
    nm_random_fill_normal(&random, x, mean, deviation);
    nm_tensor_set_requires_grad(x, true);
    return x;
}

#define VECTOR(f, ...)                                                                             \
    nm_tape_wrap((f).tape, NM_F32, NM_SHAPE(sizeof((float[]){__VA_ARGS__}) / sizeof(float)),       \
                 (float[]){__VA_ARGS__})

#endif
