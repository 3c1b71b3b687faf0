/* Whether samples are those a network was trained on, and making them ready for it.
 *
 * What converts without loss and without doubt:
 *   images of bytes   from whole numbers between 0 and 255 of any type, unless all of them are 0 or
 *                     1, which may as well be scaled already
 *   numbers           from any type, but not from bytes where a sample is an image: those of 0 to
 *                     255 and those of 0 to 1 are often confused
 *   shapes            where only axes of one differ: [28, 28] for [28, 28, 1] */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "optim/data/normalize.h"
#include "optim/data/readers.h"

/* Samples somewhere in memory, whoever owns them. */
typedef struct samples {
    nm_dtype dtype;
    bool is_bool;
    nm_shape shape; /* of one */
    int64_t count;
    const void *data;
} samples;

/* ---- Shapes ---- */

static nm_shape without_ones(const nm_shape *shape)
{
    nm_shape rest = {.rank = 0};
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] != 1) {
            rest.dim[rest.rank++] = shape->dim[i];
        }
    }
    return rest;
}

static bool fits(const nm_shape *have, const nm_shape *want)
{
    nm_shape a = without_ones(have), b = without_ones(want);
    return nm_shape_equal(&a, &b);
}

/* "channels first": what is left when the last axis of `want` moves to the front. */
static bool is_channels_first(const nm_shape *have, const nm_shape *want)
{
    bool same = have->rank == want->rank && want->rank > 1;
    for (int i = 0; same && i < want->rank; i++) {
        same = have->dim[i] == want->dim[i ? i - 1 : want->rank - 1];
    }
    return same;
}

/* Whether all "samples" together are one: the axis that counts them is not there. */
static bool is_single(int64_t count, const nm_shape *have, const nm_shape *want)
{
    nm_shape all = {.rank = have->rank + 1, .dim = {count}};
    memcpy(all.dim + 1, have->dim, (size_t)have->rank * sizeof *have->dim);
    return fits(&all, want);
}

static nm_status wrong_shape(nm_context *context, int64_t count, const nm_shape *have,
                             const nm_shape *want)
{
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT], remedy[160] = "";
    if (have->rank < NM_MAX_RANK && is_single(count, have, want)) {
        snprintf(remedy, sizeof remedy,
                 "; samples are counted by the first axis: in NumPy, x[None] is a single one");
    } else if (is_channels_first(have, want)) {
        snprintf(remedy, sizeof remedy,
                 "; channels are the last axis: in NumPy, np.moveaxis(x, 1, "
                 "-1)");
    } else if (nm_shape_count(have) == nm_shape_count(want)) {
        snprintf(remedy, sizeof remedy,
                 "; the elements are as many: reshape them if they stand in "
                 "this order");
    }
    return nm_fail(context, NM_ERROR_INPUT, "a sample has shape %s, but those trained on have %s%s",
                   nm_shape_text(have, a), nm_shape_text(want, b), remedy);
}

/* ---- Types ---- */

static double element(const samples *s, int64_t i)
{
    switch (s->dtype) {
    case NM_U8: return ((const uint8_t *)s->data)[i];
    case NM_I32: return ((const int32_t *)s->data)[i];
    case NM_I64: return (double)((const int64_t *)s->data)[i];
    case NM_F32: return (double)((const float *)s->data)[i];
    default: return ((const double *)s->data)[i];
    }
}

static nm_status check_bytes(nm_context *context, const samples *s)
{
    double largest = 0;
    for (int64_t i = 0; i < s->count * nm_shape_count(&s->shape); i++) {
        const double value = element(s, i);
        if (!(value >= 0 && value <= 255) || value != floor(value)) {
            char text[32];
            return nm_fail(context, NM_ERROR_INPUT,
                           "the network takes images of bytes, from 0 to 255, but %s is among the "
                           "samples; if they were scaled, undo that",
                           nm_format_float(value, text));
        }
        largest = value > largest ? value : largest;
    }
    if (largest > 1) {
        return NM_OK;
    }
    return nm_fail(context, NM_ERROR_INPUT,
                   "the network takes images of bytes, from 0 to 255, but all that the samples "
                   "hold is 0 or 1; multiply it by 255 if they were scaled, or give them as u8");
}

static nm_status check_type(nm_context *context, const nm_schema *schema, const samples *s)
{
    if (s->dtype == NM_BF16 || s->dtype == NM_I8) {
        return nm_fail(context, NM_ERROR_INPUT, "samples are u8, i32, i64, f32 or f64, not %s",
                       nm_dtype_name(s->dtype));
    }
    if (schema->bytes) {
        return s->dtype == NM_U8 && !s->is_bool ? NM_OK : check_bytes(context, s);
    }
    if (s->dtype == NM_U8 && !s->is_bool && schema->shape.rank >= 3) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "the network was trained on images of floats, and the samples are bytes "
                       "(u8); give them as f32, scaled as those were");
    }
    return NM_OK;
}

static nm_status check(nm_context *context, const nm_schema *schema, const samples *s)
{
    return fits(&s->shape, &schema->shape)
               ? check_type(context, schema, s)
               : wrong_shape(context, s->count, &s->shape, &schema->shape);
}

/* ---- Data sets ---- */

/* Memory for rows of another type. The set's targets stay where they are. */
static void *replace_samples(nm_dataset *set, nm_dtype dtype)
{
    const size_t count = (size_t)(set->count * nm_shape_count(&set->shape));
    void *memory = nm_alloc_zero(set->context, count, nm_dtype_size(dtype));
    if (memory) {
        nm_free(set->context, set->memory[3]);
        set->memory[3] = memory;
        set->samples = memory;
        set->dtype = dtype;
    }
    return memory;
}

static nm_status make_bytes(nm_dataset *set)
{
    const samples old = {.dtype = set->dtype, .data = set->samples};
    const int64_t count = set->count * nm_shape_count(&set->shape);
    uint8_t *bytes = replace_samples(set, NM_U8);
    for (int64_t i = 0; bytes && i < count; i++) {
        bytes[i] = (uint8_t)element(&old, i);
    }
    set->is_bool = false;
    return nm_context_status(set->context);
}

static nm_status conform_samples(nm_dataset *set, const nm_schema *schema)
{
    const samples s = {set->dtype, set->is_bool, set->shape, set->count, set->samples};
    nm_status status = check(set->context, schema, &s);
    if (status != NM_OK) {
        return status;
    }
    set->shape = schema->shape;
    return schema->bytes && (set->dtype != NM_U8 || set->is_bool) ? make_bytes(set) : NM_OK;
}

static nm_status conform_targets(const nm_dataset *set, const nm_schema *schema)
{
    char have[NM_SHAPE_TEXT], want[NM_SHAPE_TEXT];
    const bool labels = set->target_dtype == NM_I32;
    if (labels != (schema->classes > 0)) {
        return nm_fail(
            set->context, NM_ERROR_INPUT, "the targets are %s, but the network was trained on %s",
            labels ? "class labels" : "values", schema->classes ? "class labels" : "values");
    }
    if (!nm_shape_equal(&set->target_shape, &schema->target_shape)) {
        return nm_fail(
            set->context, NM_ERROR_INPUT, "a target has shape %s, but those trained on have %s",
            nm_shape_text(&set->target_shape, have), nm_shape_text(&schema->target_shape, want));
    }
    return NM_OK;
}

/* ---- Scales ---- */

#define FAR 10         /* deviations, on average: samples of another scale or unit, as a rule */
#define LOOKED_AT 4096 /* samples, at most */

/* How many deviations the channel's values are from the mean that was trained on, on average. */
static double distance(const samples *s, const nm_schema *schema, int64_t channel, double *mean)
{
    const int64_t elements = s->count * nm_shape_count(&s->shape);
    double sum = 0, values = 0, count = 0;
    for (int64_t i = channel; i < elements; i += schema->channels) {
        const double value = element(s, i) * schema->scale;
        sum += fabs(value - schema->mean[channel]) / schema->deviation[channel];
        values += value;
        count++;
    }
    *mean = values / count;
    return sum / count;
}

/* "column "age"", "channel 2" */
static void name_channel(const nm_schema *schema, int64_t channel, char text[96])
{
    int64_t at = 0;
    snprintf(text, 96, "channel %lld", (long long)channel);
    for (int i = 0; i < schema->columns; i++) {
        const nm_column *column = &schema->column[i];
        if (at == channel && *column->name) {
            snprintf(text, 96, "column \"%.64s\"", column->name);
        }
        at += column->kind == NM_COLUMN_CATEGORY ? column->count : 1;
    }
}

/* Percent for fractions, 0 to 255 for 0 to 1: the network takes them, and says anything. */
static void tell_scale(const nm_dataset *set, const nm_schema *schema)
{
    const int64_t count = set->count < LOOKED_AT ? set->count : LOOKED_AT;
    const samples s = {set->dtype, set->is_bool, set->shape, count, set->samples};
    char name[96], here[32], there[32];
    double farthest = 0, mean = 0;
    int64_t worst = 0;
    for (int64_t c = 0; schema->mean && schema->deviation && c < schema->channels; c++) {
        double of_channel;
        const double far = distance(&s, schema, c, &of_channel);
        if (far > farthest) {
            farthest = far;
            mean = of_channel;
            worst = c;
        }
    }
    if (farthest > FAR) {
        name_channel(schema, worst, name);
        snprintf(here, sizeof here, "%.4g", mean);
        snprintf(there, sizeof there, "%.4g", schema->mean[worst]);
        nm_context_log(set->context, NM_LOG_WARNING,
                       "the samples are far from those that were trained on: %s is %s on average, "
                       "and was %s; do they have the same unit and scale?",
                       name, here, there);
    }
}

nm_status nm_dataset_conform(nm_dataset *set, const nm_schema *schema)
{
    nm_status status = conform_samples(set, schema);
    status = status == NM_OK && set->targets ? conform_targets(set, schema) : status;
    if (status == NM_OK) {
        tell_scale(set, schema);
    }
    return status;
}

/* ---- Tensors of a program ---- */

static samples samples_of(nm_tensor *x)
{
    samples s = {.dtype = nm_tensor_dtype(x), .data = nm_tensor_data(x)};
    const nm_shape *shape = nm_tensor_shape(x);
    s.count = shape->rank ? shape->dim[0] : 0;
    s.shape.rank = shape->rank ? shape->rank - 1 : 0;
    memcpy(s.shape.dim, shape->dim + 1, (size_t)s.shape.rank * sizeof *s.shape.dim);
    return s;
}

nm_status nm_schema_check(const nm_schema *schema, nm_tensor *x)
{
    NM_GIVEN(schema, NM_ERROR_INPUT);
    NM_REQUIRE(schema->context, x, NM_ERROR_INPUT);
    nm_context *context = nm_tensor_context(x); /* the schema's may be another thread's */
    char text[NM_SHAPE_TEXT];
    const samples s = samples_of(x);
    if (!s.data) {
        return nm_context_status(context);
    }
    if (s.count < 1) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "samples of shape %s; the first axis counts them, and there must be one",
                       nm_shape_text(nm_tensor_shape(x), text));
    }
    return check(context, schema, &s);
}

static nm_shape batch_of(int64_t count, const nm_shape *shape)
{
    nm_shape batch = {.rank = shape->rank + 1, .dim = {count}};
    memcpy(batch.dim + 1, shape->dim, (size_t)shape->rank * sizeof *shape->dim);
    return batch;
}

/* Bytes that come as another type become bytes first, a stretch in `bytes` at a time, so that they
 * give the same bits. */
static void apply(const nm_affine *affine, const samples *s, uint8_t *bytes, float *y)
{
    const int64_t count = s->count * nm_shape_count(&s->shape);
    if (!affine->factor || s->dtype == NM_U8) {
        nm_affine_apply(affine, s->dtype, s->data, y, count);
        return;
    }
    for (int64_t i = 0; i < count; i += affine->length) {
        for (int64_t k = 0; k < affine->length; k++) {
            bytes[k] = (uint8_t)element(s, i + k);
        }
        nm_affine_apply(affine, NM_U8, bytes, y + i, affine->length);
    }
}

nm_tensor *nm_schema_prepare(const nm_schema *schema, nm_tape *tape, nm_tensor *x)
{
    NM_GIVEN(schema, NULL);
    NM_REQUIRE(schema->context, tape, NULL);
    nm_affine affine = {0};
    nm_context *context = nm_tape_context(tape); /* as above */
    if (!x || nm_schema_check(schema, x) != NM_OK) {
        return NULL;
    }
    const samples s = samples_of(x);
    nm_tensor *y = nm_tape_tensor(tape, NM_F32, batch_of(s.count, &schema->shape));
    float *values = y ? nm_tensor_f32(y) : NULL;
    uint8_t *bytes = NULL;
    if (values &&
        nm_affine_create(context, &schema->shape, schema->bytes, schema->scale, schema->mean,
                         schema->deviation, &affine) == NM_OK &&
        (bytes = nm_alloc(context, (size_t)affine.length))) {
        apply(&affine, &s, bytes, values);
    }
    nm_free(context, bytes);
    nm_affine_destroy(context, &affine);
    return nm_context_status(context) == NM_OK ? y : NULL;
}

void nm_schema_restore(const nm_schema *schema, float *y, int64_t count)
{
    NM_GIVEN(schema, );
    const int64_t width = schema->target_channels;
    for (int64_t i = 0; i < count * width; i++) {
        const int64_t c = i % width;
        y[i] = (float)((double)y[i] * schema->target_deviation[c] + schema->target_mean[c]);
    }
}
