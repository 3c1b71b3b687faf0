/* norma find-rate: the learning-rate range test. The network is trained for some steps while the
 * rate rises from very small to very large, and the loss tells which rates are good for it. Smith
 * 2015, arXiv 1506.01186. Nothing is written. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"
#include "models/command/train/interrupt.h"

#define LEAST_STEPS 20
#define MOST_STEPS 100000
#define SMOOTHING 0.9 /* of the losses, for those before */
#define TOO_FAR 4     /* times the best: there the test ends */
#define ROWS 24       /* printed */
#define BAR 40        /* columns of the largest loss */

typedef struct point {
    double rate, loss, smooth;
} point;

typedef struct range {
    nm_context *context;
    nm_config config;
    nm_trainer *trainer;
    bool json;
    double from, to;
    double base; /* the optimizer's own rate, which the schedule's factors are of */
    int64_t steps;
    point *points;
    int64_t count;
    double mean, best;       /* of the losses: moving, and the lowest smooth one */
    int64_t fastest, lowest; /* where it falls fastest, where it is lowest; -1: nowhere */
} range;

/* ---- The rising rate ---- */

static double rising(const void *options, const nm_moment *at)
{
    const range *r = *(const range *const *)options;
    const double part = (double)at->step / (double)(r->steps - 1);
    return r->from * pow(r->to / r->from, part) / r->base;
}

static const nm_schedule_type schedule_rising = {
    .item = NM_ITEM(nm_schedule_type, "rising", "from one rate to another"),
    .factor = rising,
    .warms_up = true,
};

/* ---- The test ---- */

static nm_status on_step(void *user, const nm_train_state *s)
{
    range *r = user;
    r->mean = SMOOTHING * r->mean + (1 - SMOOTHING) * s->loss;
    const double smooth = r->mean / (1 - pow(SMOOTHING, (double)r->count + 1));
    r->points[r->count++] = (point){s->rate, s->loss, smooth};
    r->best = r->count == 1 || smooth < r->best ? smooth : r->best;
    const bool too_far = r->count > LEAST_STEPS / 2 && smooth > TOO_FAR * r->best;
    if (too_far || r->count == r->steps || interrupt_number()) {
        nm_trainer_stop(r->trainer);
    }
    return NM_OK;
}

static nm_status make_trainer(range *r, const range **self)
{
    nm_trainer_setup setup = nm_config_setup(&r->config);
    nm_train_options *o = &setup.options;
    *self = r;
    o->steps = r->steps + 1; /* so that the last is not one with an evaluation behind it */
    o->schedule = (nm_choice){.item = &schedule_rising.item, .options = self};
    o->warmup = (nm_warmup){0};
    o->early_stopping.on = false;
    o->evaluate_every = MOST_STEPS + 1;
    setup.callbacks = (nm_train_callbacks){.user = r, .on_step = on_step};
    r->trainer = nm_trainer_create(r->context, &setup);
    if (!r->trainer) {
        return nm_context_status(r->context);
    }
    r->base = nm_optimizer_rate(nm_trainer_optimizer(r->trainer));
    return nm_trainer_start(r->trainer);
}

/* A loss that is not finite any more is an end like that of one that is too large. */
static nm_status run_test(range *r)
{
    const range *self;
    nm_train_result result;
    nm_status status = make_trainer(r, &self);
    if (status != NM_OK) {
        return status;
    }
    interrupts_catch();
    status = nm_trainer_run(r->trainer, &result);
    interrupts_release();
    if (status == NM_ERROR_NUMERIC && r->count > 0) {
        nm_context_clear_error(r->context);
        return NM_OK;
    }
    return status;
}

/* ---- What it tells ---- */

/* How the loss changes with the rate's logarithm around a point: over a tenth of the test. */
static double slope_at(const range *r, int64_t i)
{
    const int64_t reach = r->steps / 20 + 1;
    const point *a = &r->points[i - reach < 0 ? 0 : i - reach];
    const point *b = &r->points[i + reach >= r->count ? r->count - 1 : i + reach];
    return b->rate > a->rate ? (b->smooth - a->smooth) / log(b->rate / a->rate) : 0;
}

/* How far losses lie from their moving mean: what is no more than that is no fall. */
static double noise_of(const range *r)
{
    double sum = 0;
    for (int64_t i = 0; i <= r->lowest; i++) {
        const double off = r->points[i].loss - r->points[i].smooth;
        sum += off * off;
    }
    return sqrt(sum / (double)(r->lowest + 1));
}

static void judge(range *r)
{
    double steepest = 0;
    r->fastest = r->lowest = -1;
    for (int64_t i = 0; i < r->count; i++) {
        if (r->points[i].smooth <= r->best) {
            r->lowest = i;
        }
    }
    const int64_t tenth = r->count / 10;
    const bool falls = r->lowest > tenth && r->points[tenth].smooth - r->best > noise_of(r);
    for (int64_t i = 0; falls && i < r->lowest; i++) {
        if (slope_at(r, i) < steepest) {
            steepest = slope_at(r, i);
            r->fastest = i;
        }
    }
}

static void print_bar(const range *r, const point *p)
{
    double most = 0;
    for (int64_t i = 0; i < r->count; i++) {
        most = fmax(most, r->points[i].smooth);
    }
    const int length = most > 0 ? (int)(p->smooth / most * BAR + 0.5) : 0;
    printf("%9.2g  %10.4g  %.*s\n", p->rate, p->smooth, length,
           "########################################");
}

static void print_text(const range *r)
{
    char number[32];
    printf("%s%9s  %10s%s\n", bold(), "rate", "loss", plain());
    const int64_t rows = r->count < ROWS ? r->count : ROWS;
    for (int64_t i = 0; i < rows; i++) {
        print_bar(r, &r->points[rows > 1 ? i * (r->count - 1) / (rows - 1) : 0]);
    }
    if (r->fastest < 0) {
        printf(
            "the loss does not fall at any of these rates; look at the data and the network, or at "
            "other rates: --from, --to\n");
        return;
    }
    printf("the loss falls fastest at a rate of %.2g and is lowest at %.2g; try\n",
           r->points[r->fastest].rate, r->points[r->lowest].rate);
    snprintf(number, sizeof number, "%.1g", r->points[r->fastest].rate);
    if (r->config.train.optimizer.item) {
        printf("    --set train.optimizer.%s.rate=%s\n", r->config.train.optimizer.item->name,
               number);
    } else { /* to name one leaves out what is usual without */
        printf("    train: {optimizer: {sgd: {rate: %s, momentum: 0.9}}, schedule: cosine, "
               "clip_norm: 1}\n",
               number);
    }
}

static void print_json(const range *r)
{
    bool heard = true;
    for (int64_t i = 0; i < r->count && heard; i++) {
        json_line line = {0};
        json_number(&line, "rate", r->points[i].rate);
        json_number(&line, "loss", r->points[i].loss);
        json_number(&line, "smooth_loss", r->points[i].smooth);
        heard = json_end(&line);
    }
    json_line line = {0};
    json_number(&line, "fastest_rate", r->fastest < 0 ? (double)NAN : r->points[r->fastest].rate);
    json_number(&line, "lowest_rate", r->fastest < 0 ? (double)NAN : r->points[r->lowest].rate);
    if (heard) {
        json_end(&line);
    }
}

/* ---- The command ---- */

static bool read_number(const arguments *a, const char *flag, double *value)
{
    const char *text = argument_value(a, flag);
    return !text || (nm_parse_float(text, value) && *value > 0 && isfinite(*value));
}

static int read_flags(const arguments *a, range *r)
{
    const char *steps = argument_value(a, "--steps");
    if (!read_number(a, "--from", &r->from) || !read_number(a, "--to", &r->to) ||
        r->from >= r->to) {
        return bad_usage(
            "find-rate: --from and --to take rates above 0, the first below the second");
    }
    if (steps &&
        (!nm_parse_int(steps, &r->steps) || r->steps < LEAST_STEPS || r->steps > MOST_STEPS)) {
        return bad_usage("find-rate: --steps takes a number from %d to %d", LEAST_STEPS,
                         MOST_STEPS);
    }
    return EXIT_FINE;
}

static nm_status open_and_run(range *r, const arguments *a)
{
    const char *settings[MAX_VALUES];
    const int count = argument_list(a, "--set", settings);
    nm_status status = nm_config_open(r->context, a->positional[0], settings, count,
                                      NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN, &r->config);
    if (status == NM_OK) {
        r->points = nm_alloc_zero(r->context, (size_t)r->steps, sizeof *r->points);
        status = r->points ? run_test(r) : NM_ERROR_MEMORY;
    }
    return status;
}

static int conclude(range *r)
{
    judge(r);
    if (r->json) {
        print_json(r);
    } else {
        print_text(r);
    }
    return interrupt_number() ? EXIT_SIGNAL + interrupt_number() : EXIT_FINE;
}

static int run_find_rate(nm_context *context, const arguments *a)
{
    range r = {.context = context,
               .json = argument_value(a, "--json") != NULL,
               .from = 1e-6,
               .to = 10,
               .base = 1,
               .steps = 200};
    int code = read_flags(a, &r);
    if (code != EXIT_FINE) {
        return code;
    }
    code = open_and_run(&r, a) == NM_OK ? conclude(&r) : report_error(context);
    nm_trainer_destroy(r.trainer);
    nm_free(context, r.points);
    nm_config_close(&r.config);
    return code;
}

const command command_find_rate = {
    .name = "find-rate",
    .usage = "FILE",
    .summary = "try learning rates on the network of a YAML file",
    .doc = "The learning-rate range test: trains the network for some steps while the rate rises, "
           "each "
           "by the same factor, and tells where the loss falls fastest and where it is lowest. It "
           "ends "
           "where the loss is four times its lowest value. The rates are the optimizer's; schedule "
           "and "
           "warm-up are left out. Nothing is written. Smith 2015, arXiv 1506.01186.",
    .flags = {{"--set", "KEY=VALUE", "set a value of the file: train.optimizer=adam"},
              {"--from", "RATE", "the first rate; default: 1e-6"},
              {"--to", "RATE", "the last; default: 10"},
              {"--steps", "N", "updates from one to the other; default: 200"},
              {"--json", NULL, "one JSON object a line on standard output, a step each"}},
    .least = 1,
    .most = 1,
    .run = run_find_rate,
};
