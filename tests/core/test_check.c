/* The gradient check must catch what it is there to catch. Every fault is a custom op, registered
 * as a user would. */
#include <math.h>

#include "core/op.h"
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/ops.h"
#include "tests/test.h"

NM_UNARY(cube, x *x *x)
NM_UNARY(cube_f32_off, sizeof(real) == 4 ? x * x * x * (real)1.01 : x * x * x)

static nm_tensor *three(nm_vjp *v)
{
    return nm_scalar(v->tape, nm_tensor_dtype(v->in[0]), 3);
}

static nm_tensor *right_vjp(nm_vjp *v, int input)
{
    (void)input;
    nm_tensor *square = nm_mul(v->tape, v->in[0], v->in[0]);
    return nm_mul(v->tape, v->gout[0], nm_mul(v->tape, three(v), square));
}

/* Ignores the output's gradient: right only for a plain sum. */
static nm_tensor *unweighted_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_mul(v->tape, three(v), nm_mul(v->tape, v->in[0], v->in[0]));
}

/* The right values, cut off from x: no second derivative. */
static nm_tensor *detached_vjp(nm_vjp *v, int input)
{
    nm_tensor *x = nm_detach(v->tape, v->in[input]);
    return nm_mul(v->tape, v->gout[0], nm_mul(v->tape, three(v), nm_mul(v->tape, x, x)));
}

static nm_tensor *null_vjp(nm_vjp *v, int input)
{
    (void)v;
    (void)input;
    return NULL;
}

static nm_status unsteady_forward(const nm_run *run)
{
    static int calls;
    cube_forward(run);
    ((char *)run->y[0])[0] = (char)(((char *)run->y[0])[0] ^ (calls++ & 7));
    return NM_OK;
}

static const nm_sample samples[] = {{.in = {NM_NORMAL(3, 2)}}};

static nm_op cube_op(const char *name)
{
    return (nm_op){
        .item = NM_ITEM(nm_op, name, "cube", .doc = "y = x^3"),
        .inputs = nm_port_x,
        .outputs = nm_port_y,
        .input_count = 1,
        .output_count = 1,
        .infer = nm_infer_same,
        .forward = cube_forward,
        .vjp = right_vjp,
        .samples = samples,
        .sample_count = 1,
    };
}

static nm_context *context_with(const nm_op *op)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_register_op(context, op);
    return context;
}

START_TEST(a_right_op_passes_with_small_errors)
{
    nm_op op = cube_op("cube");
    nm_context *context = context_with(&op);
    nm_check_result result;
    ck_assert_int_eq(nm_check_op(context, "cube", &result), NM_OK);
    assert_fine(context);
    ck_assert_int_eq(result.samples, 1);
    ck_assert(result.first_error > 0 && result.first_error < 1e-8);
    ck_assert(result.second_error > 0 && result.second_error < 1e-7);
    nm_context_destroy(context);
}
END_TEST

static void expect_fault(const nm_op *op, nm_status status, const char *message)
{
    nm_context *context = context_with(op);
    assert_fine(context);
    ck_assert_int_ne(nm_check_op(context, op->item.name, NULL), NM_OK);
    assert_error(context, status, message);
    nm_context_destroy(context);
}

START_TEST(a_gradient_that_ignores_the_output_gradient_is_caught)
{
    nm_op op = cube_op("unweighted");
    op.vjp = unweighted_vjp;
    expect_fault(&op, NM_ERROR_NUMERIC, "unweighted, sample 0: differentiated input 0, element");
}
END_TEST

START_TEST(a_gradient_without_a_derivative_is_caught)
{
    nm_op op = cube_op("detached");
    op.vjp = detached_vjp;
    expect_fault(&op, NM_ERROR_NUMERIC, "detached, sample 0: second order");
}
END_TEST

START_TEST(an_f32_kernel_that_differs_from_f64_is_caught)
{
    nm_op op = cube_op("off");
    op.forward = cube_f32_off_forward;
    expect_fault(&op, NM_ERROR_NUMERIC, "f32 gives");
}
END_TEST

START_TEST(results_that_change_between_runs_are_caught)
{
    nm_op op = cube_op("unsteady");
    op.forward = unsteady_forward;
    expect_fault(&op, NM_ERROR_NUMERIC, "differs in a second run");
}
END_TEST

START_TEST(a_vjp_that_returns_nothing_is_an_error_not_a_crash)
{
    nm_op op = cube_op("nothing");
    op.vjp = null_vjp;
    expect_fault(&op, NM_ERROR_INTERNAL, "its vjp returned NULL for x");
}
END_TEST

START_TEST(an_op_without_samples_is_refused)
{
    nm_op op = cube_op("unsampled");
    op.sample_count = 0;
    expect_fault(&op, NM_ERROR_INPUT, "it has no samples");
}
END_TEST

START_TEST(an_incomplete_op_cannot_be_registered)
{
    nm_context *context = test_context(NULL);
    nm_op op = cube_op("cube");
    op.vjp = NULL;
    nm_register_op(context, &op);
    assert_error(context, NM_ERROR_INPUT, "NM_OP_NO_VJP");
    op = cube_op("cube");
    op.forward = NULL;
    nm_register_op(context, &op);
    assert_error(context, NM_ERROR_INPUT, "no computation");
    op = cube_op("cube");
    op.infer = NULL;
    nm_register_op(context, &op);
    assert_error(context, NM_ERROR_INPUT, "no shape rule");
    op = cube_op("cube");
    op.item.size -= 8;
    nm_register_op(context, &op);
    assert_error(context, NM_ERROR_INPUT, "rebuild it");
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("core/check", a_right_op_passes_with_small_errors,
          a_gradient_that_ignores_the_output_gradient_is_caught,
          a_gradient_without_a_derivative_is_caught, an_f32_kernel_that_differs_from_f64_is_caught,
          results_that_change_between_runs_are_caught,
          a_vjp_that_returns_nothing_is_an_error_not_a_crash, an_op_without_samples_is_refused,
          an_incomplete_op_cannot_be_registered)
