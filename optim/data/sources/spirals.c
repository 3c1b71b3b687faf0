/* Spirals: points on k interleaved spiral arms, one class an arm. Generated, so that a first
 * network can be trained without a file. Two arms are the two-spirals problem of Lang and Witbrock
 * (1988), which no straight line comes near to separating. */
#include <math.h>

#include "optim/data/readers.h"
#include "optim/table.h"

/* A place t along the arm, 0 at the centre and 1 at the outer end, gives radius t and angle
 * 2 pi (turns t + arm / arms). */
static void place(const nm_spirals_options *o, int64_t arm, nm_random *random, float point[2])
{
    double t = nm_random_uniform(random);
    double angle = 6.283185307179586 * (o->turns * t + (double)arm / (double)o->classes);
    point[0] = (float)(t * cos(angle) + o->noise * nm_random_normal(random));
    point[1] = (float)(t * sin(angle) + o->noise * nm_random_normal(random));
}

static nm_status spirals_open(nm_context *context, const void *options, const nm_schema *schema,
                              nm_dataset *set)
{
    (void)schema;
    const nm_spirals_options *o = options;
    nm_random random = nm_random_create((uint64_t)o->seed, NM_STREAM_SPIRALS);
    float *points = nm_alloc_zero(context, (size_t)o->points, 2 * sizeof *points);
    int32_t *labels = nm_alloc_zero(context, (size_t)o->points, sizeof *labels);
    set->memory[0] = points;
    set->memory[1] = labels;
    if (!points || !labels) {
        return nm_context_status(context);
    }
    for (int64_t i = 0; i < o->points; i++) {
        labels[i] = (int32_t)(i % o->classes);
        place(o, labels[i], &random, points + 2 * i);
    }
    set->is_generated = true;
    set->count = o->points;
    set->shape = NM_SHAPE(2);
    set->dtype = NM_F32;
    set->samples = points;
    set->target_dtype = NM_I32;
    set->targets = labels;
    set->classes = o->classes;
    return NM_OK;
}

static const nm_spirals_options defaults = {NM_SPIRALS_DEFAULTS};
NM_OPTIONS_INIT(nm_spirals_options, defaults)

static const nm_option rows[] = {
    {NM_FIELD(nm_spirals_options, points), NM_OPTION_INT, .min = 1, .max = 1e8,
     .doc = "number of points, of all arms together"},
    {NM_FIELD(nm_spirals_options, classes), NM_OPTION_INT, .min = 1, .max = 1000,
     .doc = "number of arms, each a class"},
    {NM_FIELD(nm_spirals_options, noise), NM_OPTION_FLOAT, .min = 0, .max = 10,
     .doc = "standard deviation of what is added to x and to y; the outer radius is 1"},
    {NM_FIELD(nm_spirals_options, turns), NM_OPTION_FLOAT, .min = 0, .max = 100,
     .doc = "how often an arm winds around the centre"},
    {NM_FIELD(nm_spirals_options, seed), NM_OPTION_INT, .min = 0, .max = 1e15,
     .doc = "other points for another seed: a training and a test set need two"},
};
static const nm_spec spec = {.name = "nm_spirals_options",
                             .size = sizeof(nm_spirals_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

const nm_dataset_type nm_dataset_spirals = {
    .item = NM_ITEM(
        nm_dataset_type, "spirals", "points on interleaved spiral arms, generated", .spec = &spec,
        .doc = "Sample i, of shape [2], lies on arm i mod classes at a random place t in "
               "[0, 1): at radius t and angle 2 pi (turns t + arm / classes), plus "
               "noise. Lang and Witbrock 1988, Learning to tell two spirals apart."),
    .open = spirals_open,
};
