/* What a run tells while it runs: a bar that fits the terminal, and lines that stay readable. */
#include <sys/ioctl.h>

#include "tests/models/command_helpers.h"

/* Epochs of a moment are to spend no time on files. */
#define NO_FILES "--set", "train.checkpoint_every=0", "--set", "train.keep_best=false"

/* ---- A terminal ---- */

typedef struct terminal {
    int master;
    pid_t child;
    size_t size;
    char text[MAX_TEXT];
} terminal;

static void set_columns(const terminal *t, int columns)
{
    struct winsize size = {.ws_row = 10, .ws_col = (unsigned short)columns};
    ck_assert_int_eq(ioctl(t->master, TIOCSWINSZ, &size), 0);
}

/* Trains for so many epochs of one step each, standard error on a terminal of that width. */
static void begin_on_terminal(terminal *t, int columns, const char *out, const char *setting)
{
    t->master = posix_openpt(O_RDWR | O_NOCTTY);
    t->size = 0;
    ck_assert_int_ge(t->master, 0);
    ck_assert_int_eq(grantpt(t->master) + unlockpt(t->master), 0);
    int other = open(ptsname(t->master), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(other, 0);
    set_columns(t, columns);
    t->child = start(WORDS("train", "net.yaml", "--out", out, "--set", setting, NO_FILES),
                     (running_options){.err = other, .variable = "TERM", .set_to = "xterm"});
    close(other);
}

/* Reads what was written since; false at its end. */
static bool read_more(terminal *t)
{
    ssize_t n = read(t->master, t->text + t->size, MAX_TEXT - 1 - t->size);
    t->size += n > 0 ? (size_t)n : 0;
    t->text[t->size] = 0;
    return n > 0;
}

static void end_on_terminal(terminal *t, int code)
{
    int status;
    while (read_more(t)) {
    }
    close(t->master);
    ck_assert_int_eq(waitpid(t->child, &status, 0), t->child);
    ck_assert_int_eq(WIFEXITED(status) ? WEXITSTATUS(status) : -1, code);
}

/* Columns from `text` to the next carriage return or line's end; the bar's characters take one. */
static int width_of(const char *text)
{
    int width = 0;
    while (*text && *text != '\r' && *text != '\n') {
        if (*text == '\033') {
            text += strcspn(text, "mK") + 1;
        } else {
            width += ((unsigned char)*text & 0xC0) != 0x80;
            text++;
        }
    }
    return width;
}

/* How many bars there are in the text from `at` on; the widest one's columns. A bar is cleared by
 * a carriage return, a line of an epoch ends. */
static int count_bars(const char *at, int *widest, bool *has_loss)
{
    int bars = 0;
    for (; *at; at += strcspn(at, "\r\n"), at += *at != 0) {
        size_t length = strcspn(at, "\r\n");
        if (at[length] == '\r' && memchr(at, '%', length) && at[length + 1] != '\n') {
            int width = width_of(at);
            *widest = width > *widest ? width : *widest;
            *has_loss = *has_loss || memmem(at, length, "loss", 4);
            bars++;
        }
    }
    return bars;
}

START_TEST(the_bar_fits_the_terminal_and_tells_what_it_has_room_for)
{
    static const struct {
        int columns;
        bool has_loss;
    } cases[] = {{20, false}, {30, true}, {47, true}, {80, true}, {300, true}};
    static terminal t;
    write_text("net.yaml", network);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[32];
        int widest = 0;
        bool has_loss = false;
        snprintf(out, sizeof out, "bar%d", cases[i].columns);
        begin_on_terminal(&t, cases[i].columns, out, "train.epochs=200");
        end_on_terminal(&t, 0);
        ck_assert_int_ge(count_bars(t.text, &widest, &has_loss), 1);
        ck_assert_int_lt(widest, cases[i].columns);
        ck_assert_int_gt(widest, 10);
        ck_assert(has_loss == cases[i].has_loss);
    }
}
END_TEST

START_TEST(the_bar_fits_a_window_that_became_narrower)
{
    static terminal t;
    int widest = 0, narrow = 0;
    bool has_loss = false;
    write_text("net.yaml", network);
    begin_on_terminal(&t, 100, "narrower", "train.epochs=1000000");
    while (count_bars(t.text, &widest, &has_loss) < 2 && read_more(&t)) {
    }
    ck_assert_int_gt(widest, 40);
    set_columns(&t, 25);
    size_t from = t.size;
    for (int bars = 0; bars < 2 && read_more(&t);) { /* two may be on their way already */
        bars = count_bars(t.text + from, &narrow, &has_loss);
    }
    from = t.size;
    for (int bars = narrow = 0; bars < 3 && read_more(&t);) {
        bars = count_bars(t.text + from, &narrow, &has_loss);
    }
    ck_assert_int_gt(narrow, 10);
    ck_assert_int_lt(narrow, 25);
    kill(t.child, SIGKILL);
    close(t.master);
    waitpid(t.child, NULL, 0);
}
END_TEST

/* ---- Lines ---- */

static int count_lines(const char *text)
{
    int lines = 0;
    for (; (text = strchr(text, '\n')); text++) {
        lines++;
    }
    return lines;
}

/* The last of several lines. */
static const char *last_line(const char *text)
{
    const char *last = text;
    for (; (text = strchr(text, '\n')) && text[1]; text++) {
        last = text + 1;
    }
    return last;
}

START_TEST(many_epochs_have_about_a_hundred_lines_in_a_file)
{
    write_text("net.yaml", network);
    const ended *e = norma("train", "net.yaml", "--out", "many", "--set", "train.epochs=1234",
                           "--set", "data.train.spirals.points=40", NO_FILES);
    assert_code(e, 0);
    ck_assert_int_ge(count_lines(e->err), 50);
    ck_assert_int_le(count_lines(e->err), 130);
    ck_assert_int_eq(strncmp(e->err, "epoch    1/1234  train loss ", 28), 0);
    ck_assert_int_eq(strncmp(last_line(e->err), "epoch 1234/1234  train loss ", 28), 0);
    assert_says(e->err, "\nepoch  600/1234  ");
}
END_TEST

START_TEST(the_last_epoch_has_a_line_wherever_a_run_ends)
{
    char expected[64];
    int epochs = 0;
    write_text("net.yaml", network);
    const ended *e = norma("train", "net.yaml", "--out", "early", "--set", "train.epochs=100000",
                           "--set", "train.early_stopping.patience=3", "--set",
                           "train.early_stopping.min_delta=1", NO_FILES);
    assert_code(e, 0);
    const char *at = strstr(e->out, " epochs, ");
    ck_assert_ptr_nonnull(at);
    while (at > e->out && at[-1] != '\n') {
        at--;
    }
    ck_assert_int_eq(sscanf(at, "%d epochs", &epochs), 1);
    ck_assert_int_lt(epochs, 1000); /* which alone would have a line */
    snprintf(expected, sizeof expected, "epoch %6d/100000  train loss ", epochs);
    ck_assert_int_eq(strncmp(last_line(e->err), expected, strlen(expected)), 0);
}
END_TEST

TEST_MAIN("models/progress", the_bar_fits_the_terminal_and_tells_what_it_has_room_for,
          the_bar_fits_a_window_that_became_narrower,
          many_epochs_have_about_a_hundred_lines_in_a_file,
          the_last_epoch_has_a_line_wherever_a_run_ends)
