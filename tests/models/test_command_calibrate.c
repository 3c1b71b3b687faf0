/* norma calibrate: the temperature of SciPy 1.10.1 and of PyTorch 2.13.0 (LBFGS) for the same
 * scores, and what it refuses. */
#include <math.h>

#include "tests/models/identity.h"

#define TEMPERATURE 1.14532065317794

START_TEST(the_temperature_is_that_of_scipy_and_of_pytorch)
{
    const char *last = "";
    save_identity("n.safetensors", CLASSES, kinds);
    write_scores();
    const ended *e =
        norma("calibrate", "n.safetensors", "--temperature", "--data", "d.csv", "--json");
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 1);
    ck_assert_double_eq_tol(json_field(last, "temperature"), TEMPERATURE, 1e-11);
    ck_assert_double_eq_tol(json_field(last, "negative_log_likelihood_before"), 0.689998554597717,
                            1e-12);
    ck_assert_double_eq_tol(json_field(last, "negative_log_likelihood"), 0.6844906701788, 1e-12);
    ck_assert_double_eq_tol(json_field(last, "expected_calibration_error_before"),
                            0.13516240919094052, 1e-12);
    ck_assert_double_eq_tol(json_field(last, "expected_calibration_error"), 0.11336124257800691,
                            1e-7);
    ck_assert_double_eq(json_field(last, "samples"), SAMPLES);
    /* Again: from there, there is nothing to gain. */
    e = norma("calibrate", "n.safetensors", "--data", "d.csv", "--json");
    ck_assert_double_eq_tol(json_field(e->out, "temperature"), TEMPERATURE, 1e-6);
    ck_assert_double_eq_tol(json_field(e->out, "negative_log_likelihood_before"), 0.6844906701788,
                            1e-6);
}
END_TEST

START_TEST(a_person_is_told_what_changed_and_with_quiet_in_one_line)
{
    static const char line[] =
        "temperature 1.145 (d.csv, 120 samples): negative log-likelihood 0.6900 "
        "-> 0.6845, expected calibration error 0.1352 -> 0.1134\n";
    save_identity("n.safetensors", CLASSES, kinds);
    save_identity("same.safetensors", CLASSES, kinds);
    write_scores();
    const ended *e = norma("calibrate", "n.safetensors", "--data", "d.csv", "--dry-run");
    assert_code(e, 0);
    ck_assert_int_eq(strncmp(e->out, line, sizeof line - 1), 0);
    assert_says(e->out, "\nnothing was written\n");
    assert_same_bytes("n.safetensors", "same.safetensors");
    e = norma("calibrate", "n.safetensors", "--data", "d.csv", "--quiet");
    assert_code(e, 0);
    ck_assert_str_eq(e->out, line);
    e = norma("calibrate", "same.safetensors", "--data", "d.csv");
    assert_says(e->out, "\nwritten to same.safetensors; norma predict and norma eval apply it");
    assert_same_bytes("n.safetensors", "same.safetensors");
    assert_says(norma("check", "n.safetensors")->out, "divided by 1.145 (their temperature)");
}
END_TEST

/* The probabilities of `name` for d.csv. */
static nm_tensor *predict(nm_context *context, const char *name)
{
    assert_code(norma("predict", name, "d.csv", "--quiet", "--out", "p.npy"), 0);
    nm_tensor *p = nm_npy_read(context, test_path("p.npy"));
    assert_fine(context);
    return p;
}

START_TEST(predictions_become_less_sure_and_their_classes_stay)
{
    nm_context *context = nm_open(NULL);
    save_identity("n.safetensors", CLASSES, kinds);
    write_scores();
    nm_tensor *before = predict(context, "n.safetensors");
    assert_code(norma("calibrate", "n.safetensors", "--data", "d.csv"), 0);
    nm_tensor *after = predict(context, "n.safetensors");
    for (int64_t i = 0; i < SAMPLES; i++) {
        const float *p = (const float *)nm_tensor_data(before) + i * CLASSES;
        const float *q = (const float *)nm_tensor_data(after) + i * CLASSES;
        ck_assert_int_eq(nm_metric_class(p, CLASSES), nm_metric_class(q, CLASSES));
        for (int k = 1; k < CLASSES; k++) { /* log(q0 / qk) is log(p0 / pk) / T */
            assert_near(log((double)q[0] / (double)q[k]) * TEMPERATURE,
                        log((double)p[0] / (double)p[k]), 0, 2e-5);
        }
    }
    nm_tensor_destroy(before);
    nm_tensor_destroy(after);
    nm_close(context);
}
END_TEST

static const char held_out[] = "model: [dense: {units: 8}, relu, dense: {units: 2}]\n"
                               "data: {train: {csv: {path: two.csv}}, validation: 0.3}\n"
                               "loss: cross_entropy\n"
                               "train: {epochs: 12, optimizer: {sgd: {rate: 0.5}}}\n";

/* Two classes that overlap. */
static void write_two(void)
{
    FILE *file = fopen(test_path("two.csv"), "w");
    ck_assert_ptr_nonnull(file);
    fputs("a,b,label\n", file);
    for (int i = 0; i < 300; i++) {
        const int label = i % 2, wobble = (i * 37 + i * i) % 41;
        fprintf(file, "%.2f,%.2f,%d\n", wobble / 20.0 + label, (i * 53 % 29) / 14.0 - label, label);
    }
    fclose(file);
}

static void train_held_out(const char *folder)
{
    write_two();
    write_text("two.yaml", held_out);
    assert_code(norma("train", "two.yaml", "--out", folder, "--quiet"), 0);
}

START_TEST(a_run_is_calibrated_by_its_validation_set_and_back_again)
{
    const char *last = "";
    train_held_out("run");
    assert_code(norma("train", "two.yaml", "--out", "other", "--quiet"), 0);
    const ended *e = norma("eval", "run", "--on", "validation", "--json");
    const double raw = json_field(e->out, "loss"), accuracy = json_field(e->out, "accuracy");
    e = norma("calibrate", "run", "--json");
    assert_code(e, 0);
    json_lines(e->out, &last);
    ck_assert_double_eq_tol(json_field(last, "negative_log_likelihood_before"), raw, 1e-6);
    const double fitted = json_field(last, "negative_log_likelihood");
    ck_assert_double_lt(fitted, raw);
    assert_says(last, "\"set\": \"validation\"");
    assert_says(last, "\"weights\": \"run/best.safetensors\"");
    e = norma("eval", "run", "--on", "validation", "--json");
    ck_assert_double_eq_tol(json_field(e->out, "loss"), fitted, 1e-6);
    ck_assert_double_eq(json_field(e->out, "accuracy"), accuracy);
    assert_code(norma("calibrate", "run", "--undo"), 0);
    assert_same_bytes("run/best.safetensors", "other/best.safetensors");
    /* A checkpoint goes on as if nothing had been. */
    assert_code(norma("calibrate", "two.yaml", "--weights", "run/checkpoint.safetensors"), 0);
    const char *const more[] = {"run", "other"};
    for (int i = 0; i < 2; i++) {
        assert_code(norma("train", "two.yaml", "--out", more[i], "--resume", "--quiet", "--set",
                          "train.epochs=14"),
                    0);
    }
    assert_same_bytes("run/checkpoint.safetensors", "other/checkpoint.safetensors");
}
END_TEST

static void assert_refused(const ended *e, const char *message)
{
    assert_code(e, 2);
    assert_says(e->err, message);
    ck_assert_str_eq(e->out, "");
}

START_TEST(samples_that_were_trained_on_are_refused)
{
    train_held_out("seen");
    assert_refused(norma("calibrate", "seen", "--on", "train"),
                   "calibrate: the training set is what the network was trained on");
    assert_refused(norma("calibrate", "seen", "--data", "./two.csv"),
                   "calibrate: ./two.csv is what the network was trained on");
    size_t size;
    char *table = read_text(test_path("two.csv"), &size);
    write_text("copy.csv", table);
    free(table);
    assert_refused(norma("calibrate", "seen/best.safetensors", "--data", "copy.csv"),
                   "calibrate: copy.csv is what the network was trained on");
    assert_refused(norma("calibrate", "seen", "--on", "test"),
                   "there is no test set; give the file one, as data.test, or give --data FILE");
    assert_code(norma("train", "two.yaml", "--out", "all", "--quiet", "--set", "data.validation=0"),
                0);
    assert_refused(norma("calibrate", "all"),
                   "there is no validation set; hold some of the training samples out with "
                   "data.validation before training, or give --data FILE");
    rename(test_path("all/best.safetensors"), test_path("alone.safetensors"));
    assert_refused(norma("calibrate", "alone.safetensors"), "give --data FILE");
}
END_TEST

START_TEST(values_have_no_temperature)
{
    save_identity(
        "v.safetensors", 2,
        "target: {shape: [2], names: [p, q], columns: [{name: p}, {name: q}]}\nloss: mse\n");
    write_text("v.csv", "c0,c1,p,q\n1,2,1,2\n2,1,2,2\n");
    assert_refused(norma("calibrate", "v.safetensors", "--data", "v.csv"),
                   "calibrate: v.safetensors predicts values (its loss is mse)");
}
END_TEST

START_TEST(samples_that_are_all_told_apart_or_not_at_all_give_no_temperature)
{
    const double scores[] = {3, 0, 0, 2, 1, -1, -2, 5};
    const char text[] = "target: {classes: 2, columns: [{name: kind}]}\nloss: cross_entropy\n";
    save_identity("s.safetensors", 2, text);
    save_identity("same.safetensors", 2, text);
    write_rows(4, 2, scores, (int[]){0, 1, 0, 1}, NULL);
    assert_refused(
        norma("calibrate", "s.safetensors", "--data", "d.csv"),
        "tells all 4 samples of d.csv apart, so that they become likelier without end as "
        "the temperature falls (0.01 was tried)");
    write_rows(4, 2, scores, (int[]){1, 0, 1, 0}, NULL);
    assert_refused(norma("calibrate", "s.safetensors", "--data", "d.csv"),
                   "no temperature up to 100 is high enough");
    assert_same_bytes("s.safetensors", "same.safetensors");
}
END_TEST

START_TEST(ignored_samples_do_not_count)
{
    const double scores[] = {3, 0, 0, 2, 1, -1, -2, 5, 9, 0};
    save_identity("i.safetensors", 2,
                  "target: {classes: 2, columns: [{name: kind}]}\n"
                  "loss: {cross_entropy: {ignore_index: -1}}\n");
    write_rows(5, 2, scores, (int[]){0, 1, 1, 1, -1}, NULL);
    const ended *e = norma("calibrate", "i.safetensors", "--data", "d.csv", "--json");
    assert_code(e, 0);
    ck_assert_double_eq(json_field(e->out, "samples"), 4);
    const double temperature = json_field(e->out, "temperature");
    save_identity("j.safetensors", 2,
                  "target: {classes: 2, columns: [{name: kind}]}\nloss: cross_entropy\n");
    write_rows(4, 2, scores, (int[]){0, 1, 1, 1}, NULL);
    e = norma("calibrate", "j.safetensors", "--data", "d.csv", "--json");
    ck_assert_double_eq(json_field(e->out, "temperature"), temperature);
}
END_TEST

/* ---- Running statistics ---- */

static void train_normalized(const char *folder)
{
    write_two();
    write_text("bn.yaml",
               "model: [dense: {units: 6}, batch_norm, relu, dropout, batch_norm: {mean_only: "
               "true}, dense: {units: 2}]\n"
               "data: {train: {csv: {path: two.csv}}, validation: 0.3, batch: 16}\n"
               "loss: cross_entropy\n"
               "train: {epochs: 3, optimizer: {sgd: {rate: 0.5}}}\n");
    assert_code(norma("train", "bn.yaml", "--out", folder, "--quiet"), 0);
}

START_TEST(running_statistics_are_found_again_and_a_second_time_do_not_move)
{
    const char *last = "";
    train_normalized("bn");
    const ended *e = norma("calibrate", "bn", "--statistics", "--json");
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 2);
    assert_says(e->out, "\"layer\": \"bn1\", \"batches\": 13, \"values\": 210,");
    ck_assert_double_gt(json_field(e->out, "mean_moved"), 1e-4);
    ck_assert_double_lt(json_field(e->out, "mean_error"), 0.2);
    assert_says(last, "\"variance_ratio\": null");
    e = norma("calibrate", "bn", "--statistics", "--json");
    assert_code(e, 0);
    ck_assert_double_lt(json_field(e->out, "mean_moved"), 1e-6);
    ck_assert_double_eq_tol(json_field(e->out, "variance_ratio"), 1, 1e-6);
    assert_code(norma("eval", "bn"), 0);
}
END_TEST

START_TEST(a_person_is_told_how_far_statistics_moved)
{
    train_normalized("told");
    size_t before_size, after_size;
    char *before = read_text(test_path("told/best.safetensors"), &before_size);
    const ended *e = norma("calibrate", "told", "--statistics", "--dry-run");
    assert_code(e, 0);
    assert_says(e->out, "running statistics of 2 layers by 13 batches of train (210 samples)\n");
    assert_says(e->out, "\nbn1: mean moved by ");
    assert_says(e->out, "\nnothing was written\n");
    char *after = read_text(test_path("told/best.safetensors"), &after_size);
    ck_assert_uint_eq(before_size, after_size);
    ck_assert_mem_eq(before, after, before_size);
    free(before);
    free(after);
    assert_says(norma("calibrate", "told", "--statistics")->out,
                "\nwritten to told/best.safetensors\n");
}
END_TEST

START_TEST(statistics_of_what_has_none_and_of_checkpoints_are_refused)
{
    train_held_out("plain");
    assert_refused(norma("calibrate", "plain", "--statistics"),
                   "the network has no running statistics that move");
    train_normalized("some");
    assert_refused(
        norma("calibrate", "bn.yaml", "--weights", "some/checkpoint.safetensors", "--statistics"),
        "is a checkpoint, from which a run goes on");
    assert_says(norma("calibrate", "some", "--statistics", "--undo")->err,
                "--statistics does not go with --undo");
}
END_TEST

TEST_MAIN("models/command_calibrate", the_temperature_is_that_of_scipy_and_of_pytorch,
          a_person_is_told_what_changed_and_with_quiet_in_one_line,
          predictions_become_less_sure_and_their_classes_stay,
          a_run_is_calibrated_by_its_validation_set_and_back_again,
          samples_that_were_trained_on_are_refused, values_have_no_temperature,
          samples_that_are_all_told_apart_or_not_at_all_give_no_temperature,
          ignored_samples_do_not_count,
          running_statistics_are_found_again_and_a_second_time_do_not_move,
          a_person_is_told_how_far_statistics_moved,
          statistics_of_what_has_none_and_of_checkpoints_are_refused)
