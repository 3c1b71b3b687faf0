/* The gradient check must catch what it is there to catch. Every fault is a custom op, registered
 * as a user would. */
#include <math.h>
#include <string.h>

#include "core/op.h"
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/ops.h"
#include "tests/test.h"

NM_UNARY(own_cube, x *x *x)
NM_UNARY(cube_f32_off, sizeof(real) == 4 ? x * x * x * (real)1.01 : x * x * x)

NM_UNARY(own_hundredth, x *(real)0.01)

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

/* Off by half more than what is taken for rounding, where gradients are small. */
static nm_tensor *slightly_off_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_affine(v->tape, v->gout[0], 0.01, 1.5e-6);
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
    own_cube_forward(run);
    const size_t size = nm_dtype_size(run->dtype);
    test_turn(run->y[0], size, size); /* the least significant byte is the first now */
    ((char *)run->y[0])[0] = (char)(((char *)run->y[0])[0] ^ (calls++ & 7));
    test_turn(run->y[0], size, size);
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
        .forward = own_cube_forward,
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

START_TEST(an_error_of_more_than_a_millionth_is_caught_where_gradients_are_small)
{
    nm_op op = cube_op("slightly_off");
    op.forward = own_hundredth_forward;
    op.vjp = slightly_off_vjp;
    expect_fault(&op, NM_ERROR_NUMERIC, "slightly_off, sample 0: differentiated input 0, element");
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

static nm_status mute_forward(const nm_run *run)
{
    (void)run;
    return NM_ERROR_INPUT;
}

static nm_status meddling_forward(const nm_run *run)
{
    double *x = (double *)(uintptr_t)run->x[0];
    own_cube_forward(run);
    for (int64_t i = 0; run->dtype == NM_F64 && i < nm_tensor_count(run->in[0]); i++) {
        x[i] = x[i] < -1 ? -1 : x[i];
    }
    return NM_OK;
}

static nm_status short_forward(const nm_run *run)
{
    nm_run shorter = *run;
    nm_shape shape = *nm_tensor_shape(run->out[0]);
    nm_tensor *part =
        nm_tensor_wrap(run->context, run->dtype, NM_SHAPE(shape.dim[0] - 1, 2), run->y[0]);
    shorter.out = &part;
    own_cube_forward(&shorter);
    nm_tensor_destroy(part);
    return NM_OK;
}

static nm_status long_forward(const nm_run *run)
{
    char *y = run->y[0];
    own_cube_forward(run);
    y[nm_tensor_bytes(run->out[0])] ^= 1;
    return NM_OK;
}

static nm_status rankless_infer(nm_infer *infer)
{
    infer->out[0].rank = 9;
    return NM_OK;
}

static nm_status mute_infer(nm_infer *infer)
{
    (void)infer;
    return NM_ERROR_INPUT;
}

static void check_caught(nm_op op, nm_status status, const char *said)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_register_op(context, &op);
    ck_assert_int_ne(nm_check_op(context, op.item.name, NULL), NM_OK);
    ck_assert_ptr_nonnull(strstr(nm_context_error(context), op.item.name));
    assert_error(context, status, said);
    nm_context_destroy(context);
}

START_TEST(a_computation_or_shape_rule_that_fails_without_a_word_is_named)
{
    nm_op op = cube_op("mute");
    op.forward = mute_forward;
    check_caught(op, NM_ERROR_INTERNAL, "mute: it failed (bad input) and did not say why");
    op = cube_op("mute_rule");
    op.infer = mute_infer;
    check_caught(op, NM_ERROR_INTERNAL, "mute_rule: it failed (bad input) and did not say why");
}
END_TEST

START_TEST(an_op_that_changes_its_input_is_caught)
{
    nm_op op = cube_op("meddling");
    op.forward = meddling_forward;
    check_caught(op, NM_ERROR_NUMERIC, "its computation changes the input x; no op may");
}
END_TEST

START_TEST(a_shape_rule_that_lies_is_caught)
{
    nm_op op = cube_op("short");
    op.forward = short_forward;
    check_caught(op, NM_ERROR_NUMERIC,
                 "[3, 2], the shape that its shape rule says, is not written");
    op = cube_op("long");
    op.forward = long_forward;
    check_caught(op, NM_ERROR_NUMERIC, "it writes behind the last element of [3, 2]");
    op = cube_op("rankless");
    op.infer = rankless_infer;
    check_caught(op, NM_ERROR_INPUT, "rankless: a tensor's rank is 0 to 6, not 9");
}
END_TEST

TEST_MAIN("core/check", a_computation_or_shape_rule_that_fails_without_a_word_is_named,
          an_op_that_changes_its_input_is_caught, a_shape_rule_that_lies_is_caught,
          a_right_op_passes_with_small_errors,
          a_gradient_that_ignores_the_output_gradient_is_caught,
          an_error_of_more_than_a_millionth_is_caught_where_gradients_are_small,
          a_gradient_without_a_derivative_is_caught, an_f32_kernel_that_differs_from_f64_is_caught,
          results_that_change_between_runs_are_caught,
          a_vjp_that_returns_nothing_is_an_error_not_a_crash, an_op_without_samples_is_refused,
          an_incomplete_op_cannot_be_registered)
