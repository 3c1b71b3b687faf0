/* What the files of the CSV reader share. Nothing outside this folder includes it.
 *
 * The way of a table:
 *   text.c      the file's bytes -> UTF-8
 *   form.c      how its cells are told apart: separator and quotes (separator.c), decimal and
 *               thousands marks (marks.c), the header (header.c)
 *   walk.c      one cell after the other, with their places
 *   cells/      what they are: numbers, numbers with a unit, dates, words for true and false
 *   choose.c    which columns are the sample's and which the target's, by the options, or as the
 *               network has them (match.c)
 *   survey.c    the first walk over all rows: as many cells in each, and what they are
 *   kinds.c     what each column is, from that, and how its texts are numbered (gather.c)
 *   take.c      the last walk: numbers into memory */
#ifndef NM_OPTIM_DATA_CSV_H
#define NM_OPTIM_DATA_CSV_H

#include <math.h>
#include <string.h>

#include "core/op.h"
#include "core/option.h"
#include "optim/data/readers.h"
#include "optim/data/sources.h"

#define CSV_MOST_COLUMNS (1 << 18) /* what is kept of each takes memory, too */
#define CSV_MOST_CATEGORIES 64     /* of a column that nothing was said of */
#define CSV_LONGEST_NAME 1000      /* bytes of a header, a class's or a category's name */

/* ---- The text ---- */

typedef struct csv_text {
    nm_context *context;
    const char *title;       /* the file, for messages */
    const char *begin, *end; /* UTF-8 without a mark and without zero bytes; a 0 stands at `end` */
    int64_t line;            /* of `begin` */
    char *memory;
} csv_text;

/* Reads a file, gzip or plain: UTF-8, UTF-16, or Windows-1252, of which Latin-1 is the greater
 * part, and which is then told. On failure there is nothing to free. */
nm_status nm_csv_read(nm_context *context, const char *path, csv_text *text);
void nm_csv_free(csv_text *text);

/* ---- The form ---- */

typedef enum csv_class { CSV_STOP = 1, CSV_BLANK = 2, CSV_END = 4 } csv_class;

typedef struct csv_form {
    char separator;     /* ' ': any run of blanks and tabs */
    char quote;         /* around cells; 0: none */
    char decimal;       /* '.' or ',' */
    char thousands;     /* between groups of three digits: the other one */
    char comment;       /* lines that begin with it are left out; 0: none */
    bool header;        /* the first row names the columns */
    uint8_t class[256]; /* of a byte, csv_class: where a plain cell stops, what is a blank around
                           it, where a row ends */
} csv_form;

void nm_csv_set_separator(csv_form *form, char separator);

/* ---- Walking ---- */

/* Where a cell stands. */
typedef struct csv_place {
    const char *cell;
    size_t length;
    const char *line_start;
    int64_t line; /* from 1 */
} csv_place;

typedef struct csv_walk {
    const csv_text *text;
    const csv_form *form;
    const char *at, *line_start;
    int64_t line;
    csv_place place; /* of the latest cell, without quotes and the blanks around it */
    bool doubled;    /* it has doubled quotes, which stand for one each */
    bool row_ends;   /* after it */
    bool quiet;      /* a trial: what is wrong is no error */
} csv_walk;

csv_walk nm_csv_walk(const csv_text *text, const csv_form *form);
/* Goes to the next line that has more than blanks, empty cells or a comment; false at the end. */
bool nm_csv_begin_row(csv_walk *walk);
/* The next cell of the row. */
nm_status nm_csv_next(csv_walk *walk);
/* The usual cell of images, up to 15 digits and then a separator, at a third of the cost and
 * without a place. False: it is something else, and still to be walked over. */
static inline bool nm_csv_next_digits(csv_walk *walk, double *number)
{
    const char *at = walk->at;
    uint64_t whole = 0;
    for (; (unsigned char)(*at - '0') < 10; at++) {
        whole = whole * 10 + (uint64_t)(*at - '0'); /* which may go around, and is then not used */
    }
    if (at == walk->at || at - walk->at > 15 || *at != walk->form->separator || *at == ' ') {
        return false;
    }
    *number = (double)whole;
    walk->at = at + 1;
    return true;
}

/* Past the row's end; its number of cells. */
nm_status nm_csv_skip_row(csv_walk *walk, int64_t *cells);

/* The latest cell's text, doubled quotes as one: the cell itself, or a copy in `memory` of
 * CSV_LONGEST_NAME bytes. What is longer is cut, which *length tells by being that. */
const char *nm_csv_text_of(const csv_walk *walk, char memory[CSV_LONGEST_NAME], size_t *length);

#define CSV_SHOWN 41
/* A text's beginning, fit for a message. */
const char *nm_csv_shown(const char *text, size_t length, char shown[CSV_SHOWN]);
/* FILE:LINE:COLUMN: "cell" what is wrong. Columns count characters. */
nm_status nm_csv_fail(const csv_text *text, const csv_place *place, const char *format, ...)
    NM_PRINTF(3, 4);

/* ---- What a cell is ---- */

typedef enum csv_number { CSV_NO_NUMBER, CSV_WHOLE, CSV_FRACTION, CSV_INFINITE } csv_number;

/* Bytes of the blank or apostrophe at `at` that may stand between thousands; 0: none is there. */
int nm_csv_blank_mark(const char *at, const char *end);
/* A number in the form's way; for CSV_INFINITE, `value` is of no use. */
csv_number nm_csv_number(const csv_form *form, const char *text, size_t length, double *value);

/* Bytes of the minus at `at`: "-", or U+2212, as Swedish and Norwegian programs, R and Wikipedia
 * have it; 0: there is none. */
static inline int nm_csv_minus(const char *at, const char *end)
{
    const bool typographic = end - at > 3 && !memcmp(at, "\xe2\x88\x92", 3);
    return typographic ? 3 : at < end && *at == '-';
}

/* A number with a mark: "$" and the text of the number between `begin` and `end`. */
typedef struct csv_quantity {
    const char *begin, *end;
    const char *unit;         /* of a list, so that pointers can be compared */
    bool negative, is_signed; /* by what stands around the number */
} csv_quantity;

bool nm_csv_split_quantity(const char *text, size_t length, csv_quantity *quantity);
/* Its mark; NULL: it is no number with one. */
const char *nm_csv_quantity(const csv_form *form, const char *text, size_t length, double *value);

typedef struct csv_date {
    int year, month, day; /* where `order` is not known, day and month as they stand */
    double seconds;
    int order; /* nm_date_order, or CSV_ORDER_OPEN */
} csv_date;
#define CSV_ORDER_OPEN (-1)

bool nm_csv_date(const char *text, size_t length, csv_date *date);
/* Days since 1970-01-01; `order` (nm_date_order) tells day and month apart where the year is last.
 * False: there is no such day. */
bool nm_csv_days(const csv_date *date, int order, double *days);

/* Whether the text is the word, which is in small letters, in any case. */
static inline bool nm_csv_same_word(const char *text, size_t length, const char *word)
{
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        if ((c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c) != word[i]) { /* also at its end */
            return false;
        }
    }
    return !word[length];
}

typedef enum csv_seen {
    CSV_SEEN_WHOLE = 1 << 0,
    CSV_SEEN_FRACTION = 1 << 1,
    CSV_SEEN_INFINITE = 1 << 2,
    CSV_SEEN_MISSING = 1 << 3,
    CSV_SEEN_DASH = 1 << 4, /* - or .: missing among numbers, a text among texts */
    CSV_SEEN_TRUE = 1 << 5, /* true, false */
    CSV_SEEN_YES = 1 << 6,  /* yes, no */
    CSV_SEEN_T = 1 << 7,    /* t, f */
    CSV_SEEN_Y = 1 << 8,    /* y, n */
    CSV_SEEN_ON = 1 << 9,   /* on, off */
    CSV_SEEN_DATE = 1 << 10,
    CSV_SEEN_DAY_FIRST = 1 << 11,
    CSV_SEEN_MONTH_FIRST = 1 << 12,
    CSV_SEEN_ORDER_OPEN = 1 << 13,
    CSV_SEEN_TEXT = 1 << 14,
    CSV_SEEN_MARKED = 1 << 15, /* a number with a mark: %, $ */
} csv_seen;
#define CSV_SEEN_NUMBERS (CSV_SEEN_WHOLE | CSV_SEEN_FRACTION)
#define CSV_SEEN_NOTHING (CSV_SEEN_MISSING | CSV_SEEN_DASH)
#define CSV_SEEN_FLAGS (CSV_SEEN_TRUE | CSV_SEEN_YES | CSV_SEEN_T | CSV_SEEN_Y | CSV_SEEN_ON)
#define CSV_SEEN_DATES                                                                             \
    (CSV_SEEN_DATE | CSV_SEEN_DAY_FIRST | CSV_SEEN_MONTH_FIRST | CSV_SEEN_ORDER_OPEN)

static inline bool nm_csv_only(unsigned seen, unsigned kinds)
{
    return !(seen & ~kinds);
}

/* One of them; the value of a number. `missing`: texts that mean so besides the usual ones. */
unsigned nm_csv_look(const csv_form *form, const nm_strings *missing, const char *text,
                     size_t length, double *value);
/* Whether a word of CSV_SEEN_FLAGS says yes. */
bool nm_csv_is_true(const char *text, size_t length);

/* ---- Texts and their numbers ---- */

typedef struct csv_word {
    const char *text;
    size_t length;
    int64_t value; /* what it stands for: a column, a class, a category */
} csv_word;

/* In the order in which they were added. */
typedef struct csv_words {
    nm_context *context;
    csv_word *word;
    int count, capacity;
    uint32_t *slots; /* 1 + a word's index; 0: empty */
    uint32_t slot_count;
} csv_words;

/* NULL: it is not among them. */
const csv_word *nm_csv_words_find(const csv_words *words, const char *text, size_t length);
/* A new one, of that value, or an old one, which keeps its own; until the next one is added. The
 * text is kept by pointer. NULL: out of memory. */
csv_word *nm_csv_words_add(csv_words *words, const char *text, size_t length, int64_t value);
void nm_csv_words_free(csv_words *words);

/* ---- The table ---- */

typedef enum csv_role {
    CSV_ROLE_OPEN,   /* nothing was said: the sample's, if it can be */
    CSV_ROLE_SAMPLE, /* chosen by name, or the network has it */
    CSV_ROLE_TARGET,
    CSV_ROLE_OUT
} csv_role;

/* What its texts are gathered for, in a walk of their own. */
typedef enum csv_gather {
    CSV_GATHER_NONE,
    CSV_GATHER_FEW,      /* categories: until they are too many */
    CSV_GATHER_ALL,      /* classes */
    CSV_GATHER_DIFFERENT /* the same, or as long as they all differ */
} csv_gather;

typedef struct csv_column {
    /* What the survey saw, the most used first */
    unsigned seen; /* csv_seen */
    bool counts;   /* each number is one above the one before it */
    bool constant; /* all numbers are the same */
    bool wide;     /* some number is no f32 */
    bool rounded;  /* some number is beyond those that an f64 tells from the next whole one */
    bool small;    /* some number is an i32, as labels are */
    double first, last;
    int64_t numbers, texts, missing, dashes; /* cells; texts are all that is none of the others */
    int64_t marked;                          /* of the numbers, those with a mark */
    int64_t dates;                           /* of the texts, those that are dates */
    csv_place stray_place;                   /* the first text that is none; line 0: none */
    const char *unit;                        /* which, the first one's; NULL: none has */
    csv_place unit_place, other_unit_place;  /* the first with that one, and with another */
    csv_place text_place, missing_place, dash_place, infinite_place; /* the first; line 0: none */
    /* What was said of it */
    const char *name; /* "": it has none */
    bool is_twin;     /* another one has the same name */
    bool is_category, is_ignored;
    int gather;      /* csv_gather */
    bool repeats;    /* two of them are the same */
    bool broken_off; /* they are too many, or too long */
    csv_words words; /* its texts: word->value is their number */
    /* What it is */
    int role;        /* csv_role */
    int kind;        /* nm_column_kind */
    int order;       /* nm_date_order */
    int64_t at;      /* its first element in the sample, or in the target */
    bool is_filled;  /* a missing cell is no error: */
    double fill;     /* what it counts as; NaN: that is found later */
    const char *why; /* OUT: the reason, for people; NULL: it was asked for */
    bool is_id;      /* OUT: it tells samples apart */
    int64_t seat;    /* its index in the table that was trained on; -1: not known */
} csv_column;

typedef struct csv_table {
    nm_context *context;
    const nm_csv_options *options;
    csv_text text;
    csv_form form;
    csv_walk begin;  /* at the first row of samples */
    int64_t rows;    /* of samples */
    int64_t columns; /* of the table */
    csv_column *column;
    int64_t groups, order;          /* columns that a split goes by; -1: none */
    nm_schema *memory;              /* where names live, the table's schema if it is trained on */
    csv_words names;                /* of the columns, where there is a header */
    bool is_targetless;             /* what may be the target is not looked at */
    bool is_labels;                 /* the target is a class */
    bool is_named;                  /* which is found by its text, among the column's words */
    const char *const *class_names; /* where the file begins with them; NULL: it does not */
    int64_t classes;
} csv_table;

/* Finds the form and the names of the columns. `schema`: the network's, whose names a header has;
 * NULL: none. */
nm_status nm_csv_find_form(csv_table *table, const nm_schema *schema);
nm_status nm_csv_find_separator(csv_table *table);
nm_status nm_csv_find_marks(csv_table *table);
nm_status nm_csv_find_header(csv_table *table, const nm_schema *schema);

/* Gives the columns the roles that the options say, by names, indexes and patterns. Where they say
 * nothing of the target, there is none yet. */
nm_status nm_csv_choose(csv_table *table);
bool nm_csv_has_no_target(const csv_table *table); /* `target: none`, or not wanted */
/* The columns of a list of names, indexes and patterns: each gets its place in the list in
 * `chosen`, [columns], the others -1. `option` names the list in messages. */
nm_status nm_csv_choose_columns(const csv_table *table, const char *option, const nm_strings *list,
                                int64_t *chosen);
/* The column of that name; -1: none, -2: several. */
int64_t nm_csv_column_named(const csv_table *table, const char *name);

/* Gives the columns the roles and kinds that they have in the network. A target that is not there
 * is none. */
nm_status nm_csv_match(csv_table *table, const nm_schema *schema);
/* The same of a file of targets. */
nm_status nm_csv_match_targets(csv_table *y, const nm_schema *schema);

/* Counts the rows, each of which must have as many cells as there are columns, and looks at them.
 */
nm_status nm_csv_survey(csv_table *table);
/* Decides what the columns are, and describes them in `schema`. `x` holds the sample's columns, `y`
 * the targets (the same table, unless they stand in a file of their own). */
nm_status nm_csv_decide(csv_table *x, csv_table *y, nm_dataset *set, nm_schema *schema);
/* Of a prediction: the cells of the columns that told samples apart when the network was trained.
 */
nm_status nm_csv_take_ids(csv_table *table, const nm_schema *schema, nm_dataset *set);

/* ---- Parts of that ---- */

bool nm_csv_is_nothing(const csv_column *column); /* all of its cells are missing */
int64_t nm_csv_count_role(const csv_table *table, int role);
/* nm_column_kind; -1: text. Finds the order of dates. */
int nm_csv_kind_of(const csv_table *table, csv_column *column);
/* For a network that is there already: day and month of a column of dates as its own cells tell, or
 * the option; where they leave it open, as in the table that was trained on. */
nm_status nm_csv_follow_order(const csv_table *table, int64_t column, int trained);
/* Whether all numbers of a column have the same mark, or none. */
nm_status nm_csv_check_units(const csv_table *table, int64_t column);
/* Columns that may be ids, to be gathered; leaving out those that are. */
void nm_csv_suspect_identities(csv_table *table);
void nm_csv_leave_identities_out(csv_table *table);
bool nm_csv_is_called_id(const csv_table *table, const csv_column *column);
/* Gives the target's role where the options did not; says what is to be gathered of it; decides
 * whether it is a class or values, and describes it. */
void nm_csv_find_targets(csv_table *table, bool is_file_of_targets);
void nm_csv_expect_targets(csv_table *table, const nm_dataset *set);
nm_status nm_csv_decide_targets(csv_table *table, bool is_own_file, const nm_dataset *set,
                                nm_schema *schema);
/* Walks over the rows for the columns with `gather`. Cells of the number `ignored` are no texts. */
nm_status nm_csv_gather(csv_table *table, const nm_ignored *ignored);
/* The latest cell's text as a name: numbers in one form, so that "3" and "3.0" are the same. NULL:
 * it is too long for one. */
const char *nm_csv_name_of(const csv_table *table, const csv_walk *walk,
                           char memory[CSV_LONGEST_NAME], size_t *length);
/* Of the column's words, two that are one but for capitals, as "yes" and "Yes". */
void nm_csv_warn_of_case(const csv_table *table, int64_t column);
/* Numbers the words: numbers by size, then texts by their bytes. Their texts, which end with a 0,
 * in that order; memory of the table's. NULL on failure. */
const char *const *nm_csv_number_words(csv_table *table, csv_words *words);

/* Fills the set's samples, [rows, width], or its targets, from the columns of that role. */
nm_status nm_csv_take(csv_table *table, int role, nm_dataset *set);

/* Finds the columns that the set is to be split by; that of the groups is no input then, unless it
 * was chosen. `schema`: the network's, whose columns stay as they were; NULL: it is trained on. */
nm_status nm_csv_find_keys(csv_table *table, const nm_dataset *set, const nm_schema *schema);
/* Fills the set's groups and order from them, once the columns are decided. */
nm_status nm_csv_take_keys(csv_table *table, nm_dataset *set);

/* "column \"age\"", or "column 3". */
#define CSV_COLUMN_TEXT 80
const char *nm_csv_column_text(const csv_table *table, int64_t column, char text[CSV_COLUMN_TEXT]);

#endif
