/* CSV files: how cells are told apart, and what the first line is. */
#include "tests/optim/data/csv/tables.h"

static const double numbers[] = {1.5, 2, -3, 4};

/* ---- Separators ---- */

START_TEST(every_usual_separator_is_found)
{
    begin(NULL);
    expect_table("a,b,y\n1.5,2,0\n-3,4,1\n", "", 2, 2, numbers);
    expect_table("a;b;y\n1.5;2;0\n-3;4;1\n", "", 2, 2, numbers);
    expect_table("a\tb\ty\n1.5\t2\t0\n-3\t4\t1\n", "", 2, 2, numbers);
    expect_table("a|b|y\n1.5|2|0\n-3|4|1\n", "", 2, 2, numbers);
    expect_table("a b y\n1.5 2 0\n-3 4 1\n", "", 2, 2, numbers);
    expect_table("  1.5   2 \t 0 \n -3 4  1", "", 2, 2, numbers); /* housing.data */
    expect_table("1.5|2|0\n", "", 1, 2, numbers);
    expect_table("1.5|2|0\n1e-400|3|1\n", "", 2, 2, (double[]){1.5, 2, 0, 3});
    expect_table("phone,a,b,y\n+49 30 1,1.5,2,0\n+49 30 2,-3,4,1\n", ", ignore: phone", 2, 2,
                 numbers); /* blanks make cells, too, but not in the header */
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_separator_within_texts_is_not_taken_for_one)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set,
               "size, cm;last name;y\n1.5;Smith, J;0\n-3;Doe, A;1\n2;Doe, A;1\n1;Smith, J;0\n",
               ", target: y");
    expect_values(&set, 4, 3, (double[]){1.5, 0, 1, -3, 1, 0, 2, 1, 0, 1, 0, 1});
    nm_dataset_close(&set);
    open_table(&set, "name,y\nNew York,1\nLos Angeles,0\nNew York,1\nLos Angeles,1\n", "");
    expect_values(&set, 4, 2, (double[]){0, 1, 1, 0, 0, 1, 1, 0});
    nm_dataset_close(&set);
    open_table(&set, "2020-01-01 10:00,1.5,0\n2020-01-02 11:00,2.5,1\n", "");
    assert_fine(context);
    ck_assert_int_eq(set.schema->columns, 2);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_file_or_the_option_may_say_the_separator)
{
    begin(NULL);
    expect_table("sep=;\na;b;y\n1.5;2;0\n-3;4;1\n", "", 2, 2, numbers);
    expect_table("\"sep=|\"\r\n1.5|2|0\r\n-3|4|1\r\n", "", 2, 2, numbers);
    expect_table("SEP=\t\n1.5\t2\t0\n-3\t4\t1\n", "", 2, 2, numbers);
    expect_table("1.5:2:0\n-3:4:1\n", ", separator: ':'", 2, 2, numbers);
    expect_table("1.5;2;0\n-3;4;1\n", ", separator: semicolon", 2, 2, numbers);
    expect_table("1.5 2  0\n-3\t4 1\n", ", separator: blank", 2, 2, numbers);
    expect_table("1.5\t2\t0\n-3\t4\t1\n", ", separator: tab", 2, 2, numbers);
    expect_refused("sep=;\na;y\n1;inf\n", ", targets: values", ":3:3: \"inf\" is not a finite");
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_excel_is_told_to_leave_alone_is_read_without_what_says_so)
{
    nm_dataset set;
    begin(NULL);
    expect_table("a,b,y\n=\"1.5\",2,0\n=\"-3\",4,1\n", "", 2, 2, numbers);
    expect_table("=\"a\",b,y\n=\"1.5\",2,0\n=\"-3\",4,1\n", ", ignore: []", 2, 2, numbers);
    expect_table("a;b;y\n\"=\"\"1,5\"\"\";2;0\n\"=\"\"-3\"\"\";\"4\";1\n", "", 2, 2, numbers);
    expect_table("a,b,y\n1.5,2,0\n=\"\",4,1\n", ", missing: zero", 2, 2, (double[]){1.5, 2, 0, 4});
    open_table(&set, "k,y\n=\"x\",0\n=,1\nx,1\n=,0\n=\",0\n=\",0\n\"=\",0\n\"=\"\"\",1\n", "");
    assert_fine(context);
    expect_values(&set, 8, 3, (double[]){0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0,
                                         0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0});
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_wrong_separator_or_quote_is_refused)
{
    nm_dataset set;
    begin(NULL);
    static const char *const wrong[] = {"ab", "'-'", "'5'", "'\"'", "\"\\n\"", "''"};
    for (int i = 0; i < NM_COUNT_OF(wrong); i++) {
        char more[64];
        snprintf(more, sizeof more, ", separator: %s", wrong[i]);
        open_table(&set, "1,2\n", more);
        assert_error(context, NM_ERROR_INPUT, "\"separator\" must be auto, comma, semicolon, tab");
    }
    open_table(&set, "1,2\n", ", quote: x");
    assert_error(context, NM_ERROR_INPUT, "\"quote\" must be auto, none, '\"' or \"'\"");
    nm_context_destroy(context);
}
END_TEST

/* ---- Lines and quotes ---- */

START_TEST(lines_end_in_any_way)
{
    begin(NULL);
    expect_table("a,b,y\r1.5,2,0\r-3,4,1\r", "", 2, 2, numbers);
    expect_table("a,b,y\r\n1.5,2,0\r\n-3,4,1", "", 2, 2, numbers);
    expect_table("a,b,y\n1.5,2,0\n-3,4,1\n\n\r\n  \n", "", 2, 2, numbers);
    expect_refused("a,b,y\r1.5,2,0\r-3,inf,1\r", "", ":3:4: \"inf\" is not a finite number");
    expect_refused("a,b,y\r\n1.5,2,0\r\n-3,inf,1\r\n", "", ":3:4: \"inf\" is not a finite number");
    nm_context_destroy(context);
}
END_TEST

START_TEST(lines_of_nothing_but_separators_are_no_samples)
{
    begin(NULL);
    expect_table("a;b;y;\n1.5;2;0;\n;;;\n-3;4;1;\n ; ;;\n", "", 2, 2, numbers);
    expect_table("a\tb\ty\n1.5\t2\t0\n\t\t\n-3\t4\t1\n\t\t", "", 2, 2, numbers);
    nm_context_destroy(context);
}
END_TEST

START_TEST(comments_are_left_out_of_a_file_that_begins_with_one)
{
    begin(NULL);
    expect_table("# made by hand, in May\n#\na,b,y\n1.5,2,0\n# more\n-3,4,1\n", "", 2, 2, numbers);
    expect_table("% 1\n1.5,2,0\n-3,4,1\n", "", 2, 2, numbers);
    nm_context_destroy(context);
}
END_TEST

START_TEST(apostrophes_are_quotes_where_the_whole_file_can_be_read_so)
{
    nm_dataset set;
    begin(NULL);
    expect_table("'a','b, c','y'\n1.5,2,0\n-3,4,1\n", "", 2, 2, numbers);
    open_table(&set, "a,b,'it''s'\n1.5,'2','x, y'\n-3,'4','z'\n", "");
    expect_values(&set, 2, 2, numbers);
    ck_assert_str_eq(set.schema->class_names[0], "x, y");
    ck_assert_str_eq(set.schema->target_column[0].name, "it's");
    nm_dataset_close(&set);
    /* 'tis is a text here, since no quote closes it. */
    open_table(&set, "a,y\n1,'x'\n2,'tis\n3,'x'\n", "");
    assert_fine(context);
    ck_assert_str_eq(set.schema->class_names[0], "'tis");
    ck_assert_str_eq(set.schema->class_names[1], "'x'");
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(quotes_can_be_told_or_switched_off)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set, "a,y\n1,'x'\n2,'z'\n", ", quote: '\"'");
    assert_fine(context);
    ck_assert_str_eq(set.schema->class_names[0], "'x'");
    nm_dataset_close(&set);
    open_table(&set, "a,y\n1,\"x\n2,\"z\n", ", quote: none");
    assert_fine(context);
    ck_assert_str_eq(set.schema->class_names[1], "\"z");
    nm_dataset_close(&set);
    expect_refused(
        "a,y\n1,\"x\n2,\"z\n", "",
        ":2:4: \"x?2,\" in quotes is followed by something else than a separator; where \" is no "
        "quote but part of the text, say `quote: none`");
    nm_context_destroy(context);
}
END_TEST

/* ---- Marks ---- */

START_TEST(a_decimal_comma_is_found_from_the_cells)
{
    begin(NULL);
    expect_table("a;b;y\n1,5;2;0\n-3;4,0;1\n", "", 2, 2, numbers);
    expect_table("a;b;y\n1.234,5;2e3;0\n-3;1.000;1\n", "", 2, 2,
                 (double[]){1234.5, 2000, -3, 1000});
    expect_table("a;b;y\n1234,567;2;0\n-3;4;1\n", "", 2, 2, (double[]){1234.567, 2, -3, 4});
    expect_table("a\tb\ty\n0,125\t2\t0\n-3\t4\t1\n", "", 2, 2, (double[]){0.125, 2, -3, 4});
    expect_table("a,b,y\n\"1,5\",2,0\n-3,4,1\n", "", 2, 2, numbers);
    nm_context_destroy(context);
}
END_TEST

START_TEST(thousands_may_stand_in_groups_of_three_digits)
{
    begin(NULL);
    const double large[] = {1234567, 1234.5, -3, 4};
    expect_table("a;b;y\n1,234,567;1,234.5;0\n-3;4;1\n", "", 2, 2, large);
    expect_table("a,b,y\n\"1,234,567\",\"1,234.5\",0\n-3,4,1\n", "", 2, 2, large);
    expect_table("a;b;y\n1'234'567;1'234.5;0\n-3;4;1\n", "", 2, 2, large);
    expect_table("a;b;y\n1 234 567;1\xc2\xa0"
                 "234.5;0\n-3;4;1\n",
                 "", 2, 2, large);
    expect_table("a,b,y\n\"1,234\",2,0\n-3,4,1\n", "", 2, 2, (double[]){1234, 2, -3, 4});
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_decimal_comma_is_known_behind_groups_of_blanks_and_apostrophes_alone)
{
    begin(NULL);
    const double large[] = {1234.5, 2345.25, 3456.125, 1234567.5};
    expect_table("a;b;y\n1 234,5;2 345,25;0\n3 456,125;1 234 567,5;1\n", "", 2, 2, large);
    expect_table("a;b;y\n1'234,5;2'345,25;0\n3'456,125;1'234'567,5;1\n", "", 2, 2, large);
    expect_table("a;b;y\n1\xc2\xa0"
                 "234,5;2\xc2\xa0"
                 "345,25;0\n3\xe2\x80\xaf"
                 "456,125;1\xe2\x80\xaf"
                 "234\xe2\x80\xaf"
                 "567,5;1\n",
                 "", 2, 2, large);
    expect_table("a;b;y\n1 234,567;2;0\n3;4;1\n", "", 2, 2, (double[]){1234.567, 2, 3, 4});
    nm_context_destroy(context);
}
END_TEST

START_TEST(blanks_within_quotes_and_those_that_do_not_break_are_none_of_a_cell)
{
    begin(NULL);
    expect_table("\" a\t\",b,y\n\" 1.5 \",\"\t2\",0\n\"3 \",\" 4\",1\n", "", 2, 2,
                 (double[]){1.5, 2, 3, 4});
    expect_table("a,\xc2\xa0"
                 "b,y\n\xc2\xa0"
                 "1,2\xc2\xa0,0\n3 \xc2\xa0 ,\"\xc2\xa0 4\",1\n",
                 ", columns: [a, b]", 2, 2, (double[]){1, 2, 3, 4});
    expect_table("a,y\n\xc3\xa0,0\n\"\xc3\xa0 \",1\nz,0\nz,0\n", "", 4, 2,
                 (double[]){0, 1, 0, 1, 1, 0, 1, 0}); /* whose last byte is a blank's */
    expect_refused("a,y\n\xc2\xa0,0\n1,1\n", "", ":2:2: the cell is empty (column \"a\"");
    nm_context_destroy(context);
}
END_TEST

START_TEST(marks_that_can_be_read_in_two_ways_are_refused)
{
    begin(NULL);
    const char *either = "a;b;y\n1,234;2;0\n-3;4;1\n";
    expect_refused(
        either, "",
        ":2:1: \"1,234\" has a comma that may stand before decimals or between thousands; "
        "say `decimal: \",\"` or `decimal: \".\"`");
    expect_table(either, ", decimal: ','", 2, 2, (double[]){1.234, 2, -3, 4});
    expect_table(either, ", decimal: .", 2, 2, (double[]){1234, 2, -3, 4});
    expect_refused("a;b;y\n1,5;2;0\n-3;4.5;1\n", "",
                   ":2:1: \"1,5\" has a decimal comma, but \"4.5\" in line 3 a point; say");
    nm_context_destroy(context);
}
END_TEST

/* ---- The header ---- */

/* The names of the sample's columns. */
static void expect_names(const char *text, const char *more, const char *names)
{
    nm_dataset set;
    char found[256] = "";
    open_table(&set, text, more);
    assert_fine(context);
    for (int i = 0; i < set.schema->columns; i++) {
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i ? "," : "",
                 set.schema->column[i].name);
    }
    ck_assert_str_eq(found, names);
    nm_dataset_close(&set);
}

START_TEST(a_text_above_numbers_or_dates_is_a_header)
{
    begin(NULL);
    expect_names("a,b,y\n1,2,0\n", "", "a,b");
    expect_names("when,b,y\n2020-01-31,2,0\n", "", "when,b");
    expect_names("a,on,y\n1,true,0\n2,false,1\n", "", "a,on");
    expect_names("a,b,y\n?,NA,0\n1,2,1\n", ", missing: zero", "a,b");
    expect_names("5.4,3.4,x\n5.1,3,z\n5,3,x\n", "", ","); /* iris.data */
    expect_names("5.4,?,x\n5.1,3,z\n5,3,x\n", ", missing: zero", ",");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_text_above_texts_is_one_of_them_if_it_occurs_again)
{
    begin(NULL);
    expect_names("p,x,s\ne,x,y\np,y,s\ne,y,y\n", ", target: 0", ","); /* mushrooms */
    expect_names("kind,cap\ne,x\np,y\ne,y\np,x\n", ", target: 0", "cap");
    expect_refused(
        "place,1990,y\nrome,3,0\nrome,4,1\nbern,5,0\n", "",
        ":1:1: 1 of the first line's 3 cells are numbers, so it may be a header or not; say");
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_columns_of_pandas_counted_from_zero_are_a_header_and_told)
{
    nm_dataset set;
    begin_telling();
    open_table(&set, "0,1,2,3\n1.5,2,7,0\n-3,4,8,1\n", "");
    expect_values(&set, 2, 3, (double[]){1.5, 2, 7, -3, 4, 8});
    nm_dataset_close(&set);
    assert_told(
        "its first line counts the columns and is taken for their names; if it is none, say");
    open_table(&set, ",0,1,label\n0,1.5,2,0\n1,-3,4,1\n", "");
    expect_values(&set, 2, 2, numbers);
    nm_dataset_close(&set);
    open_table(&set, "label,0,1\n0,1.5,2\n1,-3,4\n", "");
    expect_values(&set, 2, 2, numbers);
    nm_dataset_close(&set);
    open_table(&set, "0,1,2,3\n4,5,6,7\n8,9,10,11\n", ""); /* which goes on counting */
    ck_assert_int_eq(set.count, 3);
    nm_dataset_close(&set);
    open_table(&set, "0,1,1\n1,0,1\n", ""); /* too short for it */
    ck_assert_int_eq(set.count, 2);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(headers_of_r_numpy_and_scikit_learn_are_known)
{
    nm_dataset set;
    begin(NULL);
    const char *r = "\"a\" \"b\" \"y\"\n\"Mazda RX4\" 1.5 2 0\n\"Fiat 128\" -3 4 1\n";
    expect_names(r, "", "a,b");
    expect_table(r, "", 2, 2, numbers);
    expect_names("# a,b,y\n1.5,2,0\n-3,4,1\n", "", "a,b");
    expect_names("# one, two\n1.5,2,0\n-3,4,1\n", "", ","); /* of another length */
    open_table(&set, "3,2,setosa,virginica\n1.5,2,0\n-3,4,1\n5,6,0\n", "");
    expect_values(&set, 3, 2, (double[]){1.5, 2, -3, 4, 5, 6});
    expect_classes(&set, (int32_t[]){0, 1, 0});
    ck_assert_int_eq(set.classes, 2);
    ck_assert_str_eq(set.schema->class_names[1], "virginica");
    nm_dataset_close(&set);
    expect_refused("4,2,setosa,virginica\n1.5,2,0\n-3,4,1\n5,6,0\n", "",
                   ":"); /* four rows, it says */
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_header_without_a_name_for_the_last_column_has_none_for_it)
{
    begin(NULL);
    expect_table("a,b,y\n1.5,2,0,\n-3,4,1,\n", "", 2, 2, numbers);
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_option_says_whether_there_is_a_header)
{
    begin(NULL);
    expect_names("1,2,3\n1,2,0\n", ", header: yes", "1,2");
    expect_names("x,1\nz,0\nz,1\nx,1\n", ", header: no", "");
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/csv_form", every_usual_separator_is_found,
          a_separator_within_texts_is_not_taken_for_one,
          the_file_or_the_option_may_say_the_separator,
          what_excel_is_told_to_leave_alone_is_read_without_what_says_so,
          a_wrong_separator_or_quote_is_refused, lines_end_in_any_way,
          lines_of_nothing_but_separators_are_no_samples,
          comments_are_left_out_of_a_file_that_begins_with_one,
          apostrophes_are_quotes_where_the_whole_file_can_be_read_so,
          quotes_can_be_told_or_switched_off, a_decimal_comma_is_found_from_the_cells,
          thousands_may_stand_in_groups_of_three_digits,
          a_decimal_comma_is_known_behind_groups_of_blanks_and_apostrophes_alone,
          blanks_within_quotes_and_those_that_do_not_break_are_none_of_a_cell,
          marks_that_can_be_read_in_two_ways_are_refused, a_text_above_numbers_or_dates_is_a_header,
          a_text_above_texts_is_one_of_them_if_it_occurs_again,
          the_columns_of_pandas_counted_from_zero_are_a_header_and_told,
          headers_of_r_numpy_and_scikit_learn_are_known,
          a_header_without_a_name_for_the_last_column_has_none_for_it,
          the_option_says_whether_there_is_a_header)
