/* The columns of a table for a network that is there already.
 *
 * 1. By name, in any order: each column of the network must be there, others are left out. Where
 * two columns have the name, as they had when the network was trained, it is the one at the place
 * where it was; where there was only one, it is an error.
 * 2. Without a header, here or when the network was trained, by their places: the table must have
 *    all columns that were there, or all but the targets, or those of the sample, with or without
 *    the targets; in their order. Where two of these are possible, it is an error.
 * 3. A network trained on something else than a table takes as many columns as a sample has
 * elements.
 * 4. What `target` names is the target, and what `ignore` names is not there. */
#include <strings.h>

#include "core/text.h"
#include "optim/data/csv/csv.h"

/* A saved network may be made to harm: what would lead outside of a row is refused. */
static nm_status contradiction(const csv_table *t, const nm_column *like)
{
    char shown[CSV_SHOWN];
    return nm_fail(t->context, NM_ERROR_FORMAT,
                   "%s: the network has its column \"%s\", or one of its categories, twice",
                   t->text.title, nm_csv_shown(like->name, strlen(like->name), shown));
}

static nm_status take_kind(csv_table *t, int64_t i, const nm_column *like)
{
    csv_column *c = &t->column[i];
    c->kind = like->kind;
    c->unit = like->unit;
    c->fill = like->fill;
    c->is_filled = !isnan(like->fill);
    for (int k = 0; k < like->count; k++) {
        const char *text = like->categories[k];
        const csv_word *word = nm_csv_words_add(&c->words, text, strlen(text), k);
        if (!word || word->value != k) {
            return word ? contradiction(t, like) : NM_ERROR_MEMORY;
        }
    }
    return nm_csv_follow_order(t, i, like->order);
}

static nm_status take_sample(csv_table *t, int64_t i, const nm_column *like, int64_t at)
{
    if (t->column[i].role == CSV_ROLE_SAMPLE) {
        return contradiction(t, like);
    }
    t->column[i].role = CSV_ROLE_SAMPLE;
    t->column[i].at = at;
    return take_kind(t, i, like);
}

static nm_status take_target(csv_table *t, int64_t i, const nm_column *like, int64_t at)
{
    t->column[i].role = CSV_ROLE_TARGET;
    t->column[i].at = at;
    return take_kind(t, i, like);
}

static int64_t width_of(const nm_column *column)
{
    return column->kind == NM_COLUMN_CATEGORY ? column->count : 1;
}

/* Some may be without one. */
static bool has_names(const nm_column *columns, int count)
{
    for (int i = 0; i < count; i++) {
        if (*columns[i].name) {
            return true;
        }
    }
    return false;
}

/* ---- By name ---- */

/* How many columns of the table that was trained on had the name. */
static int count_named(const nm_schema *s, const char *name)
{
    int count = 0;
    for (int i = 0; i < s->columns; i++) {
        count += strcmp(s->column[i].name, name) == 0;
    }
    for (int i = 0; i < s->target_columns; i++) {
        count += strcmp(s->target_column[i].name, name) == 0;
    }
    for (int i = 0; i < s->unused; i++) {
        count += strcmp(s->unused_column[i].name, name) == 0;
    }
    return count;
}

static nm_status ambiguous_column(const csv_table *t, const nm_column *like)
{
    char shown[CSV_SHOWN];
    return nm_fail(t->context, NM_ERROR_INPUT,
                   "%s: two columns are called \"%s\", but the network was trained on a table with "
                   "one; take the other out, or rename it",
                   t->text.title, nm_csv_shown(like->name, strlen(like->name), shown));
}

/* -1: none. */
static int64_t find_column(const csv_table *t, const nm_column *like)
{
    const int64_t index = nm_csv_column_named(t, like->name);
    const bool at_its_place = like->place >= 0 && like->place < t->columns &&
                              strcmp(t->column[like->place].name, like->name) == 0;
    return index >= 0 ? index : at_its_place ? like->place : -1;
}

#define NAMES_SHOWN 8

/* What may be meant instead: a name in other letters, or those that are there. */
static void add_names(const csv_table *t, const char *name, nm_text *text)
{
    char shown[CSV_SHOWN];
    for (int64_t i = 0; i < t->columns; i++) {
        const char *other = t->column[i].name;
        if (strcasecmp(other, name) == 0) {
            nm_text_add(text, "; \"%s\" is there: names are told apart by their letters' case",
                        nm_csv_shown(other, strlen(other), shown));
            return;
        }
    }
    for (int64_t i = 0; i < t->columns && i < NAMES_SHOWN; i++) {
        const char *other = t->column[i].name;
        nm_text_add(text, "%s%s", i ? ", " : "; it has ",
                    nm_csv_shown(other, strlen(other), shown));
    }
    nm_text_add(text, t->columns > NAMES_SHOWN ? ", ..." : "");
}

static nm_status missing_column(const csv_table *t, const nm_schema *s)
{
    nm_text text = {.context = t->context};
    char shown[CSV_SHOWN];
    int64_t missing = 0;
    const char *first = NULL;
    for (int i = 0; i < s->columns; i++) {
        if (find_column(t, &s->column[i]) < 0) {
            first = first ? first : s->column[i].name;
            missing++;
        }
    }
    add_names(t, first, &text);
    char *others = nm_text_end(&text);
    if (!others) {
        return NM_ERROR_MEMORY;
    }
    nm_fail(t->context, NM_ERROR_INPUT,
            "%s: no column \"%s\", on which the network was trained (%lld of its %d columns are "
            "missing)%s",
            t->text.title, nm_csv_shown(first, strlen(first), shown), (long long)missing,
            s->columns, others);
    nm_free(t->context, others);
    return nm_context_status(t->context);
}

static nm_status match_samples_by_name(csv_table *t, const nm_schema *s)
{
    int64_t at = 0;
    for (int i = 0; i < s->columns; i++) {
        const nm_column *like = &s->column[i];
        const int64_t found = find_column(t, like);
        if (found >= 0 && *like->name && t->column[found].is_twin &&
            count_named(s, like->name) < 2) {
            return ambiguous_column(t, like);
        }
        nm_status status = found < 0 ? missing_column(t, s) : take_sample(t, found, like, at);
        if (status != NM_OK) {
            return status;
        }
        at += width_of(&s->column[i]);
    }
    return NM_OK;
}

/* All of them, or there are none. */
static nm_status match_targets_by_name(csv_table *t, const nm_schema *s)
{
    nm_status status = NM_OK;
    for (int i = 0; i < s->target_columns; i++) {
        if (find_column(t, &s->target_column[i]) < 0) {
            return NM_OK;
        }
    }
    for (int i = 0; i < s->target_columns && status == NM_OK; i++) {
        status = take_target(t, find_column(t, &s->target_column[i]), &s->target_column[i], i);
    }
    return status;
}

/* ---- By place ---- */

/* What stands at a place of the table that was trained on. */
typedef struct csv_seat {
    const nm_column *sample, *target;
    int64_t at;
} csv_seat;

/* [s->places], new memory; NULL if there is none. */
static csv_seat *make_seats(const csv_table *t, const nm_schema *s)
{
    csv_seat *seats = nm_alloc_zero(t->context, (size_t)s->places, sizeof *seats);
    int64_t at = 0;
    for (int i = 0; seats && i < s->columns; i++) {
        const nm_column *column = &s->column[i];
        if (column->place >= 0 && column->place < s->places) {
            seats[column->place] = (csv_seat){.sample = column, .at = at};
        }
        at += width_of(column);
    }
    for (int i = 0; seats && i < s->target_columns; i++) {
        const int64_t place = s->target_column[i].place;
        if (place >= 0 && place < s->places && !seats[place].sample) { /* else another file's */
            seats[place] = (csv_seat){.target = &s->target_column[i], .at = i};
        }
    }
    return seats;
}

/* Which seats a table may have. */
enum { VIEW_ALL, VIEW_WITHOUT_TARGETS, VIEW_SAMPLE, VIEW_SAMPLE_AND_TARGETS, VIEW_COUNT };

static bool is_in(int view, const csv_seat *seat)
{
    return view == VIEW_ALL || (seat->sample && view != VIEW_ALL) ||
           (view == VIEW_WITHOUT_TARGETS && !seat->target) ||
           (view == VIEW_SAMPLE_AND_TARGETS && seat->target);
}

static int64_t count_seats(const csv_seat *seats, int64_t places, int view)
{
    int64_t count = 0;
    for (int64_t i = 0; i < places; i++) {
        count += is_in(view, &seats[i]);
    }
    return count;
}

/* Whether two views of as many seats have the same ones. */
static bool are_same(const csv_seat *seats, int64_t places, int a, int b)
{
    for (int64_t i = 0; i < places; i++) {
        if (is_in(a, &seats[i]) != is_in(b, &seats[i])) {
            return false;
        }
    }
    return true;
}

static nm_status wrong_number(const csv_table *t, const nm_schema *s, int64_t open)
{
    return nm_fail(
        t->context, NM_ERROR_INPUT,
        "%s: %lld columns, but the network was trained on %d of %lld; without names they "
        "must be as many, in the same order",
        t->text.title, (long long)open, s->columns, (long long)s->places);
}

/* The view that the table's columns are; -1 with an error: none, or two that differ. */
static int find_view(const csv_table *t, const nm_schema *s, const csv_seat *seats, int64_t open)
{
    const bool has_target = nm_csv_count_role(t, CSV_ROLE_TARGET) > 0;
    int found = -1;
    for (int view = has_target ? VIEW_WITHOUT_TARGETS : VIEW_ALL; view < VIEW_COUNT; view++) {
        if (count_seats(seats, s->places, view) != open ||
            (has_target && view == VIEW_SAMPLE_AND_TARGETS)) {
            continue;
        }
        if (found >= 0 && !are_same(seats, s->places, found, view)) {
            nm_fail(t->context, NM_ERROR_INPUT,
                    "%s: %lld columns of the %lld that were trained on, and nothing says which; "
                    "give all of them, or a header",
                    t->text.title, (long long)open, (long long)s->places);
            return -1;
        }
        found = found < 0 ? view : found;
    }
    if (found < 0) {
        wrong_number(t, s, open);
    }
    return found;
}

static nm_status take_seats(csv_table *t, const nm_schema *s, const csv_seat *seats, int view)
{
    nm_status status = NM_OK;
    int64_t place = 0;
    for (int64_t i = 0; i < t->columns && status == NM_OK; i++) {
        if (t->column[i].role != CSV_ROLE_OPEN) {
            continue;
        }
        while (place < s->places && !is_in(view, &seats[place])) {
            place++;
        }
        const csv_seat *seat = &seats[place++];
        if (seat->sample) {
            status = take_sample(t, i, seat->sample, seat->at);
        } else if (seat->target) {
            status = take_target(t, i, seat->target, seat->at);
        } else {
            t->column[i].role = CSV_ROLE_OUT;
            t->column[i].seat = place - 1;
        }
    }
    return status;
}

static nm_status match_by_place(csv_table *t, const nm_schema *s)
{
    const int64_t open = nm_csv_count_role(t, CSV_ROLE_OPEN);
    if (s->places < 1) {
        return wrong_number(t, s, open); /* the network's file does not say where they stood */
    }
    if (t->form.header || has_names(s->column, s->columns)) {
        nm_context_log(t->context, NM_LOG_INFO,
                       "%s: it has no names that the network knows; its columns are taken in the "
                       "order of those trained on",
                       t->text.title);
    }
    csv_seat *seats = make_seats(t, s);
    const int view = seats ? find_view(t, s, seats, open) : -1;
    nm_status status = view >= 0 ? take_seats(t, s, seats, view) : nm_context_status(t->context);
    nm_free(t->context, seats);
    return status;
}

/* ---- Arrays ---- */

/* Promise 3. One column more is the target, the last one unless it is named. */
static nm_status match_array(csv_table *t, const nm_schema *s)
{
    const int64_t elements = nm_shape_count(&s->shape);
    int64_t open = nm_csv_count_role(t, CSV_ROLE_OPEN), at = 0;
    if (open == elements + 1 && !t->options->target.count) {
        nm_csv_find_targets(t, false);
        open = nm_csv_count_role(t, CSV_ROLE_OPEN);
    }
    if (open != elements) {
        return nm_fail(
            t->context, NM_ERROR_INPUT,
            "%s: %lld columns, but a sample has %lld elements; there must be as many, and "
            "one more where the target is among them",
            t->text.title, (long long)open, (long long)elements);
    }
    for (int64_t i = 0; i < t->columns; i++) {
        csv_column *c = &t->column[i];
        if (c->role == CSV_ROLE_OPEN) {
            c->role = CSV_ROLE_SAMPLE;
            c->at = at++;
        }
    }
    return NM_OK;
}

/* ---- Targets ---- */

/* `columns` may have left them out, or they stand where they were. */
static nm_status match_targets_by_place(csv_table *t, const nm_schema *s)
{
    nm_status status = NM_OK;
    for (int i = 0; i < s->target_columns && t->columns == s->places && status == NM_OK; i++) {
        const int64_t place = s->target_column[i].place;
        const csv_column *c = place >= 0 && place < t->columns ? &t->column[place] : NULL;
        const bool free = c && !c->is_ignored && !*c->name &&
                          (c->role == CSV_ROLE_OUT || c->role == CSV_ROLE_OPEN);
        status = free ? take_target(t, place, &s->target_column[i], i) : NM_OK;
    }
    return status;
}

/* A target whose cells are all missing is not there. */
static void drop_targets(csv_table *t)
{
    bool some = false;
    for (int64_t i = 0; i < t->columns; i++) {
        some |= t->column[i].role == CSV_ROLE_TARGET && !nm_csv_is_nothing(&t->column[i]);
    }
    for (int64_t i = 0; i < t->columns && (!some || nm_csv_has_no_target(t)); i++) {
        csv_column *c = &t->column[i];
        c->role = c->role == CSV_ROLE_TARGET ? CSV_ROLE_OUT : c->role;
    }
}

static nm_status take_classes(csv_column *c, const nm_schema *s)
{
    for (int64_t k = 0; s->class_names && k < s->classes; k++) {
        const char *name = s->class_names[k];
        if (!nm_csv_words_add(&c->words, name, strlen(name), k)) {
            return NM_ERROR_MEMORY;
        }
    }
    return NM_OK;
}

/* Numbers of a file that begins with the classes' names: each is the network's class of that name.
 */
static nm_status take_numbers(csv_table *t, csv_column *c, const nm_schema *s)
{
    for (int64_t k = 0; k < t->classes; k++) {
        char number[32], shown[CSV_SHOWN];
        const int64_t class = nm_schema_class_of(s, t->class_names[k]);
        if (class < 0) {
            return nm_fail(t->context, NM_ERROR_INPUT,
                           "%s: its class \"%s\" is none of those trained on", t->text.title,
                           nm_csv_shown(t->class_names[k], strlen(t->class_names[k]), shown));
        }
        nm_format_float((double)k, number);
        const char *text = nm_schema_copy(t->memory, number, strlen(number));
        if (!text || !nm_csv_words_add(&c->words, text, strlen(text), class)) {
            return NM_ERROR_MEMORY;
        }
    }
    return NM_OK;
}

/* What a target is, however it was found. */
static nm_status take_target_kinds(csv_table *t, const nm_schema *s)
{
    nm_status status = NM_OK;
    const int said = t->options->targets; /* against the network, an error later */
    t->is_labels = said == NM_WANTED_ANY ? s->classes > 0 : said == NM_WANTED_LABELS;
    t->is_named = t->is_labels && s->class_names;
    for (int64_t i = 0; i < t->columns && status == NM_OK; i++) {
        csv_column *c = &t->column[i];
        if (c->role == CSV_ROLE_TARGET && t->is_labels) {
            status = t->class_names && s->class_names ? take_numbers(t, c, s) : take_classes(c, s);
        } else if (c->role == CSV_ROLE_TARGET && c->at < s->target_columns) {
            c->kind = s->target_column[c->at].kind;
            c->unit = s->target_column[c->at].unit;
            status = nm_csv_follow_order(t, i, s->target_column[c->at].order);
        }
    }
    return status;
}

static nm_status match_targets(csv_table *t, const nm_schema *s)
{
    nm_status status = NM_OK;
    if (nm_csv_count_role(t, CSV_ROLE_TARGET) == 0) {
        status = t->form.header && has_names(s->target_column, s->target_columns)
                     ? match_targets_by_name(t, s)
                     : match_targets_by_place(t, s);
    }
    if (status == NM_OK) {
        drop_targets(t);
        status = take_target_kinds(t, s);
    }
    return status;
}

nm_status nm_csv_match_targets(csv_table *y, const nm_schema *s)
{
    nm_status status = NM_OK;
    const bool named = y->form.header && has_names(s->target_column, s->target_columns);
    if (named && nm_csv_count_role(y, CSV_ROLE_TARGET) == 0) {
        status = match_targets_by_name(y, s);
    }
    if (nm_csv_count_role(y, CSV_ROLE_TARGET) == 0) {
        nm_csv_find_targets(y, true);
    }
    return status == NM_OK ? take_target_kinds(y, s) : status;
}

/* ---- All of it ---- */

/* What `columns` chose is what is there. */
static void open_samples(csv_table *t)
{
    for (int64_t i = 0; i < t->columns; i++) {
        csv_column *c = &t->column[i];
        c->role = c->role == CSV_ROLE_SAMPLE ? CSV_ROLE_OPEN : c->role;
    }
}

static void leave_others_out(csv_table *t)
{
    int64_t count = 0;
    for (int64_t i = 0; i < t->columns; i++) {
        csv_column *c = &t->column[i];
        count += c->role == CSV_ROLE_OPEN;
        c->role = c->role == CSV_ROLE_OPEN ? CSV_ROLE_OUT : c->role;
    }
    if (count) {
        nm_context_log(t->context, NM_LOG_INFO,
                       "%s: %lld columns are left out, which the network does not have",
                       t->text.title, (long long)count);
    }
}

nm_status nm_csv_match(csv_table *t, const nm_schema *s)
{
    nm_status status;
    open_samples(t);
    if (!s->columns) {
        status = match_array(t, s);
    } else if (t->form.header && has_names(s->column, s->columns)) {
        status = match_samples_by_name(t, s);
    } else {
        status = match_by_place(t, s);
    }
    if (status == NM_OK && (status = match_targets(t, s)) == NM_OK) {
        leave_others_out(t);
    }
    return status;
}
