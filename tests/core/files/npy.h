/* NPY files, spelled byte by byte. */
#ifndef NM_TESTS_CORE_FILES_NPY_H
#define NM_TESTS_CORE_FILES_NPY_H

#include <string.h>

#include "core/file.h"
#include "tests/test.h"

typedef struct bytes {
    size_t size;
    unsigned char data[2048];
} bytes;

static inline void add(bytes *b, const void *data, size_t size)
{
    ck_assert(b->size + size <= sizeof b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

/* A file of the given version with this text as its header and `size` zeros, 1, 2, ... behind. */
static inline bytes spell(int version, const char *header, size_t size)
{
    bytes b = {0};
    size_t length = strlen(header);
    unsigned char head[12] = {0x93,
                              'N',
                              'U',
                              'M',
                              'P',
                              'Y',
                              (unsigned char)version,
                              0,
                              (unsigned char)length,
                              (unsigned char)(length >> 8)};
    add(&b, head, version == 1 ? 10 : 12);
    add(&b, header, length);
    for (size_t i = 0; i < size; i++) {
        unsigned char value = (unsigned char)i;
        add(&b, &value, 1);
    }
    return b;
}

#define DICT(descr, order, shape)                                                                  \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }\n"

static inline void refuse(const bytes *b, const char *message)
{
    nm_context *context = test_context(NULL);
    ck_assert_ptr_null(nm_npy_parse(context, b->data, b->size, "x.npy"));
    assert_error(context, NM_ERROR_FORMAT, message);
    nm_context_destroy(context);
}

#endif
