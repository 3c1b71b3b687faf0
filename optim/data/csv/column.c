/* One column: what it is by what was seen of its cells, and how it is called. */
#include <stdio.h>

#include "optim/data/csv/csv.h"

static bool is_one_of_flags(unsigned seen)
{
    return nm_csv_only(seen, CSV_SEEN_FLAGS) && !(seen & (seen - 1));
}

/* Day and month as far as the cells tell, or the option; false: they contradict each other. */
static bool find_order(const csv_table *t, csv_column *c)
{
    const bool day = c->seen & CSV_SEEN_DAY_FIRST, month = c->seen & CSV_SEEN_MONTH_FIRST;
    const int said = t->options->dates, open = said ? said : CSV_ORDER_OPEN;
    c->order = day                             ? NM_DATE_DAY_FIRST
               : month                         ? NM_DATE_MONTH_FIRST
               : c->seen & CSV_SEEN_ORDER_OPEN ? open
                                               : NM_DATE_YEAR_FIRST;
    return !(day && month);
}

nm_status nm_csv_follow_order(const csv_table *t, int64_t i, int trained)
{
    char text[CSV_COLUMN_TEXT];
    csv_column *c = &t->column[i];
    c->order = trained;
    if (c->kind != NM_COLUMN_DATE) {
        return NM_OK;
    }
    if (!find_order(t, c)) {
        return nm_csv_fail(&t->text, &c->text_place,
                           "and other dates in %s contradict each other: the day stands first in "
                           "some, the month in others; write all in one way",
                           nm_csv_column_text(t, i, text));
    }
    const bool tells = c->order == NM_DATE_DAY_FIRST || c->order == NM_DATE_MONTH_FIRST;
    c->order = tells ? c->order : trained;
    return NM_OK;
}

int nm_csv_kind_of(const csv_table *t, csv_column *c)
{
    const unsigned seen = c->seen & ~(unsigned)(CSV_SEEN_NOTHING | CSV_SEEN_INFINITE);
    if (c->is_category) {
        return -1;
    }
    if (nm_csv_only(seen, CSV_SEEN_NUMBERS | CSV_SEEN_MARKED)) {
        return NM_COLUMN_NUMBER;
    }
    if (is_one_of_flags(seen)) {
        return NM_COLUMN_FLAG;
    }
    return nm_csv_only(seen, CSV_SEEN_DATES) && find_order(t, c) ? NM_COLUMN_DATE : -1;
}

const char *nm_csv_column_text(const csv_table *table, int64_t column, char text[CSV_COLUMN_TEXT])
{
    char shown[CSV_SHOWN];
    const char *name = table->column[column].name;
    if (*name) {
        snprintf(text, CSV_COLUMN_TEXT, "column \"%s\"", nm_csv_shown(name, strlen(name), shown));
    } else {
        snprintf(text, CSV_COLUMN_TEXT, "column %lld", (long long)column);
    }
    return text;
}
