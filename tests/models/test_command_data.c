/* norma check: what it tells of the data. */
#include "tests/models/command_helpers.h"

/* The lines of `norma check` up to the first blank one, for a table of the test's folder. */
static const char *table_of(const char *options, const char *loss, int outputs)
{
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "model: [dense: {units: %d}]\ndata: {train: {csv: {path: t.csv%s}}}\nloss: %s\n"
             "train: {epochs: 1}\n",
             outputs, options, loss);
    test_write_file(test_path("net.yaml"), yaml, strlen(yaml));
    const ended *e = norma("check", "net.yaml");
    ck_assert_msg(e->code == 0, "%s", e->err);
    static char table[MAX_TEXT];
    snprintf(table, sizeof table, "%s", e->out);
    char *end = strstr(table, "\n\n");
    ck_assert_ptr_nonnull(end);
    end[1] = 0;
    return table;
}

static void write_table(const char *text)
{
    test_write_file(test_path("t.csv"), text, strlen(text));
}

START_TEST(check_tells_what_each_column_is_and_what_the_network_gets)
{
    write_table("id,gr\xc3\xb6\xc3\x9f"
                "e,day,on,kind,none,y\n"
                "71,1,1.2.2020,yes,a,,setosa\n"
                "52,,3.2.2020,no,b,,virginica\n"
                "90,3,5.2.2020,yes,a,,setosa\n"
                "17,5,7.2.2020,no,b,,setosa\n");
    ck_assert_str_eq(
        table_of(", missing: mean, ignore: none", "cross_entropy", 2),
        "column  what it is                                what the network gets\n"
        "gr\xc3\xb6\xc3\x9f"
        "e   a number                                  less 3, divided by 1.41421; missing: 3\n"
        "day     a date: days since 1970, day first        less 18296, divided by 2.23607; "
        "missing: 18296\n"
        "on      true or false: 1 or 0                     as it is; missing: 0.5\n"
        "kind    2 texts: a, b                             an element each, 1 or 0; missing: none\n"
        "id      not used                                  an id: all rows differ\n"
        "none    not used                                  it is not chosen\n"
        "y       target: 2 classes                         setosa, virginica\n");
}
END_TEST

START_TEST(check_tells_values_by_their_names_and_columns_by_their_places)
{
    write_table("1,10,0.5\n2,20,1.5\n");
    ck_assert_str_eq(
        table_of(", target: [2, 1]", "mse", 2),
        "column    what it is                                what the network gets\n"
        "column 0  a number                                  less 1.5, divided by 0.5\n"
        "column 2  target: a number                          less 1, divided by 0.5\n"
        "column 1  target: a number                          less 15, divided by 5\n");
}
END_TEST

START_TEST(check_shortens_a_wide_table)
{
    static char text[16384];
    size_t length = 0;
    for (int row = 0; row < 3; row++) {
        for (int i = 0; i < 60; i++) {
            length += (size_t)snprintf(text + length, sizeof text - length, row ? "%d," : "p%d,",
                                       row ? row * i : i);
        }
        length += (size_t)snprintf(text + length, sizeof text - length, row ? "%d\n" : "y\n", row);
    }
    write_table(text);
    const char *table = table_of("", "mse", 1);
    ck_assert_ptr_nonnull(strstr(table, "p23 "));
    ck_assert_ptr_nonnull(strstr(table, "... and 30 more ...\np54 "));
    ck_assert_ptr_null(strstr(table, "p24 "));
    ck_assert_ptr_nonnull(strstr(table, "\ny       target"));
}
END_TEST

START_TEST(check_tells_of_samples_that_are_no_table)
{
    static const char yaml[] = "model: [dense: {units: 2}]\ndata: {train: spirals}\n"
                               "loss: cross_entropy\ntrain: {epochs: 1}\n";
    test_write_file(test_path("net.yaml"), yaml, strlen(yaml));
    const ended *e = norma("check", "net.yaml");
    assert_says(e->out, "\nsample  [2]                                       as it is\n"
                        "target  target: 2 classes ");
}
END_TEST

START_TEST(check_tells_the_same_as_json)
{
    static const char layers[] = "{\"layer\": \"dense1\", ";
    const char *last = "";
    write_table(
        "id,size,day,on,kind,none,y\n71,1,1.2.2020,yes,a,,setosa\n52,,3.2.2020,no,b,,virginica\n"
        "90,3,5.2.2020,yes,a,,setosa\n17,5,7.2.2020,no,b,,setosa\n");
    table_of(", missing: mean, ignore: none", "cross_entropy", 2);
    assert_code(norma("train", "net.yaml", "--out", "j", "--quiet"), 0);
    for (int i = 0; i < 2; i++) {
        const ended *e = norma("check", i ? "j" : "net.yaml", "--json");
        assert_code(e, 0);
        ck_assert_int_eq(json_lines(e->out, &last), 9);
        const size_t length = (size_t)(strstr(e->out, layers) - e->out);
        char columns[2048];
        snprintf(columns, sizeof columns, "%.*s", (int)length, e->out);
        ck_assert_str_eq(
            columns,
            "{\"column\": \"size\", \"place\": 1, \"use\": \"input\", \"kind\": \"number\", "
            "\"mean\": 3, \"deviation\": 1.4142135623730951, \"fills_missing\": true, \"missing\": "
            "3}\n"
            "{\"column\": \"day\", \"place\": 2, \"use\": \"input\", \"kind\": \"date\", "
            "\"order\": "
            "\"day_first\", \"mean\": 18296, \"deviation\": 2.23606797749979, \"fills_missing\": "
            "true, \"missing\": 18296}\n"
            "{\"column\": \"on\", \"place\": 3, \"use\": \"input\", \"kind\": \"flag\", \"mean\": "
            "0, \"deviation\": 1, \"fills_missing\": true, \"missing\": 0.5}\n"
            "{\"column\": \"kind\", \"place\": 4, \"use\": \"input\", \"kind\": \"category\", "
            "\"categories\": [\"a\", \"b\"], \"fills_missing\": true}\n"
            "{\"column\": \"id\", \"place\": 0, \"use\": \"none\", \"why\": \"an id: all rows "
            "differ\", \"is_id\": true}\n"
            "{\"column\": \"none\", \"place\": 5, \"use\": \"none\", \"why\": \"it is not "
            "chosen\", "
            "\"is_id\": false}\n"
            "{\"column\": \"y\", \"place\": 6, \"use\": \"target\", \"kind\": \"class\", "
            "\"classes\": 2, \"names\": [\"setosa\", \"virginica\"]}\n");
    }
    write_text("net.yaml", "model: [dense: {units: 2}]\ndata: {train: spirals}\n"
                           "loss: cross_entropy\ntrain: {epochs: 1}\n");
    assert_says(
        norma("check", "net.yaml", "--json")->out,
        "{\"sample\": [2], \"bytes\": false, \"scale\": 1, \"mean\": [], \"deviation\": []}\n");
}
END_TEST

START_TEST(predictions_in_a_file_carry_ids_over)
{
    size_t size;
    write_table("id,a,y\nx1,-1,no\nx2,1,yes\nx3,-2,no\nx4,2,yes\n");
    table_of("", "cross_entropy", 2);
    assert_code(norma("train", "net.yaml", "--out", "run", "--quiet"), 0);
    write_text("new.csv", "a,id\n5,\"x, 5\"\n-5,x6\n");
    assert_code(norma("predict", "run", "new.csv", "--out", "p.csv", "--quiet"), 0);
    char *text = read_text(test_path("p.csv"), &size);
    assert_says(text, "sample,id,class,probability,no,yes\n0,\"x, 5\",");
    assert_says(text, "\n1,x6,");
    free(text);
    assert_code(norma("predict", "run", "new.csv", "--out", "large.CSV", "--quiet"), 0);
    text = read_text(test_path("large.CSV"), &size);
    assert_says(text, "sample,id,class,probability,no,yes\n0,\"x, 5\",");
    free(text);
    assert_code(norma("predict", "run", "new.csv", "--out", "p.json", "--quiet"), 0);
    text = read_text(test_path("p.json"), &size);
    assert_says(text, "{\"sample\": 0, \"ids\": {\"id\": \"x, 5\"}, \"class\": ");
    free(text);
}
END_TEST

/* The network was chosen by the loss, which was called R2. */
START_TEST(of_a_single_held_out_value_the_loss_is_told_as_loss)
{
    write_table("a,y\n1,2\n2,5\n");
    table_of("", "mse", 1);
    const char *json = norma("train", "net.yaml", "--out", "single", "--json", "--set",
                             "data.validation=0.5", "--set", "train.epochs=2")
                           ->out;
    assert_says(json, "\"chosen_by\": \"loss\"");
    const char *text = norma("train", "net.yaml", "--out", "single2", "--set",
                             "data.validation=0.5", "--set", "train.epochs=2")
                           ->out;
    assert_says(text, "best on the validation set: loss ");
    assert_says(text, "the best on the validation set, loss ");
}
END_TEST

/* What `norma check` and `norma train` tell of the table with these parts of its file. */
static void expect_doubt_of(int classes, const char *csv, const char *data, const char *loss,
                            const char *doubt)
{
    char yaml[1024];
    snprintf(yaml, sizeof yaml,
             "model: [dense: {units: %d}]\ndata: {train: {csv: {path: t.csv%s}}%s}\nloss: %s\n"
             "train: {epochs: 1}\n",
             classes, csv, data, loss);
    test_write_file(test_path("net.yaml"), yaml, strlen(yaml));
    const ended *e = norma("check", "net.yaml");
    ck_assert_msg(e->code == 0, "%s", e->err);
    ck_assert_msg(doubt ? strstr(e->err, doubt) != NULL : !*e->err, "%s", e->err);
    e = norma("train", "net.yaml", "--quiet");
    ck_assert_msg(e->code == 0, "%s", e->err);
    ck_assert_msg(!doubt || strstr(e->err, doubt) != NULL, "%s", e->err);
}

static void expect_doubt(const char *csv, const char *data, const char *loss, const char *doubt)
{
    expect_doubt_of(2, csv, data, loss, doubt);
}

START_TEST(numbers_that_a_text_makes_kinds_are_told_with_what_mends_it)
{
    write_table("a,b,y\n1,9,0\n2,8,1\nNone,3,0\n1,4,1\n2,5,0\nNone,7,1\n1,2,0\n2,1,1\n");
    expect_doubt("", "", "cross_entropy",
                 "norma: data: column \"a\" is taken for kinds, an input for each, since \"None\" "
                 "stands among its numbers; where that is a missing one, say missing_texts: "
                 "[\"None\"] and missing: mean; where kinds are meant, categories: [\"a\"]\n");
    expect_doubt(", missing_texts: [\"None\"], missing: mean", "", "cross_entropy", NULL);
    expect_doubt(", categories: [\"a\"]", "", "cross_entropy", NULL);
    write_table("a,b,y\nx,9,0\nz,8,1\n1,3,0\nx,4,1\nz,5,0\n1,7,1\n");
    expect_doubt("", "", "cross_entropy", NULL);
}
END_TEST

START_TEST(a_target_of_names_is_told)
{
    const char *rows = "a,b,name\n1,9,x0\n2,8,x1\n3,3,x2\n4,4,x3\n5,5,x4\n7,7,x5\n8,2,x6\n9,1,x7\n"
                       "3,5,x8\n";
    char more[256];
    write_table(rows); /* few: they may be classes */
    expect_doubt_of(9, ", target: name", "", "cross_entropy", NULL);
    snprintf(more, sizeof more, "%s2,6,x9\n", rows);
    write_table(more);
    expect_doubt_of(
        10, ", target: name", "", "cross_entropy",
        "norma: data: each row has a class of its own in the target, column \"name\", so "
        "there is nothing to learn; name another one: csv: {target: NAME}\n");
    snprintf(more, sizeof more, "%s2,6,x1\n", rows);
    write_table(more);
    expect_doubt_of(9, ", target: name", "", "cross_entropy", NULL);
}
END_TEST

START_TEST(a_test_set_that_is_the_training_set_is_told)
{
    const char *rows = "a,b,y\n1,9,0\n2,8,1\n3,3,0\n4,4,1\n5,5,0\n7,7,1\n8,2,0\n9,1,1\n";
    const char *doubt = "norma: data: the test set is the training set once more";
    write_table(rows);
    test_write_file(test_path("copy.csv"), rows, strlen(rows));
    test_write_file(test_path("other.csv"), rows, strlen(rows) - 6);
    expect_doubt("", ", test: {csv: {path: t.csv}}", "cross_entropy", doubt);
    expect_doubt("", ", test: {csv: {path: copy.csv}}", "cross_entropy", doubt);
    expect_doubt("", ", validation: 0.25, test: {csv: {path: copy.csv}}", "cross_entropy", doubt);
    expect_doubt("", ", test: {csv: {path: other.csv}}", "cross_entropy", NULL);
    expect_doubt("", ", test_share: 0.25", "cross_entropy", NULL);
}
END_TEST

START_TEST(rare_classes_that_count_for_more_twice_are_told)
{
    write_table("a,b,y\n1,9,0\n2,8,1\n3,3,0\n4,4,0\n5,5,0\n7,7,1\n8,2,0\n9,1,0\n");
    expect_doubt("", ", balance: true", "{cross_entropy: {weight: balanced}}",
                 "norma: data: balance draws each class equally often, and the loss's weight: "
                 "balanced makes the rare ones count for more once again");
    expect_doubt("", ", balance: true", "{cross_entropy: {weight: [1, 2]}}", NULL);
    expect_doubt("", "", "{cross_entropy: {weight: balanced}}", NULL);
}
END_TEST

START_TEST(a_name_cannot_move_the_cursor)
{
    write_table("\x1b[2J,y\n1,0\n2,1\n");
    ck_assert_ptr_nonnull(strstr(table_of("", "cross_entropy", 2), "\n\\x1b[2J  a number"));
}
END_TEST

TEST_MAIN("models/command_data", check_tells_what_each_column_is_and_what_the_network_gets,
          check_tells_values_by_their_names_and_columns_by_their_places,
          check_shortens_a_wide_table, check_tells_of_samples_that_are_no_table,
          check_tells_the_same_as_json, predictions_in_a_file_carry_ids_over,
          of_a_single_held_out_value_the_loss_is_told_as_loss,
          numbers_that_a_text_makes_kinds_are_told_with_what_mends_it, a_target_of_names_is_told,
          a_test_set_that_is_the_training_set_is_told,
          rare_classes_that_count_for_more_twice_are_told, a_name_cannot_move_the_cursor)
