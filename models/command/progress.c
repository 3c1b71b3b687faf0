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
            return strstr(value, "UTF-8") || strstr(value, "utf8");
        }
    }
    return false;
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

static void clear_line(const progress *p)
{
    if (p->live && p->shown > 0) {
        fputs("\r\033[K", stderr);
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

void progress_step(progress *p, int64_t step, double loss, double samples_per_second)
{
    double time = now();
    if (!p->live || time - p->shown < 0.1) {
        return;
    }
    p->shown = time;
    int64_t all = p->epochs * p->steps, in_epoch = p->steps ? step % p->steps + 1 : 1;
    double share = p->steps ? (double)in_epoch / (double)p->steps : 1;
    double made = (double)(step + 1 - p->first_step);
    double left = made > 0 ? (time - p->start) / made * (double)(all - step - 1) : 0;
    char head[64], tail[128], rate[32], clock[32];
    format_rate(samples_per_second, rate);
    format_time(left, clock);
    int head_length =
        snprintf(head, sizeof head, "epoch %*lld/%lld ",
                 p->epochs >= 100  ? 3
                 : p->epochs >= 10 ? 2
                                   : 1,
                 (long long)(p->steps ? step / p->steps + 1 : 1), (long long)p->epochs);
    int tail_length = snprintf(tail, sizeof tail, " %3.0f%%  loss %.4f  %s  %s left", 100 * share,
                               loss, rate, clock);
    int width = columns() - head_length - tail_length - 1;
    fputs("\r", stderr);
    fputs(head, stderr);
    if (width >= 8) {
        draw_bar(p, share, width < 40 ? width : 40);
    }
    fprintf(stderr, "%s\033[K", tail);
    fflush(stderr);
}

void progress_epoch(progress *p, int64_t epoch, const char *summary)
{
    if (p->quiet) {
        return;
    }
    clear_line(p);
    fprintf(stderr, "epoch %*lld/%lld  %s\n",
            p->epochs >= 100  ? 3
            : p->epochs >= 10 ? 2
                              : 1,
            (long long)(epoch + 1), (long long)p->epochs, summary);
}

void progress_end(progress *p)
{
    clear_line(p);
    p->shown = 0;
    fflush(stderr);
}
