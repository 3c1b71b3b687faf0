/* Options back into YAML, on one line: what differs from the defaults, and what is required.
 * Reading it gives the same struct. */
#include "core/text.h"
#include "core/value_internal.h"

static void add_ints(nm_text *t, const nm_ints *list)
{
    nm_text_add(t, "[");
    for (int i = 0; i < list->count; i++) {
        nm_text_add(t, "%s%lld", i ? ", " : "", (long long)list->at[i]);
    }
    nm_text_add(t, "]");
}

static void add_floats(nm_text *t, const nm_floats *list)
{
    nm_text_add(t, "[");
    for (int i = 0; i < list->count; i++) {
        nm_text_add(t, i ? ", " : "");
        nm_text_add_float(t, list->at[i]);
    }
    nm_text_add(t, "]");
}

static void add_strings(nm_text *t, const nm_strings *list)
{
    nm_text_add(t, "[");
    for (int i = 0; i < list->count; i++) {
        nm_text_add(t, i ? ", " : "");
        nm_text_add_quoted(t, list->at[i]);
    }
    nm_text_add(t, "]");
}

static void add_numbers(nm_text *t, const nm_option *option, const nm_numbers *list)
{
    if (list->word) {
        nm_text_add_quoted(t, option->names[list->word - 1]);
        return;
    }
    nm_text_add(t, "[");
    for (int64_t i = 0; i < list->count; i++) {
        nm_text_add(t, i ? ", " : "");
        nm_text_add_float(t, list->at[i]);
    }
    nm_text_add(t, "]");
}

static void add_value(nm_text *t, const nm_value *value)
{
    if (value) {
        nm_text_add_value(t, value);
    } else {
        nm_text_add(t, "null");
    }
}

static void add_field(nm_text *t, const nm_option *option, const void *field)
{
    switch (option->type) {
    case NM_OPTION_BOOL: nm_text_add(t, *(const bool *)field ? "true" : "false"); break;
    case NM_OPTION_INT: nm_text_add(t, "%lld", (long long)*(const int64_t *)field); break;
    case NM_OPTION_FLOAT: nm_text_add_float(t, *(const double *)field); break;
    case NM_OPTION_STRING: nm_text_add_quoted(t, *(const char *const *)field); break;
    case NM_OPTION_ENUM: nm_text_add_quoted(t, option->names[*(const int *)field]); break;
    case NM_OPTION_STRINGS: add_strings(t, field); break;
    case NM_OPTION_INTS: add_ints(t, field); break;
    case NM_OPTION_FLOATS: add_floats(t, field); break;
    case NM_OPTION_STRUCT: nm_text_add_options(t, option->spec, field); break;
    case NM_OPTION_NUMBERS: add_numbers(t, option, field); break;
    case NM_OPTION_CHOICE: nm_text_add_choice(t, field); break;
    case NM_OPTION_CHOICES: nm_text_add_choices(t, field); break;
    case NM_OPTION_VALUE: add_value(t, *(const nm_value *const *)field); break;
    }
}

void nm_text_add_options(nm_text *t, const nm_spec *spec, const void *options)
{
    int written = 0;
    nm_text_add(t, "{");
    for (int i = 0; spec && options && i < spec->count; i++) {
        const nm_option *option = &spec->options[i];
        if (!spec->defaults || option->flags & NM_REQUIRED ||
            !nm_option_same(option, options, spec->defaults)) {
            nm_text_add(t, "%s%s: ", written++ ? ", " : "", option->name);
            add_field(t, option, nm_option_field(option, options));
        }
    }
    nm_text_add(t, "}");
}

void nm_text_add_choice(nm_text *t, const nm_choice *choice)
{
    if (!choice->item) {
        nm_text_add(t, "null");
        return;
    }
    nm_text_add(t, "{%s: ", choice->item->name);
    nm_text_add_options(t, choice->item->spec, nm_choice_options(choice));
    nm_text_add(t, "}");
}

void nm_text_add_choices(nm_text *t, const nm_choices *list)
{
    nm_text_add(t, "[");
    for (int i = 0; i < list->count; i++) {
        nm_text_add(t, i ? ", " : "");
        nm_text_add_choice(t, &list->at[i]);
    }
    nm_text_add(t, "]");
}
