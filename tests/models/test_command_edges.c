/* What stands at the edges of the command: names that are too long, arrays of every type, labels
 * that a network was not trained on, more classes than a matrix holds, a second signal. */
#include <math.h>

#include "tests/models/command_helpers.h"

/* An array file of `count` elements of `size` bytes in rows of `width`; 0: one axis. */
static void write_array(const char *name, const char *type, const void *data, int count, int width,
                        size_t size)
{
    static char file[1 << 16];
    char shape[40];
    snprintf(shape, sizeof shape, width ? "(%d, %d)" : "(%d,)", width ? count / width : count,
             width);
    memcpy(file, "\x93NUMPY\x01\x00\x76\x00", 10);
    memset(file + 10, ' ', 117);
    const int length = snprintf(
        file + 10, 117, "{'descr': '%s', 'fortran_order': False, 'shape': %s}", type, shape);
    file[10 + length] = ' ';
    file[127] = '\n';
    memcpy(file + 128, data, (size_t)count * size);
    test_write_file(test_path(name), file, 128 + (size_t)count * size);
}

#define WRITE(name, type, width, ...)                                                              \
    write_array(name, type, __VA_ARGS__, (int)(sizeof(__VA_ARGS__) / sizeof((__VA_ARGS__)[0])),    \
                width, sizeof((__VA_ARGS__)[0]))

/* A network of two inputs and `classes`, trained on arrays of `samples`, in folder `name`. */
static void train_on_arrays(const char *name, int classes, int samples)
{
    static float x[5000];
    static int y[2500];
    char text[512], out[64];
    for (int i = 0; i < samples; i++) {
        x[2 * i] = (float)(i % 7) - 3;
        x[2 * i + 1] = (float)(i % 5);
        y[i] = i % classes;
    }
    write_array("x.npy", "<f4", x, 2 * samples, 2, sizeof *x);
    write_array("y.npy", "<i4", y, samples, 0, sizeof *y);
    snprintf(text, sizeof text,
             "data: {train: {npy: {x: x.npy, y: y.npy}}}\nmodel: [{dense: {units: %d}}]\n"
             "loss: cross_entropy\ntrain: {epochs: 1, optimizer: {sgd: {rate: 0.1}}}\n",
             classes);
    snprintf(out, sizeof out, "%s.yaml", name);
    write_text(out, text);
    assert_code(norma("train", out, "--out", name, "--quiet"), 0);
}

START_TEST(a_name_that_is_too_long_is_an_error)
{
    static char name[5000];
    memset(name, 'n', sizeof name - 1);
    write_text("net.yaml", network);
    const char *const *const all[] = {
        WORDS("train", "net.yaml", "--out", name),
        WORDS("train", "net.yaml", "--out", name, "--folds", "2"),
        WORDS("train", "net.yaml", "--out", name, "--resume"),
        WORDS("train", name),
        WORDS("eval", name),
        WORDS("predict", name, "x.npy"),
        WORDS("check", name),
        WORDS("report", name),
        WORDS("plot", name),
        WORDS("quantize", name),
        WORDS("calibrate", name),
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const ended *e = finish(start(all[i], (running_options){0}));
        ck_assert_msg(e->code == 1 || e->code == 2, "%s: exit code %d", all[i][0], e->code);
        ck_assert_msg(strncmp(e->err, "norma: ", 7) == 0, "%s: %s", all[i][0], e->err);
    }
    const ended *e = norma("train", "net.yaml", "--out", name);
    assert_says(e->err, "norma: the folder's name is too long");
    name[300] = 0; /* no file system has such, though a path may be as long */
    e = norma("train", "net.yaml", "--out", name);
    assert_code(e, 1);
    assert_says(e->err, "File name too long");
}
END_TEST

START_TEST(a_file_in_the_place_of_the_runs_folder_is_named)
{
    write_text("net.yaml", network);
    write_text("runs", "no folder\n");
    const ended *e = norma("train", "net.yaml");
    assert_code(e, 1);
    assert_says(e->err, "cannot make the folder \"runs\": \"runs\" is a file");
    ck_assert_int_eq(unlink(test_path("runs")), 0);
    e = norma("train", "net.yaml", "--resume");
    assert_code(e, 2);
    assert_says(e->err, "no run of net.yaml is in runs/; there is nothing to resume");
}
END_TEST

START_TEST(samples_of_every_type_of_numbers_are_the_same_samples)
{
    train_on_arrays("types", 3, 60);
    static char wanted[2000];
    WRITE("f4.npy", "<f4", 2, (float[]){1, 2, 0, 3});
    WRITE("f8.npy", "<f8", 2, (double[]){1, 2, 0, 3});
    WRITE("i4.npy", "<i4", 2, (int[]){1, 2, 0, 3});
    WRITE("i8.npy", "<i8", 2, (int64_t[]){1, 2, 0, 3});
    WRITE("u1.npy", "|u1", 2, (unsigned char[]){1, 2, 0, 3});
    WRITE("i2.npy", "<i2", 2, (int16_t[]){1, 2, 0, 3});
    WRITE("f2.npy", "<f2", 2, (uint16_t[]){0x3c00, 0x4000, 0, 0x4200});
    WRITE("b.npy", ">f4", 2, (uint32_t[]){0x0000803f, 0x00000040, 0, 0x00004040});
    const ended *e = norma("predict", "types", "f4.npy");
    assert_code(e, 0);
    snprintf(wanted, sizeof wanted, "%.*s", (int)sizeof wanted - 1, e->out);
    static const char *const names[] = {"f8.npy", "i4.npy", "i8.npy", "u1.npy",
                                        "i2.npy", "f2.npy", "b.npy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        e = norma("predict", "types", names[i]);
        assert_code(e, 0);
        ck_assert_msg(strcmp(e->out, wanted) == 0, "%s: %s, not %s", names[i], e->out, wanted);
    }
    test_write_file(test_path("s.idx"), "\0\0\x08\x02\0\0\0\2\0\0\0\2\1\2\0\3", 16);
    e = norma("predict", "types", "s.idx");
    assert_code(e, 0);
    ck_assert_str_eq(e->out, wanted);
}
END_TEST

START_TEST(samples_that_are_no_numbers_are_refused_by_what_they_are)
{
    train_on_arrays("refuses", 3, 60);
    static const struct {
        const char *name, *part;
    } rows[] = {{"inf.npy", "sample 1 has an infinity among its values"},
                {"nan.npy", "sample 0 has"},
                {"none.npy", "it has no samples"},
                {"complex.npy", "the array holds complex numbers (<c8); save x.real and x.imag"}};
    WRITE("inf.npy", "<f4", 2, (float[]){1, 2, 0, -(float)HUGE_VALF});
    WRITE("nan.npy", "<f4", 2, (uint32_t[]){0x7fc00000, 0, 0, 0});
    write_array("none.npy", "<f4", "", 0, 2, 4);
    WRITE("complex.npy", "<c8", 2, (double[]){1, 2, 0, 3});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const ended *e = norma("predict", "refuses", rows[i].name);
        assert_code(e, 2);
        assert_says(e->err, rows[i].part);
        ck_assert_str_eq(e->out, "");
    }
}
END_TEST

START_TEST(labels_that_a_network_was_not_trained_on_are_named)
{
    train_on_arrays("labels", 3, 60);
    WRITE("two.npy", "<f4", 2, (float[]){1, 2, 0, 3});
    WRITE("nine.npy", "<i4", 0, (int[]){0, 9});
    WRITE("below.npy", "<i8", 0, (int64_t[]){0, -3});
    WRITE("half.npy", "<f4", 0, (float[]){0.5F, 1});
    WRITE("three.npy", "<i4", 0, (int[]){0, 1, 2});
    static const struct {
        const char *name, *part;
    } rows[] = {{"nine.npy", "sample 1 has label 9, but the 3 classes go from 0 to 2"},
                {"below.npy", "sample 1 has label -3, but the 3 classes go from 0 to 2"},
                {"half.npy", "sample 0 has 0.5 for a label; labels are integers"},
                {"three.npy", "3"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const ended *e = norma("eval", "labels", "--data", "two.npy", "--labels", rows[i].name);
        assert_code(e, 2);
        assert_says(e->err, rows[i].part);
    }
    const ended *e = norma("eval", "labels", "--data", "two.npy");
    assert_code(e, 2);
    assert_says(e->err, "two.npy has no targets to compare with");
}
END_TEST

START_TEST(of_more_classes_than_a_matrix_holds_there_is_none)
{
    train_on_arrays("many", 2001, 2100);
    const ended *e = norma("eval", "many", "--on", "train");
    assert_code(e, 0);
    assert_says(e->out, "classes no confusion matrix is kept.");
    e = norma("eval", "many", "--on", "train", "--json");
    assert_code(e, 0);
    const char *last;
    ck_assert_int_eq(json_lines(e->out, &last), 1);
    assert_says(last, "\"confusion\": null");
    e = norma("eval", "many", "--on", "train", "--out", "confusion.csv");
    ck_assert_int_ne(e->code, 0);
    ck_assert(!is_there("confusion.csv"));
}
END_TEST

/* Steps that take a while on any processor, of 500 billion operations by one thread, in 1 GB. */
#define WIDE "{dense: {units: 1500}}, "
#define WIDE_3 WIDE WIDE WIDE
static const char slow[] = "model: [" WIDE_3 WIDE_3 WIDE_3 WIDE_3 "{dense: {units: 2}}]\n"
                           "data: {train: {spirals: {points: 3000}}, batch: 3000}\n"
                           "loss: cross_entropy\n"
                           "train: {epochs: 100, optimizer: {sgd: {rate: 1e-9}}}\n";

START_TEST(a_second_interrupt_ends_a_run_at_once)
{
    write_text("net.yaml", slow);
    pid_t child = start(WORDS("train", "net.yaml", "--out", "twice"),
                        (running_options){.variable = "OMP_NUM_THREADS", .set_to = "1"});
    while (!is_there("twice/network.yaml")) {
        usleep(10000);
    }
    usleep(300000); /* in a step that takes a while */
    kill(child, SIGINT);
    usleep(700000);
    kill(child, SIGINT);
    const ended *e = finish(child);
    assert_code(e, -SIGINT);
}
END_TEST

TEST_MAIN("models/command_edges", a_name_that_is_too_long_is_an_error,
          a_file_in_the_place_of_the_runs_folder_is_named,
          samples_of_every_type_of_numbers_are_the_same_samples,
          samples_that_are_no_numbers_are_refused_by_what_they_are,
          labels_that_a_network_was_not_trained_on_are_named,
          of_more_classes_than_a_matrix_holds_there_is_none, a_second_interrupt_ends_a_run_at_once)
