/* Descriptors that lack something, as whoever writes an op or a layer makes them: refused when they
 * are registered, by what they lack; and vjps that return what no gradient can be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"
#include "models/layer.h"
#include "norma.h"
#include "ops/define.h"
#include "tests/test.h"

/* ---- Ops ---- */

static nm_op like(nm_context *context, const char *name)
{
    nm_op op = *nm_find_op(context, name);
    op.item.name = "mine";
    return op;
}

static void refuses(nm_context *context, nm_op op, const char *part)
{
    static nm_op kept[32];
    static int count;
    kept[count] = op;
    ck_assert_int_eq(nm_register_op(context, &kept[count++ % 32]), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, part);
    ck_assert_ptr_null(nm_find_op(context, "mine"));
}

#define REFUSES(from, part, ...)                                                                   \
    do {                                                                                           \
        nm_op op = like(context, from);                                                            \
        __VA_ARGS__;                                                                               \
        refuses(context, op, part);                                                                \
    } while (0)

START_TEST(an_op_that_lacks_something_is_refused_by_what_it_is)
{
    nm_context *context = nm_open(NULL);
    const char *limits = "\"mine\": it needs inputs and outputs within the limits of core/op.h";
    REFUSES("relu", limits, op.input_count = -1);
    REFUSES("relu", limits, op.input_count = NM_MAX_INPUTS + 1);
    REFUSES("relu", limits, op.output_count = 0);
    REFUSES("relu", limits, op.output_count = NM_MAX_OUTPUTS + 1);
    REFUSES("relu", limits, op.inputs = NULL);
    REFUSES("relu", limits, op.outputs = NULL);
    REFUSES("relu", "it has no shape rule (infer)", op.infer = NULL);
    REFUSES("relu", "it has no computation (forward)", op.forward = NULL);
    REFUSES("relu", "it needs a gradient (vjp), or the flag NM_OP_NO_VJP", op.vjp = NULL);
    REFUSES("relu", "it needs a gradient (vjp), or the flag", op.flags |= NM_OP_NO_VJP);
    REFUSES("relu", "must begin with size_t struct_size",
            op.item.spec = nm_find_op(context, "softmax")->item.spec;
            nm_spec spec = *op.item.spec; spec.defaults = NULL; op.item.spec = &spec);
    REFUSES("relu", "descriptor has 24 bytes", op.item.size = 24);
    REFUSES("relu", "was built for ABI 77", op.item.abi = 77);
    REFUSES("relu", "cannot register the op \"\": it has no shape rule", op.item.name = NULL;
            op.infer = NULL);
    nm_close(context);
}
END_TEST

START_TEST(an_elementwise_op_has_whole_floating_inputs_and_one_output)
{
    nm_context *context = nm_open(NULL);
    const char *part = "NM_OP_ELEMENTWISE is for required floating inputs";
    static const nm_port two[] = {{"a", "a", NM_PORT_FLOAT, 0}, {"b", "b", NM_PORT_FLOAT, 0}};
    static const nm_port index[] = {{"a", "a", NM_PORT_INDEX, 0}};
    static const nm_port optional[] = {{"a", "a", NM_PORT_FLOAT, NM_PORT_OPTIONAL}};
    ck_assert(nm_find_op(context, "relu")->flags & NM_OP_ELEMENTWISE);
    REFUSES("relu", part, op.output_count = 2; op.outputs = two);
    REFUSES("relu", part, op.inputs = index);
    REFUSES("relu", part, op.outputs = index);
    REFUSES("relu", part, op.inputs = optional);
    REFUSES("relu", part, op.input_count = 0);
    REFUSES("relu", part, op.flags |= NM_OP_VIEW);
    REFUSES("relu", part, op.forward = NULL; op.flags |= NM_OP_VIEW);
    nm_close(context);
}
END_TEST

START_TEST(an_op_made_of_others_has_nothing_else)
{
    nm_context *context = nm_open(NULL);
    const nm_op *relu = nm_find_op(context, "relu");
    const char *part = "made of others (compose), it has no infer, forward, vjp";
    ck_assert(nm_find_op(context, "greater")->compose != NULL);
    REFUSES("greater", part, op.infer = relu->infer);
    REFUSES("greater", part, op.forward = relu->forward);
    REFUSES("greater", part, op.vjp = relu->vjp);
    REFUSES("greater", part, op.flags |= NM_OP_IN_PLACE);
    nm_close(context);
}
END_TEST

START_TEST(an_op_that_nobody_registered_and_lacks_something_is_not_applied)
{
    nm_context *context = nm_open(NULL);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(3));
    nm_op op = like(context, "softmax");
    op.forward = NULL;
    ck_assert_ptr_null(nm_apply1(tape, &op, NULL, x));
    assert_error(context, NM_ERROR_INPUT, "the op \"mine\" has no computation (forward)");
    op = like(context, "softmax");
    op.infer = NULL;
    ck_assert_ptr_null(nm_apply1(tape, &op, NULL, x));
    assert_error(context, NM_ERROR_INPUT, "the op \"mine\" has no shape rule (infer)");
    nm_tensor *y[2] = {x, x};
    ck_assert_int_eq(nm_call(tape, "relu", &x, 1, NULL, y, 2), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "relu: it has 1 outputs, but 2 were asked for");
    ck_assert(!y[0] && !y[1]);
    ck_assert_int_eq(nm_call(tape, "relu", &x, 1, "{alpha: 2}", y, 1), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "relu: it has no options, but was given {alpha: 2}");
    ck_assert_int_eq(nm_call(tape, "relu", &x, 1, "{}", y, 1), NM_OK);
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    nm_close(context);
}
END_TEST

/* ---- Gradients that are none ---- */

static nm_tensor *narrow_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_full(v->tape, NM_F32, NM_SHAPE(2), 1);
}

static nm_tensor *double_vjp(nm_vjp *v, int input)
{
    return nm_full(v->tape, NM_F64, *nm_tensor_shape(v->in[input]), 1);
}

static void vjp_is_told(nm_tensor *(*vjp)(nm_vjp *, int), const char *part)
{
    nm_context *context = nm_open(NULL);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(3));
    nm_tensor_fill(x, 1);
    nm_tensor_set_requires_grad(x, true);
    nm_op op = like(context, "relu");
    op.vjp = vjp;
    nm_tensor *loss = nm_sum(tape, nm_apply1(tape, &op, NULL, x));
    ck_assert_int_eq(nm_backward(tape, loss, 0), NM_ERROR_INTERNAL);
    assert_error(context, NM_ERROR_INTERNAL, part);
    ck_assert_ptr_null(nm_tensor_grad(x));
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    nm_close(context);
}

START_TEST(a_gradient_of_another_shape_or_type_is_told_with_its_op)
{
    vjp_is_told(narrow_vjp, "mine: its vjp returned a gradient of shape [2] for x [3]");
    vjp_is_told(double_vjp, "mine: its vjp returned another type");
}
END_TEST

/* ---- Layers ---- */

START_TEST(a_layer_that_lacks_something_is_refused_by_what_it_is)
{
    nm_context *context = nm_open(NULL);
    const nm_layer_type *dense = (const nm_layer_type *)nm_find(context, NM_KIND_LAYER, "dense");
    nm_layer_type bad = *dense;
    bad.item.name = "mine";
    bad.forward = NULL;
    ck_assert_int_eq(nm_register_layer(context, &bad), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "the layer \"mine\": it has no forward pass");
    bad.item.name = NULL;
    ck_assert_int_eq(nm_register_layer(context, &bad), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "the layer \"\": it has no forward pass");
    bad = *dense;
    bad.item.name = "mine";
    nm_spec spec = *dense->item.spec;
    spec.count = 0;
    bad.item.spec = &spec;
    ck_assert_int_eq(nm_register_layer(context, &bad), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "its options must begin with NM_LAYER_FIELDS");
    spec = *dense->item.spec;
    spec.options++; /* the second stands where the name should */
    spec.count--;
    ck_assert_int_eq(nm_register_layer(context, &bad), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "their table with NM_LAYER_ROWS");
    bad = *dense;
    bad.item.name = "mine";
    bad.item.size--;
    ck_assert_int_eq(nm_register_layer(context, &bad), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "this layer's descriptor has ");
    bad = *dense;
    bad.item.name = "mine";
    bad.item.abi = 3;
    ck_assert_int_eq(nm_register_layer(context, &bad), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "this layer was built for ABI 3");
    nm_close(context);
}
END_TEST

/* ---- All kinds that have a rule ---- */

/* A descriptor of the kind, with another name. */
static nm_item *copy_of(nm_context *context, nm_kind kind)
{
    const nm_item *item = nm_item_at(context, kind, 0);
    nm_item *copy = malloc(item->size);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, item, item->size);
    copy->name = "mine";
    return copy;
}

static void refuses_item(nm_context *context, nm_kind kind, nm_item *item, const char *part)
{
    ck_assert_int_eq(nm_register(context, kind, item), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, part);
    ck_assert_ptr_null(nm_find(context, kind, "mine"));
    free(item);
}

static void lacks_each(nm_context *context, nm_kind kind, const nm_kind_rule *rule)
{
    char text[128];
    for (int i = 0; rule->needs[i].name; i++) {
        nm_item *item = copy_of(context, kind);
        memset((char *)item + rule->needs[i].offset, 0, sizeof(void (*)(void)));
        snprintf(text, sizeof text, "cannot register the %s \"mine\": it has no %s",
                 nm_kind_name(kind), rule->needs[i].name);
        refuses_item(context, kind, item, text);
    }
    nm_item *item = copy_of(context, kind);
    item->size = sizeof(nm_item);
    snprintf(text, sizeof text, "the descriptor of the %s \"mine\" has %zu bytes, the library's",
             nm_kind_name(kind), sizeof(nm_item));
    refuses_item(context, kind, item, text);
}

START_TEST(what_has_not_the_functions_of_its_kind_is_refused_by_the_first_that_is_missing)
{
    nm_context *context = nm_open(NULL);
    int ruled = 0;
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        if (context->rules[kind] && nm_item_count(context, (nm_kind)kind)) {
            lacks_each(context, (nm_kind)kind, context->rules[kind]);
            ruled++;
        }
        nm_item *item = copy_of(context, (nm_kind)kind);
        item->summary = NULL;
        refuses_item(context, (nm_kind)kind, item, "");
    }
    ck_assert_int_ge(ruled, 6);
    nm_close(context);
}
END_TEST

START_TEST(a_choice_of_another_kind_is_named_with_both)
{
    nm_context *context = nm_open(NULL);
    const nm_item *sgd = nm_require(context, NM_KIND_OPTIMIZER, "sgd");
    ck_assert_int_eq(nm_item_check(context, NM_KIND_SCHEDULE, sgd), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT,
                 "\"sgd\" is of kind optimizer, where a choice of kind schedule is wanted");
    nm_item nameless = {.abi = NM_ABI, .size = sgd->size};
    ck_assert_int_eq(nm_item_check(context, NM_KIND_OPTIMIZER, &nameless), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "\"\" is something else, where a choice of kind");
    ck_assert_int_eq(nm_item_check(context, NM_KIND_OPTIMIZER, sgd), NM_OK);
    ck_assert_str_eq(nm_kind_name(NM_KIND_COUNT), "item of no kind");
    ck_assert_ptr_null(nm_find(context, NM_KIND_COUNT, "sgd"));
    ck_assert_int_eq(nm_item_count(context, NM_KIND_COUNT), 0);
    ck_assert_ptr_null(nm_item_at(context, NM_KIND_OP, -1));
    ck_assert_ptr_null(nm_item_at(context, NM_KIND_OP, 100000));
    ck_assert_ptr_null(nm_item_at(context, NM_KIND_COUNT, 0));
    nm_close(context);
}
END_TEST

TEST_MAIN("models/descriptors", an_op_that_lacks_something_is_refused_by_what_it_is,
          an_elementwise_op_has_whole_floating_inputs_and_one_output,
          an_op_made_of_others_has_nothing_else,
          an_op_that_nobody_registered_and_lacks_something_is_not_applied,
          a_gradient_of_another_shape_or_type_is_told_with_its_op,
          a_layer_that_lacks_something_is_refused_by_what_it_is,
          what_has_not_the_functions_of_its_kind_is_refused_by_the_first_that_is_missing,
          a_choice_of_another_kind_is_named_with_both)
