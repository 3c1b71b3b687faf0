/* Starting from saved weights: what fits is taken, what does not is told, and nothing else. */
#include <math.h>
#include <stdio.h>

#include "optim/from.h"
#include "optim/saved.h"
#include "tests/optim/small_run.h"

/* Weights of a small network that was trained for an epoch. */
static const char *make_weights(const char *name)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.options.epochs = 1;
    small_train(&r);
    nm_parameters_write(r.network.store, test_path(name));
    assert_fine(r.context);
    small_end(&r, NULL);
    return test_path(name);
}

/* The same with one tensor left out or in its place another; `values` NULL: left out. */
static const char *make_changed(const char *name, const char *tensor, nm_dtype dtype,
                                nm_shape shape, double value)
{
    nm_context *context = test_context(NULL);
    nm_tensor_file *file = nm_tensor_file_read(context, make_weights("whole.safetensors"));
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    nm_tensor *other = nm_tensor_create(context, dtype, shape);
    nm_tensor_fill(other, value);
    for (int i = 0; i < nm_tensor_file_count(file); i++) {
        const char *own = nm_tensor_file_name(file, i);
        bool changed = strcmp(own, tensor) == 0;
        nm_tensor_writer_add(writer, own, changed ? other : nm_tensor_file_at(file, i));
    }
    nm_tensor_writer_write(writer, test_path(name));
    assert_fine(context);
    nm_tensor_writer_destroy(writer);
    nm_tensor_destroy(other);
    nm_tensor_file_destroy(file);
    nm_context_destroy(context);
    return test_path(name);
}

static float first_value(const small_run *r, const char *name)
{
    return ((const float *)nm_tensor_data(nm_store_find(r->network.store, name)->tensor))[0];
}

static nm_status start(small_run *r, const nm_from *from)
{
    small_begin(r, NULL);
    r->setup.options.from = *from;
    r->trainer = nm_trainer_create(r->context, &r->setup);
    assert_fine(r->context);
    test_warnings();
    return nm_trainer_start(r->trainer);
}

START_TEST(a_network_of_the_same_shapes_is_taken_whole)
{
    small_run r, trained;
    const char *path = make_weights("same.safetensors");
    small_begin(&trained, NULL);
    nm_parameters_read(trained.network.store, path);
    start(&r, &(nm_from){.path = path});
    assert_fine(r.context);
    assert_same_bits(&r, &trained);
    nm_taken taken = nm_trainer_taken(r.trainer);
    ck_assert_int_eq(taken.taken, 7);
    ck_assert_int_eq(taken.missing + taken.unfit + taken.except, 0);
    ck_assert_str_eq(taken.names, "first.weight, norm.scale, norm.shift, norm.running_mean, "
                                  "norm.running_var, last.weight, last.bias");
    ck_assert_str_eq(test_warnings(), "");
    ck_assert_int_eq(small_train(&r), NM_OK); /* from step 0: it is a new run */
    ck_assert_int_eq(r.result.steps, 15);
    small_end(&r, NULL);
    small_end(&trained, NULL);
}
END_TEST

START_TEST(what_does_not_fit_is_told_with_both_shapes_and_begins_anew)
{
    small_run r, fresh;
    const char *path = make_changed("other.safetensors", "last.weight", NM_F32, NM_SHAPE(3, 2), 1);
    small_begin(&fresh, NULL);
    start(&r, &(nm_from){.path = path});
    assert_fine(r.context);
    ck_assert_int_eq(nm_trainer_taken(r.trainer).taken, 6);
    ck_assert_int_eq(nm_trainer_taken(r.trainer).unfit, 1);
    ck_assert_ptr_nonnull(strstr(test_warnings(),
                                 "\"last.weight\" is f32 [3, 2] there and f32 [8, 2] "
                                 "here, and begins anew"));
    ck_assert(first_value(&r, "last.weight") == first_value(&fresh, "last.weight"));
    ck_assert(first_value(&r, "first.weight") != first_value(&fresh, "first.weight"));
    small_end(&r, NULL);
    small_end(&fresh, NULL);
}
END_TEST

START_TEST(a_pattern_leaves_out_what_it_matches)
{
    small_run r, fresh;
    const char *path = make_weights("except.safetensors");
    small_begin(&fresh, NULL);
    start(&r, &(nm_from){.path = path, .except = NM_STRINGS("last.*", "norm.running_*")});
    assert_fine(r.context);
    ck_assert_int_eq(nm_trainer_taken(r.trainer).taken, 3);
    ck_assert_int_eq(nm_trainer_taken(r.trainer).except, 4);
    ck_assert(first_value(&r, "last.weight") == first_value(&fresh, "last.weight"));
    ck_assert(first_value(&r, "norm.running_var") == 1);
    ck_assert(first_value(&r, "norm.scale") != 1);
    small_end(&r, NULL);
    start(&r, &(nm_from){.path = path, .except = NM_STRINGS("lst.*")});
    assert_error(r.context, NM_ERROR_INPUT, "no tensor of the network matches \"lst.*\"");
    ck_assert(first_value(&r, "first.weight") == first_value(&fresh, "first.weight"));
    small_end(&r, NULL);
    small_end(&fresh, NULL);
}
END_TEST

START_TEST(floats_of_another_size_are_converted)
{
    small_run r;
    start(&r, &(nm_from){
                  .path = make_changed("f64.safetensors", "last.bias", NM_F64, NM_SHAPE(2), 0.1)});
    assert_fine(r.context);
    ck_assert_int_eq(nm_trainer_taken(r.trainer).taken, 7);
    ck_assert(first_value(&r, "last.bias") == 0.1f);
    small_end(&r, NULL);
    start(&r,
          &(nm_from){.path = make_changed("i32.safetensors", "last.bias", NM_I32, NM_SHAPE(2), 3)});
    assert_fine(r.context);
    ck_assert_int_eq(nm_trainer_taken(r.trainer).unfit, 1);
    small_end(&r, NULL);
}
END_TEST

START_TEST(what_no_network_could_have_is_an_error_and_changes_nothing)
{
    static const struct {
        const char *tensor;
        double value;
        const char *says;
    } cases[] = {{"last.bias", NAN, "from: "}, {"norm.running_var", -1, "variance"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        small_run r, fresh;
        nm_shape shape = i ? NM_SHAPE(8) : NM_SHAPE(2);
        const char *path =
            make_changed("bad.safetensors", cases[i].tensor, NM_F32, shape, cases[i].value);
        small_begin(&fresh, NULL);
        ck_assert_int_eq(start(&r, &(nm_from){.path = path}), NM_ERROR_FORMAT);
        assert_error(r.context, NM_ERROR_FORMAT, cases[i].says);
        assert_same_bits(&r, &fresh);
        small_end(&r, NULL);
        small_end(&fresh, NULL);
    }
}
END_TEST

START_TEST(a_file_that_has_nothing_for_the_network_is_an_error)
{
    small_run r;
    nm_context *context = test_context(NULL);
    nm_store *other = nm_store_create(context);
    nm_store_add(other, "conv1.weight", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(4));
    nm_parameters_write(other, test_path("nothing.safetensors"));
    assert_fine(context);
    nm_store_destroy(other);
    nm_context_destroy(context);
    start(&r, &(nm_from){.path = test_path("nothing.safetensors")});
    assert_error(
        r.context, NM_ERROR_INPUT,
        "nothing in it fits the network, which begins with \"first.weight\" [2, 8]; the file "
        "begins with \"conv1.weight\" [4]");
    small_end(&r, NULL);
    start(&r, &(nm_from){.path = test_path("nowhere.safetensors")});
    assert_error(r.context, NM_ERROR_IO, "from: cannot read");
    small_end(&r, NULL);
}
END_TEST

START_TEST(frozen_parameters_stay_as_they_were_taken)
{
    small_run r, trained;
    const char *path = make_weights("frozen.safetensors");
    static const nm_group groups[] = {{NM_GROUP_DEFAULTS, .match = "first.*", .frozen = NM_FROZEN}};
    small_begin(&trained, NULL);
    nm_parameters_read(trained.network.store, path);
    small_begin(&r, NULL);
    r.setup.options.from.path = path;
    r.setup.options.group_list = groups;
    r.setup.options.group_count = 1;
    small_train(&r);
    assert_fine(r.context);
    ck_assert(memcmp(nm_tensor_data(r.network.w1), nm_tensor_data(trained.network.w1),
                     nm_tensor_bytes(r.network.w1)) == 0);
    ck_assert(memcmp(nm_tensor_data(r.network.w2), nm_tensor_data(trained.network.w2),
                     nm_tensor_bytes(r.network.w2)) != 0);
    small_end(&r, NULL);
    small_end(&trained, NULL);
}
END_TEST

START_TEST(a_resumed_run_takes_nothing_more)
{
    small_run r;
    small_begin(&r, NULL);
    r.setup.folder = test_path("resumed");
    r.setup.options.epochs = 1;
    r.setup.options.from.path = make_weights("before.safetensors");
    small_train(&r);
    assert_fine(r.context);
    small_end(&r, NULL);
    ck_assert_int_eq(remove(test_path("before.safetensors")), 0);
    small_begin(&r, NULL);
    r.setup.options.from.path = test_path("before.safetensors");
    r.trainer = nm_trainer_create(r.context, &r.setup);
    nm_trainer_resume(r.trainer, test_path("resumed/checkpoint.safetensors"));
    small_train(&r);
    assert_fine(r.context);
    ck_assert_int_eq(r.result.epochs, 3);
    small_end(&r, NULL);
}
END_TEST

/* Classes of the same number with other names, and samples of another mean. */
START_TEST(other_classes_and_another_preparation_are_told)
{
    static const char *const before[] = {"cat", "dog"}, *const now[] = {"cat", "fox"};
    static const double mean[] = {1, 2}, deviation[] = {1, 1};
    small_run r;
    small_begin(&r, NULL);
    nm_schema *schema = nm_schema_create(r.context);
    schema->shape = NM_SHAPE(2);
    schema->classes = 2;
    schema->class_names = before;
    schema->channels = 2;
    schema->mean = mean;
    schema->deviation = deviation;
    nm_saved_write(r.network.store, &(nm_description){.schema = schema}, test_path("named"));
    assert_fine(r.context);
    schema->class_names = now;
    schema->channels = 0;
    schema->mean = schema->deviation = NULL;
    nm_taken taken;
    test_warnings();
    nm_from_take(&(nm_from){.path = test_path("named")}, r.network.store, schema, &taken);
    assert_fine(r.context);
    ck_assert(taken.prepared_otherwise);
    ck_assert_ptr_nonnull(
        strstr(test_warnings(), "class 1 was called \"dog\" there and is \"fox\" here"));
    nm_free(r.context, taken.names);
    nm_schema_destroy(schema);
    small_end(&r, NULL);
}
END_TEST

static nm_status take_a_little(test_memory *memory)
{
    small_run r;
    small_begin(&r, memory);
    nm_status status = NM_ERROR_MEMORY;
    if (r.context && r.network.store) {
        nm_taken taken = {0};
        nm_from_take(&(nm_from){.path = test_path("whole.safetensors")}, r.network.store, NULL,
                     &taken);
        nm_free(r.context, taken.names);
        status = nm_context_status(r.context);
    }
    small_end(&r, memory);
    return status;
}

START_TEST(every_failing_allocation_is_an_error_without_a_leak)
{
    make_weights("whole.safetensors");
    test_every_allocation(take_a_little);
}
END_TEST

TEST_MAIN("optim/from", a_network_of_the_same_shapes_is_taken_whole,
          what_does_not_fit_is_told_with_both_shapes_and_begins_anew,
          a_pattern_leaves_out_what_it_matches, floats_of_another_size_are_converted,
          what_no_network_could_have_is_an_error_and_changes_nothing,
          a_file_that_has_nothing_for_the_network_is_an_error,
          frozen_parameters_stay_as_they_were_taken, a_resumed_run_takes_nothing_more,
          other_classes_and_another_preparation_are_told,
          every_failing_allocation_is_an_error_without_a_leak)
