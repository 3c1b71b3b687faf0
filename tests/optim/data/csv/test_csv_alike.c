/* What a table must not take for one: long numbers that a double rounds, words in other letters,
 * a header that comes again, dates of another order; and a minus that is written in another way. */
#include "tests/optim/data/csv/tables.h"

#define FIRST "1234567890123456780" /* a double does not tell them apart */
#define SECOND "1234567890123456781"

START_TEST(ids_of_nineteen_digits_differ_and_are_left_out)
{
    nm_dataset set;
    begin_telling();
    open_table(&set, "tweet_id,a,y\n" FIRST ",1,0\n" SECOND ",3,1\n", "");
    expect_values(&set, 2, 1, (double[]){1, 3});
    ck_assert_str_eq(set.schema->unused_column[0].why, "an id: all rows differ");
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(groups_of_nineteen_digits_are_told_apart)
{
    nm_dataset set;
    begin(NULL);
    const char *const text = "patient,a,y\n" FIRST ",1,0\n" SECOND ",3,1\n" FIRST ",5,1\n";
    open_bytes(&set, &(nm_reading){.groups = "patient"}, text, strlen(text), "");
    assert_fine(context);
    ck_assert_int_eq(set.group_count, 2);
    ck_assert_int_eq(set.groups[0], set.groups[2]);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(classes_beyond_32_bits_are_names)
{
    nm_dataset set;
    begin(NULL);
    const char *const text = "a,y\n1," SECOND "\n2," FIRST "\n3,-5000000000\n4," SECOND "\n";
    open_wanted(&set, NM_WANTED_LABELS, text, "");
    expect_classes(&set, (int32_t[]){2, 1, 0, 2});
    ck_assert_str_eq(set.schema->class_names[0], "-5000000000");
    ck_assert_str_eq(set.schema->class_names[1], FIRST);
    ck_assert_str_eq(set.schema->class_names[2], SECOND);
    nm_dataset_close(&set);
    open_table(&set, text, ""); /* as large as they are, without a loss too */
    ck_assert_int_eq(set.classes, 3);
    nm_dataset_close(&set);
    open_wanted(&set, NM_WANTED_LABELS, "a,y\n1,0\n2,3000000000\n", ""); /* one among others */
    assert_error(context, NM_ERROR_FORMAT, ":3:3: \"3000000000\" is no class label");
    nm_context_clear_error(context);
    open_wanted(&set, NM_WANTED_VALUES, text, "");
    ck_assert_int_eq(set.target_dtype, NM_F64);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(digits_that_a_double_loses_are_told)
{
    nm_dataset set;
    begin_telling();
    open_table(&set, "a,b,y\n" FIRST ",9007199254740992,0\n" SECOND ",3,1\n", "");
    assert_fine(context);
    assert_told("column \"a\" has whole numbers of more digits than count");
    ck_assert_ptr_null(strstr(told, "column \"b\""));
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_constant_of_many_digits_does_not_count_the_rows)
{
    nm_dataset set;
    begin_telling();
    open_table(&set,
               "a,b,y\n1e17,3,0\n1e17,1,1\n1e17,2,0\n1e17,3,1\n1e17,1,1\n1e17,2,0\n1e17,3,1\n1e17,"
               "1,1\n1e17,2,0\n1e17,3,1\n",
               "");
    assert_fine(context);
    ck_assert_ptr_null(strstr(told, "counts the rows"));
    assert_told("columns have one value in all rows");
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(words_that_differ_in_capitals_alone_are_told)
{
    nm_dataset set;
    begin_telling();
    open_table(&set, "a,y\n1,yes\n2,Yes\n3,no\n", "");
    ck_assert_int_eq(set.classes, 3);
    assert_told("warning: ");
    assert_told("\"yes\" and \"Yes\" of column \"y\" are told apart by their letters' case");
    nm_dataset_close(&set);
    told[0] = 0;
    open_table(&set, "c,y\nred,0\nRED,1\nred,0\nRED,1\n", "");
    assert_told("\"red\" and \"RED\" of column \"c\"");
    nm_dataset_close(&set);
    told[0] = 0;
    open_table(&set, "a,y\n1,a\n2,A\n3,b\n", ""); /* letters are classes in their own right */
    ck_assert_ptr_null(strstr(told, "case"));
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_header_amid_the_rows_is_an_error_at_its_line)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set, "a,b,y\n1,2,0\n3,4,1\n5,6,0\na,b,y\n7,8,1\n", "");
    assert_error(context, NM_ERROR_FORMAT,
                 ":5:1: \"a\" is the name of column \"a\", amid its numbers");
    nm_context_clear_error(context);
    open_table(&set, "red,big\nred,big\nblue,small\nred,big\n", ""); /* no header */
    ck_assert_int_eq(set.count, 4);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

/* Not a whole column left out for one cell. */
START_TEST(a_text_among_many_dates_is_an_error_at_its_place)
{
    nm_dataset set;
    char text[512] = "when,a,y\n";
    begin(NULL);
    for (int i = 1; i <= 18; i++) {
        const size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "%d.2.2020,%d,%d\n", i == 7 ? 30 : i, i,
                 i % 2);
    }
    open_table(&set, text, "");
    assert_error(context, NM_ERROR_FORMAT,
                 ":8:1: \"30.2.2020\" is not a date, as 17 other cells of column \"when\" are");
    nm_context_clear_error(context);
    open_table(&set, text, ", missing_texts: [30.2.2020], missing: mean");
    assert_fine(context);
    ck_assert_int_eq(set.schema->column[0].kind, NM_COLUMN_DATE);
    nm_dataset_close(&set);
    open_table(&set, "v,y\n1.2.2020,0\nx,1\nx,0\n1.2.2020,1\n",
               ""); /* texts, of which some look so */
    ck_assert_int_eq(set.schema->column[0].kind, NM_COLUMN_CATEGORY);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_typographic_minus_is_a_minus)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set,
               "a;b;c;y\n\u2212"
               "1,5;2e\u2212"
               "3;\u2212$4;0\n+2,5;1e3;$\u2212"
               "5;1\n",
               "");
    expect_values(&set, 2, 3, (double[]){-1.5, 0.002, -4, 2.5, 1000, -5});
    nm_dataset_close(&set);
    open_table(&set, "a,c,y\n1,\u2212,0\n2,x,1\n3,x,1\n4,\u2212,0\n", ""); /* alone it is text */
    expect_values(&set, 4, 3, (double[]){1, 0, 1, 2, 1, 0, 3, 1, 0, 4, 0, 1});
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

/* A table may have another order than the one trained on: its own cells tell. */
START_TEST(day_and_month_are_as_the_new_table_has_them)
{
    nm_dataset set;
    begin(NULL);
    nm_schema *schema = schema_of(NM_WANTED_LABELS, "when,y\n31.1.2020,0\n1.2.2020,1\n", "");
    open_like(&set, schema, "when\n1/31/2020\n2/1/2020\n2020-02-01\n", "");
    expect_values(&set, 3, 1, (double[]){18292, 18293, 18293});
    nm_dataset_close(&set);
    open_like(&set, schema, "when\n2/1/2020\n", ""); /* open: as trained */
    expect_values(&set, 1, 1, (double[]){18263});
    nm_dataset_close(&set);
    open_like(&set, schema, "when\n2/1/2020\n", ", dates: month_first");
    expect_values(&set, 1, 1, (double[]){18293});
    nm_dataset_close(&set);
    open_like(&set, schema, "when\n1/31/2020\n31/1/2020\n", "");
    assert_error(context, NM_ERROR_FORMAT,
                 ":2:1: \"1/31/2020\" and other dates in column \"when\" contradict each other");
    nm_context_clear_error(context);
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

START_TEST(targets_that_are_dates_are_read_as_their_table_has_them)
{
    nm_dataset set;
    begin(NULL);
    nm_schema *schema = schema_of(NM_WANTED_VALUES, "a,y\n1,31.1.2020\n2,1.2.2020\n", "");
    open_like(&set, schema, "a,y\n1,1/31/2020\n2,2/1/2020\n", "");
    expect_targets(&set, 1, (double[]){18292, 18293});
    nm_dataset_close(&set);
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

/* By where they stood: in all columns, or behind a header that leaves them without a name. */
START_TEST(ids_without_a_name_are_found_by_their_place)
{
    static const char *const tables[] = {"4,7,5\n5,8,6\n", "a,,y\n4,7,5\n5,8,6\n"};
    begin(NULL);
    nm_schema *schema = schema_of(NM_WANTED_VALUES, "1,11,3\n2,12,5\n3,13,9\n", ", ignore: 1");
    ck_assert_int_eq(schema->unused, 1);
    nm_unused_column id = schema->unused_column[0];
    id.is_id = true;
    schema->unused_column = &id;
    for (int i = 0; i < NM_COUNT_OF(tables); i++) {
        nm_dataset set;
        const nm_reading reading = {.schema = schema, .wanted = NM_WANTED_NONE};
        open_bytes(&set, &reading, tables[i], strlen(tables[i]), "");
        expect_values(&set, 2, 1, (double[]){4, 5});
        ck_assert_int_eq(set.id_columns, 1);
        ck_assert_str_eq(set.id_names[0], "");
        ck_assert_str_eq(set.id_texts[0], "7");
        ck_assert_str_eq(set.id_texts[1], "8");
        nm_dataset_close(&set);
    }
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/csv_alike", ids_of_nineteen_digits_differ_and_are_left_out,
          ids_without_a_name_are_found_by_their_place, groups_of_nineteen_digits_are_told_apart,
          classes_beyond_32_bits_are_names, digits_that_a_double_loses_are_told,
          a_constant_of_many_digits_does_not_count_the_rows,
          words_that_differ_in_capitals_alone_are_told,
          a_header_amid_the_rows_is_an_error_at_its_line,
          day_and_month_are_as_the_new_table_has_them,
          targets_that_are_dates_are_read_as_their_table_has_them,
          a_text_among_many_dates_is_an_error_at_its_place, a_typographic_minus_is_a_minus)
