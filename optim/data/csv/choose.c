/* Which columns the options choose: `columns`, `ignore`, `categories` and `target` are lists of
 * names, of patterns such as "pixel*", and of indexes from 0, or from -1 back. A name comes first:
 * a column may be called "3". */
#include "optim/data/csv/csv.h"

#include <stdio.h>

int64_t nm_csv_column_named(const csv_table *t, const char *name)
{
    const csv_word *word = nm_csv_words_find(&t->names, name, strlen(name));
    return !word ? -1 : t->column[word->value].is_twin ? -2 : word->value;
}

/* ---- Patterns ---- */

static bool is_pattern(const char *text)
{
    return strpbrk(text, "*?") != NULL;
}

/* With * for any text and ? for any character. After a mismatch the latest * takes one more. */
static bool fits(const char *pattern, const char *name)
{
    const char *star = NULL, *mark = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            mark = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return !*pattern;
}

static int64_t choose_fitting(const csv_table *t, const char *pattern, int64_t place,
                              int64_t *chosen)
{
    int64_t count = 0;
    for (int64_t i = 0; i < t->columns; i++) {
        if (chosen[i] < 0 && *t->column[i].name && fits(pattern, t->column[i].name)) {
            chosen[i] = place;
            count++;
        }
    }
    return count;
}

/* ---- One of a list ---- */

#define MOST_NEAR 1000 /* names, for a suggestion */

static const char *nearest_column(const csv_table *t, const char *name)
{
    const char *near = NULL;
    for (int64_t i = 0; i < t->columns && i < MOST_NEAR; i++) {
        const char *names[] = {t->column[i].name, near};
        near = *names[0] ? nm_nearest(name, names, near ? 2 : 1) : near;
    }
    return near;
}

static nm_status no_column(const csv_table *t, const char *option, const char *name)
{
    char shown[CSV_SHOWN], meant[CSV_SHOWN];
    const char *near = nearest_column(t, name);
    nm_csv_shown(name, strlen(name), shown);
    if (near) {
        return nm_fail(t->context, NM_ERROR_INPUT,
                       "%s: \"%s\": no column \"%s\"; did you mean \"%s\"?", t->text.title, option,
                       shown, nm_csv_shown(near, strlen(near), meant));
    }
    if (strchr(name, ',')) {
        return nm_fail(t->context, NM_ERROR_INPUT,
                       "%s: \"%s\": no column \"%s\"; for several, write a list: [...]",
                       t->text.title, option, shown);
    }
    return nm_fail(t->context, NM_ERROR_INPUT,
                   "%s: \"%s\": no column \"%s\"; give %san index from 0 to %lld, or from -1 back",
                   t->text.title, option, shown, t->form.header ? "a name of the header or " : "",
                   (long long)t->columns - 1);
}

static nm_status two_columns(const csv_table *t, const char *option, const char *name)
{
    char shown[CSV_SHOWN];
    int64_t first = -1, second = -1;
    for (int64_t i = 0; i < t->columns && second < 0; i++) {
        if (strcmp(t->column[i].name, name) == 0) {
            *(first < 0 ? &first : &second) = i;
        }
    }
    return nm_fail(t->context, NM_ERROR_INPUT,
                   "%s: \"%s\": columns %lld and %lld are both called \"%s\"; give it by its index",
                   t->text.title, option, (long long)first, (long long)second,
                   nm_csv_shown(name, strlen(name), shown));
}

static nm_status choose_one(const csv_table *t, const char *option, const char *name, int64_t place,
                            int64_t *chosen)
{
    int64_t index = nm_csv_column_named(t, name);
    if (index == -2) {
        return two_columns(t, option, name);
    }
    if (index < 0 && nm_parse_int(name, &index) && index >= -t->columns && index < t->columns) {
        index += index < 0 ? t->columns : 0;
    } else if (index < 0 || index >= t->columns) {
        bool some = is_pattern(name) && choose_fitting(t, name, place, chosen) > 0;
        return some ? NM_OK : no_column(t, option, name);
    }
    chosen[index] = chosen[index] < 0 ? place : chosen[index];
    return NM_OK;
}

nm_status nm_csv_choose_columns(const csv_table *t, const char *option, const nm_strings *list,
                                int64_t *chosen)
{
    nm_status status = NM_OK;
    for (int64_t i = 0; i < t->columns; i++) {
        chosen[i] = -1;
    }
    for (int i = 0; i < list->count && status == NM_OK; i++) {
        status = choose_one(t, option, list->at[i], i, chosen);
    }
    return status;
}

/* ---- The roles ---- */

static nm_status take_columns(csv_table *t, int64_t *chosen)
{
    const nm_strings *list = &t->options->columns;
    nm_status status = nm_csv_choose_columns(t, "columns", list, chosen);
    for (int64_t i = 0; list->count && i < t->columns; i++) {
        t->column[i].role = chosen[i] < 0 ? CSV_ROLE_OUT : CSV_ROLE_SAMPLE;
    }
    return status;
}

static nm_status take_ignored(csv_table *t, int64_t *chosen)
{
    nm_status status = nm_csv_choose_columns(t, "ignore", &t->options->ignore, chosen);
    for (int64_t i = 0; i < t->columns; i++) {
        if (chosen[i] >= 0) {
            t->column[i].role = CSV_ROLE_OUT;
            t->column[i].is_ignored = true;
        }
    }
    return status;
}

static nm_status take_categories(csv_table *t, int64_t *chosen)
{
    nm_status status = nm_csv_choose_columns(t, "categories", &t->options->categories, chosen);
    for (int64_t i = 0; i < t->columns; i++) {
        t->column[i].is_category = chosen[i] >= 0;
    }
    return status;
}

bool nm_csv_has_no_target(const csv_table *t)
{
    const nm_strings *target = &t->options->target;
    return t->is_targetless || (target->count == 1 && strcmp(target->at[0], "none") == 0 &&
                                nm_csv_column_named(t, "none") == -1);
}

/* In the order of the list; those of one pattern in the table's. */
static nm_status number_targets(csv_table *t, const int64_t *chosen, int count)
{
    int64_t *next = nm_alloc_zero(t->context, (size_t)count + 1, sizeof *next);
    for (int64_t i = 0; next && i < t->columns; i++) {
        if (chosen[i] >= 0) {
            next[chosen[i] + 1]++;
        }
    }
    for (int place = 0; next && place < count; place++) {
        next[place + 1] += next[place];
    }
    for (int64_t i = 0; next && i < t->columns; i++) {
        if (chosen[i] >= 0) {
            t->column[i].role = CSV_ROLE_TARGET;
            t->column[i].at = next[chosen[i]]++;
        }
    }
    nm_free(t->context, next);
    return nm_context_status(t->context);
}

static nm_status take_targets(csv_table *t, int64_t *chosen)
{
    const nm_strings *list = &t->options->target;
    nm_status status = NM_OK;
    if (nm_csv_has_no_target(t) || !list->count) {
        return NM_OK;
    }
    status = nm_csv_choose_columns(t, "target", list, chosen);
    return status == NM_OK ? number_targets(t, chosen, list->count) : status;
}

nm_status nm_csv_choose(csv_table *t)
{
    nm_status status;
    int64_t *chosen = nm_alloc_zero(t->context, (size_t)t->columns, sizeof *chosen);
    if (!chosen) {
        return NM_ERROR_MEMORY;
    }
    if ((status = take_columns(t, chosen)) == NM_OK &&
        (status = take_ignored(t, chosen)) == NM_OK &&
        (status = take_categories(t, chosen)) == NM_OK) {
        status = take_targets(t, chosen);
    }
    nm_free(t->context, chosen);
    return status;
}
