/* Mistakes that people make in a network's file: each message has the place, what is wrong and one
 * remedy, and the file passes when the remedy is followed. */
#include "models/config.h"
#include "tests/models/command_helpers.h"

/* ---- A file that is right ---- */

static const char right[] = "model:\n"
                            "  - conv2d: {channels: 4, kernel: 3}\n"
                            "  - batch_norm\n"
                            "  - relu\n"
                            "  - flatten\n"
                            "  - dense: {units: 16}\n"
                            "  - leaky_relu: {negative_slope: 0.2}\n"
                            "  - dropout: {p: 0.2}\n"
                            "  - dense: {units: 3}\n"
                            "data:\n"
                            "  train: {npy: {x: x.npy, y: y.npy}}\n"
                            "  batch: 8\n"
                            "loss: cross_entropy\n"
                            "train:\n"
                            "  epochs: 2\n"
                            "  optimizer: {sgd: {rate: 0.1}}\n";

static void write_array(nm_context *context, const char *name, nm_dtype dtype, nm_shape shape,
                        bool classes)
{
    nm_tensor *array = nm_tensor_create(context, dtype, shape);
    for (int64_t i = 0; i < nm_tensor_count(array); i++) {
        nm_tensor_set(array, i, classes ? (double)(i % 3) : 0.1 * (double)(i % 7));
    }
    ck_assert_int_eq(nm_npy_write(array, test_path(name)), NM_OK);
    nm_tensor_destroy(array);
}

static void write_data(void)
{
    nm_context *context = nm_context_create(NULL);
    write_array(context, "x.npy", NM_F32, NM_SHAPE(24, 8, 8, 2), false);
    write_array(context, "y.npy", NM_I32, NM_SHAPE(24), true);
    write_array(context, "short.npy", NM_I32, NM_SHAPE(20), true);
    write_array(context, "pairs.npy", NM_F32, NM_SHAPE(24, 2), false);
    nm_context_destroy(context);
    write_text("t.csv", "a,b,kind\n1,2,x\n2,1,y\n3,5,z\n4,4,x\n5,2,y\n6,1,z\n");
}

/* What the command would have said and ended with. */
typedef struct told {
    int code;
    char err[8192];
} told;

/* All that `norma check` does with net.yaml, in this process. */
static const told *check(void)
{
    static told t;
    nm_config config;
    nm_context *context = nm_open(NULL);
    if (nm_config_open(context, test_path("net.yaml"), NULL, 0, NM_NEED_WHOLE, &config) == NM_OK) {
        nm_trainer_setup setup = nm_config_setup(&config);
        nm_trainer_destroy(nm_trainer_create(context, &setup));
        nm_config_close(&config);
    }
    t.code = nm_context_status(context) == NM_OK ? 0 : 2;
    snprintf(t.err, sizeof t.err, "%s\n", nm_context_error(context));
    nm_close(context);
    return &t;
}

/* Writes the right file with `by` in place of the first `part`. */
static void write_with(const char *part, const char *by)
{
    char text[4096];
    const char *at = strstr(right, part);
    ck_assert_msg(at != NULL, "%s", part);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - right), right, by, at + strlen(part));
    write_text("net.yaml", text);
}

static const told *check_with(const char *part, const char *by)
{
    write_with(part, by);
    return check();
}

typedef struct mistake {
    const char *part, *wrong; /* of the right file, and what stands there instead */
    const char *says;         /* of the message, with the place */
    const char *mended;       /* as the message says; NULL: the file was right */
} mistake;

static void assert_mended(const mistake *cases, size_t count)
{
    write_data();
    for (size_t i = 0; i < count; i++) {
        const mistake *m = &cases[i];
        const told *e = check_with(m->part, m->wrong);
        ck_assert_msg(e->code == 2, "%s: %d", m->wrong, e->code);
        assert_says(e->err, m->says);
        e = check_with(m->part, m->mended ? m->mended : m->part);
        ck_assert_msg(e->code == 0, "%s: %s", m->wrong, e->err);
    }
}

/* ---- Names: what is suggested is put in place of what it is suggested for ---- */

/* As others spell it, or mistyped, each in the place of the first text in the file. */
static const char *const names[][2] = {
    {"dense: {units: 16}", "Dense: {units: 16}"},
    {"dense: {units: 16}", "Linear: {units: 16}"},
    {"dense: {units: 16}", "fc: {units: 16}"},
    {"units: 16", "unit: 16"},
    {"units: 16", "Units: 16"},
    {"units: 16", "out_features: 16"},
    {"units: 16", "units: 16, use_bias: false"},
    {"units: 16", "units: 16, init: kaiming"},
    {"units: 16", "units: 16, init: glorot_uniform"},
    {"conv2d", "Conv2D"},
    {"conv2d", "Conv2d"},
    {"conv2d", "conv"},
    {"channels: 4", "filters: 4"},
    {"channels: 4", "out_channels: 4"},
    {"kernel: 3", "kernel_size: 3"},
    {"kernel: 3", "kernel: 3, strides: 1"},
    {"kernel: 3", "kernel: 3, dilation_rate: 1"},
    {"batch_norm", "BatchNorm2d"},
    {"batch_norm", "BatchNormalization"},
    {"batch_norm", "batchnorm"},
    {"batch_norm", "bn"},
    {"batch_norm", "batch_norm: {epsilon: 1e-5}"},
    {"relu", "ReLU"},
    {"relu", "rleu"},
    {"leaky_relu: {negative_slope", "LeakyReLU: {negative_slope"},
    {"negative_slope", "slope"},
    {"negative_slope", "alpha"},
    {"flatten", "Flatten"},
    {"dropout: {p", "Dropout: {p"},
    {"p: 0.2", "rate: 0.2"},
    {"  - relu", "  - MaxPooling2D: {kernel: 2}"},
    {"  - relu", "  - AveragePooling2D: {kernel: 2}"},
    {"  - relu", "  - max_pool2d: {pool_size: 2}"},
    {"model:", "layers:"},
    {"model:", "Model:"},
    {"train:\n  epochs", "training:\n  epochs"},
    {"batch: 8", "batch_size: 8"},
    {"batch: 8", "batch: 8\n  validation_split: 0.2"},
    {"npy: {x", "npz: {x"},
    {"y: y.npy", "labels: y.npy"},
    {"cross_entropy", "CrossEntropyLoss"},
    {"cross_entropy", "sparse_categorical_crossentropy"},
    {"epochs", "epoch"},
    {"epochs", "num_epochs"},
    {"epochs: 2", "epochs: 2\n  scheduler: cosine"},
    {"epochs: 2", "epochs: 2\n  schedule: CosineAnnealingLR"},
    {"epochs: 2", "epochs: 2\n  metrics: [accuracy]"},
    {"epochs: 2", "epochs: 2\n  metric: acc"},
    {"epochs: 2", "epochs: 2\n  metric: f1_score"},
    {"epochs: 2", "epochs: 2\n  max_grad_norm: 1"},
    {"epochs: 2", "epochs: 2\n  gradient_accumulation_steps: 2"},
    {"optimizer", "optim"},
    {"sgd", "SGD"},
    {"rate: 0.1", "lr: 0.1"},
    {"rate: 0.1", "learning_rate: 0.1"},
};

/* "net.yaml:LINE:COLUMN: ...unknown ... "WRONG"; did you mean "MEANT"?": puts it into the file. */
static void follow(const char *message)
{
    char wrong[64], meant[64], text[4096];
    int line, column;
    size_t size;
    const char *unknown = strstr(message, "unknown "), *said = strstr(message, "; did you mean ");
    ck_assert_msg(unknown && said, "%s", message);
    ck_assert_int_eq(sscanf(strstr(message, "net.yaml:"), "net.yaml:%d:%d: ", &line, &column), 2);
    ck_assert_int_eq(sscanf(strchr(unknown, '"'), "\"%63[^\"]\"", wrong), 1);
    ck_assert_int_eq(sscanf(said, "; did you mean \"%63[^\"]\"?", meant), 1);
    char *file = read_text(test_path("net.yaml"), &size), *at = file;
    for (; line > 1; line--) {
        at = strchr(at, '\n') + 1;
    }
    at += column - 1;
    ck_assert_msg(strncmp(at, wrong, strlen(wrong)) == 0, "%s stands elsewhere", wrong);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - file), file, meant, at + strlen(wrong));
    write_text("net.yaml", text);
    free(file);
}

START_TEST(a_name_that_is_suggested_is_the_one_that_works)
{
    write_data();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const told *e = check_with(names[i][0], names[i][1]);
        ck_assert_msg(e->code == 2, "%s: %d", names[i][1], e->code);
        follow(e->err);
        e = check();
        ck_assert_msg(e->code == 0, "%s: %s", names[i][1], e->err);
    }
}
END_TEST

START_TEST(what_a_wrong_name_was_meant_for_is_not_called_missing_too)
{
    write_data();
    write_with("units: 16", "unit: 16");
    ck_assert_str_eq(norma("check", "net.yaml")->err,
                     "net.yaml:6:13: dense: unknown option \"unit\"; did you mean \"units\"?\n"
                     "    6 |   - dense: {unit: 16}\n"
                     "      |             ^\n");
    write_with("model:", "layers:");
    ck_assert_str_eq(norma("check", "net.yaml")->err,
                     "net.yaml:1:1: the file: unknown option \"layers\"; did you mean \"model\"?\n"
                     "    1 | layers:\n"
                     "      | ^\n");
    const told *e = check_with("channels: 4, kernel: 3", "filters: 4");
    assert_says(e->err, "\"kernel\" is missing");
    ck_assert_ptr_null(strstr(e->err, "\"channels\" is missing"));
}
END_TEST

static void assert_no_name(const nm_spec *spec)
{
    for (int i = 0; spec && i < spec->count; i++) {
        for (int k = 0; k < spec->count; k++) {
            ck_assert_msg(!nm_words_have(spec->options[i].also, spec->options[k].name), "%s: %s",
                          spec->name, spec->options[k].name);
        }
        for (const nm_advice *a = spec->advice; a && a->option; a++) {
            ck_assert_msg(a->value || !nm_words_have(a->option, spec->options[i].name), "%s: %s",
                          spec->name, spec->options[i].name);
        }
    }
}

START_TEST(what_others_call_a_thing_is_no_name_of_another_one)
{
    nm_context *context = nm_open(NULL);
    int with_words = 0;
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        for (int i = 0; i < nm_item_count(context, (nm_kind)kind); i++) {
            const nm_item *item = nm_item_at(context, (nm_kind)kind, i);
            with_words += item->also != NULL;
            assert_no_name(item->spec);
            for (int k = 0; k < nm_item_count(context, (nm_kind)kind); k++) {
                const char *name = nm_item_at(context, (nm_kind)kind, k)->name;
                ck_assert_msg(!nm_words_have(item->also, name), "%s: %s", item->name, name);
            }
        }
    }
    ck_assert_int_gt(with_words, 20);
    nm_context_destroy(context);
}
END_TEST

/* ---- What others write otherwise ---- */

static const mistake otherwise[] = {
    {"units: 16", "units: 16, activation: relu",
     "net.yaml:6:24: dense: unknown option \"activation\"; put the activation behind it, as a "
     "layer "
     "of its own\n",
     "units: 16}\n  - relu: {name: x"},
    {"units: 16", "in_features: 144, units: 16",
     "net.yaml:6:13: dense: unknown option \"in_features\"; leave it out: it follows from the "
     "samples\n",
     NULL},
    {"kernel: 3", "kernel: 3, in_channels: 2", "leave it out: it follows from the samples\n", NULL},
    {"kernel: 3", "kernel: 3, padding: half",
     "net.yaml:2:47: conv2d: \"padding\" must be an integer or same, not \"half\"",
     "kernel: 3, padding: same"},
    {"kernel: 3", "kernel: 3, padding: valid", "not \"valid\"; that is a padding of 0\n",
     "kernel: 3, padding: 0"},
    {"kernel: 3", "kernel: (3, 3)",
     "net.yaml:2:35: conv2d: \"kernel\" must be an integer, not \"(3\"; a list stands in brackets, "
     "as in [1, 2]\n",
     "kernel: [3, 3]"},
    {"- relu", "- activation: relu", "unknown layer \"activation\"; write relu\n", NULL},
    {"- relu", "- nn.ReLU()", "unknown layer \"nn.ReLU()\"; write relu\n", NULL},
    {"- relu", "- relu()", "unknown layer \"relu()\"; write relu\n", NULL},
    {"- relu", "- relu: true",
     "net.yaml:4:11: relu: expected a map of options, such as {name: ...}, or nothing, not "
     "\"true\"\n",
     "- relu:"},
    {"- relu", "- square", "unknown layer \"square\"; write op: {apply: square}\n",
     "- op: {apply: square}"},
    {"- flatten", "- reshape: [-1, 144]",
     "unknown layer \"reshape\"; write op: {apply: {reshape: {shape: ...}}}\n",
     "- op: {apply: {reshape: {shape: [-1, 144]}}}"},
    {"dense: {units: 16}", "dense{units: 16}",
     "unknown layer \"dense{units\"; write options behind a colon and a blank, as in dense: "
     "{units: "
     "...}\n",
     NULL},
    {"dense: {units: 16}", "nn.Linear(144, 16)",
     "write options behind a colon and a blank, as in dense: {units: ...}\n", NULL},
    {"{units: 16}", "16",
     "net.yaml:6:12: dense: expected a map of options, such as {units: 16}, not 16\n", NULL},
    {"dropout: {p: 0.2}", "dropout: 0.2", "such as {p: 0.2}, or nothing, not 0.2\n", NULL},
    {"epochs: 2", "epochs: 2\n  lr: 0.1",
     "net.yaml:16:3: train: unknown option \"lr\"; \"rate\" is an option of the optimizer "
     "\"sgd\"\n",
     NULL},
    {"epochs: 2", "epochs: 2\n  batch_size: 8", "\"batch\" is an option of the part \"data\"\n",
     NULL},
    {"batch: 8", "batch: 8\n  validation: {csv: {path: v.csv}}",
     "data: validation: unknown option \"csv\"; it holds rows of the training set out; put those "
     "of "
     "a file of its own behind them, and name them by `indices`\n",
     NULL},
    {"batch: 8", "batch: 8\n  epochs: 2", "\"epochs\" is an option of the part \"train\"\n", NULL},
    {"epochs: 2", "epochs: 2\n  patience: 3",
     "\"patience\" is an option of the part \"early_stopping\"\n",
     "epochs: 2\n  early_stopping: {patience: 3}"},
    {"epochs: 2", "epochs: 2\n  early_stopping: 5",
     "must be true, false or a map of options, such as {patience: 5}, not 5\n",
     "epochs: 2\n  early_stopping: {patience: 5}"},
    {"epochs: 2", "epochs: 2\n  device: cuda", "leave it out: Norma computes on the processor\n",
     NULL},
    {"batch: 8", "batch: 8\n  num_workers: 4", "leave it out: a thread prepares batches ahead",
     NULL},
    {"batch: 8", "batch: 8\n  normalize: true",
     "must be one of default, none, given, auto, not \"true\"; write auto, or leave it out\n",
     "batch: 8\n  normalize: auto"},
    {"loss: cross_entropy", "loss: {cross_entropy: {reduction: mean}}",
     "leave it out: the loss is the mean over a batch\n", "loss: {cross_entropy: {}}"},
    {"{sgd: {rate: 0.1}}", "{sgd: 0.1}", "such as {rate: 0.1}, not 0.1\n", NULL},
    {"{sgd: {rate: 0.1}}", "{sgd, rate: 0.1}", "or write {sgd: {rate: ...}}\n", NULL},
    {"{sgd: {rate: 0.1}}", "{name: sgd, rate: 0.1}", "or write {sgd: {rate: ...}}\n", NULL},
    {"{sgd: {rate: 0.1}}", "{type: sgd}", "write sgd: {rate: ...}\n", NULL},
    {"{sgd: {rate: 0.1}}", "sgd",
     "net.yaml:16:14: sgd: \"rate\" is missing (learning rate); add it\n", NULL},
    {"{npy: {x: x.npy, y: y.npy}}", "{npy: x.npy}", "such as {x: x.npy}, not \"x.npy\"\n", NULL},
    {"{npy: {x: x.npy, y: y.npy}}", "x.npy", "write {npy: {x: x.npy}}\n", NULL},
};

START_TEST(what_others_write_is_answered_with_what_works_here)
{
    assert_mended(otherwise, sizeof otherwise / sizeof *otherwise);
}
END_TEST

/* ---- Values ---- */

static const mistake values[] = {
    {"units: 16", "units: sixteen",
     "net.yaml:6:20: dense: \"units\" must be an integer, not \"sixteen\"\n", NULL},
    {"units: 16", "units: 0", "\"units\" must be at least 1 and at most 1e7, not 0\n", NULL},
    {"units: 16", "units: \"16\"", "not the quoted text \"16\"; remove the quotes\n", NULL},
    {"units: 16", "units: 16.5", "must be an integer, not 16.5\n", NULL},
    {"p: 0.2", "p: 1.2", "\"p\" must be at least 0 and below 1, not 1.2\n", NULL},
    {"p: 0.2", "p: 20%", "must be a number, not \"20%\"\n", NULL},
    {"p: 0.2", "p: 0,2", "a comma ends what stands before \"2\"; write a number with a point",
     NULL},
    {"rate: 0.1", "rate: -0.1", "\"rate\" must be above 0, not -0.1\n", NULL},
    {"epochs: 2", "epochs: 0", "\"epochs\" must be at least 1 and at most 1e9 or auto, not 0\n",
     NULL},
    {"batch: 8", "batch: 8\n  validation: 20", "must be at least 0 and below 1, not 20\n",
     "batch: 8\n  validation: 0.2"},
    {"kernel: 3", "kernel: 9", "make it smaller, or pad more\n", NULL},
    {"units: 3", "units: 1",
     "net.yaml:9:5: model: the data has 3 classes, and each takes an output, but the network ends "
     "with 1\n",
     NULL},
};

START_TEST(a_value_out_of_its_range_is_answered_with_the_range)
{
    assert_mended(values, sizeof values / sizeof *values);
}
END_TEST

/* ---- YAML ---- */

static const mistake yaml[] = {
    {"units: 16", "units:16",
     "net.yaml:6:13: dense: \"units:16\" has no blank behind its colon; put one there\n", NULL},
    {"batch: 8", "batch:8",
     "net.yaml:12:3: \"batch:8\" has no blank behind its colon; put one there\n", NULL},
    {"batch: 8", "batch 8",
     "net.yaml:12:3: \"batch 8\" is no key; write \"key: value\", or \"- item\" in a list\n", NULL},
    {"  - leaky_relu", "  -leaky_relu", "is no item of a list; put a blank behind its \"-\"\n",
     NULL},
    {"  - flatten", "  -flatten",
     "net.yaml:5:3: \"-flatten\" is no item of a list; put a blank behind its \"-\"\n", NULL},
    {"  - flatten", "    - flatten", "let each - stand below the one before it\n", NULL},
    {"  - relu", "- relu",
     "net.yaml:4:1: in the map that begins at 1:1: expected another \"key: value\" or the end; "
     "indent a key like the keys above it, an item like the items above it\n",
     NULL},
    {"  - relu", "\t- relu", "a tab cannot indent; use spaces\n", NULL},
    {"batch: 8", "batch: 8\n  batch: 16",
     "net.yaml:13:3: the key \"batch\" is there already, at 12:3; remove one of them\n", NULL},
    {"loss: cross_entropy", "loss: cross_entropy: {label_smoothing: 0.1}",
     "net.yaml:13:20: a second \": \" in one line; write {cross_entropy: {label_smoothing: 0.1}}, "
     "or "
     "put text in quotes\n",
     "loss: {cross_entropy: {label_smoothing: 0.1}}"},
    {"dense: {units: 16}", "dense: units: 16",
     "net.yaml:6:17: a second \": \" in one line; write {units: 16}, or put text in quotes\n",
     NULL},
    {"model:", "model",
     "net.yaml:2:11: a \": \" cannot stand here; put one behind the key in the line above\n", NULL},
    {"{x: x.npy, y: y.npy}}", "{x: x.npy, y: y.npy}",
     "in the map that begins at 11:10: expected \",\" or \"}\"; close the map with \"}\"", NULL},
    {"{x: x.npy, y: y.npy}}", "{x: x.npy y: y.npy}}", "put \",\" between its entries\n", NULL},
    {"loss: cross_entropy", "loss:", "net.yaml:1:1: the file has no part \"loss\"; add it\n", NULL},
};

START_TEST(yaml_that_is_not_meant_so_is_said_how_to_write)
{
    assert_mended(yaml, sizeof yaml / sizeof *yaml);
}
END_TEST

/* ---- Order and data ---- */

static const mistake data[] = {
    {"  - flatten\n", "",
     "net.yaml:5:5: model: the network ends with [6, 6, 3], but a sample has one label; put "
     "flatten "
     "before dense (line 5)\n",
     NULL},
    {"  - conv2d: {channels: 4, kernel: 3}", "  - flatten\n  - conv2d: {channels: 4, kernel: 3}",
     "net.yaml:3:5: layer \"conv1\": conv2d: its input [batch, 128] must be images, [batch, "
     "height, "
     "width, channels]; put it before flatten (line 2), or remove that\n",
     NULL},
    {"x: x.npy", "x: nowhere.npy", "net.yaml:11:10: train: npy: cannot read ", NULL},
    {"y: y.npy", "y: short.npy", "short.npy has shape [20], but ", NULL},
    {"y: y.npy", "y: x.npy", "of one-hot rows, numpy.argmax(y, -1) makes them)\n", NULL},
    {", y: y.npy", "",
     "the training set has no targets; give its labels or values: \"y\" of npy, "
     "\"labels\" of idx, \"target\" of csv\n",
     NULL},
    {"y: y.npy", "y: y.npy, classes: 2", "has label 2, but the 2 classes go from 0 to 1\n", NULL},
    {"x: x.npy", "x: t.csv",
     "t.csv: not an NPY file but text; read a table with csv: {path: ", NULL},
    {"y: y.npy", "y: .", "it is a folder\n", NULL},
};

START_TEST(a_wrong_order_and_wrong_data_are_told_from_each_other)
{
    assert_mended(data, sizeof data / sizeof *data);
}
END_TEST

TEST_MAIN("models/mistakes", a_name_that_is_suggested_is_the_one_that_works,
          what_a_wrong_name_was_meant_for_is_not_called_missing_too,
          what_others_call_a_thing_is_no_name_of_another_one,
          what_others_write_is_answered_with_what_works_here,
          a_value_out_of_its_range_is_answered_with_the_range,
          yaml_that_is_not_meant_so_is_said_how_to_write,
          a_wrong_order_and_wrong_data_are_told_from_each_other)
