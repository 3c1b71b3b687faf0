/* norma plot: curves of runs on the terminal, and as a picture. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clean.h"
#include "core/text.h"
#include "models/command/command.h"
#include "models/command/page/svg.h"
#include "models/command/page/terminal.h"
#include "models/command/plot/curves.h"

#define MOST_FIGURES MAX_VALUES

typedef struct plot {
    nm_context *context;
    const arguments *arguments;
    history *runs; /* [count] */
    int count;
    curve_choice choice;
    const char *names[MOST_FIGURES];
    int name_count;
    curve_figure *figures; /* [name_count] */
} plot;

/* ---- What is asked for ---- */

static int read_time(const arguments *a, curve_choice *choice)
{
    static const char *const names[] = {"step", "epoch", "seconds"};
    const char *text = argument_value(a, "--x");
    for (int i = 0; text && i < NM_COUNT_OF(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            choice->time = (curve_time)i;
            return EXIT_FINE;
        }
    }
    return text ? bad_usage("plot: --x takes step, epoch or seconds") : EXIT_FINE;
}

static int read_flags(const arguments *a, curve_choice *choice)
{
    const char *smooth = argument_value(a, "--smooth");
    *choice = (curve_choice){.smooth = 1, .logarithmic = argument_value(a, "--log") != NULL};
    if (smooth &&
        (!nm_parse_int(smooth, &choice->smooth) || choice->smooth < 1 || choice->smooth > 100000)) {
        return bad_usage("plot: --smooth takes a number of points from 1 to 100000");
    }
    return read_time(a, choice);
}

/* Every name once, without the set. */
static void list_names(const plot *p, nm_text *text)
{
    for (int k = 0; k < p->count; k++) {
        for (int i = 0; i < p->runs[k].count; i++) {
            char clean[CURVE_NAME];
            const char *name = p->runs[k].curves[i].name;
            bool first = !i || strcmp(name, p->runs[k].curves[i - 1].name) != 0;
            for (int j = 0; j < k && first; j++) {
                first = !curve_is_there(&p->runs[j], 1, name);
            }
            if (first) {
                nm_text_clean(name, false, clean, sizeof clean);
                nm_text_add(text, "%s%s", text->length ? ", " : "", clean);
            }
        }
    }
}

static nm_status refuse_name(const plot *p, const char *name)
{
    nm_text text = {.context = p->context};
    list_names(p, &text);
    char *all = nm_text_end(&text);
    const nm_status status =
        all && *all ? nm_fail(p->context, NM_ERROR_INPUT, "the run%s no \"%s\"; there is: %s",
                              p->count > 1 ? "s have" : " has", name, all)
                    : nm_fail(p->context, NM_ERROR_INPUT,
                              "there is nothing to plot yet: no epoch has ended");
    nm_free(p->context, all);
    return status;
}

static nm_status choose(plot *p)
{
    const char *usual[2];
    p->name_count = argument_list(p->arguments, "--y", p->names);
    if (!p->name_count) {
        p->name_count = usual_curves(p->runs, p->count, usual);
        memcpy(p->names, usual, sizeof usual);
    }
    for (int i = 0; i < p->name_count; i++) {
        if (!curve_is_there(p->runs, p->count, p->names[i])) {
            return refuse_name(p, p->names[i]);
        }
    }
    return NM_OK;
}

static nm_status make_figures(plot *p)
{
    nm_status status = NM_OK;
    p->figures = nm_alloc_zero(p->context, (size_t)p->name_count, sizeof *p->figures);
    for (int i = 0; p->figures && i < p->name_count && status == NM_OK; i++) {
        p->choice.name = p->names[i];
        status = curve_figure_make(p->context, p->runs, p->count, &p->choice, &p->figures[i]);
    }
    return nm_context_status(p->context);
}

/* ---- What is told ---- */

static nm_status print_figures(const plot *p)
{
    const terminal t = terminal_of_output();
    nm_status status = NM_OK;
    for (int i = 0; i < p->name_count && status == NM_OK; i++) {
        fputs(i ? "\n" : "", stdout);
        status = figure_print(p->context, &p->figures[i].figure, &t, stdout);
        if (p->figures[i].left_out) {
            printf("  not drawn: %d more curves\n", p->figures[i].left_out);
        }
    }
    return status;
}

static nm_status write_picture(const plot *p, const char *path)
{
    figure all[MOST_FIGURES];
    for (int i = 0; i < p->name_count; i++) {
        all[i] = p->figures[i].figure;
    }
    return svg_write(p->context, path, all, p->name_count);
}

/* How far each run is, unless it came to its end. */
static void print_states(const plot *p)
{
    for (int k = 0; k < p->count; k++) {
        const history *h = &p->runs[k];
        char clean[RUN_PATH];
        if (h->state != RUN_ENDED) {
            printf("%s %s after epoch %lld%s%s\n",
                   nm_text_clean(h->folder, false, clean, sizeof clean), run_state_name(h->state),
                   (long long)h->epochs, *h->error ? ": " : "", h->error);
        }
    }
}

static nm_status plot_all(plot *p)
{
    nm_status status = NM_OK;
    for (int i = 0; i < p->arguments->count && status == NM_OK; i++) {
        status = histories_add(p->context, p->arguments->positional[i], &p->runs, &p->count);
    }
    status = status == NM_OK ? choose(p) : status;
    status = status == NM_OK ? make_figures(p) : status;
    const char *svg = argument_value(p->arguments, "--svg");
    if (status == NM_OK && svg) {
        return write_picture(p, svg);
    }
    status = status == NM_OK ? print_figures(p) : status;
    if (status == NM_OK) {
        print_states(p);
    }
    return status;
}

static int run_plot(nm_context *context, const arguments *a)
{
    plot p = {.context = context, .arguments = a};
    int code = read_flags(a, &p.choice);
    if (code != EXIT_FINE) {
        return code;
    }
    code = plot_all(&p) == NM_OK ? EXIT_FINE : report_error(context);
    for (int i = 0; p.figures && i < p.name_count; i++) {
        curve_figure_close(&p.figures[i]);
    }
    histories_close(context, p.runs, p.count);
    nm_free(context, p.figures);
    return code;
}

const command command_plot = {
    .name = "plot",
    .usage = "RUN...",
    .summary = "draw the curves of runs",
    .doc =
        "Draws what runs wrote down, on the terminal or as a picture: the loss and the first "
        "metric, or what --y names. RUN is a run's folder; it may still be going on, or have been "
        "cut off. Several runs are drawn over each other, each by its validation set's curve, or "
        "the test set's where not all have one; the runs of --folds and --seeds by their folder. "
        "A name without its set, such as loss, is the curves of every set; what probes found is "
        "PROBE.VALUE, a curve a layer.",
    .flags = {{"--y", "NAME", "what to draw: loss, train_loss, rate, ...; may be repeated"},
              {"--x", "TIME", "over what: step, epoch or seconds; default: step"},
              {"--smooth", "N", "draw means of N points: each and those before it"},
              {"--log", NULL, "a logarithmic axis"},
              {"--svg", "FILE", "write the picture to FILE, as SVG, instead of drawing it here"}},
    .least = 1,
    .most = -1,
    .run = run_plot,
};
