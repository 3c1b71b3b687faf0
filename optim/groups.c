#include "optim/groups.h"

#include <fnmatch.h>
#include <string.h>

#include "core/guard.h"

/* ---- Options ---- */

static const nm_named_value rate_words[] = {{"unchanged", NM_UNCHANGED}, {NULL, 0}};
static const nm_named_value decay_words[] = {
    {"default", NM_DEFAULT_DECAY}, {"unchanged", NM_UNCHANGED}, {NULL, 0}};
static const char *const frozen_words[] = {"false", "true", "unchanged", NULL};

static const nm_group defaults = {NM_GROUP_DEFAULTS};
static const nm_option rows[] = {
    {NM_FIELD(nm_group, match), NM_OPTION_STRING, .flags = NM_REQUIRED,
     .doc = "names of parameters, as a shell pattern such as \"conv*.weight\""},
    {NM_FIELD(nm_group, rate), NM_OPTION_FLOAT, .max = NM_NO_LIMIT, .named = rate_words,
     .doc = "factor on the learning rate; unchanged: as the groups before left it"},
    {NM_FIELD(nm_group, weight_decay), NM_OPTION_FLOAT, .max = NM_NO_LIMIT, .named = decay_words,
     .doc = "of all that match, biases too; default: as the optimizer has it"},
    {NM_FIELD(nm_group, frozen), NM_OPTION_ENUM, .names = frozen_words,
     .doc = "do not train them; running statistics that match stay as they are, as do those of a "
            "layer whose parameters are all frozen unless a group matches them with frozen: false"},
};
const nm_spec nm_group_spec = {.name = "nm_group",
                               .size = sizeof(nm_group),
                               .defaults = &defaults,
                               .options = rows,
                               .count = NM_COUNT_OF(rows)};

nm_group *nm_groups_read(const nm_value *list, nm_diagnostics *d, int *count)
{
    NM_GIVEN(d, NULL);
    NM_REQUIRE(d->context, count, NULL);
    *count = 0;
    if (!list || nm_value_is_null(list)) {
        return NULL;
    }
    if (list->kind != NM_VALUE_LIST) {
        nm_diagnose(d, list, "groups: expected a list such as [{match: \"*.bias\", rate: 2}]");
        return NULL;
    }
    int errors = d->count;
    nm_group *groups = nm_alloc_zero(d->context, (size_t)list->count, sizeof *groups);
    for (int i = 0; groups && i < list->count; i++) {
        /* Without a document: a group has no choices, whose options would live there. */
        nm_spec_read(&nm_group_spec, list->items[i], "group", NULL, d, &groups[i]);
        groups[i].at = list->items[i];
    }
    if (d->count > errors) {
        nm_free(d->context, groups);
        return NULL;
    }
    *count = groups ? list->count : 0;
    return groups;
}

/* ---- What is wrong with a group ---- */

#define MOST_NAMES 64 /* considered for a suggestion */

/* Where its pattern stands. */
static const nm_value *place_of(const nm_group *group)
{
    const nm_value *match = group->at ? nm_value_get(group->at, "match") : NULL;
    return match ? match : group->at;
}

static void no_match(const nm_store *store, const nm_group *group, nm_diagnostics *d)
{
    const char *names[MOST_NAMES] = {""};
    int count = 0;
    for (int i = 0; i < nm_store_count(store) && count < MOST_NAMES; i++) {
        names[count++] = nm_store_at(store, i)->name;
    }
    const char *near = nm_nearest(group->match, names, count);
    nm_diagnose(d, place_of(group), "group \"%s\" matches no parameter; %s \"%s\"%s", group->match,
                near ? "did you mean" : "they have names such as", near ? near : names[0],
                near ? "?" : "");
}

/* Running statistics have neither a rate nor a decay: whoever matches nothing else was mistaken. */
static void only_buffers(const nm_group *group, nm_diagnostics *d)
{
    nm_diagnose(d, place_of(group),
                "group \"%s\" matches running statistics only, of which nothing but \"frozen\" can "
                "be said; add \"frozen\", or match parameters",
                group->match);
}

static void check_group(const nm_store *store, const nm_group *group, nm_diagnostics *d)
{
    int parameters = 0, buffers = 0;
    nm_context *context = nm_store_context(store);
    if (nm_spec_check(context, &nm_group_spec, "group", group) != NM_OK) {
        nm_diagnose_standing(d, group->at);
        return;
    }
    for (int i = 0; i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        if (fnmatch(group->match, entry->name, 0) == 0) {
            *(entry->role == NM_PARAMETER ? &parameters : &buffers) += 1;
        }
    }
    if (!parameters && !buffers) {
        no_match(store, group, d);
    } else if (!parameters && group->frozen == NM_FROZEN_UNCHANGED) {
        only_buffers(group, d);
    }
}

void nm_groups_check(const nm_store *store, const nm_group *groups, int count, nm_diagnostics *d)
{
    NM_GIVEN(nm_context_status(nm_store_context(store)) == NM_OK, );
    NM_REQUIRE(nm_store_context(store), groups || count <= 0, );
    NM_REQUIRE(nm_store_context(store), d, );
    for (int i = 0; i < count; i++) {
        check_group(store, &groups[i], d);
    }
}

/* ---- Applying them ---- */

/* What groups say of an entry, beside its settings. */
typedef struct verdict {
    int frozen;   /* nm_frozen */
    size_t layer; /* how much of its name is that of the layer: "bn1" of "bn1.running_mean" */
} verdict;

static void change(const nm_group *group, nm_setting *setting, verdict *v)
{
    setting->rate = group->rate == NM_UNCHANGED ? setting->rate : group->rate;
    setting->weight_decay =
        group->weight_decay == NM_UNCHANGED ? setting->weight_decay : group->weight_decay;
    v->frozen = group->frozen == NM_FROZEN_UNCHANGED ? v->frozen : group->frozen;
}

static void judge(const nm_entry *entry, const nm_group *groups, int count, nm_setting *setting,
                  verdict *v)
{
    const char *dot = strrchr(entry->name, '.');
    *setting = (nm_setting){.rate = 1, .weight_decay = NM_DEFAULT_DECAY};
    *v = (verdict){NM_FROZEN_UNCHANGED, dot ? (size_t)(dot - entry->name) : 0};
    for (int i = 0; i < count; i++) {
        if (fnmatch(groups[i].match, entry->name, 0) == 0) {
            change(&groups[i], setting, v);
        }
    }
}

/* Whether the layer of entry `index` has parameters, and all of them are frozen. */
static bool is_layer_frozen(const nm_store *store, const verdict *verdicts, int index)
{
    int parameters = 0;
    const size_t layer = verdicts[index].layer;
    const char *name = nm_store_at(store, index)->name;
    for (int i = 0; i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        if (verdicts[i].layer == layer && entry->role == NM_PARAMETER &&
            strncmp(entry->name, name, layer) == 0) {
            if (entry->trainable) {
                return false;
            }
            parameters++;
        }
    }
    return parameters > 0;
}

/* Parameters first: buffers of which nothing is said go with them. */
static void freeze(nm_store *store, const verdict *verdicts)
{
    bool some = false;
    for (int i = 0; i < nm_store_count(store); i++) {
        if (verdicts[i].frozen != NM_FROZEN_UNCHANGED) {
            nm_store_set_trainable_at(store, i, verdicts[i].frozen == NM_FROZEN_NOT);
            some = true;
        }
    }
    for (int i = 0; i < nm_store_count(store) && some; i++) {
        if (nm_store_at(store, i)->role == NM_BUFFER && verdicts[i].frozen == NM_FROZEN_UNCHANGED &&
            is_layer_frozen(store, verdicts, i)) {
            nm_store_set_trainable_at(store, i, false);
        }
    }
}

nm_status nm_groups_apply(nm_store *store, const nm_group *groups, int count, nm_setting *settings)
{
    NM_UNLESS_FAILED(nm_store_context(store));
    NM_REQUIRE(nm_store_context(store), groups || count <= 0, NM_ERROR_INPUT);
    NM_REQUIRE(nm_store_context(store), settings, NM_ERROR_INPUT);
    nm_context *context = nm_store_context(store);
    const int entries = nm_store_count(store);
    nm_diagnostics d;
    nm_diagnostics_begin(&d, context);
    nm_groups_check(store, groups, count, &d);
    verdict *verdicts = nm_diagnostics_end(&d) == NM_OK
                            ? nm_alloc_zero(context, (size_t)entries, sizeof *verdicts)
                            : NULL;
    for (int i = 0; verdicts && i < entries; i++) {
        judge(nm_store_at(store, i), groups, count, &settings[i], &verdicts[i]);
    }
    if (verdicts) {
        freeze(store, verdicts);
    }
    nm_free(context, verdicts);
    return nm_context_status(context);
}
