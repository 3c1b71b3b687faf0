/* norma report: what the files of the report share. Each part writes what there is, and says what
 * it leaves out and why; only what stops the whole page is an error. */
#ifndef NM_MODELS_COMMAND_REPORT_REPORT_H
#define NM_MODELS_COMMAND_REPORT_REPORT_H

#include "models/command/eval/evaluated.h"
#include "models/command/page/page.h"
#include "models/command/plot/history.h"

typedef struct report {
    nm_context *context;
    const arguments *arguments;
    page *page;
    history *runs;
    int count;
    int level; /* of a part's heading: 2, or 3 where there are several runs */
} report;

/* A paragraph or a note, as printf does. */
void report_say(report *r, const char *format, ...) NM_PRINTF(2, 3);
void report_note(report *r, const char *format, ...) NM_PRINTF(2, 3);
/* Says what is left out: the reason is the error that stands, which is cleared; an error of memory
 * stays. */
void report_leave_out(report *r, const char *what);

/* ---- The parts ---- */

/* A table of the runs: states, epochs, last values. */
void report_runs(report *r);
/* Losses, metrics, rate, gradient's norm: of all runs. */
void report_curves(report *r);
/* What probes found in one run. */
void report_probes(report *r, const history *run);
/* What a network does on a set: loss, metrics, which classes are taken for which, worst mistakes.
 */
void report_results(report *r, evaluated *e);
/* Its layers, and how its parameters are distributed. */
void report_network(report *r, const nm_model *model);
/* network.yaml */
void report_file(report *r, const history *run);

#endif
