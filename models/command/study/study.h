/* `norma study`: trainings that differ in what a file says, what is measured in them, and what is
 * claimed of it, with verdicts. A study is a YAML file:
 *
 *     title: ...
 *     base: {model: [..., $norm, ...], data: ..., loss: ..., train: ..., probes: ...}
 *     variants: {none: {norm: []}, batch_norm: {norm: [batch_norm]}}
 *     axes: {rate: [0.01, 0.1]}
 *     seeds: 5
 *     measures: {accuracy: {history: test_accuracy}}
 *     claims: [{claim: ..., measure: accuracy, of: {variant: batch_norm}, than: {variant: none}}]
 *
 * `$norm` stands for what a variant, an axis or `set` say of it; any other name is a path, as in
 * --set. Every variant runs with every value of every axis and every seed: an arm is one of these
 * without the seed. */
#ifndef NM_MODELS_COMMAND_STUDY_STUDY_H
#define NM_MODELS_COMMAND_STUDY_STUDY_H

#include "models/command/command.h"
#include "models/command/page/page.h"
#include "models/command/train/path.h"

#define MOST_AXES 4
#define MOST_ARMS 1000
#define ARM_NAME 128

/* ---- As the file has it ---- */

typedef enum measure_take {
    TAKE_LAST,
    TAKE_FIRST,
    TAKE_MEAN,
    TAKE_LEAST,
    TAKE_MOST,
    TAKE_FALL,
    TAKE_REACH
} measure_take;

typedef struct measure {
    const char *history; /* a number of the log's epochs; NULL: of a probe */
    const char *probe, *layer, *value;
    const char *saved; /* of the network that a run leaves: one of saved_names */
    const char *by;    /* of reach: what it tells; NULL: the step */
    int take;          /* measure_take */
    double level;
    int64_t after;    /* values of steps before that do not count */
    double otherwise; /* of a run that did not come to have one; NaN: none */
    const char *name; /* the key; not an option */
    const nm_value *at;
} measure;

typedef enum claim_relation { EXPECT_ABOVE, EXPECT_BELOW, EXPECT_EQUAL } claim_relation;
typedef enum claim_way { AS_DIFFERENCE, AS_RATIO } claim_way;
typedef enum claim_reduce {
    REDUCE_HIGHEST,
    REDUCE_LOWEST,
    REDUCE_MEAN,
    REDUCE_RANGE,
    REDUCE_COUNT
} claim_reduce;

typedef struct claim {
    const char *claim;
    const char *measure;
    const nm_value *of, *than; /* arms, or a number */
    int expect;                /* claim_relation */
    double by, within;
    int as;           /* claim_way */
    const char *over; /* an axis whose values are taken together; NULL: none */
    int reduce;       /* claim_reduce */
    double level;     /* of count */
    const char *source;
    const nm_value *at;
} claim;

typedef struct plot {
    const char *title, *measure, *over, *label, *unit;
    bool logarithmic, logarithmic_over;
    const nm_value *at;
} plot;

typedef struct quick {
    int64_t seeds;
    const nm_value *set, *axes;
} quick;

typedef struct study_axis {
    const char *name;
    const nm_value *values;  /* a list */
    char (*texts)[ARM_NAME]; /* of each value */
} study_axis;

/* What is run. */
typedef struct arm {
    char name[ARM_NAME];
    int variant;
    int at[MOST_AXES]; /* the value of each axis */
    char *text;        /* of the file */
    double *values;    /* [measures, seeds] */
} arm;

typedef struct study {
    nm_context *context;
    nm_document *document;
    char name[64];
    char folder[RUN_PATH]; /* of all that it leaves */
    /* The file's. */
    const char *title, *about;
    const nm_value *base, *set, *variants, *axes_value, *measures_value, *claims_value,
        *plots_value;
    int64_t seeds;
    quick quick;
    /* Made of it. */
    bool is_quick, is_quiet;
    int64_t jobs;
    study_axis axes[MOST_AXES];
    int axis_count;
    measure *measures;
    claim *claims;
    plot *plots;
    int measure_count, claim_count, plot_count;
    arm *arms;
    int arm_count;
    double seconds;
} study;

/* ---- read.c, expand.c: NM_ERROR_INPUT names every mistake with its place ---- */

nm_status study_read(study *s, nm_document *document);
nm_status study_expand(study *s);

/* ---- arms.c ---- */

void study_close(study *s);
const char *study_variant(const study *s, const arm *a);
const nm_value *study_axis_value(const study *s, const arm *a, int axis);
/* The same as text: of {sgd: {rate: 0.1}} sgd, if no other value of the axis is called so; of what
 * else is no scalar its number, from 0. */
const char *study_axis_text(const study *s, const arm *a, int axis);

/* ---- runs.c ---- */

/* Runs what is not there yet. NM_ERROR_CANCELLED after a signal. */
nm_status study_run(study *s);
nm_status study_run_path(const study *s, const arm *a, int64_t seed, char path[RUN_PATH]);

/* ---- measure.c ---- */

nm_status study_measure(study *s);
/* A curve of a run: (step, value) of a measure; *count pairs in new memory. */
double *study_curve(const study *s, const arm *a, int64_t seed, const measure *m, int *count);
double *study_values(const study *s, const arm *a, int measure);

/* ---- saved.c ---- */

extern const char *const saved_names[]; /* ends with NULL */
/* "folding": the largest change of an output on the test set when the network is folded, by the
 * largest output. NaN, with an error, if it cannot be measured. */
double study_measure_saved(const study *s, const arm *a, int64_t seed);

/* ---- statistics.c ---- */

/* Student's t with n degrees of freedom: the quantile of a probability. */
double student_quantile(double probability, double n);
typedef struct estimate {
    int64_t count;
    double mean, deviation;
    double low, high;  /* the interval of 95 %; infinite of a single value */
    double detectable; /* the smallest distance that would be found with power 0.8 */
} estimate;
estimate estimate_of(const double *values, int64_t count);

/* ---- verdict.c ---- */

typedef enum verdict { UNDECIDED, SUPPORTED, NOT_SUPPORTED } verdict;
typedef struct judgement {
    verdict verdict;
    estimate estimate; /* of what is tested */
    double of, than;   /* means of both sides */
    const char *test;
    char reason[160]; /* why it is undecided; "" */
} judgement;
judgement study_judge(const study *s, const claim *c);
const char *verdict_text(verdict v);
/* The logarithm of a ratio as the ratio. */
double study_told(const claim *c, double value);
/* Both sides, how far they are apart, the interval. */
#define STUDY_NUMBERS 320
const char *study_numbers(const claim *c, const judgement *j, char text[STUDY_NUMBERS]);
/* Whether `of` or `than` names arms that there are; reports it. */
void study_check_claim(study *s, const claim *c, nm_diagnostics *d);

/* ---- results.c, picture.c ---- */

nm_status study_write_results(const study *s);
void study_print(const study *s);
nm_status study_write_page(const study *s);

/* ---- surface.c ---- */

/* Whether it is loss_surface's loss: a plot of it is a heat map for each arm. */
bool study_is_surface(const measure *m);
void study_add_surfaces(page *p, const study *s, const plot *asked, const measure *m);

/* ---- studies.c: those that Norma has within it ---- */

typedef struct shipped {
    const char *name, *text;
} shipped;
const shipped *shipped_find(const char *name); /* NULL: none */
const shipped *shipped_at(int index);          /* NULL after the last */

#endif
