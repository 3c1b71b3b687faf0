/* A document's memory comes in pieces of 16 KB: whichever value, key or text is the first of one,
 * that there is no more is an error. */
#include <stdio.h>
#include <stdlib.h>

#include "core/op.h"
#include "core/value_internal.h"

#include "tests/test.h"

#define PIECE 16384
#define OTHERS 4800 /* bytes of a piece that all but the first text takes, and more */

typedef struct settings {
    const char *first, *path, *home;
    const nm_value *any, *list;
} settings;

static const nm_option rows[] = {
    {NM_FIELD(settings, first), NM_OPTION_STRING, .doc = "a long text"},
    {NM_FIELD(settings, path), NM_OPTION_STRING, .doc = "a file", .flags = NM_PATH},
    {NM_FIELD(settings, home), NM_OPTION_STRING, .doc = "another one", .flags = NM_PATH},
    {NM_FIELD(settings, any), NM_OPTION_VALUE, .doc = "something else"},
    {NM_FIELD(settings, list), NM_OPTION_VALUE, .doc = "a list"},
};
static const settings defaults = {0};
static const nm_spec spec = {.name = "settings",
                             .size = sizeof(settings),
                             .defaults = &defaults,
                             .options = rows,
                             .count = NM_COUNT_OF(rows)};

static int length; /* of the first text, which moves all others through the piece */

static void use(nm_context *context, nm_document *document)
{
    settings read;
    size_t size;
    nm_diagnostics d;
    nm_diagnostics_begin(&d, context);
    nm_spec_read(&spec, nm_document_root(document), "it", document, &d, &read);
    if (nm_diagnostics_end(&d) == NM_OK) {
        nm_document_set(document, "any.new.key={x: [1, 'two']}");
        nm_document_set(document, "list.1.b=5");
        nm_free(context, nm_document_text(document, "/tmp", &size));
    }
}

static nm_status read_change_and_write(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    char text[PIECE + 200];
    snprintf(text, sizeof text,
             "first: '%0*d'\npath: a.csv\nhome: ~/b.csv\nany: {c: &x [d]}\nlist: [*x, {e: 1}]\n",
             length, 0);
    nm_document *document = nm_document_parse(context, text, SIZE_MAX, "net.yaml");
    if (document) {
        use(context, document);
    }
    nm_document_destroy(document);
    const nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(wherever_a_piece_ends_that_there_is_no_other_is_an_error)
{
    setenv("HOME", "/home/me", 1);
    for (length = PIECE - OTHERS; length < PIECE; length += 32) {
        test_every_allocation(read_change_and_write);
    }
}
END_TEST

TEST_MAIN("core/values/room", wherever_a_piece_ends_that_there_is_no_other_is_an_error)
