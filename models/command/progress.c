#include "models/command/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "models/command/command.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool terminal_speaks_unicode(void)
{
    const char *names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) {
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
        }
    }
    return false;
}

static int digits(int64_t value)
{
    return value >= 10 ? 1 + digits(value / 10) : 1;
}

static int columns(void)
{
    struct winsize size = {0};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* ---- Which epochs have a line ---- */

#define FULL_LINES 100 /* so many epochs have a line each */
#define PATIENCE 60.0  /* seconds, after which the next epoch has one in any case */

/* Every so many epochs have one: 1, 2, 5, 10, 20, 50, ... so that there are about FULL_LINES. */
static int64_t epochs_a_line(int64_t epochs)
{
    static const int64_t steps[] = {1, 2, 5};
    int64_t every = 1;
    for (int i = 0; epochs / every > FULL_LINES && every < INT64_MAX / 10; i++) {
        every = every / steps[i % 3] * (i % 3 == 2 ? 10 : steps[i % 3 + 1]);
    }
    return every;
}

static bool has_line(const progress *p, int64_t epoch)
{
    return (epoch + 1) % p->every == 0 || epoch + 1 == p->epochs || p->line_shown == 0 ||
           now() - p->line_shown >= PATIENCE;
}

/* ---- The bar ---- */

progress progress_begin(bool quiet, int64_t epochs, int64_t steps, int64_t done)
{
    return (progress){.quiet = quiet,
                      .live = !quiet && isatty(STDERR_FILENO) &&
                              strcmp(getenv("TERM") ? getenv("TERM") : "", "dumb") != 0,
                      .colour = use_colour(STDERR_FILENO),
                      .unicode = terminal_speaks_unicode(),
                      .epochs = epochs,
                      .every = epochs_a_line(epochs),
                      .steps = steps,
                      .first_step = done,
                      .start = now()};
}

/* Goes to the line's beginning; what stood there is gone. Without escape sequences where colours
 * are not wanted: whoever asks for that may not understand the others either. */
static void clear_line(progress *p)
{
    const int most = columns() - 1; /* the window may have become narrower */
    if (p->width > 0) {
        fprintf(stderr, p->colour ? "\r\033[K" : "\r%*s\r", p->width < most ? p->width : most, "");
        p->width = 0;
    }
}

/* "0:07", "12:30", "3:05:00" */
static void format_time(double seconds, char text[32])
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600) {
        snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    } else {
        snprintf(text, 32, "%ld:%02ld", s / 60, s % 60);
    }
}

/* "845/s", "41.2k/s" */
static void format_rate(double rate, char text[32])
{
    if (rate >= 10000) {
        snprintf(text, 32, "%.1fk/s", rate / 1000);
    } else {
        snprintf(text, 32, "%.0f/s", rate);
    }
}

static void draw_bar(const progress *p, double share, int width)
{
    int full = (int)(share * width + 0.5);
    const char *done = p->unicode ? "━" : "=", *rest = p->unicode ? "━" : "-";
    fputs(p->colour ? "\033[32m" : "", stderr);
    for (int i = 0; i < full; i++) {
        fputs(done, stderr);
    }
    fputs(p->colour ? "\033[90m" : "", stderr);
    for (int i = full; i < width; i++) {
        fputs(p->colour || !p->unicode ? rest : " ", stderr);
    }
    fputs(p->colour ? "\033[0m" : "", stderr);
}

static double share_of_epoch(const progress *p, int64_t step)
{
    return p->steps ? (double)(step % p->steps + 1) / (double)p->steps : 1;
}

/* Seconds until the run's end, judged by the steps since it began. */
static double time_left(const progress *p, int64_t step)
{
    double made = (double)(step + 1 - p->first_step);
    return made > 0 ? (p->shown - p->start) / made * (double)(p->epochs * p->steps - step - 1) : 0;
}

/* What stands beside the bar: the piece, and how much it matters. */
typedef struct piece {
    char text[64];
    int rank; /* 0: always there, before others; then in order */
    bool there;
} piece;

enum { WORD, NUMBER, SHARE, LOSS, RATE, LEFT, PIECES };

#define LEAST_BAR 8
#define MOST_BAR 40

static void write_pieces(const progress *p, int64_t step, double loss, double rate,
                         piece pieces[PIECES])
{
    static const int ranks[PIECES] = {
        [NUMBER] = 0, [SHARE] = 1, [LOSS] = 2, [WORD] = 3, [LEFT] = 4, [RATE] = 5};
    char per_second[32], left[32];
    format_rate(rate, per_second);
    format_time(time_left(p, step), left);
    for (int i = 0; i < PIECES; i++) {
        pieces[i] = (piece){.rank = ranks[i]};
    }
    const size_t size = sizeof pieces->text;
    snprintf(pieces[WORD].text, size, "epoch ");
    const int wide = digits(p->epochs);
    snprintf(pieces[NUMBER].text, size, "%*lld/%lld", wide < 20 ? wide : 20,
             (long long)(p->steps ? step / p->steps + 1 : 1), (long long)p->epochs);
    snprintf(pieces[SHARE].text, size, "  %3.0f%%", 100 * share_of_epoch(p, step));
    snprintf(pieces[LOSS].text, size, fabs(loss) < 1e5 ? "  loss %.4f" : "  loss %.3g", loss);
    snprintf(pieces[RATE].text, size, "  %s", per_second);
    snprintf(pieces[LEFT].text, size, "  %s left", left);
}

/* Takes as many pieces as fit, those that matter more first. Returns how wide they are. */
static int choose_pieces(piece pieces[PIECES], int width)
{
    int used = 0;
    for (int rank = 0; rank < PIECES; rank++) {
        for (int i = 0; i < PIECES; i++) {
            int length = (int)strlen(pieces[i].text);
            if (pieces[i].rank == rank && (!rank || used + length <= width)) {
                pieces[i].there = true;
                used += length;
            }
        }
    }
    return used < width ? used : width;
}

static void draw(progress *p, int64_t step, double loss, double samples_per_second)
{
    piece pieces[PIECES];
    const int width = columns() - 1;
    write_pieces(p, step, loss, samples_per_second, pieces);
    const int used = choose_pieces(pieces, width), room = width - used - 2;
    const int bar = room < LEAST_BAR ? 0 : room < MOST_BAR ? room : MOST_BAR;
    clear_line(p);
    for (int i = 0; i < PIECES; i++) {
        if (i == SHARE && bar) {
            fputs("  ", stderr);
            draw_bar(p, share_of_epoch(p, step), bar);
        }
        fprintf(stderr, "%.*s", width, pieces[i].there ? pieces[i].text : "");
    }
    fflush(stderr);
    p->width = used + (bar ? bar + 2 : 0);
}

void progress_step(progress *p, int64_t step, double loss, double samples_per_second)
{
    double time = now();
    if (p->live && time - p->shown >= 0.1) {
        p->shown = time;
        draw(p, step, loss, samples_per_second);
    }
}

bool progress_has_room(const progress *p, const char *summary)
{
    const int before = (int)strlen("epoch /  ") + 2 * digits(p->epochs);
    return !p->live || !(p->line_shown > 0) || before + (int)strlen(summary) <= columns();
}

static void print_line(progress *p, int64_t epoch, const char *summary)
{
    clear_line(p);
    fprintf(stderr, "epoch %*lld/%lld  %s\n", digits(p->epochs), (long long)(epoch + 1),
            (long long)p->epochs, summary);
    fflush(stderr);
    p->line_shown = now();
    p->held[0] = 0;
}

void progress_epoch(progress *p, int64_t epoch, const char *summary)
{
    if (p->quiet) {
        return;
    }
    if (has_line(p, epoch)) {
        print_line(p, epoch, summary);
    } else {
        snprintf(p->held, sizeof p->held, "%s", summary);
        p->held_epoch = epoch;
    }
}

void progress_end(progress *p)
{
    clear_line(p);
    if (p->held[0]) {
        print_line(p, p->held_epoch, p->held);
    }
    fflush(stderr);
}
