/* norma study: reads, checks, runs, measures, judges. */
#include <stdio.h>
#include <string.h>

#include "models/command/study/study.h"
#include "models/command/study/studies.h"
#include "models/command/train/folder.h"
#include "models/command/train/interrupt.h"

/* ---- Those within the program ---- */

static const shipped all[] = {SHIPPED_STUDIES{NULL, NULL}};

const shipped *shipped_at(int index)
{
    return all[index].name ? &all[index] : NULL;
}

const shipped *shipped_find(const char *name)
{
    for (int i = 0; all[i].name; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return &all[i];
        }
    }
    return NULL;
}

static int list(nm_context *context)
{
    for (int i = 0; all[i].name; i++) {
        nm_document *document = nm_document_parse(context, all[i].text, SIZE_MAX, all[i].name);
        const nm_value *title = document ? nm_value_get(nm_document_root(document), "title") : NULL;
        printf("  %-24s %s\n", all[i].name, title ? title->text : "");
        nm_document_destroy(document);
    }
    return nm_context_status(context) == NM_OK ? EXIT_FINE : report_error(context);
}

/* ---- Opening ---- */

/* The part of a path that names the study: "figures" of "docs/figures.yaml". */
static void name_study(study *s, const char *file)
{
    const char *slash = strrchr(file, '/');
    snprintf(s->name, sizeof s->name, "%s", slash ? slash + 1 : file);
    char *dot = strrchr(s->name, '.');
    if (dot && dot > s->name) {
        *dot = 0;
    }
}

static nm_document *open_file(study *s, const char *file)
{
    const shipped *own = is_file(file) ? NULL : shipped_find(file); /* a folder may be called so */
    const char *names[NM_COUNT_OF(all)];
    int count = 0;
    if (own) {
        return nm_document_parse(s->context, own->text, SIZE_MAX, own->name);
    }
    if (!path_exists(file) && !strchr(file, '/') && !strchr(file, '.')) {
        while (shipped_at(count)) {
            names[count] = shipped_at(count)->name;
            count++;
        }
        const char *near = nm_nearest(file, names, count);
        nm_fail(s->context, NM_ERROR_INPUT,
                "there is no study \"%s\"%s%s%s; `norma study --list` lists them", file,
                near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        return NULL;
    }
    return nm_document_read(s->context, file);
}

static nm_status choose_folder(study *s, const char *out)
{
    const int length =
        out ? snprintf(s->folder, RUN_PATH, "%s", out)
            : snprintf(s->folder, RUN_PATH, "studies/%s%s", s->name, s->is_quick ? "-quick" : "");
    if (length >= RUN_PATH) {
        return nm_fail(s->context, NM_ERROR_INPUT, "the folder's name is too long");
    }
    return NM_OK;
}

/* What it would run, where it only is to be checked. */
static void print_plan(const study *s)
{
    printf("%s\n%d variants, %d arms, %lld seeds: %lld runs; %d measures, %d claims\n", s->title,
           s->variants->count, s->arm_count, (long long)s->seeds,
           (long long)(s->arm_count * s->seeds), s->measure_count, s->claim_count);
}

static nm_status run_and_tell(study *s)
{
    nm_status status = study_run(s);
    status = status == NM_OK ? study_measure(s) : status;
    status = status == NM_OK ? study_write_results(s) : status;
    status = status == NM_OK ? study_write_page(s) : status;
    if (status == NM_OK) {
        study_print(s);
    }
    return status;
}

static nm_status run_whole(study *s, const arguments *a)
{
    nm_document *document = open_file(s, a->positional[0]);
    name_study(s, a->positional[0]);
    nm_status status = document ? study_read(s, document) : nm_context_status(s->context);
    s->document = document;
    status = status == NM_OK ? choose_folder(s, argument_value(a, "--out")) : status;
    status = status == NM_OK ? study_expand(s) : status;
    if (status == NM_OK && argument_value(a, "--check")) {
        print_plan(s);
        return NM_OK;
    }
    return status == NM_OK ? run_and_tell(s) : status;
}

static int run_study(nm_context *context, const arguments *a)
{
    study s = {.context = context,
               .jobs = 1,
               .is_quick = argument_value(a, "--quick") != NULL,
               .is_quiet = argument_value(a, "--quiet") != NULL};
    const char *jobs = argument_value(a, "-j");
    if (argument_value(a, "--list")) {
        return list(context);
    }
    if (!a->count) {
        return bad_usage("study: name a file, or a study that --list lists");
    }
    if (jobs && (!nm_parse_int(jobs, &s.jobs) || s.jobs < 1 || s.jobs > 64)) {
        return bad_usage("study: -j takes a number from 1 to 64");
    }
    const nm_status status = run_whole(&s, a);
    int code = status == NM_OK ? EXIT_FINE : report_error(context);
    if (status == NM_ERROR_CANCELLED && interrupt_number()) {
        code = EXIT_SIGNAL + interrupt_number();
    }
    study_close(&s);
    return code;
}

const command command_study = {
    .name = "study",
    .usage = "[FILE]",
    .summary = "run the trainings of a study, and tell which of its claims hold",
    .doc = "Trains every variant that FILE (or a study that Norma has within it, by its name) "
           "describes, with every value of its axes and every seed, and tests its claims: "
           "supported, not supported, or undecided, from intervals over the seeds. Runs are kept "
           "in a folder; the same command goes on where it was stopped. Leaves results.json and "
           "index.html there.",
    .flags = {{"--list", NULL, "list the studies that Norma has within it"},
              {"--quick", NULL, "fewer seeds and steps, as the study says: whether it works"},
              {"--check", NULL, "look for mistakes, tell how many runs it is, and run nothing"},
              {"-j", "N", "runs at a time, each with one thread; default: 1"},
              {"--out", "DIR", "the study's folder; default: studies/NAME"},
              {"--quiet", NULL, "no progress: the results alone"}},
    .least = 0,
    .most = 1,
    .run = run_study,
};
