/* Plugins: shared objects that register ops, layers, losses and whatever else a context registers.
 * What one needs is in models/plugin.h; this is what the floors below it know of them. */
#ifndef NM_CORE_PLUGIN_H
#define NM_CORE_PLUGIN_H

#include "core/registry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef nm_status (*nm_plugin_init_fn)(nm_context *context);

/* A struct that the plugin and the library both know, and its size where that was compiled. */
typedef struct nm_plugin_struct {
    const char *name;
    size_t size;
} nm_plugin_struct;

/* What a plugin says of itself, in a variable nm_plugin_abi, before any function of it runs;
 * NM_PLUGIN() writes it. Its layout stays as it is whatever NM_ABI says. */
typedef struct nm_plugin_built {
    uint32_t abi;                    /* NM_ABI */
    uint32_t count;                  /* of `structs` */
    const nm_plugin_struct *structs; /* with the sizes of its headers */
    const char *library;             /* nm_library_mark, of the library that it is bound to */
} nm_plugin_built;

/* A text of the library, by whose address a plugin tells whether it is bound to the copy of it that
 * loads the plugin. */
extern NM_API const char nm_library_mark[];

/* A plugin of a context, which it lives as long as. */
typedef struct nm_plugin {
    struct nm_plugin *next;
    const char *path; /* absolute */
    const char *name; /* its last part: "softrelu.so" */
    uint64_t device, inode;
    int first[NM_KIND_COUNT], end[NM_KIND_COUNT]; /* of each kind's items, those that are its own */
} nm_plugin;

/* The plugin that registered the item; NULL: none did, or it is not registered. */
NM_API const nm_plugin *nm_plugin_of(const nm_context *context, const nm_item *item);

/* ---- The library's own ---- */

/* The context's plugins, in the order they were loaded. */
const nm_plugin *nm_plugin_first(const nm_context *context);
/* Loads the file, checks it against the `count` structs of the library and runs its entry. One that
 * the context has already is NM_OK. What a plugin that failed had registered is taken back. */
nm_status nm_plugin_open(nm_context *context, const char *path, const nm_plugin_struct *structs,
                         int count);
/* Puts the plugin's name before the standing error, if the item is of one: "plugin softrelu.so: ".
 * Returns the standing status. */
nm_status nm_plugin_blame(nm_context *context, const nm_item *item);

#ifdef __cplusplus
}
#endif
#endif
