/* Reading whole files. */
#include "core/file.h"
#include "core/files/input.h"
#include "core/guard.h"

static char *read_whole(nm_context *context, const char *path, size_t limit, bool unpack,
                        size_t *size)
{
    nm_input input;
    if (nm_input_open(&input, context, path, limit, unpack) != NM_OK) {
        return NULL;
    }
    char *contents = nm_input_read_all(&input, limit, size);
    nm_input_close(&input);
    return contents;
}

char *nm_file_read(nm_context *context, const char *path, size_t limit, size_t *size)
{
    NM_REQUIRE(context, path, NULL);
    return read_whole(context, path, limit, false, size);
}

char *nm_file_read_gz(nm_context *context, const char *path, size_t limit, size_t *size)
{
    NM_REQUIRE(context, path, NULL);
    return read_whole(context, path, limit, true, size);
}
