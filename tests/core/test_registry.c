#include "core/registry.h"

#include <stdio.h>
#include <string.h>

#include "tests/test.h"

static const nm_item relu = {.abi = NM_ABI, .size = sizeof relu, .name = "relu", .summary = "r"};
static const nm_item tanh_ = {.abi = NM_ABI, .size = sizeof tanh_, .name = "tanh", .summary = "t"};

START_TEST(items_are_found_by_name_and_kept_in_order)
{
    nm_context *context = test_context(NULL);
    nm_register(context, NM_KIND_OP, &tanh_);
    nm_register(context, NM_KIND_OP, &relu);
    assert_fine(context);
    ck_assert_ptr_eq(nm_find(context, NM_KIND_OP, "relu"), &relu);
    ck_assert_ptr_null(nm_find(context, NM_KIND_OP, "gelu"));
    ck_assert_ptr_null(nm_find(context, NM_KIND_LAYER, "relu"));
    ck_assert_int_eq(nm_item_count(context, NM_KIND_OP), 2);
    ck_assert_ptr_eq(nm_item_at(context, NM_KIND_OP, 0), &tanh_);
    nm_context_destroy(context);
}
END_TEST

START_TEST(an_unknown_name_gets_a_suggestion)
{
    nm_context *context = test_context(NULL);
    nm_register(context, NM_KIND_OP, &relu);
    ck_assert_ptr_null(nm_require(context, NM_KIND_OP, "rleu"));
    assert_error(context, NM_ERROR_INPUT, "unknown op \"rleu\"; did you mean \"relu\"?");
    ck_assert_ptr_null(nm_require(context, NM_KIND_OP, "convolution"));
    assert_error(context, NM_ERROR_INPUT, "unknown op \"convolution\"");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_name_is_registered_once)
{
    nm_context *context = test_context(NULL);
    nm_register(context, NM_KIND_OP, &relu);
    nm_register(context, NM_KIND_OP, &relu);
    assert_error(context, NM_ERROR_INPUT, "\"relu\" is registered already");
    nm_context_destroy(context);
}
END_TEST

START_TEST(another_abi_is_a_clear_error)
{
    nm_context *context = test_context(NULL);
    nm_item old = relu;
    old.abi = 99;
    nm_register(context, NM_KIND_LOSS, &old);
    assert_error(context, NM_ERROR_INPUT, "ABI 99");
    nm_context_destroy(context);
}
END_TEST

START_TEST(an_ill_formed_name_is_refused)
{
    nm_context *context = test_context(NULL);
    const char *names[] = {NULL, "", "Relu", "1x", "a-b", "a b"};
    for (int i = 0; i < 6; i++) {
        nm_item bad = relu;
        bad.name = names[i];
        nm_register(context, NM_KIND_OP, &bad);
        assert_error(context, NM_ERROR_INPUT, "cannot register the op");
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(nearest_knows_the_usual_typing_errors)
{
    const char *const names[] = {"kernel", "stride", "padding", "p"};
    ck_assert_str_eq(nm_nearest("kernal", names, 4), "kernel");
    ck_assert_str_eq(nm_nearest("kerenl", names, 4), "kernel");
    ck_assert_str_eq(nm_nearest("stride_", names, 4), "stride");
    ck_assert_str_eq(nm_nearest("pading", names, 4), "padding");
    ck_assert_ptr_null(nm_nearest("momentum", names, 4));
    ck_assert_str_eq(nm_nearest("PADDING", names, 4), "padding");
    ck_assert_str_eq(nm_nearest("KernelSize", names, 4), "kernel");
    static const char *const layers[] = {"batch_norm", "leaky_relu", "max_pool2d", "op"};
    ck_assert_str_eq(nm_nearest("BatchNorm2d", layers, 4), "batch_norm");
    ck_assert_str_eq(nm_nearest("BatchNormalization", layers, 4), "batch_norm");
    ck_assert_str_eq(nm_nearest("LeakyReLU", layers, 4), "leaky_relu");
    ck_assert_str_eq(nm_nearest("MaxPooling2D", layers, 4), "max_pool2d");
    ck_assert_ptr_null(nm_nearest("optimizer", layers, 4)); /* two letters are too few */
    ck_assert_ptr_null(nm_nearest("q", names, 4)); /* one letter for another is no typing error */
}
END_TEST

START_TEST(words_of_any_length_are_compared)
{
    char words[400] = "first ";
    for (int length = 60; length < 68; length++) { /* from what is kept of one to more than that */
        memset(words + 6, 'w', (size_t)length);
        strcpy(words + 6 + length, " last");
        ck_assert(nm_words_have(words, "Last") && nm_words_have(words, "first"));
        words[6 + length] = 0;
        ck_assert(nm_words_have(words, words + 6));
        ck_assert(!nm_words_have(words, "w") && !nm_words_have(words, "last"));
    }
    ck_assert(!nm_words_have(NULL, "first") && !nm_words_have("", "first"));
}
END_TEST

START_TEST(a_map_holds_a_thousand_names)
{
    nm_context *context = test_context(NULL);
    nm_map *map = nm_map_create(context);
    int values[1000];
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "layer%d.weight", i);
        ck_assert_int_eq(nm_map_add(map, name, &values[i]), NM_OK);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "layer%d.weight", i);
        ck_assert_ptr_eq(nm_map_find(map, name), &values[i]);
        ck_assert_str_eq(nm_map_name_at(map, i), name);
    }
    ck_assert_int_eq(nm_map_add(map, "layer7.weight", NULL), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "\"layer7.weight\" is taken");
    nm_map_destroy(map);
    nm_context_destroy(context);
}
END_TEST

static nm_status fill_a_map(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_map *map = nm_map_create(context);
    char name[16];
    for (int i = 0; map && i < 40 && nm_context_status(context) == NM_OK; i++) {
        snprintf(name, sizeof name, "n%d", i);
        nm_map_add(map, name, name);
    }
    nm_status status = nm_context_status(context);
    nm_map_destroy(map);
    test_context_end(context, memory);
    return status;
}

START_TEST(a_map_survives_any_failed_allocation)
{
    test_every_allocation(fill_a_map);
}
END_TEST

TEST_MAIN("core/registry", items_are_found_by_name_and_kept_in_order,
          an_unknown_name_gets_a_suggestion, a_name_is_registered_once,
          another_abi_is_a_clear_error, an_ill_formed_name_is_refused,
          nearest_knows_the_usual_typing_errors, words_of_any_length_are_compared,
          a_map_holds_a_thousand_names, a_map_survives_any_failed_allocation)
