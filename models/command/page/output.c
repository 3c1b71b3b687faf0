#include "models/command/page/output.h"

#include <string.h>
#include <sys/stat.h>

#define LOOK 512 /* bytes, in which the mark stands */

FILE *output_begin(text_stream *out, nm_context *context)
{
    *out = (text_stream){.context = context};
    return nm_context_status(context) == NM_OK ? text_begin(out, context) : NULL;
}

/* A file that is there and does not have the mark. An empty one belongs to nobody: mktemp makes
 * such; what is no file, such as /dev/stdout, is not replaced. */
static bool is_of_others(const char *path)
{
    char text[LOOK + 1] = "";
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode) || !info.st_size) {
        return false;
    }
    FILE *from = fopen(path, "re");
    if (from) {
        text[fread(text, 1, LOOK, from)] = 0;
        fclose(from);
    }
    return !strstr(text, OUTPUT_MARK);
}

nm_status output_check(nm_context *context, const char *path)
{
    return !is_of_others(path)
               ? NM_OK
               : nm_fail(context, NM_ERROR_INPUT,
                         "%s: is there already and was not written by norma; name another file, or "
                         "remove it",
                         path);
}

static nm_status write_whole(const text_stream *out, const char *path)
{
    nm_context *context = out->context;
    nm_file *file = output_check(context, path) == NM_OK ? nm_file_create(context, path) : NULL;
    if (!file) {
        return nm_context_status(context);
    }
    nm_file_write(file, out->text, out->size); /* a failure is the commit's too */
    return nm_file_commit(file);
}

nm_status output_end(text_stream *out, const char *path)
{
    if (nm_context_status(out->context) == NM_OK && text_end(out)) {
        write_whole(out, path);
    }
    text_free(out);
    return nm_context_status(out->context);
}
