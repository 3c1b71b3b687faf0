/* Losses made of other ops: what is refused, and where nothing is. */
#include <math.h>

#include "ops/ops.h"
#include "tests/test.h"

static nm_context *context;
static nm_tape *tape;

static void begin(void)
{
    context = test_context(NULL);
    nm_register_ops(context);
    tape = nm_tape_create(context);
}

static void end(void)
{
    nm_tape_destroy(tape);
    test_context_end(context, NULL);
}

static nm_tensor *filled(nm_shape shape, double value)
{
    return nm_full(tape, NM_F64, shape, value);
}

/* [n] against [n, 1] would broadcast to n * n losses. */
START_TEST(targets_of_another_shape_are_refused)
{
    begin();
    nm_tensor *row = filled(NM_SHAPE(3), 1), *column = filled(NM_SHAPE(3, 1), 1);
    ck_assert_ptr_null(nm_l1(tape, row, column));
    assert_error(context, NM_ERROR_INPUT, "l1: target [3, 1] must have the shape of x [3]");
    ck_assert_ptr_null(nm_smooth_l1(tape, row, column));
    assert_error(context, NM_ERROR_INPUT, "smooth_l1: target [3, 1]");
    ck_assert_ptr_null(nm_bce_with_logits(tape, row, column));
    assert_error(context, NM_ERROR_INPUT, "bce_with_logits: target [3, 1]");
    ck_assert_ptr_null(nm_kl_div(tape, row, column));
    assert_error(context, NM_ERROR_INPUT, "kl_div: target [3, 1]");
    ck_assert_ptr_null(nm_hinge(tape, row, column));
    assert_error(context, NM_ERROR_INPUT, "hinge: target [3, 1]");
    ck_assert_ptr_null(nm_cosine_embedding(tape, column, column, column));
    assert_error(context, NM_ERROR_INPUT,
                 "target [3, 1] must have the shape of a without its last axis");
    ck_assert_ptr_null(nm_triplet(tape, column, column, row));
    assert_error(context, NM_ERROR_INPUT,
                 "triplet: negative [3] must have the shape of anchor [3, 1]");
    nm_tensor *one = nm_scalar(tape, NM_F64, 1);
    ck_assert_ptr_null(nm_triplet(tape, one, one, one));
    assert_error(context, NM_ERROR_INPUT, "anchor must be vectors along the last axis");
    end();
}
END_TEST

START_TEST(of_nothing_the_mean_is_0)
{
    begin();
    nm_tensor *none = filled(NM_SHAPE(0, 3), 1);
    ck_assert(nm_tensor_item(nm_l1(tape, none, none)) == 0);
    ck_assert(nm_tensor_item(nm_bce_with_logits(tape, none, none)) == 0);
    ck_assert(nm_tensor_item(nm_kl_div(tape, none, none, .reduction = NM_KL_BATCH)) == 0);
    ck_assert(nm_tensor_item(nm_triplet(tape, none, none, none)) == 0);
    assert_fine(context);
    end();
}
END_TEST

/* Far from 0 the naive formula is infinite or 0 times infinity. */
START_TEST(binary_cross_entropy_is_exact_far_out)
{
    begin();
    nm_tensor *far = filled(NM_SHAPE(1), 1000), *one = filled(NM_SHAPE(1), 1);
    nm_tensor *zero = filled(NM_SHAPE(1), 0);
    ck_assert(nm_tensor_item(nm_bce_with_logits(tape, far, one)) == 0);
    ck_assert(nm_tensor_item(nm_bce_with_logits(tape, far, zero)) == 1000);
    ck_assert(nm_tensor_item(nm_bce_with_logits(tape, nm_neg(tape, far), one)) == 1000);
    nm_tensor *x = filled(NM_SHAPE(1), 30);
    assert_near(nm_tensor_item(nm_bce_with_logits(tape, x, one)), 9.357622968840175e-14, 1e-12, 0);
    end();
}
END_TEST

START_TEST(what_is_not_a_number_stays_one)
{
    begin();
    nm_tensor *x = filled(NM_SHAPE(2), (double)NAN), *t = filled(NM_SHAPE(2), 1);
    ck_assert(isnan(nm_tensor_item(nm_l1(tape, x, t))));
    ck_assert(isnan(nm_tensor_item(nm_smooth_l1(tape, x, t))));
    ck_assert(isnan(nm_tensor_item(nm_bce_with_logits(tape, x, t))));
    ck_assert(isnan(nm_tensor_item(nm_kl_div(tape, x, t))));
    ck_assert(isnan(nm_tensor_item(nm_hinge(tape, x, t))));
    ck_assert(isnan(nm_tensor_item(nm_triplet(tape, x, t, t))));
    end();
}
END_TEST

TEST_MAIN("ops/losses", targets_of_another_shape_are_refused, of_nothing_the_mean_is_0,
          binary_cross_entropy_is_exact_far_out, what_is_not_a_number_stays_one)
