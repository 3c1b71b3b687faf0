/* The rows of y = x + 1. */
#include "models/command/bench/bench.h"

static nm_status bench_copy(bench *b, const char *name, int64_t batch, int64_t count)
{
    if (!bench_wanted(b, name)) {
        return NM_OK;
    }
    bench_arrays c;
    nm_status status = bench_open_arrays(b, count, &c);
    if (status == NM_OK) {
        const bench_row row = {.name = name,
                               .batch = batch,
                               .bytes = 2.0 * sizeof(float) * (double)count,
                               .step = bench_copy_arrays,
                               .state = &c};
        status = bench_measure(b, &row);
    }
    bench_close_arrays(&c);
    return status;
}

nm_status bench_copies(bench *b)
{
    b->heading = "y = x + 1";
    nm_status status = bench_copy(b, "copy 128x512", 128, 128 * 512);
    if (status == NM_OK) status = bench_copy(b, "copy 128x8x8x64", 128, 128 * 8 * 8 * 64);
    if (status == NM_OK) status = bench_copy(b, "copy 64x14x14x64", 64, 64 * 14 * 14 * 64);
    if (status == NM_OK) status = bench_copy(b, "copy 128x32x32x16", 128, 128 * 32 * 32 * 16);
    if (status == NM_OK) status = bench_copy(b, "copy 10 000 000", 1, 10000000);
    return status;
}
