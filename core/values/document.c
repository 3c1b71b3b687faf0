#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/guard.h"
#include "core/value_internal.h"

nm_document *nm_document_parse(nm_context *context, const char *text, size_t size, const char *file)
{
    return nm_document_parse_within(context, text, size, file, NM_VALUE_MAX_BYTES,
                                    NM_VALUE_MAX_NODES);
}

nm_document *nm_document_parse_within(nm_context *context, const char *text, size_t size,
                                      const char *file, size_t most_bytes, int most_nodes)
{
    nm_document *document = nm_alloc_zero(context, 1, sizeof *document);
    if (!document) {
        return NULL;
    }
    document->context = context;
    document->most_bytes = most_bytes;
    document->most_nodes = most_nodes;
    document->name = nm_document_copy(document, file ? file : "", file ? strlen(file) : 0);
    if (document->name) {
        document->root = nm_document_parse_into(document, text ? text : "", text ? size : 0,
                                                document->name, 0, 0);
    }
    if (!document->root) {
        nm_document_destroy(document);
        return NULL;
    }
    return document;
}

/* Something that is read through a descriptor has no folder of its own. */
static bool has_folder(const char *path)
{
    static const char *const descriptors[] = {"/dev/std", "/dev/fd/", "/proc/", NULL};
    struct stat info;
    for (int i = 0; descriptors[i]; i++) { /* a file, where one was redirected */
        if (strncmp(path, descriptors[i], strlen(descriptors[i])) == 0) {
            return false;
        }
    }
    return stat(path, &info) == 0 && S_ISREG(info.st_mode); /* /dev/shm has folders of files */
}

/* For nm_document_text(). */
static nm_status keep_source(nm_document *document, const char *text, size_t size, const char *path)
{
    document->source = nm_document_copy(document, text, size);
    document->source_size = size;
    document->folder = has_folder(path);
    return document->source ? NM_OK : nm_context_status(document->context);
}

nm_document *nm_document_read(nm_context *context, const char *path)
{
    NM_REQUIRE(context, path, NULL);
    size_t size;
    char *text = nm_file_read(context, path, NM_VALUE_MAX_BYTES, &size);
    if (!text) {
        return NULL;
    }
    nm_document *document = nm_document_parse(context, text, size, path);
    if (document && keep_source(document, text, size, path) != NM_OK) {
        nm_document_destroy(document);
        document = NULL;
    }
    nm_free(context, text);
    return document;
}

const nm_value *nm_document_root(const nm_document *document)
{
    NM_GIVEN(document, NULL);
    return document->root;
}
