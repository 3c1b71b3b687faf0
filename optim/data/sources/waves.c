/* Waves: images of plane waves, one pattern a class. Generated, so that convolutional networks can
 * be trained and measured on images of any size without a file. */
#include <math.h>

#include "optim/data/readers.h"
#include "optim/table.h"

#define TWO_PI 6.283185307179586
#define MAX_SIZE 1024

/* A class's wave in one color: how often it goes up and down along the image's height and width. It
 * does not depend on the seed, so that sets of other seeds show the same classes. */
typedef struct wave {
    double down, right;
} wave;

static wave wave_of(int64_t class, int64_t color)
{
    nm_random random = nm_random_create((uint64_t) class, NM_STREAM_WAVES + (uint64_t)color);
    double down = 1 + 4 * nm_random_uniform(&random);
    double right = 1 + 4 * nm_random_uniform(&random);
    return (wave){down, nm_random_below(&random, 2) ? right : -right};
}

/* sin(y + x) from the sines and cosines of both. */
typedef struct axis {
    double sine[MAX_SIZE], cosine[MAX_SIZE];
} axis;

static void fill_axis(axis *a, int64_t size, double times, double phase)
{
    for (int64_t i = 0; i < size; i++) {
        double angle = TWO_PI * (times * (double)i / (double)size + phase);
        a->sine[i] = sin(angle);
        a->cosine[i] = cos(angle);
    }
}

static void draw(const nm_waves_options *o, int64_t class, nm_random *random, uint8_t *image)
{
    const int64_t height = o->shape.at[0], width = o->shape.at[1], colors = o->shape.at[2];
    for (int64_t color = 0; color < colors; color++) {
        axis y, x;
        const wave w = wave_of(class, color);
        fill_axis(&y, height, w.down, nm_random_uniform(random));
        fill_axis(&x, width, w.right, 0);
        for (int64_t i = 0; i < height * width; i++) {
            const double value = y.sine[i / width] * x.cosine[i % width] +
                                 y.cosine[i / width] * x.sine[i % width] +
                                 o->noise * (2 * nm_random_uniform(random) - 1);
            const double level = 127.5 + 63.75 * value;
            image[i * colors + color] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
        }
    }
}

static nm_status check_shape(nm_context *context, const nm_ints *shape)
{
    if (shape->count == 3 && shape->at[0] <= MAX_SIZE && shape->at[1] <= MAX_SIZE) {
        return NM_OK;
    }
    return nm_fail(context, NM_ERROR_INPUT,
                   "\"shape\" must be [height, width, channels], such as [32, 32, 3], with at most "
                   "%d rows and columns",
                   MAX_SIZE);
}

static nm_status waves_open(nm_context *context, const void *options, const nm_schema *schema,
                            nm_dataset *set)
{
    (void)schema;
    const nm_waves_options *o = options;
    if (check_shape(context, &o->shape) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    const int64_t size = o->shape.at[0] * o->shape.at[1] * o->shape.at[2];
    nm_random random = nm_random_create((uint64_t)o->seed, NM_STREAM_WAVES - 1);
    uint8_t *images = nm_alloc_zero(context, (size_t)o->samples, (size_t)size);
    int32_t *labels = nm_alloc_zero(context, (size_t)o->samples, sizeof *labels);
    set->memory[0] = images;
    set->memory[1] = labels;
    if (!images || !labels) {
        return nm_context_status(context);
    }
    for (int64_t i = 0; i < o->samples; i++) {
        labels[i] = (int32_t)(i % o->classes);
        draw(o, labels[i], &random, images + i * size);
    }
    set->count = o->samples;
    set->shape = NM_SHAPE(o->shape.at[0], o->shape.at[1], o->shape.at[2]);
    set->dtype = NM_U8;
    set->samples = images;
    set->target_dtype = NM_I32;
    set->targets = labels;
    set->classes = o->classes;
    return NM_OK;
}

static const nm_waves_options defaults = {NM_WAVES_DEFAULTS};
NM_OPTIONS_INIT(nm_waves_options, defaults)

static const nm_option rows[] = {
    {NM_FIELD(nm_waves_options, samples), NM_OPTION_INT, .min = 1, .max = 1e7,
     .doc = "number of images, of all classes together"},
    {NM_FIELD(nm_waves_options, shape), NM_OPTION_INTS, .min = 1, .max = MAX_SIZE,
     .doc = "of an image: height, width, channels"},
    {NM_FIELD(nm_waves_options, classes), NM_OPTION_INT, .min = 1, .max = 1000,
     .doc = "number of patterns"},
    {NM_FIELD(nm_waves_options, noise), NM_OPTION_FLOAT, .min = 0, .max = 100,
     .doc = "largest value of what is added to every pixel; a wave goes from -1 to 1"},
    {NM_FIELD(nm_waves_options, seed), NM_OPTION_INT, .min = 0, .max = 1e15,
     .doc = "other phases and noise for another seed: a training and a test set need two"},
};
static const nm_spec spec = {.name = "nm_waves_options",
                             .size = sizeof(nm_waves_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

const nm_dataset_type nm_dataset_waves = {
    .item = NM_ITEM(
        nm_dataset_type, "waves", "images of plane waves in noise, generated", .spec = &spec,
        .doc =
            "Sample i, u8 of `shape`, shows in every channel the wave of class i mod classes:\n"
            "sin(2 pi (down y + right x + phase)) with a direction and length of the class and a\n"
            "random phase, plus noise. Where a wave begins tells nothing, its direction does."),
    .open = waves_open,
};
