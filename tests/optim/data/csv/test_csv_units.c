/* CSV files: numbers with a mark, such as per cent and amounts of money. */
#include "core/text.h"
#include "optim/data/schema_write.h"
#include "tests/optim/data/csv/tables.h"

#define EURO "\xe2\x82\xac"
#define NO_BREAK "\xc2\xa0"

static void expect_unit(const nm_dataset *set, int column, const char *unit)
{
    const nm_column *c = &set->schema->column[column];
    ck_assert_int_eq(c->kind, NM_COLUMN_NUMBER);
    ck_assert_str_eq(c->unit ? c->unit : "", unit);
}

START_TEST(numbers_with_a_mark_are_what_is_written)
{
    static const struct {
        const char *cell;
        double number;
        const char *unit;
    } cells[] = {
        {"12.5%", 12.5, "%"},
        {"12.5 %", 12.5, "%"},
        {"-3%", -3, "%"},
        {"+.5%", 0.5, "%"},
        {"1e1%", 10, "%"},
        {"2\xe2\x80\xb0", 2, "\xe2\x80\xb0"},
        {"\"$1,200.50\"", 1200.5, "$"},
        {"$ 5", 5, "$"},
        {"-$5", -5, "$"},
        {"$-5", -5, "$"},
        {"- $ 5", -5, "$"},
        {"5$", 5, "$"},
        {"($5.25)", -5.25, "$"},
        {"( 5 USD )", -5, "USD"},
        {"EUR 20", 20, "EUR"},
        {"20EUR", 20, "EUR"},
        {EURO "3.5", 3.5, EURO},
        {"3.5" NO_BREAK EURO, 3.5, EURO},
        {"\xc2\xa3"
         "7",
         7, "\xc2\xa3"},
        {"US$7", 7, "US$"},
        {"7 HK$", 7, "HK$"},
    };
    begin(NULL);
    for (int i = 0; i < NM_COUNT_OF(cells); i++) {
        char text[128];
        nm_dataset set;
        snprintf(text, sizeof text, "a,y\n%s,0\n%s,1\n", cells[i].cell, cells[i].cell);
        open_table(&set, text, "");
        expect_values(&set, 2, 1, (double[]){cells[i].number, cells[i].number});
        expect_unit(&set, 0, cells[i].unit);
        nm_dataset_close(&set);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_only_looks_like_a_mark_is_text)
{
    static const char *const cells[] = {"%5",     "5%%", "--5%",   "-$-5", "(5%)", "(-$5)", "$",
                                        "5 ABC",  "5kg", "$5 off", "USD",  "()",   "($)",   "5 %x",
                                        "$5 USD", "#5",  "5€x",    "-%",   "$$5"};
    begin(NULL);
    for (int i = 0; i < NM_COUNT_OF(cells); i++) {
        char text[128];
        nm_dataset set;
        snprintf(text, sizeof text, "a,y\n%s,0\n%s,1\n", cells[i], cells[i]);
        open_table(&set, text, "");
        assert_fine(context);
        ck_assert_int_eq(set.schema->column[0].kind, NM_COLUMN_CATEGORY);
        nm_dataset_close(&set);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(marks_do_not_hide_decimal_commas_separators_or_headers)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set, "share;price;y\n12,5 %;" EURO " 3,5;1\n3%;1.200,25 " EURO ";2\n", "");
    expect_values(&set, 2, 2, (double[]){12.5, 3.5, 3, 1200.25});
    nm_dataset_close(&set);
    open_table(&set, "12.5%,1\n3%,2\n1%,3\n", ""); /* no header */
    expect_values(&set, 3, 1, (double[]){12.5, 3, 1});
    nm_dataset_close(&set);
    open_table(&set, "share,y\n12.5%,1\n3%,2\n", "");
    ck_assert_str_eq(set.schema->column[0].name, "share");
    nm_dataset_close(&set);
    expect_refused(
        "a;y\n$1,200;1\n$3;2\n", "",
        ":2:1: \"$1,200\" has a comma that may stand before decimals or between thousands");
    nm_context_destroy(context);
}
END_TEST

START_TEST(marks_that_differ_are_refused_with_what_mends_it)
{
    nm_dataset set;
    begin(NULL);
    expect_refused(
        "share,y\n12.5%,1\n3,2\n1%,3\n", "",
        ":2:1: \"12.5%\" has the mark \"%\", but 1 number of column \"share\" has none, and "
        "nothing tells how they compare; write all in one way, leave the column out with "
        "`ignore`, or name it in `categories`");
    expect_refused(
        "a,y\n2,1%\n1,3\n3,3%\n", ", targets: values",
        ":2:3: \"1%\" has the mark \"%\", but 1 number of column \"y\" has none, and nothing "
        "tells how they compare; write all in one way");
    expect_refused(
        "a,y\n2,1\n1,3\n3,3\n", ", targets: values, categories: y",
        ": `categories` has column \"y\", which is a value to predict; leave it out there");
    expect_refused("price,y\n$5,1\n" EURO "3,2\n$4,3\n", "",
                   ":3:1: \"" EURO "3\" has another mark than \"$\", which other cells of column "
                   "\"price\" have");
    expect_refused("price,y\n$5,1\nfree,2\n$4,3\n$5,3\n", "",
                   ":3:1: \"free\" is not a number, as 3 other cells of column \"price\" are");
    open_table(&set, "price,y\n$5,1\nfree,2\n$5,3\n$5,3\n", ", categories: price");
    expect_values(&set, 4, 2, (double[]){1, 0, 0, 1, 1, 0, 1, 0});
    nm_dataset_close(&set);
    open_table(&set, "price,y\n$5,1\nfree,2\n$4,3\n", ", missing: zero, missing_texts: free");
    expect_unit(&set, 0, "$");
    nm_dataset_close(&set);
    open_table(&set, "price,y\n$5,1\n-,2\n$4,3\n", ", missing: zero");
    expect_unit(&set, 0, "$");
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(targets_with_a_mark_are_values_and_classes_only_if_that_is_said)
{
    nm_dataset set;
    begin(NULL);
    open_wanted(&set, NM_WANTED_VALUES, "a,y\n1,5%\n2,7.5%\n", "");
    expect_targets(&set, 1, (double[]){5, 7.5});
    ck_assert_str_eq(set.schema->target_column[0].unit, "%");
    nm_dataset_close(&set);
    open_table(&set, "a,y\n1,5%\n2,7.5%\n", ""); /* nobody says what is wanted */
    expect_targets(&set, 1, (double[]){5, 7.5});
    nm_dataset_close(&set);
    open_wanted(&set, NM_WANTED_LABELS, "a,y\n1,5%\n2,7%\n", "");
    assert_error(
        context, NM_ERROR_FORMAT,
        ":2:3: \"5%\" is a number with a mark; for names of classes say `targets: labels`");
    open_wanted(&set, NM_WANTED_LABELS, "a,y\n1,7%\n2,5%\n", ", targets: labels");
    expect_classes(&set, (int32_t[]){1, 0});
    ck_assert_str_eq(set.schema->class_names[0], "5%");
    nm_dataset_close(&set);
    open_wanted(&set, NM_WANTED_VALUES, "a,y\n1,5%\n2,7\n", "");
    assert_error(context, NM_ERROR_FORMAT,
                 "has the mark \"%\", but 1 number of column \"y\" has none");
    nm_context_destroy(context);
}
END_TEST

static void expect_unlike(const nm_schema *schema, const char *text, const char *part)
{
    nm_dataset set;
    ck_assert_int_ne(open_like(&set, schema, text, ""), NM_OK);
    assert_error(context, NM_ERROR_FORMAT, part);
}

START_TEST(marks_are_saved_with_the_network)
{
    nm_diagnostics d;
    begin(NULL);
    nm_text text = {.context = context};
    nm_schema *schema = schema_of(NM_WANTED_VALUES, "a,b,y\n5%,1,$3\n7%,2,$4\n", "");
    nm_schema_write(schema, &text);
    nm_schema_destroy(schema);
    char *saved = nm_text_end(&text);
    nm_document *document = nm_document_parse(context, saved, SIZE_MAX, "saved");
    assert_fine(context);
    const nm_value *root = nm_document_root(document);
    nm_diagnostics_begin(&d, context);
    schema = nm_schema_read(context, nm_value_get(root, "sample"), nm_value_get(root, "target"),
                            document, &d);
    nm_diagnostics_end(&d);
    assert_fine(context);
    nm_document_destroy(document);
    ck_assert_str_eq(schema->column[0].unit, "%");
    ck_assert_ptr_null(schema->column[1].unit);
    ck_assert_str_eq(schema->target_column[0].unit, "$");
    nm_schema_destroy(schema);
    nm_free(context, saved);
    nm_context_destroy(context);
}
END_TEST

START_TEST(other_tables_of_a_network_must_have_its_marks)
{
    nm_dataset set;
    begin(NULL);
    nm_schema *schema = schema_of(NM_WANTED_VALUES, "a,b,y\n5%,1,$3\n7%,2,$4\n", "");
    open_like(&set, schema, "b,a,y\n1,5 %,$3\n2,12%,$7\n", "");
    expect_values(&set, 2, 2, (double[]){5, 1, 12, 2});
    expect_targets(&set, 1, (double[]){3, 7});
    nm_dataset_close(&set);
    expect_unlike(schema, "a,b\n5,1\n",
                  ":2:1: \"5\" is not a number with \"%\", as column \"a\" has them");
    expect_unlike(schema, "a,b\n$5,1\n", ":2:1: \"$5\" is not a number with \"%\"");
    expect_unlike(schema, "a,b\n5%,$1\n",
                  ":2:4: \"$1\" is not a plain number, as column \"b\" has them");
    expect_unlike(schema, "a,b,y\n5%,1,3\n", ":2:6: \"3\" is not a number with \"$\"");
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/csv_units", numbers_with_a_mark_are_what_is_written,
          what_only_looks_like_a_mark_is_text,
          marks_do_not_hide_decimal_commas_separators_or_headers,
          marks_that_differ_are_refused_with_what_mends_it,
          targets_with_a_mark_are_values_and_classes_only_if_that_is_said,
          marks_are_saved_with_the_network, other_tables_of_a_network_must_have_its_marks)
