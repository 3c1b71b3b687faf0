/* Options as text, for help and reference: the same tables that reading uses. */
#include <string.h>

#include "core/guard.h"
#include "core/value_internal.h"

static char *copy_of(nm_context *context, const nm_line *line)
{
    return nm_copy_string(context, line->text);
}

/* ---- Types ---- */

static const char *text_name(const nm_option *option)
{
    return option->flags & NM_PATH ? "path" : "text";
}

char *nm_option_type_text(nm_context *context, const nm_option *option)
{
    NM_REQUIRE(context, option, NULL);
    nm_line line;
    nm_line_begin(&line);
    switch (option->type) {
    case NM_OPTION_BOOL: nm_line_add(&line, "bool"); break;
    case NM_OPTION_INT: nm_line_add(&line, "int"); break;
    case NM_OPTION_FLOAT: nm_line_add(&line, "float"); break;
    case NM_OPTION_STRING: nm_line_add(&line, "%s", text_name(option)); break;
    case NM_OPTION_ENUM: nm_option_add_names(&line, option); break;
    case NM_OPTION_STRINGS: nm_line_add(&line, "[%s]", text_name(option)); break;
    case NM_OPTION_INTS: nm_line_add(&line, "[int]"); break;
    case NM_OPTION_FLOATS: nm_line_add(&line, "[float]"); break;
    case NM_OPTION_STRUCT: nm_line_add(&line, "{%s}", option->spec->name); break;
    case NM_OPTION_NUMBERS:
        nm_line_add(&line, "[float]");
        nm_option_add_words(&line, option);
        break;
    case NM_OPTION_CHOICE: nm_line_add(&line, "%s", nm_kind_name(option->kind)); break;
    case NM_OPTION_CHOICES:
        nm_line_add(&line, "%s, or [%s]", nm_kind_name(option->kind), nm_kind_name(option->kind));
        break;
    case NM_OPTION_VALUE: nm_line_add(&line, "%s", option->names ? option->names[0] : "any"); break;
    }
    nm_option_add_named(&line, option);
    return copy_of(context, &line);
}

char *nm_option_range_text(nm_context *context, const nm_option *option)
{
    NM_REQUIRE(context, option, NULL);
    nm_line line;
    nm_line_begin(&line);
    if (option->min > -NM_NO_LIMIT || option->max < NM_NO_LIMIT) {
        nm_option_add_range(&line, option);
    }
    return copy_of(context, &line);
}

/* ---- Defaults ---- */

static void add_field(nm_line *line, const nm_option *option, const void *options);

static void add_float(nm_line *line, double value)
{
    char number[32];
    nm_line_add(line, "%s", nm_format_float(value, number));
}

static void add_ints(nm_line *line, const nm_ints *list)
{
    for (int i = 0; i < list->count && i < NM_MAX_LIST; i++) {
        nm_line_add(line, "%s%lld", i ? ", " : "[", (long long)list->at[i]);
    }
    nm_line_add(line, list->count > 0 ? "]" : "[]");
}

static void add_floats(nm_line *line, const nm_floats *list)
{
    for (int i = 0; i < list->count && i < NM_MAX_LIST; i++) {
        nm_line_add(line, i ? ", " : "[");
        add_float(line, list->at[i]);
    }
    nm_line_add(line, list->count > 0 ? "]" : "[]");
}

static void add_string(nm_line *line, const char *text)
{
    nm_line_add(line, text && !*text ? "\"\"" : "%s", text ? text : "none");
}

static void add_strings(nm_line *line, const nm_strings *list)
{
    for (int i = 0; i < list->count; i++) {
        nm_line_add(line, "%s%s", i ? ", " : "[", list->at[i]);
    }
    nm_line_add(line, list->count > 0 ? "]" : "none");
}

static void add_numbers(nm_line *line, const nm_option *option, const nm_numbers *list)
{
    if (list->word || !list->count) {
        add_string(line, list->word ? option->names[list->word - 1] : NULL);
        return;
    }
    for (int64_t i = 0; i < list->count; i++) {
        nm_line_add(line, i ? ", " : "[");
        add_float(line, list->at[i]);
    }
    nm_line_add(line, "]");
}

static const char *name_of(const nm_choice *choice)
{
    return choice->item ? choice->item->name : NULL;
}

static void add_choices(nm_line *line, const nm_choices *list)
{
    for (int i = 0; i < list->count; i++) {
        nm_line_add(line, i ? ", " : "[");
        add_string(line, name_of(&list->at[i]));
    }
    add_string(line, list->count ? "]" : NULL);
}

static bool is_all_zero(const void *memory, size_t size)
{
    const unsigned char *bytes = memory;
    while (size && !bytes[size - 1]) {
        size--;
    }
    return !size;
}

/* As YAML; "none" for a nested struct of zeros, which is one that is switched off. */
static void add_struct(nm_line *line, const nm_spec *spec, const void *options)
{
    if (is_all_zero(options, spec->size)) {
        nm_line_add(line, "none");
        return;
    }
    nm_line_add(line, "{");
    for (int i = 0; i < spec->count; i++) {
        nm_line_add(line, "%s%s: ", i ? ", " : "", spec->options[i].name);
        add_field(line, &spec->options[i], options);
    }
    nm_line_add(line, "}");
}

static void add_int(nm_line *line, const nm_option *option, int64_t value)
{
    const char *name = nm_option_name_of(option, (double)value);
    if (name) {
        nm_line_add(line, "%s", name);
    } else {
        nm_line_add(line, "%lld", (long long)value);
    }
}

static void add_number(nm_line *line, const nm_option *option, double value)
{
    const char *name = nm_option_name_of(option, value);
    if (name) {
        nm_line_add(line, "%s", name);
    } else {
        add_float(line, value);
    }
}

static void add_field(nm_line *line, const nm_option *option, const void *options)
{
    const void *field = nm_option_field(option, options);
    switch (option->type) {
    case NM_OPTION_BOOL: nm_line_add(line, *(const bool *)field ? "true" : "false"); break;
    case NM_OPTION_INT: add_int(line, option, *(const int64_t *)field); break;
    case NM_OPTION_FLOAT: add_number(line, option, *(const double *)field); break;
    case NM_OPTION_STRING: add_string(line, *(const char *const *)field); break;
    case NM_OPTION_ENUM: add_string(line, option->names[*(const int *)field]); break;
    case NM_OPTION_STRINGS: add_strings(line, field); break;
    case NM_OPTION_INTS: add_ints(line, field); break;
    case NM_OPTION_FLOATS: add_floats(line, field); break;
    case NM_OPTION_STRUCT: add_struct(line, option->spec, field); break;
    case NM_OPTION_NUMBERS: add_numbers(line, option, field); break;
    case NM_OPTION_CHOICE: add_string(line, name_of(field)); break;
    case NM_OPTION_CHOICES: add_choices(line, field); break;
    case NM_OPTION_VALUE: nm_line_add(line, "none"); break;
    }
}

char *nm_option_value_text(nm_context *context, const nm_option *option, const void *options)
{
    NM_REQUIRE(context, option, NULL);
    NM_REQUIRE(context, options, NULL);
    nm_line line;
    nm_line_begin(&line);
    add_field(&line, option, options);
    return copy_of(context, &line);
}

char *nm_option_default_text(nm_context *context, const nm_spec *spec, const nm_option *option)
{
    NM_REQUIRE(context, spec, NULL);
    NM_REQUIRE(context, option, NULL);
    nm_line line;
    nm_line_begin(&line);
    if (option->flags & NM_REQUIRED) {
        nm_line_add(&line, "required");
    } else {
        add_field(&line, option, spec->defaults);
    }
    return copy_of(context, &line);
}
