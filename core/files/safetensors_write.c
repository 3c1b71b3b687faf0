/* Writing safetensors files; core/files/safetensors.c says what they are. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/files/order.h"
#include "core/guard.h"
#include "core/internal.h"
#include "core/utf8.h"

#define HEADER_LIMIT 100000000u /* bytes, as the format says */

const char *const nm_safetensors_types[NM_DTYPE_COUNT] = {
    [NM_F32] = "F32", [NM_F64] = "F64", [NM_BF16] = "BF16", [NM_I32] = "I32",
    [NM_I64] = "I64", [NM_U8] = "U8",   [NM_I8] = "I8",
};

typedef struct text_item {
    char *text;
} text_item;

struct nm_tensor_writer {
    nm_context *context;
    nm_map *tensors;
    nm_map *metadata; /* of text_item */
};

/* ---- Collecting ---- */

nm_tensor_writer *nm_tensor_writer_create(nm_context *context)
{
    nm_tensor_writer *writer = nm_alloc_zero(context, 1, sizeof *writer);
    if (!writer) {
        return NULL;
    }
    writer->context = context;
    writer->tensors = nm_map_create(context);
    writer->metadata = nm_map_create(context);
    if (!writer->tensors || !writer->metadata) {
        nm_tensor_writer_destroy(writer);
        return NULL;
    }
    return writer;
}

void nm_tensor_writer_destroy(nm_tensor_writer *writer)
{
    if (!writer) {
        return;
    }
    for (int i = 0; writer->metadata && i < nm_map_count(writer->metadata); i++) {
        text_item *item = nm_map_at(writer->metadata, i);
        nm_free(writer->context, item->text);
        nm_free(writer->context, item);
    }
    nm_map_destroy(writer->metadata);
    nm_map_destroy(writer->tensors);
    nm_free(writer->context, writer);
}

/* JSON is UTF-8, and other readers refuse what is not. */
static nm_status check_text(nm_tensor_writer *writer, const char *what, const char *text)
{
    const char *end = text + strlen(text);
    for (const char *at = text; at < end;) {
        int length = nm_utf8_length(at, end);
        if (!length) {
            return nm_fail(writer->context, NM_ERROR_INPUT,
                           "%s cannot be written: byte %td is not UTF-8", what, at - text);
        }
        at += length;
    }
    return NM_OK;
}

nm_status nm_tensor_writer_add(nm_tensor_writer *writer, const char *name, nm_tensor *tensor)
{
    NM_GIVEN(writer, NM_ERROR_INPUT);
    NM_REQUIRE(writer->context, name, NM_ERROR_INPUT);
    if (!tensor) {
        return nm_fail(writer->context, NM_ERROR_INPUT, "\"%s\" cannot be written: it is NULL",
                       name);
    }
    if (strcmp(name, "__metadata__") == 0) {
        return nm_fail(
            writer->context, NM_ERROR_INPUT,
            "no tensor can be written as __metadata__, which safetensors keeps for text");
    }
    nm_status status = check_text(writer, "the name of a tensor", name);
    return status == NM_OK ? nm_map_add(writer->tensors, name, tensor) : status;
}

/* Adds a key without a text yet. */
static text_item *add_key(nm_tensor_writer *writer, const char *key)
{
    text_item *item = nm_alloc_zero(writer->context, 1, sizeof *item);
    if (item && nm_map_add(writer->metadata, key, item) != NM_OK) {
        nm_free(writer->context, item);
        return NULL;
    }
    return item;
}

nm_status nm_tensor_writer_set_metadata(nm_tensor_writer *writer, const char *key, const char *text)
{
    NM_GIVEN(writer, NM_ERROR_INPUT);
    NM_REQUIRE(writer->context, key, NM_ERROR_INPUT);
    NM_REQUIRE(writer->context, text, NM_ERROR_INPUT);
    if (check_text(writer, "a metadata key", key) != NM_OK ||
        check_text(writer, "a metadata text", text) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    char *copy = nm_copy_string(writer->context, text);
    if (!copy) {
        return NM_ERROR_MEMORY;
    }
    text_item *item = nm_map_find(writer->metadata, key);
    item = item ? item : add_key(writer, key);
    if (!item) {
        nm_free(writer->context, copy);
        return NM_ERROR_MEMORY;
    }
    nm_free(writer->context, item->text);
    item->text = copy;
    return NM_OK;
}

/* ---- The order of the data: largest element type first, so that all are aligned ---- */

static const size_t element_sizes[] = {8, 4, 2, 1};
#define ELEMENT_SIZES 4

/* Where the tensors with elements of each size begin. */
static void group_begins(const nm_tensor_writer *w, uint64_t begins[ELEMENT_SIZES])
{
    uint64_t at = 0;
    for (int group = 0; group < ELEMENT_SIZES; group++) {
        begins[group] = at;
        for (int i = 0; i < nm_map_count(w->tensors); i++) {
            const nm_tensor *tensor = nm_map_at(w->tensors, i);
            if (nm_dtype_size(nm_tensor_dtype(tensor)) == element_sizes[group]) {
                at += nm_tensor_bytes(tensor);
            }
        }
    }
}

static int group_of(const nm_tensor *tensor)
{
    int group = 0;
    while (element_sizes[group] != nm_dtype_size(nm_tensor_dtype(tensor))) {
        group++;
    }
    return group;
}

/* ---- The header ---- */

typedef struct header {
    nm_context *context;
    char *text;
    size_t length, capacity;
    nm_status status; /* the first failure stays */
} header;

static void put(header *h, const char *text, size_t length)
{
    if (h->status == NM_OK && h->capacity - h->length < length) {
        size_t capacity = 2 * h->capacity + length + 256;
        char *grown = nm_resize(h->context, h->text, capacity);
        h->status = grown ? NM_OK : NM_ERROR_MEMORY;
        h->text = grown ? grown : h->text;
        h->capacity = grown ? capacity : h->capacity;
    }
    if (h->status == NM_OK) {
        memcpy(h->text + h->length, text, length);
        h->length += length;
    }
}

static void put_text(header *h, const char *text)
{
    put(h, text, strlen(text));
}

static void put_string(header *h, const char *text)
{
    put_text(h, "\"");
    for (; *text; text++) {
        char escaped[8];
        if (*text == '"' || *text == '\\') {
            put_text(h, "\\");
            put(h, text, 1);
        } else if ((unsigned char)*text < ' ') {
            snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)*text);
            put_text(h, escaped);
        } else {
            put(h, text, 1);
        }
    }
    put_text(h, "\"");
}

/* `offset`: where its data begins; moved to where it ends. */
static void put_tensor(header *h, const char *name, const nm_tensor *tensor, uint64_t *offset)
{
    char text[NM_SHAPE_TEXT + 96], shape[NM_SHAPE_TEXT];
    uint64_t end = *offset + nm_tensor_bytes(tensor);
    snprintf(text, sizeof text, ":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%llu,%llu]}",
             nm_safetensors_types[nm_tensor_dtype(tensor)],
             nm_shape_text(nm_tensor_shape(tensor), shape), (unsigned long long)*offset,
             (unsigned long long)end);
    put_string(h, name);
    put_text(h, text);
    *offset = end;
}

static void put_metadata(header *h, const nm_map *metadata)
{
    put_text(h, "\"__metadata__\":{");
    for (int i = 0; i < nm_map_count(metadata); i++) {
        const text_item *item = nm_map_at(metadata, i);
        put_text(h, i ? "," : "");
        put_string(h, nm_map_name_at(metadata, i));
        put_text(h, ":");
        put_string(h, item->text);
    }
    put_text(h, "}");
}

static void put_entries(header *h, const nm_tensor_writer *w)
{
    uint64_t begins[ELEMENT_SIZES];
    group_begins(w, begins);
    bool first = true;
    if (nm_map_count(w->metadata)) {
        put_metadata(h, w->metadata);
        first = false;
    }
    for (int i = 0; i < nm_map_count(w->tensors); i++) {
        const nm_tensor *tensor = nm_map_at(w->tensors, i);
        put_text(h, first ? "" : ",");
        put_tensor(h, nm_map_name_at(w->tensors, i), tensor, &begins[group_of(tensor)]);
        first = false;
    }
}

/* The length and the header, padded so that the data begins at a multiple of 64. */
static nm_status make_header(header *h, const nm_tensor_writer *w)
{
    put(h, "\0\0\0\0\0\0\0\0", 8);
    put_text(h, "{");
    put_entries(h, w);
    put_text(h, "}");
    while (h->status == NM_OK && h->length % 64) {
        put_text(h, " ");
    }
    if (h->status == NM_OK && h->length - 8 > HEADER_LIMIT) {
        return nm_fail(h->context, NM_ERROR_INPUT,
                       "a safetensors header has at most %u bytes; this one would have %zu: use "
                       "shorter names or metadata",
                       HEADER_LIMIT, h->length - 8);
    }
    for (int i = 0; h->status == NM_OK && i < 8; i++) {
        h->text[i] = (char)((uint64_t)(h->length - 8) >> 8 * i & 0xff);
    }
    return h->status;
}

/* ---- The file, or a block of memory ---- */

typedef struct sink {
    nm_file *file;
    char *at; /* without a file: where in the memory */
} sink;

static nm_status put_elements(sink *to, const void *data, size_t bytes, size_t size)
{
    if (to->file) {
        return nm_order_write(to->file, data, bytes, size);
    }
    memcpy(to->at, data, bytes);
    nm_order_turn(to->at, bytes, size);
    to->at += bytes;
    return NM_OK;
}

static nm_status write_group(const nm_tensor_writer *w, sink *to, int group)
{
    nm_status status = NM_OK;
    for (int i = 0; status == NM_OK && i < nm_map_count(w->tensors); i++) {
        nm_tensor *tensor = nm_map_at(w->tensors, i);
        if (group_of(tensor) != group || !nm_tensor_bytes(tensor)) {
            continue;
        }
        const void *data = nm_tensor_elements(tensor);
        if (!data) { /* given back by a backward pass */
            return nm_fail_in(w->context, "\"%s\" cannot be written",
                              nm_map_name_at(w->tensors, i));
        }
        status = put_elements(to, data, nm_tensor_bytes(tensor), element_sizes[group]);
    }
    return status;
}

static nm_status write_groups(const nm_tensor_writer *w, sink *to)
{
    nm_status status = NM_OK;
    for (int group = 0; status == NM_OK && group < ELEMENT_SIZES; group++) {
        status = write_group(w, to, group);
    }
    return status;
}

static nm_status write_file(const nm_tensor_writer *w, const header *h, const char *path)
{
    nm_file *file = nm_file_create(w->context, path);
    if (!file) {
        return nm_context_status(w->context);
    }
    nm_status status = nm_file_write(file, h->text, h->length);
    status = status == NM_OK ? write_groups(w, &(sink){.file = file}) : status;
    if (status != NM_OK) {
        nm_file_abandon(file);
        return status;
    }
    return nm_file_commit(file);
}

nm_status nm_tensor_writer_write(nm_tensor_writer *writer, const char *path)
{
    NM_GIVEN(writer, NM_ERROR_INPUT);
    header h = {.context = writer->context};
    nm_status status = make_header(&h, writer);
    if (status == NM_OK) {
        status = write_file(writer, &h, path);
    }
    nm_free(writer->context, h.text);
    return status;
}

/* The header's bytes and all tensors'; SIZE_MAX if memory cannot have so many. */
static size_t whole_size(const nm_tensor_writer *w, const header *h)
{
    size_t size = h->length;
    for (int i = 0; i < nm_map_count(w->tensors); i++) {
        const size_t bytes = nm_tensor_bytes(nm_map_at(w->tensors, i));
        size = bytes > SIZE_MAX - size ? SIZE_MAX : size + bytes;
    }
    return size;
}

void *nm_tensor_writer_write_memory(nm_tensor_writer *writer, size_t *size)
{
    if (size) {
        *size = 0;
    }
    NM_GIVEN(writer, NULL);
    NM_REQUIRE(writer->context, size, NULL);
    header h = {.context = writer->context};
    const size_t bytes = make_header(&h, writer) == NM_OK ? whole_size(writer, &h) : 0;
    char *memory = bytes ? nm_alloc(writer->context, bytes) : NULL;
    if (memory) {
        memcpy(memory, h.text, h.length);
        if (write_groups(writer, &(sink){.at = memory + h.length}) != NM_OK) {
            nm_free(writer->context, memory);
            memory = NULL;
        }
    }
    *size = memory ? bytes : 0;
    nm_free(writer->context, h.text);
    return memory;
}
