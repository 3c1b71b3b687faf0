/* safetensors files, spelled byte by byte. */
#ifndef NM_TESTS_CORE_FILES_SPELLED_H
#define NM_TESTS_CORE_FILES_SPELLED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/tape.h"
#include "tests/test.h"

typedef struct bytes {
    size_t size;
    unsigned char data[2048];
} bytes;

/* The length of the header that stands behind it. */
static inline void put_length(void *file, size_t length)
{
    uint64_t number = length;
    test_turn(&number, sizeof number, sizeof number);
    memcpy(file, &number, sizeof number);
}

/* A header of `length` bytes and `size` bytes of data: 0, 1, 2, ... */
static inline bytes spell_bytes(const void *header, size_t length, size_t size)
{
    bytes b = {.size = 8 + length + size};
    ck_assert(b.size <= sizeof b.data);
    put_length(b.data, length);
    memcpy(b.data + 8, header, length);
    for (size_t i = 0; i < size; i++) {
        b.data[8 + length + i] = (unsigned char)i;
    }
    return b;
}

static inline bytes spell(const char *header, size_t size)
{
    return spell_bytes(header, strlen(header), size);
}

static inline void refuse(const bytes *b, const char *message)
{
    nm_context *context = test_context(NULL);
    /* In memory of its own, where touching what is beyond it is seen. */
    void *exact = nm_alloc(context, b->size);
    memcpy(exact, b->data, b->size);
    ck_assert_ptr_null(nm_tensor_file_parse(context, exact, b->size, "x.safetensors"));
    assert_error(context, NM_ERROR_FORMAT, message);
    nm_free(context, exact);
    nm_context_destroy(context);
}

static inline void refuse_header(const char *header, size_t size, const char *message)
{
    bytes b = spell(header, size);
    refuse(&b, message);
}

static inline nm_tensor_file *parse(nm_context *context, const char *header, size_t size)
{
    bytes b = spell(header, size);
    nm_tensor_file *file = nm_tensor_file_parse(context, b.data, b.size, "x.safetensors");
    assert_fine(context);
    ck_assert_ptr_nonnull(file);
    return file;
}

static inline void expect_count(const char *header, size_t size, int count)
{
    nm_context *context = test_context(NULL);
    nm_tensor_file *file = parse(context, header, size);
    ck_assert_int_eq(nm_tensor_file_count(file), count);
    nm_tensor_file_destroy(file);
    nm_context_destroy(context);
}

/* One tensor, described in short. */
#define ONE(name, type, shape, offsets)                                                            \
    "\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

#endif
