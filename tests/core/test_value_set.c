/* --set key=value. */
#include "tests/core/value_test.h"

/* ---- --set ---- */

static void set(const char *assignment)
{
    ck_assert_int_eq(nm_document_set(document, assignment), NM_OK);
    assert_fine(context);
}

static void refuse_set(const char *assignment, const char *message)
{
    const nm_value *root = nm_document_root(document);
    ck_assert_int_eq(nm_document_set(document, assignment), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, message);
    ck_assert_ptr_eq(nm_document_root(document), root);
}

static const char *network = "model:\n"
                             "  - dense: {units: 8}\n"
                             "  - relu\n"
                             "  - batch_norm:\n"
                             "train:\n"
                             "  epochs: 10\n"
                             "  optimizer: sgd\n";

START_TEST(set_replaces_adds_and_descends)
{
    parse(network);
    set("train.epochs=3");
    set("train.seed=7");
    set("model.0.dense.units=16");
    set("data.path=/a=b");
    set("model.2.batch_norm.eps=1e-3"); /* in place of a null */
    const nm_value *root = nm_document_root(document), *train = nm_value_get(root, "train");
    ck_assert_str_eq(text_at(train, "epochs"), "3");
    ck_assert_str_eq(text_at(train, "seed"), "7");
    ck_assert_str_eq(text_at(train, "optimizer"), "sgd");
    ck_assert_str_eq(text_at(nm_value_get(root, "data"), "path"), "/a=b");
    const nm_value *model = nm_value_get(root, "model");
    ck_assert_str_eq(text_at(nm_value_get(model->items[0], "dense"), "units"), "16");
    ck_assert_str_eq(text_at(nm_value_get(model->items[2], "batch_norm"), "eps"), "1e-3");
    ck_assert_str_eq(model->items[1]->text, "relu");
    ck_assert_int_eq(root->count, 3);
    done();
}
END_TEST

START_TEST(set_takes_any_yaml_value)
{
    parse("");
    set("a={b: [1, 2]}");
    set("c='3'");
    set("d=");
    set("train.clip={norm: 1}");
    set("in=-"); /* standard input, where a path is wanted: no list of nothing */
    const nm_value *root = nm_document_root(document);
    ck_assert_str_eq(nm_value_get(root, "in")->text, "-");
    ck_assert_str_eq(nm_value_get(nm_value_get(root, "a"), "b")->items[1]->text, "2");
    ck_assert(nm_value_get(root, "c")->quoted);
    ck_assert(nm_value_is_null(nm_value_get(root, "d")));
    done();
}
END_TEST

START_TEST(values_set_have_their_place_in_the_assignment)
{
    parse(network);
    set("train.schedule.cosine={end: 0}");
    const nm_value *train = nm_value_get(nm_document_root(document), "train");
    const nm_value *schedule = nm_value_get(train, "schedule");
    const nm_value *cosine = nm_value_get(schedule, "cosine");
    ck_assert_str_eq(cosine->file, "--set");
    ck_assert_int_eq(cosine->line, 1);
    ck_assert_int_eq(cosine->column, 23);
    ck_assert_int_eq(nm_value_get(cosine, "end")->column, 29);
    ck_assert_int_eq(schedule->entries[0].key->column, 16);
    ck_assert_int_eq(train->entries[2].key->column, 7);
    ck_assert_str_eq(train->file, "net.yaml"); /* it was there before */
    set("x=");
    ck_assert_int_eq(nm_value_get(nm_document_root(document), "x")->column, 3);
    done();
}
END_TEST

START_TEST(set_leaves_old_values_and_what_aliases_share_alone)
{
    const nm_value *old = parse("a: &x {units: 8}\nb: *x\n");
    set("b.units=9");
    const nm_value *root = nm_document_root(document);
    ck_assert_str_eq(text_at(nm_value_get(root, "b"), "units"), "9");
    ck_assert_str_eq(text_at(nm_value_get(root, "a"), "units"), "8");
    ck_assert_str_eq(text_at(nm_value_get(old, "b"), "units"), "8");
    done();
    old = parse("a: [1, 2]");
    set("a.1=3");
    ck_assert_str_eq(nm_value_get(nm_document_root(document), "a")->items[1]->text, "3");
    ck_assert_str_eq(nm_value_get(old, "a")->items[1]->text, "2");
    done();
}
END_TEST

START_TEST(set_says_what_is_there_when_it_cannot_descend)
{
    parse(network);
    refuse_set("train.epochs.x=3",
               "--set:1:14: \"train.epochs\" is 10 (at net.yaml:6:11), so nothing "
               "can be set in it; set the whole of it: train.epochs={...}");
    refuse_set("model.7.dense.units=3",
               "--set:1:7: \"model\" is a list of 3, it has no item \"7\"; "
               "name one by its index: 0 (dense), 1 (relu), 2 (batch_norm)");
    refuse_set("model.dens.units=3", "2 (batch_norm); did you mean 0?");
    refuse_set("model.-1=3", "it has no item \"-1\"");
    refuse_set("model.99999999999999999999=3", "it has no item \"99999999999999999999\"");
    done();
    parse("a: []");
    refuse_set("a.0=1", "--set:1:3: \"a\" is an empty list");
    done();
    parse("text");
    refuse_set("a=1",
               "--set:1:1: the file is \"text\" (at net.yaml:1:1), so nothing can be set in it");
    done();
    parse("a: [0, {}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]");
    refuse_set("a.last=1", "0 (0), 1, 2 (0), 3 (0)");
    refuse_set("a.x=1", "23 (0), ...");
    done();
    parse("[a, b]");
    refuse_set("x=1", "--set:1:1: the file is a list of 2");
    set("1=c");
    ck_assert_str_eq(nm_document_root(document)->items[1]->text, "c");
    done();
}
END_TEST

START_TEST(an_ill_formed_assignment_is_an_error)
{
    parse(network);
    refuse_set("train.epochs", "--set:1:1: train.epochs: expected PATH=VALUE, such as "
                               "train.epochs=3");
    refuse_set("=3", "--set:1:1: an empty name in the path");
    refuse_set("train..epochs=3", "--set:1:7: an empty name in the path");
    refuse_set("train.=3", "--set:1:7: an empty name in the path");
    refuse_set("a=[1", "--set:1:5: in the list that begins at 1:3: expected \",\" or \"]\"");
    refuse_set("a=\xFF", "--set:1:3: expected UTF-8 text");
    refuse_set("a={b: 1, b: 2}", "--set:1:10: the key \"b\" is there already, at 1:4");
    done();
}
END_TEST

START_TEST(set_keeps_the_limits)
{
    parse("");
    char path[400] = "a";
    for (int i = 1; i < 64; i++) {
        strcat(path, ".a");
    }
    strcat(path, "=1");
    set(path); /* 64 maps */
    refuse_set("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
               "a.a.a.a.a."
               "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=[]",
               "more than 64 levels");
    refuse_set("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
               "a.a.a.a.a."
               "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1",
               "more than 64 levels");
    char *values = repeat("b=[", "a,", 120004);
    values[120003] = ']';
    set(values);
    values[0] = 'c';
    refuse_set(values, "100000 values");
    free(values);
    done();
}
END_TEST

TEST_MAIN("core/value_set", set_replaces_adds_and_descends, set_takes_any_yaml_value,
          values_set_have_their_place_in_the_assignment,
          set_leaves_old_values_and_what_aliases_share_alone,
          set_says_what_is_there_when_it_cannot_descend, an_ill_formed_assignment_is_an_error,
          set_keeps_the_limits)
