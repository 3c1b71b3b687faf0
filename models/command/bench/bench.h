/* norma bench: what its parts share. bench.c has the command, measure.c the rows, time.c the
 * clock, limits.c and registers.c what the machine can do, the others what is measured. */
#ifndef NM_MODELS_COMMAND_BENCH_BENCH_H
#define NM_MODELS_COMMAND_BENCH_BENCH_H

#include "core/op.h"
#include "models/command/command.h"

#define BENCH_COPIES 64

/* What a run of the command knows. */
typedef struct bench {
    nm_context *context;
    const arguments *arguments;
    bool json, list;
    nm_precision precision;
    double seconds;  /* for each row */
    bool unwritable; /* standard output is: stop; main() says so */
    /* The machine's limits, measured when a row needs them. */
    double multiply_rate[2]; /* by precision: multiply-adds a second; 0: not measured yet */
    struct {
        size_t bytes; /* read and written */
        double rate;  /* bytes a second */
    } copies[BENCH_COPIES];
    int copy_count;
    const char *heading; /* of the rows that follow, until it is printed */
    int rows;            /* so far */
} bench;

/* A row: what one step does, and what its time is compared with. */
typedef struct bench_row {
    const char *name;
    int64_t batch;        /* samples of a step */
    int64_t parts;        /* things that a step does, when times are of one of them; 0: one */
    bool counts_samples;  /* samples per second say something */
    double multiply_adds; /* of a step; 0: memory is its limit */
    double bytes;         /* that a step has to read and write; 0: unknown */
    nm_precision precision;
    void (*step)(void *state);
    void *state;
} bench_row;

/* Whether the row is to be measured: it is one of those asked for, and not only to be listed. */
bool bench_wanted(bench *b, const char *name);
/* Runs the step for some time and prints the row. */
nm_status bench_measure(bench *b, const bench_row *row);

/* ---- Time, and limits ---- */

typedef struct bench_timing {
    double best, median; /* seconds */
} bench_timing;

/* Times a step again and again for so many seconds, after some to warm up; for 0 seconds, once. */
nm_status bench_time(nm_context *context, void (*step)(void *), void *state, double seconds,
                     bench_timing *out);
/* Multiply-adds a second, of all threads, as no product can have more of. */
nm_status bench_multiply_limit(bench *b, nm_precision precision, double *rate);
/* The same of numbers that stay in registers, timed for so many seconds. */
nm_status bench_registers(bench *b, nm_precision precision, double seconds, double *rate);
/* Bytes a second of y = x + 1 on arrays that have `bytes` together: small ones stay in a cache. */
nm_status bench_copy_limit(bench *b, size_t bytes, double *rate);

/* ---- y = x + 1 ---- */

typedef struct bench_arrays {
    nm_context *context;
    nm_tensor *source, *target;
    const float *x;
    float *y;
    int64_t count;
} bench_arrays;

/* Close them after a failure too. */
nm_status bench_open_arrays(bench *b, int64_t count, bench_arrays *arrays);
void bench_copy_arrays(void *arrays); /* a step */
void bench_close_arrays(bench_arrays *arrays);

/* ---- Batches of generated images, cropped, mirrored and normalized by a loader ---- */

#define BENCH_IMAGES 64 /* of 28x28x1, a batch */

typedef struct bench_images {
    nm_context *context;
    nm_tensor *samples, *labels;
    nm_dataset set;
    nm_loader *loader;
    int64_t epoch;
} bench_images;

/* Close it after a failure too. */
nm_status bench_open_images(bench_images *images, nm_context *context);
void bench_next_images(bench_images *images, nm_batch *batch);
void bench_close_images(bench_images *images);

/* ---- A row of one op ---- */

/* A sample as in an op's own for the gradient check, written with the same macros, but as large as
 * one likes. */
typedef struct bench_input {
    nm_fill fill;
    nm_shape shape;
    float low, high;
} bench_input;

typedef struct bench_sample {
    const char *options; /* YAML text; NULL: defaults */
    bench_input in[NM_SAMPLE_INPUTS];
    int inputs; /* 0: up to the first absent one */
} bench_sample;

bench_sample bench_sample_of(const nm_sample *small);

/* Runs `op` on a sample's shapes, forward, or with its gradient too. */
nm_status bench_op(bench *b, const char *name, const nm_op *op, const bench_sample *sample,
                   bool with_gradient);

/* ---- Families of rows ---- */

nm_status bench_networks(bench *b);  /* a training step, and inference of one image */
nm_status bench_tiny(bench *b);      /* where calls are what a step costs */
nm_status bench_kernels(bench *b);   /* one op, forward, and with its gradient */
nm_status bench_catalogue(bench *b); /* every op that is registered */
nm_status bench_second(bench *b);    /* a gradient of a gradient */
nm_status bench_overheads(bench *b); /* of the engine, the optimizer and the loader */
nm_status bench_loader(bench *b);
nm_status bench_copies(bench *b); /* y = x + 1: what others are compared with */
/* A training step of the network in a file. `batch` 0: as the file says. */
nm_status bench_file(bench *b, const char *path, int64_t batch);

#endif
