/* All options of all that is registered, for help: from any of their names to what they are. */
#include "models/command/options.h"

#include <stdio.h>
#include <string.h>

#include "models/command/command.h"

/* ---- Walking ---- */

const nm_item *part_of_spec(const nm_context *context, const nm_spec *spec)
{
    for (int i = 0; spec && i < nm_item_count(context, NM_KIND_PART); i++) {
        const nm_item *part = nm_item_at(context, NM_KIND_PART, i);
        if (part->spec == spec) {
            return part;
        }
    }
    return NULL;
}

typedef struct walk {
    const nm_context *context;
    option_fn call;
    void *user;
    option_place place;
} walk;

static void walk_spec(walk *w, const nm_spec *spec, size_t length)
{
    for (int i = 0; spec && i < spec->count; i++) {
        const nm_option *o = &spec->options[i];
        int written = snprintf(w->place.path + length, sizeof w->place.path - length, "%s%s",
                               length ? "." : "", o->name);
        w->place.spec = spec;
        w->place.option = o;
        w->call(w->user, &w->place);
        if (written > 0 && length + (size_t)written < sizeof w->place.path &&
            !part_of_spec(w->context, o->spec)) {
            walk_spec(w, o->spec, length + (size_t)written);
        }
    }
}

void each_option(const nm_context *context, option_fn call, void *user)
{
    walk w = {.context = context, .call = call, .user = user};
    for (int n = 0; n < NM_KIND_COUNT; n++) {
        const nm_kind kind = kinds_in_order[n];
        for (int i = 0; i < nm_item_count(context, kind); i++) {
            w.place.kind = kind;
            w.place.item = nm_item_at(context, kind, i);
            walk_spec(&w, w.place.item->spec, 0);
        }
    }
}

/* ---- Finding ---- */

/* Whether `path` is `name`, or ends in it behind a dot. */
static bool ends_in(const char *path, const char *name)
{
    size_t length = strlen(path), end = strlen(name);
    return length >= end && strcmp(path + length - end, name) == 0 &&
           (length == end || path[length - end - 1] == '.');
}

/* By its name alone, by a longer path to it, by a path in a file, such as --set takes, or by what
 * others call it. */
static bool is_called(const option_place *place, const char *name)
{
    char full[sizeof place->path + 128];
    snprintf(full, sizeof full, "%s.%s", place->item->name, place->path);
    return ends_in(full, name) || ends_in(name, full) || nm_words_have(place->option->also, name);
}

typedef struct search {
    const char *name;
    option_list *list;
} search;

static void look_at(void *user, const option_place *place)
{
    search *s = user;
    if (s->list->count < MOST_PLACES && is_called(place, s->name)) {
        s->list->place[s->list->count++] = *place;
    }
}

void find_options(const nm_context *context, const char *name, option_list *list)
{
    list->count = 0;
    each_option(context, look_at, &(search){name, list});
}

/* ---- In words ---- */

#define MOST_CHOICES 40 /* named one by one */

/* "data set (idx, npy, csv)" */
static void add_choices(const nm_context *context, nm_kind kind, char text[OPTION_TEXT])
{
    snprintf(text, OPTION_TEXT, "%s", nm_kind_name(kind));
    if (nm_item_count(context, kind) > MOST_CHOICES) {
        snprintf(text, OPTION_TEXT, "one of the %ss", nm_kind_name(kind));
        return;
    }
    for (int i = 0; i < nm_item_count(context, kind); i++) {
        size_t at = strlen(text);
        snprintf(text + at, OPTION_TEXT - at, "%s%s", i ? ", " : " (",
                 nm_item_at(context, kind, i)->name);
    }
    snprintf(text + strlen(text), OPTION_TEXT - strlen(text), ")");
}

static void add_type(nm_context *context, const nm_option *o, char text[OPTION_TEXT])
{
    if (o->type == NM_OPTION_CHOICE) {
        add_choices(context, o->kind, text);
        return;
    }
    char *type = o->type == NM_OPTION_STRUCT ? NULL : nm_option_type_text(context, o);
    snprintf(text, OPTION_TEXT, "%s%s", type ? type : "a map",
             o->spec ? " of the options below" : "");
    nm_free(context, type);
}

void describe_option(nm_context *context, const nm_spec *spec, const nm_option *o,
                     char text[OPTION_TEXT])
{
    const bool required = o->flags & NM_REQUIRED;
    char *standard = required ? NULL : nm_option_default_text(context, spec, o);
    char *range = nm_option_range_text(context, o);
    const char *const parts[][2] = {{", required", required ? "" : NULL},
                                    {", default ", standard && *standard ? standard : NULL},
                                    {", ", range && *range ? range : NULL}};
    add_type(context, o, text);
    for (int i = 0; i < NM_COUNT_OF(parts); i++) {
        size_t at = strlen(text);
        if (parts[i][1]) {
            snprintf(text + at, OPTION_TEXT - at, "%s%s", parts[i][0], parts[i][1]);
        }
    }
    nm_free(context, standard);
    nm_free(context, range);
}

/* ---- Names ---- */

typedef struct name_list {
    const char **names;
    int count;
} name_list;

static void add_name(name_list *list, const char *name)
{
    for (int i = 0; i < list->count; i++) {
        if (strcmp(list->names[i], name) == 0) {
            return;
        }
    }
    if (list->count < MOST_NAMES) {
        list->names[list->count++] = name;
    }
}

static void add_option_name(void *list, const option_place *place)
{
    add_name(list, place->option->name);
}

int help_names(const nm_context *context, const command *const *commands,
               const char *names[MOST_NAMES])
{
    name_list list = {.names = names};
    for (int i = 0; commands[i]; i++) {
        add_name(&list, commands[i]->name);
    }
    for (int kind = 0; kind < NM_KIND_COUNT; kind++) {
        for (int i = 0; i < nm_item_count(context, (nm_kind)kind); i++) {
            add_name(&list, nm_item_at(context, (nm_kind)kind, i)->name);
        }
    }
    each_option(context, add_option_name, &list);
    return list.count;
}
