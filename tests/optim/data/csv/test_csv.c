/* CSV files: form, targets, quoting, and errors with their place. */
#include <locale.h>
#include <math.h>
#include <zlib.h>

#include "core/random.h"
#include "optim/data/csv/csv.h"
#include "tests/optim/data/data_sets.h"

/* Opens `text` as a file, with more options such as ", target: 0". */
static nm_status open_csv(nm_dataset *set, const char *text, const char *more)
{
    return open_set(set, "csv: {path: %s%s}", write_file("t.csv", text, strlen(text)), more);
}

static void expect_samples(const nm_dataset *set, int64_t count, int64_t width, const float *values)
{
    assert_fine(context);
    ck_assert_int_eq(set->count, count);
    ck_assert(nm_shape_equal(&set->shape, &NM_SHAPE(width)));
    ck_assert_int_eq(set->dtype, NM_F32);
    ck_assert_mem_eq(set->samples, values, (size_t)(count * width) * sizeof *values);
}

static void expect_labels(const nm_dataset *set, const int32_t *labels)
{
    ck_assert_int_eq(set->target_dtype, NM_I32);
    ck_assert_int_eq(set->target_shape.rank, 0);
    ck_assert_mem_eq(set->targets, labels, (size_t)set->count * sizeof *labels);
}

/* The file's name, then `part`, stand in the message. */
static void expect_error(const char *text, const char *more, const char *part)
{
    nm_dataset set;
    char message[512];
    open_csv(&set, text, more);
    snprintf(message, sizeof message, "csv: %s%s", test_path("t.csv"), part);
    assert_error(context, NM_ERROR_FORMAT, message);
}

START_TEST(the_last_column_is_the_target_unless_told)
{
    nm_dataset set;
    begin(NULL);
    open_csv(&set, "1,2.5,0\n-3,4e1,1\n", "");
    expect_samples(&set, 2, 2, (float[]){1, 2.5f, -3, 40});
    expect_labels(&set, (int32_t[]){0, 1});
    ck_assert_int_eq(set.classes, 2);
    nm_dataset_close(&set);
    open_csv(&set, "1,2.5,7\n0,4,8\n", ", target: 0, classes: 5");
    expect_samples(&set, 2, 2, (float[]){2.5f, 7, 4, 8});
    expect_labels(&set, (int32_t[]){1, 0});
    ck_assert_int_eq(set.classes, 5);
    nm_dataset_close(&set);
    open_csv(&set, "7,1,2.5\n8,0,4\n", ", target: -2");
    expect_labels(&set, (int32_t[]){1, 0});
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_header_is_noticed_and_names_the_target)
{
    nm_dataset set;
    begin(NULL);
    open_csv(&set, "width,kind,\"length, in cm\"\n1,0,2\n3,1,4\n", ", target: kind");
    expect_samples(&set, 2, 2, (float[]){1, 2, 3, 4});
    expect_labels(&set, (int32_t[]){0, 1});
    nm_dataset_close(&set);
    open_csv(&set, "width,kind,\"length, in cm\"\n1,0,2\n3,1,4\n", ", target: 'length, in cm'");
    expect_labels(&set, (int32_t[]){0, 1}); /* 2 and 4, which do not begin at 0 */
    nm_dataset_close(&set);
    open_csv(&set, "7,1\n5,6\n", ", header: yes"); /* a header of numbers has to be told */
    expect_samples(&set, 1, 1, (float[]){5});
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_first_line_that_may_be_a_header_or_not_is_an_error)
{
    nm_dataset set;
    begin(NULL);
    expect_error("label,5,1\n1,2,3\n", "", ":1:1: 2 of the first line's 3 cells are numbers, so");
    open_csv(&set, "label,5,1\n1,2,3\n", ", header: yes, target: label");
    expect_samples(&set, 1, 2, (float[]){2, 3});
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(values_to_predict_have_the_shape_of_one_output)
{
    nm_dataset set;
    begin(NULL);
    open_csv(&set, "1,0.5\n2,-1\n", ", targets: values");
    assert_fine(context);
    ck_assert_int_eq(set.target_dtype, NM_F64);
    ck_assert(nm_shape_equal(&set.target_shape, &NM_SHAPE(1)));
    ck_assert_mem_eq(set.targets, ((const double[]){0.5, -1}), 2 * sizeof(double));
    ck_assert_int_eq(set.classes, 0);
    nm_dataset_close(&set);
    open_csv(&set, "1,0.5\n2,-1\n", ", target: none");
    expect_samples(&set, 2, 2, (float[]){1, 0.5f, 2, -1});
    ck_assert_ptr_null(set.targets);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(quotes_blanks_line_ends_and_marks_are_understood)
{
    nm_dataset set;
    begin(NULL);
    open_csv(&set,
             "\xef\xbb\xbf"
             "\n \"a \"\"b\"\"\nc\" , d\r\n\r\n  \"1\" ,\t0 \r\n 2,1\n\n",
             "");
    expect_samples(&set, 2, 1, (float[]){1, 2});
    expect_labels(&set, (int32_t[]){0, 1});
    nm_dataset_close(&set);
    open_csv(&set, "1;2;0", ", separator: ;"); /* no line end at all */
    expect_samples(&set, 1, 2, (float[]){1, 2});
    nm_dataset_close(&set);
    open_csv(&set, "1\t2\t0\n", ", separator: \"\\t\"");
    expect_samples(&set, 1, 2, (float[]){1, 2});
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_is_no_number_is_an_error_with_its_place)
{
    begin(NULL);
    expect_error("a,b\n1,2\n3,NaN\n", "",
                 ":3:3: \"NaN\" counts as missing; a sample to learn from");
    expect_error("a,b\n1,2\n.nan,1\n", "",
                 ":3:1: \".nan\" counts as missing (column \"a\", 1 of 2");
    expect_error(
        "a,b\n1,2\ninf,3\n", "",
        ":3:1: \"inf\" is not a finite number of f32; correct it, or let it count as missing "
        "with `missing_texts`");
    expect_error("a,b\n1,2\n3,inf\n", "", ":3:3: \"inf\" is not a finite number of f32");
    expect_error("1,2\n-.inf,3\n", "", ":2:1: \"-.inf\" is not a finite number");
    expect_error("1,2\n1e39,3\n", "", ":2:1: \"1e39\" is not a finite number of f32");
    expect_error("1,2\n-3.5e400,3\n", "", ":2:1: \"-3.5e400\" is not a finite number of f32");
    expect_error("1,2\n,3\n", "",
                 ":2:1: the cell is empty (column 0, 1 of 2 rows); say how to fill");
    expect_error("1,2\n3,\n", "", ":2:3: the cell is empty; a sample to learn from needs");
    expect_error("1,2\n3,", "", ":2:3: the cell is empty");
    expect_error("a;b\n1;2.5.1\n", ", targets: values",
                 ":2:3: \"2.5.1\" is not a number to predict");
    /* Columns count characters, and lines within quotes count. */
    expect_error("\"\xc3\xa4\n\",b\n\"\n1\",2\n\"\xc3\xa4\",inf\n", "",
                 ":5:5: \"inf\" is not a finite number of f32");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_target_that_is_no_label_is_an_error_with_its_place)
{
    begin(NULL);
    const char *labels = ", targets: labels";
    expect_error("1,0\n1,0.5\n", labels,
                 ":2:3: \"0.5\" is no class label, which is an integer of 32 bits or");
    expect_error("1,0\n1,-1\n", labels, ": sample 1 has label -1; classes count from 0");
    expect_error("1,0\n1,3000000000\n", labels, ":2:3: \"3000000000\" is no class label");
    expect_error("1,0\n1,2\n", ", classes: 2", ": sample 1 has label 2, but the 2 classes");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_table_without_form_is_refused)
{
    begin(NULL);
    expect_error("", "", ": the file is empty");
    expect_error("\n \r\n", "", ": the file is empty");
    expect_error("a,b\n", "", ": no samples below the header");
    expect_error("1,2,3\n1,2\n", "", ":2:1: 2 cells, but the first line has 3");
    expect_error("1,2\n1,2,3\n", "", ":2:1: 3 cells, but the first line has 2");
    expect_error("Sales, by year\n\na,b,c,y\n1,2,3,0\n", "",
                 ":3:1: 4 cells, but the first line has 2; if that is a title, remove it");
    expect_error("Sales\na,b,y\n1,2,0\n", "",
                 ":2:1: 3 cells, but the first line has 1; if that is a title, remove it; is the "
                 "separator right?");
    expect_error("Sales,,\na,b,y\n1,2,0\n3,4,1\n", "",
                 ":1:1: \"Sales\" is alone in the first line, as a title is; remove that line");
    expect_error("1;2\n1;2\n3,4\n", ", header: no",
                 ":3:1: 2 cells, but the first line has 1; is the separator right?");
    expect_error("1\n2\n", "", ": its only column is the target; is the separator right?");
    expect_error("1,\"2\n3,4\n", "", ":1:4: the quote that opens here is never closed");
    expect_error("1,2\n\"3\"4,5\n", "", ":2:2: \"3\" in quotes is followed by something else");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_column_that_is_not_there_is_named)
{
    nm_dataset set;
    begin(NULL);
    open_csv(&set, "width,label\n1,2\n", ", target: lable");
    assert_error(context, NM_ERROR_INPUT, "no column \"lable\"; did you mean \"label\"?");
    open_csv(&set, "width,label\n1,2\n", ", target: height");
    assert_error(context, NM_ERROR_INPUT, "give a name of the header or an index from 0 to 1");
    open_csv(&set, "1,2\n", ", target: label");
    assert_error(context, NM_ERROR_INPUT, "no column \"label\"; give an index from 0 to 1");
    open_csv(&set, "1,2\n", ", target: 2");
    assert_error(context, NM_ERROR_INPUT, "no column \"2\"");
    open_csv(&set, "1,2\n", ", target: -3");
    assert_error(context, NM_ERROR_INPUT, "\"target\": no column \"-3\"");
    open_csv(&set, "1,2\n", ", separator: ab");
    assert_error(context, NM_ERROR_INPUT,
                 "\"separator\" must be auto, comma, semicolon, tab, blank or one character");
    nm_context_destroy(context);
}
END_TEST

START_TEST(control_characters_do_not_reach_the_terminal)
{
    begin(NULL);
    const char *table = "1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n1,2\n\x1b[2J,3\n";
    expect_error(table, "", ":10:1: \"?[2J\" is not a number, as 9 other cells of column 0 are");
    nm_context_destroy(context);
}
END_TEST

START_TEST(gzip_csv_files_are_the_same)
{
    nm_dataset set;
    begin(NULL);
    const char *path = test_path("t.csv.gz");
    gzFile file = gzopen(path, "wb");
    ck_assert_int_eq(gzwrite(file, "1,0\n2,1\n", 8), 8);
    gzclose(file);
    open_set(&set, "csv: {path: %s}", path);
    expect_samples(&set, 2, 1, (float[]){1, 2});
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_locale_does_not_matter)
{
    nm_dataset set;
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"};
    for (size_t i = 0; i < 4 && !setlocale(LC_ALL, names[i]); i++) {
    }
    begin(NULL); /* without any of these locales still a test of fractions */
    open_csv(&set, "1.5,0\n.25,1\n", "");
    expect_samples(&set, 2, 1, (float[]){1.5f, 0.25f});
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

/* Numbers of all sizes in all of a double's digits and fewer. */
START_TEST(a_number_is_the_nearest_double_however_it_is_written)
{
    static const char *const formats[] = {"%.17g", "%.16g", "%.15e", "%.9g",
                                          "%.3f",  "%.1e",  "%+.0f"};
    static const csv_form form = {.decimal = '.', .thousands = ','};
    nm_random random = nm_random_create(1, 0);
    for (int i = 0; i < 70000; i++) {
        char text[400];
        double value, expected = nm_random_normal(&random);
        expected = ldexp(expected, (int)(nm_random_uniform(&random) * 180) - 120);
        snprintf(text, sizeof text, formats[i % 7], expected);
        expected = strtod(text, NULL);
        const csv_number kind = nm_csv_number(&form, text, strlen(text), &value);
        ck_assert_msg(value == expected, "%s is %.17g, not %.17g", text, expected, value);
        ck_assert_int_eq(kind, expected == floor(expected) ? CSV_WHOLE : CSV_FRACTION);
    }
}
END_TEST

START_TEST(only_a_whole_number_is_one)
{
    static const csv_form form = {.decimal = '.', .thousands = ','};
    static const struct {
        const char *text;
        csv_number kind;
        double value;
    } cells[] = {
        {"007", CSV_WHOLE, 7},
        {"+.5", CSV_FRACTION, .5},
        {"1.", CSV_WHOLE, 1},
        {"-0", CSV_WHOLE, 0},
        {"1e2", CSV_WHOLE, 100},
        {"1E-2", CSV_FRACTION, .01},
        {"123456789012345678901", CSV_WHOLE, 123456789012345678901.0},
        {"1,234,567.5", CSV_FRACTION, 1234567.5},
        {"3.4e38", CSV_WHOLE, 3.4e38},
        {"3.5e38", CSV_INFINITE, 0},
        {"-Infinity", CSV_INFINITE, 0},
        {"+inf", CSV_INFINITE, 0},
        {"", CSV_NO_NUMBER, 0},
        {".", CSV_NO_NUMBER, 0},
        {"-", CSV_NO_NUMBER, 0},
        {"e5", CSV_NO_NUMBER, 0},
        {"1e", CSV_NO_NUMBER, 0},
        {"1e+", CSV_NO_NUMBER, 0},
        {"1.2.3", CSV_NO_NUMBER, 0},
        {"1 2", CSV_NO_NUMBER, 0},
        {"1,23", CSV_NO_NUMBER, 0},
        {"1234,567", CSV_NO_NUMBER, 0},
        {"1,2345", CSV_NO_NUMBER, 0},
        {"1,234,", CSV_NO_NUMBER, 0},
        {",123", CSV_NO_NUMBER, 0},
        {"0x10", CSV_NO_NUMBER, 0},
        {"12a", CSV_NO_NUMBER, 0},
        {"--1", CSV_NO_NUMBER, 0},
        {"1e999", CSV_INFINITE, 0},
        {"1e-999", CSV_FRACTION, 0},
        {"nan", CSV_NO_NUMBER, 0},
    };
    for (int i = 0; i < NM_COUNT_OF(cells); i++) {
        double value = 0;
        const char *text = cells[i].text;
        ck_assert_msg(nm_csv_number(&form, text, strlen(text), &value) == cells[i].kind, "%s",
                      text);
        ck_assert_msg(cells[i].kind == CSV_INFINITE || value == cells[i].value, "%s: %g", text,
                      value);
    }
}
END_TEST

START_TEST(digits_may_be_as_many_as_they_like)
{
    nm_dataset set;
    begin(NULL);
    open_csv(&set, "a,b,y\n123456789012345678,1,0\n1234567890123456789012345,2,1\n", "");
    assert_fine(context);
    ck_assert_int_eq(set.dtype, NM_F64);
    ck_assert(((const double *)set.samples)[0] == 123456789012345678.0);
    ck_assert(((const double *)set.samples)[2] == 1234567890123456789012345.0);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

static nm_status open_both(test_memory *memory)
{
    nm_dataset set;
    begin(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    if (open_set(&set, "csv: {path: %s, target: b}", test_path("t.csv")) == NM_OK) {
        nm_dataset_close(&set);
    }
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    write_file("t.csv", "a,b\n1,0\n2,1\n", 12);
    test_every_allocation(open_both);
}
END_TEST

TEST_MAIN("optim/csv", the_last_column_is_the_target_unless_told,
          a_header_is_noticed_and_names_the_target,
          a_first_line_that_may_be_a_header_or_not_is_an_error,
          values_to_predict_have_the_shape_of_one_output,
          quotes_blanks_line_ends_and_marks_are_understood,
          what_is_no_number_is_an_error_with_its_place,
          a_target_that_is_no_label_is_an_error_with_its_place, a_table_without_form_is_refused,
          a_column_that_is_not_there_is_named, control_characters_do_not_reach_the_terminal,
          a_number_is_the_nearest_double_however_it_is_written, only_a_whole_number_is_one,
          digits_may_be_as_many_as_they_like, gzip_csv_files_are_the_same,
          the_locale_does_not_matter, every_failing_allocation_is_reported_and_leaks_nothing)
