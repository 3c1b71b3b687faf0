/* What a program holds wrongly is an error that names it, or works; nothing of it touches memory
 * that is gone. tests/core/test_lifetime.c has what is kept, destroyed or changed at the wrong
 * moment. */
#include <stdlib.h>
#include <string.h>

#include "core/store.h"
#include "ops/define.h"
#include "ops/ops.h"
#include "tests/test.h"

typedef struct fixture {
    nm_context *context;
    nm_tape *tape;
    nm_tensor *w, *v;
} fixture;

static nm_tensor *make(nm_context *context, double value)
{
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(3));
    nm_tensor_fill(x, value);
    nm_tensor_set_requires_grad(x, true);
    return x;
}

static fixture begin(test_memory *memory)
{
    fixture f = {.context = test_context(memory)};
    nm_register_ops(f.context);
    f.tape = nm_tape_create(f.context);
    f.w = make(f.context, 2);
    f.v = make(f.context, 3);
    return f;
}

static void end(fixture f, test_memory *memory)
{
    nm_tape_destroy(f.tape);
    nm_tensor_destroy(f.w);
    nm_tensor_destroy(f.v);
    test_context_end(f.context, memory);
}

/* ---- Gradients as tensors ---- */

/* A loss of v and the gradient of w, whose gradient in v is 4. */
static nm_tensor *loss_of_gradient(fixture f)
{
    nm_backward(f.tape, nm_sum(f.tape, nm_square(f.tape, f.w)), 0);
    return nm_sum(f.tape, nm_mul(f.tape, nm_tensor_grad(f.w), f.v));
}

START_TEST(a_gradient_that_was_computed_with_outlives_its_tensor)
{
    test_memory memory = {.fail_at = -1};
    fixture f = begin(&memory);
    nm_tensor *loss = loss_of_gradient(f);
    nm_tensor_destroy(f.w);
    f.w = make(f.context, 77);
    ck_assert_int_eq(nm_backward(f.tape, loss, 0), NM_OK);
    ck_assert(nm_tensor_get(nm_tensor_grad(f.v), 0) == 4);
    end(f, &memory);
}
END_TEST

START_TEST(a_gradient_that_was_added_to_since_is_an_error)
{
    fixture f = begin(NULL);
    nm_tensor *loss = loss_of_gradient(f);
    nm_backward(f.tape, nm_sum(f.tape, nm_square(f.tape, f.w)), 0);
    nm_backward(f.tape, loss, 0);
    assert_error(f.context, NM_ERROR_INPUT, "was changed after the forward pass had read it");
    end(f, NULL);
}
END_TEST

/* ---- Other tapes ---- */

START_TEST(gradients_are_of_tensors_of_the_tape)
{
    fixture f = begin(NULL);
    nm_context *other = test_context(NULL);
    nm_tape *tape = nm_tape_create(f.context);
    nm_tensor *far = nm_tensor_create(other, NM_F32, NM_SHAPE(3)), *y = f.w, *out = NULL;
    for (int i = 0; i < 20; i++) {
        y = nm_square(f.tape, y);
    }
    nm_tensor *z = nm_square(tape, f.w);
    nm_gradients(tape, &y, NULL, 1, &f.w, 1, 0, &out);
    assert_error(f.context, NM_ERROR_INPUT, "nm_gradients: output 0 belongs to another tape");
    nm_gradients(tape, &z, NULL, 1, &y, 1, 0, &out);
    assert_error(f.context, NM_ERROR_INPUT, "nm_gradients: input 0 belongs to another tape");
    nm_gradients(tape, &z, &far, 1, &f.w, 1, 0, &out);
    assert_error(f.context, NM_ERROR_INPUT, "the gradient of output 0 belongs to another context");
    nm_gradients(tape, &z, NULL, -1, &f.w, 1, 0, &out);
    assert_error(f.context, NM_ERROR_INPUT, "-1 outputs");
    nm_tensor_destroy(far);
    nm_tape_destroy(tape);
    nm_context_destroy(other);
    end(f, NULL);
}
END_TEST

START_TEST(a_tensor_of_a_tape_that_was_destroyed_is_an_error)
{
    test_memory memory = {.fail_at = -1};
    fixture f = begin(&memory);
    nm_tape *tape = nm_tape_create(f.context);
    nm_tensor *y = nm_exp(tape, f.w);
    nm_tape_destroy(tape);
    ck_assert_ptr_null(nm_mul(f.tape, y, f.w));
    assert_error(f.context, NM_ERROR_INPUT, "a belongs to another tape");
    ck_assert_ptr_null(nm_tensor_data(y));
    assert_error(f.context, NM_ERROR_INPUT, "is from before nm_tape_reset()");
    end(f, &memory);
}
END_TEST

/* ---- Memory of the program's ---- */

START_TEST(a_view_of_wrapped_memory_outlives_the_tensor_over_it)
{
    test_memory memory = {.fail_at = -1};
    for (int nodes = 0; nodes < 2; nodes++) {
        fixture f = begin(&memory);
        float *mine = malloc(3 * sizeof *mine);
        ck_assert_ptr_nonnull(mine);
        mine[0] = mine[1] = mine[2] = 4;
        nm_tensor *x = nm_tensor_wrap(f.context, NM_F32, NM_SHAPE(3), mine);
        nm_tensor *view = nm_reshape(f.tape, x, NM_SHAPE(1, 3));
        nm_tensor *loss = nodes ? nm_sum(f.tape, nm_mul(f.tape, view, f.w)) : NULL;
        nm_tensor_destroy(x);
        mine[0] = 100;
        free(mine);
        loss = loss ? loss : nm_sum(f.tape, nm_mul(f.tape, view, f.w));
        ck_assert_int_eq(nm_backward(f.tape, loss, 0), NM_OK);
        ck_assert(nm_tensor_get(nm_tensor_grad(f.w), 0) == 4);
        end(f, &memory);
    }
}
END_TEST

START_TEST(labels_and_names_are_copied)
{
    fixture f = begin(NULL);
    char text[32];
    for (int i = 0; i < 3; i++) { /* a label lives over resets, too */
        strcpy(text, "block 7");
        nm_tape_set_scope(f.tape, i ? NULL : text);
        nm_tape_set_scope(f.tape, text);
        nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(7), 1);
        nm_tensor_set_name(x, text);
        memset(text, '#', sizeof text - 1);
        nm_tape_reset(f.tape);
        nm_tape_reset(f.tape);
        nm_tape_reset(f.tape);
        x = nm_full(f.tape, NM_F32, NM_SHAPE(7), 1);
        nm_add(f.tape, x, f.w);
        assert_error(f.context, NM_ERROR_INPUT, "block 7: add");
        strcpy(text, "hidden");
        nm_tensor_set_name(x, text);
        memset(text, '#', sizeof text - 1);
        nm_tensor_f64(x);
        assert_error(f.context, NM_ERROR_INPUT, "hidden holds f32");
    }
    end(f, NULL);
}
END_TEST

/* ---- Ops that do what they must not ---- */

static int mode;

enum { RESETS, DESTROYS, GOES_BACK, DIFFERENTIATES, TYPE_OUT_OF_RANGE };

static nm_status odd_infer(nm_infer *infer)
{
    infer->out[0] = *infer->in[0];
    infer->out_dtype[0] = mode == TYPE_OUT_OF_RANGE ? (nm_dtype)77 : infer->dtype;
    return NM_OK;
}

static nm_status odd_forward(const nm_run *run)
{
    memcpy(run->y[0], run->x[0], nm_tensor_bytes(run->in[0]));
    return NM_OK;
}

static nm_tensor *odd_vjp(nm_vjp *v, int input)
{
    nm_tensor *gradient;
    switch (mode) {
    case RESETS: nm_tape_reset(v->tape); break;
    case DESTROYS: nm_tape_destroy(v->tape); break;
    case GOES_BACK: nm_backward(v->tape, v->out[0], 0); break;
    default: nm_gradients(v->tape, v->out, NULL, 1, &v->in[input], 1, 0, &gradient);
    }
    return nm_affine(v->tape, v->gout[0], 1, 0);
}

static const nm_sample odd_samples[] = {{.in = {NM_NORMAL(3)}}};
static const nm_op odd = {.item = NM_ITEM(nm_op, "odd", "y = x"),
                          .inputs = nm_port_x,
                          .outputs = nm_port_y,
                          .input_count = 1,
                          .output_count = 1,
                          .infer = odd_infer,
                          .forward = odd_forward,
                          .vjp = odd_vjp,
                          .samples = odd_samples,
                          .sample_count = 1};

START_TEST(what_takes_the_nodes_away_is_refused_while_a_backward_pass_runs)
{
    static const char *const said[] = {
        "nm_tape_reset: a backward pass runs", "nm_tape_destroy: a backward pass runs",
        "nm_backward: a backward pass runs", "nm_gradients: a backward pass runs"};
    for (mode = RESETS; mode <= DIFFERENTIATES; mode++) {
        fixture f = begin(NULL);
        nm_tensor *y = nm_apply1(f.tape, &odd, NULL, f.w);
        nm_backward(f.tape, nm_sum(f.tape, y), 0);
        assert_error(f.context, NM_ERROR_INPUT, said[mode]);
        end(f, NULL);
    }
}
END_TEST

START_TEST(a_descriptor_that_lacks_something_or_lies_is_an_error_of_the_call)
{
    fixture f = begin(NULL);
    const nm_op none = {.item = {.name = "none"}}, half = {.item = {.name = "half"},
                                                           .inputs = nm_port_x,
                                                           .outputs = nm_port_y,
                                                           .input_count = 1,
                                                           .output_count = 1,
                                                           .infer = odd_infer};
    nm_apply1(f.tape, &none, NULL, f.w);
    assert_error(f.context, NM_ERROR_INPUT, "\"none\" has no shape rule");
    nm_apply1(f.tape, &half, NULL, f.w);
    assert_error(f.context, NM_ERROR_INPUT, "\"half\" has no computation");
    nm_op other = *nm_find_op(f.context, "sum");
    other.item.abi = NM_ABI + 1;
    nm_apply1(f.tape, &other, NULL, f.w);
    assert_error(f.context, NM_ERROR_INPUT, "an op was built for ABI");
    mode = TYPE_OUT_OF_RANGE;
    nm_apply1(f.tape, &odd, NULL, f.w);
    assert_error(f.context, NM_ERROR_INPUT, "not 77");
    nm_tensor *out[1];
    nm_apply(f.tape, nm_find_op(f.context, "relu"), &f.w, -1, NULL, out);
    assert_error(f.context, NM_ERROR_INPUT, "not -1");
    end(f, NULL);
}
END_TEST

/* ---- Ops that take away what is not theirs ---- */

static fixture *of_op; /* of the op that runs */

static nm_status eat(const nm_run *run)
{
    nm_tensor_destroy(of_op->w);
    of_op->w = NULL;
    return odd_forward(run);
}

static nm_tensor *eat_and_square(nm_compose *c)
{
    nm_tensor_destroy(of_op->w);
    of_op->w = NULL;
    return nm_square(c->tape, c->in[0]);
}

static nm_tensor *forget(nm_compose *c)
{
    nm_tape_reset(c->tape);
    return nm_square(c->tape, c->in[0]);
}

static nm_tensor *end_tape(nm_compose *c)
{
    nm_tape_destroy(c->tape);
    return nm_square(c->tape, c->in[0]);
}

static nm_tensor *go_back(nm_compose *c)
{
    nm_tensor *y = nm_square(c->tape, c->in[0]);
    nm_backward(c->tape, nm_sum(c->tape, y), 0);
    return y;
}

static nm_op made_op(nm_tensor *(*compose)(nm_compose *c))
{
    nm_op op = odd;
    op.infer = NULL;
    op.forward = NULL;
    op.vjp = NULL;
    op.compose = compose;
    return op;
}

START_TEST(an_op_that_destroys_its_input_computes_with_it_all_the_same)
{
    nm_op plain = odd, elementwise = odd, made = made_op(eat_and_square);
    plain.forward = elementwise.forward = eat;
    elementwise.flags = NM_OP_ELEMENTWISE;
    const nm_op *ops[] = {&plain, &elementwise, &made};
    mode = -1;
    for (int i = 0; i < 3; i++) {
        test_memory memory = {.fail_at = -1};
        fixture f = begin(&memory);
        of_op = &f;
        nm_tensor *y = nm_apply1(f.tape, ops[i], NULL, f.w);
        ck_assert(nm_tensor_get(y, 1) == (i == 2 ? 4 : 2));
        ck_assert_ptr_null(f.w);
        end(f, &memory);
    }
}
END_TEST

START_TEST(a_formula_does_not_take_the_tapes_nodes)
{
    nm_tensor *(*const formulas[])(nm_compose *) = {forget, end_tape, go_back};
    static const char *const said[] = {"nm_tape_reset: the formula of an op runs",
                                       "nm_tape_destroy: the formula of an op runs",
                                       "nm_backward: the formula of an op runs"};
    for (int i = 0; i < 3; i++) {
        fixture f = begin(NULL);
        const nm_op made = made_op(formulas[i]);
        ck_assert_ptr_null(nm_apply1(f.tape, &made, NULL, f.w));
        assert_error(f.context, NM_ERROR_INPUT, said[i]);
        nm_tape_reset(f.tape); /* from now on it may */
        assert_fine(f.context);
        end(f, NULL);
    }
}
END_TEST

START_TEST(a_name_that_a_store_knows_a_tensor_by_stays)
{
    fixture f = begin(NULL);
    nm_store *store = nm_store_create(f.context);
    nm_tensor *x = nm_store_add(store, "x", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(2));
    ck_assert_int_eq(nm_tensor_set_name(x, "y"), NM_ERROR_INPUT);
    assert_error(f.context, NM_ERROR_INPUT, "nm_tensor_set_name: x belongs to its store");
    ck_assert_str_eq(nm_store_at(store, 0)->name, "x");
    nm_store_destroy(store);
    end(f, NULL);
}
END_TEST

/* ---- Choices ---- */

START_TEST(an_item_of_another_kind_is_refused)
{
    fixture f = begin(NULL);
    const nm_item *relu = &nm_find_op(f.context, "relu")->item;
    ck_assert_int_eq(nm_item_check(f.context, NM_KIND_OP, relu), NM_OK);
    nm_item_check(f.context, NM_KIND_LOSS, relu);
    assert_error(f.context, NM_ERROR_INPUT, "\"relu\" is of kind op, where a choice of kind loss");
    const nm_item unknown = NM_ITEM(nm_item, "mine", "an item"); /* of another size than an op */
    nm_item_check(f.context, NM_KIND_OP, &unknown);
    assert_error(f.context, NM_ERROR_INPUT, "\"mine\" is something else");
    end(f, NULL);
}
END_TEST

TEST_MAIN("core/misuse", a_gradient_that_was_computed_with_outlives_its_tensor,
          a_gradient_that_was_added_to_since_is_an_error, gradients_are_of_tensors_of_the_tape,
          a_tensor_of_a_tape_that_was_destroyed_is_an_error,
          a_view_of_wrapped_memory_outlives_the_tensor_over_it, labels_and_names_are_copied,
          what_takes_the_nodes_away_is_refused_while_a_backward_pass_runs,
          a_descriptor_that_lacks_something_or_lies_is_an_error_of_the_call,
          an_op_that_destroys_its_input_computes_with_it_all_the_same,
          a_formula_does_not_take_the_tapes_nodes, a_name_that_a_store_knows_a_tensor_by_stays,
          an_item_of_another_kind_is_refused)
