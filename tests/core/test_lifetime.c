/* What is kept, destroyed, changed or closed at the wrong moment works, or is an error that names
 * the thing; none of it touches memory that is gone. */
#include <string.h>

#include "core/random.h"
#include "core/store.h"
#include "ops/ops.h"
#include "tests/test.h"

typedef struct fixture {
    nm_context *context;
    nm_tape *tape;
    nm_tensor *w;
} fixture;

static fixture begin(test_memory *memory)
{
    fixture f = {.context = test_context(memory)};
    nm_register_ops(f.context);
    f.tape = nm_tape_create(f.context);
    const float values[] = {1, 2, 3};
    f.w = nm_tensor_copy_of(f.context, NM_F32, NM_SHAPE(3), values);
    nm_tensor_set_requires_grad(f.w, true);
    return f;
}

static void end(fixture f, test_memory *memory)
{
    nm_tape_destroy(f.tape);
    nm_tensor_destroy(f.w);
    test_context_end(f.context, memory);
}

/* ---- Destroyed too early ---- */

/* sum of x w, whose gradient in w is x; x is destroyed, and its memory another's. */
static nm_tensor *loss_of_a_helper(fixture f, bool wrapped)
{
    float memory[] = {5, 6, 7};
    nm_tensor *x = wrapped ? nm_tensor_wrap(f.context, NM_F32, NM_SHAPE(3), memory)
                           : nm_tensor_copy_of(f.context, NM_F32, NM_SHAPE(3), memory);
    nm_tensor *loss = nm_sum(f.tape, nm_mul(f.tape, x, f.w));
    nm_tensor_destroy(x);
    memset(memory, 0x55, sizeof memory);
    nm_tensor *other = nm_tensor_create(f.context, NM_F32, NM_SHAPE(3));
    nm_tensor_fill(other, -1);
    nm_tensor_destroy(other);
    return loss;
}

START_TEST(a_tensor_destroyed_before_the_backward_pass_that_needs_it_is_kept_for_it)
{
    for (int wrapped = 0; wrapped < 2; wrapped++) {
        test_memory memory = {.fail_at = -1};
        fixture f = begin(&memory);
        ck_assert_int_eq(nm_backward(f.tape, loss_of_a_helper(f, wrapped), 0), NM_OK);
        ck_assert(nm_tensor_get(nm_tensor_grad(f.w), 1) == 6);
        long held = memory.live;
        nm_tape_reset(f.tape);
        ck_assert_int_lt(memory.live, held); /* and then gone */
        end(f, &memory);
    }
}
END_TEST

START_TEST(a_parameter_destroyed_with_its_store_is_kept_for_the_backward_pass)
{
    test_memory memory = {.fail_at = -1};
    fixture f = begin(&memory);
    nm_store *store = nm_store_create(f.context);
    nm_tensor *v = nm_store_add(store, "v", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(3));
    nm_tensor_fill(v, 4);
    nm_tensor *loss = nm_sum(f.tape, nm_mul(f.tape, v, f.w));
    nm_store_destroy(store);
    ck_assert_int_eq(nm_backward(f.tape, loss, 0), NM_OK);
    ck_assert(nm_tensor_get(nm_tensor_grad(f.w), 2) == 4);
    end(f, &memory);
}
END_TEST

START_TEST(what_belongs_to_something_else_is_not_destroyed_by_its_user)
{
    test_memory memory = {.fail_at = -1};
    fixture f = begin(&memory);
    nm_store *store = nm_store_create(f.context);
    nm_tensor *v = nm_store_add(store, "v", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(30));
    nm_tensor_destroy(v);
    assert_error(f.context, NM_ERROR_INPUT, "nm_tensor_destroy: v belongs to its store");
    nm_backward(f.tape, nm_sum(f.tape, f.w), 0);
    nm_tensor_destroy(nm_tensor_grad(f.w));
    assert_error(f.context, NM_ERROR_INPUT, "the tensor whose gradient it is");
    nm_tape_reset(f.tape);
    nm_sum(f.tape, v);
    nm_store_destroy(store);
    end(f, &memory);
}
END_TEST

static nm_status destroy_early(test_memory *memory)
{
    fixture f = {.context = test_context(memory)};
    if (!f.context) {
        return NM_ERROR_MEMORY;
    }
    nm_context_destroy(f.context);
    f = begin(memory);
    nm_backward(f.tape, loss_of_a_helper(f, true), 0);
    nm_status status = nm_context_status(f.context);
    /* The copy of the caller's memory may be what failed; then the backward pass says so. */
    status = status == NM_ERROR_INPUT && memory->calls > memory->fail_at ? NM_ERROR_MEMORY : status;
    end(f, memory);
    return status;
}

START_TEST(early_destruction_survives_the_failure_of_every_allocation)
{
    test_every_allocation(destroy_early);
}
END_TEST

/* ---- Kept over a reset ---- */

START_TEST(a_tensor_kept_over_a_reset_is_an_error_that_says_so)
{
    fixture f = begin(NULL);
    static const char said[] = "is from before nm_tape_reset()";
    nm_tensor *big = nm_exp(f.tape, f.w), *loss = nm_sum(f.tape, big), *out;
    nm_tape_reset(f.tape);
    nm_tensor *now = nm_square(f.tape, f.w);
    ck_assert_ptr_null(nm_mul(f.tape, now, big));
    assert_error(f.context, NM_ERROR_INPUT, "mul: b is from before nm_tape_reset()");
    ck_assert_ptr_null(nm_tensor_f32(big));
    assert_error(f.context, NM_ERROR_INPUT, said);
    nm_tensor_item(loss);
    assert_error(f.context, NM_ERROR_INPUT, said);
    nm_backward(f.tape, loss, 0);
    assert_error(f.context, NM_ERROR_INPUT, "nm_backward: the loss is from before");
    ck_assert_ptr_null(nm_detach(f.tape, big));
    assert_error(f.context, NM_ERROR_INPUT, said);
    nm_gradients(f.tape, &big, NULL, 1, &f.w, 1, 0, &out);
    assert_error(f.context, NM_ERROR_INPUT, said);
    ck_assert(nm_tensor_get(now, 2) == 9);
    end(f, NULL);
}
END_TEST

/* ---- Changed too early ---- */

static void set(nm_tensor *x)
{
    nm_tensor_set(x, 0, 100);
}

static void fill(nm_tensor *x)
{
    nm_tensor_fill(x, 0);
}

static void assign(nm_tensor *x)
{
    nm_tensor *other = nm_tensor_create(nm_tensor_context(x), NM_F32, NM_SHAPE(3));
    nm_tensor_assign(x, other);
    nm_tensor_destroy(other);
}

static void draw(nm_tensor *x)
{
    nm_random random = nm_random_create(1, 1);
    nm_random_fill_normal(&random, x, 0, 1);
}

static void write_and_say_so(nm_tensor *x)
{
    nm_tensor_f32(x)[0] = 7;
    nm_tensor_touch(x);
}

START_TEST(a_change_that_a_gradient_would_notice_is_an_error_that_names_the_op)
{
    static void (*const changes[])(nm_tensor *) = {set, fill, assign, draw, write_and_say_so};
    for (int i = 0; i < 5; i++) {
        fixture f = begin(NULL);
        nm_tensor *loss = nm_sum(f.tape, nm_square(f.tape, f.w));
        changes[i](f.w);
        nm_backward(f.tape, loss, 0);
        assert_error(f.context, NM_ERROR_INPUT, "gradient of square: mul: ");
        nm_tape_reset(f.tape);
        nm_tensor *y = nm_exp(f.tape, f.w);
        loss = nm_sum(f.tape, y);
        changes[i](y);
        nm_backward(f.tape, loss, 0);
        assert_error(f.context, NM_ERROR_INPUT, "was changed after the forward pass had read it");
        nm_tape_reset(f.tape);
        nm_tensor_fill(f.w, 2); /* before: fine */
        ck_assert_int_eq(nm_backward(f.tape, nm_sum(f.tape, nm_square(f.tape, f.w)), 0), NM_OK);
        ck_assert(nm_tensor_get(nm_tensor_grad(f.w), 0) == 4);
        end(f, NULL);
    }
}
END_TEST

START_TEST(a_change_through_a_pointer_that_was_got_since_is_found)
{
    for (int kind = 0; kind < 3; kind++) {
        float mine[3] = {1, 2, 3};
        fixture f = begin(NULL);
        nm_tensor *wrapped = nm_tensor_wrap(f.context, NM_F32, NM_SHAPE(3), mine);
        nm_tensor *x = kind == 0 ? f.w : kind == 1 ? wrapped : nm_exp(f.tape, f.w);
        nm_tensor *loss = nm_sum(f.tape, nm_mul(f.tape, x, nm_square(f.tape, f.w)));
        for (int i = 0; i < 40; i++) { /* of one tensor as often as one likes */
            ck_assert_ptr_nonnull(nm_tensor_f32(f.w));
        }
        float *elements = nm_tensor_f32(x);
        elements[2] = 70;
        nm_backward(f.tape, loss, 0);
        assert_error(f.context, NM_ERROR_INPUT, "was changed after the forward pass had read it");
        nm_tensor_destroy(wrapped);
        end(f, NULL);
    }
}
END_TEST

START_TEST(a_pointer_that_is_only_read_through_is_none)
{
    fixture f = begin(NULL);
    nm_tensor *y = nm_exp(f.tape, f.w), *loss = nm_sum(f.tape, y);
    for (int i = 0; i < 3; i++) {
        ck_assert(nm_tensor_f32(y)[i] > 1 && nm_tensor_f32(f.w)[i] > 0);
    }
    ck_assert_int_eq(nm_backward(f.tape, loss, NM_KEEP_GRAPH), NM_OK);
    nm_tensor_f32(f.w)[0] = 5; /* between two forward passes */
    nm_tensor *gradient;
    loss = nm_sum(f.tape, nm_square(f.tape, f.w));
    ck_assert_int_eq(nm_gradients(f.tape, &loss, NULL, 1, &f.w, 1, 0, &gradient), NM_OK);
    ck_assert(nm_tensor_get(gradient, 0) == 10);
    nm_tape_reset(f.tape);
    nm_tensor_f32(f.w)[0] = 6;
    ck_assert_int_eq(nm_backward(f.tape, nm_sum(f.tape, nm_square(f.tape, f.w)), 0), NM_OK);
    end(f, NULL);
}
END_TEST

START_TEST(a_gradient_that_is_wanted_too_late_is_an_error_of_the_backward_pass)
{
    for (int recorded = 0; recorded < 2; recorded++) {
        fixture f = begin(NULL);
        nm_tensor *v = nm_tensor_create(f.context, NM_F32, NM_SHAPE(3));
        nm_tensor_set_name(v, "v");
        nm_tensor *h = recorded ? nm_mul(f.tape, v, f.w) : nm_exp(f.tape, v);
        nm_tensor *loss = nm_sum(f.tape, nm_mul(f.tape, h, f.w));
        nm_tensor_set_requires_grad(v, true);
        nm_backward(f.tape, loss, 0);
        assert_error(f.context, NM_ERROR_INPUT,
                     "nm_backward: v was to have a gradient only after the forward pass");
        nm_tape_reset(f.tape);
        loss = nm_sum(f.tape, nm_mul(f.tape, nm_exp(f.tape, v), f.w));
        ck_assert_int_eq(nm_backward(f.tape, loss, 0), NM_OK);
        ck_assert_ptr_nonnull(nm_tensor_grad(v));
        nm_tape_reset(f.tape);
        nm_tensor_set_requires_grad(v, false);
        loss = nm_sum(f.tape, nm_mul(f.tape, nm_exp(f.tape, v), f.w));
        nm_tensor_set_requires_grad(v, true);
        nm_tensor_destroy(v); /* then nobody wants it */
        ck_assert_int_eq(nm_backward(f.tape, loss, 0), NM_OK);
        end(f, NULL);
    }
}
END_TEST

START_TEST(a_build_for_hunting_finds_changes_that_nobody_told_of)
{
    fixture f = begin(NULL);
    float *before = nm_tensor_f32(f.w);
    nm_tensor *loss = nm_sum(f.tape, nm_square(f.tape, f.w));
    before[0] = 7;
    nm_backward(f.tape, loss, 0);
#ifdef NM_GUARD
    assert_error(f.context, NM_ERROR_INPUT, "was changed after the forward pass had read it");
#else
    assert_fine(f.context);
#endif
    end(f, NULL);
}
END_TEST

START_TEST(a_build_for_hunting_knows_tensors_of_many_steps_before)
{
#ifdef NM_GUARD
    const int resets = 63;
#else
    const int resets = 1;
#endif
    fixture f = begin(NULL);
    nm_tensor *old = nm_exp(f.tape, f.w);
    for (int i = 0; i < resets; i++) {
        nm_tape_reset(f.tape);
        nm_exp(f.tape, f.w);
        ck_assert_ptr_null(nm_tensor_data(old));
        assert_error(f.context, NM_ERROR_INPUT, "is from before nm_tape_reset()");
    }
    end(f, NULL);
}
END_TEST

START_TEST(a_change_that_no_gradient_needs_is_none)
{
    fixture f = begin(NULL);
    nm_tensor *y = nm_add(f.tape, f.w, f.w);
    nm_tensor *loss = nm_sum(f.tape, y);
    nm_tensor_fill(f.w, 9);
    ck_assert_int_eq(nm_backward(f.tape, loss, 0), NM_OK);
    ck_assert(nm_tensor_get(nm_tensor_grad(f.w), 0) == 2);
    end(f, NULL);
}
END_TEST

START_TEST(a_change_of_elements_that_are_shared_is_seen_by_all_who_have_them)
{
    float memory[6] = {1, 2, 3, 4, 5, 6};
    fixture f = begin(NULL);
    nm_tensor *own = nm_tensor_create(f.context, NM_F32, NM_SHAPE(6));
    nm_tensor *tensors[] = {own, nm_tensor_wrap(f.context, NM_F32, NM_SHAPE(6), memory)};
    for (int i = 0; i < 2; i++) {
        nm_tensor *x = tensors[i];
        nm_tensor_set_requires_grad(x, true);
        for (int way = 0; way < 3; way++) {
            nm_tensor_fill(x, 3);
            nm_tensor *view =
                nm_reshape(f.tape, nm_reshape(f.tape, x, NM_SHAPE(2, 3)), NM_SHAPE(3, 2));
            nm_tensor *loss = nm_sum(f.tape, nm_square(f.tape, view));
            nm_tensor_set(way == 1 ? view : x, 5, 100);
            if (way == 2) {
                nm_tape_reset(f.tape);
                nm_tensor_set(x, 5, 100); /* nobody has it any more */
                view = nm_reshape(f.tape, x, NM_SHAPE(3, 2));
                loss = nm_sum(f.tape, nm_square(f.tape, view));
                ck_assert_int_eq(nm_backward(f.tape, loss, 0), NM_OK);
                ck_assert(nm_tensor_get(nm_tensor_grad(x), 5) == 200);
            } else {
                nm_backward(f.tape, loss, 0);
                assert_error(f.context, NM_ERROR_INPUT, "was changed after the forward pass");
            }
            nm_tape_reset(f.tape);
            nm_tensor_clear_grad(x);
        }
        nm_tensor_destroy(x);
    }
    end(f, NULL);
}
END_TEST

START_TEST(a_detached_tensor_shares_changes_or_has_a_copy)
{
    float memory[3] = {2, 2, 2};
    fixture f = begin(NULL);
    nm_tensor *c = nm_tensor_create(f.context, NM_F32, NM_SHAPE(3));
    nm_tensor *loss = nm_sum(f.tape, nm_mul(f.tape, f.w, nm_detach(f.tape, c)));
    nm_tensor_fill(c, 5);
    nm_backward(f.tape, loss, 0);
    assert_error(f.context, NM_ERROR_INPUT, "was changed after the forward pass");
    nm_tape_reset(f.tape);
    nm_tensor *wrapped = nm_tape_wrap(f.tape, NM_F32, NM_SHAPE(3), memory);
    loss = nm_sum(f.tape, nm_mul(f.tape, f.w, nm_detach(f.tape, wrapped)));
    memory[1] = 7;
    ck_assert_int_eq(nm_backward(f.tape, loss, 0), NM_OK);
    ck_assert(nm_tensor_get(nm_tensor_grad(f.w), 1) == 2);
    nm_tensor_destroy(c);
    end(f, NULL);
}
END_TEST

/* ---- Closed too early ---- */

START_TEST(what_is_alive_outlives_its_context_and_takes_it_along)
{
    test_memory memory = {.fail_at = -1};
    fixture f = begin(&memory);
    nm_store *store = nm_store_create(f.context);
    nm_tensor *big = nm_tensor_create(f.context, NM_F32, NM_SHAPE(1000));
    nm_sum(f.tape, nm_square(f.tape, big));
    test_warnings();
    nm_context_destroy(f.context);
    ck_assert_ptr_nonnull(strstr(test_warnings(), "closed before all that was made in it"));
    ck_assert_ptr_null(nm_exp(f.tape, big));
    ck_assert_ptr_nonnull(strstr(nm_context_error(nm_tape_context(f.tape)), "closed already"));
    nm_tensor_destroy(big);
    nm_tape_destroy(f.tape);
    nm_store_destroy(store);
    ck_assert_int_gt(memory.live, 0);
    nm_tensor_destroy(f.w);
    ck_assert_int_eq(memory.live, 0);
}
END_TEST

TEST_MAIN("core/lifetime", a_tensor_destroyed_before_the_backward_pass_that_needs_it_is_kept_for_it,
          a_parameter_destroyed_with_its_store_is_kept_for_the_backward_pass,
          what_belongs_to_something_else_is_not_destroyed_by_its_user,
          early_destruction_survives_the_failure_of_every_allocation,
          a_tensor_kept_over_a_reset_is_an_error_that_says_so,
          a_change_that_a_gradient_would_notice_is_an_error_that_names_the_op,
          a_build_for_hunting_finds_changes_that_nobody_told_of,
          a_change_through_a_pointer_that_was_got_since_is_found,
          a_pointer_that_is_only_read_through_is_none,
          a_gradient_that_is_wanted_too_late_is_an_error_of_the_backward_pass,
          a_build_for_hunting_knows_tensors_of_many_steps_before,
          a_change_that_no_gradient_needs_is_none,
          a_change_of_elements_that_are_shared_is_seen_by_all_who_have_them,
          a_detached_tensor_shares_changes_or_has_a_copy,
          what_is_alive_outlives_its_context_and_takes_it_along)
