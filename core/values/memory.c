/* A document's memory: chunks that are freed together. */
#include <string.h>

#include "core/value_internal.h"

struct nm_document_chunk {
    nm_document_chunk *next;
    size_t size, used;
    max_align_t data[];
};

#define CHUNK_BYTES ((size_t)16 << 10)

static nm_document_chunk *chunk_create(nm_document *document, size_t size)
{
    size_t bytes = size > CHUNK_BYTES ? size : CHUNK_BYTES;
    nm_document_chunk *chunk = nm_alloc(document->context, sizeof *chunk + bytes);
    if (chunk) {
        *chunk = (nm_document_chunk){.next = document->chunks, .size = bytes};
        document->chunks = chunk;
    }
    return chunk;
}

void *nm_document_alloc(nm_document *document, size_t size)
{
    size_t rounded = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    nm_document_chunk *chunk = document->chunks;
    if (!chunk || chunk->size - chunk->used < rounded) {
        chunk = chunk_create(document, rounded);
    }
    if (!chunk) {
        return NULL;
    }
    void *memory = (char *)chunk->data + chunk->used;
    chunk->used += rounded;
    return memory;
}

char *nm_document_copy(nm_document *document, const char *text, size_t length)
{
    char *copy = nm_document_alloc(document, length + 1);
    if (copy) {
        memcpy(copy, text, length);
        copy[length] = 0;
    }
    return copy;
}

nm_value *nm_document_value(nm_document *document, nm_value_kind kind, const char *file, int line,
                            int column)
{
    nm_value *value = nm_document_alloc(document, sizeof *value);
    if (value) {
        *value = (nm_value){.kind = kind, .line = line, .column = column, .file = file, .text = ""};
    }
    return value;
}

void nm_document_destroy(nm_document *document)
{
    if (!document) {
        return;
    }
    nm_context *context = document->context;
    while (document->chunks) {
        nm_document_chunk *chunk = document->chunks;
        document->chunks = chunk->next;
        nm_free(context, chunk);
    }
    nm_free(context, document);
}
