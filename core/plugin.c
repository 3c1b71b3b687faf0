/* Promises:
 *
 * 1. No function of a plugin runs, but for those that the system runs when it loads a shared
 * object, before its ABI number, the sizes of its structs and the library that it is bound to were
 * found right.
 * 2. Every error begins with "plugin " and the path that was given.
 * 3. A plugin that failed leaves the context's registries as they were.
 * 4. One that was loaded stays until the process ends: ops of it may be anywhere. */
#include "core/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/guard.h"
#include "core/internal.h"

const char nm_library_mark[] = "Norma";

/* ---- Those that are there ---- */

static const char records[] = "plugins"; /* frees them with the context */

static void destroy_records(nm_context *context, void *state)
{
    (void)state;
    while (context->plugins) {
        nm_plugin *plugin = context->plugins;
        context->plugins = plugin->next;
        nm_free(context, plugin->path);
        nm_free(context, plugin);
    }
}

static void add_record(nm_context *context, nm_plugin *plugin)
{
    nm_plugin **end = &context->plugins;
    while (*end) {
        end = &(*end)->next;
    }
    *end = plugin;
}

static bool is_there(const nm_context *context, const nm_plugin *plugin)
{
    const nm_plugin *other = context->plugins;
    while (other && (other->device != plugin->device || other->inode != plugin->inode)) {
        other = other->next;
    }
    return other;
}

/* ---- Whether a file fits ---- */

static nm_status check_structs(nm_context *context, const nm_plugin_built *built,
                               const nm_plugin_struct *structs, int count)
{
    for (uint32_t i = 0; i < built->count; i++) {
        const nm_plugin_struct *its = &built->structs[i];
        for (int k = 0; k < count; k++) {
            if (strcmp(its->name, structs[k].name) == 0 && its->size != structs[k].size) {
                return nm_fail(context, NM_ERROR_INPUT,
                               "its %s has %zu bytes, the library's %zu: it was compiled with "
                               "headers of another version; rebuild it with this one's",
                               its->name, its->size, structs[k].size);
            }
        }
    }
    return NM_OK;
}

/* Promise 1. */
static nm_status check_built(nm_context *context, const nm_plugin_built *built,
                             const nm_plugin_struct *structs, int count)
{
    if (!built) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "it does not say for which Norma it was built; write NM_PLUGIN(init), with "
                       "a function nm_status init(nm_context *context), into one of its files");
    }
    if (built->abi != NM_ABI) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "it was built for ABI %u of Norma, the library has ABI %u; rebuild it",
                       (unsigned)built->abi, (unsigned)NM_ABI);
    }
    if (built->library != nm_library_mark) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "it is bound to another copy of Norma's library than this program has; "
                       "link the program with the shared library, or export its own (-rdynamic)");
    }
    return check_structs(context, built, structs, count);
}

/* ---- Loading ---- */

/* A file on its way in. */
typedef struct loading {
    nm_context *context;
    nm_plugin *plugin;
    void *handle;
    nm_plugin_init_fn init;
} loading;

static void *find_symbol(void *handle, const char *name)
{
    dlerror();
    return dlsym(handle, name);
}

/* Why the system does not load it, without the path, which is told already. */
static nm_status refuse(const loading *l)
{
    const char *why = dlerror(), *path = l->plugin->path;
    why = why ? why : "the system does not say why";
    if (strncmp(why, path, strlen(path)) == 0 && why[strlen(path)] == ':') {
        why += strlen(path) + 1 + strspn(why + strlen(path) + 1, " ");
    }
    return nm_fail(l->context, NM_ERROR_FORMAT, "it cannot be loaded: %s", why);
}

static nm_status open_object(loading *l, const nm_plugin_struct *structs, int count)
{
    dlerror();
    l->handle = dlopen(l->plugin->path, RTLD_NOW | RTLD_LOCAL);
    if (!l->handle) {
        return refuse(l);
    }
    nm_status status =
        check_built(l->context, find_symbol(l->handle, "nm_plugin_abi"), structs, count);
    void *entry = status == NM_OK ? find_symbol(l->handle, "nm_plugin_init") : NULL;
    if (status == NM_OK && !entry) {
        status = nm_fail(l->context, NM_ERROR_INPUT,
                         "it has no entry nm_plugin_init(); NM_PLUGIN(init) makes one");
    }
    memcpy(&l->init, &entry, sizeof entry); /* a function's address, as POSIX has it */
    return status;
}

static void count_items(const nm_context *context, int counts[NM_KIND_COUNT])
{
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        counts[kind] = nm_item_count(context, (nm_kind)kind);
    }
}

/* Promise 3. */
static nm_status run_init(const loading *l)
{
    nm_context *context = l->context;
    count_items(context, l->plugin->first);
    const nm_status status = l->init(context);
    if (status != NM_OK && context->status == NM_OK) {
        nm_fail(context, status < NM_OK ? status : NM_ERROR_INTERNAL,
                "its init function failed (%s) and did not say why: call nm_fail() there",
                nm_status_name(status));
    }
    count_items(context, l->plugin->end);
    if (context->status != NM_OK) {
        nm_registry_rewind(context, l->plugin->first);
    }
    return context->status;
}

/* A record of a file that is there; NULL on failure. */
static nm_plugin *make_plugin(nm_context *context, const char *path)
{
    char real[PATH_MAX];
    struct stat info;
    if (!realpath(path, real) || stat(real, &info) != 0) {
        nm_fail(context, NM_ERROR_IO, "it cannot be found: %s", strerror(errno));
        return NULL;
    }
    nm_plugin *plugin = nm_alloc_zero(context, 1, sizeof *plugin);
    char *copy = plugin ? nm_copy_string(context, real) : NULL;
    if (!copy) {
        nm_free(context, plugin);
        return NULL;
    }
    *plugin = (nm_plugin){.path = copy,
                          .name = strrchr(copy, '/') + 1,
                          .device = (uint64_t)info.st_dev,
                          .inode = (uint64_t)info.st_ino};
    return plugin;
}

static nm_status load(nm_context *context, nm_plugin *plugin, const nm_plugin_struct *structs,
                      int count)
{
    loading l = {.context = context, .plugin = plugin};
    nm_status status = open_object(&l, structs, count);
    if (status == NM_OK && (status = run_init(&l)) == NM_OK) {
        add_record(context, plugin);
        return NM_OK;
    }
    if (l.handle && !l.init) { /* nothing of it ran: promise 4 is for what did */
        dlclose(l.handle);
    }
    return status;
}

nm_status nm_plugin_open(nm_context *context, const char *path, const nm_plugin_struct *structs,
                         int count)
{
    const bool kept = nm_context_attach(context, records, 1, destroy_records);
    nm_plugin *plugin = kept ? make_plugin(context, path) : NULL;
    const bool there = plugin && is_there(context, plugin);
    if (plugin && (there || load(context, plugin, structs, count) != NM_OK)) {
        nm_free(context, plugin->path);
        nm_free(context, plugin);
    }
    return context->status == NM_OK ? NM_OK : nm_fail_in(context, "plugin %s", path);
}
