/* CSV files: tables for a network that is there already, and missing cells. */
#include <math.h>

#include "tests/optim/data/csv/tables.h"

#define TRAINED                                                                                    \
    "a,kind,when,is,y\n1,x,2/1/2020,yes,setosa\n3,z,31/1/2020,no,virginica\n2,x,2/1/"              \
    "2020,yes,setosa\n4,z,31/1/2020,no,virginica\n"

/* a, x, z, when, is */
static const double first_row[] = {1, 1, 0, 18263, 1};

static nm_schema *trained(void)
{
    return schema_of(NM_WANTED_LABELS, TRAINED, "");
}

/* ---- By name ---- */

START_TEST(columns_are_found_by_name_in_any_order)
{
    nm_dataset set;
    begin(NULL);
    nm_schema *schema = trained();
    open_like(&set, schema, "y,is,a,kind,when\nvirginica,yes,1,x,2/1/2020\n", "");
    expect_values(&set, 1, 5, first_row);
    expect_classes(&set, (int32_t[]){1});
    ck_assert_int_eq(set.classes, 2);
    nm_dataset_close(&set);
    open_like(&set, schema, "when;kind;is;a\n2020-01-02;x;1;1,0\n", ""); /* of another form */
    expect_values(&set, 1, 5, first_row);
    ck_assert_ptr_null(set.targets);
    nm_dataset_close(&set);
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

START_TEST(columns_that_the_network_does_not_have_are_told_and_left_out)
{
    nm_dataset set;
    begin_telling();
    nm_schema *schema = trained();
    told[0] = 0;
    open_like(&set, schema, "b,when,kind,is,a,b,note\n7,2/1/2020,x,yes,1,8,hello\n", "");
    expect_values(&set, 1, 5, first_row);
    assert_told("t.csv: 3 columns are left out, which the network does not have");
    nm_dataset_close(&set);
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_comment_names_the_columns_only_where_it_knows_more_of_them_than_the_first_row)
{
    nm_dataset set;
    begin(NULL);
    nm_schema *schema = schema_of(NM_WANTED_VALUES, "a,b,y\n1,2,3\n4,6,6\n", "");
    static const char *const texts[] = {"# b,y,a\n2,3,1\n", "# of a,b,y\na,b,y\n1,2,3\n",
                                        "# a,b,y\nb,y,a\n2,3,1\n", "# x,b,y\ny,a,b\n3,1,2\n"};
    for (int i = 0; i < NM_COUNT_OF(texts); i++) {
        ck_assert_int_eq(open_like(&set, schema, texts[i], ""), NM_OK);
        expect_values(&set, 1, 2, (double[]){1, 2});
        nm_dataset_close(&set);
    }
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

static void expect_unlike(const nm_schema *schema, const char *text, const char *more,
                          const char *part)
{
    nm_dataset set;
    nm_status status = open_like(&set, schema, text, more);
    ck_assert_int_ne(status, NM_OK);
    assert_error(context, status, part);
}

START_TEST(a_column_that_is_missing_is_named)
{
    begin(NULL);
    nm_schema *schema = trained();
    expect_unlike(
        schema, "a,is,y\n1,yes,setosa\n", "",
        "t.csv: no column \"kind\", on which the network was trained (2 of its 4 columns are "
        "missing); it has a, is, y");
    expect_unlike(schema, "a,Kind,when,is,y\n1,x,2/1/2020,yes,setosa\n", "",
                  "are missing); \"Kind\" is there: names are told apart by their letters' case");
    expect_unlike(schema, "a,is,y,b,c,d,e,f,g\n1,yes,setosa,1,2,3,4,5,6\n", "",
                  "it has a, is, y, b, c, d, e, f, ...");
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_name_that_has_become_two_columns_is_refused)
{
    nm_dataset set;
    begin(NULL);
    nm_schema *schema = schema_of(NM_WANTED_VALUES, "a,b,y\n1,2,3\n4,6,6\n", "");
    expect_unlike(
        schema, "a,a,b\n1,7,2\n", "",
        "t.csv: two columns are called \"a\", but the network was trained on a table with "
        "one; take the other out, or rename it");
    nm_schema_destroy(schema);
    schema = schema_of(NM_WANTED_VALUES, "a,a,b,y\n1,8,2,3\n4,9,6,6\n", ", ignore: [1]");
    ck_assert_int_eq(open_like(&set, schema, "a,a,b\n1,7,2\n", ""), NM_OK);
    nm_dataset_close(&set);
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

START_TEST(cells_must_be_what_the_column_was)
{
    begin(NULL);
    nm_schema *schema = trained();
    const char *head = "a,kind,when,is\n";
    static const char *const rows[][2] = {
        {"b,x,2/1/2020,yes", ":2:1: \"b\" is not a number, as column \"a\" has them"},
        {"1,y,2/1/2020,yes",
         ":2:3: \"y\" is no category of column \"kind\": x, z; for a network trained with a rule"},
        {"1,x,soon,yes", ":2:5: \"soon\" is not a date, as column \"when\" has them"},
        {"1,x,2/1/2020,maybe", ":2:14: \"maybe\" is not true or false, as column \"is\" has them"},
        {"1,x,2/1/2020,2", ":2:14: \"2\" is not true or false"},
        {"1,,2/1/2020,yes",
         ":2:3: the cell is empty (column \"kind\"), and the network was trained "
         "without a rule for that; fill it in, or train with `missing: mean`"},
        {"NA,x,2/1/2020,yes", ":2:1: \"NA\" counts as missing (column \"a\")"},
        {"inf,x,2/1/2020,yes", ":2:1: \"inf\" is not a finite number of f32"},
    };
    for (int i = 0; i < NM_COUNT_OF(rows); i++) {
        char text[256];
        snprintf(text, sizeof text, "%s%s\n", head, rows[i][0]);
        expect_unlike(schema, text, "", rows[i][1]);
    }
    nm_schema *iso = schema_of(NM_WANTED_VALUES, "when,y\n2020-01-02,1\n", "");
    expect_unlike(iso, "when,y\n1/2/2020,1\n", "",
                  ":2:1: \"1/2/2020\" may begin with the day or the month; write it as 2020-01-31");
    expect_unlike(iso, "when,y\nsoon,1\n", "", ":2:1: \"soon\" is not a date, as column");
    nm_schema_destroy(iso);
    expect_unlike(schema, "a,kind,when,is,y\n1,x,2/1/2020,yes,versicolor\n", "",
                  ":2:18: \"versicolor\" is no class of column \"y\": setosa, virginica");
    nm_schema_destroy(schema);
    nm_schema *many = schema_of(
        NM_WANTED_VALUES,
        "kind,y\na,1\na,2\nb,1\nb,2\nc,1\nc,2\nd,1\nd,2\ne,1\ne,2\nf,1\nf,2\ng,1\ng,2\n", "");
    expect_unlike(many, "kind,y\nh,1\n", "", "\"kind\": a, b, c, d, e, f, ...; for a network");
    nm_schema_destroy(many);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_target_is_not_needed)
{
    nm_dataset set;
    begin(NULL);
    nm_schema *schema = trained();
    static const char *const texts[] = {"a,kind,when,is,y\n1,x,2/1/2020,yes,\n",
                                        "a,kind,when,is,y\n1,x,2/1/2020,yes,?\n",
                                        "a,kind,when,is\n1,x,2/1/2020,yes\n"};
    for (int i = 0; i < NM_COUNT_OF(texts); i++) {
        open_like(&set, schema, texts[i], "");
        expect_values(&set, 1, 5, first_row);
        ck_assert_ptr_null(set.targets);
        nm_dataset_close(&set);
    }
    open_like(&set, schema, TRAINED, ", target: none");
    assert_fine(context);
    ck_assert_ptr_null(set.targets);
    nm_dataset_close(&set);
    const char *unknown = "a,kind,when,is,y\n1,x,2/1/2020,yes,versicolor\n";
    open_bytes(&set, &(nm_reading){.schema = schema, .wanted = NM_WANTED_NONE}, unknown,
               strlen(unknown), ""); /* a prediction does not look at it */
    expect_values(&set, 1, 5, first_row);
    ck_assert_ptr_null(set.targets);
    nm_dataset_close(&set);
    expect_unlike(schema, "a,kind,when,is,y\n1,x,2/1/2020,yes,\n1,x,2/1/2020,yes,setosa\n", "",
                  ":2:18: the cell is empty, and it is the target; remove the line, or say");
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_second_of_two_columns_of_one_name_is_found_at_its_place)
{
    nm_dataset set;
    begin(NULL);
    nm_schema *schema = schema_of(NM_WANTED_LABELS, "a,b,a,y\n1,2,3,0\n4,5,6,1\n", ", ignore: 0");
    open_like(&set, schema, "a,b,a,y\n7,8,9,0\n", "");
    expect_values(&set, 1, 2, (double[]){8, 9});
    nm_dataset_close(&set);
    expect_unlike(schema, "a,a,b,y\n7,8,9,0\n", "", "no column \"a\"");
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

START_TEST(ids_are_carried_over_to_predictions)
{
    nm_dataset set;
    begin(NULL);
    nm_schema *schema =
        schema_of(NM_WANTED_LABELS, "id,a,user_id,y\n7,1,u1,0\n9,2,u2,1\n8,2,u3,1\n", "");
    const nm_reading reading = {.schema = schema, .wanted = NM_WANTED_NONE};
    const char *text = "user_id,y,b,a,id\n\"x \"\"1\"\"\",0,5,2,071\n,0,1,3,7\n";
    open_bytes(&set, &reading, text, strlen(text), "");
    expect_values(&set, 2, 1, (double[]){2, 3});
    ck_assert_int_eq(set.id_columns, 2);
    static const char *const expected[] = {"071", "x \"1\"", "7", ""};
    for (int i = 0; i < 4; i++) {
        ck_assert_str_eq(set.id_texts[i], expected[i]);
    }
    ck_assert_str_eq(set.id_names[0], "id");
    ck_assert_str_eq(set.id_names[1], "user_id");
    nm_dataset_close(&set);
    open_bytes(&set, &reading, "a\n3\n", 4, ""); /* none are needed */
    expect_values(&set, 1, 1, (double[]){3});
    ck_assert_int_eq(set.id_columns, 0);
    nm_dataset_close(&set);
    open_like(&set, schema, text, ""); /* not where targets are wanted */
    ck_assert_int_eq(set.id_columns, 0);
    expect_classes(&set, (int32_t[]){0, 0});
    nm_dataset_close(&set);
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

/* As only a file that was made to harm has it. */
START_TEST(a_network_that_has_something_twice_is_refused)
{
    begin(NULL);
    nm_schema *schema = schema_of(NM_WANTED_LABELS, "a,k,y\n1,x,0\n2,z,1\n1,z,1\n", "");
    nm_column columns[2] = {schema->column[0], schema->column[1]};
    schema->column = columns;
    columns[1].categories = (const char *const[]){"x", "x"};
    expect_unlike(schema, "a,k\n1,x\n", "",
                  "the network has its column \"k\", or one of its categories");
    columns[1] = columns[0];
    expect_unlike(schema, "a,k\n1,x\n", "",
                  "the network has its column \"a\", or one of its categories");
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

/* ---- By place ---- */

/* An id, two numbers, and the target between them. */
#define NAMELESS "9,1,0,2\n7,3,1,4\n8,5,1,6\n"

START_TEST(without_names_columns_are_found_by_their_place)
{
    nm_dataset set;
    begin(NULL);
    nm_schema *schema = schema_of(NM_WANTED_LABELS, NAMELESS, ", target: 2, ignore: 0");
    open_like(&set, schema, NAMELESS, ""); /* all columns */
    expect_values(&set, 3, 2, (double[]){1, 2, 3, 4, 5, 6});
    expect_classes(&set, (int32_t[]){0, 1, 1});
    nm_dataset_close(&set);
    open_like(&set, schema, "1,2\n3,4\n", ""); /* the sample's alone */
    expect_values(&set, 2, 2, (double[]){1, 2, 3, 4});
    ck_assert_ptr_null(set.targets);
    nm_dataset_close(&set);
    open_like(&set, schema, "9,1,2\n", ", ignore: 0"); /* ... as it is told */
    expect_values(&set, 1, 2, (double[]){1, 2});
    nm_dataset_close(&set);
    open_like(&set, schema, "1,1,2\n", ", target: 0");
    expect_values(&set, 1, 2, (double[]){1, 2});
    expect_classes(&set, (int32_t[]){1});
    nm_dataset_close(&set);
    /* Without the target, or without the id? */
    expect_unlike(schema, "9,1,2\n", "",
                  "3 columns of the 4 that were trained on, and nothing says which");
    expect_unlike(schema, "9\n", "",
                  "1 columns, but the network was trained on 2 of 4; without names");
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

START_TEST(one_side_with_names_alone_is_matched_by_place_and_told)
{
    nm_dataset set;
    begin_telling();
    nm_schema *schema = schema_of(NM_WANTED_LABELS, "a,b,y\n1,2,0\n3,4,1\n", "");
    told[0] = 0;
    open_like(&set, schema, "5,6\n", "");
    expect_values(&set, 1, 2, (double[]){5, 6});
    assert_told(
        "it has no names that the network knows; its columns are taken in the order of those");
    nm_dataset_close(&set);
    nm_schema_destroy(schema);
    schema = schema_of(NM_WANTED_LABELS, "1,2,0\n3,4,1\n", "");
    open_like(&set, schema, "a,b,y\n5,6,1\n7,8,1\n", "");
    expect_values(&set, 2, 2, (double[]){5, 6, 7, 8});
    expect_classes(&set, (int32_t[]){1, 1});
    nm_dataset_close(&set);
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_network_of_an_array_takes_as_many_columns_as_it_has_elements)
{
    nm_dataset set;
    begin(NULL);
    nm_schema *schema = nm_schema_create(context);
    schema->shape = NM_SHAPE(2, 2, 1);
    schema->classes = 3;
    open_like(&set, schema, "1,2,3,4\n5,6,7,8\n", "");
    expect_values(&set, 2, 4, (double[]){1, 2, 3, 4, 5, 6, 7, 8});
    ck_assert(nm_shape_equal(&set.shape, &NM_SHAPE(2, 2, 1)));
    ck_assert_ptr_null(set.targets);
    nm_dataset_close(&set);
    open_like(&set, schema, "label,a,b,c,d\n2,1,2,3,4\n1,5,6,7,8\n", "");
    expect_values(&set, 2, 4, (double[]){1, 2, 3, 4, 5, 6, 7, 8});
    expect_classes(&set, (int32_t[]){2, 1});
    ck_assert_int_eq(set.classes, 3);
    nm_dataset_close(&set);
    schema->bytes = true;
    open_like(&set, schema, "1,2,3,255\n", "");
    ck_assert_int_eq(set.dtype, NM_U8);
    ck_assert_mem_eq(set.samples, ((const uint8_t[]){1, 2, 3, 255}), 4);
    nm_dataset_close(&set);
    expect_unlike(schema, "1,2,3\n", "",
                  "t.csv: 3 columns, but a sample has 4 elements; there must be");
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

/* ---- Classes and values ---- */

START_TEST(classes_keep_the_numbers_that_they_were_trained_with)
{
    nm_dataset set;
    begin(NULL);
    nm_schema *schema = schema_of(NM_WANTED_LABELS, "1,3\n2,10\n4,3\n", ""); /* called by numbers */
    schema->class_names = (const char *const[]){"3", "10"};
    schema->classes = 2;
    open_like(&set, schema, "5,10\n6,3.0\n", "");
    expect_classes(&set, (int32_t[]){1, 0});
    nm_dataset_close(&set);
    expect_unlike(schema, "5,4\n", "", ":1:3: \"4\" is no class of column 1: 3, 10");
    schema->class_names = (const char *const[]){"virginica", "setosa"};
    /* A file that begins with names numbers them in its own way. */
    open_like(&set, schema, "3,1,setosa,virginica\n1,0\n3,1\n5,0\n", "");
    expect_classes(&set, (int32_t[]){1, 0, 1});
    nm_dataset_close(&set);
    expect_unlike(schema, "3,1,setosa,other\n1,0\n3,1\n5,0\n", "",
                  "its class \"other\" is none of those");
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

START_TEST(values_are_matched_by_name_too)
{
    nm_dataset set;
    char more[512];
    begin(NULL);
    nm_schema *schema = schema_of(NM_WANTED_VALUES, "a,p,q\n1,2,3\n4,5,6\n", ", target: [q, p]");
    open_like(&set, schema, "q,a,p\n7,8,9\n", "");
    expect_values(&set, 1, 1, (double[]){8});
    expect_targets(&set, 2, (double[]){7, 9});
    nm_dataset_close(&set);
    snprintf(more, sizeof more, ", target_path: %s", write_file("y.csv", "p,q\n9,7\n", 8));
    open_like(&set, schema, "a\n8\n", more);
    expect_values(&set, 1, 1, (double[]){8});
    expect_targets(&set, 2, (double[]){7, 9});
    nm_dataset_close(&set);
    expect_unlike(schema, "q,a,p\n7,8,9\n", ", targets: labels, target: p",
                  "the targets are class labels, but the network was trained on values");
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

/* ---- Missing cells ---- */

START_TEST(missing_cells_are_refused_with_the_remedy)
{
    begin(NULL);
    expect_refused("a,b,y\n1,,0\n?,2,1\n3,NA,0\n", "",
                   ":2:3: the cell is empty (column \"b\", 2 of 3 rows); say how to fill it, "
                   "`missing: mean`, median or zero, or leave the column out with `ignore`");
    expect_refused("a,b,y\n1,3,0\nN/A,2,1\n", "",
                   ":3:1: \"N/A\" counts as missing (column \"a\", 1 of 2");
    expect_refused("a,y\n1,0\n-,1\n", "", ":3:1: \"-\" counts as missing");
    expect_refused("a,y\n1,5\n2,\n", ", missing: zero, targets: values",
                   ":3:3: the cell is empty; a");
    expect_refused("a,y\n1,5\n2,-\n", ", missing: zero, targets: values", ":3:3: \"-\" counts as");
    expect_refused("a,y\n1,5\n2,-\n", ", missing: zero, targets: labels", ":3:3: \"-\" counts as");
    expect_refused("a,y\n1,x\n2,\n", ", missing: mean",
                   ":3:3: the cell is empty; a sample to learn from");
    nm_context_destroy(context);
}
END_TEST

START_TEST(missing_cells_are_filled_by_a_rule)
{
    const char *text = "a,b,y\n1,.5,0\n?,null,1\n3,NaN,0\n8,.,0\n";
    begin(NULL);
    expect_table(text, ", missing: mean", 4, 2, (double[]){1, .5, 4, .5, 3, .5, 8, .5});
    expect_table(text, ", missing: median", 4, 2, (double[]){1, .5, 3, .5, 3, .5, 8, .5});
    expect_table(text, ", missing: zero", 4, 2, (double[]){1, .5, 0, 0, 3, 0, 8, 0});
    expect_table("a,y\n-200,0\n1,1\n3,0\n", ", missing: mean, missing_texts: ['-200', x]", 3, 1,
                 (double[]){2, 1, 3});
    expect_table("a,y\n1,0\n2,0\n?,0\n4,0\n10,0\n", ", missing: median", 5, 1,
                 (double[]){1, 2, 3, 4, 10});
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_missing_text_is_none_of_the_categories_and_a_dash_is_one)
{
    begin(NULL);
    expect_table("kind,y\nx,0\n,1\nz,0\nx,1\n", ", missing: mean", 4, 2,
                 (double[]){1, 0, 0, 0, 0, 1, 1, 0});
    expect_table("kind,y\nx,0\n-,1\n-,0\nx,1\n", "", 4, 2, (double[]){0, 1, 1, 0, 1, 0, 0, 1});
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_was_filled_in_training_is_filled_in_the_same_way_later)
{
    nm_dataset set;
    begin_telling();
    nm_schema *schema = schema_of(
        NM_WANTED_LABELS, "a,b,kind,y\n1,2,x,0\n,4,z,1\n5,6,x,0\n5,6,z,0\n", ", missing: mean");
    ck_assert(schema->column[1].fill == 4.5);
    open_like(&set, schema, "a,b,kind,y\n,,,1\n", "");
    expect_values(&set, 1, 4, (double[]){11.0 / 3, 4.5, 0, 0});
    nm_dataset_close(&set);
    told[0] = 0;
    open_like(&set, schema, "a,b,kind,y\n1,1,new,1\n1,1,newer,1\n", ""); /* so is a new category */
    expect_values(&set, 2, 4, (double[]){1, 1, 0, 0, 1, 1, 0, 0});
    assert_told("warning: ");
    assert_told(
        ":2: \"new\" is none of the categories that were trained on, and counts as missing (2 "
        "such cells)");
    nm_dataset_close(&set);
    nm_schema_destroy(schema);
    nm_context_destroy(context);
}
END_TEST

/* ---- Memory ---- */

static nm_status train_and_match(test_memory *memory)
{
    nm_dataset set, other;
    begin(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    char yaml[512];
    const nm_reading reading = {.wanted = NM_WANTED_LABELS};
    snprintf(yaml, sizeof yaml,
             "csv: {path: %s, missing: median, target_path: %s, categories: [1]}",
             test_path("x.csv"), test_path("y.csv"));
    if (open_reading(&set, &reading, yaml) == NM_OK) {
        set.schema->shape = set.shape;
        set.schema->classes = set.classes;
        open_reading(&other, &(nm_reading){.schema = set.schema, .wanted = NM_WANTED_NONE}, yaml);
        nm_dataset_close(&other);
        open_reading(&other, &(nm_reading){.schema = set.schema}, yaml);
        nm_dataset_close(&other);
        nm_dataset_close(&set);
    }
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    const char *x = "id,k\xe4se,when,n\n7,1.5,1.2.2020,\n8,2,13.2.2020,1.5\n", *y = "kind\nx\nz\n";
    write_file("x.csv", x, strlen(x));
    write_file("y.csv", y, strlen(y));
    test_every_allocation(train_and_match);
}
END_TEST

TEST_MAIN("optim/csv_match", columns_are_found_by_name_in_any_order,
          columns_that_the_network_does_not_have_are_told_and_left_out,
          a_comment_names_the_columns_only_where_it_knows_more_of_them_than_the_first_row,
          a_column_that_is_missing_is_named, a_name_that_has_become_two_columns_is_refused,
          cells_must_be_what_the_column_was, a_target_is_not_needed,
          a_network_that_has_something_twice_is_refused, ids_are_carried_over_to_predictions,
          the_second_of_two_columns_of_one_name_is_found_at_its_place,
          without_names_columns_are_found_by_their_place,
          one_side_with_names_alone_is_matched_by_place_and_told,
          a_network_of_an_array_takes_as_many_columns_as_it_has_elements,
          classes_keep_the_numbers_that_they_were_trained_with, values_are_matched_by_name_too,
          missing_cells_are_refused_with_the_remedy, missing_cells_are_filled_by_a_rule,
          a_missing_text_is_none_of_the_categories_and_a_dash_is_one,
          what_was_filled_in_training_is_filled_in_the_same_way_later,
          every_failing_allocation_is_reported_and_leaks_nothing)
