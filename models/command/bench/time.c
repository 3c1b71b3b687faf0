/* The clock. */
#include <stdlib.h>
#include <time.h>

#include "models/command/bench/bench.h"

#define WARM_UP 4
#define MAX_TIMES 20000

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

nm_status bench_time(nm_context *context, void (*step)(void *), void *state, double seconds,
                     bench_timing *out)
{
    double *times = nm_alloc(context, MAX_TIMES * sizeof *times);
    for (int i = 0; seconds > 0 && i < WARM_UP && nm_context_status(context) == NM_OK; i++) {
        step(state);
    }
    int count = 0;
    double start = now();
    while (nm_context_status(context) == NM_OK && count < MAX_TIMES &&
           (count == 0 || now() - start < seconds)) {
        double before = now();
        step(state);
        times[count++] = now() - before;
    }
    if (nm_context_status(context) == NM_OK) {
        qsort(times, (size_t)count, sizeof *times, compare_times);
        *out = (bench_timing){times[0], times[count / 2]};
    }
    nm_free(context, times);
    return nm_context_status(context);
}
