/* Which columns are the targets, and whether they are classes or values.
 *
 * 1. Those that are named. Else, of a table: the one called target, label or class, if there is one
 *    of them, or the last one that a split does not go by; of a file of targets: all columns.
 * 2. Classes or values: as the option says, or the network, or the loss. Where none of them is
 *    known, texts are classes, and so are whole numbers, if at most 64 of them differ.
 * 3. Classes that are whole numbers stay as they are and are numbered with all others (classes.c).
 *    Those with names, or beyond 32 bits, are numbered here: numbers by size, then texts by their
 *    bytes. */
#include "optim/data/csv/csv.h"

bool nm_csv_is_nothing(const csv_column *c)
{
    return nm_csv_only(c->seen, CSV_SEEN_NOTHING);
}

/* The first one; -1: none. */
static int64_t target_of(const csv_table *t)
{
    for (int64_t i = 0; i < t->columns; i++) {
        if (t->column[i].role == CSV_ROLE_TARGET && t->column[i].at == 0) {
            return i;
        }
    }
    return -1;
}

int64_t nm_csv_count_role(const csv_table *t, int role)
{
    int64_t count = 0;
    for (int64_t i = 0; i < t->columns; i++) {
        count += t->column[i].role == role;
    }
    return count;
}

/* ---- Finding them ---- */

/* The only one of the usual names; -1: none, or several. */
static int64_t column_by_usual_name(const csv_table *t)
{
    static const char *const names[] = {"target", "label", "class"};
    int64_t found = -1;
    for (int64_t i = 0; i < t->columns; i++) {
        const csv_column *c = &t->column[i];
        bool usual = false;
        for (int k = 0; k < NM_COUNT_OF(names); k++) {
            usual |= nm_csv_same_word(c->name, strlen(c->name), names[k]);
        }
        if (usual && !c->is_ignored) {
            found = found < 0 ? i : t->columns;
        }
    }
    return found < t->columns ? found : -1;
}

/* The last one that holds something and is chosen neither for the sample nor to split by. */
static int64_t last_column(const csv_table *t)
{
    for (int64_t i = t->columns - 1; i >= 0; i--) {
        const csv_column *c = &t->column[i];
        if (c->role != CSV_ROLE_SAMPLE && !c->is_ignored && !nm_csv_is_nothing(c) &&
            i != t->groups && i != t->order) {
            return i;
        }
    }
    return -1;
}

static void find_target(csv_table *t)
{
    char text[CSV_COLUMN_TEXT];
    const int64_t last = last_column(t), usual = column_by_usual_name(t);
    const bool by_name = usual >= 0 && t->column[usual].role != CSV_ROLE_SAMPLE;
    const int64_t found = by_name ? usual : last;
    if (found < 0) {
        return;
    }
    t->column[found].role = CSV_ROLE_TARGET;
    t->column[found].at = 0;
    if (found != last) {
        nm_context_log(t->context, NM_LOG_INFO, "%s: the target is %s", t->text.title,
                       nm_csv_column_text(t, found, text));
    }
}

/* Of a file of targets. */
static void take_all(csv_table *t)
{
    const bool chosen = nm_csv_count_role(t, CSV_ROLE_TARGET) > 0;
    int64_t count = 0;
    for (int64_t i = 0; i < t->columns; i++) {
        csv_column *c = &t->column[i];
        if (!chosen && !nm_csv_is_nothing(c)) {
            c->role = CSV_ROLE_TARGET;
            c->at = count++;
        } else if (c->role != CSV_ROLE_TARGET) {
            c->role = CSV_ROLE_OUT;
        }
    }
}

void nm_csv_find_targets(csv_table *t, bool is_file_of_targets)
{
    if (is_file_of_targets) {
        take_all(t);
    } else if (!t->options->target.count) {
        find_target(t);
    }
}

/* ---- Classes or values ---- */

static bool is_whole(const csv_column *c)
{
    return nm_csv_only(c->seen, CSV_SEEN_WHOLE | CSV_SEEN_NOTHING);
}

/* All of more digits than a label holds: such classes go by their names. One among others is a
 * mistake. */
static bool is_large(const csv_column *c)
{
    return is_whole(c) && c->numbers && !c->small;
}

static bool has_texts(const csv_column *c)
{
    return !nm_csv_only(c->seen,
                        CSV_SEEN_NUMBERS | CSV_SEEN_MARKED | CSV_SEEN_NOTHING | CSV_SEEN_INFINITE);
}

static bool looks_like_labels(const csv_column *c)
{
    return is_whole(c) ? !c->broken_off : has_texts(c);
}

/* 1: classes, 0: values, -1: neither is said. */
static int said(const csv_table *t, const nm_dataset *set)
{
    if (t->options->targets != NM_WANTED_ANY) {
        return t->options->targets == NM_WANTED_LABELS;
    }
    if (t->options->classes || t->class_names) {
        return 1;
    }
    return set->wanted == NM_WANTED_ANY ? -1 : set->wanted == NM_WANTED_LABELS;
}

void nm_csv_expect_targets(csv_table *t, const nm_dataset *set)
{
    const int64_t target = target_of(t);
    const bool one = nm_csv_count_role(t, CSV_ROLE_TARGET) == 1;
    if (target < 0) {
        return;
    }
    csv_column *c = &t->column[target];
    const int labels = said(t, set);
    if (labels == 1 && (!is_whole(c) || is_large(c)) && one) {
        c->gather = CSV_GATHER_ALL;
    } else if (labels < 0 && one) {
        c->gather = is_whole(c) ? CSV_GATHER_FEW : CSV_GATHER_ALL;
    }
}

/* ---- Classes ---- */

static nm_status several_classes(const csv_table *t, int64_t count)
{
    return nm_fail(t->context, NM_ERROR_INPUT,
                   "%s: %lld targets, which are values to predict; classes need a single one "
                   "(for values, the loss is mse)",
                   t->text.title, (long long)count);
}

static nm_status wrong_class_count(const csv_table *t, int64_t names)
{
    return nm_fail(t->context, NM_ERROR_INPUT,
                   "%s: \"classes\" is %lld, but the target has %lld different names; leave "
                   "\"classes\" out",
                   t->text.title, (long long)t->options->classes, (long long)names);
}

static nm_status name_classes(csv_table *t, csv_column *c, nm_schema *schema)
{
    const int64_t given = t->options->classes;
    if (given && given != c->words.count) {
        return wrong_class_count(t, c->words.count);
    }
    nm_csv_warn_of_case(t, c - t->column);
    t->is_named = true;
    schema->class_names = nm_csv_number_words(t, &c->words);
    schema->classes = c->words.count;
    return schema->class_names ? NM_OK : nm_context_status(t->context);
}

/* Numbers that are not whole are told where they are taken. */
static nm_status decide_classes(csv_table *t, csv_column *c, nm_schema *schema)
{
    const int64_t targets = nm_csv_count_role(t, CSV_ROLE_TARGET);
    if (targets > 1) {
        return several_classes(t, targets);
    }
    t->is_labels = true;
    if (t->class_names) {
        schema->class_names = t->class_names;
        schema->classes = t->classes;
        return NM_OK;
    }
    const bool as_names = t->options->targets == NM_WANTED_LABELS && c->marked;
    return has_texts(c) || is_large(c) || as_names ? name_classes(t, c, schema) : NM_OK;
}

/* ---- Values ---- */

static nm_status decide_values(csv_table *t)
{
    for (int64_t i = 0; i < t->columns; i++) {
        csv_column *c = &t->column[i];
        if (c->role != CSV_ROLE_TARGET) {
            continue;
        }
        const int kind = nm_csv_kind_of(t, c);
        if (kind >= 0 && nm_csv_check_units(t, i) != NM_OK) {
            return nm_context_status(t->context);
        }
        if (c->is_category) {
            char text[CSV_COLUMN_TEXT];
            return nm_fail(
                t->context, NM_ERROR_INPUT,
                "%s: `categories` has %s, which is a value to predict; leave it out there",
                t->text.title, nm_csv_column_text(t, i, text));
        }
        if (kind < 0 || (kind == NM_COLUMN_DATE && c->order == CSV_ORDER_OPEN)) {
            return nm_csv_fail(&t->text, &c->text_place,
                               "is not a number to predict; for names of classes, the loss is "
                               "cross_entropy (or say `targets: labels`)");
        }
        c->kind = kind;
    }
    return NM_OK;
}

/* ---- Both ---- */

/* A dash is missing, too, but among names. */
static const csv_place *missing_place(const csv_column *c, bool is_class)
{
    return c->missing_place.line || (is_class && has_texts(c)) ? &c->missing_place : &c->dash_place;
}

static nm_status refuse_missing(const csv_table *t, bool is_class)
{
    for (int64_t i = 0; i < t->columns; i++) {
        const csv_column *c = &t->column[i];
        const csv_place *place = missing_place(c, is_class);
        if (c->role == CSV_ROLE_TARGET && place->line) {
            return nm_csv_fail(&t->text, place,
                               "%s; a sample to learn from needs its target: remove the line, or "
                               "fill it in",
                               place->length ? "counts as missing" : "the cell is empty");
        }
    }
    return NM_OK;
}

static nm_status describe(const csv_table *t, bool is_own_file, nm_schema *schema)
{
    const int64_t count = nm_csv_count_role(t, CSV_ROLE_TARGET);
    nm_column *columns = nm_schema_alloc(schema, (size_t)count, sizeof *columns);
    const char **names = nm_schema_alloc(schema, (size_t)count, sizeof *names);
    if (!columns || !names) {
        return NM_ERROR_MEMORY;
    }
    for (int64_t i = 0; i < t->columns; i++) {
        const csv_column *c = &t->column[i];
        if (c->role == CSV_ROLE_TARGET) {
            columns[c->at] = (nm_column){.name = c->name,
                                         .place = is_own_file ? -1 : i,
                                         .kind = c->kind,
                                         .order = c->order,
                                         .unit = t->is_labels ? NULL : c->unit,
                                         .fill = (double)NAN};
            names[c->at] = c->name;
        }
    }
    schema->target_columns = (int)count;
    schema->target_column = columns;
    if (!t->is_labels && t->form.header) {
        schema->targets = (int)count;
        schema->target_names = names;
    }
    return NM_OK;
}

nm_status nm_csv_decide_targets(csv_table *t, bool is_own_file, const nm_dataset *set,
                                nm_schema *schema)
{
    const int64_t target = target_of(t);
    if (target < 0) {
        return NM_OK;
    }
    csv_column *c = &t->column[target];
    const int labels = said(t, set);
    const bool one = nm_csv_count_role(t, CSV_ROLE_TARGET) == 1;
    const bool is_class = labels == 1 || (labels < 0 && one && looks_like_labels(c));
    nm_status status = refuse_missing(t, is_class);
    if (status == NM_OK) {
        status = is_class ? decide_classes(t, c, schema) : decide_values(t);
    }
    return status == NM_OK ? describe(t, is_own_file, schema) : status;
}
