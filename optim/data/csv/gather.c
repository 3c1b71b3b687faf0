/* The different texts of columns: of categories, of classes, or to see whether they all differ. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "optim/data/csv/csv.h"

/* Whether a number is written as nm_format_float() does: most are, and that is slow. */
static bool is_plain(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
    }
    return length <= 15 && (*text != '0' || length == 1);
}

/* Ids of 17 digits and more: as doubles, several would be one. */
static bool is_long_whole(const char *text, size_t length, double number)
{
    size_t i = *text == '-';
    while (i < length && text[i] >= '0' && text[i] <= '9') {
        i++;
    }
    return i == length && fabs(number) > 0x1p53;
}

const char *nm_csv_name_of(const csv_table *t, const csv_walk *w, char memory[CSV_LONGEST_NAME],
                           size_t *length)
{
    double number;
    const char *text = nm_csv_text_of(w, memory, length);
    if (*length >= CSV_LONGEST_NAME) {
        return NULL;
    }
    const csv_number kind = nm_csv_number(&t->form, text, *length, &number);
    if ((kind == CSV_WHOLE || kind == CSV_FRACTION) && !is_plain(text, *length) &&
        !is_long_whole(text, *length, number)) {
        text = nm_format_float(number, memory);
        *length = strlen(text);
    }
    return text;
}

/* ---- Gathering ---- */

/* What stands in `memory`, or in the table's text, as long as the table stays. */
static const char *kept(const csv_table *t, const char *text, size_t length, const char *memory)
{
    return text == memory ? nm_schema_copy(t->memory, text, length) : text;
}

static nm_status add(csv_table *t, csv_column *c, const char *text, size_t length,
                     const char *memory)
{
    if (nm_csv_words_find(&c->words, text, length)) {
        c->repeats = true;
    } else {
        const char *stays = kept(t, text, length, memory);
        if (!stays || !nm_csv_words_add(&c->words, stays, length, 0)) {
            return NM_ERROR_MEMORY;
        }
    }
    const bool until_many =
        c->gather == CSV_GATHER_FEW || (c->gather == CSV_GATHER_DIFFERENT && c->repeats);
    c->broken_off = until_many && !c->is_category && c->words.count > CSV_MOST_CATEGORIES;
    return NM_OK;
}

static bool is_ignored(const csv_table *t, const csv_walk *w, const nm_ignored *ignored)
{
    double number;
    return ignored->on &&
           nm_csv_number(&t->form, w->place.cell, w->place.length, &number) == CSV_WHOLE &&
           number == (double)ignored->label;
}

static nm_status gather_cell(csv_table *t, csv_column *c, const csv_walk *w,
                             const nm_ignored *ignored)
{
    char memory[CSV_LONGEST_NAME];
    size_t length;
    double number;
    if (nm_csv_look(&t->form, &t->options->missing_texts, w->place.cell, w->place.length,
                    &number) == CSV_SEEN_MISSING ||
        (c->gather == CSV_GATHER_ALL && is_ignored(t, w, ignored))) {
        return NM_OK;
    }
    const char *text = nm_csv_name_of(t, w, memory, &length);
    c->broken_off = !text;
    c->repeats |= !text; /* nobody knows */
    return text ? add(t, c, text, length, memory) : NM_OK;
}

nm_status nm_csv_gather(csv_table *t, const nm_ignored *ignored)
{
    csv_walk w = t->begin;
    int64_t wanted = 0;
    for (int64_t i = 0; i < t->columns; i++) {
        wanted += t->column[i].gather != CSV_GATHER_NONE;
    }
    while (wanted && nm_csv_begin_row(&w)) {
        for (int64_t i = 0; i < t->columns; i++) {
            csv_column *c = &t->column[i];
            double number;
            const bool is_wanted = c->gather != CSV_GATHER_NONE && !c->broken_off;
            if (!is_wanted && nm_csv_next_digits(&w, &number)) {
                continue;
            }
            nm_status status = nm_csv_next(&w);
            if (status == NM_OK && is_wanted) {
                status = gather_cell(t, c, &w, ignored);
            }
            if (status != NM_OK) {
                return status;
            }
        }
    }
    return NM_OK;
}

/* ---- The same but for capitals ---- */

#define MOST_COMPARED 512

static bool differ_in_case(const csv_word *a, const csv_word *b)
{
    return a->length > 1 && a->length == b->length && !strncasecmp(a->text, b->text, a->length);
}

void nm_csv_warn_of_case(const csv_table *t, int64_t column)
{
    char text[CSV_COLUMN_TEXT], shown[2][CSV_SHOWN];
    const csv_words *words = &t->column[column].words;
    for (int i = 0; i < words->count && words->count <= MOST_COMPARED; i++) {
        for (int k = 0; k < i; k++) {
            const csv_word *a = &words->word[k], *b = &words->word[i];
            if (differ_in_case(a, b)) {
                nm_context_log(t->context, NM_LOG_WARNING,
                               "%s: \"%s\" and \"%s\" of %s are told apart by their letters' case; "
                               "if they mean the same, write them alike",
                               t->text.title, nm_csv_shown(a->text, a->length, shown[0]),
                               nm_csv_shown(b->text, b->length, shown[1]),
                               nm_csv_column_text(t, column, text));
                return;
            }
        }
    }
}

/* ---- Numbering ---- */

/* A word with its number, if it is one. */
typedef struct entry {
    csv_word word;
    bool is_number;
    double number;
} entry;

/* Numbers by size, then texts by their bytes. */
static int compare(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->is_number != y->is_number) {
        return x->is_number ? -1 : 1;
    }
    if (x->is_number && x->number != y->number) {
        return x->number > y->number ? 1 : -1;
    }
    const size_t shorter = x->word.length < y->word.length ? x->word.length : y->word.length;
    const int order = memcmp(x->word.text, y->word.text, shorter);
    return order ? order : (x->word.length > y->word.length) - (x->word.length < y->word.length);
}

static entry *sort(const csv_words *words)
{
    entry *entries = nm_alloc_zero(words->context, (size_t)words->count, sizeof *entries);
    for (int i = 0; entries && i < words->count; i++) {
        char text[CSV_LONGEST_NAME + 1];
        entries[i].word = words->word[i];
        memcpy(text, words->word[i].text, words->word[i].length);
        text[words->word[i].length] = 0;
        entries[i].is_number = nm_parse_float(text, &entries[i].number);
        entries[i].word.value = i;
    }
    if (entries) {
        qsort(entries, (size_t)words->count, sizeof *entries, compare);
    }
    return entries;
}

const char *const *nm_csv_number_words(csv_table *t, csv_words *words)
{
    entry *entries = sort(words);
    const char **names =
        entries ? nm_schema_alloc(t->memory, (size_t)words->count, sizeof *names) : NULL;
    for (int i = 0; names && i < words->count; i++) {
        words->word[entries[i].word.value].value = i;
        names[i] = nm_schema_copy(t->memory, entries[i].word.text, entries[i].word.length);
        names = names[i] ? names : NULL;
    }
    nm_free(words->context, entries);
    return names;
}
