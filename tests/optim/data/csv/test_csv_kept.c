/* CSV files: what a network keeps of its table, by way of the data part. */
#include "optim/data/schema_write.h"
#include "tests/optim/data/csv/tables.h"

static nm_status open_data(nm_data *data, const char *format, const char *path)
{
    char yaml[1024];
    nm_data_options options;
    nm_diagnostics d;
    *data = (nm_data){0};
    snprintf(yaml, sizeof yaml, format, path, path);
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, "");
    nm_diagnostics_begin(&d, context);
    nm_spec_read(&nm_data_spec, nm_document_root(document), "data", document, &d, &options);
    nm_status status = nm_diagnostics_end(&d);
    if (status == NM_OK) {
        status = nm_data_open(context, &options, data);
    }
    nm_document_destroy(document);
    return status;
}

/* Nothing of what is held out, and nothing of the test set. */
START_TEST(what_is_missing_is_found_in_the_training_samples_alone)
{
    char text[1024] = "a,y\n";
    nm_data data;
    begin(NULL);
    for (int i = 0; i < 40; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), i % 4 ? "%d,%d\n" : ",%d\n",
                 i % 4 ? i * i : i % 2, i % 2);
    }
    open_data(&data,
              "{train: {csv: {path: %s, missing: mean}}, test: {csv: {path: %s}}, validation: "
              "0.5, normalize: none}",
              write_file("m.csv", text, strlen(text)));
    assert_fine(context);
    double sum = 0, count = 0;
    for (int64_t i = 0; i < data.train.count; i++) {
        const int64_t row = data.train.rows[i];
        sum += row % 4 ? (double)(row * row) : 0;
        count += row % 4 != 0;
    }
    const double mean = sum / count;
    assert_near(data.schema->column[0].fill, mean, 1e-14, 0);
    for (int64_t row = 0; row < 40; row += 4) {
        assert_near(sample_at(&data.whole, row), mean, 1e-14, 0);
        assert_near(sample_at(&data.test, row), mean, 1e-14, 0);
    }
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

static nm_schema *read_back(const char *text, size_t size)
{
    nm_diagnostics d;
    nm_document *document = nm_document_parse(context, text, size, "saved");
    assert_fine(context);
    nm_diagnostics_begin(&d, context);
    const nm_value *root = nm_document_root(document);
    nm_schema *schema = nm_schema_read(context, nm_value_get(root, "sample"),
                                       nm_value_get(root, "target"), document, &d);
    nm_diagnostics_end(&d);
    assert_fine(context);
    nm_document_destroy(document);
    return schema;
}

START_TEST(a_schema_of_a_table_is_the_same_after_it_was_saved)
{
    static const char table[] =
        "a,kind,when,is,y\n1,x,2/1/2020,yes,setosa\n3,z,31/1/2020,no,virginica\n"
        "2,x,2/1/2020,yes,setosa\n4,z,31/1/2020,no,virginica\n";
    nm_data data;
    nm_dataset set;
    begin(NULL);
    open_data(&data, "train: {csv: {path: %s, missing: median, ignore: a}}",
              write_file("s.csv", table, strlen(table)));
    assert_fine(context);
    nm_text text = {.context = context};
    nm_schema_write(data.schema, &text);
    char *saved = nm_text_end(&text);
    nm_schema *schema = read_back(saved, strlen(saved));
    nm_schema_write(schema, &text);
    char *again = nm_text_end(&text);
    ck_assert_str_eq(again, saved);
    ck_assert_int_eq(schema->columns, 3);
    ck_assert_int_eq(schema->column[1].order, NM_DATE_DAY_FIRST);
    ck_assert_int_eq(schema->column[1].place, 2);
    ck_assert_int_eq(schema->places, 5);
    ck_assert_str_eq(schema->unused_column[0].name, "a");
    ck_assert_str_eq(schema->target_column[0].name, "y");
    nm_data_close(&data);
    open_like(&set, schema, "y,is,when,kind\nvirginica,,2/1/2020,x\n", "");
    expect_values(&set, 1, 4, (double[]){1, 0, 18263, 0.5});
    expect_classes(&set, (int32_t[]){1});
    nm_dataset_close(&set);
    nm_schema_destroy(schema);
    nm_free(context, saved);
    nm_free(context, again);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/csv_kept", what_is_missing_is_found_in_the_training_samples_alone,
          a_schema_of_a_table_is_the_same_after_it_was_saved)
