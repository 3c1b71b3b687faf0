/* Checking an options struct that C code filled: ranges, enum indexes, list lengths, and the spec's
 * own check. It runs before every op, so the way without an error is short. */
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/value_internal.h"

void nm_options_take(void *options, const void *defaults, size_t size)
{
    if (options && defaults) {
        memcpy(options, defaults, size);
    }
}

/* ---- Comparing with the defaults ---- */

static bool same_ints(const nm_ints *a, const nm_ints *b)
{
    bool same =
        a->list == b->list && a->count == b->count && a->count >= 0 && a->count <= NM_MAX_LIST;
    for (int i = 0; same && i < a->count; i++) {
        same = a->at[i] == b->at[i];
    }
    return same;
}

static bool same_floats(const nm_floats *a, const nm_floats *b)
{
    bool same =
        a->list == b->list && a->count == b->count && a->count >= 0 && a->count <= NM_MAX_LIST;
    for (int i = 0; same && i < a->count; i++) {
        same = a->at[i] == b->at[i];
    }
    return same;
}

static bool same_strings(const nm_strings *a, const nm_strings *b)
{
    return a->count == b->count && (a->at == b->at || a->count == 0);
}

static bool same_numbers(const nm_numbers *a, const nm_numbers *b)
{
    return a->word == b->word && a->count == b->count && (a->at == b->at || !a->count);
}

static bool same_choice(const nm_choice *a, const nm_choice *b)
{
    return a->item == b->item && a->options == b->options && a->own.size == b->own.size &&
           !memcmp(a->own.room, b->own.room, a->own.size);
}

static bool same_choices(const nm_choices *a, const nm_choices *b)
{
    bool same = a->count == b->count && a->count >= 0 && a->count <= NM_MAX_CHOICES;
    for (int i = 0; same && i < a->count; i++) {
        same = same_choice(&a->at[i], &b->at[i]);
    }
    return same;
}

static bool same_structs(const nm_spec *spec, const void *a, const void *b)
{
    for (int i = 0; i < spec->count; i++) {
        if (!nm_option_same(&spec->options[i], a, b)) {
            return false;
        }
    }
    return true;
}

static const void *pointer_at(const void *field)
{
    const void *pointer; /* copied, since the field is of another pointer type */
    memcpy(&pointer, field, sizeof pointer);
    return pointer;
}

bool nm_option_same(const nm_option *option, const void *a, const void *b)
{
    NM_GIVEN(option && a && b, false);
    a = nm_option_field(option, a);
    b = nm_option_field(option, b);
    switch (option->type) {
    case NM_OPTION_BOOL: return *(const bool *)a == *(const bool *)b;
    case NM_OPTION_INT: return *(const int64_t *)a == *(const int64_t *)b;
    case NM_OPTION_FLOAT: return *(const double *)a == *(const double *)b;
    case NM_OPTION_ENUM: return *(const int *)a == *(const int *)b;
    case NM_OPTION_INTS: return same_ints(a, b);
    case NM_OPTION_FLOATS: return same_floats(a, b);
    case NM_OPTION_STRINGS: return same_strings(a, b);
    case NM_OPTION_STRUCT: return same_structs(option->spec, a, b);
    case NM_OPTION_NUMBERS: return same_numbers(a, b);
    case NM_OPTION_CHOICE: return same_choice(a, b);
    case NM_OPTION_CHOICES: return same_choices(a, b);
    case NM_OPTION_STRING:
    case NM_OPTION_VALUE: return pointer_at(a) == pointer_at(b);
    }
    return false;
}

/* ---- Checking ---- */

typedef struct checker {
    const char *what;
    const nm_spec *spec;
    const void *options;
    nm_diagnostics *d;
} checker;

static void check_struct(const nm_spec *spec, const char *what, const void *options,
                         nm_diagnostics *d);

/* In a struct a word is the number it stands for. */
static bool may_stand(const nm_option *option, double value)
{
    return nm_option_name_of(option, value) || nm_option_in_range(option, value);
}

/* A default may stand outside the limits, to mean "chosen by the op", unless a value is required.
 */
static bool is_own_default(const checker *c, const nm_option *option)
{
    return c->spec->defaults && !(option->flags & NM_REQUIRED) &&
           nm_option_same(option, c->options, c->spec->defaults);
}

static void check_int(const checker *c, const nm_option *option, int64_t number, int index)
{
    char shown[32];
    if (!may_stand(option, (double)number) && !is_own_default(c, option)) {
        snprintf(shown, sizeof shown, "%lld", (long long)number);
        nm_option_diagnose_range(c->d, NULL, c->what, option, index, shown);
    }
}

static void check_float(const checker *c, const nm_option *option, double number, int index)
{
    char shown[32];
    if (!may_stand(option, number) && !is_own_default(c, option)) {
        nm_format_float(number, shown);
        nm_option_diagnose_range(c->d, NULL, c->what, option, index, shown);
    }
}

/* The number of items to look at: none if it is no list, or the count is no count. */
static int check_count(const checker *c, const nm_option *option, const struct nm_list *list,
                       int count)
{
    if (list != NM_LIST && !is_own_default(c, option)) {
        nm_diagnose(c->d, NULL, "%s: \"%s\" is no list; write .%s = %s(...)", c->what, option->name,
                    option->name, option->type == NM_OPTION_INTS ? "NM_INTS" : "NM_FLOATS");
        return 0;
    }
    if (count >= 0 && count <= NM_MAX_LIST) {
        return count;
    }
    nm_diagnose(c->d, NULL, "%s: \"%s\" takes 0 to %d numbers, not %d", c->what, option->name,
                NM_MAX_LIST, count);
    return 0;
}

static void check_ints(const checker *c, const nm_option *option, const nm_ints *list)
{
    int count = check_count(c, option, list->list, list->count);
    for (int i = 0; i < count; i++) {
        check_int(c, option, list->at[i], i);
    }
}

static void check_floats(const checker *c, const nm_option *option, const nm_floats *list)
{
    int count = check_count(c, option, list->list, list->count);
    for (int i = 0; i < count; i++) {
        check_float(c, option, list->at[i], i);
    }
}

static int count_words(const nm_option *option)
{
    int count = 0;
    while (option->names && option->names[count]) {
        count++;
    }
    return count;
}

static void check_numbers(const checker *c, const nm_option *option, const nm_numbers *list)
{
    int words = count_words(option);
    if (list->word < 0 || list->word > words || list->count < 0 || (list->count && !list->at)) {
        nm_diagnose(c->d, NULL, "%s: \"%s\" has word %d of %d, and %lld numbers%s", c->what,
                    option->name, list->word, words, (long long)list->count,
                    list->at ? "" : " at NULL");
        return;
    }
    for (int64_t i = 0; i < list->count; i++) {
        check_float(c, option, list->at[i], (int)i);
    }
}

static void check_enum(const checker *c, const nm_option *option, int index)
{
    int count = 0;
    while (option->names[count] && count != index) {
        count++;
    }
    if (option->names[count]) {
        return;
    }
    nm_line names;
    nm_line_begin(&names);
    nm_option_add_names(&names, option);
    nm_diagnose(c->d, NULL, "%s: \"%s\" must be the index of %s, not %d", c->what, option->name,
                names.text, index);
}

static void check_strings(const checker *c, const nm_option *option, const nm_strings *list)
{
    for (int i = 0; i < list->count; i++) {
        if (!list->at || !list->at[i]) {
            nm_diagnose(c->d, NULL, "%s: \"%s\"[%d] is NULL; it must be a text", c->what,
                        option->name, i);
            return;
        }
    }
}

/* Whether a `bool on` that is no option, at its beginning, says other than the outer default. */
static bool is_switched_on(const checker *c, const nm_option *option, const void *options)
{
    for (int i = 0; i < option->spec->count; i++) {
        if (option->spec->options[i].offset == 0) {
            return false;
        }
    }
    return c->spec->defaults &&
           *(const unsigned char *)options !=
               *(const unsigned char *)nm_option_field(option, c->spec->defaults);
}

/* A struct left at its default is fine: it may be switched off. */
static void check_nested(const checker *c, const nm_option *option, const void *options)
{
    char what[160];
    if (!is_own_default(c, option) || is_switched_on(c, option, options)) {
        snprintf(what, sizeof what, "%s: %s", c->what, option->name);
        check_struct(option->spec, what, options, c->d);
    }
}

/* Whether the item is of the option's kind. The context's error is free: here all go to `d`. */
static bool check_kind(const checker *c, const nm_option *option, const nm_choice *choice)
{
    nm_context *context = c->d->context;
    if (!choice->item || nm_context_status(context) != NM_OK ||
        nm_item_check(context, option->kind, choice->item) == NM_OK) {
        return true;
    }
    nm_fail_in(context, "%s: \"%s\"", c->what, option->name);
    nm_diagnose_standing(c->d, NULL);
    return false;
}

static void check_choice(const checker *c, const nm_option *option, const nm_choice *choice)
{
    if (!check_kind(c, option, choice)) {
        return;
    }
    const nm_spec *spec = choice->item ? choice->item->spec : NULL;
    const void *options = nm_choice_options(choice);
    if (spec && choice->own.size && choice->own.size != spec->size) {
        nm_diagnose(c->d, NULL, "%s: its options are those of something else (%zu bytes, not %zu)",
                    choice->item->name, choice->own.size, spec->size);
    } else if (spec && options && options != spec->defaults) {
        check_struct(spec, choice->item->name, options, c->d);
    }
}

static void check_choices(const checker *c, const nm_option *option, const nm_choices *list)
{
    if (list->count < 0 || list->count > NM_MAX_CHOICES) {
        nm_diagnose(c->d, NULL, "%s: \"%s\" takes 0 to %d choices, not %d", c->what, option->name,
                    NM_MAX_CHOICES, list->count);
        return;
    }
    for (int i = 0; i < list->count; i++) {
        if (!list->at[i].item) {
            nm_diagnose(c->d, NULL, "%s: \"%s\"[%d] has no item", c->what, option->name, i);
        }
        check_choice(c, option, &list->at[i]);
    }
}

static void check_option(const checker *c, const nm_option *option)
{
    const void *field = nm_option_field(option, c->options);
    switch (option->type) {
    case NM_OPTION_INT: check_int(c, option, *(const int64_t *)field, -1); break;
    case NM_OPTION_FLOAT: check_float(c, option, *(const double *)field, -1); break;
    case NM_OPTION_ENUM: check_enum(c, option, *(const int *)field); break;
    case NM_OPTION_STRINGS: check_strings(c, option, field); break;
    case NM_OPTION_INTS: check_ints(c, option, field); break;
    case NM_OPTION_FLOATS: check_floats(c, option, field); break;
    case NM_OPTION_STRUCT: check_nested(c, option, field); break;
    case NM_OPTION_NUMBERS: check_numbers(c, option, field); break;
    case NM_OPTION_CHOICE: check_choice(c, option, field); break;
    case NM_OPTION_CHOICES: check_choices(c, option, field); break;
    case NM_OPTION_BOOL:
    case NM_OPTION_STRING:
    case NM_OPTION_VALUE: break; /* any value will do */
    }
}

static bool is_missing(const checker *c, const nm_option *option)
{
    const void *field = nm_option_field(option, c->options);
    bool pointer = option->type == NM_OPTION_STRING || option->type == NM_OPTION_VALUE ||
                   option->type == NM_OPTION_CHOICE; /* which begins with its item */
    return (option->flags & NM_REQUIRED) && pointer && !pointer_at(field);
}

static void check_struct(const nm_spec *spec, const char *what, const void *options,
                         nm_diagnostics *d)
{
    checker c = {what, spec, options, d};
    int errors = d->count;
    for (int i = 0; i < spec->count; i++) {
        if (is_missing(&c, &spec->options[i])) {
            nm_diagnose(d, NULL, "%s: \"%s\" is missing; set it", what, spec->options[i].name);
        } else {
            check_option(&c, &spec->options[i]);
        }
    }
    if (d->count == errors && spec->check) {
        spec->check(options, NULL, d);
    }
}

nm_status nm_spec_check(nm_context *context, const nm_spec *spec, const char *what,
                        const void *options)
{
    NM_REQUIRE(context, spec, NM_ERROR_INPUT);
    NM_REQUIRE(context, options, NM_ERROR_INPUT);
    nm_diagnostics d;
    nm_diagnostics_begin(&d, context);
    check_struct(spec, what, options, &d);
    return nm_diagnostics_end(&d);
}
