/* Dates and times of day, as days since 1970-01-01.
 *
 *   2020-01-31 2020/1/31 2020.01.31 2020-01      year first: ISO 8601 and its like
 *   31.01.2020 31/1/2020 31-1-20                 day or month first: as the whole column is
 *   31-Jan-2020, 31 January 2020, Jan 31, 2020   the month by its name
 *   10:15 10:15:30.5 10:15 PM                    after a date (also after a T), or alone
 *   ...Z ...+02:00                               taken off
 *
 * Two digits of a year are those from 1969 to 2068, as POSIX has it. */
#include "optim/data/csv/csv.h"

typedef struct reader {
    const char *at, *end;
} reader;

/* ---- Pieces ---- */

static char peek(const reader *r)
{
    return (char)(r->at < r->end ? *r->at : 0);
}

static bool take(reader *r, char c)
{
    const bool there = peek(r) == c;
    r->at += there;
    return there;
}

/* `least` to `most` digits, not followed by another one; how many, 0: none. */
static int take_number(reader *r, int least, int most, int *number)
{
    const char *at = r->at;
    int count = 0;
    *number = 0;
    for (; at < r->end && *at >= '0' && *at <= '9'; at++, count++) {
        if (count == most) {
            return 0;
        }
        *number = *number * 10 + (*at - '0');
    }
    if (count < least) {
        return 0;
    }
    r->at = at;
    return count;
}

/* A month's name in three letters or in full, in any case; 0: none. */
static int take_month(reader *r)
{
    static const char *const names[] = {"january",   "february", "march",    "april",
                                        "may",       "june",     "july",     "august",
                                        "september", "october",  "november", "december"};
    const char *at = r->at;
    while (at < r->end && ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z'))) {
        at++;
    }
    const size_t length = (size_t)(at - r->at);
    for (int i = 0; i < 12; i++) {
        const bool whole = nm_csv_same_word(r->at, length, names[i]);
        const char three[] = {names[i][0], names[i][1], names[i][2], 0};
        if (whole || nm_csv_same_word(r->at, length, three)) {
            r->at = at;
            take(r, '.');
            return i + 1;
        }
    }
    return 0;
}

/* ---- Days ---- */

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Days since 1970-01-01 (Howard Hinnant, chrono-compatible low-level date algorithms). */
static int64_t days_of(int year, int month, int day)
{
    const int64_t y = (int64_t)year - (month <= 2);
    const int64_t era = floor_divide(y, 400), of_era = y - era * 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool is_day(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (leap && month == 2);
}

/* ---- The date ---- */

static bool take_separator(reader *r, char *separator)
{
    *separator = peek(r);
    return (*separator == '-' || *separator == '/' || *separator == '.') && take(r, *separator);
}

static bool year_first(reader *r, csv_date *d)
{
    char separator;
    if (!take_number(r, 4, 4, &d->year) || !take_separator(r, &separator) ||
        !take_number(r, 1, 2, &d->month)) {
        return false;
    }
    d->day = 1;
    d->order = NM_DATE_YEAR_FIRST;
    if (separator != '.' && peek(r) != separator) {
        return true; /* 2020-01 */
    }
    return take(r, separator) && take_number(r, 1, 2, &d->day);
}

static bool take_year(reader *r, int *year)
{
    const int digits = take_number(r, 2, 4, year);
    *year += digits == 2 ? (*year < 69 ? 2000 : 1900) : 0;
    return digits == 2 || digits == 4;
}

/* Day and month as they stand: which is which tells the column. */
static bool year_last(reader *r, csv_date *d)
{
    char separator;
    if (!take_number(r, 1, 2, &d->day) || !take_separator(r, &separator) ||
        !take_number(r, 1, 2, &d->month) || !take(r, separator) || !take_year(r, &d->year)) {
        return false;
    }
    d->order = d->day > 12 || separator == '.' ? NM_DATE_DAY_FIRST
               : d->month > 12                 ? NM_DATE_MONTH_FIRST
                                               : CSV_ORDER_OPEN;
    return true;
}

static void skip_marks(reader *r)
{
    while (peek(r) == ' ' || peek(r) == '-' || peek(r) == ',') {
        r->at++;
    }
}

/* 31-Jan-2020, Jan 31, 2020, Jan-2020 */
static bool month_by_name(reader *r, csv_date *d)
{
    bool has_day = take_number(r, 1, 2, &d->day);
    skip_marks(r);
    if (!(d->month = take_month(r))) {
        return false;
    }
    skip_marks(r);
    if (!has_day) {
        has_day = take_number(r, 1, 2, &d->day);
        skip_marks(r);
    }
    d->day = has_day ? d->day : 1;
    d->order = NM_DATE_YEAR_FIRST; /* nothing is left open */
    return take_number(r, 4, 4, &d->year);
}

/* ---- The time of day ---- */

/* The digits behind the seconds. */
static void take_fraction(reader *r, double *seconds)
{
    double unit = 0.1;
    if (peek(r) != '.' && peek(r) != ',') {
        return;
    }
    r->at++;
    for (; peek(r) >= '0' && peek(r) <= '9'; unit /= 10) {
        *seconds += unit * (*r->at++ - '0');
    }
}

/* 12 AM is midnight, 12 PM noon. */
static bool take_half(reader *r, int *hour)
{
    reader look = *r;
    while (take(&look, ' ')) {
    }
    const bool am = nm_csv_same_word(look.at, (size_t)(look.end - look.at), "am");
    if (!am && !nm_csv_same_word(look.at, (size_t)(look.end - look.at), "pm")) {
        return true;
    }
    r->at = r->end;
    const bool fine = *hour >= 1 && *hour <= 12;
    *hour = *hour % 12 + (am ? 0 : 12);
    return fine;
}

static bool take_offset(reader *r, double *seconds)
{
    int hours, minutes = 0;
    if (take(r, 'Z') || (peek(r) != '+' && peek(r) != '-')) {
        return true;
    }
    const double sign = *r->at++ == '-' ? 1 : -1;
    if (!take_number(r, 2, 2, &hours)) {
        if (!take_number(r, 4, 4, &hours)) {
            return false;
        }
        minutes = hours % 100;
        hours /= 100;
    } else if (take(r, ':') && !take_number(r, 2, 2, &minutes)) {
        return false;
    }
    *seconds += sign * (hours * 3600 + minutes * 60);
    return hours < 24 && minutes < 60;
}

/* 10:15, 10:15:30.5 */
static bool take_time(reader *r, double *seconds)
{
    int hour, minute, second = 0;
    if (!take_number(r, 1, 2, &hour) || !take(r, ':') || !take_number(r, 2, 2, &minute) ||
        (take(r, ':') && !take_number(r, 2, 2, &second))) {
        return false;
    }
    double fraction = 0;
    take_fraction(r, &fraction);
    if (!take_half(r, &hour)) {
        return false;
    }
    *seconds = hour * 3600 + minute * 60 + second + fraction;
    return hour < 24 && minute < 60 && second <= 60;
}

/* ---- Both ---- */

static bool take_date(reader *r, csv_date *d)
{
    const reader begin = *r;
    if (year_first(r, d)) {
        return true;
    }
    *r = begin;
    if (year_last(r, d)) {
        return true;
    }
    *r = begin;
    return month_by_name(r, d);
}

/* Whether month and day are right, in one order at least. */
static bool is_possible(const csv_date *d)
{
    return (d->order == NM_DATE_MONTH_FIRST || is_day(d->year, d->month, d->day)) &&
           (d->order != NM_DATE_MONTH_FIRST || is_day(d->year, d->day, d->month));
}

static bool take_time_behind(reader *r, csv_date *d)
{
    if (r->at == r->end) {
        return true;
    }
    if (!take(r, 'T') && !take(r, 't')) {
        if (peek(r) != ' ') {
            return false;
        }
        while (take(r, ' ')) {
        }
    }
    return take_time(r, &d->seconds) && take_offset(r, &d->seconds);
}

bool nm_csv_date(const char *text, size_t length, csv_date *date)
{
    reader r = {text, text + length};
    *date = (csv_date){.year = 1970, .month = 1, .day = 1, .order = NM_DATE_YEAR_FIRST};
    if (length < 4 || length > 48) {
        return false;
    }
    if (take_time(&r, &date->seconds) && r.at == r.end) {
        return true;
    }
    r.at = text;
    date->seconds = 0;
    return take_date(&r, date) && is_possible(date) && take_time_behind(&r, date) && r.at == r.end;
}

bool nm_csv_days(const csv_date *date, int order, double *days)
{
    const bool month_first = date->order != NM_DATE_YEAR_FIRST && order == NM_DATE_MONTH_FIRST;
    const int month = month_first ? date->day : date->month;
    const int day = month_first ? date->month : date->day;
    *days = (double)days_of(date->year, month, day) + date->seconds / 86400;
    return is_day(date->year, month, day);
}
