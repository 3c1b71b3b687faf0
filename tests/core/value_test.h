/* Documents from texts: for the tests of values. */
#ifndef NM_TESTS_CORE_VALUE_TEST_H
#define NM_TESTS_CORE_VALUE_TEST_H

/* The YAML reader: what it reads, what it refuses and with which words, --set, numbers, messages.
 */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/value.h"
#include "tests/test.h"

/* ---- Helpers ---- */

static nm_context *context;
static nm_document *document;

static inline const nm_value *parse(const char *text)
{
    context = test_context(NULL);
    document = nm_document_parse(context, text, SIZE_MAX, "net.yaml");
    assert_fine(context);
    return nm_document_root(document);
}

static inline void done(void)
{
    nm_document_destroy(document);
    test_context_end(context, NULL);
}

static inline void refuse_bytes(const char *text, size_t size, const char *message)
{
    nm_context *c = test_context(NULL);
    ck_assert_ptr_null(nm_document_parse(c, text, size, "net.yaml"));
    assert_error(c, NM_ERROR_INPUT, message);
    test_context_end(c, NULL);
}

static inline void refuse(const char *text, const char *message)
{
    refuse_bytes(text, SIZE_MAX, message);
}

/* `unit` again and again, up to `size` bytes, behind `head`. */
static inline char *repeat(const char *head, const char *unit, size_t size)
{
    size_t begin = strlen(head), length = strlen(unit);
    char *text = malloc(size + 1);
    memcpy(text, head, begin);
    for (size_t i = begin; i < size; i++) {
        text[i] = unit[(i - begin) % length];
    }
    text[size] = 0;
    return text;
}

static inline const char *text_at(const nm_value *map, const char *key)
{
    const nm_value *value = nm_value_get(map, key);
    ck_assert_msg(value != NULL, "%s is missing", key);
    return value->text;
}

#endif
