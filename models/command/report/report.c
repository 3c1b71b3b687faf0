/* norma report: a page of a run or several. */
#include "models/command/report/report.h"

#include <stdio.h>
#include <string.h>

#include "models/command/plot/curves.h"

#define MOST_FILE ((size_t)1 << 20) /* of network.yaml: what is read of one */

/* ---- The parts of a run ---- */

void report_file(report *r, const history *h)
{
    char path[RUN_PATH];
    size_t size;
    page_heading(r->page, r->level, "The file as used");
    char *text = path_join(path, h->folder, "network.yaml")
                     ? nm_file_read(r->context, path, MOST_FILE, &size)
                     : NULL;
    if (text) {
        page_code(r->page, text);
    } else {
        report_leave_out(r, "network.yaml");
    }
    nm_free(r->context, text);
}

/* As `norma eval FOLDER --on SET` has it. */
static arguments arguments_of(const report *r, const history *h)
{
    arguments a = *r->arguments;
    a.count = 1;
    a.positional[0] = h->folder;
    return a;
}

/* The network is shown also where its samples are not there any more. */
static void add_network(report *r, const history *h)
{
    evaluated e;
    const arguments a = arguments_of(r, h);
    const char *on = argument_value(r->arguments, "--on");
    page_heading(r->page, r->level, "Results");
    if (evaluated_open(r->context, &a, on, &e) == NM_OK) {
        report_results(r, &e);
    } else {
        report_leave_out(r, "The results on samples");
    }
    if (e.trained.model && nm_context_status(r->context) == NM_OK) {
        report_network(r, e.trained.model);
    }
    evaluated_close(&e);
}

static void add_run(report *r, const history *h)
{
    if (r->count > 1) {
        page_heading(r->page, 2, h->folder);
    }
    report_probes(r, h);
    add_network(r, h);
    report_file(r, h);
}

/* ---- The page ---- */

static nm_status read_runs(report *r)
{
    nm_status status = NM_OK;
    for (int i = 0; i < r->arguments->count && status == NM_OK; i++) {
        status = histories_add(r->context, r->arguments->positional[i], &r->runs, &r->count);
    }
    return status;
}

static nm_status write_page(report *r, const char *path)
{
    char title[RUN_PATH + 32];
    if (r->count > 1) {
        snprintf(title, sizeof title, "%d runs", r->count);
    } else {
        snprintf(title, sizeof title, "Run %.4000s", r->runs[0].folder);
    }
    r->page = page_open(r->context, title);
    r->level = r->count > 1 ? 3 : 2;
    report_runs(r);
    report_curves(r);
    for (int i = 0; i < r->count && nm_context_status(r->context) == NM_OK; i++) {
        add_run(r, &r->runs[i]);
    }
    return page_write(r->page, path);
}

/* Beside the run; of several runs in the folder that holds them all, if one was named, else here.
 */
static bool choose_path(const report *r, char path[RUN_PATH])
{
    const char *out = argument_value(r->arguments, "--out");
    if (out) {
        return snprintf(path, RUN_PATH, "%s", out) < RUN_PATH;
    }
    return r->arguments->count == 1 ? path_join(path, r->arguments->positional[0], "report.html")
                                    : snprintf(path, RUN_PATH, "report.html") > 0;
}

static nm_status report_all(report *r)
{
    char path[RUN_PATH];
    nm_status status = read_runs(r);
    if (status == NM_OK && !choose_path(r, path)) {
        status = nm_fail(r->context, NM_ERROR_INPUT, "the path of the report is too long");
    }
    status = status == NM_OK ? page_check(r->context, path) : status;
    status = status == NM_OK ? write_page(r, path) : status;
    if (status == NM_OK) {
        printf("%s\n", path);
    }
    return status;
}

static int run_report(nm_context *context, const arguments *a)
{
    report r = {.context = context, .arguments = a};
    const int code = report_all(&r) == NM_OK ? EXIT_FINE : report_error(context);
    histories_close(context, r.runs, r.count);
    return code;
}

const command command_report = {
    .name = "report",
    .usage = "RUN...",
    .summary = "write a page about runs",
    .doc = "Writes one HTML file that needs nothing else, no network and no script: curves of "
           "losses, metrics and the learning rate, what probes found, and of each run its results "
           "on a set, which classes are taken for which, the worst mistakes (as pictures, where "
           "samples are), layers, histograms of weights and scales, and the file as used. What "
           "cannot be shown is left out, and the page says why. RUN is a run's folder, which may "
           "still be going on, or the folder of the runs of --folds or --seeds.",
    .flags = {{"--out", "FILE", "the page; default: report.html in the run's folder"},
              {"--on", "SET", "train, validation or test, for the results; default: test"}},
    .least = 1,
    .most = -1,
    .run = run_report,
};
