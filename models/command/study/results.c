/* What came out, as results.json and as text. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/command/study/study.h"
#include "models/command/text_stream.h"

static void write_arm(json_line *line, const study *s, const arm *a, int index)
{
    json_line one = json_element(line, index);
    json_string(&one, "arm", a->name);
    json_string(&one, "variant", study_variant(s, a));
    for (int i = 0; i < s->axis_count; i++) {
        json_string(&one, s->axes[i].name, study_axis_text(s, a, i));
    }
    json_line measures = json_object(&one, "measures");
    for (int m = 0; m < s->measure_count; m++) {
        json_doubles(&measures, s->measures[m].name, study_values(s, a, m), s->seeds);
    }
    json_object_end(&measures);
    json_object_end(&one);
}

static void write_claim(json_line *line, const study *s, const claim *c, int index)
{
    const judgement j = study_judge(s, c);
    json_line one = json_element(line, index);
    json_string(&one, "claim", c->claim);
    json_string(&one, "source", c->source);
    json_string(&one, "verdict", verdict_text(j.verdict));
    json_string(&one, "measure", c->measure);
    json_number(&one, "of", j.of);
    json_number(&one, "than", j.than);
    json_string(&one, "compared_by", c->as == AS_RATIO ? "ratio" : "difference");
    json_number(&one, "value", study_told(c, j.estimate.mean));
    json_number(&one, "low", study_told(c, j.estimate.low));
    json_number(&one, "high", study_told(c, j.estimate.high));
    json_number(&one, "found_with_power_0.8", j.estimate.detectable);
    json_string(&one, "test", j.test);
    json_string(&one, "reason", j.reason[0] ? j.reason : NULL);
    json_object_end(&one);
}

static bool write_all(const study *s, FILE *to)
{
    json_line line = {.to = to};
    json_string(&line, "study", s->name);
    json_string(&line, "title", s->title);
    json_string(&line, "version", nm_version());
    json_bool(&line, "quick", s->is_quick);
    json_integer(&line, "seeds", s->seeds);
    json_list(&line, "claims");
    for (int i = 0; i < s->claim_count; i++) {
        write_claim(&line, s, &s->claims[i], i);
    }
    json_list_end(&line);
    json_list(&line, "arms");
    for (int i = 0; i < s->arm_count; i++) {
        write_arm(&line, s, &s->arms[i], i);
    }
    json_list_end(&line);
    return json_end(&line);
}

nm_status study_write_results(const study *s)
{
    char path[RUN_PATH];
    text_stream text;
    if (text_begin(&text, s->context)) {
        write_all(s, text.to);
    }
    nm_file *file = text_end(&text) && path_join(path, s->folder, "results.json")
                        ? nm_file_create(s->context, path)
                        : NULL;
    nm_status status = nm_context_status(s->context);
    if (file) {
        nm_file_write(file, text.text, text.size); /* a failure is the commit's too */
        status = nm_file_commit(file);
    } else if (status == NM_OK) {
        status = nm_fail(s->context, NM_ERROR_IO, "cannot write results.json");
    }
    text_free(&text);
    return status;
}

static void print_claim(const study *s, const claim *c)
{
    char text[STUDY_NUMBERS];
    const judgement j = study_judge(s, c);
    printf("\n%s%s%s\n", bold(), verdict_text(j.verdict), plain());
    print_wrapped(c->claim, 2);
    print_wrapped(study_numbers(c, &j, text), 4);
    if (j.reason[0]) {
        print_wrapped(j.reason, 4);
    }
    if (c->source) {
        print_wrapped(c->source, 4);
    }
}

static void print_arms(const study *s)
{
    printf("\n%*s", -34, "mean (deviation)");
    for (int m = 0; m < s->measure_count; m++) {
        printf(" %20.20s", s->measures[m].name);
    }
    for (int i = 0; i < s->arm_count; i++) {
        printf("\n%*s", -34, s->arms[i].name);
        for (int m = 0; m < s->measure_count; m++) {
            char text[64];
            const estimate e = estimate_of(study_values(s, &s->arms[i], m), s->seeds);
            if (isnan(e.mean)) {
                snprintf(text, sizeof text, "-");
            } else {
                snprintf(text, sizeof text, "%.5g (%.2g)", e.mean, e.deviation);
            }
            printf(" %20s", text);
        }
    }
    putchar('\n');
}

void study_print(const study *s)
{
    printf("%s%s%s\n", bold(), s->title, plain());
    if (s->is_quick) {
        printf("(quick: fewer seeds and steps than the study has; verdicts are not its own)\n");
    }
    print_arms(s);
    for (int i = 0; i < s->claim_count; i++) {
        print_claim(s, &s->claims[i]);
    }
    printf("\n%s/results.json, %s/index.html\n", s->folder, s->folder);
}
