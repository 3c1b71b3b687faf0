/* The command as a user sees it: what goes to standard output and error, exit codes, mistakes,
 * help, and the subcommands that do not train. test_command_train.c has those that do. */
#include "tests/models/command_helpers.h"

/* ---- Words it does not know ---- */

START_TEST(a_misspelt_word_is_told_with_the_one_that_was_meant)
{
    static const struct {
        const char *const words[4], *says;
    } cases[] = {
        {{"trian"}, "norma: unknown command \"trian\"; did you mean \"train\"?\n"},
        {{"xyzzy"}, "norma: unknown command \"xyzzy\"; `norma help` lists them\n"},
        {{"train", "--quite", "x"},
         "norma: train: unknown option --quite; did you mean --quiet?\n"},
        {{"train", "x", "--zzzzzz"},
         "norma: train: unknown option --zzzzzz; `norma help train` lists them\n"},
        {{"train", "x", "--epochs=3"},
         "norma: train: unknown option --epochs; it is set in the file, or by --set "
         "train.epochs=VALUE\n"},
        {{"train", "x", "--seed"}, /* not --seeds */
         "norma: train: unknown option --seed; it is set in the file, or by --set "
         "train.seed=VALUE\n"},
        {{"find-rate", "x", "--batch-size"},
         "norma: find-rate: unknown option --batch-size; it is set in the file, or by --set "
         "data.batch=VALUE\n"},
        {{"train", "x", "--out"}, "norma: train: --out needs a value: --out DIR\n"},
        {{"train", "x", "--json=1"}, "norma: train: --json takes no value\n"},
        {{"train"}, "norma: train: an argument is missing; usage: norma train FILE\n"},
        {{"check", "a", "b"}, "norma: check: too many arguments; usage: norma check NETWORK\n"},
        {{"help", "batchnorm"},
         "norma: nothing is called \"batchnorm\"; did you mean \"batch_norm\"?\n"},
        {{"help", "gradchek"},
         "norma: nothing is called \"gradchek\"; did you mean \"gradcheck\"?\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ended *e = finish(start(cases[i].words, (running_options){0}));
        assert_code(e, 2);
        ck_assert_str_eq(e->err, cases[i].says);
        ck_assert_str_eq(e->out, "");
    }
}
END_TEST

START_TEST(behind_two_dashes_everything_is_a_name)
{
    const ended *e = norma("check", "--", "--help");
    assert_code(e, 1);
    ck_assert_str_eq(e->err, "norma: cannot read \"--help\": No such file or directory\n");
}
END_TEST

START_TEST(names_that_would_steer_the_terminal_are_spelled)
{
    static const char name[] = "x\x1b[31m\xc2\x9b"
                               "1m\xff\xe2\x80\xae";
    static const char shown[] = "x\\x1b[31m\\x9b1m\\xff\\u202e";
    const ended *e = norma("check", name);
    assert_code(e, 1);
    assert_says(e->err, shown);
    ck_assert(!strpbrk(e->err, "\x1b\xff\x9b"));
    e = norma(name);
    assert_code(e, 2);
    assert_says(e->err, shown);
    ck_assert(!strpbrk(e->err, "\x1b\xff\x9b"));
}
END_TEST

/* ---- Mistakes in files ---- */

START_TEST(a_mistake_begins_its_line_with_its_place)
{
    write_text("wrong.yaml", "model:\n"
                             "  - conv2d: {filters: 4, kernal: 3}\n");
    const ended *e = norma("check", "wrong.yaml");
    assert_code(e, 2);
    ck_assert_str_eq(e->out, "");
    assert_says(e->err, "wrong.yaml:2:26: conv2d: unknown option \"kernal\"; did you mean "
                        "\"kernel\"?\n");
    ck_assert_int_eq(strncmp(e->err, "wrong.yaml:2:", 13), 0);
}
END_TEST

START_TEST(several_mistakes_come_at_once)
{
    const ended *e = norma("check", "--set", "train.epohcs=3", "--set", "loss=crossentropy",
                           "net.yaml", "--set", "model.0.dense.unts=4");
    assert_code(e, 1); /* it is not there yet */
    write_text("net.yaml", network);
    e = norma("train", "--set", "train.epohcs=3", "--set", "loss=crossentropy", "net.yaml");
    assert_code(e, 2);
    assert_says(e->err, "unknown option \"epohcs\"; did you mean \"epochs\"?\n");
    assert_says(e->err, "did you mean \"cross_entropy\"?\n");
    ck_assert(!is_there("runs"));
}
END_TEST

START_TEST(a_shape_that_does_not_fit_names_the_layer_and_both_shapes)
{
    write_text("shapes.yaml", "model:\n"
                              "  input: [8, 6]\n"
                              "  layers:\n"
                              "    - residual: {body: [dense: {units: 5}]}\n");
    const ended *e = norma("check", "shapes.yaml");
    assert_code(e, 2);
    assert_says(e->err, "shapes.yaml:");
    assert_says(e->err, "residual");
    assert_says(e->err, "8, 6]");
    assert_says(e->err, "8, 5]");
}
END_TEST

/* A network on the data set `data`. */
static void write_network_on(const char *data)
{
    char text[1024];
    snprintf(text, sizeof text,
             "model: [dense: {units: 3}]\n"
             "data: {train: {%s}, batch: 2}\n"
             "loss: cross_entropy\n"
             "train: {epochs: 1, optimizer: {sgd: {rate: 0.1}}}\n",
             data);
    write_text("data.yaml", text);
}

START_TEST(broken_data_gives_one_clear_line)
{
    static const char magic[] = "\0\0\x08", image[] = "\0\0\x08\x01\0\0\0\x04"
                                                      "ab";
    test_write_file(test_path("magic.idx"), "GIF89a, and so on", 17);
    test_write_file(test_path("short.idx"), magic, 3);
    test_write_file(test_path("cut.idx"), image, 10);
    write_text("nan.csv", "1,2,0\n3,nan,1\n");
    write_text("label.csv", "1,2,0\n3,4,7\n");
    write_text("cut.npy", "\x93NUMPY");
    static const struct {
        const char *data, *says;
        int code;
    } cases[] = {
        {"csv: {path: none.csv}", "none.csv", 1},
        {"csv: {path: nan.csv}", "nan.csv:2:", 2},
        {"csv: {path: label.csv, classes: 3}", "label 7, but the 3 classes go from 0 to 2", 2},
        {"idx: {images: magic.idx}", "magic.idx", 2},
        {"idx: {images: short.idx}", "short.idx", 2},
        {"idx: {images: cut.idx}", "cut.idx", 2},
        {"npy: {x: cut.npy}", "cut.npy", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_network_on(cases[i].data);
        const ended *e = norma("train", "data.yaml", "--out", "broken");
        assert_code(e, cases[i].code);
        assert_says(e->err, cases[i].says);
        const char *more = strchr(e->err, '\n') + 1; /* an excerpt: the line, the caret */
        ck_assert(strstr(more, " | ") != NULL && strchr(more, '^') != NULL);
        more = strchr(strchr(more, '\n') + 1, '\n');
        ck_assert_ptr_eq(more, e->err + strlen(e->err) - 1);
        ck_assert(!is_there("broken"));
    }
}
END_TEST

/* ---- Standard output ---- */

START_TEST(output_that_cannot_be_written_is_a_failure)
{
    write_text("net.yaml", network);
    static const char *const places[] = {"/dev/full", "-"};
    static const char *const commands[][6] = {
        {"ops"},
        {"version"},
        {"help", "relu"},
        {"check", "net.yaml", "--json"},
        {"train", "net.yaml", "--json", "--out", "unheard"},
    };
    for (size_t i = 0; i < 2 * sizeof commands / sizeof *commands; i++) {
        write_text("stdout", "");
        const ended *e = finish(start(commands[i / 2], (running_options){.out = places[i % 2]}));
        assert_code(e, 1);
        const char *message = strstr(e->err, "norma: cannot write to standard output");
        ck_assert_msg(message != NULL, "%s said \"%s\"", commands[i / 2][0], e->err);
        ck_assert_ptr_null(strstr(message + 1, "norma:")); /* it is told once */
        static const char *const left[] = {"unheard/checkpoint.safetensors",
                                           "unheard/best.safetensors", "unheard/network.yaml",
                                           "unheard/log.jsonl"};
        for (int n = 0; n < 4; n++) {
            unlink(test_path(left[n]));
        }
    }
}
END_TEST

/* ---- check ---- */

START_TEST(check_adds_up_what_the_layers_cost)
{
    write_text("net.yaml", network);
    const ended *e = norma("check", "net.yaml");
    assert_code(e, 0);
    ck_assert_str_eq(e->err, "");
    /* 2 x 16 weights, scale and shift of 16, 16 x 2 weights and 2 biases */
    assert_says(e->out, "dense1  dense        [16]                         32               32");
    assert_says(e->out, "total                [2]                          98               64");
    const char *last = "";
    e = norma("check", "net.yaml", "--json", "--set", "model.0.dense.units=1000");
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 7); /* the sample, the target, then the layers */
    double sum = 0;
    for (const char *line = strstr(e->out, "{\"layer\""); line < last;
         line = strchr(line, '\n') + 1) {
        sum += json_field(line, "parameters");
    }
    ck_assert_double_eq(sum, 2 * 1000 + 2 * 1000 + 1000 * 2 + 2);
    ck_assert_double_eq(json_field(last, "parameters"), sum);
    ck_assert_double_eq(json_field(last, "multiply_adds"), 4000);
    assert_says(last, "\"layer\": \"total\"");
}
END_TEST

START_TEST(large_numbers_are_grouped)
{
    write_text("net.yaml", network);
    const ended *e = norma("check", "net.yaml", "--set", "model.0.dense.units=1000000");
    assert_code(e, 0);
    assert_says(e->out, " 6 000 002 ");
    assert_says(e->out, "MiB");
}
END_TEST

/* ---- help ---- */

START_TEST(everything_registered_has_help)
{
    nm_context *context = nm_open(NULL);
    const ended *ops = norma("ops");
    assert_code(ops, 0);
    for (int i = 0; i < nm_item_count(context, NM_KIND_OP); i++) {
        char start_of_line[64];
        snprintf(start_of_line, sizeof start_of_line, "  %s ",
                 nm_item_at(context, NM_KIND_OP, i)->name);
        assert_says(ops->out, start_of_line);
    }
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        for (int i = 0; i < nm_item_count(context, (nm_kind)kind); i++) {
            const nm_item *item = nm_item_at(context, (nm_kind)kind, i);
            char heading[256];
            snprintf(heading, sizeof heading, "%s (%s): %s\n", item->name,
                     nm_kind_name((nm_kind)kind), item->summary);
            const ended *e = norma("help", item->name);
            assert_code(e, 0);
            assert_says(e->out, heading);
            for (int n = 0; item->spec && n < item->spec->count; n++) {
                assert_says(e->out, item->spec->options[n].name);
            }
            ck_assert_ptr_null(strchr(e->out, '\033')); /* it is not a terminal */
        }
    }
    nm_close(context);
}
END_TEST

START_TEST(every_command_tells_its_usage_in_two_ways)
{
    static const char *const names[] = {"train", "eval",       "predict", "check",
                                        "ops",   "bench",      "help",    "gradcheck",
                                        "op",    "completion", "version"};
    const ended *e = norma("--help");
    assert_code(e, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char usage[64], line[64];
        snprintf(line, sizeof line, "\n  %s ", names[i]);
        assert_says(norma("help")->out, line);
        snprintf(usage, sizeof usage, "usage: norma %s ", names[i]);
        char *first = strdup(norma("help", names[i])->out);
        assert_says(first, usage);
        e = norma(names[i], "--help");
        assert_code(e, 0);
        ck_assert_str_eq(e->out, first);
        free(first);
    }
}
END_TEST

START_TEST(the_completion_is_a_script_that_bash_reads)
{
    const ended *e = norma("completion");
    assert_code(e, 0);
    write_text("completion.bash", e->out);
    char line[512];
    snprintf(line, sizeof line, "bash -n '%s'", test_path("completion.bash"));
    ck_assert_int_eq(system(line), 0);
}
END_TEST

START_TEST(the_version_is_one_line_and_needs_no_file)
{
    const ended *e = norma("version");
    assert_code(e, 0);
    ck_assert_int_eq(strncmp(e->out, "norma ", 6), 0);
    ck_assert_ptr_eq(strchr(e->out, '\n'), e->out + strlen(e->out) - 1);
    char *version = strdup(e->out);
    ck_assert_str_eq(norma("--version")->out, version);
    free(version);
}
END_TEST

/* ---- gradcheck, op ---- */

START_TEST(gradcheck_tells_the_errors_of_an_op)
{
    const ended *e = norma("gradcheck", "mul", "tanh", "--json");
    const char *last = "";
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 2);
    assert_says(last, "\"op\": \"tanh\"");
    ck_assert_double_gt(json_field(last, "samples"), 0);
    ck_assert_double_gt(json_field(last, "first_order_error"), 0); /* differences are not exact */
    ck_assert_double_lt(json_field(last, "first_order_error"), 1e-4);
    e = norma("gradcheck", "batch_nrom");
    assert_code(e, 2);
    assert_says(e->err, "did you mean \"batch_norm\"?");
}
END_TEST

static void write_array(nm_context *context, const char *name, float a, float b)
{
    nm_tensor *tensor = nm_tensor_create(context, NM_F32, NM_SHAPE(2));
    nm_tensor_set(tensor, 0, a);
    nm_tensor_set(tensor, 1, b);
    ck_assert_int_eq(nm_npy_write(tensor, test_path(name)), NM_OK);
    nm_tensor_destroy(tensor);
}

static void assert_array(nm_context *context, const char *name, double a, double b)
{
    nm_tensor *tensor = nm_npy_read(context, test_path(name));
    assert_fine(context);
    ck_assert_int_eq(nm_tensor_count(tensor), 2);
    ck_assert_double_eq(nm_tensor_get(tensor, 0), a);
    ck_assert_double_eq(nm_tensor_get(tensor, 1), b);
    nm_tensor_destroy(tensor);
}

START_TEST(op_runs_forward_and_backward_on_files)
{
    nm_context *context = nm_open(NULL);
    write_array(context, "a.npy", 1, 2);
    write_array(context, "b.npy", 3, 4);
    write_array(context, "gy.npy", 1, 10);
    const ended *e = norma("op", "mul", "--in", "a.npy", "--in=b.npy", "--out", "y.npy",
                           "--grad-out", "gy.npy", "--grad-in", "ga.npy", "--grad-in", "gb.npy");
    assert_code(e, 0);
    ck_assert_str_eq(e->out, "");
    ck_assert_str_eq(e->err, "y f32 [2]\n");
    assert_array(context, "y.npy", 3, 8);
    assert_array(context, "ga.npy", 3, 40);
    assert_array(context, "gb.npy", 1, 20);
    /* one gradient left out, and an option */
    e = norma("op", "sub", "--in", "a.npy", "--in", "b.npy", "--grad-out", "gy.npy", "--grad-in",
              "-", "--grad-in", "gs.npy");
    assert_code(e, 0);
    assert_array(context, "gs.npy", -1, -10);
    e = norma("op", "leaky_relu", "--in", "gs.npy", "--attrs", "{negative_slope: 0.5}", "--out",
              "l.npy");
    assert_code(e, 0);
    assert_array(context, "l.npy", -0.5, -5);
    nm_close(context);
}
END_TEST

START_TEST(op_says_what_does_not_fit)
{
    nm_context *context = nm_open(NULL);
    write_array(context, "a.npy", 1, 2);
    nm_close(context);
    static const struct {
        const char *const words[12], *says;
    } cases[] = {
        {{"op", "relo", "--in", "a.npy"}, "did you mean \"relu\"?"},
        {{"op", "mul", "--in", "a.npy"}, "mul"},
        {{"op", "relu", "--in", "a.npy", "--in", "a.npy"}, "relu"},
        {{"op", "leaky_relu", "--in", "a.npy", "--attrs", "{slope: 1}"},
         "did you mean \"negative_slope\"?"},
        {{"op", "relu", "--in", "a.npy", "--out", "y.npy", "--out", "z.npy"}, "1 output"},
        {{"op", "relu", "--in", "a.npy", "--grad-in", "g.npy"}, "--grad-in needs a --grad-out"},
        {{"op", "relu", "--in", "a.npy", "--grad-out", "a.npy", "--grad-out", "a.npy"},
         "relu: it takes at most 1 of --grad-out"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ended *e = finish(start(cases[i].words, (running_options){0}));
        assert_code(e, 2);
        assert_says(e->err, cases[i].says);
    }
    ck_assert(!is_there("z.npy"));
    ck_assert(!is_there("g.npy"));
}
END_TEST

TEST_MAIN("models/command", a_misspelt_word_is_told_with_the_one_that_was_meant,
          behind_two_dashes_everything_is_a_name, names_that_would_steer_the_terminal_are_spelled,
          a_mistake_begins_its_line_with_its_place, several_mistakes_come_at_once,
          a_shape_that_does_not_fit_names_the_layer_and_both_shapes,
          broken_data_gives_one_clear_line, output_that_cannot_be_written_is_a_failure,
          check_adds_up_what_the_layers_cost, large_numbers_are_grouped,
          everything_registered_has_help, every_command_tells_its_usage_in_two_ways,
          the_completion_is_a_script_that_bash_reads, the_version_is_one_line_and_needs_no_file,
          gradcheck_tells_the_errors_of_an_op, op_runs_forward_and_backward_on_files,
          op_says_what_does_not_fit)
