/* safetensors: 8 bytes of header length, a JSON header, the data. Promises of the reader:
 *
 * 1. Nothing in the header is believed before it is held against the file's real size.
 * 2. The tensors' ranges cover the data exactly: no hole, no overlap, nothing behind the last.
 * 3. Every name occurs once; every range is as long as its shape and type say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/internal.h"
#include "core/json.h"

#define HEADER_LIMIT 100000000u /* bytes, as the format says */
#define FILE_LIMIT ((size_t)1 << 46)

/* ---- Reading ---- */

struct nm_tensor_file {
    nm_context *context;
    nm_map *tensors;  /* nm_tensor by name */
    nm_map *metadata; /* text by key */
};

typedef struct range {
    uint64_t begin, end;
    const char *name; /* the map's */
} range;

/* What the reader of one file passes on. */
typedef struct reader {
    nm_json json;
    nm_tensor_file *file;
    const char *data;
    uint64_t data_size;
    range *ranges;
    int count, capacity;
} reader;

static void destroy_map(nm_map *map, void (*destroy)(nm_context *, void *), nm_context *context)
{
    for (int i = 0; map && i < nm_map_count(map); i++) {
        destroy(context, nm_map_at(map, i));
    }
    nm_map_destroy(map);
}

static void destroy_tensor(nm_context *context, void *tensor)
{
    (void)context;
    nm_tensor_destroy(tensor);
}

void nm_tensor_file_destroy(nm_tensor_file *file)
{
    if (file) {
        destroy_map(file->tensors, destroy_tensor, file->context);
        destroy_map(file->metadata, nm_free, file->context);
        nm_free(file->context, file);
    }
}

static nm_tensor_file *create_file(nm_context *context)
{
    nm_tensor_file *file = nm_alloc_zero(context, 1, sizeof *file);
    if (!file) {
        return NULL;
    }
    file->context = context;
    file->tensors = nm_map_create(context);
    file->metadata = file->tensors ? nm_map_create(context) : NULL;
    if (!file->metadata) {
        nm_tensor_file_destroy(file);
        return NULL;
    }
    return file;
}

static nm_status read_metadata(reader *r)
{
    nm_json *json = &r->json;
    nm_status status = nm_json_expect(json, '{');
    bool more = status == NM_OK && nm_json_peek(json) != '}';
    if (status == NM_OK && !more) {
        return nm_json_expect(json, '}');
    }
    while (more && status == NM_OK) {
        char *key = NULL, *text = NULL;
        status = nm_json_string(json, &key);
        if (status == NM_OK) status = nm_json_expect(json, ':');
        if (status == NM_OK) status = nm_json_string(json, &text);
        if (status == NM_OK && nm_map_find(r->file->metadata, key)) {
            status = nm_json_fail(json, "the metadata has \"%s\" twice", key);
        }
        if (status == NM_OK) status = nm_map_add(r->file->metadata, key, text);
        if (status != NM_OK) nm_free(json->context, text);
        nm_free(json->context, key);
        if (status == NM_OK) status = nm_json_next(json, '}', &more);
    }
    return status;
}

/* What the header says of one tensor. */
typedef struct description {
    nm_dtype dtype;
    nm_shape shape;
    uint64_t offsets[2];
    bool has_dtype, has_shape, has_offsets;
} description;

static nm_status read_dtype(nm_json *json, description *d)
{
    char *text = NULL;
    nm_status status = nm_json_string(json, &text);
    for (int i = 0; status == NM_OK && i < NM_DTYPE_COUNT; i++) {
        if (strcmp(text, nm_safetensors_types[i]) == 0) {
            d->dtype = (nm_dtype)i;
            d->has_dtype = true;
        }
    }
    if (status == NM_OK && !d->has_dtype) {
        status = nm_json_fail(json, "the type %.20s is not read (F32, F64, BF16, I32, I64, U8 are)",
                              text);
    }
    nm_free(json->context, text);
    return status;
}

/* A list of at most `most` numbers. */
static nm_status read_counts(nm_json *json, uint64_t *values, int most, int *count)
{
    nm_status status = nm_json_expect(json, '[');
    *count = 0;
    bool more = status == NM_OK && nm_json_peek(json) != ']';
    if (status == NM_OK && !more) {
        return nm_json_expect(json, ']');
    }
    while (more && status == NM_OK) {
        if (*count == most) {
            return nm_json_fail(json, "a list has more than %d numbers", most);
        }
        status = nm_json_count(json, &values[*count]);
        *count += 1;
        if (status == NM_OK) status = nm_json_next(json, ']', &more);
    }
    return status;
}

static nm_status read_shape(nm_json *json, description *d)
{
    uint64_t dims[NM_MAX_RANK];
    nm_status status = read_counts(json, dims, NM_MAX_RANK, &d->shape.rank);
    for (int i = 0; status == NM_OK && i < d->shape.rank; i++) {
        if (dims[i] > INT64_MAX) {
            return nm_json_fail(json, "a dimension is too large");
        }
        d->shape.dim[i] = (int64_t)dims[i];
    }
    d->has_shape = true;
    return status;
}

static nm_status read_offsets(nm_json *json, description *d)
{
    int count;
    nm_status status = read_counts(json, d->offsets, 2, &count);
    if (status == NM_OK && count != 2) {
        return nm_json_fail(json, "data_offsets needs two numbers");
    }
    d->has_offsets = true;
    return status;
}

static nm_status read_field(nm_json *json, description *d)
{
    char *key = NULL;
    nm_status status = nm_json_string(json, &key);
    if (status == NM_OK) status = nm_json_expect(json, ':');
    if (status == NM_OK) {
        if (strcmp(key, "dtype") == 0 && !d->has_dtype) {
            status = read_dtype(json, d);
        } else if (strcmp(key, "shape") == 0 && !d->has_shape) {
            status = read_shape(json, d);
        } else if (strcmp(key, "data_offsets") == 0 && !d->has_offsets) {
            status = read_offsets(json, d);
        } else {
            status = nm_json_fail(json, "unknown or repeated key \"%.40s\"", key);
        }
    }
    nm_free(json->context, key);
    return status;
}

/* Promises 1 and 3. */
static nm_status check_description(reader *r, const description *d)
{
    if (!d->has_dtype || !d->has_shape || !d->has_offsets) {
        return nm_json_fail(&r->json, "dtype, shape or data_offsets is missing");
    }
    int64_t count = nm_shape_count(&d->shape);
    if (count < 0) {
        return nm_json_fail(&r->json, "the shape is too large");
    }
    if (d->offsets[0] > d->offsets[1] || d->offsets[1] > r->data_size) {
        return nm_json_fail(&r->json, "truncated, or wrong: the data runs to byte %llu of %llu",
                            (unsigned long long)d->offsets[1], (unsigned long long)r->data_size);
    }
    uint64_t bytes = (uint64_t)count * nm_dtype_size(d->dtype);
    if (d->offsets[1] - d->offsets[0] != bytes) {
        return nm_json_fail(&r->json, "the data has %llu bytes, its shape and type ask for %llu",
                            (unsigned long long)(d->offsets[1] - d->offsets[0]),
                            (unsigned long long)bytes);
    }
    return NM_OK;
}

static nm_status add_range(reader *r, const description *d, const char *name)
{
    if (r->count == r->capacity) {
        int capacity = r->capacity ? 2 * r->capacity : 64;
        range *ranges = nm_resize(r->json.context, r->ranges, (size_t)capacity * sizeof *r->ranges);
        if (!ranges) {
            return NM_ERROR_MEMORY;
        }
        r->ranges = ranges;
        r->capacity = capacity;
    }
    r->ranges[r->count++] = (range){d->offsets[0], d->offsets[1], name};
    return NM_OK;
}

static nm_status add_tensor(reader *r, const description *d, const char *name)
{
    nm_context *context = r->json.context;
    nm_map *tensors = r->file->tensors;
    if (nm_map_find(tensors, name)) {
        return nm_json_fail(&r->json, "the name occurs twice");
    }
    nm_tensor *tensor = nm_tensor_copy_of(context, d->dtype, d->shape, r->data + d->offsets[0]);
    if (!tensor || nm_tensor_set_name(tensor, name) != NM_OK ||
        nm_map_add(tensors, name, tensor) != NM_OK) {
        nm_tensor_destroy(tensor);
        return nm_context_status(context);
    }
    return add_range(r, d, nm_map_name_at(tensors, nm_map_count(tensors) - 1));
}

static nm_status read_tensor(reader *r, const char *name)
{
    nm_json *json = &r->json;
    description d = {0};
    nm_status status = nm_json_expect(json, '{');
    bool more = status == NM_OK && nm_json_peek(json) != '}';
    if (status == NM_OK && !more) {
        status = nm_json_expect(json, '}');
    }
    while (more && status == NM_OK) {
        status = read_field(json, &d);
        if (status == NM_OK) status = nm_json_next(json, '}', &more);
    }
    if (status == NM_OK) status = check_description(r, &d);
    if (status == NM_OK) status = add_tensor(r, &d, name);
    if (status == NM_ERROR_FORMAT) {
        nm_fail_in(json->context, "tensor \"%.80s\"", name);
    }
    return status;
}

static nm_status read_header(reader *r)
{
    nm_json *json = &r->json;
    nm_status status = nm_json_expect(json, '{');
    bool more = status == NM_OK && nm_json_peek(json) != '}';
    if (status == NM_OK && !more) {
        status = nm_json_expect(json, '}');
    }
    bool metadata = false;
    while (more && status == NM_OK) {
        char *name = NULL;
        status = nm_json_string(json, &name);
        if (status == NM_OK) status = nm_json_expect(json, ':');
        if (status == NM_OK && strcmp(name, "__metadata__") == 0) {
            status = metadata ? nm_json_fail(json, "__metadata__ occurs twice") : read_metadata(r);
            metadata = true;
        } else if (status == NM_OK) {
            status = read_tensor(r, name);
        }
        nm_free(json->context, name);
        if (status == NM_OK) status = nm_json_next(json, '}', &more);
    }
    if (status == NM_OK && nm_json_peek(json) != 0) {
        status = nm_json_fail(json, "something follows the closing brace");
    }
    return status;
}

static int by_begin(const void *a, const void *b)
{
    const range *x = a, *y = b;
    if (x->begin != y->begin) {
        return x->begin < y->begin ? -1 : 1;
    }
    return x->end < y->end ? -1 : x->end > y->end; /* empty ranges first */
}

/* Promise 2. */
static nm_status check_cover(reader *r)
{
    if (r->count) {
        qsort(r->ranges, (size_t)r->count, sizeof *r->ranges, by_begin);
    }
    uint64_t at = 0;
    for (int i = 0; i < r->count; i++) {
        if (r->ranges[i].begin != at) {
            return nm_json_fail(&r->json, "the data of \"%.80s\" %s", r->ranges[i].name,
                                r->ranges[i].begin < at ? "overlaps another tensor's"
                                                        : "leaves a hole before it");
        }
        at = r->ranges[i].end;
    }
    return at == r->data_size ? NM_OK
                              : nm_json_fail(&r->json, "%llu bytes follow the last tensor",
                                             (unsigned long long)(r->data_size - at));
}

static nm_status parse(nm_tensor_file *file, const char *bytes, size_t size, const char *name)
{
    uint64_t length = 0;
    for (int i = 7; i >= 0 && size >= 8; i--) {
        length = length << 8 | (unsigned char)bytes[i];
    }
    if (size < 8 || length > size - 8 || length > HEADER_LIMIT) {
        return nm_fail(
            file->context, NM_ERROR_FORMAT,
            "%s: not a safetensors file, or truncated: it has %zu bytes, its header %llu", name,
            size, (unsigned long long)length);
    }
    const char *header = bytes + 8;
    reader r = {.json = {file->context, name, header, header + length},
                .file = file,
                .data = header + length,
                .data_size = size - 8 - length};
    nm_status status = read_header(&r);
    if (status == NM_OK) status = check_cover(&r);
    nm_free(file->context, r.ranges);
    return status;
}

nm_tensor_file *nm_tensor_file_parse(nm_context *context, const void *bytes, size_t size,
                                     const char *name)
{
    nm_tensor_file *file = create_file(context);
    if (file && parse(file, bytes, size, name) != NM_OK) {
        nm_tensor_file_destroy(file);
        return NULL;
    }
    return file;
}

nm_tensor_file *nm_tensor_file_read(nm_context *context, const char *path)
{
    size_t size;
    char *bytes = nm_file_read(context, path, FILE_LIMIT, &size);
    nm_tensor_file *file = bytes ? nm_tensor_file_parse(context, bytes, size, path) : NULL;
    nm_free(context, bytes);
    return file;
}

int nm_tensor_file_count(const nm_tensor_file *file)
{
    return nm_map_count(file->tensors);
}

const char *nm_tensor_file_name(const nm_tensor_file *file, int index)
{
    return nm_map_name_at(file->tensors, index);
}

nm_tensor *nm_tensor_file_at(const nm_tensor_file *file, int index)
{
    return nm_map_at(file->tensors, index);
}

nm_tensor *nm_tensor_file_find(const nm_tensor_file *file, const char *name)
{
    return nm_map_find(file->tensors, name);
}

const char *nm_tensor_file_metadata(const nm_tensor_file *file, const char *key)
{
    return nm_map_find(file->metadata, key);
}
