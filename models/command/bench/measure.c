/* A row: measured, compared with what the machine can do, printed. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "models/command/bench/bench.h"

typedef struct measured {
    double best, median; /* microseconds of a part */
    double samples;      /* a second; 0: none */
    double rate;         /* 1e9 floating point operations, or bytes, a second; 0: none */
    double share;        /* of the machine's limit */
    double peak;         /* resident memory so far, MB */
} measured;

static nm_status compare_with_limit(bench *b, const bench_row *row, const bench_timing *t,
                                    measured *m)
{
    nm_status status = NM_OK;
    double limit = 1;
    if (row->multiply_adds > 0) {
        status = bench_multiply_limit(b, row->precision, &limit);
        m->rate = 2e-9 * row->multiply_adds / t->median;
        m->share = row->multiply_adds / t->median / limit;
    } else if (row->bytes > 0) {
        status = bench_copy_limit(b, (size_t)row->bytes, &limit);
        m->rate = 1e-9 * row->bytes / t->median;
        m->share = row->bytes / t->median / limit;
    }
    return status;
}

/* The process's peak resident memory in MB. */
static double peak_memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static bool print_json(const bench *b, const bench_row *row, const measured *m)
{
    json_line line = {0};
    json_string(&line, "name", row->name);
    json_integer(&line, "batch", row->batch);
    json_integer(&line, "threads", nm_context_threads(b->context));
    json_string(&line, "precision", nm_precision_names[row->precision]);
    json_number(&line, "us_best", m->best);
    json_number(&line, "us_median", m->median);
    if (row->counts_samples) {
        json_number(&line, "samples_per_second", m->samples);
    }
    if (m->rate > 0) {
        json_number(&line, row->multiply_adds > 0 ? "gflops" : "gbs", m->rate);
        json_number(&line, "share", m->share);
    }
    json_number(&line, "peak_mb", m->peak);
    return json_end(&line);
}

/* Three digits that count, or all before the point. */
static const char *format_time(double us, char text[32])
{
    snprintf(text, 32, us < 1 ? "%.4f" : us < 10 ? "%.2f" : us < 100 ? "%.1f" : "%.0f", us);
    return text;
}

static bool print_row(const bench *b, const bench_row *row, const measured *m)
{
    char best[32], median[32], samples[32] = "", rate[32] = "", share[32] = "";
    if (row->counts_samples) {
        snprintf(samples, sizeof samples, "%.0f", m->samples);
    }
    if (m->rate > 0) {
        snprintf(rate, sizeof rate, "%.1f %s", m->rate,
                 row->multiply_adds > 0 ? "GFLOP/s" : "GB/s   ");
        snprintf(share, sizeof share, "%.0f %%", 100 * m->share);
    }
    if (b->rows == 1) {
        int threads = nm_context_threads(b->context);
        printf("%d %s, %s\n", threads, threads == 1 ? "thread" : "threads",
               nm_precision_names[b->precision]);
    }
    if (b->heading) {
        printf("\n%s%-40s %5s %10s %10s %11s %14s %8s%s\n", bold(), b->heading, "batch", "best us",
               "median us", "samples/s", "rate", "of limit", plain());
    }
    printf("%-40s %5lld %10s %10s %11s %14s %8s\n", row->name, (long long)row->batch,
           format_time(m->best, best), format_time(m->median, median), samples, rate, share);
    return fflush(stdout) == 0;
}

bool bench_wanted(bench *b, const char *name)
{
    bool wanted = b->arguments->count == 0;
    for (int i = 0; i < b->arguments->count; i++) {
        wanted |= strstr(name, b->arguments->positional[i]) != NULL;
    }
    b->rows += wanted;
    if (wanted && b->list) {
        printf("%s\n", name);
    }
    return wanted && !b->list;
}

nm_status bench_measure(bench *b, const bench_row *row)
{
    bench_timing t;
    measured m = {0};
    nm_status status = bench_time(b->context, row->step, row->state, b->seconds, &t);
    m.peak = peak_memory(); /* before the limits are measured, which need memory too */
    if (status == NM_OK) {
        status = compare_with_limit(b, row, &t, &m);
    }
    if (status != NM_OK) {
        return nm_fail_in(b->context, "%s", row->name);
    }
    double parts = row->parts ? (double)row->parts : 1;
    m.best = 1e6 * t.best / parts;
    m.median = 1e6 * t.median / parts;
    m.samples = (double)row->batch * parts / t.median;
    if (b->json) {
        b->unwritable = !print_json(b, row, &m);
    } else {
        b->unwritable = !print_row(b, row, &m);
        b->heading = NULL;
    }
    return b->unwritable ? NM_ERROR_CANCELLED : NM_OK;
}
