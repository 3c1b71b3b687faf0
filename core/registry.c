#include "core/registry.h"

#include <ctype.h>
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"

/* ---- The map: entries in order, and an index of them by hash ---- */

typedef struct map_entry {
    char *name;
    void *value;
} map_entry;

struct nm_map {
    nm_context *context;
    map_entry *entries;
    int count, capacity;
    int *slots; /* 1 + index of an entry; 0: empty; a power of two, at most half full */
    int slot_count;
};

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    }
    return hash;
}

nm_map *nm_map_create(nm_context *context)
{
    nm_map *map = nm_alloc_zero(context, 1, sizeof *map);
    if (map) {
        map->context = context;
    }
    return map;
}

void nm_map_destroy(nm_map *map)
{
    if (!map) {
        return;
    }
    for (int i = 0; i < map->count; i++) {
        nm_free(map->context, map->entries[i].name);
    }
    nm_free(map->context, map->entries);
    nm_free(map->context, map->slots);
    nm_free(map->context, map);
}

/* The slot that holds the name, or the empty one where it belongs. */
static int *slot_of(const nm_map *map, const char *name)
{
    uint32_t mask = (uint32_t)map->slot_count - 1;
    for (uint32_t i = hash_of(name) & mask;; i = (i + 1) & mask) {
        int *slot = &map->slots[i];
        if (!*slot || !strcmp(map->entries[*slot - 1].name, name)) {
            return slot;
        }
    }
}

static nm_status map_grow(nm_map *map)
{
    int capacity = map->capacity ? 2 * map->capacity : 8;
    map_entry *entries =
        nm_resize(map->context, map->entries, (size_t)capacity * sizeof *map->entries);
    if (!entries) {
        return NM_ERROR_MEMORY;
    }
    map->entries = entries;
    int *slots = nm_alloc_zero(map->context, 2 * (size_t)capacity, sizeof *slots);
    if (!slots) {
        return NM_ERROR_MEMORY;
    }
    nm_free(map->context, map->slots);
    map->slots = slots;
    map->slot_count = 2 * capacity;
    map->capacity = capacity;
    for (int i = 0; i < map->count; i++) {
        *slot_of(map, entries[i].name) = i + 1;
    }
    return NM_OK;
}

nm_status nm_map_add(nm_map *map, const char *name, void *value)
{
    NM_GIVEN(map, NM_ERROR_INPUT);
    NM_REQUIRE(map->context, name, NM_ERROR_INPUT);
    if (nm_map_find(map, name)) {
        return nm_fail(map->context, NM_ERROR_INPUT, "the name \"%s\" is taken", name);
    }
    if (map->count == map->capacity && map_grow(map) != NM_OK) {
        return NM_ERROR_MEMORY;
    }
    char *copy = nm_copy_string(map->context, name);
    if (!copy) {
        return NM_ERROR_MEMORY;
    }
    *slot_of(map, name) = map->count + 1;
    map->entries[map->count++] = (map_entry){copy, value};
    return NM_OK;
}

void *nm_map_find(const nm_map *map, const char *name)
{
    NM_GIVEN(map && name, NULL);
    if (!map->slot_count) {
        return NULL;
    }
    int slot = *slot_of(map, name);
    return slot ? map->entries[slot - 1].value : NULL;
}

int nm_map_count(const nm_map *map)
{
    NM_GIVEN(map, 0);
    return map->count;
}

void *nm_map_at(const nm_map *map, int index)
{
    NM_GIVEN(map && index >= 0 && index < map->count, NULL);
    return map->entries[index].value;
}

const char *nm_map_name_at(const nm_map *map, int index)
{
    NM_GIVEN(map && index >= 0 && index < map->count, NULL);
    return map->entries[index].name;
}

/* ---- Suggestions ---- */

#define LONGEST_NAME 63

/* Edits (insert, delete, replace, swap neighbours) from a to b; large if a name is too long. */
static int distance_between(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > LONGEST_NAME || m > LONGEST_NAME) {
        return 1000;
    }
    int rows[3][LONGEST_NAME + 1];
    for (size_t j = 0; j <= m; j++) {
        rows[0][j] = (int)j;
    }
    for (size_t i = 1; i <= n; i++) {
        int *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int best = above[j - 1] + (a[i - 1] != b[j - 1]);
            best = above[j] + 1 < best ? above[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && two_above[j - 2] + 1 < best) {
                best = two_above[j - 2] + 1;
            }
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}

/* In small letters without what joins words: LeakyReLU and leaky_relu are one. */
static void make_plain(const char *name, char plain[LONGEST_NAME + 1])
{
    size_t length = 0;
    for (; *name && length < LONGEST_NAME; name++) {
        if (*name != '_' && *name != '-') {
            plain[length++] = (char)(*name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : *name);
        }
    }
    plain[length] = 0;
}

#define LEAST_BEGINNING 3 /* letters of a name that another one may begin with: MSELoss */

/* How far a name is from one that was perhaps meant. */
static int distance_to(const char *name, const char *candidate)
{
    char plain[LONGEST_NAME + 1], meant[LONGEST_NAME + 1];
    make_plain(name, plain);
    make_plain(candidate, meant);
    const size_t length = strlen(meant);
    int distance = distance_between(name, candidate), plainly = distance_between(plain, meant);
    distance = plainly < distance ? plainly : distance;
    const bool begins = length >= LEAST_BEGINNING && strncmp(plain, meant, length) == 0;
    return begins && distance > 2 ? 2 : distance;
}

/* Remembers the candidate if it is the nearest so far and near enough. */
static void consider(const char *name, const char *candidate, const char **best, int *best_distance)
{
    size_t length = strlen(name);
    int allowed = length <= 2 ? 1 : length <= 5 ? 2 : 3;
    int distance = distance_to(name, candidate);
    if (distance <= allowed && distance < (int)strlen(candidate) && distance < *best_distance) {
        *best = candidate;
        *best_distance = distance;
    }
}

const char *nm_nearest(const char *name, const char *const *candidates, int count)
{
    NM_GIVEN(name && (candidates || count <= 0), NULL);
    const char *best = NULL;
    int distance = 1000;
    for (int i = 0; i < count; i++) {
        consider(name, candidates[i], &best, &distance);
    }
    return best;
}

const char *nm_map_nearest(const nm_map *map, const char *name)
{
    NM_GIVEN(map && name, NULL);
    const char *best = NULL;
    int distance = 1000;
    for (int i = 0; i < map->count; i++) {
        consider(name, map->entries[i].name, &best, &distance);
    }
    return best;
}

/* ---- The context's registries ---- */

const char *nm_kind_name(nm_kind kind)
{
    static const char *const names[NM_KIND_COUNT] = {"op",       "layer",     "initializer",
                                                     "loss",     "optimizer", "schedule",
                                                     "data set", "metric",    "part"};
    return (unsigned)kind < NM_KIND_COUNT ? names[kind] : "item of no kind";
}

static bool has_kind(const nm_context *context, nm_kind kind)
{
    return context && (unsigned)kind < NM_KIND_COUNT;
}

static bool is_name(const char *name)
{
    if (!name || !islower((unsigned char)*name)) {
        return false;
    }
    for (; *name; name++) {
        if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && *name != '_') {
            return false;
        }
    }
    return true;
}

nm_status nm_register(nm_context *context, nm_kind kind, const nm_item *item)
{
    NM_REQUIRE(context, item, NM_ERROR_INPUT);
    NM_REQUIRE(context, has_kind(context, kind), NM_ERROR_INPUT);
    if (item->abi != NM_ABI) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "this %s was built for ABI %u of Norma, the library has ABI %u; rebuild it",
                       nm_kind_name(kind), item->abi, (unsigned)NM_ABI);
    }
    if (item->size < sizeof(nm_item) || !is_name(item->name) || !item->summary) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "cannot register the %s \"%s\": it needs its size, a summary and a name of "
                       "small letters, digits and underscores",
                       nm_kind_name(kind), item->name ? item->name : "");
    }
    if (nm_map_find(context->kinds[kind], item->name)) {
        return nm_fail(context, NM_ERROR_INPUT, "the %s \"%s\" is registered already",
                       nm_kind_name(kind), item->name);
    }
    /* The map holds mutable pointers; items go in and come out as const. */
    return nm_map_add(context->kinds[kind], item->name, (void *)(uintptr_t)item);
}

const nm_item *nm_find(const nm_context *context, nm_kind kind, const char *name)
{
    return has_kind(context, kind) ? nm_map_find(context->kinds[kind], name) : NULL;
}

const nm_item *nm_require(nm_context *context, nm_kind kind, const char *name)
{
    NM_REQUIRE(context, name, NULL);
    NM_REQUIRE(context, has_kind(context, kind), NULL);
    const nm_item *item = nm_find(context, kind, name);
    if (!item) {
        const char *near = nm_map_nearest(context->kinds[kind], name);
        if (near) {
            nm_fail(context, NM_ERROR_INPUT, "unknown %s \"%s\"; did you mean \"%s\"?",
                    nm_kind_name(kind), name, near);
        } else {
            nm_fail(context, NM_ERROR_INPUT, "unknown %s \"%s\"", nm_kind_name(kind), name);
        }
    }
    return item;
}

int nm_item_count(const nm_context *context, nm_kind kind)
{
    return has_kind(context, kind) ? nm_map_count(context->kinds[kind]) : 0;
}

const nm_item *nm_item_at(const nm_context *context, nm_kind kind, int index)
{
    return has_kind(context, kind) ? nm_map_at(context->kinds[kind], index) : NULL;
}
