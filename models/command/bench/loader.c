/* Batches of generated images, as a loader hands them out. */
#include "models/command/bench/bench.h"

#define IMAGES 6400

nm_status bench_open_images(bench_images *images, nm_context *context)
{
    *images = (bench_images){.context = context};
    images->samples = nm_tensor_create(context, NM_U8, NM_SHAPE(IMAGES, 28, 28, 1));
    images->labels = nm_tensor_create(context, NM_I32, NM_SHAPE(IMAGES));
    if (nm_context_status(context) != NM_OK) {
        return nm_context_status(context);
    }
    images->set = (nm_dataset){.context = context,
                               .count = IMAGES,
                               .shape = NM_SHAPE(28, 28, 1),
                               .dtype = NM_U8,
                               .samples = nm_tensor_data(images->samples),
                               .target_dtype = NM_I32,
                               .targets = nm_tensor_data(images->labels),
                               .classes = 10};
    const double mean = 0.286, deviation = 0.353;
    const nm_loader_options options = {
        NM_LOADER_DEFAULTS, .batch = BENCH_IMAGES, .crop = 2,
        .flip = true,       .channel_mean = &mean, .channel_deviation = &deviation};
    images->loader = nm_loader_create(context, &images->set, &options, true, 1);
    return images->loader ? nm_loader_begin(images->loader, 0, 0) : nm_context_status(context);
}

void bench_next_images(bench_images *images, nm_batch *batch)
{
    nm_status status = nm_loader_next(images->loader, batch);
    if (status == NM_OK && batch->count == 0) {
        nm_loader_begin(images->loader, ++images->epoch, 0);
        nm_loader_next(images->loader, batch);
    }
}

void bench_close_images(bench_images *images)
{
    nm_loader_destroy(images->loader);
    nm_tensor_destroy(images->samples);
    nm_tensor_destroy(images->labels);
}

static void load(void *state)
{
    nm_batch batch;
    bench_next_images(state, &batch);
}

nm_status bench_loader(bench *b)
{
    static const char name[] = "loader 64x28x28, crop and flip";
    if (!bench_wanted(b, name)) {
        return NM_OK;
    }
    bench_images images;
    nm_status status = bench_open_images(&images, b->context);
    if (status == NM_OK) { /* reads bytes, writes floats */
        const bench_row row = {.name = name,
                               .batch = BENCH_IMAGES,
                               .counts_samples = true,
                               .bytes = (1 + sizeof(float)) * BENCH_IMAGES * 28.0 * 28.0,
                               .step = load,
                               .state = &images};
        status = bench_measure(b, &row);
    }
    bench_close_images(&images);
    return status;
}
