/* Registries: ordered maps from a name to a descriptor. Everything that can be named in a YAML file
 * or on the command line is registered in the context, by kind. */
#ifndef NM_CORE_REGISTRY_H
#define NM_CORE_REGISTRY_H

#include "core/context.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NM_ABI 7 /* raised whenever a descriptor's layout changes */

typedef struct nm_spec nm_spec;

/* The head of every descriptor: nm_op, nm_layer_type, nm_schedule_type, ... begin with one. */
typedef struct nm_item {
    uint32_t abi;        /* NM_ABI */
    uint32_t size;       /* sizeof the whole descriptor */
    const char *name;    /* as in YAML: lower case, digits, underscores */
    const char *summary; /* one line, without a full stop */
    const char *doc;     /* formula, shapes, source; plain text of several lines */
    const nm_spec *spec; /* options; NULL: none */
    const char *also;    /* what others call it, with blanks between, for messages and help; NULL */
} nm_item;

/* Fills the head of a descriptor, by its name, its summary and more fields, if any:
 * static const nm_op op = {.item = NM_ITEM(nm_op, "relu", "max(x, 0)", .doc = "...")} */
#define NM_ITEM(type, name_, ...)                                                                  \
    {                                                                                              \
        .abi = NM_ABI, .size = sizeof(type), .name = (name_), .summary = __VA_ARGS__               \
    }

typedef enum nm_kind {
    NM_KIND_OP,
    NM_KIND_LAYER,
    NM_KIND_INITIALIZER,
    NM_KIND_LOSS,
    NM_KIND_OPTIMIZER,
    NM_KIND_SCHEDULE,
    NM_KIND_DATASET,
    NM_KIND_METRIC,
    NM_KIND_PART, /* of a network's file: `train`, `data`; its spec is what stands in it */
    NM_KIND_PROBE,
    NM_KIND_COUNT
} nm_kind;

NM_API const char *nm_kind_name(nm_kind kind); /* "op", "layer", ... */

/* Registers a descriptor. It is kept by pointer and must outlive the context. Fails with
 * NM_ERROR_INPUT on another ABI or size than the library has, a missing or ill-formed name, a
 * function that is missing without which the kind is of no use, or a name that is taken. */
NM_API nm_status nm_register(nm_context *context, nm_kind kind, const nm_item *item);

/* What each descriptor of a kind must have: its size, and functions that are not NULL. Kept by
 * pointer. The library's own. */
#define NM_KIND_NEEDS 3
typedef struct nm_kind_rule {
    size_t size;
    struct {
        const char *name; /* NULL ends the list */
        size_t offset;
    } needs[NM_KIND_NEEDS + 1];
} nm_kind_rule;
#define NM_KIND_NEED(type, member)                                                                 \
    {                                                                                              \
#member, offsetof(type, member)                                                            \
    }
void nm_kind_define(nm_context *context, nm_kind kind, const nm_kind_rule *rule);

/* Whether an item that a program chose is of that kind: nm_cosine() is no optimizer. One that
 * nobody registered may be. NM_ERROR_INPUT names both kinds. The library's own. */
nm_status nm_item_check(nm_context *context, nm_kind kind, const nm_item *item);

/* The item of that name, or NULL, without an error. */
NM_API const nm_item *nm_find(const nm_context *context, nm_kind kind, const char *name);
/* The same, but a missing name is an error that suggests the nearest one:
 * `unknown layer "conv2"; did you mean "conv2d"?` */
NM_API const nm_item *nm_require(nm_context *context, nm_kind kind, const char *name);
NM_API int nm_item_count(const nm_context *context, nm_kind kind);
NM_API const nm_item *nm_item_at(const nm_context *context, nm_kind kind, int index);

/* The item that a name was perhaps meant for that is none: one that others call so, or the nearest
 * if it is near enough to be a typing error. NULL: none. */
NM_API const nm_item *nm_find_meant(const nm_context *context, nm_kind kind, const char *name);
/* Whether `name` is among `words` (nm_item.also), whatever the case and underscores of both. */
NM_API bool nm_words_have(const char *words, const char *name);

/* The candidate nearest to `name` if it is near enough to be a typing error, else NULL. */
NM_API const char *nm_nearest(const char *name, const char *const *candidates, int count);

/* ---- The map below them, for names that a program makes itself (parameters, ...). ---- */

typedef struct nm_map nm_map;

NM_API nm_map *nm_map_create(nm_context *context);
NM_API void nm_map_destroy(nm_map *map); /* values are the caller's */
/* Adds a value at the end; the name is copied. Fails if it is taken. */
NM_API nm_status nm_map_add(nm_map *map, const char *name, void *value);
NM_API void *nm_map_find(const nm_map *map, const char *name); /* NULL if missing */
NM_API int nm_map_count(const nm_map *map);
NM_API void *nm_map_at(const nm_map *map, int index);
NM_API const char *nm_map_name_at(const nm_map *map, int index);
NM_API const char *nm_map_nearest(const nm_map *map, const char *name); /* NULL: none is near */

#ifdef __cplusplus
}
#endif
#endif
