/* Data sets of a C program: choices with options by value, and arrays. */
#include <math.h>
#include <string.h>

#include "optim/data/open_file.h"
#include "optim/data/sources.h"
#include "optim/optim.h"
#include "tests/test.h"

#define COUNT 40

typedef struct arrays {
    float x[COUNT][3];
    int32_t labels[COUNT];
    float values[COUNT];
} arrays;

static arrays make_arrays(void)
{
    arrays a;
    for (int i = 0; i < COUNT; i++) {
        a.labels[i] = i % 2;
        a.values[i] = (float)(2 * i);
        for (int k = 0; k < 3; k++) {
            a.x[i][k] = (float)(100 * k + i);
        }
    }
    return a;
}

static nm_context *open_context(test_memory *memory)
{
    nm_context *context = test_context(memory);
    nm_register_optim(context);
    return context;
}

START_TEST(arrays_are_split_and_standardized_as_files_are)
{
    nm_context *context = open_context(NULL);
    arrays a = make_arrays();
    nm_data_options options =
        NM_DATA_OPTIONS(.train = nm_arrays(.count = COUNT, .shape = NM_SHAPE(3), .f32 = &a.x[0][0],
                                           .labels = a.labels),
                        .validation.share = 0.25);
    nm_data data;
    ck_assert_int_eq(nm_data_open(context, &options, &data), NM_OK);
    ck_assert_int_eq(data.train.count, 30);
    ck_assert_int_eq(data.validation.count, 10);
    ck_assert_int_eq(data.train.classes, 2);
    ck_assert_int_eq(data.schema->channels, 3);
    ck_assert(data.schema->mean[2] > 200 && data.schema->mean[2] < 240);
    ck_assert_ptr_eq(data.train.samples, a.x);
    nm_data_close(&data);
    test_context_end(context, NULL);
}
END_TEST

START_TEST(labels_of_other_numbers_become_classes_and_the_array_stays)
{
    nm_context *context = open_context(NULL);
    arrays a = make_arrays();
    for (int i = 0; i < COUNT; i++) {
        a.labels[i] += 3;
    }
    nm_data_options options =
        NM_DATA_OPTIONS(.train = nm_arrays(.count = COUNT, .shape = NM_SHAPE(3), .f32 = &a.x[0][0],
                                           .labels = a.labels));
    nm_data data;
    char number[32];
    ck_assert_int_eq(nm_data_open(context, &options, &data), NM_OK);
    ck_assert_int_eq(data.train.classes, 2);
    ck_assert_str_eq(nm_schema_class_name(data.schema, 1, number), "4");
    ck_assert_int_eq(((const int32_t *)data.train.targets)[1], 1);
    ck_assert_int_eq(a.labels[1], 4);
    nm_data_close(&data);
    test_context_end(context, NULL);
}
END_TEST

START_TEST(arrays_hold_doubles_bytes_and_values)
{
    nm_context *context = open_context(NULL);
    arrays a = make_arrays();
    double wide[COUNT];
    uint8_t images[COUNT * 6];
    for (int i = 0; i < COUNT; i++) {
        wide[i] = 1e9 + i;
    }
    for (int i = 0; i < COUNT * 6; i++) {
        images[i] = (uint8_t)(i % 251);
    }
    nm_data data;
    nm_data_options options;
    nm_data_options_init(&options);
    options.train =
        nm_arrays(.count = COUNT, .shape = NM_SHAPE(1), .f64 = wide, .values = a.values);
    ck_assert_int_eq(nm_data_open(context, &options, &data), NM_OK);
    ck_assert_int_eq(data.train.target_shape.rank, 1);
    assert_near(data.schema->mean[0], 1e9 + 19.5, 1e-15, 0);
    assert_near(data.schema->target_mean[0], 39, 1e-12, 0);
    nm_data_close(&data);
    options.train = nm_arrays(.count = COUNT, .shape = NM_SHAPE(2, 3), .bytes = images,
                              .values = a.values, .value_shape = NM_SHAPE(1));
    ck_assert_int_eq(nm_data_open(context, &options, &data), NM_OK);
    ck_assert(data.schema->bytes);
    assert_near(data.schema->scale, 1.0 / 255, 1e-15, 0);
    nm_data_close(&data);
    assert_fine(context);
    test_context_end(context, NULL);
}
END_TEST

START_TEST(arrays_that_are_no_set_are_refused)
{
    nm_context *context = open_context(NULL);
    arrays a = make_arrays();
    const float *x = &a.x[0][0];
    double wide[3] = {0};
    float not_finite[3] = {0, NAN, 0};
    const struct {
        nm_choice train;
        const char *message;
    } cases[] = {
        {nm_arrays(.count = 1, .shape = NM_SHAPE(3), .labels = a.labels), "samples are missing"},
        {nm_arrays(.count = 1, .shape = NM_SHAPE(3), .f32 = x, .f64 = wide), "in two types"},
        {nm_arrays(.shape = NM_SHAPE(3), .f32 = x, .labels = a.labels), "count is 0"},
        {nm_arrays(.count = 1, .f32 = x, .labels = a.labels), "it is NM_SHAPE(4)"},
        {nm_arrays(.count = 1, .shape = NM_SHAPE(0), .f32 = x), "none of them 0"},
        {nm_arrays(.count = 1, .shape = NM_SHAPE(3), .f32 = x, .labels = a.labels,
                   .values = a.values),
         "labels and values"},
        {nm_arrays(.count = 1, .shape = NM_SHAPE(3), .f32 = x, .classes = 2), "classes is 2"},
        {nm_arrays(.count = 1, .shape = NM_SHAPE(3), .f32 = x, .values = a.values,
                   .value_shape = NM_SHAPE(0)),
         "no target can have the shape [0]"},
        {nm_arrays(.count = 1, .shape = NM_SHAPE(3), .f32 = not_finite, .labels = a.labels),
         "sample 0 has NaN"},
        {nm_arrays(.count = 2, .shape = NM_SHAPE(3), .f32 = x, .labels = a.labels, .classes = 1),
         "label 1"},
        {nm_arrays(.count = 2, .shape = NM_SHAPE(3), .f32 = x), "no targets"},
        {nm_csv(.path = NULL), "\"path\" is missing"},
        {nm_npy(.x = "x.npy", .targets = NM_WANTED_NONE), "one of auto, labels, values, not 3"},
        {nm_spirals(.points = 0), "points"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nm_data_options options = NM_DATA_OPTIONS(.train = cases[i].train);
        nm_data data;
        ck_assert_int_ne(nm_data_open(context, &options, &data), NM_OK);
        ck_assert_ptr_null(data.schema);
        assert_error(context, nm_context_status(context), cases[i].message);
    }
    test_context_end(context, NULL);
}
END_TEST

static const char table[] = "width,height,kind\n1,2,a\n2,3.5,b\n3,4,a\n4,5,b\n";

START_TEST(a_file_is_opened_from_its_path)
{
    nm_context *context = open_context(NULL);
    const char *path = test_path("table.csv");
    test_write_file(path, table, sizeof table - 1);
    nm_data data;
    ck_assert_int_eq(nm_data_open_file(context, path, NULL, NULL, &data), NM_OK);
    ck_assert_int_eq(data.train.count, 4);
    ck_assert_int_eq(data.train.classes, 2);
    ck_assert_str_eq(data.schema->column[1].name, "height");
    nm_data_close(&data);
    nm_data_options options = NM_DATA_OPTIONS(.limit = 3);
    ck_assert_int_eq(nm_data_open_file(context, path, NULL, &options, &data), NM_OK);
    ck_assert_int_eq(data.train.count, 3);
    nm_data_close(&data);
    ck_assert_int_ne(nm_data_open_file(context, test_path("none.csv"), NULL, NULL, &data), NM_OK);
    assert_error(context, NM_ERROR_IO, "none.csv");
    nm_data_close(&data);
    test_context_end(context, NULL);
}
END_TEST

START_TEST(a_table_is_opened_with_options_by_value)
{
    nm_context *context = open_context(NULL);
    const char *path = test_path("options.csv");
    test_write_file(path, table, sizeof table - 1);
    nm_data_options options =
        NM_DATA_OPTIONS(.train = nm_csv(.path = path, .target = NM_STRINGS("height"),
                                        .ignore = NM_STRINGS("kind"), .targets = NM_WANTED_VALUES));
    nm_data data;
    ck_assert_int_eq(nm_data_open(context, &options, &data), NM_OK);
    ck_assert_int_eq(data.schema->columns, 1);
    ck_assert_str_eq(data.schema->column[0].name, "width");
    assert_near(data.schema->target_mean[0], 3.625, 1e-12, 0);
    nm_data_close(&data);
    test_context_end(context, NULL);
}
END_TEST

static nm_status open_failing(test_memory *memory)
{
    nm_context *context = open_context(memory);
    arrays a = make_arrays();
    nm_data_options options =
        NM_DATA_OPTIONS(.train = nm_arrays(.count = COUNT, .shape = NM_SHAPE(3), .f32 = &a.x[0][0],
                                           .labels = a.labels),
                        .validation.share = 0.25);
    nm_data data;
    nm_data_open(context, &options, &data);
    nm_status status = nm_context_status(context);
    nm_data_close(&data);
    test_context_end(context, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    test_every_allocation(open_failing);
}
END_TEST

TEST_MAIN("optim/data/sources", arrays_are_split_and_standardized_as_files_are,
          labels_of_other_numbers_become_classes_and_the_array_stays,
          arrays_hold_doubles_bytes_and_values, arrays_that_are_no_set_are_refused,
          a_file_is_opened_from_its_path, a_table_is_opened_with_options_by_value,
          any_allocation_may_fail)
