/* Numbers with a mark of what they count: 12.5%, $1,200.50, 3,50 €, EUR 20, -$5, ($5).
 *
 * 1. A mark stands before or behind the number, with or without a blank between; per cent and per
 *    mille behind it. A sign stands before all of it or at the number; amounts in parentheses are
 *    negative, as accountants write them.
 * 2. The number is what is written: 12.5% is 12.5. So all cells of a column must have the same
 * mark, here and in every other table of the network: of 12 and 5%, nobody could tell how they
 * compare.
 * 3. Marks are those listed here; any other text at a number makes it a text, and so does a number
 *    that begins with a comma, which is another cell. */
#include "optim/data/csv/csv.h"

/* Longer ones before those that they end in. */
static const char *const units[] = {
    "%",
    "\xe2\x80\xb0", /* per mille */
    "US$",
    "HK$",
    "NT$",
    "R$",
    "A$",
    "C$",
    "S$",
    "NZ$",
    "$",
    "\xe2\x82\xac",
    "\xc2\xa3",
    "\xc2\xa5", /* €, £, ¥ */
    "\xc2\xa2", /* ¢ */
    "\xe2\x82\xb9",
    "\xe2\x82\xbd",
    "\xe2\x82\xa9",
    "\xe2\x82\xba",
    "\xe2\x82\xb4", /* ₹ ₽ ₩ ₺ ₴ */
    "\xe2\x82\xab",
    "\xe2\x82\xaa",
    "\xe2\x82\xa6",
    "\xe2\x82\xb1",
    "\xe2\x82\xbf", /* ₫ ₪ ₦ ₱ ₿ */
    "\xe0\xb8\xbf", /* ฿ */
    "USD",
    "EUR",
    "GBP",
    "JPY",
    "CNY",
    "CHF",
    "INR",
    "CAD",
    "AUD",
    "NZD",
    "SEK",
    "NOK",
    "DKK",
    "PLN",
    "CZK",
    "HUF",
    "KRW",
    "BRL",
    "MXN",
    "ZAR",
    "TRY",
    "RUB",
    "SGD",
    "HKD",
};
#define SHARES 2 /* the first ones: no amounts of money */

static bool is_blank_at(const char *at, const char *end, size_t *size)
{
    static const char *const blanks[] = {" ", "\xc2\xa0",
                                         "\xe2\x80\xaf"}; /* two that don't break */
    for (size_t i = 0; i < NM_COUNT_OF(blanks); i++) {
        *size = strlen(blanks[i]);
        if ((size_t)(end - at) >= *size && !memcmp(at, blanks[i], *size)) {
            return true;
        }
    }
    return false;
}

static void skip_blanks(csv_quantity *q)
{
    size_t size;
    while (is_blank_at(q->begin, q->end, &size)) {
        q->begin += size;
    }
    for (size_t back = 1; back <= 3 && q->end - q->begin >= (ptrdiff_t)back;) {
        const bool blank = is_blank_at(q->end - back, q->end, &size) && size == back;
        q->end -= blank ? back : 0;
        back = blank ? 1 : back + 1;
    }
}

static bool take_before(csv_quantity *q)
{
    for (int i = SHARES; i < NM_COUNT_OF(units); i++) {
        const size_t size = strlen(units[i]);
        if ((size_t)(q->end - q->begin) > size && !memcmp(q->begin, units[i], size)) {
            q->begin += size;
            q->unit = units[i];
            return true;
        }
    }
    return false;
}

static bool take_behind(csv_quantity *q)
{
    for (int i = 0; i < NM_COUNT_OF(units); i++) {
        const size_t size = strlen(units[i]);
        if ((size_t)(q->end - q->begin) > size && !memcmp(q->end - size, units[i], size)) {
            q->end -= size;
            q->unit = units[i];
            return true;
        }
    }
    return false;
}

static bool may_end_a_mark(char c)
{
    return c == '%' || c == '$' || c & 0x80 || (c >= 'A' && c <= 'Z');
}

/* Whether it is worth a look: nearly no text is. */
static bool may_be(const char *text, size_t length)
{
    const char first = *text, last = length ? text[length - 1] : 'a';
    const bool digit = (last >= '0' && last <= '9') || last == '.' || last == ')';
    return length > 1 &&
           (may_end_a_mark(last) || (digit && (may_end_a_mark(first) || strchr("(-+", first))));
}

static bool take_parentheses(csv_quantity *q)
{
    if (*q->begin != '(' || q->end[-1] != ')') {
        return false;
    }
    q->begin++;
    q->end--;
    skip_blanks(q);
    return true;
}

/* A sign, where the mark stands between it and the number. */
static void take_sign(csv_quantity *q)
{
    const int minus = nm_csv_minus(q->begin, q->end);
    csv_quantity behind = {.begin = q->begin + (minus ? minus : 1), .end = q->end};
    if (!minus && *q->begin != '+') {
        return;
    }
    skip_blanks(&behind);
    if (take_before(&behind)) {
        *q = (csv_quantity){.begin = behind.begin,
                            .end = behind.end,
                            .unit = behind.unit,
                            .negative = minus > 0,
                            .is_signed = true};
    }
}

bool nm_csv_split_quantity(const char *text, size_t length, csv_quantity *q)
{
    *q = (csv_quantity){.begin = text, .end = text + length};
    if (!may_be(text, length)) {
        return false;
    }
    const bool parentheses = take_parentheses(q);
    if (q->begin < q->end && !parentheses) {
        take_sign(q);
    }
    if (!q->unit && (q->begin >= q->end || (!take_before(q) && !take_behind(q)))) {
        return false;
    }
    skip_blanks(q);
    const bool sign = nm_csv_minus(q->begin, q->end) || (q->begin < q->end && *q->begin == '+');
    const bool share = q->unit == units[0] || q->unit == units[1];
    if (q->begin >= q->end || *q->begin == ',' || (sign && (q->is_signed || parentheses)) ||
        (share && parentheses)) {
        return false;
    }
    q->negative |= parentheses;
    return true;
}

const char *nm_csv_quantity(const csv_form *form, const char *text, size_t length, double *value)
{
    csv_quantity q;
    if (!nm_csv_split_quantity(text, length, &q)) {
        return NULL;
    }
    const csv_number kind = nm_csv_number(form, q.begin, (size_t)(q.end - q.begin), value);
    if (kind != CSV_WHOLE && kind != CSV_FRACTION) {
        return NULL;
    }
    *value = q.negative ? -*value : *value;
    return q.unit;
}

/* ---- Of a whole column ---- */

nm_status nm_csv_check_units(const csv_table *t, int64_t i)
{
    char column[CSV_COLUMN_TEXT];
    const csv_column *c = &t->column[i];
    if (!c->unit || c->is_category) {
        return NM_OK;
    }
    const char *otherwise =
        c->role == CSV_ROLE_TARGET
            ? ""
            : ", leave the column out with `ignore`, or name it in `categories`";
    nm_csv_column_text(t, i, column);
    if (c->other_unit_place.line) {
        return nm_csv_fail(
            &t->text, &c->other_unit_place,
            "has another mark than \"%s\", which other cells of %s have, so that they "
            "do not compare; convert them%s",
            c->unit, column, otherwise);
    }
    const int64_t plain = c->numbers - c->marked;
    if (plain) {
        return nm_csv_fail(
            &t->text, &c->unit_place,
            "has the mark \"%s\", but %lld number%s of %s ha%s none, and nothing tells "
            "how they compare; write all in one way%s",
            c->unit, (long long)plain, plain == 1 ? "" : "s", column, plain == 1 ? "s" : "ve",
            otherwise);
    }
    return NM_OK;
}
