/* `norma check` refuses a file if and only if `norma train` refuses it before its first step, with
 * the same message, which has a place. LAVIS#72. */
#include "tests/models/command_helpers.h"

/* ---- Three small files ---- */

#define TABLE                                                                                      \
    "model:\n"                                                                                     \
    "  - dense: {units: 8}\n"                                                                      \
    "  - batch_norm\n"                                                                             \
    "  - relu\n"                                                                                   \
    "  - dense: {units: 3}\n"                                                                      \
    "data:\n"                                                                                      \
    "  train: {spirals: {points: 90, classes: 3, seed: 1}}\n"                                      \
    "  test: {spirals: {points: 30, classes: 3, seed: 2}}\n"                                       \
    "  batch: 9\n"                                                                                 \
    "loss: cross_entropy\n"                                                                        \
    "train:\n"                                                                                     \
    "  epochs: 2\n"                                                                                \
    "  optimizer: {sgd: {rate: 0.01}}\n"

#define IMAGES                                                                                     \
    "model:\n"                                                                                     \
    "  - conv2d: {channels: 4, kernel: 3}\n"                                                       \
    "  - batch_norm\n"                                                                             \
    "  - relu\n"                                                                                   \
    "  - flatten\n"                                                                                \
    "  - dense: {units: 2}\n"                                                                      \
    "data:\n"                                                                                      \
    "  train: {npy: {x: images.npy, y: labels.npy}}\n"                                             \
    "  batch: 5\n"                                                                                 \
    "loss: cross_entropy\n"                                                                        \
    "train:\n"                                                                                     \
    "  epochs: 1\n"                                                                                \
    "  optimizer: {sgd: {rate: 0.01}}\n"

#define VALUES                                                                                     \
    "model:\n"                                                                                     \
    "  - dense: {units: 1}\n"                                                                      \
    "data:\n"                                                                                      \
    "  train: {csv: {path: values.csv, targets: values}}\n"                                        \
    "  batch: 4\n"                                                                                 \
    "loss: mse\n"                                                                                  \
    "train:\n"                                                                                     \
    "  epochs: 1\n"                                                                                \
    "  optimizer: {sgd: {rate: 0.01}}\n"

#define SAMPLES 12
#define SIDE 6

/* Images of bytes, with labels 0 and 1, and a table of two numbers and a value. */
static void write_data(void)
{
    nm_context *context = nm_open(NULL);
    nm_tensor *x = nm_tensor_create(context, NM_U8, NM_SHAPE(SAMPLES, SIDE, SIDE, 1));
    nm_tensor *y = nm_tensor_create(context, NM_I32, NM_SHAPE(SAMPLES));
    char text[1024] = "";
    for (int i = 0; i < SAMPLES * SIDE * SIDE; i++) {
        nm_tensor_set(x, i, i * 7 % 256);
    }
    for (int i = 0; i < SAMPLES; i++) {
        nm_tensor_set(y, i, i % 2);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d.5,%d,%d.25\n", i * 7 % 31,
                 i * i % 5, i % 3);
    }
    nm_tensor *points = nm_tensor_create(context, NM_F32, NM_SHAPE(SAMPLES, 2));
    nm_npy_write(points, test_path("points.npy"));
    nm_tensor_destroy(points);
    nm_npy_write(x, test_path("images.npy"));
    nm_npy_write(y, test_path("labels.npy"));
    write_text("values.csv", text);
    assert_fine(context);
    nm_tensor_destroy(x);
    nm_tensor_destroy(y);
    nm_close(context);
    write_text("table.yaml", TABLE);
    write_text("images.yaml", IMAGES);
    write_text("values.yaml", VALUES);
}

/* ---- The list ---- */

typedef struct situation {
    const char *file;
    const char *error; /* part of the message; NULL: it trains */
    const char *settings[4];
} situation;

#define TAB "table.yaml"
#define IMG "images.yaml"
#define VAL "values.yaml"

static const situation situations[] = {
    /* Nothing is wrong. */
    {TAB, NULL, {NULL}},
    {IMG, NULL, {NULL}},
    {VAL, NULL, {NULL}},
    {TAB, NULL, {"data.batch=1000"}},
    {TAB, NULL, {"train={epochs: 3}"}},
    {TAB, NULL, {"data.batch=89"}}, /* leaves one, which is merged */
    {TAB, NULL, {"data.batch=89", "data.last_batch=drop"}},
    {TAB, NULL, {"data.batch=89", "data.last_batch=merge"}},
    {TAB, NULL, {"data.batch=89", "data.last_batch=keep", "model.1=tanh"}},
    {TAB, NULL, {"data.batch=1", "model.1=tanh"}},
    {TAB, NULL, {"data.batch=1", "model.1={batch_norm: {frozen: true}}"}},
    {TAB, NULL, {"data.batch=1", "train.groups=[{match: 'bn1.*', frozen: true}]"}},
    {TAB, NULL, {"data.limit=1", "model.1=tanh"}},
    {TAB, NULL, {"data.mean=[1, 2]", "data.deviation=3"}},
    {TAB, NULL, {"data.validation=0.2"}},
    {TAB, NULL, {"data.validation={share: 0.2, stratify: false}"}},
    {TAB, NULL, {"data.validation={order: last}"}},
    {VAL, NULL, {"data.validation={share: 0.3, groups: 1}"}},
    {VAL, NULL, {"data.validation={share: 0.3, order: 0}"}},
    {TAB, NULL, {"data.normalize=auto"}},
    {TAB, NULL, {"train.groups=[{match: 'dense1.*', frozen: true}, {match: '*', rate: 2}]"}},
    {TAB, NULL, {"train.groups=[{match: 'bn1.running_*', frozen: true}]"}},
    {TAB, NULL, {"train.groups=[{match: '*', frozen: true}, {match: '*.bias', frozen: false}]"}},
    {TAB, NULL, {"train.groups=[]"}},
    {TAB, NULL, {"train.warmup={epochs: 0.5}"}},
    {TAB, NULL, {"train.warmup={steps: 19, start: 0.5}"}},
    {TAB, NULL, {"train.schedule=one_cycle"}},
    {TAB, NULL, {"train.schedule={step: {at: [1]}}"}},
    {TAB, NULL, {"train.metric={top_k_accuracy: {k: 2}}"}},
    {TAB, NULL, {"train.accumulate=100"}},
    {TAB, NULL, {"train.steps=3"}},
    {TAB, NULL, {"train.clip_norm=1", "train.clip_value=1", "train.anomaly=true"}},
    {TAB, NULL, {"train.precision=bf16"}},
    {TAB, NULL, {"train.early_stopping=true"}},
    {TAB, NULL, {"model.3.dense.units=5"}},
    {TAB, NULL, {"model.3={sequence: {body: [dense: {units: 3}, softmax]}}"}},
    {IMG, NULL, {"data.crop=2", "data.flip=true", "data.shift=5"}},
    {IMG, NULL, {"data.batch=1"}}, /* a channel has the values of all pixels */
    {IMG, NULL, {"data.batch=11", "data.last_batch=keep"}},
    {IMG, NULL, {"data.mean=0.5", "data.deviation=[0.2]"}},
    {VAL, NULL, {"train.metric=root_mean_squared_error"}},
    {VAL, NULL, {"data.batch=1"}},
    /* Parameters and groups */
    {TAB, "group \"dense9.*\" matches no", {"train.groups=[{match: 'dense9.*', frozen: true}]"}},
    {TAB,
     "did you mean \"bn1.scale\"",
     {"train.groups=[{match: '*'}, {match: bn1.scal, rate: 2}]"}},
    {TAB, "running statistics only", {"train.groups=[{match: 'bn1.running_*', rate: 2}]"}},
    {TAB, "all 6 parameters are frozen", {"train.groups=[{match: '*', frozen: true}]"}},
    {TAB, "\"rate\" must be at least 0", {"train.groups=[{match: '*', rate: -1}]"}},
    {TAB,
     "\"weight_decay\" must be a number or",
     {"train.groups=[{match: '*', weight_decay: no}]"}},
    {TAB, "\"match\" is missing", {"train.groups=[{rate: 1}]"}},
    {TAB, "expected a list such as", {"train.groups={match: '*'}"}},
    {TAB, "unknown option \"rat\"", {"train.groups=[{match: '*', rat: 1}]"}},
    {TAB,
     "has no parameters",
     {"model=[tanh]", "data.train.spirals.classes=2", "data.test.spirals.classes=2"}},
    {TAB, "\"rate\" must be above 0", {"train.optimizer.sgd.rate=0"}},
    {TAB, "\"rate\" is missing", {"train.optimizer=sgd"}},
    {TAB, "unknown optimizer \"adan\"", {"train.optimizer=adan"}},
    {TAB, "\"momentum\" must be", {"train.optimizer.sgd.momentum=1.5"}},
    /* Steps and schedules */
    {TAB, "leave nothing of the 20", {"train.warmup={epochs: 30}"}},
    {TAB, "leave nothing of the 20", {"train.warmup={steps: 20}"}},
    {TAB, "leave nothing of the 3", {"train.warmup={steps: 5}", "train.steps=3"}},
    {TAB,
     "leave nothing of the 2",
     {"train.warmup={epochs: 2}", "train.accumulate=100", "train.steps=2", "data.batch=90"}},
    {TAB, "\"start\" without a length", {"train.warmup={start: 0.1}"}},
    {TAB, "rises by itself", {"train.warmup={steps: 2}", "train.schedule=one_cycle"}},
    {TAB, "either \"every\" or \"at\"", {"train.schedule=step"}},
    {TAB, "either \"every\" or \"at\"", {"train.schedule={step: {every: 1, at: [1]}}"}},
    {TAB, "\"peak\" must be", {"train.schedule={one_cycle: {peak: 2}}"}},
    {TAB, "unknown schedule \"cosin\"", {"train.schedule=cosin"}},
    {TAB, "\"epochs\" must be at least 1", {"train.epochs=0"}},
    {TAB, "\"epochs\" must be an integer", {"train.epochs=1.5"}},
    {TAB, "\"steps\" must be at least 0", {"train.steps=-1"}},
    {TAB, "\"accumulate\" must be", {"train.accumulate=0"}},
    {TAB, "\"evaluate_every\" must be", {"train.evaluate_every=0"}},
    {TAB, "\"clip_norm\" must be at least 0", {"train.clip_norm=-1"}},
    {TAB, "\"epochs\" must be at least 1", {"train.epochs=-1"}},
    {TAB, "\"seed\" must be", {"train.seed=-1"}},
    {TAB, "\"patience\" must be", {"train.early_stopping={patience: 0}"}},
    {TAB, "\"best_by\" must be one of", {"train.best_by=f1"}},
    {TAB, "\"precision\" must be one of", {"train.precision=f16"}},
    {TAB, "unknown option \"epoch\"", {"train.epoch=3"}},
    /* Metrics and losses */
    {TAB, "is for values, the loss", {"train.metric=mean_absolute_error"}},
    {VAL, "is for class labels, the loss", {"train.metric=accuracy"}},
    {TAB, "unknown metric \"acuracy\"", {"train.metric=acuracy"}},
    {TAB, "top_k_accuracy: \"k\"", {"train.metric={top_k_accuracy: {k: 3}}"}},
    {TAB, "top_k_accuracy: \"k\"", {"train.metric=[accuracy, top_k_accuracy]"}},
    {TAB, "stands there twice", {"train.metric=[accuracy, accuracy]"}},
    {TAB, "\"k\" must be at least 1", {"train.metric={top_k_accuracy: {k: 0}}"}},
    {TAB, "it needs values to predict", {"loss=mse"}},
    {VAL, "it needs class labels", {"loss=cross_entropy"}},
    {VAL, "let layer \"dense1\" have units: 1", {"model.0.dense.units=2"}},
    {TAB, "\"label_smoothing\" must be", {"loss={cross_entropy: {label_smoothing: 2}}"}},
    {TAB, "unknown loss \"mes\"", {"loss=mes"}},
    /* Batches */
    {TAB, "batches of one sample cannot", {"data.batch=1"}},
    {TAB, "enlarge \"batch\"", {"data.batch=1", "model.1={residual: {body: [batch_norm]}}"}},
    {TAB, "there is no other", {"data.limit=1"}},
    {TAB, "the last batch of an epoch has 1 sample", {"data.batch=89", "data.last_batch=keep"}},
    {TAB, "\"last_batch\" says to drop", {"data.batch=1000", "data.last_batch=drop"}},
    {TAB,
     "at least two values a channel",
     {"data.batch=1", "model.1=tanh", "model.0.dense.weight_norm={init: data}"}},
    {TAB, "\"batch\" must be at least 1", {"data.batch=0"}},
    {TAB, "\"last_batch\" must be one of", {"data.last_batch=merged"}},
    /* How samples are prepared */
    {TAB, "\"mean\" has 3 numbers", {"data.mean=[1, 2, 3]"}},
    {TAB, "\"deviation\" has 3 numbers", {"data.deviation=[1, 2, 3]"}},
    {IMG, "\"mean\" has 2 numbers", {"data.mean=[1, 2]"}},
    {TAB, "\"deviation\"[0] must be", {"data.deviation=0"}},
    {TAB, "crop, flip and shift are for images", {"data.crop=1"}},
    {TAB, "crop, flip and shift are for images", {"data.flip=true"}},
    {TAB, "crop, flip and shift are for images", {"data.shift=1"}},
    {IMG, "\"crop\" of 6 pixels could leave nothing", {"data.crop=6"}},
    {IMG, "\"shift\" of 10 pixels could leave nothing", {"data.shift=10"}},
    {TAB, "\"normalize\" is auto", {"data.normalize=auto", "data.mean=1"}},
    /* Data */
    {TAB, "would leave one side empty", {"data.validation=0.001"}},
    {TAB, "validation: \"share\" must be", {"data.validation=1"}},
    {TAB, "is a \"test\" already", {"data.test_share=0.2"}},
    {VAL, "would leave one side empty", {"data.test_share=0.01"}},
    {TAB, "no column \"who\" to split by", {"data.validation={groups: who}"}},
    {TAB, "give one of them", {"data.validation={groups: who, order: last}"}},
    {TAB, "cannot read", {"data.validation={indices: none.txt}"}},
    {TAB, "is no row's number", {"data.validation={indices: table.yaml}"}},
    {VAL, "the targets are values", {"data.validation={stratify: true}"}},
    {VAL, "is the target", {"data.validation={groups: 2}", "data.train.csv.target=2"}},
    {VAL, "no column \"who\"", {"data.validation={order: who}"}},
    {TAB, "unknown data set \"spiral\"", {"data.train=spiral"}},
    {TAB, "cannot read", {"data.train={csv: {path: none.csv}}"}},
    {TAB, "class", {"data.test.spirals.classes=4"}},
    {IMG, "", {"data.test={npy: {x: labels.npy, y: labels.npy}}"}},
    {IMG, "no targets", {"data.train={npy: {x: images.npy}}"}},
    {IMG, "the test set has no targets", {"data.test={npy: {x: images.npy}}"}},
    {TAB, "the test set has no targets", {"data.test={npy: {x: points.npy}}"}},
    /* The model */
    {TAB, "each takes an output", {"model.3.dense.units=2"}},
    {TAB, "each takes an output", {"data.train.spirals.classes=10"}},
    {TAB, "unknown layer \"rleu\"", {"model.2=rleu"}},
    {TAB, "\"units\" must be at least 1", {"model.0.dense.units=0"}},
    {TAB, "conv2d", {"model.0={conv2d: {channels: 2, kernel: 3}}"}},
    {TAB, "the body makes", {"model.0={residual: {body: [dense: {units: 5}]}}"}},
    {IMG, "put flatten before dense (line 6)", {"model.3=tanh"}},
    {IMG, "kernel", {"model.0.conv2d.kernel=9"}},
    {TAB, "is the batch", {"model.1={batch_norm: {axis: 0}}"}},
    {TAB,
     "\"input\" is [3], but the samples are [2]",
     {"model={input: [3], layers: [dense: {units: 3}]}"}},
    /* Parts that are missing */
    {TAB, "no part \"loss\"", {"loss=null"}},
    {TAB, "no part \"data\"", {"data=null"}},
    {TAB, "no part \"model\"", {"model=null"}},
    {TAB, "unknown option \"trian\"", {"trian={epochs: 3}"}},
};

/* ---- Comparing ---- */

/* "12 | text", "--set | text", or the mark below it: the line that a message speaks of. */
static bool is_excerpt(const char *line)
{
    line += strspn(line, " 0123456789");
    line += strncmp(line, "--set ", 6) == 0 ? 6 : 0;
    return *line == '|' || *line == '\n';
}

/* Every line of a message begins with "FILE:LINE:COLUMN: ". */
static bool has_places(const char *message)
{
    while (*message) {
        const char *end = strchr(message, '\n');
        int line, column, length = 0;
        if (!is_excerpt(message) &&
            (sscanf(message, "%*[^:]:%d:%d:%n", &line, &column, &length) != 2 || !length)) {
            return false;
        }
        message = end ? end + 1 : "";
    }
    return true;
}

static const ended *run(const char *command, const situation *s)
{
    const char *words[16] = {command, s->file};
    int count = 2;
    for (int i = 0; i < 4 && s->settings[i]; i++) {
        words[count++] = "--set";
        words[count++] = s->settings[i];
    }
    if (strcmp(command, "train") == 0) {
        words[count++] = "--out";
        words[count++] = "run";
        words[count++] = "--quiet";
    }
    return finish(start(words, (running_options){0}));
}

/* What is left of a run, so that the next finds an empty folder. */
static bool was_begun(void)
{
    bool begun = is_there("run/checkpoint.safetensors");
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", test_path("run"));
    ck_assert_int_eq(system(command), 0);
    return begun;
}

/* What is wrong with what the two said; NULL: nothing. */
static const char *judge(const situation *s, int code, const char *message, const ended *trained,
                         bool begun)
{
    if (code != trained->code || (code != 0) != (s->error != NULL) || begun == (s->error != NULL)) {
        return s->error ? "it is not refused by both" : "it is not taken by both";
    }
    if (s->error && strcmp(message, trained->err) != 0) {
        return "the messages differ";
    }
    if (s->error && (!strstr(message, s->error) || !has_places(message))) {
        return "the message is another, or has no place";
    }
    return NULL;
}

/* Adds a report if something is wrong. */
static void compare(const situation *s, char report[MAX_TEXT])
{
    static char message[MAX_TEXT];
    const ended *e = run("check", s);
    int code = e->code;
    strcpy(message, e->err);
    e = run("train", s);
    const char *wrong = judge(s, code, message, e, was_begun());
    size_t length = strlen(report);
    if (wrong && length < MAX_TEXT / 2) {
        snprintf(report + length, 8192,
                 "%.80s, %.400s: %.80s\ncheck (%d): %.2000strain (%d): %.2000s\n", s->file,
                 s->settings[0] ? s->settings[0] : "as it is", wrong, code, message, e->code,
                 e->err);
    }
}

START_TEST(check_refuses_what_training_would_refuse_and_nothing_else)
{
    static char report[MAX_TEXT];
    write_data();
    for (int i = 0; i < NM_COUNT_OF(situations); i++) {
        compare(&situations[i], report);
    }
    ck_assert_msg(!*report, "\n%.4000s", report); /* Check takes no more */
}
END_TEST

START_TEST(a_file_of_nothing_but_a_model_is_checked_as_one)
{
    write_text("model.yaml", "model: {input: [4], layers: [dense: {units: 2}]}\n");
    assert_code(norma("check", "model.yaml"), 0);
    assert_code(norma("train", "model.yaml"), 2);
}
END_TEST

START_TEST(check_tells_what_groups_come_out_as)
{
    write_text("table.yaml", TABLE);
    const ended *e = norma("check", "table.yaml", "--set",
                           "train.groups=[{match: '*', rate: 0.5}, {match: '*.bias', weight_decay: "
                           "0.25}, {match: 'bn1.*', frozen: true}]");
    assert_code(e, 0);
    assert_says(e->out, "dense1.bias                  8            0.005         0.25\n");
    assert_says(e->out, "dense1.weight               16            0.005            0\n");
    assert_says(e->out, "bn1.running_mean             8           frozen\n");
    assert_says(e->out, "Training: 90 samples, 10 batches of 9 an epoch; 20 updates.\n");
    e = norma("check", "table.yaml", "--set", "data.batch=89");
    assert_says(e->out, "90 samples, 1 batch of 90 an epoch");
    e = norma("check", "table.yaml", "--set", "data.batch=29");
    assert_says(e->out, "4 batches of 29 an epoch, the last of 3;");
}
END_TEST

START_TEST(what_is_right_but_seldom_meant_is_a_warning_of_check_and_of_the_run)
{
    static const char *const commands[] = {"check", "train"};
    write_text("table.yaml", TABLE);
    for (int i = 0; i < 2; i++) {
        const situation softmax = {TAB,
                                   NULL,
                                   {"model.3={sequence: {body: [dense: {units: 3}, softmax, "
                                    "dropout: {p: 0.5}]}}"}};
        const ended *e = run(commands[i], &softmax);
        assert_code(e, 0);
        assert_says(e->err,
                    "--set:1:47: layer \"sequence1.softmax1\": the loss \"cross_entropy\" takes a "
                    "softmax itself");
        assert_says(e->err, "no probability above 0.5761");
        was_begun();
        const situation outputs = {TAB, NULL, {"model.3.dense.units=7"}};
        e = run(commands[i], &outputs);
        assert_code(e, 0);
        assert_says(e->err, "table.yaml:5:5: model: the network has 7 outputs for the 3 classes");
        was_begun();
        const situation op = {
            TAB, NULL, {"model.3={op: {apply: log_softmax}}", "model.0.dense.units=3"}};
        e = run(commands[i], &op);
        assert_code(e, 0);
        assert_says(e->err, "layer \"op1\": the loss \"cross_entropy\" takes a log_softmax itself");
        was_begun();
    }
}
END_TEST

TEST_MAIN("models/check_train", check_refuses_what_training_would_refuse_and_nothing_else,
          a_file_of_nothing_but_a_model_is_checked_as_one, check_tells_what_groups_come_out_as,
          what_is_right_but_seldom_meant_is_a_warning_of_check_and_of_the_run)
