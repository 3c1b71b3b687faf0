/* What a saved network has of plugins:
 *
 *     plugins: [{name: "gated.so", needs: ["layer gated", "op softrelu"]}]
 *
 * A reader looks whether that is registered, by a plugin or by the program, and says what is not.
 * No file makes it load anything. */
#include <string.h>

#include "core/plugin.h"
#include "optim/saved_internal.h"

/* ---- Writing ---- */

static bool is_used(const nm_value *value, const char *name);

static bool is_used_in_map(const nm_value *map, const char *name)
{
    for (int i = 0; i < map->count; i++) {
        if (is_used(map->entries[i].key, name) || is_used(map->entries[i].value, name)) {
            return true;
        }
    }
    return false;
}

/* Whether the name stands somewhere in the value. (As a name of something else too: then the file
 * says that it needs a bit more than it does.) */
static bool is_used(const nm_value *value, const char *name)
{
    if (!value || value->kind == NM_VALUE_SCALAR) {
        return value && strcmp(value->text, name) == 0;
    }
    if (value->kind == NM_VALUE_MAP) {
        return is_used_in_map(value, name);
    }
    for (int i = 0; i < value->count; i++) {
        if (is_used(value->items[i], name)) {
            return true;
        }
    }
    return false;
}

/* Whether the network is not to be had without the item. */
static bool needs(const nm_description *d, const nm_value *model, nm_kind kind, const nm_item *item)
{
    bool metric = false;
    for (int i = 0; i < d->metric.count; i++) {
        metric |= d->metric.at[i].item == item;
    }
    const bool in_model =
        kind == NM_KIND_LAYER || kind == NM_KIND_OP || kind == NM_KIND_INITIALIZER;
    return metric || d->loss.item == item || (in_model && is_used(model, item->name));
}

/* Adds what is needed of one plugin; returns whether there is something. */
static bool add_plugin(nm_text *text, const nm_description *d, const nm_value *model,
                       const nm_plugin *plugin, bool first)
{
    int count = 0;
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        for (int i = plugin->first[kind]; i < plugin->end[kind]; i++) {
            const nm_item *item = nm_item_at(text->context, (nm_kind)kind, i);
            if (!item || !needs(d, model, (nm_kind)kind, item)) {
                continue;
            }
            if (count++ == 0) {
                nm_text_add(text, first ? "plugins: [{name: " : ", {name: ");
                nm_text_add_quoted(text, plugin->name);
            }
            nm_text_add(text, "%s\"%s %s\"", count == 1 ? ", needs: [" : ", ",
                        nm_kind_name((nm_kind)kind), item->name);
        }
    }
    nm_text_add(text, count ? "]}" : "");
    return count;
}

void nm_description_add_plugins(nm_text *text, const nm_description *d)
{
    const nm_plugin *plugin = nm_plugin_first(text->context);
    if (!plugin) {
        return;
    }
    bool any = false;
    nm_document *document =
        d->model ? nm_document_parse(text->context, d->model, strlen(d->model), "the network")
                 : NULL;
    const nm_value *model = document ? nm_document_root(document) : NULL;
    for (; plugin; plugin = plugin->next) {
        any |= add_plugin(text, d, model, plugin, !any);
    }
    nm_text_add(text, any ? "]\n" : "");
    nm_document_destroy(document);
}

/* ---- Reading ---- */

/* Whether "KIND NAME" is registered, or of a kind that is not known here. */
static bool is_registered(const nm_context *context, const char *need)
{
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        const size_t length = strlen(nm_kind_name((nm_kind)kind));
        if (strncmp(need, nm_kind_name((nm_kind)kind), length) == 0 && need[length] == ' ') {
            return nm_find(context, (nm_kind)kind, need + length + 1);
        }
    }
    return true;
}

static void check_plugin(const nm_value *plugin, nm_diagnostics *d)
{
    const nm_value *name = nm_value_get(plugin, "name"), *list = nm_value_get(plugin, "needs");
    const bool fine = name && name->kind == NM_VALUE_SCALAR && list && list->kind == NM_VALUE_LIST;
    if (!fine) {
        nm_diagnose(d, plugin, "plugins: a name and what is needed of it are wanted");
    }
    for (int i = 0; fine && i < list->count; i++) {
        const nm_value *need = list->items[i];
        if (need->kind == NM_VALUE_SCALAR && !is_registered(d->context, need->text)) {
            nm_diagnose(d, need,
                        "it has the %s of the plugin %s, which is not loaded; if you trust that "
                        "plugin, load it first (--plugin FILE, or nm_plugin_load())",
                        need->text, name->text);
            return;
        }
    }
}

bool nm_description_check_plugins(const nm_value *value, nm_diagnostics *d)
{
    const int errors = d->count;
    if (value && value->kind != NM_VALUE_LIST) {
        nm_diagnose(d, value, "plugins: a list is wanted");
    }
    for (int i = 0; value && value->kind == NM_VALUE_LIST && i < value->count; i++) {
        check_plugin(value->items[i], d);
    }
    return d->count == errors;
}
