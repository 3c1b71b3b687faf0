/* norma check: targets, images, groups and saved networks, as text and as JSON. */
#include "tests/models/command_helpers.h"

#define TRAIN "train: {epochs: 1, optimizer: {sgd: {rate: 0.1}}}\n"

static const char *check(const char *path, bool json)
{
    const ended *e = json ? norma("check", path, "--json") : norma("check", path);
    ck_assert_msg(e->code == 0, "%s", e->err);
    return e->out;
}

/* The same of a network's file and of the run that it made, but for ids, which a run has no use of.
 */
static void assert_both_say(const char *run, const char *text, const char *json)
{
    assert_says(check("net.yaml", false), text);
    assert_says(check("net.yaml", true), json);
    assert_code(norma("train", "net.yaml", "--out", run, "--quiet"), 0);
    assert_says(check(run, false), text);
    assert_says(check(run, true), json);
}

START_TEST(targets_that_are_numbers_are_told_with_unit_and_scaling)
{
    write_text("t.csv", "a,share,price\n1,10%,$1\n2,30%,$3\n4,20%,$2\n");
    write_text("net.yaml", "model: [dense: {units: 2}]\nloss: mse\n" TRAIN
                           "data: {train: {csv: {path: t.csv, target: [share, price]}}}\n");
    assert_both_say(
        "targets",
        "share   target: a number with %                   less 20, divided by 8.16497\n"
        "price   target: a number with $                   less 2, divided by 0.816497\n",
        "{\"column\": \"share\", \"place\": 1, \"use\": \"target\", \"kind\": "
        "\"number\", \"unit\": \"%\", \"mean\": 20, \"deviation\": 8.16496580927726}\n"
        "{\"column\": \"price\", \"place\": 2, \"use\": \"target\", \"kind\": "
        "\"number\", \"unit\": \"$\", \"mean\": 2, \"deviation\": 0.81649658092772");
}
END_TEST

START_TEST(inputs_are_told_with_unit_and_what_never_changes)
{
    write_text("t.csv", "share,same,kind,y\n10%,7,a,0\n30%,7,a,1\n20%,7,a,0\n");
    write_text("net.yaml", "model: [dense: {units: 2}]\nloss: cross_entropy\n" TRAIN
                           "data: {train: {csv: {path: t.csv, target: y}}}\n");
    assert_both_say(
        "inputs",
        "share   a number with %                           less 20, divided by 8.16497\n"
        "same    a number                                  nothing: always 7 where trained on\n"
        "kind    1 text: a                                 an element each, 1 or 0; nothing of 1 "
        "in "
        "all or none of the rows trained on\n",
        "{\"column\": \"share\", \"place\": 0, \"use\": \"input\", \"kind\": \"number\", \"unit\": "
        "\"%\", \"mean\": 20, \"deviation\": 8.16496580927726");
}
END_TEST

START_TEST(more_texts_than_a_line_holds_are_cut)
{
    static char text[4096];
    size_t length = (size_t)sprintf(text, "kind,y\n");
    for (int i = 0; i < 120; i++) {
        length += (size_t)sprintf(text + length, "kind%c%c,class%d\n", 'a' + i / 2 % 10,
                                  'a' + i / 20, i % 40);
    }
    write_text("t.csv", text);
    write_text("net.yaml", "model: [dense: {units: 40}]\nloss: cross_entropy\n" TRAIN
                           "data: {train: {csv: {path: t.csv, target: y}}}\n");
    const char *table = check("net.yaml", false);
    assert_says(table, "60 texts: kindaa, kindab, ...");
    assert_says(table, "target: 40 classes");
    assert_says(table, ", ...\n");
}
END_TEST

/* Four images of 2 by 2 points and their labels. */
static void write_images(void)
{
    nm_context *context = nm_open(NULL);
    nm_tensor *images = nm_tensor_create(context, NM_U8, NM_SHAPE(4, 2, 2, 3));
    nm_tensor *labels = nm_tensor_create(context, NM_I64, NM_SHAPE(4));
    for (int64_t i = 0; i < nm_tensor_count(images); i++) {
        nm_tensor_set(images, i, (double)(i * 37 % 256));
    }
    for (int64_t i = 0; i < 4; i++) {
        nm_tensor_set(labels, i, (double)(i % 2));
    }
    ck_assert_int_eq(nm_npy_write(images, test_path("x.npy")), NM_OK);
    ck_assert_int_eq(nm_npy_write(labels, test_path("y.npy")), NM_OK);
    nm_tensor_destroy(images);
    nm_tensor_destroy(labels);
    nm_close(context);
}

START_TEST(images_are_told_with_what_is_done_to_their_channels)
{
    static const struct {
        const char *normalize, *text, *json;
    } cases[] = {
        {"default", "sample  [2, 2, 3], bytes                          times 0.00392157\n",
         "{\"sample\": [2, 2, 3], \"bytes\": true, \"scale\": 0.00392156862745098"},
        {"auto",
         "sample  [2, 2, 3], bytes                          times 0.00392157, less a mean, "
         "divided by a deviation\n",
         "\"deviation\": [0."},
    };
    for (int i = 0; i < NM_COUNT_OF(cases); i++) {
        char yaml[512];
        write_images();
        snprintf(yaml, sizeof yaml,
                 "model: [flatten, dense: {units: 2}]\nloss: cross_entropy\n" TRAIN
                 "data: {train: {npy: {x: x.npy, y: y.npy}}, normalize: %s}\n",
                 cases[i].normalize);
        write_text("net.yaml", yaml);
        assert_says(check("net.yaml", false), cases[i].text);
        assert_says(check("net.yaml", true), cases[i].json);
    }
}
END_TEST

START_TEST(groups_are_told_parameter_by_parameter_as_json)
{
    const char *last = "";
    write_text("net.yaml",
               "model: [{dense: {units: 2}}]\nloss: cross_entropy\ndata: {train: spirals}\n"
               "train: {epochs: 1, optimizer: {sgd: {rate: 0.5, weight_decay: 0.25}},\n"
               "        groups: [{match: '*.bias', frozen: true}]}\n");
    const char *json = check("net.yaml", true);
    json_lines(json, &last);
    assert_says(json, "{\"parameter\": \"dense1.weight\", \"elements\": 4, \"rate\": 0.5, "
                      "\"weight_decay\": 0.25, \"frozen\": false}\n"
                      "{\"parameter\": \"dense1.bias\", \"elements\": 2, \"rate\": 0, "
                      "\"weight_decay\": 0, \"frozen\": true}\n");
    assert_says(check("net.yaml", false), "frozen");
}
END_TEST

START_TEST(a_saved_network_is_told_with_its_temperature_and_takes_no_settings)
{
    write_text("net.yaml", "model: [{dense: {units: 8}}, relu, {dense: {units: 2}}]\n"
                           "data: {train: spirals, test: {spirals: {seed: 2}}}\n"
                           "loss: cross_entropy\n" TRAIN);
    assert_code(norma("train", "net.yaml", "--out", "saved", "--quiet"), 0);
    ck_assert_ptr_null(strstr(check("saved", false), "temperature"));
    assert_code(norma("calibrate", "saved", "--on", "test", "--quiet"), 0);
    assert_says(check("saved", false), "(their temperature) before they become probabilities");
    const ended *e = norma("check", "saved", "--set", "train.epochs=2");
    assert_code(e, 2);
    assert_says(e->err, "check: --set changes a network's file; saved is a saved network");
}
END_TEST

TEST_MAIN("models/command_check", targets_that_are_numbers_are_told_with_unit_and_scaling,
          inputs_are_told_with_unit_and_what_never_changes, more_texts_than_a_line_holds_are_cut,
          images_are_told_with_what_is_done_to_their_channels,
          groups_are_told_parameter_by_parameter_as_json,
          a_saved_network_is_told_with_its_temperature_and_takes_no_settings)
