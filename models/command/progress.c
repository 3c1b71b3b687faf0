#include "models/command/progress.h"

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

static bool terminal_speaks_unicode(void)
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

progress progress_begin(bool quiet, int64_t epochs, int64_t steps, int64_t done)
{
    return (progress){.quiet = quiet,
                      .live = !quiet && isatty(STDERR_FILENO) &&
                              strcmp(getenv("TERM") ? getenv("TERM") : "", "dumb") != 0,
                      .colour = use_colour(STDERR_FILENO),
                      .unicode = terminal_speaks_unicode(),
                      .epochs = epochs,
                      .steps = steps,
                      .first_step = done,
                      .start = now()};
}

/* Goes to the line's beginning; what stood there is gone. Without escape sequences where colours
 * are not wanted: whoever asks for that may not understand the others either. */
static void clear_line(progress *p)
{
    if (p->width > 0) {
        fprintf(stderr, p->colour ? "\r\033[K" : "\r%*s\r", p->width, "");
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

/* Seconds until the run's end, judged by the steps since it began. */
static double time_left(const progress *p, int64_t step)
{
    double made = (double)(step + 1 - p->first_step);
    return made > 0 ? (p->shown - p->start) / made * (double)(p->epochs * p->steps - step - 1) : 0;
}

static void draw(progress *p, int64_t step, double loss, double samples_per_second)
{
    char head[64], tail[128], rate[32], left[32];
    double share = p->steps ? (double)(step % p->steps + 1) / (double)p->steps : 1;
    format_rate(samples_per_second, rate);
    format_time(time_left(p, step), left);
    int before = snprintf(head, sizeof head, "epoch %*lld/%lld  ", digits(p->epochs),
                          (long long)(p->steps ? step / p->steps + 1 : 1), (long long)p->epochs);
    int after = snprintf(tail, sizeof tail, "  %3.0f%%  loss %.4f  %s  %s left", 100 * share, loss,
                         rate, left);
    int room = columns() - 1 - before - after;
    int bar = room < 8 ? 0 : room < 40 ? room : 40;
    clear_line(p);
    fputs(head, stderr);
    draw_bar(p, share, bar);
    fputs(tail, stderr);
    fflush(stderr);
    p->width = before + bar + after;
}

void progress_step(progress *p, int64_t step, double loss, double samples_per_second)
{
    double time = now();
    if (p->live && time - p->shown >= 0.1) {
        p->shown = time;
        draw(p, step, loss, samples_per_second);
    }
}

void progress_epoch(progress *p, int64_t epoch, const char *summary)
{
    if (p->quiet) {
        return;
    }
    clear_line(p);
    fprintf(stderr, "epoch %*lld/%lld  %s\n", digits(p->epochs), (long long)(epoch + 1),
            (long long)p->epochs, summary);
    fflush(stderr);
}

void progress_end(progress *p)
{
    clear_line(p);
    fflush(stderr);
}
