/* IDX files (LeCun, Cortes, Burges: the MNIST database), plain or gzip. A file is 0, 0, a byte that
 * says the type, a byte that says the rank, the dimensions as big-endian 32-bit numbers, and the
 * elements, big-endian too.
 *
 * Promises:
 * 1. Nothing is allocated by what a header says until the file is known to be able to hold that
 *    much, and no more is read, or unpacked, than it says.
 * 2. Images of u8, the usual case, stay where they were read; other types become f32. */
#include <string.h>

#include "core/file.h"
#include "core/files/input.h"
#include "core/files/known.h"
#include "optim/data/readers.h"
#include "optim/table.h"

enum {
    IDX_U8 = 0x08,
    IDX_I8 = 0x09,
    IDX_I16 = 0x0b,
    IDX_I32 = 0x0c,
    IDX_F32 = 0x0d,
    IDX_F64 = 0x0e
};

typedef struct idx_array {
    const char *path;
    int type;
    nm_shape shape;
    unsigned char *elements; /* to be freed */
    int64_t count;
} idx_array;

static size_t element_size(int type)
{
    switch (type) {
    case IDX_U8:
    case IDX_I8: return 1;
    case IDX_I16: return 2;
    case IDX_I32:
    case IDX_F32: return 4;
    case IDX_F64: return 8;
    }
    return 0;
}

static uint64_t big_endian(const unsigned char *bytes, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

static double element(const unsigned char *bytes, int type)
{
    uint64_t bits = big_endian(bytes, element_size(type));
    uint32_t low = (uint32_t)bits;
    float single;
    double number;
    switch (type) {
    case IDX_I8: return (int8_t)low;
    case IDX_I16: return (int16_t)low;
    case IDX_I32: return (int32_t)low;
    case IDX_F32: memcpy(&single, &low, sizeof single); return (double)single;
    case IDX_F64: memcpy(&number, &bits, sizeof number); return number;
    }
    return (double)low;
}

/* ---- Reading one file ---- */

/* The four bytes in front, of which there are `size`. */
static nm_status check_magic(nm_input *input, const char *path, const unsigned char *bytes,
                             size_t size)
{
    if (size < 4 || bytes[0] || bytes[1] || !element_size(bytes[2])) {
        return nm_refuse_file(input, path, "an IDX file", bytes, size);
    }
    if (bytes[3] < 1 || bytes[3] > NM_MAX_RANK) {
        return nm_fail(input->context, NM_ERROR_FORMAT, "%s: %d dimensions; 1 to %d can be read",
                       path, bytes[3], NM_MAX_RANK);
    }
    return NM_OK;
}

static nm_status read_header(nm_context *context, nm_input *input, idx_array *a)
{
    unsigned char bytes[4] = {0}, sizes[4 * NM_MAX_RANK];
    size_t size = 0, more = 0;
    nm_status status = nm_input_read(input, bytes, 4, &size);
    status = status == NM_OK ? check_magic(input, a->path, bytes, size) : status;
    if (status == NM_OK) {
        status = nm_input_read(input, sizes, 4 * (size_t)bytes[3], &more);
    }
    if (status == NM_OK && more < 4 * (size_t)bytes[3]) {
        return nm_fail(context, NM_ERROR_FORMAT,
                       "%s: truncated: %zu bytes cannot hold %d dimensions", a->path, size + more,
                       bytes[3]);
    }
    a->type = bytes[2];
    a->shape.rank = status == NM_OK ? bytes[3] : 0;
    for (int i = 0; i < a->shape.rank; i++) {
        a->shape.dim[i] = (int64_t)big_endian(sizes + 4 * i, 4);
    }
    a->count = nm_shape_count(&a->shape);
    return status;
}

/* `there`: bytes that follow the header, at least. */
static nm_status fail_size(nm_context *context, const nm_input *input, const idx_array *a,
                           bool too_short, uint64_t there)
{
    char text[NM_SHAPE_TEXT];
    bool bound = !nm_input_is_exact(input) && there == nm_input_left(input);
    bool known = too_short || nm_input_is_exact(input);
    const char *about = bound ? "at most " : known ? "" : "at least ";
    return nm_fail(
        context, NM_ERROR_FORMAT,
        "%s: %s: the header promises %s elements of %zu bytes, but %s%llu bytes follow it", a->path,
        too_short ? "truncated" : "too long", nm_shape_text(&a->shape, text), element_size(a->type),
        about, (unsigned long long)there);
}

/* Promise 1: the file holds exactly what its header says. */
static nm_status read_elements(nm_context *context, nm_input *input, idx_array *a)
{
    if (a->count < 0) {
        return fail_size(context, input, a, true, nm_input_left(input));
    }
    void *data;
    uint64_t there, bytes = (uint64_t)a->count * element_size(a->type);
    nm_status status = nm_input_take(input, bytes, &there, &data);
    if (status != NM_OK) {
        return status;
    }
    a->elements = data;
    return there == bytes ? NM_OK : fail_size(context, input, a, there < bytes, there);
}

static nm_status read_array(nm_context *context, const char *path, idx_array *a)
{
    *a = (idx_array){.path = nm_file_title(path)};
    nm_status status = nm_dataset_look_for(context, path);
    if (status != NM_OK) {
        return status;
    }
    nm_input input;
    status = nm_input_open(&input, context, path, NM_DATASET_BYTES, true);
    if (status != NM_OK) {
        return status;
    }
    status = read_header(context, &input, a);
    status = status == NM_OK ? read_elements(context, &input, a) : status;
    nm_input_close(&input);
    return status;
}

/* ---- Images ---- */

static float *as_floats(nm_context *context, const idx_array *a)
{
    float *values = nm_alloc_zero(context, (size_t)a->count, sizeof *values);
    for (int64_t i = 0; values && i < a->count; i++) {
        values[i] = (float)element(a->elements + (size_t)i * element_size(a->type), a->type);
    }
    return values;
}

/* [count, ...sample]: takes the elements over. */
static nm_status take_images(nm_dataset *set, idx_array *a)
{
    char text[NM_SHAPE_TEXT];
    set->memory[0] = a->elements;
    set->sample_source = a->path;
    if (a->shape.rank < 2) {
        return nm_fail(set->context, NM_ERROR_FORMAT,
                       "%s: images of shape %s; they need 2 dimensions or more, samples first%s",
                       a->path, nm_shape_text(&a->shape, text),
                       a->type == IDX_U8 ? " (are these the labels?)" : "");
    }
    set->count = a->shape.dim[0];
    set->shape.rank = a->shape.rank - 1;
    memcpy(set->shape.dim, a->shape.dim + 1, (size_t)set->shape.rank * sizeof *set->shape.dim);
    if (a->type == IDX_U8) { /* promise 2 */
        set->dtype = NM_U8;
        set->samples = a->elements;
        nm_dataset_add_channel(set);
        return NM_OK;
    }
    set->dtype = NM_F32;
    set->samples = set->memory[1] = as_floats(set->context, a);
    nm_free(set->context, a->elements);
    set->memory[0] = NULL;
    return nm_context_status(set->context);
}

/* ---- Labels ---- */

static nm_status check_are_labels(const nm_dataset *set, const idx_array *a)
{
    char text[NM_SHAPE_TEXT];
    if (a->type == IDX_F32 || a->type == IDX_F64) {
        return nm_fail(set->context, NM_ERROR_FORMAT, "%s: labels must be integers, not floats",
                       a->path);
    }
    if (a->shape.rank != 1) {
        return nm_fail(set->context, NM_ERROR_FORMAT,
                       "%s: labels of shape %s; they need one dimension%s", a->path,
                       nm_shape_text(&a->shape, text),
                       a->shape.rank > 2 ? " (are these the images?)" : "");
    }
    if (a->count != set->count) {
        return nm_fail(set->context, NM_ERROR_FORMAT,
                       "%s has %lld labels, but %s has %lld images; they must be as many", a->path,
                       (long long)a->count, set->sample_source, (long long)set->count);
    }
    return NM_OK;
}

static nm_status take_labels(nm_dataset *set, const idx_array *a)
{
    set->target_source = a->path;
    nm_status status = check_are_labels(set, a);
    if (status != NM_OK) {
        return status;
    }
    int32_t *labels = nm_alloc_zero(set->context, (size_t)a->count, sizeof *labels);
    for (int64_t i = 0; labels && i < a->count; i++) {
        labels[i] = (int32_t)element(a->elements + (size_t)i * element_size(a->type), a->type);
    }
    set->targets = set->memory[2] = labels;
    set->target_dtype = NM_I32;
    return nm_context_status(set->context);
}

static nm_status idx_open(nm_context *context, const void *options, const nm_schema *schema,
                          nm_dataset *set)
{
    (void)schema;
    const nm_idx_options *o = options;
    idx_array images, labels;
    nm_status status = read_array(context, o->images, &images);
    if (status != NM_OK) {
        nm_free(context, images.elements);
        return status;
    }
    set->classes = o->classes;
    status = take_images(set, &images);
    if (status != NM_OK || !o->labels) {
        return status;
    }
    status = read_array(context, o->labels, &labels);
    status = status == NM_OK ? take_labels(set, &labels) : status;
    nm_free(context, labels.elements);
    return status;
}

static const nm_idx_options defaults = {NM_IDX_DEFAULTS};
NM_OPTIONS_INIT(nm_idx_options, defaults)

static const nm_option rows[] = {
    {NM_FIELD(nm_idx_options, images), NM_OPTION_STRING, .also = "x data samples",
     .flags = NM_REQUIRED | NM_PATH,
     .doc = "path of the images, plain or gzip: [count, height, width], or any shape"},
    {NM_FIELD(nm_idx_options, labels), NM_OPTION_STRING, .also = "y target", .flags = NM_PATH,
     .doc = "path of the labels, plain or gzip: [count] integers; none: for prediction only"},
    {NM_FIELD(nm_idx_options, classes), NM_OPTION_INT, .min = 0, .max = INT32_MAX,
     .doc = "number of classes; 0: the largest label plus one"},
};
static const nm_spec spec = {.name = "nm_idx_options",
                             .size = sizeof(nm_idx_options),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

const nm_dataset_type nm_dataset_idx = {
    .item = NM_ITEM(nm_dataset_type, "idx", "images and labels in IDX files, as of MNIST",
                    .also = "mnist fashion_mnist ubyte", .spec = &spec,
                    .doc = "Images of u8 and shape [height, width] get a channel axis: [height, "
                           "width, 1]. Other types become f32."),
    .open = idx_open,
};
