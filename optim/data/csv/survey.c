/* The first walk over all rows of samples. Every row has as many cells as there are columns, which
 * bounds what is allocated for the table by the file's size. */
#include <math.h>

#include "optim/data/csv/csv.h"

static void see_number(csv_column *c, double number)
{
    if (c->numbers++) {
        c->counts &= number == c->last + 1 && number != c->last;
        c->constant &= number == c->first;
    } else {
        c->first = number;
        c->counts = c->constant = true;
    }
    c->wide |= (double)(float)number != number;
    c->rounded |= fabs(number) > 0x1p53;
    c->small |= nm_is_label(number);
    c->last = number;
}

static void see_first(csv_place *place, const csv_walk *w)
{
    if (!place->line) {
        *place = w->place;
    }
}

static void see_other(csv_column *c, const csv_walk *w, unsigned seen)
{
    if (seen == CSV_SEEN_MISSING) {
        c->missing++;
        see_first(&c->missing_place, w);
    } else if (seen == CSV_SEEN_DASH) {
        c->dashes++;
        see_first(&c->dash_place, w);
    } else if (seen == CSV_SEEN_INFINITE) {
        see_first(&c->infinite_place, w);
    } else {
        c->texts++;
        see_first(&c->text_place, w);
        c->dates += (seen & CSV_SEEN_DATES) != 0;
        if (!(seen & CSV_SEEN_DATES)) {
            see_first(&c->stray_place, w);
        }
    }
}

static void see_marked(const csv_table *t, csv_column *c, const csv_walk *w)
{
    double number;
    const char *unit = nm_csv_quantity(&t->form, w->place.cell, w->place.length, &number);
    c->unit = c->unit ? c->unit : unit;
    see_first(unit == c->unit ? &c->unit_place : &c->other_unit_place, w);
    c->marked++;
    see_number(c, number);
}

static nm_status wrong_count(const csv_table *t, int64_t line, int64_t cells)
{
    const bool one = cells == 1 || t->columns == 1;
    const bool titled = t->form.header && !t->rows && cells > t->columns;
    return nm_fail(
        t->context, NM_ERROR_FORMAT, "%s:%lld:1: %lld cells, but the first line has %lld%s%s",
        t->text.title, (long long)line, (long long)cells, (long long)t->columns,
        titled ? "; if that is a title, remove it" : "", one ? "; is the separator right?" : "");
}

static void see_digits(csv_column *c, double number)
{
    c->seen |= CSV_SEEN_WHOLE;
    see_number(c, number);
}

static nm_status survey_row(csv_table *t, csv_walk *w)
{
    const bool usual = t->options->missing_texts.count == 0;
    const int64_t line = w->line;
    int64_t cells = 0;
    for (w->row_ends = false; !w->row_ends; cells++) {
        double number;
        if (usual && cells < t->columns && nm_csv_next_digits(w, &number)) {
            see_digits(&t->column[cells], number);
            continue;
        }
        nm_status status = nm_csv_next(w);
        if (status != NM_OK) {
            return status;
        }
        if (cells >= t->columns) {
            continue; /* to count them */
        }
        csv_column *c = &t->column[cells];
        const unsigned seen = nm_csv_look(&t->form, &t->options->missing_texts, w->place.cell,
                                          w->place.length, &number);
        c->seen |= seen;
        if (seen & CSV_SEEN_NUMBERS) {
            see_number(c, number);
        } else if (seen == CSV_SEEN_MARKED) {
            see_marked(t, c, w);
        } else {
            see_other(c, w, seen);
        }
    }
    return cells == t->columns ? NM_OK : wrong_count(t, line, cells);
}

nm_status nm_csv_survey(csv_table *t)
{
    csv_walk w = t->begin;
    nm_status status = NM_OK;
    while (status == NM_OK && nm_csv_begin_row(&w)) {
        status = survey_row(t, &w);
        t->rows++;
    }
    if (status == NM_OK && t->rows == 0) {
        return nm_fail(t->context, NM_ERROR_FORMAT, "%s: no samples%s", t->text.title,
                       t->form.header ? " below the header (if it is none, say `header: no`)" : "");
    }
    return status;
}
