/* Which mark stands before decimals, and which between thousands: found from all cells, where
 * commas can be either.
 *
 *   1,5  0,125  ,5  1.234,5  1.234.567     only with a decimal comma
 *   1.5  0.125  1,234.5  1,234,567         only with a decimal point
 *   1 234,567  1'234,5                     a mark of thousands is there, and the comma is none
 *   1,234                                  either
 *
 * 1. Where both kinds occur, or nothing but the last one, it is an error that says so: a wrong
 * guess would be a wrong number without a word. But where commas separate the cells, they are
 * decimal only if no point is: so nobody writes tables who writes 1,5.
 * 2. Without commas in cells there is nothing to find, and the file is not walked through. */
#include "optim/data/csv/csv.h"

typedef struct evidence {
    csv_place comma, point, either; /* the first cell of each kind; line 0: none */
} evidence;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits from `at` on. */
static int digits_at(const char *at, const char *end)
{
    int count = 0;
    while (at + count < end && is_digit(at[count])) {
        count++;
    }
    return count;
}

/* The same with groups of three behind blanks and apostrophes; *at moves past them. */
static int whole_at(const char **at, const char *end)
{
    const int first = digits_at(*at, end);
    int count = first, size = 0;
    for (*at += first; first >= 1 && first <= 3; count += 3, *at += size + 3) {
        size = nm_csv_blank_mark(*at, end);
        if (!size || digits_at(*at + size, end) != 3) {
            break;
        }
    }
    return count;
}

/* The shape of a cell: digits, then groups behind marks. */
typedef struct shape {
    int before;         /* digits before the first mark; of blanks and apostrophes, behind them */
    bool zero;          /* which begin with 0 */
    int commas, points; /* marks */
    char last;          /* the last mark */
    int behind;         /* digits behind it */
    bool threes;        /* of three digits behind each mark but the last */
    bool exponent;
} shape;

/* False: it is no number in either way. */
static bool shape_of(const char *at, const char *end, shape *s)
{
    *s = (shape){.threes = true};
    at += at < end && *at == '+' ? 1 : nm_csv_minus(at, end);
    s->zero = at < end && *at == '0';
    s->before = whole_at(&at, end);
    s->behind = 3;
    for (; at < end && (*at == ',' || *at == '.'); at += s->behind) {
        s->threes &= s->behind == 3;
        s->last = *at++;
        *(s->last == ',' ? &s->commas : &s->points) += 1;
        s->behind = digits_at(at, end);
    }
    if (at < end && (*at == 'e' || *at == 'E') && at + 1 < end) {
        s->exponent = true;
        at++;
        at += *at == '+' ? 1 : nm_csv_minus(at, end);
        at += digits_at(at, end);
    }
    return at == end && s->commas + s->points > 0 && s->before + s->behind > 0;
}

/* The mark that must be the decimal one: ',' or '.'; '?': either; 0: it is no number. */
static char decimal_of(const shape *s)
{
    const bool groups = s->before >= 1 && s->before <= 3 && !s->zero && s->threes;
    const bool last_is_group = groups && s->behind == 3 && !s->exponent;
    const char other = s->last == ',' ? '.' : ',';
    if (s->commas && s->points) { /* the last one, which is there once */
        const int lasts = s->last == ',' ? s->commas : s->points;
        return (char)(groups && lasts == 1 ? s->last : 0);
    }
    if (s->commas + s->points > 1) {
        return (char)(last_is_group ? other : 0);
    }
    return (char)(last_is_group ? '?' : s->last);
}

static void look(evidence *e, const csv_walk *w)
{
    shape s;
    csv_quantity q;
    const char *cell = w->place.cell, *end = cell + w->place.length;
    if (nm_csv_split_quantity(cell, w->place.length, &q)) {
        cell = q.begin;
        end = q.end;
    }
    const char decimal = (char)(shape_of(cell, end, &s) ? decimal_of(&s) : 0);
    csv_place *place = decimal == ',' ? &e->comma : decimal == '.' ? &e->point : &e->either;
    if (decimal && !place->line && (decimal != '?' || s.last == ',')) {
        *place = w->place;
    }
}

/* ---- Deciding ---- */

static nm_status both(const csv_table *t, const evidence *e)
{
    char shown[CSV_SHOWN];
    return nm_csv_fail(&t->text, &e->comma,
                       "has a decimal comma, but \"%s\" in line %lld a point; say `decimal: \",\"` "
                       "or `decimal: \".\"`",
                       nm_csv_shown(e->point.cell, e->point.length, shown),
                       (long long)e->point.line);
}

static nm_status decide(csv_table *t, const evidence *e)
{
    const bool open = t->form.separator != ',';
    if (open && e->comma.line && e->point.line) {
        return both(t, e);
    }
    if (open && !e->comma.line && !e->point.line && e->either.line) {
        return nm_csv_fail(&t->text, &e->either,
                           "has a comma that may stand before decimals or between thousands; say "
                           "`decimal: \",\"` or `decimal: \".\"`");
    }
    if (e->comma.line && !e->point.line) {
        t->form.decimal = ',';
        t->form.thousands = '.';
    }
    return NM_OK;
}

/* Promise 2. */
static bool may_have_commas(const csv_table *t)
{
    const size_t size = (size_t)(t->text.end - t->text.begin);
    const char sought = t->form.separator == ',' ? t->form.quote : ',';
    return sought && memchr(t->text.begin, sought, size);
}

nm_status nm_csv_find_marks(csv_table *t)
{
    const bool comma = t->options->decimal == NM_CSV_DECIMAL_COMMA;
    t->form.decimal = comma ? ',' : '.';
    t->form.thousands = comma ? '.' : ',';
    if (t->options->decimal != NM_CSV_DECIMAL_AUTO || !may_have_commas(t)) {
        return NM_OK;
    }
    evidence e = {.comma = {.line = 0}};
    csv_walk w = nm_csv_walk(&t->text, &t->form);
    while (nm_csv_begin_row(&w)) {
        for (w.row_ends = false; !w.row_ends;) {
            nm_status status = nm_csv_next(&w);
            if (status != NM_OK) {
                return status;
            }
            look(&e, &w);
        }
    }
    return decide(t, &e);
}
