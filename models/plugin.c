#include "models/plugin.h"

#include <string.h>
#include <sys/stat.h>

#include "core/guard.h"
#include "core/value_internal.h"
#include "models/plugin_read.h"

static const nm_plugin_struct structs[] = {NM_PLUGIN_STRUCTS(NM_PLUGIN_STRUCT)};

nm_status nm_plugin_load(nm_context *context, const char *path)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(context);
    NM_REQUIRE(context, path, NM_ERROR_INPUT);
    return nm_plugin_open(context, path, structs, NM_COUNT_OF(structs));
}

/* ---- Those that a network's file names ---- */

static const char allowed_key[] = "files may load plugins";

void nm_plugin_allow(nm_context *context, bool files_may_load)
{
    NM_GIVEN(context, );
    bool *allowed = nm_context_attach(context, allowed_key, sizeof *allowed, NULL);
    if (allowed) {
        *allowed = files_may_load;
    }
}

static bool may_load(nm_context *context)
{
    const bool *allowed = nm_context_attach(context, allowed_key, sizeof *allowed, NULL);
    return allowed && *allowed;
}

/* Whether the file's plugin is there: the very file, or one of its name from elsewhere. */
static bool is_loaded(const nm_context *context, const char *path)
{
    struct stat info;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const bool found = stat(path, &info) == 0;
    for (const nm_plugin *p = nm_plugin_first(context); p; p = p->next) {
        const bool same =
            found && p->device == (uint64_t)info.st_dev && p->inode == (uint64_t)info.st_ino;
        if (same || strcmp(p->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void read_one(const nm_value *value, nm_document *document, nm_diagnostics *d)
{
    if (value->kind != NM_VALUE_SCALAR || nm_value_is_null(value)) {
        nm_diagnose(d, value, "plugins: the path of a shared object is wanted");
        return;
    }
    const char *path = nm_document_path(document, value);
    if (!path || is_loaded(d->context, path)) {
        return;
    }
    if (!may_load(d->context)) {
        nm_diagnose(d, value,
                    "plugins: %s is not loaded, and a file may not load code on its own; if you "
                    "trust it, give it yourself (--plugin %s), or let files load what they name "
                    "(--load-plugins)",
                    value->text, path);
    } else if (nm_plugin_load(d->context, path) != NM_OK) {
        nm_diagnose_standing(d, value);
    }
}

bool nm_plugins_read(const nm_value *value, nm_document *document, nm_diagnostics *d)
{
    const int errors = d->count;
    if (!value || nm_value_is_null(value)) {
        return true;
    }
    if (value->kind == NM_VALUE_MAP) {
        nm_diagnose(d, value, "plugins: a list of paths is wanted, such as [softrelu.so]");
    } else if (value->kind == NM_VALUE_SCALAR) {
        read_one(value, document, d);
    }
    for (int i = 0; value->kind == NM_VALUE_LIST && i < value->count; i++) {
        read_one(value->items[i], document, d);
    }
    return d->count == errors && nm_context_status(d->context) == NM_OK;
}
