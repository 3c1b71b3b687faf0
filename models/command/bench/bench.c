/* norma bench: how fast this machine trains, beside what it could do. */
#include "models/command/bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_number(const arguments *a, const char *flag, double low, double high, double *out)
{
    const char *text = argument_value(a, flag);
    if (!text) {
        return EXIT_FINE;
    }
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= low && value <= high)) {
        return bad_usage("bench: %s is \"%s\"; it must be a number from %g to %g", flag, text, low,
                         high);
    }
    *out = value;
    return EXIT_FINE;
}

static int read_whole_number(const arguments *a, const char *flag, double high, int64_t *out)
{
    double value = 0;
    int code = read_number(a, flag, 1, high, &value);
    if (code == EXIT_FINE && value != floor(value)) {
        return bad_usage("bench: %s must be a whole number", flag);
    }
    *out = (int64_t)value;
    return code;
}

static int read_precision(bench *b)
{
    const char *text = argument_value(b->arguments, "--precision");
    if (!text || strcmp(text, "f32") == 0) {
        return EXIT_FINE;
    }
    if (strcmp(text, "bf16") != 0) {
        return bad_usage("bench: --precision is \"%s\"; it must be f32 or bf16", text);
    }
    if (nm_has_bf16()) {
        b->precision = NM_PRECISION_BF16;
    } else {
        nm_context_log(b->context, NM_LOG_WARNING,
                       "there are no bf16 products here: this processor has no units for them "
                       "(AVX-512 BF16), or Norma was built without them; the rows are f32");
    }
    return EXIT_FINE;
}

static bool is_file(const char *text)
{
    const char *ending = strrchr(text, '.');
    return ending && (strcmp(ending, ".yaml") == 0 || strcmp(ending, ".yml") == 0);
}

static int count_files(const arguments *a)
{
    int files = 0;
    for (int i = 0; i < a->count; i++) {
        files += is_file(a->positional[i]);
    }
    return files;
}

static nm_status run_families(bench *b)
{
    if (argument_value(b->arguments, "--ops")) {
        return bench_catalogue(b);
    }
    nm_status status = bench_networks(b);
    if (status == NM_OK) status = bench_tiny(b);
    if (status == NM_OK) status = bench_kernels(b);
    if (status == NM_OK) status = bench_second(b);
    if (status == NM_OK) status = bench_overheads(b);
    return status == NM_OK ? bench_copies(b) : status;
}

static nm_status run_rows(bench *b, int64_t batch)
{
    const arguments *a = b->arguments;
    nm_status status = NM_OK;
    b->heading = "Training step";
    for (int i = 0; i < a->count && status == NM_OK; i++) {
        if (is_file(a->positional[i])) {
            status = bench_file(b, a->positional[i], batch);
        }
    }
    if (a->count && count_files(a) == a->count) {
        return status;
    }
    if (status == NM_OK) status = run_families(b);
    if (status == NM_OK && b->rows == 0) {
        return nm_fail(b->context, NM_ERROR_INPUT,
                       "no row's name contains \"%s\"; `norma bench --list` prints all",
                       b->arguments->positional[0]);
    }
    return status;
}

static int run_bench(nm_context *context, const arguments *a)
{
    int64_t threads = 0, batch = 0;
    bench b = {.context = context,
               .arguments = a,
               .json = argument_value(a, "--json") != NULL,
               .list = argument_value(a, "--list") != NULL,
               .seconds = 1};
    int code = read_whole_number(a, "--threads", NM_MAX_THREADS, &threads);
    if (code == EXIT_FINE) code = read_whole_number(a, "--batch", 1e6, &batch);
    if (code == EXIT_FINE) code = read_number(a, "--seconds", 0, 3600, &b.seconds);
    if (code == EXIT_FINE) code = read_precision(&b);
    if (code != EXIT_FINE) {
        return code;
    }
    if (batch && count_files(a) == 0) {
        return bad_usage("bench: --batch goes with a FILE; other rows have their batch");
    }
    if (threads) {
        nm_context_set_threads(context, (int)threads);
    }
    nm_status status = run_rows(&b, batch);
    return status == NM_OK || b.unwritable ? EXIT_FINE : report_error(context);
}

const command command_bench = {
    .name = "bench",
    .usage = "[FILTER|FILE...]",
    .summary = "measure how fast this machine trains",
    .doc = "Times a training step of every network of the zoo, every kernel, and what the engine, "
           "the optimizer and the loader cost, beside this machine's limit: multiply-adds in "
           "registers, "
           "or y = x + 1 on as many bytes, measured in the same run. FILTER keeps the rows whose "
           "name contains it. FILE is a network's file, ending in .yaml: its training step.",
    .flags = {{"--threads", "N", "threads to use; all processors if not given"},
              {"--precision", "P", "of matrix products and convolutions: f32 or bf16"},
              {"--batch", "N", "samples of a step, with FILE"},
              {"--seconds", "S", "time for each row, 1 if not given; 0: each step once"},
              {"--ops", NULL, "a row for each op instead: its kernel, forward"},
              {"--list", NULL, "print the names of the rows, and measure nothing"},
              {"--json", NULL, "one JSON object a line on standard output"}},
    .most = -1,
    .run = run_bench,
};
