/* Under a message with a place: the line and a caret, whatever the line is made of. */
#include <sys/ioctl.h>
#include <time.h>

#include "tests/models/command_helpers.h"

/* What norma check says about a file. */
static const char *check(const char *name, const char *text)
{
    write_text(name, text);
    const ended *e = norma("check", name);
    assert_code(e, 2);
    ck_assert_str_eq(e->out, "");
    return e->err;
}

START_TEST(a_mistake_shows_its_line_with_a_caret)
{
    const char *said = check("net.yaml", "model:\n"
                                         "  input: [3]\n"
                                         "  layers:\n"
                                         "    - dense: {units: 3, bios: true}\n");
    ck_assert_str_eq(said, "net.yaml:4:25: dense: unknown option \"bios\"; did you mean \"bias\"?\n"
                           "    4 |     - dense: {units: 3, bios: true}\n"
                           "      |                         ^\n");
}
END_TEST

START_TEST(wide_characters_tabs_and_marks_do_not_shift_the_caret)
{
    static const struct {
        const char *line, *shown;
    } cases[] = {
        {"[dense: {units: 3, \"\u6570\u5b57\": 1, bios: 2}]",
         "    1 | model: [dense: {units: 3, \"\u6570\u5b57\": 1, bios: 2}]\n"
         "      |                                      ^\n"},
        {"[dense: {units: 3,\t\tbios: 2}]", "    1 | model: [dense: {units: 3,  bios: 2}]\n"
                                            "      |                            ^\n"},
        {"[dense: {units: 3, \"e\u0301\U0001F600\": 1, bios: 2}]",
         "    1 | model: [dense: {units: 3, \"e\u0301\U0001F600\": 1, bios: 2}]\n"
         "      |                                     ^\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "model: %s\n", cases[i].line);
        const char *said = strstr(check("wide.yaml", text), "\"bios\"; did you mean \"bias\"?\n");
        ck_assert_ptr_nonnull(said);
        ck_assert_int_eq(strncmp(strchr(said, '\n') + 1, cases[i].shown, strlen(cases[i].shown)),
                         0);
    }
}
END_TEST

START_TEST(lines_end_as_in_yaml_and_a_byte_order_mark_is_no_column)
{
    static const char *const files[] = {
        "model:\r\n - dense: {units: 3, bios: 2}\r\n", "model:\r - dense: {units: 3, bios: 2}\r",
        "\xEF\xBB\xBFmodel:\n - dense: {units: 3, bios: 2}",
        "\xEF\xBB\xBF# \xE2\x80\xA8model: [dense: {units: 3, bios: 2}]"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *said = check("ends.yaml", files[i]);
        assert_says(said, i < 3 ? "    2 |  - dense: {units: 3, bios: 2}\n"
                                  "      |                      ^\n"
                                : "    2 | model: [dense: {units: 3, bios: 2}]\n"
                                  "      |                           ^\n");
    }
}
END_TEST

/* The part of the shown line above the caret. */
static void assert_caret_is_under(const char *said, const char *what)
{
    const char *line = strstr(said, " | "), *caret = line ? strstr(line + 3, " | ") : NULL;
    ck_assert_msg(caret != NULL, "nothing is shown: %s", said);
    size_t column = caret ? strcspn(caret + 3, "^") : 0;
    ck_assert_msg(strncmp(line + 3 + column, what, strlen(what)) == 0, "%s", said);
}

START_TEST(a_long_line_is_cut_around_the_mistake)
{
    static const int before[] = {0, 1, 5, 60, 100, 500, 3000};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        char *text = malloc(70000), *at = text + sprintf(text, "model: [");
        for (int n = 0; n < before[i]; n++) {
            at += sprintf(at, "relu, ");
        }
        at += sprintf(at, "bogus%zu", i);
        for (int n = 0; n < 500; n++) {
            at += sprintf(at, ", tanh");
        }
        strcpy(at, "]\n");
        const char *said = check("long.yaml", text), *end;
        assert_caret_is_under(said, "bogus");
        for (const char *line = said; *line; line = end + 1) {
            end = strchr(line, '\n');
            ck_assert_ptr_nonnull(end);
            ck_assert(end - line <= 100 || strncmp(line, "long.yaml:", 10) == 0);
        }
        free(text);
    }
}
END_TEST

START_TEST(a_setting_is_shown_with_a_caret_whichever_of_them_it_is)
{
    write_text("net.yaml", network);
    const ended *e = norma("check", "net.yaml", "--set", "train.epochs=3", "--set",
                           "train.epohcs=3", "--set", "data.batch={a: 1");
    assert_code(e, 2);
    ck_assert_int_eq(strncmp(e->err, "--set:3:17: in the map that begins at 3:12: ", 44), 0);
    assert_says(e->err, "\n--set | data.batch={a: 1\n"
                        "      |                 ^\n");
    e = norma("check", "net.yaml", "--set", "train.epochs=3", "--set", "train.epohcs=3");
    assert_code(e, 2);
    ck_assert_str_eq(e->err,
                     "--set:2:7: train: unknown option \"epohcs\"; did you mean \"epochs\"?\n"
                     "--set | train.epohcs=3\n"
                     "      |       ^\n");
}
END_TEST

START_TEST(a_mistake_in_the_data_shows_the_line_of_the_data)
{
    write_text("d.csv", "1,2,0\n3,nan,1\n2,2,1\n");
    const char *said = check("csv.yaml", "model: [dense: {units: 2}]\n"
                                         "data: {train: {csv: {path: d.csv}}, batch: 2}\n");
    assert_says(said, "d.csv:2:3: ");
    assert_says(said, "\n    2 | 3,nan,1\n      |   ^\n");
}
END_TEST

START_TEST(what_cannot_be_shown_is_left_out)
{
    static const char mistaken[] = "model: [dense: {units: 3, bios: 2}]\n";
    const ended *e;
    write_text("later.yaml", mistaken);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) + 1000}};
    ck_assert_int_eq(utimensat(AT_FDCWD, test_path("later.yaml"), times, 0), 0);
    e = norma("check", "later.yaml"); /* changed after the command had begun */
    assert_code(e, 2);
    assert_says(e->err, "later.yaml:1:27: dense: unknown option \"bios\"");
    ck_assert_ptr_null(strchr(e->err, '^'));
    e = norma("check", "/dev/stdin");
    ck_assert_ptr_null(strchr(e->err, '^'));
    const char *said = check("control.yaml", "model: [dense: {\x01\x02\x03\x04\x05\x06: 2}]\n");
    ck_assert_ptr_null(strchr(said, '\x01'));
}
END_TEST

START_TEST(nothing_in_a_file_reaches_the_terminal_as_an_escape_sequence)
{
    const char *said = check("escape.yaml", "model: [relu] # \033[2J\xC2\x9B"
                                            "31m\n");
    assert_says(said, "model: [relu] # ?[2J?31m\n");
    ck_assert_ptr_null(strchr(said, '\033'));
    ck_assert_ptr_null(strstr(said, "\x9B"));
}
END_TEST

START_TEST(a_terminal_gets_colours_and_no_other_does)
{
    char text[4096];
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_eq(grantpt(master) + unlockpt(master), 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    struct winsize size = {.ws_row = 10, .ws_col = 40};
    ck_assert_int_eq(ioctl(master, TIOCSWINSZ, &size), 0);
    write_text("colours.yaml", "model: [relu, relu, relu, relu, relu, rela, relu]\n");
    pid_t child = start(WORDS("check", "colours.yaml"),
                        (running_options){.err = terminal, .variable = "TERM", .set_to = "xterm"});
    close(terminal);
    size_t length = 0;
    for (ssize_t n; (n = read(master, text + length, sizeof text - 1 - length)) > 0;) {
        length += (size_t)n;
    }
    text[length] = 0;
    close(master);
    waitpid(child, NULL, 0);
    assert_says(text, "\033[1mcolours.yaml:1:39:\033[0m model: unknown layer \"rela\"");
    assert_says(text, "\033[90m    1 |\033[0m ...");
    assert_says(text, "\033[1;31m^\033[0m");
    ck_assert_ptr_null(strchr(check("colours.yaml", "model: [rela]\n"), '\033'));
}
END_TEST

TEST_MAIN("models/excerpt", a_mistake_shows_its_line_with_a_caret,
          wide_characters_tabs_and_marks_do_not_shift_the_caret,
          lines_end_as_in_yaml_and_a_byte_order_mark_is_no_column,
          a_long_line_is_cut_around_the_mistake,
          a_setting_is_shown_with_a_caret_whichever_of_them_it_is,
          a_mistake_in_the_data_shows_the_line_of_the_data, what_cannot_be_shown_is_left_out,
          nothing_in_a_file_reaches_the_terminal_as_an_escape_sequence,
          a_terminal_gets_colours_and_no_other_does)
