/* Parameters of layers for networks written in C. */
#include <math.h>
#include <stdio.h>

#include "models/open.h"
#include "ops/norm.h"
#include "models/parameters.h"
#include "tests/test.h"

static const nm_entry *found(const nm_store *store, const char *name, nm_role role,
                             nm_purpose purpose)
{
    const nm_entry *entry = nm_store_find(store, name);
    ck_assert_msg(entry && entry->role == role && entry->purpose == purpose, "%s", name);
    return entry;
}

START_TEST(a_dense_layer_begins_as_one_of_a_file_does)
{
    nm_context *context = test_context(NULL);
    nm_store *store = nm_store_create(context);
    nm_dense_parameters p = nm_dense_add(store, "head", 50, 400);
    ck_assert_ptr_eq(found(store, "head.weight", NM_PARAMETER, NM_WEIGHT)->tensor, p.weight);
    ck_assert_ptr_eq(found(store, "head.bias", NM_PARAMETER, NM_BIAS)->tensor, p.bias);
    ck_assert(nm_shape_equal(nm_tensor_shape(p.weight), &NM_SHAPE(400, 50)));
    ck_assert(nm_shape_equal(nm_tensor_shape(p.bias), &NM_SHAPE(400)));
    double squares = 0;
    for (int i = 0; i < 20000; i++) {
        squares += pow(nm_tensor_get(p.weight, i), 2);
    }
    assert_near(squares / 20000, 2.0 / 50, 0.05, 0);
    ck_assert_double_eq(nm_tensor_get(p.bias, 399), 0);
    nm_dense_parameters again = nm_dense_add(store, "head", 2, 2);
    ck_assert(!again.weight && !again.bias);
    assert_error(context, NM_ERROR_INPUT, "head.weight");
    nm_store_destroy(store);
    nm_context_destroy(context);
}
END_TEST

START_TEST(weight_norm_begins_with_w_equal_to_v)
{
    nm_context *context = nm_open(NULL);
    nm_store *store = nm_store_create(context);
    nm_weight_norm_parameters p = nm_weight_norm_add(store, "fc", 5, 3);
    found(store, "fc.weight_v", NM_PARAMETER, NM_WEIGHT);
    found(store, "fc.weight_g", NM_PARAMETER, NM_WEIGHT);
    found(store, "fc.bias", NM_PARAMETER, NM_BIAS);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *w = nm_weight_norm(tape, p.v, p.g, .axis = 0);
    assert_fine(context);
    for (int i = 0; i < 15; i++) {
        assert_near(nm_tensor_get(w, i), nm_tensor_get(p.v, i), 1e-6, 1e-7);
    }
    nm_tape_destroy(tape);
    nm_store_destroy(store);
    nm_close(context);
}
END_TEST

START_TEST(batch_norm_begins_as_one_of_a_file_does)
{
    nm_context *context = test_context(NULL);
    nm_store *store = nm_store_create(context);
    nm_batch_norm_parameters p = nm_batch_norm_add(store, "bn", 4);
    ck_assert_double_eq(nm_tensor_get(p.scale, 3), 1);
    ck_assert_double_eq(nm_tensor_get(p.shift, 3), 0);
    ck_assert_double_eq(nm_tensor_get(p.mean, 3), 0);
    ck_assert_double_eq(nm_tensor_get(p.var, 3), 1);
    found(store, "bn.scale", NM_PARAMETER, NM_NORM_SCALE);
    found(store, "bn.shift", NM_PARAMETER, NM_NORM_SHIFT);
    found(store, "bn.running_mean", NM_BUFFER, NM_STATISTIC);
    found(store, "bn.running_var", NM_BUFFER, NM_VARIANCE);
    nm_store_destroy(store);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_name_that_is_too_long_is_an_error)
{
    char name[400];
    snprintf(name, sizeof name, "%0300d", 0);
    nm_context *context = test_context(NULL);
    nm_store *store = nm_store_create(context);
    ck_assert_ptr_null(nm_batch_norm_add(store, name, 4).scale);
    assert_error(context, NM_ERROR_INPUT, "a layer's name is longer than");
    nm_store_destroy(store);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_layer_of_no_size_is_an_error)
{
    nm_context *context = test_context(NULL);
    nm_store *store = nm_store_create(context);
    for (int64_t size = -1; size <= 0; size++) {
        ck_assert_ptr_null(nm_dense_add(store, "fc", size, 3).weight);
        assert_error(context, NM_ERROR_INPUT, "of its inputs, units or channels");
        ck_assert_ptr_null(nm_dense_add(store, "fc", 3, size).weight);
        assert_error(context, NM_ERROR_INPUT, "fc.weight: ");
        ck_assert_ptr_null(nm_weight_norm_add(store, "fc", size, 3).v);
        assert_error(context, NM_ERROR_INPUT, "fc.weight_v: ");
        ck_assert_ptr_null(nm_weight_norm_add(store, "fc", 3, size).v);
        assert_error(context, NM_ERROR_INPUT, "there must be 1 at least");
        ck_assert_ptr_null(nm_batch_norm_add(store, "bn", size).scale);
        assert_error(context, NM_ERROR_INPUT, size ? "bn.scale: -1 of" : "bn.scale: 0 of");
    }
    ck_assert_int_eq(nm_store_count(store), 0);
    nm_store_destroy(store);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("models/parameters", a_dense_layer_begins_as_one_of_a_file_does,
          weight_norm_begins_with_w_equal_to_v, batch_norm_begins_as_one_of_a_file_does,
          a_name_that_is_too_long_is_an_error, a_layer_of_no_size_is_an_error)
