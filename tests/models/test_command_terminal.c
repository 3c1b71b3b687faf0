/* What the command writes to a terminal: as wide as that is, with letters in bold. */
#include <sys/ioctl.h>

#include "tests/models/command_helpers.h"

/* The end of a terminal of that size that a program writes to; the other's number in `master`. */
static const char *open_terminal(int *master, unsigned short rows, unsigned short columns)
{
    const struct winsize size = {.ws_row = rows, .ws_col = columns};
    *master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(*master, 0);
    ck_assert_int_eq(grantpt(*master), 0);
    ck_assert_int_eq(unlockpt(*master), 0);
    ck_assert_int_eq(ioctl(*master, TIOCSWINSZ, &size), 0);
    return ptsname(*master);
}

/* What it wrote until it ended. */
static void read_terminal(int master, char text[MAX_TEXT])
{
    size_t length = 0;
    ssize_t got;
    while (length < MAX_TEXT - 1 &&
           (got = read(master, text + length, MAX_TEXT - 1 - length)) > 0) {
        length += (size_t)got;
    }
    text[length] = 0;
    close(master);
}

static const char *shown(const char *const *words, unsigned short rows, unsigned short columns,
                         const char *term)
{
    static char text[MAX_TEXT];
    int master;
    const char *slave = open_terminal(&master, rows, columns);
    write_text("stdout", "");
    const pid_t child =
        start(words, (running_options){.out = slave, .variable = "TERM", .set_to = term});
    read_terminal(master, text);
    const ended *e = finish(child);
    ck_assert_msg(e->code == 0, "%s%s", text, e->err);
    return text;
}

/* Characters of the longest line, without what makes letters bold. */
static int widest(const char *text)
{
    int widest = 0, width = 0;
    for (const char *at = text; *at; at++) {
        if (*at == '\x1b') {
            at += strcspn(at, "m");
        } else if (*at == '\r' || *at == '\n') {
            width = 0;
        } else if ((*at & 0xc0) != 0x80) { /* not within a character */
            width++;
            widest = width > widest ? width : widest;
        }
    }
    return widest;
}

START_TEST(help_is_as_wide_as_the_terminal)
{
    static const unsigned short columns[] = {50, 72, 300, 20};
    static const int most[] = {50, 72, 100, 80}; /* of less than 40 columns nothing is made */
    for (int i = 0; i < 4; i++) {
        const char *text = shown(WORDS("help", "train"), 24, columns[i], "xterm");
        ck_assert_msg(widest(text) <= most[i], "%d columns: %d", columns[i], widest(text));
        ck_assert_msg(widest(text) > most[i] - 20, "%d columns: %d", columns[i], widest(text));
        assert_says(text, "\x1b[1m");
    }
    ck_assert_ptr_null(strchr(shown(WORDS("help", "train"), 24, 80, "dumb"), '\x1b'));
}
END_TEST

START_TEST(figures_are_as_large_as_the_terminal)
{
    write_text("net.yaml", network);
    assert_code(norma("train", "net.yaml", "--out", "run", "--quiet"), 0);
    static const unsigned short sizes[][2] = {{24, 60}, {10, 20}, {50, 300}};
    static const int most[] = {60, 40, 160};
    int lines[3];
    for (int i = 0; i < 3; i++) {
        const char *text = shown(WORDS("plot", "run"), sizes[i][0], sizes[i][1], "xterm");
        lines[i] = 0;
        for (const char *at = text; (at = strchr(at, '\n')); at++) {
            lines[i]++;
        }
        ck_assert_msg(widest(text) <= most[i], "%d columns: %d", sizes[i][1], widest(text));
    }
    ck_assert_int_lt(lines[1], lines[0]);
    ck_assert_int_le(lines[0], lines[2]);
}
END_TEST

/* Lines of a run of three epochs, and those of them that tell what a guess gets. */
static void count_lines(unsigned short columns, const char *out, int *lines, int *guesses)
{
    static char text[MAX_TEXT];
    int master;
    const int err = open(open_terminal(&master, 24, columns), O_RDWR | O_NOCTTY);
    const pid_t child = start(WORDS("train", "guess.yaml", "--out", out),
                              (running_options){.err = err, .variable = "TERM", .set_to = "xterm"});
    close(err);
    read_terminal(master, text);
    assert_code(finish(child), 0);
    *lines = *guesses = 0;
    for (const char *at = text; (at = strstr(at, "   test loss ")); at++) {
        *lines += 1;
    }
    for (const char *at = text; (at = strstr(at, "(commonest class: ")); at++) {
        *guesses += 1;
    }
}

START_TEST(what_a_guess_gets_stands_in_the_first_line_alone_where_lines_would_wrap)
{
    int lines, guesses;
    write_text("guess.yaml", "model: [dense: {units: 2}]\nloss: cross_entropy\ntrain: {epochs: 3}\n"
                             "data: {train: {spirals: {points: 60}}, test: {spirals: {points: 60, "
                             "seed: 1}}}\n");
    count_lines(80, "narrow", &lines, &guesses);
    ck_assert_int_eq(lines, 3);
    ck_assert_int_eq(guesses, 1);
    count_lines(160, "wide", &lines, &guesses);
    ck_assert_int_eq(lines, 3);
    ck_assert_int_eq(guesses, 3);
}
END_TEST

TEST_MAIN("models/command_terminal", help_is_as_wide_as_the_terminal,
          figures_are_as_large_as_the_terminal,
          what_a_guess_gets_stands_in_the_first_line_alone_where_lines_would_wrap)
