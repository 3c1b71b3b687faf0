/* Batch norm by oneDNN alone, channels last: the rows of `norma bench` that it has too, one JSON
 * object a line. compare.py builds and runs it.
 *
 *     onednn_norm SECONDS     threads: OMP_NUM_THREADS */
#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAX_TIMES 100000
#define ARGUMENTS 10

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(dnnl_status_t status, const char *what)
{
    if (status != dnnl_success) {
        fprintf(stderr, "onednn_norm: %s failed with status %d\n", what, (int)status);
        exit(EXIT_FAILURE);
    }
}

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* ---- One shape ---- */

typedef struct norm {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_memory_desc_t data, channel;
    dnnl_primitive_desc_t forward_desc;
    dnnl_primitive_t forward, backward;
    dnnl_exec_arg_t arguments[ARGUMENTS];
} norm;

static dnnl_memory_t memory(const norm *n, const dnnl_memory_desc_t *desc)
{
    dnnl_memory_t made;
    void *data;
    check(dnnl_memory_create(&made, desc, n->engine, DNNL_MEMORY_ALLOCATE), "memory");
    check(dnnl_memory_get_data_handle(made, &data), "memory");
    for (size_t i = 0; i < dnnl_memory_desc_get_size(desc) / sizeof(float); i++) {
        ((float *)data)[i] = (float)(i * 2654435761u % 1000) / 500 - 1;
    }
    return made;
}

static void make(norm *n, int rank, const dnnl_dims_t dims)
{
    const unsigned flags = dnnl_use_scale | dnnl_use_shift;
    const dnnl_format_tag_t tag = rank == 4 ? dnnl_nhwc : dnnl_nc;
    dnnl_batch_normalization_desc_t desc;
    dnnl_primitive_desc_t backward_desc;
    check(dnnl_memory_desc_init_by_tag(&n->data, rank, dims, dnnl_f32, tag), "shape");
    const dnnl_dims_t channels = {dims[1]};
    check(dnnl_memory_desc_init_by_tag(&n->channel, 1, channels, dnnl_f32, dnnl_x), "shape");
    check(dnnl_batch_normalization_forward_desc_init(&desc, dnnl_forward_training, &n->data, 1e-5f,
                                                     flags),
          "forward");
    check(dnnl_primitive_desc_create(&n->forward_desc, &desc, NULL, n->engine, NULL), "forward");
    check(dnnl_primitive_create(&n->forward, n->forward_desc), "forward");
    check(dnnl_batch_normalization_backward_desc_init(&desc, dnnl_backward, &n->data, &n->data,
                                                      1e-5f, flags),
          "backward");
    check(dnnl_primitive_desc_create(&backward_desc, &desc, NULL, n->engine, n->forward_desc),
          "backward");
    check(dnnl_primitive_create(&n->backward, backward_desc), "backward");
    check(dnnl_primitive_desc_destroy(backward_desc), "backward");

    static const int whole[] = {DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_SRC};
    static const int each[] = {DNNL_ARG_MEAN,  DNNL_ARG_VARIANCE,   DNNL_ARG_SCALE,
                               DNNL_ARG_SHIFT, DNNL_ARG_DIFF_SCALE, DNNL_ARG_DIFF_SHIFT};
    int count = 0;
    for (int i = 0; i < 4; i++) {
        n->arguments[count++] = (dnnl_exec_arg_t){whole[i], memory(n, &n->data)};
    }
    for (int i = 0; i < 6; i++) {
        n->arguments[count++] = (dnnl_exec_arg_t){each[i], memory(n, &n->channel)};
    }
}

static void destroy(norm *n)
{
    for (int i = 0; i < ARGUMENTS; i++) {
        dnnl_memory_destroy(n->arguments[i].memory);
    }
    dnnl_primitive_destroy(n->forward);
    dnnl_primitive_destroy(n->backward);
    dnnl_primitive_desc_destroy(n->forward_desc);
}

static void step(const norm *n, int with_gradient)
{
    check(dnnl_primitive_execute(n->forward, n->stream, ARGUMENTS, n->arguments), "forward");
    if (with_gradient) {
        check(dnnl_primitive_execute(n->backward, n->stream, ARGUMENTS, n->arguments), "backward");
    }
    check(dnnl_stream_wait(n->stream), "stream");
}

static void measure(const norm *n, const char *shape, int with_gradient, double seconds)
{
    static double times[MAX_TIMES];
    int count = 0;
    for (int i = 0; i < 4; i++) {
        step(n, with_gradient);
    }
    for (double start = now(); now() - start < seconds && count < MAX_TIMES; count++) {
        double before = now();
        step(n, with_gradient);
        times[count] = 1e6 * (now() - before);
    }
    qsort(times, (size_t)count, sizeof *times, compare_times);
    printf("{\"name\": \"batch_norm%s %s\", \"us_best\": %.5g, \"us_median\": %.5g}\n",
           with_gradient ? "+grad" : "", shape, times[0], times[count / 2]);
}

int main(int count, char **words)
{
    static const struct {
        const char *name;
        int rank;
        dnnl_dims_t dims;
    } shapes[] = {{"128x32x32x16", 4, {128, 16, 32, 32}},
                  {"128x8x8x64", 4, {128, 64, 8, 8}},
                  {"64x14x14x64", 4, {64, 64, 14, 14}},
                  {"128x512", 2, {128, 512}}};
    double seconds = count > 1 ? atof(words[1]) : 1;
    norm n;
    check(dnnl_engine_create(&n.engine, dnnl_cpu, 0), "engine");
    check(dnnl_stream_create(&n.stream, n.engine, dnnl_stream_default_flags), "stream");
    for (int i = 0; i < 4; i++) {
        make(&n, shapes[i].rank, shapes[i].dims);
        measure(&n, shapes[i].name, 0, seconds);
        measure(&n, shapes[i].name, 1, seconds);
        destroy(&n);
    }
    dnnl_stream_destroy(n.stream);
    dnnl_engine_destroy(n.engine);
    return EXIT_SUCCESS;
}
