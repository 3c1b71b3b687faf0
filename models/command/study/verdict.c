/* Claims: which arms they compare, and what the numbers say. Runs of one seed are pairs: they begin
 * with the same random numbers and see the same batches. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/command/study/study.h"

const char *verdict_text(verdict v)
{
    static const char *const texts[] = {"undecided", "supported", "not supported"};
    return texts[v];
}

/* ---- Which arms ---- */

static int axis_index(const study *s, const char *name)
{
    for (int i = 0; name && i < s->axis_count; i++) {
        if (strcmp(s->axes[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static bool same_text(const char *a, const char *b)
{
    double x, y;
    return strcmp(a, b) == 0 || (nm_parse_float(a, &x) && nm_parse_float(b, &y) && x == y);
}

/* Numbers count by value, however they are written. */
static bool same_value(const nm_value *a, const nm_value *b)
{
    bool same = a->kind == b->kind && a->count == b->count;
    if (same && a->kind == NM_VALUE_SCALAR) {
        return same_text(a->text, b->text);
    }
    for (int i = 0; same && i < a->count; i++) {
        const bool map = a->kind == NM_VALUE_MAP;
        same = map ? same_text(a->entries[i].key->text, b->entries[i].key->text) &&
                         same_value(a->entries[i].value, b->entries[i].value)
                   : same_value(a->items[i], b->items[i]);
    }
    return same;
}

/* By the value, or by what it is called. */
static bool names_value(const nm_value *said, const study_axis *axis, int i)
{
    return same_value(said, axis->values->items[i]) ||
           (said->kind == NM_VALUE_SCALAR && strcmp(said->text, axis->texts[i]) == 0);
}

/* Whether the arm is one of those a side of a claim names. */
static bool is_chosen(const study *s, const nm_value *side, const arm *a)
{
    for (int i = 0; i < side->count; i++) {
        const char *key = side->entries[i].key->text;
        const nm_value *v = side->entries[i].value;
        const int axis = axis_index(s, key);
        const bool named =
            axis >= 0 ? names_value(v, &s->axes[axis], a->at[axis])
                      : v->kind == NM_VALUE_SCALAR && strcmp(v->text, study_variant(s, a)) == 0;
        if (!named) {
            return false;
        }
    }
    return true;
}

static int measure_index(const study *s, const char *name)
{
    for (int i = 0; i < s->measure_count; i++) {
        if (strcmp(s->measures[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* ---- Mistakes ---- */

static bool axis_has(const study *s, int axis, const nm_value *said)
{
    for (int i = 0; i < s->axes[axis].values->count; i++) {
        if (names_value(said, &s->axes[axis], i)) {
            return true;
        }
    }
    return false;
}

static void check_entry(const study *s, const nm_value_entry *entry, nm_diagnostics *d)
{
    const char *key = entry->key->text;
    const int axis = axis_index(s, key);
    const char *text = entry->value->kind == NM_VALUE_SCALAR ? entry->value->text : "";
    if (axis < 0 && strcmp(key, "variant") != 0) {
        nm_diagnose(d, entry->key, "there is no axis \"%s\"; name the variant and values of axes",
                    key);
    } else if (axis < 0 && !nm_value_get(s->variants, text)) {
        nm_diagnose(d, entry->value, "there is no variant \"%s\"", text);
    } else if (axis >= 0 && !axis_has(s, axis, entry->value) && !s->is_quick) {
        nm_diagnose(d, entry->value, "the axis \"%s\" has no %s%s", key,
                    *text ? "value " : "such value; name one as the axis has it", text);
    }
}

static void check_side(const study *s, const claim *c, const nm_value *side, nm_diagnostics *d)
{
    if (!side || side->kind != NM_VALUE_MAP) {
        nm_diagnose(d, side ? side : c->at, "claim: name arms, such as {variant: batch_norm}");
        return;
    }
    for (int i = 0; i < side->count; i++) {
        check_entry(s, &side->entries[i], d);
    }
    if (!nm_value_get(side, "variant")) {
        nm_diagnose(d, side, "claim: it does not say which variant; add it");
    }
    for (int i = 0; i < s->axis_count; i++) {
        const char *name = s->axes[i].name;
        if (!nm_value_get(side, name) && !(c->over && strcmp(c->over, name) == 0) &&
            s->axes[i].values->count > 1) {
            nm_diagnose(d, side, "claim: it does not say which %s; give a value, or over: %s", name,
                        name);
        }
    }
}

static bool is_number(const nm_value *v, double *number)
{
    return v && v->kind == NM_VALUE_SCALAR && nm_parse_float(v->text, number);
}

void study_check_claim(study *s, const claim *c, nm_diagnostics *d)
{
    double number;
    if (measure_index(s, c->measure) < 0) {
        nm_diagnose(d, c->at, "claim: nothing measures \"%s\"; add it to measures", c->measure);
    }
    if (c->over && axis_index(s, c->over) < 0) {
        nm_diagnose(d, c->at, "claim: there is no axis \"%s\" to take together", c->over);
    }
    check_side(s, c, c->of, d);
    if (!is_number(c->than, &number)) {
        check_side(s, c, c->than, d);
    }
    if (c->expect == EXPECT_EQUAL && !(c->within > 0)) {
        nm_diagnose(d, c->at, "claim: equal needs \"within\": how far apart still counts as equal");
    }
    if (c->as == AS_RATIO && c->by < 0) {
        nm_diagnose(d, c->at, "claim: a ratio is never below 0; a tolerance is a \"by\" below 1");
    }
    if (c->as == AS_RATIO && is_number(c->than, &number) && !(number > 0)) {
        nm_diagnose(d, c->at, "claim: a ratio to %g says nothing; compare by difference", number);
    }
}

/* ---- One side: a value a seed ---- */

static const arm *best_arm(const study *s, const claim *c, const nm_value *side, int m)
{
    const arm *best = NULL;
    double value = NAN;
    for (int i = 0; i < s->arm_count; i++) {
        const arm *a = &s->arms[i];
        const estimate e = estimate_of(study_values(s, a, m), s->seeds);
        if (is_chosen(s, side, a) && !isnan(e.mean) &&
            (!best || (c->reduce == REDUCE_LOWEST ? e.mean < value : e.mean > value))) {
            best = a;
            value = e.mean;
        }
    }
    return best;
}

/* Of all chosen arms, for one seed. */
static double reduce(const study *s, const claim *c, const nm_value *side, int m, int64_t seed)
{
    double sum = 0, least = INFINITY, most = -INFINITY, above = 0;
    int count = 0;
    for (int i = 0; i < s->arm_count; i++) {
        if (is_chosen(s, side, &s->arms[i])) {
            const double v = study_values(s, &s->arms[i], m)[seed];
            sum += v; /* a NaN stays */
            least = fmin(least, v);
            most = fmax(most, v);
            above += v > c->level;
            count++;
        }
    }
    if (!count || isnan(sum)) {
        return NAN;
    }
    return c->reduce == REDUCE_RANGE   ? most - least
           : c->reduce == REDUCE_COUNT ? above
                                       : sum / count;
}

/* The best is chosen by its mean, and then it is one arm like any other. */
static void find_side(const study *s, const claim *c, const nm_value *side, int m, double *values)
{
    const bool best = c->reduce == REDUCE_HIGHEST || c->reduce == REDUCE_LOWEST;
    const arm *a = best ? best_arm(s, c, side, m) : NULL;
    double number;
    for (int64_t seed = 0; seed < s->seeds; seed++) {
        values[seed] = is_number(side, &number) ? number
                       : best                   ? a ? study_values(s, a, m)[seed] : (double)NAN
                                                : reduce(s, c, side, m, seed);
    }
}

/* ---- The verdict ---- */

static verdict judge_above(double low, double high, double by)
{
    return low > by ? SUPPORTED : high <= by ? NOT_SUPPORTED : UNDECIDED;
}

/* Two one-sided tests: the whole interval lies within, or the whole beside. */
static verdict judge_equal(double low, double high, double within)
{
    return low >= -within && high <= within ? SUPPORTED
           : low > within || high < -within ? NOT_SUPPORTED
                                            : UNDECIDED;
}

static verdict judge(const claim *c, const estimate *e)
{
    const double by = c->as == AS_RATIO ? log(c->by > 0 ? c->by : 1) : c->by;
    switch ((claim_relation)c->expect) {
    case EXPECT_ABOVE: return judge_above(e->low, e->high, by);
    case EXPECT_BELOW: return judge_above(-e->high, -e->low, by);
    case EXPECT_EQUAL: break;
    }
    return judge_equal(e->low - by, e->high - by, c->as == AS_RATIO ? log1p(c->within) : c->within);
}

static void explain(const study *s, judgement *j, int missing)
{
    if (missing) {
        snprintf(j->reason, sizeof j->reason, "%d of %lld seeds have no number to compare", missing,
                 (long long)s->seeds);
    } else if (s->seeds < 2) {
        snprintf(j->reason, sizeof j->reason, "a single seed has no interval");
    } else if (j->verdict == UNDECIDED) {
        snprintf(j->reason, sizeof j->reason,
                 "the interval has both; these seeds find a distance of %.2g with power 0.8",
                 j->estimate.detectable);
    }
}

static double compare(const claim *c, double of, double than)
{
    if (c->as == AS_DIFFERENCE) {
        return of - than;
    }
    return of > 0 && than > 0 ? log(of / than) : (double)NAN;
}

judgement study_judge(const study *s, const claim *c)
{
    judgement j = {.test = "Student's t over paired seeds, interval of 95 %"};
    double number, *values = nm_alloc_zero(s->context, (size_t)(3 * s->seeds) + 1, sizeof *values);
    const int m = measure_index(s, c->measure);
    int missing = 0;
    if (!values) {
        return j;
    }
    double *of = values, *than = values + s->seeds, *both = values + 2 * s->seeds;
    find_side(s, c, c->of, m, of);
    find_side(s, c, c->than, m, than);
    for (int64_t i = 0; i < s->seeds; i++) {
        both[i] = compare(c, of[i], than[i]);
        missing += !isfinite(both[i]);
    }
    if (is_number(c->than, &number)) {
        j.test = "Student's t over seeds, interval of 95 %";
    }
    j.of = estimate_of(of, s->seeds).mean;
    j.than = estimate_of(than, s->seeds).mean;
    j.estimate = estimate_of(both, s->seeds);
    j.verdict = missing || s->seeds < 2 ? UNDECIDED : judge(c, &j.estimate);
    explain(s, &j, missing);
    nm_free(s->context, values);
    return j;
}

double study_told(const claim *c, double value)
{
    return c->as == AS_RATIO ? exp(value) : value;
}

const char *study_numbers(const claim *c, const judgement *j, char text[STUDY_NUMBERS])
{
    const estimate *e = &j->estimate;
    int length = snprintf(text, STUDY_NUMBERS, "%.120s: ", c->measure);
    char *at = text + length;
    const size_t room = (size_t)(STUDY_NUMBERS - length);
    if (isnan(e->mean)) {
        snprintf(at, room, "no number to compare");
    } else {
        length = snprintf(at, room, "%.4g against %.4g; %s %.4g", j->of, j->than,
                          c->as == AS_RATIO ? "ratio" : "difference", study_told(c, e->mean));
    }
    if (isfinite(e->low) && isfinite(e->high)) {
        snprintf(at + length, room - (size_t)length, ", 95 %% interval from %.4g to %.4g",
                 study_told(c, e->low), study_told(c, e->high));
    }
    return text;
}
