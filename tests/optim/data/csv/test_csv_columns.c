/* CSV files: what columns are, and which are chosen. */
#include "tests/optim/data/csv/tables.h"

static void expect_kind(const nm_dataset *set, int column, const char *name, int kind)
{
    ck_assert_str_eq(set->schema->column[column].name, name);
    ck_assert_int_eq(set->schema->column[column].kind, kind);
}

/* ---- Kinds ---- */

START_TEST(words_for_true_and_false_are_one_and_zero)
{
    static const char *const words[][2] = {
        {"TRUE", "False"}, {"yes", "NO"}, {"t", "f"}, {"Y", "N"}, {"on", "off"}};
    begin(NULL);
    for (int i = 0; i < NM_COUNT_OF(words); i++) {
        nm_dataset set;
        char text[64];
        snprintf(text, sizeof text, "is,y\n%s,0\n%s,1\n", words[i][0], words[i][1]);
        open_table(&set, text, "");
        expect_values(&set, 2, 1, (double[]){1, 0});
        expect_kind(&set, 0, "is", NM_COLUMN_FLAG);
        nm_dataset_close(&set);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(words_of_two_kinds_are_texts)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set, "is,y\nyes,0\nfalse,1\nyes,1\nfalse,1\n", "");
    expect_values(&set, 4, 2, (double[]){0, 1, 1, 0, 0, 1, 1, 0});
    expect_kind(&set, 0, "is", NM_COLUMN_CATEGORY);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

/* Days by Python: (date(2020, 2, 29) - date(1970, 1, 1)).days = 18321 */
START_TEST(dates_are_days_since_1970)
{
    static const struct {
        const char *text;
        double days;
    } dates[] = {
        {"1970-01-01", 0},
        {"1969-12-31", -1},
        {"2020-02-29", 18321},
        {"2020-2-29", 18321},
        {"2020/02/29", 18321},
        {"2020.02.29", 18321},
        {"2020-02", 18293},
        {"1600-02-29", -135081},
        {"2020-02-29 06:00", 18321.25},
        {"2020-02-29T18:00:00Z", 18321.75},
        {"2020-02-29T18:00:00+06:00", 18321.5},
        {"2020-02-29 18:00:00-0600", 18322},
        {"2020-02-29 12:00:00.000", 18321.5},
        {"2020-02-29 3:00 AM", 18321.125},
        {"2020-02-29 12:00 am", 18321},
        {"2020-02-29 12:00 PM", 18321.5},
        {"29.02.2020", 18321},
        {"29/2/2020 06:00", 18321.25},
        {"2/29/2020", 18321},
        {"2-29-20", 18321},
        {"12/31/69", -1},
        {"29-Feb-2020", 18321},
        {"29 February 2020", 18321},
        {"Feb 29, 2020", 18321},
        {"feb. 2020", 18293},
        {"06:00", 0.25},
        {"18:00:00", 0.75},
    };
    begin(NULL);
    for (int i = 0; i < NM_COUNT_OF(dates); i++) {
        nm_dataset set;
        char text[64];
        snprintf(text, sizeof text, "when;y\n%s;0\n", dates[i].text);
        open_table(&set, text, "");
        assert_fine(context);
        ck_assert_msg(sample_at(&set, 0) == dates[i].days, "%s: %.17g", dates[i].text,
                      sample_at(&set, 0));
        expect_kind(&set, 0, "when", NM_COLUMN_DATE);
        ck_assert_int_eq(set.dtype, NM_F64);
        nm_dataset_close(&set);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_only_looks_like_a_date_is_text)
{
    static const char *const texts[] = {"2019-02-29", "2020-13-01",    "31.04.2020", "2020-01-01x",
                                        "13/13/2020", "25:00",         "10:60",      "Fib 3, 2020",
                                        "13:00 PM",   "2020-01-01 10", "12.31.2020"};
    begin(NULL);
    for (int i = 0; i < NM_COUNT_OF(texts); i++) {
        nm_dataset set;
        char text[64];
        snprintf(text, sizeof text, "when;y\n%s;0\n%s;1\n", texts[i], texts[i]);
        open_table(&set, text, "");
        assert_fine(context);
        ck_assert_msg(set.schema->column->kind == NM_COLUMN_CATEGORY, "%s", texts[i]);
        nm_dataset_close(&set);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(elements_of_a_sample_are_called_by_their_columns)
{
    nm_dataset set;
    char text[NM_INPUT_NAME];
    begin(NULL);
    open_table(&set, "size,kind,y\n1,oak,0\n2,ash,1\n3,oak,0\n4,ash,1\n", "");
    assert_fine(context);
    ck_assert_str_eq(nm_schema_input_name(set.schema, 0, text), "size");
    ck_assert_str_eq(nm_schema_input_name(set.schema, 1, text), "kind ash");
    ck_assert_str_eq(nm_schema_input_name(set.schema, 2, text), "kind oak");
    ck_assert_str_eq(nm_schema_input_name(set.schema, 3, text), "[3]");
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(day_and_month_are_told_apart_by_the_whole_column)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set, "when,y\n1/2/2020,0\n31/2/2019,0\n", ""); /* no such day: text */
    assert_fine(context);
    expect_kind(&set, 0, "when", NM_COLUMN_CATEGORY);
    nm_dataset_close(&set);
    open_table(&set, "when,y\n1/31/2020,0\n31/1/2020,0\n", ""); /* both */
    assert_fine(context);
    expect_kind(&set, 0, "when", NM_COLUMN_CATEGORY);
    nm_dataset_close(&set);
    open_table(&set, "when,y\n1/2/2020,0\n31/1/2020,0\n", "");
    expect_values(&set, 2, 1, (double[]){18293, 18292});
    ck_assert_int_eq(set.schema->column->order, NM_DATE_DAY_FIRST);
    nm_dataset_close(&set);
    open_table(&set, "when,y\n1/2/2020,0\n1/31/2020,0\n", "");
    expect_values(&set, 2, 1, (double[]){18263, 18292});
    ck_assert_int_eq(set.schema->column->order, NM_DATE_MONTH_FIRST);
    nm_dataset_close(&set);
    const char *open = "when,y\n1/2/2020,0\n3/4/2020,0\n";
    expect_refused(open, "",
                   ":2:1: \"1/2/2020\" may begin with the day or the month, and nothing in column "
                   "\"when\" tells; say `dates: day_first` or `dates: month_first`");
    expect_table(open, ", dates: day_first", 2, 1, (double[]){18293, 18355});
    expect_table(open, ", dates: month_first", 2, 1, (double[]){18263, 18325});
    nm_context_destroy(context);
}
END_TEST

START_TEST(few_texts_become_an_element_each_in_a_stated_order)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set,
               "doors,y\n4,0\n5more,0\n10,0\n4.0,0\nB,0\n\xc3\xa4,0\n10,0\n5more,0\nB,0\n"
               "\xc3\xa4,0\n4,0\n",
               "");
    assert_fine(context);
    const nm_column *c = set.schema->column;
    ck_assert_int_eq(c->count, 5); /* numbers by size, then texts by their bytes */
    static const char *const order[] = {"4", "10", "5more", "B", "\xc3\xa4"};
    for (int i = 0; i < 5; i++) {
        ck_assert_str_eq(c->categories[i], order[i]);
    }
    ck_assert(nm_shape_equal(&set.shape, &NM_SHAPE(5)));
    for (int i = 0; i < 5; i++) {
        ck_assert(sample_at(&set, 3 * 5 + i) == (i == 0)); /* 4.0 is 4 */
    }
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(too_many_texts_are_left_out_and_named)
{
    static const char *const table = "name,a,note,y\nx,1,p,0\nz,2,q,1\nw,3,r,1\n";
    nm_dataset set;
    begin_telling();
    open_table(&set, table, "");
    expect_values(&set, 3, 1, (double[]){1, 2, 3});
    ck_assert_int_eq(set.schema->unused, 2);
    ck_assert_str_eq(set.schema->unused_column[0].name, "name");
    ck_assert_str_eq(set.schema->unused_column[0].why, "its texts are too many for categories");
    ck_assert_str_eq(set.schema->unused_column[1].name, "note");
    assert_told("warning: ");
    assert_told("half as many as rows): [\"name\", \"note\"]; `ignore` with this list");
    nm_dataset_close(&set);
    told[0] = 0;
    open_table(&set, table, ", ignore: [\"name\", \"note\"]");
    expect_values(&set, 3, 1, (double[]){1, 2, 3});
    ck_assert_ptr_null(strstr(told, "warning"));
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(too_many_texts_that_were_asked_for_are_refused_with_a_list_to_paste)
{
    begin(NULL);
    expect_refused("name,a,note,y\nx,1,p,0\nz,2,q,1\nw,3,r,1\n", ", columns: [name, a, note]",
                   ":2:1: \"x\" is text, and column \"name\" has too many different ones for "
                   "categories (more than 64, or than half as many as rows); leave such columns "
                   "out: `ignore: [\"name\", \"note\"]`");
    expect_table("name,a,note,y\nx,1,p,0\nz,2,q,1\nw,3,r,1\n", ", ignore: [\"name\", \"note\"]", 3,
                 1, (double[]){1, 2, 3});
    expect_refused(lines_of("t,y\n", "a%,1", 65, 0), "", ":2:1: \"a0\" is text");
    nm_context_destroy(context);
}
END_TEST

START_TEST(sixty_four_texts_are_few_and_one_more_is_not)
{
    static char text[8192];
    nm_dataset set;
    begin(NULL);
    for (int texts = 64; texts < 66; texts++) {
        size_t length = (size_t)snprintf(text, sizeof text, "t,y\n");
        for (int i = 0; i < 2 * texts; i++) {
            length += (size_t)snprintf(text + length, sizeof text - length, "a%d,1\n", i / 2);
        }
        open_table(&set, text, texts == 64 ? "" : ", categories: t");
        assert_fine(context);
        ck_assert_int_eq(set.shape.dim[0], texts);
        nm_dataset_close(&set);
    }
    expect_refused(text, "", ":2:1: \"a0\" is text");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_text_among_many_numbers_is_an_error_at_its_place)
{
    begin(NULL);
    const char *text = "a,y\n1,0\n2,0\n3,0\n4,0\n5,0\n6,0\n7,0\n8,0\n9,0\n1o,0\n";
    expect_refused(
        text, "",
        ":11:1: \"1o\" is not a number, as 9 other cells of column \"a\" are; correct it, let "
        "it count as missing with `missing_texts`, or name the column in `categories`");
    expect_table(text, ", missing_texts: 1o, missing: mean", 10, 1,
                 (double[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 5});
    nm_context_destroy(context);
}
END_TEST

START_TEST(numbers_can_be_told_to_be_categories)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set, "class,a,y\n1,5,0\n3,6,1\n1.0,7,1\n", ", categories: class, target: y");
    expect_values(&set, 3, 3, (double[]){1, 0, 5, 0, 1, 6, 1, 0, 7});
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

/* ---- What is left out ---- */

START_TEST(ids_and_empty_columns_are_left_out_and_told)
{
    static const char *const names[] = {"id",      "ID",          "index",      "Unnamed: 0",
                                        "user_id", "PassengerId", "customerID", "uuid"};
    for (int i = 0; i < NM_COUNT_OF(names); i++) {
        nm_dataset set;
        char text[128];
        begin_telling();
        snprintf(text, sizeof text, "%s,a,none,y\n71,1,,0\n70,2,NA,0\n90,2,,1\n", names[i]);
        open_table(&set, text, "");
        expect_values(&set, 3, 1, (double[]){1, 2, 2});
        assert_told("t.csv: 2 columns are left out, which are ids or empty: [\"");
        assert_told(names[i]);
        ck_assert_int_eq(set.schema->unused, 2);
        ck_assert_str_eq(set.schema->unused_column[0].name, names[i]);
        ck_assert_str_eq(set.schema->unused_column[0].why, "an id: all rows differ");
        ck_assert_str_eq(set.schema->unused_column[1].why, "it is empty");
        nm_dataset_close(&set);
        nm_context_destroy(context);
    }
}
END_TEST

START_TEST(an_id_of_texts_is_left_out_too)
{
    begin(NULL);
    expect_table("id,a,y\nA1,1,0\nB7,2,1\n3,4,1\n", "", 3, 1, (double[]){1, 2, 4});
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_is_only_called_an_id_stays)
{
    begin(NULL);
    expect_table("id,a,y\n7,1,0\n7,2,1\n", "", 2, 2, (double[]){7, 1, 7, 2});
    expect_table("id,a,y\n7.5,1,0\n8,2,1\n", "", 2, 2, (double[]){7.5, 1, 8, 2});
    expect_table("paid,a,y\n7,1,0\n8,2,1\n", "", 2, 2, (double[]){7, 1, 8, 2});
    expect_table("id,y\n7,0\n8,1\n", "", 2, 1, (double[]){7, 8}); /* the only one */
    expect_table("id,a,y\n7,1,0\n8,2,1\n", ", columns: [id, a]", 2, 2, (double[]){7, 1, 8, 2});
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_column_that_counts_the_rows_is_left_out_where_its_name_says_no_more)
{
    nm_dataset set;
    begin_telling();
    open_table(&set, lines_of("nr,a,y\n", "%,5,0", 12, 1), "");
    assert_fine(context);
    ck_assert_int_eq(set.shape.dim[0], 1);
    ck_assert_str_eq(set.schema->unused_column->why, "it counts the rows");
    nm_dataset_close(&set);
    open_table(&set, lines_of("", "%,5,0", 12, 0), "");
    assert_fine(context);
    ck_assert_int_eq(set.shape.dim[0], 1);
    nm_dataset_close(&set);
    ck_assert_ptr_null(strstr(told, "warning"));
    open_table(&set, lines_of("year,a,y\n", "%,5,0", 12, 1947), "");
    assert_fine(context);
    ck_assert_int_eq(set.shape.dim[0], 2);
    assert_told("warning: ");
    assert_told(
        "column \"year\" counts the rows; if it says nothing else about them, leave it out");
    nm_dataset_close(&set);
    told[0] = 0;
    open_table(&set, lines_of("x,y\n", "%,%", 12, 0), ", targets: values"); /* y = x */
    assert_fine(context);
    ck_assert_int_eq(set.shape.dim[0], 1);
    ck_assert_str_eq(told, "");
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_constant_column_stays_and_is_told)
{
    nm_dataset set;
    begin_telling();
    open_table(&set, "a,b,c,y\n1,5,x,0\n2,5,x,1\n", "");
    expect_values(&set, 2, 3, (double[]){1, 5, 1, 2, 5, 1});
    assert_told("t.csv: 2 columns have one value in all rows: [\"b\", \"c\"]");
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

/* ---- Choosing ---- */

START_TEST(columns_are_chosen_by_name_index_and_pattern)
{
    const char *text = "p1,p2,q,note,y\n1,2,3,x,0\n4,5,6,z,1\n7,8,9,w,1\n";
    begin(NULL);
    expect_table(text, ", columns: [q, p1]", 3, 2, (double[]){1, 3, 4, 6, 7, 9}); /* in its order */
    expect_table(text, ", columns: 'p?'", 3, 2, (double[]){1, 2, 4, 5, 7, 8});
    expect_table(text, ", columns: [0, -3]", 3, 2, (double[]){1, 3, 4, 6, 7, 9});
    expect_table(text, ", ignore: [note, 'p*']", 3, 1, (double[]){3, 6, 9});
    expect_table(text, ", columns: 'p*', ignore: p2", 3, 1, (double[]){1, 4, 7});
    expect_table("3,2,y\n1,5,0\n2,6,1\n", ", header: yes, columns: '3'", 2, 1, (double[]){1, 2});
    expect_refused(text, ", ignore: nota",
                   ": \"ignore\": no column \"nota\"; did you mean \"note\"?");
    expect_refused(text, ", columns: 'z*'",
                   ": \"columns\": no column \"z*\"; give a name of the header");
    expect_refused(text, ", columns: 5",
                   ": \"columns\": no column \"5\"; give a name of the header or an "
                   "index from 0 to 4, or from -1 back");
    expect_refused(text, ", columns: 'p1,q'",
                   ": \"columns\": no column \"p1,q\"; for several, write a list");
    expect_refused("a,y\n1,0\n", ", ignore: a", ": no column is left for the samples");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_pattern_has_stars_for_any_text)
{
    const char *text = "abcab,aab,b,y\n1,2,3,0\n";
    begin(NULL);
    expect_table(text, ", columns: 'a*ab'", 1, 2, (double[]){1, 2});
    expect_table(text, ", columns: '*b*a*'", 1, 1, (double[]){1});
    expect_table(text, ", columns: '**b', target: y", 1, 3, (double[]){1, 2, 3});
    expect_table(text, ", columns: 'aa?*'", 1, 1, (double[]){2});
    nm_context_destroy(context);
}
END_TEST

START_TEST(two_columns_of_one_name_are_given_by_index)
{
    const char *text = "a,b,a,y\n1,2,3,0\n4,5,6,1\n";
    begin(NULL);
    expect_refused(text, "",
                   ": columns 0 and 2 are both called \"a\"; leave one out by its index, "
                   "`ignore: 2`, or list the indexes of all that are wanted in `columns`");
    expect_refused(text, ", columns: a",
                   ": \"columns\": columns 0 and 2 are both called \"a\"; give it by its index");
    expect_table(text, ", ignore: 2", 2, 2, (double[]){1, 2, 4, 5});
    expect_table(text, ", columns: [0, 2]", 2, 2, (double[]){1, 3, 4, 6});
    expect_table("a,b,a\n1,2,0\n4,5,1\n", ", target: 2", 2, 2, (double[]){1, 2, 4, 5});
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_table_of_too_many_columns_is_refused)
{
    const size_t size = ((size_t)1 << 18) + 2;
    char *text = malloc(size);
    nm_dataset set;
    begin(NULL);
    memset(text, ',', size);
    memcpy(text, "1", 1);
    memcpy(text + size - 1, "1", 1);
    open_bytes(&set, NULL, text, size, "");
    assert_error(context, NM_ERROR_FORMAT,
                 "a row has 262145 cells; a table can have 262144 columns");
    free(text);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/csv_columns", words_for_true_and_false_are_one_and_zero,
          words_of_two_kinds_are_texts, dates_are_days_since_1970,
          what_only_looks_like_a_date_is_text, day_and_month_are_told_apart_by_the_whole_column,
          elements_of_a_sample_are_called_by_their_columns,
          few_texts_become_an_element_each_in_a_stated_order, too_many_texts_are_left_out_and_named,
          too_many_texts_that_were_asked_for_are_refused_with_a_list_to_paste,
          sixty_four_texts_are_few_and_one_more_is_not,
          a_text_among_many_numbers_is_an_error_at_its_place, numbers_can_be_told_to_be_categories,
          ids_and_empty_columns_are_left_out_and_told, an_id_of_texts_is_left_out_too,
          what_is_only_called_an_id_stays,
          a_column_that_counts_the_rows_is_left_out_where_its_name_says_no_more,
          a_constant_column_stays_and_is_told, columns_are_chosen_by_name_index_and_pattern,
          a_pattern_has_stars_for_any_text, two_columns_of_one_name_are_given_by_index,
          a_table_of_too_many_columns_is_refused)
