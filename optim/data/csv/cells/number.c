/* Numbers as tables have them: 1234.5, 1,234.5, 1.234,5, 1 234,5, +.5, 1e-3, also behind a
 * typographic minus. They never depend on the locale.
 *
 * 1. Groups of a thousands mark have three digits, but for the first one; then the number is whole
 *    up to the decimal mark. Blanks (also those that do not break) and apostrophes may stand for
 * it.
 * 2. The result is the nearest double, as strtod() gives it: where mantissa and power of ten are
 *    exact, one division or multiplication is rounded once; all else is left to nm_parse_float().
 */
#include <float.h>
#include <math.h>

#include "optim/data/csv/csv.h"

#define MOST_DIGITS 19     /* which a uint64_t holds */
#define LONGEST_NUMBER 480 /* nm_parse_float()'s own bound is a little higher */

/* A number being taken apart. */
typedef struct parts {
    const char *at, *end;
    bool negative;
    uint64_t mantissa; /* of the first MOST_DIGITS digits that are not leading zeros */
    int digits;        /* of the mantissa */
    bool cut;          /* there were more */
    int scale;         /* the mantissa is to be divided by 10^scale */
    bool fraction;     /* a decimal mark or an exponent was there */
    int seen;          /* digits, leading zeros too */
    char text[LONGEST_NUMBER + 20];
    int length;
} parts;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void put(parts *p, char c)
{
    p->text[p->length++] = c;
}

static void take_digit(parts *p, bool after_mark)
{
    const int digit = *p->at++ - '0';
    put(p, (char)('0' + digit));
    p->seen++;
    if (p->digits < MOST_DIGITS) {
        p->mantissa = p->mantissa * 10 + (uint64_t)digit;
        p->digits += p->mantissa > 0;
        p->scale += after_mark;
    } else {
        p->cut = true;
    }
}

static void take_digits(parts *p, bool after_mark)
{
    while (p->at < p->end && is_digit(*p->at)) {
        take_digit(p, after_mark);
    }
}

/* ---- Groups ---- */

int nm_csv_blank_mark(const char *at, const char *end)
{
    static const char *const marks[] = {" ", "'", "\xc2\xa0", "\xe2\x80\xaf", "\xe2\x80\x99"};
    if ((unsigned char)*at > '\'' && (unsigned char)*at < 0x80) {
        return 0; /* as nearly always */
    }
    for (size_t i = 0; i < NM_COUNT_OF(marks); i++) {
        const size_t size = strlen(marks[i]);
        if (end > at && (size_t)(end - at) > size && !memcmp(at, marks[i], size)) {
            return (int)size;
        }
    }
    return 0;
}

/* Bytes of the thousands mark at `at`; 0: none is there. */
static int mark_size(const csv_form *form, const parts *p)
{
    return *p->at == form->thousands ? 1 : nm_csv_blank_mark(p->at, p->end);
}

static bool is_group(const parts *p, int size)
{
    return p->end - p->at >= size + 3 && is_digit(p->at[size]) && is_digit(p->at[size + 1]) &&
           is_digit(p->at[size + 2]) && (p->end - p->at == size + 3 || !is_digit(p->at[size + 3]));
}

/* Promise 1. */
static void take_groups(const csv_form *form, parts *p)
{
    int size;
    if (p->seen < 1 || p->seen > 3) {
        return;
    }
    while (p->at < p->end && (size = mark_size(form, p)) && is_group(p, size)) {
        p->at += size;
        take_digits(p, false);
    }
}

/* ---- The rest ---- */

/* False: an exponent without digits. */
static bool take_exponent(parts *p)
{
    int exponent = 0, count = 0;
    if (p->at == p->end || (*p->at != 'e' && *p->at != 'E')) {
        return true;
    }
    put(p, *p->at++);
    const int minus = nm_csv_minus(p->at, p->end);
    if (minus || (p->at < p->end && *p->at == '+')) {
        put(p, minus ? '-' : '+');
        p->at += minus ? minus : 1;
    }
    for (; p->at < p->end && is_digit(*p->at); count++) {
        exponent = exponent < 10000 ? exponent * 10 + (*p->at - '0') : exponent;
        put(p, *p->at++);
    }
    p->scale -= minus ? -exponent : exponent;
    p->fraction = true;
    return count > 0;
}

/* Whether all of it is a number. */
static bool take_apart(const csv_form *form, parts *p)
{
    const int minus = nm_csv_minus(p->at, p->end);
    p->negative = minus > 0;
    if (minus || *p->at == '+') {
        put(p, minus ? '-' : '+');
        p->at += minus ? minus : 1;
    }
    take_digits(p, false);
    take_groups(form, p);
    if (p->at < p->end && *p->at == form->decimal) {
        p->fraction = true;
        put(p, '.');
        p->at++;
        take_digits(p, true);
    }
    return p->seen && take_exponent(p) && p->at == p->end;
}

#define EXACT_BELOW ((uint64_t)1 << 53)
#define EXACT_POWER 22

/* Promise 2. False: the number is out of a double's range, or too small for it. */
static bool convert(parts *p, double *value)
{
    static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (!p->cut && p->mantissa <= EXACT_BELOW && p->scale >= -EXACT_POWER &&
        p->scale <= EXACT_POWER) {
        const double mantissa = (double)p->mantissa;
        const double size =
            p->scale < 0 ? mantissa * powers[-p->scale] : mantissa / powers[p->scale];
        *value = p->negative ? -size : size;
        return true;
    }
    p->text[p->length] = 0;
    return nm_parse_float(p->text, value);
}

static bool is_infinity(const char *text, size_t length)
{
    static const char *const names[] = {"inf", ".inf", "infinity"};
    if (length && (*text == '-' || *text == '+')) {
        text++;
        length--;
    }
    for (size_t i = 0; i < NM_COUNT_OF(names); i++) {
        if (nm_csv_same_word(text, length, names[i])) {
            return true;
        }
    }
    return false;
}

csv_number nm_csv_number(const csv_form *form, const char *text, size_t length, double *value)
{
    parts p;
    int64_t whole = 0;
    size_t i = 0;
    for (; i < length && i < 15 && is_digit(text[i]); i++) { /* the usual case, for pixels */
        whole = whole * 10 + (text[i] - '0');
    }
    if (i == length && i) {
        *value = (double)whole;
        return CSV_WHOLE;
    }
    if (!length || length > LONGEST_NUMBER) {
        return CSV_NO_NUMBER;
    }
    memset(&p, 0, offsetof(parts, text));
    p.length = 0;
    p.at = text;
    p.end = text + length;
    if (!take_apart(form, &p)) {
        return is_infinity(text, length) ? CSV_INFINITE : CSV_NO_NUMBER;
    }
    const bool fits = convert(&p, value);
    if (!fits && p.scale > 0) { /* too small: 1e-400 */
        *value = 0;
        return CSV_FRACTION;
    }
    if (!fits || !(fabs(*value) <= (double)FLT_MAX)) {
        return CSV_INFINITE; /* to a network, which computes in f32 */
    }
    return p.fraction && *value != floor(*value) ? CSV_FRACTION : CSV_WHOLE; /* 3.0 is whole */
}
