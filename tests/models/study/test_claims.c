/* What claims compare and how, by measures whose values are known: learning rates. */
#include "tests/models/command_helpers.h"

/* In the three epochs the rate is that of the axis, its half and its quarter. */
#define STUDY_WITH(more)                                                                           \
    "title: Rates\n"                                                                               \
    "base:\n"                                                                                      \
    "  model: {input: [2], layers: [{dense: {units: 2}}]}\n"                                       \
    "  data: {train: {spirals: {points: 20}}, batch: 40}\n"                                        \
    "  loss: cross_entropy\n"                                                                      \
    "  train: {epochs: 3, optimizer: {sgd: {rate: $rate}}, checkpoint_every: 0,\n"                 \
    "          schedule: {step: {every: 1, factor: 0.5}}}\n" more "variants: {only: {}}\n"         \
    "seeds: 2\n"
#define STUDY STUDY_WITH("")
#define PROBED STUDY_WITH("  probes: [gradient_norms]\n")
#define AXES "axes: {rate: [0.01, 0.02, 0.04]}\n"
#define MEASURES                                                                                   \
    "measures:\n"                                                                                  \
    "  first: {history: rate, take: first}\n"                                                      \
    "  last: {history: rate}\n"                                                                    \
    "  mean: {history: rate, take: mean}\n"                                                        \
    "  least: {history: rate, take: least}\n"                                                      \
    "  most: {history: rate, take: most}\n"                                                        \
    "  fall: {history: rate, take: fall}\n"                                                        \
    "  later: {history: rate, take: most, after: 2}\n"                                             \
    "  never: {history: rate, take: reach, level: 5}\n"                                            \
    "  instead: {history: rate, take: reach, level: 5, otherwise: 7}\n"
#define TEN "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"
#define ONE "variant: only, rate: 0.01"

typedef struct judged {
    const char *of, *rest, *verdict;
    const char *measure;
} judged;

#define ALL_OF(reduce) "over: rate, reduce: " reduce ", "

static const judged claims[] = {
    /* What is taken from a run */
    {ONE, "than: 0.01, expect: equal, within: 1e-9", "supported", "first"},
    {ONE, "than: 0.0025, expect: equal, within: 1e-9", "supported", "last"},
    {ONE, "than: 0.00583333333, expect: equal, within: 1e-9", "supported", "mean"},
    {ONE, "than: 0.0025, expect: equal, within: 1e-9", "supported", "least"},
    {ONE, "than: 0.01, expect: equal, within: 1e-9", "supported", "most"},
    {ONE, "than: 0.005, expect: equal, within: 1e-9", "supported", "fall"},
    {ONE, "than: 0.005, expect: equal, within: 1e-9", "supported", "later"},
    {ONE, "than: 1", "undecided", "never"},
    {ONE, "than: 7, expect: equal, within: 1e-9", "supported", "instead"},
    /* Several arms as one */
    {"variant: only", ALL_OF("mean") "than: 0.0233333333, expect: equal, within: 1e-9", "supported",
     "first"},
    {"variant: only", ALL_OF("range") "than: 0.03, expect: equal, within: 1e-9", "supported",
     "first"},
    {"variant: only", ALL_OF("count") "level: 0.015, than: 2, expect: equal, within: 1e-9",
     "supported", "first"},
    {"variant: only", ALL_OF("highest") "than: 0.04, expect: equal, within: 1e-9", "supported",
     "first"},
    {"variant: only", ALL_OF("lowest") "than: 0.01, expect: equal, within: 1e-9", "supported",
     "first"},
    {"variant: only", ALL_OF("highest") "than: 1", "undecided", "never"},
    {"variant: only", ALL_OF("mean") "than: 1", "undecided", "never"},
    /* How they are compared */
    {"variant: only, rate: 0.04", "than: {" ONE "}, as: ratio, by: 3.9", "supported", "first"},
    {"variant: only, rate: 0.04", "than: {" ONE "}, as: ratio, by: 4.1", "not supported", "first"},
    {"variant: only, rate: 0.04", "than: {" ONE "}, as: ratio", "supported", "first"},
    {ONE, "than: {variant: only, rate: 4e-2}, as: ratio, by: 3.9, expect: below", "supported",
     "first"},
    {"variant: only, rate: 0.04", "than: {" ONE "}, as: ratio, by: 4, expect: equal, within: 1e-6",
     "supported", "first"},
    {"variant: only, rate: 0.04", "than: {" ONE "}, as: ratio, by: 3, expect: equal, within: 0.1",
     "not supported", "first"},
    {ONE, "than: 0.02, expect: equal, within: 0.001", "not supported", "first"},
    {ONE, "than: 0, expect: equal, within: 0.001", "not supported", "first"},
    {ONE, "than: 0.02, expect: below", "supported", "first"},
};

static char *file_of(void)
{
    static char text[1 << 14];
    size_t length = (size_t)snprintf(text, sizeof text, "%s%s%sclaims:\n", STUDY, AXES, MEASURES);
    for (int i = 0; i < NM_COUNT_OF(claims); i++) {
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "  - {claim: c%d, measure: %s, of: {%s}, %s}\n", i,
                                   claims[i].measure, claims[i].of, claims[i].rest);
    }
    ck_assert_uint_lt(length, sizeof text);
    return text;
}

START_TEST(values_of_runs_are_taken_put_together_and_compared)
{
    size_t size;
    write_text("rates.yaml", file_of());
    const ended *e = norma("study", "rates.yaml", "--out", "rates", "--quiet", "-j", "2");
    assert_code(e, 0);
    char *results = read_text(test_path("rates/results.json"), &size);
    const char *at = results;
    for (int i = 0; i < NM_COUNT_OF(claims); i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "\"verdict\": \"%s\"", claims[i].verdict);
        at = strstr(at, "\"verdict\": ");
        ck_assert_ptr_nonnull(at);
        ck_assert_msg(strncmp(at, expected, strlen(expected)) == 0, "claim %d, %s of %s: %.30s", i,
                      claims[i].measure, claims[i].of, at);
        at++;
    }
    free(results);
}
END_TEST

START_TEST(a_single_seed_decides_nothing)
{
    write_text("single.yaml",
               STUDY AXES "quick: {seeds: 1, axes: {rate: [0.01]}}\n" MEASURES
                          "claims: [{claim: c, measure: first, of: {" ONE "}, than: 1}]\n");
    const ended *e = norma("study", "single.yaml", "--out", "single", "--quiet", "--quick");
    assert_code(e, 0);
    assert_says(e->out, "a single seed has no interval");
}
END_TEST

static const struct {
    const char *text, *message;
} mistakes[] = {
    {STUDY AXES MEASURES "claims: [{claim: c, measure: first, of: {variant: only, depth: 1, rate: "
                         "0.01}, than: 1}]\n",
     "there is no axis \"depth\"; name the variant and values of axes"},
    {STUDY AXES MEASURES "claims: [{claim: c, measure: first, of: 3, than: 1}]\n",
     "name arms, such as {variant: batch_norm}"},
    {STUDY AXES MEASURES "claims: [{claim: c, measure: first, of: {rate: 0.01}, than: 1}]\n",
     "it does not say which variant; add it"},
    {STUDY AXES MEASURES
     "claims: [{claim: c, measure: first, of: {variant: only}, over: depth, than: 1}]\n",
     "there is no axis \"depth\" to take together"},
    {STUDY AXES MEASURES "claims: [{claim: c, measure: first, of: {" ONE
                         "}, than: 0, as: ratio}]\n",
     "a ratio to 0 says nothing; compare by difference"},
    {STUDY AXES MEASURES "claims: {c: 1}\n", "claims: it must be a list"},
    {STUDY AXES "measures: []\n", "measures: it must be a map of names to what is measured"},
    {STUDY "axes: [1]\n" MEASURES, "axes: it must be a map of names to lists of values"},
    {STUDY "axes: {rate: 1}\n" MEASURES, "rate: it must be a list of values"},
    {STUDY
     "axes: {a: [1], b: [1], c: [1], d: [1], e: [1], f: [1], g: [1], h: [1], i: [1]}\n" MEASURES,
     "axes: at most "},
    {STUDY AXES "measures: {x: {probe: saturatoin, value: dead}}\n",
     "did you mean \"saturation\"?"},
    {STUDY AXES "measures: {}\n", "measures: it must be a map of names to what is measured"},
    {STUDY "axes: {rate: []}\n" MEASURES, "rate: it must be a list of values"},
    {PROBED AXES "measures: {x: {probe: gradient_norms}}\n",
     "gradient_norms measures no \"\"; `norma help gradient_norms` tells what"},
    {PROBED AXES "measures: {x: {probe: gradient_norms, value: qqqqqqqqqqqq}}\n",
     "gradient_norms measures no \"qqqqqqqqqqqq\"; `norma help gradient_norms` tells what"},
    {PROBED AXES "measures: {x: {probe: gradient_norms, value: norm, take: reach, by: seconds}}\n",
     "\"by\" is for take: reach of history"},
    {STUDY AXES MEASURES "claims: [{claim: c, measure: first, of: {variant: [only], rate: 0.01}, "
                         "than: 1}]\n",
     "there is no variant \"\""},
    {STUDY AXES MEASURES "claims: [{claim: c, measure: first, of: {" ONE "}, than: null}]\n",
     "name arms, such as {variant: batch_norm}"},
    {STUDY AXES MEASURES "claims: [{claim: c, measure: first, of: {variant: only, rate: {a: 1, b: "
                         "2}}, than: 1}]\n",
     "the axis \"rate\" has no such value"},
    {STUDY "axes: {rate: [" TEN "], train.epochs: [" TEN "], data.batch: [" TEN ", 11]}\n" MEASURES,
     "1100 variants and values of axes are too many; at most 1000"},
    {STUDY AXES MEASURES "plots: 3\n", "plots: it must be a list"},
    {STUDY "axes: {rate: [0.01], train.nothing: [1, 2]}\n" MEASURES, "nothing"},
};

START_TEST(claims_that_cannot_be_judged_are_told_before_anything_runs)
{
    for (int i = 0; i < NM_COUNT_OF(mistakes); i++) {
        write_text("wrong.yaml", mistakes[i].text);
        const ended *e = norma("study", "wrong.yaml", "--out", "wrong");
        assert_code(e, 2);
        assert_says(e->err, mistakes[i].message);
        ck_assert_msg(access(test_path("wrong/runs"), F_OK) != 0, "%d ran", i);
    }
}
END_TEST

START_TEST(a_study_needs_a_name_and_takes_so_many_runs_at_once)
{
    const ended *e = norma("study");
    assert_code(e, 2);
    assert_says(e->err, "study: name a file, or a study that --list lists");
    e = norma("study", "rates.yaml", "-j", "65");
    assert_code(e, 2);
    assert_says(e->err, "study: -j takes a number from 1 to 64");
    e = norma("study", "rates.yaml", "-j", "0");
    assert_code(e, 2);
    e = norma("study", "rates.yaml", "-j", "two");
    assert_code(e, 2);
}
END_TEST

TEST_MAIN("models/study/claims", values_of_runs_are_taken_put_together_and_compared,
          a_single_seed_decides_nothing, claims_that_cannot_be_judged_are_told_before_anything_runs,
          a_study_needs_a_name_and_takes_so_many_runs_at_once)
