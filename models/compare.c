#include "models/compare.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/guard.h"
#include "core/path.h"
#include "core/text.h"
#include "core/value_internal.h"
#include "core/values/edit.h"
#include "models/layer.h"
#include "models/parts.h"
#include "optim/data/data.h"
#include "optim/trainer.h"

#define LONGEST_PATH 256
#define SHOWN 200 /* bytes of a value */

/* One side; the other is the same with 1 for 0. */
enum { BEFORE, NOW, SIDES };

typedef struct comparison {
    nm_context *context;
    nm_document *document[SIDES];
    nm_diagnostics d;
    nm_difference_fn tell;
    void *user;
} comparison;

static void compare_specs(comparison *c, const nm_spec *spec, const char *path,
                          const void *const options[SIDES]);
static void compare_layers(comparison *c, const char *path, const nm_value *const lists[SIDES]);

/* ---- Telling ---- */

/* Takes the texts; NULL: there is no memory for one. */
static void tell(comparison *c, const char *path, char *before, char *now, bool is_path)
{
    char *texts[SIDES] = {before, now};
    for (int i = 0; i < SIDES; i++) {
        if (texts[i] && strlen(texts[i]) > SHOWN) {
            strcpy(texts[i] + SHOWN - 4, "...");
        }
    }
    if (before && now) {
        c->tell(c->user, &(nm_difference){path, before, now, is_path});
    }
    nm_free(c->context, before);
    nm_free(c->context, now);
}

static char *text_of_value(comparison *c, const nm_value *value)
{
    nm_text text = {.context = c->context};
    if (value) {
        nm_text_add_value(&text, value);
    } else {
        nm_text_add(&text, "none");
    }
    return nm_text_end(&text);
}

static void tell_values(comparison *c, const char *path, const nm_value *before,
                        const nm_value *now)
{
    tell(c, path, text_of_value(c, before), text_of_value(c, now), false);
}

static void add_part(char path[LONGEST_PATH], const char *before, const char *name)
{
    snprintf(path, LONGEST_PATH, "%.*s%s%s", LONGEST_PATH / 2, before, *before ? "." : "", name);
}

/* ---- Choices ---- */

static const char *name_of(const nm_choice *choice)
{
    return choice->item ? choice->item->name : "none";
}

static void compare_choices(comparison *c, const char *path, const nm_choice *const choices[SIDES])
{
    const nm_choice *before = choices[BEFORE], *now = choices[NOW];
    char deeper[LONGEST_PATH];
    if (before->item != now->item) {
        tell(c, path, nm_copy_string(c->context, name_of(before)),
             nm_copy_string(c->context, name_of(now)), false);
    } else if (before->item && before->item->spec) {
        add_part(deeper, path, before->item->name);
        compare_specs(
            c, before->item->spec, deeper,
            (const void *const[SIDES]){nm_choice_options(before), nm_choice_options(now)});
    }
}

static void compare_lists(comparison *c, const nm_option *option, const char *path,
                          const void *const options[SIDES])
{
    const nm_choices *before = nm_option_field(option, options[BEFORE]);
    const nm_choices *now = nm_option_field(option, options[NOW]);
    char deeper[LONGEST_PATH], index[16];
    if (before->count != now->count) {
        tell(c, path, nm_option_value_text(c->context, option, options[BEFORE]),
             nm_option_value_text(c->context, option, options[NOW]), false);
        return;
    }
    for (int i = 0; i < now->count; i++) {
        snprintf(index, sizeof index, "%d", i);
        add_part(deeper, path, index);
        compare_choices(c, now->count == 1 ? path : deeper,
                        (const nm_choice *const[SIDES]){&before->at[i], &now->at[i]});
    }
}

/* ---- Options ---- */

static bool same_texts(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_numbers(const nm_numbers *a, const nm_numbers *b)
{
    bool same = a->word == b->word && a->count == b->count;
    for (int64_t i = 0; same && i < a->count; i++) {
        same = a->at[i] == b->at[i];
    }
    return same;
}

static bool same_lists(const nm_strings *a, const nm_strings *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++) {
        same = same_texts(a->at[i], b->at[i]);
    }
    return same;
}

static void compare_values(comparison *c, const nm_option *option, const char *path,
                           const nm_value *before, const nm_value *now)
{
    before = nm_value_is_null(before) ? NULL : before;
    now = nm_value_is_null(now) ? NULL : now;
    if (option->names == nm_layer_list && before && now) {
        compare_layers(c, path, (const nm_value *const[SIDES]){before, now});
    } else if (before && now ? !nm_value_equal(before, now) : before != now) {
        tell_values(c, path, before, now);
    }
}

/* Written otherwise, since it is written in another folder. */
static bool is_same_file(const char *before, const char *now)
{
    struct stat a, b;
    return before && now && stat(before, &a) == 0 && stat(now, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static bool is_same_path(const nm_option *option, const void *const options[SIDES])
{
    return option->type == NM_OPTION_STRING && option->flags & NM_PATH &&
           is_same_file(*(const char *const *)nm_option_field(option, options[BEFORE]),
                        *(const char *const *)nm_option_field(option, options[NOW]));
}

/* A path from the current folder, if it leads somewhere and is no longer so. */
static char *text_of_path(comparison *c, const char *path)
{
    if (!path) {
        return nm_copy_string(c->context, "none");
    }
    char *text = nm_path_from(c->context, ".", path);
    if (nm_context_status(c->context) == NM_ERROR_IO) {
        nm_context_clear_error(c->context);
    }
    if (text && strlen(text) <= strlen(path)) {
        return text;
    }
    nm_free(c->context, text);
    return nm_copy_string(c->context, path);
}

static char *text_of_option(comparison *c, const nm_option *option, const void *options)
{
    return option->type == NM_OPTION_STRING && option->flags & NM_PATH
               ? text_of_path(c, *(const char *const *)nm_option_field(option, options))
               : nm_option_value_text(c->context, option, options);
}

static bool is_same(const nm_option *option, const void *const options[SIDES])
{
    const void *before = nm_option_field(option, options[BEFORE]),
               *now = nm_option_field(option, options[NOW]);
    switch (option->type) {
    case NM_OPTION_STRING:
        return same_texts(*(const char *const *)before, *(const char *const *)now);
    case NM_OPTION_STRINGS: return same_lists(before, now);
    case NM_OPTION_NUMBERS: return same_numbers(before, now);
    default: return nm_option_same(option, options[BEFORE], options[NOW]);
    }
}

static void compare_option(comparison *c, const nm_option *option, const char *path,
                           const void *const options[SIDES])
{
    const void *fields[SIDES] = {nm_option_field(option, options[BEFORE]),
                                 nm_option_field(option, options[NOW])};
    switch (option->type) {
    case NM_OPTION_STRUCT: compare_specs(c, option->spec, path, fields); break;
    case NM_OPTION_CHOICE:
        compare_choices(c, path, (const nm_choice *const[SIDES]){fields[BEFORE], fields[NOW]});
        break;
    case NM_OPTION_CHOICES: compare_lists(c, option, path, options); break;
    case NM_OPTION_VALUE:
        compare_values(c, option, path, *(const nm_value *const *)fields[BEFORE],
                       *(const nm_value *const *)fields[NOW]);
        break;
    default:
        if (!is_same(option, options) && !is_same_path(option, options)) {
            tell(c, path, text_of_option(c, option, options[BEFORE]),
                 text_of_option(c, option, options[NOW]), option->flags & NM_PATH);
        }
    }
}

static void compare_specs(comparison *c, const nm_spec *spec, const char *path,
                          const void *const options[SIDES])
{
    char deeper[LONGEST_PATH];
    for (int i = 0; i < spec->count; i++) {
        add_part(deeper, path, spec->options[i].name);
        compare_option(c, &spec->options[i], deeper, options);
    }
}

/* ---- Layers ---- */

static nm_choice read_choice(comparison *c, int side, nm_kind kind, const nm_value *value,
                             const char *what)
{
    nm_choice choice = {0};
    if (value) {
        nm_choice_read(kind, value, what, c->document[side], &c->d, &choice);
    }
    return choice;
}

static void compare_layer(comparison *c, const char *path, const nm_value *before,
                          const nm_value *now)
{
    int errors = c->d.count;
    nm_choice a = read_choice(c, BEFORE, NM_KIND_LAYER, before, "model");
    nm_choice b = read_choice(c, NOW, NM_KIND_LAYER, now, "model");
    if (c->d.count == errors && nm_context_status(c->context) == NM_OK) {
        compare_choices(c, path, (const nm_choice *const[SIDES]){&a, &b});
    }
}

/* From the first that differs on, most would. */
static void tell_first(comparison *c, const char *path, const nm_value *before, const nm_value *now)
{
    char deeper[LONGEST_PATH], index[16];
    int least = before->count < now->count ? before->count : now->count, i = 0;
    while (i < least && nm_value_equal(before->items[i], now->items[i])) {
        i++;
    }
    snprintf(index, sizeof index, "%d", i);
    add_part(deeper, path, index);
    tell_values(c, deeper, i < before->count ? before->items[i] : NULL,
                i < now->count ? now->items[i] : NULL);
}

static void compare_layers(comparison *c, const char *path, const nm_value *const lists[SIDES])
{
    const nm_value *before = lists[BEFORE], *now = lists[NOW];
    char deeper[LONGEST_PATH], index[16];
    if (before->kind != NM_VALUE_LIST || now->kind != NM_VALUE_LIST) {
        if (!nm_value_equal(before, now)) {
            tell_values(c, path, before, now);
        }
    } else if (before->count != now->count) {
        tell_first(c, path, before, now);
    } else {
        for (int i = 0; i < now->count; i++) {
            snprintf(index, sizeof index, "%d", i);
            add_part(deeper, path, index);
            compare_layer(c, deeper, before->items[i], now->items[i]);
        }
    }
}

/* ---- Parts ---- */

static const nm_value *part_of(const comparison *c, int side, const char *name)
{
    const nm_value *part = nm_value_get(nm_document_root(c->document[side]), name);
    return nm_value_is_null(part) ? NULL : part;
}

/* Both sides' options of a part, which may be missing. */
static void compare_part(comparison *c, const nm_spec *spec, const char *name)
{
    void *options[SIDES];
    const nm_value *parts[SIDES] = {part_of(c, BEFORE, name), part_of(c, NOW, name)};
    int errors = c->d.count;
    if (!parts[BEFORE] || !parts[NOW]) {
        compare_values(c, &(nm_option){0}, name, parts[BEFORE], parts[NOW]);
        return;
    }
    for (int i = 0; i < SIDES; i++) {
        options[i] = nm_alloc_zero(c->context, 1, spec->size);
        if (options[i]) {
            nm_spec_read(spec, parts[i], name, c->document[i], &c->d, options[i]);
        }
    }
    if (options[BEFORE] && options[NOW] && c->d.count == errors) {
        compare_specs(c, spec, name, (const void *const[SIDES]){options[BEFORE], options[NOW]});
    }
    nm_free(c->context, options[BEFORE]);
    nm_free(c->context, options[NOW]);
}

/* The list of layers, which may stand alone or in a map. */
static const nm_value *layers_of(const nm_value *model)
{
    return model && model->kind == NM_VALUE_MAP ? nm_value_get(model, "layers") : model;
}

static void compare_models(comparison *c)
{
    const nm_value *before = part_of(c, BEFORE, "model"), *now = part_of(c, NOW, "model");
    if (before && now && before->kind == NM_VALUE_MAP && now->kind == NM_VALUE_MAP) {
        compare_part(c, &nm_model_spec, "model");
    } else {
        compare_values(c, &(nm_option){.names = nm_layer_list}, "model", layers_of(before),
                       layers_of(now));
    }
}

static void compare_losses(comparison *c)
{
    int errors = c->d.count;
    nm_choice before = read_choice(c, BEFORE, NM_KIND_LOSS, part_of(c, BEFORE, "loss"), "loss");
    nm_choice now = read_choice(c, NOW, NM_KIND_LOSS, part_of(c, NOW, "loss"), "loss");
    if (c->d.count == errors && nm_context_status(c->context) == NM_OK) {
        compare_choices(c, "loss", (const nm_choice *const[SIDES]){&before, &now});
    }
}

nm_status nm_config_compare(nm_context *context, nm_document *before, nm_document *now,
                            nm_difference_fn tell_one, void *user)
{
    NM_REQUIRE(context, before, NM_ERROR_INPUT);
    NM_REQUIRE(context, now, NM_ERROR_INPUT);
    comparison c = {.context = context,
                    .document = {[BEFORE] = before, [NOW] = now},
                    .tell = tell_one,
                    .user = user};
    nm_diagnostics_begin(&c.d, context);
    compare_models(&c);
    compare_part(&c, &nm_data_spec, "data");
    compare_losses(&c);
    compare_part(&c, &nm_train_spec, "train");
    return nm_diagnostics_end(&c.d);
}
