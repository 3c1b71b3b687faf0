/* Writing safetensors files; core/safetensors.c says what they are. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/internal.h"

const char *const nm_safetensors_types[NM_DTYPE_COUNT] = {
    [NM_F32] = "F32", [NM_F64] = "F64", [NM_BF16] = "BF16",
    [NM_I32] = "I32", [NM_I64] = "I64", [NM_U8] = "U8",
};

static void destroy_texts(nm_map *map, nm_context *context)
{
    for (int i = 0; map && i < nm_map_count(map); i++) {
        nm_free(context, nm_map_at(map, i));
    }
    nm_map_destroy(map);
}

struct nm_tensor_writer {
    nm_context *context;
    nm_map *tensors;
    nm_map *metadata;
    char *header; /* while it is being made */
    size_t length, capacity;
    nm_status status;
};

nm_tensor_writer *nm_tensor_writer_create(nm_context *context)
{
    nm_tensor_writer *writer = nm_alloc_zero(context, 1, sizeof *writer);
    if (!writer) {
        return NULL;
    }
    writer->context = context;
    writer->tensors = nm_map_create(context);
    writer->metadata = writer->tensors ? nm_map_create(context) : NULL;
    if (!writer->metadata) {
        nm_tensor_writer_destroy(writer);
        return NULL;
    }
    return writer;
}

void nm_tensor_writer_destroy(nm_tensor_writer *writer)
{
    if (writer) {
        nm_map_destroy(writer->tensors);
        destroy_texts(writer->metadata, writer->context);
        nm_free(writer->context, writer->header);
        nm_free(writer->context, writer);
    }
}

nm_status nm_tensor_writer_add(nm_tensor_writer *writer, const char *name, nm_tensor *tensor)
{
    if (!tensor || !nm_tensor_data(tensor) || strcmp(name, "__metadata__") == 0) {
        return nm_fail(writer->context, NM_ERROR_INPUT, "\"%s\" cannot be written: %s", name,
                       tensor ? "the name has a meaning of its own" : "there is no tensor");
    }
    return nm_map_add(writer->tensors, name, tensor);
}

nm_status nm_tensor_writer_set_metadata(nm_tensor_writer *writer, const char *key, const char *text)
{
    char *copy = nm_copy_string(writer->context, text);
    if (!copy) {
        return NM_ERROR_MEMORY;
    }
    nm_status status = nm_map_add(writer->metadata, key, copy);
    if (status != NM_OK) {
        nm_free(writer->context, copy);
    }
    return status;
}

/* Appends to the header; the first failure stays in the writer. */
static void put(nm_tensor_writer *w, const char *text, size_t length)
{
    if (w->status == NM_OK && w->capacity - w->length < length) {
        size_t capacity = 2 * w->capacity + length + 256;
        char *header = nm_resize(w->context, w->header, capacity);
        w->status = header ? NM_OK : NM_ERROR_MEMORY;
        w->header = header ? header : w->header;
        w->capacity = header ? capacity : w->capacity;
    }
    if (w->status == NM_OK) {
        memcpy(w->header + w->length, text, length);
        w->length += length;
    }
}

static void put_text(nm_tensor_writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static void put_string(nm_tensor_writer *w, const char *text)
{
    put_text(w, "\"");
    for (; *text; text++) {
        char escaped[8];
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            snprintf(escaped, sizeof escaped, "\\%c", c);
            put_text(w, escaped);
        } else if (c < 0x20) {
            snprintf(escaped, sizeof escaped, "\\u%04x", c);
            put_text(w, escaped);
        } else {
            put(w, text, 1);
        }
    }
    put_text(w, "\"");
}

static void put_tensor(nm_tensor_writer *w, int index, uint64_t *offset)
{
    nm_tensor *tensor = nm_map_at(w->tensors, index);
    const nm_shape *shape = nm_tensor_shape(tensor);
    char text[NM_SHAPE_TEXT + 96], dims[NM_SHAPE_TEXT];
    uint64_t end = *offset + nm_tensor_bytes(tensor);
    snprintf(text, sizeof text, ":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%llu,%llu]}",
             nm_safetensors_types[nm_tensor_dtype(tensor)], nm_shape_text(shape, dims),
             (unsigned long long)*offset, (unsigned long long)end);
    put_string(w, nm_map_name_at(w->tensors, index));
    put_text(w, text);
    *offset = end;
}

static void put_metadata(nm_tensor_writer *w)
{
    put_text(w, "\"__metadata__\":{");
    for (int i = 0; i < nm_map_count(w->metadata); i++) {
        put_text(w, i ? "," : "");
        put_string(w, nm_map_name_at(w->metadata, i));
        put_text(w, ":");
        put_string(w, nm_map_at(w->metadata, i));
    }
    put_text(w, "}");
}

/* The length, to be filled in, and the header, padded so that the data begins at a multiple of 64.
 */
static void make_header(nm_tensor_writer *w)
{
    uint64_t offset = 0;
    bool first = true;
    w->length = 0;
    w->status = NM_OK;
    put(w, "\0\0\0\0\0\0\0\0", 8);
    put_text(w, "{");
    if (nm_map_count(w->metadata)) {
        put_metadata(w);
        first = false;
    }
    for (int i = 0; i < nm_map_count(w->tensors); i++) {
        put_text(w, first ? "" : ",");
        put_tensor(w, i, &offset);
        first = false;
    }
    put_text(w, "}");
    while (w->status == NM_OK && w->length % 64) {
        put_text(w, " ");
    }
    for (int i = 0; w->status == NM_OK && i < 8; i++) {
        w->header[i] = (char)((w->length - 8) >> 8 * i & 0xff);
    }
}

static nm_status write_all(nm_tensor_writer *w, nm_file *file)
{
    nm_status status = nm_file_write(file, w->header, w->length);
    for (int i = 0; status == NM_OK && i < nm_map_count(w->tensors); i++) {
        nm_tensor *tensor = nm_map_at(w->tensors, i);
        status = nm_file_write(file, nm_tensor_data(tensor), nm_tensor_bytes(tensor));
    }
    return status;
}

nm_status nm_tensor_writer_write(nm_tensor_writer *writer, const char *path)
{
    make_header(writer);
    if (writer->status != NM_OK) {
        return writer->status;
    }
    nm_file *file = nm_file_create(writer->context, path);
    if (!file) {
        return nm_context_status(writer->context);
    }
    nm_status status = write_all(writer, file);
    if (status != NM_OK) {
        nm_file_abandon(file);
        return status;
    }
    return nm_file_commit(file);
}
