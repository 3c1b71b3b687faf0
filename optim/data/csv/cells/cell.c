/* What a cell is, whatever its column. */
#include "optim/data/csv/csv.h"

/* ---- Missing ones ---- */

static bool is_missing(const char *text, size_t length)
{
    static const char *const words[] = {"?",   "na",   "n/a",  "#n/a", "<na>",
                                        "nan", ".nan", "-nan", "null", NULL};
    if (length > 4) {
        return false;
    }
    for (int i = 0; words[i]; i++) {
        if (nm_csv_same_word(text, length, words[i])) {
            return true;
        }
    }
    return !length;
}

static bool is_among(const nm_strings *texts, const char *text, size_t length)
{
    for (int i = 0; i < texts->count; i++) {
        if (strlen(texts->at[i]) == length && !memcmp(texts->at[i], text, length)) {
            return true;
        }
    }
    return false;
}

/* ---- Words for true and false ---- */

static const struct {
    const char *word;
    unsigned seen;
    bool is_true;
} flags[] = {
    {"true", CSV_SEEN_TRUE, true}, {"false", CSV_SEEN_TRUE, false}, {"yes", CSV_SEEN_YES, true},
    {"no", CSV_SEEN_YES, false},   {"t", CSV_SEEN_T, true},         {"f", CSV_SEEN_T, false},
    {"y", CSV_SEEN_Y, true},       {"n", CSV_SEEN_Y, false},        {"on", CSV_SEEN_ON, true},
    {"off", CSV_SEEN_ON, false},
};

/* -1: it is none. */
static int find_flag(const char *text, size_t length)
{
    if (length > strlen("false")) {
        return -1;
    }
    for (int i = 0; i < NM_COUNT_OF(flags); i++) {
        if (nm_csv_same_word(text, length, flags[i].word)) {
            return i;
        }
    }
    return -1;
}

bool nm_csv_is_true(const char *text, size_t length)
{
    const int flag = find_flag(text, length);
    return flag >= 0 && flags[flag].is_true;
}

/* ---- All of it ---- */

static unsigned date_of(const csv_date *date)
{
    switch (date->order) {
    case NM_DATE_DAY_FIRST: return CSV_SEEN_DAY_FIRST;
    case NM_DATE_MONTH_FIRST: return CSV_SEEN_MONTH_FIRST;
    case CSV_ORDER_OPEN: return CSV_SEEN_ORDER_OPEN;
    default: return CSV_SEEN_DATE;
    }
}

static unsigned look_at_text(const char *text, size_t length)
{
    csv_date date;
    if (is_missing(text, length)) {
        return CSV_SEEN_MISSING;
    }
    if (length == 1 && (*text == '-' || *text == '.')) {
        return CSV_SEEN_DASH;
    }
    const int flag = find_flag(text, length);
    if (flag >= 0) {
        return flags[flag].seen;
    }
    return nm_csv_date(text, length, &date) ? date_of(&date) : CSV_SEEN_TEXT;
}

unsigned nm_csv_look(const csv_form *form, const nm_strings *missing, const char *text,
                     size_t length, double *value)
{
    if (missing->count && is_among(missing, text, length)) {
        return CSV_SEEN_MISSING;
    }
    switch (nm_csv_number(form, text, length, value)) {
    case CSV_WHOLE: return CSV_SEEN_WHOLE;
    case CSV_FRACTION: return CSV_SEEN_FRACTION;
    case CSV_INFINITE: return CSV_SEEN_INFINITE;
    default:
        return nm_csv_quantity(form, text, length, value) ? CSV_SEEN_MARKED
                                                          : look_at_text(text, length);
    }
}
