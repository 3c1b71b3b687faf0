#include "core/registry.h"

#include <ctype.h>
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"
#include "core/plugin.h"

/* ---- The map: entries in order, and an index of them by hash ---- */

typedef struct map_entry {
    char *name;
    void *value;          /* of one map, all are this, */
    const void *constant; /* or all are that */
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

static int find_entry(const nm_map *map, const char *name)
{
    return map->slot_count ? *slot_of(map, name) - 1 : -1;
}

static nm_status add_entry(nm_map *map, const char *name, void *value, const void *constant)
{
    if (find_entry(map, name) >= 0) {
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
    map->entries[map->count++] = (map_entry){copy, value, constant};
    return NM_OK;
}

nm_status nm_map_add(nm_map *map, const char *name, void *value)
{
    NM_GIVEN(map, NM_ERROR_INPUT);
    NM_REQUIRE(map->context, name, NM_ERROR_INPUT);
    return add_entry(map, name, value, NULL);
}

const char *nm_map_intern(nm_map *map, const char *name)
{
    const int entry = find_entry(map, name);
    if (entry < 0 && add_entry(map, name, NULL, NULL) != NM_OK) {
        return NULL;
    }
    return map->entries[entry < 0 ? map->count - 1 : entry].name;
}

void *nm_map_find(const nm_map *map, const char *name)
{
    NM_GIVEN(map && name, NULL);
    const int entry = find_entry(map, name);
    return entry >= 0 ? map->entries[entry].value : NULL;
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

/* Takes back the entries behind the first `count`. */
static void map_rewind(nm_map *map, int count)
{
    if (map->count <= count) {
        return;
    }
    memset(map->slots, 0, (size_t)map->slot_count * sizeof *map->slots);
    while (map->count > count) {
        nm_free(map->context, map->entries[--map->count].name);
    }
    for (int i = 0; i < count; i++) {
        *slot_of(map, map->entries[i].name) = i + 1;
    }
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

#define LEAST_BEGINNING 3 /* letters of a name that another one may begin with: MSELoss, acc */

static bool begins_with(const char *name, const char *beginning)
{
    const size_t length = strlen(beginning);
    return length >= LEAST_BEGINNING && strncmp(name, beginning, length) == 0;
}

static int most_allowed(const char *name)
{
    const size_t length = strlen(name);
    return length <= 4 ? 1 : length <= 5 ? 2 : 3;
}

/* How far a name is from one that was perhaps meant. */
static int distance_to(const char *name, const char *candidate)
{
    char plain[LONGEST_NAME + 1], meant[LONGEST_NAME + 1];
    make_plain(name, plain);
    make_plain(candidate, meant);
    int distance = distance_between(name, candidate), plainly = distance_between(plain, meant);
    distance = plainly < distance ? plainly : distance;
    const bool begins = begins_with(plain, meant) || begins_with(meant, plain);
    const int most = most_allowed(name) < 2 ? 1 : 2;
    return begins && distance > most ? most : distance;
}

/* Remembers the candidate if it is the nearest so far and near enough. */
static bool consider(const char *name, const char *candidate, int *best_distance)
{
    int distance = distance_to(name, candidate);
    if (distance <= most_allowed(name) && distance < (int)strlen(candidate) &&
        distance < *best_distance) {
        *best_distance = distance;
        return true;
    }
    return false;
}

const char *nm_nearest(const char *name, const char *const *candidates, int count)
{
    NM_GIVEN(name && (candidates || count <= 0), NULL);
    const char *best = NULL;
    int distance = 1000;
    for (int i = 0; i < count; i++) {
        best = consider(name, candidates[i], &distance) ? candidates[i] : best;
    }
    return best;
}

const char *nm_map_nearest(const nm_map *map, const char *name)
{
    NM_GIVEN(map && name, NULL);
    const char *best = NULL;
    int distance = 1000;
    for (int i = 0; i < map->count; i++) {
        const char *candidate = map->entries[i].name;
        best = consider(name, candidate, &distance) ? candidate : best;
    }
    return best;
}

/* Copies the next of some words, cut to LONGEST_NAME, and returns what is behind it; NULL: none is
 * left. `words` may be NULL. */
static const char *next_word(const char *words, char word[LONGEST_NAME + 1])
{
    if (!words || !*(words += strspn(words, " "))) {
        return NULL;
    }
    const size_t length = strcspn(words, " "), kept = length < LONGEST_NAME ? length : LONGEST_NAME;
    memcpy(word, words, kept);
    word[kept] = 0;
    return words + length;
}

bool nm_words_have(const char *words, const char *name)
{
    NM_GIVEN(name, false);
    char word[LONGEST_NAME + 1], plain[LONGEST_NAME + 1], meant[LONGEST_NAME + 1];
    make_plain(name, plain);
    while ((words = next_word(words, word))) {
        make_plain(word, meant);
        if (strcmp(plain, meant) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- The context's registries ---- */

const char *nm_kind_name(nm_kind kind)
{
    static const char *const names[NM_KIND_COUNT] = {
        "op",       "layer",    "initializer", "loss", "optimizer",
        "schedule", "data set", "metric",      "part", "probe"};
    return (unsigned)kind < NM_KIND_COUNT ? names[kind] : "item of no kind";
}

static bool has_kind(const nm_context *context, nm_kind kind)
{
    return context && (unsigned)kind < NM_KIND_COUNT;
}

static nm_status refuse_kind(nm_context *context, nm_kind kind)
{
    return nm_fail(context, NM_ERROR_INPUT, "%d is no nm_kind", (int)kind);
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

static bool has_item(const nm_context *context, const nm_plugin *plugin, const nm_item *item)
{
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        for (int i = plugin->first[kind]; i < plugin->end[kind]; i++) {
            if (nm_item_at(context, (nm_kind)kind, i) == item) {
                return true;
            }
        }
    }
    return false;
}

const nm_plugin *nm_plugin_first(const nm_context *context)
{
    return context->plugins;
}

const nm_plugin *nm_plugin_of(const nm_context *context, const nm_item *item)
{
    NM_GIVEN(context, NULL);
    const nm_plugin *plugin = context->plugins;
    while (plugin && !has_item(context, plugin, item)) {
        plugin = plugin->next;
    }
    return plugin;
}

nm_status nm_plugin_blame(nm_context *context, const nm_item *item)
{
    const nm_plugin *plugin = nm_plugin_of(context, item);
    const bool told = strncmp(context->error, "plugin ", strlen("plugin ")) == 0;
    return plugin && !told ? nm_fail_in(context, "plugin %s", plugin->name) : context->status;
}

void nm_registry_rewind(nm_context *context, const int counts[NM_KIND_COUNT])
{
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        map_rewind(context->kinds[kind], counts[kind]);
    }
}

static nm_status refuse_name(nm_context *context, nm_kind kind, const nm_item *taken)
{
    const nm_plugin *plugin = nm_plugin_of(context, taken);
    return nm_fail(context, NM_ERROR_INPUT, "the %s \"%s\" is registered already%s%s%s",
                   nm_kind_name(kind), taken->name, plugin ? ", by the plugin " : "",
                   plugin ? plugin->path : "", plugin ? "; load one of the two" : "");
}

void nm_kind_define(nm_context *context, nm_kind kind, const nm_kind_rule *rule)
{
    context->rules[kind] = rule;
}

/* What the kind needs and the descriptor has not; NULL: nothing. */
static const char *find_missing(const nm_kind_rule *rule, const nm_item *item)
{
    for (int i = 0; rule->needs[i].name; i++) {
        void (*function)(void);
        memcpy(&function, (const char *)item + rule->needs[i].offset, sizeof function);
        if (!function) {
            return rule->needs[i].name;
        }
    }
    return NULL;
}

static nm_status check_rule(nm_context *context, nm_kind kind, const nm_item *item)
{
    const nm_kind_rule *rule = context->rules[kind];
    if (rule && item->size != rule->size) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "the descriptor of the %s \"%s\" has %u bytes, the library's %zu; rebuild "
                       "it, or register it as what it is",
                       nm_kind_name(kind), item->name, item->size, rule->size);
    }
    const char *missing = rule ? find_missing(rule, item) : NULL;
    return missing ? nm_fail(context, NM_ERROR_INPUT, "cannot register the %s \"%s\": it has no %s",
                             nm_kind_name(kind), item->name, missing)
                   : NM_OK;
}

nm_status nm_register(nm_context *context, nm_kind kind, const nm_item *item)
{
    NM_REQUIRE(context, item, NM_ERROR_INPUT);
    if (!has_kind(context, kind)) {
        return refuse_kind(context, kind);
    }
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
    const nm_item *taken = nm_find(context, kind, item->name);
    if (taken) {
        return refuse_name(context, kind, taken);
    }
    if (check_rule(context, kind, item) != NM_OK) {
        return context->status;
    }
    return add_entry(context->kinds[kind], item->name, NULL, item);
}

/* The other kind that the item is registered as; -1: none. */
static int kind_of_other(const nm_context *context, nm_kind kind, const nm_item *item)
{
    for (int other = 0; other < NM_KIND_COUNT; other++) {
        if (other != (int)kind && nm_find(context, (nm_kind)other, item->name) == item) {
            return other;
        }
    }
    return -1;
}

nm_status nm_item_check(nm_context *context, nm_kind kind, const nm_item *item)
{
    NM_REQUIRE(context, item, NM_ERROR_INPUT);
    const nm_item *known = nm_item_at(context, kind, 0);
    const int other = item->name ? kind_of_other(context, kind, item) : -1;
    if (other < 0 && item->abi == NM_ABI && item->name && (!known || known->size == item->size)) {
        return NM_OK;
    }
    return nm_fail(context, NM_ERROR_INPUT, "\"%s\" is %s%s, where a choice of kind %s is wanted",
                   item->name ? item->name : "", other < 0 ? "something else" : "of kind ",
                   other < 0 ? "" : nm_kind_name((nm_kind)other), nm_kind_name(kind));
}

const nm_item *nm_find(const nm_context *context, nm_kind kind, const char *name)
{
    const nm_map *map = name && has_kind(context, kind) ? context->kinds[kind] : NULL;
    const int entry = map ? find_entry(map, name) : -1;
    return entry >= 0 ? map->entries[entry].constant : NULL;
}

static bool consider_item(const char *name, const nm_item *item, int *distance)
{
    char word[LONGEST_NAME + 1];
    bool nearer = consider(name, item->name, distance);
    for (const char *words = item->also; (words = next_word(words, word));) {
        nearer |= strlen(word) > 3 && consider(name, word, distance); /* auc is not acc */
    }
    return nearer;
}

const nm_item *nm_find_meant(const nm_context *context, nm_kind kind, const char *name)
{
    NM_GIVEN(name, NULL);
    const nm_item *best = NULL;
    int distance = 1000;
    NM_GIVEN(name, NULL);
    for (int i = 0; i < nm_item_count(context, kind); i++) {
        const nm_item *item = nm_item_at(context, kind, i);
        if (nm_words_have(item->also, name)) {
            return item;
        }
        best = consider_item(name, item, &distance) ? item : best;
    }
    return best;
}

const nm_item *nm_require(nm_context *context, nm_kind kind, const char *name)
{
    NM_REQUIRE(context, name, NULL);
    if (!has_kind(context, kind)) {
        refuse_kind(context, kind);
        return NULL;
    }
    const nm_item *item = nm_find(context, kind, name);
    if (!item) {
        const nm_item *meant = nm_find_meant(context, kind, name);
        if (meant) {
            nm_fail(context, NM_ERROR_INPUT, "unknown %s \"%s\"; did you mean \"%s\"?",
                    nm_kind_name(kind), name, meant->name);
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
    const nm_map *map = has_kind(context, kind) ? context->kinds[kind] : NULL;
    return map && index >= 0 && index < map->count ? map->entries[index].constant : NULL;
}
