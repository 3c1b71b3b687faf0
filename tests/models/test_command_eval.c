/* What norma eval tells, against scikit-learn 1.2.1 and, of calibration, against the definition of
 * Guo et al. 2017 in NumPy, on the same scores. The network passes samples on as they are. */
#include "tests/models/identity.h"

static const ended *eval(const char *network_file, const char *flag, const char *value)
{
    return norma("eval", network_file, "--data", "d.csv", flag, value);
}

/* The number behind the key, from where `begin` stands. */
static double field_behind(const char *line, const char *begin, const char *key)
{
    const char *at = strstr(line, begin);
    ck_assert_msg(at != NULL, "no %s in %s", begin, line);
    return json_field(at, key);
}

/* ---- Classes ---- */

START_TEST(each_class_and_their_averages_are_scikit_learns)
{
    static const struct {
        const char *begin;
        double precision, recall, f1;
    } rows[] = {{"\"class\": 0", 0.7560975610, 0.775, 0.7654320988},
                {"\"class\": 1", 0.675, 0.6585365854, 0.6666666667},
                {"\"class\": 2", 0.6388888889, 0.5897435897, 0.6133333333},
                {"\"class\": 3", 0, 0, 0},
                {"\"macro_average\"", 0.5174966125, 0.5058200438, 0.5113580247},
                {"\"weighted_average\"", 0.6902964092, 0.675, 0.6822551440}};
    const char *last = "";
    save_identity("n.safetensors", CLASSES, kinds);
    write_scores();
    const ended *e = eval("n.safetensors", "--json", NULL);
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const double precision = field_behind(last, rows[i].begin, "precision");
        ck_assert_double_eq_tol(precision, rows[i].precision, 6e-11);
        ck_assert_double_eq_tol(field_behind(last, rows[i].begin, "recall"), rows[i].recall, 6e-11);
        ck_assert_double_eq_tol(field_behind(last, rows[i].begin, "f1"), rows[i].f1, 6e-11);
    }
    assert_says(last, "\"confusion\": [[31, 4, 5, 0], [4, 27, 8, 2], [6, 9, 23, 1], [0, 0, 0, 0]]");
    assert_says(last,
                "{\"class\": 2, \"name\": \"elm, the tall\", \"samples\": 39, \"predicted\": 36, "
                "\"right\": 23, ");
}
END_TEST

START_TEST(calibration_is_told_by_its_definition_and_by_bins)
{
    const char *last = "";
    save_identity("n.safetensors", CLASSES, kinds);
    write_scores();
    json_lines(eval("n.safetensors", "--json", NULL)->out, &last);
    ck_assert_double_eq_tol(json_field(last, "expected_calibration_error"), 0.13516240919094052,
                            1e-7);
    ck_assert_double_eq_tol(json_field(last, "loss"), 0.689998554597717, 1e-6);
    const char *bin = strstr(last, "{\"from\": 0.6666666666666666, ");
    ck_assert_ptr_nonnull(bin);
    ck_assert_double_eq(json_field(bin, "samples"), 16);
    ck_assert_double_eq_tol(json_field(bin, "confidence"), 0.7049233497657283, 1e-7);
    ck_assert_double_eq(json_field(bin, "accuracy"), 0.1875);
    assert_says(last, "{\"from\": 0, \"to\": 0.06666666666666667, \"samples\": 0, \"confidence\": "
                      "null, \"accuracy\": null}");
}
END_TEST

START_TEST(a_saved_temperature_counts_in_the_loss_and_in_calibration)
{
    char text[256];
    const char *last = "";
    snprintf(text, sizeof text, "%stemperature: 1.14532065317794\n", kinds);
    save_identity("t.safetensors", CLASSES, text);
    write_scores();
    json_lines(eval("t.safetensors", "--json", NULL)->out, &last);
    ck_assert_double_eq_tol(json_field(last, "loss"), 0.6844906701788, 1e-6);
    ck_assert_double_eq_tol(json_field(last, "expected_calibration_error"), 0.11336124257800691,
                            1e-6);
    ck_assert_double_eq_tol(json_field(last, "accuracy"), 0.675, 1e-12);
    assert_says(eval("t.safetensors", "--set", "a=1")->err, "--set"); /* no file to change */
}
END_TEST

START_TEST(a_person_gets_tables_with_names_and_with_quiet_one_line)
{
    save_identity("n.safetensors", CLASSES, kinds);
    write_scores();
    const ended *e = norma("eval", "n.safetensors", "--data", "d.csv");
    assert_code(e, 0);
    assert_says(e->out, "\nclass             precision   recall       F1   samples\n"
                        "ash                  0.7561   0.7750   0.7654        40\n"
                        "oak                  0.6750   0.6585   0.6667        41\n"
                        "elm, the tall        0.6389   0.5897   0.6133        39\n"
                        "yew                  0.0000   0.0000   0.0000         0\n"
                        "macro average        0.5175   0.5058   0.5114       120\n"
                        "weighted average     0.6903   0.6750   0.6823       120\n"
                        "\n"
                        "samples of     predicted as\n"
                        "               ash  oak  elm, the tall  yew\n"
                        "ash             31    4              5    0\n"
                        "oak              4   27              8    2\n"
                        "elm, the tall    6    9             23    1\n"
                        "yew              0    0              0    0\n"
                        "\n"
                        "expected calibration error 0.1352\n"
                        "confidence      samples        mean  accuracy\n"
                        "0.333 - 0.400         1      0.3516    0.0000\n");
    e = eval("n.safetensors", "--quiet", NULL);
    assert_code(e, 0);
    ck_assert_str_eq(e->out, "d.csv loss 0.6900, accuracy 67.50 % (95 % interval 58.7 to 75.2, 120 "
                             "rows) (120 samples, n.safetensors)\n");
    e = eval("n.safetensors", "--out", "c.csv");
    assert_code(e, 0);
    size_t size;
    char *matrix = read_text(test_path("c.csv"), &size);
    ck_assert_str_eq(matrix, "class,ash,oak,\"elm, the tall\",yew\nash,31,4,5,0\noak,4,27,8,2\n"
                             "\"elm, the tall\",6,9,23,1\nyew,0,0,0,0\n");
    free(matrix);
}
END_TEST

START_TEST(ignored_labels_are_in_no_table_and_an_absent_class_in_no_average)
{
    const double scores[] = {3, 0, 0, 0, 3, 0, 0, 3, 0, 0, 0, 3};
    const char *last = "";
    save_identity("i.safetensors", 3,
                  "target: {classes: 3, columns: [{name: kind}]}\nloss: {cross_entropy: "
                  "{ignore_index: -7}}\n");
    write_rows(4, 3, scores, (int[]){0, 1, -7, 1}, NULL);
    json_lines(eval("i.safetensors", "--json", NULL)->out, &last);
    ck_assert_double_eq(json_field(last, "ignored"), 1);
    assert_says(last, "\"confusion\": [[1, 0, 0], [0, 1, 1], [0, 0, 0]]");
    ck_assert_double_eq_tol(field_behind(last, "\"macro_average\"", "precision"), 2.0 / 3, 1e-12);
    /* Nobody takes anything for the last one now: it is in no average. */
    write_rows(4, 3, scores, (int[]){0, 1, 1, -7}, NULL);
    json_lines(eval("i.safetensors", "--json", NULL)->out, &last);
    ck_assert_double_eq(field_behind(last, "\"macro_average\"", "precision"), 1);
    assert_says(last,
                "{\"class\": 2, \"name\": \"2\", \"samples\": 0, \"predicted\": 0, \"right\": "
                "0, \"precision\": null, \"recall\": null, \"f1\": null}");
    assert_says(norma("eval", "i.safetensors", "--data", "d.csv")->out,
                "\n2                         -        -        -         0\n");
}
END_TEST

/* Of `classes` classes, sample i is of class i % classes and taken for the next one, if i < wrong.
 */
static void write_many(int classes, int samples, int wrong, const char *const *names)
{
    double *scores = calloc((size_t)(samples * classes), sizeof *scores);
    int *labels = calloc((size_t)samples, sizeof *labels);
    for (int i = 0; i < samples; i++) {
        labels[i] = i % classes;
        scores[i * classes + (i + (i < wrong)) % classes] = 9;
    }
    write_rows(samples, classes, scores, labels, names);
    free(scores);
    free(labels);
}

START_TEST(of_many_classes_the_worst_ones_and_the_most_confused_pairs_are_shown)
{
    save_identity("m.safetensors", 60,
                  "target: {classes: 60, columns: [{name: kind}]}\nloss: cross_entropy\n");
    write_many(60, 240, 63, NULL); /* the first three classes are wrong twice of four times */
    const ended *e = norma("eval", "m.safetensors", "--data", "d.csv");
    assert_code(e, 0);
    assert_says(e->out, "\n(30 of 60 classes, those of the lowest F1; --json has all)\n");
    assert_says(e->out, "class             precision   recall       F1   samples\n"
                        "1                    0.5000   0.5000   0.5000         4\n"
                        "2                    0.5000   0.5000   0.5000         4\n"
                        "0                    0.6667   0.5000   0.5714         4\n");
    assert_says(e->out, "\nOf 60 classes, the pairs that are confused most (--json, or --out FILE: "
                        "the whole matrix):\n"
                        "0                2 of 4  predicted as 1\n"
                        "1                2 of 4  predicted as 2\n"
                        "2                2 of 4  predicted as 3\n"
                        "3                1 of 4  predicted as 4\n");
    ck_assert_ptr_null(strstr(e->out, "10               1 of 4")); /* ten pairs, 0 to 9 */
    write_many(60, 240, 0, NULL);
    assert_says(norma("eval", "m.safetensors", "--data", "d.csv")->out,
                "the whole matrix): there are none\n");
}
END_TEST

START_TEST(names_that_are_too_wide_for_a_matrix_become_numbers)
{
    static const char *const names[] = {
        "a name of some length",      "b", "another one of such a length", "d", "e",
        "and a last one that is long"};
    char text[1024] = "target: {classes: 6, names: [";
    for (int i = 0; i < 6; i++) {
        snprintf(text + strlen(text), 64, "%s\"%s\"", i ? ", " : "", names[i]);
    }
    strcat(text, "], columns: [{name: kind}]}\nloss: cross_entropy\n");
    save_identity("w.safetensors", 6, text);
    write_many(6, 36, 2, names);
    assert_says(norma("eval", "w.safetensors", "--data", "d.csv")->out,
                "samples of                      predicted as\n"
                "                                 0   1   2   3   4   5\n"
                "0 a name of some length          5   1   0   0   0   0\n"
                "1 b                              0   5   1   0   0   0\n"
                "2 another one of such a length   0   0   6   0   0   0\n");
}
END_TEST

/* ---- Values ---- */

START_TEST(each_target_has_its_errors_in_its_own_unit)
{
    /* scikit-learn: r2_score, mean_absolute_error, mean_squared_error(squared=False) */
    const char *last = "";
    save_identity("v.safetensors", 2,
                  "target: {shape: [2], names: [weight, size], columns: [{name: weight}, "
                  "{name: size}]}\nloss: mse\n");
    write_text("d.csv", "c0,c1,weight,size\n3,0.25,2.5,0\n-1,0.5,-0.5,0.5\n2,0.5,2,0.75\n"
                        "7,1.25,8,1\n");
    const ended *e = norma("eval", "v.safetensors", "--data", "d.csv");
    assert_code(e, 0);
    assert_says(e->out, "\ntarget        R2  mean absolute error  root mean squared error\n"
                        "weight    0.9610                  0.5                  0.61237\n"
                        "size      0.6571               0.1875                  0.21651\n"
                        "mean      0.8091              0.34375                  0.41444\n");
    json_lines(eval("v.safetensors", "--json", NULL)->out, &last);
    ck_assert_double_eq_tol(field_behind(last, "\"name\": \"weight\"", "r2"), 0.961038961038961,
                            1e-12);
    ck_assert_double_eq_tol(field_behind(last, "\"name\": \"size\"", "root_mean_squared_error"),
                            0.21650635094610965, 1e-12);
    ck_assert_double_eq_tol(field_behind(last, "\"mean\"", "mean_absolute_error"), 0.34375, 1e-12);
    e = eval("v.safetensors", "--out", "none.csv");
    assert_code(e, 2);
    assert_says(e->err, "--out writes a confusion matrix, but the network predicts values");
    ck_assert(!is_there("none.csv"));
}
END_TEST

TEST_MAIN("models/command_eval", each_class_and_their_averages_are_scikit_learns,
          calibration_is_told_by_its_definition_and_by_bins,
          a_saved_temperature_counts_in_the_loss_and_in_calibration,
          a_person_gets_tables_with_names_and_with_quiet_one_line,
          ignored_labels_are_in_no_table_and_an_absent_class_in_no_average,
          of_many_classes_the_worst_ones_and_the_most_confused_pairs_are_shown,
          names_that_are_too_wide_for_a_matrix_become_numbers,
          each_target_has_its_errors_in_its_own_unit)
