/* What a message advises works: each network that does not fit its data is mended as its message
 * says, and passes then. */
#include "tests/models/command_helpers.h"

/* ---- Data of which networks are made ---- */

#define SAMPLES 12

static void write_array(nm_context *context, const char *name, nm_dtype dtype, nm_shape shape,
                        int64_t classes)
{
    nm_tensor *array = nm_tensor_create(context, dtype, shape);
    for (int64_t i = 0; i < nm_tensor_count(array); i++) {
        nm_tensor_set(array, i, classes ? (double)(i % classes) : 0.1 * (double)(i % 7));
    }
    ck_assert_int_eq(nm_npy_write(array, test_path(name)), NM_OK);
    nm_tensor_destroy(array);
}

static void write_data(void)
{
    nm_context *context = nm_context_create(NULL);
    write_array(context, "images.npy", NM_F32, NM_SHAPE(SAMPLES, 8, 8, 2), 0);
    write_array(context, "gray.npy", NM_F32, NM_SHAPE(SAMPLES, 8, 6), 0);
    write_array(context, "vectors.npy", NM_F32, NM_SHAPE(SAMPLES, 64), 0);
    write_array(context, "odd.npy", NM_F32, NM_SHAPE(SAMPLES, 12), 0);
    write_array(context, "labels.npy", NM_I32, NM_SHAPE(SAMPLES), 3);
    write_array(context, "values.npy", NM_F32, NM_SHAPE(SAMPLES), 0);
    write_array(context, "pairs.npy", NM_F32, NM_SHAPE(SAMPLES, 2), 0);
    nm_context_destroy(context);
}

static const ended *check(const char *model, const char *x, const char *y)
{
    char text[1024];
    snprintf(text, sizeof text,
             "model:\n%s\ndata: {train: {npy: {x: %s.npy, y: %s.npy}}, batch: 4}\nloss: %s\n"
             "train: {epochs: 1, optimizer: {sgd: {rate: 0.1}}}\n",
             model, x, y, strcmp(y, "labels") == 0 ? "cross_entropy" : "mse");
    write_text("net.yaml", text);
    return norma("check", "net.yaml");
}

/* ---- Networks ---- */

#define CONV "  - conv2d: {channels: 4, kernel: 3}\n"
#define END "  - flatten\n  - dense: {units: 3}\n"
#define RESHAPE "  - op: {apply: {reshape: {shape: "

static const struct {
    const char *x, *y, *model, *says, *mended;
} cases[] = {
    /* A forgotten flatten: dense works along the last axis. */
    {"images", "labels", CONV "  - relu\n  - dense: {units: 3}\n",
     "net.yaml:4:5: model: the network ends with [6, 6, 3], but a sample has one label; put "
     "flatten "
     "before dense (line 4)\n",
     CONV "  - relu\n" END},
    {"gray", "labels", "  - dense: {units: 5}\n  - dense: {units: 3}\n",
     "net.yaml:2:5: model: the network ends with [8, 3], but a sample has one label; put flatten "
     "before dense (line 2)\n",
     "  - flatten\n  - dense: {units: 5}\n  - dense: {units: 3}\n"},
    {"images", "labels", "  - sequence: {body: [relu, dense: {units: 3}]}\n",
     "the network ends with [8, 8, 3], but a sample has one label; put flatten before dense "
     "(line 2)\n",
     "  - sequence: {body: [relu, flatten, dense: {units: 3}]}\n"},
    {"images", "values", "  - dense: {units: 1}\n",
     "the network ends with [8, 8, 1], but a sample has targets [1]; put flatten before dense "
     "(line 2)\n",
     "  - flatten\n  - dense: {units: 1}\n"},
    {"images", "labels", CONV, "end it with flatten and dense: {units: 3}\n", CONV END},
    {"images", "pairs", CONV, "end it with flatten and dense: {units: 2}\n",
     CONV "  - flatten\n  - dense: {units: 2}\n"},
    /* As many outputs as there are targets. */
    {"vectors", "pairs", "  - dense: {units: 5}\n",
     "net.yaml:2:5: model: the network ends with [5], but a sample has targets [2]; let layer "
     "\"dense1\" have units: 2\n",
     "  - dense: {units: 2}\n"},
    /* Images. */
    {"vectors", "labels", CONV END,
     "net.yaml:2:5: layer \"conv1\": conv2d: its input [batch, 64] must be images, [batch, height, "
     "width, channels]; if it is, put op: {apply: {reshape: {shape: [-1, 8, 8, 1]}}} in front\n",
     RESHAPE "[-1, 8, 8, 1]}}}\n" CONV END},
    {"gray", "labels", CONV END, "its input [batch, 8, 6] must be images",
     RESHAPE "[-1, 8, 6, 1]}}}\n" CONV END},
    {"gray", "labels", "  - max_pool2d: {kernel: 2}\n" END,
     "put op: {apply: {reshape: {shape: [-1, 8, 6, 1]}}} in front\n",
     RESHAPE "[-1, 8, 6, 1]}}}\n  - max_pool2d: {kernel: 2}\n" END},
    {"odd", "labels", "  - avg_pool2d: {kernel: 2}\n" END,
     "put op: {apply: {reshape: {shape: [-1, height, width, channels]}}} in front\n",
     RESHAPE "[-1, 2, 2, 3]}}}\n  - avg_pool2d: {kernel: 2}\n" END},
    {"images", "labels", "  - flatten\n" CONV "  - dense: {units: 3}\n",
     "net.yaml:3:5: layer \"conv1\": conv2d: its input [batch, 128] must be images, [batch, "
     "height, "
     "width, channels]; put it before flatten (line 2), or remove that\n",
     CONV END},
    {"images", "labels", "  - conv2d: {channels: 2, kernel: 9}\n" END,
     "does not fit into x [batch, 8, 8, 2]; make it smaller, or pad more\n",
     "  - conv2d: {channels: 2, kernel: 9, padding: 1}\n" END},
    /* Residuals. */
    {"vectors", "labels", "  - residual: {body: [dense: {units: 3}]}\n",
     "the body makes [batch, 3], the shortcut (the input) [batch, 64]; add shortcut: [dense: "
     "{units: 3}]\n",
     "  - residual: {body: [dense: {units: 3}], shortcut: [dense: {units: 3}]}\n"},
    {"images", "labels", "  - residual: {body: [conv2d: {channels: 4, kernel: 1}]}\n" END,
     "add shortcut: [conv2d: {channels: 4, kernel: 1}]\n",
     "  - residual: {body: [conv2d: {channels: 4, kernel: 1}], shortcut: [conv2d: {channels: 4, "
     "kernel: 1}]}\n" END},
    {"images", "labels",
     "  - residual: {body: [conv2d: {channels: 4, kernel: 3, padding: 1, stride: 2}]}\n" END,
     "add shortcut: [conv2d: {channels: 4, kernel: 1, stride: 2}]\n",
     "  - residual: {body: [conv2d: {channels: 4, kernel: 3, padding: 1, stride: 2}],\n"
     "      shortcut: [conv2d: {channels: 4, kernel: 1, stride: 2}]}\n" END},
    {"images", "labels", "  - residual: {body: [conv2d: {channels: 2, kernel: 3}]}\n" END,
     "the body makes [batch, 6, 6, 2], the shortcut (the input) [batch, 8, 8, 2]; pad the body's "
     "convolutions (padding: 1 for a kernel of 3), or give it a shortcut that makes the same\n",
     "  - residual: {body: [conv2d: {channels: 2, kernel: 3, padding: 1}]}\n" END},
};

START_TEST(what_a_message_about_shapes_advises_works)
{
    write_data();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ended *e = check(cases[i].model, cases[i].x, cases[i].y);
        assert_code(e, 2);
        assert_says(e->err, cases[i].says);
        e = check(cases[i].mended, cases[i].x, cases[i].y);
        assert_code(e, 0);
    }
}
END_TEST

START_TEST(a_batch_of_one_sample_changes_no_message)
{
    write_data();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check(cases[i].model, cases[i].x, cases[i].y);
        const ended *e = norma("train", "net.yaml", "--set", "data.batch=1");
        assert_code(e, 2);
        assert_says(e->err, cases[i].says);
    }
}
END_TEST

/* ---- What is seldom right ---- */

static const ended *check_loss(const char *model, const char *loss)
{
    char text[1024];
    snprintf(text, sizeof text,
             "model:\n%sdata: {train: {npy: {x: vectors.npy, y: labels.npy}}, batch: 4}\nloss: %s\n"
             "train: {epochs: 1, optimizer: {sgd: {rate: 0.1}}}\n",
             model, loss);
    write_text("net.yaml", text);
    return norma("check", "net.yaml");
}

static void assert_says_once(const char *text, const char *part)
{
    const char *first = strstr(text, part);
    ck_assert_msg(first && !strstr(first + 1, part), "\"%s\" does not say once \"%s\"", text, part);
}

#define DENSE "  - dense: {units: 3}\n"

static const struct {
    const char *model, *loss, *says; /* NULL: nothing */
} seldom_right[] = {
    {DENSE "  - softmax\n", "cross_entropy",
     "net.yaml:3:5: layer \"softmax1\": the loss \"cross_entropy\" takes a softmax itself, and of "
     "outputs between 0 and 1 it makes no probability above 0.5761, however long it is trained; "
     "remove the layer\n    3 |   - softmax\n      |     ^\n"},
    {DENSE "  - sigmoid\n", "cross_entropy", "takes a softmax itself, and of outputs between"},
    {DENSE "  - log_softmax\n", "cross_entropy",
     "takes a log_softmax itself; remove the layer, which changes nothing and takes time\n"},
    {DENSE, "cross_entropy", NULL},
    {"  - dense: {units: 5}\n", "cross_entropy",
     "the network has 5 outputs for the 3 classes of the data; those behind them are never "
     "right\n"},
    {DENSE, "{cross_entropy: {ignore_index: 2}}", NULL}, /* has an output, and needs none */
    {"  - dense: {units: 4}\n", "{cross_entropy: {ignore_index: 2}}",
     "the network has 4 outputs for the 2 classes"},
    {DENSE "  - tanh\n", "cross_entropy",
     "net.yaml:3:5: layer \"tanh1\": of outputs between -1 and 1 the loss \"cross_entropy\" makes "
     "no "
     "probability above 0.7870, however long"},
    {DENSE "  - relu\n", "cross_entropy", "layer \"relu1\": the loss \"cross_entropy\" compares"},
    {DENSE "  - gelu\n", "cross_entropy", NULL},
    {DENSE "  - leaky_relu\n", "cross_entropy", NULL},
};

START_TEST(what_is_seldom_right_is_warned_of_once_and_not_of_what_is_trained)
{
    write_data();
    for (size_t i = 0; i < sizeof seldom_right / sizeof *seldom_right; i++) {
        char folder[16];
        const char *says = seldom_right[i].says;
        const ended *e = check_loss(seldom_right[i].model, seldom_right[i].loss);
        assert_code(e, 0);
        if (says) {
            assert_says_once(e->err, says);
        } else {
            ck_assert_str_eq(e->err, "");
        }
        snprintf(folder, sizeof folder, "run%zu", i);
        e = norma("train", "net.yaml", "--quiet", "--out", folder);
        assert_code(e, 0);
        ck_assert_msg(!says || strstr(e->err, says) != NULL, "%s", e->err);
        e = norma("eval", folder);
        assert_code(e, 0);
        ck_assert_str_eq(e->err, "");
    }
}
END_TEST

static void check_values(const char *layer, const char *data, const char *loss, const char *says)
{
    char text[1024];
    snprintf(
        text, sizeof text,
        "model: [dense: {units: 1}, %s]\ndata: {train: {csv: {path: values.csv}}%s}\nloss: %s\n"
        "train: {epochs: 1}\n",
        layer, data, loss);
    write_text("net.yaml", text);
    const ended *e = norma("check", "net.yaml");
    assert_code(e, 0);
    if (says) {
        assert_says_once(e->err, says);
    } else {
        ck_assert_str_eq(e->err, "");
    }
}

/* Of 4 targets, standardized, 2 are below 0, and 1 above 1. */
START_TEST(targets_that_the_last_layer_cannot_come_to_are_counted)
{
    const char *const raw = ", normalize_targets: none";
    write_text("values.csv", "a,y\n1,0\n2,0\n3,1\n4,2\n");
    check_values("relu", "", "mse",
                 "net.yaml:1:28: layer \"relu1\": its outputs are never below 0, but 2 of the 4 "
                 "targets to learn are, less their mean and divided by their deviation; remove the "
                 "layer, or say `data: {normalize_targets: none}`\n");
    check_values("relu", raw, "mse", NULL);
    check_values(
        "sigmoid", "", "l1",
        "never below 0 or above 1, but 3 of the 4 targets to learn are, less their mean and "
        "divided by their deviation; remove the layer\n");
    check_values("sigmoid", raw, "huber",
                 "but 1 of the 4 targets to learn are; remove the layer\n");
    check_values("relu, flatten", "", "mse", "layer \"relu1\": its outputs are never below 0");
    write_text("values.csv", "a,y\n1,0\n2,0\n3,10\n4,20\n"); /* the third becomes 0.3 */
    check_values("sigmoid", "", "l1", "but 3 of the 4 targets to learn are, less their mean");
    check_values("residual: {body: [dense: {units: 1}, relu]}", "", "mse", NULL);
    check_values("leaky_relu", "", "mse", NULL);
}
END_TEST

START_TEST(shares_that_the_last_layer_cannot_come_to_are_told)
{
    write_text("values.csv", "a,y\n1,0\n2,0\n3,1\n4,1\n");
    check_values(
        "relu", "", "bce_with_logits",
        "layer \"relu1\": the loss \"bce_with_logits\" takes a sigmoid, and of outputs from "
        "0 on it makes no value below 0.5; remove the layer\n");
    check_values("tanh", "", "bce_with_logits",
                 "of outputs from -1 to 1 it makes no value below 0.2689 or above 0.7311;");
    check_values("leaky_relu", "", "bce_with_logits", NULL);
}
END_TEST

/* ---- Data that is seldom meant ---- */

static const struct {
    const char *x, *y, *model, *says; /* NULL: nothing */
} doubts[] = {
    {"first", "labels", CONV END,
     "norma: data: samples of shape [2, 9, 9] look as if their channels came first; they are the "
     "last axis here: in NumPy, numpy.moveaxis(x, 1, -1)\n"},
    {"first", "labels", "  - flatten\n  - dense: {units: 3}\n", "numpy.moveaxis(x, 1, -1)\n"},
    {"images", "labels", CONV END, NULL},
    {"vectors", "ones", "  - dense: {units: 1}\n",
     "data: all training samples have the same target; there is nothing to predict\n"},
    {"vectors", "values", "  - dense: {units: 1}\n", NULL},
    {"same", "labels", "  - dense: {units: 3}\n",
     "data: all training samples are the same; nothing tells them apart\n"},
};

START_TEST(data_that_is_seldom_meant_is_warned_of_by_check_and_in_the_run)
{
    nm_context *context = nm_context_create(NULL);
    write_data();
    write_array(context, "first.npy", NM_F32, NM_SHAPE(SAMPLES, 2, 9, 9), 0);
    write_array(context, "same.npy", NM_F32, NM_SHAPE(SAMPLES, 5), 1);
    write_array(context, "ones.npy", NM_F32, NM_SHAPE(SAMPLES), 1);
    nm_context_destroy(context);
    for (size_t i = 0; i < sizeof doubts / sizeof *doubts; i++) {
        const char *says = doubts[i].says;
        const ended *e = check(doubts[i].model, doubts[i].x, doubts[i].y);
        ck_assert_msg(says ? strstr(e->err, says) != NULL : !*e->err, "%zu: %s", i, e->err);
        char folder[16];
        snprintf(folder, sizeof folder, "doubt%zu", i);
        e = norma("train", "net.yaml", "--quiet", "--out", folder);
        ck_assert_msg(!says || strstr(e->err, says) != NULL, "%zu: %s", i, e->err);
        ck_assert_msg(says || !strstr(e->err, "data:"), "%zu: %s", i, e->err);
    }
}
END_TEST

START_TEST(a_training_set_of_one_class_is_warned_of)
{
    write_text("t.csv", "a,b,y\n1,2,no\n3,5,no\n4,1,no\n");
    write_text("net.yaml", "model: [dense: {units: 2}]\ndata: {train: {csv: {path: t.csv}}}\n"
                           "loss: cross_entropy\n");
    const ended *e = norma("check", "net.yaml");
    assert_code(e, 0);
    assert_says(e->err, "data: all training samples are of class no; there is nothing to tell");
    write_text("t.csv", "a,b,y\n1,2,no\n3,5,yes\n4,1,no\n");
    ck_assert_str_eq(norma("check", "net.yaml")->err, "");
}
END_TEST

/* By the order that a file has; nothing is said of classes that alternate, of what is shuffled, and
 * of what is sorted on purpose. */
START_TEST(data_that_lies_class_by_class_and_is_not_shuffled_is_warned_of)
{
    static const struct {
        const char *rows, *options;
        bool warned;
    } orders[] = {
        {"1,2,no\n3,5,no\n4,1,no\n2,1,yes\n5,5,yes\n6,7,yes\n", "batch: 3, shuffle: false", true},
        {"1,2,no\n3,5,no\n4,1,no\n2,1,yes\n5,5,yes\n6,7,yes\n", "batch: 3", false},
        {"1,2,no\n3,5,no\n4,1,no\n2,1,yes\n5,5,yes\n6,7,yes\n", "batch: 4, shuffle: false", false},
        {"1,2,no\n3,5,no\n4,1,no\n2,1,yes\n5,5,yes\n6,7,yes\n",
         "batch: 3, shuffle: false, sort: true", false},
        {"1,2,no\n2,1,yes\n3,5,no\n5,5,yes\n4,1,no\n6,7,yes\n", "batch: 3, shuffle: false", false},
    };
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        char text[256], table[128];
        snprintf(table, sizeof table, "a,b,y\n%s", orders[i].rows);
        write_text("t.csv", table);
        snprintf(text, sizeof text,
                 "model: [dense: {units: 2}]\ndata: {train: {csv: {path: t.csv}}, %s}\n"
                 "loss: cross_entropy\n",
                 orders[i].options);
        write_text("net.yaml", text);
        const ended *e = norma("check", "net.yaml");
        assert_code(e, 0);
        ck_assert_msg(!*e->err != orders[i].warned, "%zu: %s", i, e->err);
        ck_assert_msg(!orders[i].warned || strstr(e->err, "most batches of 3 are of one class"),
                      "%s", e->err);
    }
}
END_TEST

/* ---- A saved network by another name ---- */

START_TEST(a_saved_network_is_one_whatever_its_name)
{
    write_text("t.csv", "a,b,y\n1,2,no\n3,5,yes\n4,1,no\n");
    write_text("net.yaml", "model: [dense: {units: 2}]\ndata: {train: {csv: {path: t.csv}}}\n"
                           "loss: cross_entropy\ntrain: {epochs: 1}\n");
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "named"), 0);
    char *said = strdup(norma("predict", "named", "t.csv")->out);
    ck_assert_int_eq(rename(test_path("named/best.safetensors"), test_path("my net.bin")), 0);
    const ended *e = norma("predict", "my net.bin", "t.csv");
    assert_code(e, 0);
    ck_assert_str_eq(e->out, said);
    free(said);
    e = norma("predict", "nowhere", "t.csv");
    assert_code(e, 2);
    assert_says(e->err, "nowhere is not there, neither as a network's file nor as a run's folder");
}
END_TEST

/* ---- Samples of another scale, and another loss ---- */

START_TEST(samples_far_from_those_that_were_trained_on_are_warned_of)
{
    write_text("t.csv", "age,share,y\n20,0.1,no\n35,0.5,yes\n47,0.9,no\n61,0.3,yes\n");
    write_text("percent.csv", "age,share\n20,10\n35,50\n");
    write_text("like.csv", "age,share\n90,0.1\n35,1.5\n");
    write_text("net.yaml", "model: [dense: {units: 2}]\ndata: {train: {csv: {path: t.csv}}}\n"
                           "loss: cross_entropy\ntrain: {epochs: 1}\n");
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "scaled"), 0);
    const ended *e = norma("predict", "scaled", "percent.csv");
    assert_code(e, 0);
    ck_assert_str_eq(e->err,
                     "norma: the samples are far from those that were trained on: column \"share\" "
                     "is 30 on average, and was 0.45; do they have the same unit and scale?\n");
    ck_assert_str_eq(norma("predict", "scaled", "like.csv")->err, "");
    ck_assert_str_eq(norma("predict", "scaled", "t.csv")->err, "");
}
END_TEST

START_TEST(a_loss_of_the_other_kind_than_the_networks_is_refused)
{
    write_text("t.csv", "a,b,y\n1,2,0\n3,5,1\n4,1,0\n");
    const char *text = "model: [dense: {units: 2}]\ndata: {train: {csv: {path: t.csv}}}\n"
                       "loss: cross_entropy\ntrain: {epochs: 1}\n";
    write_text("net.yaml", text);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "other"), 0);
    const ended *e = norma("eval", "net.yaml", "--weights", "other", "--set", "loss=mse");
    assert_code(e, 2);
    assert_says(e->err,
                "the network was trained with the loss \"cross_entropy\", but its file says "
                "\"mse\"\n");
}
END_TEST

/* ---- Paths ---- */

START_TEST(a_path_may_begin_at_home)
{
    const char *const settings[] = {"data.train.npy={x: ~/vectors.npy, y: ~/labels.npy}"};
    write_data();
    ck_assert_int_eq(mkdir(test_path("elsewhere"), 0777), 0);
    write_text("elsewhere/net.yaml", "model: [dense: {units: 3}]\n"
                                     "data: {train: {npy: {x: ~/vectors.npy, y: ~/labels.npy}}}\n"
                                     "loss: cross_entropy\n"
                                     "train: {epochs: 1, optimizer: {sgd: {rate: 0.1}}}\n");
    const running_options home = {.variable = "HOME", .set_to = test_folder()};
    const ended *e = finish(start(WORDS("check", "elsewhere/net.yaml"), home));
    assert_code(e, 0);
    e = finish(start(WORDS("check", "elsewhere/net.yaml", "--set", settings[0]), home));
    assert_code(e, 0);
    e = finish(start(WORDS("train", "elsewhere/net.yaml", "--quiet", "--out", "home"), home));
    assert_code(e, 0);
    e = finish(start(WORDS("check", "home/network.yaml"), home));
    assert_code(e, 0);
}
END_TEST

START_TEST(a_path_that_is_no_home_or_nothing_says_so)
{
    write_data();
    const ended *e = check("  - dense: {units: 3}", "~joe/x", "labels");
    assert_code(e, 1);
    assert_says(e->err, "net.yaml:3:15: train: npy: cannot read ");
    assert_says(e->err, "~joe/x.npy: No such file or directory; ");
    e = norma("check", "net.yaml", "--set", "data.train.npy={x: ~, y: labels.npy}");
    assert_code(e, 2);
    assert_says(e->err, "--set:1:20: npy: \"x\" is ~, which in YAML is nothing; give it (path of ");
    e = norma("check", "net.yaml", "--set", "data.train.npy.x=");
    assert_code(e, 2);
    assert_says(e->err, "npy: \"x\" is empty; give it (path of ");
}
END_TEST

START_TEST(what_an_alias_repeats_is_told_once)
{
    write_data();
    const ended *e = check("  - &a {dense: {unts: 3}}\n  - *a\n  - *a\n", "vectors", "labels");
    assert_code(e, 2);
    const char *first = strstr(e->err, "unknown option \"unts\"");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(strstr(first + 1, "unknown option \"unts\""));
}
END_TEST

TEST_MAIN("models/remedies", what_a_message_about_shapes_advises_works,
          data_that_is_seldom_meant_is_warned_of_by_check_and_in_the_run,
          a_training_set_of_one_class_is_warned_of,
          data_that_lies_class_by_class_and_is_not_shuffled_is_warned_of,
          samples_far_from_those_that_were_trained_on_are_warned_of,
          a_loss_of_the_other_kind_than_the_networks_is_refused,
          a_saved_network_is_one_whatever_its_name, a_batch_of_one_sample_changes_no_message,
          what_is_seldom_right_is_warned_of_once_and_not_of_what_is_trained,
          targets_that_the_last_layer_cannot_come_to_are_counted,
          shares_that_the_last_layer_cannot_come_to_are_told, a_path_may_begin_at_home,
          a_path_that_is_no_home_or_nothing_says_so, what_an_alias_repeats_is_told_once)
