/* What tests of the tape share. */
#ifndef NM_TESTS_CORE_TAPE_TAPE_TEST_H
#define NM_TESTS_CORE_TAPE_TAPE_TEST_H

#include "core/random.h"
#include "core/tape.h"
#include "ops/basic.h"
#include "ops/ops.h"
#include "tests/test.h"

static nm_context *context;
static nm_tape *tape;

static inline void begin(test_memory *memory)
{
    context = test_context(memory);
    tape = context && nm_register_ops(context) == NM_OK ? nm_tape_create(context) : NULL;
}

static inline void end(test_memory *memory)
{
    nm_tape_destroy(tape);
    test_context_end(context, memory);
}

static inline nm_tensor *number(double value)
{
    nm_tensor *x = nm_tensor_create(context, NM_F64, NM_SCALAR_SHAPE);
    if (x) {
        nm_tensor_set(x, 0, value);
        nm_tensor_set_requires_grad(x, true);
    }
    return x;
}

static inline nm_tensor *sum(nm_tensor *x)
{
    return nm_sum_to(tape, x, NM_SCALAR_SHAPE);
}

#endif
