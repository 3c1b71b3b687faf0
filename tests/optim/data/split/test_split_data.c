/* The option `validation` of the data part: by columns of tables, in order, by rows of a file; and
 * that nothing of what is held out gets into what is done to samples. */
#include <math.h>

#include "core/op.h"
#include "tests/optim/data/data_sets.h"

static nm_status open_data(nm_data *data, const char *format, ...) NM_PRINTF(2, 3);
static nm_status open_data(nm_data *data, const char *format, ...)
{
    char yaml[2048];
    nm_data_options options;
    nm_diagnostics d;
    va_list list;
    va_start(list, format);
    vsnprintf(yaml, sizeof yaml, format, list);
    va_end(list);
    *data = (nm_data){0};
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, "net.yaml");
    nm_diagnostics_begin(&d, context);
    if (!document) {
        return nm_context_status(context);
    }
    nm_spec_read(&nm_data_spec, nm_document_root(document), "data", document, &d, &options);
    nm_status status = nm_diagnostics_end(&d);
    if (status == NM_OK) {
        status = nm_data_open(context, &options, data);
    }
    nm_document_destroy(document);
    return status;
}

/* 24 rows of 8 patients and 12 days. `x` is 0 but for the rows of patients that begin with "q" and
 * of the last days, where it is large: a mean that is not small has seen one of them. */
static const char *write_table(void)
{
    static char text[4096];
    int length = snprintf(text, sizeof text, "patient,day,when,x,flag,class\n");
    for (int i = 0; i < 24; i++) {
        length +=
            snprintf(text + length, sizeof text - (size_t)length, "p%d,%d,2020-01-%02d,%d,%s,%s\n",
                     i % 8, i / 2, 1 + i / 2, i * i, i % 2 ? "yes" : "no", i % 3 ? "a" : "b");
    }
    return write_file("table.csv", text, (size_t)length);
}

static double mean_of_rows(const nm_dataset *set, int64_t column)
{
    const int64_t width = nm_shape_count(&set->shape);
    double sum = 0;
    for (int64_t i = 0; i < set->count; i++) {
        const int64_t row = set->rows ? set->rows[i] : i;
        sum += set->dtype == NM_F64 ? ((const double *)set->samples)[row * width + column]
                                    : (double)((const float *)set->samples)[row * width + column];
    }
    return sum / (double)set->count;
}

/* Each row is on one side, in its order, and means are those of the training rows alone. */
static void assert_honest(const nm_data *data)
{
    int seen[64] = {0};
    const nm_dataset *const sets[] = {&data->train, &data->validation, &data->test};
    for (int k = 0; k < 3; k++) {
        for (int64_t i = 0; sets[k]->rows && i < sets[k]->count; i++) {
            seen[sets[k]->rows[i]]++;
            ck_assert(i == 0 || sets[k]->rows[i] > sets[k]->rows[i - 1]);
        }
    }
    for (int64_t i = 0; i < data->whole.count; i++) {
        ck_assert_int_eq(seen[i], 1);
    }
    for (int64_t c = 0; c < data->schema->channels; c++) {
        if (data->schema->deviation[c] != 1) {
            assert_near(data->schema->mean[c], mean_of_rows(&data->train, c), 1e-12, 1e-12);
            ck_assert(fabs(data->schema->mean[c] - mean_of_rows(&data->whole, c)) > 1e-9);
        }
    }
}

START_TEST(a_number_is_a_share_and_a_map_says_more)
{
    static const char *const same[] = {"0.25", "{share: 0.25}", "{share: 0.25, stratify: auto}",
                                       "{share: 0.25, stratify: yes}"};
    int64_t rows[6];
    begin(NULL);
    const char *path = write_table();
    for (int i = 0; i < NM_COUNT_OF(same); i++) {
        nm_data data;
        open_data(&data, "{train: {csv: {path: %s}}, validation: %s}", path, same[i]);
        assert_fine(context);
        ck_assert_int_eq(data.validation.count, 6);
        ck_assert(i == 0 || !memcmp(rows, data.validation.rows, sizeof rows));
        memcpy(rows, data.validation.rows, sizeof rows);
        assert_honest(&data);
        int64_t b = 0;
        for (int k = 0; k < 6; k++) {
            b += rows[k] % 3 == 0;
        }
        ck_assert_int_eq(b, 2); /* a third, as of all */
        nm_data_close(&data);
    }
    nm_data data;
    open_data(&data, "{train: {csv: {path: %s}}, validation: true}", path);
    ck_assert_int_eq(data.validation.count, 5); /* a fifth */
    nm_data_close(&data);
    open_data(&data, "{train: {csv: {path: %s}}, validation: false}", path);
    ck_assert(data.validation.count == 0 && data.train.count == 24);
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

static int64_t columns_named(const nm_data *data, const char *name)
{
    int64_t count = 0;
    for (int i = 0; i < data->schema->columns; i++) {
        count += strcmp(data->schema->column[i].name, name) == 0;
    }
    return count;
}

START_TEST(patients_are_on_one_side_and_their_names_are_no_input)
{
    static const char *const columns[] = {"patient", "0", "day"};
    begin(NULL);
    const char *path = write_table();
    for (int i = 0; i < NM_COUNT_OF(columns); i++) {
        const bool patient = i < 2;
        nm_data data;
        open_data(&data, "{train: {csv: {path: %s}}, validation: {share: 0.25, groups: %s}}", path,
                  columns[i]);
        assert_fine(context);
        assert_honest(&data);
        ck_assert_int_eq(data.validation.count, 6);
        for (int64_t k = 0; k < data.validation.count; k++) {
            for (int64_t n = 0; n < data.train.count; n++) {
                const int64_t a = data.validation.rows[k], b = data.train.rows[n];
                ck_assert(patient ? a % 8 != b % 8 : a / 2 != b / 2);
            }
        }
        ck_assert_int_eq(columns_named(&data, patient ? "patient" : "day"), 0);
        ck_assert_int_eq(columns_named(&data, patient ? "day" : "patient"), 1);
        nm_data_close(&data);
    }
    nm_data data;
    open_data(&data,
              "{train: {csv: {path: %s, columns: [patient, x], target: class}}, validation: "
              "{groups: patient}}",
              path);
    assert_fine(context);
    ck_assert_int_eq(columns_named(&data, "patient"), 1); /* it was asked for */
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_column_of_the_groups_is_not_taken_for_the_target)
{
    nm_data data;
    begin(NULL);
    static const char text[] = "x,y,who\n1,0,a\n2,1,a\n3,0,b\n4,1,b\n5,0,c\n6,1,c\n";
    const char *path = write_file("last.csv", text, sizeof text - 1);
    open_data(&data, "{train: {csv: {path: %s}}, validation: {share: 0.3, groups: who}}", path);
    assert_fine(context);
    ck_assert_int_eq(data.train.classes, 2);
    ck_assert_int_eq(data.validation.count, 2);
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_latest_rows_are_held_out_by_numbers_and_by_dates)
{
    static const char *const columns[] = {"day", "when", "last"};
    begin(NULL);
    const char *path = write_table();
    for (int i = 0; i < NM_COUNT_OF(columns); i++) {
        nm_data data;
        open_data(&data, "{train: {csv: {path: %s}}, validation: {share: 0.25, order: %s}}", path,
                  columns[i]);
        assert_fine(context);
        assert_honest(&data);
        ck_assert_int_eq(data.validation.count, 6);
        ck_assert_int_eq(data.validation.rows[0], 18);
        ck_assert_int_eq(columns_named(&data, "day"), 1);
        nm_data_close(&data);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(rows_of_a_file_are_held_out)
{
    nm_data data;
    begin(NULL);
    const char *path = write_table(), *rows = write_file("rows.csv", "row\n23\n0\n7\n", 11);
    open_data(&data, "{train: {csv: {path: %s}}, validation: {indices: %s}}", path, rows);
    assert_fine(context);
    assert_honest(&data);
    ck_assert_int_eq(data.validation.count, 3);
    ck_assert(data.validation.rows[0] == 0 && data.validation.rows[1] == 7);
    nm_data_close(&data);
    open_data(&data, "{train: {csv: {path: %s}}, limit: 20, validation: {indices: %s}}", path,
              rows);
    assert_error(context, NM_ERROR_INPUT,
                 "rows.csv: line 2: there is no row 23; they go from 0 to 19");
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_is_missing_is_filled_by_training_rows_alone)
{
    nm_data data;
    begin(NULL);
    static const char text[] = "x,y\n1,0\n,1\n3,0\n5,1\n1000,0\n1000,1\n";
    const char *path = write_file("holes.csv", text, sizeof text - 1);
    open_data(&data,
              "{train: {csv: {path: %s, missing: mean}}, validation: {share: 0.33, order: last}}",
              path);
    assert_fine(context);
    ck_assert_double_eq(data.schema->column[0].fill, 3);
    ck_assert_double_eq(data.schema->mean[0], 3);
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_mean_of_targets_is_that_of_training_rows_alone)
{
    nm_data data;
    begin(NULL);
    static const char text[] = "x,y\n1,10.5\n2,20.5\n3,30.5\n4,1000\n";
    const char *path = write_file("values.csv", text, sizeof text - 1);
    open_data(&data,
              "{train: {csv: {path: %s, targets: values}}, validation: {share: 0.25, order: last}}",
              path);
    assert_fine(context);
    ck_assert_double_eq(data.schema->target_mean[0], 20.5);
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_class_that_is_only_held_out_is_told)
{
    nm_data data;
    begin(NULL);
    test_warnings();
    static const char text[] = "x,class\n1,a\n2,b\n3,a\n4,b\n5,c\n";
    const char *path = write_file("late.csv", text, sizeof text - 1);
    open_data(&data, "{train: {csv: {path: %s}}, validation: {order: last}}", path);
    assert_fine(context);
    ck_assert_ptr_nonnull(strstr(test_warnings(), "all rows of class c are held out"));
    nm_data_close(&data);
    open_data(&data, "{train: {csv: {path: %s}}, validation: 0.4}", path);
    assert_fine(context);
    ck_assert_str_eq(test_warnings(), "");
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_cannot_be_is_an_error_that_says_why)
{
    static const struct {
        const char *validation, *error;
    } wrong[] = {
        {"1.5", "net.yaml:1:"},
        {"1.5", "data: validation: \"share\" must be at least 0 and below 1, not 1.5"},
        {"some", "data: validation: \"share\" must be a number, not \"some\""},
        {"{fraction: 0.2}", "unknown option \"fraction\""},
        {"{order: last, groups: patient}", "give one of them"},
        {"{order: last, stratify: true}", "leave \"stratify\" out"},
        {"{indices: rows.csv, groups: patient}", "so \"groups\" has no say"},
        {"{indices: rows.csv, share: 0.5}", "so \"share\" has no say"},
        {"{first_index: 1}", "there are none; leave it out"},
        {"{groups: patent}", "\"groups\": no column \"patent\"; did you mean \"patient\"?"},
        {"{groups: \"*\"}", "\"groups\": \"*\" fits 6 columns; give one"},
        {"{groups: class}", "\"groups\": column \"class\" is the target"},
        {"{groups: constant}", "no column \"constant\""},
        {"{order: patient}", "\"order\": column \"patient\" holds texts"},
        {"{order: flag}", "\"order\": column \"flag\" holds truth values"},
        {"{order: class}", "\"order\": column \"class\" is the target"},
        {"0.001", "data: validation: a part of 0.001 of 24 samples would leave one side empty"},
    };
    begin(NULL);
    const char *path = write_table();
    for (int i = 0; i < NM_COUNT_OF(wrong); i++) {
        nm_data data;
        open_data(&data, "{train: {csv: {path: %s}}, validation: %s}", path, wrong[i].validation);
        assert_error(context, NM_ERROR_INPUT, wrong[i].error);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_cell_without_a_group_or_a_time_has_its_place)
{
    nm_data data;
    begin(NULL);
    static const char text[] = "who,day,x,y\na,1,1,0\n,,2,1\nb,3,3,0\n";
    const char *path = write_file("gaps.csv", text, sizeof text - 1);
    open_data(&data, "{train: {csv: {path: %s, ignore: day}}, validation: {groups: who}}", path);
    assert_error(context, NM_ERROR_FORMAT,
                 "gaps.csv:3:1: the cell is empty, and a split by groups");
    open_data(&data, "{train: {csv: {path: %s, ignore: [who, day]}}, validation: {order: day}}",
              path);
    assert_error(context, NM_ERROR_FORMAT, "gaps.csv:3:2: the cell is empty, and a split in order");
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_has_no_columns_cannot_be_split_by_one)
{
    nm_data data;
    begin(NULL);
    open_data(&data, "{train: {spirals: {points: 40}}, validation: {groups: patient}}");
    assert_error(context, NM_ERROR_INPUT, "spirals: it has no column \"patient\" to split by");
    open_data(&data, "{train: {spirals: {points: 40}}, validation: {order: day}}");
    assert_error(context, NM_ERROR_INPUT, "spirals: it has no column \"day\" to split by");
    open_data(&data, "{train: {spirals: {points: 40}}, validation: {order: last}}");
    assert_fine(context);
    ck_assert_int_eq(data.validation.rows[0], 32);
    nm_data_close(&data);
    nm_context_destroy(context);
}
END_TEST

/* ---- A test set of the same rows ---- */

START_TEST(a_share_is_the_test_set_and_validation_is_of_the_rest)
{
    static const char *const rules[] = {"{share: 0.25}", "{share: 0.25, groups: patient}",
                                        "{share: 0.25, order: last}"};
    begin(NULL);
    const char *path = write_table();
    for (int i = 0; i < NM_COUNT_OF(rules); i++) {
        nm_data data;
        open_data(&data, "{train: {csv: {path: %s}}, test_share: 0.25, validation: %s}", path,
                  rules[i]);
        assert_fine(context);
        assert_honest(&data);
        ck_assert_int_eq(data.test.count, 6);
        ck_assert(data.validation.count >= 3 && data.validation.count <= 6);
        ck_assert_int_eq(data.split.test, 6);
        for (int64_t k = 0; i == 1 && k < 6; k++) {
            for (int64_t n = 0; n < data.train.count; n++) {
                ck_assert_int_ne(data.test.rows[k] % 8, data.train.rows[n] % 8);
            }
        }
        ck_assert(i != 2 || data.test.rows[0] == 18);
        nm_data_close(&data);
    }
    nm_data data;
    open_data(&data, "{train: {csv: {path: %s}}, test_share: 0.25}", path);
    assert_fine(context);
    ck_assert(data.test.count == 6 && data.validation.count == 0 && data.train.count == 18);
    nm_data_close(&data);
    open_data(&data, "{train: {csv: {path: %s}}, test_share: 0.25, test: spirals}", path);
    assert_error(context, NM_ERROR_INPUT, "there is a \"test\" already; leave one of them out");
    open_data(&data, "{train: {csv: {path: %s}}, test_share: 0.25, validation: {indices: x}}",
              path);
    assert_error(context, NM_ERROR_INPUT, "its rows are named; leave one of them out");
    nm_context_destroy(context);
}
END_TEST

/* ---- Folds ---- */

static nm_status open_fold(nm_data *data, const char *yaml, int folds, int fold)
{
    nm_data_options options;
    nm_diagnostics d;
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, "net.yaml");
    nm_diagnostics_begin(&d, context);
    nm_spec_read(&nm_data_spec, nm_document_root(document), "data", document, &d, &options);
    nm_status status = nm_diagnostics_end(&d);
    options.folds = folds;
    options.fold = fold;
    status = status == NM_OK ? nm_data_open(context, &options, data) : status;
    nm_document_destroy(document);
    return status;
}

START_TEST(each_row_is_tested_in_one_fold_and_validation_is_of_the_rest)
{
    char yaml[512];
    int tested[24] = {0};
    begin(NULL);
    snprintf(yaml, sizeof yaml, "{train: {csv: {path: %s}}, validation: 0.25}", write_table());
    for (int f = 0; f < 4; f++) {
        nm_data data;
        open_fold(&data, yaml, 4, f);
        assert_fine(context);
        ck_assert_int_eq(data.test.count, 6);
        ck_assert_int_eq(data.validation.count, 5); /* 4.5, a quarter of 18 */
        assert_honest(&data);
        for (int64_t i = 0; i < 6; i++) {
            tested[data.test.rows[i]]++;
        }
        nm_data_close(&data);
    }
    for (int i = 0; i < 24; i++) {
        ck_assert_int_eq(tested[i], 1);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_fold_in_order_has_seen_nothing_later)
{
    char yaml[512];
    begin(NULL);
    snprintf(yaml, sizeof yaml, "{train: {csv: {path: %s}}, validation: {share: 0, order: day}}",
             write_table());
    for (int f = 0; f < 3; f++) {
        nm_data data;
        open_fold(&data, yaml, 3, f);
        assert_fine(context);
        ck_assert_int_eq(data.train.count, 6 * (f + 1));
        ck_assert_int_eq(data.test.rows[0], 6 * (f + 1));
        ck_assert_int_eq(data.test.count, 6);
        assert_near(data.schema->mean[8], mean_of_rows(&data.train, 8), 1e-12, 0); /* of `day` */
        ck_assert_double_lt(data.schema->mean[8], 5);
        nm_data_close(&data);
    }
    nm_context_destroy(context);
}
END_TEST

/* ---- Memory ---- */

static nm_status open_in_all_ways(test_memory *memory)
{
    static const char *const ways[] = {"0.25", "{groups: patient}", "{order: when}"};
    char yaml[512];
    begin(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    for (int i = 0; i < NM_COUNT_OF(ways) && nm_context_status(context) == NM_OK; i++) {
        nm_data data = {0};
        snprintf(yaml, sizeof yaml, "{train: {csv: {path: %s}}, validation: %s}",
                 test_path("table.csv"), ways[i]);
        if (open_data(&data, "%s", yaml) == NM_OK) {
            nm_data_close(&data);
        }
    }
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    write_table();
    test_every_allocation(open_in_all_ways);
}
END_TEST

TEST_MAIN("optim/data/split_data", a_number_is_a_share_and_a_map_says_more,
          patients_are_on_one_side_and_their_names_are_no_input,
          the_column_of_the_groups_is_not_taken_for_the_target,
          the_latest_rows_are_held_out_by_numbers_and_by_dates, rows_of_a_file_are_held_out,
          what_is_missing_is_filled_by_training_rows_alone,
          the_mean_of_targets_is_that_of_training_rows_alone, a_class_that_is_only_held_out_is_told,
          what_cannot_be_is_an_error_that_says_why, a_cell_without_a_group_or_a_time_has_its_place,
          what_has_no_columns_cannot_be_split_by_one,
          a_share_is_the_test_set_and_validation_is_of_the_rest,
          each_row_is_tested_in_one_fold_and_validation_is_of_the_rest,
          a_fold_in_order_has_seen_nothing_later,
          every_failing_allocation_is_reported_and_leaks_nothing)
