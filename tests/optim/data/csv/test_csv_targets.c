/* CSV files: what is predicted. */
#include "tests/optim/data/csv/tables.h"

START_TEST(the_target_may_be_called_by_its_usual_name)
{
    nm_dataset set;
    begin_telling();
    open_table(&set, "label,a,b\n0,2,3\n1,5,6\n", "");
    expect_values(&set, 2, 2, (double[]){2, 3, 5, 6});
    assert_told("t.csv: the target is column \"label\"");
    nm_dataset_close(&set);
    expect_table("label,class,b\n0,2,0\n1,5,1\n", "", 2, 2, (double[]){0, 2, 1, 5}); /* which? */
    expect_table("label,a,b\n0,2,0\n1,5,1\n", ", target: b", 2, 2, (double[]){0, 2, 1, 5});
    expect_table("a,b,c\n3,4,0\n1,2,1\n", ", columns: [a, c]", 2, 2, (double[]){3, 0, 1, 1});
    nm_context_destroy(context);
}
END_TEST

START_TEST(several_targets_stand_in_the_order_of_the_option)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set, "a,y1,y2,when\n1,10,true,2020-02-29\n2,20,false,1970-01-01\n",
               ", target: [when, y2, y1]");
    expect_values(&set, 2, 1, (double[]){1, 2});
    expect_targets(&set, 3, (double[]){18321, 1, 10, 0, 0, 20});
    ck_assert_int_eq(set.schema->targets, 3);
    ck_assert_str_eq(set.schema->target_names[0], "when");
    ck_assert_str_eq(set.schema->target_names[2], "y1");
    nm_dataset_close(&set);
    open_table(&set, "a,y1,y2\n1,10,11\n2,20,21\n", ", target: 'y*'");
    expect_targets(&set, 2, (double[]){10, 11, 20, 21});
    nm_dataset_close(&set);
    expect_refused("a,y1,y2\n1,0,1\n", ", target: [y1, y2], targets: labels",
                   ": 2 targets, which are values to predict; classes need a single one");
    nm_context_destroy(context);
}
END_TEST

START_TEST(names_of_classes_are_numbered_by_size_and_then_by_bytes)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set, "1,setosa\n2,10\n3,Setosa\n4,3\n5,3.0\n6,-100\n", ", header: no");
    expect_classes(&set, (int32_t[]){4, 2, 3, 1, 1, 0});
    ck_assert_int_eq(set.classes, 5);
    static const char *const names[] = {"-100", "3", "10", "Setosa", "setosa"};
    for (int i = 0; i < 5; i++) {
        ck_assert_str_eq(set.schema->class_names[i], names[i]);
    }
    nm_dataset_close(&set);
    /* The label that the loss ignores is no class. */
    const char *text = "1,setosa\n2,10\n3,-100\n";
    open_bytes(&set, &(nm_reading){.ignored = {true, -100}}, text, strlen(text), ", header: no");
    expect_classes(&set, (int32_t[]){1, 0, -100});
    ck_assert_int_eq(set.classes, 2);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(labels_that_are_written_as_floats_are_classes_too)
{
    nm_dataset set;
    begin(NULL);
    open_wanted(&set, NM_WANTED_LABELS, "1,0.0\n2,1.0\n3,2e0\n", "");
    expect_classes(&set, (int32_t[]){0, 1, 2});
    ck_assert_int_eq(set.classes, 3);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_the_loss_wants_decides_what_a_target_is)
{
    nm_dataset set;
    begin(NULL);
    open_wanted(&set, NM_WANTED_VALUES, "1,0\n2,1\n", "");
    expect_targets(&set, 1, (double[]){0, 1});
    nm_dataset_close(&set);
    open_wanted(&set, NM_WANTED_LABELS, "1,0\n2,1\n", "");
    expect_classes(&set, (int32_t[]){0, 1});
    nm_dataset_close(&set);
    open_wanted(&set, NM_WANTED_LABELS, "1,yes\n2,no\n", ", header: no");
    expect_classes(&set, (int32_t[]){1, 0});
    nm_dataset_close(&set);
    open_wanted(&set, NM_WANTED_VALUES, "1,yes\n2,no\n", ", header: no");
    expect_targets(&set, 1, (double[]){1, 0});
    nm_dataset_close(&set);
    ck_assert_int_eq(open_wanted(&set, NM_WANTED_VALUES, "1,a\n2,b\n1,a\n", ""), NM_ERROR_FORMAT);
    assert_error(context, NM_ERROR_FORMAT,
                 ":1:3: \"a\" is not a number to predict; for names of classes");
    open_wanted(&set, NM_WANTED_LABELS, "1,0.5\n2,1\n", "");
    assert_error(context, NM_ERROR_FORMAT,
                 ":1:3: \"0.5\" is no class label, which is an integer of 32 bits or a");
    open_wanted(&set, NM_WANTED_LABELS, "1,0.5\n2,1\n",
                ", targets: values"); /* the option comes first */
    expect_targets(&set, 1, (double[]){0.5, 1});
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(without_a_loss_few_whole_numbers_and_texts_are_classes)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set, lines_of("a,y\n", "5,%", 64, 0), "");
    assert_fine(context);
    ck_assert_int_eq(set.target_dtype, NM_I32);
    nm_dataset_close(&set);
    open_table(&set, lines_of("a,y\n", "5,%", 65, 0), "");
    assert_fine(context);
    ck_assert_int_eq(set.target_dtype, NM_F64);
    nm_dataset_close(&set);
    open_table(&set, "a,y\n1,0.5\n2,3\n", "");
    assert_fine(context);
    ck_assert_int_eq(set.target_dtype, NM_F64);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_number_of_classes_must_be_that_of_the_names)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set, "1,a\n2,b\n1,a\n", ", classes: 2, header: no");
    expect_classes(&set, (int32_t[]){0, 1, 0});
    nm_dataset_close(&set);
    expect_refused(
        "1,a\n2,b\n1,a\n", ", classes: 3, header: no",
        ": \"classes\" is 3, but the target has 2 different names; leave \"classes\" out");
    open_table(&set, "1,2\n", ", classes: 3, targets: values");
    assert_error(context, NM_ERROR_INPUT, "\"classes\" is for labels, but \"targets\" are values");
    nm_context_destroy(context);
}
END_TEST

START_TEST(targets_may_stand_in_a_file_of_their_own)
{
    nm_dataset set;
    char more[512];
    begin(NULL);
    snprintf(more, sizeof more, ", target_path: %s",
             write_file("y.csv", "p;q\n1,5;2\n3,5;4\n", 16));
    open_table(&set, "a,b\n1,2\n3,4\n", more);
    expect_values(&set, 2, 2, (double[]){1, 2, 3, 4});
    expect_targets(&set, 2, (double[]){1.5, 2, 3.5, 4});
    ck_assert_str_eq(set.schema->target_names[1], "q");
    nm_dataset_close(&set);
    strcat(more, ", target: q, targets: values");
    open_table(&set, "a,b\n1,2\n3,4\n", more);
    expect_targets(&set, 1, (double[]){2, 4});
    nm_dataset_close(&set);
    open_table(&set, "a,b\n1,2\n", more);
    assert_error(context, NM_ERROR_FORMAT, "y.csv has 2 rows, but ");
    write_file("y.csv", "very good\nvery bad\nvery bad\n", 28); /* blanks within texts alone */
    snprintf(more, sizeof more, ", target_path: %s, header: no", test_path("y.csv"));
    open_table(&set, "1,2\n3,4\n5,6\n", more);
    expect_classes(&set, (int32_t[]){1, 0, 0});
    ck_assert_str_eq(set.schema->class_names[0], "very bad");
    nm_dataset_close(&set);
    write_file("y.csv", "setosa\nvirginica\nsetosa\n", 24);
    open_table(&set, "1,2\n3,4\n5,6\n", more);
    expect_values(&set, 3, 2, (double[]){1, 2, 3, 4, 5, 6});
    expect_classes(&set, (int32_t[]){0, 1, 0});
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(samples_are_f32_where_that_loses_nothing_and_f64_otherwise)
{
    nm_dataset set;
    begin(NULL);
    open_table(&set, "a,b,y\n1,0.5,0\n16777216,-3,1\n", "");
    ck_assert_int_eq(set.dtype, NM_F32);
    nm_dataset_close(&set);
    open_table(&set, "a,b,y\n1,0.5,0\n16777217,-3,1\n", "");
    ck_assert_int_eq(set.dtype, NM_F64);
    ck_assert(sample_at(&set, 2) == 16777217);
    nm_dataset_close(&set);
    open_table(&set, "a,b,y\n1,0.1,0\n2,-3,1\n", "");
    ck_assert(sample_at(&set, 1) == 0.1);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/csv_targets", the_target_may_be_called_by_its_usual_name,
          several_targets_stand_in_the_order_of_the_option,
          names_of_classes_are_numbered_by_size_and_then_by_bytes,
          labels_that_are_written_as_floats_are_classes_too,
          what_the_loss_wants_decides_what_a_target_is,
          without_a_loss_few_whole_numbers_and_texts_are_classes,
          the_number_of_classes_must_be_that_of_the_names, targets_may_stand_in_a_file_of_their_own,
          samples_are_f32_where_that_loses_nothing_and_f64_otherwise)
