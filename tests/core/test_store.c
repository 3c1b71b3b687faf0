#include "core/store.h"

#include <math.h>
#include <string.h>

#include "tests/test.h"

static nm_store *make_store(nm_context *context)
{
    nm_store *store = nm_store_create(context);
    if (store) {
        nm_store_add(store, "fc1.weight", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(2, 3));
        nm_store_add(store, "fc1.bias", NM_PARAMETER, NM_BIAS, NM_F32, NM_SHAPE(2));
        nm_store_add(store, "bn1.running_mean", NM_BUFFER, NM_STATISTIC, NM_F32, NM_SHAPE(2));
    }
    return store;
}

START_TEST(tensors_are_found_by_name_with_their_role)
{
    nm_context *context = test_context(NULL);
    nm_store *store = make_store(context);
    ck_assert_int_eq(nm_store_count(store), 3);
    ck_assert_int_eq(nm_store_parameters(store), 8);
    const nm_entry *bias = nm_store_find(store, "fc1.bias");
    ck_assert_int_eq(bias->purpose, NM_BIAS);
    ck_assert(nm_tensor_requires_grad(bias->tensor));
    ck_assert_str_eq(nm_tensor_name(bias->tensor), "fc1.bias");
    ck_assert(!nm_tensor_requires_grad(nm_store_at(store, 2)->tensor));
    nm_store_destroy(store);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_walk_stops_at_what_is_selected)
{
    nm_context *context = test_context(NULL);
    nm_store *store = make_store(context);
    const struct {
        nm_selection selection;
        const char *names;
    } cases[] = {
        {{.roles = 0}, "fc1.weight fc1.bias bn1.running_mean "},
        {{.roles = NM_ONE_OF(NM_PARAMETER)}, "fc1.weight fc1.bias "},
        {{.roles = NM_ONE_OF(NM_BUFFER)}, "bn1.running_mean "},
        {{.purposes = NM_ONE_OF(NM_BIAS) | NM_ONE_OF(NM_STATISTIC)}, "fc1.bias bn1.running_mean "},
        {{.match = "fc*", .purposes = NM_ONE_OF(NM_WEIGHT)}, "fc1.weight "},
        {{.trainable = true}, "fc1.weight bn1.running_mean "},
        {{.match = "conv*"}, ""},
    };
    nm_store_set_trainable(store, "fc1.bias", false);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char names[128] = "";
        for (const nm_entry *e = NULL; (e = nm_store_next(store, e, &cases[i].selection));) {
            strcat(strcat(names, e->name), " ");
        }
        ck_assert_str_eq(names, cases[i].names);
    }
    const nm_entry *first = nm_store_next(store, NULL, NULL);
    ck_assert_ptr_eq(first, nm_store_at(store, 0));
    nm_entry of_another = {.name = "fc2.weight"};
    ck_assert_ptr_null(nm_store_next(store, &of_another, NULL));
    nm_store_destroy(store);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_name_is_taken_once)
{
    nm_context *context = test_context(NULL);
    nm_store *store = make_store(context);
    ck_assert_ptr_null(
        nm_store_add(store, "fc1.bias", NM_BUFFER, NM_STATISTIC, NM_F32, NM_SHAPE(1)));
    assert_error(context, NM_ERROR_INPUT, "\"fc1.bias\" is taken");
    nm_store_destroy(store);
    nm_context_destroy(context);
}
END_TEST

START_TEST(parameters_are_frozen_by_pattern)
{
    nm_context *context = test_context(NULL);
    nm_store *store = make_store(context);
    ck_assert_int_eq(nm_store_set_trainable(store, "*.weight", false), NM_OK);
    ck_assert(!nm_store_find(store, "fc1.weight")->trainable);
    ck_assert(!nm_tensor_requires_grad(nm_store_find(store, "fc1.weight")->tensor));
    ck_assert(nm_store_find(store, "fc1.bias")->trainable);
    ck_assert_int_ne(nm_store_set_trainable(store, "fc1.wieght", false), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "did you mean \"fc1.weight\"?");
    const nm_entry *buffer = nm_store_find(store, "bn1.running_mean");
    ck_assert(buffer->trainable && !nm_tensor_requires_grad(buffer->tensor));
    ck_assert_int_eq(nm_store_set_trainable(store, "bn1.*", false), NM_OK);
    ck_assert(!buffer->trainable);
    ck_assert_int_eq(nm_store_set_trainable(store, "bn1.*", true), NM_OK);
    ck_assert(buffer->trainable && !nm_tensor_requires_grad(buffer->tensor));
    nm_store_destroy(store);
    nm_context_destroy(context);
}
END_TEST

static void save(nm_store *store, const char *prefix, const char *path)
{
    nm_tensor_writer *writer = nm_tensor_writer_create(nm_store_context(store));
    nm_store_write(store, prefix, writer);
    nm_tensor_writer_write(writer, path);
    nm_tensor_writer_destroy(writer);
    assert_fine(nm_store_context(store));
}

START_TEST(a_store_is_written_and_read_back)
{
    nm_context *context = test_context(NULL);
    nm_store *store = make_store(context), *other = make_store(context);
    nm_tensor_fill(nm_store_at(store, 0)->tensor, 1.5);
    nm_tensor_fill(nm_store_at(store, 2)->tensor, -2);
    save(store, "model.", test_path("store.safetensors"));
    nm_tensor_file *file = nm_tensor_file_read(context, test_path("store.safetensors"));
    ck_assert_int_eq(nm_store_read(other, "model.", file), NM_OK);
    ck_assert(nm_tensor_get(nm_store_at(other, 0)->tensor, 5) == 1.5);
    ck_assert(nm_tensor_get(nm_store_at(other, 2)->tensor, 1) == -2);
    nm_tensor_file_destroy(file);
    nm_store_destroy(store);
    nm_store_destroy(other);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_file_that_does_not_fit_changes_nothing)
{
    nm_context *context = test_context(NULL);
    nm_store *store = make_store(context), *other = make_store(context);
    nm_tensor_fill(nm_store_at(store, 0)->tensor, 1);
    save(store, "", test_path("a.safetensors"));
    nm_tensor_file *file = nm_tensor_file_read(context, test_path("a.safetensors"));

    nm_store_add(other, "fc2.weight", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(1));
    ck_assert_int_ne(nm_store_read(other, "", file), NM_OK);
    assert_error(context, NM_ERROR_FORMAT, "the file has no tensor \"fc2.weight\"");
    ck_assert(nm_tensor_get(nm_store_at(other, 0)->tensor, 0) == 0);

    nm_store *small = nm_store_create(context);
    nm_store_add(small, "fc1.weight", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(2, 3));
    ck_assert_int_ne(nm_store_read(small, "", file), NM_OK);
    assert_error(context, NM_ERROR_FORMAT, "that the network has not");

    nm_store *wide = nm_store_create(context);
    nm_store_add(wide, "fc1.weight", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(3, 2));
    ck_assert_int_ne(nm_store_read(wide, "", file), NM_OK);
    assert_error(context, NM_ERROR_FORMAT,
                 "\"fc1.weight\" is f32 [3, 2] in the network, but f32 [2, 3] in the file");
    nm_tensor_file_destroy(file);
    nm_store_destroy(store);
    nm_store_destroy(other);
    nm_store_destroy(small);
    nm_store_destroy(wide);
    nm_context_destroy(context);
}
END_TEST

/* A store of one tensor with `value` in its last place is written and read: with `fault`, or fine.
 */
static void expect_fault(nm_purpose purpose, nm_dtype dtype, double value, const char *fault)
{
    nm_context *context = test_context(NULL);
    nm_store *store = nm_store_create(context), *other = nm_store_create(context);
    nm_tensor *from = nm_store_add(store, "x", NM_BUFFER, purpose, dtype, NM_SHAPE(2, 3));
    nm_tensor *to = nm_store_add(other, "x", NM_BUFFER, purpose, dtype, NM_SHAPE(2, 3));
    nm_tensor_set(from, 5, value);
    save(store, "", test_path("fault.safetensors"));
    nm_tensor_file *file = nm_tensor_file_read(context, test_path("fault.safetensors"));
    nm_status status = nm_store_read(other, "", file);
    ck_assert_int_eq(status, fault ? NM_ERROR_FORMAT : NM_OK);
    if (fault) {
        assert_error(context, NM_ERROR_FORMAT, fault);
    }
    ck_assert(nm_tensor_get(to, 5) == (fault ? 0 : value));
    nm_tensor_file_destroy(file);
    nm_store_destroy(store);
    nm_store_destroy(other);
    nm_context_destroy(context);
}

START_TEST(values_that_cannot_be_are_refused_with_name_and_place)
{
    const double nan = (double)NAN, infinity = (double)INFINITY;
    expect_fault(NM_WEIGHT, NM_F32, nan, "\"x\" is NaN at [1, 2]; it must be a finite number");
    expect_fault(NM_WEIGHT, NM_F64, infinity, "\"x\" is inf at [1, 2]");
    expect_fault(NM_BIAS, NM_BF16, -infinity, "\"x\" is -inf at [1, 2]");
    expect_fault(NM_STATISTIC, NM_F32, -1, NULL);
    expect_fault(NM_VARIANCE, NM_F32, -1,
                 "\"x\" is -1 at [1, 2]; it must be a variance, 0 or more");
    expect_fault(NM_VARIANCE, NM_F64, -1e-300, "it must be a variance, 0 or more");
    expect_fault(NM_VARIANCE, NM_F32, nan, "it must be a finite number");
    expect_fault(NM_VARIANCE, NM_F32, 1e30f, NULL);
    expect_fault(NM_COUNTER, NM_I64, -1, "\"x\" is -1 at [1, 2]; it must be a count, 0 to 2^53");
    expect_fault(NM_COUNTER, NM_I64, 0x1p60, "it must be a count, 0 to 2^53");
    expect_fault(NM_COUNTER, NM_I64, 12, NULL);
}
END_TEST

static nm_status write_and_read(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_store *store = make_store(context);
    nm_tensor_writer *writer =
        nm_context_status(context) == NM_OK ? nm_tensor_writer_create(context) : NULL;
    nm_tensor_file *file = NULL;
    if (writer && nm_store_write(store, "", writer) == NM_OK &&
        nm_tensor_writer_write(writer, test_path("b.safetensors")) == NM_OK) {
        file = nm_tensor_file_read(context, test_path("b.safetensors"));
    }
    if (file) {
        nm_store_read(store, "", file);
    }
    nm_status status = nm_context_status(context);
    nm_tensor_file_destroy(file);
    nm_tensor_writer_destroy(writer);
    nm_store_destroy(store);
    test_context_end(context, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    test_every_allocation(write_and_read);
}
END_TEST

TEST_MAIN("core/store", tensors_are_found_by_name_with_their_role, a_walk_stops_at_what_is_selected,
          a_name_is_taken_once, parameters_are_frozen_by_pattern, a_store_is_written_and_read_back,
          a_file_that_does_not_fit_changes_nothing,
          values_that_cannot_be_are_refused_with_name_and_place, any_allocation_may_fail)
