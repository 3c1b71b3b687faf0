/* The gradient check of whole models: it passes what is right, finds what is wrong, and tells kinks
 * from mistakes. */
#include <stdio.h>

#include "models/check.h"
#include "models/layer.h"
#include "ops/define.h"
#include "ops/elementwise.h"

#include "tests/models/model_test.h"

typedef struct seen {
    int tensors, projections, kinks, left_out;
    double error;
    char last[64];
} seen;

static void count(void *user, const nm_model_check *check)
{
    seen *s = user;
    s->tensors++;
    s->projections += check->projections;
    s->kinks += check->kinks;
    s->left_out += check->left_out;
    s->error = check->error > s->error ? check->error : s->error;
    snprintf(s->last, sizeof s->last, "%s", check->name);
}

static void shake(fixture *f)
{
    nm_random random = nm_random_create(7, 0);
    for (int i = 0; i < nm_store_count(f->store); i++) {
        const nm_entry *entry = nm_store_at(f->store, i);
        for (int64_t k = 0; entry->role == NM_PARAMETER && k < nm_tensor_count(entry->tensor);
             k++) {
            nm_tensor_set(entry->tensor, k,
                          nm_tensor_get(entry->tensor, k) + 0.1 * nm_random_normal(&random));
        }
    }
}

static seen check_right(const char *yaml, nm_shape sample)
{
    fixture f = begin_f64(yaml, sample);
    nm_tensor *x = normal(&f, NM_F64, batch_of(5, sample), 3);
    seen s = {0};
    shake(&f);
    ck_assert_msg(nm_check_model(f.model, x, count, &s) == NM_OK, "%s: %s", yaml,
                  nm_context_error(f.context));
    ck_assert_int_eq(s.projections + s.left_out, 3 * s.tensors);
    ck_assert_str_eq(s.last, "samples");
    ck_assert(s.error < 1e-6);
    nm_tensor_destroy(x);
    end(&f);
    return s;
}

START_TEST(networks_that_are_right_pass)
{
    const nm_shape vector = NM_SHAPE(6), image = NM_SHAPE(6, 6, 2);
    seen s = check_right("[dense: {units: 5}, batch_norm, tanh, dense: {units: 3}]", vector);
    ck_assert_int_eq(s.tensors, 7);
    ck_assert_int_eq(s.left_out, 0);
    check_right("[dense: {units: 8, weight: {weight_norm: {}}}, relu, dropout: {p: 0.3}, dense: "
                "{units: 3}]",
                vector);
    check_right("[dense: {units: 8}, layer_norm, gelu, dense: {units: 4}, softmax]", vector);
    check_right("[residual: {body: [dense: {units: 6}, ghost_batch_norm: {size: 2}, silu]}, prelu]",
                vector);
    check_right(
        "[conv2d: {channels: 3, kernel: 3}, batch_norm, relu, max_pool2d: {kernel: 2}, flatten, "
        "dense: {units: 3}]",
        image);
    check_right("[conv2d: {channels: 4, kernel: 3}, group_norm: {groups: 2}, elu, avg_pool2d: "
                "{kernel: 2}, flatten]",
                image);
    check_right("[filter_response_norm, dynamic_tanh, flatten, dense: {units: 2}]", image);
}
END_TEST

/* ---- An op whose gradient is wrong ---- */

NM_UNARY(crooked, x *x)
static nm_tensor *crooked_vjp(nm_vjp *v, int input)
{
    return nm_mul(v->tape, v->gout[0], v->in[input]); /* half of it */
}
static const nm_sample crooked_samples[] = {{.in = {NM_NORMAL(3, 5)}}};
NM_UNARY_OP(crooked, "a square", .doc = "y = x^2, with half its gradient.")

START_TEST(a_wrong_gradient_is_found_and_named)
{
    nm_context *context = open_context(NULL);
    nm_register_op(context, &nm_op_crooked);
    nm_document *document = nm_document_parse(context, "[dense: {units: 4}, op: {apply: crooked}]",
                                              SIZE_MAX, "net.yaml");
    const nm_model_options options = {NM_MODEL_DEFAULTS, .dtype = NM_F64};
    const nm_shape sample = NM_SHAPE(3);
    nm_model *model =
        nm_model_create(context, document, nm_document_root(document), &sample, &options);
    nm_tensor *x = nm_tensor_create(context, NM_F64, NM_SHAPE(5, 3));
    nm_random random = nm_random_create(1, 1);
    nm_random_fill_normal(&random, x, 0, 1);
    ck_assert_int_eq(nm_check_model(model, x, NULL, NULL), NM_ERROR_NUMERIC);
    assert_error(context, NM_ERROR_NUMERIC,
                 "dense1.weight: along a random direction the gradient is ");
    nm_tensor_destroy(x);
    nm_model_destroy(model);
    nm_document_destroy(document);
    nm_close(context);
}
END_TEST

/* ---- Kinks ---- */

static seen check_relu_at(double value)
{
    fixture f = begin_f64("[relu]", NM_SHAPE(1));
    nm_tensor *x = nm_tensor_create(f.context, NM_F64, NM_SHAPE(1, 1));
    seen s = {0};
    nm_tensor_set(x, 0, value);
    ck_assert_int_eq(nm_check_model(f.model, x, count, &s), NM_OK);
    ck_assert_double_eq(nm_tensor_get(x, 0), value);
    assert_fine(f.context);
    nm_tensor_destroy(x);
    end(&f);
    return s;
}

START_TEST(a_kink_is_told_from_a_mistake)
{
    const seen far = check_relu_at(1), beside = check_relu_at(3e-5), at = check_relu_at(0);
    ck_assert_int_eq(far.projections, 3);
    ck_assert_int_eq(far.kinks + far.left_out, 0);
    ck_assert_int_eq(beside.projections, 3);
    ck_assert_int_eq(beside.kinks, 3);
    ck_assert_int_eq(at.projections, 0);
    ck_assert_int_eq(at.left_out, 3);
}
END_TEST

/* ---- What it leaves ---- */

START_TEST(the_model_is_left_as_it_was)
{
    const nm_shape sample = NM_SHAPE(4);
    fixture f = begin_f64("[dense: {units: 5}, batch_norm, dense: {units: 2}]", sample);
    nm_tensor *x = normal(&f, NM_F64, batch_of(4, sample), 3), *before[16];
    train(&f, x); /* running statistics begin to move */
    nm_tape_reset(f.tape);
    for (int i = 0; i < nm_store_count(f.store); i++) {
        nm_tensor *t = nm_store_at(f.store, i)->tensor;
        before[i] = nm_tensor_copy_of(f.context, nm_tensor_dtype(t), *nm_tensor_shape(t),
                                      nm_tensor_data(t));
    }
    ck_assert_int_eq(nm_check_model(f.model, x, NULL, NULL), NM_OK);
    for (int i = 0; i < nm_store_count(f.store); i++) {
        const nm_entry *entry = nm_store_at(f.store, i);
        ck_assert_msg(same_bits(entry->tensor, before[i]), "%s", entry->name);
        nm_tensor_destroy(before[i]);
    }
    ck_assert(!nm_tensor_requires_grad(x));
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    fixture f = begin("[dense: {units: 5}]", NM_SHAPE(4));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(3, 4), 3);
    ck_assert_int_eq(nm_check_model(f.model, x, NULL, NULL), NM_ERROR_INPUT);
    assert_error(f.context, NM_ERROR_INPUT, "the model must be of f64");
    nm_tensor_destroy(x);
    end(&f);
    f = begin_f64("[dense: {units: 5}]", NM_SHAPE(4));
    x = normal(&f, NM_F64, NM_SHAPE(3, 5), 3);
    ck_assert_int_eq(nm_check_model(f.model, x, NULL, NULL), NM_ERROR_INPUT);
    assert_error(f.context, NM_ERROR_INPUT, "samples of the model's shape");
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

static nm_status check_failing(test_memory *memory)
{
    static const char yaml[] = "[dense: {units: 2}, batch_norm, tanh, dense: {units: 1}]";
    nm_context *context = open_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, "");
    const nm_model_options options = {NM_MODEL_DEFAULTS, .dtype = NM_F64};
    nm_model *model = document ? nm_model_create(context, document, nm_document_root(document),
                                                 &NM_SHAPE(2), &options)
                               : NULL;
    nm_tensor *x = nm_tensor_create(context, NM_F64, NM_SHAPE(3, 2));
    nm_random random = nm_random_create(3, 1);
    seen s = {0};
    if (model && x && nm_random_fill_normal(&random, x, 0, 1) == NM_OK) {
        nm_check_model(model, x, count, &s);
    }
    nm_tensor_destroy(x);
    nm_model_destroy(model);
    nm_document_destroy(document);
    const nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    test_every_allocation(check_failing);
}
END_TEST

TEST_MAIN("models/check_model", networks_that_are_right_pass, a_wrong_gradient_is_found_and_named,
          a_kink_is_told_from_a_mistake, the_model_is_left_as_it_was, what_does_not_fit_is_refused,
          any_allocation_may_fail)
