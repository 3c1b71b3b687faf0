/* Reading the value of one option: a number, a word, a list of them. */
#include "core/options/fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Messages ---- */

void nm_reader_expected(const nm_reader *r, const nm_option *option, const nm_value *value,
                        const char *what)
{
    nm_line line;
    nm_line_begin(&line);
    nm_line_add(&line, "%s, not ", what);
    nm_line_add_value(&line, value);
    nm_option_add_advice(&line, r->spec, option, value);
    nm_diagnose(r->d, value, "%s: \"%s\" must be %s", r->what, option->name, line.text);
}

/* ---- Numbers ---- */

static bool is_number(const nm_value *value, double *number)
{
    return value->kind == NM_VALUE_SCALAR && !value->quoted && nm_parse_float(value->text, number);
}

#define EXACT_BELOW 9007199254740992.0 /* 2^53: below, no two integers share a double */

/* An integer, also as 3.0 or 1e3. */
static bool is_integer(const nm_value *value, int64_t *integer)
{
    double number;
    if (value->kind != NM_VALUE_SCALAR || value->quoted) {
        return false;
    }
    if (nm_parse_int(value->text, integer)) {
        return true;
    }
    if (!nm_parse_float(value->text, &number) || !(fabs(number) < EXACT_BELOW) ||
        number != floor(number)) {
        return false;
    }
    *integer = (int64_t)number;
    return true;
}

static const char *integer_expected(const nm_value *value)
{
    double number;
    bool whole = is_number(value, &number) && number == floor(number);
    return whole ? "an integer of 64 bits (without point or exponent from 2^53 on)" : "an integer";
}

/* A number within the option's limits, one that has a name, or the default itself: a default may
 * stand outside them to mean "chosen by the op". */
static bool is_allowed(const nm_reader *r, const nm_option *option, const nm_value *value,
                       double number, int index, bool is_default, const char *shown)
{
    if (nm_option_in_range(option, number) || (is_default && !(option->flags & NM_REQUIRED))) {
        return true;
    }
    nm_option_diagnose_range(r->d, value, r->what, option, index, shown);
    return false;
}

/* The value that a word stands for; NULL: it is none of the option's. */
static const nm_named_value *named_value(const nm_option *option, const nm_value *value)
{
    for (const nm_named_value *named = option->named; named && named->name; named++) {
        if (value->kind == NM_VALUE_SCALAR && !strcmp(value->text, named->name)) {
            return named;
        }
    }
    return NULL;
}

/* "a number, or one of default, unchanged" */
static void expected_number(const nm_reader *r, const nm_option *option, const nm_value *value,
                            const char *what)
{
    nm_line line;
    nm_line_begin(&line);
    nm_line_add(&line, "%s", what);
    nm_option_add_named(&line, option);
    nm_reader_expected(r, option, value, line.text);
}

static bool read_integer(const nm_reader *r, const nm_option *option, const nm_value *value,
                         int index, int64_t *out)
{
    int64_t integer;
    char shown[32];
    const nm_named_value *named = named_value(option, value);
    if (named) {
        *out = (int64_t)named->value;
        return true;
    }
    if (!is_integer(value, &integer)) {
        expected_number(r, option, value, integer_expected(value));
        return false;
    }
    /* Which is still in its place; one that a word stands for is no number to be given. */
    const bool is_default = index < 0 && integer == *out && !option->named;
    snprintf(shown, sizeof shown, "%lld", (long long)integer);
    if (!is_allowed(r, option, value, (double)integer, index, is_default, shown)) {
        return false;
    }
    *out = integer;
    return true;
}

static bool read_float(const nm_reader *r, const nm_option *option, const nm_value *value,
                       int index, double *out)
{
    double number;
    char shown[32];
    const nm_named_value *named = named_value(option, value);
    if (named) {
        *out = named->value;
        return true;
    }
    if (!is_number(value, &number)) {
        expected_number(r, option, value, "a number");
        return false;
    }
    const bool is_default = index < 0 && number == *out && !option->named;
    nm_format_float(number, shown);
    if (!is_allowed(r, option, value, number, index, is_default, shown)) {
        return false;
    }
    *out = number;
    return true;
}

/* ---- Lists ---- */

/* How many numbers stand there; a single one is a list of one. -1 if it cannot be. */
static int list_count(const nm_reader *r, const nm_option *option, const nm_value *value)
{
    bool integers = option->type == NM_OPTION_INTS;
    if (value->kind == NM_VALUE_SCALAR && !nm_value_is_null(value)) {
        return 1;
    }
    if (value->kind != NM_VALUE_LIST) {
        nm_reader_expected(r, option, value, integers ? "a list of integers" : "a list of numbers");
        return -1;
    }
    if (value->count > NM_MAX_LIST) {
        nm_diagnose(r->d, value, "%s: \"%s\" takes at most %d numbers, not %d", r->what,
                    option->name, NM_MAX_LIST, value->count);
        return -1;
    }
    return value->count;
}

static const nm_value *list_item(const nm_value *value, int index)
{
    return value->kind == NM_VALUE_LIST ? value->items[index] : value;
}

static void read_ints(const nm_reader *r, const nm_option *option, const nm_value *value,
                      nm_ints *out)
{
    nm_ints list = {.list = NM_LIST, .count = list_count(r, option, value)};
    bool fine = list.count >= 0;
    for (int i = 0; i < list.count; i++) {
        fine = read_integer(r, option, list_item(value, i), i, &list.at[i]) && fine;
    }
    *out = fine ? list : *out;
}

static void read_floats(const nm_reader *r, const nm_option *option, const nm_value *value,
                        nm_floats *out)
{
    nm_floats list = {.list = NM_LIST, .count = list_count(r, option, value)};
    bool fine = list.count >= 0;
    for (int i = 0; i < list.count; i++) {
        fine = read_float(r, option, list_item(value, i), i, &list.at[i]) && fine;
    }
    *out = fine ? list : *out;
}

/* The number of the word that stands there instead of numbers, from 1; 0: none does. */
static int word_at(const nm_option *option, const nm_value *value)
{
    for (int i = 0; option->names && option->names[i]; i++) {
        if (value->kind == NM_VALUE_SCALAR && !strcmp(value->text, option->names[i])) {
            return i + 1;
        }
    }
    return 0;
}

static void numbers_expected(const nm_reader *r, const nm_option *option, const nm_value *value)
{
    nm_line line;
    nm_line_begin(&line);
    nm_line_add(&line, "a list of numbers");
    nm_option_add_words(&line, option);
    nm_reader_expected(r, option, value, line.text);
}

/* In memory of the document. */
static void read_numbers(const nm_reader *r, const nm_option *option, const nm_value *value,
                         nm_numbers *out)
{
    double number;
    bool is_list = value->kind == NM_VALUE_LIST;
    int word = word_at(option, value), count = is_list ? value->count : 1;
    if (word) {
        *out = (nm_numbers){.word = word};
        return;
    }
    if (!is_list && !is_number(value, &number)) {
        numbers_expected(r, option, value);
        return;
    }
    double *numbers = nm_document_alloc(r->document, (size_t)count * sizeof *numbers + 1);
    bool fine = numbers != NULL;
    for (int i = 0; numbers && i < count; i++) {
        fine = read_float(r, option, list_item(value, i), i, &numbers[i]) && fine;
    }
    *out = fine ? (nm_numbers){.count = count, .at = numbers} : *out;
}

/* ---- Words ---- */

static void read_bool(const nm_reader *r, const nm_option *option, const nm_value *value, bool *out)
{
    if (!nm_value_as_bool(value, out)) {
        nm_reader_expected(r, option, value, "true or false");
    }
}

/* A text, or what it means as a path. */
static const char *text_of(const nm_reader *r, const nm_option *option, const nm_value *value)
{
    return option->flags & NM_PATH ? nm_document_path(r->document, value) : value->text;
}

static void read_string(const nm_reader *r, const nm_option *option, const nm_value *value,
                        const char **out)
{
    if (value->kind == NM_VALUE_SCALAR) {
        *out = text_of(r, option, value);
    } else {
        nm_reader_expected(r, option, value, "text");
    }
}

/* Where "true" and "false" are among the names, YAML's other words for them will do. */
static const char *enum_text(const nm_value *value)
{
    bool truth;
    return nm_value_as_bool(value, &truth) ? (truth ? "true" : "false") : NULL;
}

static void read_strings(const nm_reader *r, const nm_option *option, const nm_value *value,
                         nm_strings *out)
{
    const bool list = value->kind == NM_VALUE_LIST;
    const int count = list ? value->count : 1;
    const char **texts = NULL;
    for (int i = 0; i < count; i++) {
        const nm_value *item = list ? value->items[i] : value;
        if (item->kind != NM_VALUE_SCALAR || nm_value_is_null(item)) {
            nm_reader_expected(r, option, item,
                               list ? "a list of texts" : "a text, or a list of them");
            return;
        }
    }
    if (count && !(texts = nm_document_alloc(r->document, (size_t)count * sizeof *texts))) {
        return;
    }
    for (int i = 0; i < count; i++) {
        texts[i] = text_of(r, option, list ? value->items[i] : value);
    }
    *out = (nm_strings){count, texts};
}

static void read_enum(const nm_reader *r, const nm_option *option, const nm_value *value, int *out)
{
    int count = 0;
    const char *truth = enum_text(value);
    for (; option->names[count]; count++) {
        const char *name = option->names[count];
        if (value->kind == NM_VALUE_SCALAR &&
            (!strcmp(value->text, name) || (truth && !strcmp(truth, name)))) {
            *out = count;
            return;
        }
    }
    nm_line line;
    nm_line_begin(&line);
    nm_option_add_names(&line, option);
    nm_line_add(&line, ", not ");
    nm_line_add_value(&line, value);
    const char *near = nm_nearest(value->text, option->names, count);
    if (near) {
        nm_line_add(&line, "; did you mean \"%s\"?", near);
    } else {
        nm_option_add_advice(&line, r->spec, option, value);
    }
    nm_diagnose(r->d, value, "%s: \"%s\" must be %s", r->what, option->name, line.text);
}

/* ---- All of them ---- */

void nm_reader_read_field(const nm_reader *r, const nm_option *option, const nm_value *value,
                          void *field)
{
    switch (option->type) {
    case NM_OPTION_BOOL: read_bool(r, option, value, field); break;
    case NM_OPTION_INT: read_integer(r, option, value, -1, field); break;
    case NM_OPTION_FLOAT: read_float(r, option, value, -1, field); break;
    case NM_OPTION_STRING: read_string(r, option, value, field); break;
    case NM_OPTION_STRINGS: read_strings(r, option, value, field); break;
    case NM_OPTION_ENUM: read_enum(r, option, value, field); break;
    case NM_OPTION_INTS: read_ints(r, option, value, field); break;
    case NM_OPTION_FLOATS: read_floats(r, option, value, field); break;
    case NM_OPTION_NUMBERS: read_numbers(r, option, value, field); break;
    case NM_OPTION_VALUE: *(const nm_value **)field = value; break;
    case NM_OPTION_STRUCT:
    case NM_OPTION_CHOICE:
    case NM_OPTION_CHOICES: break; /* they hold options themselves: core/option.c */
    }
}
